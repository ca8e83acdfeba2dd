"""The slices of a CT series by their place along the normal, decoded only when they are looked at."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qc import geometry
from qc.errors import Unmeasurable
from qc.pixels import FramePixels, PixelAccess, Unreadable, frames, unit
from qc.study import Frame, Series

AIR_HU = -1000.0
PADDING_BELOW_HU = -1500.0
KEPT_SLICES = 24
Floats = NDArray[np.float32]


class Stack:
    """A CT series as slices along z. Holds a few decoded slices, whatever the length of the series.

    Attributes
    ----------
    rows
        Frames in order of z, one a position.
    z_mm
        (n,) place along the mean normal of the planes.
    spacing_mm
        (row, column) spacing.
    """

    def __init__(self, series: Series, pixels: PixelAccess) -> None:
        rows = [frame for frame in series.frames if frame.instance.layout is not None and frame.spacing_mm is not None]
        if not rows:
            raise Unmeasurable("no_pixel_data", "no frame of the series has pixels and a pixel size")
        usual = max({(row.get("Rows"), row.get("Columns"), row.spacing_mm) for row in rows}, key=[_key(row) for row in rows].count)
        rows = [row for row in rows if _key(row) == usual]
        self.series, self.pixels = series, pixels
        self.rows, self.z_mm = _ordered(rows)
        self.spacing_mm: tuple[float, float] = usual[2]
        self._kept: OrderedDict[int, Floats] = OrderedDict()

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def unit(self) -> str:
        """UCUM unit of the values."""
        return unit(self.rows[0])

    @property
    def step_mm(self) -> float | None:
        """Median distance of neighbouring slices; None for a single slice."""
        return float(np.median(np.diff(self.z_mm))) if len(self) > 1 else None

    def slice(self, index: int) -> Floats:
        """Return slice `index`, (rows, columns); padding outside the field of view (-2000, -3024) reads as air.

        Raises
        ------
        Unmeasurable
            ``pixels_unreadable``.
        """
        if index in self._kept:
            self._kept.move_to_end(index)
            return self._kept[index]
        image = self._decoded(self.rows[index])
        image = np.where(image < PADDING_BELOW_HU, np.float32(AIR_HU), image)
        image.flags.writeable = False
        self._kept[index] = image
        while len(self._kept) > KEPT_SLICES:
            self._kept.popitem(last=False)
        return image

    def _decoded(self, row: Frame) -> Floats:
        if len(row.instance.frames) > 1:
            volume = self.pixels.volume(self.series)
            return volume.values[next(at for at, frame in enumerate(volume.frames) if frame is row)]
        for found in frames(row.instance, self.pixels.decoder, self.pixels.limits):
            if isinstance(found, Unreadable):
                raise Unmeasurable(found.reason, f"{row.label}: {found.message}")
            if isinstance(found, FramePixels):
                return found.values
        raise Unmeasurable("pixels_unreadable", f"{row.label} gave no pixels")

    def within(self, low_mm: float, high_mm: float) -> list[int]:
        """Return the slices whose centre lies between two places."""
        return [int(index) for index in np.flatnonzero((self.z_mm >= low_mm - 1e-6) & (self.z_mm <= high_mm + 1e-6))]

    def nearest(self, z_mm: float) -> int:
        """Return the slice nearest to a place."""
        return int(np.abs(self.z_mm - z_mm).argmin())

    def mean(self, indices: list[int]) -> NDArray[np.float64]:
        """Return the mean image of some slices."""
        total = np.zeros(self.slice(indices[0]).shape)
        for index in indices:
            total += self.slice(index)
        return total / len(indices)


def _key(row: Frame) -> tuple[Any, Any, Any]:
    return row.get("Rows"), row.get("Columns"), row.spacing_mm


def _ordered(rows: list[Frame]) -> tuple[list[Frame], NDArray[np.float64]]:
    """Order along the normal; a position that comes twice is taken once."""
    indices, positions, orientations = geometry.placed(rows)
    if len(rows) == 1 or len(indices) == 0:
        if len(rows) > 1:
            raise Unmeasurable("no_slice_positions", "the headers do not say where the slices lie")
        return rows, np.zeros(1)
    group = geometry.orientation_groups(orientations)[0]
    axis = geometry.normals(orientations[group]).mean(0)
    along = positions[group] @ (axis / np.linalg.norm(axis))
    locations, members = geometry.cluster(along)
    return [rows[int(indices[group[member[0]]])] for member in members], locations
