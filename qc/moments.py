"""DICOM dates and times as moments that can be compared although they stop at different components."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

from qc.values import is_date, is_time

DAY_S = 86400.0
PLACEHOLDERS = frozenset({"19000101", "19000000", "19010101", "18000101", "00010101"})


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time as far as it is known.

    Attributes
    ----------
    day
        Proleptic ordinal of the date; None where only the time is known.
    second
        Seconds since midnight.
    precision_s
        3600 where the value stops after the hours, 60 after the minutes, else 1: fractions are not compared.
    """

    day: int | None
    second: float
    precision_s: int


def day_of(text: Any) -> int | None:
    """Return the ordinal of a DA value; None where it is no date.

    >>> day_of("19700102")
    719164
    """
    if not isinstance(text, str) or not is_date(text):
        return None
    plain = text.replace(".", "")
    return date(int(plain[:4]), int(plain[4:6]), int(plain[6:8])).toordinal()


@lru_cache(maxsize=20_000)
def moment(day: Any, time: Any) -> Moment | None:
    """Return the moment of a DA and a TM value; None where the time is unknown.

    >>> moment("20250311", "1221")
    Moment(day=739321, second=44460.0, precision_s=60)
    """
    if not isinstance(time, str) or not is_time(time):
        return None
    whole, _, fraction = time.replace(":", "").partition(".")
    parts = [int(whole[at : at + 2]) for at in range(0, len(whole), 2)]
    second = sum(part * unit for part, unit in zip(parts, (3600, 60, 1), strict=False)) + float(f"0.{fraction or 0}")
    return Moment(day_of(day), second, (3600, 60, 1)[len(parts) - 1])


def moment_of(tags: Mapping[str, Any], name: str) -> Moment | None:
    """Return the moment ``name`` + Date/Time (or DateTime) of a header: Study, Series, Acquisition, Content, InstanceCreation."""
    found = moment(tags.get(f"{name}Date"), tags.get(f"{name}Time"))
    whole = tags.get(f"{name}DateTime")
    if found is None and isinstance(whole, str):
        text = re.sub(r"[+-]\d{4}$", "", whole.strip())
        found = moment(text[:8], text[8:])
    return found


def late_s(first: Moment, second: Moment) -> float:
    """Return by how many seconds `first` lies after `second`, at the coarser of their precisions; negative where the order is right.

    Without both dates, or on the same date, a difference of more than 20 hours is taken for a passed midnight.

    >>> late_s(Moment(None, 43200, 3600), Moment(None, 44460, 60))     # 12 (an hour) and 12:21
    0.0
    """
    step = max(first.precision_s, second.precision_s)
    days = first.day - second.day if first.day is not None and second.day is not None else 0
    gap = first.second // step * step - second.second // step * step
    if days == 0 and abs(gap) > 20 * 3600:
        gap -= DAY_S if gap > 0 else -DAY_S
    return days * DAY_S + gap


def years(text: Any) -> float | None:
    """Return an AS value in years; None where it is no age.

    >>> years("018M")
    1.5
    """
    if not isinstance(text, str) or not re.fullmatch(r"\d{3}[DWMY]", text):
        return None
    return int(text[:3]) / {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0}[text[3]]


def age_gap_years(age: Any, born: int, day: int) -> float | None:
    """Return by how many years an AS value is more than the age by two ordinals; None where it is no age.

    The unit of the value is its precision: ages are rounded down, so 41 years on the eve of the 42nd birthday is 0 years off.

    >>> age_gap_years("041Y", day_of("19700601"), day_of("20120531"))
    0.0
    >>> age_gap_years("001D", day_of("20120530"), day_of("20120531"))
    0.0
    """
    told = years(age)
    if told is None:
        return None
    unit = {"D": 1 / 365.25, "W": 1 / 52.18, "M": 1 / 12, "Y": 1.0}[age[-1]]
    true = (day - born) / 365.25
    if told <= true < told + unit:
        return 0.0
    return told - true if told > true else told + unit - true
