"""Which image of a study a fault hits, and how its stored values and its header are changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from phantoms.synthetic.encode import ENCODERS, make_uid, stored_range, stored_type

COUNTS = ("ImagesInAcquisition", "NumberOfSlices", "NumberOfTemporalPositions", "NumberOfSeriesRelatedInstances")
PRIVATE_COUNTS = ((0x0021, "GEMS_RELA_01", 0x4F), (0x2001, "Philips Imaging DD 001", 0x18))
# Modalities whose largest stored value says something: US is 8 bits by nature, and radiographs are saturated beside the patient
MEASURED = ("CT", "MR", "PT", "NM")

Anything = Sequence[Dataset | bytes]


# -- which ------------------------------------------------------------------------------------------------------------


def images_of(files: Anything, modalities: Sequence[str] = ()) -> list[int]:
    """Indices of the data sets whose pixels can be edited: whole bytes, and it is said how they are stored."""
    return [index for index, file in enumerate(files) if isinstance(file, Dataset) and _is_image(file, modalities)]


def _is_image(dataset: Dataset, modalities: Sequence[str] = ()) -> bool:
    if modalities and dataset.get("Modality") not in modalities:
        return False
    meta = getattr(dataset, "file_meta", None)
    return "PixelData" in dataset and dataset.get("BitsAllocated") in (8, 16) and meta is not None and "TransferSyntaxUID" in meta


def series_of(files: Anything) -> list[list[int]]:
    """Indices of the data sets, a list a series."""
    series: dict[str, list[int]] = defaultdict(list)
    for index, file in enumerate(files):
        if isinstance(file, Dataset):
            series[str(file.get("SeriesInstanceUID"))].append(index)
    return list(series.values())


def depth(dataset: Dataset) -> float:
    """Place of an image along the normal of its plane, in mm."""
    row, column = np.asarray(dataset.ImageOrientationPatient, dtype=float).reshape(2, 3)
    return float(np.cross(row, column) @ position(dataset))


def position(dataset: Dataset) -> NDArray[np.float64]:
    """ImagePositionPatient, (x, y, z) in mm."""
    return np.asarray(dataset.ImagePositionPatient, dtype=float)


def _parallel(files: Anything) -> list[list[int]]:
    """Series of single-frame images of one orientation, every one with a place, in order of position."""
    found = []
    for members in series_of(files):
        images = [files[index] for index in members]
        if any(not one.get("ImagePositionPatient") or not one.get("ImageOrientationPatient") or not _is_image(one) for one in images):
            continue
        orientations = np.array([one.ImageOrientationPatient for one in images], dtype=float)
        if np.ptp(orientations, axis=0).max() < 1e-3:
            found.append(sorted(members, key=lambda index: depth(files[index])))
    return found


def stack_of(files: Anything) -> list[int]:
    """Indices of the largest regular stack in order of position; empty if there is none of five slices or more.

    Regular: single-frame images of one series, one orientation, every position once, equal steps.
    """
    best: list[int] = []
    for ordered in _parallel(files):
        if len(ordered) < 5 or len(ordered) <= len(best):
            continue
        steps = np.diff([depth(files[index]) for index in ordered])
        if steps.min() > 1e-3 and np.ptp(steps) < 0.05 * np.median(steps):
            best = ordered
    return best


def repetitions(files: Anything) -> list[list[int]]:
    """Give a repeated stack, one list of indices a repetition in order of InstanceNumber; empty if there is none.

    Every position must stand equally often, at least twice, and there must be three positions or more.
    """
    for ordered in _parallel(files):
        places: dict[float, list[int]] = defaultdict(list)
        for index in ordered:
            places[round(depth(files[index]), 3)].append(index)
        if len(places) < 3 or any(files[index].get("InstanceNumber") is None for index in ordered):
            continue
        columns = [sorted(members, key=lambda index: int(files[index].InstanceNumber)) for members in places.values()]
        if len({len(column) for column in columns}) == 1 and len(columns[0]) > 1:
            return [sorted(row, key=lambda index: int(files[index].InstanceNumber)) for row in zip(*columns, strict=True)]
    return []


def has_stack(files: Anything) -> bool:
    """Tell whether there is a stack to break."""
    return bool(stack_of(files))


def has_image(files: Anything) -> bool:
    """Tell whether there is any picture."""
    return bool(images_of(files))


def has_measured_image(files: Anything) -> bool:
    """Tell whether there is a picture of CT, MR, PET or nuclear medicine."""
    return bool(images_of(files, MEASURED))


def has_series(files: Anything, count: int = 2) -> bool:
    """Tell whether there are so many series."""
    return len(series_of(files)) >= count


def has_compressible(files: Anything) -> bool:
    """Tell whether there is a picture that is compressed or can be."""
    return any(_compressible(files[index]) for index in images_of(files))


def compressible(files: Anything) -> list[int]:
    """Indices of the images that are compressed or can be."""
    return [index for index in images_of(files) if _compressible(files[index])]


def _compressible(dataset: Dataset) -> bool:
    syntax = dataset.file_meta.TransferSyntaxUID
    return syntax.is_encapsulated or syntax in (ImplicitVRLittleEndian, ExplicitVRLittleEndian)


def pick(indices: Sequence[int], rng: Generator) -> int:
    """Choose one of the indices."""
    return indices[int(rng.integers(len(indices)))]


def pick_image(files: Anything, rng: Generator, modalities: Sequence[str] = ()) -> int:
    """Choose an image, of a regular stack where there is one."""
    allowed = images_of(files, modalities)
    return pick([index for index in stack_of(files) if index in allowed] or allowed, rng)


def part_of(files: Anything) -> list[int]:
    """Indices of the last series; of a study with one series those of its second half."""
    series = series_of(files)
    return series[-1] if len(series) > 1 else series[0][len(series[0]) // 2 :]


# -- how --------------------------------------------------------------------------------------------------------------


def compress(dataset: Dataset) -> None:
    """Compress the pixels (RLE) unless they are compressed already."""
    if not dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        dataset.compress(RLELossless, encoding_plugin=ENCODERS["rle"], generate_instance_uid=False)
        dataset["PixelData"].VR = "OB"


def edit_pixels(dataset: Dataset, edit: Callable[[NDArray[np.generic]], NDArray[np.generic]]) -> None:
    """Replace the stored values; `edit` gets them as (frames, values of a frame). Compressed pixels are decompressed."""
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax.is_encapsulated:
        dataset.decompress(generate_instance_uid=False)
        syntax = dataset.file_meta.TransferSyntaxUID
    kind = stored_type(dataset.BitsAllocated, bool(dataset.PixelRepresentation)).newbyteorder("<" if syntax.is_little_endian else ">")
    frames = int(dataset.get("NumberOfFrames") or 1)
    size = frames * dataset.Rows * dataset.Columns * dataset.SamplesPerPixel
    stored = np.frombuffer(dataset.PixelData, dtype=kind, count=size).reshape(frames, -1)
    data = edit(stored.astype(kind.newbyteorder("="))).astype(kind).tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)


def limits(dataset: Dataset) -> tuple[int, int]:
    """Smallest and largest stored value that the bits hold."""
    return stored_range(dataset.BitsStored, bool(dataset.PixelRepresentation))


def renew_uid(dataset: Dataset, *parts: object) -> None:
    """Give another SOPInstanceUID, made from the old one and `parts`, in both places where it stands."""
    dataset.SOPInstanceUID = make_uid(dataset.SOPInstanceUID, *parts)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID


def drop(dataset: Dataset, *keywords: str) -> None:
    """Take elements away where they stand."""
    for keyword in keywords:
        if keyword in dataset:
            del dataset[keyword]


def drop_counts(dataset: Dataset) -> None:
    """Take away everything that says how many images there are."""
    drop(dataset, *COUNTS)
    for group, creator, element in PRIVATE_COUNTS:
        if creator in dataset.private_creators(group):
            tag = dataset.private_block(group, creator).get_tag(element)
            if tag in dataset:  # not through the block: of a copied data set it may hold on to the original
                del dataset[tag]


def set_text(dataset: Dataset, keyword: str, text: str) -> None:
    """Set a value to a text as it stands, legal or not."""
    tag, value = Tag(tag_for_keyword(keyword) or 0), text.encode("latin-1")
    vr = dictionary_VR(tag)
    value += (b"\0" if vr == "UI" else b" ") * (len(value) % 2)
    dataset[tag] = RawDataElement(tag, vr, len(value), value, 0, False, True)
