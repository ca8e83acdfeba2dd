"""Test sheets: what people measure or look at themselves. Entries go where results of images go: ledger, limits, charts, sign-off.

A sheet is a list of items with limits. A changed sheet is a new version; what was entered keeps the one it was entered with. An entry is
stored as a study of one series (class ``sheet:NAME``) whose measurements are its items; a repeated entry supersedes the one before, with
a reason, and both stay to be read.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from qc.criteria import Criterion
from qc.errors import ConfigurationError
from qc.results import Status, worst
from reports.store import audit, decisions
from reports.store import desk_schema as d
from reports.store import schema as t
from reports.store.clean import Cleaner
from reports.store.connect import insert, now

KINDS = ("number", "choice", "pass_fail", "text")
LEVELS = ("action_low", "tolerance_low", "tolerance_high", "action_high")
MOST_ITEMS = 60
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)?(?:[eE][+-]?\d+)?")


@dataclass(frozen=True)
class Filled:
    """An entry that was stored."""

    entry: int
    study: int
    status: Status


# -- sheets -----------------------------------------------------------------------------------------------------


def define(
    connection: Connection, name: str, title: str, items: Sequence[Mapping[str, Any]], who: str, *, device_id: int | None = None,
    modality: str | None = None, every_days: int | None = None, weekdays: str = "0123456",
) -> int:  # fmt: skip
    """Make a sheet, or a new version of it; older versions are asked for no more. Return its number.

    Parameters
    ----------
    items
        ``key, title, kind`` (`KINDS`), and ``unit``, ``required``, the four levels (numbers), ``choices``: [[text, status], ...].

    Raises
    ------
    ConfigurationError
        All problems at once.
    """
    checked, problems = _checked(items)
    if not _NAME.fullmatch(name):
        problems.append(f"{name!r} will not do as the short name of a sheet: a to z, 0 to 9 and _, the first a letter, at most 40")
    if not title.strip():
        problems.append("the sheet needs a title")
    if every_days is not None and not 1 <= every_days <= 3660:
        problems.append("a sheet is due every 1 to 3660 days, or never by itself")
    if not weekdays or not set(weekdays) <= set("0123456"):
        problems.append("choose at least one day of the week")
    if problems:
        raise ConfigurationError(problems)
    before = connection.execute(sa.select(d.sheet).where(d.sheet.c.name == name).order_by(d.sheet.c.version.desc()).limit(1)).first()
    old = {item["key"]: item for item in before._mapping["items"]} if before is not None else {}
    for item in checked:  # the chart of an item goes on while what is measured stays the same
        same = old.get(item["key"])
        item["version"] = 1 if same is None else same["version"] + ((same["kind"], same["unit"]) != (item["kind"], item["unit"]))
    values = {"name": name, "title": Cleaner().text(title.strip()), "device_id": device_id, "modality": modality or None, "items": checked}
    values |= {"every_days": every_days, "weekdays": "".join(sorted(set(weekdays))), "version": 1 if before is None else before.version + 1}
    connection.execute(sa.update(d.sheet).where(d.sheet.c.name == name).values(active=False))
    row = sa.insert(d.sheet).values(**values, active=True, created_at=now(connection), created_by=who).returning(d.sheet.c.id)
    number = int(connection.execute(row).scalar_one())
    told = {key: value for key, value in values.items() if key != "name"}
    audit.log(connection, who, "sheet.define", f"sheet:{name}", None if before is None else {"version": before.version}, told)
    return number


def retire(connection: Connection, name: str, who: str, why: str) -> None:
    """Ask for a sheet no more; its entries stay."""
    if not why.strip():
        raise ConfigurationError("say why the sheet is asked for no more")
    if not connection.execute(sa.update(d.sheet).where(d.sheet.c.name == name, d.sheet.c.active).values(active=False)).rowcount:
        raise ConfigurationError(f"there is no sheet {name!r} in use")
    audit.log(connection, who, "sheet.retire", f"sheet:{name}", why=why)


def active(connection: Connection) -> list[Row]:
    """Return the sheets in use, by title."""
    return list(connection.execute(sa.select(d.sheet).where(d.sheet.c.active).order_by(d.sheet.c.title)))


def newest(connection: Connection) -> int:
    """Return the number of the newest sheet; 0 where there is none."""
    return int(connection.execute(sa.select(sa.func.max(d.sheet.c.id))).scalar() or 0)


def titles(connection: Connection) -> dict[str, str]:
    """Return what the metrics of all sheets are called."""
    rows = connection.execute(sa.select(d.sheet.c.name, d.sheet.c["items"]).order_by(d.sheet.c.id))
    return {f"sheet.{row.name}.{item['key']}": item["title"] for row in rows for item in row._mapping["items"]}


def one(connection: Connection, number: int) -> Row:
    """Return a sheet."""
    row = connection.execute(sa.select(d.sheet).where(d.sheet.c.id == number)).first()
    if row is None:
        raise ConfigurationError(f"there is no test sheet {number}")
    return row


def _checked(items: Sequence[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return items as they are stored, and what is wrong with them."""
    problems = [] if 1 <= len(items) <= MOST_ITEMS else [f"a sheet has 1 to {MOST_ITEMS} items; this one has {len(items)}"]
    checked: list[dict[str, Any]] = []
    for place, item in enumerate(items, start=1):
        key, kind = str(item.get("key", "")), item.get("kind")
        made: dict[str, Any] = {"key": key, "title": str(item.get("title", "")).strip(), "kind": kind, "unit": str(item.get("unit") or "1")}
        made["required"] = bool(item.get("required", True))
        if not _NAME.fullmatch(key) or key in [one["key"] for one in checked]:
            problems.append(f"item {place}: the short name {key!r} must be a to z, 0 to 9 and _, and each stands once")
        if not made["title"] or kind not in KINDS:
            problems.append(f"item {place}: needs a title, and a kind out of {', '.join(KINDS)}")
        levels = {level: item.get(level) for level in LEVELS}
        given = [value for value in levels.values() if value is not None]
        if given != sorted(given) or (given and kind != "number"):
            problems.append(f"item {place}: limits belong to numbers and must rise: action low, tolerance low, tolerance high, action high")
        choices = [[str(text).strip(), str(status)] for text, status in item.get("choices") or ()]
        if kind == "choice" and (len(choices) < 2 or not {status for _, status in choices} <= {"pass", "warn", "fail", "info"}):
            problems.append(f"item {place}: a choice has at least two answers, each with a status: pass, warn, fail or info")
        checked.append({**made, **levels, "choices": choices if kind == "choice" else []})
    return checked, problems


# -- entries ----------------------------------------------------------------------------------------------------


def fill_in(
    connection: Connection, sheet: Row, device_id: int | None, day: date, clock: str, zone: str, values: Mapping[str, str], who: str,
    *, note: str = "", origin: str = "desk", supersedes: int | None = None, why: str = "",
) -> Filled:  # fmt: skip
    """Store what somebody entered.

    Parameters
    ----------
    values
        By key of the item, as typed: decimal point or comma.
    supersedes
        Number of the entry that this one repeats; `why` says what was wrong with it.

    Raises
    ------
    ConfigurationError
        All problems at once, in words that name the item.
    """
    results, problems = _judged(sheet, values)
    if supersedes is not None and not why.strip():
        problems.append("say why the entry is repeated")
    if problems:
        raise ConfigurationError(problems)
    at = now(connection)
    uid = f"2.25.{uuid.uuid4().int}"
    status = worst([one["status"] for one in results])
    study_id, series_id = _study(connection, sheet, uid, device_id, day, clock, zone, at, status)
    common = {"study_id": study_id, "series_id": series_id, "level": "series", "series_uid": f"{uid}.1", "evidence": []}
    for result in results:
        row = {key: value for key, value in result.items() if key != "status"} | {"status": str(result["status"])}
        connection.execute(sa.insert(t.measurement).values(**common, **row))
        if result["value"] is not None and device_id is not None:
            _chart(connection, sheet, device_id, day, clock, uid, row)
    entry = {"sheet_id": sheet.id, "device_id": device_id, "study_id": study_id, "day": day, "at": at, "who": who}
    entry |= {"note": Cleaner().text(note.strip()), "origin": origin}
    number = int(connection.execute(sa.insert(d.sheet_entry).values(**entry).returning(d.sheet_entry.c.id)).scalar_one())
    if supersedes is not None:
        _supersede(connection, supersedes, number, f"{uid}.1", at, who, why)
    told = {"entry": number, "version": sheet.version, "day": day.isoformat(), "status": str(status), "origin": origin}
    audit.log(connection, who, "sheet.enter", f"sheet:{sheet.name}", None, told, note)
    return Filled(number, study_id, status)


def entries(connection: Connection, name: str, limit: int = 100) -> list[Row]:
    """Return entries of a sheet, all its versions, newest first, with the status that each got."""
    columns = (d.sheet_entry, d.sheet.c.version, t.study.c.status, t.study.c.local_time, t.study.c.study_uid, t.device.c.alias)
    joined = d.sheet_entry.join(d.sheet, d.sheet.c.id == d.sheet_entry.c.sheet_id).join(t.study, t.study.c.id == d.sheet_entry.c.study_id)
    joined = joined.outerjoin(t.device, t.device.c.id == d.sheet_entry.c.device_id)
    chosen = sa.select(*columns).select_from(joined).where(d.sheet.c.name == name)
    return list(connection.execute(chosen.order_by(d.sheet_entry.c.day.desc(), d.sheet_entry.c.id.desc()).limit(limit)))


def entry_of(connection: Connection, study_id: int) -> Row | None:
    """Return the entry that a study stands for, with its sheet; None where it is no entry."""
    columns = (d.sheet_entry, d.sheet.c.name, d.sheet.c.title, d.sheet.c.version)
    chosen = sa.select(*columns).join_from(d.sheet_entry, d.sheet, d.sheet.c.id == d.sheet_entry.c.sheet_id)
    return connection.execute(chosen.where(d.sheet_entry.c.study_id == study_id)).first()


def done_days(connection: Connection, name: str, device_id: int | None, since: date) -> list[date]:
    """Return the days on which a sheet was filled in for a device (None: for any)."""
    wanted = [d.sheet.c.name == name, d.sheet_entry.c.superseded_by.is_(None), d.sheet_entry.c.day >= since]
    wanted += [d.sheet_entry.c.device_id == device_id] if device_id is not None else []
    joined = d.sheet_entry.join(d.sheet, d.sheet.c.id == d.sheet_entry.c.sheet_id)
    return list(connection.execute(sa.select(d.sheet_entry.c.day).select_from(joined).where(*wanted).distinct()).scalars())


def _judged(sheet: Row, values: Mapping[str, str]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the items as measurements with their verdicts, and what is wrong with what was typed."""
    results, problems = [], []
    for item in sheet._mapping["items"]:
        text = Cleaner().text(values.get(item["key"], "").strip())[:500]
        result: dict[str, Any] = {
            "metric": f"sheet.{sheet.name}.{item['key']}", "region": "", "unit": item["unit"], "value": None, "uncertainty": None,
            "reason": None, "method": f"sheet.{sheet.name}.{item['key']}/{item['version']}", "limits": None, "criteria": None,
            "details": {"title": item["title"], "entered": text}, "status": Status.INFO,
        }  # fmt: skip
        if not text:
            if item["required"]:
                problems.append(f"{item['title']}: nothing was entered")
            continue
        if item["kind"] == "number":
            problem = _number(sheet, item, text, result)
            problems += [problem] if problem else []
        elif item["kind"] != "text":
            known = dict(item["choices"]) if item["kind"] == "choice" else {"pass": "pass", "fail": "fail"}
            if text in known:
                result |= {"status": Status(known[text]), "reason": "entered_as_text"}
            else:
                problems.append(f"{item['title']}: {text!r} is no answer; allowed are {', '.join(known)}")
        else:
            result |= {"reason": "entered_as_text"}
        results.append(result)
    return results, problems


def _number(sheet: Row, item: Mapping[str, Any], text: str, result: dict[str, Any]) -> str:
    """Put a typed number and its verdict into a result; return what is wrong with it."""
    if not _NUMBER.fullmatch(text):
        return f"{item['title']}: {text!r} is not a number; write 12.5 or 12,5"
    value = float(text.replace(",", "."))
    levels = {level: item[level] for level in LEVELS}
    result["value"] = value
    if any(level is not None for level in levels.values()):
        origin = {"edition": f"version {sheet.version}", "provenance": f"test sheet {sheet.title}", "confidence": "site"}
        criterion = Criterion(result["metric"], **origin, **levels)
        result |= {"status": criterion.status(value), "limits": criterion.limits(), "criteria": {"set": f"sheet {sheet.name}", **origin}}
    return ""


def _study(
    connection: Connection, sheet: Row, uid: str, device_id: int | None, day: date, clock: str, zone: str, at: datetime, status: Status
) -> tuple[int, int]:
    study = {
        "study_uid": uid, "revision": 1, "fingerprint": uid, "files": 0, "created_at": at, "done_at": at, "status": str(status), "day": day,
        "day_from": "entered", "local_time": clock or None, "zone": zone, "description": sheet.title,
    }  # fmt: skip
    study_id = int(connection.execute(sa.insert(t.study).values(**study).returning(t.study.c.id)).scalar_one())
    device = connection.execute(sa.select(t.device.c.modality).where(t.device.c.id == device_id)).first() if device_id else None
    series = {
        "study_id": study_id, "device_id": device_id, "series_uid": f"{uid}.1", "number": 1, "description": sheet.title,
        "class": f"sheet:{sheet.name}", "modality": device.modality if device else sheet.modality, "local_time": clock or None,
        "instances": 0, "frames": 0, "status": str(status),
    }  # fmt: skip
    return study_id, int(connection.execute(sa.insert(t.series).values(**series).returning(t.series.c.id)).scalar_one())


def _chart(connection: Connection, sheet: Row, device_id: int, day: date, clock: str, uid: str, row: Mapping[str, Any]) -> None:
    """Put a number on its chart; `measurement_id` stays empty, which says that a person typed it in."""
    key = {"device_id": device_id, "class": f"sheet:{sheet.name}", "coil": "", "protocol": ""}
    key |= {name: row[name] for name in ("metric", "region", "method", "unit")}
    connection.execute(insert(connection, t.chart).values(**key).on_conflict_do_nothing())
    chart = connection.execute(sa.select(t.chart.c.id).where(*(t.chart.c[name] == value for name, value in key.items()))).scalar_one()
    point = {"chart_id": chart, "day": day, "local_time": clock or "", "study_uid": uid, "series_uid": f"{uid}.1"}
    connection.execute(sa.insert(t.trend_point).values(**point, value=row["value"], status=row["status"]))


def _supersede(connection: Connection, old: int, new: int, new_series: str, at: datetime, who: str, why: str) -> None:
    row = connection.execute(sa.select(d.sheet_entry).where(d.sheet_entry.c.id == old)).first()
    if row is None or row.superseded_by is not None:
        raise ConfigurationError(f"there is no entry {old} that could be repeated")
    connection.execute(
        sa.update(d.sheet_entry).where(d.sheet_entry.c.id == old).values(superseded_by=new, superseded_why=Cleaner().text(why.strip()))
    )
    connection.execute(sa.update(t.study).where(t.study.c.id == row.study_id).values(superseded_at=at))
    series = connection.execute(sa.select(t.series.c.series_uid).where(t.series.c.study_id == row.study_id)).scalar_one()
    charted = sa.select(sa.func.count(t.trend_point.c.series_uid.distinct())).where(t.trend_point.c.series_uid.in_((series, new_series)))
    if connection.execute(charted).scalar_one() == 2:
        decisions.replace_scan(connection, series, new_series, who, why)
    audit.log(connection, who, "sheet.supersede", f"entry:{old}", None, {"by": new}, why)
