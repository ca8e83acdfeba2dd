"""Phantom tests that were expected on a day: by the days of the week and a calendar of holidays, against what was measured.

    MR1=acr_mri_large:mon-fri      MR*=acr_mri_large:tue,fri      CT2=ct_water:daily

A day with more tests than expected is no fault; one without is missing, once.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from qc.errors import ConfigurationError
from reports.quiet import DAYS
from reports.store import schema as t
from reports.store.standing import Trouble

if TYPE_CHECKING:
    from reports.store import Store

KIND = "phantom_missing"
LOOK_BACK = 14  # days within which the last expected day is looked for
_RULE = re.compile(r"\s*([^=]+?)\s*=\s*([\w.*:-]+?)\s*:\s*([a-z,\s-]+?)\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Rule:
    """On which days of the week (0: Monday) a phantom is expected on devices whose name fits a pattern."""

    device: str
    phantom: str
    weekdays: frozenset[int]

    def fits(self, alias: str) -> bool:
        """Tell whether the rule is meant for a device."""
        return fnmatch.fnmatchcase(alias.casefold(), self.device.casefold())

    @property
    def klass(self) -> str:
        """Class of the phantom series."""
        return self.phantom if self.phantom.startswith("phantom:") else f"phantom:{self.phantom}"


@dataclass(frozen=True, slots=True)
class Expected:
    """One expected test of a day, and whether it was done."""

    device_id: int
    device: str
    phantom: str
    done: bool


def parse(text: str) -> Rule:
    """Read a rule.

    Raises
    ------
    ConfigurationError
        If it cannot be read; says what is allowed.

    >>> sorted(parse("MR1=acr_mri_large:mon-wed,fri").weekdays)
    [0, 1, 2, 4]
    """
    match = _RULE.fullmatch(text)
    if not match:
        raise ConfigurationError(f"{text!r} is no rule for tests; write e.g. MR1=acr_mri_large:mon-fri")
    days: set[int] = set()
    for part in match[3].lower().replace(" ", "").split(","):
        first, _, last = part.partition("-")
        if part == "daily":
            days |= set(range(7))
        elif first in DAYS and (not last or last in DAYS):
            start, end = DAYS.index(first), DAYS.index(last or first)
            days |= {day % 7 for day in range(start, (end if end >= start else end + 7) + 1)}
        else:
            raise ConfigurationError(f"{text!r}: {part!r} is no day; allowed are {', '.join(DAYS)}, mon-fri, daily")
    return Rule(match[1], match[2], frozenset(days))


def expected_on(rules: Iterable[Rule], day: date, holidays: Iterable[date] = ()) -> list[Rule]:
    """Return the rules that expect a test on a day."""
    return [] if day in set(holidays) else [rule for rule in rules if day.weekday() in rule.weekdays]


def of_day(store: Store, rules: Sequence[Rule], day: date, holidays: Iterable[date] = ()) -> list[Expected]:
    """Return the tests that were expected on a day, in order of device."""
    wanted = expected_on(rules, day, holidays)
    if not wanted:
        return []
    done = _done(store, day, day)
    found = [
        Expected(number, alias, rule.phantom, any(fnmatch.fnmatchcase(klass, rule.klass) for klass in done.get((number, day), ())))
        for number, alias in _devices(store)
        for rule in wanted
        if rule.fits(alias)
    ]
    return sorted(found, key=lambda one: (one.device.casefold(), one.phantom))


def missing(store: Store, rules: Sequence[Rule], today: date, holidays: Iterable[date] = ()) -> list[Trouble]:
    """Return the tests whose last expected day before today went by without one, and that were not made up for since."""
    off = frozenset(holidays)
    done = _done(store, today - timedelta(days=LOOK_BACK), today)
    troubles = []
    for rule in rules:
        days = (today - timedelta(days=back) for back in range(1, LOOK_BACK + 1))
        last = next((day for day in days if expected_on([rule], day, off)), None)
        for number, alias in _devices(store) if last else ():
            later = [day for (device, day), some in done.items() if device == number and day >= last and _any(some, rule)]
            if rule.fits(alias) and not later:
                title = f"no test with {rule.phantom} on {last:%A} {last.isoformat()}: 0 of 1 expected"
                troubles.append(Trouble(f"device:{number}", f"{KIND}/{rule.phantom}", "warn", title, alias, always=True))
    return troubles


def _any(classes: Iterable[str], rule: Rule) -> bool:
    return any(fnmatch.fnmatchcase(klass, rule.klass) for klass in classes)


def _devices(store: Store) -> list[tuple[int, str]]:
    return [(one.id, one.alias) for one in store.devices() if one.merged_into is None]


def _done(store: Store, first: date, last: date) -> dict[tuple[int, date], set[str]]:
    """Return which phantoms gave values on which device and day."""
    m = t.daily_metric
    owner = sa.func.coalesce(t.device.c.merged_into, t.device.c.id)
    rows = sa.select(owner, m.c.day, m.c["class"]).select_from(m.join(t.device, t.device.c.id == m.c.device_id))
    rows = rows.where(m.c.day >= first, m.c.day <= last, m.c["class"].like("phantom:%"), m.c.n > 0).distinct()
    found: dict[tuple[int, date], set[str]] = {}
    with store.reading() as connection:
        for number, day, klass in connection.execute(rows):
            found.setdefault((number, day), set()).add(klass)
    return found
