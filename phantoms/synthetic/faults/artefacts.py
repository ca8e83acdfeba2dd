"""Artefacts of scanners and transfers in the picture: ghosts, herringbone, rings, dead lines, swapped slices, swapped bytes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from phantoms.synthetic import spoil
from phantoms.synthetic.faults.registry import Files, fault
from phantoms.synthetic.targets import Anything, edit_pixels, images_of, limits, repetitions, series_of, stack_of

Stored = NDArray[np.generic]
RADIOGRAPHS = ("DX", "CR", "MG")


def _spoil(dataset: Dataset, change: Callable[[NDArray[Any]], NDArray[Any]]) -> None:
    """Change every frame of a grey image; what comes out is rounded and kept short of the largest value that the bits hold."""
    low, high = limits(dataset)

    def edit(stored: Stored) -> Stored:
        frames = stored.reshape(len(stored), dataset.Rows, dataset.Columns)
        changed = np.stack([change(frame.astype(float)) for frame in frames])
        return np.clip(np.rint(changed), low, high - 1).reshape(len(stored), -1)

    edit_pixels(dataset, edit)


def _grey(files: Anything, modalities: Sequence[str], smallest: int = 64) -> list[int]:
    """Images of patients that are grey and large enough; phantoms, localizers and mosaics are left out."""
    return [
        index
        for index in images_of(files, modalities)
        if files[index].get("SamplesPerPixel") == 1
        and min(files[index].Rows, files[index].Columns) >= smallest
        and not {"MOSAIC", "LOCALIZER"} & set(files[index].get("ImageType", ()))
        and "ACR" not in str(files[index].get("StudyDescription", "")).upper()
    ]


def _largest(files: Anything, modalities: Sequence[str], fewest: int, smallest: int = 64) -> list[int]:
    """Members of the largest series of such images, in order of the files; empty where it has fewer images."""
    usable = set(_grey(files, modalities, smallest))
    best = max(([i for i in members if i in usable] for members in series_of(files)), key=len, default=[])
    frames = sum(int(files[index].get("NumberOfFrames") or 1) for index in best)
    return best if frames >= fewest else []


def _level(stored: NDArray[Any]) -> float:
    return max(float(np.percentile(stored, 98)) - float(np.percentile(stored, 1)), 10.0)


def _zero(dataset: Dataset) -> float:
    """Stored value of no signal."""
    return -float(dataset.get("RescaleIntercept") or 0.0) / float(dataset.get("RescaleSlope") or 1.0)


# -- MR ---------------------------------------------------------------------------------------------------------------


def _phased(files: Anything) -> list[int]:
    return [index for index in _largest(files, ("MR",), 4) if files[index].get("InPlanePhaseEncodingDirection") and _one_pass(files, index)]


def _one_pass(files: Anything, index: int) -> bool:
    """Not an enhanced or repeated object: the direction stands in its header."""
    return int(files[index].get("NumberOfFrames") or 1) == 1


@fault("mr.ghosts", "warn", lambda files: bool(_phased(files)), words=("ghost", "motion", "smear"))
def ghosted(files: Files, rng: Generator) -> Files:
    """The patient moved: every image of an MR series has a ghost of a sixth of the signal along the phase-encoding direction."""
    shift = float(rng.uniform(0.4, 0.6))
    for index in _phased(files):
        dataset = files[index]
        axis = 1 if str(dataset.InPlanePhaseEncodingDirection).startswith("ROW") else 0
        _spoil(dataset, lambda image, axis=axis: spoil.motion_ghost(image, 0.16, axis, (shift,)))
    return files


@fault(
    "pixels.herringbone",
    "warn",
    lambda files: bool(_grey(files, ("MR",))),
    words=("herringbone", "corduroy", "diagonal"),
)
def herringbone(files: Files, rng: Generator) -> Files:
    """A spark in the scan room: one image is overlaid with a wave at an angle."""
    pool = _grey(files, ("MR",))
    dataset = files[pool[int(rng.integers(len(pool)))]]
    cycles = (float(rng.uniform(0.12, 0.35)), float(rng.uniform(0.12, 0.35)))
    _spoil(dataset, lambda image: spoil.herringbone(image, 0.08 * _level(image), cycles))
    return files


@fault(
    "stack.spikes",
    "warn",
    lambda files: len(repetitions(files)) >= 8,
    words=("spike", "volume", "leap", "jump", "one image brighter", "outlier"),
)
def spiked_volume(files: Files, rng: Generator) -> Files:
    """One image of a repeated MR series is a quarter brighter than the same slice before and after."""
    rows = repetitions(files)
    volume = rows[int(rng.integers(1, len(rows) - 1))]
    _spoil(files[volume[len(volume) // 2]], lambda image: image * 1.25)
    return files


# -- CT ---------------------------------------------------------------------------------------------------------------


@fault("ct.rings", "warn", lambda files: bool(_largest(files, ("CT",), 4, 200)), words=("ring", "circle", "detector channel"))
def ringed(files: Files, rng: Generator) -> Files:
    """A detector channel of the CT gives wrong values: a ring of 12 HU about the middle of every image of a series."""
    radius = float(rng.uniform(0.08, 0.12))
    for index in _largest(files, ("CT",), 4, 200):
        dataset = files[index]
        height = 12.0 / float(dataset.get("RescaleSlope") or 1.0)
        middle = ((dataset.Rows - 1) / 2, (dataset.Columns - 1) / 2)
        _spoil(dataset, lambda image, d=dataset, h=height, m=middle: spoil.ring(image, h, round(radius * d.Columns), m))
    return files


# -- order of slices --------------------------------------------------------------------------------------------------


def _long_stack(files: Anything) -> list[int]:
    stack = stack_of(files)
    usable = set(_grey(files, ("CT", "MR"), 64))
    return stack if len(stack) >= 10 and usable >= set(stack) else []


def _has_long_stack(files: Anything) -> bool:
    return bool(_long_stack(files))


def _give_pixels(target: Dataset, source: Dataset) -> None:
    target.PixelData = source.PixelData
    target.file_meta.TransferSyntaxUID = source.file_meta.TransferSyntaxUID
    for keyword in ("RescaleSlope", "RescaleIntercept"):
        if keyword in source:
            target[keyword] = copy.deepcopy(source[keyword])


@fault("slices.misordered", "warn", _has_long_stack, words=("order", "swapped slice", "exchanged", "wrong place", "misorder"))
def swapped_slices(files: Files, rng: Generator) -> Files:
    """Two slices of a stack stand at each other's place: their pixels were exchanged."""
    stack = _long_stack(files)
    one, other = stack[len(stack) // 5], stack[len(stack) // 2]
    kept = copy.deepcopy(files[one])
    _give_pixels(files[one], files[other])
    _give_pixels(files[other], kept)
    return files


@fault("slices.jump", "warn", _has_long_stack, words=("jump", "does not fit", "foreign", "unlike", "wrong slice", "other place"))
def foreign_slice(files: Files, rng: Generator) -> Files:
    """One slice of a stack shows something else: it is upside down and displaced."""
    stack = _long_stack(files)
    target = files[stack[int(rng.integers(3, len(stack) - 3))]]
    _spoil(target, lambda image: np.roll(image[::-1, ::-1], image.shape[1] // 5, axis=1))
    return files


@fault("slices.near_duplicate", "warn", _has_long_stack, words=("near", "duplicate", "copy", "again", "same image", "almost"))
def near_copy(files: Files, rng: Generator) -> Files:
    """One slice is that of another place again, changed a little as lossy compression does."""
    stack = _long_stack(files)
    source, target = stack[len(stack) // 2], stack[len(stack) // 2 + 1]
    _give_pixels(files[target], files[source])
    _spoil(files[target], lambda image: image + rng.choice([-1, 0, 0, 0, 0, 0, 0, 0, 1], image.shape) * 0.5)
    return files


# -- storage ----------------------------------------------------------------------------------------------------------


@fault(
    "pixels.byte_order",
    "warn",
    lambda files: bool(_wide(files)),
    words=("byte", "endian", "swapped", "snow", "garbled"),
    also=("pixels.clipped", "pixels.high_bits", "pixels.rescale", "slices.jump", "pixels.stripes", "mr.ghosts", "pixels.inverted"),
)
def swapped_bytes(files: Files, rng: Generator) -> Files:
    """The two bytes of every pixel of a series stand in the wrong order."""
    for index in _wide(files):
        data = np.frombuffer(files[index].PixelData, "<u2").byteswap()
        files[index].PixelData = data.tobytes()
    return files


def _wide(files: Anything) -> list[int]:
    """Members of the largest uncompressed 16-bit series of all bits."""
    usable = {
        i
        for i in _grey(files, ("CT", "MR", "DX", "CR", "MG", "PT", "NM"))
        if files[i].BitsAllocated == 16 and not files[i].file_meta.TransferSyntaxUID.is_encapsulated
    }
    return max(([i for i in members if i in usable] for members in series_of(files)), key=len, default=[])


@fault(
    "pixels.few_levels",
    "warn",
    lambda files: bool(_grey(files, ("CT", "MR", "DX", "CR", "MG"))),
    words=("level", "bits", "depth", "posterised", "steps"),
)
def few_levels(files: Files, rng: Generator) -> Files:
    """A series was stored with about thirty levels of grey: the rest of the bits was lost on the way."""
    pool = _grey(files, ("CT", "MR", "DX", "CR", "MG"))
    first = files[pool[0]]
    members = [i for i in pool if files[i].SeriesInstanceUID == first.SeriesInstanceUID]
    for index in members:
        dataset = files[index]
        step = max(1.0, (float(limits(dataset)[1])) / 30)
        zero = _zero(dataset)
        _spoil(dataset, lambda image, step=step, zero=zero: zero + np.rint((image - zero) / step) * step)
    return files


# -- radiographs and ultrasound ---------------------------------------------------------------------------------------


@fault(
    "radiograph.lines", "warn", lambda files: bool(_grey(files, RADIOGRAPHS)), words=("dead", "line", "row", "column", "detector", "stripe")
)
def dead_column(files: Files, rng: Generator) -> Files:
    """A column of the detector of a radiograph is not corrected: it is darker by a fortieth of the range over the whole height."""
    pool = _grey(files, RADIOGRAPHS)
    dataset = files[pool[int(rng.integers(len(pool)))]]
    place = int(rng.integers(dataset.Columns // 4, 3 * dataset.Columns // 4))
    _spoil(dataset, lambda image: spoil.dead_line(image, place, 1, -0.06 * _level(image) * 2))
    return files


@fault("dx.deviation_index", "warn", lambda files: bool(_indexed(files)), words=("deviation index", "exposure index", "di", "ei"))
def wrong_deviation_index(files: Files, rng: Generator) -> Files:
    """The deviation index of a radiograph does not follow from its exposure indices: it says 4 more."""
    for index in _indexed(files):
        dataset = files[index]
        right = 10 * np.log10(float(dataset.ExposureIndex) / float(dataset.TargetExposureIndex))
        dataset.DeviationIndex = f"{right + 4:.1f}"
    return files


def _indexed(files: Anything) -> list[int]:
    return [
        i
        for i in images_of(files, RADIOGRAPHS)
        if float(files[i].get("ExposureIndex") or 0) > 0 and float(files[i].get("TargetExposureIndex") or 0) > 0
    ]


@fault("mr.wrapped", "warn", lambda files: bool(_heads(files)), words=("wrap", "fold", "aliasing", "field of view"), also=("mr.ghosts",))
def wrapped(files: Files, rng: Generator) -> Files:
    """The field of view was too small: a fifth of every image of a head is folded over along the phase-encoding direction."""
    for index in _heads(files):
        dataset = files[index]
        axis = 1 if str(dataset.InPlanePhaseEncodingDirection).startswith("ROW") else 0
        size = dataset.Columns if axis else dataset.Rows
        _spoil(dataset, lambda image, axis=axis, size=size: _folded(image, axis, size // 2))
    return files


def _folded(image: NDArray[Any], axis: int, keep: int) -> NDArray[Any]:
    """What a field of view of `keep` pixels shows, enlarged to the old matrix: parts outside come in from the other side."""
    size = image.shape[axis]
    turned = image if axis == 0 else image.T
    small = np.zeros((keep, turned.shape[1]))
    for start in range(0, size, 1):
        small[(start - (size - keep) // 2) % keep] = np.hypot(small[(start - (size - keep) // 2) % keep], turned[start])
    grown = small[np.minimum(np.arange(size) * keep // size, keep - 1)]
    return grown if axis == 0 else grown.T


def _heads(files: Anything) -> list[int]:
    return [
        i
        for i in _phased(files)
        if str(files[i].get("BodyPartExamined", "")).upper().startswith(("HEAD", "BRAIN")) and _transverse(files[i])
    ]


def _transverse(dataset: Dataset) -> bool:
    row, column = np.asarray(dataset.get("ImageOrientationPatient", [0] * 6), dtype=float).reshape(2, 3)
    return bool(abs(np.cross(row, column)[2]) > 0.9)


@fault("us.frozen", "warn", lambda files: bool(_clips(files)), words=("frozen", "still", "same frame", "does not move"))
def frozen_clip(files: Files, rng: Generator) -> Files:
    """An ultrasound clip stands still: every frame is the first."""
    for index in _clips(files):
        edit_pixels(files[index], lambda stored: np.repeat(stored[:1], len(stored), axis=0))
    return files


def _clips(files: Anything) -> list[int]:
    return [i for i in images_of(files, ("US",)) if int(files[i].get("NumberOfFrames") or 1) >= 6]


@fault("nm.counts_differ", "warn", lambda files: bool(_counted(files)), words=("count", "overflow", "scaled", "sum"))
def counts_lost(files: Files, rng: Generator) -> Files:
    """The pixels of a nuclear medicine image hold half the counts that the header names."""
    pool = _counted(files)
    edit_pixels(files[pool[int(rng.integers(len(pool)))]], lambda stored: stored // 2)
    return files


def _counted(files: Anything) -> list[int]:
    return [
        i
        for i in images_of(files, ("NM",))
        if int(files[i].get("CountsAccumulated") or 0) > 0 and "TOMO" not in files[i].get("ImageType", ())
    ]


def _injections(files: Anything) -> list[int]:
    return [i for i in images_of(files, ("PT",)) if files[i].get("RadiopharmaceuticalInformationSequence")]


@fault("pet.not_quantitative", "warn", lambda files: bool(_injections(files)), words=("dose", "suv", "activity", "mbq", "injected"))
def dose_in_mbq(files: Files, rng: Generator) -> Files:
    """The injected activity of a PET series was written in MBq where the standard wants Bq."""
    for index in _injections(files):
        item = files[index].RadiopharmaceuticalInformationSequence[0]
        item.RadionuclideTotalDose = float(item.RadionuclideTotalDose) / 1e6
    return files


@fault(
    "mg.orientation",
    "warn",
    lambda files: bool(_breasts(files)),
    words=("mirror", "flip", "side", "laterality", "orientation", "chest wall"),
)
def mirrored_breast(files: Files, rng: Generator) -> Files:
    """A mammogram is mirrored: the chest wall lies on the other side than PatientOrientation says."""
    pool = _breasts(files)
    _spoil(files[pool[int(rng.integers(len(pool)))]], lambda image: image[:, ::-1])
    return files


def _breasts(files: Anything) -> list[int]:
    """Mammograms for presentation, if the header says how they lie."""
    return [i for i in images_of(files, ("MG",)) if str((list(files[i].get("PatientOrientation") or []) or [""])[0])[:1] in ("A", "P")]
