"""Percent integral uniformity of slice 7."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phantoms.acr_mri.byhand import SetRegionByHand, attempted
from phantoms.acr_mri.locate import Located, locate
from phantoms.acr_mri.placement import center_of, void_distance
from qc.check import Applies, Example, check
from qc.errors import Unmeasurable
from qc.measure import uniformity as measure
from qc.measure.noise import immerkaer
from qc.measure.roi import Floats, inside_disc
from qc.picture import circle, picture
from qc.pixels import PixelAccess
from qc.results import Measurement, Metric, Result
from qc.study import Series

PIU = Metric(
    "acr_mri.piu",
    "%",
    "Percent integral uniformity",
    "higher",
    "ACR Large and Medium Phantom Test Guidance 10/19/2022, image intensity uniformity",
)


@dataclass(frozen=True)
class PiuParameters(SetRegionByHand):
    """Parameters.

    Attributes
    ----------
    shift_mm
        How far the large region is moved to see how much the result depends on its place.
    void_margin_mm
        By how much the dark of fill plug and bubble is widened before it excludes small regions.
    """

    shift_mm: float = 3.0
    void_margin_mm: float = 1.5


@check(
    id="acr_mri.piu",
    version=1,
    title="ACR MRI phantom: image intensity uniformity",
    level="series",
    needs="volume",
    applies=Applies(classes=frozenset({"phantom:acr_mri_large", "phantom:acr_mri_medium"})),
    metrics=(PIU,),
    params=PiuParameters,
    source="ACR Large and Medium Phantom Test Guidance 10/19/2022, image intensity uniformity",
    invariances=("file_order", "intensity_scale", "rescale"),
    examples=(
        Example("acr_mri_large", {"shading_per_mm": 0.001}, values={"acr_mri.piu": (92.585, 0.5)}),
        Example("acr_mri_medium", {"shading_per_mm": 0.001}, values={"acr_mri.piu": (93.428, 0.5)}),
    ),
    required=True,
)
def piu(series: Series, pixels: PixelAccess, params: PiuParameters) -> Iterator[Result]:
    """Highest and lowest mean of a 1 cm2 disc inside the 200 cm2 (medium: 160 cm2) region of slice 7.

    The large region is centred on the circle fitted to the phantom's edge, without shift. Small discs that touch the fill
    plug or a bubble, found as dark and widened by 1.5 mm, are not used. ``details`` hold how far the result moves with the region
    (``placement``) and by how much noise lowers it by its own definition (``noise_bias``).

    Worked number: a signal that changes by 0.1 % a mm gives 100 (1 - 0.001 (79.79 - 5.64)) = 92.585 % on the large phantom.
    """
    for located in locate(series, pixels):

        def one(located: Located = located) -> Measurement:
            return _one(series, located, params)

        yield from attempted(PIU, series.subject(), located.region, one, **params.recorded())


def _one(series: Series, located: Located, params: PiuParameters) -> Measurement:
    spacing, number = located.spacing_mm, params.number(7)
    image, frame, disc = located.slice(number), located.frame(number), located.outline(number)
    center, radius = center_of(located, number, params.center_px), params.radius_mm(located.size.large_roi_mm)
    distance = void_distance(located, number, params.center_px)
    void, forbidden = distance <= params.void_margin_mm, distance <= params.void_margin_mm + measure.SMALL_RADIUS_MM
    means = measure.small_disc_means(image, spacing)
    result = measure.percent_integral_uniformity(means, center, radius, spacing, forbidden)
    if result is None:
        raise Unmeasurable("region_does_not_fit", "no place is left for the 1 cm2 regions", image=frame.label)
    placement = _placement(means, center, radius, spacing, forbidden, result.percent, params.shift_mm)
    inside = inside_disc(image.shape, center, radius, spacing) & ~void
    signal, sigma = float(image[inside].mean()), immerkaer(image, inside)
    bias = measure.noise_bias(sigma, signal, spacing)
    evidence = picture(
        image,
        f"Slice {number} ({frame.label}), PIU {result.percent:.1f} %",
        (
            circle(disc.center, disc.radius_mm, spacing, "edge found", "found"),
            circle(center, radius, spacing, "large region"),
            circle(result.highest_at, measure.SMALL_RADIUS_MM, spacing, f"highest {result.highest:.4g}"),
            circle(result.lowest_at, measure.SMALL_RADIUS_MM, spacing, f"lowest {result.lowest:.4g}", "problem"),
        ),
        spacing,
    )
    return PIU.value(
        result.percent,
        series.subject(),
        located.region,
        uncertainty=float(np.hypot(placement / np.sqrt(3.0), bias / 2)),
        evidence=(evidence,),
        image=frame.label,
        highest=result.highest,
        lowest=result.lowest,
        placement=placement,
        noise_bias=bias,
        center_px=list(center),
        diameter_mm=2 * disc.radius_mm,
        region_radius_mm=radius,
        void_found=bool(void.any()),
        void_cm2=float(void.sum() * spacing[0] * spacing[1] / 100),
        echo_time_ms=located.echo,
        **params.recorded(),
    )


def _placement(
    means: Floats,
    center: tuple[float, float],
    radius_mm: float,
    spacing_mm: tuple[float, float],
    forbidden: NDArray[np.bool_],
    percent: float,
    shift_mm: float,
) -> float:
    """Largest change of the result when the large region moves by `shift_mm` up, down, left or right."""
    moved = []
    for up, right in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        at = (center[0] + up * shift_mm / spacing_mm[0], center[1] + right * shift_mm / spacing_mm[1])
        result = measure.percent_integral_uniformity(means, at, radius_mm, spacing_mm, forbidden)
        if result is not None:
            moved.append(abs(result.percent - percent))
    return max(moved, default=0.0)
