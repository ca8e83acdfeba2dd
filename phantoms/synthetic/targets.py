"""Which image of a study a fault hits, and how its stored values are changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from phantoms.synthetic.encode import make_uid, stored_range, stored_type


def images_of(files: Sequence[Dataset | bytes]) -> list[int]:
    """Indices of the data sets whose pixels can be edited: whole bytes, and it is said how they are stored."""
    return [index for index, file in enumerate(files) if isinstance(file, Dataset) and _is_image(file)]


def _is_image(dataset: Dataset) -> bool:
    meta = getattr(dataset, "file_meta", None)
    return "PixelData" in dataset and dataset.get("BitsAllocated") in (8, 16) and meta is not None and "TransferSyntaxUID" in meta


def series_of(files: Sequence[Dataset | bytes]) -> list[list[int]]:
    """Indices of the data sets, a list a series."""
    series: dict[str, list[int]] = defaultdict(list)
    for index, file in enumerate(files):
        if isinstance(file, Dataset):
            series[str(file.get("SeriesInstanceUID"))].append(index)
    return list(series.values())


def depth(dataset: Dataset) -> float:
    """Place of an image along the normal of its plane, in mm."""
    row, column = np.asarray(dataset.ImageOrientationPatient, dtype=float).reshape(2, 3)
    return float(np.cross(row, column) @ np.asarray(dataset.ImagePositionPatient, dtype=float))


def stack_of(files: Sequence[Dataset | bytes]) -> list[int]:
    """Indices of the largest regular stack in order of position; empty if there is none of five slices or more.

    Regular: single-frame images of one series, one orientation, every position once, equal steps.
    """
    best: list[int] = []
    for members in series_of(files):
        placed = [
            i for i in members if files[i].get("ImagePositionPatient") and files[i].get("ImageOrientationPatient") and _is_image(files[i])
        ]
        if len(placed) != len(members) or len(placed) < 5 or len(placed) <= len(best):
            continue
        orientations = np.array([files[i].ImageOrientationPatient for i in placed], dtype=float)
        ordered = sorted(placed, key=lambda i: depth(files[i]))
        steps = np.diff([depth(files[i]) for i in ordered])
        if np.ptp(orientations, axis=0).max() < 1e-3 and steps.min() > 1e-3 and np.ptp(steps) < 0.05 * np.median(steps):
            best = ordered
    return best


def has_stack(files: Sequence[Dataset | bytes]) -> bool:
    """Tell whether there is a stack to break."""
    return bool(stack_of(files))


def has_image(files: Sequence[Dataset | bytes]) -> bool:
    """Tell whether there is any picture."""
    return bool(images_of(files))


def pick(indices: Sequence[int], rng: Generator) -> int:
    """Choose one of the indices."""
    return indices[int(rng.integers(len(indices)))]


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
