"""What people change: the names, limits and merging of devices. Each change writes a row of the audit log in its transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from qc import criteria
from qc.errors import ConfigurationError
from reports.store import audit
from reports.store import schema as t

LONGEST = 80  # characters of a name


def rename(connection: Connection, device_id: int, alias: str, who: str, why: str) -> None:
    """Give a device another name. Whoever names it has looked at it, so it is no longer new."""
    row = _device(connection, device_id)
    name = " ".join(alias.split())
    taken = connection.execute(sa.select(t.device.c.id, t.device.c.alias).where(t.device.c.id != device_id)).all()
    if not name or len(name) > LONGEST or not name.isprintable():
        raise ConfigurationError(f"the name of a device must have 1 to {LONGEST} printable characters; got {alias!r}")
    same = [one.id for one in taken if one.alias.casefold() == name.casefold()]
    if same:
        raise ConfigurationError(f"device {same[0]} is called {name!r} already; reports count by name, so each has its own")
    _change(connection, row, "device.rename", {"alias": name, "reviewed": True}, who, why)


def merge(connection: Connection, device_id: int, into: int | None, who: str, why: str) -> None:
    """Say that a device is really another one, for its past and future series; None takes that back."""
    row = _device(connection, device_id)
    if into is not None:
        target = _device(connection, into)
        if into == device_id:
            raise ConfigurationError(f"device {device_id} cannot be merged into itself")
        if target.merged_into is not None:
            raise ConfigurationError(f"device {into} is itself merged into {target.merged_into}; merge into that one")
        for follower in connection.execute(sa.select(t.device).where(t.device.c.merged_into == device_id).order_by(t.device.c.id)).all():
            _change(connection, follower, "device.merge", {"merged_into": into}, who, why)
    _change(connection, row, "device.merge", {"merged_into": into}, who, why)


def set_criteria(connection: Connection, device_id: int, names: Sequence[str], who: str, why: str) -> None:
    """Choose the criteria sets that a device is judged by; none: those of the site. What was judged already stays."""
    row = _device(connection, device_id)
    if names:
        criteria.load(tuple(names))  # a name that is not there would stop every later run
    _change(connection, row, "device.criteria", {"criteria": list(names)}, who, why)


def review(connection: Connection, device_id: int, who: str) -> None:
    """Confirm a new device."""
    _change(connection, _device(connection, device_id), "device.review", {"reviewed": True}, who, "")


def _device(connection: Connection, device_id: int) -> Row:
    row = connection.execute(sa.select(t.device).where(t.device.c.id == device_id).with_for_update()).first()
    if row is None:
        raise ConfigurationError(f"there is no device {device_id}")
    return row


def _change(connection: Connection, row: Row, what: str, values: dict[str, Any], who: str, why: str) -> None:
    """Change a device and log it; what is so already is not logged again."""
    before = {name: getattr(row, name) for name in values}
    if before == values:
        return
    connection.execute(sa.update(t.device).where(t.device.c.id == row.id).values(**values))
    audit.log(connection, who, what, f"device:{row.id}", before, values, why)
