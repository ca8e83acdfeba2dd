"""A part of a slice, straightened and enlarged: what a person looks at when judging one test."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from phantoms.acr_mri.locate import Located
from qc.measure.profile import Placement
from qc.measure.roi import Floats
from qc.picture import picture
from qc.results import ImageEvidence, Shape


@dataclass(frozen=True, eq=False)
class Closeup:
    """An enlarged part of a slice; places are given in mm of the plan.

    Attributes
    ----------
    values
        (rows, columns).
    left, top, step
        Place of the first pixel, and the size of a pixel, mm.
    """

    values: Floats
    left: float
    top: float
    step: float

    def points(self, places: Iterable[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
        """Convert places (x, y) in mm to (row, col)."""
        return tuple(((y - self.top) / self.step, (x - self.left) / self.step) for x, y in places)

    def line(self, places: Iterable[tuple[float, float]], label: str = "", role: str = "measured") -> Shape:
        """Return a line through places in mm."""
        return Shape("line", self.points(places), label, role)  # type: ignore[arg-type]

    def circle(self, center: tuple[float, float], radius_mm: float, label: str = "", role: str = "measured") -> Shape:
        """Return a circle in mm."""
        return Shape("circle", self.points((center, (center[0] + radius_mm, center[1]))), label, role)  # type: ignore[arg-type]

    def shown(self, title: str, shapes: Sequence[Shape], window: tuple[float, float] | None = None, caption: str = "") -> ImageEvidence:
        """Return the picture."""
        return picture(self.values, title, tuple(shapes), (self.step, self.step), caption=caption, window=window)


def closeup(located: Located, number: int, place: Placement, box_mm: tuple[float, float, float, float], step: float = 0.25) -> Closeup:
    """Enlarge (left, top, right, bottom) in mm of the plan; black outside the image."""
    left, top, right, bottom = box_mm
    values = place.sample(located.slice(number), np.arange(left, right, step), np.arange(top, bottom, step))
    return Closeup(np.nan_to_num(values), left, top, step)
