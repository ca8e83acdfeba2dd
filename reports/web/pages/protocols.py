"""Protocol conformance: which series were scanned differently from what the site agreed on, by device."""

from __future__ import annotations

from datetime import date, timedelta

import sqlalchemy as sa
from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.engine import Connection

from reports.problems import Row
from reports.store import days as told
from reports.store import lookup
from reports.store import schema as t
from reports.web import access
from reports.web.desk import desk_of

router = APIRouter(include_in_schema=False)
CODES = ("protocol.deviates", "protocol.images", "protocol.vertical")
SPANS = {1: "the newest day", 7: "a week", 31: "a month"}
MOST = 300


@router.get("/protocols")
def show(request: Request, span: int = 7, device: int = 0) -> Response:
    """Show deviations of the last days."""
    desk, me = desk_of(request), access.reader(request)
    span = span if span in SPANS else 7
    with desk.store.reading() as connection:
        last = told.newest(connection) or desk.today()
        first = last - timedelta(days=span - 1)
        checked = _checked(connection, first, last)
        found = _deviations(connection, first, last, device)
    return desk.page(
        request,
        "protocols.html",
        me,
        span=span,
        spans=SPANS,
        first=first,
        last=last,
        checked=checked,
        found=found,
        device=device,
        most=MOST,
        none_set=any((row["section"], row["key"]) == ("checks", "protocols") and not row["value"] for row in desk.config.settings),
    )


def _checked(connection: Connection, first: date, last: date) -> list[Row]:
    """Return by device how many series were scanned, and in how many something deviates."""
    within = sa.and_(lookup.CURRENT, t.study.c.day.between(first, last))
    columns = (t.device.c.id, t.device.c.alias)
    joined = lookup.with_device(t.series.join(t.study))
    scanned = (
        sa.select(*columns, sa.func.count().label("series"))
        .select_from(joined)
        .where(within, t.device.c.id.is_not(None))
        .group_by(*columns)
    )
    away = (
        sa.select(t.device.c.id, sa.func.count(t.series.c.id.distinct()).label("series"))
        .select_from(
            lookup.with_device(
                t.finding.join(t.study, t.study.c.id == t.finding.c.study_id).join(t.series, t.series.c.id == t.finding.c.series_id)
            )
        )
        .where(within, t.finding.c.code.in_(CODES))
        .group_by(t.device.c.id)
    )
    deviating = {row.id: row.series for row in connection.execute(away)}
    rows = [{**row._mapping, "away": deviating.get(row.id, 0)} for row in connection.execute(scanned)]
    return sorted(rows, key=lambda row: (-row["away"] / row["series"], row["alias"]))


def _deviations(connection: Connection, first: date, last: date, device: int) -> list[Row]:
    """Return what deviates: one row a device, series description and statement, with how often and the newest study."""
    grouped = (t.device.c.alias.label("device"), t.series.c.description, t.finding.c.code, t.finding.c.status, t.finding.c.message)
    joined = t.finding.join(t.study, t.study.c.id == t.finding.c.study_id).outerjoin(t.series, t.series.c.id == t.finding.c.series_id)
    wanted = [lookup.CURRENT, t.study.c.day.between(first, last), t.finding.c.code.in_(CODES)]
    wanted += [t.device.c.id == device] if device else []
    chosen = (
        sa.select(*grouped, sa.func.count().label("times"), sa.func.max(t.study.c.id).label("newest"))
        .select_from(lookup.with_device(joined))
        .where(*wanted)
        .group_by(*grouped)
        .order_by(sa.desc("times"))
        .limit(MOST)
    )
    return [dict(row._mapping) for row in connection.execute(chosen)]
