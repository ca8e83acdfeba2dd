"""Percent signal ghosting of slice 7."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from phantoms.acr_mri.byhand import SetRegionByHand, attempted
from phantoms.acr_mri.locate import Located, locate
from phantoms.acr_mri.placement import center_of, void_distance
from qc.check import Applies, Example, check
from qc.errors import Unmeasurable
from qc.measure import ghosting as measure
from qc.measure.air import corner_air, mean_square
from qc.measure.roi import inside_disc
from qc.picture import circle, picture
from qc.pixels import PixelAccess
from qc.results import Measurement, Metric, Result, Shape
from qc.study import Series

SOURCE = "ACR Large and Medium Phantom Test Guidance 10/19/2022, percent signal ghosting"
PSG = Metric("acr_mri.psg", "%", "Percent signal ghosting", "lower", SOURCE)

VOID_MARGIN_MM = 1.5


@dataclass(frozen=True)
class PsgParameters(SetRegionByHand):
    """Parameters: only what a person sets by hand."""


@check(
    id="acr_mri.psg",
    version=1,
    title="ACR MRI phantom: ghosting",
    level="series",
    needs="volume",
    applies=Applies(classes=frozenset({"phantom:acr_mri_large", "phantom:acr_mri_medium"})),
    metrics=(PSG,),
    params=PsgParameters,
    source=SOURCE,
    invariances=("file_order", "intensity_scale"),
    examples=(Example("acr_mri_large", {"ghost_amplitude": 0.02, "snr": 300.0}, values={"acr_mri.psg": (1.61, 0.03)}),),
    required=True,
)
def psg(series: Series, pixels: PixelAccess, params: PsgParameters) -> Iterator[Result]:
    """Difference between the air above and below and the air left and right of the phantom, over twice the signal of the water.

    Means of four regions of 10 cm2 (4:1, long side along the edge of the image) midway between phantom and image edge, and of the uniformity
    region in slice 7, fill plug and bubble left out. ``details`` hold the four ratios, because ghosts on all four sides cancel in
    the formula; the same freed from noise; the direction of phase encoding; and what noise alone gives (``noise_bias``).
    """
    for located in locate(series, pixels):
        region = located.region

        def one(located: Located = located, region: str = region) -> Measurement:
            return _psg(series, located, region, params)

        yield from attempted(PSG, series.subject(), region, one, **params.recorded())


def _psg(series: Series, located: Located, region: str, params: PsgParameters) -> Measurement:
    number = params.number(7)
    image, spacing, edge, frame = located.slice(number), located.spacing_mm, located.outline(number), located.frame(number)
    center = center_of(located, number, params.center_px)
    places = measure.air_ellipses(image.shape, center, edge.radius_mm, spacing)
    full = [name for name, place in places.items() if place is None]
    if full:
        raise Unmeasurable(
            "fov_too_small",
            f"the air region does not fit on the {' and '.join(full)} side; use a field of view of 250 mm and put the phantom in its middle",
            sides=full,
        )
    fitting = {name: place for name, place in places.items() if place is not None}
    radius = params.radius_mm(located.size.large_roi_mm)
    water = inside_disc(image.shape, center, radius, spacing)
    water &= void_distance(located, number, params.center_px) > VOID_MARGIN_MM
    signal = float(image[water].mean())
    air = mean_square(image, corner_air(image.shape, edge.center, edge.radius_mm, spacing))
    masks = {name: place.mask(image.shape, spacing) for name, place in fitting.items()}
    found = measure.percent_signal_ghosting(image, masks, signal, air)
    if found.zeros > 0.999:
        raise Unmeasurable("background_masked", "the air was set to zero by the scanner; ghosts cannot be seen", zeros=found.zeros)
    # in the usual view the phase axis may have been turned with the picture
    phase = str(frame.get("InPlanePhaseEncodingDirection") or "")
    axis = {"COL": "top-bottom", "ROW": "left-right"}.get(phase, "unknown")
    if located.view.quarter_turns % 2 and axis != "unknown":
        axis = "left-right" if axis == "top-bottom" else "top-bottom"
    shapes = [Shape("polygon", _ring(place, spacing), f"{name} {found.ratios[name]:.2f} %") for name, place in fitting.items()]
    shapes.append(circle(center, radius, spacing, f"signal {signal:.4g}"))
    shown = picture(
        image,
        f"Slice {number} ({frame.label}), ghosting {found.percent:.2f} %",
        tuple(shapes),
        spacing,
        caption="Window set on the air, so that ghosts can be seen.",
        window=(0.0, max(0.06, 0.025 * max(found.ratios.values())) * signal + 1e-6),
    )
    return PSG.value(
        found.percent,
        series.subject(),
        region,
        uncertainty=found.uncertainty,
        evidence=(shown,),
        ratios=found.ratios,
        amplitudes=found.amplitudes,
        noise_bias=found.noise_bias,
        zeros=found.zeros,
        signal=signal,
        phase_encoding=axis,
        image=frame.label,
        **params.recorded(),
    )


def _ring(place: measure.Ellipse, spacing: tuple[float, float]) -> tuple[tuple[float, float], ...]:
    angles = np.linspace(0.0, 2 * np.pi, 49)
    return tuple(
        (place.center[0] + place.down_mm * float(np.sin(a)) / spacing[0], place.center[1] + place.across_mm * float(np.cos(a)) / spacing[1])
        for a in angles
    )
