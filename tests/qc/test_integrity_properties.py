"""What must not change a verdict: order of the files, files given twice, where the patient lay, how the numbers are rounded."""

import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from integrity_made import findings, moved, numbered, rows, verdict, volumes
from scipy.spatial.transform import Rotation

from phantoms.synthetic import encode
from phantoms.synthetic.catalogue import make
from qc.runner import Options, Runner


def _plain(step, count):
    return numbered(rows(step * n for n in range(count)))


def _lost(step, count):
    return [row for n, row in enumerate(_plain(step, count)) if n not in (4, 5)]


def _irregular(step, count):
    return numbered(rows(step * (n + (0.4 if n > 5 else 0.0)) for n in range(count)))


def _doubled(step, count):
    made = _plain(step, count)
    return numbered([*made, made[3]])


def _sheared(step, count):
    return [dict(row, ImagePositionPatient=(-100.0, -80.0 + 0.2 * step * n, step * n)) for n, row in enumerate(_plain(step, count))]


def _aside(step, count):
    return [
        dict(row, ImagePositionPatient=(-100.0 + (5.0 if n > 6 else 0.0), -80.0, step * n)) for n, row in enumerate(_plain(step, count))
    ]


def _points(lost):
    def made(step, count):
        return volumes(4, [step * n for n in range(count)], [{"TemporalPositionIdentifier": n + 1} for n in range(4)], lost)

    return made


KINDS = {
    "plain": (_plain, {}),
    "lost": (_lost, {"slices.missing": ("fail", 2)}),
    "irregular": (_irregular, {"slices.irregular": ("fail", 1)}),
    "doubled": (_doubled, {"slices.duplicate": ("warn", 1)}),
    "sheared": (_sheared, {}),
    "aside": (_aside, {"slices.not_aligned": ("warn", None)}),
    "4-D": (_points([]), {}),
    "4-D, image lost": (_points([(1, 3)]), {"stack.incomplete": ("fail", 1)}),
    "4-D, location and image lost": (
        _points([(v, 5) for v in range(4)] + [(2, 8)]),
        {"slices.missing": ("fail", 1), "stack.incomplete": ("fail", 1)},
    ),
    "4-D, stopped": (_points([(3, n) for n in range(7, 40)]), {"stack.last_volume_incomplete": ("warn", None)}),
}
STACKS = st.tuples(st.sampled_from(sorted(KINDS)), st.sampled_from([0.5, 0.625, 1.0, 3.0, 5.0, 10 / 3]), st.integers(12, 30))


def _serious(made):
    """Verdict without remarks; the count of a stopped volume hangs on the length of the stack."""
    return {
        code: (status, None if code == "stack.last_volume_incomplete" else count)
        for code, (status, count) in verdict(made).items()
        if status != "info"
    }


@given(STACKS, st.randoms(use_true_random=False))
def test_the_order_of_the_files(stack, random):
    kind, step, count = stack
    made = KINDS[kind][0](step, count)
    told = sorted((one.code, one.status, one.message) for one in findings(made))
    random.shuffle(made)
    assert sorted((one.code, one.status, one.message) for one in findings(made)) == told
    assert _serious(made) == KINDS[kind][1]


@given(STACKS, st.tuples(*[st.floats(-2000, 2000)] * 3))
def test_translated_positions(stack, shift):
    kind, step, count = stack
    assert _serious(moved(KINDS[kind][0](step, count), np.round(shift, 3))) == KINDS[kind][1]


@given(STACKS, st.integers(0, 1 << 30), st.tuples(*[st.floats(-500, 500)] * 3))
def test_rotated_positions(stack, seed, shift):
    kind, step, count = stack
    turn = Rotation.random(random_state=seed).as_matrix()
    assert _serious(moved(KINDS[kind][0](step, count), shift, turn, decimals=6)) == KINDS[kind][1]


@given(STACKS, st.integers(0, 1 << 30), st.integers(2, 6), st.booleans())
def test_rounding_of_decimal_strings(stack, seed, decimals, turned):
    kind, step, count = stack
    turn = Rotation.random(random_state=seed).as_matrix() if turned else None
    assert _serious(moved(KINDS[kind][0](step, count), (0.123456, -77.777777, 13.31313), turn, decimals)) == KINDS[kind][1]


@pytest.mark.parametrize("recipe", ["ct_head", "mr_4d"])
@pytest.mark.parametrize("lost", [False, True])
def test_files_given_twice(recipe, lost, tmp_path):
    """The same folder named twice, and each file copied under another name."""
    datasets = make(recipe).datasets
    if lost:
        datasets = datasets[: len(datasets) // 2] + datasets[len(datasets) // 2 + 1 :]
    one, two = tmp_path / "one", tmp_path / "two"
    encode.write(datasets, one)
    shutil.copytree(one, two)

    def told(*paths):
        with Runner(Options(only=("slices", "completeness"), pixels=False)) as runner:
            report = runner.paths(list(paths))
        return sorted((found.code, found.status, found.message) for found in report.findings)

    once = told(one)
    assert bool([code for code, status, _ in once if status == "fail"]) == lost
    assert told(one, one) == once
    assert told(one, two) == once
