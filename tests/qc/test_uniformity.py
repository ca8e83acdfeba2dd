"""Uniformity of signals whose answer is a formula."""

import numpy as np
import pytest

from qc.measure.roi import disc_weights
from qc.measure.uniformity import (
    average_deviation,
    noise_bias,
    peak_deviation,
    percent_integral_uniformity,
    small_disc_means,
    void_mask,
    widened,
)

LARGE_MM = 79.788  # 200 cm2

GRIDS = [(1.0, 1.0), (0.9766, 0.9766), (0.5, 0.5), (0.5, 1.0), (1.2, 0.8)]


def plane(spacing, gradient_per_mm, angle_deg=0.0, amplitude=1000.0, field_mm=250.0):
    """(image, centre): S = A (1 + g s) with s along a direction, on pixels of this spacing."""
    shape = tuple(round(field_mm / one) for one in spacing)
    center = ((shape[0] - 1) / 2, (shape[1] - 1) / 2)
    y, x = np.mgrid[: shape[0], : shape[1]]
    along = np.cos(np.radians(angle_deg)) * (x - center[1]) * spacing[1] + np.sin(np.radians(angle_deg)) * (y - center[0]) * spacing[0]
    return amplitude * (1 + gradient_per_mm * along), center


def piu(image, center, spacing, radius=LARGE_MM, forbidden=None):
    return percent_integral_uniformity(small_disc_means(image, spacing), center, radius, spacing, forbidden)


@pytest.mark.parametrize("spacing", GRIDS)
@pytest.mark.parametrize("angle", [0, 30, 90])
@pytest.mark.parametrize(("gradient", "percent"), [(0.001, 92.585), (0.002, 85.171)])
def test_ramp_of_the_metrology_page(spacing, angle, gradient, percent):
    """100 (1 - g (R - r)), R = 79.79 mm, r = 5.642 mm; the discs stand on whole pixels, so 0.15 points are allowed."""
    found = piu(*plane(spacing, gradient, angle), spacing)
    assert found.percent == pytest.approx(percent, abs=0.15)


def test_the_small_discs_are_where_the_signal_is_highest_and_lowest():
    spacing = (1.0, 0.5)
    image, center = plane(spacing, 0.001)
    found = piu(image, center, spacing)
    reach = LARGE_MM - 5.642
    for at, side in ((found.highest_at, 1), (found.lowest_at, -1)):
        down, along = np.subtract(at, center) * spacing
        assert along == pytest.approx(side * reach, abs=0.5)
        assert np.hypot(down, along) <= reach
    assert found.highest == pytest.approx(1000 * (1 + 0.001 * reach), rel=1e-3)


def test_a_flat_field_is_100_percent_and_scale_does_not_matter():
    image, center = plane((1, 1), 0)
    assert piu(image, center, (1, 1)).percent == pytest.approx(100)
    ramp, _ = plane((1, 1), 0.001)
    assert piu(ramp * 7, center, (1, 1)).percent == pytest.approx(piu(ramp, center, (1, 1)).percent, abs=1e-9)


def test_moved_with_the_image_it_is_the_same():
    image, center = plane((1, 1), 0.001)
    moved = np.pad(image, ((20, 0), (0, 30)), mode="edge")[:250, :250]
    assert piu(moved, (center[0] + 20, center[1]), (1, 1)).percent == pytest.approx(piu(image, center, (1, 1)).percent, abs=1e-6)


def test_forbidden_places_are_not_used():
    """The dark half of a ramp forbidden: from -74.15 mm to -20 mm, PIU = 100 (1 - g (74.15 + 20) / 2 / (1 + g 27.07))."""
    image, center = plane((1, 1), 0.001)
    forbidden = np.zeros(image.shape, bool)
    forbidden[:, : int(center[1] - 20)] = True
    high, low = 1 + 0.001 * 74.146, 1 - 0.001 * 20
    assert piu(image, center, (1, 1), forbidden=forbidden).percent == pytest.approx(100 * (1 - (high - low) / (high + low)), abs=0.15)
    assert piu(image, center, (1, 1), forbidden=np.ones(image.shape, bool)) is None


def test_the_small_mean_weighs_by_area():
    """A single bright pixel contributes its area over 100 mm2, on any pixel size."""
    for spacing in GRIDS:
        image = np.zeros((41, 41))
        image[20, 20] = 1
        assert small_disc_means(image, spacing)[20, 20] == pytest.approx(spacing[0] * spacing[1] / 100, rel=2e-3)


@pytest.mark.parametrize(("snr", "points"), [(20, -1.82), (50, -0.72), (100, -0.35), (300, -0.12)])
def test_noise_bias_of_the_table(snr, points):
    """Metrology 1.2, simulated on 1 mm pixels."""
    assert noise_bias(1000 / snr, 1000, (1.0, 1.0)) == pytest.approx(points, abs=0.02)


def test_noise_bias_is_what_noise_does():
    """Our own simulation of the definition, ten noise images of a flat field at SNR 50 on other pixels."""
    spacing = (0.8, 0.8)
    image, center = plane(spacing, 0)
    rng = np.random.default_rng(1)
    found = [piu(image + rng.normal(0, 20, image.shape), center, spacing).percent - 100 for _ in range(10)]
    assert np.mean(found) == pytest.approx(noise_bias(20, 1000, spacing), rel=0.1)


@pytest.mark.parametrize("spacing", GRIDS)
@pytest.mark.parametrize(("gradient", "radius"), [(0.001, 73.6), (0.002, 60.0)])
def test_average_deviation_of_a_ramp(spacing, gradient, radius):
    """NEMA MS 3: mean |x| over a disc is 4 R / (3 pi)."""
    image, center = plane(spacing, gradient, 20)
    found = average_deviation(image, disc_weights(image.shape, center, radius, spacing))
    assert found == pytest.approx(100 * (1 - 4 * gradient * radius / (3 * np.pi)), abs=0.01)


def test_peak_deviation_by_hand():
    """High 1100, low 900 in large areas: the filter changes nothing there, U = 100 (1 - 200 / 2000)."""
    image = np.full((30, 30), 1000.0)
    image[5:10, 5:10], image[20:25, 20:25] = 1100, 900
    assert peak_deviation(image, np.ones(image.shape, bool)) == pytest.approx(90)


def test_peak_deviation_filters_once():
    """One pixel 16 above: the filter leaves 4 of it; 100 (1 - 4 / 2004)."""
    image = np.full((9, 9), 1000.0)
    image[4, 4] = 1016
    assert peak_deviation(image, np.ones(image.shape, bool)) == pytest.approx(100 * (1 - 4 / 2004))


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.5, 1.0)])
def test_a_void_is_found_and_widened_in_mm(spacing):
    image, center = plane(spacing, 0)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    y, x = (y - center[0]) * spacing[0], (x - center[1]) * spacing[1]
    bubble = np.hypot(x, y + 60) <= 10
    image = np.where(bubble, 0, image)
    found = void_mask(image, center, 95.0, spacing)
    assert found[bubble].all()
    for mask, radius in ((found, 11.5), (widened(found, 5.642, spacing), 17.14)):  # 10 + 1.5, and 5.64 more
        assert np.sqrt(mask.sum() * spacing[0] * spacing[1] / np.pi) == pytest.approx(radius, abs=0.7)


def test_no_void_no_mask():
    image, center = plane((1, 1), 0.002)
    assert not void_mask(image, center, 95.0, (1, 1)).any()
