"""An inbox with three small studies, and a clean environment: no setting of this machine reaches a test."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

from flows import settings
from flows.settings import Settings
from phantoms.synthetic.catalogue import make
from phantoms.synthetic.encode import write
from phantoms.synthetic.faults import inject

CODE = "from flows.cli import app; app()"


@pytest.fixture(autouse=True)
def clean(monkeypatch, tmp_path) -> Iterator[None]:
    """Work in an empty folder, without any setting."""
    for name in list(os.environ):
        if name.startswith("PACSQC_") or name == "PREFECT_API_URL":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    yield
    voice = logging.getLogger("flows")  # the command line changes these
    voice.handlers, voice.propagate = [], True


@pytest.fixture(scope="session")
def studies(tmp_path_factory) -> Path:
    """Three studies: one with nothing wrong, one with a lost slice (fail), one with a blank one (warn)."""
    top = tmp_path_factory.mktemp("studies")
    rng = np.random.default_rng(1)
    write(make("mr_brain", 1, slices=3, contrasts=("T1",)).datasets, top / "good")
    write(inject("lost_slice", make("ct_head", 2, slices=6).datasets, rng), top / "lost")
    write(inject("blank_slice", make("ct_chest", 3, slices=5).datasets, rng), top / "blank")
    return top


def age(folder: Path, seconds: float = 3600) -> None:
    """Make files look older (their time of change; that of the inode cannot be set)."""
    then = time.time() - seconds
    for path in folder.rglob("*"):
        os.utime(path, (then, then))


@pytest.fixture
def chosen(tmp_path, studies) -> Iterator[Settings]:
    """Settings with an inbox that holds the three studies, and no quiet time."""
    shutil.copytree(studies, tmp_path / "inbox")
    with settings.overridden(data_folder=tmp_path / "data", inbox_folder=tmp_path / "inbox", inbox_quiet_seconds=0) as values:
        yield values


@pytest.fixture
def pacsqc(tmp_path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command line in a process of its own."""

    def run(*arguments: object, code: str = CODE, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code, *map(str, arguments)]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path, env={**os.environ, **environment}
        )

    return run


@pytest.fixture(scope="session")
def engine() -> Iterator[str]:
    """A Prefect server of our own, started once for all tests, without the heartbeat that makes each flow wait a second; its URL."""
    from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, PREFECT_SERVER_ANALYTICS_ENABLED, temporary_settings
    from prefect.testing.utilities import prefect_test_harness

    with (
        temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None, PREFECT_SERVER_ANALYTICS_ENABLED: False}),
        prefect_test_harness(server_startup_timeout=90),
    ):
        yield str(PREFECT_API_URL.value())


class Receiver(HTTPServer):
    """A receiver of alerts on this machine, which may be out of order."""

    def __init__(self) -> None:
        self.got: list[dict] = []
        self.broken = False
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"json://secret-user:secret-word@127.0.0.1:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not self.server.broken:
            self.server.got.append(json.loads(body))
        self.send_response(500 if self.server.broken else 200)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def receiver(monkeypatch) -> Iterator[Receiver]:
    """Somebody to send alerts to: the settings name him."""
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    monkeypatch.setenv("PACSQC_ALERTS_URLS", server.url)
    yield server
    server.shutdown()
    server.server_close()
    thread.join()
