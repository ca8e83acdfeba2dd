"""The ACR MRI phantoms as drawings: what lies where in each of the eleven slices.

Large: inner diameter 190 mm, length 148 mm. Medium: 165 mm, 134 mm. All places in mm from the middle of the phantom, x to the right and y
down as the axial image is seen. Simple, but the measured things are geometrically right: diameters, the two thickness ramps (slope 1:10),
the position bars (45 degree wedges), holes and their pitch, low-contrast discs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phantoms.synthetic.shapes import Grid, Image, annulus, box, disc, paint, polygon

RAMP_SLOPE = 0.1  # height of a thickness ramp per length
SLOT_MM = 1.0  # thickness of the water layer in a ramp


@dataclass(frozen=True)
class Phantom:
    """Size and places of one of the two phantoms, in mm."""

    name: str
    diameter: float
    length: float
    large_roi_radius: float  # of the region in which uniformity is measured: 200 and 160 cm²
    bar_top: float  # upper end of the position bars and of the fill plug
    slot_half_width: float  # of the slot with the thickness ramps
    tube: tuple[float, float]  # middle of the small circle
    ring: tuple[float, float]  # middle of the low-contrast insert
    hole_arrays: tuple[tuple[float, float], ...]  # (hole diameter, x of the first hole)
    notch: bool  # the rim is flattened at 12 o'clock

    @property
    def radius(self) -> float:
        """Inner radius in mm."""
        return self.diameter / 2


LARGE = Phantom(
    "acr_mri_large", 190.0, 148.0, 79.79, -92.0, 88.5, (-45.5, -44.0), (0.0, 9.0), ((1.1, -22.0), (1.0, 2.0), (0.9, 25.5)), False
)
MEDIUM = Phantom(
    "acr_mri_medium",
    165.0,
    134.0,
    71.36,
    -78.0,
    79.5,
    (-41.0, -39.0),
    (0.0, 6.0),
    ((1.1, -24.0), (1.0, -3.5), (0.9, 17.0), (0.8, 35.5)),
    True,
)

BAR_LENGTH = 30.0  # of both position bars in a slice that lies right
PLUG_LENGTH = 14.0
BAR_WIDTH = 6.0

LCD_CONTRASTS = {8: 0.014, 9: 0.025, 10: 0.036, 11: 0.051}
LCD_DIAMETERS = (7.0, 6.4, 5.8, 5.2, 4.6, 3.9, 3.3, 2.7, 2.1, 1.5)
LCD_RADII = (12.75, 25.5, 38.25)
LCD_TURN_DEG = 9.0  # from slice to slice
RING_OUTER, RING_INNER = 51.0, 44.5


def ramp_profile(x: Image, centre: float, length: float, edge: float) -> Image:
    """Signal along a ramp: overlap of a slice of rectangular profile with the water layer, 1 where the layer is all inside.

    A trapezoid whose length at half height is `length`; each `edge` is as long as the layer's thickness over the slope (10 mm).
    """
    return np.clip((length / 2 + edge / 2 - np.abs(x - centre)) / edge, 0.0, 1.0)


def ramp_lengths(thickness: float, tilt_deg: float) -> tuple[float, float]:
    """Half-level lengths of the upper and the lower ramp in mm: t / tan(5.71 degrees ± tilt about the vertical axis)."""
    slope = np.arctan(RAMP_SLOPE)
    tilt = np.deg2rad(tilt_deg)
    return float(thickness / np.tan(slope + tilt)), float(thickness / np.tan(slope - tilt))


def draw(
    phantom: Phantom,
    grid: Grid,
    number: int,
    *,
    thickness: float = 5.0,
    displacement: float = 0.0,
    tilt_deg: float = 0.0,
    bubble: float = 0.0,
    grid_style: str = "lattice",
    contrast: float = 1.0,
) -> Image:
    """Draw one slice with water 1 and plastic 0.

    Parameters
    ----------
    number
        Slice from 1 to 11.
    thickness
        Slice thickness in mm, at least the 1 mm of the water layer in the ramps.
    displacement
        How far the slice lies from where it should, in mm; the bars (slices 1 and 11) differ in length by twice that.
    tilt_deg
        Tilt of the slice about the vertical axis; only the ramps show it.
    bubble
        Radius in mm of an air bubble below the fill plug in slice 7; 0 for none.
    grid_style
        What slice 5 holds: ``lattice`` (water cells between walls) or ``block`` (solid with nine pin holes, newer phantoms).
    contrast
        How many times the true contrast the low-contrast discs have; 0 for none.
    """
    image = disc(grid, (0, 0), phantom.radius)
    if phantom.notch:
        image = paint(image, box(grid, -15.0, -phantom.radius - 3, 15.0, phantom.bar_top), 0.0)
    if number in (1, 11):
        image = _bars(phantom, grid, image, displacement, thickness)
    else:
        top = phantom.bar_top
        image = paint(image, box(grid, -BAR_WIDTH, top, BAR_WIDTH, top + PLUG_LENGTH), 0.0)
    if number == 1:
        image = _ramps(phantom, grid, image, thickness, displacement, tilt_deg)
        image = _resolution(phantom, grid, image)
    if number <= 4:
        image = paint(image, annulus(grid, phantom.tube, 12.5, 19.0), 0.0)
    if 2 <= number <= 4:
        image = paint(image, box(grid, -phantom.slot_half_width, -5.5, phantom.slot_half_width, 5.5), 0.0)
    if number == 5:
        image = _lattice(phantom, grid, image) if grid_style == "lattice" else _block(phantom, grid, image)
    if number == 7 and bubble > 0:
        image = paint(image, disc(grid, (0.0, phantom.bar_top + PLUG_LENGTH + bubble), bubble), 0.0)
    if number >= 8:
        image = paint(image, annulus(grid, phantom.ring, RING_INNER, RING_OUTER), 0.0)
        image = _spokes(phantom, grid, image, number, contrast)
    return image


def _bars(phantom: Phantom, grid: Grid, image: Image, displacement: float, thickness: float) -> Image:
    """Two bars side by side from the top; the right one is longer when the displacement is positive.

    They are wedges of 45 degrees, so their ends fade over the thickness of the slice.
    """
    top, end, w = phantom.bar_top, phantom.bar_top + BAR_LENGTH, BAR_WIDTH
    x, y = grid.coordinates()
    ends = end + np.where(x > 0, displacement, -displacement)
    within = (np.arange(16) + 0.5) / 16 - 0.5  # of a pixel: what is painted is the mean over it, not the value at its centre
    places = [np.clip((ends - y - part * grid.spacing_mm[0]) / max(thickness, 1e-6) + 0.5, 0.0, 1.0) for part in within]
    fade = np.mean(places, axis=0)
    reach = end + abs(displacement) + thickness
    # one outline for both: two shapes painted side by side would leave a bright hair between them
    return paint(image, box(grid, -w, top, w, reach) * fade, 0.0)


def _ramps(phantom: Phantom, grid: Grid, image: Image, thickness: float, displacement: float, tilt_deg: float) -> Image:
    """Dark slot with the two crossed ramps; their signal is that of a 1 mm layer in a thicker slice."""
    width = phantom.slot_half_width
    image = paint(image, box(grid, -width, -5.5, width, 5.5), 0.0)
    x, _ = grid.coordinates()
    for sign, top, bottom, length in zip((1, -1), (-5.0, 0.25), (-0.25, 5.0), ramp_lengths(thickness, tilt_deg), strict=True):
        per_mm = length / thickness  # along the ramp, for each mm across the slice
        profile = ramp_profile(x, sign * displacement * per_mm, length, SLOT_MM * per_mm)
        image = paint(image, box(grid, -width + 1, top, width - 1, bottom), SLOT_MM / thickness * profile)
    return image


def hole_centres(diameter: float, first_x: float, kind: str) -> NDArray[np.float64]:
    """Centres of the 16 holes of one array, (16, 2) as (x, y) in mm.

    The pitch is twice the diameter. In the upper left array (``rows``) each row is set right by a tenth of a pitch against the row above;
    in the lower right array (``columns``) each column is set down likewise, and both share the corner hole's place.
    """
    pitch = 2 * diameter
    i, j = np.meshgrid(np.arange(4), np.arange(4), indexing="xy")
    if kind == "rows":
        x, y = first_x + pitch * i + pitch / 10 * j, 31.5 + pitch * j
    else:
        x, y = first_x + 3.3 * pitch + pitch * i, 31.5 + 3 * pitch + pitch * j + pitch / 10 * i
    return np.stack([x.ravel(), y.ravel()], axis=1)


def _resolution(phantom: Phantom, grid: Grid, image: Image) -> Image:
    """Dark insert with two reference squares and the hole arrays."""
    image = paint(image, box(grid, -57.0, 19.0, 57.0, 57.0), 0.0)
    image = paint(image, box(grid, -51.5, 31.0, -42.0, 40.5), 0.8)
    image = paint(image, box(grid, -41.5, 40.5, -32.0, 50.0), 0.4)
    for diameter, first_x in phantom.hole_arrays:
        places = np.concatenate([hole_centres(diameter, first_x, "rows"), hole_centres(diameter, first_x, "columns")[1:]])
        image = paint(image, np.minimum(sum(disc(grid, tuple(place), diameter / 2) for place in places), 1.0), 1.0)
    return image


def _lattice(phantom: Phantom, grid: Grid, image: Image) -> Image:
    """Nine by nine water cells between walls; cells of 12.5 mm and walls of 2.5 mm in the large phantom, smaller in the medium one."""
    scale = phantom.radius / LARGE.radius
    pitch, half = 15.0 * scale, 6.25 * scale
    cells = np.zeros(grid.shape)
    for x in pitch * np.arange(-4, 5):
        for y in pitch * np.arange(-4, 5):
            cells += box(grid, x - half, y - half, x + half, y + half)
    return paint(image, polygon(grid, _octagon(4.5 * pitch + 1.25 * scale, 12.0 * scale)) * (1.0 - cells), 0.0)


def _block(phantom: Phantom, grid: Grid, image: Image) -> Image:
    """Solid block with nine water pins of 1.5 mm; 134 mm wide in the large phantom."""
    scale = phantom.radius / LARGE.radius
    image = paint(image, polygon(grid, _octagon(67.0 * scale, 8.0 * scale)), 0.0)
    for x in (-60.0 * scale, 0.0, 60.0 * scale):
        for y in (-60.0 * scale, 0.0, 60.0 * scale):
            image = paint(image, disc(grid, (x, y), 0.75), 1.0)
    return image


def _octagon(half: float, corner: float) -> list[tuple[float, float]]:
    """Corners (x, y) of a square of half side `half` with its corners cut off."""
    cut = half - corner
    return [(-cut, -half), (cut, -half), (half, -cut), (half, cut), (cut, half), (-cut, half), (-half, cut), (-half, -cut)]


def spoke_discs(phantom: Phantom, number: int) -> list[tuple[float, float, float]]:
    """Low-contrast discs of a slice from 8 to 11, (x, y, diameter) in mm, spoke by spoke clockwise from the largest."""
    discs = []
    for spoke, diameter in enumerate(LCD_DIAMETERS):
        angle = np.deg2rad(36.0 * spoke + LCD_TURN_DEG * (number - 8))  # clockwise from 12 o'clock
        discs += [(phantom.ring[0] + r * np.sin(angle), phantom.ring[1] - r * np.cos(angle), diameter) for r in LCD_RADII]
    return discs


def _spokes(phantom: Phantom, grid: Grid, image: Image, number: int, contrast: float = 1.0) -> Image:
    """Discs that are brighter than the sheet around them by the contrast of the slice."""
    sheet = 1.0 / (1.0 + contrast * LCD_CONTRASTS[number])
    image = paint(image, disc(grid, phantom.ring, RING_INNER), sheet)
    holes = sum(disc(grid, (x, y), diameter / 2) for x, y, diameter in spoke_discs(phantom, number))
    return paint(image, np.minimum(holes, 1.0), 1.0)
