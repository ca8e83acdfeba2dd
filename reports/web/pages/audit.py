"""The audit log: who did what, newest first, and whether its chain is whole."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from reports.store import audit as log
from reports.store import schema as t
from reports.web import access
from reports.web.access import Asking
from reports.web.desk import desk_of

router = APIRouter(include_in_schema=False)
PAGE = 100


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
        found = connection.execute(chosen).all()
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
        found = connection.execute(sa.select(t.audit).order_by(t.audit.c.id.desc()).limit(PAGE)).all()
    f = {"who": "", "what": "", "subject": ""}
    pages = max(1, -(-total // PAGE))
    return desk.page(
        request, "audit.html", me, rows=found, page=1, pages=pages, total=total, query="", f=f, broken=broken if broken else "none"
    )
