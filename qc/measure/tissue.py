"""Contrast and entropy of whole images of the head: the no-reference measures of MRIQC, formula for formula."""

from __future__ import annotations

from dataclasses import dataclass
from math import log, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qc.measure.noise import chi_constants

Floats = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]


@dataclass
class Entropy:
    """Sums from which the entropy focus criterion follows; images are added one by one."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0
    x_log_x: float = 0.0

    def add(self, values: Floats) -> None:
        """Add the pixels of an image; values must not be negative."""
        flat = np.asarray(values, np.float64).ravel()
        if flat.size and float(flat.min()) < 0:
            raise ValueError("the entropy focus criterion is defined for values >= 0 only")
        positive = flat[flat > 0]
        self.count += flat.size
        self.total += float(positive.sum())
        self.squares += float(positive @ positive)
        self.x_log_x += float(positive @ np.log(positive))

    @property
    def criterion(self) -> float | None:
        """The entropy focus criterion; None for fewer than 2 pixels and for images of zeros."""
        if self.count < 2 or self.squares <= 0:
            return None
        largest = sqrt(self.squares)
        entropy = -(self.x_log_x - log(largest) * self.total) / largest
        root = sqrt(self.count)
        return entropy / (root * log(root))


def efc(values: Floats) -> float | None:
    """Return the entropy focus criterion: 0 for a single bright pixel, 1 for a constant image.

    E = -sum (x / x_max) ln (x / x_max) with x_max = sqrt(sum x^2), over its largest value sqrt(N) ln sqrt(N). Ghosts and blur spread
    the energy and raise it. Worked number: half of 4096 pixels 1 and half 0 give 0.64818.

    References
    ----------
    Atkinson et al., IEEE Trans. Med. Imaging 16:903 (1997), normalised as in MRIQC.
    """
    entropy = Entropy()
    entropy.add(values)
    return entropy.criterion


def fber(foreground: Floats, background: Floats) -> float | None:
    """Return the foreground-background energy ratio: median of the squared values inside over that outside.

    None where the background has no energy (masked to zero): the ratio has no meaning then. Inside 100, outside 2: 2500.
    MRIQC's text says mean, its code takes the median; the code is followed.
    """
    if not foreground.size or not background.size:
        return None
    outside = float(np.median(np.square(np.asarray(background, np.float64))))
    return float(np.median(np.square(np.asarray(foreground, np.float64)))) / outside if outside > 1e-3 else None


def cjv(mean_white: float, mean_grey: float, sd_white: float, sd_grey: float) -> float:
    """Return the coefficient of joint variation, (SD_w + SD_g) / |mean_w - mean_g|. Means 700, 500 with SD 40, 60: 0.5."""
    return (sd_white + sd_grey) / abs(mean_white - mean_grey)


def cnr(mean_white: float, mean_grey: float, sd_white: float, sd_grey: float, sd_air: float) -> float:
    """Return the contrast to noise ratio |mean_w - mean_g| / sqrt(SD_air^2 + SD_w^2 + SD_g^2)."""
    return abs(mean_white - mean_grey) / sqrt(sd_air**2 + sd_white**2 + sd_grey**2)


def snr_dietrich(mean_foreground: float, sd_air: float, coils: int = 1) -> float:
    """Return the signal over the noise that the SD of the air stands for: 0.6551 mean / SD_air for one coil.

    References
    ----------
    Dietrich et al., J. Magn. Reson. Imaging 26:375 (2007), eq. A.12. Mean 655.1, SD of the air 6.551: 65.51.
    """
    return chi_constants(coils)[1] * mean_foreground / sd_air


def otsu(values: Floats, bins: int = 256) -> float:
    """Return the threshold that parts the values into two groups with the largest variance between them; NaN for a constant."""
    low, high = (float(edge) for edge in np.percentile(values, [0.1, 99.5]))
    if high <= low:
        return float("nan")
    counts, edges = np.histogram(np.clip(values, low, high), bins, (low, high))
    middles = (edges[1:] + edges[:-1]) / 2
    below, sums = np.cumsum(counts), np.cumsum(counts * middles)
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    between = np.where(np.isfinite(between), between, -1.0)
    best = np.flatnonzero(between >= between.max() * (1 - 1e-9))
    return float(edges[int(best.mean()) + 1])


@dataclass(frozen=True)
class Classes:
    """Two tissue classes of one image.

    Attributes
    ----------
    low, high
        (mean, SD) of the darker and the brighter class.
    valley
        Smallest density between the two peaks over the lower peak; 1 where they are one.
    """

    low: tuple[float, float]
    high: tuple[float, float]
    valley: float


def two_classes(values: Floats, deepest_valley: float = 0.85, most_apart: float = 2.5) -> Classes | None:
    """Find the two largest tissue classes of a brain in the histogram of its flat pixels.

    The density (Gaussian kernel, 2.5 % of the range) must have two peaks with at least a tenth of the pixels each and a valley between
    them of at most 0.85 of the lower one, and lie within a factor of 2.5: more
    is no pair of brain tissues but one and its edge to air. Each class is described by its median and its robust SD (1.4826 MAD) between its outer
    half-maximum and the valley.

    Parameters
    ----------
    values
        Pixels in brain, those on edges left out; at least 500.

    Returns
    -------
    None where no two such classes are there. Two normal classes at 500 and 700 with SD 30 are found within 3 of their means.
    """
    if values.size < 500:
        return None
    low, high = (float(edge) for edge in np.percentile(values, [0.5, 99.5]))
    if high <= low:
        return None
    counts, edges = np.histogram(values, 200, (low, high))
    reach = np.arange(-20, 21)
    kernel = np.exp(-((reach / 5.0) ** 2) / 2)
    density = np.convolve(counts, kernel / kernel.sum(), mode="same")
    peaks = [at for at in range(1, 199) if density[at] > density[at - 1] and density[at] >= density[at + 1]]
    best: tuple[float, int, int, int] | None = None
    for first in range(len(peaks)):
        for second in range(first + 1, len(peaks)):
            one, other = peaks[first], peaks[second]
            cut = one + int(np.argmin(density[one : other + 1]))
            apart = low + (other + 0.5) * (high - low) / 200 <= most_apart * max(low + (one + 0.5) * (high - low) / 200, 0.0)
            share = min(int(counts[:cut].sum()), int(counts[cut:].sum()))
            if density[cut] <= deepest_valley * min(density[one], density[other]) and share >= 0.1 * values.size and apart:
                height = float(min(density[one], density[other]))
                best = max(best, (height, one, cut, other)) if best else (height, one, cut, other)
    if best is None:
        return None
    _, one, cut, other = best
    middles = (edges[1:] + edges[:-1]) / 2
    half_low = next((at for at in range(one, -1, -1) if density[at] < density[one] / 2), 0)
    half_high = next((at for at in range(other, 200) if density[at] < density[other] / 2), 199)
    border = float(middles[cut])
    return Classes(
        _spread(values, 2 * float(middles[half_low]) - float(middles[one]), border),
        _spread(values, border, 2 * float(middles[half_high]) - float(middles[other])),
        float(density[cut] / min(density[one], density[other])),
    )


def _spread(values: Floats, low: float, high: float) -> tuple[float, float]:
    """Median and robust SD between two bounds."""
    part = values[(values >= low) & (values <= high)]
    middle = float(np.median(part))
    return middle, 1.4826 * float(np.median(np.abs(part - middle)))
