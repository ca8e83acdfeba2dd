"""What was injected: the values of the Radiopharmaceutical Information Sequence (0054,0016) that SUV hangs on, as plain values."""

from __future__ import annotations

from typing import Any

from qc.header import PARSE_ERRORS, Parsed, sequence

SEQUENCE = 0x00540016
KEYWORDS = (
    "RadionuclideTotalDose",
    "RadionuclideHalfLife",
    "RadiopharmaceuticalStartTime",
    "RadiopharmaceuticalStartDateTime",
    "Radiopharmaceutical",
)


def injected(parsed: Parsed) -> dict[str, Any]:
    """Return the values of the first item by keyword; numbers as float, times as text. Empty where there is none or it cannot be read."""
    if SEQUENCE not in parsed.elements:
        return {}
    values: dict[str, Any] = {}
    try:
        items = sequence(parsed, SEQUENCE)
        for keyword in KEYWORDS if items else ():
            value = items[0].get(keyword)
            if value in (None, ""):
                continue
            values[keyword] = float(value) if keyword in KEYWORDS[:2] else str(value)
        codes = items[0].get("RadionuclideCodeSequence") if items else None
        if codes:
            values["Radionuclide"] = str(codes[0].get("CodeMeaning") or codes[0].get("CodeValue") or "")
    except (*PARSE_ERRORS, TypeError, AttributeError, LookupError):
        return {}
    return values
