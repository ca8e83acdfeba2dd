"""Real series and the retold cases: what each set must be told, by what its README and expected.json say of it."""

import json

import pydicom
import pytest

from qc.runner import Options, Runner

pytestmark = pytest.mark.real

FAMILIES = ("slices.", "stack.", "series.", "study.", "geometry.")


def integrity(*paths):
    """(code, status) of what is said about slices, stacks and counts, remarks included."""
    with Runner(Options(only=("slices", "completeness"), pixels=False)) as runner:
        report = runner.paths(list(paths))
    return report, [one for one in report.findings if one.code.startswith(FAMILIES) or one.status in ("error",)]


# folder -> (code, status) of all that may be said
SETS = {
    "series/sliceincrement_001": {("slices.missing", "fail")},
    "series/slicecount_001": {("series.too_few", "info")},
    "series/gantrytilting_001": set(),
    "series/notavolume_001": {("series.not_a_volume", "info")},
    "series/fmri_4d": set(),
    "series/mosaic": set(),
    "series/enhanced": {("series.incomplete", "warn")},
    "series/transfer_syntaxes": set(),
    "series/structural_384": set(),
    "mri_relaxometry": {("series.incomplete", "warn"), ("series.too_few", "info")},
    "acr_mri_large": {("study.incomplete", "warn")},  # three studies whose archive counted more objects than are here
    "acr_mri_medium/ge_artist_t1": set(),
    "acr_mri_medium/one_visit": set(),
    "mri_uniform": {("series.not_a_volume", "info")},
    "ct_catphan504": set(),
    "ct_water": set(),
    "nm": set(),
}


@pytest.mark.parametrize("folder", SETS)
def test_sets(folder, real_data):
    _, found = integrity(real_data / folder)
    assert {(one.code, one.status.value) for one in found} == SETS[folder]


def test_the_missing_slice_is_between_the_named_images(real_data):
    _, (found,) = integrity(real_data / "series/sliceincrement_001")
    (gap,) = found.details["gaps"]
    assert (found.details["count"], gap["between"], round(gap["step_mm"], 3), found.details["confidence"]) == (
        1, ["image 9", "image 10"], 10.0, "low",
    )  # fmt: skip


def test_gantry_tilt_of_14_degrees(real_data):
    report, _ = integrity(real_data / "series/gantrytilting_001")
    (tilt,) = [one.measurement.value for one in report.measurements if one.measurement.metric == "geometry.tilt"]
    assert tilt == pytest.approx(14.0, abs=0.01)


def test_the_bold_run_has_6_of_20_volumes(real_data):
    _, (found,) = integrity(real_data / "series/enhanced")
    assert (found.details["expected"], found.details["received"], found.details["missing"]) == (20, 6, tuple(range(7, 21)))


def test_the_relaxometry_series_has_16_of_24_images(real_data):
    _, found = integrity(real_data / "mri_relaxometry")
    (short,) = [one for one in found if one.code == "series.incomplete"]
    assert (short.details["expected"], short.details["received"]) == (24, 16)


def numbered(folder):
    """InstanceNumber -> file, read by pydicom."""
    return {int(pydicom.dcmread(path, stop_before_pixels=True).InstanceNumber): path for path in folder.iterdir()}


def test_fmri_with_one_image_one_location_or_the_tail_lost(real_data):
    """15 positions x 10 volumes, numbered volume after volume: image 52 is the 7th position of volume 4."""
    files = numbered(real_data / "series/fmri_4d")
    assert len(files) == 150
    _, found = integrity(*[path for number, path in files.items() if number != 52])
    assert [(one.code, one.status.value, one.details["missing"]) for one in found] == [("stack.incomplete", "fail", 1)]
    assert found[0].details["cells"][0]["volume"] == 4
    _, found = integrity(*[path for number, path in files.items() if number % 15 != 7])
    assert {(one.code, one.status.value) for one in found} == {("slices.missing", "fail"), ("series.incomplete", "warn")}
    _, found = integrity(*[path for number, path in files.items() if number <= 147])
    assert [(one.code, one.status.value, one.details["missing"]) for one in found] == [("stack.last_volume_incomplete", "warn", 3)]


def test_384_slices_with_three_lost(real_data):
    files = numbered(real_data / "series/structural_384")
    _, found = integrity(*[path for number, path in files.items() if number not in (100, 101, 250)])
    missing = [one for one in found if one.code == "slices.missing"]
    assert [(one.details["count"], one.details["confidence"]) for one in missing] == [(3, "high")]


@pytest.mark.parametrize("case", ["S02", "S04", "S08", "S11", "S12"])
def test_retold_cases(case, real_data):
    expected = json.loads((real_data / "cases/expected.json").read_text())
    name = next(one for one in expected if one.startswith(case))
    with Runner(Options(pixels=False)) as runner:
        report = runner.paths([real_data / "cases" / name])
    serious = [one for one in report.findings if one.status in ("warn", "fail", "error")]
    if expected[name]["expect"] == "clean":
        assert serious == []
        return
    assert {one.status.value for one in serious} == {expected[name]["expect"]}
    assert all(one.code.startswith(tuple(expected[name]["codes"])) for one in serious)


def test_details_of_the_retold_cases(real_data):
    def one(case):
        (folder,) = (real_data / "cases").glob(case + "*")
        (found,) = [found for found in integrity(folder)[1] if found.status != "info"]
        return found

    stopped, points, irregular, missing = one("S04"), one("S08"), one("S11"), one("S12")
    assert (stopped.code, stopped.details["complete"], stopped.details["missing"]) == ("stack.last_volume_incomplete", 5, 3)
    assert (points.details["expected"], points.details["received"]) == (10, 1)
    assert "15 of 150 images" in points.message
    assert irregular.code == "slices.irregular"
    assert [(gap["between"], round(gap["steps"], 3), round(gap["uncovered_mm"], 3)) for gap in irregular.details["gaps"]] == [
        (["image 1", "image 2"], 2.5, 7.5)
    ]
    assert (missing.code, missing.details["count"], missing.details["confidence"]) == ("slices.missing", 4, "high")
