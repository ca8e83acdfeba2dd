"""Are the pixels an image: readable, not blank, not constant, not clipped, each only once?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qc import stacks
from qc.check import Applies, Example, FrameCheckBase, check
from qc.checks._worst import Worst, share
from qc.pixels import FramePixels
from qc.results import Finding, Metric, Result, Status
from qc.study import Frame, Series

CLIPPED = Metric(
    "pixels.clipped", "%", "Pixels at the largest value that can be stored, worst frame", "lower", "clipping by definition: largest code"
)

CODES = {
    "pixels.undecodable": "The image cannot be shown. Ask for the file again.",
    "pixels.not_decodable_here": "The images may be good, but the software to unpack them is not installed here; nothing was measured on "
    "them. Install the codec that the message names, and run again.",
    "pixels.blank": "Some images show nothing. Look whether the scan or the transfer failed there.",
    "pixels.clipped": "The brightest part is cut off at the largest value that can be stored; what was brighter is lost. Gain or scaling "
    "was wrong: repeat the measurement if the lost part matters, and correct the setting.",
    "pixels.duplicate": "Two images of different places or times have exactly the same pixels: one of them is a copy in the wrong place. "
    "Compare both with their neighbours and ask the scanner for the series again.",
    "pixels.high_bits": "Bits above the stored range are set (an old form of overlay). They were masked away before measuring.",
}
# what the file and header checks say already about an image that cannot be decoded
TOLD = (
    "file.truncated",
    "file.pixel_length",
    "file.no_delimiter",
    "file.frame_count",
    "file.not_encapsulated",
    "header.pixel_module",
    "pixels.absent",
)
CLIP_MODALITIES = frozenset({"CT", "MR", "PT", "NM"})


@dataclass(frozen=True)
class PixelParameters:
    """Parameters.

    Attributes
    ----------
    blank_levels
        A frame whose 0.1st and 99.9th percentile are closer than this many stored levels is blank.
    clipped_percent
        Share of pixels at the top code from which a frame counts as clipped.
    clipped_area_cm2
        CT: clipped areas smaller than this in a frame are taken for metal.
    """

    blank_levels: int = 4
    clipped_percent: float = 0.1
    clipped_area_cm2: float = 1.0


@cache
def _key(words: int) -> NDArray[np.uint64]:
    return np.random.default_rng(words).integers(1, 1 << 63, words, dtype=np.uint64) * 2 + 1


def fingerprint(stored: NDArray[Any]) -> tuple[int, int, int]:
    """Return a fingerprint of an image: equal images always agree, others by chance once in 2^63.

    A multilinear hash over 64-bit words, ten times as fast as a cryptographic one; it is to find copies, not forgeries.
    """
    data = np.ascontiguousarray(stored).reshape(-1).view(np.uint8)
    whole = len(data) // 8
    words = data[: whole * 8].view(np.uint64)
    total = int((words * _key(whole)).sum(dtype=np.uint64)) if whole else 0
    return total, int.from_bytes(data[whole * 8 :].tobytes(), "little"), len(data)


@check(
    id="pixels",
    version=1,
    title="Pixels readable, not blank, not clipped, not copied",
    level="series",
    needs="each_frame",
    applies=Applies(not_classes=frozenset({"not_image"})),
    metrics=(CLIPPED,),
    codes=CODES,
    params=PixelParameters,
    source="DICOM PS3.3 C.7.6.3; definitions of blank, constant and clipped in the parameters",
    invariances=("file_order",),
    examples=(
        Example("ct_head"),
        Example("mr_brain"),
        Example("ct_head", fault="blank_slice", codes={"pixels.blank": Status.WARN}),
        Example("ct_head", fault="copied_pixels", codes={"pixels.duplicate": Status.WARN}),
        Example("mr_brain", fault="clipped", codes={"pixels.clipped": Status.WARN}),
    ),
    required=True,
)
class Pixels(FrameCheckBase):
    """Look at each frame once: range, share of pixels at the top code, and a digest of its bytes.

    Copies are found by digest over the whole series; blank frames are not called copies of each other, and a cine may
    repeat a frame. CT clipping below 1 cm2 in a frame is taken for metal.
    """

    def __init__(self, series: Series, params: PixelParameters) -> None:
        super().__init__(series, params)
        self.seen = 0
        self.blank, self.clipped, self.copied, self.high_bits = Worst(), Worst(), Worst(), Worst()
        self.constant = 0
        self.first_with: dict[tuple[int, int, int], Frame] = {}
        self.pairs: list[tuple[Frame, Frame]] = []
        self.most_clipped: float | None = None

    def frame(self, frame: FramePixels) -> None:
        """See one frame."""
        self.seen += 1
        stored = frame.stored
        if frame.high_bits:
            self.high_bits.add(frame, 1.0, "high bits set")
        low, high = stored.min(), stored.max()
        if low == high:
            self.constant += 1
            self.blank.add(frame, 1.0, "one single value")
            return
        if self._is_blank(stored, float(low), float(high)):
            self.blank.add(frame, 1.0, "blank")
            return
        if self.series.modality in CLIP_MODALITIES and self.series.klass not in ("derived", "screenshot") and stored.ndim == 2:
            self._clip(frame, int(high) if stored.dtype.kind in "iu" else None)
        if self.series.klass not in ("cine", "screenshot"):
            self._copy(frame)

    def _is_blank(self, stored: NDArray[Any], low: float, high: float) -> bool:
        """Blank: hardly any range once the outermost 0.1 % are left out."""
        if stored.dtype.kind not in "iu" or self.series.klass in ("derived", "screenshot") or stored.ndim == 3:
            return False
        levels = self.params.blank_levels
        if high - low < levels:
            return True
        few = np.sort(stored[::8, ::8], axis=None)
        cut = max(1, len(few) // 100)
        if len(few) > 2 * cut and int(few[-1 - cut]) - int(few[cut]) >= levels:
            return False  # the middle 98 % of a sample already span more
        bottom, top = np.percentile(stored, [0.1, 99.9])
        return bool(top - bottom < levels)

    def _clip(self, frame: FramePixels, high: int | None) -> None:
        """Share of pixels at the top code, where the largest value is the top code of the stored bits."""
        bits = frame.frame.get("BitsStored")
        if high is None or not isinstance(bits, int) or bits < 1:
            return
        top = (1 << (bits - 1)) - 1 if frame.stored.dtype.kind == "i" else (1 << bits) - 1
        at_top = int(np.count_nonzero(frame.stored == high)) if high == top else 0
        percent = 100.0 * at_top / frame.stored.size
        self.most_clipped = max(percent, self.most_clipped or 0.0)
        if percent <= self.params.clipped_percent:
            return
        spacing = frame.frame.spacing_mm
        if self.series.modality == "CT" and spacing and at_top * spacing[0] * spacing[1] / 100 < self.params.clipped_area_cm2:
            return
        self.clipped.add(frame, percent, f"{percent:.1f} % of the pixels at the top value {top}")

    def _copy(self, frame: FramePixels) -> None:
        row, digest = frame.frame, fingerprint(frame.stored)
        first = self.first_with.setdefault(digest, row)
        if first is not row and not self._told_by_position(first, row):
            self.pairs.append((first, row))
            self.copied.add(frame, 1.0, f"same pixels as {first.label}")

    def _told_by_position(self, one: Frame, other: Frame) -> bool:
        """A copy at its own place, or under its own UID, is told by the slice and file checks."""
        if one.instance.uid == other.instance.uid:
            return one.index == other.index
        same_place = one.position is not None and one.position == other.position and one.tile is None
        return same_place and not stacks.told_apart(one, other)

    def finish(self) -> Iterator[Result]:
        """Give the findings, one a kind."""
        yield from self._unreadable()
        for group, code, words in (
            (
                self.blank,
                "pixels.blank",
                f"show nothing (range under {self.params.blank_levels} levels; {self.constant} hold one single value)",
            ),
            (self.clipped, "pixels.clipped", f"are clipped, the worst with {self.clipped.worst:.1f} % of its pixels at the top value"),
            (self.high_bits, "pixels.high_bits", "have bits set above BitsStored"),
        ):
            if group.count:
                status = Status.INFO if code == "pixels.high_bits" or (group is self.blank and self._padding(group)) else Status.WARN
                yield group.finding(self.series, code, status, f"{share(group.count, self.series)} {words}, first {group.frames[0].label}")
        if self.pairs:
            first, second = self.pairs[0]
            text = f"{share(self.copied.count, self.series)} have exactly the pixels of another: {second.label} those of {first.label}"
            yield self.copied.finding(
                self.series, "pixels.duplicate", Status.WARN, text, pairs=[[a.label, b.label] for a, b in self.pairs[:20]]
            )
        if self.most_clipped is not None:
            yield CLIPPED.value(self.most_clipped, self.series.subject(), "worst_frame", frames=self.seen)

    def _padding(self, group: Worst) -> bool:
        """Empty images at the ends of a derived series are padding (reformats, de-faced volumes), nothing lost."""
        return self.series.klass == "derived" and group.count < len(self.series.frames)

    def _unreadable(self) -> Iterator[Finding]:
        """Frames without pixels: bad data, or a codec that is not here. Missing bytes were told by the file checks."""
        by_reason: dict[str, list[tuple[Frame, str]]] = {}
        for frame, reason, message in self.unreadable_frames:
            by_reason.setdefault(reason, []).append((frame, message))
        for reason, cases in by_reason.items():
            cases = [case for case in cases if not any(case[0].instance.has(code) for code in TOLD)]
            if not cases:
                continue
            frame, message = cases[0]
            here = reason in ("codec_missing", "transfer_syntax_unknown", "too_large", "decode_timeout")
            code = "pixels.not_decodable_here" if here else "pixels.undecodable"
            text = f"{share(len(cases), self.series)} cannot be decoded, first {frame.label}: {message}"
            details = {"count": len(cases), "reason": reason, "images": [one.label for one, _ in cases[:20]]}
            yield Finding(code, Status.NOT_EVALUABLE if here else Status.FAIL, text, self.series.subject(), details)
