"""Which report tells of what: the studies of its day, those of earlier days that arrived late, the files set aside since the last."""

from __future__ import annotations

from datetime import date, datetime, timedelta, tzinfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from reports.store import intake
from reports.store import schema as t
from reports.store.lookup import CURRENT

_LOOSE = sa.and_(t.skipped.c.study_id.is_(None), t.skipped.c.report_day.is_(None))  # set aside at discovery, not told of yet


def of_day(day: date) -> sa.ColumnElement[bool]:
    """Condition on `study`: the current results of the studies of a day."""
    return sa.and_(CURRENT, t.study.c.day == day)


def late(connection: Connection, day: date) -> sa.ColumnElement[bool]:
    """Condition on `study`: of an earlier day, and done after the report of that day was written, but not told of before.

    "Before" means in the report of the day that precedes `day` among those written. A report written again tells the same.
    """
    until = connection.execute(sa.select(sa.func.min(t.report_written.c.written_at)).where(t.report_written.c.day == day)).scalar()
    before = t.report_written.c.written_at < until if until else sa.true()
    last = sa.select(sa.func.max(t.report_written.c.day)).where(t.report_written.c.day < day, before).scalar_subquery()
    since = connection.execute(sa.select(sa.func.min(t.report_written.c.written_at)).where(t.report_written.c.day == last)).scalar()
    if since is None:
        return sa.false()
    own = sa.select(sa.func.max(t.report_written.c.written_at)).where(t.report_written.c.day == t.study.c.day, before)
    condition = sa.and_(CURRENT, t.study.c.day < day, t.study.c.done_at > since, t.study.c.done_at > own.scalar_subquery())
    return sa.and_(condition, t.study.c.done_at <= until) if until else condition


def written(connection: Connection) -> list[date]:
    """Return the days that have a report, oldest first."""
    return list(connection.execute(sa.select(t.report_written.c.day).distinct().order_by(t.report_written.c.day)).scalars())


def set_aside(connection: Connection, day: date) -> sa.ColumnElement[bool]:
    """Condition on `skipped`: set aside while a study of the day was checked, or at discovery since the last report."""
    within = t.skipped.c.study_id.in_(sa.select(t.study.c.id).where(of_day(day)))
    told = sa.and_(t.skipped.c.study_id.is_(None), t.skipped.c.report_day == day)
    return sa.or_(within, told, _LOOSE) if is_newest(connection, day) else sa.or_(within, told)


def newest(connection: Connection) -> date | None:
    """Return the newest day that has a report or should have one."""
    written = connection.execute(sa.select(sa.func.max(t.report_written.c.day))).scalar()
    studies = connection.execute(sa.select(sa.func.max(t.study.c.day)).where(CURRENT)).scalar()
    return max((day for day in (written, studies) if day), default=None)


def is_newest(connection: Connection, day: date) -> bool:
    """Tell whether there is no later day to report; only such a report tells of what has no day of its own."""
    last = newest(connection)
    return last is None or day >= last


def stale(connection: Connection, zone: tzinfo | None) -> list[date]:
    """Return the days whose report is missing or no longer tells all, oldest first.

    Those are days with results that came since, and the newest day where files were only set aside since. Where that day is
    over by more than a day, the report of the day on which they were set aside tells of them, though it has no study.
    """
    last = sa.func.max(t.report_written.c.written_at).label("at")
    written = sa.select(t.report_written.c.day, last).group_by(t.report_written.c.day).subquery()
    current = sa.and_(CURRENT, t.study.c.day.is_not(None))
    news = sa.or_(written.c.at.is_(None), t.study.c.done_at > written.c.at)
    days = set(
        connection.execute(sa.select(t.study.c.day).outerjoin(written, written.c.day == t.study.c.day).where(current, news)).scalars()
    )
    aside = connection.execute(sa.select(sa.func.max(t.skipped.c.first_at)).where(_LOOSE)).scalar()
    if aside is not None:
        there, reported = aside.astimezone(zone).date(), newest(connection)
        days.add(reported if reported and reported >= there - timedelta(days=1) else there)
    return sorted(days)


def note_written(connection: Connection, day: date, name: str, at: datetime) -> None:
    """Note that the report of a day was written, and that it told of the files set aside."""
    if is_newest(connection, day):
        connection.execute(sa.update(t.skipped).where(_LOOSE, t.skipped.c.first_at <= at).values(report_day=day))
    connection.execute(sa.insert(t.report_written).values(day=day, written_at=at, name=name))
    intake.reported(connection, day, at)
