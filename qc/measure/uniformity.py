"""How even is the signal of a uniform object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qc.measure.roi import disc_kernel, disc_weights, fast_size, inside_disc

Floats = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]

SMALL_RADIUS_MM = 5.641895835477563  # 1.00 cm2
# Expected half range of the means of sliding 1 cm2 discs in a 200 cm2 disc of white noise, in SDs of one such mean
# (simulation of the definition: -1.82 points at SNR 20 on 1 mm pixels).
HALF_RANGE_SD = 3.64


@dataclass(frozen=True)
class Integral:
    """Percent integral uniformity with what it was made of.

    Attributes
    ----------
    percent
        100 (1 - (max - min) / (max + min)).
    highest, lowest
        Mean of the 1 cm2 disc with the highest and lowest signal.
    highest_at, lowest_at
        Their centres, (row, col) in pixels.
    allowed
        Number of places (pixels) that the small disc could take.
    """

    percent: float
    highest: float
    lowest: float
    highest_at: tuple[float, float]
    lowest_at: tuple[float, float]
    allowed: int


def small_disc_means(image: Floats, spacing_mm: tuple[float, float], radius_mm: float = SMALL_RADIUS_MM) -> Floats:
    """Return the mean of an area-weighted small disc centred on each pixel (image edges repeated outwards)."""
    kernel = disc_kernel(radius_mm, spacing_mm)
    half = [side // 2 for side in kernel.shape]
    padded = np.pad(np.asarray(image, float), [(half[0], half[0]), (half[1], half[1])], mode="edge")
    shape = (fast_size(padded.shape[0]), fast_size(padded.shape[1]))
    # by Fourier transform: the direct sum takes 0.5 s on 512 x 512
    product = np.fft.rfft2(padded, shape) * np.fft.rfft2(kernel, shape)
    full = np.fft.irfft2(product, shape)
    return np.asarray(full[2 * half[0] : padded.shape[0], 2 * half[1] : padded.shape[1]])


def percent_integral_uniformity(
    means: Floats, center: tuple[float, float], radius_mm: float, spacing_mm: tuple[float, float], forbidden: Mask | None = None
) -> Integral | None:
    """Return the percent integral uniformity (ACR) of a disc.

    The small disc lies wholly inside the large one and touches no forbidden pixel.

    Parameters
    ----------
    means
        From `small_disc_means`.
    center
        Of the large disc, (row, col) in pixels.
    radius_mm
        Of the large disc; 79.79 mm for 200 cm2.
    forbidden
        Places the centre of the small disc may not take (already widened by its radius).

    Returns
    -------
    The result, or None where no place is allowed. A signal S0 (1 + g x) gives 100 (1 - g (R - r)): 92.585 % for
    g = 0.001/mm, R = 79.79 mm, r = 5.642 mm.
    """
    allowed = inside_disc(means.shape, center, radius_mm - SMALL_RADIUS_MM, spacing_mm)
    if forbidden is not None:
        allowed &= ~forbidden
    count = int(allowed.sum())
    if count == 0:
        return None
    top = np.where(allowed, means, -np.inf)
    bottom = np.where(allowed, means, np.inf)
    at_high = np.unravel_index(int(top.argmax()), means.shape)
    at_low = np.unravel_index(int(bottom.argmin()), means.shape)
    high, low = float(means[at_high]), float(means[at_low])
    if high + low <= 0:
        return None
    percent = 100.0 * (1.0 - (high - low) / (high + low))
    return Integral(percent, high, low, (float(at_high[0]), float(at_high[1])), (float(at_low[0]), float(at_low[1])), count)


def noise_bias(sigma: float, signal: float, spacing_mm: tuple[float, float]) -> float:
    """Return by how many points noise lowers the percent integral uniformity of a flat field, by its definition."""
    pixels = 100.0 / (spacing_mm[0] * spacing_mm[1])
    return -100.0 * HALF_RANGE_SD * sigma / (signal * np.sqrt(pixels)) if signal > 0 else 0.0


def void_distance(image: Floats, center: tuple[float, float], radius_mm: float, spacing_mm: tuple[float, float]) -> Floats:
    """Return how far each pixel lies from the dark places inside a round phantom (fill plug, bubble), in mm.

    Dark is below half of the median signal inside; the outermost 2 mm are left out (partial volume of the wall). 0 in the dark,
    infinite everywhere where nothing is dark.
    """
    from scipy import ndimage

    inside = inside_disc(image.shape, center, radius_mm - 2.0, spacing_mm)
    dark = inside & (image < 0.5 * float(np.median(image[inside])))
    dark = ndimage.binary_opening(dark, iterations=1)
    if not dark.any():
        return np.full(image.shape, np.inf)
    return np.asarray(ndimage.distance_transform_edt(~dark, sampling=spacing_mm))


def void_mask(image: Floats, center: tuple[float, float], radius_mm: float, spacing_mm: tuple[float, float], widen_mm: float = 1.5) -> Mask:
    """Return the dark places inside a round phantom (`void_distance`), widened."""
    return np.asarray(void_distance(image, center, radius_mm, spacing_mm) <= widen_mm)


def widened(mask: Mask, by_mm: float, spacing_mm: tuple[float, float]) -> Mask:
    """Return the mask widened by a distance."""
    from scipy import ndimage

    if not mask.any():
        return mask
    return np.asarray(ndimage.distance_transform_edt(~mask, sampling=spacing_mm) <= by_mm)


def average_deviation(image: Floats, weights: Floats) -> float:
    """Return the normalised absolute average deviation uniformity (NEMA MS 3), %.

    U = 100 (1 - sum w|S - mean| / (mean sum w)). A ramp S0 (1 + g x) over a disc of radius R gives 100 (1 - 4 g R / (3 pi)).
    """
    total = float(weights.sum())
    mean = float((image * weights).sum()) / total
    return 100.0 * (1.0 - float((np.abs(image - mean) * weights).sum()) / (mean * total))


def peak_deviation(image: Floats, mask: Mask) -> float:
    """Return the peak deviation uniformity (NEMA MS 3), %: 100 (1 - (max - min) / (max + min)) after one 3 x 3 low-pass."""
    from scipy import ndimage

    kernel = np.array([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]) / 16.0
    smooth = np.asarray(ndimage.convolve(np.asarray(image, float), kernel, mode="nearest"))[mask]
    high, low = float(smooth.max()), float(smooth.min())
    return 100.0 * (1.0 - (high - low) / (high + low))


__all__ = [
    "Integral",
    "average_deviation",
    "disc_weights",
    "noise_bias",
    "peak_deviation",
    "percent_integral_uniformity",
    "small_disc_means",
    "void_distance",
    "void_mask",
    "widened",
]
