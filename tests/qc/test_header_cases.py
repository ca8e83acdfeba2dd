"""Cases from public trackers (H), real images and the synthetic catalogue, through the whole run: right code and status, no identifier told."""

import json
import os
from pathlib import Path

import pydicom
import pytest
from header_made import check, told

from phantoms.synthetic.catalogue import make
from phantoms.synthetic.encode import write

IDENTIFIERS = ("PatientName", "PatientID", "PatientBirthDate", "AccessionNumber")


@pytest.fixture(scope="module")
def real():
    folder = Path(os.environ.get("PACSQC_REAL_DATA") or Path(__file__).parents[3] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real images: {folder} is not there; name their folder in PACSQC_REAL_DATA")
    return folder


def identifiers_of(folder):
    """Patient identifiers in the files, read by pydicom alone; those too short to mean one person are left out."""
    found = set()
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix != ".json":
            try:
                data = pydicom.dcmread(path, stop_before_pixels=True, force=True)
                values = [str(data.get(keyword, "")) for keyword in IDENTIFIERS]
            except Exception:
                continue
            study_date = str(data.get("StudyDate", ""))  # may be told; anonymisers write the same stand-in into both dates
            found |= {value for value in values if value != study_date and len(value) >= 5 and any(char not in "0/.- " for char in value)}
    return found


@pytest.mark.real
@pytest.mark.parametrize("case", ["H01", "H03", "H06", "H07", "H08"])
def test_cases_of_headers(real, case):
    (folder,) = (real / "cases").glob(f"{case}_*")
    expected = json.loads((real / "cases" / "expected.json").read_text())[folder.name]
    report = check(folder)
    bad = [one for one in report.findings if one.status in ("warn", "fail", "error")]
    if expected["expect"] == "clean":
        assert bad == []
    else:
        assert [one.status.value for one in bad] == [expected["expect"]]  # said once
        assert bad[0].code.startswith(tuple(expected["codes"]))
    text = repr(report.findings) + repr(report.measurements)
    assert not [value for value in identifiers_of(folder) if value in text]


@pytest.mark.real
def test_case_h03_the_garbled_name_is_nobody_else(real):
    (folder,) = (real / "cases").glob("H03_*")
    assert [code for code, _ in told(check(folder), "identity")] == []


@pytest.mark.real
def test_case_h06_says_which_series_holds_whom(real):
    (folder,) = (real / "cases").glob("H06_*")
    (one,) = [one for one in check(folder).findings if one.code == "identity.two_patients"]
    assert sorted(number for numbers in one.details["patients"].values() for number in numbers) == ["2", "3"]


@pytest.mark.real
@pytest.mark.parametrize(
    "name", ["acr_mri_large", "acr_mri_medium", "mri_uniform", "mri_relaxometry", "ct_catphan504", "ct_water", "nm", "series"]
)
def test_no_identifier_of_real_images_is_told(real, name):
    report = check(real / name, only=("header", "identity", "protocol"))
    text = repr([(one.message, one.details, one.advice) for one in report.findings])
    words = {value for value in identifiers_of(real / name) if not value.casefold().startswith(("anon", "phantom", "acr"))}
    assert not [value for value in words if value in text]


@pytest.mark.real
def test_what_real_images_are_told(real):
    """Everything of status warn or worse that header checks say of the real series is true of the files."""
    found = {
        (one.code, one.details.get("keyword", ""))
        for one in check(real / "series", only=("header", "identity")).findings
        if one.status != "info"
    }
    # three of the sets share the ID dicom2nifti and have three birth dates
    assert found == {("header.value", "PatientAge"), ("header.not_constant", "SeriesNumber"), ("identity.history_differs", "")}


SMALL = {
    "ct_head": {"slices": 5, "matrix": 32}, "mr_brain": {"slices": 5, "matrix": 32}, "mr_4d": {"slices": 4, "times": 3, "matrix": 32},
    "dx_chest": {"matrix": 48}, "mg_breast": {"matrix": (48, 32)}, "us_cine": {"frames": 3, "matrix": (32, 40)}, "pt_brain": {"slices": 5, "matrix": 32},
    "enhanced_mr": {"slices": 5, "matrix": 32}, "enhanced_ct": {"slices": 5, "matrix": 32}, "screenshot": {}, "nm_flood": {}, "mosaic_epi": {},
}  # fmt: skip


@pytest.mark.parametrize("recipe", SMALL)
def test_a_clean_study_of_every_kind_gives_nothing(tmp_path, recipe):
    write(make(recipe, 1, **SMALL[recipe]).datasets, tmp_path)
    assert told(check(tmp_path, only=("header", "identity", "protocol"))) == []


def changed(tmp_path, recipe, **tags):
    datasets = make(recipe, 1, **SMALL[recipe]).datasets
    for one in datasets:
        for keyword, value in tags.items():
            setattr(one, keyword, value)
    write(datasets, tmp_path)
    return told(check(tmp_path, only=("header", "identity")))


@pytest.mark.parametrize(
    ("recipe", "tags", "expected"),
    [
        ("mg_breast", {"ImageLaterality": "R", "SeriesDescription": "L CC"}, [("header.laterality", "warn")]),
        ("ct_head", {"StudyTime": "235900"}, [("header.time_order", "warn")]),
        ("ct_head", {"PatientAge": "001D"}, [("identity.age", "warn")]),
        ("dx_chest", {"SmallestImagePixelValue": 9, "LargestImagePixelValue": 1}, [("header.pixel_range", "info")]),
        ("mr_brain", {"PatientSex": "O"}, []),
        ("ct_head", {"RescaleSlope": ""}, [("header.standard_blocks", "warn")]),
    ],
)
def test_one_thing_wrong_is_one_line(tmp_path, recipe, tags, expected):
    found = changed(tmp_path, recipe, **tags)
    assert sorted(set(found)) == expected
