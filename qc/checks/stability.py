"""Stability of 4-D series: temporal signal to noise, DVARS, leaping images, drift."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qc.check import Applies, Example, FrameCheckBase, check
from qc.checks._worst import Worst
from qc.measure.timecourse import drift_percent, likeness_to_median, spikes, standardised_dvars, temporal_snr
from qc.picture import picture
from qc.pixels import FramePixels
from qc.results import CurveEvidence, Finding, Metric, Result, Status
from qc.stacks import NAMED, value_of
from qc.study import Frame, Series

TSNR = Metric(
    "stack.tsnr", "1", "Temporal signal to noise, median over the pixels of the object", "higher", "MRIQC: median of mean / SD in time"
)
DVARS = Metric("stack.dvars", "1", "Change from volume to volume over what chance gives, median", "lower", "Nichols (2013), as in MRIQC")
DRIFT = Metric("stack.drift", "%", "Change of the mean signal over the run", "target", "slope of a straight line")
SPIKES = Metric("stack.spikes", "%", "Images that leap out of the course of their slice", "lower", "second difference in time, robust z")
LIKENESS = Metric(
    "stack.likeness", "1", "Correlation of the volume least like the others with the median volume", "higher", "as MRIQC's AQI, Pearson"
)
BUDGET = 1 << 21  # values kept of a series
METRICS = (TSNR, DVARS, DRIFT, SPIKES, LIKENESS)
IN_TIME = frozenset({"time point", "label or control", "trigger time", "image type"})


@dataclass(frozen=True)
class StabilityParameters:
    """Parameters.

    Attributes
    ----------
    fewest_times
        Volumes that are needed.
    spike_z, spike_percent
        How far an image must leap: in robust SD of its slice and in percent of the signal.
    least_likeness
        Correlation with the median volume below which a volume counts as moved.
    drift_percent
        Change over the run from which drift is told.
    """

    fewest_times: int = 5
    spike_z: float = 10.0
    spike_percent: float = 1.0
    least_likeness: float = 0.9
    drift_percent: float = 10.0


@check(
    id="stack.stability",
    version=1,
    title="Stability of repeated volumes",
    level="series",
    needs="each_frame",
    applies=Applies(modalities=frozenset({"MR"}), classes=frozenset({"stack_4d", "mosaic"})),
    metrics=METRICS,
    codes={
        "stack.spikes": "Single images leap out of the course of their slice: a spark, a jerk of the patient, or an image of another place. Look at the image "
        "named; leave its volume out of the analysis. If phantoms show it too, call service.",
        "stack.motion": "The patient moved so far that volumes lie over each other no more. Look at the series as a film; motion correction may not mend it, "
        "repeat the run if it matters.",
        "stack.drift": "The signal of the whole series rises or falls steadily: scanner warming up, receiver gain, contrast agent coming in. In fMRI take it out "
        "before analysis; if every run shows it, call service.",
    },
    params=StabilityParameters,
    source="MRIQC; Nichols (2013); fBIRN for drift",
    invariances=("file_order", "duplicate_input", "intensity_scale"),
    examples=(
        Example("mr_4d", {"times": 8}, values={"stack.drift": (1.0, 0.5)}),
        Example("mr_4d", {"times": 8}, fault="spiked_volume", codes={"stack.spikes": Status.WARN}),
    ),
)
class Stability(FrameCheckBase):
    """Follow a sample of the pixels of each slice in time. Memory is bounded: 2 million values, whatever the length.

    Series whose images differ by b-value, echo, flip angle or the like are no repetitions and are not measured.
    """

    def __init__(self, series: Series, params: StabilityParameters) -> None:
        super().__init__(series, params)
        self.courses: dict[tuple[float, ...], list[tuple[Frame, NDArray[Any]]]] = {}
        self.keys: set[tuple[Any, ...]] = set()
        self.each = max(64, BUDGET // max(1, len(series.frames)))

    def frame(self, frame: FramePixels) -> None:
        """See one frame: keep some of its pixels, the same in every image."""
        stored, row = frame.stored, frame.frame
        position = row.position
        if stored.ndim != 2 or position is None:
            return
        self.keys.add(tuple(value_of(row, keyword) for keyword, name in NAMED if name not in IN_TIME))
        step = max(1, int(np.ceil(np.sqrt(stored.size / self.each))))
        place = (*(round(one, 2) for one in position), float(step))
        self.courses.setdefault(place, []).append((row, frame.rescaled(stored[::step, ::step])))

    def finish(self) -> Iterator[Result]:
        """Give the measures and findings, or the reason why there are none."""
        subject = self.series.subject()
        reason = self._reason()
        if reason:
            yield from (metric.missing(reason, subject) for metric in METRICS)
            return
        times = min(len(course) for course in self.courses.values())
        slices = [np.stack([image for _, image in course[:times]]).reshape(times, -1) for course in self.courses.values()]
        whole = np.concatenate(slices, axis=1)
        number = np.repeat(np.arange(len(slices)), [one.shape[1] for one in slices])
        mean = whole.mean(axis=0)
        mask = mean > 0.2 * float(np.percentile(mean, 98))
        series, slice_of = whole[:, mask], number[mask]
        steps = standardised_dvars(series)
        means = series.mean(axis=1, dtype=np.float64)
        change = drift_percent(means)
        leaps = spikes(series, slice_of, self.params.spike_z, self.params.spike_percent)
        curve = CurveEvidence(
            "Course of the signal",
            {"mean, % of the first": (list(range(1, times + 1)), (100 * means / means[0]).tolist())},
            "volume",
            "%",
        )
        ratio = temporal_snr(series)
        yield (
            TSNR.value(ratio, subject, volumes=times, evidence=(curve,))
            if ratio is not None
            else TSNR.missing("no_change_in_time", subject)
        )
        yield DVARS.value(float(np.median(steps)), subject, volumes=times, highest=float(steps.max()), at=int(steps.argmax()) + 2)
        yield DRIFT.value(change, subject, volumes=times)
        yield SPIKES.value(100.0 * len(leaps) / (times * len(slices)), subject, images=len(leaps))
        alike = likeness_to_median(whole, number)
        yield LIKENESS.value(float(alike.min()), subject, at=int(alike.argmin()) + 1)
        if alike.min() < self.params.least_likeness:
            yield self._motion(alike)
        if leaps:
            yield from self._spikes(leaps)
        if abs(change) > self.params.drift_percent:
            text = f"the signal {'rises' if change > 0 else 'falls'} by {abs(change):.1f} % over {times} volumes"
            yield Finding("stack.drift", Status.WARN, text, subject, {"percent": change}, evidence=(curve,))

    def _motion(self, alike: NDArray[Any]) -> Finding:
        """The middle slice of the volume least like the others."""
        courses = list(self.courses.values())
        moved = np.flatnonzero(alike < self.params.least_likeness)
        row, image = courses[len(courses) // 2][int(alike.argmin())]
        text = f"the patient moved: {len(moved)} of {len(alike)} volumes are unlike the others (correlation down to {alike.min():.2f}, {row.label})"
        shown = picture(image, f"volume {int(alike.argmin()) + 1}: {row.label}", spacing_mm=row.spacing_mm)
        details = {"volumes": [int(one) + 1 for one in moved[:20]], "likeness": float(alike.min())}
        return Finding("stack.motion", Status.WARN, text, self.series.subject(), details, evidence=(shown,))

    def _spikes(self, leaps: list[Any]) -> Iterator[Result]:
        courses = list(self.courses.values())
        worst = Worst()
        for leap in leaps:
            row, image = courses[leap.slice][leap.time]
            worst.count += 1
            worst.frames.append(row)
            if leap.z > worst.worst:
                worst.worst = leap.z
                worst.evidence = (picture(image, f"leaps by {leap.percent:.1f} % of the signal: {row.label}", spacing_mm=row.spacing_mm),)
        worst.frames = worst.frames[:20]
        text = f"{len(leaps)} of {len(self.series.frames)} images leap out of the course of their slice, the most {courses[leaps[0].slice][leaps[0].time][0].label}"
        yield worst.finding(self.series, "stack.spikes", Status.WARN, text, percent=leaps[0].percent)

    def _reason(self) -> str | None:
        if not self.courses:
            return "pixels_unreadable" if self.unreadable_frames else "no_positions"
        if len(self.keys) > 1:
            return "not_repetitions"
        shapes = {image.shape for course in self.courses.values() for _, image in course}
        if len(shapes) > 1:
            return "mixed_frame_sizes"
        if min(len(course) for course in self.courses.values()) < self.params.fewest_times:
            return "too_few_volumes"
        return None
