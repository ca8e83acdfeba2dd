"""Arrays to classic DICOM objects: one image, one data set.

A `StudySpec` says who, when and on what; a `SeriesSpec` how the series was taken and how its numbers are stored; an `ImageSpec` is one
image with its place. `classic` makes the data sets. Everything else of a header comes from the modality's table in `scanners`.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydicom.dataset import Dataset

from phantoms.synthetic.encode import fill, make_uid, seal, set_pixels, to_stored
from phantoms.synthetic.scanners import ACQUISITION, SOP_CLASSES, Patient, Scanner

# ImageOrientationPatient: direction of a row, then of a column, in the patient's axes (x to the left, y to the back, z to the head)
ORIENTATIONS: dict[str, tuple[float, ...]] = {
    "axial": (1, 0, 0, 0, 1, 0),
    "sagittal": (0, 1, 0, 0, 0, -1),
    "coronal": (1, 0, 0, 0, 0, -1),
}

LARMOR_MHZ_PER_T = 42.577478518


@dataclass(frozen=True)
class StudySpec:
    """One examination of one patient on one device.

    Attributes
    ----------
    seed
        All UIDs of the study are made from this text.
    start
        Local date and time at which the study began.
    """

    seed: str
    patient: Patient
    scanner: Scanner
    start: dt.datetime
    description: str = ""

    @property
    def uid(self) -> str:
        """StudyInstanceUID."""
        return make_uid(self.seed, "study")


@dataclass(frozen=True)
class SeriesSpec:
    """How a series was taken and how it is stored.

    Attributes
    ----------
    modality
        MR, CT, DX, US, NM, MG, PT or SC.
    orientation
        Name in `ORIENTATIONS` or the six numbers of ImageOrientationPatient.
    spacing_mm
        (row, column) spacing in mm.
    thickness_mm, step_mm
        Slice thickness, and distance between slices as the header states it (None: not stated).
    bits_stored, signed
        Number format of the stored values; up to 8 bits are kept in bytes, more in two bytes.
    slope, intercept
        Real value = stored value * slope + intercept.
    transfer_syntax
        Key of `encode.TRANSFER_SYNTAXES`.
    counts
        State ImagesInAcquisition.
    start_s
        When the series began, in seconds after the study.
    header
        Elements by keyword that replace those of the modality; None drops one.
    private
        (group, creator, element, VR, value) of private elements.
    """

    study: StudySpec
    modality: str
    number: int = 1
    description: str = ""
    protocol: str = ""
    body_part: str = ""
    orientation: str | tuple[float, ...] = "axial"
    spacing_mm: tuple[float, float] = (1.0, 1.0)
    thickness_mm: float | None = None
    step_mm: float | None = None
    bits_stored: int = 16
    signed: bool = False
    slope: float = 1.0
    intercept: float = 0.0
    photometric: str = "MONOCHROME2"
    transfer_syntax: str = "explicit"
    counts: bool = True
    start_s: float = 60.0
    header: Mapping[str, Any] = field(default_factory=dict)
    private: Sequence[tuple[int, str, int, str, Any]] = ()

    @property
    def uid(self) -> str:
        """SeriesInstanceUID."""
        return make_uid(self.study.seed, "series", self.number)

    @property
    def directions(self) -> NDArray[np.float64]:
        """(3, 3): direction of a row, direction of a column, normal (unit vectors)."""
        named = ORIENTATIONS[self.orientation] if isinstance(self.orientation, str) else self.orientation
        row, column = np.asarray(named, dtype=float).reshape(2, 3)
        return np.stack([row, column, np.cross(row, column)])

    def first_pixel(self, centre_mm: ArrayLike, shape: tuple[int, int]) -> NDArray[np.float64]:
        """Give ImagePositionPatient of an image of (rows, columns) whose middle is at `centre_mm` = (x, y, z)."""
        row, column, _ = self.directions
        half_width, half_height = (shape[1] - 1) / 2 * self.spacing_mm[1], (shape[0] - 1) / 2 * self.spacing_mm[0]
        return np.asarray(centre_mm, dtype=float) - half_width * row - half_height * column


@dataclass(frozen=True)
class ImageSpec:
    """One image.

    Attributes
    ----------
    values
        (rows, columns) in real values (HU, signal, counts), or (rows, columns, 3) colours.
    position_mm
        (x, y, z) of the centre of the first pixel in the patient's axes; None for modalities without.
    header
        Elements of this image only.
    slope, intercept
        Replace those of the series.
    time_s
        Seconds after the series began.
    number
        InstanceNumber; None counts from 1.
    """

    values: NDArray[Any]
    position_mm: ArrayLike | None = None
    header: Mapping[str, Any] = field(default_factory=dict)
    slope: float | None = None
    intercept: float | None = None
    time_s: float = 0.0
    number: int | None = None


def place_stack(series: SeriesSpec, shape: tuple[int, int], offsets_mm: ArrayLike, centre_mm: ArrayLike = (0, 0, 0)) -> NDArray[np.float64]:
    """Positions of parallel slices.

    Parameters
    ----------
    shape
        (rows, columns).
    offsets_mm
        (n,) distance of each slice from `centre_mm` along the normal.

    Returns
    -------
    ndarray
        (n, 3) ImagePositionPatient in mm.
    """
    return series.first_pixel(centre_mm, shape) + np.outer(np.asarray(offsets_mm, dtype=float), series.directions[2])


def common_header(series: SeriesSpec) -> dict[str, Any]:
    """Give what is the same in every object of a series: patient, study, series, device."""
    study, patient, scanner = series.study, series.study.patient, series.study.scanner
    started = study.start + dt.timedelta(seconds=series.start_s)
    return {
        "SpecificCharacterSet": "ISO_IR 100",
        "StudyDate": date_text(study.start),
        "StudyTime": time_text(study.start),
        "SeriesDate": date_text(started),
        "SeriesTime": time_text(started),
        "AccessionNumber": f"A{int(make_uid(study.seed, 'accession')[5:]) % 10**8:08d}",
        "Modality": "OT" if series.modality == "SC" else series.modality,
        "Manufacturer": scanner.manufacturer,
        "InstitutionName": scanner.institution,
        "ReferringPhysicianName": "",
        "StationName": scanner.station,
        "StudyDescription": study.description,
        "SeriesDescription": series.description,
        "ManufacturerModelName": scanner.model,
        "PatientName": patient.name,
        "PatientID": patient.patient_id,
        "PatientBirthDate": date_text(patient.birth_date) if patient.birth_date else "",
        "PatientSex": patient.sex,
        "PatientAge": f"{_years(patient.birth_date, study.start.date()):03d}Y" if patient.birth_date else None,
        "PatientWeight": patient.weight_kg,
        "BodyPartExamined": series.body_part or None,
        "DeviceSerialNumber": scanner.serial_number,
        "SoftwareVersions": scanner.software,
        "ProtocolName": series.protocol or series.description,
        "PatientPosition": "HFS" if series.modality in ("MR", "CT", "PT") else None,
        "StudyInstanceUID": study.uid,
        "SeriesInstanceUID": series.uid,
        "StudyID": "1",
        "SeriesNumber": series.number,
        "FrameOfReferenceUID": make_uid(study.seed, "frame of reference") if series.modality in ("MR", "CT", "PT") else None,
        "PositionReferenceIndicator": "" if series.modality in ("MR", "CT", "PT") else None,
        "Laterality": "" if series.modality in ("US", "NM", "SC") else None,
    }


def field_strength(scanner: Scanner) -> dict[str, Any]:
    """MagneticFieldStrength in T and ImagingFrequency in MHz of an MR scanner."""
    if scanner.field_strength_t is None:
        return {}
    return {"MagneticFieldStrength": scanner.field_strength_t, "ImagingFrequency": round(scanner.field_strength_t * LARMOR_MHZ_PER_T, 6)}


def classic(series: SeriesSpec, images: Sequence[ImageSpec]) -> list[Dataset]:
    """Make one single-frame data set an image, complete with file meta information.

    Parameters
    ----------
    images
        In the order in which they were taken; AcquisitionNumber in an image's header sets several acquisitions apart.

    Returns
    -------
    list of Dataset
        Ready to be written with `encode.write`.
    """
    acquisitions = Counter(image.header.get("AcquisitionNumber", 1) for image in images)
    return [_single_frame(series, image, index, acquisitions) for index, image in enumerate(images)]


def _single_frame(series: SeriesSpec, image: ImageSpec, index: int, acquisitions: Counter[Any]) -> Dataset:
    dataset = fill(Dataset(), common_header(series))
    fill(dataset, ACQUISITION[series.modality])
    if series.modality == "MR":
        fill(dataset, field_strength(series.study.scanner) | _matrix(image.values.shape))
    dataset.SOPClassUID = SOP_CLASSES[series.modality]
    dataset.SOPInstanceUID = make_uid(series.study.seed, "series", series.number, "image", index)
    dataset.InstanceNumber = index + 1 if image.number is None else image.number
    dataset.AcquisitionNumber = 1
    taken = series.study.start + dt.timedelta(seconds=series.start_s + image.time_s)
    fill(dataset, {f"{what}Date": date_text(taken) for what in ("Acquisition", "Content", "InstanceCreation")})
    fill(dataset, {f"{what}Time": time_text(taken) for what in ("Acquisition", "Content", "InstanceCreation")})
    if series.counts:
        dataset.ImagesInAcquisition = acquisitions[image.header.get("AcquisitionNumber", 1)]
    fill(dataset, _geometry(series, image))

    slope = series.slope if image.slope is None else image.slope
    intercept = series.intercept if image.intercept is None else image.intercept
    if series.modality in ("CT", "PT", "DX", "MG") or (slope, intercept) != (1.0, 0.0):
        fill(dataset, {"RescaleSlope": slope, "RescaleIntercept": intercept})
    if series.photometric.startswith("MONOCHROME") and "WindowCenter" not in dataset:
        low, high = float(np.min(image.values)), float(np.max(image.values))
        fill(dataset, {"WindowCenter": round((low + high) / 2, 1), "WindowWidth": round(max(high - low, 1.0), 1)})
    fill(dataset, series.header)
    fill(dataset, image.header)
    add_private(dataset, series.private)

    stored = to_stored(image.values, slope, intercept, series.bits_stored, series.signed)
    set_pixels(dataset, stored, series.bits_stored, series.photometric, big_endian=series.transfer_syntax == "big_endian")
    if series.modality == "NM":  # the one modality whose single image is still a multi-frame object
        fill(dataset, _single_nm_frame())
    return seal(dataset, series.transfer_syntax)


def _geometry(series: SeriesSpec, image: ImageSpec) -> dict[str, Any]:
    spacing = list(series.spacing_mm)
    if series.modality in ("DX", "MG"):
        return {"ImagerPixelSpacing": spacing}
    if series.modality in ("SC", "US"):
        return {}
    geometry: dict[str, Any] = {"PixelSpacing": spacing, "SliceThickness": series.thickness_mm, "SpacingBetweenSlices": series.step_mm}
    if image.position_mm is not None:
        row, column, normal = series.directions
        position = np.asarray(image.position_mm, dtype=float)
        geometry |= {
            "ImagePositionPatient": list(position),
            "ImageOrientationPatient": [*row, *column],
            "SliceLocation": round(float(position @ normal), 4),
        }
    return geometry


def _matrix(shape: tuple[int, ...]) -> dict[str, Any]:
    return {"AcquisitionMatrix": [0, shape[1], shape[0], 0], "NumberOfPhaseEncodingSteps": shape[0]}


def _single_nm_frame() -> dict[str, Any]:
    return {
        "NumberOfFrames": 1,
        "FrameIncrementPointer": [0x00540010, 0x00540020],
        "EnergyWindowVector": [1],
        "NumberOfEnergyWindows": 1,
        "DetectorVector": [1],
        "NumberOfDetectors": 1,
        "DetectorInformationSequence": [
            {
                "CollimatorType": "PARA",
                "FieldOfViewShape": "RECTANGLE",
                "FocalDistance": 0,
                "StartAngle": 0,
                "ImagePositionPatient": "",
                "ImageOrientationPatient": "",
            }
        ],
    }


def add_private(dataset: Dataset, private: Sequence[tuple[int, str, int, str, Any]]) -> None:
    """Add private elements under their creator: (group, creator, element, VR, value) each."""
    for group, creator, element, vr, value in private:
        dataset.private_block(group, creator, create=True).add_new(element, vr, value)


def date_text(when: dt.date) -> str:
    """Write a date as DICOM does, YYYYMMDD (also below the year 1000)."""
    return f"{when.year:04d}{when.month:02d}{when.day:02d}"


def time_text(when: dt.datetime) -> str:
    """Write a time as DICOM does, HHMMSS.FFFFFF."""
    return when.strftime("%H%M%S.%f")


def _years(birth: dt.date, today: dt.date) -> int:
    return today.year - birth.year - ((today.month, today.day) < (birth.month, birth.day))
