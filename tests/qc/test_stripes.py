"""Stripes and lines: amplitude and period against what was drawn, none in noise or edges."""

import numpy as np
import pytest

from qc.measure.stripes import fine_noise, line, stripes


def noise(shape, sigma=10.0, seed=0):
    return np.random.default_rng(seed).normal(100.0, sigma, shape)


def wave(shape, axis, period, amplitude):
    along = np.arange(shape[axis]) * 2 * np.pi / period
    return amplitude * np.cos(along).reshape((-1, 1) if axis == 0 else (1, -1))


@pytest.mark.parametrize("shape", [(128, 128), (256, 192), (512, 512)])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("period", [2.7, 4.0, 8.0, 11.3])
def test_a_wave_of_one_sd_of_noise_is_measured(shape, axis, period):
    found = stripes(noise(shape) + wave(shape, axis, period, 10.0), axis)
    assert found.amplitude == pytest.approx(10.0, rel=0.16)  # between two frequencies a Hann window loses up to 15 %
    assert found.period_px == pytest.approx(period, rel=0.06)
    assert found.ratio > 25
    assert found.agreement == 1.0
    crossed = stripes(noise(shape) + wave(shape, axis, period, 10.0), 1 - axis)
    assert crossed.ratio < 6


@pytest.mark.parametrize("seed", range(30))
def test_white_noise_has_no_stripes_and_no_lines(seed):
    image = noise((96, 128), seed=seed)
    for axis in (0, 1):
        assert stripes(image, axis).ratio < 6
        found = line(image, axis)
        assert found is None or found.ratio < 5


def test_edges_and_a_table_are_no_stripes_and_no_lines():
    image = noise((256, 256))
    image[60:200, 50:210] += 1000  # a square phantom, in line with the pixels
    image[220, 20:236] += 800  # a table top of one pixel that ends inside
    for axis in (0, 1):
        found = stripes(image, axis)
        assert found.ratio < 6 or found.agreement < 0.8
        crossed = line(image, axis)
        assert crossed is None or crossed.ratio < 5


@pytest.mark.parametrize("axis", [0, 1])
def test_a_dead_line_is_found_at_its_place(axis):
    image = noise((128, 128))
    view = image if axis == 0 else image.T
    view[37] -= 30
    found = line(image, axis)
    assert found.index == 37
    assert -30 < found.step < -15
    assert found.ratio > 5


def test_a_wave_in_a_quarter_of_the_image_does_not_agree():
    image = noise((256, 256))
    image[:, :64] += wave((256, 64), 0, 6.0, 40.0)  # a line-pair insert
    assert stripes(image, 0).agreement < 0.5 or stripes(image, 0).ratio < 6


def test_noise_level_of_white_noise():
    assert fine_noise(noise((512, 512))) == pytest.approx(10.0, rel=0.03)


def test_small_and_constant_images_have_no_answer():
    assert stripes(np.zeros((16, 64)), 0) is None
    assert stripes(np.zeros((64, 64)), 0) is None
    assert line(np.zeros((64, 64)), 0) is None
    assert fine_noise(np.zeros((64, 64))) == 0.0
