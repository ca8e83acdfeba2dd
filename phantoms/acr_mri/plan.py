"""The plan of the ACR MRI phantoms: what lies where, in mm from the middle, x to the observer's right and y down, plug at the top.

Places were read off real images of both sizes; nominal sizes are those of the ACR Large and Medium Phantom Test Guidance.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Size:
    """Geometry of a phantom type in mm.

    Attributes
    ----------
    diameter_mm, length_mm
        Inner diameter and inner end-to-end length.
    large_roi_mm
        Radius of the uniformity region.
    bar_end
        y of the lower end of both position bars when the slice lies right.
    slot_half_mm
        Half length of the dark slot with the thickness ramps.
    tube, ring
        (x, y) of the small tube in slice 1 and of the low-contrast insert in slices 8 to 11.
    holes
        (hole diameter, x of the first hole) of each resolution array.
    """

    name: str
    diameter_mm: float
    length_mm: float
    large_roi_mm: float
    bar_end: float
    slot_half_mm: float
    tube: tuple[float, float]
    ring: tuple[float, float]
    holes: tuple[tuple[float, float], ...]


LARGE = Size(
    "phantom:acr_mri_large", 190.0, 148.0, 79.788, -62.0, 88.5, (-45.5, -44.0), (0.0, 9.0), ((1.1, -22.0), (1.0, 2.0), (0.9, 25.5))
)  # region of 200 cm2
MEDIUM = Size(
    "phantom:acr_mri_medium", 165.0, 134.0, 71.365, -48.0, 79.5, (-41.0, -39.0), (0.0, 6.0),
    ((1.1, -24.0), (1.0, -3.5), (0.9, 17.0), (0.8, 35.5)),
)  # fmt: skip
SIZES = (LARGE, MEDIUM)

SLOT_MM = 11.0  # height of the slot
FIRST_HOLE_Y = 31.5
INSERT_MM = (-57.0, 19.0, 57.0, 57.0)  # left, top, right, bottom of the dark insert
RING_MM = (44.5, 51.0)  # inner and outer radius of the wall of the low-contrast insert
SPOKE_DIAMETERS_MM = (7.0, 6.4, 5.8, 5.2, 4.6, 3.9, 3.3, 2.7, 2.1, 1.5)
SPOKE_RADII_MM = (12.75, 25.5, 38.25)
SPOKE_TURN_DEG = 9.0  # from slice to slice

_PITCH_MM = 3.0


@cache
def plan_mask(size: Size) -> tuple[NDArray[Any], NDArray[np.bool_], NDArray[Any]]:
    """Return slice 1 as water (1) and plastic (0), which points lie inside the phantom, and their places along each axis in mm."""
    places = np.arange(-size.diameter_mm / 2, size.diameter_mm / 2 + 1e-6, _PITCH_MM)
    places = places - places.mean()
    y, x = np.meshgrid(places, places, indexing="ij")
    left, top, right, bottom = INSERT_MM
    ring = np.hypot(x - size.tube[0], y - size.tube[1])
    dark = (np.abs(y) <= SLOT_MM / 2) & (np.abs(x) <= size.slot_half_mm)
    dark |= (x >= left) & (x <= right) & (y >= top) & (y <= bottom)
    dark |= (np.abs(x) <= 6.0) & (y <= size.bar_end)
    dark |= (ring >= 12.5) & (ring <= 19.0)
    return np.where(dark, 0.0, 1.0), np.hypot(x, y) <= 0.93 * size.diameter_mm / 2, places
