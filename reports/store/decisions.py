"""What people decide about charts: baselines, points left out, scans that replace others, service events. Each writes the audit log.

Nothing is ever taken away: what is taken back gets an end, and stays to be read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qc.errors import ConfigurationError
from reports.store import audit
from reports.store import schema as t
from reports.store.clean import Cleaner
from reports.store.connect import now

# what a service event is, in words, and whether charts begin anew after it unless the person says otherwise
EVENTS = {
    "service": ("planned service", True),
    "repair": ("repair, part replaced", True),
    "upgrade": ("upgrade of software or hardware", True),
    "calibration": ("calibration, shim, tube conditioning", True),
    "moved": ("moved to another place", True),
    "phantom": ("another phantom, or refilled", True),
    "note": ("something worth knowing", False),
    "out_of_service": ("taken out of service", False),
    "verified": ("tested after the service and found in order", False),
    "returned": ("returned to service", False),
}


def baseline(
    connection: Connection,
    chart_id: int,
    first_day: date,
    last_day: date,
    numbers: Mapping[str, Any],
    points: Sequence[str],
    who: str,
    why: str,
) -> int:
    """Note a baseline: its numbers are frozen, whatever happens to the points later."""
    name, reason = _by(who, why)
    chart = connection.execute(sa.select(t.chart).where(t.chart.c.id == chart_id)).first()
    if chart is None:
        raise ConfigurationError(f"there is no chart {chart_id}")
    made = {"first_day": first_day, "last_day": last_day, "numbers": dict(numbers), "points": list(points)}
    row = connection.execute(
        sa.insert(t.baseline).values(chart_id=chart_id, **made, who=name, why=reason, made_at=now(connection)).returning(t.baseline.c.id)
    )
    number = int(row.scalar_one())
    told = {**numbers, "first_day": first_day.isoformat(), "last_day": last_day.isoformat(), "metric": chart.metric, "region": chart.region}
    audit.log(connection, name, "baseline.set", f"chart:{chart_id}", None, {"baseline": number, **told}, reason)
    return number


def leave_out(connection: Connection, chart_id: int, series_uid: str, who: str, why: str) -> int:
    """Note that a point is to stand in no baseline."""
    name, reason = _by(who, why)
    known = sa.select(t.trend_point.c.id).where(t.trend_point.c.chart_id == chart_id, t.trend_point.c.series_uid == series_uid)
    if connection.execute(known.limit(1)).first() is None:
        raise ConfigurationError(f"chart {chart_id} has no point of series {series_uid}")
    already = sa.and_(t.left_out.c.chart_id == chart_id, t.left_out.c.series_uid == series_uid, t.left_out.c.ended_at.is_(None))
    if connection.execute(sa.select(t.left_out.c.id).where(already)).first() is not None:
        raise ConfigurationError("this point is left out already")
    return _add(
        connection, t.left_out, "point.leave_out", f"chart:{chart_id}", {"chart_id": chart_id, "series_uid": series_uid}, name, reason
    )


def replace_scan(connection: Connection, series_uid: str, by_series_uid: str, who: str, why: str) -> int:
    """Note that a scan was repeated: the values of the first count no more, on any chart. Its results and verdicts stay as they are."""
    name, reason = _by(who, why)
    if series_uid == by_series_uid:
        raise ConfigurationError("a scan cannot replace itself")
    for uid in (series_uid, by_series_uid):
        if connection.execute(sa.select(t.trend_point.c.id).where(t.trend_point.c.series_uid == uid).limit(1)).first() is None:
            raise ConfigurationError(f"there is no phantom scan with the series UID {uid} on any chart")
    running = t.replaced_scan.c.ended_at.is_(None)
    for uid, words in ((series_uid, "was replaced already"), (by_series_uid, "was itself replaced; name the one that counts")):
        if connection.execute(sa.select(t.replaced_scan.c.id).where(t.replaced_scan.c.series_uid == uid, running)).first() is not None:
            raise ConfigurationError(f"the scan {uid} {words}")
    values = {"series_uid": series_uid, "by_series_uid": by_series_uid}
    return _add(connection, t.replaced_scan, "scan.replace", f"series:{series_uid}", values, name, reason)


def service_event(
    connection: Connection, device_id: int, day: date, local_time: str, kind: str, text: str, restarts: bool | None, who: str
) -> int:
    """Note what was done to a device; with `restarts` (None: as usual for the kind) its charts wait for a new baseline."""
    if kind not in EVENTS:
        raise ConfigurationError(f"there is no kind of event {kind!r}; allowed are {', '.join(EVENTS)}")
    name, said = _by(who, text, "say in words what was done")
    if connection.execute(sa.select(t.device.c.id).where(t.device.c.id == device_id)).first() is None:
        raise ConfigurationError(f"there is no device {device_id}")
    anew = EVENTS[kind][1] if restarts is None else restarts
    values = {"device_id": device_id, "day": day, "local_time": local_time or "00:00:00", "kind": kind, "restarts": anew}
    row = sa.insert(t.service_event).values(**values, text=said, who=name, made_at=now(connection)).returning(t.service_event.c.id)
    number = int(connection.execute(row).scalar_one())
    audit.log(connection, name, "service.add", f"device:{device_id}", None, {**values, "event": number, "day": day.isoformat()}, said)
    return number


def take_back(connection: Connection, what: str, number: int, who: str, why: str) -> None:
    """End a decision: ``baseline``, ``left_out``, ``replaced_scan`` or ``service_event``. It stays to be read."""
    name, reason = _by(who, why)
    tables = {"baseline": t.baseline, "left_out": t.left_out, "replaced_scan": t.replaced_scan, "service_event": t.service_event}
    if what not in tables:
        raise ConfigurationError(f"{what!r} cannot be taken back; allowed are {', '.join(tables)}")
    ended = sa.update(tables[what]).where(tables[what].c.id == number, tables[what].c.ended_at.is_(None)).values(ended_at=now(connection))
    if not connection.execute(ended).rowcount:
        raise ConfigurationError(f"there is no {what.replace('_', ' ')} {number} that is in force")
    audit.log(connection, name, f"{what}.take_back", f"{what}:{number}", None, None, reason)


def _add(connection: Connection, table: sa.Table, what: str, subject: str, values: dict[str, Any], who: str, why: str) -> int:
    row = connection.execute(sa.insert(table).values(**values, who=who, why=why, made_at=now(connection)).returning(table.c.id))
    number = int(row.scalar_one())
    audit.log(connection, who, what, subject, None, {**values, "number": number}, why)
    return number


def _by(who: str, why: str, need: str = "give a reason") -> tuple[str, str]:
    """Return who and why, as they may be stored.

    Raises
    ------
    ConfigurationError
        If one is missing: a decision has a name and a reason.
    """
    name, reason = Cleaner().text(who).strip(), Cleaner().text(why).strip()
    if not name:
        raise ConfigurationError("who decides this? A name is needed")
    if not reason:
        raise ConfigurationError(f"{need}; it is kept in the log of changes")
    return name, reason
