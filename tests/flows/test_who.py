"""`pacsqc who`: the name is shown on a terminal only, each use is logged, and nothing of it is written anywhere."""

from __future__ import annotations

import os
import pty
import pwd
import subprocess
import sys

import pydicom
import pytest
from typer.testing import CliRunner

from flows import daily, who
from flows.cli import app
from flows.settings import site_key
from qc.errors import ConfigurationError
from qc.identity import keyed_hash

NAME, PATIENT_ID = "ZORBLATT^QUENDOLINE", "ZX-4711-QQ"
CODE = "from flows.cli import app; app()"


def on_a_terminal(*arguments: object) -> tuple[int, str]:
    """Run the command line with a terminal as standard output; return exit code and what stood there."""
    master, slave = pty.openpty()
    command = [sys.executable, "-c", CODE, "who", *map(str, arguments)]
    with subprocess.Popen(command, stdout=slave, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL) as process:
        os.close(slave)
        shown = b""
        while True:
            try:
                part = os.read(master, 4096)
            except OSError:  # the other end was closed
                break
            if not part:
                break
            shown += part
        process.wait(60)
    os.close(master)
    return process.returncode, shown.decode()


@pytest.fixture
def checked(chosen):
    """The three studies checked; the patient of the good one has an unmistakable name."""
    for path in (chosen.inbox_folder / "good").rglob("*"):
        if path.is_file():
            dataset = pydicom.dcmread(path)
            dataset.PatientName, dataset.PatientID = NAME, PATIENT_ID
            dataset.save_as(path)
    daily.run_pass(chosen)
    return chosen


def logged(chosen) -> list:
    with daily.open_for(chosen) as store:
        return [entry for entry in store.audit(10) if entry.what == "patient.who"]


def test_the_name_is_shown_and_the_use_is_logged(checked):
    mark = keyed_hash(site_key(checked), PATIENT_ID)
    code, shown = on_a_terminal(mark.upper(), "--reason", "call the ward")
    assert code == 0, shown
    assert NAME in shown
    assert PATIENT_ID in shown
    (entry,) = logged(checked)
    assert entry.why == "call the ward"
    assert entry.after == {"hash": mark, "found": True}
    assert entry.who == who.login()
    for path in checked.data.folder.rglob("*"):
        if path.is_file():
            assert b"ZORBLATT" not in path.read_bytes()
            assert PATIENT_ID.encode() not in path.read_bytes()


def test_nobody_of_that_hash_is_logged_too(checked):
    code, shown = on_a_terminal("0123456789", "--reason", "curious")
    assert code == 1
    assert "Nobody of that hash in 13 images" in shown
    (entry,) = logged(checked)
    assert entry.after == {"hash": "0123456789", "found": False}


def test_a_name_goes_into_no_pipe(checked):
    mark = keyed_hash(site_key(checked), PATIENT_ID)
    done = CliRunner().invoke(app, ["who", mark, "--reason", "x"])
    assert done.exit_code == 2
    assert "terminal only" in done.output
    assert "ZORBLATT" not in done.output
    assert logged(checked) == []


def test_a_reason_and_a_hash_are_needed(checked):
    assert CliRunner().invoke(app, ["who", "0123456789"]).exit_code == 2
    assert on_a_terminal("0123456789", "--reason", "  ")[0] == 2
    code, shown = on_a_terminal("MUSTERMANN", "--reason", "x")
    assert code == 2
    assert "no hash" in shown


def test_a_patient_in_a_study_of_somebody_else_is_found_too(checked):
    path = sorted(path for path in (checked.inbox_folder / "lost").rglob("*") if path.is_file())[-1]
    dataset = pydicom.dcmread(path)
    dataset.PatientName, dataset.PatientID = "GRIMBOLD^A", "GB-0815-77"
    dataset.save_as(path)
    daily.run_pass(checked)
    with daily.open_for(checked) as store:
        answer = who.search(store, checked, keyed_hash(site_key(checked), "GB-0815-77"))
    assert {one.name for one in answer.people} == {"GRIMBOLD^A"}


def test_images_that_are_gone_are_counted(checked):
    mark = keyed_hash(site_key(checked), PATIENT_ID)
    for path in (checked.inbox_folder / "good").rglob("*"):
        if path.is_file():
            path.unlink()
    with daily.open_for(checked) as store:
        answer = who.search(store, checked, mark)
    assert not answer.people
    assert answer.gone >= 3


@pytest.mark.parametrize("text", ["", "123", "0123456789ab", "ghijklmnop", "../../etc"])
def test_what_is_no_hash(text):
    with pytest.raises(ConfigurationError):
        who.wanted_hash(text)


def test_the_login_is_not_what_somebody_says(monkeypatch):
    monkeypatch.setenv("LOGNAME", "somebody")
    assert who.login() == pwd.getpwuid(os.getuid()).pw_name
    monkeypatch.setenv("SUDO_USER", "anna")
    assert who.login().endswith("(sudo by anna)")
