"""Headers for the tests of header checks: rows without a file, and valid CT or MR files with one thing changed."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage

from qc.results import Finding
from qc.runner import Options, Report, Runner
from qc.study import Frame, Instance, PixelLayout, Series, Study

UIDS = count(1)
PERSON = {"PatientID": "PID-77-XYZZY", "PatientName": "Zorblatt^Quux", "PatientBirthDate": "19510607", "PatientSex": "F"}
SECRETS = ("zorblatt", "quux", "xyzzy", "19510607", "grault", "plugh")


def image(**tags: Any) -> Instance:
    """One image of a CT series, headers only; a tag of None is left out."""
    values = {
        "Modality": "CT", "StudyInstanceUID": "2.25.1", "SeriesInstanceUID": "2.25.2", "SOPClassUID": str(CTImageStorage),
        "SOPInstanceUID": f"2.25.9.{next(UIDS)}", "Rows": 8, "Columns": 8, "StudyDate": "20250311", "ImageType": ("ORIGINAL", "PRIMARY"), **tags,
    }  # fmt: skip
    syntax = values.pop("syntax", ExplicitVRLittleEndian)
    made = Instance(Path("1.dcm"), "1.dcm", syntax, {name: value for name, value in values.items() if value is not None})
    made.layout = PixelLayout("PixelData", 0, 128, 128)
    made.frames = [Frame(made)]
    return made


def series(*instances: Instance, klass: str = "image") -> Series:
    return Series("2.25.1", "2.25.2", list(instances), klass)


def study(*all_series: Series, key: bytes = b"k") -> Study:
    return Study("2.25.1", list(all_series), key)


def run(check: Any, subject: Any, **params: Any) -> list[Finding]:
    """Everything a check of headers gives."""
    return list(check.spec.run(subject, check.spec.params(**params)))


def codes(found: list[Finding]) -> list[tuple[str, str]]:
    return [(one.code, one.status.value) for one in found]


def dataset(number: int = 1, modality: str = "CT", **tags: Any) -> Dataset:
    """A CT or MR image that conforms to the standard in all that is looked at; a tag of None is removed, of "" emptied."""
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID = CTImageStorage if modality == "CT" else MRImageStorage, f"2.25.9.{number}"
    made.StudyInstanceUID, made.SeriesInstanceUID, made.FrameOfReferenceUID, made.Modality = "2.25.1", "2.25.2", "2.25.3", modality
    for name, value in PERSON.items():
        setattr(made, name, value)
    made.StudyDate = made.SeriesDate = made.AcquisitionDate = made.ContentDate = "20250311"
    made.StudyTime, made.SeriesTime, made.AcquisitionTime, made.ContentTime = "120000", "120100", "120200", "120230"
    made.AccessionNumber, made.ReferringPhysicianName, made.StudyID, made.PositionReferenceIndicator = "ACC-4242", "", "1", ""
    made.Manufacturer, made.SeriesNumber, made.InstanceNumber, made.AcquisitionNumber = "Maker", 1, number, 1
    made.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    made.PixelSpacing, made.SliceThickness = [1, 1], 2
    made.ImageOrientationPatient, made.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, 2 * number]
    made.Rows, made.Columns, made.SamplesPerPixel, made.PhotometricInterpretation = 8, 8, 1, "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 12, 11, 0
    if modality == "CT":
        made.KVP, made.RescaleSlope, made.RescaleIntercept, made.RescaleType = 120, 1, -1024, "HU"
    else:
        made.ScanningSequence, made.SequenceVariant, made.ScanOptions, made.MRAcquisitionType = "SE", "SK", "", "2D"
        made.RepetitionTime, made.EchoTime, made.EchoTrainLength, made.FlipAngle = 500, 20, 1, 90
    made.PixelData = np.random.default_rng(number).integers(0, 4096, (8, 8), dtype=np.uint16).tobytes()
    made["PixelData"].VR = "OW"
    for keyword, value in tags.items():
        if value is None:
            del made[keyword]
        else:
            setattr(made, keyword, value)
    return made


def save(folder: Path, *datasets: Dataset, syntax: str = ExplicitVRLittleEndian) -> Path:
    for number, made in enumerate(datasets):
        made.file_meta = FileMetaDataset()
        made.file_meta.TransferSyntaxUID = syntax
        dcmwrite(folder / f"{number:04d}.dcm", made, enforce_file_format=True)
    return folder


def check(folder: Path, **options: Any) -> Report:
    with Runner(Options(pixels=False, **options)) as runner:
        return runner.paths([folder])


def told(report: Report, beginning: str = "") -> list[tuple[str, str]]:
    return sorted(pair for pair in codes(report.findings) if pair[0].startswith(beginning))


def no_secret(findings: Any) -> None:
    """No identifier of the invented patients in anything that is printed or stored."""
    text = repr(findings).casefold()
    assert not [secret for secret in SECRETS if secret in text]
