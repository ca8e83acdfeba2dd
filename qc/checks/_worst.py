"""Frames with one fault: how many, the first few, and a picture of the worst."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from qc.picture import picture
from qc.pixels import FramePixels
from qc.results import Finding, ImageEvidence, Shape, Status
from qc.study import Frame, Series

SHOWN = 20


@dataclass
class Worst:
    """Frames with one fault; memory does not grow with their number.

    Attributes
    ----------
    worst
        Badness of the worst frame so far.
    evidence
        Picture of that frame.
    """

    count: int = 0
    frames: list[Frame] = field(default_factory=list)
    worst: float = -1.0
    evidence: tuple[ImageEvidence, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)

    def add(self, pixels: FramePixels, badness: float, title: str, shapes: Sequence[Shape] = (), **details: Any) -> None:
        """Count a frame; keep its picture and details if it is the worst so far."""
        frame, image = pixels.frame, pixels.stored
        self.count += 1
        if len(self.frames) < SHOWN:
            self.frames.append(frame)
        if badness > self.worst:
            self.worst, self.details = badness, details
            grey = image if image.ndim == 2 else image[..., 0]
            self.evidence = (picture(grey, f"{title}: {frame.label}", shapes, spacing_mm=frame.spacing_mm),)

    def finding(self, series: Series, code: str, status: Status, text: str, **details: Any) -> Finding:
        """Say it once for all frames of the series."""
        subject = self.frames[0].subject() if self.count == 1 else series.subject()
        shown = {"count": self.count, "images": [frame.label for frame in self.frames], **self.details, **details}
        return Finding(code, status, text, subject, shown, evidence=self.evidence)


def share(count: int, series: Series) -> str:
    """Say how many images of the series: ``3 of 20 images``."""
    return f"{count} of {len(series.frames)} images" if len(series.frames) > 1 else "the image"
