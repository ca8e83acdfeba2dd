"""The slices check: the matrix of metrology 6.1 in its column "this spec", cases from trackers, and what must not change the verdict."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qc_made import AXIAL, SAGITTAL, codes, instance, results, series, stack
from scipy.spatial.transform import Rotation

from qc.checks.slices import slices
from qc.results import Finding


def found(subject, **params):
    """Findings by code with their counts."""
    return codes(results(slices, subject, **params))


def finding(subject, code):
    (one,) = [one for one in results(slices, subject) if isinstance(one, Finding) and one.code == code]
    return one


def values(subject):
    return {one.metric: one.value for one in results(slices, subject) if not isinstance(one, Finding)}


def without(z, *lost):
    return np.delete(np.asarray(z, float), lost)


def four_d(z, times, lost=()):
    """`times` volumes of slices at z, (time, slice) pairs left out."""
    rows = [
        instance((0, 0, at), time * len(z) + index + 1, TemporalPositionIdentifier=time + 1, Modality="MR")
        for time in range(times)
        for index, at in enumerate(z)
        if (time, index) not in lost and (None, index) not in lost
    ]
    return series(rows, "stack_4d")


def two_zones():
    thin, thick = 2.5 * np.arange(12), 27.5 + 7.5 * np.arange(1, 13)
    rows = [instance((0, 0, z), n, SliceThickness=2.5 if n <= 12 else 7.5) for n, z in enumerate([*thin, *thick], start=1)]
    return series(rows)


RNG = np.random.default_rng(6)
Z = np.arange(60.0)
MATRIX = {
    "regular 0.625 mm rounded to 2 decimals": (stack(np.round(0.625 * Z, 2)), {}),
    "regular 1/3 mm, 2 decimals": (stack(np.round(Z / 3, 2)), {}),
    "1.6 mm with 0.5 um jitter": (stack(1.6 * Z + RNG.uniform(-5e-4, 5e-4, 60)), {}),
    "1 slice missing at 1.0 mm": (stack(without(Z, 20)), {"slices.missing": 1}),
    "1 missing at 0.2 mm": (stack(without(0.2 * Z, 20)), {"slices.missing": 1}),
    "1 missing at 0.1 mm": (stack(without(0.1 * Z, 20)), {"slices.missing": 1}),
    "alternate slices missing": (stack(Z[::2]), {}),
    "last 5 missing": (stack(Z[:-5]), {}),
    "+0.4 slice fractional gap": (stack(np.where(Z > 30, Z + 0.4, Z)), {"slices.irregular": 1}),
    "two-zone CT 2.5/7.5": (two_zones(), {"slices.multi_zone": 1}),
    "4-D 30 volumes complete": (four_d(5 * Z[:12], 30), {}),
    "4-D, 1 image lost": (four_d(5 * Z[:12], 30, [(11, 4)]), {"stack.incomplete": 1}),
    "4-D, one location lost in all": (four_d(5 * Z[:12], 30, [(None, 4)]), {"slices.missing": 1}),
}


@pytest.mark.parametrize("case", MATRIX)
def test_matrix_of_the_metrology_page(case):
    subject, expected = MATRIX[case]
    assert found(subject) == expected


def test_a_lost_image_of_a_4d_stack_is_named():
    one = finding(MATRIX["4-D, 1 image lost"][0], "stack.incomplete")
    assert one.status == "fail"
    assert one.details["missing"] == 1
    assert one.details["dimension"] == ["time point"]
    assert one.details["cells"] == [{"key": ["12"], "volume": 12, "location_mm": 20.0}]
    assert one.details["complete"] == 29


def test_one_location_lost_in_all_volumes_says_so():
    assert "at each of 30 repetitions" in finding(MATRIX["4-D, one location lost in all"][0], "slices.missing").message


# -- severity and confidence ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("renumbered", "confidence"), [(False, "high"), (True, "low")])
def test_numbers_only_set_the_confidence(renumbered, confidence):
    kept = [number for number in range(30) if number not in (9, 10)]
    rows = [instance((0, 0, 2.0 * z), n if renumbered else z + 1) for n, z in enumerate(kept, start=1)]
    one = finding(series(rows), "slices.missing")
    assert (one.status, one.details["count"], one.details["confidence"]) == ("fail", 2, confidence)
    (gap,) = one.details["gaps"]
    assert (gap["missing"], gap["step_mm"], gap["spacing_mm"]) == (2, pytest.approx(6.0), pytest.approx(2.0))
    assert gap["between"] == (["image 9", "image 10"] if renumbered else ["image 9", "image 12"])


def test_case_s11_first_gap_of_two_and_a_half_slices():
    one = finding(stack(40 - np.array([0, *(12.5 + 5 * np.arange(19))])), "slices.irregular")
    assert one.status == "fail"
    (gap,) = one.details["gaps"]
    assert gap["between"] == ["image 1", "image 2"]
    assert (gap["steps"], gap["uncovered_mm"], gap["spacing_mm"]) == (pytest.approx(2.5), pytest.approx(7.5), pytest.approx(5.0))


def test_case_s12_four_single_gaps():
    kept = [n for n in range(1, 31) if n not in (7, 13, 20, 26)]
    one = finding(series(instance((0, 0, 3.0 * n), n) for n in kept), "slices.missing")
    assert (one.details["count"], one.details["confidence"]) == (4, "high")
    assert [gap["between"] for gap in one.details["gaps"]] == [[f"image {n - 1}", f"image {n + 1}"] for n in (7, 13, 20, 26)]
    assert values(series(instance((0, 0, 3.0 * n), n) for n in kept))["geometry.spacing"] == pytest.approx(3.0)


def test_case_s02_modulated_tube_current_is_one_stack():
    exposure = [14, 14, 15, 15, 16, 16, 15, 15, 14, 14, 15] * 4
    rows = [instance((0, 0, 1.25 * n), n, Exposure=mas, XRayTubeCurrent=2 * mas) for n, mas in enumerate(exposure, start=1)]
    assert found(series(rows)) == {}


def test_case_s04_a_run_that_was_stopped():
    lost = [(5, index) for index in (9, 10, 11)]
    one = finding(four_d(5 * Z[:12], 6, lost), "stack.last_volume_incomplete")
    assert (one.status, one.details["complete"], one.details["missing"]) == ("warn", 5, 3)
    assert [cell["location_mm"] for cell in one.details["cells"]] == [45.0, 50.0, 55.0]


def test_case_m03_two_echoes_ten_mm_apart_with_five_mm_slices():
    rows = [
        instance((0, 0, 10.0 * z), 2 * z + echo, EchoTime=te, EchoNumbers=echo, SliceThickness=5.0, Modality="MR")
        for z in range(11)
        for echo, te in ((1, 20.0), (2, 80.0))
    ]
    assert found(series(rows, "stack_4d")) == {}


def test_case_m05_a_sagittal_set_runs_along_x():
    rows = [instance((54.9642 - 10 * i, -147.017, -117.818), i + 1, SAGITTAL, Modality="MR") for i in range(11)]
    assert found(series(rows)) == {}
    assert found(series(rows[:4] + rows[5:])) == {"slices.missing": 1}


# -- tilt, orientation, position ------------------------------------------------------------------------------------


def tilted(z, tilt_deg):
    return series(instance((0, y, at), n) for n, (at, y) in enumerate(zip(z, np.tan(np.radians(tilt_deg)) * z, strict=True), start=1))


def test_a_tilted_gantry_is_valid_and_measured():
    subject = tilted(5 * Z[:20], 15.0)
    assert found(subject) == {}
    assert values(subject)["geometry.tilt"] == pytest.approx(15.0, abs=1e-6)
    assert values(subject)["geometry.spacing"] == pytest.approx(5.0)


def test_a_tilted_stack_with_a_slice_missing():
    subject = tilted(without(5 * Z[:20], 8), 15.0)
    assert found(subject) == {"slices.missing": 1}
    assert values(subject)["geometry.tilt"] == pytest.approx(15.0, abs=1e-6)


def test_a_table_that_moved_is_not_aligned():
    rows = [instance((0.0 if n < 10 else 3.0, 0, 5.0 * n), n) for n in range(20)]
    assert finding(series(rows), "slices.not_aligned").status == "warn"


def test_two_orientations_in_one_series():
    rows = [instance((0, 0, z), z, AXIAL) for z in range(1, 9)] + [instance((x, 0, 0), 10 + x, SAGITTAL) for x in range(1, 7)]
    one = finding(series(rows), "series.mixed_orientation")
    assert (one.status, one.details["groups"]) == ("warn", [8, 6])
    assert found(series(rows)) == {"series.mixed_orientation": 1}
    assert found(series(rows[:3] + rows[4:])) == {"series.mixed_orientation": 1, "slices.missing": 1}


def test_images_at_one_position_are_no_volume():
    rows = [instance((0, 0, 7), n, AcquisitionNumber=n) for n in range(1, 5)]
    one = finding(series(rows), "series.not_a_volume")
    assert (one.status, one.details["dimension"]) == ("info", ["acquisition"])
    assert found(series(rows)) == {"series.not_a_volume": 1}


def test_two_slices_give_one_distance():
    assert finding(stack([0, 40]), "series.too_few").status == "info"
    assert found(stack([5])) == {}


def test_a_slice_twice():
    rows = [instance((0, 0, 2.0 * z), z) for z in range(1, 13)] + [instance((0, 0, 10.0), 99)]
    one = finding(series(rows), "slices.duplicate")
    assert (one.status, one.details["count"]) == ("warn", 1)
    assert one.details["images"] == ["image 5", "image 99"]


@pytest.mark.parametrize(("klass", "status"), [("image", "fail"), ("derived", "info")])
def test_images_without_position(klass, status):
    rows = [instance((0, 0, 2.0 * z), z) for z in range(1, 13)] + [instance(None, 13), instance((0, 0), 14)]
    one = finding(series(rows, klass), "geometry.no_position")
    assert (one.status, one.details["images"]) == (status, ["image 13", "image 14"])


# -- what must not change the verdict -------------------------------------------------------------------------------

SHAPES = st.tuples(
    st.floats(0.2, 10.0),  # spacing
    st.integers(12, 40),  # slices
    st.sets(st.integers(2, 9), max_size=3),  # lost
    st.sampled_from([None, 0.3, 0.5]),  # one step longer by this share
)


def axis_of(shape):
    spacing, count, lost, jump = shape
    z = np.delete(np.arange(count, dtype=float), sorted(lost))
    return spacing * (z + (jump or 0.0) * (z > 10))


def placed(z, decimals=12, order=None, turn=None, move=(0.0, 0.0, 0.0)):
    """The stack, turned, moved and rounded, its files in this order."""
    axes = np.eye(3) if turn is None else Rotation.from_quat(turn).as_matrix()
    positions = np.round(np.outer(z, axes[:, 2]) + move, decimals)
    plane = tuple(np.round(axes[:, :2].T.ravel(), 8))
    rows = [instance(position, n, plane) for n, position in enumerate(positions, start=1)]
    return series(rows if order is None else [rows[index] for index in order])


QUATERNIONS = st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: np.linalg.norm(q) > 0.1)


@given(SHAPES, st.randoms(use_true_random=False), QUATERNIONS, st.tuples(*[st.floats(-800, 800)] * 3), st.integers(2, 6))
def test_order_place_turn_and_rounding_change_nothing(shape, random, turn, move, decimals):
    z = axis_of(shape)
    truth = found(placed(z))
    assert truth == ({"slices.missing": len(shape[2])} if shape[2] else {}) | ({"slices.irregular": 1} if shape[3] else {})
    order = list(range(len(z)))
    random.shuffle(order)
    assert found(placed(z, order=order)) == truth
    assert found(placed(z, move=move)) == truth
    assert found(placed(z, turn=turn)) == truth
    assert found(placed(z, decimals=decimals)) == truth
    assert found(placed(-z)) == truth
