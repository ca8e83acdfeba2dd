"""Read the store: counts, days, devices, evidence. No page builds a frame of everything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qc.results import Evidence
from reports.store import schema as t
from reports.store.ledger import BATCH, batches
from reports.store.results import read_evidence

STATES = ("ready", "leased", "done", "superseded", "quarantined")
CURRENT = t.CURRENT


@dataclass(frozen=True, slots=True)
class Device:
    """A device as the table has it.

    Attributes
    ----------
    reviewed
        Whether a person has confirmed it.
    last_day
        The last day with images of it, or of those merged into it.
    criteria
        Names of the criteria sets it is judged by; empty: those of the site.
    merged_into
        The device it really is; None: itself.
    """

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
    criteria: tuple[str, ...] = ()
    merged_into: int | None = None


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


def selected(connection: Connection, first: date, last: date, code: str = "", modality: str = "") -> list[str]:
    """Return the studies of some days, of them only those with a finding of a code, or a series of a modality."""
    ours = sa.select(t.study.c.study_uid).where(CURRENT, t.study.c.day.between(first, last))
    if code:
        ours = ours.where(t.study.c.id.in_(sa.select(t.finding.c.study_id).where(t.finding.c.code == code)))
    if modality:
        ours = ours.where(t.study.c.id.in_(sa.select(t.series.c.study_id).where(t.series.c.modality == modality)))
    return list(connection.execute(ours.order_by(t.study.c.day, t.study.c.id)).scalars())


_MADE_BY = t.device.alias("made_by")


def with_device(joined: Any) -> Any:
    """Join the device of each series to a selection, as `device`: the one it was merged into in place of a merged one."""
    return device_of(joined, t.series.c.device_id)


def device_of(joined: Any, device_id: sa.ColumnElement[Any]) -> Any:
    """Join the device that a column names to a selection, as `device`: the one it was merged into in place of a merged one."""
    joined = joined.outerjoin(_MADE_BY, _MADE_BY.c.id == device_id)
    return joined.outerjoin(t.device, t.device.c.id == sa.func.coalesce(_MADE_BY.c.merged_into, _MADE_BY.c.id))


def devices(connection: Connection, *, by_day: bool = False) -> list[Device]:
    """Return all devices with the last day they sent anything, merged ones too.

    Parameters
    ----------
    by_day
        Take that day from the roll-ups, which a large store answers a hundred times faster; they are as new as the last report.
    """
    if by_day:
        d = t.daily_device
        last = sa.select(t.device.c.id, sa.func.max(d.c.day).label("last_day")).select_from(device_of(d, d.c.device_id))
        last = last.where(d.c.studies > 0).group_by(t.device.c.id).subquery()
    else:
        last = (
            sa.select(t.device.c.id, sa.func.max(t.study.c.day).label("last_day"))
            .select_from(with_device(t.series.join(t.study)))
            .where(CURRENT)
            .group_by(t.device.c.id)
            .subquery()
        )
    rows = connection.execute(
        sa.select(t.device, last.c.last_day).outerjoin(last, last.c.id == t.device.c.id).order_by(t.device.c.alias, t.device.c.id)
    )
    return [
        Device(
            row.id, row.alias, row.site, row.modality, row.manufacturer, row.model, row.serial_number, tuple(row.station_names),
            tuple(row.ae_titles), row.valid_from, row.valid_to, row.reviewed, row.last_day, tuple(row.criteria), row.merged_into,
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


def cursor(connection: Connection, source: str) -> str | None:
    """Return where the last look at a source ended."""
    return connection.execute(sa.select(t.source.c.watermark).where(t.source.c.name == source)).scalar()


def paths(connection: Connection, study_uid: str) -> list[tuple[str, str]]:
    """Return where the files of a study are: source, and where that finds them."""
    held = sa.select(t.source.c.name, t.instance.c.path).join_from(t.instance, t.source).where(t.instance.c.study_uid == study_uid)
    return [(row.name, row.path) for row in connection.execute(held.order_by(t.instance.c.path))]


def first_paths(connection: Connection, study_uid: str) -> list[str]:
    """Return where the source finds one file of each series of a study."""
    firsts = sa.select(sa.func.min(t.instance.c.path)).where(t.instance.c.study_uid == study_uid).group_by(t.instance.c.series_uid)
    return list(connection.execute(firsts.limit(200)).scalars())
