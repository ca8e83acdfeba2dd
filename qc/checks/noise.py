"""Noise of patient images without a second scan: an estimate, and the gate that says whether to believe it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qc.check import Applies, Example, FrameCheckBase, check
from qc.checks._sampling import Sample
from qc.measure.noise import immerkaer_rows, lag1_correlation, wavelet_rows
from qc.pixels import FramePixels, rescale
from qc.results import Metric, Result
from qc.study import Series

# the unit of a noise value is that of the image: HU for CT, arbitrary for MR
NOISE_CT = Metric(
    "ct.noise_estimate", "[hnsf'U]", "Noise of single CT images, estimated", "lower", "Immerkaer, CVIU 64:300 (1996), robust form"
)
NOISE_MR = Metric(
    "mr.noise_estimate", "1", "Noise of single MR images, estimated, in image units", "lower", "Immerkaer, CVIU 64:300 (1996), robust form"
)
SNR_MR = Metric(
    "mr.snr_estimate", "1", "Signal over estimated noise of single MR images", "higher", "Immerkaer, CVIU 64:300 (1996), robust form"
)
WAVELET_CT = Metric(
    "ct.noise_wavelet", "[hnsf'U]", "Noise of single CT images, second estimate", "lower", "Donoho and Johnstone, Biometrika 81:425 (1994)"
)
WAVELET_MR = Metric(
    "mr.noise_wavelet",
    "1",
    "Noise of single MR images, second estimate, in image units",
    "lower",
    "Donoho and Johnstone, Biometrika 81:425 (1994)",
)
_Rows = NDArray[np.float32]
_Four = tuple[_Rows, _Rows, _Rows, _Rows]


@dataclass(frozen=True)
class NoiseParameters:
    """Parameters.

    Attributes
    ----------
    largest_correlation
        Correlation of neighbouring noise values above which the estimate is not given.
    most_frames
        Number of frames on which the noise is estimated, evenly spread over the series.
    gate_frames
        Number of frames on which the correlation is measured.
    fewest_pixels
        Pixels of the object that a frame needs to be used.
    soft_tissue_hu
        Range of CT numbers in which noise is estimated.
    """

    largest_correlation: float = 0.15
    most_frames: int = 96
    gate_frames: int = 12
    fewest_pixels: int = 1000
    soft_tissue_hu: tuple[float, float] = (-300.0, 300.0)


@check(
    id="noise",
    version=2,
    title="Noise estimate of single images",
    level="series",
    needs="each_frame",
    applies=Applies(modalities=frozenset({"CT", "MR"}), not_classes=frozenset({"not_image", "screenshot", "localizer", "cine", "derived"})),
    metrics=(NOISE_CT, NOISE_MR, SNR_MR, WAVELET_CT, WAVELET_MR),
    params=NoiseParameters,
    source="Immerkaer, CVIU 64:300 (1996); Donoho and Johnstone, Biometrika 81:425 (1994); gate: lag-1 correlation of plane-detrended tiles",
    invariances=("file_order", "duplicate_input"),
    examples=(
        Example("uniform_disc", {"snr": 50.0}),
        Example("ct_head"),
    ),
)
class Noise(FrameCheckBase):
    """Estimate the noise inside the object of every frame, in two ways; give the median over the frames of each.

    The first (Immerkaer) leaves out edges inside the object, the second (wavelet) does not. Both see only white noise: where
    neighbouring noise values are correlated (interpolated, filtered, iteratively reconstructed images) they would read several times
    too low, so they are given only while the correlation is at most 0.15.
    """

    def __init__(self, series: Series, params: NoiseParameters) -> None:
        super().__init__(series, params)
        self.sigmas: list[float] = []
        self.wavelets: list[float] = []
        self.signals: list[float] = []
        self.correlations: list[float] = []
        self.small = 0
        self.count = 0
        self.sample = Sample(series, params.most_frames)
        self.every = max(1, min(len(series.frames), params.most_frames) // params.gate_frames)

    def frame(self, frame: FramePixels) -> None:
        """See one frame: some rows of a large image, every row of a small one."""
        if not self.sample.take():
            return
        self.count += 1
        stored = frame.stored
        if stored.ndim != 2 or min(stored.shape) < 3:
            return
        step = max(1, stored.size >> 14)  # 512 x 512: every 16th row, still 16 000 pixels
        # in stored values, where the noise estimate knows that they were rounded
        above, middle, below = (stored[start : stop or None : step].astype(np.float32) for start, stop in ((0, -2), (1, -1), (2, 0)))
        rows = frame.rescaled(middle)
        low, high = self._range(frame)
        mask = (rows > low) & (rows < high)
        inside = int(np.count_nonzero(mask))
        if inside * step < self.params.fewest_pixels:
            self.small += 1
            return
        self.sigmas.append(abs(rescale(frame.frame)[0]) * immerkaer_rows(above, middle, below, mask))
        fourth = stored[3::step].astype(np.float32)
        bands = len(fourth)
        self._second(frame, (above[:bands], middle[:bands], below[:bands], fourth), low, high)
        if self.series.modality == "MR":
            self.signals.append(float(rows[mask].mean()))
        if (self.count - 1) % self.every == 0:
            values = frame.values
            rho = lag1_correlation(values, (values > low) & (values < high))
            if np.isfinite(rho):
                self.correlations.append(rho)

    def _second(self, frame: FramePixels, bands: _Four, low: float, high: float) -> None:
        """Take the second estimate of a frame from bands of four neighbouring rows."""
        inside = [(values > low) & (values < high) for values in map(frame.rescaled, bands)]
        wave = abs(rescale(frame.frame)[0]) * wavelet_rows(*bands, mask=np.logical_and.reduce(inside))
        if np.isfinite(wave):
            self.wavelets.append(wave)

    def _range(self, frame: FramePixels) -> tuple[float, float]:
        """Values of the object: soft tissue by CT number; in MR everything above a fifth of the bright level."""
        if self.series.modality == "CT":
            low, high = self.params.soft_tissue_hu
            return float(low), float(high)
        few = np.sort(frame.rescaled(frame.stored[::8, ::8]), axis=None)
        return 0.2 * float(few[int(0.98 * (len(few) - 1))]), float("inf")

    def finish(self) -> Iterator[Result]:
        """Give noise (and for MR the signal over noise), or the reason why not."""
        subject = self.series.subject()
        noise = NOISE_CT if self.series.modality == "CT" else NOISE_MR
        second = WAVELET_CT if noise is NOISE_CT else WAVELET_MR
        metrics = (noise,) if noise is NOISE_CT else (NOISE_MR, SNR_MR)
        reason = self._reason()
        rho = float(np.median(self.correlations)) if self.correlations else None
        details: dict[str, Any] = {"frames": len(self.sigmas), "correlation": rho}
        if reason:
            for metric in metrics:
                yield metric.missing(reason, subject, "immerkaer", **details)
            yield second.missing(reason, subject, "wavelet", **details)
            return
        sigma = float(np.median(self.sigmas))
        yield noise.value(sigma, subject, "immerkaer", uncertainty=_of_median(self.sigmas), highest=max(self.sigmas), **details)
        if noise is NOISE_MR:
            ratios = [signal / one for signal, one in zip(self.signals, self.sigmas, strict=True) if one > 0]
            yield SNR_MR.value(float(np.median(ratios)), subject, "immerkaer", **details)
        if self.wavelets:
            details["frames"] = len(self.wavelets)
            yield second.value(float(np.median(self.wavelets)), subject, "wavelet", uncertainty=_of_median(self.wavelets), **details)
        else:
            yield second.missing("object_too_small", subject, "wavelet", **details)

    def _reason(self) -> str | None:
        """Reason code where no estimate may be given."""
        if not self.sigmas:
            if self.unreadable_frames and not self.small:
                return "pixels_unreadable"
            return "object_too_small"
        if float(np.median(self.sigmas)) <= 0:
            return "no_noise_found"
        if not self.correlations:
            return "no_flat_region"
        if abs(float(np.median(self.correlations))) > self.params.largest_correlation:
            return "noise_correlated"
        return None


def _of_median(sigmas: list[float]) -> float | None:
    """Standard uncertainty of the noise of a series by the spread over its images; None for one image."""
    return float(np.std(sigmas, ddof=1) / np.sqrt(len(sigmas))) if len(sigmas) > 1 else None
