"""How many images there should be by what the headers say, and by what the source of the study says.

Plain functions on a series; each returns a `Count` where fewer arrived than announced, else None. Losses at the ends of a stack
and every second slice gone cannot be seen in the positions: counts are the only witness.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from math import prod
from typing import Any

from qc import geometry
from qc.results import Finding, Status, Subject
from qc.study import Frame, Series
from qc.tags import NM_VECTORS

MOST_NAMED = 50  # missing numbers or UIDs spelt out in the details of one finding


@dataclass(frozen=True)
class Count:
    """A number that was not reached.

    Attributes
    ----------
    source
        Which attribute says so, with its value.
    missing
        Numbers or names of what is not there, where they can be told.
    """

    source: str
    expected: int
    received: int
    unit: str
    missing: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Counted:
    """A series with what several counts need.

    Attributes
    ----------
    stack
        Geometry of its only orientation, None where there are several or none.
    """

    series: Series
    frames: list[Frame] = field(repr=False)

    @cached_property
    def stack(self) -> geometry.Stack | None:
        """Geometry of the only orientation."""
        _, positions, orientations = geometry.placed(self.frames)
        if len(positions) == 0 or len(geometry.orientation_groups(orientations)) > 1:
            return None
        return geometry.analyse(positions, orientations)

    @property
    def places(self) -> int:
        """Number of distinct slice positions; 0 where they are unknown."""
        return len(self.stack.locations_mm) if self.stack else 0

    def told(self, keyword: str) -> int:
        """Return a header count, 0 where it is absent or no count."""
        value = self.series.first(keyword)
        return value if isinstance(value, int) and value > 0 else 0

    def seen(self, keyword: str) -> set[Any]:
        """Distinct values over the frames."""
        return {frame.get(keyword) for frame in self.frames} - {None}


def gone(expected: int, seen: Iterable[Any]) -> tuple[int, ...]:
    """Numbers of 1 ... `expected` that were not seen; empty where the seen ones are no such numbers."""
    known = set(seen)
    if not all(isinstance(number, int) and 1 <= number <= expected for number in known):
        return ()
    return tuple(number for number in range(1, expected + 1) if number not in known)[:MOST_NAMED]


# -- counts of the acquisition: ignored on derived objects --------------------------------------------------------------


def time_points(counted: Counted) -> Count | None:
    """NumberOfTemporalPositions, or the Philips count of dynamics, against the distinct identifiers."""
    seen, frames, places = counted.seen("TemporalPositionIdentifier"), len(counted.frames), counted.places
    for keyword, name in (
        ("NumberOfTemporalPositions", "NumberOfTemporalPositions"),
        ("PhilipsNumberOfDynamics", "Philips number of dynamics"),
    ):
        told = counted.told(keyword)
        if told < 2 or not seen or len(seen) >= told:
            continue
        if len(seen) == 1 and frames // max(places, 1) >= told:
            continue  # the identifier is not used, the images are there
        unit = f"time points ({frames} of {told * places * max(1, frames // (places * len(seen)))} images)" if places else "time points"
        return Count(f"{name} {told}", told, len(seen), unit, gone(told, seen))
    return None


def images_in_acquisition(counted: Counted) -> Count | None:
    """ImagesInAcquisition counts images for some vendors and positions for others: a series with as many of either is complete."""
    told, frames = counted.told("ImagesInAcquisition"), len(counted.frames)
    if frames < told:
        return Count(f"ImagesInAcquisition {told}", told, frames, "images")
    acquired = Counter(frame.get("AcquisitionNumber") for frame in counted.frames)
    if told and len(acquired) > 1 and None not in acquired:
        whole = sum(images == told for images in acquired.values())
        short = {number: images for number, images in acquired.items() if images < told}
        if short and 2 * whole >= len(acquired) and whole + len(short) == len(acquired):
            received = told * whole + sum(short.values())
            numbers = tuple(f"acquisition {number}" for number in sorted(short))[:MOST_NAMED]
            return Count(
                f"ImagesInAcquisition {told} in each of {len(acquired)} acquisitions", told * len(acquired), received, "images", numbers
            )
    return None


def positions(counted: Counted) -> Count | None:
    """Vendor counts of slice positions."""
    for keyword, name in (
        ("GELocationsInAcquisition", "GE locations in acquisition"),
        ("PhilipsNumberOfSlices", "Philips number of slices"),
    ):
        told = counted.told(keyword)
        if 0 < counted.places < told:
            return Count(f"{name} {told}", told, counted.places, "slice positions")
    return None


def phases_and_echoes(counted: Counted) -> Count | None:
    """Philips counts of echoes and cardiac phases, CardiacNumberOfImages, against what tells the images apart."""
    for keyword, own, name, unit in (
        ("PhilipsNumberOfEchoes", "EchoNumbers", "Philips number of echoes", "echoes"),
        ("PhilipsNumberOfPhases", "PhilipsPhaseNumber", "Philips number of phases", "cardiac phases"),
    ):
        told, seen = counted.told(keyword), counted.seen(own)
        if 1 < len(seen) < told:  # one value alone: Philips counts echoes of a train here as well
            return Count(f"{name} {told}", told, len(seen), unit, gone(told, seen))
    told, stack = counted.told("CardiacNumberOfImages"), counted.stack
    if told > 1 and stack is not None and len(counted.seen("TriggerTime")) > 1:
        deepest = max(map(len, stack.members))
        if deepest < told:
            return Count(f"CardiacNumberOfImages {told}", told, deepest, "cardiac phases")
    return None


def decimated(counted: Counted) -> Count | None:
    """Slices a whole number of nominal spacings apart: every second (third ...) one may be missing.

    SpacingBetweenSlices is believed only where it cannot be the bare gap that some vendors write; without it, image numbers that
    run in equal steps together with slices as many thicknesses apart are as good a sign.
    """
    stack, series = counted.stack, counted.series
    if stack is None or stack.spacing_mm is None or len(stack.locations_mm) < 4 or stack.gaps:
        return None
    spacing, thickness, told = stack.spacing_mm, series.first("SliceThickness"), series.first("SpacingBetweenSlices")
    nominal = None
    if isinstance(told, (int, float)) and told:
        bare_gap = isinstance(thickness, (int, float)) and abs(abs(told) + thickness - spacing) <= 0.02 * spacing
        nominal = None if bare_gap else abs(float(told))
    elif isinstance(thickness, (int, float)) and thickness > 0 and _number_step(series) == round(spacing / thickness):
        nominal = float(thickness)
    if nominal is None or round(spacing / nominal) < 2 or abs(spacing / nominal - round(spacing / nominal)) > 0.02:
        return None
    every, count = round(spacing / nominal), len(stack.locations_mm)
    return Count(
        f"slices {spacing:.3g} mm apart where {nominal:.3g} mm are nominal: one of {every} kept",
        (count - 1) * every + 1,
        count,
        "slice positions",
    )


def _number_step(series: Series) -> int | None:
    """The step in which all image numbers run, None where they do not run evenly."""
    numbers = sorted({instance.number for instance in series.instances if instance.number is not None})
    steps = {after - before for before, after in pairwise(numbers)}
    return steps.pop() if len(steps) == 1 and len(numbers) == len(series.instances) else None


def mosaic_volumes(counted: Counted) -> Count | None:
    """Each mosaic is one volume, numbered in order of time: a hole in the numbers is a lost volume."""
    if counted.series.klass != "mosaic":
        return None
    numbers = {instance.number for instance in counted.series.instances}
    if None in numbers or len(numbers) < 3 or len(numbers) < len(counted.series.instances):
        return None
    known = sorted(number for number in numbers if number is not None)
    holes = [number for number in range(known[0], known[-1]) if number not in numbers]
    if not holes or 2 * len(holes) > len(known):
        return None
    return Count(f"image numbers {known[0]} to {known[-1]}", len(known) + len(holes), len(known), "volumes", tuple(holes[:MOST_NAMED]))


# -- counts of the object itself: they hold for derived objects too ----------------------------------------------------


def tomographic(counted: Counted) -> Count | None:
    """PET: slices x time slices x R-R intervals x gates. NM: the product of the counts of its vectors."""
    series, frames = counted.series, len(counted.frames)
    if series.modality == "PT" and len(series.instances) == frames:
        names = [
            name for name in ("NumberOfSlices", "NumberOfTimeSlices", "NumberOfRRIntervals", "NumberOfTimeSlots") if counted.told(name)
        ]
        if "NumberOfSlices" not in names:
            return None
    elif series.modality == "NM" and len(series.instances) == 1:
        vectors = [vector for vector in NM_VECTORS if any(vector in (frame.own or {}) for frame in counted.frames)]
        names = [NM_VECTORS[vector] for vector in vectors]
        if not names or not all(counted.told(name) for name in names):
            return None
    else:
        return None
    expected = prod(counted.told(name) for name in names)
    if frames >= expected:
        return None
    missing = gone(expected, counted.seen("ImageIndex")) if series.modality == "PT" else ()
    source = " x ".join(f"{name} {counted.told(name)}" for name in names)
    return Count(source, expected, frames, "slices" if series.modality == "PT" else "frames", missing)


def concatenation(counted: Counted) -> Count | None:
    """Parts of an object that was sent in pieces: their numbers, their total, and the frames that each says stand before it."""
    parts: dict[Any, list[Any]] = {}
    for instance in counted.series.instances:
        if instance.get("ConcatenationUID", instance.get("InConcatenationNumber")) is not None:
            parts.setdefault(instance.get("ConcatenationUID"), []).append(instance)
    for instances in parts.values():
        numbers = {instance.get("InConcatenationNumber") for instance in instances} - {None}
        total = max((instance.get("InConcatenationTotalNumber", 0) for instance in instances), default=0)
        total = max([total, *numbers])
        if numbers and len(numbers) < total:
            return Count(f"InConcatenationTotalNumber {total}", total, len(numbers), "parts of the concatenation", gone(total, numbers))
        offsets = {one.get("ConcatenationFrameOffsetNumber"): len(one.frames) for one in instances}
        if None in offsets:
            continue
        here = sum(offsets.values())
        last = max(offsets)
        if last + offsets[last] > here:
            return Count(f"ConcatenationFrameOffsetNumber {last}", last + offsets[last], here, "frames of the concatenation")
    return None


def in_stack(counted: Counted) -> Count | None:
    """In-stack positions run from 1 without a hole. A hole that the positions show as well is told there (`slices.missing`)."""
    stacks: dict[Any, set[int]] = {}
    for frame in counted.frames:
        number = frame.get("InStackPositionNumber")
        if frame.tile is None and isinstance(number, int):
            stacks.setdefault(frame.get("StackID"), set()).add(number)
    for name, numbers in stacks.items():
        top = max(numbers)
        seen = set(range(min(numbers), top + 1)) if counted.stack is not None and counted.stack.gaps else numbers
        if min(numbers) >= 1 and len(seen) < top and len(counted.frames) > 1:
            where = f"InStackPositionNumber up to {top}" + (f" in stack {name}" if name is not None else "")
            return Count(where, top, len(numbers), "slice positions", gone(top, seen))
    return None


def of_series(counted: Counted) -> Count | None:
    """What an archive wrote into the header about the whole series."""
    instances = len(counted.series.instances)
    for keyword in ("NumberOfSeriesRelatedInstances", "ImagesInSeries"):
        told = counted.told(keyword)
        if instances < told:
            return Count(f"{keyword} {told}", told, instances, "images")
    return None


OF_ACQUISITION: tuple[Callable[[Counted], Count | None], ...] = (
    time_points, images_in_acquisition, positions, phases_and_echoes, mosaic_volumes, decimated,
)  # fmt: skip
OF_OBJECT: tuple[Callable[[Counted], Count | None], ...] = (of_series, tomographic, concatenation, in_stack)


def counts(counted: Counted) -> list[Count]:
    """Every count of the headers that was not reached."""
    rules = OF_OBJECT if counted.series.klass == "derived" else OF_OBJECT + OF_ACQUISITION
    return [count for count in (rule(counted) for rule in rules) if count is not None]


def irregular(counted: Counted) -> bool:
    """Tell whether the positions themselves show that something is missing or doubled; then the numbers add nothing."""
    stack = counted.stack
    return stack is None or len(stack.members) < 3 or bool(stack.gaps) or len({len(members) for members in stack.members}) > 1


def loose_numbers(series: Series) -> tuple[str, tuple[int, ...]] | None:
    """Image numbers that start late or skip although the positions are regular: what may be missing, in words and numbers."""
    numbers = [instance.number for instance in series.instances]
    known = sorted({number for number in numbers if number is not None})
    if len(known) < 4 or len(known) < len(numbers):
        return None
    stride = min(after - before for before, after in pairwise(known))
    holes = [number for before, after in pairwise(known) for number in range(before + stride, after, stride)]
    if holes and 4 * len(holes) <= len(known):
        return f"image numbers skip {', '.join(map(str, holes[:5]))}{' ...' if len(holes) > 5 else ''}", tuple(holes[:MOST_NAMED])
    if stride == 1 and not holes and known[0] > 1:
        return f"image numbers run from {known[0]} to {known[-1]}", tuple(range(1, min(known[0], MOST_NAMED)))
    return None


# -- counts of the source -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Announced:
    """What a source (PACS, scanner, storage commitment) says of one study. None everywhere means "not known", never zero.

    Attributes
    ----------
    series
        SeriesInstanceUID -> its SOPInstanceUIDs, or only their number, or None where the source did not say.
    all_series
        Whether `series` names every series of the study.
    instances, series_count
        Numbers for the whole study.
    """

    series: Mapping[str, Collection[str] | int | None] = field(default_factory=dict)
    all_series: bool = False
    instances: int | None = None
    series_count: int | None = None


def against_source(study_uid: str, announced: Announced, received: Mapping[str, Collection[str]]) -> list[Finding]:
    """Compare what arrived with the source's own counts.

    Parameters
    ----------
    received
        SeriesInstanceUID -> SOPInstanceUIDs that are here, readable or not.

    Returns
    -------
    list of Finding
        ``series.incomplete`` for each series of which objects are missing, ``study.incomplete`` for whole series and for a total that
        no series explains: both fail, the source counts with authority. ``study.more_than_announced`` (info) where objects came that the
        source does not know. Empty where nothing is missing or nothing is known.
    """
    findings: list[Finding] = []
    explained = 0
    absent: dict[str, int | None] = {}
    for uid, told in announced.series.items():
        here = set(received.get(uid, ()))
        expected = told if isinstance(told, int) else None if told is None else len(set(told))
        lost = sorted(set(told) - here) if told is not None and not isinstance(told, int) else []
        short = max(len(lost), (expected or 0) - len(here))
        if not here and (expected or told is None):
            absent[uid] = expected
        elif short > 0:
            findings.append(_series_short(study_uid, uid, expected or 0, len(here), short, lost))
            explained += short
    total = sum(len(set(uids)) for uids in received.values())
    missing = explained + sum(number or 0 for number in absent.values())
    unexplained = max(0, (announced.instances or 0) - total - missing)
    too_few_series = max(0, (announced.series_count or 0) - len(received) - len(absent))
    if absent or unexplained or too_few_series:
        findings.append(_study_short(study_uid, announced, absent, total, len(received), unexplained, too_few_series))
    more = [uid for uid in received if uid not in announced.series] if announced.all_series else []
    if more or (announced.instances is not None and 0 < announced.instances < total):
        known = announced.instances or sum(one if isinstance(one, int) else len(one or ()) for one in announced.series.values())
        text = f"{total} objects are here, the source announced {known}" + (f"; {len(more)} series are unknown to it" if more else "")
        details = {"expected": known, "received": total, "series": more[:MOST_NAMED]}
        findings.append(Finding("study.more_than_announced", Status.INFO, text, Subject("study", study_uid), details, _ADVICE_MORE))
    return findings


_ADVICE = "The archive holds more than was fetched. Fetch what is missing; until then the study must not be judged as complete."
_ADVICE_MORE = "Objects were added, or the source counts late. Ask it again."


def _series_short(study_uid: str, uid: str, expected: int, received: int, short: int, lost: list[str]) -> Finding:
    text = f"{expected - short} of {expected} objects of the series arrived (count of the source)"
    details = {"expected": expected, "received": received, "missing": lost[:MOST_NAMED], "missing_count": short, "source": "source"}
    return Finding("series.incomplete", Status.FAIL, text, Subject("series", study_uid, uid), details, _ADVICE)


def _study_short(
    study_uid: str, announced: Announced, absent: dict[str, int | None], total: int, series: int, unexplained: int, too_few_series: int
) -> Finding:
    parts = []
    if absent:
        sizes = ", ".join("unknown size" if number is None else f"{number} objects" for number in list(absent.values())[:5])
        parts.append(f"{len(absent)} series did not arrive at all ({sizes})")
    if too_few_series:
        parts.append(f"{series} of {announced.series_count} series are here")
    if unexplained or announced.instances:
        parts.append(f"{total} of {announced.instances} objects are here" if announced.instances else f"{total} objects are here")
    details = {
        "expected": announced.instances,
        "received": total,
        "expected_series": announced.series_count,
        "received_series": series,
        "missing_series": list(absent)[:MOST_NAMED],
        "missing_objects": None if None in absent.values() else sum(number or 0 for number in absent.values()) + unexplained,
        "source": "source",
    }
    return Finding("study.incomplete", Status.FAIL, "; ".join(parts), Subject("study", study_uid), details, _ADVICE)
