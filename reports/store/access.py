"""Who may use the review desk: people, their sessions, their tokens. Of a password, a cookie and a token only a hash is kept.

Every change of a person or token writes a row of the audit log in its transaction; so do signing in and failing to.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from qc.errors import ConfigurationError
from reports.store import audit
from reports.store import desk_schema as d
from reports.store.connect import now

if TYPE_CHECKING:
    import argon2

# what each role may do, on top of the one before it
ROLES: dict[str, str] = {
    "viewer": "reads everything but names of patients; changes nothing",
    "technologist": "also comments, confirms, assigns, fills in test sheets, notes service, signs off a day",
    "physicist": "also dismisses, signs off phantom runs, sets regions by hand, sets baselines, leaves points out, releases devices, makes test sheets, "
    "asks for names",
    "administrator": "also manages people and tokens",
}
RANK = {role: rank for rank, role in enumerate(ROLES)}
SHORTEST_PASSWORD = 12  # characters
LONGEST_PASSWORD = 200
SEEN_EVERY = timedelta(minutes=5)  # a session that is used is noted no more often than this
_LOGIN = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may use the desk."""

    id: int
    login: str
    name: str
    role: str
    active: bool
    has_password: bool
    created_at: datetime

    def at_least(self, role: str) -> bool:
        """Tell whether this person's role allows what `role` allows."""
        return RANK[self.role] >= RANK[role]


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in."""

    id: int
    person: Person
    csrf: str


# -- people -----------------------------------------------------------------------------------------------------


def add_person(connection: Connection, login: str, name: str, role: str, password: str | None, by: str) -> Person:
    """Add somebody; without a password they come in through the trusted reverse proxy only.

    Raises
    ------
    ConfigurationError
        If login, role or password will not do, or the login is taken.
    """
    login, name = plain_login(login), " ".join(name.split())
    if not name or len(name) > 80 or not name.isprintable():
        raise ConfigurationError(f"the name must have 1 to 80 printable characters; got {name!r}")
    _check_role(role)
    if find(connection, login):
        raise ConfigurationError(f"there is somebody with the login {login!r} already")
    values = {"login": login, "name": name, "role": role, "password": hash_password(password, login) if password else None, "active": True}
    connection.execute(sa.insert(d.person).values(**values, created_at=now(connection)))
    made = find(connection, login)
    assert made is not None
    audit.log(connection, by, "person.add", f"person:{login}", None, {"name": name, "role": role})
    return made


def change_person(
    connection: Connection, login: str, by: str, *, role: str | None = None, active: bool | None = None, why: str = ""
) -> Person:
    """Give somebody another role, or end or restore their access; ending it ends their sessions too.

    Raises
    ------
    ConfigurationError
        If there is no such person, or nobody could manage people afterwards.
    """
    before = known(connection, login)
    after = {"role": role or before.role, "active": before.active if active is None else active}
    _check_role(after["role"])
    was = {"role": before.role, "active": before.active}
    if after == was:
        return before
    others = sa.select(sa.func.count()).where(d.person.c.role == "administrator", d.person.c.active, d.person.c.id != before.id)
    loses = before.active and before.role == "administrator" and not (after["active"] and after["role"] == "administrator")
    if loses and not connection.execute(others).scalar_one():
        raise ConfigurationError(f"{login!r} is the only administrator; make another one first")
    connection.execute(sa.update(d.person).where(d.person.c.id == before.id).values(**after))
    if not after["active"]:
        end_sessions(connection, before.id)
    audit.log(connection, by, "person.change", f"person:{before.login}", was, after, why)
    return known(connection, login)


def set_password(connection: Connection, login: str, password: str, by: str) -> None:
    """Set a password; all sessions of that person end."""
    person = known(connection, login)
    hashed = hash_password(password, person.login)
    connection.execute(sa.update(d.person).where(d.person.c.id == person.id).values(password=hashed))
    end_sessions(connection, person.id)
    audit.log(connection, by, "person.password", f"person:{person.login}")


def people(connection: Connection) -> list[Person]:
    """Return everybody, by login."""
    return [_person(row) for row in connection.execute(sa.select(d.person).order_by(d.person.c.login))]


def anybody(connection: Connection) -> bool:
    """Tell whether there is anybody yet."""
    return connection.execute(sa.select(d.person.c.id).limit(1)).first() is not None


def find(connection: Connection, login: str) -> Person | None:
    """Return the person with a login, None where there is none."""
    row = connection.execute(sa.select(d.person).where(d.person.c.login == login.strip().casefold())).first()
    return _person(row) if row else None


def known(connection: Connection, login: str) -> Person:
    """Return the person with a login; an error where there is none."""
    person = find(connection, login)
    if person is None:
        raise ConfigurationError(f"nobody has the login {login!r}; `pacsqc web user list` shows who there is")
    return person


def plain_login(login: str) -> str:
    """Return a login as it is stored; an error where it will not do."""
    text = login.strip().casefold()
    if not _LOGIN.fullmatch(text):
        raise ConfigurationError(f"{login!r} will not do as a login: 1 to 64 of a to z, 0 to 9, . _ @ -, the first a letter or digit")
    return text


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise ConfigurationError(f"there is no role {role!r}; allowed are {', '.join(ROLES)}")


def _person(row: Row) -> Person:
    return Person(row.id, row.login, row.name, row.role, bool(row.active), row.password is not None, row.created_at)


# -- passwords --------------------------------------------------------------------------------------------------


@cache
def _hasher() -> argon2.PasswordHasher:
    import argon2

    return argon2.PasswordHasher()  # argon2id with the parameters of RFC 9106 for little memory: 64 MiB, 3 passes


@cache
def _nobody() -> str:
    return _hasher().hash(secrets.token_hex(16))


def hash_password(password: str, login: str = "") -> str:
    """Return the argon2id hash of a password; an error where it is too short, too long or the login."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise ConfigurationError(f"a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters; this one has {len(password)}")
    if (login and password.casefold().strip() in (login, login * 2)) or len(set(password)) < 4:
        raise ConfigurationError("this password is too easy to guess; take a few words that do not belong together")
    return _hasher().hash(password)


def right_password(connection: Connection, login: str, password: str) -> Person | None:
    """Return the person if the password is theirs. It takes as long where there is no such person."""
    import argon2

    row = connection.execute(sa.select(d.person).where(d.person.c.login == login.strip().casefold())).first()
    usable = row is not None and row.active and row.password
    try:
        _hasher().verify(row.password if usable else _nobody(), password[: LONGEST_PASSWORD + 1])
    except argon2.exceptions.VerificationError:
        return None
    return _person(row) if usable else None


# -- sessions ---------------------------------------------------------------------------------------------------


def digest(secret: str) -> str:
    """Return what is kept of a cookie or token: they are random and long, so a plain hash will do."""
    return hashlib.sha256(secret.encode()).hexdigest()


def begin_session(connection: Connection, person: Person, how: str) -> tuple[str, Session]:
    """Sign somebody in; return what goes into the cookie. Sessions that ended long ago are swept away."""
    at = now(connection)
    connection.execute(sa.delete(d.session).where(d.session.c.seen_at < at - timedelta(days=30)))
    secret, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(24)
    values = {"person_id": person.id, "digest": digest(secret), "csrf": csrf, "started_at": at, "seen_at": at}
    number = connection.execute(sa.insert(d.session).values(**values).returning(d.session.c.id)).scalar_one()
    audit.log(connection, person.login, "session.begin", f"person:{person.login}", after={"by": how})
    return secret, Session(number, person, csrf)


def session_of(connection: Connection, secret: str, idle: timedelta, longest: timedelta) -> tuple[Session | None, bool]:
    """Return the session of a cookie if it still holds, and whether its use should be noted (`touch`)."""
    columns = (d.session.c.id.label("session_id"), d.session.c.csrf, d.session.c.started_at, d.session.c.seen_at)
    chosen = sa.select(d.person, *columns).join(d.session, d.session.c.person_id == d.person.c.id)
    row = connection.execute(chosen.where(d.session.c.digest == digest(secret), d.person.c.active)).first()
    if row is None:
        return None, False
    at = now(connection)
    if at - row.seen_at > idle or at - row.started_at > longest:
        return None, False
    return Session(row.session_id, _person(row), row.csrf), at - row.seen_at > SEEN_EVERY


def touch(connection: Connection, session_id: int) -> None:
    """Note that a session was used now."""
    connection.execute(sa.update(d.session).where(d.session.c.id == session_id).values(seen_at=now(connection)))


def end_session(connection: Connection, session: Session) -> None:
    """Sign somebody out."""
    connection.execute(sa.delete(d.session).where(d.session.c.id == session.id))
    audit.log(connection, session.person.login, "session.end", f"person:{session.person.login}")


def end_sessions(connection: Connection, person_id: int) -> None:
    """End all sessions of somebody."""
    connection.execute(sa.delete(d.session).where(d.session.c.person_id == person_id))


# -- tokens -----------------------------------------------------------------------------------------------------


def add_token(connection: Connection, login: str, label: str, days: int | None, by: str) -> str:
    """Make a token for programs, with the rights to read of that person; it is shown this once."""
    person, label = known(connection, login), " ".join(label.split())
    if not 1 <= len(label) <= 80:
        raise ConfigurationError("say in 1 to 80 characters what the token is for")
    secret, at = f"pacsqc_{secrets.token_urlsafe(32)}", now(connection)
    ends = at + timedelta(days=days) if days else None
    values = {"person_id": person.id, "label": label, "digest": digest(secret), "created_at": at, "ends_at": ends}
    connection.execute(sa.insert(d.token).values(**values))
    audit.log(connection, by, "token.add", f"person:{person.login}", after={"label": label, "ends_at": ends.isoformat() if ends else None})
    return secret


def revoke_token(connection: Connection, token_id: int, by: str) -> None:
    """Make a token useless."""
    row = connection.execute(sa.select(d.token).where(d.token.c.id == token_id)).first()
    if row is None or row.revoked_at is not None:
        raise ConfigurationError(f"there is no token {token_id} that could be revoked; `pacsqc web token list` shows them")
    connection.execute(sa.update(d.token).where(d.token.c.id == token_id).values(revoked_at=now(connection)))
    audit.log(connection, by, "token.revoke", f"token:{token_id}", after={"label": row.label})


def tokens(connection: Connection) -> list[Row]:
    """Return all tokens with the login of whom they belong to: id, label, login, created_at, ends_at, revoked_at."""
    columns = (d.token.c.id, d.token.c.label, d.person.c.login, d.token.c.created_at, d.token.c.ends_at, d.token.c.revoked_at)
    return list(connection.execute(sa.select(*columns).join(d.person).order_by(d.token.c.id)))


def token_person(connection: Connection, secret: str) -> Person | None:
    """Return whose token it is, None where it is none or holds no longer."""
    holds = (d.token.c.digest == digest(secret), d.token.c.revoked_at.is_(None), d.person.c.active)
    row = connection.execute(
        sa.select(d.person, d.token.c.ends_at).join(d.token, d.token.c.person_id == d.person.c.id).where(*holds)
    ).first()
    if row is None or (row.ends_at is not None and row.ends_at < now(connection)):
        return None
    return _person(row)
