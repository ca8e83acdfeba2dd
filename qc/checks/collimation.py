"""Collimation of radiographs: how much of the image lies inside the field, by the header and by the picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from qc.check import Applies, Example, FrameCheckBase, check
from qc.checks._sampling import Sample
from qc.checks._worst import Worst
from qc.measure.collimation import SIDES, Field, field
from qc.pixels import FramePixels
from qc.results import Metric, Result, Shape, Status
from qc.study import Frame, Series

COLLIMATED = Metric(
    "dx.collimated",
    "%",
    "Part of the image inside the collimated field",
    "none",
    "DICOM PS3.3 C.8.7.3 and C.7.6.11; straight edges of the picture",
)
EDGES = {
    "left": "LeftVerticalEdge",
    "top": "UpperHorizontalEdge",
    "right": "RightVerticalEdge",
    "bottom": "LowerHorizontalEdge",
}


@dataclass(frozen=True)
class CollimationParameters:
    """Parameters.

    Attributes
    ----------
    apart_mm
        An edge is told where header and picture place it farther apart than this.
    most_images
        Images looked at, evenly spread over the series.
    least_percent
        A field of the header that is smaller than this is no field: some makers write places in the room there, in millimetres.
    smallest_image
        Rows and columns that an image needs.
    """

    apart_mm: float = 10.0
    most_images: int = 12
    least_percent: float = 5.0
    smallest_image: int = 64


def _told(frame: Frame) -> Field | None:
    """Return the field of the header: the rectangular collimator, else the shutter; None where the header gives none."""
    rows, columns = int(frame.get("Rows")), int(frame.get("Columns"))
    for device in ("Collimator", "Shutter"):
        shape = frame.get(f"{device}Shape", "RECTANGULAR")
        places = [frame.get(device + name) for name in EDGES.values()]
        if shape != "RECTANGULAR" or not all(isinstance(place, (int, float)) for place in places):
            continue
        left, top, right, bottom = places
        # the edge runs through the middle of the pixel that is named, counted from 1
        insets = (left - 0.5, top - 0.5, columns - right + 0.5, rows - bottom + 0.5)
        found = {side: max(0.0, float(inset)) for side, inset in zip(SIDES, insets, strict=True)}
        if found["left"] + found["right"] < columns and found["top"] + found["bottom"] < rows:
            return Field(found, (rows, columns))
    return None


def white_is_high(frame: Frame) -> bool:
    """Tell whether high stored values are those of little signal: by what a display does, of raw images by the sign that the header gives."""
    sign = frame.get("PixelIntensityRelationshipSign")
    if frame.get("PresentationIntentType") == "FOR PROCESSING" and sign in (1, -1):
        return bool(sign == -1)
    return bool(frame.get("PhotometricInterpretation") != "MONOCHROME1")


@check(
    id="dx.collimation",
    version=1,
    title="Collimation of radiographs",
    level="series",
    needs="each_frame",
    applies=Applies(modalities=frozenset({"DX", "CR"}), not_classes=frozenset({"not_image", "screenshot", "localizer", "phantom:"})),
    metrics=(COLLIMATED,),
    codes={
        "dx.collimation_tag": "The collimated field is not where the header says. A viewer that masks by the header hides a part of the picture or leaves the border open, "
        "and surveys of field sizes count a wrong area. Look at the image without its mask; ask the vendor to mend the entry.",
    },
    params=CollimationParameters,
    source="DICOM PS3.3 C.8.7.3 (X-Ray Collimator), C.7.6.11 (Display Shutter); straight edge of the picture with little and even signal behind it",
    invariances=("file_order", "duplicate_input"),
    examples=(
        Example("dx_chest"),
        Example(
            "dx_chest",
            {"collimated_mm": (30.0, 20.0, 45.0, 25.0), "told_mm": (30.0, 20.0, 45.0, 25.0)},
            values={"dx.collimated@picture": (69.27, 0.8), "dx.collimated@header": (69.27, 0.8)},
        ),
        Example(
            "dx_chest",
            {"collimated_mm": (30.0, 20.0, 45.0, 25.0), "told_mm": (30.0, 20.0, 20.0, 25.0)},
            codes={"dx.collimation_tag": Status.WARN},
        ),
    ),
)
class Collimation(FrameCheckBase):
    """Area inside the collimated field over the area of the image, the median over the images of a series.

    ``header``: by the edges of the collimator, else of the shutter, where they are rectangular. ``picture``: by the straight edges that
    can be seen; a side without one is taken to reach the border of the image. Where neither is to be had nothing is given, and nothing is
    missing: an open field and one that was cut out of the image look the same.

    Worked number: borders of 30, 20, 45 and 25 mm around an image of 360 x 360 mm leave 285 x 315 mm, 69.3 %.
    """

    def __init__(self, series: Series, params: CollimationParameters) -> None:
        super().__init__(series, params)
        self.percent: dict[str, list[float]] = {"header": [], "picture": []}
        self.apart = Worst()
        self.sample = Sample(series, params.most_images)
        self.looked = self.no_field = 0

    def frame(self, frame: FramePixels) -> None:
        """See one frame."""
        stored = frame.stored
        if not self.sample.take() or stored.ndim != 2 or min(stored.shape) < self.params.smallest_image:
            return
        self.looked += 1
        seen, told = field(stored, white_is_high(frame.frame)), _told(frame.frame)
        if seen.insets:
            self.percent["picture"].append(seen.percent)
        if told is not None and told.percent < self.params.least_percent:
            self.no_field += 1
        elif told is not None:
            self.percent["header"].append(told.percent)
            self._compare(frame, seen, told)

    def _compare(self, frame: FramePixels, seen: Field, told: Field) -> None:
        """Note an image where an edge that can be seen lies elsewhere than the header says."""
        spacing = frame.frame.spacing_mm
        if spacing is None or not seen.insets:
            return
        mm = {"left": spacing[1], "right": spacing[1], "top": spacing[0], "bottom": spacing[0]}
        apart = {side: abs(told.insets[side] - inset) * mm[side] for side, inset in seen.insets.items()}
        side = max(apart, key=lambda one: apart[one])
        if apart[side] <= self.params.apart_mm:
            return
        shapes = (_outline(seen, "seen", "found"), _outline(told, "header", "problem"))
        places = {"told_mm": told.insets[side] * mm[side], "seen_mm": seen.insets[side] * mm[side]}
        self.apart.add(frame, apart[side], "Collimated field", shapes, side=side, apart_mm=apart[side], **places)

    def finish(self) -> Iterator[Result]:
        """Give the finding and the part of the image inside the field."""
        subject = self.series.subject()
        if self.apart.count:
            facts = self.apart.details
            text = (
                f"the header puts the {facts['side']} edge of the collimated field {facts['told_mm']:.0f} mm from the border of the image, "
                f"the picture shows it at {facts['seen_mm']:.0f} mm"
            )
            yield self.apart.finding(self.series, "dx.collimation_tag", Status.WARN, text)
        for region, found in self.percent.items():
            if found:
                yield COLLIMATED.value(float(np.median(found)), subject, region, images=len(found), lowest=min(found), highest=max(found))
        if self.no_field and not self.percent["header"]:
            yield COLLIMATED.missing("header_implausible", subject, "header", images=self.no_field)
        elif not self.looked:
            reason = "pixels_unreadable" if self.unreadable_frames else "no_usable_image"
            yield COLLIMATED.missing(reason, subject, "picture")


def _outline(one: Field, label: str, role: Literal["found", "problem"]) -> Shape:
    """The field as a rectangle."""
    rows, columns = one.shape
    left, top, right, bottom = (one.insets.get(side, 0.0) for side in SIDES)
    right, bottom = columns - right - 0.5, rows - bottom - 0.5
    left, top = left - 0.5, top - 0.5
    return Shape("polygon", ((top, left), (top, right), (bottom, right), (bottom, left), (top, left)), label, role)
