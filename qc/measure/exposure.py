"""Exposure index and deviation index of radiographs (IEC 62494-1)."""

from __future__ import annotations

from math import log10


def deviation_index(exposure_index: float, target: float) -> float:
    """Return the deviation index, 10 log10(EI / EI_T). EI 250 for a target of 125: 3.01; equal ones: 0.

    References
    ----------
    IEC 62494-1:2008, 3.3; AAPM TG 116.
    """
    return 10.0 * log10(exposure_index / target)
