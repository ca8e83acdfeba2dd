"""What must not change a verdict: order of the files, files given twice, where the patient lay, how the numbers are rounded."""

import copy
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from integrity_made import findings, moved, numbered, rows, verdict, volumes
from scipy.spatial.transform import Rotation

from phantoms.synthetic import encode
from phantoms.synthetic.catalogue import make
from phantoms.synthetic.faults import inject
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


# -- duplicated input -------------------------------------------------------------------------------------------------


@given(STACKS, st.sets(st.integers(0, 200), min_size=1, max_size=2))
def test_images_sent_again_under_another_uid(stack, picked):
    """One or two images stand twice: that is told, and the verdict on everything else stays what it was."""
    kind, step, count = stack
    made = KINDS[kind][0](step, count)
    again = {at % len(made) for at in picked}
    told = _serious([*made, *(dict(made[at], SOPInstanceUID=f"2.25.9{at}") for at in sorted(again))])
    own = told.pop("slices.duplicate")
    before = dict(KINDS[kind][1])
    assert own == ("warn", len(again) + (before.pop("slices.duplicate", (0, 0))[1]))
    assert told == before


def _folder(files, folder):
    shutil.rmtree(folder, ignore_errors=True)
    encode.write(files, folder)
    return folder


BROKEN = (
    None,
    "lost_slice",
    "irregular_gap",
    "moved_bed",
    "wrong_patient",
    "swapped_header",
    "future_date",
    "tilt_contradicted",
    "missing_uid",
)
SMALL = make("ct_head", 1, slices=8, matrix=16).datasets


def _everything(*paths):
    """All that is told of headers and slices, and which files were set aside."""
    with Runner(Options(pixels=False, hash_key=b"k")) as runner:
        report = runner.paths(list(paths))
    return {(one.code, one.status, one.message) for one in report.findings}, sorted(one.reason for one in report.skipped)


@settings(max_examples=12, deadline=None)
@given(st.sampled_from(BROKEN), st.lists(st.integers(0, 6), min_size=1, max_size=12))
def test_files_given_again_byte_for_byte(tmp_path_factory, fault, copies):
    """Any files, any number of times, broken or not: each copy is set aside, and nothing else changes."""
    top = tmp_path_factory.mktemp("twice")
    files = inject(fault, SMALL, np.random.default_rng(3)) if fault else SMALL
    plain = _folder(files, top / "plain")
    before, aside = _everything(plain)
    with_uid = [path for path, file in zip(sorted(plain.iterdir()), files, strict=True) if "SOPInstanceUID" in file]
    (top / "again").mkdir()
    for number, at in enumerate(copies):
        shutil.copy(with_uid[at % len(with_uid)], top / "again" / f"{number}.dcm")
    after, aside_then = _everything(plain, top / "again")
    assert after == before
    assert aside_then == sorted([*aside, *["duplicate_file"] * len(copies)])


@settings(max_examples=10, deadline=None)
@given(st.sampled_from(BROKEN), st.sets(st.integers(0, 6), min_size=1, max_size=3))
def test_files_sent_again_with_another_header(tmp_path_factory, fault, again):
    """The same objects with a corrected referrer: told once, and nothing else changes."""
    top = tmp_path_factory.mktemp("resent")
    files = inject(fault, SMALL, np.random.default_rng(3)) if fault else SMALL
    resent = [copy.deepcopy(files[at]) for at in again if "SOPInstanceUID" in files[at]]
    for one in resent:
        one.ReferringPhysicianName = "Corrected^Referrer"
    before, _ = _everything(_folder(files, top / "plain"))
    after, _ = _everything(_folder([*files, *resent], top / "again"))
    assert {code for code, *_ in after} - {code for code, *_ in before} == ({"file.duplicate"} if resent else set())
    kept = {(code, status) for code, status, _ in before}
    assert {(code, status) for code, status, _ in after if code != "file.duplicate"} == kept
