"""The same data as JSON, for tokens (and for people who are signed in): /api/v1, described by /api/openapi.json.

Lists are paged by `after`: the id of the last row of the page before; `next` says it, null at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy.engine import Connection
from starlette.exceptions import HTTPException

from reports.store import days as told
from reports.store import lookup, reviews
from reports.store import schema as t
from reports.web import access, rows, worklist
from reports.web.access import Asking
from reports.web.desk import desk_of

router = APIRouter(prefix="/api/v1", tags=["results"])
Me = Annotated[Asking, Depends(access.program)]
Limit = Annotated[int, Query(ge=1, le=1000, description="rows of one page")]
After = Annotated[int, Query(ge=0, description="id of the last row of the page before")]


def _connection(request: Request) -> Any:
    return desk_of(request).store.reading()


@router.get("/days")
def days(request: Request, me: Me, limit: Limit = 100) -> list[date]:
    """Days that have studies, newest first."""
    chosen = sa.select(t.study.c.day).where(lookup.CURRENT, t.study.c.day.is_not(None)).distinct()
    with _connection(request) as connection:
        return list(connection.execute(chosen.order_by(t.study.c.day.desc()).limit(limit)).scalars())


@router.get("/days/{day}")
def day(request: Request, me: Me, day: date) -> dict[str, Any]:
    """A day: studies by status, problems with their states, signatures."""
    desk = desk_of(request)
    with _connection(request) as connection:
        found = worklist.read(connection, day, desk.titles)
        signed = reviews.signatures(connection, "day", [day.isoformat()]).get(day.isoformat(), [])
    digest = found.digest()
    return {
        "day": day,
        **found.content(),
        "worklist": [_entry(one) for one in found.entries],
        "signatures": [
            {
                "name": row.name,
                "role": row.role,
                "at": row.at,
                "meaning": row.meaning,
                "comment": row.comment,
                "unchanged": row.digest == digest,
            }
            for row in signed
        ],
    }


@router.get("/days/{day}/studies")
def studies(request: Request, me: Me, day: date) -> list[dict[str, Any]]:
    """Every study of a day."""
    with _connection(request) as connection:
        found = rows.studies(connection, told.of_day(day))
        rows.with_devices(connection, found, told.of_day(day))
    return found


@router.get("/studies/{number}")
def study(request: Request, me: Me, number: int) -> dict[str, Any]:
    """A study: series, findings, measurements with the limits that judged them, what people said."""
    ours = t.study.c.id == number
    with _connection(request) as connection:
        found = rows.studies(connection, sa.and_(ours, t.study.c.done_at.is_not(None)))
        if not found:
            raise HTTPException(404, "There is no such study, or it was not checked yet.")
        rows.with_devices(connection, found, ours)
        findings, measurements = rows.findings(connection, ours), rows.measurements(connection, ours)
        series = [dict(row._mapping) for row in connection.execute(sa.select(t.series).where(t.series.c.study_id == number))]
        said = reviews.of_studies(connection, [found[0]["study_uid"]])
    reviewed = [_plain(row) for some in said.values() for row in some]
    return {**found[0], "series": series, "findings": findings, "measurements": measurements, "reviews": reviewed}


@router.get("/devices")
def devices(request: Request, me: Me) -> list[dict[str, Any]]:
    """The devices, those merged into others too."""
    with _connection(request) as connection:
        return [{name: getattr(one, name) for name in lookup.Device.__dataclass_fields__} for one in lookup.devices(connection)]


@router.get("/devices/{number}/measurements")
def measurements(
    request: Request,
    me: Me,
    number: int,
    metric: str,
    first: date | None = None,
    last: date | None = None,
    limit: Limit = 1000,
    after: After = 0,
) -> dict[str, Any]:
    """Values of one metric of a device, oldest result first."""
    wanted = [lookup.CURRENT, t.measurement.c.metric == metric, t.device.c.id == number, t.measurement.c.id > after]
    wanted += [t.study.c.day >= first] if first else []
    wanted += [t.study.c.day <= last] if last else []
    with _connection(request) as connection:
        found = sorted(rows.measurements(connection, sa.and_(*wanted), limit), key=lambda row: row["id"])
    return _paged(found, limit)


@router.get("/skipped")
def skipped(request: Request, me: Me, limit: Limit = 1000, after: After = 0) -> dict[str, Any]:
    """Files that were set aside, and why."""
    columns = [column for column in t.skipped.c if column.name not in ("place", "source_id")]
    return _paged(_listed(request, sa.select(*columns).where(t.skipped.c.id > after).order_by(t.skipped.c.id).limit(limit)), limit)


@router.get("/audit")
def audit(request: Request, me: Me, limit: Limit = 1000, after: After = 0) -> dict[str, Any]:
    """The audit log, oldest first: physicists and above."""
    access.need(me, "physicist", "Reading the audit log by program")
    return _paged(_listed(request, sa.select(t.audit).where(t.audit.c.id > after).order_by(t.audit.c.id).limit(limit)), limit)


def _listed(request: Request, chosen: sa.Select[Any]) -> list[dict[str, Any]]:
    with _connection(request) as connection:
        return [_plain(row) for row in connection.execute(chosen)]


def _paged(found: Sequence[dict[str, Any]], limit: int) -> dict[str, Any]:
    return {"rows": list(found), "next": found[-1]["id"] if len(found) == limit else None}


def _plain(row: Any) -> dict[str, Any]:
    return {key: value.isoformat() if isinstance(value, (date, datetime)) else value for key, value in row._mapping.items()}


def _entry(one: worklist.Entry) -> dict[str, Any]:
    study = one.item.study
    return {
        "study": study["id"], "study_uid": study["study_uid"], "problem": one.key, "title": one.problem.title, "status": one.item.status,
        "brief": one.brief, "device": one.device, "late": one.item.late, "state": one.state.word, "by": one.state.by,
        "assignee": one.state.assignee,
    }  # fmt: skip


# -- for those who watch machines ------------------------------------------------------------------------------

watched = APIRouter(include_in_schema=False)


@watched.get("/healthz")
def health(request: Request) -> dict[str, str]:
    """Tell that the desk answers and its database too; says nothing else."""
    with _connection(request) as connection:
        connection.execute(sa.text("SELECT 1"))
    return {"status": "ok"}


def counts(connection: Connection) -> list[tuple[str, str, str, dict[str, str], float]]:
    """Return what /metrics tells: name, kind, help, labels, value. Counts and times only."""
    found: list[tuple[str, str, str, dict[str, str], float]] = []
    for state, number in lookup.tally(connection).items():
        found.append(("pacsqc_studies", "gauge", "Studies by how far the work on them is.", {"state": state}, number))
    last = told.newest(connection)
    if last:
        by_status = sa.select(t.study.c.status, sa.func.count()).where(told.of_day(last)).group_by(t.study.c.status)
        for status, number in connection.execute(by_status):
            found.append(("pacsqc_newest_day_studies", "gauge", "Studies of the newest day by worst status.", {"status": status}, number))
    done = connection.execute(sa.select(sa.func.max(t.study.c.done_at))).scalar()
    if done:
        found.append(("pacsqc_last_study_timestamp_seconds", "gauge", "When the last study was checked.", {}, done.timestamp()))
    waiting = connection.execute(sa.select(sa.func.count()).select_from(t.outbox).where(t.outbox.c.sent_at.is_(None))).scalar_one()
    found.append(("pacsqc_messages_waiting", "gauge", "Alert messages that are not sent yet.", {}, waiting))
    for row in connection.execute(sa.select(t.source.c.name, t.source.c.failures)):
        found.append(("pacsqc_source_failures", "gauge", "Failures of a source in a row.", {"source": row.name}, row.failures))
    return found


@watched.get("/metrics")
def metrics(request: Request) -> Any:
    """Tell counts to Prometheus."""
    from fastapi.responses import PlainTextResponse

    desk = desk_of(request)
    if not desk.config.open_metrics:
        access.program(request)
    with _connection(request) as connection:
        told_of = counts(connection)
    lines: list[str] = []
    for place, (name, kind, text, labels, value) in enumerate(told_of):
        if place == 0 or told_of[place - 1][0] != name:
            lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
        inside = ",".join(f'{key}="{_escaped(one)}"' for key, one in labels.items())
        lines.append(f"{name}{{{inside}}} {value}" if inside else f"{name} {value}")
    return PlainTextResponse("\n".join(lines) + "\n", media_type="text/plain; version=0.0.4; charset=utf-8")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
