"""Slice position accuracy from the two bars in slices 1 and 11."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from phantoms.acr_mri.byhand import SetByHand, attempted
from phantoms.acr_mri.closeup import closeup
from phantoms.acr_mri.locate import Located, locate
from phantoms.acr_mri.placement import placement
from qc.check import Applies, Example, check
from qc.errors import Unmeasurable
from qc.measure.profile import Edges, Placement, rising_edges
from qc.measure.roi import Floats
from qc.pixels import PixelAccess
from qc.results import Evidence, Measurement, Metric, Result
from qc.study import Series

SOURCE = "ACR Large and Medium Phantom Test Guidance 10/19/2022, slice position accuracy"
BARS = Metric("acr_mri.bar_difference", "mm", "Bar length difference (slice position)", "target", SOURCE)

BESIDE_MM = (8.5, 13.0)  # from the middle of the bars: water beside them, the reference of full signal
STEP_MM = 0.25
CALIBRATION = 1.25  # scatter of the results on 240 synthetic phantoms over what the residuals of the fit alone say


@dataclass(frozen=True)
class PositionParameters(SetByHand):
    """Parameters.

    Attributes
    ----------
    reach_mm
        How far above and below their usual place the ends of the bars are looked for.
    largest_disagreement_mm
        Half levels and fit of the whole rises further apart than this (and than 4 standard uncertainties): no value is given.
    """

    reach_mm: float = 14.0
    largest_disagreement_mm: float = 1.0


@check(
    id="acr_mri.bar_difference",
    version=2,
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

    Each bar ends where the mean of its columns reaches half of its bright signal, against the water beside it. The rise is as long as the
    slice is thick (45 degree wedges). Both rises are fitted at once on the squared signal; that tells the height and where to look, and is
    the second estimate (``details.fitted``). Positive: the right bar is longer, the slice lies superior of its place.

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


def _ends(located: Located, number: int, place: Placement, params: PositionParameters) -> tuple[Edges, tuple[float, float]]:
    """Return where the left and the right bar end (y in mm of the plan), and x of the sides of the pair."""
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
    sides = [np.sqrt(np.clip(one - ground, 0.0, None)) for one in beside]
    shapes = [np.polyval(np.polyfit(y[usable], one[usable], 2), y) for one in sides]
    away = sum(BESIDE_MM) / 2  # of the middle of the water beside from the middle of the bars
    # columns whose pixels reach into the other bar would see the end of that
    apart = max(1.0, 1.5 * place.spacing_mm[1])
    ratios, starts = [], []
    for name, (start, stop) in {"left": (left + 1.5, middle - apart), "right": (middle + apart, right - 1.5)}.items():
        to_right = ((start + stop) / 2 - middle + away) / (2 * away)  # the water at the bar itself: between those beside
        shape = (1 - to_right) * shapes[0] + to_right * shapes[1]
        ratio = (_profile(squared, place, y, start, stop) - ground) / shape**2
        width = round(1.5 / STEP_MM) | 1
        smooth = np.convolve(ratio, np.ones(width) / width, mode="same")
        above = np.flatnonzero((smooth > 0.1) & usable & (y > end - params.reach_mm + 2.0))
        if len(above) == 0:
            raise Unmeasurable("bar_end_not_found", f"the end of the {name} bar was not found")
        ratios.append(ratio[usable])
        starts.append(float(y[above[0]]) + 1.0)
    edges = rising_edges(y[usable], (ratios[0], ratios[1]), (starts[0], starts[1]), _blur(place), max(place.spacing_mm) / STEP_MM * 1.5)
    if edges is None:
        raise Unmeasurable("bar_end_not_found", "the end of a bar lies where it cannot be seen; look at the picture")
    return edges, (left, right)


def _blur(place: Placement) -> float:
    """Return the width of the box that has the variance of pixel, linear interpolation and a usual point spread (0.35 mm) together."""
    pixel = place.spacing_mm[0]
    return float(np.sqrt(12 * (pixel**2 / 12 + pixel**2 / 6 + 0.35**2)))


def _difference(series: Series, located: Located, number: int, region: str, params: PositionParameters) -> Measurement:
    place = placement(located, number, params.roll_deg, params.center_px)
    edges, sides = _ends(located, number, place, params)
    value = edges.at[1] - edges.at[0]
    uncertainty = CALIBRATION * float(np.hypot(*edges.uncertainties))
    second = edges.fitted[1] - edges.fitted[0]
    if abs(second - value) > max(params.largest_disagreement_mm, 4 * uncertainty):
        raise Unmeasurable(
            "estimators_disagree", f"the half levels give {value:.2f} mm, the fit {second:.2f} mm", half_level=value, fitted=second
        )
    return BARS.value(
        value,
        series.subject(),
        region,
        uncertainty=uncertainty,
        evidence=(_shown(located, number, place, edges, sides, value),),
        displacement=value / 2,
        fitted=second,
        left_end=edges.at[0],
        right_end=edges.at[1],
        rise=list(edges.widths),
        roll_deg=place.roll_deg,
        mirrored=located.view.mirrored,
        image=located.frame(number).label,
        **params.recorded(),
    )


def _shown(located: Located, number: int, place: Placement, edges: Edges, sides: tuple[float, float], value: float) -> Evidence:
    end, middle = located.size.bar_end, sum(sides) / 2
    detail = closeup(located, number, place, (middle - 30.0, end - 34.0, middle + 30.0, end + 20.0))
    # the lines end at the sides of the bars, so that their ends can be seen
    shapes = [
        detail.line(((middle - 27.0, edges.at[0]), (sides[0] + 1.5, edges.at[0])), "left"),
        detail.line(((sides[1] - 1.5, edges.at[1]), (middle + 27.0, edges.at[1])), "right"),
    ]
    title = f"Slice {number} ({located.frame(number).label}), bar difference {value:+.2f} mm (right less left)"
    return detail.shown(title, shapes, caption="The lines are where the bars end.")
