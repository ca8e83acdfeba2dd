"""How many images there should be by what the headers say.

Plain functions on a series; each returns a `Count` where fewer arrived than announced, else None. Losses at the ends of a stack
and every second slice gone cannot be seen in the positions: counts are the only witness.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice, pairwise
from math import prod
from typing import Any

from qc import geometry
from qc.study import Frame, Instance, Series
from qc.tags import NM_VECTORS

MOST_NAMED = 50  # missing numbers spelt out in the details of one finding


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


def counted(series: Series) -> Counted:
    """Return a series ready to be counted: an object that was sent twice, with whatever header, counts once."""
    seen: set[str] = set()
    frames: list[Frame] = []
    for instance in series.ordered:
        if not instance.uid or instance.uid not in seen:
            frames += instance.frames
            seen.add(instance.uid)
    return Counted(series, frames)


def objects(series: Series) -> int:
    """Return how many different objects a series holds."""
    uids = [instance.uid for instance in series.instances]
    return len({uid for uid in uids if uid}) + uids.count("")


def gone(expected: int, seen: Iterable[Any]) -> tuple[int, ...]:
    """Numbers of 1 ... `expected` that were not seen; empty where the seen ones are no such numbers."""
    known = set(seen)
    if not all(isinstance(number, int) and 1 <= number <= expected for number in known):
        return ()
    return tuple(islice((number for number in range(1, expected + 1) if number not in known), MOST_NAMED))


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
    return steps.pop() if len(steps) == 1 and len(numbers) == objects(series) else None


def mosaic_volumes(counted: Counted) -> Count | None:
    """Each mosaic is one volume, numbered in order of time: a hole in the numbers is a lost volume."""
    if counted.series.klass != "mosaic":
        return None
    tiles = Counter(len(instance.frames) for instance in counted.series.instances)
    usual = tiles.most_common(1)[0][0]
    short = tuple(instance.number for instance in counted.series.ordered if len(instance.frames) < usual)
    if short:
        unit = f"slices in {len(short)} of {len(counted.series.instances)} mosaics"
        return Count(f"the other mosaics have {usual}", usual, min(tiles), unit, short[:MOST_NAMED])
    numbers = {instance.number for instance in counted.series.instances}
    if None in numbers or len(numbers) < 3 or len(numbers) < objects(counted.series):
        return None
    known = sorted(number for number in numbers if number is not None)
    holes = known[-1] - known[0] + 1 - len(known)  # counted before they are listed: a number may be anything
    if not holes or 2 * holes > len(known):
        return None
    missing = tuple(islice((number for number in range(known[0], known[-1]) if number not in numbers), MOST_NAMED))
    return Count(f"image numbers {known[0]} to {known[-1]}", len(known) + holes, len(known), "volumes", missing)


# -- counts of the object itself: they hold for derived objects too ----------------------------------------------------


def tomographic(counted: Counted) -> Count | None:
    """PET: slices x time slices x R-R intervals x gates. NM: the product of the counts of its vectors."""
    series, frames = counted.series, len(counted.frames)
    if series.modality == "PT" and objects(series) == frames:
        names = [
            name for name in ("NumberOfSlices", "NumberOfTimeSlices", "NumberOfRRIntervals", "NumberOfTimeSlots") if counted.told(name)
        ]
        if "NumberOfSlices" not in names:
            return None
    elif series.modality == "NM" and objects(series) == 1:
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
    parts: dict[Any, list[Instance]] = {}
    for instance in counted.series.instances:
        if instance.get("ConcatenationUID", instance.get("InConcatenationNumber")) is not None:
            parts.setdefault(instance.get("ConcatenationUID"), []).append(instance)
    for instances in parts.values():
        numbers = set(_whole(instances, "InConcatenationNumber"))
        total = max([*_whole(instances, "InConcatenationTotalNumber"), *numbers], default=0)
        if numbers and len(numbers) < total:
            return Count(f"InConcatenationTotalNumber {total}", total, len(numbers), "parts of the concatenation", gone(total, numbers))
        offsets = dict(zip(_whole(instances, "ConcatenationFrameOffsetNumber"), (len(one.frames) for one in instances), strict=False))
        last, here = max(offsets, default=0), sum(offsets.values())
        if len(offsets) == len(instances) and last + offsets[last] > here:
            return Count(f"ConcatenationFrameOffsetNumber {last}", last + offsets[last], here, "frames of the concatenation")
    return None


def _whole(instances: Iterable[Instance], keyword: str) -> list[int]:
    """Values of a count that are counts; a header may hold anything."""
    return [value for value in (instance.get(keyword) for instance in instances) if isinstance(value, int)]


def in_stack(counted: Counted) -> Count | None:
    """In-stack positions run from 1 without a hole. A hole that the positions show as well is told there (`slices.missing`)."""
    stacks: dict[Any, set[int]] = {}
    for frame in counted.frames:
        number = frame.get("InStackPositionNumber")
        if frame.tile is None and isinstance(number, int):
            stacks.setdefault(frame.get("StackID"), set()).add(number)
    for name, numbers in stacks.items():
        top, first = max(numbers), min(numbers)
        inner = 0 if counted.stack is not None and counted.stack.gaps else top - first + 1 - len(numbers)
        if first < 1 or first - 1 + inner == 0 or len(counted.frames) == 1:
            continue
        where = f"InStackPositionNumber up to {top}" + (f" in stack {name}" if name is not None else "")
        absent = (number for number in range(1, top if inner else first) if number not in numbers)
        return Count(where, top, len(numbers), "slice positions", tuple(islice(absent, MOST_NAMED)))
    return None


def of_series(counted: Counted) -> Count | None:
    """What an archive wrote into the header about the whole series."""
    instances = objects(counted.series)
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


def faulty_index(series: Series) -> tuple[str, dict[str, int]] | None:
    """Dimension index of enhanced objects: every frame has one, as long as the list of dimensions, and no two the same."""
    absent = repeated = 0
    for instance in series.instances:
        pointers = instance.get("DimensionIndexPointers")
        if not pointers or len(instance.frames) < 2:
            continue
        values = [(frame.own or {}).get("DimensionIndexValues") for frame in instance.frames]
        whole = [value if isinstance(value, tuple) else (value,) for value in values if value is not None]
        whole = [value for value in whole if len(value) == len(pointers)]
        absent += len(values) - len(whole)
        repeated += len(whole) - len(set(whole))
    if not absent and not repeated:
        return None
    texts = [f"{absent} frames have none that fits the list of dimensions"] if absent else []
    texts += [f"{repeated} frames have the index of another frame"] if repeated else []
    return "dimension index: " + "; ".join(texts), {"absent": absent, "repeated": repeated}


def loose_numbers(series: Series) -> tuple[str, tuple[int, ...]] | None:
    """Image numbers that start late or skip although the positions are regular: what may be missing, in words and numbers."""
    numbers = list({instance.uid or id(instance): instance.number for instance in series.instances}.values())
    known = sorted({number for number in numbers if number is not None})
    if len(known) < 4 or len(known) < len(numbers):
        return None
    stride = min(after - before for before, after in pairwise(known))
    steps = [after - before for before, after in pairwise(known)]
    if any(step % stride for step in steps):
        return None
    holes = sum(step // stride - 1 for step in steps)
    if holes and 4 * holes <= len(known):
        missing = tuple(number for before, after in pairwise(known) for number in range(before + stride, after, stride))[:MOST_NAMED]
        return f"image numbers skip {', '.join(map(str, missing[:5]))}{' ...' if holes > 5 else ''}", missing
    if stride == 1 and not holes and known[0] > 1:
        return f"image numbers run from {known[0]} to {known[-1]}", tuple(range(1, min(known[0], MOST_NAMED)))
    return None
