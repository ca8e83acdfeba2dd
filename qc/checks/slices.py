"""Are all slices there, where they should be? Missing, irregular, doubled, sheared, unordered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qc import geometry, stacks
from qc.check import Applies, Example, check
from qc.results import Finding, Metric, Result, Status
from qc.study import Frame, Series

TILT = Metric("geometry.tilt", "deg", "Tilt of the stack (gantry tilt) from slice positions", "none", "DICOM PS3.3 C.7.6.2.1.1")
SPACING = Metric("geometry.spacing", "mm", "Distance of neighbouring slices from their positions", "none", "DICOM PS3.3 C.7.6.2.1.1")

CODES = {
    "slices.missing": "Slices were lost between scanner and archive, or never sent. Ask the scanner or the PACS to send the series again; "
    "until then do not measure lengths or volumes across the gap.",
    "slices.irregular": "The distance between slices jumps by no whole number of slices. Tissue may be uncovered or the table moved; "
    "look at the series before it is used for measurement or planning.",
    "slices.duplicate": "The same position stands more than once with nothing to tell the images apart. Usually sent twice; keep one.",
    "slices.multi_zone": "The series was planned with different slice distances in different regions. Nothing is missing.",
    "slices.not_aligned": "The slices do not lie on a straight line: the patient or the table moved, or images of different scans were mixed.",
    "series.mixed_orientation": "Slices of different orientation stand in one series. Viewers and converters may order them wrongly.",
    "series.not_a_volume": "All images lie at one position (bolus tracking, repeated scan). Nothing is missing.",
    "series.too_few": "Two slices give one distance, so a gap cannot be told. Nothing is wrong by itself.",
    "stack.incomplete": "Images of a repeated scan (time points, echoes, b-values) are missing inside the series. Send it again.",
    "stack.last_volume_incomplete": "The scan was stopped during its last repetition. The finished repetitions are complete.",
    "geometry.no_position": "Slice positions are missing or unusable in the header, so order and gaps cannot be told.",
}

MOST_NAMED = 20  # gaps spelt out in the details of one finding


@dataclass(frozen=True)
class SliceParameters:
    """Parameters.

    Attributes
    ----------
    zone_slices
        Fewest slices of a zone with its own spacing.
    tilt_shown_deg
        Tilt from which a series that is no CT gets a tilt measurement.
    """

    zone_slices: int = 4
    tilt_shown_deg: float = 0.1


@check(
    id="slices",
    version=1,
    title="Slices complete and regular",
    level="series",
    needs="headers",
    applies=Applies(
        modalities=frozenset({"CT", "MR", "PT"}), not_classes=frozenset({"not_image", "screenshot", "localizer", "mosaic", "cine"})
    ),
    metrics=(TILT, SPACING),
    codes=CODES,
    params=SliceParameters,
    source="DICOM PS3.3 C.7.6.2.1.1; rule: projection on the mean normal, median and least-squares spacing",
    invariances=("file_order", "duplicate_input"),
    examples=(
        Example("ct_head", values={"geometry.tilt": (0.0, 0.05)}),
        Example("ct_head", fault="lost_slice", codes={"slices.missing": Status.FAIL}),
        Example("ct_head", fault="irregular_gap", codes={"slices.irregular": Status.FAIL}),
        Example("ct_head", fault="duplicate_slice", codes={"slices.duplicate": Status.WARN}),
        Example("two_zone_ct", codes={"slices.multi_zone": Status.INFO}),
        Example("mr_4d"),
        Example("enhanced_mr"),
    ),
    required=True,
)
def slices(series: Series, params: SliceParameters) -> Iterator[Result]:
    """Project the slice positions on the mean normal and look for steps that are no single spacing.

    An interior gap of two or more spacings is a fail whatever InstanceNumber says; the numbers only set
    ``details.confidence`` (``high`` where they skip as many). Shear that lies on a straight line is a tilted gantry and
    valid. Positions that repeat are a 4-D stack: the dimension is named, and the cells of the grid that have no image.
    """
    frames = series.frames
    indices, positions, orientations = geometry.placed(frames)
    unplaced = len(frames) - len(indices)
    if unplaced:
        yield from _unplaced(series, frames, indices, unplaced)
    if len(indices) == 0:
        return
    groups = geometry.orientation_groups(orientations)
    if len(groups) > 1 and series.klass != "derived":
        sizes = [len(group) for group in groups]
        text = f"{len(groups)} orientations in one series, of {', '.join(map(str, sizes[:6]))}{' ...' if len(sizes) > 6 else ''} images"
        yield Finding("series.mixed_orientation", Status.WARN, text, series.subject(), {"groups": sizes})
    for group in groups:
        members = [frames[indices[index]] for index in group]
        yield from _group(series, members, positions[group], orientations[group], params, alone=len(groups) == 1)


def _unplaced(series: Series, frames: Sequence[Frame], indices: Any, unplaced: int) -> Iterator[Result]:
    """Say which images have no usable position; for CT, MR and PET original images that is bad data."""
    status = Status.INFO if series.klass == "derived" else Status.FAIL
    named = [frame.label for index, frame in enumerate(frames) if index not in set(indices.tolist())][:MOST_NAMED]
    text = f"{unplaced} of {len(frames)} images have no usable ImagePositionPatient or ImageOrientationPatient"
    yield Finding("geometry.no_position", status, text, series.subject(), {"count": unplaced, "images": named})


def _group(
    series: Series, frames: list[Frame], positions: geometry.Floats, orientations: geometry.Floats, params: SliceParameters, alone: bool
) -> Iterator[Result]:
    """Results for one orientation."""
    stack = geometry.analyse(positions, orientations)
    grid = stacks.grid(frames, stack.members)
    yield from _cells(series, frames, stack, grid)
    locations = len(stack.locations_mm)
    if locations == 1:
        if len(frames) > 1:
            by = f", told apart by {' and '.join(grid.names)}" if grid.names else ""
            text = f"{len(frames)} images at one position{by}: not a volume"
            yield Finding(
                "series.not_a_volume", Status.INFO, text, series.subject(), {"images": len(frames), "dimension": list(grid.names)}
            )
        return
    if locations == 2 and alone:
        text = f"two slice positions only, {stack.spacing_mm:.3f} mm apart"
        yield Finding("series.too_few", Status.INFO, text, series.subject(), {"locations": 2})
    if not stack.aligned:
        text = f"first voxels leave the straight line through the stack by up to {stack.wander_mm:.2f} mm"
        yield Finding("slices.not_aligned", Status.WARN, text, series.subject(), {"wander_mm": stack.wander_mm})
    elif alone and locations > 2 and (series.modality == "CT" or stack.tilt_deg >= params.tilt_shown_deg):
        yield TILT.value(stack.tilt_deg, series.subject(), tag_deg=series.first("GantryDetectorTilt"))
    if locations > 2:
        yield from _gaps(series, frames, stack, params)
        if alone and stack.spacing_mm is not None:
            yield SPACING.value(stack.spacing_mm, series.subject(), locations=locations)


# -- gaps along the normal ------------------------------------------------------------------------------------------


def _zones(frames: Sequence[Frame], stack: geometry.Stack, params: SliceParameters) -> list[range]:
    """Split the locations where thickness, nominal spacing or acquisition change for good; one range where they do not."""

    def signature(location: int) -> tuple[Any, ...]:
        frame = frames[stack.members[location][0]]
        return tuple(frame.get(name) for name in ("SliceThickness", "SpacingBetweenSlices", "AcquisitionNumber"))

    count = len(stack.locations_mm)
    starts = [0] + [at for at in range(1, count) if signature(at) != signature(at - 1)]
    zones = [range(start, stop) for start, stop in zip(starts, [*starts[1:], count], strict=True)]
    if len(zones) < 2 or any(len(zone) < params.zone_slices for zone in zones):
        return [range(count)]
    spacings = [geometry.find_gaps(stack.locations_mm[zone.start : zone.stop])[0] or 0.0 for zone in zones]
    return zones if max(spacings) - min(spacings) > float(geometry.tolerance_mm(1.0, min(spacings))) else [range(count)]


def _gaps(series: Series, frames: Sequence[Frame], stack: geometry.Stack, params: SliceParameters) -> Iterator[Result]:
    """Missing and irregular steps, zone by zone."""
    zones = _zones(frames, stack, params)
    gaps: list[tuple[geometry.Gap, float]] = []
    spacings = []
    for zone in zones:
        spacing, inside = geometry.find_gaps(stack.locations_mm[zone.start : zone.stop])
        spacings.append(spacing or 0.0)
        gaps += [(_shifted(gap, zone.start), spacing or 0.0) for gap in inside]
    for number, zone in enumerate(zones[1:], start=1):
        gaps += _junction(stack, zone.start, max(spacings[number - 1 : number + 1]))
    if len(zones) > 1:
        text = ", then ".join(f"{len(zone)} slices {spacing:.3f} mm apart" for zone, spacing in zip(zones, spacings, strict=True))
        details = {"zones": [{"slices": len(zone), "spacing_mm": spacing} for zone, spacing in zip(zones, spacings, strict=True)]}
        yield Finding("slices.multi_zone", Status.INFO, f"slice distance changes on purpose: {text}", series.subject(), details)
    missing = [(gap, spacing) for gap, spacing in gaps if gap.missing]
    irregular = [(gap, spacing) for gap, spacing in gaps if not gap.missing]
    if missing:
        yield _missing(series, frames, stack, missing)
    if irregular:
        yield _irregular(series, frames, stack, irregular)


def _shifted(gap: geometry.Gap, by: int) -> geometry.Gap:
    return geometry.Gap(gap.lower + by, gap.upper + by, gap.step_mm, gap.steps, gap.missing)


def _junction(stack: geometry.Stack, upper: int, spacing: float) -> list[tuple[geometry.Gap, float]]:
    """The step from one zone to the next may be anything up to the larger spacing."""
    step = float(stack.locations_mm[upper] - stack.locations_mm[upper - 1])
    if step <= spacing + float(geometry.tolerance_mm(1.0, spacing)):
        return []
    count = round(step / spacing)
    whole = abs(step - count * spacing) <= float(geometry.tolerance_mm(float(count), spacing))
    return [(geometry.Gap(upper - 1, upper, step, step / spacing, count - 1 if whole else 0), spacing)]


def _neighbours(frames: Sequence[Frame], stack: geometry.Stack, gap: geometry.Gap) -> tuple[Frame, Frame]:
    """The images on either side of a gap, in order of their numbers."""
    pair = (frames[stack.members[gap.lower][0]], frames[stack.members[gap.upper][0]])
    numbers = [frame.instance.number if frame.number is None else frame.number for frame in pair]
    return (pair[1], pair[0]) if None not in numbers and numbers[0] > numbers[1] else pair  # type: ignore[operator]


def _number_step(one: Frame, other: Frame) -> int | None:
    """How far the image numbers of two neighbours are apart."""
    if one.number is not None and other.number is not None and one.instance is other.instance:
        return abs(one.number - other.number)
    first, second = one.instance.number, other.instance.number
    return None if first is None or second is None else abs(first - second)


def _missing(series: Series, frames: Sequence[Frame], stack: geometry.Stack, gaps: list[tuple[geometry.Gap, float]]) -> Finding:
    count = sum(gap.missing for gap, _ in gaps)
    described: list[dict[str, Any]] = []
    high = True
    for gap, spacing in gaps:
        lower, upper = _neighbours(frames, stack, gap)
        step = _number_step(lower, upper)
        high = high and step == gap.missing + 1
        described.append({
            "between": [lower.label, upper.label],
            "instances": [lower.instance.uid, upper.instance.uid],
            "missing": gap.missing,
            "step_mm": gap.step_mm,
            "spacing_mm": spacing,
            "location_mm": float(stack.locations_mm[gap.lower]),
        })  # fmt: skip
    places = "; ".join(
        f"{one['missing']} between {one['between'][0]} and {one['between'][1]} ({one['step_mm']:.2f} mm instead of {one['spacing_mm']:.2f} mm)"
        for one in described[:3]
    )
    more = f"; and in {len(described) - 3} more places" if len(described) > 3 else ""
    repeated = f" at each of {len(stack.members[0])} repetitions" if len(stack.members[0]) > 1 else ""
    text = f"{count} slice{'s' if count > 1 else ''} missing{repeated}: {places}{more}"
    details = {"count": count, "gaps": described[:MOST_NAMED], "places": len(described), "confidence": "high" if high else "low"}
    return Finding("slices.missing", Status.FAIL, text, series.subject(), details)


def _irregular(series: Series, frames: Sequence[Frame], stack: geometry.Stack, gaps: list[tuple[geometry.Gap, float]]) -> Finding:
    described: list[dict[str, Any]] = []
    for gap, spacing in gaps:
        lower, upper = _neighbours(frames, stack, gap)
        described.append({
            "between": [lower.label, upper.label],
            "step_mm": gap.step_mm,
            "steps": gap.steps,
            "spacing_mm": spacing,
            "uncovered_mm": max(0.0, gap.step_mm - spacing),
            "location_mm": float(stack.locations_mm[gap.lower]),
        })  # fmt: skip
    first = described[0]
    text = (
        f"{len(gaps)} irregular step{'s' if len(gaps) > 1 else ''}: between {first['between'][0]} and {first['between'][1]} "
        f"{first['step_mm']:.3f} mm, that is {first['steps']:.2f} spacings of {first['spacing_mm']:.3f} mm"
    )
    if first["uncovered_mm"] > 0:
        text += f"; {first['uncovered_mm']:.2f} mm are not covered"
    details = {"count": len(gaps), "gaps": described[:MOST_NAMED]}
    return Finding("slices.irregular", Status.FAIL, text, series.subject(), details)


# -- repeated positions ---------------------------------------------------------------------------------------------


def _cells(series: Series, frames: Sequence[Frame], stack: geometry.Stack, grid: stacks.Grid) -> Iterator[Result]:
    """Cells of the grid of positions and keys that hold no image, or more than one."""
    cells = Counter((grid.key_of[index], location) for location, members in enumerate(stack.members) for index in members)
    doubled = [(cell, count) for cell, count in cells.items() if count > 1 and not _one_object(frames, stack, grid, cell)]
    if doubled and not (len(stack.members) == 1 and series.klass.startswith("phantom:")):
        yield _doubled(series, frames, stack, grid, doubled)
    if len(grid.keys) < 2 or len(stack.members) < 2:
        return
    empty = stacks.empty_cells(grid, stack.members)
    if not empty:
        return
    last = grid.keys[-1]
    dimension = " x ".join(grid.names)
    complete = sum(all(key != one for one, _ in empty) for key in grid.keys)
    where = [
        {"key": [str(part) for part in key], "volume": grid.keys.index(key) + 1, "location_mm": float(stack.locations_mm[location])}
        for key, location in empty
    ]
    details = {
        "dimension": list(grid.names),
        "volumes": len(grid.keys),
        "complete": complete,
        "missing": len(empty),
        "cells": where[:MOST_NAMED],
    }
    at = ", ".join(f"{cell['location_mm']:.2f}" for cell in where[:6]) + (" ..." if len(where) > 6 else "")
    if all(key == last for key, _ in empty):
        text = (
            f"the last of {len(grid.keys)} repetitions ({dimension}) lacks {len(empty)} of {len(stack.members)} positions (at {at} mm); "
            f"{complete} are complete"
        )
        yield Finding("stack.last_volume_incomplete", Status.WARN, text, series.subject(), details)
    else:
        text = f"{len(empty)} images missing in {len(grid.keys) - complete} of {len(grid.keys)} repetitions ({dimension}), at {at} mm"
        yield Finding("stack.incomplete", Status.FAIL, text, series.subject(), details)


def _one_object(frames: Sequence[Frame], stack: geometry.Stack, grid: stacks.Grid, cell: tuple[Any, int]) -> bool:
    """Images that share one UID are told by the file check (`file.uid_collision`)."""
    key, location = cell
    return len({(frames[index].instance.uid, frames[index].index) for index in stack.members[location] if grid.key_of[index] == key}) == 1


def _doubled(series: Series, frames: Sequence[Frame], stack: geometry.Stack, grid: stacks.Grid, doubled: list[Any]) -> Finding:
    extra = sum(count - 1 for _, count in doubled)
    (key, location), _ = doubled[0]
    named = [frames[index].label for index in stack.members[location] if grid.key_of[index] == key]
    text = (
        f"{extra} image{'s' if extra > 1 else ''} too many: {' and '.join(named[:3])} lie at the same position "
        f"({np.round(stack.locations_mm[location], 2):g} mm) with nothing to tell them apart"
    )
    return Finding(
        "slices.duplicate", Status.WARN, text, series.subject(), {"count": extra, "positions": len(doubled), "images": named[:MOST_NAMED]}
    )
