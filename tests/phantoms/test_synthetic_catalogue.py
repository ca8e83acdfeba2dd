"""Every recipe: same seed same bytes, readable, and truth that the images keep."""

import datetime as dt
import io
import json

import numpy as np
import pydicom
import pytest
from pydicom.pixels import apply_rescale

from phantoms.synthetic import acr_drawing, encode, shapes
from phantoms.synthetic.catalogue import make, names, parameters
from phantoms.synthetic.shapes import Grid

EXPECTED = {
    "acr_mri_large", "acr_mri_medium", "ct_chest", "ct_head", "ct_water", "dx_chest", "enhanced_mr", "gantry_tilt_ct", "localizer_3plane",
    "mg_breast", "mosaic_epi", "mr_4d", "mr_brain", "mr_two_echoes", "nm_bone", "nm_flood", "two_zone_ct", "uniform_disc", "uniform_pair", "us_cine",
}  # fmt: skip

QUICK = {  # what makes a recipe small, for tests of every recipe
    "acr_mri_large": {"matrix": 64, "blur_mm": 0.0},
    "acr_mri_medium": {"matrix": 64, "blur_mm": 0.0, "localizer": True},
    "ct_head": {"slices": 6, "scout": True},
    "ct_chest": {"slices": 6},
    "ct_water": {"matrix": 64, "slices": 1},
    "gantry_tilt_ct": {"slices": 5},
    "mr_4d": {"slices": 3, "times": 3},
    "mr_brain": {"slices": 4, "contrasts": ("T1", "T2")},
    "mr_two_echoes": {"slices": 4},
    "pt_brain": {"slices": 4},
    "localizer_3plane": {"per_plane": 1},
    "uniform_disc": {"matrix": (64, 64)},
    "uniform_pair": {"matrix": (64, 64)},
    "two_zone_ct": {"thin": 4, "thick": 4},
}


def quick(name, **more):
    return make(name, **{**QUICK.get(name, {}), **more})


def as_files(datasets):
    return [encode.as_bytes(dataset) for dataset in datasets]


def depths(datasets):
    row, column = np.array(datasets[0].ImageOrientationPatient, dtype=float).reshape(2, 3)
    return np.array([np.array(dataset.ImagePositionPatient, dtype=float) @ np.cross(row, column) for dataset in datasets])


def test_the_catalogue_has_the_agreed_recipes():
    assert set(names()) >= EXPECTED


@pytest.mark.parametrize("name", names())
def test_same_seed_same_bytes_other_seed_other_study(name):
    first, again, other = quick(name), quick(name), quick(name, seed=1)
    assert as_files(first.datasets) == as_files(again.datasets)
    uids = {dataset.SOPInstanceUID for dataset in first.datasets}
    assert len(uids) == len(first.datasets)
    assert not uids & {dataset.SOPInstanceUID for dataset in other.datasets}
    assert len({dataset.StudyInstanceUID for dataset in first.datasets}) == 1
    json.dumps(first.truth)  # plain values only
    assert pydicom.dcmread(io.BytesIO(as_files(first.datasets)[-1])).pixel_array.size  # not forced: preamble and file meta are there


@pytest.mark.parametrize("name", names())
def test_recipes_say_nothing_of_the_clock_and_take_a_start(name):
    today = dt.datetime(2031, 5, 6, 7, 8)
    for dataset in quick(name, start=today).datasets:
        assert (dataset.StudyDate, dataset.StudyTime) == ("20310506", "070800.000000")


def test_unknown_names_and_parameters_are_refused():
    with pytest.raises(KeyError, match="uniform_disc"):
        make("uniform_dics")
    with pytest.raises(TypeError, match="diameter_mm"):
        make("uniform_disc", diametre_mm=3)
    assert parameters("acr_mri_medium")["thickness_mm"] == 5.0


def test_series_overrides_change_the_storage_and_not_the_values():
    plain = make("ct_head", slices=2, matrix=32).datasets
    scaled = make("ct_head", slices=2, matrix=32, signed=True, bits_stored=16, slope=0.25, intercept=-10.0, transfer_syntax="rle").datasets
    for a, b in zip(plain, scaled, strict=True):
        np.testing.assert_allclose(apply_rescale(b.pixel_array, b), apply_rescale(a.pixel_array, a), atol=0.5 + 0.125)
    assert scaled[0].PixelRepresentation == 1


def test_uniform_disc_has_the_signal_and_noise_of_its_truth():
    study = make("uniform_disc", snr=50.0, amplitude=800.0, slope=0.1)
    values = apply_rescale(study.datasets[0].pixel_array, study.datasets[0])
    inner = shapes.disc(Grid(256, 256), (0, 0), 70.0) == 1
    air = shapes.disc(Grid(256, 256), (0, 0), 88.0) == 0
    assert study.truth["noise_sd"] == 16.0
    assert study.truth["noise_sd_stored"] == pytest.approx(160.0)
    assert values[inner].std() == pytest.approx(16.0, rel=0.02)
    assert values[inner].mean() == pytest.approx(800.0, rel=0.001)
    assert values[air].std() == pytest.approx(0.6551 * 16.0, rel=0.02)


@pytest.mark.parametrize(("spacing", "matrix"), [((1.0, 1.0), (256, 256)), ((0.5, 0.5), (512, 512)), ((0.9, 1.1), (280, 230))])
def test_uniform_disc_has_its_diameter_in_mm_whatever_the_pixels(spacing, matrix):
    study = make("uniform_disc", snr=np.inf, spacing_mm=spacing, matrix=matrix, offset_mm=(1.3, -2.4), diameter_mm=170.0, slope=0.02)
    values = study.datasets[0].pixel_array / 50000.0
    area = values.sum() * spacing[0] * spacing[1]
    assert 2 * np.sqrt(area / np.pi) == pytest.approx(170.0, rel=1e-3)
    rows, columns = np.indices(values.shape)
    centre = (values * rows).sum() / values.sum(), (values * columns).sum() / values.sum()
    assert centre == pytest.approx(study.truth["centre_px"], abs=0.02)


@pytest.mark.parametrize("two_series", [True, False])
def test_uniform_pair_is_twice_the_same_with_independent_noise(two_series):
    study = make("uniform_pair", two_series=two_series, snr=100.0)
    one, two = (dataset.pixel_array.astype(float) for dataset in study.datasets)
    inner = shapes.disc(Grid(256, 256), (0, 0), 75.0) == 1
    assert (one - two)[inner].std() / np.sqrt(2) == pytest.approx(10.0, rel=0.02)
    assert len({dataset.SeriesInstanceUID for dataset in study.datasets}) == 1 + two_series
    seconds = [float(d.AcquisitionTime[2:4]) * 60 + float(d.AcquisitionTime[4:]) for d in study.datasets]
    assert seconds[1] - seconds[0] == 60.0
    assert [d.ImagesInAcquisition for d in study.datasets] == [1, 1]


def test_ghost_of_the_uniform_disc_is_as_strong_as_its_truth():
    study = make("uniform_disc", snr=np.inf, ghost_amplitude=0.02, ghost_axis=1, slope=0.02)
    values = study.datasets[0].pixel_array
    side, top, middle = values[110:146, 5:20].mean(), values[5:20, 110:146].mean(), values[110:146, 110:146].mean()
    assert 100 * (side - top) / middle == pytest.approx(study.truth["psg_percent"], abs=1e-3)
    assert middle == 50000


def test_water_cylinder_has_its_hounsfield_units():
    study = make("ct_water", water_hu=1.5, noise_hu=5.0, diameter_mm=180.0, offset_mm=(3.0, 2.0))
    image = apply_rescale(study.datasets[1].pixel_array, study.datasets[1])
    grid = Grid.shifted(256, 256, study.truth["spacing_mm"], (3.0, 2.0))
    water = image[shapes.disc(grid, (0, 0), 80.0) == 1]
    assert water.mean() == pytest.approx(1.5, abs=0.15)
    assert water.std() == pytest.approx(5.0, rel=0.03)
    assert image[:10, :10].mean() == pytest.approx(-1000.0, abs=2.0)


def test_flood_has_poisson_counts():
    study = make("nm_flood", mean_counts=4000.0)
    inside = study.datasets[0].pixel_array[18:46, 8:56].astype(float)
    assert inside.mean() == pytest.approx(4000.0, rel=0.002)
    assert 100 * inside.std() / inside.mean() == pytest.approx(study.truth["noise_percent"], rel=0.06)


def test_pet_has_a_slope_a_slice_and_activity_above_zero():
    study = make("pt_brain")
    assert len({float(dataset.RescaleSlope) for dataset in study.datasets}) > 8
    assert all(dataset.pixel_array.min() >= 0 and dataset.pixel_array.max() > 32700 for dataset in study.datasets)


def test_tilted_gantry_shears_the_stack_and_two_zones_touch():
    study = make("gantry_tilt_ct", tilt_deg=14.0, table_step_mm=5.0, tilt_tag=False)
    first, last = (np.array(study.datasets[i].ImagePositionPatient, dtype=float) for i in (0, -1))
    row, column = np.array(study.datasets[0].ImageOrientationPatient, dtype=float).reshape(2, 3)
    along = (last - first) / np.linalg.norm(last - first)
    assert np.degrees(np.arccos(along @ np.cross(row, column))) == pytest.approx(14.0, abs=1e-4)
    np.testing.assert_allclose(np.diff(depths(study.datasets)), 5.0 * np.cos(np.deg2rad(14.0)), atol=1e-5)
    assert "GantryDetectorTilt" not in study.datasets[0]

    zones = make("two_zone_ct", thin=6, thick=5).datasets
    np.testing.assert_allclose(np.diff(depths(zones)), [2.5] * 5 + [5.0] + [7.5] * 4, atol=1e-9)
    assert [float(dataset.SliceThickness) for dataset in zones] == [2.5] * 6 + [7.5] * 5


def test_time_series_and_echoes_repeat_every_position():
    times = make("mr_4d", slices=5, times=4, lost=((1, 2),))
    assert len(times.datasets) == 19
    assert {dataset.NumberOfTemporalPositions for dataset in times.datasets} == {4}
    counts = np.unique(np.round(depths(times.datasets), 3), return_counts=True)[1]
    assert sorted(counts) == [3, 4, 4, 4, 4]
    echoes = make("mr_two_echoes", snr=1e6, slope=0.02, bits_stored=16).datasets
    first, second = (next(d for d in echoes if d.EchoNumbers == number).pixel_array.astype(float) for number in (1, 2))
    bright = first > first.max() / 2
    assert (second[bright] / first[bright]).mean() == pytest.approx(np.exp(-0.6), rel=1e-3)


def test_localizer_has_three_orthogonal_planes_and_a_clip_has_frames():
    planes = {tuple(float(v) for v in dataset.ImageOrientationPatient) for dataset in make("localizer_3plane").datasets}
    normals = np.array([np.cross(plane[:3], plane[3:]) for plane in planes])
    np.testing.assert_allclose(np.abs(normals @ normals.T), np.eye(3), atol=1e-9)
    assert make("us_cine", frames=7).datasets[0].NumberOfFrames == 7


# -- ACR phantoms -----------------------------------------------------------------------------------------------------


def real_values(dataset):
    return apply_rescale(dataset.pixel_array, dataset).astype(float)


def acr_slice(study, number):
    return real_values(next(d for d in study.datasets if d.InstanceNumber == number))


@pytest.mark.parametrize(("name", "large_radius"), [("acr_mri_large", 79.79), ("acr_mri_medium", 71.36)])
@pytest.mark.parametrize("gradient", [0.001, 0.002])
def test_uniformity_of_the_acr_phantom_follows_the_shading(name, large_radius, gradient):
    """Mean of the 1 cm² regions at both ends of the large region, against 100 (1 - g (R - r))."""
    study = make(name, snr=np.inf, shading_per_mm=gradient, slope=0.05, blur_mm=0.0)
    image = acr_slice(study, 7)
    grid = Grid(256, 256, study.truth["spacing_mm"])
    low, high = (np.average(image, weights=shapes.disc(grid, (side * (large_radius - 5.642), 0.0), 5.642)) for side in (-1, 1))
    assert study.truth["piu_percent"] == pytest.approx(100 * (1 - (high - low) / (high + low)), abs=0.02)
    assert study.truth["piu_percent"] == pytest.approx(100 * (1 - gradient * (large_radius - 5.642)))


def crossings(profile, places, level):
    """Places where a profile passes a level, by linear interpolation."""
    above = profile > level
    edges = np.flatnonzero(above[1:] != above[:-1])
    return places[edges] + (level - profile[edges]) / (profile[edges + 1] - profile[edges]) * (places[edges + 1] - places[edges])


@pytest.mark.parametrize(("matrix", "thickness", "tilt"), [(256, 5.0, 0.0), (512, 4.0, 1.0), (256, 5.0, 2.0)])
def test_ramps_have_the_half_level_lengths_of_the_slice_thickness(matrix, thickness, tilt):
    """Lengths of metrology 1.5: 36.93 and 77.10 mm at a tilt of 2 degrees, and the thickness from both."""
    study = make("acr_mri_large", matrix=matrix, snr=np.inf, shading_per_mm=0.0, thickness_mm=thickness, tilt_deg=tilt, slope=0.05)
    image = acr_slice(study, 1)
    spacing = 250.0 / matrix
    y = (np.arange(matrix) - (matrix - 1) / 2) * spacing
    lengths = []
    for centre in (-2.6, 2.6):
        profile = image[np.argmin(np.abs(y - centre))]
        inside = np.abs(y) < 80
        ends = crossings(profile[inside], y[inside], 0.5 * 1500.0 / thickness)
        lengths.append(ends[-1] - ends[0])
    assert lengths == pytest.approx(study.truth["ramp_lengths_mm"], abs=0.15)
    if tilt == 2.0:
        assert study.truth["ramp_lengths_mm"] == pytest.approx((36.93, 77.10), abs=0.01)
    assert 0.2 * lengths[0] * lengths[1] / (lengths[0] + lengths[1]) == pytest.approx(thickness, abs=0.03)


@pytest.mark.parametrize("displacement", [-3.5, 0.0, 1.2])
def test_position_bars_differ_by_twice_the_displacement(displacement):
    """Length of a bar from the signal that it takes away, which neither pixels nor blur change."""
    study = make("acr_mri_large", snr=np.inf, displacement_mm=(displacement, -displacement), shading_per_mm=0.0, slope=0.05, blur_mm=0.0)
    row_spacing, column_spacing = study.truth["spacing_mm"]
    rows = slice(round(-85 / row_spacing + 127.5), round(-50 / row_spacing + 127.5))
    for number, region in ((1, "slice1"), (11, "slice11")):
        dark = 1.0 - acr_slice(study, number)[rows] / 1500.0
        left, right = (dark[:, round(x / column_spacing + 127.5)].sum() * row_spacing for x in (-3.0, 3.0))
        assert right - left == pytest.approx(study.truth["bar_difference_mm"][region], abs=0.01)


@pytest.mark.parametrize("matrix", [256, 512])
def test_acr_diameters_stretch_and_rotation(matrix):
    """The central chords of slice 6 from their signal: along x all of it, along y below the middle only (the plug is above)."""
    study = make(
        "acr_mri_large",
        matrix=matrix,
        snr=np.inf,
        blur_mm=0.0,
        shading_per_mm=0.0,
        stretch=(1.01, 0.99),
        offset_mm=(0.4, 0.7),
        rotation_deg=2.0,
    )
    image, spacing = acr_slice(study, 6) / 1500.0, 250.0 / matrix
    row, col = study.truth["centre_px"]
    assert image[round(row)].sum() * spacing == pytest.approx(study.truth["diameter_x_mm"], abs=0.02) == pytest.approx(191.9, abs=0.02)
    below = int(np.ceil(row))
    half = (image[below:, round(col)].sum() + (below - 0.5) - row) * spacing
    assert 2 * half == pytest.approx(study.truth["diameter_y_mm"], abs=0.04) == pytest.approx(188.1, abs=0.04)


def test_low_contrast_discs_and_holes_are_where_and_what_they_should_be():
    phantom = acr_drawing.LARGE
    image = acr_drawing.draw(phantom, Grid(1024, 1024, (0.25, 0.25)), 11)
    x, y, diameter = acr_drawing.spoke_discs(phantom, 11)[0]
    row, col = (round(v) for v in Grid(1024, 1024, (0.25, 0.25)).to_pixels((x, y))[0])
    sheet = image[round(9.0 / 0.25 + 511.5) + 2, 511]  # the middle of the insert holds no disc
    assert image[row, col] / sheet - 1 == pytest.approx(0.051, abs=1e-6)
    assert diameter == 7.0
    # slice 11 is turned by three times nine degrees, clockwise from 12 o'clock
    assert np.degrees(np.arctan2(x, 9.0 - y)) == pytest.approx(27.0)
    holes = acr_drawing.hole_centres(1.0, 0.0, "rows")
    assert np.diff(holes[:4, 0]) == pytest.approx([2.0] * 3)


def test_localizer_of_the_acr_phantom_has_its_length():
    study = make("acr_mri_medium", localizer=True, snr=np.inf, slope=0.05, blur_mm=0.0)
    assert real_values(study.datasets[0])[:, 128].sum() / 1500.0 * 250.0 / 256 == pytest.approx(134.0, abs=0.02)
    assert len({dataset.SeriesInstanceUID for dataset in study.datasets}) == 2


def test_slice_location_can_lie_while_the_positions_stay_right():
    plain = make("acr_mri_large", matrix=64, blur_mm=0.0).datasets
    for kind, expected in (("reversed", [100.0 - 10 * i for i in range(11)]), ("zero", [0.0] * 11)):
        datasets = make("acr_mri_large", matrix=64, blur_mm=0.0, slice_location=kind).datasets
        assert [float(dataset.SliceLocation) for dataset in datasets] == expected
        assert [d.ImagePositionPatient for d in datasets] == [d.ImagePositionPatient for d in plain]
    assert all(
        "SliceLocation" not in dataset for dataset in make("acr_mri_large", matrix=64, blur_mm=0.0, slice_location="absent").datasets
    )
