"""Artefacts put into slice 7 of the ACR phantom are named, and nothing is said where there is nothing."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from phantoms.synthetic.catalogue import make
from phantoms.synthetic.encode import write
from qc.measure import artefacts
from qc.runner import Options, Runner

LEVEL = 1500.0


@pytest.fixture(scope="module")
def clean():
    return make("acr_mri_large", matrix=192, snr=100.0, offset_mm=(4.0, -5.0)).datasets


def said(folder, clean, spoil) -> dict:
    """Findings on the phantom whose slice 7 was spoilt: `spoil` gets the signal and gives what is to be added."""
    datasets = copy.deepcopy(clean)
    slope = float(datasets[6].get("RescaleSlope", 1))
    image = datasets[6].pixel_array * slope
    datasets[6].PixelData = np.clip(np.rint((image + spoil(image)) / slope), 0, 65535).astype(np.uint16).tobytes()
    write(datasets, folder)
    with Runner(Options(only=("acr_mri.artefacts",))) as runner:
        report = runner.paths([folder])
    assert not [finding for finding in report.findings if finding.code == "check.error"]
    return {finding.code: finding for finding in report.findings if finding.code.startswith("acr_mri.")}


def test_nothing_is_said_of_a_clean_phantom(tmp_path, clean):
    assert said(tmp_path, clean, lambda image: 0.0) == {}


@pytest.mark.parametrize(("axis", "name"), [(0, "row"), (1, "column")])
def test_line_of_radio_noise(tmp_path, clean, axis, name):
    def line(image):
        added = np.zeros(image.shape)
        place = [slice(None), slice(None)]
        place[axis] = slice(40, 43)
        added[tuple(place)] = np.abs(np.random.default_rng(1).normal(0, 0.1 * LEVEL, added[tuple(place)].shape))
        return added

    found = said(tmp_path, clean, line)
    assert set(found) == {"acr_mri.zipper"}
    assert found["acr_mri.zipper"].details["axis"] == name
    assert set(found["acr_mri.zipper"].details["lines"]) & {40, 41, 42}
    assert "door" in found["acr_mri.zipper"].advice


def test_spike_in_the_raw_data(tmp_path, clean):
    def wave(image):
        rows, columns = np.indices(image.shape)
        return 0.03 * LEVEL * np.cos(2 * np.pi * (30 * rows + 50 * columns) / 192)

    found = said(tmp_path, clean, wave)
    assert set(found) == {"acr_mri.spikes"}
    row, column = found["acr_mri.spikes"].details["frequency"]
    assert (abs(row), abs(column)) == (pytest.approx(30 / 192, abs=0.01), pytest.approx(50 / 192, abs=0.01))


def test_offset_of_the_receiver(tmp_path, clean):
    def point(image):
        added = np.zeros(image.shape)
        added[96, 96] = 0.3 * LEVEL
        return added

    assert "acr_mri.center_artefact" in said(tmp_path, clean, point)


def test_phantom_turned_by_180_degrees(tmp_path, clean):
    found = said(tmp_path, clean, lambda image: 0.04 * image[::-1, ::-1])
    assert set(found) == {"acr_mri.quadrature_ghost"}
    assert found["acr_mri.quadrature_ghost"].details["percent"] == pytest.approx(4.0, abs=0.5)


def test_wrap_around(tmp_path, clean):
    def wrapped(image):
        added = np.zeros(image.shape)
        added[:6, 40:150] = added[-6:, 40:150] = 0.6 * LEVEL
        return added

    assert "acr_mri.wrap" in said(tmp_path, clean, wrapped)


# -- measures -------------------------------------------------------------------------------------------------------


def flood(seed, center=(122.0, 133.0), sigma=15.0):
    rng = np.random.default_rng(seed)
    y, x = np.indices((256, 256))
    signal = 1500.0 * np.clip(95.0 - np.hypot(y - center[0], x - center[1]) + 0.5, 0, 1)
    return np.hypot(signal + rng.normal(0, sigma, signal.shape), rng.normal(0, sigma, signal.shape))


def test_no_false_alarm_in_noise():
    air = np.hypot(*(np.indices((256, 256)) - np.array([122.0, 133.0])[:, None, None])) > 105
    for seed in range(20):
        image = flood(seed)
        assert not artefacts.spikes(image, 12.0)
        assert artefacts.zipper(image, air, 0, 8.0) is artefacts.zipper(image, air, 1, 8.0) is None
        ghost = artefacts.quadrature_ghost(image, (122.0, 133.0), 95.0, (1.0, 1.0))
        assert ghost is not None
        assert ghost[1] < 6
        assert artefacts.center_point(image) < 6


def test_turned_ghost_needs_an_object_off_the_middle():
    assert artefacts.quadrature_ghost(flood(0, (127.5, 127.5)), (127.5, 127.5), 95.0, (1.0, 1.0)) is None


@pytest.mark.parametrize("share", [0.01, 0.05])
def test_share_of_the_turned_ghost(share):
    image = flood(3, (122.0, 133.0), 1.0)
    ratio, z = artefacts.quadrature_ghost(image + share * image[::-1, ::-1], (122.0, 133.0), 95.0, (1.0, 1.0))
    assert ratio == pytest.approx(share / (1 + share), abs=0.001)  # the ghost lies on the object too
    assert z > 20
