"""One simulated day and one pass over it, shared by all tests here: each looks at it from another side."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from command_line import run_pacsqc

from phantoms.synthetic.simulate import write_day


@pytest.fixture(autouse=True)
def clean(monkeypatch) -> None:
    """No setting of this machine reaches a test."""
    for name in list(os.environ):
        if name.startswith("PACSQC_") or name == "PREFECT_API_URL":
            monkeypatch.delenv(name)


@pytest.fixture
def pacsqc() -> Callable[..., subprocess.CompletedProcess[str]]:
    return run_pacsqc


@dataclass(frozen=True)
class Day:
    """A simulated day, its key, the data folder of the pass over it, and what the pass printed."""

    folder: Path
    key: dict[str, Any]
    data: Path
    done: subprocess.CompletedProcess[str]


@pytest.fixture(scope="session")
def day(tmp_path_factory) -> Day:
    """`pacsqc simulate day` and `pacsqc run` as a person calls them (without Prefect: `test_demo` goes through it)."""
    folder = tmp_path_factory.mktemp("day")
    key = write_day(folder / "day", seed=5, date=date(2026, 11, 24))  # a fixed day: another date is another day
    data = folder / "results"
    quiet = {"PACSQC_INBOX_QUIET_SECONDS": "0"}
    done = run_pacsqc(folder, "run", "--no-prefect", "--no-wait", "--inbox", folder / "day" / "inbox", "--data", data, **quiet)
    return Day(folder, key, data, done)
