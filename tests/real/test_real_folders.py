"""Every folder of real images: nothing breaks, nothing is lost, and what is known about it is found."""

import pytest

from qc.runner import Runner

pytestmark = pytest.mark.real

# folder -> (files, classes of its series)
FOLDERS = {
    "acr_mri_large/GE": (11, {"phantom:acr_mri_large"}),
    "acr_mri_large/GE_Artist_1.5T_T1": (11, {"phantom:acr_mri_large"}),
    "acr_mri_large/GE_Artist_1.5T_T2": (11, {"phantom:acr_mri_large"}),
    "acr_mri_large/GE_Signa_1.5T_Sagittal_Localizer": (1, {"image"}),  # one image, and nothing calls it a localizer
    "acr_mri_large/Philips3TdStream": (11, {"phantom:acr_mri_large"}),
    "acr_mri_large/PhilipsAchieva": (11, {"phantom:acr_mri_large"}),
    "acr_mri_large/PhilipsAchievaLocalizer": (1, {"image"}),
    "acr_mri_large/Siemens": (11, {"phantom:acr_mri_large"}),
    "acr_mri_large/SiemensSolaFit": (11, {"phantom:acr_mri_large"}),
    "acr_mri_large/SiemensSolaFitLocalizer": (1, {"localizer"}),
    "acr_mri_large/Siemens_Sola_1.5T_T1": (1, {"phantom:acr_mri_large"}),
    "acr_mri_medium/ge_artist_t1": (11, {"phantom:acr_mri_medium"}),
    "acr_mri_medium/one_visit": (67, {"phantom:acr_mri_medium", "localizer", "stack_4d"}),
    "ct_catphan504": (65, {"phantom:catphan504", "not_image"}),
    "ct_water": (3, {"image", "phantom:ct_water"}),
    "mri_relaxometry": (22, {"image", "stack_4d"}),
    "mri_uniform": (18, None),
    "nm": (6, None),
    "series/enhanced/XA10": (4, {"stack_4d"}),
    "series/enhanced/7_func-bold_task-fa_run-1": (6, {"stack_4d"}),
    "series/enhanced/8_gre_field_mapping": (2, {"stack_4d"}),
    "series/enhanced/9_gre_field_mapping": (1, {"image"}),
    "series/fmri_4d": (150, {"stack_4d"}),
    "series/gantrytilting_001": (4, {"image"}),
    "series/mosaic": (2, {"mosaic"}),
    "series/notavolume_001": (4, {"image"}),
    "series/slicecount_001": (2, {"image"}),
    "series/sliceincrement_001": (4, {"image"}),
    "series/structural_384": (384, {"derived"}),
    "series/transfer_syntaxes": (9, {"mosaic"}),
}
GEOMETRY = ("slices.", "stack.", "geometry.", "series.")

# What the README of the data says is wrong or worth a remark, by the families above
KNOWN = {
    "mri_relaxometry": {("series.incomplete", "warn"), ("series.too_few", "info")},  # 16 of 24 images at two positions
    "mri_uniform": None,  # single images of many visits
    "series/enhanced/7_func-bold_task-fa_run-1": {("series.incomplete", "warn")},  # 6 of 20 volumes
    "series/fmri_4d": {("stack.motion", "warn")},  # true: volumes correlate with the first by 0.60 to 0.99
    "series/notavolume_001": {("series.not_a_volume", "info")},
    "series/slicecount_001": {("series.too_few", "info")},
    "series/sliceincrement_001": {("slices.missing", "fail")},
}


def codes(report, families=GEOMETRY):
    return {(one.code, one.status.value) for one in report.findings if one.code.startswith(families)}


@pytest.mark.parametrize("folder", FOLDERS)
def test_nothing_breaks_and_nothing_is_lost(report_of, folder):
    files, classes = FOLDERS[folder]
    report = report_of(folder)
    instances = [one for study in report.studies for one in study.instances()]
    assert [one.details["traceback"] for one in report.findings if one.status == "error"] == []
    assert (report.given, len(instances), report.skipped) == (files, files, [])
    if classes:
        assert {series.klass for study in report.studies for series in study.series} == classes


@pytest.mark.parametrize("folder", FOLDERS)
def test_slices_and_stacks(report_of, folder):
    expected = KNOWN.get(folder, set())
    if expected is not None:
        assert codes(report_of(folder)) == expected


@pytest.mark.parametrize("folder", [folder for folder in FOLDERS if folder != "series/transfer_syntaxes"])
def test_good_files_fail_nowhere_but_at_a_limit(report_of, folder):
    failed = {one.code for one in report_of(folder).findings if one.status == "fail"}
    assert failed <= {"limit.exceeded"} | {code for code, _ in KNOWN.get(folder) or ()}


def test_one_slice_missing_between_two_named_images(report_of):
    (finding,) = [one for one in report_of("series/sliceincrement_001").findings if one.code == "slices.missing"]
    assert (finding.status, finding.details["count"]) == ("fail", 1)
    (gap,) = finding.details["gaps"]
    assert (gap["step_mm"], gap["spacing_mm"]) == (pytest.approx(10, abs=0.01), pytest.approx(5, abs=0.01))
    assert finding.details["confidence"] == "low"  # the numbers have no hole


def value(report, metric):
    (one,) = [judged.measurement for judged in report.measurements if judged.measurement.metric == metric]
    return one.value


def test_the_tilted_gantry(report_of):
    assert value(report_of("series/gantrytilting_001"), "geometry.tilt") == pytest.approx(14, abs=0.1)


@pytest.mark.parametrize(
    ("folder", "spacing"),
    [
        ("series/structural_384", 2 / 3),
        ("series/fmri_4d", 5.0),
        ("ct_catphan504", 2.5),
        ("acr_mri_large/GE", 10.0),
        ("acr_mri_large/Siemens_Sola_1.5T_T1", 10.0),
        ("series/sliceincrement_001", 5.0),
    ],
)
def test_spacings_of_the_readme(report_of, folder, spacing):
    assert value(report_of(folder), "geometry.spacing") == pytest.approx(spacing, rel=1e-4)


@pytest.mark.parametrize(
    ("folder", "text"),
    [("series/enhanced/7_func-bold_task-fa_run-1", "6 of 20 time points"), ("mri_relaxometry", "16 of 24 images")],
)
def test_truly_incomplete_series_say_how_much_is_there(report_of, folder, text):
    assert any(text in one.message for one in report_of(folder).findings if one.code == "series.incomplete")


def test_nine_transfer_syntaxes_are_one_measurement(real_data):
    """One mosaic nine times, pixels bit-identical."""
    seen = set()
    with Runner() as runner:
        for path in sorted((real_data / "series" / "transfer_syntaxes").iterdir()):
            report = runner.paths([path])
            assert {one.status.value for one in report.findings} <= {"info"}, path.name
            values = [(judged.measurement.metric, judged.measurement.region, judged.measurement.value) for judged in report.measurements]
            assert values
            seen.add(tuple(sorted(values, key=str)))
    assert len(seen) == 1


def test_everything_in_one_call(report_of):
    """1100 files of many visits, mixed: the books balance and nothing breaks."""
    report = report_of("")
    assert not [one for one in report.findings if one.status == "error"]
    assert report.given == sum(len(series.instances) for study in report.studies for series in study.series) + len(report.skipped)
    # one_visit holds the eleven files of ge_artist_t1 once more; the README files are no DICOM
    reasons = [one.reason for one in report.skipped]
    assert reasons.count("duplicate_file") == 11
    assert set(reasons) == {"duplicate_file", "not_dicom"}
