"""Ring artefacts: circles round the axis of rotation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Ring:
    """The strongest ring.

    Attributes
    ----------
    amplitude
        Height over its neighbourhood, with sign, in the unit of the image.
    radius_mm
        Its radius.
    uncertainty
        Standard uncertainty of the amplitude from the noise.
    radii_mm, profile
        Angular mean minus running median, for the picture.
    streak
        SD along the angle of the mean over the radii, freed from its noise: streaks and shading.
    """

    amplitude: float
    radius_mm: float
    uncertainty: float
    radii_mm: NDArray[np.float64]
    profile: NDArray[np.float64]

    @property
    def significant(self) -> bool:
        """Whether it stands out from the noise by more than five standard uncertainties."""
        return abs(self.amplitude) > 5 * self.uncertainty


def strongest_ring(
    image: Floats, center: tuple[float, float], inner_mm: float, outer_mm: float, spacing_mm: tuple[float, float], width: int = 9
) -> Ring | None:
    """Return the strongest ring between two radii; None where fewer than 20 radii fit.

    Mean over the angle for each radius (pixels binned by their distance from the centre, one bin a pixel) minus its running median over
    `width` bins. A ring of amplitude a, two pixels wide, is found as a within 5 %.
    """
    from scipy import ndimage

    step = max(spacing_mm)
    rows = (np.arange(image.shape[0]) - center[0])[:, None] * spacing_mm[0]
    columns = (np.arange(image.shape[1]) - center[1])[None, :] * spacing_mm[1]
    distance = np.hypot(rows, columns)
    inside = (distance >= inner_mm) & (distance < outer_mm)
    index = ((distance[inside] - inner_mm) / step).astype(int)
    values = np.asarray(image, float)[inside]
    number = np.bincount(index)
    if len(number) < 20:
        return None
    total = np.bincount(index, values)
    mean = total / np.maximum(number, 1)
    spread = np.sqrt(np.maximum(np.bincount(index, values**2) / np.maximum(number, 1) - mean**2, 0))
    rest = mean - _smooth_part(mean, np.sqrt(np.maximum(number, 1)))
    profile = rest - ndimage.median_filter(rest, width, mode="nearest")
    error = spread / np.sqrt(np.maximum(number, 1))
    inner = slice(2, -2)
    at = int((np.abs(profile) / np.maximum(error, 1e-9))[inner].argmax()) + 2
    radii = inner_mm + (np.arange(len(mean)) + 0.5) * step
    return Ring(float(profile[at]), float(radii[at]), float(error[at]), np.asarray(radii, np.float64), np.asarray(profile, np.float64))


def _smooth_part(mean: Floats, weights: Floats) -> NDArray[np.float64]:
    """Cupping: polynomial of fourth degree, fitted again without what stands out, so that a slope does not bias the median."""
    x = np.linspace(-1, 1, len(mean))
    keep = np.ones(len(mean), bool)
    fitted: NDArray[Any] = np.zeros(len(mean))
    for _ in range(3):
        fitted = np.polyval(np.polyfit(x[keep], mean[keep], 4, w=weights[keep]), x)
        off = np.abs(mean - fitted)
        keep = off <= 3 * 1.4826 * float(np.median(off)) + 1e-9
        if keep.sum() < 10:
            break
    return np.asarray(fitted)


def streak_sd(
    image: Floats, center: tuple[float, float], inner_mm: float, outer_mm: float, spacing_mm: tuple[float, float], sectors: int = 72
) -> float:
    """Return the SD of the means of sectors round the centre, freed from what noise alone gives: streaks and one-sided shading."""
    rows = (np.arange(image.shape[0]) - center[0])[:, None] * spacing_mm[0]
    columns = (np.arange(image.shape[1]) - center[1])[None, :] * spacing_mm[1]
    distance, angle = np.hypot(rows, columns), np.arctan2(rows, columns)
    inside = (distance >= inner_mm) & (distance < outer_mm)
    index = ((angle[inside] + np.pi) / (2 * np.pi) * sectors).astype(int) % sectors
    values = np.asarray(image, float)[inside]
    number = np.maximum(np.bincount(index, minlength=sectors), 1)
    mean = np.bincount(index, values, minlength=sectors) / number
    noise = float(np.mean((np.bincount(index, values**2, minlength=sectors) / number - mean**2) / number))
    return float(np.sqrt(max(0.0, mean.var(ddof=1) - noise)))
