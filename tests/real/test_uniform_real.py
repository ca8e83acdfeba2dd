"""Uniform and ramp phantoms on real images: bottles, pairs, plates; near what others found."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from qc.runner import Options, Runner

DATA = Path(os.environ.get("PACSQC_REAL_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data") / "mri_uniform"
pytestmark = [pytest.mark.real, pytest.mark.skipif(not DATA.is_dir(), reason="no folder of real images (PACSQC_REAL_DATA)")]


@pytest.fixture(scope="module")
def report():
    with Runner(Options(only=("uniform", "ramps", "mr."))) as runner:
        found = runner.paths([DATA])
    assert not [finding for finding in found.findings if finding.code == "check.error"]
    return found


def values(report, description):
    uids = {series.uid for study in report.studies for series in study.series if series.description == description}
    return {
        (j.measurement.metric, j.measurement.region): j.measurement for j in report.measurements if j.measurement.subject.series_uid in uids
    }


def test_what_each_set_shows(report):
    classes = {series.description: series.klass for study in report.studies for series in study.series}
    assert [klass for klass in classes.values()].count("phantom:mri_ramps") == 2
    assert classes["ghosting_NSA1"] == classes["ghosting_SAG_1nsa"] == classes["Uniformity_tra_oil_prescanNorm"] == "phantom:uniform"
    assert all(classes[name] == "image" for name in classes if "res" in name.casefold() and "repeat" not in name and "prescan" not in name)


def test_slice_thickness(report):
    """MATLAB reference of the hazen project: 5.48 mm; of the second image 4.97 mm, where half of the depth lies 26.9 and 26.0 mm apart."""
    first, second = (values(report, name)["mr.slice_thickness", ""] for name in ("tra_slicewidth5", "COR_SW"))
    assert first.value == pytest.approx(5.48, abs=0.1)
    assert second.value == pytest.approx(4.97, abs=0.35)
    assert second.details["lengths_mm"]["upper"] == pytest.approx(26.9, abs=0.4)


def test_ghosting_of_bottles(report):
    """0.118 % by the small-bottle method of hazen, whose regions are others."""
    assert values(report, "ghosting_NSA1")["mr.ghosting", ""].value == pytest.approx(0.118, abs=0.05)
    for name in ("ghosting_SAG_1nsa", "ghosting_TRA_1nsa"):
        one = values(report, name)["mr.ghosting", ""]
        assert one.value < 0.2
        assert len(one.details["ratios"]) >= 2


def test_pair_of_two_scans(report):
    """Normalised SNR by subtraction of the Siemens pair in hazen: 2130.93 within 2 % (regions of another size)."""
    one = values(report, "seFoV250_2meas_slice5mm_tra_repeat_PSN_noDC")["mr.snr", "nema1"]
    assert one.details["normalised"] == pytest.approx(2130.93, rel=0.05)
    philips = values(report, "SNR_UNI_FILTERS_OFF_CLASSIC_GEOCORR_COR")
    # hazen's 5472 takes stored values: these are real images whose zero is stored as 2048 (intercept -5053), 6978 in place of 1928
    assert philips["mr.snr", "nema1"].details["normalised"] == pytest.approx(5472 * 1928 / 6978, rel=0.2)


def test_every_uniform_object_has_uniformity_and_ghosting_or_a_reason(report):
    uniform = {series.uid: len(series.frames) for study in report.studies for series in study.series if series.klass == "phantom:uniform"}
    assert len(uniform) >= 10
    for metric in ("mr.uniformity", "mr.ghosting"):
        found = [j.measurement for j in report.measurements if j.measurement.metric == metric]
        assert {one.subject.series_uid for one in found} == set(uniform)
        assert all(one.value is not None or one.details["message"] for one in found)
