"""Ultrasound images: nothing shown, a clip that stands still, dead elements of the probe."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qc.check import Applies, Example, FrameCheckBase, check
from qc.checks._worst import Worst, share
from qc.measure.elements import dark_columns, linear_field
from qc.picture import picture
from qc.pixels import FramePixels
from qc.results import Finding, Metric, Result, Shape, Status
from qc.study import Series

DIP = Metric(
    "us.dark_columns", "%", "Width of the field of a linear probe that stays dark from the skin down", "lower", "column means of two depths"
)


@dataclass(frozen=True)
class UltrasoundParameters:
    """Parameters.

    Attributes
    ----------
    frozen_percent
        Share of the frames of a clip that equal the one before from which it stands still.
    fewest_frames
        Frames that a clip must have for that.
    blank_levels
        An image whose middle half spans fewer levels shows nothing.
    dark_percent
        Width of dark columns, in percent of the field, from which they are told.
    """

    frozen_percent: float = 90.0
    fewest_frames: int = 6
    blank_levels: int = 4
    dark_percent: float = 1.5


@check(
    id="us.picture",
    version=1,
    title="Ultrasound: blank, frozen, dead elements",
    level="series",
    needs="each_frame",
    applies=Applies(modalities=frozenset({"US", "IVUS"}), not_classes=frozenset({"not_image", "screenshot"})),
    metrics=(DIP,),
    codes={
        "us.blank": "The ultrasound image shows nothing but its frame. Saved too early, or the probe was not selected: look at it on the system, and save it again.",
        "us.frozen": "The clip stands still: all its frames are one image. The system was frozen when it was saved; nothing that moves can be judged. Ask for "
        "the moving clip.",
        "us.dark_columns": "Columns stay dark from the skin down: elements of the probe may be dead, its cable broken, or there was no contact or gel. Hold the probe in air and "
        "look at its reverberations; if the same columns are dark, send the probe to service.",
    },
    params=UltrasoundParameters,
    source="equal frames; column means of a linear field at two depths (dead elements are dark from the skin on, shadows begin deeper)",
    invariances=("file_order", "duplicate_input"),
    examples=(
        Example("us_cine"),
        Example("us_cine", {"rgb": False}),
        Example("us_cine", fault="frozen_clip", codes={"us.frozen": Status.WARN}),
    ),
)
class Ultrasound(FrameCheckBase):
    """Compare each frame with the one before; add frames up for the columns. Only the field of a linear probe is searched for dark columns."""

    def __init__(self, series: Series, params: UltrasoundParameters) -> None:
        super().__init__(series, params)
        self.last: NDArray[Any] | None = None
        self.last_of: object = None
        self.still = self.pairs = self.seen = 0
        self.blank = Worst()
        self.total: NDArray[np.float32] | None = None
        self.added = 0

    def frame(self, frame: FramePixels) -> None:
        """See one frame."""
        stored = frame.stored
        if min(stored.shape[:2]) < 32:
            return
        self.seen += 1
        few = stored[::3, ::3].copy()
        if self.last is not None and self.last_of is frame.frame.instance and self.last.shape == few.shape:
            self.pairs += 1
            self.still += bool(np.array_equal(self.last, few))
        self.last, self.last_of = few, frame.frame.instance
        rows, columns = stored.shape[0] // 4, stored.shape[1] // 4
        middle = stored[rows:-rows, columns:-columns]
        if float(np.percentile(middle, 99.5)) - float(np.percentile(middle, 0.5)) < self.params.blank_levels:
            self.blank.add(frame, 1.0, "nothing shown")
        if (self.seen - 1) % max(1, len(self.series.frames) // 16) == 0:
            grey = frame.values
            if self.total is None:
                self.total = np.zeros(grey.shape, np.float32)
            if self.total.shape == grey.shape:
                self.total += grey
                self.added += 1

    def finish(self) -> Iterator[Result]:
        """Give the findings and the width of dark columns."""
        subject = self.series.subject()
        if self.blank.count and self.series.klass != "derived" and self.blank.count == self.seen:
            yield self.blank.finding(
                self.series, "us.blank", Status.WARN, f"{share(self.blank.count, self.series)} show nothing in the middle"
            )
        if self.pairs >= self.params.fewest_frames - 1 and 100 * self.still >= self.params.frozen_percent * self.pairs:
            text = f"the clip stands still: {self.still} of {self.pairs} frames equal the one before"
            shown = (
                (picture(self.last if self.last.ndim == 2 else self.last[..., 0], "every frame is this one"),)
                if self.last is not None
                else ()
            )
            yield Finding("us.frozen", Status.WARN, text, subject, {"equal": self.still, "pairs": self.pairs}, evidence=shown)
        if self.total is None:
            yield DIP.missing("pixels_unreadable" if self.unreadable_frames else "no_usable_image", subject)
            return
        yield from self._columns(self.total / self.added)

    def _columns(self, mean: NDArray[Any]) -> Iterator[Result]:
        subject = self.series.subject()
        field = linear_field(mean)
        if field is None:
            yield DIP.missing("probe_not_linear", subject)
            return
        dip = dark_columns(mean, field)
        percent = 100.0 * dip.width / (field.right - field.left) if dip else 0.0
        if dip and percent > self.params.dark_percent:
            left, right = float(dip.first), float(dip.first + dip.width)
            corners = ((field.top, left), (field.top, right), (field.bottom - 1, right), (field.bottom - 1, left))
            text = f"{dip.width} columns ({percent:.1f} % of the field) stay dark from the skin down, by {100 * dip.depth:.0f} %"
            shown = picture(mean, "mean of the frames", (Shape("polygon", tuple((float(r), c) for r, c in corners), "dark", "problem"),))
            yield Finding(
                "us.dark_columns", Status.WARN, text, subject, {"first_column": dip.first + 1, "columns": dip.width}, evidence=(shown,)
            )
        yield DIP.value(percent, subject)
