"""Where the plan lies on each slice: centre from the edge of the phantom, roll from the long slot in slice 1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phantoms.acr_mri.locate import Located
from phantoms.acr_mri.plan import SLOT_MM
from qc.errors import Unmeasurable
from qc.measure import uniformity
from qc.measure.air import corner_air, mean_square
from qc.measure.noise import immerkaer
from qc.measure.profile import Placement
from qc.measure.roi import Floats, inside_disc


@dataclass(frozen=True)
class Slot:
    """The dark slot of slice 1: roll clockwise in degrees, y of its middle in mm, scatter of its middle line in mm."""

    roll_deg: float
    y_mm: float
    rms_mm: float


def slot(located: Located) -> Slot:
    """Find the slot with the thickness ramps in slice 1, once.

    The middle of the darkness in each column within 10 mm of the expected line; a straight line through them.

    Raises
    ------
    Unmeasurable
        ``slice_missing``, ``phantom_not_found``, ``slot_not_found``.
    """
    found: Slot = located.kept("slot", lambda: _slot(located))
    return found


def _slot(located: Located) -> Slot:
    image, center, half = located.slice(1), located.outline(1).center, located.size.slot_half_mm
    roll, middle, rms = 0.0, 0.0, 0.0
    for reach in (0.45 * half, 0.7 * half, 0.9 * half):
        placement = Placement(center, located.spacing_mm, roll)
        x = np.arange(-reach, reach + 0.1, 1.0)
        y = np.arange(-11.0, 11.01, 0.5) + middle
        values = placement.sample(image, x, y)
        bright = np.nanmedian(values[np.abs(y - middle) > 8.0], axis=0)
        dark = np.clip(1.0 - values / np.maximum(bright, 1e-6), 0.0, 1.0)
        weight = dark.sum(axis=0) * 0.5
        usable = (weight > 0.5 * SLOT_MM) & (weight < 1.5 * SLOT_MM)
        if usable.sum() < 20:
            raise Unmeasurable("slot_not_found", "the slot with the thickness ramps was not found in slice 1")
        place = (dark * y[:, None]).sum(axis=0)[usable] / dark.sum(axis=0)[usable]
        slope, offset = np.polyfit(x[usable], place, 1)
        rms = float(np.std(place - (slope * x[usable] + offset)))
        roll, middle = roll + float(np.degrees(np.arctan(slope))), float(offset)
    if rms > 1.5:
        raise Unmeasurable("slot_not_found", "the slot with the thickness ramps is not straight", scatter_mm=rms)
    return Slot(roll, middle, rms)


def roll_deg(located: Located) -> float | None:
    """Return the roll, or None where slice 1 does not show it."""
    try:
        return slot(located).roll_deg
    except Unmeasurable:
        return None


def placement(located: Located, number: int, roll: float | None = None, center_px: tuple[float, float] | None = None) -> Placement:
    """Return where the plan lies on a slice.

    Parameters
    ----------
    roll, center_px
        Set by a person; None: as found.
    """
    found = roll if roll is not None else (roll_deg(located) or 0.0)
    return Placement(center_of(located, number, center_px), located.spacing_mm, found)


def center_of(located: Located, number: int, center_px: tuple[float, float] | None = None) -> tuple[float, float]:
    """Return the centre of the phantom in a slice, (row, col): as a person set it, else as found.

    Raises
    ------
    Unmeasurable
        ``set_outside_image``, and as `Located.outline`.
    """
    if center_px is None:
        return located.outline(number).center
    shape = located.slice(number).shape
    if not (0 <= center_px[0] < shape[0] and 0 <= center_px[1] < shape[1]):
        raise Unmeasurable(
            "set_outside_image",
            f"the centre set by hand, row {center_px[0]:g} and column {center_px[1]:g}, is not in the image of {shape[0]} rows and {shape[1]} columns",
        )
    return center_px


def void_distance(located: Located, number: int, center_px: tuple[float, float] | None = None) -> Floats:
    """Return the distance of each pixel of a slice from fill plug and bubble in mm, made once for each centre."""
    edge = located.outline(number)
    center = center_of(located, number, center_px)

    def make() -> Floats:
        return uniformity.void_distance(located.slice(number), center, edge.radius_mm, located.spacing_mm)

    found: Floats = located.kept(f"void_distance{number}{center}", make)
    return found


def noise_square(located: Located, number: int) -> float | None:
    """Return the mean square of the noise in a slice: of the air in the corners, or of the water where the air was masked.

    The dark slot is like air. Water may hold noise that goes with the signal, which the slot has not.
    """

    def make() -> float | None:
        image, edge = located.slice(number), located.outline(number)
        air = mean_square(image, corner_air(image.shape, edge.center, edge.radius_mm, located.spacing_mm))
        return air if air is not None else 2 * noise_in_water(located) ** 2

    found: float | None = located.kept(f"noise_square{number}", make)
    return found


def noise_in_water(located: Located) -> float:
    """Return the noise SD in the water of slice 7 (or 6, where 7 is missing), from differences of neighbouring pixels."""

    def make() -> float:
        number = 7 if located.slices[6] is not None else 6
        image, edge = located.slice(number), located.outline(number)
        inside = inside_disc(image.shape, edge.center, 0.8 * edge.radius_mm, located.spacing_mm)
        return immerkaer(image, inside)

    found: float = located.kept("noise_in_water", make)
    return found
