"""How values and limits are said, and that what is said can be read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reports import daily, words


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
