"""The quick reader of UIDs says what pydicom says, or nothing."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.errors import InvalidDicomError
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from flows import quick
from flows.spool import Spool

KEYWORDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
UIDS = ("1.2.3", "1.2.3.4", "1.2.3.4.5")


def told(path: Path) -> tuple[str, ...] | None:
    try:
        read = dcmread(path, stop_before_pixels=True)
    except (InvalidDicomError, NotImplementedError, ValueError, AttributeError, KeyError):
        return None
    return tuple(str(read.get(keyword, "") or "") for keyword in KEYWORDS)


def test_every_file_of_pydicom_is_read_as_pydicom_reads_it_or_left_to_it() -> None:
    quickly = 0
    for path in (Path(pydicom.__file__).parent / "data" / "test_files").rglob("*.dcm"):
        if (got := quick.uids(path)) is not None:
            assert got == told(path), path.name
            quickly += 1
    assert quickly > 30


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_what_is_usual_is_read(tmp_path: Path, syntax: str) -> None:
    path = tmp_path / "one.dcm"
    written(path, syntax)
    assert quick.uids(path) == UIDS


@pytest.mark.parametrize("name", ["ExplVR_BigEnd.dcm", "image_dfl.dcm", "no_meta.dcm", "nested_priv_SQ.dcm"])
def test_other_encodings_are_left_to_the_reader(name: str) -> None:
    path = get_testdata_file(name)
    assert isinstance(path, str)
    assert quick.uids(Path(path)) is None


def test_a_cut_file_gives_none(tmp_path: Path) -> None:
    whole = tmp_path / "whole.dcm"
    written(whole, ExplicitVRLittleEndian)
    content = whole.read_bytes()[: quick.HEAD]
    for length in range(0, len(content), 7):
        (tmp_path / "cut.dcm").write_bytes(content[:length])
        assert quick.uids(tmp_path / "cut.dcm") in (None, UIDS)
    (tmp_path / "cut.dcm").write_bytes(content[:400])
    assert quick.uids(tmp_path / "cut.dcm") is None


def test_the_files_of_a_uid_are_the_first_and_those_beside_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    first = spool.keep("1.2.3", [b"one"])
    other = spool.keep("1.2.3", [b"two"])
    spool.keep("1.2.33", [b"three"])
    assert spool.every(["1.2.3", "1.2.4"]) == {"1.2.3": [first.path, other.path], "1.2.4": []}


def written(path: Path, syntax: str) -> None:
    source = dcmread(get_testdata_file("CT_small.dcm"))  # type: ignore[arg-type]
    for keyword, value in zip(KEYWORDS, UIDS, strict=True):
        setattr(source, keyword, value)
    source.file_meta.TransferSyntaxUID = syntax  # type: ignore[assignment]
    source.save_as(path, enforce_file_format=True, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=True)
