"""What did not become a result: files set aside, studies that are not complete, what still waits, what could not be evaluated."""

from __future__ import annotations

from datetime import date, timedelta

import sqlalchemy as sa
from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.engine import Connection

from qc.errors import ConfigurationError
from reports import problems, words
from reports.problems import Row
from reports.store import days as told
from reports.store import lookup
from reports.store import schema as t
from reports.web import access, rows
from reports.web.desk import desk_of

router = APIRouter(include_in_schema=False)
MOST = 500  # rows of each list
SPANS = (1, 7, 31)
INCOMPLETE = (
    "slices.missing", "series.incomplete", "series.numbers", "study.incomplete", "stack.incomplete", "stack.last_volume_incomplete",
    "file.referenced_missing", "file.gone", "file.truncated", "study.not_checked", "protocol.images",
)  # fmt: skip


@router.get("/aside")
def show(request: Request, day: str = "", span: int = 1) -> Response:
    """Show what is not a result, of up to a month."""
    desk, me = desk_of(request), access.reader(request)
    with desk.store.reading() as connection:
        try:
            last = date.fromisoformat(day) if day else told.newest(connection) or desk.today()
        except ValueError as error:
            raise ConfigurationError(f"{day!r} is not a day; days are written 2026-11-25") from error
        span = span if span in SPANS else 1
        first = last - timedelta(days=span - 1)
        during = sa.and_(lookup.CURRENT, t.study.c.day.between(first, last))
        skipped = _skipped(connection, first, last)
        incomplete = _incomplete(connection, during)
        unjudged = _unjudged(connection, during, desk.titles)
        waiting = _waiting(connection)
    return desk.page(
        request, "aside.html", me, day=last, first=first, span=span, spans=SPANS, groups=_by_reason(skipped), count=len(skipped), most=MOST,
        incomplete=incomplete, unjudged=unjudged, waiting=waiting,
    )  # fmt: skip


def _skipped(connection: Connection, first: date, last: date) -> list[Row]:
    """Return the files set aside with studies of these days, or told of in their reports; on the newest day those not told of yet too."""
    columns = (t.skipped.c.path, t.skipped.c.folder, t.skipped.c.reason, t.skipped.c.message, t.skipped.c.study_id, t.skipped.c.first_at)
    within = t.skipped.c.report_day.between(first, last)
    if told.is_newest(connection, last):
        within = sa.or_(within, t.skipped.c.report_day.is_(None))
    chosen = sa.select(*columns, t.source.c.name.label("source")).select_from(t.skipped.outerjoin(t.source)).where(within)
    return [dict(row._mapping) for row in connection.execute(chosen.order_by(t.skipped.c.id.desc()).limit(MOST))]


def _by_reason(skipped: list[Row]) -> list[tuple[bool, str, list[Row]]]:
    """Group by reason, what may be a lost image first."""
    groups: dict[tuple[bool, str], list[Row]] = {}
    for row in skipped:
        groups.setdefault((words.worrying(row["reason"], row["path"]), row["reason"]), []).append(row)
    return [(worrying, why, some) for (worrying, why), some in sorted(groups.items(), key=lambda one: (not one[0][0], -len(one[1])))]


def _incomplete(connection: Connection, during: sa.ColumnElement[bool]) -> list[Row]:
    """Return what says that images are missing, one row a study and reason."""
    wanted = sa.and_(during, t.finding.c.code.in_(INCOMPLETE))
    found: dict[tuple[int, str], Row] = {}
    for row in rows.findings(connection, wanted, MOST):
        row["where"] = problems.series_words(row) if row["series_uid"] else ""
        found.setdefault((row["study_id"], row["code"]), {**row, "more": -1})["more"] += 1
    return list(found.values())


def _unjudged(connection: Connection, during: sa.ColumnElement[bool], titles: problems.Titles) -> list[problems.Unjudged]:
    """Return what could not be evaluated, by reason."""
    findings = rows.findings(connection, sa.and_(during, t.finding.c.status == "not_evaluable"), MOST)
    measurements = rows.measurements(connection, sa.and_(during, t.measurement.c.status == "not_evaluable"), MOST)
    return problems.unjudged(findings, measurements, titles)


def _waiting(connection: Connection) -> list[Row]:
    """Return studies that are not checked yet: still arriving, waiting for their turn, in work."""
    arriving = sa.select(
        t.arrival.c.study_uid, sa.literal("still arriving").label("what"), t.arrival.c.first_at, t.arrival.c.changed_at
    ).where(t.arrival.c.open)
    state = sa.case((t.work.c.state == "leased", "being checked"), else_="waits for its turn").label("what")
    ready = sa.select(t.work.c.study_uid, state, t.work.c.created_at, t.work.c.changed_at).where(t.work.c.state.in_(("ready", "leased")))
    return [dict(row._mapping) for query in (arriving, ready) for row in connection.execute(query.limit(MOST))]
