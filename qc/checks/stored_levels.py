"""Are the stored numbers what the detector gave: enough levels, bytes in their order?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from qc.check import Applies, Example, FrameCheckBase, check
from qc.checks._sampling import Sample
from qc.checks._worst import Worst, share
from qc.measure.depth import high_bytes_only, swapped_roughness, used_bits
from qc.pixels import FramePixels
from qc.results import Metric, Result, Status
from qc.study import Series

BITS = Metric(
    "pixels.used_bits",
    "1",
    "Bits that the grey values of the best image span, by the levels that occur",
    "higher",
    "log2 of the range or levels",
)


@dataclass(frozen=True)
class LevelParameters:
    """Parameters.

    Attributes
    ----------
    fewest_bits
        Bits below which a series is told.
    roughness
        How much rougher than with swapped bytes an image must be.
    most_images
        Images looked at, evenly spread over the series.
    sample
        Pixels a side that are looked at.
    """

    fewest_bits: float = 6.0
    roughness: float = 2.5
    most_images: int = 12
    sample: int = 128


@check(
    id="pixels.levels",
    version=2,
    title="Levels of grey and order of bytes",
    level="series",
    needs="each_frame",
    applies=Applies(
        modalities=frozenset({"CT", "MR", "DX", "CR", "MG", "PT"}),
        not_classes=frozenset({"not_image", "screenshot", "localizer", "derived"}),
    ),
    metrics=(BITS,),
    codes={
        "pixels.few_levels": "The images use few levels of grey: faint differences are lost in steps. The receiver or the conversion was set wrong, or the images "
        "were made for viewing only. Ask for the originals.",
        "pixels.byte_order": "The pixels look as if their bytes stood in the wrong order: the image is snow, or it looks right but every value is 256 times too large. "
        "The file was converted wrongly; ask the sender for it again.",
    },
    params=LevelParameters,
    source="log2 of the range from the 0.1st to the 99.9th percentile; roughness as stored against roughness with swapped bytes; empty low bytes",
    invariances=("file_order", "duplicate_input"),
    examples=(
        Example("ct_head"),
        Example("mr_brain"),
        Example("dx_chest"),
        Example("ct_head", fault="swapped_bytes", codes={"pixels.byte_order": Status.WARN}),
        Example("mr_brain", fault="few_levels", codes={"pixels.few_levels": Status.WARN}),
    ),
)
class StoredLevels(FrameCheckBase):
    """Look at a block of neighbouring pixels for the order of bytes, and at a sample of the whole for the levels."""

    def __init__(self, series: Series, params: LevelParameters) -> None:
        super().__init__(series, params)
        self.sample = Sample(series, params.most_images)
        self.best: float | None = None
        self.seen = 0
        self.rough, self.scaled, self.few = Worst(), Worst(), Worst()

    def frame(self, frame: FramePixels) -> None:
        """See one frame."""
        stored = frame.stored
        if not self.sample.take() or stored.ndim != 2 or min(stored.shape) < 32 or stored.dtype.kind not in "iu":
            return
        self.seen += 1
        size = self.params.sample
        step = max(1, min(stored.shape) // size)
        few = stored[::step, ::step]
        # a sample of n pixels shows at most n levels, so the levels that occur count only where they are far fewer
        levels = len(np.unique(few))
        bits = min(used_bits(few), float(np.log2(levels))) if levels < few.size // 8 else used_bits(few)
        self.best = max(bits, self.best or 0.0)
        if bits < self.params.fewest_bits:
            self.few.add(frame, -bits, f"{2**bits:.0f} levels")
        top, left = (stored.shape[0] - min(size, stored.shape[0])) // 2, (stored.shape[1] - min(size, stored.shape[1])) // 2
        ratio = swapped_roughness(stored[top : top + size, left : left + size])
        if ratio > self.params.roughness:
            self.rough.add(frame, ratio, "rougher than with swapped bytes", ratio=ratio)
        elif high_bytes_only(few):
            self.scaled.add(frame, levels, "all values multiples of 256")

    def finish(self) -> Iterator[Result]:
        """Give the bits in use and the findings."""
        subject = self.series.subject()
        if self.best is None:
            yield BITS.missing("pixels_unreadable" if self.unreadable_frames else "no_usable_image", subject, "best_image")
            return
        if 2 * self.rough.count > self.seen:
            text = f"{share(self.rough.count, self.series)} looked at {self.rough.details['ratio']:.0f} times rougher than with their bytes swapped"
            yield self.rough.finding(self.series, "pixels.byte_order", Status.WARN, text)
        elif 2 * self.scaled.count > self.seen:
            text = f"every value of {share(self.scaled.count, self.series)} looked at is a multiple of 256: one byte, in the place of the other"
            yield self.scaled.finding(self.series, "pixels.byte_order", Status.WARN, text)
        elif self.few.count == self.seen and self.best < self.params.fewest_bits and self.best > 0:
            text = f"the images use {2**self.best:.0f} levels of grey at most ({self.best:.1f} bits)"
            yield self.few.finding(self.series, "pixels.few_levels", Status.WARN, text, bits=self.best)
        yield BITS.value(self.best, subject, "best_image", images=self.seen)
