"""The outer edge of a round object, sub-pixel and in mm: what diameters, centres and regions rest on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qc.measure.fit import linear
from qc.measure.roi import Floats

STEP_DEG = 2.0
RAY_STEP_MM = 0.25
INNER_MM = (1.5, 4.5)  # where, inside the edge, the local signal is read: clear of the blur, outside any insert
LEVEL_WINDOW_DEG = 10.0
NEAR_MM = (20.0, 12.0)  # inwards and outwards of an edge that is roughly known


@dataclass(frozen=True, eq=False)
class Outline:
    """Edge of a round object, as distances from a point inside.

    Attributes
    ----------
    center
        (row, col) in pixels, of the fitted ellipse.
    spacing_mm
        (row, column).
    angles_deg, radii_mm
        (n,) Points of the edge seen from `center`; 0 points to larger columns, 90 to smaller rows; NaN where no edge was found.
    used
        (n,) Points the ellipse was fitted to.
    ellipse
        (mean radius, cos 2 theta part, sin 2 theta part) in mm.
    rms_mm
        Scatter of the used points round the ellipse.
    cut
        Share of the directions in which the object runs out of the image.
    """

    center: tuple[float, float]
    spacing_mm: tuple[float, float]
    angles_deg: Floats
    radii_mm: Floats
    used: NDArray[np.bool_]
    ellipse: tuple[float, float, float]
    rms_mm: float
    cut: float

    @property
    def radius_mm(self) -> float:
        """Mean radius of the fitted ellipse."""
        return self.ellipse[0]

    @cached_property
    def axis_ratio(self) -> float:
        """Longest over shortest diameter of the fitted ellipse."""
        part = float(np.hypot(self.ellipse[1], self.ellipse[2]))
        return (self.ellipse[0] + part) / (self.ellipse[0] - part)

    def radius_at(self, angle_deg: Any) -> Any:
        """Radius of the fitted ellipse in a direction, mm."""
        twice = 2 * np.deg2rad(angle_deg)
        return self.ellipse[0] + self.ellipse[1] * np.cos(twice) + self.ellipse[2] * np.sin(twice)

    def diameter(self, angle_deg: float, window_deg: float = 10.0) -> Diameter:
        """Return the diameter in a direction.

        Edge points within `window_deg` of the direction and of its opposite, each against the ellipse, so that the small
        turn within the window costs nothing. A side without usable points (fill plug) follows the ellipse.

        Worked number: a disc of 190 mm gives 190.00 mm in every direction within 0.02 mm.
        """
        ends, errors, counts = [], [], []
        residual = self.radii_mm - self.radius_at(self.angles_deg)
        for side in (angle_deg, angle_deg + 180.0):
            near = self.used & (np.abs((self.angles_deg - side + 180) % 360 - 180) <= window_deg)
            points = residual[near]
            # neighbouring rays share pixels: about one independent point every two pixels of the arc
            arc_px = np.deg2rad(2 * window_deg) * self.ellipse[0] / (2 * max(self.spacing_mm))
            independent = max(1.0, min(float(len(points)), arc_px))
            ends.append(float(self.radius_at(side)) + (float(points.mean()) if len(points) else 0.0))
            errors.append(self.rms_mm / np.sqrt(independent if len(points) else 20.0))
            counts.append(len(points))
        fitted = 2 * float(self.radius_at(angle_deg))
        return Diameter(ends[0] + ends[1], float(np.hypot(*errors)), fitted, (counts[0], counts[1]))


@dataclass(frozen=True)
class Diameter:
    """A diameter in mm: from the edge points, its standard uncertainty, from the ellipse alone, and points used at each end."""

    value: float
    uncertainty: float
    fitted: float
    points: tuple[int, int]


def rough_center(image: Floats, spacing_mm: tuple[float, float]) -> tuple[tuple[float, float], float, float] | None:
    """Return centre (row, col), mean half side (mm) of the box round the large bright objects, and their level.

    None where nothing of at least 20 cm2 is bright.
    """
    from scipy import ndimage

    step = max(1, min(image.shape) // 128)
    small = np.asarray(image[step // 2 :: step, step // 2 :: step])
    low, high = (float(level) for level in np.percentile(small, (5, 99)))
    labels, count = ndimage.label(small > low + 0.35 * (high - low))
    if count == 0 or high <= low:
        return None
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    mask = (sizes >= 0.05 * sizes.max())[labels]  # an insert can cut the bright rim into pieces
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    height, width = (rows[-1] - rows[0] + 1) * step * spacing_mm[0], (columns[-1] - columns[0] + 1) * step * spacing_mm[1]
    if height * width < 2000.0:
        return None
    center = ((rows[0] + rows[-1]) / 2 * step + step // 2, (columns[0] + columns[-1]) / 2 * step + step // 2)
    return center, float(height + width) / 4, float(np.median(small[mask]))


def _rays(
    image: Floats,
    center: tuple[float, float],
    reach_mm: tuple[float, float],
    spacing_mm: tuple[float, float],
    angles_deg: Floats,
    order: int,
    step_mm: float,
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Return distances (m,), values along rays (n, m), and which samples lie outside the image."""
    from scipy import ndimage

    steps = np.arange(reach_mm[0], reach_mm[1], step_mm)
    angles = np.deg2rad(angles_deg)[:, None]
    rows = center[0] - np.sin(angles) * steps / spacing_mm[0]
    columns = center[1] + np.cos(angles) * steps / spacing_mm[1]
    outside = (rows < 0) | (rows > image.shape[0] - 1) | (columns < 0) | (columns > image.shape[1] - 1)
    top, left = max(0, int(rows.min()) - 8), max(0, int(columns.min()) - 8)
    part = np.asarray(image[top : int(rows.max()) + 9, left : int(columns.max()) + 9], float)
    values = ndimage.map_coordinates(part, [rows - top, columns - left], order=order, mode="constant", cval=0.0)
    return steps, values, outside


def edge_radii(
    image: Floats,
    center: tuple[float, float],
    radius_mm: float,
    bright: float,
    spacing_mm: tuple[float, float],
    angles_deg: Floats,
    order: int = 3,
    known: bool = False,
) -> tuple[Floats, NDArray[np.bool_]]:
    """Return where rays leave a round object, searched from outside inwards.

    The level is half of the local signal 1.5 to 4.5 mm inside the edge, smoothed over 20 degrees by a median, so neither
    shading nor a plug moves it.

    Parameters
    ----------
    known
        True where `center` and `radius_mm` are right within some mm: then only the neighbourhood of the edge is looked at, finely.

    Returns
    -------
    radii, cut
        (n,) mm, NaN where no edge is met; and whether the ray runs out of the image before the object ends.
    """
    reach = (max(0.6 * radius_mm, radius_mm - NEAR_MM[0]), radius_mm + NEAR_MM[1]) if known else (0.6 * radius_mm, 1.3 * radius_mm)
    step = RAY_STEP_MM if known else 2 * RAY_STEP_MM
    steps, rays, outside = _rays(image, center, reach, spacing_mm, angles_deg, order, step)
    count = len(steps)

    def last(above: NDArray[np.bool_]) -> NDArray[np.intp]:
        found = count - 1 - np.argmax(above[:, ::-1], axis=1)
        return np.where(above.any(axis=1), found, -1)

    rough = last(rays >= 0.25 * bright)
    cut = (rough >= 0) & outside[np.arange(len(rays)), np.minimum(rough + int(1.5 / step), count - 1)]
    near, far = (int(mm / step) for mm in INNER_MM)
    index = np.clip(rough[:, None] - np.arange(near, far + 1), 0, count - 1)
    inner = np.median(np.take_along_axis(rays, index, axis=1), axis=1)
    inner = np.where(rough >= 0, inner, np.nan)
    width = max(1, round(LEVEL_WINDOW_DEG / (360.0 / len(angles_deg))))
    level = 0.5 * _running_median(inner, width, bright)
    at = last(rays >= level[:, None])
    good = (at >= 0) & (at + 1 < count) & ~cut & (rough >= 0)
    safe = np.clip(at, 0, count - 2)
    here, there = rays[np.arange(len(rays)), safe], rays[np.arange(len(rays)), safe + 1]
    drop = np.where(here - there > 0, here - there, 1.0)
    radii = steps[safe] + step * (here - level) / drop
    return np.where(good, radii, np.nan), cut


def _running_median(values: Floats, width: int, otherwise: float) -> Floats:
    """Return the median of `width` neighbours on both sides of each value of a closed ring, NaN left out."""
    shifted = np.stack([np.roll(values, shift) for shift in range(-width, width + 1)])
    finite = np.isfinite(shifted)
    if finite.all():
        return np.asarray(np.median(shifted, axis=0))
    seen = finite.any(axis=0)
    found: Floats = np.full(len(values), otherwise)
    found[seen] = np.nanmedian(shifted[:, seen], axis=0)
    return found


def _fit(angles_deg: Floats, radii: Floats, usable: NDArray[np.bool_]) -> tuple[Floats, NDArray[np.bool_], float]:
    """Fit r = a + b cos + c sin + d cos 2 + e sin 2, leaving out points off by more than 3 robust SD (at least 0.3 mm)."""
    theta = np.deg2rad(angles_deg)
    matrix = np.stack([np.ones_like(theta), np.cos(theta), np.sin(theta), np.cos(2 * theta), np.sin(2 * theta)], axis=1)
    start = np.median(radii[usable])
    keep = usable & (np.abs(radii - start) < 12.0)
    solution: Floats = np.zeros(5)
    rms = 0.0
    for _ in range(5):
        if keep.sum() < 30:
            break
        solution = linear(matrix[keep], radii[keep])
        off = radii - matrix @ solution
        spread = 1.4826 * float(np.median(np.abs(off[keep] - np.median(off[keep]))))
        rms = float(np.sqrt(np.mean(off[keep] ** 2)))
        kept = usable & (np.abs(off) <= max(0.3, 3 * spread))
        if (kept == keep).all():
            break
        keep = kept
    return solution, keep, rms


def outline(
    image: Floats, spacing_mm: tuple[float, float], blocked_deg: tuple[float, float] | None = None, order: int = 3
) -> Outline | None:
    """Find the edge of the largest bright round object.

    Parameters
    ----------
    blocked_deg
        (direction, half width) of a sector that is not used: the fill plug.
    order
        Of the interpolation: 3 where a diameter is measured, 1 where a centre is enough.

    Returns
    -------
    None where there is no round object.
    """
    start = rough_center(image, spacing_mm)
    if start is None:
        return None
    center, radius, bright = start
    angles = np.arange(0.0, 360.0, STEP_DEG if order > 1 else 2 * STEP_DEG)
    fewest = len(angles) // 3
    for turn in range(2):
        radii, cut = edge_radii(image, center, radius, bright, spacing_mm, angles, order if turn else 1, bool(turn))
        usable = np.isfinite(radii)
        if blocked_deg is not None:
            usable &= np.abs((angles - blocked_deg[0] + 180) % 360 - 180) > blocked_deg[1]
        if usable.sum() < fewest:
            return None
        solution, keep, rms = _fit(angles, np.where(usable, radii, 0.0), usable)
        if keep.sum() < fewest:
            return None
        moved = (-solution[2] / spacing_mm[0], solution[1] / spacing_mm[1])
        center = (center[0] + float(moved[0]), center[1] + float(moved[1]))
        radius = float(solution[0])
    return _seen_from(center, solution, spacing_mm, angles, radii, keep, rms, float(cut.mean()))


def _seen_from(
    center: tuple[float, float],
    solution: Floats,
    spacing_mm: tuple[float, float],
    angles: Floats,
    radii: Floats,
    keep: NDArray[np.bool_],
    rms: float,
    cut: float,
) -> Outline:
    """Give the edge points as seen from the fitted centre (they were found from one a fraction of a mm beside it)."""
    theta = np.deg2rad(angles)
    x, y = radii * np.cos(theta) - solution[1], radii * np.sin(theta) - solution[2]
    seen_angles, seen_radii = np.rad2deg(np.arctan2(y, x)) % 360.0, np.hypot(x, y)
    seen_angles = np.where(np.isfinite(seen_angles), seen_angles, angles)
    final, keep_final, rms = _fit(seen_angles, np.where(keep, seen_radii, 0.0), keep)
    return Outline(center, spacing_mm, seen_angles, seen_radii, keep_final, (float(final[0]), float(final[3]), float(final[4])), rms, cut)


def edge_profile(
    image: Floats, edge: Outline, angles_deg: Floats, reach_mm: float = 6.0, step_mm: float = 0.25, order: int = 1
) -> tuple[Floats, Floats]:
    """Return the mean signal across the edge: distance from the fitted edge in mm (positive outside), and signal from 1 inside to 0.

    Profiles along rays, each divided by the signal inside the edge in its direction, averaged.

    Parameters
    ----------
    angles_deg
        Directions of the rays. The pixel grid averages out over some 20 degrees of the edge.
    order
        Of the interpolation.
    """
    from scipy import ndimage

    steps = np.arange(-reach_mm, reach_mm + step_mm / 2, step_mm)
    angles = np.deg2rad(angles_deg)[:, None]
    radii = np.asarray(edge.radius_at(angles_deg))[:, None] + steps
    rows = edge.center[0] - np.sin(angles) * radii / edge.spacing_mm[0]
    columns = edge.center[1] + np.cos(angles) * radii / edge.spacing_mm[1]
    values = ndimage.map_coordinates(image, [rows, columns], output=float, order=order, mode="nearest")
    inner = values[:, steps < -0.5 * reach_mm].mean(axis=1)
    outer = values[:, steps > 0.75 * reach_mm].mean(axis=1)
    good = inner > 2 * np.abs(outer)
    if not good.any():
        return steps, np.zeros(len(steps))
    return steps, np.asarray(((values - outer[:, None]) / (inner - outer)[:, None])[good].mean(axis=0))
