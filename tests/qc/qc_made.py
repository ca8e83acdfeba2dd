"""Images for the tests of `qc`: written by pydicom or byte by byte, or rows without a file. Nothing here uses the code under test
except the row classes themselves.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from qc.check import CheckSpec
from qc.results import Finding
from qc.runner import Report
from qc.study import Frame, Instance, Series

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
STUDY, SERIES = "1.2.3.1", "1.2.3.1.1"
UIDS = count(1)

# -- rows without files ---------------------------------------------------------------------------------------------


def instance(
    position: Sequence[float] | None = (0, 0, 0), number: int | None = 1, orientation: Sequence[float] = AXIAL, **tags: Any
) -> Instance:
    """One image of a CT series, headers only. A tag of None is left out."""
    values: dict[str, Any] = {
        "Modality": "CT", "StudyInstanceUID": STUDY, "SeriesInstanceUID": SERIES, "SOPClassUID": str(CTImageStorage),
        "SOPInstanceUID": f"1.2.3.9.{next(UIDS)}", "InstanceNumber": number,
        "Rows": 64, "Columns": 64, "PixelSpacing": (1.0, 1.0), "ImageOrientationPatient": tuple(map(float, orientation)),
        "ImagePositionPatient": None if position is None else tuple(map(float, position)), **tags,
    }  # fmt: skip
    made = Instance(Path(f"{number}.dcm"), f"{number}.dcm", ExplicitVRLittleEndian, {k: v for k, v in values.items() if v is not None})
    made.frames = [Frame(made)]
    return made


def series(instances: Iterable[Instance], klass: str = "image") -> Series:
    """The instances as one series."""
    return Series(STUDY, SERIES, list(instances), klass)


def stack(z: Iterable[float], klass: str = "image", **tags: Any) -> Series:
    """An axial series with its slices at these z, numbered in this order."""
    return series((instance((0, 0, at), number, **tags) for number, at in enumerate(z, start=1)), klass)


def normal_to(orientation: Sequence[float]) -> np.ndarray:
    """The normal of a plane, row x column."""
    return np.cross(orientation[:3], orientation[3:])


def results(spec_of: Any, subject: Any, **params: Any) -> list[Any]:
    """Everything a headers check gives for a subject."""
    spec: CheckSpec = spec_of.spec
    return list(spec.run(subject, spec.params(**params)))


def codes(found: Iterable[Any]) -> dict[str, int]:
    """Finding codes with the number each finding tells (1 where it tells none)."""
    told: Counter[str] = Counter()
    for one in found:
        if isinstance(one, Finding):
            told[one.code] += one.details.get("count", 1)
    return dict(told)


WHOLE_HEADER = {"header.conformance"}


def statuses(report: Report) -> list[tuple[str, str]]:
    """Codes with status of a report, remarks left out, and what the standard wants of a whole header: these images have a small one."""
    return sorted((one.code, one.status.value) for one in report.findings if one.status.value != "info" and one.check not in WHOLE_HEADER)


def instances_of(report: Report) -> list[Instance]:
    """Every instance of a report."""
    return [one for study in report.studies for one in study.instances()]


# -- files ----------------------------------------------------------------------------------------------------------


def dataset(number: int = 1, pixels: np.ndarray | None = None, **tags: Any) -> Dataset:
    """One axial CT image as a pydicom data set, valid, with patient data that no output may show."""
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID = CTImageStorage, f"1.2.3.9.{number}"
    made.StudyInstanceUID, made.SeriesInstanceUID, made.Modality = STUDY, SERIES, "CT"
    made.PatientName, made.PatientID, made.PatientBirthDate = "Zorblatt^Quux", "PID-77-XYZZY", "19510607"
    made.StudyDate, made.AccessionNumber, made.InstanceNumber, made.SeriesNumber = "20250311", "ACC-424242", number, 1
    made.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    made.PixelSpacing, made.SliceThickness = [1, 1], 2
    made.ImageOrientationPatient, made.ImagePositionPatient = list(AXIAL), [0, 0, 2 * number]
    values = np.random.default_rng(number).integers(0, 4096, (16, 12), dtype=np.uint16) if pixels is None else pixels
    made.Rows, made.Columns, made.SamplesPerPixel, made.PhotometricInterpretation = *values.shape[:2], 1, "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit = values.dtype.itemsize * 8, values.dtype.itemsize * 8, values.dtype.itemsize * 8 - 1
    made.PixelRepresentation = int(values.dtype.kind == "i")
    made.PixelData = values.tobytes() + b"\0" * (values.nbytes % 2)
    made["PixelData"].VR = "OW"
    for keyword, value in tags.items():
        setattr(made, keyword, value)
    return made


def save(made: Dataset, path: Path, syntax: str = ExplicitVRLittleEndian) -> Path:
    """Write a data set as a DICOM file; its pixels must already be in the form of the transfer syntax."""
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = syntax
    path.parent.mkdir(parents=True, exist_ok=True)
    dcmwrite(path, made, enforce_file_format=True)
    return path


def element(tag: int, vr: str, value: bytes, length: int | None = None) -> bytes:
    """One element, explicit little endian; `length` where it shall lie."""
    size = len(value) if length is None else length
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode()
    return head + (struct.pack("<HL", 0, size) if vr in ("OB", "OW", "SQ", "UN", "UT") else struct.pack("<H", size)) + value


def file_of(*elements: bytes, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """Preamble, file meta information and these elements."""
    uid = syntax.encode() + b"\0" * (len(syntax) % 2)
    meta = element(0x00020010, "UI", uid)
    return b"\0" * 128 + b"DICM" + element(0x00020000, "UL", struct.pack("<L", len(meta))) + meta + b"".join(elements)


IDENTITY = (
    element(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.2\0"),
    element(0x00080018, "UI", b"1.2.3.9.1\0"),
    element(0x0020000D, "UI", b"1.2.3.1\0"),
    element(0x0020000E, "UI", b"1.2.3.1.1\0"),
)
"""SOP class, SOP instance, study and series of a CT image, in an order that a reader must bear."""
