"""Counts of nuclear medicine images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from qc.check import Applies, Example, FrameCheckBase, check
from qc.pixels import FramePixels
from qc.results import Finding, Metric, Result, Status
from qc.study import Instance, Series

COUNTS = Metric("nm.counts", "{counts}", "Counts in one image, median over the images", "higher", "sum of the stored values")
DENSITY = Metric(
    "nm.count_density",
    "{counts}",
    "Counts a pixel in the warm half of the object, median over the images",
    "higher",
    "median of warm pixels",
)


@dataclass(frozen=True)
class CountParameters:
    """Parameters.

    Attributes
    ----------
    header_percent
        How far the sum of the pixels may lie from CountsAccumulated.
    """

    header_percent: float = 5.0


@check(
    id="nm.counts",
    version=1,
    title="Counts of nuclear medicine images",
    level="series",
    needs="each_frame",
    applies=Applies(modalities=frozenset({"NM"}), classes=frozenset({"image", "cine", "stack_4d"})),
    metrics=(COUNTS, DENSITY),
    codes={
        "nm.counts_differ": "The sum of the pixels is not the number of counts in the header: pixels overflowed, were scaled or belong to another acquisition. Uptake "
        "and quantities from these images are wrong. Compare with the workstation of the camera.",
        "nm.overflow": "Pixels stand at the largest value that can be stored: counts were lost there (the counter ran over). Take a shorter time or a deeper pixel.",
    },
    params=CountParameters,
    source="DICOM PS3.3 C.8.4.8: stored values are counts; CountsAccumulated (0018,0070) is their sum",
    invariances=("file_order",),
    examples=(
        Example("nm_flood", {"mean_counts": 400.0}),
        Example("nm_bone"),
        Example("nm_bone", fault="counts_lost", codes={"nm.counts_differ": Status.WARN}),
    ),
)
class NuclearCounts(FrameCheckBase):
    """Add up every image. Energy windows and detectors are images of their own; the header's number is for all images of one object."""

    def __init__(self, series: Series, params: CountParameters) -> None:
        super().__init__(series, params)
        self.totals: list[float] = []
        self.densities: list[float] = []
        self.of_instance: dict[int, tuple[Instance, float]] = {}
        self.full: list[str] = []

    def frame(self, frame: FramePixels) -> None:
        """See one frame."""
        stored = frame.stored
        if stored.ndim != 2 or stored.dtype.kind not in "iu":
            return
        total = float(stored.sum(dtype=np.float64))
        self.totals.append(total)
        instance = frame.frame.instance
        self.of_instance[id(instance)] = (instance, self.of_instance.get(id(instance), (instance, 0.0))[1] + total)
        warm = stored[stored > 0.2 * float(stored.max())]
        if warm.size >= 16:
            self.densities.append(float(np.median(warm)))
        bits = instance.get("BitsStored")
        if isinstance(bits, int) and bits > 8 and int(stored.max()) >= (1 << (bits - (stored.dtype.kind == "i"))) - 1:
            self.full.append(frame.frame.label)

    def finish(self) -> Iterator[Result]:
        """Give counts and findings."""
        subject = self.series.subject()
        wrong = []
        for instance, total in self.of_instance.values():
            told = instance.get("CountsAccumulated")
            if isinstance(told, int) and told > 0 and abs(total - told) > self.params.header_percent / 100 * told:
                wrong.append((instance, total, told))
        if wrong:
            one, total, told = wrong[0]
            text = f"the pixels of {one.frames[0].label} hold {total:,.0f} counts, the header says {told:,}".replace(",", " ")
            yield Finding("nm.counts_differ", Status.WARN, text, subject, {"count": len(wrong), "pixels": total, "header": told})
        if self.full:
            yield Finding(
                "nm.overflow",
                Status.WARN,
                f"{self.full[0]} holds the largest value that can be stored",
                subject,
                {"images": self.full[:20]},
            )
        reason = "pixels_unreadable" if self.unreadable_frames else "no_usable_image"
        yield (
            COUNTS.value(float(np.median(self.totals)), subject, images=len(self.totals))
            if self.totals
            else COUNTS.missing(reason, subject)
        )
        if self.densities:
            yield DENSITY.value(float(np.median(self.densities)), subject)
        else:
            yield DENSITY.missing(reason if not self.totals else "no_warm_pixels", subject)
