"""Noise, blur and ghosts against their formulas."""

import numpy as np
import pytest
from scipy.special import ndtr

from phantoms.synthetic import degrade, shapes
from phantoms.synthetic.degrade import through_psf
from phantoms.synthetic.shapes import Grid


@pytest.mark.parametrize(
    ("coils", "mean", "sd"),
    [(1, 1.2533, 0.6551), (2, 1.8800, 0.6824), (4, 2.7416, 0.6953), (8, 3.9380, 0.7014)],
)
def test_background_of_a_magnitude_image_follows_the_chi_distribution(coils, mean, sd):
    """Constants of metrology 1.1: mean and standard deviation of signal-free root-sum-of-squares, in units of sigma a channel."""
    background = degrade.magnitude_noise(np.zeros((500, 500)), 7.0, np.random.default_rng(coils), coils)
    assert background.mean() / 7.0 == pytest.approx(mean, rel=0.01)
    assert background.std() / 7.0 == pytest.approx(sd, rel=0.01)


@pytest.mark.parametrize("coils", [1, 4])
def test_strong_signal_keeps_its_value_and_gets_the_noise_of_one_channel(coils):
    image = degrade.magnitude_noise(np.full((400, 400), 1000.0), 10.0, np.random.default_rng(3), coils)
    assert image.std() == pytest.approx(10.0, rel=0.01)
    # second moment of the noncentral chi distribution: A² + 2 N sigma²
    assert (image**2).mean() == pytest.approx(1000.0**2 + 2 * coils * 100.0, rel=2e-4)


def test_poisson_noise_has_the_variance_of_its_mean():
    counts = degrade.poisson_noise(np.full((300, 300), 400.0), np.random.default_rng(5))
    assert counts.mean() == pytest.approx(400.0, rel=0.002)
    assert counts.var() == pytest.approx(400.0, rel=0.03)


@pytest.mark.parametrize("sigma", [0.35, 2.4])
def test_an_edge_through_the_point_spread_function_is_the_gaussian_integral(sigma):
    """Mean of the Gaussian integral over each pixel, on anisotropic pixels, also where sigma is less than half a pixel."""
    grid = Grid(101, 301, (0.8, 0.3), origin_mm=(-45.13, -40.31))
    edges = (
        (through_psf(grid, lambda g: shapes.box(g, 0, -100, 100, 100), sigma)[50], grid.coordinates()[0][50], 0.3),
        (through_psf(grid, lambda g: shapes.box(g, -100, 0, 100, 100), sigma)[:, 150], grid.coordinates()[1][:, 150], 0.8),
    )
    for edge, place, pixel in edges:
        inside = place + (np.arange(200)[:, None] + 0.5) / 200 * pixel - pixel / 2
        near = np.abs(place) < 12  # away from the rim of the image
        np.testing.assert_allclose(edge[near], ndtr(inside / sigma).mean(0)[near], atol=4e-3)


def test_without_a_point_spread_function_the_drawing_stays_as_it_is():
    grid = Grid(20, 30, (0.7, 1.2))
    np.testing.assert_array_equal(through_psf(grid, lambda g: shapes.disc(g, (1, 2), 5), 0.0), shapes.disc(grid, (1, 2), 5))


def test_blur_keeps_the_sum_and_has_its_width():
    image = np.zeros((81, 101))
    image[40, 50] = 1.0
    blurred = degrade.blur(image, (0.5, 0.4), 1.5)
    row, col = np.indices(image.shape)
    assert blurred.sum() == pytest.approx(1.0)
    assert (blurred * ((row - 40) * 0.5) ** 2).sum() == pytest.approx(1.5**2, rel=1e-3)
    assert (blurred * ((col - 50) * 0.4) ** 2).sum() == pytest.approx(1.5**2, rel=1e-3)


def test_blur_in_one_direction_only():
    image = np.zeros((21, 21))
    image[10, 10] = 1.0
    blurred = degrade.blur(image, (1.0, 1.0), (0.0, 2.0))
    assert blurred[10].sum() == pytest.approx(1.0)
    assert np.count_nonzero(blurred.sum(1)) == 1


def test_shading_along_x_and_quadratic():
    grid = Grid(64, 64, (2.0, 1.0))
    x, y = grid.coordinates()
    shaded = degrade.shade(np.full(grid.shape, 200.0), grid, (0.002, 0.0), 1e-5)
    np.testing.assert_allclose(shaded, 200.0 * (1 + 0.002 * x + 1e-5 * (x**2 + y**2)))


def test_ghost_lies_half_a_field_of_view_away_and_only_where_asked():
    image = np.zeros((8, 6))
    image[1, 2] = 100.0
    assert degrade.ghost(image, 0.05, axis=0)[5, 2] == pytest.approx(5.0)
    assert degrade.ghost(image, 0.05, axis=1)[1, 5] == pytest.approx(5.0)
    np.testing.assert_array_equal(degrade.ghost(image, 0.05, axis=0, where=np.zeros((8, 6))), image)


def test_stripes_have_two_peaks_with_half_the_square_of_the_amplitude():
    striped = degrade.stripes(np.zeros((64, 64)), 3.0, 8.0, axis=1)
    assert striped.var() == pytest.approx(4.5)
    spectrum = np.abs(np.fft.fft2(striped))
    assert {tuple(place) for place in np.argwhere(spectrum > spectrum.max() / 2)} == {(0, 8), (0, 56)}


def test_clip_limits_both_ends():
    np.testing.assert_array_equal(degrade.clip(np.array([-5.0, 0.5, 9.0]), 0.0, 1.0), [0.0, 0.5, 1.0])


def test_the_same_generator_state_gives_the_same_noise():
    image = np.full((16, 16), 50.0)
    for noise in (lambda rng: degrade.gaussian_noise(image, 2.0, rng), lambda rng: degrade.magnitude_noise(image, 2.0, rng, 2)):
        assert np.array_equal(noise(np.random.default_rng(1)), noise(np.random.default_rng(1)))
        assert not np.array_equal(noise(np.random.default_rng(1)), noise(np.random.default_rng(2)))
