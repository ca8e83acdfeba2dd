"""Shading of heads: one side brighter than the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from qc.check import Applies, Example, FrameCheckBase, check
from qc.checks._worst import Worst
from qc.measure.shading import side_to_side
from qc.pixels import FramePixels
from qc.results import Metric, Result, Status
from qc.study import Series

SHADING = Metric(
    "mr.side_shading",
    "%",
    "Signal of one side of the head against the other, median over the slices",
    "lower",
    "straight line through the column medians; heads are symmetric",
)


@dataclass(frozen=True)
class ShadingParameters:
    """Parameters.

    Attributes
    ----------
    most_percent
        Difference of the sides, over their mean, from which a series counts as shaded.
    fewest_slices
        Slices that must have been measured before anything is told.
    most_slices
        Slices looked at, evenly spread over the series.
    body_parts
        Beginnings of BodyPartExamined that are symmetric about the middle of the image.
    """

    most_percent: float = 25.0
    fewest_slices: int = 3
    most_slices: int = 32
    body_parts: tuple[str, ...] = ("HEAD", "BRAIN", "SKULL")


@check(
    id="pixels.shading",
    version=1,
    title="Shading from one side of the head to the other",
    level="series",
    needs="each_frame",
    applies=Applies(modalities=frozenset({"MR"}), classes=frozenset({"image", "stack_4d", "mosaic"})),
    metrics=(SHADING,),
    codes={
        "pixels.shading": "The signal falls from one side of the head to the other. An element of the receive coil may have failed or was not "
        "plugged in, or the head lay far off the middle. Scan a phantom with this coil and compare its elements."
    },
    params=ShadingParameters,
    source="symmetry of the head; 25 % is twice what clean head series show",
    invariances=("file_order", "duplicate_input", "intensity_scale"),
    examples=(
        Example("mr_brain"),
        Example("mr_brain", fault="shading", codes={"pixels.shading": Status.WARN}),
    ),
)
class Shading(FrameCheckBase):
    """Compare the sides of transverse slices of the head. Other parts and planes are not symmetric and are not measured."""

    def __init__(self, series: Series, params: ShadingParameters) -> None:
        super().__init__(series, params)
        self.found: list[float] = []
        self.worst = Worst()
        self.every = max(1, -(-len(series.frames) // params.most_slices))
        self.count = 0
        self.meant = str(series.first("BodyPartExamined", "")).upper().startswith(params.body_parts)

    def frame(self, frame: FramePixels) -> None:
        """See one frame: a sample of some 64 x 64 pixels."""
        self.count += 1
        stored, orientation = frame.stored, frame.frame.orientation
        if not self.meant or (self.count - 1) % self.every or stored.ndim != 2 or min(stored.shape) < 32:
            return
        if orientation is None or abs(orientation[0]) < 0.9 or abs(orientation[4]) < 0.9:
            return
        step = max(1, min(stored.shape) // 64)
        told = side_to_side(frame.rescaled(stored[::step, ::step]))
        if told is None:
            return
        percent = 100.0 * told * (1 if orientation[0] > 0 else -1)
        self.found.append(percent)
        if abs(percent) > self.params.most_percent:
            self.worst.add(frame, abs(percent), f"sides differ by {abs(percent):.0f} %")

    def finish(self) -> Iterator[Result]:
        """Give the difference of the sides and, where it is large in most slices, the finding."""
        subject = self.series.subject()
        if not self.meant:
            return
        if len(self.found) < self.params.fewest_slices:
            yield SHADING.missing("too_few_slices", subject, slices=len(self.found))
            return
        percent = float(np.median(self.found))
        side = "left" if percent > 0 else "right"
        if abs(percent) > self.params.most_percent:
            text = f"the signal is {abs(percent):.0f} % higher on the {side} of the patient than on the other side"
            yield self.worst.finding(self.series, "pixels.shading", Status.WARN, text, percent=percent)
        yield SHADING.value(abs(percent), subject, brighter=side, slices=len(self.found))
