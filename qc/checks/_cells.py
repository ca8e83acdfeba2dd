"""Words for repeated positions: cells of the grid of positions and keys that hold no image, or more than one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from qc import geometry, stacks
from qc.results import Finding, Result, Status
from qc.study import Frame, Series

MOST_NAMED = 20  # cells or images spelt out in the details of one finding


def cells(series: Series, frames: Sequence[Frame], stack: geometry.Stack, grid: stacks.Grid) -> Iterator[Result]:
    """Findings about cells that hold more than one image, and about cells that hold none."""
    count = Counter((grid.key_of[index], location) for location, members in enumerate(stack.members) for index in members)
    doubled = [cell for cell, images in count.items() if images > 1 and not _one_object(frames, stack, grid, cell)]
    if doubled and not (len(stack.members) == 1 and series.klass.startswith("phantom:")):
        yield from _doubled(series, frames, stack, grid, doubled)
    if len(stack.members) < 2:
        return
    if len(grid.keys) < 2:
        yield from _uneven(series, stack)
        return
    sparse = stacks.sparse_keys(grid, stack.members)
    if sparse:
        yield _other_kind(series, grid.names, [frame for frame, key in zip(frames, grid.key_of, strict=True) if key in sparse])
    empty = [cell for cell in stacks.empty_cells(grid, stack.members) if cell[0] not in sparse]
    if not empty:
        return
    last = [cell for cell in empty if cell[0] == grid.keys[-1]]
    lost = [cell for cell in empty if cell[0] != grid.keys[-1]]
    # an unfinished volume beside lost images: only where more than one image of it is missing, else it may be as lost as they are
    stopped = bool(last) and (not lost or len(last) > 1) and stacks.unfinished(frames, stack.members, grid, last)
    if stopped:
        yield _stopped(series, stack, grid, last, complete=_complete(grid, empty))
    if lost or not stopped:
        yield _lost(series, stack, grid, lost if stopped else empty, complete=_complete(grid, empty))


def _complete(grid: stacks.Grid, empty: list[tuple[stacks.Key, int]]) -> int:
    return len(set(grid.keys) - {key for key, _ in empty})


def _one_object(frames: Sequence[Frame], stack: geometry.Stack, grid: stacks.Grid, cell: tuple[Any, int]) -> bool:
    """Images that share one UID are told by the file check (`file.uid_collision`)."""
    key, location = cell
    return len({(frames[index].instance.uid, frames[index].index) for index in stack.members[location] if grid.key_of[index] == key}) == 1


def _described(stack: geometry.Stack, grid: stacks.Grid, empty: list[tuple[stacks.Key, int]], complete: int) -> dict[str, Any]:
    where = [
        {"key": [str(part) for part in key], "volume": grid.keys.index(key) + 1, "location_mm": float(stack.locations_mm[location])}
        for key, location in empty[:MOST_NAMED]
    ]
    return {"dimension": list(grid.names), "volumes": len(grid.keys), "complete": complete, "missing": len(empty), "cells": where}


def _places(stack: geometry.Stack, empty: list[tuple[stacks.Key, int]]) -> str:
    locations = sorted({location for _, location in empty})
    return ", ".join(f"{stack.locations_mm[location]:.2f}" for location in locations[:6]) + (" ..." if len(locations) > 6 else "")


def _stopped(series: Series, stack: geometry.Stack, grid: stacks.Grid, empty: list[tuple[stacks.Key, int]], complete: int) -> Finding:
    text = (
        f"the last of {len(grid.keys)} repetitions ({' x '.join(grid.names)}) lacks {len(empty)} of {len(stack.members)} positions "
        f"(at {_places(stack, empty)} mm); {complete} are complete"
    )
    return Finding("stack.last_volume_incomplete", Status.WARN, text, series.subject(), _described(stack, grid, empty, complete))


def _lost(series: Series, stack: geometry.Stack, grid: stacks.Grid, empty: list[tuple[stacks.Key, int]], complete: int) -> Finding:
    volumes = sorted({grid.keys.index(key) + 1 for key, _ in empty})
    named = ", ".join(map(str, volumes[:6])) + (" ..." if len(volumes) > 6 else "")
    text = (
        f"{len(empty)} image{'s' if len(empty) > 1 else ''} missing in {len(volumes)} of {len(grid.keys)} repetitions "
        f"({' x '.join(grid.names)}; number {named}), at {_places(stack, empty)} mm"
    )
    return Finding("stack.incomplete", Status.FAIL, text, series.subject(), _described(stack, grid, empty, complete))


def _uneven(series: Series, stack: geometry.Stack) -> Iterator[Result]:
    """Nothing tells repetitions apart, but some positions have fewer of them than most."""
    depth = [len(members) for members in stack.members]
    usual, positions = Counter(depth).most_common(1)[0]
    short = [location for location, images in enumerate(depth) if images < usual]
    if usual < 2 or not short or 2 * positions <= len(depth):
        return
    missing = sum(usual - depth[location] for location in short)
    at = ", ".join(f"{stack.locations_mm[location]:.2f}" for location in short[:6]) + (" ..." if len(short) > 6 else "")
    text = f"{missing} image{'s' if missing > 1 else ''} missing: {len(short)} of {len(depth)} positions (at {at} mm) have fewer than {usual} images"
    where = [
        {"location_mm": float(stack.locations_mm[location]), "images": depth[location], "usual": usual} for location in short[:MOST_NAMED]
    ]
    details = {"dimension": [], "volumes": usual, "missing": missing, "cells": where}
    yield Finding("stack.incomplete", Status.FAIL, text, series.subject(), details)


def _doubled(
    series: Series, frames: Sequence[Frame], stack: geometry.Stack, grid: stacks.Grid, doubled: list[tuple[stacks.Key, int]]
) -> Iterator[Result]:
    """Images in one cell: of another kind (told apart by a key of too few images to be a volume), or the same again."""
    other: list[Frame] = []
    same: list[list[Frame]] = []
    kinds: list[str] = []
    for key, location in doubled:
        cell = [frames[index] for index in stack.members[location] if grid.key_of[index] == key]
        names = [name for keyword, name in stacks.NAMED if len({stacks.value_of(frame, keyword) for frame in cell}) == len(cell)]
        if names:
            kinds.append(names[0])
            other += cell[1:]
        else:
            same.append(cell)
    if other:
        yield _other_kind(series, sorted(set(kinds)), other)
    if same:
        yield _repeated(series, stack, same, doubled)


def _other_kind(series: Series, names: Sequence[str], other: Sequence[Frame]) -> Finding:
    plural = "s" if len(other) > 1 else ""
    text = f"{len(other)} more image{plural} of another {' or '.join(names)} at positions that are taken, too few to be a volume"
    details = {"count": len(other), "dimension": list(names), "images": [frame.label for frame in other[:MOST_NAMED]]}
    return Finding("series.mixed_content", Status.INFO, text, series.subject(), details)


def _repeated(series: Series, stack: geometry.Stack, same: list[list[Frame]], doubled: list[tuple[stacks.Key, int]]) -> Finding:
    extra = sum(len(cell) - 1 for cell in same)
    named = [frame.label for frame in same[0]]
    if len(same) == len(stack.members) > 1:
        text = (
            f"every position stands {len(same[0])} times or so with nothing to tell the images apart, for example {' and '.join(named[:3])}"
        )
    else:
        text = (
            f"{extra} image{'s' if extra > 1 else ''} too many: {' and '.join(named[:3])} lie at the same position "
            f"({np.round(stack.locations_mm[doubled[0][1]], 2):g} mm) with nothing to tell them apart"
        )
    images = [frame.label for cell in same for frame in cell][:MOST_NAMED]
    return Finding("slices.duplicate", Status.WARN, text, series.subject(), {"count": extra, "positions": len(same), "images": images})
