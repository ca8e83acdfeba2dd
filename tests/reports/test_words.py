"""How values and limits are said, and that what is said can be read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reports import daily, problems, words
from reports.sentences import ASIDE, REASONS, TITLES


@pytest.mark.parametrize(
    ("number", "unit", "uncertainty", "levels", "text"),
    [
        (86.0234, "%", 0.2, (87.5,), "86.02 ± 0.20 %"),
        (86.0234, "%", None, (), "86.02 %"),
        (87.49999, "%", None, (87.5,), "87.49999 %"),  # a value that failed must not look as if it met its limit
        (87.5, "%", None, (87.5,), "87.5 %"),
        (5.0004, "mm", 0.3, (5.0,), "5.0004 ± 0.3000 mm"),
        (-0.00001, "[hnsf'U]", 0.5, (), "0.00 ± 0.50 HU"),
        (123456.7, "1", None, (), "123500"),
        (0.000123456, "1", None, (), "0.0001235"),
        (90.0, "deg", None, (), "90°"),
        (0.0, "mm", None, (), "0 mm"),
        (None, "mm", None, (), "no value"),
    ],
)
def test_values_are_rounded_for_people(number: float, unit: str, uncertainty: float, levels: tuple, text: str) -> None:
    assert words.value(number, unit, uncertainty, levels) == text


@pytest.mark.parametrize(
    ("levels", "text"),
    [
        ((87.5, None, None, None), "at least 87.5 %"),
        ((None, None, None, 2.5), "at most 2.5 %"),
        ((4.3, None, None, 5.7), "4.3 to 5.7 %"),
        ((82.0, 85.0, None, None), "at least 82 % (warning below 85 %)"),
        ((None, -1.0, 1.0, None), "warning below -1 or above 1 %"),
        ((-2.0, -1.0, 1.0, 2.0), "-2 to 2 % (warning below -1 or above 1 %)"),
        ((None, None, None, None), ""),
        ((float("nan"),) * 4, ""),
    ],
)
def test_limits_in_words(levels: tuple, text: str) -> None:
    names = ("action_low", "tolerance_low", "tolerance_high", "action_high")
    assert words.limit_words(dict(zip(names, levels, strict=True)), "%") == text


def test_colours_can_be_read() -> None:
    """WCAG AA: 4.5 : 1 for text."""
    css = (Path(daily.__file__).parent / "templates" / "daily.css").read_text()

    def light(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def contrast(one: str, other: str) -> float:
        high, low = sorted((light(one), light(other)), reverse=True)
        return (high + 0.05) / (low + 0.05)

    pairs = re.findall(r"--c: (#\w{6}); --g: (#\w{6})", css)
    assert len(pairs) == 6
    ink = re.search(r"--ink: (#\w{6})", css)[1]
    soft = re.search(r"--soft: (#\w{6})", css)[1]
    for colour, ground in pairs:
        assert min(contrast(colour, ground), contrast(ink, ground), contrast(soft, ground), contrast(soft, "#ffffff")) >= 4.5


def test_findings_have_titles_for_people() -> None:
    assert words.title("slices.missing") == "Slices are missing"
    assert words.title("identity.two_patients") == "Two patients in one study"
    assert words.title("file.truncated") == "File is cut off"
    assert words.title("our_plugin.tube_arcing") == "Our plugin tube arcing", "a plug-in's code is said by itself"
    for code, title in TITLES.items():
        assert re.fullmatch(r"[a-z_]+\.[a-z_]+", code)
        assert len(title) <= 50
        assert not title.endswith(".")
        assert "_" not in title
    assert len(set(TITLES.values())) == len(TITLES), "two problems never have one name"


def test_no_title_is_for_a_code_that_nobody_gives() -> None:
    """A code that was renamed in a check must be renamed here too, or people read the bare code."""
    from qc import protocol_audit
    from qc.check import load_checks

    declared = {code for spec in load_checks() for code in spec.codes}
    by_the_machinery = {
        "check.error", "check.not_evaluable", "limit.exceeded", "study.not_checked", "study.incomplete", "study.more_than_expected", "file.gone",
        "measure.unusual", *protocol_audit.CODES, "study.more_than_announced",
    }  # fmt: skip
    assert set(TITLES) - declared - by_the_machinery == set()
    assert declared - set(TITLES) == set(), "people would read the bare code"


def test_reasons_are_sentences() -> None:
    for code, text in REASONS.items():
        assert re.fullmatch(r"[a-z_]+", code)
        assert re.fullmatch(r"[A-Z].*[.?]", text)
    assert words.reason("phantom_not_found").startswith("The phantom was not found.")
    assert words.reason("some_new_reason") == "Some new reason"
    assert words.reason(None) == "No reason given"
    assert words.brief("phantom_not_found") == "the phantom was not found"
    assert words.aside("truncated") == ASIDE["truncated"]


def test_two_values_missing_for_one_reason_are_one_line() -> None:
    row = {
        "status": "not_evaluable", "reason": "noise_correlated", "details": {}, "study_uid": "1", "series_uid": "1.1", "series_number": 2,
        "series_description": "t1", "device": "MR1", "study_time": "08:00:00", "study_description": "Head", "frame": None, "path": None,
        "instance_uid": None, "level": "series",
    }  # fmt: skip
    titles = problems.Titles({}, {"mr.noise": "Noise", "mr.snr": "SNR of single images"})
    other = {**row, "metric": "mr.snr", "series_uid": "1.2", "series_number": 3}
    noise, snr = {**row, "metric": "mr.noise"}, {**row, "metric": "mr.snr"}
    found = problems.unjudged([], [noise, snr, other, {**other, "reason": "x"}], titles)
    assert [(one.what, one.reason, len(one.where)) for one in found] == [
        ("SNR of single images", words.REASONS["noise_correlated"], 2),
        ("Noise", words.REASONS["noise_correlated"], 1),
        ("SNR of single images", "X", 1),
    ], "not the same places, not one line"
    (joined,) = problems.unjudged([], [noise, snr], titles)
    assert joined.what == "Noise; SNR of single images"
