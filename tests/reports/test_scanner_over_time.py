"""What happened to a scanner, told once, whatever the order in which its studies are checked, and again when one is checked anew."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from reports_made import report, study, uid

from reports.store import Seen, Store
from reports.store import schema as t


def add(store: Store, number: int, acquired: datetime, software: str = "A1", delay_s: float = 60.0, files: int = 3) -> None:
    """Let a study of MR1 arrive `delay_s` after it was acquired, and check it."""
    arrived = int((acquired + timedelta(seconds=delay_s)).replace(tzinfo=UTC).timestamp() * 1e9)
    name = uid(number)
    seen = [Seen(f"{name}/{n}", 100, arrived, name, f"{name}.1", f"{name}.1.{n}", f"d{n}") for n in range(1, files + 1)]
    store.observe("folder", seen)
    store.settle(0)
    tags = {"SoftwareVersions": software, "ProtocolName": "t1", "StudyDate": f"{acquired:%Y%m%d}", "StudyTime": f"{acquired:%H%M%S}"}
    made = study(name, images=files, AcquisitionDate=tags["StudyDate"], AcquisitionTime=tags["StudyTime"], **tags)
    for work in store.claim("me", 1, 60):
        assert store.complete(work.id, "me", report(made), b"key of the tests")


def told(store: Store, code: str) -> list[tuple[str, str]]:
    wanted = sa.select(t.study.c.study_uid, t.finding.c.message).join(t.study).where(t.CURRENT, t.finding.c.code == code)
    with store.reading() as connection:
        return [tuple(row) for row in connection.execute(wanted.order_by(t.study.c.study_uid))]


NOON = datetime(2026, 11, 2, 12)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1), (1, 3, 0, 2)])
def test_new_software_is_told_once(store: Store, order) -> None:
    """Two studies before, two after; in whatever order they are checked."""
    versions = ("A1", "A1", "B2", "B2")
    for at in order:
        add(store, at + 1, NOON + timedelta(days=at), versions[at])
    ((where, message),) = told(store, "protocol.software_changed")
    assert "A1 to B2" in message
    add(store, int(where.rpartition(".")[2]), NOON + timedelta(days=int(where.rpartition(".")[2]) - 1),
        versions[int(where.rpartition(".")[2]) - 1], files=4)  # fmt: skip
    assert told(store, "protocol.software_changed") == [(where, message)], "checked anew, told again and not lost"


def test_a_clock_that_was_moved_is_told_once(store: Store) -> None:
    """The delay is a minute for four days, then an hour: the clock was set back; two days later it is sure."""
    store.zone = UTC
    for day in range(8):
        for hour in (0, 1, 2):
            add(store, 10 * day + hour + 1, NOON + timedelta(days=day, hours=hour), delay_s=3660 if day >= 4 else 60)
    ((_, message),) = told(store, "protocol.clock_changed")
    assert "+60 minutes" in message
    assert told(store, "protocol.clock_ahead") == []


def test_a_clock_that_is_ahead(store: Store) -> None:
    store.zone = UTC
    add(store, 1, NOON)
    add(store, 2, NOON + timedelta(days=1), delay_s=-1200)
    add(store, 3, NOON + timedelta(days=2), delay_s=-200)  # within the tolerance
    add(store, 4, NOON + timedelta(days=3), delay_s=-400 * 86400)  # a wrong date, which has its own finding
    ((where, message),) = told(store, "protocol.clock_ahead")
    assert (where, "20 minutes" in message) == (uid(2), True)


def test_rows_come_back_as_they_were(store: Store) -> None:
    add(store, 1, NOON)
    (row,) = store.acquisitions("Site A")
    assert (row.key.site, row.key.scanner, row.key.protocol, row.software, row.images) == ("Site A", "40712", "t1 / t1_se_tra", "A1", 3)
    assert row.acquired == "20261102120000"
    store.zone = UTC
    (one,) = store.arrivals()
    assert (one.received_at - one.acquired_at).total_seconds() == 60
    assert store.acquisitions(since=datetime(2026, 11, 3).date()) == []
