"""The real checks on every fault: exactly the code that the catalogue promises, and nothing else."""

import numpy as np
import pytest

from phantoms.synthetic.catalogue import make
from phantoms.synthetic.encode import write
from phantoms.synthetic.faults import FAULTS, inject
from qc.runner import Runner

# In the order in which they are tried; each fault is made in the first that suit it
STUDIES = {
    "ct_head": {"slices": 7, "matrix": 64},
    "mr_brain": {"slices": 6, "matrix": 64, "contrasts": ("T1", "T2")},
    "mr_4d": {"slices": 4, "times": 4, "matrix": 32},
    "mr_two_echoes": {"slices": 5, "matrix": 48},
    "us_cine": {"frames": 3, "matrix": (64, 80), "transfer_syntax": "rle"},
    "dx_chest": {"matrix": 96},
    "mg_breast": {"matrix": (96, 64)},
    "enhanced_mr": {"slices": 5, "matrix": 48, "times": 2},
    "pt_brain": {"slices": 6, "matrix": 48},
    "acr_mri_large": {"matrix": 256},
    "acr_mri_medium": {"matrix": 256},
    "ct_chest": {"slices": 6, "matrix": 64, "transfer_syntax": "implicit"},
    "nm_bone": {"matrix": (128, 64)},
    "pt_brain_long": {"slices": 12, "matrix": 32},
    "enhanced_mr_once": {"slices": 6, "matrix": 32, "times": 1},
    "enhanced_ct": {"slices": 6, "matrix": 32},
    "mosaic_epi": {"slices": 6, "times": 5, "matrix": 32},
}
RECIPES = {"pt_brain_long": "pt_brain", "enhanced_mr_once": "enhanced_mr"}
PHANTOMS = ("acr_mri_large", "acr_mri_medium")
MOST = 2  # studies a fault


@pytest.fixture(scope="module")
def runner():
    with Runner() as one:
        yield one


@pytest.fixture(scope="module")
def studies():
    return {name: make(RECIPES.get(name, name), 1, **options).datasets for name, options in STUDIES.items()}


@pytest.fixture
def check(runner, tmp_path):
    def answer(files):
        for old in tmp_path.iterdir():
            old.unlink()
        write(files, tmp_path, [f"IM{number:05d}" for number in range(len(files))])
        report = runner.paths([tmp_path])
        return {(finding.code, str(finding.status)) for finding in report.findings}, {one.reason for one in report.skipped}

    return answer


def suitable(fault, studies):
    """Names of the studies in which a fault is tried; phantoms only for their own."""
    names = [name for name in studies if fault.applies(studies[name]) and (name not in PHANTOMS or fault.name == "shading_of_phantom")]
    return names[:MOST]


@pytest.mark.parametrize("name", STUDIES)
def test_nothing_is_wrong_before_the_fault(name, studies, check):
    assert check(studies[name]) == (set(), set())


ALONE = [
    name for name, fault in FAULTS.items() if fault.topic not in ("history", "artefacts") and name != "swapped_patient_between_studies"
]


@pytest.mark.parametrize("name", ALONE)
def test_each_fault_is_found_with_its_code_and_nothing_else_is(name, studies, check, tmp_path, runner):
    fault = FAULTS[name]
    tried = suitable(fault, studies)
    # one recipe is repeated in time, one in time and frames, one has sides, one a view, one mosaics, one beds
    only_one = {
        "aborted_last_volume", "lost_time_points", "lost_frame", "wrong_laterality", "missing_side", "wrong_view", "fewer_tiles", "lost_mosaic",
        "overlapping_beds", "gap_between_beds",
    }  # fmt: skip
    assert len(tried) >= (1 if name in only_one else 2)
    for number, study in enumerate(tried):
        found, skipped = check(inject(name, studies[study], np.random.default_rng(number)))
        told = {(code, status) for code, status in found if status != "info" or code == fault.finding_code}
        promised = {(fault.finding_code, fault.status)} if fault.finding_code else set()
        if fault.implemented:
            assert promised <= told, study
        assert {one for one in told - promised if not (one[0] in fault.also and one[1] != "fail")} == set(), study
        assert skipped - {"empty"} == ({fault.skipped} if fault.skipped else set()), study


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if fault.topic == "history"])
def test_what_only_two_studies_show(name, studies, check):
    """And it is told once, with nothing else; each study alone is in order."""
    for first, second in (("dx_chest", "ct_head"), ("mr_brain", "us_cine")):
        files = inject(name, [*studies[first], *studies[second]], np.random.default_rng(1))
        assert [one for one in check(files)[0] if one[1] != "info"] == [(FAULTS[name].finding_code, FAULTS[name].status)]


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if fault.topic == "history"])
def test_each_of_the_two_alone_is_in_order(name, studies, check):
    files = inject(name, [*studies["dx_chest"], *studies["ct_head"]], np.random.default_rng(1))
    for study in {file.StudyInstanceUID for file in files}:
        assert [one for one in check([file for file in files if file.StudyInstanceUID == study])[0] if one[1] != "info"] == []


def test_two_exchanged_patients_are_not_seen(studies, check):
    both = [*studies["dx_chest"], *studies["ct_head"]]
    assert check(inject("swapped_patient_between_studies", both, np.random.default_rng(0))) == (set(), set())


def test_zones_whose_thickness_is_no_number_are_still_planned(check):
    files = inject("thickness_in_words", make("two_zone_ct", 0).datasets, np.random.default_rng(0))
    codes, _ = check(files)
    assert ("slices.multi_zone", "info") in codes
    assert not [code for code, status in codes if status == "fail"]
