"""Break a study on purpose, so that what must be found is known.

`inject` works on any list of data sets of one study, synthetic or real. It copies them, breaks one thing, and gives them back; a fault of
the file itself (cut off, empty, no DICOM) puts the bytes of that file in place of the data set, which `encode.write` writes as they are.

>>> broken = inject("lost_slice", study.datasets, np.random.default_rng(1))    # doctest: +SKIP
"""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from phantoms.synthetic.encode import as_bytes
from phantoms.synthetic.scanners import invent_patient
from phantoms.synthetic.targets import depth, edit_pixels, has_image, has_stack, images_of, limits, pick, renew_uid, series_of, stack_of

Files = list[Dataset | bytes]
Injector = Callable[[Files, Generator], Files]
Condition = Callable[[Sequence[Dataset | bytes]], bool]

COUNTS = ("ImagesInAcquisition", "NumberOfSlices", "NumberOfTemporalPositions", "NumberOfSeriesRelatedInstances")


@dataclass(frozen=True)
class Fault:
    """One way to break a study.

    Attributes
    ----------
    name
        Key in `FAULTS`.
    finding_code, status
        What a check must answer; both None where it answers with no finding.
    inject
        Breaks a list of data sets that it may change, and gives the list back.
    applies
        Tells whether the fault can be made in these data sets.
    visible
        False: no check of the study alone can see it.
    meaning
        One sentence.
    """

    name: str
    finding_code: str | None
    status: str | None
    inject: Injector
    applies: Condition
    visible: bool = True
    meaning: str = ""


FAULTS: dict[str, Fault] = {}


def inject(name: str, datasets: Sequence[Dataset | bytes], rng: Generator) -> Files:
    """Give a broken copy of a study.

    Parameters
    ----------
    name
        Key of `FAULTS`.
    datasets
        The study; not changed.
    rng
        Chooses which image is hit.
    """
    fault = FAULTS[name]
    if not fault.applies(datasets):
        raise ValueError(f"the fault {name} cannot be made in these data sets")
    return fault.inject([copy.deepcopy(dataset) for dataset in datasets], rng)


def fault(code: str | None, status: str | None, applies: Condition, visible: bool = True) -> Callable[[Injector], Injector]:
    """Enter a function as a fault under its own name; its first line says what the fault means."""

    def enter(function: Injector) -> Injector:
        name, meaning = function.__name__, (function.__doc__ or "").strip().splitlines()[0]
        FAULTS[name] = Fault(name, code, status, function, applies, visible, meaning)
        return function

    return enter


# -- slices -----------------------------------------------------------------------------------------------------------


@fault("slices.missing", "fail", has_stack)
def lost_slice(files: Files, rng: Generator) -> Files:
    """One slice inside the stack did not arrive."""
    lost = pick(stack_of(files)[1:-1], rng)
    return files[:lost] + files[lost + 1 :]


@fault(None, None, has_stack, visible=False)
def lost_slice_at_end(files: Files, rng: Generator) -> Files:
    """The last slice did not arrive and no header counts the images: the geometry cannot tell."""
    stack = stack_of(files)
    for index in stack:
        for keyword in COUNTS:
            if keyword in files[index]:
                del files[index][keyword]
    return files[: stack[-1]] + files[stack[-1] + 1 :]


@fault("series.incomplete", "warn", has_stack)
def lost_slice_at_end_counted(files: Files, rng: Generator) -> Files:
    """The last slice did not arrive, and ImagesInAcquisition says how many there were."""
    stack = stack_of(files)
    for index in stack:
        files[index].ImagesInAcquisition = len(stack)
    return files[: stack[-1]] + files[stack[-1] + 1 :]


@fault("slices.irregular", "fail", has_stack)
def irregular_gap(files: Files, rng: Generator) -> Files:
    """The table jumped: from one slice on, all lie 0.4 slice distances further."""
    stack = stack_of(files)
    first_moved = int(rng.integers(2, len(stack) - 1))
    step = (_position(files[stack[-1]]) - _position(files[stack[0]])) / (len(stack) - 1)
    for index in stack[first_moved:]:
        files[index].ImagePositionPatient = [round(value, 6) for value in (_position(files[index]) + 0.4 * step).tolist()]
        files[index].SliceLocation = round(depth(files[index]), 4)
    return files


def _position(dataset: Dataset) -> NDArray[np.float64]:
    return np.asarray(dataset.ImagePositionPatient, dtype=float)


@fault("slices.duplicate", "warn", has_stack)
def duplicate_slice(files: Files, rng: Generator) -> Files:
    """One slice stands twice: same pixels, same place, another SOPInstanceUID."""
    twice = pick(stack_of(files), rng)
    double = copy.deepcopy(files[twice])
    renew_uid(double, "duplicate")
    return [*files[: twice + 1], double, *files[twice + 1 :]]


# -- pixels -----------------------------------------------------------------------------------------------------------


@fault("pixels.duplicate", "warn", has_stack)
def copied_pixels(files: Files, rng: Generator) -> Files:
    """One slice shows the picture of another: same pixels at two places."""
    source, target = rng.permutation(stack_of(files))[:2]
    files[target].PixelData = files[source].PixelData
    for keyword in ("RescaleSlope", "RescaleIntercept"):
        if keyword in files[source]:
            files[target][keyword] = copy.deepcopy(files[source][keyword])
    return files


@fault("pixels.blank", "warn", has_image)
def blank_slice(files: Files, rng: Generator) -> Files:
    """One image (or frame) is all zero."""
    return _flatten_one(files, rng, 0)


@fault("pixels.blank", "warn", has_image)
def constant_image(files: Files, rng: Generator) -> Files:
    """One image (or frame) has the same value everywhere, and it is not zero."""
    return _flatten_one(files, rng, 100)


def _flatten_one(files: Files, rng: Generator, value: int) -> Files:
    dataset = files[pick(stack_of(files) or images_of(files), rng)]

    def flatten(stored: NDArray[np.generic]) -> NDArray[np.generic]:
        stored[int(rng.integers(len(stored)))] = value
        return stored

    edit_pixels(dataset, flatten)
    return files


@fault("pixels.clipped", "warn", has_image)
def clipped(files: Files, rng: Generator) -> Files:
    """One image was scaled too high: its brightest tenth of the object stands at the largest value the format holds."""
    dataset = files[pick(stack_of(files) or images_of(files), rng)]
    low, high = limits(dataset)

    def saturate(stored: NDArray[np.generic]) -> NDArray[np.generic]:
        values = stored.astype(float) - low
        object_values = values[values > values.mean()]
        level = np.percentile(object_values, 90) if object_values.size else 1.0
        return np.clip(np.rint(low + values * (high - low) / max(level, 1.0)), low, high)

    edit_pixels(dataset, saturate)
    return files


@fault(None, None, has_image, visible=False)
def noisy(files: Files, rng: Generator) -> Files:
    """One image has much more noise than its neighbours; a limit or a baseline for noise can tell, nothing else."""
    dataset = files[pick(stack_of(files) or images_of(files), rng)]
    low, high = limits(dataset)

    def shake(stored: NDArray[np.generic]) -> NDArray[np.generic]:
        spread = float(np.percentile(stored, 99)) - float(np.percentile(stored, 1))
        return np.clip(np.rint(stored + rng.normal(0.0, 0.2 * max(spread, 10.0), stored.shape)), low, high)

    edit_pixels(dataset, shake)
    return files


# -- headers and identity ---------------------------------------------------------------------------------------------


@fault("file.uid_collision", "fail", has_image)
def uid_collision(files: Files, rng: Generator) -> Files:
    """A second object with the same SOPInstanceUID and other pixels."""
    double = copy.deepcopy(files[pick(stack_of(files) or images_of(files), rng)])

    def invert(stored: NDArray[np.generic]) -> NDArray[np.generic]:
        return stored.max() - stored.astype(float) + stored.min() + (1 if np.ptp(stored) == 0 else 0)

    edit_pixels(double, invert)
    return [*files, double]


@fault("identity.two_patients", "fail", lambda files: sum(isinstance(file, Dataset) for file in files) >= 2)
def wrong_patient(files: Files, rng: Generator) -> Files:
    """One series belongs to another patient; of a study with one series its second half does."""
    series = series_of(files)
    hit = series[-1] if len(series) > 1 else series[0][len(series[0]) // 2 :]
    other = invent_patient(rng)
    for index in hit:
        dataset = files[index]
        dataset.PatientName, dataset.PatientID, dataset.PatientSex = other.name, f"{other.patient_id}X", other.sex
        dataset.PatientBirthDate = other.birth_date.strftime("%Y%m%d") if other.birth_date else ""
        for keyword in ("PatientAge", "PatientWeight"):
            if keyword in dataset:
                del dataset[keyword]
    return files


@fault("header.not_constant", "warn", lambda files: max(map(len, series_of(files)), default=0) >= 3)
def swapped_header(files: Files, rng: Generator) -> Files:
    """One image of a series has another tube voltage, field strength or station than the others."""
    dataset = files[pick(max(series_of(files), key=len), rng)]
    if "KVP" in dataset:
        dataset.KVP = 100 if dataset.KVP != 100 else 120
    elif "MagneticFieldStrength" in dataset:
        dataset.MagneticFieldStrength = 3 if float(dataset.MagneticFieldStrength) < 2 else 1.5
    else:
        dataset.StationName = "OTHERSTATION"
    return files


@fault("header.date", "warn", lambda files: any(isinstance(file, Dataset) and "StudyDate" in file for file in files))
def future_date(files: Files, rng: Generator) -> Files:
    """The clock of the scanner is a hundred years ahead."""
    for dataset in files:
        if not isinstance(dataset, Dataset):
            continue
        for element in list(dataset):
            if element.VR == "DA" and element.value and element.keyword != "PatientBirthDate":
                day = dt.datetime.strptime(str(element.value), "%Y%m%d").date()
                element.value = f"{day.year + 100:04d}{day.month:02d}{min(day.day, 28):02d}"
        if "PatientAge" in dataset:
            del dataset.PatientAge  # would contradict the birth date
    return files


# -- files ------------------------------------------------------------------------------------------------------------


@fault("file.truncated", "fail", has_image)
def truncated_file(files: Files, rng: Generator) -> Files:
    """The transfer of one file broke off in the middle of its pixels."""
    index = pick(stack_of(files) or images_of(files), rng)
    data = as_bytes(files[index])
    files[index] = data[: len(data) - len(files[index].PixelData) // 2]
    return files


@fault("file.pixel_length", "fail", has_image)
def short_pixel_data(files: Files, rng: Generator) -> Files:
    """The file of one image is whole, but its pixel element holds an eighth less than rows times columns."""
    dataset = files[pick(stack_of(files) or images_of(files), rng)]
    edit_pixels(dataset, lambda stored: stored)
    dataset.PixelData = dataset.PixelData[: len(dataset.PixelData) * 7 // 8 // 2 * 2]
    return files


@fault("file.empty", "fail", lambda files: True)
def empty_file(files: Files, rng: Generator) -> Files:
    """A file without a single byte lies among the others."""
    return [*files, b""]


@fault(None, None, lambda files: True)
def not_dicom(files: Files, rng: Generator) -> Files:
    """A text file lies among the others; it is listed as skipped."""
    return [*files, b"Please find the images of today in this folder.\r\n" * 20]
