"""The cases of public trackers that stand as DICOM folders; `expected.json` beside them has the right answers."""

import json

import pytest

from qc.results import Status, severity

pytestmark = pytest.mark.real

CASES = (
    "F02_pixel_length_too_short", "F04_odd_length_pad_byte", "F07_no_sequence_delimiter", "F08_cine_empty_offset_table",
    "H01_pixel_spacing_decimal_comma", "H03_character_set_not_a_term", "H06_two_patients_in_one_study", "H07_short_but_legal_times",
    "H08_birth_date_slashes", "S02_ct_tube_current_modulated", "S04_ge_epi_interrupted", "S08_one_time_point_of_ten", "S11_ct_first_gap_12_5",
    "S12_ct_3mm_with_6mm_gaps",
)  # fmt: skip


@pytest.fixture(scope="session")
def expected(real_data):
    return json.loads((real_data / "cases" / "expected.json").read_text())


def test_all_cases_are_tried(expected):
    assert set(expected) == set(CASES)


@pytest.mark.parametrize("case", CASES)
def test_case(report_of, expected, case):
    """clean: no warn or fail. warn, fail: a finding of that status whose code begins as given, nothing worse. info: a remark at most."""
    answer, report = expected[case], report_of(f"cases/{case}")
    assert [one for one in report.findings if one.status == "error"] == []
    worst = min((severity(one.status) for one in report.findings), default=severity(Status.PASS))
    if answer["expect"] in ("clean", "info"):
        assert worst >= severity(Status.INFO)
        assert answer["expect"] == "clean" or report.findings
    else:
        assert worst == severity(Status(answer["expect"]))
        matching = [one for one in report.findings if one.status == answer["expect"] and one.code.startswith(tuple(answer["codes"]))]
        assert matching
        # one cause, one finding: nothing else of that weight
        assert len({one.code for one in report.findings if one.status == answer["expect"]}) == 1


def only(report, code):
    (finding,) = [one for one in report.findings if one.code == code]
    return finding


def test_f02_says_announced_needed_and_stray(report_of):
    details = only(report_of("cases/F02_pixel_length_too_short"), "file.pixel_length").details
    assert (details["announced"], details["expected"], details["stray"], details["count"]) == (7200, 8192, 992, 1)


def test_f07_three_files_repairable_and_no_slice_missing(report_of):
    report = report_of("cases/F07_no_sequence_delimiter")
    details = only(report, "file.no_delimiter").details
    assert (details["count"], details["repairable"]) == (3, True)
    assert not [one for one in report.findings if one.code.startswith("slices.")]


def test_f08_all_frames(report_of):
    (study,) = report_of("cases/F08_cine_empty_offset_table").studies
    assert len(study.series[0].frames) == 240


def test_h01_quotes_the_value(report_of):
    assert "0,143" in only(report_of("cases/H01_pixel_spacing_decimal_comma"), "header.pixel_spacing").message


def test_h06_names_series_and_hashes_and_nobody(report_of):
    report = report_of("cases/H06_two_patients_in_one_study")
    patients = only(report, "identity.two_patients").details["patients"]
    assert sorted(patients.values()) == [["2"], ["3"]]
    secrets = {str(one.get(name)) for one in report.studies[0].instances() for name in ("PatientName", "PatientID", "PatientBirthDate")}
    text = " ".join(f"{one.message} {one.details}" for one in report.findings) + repr(report)
    assert not [secret for secret in secrets if secret and secret in text]


def test_h08_is_said_once(report_of):
    assert [one.code for one in report_of("cases/H08_birth_date_slashes").findings] == ["header.date"]


def test_s04_names_the_three_positions(report_of):
    details = only(report_of("cases/S04_ge_epi_interrupted"), "stack.last_volume_incomplete").details
    assert (details["volumes"], details["complete"], details["missing"], len(details["cells"])) == (6, 5, 3, 3)


def test_s08_counts(report_of):
    assert "15 of 150 images" in only(report_of("cases/S08_one_time_point_of_ten"), "series.incomplete").message


def test_s11_two_and_a_half_steps(report_of):
    (gap,) = only(report_of("cases/S11_ct_first_gap_12_5"), "slices.irregular").details["gaps"]
    assert (gap["steps"], gap["uncovered_mm"], gap["spacing_mm"]) == (pytest.approx(2.5), pytest.approx(7.5), pytest.approx(5))
    assert gap["between"] == ["image 1", "image 2"]


def test_s12_four_missing(report_of):
    details = only(report_of("cases/S12_ct_3mm_with_6mm_gaps"), "slices.missing").details
    assert (details["count"], details["confidence"], len(details["gaps"])) == (4, "high", 4)
