"""A scan of a phantom as it comes when somebody was in a hurry: cut short, moved, turned, in another order, with air around it.

Each function takes the images of one CT series (classic, one file a slice) and gives copies; what was right before is known still.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

AIR_HU = -1000.0


def in_order(images: Sequence[Dataset]) -> list[Dataset]:
    """Return the images by their place along the normal."""
    return sorted(images, key=along)


def along(image: Dataset) -> float:
    """Return the place of a slice along its normal, mm."""
    turn = np.array(image.ImageOrientationPatient, float)
    return float(np.cross(turn[:3], turn[3:]) @ np.array(image.ImagePositionPatient, float))


def without_first(images: Sequence[Dataset], count: int) -> list[Dataset]:
    """Leave out slices at the low end."""
    return in_order(images)[count:]


def without_last(images: Sequence[Dataset], count: int) -> list[Dataset]:
    """Leave out slices at the high end."""
    return in_order(images)[: len(images) - count]


def every_second(images: Sequence[Dataset], start: int = 0) -> list[Dataset]:
    """Keep every second slice."""
    return in_order(images)[start::2]


def reversed_order(images: Sequence[Dataset]) -> list[Dataset]:
    """Turn files and InstanceNumber round; the slices stay where they are."""
    made = [copy.deepcopy(image) for image in in_order(images)[::-1]]
    for number, image in enumerate(made, start=1):
        image.InstanceNumber = number
    return made


def moved(images: Sequence[Dataset], right_mm: float = 0.0, down_mm: float = 0.0, along_mm: float = 0.0) -> list[Dataset]:
    """Move the phantom within the image by whole pixels (air comes in from the other side), and the slices along z."""

    def change(values: np.ndarray, image: Dataset) -> np.ndarray:
        dy, dx = (float(one) for one in image.PixelSpacing)
        rows, columns = round(down_mm / dy), round(right_mm / dx)
        out = np.full_like(values, AIR_HU)
        source = values[max(-rows, 0) : values.shape[0] - max(rows, 0), max(-columns, 0) : values.shape[1] - max(columns, 0)]
        out[max(rows, 0) : max(rows, 0) + source.shape[0], max(columns, 0) : max(columns, 0) + source.shape[1]] = source
        return out

    made = _changed(images, change) if right_mm or down_mm else [copy.deepcopy(image) for image in images]
    for image in made:
        x, y, z = (float(one) for one in image.ImagePositionPatient)
        image.ImagePositionPatient = [x, y, z + along_mm]
    return made


def turned(images: Sequence[Dataset], degrees: float) -> list[Dataset]:
    """Turn the phantom about the middle of the image, clockwise on the screen (cubic interpolation, which takes some noise away)."""
    from scipy import ndimage

    return _changed(images, lambda values, _: ndimage.rotate(values, -degrees, reshape=False, order=3, mode="nearest"))


def with_air(images: Sequence[Dataset], count: int, noise_hu: float = 5.0, seed: int = 0) -> list[Dataset]:
    """Add slices of air at both ends, at the spacing of the series."""
    rng = np.random.default_rng(seed)
    ordered = in_order(images)
    first, second, last = (
        np.array(one.ImagePositionPatient, float) for one in (ordered[0], ordered[min(1, len(ordered) - 1)], ordered[-1])
    )
    step = second - first if len(ordered) > 1 else np.array([0.0, 0.0, 5.0])
    air: list[Dataset] = []
    for number in range(1, count + 1):
        for position in (first - number * step, last + number * step):
            (made,) = _changed([ordered[0]], lambda values, _: rng.normal(AIR_HU, noise_hu, values.shape))
            made.ImagePositionPatient = [float(one) for one in position]
            made.SOPInstanceUID = generate_uid(entropy_srcs=[str(ordered[0].SOPInstanceUID), str(position)])

            made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
            air.append(made)
    return in_order([*ordered, *air])


def _changed(images: Sequence[Dataset], change: Callable[[np.ndarray, Dataset], np.ndarray]) -> list[Dataset]:
    """Copy images with other values in HU, stored with their own slope and intercept, uncompressed."""
    made = []
    for image in images:
        slope, intercept = float(image.get("RescaleSlope", 1)), float(image.get("RescaleIntercept", 0))
        stored = (change(image.pixel_array * slope + intercept, image) - intercept) / slope
        low, high = (-(2 ** (image.BitsAllocated - 1)), 2 ** (image.BitsAllocated - 1) - 1)
        low, high = (low, high) if image.PixelRepresentation else (0, 2**image.BitsStored - 1)
        out = copy.deepcopy(image)

        out.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        kind = np.int16 if image.PixelRepresentation else np.uint16
        out.PixelData = np.clip(np.round(stored), low, high).astype(kind).tobytes()
        made.append(out)
    return made
