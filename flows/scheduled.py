"""The five flows by the clock, in one process. `prefect.yaml` has the same schedules for a Prefect server with workers."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from flows import nightly, run
from flows.settings import Settings
from qc.errors import ConfigurationError

log = logging.getLogger(__name__)

STARTUP_S = 90.0


@dataclass(frozen=True)
class Plan:
    """A flow, when it is run, and with what.

    Attributes
    ----------
    crons
        As cron writes it, in the time of this machine.
    """

    flow: str
    what: str
    crons: tuple[str, ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)


PLANS = (
    Plan("discover", "Look at every source, and make work of the studies that are complete.", ("*/2 * * * *",), {"patient": False}),
    Plan(
        "process",
        "Check the studies that wait. A run begins no new batch after ten minutes; the next run goes on.",
        ("* * * * *",),
        {"minutes": 10},
    ),
    Plan("publish", "Write the report of every day that has news, and send the alerts that wait.", ("0 * * * *", "0 7 * * *")),
    Plan("upkeep", "Count anew at the archives, delete old files, look for silent scanners and due tests, make a backup.", ("30 2 * * *",)),
    Plan("reprocess", "Check studies of some days again; started by hand, with a reason."),
)


def in_words() -> str:
    """Return what is run when."""
    lines = [f"{one.flow:<10} {' and '.join(one.crons) or 'by hand':<24} {one.what}" for one in PLANS]
    return "\n".join(["flow       cron", *lines]) + "\n"


def serve_all(settings: Settings, receiver: bool) -> None:
    """Reconcile, then serve the flows until the process is stopped; with a receiver in this process where one is wanted."""
    run.prepare(settings.data.folder)
    done = nightly.run_upkeep(settings, sweep=True, backup=False)
    log.info("reconciled: %d pieces of work of dead processes freed, %d files found that were not known", done.freed, done.swept)
    with ExitStack() as stack:
        if receiver:
            from flows import listen

            stack.enter_context(listen.running(settings))
        if not os.environ.get("PREFECT_API_URL"):
            stack.callback(_start_server())
        _serve()


def _serve() -> None:
    import importlib

    from prefect import serve
    from prefect.schedules import Cron

    deployments = []
    for plan in PLANS:
        flow = getattr(importlib.import_module(f"flows.{plan.flow}"), plan.flow)
        about = {"name": plan.flow, "parameters": plan.parameters, "description": plan.what, "tags": ["pacsqc"]}
        deployments.append(
            flow.to_deployment(**about, schedules=[Cron(text, slug=f"{plan.flow}-{at}") for at, text in enumerate(plan.crons)])
        )
    serve(*deployments, pause_on_shutdown=False)


def _start_server() -> Any:
    """Start a Prefect server on this machine; return what stops it.

    Raises
    ------
    ConfigurationError
        If it does not come up.
    """
    import httpx

    host, port = "127.0.0.1", os.environ.get("PREFECT_SERVER_API_PORT", "4200")
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", host, "--port", port]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.environ["PREFECT_API_URL"] = f"http://{host}:{port}/api"

    def stop() -> None:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()

    until = time.monotonic() + STARTUP_S
    while time.monotonic() < until and server.poll() is None:
        try:
            if httpx.get(f"http://{host}:{port}/api/health", timeout=2).status_code == 200:
                log.info("Prefect server at http://%s:%s", host, port)
                return stop
        except httpx.HTTPError:
            time.sleep(0.3)
    stop()
    raise ConfigurationError(
        f"no Prefect server could be started at {host}:{port}; is the port taken? Set PREFECT_API_URL to use one that runs"
    )
