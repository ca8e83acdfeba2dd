"""`pacsqc trend`: what can be read and decided without the desk."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows import daily
from flows.cli import app

sys.path.insert(0, str(Path(__file__).parents[1] / "reports"))
from trends_made import day, history


def call(*arguments: object):
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture
def uids(chosen) -> list[str]:
    with daily.open_for(chosen) as store:
        return history(store, [92.0 + (-1) ** n * 0.5 for n in range(22)])


def charts() -> list[dict]:
    return json.loads(call("trend", "list", "--json").stdout)


def test_decisions_on_the_command_line(uids):
    (one,) = charts()
    assert (one["state"], one["values"], one["acquired"]) == ("no_baseline", 22, "acr_mri_large, HEAD, TR 500, TE 20, 5 mm")
    assert "22 values wait" in call("trend", "list", "--device", "MR1").stdout
    number = one["chart"]
    assert call("trend", "leave-out", number, uids[3], "--reason", "air bubble").exit_code == 0
    done = call("trend", "baseline", number, "--from", day(0), "--to", day(20), "--reason", "acceptance")
    assert done.exit_code == 0, done.output
    assert "In control" in done.stdout
    assert charts()[0]["state"] == "steady"
    done = call("trend", "event", "MR1", "repair", "coil replaced", "--day", day(21), "--time", "06:00")
    assert done.stdout == "Event 1 of MR1 is noted.\n"
    assert charts()[0]["state"] == "no_baseline"
    assert call("trend", "take-back", "service_event", 1, "--reason", "that was MR2").exit_code == 0
    assert charts()[0]["state"] == "steady"
    assert call("trend", "replace", uids[20], "--by", uids[21], "--reason", "not level").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("baseline", 1, "--from", "soon", "--to", "2026-01-20", "--reason", "x"), "YYYY-MM-DD"),
        (("baseline", 99, "--from", "2026-01-05", "--to", "2026-01-20", "--reason", "x"), "no chart 99"),
        (("baseline", 1, "--from", "2026-01-05", "--to", "2026-01-07", "--reason", "x"), "at least 10"),
        (("event", "MR1", "magic", "x", "--day", "2026-01-05"), "allowed are service"),
        (("event", "MR1", "note", "x", "--day", "2026-01-05", "--time", "25:00"), "13:30"),
        (("event", "MR9", "note", "x", "--day", "2026-01-05"), "no device"),
        (("replace", "1.2", "--by", "1.3", "--reason", "x"), "no phantom scan"),
        (("take-back", "chart", 1, "--reason", "x"), "allowed are baseline"),
    ],
)
def test_what_is_wrong_is_said(uids, arguments, words):
    done = call("trend", *arguments)
    assert done.exit_code == 2
    assert words in done.stderr


def test_the_rules_of_the_site_are_used_and_named(chosen, monkeypatch):
    """Case O01: eight in a row by Western Electric, nine by Nelson; which, stands in the text."""
    with daily.open_for(chosen) as store:
        history(store, [100.0 + (-1) ** n for n in range(20)] + [101.0] * 8)
    (one,) = charts()
    call("trend", "baseline", one["chart"], "--from", day(0), "--to", day(19), "--reason", "acceptance")
    (one,) = charts()
    assert one["state"] == "signal"
    assert one["why"].startswith("8 in a row above the baseline (Western Electric")
    monkeypatch.setenv("PACSQC_TRENDS_RUN", "9")
    assert charts()[0]["state"] == "steady"
    monkeypatch.setenv("PACSQC_TRENDS_RULES", "limits,ewma")
    monkeypatch.setenv("PACSQC_TRENDS_RUN", "8")
    assert charts()[0]["state"] == "steady"
    monkeypatch.setenv("PACSQC_TRENDS_RULES", "seven")
    assert "two_of_three" in call("trend", "list").stderr
