"""What tells apart images at the same position: echo, b-value, time point, gate ...

A 4-D series is a grid of positions times keys. Naming the dimension says which cell of the grid is empty.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qc.study import Frame

# In the order in which they are tried; each with the name people know it by.
KEYS: tuple[tuple[str, str], ...] = (
    ("EchoTime", "echo"),
    ("EchoNumbers", "echo"),
    ("ImageType", "image type"),
    ("ComplexImageComponent", "image type"),
    ("DiffusionBValue", "b-value"),
    ("SiemensBValue", "b-value"),
    ("GEBValue", "b-value"),
    ("PhilipsBValue", "b-value"),
    ("TemporalPositionIdentifier", "time point"),
    ("TriggerTime", "trigger time"),
    ("InversionTime", "inversion time"),
    ("FlipAngle", "flip angle"),
    ("ImageIndex", "image index"),
    ("ConvolutionKernel", "kernel"),
    ("ContrastBolusAgent", "contrast"),
    ("ReceiveCoilName", "coil"),
    ("AcquisitionNumber", "acquisition"),
    ("AcquisitionDateTime", "acquisition time"),
    ("AcquisitionTime", "acquisition time"),
    ("ContentTime", "content time"),
)


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
        Distinct keys in acquisition order (order of first InstanceNumber).
    explained
        False where images at one position have nothing to tell them apart.
    """

    names: tuple[str, ...]
    key_of: tuple[tuple[Any, ...], ...]
    keys: tuple[tuple[Any, ...], ...]
    explained: bool


def told_apart(one: Frame, other: Frame) -> bool:
    """Tell whether any key differs between two images."""
    return any(one.get(keyword) != other.get(keyword) for keyword, _ in KEYS)


def _repeats(location_of: Sequence[int], key_of: Sequence[tuple[Any, ...]]) -> int:
    """Number of frames beyond the first in each cell."""
    return len(key_of) - len(set(zip(location_of, key_of, strict=True)))


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
    deepest = max(len(indices) for indices in members)
    key_of: list[tuple[Any, ...]] = [()] * len(frames)
    names: list[str] = []
    left = _repeats(location_of, key_of)
    typical = Counter(len(indices) for indices in members).most_common(1)[0][0]
    if left and typical == 1 and deepest <= 2 and sum(len(indices) > 1 for indices in members) * 2 <= len(members):
        deepest = 1  # a plain stack with a few doubled images; keys that number each image explain nothing
    for keyword, name in KEYS:
        if not left or deepest == 1:
            break
        values = [frame.get(keyword) for frame in frames]
        trial = [(*key, value) for key, value in zip(key_of, values, strict=True)]
        fewer = _repeats(location_of, trial)
        # a key that differs in every image (a running number, a time) is a dimension only where it forms whole volumes
        if fewer < left and len(set(trial)) <= max(deepest, len(set(key_of)) * _distinct(values, members)):
            key_of, left = trial, fewer
            names.append(name)
    if left and deepest > 1:
        blocks = _numbered_blocks(frames, location_of, key_of, len(members), deepest)
        if blocks is not None:
            key_of, left = blocks, 0
            names.append("image number")
    order: dict[tuple[Any, ...], int] = {}
    for index, key in enumerate(key_of):
        number = frames[index].instance.number
        rank = number if number is not None else index
        order[key] = min(order.get(key, rank), rank)
    return Grid(tuple(names), tuple(key_of), tuple(sorted(order, key=lambda key: order[key])), left == 0)


def _numbered_blocks(
    frames: Sequence[Frame], location_of: Sequence[int], key_of: Sequence[tuple[Any, ...]], locations: int, deepest: int
) -> list[tuple[Any, ...]] | None:
    """Where no header value tells repetitions apart: do the image numbers run through the stack again and again?

    Volume after volume (the number divided by the count of positions) or slice after slice (its remainder).
    """
    if any(frame.instance.number is None for frame in frames):
        return None
    numbers = [(frame.instance.number or 0, frame.index) for frame in frames]
    if len(set(numbers)) < len(numbers):
        return None
    rank = {number: place for place, number in enumerate(sorted(numbers))}
    places = [rank[number] for number in numbers]
    for blocks in ([place // locations for place in places], [place % deepest for place in places]):
        trial = [(*key, block + 1) for key, block in zip(key_of, blocks, strict=True)]
        if _repeats(location_of, trial) == 0:
            return trial
    return None


def _distinct(values: Sequence[Any], members: Sequence[Sequence[int]]) -> int:
    """Largest number of distinct values at one position."""
    return max(len({values[index] for index in indices}) for indices in members)


def empty_cells(grid_: Grid, members: Sequence[Sequence[int]]) -> list[tuple[tuple[Any, ...], int]]:
    """Return (key, position number) of every cell of the grid without an image."""
    present = {(grid_.key_of[index], location) for location, indices in enumerate(members) for index in indices}
    return [(key, location) for key in grid_.keys for location in range(len(members)) if (key, location) not in present]
