"""High-contrast resolution: the hole arrays of slice 1."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from phantoms.acr_mri.byhand import SetByHand, attempted
from phantoms.acr_mri.locate import Located, locate
from phantoms.acr_mri.placement import noise_in_water, placement, slot
from phantoms.acr_mri.plan import FIRST_HOLE_Y
from qc.check import Applies, Example, check
from qc.errors import Unmeasurable
from qc.measure.profile import Placement
from qc.measure.resolution import Comb, best_comb
from qc.measure.roi import Floats
from qc.picture import picture
from qc.pixels import PixelAccess
from qc.results import Evidence, Measurement, Metric, Result, Shape
from qc.study import Series

SOURCE = "ACR Large and Medium Phantom Test Guidance 10/19/2022, high-contrast spatial resolution"
RESOLUTION = Metric("acr_mri.resolution", "mm", "Smallest holes resolved", "lower", SOURCE)

KINDS = ("rows", "columns")
FINE_MM = 0.1


@dataclass(frozen=True)
class ResolutionParameters(SetByHand):
    """Parameters.

    Attributes
    ----------
    least_modulation
        Depth of the valleys between holes, as a part of the height of the holes over the ground, from which they count as separate; ours,
        to be checked against local readers.
    noise_factor
        Valleys must lie this many noise SDs below both their neighbours.
    reach_mm
        How far the arrays may lie from their place in the plan.
    """

    least_modulation: float = 0.1
    noise_factor: float = 2.0
    reach_mm: float = 3.0


@check(
    id="acr_mri.resolution",
    version=1,
    title="ACR MRI phantom: high-contrast resolution",
    level="series",
    needs="volume",
    applies=Applies(classes=frozenset({"phantom:acr_mri_large", "phantom:acr_mri_medium"})),
    metrics=(RESOLUTION,),
    params=ResolutionParameters,
    source=SOURCE,
    invariances=("file_order", "intensity_scale", "rescale"),
    examples=(
        Example("acr_mri_large", {"matrix": 512}, values={"acr_mri.resolution@rows": (0.9, 0.0), "acr_mri.resolution@columns": (0.9, 0.0)}),
    ),
    required=True,
)
def resolution(series: Series, pixels: PixelAccess, params: ResolutionParameters) -> Iterator[Result]:
    """Smallest hole diameter at which four holes of a row (upper left arrays) or column (lower right arrays) are separate.

    Separate: four peaks at the pitch of the array (within 20 %), each of the three valleys between them lower than both its
    neighbours by two noise SDs, mean depth at least 10 % of the height of the holes. One such row is enough. An array counts only if all with
    larger holes are resolved too. No value (``nothing_resolved``) where not even the largest is.
    """
    for located in locate(series, pixels):
        for kind in KINDS:
            region = located.named(kind)

            def one(located: Located = located, kind: str = kind, region: str = region) -> Measurement:
                return _resolution(series, located, kind, region, params)

            yield from attempted(RESOLUTION, series.subject(), region, one, **params.recorded())


def _block(
    located: Located, place: Placement, kind: str, diameter: float, first_x: float, shift: tuple[float, float], reach: float
) -> Floats:
    """Return one array, finely sampled, with its rows (for ``columns``: its columns) along the second axis."""
    pitch = 2 * diameter
    corner_x, corner_y = (first_x, FIRST_HOLE_Y) if kind == "rows" else (first_x + 3.3 * pitch, FIRST_HOLE_Y + 3 * pitch)
    margin = 0.8 * pitch + reach
    x = np.arange(corner_x - margin, corner_x + 3.3 * pitch + margin, FINE_MM) + shift[0]
    y = np.arange(corner_y - margin, corner_y + 3.3 * pitch + margin, FINE_MM) + shift[1]
    image = located.slice(1)
    values = place.sample(image, x, y, order=3)
    return values if kind == "rows" else values.T


def _shift(located: Located, place: Placement, reach: float) -> tuple[float, float]:
    """Return how far the arrays lie from the plan (x, y): where the bright patches of all arrays together fit best."""
    x = np.arange(-reach, reach + 0.1, 0.5)
    total = np.zeros((len(x), len(x)))
    for diameter, first_x in located.size.holes:
        pitch = 2 * diameter
        for corner_x, corner_y in ((first_x, FIRST_HOLE_Y), (first_x + 3.3 * pitch, FIRST_HOLE_Y + 3 * pitch)):
            side = 3.15 * pitch + diameter
            axis = np.arange(-reach - 2.0, side + reach + 2.0, 0.5) - diameter / 2
            values = place.sample(located.slice(1), corner_x + axis, corner_y + axis)
            summed = np.pad(np.nan_to_num(values), ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
            start = int(np.argmax(axis >= -diameter / 2 - 1e-9))
            wide = int(np.floor(side / 0.5)) + 1
            first = start + np.round(x / 0.5).astype(int)
            low, high = first, first + wide
            boxes = summed[np.ix_(high, high)] - summed[np.ix_(low, high)] - summed[np.ix_(high, low)] + summed[np.ix_(low, low)]
            total += boxes / (float(np.nanmax(values)) or 1.0)
    row, column = np.unravel_index(int(total.argmax()), total.shape)
    return float(x[column]), float(x[row])


def _resolution(series: Series, located: Located, kind: str, region: str, params: ResolutionParameters) -> Measurement:
    number = params.number(1)
    found = slot(located)
    place = placement(located, number, params.roll_deg, params.center_px)
    shift = located.kept("array_shift", lambda: _shift(located, place, params.reach_mm))
    sigma = noise_in_water(located)
    combs: dict[float, Comb] = {}
    for diameter, first_x in located.size.holes:
        block = _block(located, place, kind, diameter, first_x, shift, 1.0)
        combs[diameter] = best_comb(block, FINE_MM, 2 * diameter, sigma, params.noise_factor, params.least_modulation)
    smallest = None
    for diameter in sorted(combs, reverse=True):
        if not combs[diameter].resolved:
            break
        smallest = diameter
    facts = {
        "modulation": {f"{diameter:g}": comb.modulation for diameter, comb in combs.items()},
        "resolved": {f"{diameter:g}": comb.resolved for diameter, comb in combs.items()},
        "shift_mm": list(shift),
        "noise": sigma,
    }
    if smallest is None:
        raise Unmeasurable("nothing_resolved", f"no row of four holes of {max(combs):g} mm could be told apart", **facts)
    return RESOLUTION.value(
        smallest,
        series.subject(),
        region,
        evidence=(_shown(located, number, place, shift, kind, combs),),
        roll_deg=found.roll_deg,
        image=located.frame(number).label,
        **facts,
        **params.recorded(),
    )


def _shown(located: Located, number: int, place: Placement, shift: tuple[float, float], kind: str, combs: dict[float, Comb]) -> Evidence:
    """The insert, enlarged, with the arrays that were resolved."""
    left, top, step = -30.0, FIRST_HOLE_Y - 8.0, 0.2
    x, y = np.arange(left, left + 84.0, step), np.arange(top, top + 36.0, step)
    sampled = located.kept(f"enlarged{number}{place}{shift}", lambda: place.sample(located.slice(number), x, y, order=3))
    enlarged = np.nan_to_num(sampled)
    shapes = []
    for diameter, first_x in located.size.holes:
        pitch = 2 * diameter
        corner = (first_x, FIRST_HOLE_Y) if kind == "rows" else (first_x + 3.3 * pitch, FIRST_HOLE_Y + 3 * pitch)
        x0, y0 = corner[0] + shift[0] - pitch / 2, corner[1] + shift[1] - pitch / 2
        side = 4.3 * pitch
        corners = [(x0, y0), (x0 + side, y0), (x0 + side, y0 + side), (x0, y0 + side), (x0, y0)]
        comb = combs[diameter]
        label = f"{diameter:g}: {comb.modulation:.2f}"
        shapes.append(
            Shape(
                "polygon", tuple(((b - top) / step, (a - left) / step) for a, b in corners), label, "found" if comb.resolved else "problem"
            )
        )
    bright = float(np.percentile(enlarged[30:150, 40:], 99.5))
    return picture(
        enlarged,
        f"Slice {number} ({located.frame(number).label}), hole arrays, {kind}",
        tuple(shapes),
        (step, step),
        caption="Diameter of the holes in mm: modulation.",
        window=(0.0, max(bright, 1e-6)),
    )
