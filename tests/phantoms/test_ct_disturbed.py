"""CT phantoms scanned in a hurry: slices gone at either end, every second one, reversed, moved, rolled, with air around them.

Every value is right by the truth of the recipe, or missing with the reason that holds: never a wrong number. Coarse and thick sets, so
that it is quick; `benchmarks/ct_phantom_robustness.py` does the same with real and fine ones.
"""

from __future__ import annotations

import pytest
from ct_made import klass, run, scan, values

from phantoms.synthetic import disturb

ACR = ("ct_acr464", {"matrix": 220, "psf_mm": 0.8, "noise_hu": 3.0})
CATPHAN = ("ct_catphan", {"model": "604", "matrix": 220, "psf_mm": 0.8, "thickness_mm": 5.0, "step_mm": 5.0, "noise_hu": 3.0})
OTHER = ("ct_catphan", {"model": "600", "matrix": 220, "psf_mm": 0.8, "thickness_mm": 5.0, "step_mm": 5.0, "noise_hu": 3.0})
WATER = ("ct_water", {"slices": 5, "noise_hu": 3.0, "water_hu": 1.0})
TURN = {"rotation_deg": 10.0}

CHANGES = {
    "as_it_is": lambda data: data,
    "reversed": disturb.reversed_order,
    "every_second": disturb.every_second,
    "moved": lambda data: disturb.moved(data, right_mm=9.0, down_mm=-6.0, along_mm=20.0),
    "air": lambda data: disturb.with_air(data, 6),
    "first_gone": lambda data: disturb.without_first(data, len(data) // 6),
    "last_gone": lambda data: disturb.without_last(data, len(data) // 6),
    "first_half_gone": lambda data: disturb.without_first(data, len(data) // 2),
    "last_half_gone": lambda data: disturb.without_last(data, len(data) // 2),
}
# what was not scanned, what a coarse picture does not show, what single slices cannot tell
REASONS = {
    "module_not_scanned", "no_independent_slices", "too_few_regions", "module_ends_not_seen", "no_ramps", "no_peak", "bead_not_found",
    "bars_not_found", "bars_partly_in_slice", "wire_not_found", "nothing_stands_out", "nothing_resolved", "beyond_range", "beads_not_found",
    "no_baseline", "origin_uncertain", "module_not_found",
}  # fmt: skip


def right(truth, change):
    """What must come out, with tolerance: (value, absolute tolerance)."""
    along = 20.0 if change == "moved" else 0.0
    found = {f"ct.hu@{name}": (hu, 1.0) for name, hu in truth.get("inserts_hu", {"water": truth.get("water_hu")}).items()}
    return found | {
        "ct.roll": (truth.get("roll_deg", 0.0), 0.15), "ct.origin": (along, 5.0 if change == "every_second" else 2.5),
        "ct.thickness@mean": (5.0, 0.2), "ct.distance@mean": (50.0, 0.15), "ct.distance@beads": (100.0, 0.15),
        "ct.hu_uniformity@worst": (0.0, 1.0), "ct.noise@center": (3.0, 0.3), "ct.noise@difference": (3.0, 0.3), "ct.tilt@right": (0.0, 0.3),
        "ct.tilt@down": (0.0, 0.3), "ct.ring": (0.0, 1.5),
    }  # fmt: skip


def check(made, change):
    report, names = run(CHANGES[change](made.datasets))
    found = values(names)
    wanted = right(made.truth, change)
    wrong = {name: found[name] for name, (value, within) in wanted.items() if name in found and abs(found[name] - value) > within}
    assert wrong == {}
    assert {one.measurement.reason for one in names.values()} - {None} <= REASONS
    return klass(report), found


KINDS = [
    (ACR, "phantom:acr_ct_464", "first", tuple(CHANGES)),
    (CATPHAN, "phantom:catphan604", "last", ("as_it_is", "every_second", "air", "first_half_gone", "last_gone")),
    (OTHER, "phantom:catphan600", "last", ("as_it_is", "last_half_gone")),
]


@pytest.mark.parametrize(
    ("recipe", "name", "inserts_at", "change"),
    [(recipe, name, at, change) for recipe, name, at, changes in KINDS for change in changes],
    ids=[f"{name.partition(':')[2]}-{change}" for _, name, _, changes in KINDS for change in changes],
)
def test_a_disturbed_phantom(recipe, name, inserts_at, change):
    """The module with the inserts says which phantom it is: without it nothing is measured, and nothing is taken for another phantom."""
    found, numbers = check(scan(recipe[0], **recipe[1]), change)
    if found == "image":
        assert change.startswith(inserts_at), "the inserts are there, and were not seen"
        assert numbers == {}
    else:
        assert found == name
        assert {"ct.hu@air", "ct.hu@acrylic", "ct.roll"} <= set(numbers)


def test_rolled_by_ten_degrees():
    made = scan(ACR[0], **ACR[1], **TURN)
    _, numbers = check(made, "as_it_is")
    assert numbers["ct.roll"] == pytest.approx(10.0, abs=0.15)


@pytest.mark.parametrize("change", CHANGES)
def test_disturbed_water(change):
    found, numbers = check(scan(WATER[0], **WATER[1]), change)
    assert found == "phantom:ct_water"
    assert {"ct.hu@water", "ct.noise@center", "ct.hu_uniformity@worst", "ct.ring"} <= set(numbers)


def test_the_modules_of_a_catphan_without_its_inserts_are_no_water():
    """Twenty centimetres of a CatPhan 600 without the insert module: round, uniform, near water, but of three materials."""
    made = scan("ct_catphan", model="600", matrix=220, psf_mm=0.8, thickness_mm=5.0, step_mm=5.0, noise_hu=3.0)
    rest = [image for image in made.datasets if float(image.ImagePositionPatient[2]) < -15.0]
    assert klass(run(rest)[0]) == "image"
