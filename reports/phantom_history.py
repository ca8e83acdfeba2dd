"""The history of one scanner with one phantom: the same measure, region and method in earlier runs, acquired in the same way."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from reports.phantom_run import CLASS, Part, Trend
from reports.problems import Row
from reports.store import lookup
from reports.store import schema as t

if TYPE_CHECKING:
    from qc.results import Measurement
    from reports.store import Store

YEARS_DAYS = 5 * 366  # how far back
MOST_POINTS = 120
BASELINE_RUNS = 20
_CONDITIONS = ("echo_time_ms",)  # values of one series under other conditions are another history


def trends(store: Store, study: Row, parts: list[Part]) -> list[Trend]:
    """Return the history of every value that has one: at least one earlier value of the same device, phantom, series and method."""
    found = []
    for part in parts:
        device = part.row.get("device_id")
        lines = [line for line in part.lines if line.row["value"] is not None]
        if device is None or not lines:
            continue
        earlier = _earlier(store, study, part.row, int(device), sorted({line.metric for line in lines}))
        for line in lines:
            points = earlier.get(_key(line.row), [])[-(MOST_POINTS - 1) :]
            if points:
                found.append(Trend(line, part.title, [*points, (study["study_day"], line.row["value"])]))
    return found


def _earlier(store: Store, study: Row, series: Row, device: int, metrics: list[str]) -> dict[tuple[Any, ...], list[tuple[date, float]]]:
    """Return the earlier values of the metrics, oldest first, by what must be the same for them to be compared."""
    joined = lookup.with_device(t.measurement.join(t.study, t.study.c.id == t.measurement.c.study_id).join(t.series))
    day, clock = study["study_day"], study["study_time"] or ""
    before = sa.or_(t.study.c.day < day, sa.and_(t.study.c.day == day, sa.func.coalesce(t.study.c.local_time, "") < clock))
    wanted = (
        lookup.CURRENT,
        t.device.c.id == device,
        t.series.c["class"] == series["class"],
        t.series.c.coil == series["coil"],
        t.series.c.protocol == series["protocol"],
        t.measurement.c.metric.in_(metrics),
        t.measurement.c.value.is_not(None),
        t.study.c.study_uid != study["study_uid"],
        t.study.c.day >= day - timedelta(days=YEARS_DAYS),
        before,
    )
    columns = [t.study.c.day, *(t.measurement.c[name] for name in ("metric", "region", "method", "value", "details"))]
    rows = sa.select(*columns).select_from(joined).where(*wanted).order_by(t.study.c.day, t.study.c.local_time, t.measurement.c.id)
    found: dict[tuple[Any, ...], list[tuple[date, float]]] = defaultdict(list)
    with store.reading() as connection:
        for row in connection.execute(rows):
            found[_key(row._asdict())].append((row.day, row.value))
    return found


def _key(row: Row) -> tuple[Any, ...]:
    details = row["details"] or {}
    return row["metric"], row["region"], row["method"], *(str(details.get(name)) for name in _CONDITIONS)


def acquisition(store: Store, day: date) -> dict[str, Row]:
    """Return how the series of a day were acquired, by SeriesInstanceUID: coil, protocol in words, what limits depend on."""
    columns = [t.series.c[name] for name in ("series_uid", "coil", "protocol", "facts")]
    rows = sa.select(*columns).select_from(t.series.join(t.study)).where(lookup.CURRENT, t.study.c.day == day)
    with store.reading() as connection:
        return {row.series_uid: row._asdict() for row in connection.execute(rows)}


def first_values(store: Store, device: int, klass: str, protocol: str, like: Measurement, before: date) -> list[tuple[date, float]]:
    """Return the first values on record of a device that are comparable to a measurement, oldest first, at most `BASELINE_RUNS`.

    Comparable: the same metric, region and method, the same phantom, acquired in the same way.

    Parameters
    ----------
    klass, protocol
        Of the series; how it was acquired, as `reports.store.acquisition.words` has it.
    before
        Only of earlier days.
    """
    wanted = (
        lookup.CURRENT,
        t.device.c.id == device,
        t.series.c["class"] == klass,
        t.series.c.protocol == protocol,
        t.measurement.c.metric == like.metric,
        t.measurement.c.region == like.region,
        t.measurement.c.method == like.method,
        t.measurement.c.value.is_not(None),
        t.study.c.day < before,
    )
    joined = lookup.with_device(t.measurement.join(t.study, t.study.c.id == t.measurement.c.study_id).join(t.series))
    rows = sa.select(t.study.c.day, t.measurement.c.value).select_from(joined).where(*wanted)
    with store.reading() as connection:
        ordered = rows.order_by(t.study.c.day, t.study.c.local_time, t.measurement.c.id).limit(BASELINE_RUNS)
        return [(row.day, row.value) for row in connection.execute(ordered)]


def days(store: Store, device: str | None = None) -> list[date]:
    """Return the days that have a phantom run, oldest first; of one device, where its name is given."""
    wanted = [lookup.CURRENT, t.series.c["class"].startswith(CLASS), t.study.c.day.is_not(None)]
    if device:
        wanted.append(t.device.c.alias == device)
    rows = sa.select(t.study.c.day).select_from(lookup.with_device(t.series.join(t.study))).where(*wanted).distinct()
    with store.reading() as connection:
        return list(connection.execute(rows.order_by(t.study.c.day)).scalars())
