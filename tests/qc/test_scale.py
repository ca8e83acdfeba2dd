"""CT numbers on their scale, radiographs the right way round: against histograms and pictures drawn by hand."""

import numpy as np
import pytest

from qc.measure.ct_air import scale
from qc.measure.sense import corners


def body(air=-1000.0, tissue=40.0, noise=20.0, size=128, seed=0):
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    values = np.where(np.hypot(y, x / 1.3) < 0.35 * size, tissue, air)
    return values + np.random.default_rng(seed).normal(0, noise, values.shape), np.hypot(y, x) > 0.5 * size


def test_air_is_measured_where_it_is():
    values, _ = body()
    assert scale(values).air == pytest.approx(-1000, abs=3)
    assert scale(values).displaced == 0
    assert scale(body(air=-985.0)[0]).air == pytest.approx(-985, abs=3)


def test_air_beside_padding_of_1024_is_still_air():
    for noise in (2.0, 5.0, 8.0):
        values, outside = body(noise=noise)
        values = np.maximum(np.rint(values), -1024)  # the bottom of unsigned pixels with intercept -1024
        values[outside] = -1024
        assert scale(values).air == pytest.approx(-1000, abs=3)


def test_air_clipped_at_its_middle_is_there():
    values, _ = body(air=-1024.0, noise=8.0)
    assert scale(np.maximum(np.rint(values), -1024)).air == pytest.approx(-1024, abs=3)


@pytest.mark.parametrize("padding", [-2000.0, -3024.0])
@pytest.mark.parametrize("named", [True, False])
def test_padding_is_not_air(padding, named):
    values, outside = body()
    values[outside] = padding
    found = scale(values, padding if named else None)
    assert found.displaced == 0
    assert found.air == pytest.approx(-1000, abs=3)


@pytest.mark.parametrize("shift", [900, 1000, 1024, 1100])
def test_a_displaced_scale_is_told(shift):
    values, outside = body()
    assert scale(values + shift).displaced == 1
    assert scale(values - shift).displaced == -1
    values[outside] = -2000
    assert scale(values + shift).displaced == 1


def test_a_field_of_view_inside_the_body():
    rng = np.random.default_rng(1)
    tissue = rng.normal(40, 20, (64, 64))
    tissue[:20] = rng.normal(-90, 20, (20, 64))
    assert scale(tissue).air is None
    assert scale(tissue).displaced == 0
    assert scale(tissue + 1000).displaced == 1


def test_lung_is_not_displaced_and_air_beside_bone_neither():
    rng = np.random.default_rng(1)
    lung = rng.normal(-820, 60, (64, 64))
    lung[40:] = rng.normal(30, 20, (24, 64))
    assert scale(lung).displaced == 0
    ear = rng.normal(1100, 200, (64, 64))  # petrous bone, with some air cells
    ear[::8, ::4] = rng.normal(-800, 80, (8, 16))
    assert scale(ear).displaced == 0


def test_degenerate_values():
    assert scale(np.full((8, 8), -2000.0), -2000.0).air is None
    assert scale(np.zeros((8, 8))).displaced == 0


def chest(size=128):
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    picture = np.full((size, size), 100.0)
    picture[np.hypot(y * 0.9, x) < 0.55 * size] = 2500.0
    picture[np.hypot(y * 0.7, np.abs(x) - 0.2 * size) < 0.15 * size] = 900.0
    return picture + np.random.default_rng(0).normal(0, 10, picture.shape)


def test_a_chest_and_its_negative():
    assert corners(chest()).dark == 4
    assert not corners(chest()).inverted
    assert corners(-chest()).bright == 4
    assert corners(-chest()).inverted


def test_white_collimation_is_no_negative():
    picture = np.full((200, 200), 2600.0)
    picture[36:164, 30:158] = chest()
    assert not corners(picture).inverted
    framed = np.full((200, 200), -100.0)  # black shutters round a negative
    framed[36:164, 30:158] = -chest() + 2600
    assert corners(framed).inverted


def test_white_abdomen_in_the_corners_is_no_negative():
    rng = np.random.default_rng(3)
    close = chest()[20:-20, 20:-20]  # no beam beside the patient any more
    coarse = np.kron(rng.normal(0, 60, (44, 44)), np.ones((2, 2)))  # what lies over each other in a body: 2 to 3 % of the range
    body = np.where(close > 1500, close + coarse, close)
    assert not corners(body).inverted
    assert corners(close).inverted  # the same without any structure cannot be told from a negative


def test_constant_pictures_have_no_answer():
    assert corners(np.zeros((64, 64))) is None
