"""The outline of a round CT phantom in one slice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qc.measure.roi import fit_circle

COARSE_MM = 2.0
ANGLES = np.deg2rad(np.arange(0.0, 360.0, 2.0))
FEWEST_RAYS = 60


@dataclass(frozen=True)
class Outline:
    """A circle round the phantom.

    Attributes
    ----------
    center
        (row, col) in pixels.
    rms_mm
        Scatter of the edge points that were used.
    share
        Part of the circumference that was found and lies on the circle.
    cut
        The field of view cuts the phantom.
    """

    center: tuple[float, float]
    radius_mm: float
    rms_mm: float
    share: float
    cut: bool


def coarse_mask(image: NDArray[Any], spacing_mm: tuple[float, float]) -> tuple[NDArray[np.bool_], tuple[int, int]]:
    """Return the largest object on a grid of about 2 mm, holes filled, thin bridges (couch) cut; and the steps of the grid."""
    from scipy import ndimage

    step = max(1, round(COARSE_MM / spacing_mm[0])), max(1, round(COARSE_MM / spacing_mm[1]))
    small = image[:: step[0], :: step[1]]
    solid = small[small > -500]
    if solid.size < 0.01 * small.size:
        return np.zeros(small.shape, bool), step
    mask = small > 0.5 * (-1000.0 + float(np.median(solid)))
    padded = np.pad(mask, 4, mode="edge")  # what touches the border stays closed there when holes are filled
    padded = ndimage.binary_opening(ndimage.binary_fill_holes(padded), np.ones((3, 3)), iterations=2)
    labels, count = ndimage.label(padded[4:-4, 4:-4])
    if count == 0:
        return np.zeros(small.shape, bool), step
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(ndimage.binary_fill_holes(labels == sizes.argmax())), step


def outline(image: NDArray[Any], spacing_mm: tuple[float, float], smallest_mm: float = 30.0) -> Outline | None:
    """Fit a circle to the outer edge of the largest object; None where there is no round one.

    Rays every 2 degrees from the middle: coarse edge from the object's mask, then the half level between air and the wall within
    4 mm of it. Parts of the edge that are no edge (couch) or lie outside the image do not take part.
    """
    mask, step = coarse_mask(image, spacing_mm)
    if mask.sum() < 50:
        return None
    pitch = step[0] * spacing_mm[0], step[1] * spacing_mm[1]
    edge_y, edge_x = _coarse_edge(mask, pitch)
    if len(edge_y) < FEWEST_RAYS:
        return None
    x, y, radius, _ = fit_circle(edge_x, edge_y)
    center = y / spacing_mm[0], x / spacing_mm[1]
    if not smallest_mm / 2 < radius < 400:
        return None
    for _ in range(2):
        points = _fine_edge(image, center, radius, spacing_mm)
        if len(points) < FEWEST_RAYS:
            return None
        x, y, radius, rms = fit_circle(points[:, 0], points[:, 1])
        center = center[0] + y / spacing_mm[0], center[1] + x / spacing_mm[1]
    on_circle = np.abs(np.hypot(points[:, 0] - x, points[:, 1] - y) - radius) < 1.0
    reach = [radius / spacing for spacing in spacing_mm]
    cut = any(center[axis] - reach[axis] < -0.5 or center[axis] + reach[axis] > image.shape[axis] - 0.5 for axis in (0, 1))
    return Outline((float(center[0]), float(center[1])), float(radius), float(rms), float(on_circle.sum() / len(ANGLES)), cut)


def _coarse_edge(mask: NDArray[np.bool_], pitch: tuple[float, float]) -> tuple[Any, Any]:
    """Border points of the mask in mm (y, x), those on the border of the image left out."""
    from scipy import ndimage

    inner = ndimage.binary_erosion(mask, border_value=1)
    rows, columns = np.nonzero(mask & ~inner)
    return rows * pitch[0], columns * pitch[1]


def _fine_edge(image: NDArray[Any], center: tuple[float, float], radius_mm: float, spacing_mm: tuple[float, float]) -> NDArray[np.float64]:
    """Edge points (x, y) in mm from the centre: outermost crossing of half the local wall within 5 mm of the circle."""
    from scipy import ndimage

    steps = np.arange(-7.0, 5.0, 0.2)
    distance = radius_mm + steps
    rows = center[0] + np.sin(ANGLES)[:, None] * distance / spacing_mm[0]
    columns = center[1] + np.cos(ANGLES)[:, None] * distance / spacing_mm[1]
    rays = ndimage.map_coordinates(image, [rows, columns], np.float32, order=1, mode="nearest")
    inside = (rows[:, -1] >= 0) & (rows[:, -1] <= image.shape[0] - 1) & (columns[:, -1] >= 0) & (columns[:, -1] <= image.shape[1] - 1)
    wall = np.median(rays[:, (steps > -6) & (steps < -3)], axis=1)
    air = rays[:, -3:].mean(axis=1)
    level = 0.5 * (wall + air)
    usable = inside & (wall - air > 300)
    above = rays >= level[:, None]
    last = len(steps) - 1 - np.argmax(above[:, ::-1], axis=1)
    usable &= above.any(axis=1) & (last < len(steps) - 1)
    at = np.flatnonzero(usable)
    inner, outer = rays[at, last[at]], rays[at, last[at] + 1]
    r = distance[last[at]] + 0.2 * (inner - level[at]) / (inner - outer)
    return np.column_stack([r * np.cos(ANGLES[at]), r * np.sin(ANGLES[at])])
