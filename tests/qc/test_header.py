"""Header values and constancy, as findings."""

import pytest
from qc_made import codes, dataset, instance, results, save, series, stack, statuses

from phantoms.synthetic.catalogue import make
from phantoms.synthetic.encode import write
from qc.checks.header import values
from qc.checks.identity import constant
from qc.results import Status
from qc.values import Problem

NOW = "20250601"


def found(subject, **params):
    return [(one.code, one.status.value, one.details["keyword"]) for one in results(values, subject, now=NOW, **params)]


def spoilt(keyword, text, count=3):
    """A series in whose images reading found this text to be no legal value."""
    rows = [instance((0, 0, z), z + 1) for z in range(4)]
    for row in rows[:count]:
        row.tags.pop(keyword, None)
        row.problems.append(Problem("header.value", keyword, text))
    return series(rows)


def test_nothing_to_say_about_a_right_header():
    assert found(stack(range(5), StudyDate="20250311", PatientBirthDate="19510607")) == []


def test_case_h01_decimal_comma():
    (one,) = results(values, spoilt("PixelSpacing", "0,143\\0,143"))
    assert (one.code, one.status) == ("header.pixel_spacing", Status.FAIL)
    assert "0,143" in one.message  # quoted, neither 0.143 nor 143
    assert one.details["found"] == ["0,143\\0,143"]
    assert "3 of 4 images" in one.message


def test_case_h08_birth_date_of_zeros_is_said_once():
    (one,) = results(values, spoilt("PatientBirthDate", "00/00/0000", count=4))
    assert (one.code, one.status) == ("header.date", Status.WARN)
    assert "4 of 4 images" in one.message


@pytest.mark.parametrize(
    ("keyword", "text", "code", "status"),
    [
        ("PatientAge", "0Y", "header.value", "warn"),
        ("StudyDate", "20250230", "header.date", "warn"),
        ("ImagerPixelSpacing", "x", "header.pixel_spacing", "fail"),
        ("Rows", "b'x'", "header.pixel_module", "warn"),
        ("ImagePositionPatient", "1\\2\\x", "header.pixel_module", "warn"),
    ],
)
def test_illegal_text_by_what_it_is_needed_for(keyword, text, code, status):
    assert found(spoilt(keyword, text)) == [(code, status, keyword)]


@pytest.mark.parametrize(
    ("date", "wrong"),
    [("20250601", False), ("20250602", False), ("20250603", True), ("19750101", False), ("19741231", True), ("2025.06.03", True)],
)
def test_dates_in_the_future_and_before_the_beginning(date, wrong):
    assert found(stack(range(3), StudyDate=date)) == ([("header.date", "warn", "StudyDate")] if wrong else [])


def test_a_birth_date_may_be_old_but_not_in_the_future():
    assert found(stack(range(3), PatientBirthDate="19230101")) == []
    assert found(stack(range(3), PatientBirthDate="20260101")) == [("header.date", "warn", "PatientBirthDate")]


def test_shifted_dates_of_a_deidentified_study_are_left_alone():
    assert found(stack(range(3), StudyDate="29990101", PatientIdentityRemoved="YES")) == []


def test_one_wrong_clock_is_one_finding():
    (one,) = results(values, stack(range(3), StudyDate="29990101", ContentDate="29990101", SeriesDate="20250101"), now=NOW)
    assert one.details["keyword"] == "StudyDate, ContentDate"


@pytest.mark.parametrize(
    ("uid", "legal"),
    [("1.2.840.10008.5", True), ("1.2.3.0", True), ("1.2.03", False), ("1.2.", False), ("1.2.x", False), ("1" * 65, False), (None, False)],
)
def test_uids(uid, legal):
    rows = [instance((0, 0, z), z + 1, **{"FrameOfReferenceUID": "1"}) for z in range(3)]
    for row in rows:
        row.tags.update(SOPClassUID=uid) if uid else row.tags.pop("SOPClassUID")
    assert found(series(rows)) == ([] if legal else [("header.uid", "fail", "SOPClassUID")])


@pytest.mark.parametrize("spacing", [(0.0, 0.0), (-1.0, 1.0), (1.0,), (1.0, None), (1.0, 1.0, 1.0), 0.5])
def test_pixel_sizes_that_cannot_be(spacing):
    assert found(stack(range(3), PixelSpacing=spacing)) == [("header.pixel_spacing", "fail", "PixelSpacing")]


def test_a_pixel_size_that_is_text():
    """So a DS of a functional group ends that pydicom cannot convert."""
    assert found(stack(range(3), PixelSpacing=("1.0", "x"))) == [("header.pixel_spacing", "fail", "PixelSpacing")]


@pytest.mark.parametrize(
    ("tags", "keyword"),
    [
        ({"BitsStored": 17}, "BitsStored"),
        ({"BitsStored": 12, "HighBit": 15}, "HighBit"),
        ({"PixelRepresentation": 2}, "PixelRepresentation"),
        ({"RescaleSlope": 0, "RescaleIntercept": 1}, "RescaleSlope"),
        ({"BitsStored": 12, "HighBit": 11}, None),
    ],
)
def test_pixel_descriptions_that_contradict_themselves(tmp_path, check, tags, keyword):
    save(dataset(**tags), tmp_path / "f.dcm")
    told = [one.details["keyword"] for one in check(tmp_path, only=("header.values",)).findings if one.code == "header.pixel_module"]
    assert told == ([keyword] if keyword else [])


def test_an_image_without_pixels(tmp_path, check):
    made = dataset()
    del made.PixelData
    save(made, tmp_path / "f.dcm")
    assert ("pixels.absent", "fail") in statuses(check(tmp_path))


# -- constancy ------------------------------------------------------------------------------------------------------


def vary(keyword, usual, other, **tags):
    """Codes of a series of six in which one image has another value."""
    rows = [instance((0, 0, z), z + 1, **{**tags, keyword: other if z == 3 else usual}) for z in range(6)]
    return codes(results(constant, series(rows)))


@pytest.mark.parametrize(
    ("keyword", "usual", "other"),
    [
        ("Modality", "CT", "MR"),
        ("KVP", 120.0, 100.0),
        ("ConvolutionKernel", "H31s", "H60s"),
        ("DeviceSerialNumber", "1", "2"),
        ("PixelSpacing", (0.5, 0.5), (0.5, 0.51)),
        ("PixelSpacing", (0.5, 0.5), (0.5,)),
        ("SliceThickness", 5.0, 2.5),
        ("BitsStored", 12, 16),
        ("FrameOfReferenceUID", "1.2", "1.3"),
        ("RepetitionTime", 500.0, 600.0),
        ("FlipAngle", 90.0, 80.0),
    ],
)
def test_what_the_scanner_sets_once(keyword, usual, other):
    assert vary(keyword, usual, other) == {"header.not_constant": 1}


@pytest.mark.parametrize(
    ("keyword", "usual", "other"),
    [
        ("Exposure", 14, 15),
        ("XRayTubeCurrent", 28, 32),
        ("RescaleSlope", 1.0, 2.0),
        ("WindowCenter", 40.0, 50.0),
        ("AcquisitionTime", "120000", "120001"),
        ("TriggerTime", 1.0, 2.0),
        ("SliceLocation", 0.0, 7.0),
        ("ImagingFrequency", 63.8, 63.9),
        ("PixelSpacing", (0.5, 0.5), (0.5, 0.500001)),
        ("RepetitionTime", 500.0, 499.99951171875),  # case M03
        ("MagneticFieldStrength", 3.0, 2.999),
    ],
)
def test_what_may_vary(keyword, usual, other):
    """Case S02 and metrology 6.3."""
    assert vary(keyword, usual, other) == {}


def test_repetition_time_may_differ_between_echoes():
    rows = [instance((0, 0, z), None, EchoTime=te, RepetitionTime=10 * te) for te in (20.0, 80.0) for z in range(5)]
    assert results(constant, series(rows)) == []


def test_three_planes_of_a_localizer_may_differ():
    rows = [instance((0, 0, z), z, Rows=64 * (z + 1)) for z in range(3)]
    assert results(constant, series(rows, "localizer")) == []
    assert codes(results(constant, series(rows))) == {"header.not_constant": 2}


def test_two_zones_planned_on_purpose_are_no_warning(tmp_path, check):
    write(make("two_zone_ct").datasets, tmp_path)
    assert statuses(check(tmp_path)) == []
