"""The few questions that the flows ask the database beyond the methods of `reports.store.Store`."""

from __future__ import annotations

from datetime import date

import sqlalchemy as sa

from reports.store import Store, ledger
from reports.store import schema as t
from reports.store.connect import now


def cursor(store: Store, source: str) -> str | None:
    """Return where the last look at a source ended."""
    with store.reading() as connection:
        return connection.execute(sa.select(t.source.c.watermark).where(t.source.c.name == source)).scalar()


def keep_cursor(store: Store, source: str, text: str) -> None:
    """Note where a look at a source ended."""
    if cursor(store, source) == text:
        return
    with store.writing() as connection:
        known = ledger.source_id(connection, source)
        connection.execute(sa.update(t.source).where(t.source.c.id == known).values(watermark=text))


def leases(store: Store) -> list[tuple[int, str]]:
    """Return the work that is leased, and to whom."""
    with store.reading() as connection:
        rows = connection.execute(sa.select(t.work.c.id, t.work.c.owner).where(t.work.c.state == "leased", t.work.c.owner.is_not(None)))
        return [(row.id, row.owner) for row in rows]


def free(store: Store, work_id: int, owner: str, message: str) -> None:
    """Make work ready again whose owner died; unlike `Store.give_back`, however often that happened."""
    with store.writing() as connection:
        ledger.put_back(connection, work_id, owner, "died", message, 0.0)


def free_work(store: Store) -> int:
    """Return how many studies could be claimed now."""
    with store.reading() as connection:
        free = sa.select(sa.func.count()).select_from(t.work).where(ledger.free(now(connection)))
        return int(connection.execute(free).scalar_one())


def stale_days(store: Store) -> list[date]:
    """Return the days whose results changed since their report was last written, oldest first."""
    last = sa.func.max(t.report_written.c.written_at).label("at")
    written = sa.select(t.report_written.c.day, last).group_by(t.report_written.c.day).subquery()
    current = sa.and_(t.study.c.done_at.is_not(None), t.study.c.superseded_at.is_(None), t.study.c.day.is_not(None))
    news = sa.or_(written.c.at.is_(None), t.study.c.done_at > written.c.at)
    days = sa.select(t.study.c.day).outerjoin(written, written.c.day == t.study.c.day).where(current, news).distinct()
    with store.reading() as connection:
        return sorted(connection.execute(days).scalars())
