"""Cases C of the public trackers, synthesised."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from ct_made import klass, run, scan, values

from phantoms.ct import water
from phantoms.ct.metrics import CHANGE, CT_NUMBER
from qc import criteria
from qc.results import Status, Subject


def test_c04_one_insert_out():
    """Only bone fails (850 to 970), value 846 +- 1."""
    hu = (("bone", 846.0), ("polyethylene", -95.0), ("water", 0.0), ("acrylic", 120.0), ("air", -985.0))
    names = run(scan("ct_acr464", inserts_hu=hu, start_mm=-15.0, end_mm=15.0).datasets)[1]
    numbers = {name: judged for name, judged in names.items() if name.startswith("ct.hu@")}
    assert {name for name, judged in numbers.items() if judged.verdict.status is Status.FAIL} == {"ct.hu@bone"}
    assert numbers["ct.hu@bone"].measurement.value == pytest.approx(846.0, abs=1.0)
    assert len(numbers) == 5


@pytest.mark.parametrize(("value", "status"), [(850.0, Status.PASS), (849.9, Status.FAIL), (970.0, Status.PASS), (970.1, Status.FAIL)])
def test_c04_a_value_equal_to_the_limit_is_inside(value, status):
    facts = {"class": "phantom:acr_ct_464", "kvp": 120.0, "modality": "CT"}
    verdict = criteria.load(("acr-ct",)).judge(CT_NUMBER.value(value, Subject("series"), "bone"), facts)
    assert verdict.status is status
    assert verdict.criteria["confidence"] == "second_hand"


DENSITY = (
    ("teflon", 468.0), ("delrin", 162.0), ("bone20", 100.0), ("acrylic", 80.0), ("air", -999.0), ("polystyrene", -25.0), ("ldpe", -80.0),
    ("bone50", 311.0), ("pmp", -170.0),
)  # fmt: skip


def test_c05_density_like_reconstruction_is_located_and_explained(tmp_path):
    """Against the standard table it fails and says that the kernel explains it; against the kernel's own baseline it passes."""
    made = scan("ct_catphan", model="604", inserts_hu=DENSITY, kernel="Sd36f", noise_hu=3.0, matrix=300, start_mm=-15.0, end_mm=15.0)
    report, names = run(made.datasets)
    assert klass(report) == "phantom:catphan604"
    assert values(names)["ct.hu@teflon"] == pytest.approx(468.0, abs=1.0)
    assert names["ct.hu@teflon"].verdict.status is Status.FAIL
    told = [finding for finding in report.findings if finding.code == "ct_phantom.density_like"]
    assert len(told) == 1
    assert "Sd36f" in told[0].message
    own = tmp_path / "site.toml"
    own.write_text(
        'name = "site"\nversion = "1"\ntitle = "baseline of the kernel"\n'
        + "".join(
            f'[[criterion]]\nmetric = "ct.hu"\nregion = "{name}"\nwhen = {{ kernel = "Sd*" }}\naction_low = {hu - 10}\naction_high = {hu + 10}\n'
            f'edition = "1"\nprovenance = "site"\nconfidence = "site"\n'
            for name, hu in DENSITY
        )
    )
    again = run(made.datasets, criteria=(str(own), "catphan"))[1]
    assert all(judged.verdict.status is Status.PASS for name, judged in again.items() if name.startswith("ct.hu@"))


def test_c05_a_usual_kernel_is_not_accused():
    report, _ = run(scan("ct_catphan", start_mm=-15.0, end_mm=15.0).datasets)
    assert not [finding for finding in report.findings if finding.code == "ct_phantom.density_like"]


def test_c06_empty_slices_at_both_ends_change_nothing():
    """Same values as without them: 0 difference."""
    made = scan("ct_catphan", model="604", air_slices=10, noise_hu=4.0, matrix=300, thickness_mm=5.0, step_mm=5.0)
    report, names = run(made.datasets)
    bare_report, bare = run(made.datasets[10:-10])
    assert klass(report) == klass(bare_report) == "phantom:catphan604"
    assert values(names) == values(bare)


def test_c07_resolution_module_rolled_two_degrees():
    """MTF50 equal to the unrolled rendering within 0.01 lp/mm; roll of that module stated."""
    plain = run(scan("ct_catphan", noise_hu=3.0, matrix=330, start_mm=-15.0, end_mm=36.0).datasets)[1]
    rolled = run(scan("ct_catphan", noise_hu=3.0, resolution_roll_deg=2.0, matrix=330, start_mm=-15.0, end_mm=36.0).datasets)[1]
    for level in ("ct.mtf50@bars", "ct.mtf10@bars"):
        assert values(rolled)[level] == pytest.approx(values(plain)[level], abs=0.01)
    details = rolled["ct.mtf50@bars"].measurement.details
    assert details["module_roll_deg"] == pytest.approx(2.0, abs=0.15)
    assert plain["ct.mtf50@bars"].measurement.details["module_roll_deg"] == pytest.approx(0.0, abs=0.15)


@pytest.mark.parametrize(("value", "status"), [(5.0, Status.PASS), (5.1, Status.FAIL), (-5.0, Status.PASS), (-5.1, Status.FAIL)])
def test_c08_daily_water(value, status):
    facts = {"class": "phantom:ct_water", "kvp": 120.0, "modality": "CT"}
    assert criteria.load(("acr-ct",)).judge(CT_NUMBER.value(value, Subject("series"), "water"), facts).status is status


@pytest.mark.parametrize(("today", "status"), [(4.80, Status.PASS), (4.81, Status.FAIL), (3.20, Status.PASS), (3.19, Status.FAIL)])
def test_c08_noise_against_its_baseline(today, status):
    facts = {"class": "phantom:ct_water", "kvp": 120.0, "modality": "CT"}
    change = CHANGE.value(100 * (today / 4.00 - 1), Subject("series"), "noise")
    assert criteria.load(("acr-ct",)).judge(change, facts).status is status


def test_c08_measured_with_and_without_a_baseline():
    made = scan("ct_water", noise_hu=4.4)
    bare = run(made.datasets)[1]["ct.change@noise"]
    assert bare.measurement.reason == "no_baseline"
    assert bare.verdict.status is Status.NOT_EVALUABLE
    judged = run(made.datasets, parameters={water.water.spec.id: {"baseline_noise_hu": 4.0}})[1]["ct.change@noise"]
    assert judged.measurement.value == pytest.approx(10.0, abs=2.0)
    assert judged.verdict.status is Status.PASS


def test_padding_outside_the_field_of_view_does_not_count():
    made = scan("ct_acr464", start_mm=-15.0, end_mm=15.0)
    padded = []
    for dataset in made.datasets:
        other = copy.deepcopy(dataset)
        stored = other.pixel_array.copy()
        y, x = np.mgrid[: stored.shape[0], : stored.shape[1]] - (stored.shape[0] - 1) / 2
        stored[np.hypot(y, x) > stored.shape[0] / 2] = round(-3024 / 0.25)
        other.PixelData = stored.tobytes()
        padded.append(other)
    assert values(run(padded)[1])["ct.hu@bone"] == values(run(made.datasets)[1])["ct.hu@bone"]
