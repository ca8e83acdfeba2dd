"""Flat fields of detectors: what was put in is counted, and nothing else is taken for one."""

import numpy as np
import pytest
from scipy import ndimage

from phantoms.flat_field import CLASS, recognise
from phantoms.synthetic.catalogue import make
from phantoms.synthetic.encode import write
from phantoms.synthetic.targets import edit_pixels
from qc.errors import Unmeasurable
from qc.measure.flat import defects, global_percent, is_even, local_percent, squares
from qc.runner import Options, Runner

RAW = {"PresentationIntentType": "FOR PROCESSING", "PixelIntensityRelationshipSign": 1}


@pytest.fixture
def looked(tmp_path):
    """Class of a study, and its measurements by metric and region."""

    def look(datasets):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        write(datasets, folder)
        with Runner(Options(only=("flat_field",))) as runner:
            report = runner.paths([folder])
        found = {f"{one.measurement.metric}@{one.measurement.region}".rstrip("@"): one for one in report.measurements}
        return report.studies[0].series[0].klass, found

    return look


def value(found, name):
    return found[name].measurement.value


# -- measures ---------------------------------------------------------------------------------------------------------


def test_non_uniformity_by_hand():
    values = np.array([[100.0, 100.0, 100.0], [100.0, 130.0, 100.0], [100.0, 100.0, 70.0]])
    assert global_percent(values) == pytest.approx(60.0)
    assert local_percent(values) == (pytest.approx(30.0), (1, 1))
    assert local_percent(np.full((4, 5), 7.0))[0] == 0.0


@pytest.mark.parametrize("slopes", [(0.001, 0.0), (0.0, -0.0008), (0.0005, 0.001)])
def test_an_even_slope(slopes):
    """Squares 10 mm apart: globally the slope times the way between the outer ones; locally half of a step each way, in a corner."""
    y, x = np.mgrid[:600, :500] * 0.2
    image = 2000 * (1 + slopes[0] * (x - 49.9) + slopes[1] * (y - 59.9))
    found = squares(image, (0.2, 0.2))
    assert found.signal.shape == (10, 8)
    assert global_percent(found.signal) == pytest.approx(100 * (abs(slopes[0]) * 70 + abs(slopes[1]) * 90), rel=1e-3)
    # along one direction only, the larger of a corner (half) and an edge (a third)
    assert local_percent(found.signal)[0] == pytest.approx(100 * 10 * (abs(slopes[0]) + abs(slopes[1])) / 2, rel=1e-3)


@pytest.mark.parametrize("spacing", [(0.1, 0.1), (0.2, 0.2), (0.2, 0.4)])
def test_squares_are_10_mm_inside_a_border_of_10_mm(spacing):
    shape = tuple(round(length / one) for length, one in zip((83, 60), spacing, strict=True))
    image = np.full(shape, 5.0)
    margin = [round(10 / one) for one in spacing]
    inner = image[margin[0] : -margin[0], margin[1] : -margin[1]]
    inner[:] = np.random.default_rng(1).normal(1000, 20, inner.shape)
    found = squares(image, spacing)
    assert found.signal.shape == (6, 4)
    assert found.side == tuple(margin)
    assert found.signal.min() > 980  # nothing of the border
    assert found.noise.mean() == pytest.approx(20, rel=0.01)


@pytest.mark.parametrize("size_mm", [15, 49])
def test_a_field_that_is_too_small(size_mm):
    with pytest.raises(Unmeasurable) as raised:
        squares(np.zeros((round(size_mm / 0.2), 900)), (0.2, 0.2))
    assert raised.value.reason == "field_too_small"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("block", [(1, 1), (2, 4), (5, 5), (12, 9)])
def test_a_block_is_found_whole(seed, block):
    """Larger than the window it is compared with, too; corners that touch join."""
    image = np.random.default_rng(seed).normal(1000, 15, (300, 260)).round()
    image[100 : 100 + block[0], 40 : 40 + block[1]] = 0
    image[100 + block[0], 40 + block[1]] = 0
    image[200, 200] = 1400
    found = defects(image, (50, 50))
    assert found.clusters == [block[0] * block[1] + 1, 1]
    assert len(found.largest) == block[0] * block[1] + 1
    assert (found.rows, found.columns) == ([], [])


@pytest.mark.parametrize("shift", [-900.0, 12.0, -9.0])
def test_lines_are_named_and_their_pixels_not_counted(shift):
    """A line that is off by less than the noise of a pixel is off over its length; no neighbour is named with it."""
    image = np.random.default_rng(7).normal(1000, 15, (400, 360)).round()
    image[123] += shift
    image[:, 77] += shift
    found = defects(image, (50, 50))
    assert (found.rows, found.columns, len(found.pixels)) == ([123], [77], 0)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("sigma", [0.0, 0.4, 15.0])
def test_a_perfect_detector_has_no_defects(seed, sigma):
    y, _ = np.mgrid[:700, :600]
    image = (np.random.default_rng(seed).normal(0, sigma, y.shape) + 1000 - 0.1 * y).round()
    found = defects(image, (50, 50))
    assert (found.rows, found.columns, len(found.pixels), found.clusters) == ([], [], 0, [])


# -- the whole way ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("quantum", [0.5, 3.0])
def test_signal_and_noise_that_were_put_in(looked, seed, quantum):
    study = make("flat_field", seed=seed, quantum=quantum)
    klass, found = looked(study.datasets)
    assert klass == CLASS
    signal, noise = study.truth["signal"], study.truth["noise_sd"]
    assert value(found, "flat_field.signal") == pytest.approx(signal, rel=1e-3)
    assert value(found, "flat_field.noise") == pytest.approx(noise, rel=0.01)
    assert value(found, "flat_field.snr") == pytest.approx(signal / noise, rel=0.01)
    scatter = noise / 50 / signal * 100  # of the mean of 2500 pixels, in percent
    assert 2 * scatter < value(found, "flat_field.global@signal") < 8 * scatter
    assert value(found, "flat_field.local@signal") < 6 * scatter
    assert found["flat_field.local@signal"].measurement.evidence
    assert found["flat_field.local@signal"].verdict.status == "pass"
    assert found["flat_field.local@signal"].verdict.criteria["confidence"] == "from_memory"


@pytest.mark.parametrize("slope", [0.0005, 0.0015])
def test_a_gain_that_falls_off(looked, slope):
    _, found = looked(make("flat_field", slope_per_mm=(slope, 0.0)).datasets)
    scatter = 100 * 38.7 / 50 / 3000
    assert value(found, "flat_field.global@signal") == pytest.approx(
        100 * slope * 70, abs=7 * scatter
    )  # largest and smallest of 10 squares
    assert value(found, "flat_field.local@signal") == pytest.approx(100 * slope * 10 / 2, abs=5 * scatter)


def test_the_heel_effect_is_global_not_local(looked):
    """12 % lost with the square of the way: the rows of squares lie 5/12 to 95/12 of a tenth of the way; from square to square at most 1.9 %."""
    klass, found = looked(make("flat_field", heel=0.2).datasets)
    ways = np.array([15.0, 105.0]) / 120
    lost = 0.2 * (ways**2 + (10 / 120) ** 2 / 12)
    mean = 1 - 0.2 * np.mean([((15 + 10 * k) / 120) ** 2 + (10 / 120) ** 2 / 12 for k in range(10)])
    assert klass == CLASS
    assert value(found, "flat_field.global@signal") == pytest.approx(100 * (lost[1] - lost[0]) / mean, abs=0.15)
    assert value(found, "flat_field.local@signal") < 2.0
    assert found["flat_field.global@signal"].verdict.status == "warn"


@pytest.mark.parametrize("seed", [0, 2, 3])  # in seed 1 the noise of one pixel reaches 6 SD
@pytest.mark.parametrize("collimated", [0.0, 8.0])
def test_defects_are_counted_exactly(looked, seed, collimated):
    options = {"matrix": (700, 600)} if collimated else {}
    study = make(
        "flat_field",
        seed=seed,
        dead_pixels=0 if collimated else 30,
        dead_column=321,
        dead_row=444,
        cluster=(4, 3),
        collimated_mm=collimated,
        **options,
    )
    klass, found = looked(study.datasets)
    assert klass == CLASS
    assert value(found, "flat_field.pixels") == study.truth["dead_pixels"]
    assert value(found, "flat_field.cluster") == study.truth["cluster_pixels"] == 12
    assert value(found, "flat_field.lines") == 2
    lines = found["flat_field.lines"].measurement.details
    assert (lines["rows"], lines["columns"]) == ([445], [322])  # counted from 1
    listed = found["flat_field.pixels"].measurement.details
    assert listed["groups"] == study.truth["single_pixels"] + 1
    stored = study.datasets[0].pixel_array
    assert len(listed["places"]) == listed["groups"]  # one a group, counted from 1
    assert {int(stored[row - 1, column - 1]) for row, column in listed["places"]} == {0}
    shapes = found["flat_field.pixels"].measurement.evidence[0].shapes
    assert {"row 445", "column 322", "12 pixels"} <= {shape.label for shape in shapes}


def test_inside_the_collimation_only(looked):
    klass, found = looked(make("flat_field", matrix=(700, 600), collimated_mm=12.0).datasets)
    assert klass == CLASS
    assert value(found, "flat_field.signal") == pytest.approx(3000, rel=2e-3)
    # 140 - 24 - 20 by 120 - 24 - 20 mm
    assert found["flat_field.signal"].measurement.details["squares"] == 9 * 7
    assert value(found, "flat_field.pixels") == value(found, "flat_field.lines") == 0


def test_several_exposures_in_one_series(looked):
    klass, found = looked(make("flat_field", images=2).datasets)
    assert klass == CLASS
    assert {name for name in found if name.startswith("flat_field.snr")} == {"flat_field.snr@image1", "flat_field.snr@image2"}
    assert "flat_field.local@noise.image2" in found


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"header": RAW | {"ImagerPixelSpacing": None}}, "no_pixel_spacing"),
        ({"header": RAW | {"PixelIntensityRelationship": "LOG"}}, "signal_not_linear"),
        ({"header": RAW | {"PixelIntensityRelationshipSign": -1}}, "signal_not_linear"),
        ({"matrix": (200, 500)}, "field_too_small"),
    ],
)
def test_why_nothing_is_given(looked, options, reason):
    """The pixels are counted all the same."""
    klass, found = looked(make("flat_field", dead_pixels=5, **options).datasets)
    assert klass == CLASS
    for name in ("flat_field.signal", "flat_field.noise", "flat_field.snr", "flat_field.local@signal", "flat_field.global@noise"):
        assert (found[name].measurement.value, found[name].measurement.reason) == (None, reason)
    assert value(found, "flat_field.pixels") == 5


# -- what is no flat field ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recipe", "options"),
    [
        ("dx_chest", {"matrix": 512}),
        ("dx_chest", {"matrix": 512, "monochrome1": True}),
        ("dx_chest", {"matrix": 512, "collimated_mm": (30.0, 20.0, 45.0, 25.0)}),
        ("mg_breast", {"matrix": (512, 384)}),
    ],
)
def test_a_patient_is_no_flat_field(looked, recipe, options):
    klass, found = looked(make(recipe, header=RAW, **options).datasets)
    assert klass == "image"
    assert not found


@pytest.mark.parametrize("contrast", [0.9, 1.1])
def test_a_test_object_in_an_even_field_is_none(looked, contrast):
    """A plate of 20 x 20 mm that takes a tenth of the signal, as aluminium on acrylic does."""
    study = make("flat_field")

    def plate(stored):
        images = stored.reshape(-1, 600, 500).copy()
        images[:, 250:350, 200:300] = np.rint(images[:, 250:350, 200:300] * contrast)
        return images.reshape(stored.shape)

    edit_pixels(study.datasets[0], plate)
    assert looked(study.datasets)[0] == "image"


@pytest.mark.parametrize("noise", [0.005, 0.05, 0.15])
def test_a_noisy_field_is_even_too(noise):
    rng = np.random.default_rng(5)
    image = 1000 * (1 + rng.normal(0, noise, (500, 420)))
    image[:, 100] = image[40] = 0
    assert is_even(image, (25, 25))
    assert not is_even(image * (1 + 0.3 * (ndimage.gaussian_filter(rng.normal(0, 1, image.shape), 20) > 0)), (25, 25))
    assert not is_even(np.full((500, 420), 9.0), (25, 25))


class Shut:
    """Pixels that nobody may ask for."""

    def frames(self, series):
        raise AssertionError("the pixels of a clinical series were opened")


@pytest.mark.parametrize(
    ("recipe", "options"),
    [("dx_chest", {}), ("mg_breast", {}), ("ct_head", {"slices": 3}), ("dx_chest", {"header": {"PresentationIntentType": None}})],
)
def test_clinical_images_are_not_opened_to_recognise(tmp_path, recipe, options):
    write(make(recipe, **options).datasets, tmp_path)
    with Runner(Options(only=("flat_field",))) as runner:
        runner.recognisers = (lambda series, pixels: recognise(series, Shut()),)
        report = runner.paths([tmp_path])
    assert report.studies
    assert not [one for one in report.findings if one.status == "error"]
