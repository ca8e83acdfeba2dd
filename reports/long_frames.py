"""Frames of more than a day: charts of phantom values, and periods out of the roll-ups. Like `reports.frames`, always with a filter.

Sums over days are made by the database; no frame here grows with the number of measurements.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from reports.frames import tabulate
from reports.store import lookup
from reports.store import schema as t
from reports.store.ledger import BATCH, batches

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy.engine import Connection

    from reports.store import Store

STATUSES = ("fail", "error", "warn", "not_evaluable")


def charts(store: Store, *, device_id: int | None = None, chart_id: int | None = None, day: date | None = None) -> pd.DataFrame:
    """Return the charts of phantom values: of a device, one, or those with a value on a day. Those of merged devices are one row.

    Columns: ``id, ids, device_id, device, klass, metric, region, method, coil, protocol, unit``.
    """
    import pandas as pd

    keys = ("class", "metric", "region", "method", "coil", "protocol", "unit")
    with store.reading() as connection:
        rows = sa.select(t.chart.c.id, t.device.c.id.label("device_id"), t.device.c.alias, *(t.chart.c[key] for key in keys))
        rows = rows.select_from(lookup.device_of(t.chart, t.chart.c.device_id)).order_by(t.device.c.alias, *keys, t.chart.c.id)
        if device_id is not None:
            rows = rows.where(t.device.c.id == device_id)
        found = connection.execute(rows).all()
        on_day = sa.select(t.trend_point.c.chart_id).where(t.trend_point.c.day == day).distinct()
        today = set(connection.execute(on_day).scalars()) if day else set()
    groups: dict[tuple[Any, ...], list[Any]] = {}
    for row in found:
        groups.setdefault(tuple(row)[1:], []).append(row.id)
    wanted = [
        (max(ids), ids, *key)
        for key, ids in groups.items()
        if (day is None or today.intersection(ids)) and (chart_id is None or chart_id in ids)
    ]
    return pd.DataFrame(wanted, columns=["id", "ids", "device_id", "device", "klass", *keys[1:]])


def trend_points(store: Store, ids: Sequence[int], first: date | None = None, last: date | None = None) -> pd.DataFrame:
    """Return the values of charts, those of each in order of time, with the reason for which it was left out or replaced, if it was.

    `chart` is the number that `charts` gives to the row which holds the chart.
    """
    import pandas as pd

    p = t.trend_point
    names = ("chart_id", "day", "local_time", "study_uid", "series_uid", "measurement_id", "value", "uncertainty", "status")
    within = ([] if first is None else [p.c.day >= first]) + ([] if last is None else [p.c.day <= last])
    out, gone = t.left_out, t.replaced_scan
    with store.reading() as connection:
        rows: list[Any] = []
        for some in batches(ids, BATCH):
            chosen = sa.select(*(p.c[name] for name in names)).where(p.c.chart_id.in_(some), *within)
            rows += connection.execute(chosen.order_by(p.c.chart_id, p.c.day, p.c.local_time, p.c.id)).tuples().all()
        left = {
            tuple(row)[:2]: row.why
            for row in connection.execute(sa.select(out.c.chart_id, out.c.series_uid, out.c.why).where(out.c.ended_at.is_(None)))
        }
        replaced = {row.series_uid: row.why for row in connection.execute(sa.select(gone).where(gone.c.ended_at.is_(None)))}
        merged = charts_of_merged(connection)
    if merged:  # charts that are read as one; else each is in order by itself
        rows.sort(key=lambda row: (row[1], row[2]))
    columns = [list(one) for one in zip(*rows, strict=True)] if rows else [[] for _ in names]
    # plain objects: frames of few rows are taken apart value by value
    frame = pd.DataFrame({name: pd.Series(one, dtype=_KINDS.get(name, object)) for name, one in zip(names, columns, strict=True)})
    frame["left_out"] = pd.Series([left.get(key) for key in zip(columns[0], columns[4], strict=True)], dtype=object)
    frame["replaced"] = pd.Series([replaced.get(uid) for uid in columns[4]], dtype=object)
    frame["chart"] = [merged.get(one, one) for one in columns[0]]
    return frame


_KINDS = {"value": "float64", "uncertainty": "float64", "chart_id": "int64"}


def limits_of(store: Store, measurement_ids: Sequence[Any]) -> dict[int, dict[str, float | None]]:
    """Return the limits that judged measurements, by measurement; those without limits are not among them."""
    ids = [int(one) for one in measurement_ids if one is not None and one == one]
    m = t.measurement
    with store.reading() as connection:
        rows = [row for some in batches(ids, BATCH) for row in connection.execute(sa.select(m.c.id, m.c.limits).where(m.c.id.in_(some)))]
    return {row.id: row.limits for row in rows if row.limits}


def charts_of_merged(connection: Connection) -> dict[int, int]:
    """Return the number of the row that holds a chart, for charts of merged devices."""
    keys = [t.chart.c[key] for key in ("class", "metric", "region", "method", "coil", "protocol", "unit")]
    merged = connection.execute(sa.select(t.device.c.merged_into).where(t.device.c.merged_into.is_not(None))).scalars().all()
    if not merged:
        return {}
    rows = sa.select(t.chart.c.id, t.device.c.id.label("owner"), *keys).select_from(lookup.device_of(t.chart, t.chart.c.device_id))
    groups: dict[tuple[Any, ...], list[int]] = {}
    for row in connection.execute(rows.where(t.device.c.id.in_(merged))):
        groups.setdefault(tuple(row)[1:], []).append(row.id)
    return {one: max(ids) for ids in groups.values() for one in ids}


def baselines(store: Store, ids: Sequence[int]) -> list[dict[str, Any]]:
    """Return the baselines of charts that are in force, oldest decision first."""
    with store.reading() as connection:
        found: list[dict[str, Any]] = []
        for some in batches(ids, BATCH):
            rows = sa.select(t.baseline).where(t.baseline.c.chart_id.in_(some), t.baseline.c.ended_at.is_(None)).order_by(t.baseline.c.id)
            found += [dict(row) for row in connection.execute(rows).mappings()]
    return found


def service_events(store: Store, device_ids: Sequence[int]) -> list[dict[str, Any]]:
    """Return the service events of devices and of those merged into them, in order of time; `device_id` is that of the one that stays."""
    e = t.service_event
    with store.reading() as connection:
        rows = sa.select(e, t.device.c.id.label("owner")).select_from(lookup.device_of(e, e.c.device_id)).where(e.c.ended_at.is_(None))
        rows = rows.where(t.device.c.id.in_([int(one) for one in device_ids])).order_by(e.c.day, e.c.local_time, e.c.id)
        return [{**row, "device_id": row["owner"]} for row in connection.execute(rows).mappings()]


# -- periods ----------------------------------------------------------------------------------------------------


def device_totals(store: Store, first: date, last: date, device_id: int | None = None) -> pd.DataFrame:
    """Return what came in from each device in a period: days with studies, studies, series, images, studies by status."""
    d = t.daily_device
    names = ("studies", "series", "instances", *STATUSES)
    counts = (sa.func.count(d.c.day.distinct()).label("days"), *(sa.func.sum(d.c[name]).label(name) for name in names))
    return _totals(store, d, (sa.func.max(d.c.modality).label("modality"), *counts), (), first, last, device_id)


def finding_totals(store: Store, first: date, last: date, device_id: int | None = None) -> pd.DataFrame:
    """Return how often each finding was made on each device in a period: days, studies, findings; the most frequent first."""
    f = t.daily_finding
    counts = (sa.func.count(f.c.day.distinct()).label("days"), *(sa.func.sum(f.c[name]).label(name) for name in ("studies", "findings")))
    frame = _totals(store, f, counts, (f.c.code, f.c.status), first, last, device_id)
    return frame.sort_values(["studies", "code"], ascending=[False, True], ignore_index=True)


def metric_totals(store: Store, first: date, last: date, device_id: int | None = None) -> pd.DataFrame:
    """Return the values of each metric on each device in a period: number, mean, lowest, highest, verdicts. Methods stay apart."""
    m = t.daily_metric
    weighed = sa.func.sum(m.c.mean * m.c.n) / sa.func.nullif(sa.func.sum(m.c.n), 0)
    counts = (
        sa.func.count(m.c.day.distinct()).label("days"), sa.func.sum(m.c.n).label("n"), weighed.label("mean"),
        sa.func.min(m.c.low).label("low"), sa.func.max(m.c.high).label("high"),
        *(sa.func.sum(m.c[name]).label(name) for name in (*STATUSES, "info", "pass")),
    )  # fmt: skip
    return _totals(store, m, counts, (m.c["class"], m.c.metric, m.c.unit, m.c.method), first, last, device_id)


def _totals(
    store: Store, table: sa.Table, counts: Sequence[Any], keys: Sequence[Any], first: date, last: date, device_id: int | None
) -> pd.DataFrame:
    """Group a table of days by device and keys."""
    device = (t.device.c.id.label("device_id"), t.device.c.alias.label("device"))
    rows = sa.select().select_from(lookup.device_of(table, table.c.device_id)).where(table.c.day >= first, table.c.day <= last)
    if device_id is not None:
        rows = rows.where(t.device.c.id == device_id)
    with store.reading() as connection:
        return tabulate(
            connection, (*device, *keys, *counts), rows.group_by(t.device.c.id, t.device.c.alias, *keys).order_by(t.device.c.alias, *keys)
        )


def device_days(store: Store, device_id: int, first: date, last: date) -> pd.DataFrame:
    """Return what came in from a device day by day."""
    d = t.daily_device
    names = ("studies", "series", "instances", *STATUSES)
    rows = sa.select().select_from(lookup.device_of(d, d.c.device_id)).where(t.device.c.id == device_id, d.c.day >= first, d.c.day <= last)
    with store.reading() as connection:
        columns = (d.c.day, *(sa.func.sum(d.c[name]).label(name) for name in names))
        return tabulate(connection, columns, rows.group_by(d.c.day).order_by(d.c.day))
