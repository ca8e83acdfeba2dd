"""What all tests share: how hypothesis behaves, and one way to run every check on some paths."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# pytest puts this folder on sys.path, and its folder `qc` (without an __init__) would then stand for the package of that name
# wherever the root of the project is not on the path before it
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from qc.runner import Options, Report, Runner

# The same examples on every machine and every day; a search with new ones is made with --hypothesis-profile=search
settings.register_profile("repeatable", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("search", deadline=None, max_examples=2000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("repeatable")


def check_paths(*paths: Path | str, **options: object) -> Report:
    """Run all checks that apply, as `pacsqc check` does."""
    with Runner(Options(**options)) as runner:
        return runner.paths([Path(path) for path in paths])


@pytest.fixture
def check() -> Callable[..., Report]:
    """Give `check_paths`."""
    return check_paths


@pytest.fixture(scope="session")
def real_data(pytestconfig: pytest.Config) -> Path:
    """Folder of the real images; tests that ask for it are skipped where it is not there."""
    named = os.environ.get("PACSQC_REAL_DATA")
    folder = Path(named) if named else pytestconfig.rootpath.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real images: {folder} is not there; name their folder in PACSQC_REAL_DATA")
    return folder


# Whole days, every phantom in every pose, every check on every example: minutes, not seconds. `pytest -m long` runs them, and so does
# .ci/run after the others. Names are paths below tests/, with or without a test.
LONG = (
    "e2e/",
    "flows/test_flows_prefect.py",
    "flows/test_judge_command.py",
    "flows/test_measure_again.py",
    "flows/test_phantom_by_hand.py",
    "flows/test_run_no_identifiers.py",
    "phantoms/test_acr_locate.py",
    "phantoms/test_acr_mri.py",
    "phantoms/test_ct_cases.py",
    "phantoms/test_ct_disturbed.py",
    "phantoms/test_ct_phantoms.py",
    "phantoms/test_synthetic_artefact_codes.py",
    "phantoms/test_synthetic_catalogue.py",
    "phantoms/test_synthetic_fault_codes.py",
    "phantoms/test_synthetic_faults.py",
    "phantoms/test_synthetic_simulate.py",
    "test_contract.py::test_examples_come_true",
    "test_contract.py::test_order_of_the_files",
    "qc/test_pixels.py::test_every_pixel_of_every_file_that_pydicom_can_decode",
    "real/test_acr_mri_real.py",
    "real/test_packages.py",
    "real/test_real_folders.py::test_everything_in_one_call",
    "test_contract.py::test_the_same_real_values_stored_otherwise",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the long tests."""
    here = Path(__file__).parent
    for item in items:
        name = f"{item.path.relative_to(here).as_posix()}::{item.name}" if item.path.is_relative_to(here) else ""
        if name.startswith(LONG):
            item.add_marker("long")
