"""The form of header values: length and characters that the standard allows to each value representation.

A value of wrong form can still be read (a decimal string of 18 characters is a number); strict software refuses it. What
cannot be read at all is said by `qc.values`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from pydicom.charset import decode_bytes
from pydicom.valuerep import TEXT_VR_DELIMS

from qc.tags import TEXT_VRS
from qc.values import is_age, is_date, is_time

# PS3.5 table 6.2-1: most characters of one value
LONGEST = {
    "AE": 16, "AS": 4, "CS": 16, "DA": 10, "DS": 16, "DT": 26, "IS": 12, "LO": 64, "LT": 10240, "PN": 64, "SH": 16, "ST": 1024, "TM": 16, "UI": 64,
}  # fmt: skip
SINGLE = frozenset({"LT", "ST", "UT", "UR"})  # the backslash is text there
_CODE = re.compile(r"^[A-Z0-9 _]*$")
_UID = re.compile(r"^(0|[1-9]\d*)(\.(0|[1-9]\d*))+$")
_NUMBER = re.compile(r"^ *[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)? *$")
_WHOLE = re.compile(r"^ *[+-]?\d+ *$")
_MOMENT = re.compile(r"^\d{4}(\d{2}){0,5}(\.\d{1,6})?([+-]\d{4})?$")


def trouble(vr: str, raw: bytes, codecs: list[str], legality: bool) -> str | None:
    """Return what is wrong with the form of a raw value, in words without the value itself; None where it is legal.

    Parameters
    ----------
    legality
        Also tell values that are no number, date, time ... at all (of attributes that nobody has read yet).

    Examples
    --------
    >>> trouble("DS", b"-123.45678901234567", ["iso8859"], True)
    'longer than 16 characters'
    >>> trouble("CS", b"Axial", ["iso8859"], True)
    'not upper case letters, digits, blank and underscore'
    """
    longest = LONGEST.get(vr)
    if longest is None or not raw:
        return None
    if len(raw) <= longest and vr in TEXT_VRS:
        return None
    text = decode_bytes(raw, codecs, TEXT_VR_DELIMS) if vr in TEXT_VRS and not raw.isascii() else raw.decode("latin-1")
    parts = [text] if vr in SINGLE else text.split("\\")
    if vr == "PN":
        parts = [group for part in parts for group in part.split("=")]
    for part in parts:
        plain = part.rstrip(" \0") if vr not in ("DS", "IS", "CS") else part.strip(" \0")
        if len(plain) > longest:
            return f"longer than {longest} characters"
        if plain and (vr == "CS" or legality) and (wrong := _illegal(vr, plain)):
            return wrong
    return None


def _illegal(vr: str, plain: str) -> str | None:
    if vr == "CS":
        return None if _CODE.match(plain) else "not upper case letters, digits, blank and underscore"
    legal, words = _LEGAL.get(vr) or (None, "")
    return words if legal is not None and not legal(plain) else None


_LEGAL: dict[str, tuple[Callable[[str], object], str]] = {
    "DS": (_NUMBER.match, "not a number"),
    "IS": (_WHOLE.match, "not a whole number"),
    "UI": (_UID.match, "not a UID"),
    "DT": (_MOMENT.match, "not a date and time"),
    "DA": (is_date, "not a date"),
    "TM": (is_time, "not a time"),
    "AS": (is_age, "not an age"),
}
