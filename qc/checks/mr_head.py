"""Image quality of MR heads without a reference: the measures of MRIQC, and ghosts along the phase-encoding direction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qc.check import Applies, Example, FrameCheckBase, check
from qc.checks._sampling import Sample
from qc.classify import kinds_of
from qc.measure.ghost_bands import Bands, air_is_noise, bands
from qc.measure.tissue import Entropy, cjv, cnr, fber, otsu, snr_dietrich, two_classes
from qc.pixels import FramePixels
from qc.results import Metric, Result
from qc.study import Frame, Series

ATKINSON = "Atkinson et al., IEEE TMI 16:903 (1997), as in MRIQC"
EFC = Metric("mr.efc", "1", "Entropy focus criterion: 0 one bright pixel, 1 constant; ghosts and blur raise it", "lower", ATKINSON)
FBER = Metric("mr.fber", "1", "Energy of the foreground over that of the background", "higher", "MRIQC: median |F|^2 / median |B|^2")
CJV = Metric("mr.cjv", "1", "Coefficient of joint variation of the two tissues of the brain", "lower", "Ganzetti et al., as in MRIQC")
CNR = Metric("mr.cnr", "1", "Contrast to noise of the two tissues of the brain", "higher", "Magnotta et al. (2006), as in MRIQC")
SNRD = Metric("mr.snr_air", "1", "Median signal of the object over the noise in air", "higher", "Dietrich et al., JMRI 26:375 (2007), A.12")


@dataclass(frozen=True)
class HeadParameters:
    """Parameters.

    Attributes
    ----------
    most_images
        Images looked at, evenly spread over the series.
    smallest
        Images with a shorter side (pixels) are left out.
    clearance_mm
        Air keeps so far away from the object.
    least_foreground_percent, fewest_air
        Share of an image that the object must fill, and pixels of air that the background must have.
    body_parts
        Beginnings of BodyPartExamined where the two tissues are looked for.
    """

    most_images: int = 24
    smallest: int = 48
    clearance_mm: float = 5.0
    least_foreground_percent: float = 2.0
    fewest_air: int = 1000
    body_parts: tuple[str, ...] = ("HEAD", "BRAIN", "SKULL")


def is_magnitude(frame: Frame) -> bool:
    """Tell whether an MR image is a magnitude, as far as the header says; phases and real parts are not."""
    if frame.get("ComplexImageComponent") not in (None, "MAGNITUDE", "MIXED"):
        return False
    return not {"P", "PHASE", "REAL", "IMAGINARY", "PHASE MAP", "FIELD_MAP"} & set(kinds_of(frame)[2:])


@dataclass
class _Pool:
    """Pixels of one kind from all images, a sample of each."""

    parts: list[NDArray[Any]] = field(default_factory=list)

    def add(self, values: NDArray[Any], most: int = 3000) -> None:
        self.parts.append(values[:: max(1, len(values) // most)])

    @property
    def values(self) -> NDArray[Any]:
        return np.concatenate(self.parts) if self.parts else np.empty(0)


@check(
    id="mr.head",
    version=1,
    title="No-reference quality of MR images",
    level="series",
    needs="each_frame",
    applies=Applies(modalities=frozenset({"MR"}), classes=frozenset({"image", "stack_4d", "derived"})),
    metrics=(EFC, FBER, CJV, CNR, SNRD),
    params=HeadParameters,
    source="MRIQC's measures, formula for formula; object and air parted slice by slice, classes from the histogram of flat pixels",
    invariances=("file_order", "duplicate_input", "intensity_scale"),
    examples=(Example("mr_brain"), Example("mr_brain", {"snr": 20.0})),
)
class MrHead(FrameCheckBase):
    """Pool the pixels of the slices and give EFC, FBER and SNR of any part, CJV and CNR where a brain shows two tissues.

    Where the air was masked to zero there is no FBER and no noise; where two tissues cannot be told there is no CJV. The values hang on
    sequence and matrix: compare within a protocol.
    """

    def __init__(self, series: Series, params: HeadParameters) -> None:
        super().__init__(series, params)
        self.sample = Sample(series, params.most_images)
        self.entropy = Entropy()
        self.body, self.air, self.flat = _Pool(), _Pool(), _Pool()
        self.used = 0
        self.trouble = "no_usable_image"
        self.head = str(series.first("BodyPartExamined", "")).upper().startswith(params.body_parts)

    def frame(self, frame: FramePixels) -> None:
        """See one frame."""
        stored = frame.stored
        if not self.sample.take() or stored.ndim != 2 or min(stored.shape) < self.params.smallest:
            return
        if not is_magnitude(frame.frame):
            self.trouble = "no_magnitude_image"
            return
        values = frame.values
        if float(values.min()) < 0:
            self.trouble = "negative_values"
            return
        cut = otsu(values[::2, ::2])
        spacing = frame.frame.spacing_mm or (1.0, 1.0)
        clearance = (self.params.clearance_mm / spacing[0], self.params.clearance_mm / spacing[1])
        parts = bands(values, 0.5 * cut, 0, clearance) if np.isfinite(cut) else None
        if parts is None or 100 * float(parts.body.mean()) < self.params.least_foreground_percent:
            return
        self.used += 1
        self.entropy.add(values)
        self.body.add(values[parts.body])
        self.air.add(values[parts.air])
        if self.head:
            self._tissue(values, parts, spacing)

    def _tissue(self, values: NDArray[Any], parts: Bands, spacing: tuple[float, float]) -> None:
        """Flat pixels well inside the head: skin and skull left out, edges too."""
        from scipy import ndimage

        depth = tuple(2 * int(15.0 / one) + 1 for one in spacing)
        inner = ndimage.minimum_filter(parts.body, depth)
        smooth = ndimage.uniform_filter(values, 3)
        slope = np.abs(np.gradient(smooth, axis=0)) + np.abs(np.gradient(smooth, axis=1))
        if inner.sum() > 200:
            self.flat.add(values[inner & (slope <= np.percentile(slope[inner], 40))])

    def finish(self) -> Iterator[Result]:
        """Give the measures, each with its own reason where it cannot be had."""
        subject = self.series.subject()
        if self.unreadable_frames and not self.used:
            self.trouble = "pixels_unreadable"
        if not self.used:
            yield from (metric.missing(self.trouble, subject) for metric in (EFC, FBER, CJV, CNR, SNRD))
            return
        criterion = self.entropy.criterion
        yield EFC.value(criterion, subject, images=self.used) if criterion is not None else EFC.missing("image_empty", subject)
        body, air = self.body.values, self.air.values
        enough = len(air) >= self.params.fewest_air
        ratio = fber(body, air) if enough else None
        if ratio is not None:
            yield FBER.value(ratio, subject, air=len(air))
        else:
            yield FBER.missing("air_masked" if enough else "too_little_air", subject, air=len(air))
        coils = air_is_noise(air) if enough else None
        if coils is None:
            yield SNRD.missing("background_not_noise" if enough else "too_little_air", subject, air=len(air))
        else:
            yield SNRD.value(snr_dietrich(float(np.median(body)), float(np.std(air, ddof=1)), coils), subject, coils=coils)
        yield from self._classes(float(np.std(air, ddof=1)) if enough else None)

    def _classes(self, sd_air: float | None) -> Iterator[Result]:
        subject = self.series.subject()
        if not self.head:
            yield from (metric.missing("not_a_head", subject) for metric in (CJV, CNR))
            return
        found = two_classes(self.flat.values)
        if found is None:
            yield from (metric.missing("tissues_not_told_apart", subject) for metric in (CJV, CNR))
            return
        (mean_low, sd_low), (mean_high, sd_high) = found.low, found.high
        yield CJV.value(cjv(mean_high, mean_low, sd_high, sd_low), subject, low=mean_low, high=mean_high, valley=found.valley)
        if sd_air is None:
            yield CNR.missing("too_little_air", subject)
        else:
            yield CNR.value(cnr(mean_high, mean_low, sd_high, sd_low, sd_air), subject)
