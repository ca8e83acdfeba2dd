"""Every finding says what it means and what to do, and its code is declared where people look for it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qc import protocol_audit
from qc.check import all_metrics, load_checks
from qc.errors import NotApplicable
from qc.results import Subject
from qc.runner import _not_evaluable

TOP = Path(__file__).parents[2]
TEXTS = {code: text for spec in load_checks() for code, text in spec.codes.items()} | protocol_audit.CODES
# A person reads what to do: one of these stands in each text
DO = re.compile(
    r"\b(ask|send|look|compare|correct|fetch|get|tell|keep|check|stop|find|learn|measure|repeat|add|install|raise|set|do not|use|call|note|leave|"
    r"top|turn|enter|take|choose|move|level|wait|replace|must not|nothing (to do|is missing|is wrong)|nothing is wrong|refer to)\b",
    re.IGNORECASE,
)
FAMILIES = ("file.", "slices.", "stack.", "series.", "study.", "geometry.", "header.", "identity.", "pixels.", "protocol.")
SENTENCE = re.compile(r"(?<=[.:;!?])\s")


@pytest.mark.parametrize("code", TEXTS)
def test_a_text_says_what_to_do(code):
    assert DO.search(TEXTS[code]), TEXTS[code]
    assert TEXTS[code].endswith(".")
    assert TEXTS[code][0].isupper()


@pytest.mark.parametrize("code", [code for code in TEXTS if code.startswith(FAMILIES)])
def test_and_before_that_what_it_means(code):
    assert len(SENTENCE.split(TEXTS[code])) >= 2, TEXTS[code]
    assert len(TEXTS[code]) >= 40


def test_the_rule_itself_can_fail():
    assert not DO.search("A sequence inside the header is damaged.")
    assert len(SENTENCE.split("A sequence inside the header is damaged.")) == 1


# Made outside of checks, with their text beside them; and what looks like a code and is none
BESIDE = {
    "study.incomplete", "study.more_than_expected", "study.more_than_announced", "series.incomplete", "file.gone", "study.not_checked",
    "check.error", "check.not_evaluable", "limit.exceeded",
}  # fmt: skip
NO_CODES = {"header.value_form", "header.blank"}
CODE = re.compile(rf'"((?:{"|".join(one[:-1] for one in FAMILIES)}|check|limit)\.[a-z_0-9]+)"')


def test_no_code_is_used_that_is_not_declared():
    known = set(TEXTS) | BESIDE | NO_CODES | {spec.id for spec in load_checks()} | set(all_metrics())
    used = {}
    for room in ("qc", "flows", "reports"):
        for path in (TOP / room).rglob("*.py"):
            used |= dict.fromkeys(CODE.findall(path.read_text()), path)
    names = (".html", ".toml", ".id", ".json", ".csv")  # of files and columns
    assert {code: str(path) for code, path in used.items() if code not in known and not code.endswith(names)} == {}
    assert len(used) > 60


def test_what_could_not_be_judged_has_a_text_too():
    spec = next(spec for spec in load_checks() if spec.id == "slices")
    spec = type(spec)(**{**{name: getattr(spec, name) for name in spec.__dataclass_fields__}, "metrics": ()})
    (finding,) = _not_evaluable(spec, Subject("series"), NotApplicable("no_position", "no positions"), [])
    assert DO.search(finding.advice)
