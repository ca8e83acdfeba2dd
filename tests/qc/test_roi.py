"""Discs, masks, edges and circles of known size."""

import numpy as np
import pytest

from qc.measure.roi import disc_kernel, disc_weights, edge_points, fit_circle, inside_disc, object_mask

GRIDS = [(1.0, 1.0), (0.5, 0.5), (0.5, 1.0), (1.3, 0.7)]


def painted(spacing, radius, middle=(0.0, 0.0), field=200.0, fine=8):
    """A disc of signal 1, drawn by sub-sampling; (image, centre in pixels)."""
    shape = tuple(round(field / one) for one in spacing)
    center = tuple((side - 1) / 2 + off / one for side, off, one in zip(shape, middle, spacing, strict=True))
    y, x = ((np.arange(side * fine) + 0.5) / fine - 0.5 for side in shape)
    inside = np.hypot((y[:, None] - center[0]) * spacing[0], (x - center[1]) * spacing[1]) <= radius
    return inside.reshape(shape[0], fine, shape[1], fine).mean(axis=(1, 3)), center


@pytest.mark.parametrize("spacing", GRIDS)
@pytest.mark.parametrize("radius", [5.642, 20.0, 79.788])
def test_area_of_a_disc(spacing, radius):
    weights = disc_weights((400, 400), (199.3, 200.6), radius, spacing)
    assert weights.sum() * spacing[0] * spacing[1] == pytest.approx(np.pi * radius**2, rel=1e-3)
    assert 0 <= weights.min() <= weights.max() <= 1


@pytest.mark.parametrize("spacing", GRIDS)
def test_centre_of_a_disc_is_where_it_was_put(spacing):
    weights = disc_weights((100, 90), (40.25, 51.5), 15, spacing)
    rows, columns = np.mgrid[:100, :90]
    assert (rows * weights).sum() / weights.sum() == pytest.approx(40.25, abs=0.01)
    assert (columns * weights).sum() / weights.sum() == pytest.approx(51.5, abs=0.01)


def test_a_disc_beyond_the_image_is_cut_off():
    weights = disc_weights((50, 50), (-0.5, 24.5), 10, (1, 1))  # half of it is above the first row
    assert weights.sum() == pytest.approx(np.pi * 50, rel=2e-3)


@pytest.mark.parametrize("spacing", GRIDS)
def test_kernel_is_normalised_and_symmetric(spacing):
    kernel = disc_kernel(5.642, spacing)
    assert kernel.sum() == pytest.approx(1)
    np.testing.assert_allclose(kernel, kernel[::-1, ::-1])
    assert kernel.max() == pytest.approx(spacing[0] * spacing[1] / 100, rel=2e-3)


def test_pixels_inside_a_disc_are_counted_by_their_centres():
    assert inside_disc((5, 5), (2, 2), 1.0, (1, 1)).sum() == 5
    assert inside_disc((5, 5), (2, 2), 1.0, (0.5, 1)).sum() == 7


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_mask_of_the_object_is_its_area_with_holes_filled(noise):
    image, center = painted((1, 1), 60)
    image -= painted((1, 1), 8, (20, 0))[0]  # an insert
    image[5:8, 5:8] = 0.9  # a bright speck in the air
    image = np.abs(image + np.random.default_rng(1).normal(0, noise, image.shape))
    mask = object_mask(image)
    assert mask.sum() == pytest.approx(np.pi * 60**2, rel=0.02)
    assert mask[int(center[0]) + 20, int(center[1])]
    assert not mask[6, 6]


@pytest.mark.parametrize("spacing", GRIDS)
@pytest.mark.parametrize("radius", [50.0, 70.3])
def test_edge_is_found_below_a_pixel(spacing, radius):
    """Half of the signal on rays in all directions, with 20 % shading over the disc."""
    image, center = painted(spacing, radius, (3.2, -4.1))
    shading = 1 + 0.2 * np.linspace(-1, 1, image.shape[1])
    angles = np.arange(0.0, 360.0, 5.0)
    found = edge_points(image * shading, center, 120.0, spacing, angles)
    assert np.isfinite(found).all()
    assert found == pytest.approx(radius, abs=0.6 * max(spacing))
    assert found.mean() == pytest.approx(radius, abs=0.1 * max(spacing))


def test_an_edge_beyond_the_image_is_not_guessed():
    image, center = painted((1, 1), 60, (60, 0))  # cut by the lower border
    found = edge_points(image, center, 150.0, (1, 1), np.array([90.0, 270.0]))  # up, down
    assert found[0] == pytest.approx(60, abs=0.5)
    assert np.isnan(found[1])


def test_circle_through_exact_points():
    angle = np.radians(np.arange(0, 360, 7))
    assert fit_circle(3 + 20 * np.cos(angle), -5 + 20 * np.sin(angle)) == pytest.approx((3, -5, 20, 0), abs=1e-9)


@pytest.mark.parametrize("share", [0.05, 0.1, 0.15])
def test_a_bubble_does_not_pull_the_circle(share):
    """In a sector the edge lies up to 12 mm inside, as at an air bubble."""
    angle = np.radians(np.arange(0, 360, 2))
    radius = 95 + np.random.default_rng(2).normal(0, 0.1, len(angle))
    bubble = np.abs(np.degrees(angle) - 90) < 180 * share
    radius[bubble] -= 12 * np.cos(np.linspace(-1.4, 1.4, bubble.sum()))
    x, y, fitted, rms = fit_circle(2 + radius * np.cos(angle), 1 + radius * np.sin(angle))
    assert (x, y, fitted) == pytest.approx((2, 1, 95), abs=0.3)
    assert rms < 0.3
