"""Positions to spacing, gaps, tilt: arithmetic that is done by hand here, and the random stacks of metrology 6.1."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qc_made import AXIAL, SAGITTAL, instance
from scipy.spatial.transform import Rotation

from qc.geometry import (
    analyse,
    cluster,
    find_gaps,
    fit_spacing,
    normals,
    order_along_normal,
    orientation_groups,
    orthogonal_groups,
    usable_orientation,
)

CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)


def frames(*places):
    """Frames of (position, orientation)."""
    return [instance(position, number, orientation).frames[0] for number, (position, orientation) in enumerate(places)]


def random_stack(rng, oblique):
    """(positions, orientations, spacing, lost): a stack as scanners write it, 0 to 3 interior slices lost."""
    spacing = float(np.exp(rng.uniform(np.log(0.2), np.log(10))))
    count = int(rng.integers(12, 401))
    kept = np.sort(rng.choice(np.arange(1, count - 1), count - 2 - int(rng.integers(0, 4)), replace=False))
    z = np.concatenate([[0], kept, [count - 1]]) * spacing
    axes = Rotation.random(random_state=int(rng.integers(1 << 30))).as_matrix() if oblique else np.eye(3)
    orientation = np.round(axes[:, :2].T.ravel(), 6)
    positions = np.outer(z, axes[:, 2]) + rng.uniform(-300, 300, 3) + rng.normal(0, 3e-4, (len(z), 3))
    return np.round(positions, int(rng.integers(2, 7))), np.tile(orientation, (len(z), 1)), spacing, count - len(z)


@pytest.mark.parametrize("oblique", [False, True])
def test_the_count_of_lost_slices_is_right_in_1000_random_stacks_of_each_kind(oblique):
    """Metrology 6.1, evidence: none wrong, none undetected, from 0.2 mm on."""
    rng = np.random.default_rng(61)
    wrong = []
    for number in range(1000):
        positions, orientations, spacing, lost = random_stack(rng, oblique)
        stack = analyse(positions, orientations)
        found = sum(gap.missing for gap in stack.gaps)
        if found != lost or any(gap.missing == 0 for gap in stack.gaps) or abs(stack.spacing_mm / spacing - 1) > 0.005 or not stack.aligned:
            wrong.append((number, spacing, lost, found, stack.spacing_mm))
    assert wrong == []


@pytest.mark.parametrize(
    ("z", "spacing", "gaps"),
    [
        ([18.108, 23.108, 28.107, 38.107], 5.0, [(2, 1)]),  # the worked number of the docstring, and data/series/sliceincrement_001
        ([0, 1, 2, 3], 1.0, []),
        ([0, 1, 3, 4, 7, 8, 9], 1.0, [(1, 1), (3, 2)]),
        ([0, 12.5, 17.5, 22.5, 27.5], 5.0, [(0, 0)]),
        ([0, 10], 10.0, []),
        ([5], None, []),
    ],
)
def test_gaps(z, spacing, gaps):
    found, at = find_gaps(np.array(z, float))
    assert found == pytest.approx(spacing, abs=1e-3)
    assert [(gap.lower, gap.missing) for gap in at] == gaps


@pytest.mark.parametrize(
    ("spacing", "longer", "irregular"),
    [
        (5.0, 0.09, False),  # 2 % of 5 mm are 0.1 mm
        (5.0, 0.12, True),
        (0.5, 0.018, False),  # 0.02 mm: two positions rounded to hundredths
        (0.5, 0.023, True),
        (0.1, 0.009, False),  # never over a tenth of a spacing
        (0.1, 0.012, True),
    ],
)
def test_how_far_a_step_may_be_off(spacing, longer, irregular):
    """Metrology 6.1 step 7: max(0.02 mm, 2 %), at most 0.1 of a spacing; limits of 0.1 mm and more hide thin slices."""
    z = spacing * np.arange(40) + longer * (np.arange(40) > 20)
    assert [gap.lower for gap in find_gaps(z)[1]] == ([20] if irregular else [])


def test_an_irregular_gap_tells_its_size():
    """Case S11: 12.5 mm among steps of 5 mm is 2.5 steps, and no whole number of slices."""
    _, (gap,) = find_gaps(np.concatenate([[0.0], 12.5 + 5.0 * np.arange(19)]))
    assert (gap.step_mm, gap.steps, gap.missing) == (pytest.approx(12.5), pytest.approx(2.5), 0)


def test_spacing_rounded_to_two_decimals_is_recovered():
    """0.625 mm written as 0.62 and 0.63."""
    z = np.round(0.625 * np.arange(200), 2)
    spacing, counts = fit_spacing(z)
    assert spacing == pytest.approx(0.625, abs=1e-4)
    assert set(counts) == {1}


@pytest.mark.parametrize(("apart", "locations"), [(0.0, 3), (0.0009, 3), (0.04, 3), (0.06, 4)])
def test_equal_positions_are_closer_than_one_percent_of_the_step(apart, locations):
    found, members = cluster(np.array([0.0, 5.0, 5.0 + apart, 10.0]))
    assert len(found) == locations
    assert sorted(index for group in members for index in group) == [0, 1, 2, 3]


@pytest.mark.parametrize("tilt", [0.0, 5.0, 15.0, 30.0])
@pytest.mark.parametrize("turned", [False, True])
def test_tilt_is_the_angle_between_first_voxels_and_normal(tilt, turned):
    z = np.arange(20) * 5.0
    positions = np.column_stack([0 * z, z * np.tan(np.radians(tilt)), z])
    axes = Rotation.from_euler("xyz", [20, -35, 50], degrees=True).as_matrix() if turned else np.eye(3)
    stack = analyse(positions @ axes.T, np.tile(axes[:, :2].T.ravel(), (20, 1)))
    assert stack.tilt_deg == pytest.approx(tilt, abs=1e-6)
    assert stack.spacing_mm == pytest.approx(5.0)
    assert stack.aligned


@pytest.mark.parametrize(("jump", "aligned"), [(0.05, True), (0.5, False)])
def test_first_voxels_that_leave_the_line(jump, aligned):
    z = np.arange(20) * 5.0
    positions = np.column_stack([np.where(np.arange(20) == 10, jump, 0.0), 0 * z, z])
    stack = analyse(positions, np.tile(AXIAL, (20, 1)))
    assert stack.aligned is aligned
    assert stack.wander_mm == pytest.approx(jump, rel=0.1)


def test_normals_of_the_three_planes():
    np.testing.assert_array_equal(normals(np.array([AXIAL, SAGITTAL, CORONAL])), [[0, 0, 1], [-1, 0, 0], [0, 1, 0]])


@pytest.mark.parametrize(
    ("orientation", "usable"),
    [
        (AXIAL, True),
        ((1.0005, 0, 0, 0, 1, 0), True),
        ((1.01, 0, 0, 0, 1, 0), False),  # no unit vector
        ((1, 0, 0, 0.01, 1, 0), False),  # not at right angles
        ((0,) * 6, False),
        (None, False),
    ],
)
def test_usable_orientations(orientation, usable):
    assert usable_orientation(orientation) is usable


@pytest.mark.parametrize(("differ", "groups"), [(5e-7, 1), (1e-4, 1), (5e-3, 2)])
def test_orientations_that_differ_by_rounding_are_one(differ, groups):
    """GE writes 0.00604261 beside 0.00604273; a thousandth is the limit."""
    rows = np.array([AXIAL] * 5 + [(1.0, differ, 0.0, 0.0, 1.0, 0.0)] * 3)
    assert [len(group) for group in orientation_groups(rows)] == ([8] if groups == 1 else [5, 3])


def test_three_orthogonal_planes_are_a_localizer_and_two_are_not():
    planes = [((0, 0, z), plane) for plane in (AXIAL, SAGITTAL, CORONAL) for z in (0, 10, 20)]
    assert orthogonal_groups(frames(*planes))
    assert not orthogonal_groups(frames(*planes[:6]))
    assert not orthogonal_groups(frames(*planes[:3]))


@given(st.permutations(range(7)), st.sampled_from([AXIAL, SAGITTAL, CORONAL]))
def test_order_along_the_normal(order, plane):
    axis = np.cross(plane[:3], plane[3:])
    places = frames(*((tuple(3.0 * place * axis + [5, 6, 7]), plane) for place in order))
    found, step = order_along_normal(places)
    assert [order[index] for index in found] == list(range(7))
    assert step == pytest.approx(3.0)


def test_without_positions_the_order_stays():
    assert order_along_normal(frames(((0, 0, 5), AXIAL), (None, AXIAL))) == ([0, 1], None)
    assert order_along_normal([]) == ([], None)
