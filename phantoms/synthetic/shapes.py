"""Shapes drawn by area coverage: the value of a pixel is the part of its area that the shape covers.

Every shape is a polygon, and the coverage of a polygon is computed exactly (no sampling), so the area, the centroid and the edges
of a shape are right to far below a pixel whatever the pixel size is. A disc is a polygon of many sides with exactly the area of the
disc; its edge is within a thousandth of a pixel of the circle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Image = NDArray[np.float64]


@dataclass(frozen=True)
class Grid:
    """How the pixels lie on the phantom.

    Shapes are given in the frame of the phantom, in mm: x to the right, y down, (0, 0) the middle of the phantom.

    Attributes
    ----------
    rows, columns
        Size of the image in pixels.
    spacing_mm
        (row spacing, column spacing), as DICOM's PixelSpacing: the first is the distance in y, the second in x.
    origin_mm
        (x, y) of the centre of the first pixel. None puts (0, 0) in the middle of the image.
    rotation_deg
        The phantom is turned by this angle about its middle, clockwise as seen on the screen.
    """

    rows: int
    columns: int
    spacing_mm: tuple[float, float] = (1.0, 1.0)
    origin_mm: tuple[float, float] | None = None
    rotation_deg: float = 0.0

    @classmethod
    def shifted(
        cls,
        rows: int,
        columns: int,
        spacing_mm: tuple[float, float],
        offset_mm: tuple[float, float] = (0.0, 0.0),
        rotation_deg: float = 0.0,
    ) -> Grid:
        """Make a grid with the middle of the phantom `offset_mm` = (x, y) away from the middle of the image."""
        middle = cls(rows, columns, spacing_mm).first_pixel_mm
        return cls(rows, columns, spacing_mm, (middle[0] - offset_mm[0], middle[1] - offset_mm[1]), rotation_deg)

    def finer(self, factor: int) -> Grid:
        """Make a grid over the same field whose pixels are `factor` times smaller in both directions."""
        spacing = self.spacing_mm[0] / factor, self.spacing_mm[1] / factor
        x0, y0 = self.first_pixel_mm
        corner = x0 - (self.spacing_mm[1] - spacing[1]) / 2, y0 - (self.spacing_mm[0] - spacing[0]) / 2
        return Grid(self.rows * factor, self.columns * factor, spacing, corner, self.rotation_deg)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.rows, self.columns

    @property
    def pixel_area_mm2(self) -> float:
        """Area of one pixel in mm²."""
        return self.spacing_mm[0] * self.spacing_mm[1]

    @property
    def first_pixel_mm(self) -> tuple[float, float]:
        """(x, y) of the centre of the first pixel in mm, before the rotation."""
        if self.origin_mm is not None:
            return self.origin_mm
        return -(self.columns - 1) / 2 * self.spacing_mm[1], -(self.rows - 1) / 2 * self.spacing_mm[0]

    def to_pixels(self, points_mm: ArrayLike) -> NDArray[np.float64]:
        """Convert points of the phantom to pixel indices.

        Parameters
        ----------
        points_mm
            (n, 2) array of (x, y) in mm.

        Returns
        -------
        ndarray
            (n, 2) array of (row, col); whole numbers are the centres of pixels.
        """
        points = np.atleast_2d(np.asarray(points_mm, dtype=float))
        angle = np.deg2rad(self.rotation_deg)
        x = points[:, 0] * np.cos(angle) - points[:, 1] * np.sin(angle)
        y = points[:, 0] * np.sin(angle) + points[:, 1] * np.cos(angle)
        x0, y0 = self.first_pixel_mm
        return np.stack([(y - y0) / self.spacing_mm[0], (x - x0) / self.spacing_mm[1]], axis=1)

    def coordinates(self) -> tuple[Image, Image]:
        """Give x and y of every pixel centre in the frame of the phantom, each (rows, columns) in mm."""
        x0, y0 = self.first_pixel_mm
        x = x0 + np.arange(self.columns)[None, :] * self.spacing_mm[1]
        y = y0 + np.arange(self.rows)[:, None] * self.spacing_mm[0]
        angle = np.deg2rad(self.rotation_deg)
        return x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)


def polygon(grid: Grid, points_mm: ArrayLike) -> Image:
    """Coverage of a simple polygon, exact.

    Each edge is cut at the row borders. A piece of an edge inside one row covers, of every pixel of that row, the part to its left;
    pieces that go down count positive and pieces that go up negative, so what is left of both sides of the polygon cancels.

    Parameters
    ----------
    grid
        The pixels.
    points_mm
        (n, 2) corners (x, y) in mm, in either sense of rotation.

    Returns
    -------
    ndarray
        (rows, columns), 0 outside, 1 inside, the covered part of the pixel on the edge.
    """
    out = np.zeros(grid.shape)
    corners = grid.to_pixels(points_mm) + 0.5  # pixel (r, c) now reaches from r to r + 1 and from c to c + 1
    row0, col0 = corners.T
    row1, col1 = np.roll(row0, -1), np.roll(col0, -1)

    top, bottom = np.minimum(row0, row1), np.maximum(row0, row1)
    first_row = np.floor(top).astype(int)
    pieces = np.maximum(np.ceil(bottom).astype(int) - first_row, 1)  # how many rows an edge passes through
    edge = np.repeat(np.arange(len(row0)), pieces)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(pieces) - pieces, pieces) + first_row[edge]

    upper = np.clip(row, top[edge], bottom[edge])
    lower = np.clip(row + 1, top[edge], bottom[edge])
    keep = (lower > upper) & (row >= 0) & (row < grid.rows)
    edge, row, upper, lower = edge[keep], row[keep], upper[keep], lower[keep]
    slope = (col1 - col0)[edge] / (row1 - row0)[edge]
    col_upper = col0[edge] + (upper - row0[edge]) * slope
    col_lower = col0[edge] + (lower - row0[edge]) * slope

    left = int(np.clip(np.floor(col0.min()), 0, grid.columns))
    right = int(np.clip(np.ceil(col0.max()), 0, grid.columns))
    if right <= left or not len(edge):
        return out
    columns = np.arange(left, right)
    covered = _mean_of_clipped(col_upper[:, None] - columns, col_lower[:, None] - columns)
    signed_height = np.where(row1 > row0, 1.0, -1.0)[edge] * (lower - upper)
    order = np.argsort(row, kind="stable")
    starts = np.flatnonzero(np.diff(row[order], prepend=-1))
    out[row[order][starts], left:right] = np.add.reduceat((signed_height[:, None] * covered)[order], starts, axis=0)
    return np.clip(np.abs(out), 0.0, 1.0)


def _mean_of_clipped(a: Image, b: Image) -> Image:
    """Mean of clip(x, 0, 1) while x runs evenly from a to b."""

    def integral(x: Image) -> Image:
        return 0.5 * np.clip(x, 0.0, 1.0) ** 2 + np.maximum(x - 1.0, 0.0)

    run = b - a
    flat = np.abs(run) < 1e-7
    mean = (integral(b) - integral(a)) / np.where(flat, 1.0, run)
    return np.where(flat, np.clip((a + b) / 2, 0.0, 1.0), mean)


def ellipse(grid: Grid, centre_mm: tuple[float, float], semi_axes_mm: tuple[float, float], angle_deg: float = 0.0) -> Image:
    """Coverage of an ellipse.

    Parameters
    ----------
    centre_mm
        (x, y) in mm.
    semi_axes_mm
        (along x, along y) in mm, before the ellipse is turned by `angle_deg` (clockwise on the screen).
    """
    largest = max(semi_axes_mm)
    sides = int(np.clip(np.pi * np.sqrt(largest / (2e-3 * min(grid.spacing_mm))), 64, 4096))
    step = 2 * np.pi / sides
    same_area = np.sqrt(step / np.sin(step))  # the polygon gets the area of the ellipse, not of the one drawn into it
    t = np.arange(sides) * step
    x, y = semi_axes_mm[0] * same_area * np.cos(t), semi_axes_mm[1] * same_area * np.sin(t)
    return polygon(grid, _turned(x, y, angle_deg) + np.asarray(centre_mm))


def disc(grid: Grid, centre_mm: tuple[float, float], radius_mm: float) -> Image:
    """Coverage of a disc; centre (x, y) and radius in mm."""
    return ellipse(grid, centre_mm, (radius_mm, radius_mm))


def annulus(grid: Grid, centre_mm: tuple[float, float], inner_radius_mm: float, outer_radius_mm: float) -> Image:
    """Coverage of a ring; centre (x, y) and both radii in mm."""
    return disc(grid, centre_mm, outer_radius_mm) - disc(grid, centre_mm, inner_radius_mm)


def rectangle(grid: Grid, centre_mm: tuple[float, float], size_mm: tuple[float, float], angle_deg: float = 0.0) -> Image:
    """Coverage of a rectangle.

    Parameters
    ----------
    centre_mm
        (x, y) in mm.
    size_mm
        (width in x, height in y) in mm, before the rectangle is turned by `angle_deg` (clockwise on the screen).
    """
    x = np.array([-0.5, 0.5, 0.5, -0.5]) * size_mm[0]
    y = np.array([-0.5, -0.5, 0.5, 0.5]) * size_mm[1]
    return polygon(grid, _turned(x, y, angle_deg) + np.asarray(centre_mm))


def box(grid: Grid, left_mm: float, top_mm: float, right_mm: float, bottom_mm: float) -> Image:
    """Coverage of an upright rectangle given by its sides in mm."""
    return polygon(grid, [(left_mm, top_mm), (right_mm, top_mm), (right_mm, bottom_mm), (left_mm, bottom_mm)])


def _turned(x: Image, y: Image, angle_deg: float) -> Image:
    angle = np.deg2rad(angle_deg)
    return np.stack([x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)], axis=1)


def ramp(grid: Grid, gradient_per_mm: tuple[float, float], at_middle: float = 1.0) -> Image:
    """Linear ramp ``at_middle + gx * x + gy * y``; the mean over a pixel equals the value at its centre, so it is exact.

    Parameters
    ----------
    gradient_per_mm
        (gx, gy), change of the value per mm.
    at_middle
        Value at (0, 0).
    """
    x, y = grid.coordinates()
    return at_middle + gradient_per_mm[0] * x + gradient_per_mm[1] * y


def paint(image: Image, coverage: Image, value: float | Image) -> Image:
    """Lay a shape over an image: ``image * (1 - coverage) + value * coverage``.

    Parameters
    ----------
    image, coverage
        (rows, columns).
    value
        What the shape is filled with, a number or an image.

    Returns
    -------
    ndarray
        A new image.
    """
    return image * (1.0 - coverage) + np.asarray(value) * coverage


def paint_all(image: Image, layers: Sequence[tuple[Image, float | Image]]) -> Image:
    """Paint (coverage, value) pairs one over the other, the first at the bottom."""
    for coverage, value in layers:
        image = paint(image, coverage, value)
    return image
