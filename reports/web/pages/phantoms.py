"""Phantom runs: every scan of a phantom, newest first, how it ended and whether it is signed off."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa
from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.engine import Connection

from reports import words
from reports.problems import Row
from reports.store import days as told
from reports.store import lookup, reviews
from reports.store import schema as t
from reports.web import access
from reports.web.desk import desk_of
from reports.web.pages.day import paged

router = APIRouter(include_in_schema=False)
PAGE = 50
SPANS = {31: "a month", 92: "three months", 366: "a year"}
PREFIX = "phantom:"


@router.get("/phantoms")
def show(request: Request, device: str = "", kind: str = "", signed: str = "", span: int = 31, page: int = 1) -> Response:
    """Show the phantom runs of the last days."""
    desk, me = desk_of(request), access.reader(request)
    span = span if span in SPANS else 31
    with desk.store.reading() as connection:
        last = told.newest(connection) or desk.today()
        runs = _runs(connection, last - timedelta(days=span))
        marks = reviews.signatures(connection, "phantom", [row["study_uid"] for row in runs])
    for row in runs:
        row["signatures"] = marks.get(row["study_uid"], [])
    fitting = [row for row in runs if _fits(row, device, kind, signed)]
    shown, page, pages = paged(fitting, page, PAGE)
    with desk.store.reading() as connection:
        counts = value_counts(connection, [row["id"] for row in shown])
    given = {"device": device, "kind": kind, "signed": signed, "span": span}
    query = urlencode({name: value for name, value in given.items() if value})
    return desk.page(
        request, "phantoms.html", me, runs=shown, counts=counts, found=len(fitting), page=page, pages=pages, query=f"{query}&", f=given, spans=SPANS,
        devices=sorted({row["device"] for row in runs if row["device"]}), kinds=sorted({row["class"] for row in runs}),
    )  # fmt: skip


def _fits(row: Row, device: str, kind: str, signed: str) -> bool:
    marked = "yes" if row["signatures"] else "no"
    return device in ("", row["device"]) and kind in ("", row["class"]) and signed in ("", marked)


def value_counts(connection: Connection, studies: Sequence[int]) -> dict[int, dict[str, int]]:
    """Return how many values of each study have which status, the worst first."""
    m = t.measurement.c
    counted = sa.select(m.study_id, m.status, sa.func.count().label("many")).where(m.study_id.in_(studies)).group_by(m.study_id, m.status)
    found: dict[int, dict[str, int]] = {number: {} for number in studies}
    for row in sorted(connection.execute(counted), key=lambda row: words.ORDER[row.status]):
        found[row.study_id][row.status] = row.many
    return found


def is_phantom(connection: Connection) -> Any:
    """Condition on `series`: of a phantom. Spelt so that SQLite can use its index."""
    if connection.dialect.name == "sqlite":
        return sa.text("series.class >= 'phantom:' AND series.class < 'phantom;'")
    return t.series.c["class"].like(f"{PREFIX}%")


def _runs(connection: Connection, since: Any) -> list[Row]:
    """Return one row a study and kind of phantom, newest first."""
    columns = (
        t.study.c.id, t.study.c.study_uid, t.study.c.day, t.study.c.local_time, t.study.c.description, t.study.c.status,
        t.series.c["class"], t.device.c.alias.label("device"), t.device.c.id.label("device_number"),
    )  # fmt: skip
    chosen = (
        sa.select(*columns, sa.func.count().label("series"), sa.func.sum(t.series.c.instances).label("instances"))
        .select_from(lookup.with_device(t.series.join(t.study)))
        .where(lookup.CURRENT, t.study.c.day > since, is_phantom(connection))
        .group_by(*columns)
        .order_by(t.study.c.day.desc(), t.study.c.local_time.desc(), t.study.c.id)
    )
    return [dict(row._mapping) for row in connection.execute(chosen)]
