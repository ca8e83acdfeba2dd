"""`pacsqc web` and `pacsqc audit-log` on the command line; the desk as the settings make it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows import desk, settings
from flows.cli import app
from reports.store import open_store

PASSWORD = "correct horse battery\n"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PACSQC_DATA_FOLDER", str(tmp_path / "data"))
    return tmp_path / "data"


def run(*arguments: str, given: str = "") -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments), input=given)
    return result.exit_code, result.output


def test_people_come_change_and_go(data):
    code, out = run("web", "user", "add", "anna", "--name", "Anna Beispiel", "--role", "administrator", given=PASSWORD)
    assert (code, out) == (0, "Anna Beispiel (anna) may use the desk as administrator.\n")
    assert run("web", "user", "add", "bert", "--name", "Bert", "--proxy")[0] == 0
    assert run("web", "user", "add", "carl", "--name", "Carl", given="short\n")[0] == 2
    assert run("web", "user", "change", "bert", "--role", "king")[0] == 2
    assert "technologist" in run("web", "user", "change", "bert", "--role", "technologist")[1]
    assert "access ended" in run("web", "user", "change", "bert", "--end", "--reason", "left")[1]
    assert run("web", "user", "change", "anna", "--end")[0] == 2, "somebody must stay administrator"
    assert run("web", "user", "password", "anna", given="another horse battery\n")[0] == 0
    assert re.findall(r'"login": "(\w+)"', run("web", "user", "list", "--json")[1]) == ["anna", "bert"]


def test_tokens(data):
    run("web", "user", "add", "anna", "--name", "Anna", given=PASSWORD)
    code, secret = run("web", "token", "add", "anna", "--label", "dashboard")
    assert code == 0
    assert secret.startswith("pacsqc_")
    assert "dashboard" in run("web", "token", "list")[1]
    assert secret.strip() not in run("web", "token", "list", "--json")[1]
    assert run("web", "token", "revoke", "1")[0] == 0
    assert run("web", "token", "revoke", "1")[0] == 2


def test_the_audit_log_is_verified_against_what_was_noted(data):
    run("web", "user", "add", "anna", "--name", "Anna", given=PASSWORD)
    code, out = run("audit-log", "verify")
    assert code == 0
    noted = out.split()[-1]
    run("web", "user", "add", "bert", "--name", "Bert", "--proxy")
    assert run("audit-log", "verify", "--expect", noted)[0] == 0
    assert run("audit-log", "verify", "--expect", "1:0000")[0] == 1
    assert run("audit-log", "verify", "--expect", "nonsense")[0] == 2
    assert "person.add" in run("audit-log", "list")[1]
    with open_store(f"sqlite:///{data}/results.sqlite") as store, store.writing() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_no_delete")
        connection.exec_driver_sql("DELETE FROM audit WHERE id = 2")
    assert run("audit-log", "verify")[0] == 0, "a row cut off at the end leaves a whole chain"
    code, out = run("audit-log", "verify", "--expect", f"2:{'0' * 64}")
    assert (code, "rows were cut off" in out) == (1, True)
    with open_store(f"sqlite:///{data}/results.sqlite") as store, store.writing() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_no_update")
        connection.exec_driver_sql("UPDATE audit SET who = 'x' WHERE id = 1")
    assert "Row 1 is not what was written" in run("audit-log", "verify")[1]


def test_the_settings_make_the_desk(data, monkeypatch):
    monkeypatch.setenv("PACSQC_WEB_PROXY_HEADER", "X-Remote-User")
    monkeypatch.setenv("PACSQC_PHANTOMS_HOLIDAYS", "2026-12-25")
    monkeypatch.setenv("PACSQC_PHANTOMS_DAYS", "MR1=acr_mri_large:mon-fri")
    with open_store(f"sqlite:///{data}/results.sqlite") as store:
        config = desk.config_for(settings.load(), store)
        assert config.hosts == desk.LOOPBACK, "on this machine, only its own names are answered"
        assert (config.proxy_header, [day.isoformat() for day in config.holidays], config.rules[0].device) == (
            "X-Remote-User",
            ["2026-12-25"],
            "MR1",
        )
        monkeypatch.setenv("PACSQC_WEB_HOST", "0.0.0.0")
        assert desk.config_for(settings.load(), store).hosts == ()
        rows = {row["key"]: row["value"] for row in config.settings}
        assert rows["key"] == ""


def test_headers_are_shown_without_identifiers(data, monkeypatch):
    """A study through the pass, then asked by the desk: technical attributes only, and no word that names the patient."""
    pydicom_data = pytest.importorskip("pydicom.data")
    inbox = data / "inbox"
    inbox.mkdir(parents=True)
    (inbox / "a.dcm").write_bytes(Path(pydicom_data.get_testdata_file("CT_small.dcm")).read_bytes())
    monkeypatch.setenv("PACSQC_INBOX_QUIET_SECONDS", "0")
    assert run("run", "--no-prefect", "--no-wait")[0] == 0
    with open_store(f"sqlite:///{data}/results.sqlite") as store:
        config = desk.config_for(settings.load(), store)
        (uid,) = store.day(store.days()[0])
        assert config.headers
        ((_, told),) = config.headers(uid)
        values = dict(told)
        assert (values["Rows"], values["Modality"], values["KVP"]) == ("128", "CT", "120.0")
        assert not {"PatientName", "PatientID", "PatientBirthDate", "StudyDescription"} & set(values)
        assert "CompressedSamples" not in str(told)
        (inbox / "a.dcm").unlink()
        assert config.headers(uid) == []


def test_the_desk_is_served_on_this_machine_with_a_link_for_the_first(data):
    started = subprocess.Popen(
        [sys.executable, "-c", "from flows.cli import app; app()", "web", "--port", "0"],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert started.stderr
        address = re.search(r"at (http://127\.0\.0\.1:\d+) ", started.stderr.readline())
        link = re.search(r"(http://127\.0\.0\.1:\d+/first/\S+)", started.stderr.readline())
        assert address
        assert link
        assert urllib.request.urlopen(f"{address[1]}/healthz", timeout=20).read() == b'{"status":"ok"}'
        assert b"The first person" in urllib.request.urlopen(link[1], timeout=20).read()
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(f"{address[1]}/healthz", headers={"host": "elsewhere.example"}), timeout=20)
        assert refused.value.code == 421
    finally:
        started.send_signal(signal.SIGINT)
        assert started.wait(20) in (0, 130, -signal.SIGINT)
