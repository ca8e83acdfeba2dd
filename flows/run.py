"""One daily pass through Prefect: the three flows one after another, on the server of PREFECT_API_URL or a temporary one.

Prefect is the alarm clock and the dashboard, not the truth: where it cannot be reached, the same work is done without it.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from flows import daily
from flows.daily import Tally
from flows.settings import Settings

log = logging.getLogger(__name__)

# What Prefect reads when it is imported. Nothing calls home, nothing is kept by Prefect, nothing chats on stderr.
ENVIRONMENT = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
    "PREFECT_TASKS_DEFAULT_NO_CACHE": "true",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "100",
}
WATCHDOG = """
import os, signal, sys
for pid in [int(line) for line in sys.stdin]:  # until the pipe ends, that is, until its other end has died
    try:
        os.kill(pid, signal.SIGTERM)
    except OSError:
        pass
"""
TEMPORARY = {
    "PREFECT_SERVER_EPHEMERAL_ENABLED": "true",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "90",
    "PREFECT_SERVER_UI_ENABLED": "false",
}


def run_pass(settings: Settings, *, patient: bool = True) -> Tally:
    """Discover, process, publish, through Prefect; without it, with a word about why, where it cannot be reached."""
    prepare(settings.data.folder)
    server = os.environ.get("PREFECT_API_URL", "")
    if not server:
        log.info("starting a temporary Prefect server on this machine")
    try:
        return _through_prefect(patient, server)
    except Unreachable as error:
        where = f"the Prefect server at {server}" if server else "a temporary Prefect server"
        log.warning("%s cannot be used (%s); doing the same work without Prefect", where, error)
        return daily.run_pass(settings, patient=patient)


class Unreachable(Exception):
    """There is no Prefect server."""


def prepare(data: Path) -> None:
    """Set what Prefect reads from the environment, where the user has not. To be called before it is imported."""
    wanted = dict(ENVIRONMENT)
    if not os.environ.get("PREFECT_API_URL"):
        os.environ.pop("PREFECT_API_URL", None)
        home = (data / "prefect").absolute()
        home.mkdir(parents=True, exist_ok=True)
        wanted |= TEMPORARY | {"PREFECT_HOME": str(home)}
    for name, value in wanted.items():
        os.environ.setdefault(name, value)


def _through_prefect(patient: bool, server: str) -> Tally:
    import httpx
    from prefect.exceptions import PrefectException
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    logging.getLogger("prefect").setLevel(logging.CRITICAL)
    outside = (httpx.HTTPError, PrefectException, OSError)
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):  # else each flow waits a second for its heart to stop
        try:
            _reach() if server else _start_server()
        except (*outside, RuntimeError) as error:
            raise Unreachable(str(error) or type(error).__name__) from error
        try:
            return _flows(patient)
        except outside as error:  # it went away on the way; what was done is done, and the rest goes without
            raise Unreachable(str(error) or type(error).__name__) from error


def _reach() -> None:
    """See whether the server answers."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        trouble = client.api_healthcheck()
    if trouble:
        raise RuntimeError(str(trouble) or type(trouble).__name__) from trouble


def _start_server() -> None:
    """Start the temporary server. It ends with this process, even where that is killed: a watchdog waits for the end of a pipe."""
    from prefect.server.api.server import SubprocessASGIServer

    server = SubprocessASGIServer()
    watchdog = subprocess.Popen([sys.executable, "-S", "-c", WATCHDOG], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert watchdog.stdin
    with ThreadPoolExecutor(1) as pool:
        started = pool.submit(server.start)
        told: set[int] = set()
        while not started.done() or not told:
            if server.server_process and server.server_process.pid not in told:
                told.add(server.server_process.pid)
                watchdog.stdin.write(f"{server.server_process.pid}\n")
                watchdog.stdin.flush()
            elif started.done():
                break
            time.sleep(0.02)
        started.result()


def _flows(patient: bool) -> Tally:
    from flows.discover import discover
    from flows.process import process
    from flows.publish import publish

    tally = Tally()
    found: dict[str, Any] = discover(patient=patient)
    tally.arriving = found["arriving"]
    for step in (found, process(), publish()):
        tally.add(Tally(**step))
    return tally
