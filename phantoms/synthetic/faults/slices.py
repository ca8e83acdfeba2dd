"""Faults of stacks: slices, repetitions and series that are lost, doubled or displaced."""

from __future__ import annotations

import copy

import numpy as np
from numpy.random import Generator
from pydicom.dataset import Dataset

from phantoms.synthetic.faults.registry import Files, fault
from phantoms.synthetic.targets import (
    Anything,
    depth,
    drop,
    drop_counts,
    has_series,
    has_stack,
    pick,
    position,
    renew_uid,
    repetitions,
    series_of,
    stack_of,
)

MISSING_SLICE = ("miss slice", "lost slice", "slice lost", "miss image", "lost image", "slice absent", "gap", "incomplete")
INCOMPLETE = ("incomplete", "too few", "miss slice", "miss image", "lost slice", "lost image", "not complete")


def _without(files: Files, *lost: int) -> Files:
    return [file for index, file in enumerate(files) if index not in lost]


@fault("slices.missing", "fail", has_stack, words=MISSING_SLICE, also=("series.incomplete",))
def lost_slice(files: Files, rng: Generator) -> Files:
    """One slice inside the stack did not arrive."""
    return _without(files, pick(stack_of(files)[1:-1], rng))


@fault(None, None, has_stack, visible=False)
def lost_slice_at_end(files: Files, rng: Generator) -> Files:
    """The last slice did not arrive and no header counts the images: the geometry cannot tell."""
    stack = stack_of(files)
    for index in stack:
        drop_counts(files[index])
    return _without(files, stack[-1])


@fault("series.incomplete", "warn", has_stack, words=INCOMPLETE)
def lost_slice_at_end_counted(files: Files, rng: Generator) -> Files:
    """The last slice did not arrive, and ImagesInAcquisition says how many there were."""
    stack = stack_of(files)
    for index in stack:
        files[index].ImagesInAcquisition = len(stack)
    return _without(files, stack[-1])


@fault("series.incomplete", "warn", has_stack, words=(*INCOMPLETE, "every second", "half slice", "half image"))
def lost_every_second(files: Files, rng: Generator) -> Files:
    """Every second slice did not arrive; the slices that did lie evenly, but ImagesInAcquisition says how many there were."""
    stack = stack_of(files)
    for index in stack:
        files[index].ImagesInAcquisition = len(stack)
    return _without(files, *stack[1::2])


@fault(None, None, has_stack, visible=False)
def lost_every_second_uncounted(files: Files, rng: Generator) -> Files:
    """Every second slice was left out, the rest was numbered anew, and neither counts nor a nominal spacing stand in the headers."""
    stack = stack_of(files)
    kept = stack[::2]
    for number, index in enumerate(kept, start=1):
        drop_counts(files[index])
        drop(files[index], "SpacingBetweenSlices")
        files[index].InstanceNumber = number
    return _without(files, *stack[1::2])


@fault(None, None, has_series, visible=False, words=("miss series", "lost series", "series lost", "incomplete"))
def lost_series(files: Files, rng: Generator) -> Files:
    """A whole series did not arrive; no header counts the series of a study, so only the source can tell."""
    series = series_of(files)
    return _without(files, *series[int(rng.integers(len(series)))])


@fault("slices.irregular", "fail", has_stack, words=("irregular", "uneven", "jump", "spacing wrong", "gap", "wrong spacing", "distance"))
def irregular_gap(files: Files, rng: Generator) -> Files:
    """The table jumped: from one slice on, all lie 0.4 slice distances further."""
    stack = stack_of(files)
    first_moved = int(rng.integers(2, len(stack) - 1))
    step = (position(files[stack[-1]]) - position(files[stack[0]])) / (len(stack) - 1)
    for index in stack[first_moved:]:
        _move(files[index], 0.4 * step)
    return files


def _move(dataset: Dataset, by_mm: np.ndarray) -> None:
    dataset.ImagePositionPatient = [round(value, 6) for value in (position(dataset) + by_mm).tolist()]
    dataset.SliceLocation = round(depth(dataset), 4)


@fault("slices.not_aligned", "warn", has_stack, words=("align", "moved", "shift", "displace", "straight", "offset"))
def moved_bed(files: Files, rng: Generator) -> Files:
    """The patient or the table moved sideways: from one slice on, all lie 12 mm beside the line of the others."""
    stack = stack_of(files)
    sideways = np.asarray(files[stack[0]].ImageOrientationPatient, dtype=float)[:3]
    for index in stack[int(rng.integers(2, len(stack) - 1)) :]:
        _move(files[index], 12.0 * sideways)
    return files


@fault("slices.duplicate", "warn", has_stack, words=("duplicate", "double", "twice", "copy", "repeated"))
def duplicate_slice(files: Files, rng: Generator) -> Files:
    """One slice stands twice: same pixels, same place, another SOPInstanceUID."""
    twice = pick(stack_of(files), rng)
    double = copy.deepcopy(files[twice])
    renew_uid(double, "duplicate")
    return [*files[: twice + 1], double, *files[twice + 1 :]]


@fault("series.mixed_orientation", "warn", has_stack, words=("orientation", "turned", "rotated", "tilt", "angle", "oblique", "direction"))
def mixed_orientation(files: Files, rng: Generator) -> Files:
    """The image at one end of the series is turned by 20 degrees against the others."""
    stack = stack_of(files)
    dataset = files[stack[0 if rng.integers(2) else -1]]
    row, column = np.asarray(dataset.ImageOrientationPatient, dtype=float).reshape(2, 3)
    angle = np.deg2rad(20.0)
    turned = np.cos(angle) * column + np.sin(angle) * np.cross(row, column)
    dataset.ImageOrientationPatient = [round(value, 6) for value in (*row.tolist(), *turned.tolist())]
    half_height = (dataset.Rows - 1) / 2 * float(dataset.PixelSpacing[0]) if "PixelSpacing" in dataset else 0.0
    _move(dataset, half_height * (column - turned))  # turned about its middle
    return files


# -- repeated stacks --------------------------------------------------------------------------------------------------


def _is_repeated(files: Anything) -> bool:
    return bool(repetitions(files))


def _is_sequential(files: Anything) -> bool:
    """Tell whether a stack was taken three times or more, one repetition after the other."""
    volumes = repetitions(files)
    if len(volumes) < 3:
        return False
    return max(int(files[index].InstanceNumber) for index in volumes[-2]) < min(int(files[index].InstanceNumber) for index in volumes[-1])


TIME_POINT = (
    "time point",
    "timepoint",
    "repetition",
    "volume",
    "stack incomplete",
    "echo",
    "miss image",
    "lost image",
    "miss slice",
    "lost slice",
)


@fault("stack.incomplete", "fail", _is_repeated, words=TIME_POINT, also=("series.incomplete",))
def lost_time_point_image(files: Files, rng: Generator) -> Files:
    """One image of one repetition (time point, echo) of a repeated stack did not arrive."""
    volumes = repetitions(files)[:-1]
    return _without(files, pick(volumes[int(rng.integers(len(volumes)))], rng))


@fault(
    "stack.last_volume_incomplete",
    "warn",
    _is_sequential,
    words=("last volume", "last time", "last repetition", "abort", "stopped", "interrupt", "unfinished", "incomplete"),
    also=("series.incomplete",),
)
def aborted_last_volume(files: Files, rng: Generator) -> Files:
    """The scan was stopped during its last repetition."""
    last = repetitions(files)[-1]
    return _without(files, *last[int(rng.integers(1, len(last))) :])
