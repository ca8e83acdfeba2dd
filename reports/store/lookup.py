"""Read the store: which studies belong to which report, devices, counts. No page builds a frame of everything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qc.results import Evidence
from reports.store import schema as t
from reports.store.ledger import BATCH, batches
from reports.store.results import read_evidence

STATES = ("ready", "leased", "done", "superseded", "quarantined")
CURRENT = sa.and_(t.study.c.done_at.is_not(None), t.study.c.superseded_at.is_(None))


@dataclass(frozen=True, slots=True)
class Device:
    """A device as the table has it."""

    id: int
    alias: str
    site: str | None
    modality: str | None
    manufacturer: str | None
    model: str | None
    serial_number: str | None
    station_names: tuple[str, ...]
    ae_titles: tuple[str, ...]
    valid_from: date | None
    valid_to: date | None
    reviewed: bool
    last_day: date | None


def tally(connection: Connection) -> dict[str, int]:
    """Return how many work rows are in each state, and how many studies are still ``arriving``."""
    counts = dict.fromkeys(STATES, 0)
    counts.update((row[0], row[1]) for row in connection.execute(sa.select(t.work.c.state, sa.func.count()).group_by(t.work.c.state)))
    counts["arriving"] = connection.execute(sa.select(sa.func.count()).select_from(t.arrival).where(t.arrival.c.open)).scalar_one()
    return counts


def days(connection: Connection) -> list[date]:
    """Return the days that have studies, oldest first."""
    return list(connection.execute(sa.select(t.study.c.day).where(CURRENT).distinct().order_by(t.study.c.day)).scalars())


def day_uids(connection: Connection, day: date) -> list[str]:
    """Return the UIDs of the studies of a day, each once, in order of time."""
    ours = sa.select(t.study.c.study_uid).where(CURRENT, t.study.c.day == day)
    return list(connection.execute(ours.order_by(t.study.c.local_time, t.study.c.study_uid)).scalars())


def devices(connection: Connection) -> list[Device]:
    """Return all devices with the last day they sent anything."""
    last = (
        sa.select(t.series.c.device_id, sa.func.max(t.study.c.day).label("last_day"))
        .join(t.study, t.study.c.id == t.series.c.study_id)
        .where(CURRENT)
        .group_by(t.series.c.device_id)
        .subquery()
    )
    rows = connection.execute(
        sa.select(t.device, last.c.last_day).outerjoin(last, last.c.device_id == t.device.c.id).order_by(t.device.c.alias, t.device.c.id)
    )
    return [
        Device(
            row.id, row.alias, row.site, row.modality, row.manufacturer, row.model, row.serial_number, tuple(row.station_names),
            tuple(row.ae_titles), row.valid_from, row.valid_to, row.reviewed, row.last_day,
        )
        for row in rows
    ]  # fmt: skip


def evidence(connection: Connection, ids: Iterable[int]) -> dict[int, Evidence]:
    """Return evidence by id."""
    found: dict[int, Evidence] = {}
    for some in batches(ids, BATCH):
        rows = connection.execute(sa.select(t.evidence).where(t.evidence.c.id.in_(some)))
        found.update({row.id: read_evidence(row) for row in rows})
    return found


# -- which report tells of what ---------------------------------------------------------------------------------


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


def set_aside(connection: Connection, day: date) -> sa.ColumnElement[bool]:
    """Condition on `skipped`: set aside while a study of the day was checked, or at discovery since the last report."""
    within = t.skipped.c.study_id.in_(sa.select(t.study.c.id).where(of_day(day)))
    told = sa.and_(t.skipped.c.study_id.is_(None), t.skipped.c.report_day == day)
    if not is_newest(connection, day):
        return sa.or_(within, told)
    return sa.or_(within, told, t.skipped.c.report_day.is_(None))


def is_newest(connection: Connection, day: date) -> bool:
    """Tell whether no report of a later day was written; only such a one tells of what has no day of its own."""
    newest = connection.execute(sa.select(sa.func.max(t.report_written.c.day))).scalar()
    return newest is None or day >= newest


def note_written(connection: Connection, day: date, name: str, at: datetime) -> None:
    """Note that the report of a day was written, and that it told of the files set aside."""
    if is_newest(connection, day):
        loose = sa.and_(t.skipped.c.report_day.is_(None), t.skipped.c.first_at <= at)
        connection.execute(sa.update(t.skipped).where(loose).values(report_day=day))
    connection.execute(sa.insert(t.report_written).values(day=day, written_at=at, name=name))
