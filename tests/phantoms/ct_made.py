"""Run the CT phantom checks on synthetic scans."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydicom.dataset import Dataset

from phantoms.synthetic.catalogue import make
from qc.results import Judged
from qc.runner import Options, Report, Runner

CHECKS = ("ct_phantom", "ct_water")


def run(datasets: Sequence[Dataset], criteria: tuple[str, ...] = ("acr-ct", "catphan"), **options: Any) -> tuple[Report, dict[str, Judged]]:
    """Write, run, and return the report with the judged measurements by ``metric@region``."""
    with TemporaryDirectory() as folder:
        for number, dataset in enumerate(datasets):
            dataset.save_as(Path(folder, f"{number:04d}.dcm"), enforce_file_format=True)
        with Runner(Options(only=CHECKS, criteria=criteria, **options)) as runner:
            report = runner.paths([Path(folder)])
    broken = [finding.details["traceback"] for finding in report.findings if finding.code == "check.error"]
    assert not broken, broken[0]
    names = {}
    for judged in report.measurements:
        one = judged.measurement
        names[one.metric + (f"@{one.region}" if one.region else "")] = judged
    return report, names


@cache
def scan(name: str, seed: int = 0, **options: Any) -> Any:
    """Make a scan once."""
    return make(name, seed, **{key: dict(value) if key == "inserts_hu" else value for key, value in options.items()})


def values(names: dict[str, Judged]) -> dict[str, float]:
    """Return the values that are there."""
    return {name: judged.measurement.value for name, judged in names.items() if judged.measurement.value is not None}


def klass(report: Report) -> str:
    """Return the class of the first series."""
    return report.studies[0].series[0].klass
