"""The ACR MRI suite against phantoms whose truth is known, and the cases of public trackers."""

from __future__ import annotations

import random

import numpy as np
import pytest

from phantoms.acr_mri.byhand import Override, SetByHand, for_device, overrides
from phantoms.synthetic import catalogue
from qc.errors import ConfigurationError
from qc.measure.fit import least_squares
from qc.measure.observer import disc_answers
from qc.measure.outline import outline
from qc.measure.profile import plateau, trapezoid
from qc.measure.resolution import edge_mtf
from qc.runner import Options, Runner

ONLY = ("acr_mri", "mr.")


def run(folder, recipe="acr_mri_large", only=ONLY, parameters=None, edit=None, **options):
    # a point spread as wide as the pixels is drawn four times as fast; `test_values_meet_the_truth` takes the usual one
    made = catalogue.make(recipe, **{"blur_mm": 0.7, **options})
    datasets = list(made.datasets)
    random.Random(3).shuffle(datasets)  # no test may depend on file order
    for number, dataset in enumerate(datasets):
        if edit:
            edit(dataset, number)
        dataset.save_as(folder / f"{number}.dcm", enforce_file_format=True)
    with Runner(Options(only=only, parameters=parameters or {})) as runner:
        report = runner.paths([folder])
    broken = [finding.details["traceback"] for finding in report.findings if finding.code == "check.error"]
    assert not broken, broken[0]
    values = {(one.measurement.metric, one.measurement.region): one.measurement for one in report.measurements}
    return values, report, made.truth


def codes(report):
    return {finding.code for finding in report.findings}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"matrix": 512, "rotation_deg": 2.5, "offset_mm": (7.0, -6.0)},
        {"matrix": (256, 192), "fov_mm": (250.0, 245.0), "rotation_deg": -1.5},
        {"recipe": "acr_mri_medium", "tilt_deg": 1.0, "bubble_mm": 4.0},
        {"multiframe": True, "reverse": True, "displacement_mm": (2.0, -1.0)},
    ],
    ids=["plain", "fine turned", "not square", "medium tilted", "enhanced reversed"],
)
def test_values_meet_the_truth(tmp_path, options):
    values, _, truth = run(tmp_path, snr=100.0, thickness_mm=5.3, blur_mm=0.35, **options)
    assert values["acr_mri.diameter", "slice1.horizontal"].value == pytest.approx(truth["diameter_x_mm"], abs=0.1)
    assert values["acr_mri.diameter", "slice1.vertical"].value == pytest.approx(truth["diameter_y_mm"], abs=0.1)
    assert values["acr_mri.diameter", "slice5.vertical"].value == pytest.approx(truth["diameter_y_mm"], abs=0.1)
    assert values["acr_mri.thickness", ""].value == pytest.approx(5.3, abs=0.1)
    for name, right in truth["bar_difference_mm"].items():
        assert values["acr_mri.bar_difference", name].value == pytest.approx(right, abs=0.2)
    assert values["acr_mri.snr", "nema4"].value == pytest.approx(100.0, rel=0.05)


def test_same_phantom_at_two_pixel_sizes_gives_the_same_mm(tmp_path):
    found = []
    for matrix in (256, 512):
        folder = tmp_path / str(matrix)
        folder.mkdir()
        found.append(run(folder, matrix=matrix, snr=200.0, displacement_mm=(3.0, 0.0))[0])
    for key in (("acr_mri.diameter", "slice5.diagonal_sw"), ("acr_mri.thickness", ""), ("acr_mri.bar_difference", "slice1")):
        assert found[0][key].value == pytest.approx(found[1][key].value, rel=0.01)


def test_length_of_the_localizer(tmp_path):
    values, _, _ = run(tmp_path, localizer=True, stretch=(1.0, 1.01))
    assert values["acr_mri.length", "localizer"].value == pytest.approx(148.0 * 1.01, abs=0.1)


@pytest.mark.parametrize("ghost", [0.0, 0.02])
def test_ghosting(tmp_path, ghost):
    # the ghost of the disc fills only a part of the air ellipses, so the four ratios are the truth: two sides as bright as the ghost
    values, _, _ = run(tmp_path, ghost_amplitude=ghost, snr=300.0, offset_mm=(0.0, 0.0))
    one = values["acr_mri.psg", ""]
    ratios = one.details["ratios"]
    assert one.value == pytest.approx(abs(ratios["top"] + ratios["bottom"] - ratios["left"] - ratios["right"]) / 2)
    assert (one.value > 1.0) == (ghost > 0)


def test_small_field_of_view_has_no_ghosting_but_everything_else(tmp_path):
    values, _, _ = run(tmp_path, fov_mm=205.0)
    assert values["acr_mri.psg", ""].reason == "fov_too_small"
    assert values["acr_mri.diameter", "slice1.horizontal"].value == pytest.approx(190.0, abs=0.1)


def test_spokes_all_at_high_snr_and_fewer_with_noise(tmp_path):
    totals = []
    for snr in (3000.0, 100.0, 40.0, 15.0):
        folder = tmp_path / f"{snr:g}"
        folder.mkdir()
        totals.append(run(folder, only=("acr_mri.spokes",), snr=snr)[0]["acr_mri.spokes", "total"].value)
    assert totals[0] == 40
    assert totals == sorted(totals, reverse=True)
    assert totals[-1] < 15


def test_missing_slice_costs_only_the_tests_that_need_it(tmp_path):
    values, report, _ = run(tmp_path, only_slices=(1, 2, 3, 4, 5, 6, 8, 9, 10, 11))
    assert values["acr_mri.piu", ""].reason == "slice_missing"
    assert values["acr_mri.thickness", ""].value == pytest.approx(5.0, abs=0.1)
    assert "acr_mri.slice_missing" in codes(report)


def test_tilt_beyond_two_degrees_has_no_thickness_but_a_sentence(tmp_path):
    values, _, _ = run(tmp_path, tilt_deg=3.0)
    assert values["acr_mri.thickness", ""].reason == "phantom_tilted"
    assert values["acr_mri.diameter", "slice1.horizontal"].value == pytest.approx(190.0 / np.cos(np.deg2rad(3.0)), abs=0.1)


def test_bubble_roll_and_offset_are_said(tmp_path):
    _, report, _ = run(tmp_path, bubble_mm=6.0, rotation_deg=4.0, offset_mm=(9.0, 9.0))
    assert {"acr_mri.air_bubble", "acr_mri.rolled", "acr_mri.off_center"} <= codes(report)


def test_clean_phantom_gives_no_warning(tmp_path):
    _, report, _ = run(tmp_path)
    assert not {code for code in codes(report) if code.startswith("acr_mri.")}


def test_m02_slice_location_does_not_matter(tmp_path):
    """As the position, reversed, all 0, or absent: the same results, to the last digit."""
    found = []
    for kind in ("position", "reversed", "zero", "absent"):

        def locations(dataset, number, kind=kind):
            z = float(dataset.ImagePositionPatient[2])
            dataset.SliceLocation = {"position": z, "reversed": 50.0 - z, "zero": 0.0, "absent": 0.0}[kind]
            if kind == "absent":
                del dataset.SliceLocation

        folder = tmp_path / kind
        folder.mkdir()
        values, report, _ = run(folder, edit=locations, displacement_mm=(1.5, -1.0), matrix=192)
        found.append({key: one.value for key, one in values.items()})
        assert not {code for code in codes(report) if code.startswith("acr_mri.")}
    assert found[0]["acr_mri.bar_difference", "slice1"] == pytest.approx(3.0, abs=0.2)
    assert found[0]["acr_mri.bar_difference", "slice11"] == pytest.approx(-2.0, abs=0.2)
    assert found[1] == found[2] == found[3] == found[0]


def test_m03_two_echoes_give_values_for_each(tmp_path):
    def odd_repetition_time(dataset, number):
        dataset.RepetitionTime = "499.99951171875"

    values, report, _ = run(tmp_path, echo_times_ms=(20.0, 80.0), edit=odd_repetition_time)
    assert [len(series.frames) for study in report.studies for series in study.series] == [22]
    assert not [finding for finding in report.findings if finding.code.startswith("acr_mri.") or "missing" in finding.code]
    for echo in ("te20", "te80"):
        assert values["acr_mri.spokes", f"{echo}.total"].details["contrast"] == "T1"  # by the repetition time, 500 ms within 1 ms
        assert values["acr_mri.thickness", echo].value == pytest.approx(5.0, abs=0.15)
        assert values["acr_mri.diameter", f"{echo}.slice5.horizontal"].value == pytest.approx(190.0, abs=0.1)


def test_m05_sagittal_set_gives_the_values_of_the_axial_one(tmp_path):
    """Positions and directions as in the case: x = 54.9642 - 10 i, y and z the same in all images, rows 0 1 0, columns 0 0 -1."""

    def sagittal(dataset, number):
        at = round((float(dataset.ImagePositionPatient[2]) + 50.0) / 10.0)
        dataset.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
        dataset.ImagePositionPatient = [round(54.9642 - 10 * at, 4), -147.017, -117.818]

    found = []
    for edit in (None, sagittal):
        folder = tmp_path / str(edit is None)
        folder.mkdir()
        found.append(run(folder, edit=edit, displacement_mm=(1.0, 0.0), matrix=192)[0])
    assert found[0].keys() == found[1].keys()
    for key, one in found[0].items():
        if one.unit == "mm":
            assert found[1][key].value == pytest.approx(one.value, abs=0.3), key


def test_m05_picture_turned_by_90_degrees(tmp_path):
    values, _, _ = run(tmp_path, rotation_deg=90.0, displacement_mm=(1.0, 0.0))
    assert values["acr_mri.thickness", ""].value == pytest.approx(5.0, abs=0.1)
    assert values["acr_mri.bar_difference", "slice1"].value == pytest.approx(2.0, abs=0.3)


@pytest.mark.parametrize("difference", [0.0, 3.0])
def test_m07_bars_whatever_the_window_says(tmp_path, difference):
    def window(dataset, number):
        dataset.WindowCenter, dataset.WindowWidth = ((100, 50), (1000, 2000), (1, 1))[number % 3]

    values, _, _ = run(tmp_path, snr=50.0, displacement_mm=(difference / 2, 0.0), edit=window)
    assert values["acr_mri.bar_difference", "slice1"].value == pytest.approx(difference, abs=0.5)


# -- by hand --------------------------------------------------------------------------------------------------------


def test_what_is_set_by_hand_is_recorded(tmp_path):
    kept = overrides(["acr_mri.thickness.roll_deg=0.5"], "physicist", "2025-03-11T10:00:00Z", "roll by eye")
    values, _, _ = run(tmp_path, parameters=kept[0].parameters(), rotation_deg=0.5)
    assert values["acr_mri.thickness", ""].details["by_hand"]["set_by"] == "physicist"
    assert values["acr_mri.thickness", ""].value == pytest.approx(5.0, abs=0.1)
    assert "by_hand" not in values["acr_mri.diameter", "slice1.horizontal"].details


def test_override_without_a_name_is_refused():
    with pytest.raises(ValueError, match="set_by"):
        SetByHand(slice_number=3)
    with pytest.raises(ConfigurationError):
        Override("acr_mri.piu", {"slice_number": 6}, "", "now", "because")
    with pytest.raises(ConfigurationError, match="not of the form"):
        overrides(["nonsense"], "me", "now", "because")


def test_only_overrides_for_the_device_are_used_again():
    one = Override("acr_mri.piu", {"slice_number": 6}, "me", "now", "because", "scanner 1", True)
    assert for_device([one], "scanner 1")["acr_mri.piu"]["slice_number"] == 6
    assert for_device([one], "scanner 2") == {}


# -- measures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spacing", [0.5, 1.0])
def test_outline_of_an_ellipse(spacing):
    from phantoms.synthetic.shapes import Grid, ellipse

    side = int(250 / spacing)
    grid = Grid.shifted(side, side, (spacing, spacing), (0.3, 0.7))
    found = outline(1000 * ellipse(grid, (0.0, 0.0), (95.0, 94.0)), (spacing, spacing))
    assert found.diameter(0.0).value == pytest.approx(190.0, abs=0.05)
    assert found.diameter(90.0).value == pytest.approx(188.0, abs=0.05)
    assert found.center[1] * spacing == pytest.approx((side - 1) / 2 * spacing + 0.3, abs=0.05)


def test_plateau_of_a_ramp_in_noise():
    rng, x, lengths = np.random.default_rng(5), np.arange(-80.0, 80.0, 1.0), []
    for _ in range(40):
        signal = 100.0 * trapezoid(x, 3.0, 50.0, 10.0)
        noise = rng.normal(0, 25.0, (2, 4, len(x)))
        squared = ((signal + noise[0]) ** 2 + noise[1] ** 2).mean(axis=0)
        lengths.append(plateau(x, squared, np.abs(x) > 64, 50.0, 1.0, 2 * 25.0**2).length)
    assert np.mean(lengths) == pytest.approx(50.0, abs=0.6)


def test_ground_that_is_signal_is_no_noise():
    x = np.arange(-80.0, 80.0, 1.0)
    squared = (30.0 + 100.0 * trapezoid(x, 0.0, 50.0, 10.0)) ** 2
    assert plateau(x, squared, np.abs(x) > 64, 50.0, 1.0, 0.0).length == pytest.approx(50.0, abs=0.1)


def test_least_squares_finds_a_line():
    x = np.linspace(0, 1, 50)
    fit = least_squares(lambda p: p[0] + p[1] * x, 2.0 + 3.0 * x, np.array([0.0, 0.0]), np.array([1.0, 1.0]))
    assert fit.values == pytest.approx([2.0, 3.0], abs=1e-6)


@pytest.mark.parametrize("sigma", [0.6, 1.0])
def test_mtf_of_a_gaussian_edge(sigma):
    from scipy.special import erf

    x = np.arange(-10.0, 10.0, 0.1)
    found = edge_mtf(x, 0.5 - 0.5 * erf(x / sigma / np.sqrt(2)))
    assert found.mtf50 == pytest.approx(0.18739 / sigma, rel=0.01)
    assert found.mtf10 == pytest.approx(0.34154 / sigma, rel=0.02)


def test_observer_answers_the_contrast():
    y, x = np.mgrid[-40:41, -40:41].astype(float)
    flat = 0.05 * np.clip(3.5 - np.hypot(x, y) + 0.5, 0, 1)
    assert disc_answers(flat, np.ones(flat.shape, bool), (7.0,), (1.0, 1.0))[0][40, 40] == pytest.approx(0.05, rel=0.1)
