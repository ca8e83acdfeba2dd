"""The audit log: who did what, newest first, and whether its chain is whole."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from sqlalchemy.engine import Connection

from reports import words
from reports.problems import Row
from reports.store import audit as log
from reports.store import lookup
from reports.store import schema as t
from reports.web import access
from reports.web.access import Asking
from reports.web.desk import desk_of

router = APIRouter(include_in_schema=False)
PAGE = 100
LONGEST = 300  # characters of what was changed
SAID = {
    "problem.acknowledge": "sees to a problem", "problem.snooze": "silenced a problem", "baseline.take_back": "took back a baseline",
    "left_out.take_back": "took a point in again", "replaced_scan.take_back": "took back a replacement",
    "service_event.take_back": "took back a service event", "baseline.set": "chose a baseline",
    "by_hand.forget": "took back a setting by hand", "by_hand.set": "set by hand", "device.criteria": "chose limits", "device.merge": "merged devices",
    "device.rename": "renamed a device", "device.review": "confirmed a device", "judge.again": "judged again", "patient.who": "asked for a name",
    "person.add": "added somebody", "person.change": "changed somebody", "person.password": "set a password", "point.leave_out": "left a point out",
    "review.assign": "assigned", "review.comment": "commented", "review.confirm": "confirmed", "review.dismiss": "dismissed",
    "review.reopen": "opened again", "scan.replace": "replaced a scan", "service.add": "noted service", "session.begin": "signed in",
    "session.end": "signed out", "session.refused": "sign-in refused", "sheet.define": "made a test sheet", "sheet.enter": "filled in a test sheet",
    "sheet.import": "imported entries", "sheet.retire": "retired a test sheet", "sheet.supersede": "repeated an entry", "sign.day": "signed a day",
    "sign.phantom": "signed a phantom run", "token.add": "made a token", "token.revoke": "revoked a token", "work.again": "had it checked again",
}  # fmt: skip


@router.get("/audit")
def show(request: Request, page: int = 1, who: str = "", what: str = "", subject: str = "") -> Response:
    """Show rows of the log, newest first."""
    desk, me = desk_of(request), access.reader(request)
    given = {"who": who.strip(), "what": what.strip(), "subject": subject.strip()}
    conditions = [t.audit.c[name].contains(text, autoescape=True) for name, text in given.items() if text]
    with desk.store.reading() as connection:
        total = connection.execute(sa.select(sa.func.count()).select_from(t.audit).where(*conditions)).scalar_one()
        pages = max(1, -(-total // PAGE))
        page = min(max(page, 1), pages)
        chosen = sa.select(t.audit).where(*conditions).order_by(t.audit.c.id.desc()).limit(PAGE).offset((page - 1) * PAGE)
        found = _rows(connection, chosen)
    query = urlencode({name: text for name, text in given.items() if text})
    return desk.page(
        request, "audit.html", me, rows=found, page=page, pages=pages, total=total, query=f"{query}&" if query else "", f=given, broken=None
    )


@router.post("/audit/verify")
def verify(request: Request, me: Annotated[Asking, Depends(access.poster)]) -> Response:
    """Check the chain from its first row; as long as it is long, so on request only."""
    desk = desk_of(request)
    with desk.store.reading() as connection:
        broken = log.first_broken(connection)
        total = connection.execute(sa.select(sa.func.count()).select_from(t.audit)).scalar_one()
        found = _rows(connection, sa.select(t.audit).order_by(t.audit.c.id.desc()).limit(PAGE))
    f = {"who": "", "what": "", "subject": ""}
    pages = max(1, -(-total // PAGE))
    return desk.page(
        request, "audit.html", me, rows=found, page=1, pages=pages, total=total, query="", f=f, broken=broken if broken else "none"
    )


def _rows(connection: Connection, chosen: sa.Select[Any]) -> list[Row]:
    """Return rows of the log in words."""
    names = {f"device:{one.id}": one.alias for one in lookup.devices(connection, by_day=True)}
    rows = [dict(row._mapping) for row in connection.execute(chosen)]
    for row in rows:
        row |= {"said": SAID.get(row["what"]) or words.human(row["what"]), "device": names.get(row["subject"], row["subject"])}
        row |= {"before": _text(row["before"])[:LONGEST], "after": _text(row["after"])}
        if len(row["after"]) > LONGEST:
            row["after"] = row["after"][:LONGEST] + " …"
    return rows


def _text(value: Any) -> str:
    """Return what was changed as people read it.

    >>> _text({"again": True, "slice_number": 6, "device_id": None, "items": [{"title": "Table"}]})
    'again: yes; slice number: 6; items: (title: Table)'
    """
    if isinstance(value, dict):
        return "; ".join(f"{str(key).replace('_', ' ')}: {_text(one)}" for key, one in value.items() if one not in (None, "", [], {}))
    if isinstance(value, list):
        return ", ".join(f"({_text(one)})" if isinstance(one, dict) else _text(one) for one in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
