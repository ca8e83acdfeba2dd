"""Stripes and single lines that run across a whole image, told from anatomy because they are the same in every part of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

BLOCKS = 8  # strips of the image whose profiles must agree
LONGEST_PERIOD = 13.0  # pixels; longer waves are anatomy
SHORTEST_IMAGE = 32


@dataclass(frozen=True)
class Stripes:
    """The strongest wave along one axis.

    Attributes
    ----------
    amplitude
        Of the wave, in the unit of the image.
    period_px
        Length of the wave in pixels.
    ratio
        Amplitude over the median of the neighbouring frequencies.
    agreement
        Share of the strips in which the wave has the same phase and at least 0.3 of its amplitude.
    """

    amplitude: float
    period_px: float
    ratio: float
    agreement: float


@cache
def _means(each: int) -> NDArray[np.float32]:
    """Matrix that takes the means of 8 groups of `each` lines: one product is ten times as fast as reshape and mean."""
    return np.repeat(np.eye(BLOCKS, dtype=np.float32), each, axis=0) / np.float32(each)


def strips(image: NDArray[Any], axis: int, pixels: int = 1 << 15) -> Floats:
    """Return the mean profiles along `axis` of 8 strips side by side, (8, n).

    Along the profile every pixel counts; across it evenly spaced lines are enough, so many that about `pixels` are read
    (64 lines of 512).
    """
    across = image.shape[1 - axis]
    step = max(1, across // max(BLOCKS, pixels // image.shape[axis]))
    each = -(-across // step) // BLOCKS
    means = _means(each)
    if axis == 1:
        return means.T @ image[::step][: each * BLOCKS].astype(np.float32)
    profiles: Floats = np.ascontiguousarray((image[:, ::step][:, : each * BLOCKS].astype(np.float32) @ means).T)
    return profiles


@cache
def _window(length: int) -> Floats:
    return np.hanning(length + 2)[1:-1].astype(np.float32)


def stripes(image: NDArray[Any], axis: int) -> Stripes | None:
    """Find a wave that varies along `axis` and goes across the whole image: zipper, spike in k-space, herringbone, grid lines.

    The profiles of 8 strips are differentiated (that keeps edges from leaking over the spectrum), windowed (Hann) and transformed.
    At each frequency the median of the real and of the imaginary parts is taken: a wave that is in all strips with one phase
    stays, anatomy of a few strips goes. A wave stands out of its neighbouring frequencies, edges do not.

    Parameters
    ----------
    image
        (rows, columns), at least 32 x 32.
    axis
        0: the wave varies from row to row (horizontal stripes); 1: from column to column.

    Returns
    -------
    The strongest line of the spectrum with a period from 2 to 13 pixels; None for small or empty images. A cosine of amplitude 10
    on white noise of SD 10, 128 x 128, gives 10 within 10 % (the window loses up to 15 % between two frequencies) and a ratio above 50.
    White noise alone gives a ratio of 2 to 4.

    References
    ----------
    Row and column medians after a high-pass, in the frequency domain; the amplitude of a cosine under a Hann window is 4 |F| / n.
    """
    if min(image.shape) < SHORTEST_IMAGE:
        return None
    profiles = strips(image, axis)
    steps = profiles[:, 1:] - profiles[:, :-1]
    count = steps.shape[1]
    spectrum = np.fft.rfft(steps * _window(count), axis=1)
    frequency = np.arange(spectrum.shape[1]) / count
    first = int(np.ceil(count / LONGEST_PERIOD))
    spectrum, frequency = spectrum[:, first:], frequency[first:]
    spectrum = spectrum * (4 / count / (2 * np.sin(np.pi * frequency)))
    shared = _middle(spectrum.real) + 1j * _middle(spectrum.imag)
    amplitudes = np.abs(shared)
    floor = _floor(amplitudes)
    usable = floor > 0
    if not usable.any():
        return None
    ratios = np.divide(amplitudes, floor, out=np.zeros_like(amplitudes), where=usable)
    peak = int(np.argmax(ratios))
    along = (spectrum[:, peak] * shared[peak].conjugate()).real / amplitudes[peak] ** 2 if amplitudes[peak] else np.zeros(BLOCKS)
    return Stripes(float(amplitudes[peak]), float(1 / frequency[peak]), float(ratios[peak]), float(np.mean(along > 0.3)))


def _floor(amplitudes: Floats, reach: int = 12, gap: int = 2) -> Floats:
    """Return the median amplitude of the neighbouring frequencies, `gap` away on both sides; at the ends of those that are there."""
    window = 2 * reach + 1
    padded = np.pad(amplitudes, reach, mode="reflect" if len(amplitudes) > reach else "symmetric")
    around = np.lib.stride_tricks.sliding_window_view(padded, len(amplitudes))  # (window, n): one row a displacement
    keep = np.abs(np.arange(window) - reach) > gap
    floor: Floats = _middle(around[keep])
    return floor


def _middle(rows: Floats) -> Floats:
    """Return the median over an even number of rows: a plain sort, several times as fast as np.median on small arrays."""
    ordered = np.sort(rows, axis=0)
    half = len(rows) // 2
    middle: Floats = (ordered[half - 1] + ordered[half]) / 2
    return middle


@dataclass(frozen=True)
class Line:
    """One row or column that differs from both its neighbours in all parts of the image.

    Attributes
    ----------
    index
        Of the row or column.
    step
        Smallest difference to the mean of its neighbours over the strips, in the unit of the image, with its sign.
    ratio
        The same over the robust SD of all lines in the strips.
    """

    index: int
    step: float
    ratio: float


def line(image: NDArray[Any], axis: int) -> Line | None:
    """Find a dead or bright row (`axis` 0) or column (1) that goes through the whole image.

    In each of 8 strips, and at both of its ends, the line is compared with the mean of its two neighbours; all must agree in sign,
    and the weakest counts, so a table top or the side of a phantom, which end somewhere, are not lines. A step (the neighbours differ by
    more than half) is an edge, not a line.

    Returns
    -------
    The strongest line, None where no line has the same sign in all strips. White noise of SD 10, 128 x 128, with one row 30 lower:
    about -23 (the weakest of 10 places), ratio above 8.
    """
    if min(image.shape) < SHORTEST_IMAGE:
        return None
    view = image if axis == 1 else image.T
    rim = max(4, view.shape[0] // 32)
    ends = np.stack([view[:rim].mean(axis=0, dtype=np.float32), view[-rim:].mean(axis=0, dtype=np.float32)])
    profiles = np.vstack([strips(image, axis, 1 << 16), ends])
    before, here, after = profiles[:, :-2], profiles[:, 1:-1], profiles[:, 2:]
    away = here - (before + after) / 2
    same = (away > 0).all(axis=0) | (away < 0).all(axis=0)
    weakest = np.where(same, np.abs(away).min(axis=0), 0.0)
    weakest[np.abs(np.median(after - before, axis=0)) > 0.5 * np.abs(np.median(away, axis=0))] = 0.0
    index = int(np.argmax(weakest))
    spread = float(np.median(np.abs(away)[np.abs(away) > 0])) * 1.4826 if (away != 0).any() else 0.0
    if weakest[index] == 0 or spread == 0:
        return None
    return Line(index + 1, float(np.copysign(weakest[index], away[0, index])), float(weakest[index]) / spread)


def fine_noise(image: NDArray[Any]) -> float:
    """Return a rough noise level: robust SD of second differences along every 16th row; it also holds what stripes and texture there are."""
    rows = image[:: max(1, min(16, len(image) // 16))].astype(np.float32)
    away = np.abs(rows[:, :-2] + rows[:, 2:] - 2 * rows[:, 1:-1])
    away = away[away > 0]
    middle = away.size // 2
    return float(np.partition(away, middle)[middle]) / (0.6745 * 6**0.5) if away.size else 0.0
