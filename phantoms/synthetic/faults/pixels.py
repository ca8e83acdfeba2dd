"""Faults of the picture itself: blank, copied, clipped, noisy, shaded, striped, inverted, on a wrong scale."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from phantoms.synthetic.degrade import stripes as striped
from phantoms.synthetic.faults.registry import Files, fault
from phantoms.synthetic.targets import (
    MEASURED,
    Anything,
    edit_pixels,
    has_image,
    has_measured_image,
    has_stack,
    images_of,
    limits,
    pick_image,
    series_of,
    stack_of,
)

RADIOGRAPHS = ("DX", "CR", "MG", "RF", "XA")


@fault(
    "pixels.duplicate", "warn", has_stack, words=("duplicate", "same pixel", "same picture", "same image", "copy", "copied", "identical")
)
def copied_pixels(files: Files, rng: Generator) -> Files:
    """One slice shows the picture of another: same pixels at two places."""
    source, target = rng.permutation(stack_of(files))[:2]
    files[target].PixelData = files[source].PixelData
    files[target].file_meta.TransferSyntaxUID = files[source].file_meta.TransferSyntaxUID
    for keyword in ("RescaleSlope", "RescaleIntercept"):
        if keyword in files[source]:
            files[target][keyword] = copy.deepcopy(files[source][keyword])
    return files


BLANK = ("blank", "black", "empty image", "empty slice", "no signal", "shows nothing", "constant", "uniform grey", "one value")


@fault("pixels.blank", "warn", has_image, words=BLANK, also=("stack.spikes", "nm.counts_differ"))
def blank_slice(files: Files, rng: Generator) -> Files:
    """One image (or frame) is all zero."""
    return _flatten_one(files, rng, 0)


@fault("pixels.blank", "warn", has_image, words=BLANK, also=("stack.spikes", "nm.counts_differ"))
def constant_image(files: Files, rng: Generator) -> Files:
    """One image (or frame) has the same value everywhere, and it is not zero."""
    return _flatten_one(files, rng, 100)


def _flatten_one(files: Files, rng: Generator, value: int) -> Files:
    def flatten(stored: NDArray[np.generic]) -> NDArray[np.generic]:
        stored[int(rng.integers(len(stored)))] = value
        return stored

    edit_pixels(files[pick_image(files, rng)], flatten)
    return files


@fault(
    "pixels.clipped",
    "warn",
    has_measured_image,
    words=("clip", "saturat", "cut off", "overflow", "too bright", "burnt out"),
    also=("stack.spikes", "nm.counts_differ", "nm.overflow", "pet.suv"),
)
def clipped(files: Files, rng: Generator) -> Files:
    """One image was scaled too high: its brightest tenth of the object stands at the largest value the format holds."""
    dataset = files[pick_image(files, rng, MEASURED)]
    low, high = limits(dataset)

    def saturate(stored: NDArray[np.generic]) -> NDArray[np.generic]:
        dark = float(stored.min())
        values = stored.astype(float) - dark
        object_values = values[values > values.mean()]
        level = np.percentile(object_values, 90) if object_values.size else 1.0
        return np.clip(np.rint(dark + values * (high - dark) / max(level, 1.0)), low, high)

    edit_pixels(dataset, saturate)
    return files


@fault(None, None, has_image, visible=False, words=("nois", "grain"), also=("stack.spikes", "nm.counts_differ"))
def noisy(files: Files, rng: Generator) -> Files:
    """One image has much more noise than its neighbours; a limit or a baseline for noise can tell, nothing else."""
    dataset = files[pick_image(files, rng)]
    low, high = limits(dataset)

    def shake(stored: NDArray[np.generic]) -> NDArray[np.generic]:
        return _within(stored + rng.normal(0.0, 0.2 * _spread(stored), stored.shape), low, high)

    edit_pixels(dataset, shake)
    return files


def _spread(stored: NDArray[np.generic]) -> float:
    return max(float(np.percentile(stored, 99)) - float(np.percentile(stored, 1)), 10.0)


# -- shading and stripes ----------------------------------------------------------------------------------------------


def _is_acr(dataset: Dataset) -> bool:
    """An image of the ACR MRI phantom goes by its name."""
    texts = (str(dataset.get(keyword, "")) for keyword in ("StudyDescription", "SeriesDescription", "ProtocolName", "PatientName"))
    return dataset.get("Modality") == "MR" and any("ACR" in text.upper().replace("^", " ").split() for text in texts)


def _acr_stack(files: Anything) -> list[int]:
    stack = stack_of(files)
    return stack if len(stack) == 11 and _is_acr(files[stack[0]]) else []


def _heads(files: Anything) -> list[int]:
    """Transverse slices of heads; a mosaic would be shaded as one picture, which no coil does."""
    return [
        index
        for index in images_of(files, ("MR",))
        if not _is_acr(files[index])
        and str(files[index].get("BodyPartExamined", "")).upper() in ("HEAD", "BRAIN")
        and not {"MOSAIC", "LOCALIZER"} & set(files[index].get("ImageType", ()))
    ]


def _is_clinical_mr(files: Anything) -> bool:
    return sum(int(files[index].get("NumberOfFrames") or 1) for index in _heads(files)) > 3


def _shade(files: Files, hit: Sequence[int], rng: Generator) -> Files:
    """Let the sensitivity fall from one side to the other, 45 % up and down of the middle."""
    slope = 0.45 if rng.integers(2) else -0.45
    for index in hit:
        dataset = files[index]
        low, high = limits(dataset)
        zero = -_number(dataset, "RescaleIntercept", 0.0) / _number(dataset, "RescaleSlope", 1.0)  # stored value of no signal
        field = np.tile(1.0 + np.linspace(-slope, slope, dataset.Columns), dataset.Rows)
        edit_pixels(dataset, lambda stored, zero=zero, field=field, low=low, high=high: _within(zero + (stored - zero) * field, low, high))
    return files


def _within(values: NDArray[np.float64], low: int, high: int) -> NDArray[np.float64]:
    """Round to what the bits hold, short of the largest value: these images are not clipped."""
    return np.clip(np.rint(values), low, high - 1)


def _number(dataset: Dataset, keyword: str, default: float) -> float:
    value = dataset.get(keyword)
    return default if value is None else float(value)


@fault("pixels.shading", "warn", _is_clinical_mr, words=("shading", "uniform", "inhomogen", "gradient", "one side", "coil"))
def shading(files: Files, rng: Generator) -> Files:
    """A receive coil failed: the signal of a series falls from one side to the other."""
    clinical = _heads(files)
    first = max((members for members in series_of(files) if set(members) & set(clinical)), key=len)
    return _shade(files, [index for index in first if index in clinical], rng)


@fault(
    "limit.exceeded",
    "fail",
    lambda files: bool(_acr_stack(files)),
    words=("shading", "uniform", "inhomogen", "piu", "limit", "coil", "gradient"),
)
def shading_of_phantom(files: Files, rng: Generator) -> Files:
    """A receive coil failed: in the phantom the signal falls from one side to the other, and the uniformity is outside its limit."""
    return _shade(files, _acr_stack(files), rng)


@fault(
    "pixels.stripes",
    "warn",
    has_measured_image,
    words=("stripe", "line", "band", "zipper"),
    also=("stack.spikes", "nm.counts_differ"),
)
def stripes(files: Files, rng: Generator) -> Files:
    """One image is overlaid with a wave of stripes, as a spark in the scan room makes them."""
    dataset = files[pick_image(files, rng, MEASURED)]
    low, high = limits(dataset)
    axis, period = int(rng.integers(2)), float(rng.integers(4, 12))

    def overlay(stored: NDArray[np.generic]) -> NDArray[np.generic]:
        images = stored.reshape(len(stored), dataset.Rows, dataset.Columns).astype(float)
        waves = np.stack([striped(image, 0.1 * _spread(image), period, axis) for image in images])
        return _within(waves, low, high).reshape(len(stored), -1)

    edit_pixels(dataset, overlay)
    return files


# -- scale and sense --------------------------------------------------------------------------------------------------


def _offset_ct(files: Anything) -> list[int]:
    """Images of the largest CT series whose air is stored as about zero."""
    series = [
        [i for i in members if i in images_of(files, ("CT",)) and _number(files[i], "RescaleIntercept", 0.0) < -500]
        for members in series_of(files)
    ]
    return max(series, key=len, default=[])


@fault(
    "pixels.rescale",
    "warn",
    lambda files: bool(_offset_ct(files)),
    words=("rescale", "intercept", "hu", "ct number", "scale"),
)
def wrong_rescale(files: Files, rng: Generator) -> Files:
    """RescaleIntercept of a CT series is 0 in place of about -1000: all CT numbers are too high by as much."""
    for index in _offset_ct(files):
        files[index].RescaleIntercept = 0
    return files


def _radiographs(files: Anything) -> list[int]:
    return [i for i in images_of(files, RADIOGRAPHS) if str(files[i].get("PhotometricInterpretation")).startswith("MONOCHROME")]


@fault(
    "pixels.inverted",
    "warn",
    lambda files: bool(_radiographs(files)),
    words=("invert", "negative", "white black", "monochrome"),
)
def inverted(files: Files, rng: Generator) -> Files:
    """MONOCHROME1 stands for MONOCHROME2 (or the other way round) over the same pixels: the radiograph shows as its negative."""
    first = files[_radiographs(files)[int(rng.integers(len(_radiographs(files))))]]
    for index in _radiographs(files):
        if files[index].SeriesInstanceUID == first.SeriesInstanceUID:
            old = files[index].PhotometricInterpretation
            files[index].PhotometricInterpretation = "MONOCHROME1" if old == "MONOCHROME2" else "MONOCHROME2"
    return files
