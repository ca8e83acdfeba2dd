"""MR phantom with two inclined plates between nine rods (as that of MagNET): slice thickness."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qc.check import Applies, Example, NoParameters, check
from qc.errors import Unmeasurable
from qc.measure.outline import outline
from qc.measure.profile import Placement
from qc.measure.roi import Floats
from qc.measure.shadow import Shadow, shadow, thickness_of_two
from qc.picture import picture
from qc.pixels import PixelAccess
from qc.results import CurveEvidence, Evidence, Measurement, Metric, Result, Shape
from qc.study import Frame, Series

SOURCE = "IPEM Report 80 and AAPM Report 28, slice width from two inclined plates; plates of 11.3 degrees and rods 120 mm apart as in hazen"
THICKNESS = Metric("mr.slice_thickness", "mm", "Slice thickness on a ramp phantom", "target", SOURCE)

CLASS = "phantom:mri_ramps"
MOST_FRAMES = 4
DIAMETERS_MM = (150.0, 215.0)
ROD_STEP_MM = 60.0
ROD_TOLERANCE_MM = 4.0
ANGLE_DEG = 11.3
BANDS_MM = {"upper": (-38.0, -22.0), "lower": (22.0, 38.0)}  # between the rows of rods, along the plates
REACH_MM = 52.0


@dataclass(frozen=True)
class Rods:
    """The nine rods: where the plan lies, distance between the outer ones along the plates in mm, and whether the plates run up and down."""

    place: Placement
    apart_mm: float
    upright: bool


def rods(image: NDArray[Any], spacing_mm: tuple[float, float]) -> Placement | None:
    """Find nine dark rods in a square of 3 x 3, 60 mm apart, round the middle of a round object; None where they are not."""
    from scipy import ndimage

    edge = outline(image, spacing_mm, None, 1)
    if edge is None or not DIAMETERS_MM[0] <= 2 * edge.radius_mm <= DIAMETERS_MM[1] or edge.rms_mm > 3.0:
        return None
    fine, coarse = (ndimage.gaussian_filter(np.asarray(image, float), [mm / step for step in spacing_mm]) for mm in (1.5, 6.0))
    dip = 1 - fine / np.maximum(coarse, 1e-6)
    size = [round(10.0 / step) | 1 for step in spacing_mm]
    rows, columns = np.nonzero((dip == ndimage.maximum_filter(dip, size)) & (dip > 0.08))
    y, x = (rows - edge.center[0]) * spacing_mm[0], (columns - edge.center[1]) * spacing_mm[1]
    inside = np.hypot(x, y) < edge.radius_mm - 6.0
    points = np.stack([x[inside], y[inside]], axis=1)
    for middle in points[np.hypot(*points.T) < 20.0]:
        away = points - middle
        for first in away[np.abs(np.hypot(*away.T) - ROD_STEP_MM) < ROD_TOLERANCE_MM]:
            if abs(first[1]) > 0.5 * ROD_STEP_MM or first[0] < 0:
                continue
            found = _lattice(away, float(np.arctan2(first[1], first[0])))
            if found is not None:
                center = (edge.center[0] + middle[1] / spacing_mm[0], edge.center[1] + middle[0] / spacing_mm[1])
                return Placement(center, spacing_mm, found)
    return None


def _lattice(away: Floats, turn: float) -> float | None:
    """Return the roll in degrees if a point lies near each place of the square, else None."""
    turns = []
    for across, down in product((-1, 0, 1), repeat=2):
        place = ROD_STEP_MM * np.array([across * np.cos(turn) - down * np.sin(turn), across * np.sin(turn) + down * np.cos(turn)])
        off = np.hypot(*(away - place).T)
        if off.min() > ROD_TOLERANCE_MM:
            return None
        if across and not down:
            near = away[int(off.argmin())] * across
            turns.append(float(np.arctan2(near[1], near[0])))
    return float(np.degrees(np.mean(turns)))


def recognise(series: Series, pixels: PixelAccess) -> str | None:
    """Recogniser of the phantom (entry point `pacsqc.recognisers`): the rods, and a shadow on both sides of the middle row."""
    if series.modality != "MR" or not 1 <= len(series.frames) <= MOST_FRAMES or series.frames[0].tile is not None:
        return None
    if any(frame.spacing_mm is None or frame.instance.layout is None for frame in series.frames):
        return None
    volume = pixels.volume(series)
    spacing = (volume.spacing_mm[1], volume.spacing_mm[2])
    for image in volume.values:
        place = rods(image, spacing)
        if place is not None and any(len(_shadows(image, place, upright)) == 2 for upright in (False, True)):
            return CLASS
    return None


def _profiles(image: NDArray[Any], place: Placement, upright: bool) -> tuple[Floats, dict[str, Floats]]:
    """Return places along the plates in mm, and the mean signal of each band."""
    step = min(place.spacing_mm)
    along = np.arange(-REACH_MM, REACH_MM + step / 2, step)
    found = {}
    for name, (first, last) in BANDS_MM.items():
        across = np.arange(first, last, step)
        found[name] = place.sample(image, across, along).mean(axis=1) if upright else place.sample(image, along, across).mean(axis=0)
    return along, found


def _shadows(image: NDArray[Any], place: Placement, upright: bool) -> dict[str, Shadow]:
    along, profiles = _profiles(image, place, upright)
    found = {name: shadow(along, profile, 25.0, 1.5) for name, profile in profiles.items() if np.isfinite(profile).all()}
    return {name: one for name, one in found.items() if one is not None and one.depth < 0.9}


@check(
    id="ramps.thickness",
    version=1,
    title="MR ramp phantom: slice thickness",
    level="series",
    needs="volume",
    applies=Applies(modalities=frozenset({"MR"}), classes=frozenset({CLASS})),
    metrics=(THICKNESS,),
    source=SOURCE,
    invariances=("file_order", "intensity_scale", "rescale"),
    examples=(
        Example("mri_ramps", {"thickness_mm": 5.0}, values={"mr.slice_thickness": (5.0, 0.1)}),
        Example("mri_ramps", {"thickness_mm": 4.0, "tilt_deg": 1.0, "stretch": 1.01}, values={"mr.slice_thickness": (4.0, 0.1)}),
    ),
)
def thickness(series: Series, pixels: PixelAccess, params: NoParameters) -> Iterator[Result]:
    """Thickness from the lengths of the shadows of two plates that are inclined against each other by 11.3 degrees, whatever the tilt.

    Each shadow is a trapezoid on a smooth signal; its length at half depth is measured in units of the rods, which are 120 mm apart, so that
    distortion of the picture cancels (``details.uncorrected``: in mm of the picture). What the plates are not for (other phantoms with rods
    but other angles) the test cannot know: it holds for plates of 11.3 degrees, slope 1:5.

    Worked number: 25.02 mm on both plates are 5.00 mm.
    """
    volume = pixels.volume(series)
    spacing = (volume.spacing_mm[1], volume.spacing_mm[2])
    for number, (image, frame) in enumerate(zip(volume.values, volume.frames, strict=True), start=1):
        region = "" if len(volume.frames) == 1 else f"image{number}"
        try:
            yield _one(image, frame, spacing, region)
        except Unmeasurable as error:
            yield THICKNESS.missing(error.reason, frame.subject(), region, message=error.message, image=frame.label, **error.facts)


def _one(image: NDArray[Any], frame: Frame, spacing: tuple[float, float], region: str) -> Measurement:
    place = rods(image, spacing)
    if place is None:
        raise Unmeasurable("rods_not_found", "the nine rods, 60 mm apart, were not found")
    by_axis = {upright: _shadows(image, place, upright) for upright in (False, True)}
    upright = len(by_axis[True]) > len(by_axis[False])
    found = by_axis[upright]
    if len(found) < 2:
        raise Unmeasurable("ramps_not_visible", "the shadows of both plates were not found between the rows of rods")
    apart = _apart(image, place, upright)
    scale = 2 * ROD_STEP_MM / apart
    lengths = {name: one.length * scale for name, one in found.items()}
    upper, lower = lengths["upper"], lengths["lower"]
    value = thickness_of_two(upper, lower, ANGLE_DEG)
    if not 0.5 <= value <= 15.0 or not 0.4 < upper / lower < 2.5:
        raise Unmeasurable("thickness_implausible", f"the plates give {value:.1f} mm ({upper:.1f} and {lower:.1f} mm long)")
    slope = float(np.tan(np.deg2rad(ANGLE_DEG)))
    uncertainty = 0.5 * slope * float(np.hypot(*(one.uncertainty for one in found.values())))
    return THICKNESS.value(
        value,
        frame.subject(),
        region,
        uncertainty=uncertainty,
        evidence=_shown(image, frame, place, upright, found, value),
        uncorrected=thickness_of_two(*(one.length for one in found.values()), ANGLE_DEG),
        lengths_mm=lengths,
        rods_apart_mm=apart,
        nominal=frame.get("SliceThickness"),
        roll_deg=place.roll_deg,
        image=frame.label,
    )


def _apart(image: NDArray[Any], place: Placement, upright: bool) -> float:
    """Return the mean distance of the outer rods along the plates, in mm of the picture: centres of darkness, sub-pixel."""
    from scipy import ndimage

    reach = np.arange(-4.5, 4.51, 0.25)
    distances = []
    for row in (-1, 0, 1):
        ends = []
        for side in (-1, 1):
            x, y = (row, side) if upright else (side, row)
            across, down = x * ROD_STEP_MM, y * ROD_STEP_MM
            for _ in range(3):
                part = place.sample(image, across + reach, down + reach)
                bright = float(np.nanmax(ndimage.uniform_filter(np.nan_to_num(part), 5)))
                dark = np.clip(1 - np.nan_to_num(part) / bright - 0.2, 0, None) + 1e-9
                across += float((dark.sum(axis=0) * reach).sum() / dark.sum())
                down += float((dark.sum(axis=1) * reach).sum() / dark.sum())
            ends.append((across, down))
        distances.append(float(np.hypot(ends[1][0] - ends[0][0], ends[1][1] - ends[0][1])))
    return float(np.mean(distances))


def _shown(
    image: NDArray[Any], frame: Frame, place: Placement, upright: bool, found: dict[str, Shadow], value: float
) -> tuple[Evidence, ...]:
    along, profiles = _profiles(image, place, upright)
    shapes, curves, marks = [], {}, {}
    for name, one in found.items():
        middle = float(np.mean(BANDS_MM[name]))
        ends = [one.center + side * one.length / 2 for side in (-1, 1)]
        points = tuple(place.point(middle, end) if upright else place.point(end, middle) for end in ends)
        shapes.append(Shape("line", points, f"{name} {one.length:.1f} mm"))
        curves[name] = (along.tolist(), profiles[name].tolist())
        curves[f"{name}, fitted"] = (along.tolist(), one.fitted.tolist())
        marks |= {f"{name} {word}": end for word, end in zip(("start", "end"), ends, strict=True)}
    title = f"Slice thickness {value:.2f} mm ({frame.label})"
    return picture(image, title, tuple(shapes), place.spacing_mm), CurveEvidence(title, curves, "mm along the plates", "signal", marks)
