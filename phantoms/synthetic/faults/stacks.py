"""Faults of repeated stacks, of objects with many frames, mosaics and PET, and of what counts say about them."""

from __future__ import annotations

import copy
from collections import Counter, defaultdict

import numpy as np
from numpy.random import Generator
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from phantoms.synthetic.encode import make_uid
from phantoms.synthetic.faults.registry import Files, fault
from phantoms.synthetic.targets import (
    Anything,
    compressible,
    depth,
    drop,
    drop_counts,
    has_series,
    images_of,
    part_of,
    pick,
    position,
    renew_uid,
    repetitions,
    stack_of,
)

MOSAIC = (0x0019, "SIEMENS MR HEADER", 0x0A)
LOCATION = ("miss slice", "lost slice", "miss position", "lost position", "miss location", "lost location", "gap")


def _without(files: Files, *lost: int) -> Files:
    return [file for index, file in enumerate(files) if index not in lost]


# -- repeated stacks --------------------------------------------------------------------------------------------------


def _has_inner_location(files: Anything) -> bool:
    volumes = repetitions(files)
    return bool(volumes) and len(volumes[0]) >= 4


@fault("slices.missing", "fail", _has_inner_location, words=LOCATION, also=("series.incomplete",))
def lost_location(files: Files, rng: Generator) -> Files:
    """One position inside the stack did not arrive in any repetition: each volume lacks the same slice."""
    volumes = repetitions(files)
    places = sorted({round(depth(files[index]), 3) for index in volumes[0]})
    lost = places[int(rng.integers(1, len(places) - 1))]
    return _without(files, *[index for volume in volumes for index in volume if round(depth(files[index]), 3) == lost])


def _time_points(files: Anything) -> list[list[int]]:
    """Repetitions that are time points, each with its own identifier."""
    volumes = repetitions(files)
    named = [{files[index].get("TemporalPositionIdentifier") for index in volume} for volume in volumes]
    return volumes if all(len(one) == 1 and None not in one for one in named) and len(volumes) > 2 else []


@fault(
    "series.incomplete",
    "warn",
    lambda files: bool(_time_points(files)),
    words=("miss time point", "fewer time point", "too few", "fewer volume", "incomplete"),
)
def lost_time_points(files: Files, rng: Generator) -> Files:
    """The last time points did not arrive; those that did are complete, but NumberOfTemporalPositions says how many there were."""
    volumes = _time_points(files)
    kept = int(rng.integers(1, len(volumes) - 1))
    for volume in volumes:
        for index in volume:
            files[index].NumberOfTemporalPositions = len(volumes)
    return _without(files, *[index for volume in volumes[kept:] for index in volume])


@fault(
    "study.incomplete",
    "warn",
    has_series,
    words=("miss series", "lost series", "series lost", "fewer series"),
)
def lost_series_counted(files: Files, rng: Generator) -> Files:
    """A whole series did not arrive; the archive that sent the rest wrote into it how many series the study has."""
    lost = part_of(files)
    for file in files:
        if isinstance(file, Dataset):
            file.NumberOfStudyRelatedSeries = len({other.get("SeriesInstanceUID") for other in files if isinstance(other, Dataset)})
    return _without(files, *lost)


# -- objects of many frames -------------------------------------------------------------------------------------------


def _enhanced(files: Anything, repeated: bool | None = None) -> list[int]:
    """Enhanced objects of four positions or more; repeated in time or not."""
    found = []
    for index in images_of(files):
        groups = files[index].get("PerFrameFunctionalGroupsSequence")
        if not groups or not all("PlanePositionSequence" in one and "FrameContentSequence" in one for one in groups):
            continue
        at = Counter(_in_stack(one) for one in groups)
        if len(at) >= 4 and index in compressible(files) and repeated in (None, len(at) < len(groups)):
            found.append(index)
    return found


def _in_stack(groups: Dataset) -> int:
    return int(groups.FrameContentSequence[0].get("InStackPositionNumber") or 0)


def _keep_frames(dataset: Dataset, kept: list[int]) -> None:
    """Keep these frames, with their functional groups and pixels."""
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        dataset.decompress(generate_instance_uid=False)
    size = dataset.Rows * dataset.Columns * dataset.SamplesPerPixel * dataset.BitsAllocated // 8
    data = dataset.PixelData
    dataset.PerFrameFunctionalGroupsSequence = Items([dataset.PerFrameFunctionalGroupsSequence[at] for at in kept])
    dataset.NumberOfFrames = len(kept)
    whole = b"".join(data[at * size : (at + 1) * size] for at in kept)
    dataset.PixelData = whole + b"\0" * (len(whole) % 2)


@fault(
    "stack.incomplete",
    "fail",
    lambda files: bool(_enhanced(files, repeated=True)),
    words=("miss frame", "lost frame", "stack incomplete", "miss image", "lost image"),
    also=("series.incomplete",),
)
def lost_frame(files: Files, rng: Generator) -> Files:
    """One frame of a repeated enhanced object is missing, its description too: the object itself looks whole."""
    dataset = files[pick(_enhanced(files, repeated=True), rng)]
    groups = dataset.PerFrameFunctionalGroupsSequence
    last = max(int(one.FrameContentSequence[0].get("TemporalPositionIndex") or 1) for one in groups)
    earlier = [at for at, one in enumerate(groups) if int(one.FrameContentSequence[0].get("TemporalPositionIndex") or 1) < last]
    lost = pick(earlier or list(range(len(groups) - 1)), rng)
    _keep_frames(dataset, [at for at in range(len(groups)) if at != lost])
    return files


@fault("slices.missing", "fail", lambda files: bool(_enhanced(files)), words=("miss frame", *LOCATION), also=("series.incomplete",))
def lost_frames_of_a_position(files: Files, rng: Generator) -> Files:
    """An enhanced object lacks one position inside its stack, in all repetitions."""
    dataset = files[pick(_enhanced(files), rng)]
    groups = dataset.PerFrameFunctionalGroupsSequence
    places = sorted({_in_stack(one) for one in groups})
    lost = places[int(rng.integers(1, len(places) - 1))]
    _keep_frames(dataset, [at for at, one in enumerate(groups) if _in_stack(one) != lost])
    return files


@fault(
    "header.functional_groups",
    "fail",
    lambda files: bool(_enhanced(files)),
    words=("functional group", "frame description", "per-frame", "frame not described"),
    also=("stack.last_volume_incomplete", "series.incomplete", "stack.dimension_index"),
)
def fewer_functional_groups(files: Files, rng: Generator) -> Files:
    """The last frame of an enhanced object is not described: where it lies nobody knows."""
    dataset = files[pick(_enhanced(files), rng)]
    dataset.PerFrameFunctionalGroupsSequence = Items(list(dataset.PerFrameFunctionalGroupsSequence)[:-1])
    return files


@fault(
    "stack.dimension_index",
    "warn",
    lambda files: bool(_enhanced(files)),
    words=("dimension", "frame order", "order of frame"),
)
def broken_dimension_index(files: Files, rng: Generator) -> Files:
    """Two frames of an enhanced object carry one dimension index; software that sorts by it shows one of them twice."""
    groups = files[pick(_enhanced(files), rng)].PerFrameFunctionalGroupsSequence
    one, other = rng.permutation(len(groups))[:2]
    content = groups[int(other)].FrameContentSequence[0]
    groups[int(one)].FrameContentSequence[0].DimensionIndexValues = list(content.DimensionIndexValues)
    return files


def _by_position(files: Anything) -> list[int]:
    """Enhanced objects of which the last frames are the last positions."""
    return [
        index
        for index in _enhanced(files, repeated=False)
        if [_in_stack(one) for one in files[index].PerFrameFunctionalGroupsSequence]
        == sorted(_in_stack(one) for one in files[index].PerFrameFunctionalGroupsSequence)
    ]


@fault(
    "series.incomplete",
    "warn",
    lambda files: bool(_by_position(files)),
    words=("concatenation", "part miss", "part lost", "incomplete", "too few"),
)
def lost_concatenation_part(files: Files, rng: Generator) -> Files:
    """An enhanced object was sent in two parts, and the second one did not arrive."""
    dataset = files[pick(_by_position(files), rng)]
    count = int(dataset.NumberOfFrames)
    dataset.ConcatenationUID = make_uid(dataset.SOPInstanceUID, "concatenation")
    dataset.SOPInstanceUIDOfConcatenationSource = make_uid(dataset.SOPInstanceUID, "source")
    dataset.InConcatenationNumber, dataset.InConcatenationTotalNumber, dataset.ConcatenationFrameOffsetNumber = 1, 2, 0
    _keep_frames(dataset, list(range(max(3, count - int(rng.integers(1, max(count // 2, 2)))))))
    return files


# -- mosaics ----------------------------------------------------------------------------------------------------------


def _mosaics(files: Anything) -> list[int]:
    """Mosaics of the largest series that has three or more, in order of InstanceNumber."""
    series: dict[str, list[int]] = defaultdict(list)
    for index in images_of(files, ("MR",)):
        if MOSAIC[1] in files[index].private_creators(MOSAIC[0]) and "MOSAIC" in files[index].get("ImageType", ()):
            series[str(files[index].SeriesInstanceUID)].append(index)
    best = max(series.values(), key=len, default=[])
    return sorted(best, key=lambda index: int(files[index].InstanceNumber)) if len(best) >= 3 else []


@fault("series.incomplete", "warn", lambda files: bool(_mosaics(files)), words=("mosaic", "tile", "too few", "incomplete"))
def fewer_tiles(files: Files, rng: Generator) -> Files:
    """One mosaic of a time series holds a slice less than the others."""
    dataset = files[pick(_mosaics(files), rng)]
    element = dataset[
        dataset.private_block(MOSAIC[0], MOSAIC[1]).get_tag(MOSAIC[2])
    ]  # not through the block: it may hold on to another copy
    element.value = int(element.value) - 1
    return files


@fault(
    "series.incomplete",
    "warn",
    lambda files: bool(_mosaics(files)),
    words=("mosaic", "miss volume", "lost volume", "incomplete"),
)
def lost_mosaic(files: Files, rng: Generator) -> Files:
    """One volume inside a time series of mosaics did not arrive."""
    return _without(files, pick(_mosaics(files)[1:-1], rng))


# -- PET --------------------------------------------------------------------------------------------------------------


def _pet(files: Anything) -> list[int]:
    stack = stack_of(files)
    return stack if stack and files[stack[0]].get("Modality") == "PT" else []


@fault("series.incomplete", "warn", lambda files: bool(_pet(files)), words=("incomplete", "too few", "miss slice", "miss image"))
def lost_pet_slices(files: Files, rng: Generator) -> Files:
    """The last slices of a PET scan did not arrive; NumberOfSlices says how many there were."""
    stack = _pet(files)
    for index in stack:
        files[index].NumberOfSlices = len(stack)
    return _without(files, *stack[len(stack) - int(rng.integers(1, 3)) :])


def _two_beds(files: Anything) -> list[int]:
    stack = _pet(files)
    return stack if len(stack) >= 8 else []


@fault("series.overlapping_beds", "info", lambda files: bool(_two_beds(files)), words=("bed", "overlap", "part"))
def overlapping_beds(files: Files, rng: Generator) -> Files:
    """A PET scan was made in two bed positions that overlap by two slices: these stand twice, and nothing is wrong."""
    stack = _two_beds(files)
    half = len(stack) // 2
    again = [copy.deepcopy(files[index]) for index in stack[half : half + 2]]
    for number, dataset in enumerate(again):
        renew_uid(dataset, "bed", number)
    for index in stack:
        files[index].AcquisitionNumber = 1 if index in stack[: half + 2] else 2
        drop_counts(files[index])
    for number, dataset in enumerate(again):
        dataset.AcquisitionNumber, dataset.InstanceNumber = 2, len(stack) + number + 1
        drop_counts(dataset)
        noise = np.frombuffer(dataset.PixelData, dtype="<u2").copy()
        noise[::7] ^= 1  # counted a second time: not the same pixels
        dataset.PixelData = noise.tobytes()
    return [*files, *again]


@fault("slices.missing", "fail", lambda files: bool(_two_beds(files)), words=("bed", *LOCATION), also=("series.incomplete",))
def gap_between_beds(files: Files, rng: Generator) -> Files:
    """A PET scan was made in two bed positions, and the slices between them did not arrive."""
    stack = _two_beds(files)
    half = len(stack) // 2
    for index in stack:
        files[index].AcquisitionNumber = 1 if index in stack[:half] else 2
    return _without(files, *stack[half : half + int(rng.integers(1, 3))])


# -- what does not belong to the stack ---------------------------------------------------------------------------------


def _ct_stack(files: Anything) -> list[int]:
    stack = stack_of(files)
    return stack if stack and files[stack[0]].get("Modality") == "CT" else []


@fault(
    "series.embedded_localizer",
    "warn",
    lambda files: len(stack_of(files)) >= 5,
    words=("localizer", "localiser", "scout", "topogram"),
)
def embedded_scout(files: Files, rng: Generator) -> Files:
    """The scout on which the slices were planned stands in their series."""
    stack = stack_of(files)
    first = files[stack[0]]
    scout = copy.deepcopy(first)
    renew_uid(scout, "scout")
    row, column = np.asarray(first.ImageOrientationPatient, dtype=float).reshape(2, 3)
    normal = np.cross(row, column)
    scout.ImageOrientationPatient = [round(float(value), 6) for value in (*row, *normal)]
    middle = (position(first) + position(files[stack[-1]])) / 2
    scout.ImagePositionPatient = [round(float(value), 4) for value in middle - normal * 100.0]
    scout.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    scout.InstanceNumber = max(int(files[index].InstanceNumber) for index in stack) + 1
    pixels = np.frombuffer(scout.PixelData, dtype=np.uint8).copy()
    if not scout.file_meta.TransferSyntaxUID.is_encapsulated:
        pixels[::2] ^= 1
        scout.PixelData = pixels.tobytes()
    return [*files, scout]


@fault("geometry.tilt_differs", "warn", lambda files: bool(_ct_stack(files)), words=("tilt", "gantry", "shear"))
def tilt_contradicted(files: Files, rng: Generator) -> Files:
    """GantryDetectorTilt names a tilt that the slice positions do not have."""
    stack = _ct_stack(files)
    told = float(files[stack[0]].get("GantryDetectorTilt") or 0.0)
    for index in stack:
        files[index].GantryDetectorTilt = told + 12.5
    return files


@fault(
    "series.numbers",
    "info",
    lambda files: len(stack_of(files)) >= 5 and files[stack_of(files)[0]].get("Modality") in ("CT", "MR", "PT"),
    words=("number", "start", "late", "incomplete"),
)
def late_numbers(files: Files, rng: Generator) -> Files:
    """The images are numbered from 31, and nothing counts them: the first thirty may be missing, or were never made."""
    for index in stack_of(files):
        files[index].InstanceNumber = int(files[index].InstanceNumber) + 30
        drop_counts(files[index])
    return files


@fault("series.too_few", "info", lambda files: len(stack_of(files)) >= 5, words=("two slice", "too few", "only two"))
def only_two_slices(files: Files, rng: Generator) -> Files:
    """Only two neighbouring slices are there, and nothing counts them."""
    stack = stack_of(files)
    for index in stack:
        drop_counts(files[index])
    first = int(rng.integers(len(stack) - 1))
    return _without(files, *[index for index in stack if index not in stack[first : first + 2]])


@fault("series.not_a_volume", "info", lambda files: bool(_ct_stack(files)), words=("not a volume", "one position", "same position"))
def all_at_one_position(files: Files, rng: Generator) -> Files:
    """The images of a series all lie at one position, one after the other in time, as for bolus tracking: nothing is missing."""
    stack = _ct_stack(files)
    for number, index in enumerate(stack):
        dataset = files[index]
        dataset.ImagePositionPatient = list(files[stack[0]].ImagePositionPatient)
        dataset.SliceLocation = files[stack[0]].get("SliceLocation")
        dataset.AcquisitionNumber = number + 1
        drop_counts(dataset)
    return files


@fault(
    "geometry.no_position",
    "fail",
    lambda files: len(stack_of(files)) >= 5,
    words=("no position", "miss position", "position absent"),
    also=("header.standard_blocks", "series.incomplete"),
)
def image_without_position(files: Files, rng: Generator) -> Files:
    """One end of the stack does not say where it lies."""
    stack = stack_of(files)
    drop(files[stack[0 if rng.integers(2) else -1]], "ImagePositionPatient", "SliceLocation")
    return files
