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
LONG_ENOUGH = 100
EDGE = 5.0  # steps of a profile larger than so many of its median steps are edges


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
    return _strongest(strips(image, axis)[None])[0]


def stripes_both_ways(image: NDArray[Any]) -> tuple[Stripes | None, Stripes | None]:
    """Return `stripes` along both axes; of a square image both are found in one pass, in two thirds of the time."""
    if min(image.shape) < SHORTEST_IMAGE:
        return None, None
    if image.shape[0] != image.shape[1]:
        return stripes(image, 0), stripes(image, 1)
    found = _strongest(np.stack([strips(image, 0), strips(image, 1)]))
    return found[0], found[1]


@cache
def _plan(count: int) -> tuple[Floats, Floats, int, int]:
    """Frequencies that are looked at, what turns |F| into amplitudes of the wave, the first of them, and the length of the transform."""
    padded = -(-count // 16) * 16  # lengths with large prime factors take three times as long
    frequency = np.arange(padded // 2 + 1) / padded
    first = int(np.ceil(padded / LONGEST_PERIOD))
    frequency = frequency[first:]
    return frequency, (4 / count / (2 * np.sin(np.pi * frequency))).astype(np.float32), first, padded


def _strongest(profiles: Floats) -> list[Stripes | None]:
    """The strongest wave of each set of 8 profiles, (sets, 8, n)."""
    steps = profiles[..., 1:] - profiles[..., :-1]
    count = steps.shape[-1]
    # steps at a couch or a rim are hundreds of times larger than a stripe and fill the whole spectrum: they are cut down first
    usual = np.median(np.abs(steps), axis=(-2, -1), keepdims=True)
    if count >= LONG_ENOUGH:  # the few steps of a small image are anatomy throughout
        steps = np.where(usual > 0, np.clip(steps, -EDGE * usual, EDGE * usual), steps)
    frequency, scale, first, padded = _plan(count)
    spectrum = np.fft.rfft(steps * _window(count), padded, axis=-1)[..., first:] * scale
    # (8, sets, 2 n): real and imaginary parts side by side, so that one pass finds the medians of both
    parts = np.moveaxis(spectrum, 1, 0)
    middle = _middle_of_8(np.concatenate([parts.real, parts.imag], axis=-1))
    shared = middle[:, : len(frequency)] + 1j * middle[:, len(frequency) :]
    amplitudes = np.abs(shared)
    floors = _floor(amplitudes)
    found: list[Stripes | None] = []
    for one, wave, height, floor in zip(spectrum, shared, amplitudes, floors, strict=True):
        usable = floor > 0
        if not usable.any():
            found.append(None)
            continue
        ratios = np.divide(height, floor, out=np.zeros_like(height), where=usable)
        peak = int(np.argmax(ratios))
        along = (one[:, peak] * wave[peak].conjugate()).real / height[peak] ** 2 if height[peak] else np.zeros(BLOCKS)
        found.append(Stripes(float(height[peak]), float(1 / frequency[peak]), float(ratios[peak]), float(np.mean(along > 0.3))))
    return found


def _floor(amplitudes: Floats, reach: int = 12, gap: int = 2) -> Floats:
    """Return the usual amplitude of the neighbouring frequencies, `gap` away on both sides; at the ends mirrored.

    Geometric mean times 1.111, which of noise (a Rayleigh distribution) is the median; single waves hardly raise it, and running sums
    give it for all frequencies at once. 0 where half of the neighbours are 0.

    Parameters
    ----------
    amplitudes
        (sets, n).
    """
    count = amplitudes.shape[-1]
    tiny = 1e-9 * amplitudes.max(axis=-1, keepdims=True)
    logs = np.log(np.maximum(amplitudes, np.maximum(tiny, 1e-30)))
    padded = np.pad(logs, ((0, 0), (reach + 1, reach)), mode="reflect" if count > reach + 1 else "symmetric")
    padded[:, 0] = 0.0
    sums = np.cumsum(padded, axis=-1)
    wide = sums[:, 2 * reach + 1 :] - sums[:, : -(2 * reach + 1)]
    inner = sums[:, reach + gap + 1 : reach + gap + 1 + count] - sums[:, reach - gap : reach - gap + count]
    floor = 1.111 * np.exp((wide - inner) / (2 * (reach - gap)))
    usual: Floats = np.where(floor > np.maximum(1e-4 * amplitudes.max(axis=-1, keepdims=True), 1e-20), floor, 0.0)
    return usual


# Batcher's network for eight values: pairs that are put in order, one after another
NETWORK = (
    (0, 1), (2, 3), (4, 5), (6, 7), (0, 2), (1, 3), (4, 6), (5, 7), (1, 2), (5, 6), (0, 4), (1, 5), (2, 6), (3, 7), (2, 4), (3, 5), (1, 2), (3, 4),
    (5, 6),
)  # fmt: skip


def _middle_of_8(rows: Floats) -> Floats:
    """Return the median over the first axis of eight: a sorting network of whole rows, several times as fast as sorting columns."""
    lines = list(rows)
    for low, high in NETWORK:
        lines[low], lines[high] = np.minimum(lines[low], lines[high]), np.maximum(lines[low], lines[high])
    middle: Floats = (lines[3] + lines[4]) / 2
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
