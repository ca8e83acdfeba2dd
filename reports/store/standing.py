"""The ledger of problems: what is wrong with what since when, and whether somebody sees to it. Part of the transaction of its caller.

A problem is one subject (a device) and one code. It opens when it is seen and nobody has told of it yet, goes on for as long as it is seen,
and is over on the first day on which it would have been seen and was not: a day without a test says nothing about a test that failed.
A snoozed problem says nothing until its day; one that is acknowledged says only that it got worse or is over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from qc.errors import ConfigurationError
from qc.results import Status
from reports.store import audit
from reports.store import schema as t
from reports.store.clean import Cleaner
from reports.store.connect import now

ORDER = {str(status): rank for rank, status in enumerate(Status)}
STATES = ("open", "acknowledged", "snoozed", "resolved")
_LOCK = 7_226_353  # of the ledger, among advisory locks of PostgreSQL


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is wrong on a day.

    Attributes
    ----------
    subject
        ``device:3``, ``source:pacs`` ...: with `code` it tells one problem from another.
    title
        What it is, in words; `where`: of which device or source.
    count
        How many studies (charts ...) have it; 0: it is not counted. `unit` is what is counted, one and many.
    always
        Tell people whatever the mildest status is that they want to hear of.
    """

    subject: str
    code: str
    status: str
    title: str
    where: str
    count: int = 0
    unit: tuple[str, str] = ("study", "studies")
    always: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """What there is to tell of a problem: ``new``, ``worse``, ``still`` (the snooze is over) or ``resolved``."""

    kind: str
    trouble: Trouble
    since: date | None


def note(
    connection: Connection, day: date, troubles: Iterable[Trouble], seen: Callable[[str, str], bool], tellable: Callable[[Trouble], bool]
) -> list[Change]:
    """Note what is wrong on a day and what is no more, and return what changed. The same day may be noted again at any time.

    Parameters
    ----------
    seen
        Tells whether a problem (subject, code) would have been seen on this day.
    tellable
        Tells whether people want to hear of it.
    """
    if connection.dialect.name == "postgresql":  # two at once would both tell; SQLite has one writer at a time
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    at = now(connection)
    here = {(one.subject, one.code): one for one in troubles}
    open_ones = {(row.subject, row.code): row for row in connection.execute(sa.select(t.problem).where(t.problem.c.state != "resolved"))}
    changes = []
    for key, trouble in sorted(here.items()):
        row = open_ones.get(key)
        change = _goes_on(connection, row, trouble, day, at, tellable) if row else _appears(connection, trouble, day, at, tellable)
        changes += [change] if change else []
    for key, row in sorted(open_ones.items()):
        if key not in here and seen(*key):
            change = _is_gone(connection, row, day, at, tellable)
            changes += [change] if change else []
    return changes


def _appears(connection: Connection, trouble: Trouble, day: date, at: datetime, tellable: Callable[[Trouble], bool]) -> Change | None:
    same = sa.and_(t.problem.c.subject == trouble.subject, t.problem.c.code == trouble.code)
    within = sa.and_(same, t.problem.c.first_day <= day, t.problem.c.resolved_day > day)
    known = connection.execute(sa.select(t.problem.c.id).where(within)).scalar()
    if known is not None:  # an older day, looked at again: people were told of it then
        _see(connection, known, day, trouble)
        return None
    tell = tellable(trouble)
    values = {"subject": trouble.subject, "code": trouble.code, "status": trouble.status, "title": trouble.title, "where": trouble.where}
    values |= {"state": "open", "first_day": day, "last_day": day, "count": trouble.count, "told": trouble.status if tell else None}
    number = connection.execute(sa.insert(t.problem).values(**values, opened_at=at, changed_at=at).returning(t.problem.c.id)).scalar_one()
    _see(connection, number, day, trouble)
    return Change("new", trouble, None) if tell else None


def _goes_on(
    connection: Connection, row: Row, trouble: Trouble, day: date, at: datetime, tellable: Callable[[Trouble], bool]
) -> Change | None:
    _see(connection, row.id, day, trouble)
    values: dict[str, Any] = {"first_day": min(row.first_day, day), "changed_at": at}
    if day >= row.last_day:
        values |= {"last_day": day, "status": trouble.status, "count": trouble.count, "title": trouble.title, "where": trouble.where}
    kind = ""
    if row.state == "snoozed" and row.until is not None and day >= row.until:
        values |= {"state": "open", "until": None}
        kind = "still"
    elif row.state != "snoozed":
        if row.told is None:
            kind = "new"
        elif ORDER[trouble.status] < ORDER[row.told]:
            kind = "worse"
    tell = bool(kind) and tellable(trouble)
    if tell:
        values["told"] = min(row.told or trouble.status, trouble.status, key=ORDER.__getitem__)
    connection.execute(sa.update(t.problem).where(t.problem.c.id == row.id).values(**values))
    since = min(row.first_day, day)
    return Change(kind, trouble, since if since < day else None) if tell else None


def _is_gone(connection: Connection, row: Row, day: date, at: datetime, tellable: Callable[[Trouble], bool]) -> Change | None:
    """Note that a problem was not seen on a day on which it would have been."""
    seen = t.problem_day
    gone = connection.execute(sa.delete(seen).where(seen.c.problem_id == row.id, seen.c.day == day)).rowcount
    last = connection.execute(sa.select(sa.func.max(seen.c.day)).where(seen.c.problem_id == row.id)).scalar()
    if last is not None and last > day:
        return None  # an older day; it goes on
    if gone and last is not None and last < day:  # it was seen on this day, but the results were corrected since
        connection.execute(sa.update(t.problem).where(t.problem.c.id == row.id).values(last_day=last))
    over = {"state": "resolved", "resolved_day": day, "resolved_at": at, "changed_at": at, "until": None}
    connection.execute(sa.update(t.problem).where(t.problem.c.id == row.id).values(**over))
    if row.told is None or row.state == "snoozed":
        return None
    return Change("resolved", Trouble(row.subject, row.code, row.told, row.title, row.where), row.first_day)


def _see(connection: Connection, number: int, day: date, trouble: Trouble) -> None:
    seen = t.problem_day
    connection.execute(sa.delete(seen).where(seen.c.problem_id == number, seen.c.day == day))
    connection.execute(sa.insert(seen).values(problem_id=number, day=day, status=trouble.status, count=trouble.count))


# -- people -----------------------------------------------------------------------------------------------------


def acknowledge(connection: Connection, number: int, who: str, why: str) -> None:
    """Note that somebody sees to a problem: from now on people hear only that it got worse or is over."""
    _take(connection, number, who, why, {"state": "acknowledged", "until": None}, "problem.acknowledge")


def snooze(connection: Connection, number: int, until: date, who: str, why: str) -> None:
    """Say nothing of a problem before a day, whatever becomes of it."""
    row = _open(connection, number)
    if until <= row.last_day:
        raise ConfigurationError(f"until is {until}; it must lie after {row.last_day}, the day on which the problem was last seen")
    _take(connection, number, who, why, {"state": "snoozed", "until": until}, "problem.snooze")


def _take(connection: Connection, number: int, who: str, why: str, values: dict[str, Any], what: str) -> None:
    row = _open(connection, number)
    name, reason = Cleaner().text(who).strip(), Cleaner().text(why).strip()
    if not name or not reason:
        raise ConfigurationError("a name and a reason are needed; both are kept in the log of changes")
    connection.execute(
        sa.update(t.problem).where(t.problem.c.id == number).values(**values, who=name, why=reason, changed_at=now(connection))
    )
    plain = {key: value.isoformat() if isinstance(value, date) else value for key, value in values.items()}
    audit.log(connection, name, what, f"problem:{number}", {"state": row.state}, plain, reason)


def _open(connection: Connection, number: int) -> Row:
    row = connection.execute(sa.select(t.problem).where(t.problem.c.id == number).with_for_update()).first()
    if row is None or row.state == "resolved":
        raise ConfigurationError(f"problem {number} is over already" if row else f"there is no problem {number}")
    return row
