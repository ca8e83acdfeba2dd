"""Slice thickness from the two crossed ramps in slice 1."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phantoms.acr_mri.byhand import SetByHand, attempted
from phantoms.acr_mri.closeup import closeup
from phantoms.acr_mri.locate import Located, locate
from phantoms.acr_mri.placement import noise_square, placement, slot
from qc.check import Applies, Example, check
from qc.errors import Unmeasurable
from qc.measure.profile import Placement, Plateau, ground_signal, plateau
from qc.measure.ramp_pair import RampPair, ramp_pair
from qc.measure.roi import Floats
from qc.pixels import PixelAccess
from qc.results import CurveEvidence, Evidence, Measurement, Metric, Result
from qc.study import Series

SOURCE = "ACR Large and Medium Phantom Test Guidance 10/19/2022, slice thickness accuracy"
THICKNESS = Metric("acr_mri.thickness", "mm", "Slice thickness", "target", SOURCE)

RAMP_MIDDLE_MM = {"upper": -2.5, "lower": 2.5}  # from the middle of the slot
NOMINAL_MM = 5.0
CALIBRATION = 1.4  # scatter of the results on 240 synthetic phantoms over what the residuals of the fit alone say
CORRELATED = 1.5  # samples along a ramp that carry the information of one: they are interpolated


@dataclass(frozen=True)
class ThicknessParameters(SetByHand):
    """Parameters.

    Attributes
    ----------
    largest_ratio
        Longer over shorter ramp beyond which the phantom is tilted too much (2 is a tilt of 2 degrees).
    largest_disagreement_mm
        Fit of both ramps and half levels further apart than this (and than 4 standard uncertainties): no value is given.
    """

    largest_ratio: float = 2.0
    largest_disagreement_mm: float = 0.7


@check(
    id="acr_mri.thickness",
    version=2,
    title="ACR MRI phantom: slice thickness",
    level="series",
    needs="volume",
    applies=Applies(classes=frozenset({"phantom:acr_mri_large", "phantom:acr_mri_medium"})),
    metrics=(THICKNESS,),
    params=ThicknessParameters,
    source=SOURCE,
    invariances=("file_order", "intensity_scale", "rescale"),
    examples=(
        Example("acr_mri_large", {"thickness_mm": 5.0}, values={"acr_mri.thickness": (5.0, 0.1)}),
        Example("acr_mri_medium", {"thickness_mm": 5.4, "tilt_deg": 1.0}, values={"acr_mri.thickness": (5.398, 0.1)}),
    ),
    required=True,
)
def thickness(series: Series, pixels: PixelAccess, params: ThicknessParameters) -> Iterator[Result]:
    """Thickness = 0.2 L1 L2 / (L1 + L2) from the half-level lengths of the two ramps (slope 1:10).

    Two trapezoids of one shape (the slice has one profile) are fitted to both ramps at once: half of their height lies halfway between ramp
    and dark slot. All is done on the squared signal, from which the mean square of the noise can be taken away exactly; what the slot has
    beyond noise (ringing, plastic that gives signal) counts as ground. ``details`` hold both lengths, and as the second estimate
    (``half_level``) the thickness from the place on each end where the signal is half of that in the middle of the ramp.

    Worked number: lengths of 42.50 and 60.68 mm, which a tilt of 1 degree makes of 50 and 50, give 4.9985 mm.
    """
    for located in locate(series, pixels):
        region = located.region

        def one(located: Located = located, region: str = region) -> Measurement:
            return _thickness(series, located, region, params)

        yield from attempted(THICKNESS, series.subject(), region, one, **params.recorded())


def formula(upper: float, lower: float) -> float:
    """Return the thickness from two ramp lengths: 59.5 and 47.2 mm give 5.26 mm."""
    return 0.2 * upper * lower / (upper + lower)


def ramp_profiles(located: Located, number: int, place: Placement, middle_mm: float) -> tuple[Floats, dict[str, Floats]]:
    """Return x in mm and the mean squared signal along each ramp."""
    dy, dx = located.spacing_mm
    half = located.size.slot_half_mm - 5.0
    x = np.arange(-half, half, dx)
    squared = np.asarray(located.slice(number), float) ** 2
    profiles = {}
    # rows whose pixels reach into the other ramp or the walls of the slot would mix signals of other heights
    # (a sample sees its neighbours by interpolation, each of them its own height, and half a mm of blur)
    inner = min(max(0.9, 1.5 * dy - 0.25), 1.9)
    outer = max(min(4.2, 5.0 - 1.5 * dy), inner + 1.0)
    for name, side in (("upper", -1.0), ("lower", 1.0)):
        top, bottom = sorted((side * inner, side * outer))
        y = np.linspace(top, bottom, max(4, int((bottom - top) / dy * 2))) + middle_mm
        profiles[name] = np.nanmean(place.sample(squared, x, y), axis=0)
    return x, profiles


def measured_ramp(x: Floats, squared: Floats, noise2: float | None) -> tuple[Plateau, NDArray[np.bool_]] | None:
    """Measure one ramp alone, and tell what is ground: first the dark ends of the slot, then everything outside the ramp."""
    ends = [x < 0.8 * x.min(), x > 0.8 * x.max()]
    # a displaced slice moves the ramps towards one end: then only the other end is ground
    levels = [float(squared[end].mean()) for end in ends]
    dark = ends[0] | ends[1] if max(levels) <= 2 * min(levels) else ends[int(np.argmin(levels))]
    found = None
    for _ in range(2):
        if dark.sum() < 8:
            break
        found = plateau(x, squared, dark, 10 * NOMINAL_MM, CORRELATED, noise2)
        if found is None:
            return None
        dark = np.abs(x - found.center) > found.length / 2 + found.edge / 2 + 5.0
    return (found, dark) if found is not None and dark.sum() >= 8 else None


def both_ramps(
    x: Floats, profiles: dict[str, Floats], found: dict[str, tuple[Plateau, NDArray[np.bool_]]], noise2: float | None
) -> RampPair:
    """Fit both ramps at once, each above its own dark ground."""
    names = list(profiles)
    dark = [profiles[name][found[name][1]] for name in names]
    levels = np.array([part.mean() for part in dark])
    errors = np.array([part.std() * np.sqrt(CORRELATED / len(part)) for part in dark])
    ground = ground_signal(float(levels.mean()) - noise2, float(np.hypot(*errors)) / 2) if noise2 is not None else 0.0
    squared = (profiles[names[0]] - levels[0], profiles[names[1]] - levels[1])
    return ramp_pair(x, squared, ground, (found[names[0]][0], found[names[1]][0]), CORRELATED)


def _thickness(series: Series, located: Located, region: str, params: ThicknessParameters) -> Measurement:
    number = params.number(1)
    place = placement(located, number, params.roll_deg, params.center_px)
    middle = slot(located).y_mm
    x, profiles = ramp_profiles(located, number, place, middle)
    noise2 = noise_square(located, number)
    found = {}
    for name, profile in profiles.items():
        ramp = measured_ramp(x, profile, noise2)
        if ramp is None:
            raise Unmeasurable("ramps_not_visible", f"the {name} ramp does not rise out of the noise of the slot")
        found[name] = ramp
    pair = both_ramps(x, profiles, found, noise2)
    upper, lower = (float(length) for length in pair.lengths)
    facts = {"upper_mm": upper, "lower_mm": lower}
    ratio = max(upper, lower) / min(upper, lower)
    if ratio > params.largest_ratio:
        raise Unmeasurable(
            "phantom_tilted",
            f"the ramps are {upper:.1f} and {lower:.1f} mm long: the phantom is tilted too much about its vertical axis; level it",
            **facts,
        )
    value = formula(upper, lower)
    gradient = 0.2 * np.array([lower, upper]) ** 2 / (upper + lower) ** 2
    uncertainty = CALIBRATION * float(np.sqrt(gradient @ pair.covariance @ gradient))
    second = formula(found["upper"][0].length, found["lower"][0].length)
    if abs(second - value) > max(params.largest_disagreement_mm, 4 * uncertainty):
        raise Unmeasurable(
            "estimators_disagree",
            f"the fit of both ramps gives {value:.2f} mm, their half levels {second:.2f} mm",
            **facts,
            fitted=value,
            half_level=second,
        )
    if not 0.2 * NOMINAL_MM <= value <= 3 * NOMINAL_MM:
        raise Unmeasurable("thickness_implausible", f"the ramps give {value:.1f} mm", **facts)
    return THICKNESS.value(
        value,
        series.subject(),
        region,
        uncertainty=uncertainty,
        evidence=_shown(located, number, place, middle, x, profiles, pair, value),
        half_level=second,
        slope_share=pair.slope_share,
        tilt_deg=_tilt_deg(upper, lower),
        roll_deg=place.roll_deg,
        image=located.frame(number).label,
        **facts,
        **params.recorded(),
    )


def _tilt_deg(upper: float, lower: float) -> float:
    """Tilt about the vertical axis from the two lengths: tan(slope + tilt) / tan(slope - tilt) = lower / upper."""
    slope = np.arctan(0.1)
    return float(np.degrees(np.arcsin((lower - upper) / (lower + upper) * np.sin(2 * slope)) / 2))


def _shown(
    located: Located, number: int, place: Placement, middle: float, x: Floats, profiles: dict[str, Floats], pair: RampPair, value: float
) -> tuple[Evidence, ...]:
    ramps = {name: (float(pair.centers[at]), float(pair.lengths[at]), float(pair.heights[at])) for at, name in enumerate(RAMP_MIDDLE_MM)}
    detail = closeup(located, number, place, (-85.0, middle - 24.0, 85.0, middle + 24.0))
    shapes = []
    for name, (center, length, _) in ramps.items():
        start, end = center - length / 2, center + length / 2
        near, far = (-4.75, -7.0) if name == "upper" else (14.0, 16.5)  # the labels stand above the lines, outside the slot
        corners = ((start, middle + near), (start, middle + far), (end, middle + far), (end, middle + near))
        shapes.append(detail.line(corners, f"{name} {length:.1f} mm"))
    bright = max(height for _, _, height in ramps.values())
    title = f"Slice {number} ({located.frame(number).label}), ramps: thickness {value:.2f} mm"
    shown = detail.shown(title, shapes, (0.0, 1.5 * bright), "Window set on the ramps, as the ACR guidance asks.")
    curves = {name: (x.tolist(), (np.sqrt(profiles[name]) / height).tolist()) for name, (_, _, height) in ramps.items()}
    ends_mm = {
        f"{name} {word}": center + side * length / 2
        for name, (center, length, _) in ramps.items()
        for word, side in (("start", -1), ("end", 1))
    }
    return shown, CurveEvidence(title, curves, "mm along the slot", "signal / height of the ramp", ends_mm)
