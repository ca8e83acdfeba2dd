"""Where the axes of a phantom lie in an image: middle, roll, and whether it is seen from its other end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from phantoms.ct.outline import Outline

if TYPE_CHECKING:
    from phantoms.ct.pattern import Match

STRONG_HU = 80.0


@dataclass(frozen=True)
class Pose:
    """Pose of a phantom in an image.

    Attributes
    ----------
    center
        (row, col) of the axis in pixels.
    roll_deg
        Clockwise on the screen.
    mirrored
        Seen from its other end: x of the phantom runs to the left before the roll.
    roll_uncertainty_deg
        Standard uncertainty from the scatter of the inserts round their places.
    used
        Number of inserts the pose was fitted to; 0 for the outline only.
    """

    center: tuple[float, float]
    roll_deg: float
    mirrored: bool = False
    roll_uncertainty_deg: float = 0.5
    used: int = 0

    def to_pixels(self, xy_mm: tuple[float, float], spacing_mm: tuple[float, float]) -> tuple[float, float]:
        """Return (row, col) of a point (x, y) in mm of the phantom."""
        x, y = (-xy_mm[0] if self.mirrored else xy_mm[0]), xy_mm[1]
        angle = np.deg2rad(self.roll_deg)
        right, down = x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)
        return self.center[0] + float(down) / spacing_mm[0], self.center[1] + float(right) / spacing_mm[1]

    def polar(self, angle_deg: float, distance_mm: float, spacing_mm: tuple[float, float]) -> tuple[float, float]:
        """Return (row, col) of a point given by angle and distance in the frame of the phantom."""
        angle = np.deg2rad(angle_deg)
        return self.to_pixels((distance_mm * float(np.cos(angle)), distance_mm * float(np.sin(angle))), spacing_mm)


def centroid(
    image: NDArray[Any], near: tuple[float, float], radius_mm: float, spacing_mm: tuple[float, float], least_hu: float = 60.0
) -> tuple[float, float] | None:
    """Return the centroid (row, col) of a disc that stands out from its surroundings, None where none does.

    Weights are the contrast over the level between disc and surroundings, cut at both, so noise outside the rim and
    inside the disc does not pull. Iterated, because the window moves with the centre.
    """
    center = near
    for _ in range(4):
        half = [int(np.ceil(1.9 * radius_mm / spacing)) for spacing in spacing_mm]
        row0, col0 = round(center[0]) - half[0], round(center[1]) - half[1]
        row1, col1 = row0 + 2 * half[0] + 1, col0 + 2 * half[1] + 1
        if row0 < 0 or col0 < 0 or row1 > image.shape[0] or col1 > image.shape[1]:
            return None
        part = np.asarray(image[row0:row1, col0:col1], float)
        y = (np.arange(row0, row1) - center[0])[:, None] * spacing_mm[0]
        x = (np.arange(col0, col1) - center[1])[None, :] * spacing_mm[1]
        distance = np.hypot(y, x)
        around = float(np.median(part[(distance > 1.4 * radius_mm) & (distance < 1.85 * radius_mm)]))
        inside = float(np.median(part[distance < 0.6 * radius_mm]))
        if abs(inside - around) < least_hu:
            return None
        weight = np.clip((part - around) / (inside - around) - 0.25, 0.0, 0.5) * (distance < 1.6 * radius_mm)
        total = float(weight.sum())
        if total <= 0:
            return None
        step = float((weight * y).sum()) / total, float((weight * x).sum()) / total
        center = center[0] + step[0] / spacing_mm[0], center[1] + step[1] / spacing_mm[1]
    if np.hypot((center[0] - near[0]) * spacing_mm[0], (center[1] - near[1]) * spacing_mm[1]) > max(4.0, 0.6 * radius_mm):
        return None
    return float(center[0]), float(center[1])


def fit_inserts(image: NDArray[Any], found: Match, edge: Outline, spacing_mm: tuple[float, float]) -> Pose:
    """Fit middle and roll to the centroids of the inserts that stand out (least squares, rotation and shift)."""
    pose = Pose(edge.center, found.roll_deg, found.mirrored)
    wanted, got = [], []
    for insert in found.model.inserts:
        if abs(insert.nominal_hu - found.model.base_hu) < STRONG_HU:
            continue
        at = centroid(image, pose.to_pixels(insert.xy_mm, spacing_mm), insert.radius_mm, spacing_mm)
        if at is not None:
            wanted.append((-insert.xy_mm[0] if found.mirrored else insert.xy_mm[0], insert.xy_mm[1]))
            got.append(((at[1] - edge.center[1]) * spacing_mm[1], (at[0] - edge.center[0]) * spacing_mm[0]))
    if len(got) < 2:
        return pose
    model = np.array(wanted) @ [1, 1j]
    measured = np.array(got) @ [1, 1j]
    turn = np.vdot(model - model.mean(), measured - measured.mean())
    turn = turn / abs(turn)
    shift = measured.mean() - turn * model.mean()
    rest = measured - turn * model - shift
    lever = float(np.sqrt((np.abs(model - model.mean()) ** 2).sum()))
    scatter = float(np.sqrt((np.abs(rest) ** 2).sum() / max(2 * len(got) - 3, 1)))
    center = edge.center[0] + shift.imag / spacing_mm[0], edge.center[1] + shift.real / spacing_mm[1]
    roll = float(np.rad2deg(np.angle(turn)))
    return Pose((float(center[0]), float(center[1])), roll, found.mirrored, float(np.rad2deg(scatter / lever)), len(got))
