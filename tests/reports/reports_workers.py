"""What other processes do in the tests of the ledger. Light, because each of them imports it anew."""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from reports import alerts
from reports.store import open_store
from reports.store import schema as t


def claim_all(url: str, owner: str, ready: Any, go: Any, out: Any) -> None:
    with open_store(url) as store:
        ready.put(owner)
        go.wait()
        mine = []
        while some := store.claim(owner, 7, 600):
            mine += [work.id for work in some]
            time.sleep(0.002)  # as one who works; else the first to come takes all
        out.put(mine)


def claim_and_hang(url: str, lease_s: float, out: Any) -> None:
    store = open_store(url)
    (work,) = store.claim("doomed", 1, lease_s)
    half = {"study_id": 1, "code": "half", "status": "fail", "message": "", "advice": "", "check": "", "level": "study", "details": {}}
    with store.writing() as connection:  # half-written results, too
        connection.execute(sa.insert(t.finding).values(**half, evidence=[]))
        out.put(work.id)
        time.sleep(60)


def send_and_hang(url: str, box: str, taken_s: float, out: Any) -> None:
    """Send a message and die before it can be noted."""
    store = open_store(url)
    (message,) = alerts.pending(store, taken_s=taken_s)

    def notify(_target: str, _title: str, text: str, _severity: str) -> bool:
        Path(box).write_text(text)
        out.put("sent")
        time.sleep(60)
        return True

    alerts.send(message, ["a://"], notify)


def deliver_at_once(url: str, ready: Any, go: Any, out: Any, box: str) -> None:
    def notify(_target: str, _title: str, text: str, _severity: str) -> bool:
        with open(box, "a") as file:
            file.write(text.strip().splitlines()[-1] + "\n")
        return True

    with open_store(url) as store:
        ready.put(1)
        go.wait()
        total = 0
        while done := alerts.deliver(store, ["a://"], notify)[0]:
            total += done
        out.put(total)


def collect_at_once(url: str, ready: Any, go: Any, out: Any, day: str) -> None:
    with open_store(url) as store:
        ready.put(1)
        go.wait()
        out.put(alerts.collect(store, date.fromisoformat(day), "x"))
