"""Width of a peak in a profile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Width:
    """Full width at half maximum: `left` and `right` crossing, in the unit of the places."""

    left: float
    right: float
    height: float

    @property
    def width(self) -> float:
        """Right minus left."""
        return self.right - self.left

    @property
    def center(self) -> float:
        """Middle of the two crossings."""
        return 0.5 * (self.left + self.right)


def width_at_half(places: Floats, values: Floats, peak: int | None = None) -> Width | None:
    """Return the full width at half maximum of a peak over a background of zero.

    Parameters
    ----------
    places, values
        (n,), places rising.
    peak
        Index of the peak; default: the highest value.

    Returns
    -------
    None where a side does not fall below half within the profile. The maximum is the median of the values over 90 % of the highest
    next to it, so noise on a plateau does not raise the level much. A triangle of base 4 gives 2.0.
    """
    at = int(np.argmax(values)) if peak is None else peak
    top = float(values[at])
    if top <= 0:
        return None
    first = last = at
    while first > 0 and values[first - 1] > 0.5 * top:
        first -= 1
    while last < len(values) - 1 and values[last + 1] > 0.5 * top:
        last += 1
    lobe = values[first : last + 1]
    plateau = lobe[lobe > 0.9 * lobe.max()]
    half = 0.5 * (float(np.median(plateau)) if len(plateau) > 0.5 * len(lobe) else float(lobe.max()))
    first = last = at
    while first > 0 and values[first - 1] > half:
        first -= 1
    while last < len(values) - 1 and values[last + 1] > half:
        last += 1
    if first == 0 or last == len(values) - 1:
        return None
    left = places[first] - (values[first] - half) / (values[first] - values[first - 1]) * (places[first] - places[first - 1])
    right = places[last] + (values[last] - half) / (values[last] - values[last + 1]) * (places[last + 1] - places[last])
    return Width(float(left), float(right), 2 * half)
