"""Where the slices lie: normals, projection, spacing, gaps, shear. Pure arithmetic on positions in mm.

The rule is applied to the projection on the mean normal of a group of equal orientation; never to SliceLocation, a single
coordinate or InstanceNumber.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qc.study import Frame

SAME_ORIENTATION = 1e-3  # largest difference of a direction cosine; rounding noise of vendors is below 1e-4
UNIT_TOLERANCE = 1e-3
FARTHEST_MM = 1e7  # ten kilometres: no position, and squares of it must not overflow
POSITION_NOISE_MM = 1e-3
REPEAT_NOISE_MM = 5e-3  # by how much positions of one place differ that were computed apart
COARSE_MM = 0.02  # rounding above this (one decimal) is of the size of thin slices and parts nothing
ALIGNED_MM = 0.1  # in-plane wandering of the first voxel that is still a straight line

Floats = NDArray[np.float64]


def usable_orientation(orientation: Sequence[float] | None) -> bool:
    """Tell whether six direction cosines are two unit vectors at right angles (within 1e-3)."""
    if orientation is None:
        return False
    row, column = np.asarray(orientation[:3], float), np.asarray(orientation[3:], float)
    return bool(
        abs(np.linalg.norm(row) - 1) <= UNIT_TOLERANCE
        and abs(np.linalg.norm(column) - 1) <= UNIT_TOLERANCE
        and abs(row @ column) <= UNIT_TOLERANCE
    )


def normals(orientations: Floats) -> Floats:
    """Return the unit normals (n, 3) of direction cosines (n, 6)."""
    cross = np.cross(orientations[:, :3], orientations[:, 3:])
    length = np.linalg.norm(cross, axis=1, keepdims=True)
    return cross / np.where(length == 0, 1, length)


def orientation_groups(orientations: Floats) -> list[NDArray[np.intp]]:
    """Split frames by orientation: the same group where no direction cosine differs by more than 1e-3.

    Returns
    -------
    list of index arrays, largest group first.
    """
    distinct, of_frame = np.unique(orientations, axis=0, return_inverse=True)
    of_frame = of_frame.reshape(-1)
    group_of = np.empty(len(distinct), int)
    centres: list[Floats] = []
    for index, orientation in enumerate(distinct):
        for number, centre in enumerate(centres):
            if np.abs(orientation - centre).max() <= SAME_ORIENTATION:
                group_of[index] = number
                break
        else:
            group_of[index] = len(centres)
            centres.append(orientation)
    members = [np.flatnonzero(group_of[of_frame] == number) for number in range(len(centres))]
    return sorted(members, key=len, reverse=True)


def placed(frames: Sequence[Frame]) -> tuple[NDArray[np.intp], Floats, Floats]:
    """Return the indices of the frames that have a usable position and orientation, with both as arrays."""
    known: dict[tuple[float, ...], bool] = {}  # most series have one orientation; test each value once
    indices, positions, orientations = [], [], []
    for index, frame in enumerate(frames):
        position, orientation = frame.position, frame.orientation
        if position is None or orientation is None or max(map(abs, position)) > FARTHEST_MM:
            continue
        usable = known.get(orientation)
        if usable is None:
            usable = known[orientation] = usable_orientation(orientation)
        if usable:
            indices.append(index)
            positions.append(position)
            orientations.append(orientation)
    return np.array(indices, np.intp), np.array(positions, float).reshape(-1, 3), np.array(orientations, float).reshape(-1, 6)


def orthogonal_groups(frames: Sequence[Frame]) -> bool:
    """Tell whether the frames lie in three mutually perpendicular planes (a three-plane localizer)."""
    _, _, orientations = placed(frames)
    if len(orientations) < 3 or np.abs(orientations - orientations[0]).max() <= SAME_ORIENTATION:
        return False
    groups = orientation_groups(orientations)
    if len(groups) != 3:
        return False
    axes = np.array([normals(orientations[group]).mean(0) for group in groups])
    off = np.abs(axes @ axes.T - np.eye(3))
    # a stack of many slices with a scout or two in front is no localizer
    return bool(off.max() < 0.1) and not embedded(groups)


def embedded(groups: Sequence[NDArray[np.intp]]) -> bool:
    """Tell whether one orientation group is the series and the others are a few images that came with it."""
    return len(groups) > 1 and len(groups[0]) >= 8 and len(groups[0]) >= 4 * sum(len(group) for group in groups[1:])


def order_along_normal(frames: Sequence[Frame]) -> tuple[list[int], float | None]:
    """Order frames along their normal; without usable positions, keep their order.

    Returns
    -------
    order
        Indices into `frames`.
    step
        Median distance of neighbouring positions in mm, None where it cannot be known.
    """
    indices, positions, orientations = placed(frames)
    if len(indices) != len(frames) or not frames:
        return list(range(len(frames))), None
    axis = normals(orientations).mean(0)
    along = positions @ axis
    order = [int(index) for index in np.argsort(along, kind="stable")]
    steps = np.diff(np.sort(along))
    steps = steps[steps > POSITION_NOISE_MM]
    return order, float(np.median(steps)) if len(steps) else None


@dataclass(frozen=True)
class Gap:
    """A step between neighbouring positions that is not one spacing.

    Attributes
    ----------
    lower, upper
        Position numbers (into `Stack.locations_mm`) on either side.
    step_mm
        Distance of the two.
    steps
        The distance in spacings.
    missing
        Whole number of slices that fit between; 0 where the step is not a whole number of spacings.
    """

    lower: int
    upper: int
    step_mm: float
    steps: float
    missing: int


@dataclass(frozen=True)
class Stack:
    """Geometry of a group of parallel frames.

    Attributes
    ----------
    locations_mm
        Distinct positions along the normal, rising.
    members
        For each location the frame numbers (into the group) that lie there.
    spacing_mm
        Least-squares spacing, None for fewer than two locations.
    gaps
        Steps that are no single spacing: missing slices and irregular steps.
    tilt_deg
        Angle between the line of first voxels and the normal: a gantry tilt, or 0.
    aligned
        False where the first voxels do not lie on one straight line.
    wander_mm
        Largest distance of a first voxel from that line.
    rounding_mm
        What the decimals of the positions can put on a step.
    """

    locations_mm: Floats
    members: tuple[tuple[int, ...], ...]
    spacing_mm: float | None
    gaps: tuple[Gap, ...]
    tilt_deg: float
    aligned: bool
    wander_mm: float
    rounding_mm: float = 0.0

    def along(self) -> list[float]:
        """For each frame its location along the normal (mm)."""
        found = [0.0] * sum(map(len, self.members))
        for location, members in zip(self.locations_mm, self.members, strict=True):
            for index in members:
                found[index] = float(location)
        return found


def cluster(along: Floats, rounding_mm: float = 0.0) -> tuple[Floats, list[list[int]]]:
    """Group equal positions: closer than max(1e-3 mm, 1 % of the median step), or than what rounding can part.

    Images at one place whose positions were computed apart differ by micrometres, and rounding to two decimals makes 0.01 mm of that.
    Such steps must not enter the median: with many repetitions they are most of all steps.
    """
    order = np.argsort(along, kind="stable")
    steps = np.diff(along[order])
    noise = max(REPEAT_NOISE_MM, 1.02 * rounding_mm if rounding_mm < COARSE_MM else 0.0)
    positive = steps[steps > noise]
    if len(positive) == 0:
        positive, noise = steps[steps > POSITION_NOISE_MM], POSITION_NOISE_MM
    typical = float(np.median(positive)) if len(positive) else 0.0
    closest = max(POSITION_NOISE_MM, 0.01 * typical, noise if noise < 0.2 * typical else 0.0)
    starts = np.flatnonzero(steps > closest) + 1
    edges = [0, *starts.tolist(), len(order)]
    sums = np.add.reduceat(along[order], edges[:-1])
    indices = order.tolist()
    return sums / np.diff(edges), [indices[start:stop] for start, stop in pairwise(edges)]


def tolerance_mm(count: NDArray[Any] | float, spacing_mm: float, rounding_mm: float = 0.0) -> Floats:
    """Return how far a step may be from `count` spacings: max(0.02 mm, 2 %), never over a tenth of a spacing.

    Absolute limits of 0.1 mm and more hide missing thin slices. Where the positions are written so coarsely that rounding
    alone exceeds that (`rounding_mm`, see `rounding`), the rounding is the limit, but never over 0.3 spacings.
    """
    rule = np.minimum(np.maximum(0.02, 0.02 * np.asarray(count) * spacing_mm), 0.1 * spacing_mm)
    return np.maximum(rule, min(1.2 * rounding_mm, 0.3 * spacing_mm))  # the rest is jitter before rounding


def rounding(positions: Floats, axis: Floats) -> float:
    """Return the largest error (mm) that the decimals of the positions can put on a step along the normal.

    Positions with d decimals are off by up to half a unit of the last one in each coordinate, twice in a difference:
    10^-d x (|nx| + |ny| + |nz|). Worked number: 2 decimals, axial: 0.01 mm; normal (1, 1, 1)/sqrt(3): 0.0173 mm.
    """
    for decimals in range(6):
        scaled = positions * 10.0**decimals
        if np.abs(scaled - np.round(scaled)).max(initial=0.0) < 1e-6 * 10.0**decimals:
            return float(10.0**-decimals * np.abs(axis).sum()) if decimals else 0.0
    return 0.0


def fit_spacing(locations: Floats, nominal_mm: float | None = None, rounding_mm: float = 0.0) -> tuple[float, NDArray[np.int64]]:
    """Return the spacing and how many spacings each step holds.

    The start is the lower median of the steps (with an even number, the mean of the middle two would be a step that does
    not exist); least squares over the running count then cures the rounding of decimal strings (0.62 / 0.63 for 0.625).
    Where most slices are lost the median is a gap: the smallest step is the spacing if the header says so (`nominal_mm`).
    """
    steps = np.diff(locations)
    spacing = float(np.sort(steps)[(len(steps) - 1) // 2])
    smallest = float(steps.min())
    if nominal_mm and smallest < 0.75 * spacing and abs(smallest - nominal_mm) <= float(tolerance_mm(1.0, nominal_mm, rounding_mm)):
        spacing = smallest
    counts = np.maximum(1, np.round(steps / spacing)).astype(np.int64)
    for _ in range(2):
        whole = np.abs(steps - counts * spacing) <= tolerance_mm(counts, spacing, rounding_mm)
        if whole.sum() < 2:
            break
        # straight line through the running sums of the whole steps: an irregular step must not bend the fit
        place = np.concatenate([[0.0], np.cumsum(steps[whole])])
        count = np.concatenate([[0.0], np.cumsum(counts[whole])])
        centred = count - count.mean()
        spacing = float(centred @ place / (centred @ centred))
        counts = np.maximum(1, np.round(steps / spacing)).astype(np.int64)
    return spacing, counts


def find_gaps(locations: Floats, nominal_mm: float | None = None, rounding_mm: float = 0.0) -> tuple[float | None, list[Gap]]:
    """Return the spacing and every step that is not one spacing.

    Worked number: locations 18.108, 23.108, 28.107, 38.107 give spacing 5.000 mm and one missing slice in the last step.
    """
    if len(locations) < 2:
        return None, []
    spacing, counts = fit_spacing(locations, nominal_mm, rounding_mm)
    steps = np.diff(locations)
    off = np.abs(steps - counts * spacing) > tolerance_mm(counts, spacing, rounding_mm)
    gaps = [
        Gap(int(at), int(at) + 1, float(steps[at]), float(steps[at] / spacing), 0 if off[at] else int(counts[at]) - 1)
        for at in np.flatnonzero(off | (counts > 1))
    ]
    return spacing, gaps


def shear(along: Floats, positions: Floats, axis: Floats) -> tuple[float, float]:
    """Return tilt (deg) and the largest distance (mm) of a first voxel from the straight line through them."""
    offsets = positions - positions[0]
    inplane = offsets - np.outer(offsets @ axis, axis)
    z = along - along.mean()
    spread = float(z @ z)
    if spread <= POSITION_NOISE_MM**2:
        return 0.0, float(np.linalg.norm(inplane - inplane.mean(0), axis=1).max(initial=0.0))
    slope = z @ (inplane - inplane.mean(0)) / spread
    residual = inplane - inplane.mean(0) - np.outer(z, slope)
    return float(np.degrees(np.arctan(np.linalg.norm(slope)))), float(np.linalg.norm(residual, axis=1).max(initial=0.0))


def analyse(positions: Floats, orientations: Floats, nominal_mm: float | None = None) -> Stack:
    """Analyse frames of one orientation group.

    Parameters
    ----------
    positions
        (n, 3) in mm.
    orientations
        (n, 6) direction cosines.
    nominal_mm
        Slice distance by the header, used only where most slices are lost.
    """
    axis = normals(orientations).mean(0)
    axis = axis / np.linalg.norm(axis)
    along = positions @ axis
    coarse = rounding(positions, axis)
    locations, members = cluster(along, coarse)
    spacing, gaps = find_gaps(locations, nominal_mm, coarse)
    tilt, wander = shear(along, positions, axis)
    aligned = wander <= max(ALIGNED_MM, coarse)
    return Stack(locations, tuple(map(tuple, members)), spacing, tuple(gaps), tilt if tilt > 0.01 else 0.0, aligned, wander, coarse)
