"""What other processes do in the tests of the ledger. Light, because each of them imports it anew."""

from __future__ import annotations

import time
from typing import Any

import sqlalchemy as sa

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
