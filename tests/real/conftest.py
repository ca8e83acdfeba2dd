"""Real images: each folder is checked once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from qc.runner import Report, Runner


@pytest.fixture(scope="session")
def report_of(real_data: Path) -> Callable[[str], Report]:
    """Give the report on a folder of the real images."""
    known: dict[str, Report] = {}

    def report(folder: str) -> Report:
        if folder not in known:
            with Runner() as runner:
                known[folder] = runner.paths([real_data / folder])
        return known[folder]

    return report
