"""The settings in effect, and the people who may use the desk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.engine import Connection

from qc.errors import ConfigurationError
from reports.store import access as people
from reports.web import access
from reports.web.access import Asking
from reports.web.desk import desk_of

router = APIRouter(include_in_schema=False)
Me = Annotated[Asking, Depends(access.poster)]
Text = Annotated[str, Form()]


@router.get("/settings")
def show(request: Request) -> Response:
    """Show settings, people and tokens."""
    return _page(request, access.reader(request))


@router.post("/settings/people")
def add(request: Request, me: Me, login: Text, name: Text, role: Text, password: Text = "") -> Response:
    """Add somebody: administrators."""
    return _change(request, me, lambda connection: people.add_person(connection, login, name, role, password or None, me.login))


@router.post("/settings/people/{login}")
def change(request: Request, me: Me, login: str, role: Text, active: Text = "", why: Text = "") -> Response:
    """Change a role, end or restore access: administrators."""
    wanted = {"role": role, "active": bool(active), "why": why}
    return _change(request, me, lambda connection: people.change_person(connection, login, me.login, **wanted))


@router.post("/settings/people/{login}/password")
def password(request: Request, me: Me, login: str, password: Text) -> Response:
    """Set somebody's password: administrators; those sessions end."""
    return _change(request, me, lambda connection: people.set_password(connection, login, password, me.login))


@router.post("/settings/tokens")
def token(request: Request, me: Me, login: Text, label: Text, days: Annotated[int, Form(ge=1, le=3650)] = 365) -> Response:
    """Make a token, shown this once: administrators."""
    access.need(me, "administrator", "Managing people and tokens")
    try:
        with desk_of(request).store.writing() as connection:
            secret = people.add_token(connection, login, label, days, me.login)
    except ConfigurationError as error:
        return _page(request, me, str(error), 400)
    return _page(request, me, secret=secret)


@router.post("/settings/tokens/{number}/revoke")
def revoke(request: Request, me: Me, number: int) -> Response:
    """Make a token useless: administrators."""
    return _change(request, me, lambda connection: people.revoke_token(connection, number, me.login))


def _change(request: Request, me: Asking, change: Callable[[Connection], object]) -> Response:
    access.need(me, "administrator", "Managing people and tokens")
    try:
        with desk_of(request).store.writing() as connection:
            change(connection)
    except ConfigurationError as error:
        return _page(request, me, str(error), 400)
    return RedirectResponse("/settings#people", 303)


def _page(request: Request, me: Asking, problem: str = "", status: int = 200, secret: str = "") -> Response:
    desk = desk_of(request)
    with desk.store.reading() as connection:
        everybody, tokens = people.people(connection), people.tokens(connection)
    sections: dict[str, list[dict[str, object]]] = {}
    for row in desk.config.settings:
        sections.setdefault(str(row["section"]), []).append(row)
    return desk.page(
        request, "settings.html", me, status, sections=sections, people=everybody, tokens=tokens, roles=people.ROLES, problem=problem, secret=secret,
        now=desk.store.now(), shortest=people.SHORTEST_PASSWORD,
    )  # fmt: skip
