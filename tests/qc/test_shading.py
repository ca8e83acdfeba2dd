"""Side to side shading against fields drawn by hand."""

import numpy as np
import pytest

from qc.measure.shading import side_to_side


def disc(size=64, noise=0.02, seed=0):
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    image = np.where(np.hypot(y, x) < 0.4 * size, 1.0, 0.02)
    return image * (1 + np.random.default_rng(seed).normal(0, noise, image.shape)), x / (0.8 * size), y / (0.8 * size)


@pytest.mark.parametrize("rise", [-0.9, -0.4, 0.0, 0.2, 0.4, 0.9])
@pytest.mark.parametrize("size", [64, 128])
def test_an_exponential_field_is_measured_exactly(rise, size):
    image, x, _ = disc(size)
    trimmed = 0.03 if size == 64 else 0.05  # columns at the rim with under a tenth of the rows are not used
    assert side_to_side(image * np.exp(rise * x)) == pytest.approx(2 * np.tanh(rise / 2), abs=trimmed * abs(rise) + 0.015)


def test_a_linear_field():
    """The slope of log(1 + 0.4 x) in the middle is 0.4 a diameter; the columns in use span 50 of the 51.2 pixels of the disc."""
    image, x, _ = disc()
    assert side_to_side(image * (1 + 0.4 * x)) == pytest.approx(2 * np.tanh(0.4 * 50 / 51.2 / 2), abs=0.012)


def test_what_is_symmetric_or_goes_the_other_way_counts_nothing():
    image, x, y = disc()
    assert side_to_side(image * (1 + x**2)) == pytest.approx(0, abs=0.01)
    assert side_to_side(image * (1 + 0.8 * y)) == pytest.approx(0, abs=0.02)
    image[20:30, 20:24] *= 3  # a bright vessel on one side
    assert side_to_side(image) == pytest.approx(0, abs=0.02)


def test_the_unit_does_not_matter_and_small_objects_have_no_answer():
    image, x, _ = disc()
    assert side_to_side(image * 1e4 * (1 + 0.4 * x)) == pytest.approx(side_to_side(image * (1 + 0.4 * x)), rel=1e-9)
    assert side_to_side(np.zeros((64, 64))) is None
    assert side_to_side(np.pad(np.ones((8, 8)), 28)) is None
