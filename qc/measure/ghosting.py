"""Ghosts in the air round a round object."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qc.measure.roi import Floats

AREA_MM2 = 1000.0  # 10 cm2
ASPECT = 4.0
CLEARANCE_MM = 3.0


@dataclass(frozen=True)
class Ellipse:
    """An air region: centre (row, col) in pixels, semi-axes along rows and columns of the image in mm (down, across)."""

    center: tuple[float, float]
    down_mm: float
    across_mm: float

    def mask(self, shape: tuple[int, ...], spacing_mm: tuple[float, float]) -> NDArray[np.bool_]:
        """Return the pixels whose centre lies inside."""
        rows = (np.arange(shape[0]) - self.center[0])[:, None] * spacing_mm[0] / self.down_mm
        columns = (np.arange(shape[1]) - self.center[1])[None, :] * spacing_mm[1] / self.across_mm
        return np.asarray(rows**2 + columns**2 <= 1.0)


def air_ellipses(
    shape: tuple[int, ...], center: tuple[float, float], radius_mm: float, spacing_mm: tuple[float, float]
) -> dict[str, Ellipse | None]:
    """Place the four regions of 10 cm2 midway between the object and the edges of the image.

    The long axis (4:1, semi-axes 35.7 and 8.92 mm) lies along the edge. Where 3 mm of clearance would not be left on both
    sides, the region gets narrower and longer at the same area; None where that does not fit either.
    """
    regions: dict[str, Ellipse | None] = {}
    height, width = shape[0] * spacing_mm[0], shape[1] * spacing_mm[1]
    down, across = (center[0] + 0.5) * spacing_mm[0], (center[1] + 0.5) * spacing_mm[1]
    for name, gap, along in (
        ("top", down - radius_mm, across),
        ("bottom", height - down - radius_mm, across),
        ("left", across - radius_mm, down),
        ("right", width - across - radius_mm, down),
    ):
        side = width if name in ("top", "bottom") else height
        short = min(float(np.sqrt(AREA_MM2 / np.pi / ASPECT)), (gap - 2 * CLEARANCE_MM) / 2)
        long = AREA_MM2 / np.pi / short if short > 0 else np.inf
        if long > min(along, side - along) - CLEARANCE_MM:
            regions[name] = None
            continue
        middle = gap / 2 if name in ("top", "left") else (height if name == "bottom" else width) - gap / 2
        if name in ("top", "bottom"):
            regions[name] = Ellipse((middle / spacing_mm[0] - 0.5, center[1]), short, long)
        else:
            regions[name] = Ellipse((center[0], middle / spacing_mm[1] - 0.5), long, short)
    return regions


@dataclass(frozen=True)
class Ghosting:
    """Percent signal ghosting with what it was made of.

    Attributes
    ----------
    percent, uncertainty
        100 |((top + bottom) - (left + right)) / (2 S)|, and the standard uncertainty from the noise of the four means.
    noise_bias
        What noise alone gives in the mean: the mean of the absolute value of its scatter.
    ratios
        Each region over the signal, %.
    amplitudes
        The same, freed from noise as sqrt(M^2 - b), %; None where b is not known.
    """

    percent: float
    uncertainty: float
    noise_bias: float
    ratios: dict[str, float]
    amplitudes: dict[str, float] | None
    zeros: float


def percent_signal_ghosting(image: Floats, regions: dict[str, NDArray[np.bool_]], signal: float, noise2: float | None) -> Ghosting:
    """Return the percent signal ghosting (ACR).

    Parameters
    ----------
    signal
        Mean of the large region.
    noise2
        Mean square of the noise of air, for the corrected amplitudes.

    Returns
    -------
    A ghost of 1 % of the signal above and below gives 1.00 %; the same ghost on all four sides gives 0, which is why ``ratios`` are given too.
    """
    values = {name: np.asarray(image[mask], float) for name, mask in regions.items()}
    means = {name: float(part.mean()) for name, part in values.items()}
    difference = means["top"] + means["bottom"] - means["left"] - means["right"]
    variance = sum(float(part.var(ddof=1)) / len(part) for part in values.values())
    uncertainty = 100 * float(np.sqrt(variance)) / (2 * signal)
    amplitudes = None
    if noise2 is not None:
        amplitudes = {name: 100 * float(np.sqrt(max(0.0, float((part**2).mean()) - noise2))) / signal for name, part in values.items()}
    zeros = float(np.mean([np.mean(part == 0) for part in values.values()]))
    return Ghosting(
        100 * abs(difference) / (2 * signal),
        uncertainty,
        float(np.sqrt(2 / np.pi)) * uncertainty,
        {name: 100 * mean / signal for name, mean in means.items()},
        amplitudes,
        zeros,
    )
