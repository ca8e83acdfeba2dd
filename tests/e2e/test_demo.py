"""`pacsqc demo` as a person runs it: a made-up day, a temporary Prefect server, a report, every planted fault found."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pydicom
import pytest

pytestmark = pytest.mark.prefect


def pacsqc(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PACSQC_", "PREFECT_"))}
    code = "from flows.cli import app; app()"
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, cwd=folder, env=environment)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def done(folder) -> subprocess.CompletedProcess[str]:
    return pacsqc(folder, "demo")


def test_every_planted_fault_is_found_and_nothing_else(done):
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"(\d+) of (\d+) planted faults found", done.stdout)
    assert found
    assert found[1] == found[2] != "0"
    assert "MISSED" not in done.stdout
    assert "FALSE ALARM" not in done.stdout


def test_it_says_where_the_report_is(done, folder):
    path = folder / done.stdout.partition("Report: ")[2].strip()
    assert path.is_file()
    assert path.name.startswith("daily-")
    html = path.read_text()
    assert "://" not in re.sub(r"http://www\.w3\.org/[^\"]*", "", html)  # no network


def test_stderr_says_what_it_does_and_nothing_more(done):
    assert [line.split(" ")[0] for line in done.stderr.strip().splitlines()] == ["writing", "starting"]


def test_everything_stays_in_the_demo_folder(done, folder):
    assert [path.name for path in folder.iterdir()] == ["pacsqc-data"]
    assert [path.name for path in (folder / "pacsqc-data").iterdir()] == ["demo"]


def test_no_patient_is_named_in_what_was_written(done, folder):
    """Neither in reports and database nor in what Prefect keeps."""
    demo = folder / "pacsqc-data" / "demo"
    words: set[bytes] = set()
    for path in (demo / "inbox").rglob("*"):
        if path.is_file():
            header = pydicom.dcmread(path, stop_before_pixels=True, force=True)
            for keyword in ("PatientName", "PatientID", "AccessionNumber"):
                text = str(header.get(keyword, ""))
                plain = str(header.get("BodyPartExamined", ""))  # PHANTOM names no person
                words |= {part.encode() for part in (text, *text.split("^")) if len(part) > 4 and part != plain}
    assert words
    for path in demo.rglob("*"):
        if path.is_file() and not path.is_relative_to(demo / "inbox"):
            data = path.read_bytes()
            for word in words:
                assert word not in data, f"{word!r} stands in {path.relative_to(demo)}"
            assert not any(word.decode() in path.name for word in words)


def test_a_second_pass_on_the_same_day_counts_nothing_twice(done, folder):
    again = pacsqc(folder, "run", "--no-prefect", "--no-wait", "--data", "pacsqc-data/demo")
    assert (again.returncode, again.stdout) == (0, "Nothing new.\n")


def test_a_folder_that_is_no_demo_is_left_alone(folder, tmp_path):
    (tmp_path / "pacsqc-data" / "demo" / "inbox").mkdir(parents=True)
    (tmp_path / "pacsqc-data" / "demo" / "inbox" / "mine.dcm").write_text("mine")
    refused = pacsqc(tmp_path, "demo")
    assert refused.returncode == 2
    assert "left alone" in refused.stderr
    assert (tmp_path / "pacsqc-data" / "demo" / "inbox" / "mine.dcm").is_file()
