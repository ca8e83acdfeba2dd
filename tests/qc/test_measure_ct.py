"""Measures of CT against analytic truth."""

from __future__ import annotations

import numpy as np
import pytest

from phantoms.synthetic.ct_stack import coloured_noise, mtf_crossing
from phantoms.synthetic.degrade import through_psf
from phantoms.synthetic.shapes import Grid, disc
from qc.measure import mtf, nps, rings
from qc.measure.detectability import detectability, disc_task
from qc.measure.width import width_at_half

# -- noise power spectrum ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pixel", [0.4, 0.8])
def test_white_noise_has_a_flat_spectrum_of_variance_times_pixel_area(pixel):
    rng = np.random.default_rng(1)
    found = nps.noise_power_spectrum(rng.normal(0, 10, (150, 64, 64)), (pixel, pixel))
    assert found.variance == pytest.approx(100.0, rel=0.01)
    assert found.radial[2:].mean() == pytest.approx(100.0 * pixel**2, rel=0.01)
    assert found.peak_frequency is None
    assert np.abs(found.radial[3:] / (100.0 * pixel**2) - 1).max() < 0.15


@pytest.mark.parametrize(("pixel", "peak"), [(0.5, 0.3), (0.7, 0.3), (0.5, 0.15), (0.4, 0.6)])
def test_band_pass_noise_has_its_peak_where_it_was_put(pixel, peak):
    """The band is a Gaussian round the peak, so its maximum is the peak; the bin width is 0.03 to 0.04 per mm."""
    rng = np.random.default_rng(2)
    whole = [coloured_noise((256, 256), pixel, 8.0, peak, rng) for _ in range(6)]
    found = nps.noise_power_spectrum(
        [image[r : r + 64, c : c + 64] for image in whole for r in range(0, 193, 32) for c in range(0, 193, 32)], (pixel, pixel)
    )
    assert found.peak_frequency == pytest.approx(peak, rel=0.03)
    assert found.mean_frequency == pytest.approx(peak, rel=0.03)
    assert found.variance == pytest.approx(64.0, rel=0.02)


def test_a_trend_does_not_enter_the_spectrum():
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:64, :64]
    bowl = 0.02 * (x - 30) ** 2 + 0.5 * y
    found = nps.noise_power_spectrum(rng.normal(0, 5, (100, 64, 64)) + bowl, (0.5, 0.5))
    assert found.variance == pytest.approx(25.0, rel=0.015)


def test_no_region_no_spectrum():
    assert nps.noise_power_spectrum([], (1.0, 1.0)) is None
    assert nps.tiles((50, 50), (25, 25), 10.0, (1.0, 1.0), 64) == []


# -- modulation transfer function -------------------------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [0.4, 0.7, 1.0])
def test_edge_of_a_gaussian_has_its_fifty_percent_at_0_187_over_sigma(sigma):
    from scipy.special import erf

    places = np.arange(-6, 6, 0.05)
    curve = mtf.from_edge_spread(places, 500 * (1 - erf(places / sigma / np.sqrt(2))))
    assert curve.at(0.5) == pytest.approx(0.18739 / sigma, rel=0.003)
    assert curve.at(0.1) == pytest.approx(0.34155 / sigma, rel=0.005)


@pytest.mark.parametrize("pixel", [0.4, 0.8])
@pytest.mark.parametrize("contrast", [-1100.0, 900.0])
def test_rim_of_a_disc_gives_the_mtf_in_mm_whatever_the_pixels(pixel, contrast):
    grid = Grid.shifted(round(60 / pixel), round(60 / pixel), (pixel, pixel), (0.13, -0.21))
    image = through_psf(grid, lambda g: contrast * disc(g, (0, 0), 12.0), 0.6)
    row, column = grid.to_pixels([(0, 0)])[0]
    places, edge = mtf.disc_edge(image, (row, column), 12.0, (pixel, pixel), 8.0)
    curve = mtf.from_edge_spread(places, edge)
    assert curve.at(0.5) == pytest.approx(mtf_crossing(0.6, pixel, 0.5), rel=0.015)
    assert curve.at(0.1) == pytest.approx(mtf_crossing(0.6, pixel, 0.1), rel=0.02)


@pytest.mark.parametrize("pixel", [0.3, 0.5])
def test_point_gives_the_mtf(pixel):
    from scipy.special import erf

    at, sigma = (20.3, 19.8), 0.6
    edges = [(np.arange(41 + 1) - 0.5 - c) * pixel / sigma / np.sqrt(2) for c in at]
    image = 1e4 * np.outer(*(np.diff(erf(edge)) / 2 for edge in edges))
    curve = mtf.from_point(image, at, 3.5, (pixel, pixel))
    assert curve.at(0.5) == pytest.approx(mtf_crossing(sigma, pixel, 0.5), rel=0.01)
    assert curve.at(0.1) == pytest.approx(mtf_crossing(sigma, pixel, 0.1), rel=0.01)


def test_a_curve_that_does_not_fall_has_no_crossing():
    assert mtf.crossing(np.array([0.0, 1.0]), np.array([1.0, 0.8]), 0.5) is None


def test_bars_give_two_over_pi_of_their_contrast_whatever_the_phase():
    places = np.arange(-10, 10, 0.01)
    for phase in (0.0, 0.3, 0.7):
        bars = 700.0 * (((places + phase) % 1.0) < 0.5)
        assert mtf.bar_amplitude(places, bars, 1.0, -1.0, 1.0) == pytest.approx(2 * 700.0 / np.pi, rel=0.01)


@pytest.mark.parametrize("offset", [-1000.0, 0.0, 500.0])
def test_droege_morin_gives_the_modulation_of_a_sine_whatever_zero_is(offset):
    """A bar pattern of contrast 1000 whose fundamental alone is passed with 0.5: SD 225.1 (see the docstring); noise taken away."""
    rng = np.random.default_rng(4)
    x = np.arange(0, 200, 0.05)
    sine = offset + 2 * 1000 * 0.5 / np.pi * np.sin(2 * np.pi * x / 2.0) + rng.normal(0, 60.0, len(x))
    assert mtf.droege_morin(float(sine.std()), 60.0, 1000.0) == pytest.approx(0.5, rel=0.02)


# -- rings, widths, detectability -------------------------------------------------------------------------------------


@pytest.mark.parametrize("amplitude", [8.0, -5.0])
def test_ring_is_found_with_its_amplitude_and_radius(amplitude):
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:300, :300] - 149.5
    radius = np.hypot(y, x) * 0.5
    image = 10.0 * (radius / 70) ** 2 + rng.normal(0, 1, radius.shape) + amplitude * (np.abs(radius - 31.0) < 1.0)
    found = rings.strongest_ring(image, (149.5, 149.5), 5.0, 65.0, (0.5, 0.5))
    assert found.amplitude == pytest.approx(amplitude, rel=0.05)
    assert found.radius_mm == pytest.approx(31.0, abs=1.1)
    assert found.significant


def test_no_ring_no_significance():
    rng = np.random.default_rng(6)
    found = rings.strongest_ring(rng.normal(0, 4, (300, 300)), (149.5, 149.5), 5.0, 65.0, (0.5, 0.5))
    assert not found.significant
    assert rings.strongest_ring(np.zeros((30, 30)), (15, 15), 2.0, 8.0, (1.0, 1.0)) is None


def test_width_at_half():
    x = np.arange(-5, 5, 0.01)
    assert width_at_half(x, np.maximum(0, 1 - np.abs(x) / 2)).width == pytest.approx(2.0, abs=0.02)
    assert width_at_half(x, np.exp(-0.5 * (x / 0.8) ** 2)).width == pytest.approx(2.3548 * 0.8, rel=0.01)
    assert width_at_half(x, x + 6) is None


def test_detectability_in_white_noise_is_contrast_over_noise_times_root_of_the_area():
    f = np.linspace(0, 6, 6001)
    task = disc_task(f, 10.0, 5.0)
    flat = np.full_like(f, (10.0 * 0.5) ** 2)
    expected = 5.0 * np.sqrt(np.pi * 25.0) / (10.0 * 0.5)
    assert detectability(task, np.ones_like(f), flat, f) == pytest.approx(expected, rel=0.01)
    assert detectability(task, np.ones_like(f), flat, f, "pw") == pytest.approx(expected, rel=0.01)
    assert detectability(task, np.ones_like(f), 0 * f, f) is None
    # noise in the band of the task costs the plain observer more than the one that whitens
    bump = flat * (1 + 5 * np.exp(-0.5 * ((f - 0.05) / 0.02) ** 2))
    assert detectability(task, np.ones_like(f), bump, f) < detectability(task, np.ones_like(f), bump, f, "pw") < expected
