"""The ledger: what was seen, what is to be done, and who is doing it.

    observe -> settle -> claim -> (renew) -> complete | give_back

Functions on a connection inside a transaction; `reports.store.Store` wraps each in one. A work row is
``ready -> leased -> done``, or ``ready`` again, ``quarantined`` after too many attempts, ``superseded`` by a newer
revision. Delivery is at least once, effect exactly once: results are written in the transaction that takes the row from
``leased`` to ``done``, and only by the owner of the lease.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from reports.store import by_hand, intake
from reports.store import schema as t
from reports.store.clean import Cleaner, Places
from reports.store.connect import insert, now

MAX_ATTEMPTS = 3
BATCH = 500


@dataclass(frozen=True, slots=True)
class Seen:
    """A file that holds a DICOM instance, as a source saw it.

    Attributes
    ----------
    path
        Where the source finds it again, unique within the source. It never leaves the ledger.
    digest
        Of the bytes; where it is empty, size and time of change stand for the content.
    """

    path: str
    size: int
    mtime_ns: int | None
    study_uid: str
    series_uid: str
    sop_uid: str
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Observed:
    """How many files were new, changed, or known already."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0


@dataclass(frozen=True, slots=True)
class Work:
    """A study to check, leased to one owner. `paths` are exactly the files of this revision."""

    id: int
    study_uid: str
    revision: int
    paths: tuple[Path, ...]
    fingerprint: str
    attempts: int
    sources: tuple[str, ...] = ()  # of each path
    by_hand: tuple[int, ...] = ()  # settings by hand that it is measured with (`reports.store.by_hand`)


def source_id(connection: Connection, name: str) -> int:
    """Return the id of a source; a new name makes a new source."""
    known = connection.execute(sa.select(t.source.c.id).where(t.source.c.name == name)).scalar()
    if known is not None:
        return int(known)
    connection.execute(insert(connection, t.source).values(name=name).on_conflict_do_nothing())
    return int(connection.execute(sa.select(t.source.c.id).where(t.source.c.name == name)).scalar_one())


# -- observe ----------------------------------------------------------------------------------------------------


def observe(connection: Connection, source: str, seen: Sequence[Seen], places: Places) -> Observed:
    """Note files of a source. What is known already changes nothing; the studies of the others are open again."""
    at = now(connection)
    sid = source_id(connection, source)
    latest = {str(one.path): one for one in seen}
    known = {}
    for paths in batches(latest, BATCH):
        rows = connection.execute(sa.select(t.instance).where(t.instance.c.source_id == sid, t.instance.c.path.in_(paths)))
        known.update({row.path: row for row in rows})
    new, changed, unchanged, studies = [], [], 0, set()
    for path, one in latest.items():
        row = known.get(path)
        values = {
            "path": path, "size": one.size, "mtime_ns": one.mtime_ns, "digest": one.digest or None,
            "study_uid": one.study_uid, "series_uid": one.series_uid, "sop_uid": one.sop_uid,
        }  # fmt: skip
        if row is None:
            new.append({**values, "source_id": sid, "first_at": at, "changed_at": at})
        elif all(getattr(row, name) == value for name, value in values.items()):
            unchanged += 1
            continue
        else:
            changed.append({"b_id": row.id, **values, "changed_at": at})
            studies.add(row.study_uid)
        studies.add(one.study_uid)
    if new:
        connection.execute(insert(connection, t.instance).on_conflict_do_nothing(), new)
        if connection.execute(sa.select(t.skipped.c.id).where(t.skipped.c.source_id == sid).limit(1)).first():
            for keys in batches((places.key(row["path"]) for row in new), BATCH):  # a file that could not be read before can now
                connection.execute(sa.delete(t.skipped).where(t.skipped.c.source_id == sid, t.skipped.c.place.in_(keys)))
    if changed:
        connection.execute(sa.update(t.instance).where(t.instance.c.id == sa.bindparam("b_id")), changed)
    if studies:
        opened = insert(connection, t.arrival)
        opened = opened.on_conflict_do_update(index_elements=["study_uid"], set_={"changed_at": opened.excluded.changed_at, "open": True})
        connection.execute(opened, [{"study_uid": uid, "first_at": at, "changed_at": at, "open": True} for uid in sorted(studies)])
        intake.arriving(connection, sid, studies, at)
    if any(row.expired_at is not None for row in known.values()):  # fetched again after its file had been deleted
        for ids in batches((row.id for row in known.values()), BATCH):
            connection.execute(sa.update(t.instance).where(t.instance.c.id.in_(ids)).values(expired_at=None))
    connection.execute(sa.update(t.source).where(t.source.c.id == sid).values(seen_at=at))
    return Observed(len(new), len(changed), unchanged)


def skip(connection: Connection, source: str, path: str, reason: str, message: str, places: Places) -> None:
    """Note a file that gave no instance; the same path is noted once. Of the path only the name is kept in clear."""
    why = {"reason": reason, "message": Cleaner().text(places.without(message, path))}
    row = insert(connection, t.skipped).values(
        source_id=source_id(connection, source), place=places.key(path), path=places.name(path), folder=places.folder(path),
        first_at=now(connection), **why,
    )  # fmt: skip
    connection.execute(row.on_conflict_do_update(index_elements=["source_id", "place"], set_=why))


# -- settle -----------------------------------------------------------------------------------------------------


def settle(connection: Connection, quiet_s: float, parameters: str, checks: str, priority: int = 0, source: str | None = None) -> int:
    """Make work for studies with nothing new for `quiet_s`, where their files are not those of the last revision.

    `source`: only studies of which this source has something.
    """
    at = now(connection)
    key = {"parameters_hash": parameters, "checks_hash": checks}
    wanted = _QUIET
    if source is not None:
        wanted = wanted.where(t.arrival.c.study_uid.in_(_OF_SOURCE.where(t.source.c.name == source)))
    uids = connection.execute(wanted, {"until": at - timedelta(seconds=quiet_s)}).scalars().all()
    made = sum(_revise(connection, uid, {**key, "priority": priority}, at) for uid in uids)
    if uids:
        connection.execute(_SETTLED, [{"uid": uid} for uid in uids])
        intake.quiet(connection, uids)
    return made


def fingerprint(files: Iterable[Row], told: Iterable[str] = ()) -> str:
    """Return what tells one set of files from another; a file that only moved or was touched is the same where its digest is known.

    What sources say the study is (`told`, digests) belongs to it: where they count anew, the study is checked anew.
    """
    tokens = sorted(f"{one.series_uid} {one.sop_uid} {one.digest or f'{one.size}:{one.mtime_ns}'}" for one in files)
    tokens += sorted(f"announced {digest}" for digest in told)
    return hashlib.sha256("\n".join(tokens).encode()).hexdigest()[:32]


def again(connection: Connection, uids: Sequence[str], checks: str, parameters: str = "", priority: int = 0) -> int:
    """Make work of studies though their files did not change; return how many. `checks` must be new: it tells this work from older."""
    at = now(connection)
    values = {"parameters_hash": parameters, "checks_hash": checks, "priority": priority}
    return sum(_revise(connection, uid, values, at, forced=True) for uid in uids)


def _revise(connection: Connection, uid: str, values: dict[str, Any], at: datetime, *, forced: bool = False) -> int:
    """Open a new revision of a study where its files changed, or all the same if `forced`; 1 if there is new work."""
    files = connection.execute(_FILES, {"uid": uid}).all()
    last = connection.execute(_LAST, {"uid": uid}).first()
    print_ = fingerprint(files, connection.execute(_TOLD, {"uid": uid}).scalars().all())
    if not files or (last and last.fingerprint == print_ and not forced):
        return 0
    if (
        last and not values["parameters_hash"]
    ):  # what somebody set by hand for these images holds for them until somebody sets something else
        values = {**values, "parameters_hash": by_hand.kept(last.parameters_hash)}
    row = {"study_uid": uid, "fingerprint": print_, "created_at": at}
    revision = {**row, "revision": last.revision + 1 if last else 1, "files": len(files)}
    study_id = connection.execute(_REVISION, revision).scalar_one()
    connection.execute(_HELD_BY, {"uid": uid, "study_id": study_id})
    if last:  # what was not checked yet need not be any more; who holds a lease on it will find that it is no longer his
        connection.execute(_STALE, {"uid": uid, "changed_at": at})
    # files that are back as they once were: the old row is done again, for the new revision
    fresh = {"state": "ready", "attempts": 0, "excused": 0, "owner": None, "lease_until": None}
    again = insert(connection, t.work)
    again = again.on_conflict_do_update(
        index_elements=["study_uid", "fingerprint", "parameters_hash", "checks_hash"],
        set_={**fresh, "study_id": study_id, "changed_at": at},
    )
    connection.execute(again if last else sa.insert(t.work), {**row, **values, "study_id": study_id, "state": "ready", "changed_at": at})
    return 1


# statements of the busy paths are built once
_UID = sa.bindparam("uid")
_QUIET = (
    sa.select(t.arrival.c.study_uid)
    .where(t.arrival.c.open, t.arrival.c.changed_at <= sa.bindparam("until"))
    .order_by(t.arrival.c.changed_at)
    .with_for_update(skip_locked=True)
)
_OF_SOURCE = sa.select(t.instance.c.study_uid).join(t.source)
_SETTLED = sa.update(t.arrival).where(t.arrival.c.study_uid == _UID).values(open=False)
_FILES = sa.select(*(t.instance.c[name] for name in ("series_uid", "sop_uid", "digest", "size", "mtime_ns"))).where(
    t.instance.c.study_uid == _UID
)
_TOLD = sa.select(t.announced.c.digest).where(t.announced.c.study_uid == _UID)
_LAST = (
    sa.select(t.study.c.revision, t.study.c.fingerprint, t.work.c.parameters_hash)
    .outerjoin(t.work, t.work.c.study_id == t.study.c.id)
    .where(t.study.c.study_uid == _UID)
    .order_by(t.study.c.revision.desc())
    .limit(1)
)
_REVISION = sa.insert(t.study).returning(t.study.c.id)
_HELD_BY = sa.update(t.instance).where(t.instance.c.study_uid == _UID)
_STALE = (
    sa.update(t.work)
    .where(t.work.c.study_uid == _UID, t.work.c.state.in_(("ready", "leased")))
    .values(state="superseded", owner=None, lease_until=None)
)


# -- claim, renew, give back ------------------------------------------------------------------------------------


def free(at: datetime) -> sa.ColumnElement[bool]:
    """Condition: ready, or leased by someone whose time is over."""
    over = sa.or_(t.work.c.lease_until.is_(None), t.work.c.lease_until <= at)
    alive = sa.or_(t.work.c.state == "ready", t.work.c.attempts - t.work.c.excused < MAX_ATTEMPTS)
    return sa.and_(t.work.c.state.in_(("ready", "leased")), over, alive)


def worn_out(connection: Connection, limit: int = 50) -> Sequence[Row]:
    """Return work whose last lease ran out without a word: whoever took it died each time."""
    over = sa.and_(t.work.c.state == "leased", t.work.c.lease_until <= now(connection))
    dead = sa.and_(over, t.work.c.attempts - t.work.c.excused >= MAX_ATTEMPTS)
    return connection.execute(sa.select(t.work).where(dead).limit(limit).with_for_update(skip_locked=True)).all()


def claimable(connection: Connection) -> int:
    """Return how many studies could be claimed now."""
    return int(connection.execute(sa.select(sa.func.count()).select_from(t.work).where(free(now(connection)))).scalar_one())


def leases(connection: Connection) -> list[tuple[int, str]]:
    """Return the work that is leased, and to whom."""
    held = sa.select(t.work.c.id, t.work.c.owner).where(t.work.c.state == "leased", t.work.c.owner.is_not(None))
    return [(row.id, row.owner) for row in connection.execute(held.order_by(t.work.c.id))]


def claim(connection: Connection, owner: str, limit: int, lease_s: float, study_uid: str | None = None) -> list[Work]:
    """Lease up to `limit` studies, the urgent and the newest first; or one study alone."""
    at = now(connection)
    wanted = (
        sa.select(t.work.c.id)
        .where(free(at), sa.true() if study_uid is None else t.work.c.study_uid == study_uid)
        .order_by(t.work.c.priority.desc(), t.work.c.id.desc())
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("wanted")  # evaluated once, so that PostgreSQL keeps to the limit
    )
    lease = {"state": "leased", "owner": owner, "lease_until": at + timedelta(seconds=lease_s), "changed_at": at}
    taken = connection.execute(
        sa.update(t.work)
        .where(t.work.c.id.in_(sa.select(wanted.c.id)))
        .values(**lease, attempts=t.work.c.attempts + 1)
        .returning(*(t.work.c[name] for name in ("id", "study_id", "study_uid", "fingerprint", "attempts", "priority", "parameters_hash")))
    ).all()
    if not taken:
        return []
    taken = sorted(taken, key=lambda row: (-row.priority, -row.id))
    connection.execute(
        sa.insert(t.attempt), [{"work_id": row.id, "number": row.attempts, "owner": owner, "started_at": at} for row in taken]
    )
    revisions, paths = _files(connection, [row.study_id for row in taken])
    return [
        Work(
            row.id, row.study_uid, revisions[row.study_id], tuple(path for path, _ in paths[row.study_id]), row.fingerprint, row.attempts,
            tuple(source for _, source in paths[row.study_id]), by_hand.numbers(row.parameters_hash),
        )
        for row in taken
    ]  # fmt: skip


def _files(connection: Connection, study_ids: Sequence[int]) -> tuple[dict[int, int], dict[int, list[tuple[Path, str]]]]:
    revisions: dict[int, int] = {}
    paths: dict[int, list[tuple[Path, str]]] = {study_id: [] for study_id in study_ids}
    for some in batches(study_ids, BATCH):
        ours = sa.select(t.study.c.id, t.study.c.revision).where(t.study.c.id.in_(some))
        revisions.update((row.id, row.revision) for row in connection.execute(ours))
        held = sa.select(t.instance.c.study_id, t.instance.c.path, t.source.c.name).join_from(t.instance, t.source)
        for study_id, path, source in connection.execute(held.where(t.instance.c.study_id.in_(some)).order_by(t.instance.c.path)):
            paths[study_id].append((Path(path), source))
    return revisions, paths


# Still leased by this owner. (A lease that ran out but that nobody took is still his.)
_HELD = (t.work.c.id == sa.bindparam("work"), t.work.c.owner == sa.bindparam("holder"), t.work.c.state == "leased")
_RENEW = sa.update(t.work).where(*_HELD)
_END = _RENEW.values(owner=None).returning(
    *(t.work.c[name] for name in ("id", "study_id", "study_uid", "attempts", "created_at", "error_kind"))
)
_CLOSE = sa.update(t.attempt).where(
    t.attempt.c.work_id == sa.bindparam("work"), t.attempt.c.number == sa.bindparam("which"), t.attempt.c.ended_at.is_(None)
)


def renew(connection: Connection, work_id: int, owner: str, lease_s: float) -> bool:
    """Make a lease longer; False where it is no longer the owner's."""
    until = now(connection) + timedelta(seconds=lease_s)
    return connection.execute(_RENEW, {"work": work_id, "holder": owner, "lease_until": until}).rowcount == 1


def finish(
    connection: Connection, work_id: int, owner: str, at: datetime, state: str = "done", kind: str | None = None, error: str | None = None
) -> Row | None:
    """Take work from ``leased`` to its end, if it is still the owner's; return the row, None where it is not (fencing)."""
    return _end(connection, work_id, owner, at, state, None, state, kind, error)


def put_back(
    connection: Connection, work_id: int, owner: str, kind: str, error: str, delay_s: float, *, excused: bool = False
) -> Row | None:
    """Make leased work ready again, after `delay_s`; return the row, None where it is no longer the owner's.

    `excused`: the attempt does not count against the study.
    """
    at = now(connection)
    if excused:
        connection.execute(_RENEW.values(excused=t.work.c.excused + 1), {"work": work_id, "holder": owner})
    return _end(connection, work_id, owner, at, "ready", at + timedelta(seconds=delay_s) if delay_s else None, "given_back", kind, error)


def _end(
    connection: Connection, work_id: int, owner: str, at: datetime, state: str, until: datetime | None, outcome: str, kind: str | None,
    error: str | None,
) -> Row | None:  # fmt: skip
    why = {"error_kind": kind, "error": error}
    ended = {"work": work_id, "holder": owner, "state": state, "lease_until": until, "changed_at": at, **why}
    row = connection.execute(_END, ended).first()
    if row is not None:
        connection.execute(_CLOSE, {"work": work_id, "which": row.attempts, "ended_at": at, "outcome": outcome, **why})
    return row


def batches(items: Iterable, size: int) -> Iterator[list]:
    """Yield lists of up to `size` items."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
