"""Reading hostile files: every file ends as an instance or as a rejection with its reason, and no other file suffers."""

import os
import struct
import threading
import tracemalloc
import zlib
from functools import partial
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian
from qc_made import IDENTITY, dataset, element, file_of, instances_of, save, statuses

from phantoms.synthetic.catalogue import make
from phantoms.synthetic.encode import as_bytes
from qc import header
from qc.dicom import Intake, Limits, expected_length, read_pixel_bytes


def read(*paths, **limits):
    """(instances, rejected) of some paths; checks the books."""
    with Intake(Limits(**limits)) as intake:
        found = list(intake.instances([Path(path) for path in paths]))
        assert intake.given == len(found) + len(intake.rejected)
        return found, intake.rejected


def read_bytes(tmp_path, data, name="file"):
    (tmp_path / name).write_bytes(data)
    return read(tmp_path / name)


def codes(instance):
    return sorted({problem.code for problem in instance.problems})


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"Please find the images attached.\r\n" * 9, "not_dicom"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 400, "not_dicom"),
        (b"\0" * 4096, "not_dicom"),
        (b"DIC", "not_dicom"),
        (b"\x08\0\x08\0CS\4\0ABCD", "not_dicom"),  # begins like a data set without preamble, names nothing
        (file_of(*IDENTITY[:2])[:-5], "truncated"),  # ends before it is known to which series it belongs
    ],
)
def test_what_gives_no_instance_is_set_aside_with_its_reason(tmp_path, data, reason):
    found, rejected = read_bytes(tmp_path, data)
    assert found == []
    assert [one.reason for one in rejected] == [reason]


def test_a_file_that_ends_in_its_header_keeps_what_is_known(tmp_path):
    whole = save(dataset(), tmp_path / "whole.dcm").read_bytes()
    cut = whole[: whole.index(b"\x28\0\x10\0US") + 9]  # one of the two bytes of Rows
    (instance,), _ = read_bytes(tmp_path, cut)
    assert codes(instance) == ["file.truncated", "header.value"]
    assert instance.get("Rows") is None
    assert instance.get("SeriesInstanceUID") == "1.2.3.1.1"


def test_a_file_that_ends_in_its_pixels_says_how_much_is_there(tmp_path, check):
    whole = save(dataset(), tmp_path / "a" / "whole.dcm").read_bytes()
    (tmp_path / "a" / "whole.dcm").write_bytes(whole[:-100])
    (instance,), _ = read(tmp_path / "a")
    (problem,) = instance.problems
    assert (problem.fact("announced"), problem.fact("present"), problem.fact("expected")) == (384, 284, 384)
    assert ("file.truncated", "fail") in statuses(check(tmp_path / "a"))


@pytest.mark.parametrize(("cut", "code"), [(132, "file.no_meta"), (0, None)])
def test_without_preamble_and_meta_it_is_read_and_said(tmp_path, cut, code):
    whole = save(dataset(), tmp_path / "x" / "whole.dcm").read_bytes()
    start = whole.index(b"\x08\0\x08\0") if cut else 0
    (instance,), _ = read_bytes(tmp_path, whole[start:])
    assert codes(instance) == ([code] if code else [])
    assert (instance.get("Rows"), instance.get("InstanceNumber")) == (16, 1)


def test_meta_without_transfer_syntax_is_said(tmp_path):
    data = b"\0" * 128 + b"DICM" + element(0x00020012, "UI", b"1.2") + b"".join(IDENTITY)
    (instance,), _ = read_bytes(tmp_path, data)
    assert "file.no_transfer_syntax" in codes(instance)


def test_label_and_content_that_name_different_objects(tmp_path):
    made = dataset()
    path = save(made, tmp_path / "f.dcm")
    path.write_bytes(path.read_bytes().replace(b"1.2.3.9.1\0", b"1.2.3.9.7\0", 1))
    (instance,), _ = read(path)
    (problem,) = instance.problems
    assert (problem.code, problem.keyword, problem.text) == ("file.meta_mismatch", "SOPInstanceUID", "1.2.3.9.7")


@pytest.mark.parametrize("syntax", ["implicit", "explicit", "big_endian", "deflated", "rle"])
def test_header_values_are_those_of_pydicom_in_every_encoding(tmp_path, syntax):
    data = as_bytes(make("ct_head", slices=5, transfer_syntax=syntax).datasets[2])
    (instance,), _ = read_bytes(tmp_path, data)
    truth = pydicom.dcmread(tmp_path / "file")
    assert codes(instance) == []
    assert instance.transfer_syntax == truth.file_meta.TransferSyntaxUID
    for keyword in ("Rows", "BitsStored", "PatientName", "SliceThickness", "SOPInstanceUID", "StudyTime", "KVP"):
        assert instance.get(keyword) == getattr(truth, keyword), keyword
    assert instance.get("ImagePositionPatient") == tuple(truth.ImagePositionPatient)


# -- sizes that lie -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vr", ["OB", "UN", "UT", "SQ"])
def test_a_huge_announced_length_costs_no_memory(tmp_path, vr):
    data = file_of(*IDENTITY, element(0x00204000, vr, b"x" * 50, length=0xFFFFFFF0))
    tracemalloc.start()
    (instance,), _ = read_bytes(tmp_path, data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "file.truncated" in codes(instance)
    assert peak < 20 << 20


def test_a_frame_that_would_be_huge_is_not_allocated(tmp_path, check):
    save(dataset(Rows=65535, Columns=65535, NumberOfFrames=2_000_000_000), tmp_path / "f.dcm")
    tracemalloc.start()
    report = check(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert ("file.pixel_length", "fail") in statuses(report)
    assert peak < 50 << 20


def test_a_frame_count_beyond_the_bytes_makes_no_rows(tmp_path):
    save(dataset(NumberOfFrames=1_000_000), tmp_path / "f.dcm")
    (instance,), _ = read(tmp_path)
    assert len(instance.frames) == 1  # 384 bytes hold one frame


def test_a_deflate_bomb_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(header, "inflate", partial(header.inflate, limit=1 << 20))
    bomb = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = bomb.compress(b"".join(IDENTITY) + b"\0" * (64 << 20)) + bomb.flush()
    assert len(body) < 100_000
    tracemalloc.start()
    found, rejected = read_bytes(tmp_path, file_of(body, syntax=DeflatedExplicitVRLittleEndian))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (found, [one.reason for one in rejected]) == ([], ["too_large"])
    assert peak < 8 << 20


@pytest.mark.parametrize("length", [0xFFFFFFFF, None])
def test_sequences_nested_5000_deep(tmp_path, length):
    item = b"\xfe\xff\x00\xe0"
    inner = b""
    if length:  # undefined lengths: parsed on the way
        inner = (element(0x00400260, "SQ", b"", length) + item + struct.pack("<L", length)) * 5000
    else:
        for _ in range(5000):
            inner = element(0x00400260, "SQ", item + struct.pack("<L", len(inner)) + inner)
    (instance,), _ = read_bytes(tmp_path, file_of(*IDENTITY, inner))
    assert instance.uid == "1.2.3.9.1"
    assert codes(instance) == (["file.nested_too_deep", "file.truncated"] if length else ["pixels.absent"])


def test_a_header_beyond_the_limit_is_refused(tmp_path):
    (tmp_path / "big").write_bytes(file_of(*IDENTITY, element(0x00204000, "UT", b" " * (3 << 20))))
    found, rejected = read(tmp_path / "big", max_header_mb=1)
    assert (found, [one.reason for one in rejected]) == ([], ["too_large"])
    assert len(read(tmp_path / "big", max_header_mb=4)[0]) == 1


# -- values that cannot be ------------------------------------------------------------------------------------------


def test_values_that_cannot_be_become_problems_and_the_rest_is_kept(tmp_path):
    data = file_of(
        element(0x00080005, "CS", b"ISO 2022 IR 6, IS "),
        *IDENTITY[:2],
        element(0x00080020, "DA", b"20250230"),
        element(0x00100010, "PN", "Пётр".encode("iso8859-5")),
        element(0x00100030, "DA", b"00/00/0000"),
        *IDENTITY[2:],
        element(0x00280030, "DS", b"0,143\\0,143 "),
        element(0x00280010, "US", b"\1"),
    )
    (instance,), _ = read_bytes(tmp_path, data)
    texts = {(problem.code, problem.keyword): problem.text for problem in instance.problems}
    assert texts["header.value", "PixelSpacing"] == "0,143\\0,143"
    assert texts["header.value", "StudyDate"] == "20250230"
    assert texts["header.value", "PatientBirthDate"] == "00/00/0000"
    assert texts["header.character_set", "SpecificCharacterSet"] == "ISO 2022 IR 6, IS"
    assert ("header.value", "Rows") in texts
    assert not {"PixelSpacing", "StudyDate", "PatientBirthDate", "Rows"} & instance.tags.keys()
    assert instance.get("SOPInstanceUID") == "1.2.3.9.1"


@pytest.mark.parametrize(
    ("tags", "length"),
    [
        ({}, 384),
        ({"NumberOfFrames": 3}, 3 * 384),
        ({"SamplesPerPixel": 3, "BitsAllocated": 8}, 16 * 12 * 3),
        ({"SamplesPerPixel": 3, "BitsAllocated": 8, "PhotometricInterpretation": "YBR_FULL_422"}, 16 * 12 * 2),
        ({"Rows": 3, "Columns": 3, "BitsAllocated": 1}, 2),  # nine bits
        ({"BitsAllocated": 64}, 16 * 12 * 8),
    ],
)
def test_length_that_pixels_need(tmp_path, tags, length):
    """PS3.5 section 8: packed bits, subsampled colour."""
    save(dataset(**tags), tmp_path / "f.dcm")
    (instance,), _ = read(tmp_path)
    assert expected_length(instance) == length


def test_pixel_bytes_are_those_of_pydicom(tmp_path):
    for number, syntax in enumerate((ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian), start=1):
        path = save(dataset(number), tmp_path / f"{number}.dcm", syntax)
        (instance,), _ = read(path)
        data = pydicom.dcmread(path).PixelData
        assert read_pixel_bytes(instance, 0, 1 << 20) == data
        assert read_pixel_bytes(instance, 100, 7) == data[100:107]


# -- which files ----------------------------------------------------------------------------------------------------


def test_a_file_named_twice_is_read_once(tmp_path):
    save(dataset(1), tmp_path / "a.dcm")
    save(dataset(2), tmp_path / "b.dcm")
    found, _ = read(tmp_path / "a.dcm", tmp_path, tmp_path / "." / "a.dcm")
    assert sorted(one.shown for one in found) == ["a.dcm", "b.dcm"]


def test_pipes_and_broken_links_are_set_aside_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Timer(2, lambda: os.open(tmp_path / "pipe", os.O_WRONLY))  # lets a reader go that waits
    writer.daemon = True
    writer.start()
    os.symlink("nowhere", tmp_path / "broken")
    save(dataset(1), tmp_path / "good.dcm")
    found, rejected = read(tmp_path)
    writer.cancel()
    assert [one.shown for one in found] == ["good.dcm"]
    assert {one.shown: one.reason for one in rejected} == {"pipe": "not_a_regular_file", "broken": "unreadable"}


def test_a_link_to_itself_is_set_aside(tmp_path):
    os.symlink("loop", tmp_path / "loop")
    save(dataset(1), tmp_path / "good.dcm")
    found, rejected = read(tmp_path)
    assert [one.shown for one in found] == ["good.dcm"]
    assert [one.shown for one in rejected] == ["loop"]


def test_a_folder_that_links_to_its_parent_is_not_followed(tmp_path):
    save(dataset(1), tmp_path / "a" / "good.dcm")
    os.symlink(tmp_path, tmp_path / "a" / "up")
    assert [one.shown for one in read(tmp_path)[0]] == ["a/good.dcm"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_set_aside(tmp_path):
    save(dataset(1), tmp_path / "a.dcm").chmod(0)
    assert [one.reason for one in read(tmp_path)[1]] == ["unreadable"]


def test_a_path_that_is_not_there_is_the_callers_mistake(tmp_path):
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "nothing")


@pytest.mark.parametrize("name", [".DS_Store", "Thumbs.db"])
def test_what_the_system_leaves_behind_is_no_finding(tmp_path, check, name):
    (tmp_path / name).write_bytes(b"Mac OS X")
    report = check(tmp_path)
    assert ([one.reason for one in report.skipped], report.findings) == (["system_file"], [])


# -- copies ---------------------------------------------------------------------------------------------------------


def test_a_copy_is_counted_once_and_is_no_finding(tmp_path, check):
    save(dataset(1), tmp_path / "a.dcm")
    (tmp_path / "again.dcm").write_bytes((tmp_path / "a.dcm").read_bytes())
    report = check(tmp_path)
    assert [one.shown for one in instances_of(report)] == ["a.dcm"]
    assert [(one.shown, one.reason, one.facts["first"]) for one in report.skipped] == [("again.dcm", "duplicate_file", "a.dcm")]
    assert [one for one in report.findings if one.code.startswith(("file.", "slices.", "pixels."))] == []


def test_same_uid_other_pixels_is_a_collision_and_both_are_kept(tmp_path, check):
    """Case P07: one SOPInstanceUID in two series."""
    save(dataset(1), tmp_path / "a.dcm")
    other = dataset(2, SeriesInstanceUID="1.2.3.1.2", SOPInstanceUID="1.2.3.9.1")
    save(other, tmp_path / "b.dcm")
    report = check(tmp_path)
    assert len(instances_of(report)) == 2
    found = [one for one in report.findings if one.code == "file.uid_collision"]
    assert {(one.status.value, one.subject.series_uid, *one.details["other_series"]) for one in found} == {
        ("fail", "1.2.3.1.1", "1.2.3.1.2"),
        ("fail", "1.2.3.1.2", "1.2.3.1.1"),
    }


def test_same_uid_same_pixels_other_header_warns(tmp_path, check):
    save(dataset(1), tmp_path / "a.dcm")
    save(dataset(1, InstanceNumber=5), tmp_path / "b.dcm")
    assert ("file.duplicate", "warn") in statuses(check(tmp_path))


def test_same_uid_in_another_transfer_syntax_is_no_collision(tmp_path, check):
    """PS3.5 section 10: a lossless change of transfer syntax keeps the SOPInstanceUID; archives do it all day."""
    for syntax in ("explicit", "rle"):
        (tmp_path / syntax).write_bytes(as_bytes(make("ct_head", slices=5, counts=False, transfer_syntax=syntax).datasets[0]))
    assert not {"file.uid_collision"} & {one.code for one in check(tmp_path).findings}


# -- whatever bytes come --------------------------------------------------------------------------------------------

VALID = {
    "classic": as_bytes(make("ct_head", slices=2, matrix=16).datasets[0]),
    "implicit": as_bytes(make("ct_head", slices=2, matrix=16, transfer_syntax="implicit").datasets[0]),
    "big_endian": as_bytes(make("ct_head", slices=2, matrix=16, transfer_syntax="big_endian").datasets[0]),
    "deflated": as_bytes(make("ct_head", slices=2, matrix=16, transfer_syntax="deflated").datasets[0]),
    "rle": as_bytes(make("ct_head", slices=2, matrix=16, transfer_syntax="rle").datasets[0]),
    "enhanced": as_bytes(make("enhanced_mr", slices=2, matrix=16).datasets[0]),
    "mosaic": as_bytes(make("mosaic_epi", slices=4, times=1, matrix=16).datasets[0]),
}
CHANGES = st.lists(
    st.tuples(
        st.integers(0, 4000),
        st.sampled_from(
            [b"\xff", b"\0", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xfe\xff\x00\xe0", b"SQ\0\0", b"UL\1\0", b"\\", b"-1", b"\x7f"]
        ),
        st.sampled_from(["put", "insert", "delete", "cut"]),
    ),
    min_size=1,
    max_size=6,
)


def changed(data, changes):
    broken = bytearray(data)
    for at, new, how in changes:
        at = at % (len(broken) + 1)
        if how == "put":
            broken[at : at + len(new)] = new
        elif how == "insert":
            broken[at:at] = new
        elif how == "delete":
            del broken[at : at + len(new)]
        else:
            del broken[at:]
    return bytes(broken)


@settings(max_examples=400)
@given(st.sampled_from(sorted(VALID)), CHANGES)
def test_no_file_is_lost_and_nothing_is_raised(tmp_path_factory, kind, changes):
    folder = tmp_path_factory.getbasetemp() / "fuzz"
    folder.mkdir(exist_ok=True)
    (folder / "neighbour").write_bytes(VALID["classic"])
    (folder / "broken").write_bytes(changed(VALID[kind], changes))
    found, rejected = read(folder)
    assert len(found) + len(rejected) == 2
    assert [one.shown for one in found if one.shown == "neighbour"]


def test_a_number_of_wrong_length_in_a_functional_group(tmp_path):
    """DimensionIndexValues (UL) of one byte."""
    data = VALID["enhanced"]
    at = data.index(b"\x20\0\x57\x91UL")
    length = struct.unpack("<H", data[at + 6 : at + 8])[0]
    broken = data[: at + 6] + struct.pack("<H", length - 1) + data[at + 8 :]
    (instance,), _ = read_bytes(tmp_path, broken)
    assert instance.get("Modality") == "MR"


@pytest.mark.parametrize("kind", sorted(VALID))
def test_cut_anywhere_it_is_kept_or_set_aside(tmp_path, kind):
    data = VALID[kind]
    for at in range(0, len(data), max(1, len(data) // 150)):
        found, rejected = read_bytes(tmp_path, data[:at])
        assert len(found) + len(rejected) == 1


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(lambda data: 145, id="in the file meta information"),
        pytest.param(lambda data: data.index(b"\x28\0\x10\0US") + 5, id="in the header of an element"),
        pytest.param(lambda data: data.index(b"\x28\0\x02\0US"), id="between two elements, before the image is described"),
    ],
)
def test_a_file_that_is_cut_never_looks_whole(tmp_path, check, end):
    (tmp_path / "cut.dcm").write_bytes(VALID["classic"][: end(VALID["classic"])])
    report = check(tmp_path)
    assert "fail" in {one.status.value for one in report.findings}
