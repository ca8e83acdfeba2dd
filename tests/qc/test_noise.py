"""Noise measures against distributions, sums done by hand, and noise that was put in."""

import numpy as np
import pytest
from scipy import ndimage, stats

from qc.measure.noise import (
    background,
    chi_constants,
    immerkaer,
    lag1_correlation,
    pair,
    relative_uncertainty,
    unbiased,
    wavelet,
    wavelet_rows,
)

# Metrology 1.1: coils, mean / sigma, SD / sigma, mean / SD
TABLE = [
    (1, 1.2533, 0.6551, 1.913),
    (2, 1.8800, 0.6824, 2.755),
    (4, 2.7416, 0.6953, 3.943),
    (8, 3.9380, 0.7014, 5.615),
    (16, 5.6128, 0.7043, 7.969),
    (32, 7.9688, 0.7057, 11.292),
    (64, 11.2916, 0.7064, 15.985),
]


def disc(size=256, radius=73.6):
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    return np.hypot(x, y) <= radius


def magnitude(rng, amplitude, sigma, shape=(256, 256), coils=1):
    """Root sum of squares of `coils` complex channels that share the signal."""
    channels = rng.normal(0, sigma, (coils, 2, *shape))
    channels[:, 0] += amplitude / np.sqrt(coils)
    return np.sqrt((channels**2).sum(axis=(0, 1)))


@pytest.mark.parametrize(("coils", "mean", "sd", "ratio"), TABLE)
def test_constants_of_the_table_and_of_the_chi_distribution(coils, mean, sd, ratio):
    found = chi_constants(coils)
    assert found == pytest.approx((mean, sd), abs=6e-5)
    assert found[0] / found[1] == pytest.approx(ratio, abs=2e-3)
    assert found == pytest.approx((stats.chi(2 * coils).mean(), stats.chi(2 * coils).std()), rel=1e-9)


# -- background -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("coils", [1, 4, 32])
def test_noise_of_the_air_behind_any_number_of_coils(coils):
    air = magnitude(np.random.default_rng(coils), 0, 10, (200, 200), coils)
    found = background(air.ravel(), coils)
    assert found.sigma == pytest.approx(10, rel=3 * relative_uncertainty(40_000))
    assert found.reason is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda rng, air: np.where(rng.random(air.shape) < 0.02, 0, air),  # masked air: 2 % zeros
        lambda rng, air: np.abs(rng.normal(0, 10, air.shape)),  # half-normal, as the phantom of WAD-QC had it
        lambda rng, air: magnitude(rng, 0, 10, air.shape, coils=4),  # four coils taken for one
        lambda rng, air: air + 5,  # an offset
        lambda rng, air: np.full(air.shape, 7.0),
    ],
)
def test_air_that_is_not_rayleigh_gives_no_value(spoil):
    rng = np.random.default_rng(3)
    air = spoil(rng, magnitude(rng, 0, 10, (200, 200))).ravel()
    assert background(air).reason == "background_not_rayleigh"


def test_one_percent_of_zeros_is_still_noise():
    air = np.round(magnitude(np.random.default_rng(4), 0, 10, (200, 200))).ravel()
    assert 0 < background(air).zeros < 0.01
    assert background(air).reason is None


# -- two scans ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_snr_of_two_scans_is_within_three_uncertainties(seed):
    rng = np.random.default_rng(seed)
    mask = disc()
    found = pair(magnitude(rng, 1000, 10), magnitude(rng, 1000, 10), mask)
    allowed = 3 * relative_uncertainty(int(mask.sum()))
    assert found.signal / found.sigma == pytest.approx(100, rel=allowed)
    assert found.signal / found.sigma_adjacent == pytest.approx(100, rel=1.3 * allowed)  # neighbours share pixels: 3/2 the variance
    assert not found.correlated
    assert found.tail == pytest.approx(1, abs=0.05)


def test_two_scans_by_hand():
    """Difference 2 0 / 0 -2: SD 1.63299, noise 1.63299 / sqrt 2; neighbours differ by 2 and 2: sqrt(8 / 4) / sqrt 2 = 1."""
    one, other = np.array([[12.0, 10.0], [10.0, 8.0]]), np.full((2, 2), 10.0)
    found = pair(one, other, np.ones((2, 2), bool))
    assert found.sigma == pytest.approx(np.sqrt(8 / 3) / np.sqrt(2))
    assert found.sigma_adjacent == pytest.approx(1.0)
    assert found.signal == pytest.approx(np.sqrt(100 - found.sigma**2))


def test_drift_between_the_scans_inflates_method_1_only():
    rng = np.random.default_rng(1)
    drift = 0.25 * (np.arange(256) - 127.5)[:, None] * np.ones(256)  # over a disc of radius R its SD is 0.25 R / 2
    found = pair(magnitude(rng, 1000, 10) + drift, magnitude(rng, 1000, 10), disc())
    assert found.sigma == pytest.approx(np.hypot(10, 0.25 * 73.6 / 2 / np.sqrt(2)), rel=0.02)
    assert found.sigma_adjacent == pytest.approx(10, rel=0.03)


@pytest.mark.parametrize("blur", [0.5, 1.0, 2.0])
def test_correlated_noise_is_flagged(blur):
    rng = np.random.default_rng(2)
    scans = [ndimage.gaussian_filter(magnitude(rng, 1000, 10), blur) for _ in range(2)]
    found = pair(*scans, disc())
    assert found.correlated
    assert found.sigma_adjacent < 0.95 * found.sigma  # it would read low


def test_correlation_of_a_gaussian_blur_is_its_autocorrelation():
    """White noise blurred with sigma 1: neighbours correlate by exp(-1/4)."""
    rng = np.random.default_rng(3)
    scans = [ndimage.gaussian_filter(rng.normal(1000, 10, (256, 256)), 1.0) for _ in range(2)]
    assert pair(*scans, disc()).rho == pytest.approx(np.exp(-0.25), abs=0.02)


def test_an_object_that_moved_shows_in_the_tails():
    rng = np.random.default_rng(4)
    scans = [1000 * disc(radius=60) + magnitude(rng, 0, 10), 1000 * np.roll(disc(radius=60), 1, 1) + magnitude(rng, 0, 10)]
    assert pair(*scans, disc(radius=73)).tail > 1.25


def test_identical_scans_have_no_noise():
    image = magnitude(np.random.default_rng(5), 1000, 10)
    assert pair(image, image, disc()).sigma == 0


@pytest.mark.parametrize("snr", [3, 5, 20])
def test_the_rician_bias_is_taken_away(snr):
    """Mean of the Rice distribution, from scipy."""
    mean = stats.rice(snr).mean()
    assert unbiased(mean, 1.0) == pytest.approx(snr, rel=0.01)
    assert abs(unbiased(mean, 1.0) - snr) < 0.2 * (mean - snr)


# -- one image ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ramp", [(0, 0), (2, 0), (-1, 3)])
@pytest.mark.parametrize("sigma", [1.0, 10.0])
def test_immerkaer_is_exact_on_white_noise_with_a_ramp(sigma, ramp):
    y, x = np.mgrid[:512, :512]
    image = np.random.default_rng(8).normal(0, sigma, (512, 512)) + ramp[0] * x + ramp[1] * y
    assert immerkaer(image) == pytest.approx(sigma, rel=0.01)


def test_immerkaer_leaves_edges_out():
    """A checkerboard of squares 16 pixels wide: an eighth of the pixels at an edge, noise unchanged."""
    y, x = np.mgrid[:512, :512] // 16
    image = np.random.default_rng(9).normal(0, 10, (512, 512)) + 500 * ((x + y) % 2)
    assert immerkaer(image) == pytest.approx(10, rel=0.05)


def test_immerkaer_inside_a_mask():
    rng = np.random.default_rng(10)
    mask = disc()
    image = np.where(mask, rng.normal(100, 5, mask.shape), rng.normal(0, 50, mask.shape))
    assert immerkaer(image, ndimage.binary_erosion(mask, iterations=2)) == pytest.approx(5, rel=0.03)


@pytest.mark.parametrize("sigma", [0.7, 1.0, 1.6])
def test_immerkaer_on_whole_numbers(sigma):
    """Quantisation adds 1/12 to the variance, no more."""
    image = np.round(np.random.default_rng(11).normal(1000, sigma, (512, 512)))
    assert immerkaer(image) == pytest.approx(np.sqrt(sigma**2 + 1 / 12), rel=0.05)


@pytest.mark.parametrize(("image", "value"), [(np.zeros((2, 9)), None), (np.ones((9, 9)), 0.0)])
def test_immerkaer_where_there_is_nothing(image, value):
    assert np.isnan(immerkaer(image)) if value is None else immerkaer(image) == value


@pytest.mark.parametrize("shape", [(512, 512), (384, 601)])
@pytest.mark.parametrize("seed", range(4))
def test_wavelet_noise_of_white_noise(shape, seed):
    assert wavelet(np.random.default_rng(seed).normal(100, 12, shape)) == pytest.approx(12, rel=0.02)


def test_one_bright_pixel_gives_the_published_taps():
    """db2 as Daubechies tabulated it: the coefficient of one pixel in a field of 4 x 4 is the product of two taps."""
    taps = np.array([-0.1294095226, -0.2241438680, 0.8365163037, -0.4829629131])
    found = np.array(
        [[wavelet((np.arange(16) == 4 * row + column).reshape(4, 4).astype(float)) for column in range(4)] for row in range(4)]
    )
    assert found * stats.norm.ppf(0.75) == pytest.approx(np.abs(np.outer(taps, taps)), abs=1e-9)


@pytest.mark.parametrize("ramp", [(2, 0), (-1, 3), (0.25, 11)])
def test_a_ramp_is_no_wavelet_noise(ramp):
    y, x = np.mgrid[:256, :256]
    noise = np.random.default_rng(8).normal(0, 12, (256, 256))
    assert wavelet(noise + ramp[0] * x + ramp[1] * y) == pytest.approx(wavelet(noise), rel=1e-9)
    assert wavelet(ramp[0] * x + ramp[1] * y) == pytest.approx(0, abs=1e-9)


def test_wavelet_noise_where_there_is_nothing():
    assert np.isnan(wavelet(np.zeros((3, 9))))
    assert np.isnan(wavelet_rows(*np.ones((4, 2, 9)), np.zeros((2, 9), bool)))
    assert wavelet(np.full((9, 9), 7.0)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("blur", "least", "most"), [(0, -0.02, 0.02), (0.5, 0.15, 0.5), (1, 0.6, 0.85)])
def test_correlation_of_one_image(blur, least, most):
    y, x = np.mgrid[:256, :256]
    image = ndimage.gaussian_filter(np.random.default_rng(12).normal(0, 10, (256, 256)), blur) + 0.01 * (x - 100) ** 2 + 0.3 * y
    assert least < lag1_correlation(image) < most


@pytest.mark.parametrize(("samples", "rho", "percent"), [(100, 0, 7.1), (1000, 0, 2.24), (20_000, 0, 0.5), (900, 0.5, 7.1)])
def test_uncertainty_of_a_standard_deviation(samples, rho, percent):
    """1 / sqrt(2 (n - 1)); 900 samples at rho = 0.5 count for 100."""
    assert 100 * relative_uncertainty(samples, rho) == pytest.approx(percent, rel=0.02)
