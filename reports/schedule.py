"""When a test is due: pure functions on days. What is done more often than asked for raises no question."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from qc.errors import ConfigurationError

EVERY_DAY = frozenset(range(7))


@dataclass(frozen=True)
class Schedule:
    """How often a test is to be done.

    Attributes
    ----------
    every_days
        Days from one test to the next; 1: on every test day.
    weekdays
        Days of the week on which it can be asked for; 0 is Monday.
    holidays
        Days on which nothing is asked for.
    """

    every_days: int
    weekdays: frozenset[int] = EVERY_DAY
    holidays: frozenset[date] = frozenset()

    def __post_init__(self) -> None:
        if self.every_days < 1 or not self.weekdays or not self.weekdays <= EVERY_DAY:
            raise ConfigurationError("a test is due every 1 or more days, on at least one day of the week (0 is Monday, 6 Sunday)")

    def is_test_day(self, day: date) -> bool:
        """Tell whether the test can be asked for on a day.

        >>> Schedule(1, frozenset(range(5))).is_test_day(date(2026, 11, 28))  # a Saturday
        False
        """
        return day.weekday() in self.weekdays and day not in self.holidays

    def due(self, last: date | None, since: date) -> date:
        """Return the day on which the next test is due.

        Parameters
        ----------
        last
            Day of the last test; None: there was none.
        since
            The test is asked for from this day on.

        >>> Schedule(1, frozenset(range(5))).due(date(2026, 11, 27), date(2026, 1, 1))  # done on Friday
        datetime.date(2026, 11, 30)
        """
        day = since if last is None else max(since, last + timedelta(days=self.every_days))
        while not self.is_test_day(day):
            day += timedelta(days=1)
        return day

    def missing(self, done: Collection[date], first: date, last: date) -> list[date]:
        """Return the days from `first` to `last` on which a test was due and was not done; a missed one is missed once.

        A test of every 7 days that is 3 days late was due on one day; from the day it is done, the next 7 days count.
        """
        return list(self._missing(sorted(set(done)), first, last))

    def _missing(self, done: list[date], first: date, last: date) -> Iterator[date]:
        before = [day for day in done if day < first]
        due = self.due(before[-1] if before else None, first)
        coming = iter([day for day in done if day >= first])
        nearest = next(coming, None)
        while due <= last:
            while nearest is not None and nearest < due:  # more often than asked for
                if self.every_days > 1:
                    due = max(due, self.due(nearest, first))
                nearest = next(coming, None)
            if due > last:
                return
            if nearest == due:
                due = self.due(due, first)
                continue
            yield due
            if self.every_days == 1:
                due = self.due(due, first)
            elif nearest is None or nearest > last:
                return
            else:
                due = self.due(nearest, first)
