"""The ACR MRI suite on real images: everything evaluated that the images allow, near what others read."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest

from phantoms.acr_mri import locate
from qc.measure.roi import inside_disc
from qc.runner import Options, Runner

DATA = Path(os.environ.get("PACSQC_REAL_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
pytestmark = [pytest.mark.real, pytest.mark.skipif(not DATA.is_dir(), reason="no folder of real images (PACSQC_REAL_DATA)")]

LARGE = (
    "GE",
    "GE_Artist_1.5T_T1",
    "GE_Artist_1.5T_T2",
    "Philips3TdStream",
    "PhilipsAchieva",
    "Siemens",
    "SiemensSolaFit",
    "Siemens_Sola_1.5T_T1",
)
MAY_BE_NULL = ("acr_mri.snr", "acr_mri.resolution", "acr_mri.psg", "mr.center_frequency", "mr.snr_air")


def measured(folder, only=("acr_mri", "mr.center_frequency", "mr.transmitter")):
    with Runner(Options(only=only)) as runner:
        report = runner.paths([folder])
    assert not [finding for finding in report.findings if finding.code == "check.error"]
    names = {series.uid: series.description for study in report.studies for series in study.series}
    return {
        (names[j.measurement.subject.series_uid], j.measurement.metric, j.measurement.region): j.measurement for j in report.measurements
    }


@pytest.mark.parametrize("name", [f"acr_mri_large/{name}" for name in LARGE] + ["acr_mri_medium/ge_artist_t1", "acr_mri_medium/one_visit"])
def test_everything_is_evaluated(name):
    values = measured(DATA / name)
    assert len(values) >= 20
    missing = [key for key, one in values.items() if one.value is None and key[1] not in MAY_BE_NULL]
    assert not missing


@pytest.mark.parametrize(
    ("name", "metric", "low", "high"),
    [
        ("GE", "acr_mri.piu", 82.5, 84.4),
        ("GE", "acr_mri.psg", 0.49, 0.80),
        ("GE", "acr_mri.thickness", 4.9, 5.25),
        ("Siemens", "acr_mri.piu", 66.7, 67.9),
        ("SiemensSolaFit", "acr_mri.piu", 95.6, 97.0),
        ("SiemensSolaFit", "acr_mri.thickness", 5.1, 5.35),
        ("PhilipsAchieva", "acr_mri.piu", 76.1, 81.6),
        ("Philips3TdStream", "acr_mri.thickness", 4.85, 5.1),
    ],
)
def test_inside_what_others_found(name, metric, low, high):
    values = measured(DATA / "acr_mri_large" / name)
    (one,) = [one for key, one in values.items() if key[1] == metric]
    assert low <= one.value <= high


@pytest.mark.parametrize(
    ("series", "thickness", "bars", "piu", "psg"),
    [("ACR AxT1", 5.21, (-1.38, -1.35), 75.58, 0.162), ("ACR AxT2", 5.18, (-1.44, -1.42), 76.11, 0.308)],
)
def test_manual_reading_of_the_medium_phantom(series, thickness, bars, piu, psg):
    values = measured(DATA / "acr_mri_medium" / "one_visit")
    assert values[series, "acr_mri.thickness", ""].value == pytest.approx(thickness, abs=0.5)
    assert values[series, "acr_mri.bar_difference", "slice1"].value == pytest.approx(bars[0], abs=0.5)
    assert values[series, "acr_mri.bar_difference", "slice11"].value == pytest.approx(bars[1], abs=0.5)
    assert values[series, "acr_mri.piu", ""].value == pytest.approx(piu, abs=1.0)
    assert values[series, "acr_mri.psg", ""].value == pytest.approx(psg, abs=0.05)


HAND = {  # diameters of the medium phantom as a person read them, mm
    "ACR AxT1": {
        "slice1.horizontal": 165.93, "slice1.vertical": 164.81, "slice5.horizontal": 165.36, "slice5.vertical": 165.10,
        "slice5.diagonal_sw": 165.26, "slice5.diagonal_se": 165.68,
    },
    "ACR AxT2": {
        "slice1.horizontal": 165.93, "slice1.vertical": 164.53, "slice5.horizontal": 165.65, "slice5.vertical": 165.38,
        "slice5.diagonal_sw": 165.66, "slice5.diagonal_se": 165.66,
    },
}  # fmt: skip


@pytest.mark.parametrize("series", HAND)
def test_diameters_beside_hand_readings(series):
    """The readings differ by up to 1.4 mm among themselves on a phantom that is round to 0.2 mm at every level of its edge.

    Hence no level of the edge can meet all of them within 0.5 mm: the level at which slice 1 horizontal is met (an eighth of the signal)
    misses slice 1 vertical by a mm, and the other way round. What can be asked: their mean, and each within one pixel (0.98 mm).
    """
    values = measured(DATA / "acr_mri_medium" / "one_visit")
    found = {region: values[series, "acr_mri.diameter", region].value for region in HAND[series]}
    assert max(HAND[series].values()) - min(HAND[series].values()) > 1.0  # why they cannot all be met
    assert max(found.values()) - min(found.values()) < 0.25
    assert sum(found.values()) / 6 == pytest.approx(sum(HAND[series].values()) / 6, abs=0.5)
    for region, read in HAND[series].items():
        assert found[region] == pytest.approx(read, abs=0.977)
    for region in ("slice1.vertical", "slice5.vertical"):
        assert found[region] == pytest.approx(HAND[series][region], abs=0.5)


def spoilt(monkeypatch, spoil):
    """Spoil slices 1 and 11 of every set that is located from now on."""
    orig = locate._locate

    def noisy(series, pixels):
        found = []
        for located in orig(series, pixels):
            edge = located.outline(7)
            level = float(
                np.median(located.slice(7)[inside_disc(located.slice(7).shape, edge.center, 0.8 * edge.radius_mm, located.spacing_mm)])
            )
            slices = [
                spoil(np.asarray(one, float), level).astype(np.float32) if at in (0, 10) else one for at, one in enumerate(located.slices)
            ]
            found.append(dataclasses.replace(located, slices=tuple(slices), _outlines={}, _kept={}))
        return found

    monkeypatch.setattr(locate, "_locate", noisy)


def complex_noise(image, level, rng):
    """2 % of the signal of the phantom, in both channels."""
    return np.hypot(image + rng.normal(0, 0.02 * level, image.shape), rng.normal(0, 0.02 * level, image.shape))


def as_published(image, level, rng):
    """As the perturbed copy of a real set that others test with: half of the pixels less by |noise| of 2 %."""
    return image * np.where(rng.random(image.shape) < 0.5, 1.0, 1 - np.abs(rng.normal(0, 0.0227, image.shape)))


SETS = [f"acr_mri_large/{name}" for name in LARGE] + ["acr_mri_medium/ge_artist_t1"]
LENGTHS = ("acr_mri.thickness", "acr_mri.bar_difference")


@pytest.mark.parametrize("name", SETS)
def test_noise_as_published_moves_little(name, monkeypatch):
    """At most 0.1 mm of thickness and 0.5 mm of bar difference."""
    before, rng = measured(DATA / name, LENGTHS), np.random.default_rng(1)
    spoilt(monkeypatch, lambda image, level: as_published(image, level, rng))
    for key, one in measured(DATA / name, LENGTHS).items():
        assert one.value == pytest.approx(before[key].value, abs=0.1 if key[1] == "acr_mri.thickness" else 0.5), key


@pytest.mark.parametrize("name", SETS)
def test_two_percent_of_the_signal_as_noise(name, monkeypatch):
    """Bars move by at most 0.5 mm; the thickness by 0.1 mm in 49 of 50 draws, that is, by 0.04 mm as the root of the mean square.

    That is what the ramps can tell: at this noise they lie 9 SDs above their ground, and the Cramer-Rao bound is 0.036 mm. Where they lie 3 to 6
    SDs above it (strong shading, 3 T) the bound is 0.04 to 0.14 mm; there the value has to stay within what its standard uncertainty says.
    """
    before, rng, draws = measured(DATA / name, LENGTHS), np.random.default_rng(1), 6
    spoilt(monkeypatch, lambda image, level: complex_noise(image, level, rng))
    moved = {key: [] for key in before}
    told = {key: [] for key in before}
    for _ in range(draws):
        for key, one in measured(DATA / name, LENGTHS).items():
            if one.value is None:
                assert one.reason == "ramps_not_visible"
                continue
            moved[key].append(one.value - before[key].value)
            told[key].append(one.uncertainty)
    for key, off in moved.items():
        assert len(off) >= draws - 1, key
        if key[1] == "acr_mri.thickness":
            assert np.sqrt(np.mean(np.square(off))) < max(0.06, 2.0 * np.mean(told[key])), key
        else:
            assert np.abs(off).max() <= 0.5, key


def test_blurred_slice_is_said():
    with Runner(Options(only=("acr_mri.position",))) as runner:
        report = runner.paths([DATA / "acr_mri_medium" / "one_visit"])
    said = {finding.code for finding in report.findings}
    assert {"acr_mri.plug_not_visible", "acr_mri.blurred"} <= said
