"""Waves at an angle across the image: herringbone, moire, grid lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from qc.check import Applies, Example, FrameCheckBase, check
from qc.checks._sampling import Sample
from qc.checks._worst import Worst, share
from qc.measure.lone_wave import lone_wave
from qc.pixels import FramePixels, rescale
from qc.results import Metric, Result, Status
from qc.study import Series

WAVE = Metric(
    "pixels.lone_wave", "1", "Strongest lonely peak of the spectrum over its surroundings, worst image", "lower", "periodogram, Hann window"
)
RADIOGRAPHS = frozenset({"DX", "CR", "MG", "RF", "XA"})


@dataclass(frozen=True)
class WaveParameters:
    """Parameters.

    Attributes
    ----------
    ratio
        Peak over surroundings from which a wave is told.
    smallest_radiograph
        Radiographs with a shorter side (pixels) are previews, in which ribs make waves.
    most_images, most_images_mr
        Images looked at, evenly spread over the series; sparks of an MR scanner hit single images, so more of those.
    """

    ratio: float = 30.0
    smallest_radiograph: int = 512
    most_images: int = 12
    most_images_mr: int = 400


@check(
    id="pixels.herringbone",
    version=1,
    title="Waves at an angle across the image",
    level="series",
    needs="each_frame",
    applies=Applies(
        modalities=frozenset({"CT", "MR"}) | RADIOGRAPHS,
        not_classes=frozenset({"not_image", "screenshot", "localizer", "mosaic", "phantom:"}),
    ),
    metrics=(WAVE,),
    codes={
        "pixels.herringbone": "A wave runs at an angle across the whole image. MR: a spark in the room or a broken gradient cable made a spike in the raw data; look for "
        "loose metal and repeat, call service if it comes back. Radiographs: the lines of the grid, or their moire after shrinking. CT: the transfer.",
    },
    params=WaveParameters,
    source="one spike of k-space is one wave: a lonely peak of the periodogram; threshold from clean series",
    invariances=("file_order", "duplicate_input"),
    examples=(
        Example("mr_brain"),
        Example("dx_chest", {"matrix": 640}),
        Example("mr_brain", fault="herringbone", codes={"pixels.herringbone": Status.WARN}),
    ),
)
class Herringbone(FrameCheckBase):
    """Look at the spectrum of the middle 256 x 256 pixels, off its axes (waves along rows and columns are told as stripes)."""

    def __init__(self, series: Series, params: WaveParameters) -> None:
        super().__init__(series, params)
        self.sample = Sample(series, params.most_images_mr if series.modality == "MR" else params.most_images)
        self.found = Worst()
        self.highest: float | None = None

    def frame(self, frame: FramePixels) -> None:
        """See one frame."""
        stored = frame.stored
        if not self.sample.take() or stored.ndim != 2:
            return
        if self.series.modality in RADIOGRAPHS and min(stored.shape) < self.params.smallest_radiograph:
            return
        wave = lone_wave(stored)
        if wave is None:
            return
        self.highest = max(wave.ratio, self.highest or 0.0)
        if wave.ratio > self.params.ratio:
            amplitude = wave.amplitude * abs(rescale(frame.frame)[0])
            title = f"wave every {wave.period_px:.1f} pixels"
            self.found.add(frame, wave.ratio, title, period_px=wave.period_px, amplitude=amplitude, ratio=wave.ratio)

    def finish(self) -> Iterator[Result]:
        """Give the finding and the highest ratio."""
        if self.found.count:
            text = (
                f"{share(self.found.count, self.series)} overlaid with a wave at an angle, every {self.found.details['period_px']:.1f} pixels, "
                f"first {self.found.frames[0].label}"
            )
            yield self.found.finding(self.series, "pixels.herringbone", Status.WARN, text)
        if self.highest is None:
            unread = self.unreadable_frames and len(self.unreadable_frames) == len(self.series.frames)
            yield WAVE.missing("pixels_unreadable" if unread else "no_usable_image", self.series.subject(), "worst_frame")
        else:
            yield WAVE.value(self.highest, self.series.subject(), "worst_frame")
