"""Which device made a series: matched by serial number, then by station name; unknown ones are made and wait for review.

A device that is merged into another keeps its row, its series and its names, so that new images still find it and a merge can be
undone; whoever reads takes the other one in its place (`reports.store.lookup.with_device`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from reports.store import schema as t
from reports.store.clean import Cleaner
from reports.store.connect import insert, now

_NO_SERIAL = frozenset({"", "none", "unknown", "n/a", "na", "anonymous", "default"})


@dataclass(frozen=True)
class Equipment:
    """What the headers of a series say about the device."""

    modality: str = ""
    manufacturer: str = ""
    model: str = ""
    serial: str = ""
    station: str = ""
    institution: str = ""

    @property
    def has_serial(self) -> bool:
        """Tell whether the serial number is one: not a placeholder such as 0000."""
        plain = self.serial.casefold()
        return plain not in _NO_SERIAL and len(set(plain)) > 1

    def identity(self) -> str:
        """Return what tells this device from others; equal for two series of one device as far as the headers go."""
        if self.has_serial:
            parts = ("serial", self.manufacturer, self.serial)
        elif self.station:
            parts = ("station", self.modality, self.manufacturer, self.station)
        else:
            parts = ("nameless", self.modality, self.manufacturer, self.model)
        return hashlib.sha256("\x1f".join(_plain(part) for part in parts).encode()).hexdigest()[:32]


def equipment(get: Callable[[str], Any], cleaner: Cleaner) -> Equipment:
    """Return what headers say about the device; `get` gives a header value by keyword."""
    keywords = ("Modality", "Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "StationName", "InstitutionName")
    return Equipment(*(cleaner.text(get(keyword)).strip() for keyword in keywords))


class Devices:
    """The known devices, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows: list[Row] | None = None
        self._found: dict[Equipment, int] = {}

    def find(self, equipment: Equipment, day: date | None) -> int:
        """Return the id of the device, made if need be."""
        if equipment not in self._found:
            self._found[equipment] = self._find(equipment, day)
        return self._found[equipment]

    def known(self, equipment: Equipment, day: date | None) -> Row | None:
        """Return the device as people see it: the one it was merged into; None where it was never seen."""
        row = _match(self._all(), equipment, day)
        if row is not None and row.merged_into is not None:
            row = next(one for one in self._all() if one.id == row.merged_into)
        return row

    def _all(self) -> list[Row]:
        if self._rows is None:
            self._rows = list(self._connection.execute(sa.select(t.device).order_by(t.device.c.id)))
        return self._rows

    def _find(self, equipment: Equipment, day: date | None) -> int:
        row = _match(self._all(), equipment, day)
        if row is None:
            row = self._make(equipment, day)
        learned: dict[str, Any] = {}
        if equipment.station and equipment.station not in row.station_names:
            learned["station_names"] = [*row.station_names, equipment.station]
        if equipment.has_serial and not row.serial_number:
            learned["serial_number"] = equipment.serial
        if learned:
            self._connection.execute(sa.update(t.device).where(t.device.c.id == row.id).values(**learned))
            self._rows = None
        return int(row.id)

    def _make(self, equipment: Equipment, day: date | None) -> Row:
        name = equipment.station or equipment.model or "without station name"
        alias = name if name.upper().startswith(equipment.modality.upper()) else f"{equipment.modality} {name}"
        values = {
            "identity": equipment.identity(),
            "alias": _free_alias(alias, (row.alias for row in self._all())),
            "site": equipment.institution or None,
            "modality": equipment.modality or None,
            "manufacturer": equipment.manufacturer or None,
            "model": equipment.model or None,
            "serial_number": equipment.serial or None,
            "station_names": [equipment.station] if equipment.station else [],
            "ae_titles": [],
            "valid_from": day,
            "reviewed": False,
            "created_at": now(self._connection),
        }
        self._connection.execute(insert(self._connection, t.device).values(**values).on_conflict_do_nothing())
        self._rows = None
        return self._connection.execute(sa.select(t.device).where(t.device.c.identity == values["identity"])).one()


def _free_alias(alias: str, taken: Iterable[str]) -> str:
    """Return a name that no other device has: reports count by it."""
    used = {_plain(one) for one in taken}
    return next(name for name in (alias, *(f"{alias} ({n})" for n in range(2, len(used) + 3))) if _plain(name) not in used)


def _match(rows: list[Row], equipment: Equipment, day: date | None) -> Row | None:
    valid = [row for row in rows if _holds(row, day) and _agree(row.manufacturer, equipment.manufacturer)]
    if equipment.has_serial:
        for row in valid:
            if _plain(row.serial_number) == _plain(equipment.serial):
                return row
    if equipment.station:
        for row in valid:
            serials_differ = equipment.has_serial and row.serial_number and _plain(row.serial_number) != _plain(equipment.serial)
            same_name = _plain(equipment.station) in {_plain(name) for name in row.station_names}
            if same_name and _agree(row.modality, equipment.modality) and not serials_differ:
                return row
    return next((row for row in rows if row.identity == equipment.identity()), None)


def _holds(row: Row, day: date | None) -> bool:
    """Tell whether the row was in force on the day. Its first day is when it was first seen, so older studies are its own too."""
    return day is None or row.valid_to is None or day <= row.valid_to


def _agree(one: str | None, other: str | None) -> bool:
    """Two texts agree unless both are there and differ."""
    return not one or not other or _plain(one) == _plain(other)


def _plain(text: str | None) -> str:
    return " ".join((text or "").casefold().split())
