"""Killed at random moments, two at once: nothing lost, nothing counted twice. The benchmark does the same 200 times."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from flows import daily

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    """The benchmark as a module: test and benchmark kill in the same way."""
    spec = importlib.util.spec_from_file_location("daily_pass", ROOT / "benchmarks" / "daily_pass.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def inbox(bench, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("inbox")
    bench.write_inbox(folder)
    return folder


def test_ten_kills_and_a_run_to_the_end(bench, inbox, tmp_path):
    found = bench.kill_often(inbox, tmp_path, kills=10, seed=1, in_a_row=5)
    assert found["killed"] == 10
    assert found["studies"] == 30
    assert found["findings"] >= 10  # there is something to lose
    assert found["measurements"] >= 30
    assert (found["lost"], found["twice"]) == (0, 0)


def test_the_comparison_sees_what_is_lost_and_what_is_there_twice(bench):
    wanted = {"findings": [("a",), ("b",)], "completed": 2}
    assert bench.differences({"findings": [("a",), ("b",)], "completed": 2}, wanted) == (0, 0)
    assert bench.differences({"findings": [("a",)], "completed": 2}, wanted) == (1, 0)
    assert bench.differences({"findings": [("a",), ("b",), ("b",)], "completed": 2}, wanted) == (0, 1)
    assert bench.differences({"findings": [("a",), ("b",)], "completed": 3}, wanted) == (1, 1)


def test_two_runs_at_once_do_the_work_once(bench, inbox, tmp_path):
    with bench.settings_for(tmp_path / "alone", inbox) as chosen:
        daily.run_pass(chosen, patient=False)
        wanted = bench.snapshot(chosen)
    with bench.settings_for(tmp_path / "both", inbox) as chosen:
        code = "from flows.cli import app; app()"
        command = [sys.executable, "-c", code, "run", "--no-prefect", "--no-wait"]
        both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
        said = [one.communicate(timeout=120) for one in both]
        assert [one.returncode for one in both] == [0, 0], said
        daily.run_pass(chosen, patient=False)  # whichever was the first to end may have written its report before the other was through
        assert bench.differences(bench.snapshot(chosen), wanted) == (0, 0)
