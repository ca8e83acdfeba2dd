"""Stripes and dead lines in single images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from qc.check import Applies, Example, FrameCheckBase, check
from qc.checks._sampling import Sample
from qc.checks._worst import Worst, share
from qc.checks.mr_head import is_magnitude
from qc.measure.stripes import SHORTEST_IMAGE, Line, Stripes, fine_noise, line, stripes_both_ways
from qc.pixels import FramePixels, rescale
from qc.results import Metric, Result, Shape, Status
from qc.study import Series

STRIPES = Metric(
    "pixels.stripes",
    "1",
    "Strongest wave across a whole image over its neighbouring frequencies, worst image",
    "lower",
    "row and column profiles after a high-pass, in 8 strips",
)


@dataclass(frozen=True)
class StripeParameters:
    """Parameters.

    Attributes
    ----------
    ratio
        A wave so many times stronger than the neighbouring frequencies, in all strips of the image, is a stripe.
    ratio_most_strips
        The same where one strip of eight does not show it.
    of_noise
        Waves weaker than this share of the fine noise are not told.
    most_images_ct
        CT images looked at, evenly spread over the series; of other modalities every one.
    line_ratio
        A row or column that differs from its neighbours by so many robust SD in every strip is a line.
    """

    ratio: float = 7.0
    ratio_most_strips: float = 25.0
    of_noise: float = 0.5
    most_images_ct: int = 200
    line_ratio: float = 5.0


@check(
    id="pixels.stripes",
    version=2,
    title="Stripes and lines across the image",
    level="series",
    needs="each_frame",
    applies=Applies(
        modalities=frozenset({"CT", "MR", "PT", "NM"}), not_classes=frozenset({"not_image", "screenshot", "localizer", "derived"})
    ),
    metrics=(STRIPES,),
    codes={
        "pixels.stripes": "A pattern of stripes or a line goes across the whole image. MR: look for a spark or a radio source in the scan room (door, "
        "lamp, coil plug); CT, NM, PET: a detector channel or the transfer. Look whether the images can still be read."
    },
    params=StripeParameters,
    source="row and column profiles after a high-pass (zipper, spike, herringbone along an axis); thresholds from clean series",
    invariances=("file_order", "duplicate_input"),
    examples=(
        Example("ct_head"),
        Example("mr_brain"),
        Example("ct_head", fault="stripes", codes={"pixels.stripes": Status.WARN}),
        Example("mr_brain", fault="stripes", codes={"pixels.stripes": Status.WARN}),
    ),
)
class StripeCheck(FrameCheckBase):
    """Look for a wave or a single line that goes through the whole image along rows or columns.

    Eight strips of each image must show the same wave with the same phase; anatomy, tables and test patterns fill only some of them.
    CT is not searched for single lines.
    """

    def __init__(self, series: Series, params: StripeParameters) -> None:
        super().__init__(series, params)
        self.sample = Sample(series, params.most_images_ct if series.modality == "CT" else max(1, len(series.frames)))
        self.waves, self.lines = Worst(), Worst()
        self.highest: float | None = None

    def frame(self, frame: FramePixels) -> None:
        """See one frame."""
        stored = frame.stored
        if not self.sample.take() or stored.ndim != 2 or min(stored.shape) < SHORTEST_IMAGE:
            return
        if self.series.modality == "MR" and not is_magnitude(frame.frame):
            return  # phases wrap round in lines
        for axis, wave in enumerate(stripes_both_ways(stored)):
            if wave is not None:
                self._wave(frame, axis, wave)
            if self.series.modality == "CT":
                continue  # a couch may span the whole image, and a dead channel makes a ring there, not a line
            one = line(stored, axis)
            if one is not None and one.ratio > self.params.line_ratio:
                self._line(frame, axis, one)

    def _wave(self, frame: FramePixels, axis: int, wave: Stripes) -> None:
        full = wave.agreement == 1.0
        if full:
            self.highest = max(wave.ratio, self.highest or 0.0)
        if wave.ratio <= (self.params.ratio if full else self.params.ratio_most_strips) or wave.agreement < 0.8:
            return
        if wave.amplitude < self.params.of_noise * fine_noise(frame.stored):
            return
        slope = abs(rescale(frame.frame)[0])
        spacing = frame.frame.spacing_mm
        title = f"{'horizontal' if axis == 0 else 'vertical'} stripes every {wave.period_px:.1f} pixels"
        self.waves.add(
            frame, wave.ratio, title, axis=axis, period_px=wave.period_px, amplitude=wave.amplitude * slope, ratio=wave.ratio,
            period_mm=wave.period_px * spacing[axis] if spacing else None,
        )  # fmt: skip

    def _line(self, frame: FramePixels, axis: int, one: Line) -> None:
        rows, columns = frame.stored.shape
        ends = ((one.index, 0), (one.index, columns - 1)) if axis == 0 else ((0, one.index), (rows - 1, one.index))
        where = f"{'row' if axis == 0 else 'column'} {one.index + 1}"
        shape = Shape("line", tuple((float(r), float(c)) for r, c in ends), where, "problem")
        self.lines.add(frame, one.ratio, where, (shape,), where=where, step=one.step * abs(rescale(frame.frame)[0]), ratio=one.ratio)

    def finish(self) -> Iterator[Result]:
        """Give at most one finding for waves and one for lines."""
        subject = self.series.subject()
        if self.waves.count:
            facts = self.waves.details
            kind = "horizontal" if facts["axis"] == 0 else "vertical"
            text = (
                f"{share(self.waves.count, self.series)} overlaid with {kind} stripes every {facts['period_px']:.1f} pixels, first "
                f"{self.waves.frames[0].label}"
            )
            yield self.waves.finding(self.series, "pixels.stripes", Status.WARN, text)
        if self.lines.count:
            text = f"{share(self.lines.count, self.series)} crossed by a line ({self.lines.details['where']} in the worst), first {self.lines.frames[0].label}"
            yield self.lines.finding(self.series, "pixels.stripes", Status.WARN, text)
        if self.highest is not None:
            yield STRIPES.value(self.highest, subject, "worst_frame")
