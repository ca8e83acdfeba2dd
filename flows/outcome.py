"""What a person is told before and after a daily pass."""

from __future__ import annotations

import logging
import os
from datetime import date
from pathlib import Path

from flows import daily
from flows.daily import Tally
from flows.settings import Settings
from qc.errors import ConfigurationError
from qc.results import Status

log = logging.getLogger(__name__)

MOST_LISTED = 5


def check_data_folder(settings: Settings) -> None:
    """Make the data folder.

    Raises
    ------
    ConfigurationError
        If nothing can be written there.
    """
    folder = settings.data.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        allowed = os.access(folder, os.W_OK | os.X_OK)
        reason = "no permission"
    except OSError as error:
        allowed, reason = False, error.strerror or str(error)
    if not allowed:
        raise ConfigurationError(
            f"nothing can be written to the data folder {str(folder)!r} ({reason}); name another by --data or data.folder"
        )


def check_inbox(settings: Settings) -> None:
    """Say clearly where the inbox is missing or empty. The inbox of the data folder is made; another one must be there.

    Raises
    ------
    ConfigurationError
        If a named inbox is missing, or is no folder.
    """
    folder = settings.inbox_folder
    if settings.sources and settings.inbox.folder is None:
        return  # the images come from elsewhere
    if not folder.exists() and settings.inbox.folder is None:
        folder.mkdir(parents=True)
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "is not there"
        raise ConfigurationError(f"the inbox {str(folder)!r} {what}; name the folder that images arrive in by --inbox or inbox.folder")
    if not any(folder.iterdir()) and not settings.received_folder.is_dir():
        log.warning("the inbox %s is empty; put DICOM files or folders into it and run again", folder)


def in_words(tally: Tally, settings: Settings) -> str:
    """Return what a pass did, and where the report is."""
    lines = [f"Came in: {_count(tally.files, 'file')}, {_count(tally.studies, 'study', 'studies')} to check."]
    if tally.skipped:
        lines[0] += f" Set aside: {_count(tally.skipped, 'file')} that gave no image (reasons in the report)."
    if tally.checked:
        ordered = [f"{tally.statuses[status]} {status.value.replace('_', ' ')}" for status in Status if status in tally.statuses]
        lines.append(f"Checked: {_count(tally.checked, 'study', 'studies')}: {', '.join(ordered)}.")
    elif not tally.files:
        lines = ["Nothing new."]
    if tally.arriving:
        lines.append(f"Still arriving: {_count(tally.arriving, 'file')}; the next run takes them.")
    if tally.not_taken:
        lines.append(
            f"Left out by the settings: {_count(tally.not_taken, 'study', 'studies')} (`pacsqc intake --state not_taken` says why)."
        )
    if tally.incomplete:
        lines.append(
            f"Incomplete: {_count(tally.incomplete, 'study', 'studies')} (`pacsqc intake --state incomplete` names what is missing)."
        )
    if tally.unreachable:
        lines.append(f"Not reached: {_count(tally.unreachable, 'source')}; asked again in the next run (`pacsqc ping` tries now).")
    if tally.given_back:
        lines.append(f"Could not be checked now: {_count(tally.given_back, 'study', 'studies')}; they are tried again in the next run.")
    if tally.lost:
        lines.append(f"Taken over by another run: {_count(tally.lost, 'study', 'studies')}.")
    if tally.alerts:
        lines.append(f"Alerts sent: {tally.alerts}.")
    if tally.unsent:
        lines.append(f"Alerts that wait because they could not be sent: {tally.unsent} (`pacsqc alert list` says why).")
    if len(tally.days) > MOST_LISTED:
        lines.append(f"Reports: {len(tally.days)} days from {tally.days[0]} to {tally.days[-1]}, in {settings.reports_folder}")
    for day in tally.days[-1:] if len(tally.days) > MOST_LISTED else tally.days:
        lines.append(f"Report: {report_path(settings, day)}")
    return "\n".join(lines)


def report_path(settings: Settings, day: str) -> Path:
    """Return where the report of a day is."""
    return settings.reports_folder / f"daily-{day}.html"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def parse_day(text: str | None) -> date | None:
    """Read a day that a person wrote; None stays None.

    Raises
    ------
    ConfigurationError
        If it is no date.
    """
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(f"{text!r} is no date; write it as YYYY-MM-DD, e.g. 2026-11-25") from error


def write_report(settings: Settings, text: str | None) -> Path:
    """Write the report of a day (text as YYYY-MM-DD; None: the newest) and return where it is.

    Raises
    ------
    ConfigurationError
        If that is no date, or nothing is known of any day.
    """
    wanted = parse_day(text)
    with daily.open_for(settings) as store:
        days = store.days()
        if not days:
            raise ConfigurationError(f"there are no results in {settings.data.folder}; `pacsqc run` makes them")
        if wanted is None:
            wanted = days[-1]
        elif wanted not in days and wanted not in store.written_days():
            raise ConfigurationError(f"there are no studies of {wanted}; the days with studies are {days[0]} to {days[-1]}")
        return daily.write_report(store, settings, wanted)


def write_period(settings: Settings, week: str | None, month: str | None, *, parquet: bool = False) -> Path:
    """Write the report of a week or a month and return where it is.

    Raises
    ------
    ConfigurationError
        If that is no week or month.
    """
    from reports import period

    chosen = period.week(week) if week else period.month(month or "")
    with daily.open_for(settings) as store:
        return period.write(store, chosen, settings.reports_folder, site=settings.site.name, parquet=parquet)
