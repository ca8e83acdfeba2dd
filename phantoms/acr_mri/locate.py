"""Recognise the ACR MRI phantom and find its slices: from the pictures, not from names or SliceLocation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qc import geometry, stacks
from qc.errors import Unmeasurable
from qc.measure.roi import edge_points, fit_circle, inside_disc, object_mask
from qc.pixels import PixelAccess, Volume
from qc.study import Frame, Series

SLICES = 11
STEP_MM, STEP_TOLERANCE_MM = 10.0, 0.2
PLUG_SECTOR_DEG = 20.0


@dataclass(frozen=True)
class Size:
    """Geometry of a phantom type in mm (inner diameter, uniformity region)."""

    name: str
    diameter_mm: float
    large_roi_mm: float


LARGE = Size("phantom:acr_mri_large", 190.0, 79.788)  # region of 200 cm2
MEDIUM = Size("phantom:acr_mri_medium", 165.0, 71.365)  # region of 160 cm2
DIAMETER_TOLERANCE_MM = 7.0


@dataclass(frozen=True)
class Disc:
    """The phantom's outline in one slice.

    Attributes
    ----------
    center
        (row, col) in pixels.
    radius_mm, rms_mm
        Fitted radius and scatter of the edge points round it.
    """

    center: tuple[float, float]
    radius_mm: float
    rms_mm: float


@dataclass(frozen=True)
class Located:
    """The eleven slices in order 1 to 11 of one repetition."""

    size: Size
    slices: tuple[NDArray[np.float32], ...]
    frames: tuple[Frame, ...]
    spacing_mm: tuple[float, float]
    echo: Any = None

    def slice(self, number: int) -> NDArray[np.float32]:
        """Return slice `number`, counted from 1."""
        return self.slices[number - 1]


def outline(image: NDArray[Any], spacing_mm: tuple[float, float]) -> Disc | None:
    """Fit a circle to the outer edge, the sector of the fill plug at the top left out.

    Rays every 2 degrees, half of the local signal, from outside inwards; None where no round object is found.
    """
    mask = object_mask(image)
    if mask.sum() * spacing_mm[0] * spacing_mm[1] < 2000:
        return None
    center = tuple(float(axis.mean()) for axis in np.nonzero(mask))
    angles = np.arange(0.0, 360.0, 2.0)
    reach = 0.75 * max(image.shape[0] * spacing_mm[0], image.shape[1] * spacing_mm[1])
    for _ in range(2):
        distance = edge_points(image, center, reach, spacing_mm, angles)  # type: ignore[arg-type]
        usable = np.isfinite(distance) & (np.abs((angles - 90 + 180) % 360 - 180) > PLUG_SECTOR_DEG)
        if usable.sum() < 60:
            return None
        x = distance[usable] * np.cos(np.deg2rad(angles[usable]))
        y = -distance[usable] * np.sin(np.deg2rad(angles[usable]))
        a, b, radius, rms = fit_circle(x, y)
        center = (center[0] + b / spacing_mm[0], center[1] + a / spacing_mm[1])
    return Disc((center[0], center[1]), radius, rms)


def could_be(series: Series) -> bool:
    """Tell from the headers whether this may be an axial ACR set: 11 positions 10 mm apart, repeated only by echo."""
    if series.modality != "MR" or series.klass not in ("image", "derived"):
        return False
    _, positions, orientations = geometry.placed(series.frames)
    if not SLICES <= len(positions) <= 4 * SLICES or len(positions) % SLICES:
        return False
    stack = geometry.analyse(positions, orientations)
    steps = np.diff(stack.locations_mm)
    if len(stack.locations_mm) != SLICES or np.abs(steps - STEP_MM).max() > STEP_TOLERANCE_MM:
        return False
    grid = stacks.grid(series.frames, stack.members)
    return set(grid.names) <= {"echo"}


def _recognised(volume: Volume) -> Size | None:
    """Tell large and medium by the diameter of the middle slices."""
    spacing = (volume.spacing_mm[1], volume.spacing_mm[2])
    found = [outline(volume.values[len(volume.values) * at // SLICES], spacing) for at in (3, 5, 7)]
    discs = [disc for disc in found if disc is not None and disc.rms_mm < 2.0]
    if len(discs) < 2:
        return None
    diameter = 2 * float(np.median([disc.radius_mm for disc in discs]))
    for size in (LARGE, MEDIUM):
        if abs(diameter - size.diameter_mm) <= DIAMETER_TOLERANCE_MM:
            return size
    return None


def recognise(series: Series, pixels: PixelAccess) -> str | None:
    """Recogniser of the ACR phantom (entry point `pacsqc.recognisers`)."""
    if not could_be(series):
        return None
    size = _recognised(pixels.volume(series))
    return size.name if size else None


def unevenness(image: NDArray[Any], disc: Disc, spacing_mm: tuple[float, float]) -> float:
    """Return the spread of local contrast inside the disc: high where there is a grid or an insert, low in a flood slice."""
    from scipy import ndimage

    inside = inside_disc(image.shape, disc.center, 0.7 * disc.radius_mm, spacing_mm)
    sigma = [4.0 / spacing for spacing in spacing_mm]
    smooth = ndimage.gaussian_filter(np.asarray(image, float), sigma)
    fine = np.abs(np.asarray(image, float) - smooth)[inside] / np.maximum(smooth[inside], 1e-6)
    return float(np.mean(fine))


def locate(series: Series, pixels: PixelAccess) -> list[Located]:
    """Return the eleven slices in order, one set for each echo.

    Slice 5 holds the grid (or the block with pins) and slice 7 nothing: the more even of the two slices that may be number 7
    tells the direction.

    Raises
    ------
    Unmeasurable
        ``phantom_not_found``.
    """
    volume = pixels.volume(series)
    size = LARGE if series.klass == LARGE.name else MEDIUM
    spacing = (volume.spacing_mm[1], volume.spacing_mm[2])
    echoes = list(dict.fromkeys(frame.get("EchoTime") for frame in volume.frames)) if len(volume.frames) > SLICES else [None]
    sets = []
    for echo in echoes:
        chosen = [at for at, frame in enumerate(volume.frames) if echo is None or frame.get("EchoTime") == echo]
        images = [volume.values[at] for at in chosen]
        rows = [volume.frames[at] for at in chosen]
        discs = [outline(images[at], spacing) for at in (4, 6)]
        if discs[0] is None or discs[1] is None:
            raise Unmeasurable("phantom_not_found", "the outline of the phantom was not found in slices 5 and 7")
        if unevenness(images[4], discs[0], spacing) < unevenness(images[6], discs[1], spacing):
            images, rows = images[::-1], rows[::-1]
        sets.append(Located(size, tuple(images), tuple(rows), spacing, echo))
    return sets
