"""Is it the phantom, which size, where, and which slice is which."""

import copy
from functools import cache

import numpy as np
import pytest

from phantoms.acr_mri.locate import locate, outline
from phantoms.synthetic.catalogue import make
from phantoms.synthetic.encode import write
from qc.decoder import Decoder
from qc.dicom import Intake, Limits
from qc.pixels import PixelAccess
from qc.runner import Options, Runner
from qc.study import group

LARGE, MEDIUM = "phantom:acr_mri_large", "phantom:acr_mri_medium"


@cache
def drawn(recipe="acr_mri_large", options=()):
    return make(recipe, **dict(options))


def study(recipe="acr_mri_large", **options):
    return drawn(recipe, tuple(sorted(options.items())))


def located(made, tmp_path, klass=LARGE):
    """What `locate` makes of the axial series."""
    write(made.datasets, tmp_path)
    with Intake() as intake, Decoder() as decoder:
        (whole,) = group(intake.instances([tmp_path]))
        series = max(whole.series, key=lambda one: len(one.frames))
        series.klass = klass
        return locate(series, PixelAccess(decoder, Limits()))


def class_of(made, tmp_path):
    write(made.datasets, tmp_path)
    with Runner() as runner:
        runner.specs = []
        report = runner.paths([tmp_path])
    return max(report.studies[0].series, key=lambda one: len(one.frames)).klass


TURNED = {"rotation_deg": 10.0, "offset_mm": (8.0, -6.0)}


@pytest.mark.parametrize(
    ("recipe", "options", "klass"),
    [
        ("acr_mri_large", TURNED, LARGE),
        ("acr_mri_large", {"matrix": 192, "stretch": (1.02, 0.98)}, LARGE),
        ("acr_mri_large", {"shading_per_mm": 0.004, "bubble_mm": 8.0, "snr": 20.0}, LARGE),
        ("acr_mri_large", {"grid_style": "block", "localizer": True}, LARGE),
        ("acr_mri_medium", {"rotation_deg": -5.0}, MEDIUM),
        ("mr_brain", {"slices": 11, "step_mm": 10.0}, "image"),  # as many slices as far apart
    ],
)
def test_recognised_from_its_pictures(tmp_path, recipe, options, klass):
    assert class_of(study(recipe, **options), tmp_path) == klass


@pytest.mark.parametrize("lost", [0, 6, 10])
def test_a_set_with_a_slice_lost_never_measures_another_in_its_place(tmp_path, lost):
    """Slice 7 is that of the drawing, or there is no value and a reason."""
    made = study()
    write([one for index, one in enumerate(made.datasets) if index != lost], tmp_path)
    with Runner(Options(only=("acr_mri.piu",))) as runner:
        (judged,) = runner.paths([tmp_path]).measurements
    if lost == 6:
        assert judged.measurement.value is None
    else:
        assert judged.measurement.value is None or judged.measurement.details["image"] == "image 7"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"reverse": True},
        {"grid_style": "block", "localizer": True},
        {"shading_per_mm": 0.004, "bubble_mm": 8.0, "snr": 20.0},
        TURNED,
    ],
)
def test_slices_are_counted_from_the_one_with_the_ramps(tmp_path, options):
    """InstanceNumber 1 is slice 1 of the drawing, or slice 11 where it was acquired in reverse."""
    (found,) = located(study(**options), tmp_path)
    numbers = [frame.instance.number for frame in found.frames]
    assert numbers == (list(range(11, 0, -1)) if options.get("reverse") else list(range(1, 12)))


def test_positions_that_run_the_other_way(tmp_path):
    """Feet first: slice 1 at the highest z."""
    made = copy.deepcopy(study())
    for number, one in enumerate(made.datasets):
        x, y, _ = one.ImagePositionPatient
        one.ImagePositionPatient = [x, y, 50 - 10 * number]
    (found,) = located(made, tmp_path)
    assert [frame.instance.number for frame in found.frames] == list(range(1, 12))


def test_case_m03_two_echoes_are_two_sets(tmp_path):
    sets = located(study(echo_times_ms=(20.0, 80.0)), tmp_path)
    assert sorted(one.echo for one in sets) == [20.0, 80.0]
    for one in sets:
        assert {frame.get("EchoTime") for frame in one.frames} == {one.echo}
        assert len(one.slices) == 11


@pytest.mark.parametrize(
    "options",
    [{}, {"matrix": 192}, TURNED, {"shading_per_mm": 0.004, "bubble_mm": 8.0, "snr": 20.0}],
)
def test_outline_of_slice_7(tmp_path, options):
    made = study(**options)
    (found,) = located(made, tmp_path)
    disc = outline(found.slice(7), found.spacing_mm)
    off = np.subtract(disc.center, made.truth["centre_px"]) * found.spacing_mm
    assert np.hypot(*off) < 0.3
    assert 2 * disc.radius_mm == pytest.approx(made.truth["diameter_mm"], abs=0.6)


def test_nothing_has_no_outline():
    rng = np.random.default_rng(1)
    assert outline(np.zeros((128, 128)), (2.0, 2.0)) is None
    assert outline(np.abs(rng.normal(0, 1, (128, 128))), (2.0, 2.0)) is None
