"""Are the holes of a row separate? And the modulation transfer function of an edge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qc.measure.roi import Floats


@dataclass(frozen=True)
class Comb:
    """The row of four holes that is told apart best.

    Attributes
    ----------
    modulation
        Mean depth of the valleys over the height of the peaks above the ground.
    resolved
        Whether peaks and valleys meet the rule.
    row
        Number of the profile.
    """

    modulation: float
    resolved: bool
    row: int


def best_comb(block: Floats, step_mm: float, pitch_mm: float, sigma: float, noise_factor: float, least_modulation: float) -> Comb:
    """Look along every row of a finely sampled array for four holes at the pitch of the array.

    Parameters
    ----------
    block
        (rows, n) with the direction to be read along the second axis; ground on all sides.
    sigma
        Noise SD.

    Returns
    -------
    The row with the deepest valleys among those that are resolved, else among all.
    """
    _rows, count = block.shape
    pitch = pitch_mm / step_mm
    quarter, tenth = max(1, round(0.2 * pitch)), max(1, round(0.1 * pitch))
    ground = float(np.nanpercentile(block, 5))
    height = float(np.nanpercentile(block, 95)) - ground
    starts = np.arange(quarter, int(count - 3 * pitch - quarter - 1))
    if len(starts) == 0 or height <= 0:
        return Comb(0.0, False, 0)
    # highest and lowest value near every place
    from scipy import ndimage

    filled = np.nan_to_num(block, nan=ground)
    tops = ndimage.maximum_filter1d(filled, 2 * quarter + 1, axis=1)
    bottoms = ndimage.minimum_filter1d(filled, 2 * tenth + 1, axis=1)
    peaks = np.stack([tops[:, np.round(starts + k * pitch).astype(int)] for k in range(4)])
    valleys = np.stack([bottoms[:, np.round(starts + (k + 0.5) * pitch).astype(int)] for k in range(3)])
    # the four holes are alike: a peak of half the height belongs to something else
    alike = peaks.min(axis=0) > 0.5 * peaks.max(axis=0)
    bright = peaks.min(axis=0) - ground > 0.35 * height
    deep = (valleys <= np.minimum(peaks[:-1], peaks[1:]) - noise_factor * sigma).all(axis=0)
    # a peak must be one: higher than both sides at the half pitch, the outer ones against the ground beside them
    outer = np.stack([bottoms[:, np.clip(np.round(starts - 0.5 * pitch).astype(int), 0, count - 1)],
                      bottoms[:, np.clip(np.round(starts + 3.5 * pitch).astype(int), 0, count - 1)]])  # fmt: skip
    closed = (outer < peaks[[0, 3]]).all(axis=0)
    modulation = (peaks.mean(axis=0) - valleys.mean(axis=0)) / np.maximum(peaks.mean(axis=0) - ground, 1e-9)
    candidate = alike & bright & closed
    good = candidate & deep & (modulation >= least_modulation)
    pool = good if good.any() else candidate
    if not pool.any():
        return Comb(0.0, False, 0)
    scored = np.where(pool, modulation, -1.0)
    row, column = np.unravel_index(int(scored.argmax()), scored.shape)
    return Comb(float(modulation[row, column]), bool(good.any()), int(row))


@dataclass(frozen=True, eq=False)
class Mtf:
    """Modulation transfer function: frequencies in 1/mm, values, and where it falls to 50 and 10 %."""

    frequencies: Floats
    values: Floats
    mtf50: float | None
    mtf10: float | None


def edge_mtf(distance_mm: Floats, signal: Floats) -> Mtf:
    """Return the MTF from an evenly sampled edge (1 inside to 0 outside).

    Derivative, window centred on the edge and flat in its middle, Fourier transform, freed from the finite difference.

    Worked number: a Gaussian point spread of SD s gives MTF50 = 0.18739 / s.
    """
    step = float(distance_mm[1] - distance_mm[0])
    spread = -np.diff(signal)
    places = (distance_mm[1:] + distance_mm[:-1]) / 2
    total = float(spread.sum())
    if total <= 0:
        return Mtf(np.zeros(1), np.ones(1), None, None)
    center = float((places * np.clip(spread, 0, None)).sum() / np.clip(spread, 0, None).sum())
    reach = float(min(center - places[0], places[-1] - center))
    # flat over the middle half: a window that falls from the middle on would narrow the spread function (3 % at 0.8 mm)
    out = np.clip((np.abs(places - center) - reach / 2) / max(reach / 2, 1e-9), 0.0, 1.0)
    window = 0.5 + 0.5 * np.cos(np.pi * out)
    padded = np.zeros(4096)
    padded[: len(spread)] = spread * window
    values = np.abs(np.fft.rfft(padded))
    frequencies = np.fft.rfftfreq(4096, step)
    values = values / values[0] / np.maximum(np.sinc(frequencies * step), 1e-3)
    keep = frequencies <= 0.45 / step
    return Mtf(frequencies[keep], values[keep], _falls_to(frequencies, values, 0.5), _falls_to(frequencies, values, 0.1))


def _falls_to(frequencies: Floats, values: Floats, level: float) -> float | None:
    below = np.flatnonzero(values < level)
    if len(below) == 0 or below[0] == 0:
        return None
    at = int(below[0])
    return float(frequencies[at - 1] + (frequencies[at] - frequencies[at - 1]) * (values[at - 1] - level) / (values[at - 1] - values[at]))
