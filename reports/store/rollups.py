"""A day in numbers, and its phantom values on their charts: made by the database from results, read by trends, reports and pages.

Whatever looks at more than a day reads these, never the millions of measurements behind them. A day is made again when results of it
came or were superseded since; each day is one transaction.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qc.results import Status
from reports.store import schema as t
from reports.store.connect import insert, now
from reports.store.lookup import CURRENT

if TYPE_CHECKING:
    from reports.store import Store

PHANTOM = "phantom:%"
# A transaction of PostgreSQL may have its results dated and not committed yet while another one reads
SLACK = {"sqlite": timedelta(0), "postgresql": timedelta(minutes=2)}


def refresh(store: Store) -> int:
    """Bring the roll-ups up to date; return how many days were made. May be called by several processes at any time."""
    with store.reading() as connection:
        days = stale(connection)
    for day in days:
        with store.writing() as connection:
            make(connection, day)
    return len(days)


def stale(connection: Connection) -> list[date]:
    """Return the days whose results changed since their roll-ups were made, oldest first."""
    newest = sa.func.max(t.study.c.done_at), sa.func.max(t.study.c.superseded_at)
    changed = connection.execute(sa.select(t.study.c.day, *newest).where(t.study.c.done_at.is_not(None)).group_by(t.study.c.day))
    made = {row.day: row.made_at for row in connection.execute(sa.select(t.trend_day))}
    slack = SLACK[connection.dialect.name]
    return sorted(day for day, *times in changed if day not in made or max(filter(None, times)) >= made[day] - slack)


def make(connection: Connection, day: date) -> None:
    """Make the roll-ups of a day anew."""
    at = now(connection)
    for table in (t.daily_device, t.daily_finding, t.daily_metric):
        connection.execute(sa.delete(table).where(table.c.day == day))
    measured = t.trend_point.c.measurement_id.is_not(None)  # what people typed in stays
    connection.execute(sa.delete(t.trend_point).where(t.trend_point.c.day == day, measured))
    for table, rows in ((t.daily_device, _devices(day)), (t.daily_finding, _findings(day)), (t.daily_metric, _metrics(day))):
        connection.execute(sa.insert(table).from_select([column.name for column in rows.selected_columns], rows))
    _points(connection, day)
    kept = insert(connection, t.trend_day).values(day=day, made_at=at)
    connection.execute(kept.on_conflict_do_update(index_elements=["day"], set_={"made_at": at}))


def _ours(day: date) -> sa.ColumnElement[bool]:
    return sa.and_(CURRENT, t.study.c.day == day)


def _with_status(column: sa.Column[str], status: str) -> sa.ColumnElement[int]:
    return sa.func.sum(sa.case((column == status, 1), else_=0)).label(status)


def _devices(day: date) -> sa.Select:
    """Count studies, series and images a device; a study of two devices counts at both."""
    inside = (
        sa.select(
            t.series.c.study_id,
            t.series.c.device_id,
            t.study.c.status,
            sa.func.count().label("series"),
            sa.func.sum(t.series.c.instances).label("instances"),
            sa.func.max(t.series.c.modality).label("modality"),
        )
        .select_from(t.series.join(t.study))
        .where(_ours(day))
        .group_by(t.series.c.study_id, t.series.c.device_id, t.study.c.status)
        .subquery()
    )
    return sa.select(
        sa.literal(day, sa.Date).label("day"),
        inside.c.device_id,
        sa.func.coalesce(sa.func.max(inside.c.modality), "").label("modality"),
        sa.func.count().label("studies"),
        sa.func.sum(inside.c.series).label("series"),
        sa.func.sum(inside.c.instances).label("instances"),
        *(_with_status(inside.c.status, status) for status in ("fail", "error", "warn", "not_evaluable")),
    ).group_by(inside.c.device_id)


def _findings(day: date) -> sa.Select:
    """Count findings a device, code and status. A finding about a whole study counts at the devices of the study."""
    of_study = sa.select(t.series.c.study_id, t.series.c.device_id).distinct().subquery()
    own = (
        sa.select(t.finding.c.study_id, t.series.c.device_id, t.finding.c.code, t.finding.c.status)
        .select_from(t.finding.join(t.study, t.study.c.id == t.finding.c.study_id).join(t.series, t.series.c.id == t.finding.c.series_id))
        .where(_ours(day))
    )
    whole = (
        sa.select(t.finding.c.study_id, of_study.c.device_id, t.finding.c.code, t.finding.c.status)
        .select_from(
            t.finding.join(t.study, t.study.c.id == t.finding.c.study_id).outerjoin(of_study, of_study.c.study_id == t.finding.c.study_id)
        )
        .where(_ours(day), t.finding.c.series_id.is_(None))
    )
    both = sa.union_all(own, whole).subquery()
    return sa.select(
        sa.literal(day, sa.Date).label("day"),
        both.c.device_id,
        both.c.code,
        both.c.status,
        sa.func.count(both.c.study_id.distinct()).label("studies"),
        sa.func.count().label("findings"),
    ).group_by(both.c.device_id, both.c.code, both.c.status)


def _metrics(day: date) -> sa.Select:
    m = t.measurement
    klass = sa.func.coalesce(t.series.c["class"], "").label("class")
    keys = (t.series.c.device_id, klass, m.c.metric, m.c.unit, m.c.method)
    return (
        sa.select(
            sa.literal(day, sa.Date).label("day"),
            *keys,
            sa.func.count(m.c.value).label("n"),
            sa.func.count(m.c.study_id.distinct()).label("studies"),
            sa.func.count(sa.case((m.c.status.in_(("fail", "error", "warn")), m.c.study_id)).distinct()).label("bad_studies"),
            sa.func.avg(m.c.value).label("mean"),
            sa.func.min(m.c.value).label("low"),
            sa.func.max(m.c.value).label("high"),
            *(_with_status(m.c.status, str(status)) for status in Status),
        )
        .select_from(m.join(t.study, t.study.c.id == m.c.study_id).outerjoin(t.series, t.series.c.id == m.c.series_id))
        .where(_ours(day))
        .group_by(*(key.element if isinstance(key, sa.Label) else key for key in keys))
    )


def _points(connection: Connection, day: date) -> None:
    """Put the phantom values of a day on their charts; charts are made as they are needed."""
    m, s, c = t.measurement, t.series, t.chart
    joined = m.join(t.study, t.study.c.id == m.c.study_id).join(s, s.c.id == m.c.series_id)
    phantom = sa.and_(_ours(day), s.c["class"].like(PHANTOM), s.c.device_id.is_not(None), m.c.value.is_not(None))
    keys = (s.c.device_id, s.c["class"], m.c.metric, m.c.region, m.c.method, s.c.coil, s.c.protocol, m.c.unit)
    names = [key.name for key in keys]
    wanted = sa.select(*keys).select_from(joined).where(phantom).distinct()
    connection.execute(insert(connection, c).from_select(names, wanted).on_conflict_do_nothing())
    same = sa.and_(*(c.c[key.name] == key for key in keys))
    local_time = sa.func.coalesce(s.c.local_time, t.study.c.local_time, "").label("local_time")
    columns = (c.c.id.label("chart_id"), t.study.c.day, local_time, t.study.c.study_uid, s.c.series_uid, m.c.id.label("measurement_id"))
    values = (m.c.value, m.c.uncertainty, m.c.status)
    rows = sa.select(*columns, *values).select_from(joined.join(c, same)).where(phantom)
    connection.execute(sa.insert(t.trend_point).from_select([column.name for column in (*columns, *values)], rows))
