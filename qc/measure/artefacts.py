"""Artefacts in the air round an object: lines of radio noise, spikes in k-space, a bright centre, wrap-around."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from qc.measure.roi import Floats


@dataclass(frozen=True)
class Lines:
    """Lines that stand out of the air.

    Attributes
    ----------
    axis
        0: rows of the image, 1: columns.
    numbers
        Which rows or columns.
    strongest
        Robust z of the strongest.
    """

    axis: int
    numbers: tuple[int, ...]
    strongest: float


def zipper(image: Floats, air: NDArray[np.bool_], axis: int, least_z: float = 6.0, fewest: int = 2) -> Lines | None:
    """Find neighbouring rows (axis 0) or columns (axis 1) whose air is brighter than that of all others.

    z = (median of the line - median of all medians) / (1.4826 MAD of the medians); at least `fewest` lines in a row with z above
    `least_z`. A smooth change along the axis is taken away first (running median over 31 lines). A line runs straight through: both its
    halves must stand out, which curved ripples beside a blurred object do not.
    """
    from scipy import ndimage

    masked = np.where(air, np.asarray(image, float), np.nan)
    counts = air.sum(axis=1 - axis)
    usable = counts >= 20
    if usable.sum() < 40 or float(np.mean(np.asarray(image)[air] == 0)) > 0.2:
        return None  # masked air: what is left of it is no noise to compare with
    lines = np.full(len(counts), np.nan)
    lines[usable] = np.nanmean(masked[usable] if axis == 0 else masked[:, usable], axis=1 - axis)
    places = np.flatnonzero(usable)
    values = lines[places] - ndimage.median_filter(lines[places], 31, mode="nearest")
    spread = 1.4826 * float(np.median(np.abs(values - np.median(values))))
    if spread <= 0:
        return None
    z = (values - np.median(values)) / spread
    high = z > least_z
    labels, count = ndimage.label(high)
    best: Lines | None = None
    for label in range(1, count + 1):
        run = places[labels == label]
        top = float(z[labels == label].max())
        straight = len(run) >= fewest and np.ptp(run) == len(run) - 1 and _runs_through(masked if axis == 0 else masked.T, run)
        if straight and (best is None or top > best.strongest):
            best = Lines(axis, tuple(int(place) for place in run), top)
    return best


def _runs_through(masked: Floats, run: NDArray[np.intp]) -> bool:
    """Tell whether both outer quarters of the lines (rows) are brighter than those of the lines beside, each by a third of the whole."""
    beside = np.concatenate([np.arange(run[0] - 12, run[0] - 3), np.arange(run[-1] + 4, run[-1] + 13)])
    beside = beside[(beside >= 0) & (beside < len(masked))]
    quarter = masked.shape[1] // 4
    rises = []
    for part in (slice(0, quarter), slice(-quarter, None), slice(None)):
        here, there = masked[run, part], masked[beside, part]
        if np.isfinite(here).sum() < 8 or np.isfinite(there).sum() < 8:
            return False
        rises.append(float(np.nanmean(here) - np.nanmean(there)))
    return min(rises[:2]) > rises[2] / 3 > 0


@lru_cache(maxsize=8)
def _rings(height: int, width: int) -> tuple[Floats, Floats, NDArray[np.intp], NDArray[np.intp]]:
    """Return the frequencies of k-space, its cells in order of their distance from the middle, and where each ring starts."""
    rows = np.fft.fftfreq(height)[:, None]
    columns = np.fft.rfftfreq(width)[None, :]
    ring = np.round(np.hypot(rows, columns) * 100).astype(int)
    order = np.argsort(ring, axis=None, kind="stable")
    return rows, columns, order, np.searchsorted(ring.ravel()[order], np.arange(10, 51))


def spikes(image: Floats, least: float = 12.0) -> list[tuple[float, float, float]]:
    """Find isolated bright cells of k-space (herringbone): (cycles per column, cycles per row, height over the ring's spread).

    The object's own spectrum is smooth on rings; a cell counts that lies `least` robust SDs above the median of its ring, and
    outside the inner 20 % of k-space. A wave of amplitude a gives two symmetric cells; one is reported.
    """
    window = np.outer(np.hanning(image.shape[0]), np.hanning(image.shape[1]))
    power = np.log(np.abs(np.fft.rfft2((np.asarray(image, float) - float(np.mean(image))) * window)) + 1e-9)
    rows, columns, order, bounds = _rings(image.shape[0], image.shape[1])
    found: list[tuple[float, float, float]] = []
    flat = power.ravel()
    for start, stop in itertools.pairwise(bounds):
        cells = order[start:stop]
        if len(cells) < 30:
            continue
        values = flat[cells]
        middle = float(np.median(values))
        spread = 1.4826 * float(np.median(np.abs(values - middle)))
        for at in np.flatnonzero(values > middle + least * max(spread, 0.15) * 0.5):
            row, column = divmod(int(cells[at]), power.shape[1])
            if column > 1 and abs(float(rows[row, 0])) * image.shape[0] > 1:  # the axes hold edges and ghosts
                found.append((float(rows[row, 0]), float(columns[0, column]), float((values[at] - middle) / max(spread, 0.15))))
    return sorted(found, key=lambda one: -one[2])


def center_point(image: Floats) -> float:
    """Return how far the centre pixel stands out of its 24 neighbours, in their SD (a direct-current artefact)."""
    row, column = image.shape[0] // 2, image.shape[1] // 2
    block = np.asarray(image[row - 2 : row + 3, column - 2 : column + 3], float)
    rest = np.delete(block.ravel(), 12)
    spread = float(rest.std())
    return float(abs(block[2, 2] - rest.mean()) / spread) if spread > 0 else 0.0


def quadrature_ghost(
    image: Floats, center: tuple[float, float], radius_mm: float, spacing_mm: tuple[float, float], margin_mm: float = 3.0
) -> tuple[float, float] | None:
    """Return the share of the signal that appears turned by 180 degrees about the middle of the image, and its height over the noise.

    An imbalance of the two receiver channels makes this ghost. It shows where the turned object reaches into the air; that
    crescent is held against the one on the other side of the object, which is as far from its edge.

    Returns
    -------
    ratio, z; None where the object lies so much in the middle that less than 2 cm2 of its turned picture fall into air.
    """
    middle = ((image.shape[0] - 1) / 2, (image.shape[1] - 1) / 2)
    down, across = ((2 * (m - c)) * s for m, c, s in zip(middle, center, spacing_mm, strict=True))
    y = (np.arange(image.shape[0]) - center[0])[:, None] * spacing_mm[0]
    x = (np.arange(image.shape[1]) - center[1])[None, :] * spacing_mm[1]
    outside = np.hypot(y, x) > radius_mm + margin_mm
    crescent = outside & (np.hypot(y - down, x - across) < radius_mm - margin_mm)
    opposite = outside & (np.hypot(y + down, x + across) < radius_mm - margin_mm)
    if min(crescent.sum(), opposite.sum()) * spacing_mm[0] * spacing_mm[1] < 200.0:
        return None
    level = float(np.median(image[np.hypot(y, x) < 0.8 * radius_mm]))
    near, far = np.asarray(image[crescent], float), np.asarray(image[opposite], float)
    spread = float(np.sqrt(near.var() / len(near) + far.var() / len(far)))
    rise = float(near.mean() - far.mean())
    return (rise / level, rise / spread) if level > 0 and spread > 0 else None


def wrapped(image: Floats, level: float, share: float = 0.2, border: int = 3) -> tuple[bool, bool]:
    """Tell whether signal touches both opposite borders (top and bottom; left and right): wrap-around or a cut object."""
    values = np.asarray(image, float)

    def lit(part: Floats) -> bool:
        return bool(np.percentile(part, 90) > share * level)

    return lit(values[:border]) and lit(values[-border:]), lit(values[:, :border]) and lit(values[:, -border:])
