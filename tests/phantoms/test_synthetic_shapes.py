"""Areas, centroids and lengths of drawn shapes against the geometry of the shapes themselves."""

import numpy as np
import pytest

from phantoms.synthetic import shapes
from phantoms.synthetic.shapes import Grid

GRIDS = [
    Grid(256, 256, (0.9766, 0.9766)),
    Grid(512, 512, (0.5078, 0.5078)),
    Grid(240, 200, (0.9, 1.1)),
    Grid(128, 128, (1.9, 1.9), rotation_deg=3.0),
]


@pytest.mark.parametrize("grid", GRIDS, ids=["0.98", "0.51", "anisotropic", "turned"])
@pytest.mark.parametrize("radius", [3.3, 20.0, 95.0])
def test_disc_has_the_area_and_the_centroid_of_the_disc(grid, radius):
    coverage = shapes.disc(grid, (3.27, -1.61), radius)
    x, y = grid.coordinates()
    assert coverage.sum() * grid.pixel_area_mm2 == pytest.approx(np.pi * radius**2, rel=1e-3)
    assert (coverage * x).sum() / coverage.sum() == pytest.approx(3.27, abs=0.02)
    assert (coverage * y).sum() / coverage.sum() == pytest.approx(-1.61, abs=0.02)


def test_a_disc_smaller_than_a_pixel_keeps_its_area():
    grid = Grid(32, 32, (1.0, 1.0))
    assert shapes.disc(grid, (0.3, 0.4), 0.45).sum() == pytest.approx(np.pi * 0.45**2, rel=1e-3)


def test_coverage_of_every_pixel_against_brute_force():
    """An ellipse turned on turned, anisotropic pixels: 40 x 40 samples in every pixel."""
    grid, n = Grid(40, 50, (1.1, 0.9), rotation_deg=11.0), 40
    row = (np.arange(grid.rows * n) + 0.5) / n - 0.5
    col = (np.arange(grid.columns * n) + 0.5) / n - 0.5
    u = grid.first_pixel_mm[0] + col[None, :] * 0.9
    v = grid.first_pixel_mm[1] + row[:, None] * 1.1
    turn = np.deg2rad(11.0)
    x, y = u * np.cos(turn) + v * np.sin(turn) - 2.0, -u * np.sin(turn) + v * np.cos(turn) - 3.0
    own = np.deg2rad(30.0)
    along, across = x * np.cos(own) + y * np.sin(own), -x * np.sin(own) + y * np.cos(own)
    inside = (along / 12.0) ** 2 + (across / 7.0) ** 2 < 1.0
    expected = inside.reshape(grid.rows, n, grid.columns, n).mean(axis=(1, 3))
    np.testing.assert_allclose(shapes.ellipse(grid, (2.0, 3.0), (12.0, 7.0), 30.0), expected, atol=6e-3)


def test_upright_rectangle_covers_parts_of_pixels_exactly():
    grid = Grid(4, 4, (1.0, 1.0))
    coverage = shapes.box(grid, -1.25, -1.0, 0.5, 1.0)
    np.testing.assert_allclose(coverage, np.outer([0, 1, 1, 0], [0.25, 1, 0.5, 0]), atol=1e-12)


@pytest.mark.parametrize("angle", [0.0, 2.0, 45.0, 90.0, 137.0])
def test_rectangle_keeps_its_area_when_turned(angle):
    grid = Grid(100, 120, (0.7, 1.3))
    assert shapes.rectangle(grid, (4.0, -3.0), (40.0, 1.0), angle).sum() * grid.pixel_area_mm2 == pytest.approx(40.0, rel=1e-9)


def test_ring_and_polygon_areas():
    grid = Grid(200, 200, (0.6, 0.6))
    assert shapes.annulus(grid, (1.0, 2.0), 10.0, 20.0).sum() * 0.36 == pytest.approx(np.pi * 300.0, rel=1e-3)
    triangle = [(-20.0, -10.0), (25.0, -5.0), (3.0, 30.0)]
    shoelace = 0.5 * abs((45.0 * 40.0) - (23.0 * 5.0))
    assert shapes.polygon(grid, triangle).sum() * 0.36 == pytest.approx(shoelace, rel=1e-9)
    np.testing.assert_allclose(shapes.polygon(grid, triangle), shapes.polygon(grid, triangle[::-1]), atol=1e-12)


def test_a_shape_beyond_the_image_is_cut_off():
    grid = Grid(10, 10, (1.0, 1.0))
    assert np.array_equal(shapes.box(grid, -50, -50, 50, 50), np.ones((10, 10)))
    assert shapes.disc(grid, (80.0, 0.0), 5.0).sum() == 0
    assert shapes.box(grid, -50, -50, 0, 50).sum() == pytest.approx(50.0)


def _width_mm(coverage, spacing, axis):
    return coverage.sum(axis=axis).max() * spacing


def test_the_same_phantom_at_two_pixel_sizes_has_the_same_lengths():
    """The central chord of an ellipse of 190 x 188 mm, at an offset that is no whole pixel."""
    for spacing in ((0.9766, 0.9766), (0.5078, 0.5078), (0.9, 1.1)):
        shape = (round(260 / spacing[0]), round(260 / spacing[1]))
        coverage = shapes.ellipse(Grid.shifted(*shape, spacing, (0.3, 0.7)), (0, 0), (95.0, 94.0))
        assert _width_mm(coverage, spacing[1], 1) == pytest.approx(190.0, abs=0.02)
        assert _width_mm(coverage, spacing[0], 0) == pytest.approx(188.0, abs=0.02)


def test_offset_moves_the_middle_and_to_pixels_says_where_it_is():
    grid = Grid.shifted(64, 80, (1.5, 0.8), offset_mm=(4.0, -6.0), rotation_deg=7.0)
    row, col = grid.to_pixels((0.0, 0.0))[0]
    assert (row, col) == pytest.approx((31.5 - 6.0 / 1.5, 39.5 + 4.0 / 0.8))
    coverage = shapes.disc(grid, (0, 0), 12.0)
    assert (coverage.sum(1) * np.arange(64)).sum() / coverage.sum() == pytest.approx(row, abs=0.01)
    assert (coverage.sum(0) * np.arange(80)).sum() / coverage.sum() == pytest.approx(col, abs=0.01)


def test_a_finer_grid_covers_the_same_field():
    grid = Grid(30, 40, (1.2, 0.8), origin_mm=(-11.0, -7.0), rotation_deg=9.0)
    fine = shapes.ellipse(grid.finer(3), (4.0, 5.0), (9.0, 6.0)).reshape(30, 3, 40, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(fine, shapes.ellipse(grid, (4.0, 5.0), (9.0, 6.0)), atol=1e-3)


def test_a_positive_rotation_is_clockwise_on_the_screen():
    """What lies to the right goes down."""
    row, col = Grid(101, 101, rotation_deg=90.0).to_pixels((10.0, 0.0))[0]
    assert (row, col) == pytest.approx((60.0, 50.0))


def test_paint_mixes_by_coverage_and_leaves_its_input_alone():
    image, coverage = np.full((1, 3), 10.0), np.array([[0.0, 0.25, 1.0]])
    np.testing.assert_allclose(shapes.paint(image, coverage, 50.0), [[10.0, 20.0, 50.0]])
    assert (image == 10.0).all()


def test_ramp_is_linear_in_mm():
    grid = Grid(30, 40, (2.0, 0.5))
    image = shapes.ramp(grid, (0.01, -0.02))
    np.testing.assert_allclose(np.diff(image, axis=1), 0.01 * 0.5)
    np.testing.assert_allclose(np.diff(image, axis=0), -0.02 * 2.0)
    assert image.mean() == pytest.approx(1.0)
