"""Distances in the plane: the pins of the CatPhan, the two beads of the ACR phantom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phantoms.ct.locate import Located, locate
from phantoms.ct.metrics import DISTANCE
from phantoms.ct.models import ALL_CLASSES, PIN_HALF_MM
from phantoms.ct.pose import centroid
from phantoms.ct.regions import facts
from qc.check import Applies, Example, NoParameters, check
from qc.errors import Unmeasurable
from qc.measure.roi import inside_disc
from qc.picture import picture
from qc.pixels import PixelAccess
from qc.results import Result, Shape, Subject
from qc.study import Series

CORNERS = {"tl": (-1, -1), "tr": (1, -1), "br": (1, 1), "bl": (-1, 1)}
LINES = {"top": ("tl", "tr"), "right": ("tr", "br"), "bottom": ("bl", "br"), "left": ("tl", "bl")}
PIN_RADIUS_MM = 1.5
BEADS_APART_MM = 100.0


def apart_mm(one: tuple[float, float], other: tuple[float, float], spacing_mm: tuple[float, float]) -> float:
    """Return the distance of two points (row, col) in mm."""
    return float(np.hypot((one[0] - other[0]) * spacing_mm[0], (one[1] - other[1]) * spacing_mm[1]))


@check(
    id="ct_phantom.distance",
    version=1,
    title="CT phantom: distances in the plane",
    level="series",
    needs="volume",
    applies=Applies(modalities=frozenset({"CT"}), classes=ALL_CLASSES),
    metrics=(DISTANCE,),
    params=NoParameters,
    source="CatPhan manuals (spatial linearity, pins 50 mm apart); ACR CT phantom, module 3 (beads 100 mm apart)",
    invariances=("file_order", "rescale"),
    examples=(
        Example("ct_catphan", values={"ct.distance@mean": (50.0, 0.1)}),
        Example("ct_acr464", values={"ct.distance@beads": (100.0, 0.1)}),
    ),
)
def distance(series: Series, pixels: PixelAccess, params: NoParameters) -> Iterator[Result]:
    """Sub-pixel centroids. CatPhan: four sides of the square of pins and their mean. ACR: the two beads of module 3."""
    located = locate(series, pixels)
    if located.model.name == "phantom:acr_ct_464":
        yield from _beads(located, series.subject())
    elif located.model.name == "phantom:catphan700":
        raise Unmeasurable("no_such_module", "the pins of the CatPhan 700 are not measured")
    else:
        yield from _pins(located, series.subject())


def _pins(located: Located, subject: Subject) -> Iterator[Result]:
    module, spacing = located.module("inserts"), located.stack.spacing_mm
    found: dict[str, tuple[float, float]] = {}
    for name, (x, y) in CORNERS.items():
        place = module.pose.to_pixels((x * PIN_HALF_MM, y * PIN_HALF_MM), spacing)
        pin = centroid(module.image, place, PIN_RADIUS_MM, spacing, least_hu=100.0)
        if pin is not None and apart_mm(pin, place, spacing) < 2.5:
            found[name] = pin
    common = facts(located, module.indices)
    lengths = {name: apart_mm(found[one], found[two], spacing) for name, (one, two) in LINES.items() if one in found and two in found}
    shapes = [Shape("line", (found[LINES[name][0]], found[LINES[name][1]]), f"{length:.2f} mm") for name, length in lengths.items()]
    shown = picture(module.image, f"{located.model.title}: pins", shapes, spacing, located.stack.unit, window=(-250.0, 450.0))
    for name in LINES:
        if name in lengths:
            yield DISTANCE.value(lengths[name], subject, name, nominal_mm=2 * PIN_HALF_MM, **common)
        else:
            yield DISTANCE.missing("pin_not_found", subject, name, **common)
    if len(lengths) == 4:
        values = list(lengths.values())
        yield DISTANCE.value(
            float(np.mean(values)),
            subject,
            "mean",
            uncertainty=float(np.std(values, ddof=1) / 2),
            evidence=(shown,),
            nominal_mm=50.0,
            **common,
        )
    else:
        yield DISTANCE.missing("pin_not_found", subject, "mean", **common)


def _beads(located: Located, subject: Subject) -> Iterator[Result]:
    try:
        module = located.module("uniformity")
    except Unmeasurable as error:
        yield DISTANCE.missing(error.reason, subject, "beads", message=error.message)
        return
    stack, spacing = located.stack, located.stack.spacing_mm
    indices = stack.within(located.place_mm("uniformity")[0] - 8, located.place_mm("uniformity")[0] + 8) or module.indices
    best = None
    for index in indices[:: max(1, len(indices) // 16)]:
        pair = _pair(np.asarray(stack.slice(index), float), module.pose.center, spacing)
        if pair and (best is None or pair[2] > best[0][2]):
            best = pair, index
    common = facts(located, [best[1]] if best else module.indices)
    if best is None:
        yield DISTANCE.missing("beads_not_found", subject, "beads", **common)
        return
    one, two, height = best[0]
    length = apart_mm(one, two, spacing)
    shown = picture(
        stack.slice(best[1]),
        f"{located.model.title}: beads {length:.2f} mm apart",
        (Shape("line", (one, two), f"{length:.2f} mm"),),
        spacing,
        stack.unit,
        window=(-100.0, 200.0),
    )
    yield DISTANCE.value(length, subject, "beads", evidence=(shown,), nominal_mm=BEADS_APART_MM, height_hu=height, **common)


def _pair(
    image: NDArray[Any], center: tuple[float, float], spacing_mm: tuple[float, float]
) -> tuple[tuple[float, float], tuple[float, float], float] | None:
    """Two bright points 95 to 105 mm apart; the pair whose fainter point is the brightest."""
    from scipy import ndimage

    base = ndimage.gaussian_filter(image, [2.5 / s for s in spacing_mm])
    fine = ndimage.gaussian_filter(image, [0.4 / s for s in spacing_mm]) - base
    inside = inside_disc(image.shape, center, 75.0, spacing_mm)
    noise = 1.4826 * float(np.median(np.abs(fine[inside])))
    size = [max(3, int(4.0 / s) | 1) for s in spacing_mm]
    tops = np.argwhere((fine == ndimage.maximum_filter(fine, size)) & inside & (fine > max(7 * noise, 8.0)))
    tops = tops[np.argsort(-fine[tops[:, 0], tops[:, 1]])][:12]
    for second in range(1, len(tops)):
        for first in range(second):
            one, two = (tuple(float(v) for v in tops[k]) for k in (first, second))
            if abs(apart_mm(one, two, spacing_mm) - BEADS_APART_MM) < 5.0:  # type: ignore[arg-type]
                refined = [_peak(image - base, point, spacing_mm) for point in (one, two)]  # type: ignore[arg-type]
                return refined[0], refined[1], float(fine[tops[second][0], tops[second][1]])
    return None


def _peak(image: NDArray[Any], at: tuple[float, float], spacing_mm: tuple[float, float]) -> tuple[float, float]:
    """Centroid of a bright point within 1.6 mm, weights over the level of its surroundings."""
    center = at
    for _ in range(4):
        rows = np.arange(round(center[0] - 4 / spacing_mm[0]), round(center[0] + 4 / spacing_mm[0]) + 1)
        columns = np.arange(round(center[1] - 4 / spacing_mm[1]), round(center[1] + 4 / spacing_mm[1]) + 1)
        part = image[np.ix_(rows, columns)]
        y, x = (rows - center[0])[:, None] * spacing_mm[0], (columns - center[1])[None, :] * spacing_mm[1]
        far = np.hypot(y, x)
        weight = np.exp(-0.5 * (far / 0.8) ** 2) * np.maximum(part - np.median(part[far > 2.4]), 0)
        if weight.sum() <= 0:
            break
        # a Gaussian window pulls the centroid towards its middle; the iteration converges on the peak
        center = (
            center[0] + float((weight * y).sum() / weight.sum()) / spacing_mm[0],
            center[1] + float((weight * x).sum() / weight.sum()) / spacing_mm[1],
        )
    return center
