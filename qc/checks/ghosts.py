"""Ghosts and motion in MR images: signal beside the patient along the phase-encoding direction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from qc.check import Applies, Example, FrameCheckBase, check
from qc.checks._sampling import Sample
from qc.checks._worst import Worst
from qc.checks.mr_head import is_magnitude
from qc.measure.ghost_bands import amplitude, bands
from qc.measure.tissue import otsu
from qc.pixels import FramePixels
from qc.results import Metric, Result, Shape, Status
from qc.study import Series

GHOST = Metric(
    "mr.ghost",
    "%",
    "Signal beside the object along the phase-encoding direction more than across it, over the signal of the object, median image",
    "lower",
    "mean squares of both bands of air",
)


@dataclass(frozen=True)
class GhostParameters:
    """Parameters.

    Attributes
    ----------
    most_percent
        Ghost from which a series is told, where at least half of the images have it.
    most_percent_epi
        The same for echo planar images, where some ghost is always there.
    most_images
        Images looked at, evenly spread over the series.
    smallest
        Images with a shorter side (pixels) are left out.
    clearance_mm
        Air keeps so far away from the object.
    fewest_images
        Images that must have been measured.
    """

    most_percent: float = 5.0
    most_percent_epi: float = 15.0
    most_images: int = 24
    smallest: int = 48
    clearance_mm: float = 6.0
    fewest_images: int = 3


@check(
    id="mr.ghosts",
    version=1,
    title="Ghosts along the phase-encoding direction",
    level="series",
    needs="each_frame",
    applies=Applies(modalities=frozenset({"MR"}), classes=frozenset({"image", "stack_4d"})),
    metrics=(GHOST,),
    codes={
        "mr.ghosts": "A displaced copy or smear of the patient lies beside him along the phase-encoding direction. He moved (breathing, swallowing, "
        "tremor), or gradients and receiver are out of step (EPI). Look whether the ghost crosses what has to be read; repeat the series if so. If phantoms "
        "show it too, call service.",
    },
    params=GhostParameters,
    source="ghost-to-signal ratio of MRIQC, with mean squares so that noise cancels",
    invariances=("file_order", "duplicate_input", "intensity_scale"),
    examples=(
        Example("mr_brain"),
        Example("mr_brain", fault="ghosted", codes={"mr.ghosts": Status.WARN}),
    ),
)
class Ghosts(FrameCheckBase):
    """Compare the air above and below the object with the air left and right of it, the phase-encoding direction taken from the header."""

    def __init__(self, series: Series, params: GhostParameters) -> None:
        super().__init__(series, params)
        self.sample = Sample(series, params.most_images)
        self.found: list[float] = []
        self.worst = Worst()
        self.trouble = "no_usable_image"
        epi = "EP" in str(series.first("ScanningSequence", "")) or "epi" in series.description.lower()
        self.most = params.most_percent_epi if epi else params.most_percent

    def frame(self, frame: FramePixels) -> None:
        """See one frame."""
        stored, get = frame.stored, frame.frame.get
        if not self.sample.take() or stored.ndim != 2 or min(stored.shape) < self.params.smallest:
            return
        direction = get("InPlanePhaseEncodingDirection")
        if direction not in ("ROW", "COL", "ROW ", "COLUMN"):
            self.trouble = "phase_direction_unknown"
            return
        if not is_magnitude(frame.frame):
            self.trouble = "no_magnitude_image"
            return
        axis = 1 if str(direction).startswith("ROW") else 0
        values = frame.values
        cut = otsu(values[::2, ::2])
        if not np.isfinite(cut):
            return
        spacing = frame.frame.spacing_mm or (1.0, 1.0)
        parts = bands(values, 0.5 * cut, axis, (self.params.clearance_mm / spacing[0], self.params.clearance_mm / spacing[1]))
        share = amplitude(values, parts, axis) if parts else None
        if share is None or parts is None:
            self.trouble = "too_little_air"
            return
        percent = 100.0 * share
        self.found.append(percent)
        if percent > self.most:
            places = np.argwhere(parts.phase)
            (top, left), (bottom, right) = places.min(axis=0), places.max(axis=0)
            box = Shape("polygon", ((top, left), (top, right), (bottom, right), (bottom, left)), "ghost looked for here", "problem")
            self.worst.add(frame, percent, f"ghost of {percent:.0f} %", (box,), axis=axis)

    def finish(self) -> Iterator[Result]:
        """Give the ghost of the middle image, and the finding where half of the images have it."""
        subject = self.series.subject()
        if len(self.found) < self.params.fewest_images:
            unread = self.unreadable_frames and not self.found
            reason = "pixels_unreadable" if unread else "too_few_images" if self.found else self.trouble
            yield GHOST.missing(reason, subject, images=len(self.found))
            return
        middle = float(np.median(self.found))
        if middle > self.most:
            way = "up and down" if self.worst.details["axis"] == 0 else "to the sides"
            text = f"ghosts of {middle:.0f} % of the signal beside the patient, {way} (worst {self.worst.worst:.0f} %, {self._where()})"
            yield self.worst.finding(self.series, "mr.ghosts", Status.WARN, text, percent=middle)
        yield GHOST.value(max(middle, 0.0), subject, images=len(self.found), signed=middle, highest=max(self.found))

    def _where(self) -> str:
        return self.worst.evidence[0].title.partition(": ")[2]
