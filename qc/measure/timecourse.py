"""Stability of repeated volumes: temporal signal to noise, DVARS, spikes, drift."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

IQR_OF_SIGMA = 1.3489795003921634


def temporal_snr(series: Floats) -> float | None:
    """Return the median over the pixels of mean over SD in time.

    Parameters
    ----------
    series
        (times, pixels), the pixels of the object; at least 3 times.

    Returns
    -------
    Mean 1000 with noise 10: 100 (no detrending, as in MRIQC: drift lowers it). None where no pixel varies.
    """
    spread = series.std(axis=0, ddof=1, dtype=np.float64)
    varies = spread > 0
    return float(np.median(series.mean(axis=0, dtype=np.float64)[varies] / spread[varies])) if varies.any() else None


def dvars(series: Floats) -> NDArray[np.float64]:
    """Return for each step in time the root mean square over the pixels of the change. White noise of SD s: sqrt 2 s.

    Parameters
    ----------
    series
        (times, pixels).
    """
    steps: NDArray[np.float64] = np.sqrt(np.mean(np.square(np.diff(series, axis=0), dtype=np.float64), axis=1))
    return steps


def standardised_dvars(series: Floats) -> NDArray[np.float64]:
    """Return DVARS over what it would be by chance: each pixel's sqrt(2 (1 - rho_1)) times its SD; 1 for stationary noise.

    SD from the interquartile range, rho_1 by the lag-1 correlation of each pixel's course (0 where it is constant).

    References
    ----------
    Nichols, Notes on creating a standardized version of DVARS (2013), as in MRIQC.
    """
    low, high = np.percentile(series, [25, 75], axis=0)
    sigma = (high - low) / IQR_OF_SIGMA
    centred = series - series.mean(axis=0, dtype=np.float64)
    power = np.sum(centred**2, axis=0)
    shifted = np.sum(centred[1:] * centred[:-1], axis=0)
    rho = np.divide(shifted, power, out=np.zeros_like(power), where=power > 0)
    expected = float(np.sqrt(np.mean(2 * (1 - rho) * sigma**2)))
    return dvars(series) / expected if expected > 0 else np.zeros(len(series) - 1)


def drift_percent(means: Floats) -> float:
    """Return the change of the mean signal over the whole run in percent of its median, by the median of the slopes of all pairs.

    Single bad volumes do not count (Theil and Sen). From 100 to 102 in even steps: 1.98 (2 over 101).
    """
    one, other = np.triu_indices(len(means), 1)
    slope = float(np.median((means[other] - means[one]) / (other - one)))
    return 100.0 * slope * (len(means) - 1) / float(np.median(means))


def likeness_to_median(series: Floats, slice_of: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return for each volume the correlation with the median volume, slice by slice; the median over the slices.

    1 for a still object, lower where it moved; a single spoilt slice does not count.
    """
    alike = []
    for number in range(int(slice_of.max()) + 1):
        part = series[:, slice_of == number].astype(np.float64)
        if part.shape[1] < 16:
            continue
        middle = np.median(part, axis=0)
        middle = middle - middle.mean()
        centred = part - part.mean(axis=1)[:, None]
        size = np.sqrt(np.sum(centred**2, axis=1) * np.sum(middle**2))
        alike.append(np.divide(centred @ middle, size, out=np.ones(len(part)), where=size > 0))
    result: NDArray[np.float64] = np.median(alike, axis=0) if alike else np.ones(len(series))
    return result


@dataclass(frozen=True)
class Spike:
    """One image that leaps out of the course of its slice.

    Attributes
    ----------
    time, slice
        Indices.
    z
        Departure of its pixels from their neighbours in time, in robust SD over all times of the slice.
    percent
        The same in percent of the signal.
    """

    time: int
    slice: int
    z: float
    percent: float


def spikes(series: Floats, slice_of: NDArray[np.intp], least_z: float = 8.0, least_percent: float = 1.0) -> list[Spike]:
    """Find images whose pixels leap away from those before and after.

    For each image: root mean square over the pixels of x_t - (x_(t-1) + x_(t+1)) / 2 (at the ends against the one next to it), compared
    with the median of its slice over time. A single bad image raises its neighbours too, by half: only local maxima count.

    Parameters
    ----------
    series
        (times, pixels), at least 5 times; one spoilt image is told from 8 on.
    slice_of
        Slice number of each pixel.

    Returns
    -------
    Strongest first.
    """
    before = np.concatenate([series[1:2], series[:-1]])
    after = np.concatenate([series[1:], series[-2:-1]])
    before[0], after[-1] = series[1], series[-2]
    leaps = np.square(series - (before + after) / 2, dtype=np.float64)
    leaps[[0, -1]] *= 0.75  # at the ends against one neighbour: the variance of noise is 2 there, 3/2 elsewhere
    found = []
    level = float(np.mean(np.abs(series))) or 1.0
    for number in range(int(slice_of.max()) + 1):
        members = slice_of == number
        if not members.any():
            continue
        course = np.sqrt(leaps[:, members].mean(axis=1))
        middle = float(np.median(course))
        spread = max(1.4826 * float(np.median(np.abs(course - middle))), 0.02 * middle, 1e-12)
        for time in range(len(course)):
            around = course[max(0, time - 1) : time + 2]
            z, percent = (course[time] - middle) / spread, 100 * (course[time] - middle) / level
            if z > least_z and percent > least_percent and course[time] >= around.max():
                found.append(Spike(time, number, float(z), float(percent)))
    return sorted(found, key=lambda one: -one.z)
