"""The checks that look at every frame: blank, clipped, copied, and the noise estimate."""

import numpy as np
import pytest
from qc_made import dataset, save, statuses

from phantoms.synthetic.catalogue import make
from phantoms.synthetic.encode import write
from qc.checks.pixels import fingerprint

RNG = np.random.default_rng(7)


def picture(low=100, high=900):
    return RNG.integers(low, high, (64, 64), dtype=np.uint16)


def checked(tmp_path, check, pictures, only=("pixels",), **tags):
    for number, values in enumerate(pictures, start=1):
        save(dataset(number, values, **{"BitsStored": 12, "HighBit": 11, "PixelSpacing": [2, 2], **tags}), tmp_path / f"{number}.dcm")
    report = check(tmp_path, only=only)
    report.findings = [one for one in report.findings if one.check in only]  # not of the checks below it, as pixels.scale
    return report


def few(levels, outliers=()):
    """A picture of so many levels, with some bright outliers."""
    values = (np.arange(4096).reshape(64, 64) % levels).astype(np.uint16)
    values.flat[list(outliers)] = 4000
    return values


@pytest.mark.parametrize(
    ("values", "codes"),
    [
        (np.zeros((64, 64), np.uint16), {"pixels.blank"}),
        (np.full((64, 64), 77, np.uint16), {"pixels.blank"}),
        (few(3), {"pixels.blank"}),
        (few(3, outliers=(1, 2)), {"pixels.blank"}),  # a dead pixel does not make a picture
        (few(3, outliers=(0, 1)), {"pixels.blank"}),
        (few(6), set()),
        (picture(), set()),
    ],
)
def test_blank(tmp_path, check, values, codes):
    report = checked(tmp_path, check, [picture(), values, picture()])
    assert {code for code, _ in statuses(report)} == codes
    if codes:
        (finding,) = report.findings
        assert finding.details["images"] == ["image 2"]
        assert finding.evidence


@pytest.mark.parametrize(
    ("modality", "pixels_at_top", "top", "clipped"),
    [
        ("MR", 41, 4095, True),  # 1 %
        ("MR", 4, 4095, False),  # 0.1 % of 4096 is 4.096
        ("MR", 41, 4094, False),  # bright, not cut off
        ("CT", 24, 4095, False),  # 0.96 cm2 of metal
        ("CT", 26, 4095, True),
        ("US", 41, 4095, False),  # white letters
    ],
)
def test_clipped(tmp_path, check, modality, pixels_at_top, top, clipped):
    values = picture()
    values.flat[:pixels_at_top] = top
    report = checked(tmp_path, check, [picture(), values], Modality=modality)
    assert statuses(report) == ([("pixels.clipped", "warn")] if clipped else [])
    measured = {one.measurement.metric: one.measurement.value for one in report.measurements}
    if modality != "US":
        assert measured["pixels.clipped"] == pytest.approx(100 * pixels_at_top / 4096 if top == 4095 else 0)


def test_signed_values_are_clipped_at_their_own_top(tmp_path, check):
    values = RNG.integers(-500, 500, (64, 64), dtype=np.int16)
    values.flat[:100] = 2047
    assert statuses(checked(tmp_path, check, [values], Modality="MR")) == [("pixels.clipped", "warn")]


def test_copies_are_named_and_blank_ones_are_none(tmp_path, check):
    one, zero = picture(), np.zeros((64, 64), np.uint16)
    report = checked(tmp_path, check, [one, picture(), one.copy(), zero, zero])
    (finding,) = [found for found in report.findings if found.code == "pixels.duplicate"]
    assert finding.details["pairs"] == [["image 1", "image 3"]]


@pytest.mark.parametrize("size", [1, 7, 8, 9, 64, 1001])
def test_fingerprints_of_equal_and_of_different_images(size):
    one = RNG.integers(0, 255, size, dtype=np.uint8)
    assert fingerprint(one) == fingerprint(one.copy())
    for at in {0, size // 2, size - 1}:
        other = one.copy()
        other[at] ^= 1
        assert fingerprint(other) != fingerprint(one)
    assert fingerprint(one) != fingerprint(np.concatenate([one, [0]]).astype(np.uint8))
    if size > 16:
        assert fingerprint(one[::-1]) != fingerprint(one)


def test_an_old_overlay_is_a_remark(tmp_path, check):
    report = checked(tmp_path, check, [picture() | 0x8000])
    assert [(one.code, one.status.value) for one in report.findings] == [("pixels.high_bits", "info")]


def test_no_bits_stored_at_all(tmp_path, check):
    report = checked(tmp_path, check, [picture().astype(np.int16)], BitsStored=0, HighBit=0, Modality="MR")
    assert "check.error" not in {one.code for one in report.findings}


# -- noise ----------------------------------------------------------------------------------------------------------


def noise(tmp_path, check, recipe, **options):
    study = make(recipe, **options)
    write(study.datasets, tmp_path)
    return study.truth, {one.measurement.metric: one.measurement for one in check(tmp_path, only=("noise",)).measurements}


@pytest.mark.parametrize(
    ("recipe", "metric", "truth_of"), [("uniform_disc", "mr.noise_estimate", "noise_sd"), ("ct_water", "ct.noise_estimate", "noise_hu")]
)
def test_noise_that_was_put_into_a_uniform_object(tmp_path, check, recipe, metric, truth_of):
    truth, found = noise(tmp_path, check, recipe)
    assert found[metric].value == pytest.approx(truth[truth_of], rel=0.07)


def test_noise_that_was_put_into_anatomy(tmp_path, check):
    truth, found = noise(tmp_path, check, "ct_head", slices=20)
    assert found["ct.noise_estimate"].value == pytest.approx(truth["noise_hu"], rel=0.15)
    assert found["ct.noise_wavelet"].value == pytest.approx(truth["noise_hu"], rel=0.15)


@pytest.mark.parametrize("slope", [1.0, 0.5])
def test_noise_is_in_the_unit_of_the_image(tmp_path, check, slope):
    truth, found = noise(tmp_path, check, "uniform_disc", slope=slope)
    assert found["mr.noise_estimate"].value == pytest.approx(truth["noise_sd"], rel=0.05)
    assert found["mr.snr_estimate"].value == pytest.approx(truth["snr"], rel=0.06)
    assert found["mr.noise_wavelet"].value == pytest.approx(truth["noise_sd"], rel=0.05)


def test_filtered_images_give_no_value(tmp_path, check):
    _, found = noise(tmp_path, check, "uniform_pair", noise_blur_mm=1.0)
    assert set(found) == {"mr.noise_estimate", "mr.snr_estimate", "mr.noise_wavelet"}
    for one in found.values():
        assert (one.value, one.reason) == (None, "noise_correlated")
