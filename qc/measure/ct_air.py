"""Where the air of a CT image lies on the CT number scale, and whether the whole scale is displaced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Scale:
    """What the histogram of one CT image says about its scale.

    Attributes
    ----------
    air
        Mode of the values from -1150 to -850 HU; None where they are under 2 % of the image (field of view inside the body).
    displaced
        +1: no air and no lung, and the mass of the image lies 700 to 1400 HU; -1: most of it lies below -850 and air below -1300; 0: neither.
    """

    air: float | None
    displaced: int


def scale(values: Floats, padding: float | None = None, most: float = 0.10, least: float = 0.005) -> Scale:
    """Judge the CT number scale of an image.

    Padding is taken out first: the value named by the header, and a single value below -1500 HU or at the bottom of the image that
    stands alone (no other value within 100 HU above it). Nothing but air and lung is below -500 HU and nothing in a patient
    makes a tenth of an image between 700 and 1400 HU without any air beside it, so:

    - under 0.5 % below -500 and over 10 % from 700 to 1400: too high by about 1000 (RescaleIntercept missing);
    - over 10 % from -2200 to -1300, in many different values, and under 2 % above -300 (bone): too low (applied twice).

    Parameters
    ----------
    values
        CT numbers, any shape; a few thousand are enough.
    padding
        PixelPaddingValue after rescale, or None.

    Returns
    -------
    Air -1000 HU with noise 20 gives `air` -1000 within 3 HU. Values displaced by +1000 give `displaced` 1, of a truncated field of view too.
    """
    flat = np.sort(values, axis=None)
    if padding is not None:
        flat = flat[flat != padding]
    flat = _without_lonely_minimum(flat)
    if not len(flat):
        return Scale(None, 0)
    limits = (-2200, -1300, -1150, -850, -500, -300, 700, 1400)
    below = dict(zip(limits, (np.searchsorted(flat, limits) / len(flat)).tolist(), strict=True))
    displaced = 0
    if below[-500] < least and below[1400] - below[700] > most:
        displaced = 1
    elif below[-1300] - below[-2200] > most and 1 - below[-300] < 4 * least and _many(flat, -2200, -1300):
        displaced = -1
    flat = _without_spike(flat)
    air = mode(flat, -1150, -850) if below[-850] - below[-1150] >= 0.02 else None
    return Scale(air, displaced)


def _without_lonely_minimum(flat: Floats) -> Floats:
    """Drop padding: the smallest value while it is repeated and the next other value is more than 100 above it."""
    for _ in range(3):
        if not len(flat):
            break
        upper = int(np.searchsorted(flat, flat[0], side="right"))
        lonely = upper < len(flat) and flat[upper] - flat[0] > 100
        if not (upper > 1 and (lonely or flat[0] < -2500)):
            break
        flat = flat[upper:]
    return flat


def _without_spike(flat: Floats, near: float = 12.0) -> Floats:
    """Drop a smallest value that is padding beside air (-1024): repeated, and the values just above it are rarer than those of the air.

    Air that is clipped at its own middle is densest next to the clipped value, and stays.
    """
    upper = int(np.searchsorted(flat, flat[0], side="right"))
    rest = flat[upper:]
    if upper < 0.01 * len(flat) or not len(rest) or flat[0] > -850:
        return flat
    starts = np.arange(flat[0], -850.0, near / 2)
    counts = np.searchsorted(rest, starts + near, side="right") - np.searchsorted(rest, starts, side="right")
    return rest if counts.max() > 2 * counts[0] else flat


def _many(flat: Floats, low: float, high: float) -> bool:
    """Air has noise; padding is one value."""
    part = flat[np.searchsorted(flat, low) : np.searchsorted(flat, high)]
    return len(np.unique(part)) >= 8


def mode(flat: Floats, low: float, high: float, width: float = 30.0) -> float:
    """Return the median of the densest window of `width` of sorted values between two bounds."""
    part = flat[np.searchsorted(flat, low) : np.searchsorted(flat, high, side="right")]
    starts = np.arange(low, high - width + 1, width / 6)
    first, last = np.searchsorted(part, starts), np.searchsorted(part, starts + width)
    counts = last - first
    best = np.flatnonzero(counts == counts.max())
    pick = int(best[len(best) // 2])
    return float(np.median(part[first[pick] : last[pick]]))
