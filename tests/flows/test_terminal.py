"""The text of a report: numbers as people write them, nothing that could steer the terminal."""

from __future__ import annotations

import re

import numpy as np
import pytest

from flows.terminal import ESCAPE, Page, limit_words, number_words, render, value_words
from qc.dicom import Rejected
from qc.results import Finding, Judged, Measurement, Status, Subject, Verdict
from qc.runner import Ran, Report
from qc.study import Instance, Series, Study


def judged(value, unit="mm", uncertainty=None, reason=None, status=Status.PASS, region="", **limits) -> Judged:
    levels = dict.fromkeys(("action_low", "tolerance_low", "tolerance_high", "action_high")) | limits
    subject = Subject("series", "1.2", "1.2.3")
    return Judged(Measurement("a.metric", value, unit, subject, region, uncertainty, reason), Verdict(status, levels if limits else None))


def page(findings=(), measurements=(), skipped=(), ran=(), description="t1", **options) -> str:
    tags = {
        "Modality": "MR",
        "SeriesDescription": description,
        "SeriesNumber": 4,
        "StudyDate": "20261125",
        "StudyTime": "1031",
        "StationName": "MR1",
    }
    series = Series("1.2", "1.2.3", [Instance(None, "IM1", "", tags)])
    report = Report([Study("1.2", [series])], list(findings), list(measurements), list(skipped), list(ran), 1)
    return render(report, exit_code=0, **options)


def finding(code="a.code", status=Status.WARN, message="said", level="series", path=None, advice="", **details) -> Finding:
    return Finding(code, status, message, Subject(level, "1.2", "1.2.3" if level == "series" else None, path=path), details, advice)


@pytest.mark.parametrize(
    ("value", "uncertainty", "text"),
    [
        (0.0, None, "0"), (5.0, None, "5"), (87.45678, None, "87.46"), (12345.678, None, "12346"), (0.00012345, None, "0.0001234"),
        (-3.14159, None, "-3.142"), (1e-9, None, "1e-09"), (123456789.0, None, "1.235e+08"), (87.45678, 0.12, "87.46"), (87.45678, 3.0, "87.5"),
        (87.45678, 30.0, "87"), (np.float64(0.5), None, "0.5"), (999.95, None, "1000"),
    ],
)  # fmt: skip
def test_numbers(value, uncertainty, text):
    assert number_words(value, uncertainty) == text


@pytest.mark.parametrize(
    ("unit", "text"),
    [("mm", "5 mm"), ("%", "5 %"), ("1", "5"), ("[hnsf'U]", "5 HU"), ("1/mm", "5 lp/mm"), ("deg", "5°"), ("{counts}", "5 counts")],
)
def test_units_as_people_write_them(unit, text):
    assert value_words(judged(5.0, unit)) == text


def test_values():
    assert value_words(judged(5.0, uncertainty=0.25)) == "5.00 ± 0.25 mm"
    assert value_words(judged(None, reason="too_dark")) == "no value: too dark"


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        ({"action_low": 87.5}, "limit at least 87.5"),
        ({"action_high": 3.0}, "limit at most 3"),
        ({"action_low": 1.0, "action_high": 2.0}, "limit 1 to 2"),
        ({"tolerance_high": 2.0, "action_high": 3.0}, "limit at most 3, warns unless at most 2"),
        ({"tolerance_low": 2.0}, "warns unless at least 2"),
        ({}, ""),
    ],
)
def test_limits(limits, text):
    assert limit_words(judged(1.0, **limits)) == text


def test_what_stands_where():
    text = page(
        [finding(), finding("b.bad", Status.FAIL, "worse", advice="do this"), finding("c.study", level="study", message="all of it")],
        [judged(1.0, region="slice11"), judged(2.0, region="slice2")],
        [Rejected("note.txt", "not_dicom", "x")],
        [Ran("a", 1, Subject("series", "1.2", "1.2.3"), Status.FAIL, 0.0)],
    )
    lines = text.splitlines()
    assert lines[0] == "Study 1.2  2026-11-25 10:31, MR1, 1 series, 1 file"
    assert lines[1].strip() == "warn   c.study: all of it"
    assert lines[2].strip() == 'Series 4  "t1" MR, class image, 1 file, 0 frames'
    assert [line.split()[0] for line in lines[3:6]] == ["fail", "->", "warn"]  # worst first, advice below
    assert text.index("slice2") < text.index("slice11")
    assert "not dicom, 1: note.txt" in text
    assert lines[-1].startswith("1 file, 1 check ran: 1 fail, 0 error, 2 warn, 0 not evaluable (n/e), 0 info, 2 pass. Exit code 0")


def test_findings_of_one_kind_are_counted():
    text = page([finding(message=f"number {n}") for n in range(9)])
    assert text.count("a.code") == 5
    assert "and 4 more" in text
    assert page([finding(message=f"number {n}") for n in range(9)], verbose=True).count("a.code") == 9


def test_nothing_wrong_is_said():
    assert "nothing wrong" in page()
    assert "nothing wrong" not in page(measurements=[judged(None, reason="why", status=Status.NOT_EVALUABLE)])


def test_headers_cannot_steer_the_terminal():
    text = page([finding(message="\x1b[2Jgone\nforged line")], [], [Rejected("a\x07\rb", "not_dicom", "x")], description="\x1b]0;title\x07")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text)
    assert not any(line.startswith("forged") for line in text.splitlines())


def test_colours_only_where_wanted_and_lines_fit():
    findings = [finding(message="word " * 60, advice="advice " * 40)]
    plain, coloured = page(findings), page(findings, colour=True, width=80)
    assert "\x1b" not in plain
    assert "\x1b[33m" in coloured
    assert max(len(ESCAPE.sub("", line)) for line in coloured.splitlines()[:-1]) <= 80


def test_a_page_without_width_does_not_wrap():
    sheet = Page(colour=False)
    sheet.add("word " * 100, 4, "head: ")
    assert len(sheet.lines) == 1
