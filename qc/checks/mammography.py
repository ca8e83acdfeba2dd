"""Mammograms: view, side, and saturation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from pydicom.datadict import tag_for_keyword

from qc.check import Applies, Example, FrameCheckBase, check
from qc.checks._worst import Worst
from qc.measure.sense import corners
from qc.measure.tissue import otsu
from qc.pixels import FramePixels
from qc.results import Finding, Metric, Result, Status
from qc.study import Series

SATURATED = Metric("mg.saturated", "%", "Pixels of the breast at the brightest value of the image", "lower", "share of the largest value")
AIR = Metric(
    "mg.air_spread", "%", "Spread of the air beside the breast over the range of the image", "lower", "robust SD over 1-99 % range"
)
VIEW_CODE = int(tag_for_keyword("ViewCodeSequence") or 0)


@dataclass(frozen=True)
class MammographyParameters:
    """Parameters.

    Attributes
    ----------
    saturated_percent
        Share of the breast at the brightest value from which it is told.
    chest_wall_ratio
        How much more breast the chest wall side must have than the other.
    """

    saturated_percent: float = 1.0
    chest_wall_ratio: float = 3.0


@check(
    id="mg.picture",
    version=1,
    title="Mammograms: view, side, saturation",
    level="series",
    needs="each_frame",
    applies=Applies(modalities=frozenset({"MG"}), not_classes=frozenset({"not_image", "screenshot", "localizer"})),
    metrics=(SATURATED, AIR),
    codes={
        "mg.view_missing": "The header does not say which view this is (ViewPosition and ViewCodeSequence are both missing). Hanging protocols need it; correct it.",
        "mg.orientation": "The chest wall is on the other side of the image than PatientOrientation says: the image would hang mirrored, and left and right may be mistaken. "
        "Compare with the marker in the image.",
        "mg.saturated": "The brightest part of the breast is cut off: density and calcifications there are lost. Exposure, detector or processing; look at the raw image.",
    },
    params=MammographyParameters,
    source="DICOM PS3.3 C.8.11.7 (view), C.7.6.1.1.1 (PatientOrientation); saturation by definition",
    invariances=("file_order", "duplicate_input"),
    examples=(
        Example("mg_breast"),
        Example("mg_breast", fault="mirrored_breast", codes={"mg.orientation": Status.WARN}),
    ),
)
class Mammography(FrameCheckBase):
    """Find the breast (bright in images for presentation) and the side on which it meets the border. Raw images are looked at for their view only."""

    def __init__(self, series: Series, params: MammographyParameters) -> None:
        super().__init__(series, params)
        self.saturated: list[float] = []
        self.air: list[float] = []
        self.bright, self.turned = Worst(), Worst()
        self.trouble = "no_usable_image"

    def frame(self, frame: FramePixels) -> None:
        """See one frame: a sample of it."""
        stored, get = frame.stored, frame.frame.get
        if stored.ndim != 2 or min(stored.shape) < 64 or get("PresentationIntentType") == "FOR PROCESSING":
            self.trouble = "for_processing" if stored.ndim == 2 else self.trouble
            return
        step = max(1, min(stored.shape) // 256)
        values = stored[::step, ::step].astype(np.float32)
        if get("PhotometricInterpretation") == "MONOCHROME1":
            values = -values
        cut = otsu(values)
        if not np.isfinite(cut):
            return
        told = corners(values)
        if told is not None and told.inverted:
            self.trouble = "shown_inverted"  # told by pixels.inverted; nothing measured on a negative would hold
            return
        breast = values > cut
        inside = values[breast]
        percent = 100.0 * float(np.mean(inside == values.max())) if inside.size else 0.0
        self.saturated.append(percent)
        if percent > self.params.saturated_percent:
            self.bright.add(frame, percent, f"{percent:.1f} % of the breast at the brightest value")
        air = values[~breast]
        if air.size > 100:
            low, high = np.percentile(values, [1, 99])
            self.air.append(100.0 * 1.4826 * float(np.median(np.abs(air - np.median(air)))) / max(float(high - low), 1.0))
        self._side(frame, breast)

    def _side(self, frame: FramePixels, breast: np.ndarray) -> None:
        """Compare the side of the chest wall with PatientOrientation: rows that run anteriorly have it on the left."""
        said = frame.frame.get("PatientOrientation")
        first = str(said[0] if isinstance(said, tuple) and said else said or "")[:1]
        band = max(2, breast.shape[1] // 20)
        left, right = float(breast[:, :band].mean()), float(breast[:, -band:].mean())
        if first not in ("A", "P") or max(left, right) < 0.2 or max(left, right) < self.params.chest_wall_ratio * min(left, right):
            return
        wall = "left" if left > right else "right"
        expected = "left" if first == "A" else "right"
        if wall != expected:
            self.turned.add(frame, 1.0, f"chest wall on the {wall}", wall=wall, patient_orientation=str(said))

    def finish(self) -> Iterator[Result]:
        """Give the findings and the shares."""
        subject = self.series.subject()
        blind = [
            one
            for one in self.series.instances
            if not one.get("ViewPosition") and one.presence is not None and VIEW_CODE not in one.presence.filled
        ]
        if blind:
            yield Finding("mg.view_missing", Status.WARN, "the header names no view of the breast", subject, {"count": len(blind)})
        if self.turned.count:
            wall = self.turned.details["wall"]
            text = f"the chest wall is on the {wall} of the image, PatientOrientation says it is on the other side"
            yield self.turned.finding(self.series, "mg.orientation", Status.WARN, text)
        if self.bright.count:
            yield self.bright.finding(
                self.series, "mg.saturated", Status.WARN, f"{self.bright.worst:.1f} % of the breast at the brightest value of the image"
            )
        reason = "pixels_unreadable" if self.unreadable_frames else self.trouble
        for metric, found in ((SATURATED, self.saturated), (AIR, self.air)):
            yield metric.value(float(np.median(found)), subject) if found else metric.missing(reason, subject)
