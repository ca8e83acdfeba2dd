"""Instances to send, and peers to talk to: small ones of our own that misbehave as asked, and dcmtk and Orthanc where they are."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid


def instance(study: str, series: str, number: int = 1, *, uid: str | None = None, size: int = 16, value: int = 0, **values) -> FileDataset:
    """A small CT image, the same for the same arguments."""
    uid = uid or generate_uid(entropy_srcs=[study, series, str(number)])
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = uid
    one = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    one.SOPClassUID, one.SOPInstanceUID = CTImageStorage, uid
    one.StudyInstanceUID, one.SeriesInstanceUID = study, series
    one.StudyDate, one.StudyTime = "20261120", "083000"
    one.Modality, one.PatientID, one.PatientName = "CT", "SECRET-ID", "SECRET^NAME"
    one.StudyID, one.SeriesNumber, one.InstanceNumber, one.AccessionNumber = "1", 1, number, "A1"
    one.PatientBirthDate, one.PatientSex, one.ReferringPhysicianName = "19700101", "O", ""
    one.Rows = one.Columns = size
    one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 16, 15, 0
    one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
    one.PixelData = (np.arange(size * size, dtype="<u2") + value).tobytes()
    for keyword, content in values.items():
        setattr(one, keyword, content)
    buffer = BytesIO()
    one.save_as(buffer, enforce_file_format=True)
    buffer.seek(0)
    return pydicom.dcmread(buffer)  # as a sender has it: read from a file


def series(study: str, count: int, tag: str = "a", **values) -> list[FileDataset]:
    """`count` instances of one series."""
    uid = generate_uid(entropy_srcs=[study, tag])
    return [instance(study, uid, number, **values) for number in range(1, count + 1)]


def body(one: Path | FileDataset) -> bytes:
    """The data set of a file without its head, byte for byte."""
    if isinstance(one, Path):
        raw = one.read_bytes()
    else:
        buffer = BytesIO()
        one.save_as(buffer, enforce_file_format=True)
        raw = buffer.getvalue()
    length = int.from_bytes(raw[140:144], "little")  # value of (0002,0000), which is the first element
    return raw[144 + length :]


def write(folder: Path, instances: list[FileDataset]) -> list[Path]:
    """Write instances as files; return them."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:05d}.dcm" for number in range(len(instances))]
    for path, one in zip(paths, instances, strict=True):
        one.save_as(path, enforce_file_format=True)
    return paths


def kept(folder: Path) -> list[Path]:
    """Every file below a folder that is not hidden."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def uids(paths: list[Path]) -> set[str]:
    return {str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID) for path in paths}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def tool(name: str) -> str:
    """Where a program is; the test is skipped where it is absent."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def run(*command: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


def wait_for(condition, seconds: float = 10.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.02)
    return bool(condition())
