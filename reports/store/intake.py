"""Where each study of a source stands, from the first time it was listed to the report that told of it.

    discovered -> receiving -> quiet -> complete | incomplete | not_known -> checked -> reported
    discovered -> not_taken        incomplete -> given_up

Functions on a connection inside a transaction. A state is written with what caused it: those of the source with the
instances and the cursor of the same look, ``checked`` with the results, ``reported`` with the note that the report is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from reports.store import schema as t
from reports.store.clean import Cleaner
from reports.store.connect import insert

STATES = (
    "discovered", "receiving", "quiet", "complete", "incomplete", "not_known", "given_up", "not_taken", "checked", "reported",
)  # fmt: skip
COUNTED = ("complete", "incomplete", "not_known", "given_up")
MOST_NAMED = 100  # missing instances that are kept by name
BATCH = 500


@dataclass(frozen=True, slots=True)
class Ended:
    """How one retrieve ended, by the word of the source. A counter that it did not tell is None."""

    way: str
    status: int | None
    completed: int | None = None
    failed: int | None = None
    warning: int | None = None
    remaining: int | None = None
    came: int = 0
    bytes: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a study of a source stands after a look.

    Attributes
    ----------
    reason, message
        Why it was not taken or is held back: a code, and a sentence.
    expected, counted_by
        How many instances the source counts, and what that rests on (``images``, ``series``, ``study``).
    missing
        UIDs of instances that did not come.
    sampled
        What the settings left out of it.
    """

    study_uid: str
    state: str
    reason: str = ""
    message: str = ""
    expected: int | None = None
    counted_by: str = ""
    here: int | None = None
    missing: tuple[str, ...] = ()
    sampled: str = ""
    modalities: str = ""
    day: date | None = None
    retrieves: tuple[Ended, ...] = ()


def note(connection: Connection, source_id: int, standings: Sequence[Standing], at: datetime) -> None:
    """Write where studies stand. A study that was checked and counts as before stays checked."""
    latest = {one.study_uid: one for one in standings}
    known: dict[str, Row] = {}
    for uids in _batches(list(latest)):
        rows = connection.execute(sa.select(t.intake).where(t.intake.c.source_id == source_id, t.intake.c.study_uid.in_(uids)))
        known.update((row.study_uid, row) for row in rows)
    clean = Cleaner()
    for uid, one in latest.items():
        row = known.get(uid)
        values = _values(one, clean)
        if row is None:
            values |= {"source_id": source_id, "study_uid": uid, "first_at": at, "changed_at": at}
            key = connection.execute(sa.insert(t.intake).values(values).returning(t.intake.c.id)).scalar_one()
        else:
            key = row.id
            done = row.checked_at is not None and (row.verdict, row.expected, row.here) == (one.state, one.expected, one.here)
            if done:
                values["state"] = row.state
            values = {name: value for name, value in values.items() if value or name not in ("day", "modalities")}
            if any(getattr(row, name) != value for name, value in values.items()):
                values["changed_at"] = at
                if not done:
                    values |= {"checked_at": None, "reported_at": None}
                connection.execute(sa.update(t.intake).where(t.intake.c.id == key).values(values))
        if one.retrieves:
            names = ("way", "status", "completed", "failed", "warning", "remaining", "came", "bytes", "seconds")
            ended = [{name: getattr(some, name) for name in names} for some in one.retrieves]
            connection.execute(sa.insert(t.retrieval), [{"intake_id": key, "at": at, **some} for some in ended])


def _values(one: Standing, clean: Cleaner) -> dict[str, Any]:
    values: dict[str, Any] = {
        "state": one.state, "reason": one.reason, "message": clean.text(one.message), "sampled": clean.text(one.sampled),
        "modalities": clean.text(one.modalities), "day": one.day,
    }  # fmt: skip
    if one.state in COUNTED:
        missing = list(one.missing[:MOST_NAMED])
        values |= {"verdict": one.state, "expected": one.expected, "counted_by": one.counted_by, "here": one.here, "missing": missing}
    else:
        values |= {"verdict": "", "expected": one.expected, "counted_by": one.counted_by, "here": one.here, "missing": []}
    return values


def arriving(connection: Connection, source_id: int, study_uids: Iterable[str], at: datetime) -> None:
    """Note that something of these studies came in at a source that does not count."""
    rows = [
        {"source_id": source_id, "study_uid": uid, "state": "receiving", "missing": [], "first_at": at, "changed_at": at}
        for uid in sorted(study_uids)
    ]
    if rows:
        new = insert(connection, t.intake)
        again = {"state": "receiving", "changed_at": new.excluded.changed_at, "checked_at": None, "reported_at": None}
        connection.execute(new.on_conflict_do_update(index_elements=["source_id", "study_uid"], set_=again), rows)


def quiet(connection: Connection, study_uids: Sequence[str]) -> None:
    """Note that nothing of these studies came for long enough."""
    for uids in _batches(study_uids):
        arriving_ones = sa.and_(t.intake.c.study_uid.in_(uids), t.intake.c.state == "receiving")
        connection.execute(sa.update(t.intake).where(arriving_ones).values(state="quiet"))


_CHECKED = sa.update(t.intake).where(
    t.intake.c.study_uid == sa.bindparam("uid"), t.intake.c.state.in_(("quiet", *COUNTED, "checked", "reported"))
)


def checked(connection: Connection, study_uid: str, at: datetime) -> None:
    """Note that the results of a study are there. One that grows again meanwhile stays where it is."""
    connection.execute(_CHECKED, {"uid": study_uid, "state": "checked", "checked_at": at, "reported_at": None})


def reported(connection: Connection, day: date, at: datetime) -> None:
    """Note that the report of a day told of its studies."""
    told = sa.select(t.study.c.study_uid).where(t.study.c.day == day, t.study.c.done_at <= at, t.study.c.superseded_at.is_(None))
    ours = sa.and_(t.intake.c.state == "checked", t.intake.c.study_uid.in_(told))
    connection.execute(sa.update(t.intake).where(ours).values(state="reported", reported_at=at))


def rows(connection: Connection, state: str | None = None, day: date | None = None, limit: int = 1000) -> list[dict[str, Any]]:
    """Return where studies stand, the newest change first."""
    names = (
        "study_uid",
        "state",
        "verdict",
        "expected",
        "here",
        "counted_by",
        "missing",
        "reason",
        "message",
        "sampled",
        "modalities",
        "day",
    )
    wanted = sa.select(t.source.c.name.label("source"), *(t.intake.c[name] for name in names), t.intake.c.first_at, t.intake.c.changed_at)
    wanted = wanted.select_from(t.intake.join(t.source))
    if state:
        wanted = wanted.where(sa.or_(t.intake.c.state == state, t.intake.c.verdict == state))
    if day:
        wanted = wanted.where(t.intake.c.day == day)
    found = connection.execute(wanted.order_by(t.intake.c.changed_at.desc(), t.intake.c.id).limit(limit))
    return [dict(row._mapping) for row in found]


def retrieves(connection: Connection, study_uid: str) -> list[dict[str, Any]]:
    """Return how each retrieve of a study ended, oldest first."""
    columns = [column for column in t.retrieval.c if column.name not in ("id", "intake_id")]
    wanted = sa.select(t.source.c.name.label("source"), *columns).select_from(t.retrieval.join(t.intake).join(t.source))
    return [dict(row._mapping) for row in connection.execute(wanted.where(t.intake.c.study_uid == study_uid).order_by(t.retrieval.c.id))]


# -- the source itself ------------------------------------------------------------------------------------------


def lease_source(connection: Connection, source_id: int, owner: str, at: datetime, seconds: float) -> bool:
    """Take a source for a look; False where another process has it."""
    free = sa.or_(t.source.c.owner.is_(None), t.source.c.owner == owner, t.source.c.lease_until <= at)
    taken = sa.update(t.source).where(t.source.c.id == source_id, free).values(owner=owner, lease_until=at + timedelta(seconds=seconds))
    return connection.execute(taken).rowcount == 1


def free_source(connection: Connection, source_id: int, owner: str) -> None:
    """Give a source back."""
    held = sa.and_(t.source.c.id == source_id, t.source.c.owner == owner)
    connection.execute(sa.update(t.source).where(held).values(owner=None, lease_until=None))


def source_owner(connection: Connection, source_id: int) -> str | None:
    """Return who has a source."""
    return connection.execute(sa.select(t.source.c.owner).where(t.source.c.id == source_id)).scalar()


def reached(connection: Connection, source_id: int, at: datetime, latency_s: float | None, message: str = "") -> None:
    """Note that a source answered (with a latency), or did not (None, with the reason)."""
    answered = latency_s is not None
    text = Cleaner().text(message)
    values: dict[str, Any] = (
        {"failures": 0, "error": None} if answered else {"failed_at": at, "failures": t.source.c.failures + 1, "error": text}
    )
    connection.execute(sa.update(t.source).where(t.source.c.id == source_id).values(values))
    connection.execute(sa.insert(t.reach).values(source_id=source_id, at=at, answered=answered, latency_s=latency_s, message=text))


def _batches(items: Sequence[str]) -> Iterable[Sequence[str]]:
    return (items[at : at + BATCH] for at in range(0, len(items), BATCH))
