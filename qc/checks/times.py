"""Order of times: a study begins before its series, a series before its images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

from qc.check import Applies, Example, check
from qc.checks._grouped import Cases
from qc.moments import Moment, late_s, moment_of
from qc.results import Result, Status
from qc.study import Instance, Series

CODES = {
    "header.time_order": "Times contradict each other: something is said to have happened before it could. The clock of the scanner or of "
    "the workstation was changed, or software wrote another time zone. Sorting by time and uptake times (PET) cannot be trusted; set the "
    "clock right, and compare with the log of the scanner.",
}
# earlier, later, and whether the rule holds for original images only: a reformatted series keeps the time of its source images
ORDER = (
    ("Study", "Series", False),
    ("Study", "Acquisition", True),
    ("Series", "Acquisition", True),
    ("Acquisition", "Content", False),
    ("Acquisition", "InstanceCreation", False),
)


@dataclass(frozen=True)
class TimeParameters:
    """Parameters.

    Attributes
    ----------
    tolerance_s
        How far the clocks of console, reconstruction and archive may differ, seconds.
    """

    tolerance_s: float = 300.0


@check(
    id="header.times",
    version=1,
    title="Times in order",
    level="series",
    needs="headers",
    applies=Applies(),
    codes=CODES,
    params=TimeParameters,
    source="DICOM PS3.3 C.7.2.1, C.7.3.1, C.7.6.1, C.12.1; PS3.5 section 6.2 (TM, DT)",
    invariances=("file_order", "duplicate_input"),
    examples=(Example("ct_head"), Example("mr_brain")),
)
def times(series: Series, params: TimeParameters) -> Iterator[Result]:
    """Compare study, series, acquisition, content and creation times, and acquisition times along the time points of a series.

    Times of reduced precision (``12``, ``1221``) are compared at the coarser one: study time ``12`` and series time ``1221`` are in order.
    A passed midnight is no error. A derived series may be older than the study it is filed in, its content may be days younger than its
    acquisition, and a reconstruction made afterwards begins its series after the acquisition. Nothing is compared where the identity was
    removed: dates may have been moved or blanked.
    """
    cases = Cases(series)
    for instance in series.instances:
        if instance.get("PatientIdentityRemoved") == "YES":
            continue
        for keyword, text in _facts(instance, params.tolerance_s):
            cases.add("header.time_order", keyword, text, instance)
    for text, instance in _along_time(series, params.tolerance_s):
        cases.add("header.time_order", "AcquisitionTime", text, instance)
    yield from cases.findings({"header.time_order": Status.WARN})


def _facts(instance: Instance, tolerance_s: float) -> tuple[tuple[str, str], ...]:
    original = str(_first(instance.get("ImageType", ""))) != "DERIVED" and instance.get("Modality") != "OT"
    moments = tuple(moment_of(instance.tags, name) for name in ("Study", "Series", "Acquisition", "Content", "InstanceCreation"))
    return _compared(moments, original, tolerance_s)


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, tuple) and value else value


@lru_cache(maxsize=20_000)
def _compared(moments: tuple[Moment | None, ...], original: bool, tolerance_s: float) -> tuple[tuple[str, str], ...]:
    """Pairs that are out of order, as (keyword, words)."""
    by_name = dict(zip(("Study", "Series", "Acquisition", "Content", "InstanceCreation"), moments, strict=True))
    out: list[tuple[str, str]] = []
    for earlier, later, only_original in ORDER:
        one, other = by_name[earlier], by_name[later]
        if one is None or other is None or (only_original and not original):
            continue
        if _placeholder(one) or _placeholder(other):
            continue
        late = late_s(one, other)
        if (earlier, later) == ("Series", "Acquisition") and _reconstructed_later(one, by_name["Content"]):
            continue
        if late > tolerance_s and not (later == "Acquisition" and out):  # what holds for the series holds for its images
            out.append((f"{later}Time", f"{earlier}Time lies {_words(late)} after {later}Time"))
    return tuple(out)


def _reconstructed_later(series: Moment, content: Moment | None) -> bool:
    """A series opened after the scan, its images made after that: raw data reconstructed once more."""
    return content is not None and late_s(series, content) <= 0


def _placeholder(moment: Moment) -> bool:
    """A date before 1975 has its own finding; a time of exactly midnight stands for "not known" in what many programs write."""
    return (moment.day is not None and moment.day < 720_989) or moment.second == 0


def _words(seconds: float) -> str:
    if seconds >= 86400:
        return f"{seconds / 86400:.0f} days"
    return f"{seconds / 3600:.0f} hours" if seconds >= 7200 else f"{seconds / 60:.0f} minutes"


def _along_time(series: Series, tolerance_s: float) -> Iterator[tuple[str, Instance]]:
    """Acquisition times that fall although the time point rises."""
    first: dict[int, tuple[float, Moment, Instance]] = {}
    by_point: dict[int, list[tuple[Moment, Instance]]] = defaultdict(list)
    for instance in series.instances:
        point, moment = instance.get("TemporalPositionIdentifier"), moment_of(instance.tags, "Acquisition")
        if isinstance(point, int) and moment is not None and instance.get("PatientIdentityRemoved") != "YES":
            by_point[point].append((moment, instance))
    for point, found in by_point.items():
        start, instance = min(found, key=lambda one: (one[0].day or 0, one[0].second))
        first[point] = (start.second, start, instance)
    points = sorted(first)
    for before, after in pairwise(points):
        late = late_s(first[before][1], first[after][1])
        if late > tolerance_s:
            yield f"time point {after} was acquired {_words(late)} before time point {before}", first[after][2]
            return
