"""Sign in, sign out, and the first person."""

from __future__ import annotations

import hmac
import math
import secrets
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from qc.errors import ConfigurationError
from reports.store import access as people
from reports.store import audit
from reports.web import access
from reports.web.access import Asking
from reports.web.desk import Desk, desk_of

router = APIRouter(include_in_schema=False)
BEFORE = "pacsqc_before"  # cookie of the sign-in form, so that no other site can sign somebody in


def own_path(target: str) -> str:
    """Return a path of this server, whatever was asked for: nobody is sent elsewhere after signing in.

    >>> own_path("/day/2026-11-25?status=fail"), own_path("https://elsewhere.example/"), own_path("//elsewhere.example")
    ('/day/2026-11-25?status=fail', '/', '/')
    """
    parts = urlsplit(target)
    good = target.startswith("/") and not target.startswith(("//", "/\\")) and not (parts.scheme or parts.netloc) and target.isprintable()
    return target if good else "/"


@router.get("/login")
def login_page(request: Request, next: str = "/") -> Response:
    """Show the sign-in form."""
    return _form(request, own_path(next))


@router.post("/login")
def login(
    request: Request,
    login: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    csrf: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",
) -> Response:
    """Sign in by password."""
    desk, target = desk_of(request), own_path(next)
    access.check_origin(request)
    if not csrf or not hmac.compare_digest(csrf.encode(), request.cookies.get(BEFORE, "").encode()):
        return _form(request, target, "The form was too old. Please try again.", 403, login)
    address, name = request.client.host if request.client else "", login.strip().casefold()[:64]
    wait = max(desk.by_login.wait(name), desk.by_address.wait(address))
    if wait:
        return _form(
            request, target, f"Too many wrong passwords. Try again in {math.ceil(wait / 60)} min.", 429, login, retry=math.ceil(wait)
        )
    with desk.store.reading() as connection:
        person = people.right_password(connection, name, password)
    if person is None:
        desk.by_login.failed(name)
        desk.by_address.failed(address)
        with desk.store.writing() as connection:
            audit.log(connection, "nobody", "session.refused", f"person:{name}")
        return _form(request, target, "Login or password is wrong.", 401, login)
    desk.by_login.passed(name)
    return _let_in(desk, person.login, target, "password")


@router.post("/logout")
def logout(request: Request, me: Annotated[Asking, Depends(access.poster)]) -> Response:
    """Sign out."""
    desk = desk_of(request)
    if me.session:
        with desk.store.writing() as connection:
            people.end_session(connection, me.session)
    answer = RedirectResponse("/login", 303)
    answer.headers.append("set-cookie", access.cookie(desk, "", over=True))
    return answer


@router.get("/first/{secret}")
def first_page(request: Request, secret: str) -> Response:
    """Show the form for the first person, to whoever has the link."""
    desk = desk_of(request)
    if not _is_first(desk, secret):
        return desk.page(request, "message.html", None, 404, title="This link no longer works", text=_USED)
    return desk.page(request, "first.html", None, secret=secret, problem="", login="", name="", shortest=people.SHORTEST_PASSWORD)


@router.post("/first/{secret}")
def first(
    request: Request,
    secret: str,
    login: Annotated[str, Form()] = "",
    name: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    again: Annotated[str, Form()] = "",
) -> Response:
    """Make the first person, an administrator, and sign them in."""
    desk = desk_of(request)
    access.check_origin(request)
    if not _is_first(desk, secret):
        return desk.page(request, "message.html", None, 404, title="This link no longer works", text=_USED)
    try:
        if password != again:
            raise ConfigurationError("the two passwords differ")
        if not password:
            raise ConfigurationError("choose a password")
        with desk.store.writing() as connection:
            if people.anybody(connection):
                raise ConfigurationError("somebody else was faster")
            people.add_person(connection, login, name, "administrator", password, "first start")
    except ConfigurationError as error:
        values = {"login": login, "name": name, "shortest": people.SHORTEST_PASSWORD}
        return desk.page(request, "first.html", None, 400, secret=secret, problem=str(error), **values)
    return _let_in(desk, login, "/", "first start")


_USED = "It holds until the first person is there. Sign in, or ask an administrator to add you."


def _is_first(desk: Desk, secret: str) -> bool:
    known = desk.config.first_secret
    if not known or not hmac.compare_digest(known.encode(), secret.encode()):
        return False
    with desk.store.reading() as connection:
        return not people.anybody(connection)


def _let_in(desk: Desk, login: str, target: str, how: str) -> Response:
    with desk.store.writing() as connection:
        secret, _ = people.begin_session(connection, people.known(connection, login), how)
    answer = RedirectResponse(target, 303)
    answer.headers.append("set-cookie", access.cookie(desk, secret))
    return answer


def _form(request: Request, target: str, problem: str = "", status: int = 200, login: str = "", retry: int = 0) -> Response:
    desk, secret = desk_of(request), secrets.token_urlsafe(24)
    with desk.store.reading() as connection:
        empty = not people.anybody(connection)
    answer = desk.page(request, "login.html", None, status, next=target, problem=problem, csrf=secret, login=login, empty=empty)
    answer.headers.append("set-cookie", access.cookie(desk, secret, BEFORE))
    if retry:
        answer.headers["retry-after"] = str(retry)
    return answer
