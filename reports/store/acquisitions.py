"""How series were acquired, kept for protocols: the rows that references are learned from, and what happened to the scanner."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qc.protocol import Key, Row, rows_of
from qc.protocol_audit import CODES, Arrival, clock, software_changes
from qc.results import Finding, Status, Subject
from qc.study import Series
from reports.store import schema as t
from reports.store.clean import Cleaner

CHECK = "protocol"
NOT_ACQUIRED = frozenset({"not_image", "localizer", "screenshot"})
CLOCK_DAYS = 10  # so far back the clock of a scanner is looked at


def prepare(series: Iterable[Series], cleaner: Cleaner) -> list[Row]:
    """Return the rows of the series of a study, without identifiers of the patient."""
    rows = []
    for one in series:
        if one.klass not in NOT_ACQUIRED:
            for row in rows_of(one):
                key = row.key._replace(protocol=cleaner.text(row.key.protocol), scanner=cleaner.text(row.key.scanner))
                values = {name: cleaner.text(value) if isinstance(value, str) else value for name, value in row.values.items()}
                # the software of what was computed afterwards may be that of a workstation
                software = "" if one.klass == "derived" else cleaner.text(row.software)
                rows.append(replace(row, key=key, values=values, software=software, description=cleaner.text(row.description)))
    return rows


def write(connection: Connection, study_id: int, rows: Sequence[Row]) -> None:
    """Keep the rows of a revision, with the time of arrival of each series."""
    if not rows:
        return
    came = _came(connection, study_id)
    connection.execute(
        sa.insert(t.acquisition),
        [
            {
                "study_id": study_id, "series_uid": row.series_uid, "scanner": row.key.scanner, "protocol": row.key.protocol,
                "echo": row.key.echo, "description": row.description, "acquired": row.acquired, "software": row.software,
                "images": row.images or 0, "params": row.as_dict()["values"], "received_at": came.get(row.series_uid),
            }
            for row in rows
        ],
    )  # fmt: skip


def _came(connection: Connection, study_id: int) -> dict[str, datetime]:
    """Series -> when its first file was written here, or else first seen."""
    instance = t.instance.c
    first = sa.select(instance.series_uid, sa.func.min(instance.mtime_ns), sa.func.min(instance.first_at, type_=instance.first_at.type))
    found = {}
    for uid, mtime_ns, seen_at in connection.execute(first.where(instance.study_id == study_id).group_by(instance.series_uid)):
        written = datetime.fromtimestamp(mtime_ns / 1e9, UTC) if mtime_ns else seen_at
        found[uid] = min(written, seen_at)
    return found


_ROW = sa.select(t.acquisition, t.study.c.study_uid).join(t.study, t.study.c.id == t.acquisition.c.study_id).where(t.CURRENT)


def rows(connection: Connection, site: str = "", since: date | None = None) -> list[Row]:
    """Return the rows of all current studies, oldest first; `site` is put into their keys."""
    wanted = _ROW.where(t.study.c.day >= since) if since else _ROW
    return [_row(one, site) for one in connection.execute(wanted.order_by(t.acquisition.c.acquired, t.acquisition.c.id))]


def arrivals(connection: Connection, zone: tzinfo | None, since: date | None = None, scanner: str | None = None) -> list[Arrival]:
    """Return when series were acquired by their scanner's clock, and when they came by ours."""
    wanted = _ROW.where(t.study.c.day >= since) if since else _ROW
    if scanner is not None:
        wanted = wanted.where(t.acquisition.c.scanner == scanner)
    found = [
        _arrival(_row(one), one.received_at, zone) for one in connection.execute(wanted.where(t.acquisition.c.received_at.is_not(None)))
    ]
    return [one for one in found if one is not None]


def _row(one: Any, site: str = "") -> Row:
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in one.params.items()}
    key = Key(site, one.scanner, one.protocol, one.echo)
    return Row(key, values, one.series_uid, one.study_uid, one.acquired, one.software, one.images, one.description)


def _arrival(row: Row, received_at: datetime | None, zone: tzinfo | None) -> Arrival | None:
    """None where the scanner, or either time to the second, is not known."""
    if received_at is None or not row.key.scanner or len(row.acquired) != 14:
        return None
    try:
        acquired = datetime.strptime(row.acquired, "%Y%m%d%H%M%S")
    except ValueError:
        return None
    return Arrival(row.key.scanner, acquired, received_at.astimezone(zone).replace(tzinfo=None), row.study_uid)


# -- what happened to the scanner ------------------------------------------------------------------------------------


def findings(connection: Connection, study_id: int, study_uid: str, mine: Sequence[Row], zone: tzinfo | None) -> list[Finding]:
    """Return what the rows of a study say of their scanners that was not known before: new software, a clock that is wrong or was moved."""
    found: list[Finding] = []
    came = _came(connection, study_id)
    for scanner in sorted({row.key.scanner for row in mine} - {""}):
        ours = [row for row in mine if row.key.scanner == scanner and row.acquired]
        if ours:
            found += _software(connection, study_uid, scanner, ours)
            fresh = [one for row in ours if (one := _arrival(row, came.get(row.series_uid), zone))]
            found += _clock(connection, study_uid, scanner, fresh, zone)
    return [replace(one, subject=replace(one.subject, study_uid=study_uid), advice=CODES[one.code], check=CHECK) for one in found]


def _software(connection: Connection, study_uid: str, scanner: str, ours: list[Row]) -> Iterator[Finding]:
    """Changes between these series and their neighbours in time that the neighbours alone do not show: studies are not checked in order."""
    told = _ROW.where(t.acquisition.c.scanner == scanner, t.acquisition.c.software != "", t.study.c.study_uid != study_uid)
    when = t.acquisition.c.acquired
    before = told.where(when <= min(row.acquired for row in ours)).order_by(when.desc(), t.acquisition.c.id.desc()).limit(1)
    after = told.where(when >= max(row.acquired for row in ours)).order_by(when, t.acquisition.c.id).limit(1)
    beside = [_row(one) for wanted in (before, after) for one in connection.execute(wanted)]

    def pair(found: Finding) -> tuple[Any, Any]:
        return found.details["before"], found.details["after"]

    known = Counter(map(pair, software_changes(beside)))
    wanted = sa.select(t.finding.c.message, t.finding.c.details).where(t.finding.c.code == "protocol.software_changed")
    for message, details in connection.execute(wanted.where(t.finding.c.study_id == _before(study_uid))):
        if details["scanner"] == scanner:  # what this study told when it was checked before is its to tell, whoever came between since
            yield Finding("protocol.software_changed", Status.INFO, message, Subject("device", study_uid), details)
            known[details["before"], details["after"]] += 1
    for found in software_changes([*beside, *ours]):
        if known[pair(found)] > 0:
            known[pair(found)] -= 1
        else:
            yield found


def _told(code: str) -> Any:
    return sa.select(t.finding.c.details).join(t.study, t.study.c.id == t.finding.c.study_id).where(t.finding.c.code == code)


def _before(study_uid: str) -> Any:
    """The revision of a study that told something last."""
    return sa.select(sa.func.max(t.finding.c.study_id)).join(t.study).where(t.study.c.study_uid == study_uid).scalar_subquery()


def _clock(connection: Connection, study_uid: str, scanner: str, fresh: list[Arrival], zone: tzinfo | None) -> Iterator[Finding]:
    yield from (one for one in clock(fresh) if one.code == "protocol.clock_ahead")
    if not fresh:
        return
    day = max(one.received_at for one in fresh).date()
    known = arrivals(connection, zone, day - timedelta(days=2 * CLOCK_DAYS), scanner)
    lately = [one for one in known if (day - one.received_at.date()).days <= CLOCK_DAYS]
    changed = [one for one in clock([*lately, *fresh]) if one.code == "protocol.clock_changed"]
    if changed:
        elsewhere = _told("protocol.clock_changed").where(t.study.c.study_uid != study_uid)
        told = {(one.get("scanner"), one.get("first")) for one in connection.execute(elsewhere).scalars()}
        yield from (one for one in changed if (one.details["scanner"], one.details["first"]) not in told)
