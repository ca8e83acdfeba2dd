"""The audit log: who changed or looked up what, when and why. Rows are added and never touched again.

The database refuses to change or delete them (triggers), and each row carries a digest of itself and of the one before, so that
a change behind the back of the database shows too.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from qc.errors import ConfigurationError
from reports.store import schema as t
from reports.store.clean import Cleaner
from reports.store.connect import now

_LOCK = 7_226_352  # of the end of the chain, among advisory locks of PostgreSQL
_FIRST = "0" * 64


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the log."""

    id: int
    at: datetime
    who: str
    what: str
    subject: str
    before: Any
    after: Any
    why: str


def log(connection: Connection, who: str, what: str, subject: str = "", before: Any = None, after: Any = None, why: str = "") -> None:
    """Add a row to the log.

    Raises
    ------
    ConfigurationError
        If nobody is named.
    """
    cleaner = Cleaner()
    if not who.strip():
        raise ConfigurationError("the audit log needs a name: who does this?")
    if connection.dialect.name == "postgresql":  # SQLite has one writer at a time
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    values = {
        "at": now(connection), "who": cleaner.text(who.strip()), "what": what, "subject": subject,
        "before": cleaner.plain(before), "after": cleaner.plain(after), "why": cleaner.text(why.strip()),
    }  # fmt: skip
    last = connection.execute(sa.select(t.audit.c.digest).order_by(t.audit.c.id.desc()).limit(1)).scalar()
    connection.execute(sa.insert(t.audit).values(**values, digest=_digest(last or _FIRST, values)))


def entries(connection: Connection, limit: int) -> list[Entry]:
    """Return the newest rows, newest first."""
    rows = connection.execute(sa.select(t.audit).order_by(t.audit.c.id.desc()).limit(limit))
    return [Entry(*(getattr(row, name) for name in Entry.__dataclass_fields__)) for row in rows]


def digest_of(connection: Connection, number: int | None = None) -> str:
    """Return the digest of a row (None: of the newest); empty where there is no such row."""
    chosen = sa.select(t.audit.c.digest).order_by(t.audit.c.id.desc()).limit(1)
    return connection.execute(chosen if number is None else chosen.where(t.audit.c.id == number)).scalar() or ""


def first_broken(connection: Connection) -> int | None:
    """Return the id of the first row that is not what was written, or that follows one taken away; None where all are whole."""
    last = _FIRST
    for row in connection.execute(sa.select(t.audit).order_by(t.audit.c.id)).yield_per(1000):
        if row.digest != _digest(last, _values(row)):
            return int(row.id)
        last = row.digest
    return None


def _values(row: Row) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("at", "who", "what", "subject", "before", "after", "why")}


def _digest(last: str, values: dict[str, Any]) -> str:
    text = json.dumps({**values, "at": values["at"].isoformat()}, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(f"{last}\n{text}".encode()).hexdigest()
