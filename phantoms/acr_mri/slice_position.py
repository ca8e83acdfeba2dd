"""Slice position accuracy from the two bars in slices 1 and 11."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from phantoms.acr_mri.byhand import SetByHand, attempted
from phantoms.acr_mri.locate import Located, locate
from phantoms.acr_mri.placement import placement
from qc.check import Applies, Example, check
from qc.errors import Unmeasurable
from qc.measure.profile import Edge, Placement, rising_edge
from qc.measure.roi import Floats
from qc.picture import picture
from qc.pixels import PixelAccess
from qc.results import Evidence, Measurement, Metric, Result, Shape
from qc.study import Series

SOURCE = "ACR Large and Medium Phantom Test Guidance 10/19/2022, slice position accuracy"
BARS = Metric("acr_mri.bar_difference", "mm", "Bar length difference (slice position)", "target", SOURCE)

BESIDE_MM = (8.5, 13.0)  # from the middle of the bars: water beside them, the reference of full signal
STEP_MM = 0.25


@dataclass(frozen=True)
class PositionParameters(SetByHand):
    """Parameters.

    Attributes
    ----------
    reach_mm
        How far above and below their usual place the ends of the bars are looked for.
    largest_disagreement_mm
        Fit and direct crossing further apart than this (and than 4 standard uncertainties): no value is given.
    """

    reach_mm: float = 14.0
    largest_disagreement_mm: float = 1.0


@check(
    id="acr_mri.bar_difference",
    version=1,
    title="ACR MRI phantom: slice position",
    level="series",
    needs="volume",
    applies=Applies(classes=frozenset({"phantom:acr_mri_large", "phantom:acr_mri_medium"})),
    metrics=(BARS,),
    params=PositionParameters,
    source=SOURCE,
    invariances=("file_order", "intensity_scale", "rescale"),
    examples=(
        Example(
            "acr_mri_large",
            {"displacement_mm": (1.5, -2.0)},
            values={"acr_mri.bar_difference@slice1": (3.0, 0.2), "acr_mri.bar_difference@slice11": (-4.0, 0.2)},
        ),
        Example("acr_mri_medium", {}, values={"acr_mri.bar_difference@slice1": (0.0, 0.2)}),
    ),
    required=True,
)
def bar_difference(series: Series, pixels: PixelAccess, params: PositionParameters) -> Iterator[Result]:
    """Length of the observer's right bar less the left one, in slices 1 and 11; the slice is displaced by half of it.

    Each bar ends where the mean of its columns reaches half of the water beside it. The rise is as long as the slice is thick (45
    degree wedges); it is fitted on the squared signal. Positive: the right bar is longer, the slice lies superior of its place.

    Worked number: a displacement of 1.5 mm gives 3.0 mm.
    """
    for located in locate(series, pixels):
        for usual in (1, 11):
            region = located.named(f"slice{usual}")

            def one(located: Located = located, usual: int = usual, region: str = region) -> Measurement:
                return _difference(series, located, params.number(usual), region, params)

            yield from attempted(BARS, series.subject(), region, one, **params.recorded())


def _sides(located: Located, squared: Floats, place: Placement) -> tuple[float, float]:
    """Return x of the left and the right side of the pair of bars, where both are dark."""
    end = located.size.bar_end
    x = np.arange(-16.0, 16.01, STEP_MM)
    signal = np.sqrt(np.nanmean(place.sample(squared, x, np.arange(end - 13.0, end - 8.0, 0.5)), axis=0))
    middle, outer = np.abs(x) < 2.0, np.abs(x) > 10.0
    dark, bright = float(np.nanmedian(signal[middle])), float(np.nanmedian(signal[outer]))
    if not bright > 2 * dark:
        raise Unmeasurable("bars_not_found", "the position bars were not found at the top of the phantom")
    low = signal < (dark + bright) / 2
    start = int(np.argmin(np.abs(x)))
    left, right = start, start
    while left > 0 and low[left - 1]:
        left -= 1
    while right + 1 < len(x) and low[right + 1]:
        right += 1
    if not 8.0 <= x[right] - x[left] <= 16.0:
        raise Unmeasurable("bars_not_found", f"the dark bars are {x[right] - x[left]:.1f} mm wide together, not 12 mm")
    return float(x[left]), float(x[right])


def _profile(squared: Floats, place: Placement, y: Floats, left: float, right: float) -> Floats:
    columns = max(4, int((right - left) / max(place.spacing_mm) * 2))
    return np.asarray(np.nanmean(place.sample(squared, np.linspace(left, right, columns), y), axis=1))


def _ends(located: Located, number: int, place: Placement, params: PositionParameters) -> tuple[dict[str, Edge], tuple[float, float]]:
    squared = np.asarray(located.slice(number), float) ** 2
    left, right = _sides(located, squared, place)
    middle = (left + right) / 2
    end = located.size.bar_end
    y = np.arange(end - params.reach_mm, end + params.reach_mm, STEP_MM)
    ground = float(np.mean(_profile(squared, place, y[y < end - 9.0], left + 1.5, right - 1.5)))
    beside = [_profile(squared, place, y, middle + side * BESIDE_MM[side < 0], middle + side * BESIDE_MM[side > 0]) for side in (-1, 1)]
    water = np.sqrt(np.clip((beside[0] + beside[1]) / 2 - ground, 0.0, None))
    # below the bars of slice 11 comes the dark ring of the low-contrast insert; it ends the usable part
    full = float(np.median(water[y < end]))
    dim = np.flatnonzero(water < 0.75 * full)
    usable = y < (float(y[dim[0]]) if len(dim) else float(y[-1])) - 1.5
    if y[usable].max(initial=-np.inf) < end + 1.0:
        raise Unmeasurable("bars_not_found", "too little water below the ends of the bars")
    shape = np.polyval(np.polyfit(y[usable], water[usable], 2), y)
    edges = {}
    spread = max(place.spacing_mm) / STEP_MM * 1.5
    for name, (start, stop) in {"left": (left + 1.5, middle - 1.0), "right": (middle + 1.0, right - 1.5)}.items():
        ratio = (_profile(squared, place, y, start, stop) - ground) / shape**2
        width = round(1.5 / STEP_MM) | 1
        smooth = np.convolve(ratio, np.ones(width) / width, mode="same")
        above = np.flatnonzero((smooth > 0.25) & usable & (y > end - params.reach_mm + 2.0))
        if len(above) == 0:
            raise Unmeasurable("bar_end_not_found", f"the end of the {name} bar was not found")
        edge = rising_edge(y[usable], ratio[usable], float(y[above[0]]), spread)
        if edge is None:
            raise Unmeasurable("bar_end_not_found", f"the end of the {name} bar was not found")
        edges[name] = edge
    return edges, (left, right)


def _difference(series: Series, located: Located, number: int, region: str, params: PositionParameters) -> Measurement:
    place = placement(located, number, params.roll_deg, params.center_px)
    edges, sides = _ends(located, number, place, params)
    value = edges["right"].at - edges["left"].at
    uncertainty = float(np.hypot(edges["right"].uncertainty, edges["left"].uncertainty))
    crossings = [edges[name].crossing for name in ("right", "left")]
    second = crossings[0] - crossings[1] if crossings[0] is not None and crossings[1] is not None else None
    if second is not None and abs(second - value) > max(params.largest_disagreement_mm, 4 * uncertainty):
        raise Unmeasurable(
            "estimators_disagree", f"the fit gives {value:.2f} mm, the half-level crossings {second:.2f} mm", fit=value, crossings=second
        )
    return BARS.value(
        value,
        series.subject(),
        region,
        uncertainty=uncertainty,
        evidence=(_shown(located, number, place, edges, sides, value),),
        displacement=value / 2,
        crossings=second,
        left_end=edges["left"].at,
        right_end=edges["right"].at,
        rise=[edges["left"].width, edges["right"].width],
        roll_deg=place.roll_deg,
        mirrored=located.view.mirrored,
        image=located.frame(number).label,
        **params.recorded(),
    )


def _shown(located: Located, number: int, place: Placement, edges: dict[str, Edge], sides: tuple[float, float], value: float) -> Evidence:
    middle = sum(sides) / 2
    spans = {"left": (sides[0] - 3.0, middle), "right": (middle, sides[1] + 3.0)}
    shapes = tuple(
        Shape("line", (place.point(start, edges[name].at), place.point(stop, edges[name].at)), f"{name} bar ends", "measured")
        for name, (start, stop) in spans.items()
    )
    return picture(
        located.slice(number), f"Slice {number} ({located.frame(number).label}), bar difference {value:+.2f} mm", shapes, located.spacing_mm
    )
