"""The kinds of which the retold cases S and H are one each: the numbers drawn anew, the right answer computed from what was drawn."""

from __future__ import annotations

import numpy as np
import pytest
from header_made import check, dataset, save
from hypothesis import given, settings
from hypothesis import strategies as st
from integrity_made import findings, numbered, rows, verdict, volumes

from phantoms.synthetic.targets import set_text

SLICES = st.integers(8, 40)
few = settings(max_examples=30, deadline=None)
STEP = st.sampled_from([0.6, 1.25, 2.0, 3.0, 5.0])


def only(made, code):
    (found,) = [one for one in findings(made) if one.status != "info"]
    assert found.code == code
    return found


@few
@given(SLICES, STEP, st.integers(0, 1000))
def test_s02_what_dose_modulation_and_time_change_makes_no_volumes(count, step, seed):
    rng = np.random.default_rng(seed)
    cycle = rng.integers(10, 400, rng.integers(2, 12))
    made = numbered(rows(step * n for n in range(count)))
    for n, row in enumerate(made):
        row |= {"Exposure": int(cycle[n % len(cycle)]), "XRayTubeCurrent": 2 * int(cycle[n % len(cycle)]), "WindowCenter": float(n % 3)}
        row |= {"AcquisitionTime": f"1200{n:02d}", "ContentTime": f"1201{n % 60:02d}", "RescaleIntercept": -1024.0 + n % 2}
    assert findings(made) == []


@few
@given(SLICES, STEP, st.integers(3, 9), st.integers(1, 1000))
def test_s04_a_scan_that_was_stopped(count, step, repetitions, stop):
    """In whatever slice of the last volume: a warning with what is complete and what that volume lacks."""
    got = 1 + stop % (count - 1)
    made = volumes(repetitions, [step * n for n in range(count)], [{"TemporalPositionIdentifier": n + 1} for n in range(repetitions)],
                   [(repetitions - 1, place) for place in range(got, count)])  # fmt: skip
    found = only(made, "stack.last_volume_incomplete")
    assert (found.status, found.details["volumes"], found.details["complete"], found.details["missing"]) == (
        "warn", repetitions, repetitions - 1, count - got,
    )  # fmt: skip


@few
@given(SLICES, STEP, st.integers(2, 12), st.data())
def test_s08_some_of_the_time_points(count, step, points, data):
    """The header says how many there were; no slice is called missing."""
    kept = sorted(data.draw(st.sets(st.integers(1, points), min_size=1, max_size=points - 1)))
    keys = [{"TemporalPositionIdentifier": point, "NumberOfTemporalPositions": points} for point in kept]
    found = only(volumes(len(kept), [step * n for n in range(count)], keys), "series.incomplete")
    assert (found.status, found.details["expected"], found.details["received"]) == ("warn", points, len(kept))
    assert f"{len(kept) * count} of {points * count} images" in found.message


@few
@given(SLICES, STEP, st.integers(0, 1000), st.floats(0.15, 0.85), st.integers(1, 4))
def test_s11_a_gap_of_no_whole_number_of_slices_wherever_it_is(count, step, place, part, whole):
    at = place % (count - 1)
    z = [step * n + (step * (whole - 1 + part) if n > at else 0.0) for n in range(count)]
    found = only(numbered(rows(np.round(z, 4))), "slices.irregular")
    (gap,) = found.details["gaps"]
    assert (found.status, gap["between"]) == ("fail", [f"image {at + 1}", f"image {at + 2}"])
    assert gap["steps"] == pytest.approx(whole + part, abs=2e-3)
    assert gap["spacing_mm"] == pytest.approx(step, abs=1e-3)


@few
@given(st.integers(20, 60), STEP, st.data())
def test_s12_single_slices_lost_here_and_there(count, step, data):
    lost = sorted(data.draw(st.sets(st.integers(1, count // 2 - 2), min_size=1, max_size=5)))
    lost = [2 * index for index in lost]  # never two neighbours
    made = [row for n, row in enumerate(numbered(rows(step * n for n in range(count)))) if n not in lost]
    if 3 * len(lost) > count:
        return
    found = only(made, "slices.missing")
    assert (found.status, found.details["count"], found.details["confidence"]) == ("fail", len(lost), "high")
    assert [gap["between"] for gap in found.details["gaps"]] == [[f"image {n}", f"image {n + 2}"] for n in lost]
    assert verdict(made)["slices.missing"] == ("fail", len(lost))


# -- headers ----------------------------------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(st.tuples(*[st.decimals("0.05", "5", places=3)] * 2), st.sampled_from([(",", ","), (",", "."), (".", ",")]))
def test_h01_a_comma_in_the_pixel_size(tmp_path_factory, sizes, marks):
    """Never a guess: neither the number without its comma nor the one meant."""
    text = "\\".join(str(size).replace(".", mark) for size, mark in zip(sizes, marks, strict=True))
    made = [dataset(n) for n in (1, 2, 3)]
    for one in made:
        set_text(one, "PixelSpacing", text)
    report = check(save(tmp_path_factory.mktemp("comma"), *made), only=("header.values",))
    (found,) = [one for one in report.findings if one.code == "header.pixel_spacing"]
    assert (found.status, text in found.message.replace("\\\\", "\\")) == ("fail", True)
    assert {frame.spacing_mm for series in report.studies[0].series for frame in series.frames} == {None}


@pytest.mark.parametrize("text", ["00/00/0000", "19700230", "1970-01-01", "01.01.1970", "0", "UNKNOWN", "19701"])
def test_h08_a_birth_date_that_is_none(tmp_path, text):
    """Told once, treated as unknown: no age is wrong by it."""
    report = check(save(tmp_path, *(dataset(n, PatientBirthDate=text, PatientAge="042Y") for n in (1, 2, 3))))
    warned = [(one.code, one.status.value) for one in report.findings if one.status in ("warn", "fail")]
    assert warned == [("header.date", "warn")]
    assert not [one for one in report.findings if text in one.message and set(text) - set("0/.-")]


@pytest.mark.parametrize("age", ["42", "42Y", "0042Y", "-01Y", "042y"])
def test_h08_an_age_that_is_none_contradicts_nothing(tmp_path, age):
    report = check(save(tmp_path, *(dataset(n, PatientBirthDate="19500101", PatientAge=age) for n in (1, 2, 3))))
    assert [one.code for one in report.findings if one.status in ("warn", "fail") and one.code.startswith("identity")] == []
