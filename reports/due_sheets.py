"""Which test sheets are expected on a day, and which were: done, missing, not due yet."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from sqlalchemy.engine import Connection, Row

from reports.schedule import Schedule
from reports.store import lookup, sheets
from reports.store.standing import Trouble

if TYPE_CHECKING:
    from reports.store import Store

KIND = "sheet_overdue"
BACK_DAYS = 400  # that are looked back for the last entry


@dataclass(frozen=True)
class Expected:
    """A sheet for a device.

    Attributes
    ----------
    due
        The day on which it is due, or was; None: it is never asked for by itself.
    """

    sheet: Row
    device_id: int | None
    device: str
    due: date | None
    last: date | None
    done: bool
    missing: tuple[date, ...] = ()

    def overdue(self, day: date) -> bool:
        """Tell whether it should have been done before a day."""
        return not self.done and self.due is not None and self.due < day


def on(connection: Connection, day: date, holidays: Collection[date], *, back: int = 0) -> list[Expected]:
    """Return every sheet in use for every device it is for, as things stood at the end of a day.

    Parameters
    ----------
    back
        Days up to `day` in which missed ones are looked for.
    """
    known = {one.id: one for one in lookup.devices(connection, by_day=True)}
    found = []
    for sheet in sheets.active(connection):
        for device_id in _devices(sheet, known.values()):
            days = sheets.done_days(connection, sheet.name, device_id, day - timedelta(days=BACK_DAYS))
            done = sorted(one for one in days if one <= day)
            last = done[-1] if done else None
            name = known[device_id].alias if device_id is not None else ""
            if sheet.every_days is None:
                found.append(Expected(sheet, device_id, name, None, last, last == day))
                continue
            schedule = Schedule(sheet.every_days, frozenset(int(one) for one in sheet.weekdays), frozenset(holidays))
            since = min([sheet.created_at.date(), *done])
            before = [one for one in done if one < day]
            due = schedule.due(before[-1] if before else None, since)
            first = max(since, day - timedelta(days=back))
            missing = tuple(schedule.missing(done, first, day - timedelta(days=1))) if back else ()
            found.append(Expected(sheet, device_id, name, due, last, last == day, missing))
    return found


def asked(some: Collection[Expected], day: date) -> list[Expected]:
    """Return those that are due on a day or before it, done or not; what is done on a day without being due is no question."""
    return [one for one in some if one.due is not None and one.due <= day]


def overdue(store: Store, today: date, holidays: Collection[date]) -> list[Trouble]:
    """Return the sheets that should have been filled in before today, as problems for the ledger of alerts."""
    with store.reading() as connection:
        found = [one for one in on(connection, today, holidays) if one.overdue(today)]
    return [
        Trouble(
            f"device:{one.device_id}" if one.device_id is not None else "site", f"{KIND}/{one.sheet.name}", "warn",
            f"{one.sheet.title}: due on {one.due}, not done", one.device or "any device", always=True,
        )
        for one in found
    ]  # fmt: skip


def _devices(sheet: Row, known: Collection[lookup.Device]) -> list[int | None]:
    if sheet.device_id is not None:
        return [sheet.device_id]
    if sheet.modality:
        return [one.id for one in known if one.merged_into is None and one.modality == sheet.modality]
    return [None]
