"""Geometric accuracy: end-to-end length in the sagittal localizer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phantoms.acr_mri.plan import SIZES, Size
from qc.check import Applies, Example, check
from qc.measure.outline import rough_center
from qc.measure.roi import Floats
from qc.picture import picture
from qc.pixels import PixelAccess
from qc.results import Metric, Result, Shape
from qc.study import Series

SOURCE = "ACR Large and Medium Phantom Test Guidance 10/19/2022, geometric accuracy"
LENGTH = Metric("acr_mri.length", "mm", "End-to-end length (geometric accuracy)", "target", SOURCE)

STEP_MM = 0.25
BOX_TOLERANCE_MM = 8.0


@dataclass(frozen=True)
class LengthParameters:
    """Parameters.

    Attributes
    ----------
    middle_share
        Share of the diameter, in the middle, over which the length is averaged.
    largest_scatter_mm
        Edge points further from their line than this (or 3 robust SD) are left out.
    """

    middle_share: float = 0.8
    largest_scatter_mm: float = 0.4


def sagittal_size(image: NDArray[Any], spacing_mm: tuple[float, float]) -> tuple[Size, bool] | None:
    """Tell whether a picture is the sagittal view of a phantom: a filled box of diameter x length.

    Returns
    -------
    The size, and whether the length runs along the columns of the image (up and down).
    """
    low, high = float(np.percentile(image, 5)), float(np.percentile(image, 98))
    bright = np.asarray(image) > low + 0.1 * (high - low)
    rows, columns = np.flatnonzero(bright.mean(axis=1) > 0.04), np.flatnonzero(bright.mean(axis=0) > 0.04)
    if len(rows) < 8 or len(columns) < 8:
        return None
    height, width = (rows[-1] - rows[0] + 1) * spacing_mm[0], (columns[-1] - columns[0] + 1) * spacing_mm[1]
    inside = bright[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    outside = (bright.sum() - inside.sum()) / max(1, bright.size - inside.size)
    # the side of the bars may be all but dark: it counts by its rim
    if inside.mean() < 0.55 or outside > 0.1:
        return None
    for size in SIZES:
        for upright, (long, wide) in ((True, (height, width)), (False, (width, height))):
            if abs(long - size.length_mm) <= BOX_TOLERANCE_MM and abs(wide - size.diameter_mm) <= BOX_TOLERANCE_MM:
                return size, upright
    return None


@check(
    id="acr_mri.length",
    version=1,
    title="ACR MRI phantom: length in the sagittal localizer",
    level="series",
    needs="volume",
    applies=Applies(modalities=frozenset({"MR"}), classes=frozenset({"localizer", "image", "phantom:uniform"})),
    metrics=(LENGTH,),
    params=LengthParameters,
    source=SOURCE,
    invariances=("file_order", "intensity_scale", "rescale"),
    examples=(Example("acr_mri_large", {"localizer": True, "stretch": (1.0, 1.01)}, values={"acr_mri.length@localizer": (149.48, 0.1)}),),
)
def length(series: Series, pixels: PixelAccess, params: LengthParameters) -> Iterator[Result]:
    """Inner length of the phantom in a single sagittal image; nothing for images that are no sagittal view of the phantom.

    Both end faces are found from outside inwards at half of the signal just inside, in every column of the middle 80 % of the
    diameter; a straight line through each; the distance of the two lines in the middle, along their normal. Columns where an insert touches the
    end fall out as they lie far off the line.
    """
    if (
        len(series.frames) != 1
        or series.frames[0].spacing_mm is None
        or series.frames[0].tile is not None
        or series.frames[0].instance.layout is None
    ):
        return
    volume = pixels.volume(series)
    image, spacing = volume.values[0], (volume.spacing_mm[1], volume.spacing_mm[2])
    found = sagittal_size(image, spacing)
    if found is None:
        return
    size, upright = found
    turned = image if upright else image.T
    turned_spacing = spacing if upright else (spacing[1], spacing[0])
    ends = _faces(turned, turned_spacing, size, params)
    subject, frame = series.subject(), volume.frames[0]
    if ends is None:
        yield LENGTH.missing(
            "edge_not_found", subject, "localizer", message="the end faces of the phantom were not found", image=frame.label
        )
        return
    (top, bottom), middle, reach, error = ends
    slope = (top[0] + bottom[0]) / 2
    value = (np.polyval(bottom, middle) - np.polyval(top, middle)) * float(np.cos(np.arctan(slope)))
    lines = []
    for line, label in ((top, "upper end"), (bottom, "lower end")):
        points = [(float(np.polyval(line, x)) / turned_spacing[0], x / turned_spacing[1]) for x in (middle - reach, middle + reach)]
        lines.append(Shape("line", tuple(point if upright else point[::-1] for point in points), label, "found"))
    across = tuple((float(np.polyval(line, middle)) / turned_spacing[0], middle / turned_spacing[1]) for line in (top, bottom))
    lines.append(Shape("line", tuple(point if upright else point[::-1] for point in across), f"{value:.1f} mm"))
    yield LENGTH.value(
        value,
        subject,
        "localizer",
        uncertainty=float(np.hypot(error, 0.02 * turned_spacing[0])),
        evidence=(picture(image, f"Localizer ({frame.label}), length {value:.1f} mm", tuple(lines), spacing),),
        nominal=size.length_mm,
        error=value - size.length_mm,
        phantom=size.name,
        tilt_deg=float(np.degrees(np.arctan(slope))),
        image=frame.label,
    )


def _faces(
    image: Floats, spacing: tuple[float, float], size: Size, params: LengthParameters
) -> tuple[tuple[Floats, Floats], float, float, float] | None:
    """Return lines (slope, offset; mm) through the upper and the lower face, middle and reach in x, and the standard uncertainty."""
    start = rough_center(image, spacing)
    if start is None:
        return None
    center, _, _ = start
    middle, reach = center[1] * spacing[1], params.middle_share * size.diameter_mm / 2
    columns = np.arange(middle - reach, middle + reach, max(1.0, spacing[1]))
    lines, errors = [], []
    for side in (-1, 1):
        edge = _outer_edge(image, spacing, center[0] * spacing[0], columns, side, size.length_mm / 2)
        use = np.isfinite(edge)
        if use.sum() < 20:
            return None
        far = float(np.percentile(edge[use] * side, 75))  # the face is the outermost thing
        use &= np.abs(edge * side - far) < 3.0
        off, line = np.zeros(len(edge)), np.zeros(2)
        for _ in range(4):
            if use.sum() < 20:
                return None
            line = np.polyfit(columns[use], edge[use], 1)
            off = edge - np.polyval(line, columns)
            spread = 1.4826 * float(np.median(np.abs(off[use])))
            use = np.isfinite(edge) & (np.abs(off) <= max(params.largest_scatter_mm, 3 * spread)) & (np.abs(off) < 2.0)
        lines.append(np.asarray(line))
        errors.append(float(off[use].std()) / np.sqrt(use.sum() / 2))
    return (lines[0], lines[1]), middle, reach, float(np.hypot(*errors))


def _outer_edge(image: Floats, spacing: tuple[float, float], middle: float, columns: Floats, side: int, half: float) -> Floats:
    """Return y in mm of the outermost half-level crossing in each column; NaN where there is none."""
    from scipy import ndimage

    y = middle + side * np.arange(0.6 * half, half + 20.0, STEP_MM)
    rows, cols = np.meshgrid(y / spacing[0], columns / spacing[1], indexing="ij")
    values = ndimage.map_coordinates(np.asarray(image, float), [rows, cols], order=3, mode="constant", cval=0.0)
    bright = float(np.median(values[: int(0.2 * half / STEP_MM)]))
    edge = np.full(len(columns), np.nan)
    for at, ray in enumerate(values.T):
        above = np.flatnonzero(ray > 0.25 * bright)
        if len(above) == 0:
            continue
        last = int(above[-1])
        inner = ray[max(0, last - int(4.5 / STEP_MM)) : max(1, last - int(1.5 / STEP_MM))]
        if len(inner) == 0:
            continue
        level = 0.5 * float(np.median(inner))
        crossing = np.flatnonzero(ray >= level)
        if len(crossing) == 0 or crossing[-1] + 1 >= len(ray):
            continue
        k = int(crossing[-1])
        drop = ray[k] - ray[k + 1]
        edge[at] = y[k] + side * STEP_MM * ((ray[k] - level) / drop if drop > 0 else 0.0)
    return edge
