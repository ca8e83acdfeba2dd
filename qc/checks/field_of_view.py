"""Does the patient fit into the field of view: cut off in CT, wrapped round in MR."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from qc.check import Applies, Example, FrameCheckBase, check
from qc.checks._sampling import Sample
from qc.checks._worst import Worst
from qc.checks.mr_head import is_magnitude
from qc.measure.border import both_ends, cut_off
from qc.measure.tissue import otsu
from qc.pixels import FramePixels
from qc.results import Metric, Result, Status
from qc.study import Series

CUT = Metric(
    "ct.cut_off", "%", "Border of the reconstructed field that lies in the body, median image", "lower", "CT numbers along the border"
)
WRAP = Metric(
    "mr.both_ends",
    "%",
    "Lines of the object that are lit at both ends of the field along the phase-encoding direction, median image",
    "lower",
    "signal at the border",
)


@dataclass(frozen=True)
class FieldParameters:
    """Parameters.

    Attributes
    ----------
    cut_percent
        CT: share of the border in the body from which it is told.
    largest_field
        CT: a reconstruction field of at least this share of the scan field cannot be made larger.
    wrap_percent
        MR: share of the lines lit at both ends from which it is told, in heads.
    body_hu
        CT: level between air and body.
    body_mm
        CT: how thick the body is at least; what is thinner at the border is a couch.
    most_images
        Images looked at, evenly spread over the series.
    body_parts
        MR: parts of the body that fit into a field of view as a whole.
    """

    cut_percent: float = 5.0
    largest_field: float = 0.95
    wrap_percent: float = 15.0
    body_hu: float = -300.0
    body_mm: float = 12.0
    most_images: int = 16
    body_parts: tuple[str, ...] = ("HEAD", "BRAIN", "SKULL")


@check(
    id="field_of_view",
    version=2,
    title="Patient inside the field of view",
    level="series",
    needs="each_frame",
    applies=Applies(modalities=frozenset({"CT", "MR"}), classes=frozenset({"image", "stack_4d"})),
    metrics=(CUT, WRAP),
    codes={
        "ct.truncated": "The patient reaches beyond the field of view. Where the field was the largest possible, CT numbers near the border are wrong: do not plan a "
        "treatment on them. Where it was made small on purpose (heart, spine), nothing is wrong.",
        "mr.wrapped": "Signal stands at both ends of the field along the phase-encoding direction: part of the head is folded over to the other side. Take a larger "
        "field of view or oversampling; look whether the fold lies on what has to be read.",
    },
    params=FieldParameters,
    source="CT numbers along the border of the circle or square; signal at the ends of the phase-encoding direction",
    invariances=("file_order", "duplicate_input"),
    examples=(
        Example("ct_head", values={"ct.cut_off": (0.0, 0.5)}),
        Example("mr_brain", values={"mr.both_ends": (0.0, 1.0)}),
        Example("mr_brain", fault="wrapped", codes={"mr.wrapped": Status.WARN}),
        Example("ct_chest", {"fov_mm": 300.0}, codes={"ct.truncated": Status.INFO}),
    ),
)
class FieldOfView(FrameCheckBase):
    """Read the border of the field. A cut body in CT is a warning only where the field was the largest of the scanner; else it was meant."""

    def __init__(self, series: Series, params: FieldParameters) -> None:
        super().__init__(series, params)
        self.sample = Sample(series, params.most_images)
        self.found: list[float] = []
        self.worst = Worst()
        self.trouble = "no_usable_image"
        self.ct = series.modality == "CT"
        self.head = str(series.first("BodyPartExamined", "")).upper().startswith(params.body_parts)

    def frame(self, frame: FramePixels) -> None:
        """See one frame."""
        stored = frame.stored
        if not self.sample.take() or stored.ndim != 2 or min(stored.shape) < 48:
            return
        percent = self._cut(frame) if self.ct else self._wrap(frame)
        if percent is None:
            return
        self.found.append(percent)
        limit = self.params.cut_percent if self.ct else self.params.wrap_percent
        if percent > limit:
            self.worst.add(frame, percent, f"{percent:.0f} % of the border" if self.ct else f"{percent:.0f} % lit at both ends")

    def _cut(self, frame: FramePixels) -> float:
        spacing = frame.frame.spacing_mm
        return cut_off(
            frame.values, self.params.body_hu, depth=max(4, round(self.params.body_mm / min(spacing))) if spacing else 12
        ).percent

    def _wrap(self, frame: FramePixels) -> float | None:
        direction = str(frame.frame.get("InPlanePhaseEncodingDirection", ""))
        orientation = frame.frame.orientation
        if not direction or not is_magnitude(frame.frame):
            self.trouble = "no_magnitude_image" if direction else "phase_direction_unknown"
            return None
        if not self.head or orientation is None or abs(float(np.cross(orientation[:3], orientation[3:])[2])) < 0.8:
            self.trouble = "not_a_transverse_head"  # elsewhere the body leaves the field by right
            return None
        cut = otsu(frame.values[::2, ::2])
        if not np.isfinite(cut):
            return None
        return 100.0 * both_ends(frame.values, cut, 1 if direction.startswith("ROW") else 0)

    def finish(self) -> Iterator[Result]:
        """Give the share of the border, and the finding where half of the images have it."""
        subject, metric = self.series.subject(), CUT if self.ct else WRAP
        if not self.found:
            yield metric.missing("pixels_unreadable" if self.unreadable_frames else self.trouble, subject)
            return
        middle = float(np.median(self.found))
        yield metric.value(middle, subject, images=len(self.found), highest=max(self.found))
        if self.ct and middle > self.params.cut_percent:
            largest = self._largest_field()
            words = "the largest field of the scanner" if largest else "a field that was chosen smaller than the body"
            text = f"the patient reaches beyond the field of view: {middle:.0f} % of its border lies in the body ({words})"
            yield self.worst.finding(self.series, "ct.truncated", Status.WARN if largest else Status.INFO, text, percent=middle)
        elif not self.ct and middle > self.params.wrap_percent:
            text = f"signal at both ends of the field along the phase-encoding direction, over {middle:.0f} % of the width of the head: wrapped round"
            yield self.worst.finding(self.series, "mr.wrapped", Status.WARN, text, percent=middle)

    def _largest_field(self) -> bool:
        made, possible = self.series.first("ReconstructionDiameter"), self.series.first("DataCollectionDiameter")
        known = isinstance(made, (int, float)) and isinstance(possible, (int, float))
        return bool(known and possible > 0 and made >= self.params.largest_field * possible)
