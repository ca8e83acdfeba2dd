"""How things are said in reports: statuses, numbers, limits, days. Values are rounded here and nowhere else."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from qc.results import Status
from qc.runner import display_unit
from reports.sentences import ASIDE, REASONS, TITLES


@dataclass(frozen=True)
class Said:
    """A status for people: told by symbol and word, and only then by colour."""

    key: str
    symbol: str
    word: str
    meaning: str


STATUS = {
    "fail": Said("fail", "✖", "Failed", "outside a limit, or the data are bad"),
    "error": Said("error", "‼", "Software error", "our fault, not that of the images"),
    "warn": Said("warn", "▲", "Warning", "look at it; often harmless"),
    "not_evaluable": Said("not_evaluable", "?", "Not evaluated", "something could not be judged; the reason is given"),
    "info": Said("info", "i", "No limit set", "nothing wrong was found, but some values have no limit to be held against"),
    "pass": Said("pass", "✔", "Passed", "every check that applies was in order"),
}
if set(STATUS) != {str(status) for status in Status}:
    raise RuntimeError("a status has no words")
ORDER = {key: rank for rank, key in enumerate(STATUS)}
BAD = ("fail", "error", "warn")
FINE = ("info", "pass")

CONFIDENCE = {
    "verified": "checked against the document",
    "second_hand": "quoted second-hand",
    "from_memory": "from memory, not checked",
    "conflicting": "sources disagree",
    "site": "set by this site",
}

# reasons for setting a file aside that are nobody's fault, and what lies beside images on media and exports
_HARMLESS = frozenset({"dicomdir", "system_file", "duplicate_file"})
_FOREIGN = frozenset({
    "bat", "bmp", "cfg", "chm", "config", "css", "csv", "db", "dll", "doc", "docx", "exe", "gif", "htm", "html", "ico", "inf", "ini", "jar",
    "jpeg", "jpg", "js", "json", "log", "md", "pdf", "png", "rtf", "sh", "so", "txt", "xls", "xlsx", "xml", "yaml", "yml",
})  # fmt: skip
_ROUGH = 1e-9


def count(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: ``1 study``, ``2 studies``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}".replace(",", "\u202f")


def lower(text: str) -> str:
    """Return a title as it stands inside a sentence; what is spelt in capitals stays so."""
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def studies(number: int) -> str:
    """Return a number of studies in words."""
    return count(number, "study", "studies")


def long_day(day: date) -> str:
    """Return a day as people say it: Wednesday 25 November 2026."""
    return f"{day:%A} {day.day} {day:%B} {day.year}"


def short_day(day: date) -> str:
    """Return a day in short: 25 Nov 2026."""
    return f"{day.day} {day:%b} {day.year}"


def clock(text: str | None) -> str:
    """Return hours and minutes of ``HH:MM:SS``."""
    return text[:5] if text else "time unknown"


def human(code: str) -> str:
    """Return a code in words: ``slices.missing`` is "Slices missing"."""
    text = " ".join(code.replace(".", " ").replace("_", " ").split())
    return text[:1].upper() + text[1:]


def region(name: str) -> str:
    """Return a region in words: ``slice5.diagonal_sw`` is "slice 5, diagonal SW"."""
    text = re.sub(r"(?<=[a-z])(?=\d)", " ", name.replace("_", " ").replace(".", ", "))
    return re.sub(r"\b(sw|se|hu)\b", lambda found: found[0].upper(), text)


def sentences(*texts: str | None) -> str:
    """Join texts to sentences that end in a full stop."""
    return " ".join(text if text[-1] in ".!?" else f"{text}." for text in texts if text)


_PARAMETER_UNITS = {"px": "pixels", "mm": "mm", "deg": "degrees"}
_PARAMETER_WORDS = {"center": "centre", "col": "column"}


def parameter(name: str) -> tuple[str, str]:
    """Return how people call a parameter of a check, and its unit.

    >>> parameter("center_col_px"), parameter("slice_number")
    (('centre column', 'pixels'), ('slice number', ''))
    """
    stem, _, unit = name.rpartition("_")
    known = unit in _PARAMETER_UNITS
    words = [_PARAMETER_WORDS.get(word, word) for word in (stem if known else name).split("_")]
    return " ".join(words), _PARAMETER_UNITS.get(unit, "")


def parameters(values: Mapping[str, Any]) -> str:
    """Return parameters with their values: ``slice number 6, roll 1.5 degrees``."""
    said = ((*parameter(name), value) for name, value in values.items())
    return ", ".join(f"{title} {value} {unit}".rstrip() for title, unit, value in said)


def title(code: str) -> str:
    """Return what a finding is called: its title, else its code in words."""
    return TITLES.get(code) or human(code)


def reason(code: str | None) -> str:
    """Return why there is no value: a sentence, else the code in words."""
    return REASONS.get(code or "") or human(code or "no reason given")


def brief(code: str | None) -> str:
    """Return the first sentence of a reason, to stand within another: "no group of holes is resolved"."""
    text = reason(code).partition(". ")[0].rstrip(".")
    return text[:1].lower() + text[1:]


def aside(code: str) -> str:
    """Return why a file was set aside."""
    return ASIDE.get(code) or human(code)


def worrying(why: str, path: str) -> bool:
    """Tell whether a file that was set aside may be an image that was lost; a letter beside the images is none."""
    foreign = why == "not_dicom" and path.rpartition(".")[2].lower() in _FOREIGN
    return why not in _HARMLESS and not foreign


# -- numbers ----------------------------------------------------------------------------------------------------


def value(number: float | None, unit: str = "1", uncertainty: float | None = None, levels: tuple[float | None, ...] = ()) -> str:
    """Return a measured value as people read it, with its unit.

    Rounded to its uncertainty where that is known, else to four figures; but never so far that it seems to lie on the
    other side of one of the `levels`, or on it.

    >>> value(87.4996, "%", levels=(87.5,))
    '87.4996 %'
    """
    if number is None or not math.isfinite(number):
        return "no value"
    text, spread = rounded(number, uncertainty, levels)
    return _with_unit(f"{text} ± {spread}" if spread else text, unit)


def rounded(number: float, uncertainty: float | None = None, levels: tuple[float | None, ...] = ()) -> tuple[str, str]:
    """Return a value and its uncertainty (empty where that is not known), rounded as `value` says.

    >>> rounded(165.9333, 0.0712)
    ('165.933', '0.071')
    """
    known = uncertainty is not None and math.isfinite(uncertainty) and uncertainty > 0
    decimals = _decimals(uncertainty or 0.0, 2) if known else _decimals(number, 4)
    limits = [level for level in levels if level is not None and math.isfinite(level)]
    while decimals < 12 and any(_side(round(number, decimals), level) != _side(number, level) for level in limits):
        decimals += 1
    text = _fixed(number, decimals)
    return (text, _fixed(uncertainty or 0.0, decimals)) if known else (_trim(text), "")


def limit_words(row: Mapping[str, Any], unit: str) -> str:
    """Return the limits of a measurement: "at least 87.5 % (warning below 90 %)"; empty where there are none."""
    low, warn_low, warn_high, high = (_level(row.get(key)) for key in ("action_low", "tolerance_low", "tolerance_high", "action_high"))
    must = _range(low, high, unit)
    warnings = []
    if warn_low is not None and warn_low != low:
        warnings.append(f"below {_plain(warn_low)}")
    if warn_high is not None and warn_high != high:
        warnings.append(f"above {_plain(warn_high)}")
    if not warnings:
        return must
    warned = _with_unit(f"warning {' or '.join(warnings)}", unit)
    return f"{must} ({warned})" if must else warned


def _range(low: float | None, high: float | None, unit: str) -> str:
    if low is not None and high is not None:
        return _with_unit(f"{_plain(low)} to {_plain(high)}", unit)
    if low is not None:
        return _with_unit(f"at least {_plain(low)}", unit)
    return _with_unit(f"at most {_plain(high)}", unit) if high is not None else ""


def _level(level: float | None) -> float | None:
    return None if level is None or not math.isfinite(level) else float(level)


def _plain(number: float) -> str:
    return _trim(_fixed(number, _decimals(number, 6)))


def _decimals(number: float, figures: int) -> int:
    return figures - 1 - math.floor(math.log10(abs(number))) if number else 0


def _fixed(number: float, decimals: int) -> str:
    if decimals > 9 or decimals < -6:
        return f"{number:.4g}"
    text = f"{round(number, decimals):.{max(decimals, 0)}f}"
    return "0" + text[2:] if text.startswith("-0") and not text.strip("-0.") else text


def _trim(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def _with_unit(text: str, unit: str) -> str:
    shown = display_unit(unit)
    return f"{text}{'' if shown in ('°', '') else ' '}{shown}"


def _side(number: float, level: float) -> int:
    slack = _ROUGH * max(1.0, abs(level))
    return 0 if abs(number - level) <= slack else (1 if number > level else -1)
