"""CT phantoms on real images; the values are those that others measured (README of the real images)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from qc.results import Status
from qc.runner import Options, Runner

pytestmark = pytest.mark.real


def measured(folder):
    root = Path(os.environ.get("PACSQC_REAL_DATA") or Path(__file__).parents[3] / "shared" / "data")
    if not (root / folder).is_dir():
        pytest.skip("no real images; name their folder in PACSQC_REAL_DATA")
    with Runner(Options(only=("ct_phantom", "ct_water"), criteria=("acr-ct", "catphan"))) as runner:
        report = runner.paths([root / folder])
    assert not [finding for finding in report.findings if finding.status is Status.ERROR]
    return report


@pytest.fixture(scope="module")
def catphan():
    report = measured("ct_catphan504")
    return report, {
        j.measurement.metric + (f"@{j.measurement.region}" if j.measurement.region else ""): j.measurement for j in report.measurements
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [("air", -998), ("pmp", -200), ("ldpe", -102), ("polystyrene", -45), ("acrylic", 115), ("delrin", 340), ("teflon", 997)],
)
def test_ct_numbers_of_the_catphan(catphan, name, value):
    assert catphan[1][f"ct.hu@{name}"].value == pytest.approx(value, abs=max(5.0, 0.02 * abs(value)))


@pytest.mark.parametrize(
    ("name", "value", "tolerance"),
    [
        ("ct.thickness@mean", 2.49, 0.1),
        ("ct.distance@mean", 49.95, 0.1),
        ("ct.roll", -0.30, 0.1),
        ("ct.mtf50@air", 0.559, 0.03),
        ("ct.mtf50@teflon", 0.559, 0.03),
        ("ct.hu_uniformity@top", 5 - 14, 6.0),
        ("ct.hu_uniformity@right", 0 - 14, 6.0),
        ("ct.hu_uniformity@bottom", 6 - 14, 7.0),
        ("ct.hu_uniformity@left", 10 - 14, 6.0),
    ],
)
def test_catphan(catphan, name, value, tolerance):
    assert catphan[1][name].value == pytest.approx(value, abs=tolerance)


def test_catphan_is_recognised_and_every_test_evaluated(catphan):
    report, found = catphan
    assert [series.klass for series in report.studies[0].series] == ["phantom:catphan504", "not_image"]
    assert [name for name, one in found.items() if one.value is None] == []
    middle = found["ct.origin"].value
    series = next(series for series in report.studies[0].series if series.modality == "CT")
    from phantoms.ct.stack import Stack

    with Runner() as runner:
        assert Stack(series, runner.pixels).nearest(middle) == 32


def test_water_is_right_and_its_resolution_slice_is_not_taken_for_water():
    report = measured("ct_water")
    values = [j.measurement.value for j in report.measurements if j.measurement.metric == "ct.hu"]
    assert len(values) == 2
    assert all(abs(value) <= 4 for value in values)
    assert sorted(series.klass for study in report.studies for series in study.series) == ["image", "phantom:ct_water", "phantom:ct_water"]


def test_bars_and_rods_of_the_catphan_differ_and_it_is_told(catphan):
    told = [one for one in catphan[0].findings if one.code == "ct.mtf_methods"]
    assert [one.status for one in told] == [Status.INFO]
    assert told[0].details["bars"] > 1.1 * told[0].details["rods"]
