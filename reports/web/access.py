"""Who is asking, and may they: by session cookie, by the header of a trusted reverse proxy, or by token."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Annotated

from fastapi import Form, Request

from reports.store import access
from reports.store.access import Person, Session
from reports.web.desk import Desk, desk_of

TOKEN = "token"


class NotSignedIn(Exception):
    """Nobody is signed in; pages answer with the sign-in page, the API with 401."""


class NotAllowed(Exception):
    """The role does not allow it, or the request did not come from one of our own pages."""


@dataclass(frozen=True, slots=True)
class Asking:
    """Whoever asks."""

    person: Person
    csrf: str
    how: str  # session, proxy, token
    session: Session | None = None

    def may(self, role: str) -> bool:
        """Tell whether the role allows what `role` allows."""
        return self.person.at_least(role)

    @property
    def login(self) -> str:
        """Login, as the audit log keeps it."""
        return self.person.login


def reader(request: Request) -> Asking:
    """Return who is asking for a page.

    Raises
    ------
    NotSignedIn
        If nobody is.
    """
    desk = desk_of(request)
    named = _named_by_proxy(request, desk)
    session = _session(request, desk)
    if named is None and session is None:
        raise NotSignedIn
    if named is not None and (session is None or session.person.id != named.id):
        with desk.store.writing() as connection:
            secret, session = access.begin_session(connection, named, "proxy")
        request.state.cookie = cookie(desk, secret)
    assert session is not None
    return Asking(session.person, session.csrf, "proxy" if named else "session", session)


def poster(request: Request, csrf: Annotated[str, Form()] = "") -> Asking:
    """Return who sends a form; it must come from one of our own pages.

    Raises
    ------
    NotAllowed
        If the form comes from elsewhere.
    """
    me = reader(request)
    check_origin(request)
    if not hmac.compare_digest(csrf.encode(), me.csrf.encode()):
        raise NotAllowed("This form is out of date (you signed in again since, or it came from another site). Load the page again.")
    return me


def program(request: Request) -> Asking:
    """Return who asks through the API: by token, else by session."""
    kind, _, secret = request.headers.get("authorization", "").partition(" ")
    if kind.casefold() == "bearer" and secret:
        with desk_of(request).store.reading() as connection:
            person = access.token_person(connection, secret.strip())
        if person is None:
            raise NotSignedIn
        return Asking(person, "", TOKEN)
    return reader(request)


def need(me: Asking, role: str, what: str) -> None:
    """Refuse what the role does not allow, in words."""
    if not me.may(role):
        raise NotAllowed(f"{what} is for {role}s and above; you are signed in as {me.person.role}.")


def check_origin(request: Request) -> None:
    """Refuse a form that another site made the browser send."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    if site not in ("same-origin", "none"):
        raise NotAllowed("This form was sent by another site.")


# -- cookies ----------------------------------------------------------------------------------------------------


def cookie_name(desk: Desk) -> str:
    """Return the name of the cookie; over https no subdomain can set one of that name."""
    return "__Host-pacsqc" if desk.config.secure else "pacsqc"


def cookie(desk: Desk, secret: str, name: str = "", *, over: bool = False) -> str:
    """Return a Set-Cookie header: not for scripts, not with requests that other sites make; ends with the browser."""
    ends = "; Max-Age=0" if over else ""
    return f"{name or cookie_name(desk)}={secret}; Path=/; HttpOnly; SameSite=Lax{'; Secure' if desk.config.secure else ''}{ends}"


def _session(request: Request, desk: Desk) -> Session | None:
    secret = request.cookies.get(cookie_name(desk))
    if not secret:
        return None
    with desk.store.reading() as connection:
        session, stale = access.session_of(connection, secret, desk.config.idle, desk.config.longest)
    if session and stale:
        with desk.store.writing() as connection:
            access.touch(connection, session.id)
    return session


def _named_by_proxy(request: Request, desk: Desk) -> Person | None:
    """Return whom the trusted proxy names; somebody new gets the role that the settings give to such people."""
    config = desk.config
    login = request.headers.get(config.proxy_header, "") if config.proxy_header else ""
    if not login or request.client is None or request.client.host not in config.proxies:
        return None
    login = access.plain_login(login)
    with desk.store.reading() as connection:
        person = access.find(connection, login)
    if person is None and config.proxy_role:
        with desk.store.writing() as connection:
            person = access.find(connection, login) or access.add_person(connection, login, login, config.proxy_role, None, "reverse proxy")
    if person is None or not person.active:
        raise NotAllowed(f"{login!r} was named by the reverse proxy but may not use this desk; ask an administrator.")
    return person
