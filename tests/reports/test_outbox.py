"""Alerts on their way: never lost, never doubled while nobody dies, and none of the targets' passwords anywhere."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import sqlalchemy as sa
from alerts_made import Box, fail
from reports_workers import collect_at_once, deliver_at_once, send_and_hang

from qc.errors import Transient
from reports import alerts
from reports.store import Store, open_store
from reports.store import schema as t

DAY = date(2026, 11, 25)
LINK = "https://qc.example/daily-2026-11-25.html"
SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def waiting(store: Store) -> Store:
    """A store with one message in its outbox."""
    fail(store, 1)
    alerts.collect(store, DAY, LINK)
    return store


def test_a_message_is_taken_by_one_at_a_time_and_comes_back(waiting: Store) -> None:
    (message,) = alerts.pending(waiting, taken_s=0.2)
    assert alerts.pending(waiting, due_only=False) == []
    time.sleep(0.25)
    (again,) = alerts.pending(waiting)
    assert (again.message_id, again.text, again.attempts) == (message.message_id, message.text, 2)
    alerts.sent(waiting, message.id)
    alerts.failed(waiting, message.id, "too late")
    assert alerts.pending(waiting, due_only=False) == []
    assert alerts.messages(waiting)[0].sent_at is not None


def test_what_failed_is_tried_again_after_longer_and_longer_pauses(waiting: Store) -> None:
    pauses = []
    for attempt in range(1, 13):
        (message,) = alerts.pending(waiting, due_only=False)
        assert message.attempts == attempt
        alerts.failed(waiting, message.id, Transient("the mail server is away"))
        assert alerts.pending(waiting) == [], "not due yet"
        pauses.append((alerts.messages(waiting)[0].due_at - waiting.now()).total_seconds())
    assert pauses[:4] == pytest.approx([30, 60, 120, 240], abs=2)
    assert pauses[-1] == pytest.approx(3 * 3600, abs=2)
    assert alerts.messages(waiting)[0].error == "the mail server is away"
    assert alerts.deliver(waiting, ["a://"], Box(), due_only=False) == (1, 0), "never given up"
    assert alerts.messages(waiting)[0].error is None


def test_who_has_it_does_not_get_it_again(waiting: Store) -> None:
    urls = ["good://one", "bad://user:secret@two", "good://three"]
    box = Box(refuse=("bad://user:secret@two",))
    assert alerts.deliver(waiting, urls, box) == (0, 1)
    error = alerts.messages(waiting)[0].error
    assert error == "target 2 (bad): not taken"
    box.refuse = ()
    assert alerts.deliver(waiting, urls, box, due_only=False) == (1, 0)
    assert Counter(url for url, _, _ in box.got) == dict.fromkeys(urls, 1)
    assert len({text for _, _, text in box.got}) == 1


def test_an_error_of_the_sender_is_no_crash_and_its_words_are_not_kept(waiting: Store) -> None:
    def broken(*_: str) -> bool:
        raise ConnectionRefusedError("mailto://user:secret@host refused")

    assert alerts.deliver(waiting, ["mailto://user:secret@host"], broken) == (0, 1)
    assert alerts.messages(waiting)[0].error == "target 1 (mailto): ConnectionRefusedError"


def test_nobody_to_send_to_is_an_error_and_loses_nothing(waiting: Store) -> None:
    assert alerts.deliver(waiting, [], Box()) == (0, 1)
    assert alerts.messages(waiting)[0].sent_at is None


def test_killed_between_sending_and_noting_it(waiting: Store, url: str, tmp_path: Path) -> None:
    """A second copy, with the same id in its text; none lost."""
    box, out = tmp_path / "box", SPAWN.Queue()
    child = SPAWN.Process(target=send_and_hang, args=(url, str(box), 1.0, out))
    child.start()
    out.get(timeout=60)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    assert alerts.messages(waiting)[0].sent_at is None
    deadline, second = time.monotonic() + 20, Box()
    while alerts.deliver(waiting, ["a://"], second) == (0, 0):
        assert time.monotonic() < deadline, "the message never came back"
        time.sleep(0.05)
    first = box.read_text()
    assert first == second.got[0][2]
    assert alerts.messages(waiting)[0].message_id in first
    assert alerts.deliver(waiting, ["a://"], second) == (0, 0)


def test_two_at_once_send_each_message_once(store: Store, url: str, tmp_path: Path) -> None:
    at = store.now()
    row = {"kind": "news", "severity": "fail", "content": [], "reached": [], "created_at": at, "due_at": at}
    with store.writing() as connection:
        connection.execute(sa.insert(t.outbox), [{**row, "message_id": f"m{n}"} for n in range(60)])
    _at_once(deliver_at_once, url, [(str(tmp_path / f"box{n}"),) for n in range(2)])
    lines = [line for n in range(2) if (tmp_path / f"box{n}").exists() for line in (tmp_path / f"box{n}").read_text().splitlines()]
    assert sorted(lines) == sorted(f"Message m{n}" for n in range(60))


def test_two_at_once_collect_the_same_news_once(store: Store, url: str) -> None:
    for number in range(1, 20):
        fail(store, number, f"code.{number}")
    counts = _at_once(collect_at_once, url, [(DAY.isoformat(),)] * 2)
    assert sorted(counts) == [0, 19]
    assert len(alerts.messages(store)) == 1


def _at_once(work, url: str, arguments: list[tuple]) -> list[int]:
    ready, go, out = SPAWN.Queue(), SPAWN.Event(), SPAWN.Queue()
    workers = [SPAWN.Process(target=work, args=(url, ready, go, out, *more)) for more in arguments]
    for worker in workers:
        worker.start()
    for _ in workers:
        ready.get(timeout=60)
    go.set()
    results = [out.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    return results


# -- through apprise itself -------------------------------------------------------------------------------------


@pytest.fixture
def post() -> Iterator[tuple[str, list[dict]]]:
    """A web server of our own that takes notifications: its target URL, and what it got."""
    got: list[dict] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"json://127.0.0.1:{server.server_port}/", got
    server.shutdown()
    server.server_close()


def test_apprise_delivers_it(waiting: Store, post: tuple[str, list[dict]]) -> None:
    target, got = post
    assert alerts.deliver(waiting, [target, "no such thing"]) == (0, 1)
    assert alerts.messages(waiting)[0].error == "target 2 (no such thing): not taken"
    (sent,) = got
    assert sent["title"] == "Image quality 25 Nov 2026: 1 new"
    assert "Slices are missing (1 study)" in sent["message"]
    assert LINK in sent["message"]
    assert sent["type"] == "failure"


def test_apprise_is_loaded_by_sending_only(url: str) -> None:
    code = (
        "import sys; from datetime import date; from reports import alerts; from reports.store import open_store\n"
        f"store = open_store({url!r}); alerts.collect(store, date(2026, 11, 25)); alerts.pending(store); alerts.messages(store)\n"
        "print('apprise' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"


def test_the_outbox_outlives_the_process(url: str) -> None:
    with open_store(url) as first:
        fail(first, 1)
        alerts.collect(first, DAY)
    with open_store(url) as second:
        assert alerts.deliver(second, ["a://"], Box()) == (1, 0)
