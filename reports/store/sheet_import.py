"""Earlier years of a test sheet from a CSV file: all rows or none, and every problem with its line."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from datetime import date

from sqlalchemy.engine import Connection, Row

from qc.errors import ConfigurationError
from reports.store import audit, sheets
from reports.store.clean import file_name

MOST_ROWS = 20_000
SHOWN = 20  # problems that are told
OWN = ("day", "time", "device", "note")
_GERMAN = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(:[0-5]\d)?")


def read(
    connection: Connection, sheet: Row, text: str, name: str, devices: Mapping[str, int], device_id: int | None, zone: str, who: str
) -> int:
    """Store the rows of a CSV file as entries of a sheet; return how many.

    The first line names the columns: ``day`` (2024-11-25 or 25.11.2024), the short names of the items, and if wanted ``time``, ``device``,
    ``note``. Fields are parted by comma, semicolon or tab.

    Parameters
    ----------
    name
        Of the file; kept with every entry.
    devices
        Ids by name in small letters, for the column ``device``.
    device_id
        The device of rows that name none.

    Raises
    ------
    ConfigurationError
        All problems, with their lines; nothing is stored then.
    """
    rows = _rows(text, sheet)
    problems: list[str] = []
    shown = file_name(name)[:80] or "file"
    for line, row in rows:
        try:
            device = device_id
            if row.get("device"):
                device = devices.get(row["device"].casefold())
                if device is None:
                    raise ConfigurationError(f"there is no device {row['device']!r}")
            values = {key: value for key, value in row.items() if key not in OWN}
            clock = _clock(row.get("time", ""))
            sheets.fill_in(
                connection,
                sheet,
                device,
                _day(row["day"]),
                clock,
                zone,
                values,
                who,
                note=row.get("note", ""),
                origin=f"{shown}, line {line}",
            )
        except ConfigurationError as error:
            problems += [f"line {line}: {one}" for one in error.problems]
    if problems:
        more = [f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
        raise ConfigurationError(problems[:SHOWN] + more)
    audit.log(connection, who, "sheet.import", f"sheet:{sheet.name}", None, {"file": shown, "entries": len(rows)})
    return len(rows)


def _rows(text: str, sheet: Row) -> list[tuple[int, dict[str, str]]]:
    first = text.lstrip("\ufeff").partition("\n")[0]
    comma = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text.lstrip("\ufeff")), delimiter=comma)
    names = [name.strip().casefold() for name in next(reader, [])]
    known = {item["key"] for item in sheet._mapping["items"]}
    problems = [f"unknown column {name!r}; allowed are {', '.join([*OWN, *sorted(known)])}" for name in names if name not in known | {*OWN}]
    problems += ["the column day is missing"] if "day" not in names else []
    problems += ["a column stands twice"] if len(set(names)) < len(names) else []
    if problems:
        raise ConfigurationError(problems)
    rows = []
    for cells in reader:
        if any(cell.strip() for cell in cells):
            rows.append((reader.line_num, dict(zip(names, (cell.strip() for cell in cells), strict=False))))
        if len(rows) > MOST_ROWS:
            raise ConfigurationError(f"more than {MOST_ROWS} rows; cut the file in parts")
    if not rows:
        raise ConfigurationError("the file has no rows")
    return rows


def _day(text: str) -> date:
    match = _GERMAN.fullmatch(text)
    try:
        return date(*(int(match[n]) for n in (3, 2, 1))) if match else date.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(f"{text!r} is not a day; write 2024-11-25 or 25.11.2024") from error


def _clock(text: str) -> str:
    if not text:
        return ""
    match = _CLOCK.fullmatch(text)
    if not match:
        raise ConfigurationError(f"{text!r} is not a time of day; write 07:30")
    return f"{int(match[1]):02d}:{match[2]}:00"


def template(sheet: Row) -> str:
    """Return the first line of a file for a sheet."""
    return ",".join([*OWN, *(item["key"] for item in sheet._mapping["items"])]) + "\n"
