"""Zip archives and DICOMDIR media: bounded, never outside their own folder, every member accounted for."""

import zipfile
from pathlib import Path

import pydicom
import pytest
from pydicom.fileset import FileSet
from qc_made import dataset, instances_of, save, statuses

from phantoms.synthetic.catalogue import make
from phantoms.synthetic.encode import as_bytes
from qc.dicom import Intake, Limits

SLICES = [as_bytes(one) for one in make("ct_head", slices=3, matrix=16).datasets]


def archive(path, members, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, data in members:
            file.writestr(name, data)
    return path


def read(*paths, **limits):
    """(instances, rejected); checks the books."""
    with Intake(Limits(**limits)) as intake:
        found = list(intake.instances([Path(path) for path in paths]))
        assert intake.given == len(found) + len(intake.rejected)
        return found, intake.rejected


def reasons(rejected):
    return {one.shown: one.reason for one in rejected}


def test_an_archive_is_checked_like_a_folder(tmp_path, check):
    archive(tmp_path / "study.zip", [(f"a/{n}", data) for n, data in enumerate(SLICES)] + [("readme.txt", b"hello"), ("empty", b"")])
    report = check(tmp_path / "study.zip")
    assert [one.shown for one in instances_of(report)] == [f"study.zip/a/{n}" for n in range(3)]
    assert reasons(report.skipped) == {"study.zip/readme.txt": "not_dicom", "study.zip/empty": "empty"}
    assert report.given == 5
    assert statuses(report) == [("file.empty", "fail")]


def test_member_names_reach_no_path(tmp_path):
    """``../``, absolute names, one name twice: unpacked under names of our own, shown without the leading slash."""
    names = ["../../escaped.dcm", "/etc/absolute.dcm", "..\\windows.dcm", "same", "same"]
    data = [as_bytes(one) for one in make("ct_head", slices=5, matrix=16).datasets]
    (tmp_path / "in").mkdir()
    with pytest.warns(UserWarning, match="Duplicate name"):
        archive(tmp_path / "in" / "x.zip", zip(names, data, strict=True))
    with Intake() as intake:
        found = list(intake.instances([tmp_path / "in"]))
        assert len({one.uid for one in found}) == 5
        assert all(one.path.is_file() for one in found)
    assert not any(one.path.exists() for one in found)  # the scratch folder is gone
    assert not any(one.shown.startswith("/") for one in found)
    assert [path.name for path in tmp_path.rglob("*")] == ["in", "x.zip"]


def test_an_archive_in_an_archive_is_not_unpacked(tmp_path):
    inner = archive(tmp_path / "inner.zip", [("a", SLICES[0])]).read_bytes()
    archive(tmp_path / "outer.zip", [("inner.zip", inner), ("b", SLICES[1])])
    found, rejected = read(tmp_path / "outer.zip")
    assert [one.shown for one in found] == ["outer.zip/b"]
    assert reasons(rejected) == {"outer.zip/inner.zip": "not_dicom"}


def test_a_damaged_member_costs_only_itself(tmp_path):
    path = archive(tmp_path / "x.zip", [("a", SLICES[0]), ("b", SLICES[1])], zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    data[200] ^= 0xFF
    path.write_bytes(data)
    found, rejected = read(path)
    assert [one.shown for one in found] == ["x.zip/b"]
    assert reasons(rejected) == {"x.zip/a": "archive_damaged"}


def test_a_member_whose_deflate_stream_is_broken_costs_only_itself(tmp_path):
    path = archive(tmp_path / "x.zip", [("a", SLICES[0]), ("b", SLICES[1])])
    data = bytearray(path.read_bytes())
    data[31] = 0x07  # the first byte of the stream of ``a``: an illegal block type
    path.write_bytes(data)
    found, rejected = read(path)
    assert [one.shown for one in found] == ["x.zip/b"]
    assert reasons(rejected) == {"x.zip/a": "archive_damaged"}


def test_an_encrypted_member_is_set_aside(tmp_path):
    path = archive(tmp_path / "x.zip", [("a", SLICES[0]), ("b", SLICES[1])])
    data = bytearray(path.read_bytes())
    data[6] |= 1  # the flag "encrypted", in the local header and in the central directory
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    found, rejected = read(path)
    assert [one.shown for one in found] == ["x.zip/b"]
    assert reasons(rejected) == {"x.zip/a": "archive_damaged"}


@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_an_archive_that_broke_off_is_a_failure(tmp_path, check, keep):
    path = archive(tmp_path / "x.zip", [(str(n), data) for n, data in enumerate(SLICES)])
    path.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size)])
    report = check(path)
    assert reasons(report.skipped) == {"x.zip": "archive_damaged"}
    assert statuses(report) == [("file.archive_damaged", "fail")]


@pytest.mark.parametrize(
    ("members", "limits"),
    [
        ([("zeros", bytes(120 << 20))], {}),  # 120 MB from 0.1 MB
        ([("a", bytes(3 << 20))], {"max_archive_mb": 2}),
        ([(str(n), b"x") for n in range(30)], {"max_archive_members": 20}),
    ],
    ids=["ratio", "size", "members"],
)
def test_a_bomb_is_not_unpacked(tmp_path, members, limits):
    path = archive(tmp_path / "bomb.zip", members)
    assert path.stat().st_size < 1 << 20
    found, rejected = read(path, **limits)
    assert (found, reasons(rejected)) == ([], {"bomb.zip": "too_large"})


@pytest.mark.parametrize("members", [[], [("folder/", b"")]], ids=["nothing", "a folder"])
def test_an_empty_archive_does_not_vanish(tmp_path, members):
    found, rejected = read(archive(tmp_path / "x.zip", members))
    assert (found, len(rejected)) == ([], 1)


# -- media ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def medium(tmp_path):
    """A medium as pydicom writes it: three CT images and their DICOMDIR."""
    files = FileSet()
    for number in (1, 2, 3):
        path = save(dataset(number, PatientID="P", StudyID="1", StudyTime="12", SeriesNumber=1), tmp_path / "source" / str(number))
        files.add(pydicom.dcmread(path))
    files.write(tmp_path / "medium")
    return tmp_path / "medium"


@pytest.mark.parametrize("named", ["folder", "DICOMDIR"])
def test_a_medium_gives_its_images(medium, check, named):
    report = check(medium if named == "folder" else medium / "DICOMDIR")
    assert sorted(one.number for one in instances_of(report)) == [1, 2, 3]
    assert reasons(report.skipped) == {"DICOMDIR": "dicomdir"}
    assert [one for one in report.findings if one.code.startswith("file.")] == []


@pytest.mark.parametrize("named", ["folder", "DICOMDIR"])
def test_files_that_the_directory_lists_and_that_are_not_there(medium, check, named):
    gone = sorted(path for path in medium.rglob("*") if path.is_file() and path.name != "DICOMDIR")[:2]
    for path in gone:
        path.unlink()
    report = check(medium if named == "folder" else medium / "DICOMDIR")
    (finding,) = [one for one in report.findings if one.code == "file.referenced_missing"]
    assert finding.status == "fail"
    assert set(finding.details["missing"]) == {path.relative_to(medium).as_posix() for path in gone}
    assert len(instances_of(report)) == 1


@pytest.mark.filterwarnings("ignore:Invalid value for VR CS")
def test_a_directory_that_points_outside_opens_nothing_there(medium, tmp_path):
    save(dataset(9), tmp_path / "secret")
    directory = pydicom.dcmread(medium / "DICOMDIR")
    for record in directory.DirectoryRecordSequence:
        if "ReferencedFileID" in record:
            record.ReferencedFileID = ["..", "secret"]
    directory.save_as(medium / "DICOMDIR")
    found, rejected = read(medium / "DICOMDIR")
    assert found == []
    assert rejected[0].facts["missing"] == ["../secret"] * 3


def test_a_medium_in_an_archive_is_not_called_incomplete(medium, tmp_path, check):
    archive(tmp_path / "cd.zip", [(path.relative_to(medium).as_posix(), path.read_bytes()) for path in medium.rglob("*") if path.is_file()])
    report = check(tmp_path / "cd.zip")
    assert len(instances_of(report)) == 3
    assert [one.code for one in report.findings if one.code.startswith("file.")] == []


def test_a_link_on_a_medium_that_leads_outside_is_not_opened_for_the_directory(medium, tmp_path):
    secret = save(dataset(9), tmp_path / "secret")
    first = min(path for path in medium.rglob("*") if path.is_file() and path.name != "DICOMDIR")
    first.unlink()
    first.symlink_to(secret)
    found, _ = read(medium / "DICOMDIR")
    assert sorted(one.number for one in found) == [2, 3]


def test_a_directory_that_is_damaged_is_set_aside(medium):
    data = (medium / "DICOMDIR").read_bytes()
    (medium / "DICOMDIR").write_bytes(data[: len(data) // 2])
    found, rejected = read(medium)
    assert len(found) == 3
    assert reasons(rejected) == {"DICOMDIR": "dicomdir"}
