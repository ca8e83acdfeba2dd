"""Findings about files: the F cases of the trackers, and the figures in the words."""

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders import RLELosslessEncoder
from pydicom.uid import RLELossless
from qc_made import dataset, instances_of, save, statuses

from phantoms.synthetic.catalogue import make
from phantoms.synthetic.encode import as_bytes


def only(report, code):
    (finding,) = [one for one in report.findings if one.code == code]
    return finding


def compressed(tmp_path, count=12):
    """RLE files of a CT, by pydicom's encoder."""
    made = make("ct_head", slices=count, matrix=16, transfer_syntax="rle").datasets
    for number, one in enumerate(made, start=1):
        (tmp_path / f"{number:02d}.dcm").write_bytes(as_bytes(one))
    return tmp_path


def test_case_f02_announced_length_too_short(tmp_path, check):
    path = save(dataset(1), tmp_path / "1.dcm")
    path.write_bytes(path.read_bytes().replace(b"OW\0\0\x80\x01\0\0", b"OW\0\0\x1c\x01\0\0"))  # 284 for 384
    report = check(tmp_path)
    finding = only(report, "file.pixel_length")
    assert finding.status == "fail"
    assert (finding.details["announced"], finding.details["expected"], finding.details["stray"]) == (284, 384, 100)
    assert "100 stray bytes" in finding.message


@pytest.mark.parametrize(("extra", "status"), [(1, None), (0, None), (138, "warn")])
def test_case_f04_odd_length_and_padding(tmp_path, check, extra, status):
    """63 x 61 pixels of 8 bits: 3843 bytes and one pad byte; much more than that is said."""
    made = dataset(pixels=np.random.default_rng(1).integers(0, 255, (63, 61), dtype=np.uint8))
    made.PixelData = made.PixelData[:3843] + b"\0" * (extra + (3843 + extra) % 2)
    save(made, tmp_path / "1.dcm")
    assert statuses(check(tmp_path, only=("files",))) == ([("file.pixel_length", status)] if status else [])


def test_case_f07_no_sequence_delimiter(tmp_path, check):
    folder = compressed(tmp_path)
    for number in (3, 6, 9):
        path = folder / f"{number:02d}.dcm"
        path.write_bytes(path.read_bytes()[:-8] + b"\0" * 8)
    report = check(folder)
    finding = only(report, "file.no_delimiter")
    assert (finding.status, finding.details["count"], finding.details["repairable"]) == ("fail", 3, True)
    assert finding.details["files"] == ["03.dcm", "06.dcm", "09.dcm"]
    assert statuses(report) == [("file.no_delimiter", "fail")]  # no missing slice, and the pixels decode
    assert len(instances_of(report)) == 12


def test_case_f08_cine_with_an_empty_offset_table(tmp_path, check):
    made = dataset(pixels=np.zeros((8, 8), np.uint8), NumberOfFrames=240, Modality="US", BitsStored=8, HighBit=7)
    rng = np.random.default_rng(8)
    frames = [rng.integers(0, 255, (8, 8), dtype=np.uint8) for _ in range(240)]
    options = {"rows": 8, "columns": 8, "samples_per_pixel": 1, "number_of_frames": 1, "bits_allocated": 8, "bits_stored": 8, "pixel_representation": 0,
               "photometric_interpretation": "MONOCHROME2"}  # fmt: skip
    made.PixelData = encapsulate([RLELosslessEncoder.encode(frame, **options) for frame in frames], has_bot=False)
    made["PixelData"].VR, made["PixelData"].is_undefined_length = "OB", True
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient"):
        delattr(made, keyword)
    save(made, tmp_path / "cine", RLELossless)
    report = check(tmp_path)
    assert statuses(report) == []
    (one,) = instances_of(report)
    assert len(one.frames) == 240


def test_fewer_fragments_than_frames(tmp_path, check):
    made = dataset(NumberOfFrames=4)
    made.PixelData = encapsulate([b"ab", b"cd"])
    made["PixelData"].VR, made["PixelData"].is_undefined_length = "OB", True
    save(made, tmp_path / "1.dcm", RLELossless)
    finding = only(check(tmp_path, only=("files",)), "file.frame_count")
    assert (finding.status, finding.details["fragments"], finding.details["frames"]) == ("fail", 2, 4)


def test_one_object_may_stand_in_several_fragments(tmp_path, check):
    made = dataset()
    made.PixelData = encapsulate([b"abcdefgh"], fragments_per_frame=4)
    made["PixelData"].VR, made["PixelData"].is_undefined_length = "OB", True
    save(made, tmp_path / "1.dcm", RLELossless)
    assert statuses(check(tmp_path, only=("files",))) == []


def test_native_pixels_under_a_compressed_transfer_syntax(tmp_path, check):
    path = save(dataset(), tmp_path / "1.dcm", pydicom.uid.ExplicitVRLittleEndian)
    data = path.read_bytes()
    syntax, wrong = b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0"
    path.write_bytes(data.replace(syntax, wrong))
    assert only(check(tmp_path), "file.not_encapsulated").status == "fail"


def test_truncated_pixels_are_told_once_not_again_by_every_check(tmp_path, check):
    path = save(dataset(), tmp_path / "1.dcm")
    path.write_bytes(path.read_bytes()[:-100])
    report = check(tmp_path)
    assert statuses(report) == [("file.truncated", "fail")]
    assert "284 of 384 announced bytes" in only(report, "file.truncated").message


def test_many_files_with_one_fault_are_one_finding(tmp_path, check):
    for number in range(1, 31):
        path = save(dataset(number), tmp_path / f"{number:02d}.dcm")
        path.write_bytes(path.read_bytes()[:-100])
    finding = only(check(tmp_path), "file.truncated")
    assert finding.details["count"] == 30
    assert len(finding.details["files"]) == 20  # the first ones
    assert finding.message.startswith("30 of 30 files")
    assert finding.subject.instance_uid is None


def test_paths_in_messages_are_relative(tmp_path, check):
    path = save(dataset(), tmp_path / "deep" / "er" / "1.dcm")
    path.write_bytes(path.read_bytes()[:-100])
    (tmp_path / "empty").write_bytes(b"")
    report = check(tmp_path)
    assert {one.subject.path for one in report.findings if one.code.startswith("file.")} == {"deep/er/1.dcm", "empty"}
    assert not any(str(tmp_path) in one.message for one in report.findings)


@pytest.mark.parametrize(
    ("make_file", "code"),
    [
        (lambda path: path.write_bytes(b""), "file.empty"),
        (lambda path: path.write_bytes(b"PK\x03\x04broken"), "file.archive_damaged"),
        (lambda path: path.symlink_to("nowhere"), "file.unreadable"),
    ],
)
def test_files_that_gave_no_image(tmp_path, check, make_file, code):
    make_file(tmp_path / "f")
    finding = only(check(tmp_path), code)
    assert (finding.status, finding.subject.path, finding.subject.level) == ("fail", "f", "file")
    assert finding.advice
