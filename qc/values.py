"""Raw header bytes to plain Python values, and what is wrong with them.

pydicom's own value classes are exact but heavy (an object a number, warnings by side effect). Quality control wants the
text as it stands, a float, or a statement that the text is no number; never a guess.
"""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass, field
from typing import Any

from pydicom.charset import convert_encodings, decode_bytes, python_encoding
from pydicom.valuerep import TEXT_VR_DELIMS

from qc.tags import TEXT_VRS


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with one instance, as data. The checks put it into words.

    Attributes
    ----------
    code
        ``family.what``, the code of the finding it will become.
    """

    code: str
    keyword: str = ""
    text: str = field(default="", repr=False)  # may hold what a patient's field said
    facts: tuple[tuple[str, Any], ...] = field(default=(), repr=False)

    def fact(self, name: str) -> Any:
        """Return a fact by name, or None."""
        return dict(self.facts).get(name)


_STRUCT = {"US": "H", "SS": "h", "UL": "L", "SL": "l", "FL": "f", "FD": "d", "UV": "Q", "SV": "q"}
_INTEGER = re.compile(r"^[+-]?\d+$")
_DECIMAL = re.compile(r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")
_DATE = re.compile(r"^(\d{4})\.?(\d{2})\.?(\d{2})$")
_TIME = re.compile(r"^([01]\d|2[0-3])(:?[0-5]\d(:?([0-5]\d|60)(\.\d{1,6})?)?)?$")
_AGE = re.compile(r"^\d{3}[DWMY]$")
_LONGEST = 64  # characters of a number; the standard allows 16, some writers use a few more
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def is_date(text: str) -> bool:
    """Tell whether a DA value is a date of the calendar (``YYYYMMDD``, or the old ``YYYY.MM.DD``)."""
    match = _DATE.match(text)
    if not match:
        return False
    year, month, day = (int(part) for part in match.groups())
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return year > 0 and 1 <= month <= 12 and 1 <= day <= _DAYS[month - 1] - (month == 2 and not leap)


def is_time(text: str) -> bool:
    """Tell whether a TM value is legal; it may stop after hours or minutes."""
    return bool(_TIME.match(text))


def is_age(text: str) -> bool:
    """Tell whether an AS value is legal: three digits and one of D, W, M, Y."""
    return bool(_AGE.match(text))


def encodings(raw: bytes | None) -> tuple[list[str], str | None]:
    """Return Python codecs for SpecificCharacterSet, and the value where it is no defined term."""
    if not raw:
        return ["iso8859"], None
    text = raw.decode("latin-1").rstrip(" \0")
    terms = [term.strip() for term in text.split("\\")]
    if any(term not in python_encoding for term in terms):
        return ["iso8859"], text
    return list(convert_encodings(terms)), None


def _floats(text: str) -> tuple[Any, bool]:
    """Decimal strings as float or tuple of floats; the flag says whether all parts are legal."""
    parts = [part.strip(" \0") for part in text.split("\\")]
    if any(part and (len(part) > _LONGEST or not _DECIMAL.match(part)) for part in parts):
        return text, False
    numbers = tuple(float(part) if part else None for part in parts)
    if any(number is not None and not math.isfinite(number) for number in numbers):
        return text, False
    return (numbers[0] if len(numbers) == 1 else numbers), True


def _integers(text: str) -> tuple[Any, bool]:
    """Integer strings; ``3.0`` is tolerated as 3 (common, harmless), ``3.5`` is not."""
    parts = [part.strip(" \0") for part in text.split("\\")]
    numbers: list[int | None] = []
    for part in parts:
        if not part:
            numbers.append(None)
        elif len(part) > _LONGEST:
            return text, False
        elif _INTEGER.match(part):
            numbers.append(int(part))
        elif _DECIMAL.match(part) and float(part).is_integer():
            numbers.append(int(float(part)))
        else:
            return text, False
    return (numbers[0] if len(numbers) == 1 else tuple(numbers)), True


def plain(vr: str, raw: bytes, little_endian: bool, codecs: list[str]) -> tuple[Any, str | None]:
    """Convert a raw value to plain Python.

    Returns
    -------
    value
        str, int, float, or a tuple of them; None where the element is empty or its value unusable.
    bad
        The text as it stands where it is not a legal value of its VR, else None.
    """
    if vr in _STRUCT:
        size = struct.calcsize("=" + _STRUCT[vr])
        if not raw or len(raw) % size:
            return None, repr(raw[:32]) if raw else None
        numbers = struct.unpack(("<" if little_endian else ">") + _STRUCT[vr] * (len(raw) // size), raw)
        if any(isinstance(number, float) and not math.isfinite(number) for number in numbers):
            return None, str(numbers)
        return (numbers[0] if len(numbers) == 1 else numbers), None
    if vr in TEXT_VRS:
        text = decode_bytes(raw, codecs, TEXT_VR_DELIMS).strip(" \0")
        return text or None, None
    text = raw.decode("latin-1").strip(" \0")
    if not text:
        return None, None
    if vr in ("DS", "IS"):
        value, legal = _floats(text) if vr == "DS" else _integers(text)
        return (value, None) if legal else (None, text)
    if (vr == "DA" and not is_date(text)) or (vr == "TM" and not is_time(text)) or (vr == "AS" and not is_age(text)):
        return None, text
    if "\\" in text:
        return tuple(part.strip() for part in text.split("\\")), None
    return text, None
