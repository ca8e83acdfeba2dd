"""The flows through the engine of Prefect: thin, so five runs are enough. All else is tested on the plain functions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows import daily, scheduled
from qc.errors import Transient, Unmeasurable

pytestmark = pytest.mark.prefect
ROOT = Path(__file__).parents[2]


def test_the_three_flows_do_the_pass(engine, chosen):
    from flows.discover import discover
    from flows.process import process
    from flows.publish import publish

    found, worked, written = discover(), process(), publish()
    assert (found["files"], found["studies"]) == (13, 3)
    assert worked["checked"] == 3
    for day in written["days"]:
        assert (chosen.reports_folder / f"daily-{day}.html").is_file()
    assert daily.run_pass(chosen).checked == 0  # the plain pass finds the work done


def test_a_transient_error_is_retried_and_nothing_is_done_twice(engine, chosen, monkeypatch):
    from flows import process as module

    with daily.open_for(chosen) as store:
        daily.discover_once(daily.source_for(chosen), store, 0)
    original, calls = daily.process_batch, []

    def locked_at_first(*arguments):
        calls.append(1)
        if len(calls) == 1:
            raise Transient("the database is locked")
        return original(*arguments)

    monkeypatch.setattr(daily, "process_batch", locked_at_first)
    monkeypatch.setattr(module, "check_batch", module.check_batch.with_options(retry_delay_seconds=0))
    assert module.process()["checked"] == 3
    assert len(calls) >= 2


def test_a_bug_is_not_retried(engine, chosen, monkeypatch):
    from flows import process as module

    with daily.open_for(chosen) as store:
        daily.discover_once(daily.source_for(chosen), store, 0)
    calls = []

    def broken(*arguments):
        calls.append(1)
        raise ValueError("a bug")

    monkeypatch.setattr(daily, "process_batch", broken)
    with pytest.raises(ValueError, match="a bug"):
        module.process()
    assert len(calls) == 1


def test_only_transient_errors_are_retried():
    from prefect.states import Failed

    from flows.discover import is_transient

    assert is_transient(None, None, Failed(data=Transient("later")))
    assert not is_transient(None, None, Failed(data=Unmeasurable("no")))
    assert not is_transient(None, None, Failed(data=ValueError("a bug")))


def test_tasks_keep_nothing_and_hash_nothing():
    from prefect.cache_policies import NO_CACHE

    from flows.discover import discover, look
    from flows.process import check_batch, process
    from flows.publish import publish, write_reports

    for task in (look, check_batch, write_reports):
        assert task.cache_policy == NO_CACHE
        assert task.persist_result is False
        assert task.timeout_seconds is None
    for flow in (discover, process, publish):
        assert flow.retries == 0
        assert flow.persist_result is False


def test_deployments_name_flows_that_are_there():
    import yaml
    from prefect.flows import load_flow_from_entrypoint

    document = yaml.safe_load((ROOT / "prefect.yaml").read_text())
    assert [one["name"] for one in document["deployments"]] == [plan.flow for plan in scheduled.PLANS]
    for one, plan in zip(document["deployments"], scheduled.PLANS, strict=True):
        assert tuple(when["cron"] for when in one["schedules"]) == plan.crons
        assert one.get("parameters", {}) == plan.parameters
        assert one["description"] == plan.what
    for one in document["deployments"]:
        path, _, name = one["entrypoint"].partition(":")
        flow = load_flow_from_entrypoint(f"{ROOT / path}:{name}")
        if one["schedules"]:  # what is started by hand is given its parameters then
            flow.validate_parameters(one.get("parameters", {}))
        assert "concurrency_limit" not in one


def test_without_a_server_the_same_work_is_done_with_a_word(pacsqc, chosen, tmp_path):
    done = pacsqc("run", PREFECT_API_URL="http://127.0.0.1:1/api", PREFECT_HOME=str(tmp_path / "prefect"))
    assert done.returncode == 0, done.stderr
    assert "doing the same work without Prefect" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Checked: 3 studies" in done.stdout


def test_one_run_with_prefect_and_one_without_at_once_do_the_work_once(engine, chosen, tmp_path):
    code = "from flows.cli import app; app()"
    environment = {**os.environ, "PREFECT_API_URL": engine, "PREFECT_HOME": str(tmp_path / "prefect")}
    both = [
        subprocess.Popen([sys.executable, "-c", code, "run", "--no-wait", "--json", *more], stdout=subprocess.PIPE, env=environment)
        for more in ([], ["--no-prefect"])
    ]
    told = [json.loads(one.communicate(timeout=120)[0]) for one in both]
    assert [one.returncode for one in both] == [0, 0]
    assert sum(one["checked"] for one in told) == 3
    assert sum(one["studies"] for one in told) == 3
    assert daily.run_pass(chosen).checked == 0


def test_alerts_are_sent_through_prefect_too(engine, chosen, receiver):
    from flows.publish import publish

    with daily.open_for(chosen) as store:
        source = daily.source_for(chosen)
        daily.discover_once(source, store, 0)
        daily.drain(store, source, chosen)
    receiver.broken = True
    assert publish()["unsent"] == 1  # and the flow has not failed for it
    receiver.broken = False
    with daily.open_for(chosen) as store:
        from flows import settings, tell

        assert tell.send_waiting(store, settings.load(), due_only=False).alerts == 1
    assert len(receiver.got) == 1


def test_a_server_that_goes_away_costs_nothing_but_a_word(chosen, monkeypatch, caplog):
    import httpx

    from flows import run

    def goes_away(patient):
        daily.discover_once(daily.source_for(chosen), daily.open_for(chosen), 0)
        raise httpx.ConnectError("All connection attempts failed")

    monkeypatch.setattr(run, "prepare", lambda data: None)
    monkeypatch.setattr(run, "_start_server", lambda: None)
    monkeypatch.setattr(run, "_flows", goes_away)
    with caplog.at_level("INFO", logger="flows"):
        done = run.run_pass(chosen)
    assert done.checked == 3
    assert "doing the same work without Prefect" in caplog.text
