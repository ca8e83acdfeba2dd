"""What people set by hand in phantom tests: kept for good, and used again where they said so.

A later setting of the same test on the same device takes the place of an earlier one; nothing is deleted, and each change writes a
row of the audit log in its transaction.

Work that is to be measured with settings names them in its `parameters_hash` (`named`), so whoever does it, and whenever, measures so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qc.errors import ConfigurationError
from reports.store import audit
from reports.store import schema as t
from reports.store.clean import Cleaner
from reports.store.connect import now

_MARK = "by hand:"


def named(numbers: Iterable[int]) -> str:
    """Return what stands in the `parameters_hash` of work that is measured with these settings."""
    return _MARK + ",".join(map(str, numbers))


def kept(parameters_hash: str | None) -> str:
    """Return what later work on the same study takes over: settings by hand, nothing else."""
    return parameters_hash if parameters_hash and parameters_hash.startswith(_MARK) else ""


def numbers(parameters_hash: str | None) -> tuple[int, ...]:
    """Return the settings that work is measured with.

    >>> numbers(named([3, 7])), numbers("")
    ((3, 7), ())
    """
    return tuple(int(one) for one in kept(parameters_hash).removeprefix(_MARK).split(",") if one)


@dataclass(frozen=True, slots=True)
class ByHand:
    """One setting.

    Attributes
    ----------
    device_id, study_uid
        Where it was set; None where not known.
    parameters
        Values by name of parameter of the check.
    again
        Whether the automatic runs of the device use it.
    ended_at
        Since when they no longer do.
    """

    id: int
    device_id: int | None
    study_uid: str | None
    check: str
    parameters: dict[str, Any]
    who: str
    at: datetime
    why: str
    again: bool
    ended_at: datetime | None


def keep(
    connection: Connection,
    device_id: int | None,
    study_uid: str | None,
    check: str,
    parameters: Mapping[str, Any],
    who: str,
    why: str,
    again: bool,
) -> int:
    """Keep a setting, and log it; where it is to be used again it ends an earlier one of the same check and device.

    Raises
    ------
    ConfigurationError
        If nobody or no reason is named, or a setting that is to be used again has no device.
    """
    cleaner = Cleaner()
    if not who.strip() or not why.strip():
        raise ConfigurationError("what is set by hand needs a name and a reason")
    if again and device_id is None:
        raise ConfigurationError("what is to be used again needs the device it holds for")
    at = now(connection)
    if again:
        _end(connection, device_id, check, at)
    values = {
        "device_id": device_id, "study_uid": study_uid, "check": check, "parameters": dict(parameters), "who": cleaner.text(who.strip()),
        "at": at, "why": cleaner.text(why.strip()), "again": again,
    }  # fmt: skip
    number = connection.execute(sa.insert(t.by_hand).values(**values).returning(t.by_hand.c.id)).scalar_one()
    subject = f"device:{device_id}" if device_id is not None else f"study:{study_uid}"
    audit.log(connection, who, "by_hand.set", subject, None, {"check": check, "again": again, **values["parameters"]}, why)
    return int(number)


def forget(connection: Connection, device_id: int, check: str, who: str, why: str) -> int:
    """Use what was set for a check no more in the automatic runs of a device; return how many settings that ended."""
    active = [one for one in settings(connection, device_id) if one.check == check and one.again and one.ended_at is None]
    if active:
        _end(connection, device_id, check, now(connection))
        audit.log(connection, who, "by_hand.forget", f"device:{device_id}", {"check": check, **active[-1].parameters}, None, why)
    return len(active)


def forget_study(connection: Connection, study_uid: str, device_id: int | None, who: str, why: str) -> None:
    """Note that a study is measured without what was set by hand for it; end what automatic runs of a device use, where one is named.

    Raises
    ------
    ConfigurationError
        If nobody or no reason is named.
    """
    if not who.strip() or not why.strip():
        raise ConfigurationError("what is no longer set by hand needs a name and a reason")
    before = {one.check: one.parameters for one in of_newest(connection, study_uid)}
    audit.log(connection, who, "by_hand.forget", f"study:{study_uid}", before, None, why)
    active = settings(connection, device_id) if device_id is not None else []
    for check in {one.check for one in active if one.again and one.ended_at is None}:
        forget(connection, device_id, check, who, why)  # type: ignore[arg-type]


def _end(connection: Connection, device_id: int | None, check: str, at: datetime) -> None:
    same = sa.and_(
        t.by_hand.c.device_id.in_(_ours(device_id)), t.by_hand.c.check == check, t.by_hand.c.again, t.by_hand.c.ended_at.is_(None)
    )
    connection.execute(sa.update(t.by_hand).where(same).values(ended_at=at))


def _ours(device_id: int | None) -> sa.Select[tuple[int]]:
    """Select a device and those merged into it."""
    return sa.select(t.device.c.id).where(sa.or_(t.device.c.id == device_id, t.device.c.merged_into == device_id))


def settings(connection: Connection, device_id: int | None = None) -> list[ByHand]:
    """Return the settings, oldest first: of one device with those merged into it, or all."""
    return _found(connection, sa.true() if device_id is None else t.by_hand.c.device_id.in_(_ours(device_id)))


def of_study(connection: Connection, study_id: int) -> list[ByHand]:
    """Return the settings that a revision of a study was measured with, or waits to be measured with."""
    marks = connection.execute(sa.select(t.work.c.parameters_hash).where(t.work.c.study_id == study_id)).scalars()
    return some(connection, {one for mark in marks for one in numbers(mark)})


def of_newest(connection: Connection, study_uid: str) -> list[ByHand]:
    """Return the settings that the newest revision of a study was measured with, or waits to be measured with."""
    newest = connection.execute(sa.select(sa.func.max(t.study.c.id)).where(t.study.c.study_uid == study_uid)).scalar()
    return of_study(connection, newest) if newest is not None else []


def some(connection: Connection, wanted: Iterable[int]) -> list[ByHand]:
    """Return settings by their numbers, oldest first."""
    return _found(connection, t.by_hand.c.id.in_(list(wanted)))


def _found(connection: Connection, condition: sa.ColumnElement[bool]) -> list[ByHand]:
    rows = connection.execute(sa.select(t.by_hand).where(condition).order_by(t.by_hand.c.id))
    return [ByHand(*(getattr(row, name) for name in ByHand.__dataclass_fields__)) for row in rows]
