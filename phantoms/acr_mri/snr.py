"""Signal-to-noise ratio of slice 7 from one image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phantoms.acr_mri.byhand import SetByHand, attempted
from phantoms.acr_mri.locate import Located, locate
from phantoms.acr_mri.placement import center_of, void_distance
from phantoms.uniform import normalised
from qc.check import Applies, Example, check
from qc.errors import Unmeasurable
from qc.measure import noise
from qc.measure.air import corner_air
from qc.measure.roi import inside_disc
from qc.picture import circle, picture
from qc.pixels import PixelAccess
from qc.results import Measurement, Metric, Result
from qc.study import Series

SNR = Metric("acr_mri.snr", "1", "Signal-to-noise ratio, slice 7", "higher", "NEMA MS 1 method 4; smoothed-image subtraction (McCann 2013)")

RAYLEIGH_SPREAD = 1.06  # the SD of Rayleigh noise scatters more than that of Gaussian noise: sqrt((kurtosis - 1) / 2), kurtosis 3.245
SHARE = 0.75  # of the area of the section (NEMA MS 1)


@dataclass(frozen=True)
class SnrParameters(SetByHand):
    """Parameters.

    Attributes
    ----------
    coils
        Channels combined by root sum of squares: sets the constants of the background method.
    kernel_px
        Side of the smoothing kernel; 9 for a head coil, 25 for a body coil.
    largest_correlation
        Neighbouring pixels correlated more than this: noise methods that look at neighbours are not used.
    fewest_air_pixels
        Pixels of air needed.
    """

    coils: int = 1
    kernel_px: int = 9
    largest_correlation: float = 0.15
    fewest_air_pixels: int = 200


@check(
    id="acr_mri.snr",
    version=1,
    title="ACR MRI phantom: signal-to-noise ratio",
    level="series",
    needs="volume",
    applies=Applies(classes=frozenset({"phantom:acr_mri_large", "phantom:acr_mri_medium"})),
    metrics=(SNR,),
    params=SnrParameters,
    source="NEMA MS 1; McCann et al. 2013",
    invariances=("file_order", "intensity_scale"),
    examples=(Example("acr_mri_large", {"snr": 100.0}, values={"acr_mri.snr@nema4": (100.0, 5.0), "acr_mri.snr@smoothing": (100.0, 4.0)}),),
)
def snr(series: Series, pixels: PixelAccess, params: SnrParameters) -> Iterator[Result]:
    """Signal of the water over the noise of one channel, by each method that the image allows; the region names the method.

    nema4: noise from the air in the corners, SD / 0.655. Not given where more than 1 % of the air is exactly zero or where
    mean / SD is more than 5 % off that of Rayleigh noise. smoothing: SD of the image less its 9 x 9 mean. Not given where neighbouring pixels
    are correlated (interpolated, filtered), it would read too high. Signal: mean of 75 % of the section without plug and bubble, freed from the Rician bias.
    """
    for located in locate(series, pixels):
        for name, method in (("nema4", _background), ("smoothing", _smoothing)):
            region = located.named(name)

            def one(located: Located = located, method: Any = method, region: str = region) -> Measurement:
                return method(series, located, region, params)  # type: ignore[no-any-return]

            yield from attempted(SNR, series.subject(), region, one, **params.recorded())


def _water(located: Located, number: int, params: SnrParameters) -> NDArray[np.bool_]:
    image, edge = located.slice(number), located.outline(number)
    center = center_of(located, number, params.center_px)
    inside = inside_disc(image.shape, center, float(np.sqrt(SHARE)) * edge.radius_mm, located.spacing_mm)
    return np.asarray(inside & (void_distance(located, number, params.center_px) > 5.0))


def _background(series: Series, located: Located, region: str, params: SnrParameters) -> Measurement:
    number = params.number(7)
    image, edge = located.slice(number), located.outline(number)
    air = corner_air(image.shape, edge.center, edge.radius_mm, located.spacing_mm)
    if air.sum() < params.fewest_air_pixels:
        raise Unmeasurable(
            "too_little_air", f"{int(air.sum())} pixels of air in the corners; at least {params.fewest_air_pixels} are needed"
        )
    values = np.asarray(image[air], float)
    found = noise.background(values, params.coils)
    facts = {"ratio": found.ratio, "zeros": found.zeros, "pixels": len(values)}
    if found.reason:
        raise Unmeasurable(
            found.reason,
            f"the air is not the noise of {params.coils} channel(s): mean / SD {found.ratio:.2f}, {100 * found.zeros:.1f} % zeros",
            **facts,
        )
    relative = noise.relative_uncertainty(len(values)) * (RAYLEIGH_SPREAD if params.coils == 1 else 1.0)
    return _value(series, located, number, region, params, found.sigma, relative, **facts)


def _smoothing(series: Series, located: Located, region: str, params: SnrParameters) -> Measurement:
    from scipy import ndimage

    number = params.number(7)
    image, water = np.asarray(located.slice(number), float), _water(located, number, params)
    k = params.kernel_px
    inner = ndimage.binary_erosion(water, iterations=k // 2)
    difference = (image - ndimage.uniform_filter(image, k))[inner]
    rho = noise.lag1_correlation(image, water)
    facts = {"correlation": rho, "kernel_px": k, "pixels": int(inner.sum())}
    if len(difference) < 500:
        raise Unmeasurable("region_too_small", "too few pixels of water for the smoothing method", **facts)
    if abs(rho) > params.largest_correlation:
        raise Unmeasurable(
            "noise_correlated", f"neighbouring pixels are correlated ({rho:.2f}): the image was interpolated or filtered", **facts
        )
    sigma = float(difference.std(ddof=1)) / float(np.sqrt(1 - 1 / k**2))
    if sigma <= 0:
        raise Unmeasurable("no_noise", "the image holds no noise", **facts)
    return _value(series, located, number, region, params, sigma, noise.relative_uncertainty(len(difference)), **facts)


def _value(
    series: Series, located: Located, number: int, region: str, params: SnrParameters, sigma: float, relative: float, **facts: Any
) -> Measurement:
    image, frame = located.slice(number), located.frame(number)
    mean = float(image[_water(located, number, params)].mean())
    value = noise.unbiased(mean, sigma) / sigma
    edge = located.outline(number)
    shown = picture(
        image,
        f"Slice {number} ({frame.label}), SNR {value:.0f} ({region})",
        (circle(params.center_px or edge.center, float(np.sqrt(SHARE)) * edge.radius_mm, located.spacing_mm, "signal"),),
        located.spacing_mm,
    )
    return SNR.value(
        value,
        series.subject(),
        region,
        uncertainty=value * relative,
        evidence=(shown,),
        sigma=sigma,
        signal=mean,
        normalised=normalised(value, frame),
        image=frame.label,
        **facts,
        **params.recorded(),
    )
