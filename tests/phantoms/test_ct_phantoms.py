"""CT phantoms against their synthetic truth."""

from __future__ import annotations

import numpy as np
import pytest
from ct_made import klass, run, scan, values

from phantoms.ct.metrics import MTF50
from phantoms.ct.resolution import methods_apart
from qc.results import Status, Subject

SUBJECT = Subject("series")
SMALL = {"matrix": 330, "step_mm": 2.5, "thickness_mm": 2.5}


def close_to_truth(found, truth, hu=0.6):
    for name, value in truth["inserts_hu"].items():
        assert found[f"ct.hu@{name}"] == pytest.approx(value, abs=hu), name
    assert found["ct.roll"] == pytest.approx(truth["roll_deg"], abs=0.1)
    for level in ("mtf50", "mtf10"):
        assert found[f"ct.{level}@air"] == pytest.approx(truth[level], rel=0.025)
    assert found["ct.noise@center"] == pytest.approx(truth["noise_variance_hu2"] ** 0.5, rel=0.04)


# -- every model ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["503", "504", "600", "604", "700"])
def test_each_catphan_is_told_by_its_inserts_and_measured(model):
    made = scan("ct_catphan", model=model, rotation_deg=1.5, noise_hu=4.0, **SMALL)
    report, names = run(made.datasets)
    found = values(names)
    assert klass(report) == f"phantom:catphan{model}"
    close_to_truth(found, made.truth)
    assert found["ct.origin"] == pytest.approx(0.0, abs=1.25)
    if model != "700":
        assert found["ct.thickness@mean"] == pytest.approx(2.5, abs=0.1)
        assert found["ct.distance@mean"] == pytest.approx(50.0, abs=0.1)
        assert found["ct.origin"] == pytest.approx(0.0, abs=0.2)
    else:
        assert names["ct.thickness"].measurement.reason == "no_such_module"
    if model in ("503", "504", "604"):
        assert found["ct.mtf50@bars"] == pytest.approx(made.truth["mtf50"], rel=0.02)
    if model != "503":
        disc = names["ct.cnr@disc15"].measurement
        assert disc.value == pytest.approx(made.truth["cnr"], abs=3 * disc.uncertainty)
    assert abs(found["ct.hu_uniformity@worst"]) < 1.0


@pytest.mark.parametrize("flipped", [False, True])
def test_acr_phantom_from_either_end(flipped):
    made = scan("ct_acr464", flipped=flipped, rotation_deg=-1.2, noise_hu=4.0, offset_mm=(3.0, -4.0))
    report, names = run(made.datasets)
    found = values(names)
    assert klass(report) == "phantom:acr_ct_464"
    close_to_truth(found, made.truth, 0.4)
    assert found["ct.thickness@mean"] == pytest.approx(5.0, abs=0.15)
    assert found["ct.distance@beads"] == pytest.approx(100.0, abs=0.1)
    assert found["ct.mtf50@bars"] == pytest.approx(made.truth["mtf50"], rel=0.02)
    assert found["ct.resolved@bars"] == 6.0
    assert found["ct.offset@right"] == pytest.approx(3.0, abs=0.05)
    assert found["ct.offset@down"] == pytest.approx(-4.0, abs=0.05)
    disc = names["ct.cnr@disc25"].measurement
    assert disc.value == pytest.approx(made.truth["cnr"], abs=3 * disc.uncertainty)


@pytest.mark.parametrize("matrix", [256, 420])
def test_lengths_in_mm_do_not_depend_on_the_pixels(matrix):
    made = scan("ct_catphan", matrix=matrix, noise_hu=3.0, step_mm=2.5, thickness_mm=2.5, start_mm=-15.0, end_mm=15.0)
    found = values(run(made.datasets)[1])
    assert found["ct.thickness@mean"] == pytest.approx(2.5, abs=0.075)
    assert found["ct.distance@mean"] == pytest.approx(50.0, abs=0.05)


@pytest.mark.parametrize(("thickness", "step"), [(1.0, 1.0), (5.0, 5.0), (3.0, 1.5)])
def test_slice_thickness_over_its_range(thickness, step):
    made = scan("ct_catphan", matrix=300, thickness_mm=thickness, step_mm=step, start_mm=-17.0, end_mm=17.0, noise_hu=3.0)
    found = values(run(made.datasets)[1])
    assert found["ct.thickness@mean"] == pytest.approx(thickness, abs=max(0.1, 0.03 * thickness))
    assert found["ct.origin"] == pytest.approx(0.0, abs=0.3)


def test_pins_of_another_distance_are_measured_as_they_are():
    made = scan("ct_catphan", pins_mm=49.0, start_mm=-15.0, end_mm=15.0)
    found = values(run(made.datasets)[1])
    assert found["ct.distance@mean"] == pytest.approx(49.0, abs=0.05)


def test_tilt_is_stated_and_leaves_the_values_right():
    made = scan("ct_catphan", tilt_deg=(1.0, -0.6), noise_hu=3.0, start_mm=-17.5, end_mm=17.5)
    found = values(run(made.datasets)[1])
    assert found["ct.tilt@right"] == pytest.approx(1.0, abs=0.15)
    assert found["ct.tilt@down"] == pytest.approx(-0.6, abs=0.15)
    assert found["ct.hu@teflon"] == pytest.approx(990.0, abs=0.6)
    assert found["ct.distance@mean"] == pytest.approx(50.0, abs=0.1)
    assert found["ct.thickness@mean"] == pytest.approx(2.5, abs=0.1)


def test_cupping_noise_spectrum_and_ring_are_what_was_put_in():
    made = scan("ct_catphan", start_mm=-78.0, end_mm=16.0, noise_hu=5.0, noise_peak=0.3, cupping_hu=10.0, ring_hu=6.0, ring_mm=24.0)
    _, names = run(made.datasets)
    found = values(names)
    expected = 10.0 * (53.0 / 101.0) ** 2  # both regions are discs of one radius, so their own averaging cancels
    assert found["ct.hu_uniformity@top"] == pytest.approx(expected, abs=0.6)
    assert found["ct.nps_peak@center"] == pytest.approx(0.3, rel=0.05)
    assert found["ct.ring"] == pytest.approx(6.0, rel=0.15)
    assert names["ct.ring"].measurement.details["radius_mm"] == pytest.approx(24.0, abs=0.8)
    assert found["ct.noise@difference"] == pytest.approx(5.0, rel=0.03)


# -- parts that are not there; see test_ct_disturbed for more ----------------------------------------------------------


@pytest.mark.parametrize("options", [{"rotation_deg": 10.0, "offset_mm": (20.0, 0.0), "fov_mm": 260.0}, {"flipped": True}])
def test_half_of_the_insert_module_gives_right_values_or_the_right_reason(options):
    made = scan("ct_catphan", noise_hu=3.0, **options)
    names = run([d for d in made.datasets if abs(float(d.ImagePositionPatient[2])) < 9])[1]
    found = values(names)
    right = {
        **{f"ct.hu@{name}": (value, 0.8) for name, value in made.truth["inserts_hu"].items()},
        "ct.roll": (made.truth["roll_deg"], 0.1), "ct.origin": (0.0, 1.25), "ct.thickness@mean": (2.5, 0.1), "ct.distance@mean": (50.0, 0.1),
        "ct.mtf50@air": (made.truth["mtf50"], 0.01),
    }  # fmt: skip
    assert {name: found[name] for name, (value, within) in right.items() if abs(found[name] - value) > within} == {}
    assert names["ct.hu_uniformity"].measurement.reason == "module_not_scanned"


def test_cut_by_the_field_of_view_is_said_not_crashed():
    made = scan("ct_catphan", fov_mm=190.0, matrix=300, offset_mm=(30.0, 0.0), noise_hu=3.0, start_mm=-17.5, end_mm=35.0)
    report, names = run(made.datasets)
    assert klass(report) == "phantom:catphan504"
    assert names["ct.hu@air"].measurement.value == pytest.approx(-1000.0, abs=1.0)
    assert all(judged.measurement.value is None or abs(judged.measurement.value) < 2000 for judged in names.values())


def test_a_missing_module_takes_no_other_with_it():
    made = scan("ct_catphan", noise_hu=3.0, **SMALL)
    kept = [d for d in made.datasets if not 20 < float(d.ImagePositionPatient[2]) < 45]
    names = run(kept)[1]
    assert names["ct.mtf50@bars"].measurement.reason == "module_not_scanned"
    assert names["ct.mtf50@air"].measurement.value == pytest.approx(made.truth["mtf50"], rel=0.02)
    assert names["ct.hu_uniformity@worst"].measurement.value is not None


def test_clinical_and_uniform_series_are_no_catphan():
    for name, expected in (("ct_head", "image"), ("ct_chest", "image"), ("ct_water", "phantom:ct_water")):
        assert klass(run(scan(name).datasets)[0]) == expected


# -- water ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("diameter", [160.0, 200.0])
def test_water(diameter):
    made = scan("ct_water", water_hu=1.5, noise_hu=4.0, diameter_mm=diameter, offset_mm=(6.0, -3.0))
    names = run(made.datasets)[1]
    found = values(names)
    assert found["ct.hu@water"] == pytest.approx(1.5, abs=0.2)
    assert found["ct.noise@center"] == pytest.approx(4.0, rel=0.03)
    assert abs(found["ct.hu_uniformity@worst"]) < 1.0
    assert found["ct.offset@right"] == pytest.approx(6.0, abs=0.1)
    assert found["ct.offset@down"] == pytest.approx(-3.0, abs=0.1)
    assert names["ct.change@noise"].measurement.reason == "no_baseline"


def test_water_cupping():
    """c (r / R)^2 at r = 0.66 x 105 mm and at the middle; the two discs average alike."""
    made = scan("ct_water", cupping_hu=12.0, noise_hu=3.0)
    found = values(run(made.datasets)[1])
    assert found["ct.hu_uniformity@top"] == pytest.approx(12.0 * (0.66 * 105.0 / 100.0) ** 2, abs=0.6)


def test_water_that_is_cut_by_the_field_of_view():
    made = scan("ct_water", fov_mm=190.0, matrix=256, offset_mm=(20.0, 0.0))
    report, names = run(made.datasets)
    if klass(report) == "phantom:ct_water":
        assert names["ct.hu@water"].measurement.value == pytest.approx(0.0, abs=0.4)


# -- limits -----------------------------------------------------------------------------------------------------------


def test_ranges_of_ct_numbers_hold_for_their_voltage_only():
    low = run(scan("ct_acr464", kvp=80.0, start_mm=-15.0, end_mm=15.0).datasets)[1]
    usual = run(scan("ct_acr464", kvp=120.0, start_mm=-15.0, end_mm=15.0).datasets)[1]
    assert low["ct.hu@water"].verdict.status is Status.INFO
    assert low["ct.hu@water"].verdict.limits is None
    assert usual["ct.hu@water"].verdict.status is Status.PASS


def test_same_answer_twice_and_inputs_unchanged():
    made = scan("ct_catphan", start_mm=-15.0, end_mm=15.0)
    before = made.datasets[3].PixelData
    one, two = values(run(made.datasets)[1]), values(run(made.datasets)[1])
    assert one == two
    assert made.datasets[3].PixelData == before
    assert np.isfinite(list(one.values())).all()


@pytest.mark.parametrize("offset", [(0.0, 0.0), (4.0, -3.0)])
def test_a_ring_in_water_is_found_about_the_middle_of_the_scanner(offset):
    names = run(scan("ct_water", ring_hu=8.0, ring_mm=32.0, noise_hu=4.0, offset_mm=offset).datasets)[1]
    ring = names["ct.ring"]
    assert ring.measurement.value == pytest.approx(8.0, rel=0.2)
    assert ring.measurement.details["radius_mm"] == pytest.approx(32.0, abs=1.0)
    assert ring.measurement.details["significant"]
    assert ring.verdict.status is Status.FAIL
    bare = run(scan("ct_water", noise_hu=4.0, offset_mm=offset).datasets)[1]["ct.ring"]
    assert bare.verdict.status is Status.PASS
    assert not bare.measurement.details["significant"]


@pytest.mark.parametrize(("bars", "told"), [(0.634, 1), (0.60, 0), (None, 0)])
def test_bars_that_differ_from_the_rods_are_told(bars, told):
    """Rods at 0.556 and 0.560: their mean is 0.558, a tenth of it 0.056."""
    made = [MTF50.value(value, SUBJECT, region, uncertainty=0.005) for region, value in (("air", 0.556), ("teflon", 0.560))]
    made.append(MTF50.missing("bars_not_found", SUBJECT, "bars") if bars is None else MTF50.value(bars, SUBJECT, "bars", uncertainty=0.011))
    assert len(list(methods_apart(made, SUBJECT, 0.1))) == told
