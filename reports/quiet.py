"""Quiet hours: when messages wait, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from qc.errors import ConfigurationError
from reports import words

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True)
class Quiet:
    """When messages wait.

    Attributes
    ----------
    start, end
        Local time of day; over midnight where `end` is the earlier one. None: no quiet hours.
    days
        Days of the week (0: Monday) that are quiet from midnight to midnight.
    breaks
        The mildest status that is sent all the same; empty: none is.
    """

    start: time | None = None
    end: time | None = None
    days: frozenset[int] = frozenset()
    breaks: str = ""

    def until(self, at: datetime, severity: str) -> datetime:
        """Return when a message may be sent: `at` (with the zone of the site), or the end of the quiet time that it falls into."""
        if self.breaks and words.ORDER[severity] <= words.ORDER[self.breaks]:
            return at
        moment = at
        for _ in range(16):  # a weekend with nights around it takes five steps
            end = self._end(moment)
            if end is None:
                break
            moment = end
        return moment

    def _end(self, at: datetime) -> datetime | None:
        """Return the end of the quiet time at a moment; None where it is not quiet."""
        if at.weekday() in self.days:
            return datetime.combine(at.date() + timedelta(days=1), time(), at.tzinfo)
        if self.start is None or self.end is None or self.start == self.end:
            return None
        clock = at.timetz().replace(tzinfo=None)
        if self.start < self.end:
            return datetime.combine(at.date(), self.end, at.tzinfo) if self.start <= clock < self.end else None
        if clock >= self.start:
            return datetime.combine(at.date() + timedelta(days=1), self.end, at.tzinfo)
        return datetime.combine(at.date(), self.end, at.tzinfo) if clock < self.end else None


ALWAYS = Quiet()


def parse(hours: str, days: tuple[str, ...] = (), breaks: str = "") -> Quiet:
    """Return the quiet time that settings describe: ``22:00-06:30``, (``sat``, ``sun``), ``fail``.

    Raises
    ------
    ConfigurationError
        If it cannot be read.
    """
    wrong = [day for day in days if day.lower() not in DAYS]
    if wrong:
        raise ConfigurationError(f"{wrong[0]!r} is no day of the week; allowed are {', '.join(DAYS)}")
    begin, dash, end = hours.replace(" ", "").partition("-")
    try:
        span = (time.fromisoformat(begin.zfill(5)), time.fromisoformat(end.zfill(5))) if hours.strip() else (None, None)
    except ValueError:
        span, dash = (None, None), ""
    if hours.strip() and not dash:
        raise ConfigurationError(f"quiet hours are {hours!r}; write them as 22:00-06:30")
    return Quiet(*span, frozenset(DAYS.index(day.lower()) for day in days), breaks)
