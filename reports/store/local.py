"""Local days and times: when a study was acquired, as the people at the scanner would say it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from qc.errors import ConfigurationError

# date and the time that belongs to it, in order of preference
_WHEN = (("StudyDate", "StudyTime"), ("AcquisitionDate", "AcquisitionTime"), ("SeriesDate", "SeriesTime"), ("ContentDate", "ContentTime"))
FIRST_SEEN = "first seen"
PLACEHOLDER_YEAR = 1900  # 19000101, 17530101 and 00010101 are what software writes that knows no date
_DATE = re.compile(r"(\d{4})[.-]?(\d{2})[.-]?(\d{2})")
_TIME = re.compile(r"(\d{2}):?(\d{2})?:?(\d{2})?(?:\.\d*)?")
_OFFSET = re.compile(r"([+-])(\d{2})(\d{2})")


@dataclass(frozen=True)
class Moment:
    """When a study was acquired.

    Attributes
    ----------
    day_from
        The attribute that gave the day, or ``first seen`` where none was believable.
    local_time
        ``HH:MM:SS``, or None.
    zone
        Name or offset of the zone that day and time are in.
    at
        The same moment, aware UTC; None where the time of day is unknown.
    """

    day: date
    day_from: str
    local_time: str | None
    zone: str
    at: datetime | None


def zone_of(name: str | None) -> tzinfo | None:
    """Return the zone of the site; None stands for the zone of the machine.

    Raises
    ------
    ConfigurationError
        If there is no such zone.
    """
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigurationError(f"site.timezone is {name!r}: no such time zone; use a name like Europe/Vienna") from error


def moment(get: Callable[[str], Any], seen_at: datetime, site: tzinfo | None) -> Moment:
    """Work out when a study was acquired.

    Parameters
    ----------
    get
        Gives header values of the study by keyword.
    seen_at
        When it was first seen (aware). A day in the future of that is not believed, and neither is a placeholder: in the report
        of such a day nobody would ever read of the study.
    site
        Zone of the site where the header names none.
    """
    zone = offset(get) or site
    seen = seen_at.astimezone(zone)
    for date_keyword, time_keyword in _WHEN:
        day = parse_date(get(date_keyword))
        if day is None or day.year <= PLACEHOLDER_YEAR or day > seen.date() + timedelta(days=1):
            continue
        clock = parse_time(get(time_keyword))
        there = datetime.combine(day, clock or time(12))
        there = there.replace(tzinfo=zone) if zone else there.astimezone()
        return Moment(day, date_keyword, clock.isoformat() if clock else None, zone_name(there), there.astimezone(UTC) if clock else None)
    return Moment(seen.date(), FIRST_SEEN, None, zone_name(seen), None)


def parse_date(value: Any) -> date | None:
    """Return a DICOM date (DA), None where it is none."""
    match = _DATE.fullmatch(str(value).strip()) if value else None
    try:
        return date(*(int(part) for part in match.groups())) if match else None
    except ValueError:
        return None


def parse_time(value: Any) -> time | None:
    """Return a DICOM time (TM) to the second, None where it is none."""
    match = _TIME.fullmatch(str(value).strip()) if value else None
    try:
        return time(int(match[1]), int(match[2] or 0), min(int(match[3] or 0), 59)) if match else None
    except ValueError:
        return None


def zone_name(moment: datetime) -> str:
    """Return a zone as people write it: its name, else UTC+01:00."""
    key = getattr(moment.tzinfo, "key", None)
    if key:
        return str(key)
    ahead = moment.utcoffset() or timedelta()
    return str(timezone(ahead)) if ahead else "UTC"


def offset(get: Callable[[str], Any]) -> tzinfo | None:
    """Return the zone that the headers of a study name, None where they name none."""
    value = get("TimezoneOffsetFromUTC")
    match = _OFFSET.fullmatch(str(value).strip()) if value else None
    if not match or int(match[2]) > 14 or int(match[3]) > 59:
        return None
    ahead = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return timezone(-ahead if match[1] == "-" else ahead)
