"""Slice thickness on a ramp phantom, and ghosting of uniform objects of any outline: what was put in comes out."""

from __future__ import annotations

import numpy as np
import pytest

from phantoms.synthetic.catalogue import make
from phantoms.synthetic.encode import write
from qc.measure.shadow import thickness_of_two
from qc.runner import Options, Runner


def measured(folder, datasets, only):
    write(datasets, folder)
    with Runner(Options(only=only)) as runner:
        report = runner.paths([folder])
    assert not [finding for finding in report.findings if finding.code == "check.error"]
    (series,) = report.studies[0].series
    return series.klass, {one.measurement.metric: one.measurement for one in report.measurements}


# -- slice thickness ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tilt", [0.0, 1.0, 2.5])
def test_tilt_does_not_matter(tilt):
    """The section of a slice of 5 mm with plates at 11.3 degrees and a tilt, by trigonometry."""
    lengths = [5.0 / np.tan(np.deg2rad(11.3 + side * tilt)) for side in (1, -1)]
    assert thickness_of_two(*lengths, 11.3) == pytest.approx(5.0, abs=0.02)
    assert abs(lengths[0] - lengths[1]) >= 3 * tilt


def test_aapm_formula_by_hand():
    """Without a tilt: L tan(11.3 degrees)."""
    assert thickness_of_two(25.0, 25.0, 11.3) == pytest.approx(25.0 * np.tan(np.deg2rad(11.3)))


@pytest.mark.parametrize(
    "options",
    [
        {"thickness_mm": 5.0},
        {"thickness_mm": 3.0, "snr": 60.0},
        {"thickness_mm": 5.0, "matrix": (512, 512), "spacing_mm": (0.5, 0.5)},
        {"thickness_mm": 5.0, "matrix": (192, 256), "spacing_mm": (1.3, 1.0)},
        {"thickness_mm": 6.0, "rotation_deg": 3.0, "offset_mm": (8.0, -5.0)},
        {"thickness_mm": 5.0, "rotation_deg": 90.0},
        {"thickness_mm": 5.0, "tilt_deg": 1.5, "shading_per_mm": (0.002, 0.001)},
        {"thickness_mm": 5.0, "stretch": 0.98},
    ],
    ids=lambda options: ",".join(f"{name}={value}" for name, value in options.items()),
)
def test_thickness(tmp_path, options):
    made = make("mri_ramps", **options)
    klass, values = measured(tmp_path, made.datasets, ("ramps",))
    assert klass == "phantom:mri_ramps"
    one = values["mr.slice_thickness"]
    assert one.value == pytest.approx(options["thickness_mm"], abs=0.1)
    assert one.details["rods_apart_mm"] == pytest.approx(made.truth["rods_apart_mm"], abs=0.2)
    assert len(one.evidence) == 2


def test_same_phantom_at_two_pixel_sizes(tmp_path):
    found = []
    for number, (side, spacing) in enumerate(((256, 1.0), (512, 0.5))):
        made = make("mri_ramps", matrix=(side, side), spacing_mm=(spacing, spacing), snr=300.0).datasets
        found.append(measured(tmp_path / str(number), made, ("ramps",))[1]["mr.slice_thickness"].value)
    assert found[0] == pytest.approx(found[1], rel=0.01)


def test_plates_that_cannot_be_seen_make_no_ramp_phantom(tmp_path):
    klass, values = measured(tmp_path, make("mri_ramps", depth=0.0).datasets, ("ramps",))
    assert (klass, values) == ("image", {})


# -- ghosting -------------------------------------------------------------------------------------------------------


def truth_of_ghost(diameter, offset, amplitude, axis, side=256, margin=10, border=7):
    """Mean of the ghost in the air strips of 1 mm pixels, by counting pixels of two discs: no code of the program."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2.0
    body = np.hypot(x - offset[0], y - offset[1]) <= diameter / 2
    copy = np.roll(body, side // 2, axis)
    rows, columns = np.flatnonzero(body.any(axis=1)), np.flatnonzero(body.any(axis=0))
    inner_rows = slice(int(rows[0] + 0.1 * len(rows)), int(rows[-1] + 1 - 0.1 * len(rows)))
    inner_columns = slice(int(columns[0] + 0.1 * len(columns)), int(columns[-1] + 1 - 0.1 * len(columns)))
    strips = {
        "top": copy[border : rows[0] - margin, inner_columns],
        "bottom": copy[rows[-1] + 1 + margin : side - border, inner_columns],
        "left": copy[inner_rows, border : columns[0] - margin],
        "right": copy[inner_rows, columns[-1] + 1 + margin : side - border],
    }
    means = {name: 100 * amplitude * float(part.mean()) for name, part in strips.items() if min(part.shape) >= 8}
    pairs = [[means[name] for name in names if name in means] for names in (("top", "bottom"), ("left", "right"))]
    return abs(np.mean(pairs[0]) - np.mean(pairs[1])), means


@pytest.mark.parametrize(("diameter", "offset"), [(66.0, (0.0, 0.0)), (66.0, (50.0, 60.0)), (44.0, (-70.0, 40.0)), (150.0, (5.0, 0.0))])
@pytest.mark.parametrize("axis", [0, 1])
def test_ghost_of_a_bottle(tmp_path, diameter, offset, axis):
    made = make("uniform_disc", diameter_mm=diameter, offset_mm=offset, ghost_amplitude=0.02, ghost_axis=axis, snr=np.inf).datasets
    klass, values = measured(tmp_path, made, ("uniform.ghosting",))
    right, ratios = truth_of_ghost(diameter, offset, 0.02, axis)
    assert klass == "phantom:uniform"
    one = values["mr.ghosting"]
    assert one.value == pytest.approx(right, abs=0.03)
    assert set(one.details["ratios"]) == set(ratios)


def test_noise_alone_is_no_ghost(tmp_path):
    one = measured(tmp_path, make("uniform_disc", diameter_mm=66.0, snr=50.0).datasets, ("uniform.ghosting",))[1]["mr.ghosting"]
    assert one.value < 4 * one.uncertainty
    assert one.uncertainty < 0.05


def test_object_that_fills_the_picture_has_no_air(tmp_path):
    made = make("uniform_disc", diameter_mm=178.0, matrix=(192, 256)).datasets
    one = measured(tmp_path, made, ("uniform.ghosting",))[1]["mr.ghosting"]
    assert (one.value, one.reason) == (None, "air_does_not_fit")
    assert "above or below" in one.details["message"]


def test_air_that_was_set_to_zero(tmp_path):
    made = make("uniform_disc", diameter_mm=66.0).datasets
    image = made[0].pixel_array.copy()
    image[image < 200] = 0
    made[0].PixelData = image.tobytes()
    one = measured(tmp_path, made, ("uniform.ghosting",))[1]["mr.ghosting"]
    assert (one.value, one.reason) == (None, "background_masked")
