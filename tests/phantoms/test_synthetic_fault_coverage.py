"""Every finding code of series integrity, headers and identity is made by a fault of the catalogue, or it is said why not."""

from phantoms.synthetic.faults import FAULTS
from qc.check import load_checks

FAMILIES = ("slices.", "stack.", "series.", "study.", "header.", "identity.", "file.", "geometry.", "pixels.")
MADE = {fault.finding_code for fault in FAULTS.values()}

# Not faults of a study that `inject` is given
ELSEWHERE = {
    # things that are right; recipes make them
    "slices.multi_zone": "recipe two_zone_ct",
    # of paths, archives and permissions, not of data sets: tests/qc/test_archives.py, test_files.py, test_dicom.py
    "file.unreadable": "permissions",
    "file.archive_damaged": "archives",
    "file.too_large": "limits",
    "file.referenced_missing": "media",
    # damage below the level of data sets: tests/qc/test_dicom.py, test_encapsulated.py
    "file.not_encapsulated": "encoding",
    "file.nested_too_deep": "hostile input",
    "file.sequence_unreadable": "damaged sequence",
    "file.no_transfer_syntax": "no file meta information",
    # said where something else is told as well
    "series.mixed_content": "a map or reference image in a series: tests/qc/test_integrity_stacks.py",
    "stack.drift": "of repeated volumes over time, not of what is missing: tests of stack.stability",
    "stack.motion": "the same",
    "pixels.undecodable": "tests/qc/test_decoder.py",
    "pixels.not_decodable_here": "tests/qc/test_decoder.py",
    "pixels.high_bits": "tests/qc/test_pixel_checks.py",
}


def test_every_code_has_a_fault():
    codes = {code for spec in load_checks() for code in spec.codes if code.startswith(FAMILIES)}
    assert codes - MADE - set(ELSEWHERE) == set()
    assert set(ELSEWHERE) <= codes - MADE, "a reason that is not needed any more"


def test_every_fault_names_a_code_that_some_check_declares():
    declared = {code for spec in load_checks() for code in spec.codes} | {"limit.exceeded"}
    assert MADE - {None} <= declared
    assert {code for fault in FAULTS.values() for code in fault.also} <= declared | {"check.not_evaluable"}


def test_every_fault_is_found_by_a_check_that_exists():
    assert [name for name, fault in FAULTS.items() if not fault.implemented] == []
    assert len(FAULTS) > 90
