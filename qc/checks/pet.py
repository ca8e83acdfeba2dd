"""PET: can SUVs be made, and are they possible?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from qc.check import Applies, Example, FrameCheckBase, check
from qc.measure.uptake import HALF_LIVES_S, decayed, nuclide, suv
from qc.moments import DAY_S, late_s, moment, moment_of
from qc.pixels import FramePixels
from qc.results import Finding, Metric, Result, Status
from qc.study import Series

SUV = Metric("pet.suv_object", "1", "Mean body-weight SUV of the object", "target", "SUV = concentration x weight / activity at that time")
FOUND = Metric(
    "pet.activity_found", "%", "Activity in the images over what of the injected one is left", "target", "sum of the voxels; decay"
)


@dataclass(frozen=True)
class PetParameters:
    """Parameters.

    Attributes
    ----------
    dose_mbq
        Injected activities outside are mistyped or in another unit.
    uptake_minutes
        Times from injection to scan outside are wrong.
    half_life_percent
        How far the half-life may lie from that of the nuclide.
    most_found_percent
        Activity in the images over the injected one (decayed): more is impossible, the margin is for calibration.
    suv_object
        Mean SUV of the object outside is not possible.
    """

    dose_mbq: tuple[float, float] = (1.0, 5000.0)
    uptake_minutes: tuple[float, float] = (0.0, 360.0)
    half_life_percent: float = 2.0
    most_found_percent: float = 130.0
    suv_object: tuple[float, float] = (0.05, 20.0)


@check(
    id="pet.suv",
    version=1,
    title="PET units, decay and SUV",
    level="series",
    needs="each_frame",
    applies=Applies(modalities=frozenset({"PT"}), not_classes=frozenset({"not_image", "screenshot", "localizer"})),
    metrics=(SUV, FOUND),
    codes={
        "pet.not_quantitative": "SUVs cannot be made: what they hang on is missing or has no sense (named in the message). Correct the entry on the scanner and "
        "reconstruct, or do not quantify.",
        "pet.time": "The scan began before the injection, or hours after: clock of the dose calibrator, the day, or a mistyped time. SUVs are wrong by decay: "
        "correct the time on the scanner and reconstruct.",
        "pet.half_life": "The half-life is not that of the nuclide: every SUV is wrong by decay. Choose the right nuclide in the protocol.",
        "pet.suv": "The images hold more activity than was injected, or SUVs that no body has: weight, dose, its unit, or the calibration is wrong. Do not quantify "
        "until it is settled; check the cross-calibration.",
    },
    params=PetParameters,
    source="DICOM PS3.3 C.8.9.1; SUV by body weight; conservation of activity",
    invariances=("file_order",),
    examples=(
        Example("pt_brain", fault="dose_in_mbq", codes={"pet.not_quantitative": Status.WARN}),
        Example("pt_brain", codes={}),
    ),
)
class PetSuv(FrameCheckBase):
    """Add up the activity of all images and compare with what was injected; look at the entries that SUV hangs on."""

    def __init__(self, series: Series, params: PetParameters) -> None:
        super().__init__(series, params)
        self.activity = self.object_sum = 0.0
        self.object_voxels = 0
        self.volumes: dict[tuple[float, ...], int] = {}

    def frame(self, frame: FramePixels) -> None:
        """See one frame."""
        if frame.stored.ndim != 2:
            return
        values = frame.values
        row = frame.frame
        self.volumes[row.position or ()] = self.volumes.get(row.position or (), 0) + 1
        spacing, thickness = row.spacing_mm, row.get("SliceThickness")
        if spacing and isinstance(thickness, (int, float)):
            self.activity += float(values.sum(dtype=np.float64)) * spacing[0] * spacing[1] * thickness / 1000.0
        cut = 0.1 * float(np.percentile(values, 99))
        inside = values > cut if cut > 0 else np.zeros(values.shape, bool)
        self.object_voxels += int(inside.sum())
        self.object_sum += float(values[inside].sum(dtype=np.float64))

    def finish(self) -> Iterator[Result]:
        """Give the SUV of the object, or say what it lacks."""
        subject = self.series.subject()
        lacking = self._lacking()
        units = self.series.first("Units")
        if units not in (None, "BQML"):
            yield from (metric.missing("units_not_bqml", subject, units=str(units)) for metric in (SUV, FOUND))
            return
        if lacking:
            status = Status.WARN if any(word in lacking[0] for word in ("injected", "weight is")) else Status.INFO
            yield Finding("pet.not_quantitative", status, "SUVs cannot be made: " + "; ".join(lacking), subject, {"lacking": lacking})
        yield from self._half_life()
        minutes = self._uptake_minutes()
        low, high = self.params.uptake_minutes
        if minutes is not None and not low <= minutes <= high:
            text = f"the scan began {abs(minutes):.0f} minutes {'before' if minutes < 0 else 'after'} the injection"
            yield Finding("pet.time", Status.WARN, text, subject, {"minutes": minutes})
            minutes = None
        if lacking or not self.object_voxels:
            reason = "suv_entries_missing" if lacking else "pixels_unreadable"
            yield from (metric.missing(reason, subject) for metric in (SUV, FOUND))
            return
        yield from self._values(minutes)

    def _values(self, minutes: float | None) -> Iterator[Result]:
        subject, get = self.series.subject(), self.series.first
        injected, weight = float(get("RadionuclideTotalDose")), float(get("PatientWeight"))
        decay = str(get("DecayCorrection", ""))
        if decay == "ADMIN":
            left = injected
        elif minutes is None:
            yield from (metric.missing("injection_time_unknown", subject) for metric in (SUV, FOUND))
            return
        else:
            left = decayed(injected, 60 * minutes, float(get("RadionuclideHalfLife")))
        value = suv(self.object_sum / self.object_voxels, weight, left)
        repeats = max(self.volumes.values())
        found = 100.0 * self.activity / repeats / left
        low, high = self.params.suv_object
        if found > self.params.most_found_percent or not low <= value <= high:
            text = f"the images hold {found:.0f} % of the activity that was left of the injected one, mean SUV of the object {value:.2g}"
            yield Finding("pet.suv", Status.WARN, text, subject, {"found_percent": found, "suv": value})
        yield SUV.value(value, subject, weight_kg=weight)
        yield FOUND.value(found, subject)

    def _lacking(self) -> list[str]:
        """What SUV hangs on and is missing or senseless, in words."""
        get, lacking = self.series.first, []
        dose, weight, half_life = get("RadionuclideTotalDose"), get("PatientWeight"), get("RadionuclideHalfLife")
        low, high = (1e6 * one for one in self.params.dose_mbq)
        if not isinstance(dose, (int, float)):
            lacking.append("no RadionuclideTotalDose")
        elif not low <= dose <= high:
            hint = " (given in MBq?)" if 1 <= dose < 5000 else ""
            lacking.append(f"injected activity is {dose:g} Bq{hint}")
        if not isinstance(weight, (int, float)):
            lacking.append("no PatientWeight")
        elif not 0.3 <= weight <= 400:
            lacking.append(f"weight is {weight:g} kg")
        if not isinstance(half_life, (int, float)) or half_life <= 0:
            lacking.append("no RadionuclideHalfLife")
        if get("DecayCorrection") not in ("START", "ADMIN"):
            lacking.append(f"DecayCorrection is {get('DecayCorrection') or 'missing'}")
        return lacking

    def _half_life(self) -> Iterator[Result]:
        told, name = self.series.first("RadionuclideHalfLife"), nuclide(str(self.series.first("Radionuclide", "")))
        if name and isinstance(told, float) and abs(told / HALF_LIVES_S[name] - 1) > self.params.half_life_percent / 100:
            text = f"half-life {told:g} s; {name} has {HALF_LIVES_S[name]:g} s"
            yield Finding("pet.half_life", Status.WARN, text, self.series.subject(), {"told": told, "nuclide": name})

    def _uptake_minutes(self) -> float | None:
        """Minutes from injection to the earliest start of the series or its images; None where a time is missing."""
        get = self.series.first
        whole = str(get("RadiopharmaceuticalStartDateTime", ""))
        day = whole[:8] or get("SeriesDate") or get("StudyDate")
        injection = moment(day, whole[8:]) if whole[8:] else moment(day, get("RadiopharmaceuticalStartTime"))
        starts = [found for one in self.series.instances for name in ("Series", "Acquisition") if (found := moment_of(one.tags, name))]
        if injection is None or not starts:
            return None
        seconds = min(late_s(start, injection) for start in starts)
        if seconds < -DAY_S / 2 and not whole[8:]:
            seconds += DAY_S  # injected before midnight, only the time is known
        return seconds / 60.0
