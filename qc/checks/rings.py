"""Ring artefacts in CT of patients."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from qc.check import Applies, Example, FrameCheckBase, check
from qc.checks._sampling import Sample
from qc.checks._worst import Worst
from qc.measure.polar import Rings, ring_sums
from qc.pixels import FramePixels
from qc.results import Metric, Result, Shape, Status
from qc.study import Frame, Series

RING = Metric(
    "ct.patient_ring",
    "[hnsf'U]",
    "Height of the surest ring about the axis of rotation, mean over the images looked at",
    "lower",
    "second difference along rays",
)


@dataclass(frozen=True)
class RingParameters:
    """Parameters.

    Attributes
    ----------
    height_hu, score
        Height and surety (height over its standard uncertainty) from which a ring is told.
    tissue_hu
        CT numbers in which rings are looked for.
    most_step_hu
        Places where the tissue changes by more within 4 pixels are left out.
    most_images, fewest_images
        Images looked at, evenly spread over the series; fewer are not judged.
    """

    height_hu: float = 2.0
    score: float = 6.5
    tissue_hu: tuple[float, float] = (-200.0, 200.0)
    most_step_hu: float = 60.0
    most_images: int = 24
    fewest_images: int = 3


def axis_of_rotation(frame: Frame, shape: tuple[int, ...]) -> tuple[float, float] | None:
    """Return where the axis of rotation crosses the image, (row, column) in pixels.

    From DataCollectionCenterPatient (0018,9313) where it is there, else the middle of the image: right for fields of view that were not
    displaced, so ReconstructionTargetCenterPatient (0018,9318) is asked before that is believed.
    """
    middle = ((shape[0] - 1) / 2, (shape[1] - 1) / 2)
    center, target = frame.get("DataCollectionCenterPatient"), frame.get("ReconstructionTargetCenterPatient")
    if not (isinstance(center, tuple) and len(center) == 3):
        return middle
    spacing, orientation, position = frame.spacing_mm, frame.orientation, frame.position
    if spacing is None or orientation is None or position is None:
        return middle if center == target else None
    away = np.asarray(center, float) - np.asarray(position, float)
    return float(away @ np.asarray(orientation[3:])) / spacing[0], float(away @ np.asarray(orientation[:3])) / spacing[1]


@check(
    id="ct.rings",
    version=1,
    title="Rings about the axis of rotation",
    level="series",
    needs="each_frame",
    applies=Applies(modalities=frozenset({"CT"}), classes=frozenset({"image", "stack_4d"})),
    metrics=(RING,),
    codes={
        "ct.rings": "A ring about the axis of rotation stands in the images: a detector channel gives wrong values. Calibrate (air calibration) and scan the water "
        "phantom; call service if the ring stays. Small lesions on the ring cannot be trusted.",
    },
    params=RingParameters,
    source="a ring is the same in all directions: scatter of 12 sectors of the second difference along rays",
    invariances=("file_order", "duplicate_input"),
    examples=(
        Example("ct_head", {"matrix": 256}),
        Example("ct_head", {"matrix": 256}, fault="ringed", codes={"ct.rings": Status.WARN}),
    ),
)
class CtRings(FrameCheckBase):
    """Add up images: a ring that stands through the series becomes surer, anatomy does not. A ring in one image of many is not seen."""

    def __init__(self, series: Series, params: RingParameters) -> None:
        super().__init__(series, params)
        self.sample = Sample(series, params.most_images)
        self.sums: Rings | None = None
        self.images = 0
        self.center = (0.0, 0.0)
        self.shape: tuple[int, ...] = ()
        self.picture = Worst()
        self.trouble = "no_usable_image"

    def frame(self, frame: FramePixels) -> None:
        """See one frame."""
        stored = frame.stored
        if not self.sample.take() or stored.ndim != 2 or min(stored.shape) < 128:
            return
        center = axis_of_rotation(frame.frame, stored.shape)
        if center is None or (self.images and (max(abs(center[0] - self.center[0]), abs(center[1] - self.center[1])) > 0.5)):
            self.trouble = "axis_unknown" if center is None else "axis_moves"
            return
        low, high = self.params.tissue_hu
        self.sums = ring_sums(frame.values, center, low, high, self.params.most_step_hu, self.sums)
        self.images += 1
        self.center, self.shape = center, stored.shape
        if self.images == 1 or self.images == self.params.most_images // 2:
            self.picture.add(frame, float(self.images), "ring")

    def finish(self) -> Iterator[Result]:
        """Give the height of the surest ring, or the reason why there is none."""
        subject = self.series.subject()
        if self.images < self.params.fewest_images:
            unread = self.unreadable_frames and not self.images
            yield RING.missing(
                "pixels_unreadable" if unread else "too_few_images" if self.images else self.trouble, subject, images=self.images
            )
            return
        ring = self.sums.strongest() if self.sums else None
        if ring is None:
            yield RING.missing("too_little_smooth_tissue", subject, images=self.images)
            return
        if ring.score > self.params.score and abs(ring.height) > self.params.height_hu:
            yield self._finding(ring.radius_px, ring.height, ring.score)
        yield RING.value(
            abs(ring.height),
            subject,
            uncertainty=abs(ring.height) / max(ring.score, 1e-6),
            radius_px=ring.radius_px,
            score=ring.score,
            images=self.images,
        )

    def _finding(self, radius: int, height: float, score: float) -> Result:
        spacing = self.picture.frames[0].spacing_mm
        size = f"{radius * spacing[0]:.0f} mm" if spacing else f"{radius} pixels"
        text = f"a ring of {height:+.1f} HU and radius {size} about the axis of rotation (mean of {self.images} images)"
        outline = Shape("circle", (self.center, (self.center[0], self.center[1] + radius)), "ring", "problem")
        evidence = self.picture.evidence[0]
        scale = evidence.image.shape[1] / self.shape[1]
        drawn = Shape("circle", tuple(((r + 0.5) * scale - 0.5, (c + 0.5) * scale - 0.5) for r, c in outline.points), "ring", "problem")
        self.picture.evidence = (dataclasses.replace(evidence, shapes=(drawn,)),)
        self.picture.count = len(self.series.frames)
        return self.picture.finding(self.series, "ct.rings", Status.WARN, text, radius_px=radius, height_hu=height, score=score)
