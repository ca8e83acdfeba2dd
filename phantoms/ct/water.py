"""The daily water phantom: a uniform cylinder. Looks at few slices whatever the length of the series."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phantoms.ct.locate import could_be, is_round, probe
from phantoms.ct.metrics import CHANGE, CT_NUMBER, HU_UNIFORMITY, NOISE, NPS_MEAN, NPS_PEAK, OFFSET, RING
from phantoms.ct.models import WATER
from phantoms.ct.outline import Outline, outline
from phantoms.ct.regions import read_disc, structure_hu
from phantoms.ct.stack import Stack
from phantoms.ct.uniformity import Area, measure
from qc.check import Applies, Example, check
from qc.errors import Unmeasurable
from qc.measure.roi import inside_disc
from qc.pixels import PixelAccess
from qc.results import Result
from qc.study import Series

MOST_SLICES = 5
WALL_MM = 9.0
FARTHEST_FROM_WATER_HU = 150.0
WIDEST_STRUCTURE_HU = 60.0
ONE_MATERIAL_HU = 15.0  # between slices of one cylinder
LOOK_EVERY_MM = 10.0  # along a long scan: the modules of a larger phantom lie 30 to 50 mm apart
MOST_LOOKS = 25


@dataclass(frozen=True)
class WaterParameters:
    """Parameters.

    Attributes
    ----------
    baseline_noise_hu
        Noise that this device's baseline gives; 0: there is none, and the change is not judged.
    """

    baseline_noise_hu: float = 0.0


def is_water(image: NDArray[Any], edge: Outline, spacing_mm: tuple[float, float]) -> bool:
    """Tell whether a round object is one uniform material near water."""
    radius = edge.radius_mm - WALL_MM
    if radius < 35:
        return False
    inner = image[inside_disc(image.shape, edge.center, 0.5 * radius, spacing_mm)]
    if len(inner) < 200 or abs(float(inner.mean())) > FARTHEST_FROM_WATER_HU:
        return False
    return structure_hu(image, edge.center, radius - 4.0, spacing_mm) < max(WIDEST_STRUCTURE_HU, 1.5 * float(inner.std()))


def recognise(series: Series, pixels: PixelAccess) -> str | None:
    """Recogniser of water and uniform cylinders (entry point `pacsqc.recognisers`): three slices, more of a long scan."""
    if not could_be(series):
        return None
    stack = Stack(series, pixels)
    edge = probe(stack)
    if edge is None or edge.share < 0.5:
        return None
    count, means = len(stack), []
    looks = min(max(3, round(count * (stack.step_mm or 0.0) / LOOK_EVERY_MM)), MOST_LOOKS)
    for at in sorted({(count * (2 * look + 1)) // (2 * looks) for look in range(looks)}):
        image = stack.slice(at)
        here = outline(image, stack.spacing_mm)
        if here is None and float((image[::8, ::8] > -500).mean()) < 0.02:
            continue  # beyond the end of the phantom
        if here is None or not is_round(here) or not is_water(image, here, stack.spacing_mm):
            return None
        means.append(float(image[inside_disc(image.shape, here.center, 0.5 * here.radius_mm, stack.spacing_mm)].mean()))
    # the modules of a phantom whose insert module was not scanned are uniform too, but not of one material
    return WATER if means and max(means) - min(means) < ONE_MATERIAL_HU else None


def _slices(stack: Stack) -> tuple[list[int], Outline]:
    """Up to five slices that show the cylinder, round the middle of those that do."""
    good = []
    for at in np.unique(np.round(np.linspace(0, len(stack) - 1, min(len(stack), 5))).astype(int)):
        edge = outline(stack.slice(int(at)), stack.spacing_mm)
        if edge is not None and is_round(edge) and is_water(stack.slice(int(at)), edge, stack.spacing_mm):
            good.append((int(at), edge))
    if not good:
        raise Unmeasurable("phantom_not_found", "no slice shows a uniform cylinder")
    middle = len(good) // 2
    chosen = good[max(0, middle - MOST_SLICES // 2) : middle + MOST_SLICES // 2 + 1]
    return [at for at, _ in chosen], good[middle][1]


@check(
    id="ct_water.daily",
    version=1,
    title="CT water phantom: CT number, noise, uniformity, rings",
    level="series",
    needs="volume",
    applies=Applies(modalities=frozenset({"CT"}), classes=frozenset({WATER})),
    metrics=(CT_NUMBER, HU_UNIFORMITY, NOISE, NPS_PEAK, NPS_MEAN, RING, OFFSET, CHANGE),
    params=WaterParameters,
    source="ACR CT QC manual (daily water); IEC 61223-3-5",
    invariances=("file_order", "rescale"),
    examples=(
        Example(
            "ct_water",
            {"noise_hu": 4.0, "water_hu": 1.0, "bits_stored": 16, "signed": True, "slope": 0.25},
            values={"ct.hu@water": (1.0, 0.3), "ct.noise@center": (4.0, 0.2)},
        ),
        Example(
            "ct_water",
            {"water_hu": 7.0, "cupping_hu": 8.0, "bits_stored": 16, "signed": True, "slope": 0.25},
            values={"ct.hu_uniformity@worst": (3.2, 1.5)},
        ),
    ),
    required=True,
)
def water(series: Series, pixels: PixelAccess, params: WaterParameters) -> Iterator[Result]:
    """Mean and noise of the central 40 % of the diameter, uniformity 66 % of the radius out, noise spectrum and rings.

    Up to five slices. Drift against history is judged by the trend; a fixed baseline of the noise gives ``ct.change``.
    """
    stack = Stack(series, pixels)
    indices, edge = _slices(stack)
    subject = series.subject()
    radius = edge.radius_mm - WALL_MM
    middle = read_disc(stack, indices, edge.center, 0.4 * edge.radius_mm)
    common = {
        "images": [stack.rows[at].label for at in indices],
        "kernel": stack.rows[indices[0]].get("ConvolutionKernel"),
        "diameter_mm": 2 * edge.radius_mm,
    }
    if middle is None:
        yield CT_NUMBER.missing("cut_by_field_of_view", subject, "water", **common)
    else:
        yield CT_NUMBER.value(middle.mean, subject, "water", uncertainty=middle.mean_uncertainty, sd_hu=middle.sd, **common)
    roi = 0.1 * edge.radius_mm
    area = Area(stack, indices, edge.center, min(0.66 * edge.radius_mm, radius - 1.5 * roi), roi, radius, "Water phantom")
    yield from measure(area, subject, common)
    shape = stack.slice(indices[0]).shape
    yield OFFSET.value((edge.center[1] - (shape[1] - 1) / 2) * stack.spacing_mm[1], subject, "right", **common)
    yield OFFSET.value((edge.center[0] - (shape[0] - 1) / 2) * stack.spacing_mm[0], subject, "down", **common)
    if params.baseline_noise_hu > 0 and middle is not None:
        change = 100 * (middle.sd / params.baseline_noise_hu - 1)
        yield CHANGE.value(change, subject, "noise", baseline_hu=params.baseline_noise_hu, **common)
    else:
        yield CHANGE.missing("no_baseline", subject, "noise", **common)
