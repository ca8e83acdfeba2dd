"""Are all slices there, where they should be? Missing, irregular, doubled, sheared, unordered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from qc import classify, geometry, stacks
from qc.beds import beds
from qc.check import Applies, Example, check
from qc.checks._cells import cells
from qc.checks._gaps import gaps, nominal_mm
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
    "series.mixed_orientation": "Slices of different orientation stand in one series. Viewers and converters may order them wrongly: send "
    "each orientation as its own series.",
    "series.embedded_localizer": "A scout lies in the series of the slices. Viewers and converters may take it for a slice: send it as its own series.",
    "series.overlapping_beds": "The scan was made in parts that overlap. Nothing is missing; slices of the overlap stand twice.",
    "series.mixed_content": "A few images of another kind stand in the series, not enough for a volume of their own. Nothing is missing.",
    "geometry.tilt_differs": "The header and the slice positions give two gantry tilts. Lengths and reformats may be sheared: ask the vendor which holds.",
    "series.not_a_volume": "All images lie at one position (bolus tracking, repeated scan). Nothing is missing.",
    "series.too_few": "Two slices give one distance, so a gap cannot be told. Nothing is wrong by itself.",
    "stack.incomplete": "Images of a repeated scan (time points, echoes, b-values) are missing inside the series. Send it again.",
    "stack.last_volume_incomplete": "The scan was stopped during its last repetition. The finished repetitions are complete; leave the last "
    "one out of what is computed over time, and ask the scanner if the scan was not stopped on purpose.",
    "geometry.no_position": "Slice positions are missing or unusable in the header, so order and gaps cannot be told. Ask for the series "
    "again; if it comes so from the scanner, tell the vendor.",
}

MOST_NAMED = 20  # images spelt out in the details of one finding


@dataclass(frozen=True)
class SliceParameters:
    """Parameters.

    Attributes
    ----------
    zone_slices
        Fewest slices of a zone with its own spacing.
    tilt_shown_deg
        Tilt from which a series that is no CT gets a tilt measurement.
    tilt_agreement_deg
        How far tilt of the positions and GantryDetectorTilt may differ.
    """

    zone_slices: int = 4
    tilt_shown_deg: float = 0.1
    tilt_agreement_deg: float = 0.5


@check(
    id="slices",
    version=2,
    title="Slices complete and regular",
    level="series",
    needs="headers",
    applies=Applies(
        modalities=frozenset({"CT", "MR", "PT", "NM"}), not_classes=frozenset({"not_image", "screenshot", "localizer", "mosaic", "cine"})
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
    known = set(indices.tolist())
    # where descriptions of frames are missing altogether, that has its own finding (`header.functional_groups`)
    lost = [frame for at, frame in enumerate(frames) if at not in known and not frame.instance.has("header.functional_groups")]
    if lost and not (series.modality == "NM" and len(indices) == 0):  # planar images of nuclear medicine have no position
        yield _unplaced(series, lost, len(frames))
    if len(indices) == 0:
        return
    groups = geometry.orientation_groups(orientations)
    if len(groups) > 1 and series.klass != "derived":
        members = [[frames[indices[index]] for index in group] for group in groups]
        if _scouts(groups, members, orientations):
            groups = groups[:1]
            yield _embedded(series, [frame for group in members[1:] for frame in group])
        else:
            yield _mixed(series, [len(group) for group in groups])
    for group in groups:
        members_ = [frames[indices[index]] for index in group]
        yield from _group(series, members_, positions[group], orientations[group], params, alone=len(groups) == 1)


def _unplaced(series: Series, lost: Sequence[Frame], total: int) -> Finding:
    """Say which images have no usable position; for CT, MR and PET original images that is bad data."""
    status = Status.INFO if series.klass == "derived" else Status.FAIL
    named = [frame.label for frame in lost[:MOST_NAMED]]
    text = f"{len(lost)} of {total} images have no usable ImagePositionPatient or ImageOrientationPatient"
    return Finding("geometry.no_position", status, text, series.subject(), {"count": len(lost), "images": named})


# -- orientations ---------------------------------------------------------------------------------------------------


def _scouts(groups: Sequence[Any], members: Sequence[Sequence[Frame]], orientations: geometry.Floats) -> bool:
    """A stack and a few images across it: the scout that it was planned on."""
    if all("LOCALIZER" in classify.kinds_of(frame) for group in members[1:] for frame in group):
        return True
    if not geometry.embedded(groups):
        return False
    axes = [geometry.normals(orientations[group]).mean(0) for group in groups]
    return all(abs(float(axes[0] @ axis)) < 0.1 for axis in axes[1:])


def _embedded(series: Series, scouts: Sequence[Frame]) -> Finding:
    named = [frame.label for frame in scouts[:MOST_NAMED]]
    text = f"{len(scouts)} localizer image{'s' if len(scouts) > 1 else ''} in the series of the slices: {', '.join(named[:3])}"
    return Finding("series.embedded_localizer", Status.WARN, text, series.subject(), {"count": len(scouts), "images": named})


def _mixed(series: Series, sizes: list[int]) -> Finding:
    text = f"{len(sizes)} orientations in one series, of {', '.join(map(str, sizes[:6]))}{' ...' if len(sizes) > 6 else ''} images"
    return Finding("series.mixed_orientation", Status.WARN, text, series.subject(), {"groups": sizes})


def _group(
    series: Series, frames: list[Frame], positions: geometry.Floats, orientations: geometry.Floats, params: SliceParameters, alone: bool
) -> Iterator[Result]:
    """Results for one orientation."""
    stack = geometry.analyse(positions, orientations, nominal_mm(frames))
    repeated = len(stack.locations_mm) < len(frames)
    if len(stack.locations_mm) > 2 and (stack.gaps or repeated):
        parts = beds(frames, stack.along())
        if parts is not None:
            yield from _beds(series, frames, positions, orientations, params, parts)
            return
    grid = stacks.grid(frames, stack.members)
    yield from cells(series, frames, stack, grid)
    locations = len(stack.locations_mm)
    if locations == 1:
        if len(frames) > 1:
            by = f", told apart by {' and '.join(grid.names)}" if grid.names else ""
            text = f"{len(frames)} images at one position{by}: not a volume"
            details = {"images": len(frames), "dimension": list(grid.names)}
            yield Finding("series.not_a_volume", Status.INFO, text, series.subject(), details)
        return
    if locations == 2 and alone:
        text = f"two slice positions only, {stack.spacing_mm:.3f} mm apart"
        yield Finding("series.too_few", Status.INFO, text, series.subject(), {"locations": 2})
    if not stack.aligned:
        text = f"first voxels leave the straight line through the stack by up to {stack.wander_mm:.2f} mm"
        yield Finding("slices.not_aligned", Status.WARN, text, series.subject(), {"wander_mm": stack.wander_mm})
    elif alone and locations > 2:
        yield from _tilt(series, stack, params)
    if locations > 2:
        yield from gaps(series, frames, stack, params.zone_slices)
        if alone and stack.spacing_mm is not None:
            yield SPACING.value(stack.spacing_mm, series.subject(), locations=locations)


def _tilt(series: Series, stack: geometry.Stack, params: SliceParameters) -> Iterator[Result]:
    """Tilt of the stack as a measurement, and whether the header agrees (its sign follows the vendor)."""
    told = series.first("GantryDetectorTilt")
    if series.modality == "CT" or stack.tilt_deg >= params.tilt_shown_deg:
        yield TILT.value(stack.tilt_deg, series.subject(), tag_deg=told)
    if series.modality != "CT" or not isinstance(told, (int, float)) or abs(abs(told) - stack.tilt_deg) <= params.tilt_agreement_deg:
        return
    text = f"the slices are sheared by {stack.tilt_deg:.2f} degrees, GantryDetectorTilt says {told:g} degrees"
    yield Finding("geometry.tilt_differs", Status.WARN, text, series.subject(), {"tilt_deg": stack.tilt_deg, "tag_deg": told})


def _beds(
    series: Series,
    frames: list[Frame],
    positions: geometry.Floats,
    orientations: geometry.Floats,
    params: SliceParameters,
    parts: list[list[int]],
) -> Iterator[Result]:
    """Overlapping parts: each has its own slice grid; together they must cover the range, which overlap guarantees or not."""
    text = f"{len(parts)} overlapping parts of {', '.join(str(len(part)) for part in parts)} slices"
    yield Finding("series.overlapping_beds", Status.INFO, text, series.subject(), {"parts": [len(part) for part in parts]})
    for part in parts:
        members = [frames[index] for index in part]
        stack = geometry.analyse(positions[part], orientations[part], nominal_mm(members))
        yield from gaps(series, members, stack, params.zone_slices)
