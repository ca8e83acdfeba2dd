"""What people set by hand in phantom tests: kept for good, and used again where they said so.

A later setting of the same test on the same device takes the place of an earlier one; nothing is deleted, and each change writes a
row of the audit log in its transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
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
    wanted = sa.select(t.by_hand).order_by(t.by_hand.c.id)
    if device_id is not None:
        wanted = wanted.where(t.by_hand.c.device_id.in_(_ours(device_id)))
    return [ByHand(*(getattr(row, name) for name in ByHand.__dataclass_fields__)) for row in connection.execute(wanted)]
