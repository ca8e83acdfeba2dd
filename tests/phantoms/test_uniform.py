"""Uniform MR phantoms: signal and noise that were put in, and when no value may be given."""

import copy
from typing import ClassVar

import numpy as np
import pytest
from scipy import ndimage

from phantoms.synthetic.catalogue import make
from phantoms.synthetic.encode import write
from phantoms.uniform import corner_air, is_uniform, normalised, object_region
from qc.measure.noise import relative_uncertainty
from qc.runner import Options, Runner


def disc(radius_mm=60.0, spacing=(1.0, 1.0), field_mm=200.0, middle_mm=(0.0, 0.0)):
    shape = [round(field_mm / one) for one in spacing]
    y, x = (np.arange(side) - (side - 1) / 2 for side in shape)
    return np.hypot((y * spacing[0] - middle_mm[0])[:, None], x * spacing[1] - middle_mm[1]) <= radius_mm


@pytest.fixture
def measured(tmp_path):
    """Measure data sets: {metric@region: measurement}."""

    def run(datasets):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        write(datasets, folder)
        with Runner(Options(only=("uniform",))) as runner:
            report = runner.paths([folder])
        assert not report.findings
        return {f"{judged.measurement.metric}@{judged.measurement.region}": judged.measurement for judged in report.measurements}

    return run


# -- regions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.5, 1.0)])
def test_the_region_is_three_quarters_of_the_section(spacing):
    image = 100.0 * disc(spacing=spacing)
    region = object_region(image, spacing)
    assert region.sum() == pytest.approx(0.75 * (image > 0).sum(), rel=0.02)
    assert not (region & (image == 0)).any()


def test_the_region_is_as_round_as_the_section_on_oblong_pixels():
    rows, columns = np.nonzero(object_region(100.0 * disc(spacing=(0.5, 1.0)), (0.5, 1.0)))
    assert np.ptp(rows) * 0.5 == pytest.approx(np.ptp(columns) * 1.0, rel=0.05)


@pytest.mark.parametrize(
    ("image", "uniform"),
    [
        (disc(), True),
        (disc(middle_mm=(20.0, -10.0)), True),
        (disc() * (1 + 0.003 * np.arange(-100, 100)), True),  # 36 % of shading
        (disc(10.0), False),  # too small
        (disc() & ~disc(12.0, middle_mm=(20.0, 20.0)), False),  # an insert
        (disc() & (np.arange(200) % 20 < 18), False),  # a grid
        (disc(40.0, middle_mm=(0.0, -45.0)) | disc(40.0, middle_mm=(0.0, 45.0)), False),  # two bottles
        (np.ones((200, 200)), False),
    ],
)
def test_what_is_uniform(image, uniform):
    noisy = np.abs(1000.0 * image + np.random.default_rng(1).normal(0, 10, image.shape))
    assert is_uniform(ndimage.gaussian_filter(noisy, 0.5), (1.0, 1.0)) is uniform


def test_air_lies_in_the_corners_away_from_everything():
    image = 1000.0 * disc() + np.random.default_rng(2).rayleigh(10, (200, 200))
    air = corner_air(image, (1.0, 1.0), 15.0)
    assert air.sum() > 1000
    assert not (air & disc(74.0)).any()  # the margin
    assert not air[:, 45:155].any()  # nothing above, below or beside the object, where ghosts lie
    assert not air[45:155].any()
    assert not air[:5].any()


# -- one image ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"snr": 50.0},
        {"snr": 100.0, "matrix": (192, 192), "spacing_mm": (1.25, 1.25)},
        {"snr": 100.0, "matrix": (192, 384), "spacing_mm": (1.3, 0.65)},
        {"snr": 50.0, "offset_mm": (10.0, -8.0), "slope": 0.1},
        {"snr": 50.0, "ghost_amplitude": 0.02},  # the ghost is not in the corners
    ],
)
def test_snr_from_the_air(measured, options):
    found = measured(make("uniform_disc", **options).datasets)["mr.snr@nema4"]
    assert found.value == pytest.approx(options["snr"], abs=3 * found.uncertainty + 0.005 * options["snr"])
    assert found.uncertainty < 0.02 * options["snr"]


@pytest.mark.parametrize("spoil", [{"coils": 4}, {"zeros": 0.05}, {"blur": 1.0}])
def test_air_that_is_not_rayleigh_gives_none(measured, spoil):
    made = make("uniform_disc", coils=spoil.get("coils", 1)).datasets
    image = made[0].pixel_array.astype(float)
    if "zeros" in spoil:
        image[(np.random.default_rng(3).random(image.shape) < spoil["zeros"]) & (image < 100)] = 0
    if "blur" in spoil:
        image = ndimage.gaussian_filter(image, spoil["blur"])
    made[0].PixelData = np.rint(image).astype(np.uint16).tobytes()
    found = measured(made)["mr.snr@nema4"]
    assert (found.value, found.reason) == (None, "background_not_rayleigh")


def test_too_little_air(measured):
    found = measured(make("uniform_disc", matrix=(192, 192)).datasets)["mr.snr@nema4"]
    assert (found.value, found.reason) == (None, "too_little_air")


@pytest.mark.parametrize(
    ("gradient", "options"),
    [
        ((0.001, 0.0), {}),
        ((0.0, 0.002), {"matrix": (192, 192), "spacing_mm": (1.25, 1.25)}),
        ((0.0012, 0.0016), {"slope": 0.5, "intercept": -100.0}),
        ((0.002, 0.0), {"matrix": (192, 384), "spacing_mm": (1.3, 0.65)}),
    ],
)
def test_average_uniformity_of_a_ramp(measured, gradient, options):
    """Three quarters of a disc of 85 mm have radius 73.6 mm: 100 (1 - 4 g R / (3 pi))."""
    found = measured(make("uniform_disc", shading_per_mm=gradient, snr=np.inf, **options).datasets)["mr.uniformity@nema_average"]
    radius = 85 * np.sqrt(0.75)
    assert found.value == pytest.approx(100 * (1 - 4 * np.hypot(*gradient) * radius / (3 * np.pi)), abs=0.1)


def test_peak_uniformity_of_a_ramp(measured):
    """Highest and lowest at the ends of the region: 100 (1 - g R)."""
    found = measured(make("uniform_disc", shading_per_mm=(0.002, 0.0), snr=np.inf).datasets)["mr.uniformity@nema_peak"]
    assert found.value == pytest.approx(100 * (1 - 0.002 * 85 * np.sqrt(0.75)), abs=0.3)


# -- two scans ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"snr": 30.0},
        {"snr": 200.0, "two_series": False},
        {"snr": 100.0, "coils": 4},  # no air is needed
        {"snr": 100.0, "shading_per_mm": (0.002, 0.0), "slope": 0.1},
        {"snr": 100.0, "matrix": (192, 384), "spacing_mm": (1.3, 0.65)},
    ],
)
def test_snr_of_a_pair(measured, options):
    made = make("uniform_pair", **options)
    found = measured(made.datasets)
    uncertainty = options["snr"] * relative_uncertainty(int(0.75 * np.pi * 85**2 / np.prod(made.truth["spacing_mm"])))
    for method in ("nema1", "nema2"):
        one = found[f"mr.snr@{method}"]
        assert one.value == pytest.approx(options["snr"], abs=4 * uncertainty)
        assert one.uncertainty == pytest.approx(uncertainty, rel=0.2)
        assert set(one.details["pair"]) == {str(dataset.SOPInstanceUID) for dataset in made.datasets}


def test_correlated_noise_gives_no_adjacent_difference(measured):
    found = measured(make("uniform_pair", noise_blur_mm=1.0).datasets)
    assert (found["mr.snr@nema2"].value, found["mr.snr@nema2"].reason) == (None, "noise_correlated")
    assert found["mr.snr@nema1"].details["correlation"] == pytest.approx(np.exp(-0.25), abs=0.03)


def test_scans_between_which_something_moved(measured):
    made = make("uniform_pair").datasets
    image = made[1].pixel_array.copy()
    image[100:150, 100:150] += 120
    made[1].PixelData = image.tobytes()
    found = measured(made)
    assert {found[f"mr.snr@{method}"].reason for method in ("nema1", "nema2")} == {"images_differ"}


def test_one_scan_sent_as_two(measured):
    made = make("uniform_pair").datasets
    made[1].PixelData = made[0].PixelData
    found = measured(made)
    assert {found[f"mr.snr@{method}"].reason for method in ("nema1", "nema2")} == {"images_identical"}


@pytest.mark.parametrize(
    "tags",
    [{"EchoTime": 31}, {"ImagePositionPatient": [0, 0, 5]}, {"AcquisitionTime": "110000"}, {"PixelSpacing": [1.1, 1.1]}, {"FlipAngle": 45}],
)
def test_scans_that_are_not_the_same_are_no_pair(measured, tags):
    made = make("uniform_pair").datasets
    for keyword, value in tags.items():
        setattr(made[1], keyword, value)
    assert "mr.snr@nema1" not in measured(made)


def test_each_image_stands_in_one_pair_only(measured):
    first, second = make("uniform_pair", two_series=False).datasets
    third = copy.deepcopy(second)
    third.SOPInstanceUID = third.file_meta.MediaStorageSOPInstanceUID = "2.25.7"
    third.InstanceNumber, third.AcquisitionNumber = 3, 3
    third.PixelData = make("uniform_pair", seed=9).datasets[0].PixelData
    found = measured([first, second, third])
    assert set(found["mr.snr@nema1"].details["pair"]) == {str(first.SOPInstanceUID), str(second.SOPInstanceUID)}


def test_normalised_snr_by_hand():
    """IPEM form: 100 / (0.001 x 1 x 1 x 5) x sqrt(200 x 256 / 2000 / 30) / sqrt(2 x 256 x 0.5)."""

    class Row:
        spacing_mm = (1.0, 1.0)
        tags: ClassVar = {
            "SliceThickness": 5.0,
            "PixelBandwidth": 200.0,
            "Columns": 256,
            "Rows": 256,
            "NumberOfAverages": 2.0,
            "RepetitionTime": 500.0,
        }

        def get(self, name):
            return self.tags.get(name)

    assert normalised(100.0, Row()) == pytest.approx(100 / 0.005 * np.sqrt(25.6 / 30) / 16)
    Row.tags = {**Row.tags, "PixelBandwidth": 0.0}
    assert normalised(100.0, Row()) is None
