"""Regions on an image in mm: area-weighted discs, and the edge of a round object."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


def fast_size(size: int) -> int:
    """Return the next size with small prime factors, for Fourier transforms."""
    while True:
        rest = size
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return size
        size += 1


def disc_weights(
    shape: tuple[int, int], center: tuple[float, float], radius_mm: float, spacing_mm: tuple[float, float], fine: int = 8
) -> Floats:
    """Return the fraction of each pixel that a disc covers.

    Parameters
    ----------
    shape
        (rows, columns).
    center
        (row, col) in pixels; pixel (0, 0) has its centre at (0, 0).
    spacing_mm
        (row, column) spacing.
    fine
        Sub-samples a pixel and direction, used on the rim only.

    Returns
    -------
    (rows, columns) float array of 0 to 1. A disc of radius 5.642 mm on 1 mm pixels sums to 100.0 (1 cm2) within 0.1 %.
    """
    dy, dx = spacing_mm
    rows = (np.arange(shape[0]) - center[0]) * dy
    columns = (np.arange(shape[1]) - center[1]) * dx
    distance = np.hypot(rows[:, None], columns[None, :])
    half = 0.5 * np.hypot(dy, dx)
    weights = (distance <= radius_mm - half).astype(float)
    rim = np.abs(distance - radius_mm) < half
    at = np.argwhere(rim)
    offsets = (np.arange(fine) + 0.5) / fine - 0.5
    y = rows[at[:, 0]][:, None, None] + offsets[None, :, None] * dy
    x = columns[at[:, 1]][:, None, None] + offsets[None, None, :] * dx
    weights[rim] = (y * y + x * x <= radius_mm * radius_mm).mean(axis=(1, 2))
    return np.asarray(weights)


def disc_kernel(radius_mm: float, spacing_mm: tuple[float, float]) -> Floats:
    """Return a normalised area-weighted disc as a convolution kernel with odd sides."""
    half = [int(np.ceil(radius_mm / spacing + 0.5)) for spacing in spacing_mm]
    weights = disc_weights((2 * half[0] + 1, 2 * half[1] + 1), (half[0], half[1]), radius_mm, spacing_mm)
    return np.asarray(weights / weights.sum())


def inside_disc(
    shape: tuple[int, ...], center: tuple[float, float], radius_mm: float, spacing_mm: tuple[float, float]
) -> NDArray[np.bool_]:
    """Return which pixel centres lie within a disc."""
    rows = (np.arange(shape[0]) - center[0]) * spacing_mm[0]
    columns = (np.arange(shape[1]) - center[1]) * spacing_mm[1]
    return np.asarray((rows**2)[:, None] + (columns**2)[None, :] <= radius_mm**2 * (1 + 1e-12))


def object_mask(image: Floats) -> NDArray[np.bool_]:
    """Return the largest bright object, holes filled: above half of the bright level (95th percentile of the upper half)."""
    from scipy import ndimage

    low, high = float(np.percentile(image, 5)), float(np.percentile(image, 99))
    mask = image > low + 0.35 * (high - low)
    labels, count = ndimage.label(mask)
    if count == 0:
        return mask
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(ndimage.binary_fill_holes(labels == sizes.argmax()))


def edge_points(
    image: Floats, center: tuple[float, float], reach_mm: float, spacing_mm: tuple[float, float], angles_deg: Floats, step_mm: float = 0.1
) -> Floats:
    """Return the outer edge of an object along rays, found from outside inwards, sub-pixel.

    The level is half of the local inner signal (median of the ray between 3 and 10 mm inside the first crossing of a
    quarter of the central signal), so shading does not move the edge.

    Parameters
    ----------
    center
        A point inside, (row, col) in pixels.
    reach_mm
        Length of the rays.
    angles_deg
        0 points to larger columns, 90 to smaller rows (up in the picture).

    Returns
    -------
    (n,) distance from `center` in mm; NaN where a ray meets no edge.
    """
    from scipy import ndimage

    steps = np.arange(0.0, reach_mm, step_mm)
    angles = np.deg2rad(angles_deg)[:, None]
    rows = center[0] - np.sin(angles) * steps / spacing_mm[0]
    columns = center[1] + np.cos(angles) * steps / spacing_mm[1]
    rays = ndimage.map_coordinates(np.asarray(image, float), [rows, columns], order=1, mode="constant", cval=0.0)
    outside = (rows < 0) | (rows > image.shape[0] - 1) | (columns < 0) | (columns > image.shape[1] - 1)
    bright = float(np.median(rays[:, : max(2, len(steps) // 3)]))
    found = np.full(len(angles_deg), np.nan)
    for index, ray in enumerate(rays):
        above = np.flatnonzero(ray >= 0.25 * bright)
        if len(above) == 0:
            continue
        last = above[-1]
        if last >= len(steps) - 2 or outside[index, min(last + 2, len(steps) - 1)]:
            continue  # the object is cut by the field of view
        inner = ray[max(0, last - int(10 / step_mm)) : max(1, last - int(3 / step_mm))]
        level = 0.5 * float(np.median(inner)) if len(inner) else 0.5 * bright
        crossing = np.flatnonzero(ray >= level)
        if len(crossing) == 0 or crossing[-1] + 1 >= len(ray):
            continue
        at = crossing[-1]
        drop = ray[at] - ray[at + 1]
        found[index] = steps[at] + step_mm * ((ray[at] - level) / drop if drop > 0 else 0.0)
    return found


def fit_circle(x: Floats, y: Floats) -> tuple[float, float, float, float]:
    """Fit a circle by least squares, twice; points off by more than 3 robust SD (at least 0.3 mm) are left out of the second.

    Returns
    -------
    (x, y, radius, rms) in the unit of the input.
    """
    keep = np.ones(len(x), bool)
    a = b = radius = 0.0
    for _ in range(3):
        matrix = np.column_stack([2 * x[keep], 2 * y[keep], np.ones(keep.sum())])
        a, b, c = np.linalg.lstsq(matrix, x[keep] ** 2 + y[keep] ** 2, rcond=None)[0]
        radius = float(np.sqrt(c + a * a + b * b))
        off = np.hypot(x - a, y - b) - radius
        spread = max(0.1, 1.4826 * float(np.median(np.abs(off[keep] - np.median(off[keep])))))
        keep = np.abs(off) <= 3 * spread
    return float(a), float(b), radius, float(np.sqrt(np.mean(off[keep] ** 2)))
