"""Alerts of the daily pass: one message a run, only when something is new, nobody named, and never a run that fails for it."""

from __future__ import annotations

import json
import os

import pydicom
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from flows import daily, settings, tell
from flows.cli import app
from phantoms.synthetic.catalogue import make
from phantoms.synthetic.encode import write
from reports.store import schema as t


@pytest.fixture
def told(chosen, receiver) -> settings.Settings:
    """Settings with somebody to tell."""
    return settings.load()


def call(*arguments: object):
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_one_message_a_run_and_only_when_something_is_new(told, receiver):
    done = daily.run_pass(told)
    assert (done.alerts, done.unsent) == (1, 0)
    (message,) = receiver.got
    assert "1 study" in message["message"]  # the lost slice; a warning is below error
    assert daily.run_pass(told).alerts == 0
    assert len(receiver.got) == 1


def test_several_days_are_one_message(told, receiver):
    datasets = make("ct_head", 7, slices=6, matrix=96).datasets
    for dataset in datasets:
        dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = dataset.ContentDate = "20240105"
    del datasets[2]
    write(datasets, told.inbox_folder / "older")
    done = daily.run_pass(told)
    assert len(done.days) >= 2
    assert (done.alerts, len(receiver.got)) == (1, 1)


def test_the_mildest_status_is_a_setting(told, receiver, monkeypatch):
    monkeypatch.setenv("PACSQC_ALERTS_MINIMUM", "warn")
    daily.run_pass(settings.load())
    assert "Warn" in receiver.got[0]["message"] or "warn" in receiver.got[0]["message"]


def test_a_link_where_the_settings_have_one(told, receiver, monkeypatch):
    monkeypatch.setenv("PACSQC_ALERTS_LINK", "https://qa.example.org/reports/")
    done = daily.run_pass(settings.load())
    assert any(f"https://qa.example.org/reports/daily-{day}.html" in receiver.got[0]["message"] for day in done.days)


def test_nobody_is_named(told, receiver):
    """Neither patient nor study nor file: counts, kinds of problem, a day, and the device, for else nobody knows where to go."""
    daily.run_pass(told)
    text = json.dumps(receiver.got)
    words = set()
    for path in told.inbox_folder.rglob("*"):
        if path.is_file():
            header = pydicom.dcmread(path, stop_before_pixels=True)
            words |= {str(header.get(keyword, "")) for keyword in ("PatientName", "PatientID", "AccessionNumber", "StudyInstanceUID",
                                                                   "SeriesInstanceUID", "DeviceSerialNumber", "StudyDescription")}  # fmt: skip
            words |= set(str(header.PatientName).split("^")) | {path.name, str(path.parent)}
    assert len(words) > 10
    assert not [word for word in words if len(word) > 3 and word in text]


def test_what_cannot_be_sent_waits_and_fails_no_run(told, receiver, caplog):
    receiver.broken = True
    with caplog.at_level("WARNING", logger="flows"):
        done = daily.run_pass(told)
    assert (done.checked, done.alerts, done.unsent) == (3, 0, 1)
    assert done.days
    assert "could not be sent" in caplog.text
    listed = call("alert", "list")
    assert "waiting" in listed.stdout
    assert "secret" not in caplog.text + listed.output + call("alert", "list", "--json").output
    receiver.broken = False
    sent = call("alert", "send")
    assert (sent.exit_code, sent.stdout) == (0, "Sent: 1.\n")
    assert len(receiver.got) == 1
    assert "sent" in call("alert", "list").stdout


def test_a_later_pass_sends_what_waits(told, receiver):
    receiver.broken = True
    daily.run_pass(told)
    receiver.broken = False
    with daily.open_for(told) as store, store.writing() as connection:
        connection.execute(sa.update(t.outbox).values(due_at=sa.select(t.outbox.c.created_at).scalar_subquery()))
    assert daily.run_pass(told).alerts == 1
    assert len(receiver.got) == 1


def test_a_sender_that_breaks_in_any_way_fails_no_run(told, receiver, monkeypatch, caplog):
    def broken(*arguments, **options):
        raise KeyError("secret-word")

    monkeypatch.setattr(tell.alerts, "deliver", broken)
    with caplog.at_level("WARNING", logger="flows"):
        done = daily.run_pass(told)
    assert (done.checked, done.unsent) == (3, 1)
    assert "secret" not in caplog.text


def test_nobody_to_tell_writes_no_message(chosen):
    daily.run_pass(chosen)
    with daily.open_for(chosen) as store:
        assert tell.rows(store, 10) == []
    assert "PACSQC_ALERTS_URLS" in call("alert", "list").stdout
    for command in ("test", "send"):
        done = call("alert", command)
        assert done.exit_code == 2
        assert "PACSQC_ALERTS_URLS" in done.stderr


def test_problems_are_listed_acknowledged_and_snoozed(chosen):
    """The ledger is kept also where nobody is told."""
    daily.run_pass(chosen)
    (row, *_) = json.loads(call("alert", "problems", "--json").stdout)
    assert (row["state"], row["day_number"]) == ("open", 1)
    assert str(row["id"]) in call("alert", "problems").stdout
    missing = call("alert", "ack", row["id"])
    assert missing.exit_code == 2
    assert "--reason" in missing.stderr
    done = call("alert", "ack", row["id"], "--reason", "service is called")
    assert done.exit_code == 0, done.output
    assert json.loads(call("alert", "problems", "--json").stdout)[0]["state"] == "acknowledged"
    assert "service is called" in call("alert", "problems").stdout
    done = call("alert", "snooze", row["id"], "--until", "2099-01-05", "--reason", "part is ordered")
    assert done.exit_code == 0, done.output
    assert "2099-01-05" in call("alert", "problems").stdout
    for arguments, words in (
        (("ack", 999, "--reason", "x"), "no problem 999"),
        (("snooze", row["id"], "--until", "soon", "--reason", "x"), "YYYY-MM-DD"),
        (("snooze", row["id"], "--until", "2001-01-01", "--reason", "x"), "must lie after"),
    ):
        wrong = call("alert", *arguments)
        assert wrong.exit_code == 2
        assert words in wrong.stderr


def test_what_is_noticed_of_the_plant_is_in_the_same_stream(told, receiver):
    daily.run_pass(told)
    with daily.open_for(told) as store:
        store.notices_now("silent_device", {"device:9": ("warn", "CT9 is silent: no study for 4 days")})
    assert daily.run_pass(told).alerts == 1
    assert "CT9 is silent" in receiver.got[-1]["message"]
    assert daily.run_pass(told).alerts == 0
    with daily.open_for(told) as store:
        store.notices_now("silent_device", {})
    assert daily.run_pass(told).alerts == 1
    assert "Over" in receiver.got[-1]["message"]


def test_severities_have_routes_of_their_own(chosen, receiver, monkeypatch):
    monkeypatch.setenv("PACSQC_ALERTS_URLS_FAIL", os.environ["PACSQC_ALERTS_URLS"])
    monkeypatch.delenv("PACSQC_ALERTS_URLS")
    monkeypatch.setenv("PACSQC_ALERTS_MINIMUM", "warn")
    daily.run_pass(settings.load())
    (message,) = receiver.got
    assert "Failed" in message["message"]
    assert "Warning" not in message["message"]


def test_the_test_message(told, receiver):
    done = call("alert", "test")
    assert done.exit_code == 0, done.output
    assert "Taken by 1 of 1" in done.stdout
    assert "test" in receiver.got[0]["title"]
    receiver.broken = True
    broken = call("alert", "test")
    assert broken.exit_code == 1
    assert "target 1 (json)" in broken.stderr
    assert "secret" not in broken.output


def test_addresses_are_secret_and_checked(monkeypatch, tmp_path):
    monkeypatch.setenv("PACSQC_ALERTS_URLS", "mailtos://me:secret-word@mail.example.org")
    shown = call("settings")
    assert "secret" not in shown.output.replace("secrets", "")
    assert "now set" in shown.stdout
    shown = {f"{row['section']}.{row['key']}": row["value"] for row in json.loads(call("settings", "--json").stdout)}
    assert (shown["alerts.urls"], shown["alerts.urls_fail"]) == ("****", "")
    monkeypatch.setenv("PACSQC_ALERTS_URLS", "me at home")
    wrong = call("settings")
    assert wrong.exit_code == 2
    assert "PACSQC_ALERTS_URLS" in wrong.stderr
    assert "me at home" not in wrong.stderr
    monkeypatch.delenv("PACSQC_ALERTS_URLS")
    (tmp_path / "pacsqc.toml").write_text('[alerts]\nurls = "json://x"\n')
    assert "must not stand in a file" in call("settings").stderr
