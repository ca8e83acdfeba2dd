"""Global noise level of CT: the mode of local SDs against noise that was put in."""

import numpy as np
import pytest

from qc.measure.noise import most_frequent, tile_deviations


def level(image, tile, low=-300.0, high=300.0):
    return most_frequent(tile_deviations(image, tile, low, high), tile)


@pytest.mark.parametrize("tile", [5, 7, 9])
@pytest.mark.parametrize("seed", range(4))
def test_white_noise(tile, seed):
    image = np.random.default_rng(seed).normal(40, 12, (512, 512))
    assert level(image, tile) == pytest.approx(12.0, rel=0.02)


@pytest.mark.parametrize("tile", [5, 7])
def test_a_chessboard_of_tissues_does_not_count(tile):
    """Tissues of 40 and -80 HU in squares of 30 pixels: the published simulation gives 11.8 of 12 before any correction."""
    y, x = np.mgrid[:512, :512] // 30
    image = np.where((x + y) % 2, 40.0, -80.0) + np.random.default_rng(1).normal(0, 12, (512, 512))
    assert level(image, tile) == pytest.approx(12.0, rel=0.02)


def test_bone_air_and_padding_are_left_out():
    image = np.random.default_rng(1).normal(40, 12, (256, 256))
    image[:100] = -1000 + 3 * np.random.default_rng(2).normal(0, 1, (100, 256))
    image[100:110] = 900.0
    assert level(image, 7) == pytest.approx(12.0, rel=0.03)
    assert len(tile_deviations(image[:98], 7, -300, 300)) == 0


def test_rounding_to_whole_hu_adds_a_twelfth():
    image = np.rint(np.random.default_rng(1).normal(40, 3, (512, 512)))
    assert level(image, 7) == pytest.approx((9 + 1 / 12) ** 0.5, rel=0.02)


def test_smoothed_noise_of_short_range_is_read_where_the_white_noise_estimate_fails():
    """A running mean over 2 x 2 pixels halves the SD and correlates neighbours by 0.5; a 9 x 9 tile loses about 2.2 % of it."""
    white = np.random.default_rng(1).normal(0, 24, (513, 513))
    smooth = (white[1:, 1:] + white[:-1, 1:] + white[1:, :-1] + white[:-1, :-1]) / 4
    n = 9
    along = 1 + 2 * 0.5 * (n - 1) / n  # sum of the correlations along one axis over all pairs, by pixel
    mean_variance = (along / n) ** 2
    expected = 12.0 * np.sqrt((1 - mean_variance) * n * n / (n * n - 1))
    assert level(smooth + 40, n) == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("sigma", [4.0, 40.0, 90.0])
def test_strong_noise_is_not_cut_off(sigma):
    image = np.random.default_rng(3).normal(40, sigma, (512, 512))
    assert level(image, 7, -300, 100) == pytest.approx(sigma, rel=0.03)
