"""What tells apart images at the same position: echo, b-value, time point, gate ...

A 4-D series is a grid of positions times keys. Naming the dimension says which cell of the grid is empty. The grid that is
believed is the one that leaves the fewest things to explain: cells without an image, and images that share a cell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

from qc.study import Frame

# In the order in which they are tried; each with the name people know it by. What stands in NAMED was chosen by somebody
# before the scan and is believed even where it leaves many cells empty.
NAMED: tuple[tuple[str, str], ...] = (
    ("EchoTime", "echo"),
    ("EchoNumbers", "echo"),
    ("ImageType", "image type"),
    ("ComplexImageComponent", "image type"),
    ("GEComplexComponent", "image type"),
    ("PhilipsImageType", "image type"),
    ("DiffusionBValue", "b-value"),
    ("SiemensBValue", "b-value"),
    ("GEBValue", "b-value"),
    ("PhilipsBValue", "b-value"),
    ("DiffusionGradientOrientation", "gradient direction"),
    ("SiemensGradientDirection", "gradient direction"),
    ("GEGradient", "gradient direction"),
    ("PhilipsGradient", "gradient direction"),
    ("TemporalPositionIdentifier", "time point"),
    ("ASLContext", "label or control"),
    ("NominalPercentageOfCardiacPhase", "cardiac phase"),
    ("PhilipsPhaseNumber", "cardiac phase"),
    ("TriggerTime", "trigger time"),
    ("RespiratoryCyclePosition", "respiratory phase"),
    ("InversionTime", "inversion time"),
    ("FlipAngle", "flip angle"),
    ("EnergyWindowVector", "energy window"),
    ("DetectorVector", "detector"),
    ("PhaseVector", "phase"),
    ("RotationVector", "rotation"),
    ("RRIntervalVector", "R-R interval"),
    ("TimeSlotVector", "gate"),
    ("TimeSliceVector", "time slice"),
    ("AngularViewVector", "view"),
    ("ImageIndexBlock", "time slice or gate"),
    ("KVP", "tube voltage"),
    ("ConvolutionKernel", "kernel"),
    ("ContrastBolusAgent", "contrast"),
    ("ContrastBolusAgentPhase", "contrast"),
    ("ReceiveCoilName", "coil"),
    ("SiemensCoil", "coil"),
)
# These change by themselves from image to image; one is a dimension only where it leaves less to explain.
RUNNING: tuple[tuple[str, str], ...] = (
    ("AcquisitionNumber", "acquisition"),
    ("FrameReferenceTime", "frame time"),
    ("AcquisitionDateTime", "acquisition time"),
    ("AcquisitionTime", "acquisition time"),
    ("ContentTime", "content time"),
)
# Times that run on from slice to slice within a volume: their order at each position is the volume.
RANKED = ("TriggerTime", "FrameReferenceTime", "AcquisitionDateTime", "AcquisitionTime", "ContentTime")
KEYS = NAMED + RUNNING
# Dimensions that are acquired one after another, so that a scan stopped by hand leaves the last one unfinished
IN_TIME = frozenset({
    "time point", "b-value", "gradient direction", "label or control", "time slice or gate", "time slice", "contrast", "acquisition", "frame time",
    "acquisition time", "content time", "image number", "inversion time", "flip angle", "trigger time",
})  # fmt: skip
# and those whose value itself counts them
COUNTING = frozenset({"time point", "trigger time", "acquisition", "frame time", "image number", "time slice or gate", "time slice"})

Key = tuple[Any, ...]


@dataclass(frozen=True)
class Grid:
    """Positions times keys.

    Attributes
    ----------
    names
        What the dimensions are called; empty where every position stands once.
    key_of
        For each frame its key.
    keys
        Distinct keys in acquisition order (mean place of their image numbers among those at one position).
    explained
        False where images at one position have nothing to tell them apart.
    """

    names: tuple[str, ...]
    key_of: tuple[Key, ...]
    keys: tuple[Key, ...]
    explained: bool


def value_of(frame: Frame, keyword: str) -> Any:
    """Return a key value of a frame; a gradient of three elements as one, ImageIndex as the number of its block of slices."""
    if keyword in ("GEGradient", "PhilipsGradient"):
        parts = tuple(frame.get(keyword + axis) for axis in "XYZ")
        return None if parts == (None, None, None) else parts
    if keyword == "ImageIndexBlock":
        index, slices = frame.get("ImageIndex"), frame.get("NumberOfSlices")
        return (index - 1) // slices + 1 if isinstance(index, int) and isinstance(slices, int) and slices > 0 else None
    return frame.get(keyword)


def told_apart(one: Frame, other: Frame) -> bool:
    """Tell whether any key differs between two images."""
    return any(value_of(one, keyword) != value_of(other, keyword) for keyword, _ in KEYS)


def _repeats(location_of: Sequence[int], key_of: Sequence[Key]) -> int:
    """Number of frames beyond the first in each cell."""
    return len(key_of) - len(set(zip(location_of, key_of, strict=True)))


def _unexplained(location_of: Sequence[int], key_of: Sequence[Key], locations: int) -> int:
    """What a grid leaves to explain: images that share a cell, and cells without an image."""
    cells = len(set(zip(location_of, key_of, strict=True)))
    return len(key_of) - cells + len(set(key_of)) * locations - cells


def grid(frames: Sequence[Frame], members: Sequence[Sequence[int]]) -> Grid:
    """Find the keys that tell apart the images at each position.

    Parameters
    ----------
    frames
        Frames of one orientation group.
    members
        For each position the indices of its frames (`qc.geometry.Stack.members`).
    """
    location_of = [0] * len(frames)
    for location, indices in enumerate(members):
        for index in indices:
            location_of[index] = location
    names, key_of = _indexed(frames, location_of) or _searched(frames, location_of, members)
    if _repeats(location_of, key_of):
        names, key_of = _by_order(frames, location_of, members, names, key_of)
    explained = _repeats(location_of, key_of) == 0
    return Grid(tuple(names), tuple(key_of), _in_order(frames, names, key_of, members), explained)


def _searched(frames: Sequence[Frame], location_of: Sequence[int], members: Sequence[Sequence[int]]) -> tuple[list[str], list[Key]]:
    """Add one key after another as long as images are left that share a cell."""
    deepest, locations = max(len(indices) for indices in members), len(members)
    key_of: list[Key] = [()] * len(frames)
    names: list[str] = []
    left = _repeats(location_of, key_of)
    for keyword, name in KEYS:
        if not left:
            break
        values = [value_of(frame, keyword) for frame in frames]
        if values.count(values[0]) == len(values):
            continue
        trial = [(*key, value) for key, value in zip(key_of, values, strict=True)]
        fewer = _repeats(location_of, trial)
        # a key that differs in every image (a running number, a time) is a dimension only where it forms whole volumes
        if fewer >= left or len(set(trial)) > max(deepest, len(set(key_of)) * _distinct(values, members)):
            continue
        cost = _unexplained(location_of, trial, locations)
        half_empty = 2 * (cost - fewer) > len(set(trial)) * locations
        if cost < _unexplained(location_of, key_of, locations) or ((keyword, name) in NAMED and not half_empty):
            key_of, left = trial, fewer
            names += [] if name in names else [name]
    return names, key_of


def _indexed(frames: Sequence[Frame], location_of: Sequence[int]) -> tuple[list[str], list[Key]] | None:
    """The dimensions that an enhanced object itself declares, without those that only count the positions."""
    pointers = frames[0].get("DimensionIndexPointers")
    if not pointers or len({id(frame.instance) for frame in frames}) > 1:
        return None  # the numbers of one object say nothing about those of another
    values = [frame.get("DimensionIndexValues") for frame in frames]
    values = [(value,) if isinstance(value, int) else value for value in values]
    if any(not isinstance(value, tuple) or len(value) != len(pointers) for value in values):
        return None
    if len(set(values)) < len(values):
        return None  # two frames with one index: the numbering is faulty (`stack.dimension_index`) and not believed
    varying = [axis for axis in range(len(pointers)) if len({value[axis] for value in values}) > 1]
    free = [axis for axis in varying if not _counts_positions([value[axis] for value in values], location_of)]
    key_of: list[Key] = [tuple(value[axis] for axis in free) for value in values]
    return ([_WORDS.get(pointers[axis], pointers[axis]) for axis in free], key_of) if _repeats(location_of, key_of) == 0 else None


_WORDS = {
    "TemporalPositionIndex": "time point",
    "TemporalPositionTimeOffset": "time point",
    "EffectiveEchoTime": "echo",
    "DiffusionBValue": "b-value",
    "DiffusionGradientOrientation": "gradient direction",
    "NominalCardiacTriggerDelayTime": "trigger time",
    "ImageType": "image type",
    "ComplexImageComponent": "image type",
    "StackID": "stack",
}


def _counts_positions(values: Sequence[Any], location_of: Sequence[int]) -> bool:
    """Tell whether a number is the same in all images at a position (up to a tenth of the images that are misplaced)."""
    usual: dict[int, Counter[Any]] = {}
    for value, location in zip(values, location_of, strict=True):
        usual.setdefault(location, Counter())[value] += 1
    agreeing = sum(counts.most_common(1)[0][1] for counts in usual.values())
    return agreeing == len(values) and len(set(values)) > 1


def _distinct(values: Sequence[Any], members: Sequence[Sequence[int]]) -> int:
    """Largest number of distinct values at one position."""
    return max(len({values[index] for index in indices}) for indices in members)


# -- repetitions that only their order tells apart --------------------------------------------------------------------


def _by_order(
    frames: Sequence[Frame], location_of: Sequence[int], members: Sequence[Sequence[int]], names: list[str], key_of: list[Key]
) -> tuple[list[str], list[Key]]:
    """Where no header value is the same throughout a volume: do the image numbers, or times, run through the stack again and again?"""
    best, found = _unexplained(location_of, key_of, len(members)), (names, key_of)
    for name, blocks in _orders(frames, location_of, members):
        trial: list[Key] = [(*key, block) for key, block in zip(key_of, blocks, strict=True)]
        bare: list[Key] = [(block,) for block in blocks]
        for keys, called in ((trial, [*names, name]), (bare, [name])):
            cost = _unexplained(location_of, keys, len(members))
            if cost < best and _repeats(location_of, keys) < _repeats(location_of, key_of):
                best, found = cost, (called, keys)
    return found


def _orders(frames: Sequence[Frame], location_of: Sequence[int], members: Sequence[Sequence[int]]) -> list[tuple[str, list[Any]]]:
    """Ways to count volumes: blocks of image numbers, volume after volume or slice after slice, and the order of times."""
    deepest, locations = max(len(indices) for indices in members), len(members)
    if deepest == 1 or (deepest == 2 and 2 * sum(len(indices) > 1 for indices in members) <= locations):
        return []  # a plain stack with a few doubled images
    times: list[tuple[str, list[Any]]] = []
    for keyword in RANKED:
        ranks = _ranked([value_of(frame, keyword) for frame in frames], members)
        if ranks is not None:
            times.append((dict(KEYS)[keyword], ranks))
    numbers = [("image number", blocks) for blocks in _numbered(frames, members, deepest)]
    # the trigger says which phase an image is; other times say less than the numbers do
    return [one for one in times if one[0] == "trigger time"] + numbers + [one for one in times if one[0] != "trigger time"]


def _numbered(frames: Sequence[Frame], members: Sequence[Sequence[int]], deepest: int) -> list[list[Any]]:
    """Volumes by image number: by the step of the numbers at one position (so that a lost location shifts nothing), or by their order."""
    numbers = [frame.instance.number for frame in frames]
    known = [number for number in numbers if number is not None]
    if len(set(known)) < len(numbers) or len(frames[0].instance.frames) > 1:
        return []
    steps = Counter(after - before for indices in members for before, after in pairwise(sorted(known[index] for index in indices)))
    period = steps.most_common(1)[0][0]
    starts = [1, min(known)] if 0 < min(known) <= period else [min(known)]  # the first image itself may be the one that is lost
    place = {number: rank for rank, number in enumerate(sorted(known))}
    found: list[list[Any]] = []
    for start in starts:
        if period > 1:
            found.append([(number - start) // period + 1 for number in known])
        found.append([(number - start) % deepest + 1 for number in known])
        found.append([(number - start) // len(members) + 1 for number in known])
    found.append([place[number] // len(members) + 1 for number in known])
    found.append([place[number] % deepest + 1 for number in known])
    return found


def _ranked(values: Sequence[Any], members: Sequence[Sequence[int]]) -> list[int] | None:
    """Number the values at each position in rising order; where some are lost, by the nearest usual value, in order."""
    seconds = _numeric(values)
    if seconds is None:
        return None
    deepest = max(len(indices) for indices in members)
    rows = [sorted(indices, key=lambda index: seconds[index]) for indices in members]
    if any(len({seconds[index] for index in row}) < len(row) for row in rows):
        return None
    full = [[seconds[index] for index in row] for row in rows if len(row) == deepest]
    if 2 * len(full) <= len(members):
        return None
    usual = [median(column) for column in zip(*full, strict=True)]
    ranks = [0] * len(values)
    for row in rows:
        for index, rank in zip(row, _matched([seconds[index] for index in row], usual), strict=True):
            ranks[index] = rank + 1
    return ranks


def _numeric(values: Sequence[Any]) -> list[float] | None:
    """Numbers, or DICOM times as seconds (the digits of a date and time order as they stand)."""
    found = []
    for value in values:
        if isinstance(value, (int, float)):
            found.append(float(value))
        elif isinstance(value, str) and value[:6].isdigit() and len(value) >= 6:
            clock = value[8:] if len(value) >= 14 else value
            try:
                found.append(int(clock[:2]) * 3600 + int(clock[2:4]) * 60 + float(clock[4:].split("+")[0].split("-")[0]))
            except ValueError:
                return None
        else:
            return None
    return found


def _matched(values: Sequence[float], usual: Sequence[float]) -> list[int]:
    """Assign rising values to rising usual values, in order, with the smallest sum of distances.

    Worked number: values 0, 61, 90 on 0, 30, 60, 90 give 0, 2, 3.
    """
    if len(values) == len(usual):
        return list(range(len(usual)))
    costs: list[list[float]] = [[0.0] * (len(usual) + 1)]
    for row, value in enumerate(values):
        line = [float("inf")] * (len(usual) + 1)
        for column, target in enumerate(usual):
            line[column + 1] = min(line[column], costs[row][column] + abs(value - target))
        costs.append(line)
    ranks, column = [], len(usual)
    for row in range(len(values), 0, -1):
        while costs[row][column - 1] == costs[row][column]:
            column -= 1
        ranks.append(column - 1)
        column -= 1
    return ranks[::-1]


def _in_order(frames: Sequence[Frame], names: Sequence[str], key_of: Sequence[Key], members: Sequence[Sequence[int]]) -> tuple[Key, ...]:
    """Keys in order of acquisition: by their own value where it counts time, else by the mean place of their images among those at one
    position, by number.
    """
    if len(names) == 1 and names[0] in COUNTING and all(len(key) == 1 and isinstance(key[0], (int, float)) for key in key_of):
        return tuple(sorted(set(key_of)))
    places: dict[Key, list[int]] = {}
    for indices in members:
        numbered = sorted(indices, key=lambda index: (frames[index].instance.number or 0, frames[index].index))
        for place, index in enumerate(numbered):
            places.setdefault(key_of[index], []).append(place)
    return tuple(sorted(places, key=lambda key: sum(places[key]) / len(places[key])))


def sparse_keys(grid_: Grid, members: Sequence[Sequence[int]]) -> set[Key]:
    """Keys of so few images (a quarter of the positions at most) that they are no volume: a map or a reference image in the series.

    Only of dimensions that are not acquired one after another: a volume of few images there is a scan that was stopped.
    """
    if IN_TIME & set(grid_.names):
        return set()
    return {key for key, images in Counter(grid_.key_of).items() if 4 * images <= len(members)}


def empty_cells(grid_: Grid, members: Sequence[Sequence[int]]) -> list[tuple[Key, int]]:
    """Return (key, position number) of every cell of the grid without an image."""
    present = {(grid_.key_of[index], location) for location, indices in enumerate(members) for index in indices}
    return [(key, location) for key in grid_.keys for location in range(len(members)) if (key, location) not in present]


def unfinished(frames: Sequence[Frame], members: Sequence[Sequence[int]], grid_: Grid, empty: Sequence[tuple[Key, int]]) -> bool:
    """Tell whether the empty cells are what a scan stopped by hand leaves: the tail of its last volume.

    The order in which the positions are acquired is that of the image numbers in the volume before. Where the numbers do not run
    volume after volume, the scan is taken as stopped if an end of the stack is among what is missing.
    """
    last = grid_.keys[-1]
    if any(key != last for key, _ in empty) or not IN_TIME & set(grid_.names):
        return False
    lost = {location for _, location in empty}
    at_end = bool({0, len(members) - 1} & lost)
    numbers: dict[Key, dict[int, tuple[int, int]]] = {}
    for location, indices in enumerate(members):
        for index in indices:
            number = frames[index].instance.number
            if number is None:
                return at_end
            numbers.setdefault(grid_.key_of[index], {})[location] = (number, frames[index].index)
    before = numbers[grid_.keys[-2]]
    if not numbers.get(last) or min(numbers[last].values()) < max(before.values()):
        return at_end
    order = sorted(before, key=lambda location: before[location])
    return set(order[len(order) - len(lost) :]) == lost
