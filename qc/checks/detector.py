"""Dead or uncorrected lines of the detector in radiographs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from qc.check import Applies, Example, FrameCheckBase, check
from qc.checks._worst import Worst, share
from qc.measure.stripes import SHORTEST_IMAGE, line
from qc.pixels import FramePixels, rescale
from qc.results import Metric, Result, Shape, Status
from qc.study import Series

LINE = Metric(
    "radiograph.line",
    "1",
    "Strongest line through the whole image over the robust SD of all lines",
    "lower",
    "eight strips and both ends must agree",
)


@dataclass(frozen=True)
class DetectorParameters:
    """Parameters.

    Attributes
    ----------
    ratio
        A row or column that differs from its neighbours by so many robust SD in every part of the image is told.
    """

    ratio: float = 3.0


@check(
    id="radiograph.lines",
    version=1,
    title="Detector lines in radiographs",
    level="series",
    needs="each_frame",
    applies=Applies(modalities=frozenset({"DX", "CR", "MG", "RF", "XA"}), not_classes=frozenset({"not_image", "screenshot", "localizer"})),
    metrics=(LINE,),
    codes={
        "radiograph.lines": "A row or column of the detector is off over its whole length: it died or its correction is out of date. Expose a flat field, calibrate the "
        "detector, call service if the line stays.",
    },
    params=DetectorParameters,
    source="line against the mean of its two neighbours in 8 strips and at both ends; threshold from clean images",
    invariances=("file_order", "duplicate_input"),
    examples=(
        Example("dx_chest"),
        Example("mg_breast"),
        Example("dx_chest", fault="dead_column", codes={"radiograph.lines": Status.WARN}),
    ),
)
class DetectorLines(FrameCheckBase):
    """Look for one row or column that is brighter or darker than both its neighbours from one end of the image to the other."""

    def __init__(self, series: Series, params: DetectorParameters) -> None:
        super().__init__(series, params)
        self.found = Worst()
        self.highest: float | None = None

    def frame(self, frame: FramePixels) -> None:
        """See one frame."""
        stored = frame.stored
        if stored.ndim != 2 or min(stored.shape) < SHORTEST_IMAGE:
            return
        self.highest = self.highest or 0.0
        for axis in (0, 1):
            one = line(stored, axis)
            if one is None:
                continue
            self.highest = max(self.highest, one.ratio)
            if one.ratio > self.params.ratio:
                rows, columns = stored.shape
                ends = ((one.index, 0), (one.index, columns - 1)) if axis == 0 else ((0, one.index), (rows - 1, one.index))
                where = f"{'row' if axis == 0 else 'column'} {one.index + 1}"
                shape = Shape("line", tuple((float(r), float(c)) for r, c in ends), where, "problem")
                step = one.step * abs(rescale(frame.frame)[0])
                self.found.add(frame, one.ratio, where, (shape,), where=where, step=step, ratio=one.ratio)

    def finish(self) -> Iterator[Result]:
        """Give the finding and the strongest line."""
        if self.found.count:
            text = f"{share(self.found.count, self.series)} crossed by a line of the detector ({self.found.details['where']} in the worst)"
            yield self.found.finding(self.series, "radiograph.lines", Status.WARN, text)
        if self.highest is not None:
            yield LINE.value(self.highest, self.series.subject(), "worst_frame")
        else:
            reason = "pixels_unreadable" if self.unreadable_frames else "no_usable_image"
            yield LINE.missing(reason, self.series.subject(), "worst_frame")
