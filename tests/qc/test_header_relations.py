"""Times, sides, views, pixel description, identifiers: each rule found, and silent on its legal neighbour."""

import pytest
from header_made import check, codes, dataset, image, no_secret, run, save, series, told

from qc.checks.laterality import laterality
from qc.checks.pixel_description import pixel_description
from qc.checks.times import times
from qc.checks.uids import uids

ORDER = ("Study", "Series", "Acquisition", "Content", "InstanceCreation")
RIGHT = {f"{name}Date": "20250311" for name in ORDER} | {f"{name}Time": f"12{minute:02d}00" for minute, name in enumerate(ORDER)}


@pytest.mark.parametrize(
    ("tags", "wrong"),
    [
        ({}, False),
        ({"StudyTime": "12", "SeriesTime": "1221", "AcquisitionTime": "122130.5", "ContentTime": "122131.00", "InstanceCreationTime": "1222"}, False),  # H07
        ({"StudyTime": "1221", "SeriesTime": "12", "AcquisitionTime": "1222", "ContentTime": "1223", "InstanceCreationTime": "1224"}, False),  # its hour
        ({"StudyTime": "13", "SeriesTime": "1221"}, True),
        ({"StudyTime": "120600"}, False),  # six minutes before, series at 12:01: exactly five minutes late
        ({"StudyTime": "120601"}, True),
        ({"AcquisitionTime": "122000"}, True),
        ({"ContentDate": "20250314"}, False),  # a reconstruction days later
        ({"ContentDate": "20250310", "ContentTime": "120300"}, True),
        # a midnight passed, with and without new dates
        ({"StudyTime": "235900", "SeriesTime": "235930", "AcquisitionTime": "000100", "ContentTime": "000130", "InstanceCreationTime": "000200"}, False),
        ({"StudyTime": "235900", "SeriesTime": "235930", "AcquisitionDate": "20250312", "AcquisitionTime": "000100", "ContentDate": "20250312",
          "ContentTime": "000130", "InstanceCreationDate": "20250312", "InstanceCreationTime": "000200"}, False),
        # raw data reconstructed once more: the series is opened after the scan, its images are made after that
        ({"SeriesTime": "150000", "ContentTime": "150100", "InstanceCreationTime": "150100"}, False),
        ({"SeriesTime": "150000"}, True),
        # a reformatted series keeps the time of its sources
        ({"ImageType": ("DERIVED", "PRIMARY"), "StudyDate": "20250312", "SeriesDate": "20250312", "ContentDate": "20250312"}, False),
        ({"StudyTime": None}, False),
        ({"StudyTime": "2561", "SeriesTime": None}, False),  # no time: told elsewhere
        ({"PatientIdentityRemoved": "YES", "StudyTime": "180000"}, False),
        ({"StudyDate": "00010101", "SeriesDate": "00010101"}, False),
        ({"AcquisitionDate": None, "AcquisitionTime": None, "AcquisitionDateTime": "20250311120200.5+0100"}, False),
        ({"AcquisitionDate": None, "AcquisitionTime": None, "AcquisitionDateTime": "20250311112000"}, True),
    ],
)  # fmt: skip
def test_order_of_times(tags, wrong):
    found = run(times, series(*(image(**{**RIGHT, **tags}) for _ in range(3))))
    assert {code for code, _ in codes(found)} == ({"header.time_order"} if wrong else set())
    assert all(one.status == "warn" and one.details["count"] == 3 for one in found)


def test_one_moved_clock_is_one_line():
    found = run(times, series(*(image(**{**RIGHT, "StudyTime": "235000", "StudyDate": "20250312"}) for _ in range(50))))
    assert codes(found) == [("header.time_order", "warn")]


def test_time_points_out_of_order():
    def run_of(starts):
        rows = [image(TemporalPositionIdentifier=point, AcquisitionTime=start) for point, start in enumerate(starts, 1) for _ in range(4)]
        return codes(run(times, series(*rows)))

    assert run_of(["120000", "121000", "122000"]) == []
    assert run_of(["120000", "120000", "120000"]) == []
    assert run_of(["235500", "000100"]) == []
    assert run_of(["120000", "122000", "121000"]) == [("header.time_order", "warn")]


# -- side and view ----------------------------------------------------------------------------------------------------

KNEE = {"Modality": "DX", "BodyPartExamined": "KNEE", "SeriesDescription": "Knee AP", "ImageLaterality": "L", "ViewPosition": "AP"}
BREAST = {"Modality": "MG", "BodyPartExamined": "BREAST", "SeriesDescription": "L CC", "ImageLaterality": "L", "ViewPosition": "CC"}


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        (KNEE, None),
        ({**KNEE, "Laterality": "R"}, "header.laterality"),
        ({**KNEE, "Laterality": "L"}, None),
        ({**KNEE, "SeriesDescription": "Knee right AP"}, "header.laterality"),
        ({**KNEE, "SeriesDescription": "Knee LT AP"}, None),
        ({**KNEE, "SeriesDescription": "Knie re ap"}, "header.laterality"),
        ({**KNEE, "SeriesDescription": "Knee both AP"}, None),
        ({**KNEE, "SeriesDescription": "Knee left and right"}, None),
        ({**KNEE, "ImageLaterality": None}, "header.laterality"),  # a paired part without a side
        ({**KNEE, "ImageLaterality": "B"}, None),
        ({**KNEE, "ImageLaterality": "U"}, None),
        ({**KNEE, "ImageLaterality": None, "SeriesDescription": "Knee LT"}, None),  # the description says it
        ({**KNEE, "ImageLaterality": None, "BodyPartExamined": "CHEST", "SeriesDescription": "Chest AP"}, None),
        ({**KNEE, "Modality": "MR", "ImageLaterality": None}, None),  # optional there, and mostly left out
        ({**KNEE, "Modality": "MR", "SeriesDescription": "Right knee"}, "header.laterality"),
        ({**KNEE, "Modality": "MR", "SeriesDescription": "T2 RE-SCAN R"}, None),
        ({**KNEE, "BodyPartExamined": "LSPINE", "SeriesDescription": "R SPINE"}, None),  # no paired part: a letter is no side
        ({**KNEE, "ViewPosition": "PA"}, "header.view"),
        ({**KNEE, "SeriesDescription": "Knee lateral", "ViewPosition": "LL"}, None),
        ({**KNEE, "SeriesDescription": "Knee lateral", "ViewPosition": "AP"}, "header.view"),
        ({**KNEE, "SeriesDescription": "Knee AP LAT", "ViewPosition": "LL"}, None),
        ({**KNEE, "ViewPosition": None}, None),
        ({**KNEE, "ViewPosition": "SUNRISE"}, None),
        (BREAST, None),
        ({**BREAST, "SeriesDescription": "RCC"}, "header.laterality"),
        ({**BREAST, "SeriesDescription": "LMLO"}, "header.view"),
        ({**BREAST, "ImageLaterality": None, "SeriesDescription": "CC"}, "header.laterality"),
    ],
)
def test_side_and_view(tags, code):
    assert codes(run(laterality, series(image(**tags)))) == ([(code, "warn")] if code else [])


def test_a_series_of_several_views_may_be_named_after_one():
    views = series(*(image(**{**KNEE, "ViewPosition": view}) for view in ("AP", "LL")))
    assert run(laterality, views) == []


# -- pixel description ------------------------------------------------------------------------------------------------

PIXELS = {"PhotometricInterpretation": "MONOCHROME2", "SamplesPerPixel": 1, "BitsAllocated": 16, "BitsStored": 12, "PixelRepresentation": 0}
JPEG, JPEG_LOSSLESS, JPEG_2000 = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.91"


@pytest.mark.parametrize(
    ("tags", "code", "status"),
    [
        ({}, None, None),
        ({"PhotometricInterpretation": "RGB"}, "header.photometric", "warn"),
        ({"PhotometricInterpretation": "RGB", "SamplesPerPixel": 3}, None, None),
        ({"SamplesPerPixel": 3}, "header.photometric", "warn"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, None, None),
        ({"PhotometricInterpretation": "YBR_RCT", "SamplesPerPixel": 3}, "header.photometric", "warn"),
        ({"PhotometricInterpretation": "YBR_RCT", "SamplesPerPixel": 3, "syntax": JPEG_2000}, None, None),
        ({"SmallestImagePixelValue": 0, "LargestImagePixelValue": 4095}, None, None),
        ({"SmallestImagePixelValue": 0, "LargestImagePixelValue": 4096}, "header.pixel_range", "info"),
        ({"SmallestImagePixelValue": 9, "LargestImagePixelValue": 8}, "header.pixel_range", "info"),
        ({"SmallestImagePixelValue": 64512, "LargestImagePixelValue": 2047, "PixelRepresentation": 1}, None, None),  # -1024
        ({"SmallestImagePixelValue": 64512, "LargestImagePixelValue": 65535, "BitsStored": 16}, None, None),
        ({"PixelPaddingValue": 63536, "PixelRepresentation": 1, "BitsStored": 16}, None, None),  # -2000
        ({"PixelPaddingValue": 63536}, "header.pixel_range", "info"),
        ({"syntax": JPEG}, "header.lossy", "warn"),
        ({"syntax": JPEG, "LossyImageCompression": "00"}, "header.lossy", "warn"),
        ({"syntax": JPEG, "LossyImageCompression": "01"}, None, None),
        ({"LossyImageCompression": "01"}, None, None),  # compressed with loss once, stored without
        ({"syntax": JPEG_LOSSLESS}, None, None),
        ({"syntax": JPEG_2000}, None, None),  # with or without: the syntax does not say
    ],
)
def test_pixel_description(tags, code, status):
    found = codes(run(pixel_description, series(*(image(**{**PIXELS, **tags}) for _ in range(2)))))
    assert found == ([(code, status)] if code else [])


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ({}, None),
        ({"SOPInstanceUID": "1.2.3.4.5"}, "header.uid_root"),
        ({"StudyInstanceUID": "1.2.840.10008.5.1"}, "header.uid_root"),
        ({"SOPInstanceUID": "1.2.826.0.1.3680043.8.498.17"}, None),  # pydicom's own root is a registered one
        ({"SOPInstanceUID": "1.2.840.113619.2.1"}, None),
        ({"SOPInstanceUID": "1.2.392.200036.9116"}, None),  # begins with 1.2.3 as text only
        ({"FrameOfReferenceUID": "1.2.840.10008.1.4.1.1"}, None),  # a well-known frame of reference: Talairach
        ({"FrameOfReferenceUID": "2.25.1"}, None),
        ({"SeriesInstanceUID": "2.25.1"}, "header.uid_reused"),
    ],
)
def test_identifiers(tags, code):
    assert [one for one, _ in codes(run(uids, series(image(**tags))))] == ([code] if code else [])


# -- text -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("charset", "raw", "wrong"),
    [
        (b"ISO_IR 192", "Zörblatt^Quux".encode(), False),
        (b"ISO_IR 100", "Zörblatt^Quux".encode("latin-1"), False),
        (None, b"Zorblatt^Quux", False),
        (None, "Zörblatt^Quux".encode("latin-1"), True),  # not ASCII, and nothing says how it is written
        (b"ISO_IR 192", "Zörblatt^Quux".encode("latin-1"), True),  # no UTF-8
        (b"ISO 2022 IR 6, IS", b"Zorblatt^Quux", True),
    ],
)
def test_character_sets(tmp_path, charset, raw, wrong):
    made = dataset(PatientName="Z" * (len(raw) + len(raw) % 2), **({"SpecificCharacterSet": "A" * 16} if charset else {}))
    path = save(tmp_path, made) / "0000.dcm"
    data = path.read_bytes().replace(b"Z" * (len(raw) + len(raw) % 2), raw + b" " * (len(raw) % 2))
    if charset:
        data = data.replace(b"A" * 16, charset.ljust(16)[:16] if len(charset) <= 16 else charset[:16])
    path.write_bytes(data)
    report = check(tmp_path, only=("header.values",))
    assert told(report) == ([("header.character_set", "warn")] if wrong else [])
    no_secret(report.findings)
