"""Every artefact of the catalogue is found by the real checks with the code it promises; nothing else warns but what goes with it."""

import numpy as np
import pytest

from phantoms.synthetic.catalogue import make
from phantoms.synthetic.encode import write
from phantoms.synthetic.faults import FAULTS, inject
from qc.runner import Runner

CT = ("ct_head", {"slices": 12, "matrix": 256})
MR = ("mr_brain", {"slices": 12, "matrix": 128})
STUDIES = {
    "ghosted": [MR],
    "herringbone": [MR, ("mr_4d", {"slices": 4, "times": 4, "matrix": 64})],
    "spiked_volume": [("mr_4d", {"slices": 6, "times": 8, "matrix": 48})],
    "ringed": [CT, ("ct_head", {"slices": 8, "matrix": 320})],
    "swapped_slices": [CT, MR],
    "foreign_slice": [CT, ("ct_head", {"slices": 20, "matrix": 128})],
    "near_copy": [CT, ("ct_head", {"slices": 20, "matrix": 128})],
    "swapped_bytes": [CT, ("dx_chest", {"matrix": 256})],
    "few_levels": [MR, ("dx_chest", {"matrix": 256})],
    "dead_column": [("dx_chest", {"matrix": 256}), ("mg_breast", {})],
    "wrong_deviation_index": [("dx_chest", {"matrix": 128})],
    "wrapped": [MR],
    "frozen_clip": [("us_cine", {"frames": 8}), ("us_cine", {"frames": 8, "rgb": False})],
    "counts_lost": [("nm_bone", {"matrix": (256, 64)})],
    "dose_in_mbq": [("pt_brain", {"slices": 6})],
    "mirrored_breast": [("mg_breast", {})],
}
CASES = [
    pytest.param(name, recipe, options, id=f"{name}-{recipe}-{number}")
    for name, studies in STUDIES.items()
    for number, (recipe, options) in enumerate(studies)
]


def findings(runner, folder, files):
    write(files, folder, [f"IM{number:05d}" for number in range(len(files))])
    report = runner.paths([folder])
    return {(one.code, str(one.status)) for one in report.findings if str(one.status) in ("warn", "fail", "error")}


def test_every_artefact_of_the_catalogue_is_tried():
    assert set(STUDIES) == {name for name, fault in FAULTS.items() if fault.topic == "artefacts"}


@pytest.mark.parametrize(("name", "recipe", "options"), CASES)
def test_an_artefact_is_found_and_the_clean_study_is_not(name, recipe, options, tmp_path):
    fault = FAULTS[name]
    clean = make(recipe, 3, **options).datasets
    with Runner() as runner:
        (tmp_path / "clean").mkdir()
        (tmp_path / "broken").mkdir()
        assert findings(runner, tmp_path / "clean", clean) == set()
        found = findings(runner, tmp_path / "broken", inject(name, clean, np.random.default_rng(5)))
    assert (fault.finding_code, fault.status) in found
    assert {code for code, _ in found} <= {fault.finding_code, *fault.also}
    assert all(status == "warn" for _, status in found)
