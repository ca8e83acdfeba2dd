"""Noise and signal-to-noise ratio, each with the gate that tells when it may be believed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]

MEDIAN_TO_SD = 0.6744897501960817  # of |x| for a normal distribution


def immerkaer(image: Floats, mask: Mask | None = None) -> float:
    """Return the noise SD from the response to the difference of two Laplacians, robust form, away from edges.

    sigma = median|I * [[1,-2,1],[-2,4,-2],[1,-2,1]]| / (6 x 0.6745) over the half of the pixels with the smallest gradient.
    Gradient (odd kernel) and Laplacian (even kernel) of white Gaussian noise are independent, so leaving out edges does
    not bias the noise; exact on white noise with any linear ramp. Blind to noise that is spatially correlated: ask
    `lag1_correlation` first.

    Parameters
    ----------
    image
        (rows, columns).
    mask
        (rows, columns); only kernel centres inside count.

    Returns
    -------
    SD in the unit of the image; 0.0 where at least half of the responses are zero; NaN for images under 3 x 3 and empty masks.

    References
    ----------
    Immerkaer, Comput. Vis. Image Underst. 64:300 (1996). White noise of SD 10 gives 10.0 within 1 % on 256 x 256.
    """
    if min(image.shape) < 3:
        return float("nan")
    return immerkaer_rows(image[:-2], image[1:-1], image[2:], None if mask is None else mask[1:-1])


def immerkaer_rows(above: Floats, rows: Floats, below: Floats, mask: Mask | None = None) -> float:
    """Return `immerkaer` from chosen rows and their neighbours only; every eighth row is plenty for a large image.

    Parameters
    ----------
    above, rows, below
        (n, columns): the rows, and the image rows before and after each.
    mask
        (n, columns); only kernel centres inside count.
    """
    vertical = above + below - 2 * rows
    response = np.abs(vertical[:, :-2] + vertical[:, 2:] - 2 * vertical[:, 1:-1])
    columns = above + below + 2 * rows
    lines = below - above
    gradient = (columns[:, 2:] - columns[:, :-2]) ** 2 + (lines[:, :-2] + lines[:, 2:] + 2 * lines[:, 1:-1]) ** 2
    if mask is not None:
        response, gradient = response[mask[:, 1:-1]], gradient[mask[:, 1:-1]]
    if response.size == 0:
        return float("nan")
    middle = gradient.size // 2
    flat = response[gradient <= np.partition(gradient, middle, axis=None)[middle]]
    return median_absolute(flat) / (6 * MEDIAN_TO_SD)


def median_absolute(values: Floats) -> float:
    """Return the median of absolute values; of whole numbers, each stands for the interval that was rounded to it."""
    middle = values.size // 2
    median = float(np.partition(values, middle)[middle])
    if median == 0 or not np.array_equal(values[:512], np.rint(values[:512])):
        return median
    below, equal = int(np.count_nonzero(values < median)), int(np.count_nonzero(values == median))
    return median - 0.5 + (values.size / 2 - below) / equal


# Daubechies' wavelet with two vanishing moments: the high-pass half of its filter pair
_ROOT_3 = float(np.sqrt(3.0))
DB2_HIGH_PASS = tuple(tap / (4 * float(np.sqrt(2.0))) for tap in (1 - _ROOT_3, _ROOT_3 - 3, 3 + _ROOT_3, -1 - _ROOT_3))


def wavelet(image: Floats) -> float:
    """Return the noise SD from the finest diagonal coefficients of the db2 wavelet of a whole image.

    sigma = median|HH| / 0.6745. The wavelet is orthonormal, so the coefficients of white noise have the SD of the noise; two vanishing
    moments, so a linear ramp gives none. Blind to noise that is spatially correlated: ask `lag1_correlation` first.

    Parameters
    ----------
    image
        (rows, columns).

    Returns
    -------
    SD in the unit of the image; NaN for images under 4 x 4.

    References
    ----------
    Donoho and Johnstone, Biometrika 81:425 (1994), section 4.1. White noise of SD 12 gives 12.0 within 2 % on 512 x 512.
    """
    bands = (len(image) - 2) // 2
    if bands < 1 or image.shape[1] < 4:
        return float("nan")
    first, second, third, fourth = (image[start : start + 2 * bands : 2] for start in range(4))
    return wavelet_rows(first, second, third, fourth)


def wavelet_rows(first: Floats, second: Floats, third: Floats, fourth: Floats, mask: Mask | None = None) -> float:
    """Return `wavelet` from chosen bands of four image rows only.

    Parameters
    ----------
    first, second, third, fourth
        (n, columns): the rows of each band.
    mask
        (n, columns); a coefficient counts where its four columns and the one on either side are inside: a border is a diagonal here
        and there, and its coefficients are large.
    """
    low, middle, high, last = DB2_HIGH_PASS
    down = low * first + middle * second + high * third + last * fourth
    columns = (down.shape[1] - 2) // 2 * 2
    parts = [slice(start, start + columns, 2) for start in range(4)]
    across = np.abs(low * down[:, parts[0]] + middle * down[:, parts[1]] + high * down[:, parts[2]] + last * down[:, parts[3]])
    if mask is not None:
        clear = np.pad(mask, ((0, 0), (1, 1)))[:, : columns + 4]
        across = across[np.logical_and.reduce([clear[:, start : start + columns : 2] for start in range(6)])]
    if across.size == 0:
        return float("nan")
    return float(np.median(across)) / MEDIAN_TO_SD


@cache
def _quadratic(tile: int) -> tuple[Floats, float, float]:
    """Orthonormal quadratic surfaces of a square tile, and what taking them away does to white noise.

    Returns
    -------
    basis
        (tile^2, 6).
    share
        Variance that remains: 1 - 6 / tile^2.
    bias
        Expected product of neighbouring residuals in units of the variance (negative), the mean of both directions.
    """
    y, x = np.mgrid[:tile, :tile] / tile - 0.5
    surfaces = np.stack([np.ones(tile * tile), x.ravel(), y.ravel(), (x * x).ravel(), (x * y).ravel(), (y * y).ravel()], axis=1)
    basis, _ = np.linalg.qr(surfaces)
    index = np.arange(tile * tile).reshape(tile, tile)
    products = [
        -(basis[one.ravel()] * basis[other.ravel()]).sum(1).mean()
        for one, other in ((index[:, 1:], index[:, :-1]), (index[1:], index[:-1]))
    ]
    return basis, 1 - 6 / tile**2, float(np.mean(products))


def lag1_correlation(image: Floats, mask: Mask | None = None, tile: int = 12, flattest: float = 0.25) -> float:
    """Return the correlation of neighbouring pixels in the flattest tiles, each freed from a quadratic surface.

    White noise gives 0 (what the surface takes away is corrected for); interpolated, filtered or iteratively
    reconstructed images give 0.3 to 0.9.

    Parameters
    ----------
    mask
        Tiles wholly inside count.
    flattest
        Share of the tiles, lowest SD first, that is used (tiles with anatomy have a large SD).

    Returns
    -------
    Mean of the row-wise and column-wise correlation; NaN where fewer than 4 tiles are usable.
    """
    rows, columns = image.shape[0] // tile, image.shape[1] // tile
    if rows * columns < 4:
        return float("nan")
    blocks = image[: rows * tile, : columns * tile].reshape(rows, tile, columns, tile).swapaxes(1, 2).reshape(-1, tile * tile).astype(float)
    if mask is not None:
        whole = mask[: rows * tile, : columns * tile].reshape(rows, tile, columns, tile).all(axis=(1, 3)).ravel()
        blocks = blocks[whole]
    basis, share, bias = _quadratic(tile)
    blocks = blocks - (blocks @ basis) @ basis.T
    variance = (blocks**2).mean(axis=1)
    blocks, variance = blocks[variance > 0], variance[variance > 0]
    if len(variance) < 4:
        return float("nan")
    flat = np.argsort(variance)[: max(4, int(len(variance) * flattest))]
    chosen, spread = blocks[flat].reshape(-1, tile, tile), variance[flat]
    along = (chosen[:, :, 1:] * chosen[:, :, :-1]).mean(axis=(1, 2)) / spread
    down = (chosen[:, 1:, :] * chosen[:, :-1, :]).mean(axis=(1, 2)) / spread
    return float((along.mean() + down.mean()) / 2 - bias / share)


@dataclass(frozen=True)
class PairNoise:
    """Noise from two identical scans.

    Attributes
    ----------
    signal
        Mean of both images in the region, freed from the Rician bias of magnitude images.
    sigma
        SD of the noise in one image (method 1).
    sigma_adjacent
        The same from neighbouring pixels of the difference (method 2): insensitive to drift and structure.
    rho
        Correlation of neighbouring pixels of the difference image; above 0.15 the noise is correlated and method 2 reads low.
    tail
        SD over robust SD of the difference; near 1 unless the object moved.
    """

    signal: float
    sigma: float
    sigma_adjacent: float
    rho: float
    tail: float
    pixels: int

    @property
    def correlated(self) -> bool:
        """Whether neighbouring noise values are correlated."""
        return abs(self.rho) > 0.15


def pair(one: Floats, other: Floats, mask: Mask) -> PairNoise:
    """Return noise and signal of two identical scans in a region (NEMA MS 1 methods 1 and 2).

    sigma = SD(I1 - I2) / sqrt 2 in the region; the adjacent form takes differences along rows of the difference image.
    Worked number: two scans of amplitude 1000 with noise 10 give sigma 10.0, SNR 100.
    """
    difference = np.asarray(one, float) - np.asarray(other, float)
    inside = difference[mask]
    sigma = float(inside.std(ddof=1)) / np.sqrt(2)
    both = mask[:, 1:] & mask[:, :-1]
    steps = (difference[:, 1:] - difference[:, :-1])[both]
    adjacent = float(np.sqrt((steps**2).sum() / (2 * len(steps)))) / np.sqrt(2)
    centred = difference - inside.mean()
    rho = float((centred[:, 1:] * centred[:, :-1])[both].mean() / inside.var()) if inside.var() > 0 else 0.0
    robust = 1.4826 * float(np.median(np.abs(inside - np.median(inside)))) / np.sqrt(2)
    mean = float(((np.asarray(one, float) + other) / 2)[mask].mean())
    return PairNoise(unbiased(mean, sigma), sigma, adjacent, rho, sigma / robust if robust > 0 else float("inf"), int(mask.sum()))


def unbiased(mean: float, sigma: float) -> float:
    """Free the mean of a magnitude signal from its Rician bias: sqrt(M^2 - sigma^2), right to second order for SNR > 3."""
    return float(np.sqrt(max(0.0, mean * mean - sigma * sigma)))


def chi_constants(coils: int) -> tuple[float, float]:
    """Return (mean, SD) of background magnitude over sigma for a root sum of squares of N uncorrelated coils.

    mean = sqrt 2 Gamma(N + 1/2) / Gamma(N); variance = 2 N - mean^2. N = 1: 1.2533, 0.6551 (Rayleigh); N = 8: 3.9380, 0.7014.
    """
    from math import exp, lgamma, sqrt

    mean = sqrt(2) * exp(lgamma(coils + 0.5) - lgamma(coils))
    return mean, sqrt(2 * coils - mean * mean)


@dataclass(frozen=True)
class Background:
    """Noise in the air of a magnitude image.

    Attributes
    ----------
    sigma
        SD of the noise in one channel, SD of the background / SD constant.
    ratio
        Mean over SD of the background; 1.913 for one coil.
    zeros
        Fraction of pixels that are exactly zero.
    reason
        Reason code where the value may not be used, else None.
    """

    sigma: float
    ratio: float
    zeros: float
    reason: str | None


def background(values: Floats, coils: int = 1, ratio_tolerance: float = 0.05, most_zeros: float = 0.01) -> Background:
    """Return the noise from air pixels (NEMA MS 1 method 4), gated.

    Not usable (``background_not_rayleigh``) where more than 1 % of the pixels are exactly zero beyond what rounding makes of one coil's
    noise (masked or parallel imaging) or
    where mean / SD is off the theoretical ratio by more than 5 %.
    """
    mean, sd = chi_constants(coils)
    spread = float(np.std(values, ddof=1))
    zeros = float(np.mean(values == 0))
    ratio = float(np.mean(values)) / spread if spread > 0 else float("inf")
    # noise of about one grey level is rounded to zero now and then: that many are no mask
    positive = values[values > 0]
    level = float(positive.min()) if len(positive) and spread > 0 else 0.0
    rounded = 1 - float(np.exp(-((level / 2) ** 2) / (2 * (spread / sd) ** 2))) if coils == 1 and spread > 0 else 0.0
    bad = zeros > most_zeros + rounded or abs(ratio / (mean / sd) - 1) > ratio_tolerance
    return Background(spread / sd, ratio, zeros, "background_not_rayleigh" if bad else None)


def relative_uncertainty(samples: int, rho: float = 0.0) -> float:
    """Return the relative standard uncertainty of an SD from n samples: 1 / sqrt(2 (n_eff - 1)).

    Correlated samples count for less: n_eff = n ((1 - |rho|) / (1 + |rho|))^2 in two dimensions. n = 100: 7.1 %.
    """
    shrink = ((1 - min(abs(rho), 0.95)) / (1 + min(abs(rho), 0.95))) ** 2
    return float(1 / np.sqrt(2 * max(samples * shrink - 1, 1)))


def tile_deviations(bands: Floats, tile: int, low: float, high: float) -> Floats:
    """Return the SD of each square tile whose mean lies between two bounds.

    Parameters
    ----------
    bands
        (n * tile, columns): n bands of `tile` rows each; they need not touch.
    low, high
        Tiles with a mean outside are left out: air, lung, bone, padding. Single values do not matter: to ask each of them would cut
        off the tails of strong noise. Tiles on a border have large SDs, which the mode does not see.

    Returns
    -------
    SD with n - 1 of each tile that is inside and not constant, in any order.
    """
    rows, columns = bands.shape[0] // tile, bands.shape[1] // tile
    tiles = bands[: rows * tile, : columns * tile].reshape(rows, tile, columns, tile).swapaxes(1, 2).reshape(-1, tile * tile)
    means = tiles.mean(axis=1)
    deviations: Floats = tiles[(means > low) & (means < high)].std(axis=1, ddof=1, dtype=np.float64)
    return deviations[deviations > 0]


def most_frequent(deviations: Floats, tile: int) -> float:
    """Return the noise level as the mode of many local SDs, freed from the bias of the mode.

    Tiles with anatomy have larger SDs and make the tail of the histogram; its mode is the noise. Each SD of a tile of white noise
    follows sigma chi_k / sqrt k with k = tile^2 - 1, whose mode is sigma sqrt((k - 1) / k): 2 % low for 5 x 5. The mode of log SD has no
    such bias (the density exp(k l - k e^(2 l) / 2) of l = log(SD / sigma) is largest at l = 0). It is read from a Gaussian kernel density
    as wide as the scatter of one log SD, 1 / sqrt(2 k), so some hundred tiles are enough.

    Parameters
    ----------
    deviations
        At least some 50.
    tile
        Side of the tiles in pixels.

    Returns
    -------
    Noise SD in the unit of the image. White noise of SD 12 gives 12.0 within 2 %, on a chessboard of tissues too.

    References
    ----------
    Christianson et al., AJR 205:W82 (2015), global noise level: mode of the local SD histogram in soft tissue.
    """
    logs = np.log(deviations)
    width = 1 / np.sqrt(2 * (tile * tile - 1))
    grid = np.arange(logs.min() - 4 * width, logs.max() + 4.2 * width, width / 5)
    counts, _ = np.histogram(logs, bins=np.append(grid - width / 10, grid[-1] + width / 10))
    reach = np.arange(-20, 21) / 5
    density = np.convolve(counts, np.exp(-(reach**2) / 2), mode="same")
    top = int(np.argmax(density))
    before, here, after = (float(density[place]) for place in (top - 1, top, top + 1))
    bend = before - 2 * here + after  # a parabola through the three densities at the top
    return float(np.exp(grid[top] + (0.1 * width * (before - after) / bend if bend < 0 else 0.0)))
