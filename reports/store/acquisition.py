"""How a series was acquired, in words: what keeps the values of one phantom test apart that were measured in different ways.

Names of protocols and series change with whoever types them; what the scanner was set to does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qc.study import Series

_LONGEST = 120  # characters


def coil(series: Series) -> str:
    """Return the name of the receiving coil; empty where none is given."""
    return str(series.first("ReceiveCoilName") or "").strip()[:_LONGEST]


def words(series: Series) -> str:
    """Return what was set: ``TR 500, TE 20, 5 mm``, ``120 kV, Br40, 5 mm``; empty where the headers do not say."""
    if series.modality == "MR":
        parts = [
            _number("TR {}", series, "RepetitionTime", 3),
            _number("TE {}", series, "EchoTime", 2),
            _number("TI {}", series, "InversionTime", 3),
        ]
        parts += [_number("{} mm", series, "SliceThickness", 3)]
    elif series.modality == "CT":
        parts = [
            _number("{} kV", series, "KVP", 4),
            _text(series.first("ConvolutionKernel")),
            _number("{} mm", series, "SliceThickness", 3),
        ]
    else:
        parts = [_number("{} kV", series, "KVP", 4), _text(series.first("ProtocolName"))]
    return ", ".join(filter(None, parts))[:_LONGEST]


def _number(pattern: str, series: Series, keyword: str, figures: int) -> str:
    value = series.first(keyword)
    # through a number again, lest 2000 be written 2e+03
    return pattern.format(f"{float(f'{value:.{figures}g}'):g}") if isinstance(value, (int, float)) and value > 0 else ""


def _text(value: Any) -> str:
    return "/".join(map(str, value)) if isinstance(value, tuple) else str(value or "").strip()
