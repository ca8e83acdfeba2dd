"""Rows of results for the pages, by SQL and with a filter, as `reports.problems` reads them: a frame would cost a page its time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from reports import words
from reports.frames import LEVELS, ORIGIN, SERIES, STUDY
from reports.problems import Row
from reports.store import lookup
from reports.store import schema as t

_RESULT = ("id", "study_id", "status", "level", "series_uid", "instance_uid", "frame", "path", "details", "evidence")
_FINDING = (*_RESULT, "code", "message", "advice", "check")
_MEASUREMENT = (*_RESULT, "metric", "region", "value", "unit", "uncertainty", "reason", "method", "limits", "criteria")


def bad(table: sa.Table) -> sa.ColumnElement[bool]:
    """Condition on a table of results: those that somebody should look at."""
    return sa.text(f"{table.name}.status IN ('fail', 'error', 'warn')")  # type: ignore[return-value]


def studies(connection: Connection, condition: Any, limit: int | None = None) -> list[Row]:
    """Return studies with what they are called by; `devices` is filled in by `with_devices`."""
    columns = (*STUDY, *(t.study.c[name] for name in ("id", "revision", "status", "day_from", "done_at", "superseded_at", "files")))
    chosen = sa.select(*columns).where(condition).order_by(t.study.c.day, t.study.c.local_time, t.study.c.study_uid)
    return [{**row._mapping, "devices": "", "modalities": ""} for row in connection.execute(chosen.limit(limit))]


def with_devices(connection: Connection, rows: Sequence[Row], condition: Any) -> None:
    """Fill in which devices and modalities made the studies."""
    columns = (t.series.c.study_id, t.device.c.alias, t.series.c.modality)
    named = sa.select(*columns).select_from(lookup.with_device(t.series.join(t.study))).where(condition).distinct()
    found: dict[int, tuple[set[str], set[str]]] = {}
    for number, alias, modality in connection.execute(named):
        both = found.setdefault(number, (set(), set()))
        both[0].update(filter(None, (alias,)))
        both[1].update(filter(None, (modality,)))
    for row in rows:
        names, kinds = found.get(row["id"], (set(), set()))
        row["devices"], row["modalities"] = "; ".join(sorted(names)), "; ".join(sorted(kinds))


def findings(connection: Connection, condition: Any, limit: int | None = None) -> list[Row]:
    """Return findings, worst first."""
    return _worst_first(_results(connection, t.finding, _FINDING, condition, limit))


def measurements(connection: Connection, condition: Any, limit: int | None = None) -> list[Row]:
    """Return measurements with their limits and where those come from, worst first."""
    rows = _results(connection, t.measurement, _MEASUREMENT, condition, limit)
    for row in rows:
        limits, criteria = row.pop("limits") or {}, row.pop("criteria") or {}
        row.update((key, limits.get(key)) for key in LEVELS)
        row.update((f"criteria_{key}", criteria.get(key)) for key in ORIGIN)
    return _worst_first(rows)


def _results(connection: Connection, table: sa.Table, names: Sequence[str], condition: Any, limit: int | None) -> list[Row]:
    joined = lookup.with_device(
        table.join(t.study, t.study.c.id == table.c.study_id).outerjoin(t.series, t.series.c.id == table.c.series_id)
    )
    columns = (*STUDY, *SERIES, t.device.c.id.label("device_id"), *(table.c[name] for name in names))
    chosen = sa.select(*columns).select_from(joined).where(condition).order_by(table.c.id).limit(limit)
    return [dict(row._mapping) for row in connection.execute(chosen)]


def _worst_first(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: words.ORDER[row["status"]])
