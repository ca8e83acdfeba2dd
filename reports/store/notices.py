"""What people are to be told of the plant: a silent scanner, a source that does not answer, a full disk.

A notice is open until what it tells of is over; the same thing is one notice, however often it is seen.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from reports.store import schema as t
from reports.store.clean import Cleaner
from reports.store.lookup import CURRENT, with_device

OPEN = t.notice.c.cleared_at.is_(None)


def put(connection: Connection, kind: str, subject: str, status: str, message: str, at: datetime) -> None:
    """Open a notice, or note that it still holds."""
    text = Cleaner().text(message)
    held = sa.and_(t.notice.c.kind == kind, t.notice.c.subject == subject, OPEN)
    if connection.execute(sa.update(t.notice).where(held).values(status=status, message=text, last_at=at)).rowcount:
        return
    values = {"kind": kind, "subject": subject, "status": status, "message": text, "first_at": at, "last_at": at}
    connection.execute(sa.insert(t.notice).values(values))


def clear(connection: Connection, kind: str, still: Collection[str], at: datetime) -> int:
    """Close the open notices of a kind but for those subjects of which it still holds; return how many were closed."""
    over = sa.and_(t.notice.c.kind == kind, OPEN, t.notice.c.subject.not_in(list(still)))
    return connection.execute(sa.update(t.notice).where(over).values(cleared_at=at)).rowcount


def opened(connection: Connection) -> list[dict[str, Any]]:
    """Return the open notices, the oldest first."""
    columns = [t.notice.c[name] for name in ("kind", "subject", "status", "message", "first_at", "last_at")]
    return [dict(row._mapping) for row in connection.execute(sa.select(*columns).where(OPEN).order_by(t.notice.c.first_at, t.notice.c.id))]


# -- what they are made from ------------------------------------------------------------------------------------


def device_days(connection: Connection, since: date, until: date) -> dict[int, list[date]]:
    """Return the days on which each device (by id) made studies, oldest first; both bounds included."""
    joined = with_device(t.series.join(t.study))
    rows = (
        sa.select(t.device.c.id, t.study.c.day)
        .select_from(joined)
        .where(CURRENT, t.study.c.day.between(since, until), t.device.c.id.is_not(None))
    )
    found: dict[int, list[date]] = {}
    for key, day in connection.execute(rows.distinct().order_by(t.study.c.day)):
        found.setdefault(int(key), []).append(day)
    return found


def unreached(connection: Connection) -> list[dict[str, Any]]:
    """Return the sources that did not answer when they were asked last, and since when not."""
    rows = connection.execute(
        sa.select(t.source.c.id, t.source.c.name, t.source.c.error, t.source.c.failures).where(t.source.c.failures > 0)
    )
    found = []
    for row in rows.all():
        ours = t.reach.c.source_id == row.id
        good = connection.execute(sa.select(sa.func.max(t.reach.c.at)).where(ours, t.reach.c.answered)).scalar()
        first = sa.select(sa.func.min(t.reach.c.at)).where(ours, t.reach.c.answered.is_(False))
        since = connection.execute(first.where(t.reach.c.at > good) if good else first).scalar()
        found.append({"source": row.name, "since": since, "failures": row.failures, "error": row.error or ""})
    return found


def reach_history(connection: Connection, since: datetime) -> list[dict[str, Any]]:
    """Return for each source how often it was asked, how often it answered, and the mean and longest time it took."""
    answered = sa.func.sum(sa.case((t.reach.c.answered, 1), else_=0)).label("answered")
    columns = (
        t.source.c.name.label("source"), sa.func.count().label("asked"), answered,
        sa.func.avg(t.reach.c.latency_s).label("mean_s"), sa.func.max(t.reach.c.latency_s).label("longest_s"),
    )  # fmt: skip
    rows = sa.select(*columns).select_from(t.reach.join(t.source)).where(t.reach.c.at >= since).group_by(t.source.c.name)
    return [dict(row._mapping) for row in connection.execute(rows.order_by(t.source.c.name))]


def forget_reach(connection: Connection, before: datetime) -> int:
    """Delete answers of sources older than a time."""
    return connection.execute(sa.delete(t.reach).where(t.reach.c.at < before)).rowcount


# -- retention --------------------------------------------------------------------------------------------------


def deletable(connection: Connection, at: datetime, days: int, sources: Collection[str], limit: int = 5000) -> list[tuple[int, str, str]]:
    """Return files that may go (instance, source, path): of studies whose newest results are older than so many days.

    Kept are the files of studies with a phantom, of studies that are not checked, or that are being checked again.
    """
    phantom = sa.select(t.series.c.study_id).where(t.series.c["class"].like("phantom:%"))
    busy = sa.select(t.work.c.study_uid).where(t.work.c.state.in_(("ready", "leased")))
    coming = sa.select(t.arrival.c.study_uid).where(t.arrival.c.open)
    old = sa.and_(t.study.c.done_at < at - timedelta(days=days), CURRENT, t.study.c.id.not_in(phantom))
    rows = (
        sa.select(t.instance.c.id, t.source.c.name, t.instance.c.path)
        .select_from(t.instance.join(t.source).join(t.study, t.study.c.id == t.instance.c.study_id))
        .where(old, t.source.c.name.in_(list(sources)), t.instance.c.expired_at.is_(None))
        .where(t.instance.c.study_uid.not_in(busy), t.instance.c.study_uid.not_in(coming))
        .order_by(t.instance.c.id)
        .limit(limit)
    )
    return [(int(key), name, path) for key, name, path in connection.execute(rows)]


def expire(connection: Connection, instance_ids: Collection[int], at: datetime) -> None:
    """Note that files were deleted by the rules of retention."""
    ids = list(instance_ids)
    for start in range(0, len(ids), 500):
        connection.execute(sa.update(t.instance).where(t.instance.c.id.in_(ids[start : start + 500])).values(expired_at=at))
