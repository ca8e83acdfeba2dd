"""Artefacts on slice 7: radio lines, spikes, a bright centre, wrap-around."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from phantoms.acr_mri.locate import Located, locate
from phantoms.acr_mri.position import blurred
from qc.check import Applies, Example, check
from qc.errors import Unmeasurable
from qc.measure import artefacts as measure
from qc.picture import picture
from qc.pixels import PixelAccess
from qc.results import Finding, Result, Shape, Status
from qc.study import Series

CODES = {
    "acr_mri.zipper": "Radio noise reaches the receiver: close the door, switch off devices in the room one after the other, then call the service.",
    "acr_mri.spikes": "Spikes in the raw data (herringbone): loose metal, dry air or a failing gradient cable; scan again and call the service if it stays.",
    "acr_mri.center_artefact": "A direct-current offset of the receiver; tell the service.",
    "acr_mri.quadrature_ghost": "The phantom shows again, turned by 180 degrees: the two channels of the receiver are not balanced; tell the service.",
    "acr_mri.wrap": "The object or its wrap-around reaches both borders: enlarge the field of view or use oversampling.",
}


@dataclass(frozen=True)
class ArtefactParameters:
    """From when on something is said.

    Attributes
    ----------
    line_z, spike_z, center_z, ghost_z
        Height over the scatter of the neighbours, in robust SDs (of the mean, for the turned ghost).
    ghost_percent
        Turned ghost, in percent of the signal.
    """

    line_z: float = 8.0
    spike_z: float = 12.0
    center_z: float = 6.0
    ghost_z: float = 8.0
    ghost_percent: float = 0.5


@check(
    id="acr_mri.artefacts",
    version=1,
    title="ACR MRI phantom: artefacts",
    level="series",
    needs="volume",
    applies=Applies(classes=frozenset({"phantom:acr_mri_large", "phantom:acr_mri_medium"})),
    codes=CODES,
    params=ArtefactParameters,
    source="ACR MRI Quality Control Manual, artefact evaluation; rules ours",
    invariances=("file_order", "intensity_scale", "rescale"),
    examples=(Example("acr_mri_large"),),
)
def artefacts(series: Series, pixels: PixelAccess, params: ArtefactParameters) -> Iterator[Result]:
    """Look at slice 7 for lines in the air, spikes in k-space, a bright centre, a turned ghost and wrap-around; says nothing where there is nothing."""
    for located in locate(series, pixels):
        try:
            image, edge = located.slice(7), located.outline(7)
        except Unmeasurable:
            continue
        yield from _one(series, located, image, edge.center, edge.radius_mm, params)


def _one(
    series: Series, located: Located, image: np.ndarray, center: tuple[float, float], radius_mm: float, params: ArtefactParameters
) -> Iterator[Result]:
    subject, spacing, label = series.subject(), located.spacing_mm, located.frame(7).label
    rows = (np.arange(image.shape[0]) - center[0])[:, None] * spacing[0]
    columns = (np.arange(image.shape[1]) - center[1])[None, :] * spacing[1]
    air = np.hypot(rows, columns) > radius_mm + 10.0
    border = [max(2, int(0.03 * side)) for side in image.shape]
    air[: border[0]], air[-border[0] :], air[:, : border[1]], air[:, -border[1] :] = False, False, False, False
    level = float(np.median(image[np.hypot(rows, columns) < 0.8 * radius_mm]))
    # what motion throws into the air looks like lines now and then; the test of the position says that the slice is blurred
    axes = () if 7 in blurred(located) else ((0, "row"), (1, "column"))
    for axis, name in axes:
        lines = measure.zipper(image, air, axis, params.line_z)
        if lines:
            first, last = lines.numbers[0], lines.numbers[-1]
            ends = ((first, 0), (first, image.shape[1] - 1)) if axis == 0 else ((0, first), (image.shape[0] - 1, first))
            message = f"A line of noise crosses slice 7 at {name} {first} to {last}."
            shown = picture(image, message, (Shape("line", ends, "line", "problem"),), spacing, window=(0.0, max(0.06 * level, 1e-6)))
            details = {"axis": name, "lines": list(lines.numbers), "z": lines.strongest, "image": label}
            yield Finding("acr_mri.zipper", Status.WARN, message, subject, details, evidence=(shown,))
    cells = measure.spikes(image, params.spike_z)
    if cells:
        period = 1 / max(float(np.hypot(*cells[0][:2])), 1e-6)
        message = f"Slice 7 holds a wave pattern of {period:.1f} pixels (a spike in the raw data)."
        details = {"cells": len(cells), "frequency": [cells[0][0], cells[0][1]], "z": cells[0][2], "image": label}
        yield Finding("acr_mri.spikes", Status.WARN, message, subject, details, evidence=(picture(image, message, (), spacing),))
    z = measure.center_point(image)
    if z > params.center_z:
        yield Finding("acr_mri.center_artefact", Status.WARN, "The centre pixel of slice 7 stands out.", subject, {"z": z, "image": label})
    turned = measure.quadrature_ghost(image, center, radius_mm, spacing)
    if turned and 100 * turned[0] > params.ghost_percent and turned[1] > params.ghost_z:
        message = f"Slice 7 shows the phantom again, turned by 180 degrees, with {100 * turned[0]:.1f} % of its signal."
        shown = picture(image, message, (), spacing, window=(0.0, max(0.06 * level, 1e-6)))
        details = {"percent": 100 * turned[0], "z": turned[1], "image": label}
        yield Finding("acr_mri.quadrature_ghost", Status.WARN, message, subject, details, evidence=(shown,))
    upright, across = measure.wrapped(image, level)
    if upright or across:
        sides = " and ".join(name for name, hit in (("top and bottom", upright), ("left and right", across)) if hit)
        yield Finding("acr_mri.wrap", Status.WARN, f"Signal reaches the borders of slice 7 at {sides}.", subject, {"image": label})
