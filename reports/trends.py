"""Trends: phantom values in order of time, judged against baselines that people chose, begun anew at service events.

`read` takes what charts need from the database and gives `reports.charts.trend.Trend`: one device, phantom, coil, way of acquisition, method
version, metric and region each; values of different methods never meet. The functions below it are decisions of people: each wants a name
and a reason and writes the audit log.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from qc.errors import ConfigurationError
from reports import long_frames as frames
from reports.charts import baseline as base
from reports.charts.judge import Rules, Signal
from reports.charts.trend import NOT_JUDGED, Chart, Segment, Trend, assemble, moment, propose
from reports.store import decisions, rollups
from reports.store import schema as t

if TYPE_CHECKING:
    from reports.store import Store

__all__ = [
    "EVENTS", "Chart", "Rules", "Segment", "Signal", "Trend", "add_service_event", "assemble", "leave_out", "propose", "read", "refresh",
    "replace_scan", "set_baseline", "take_back", "version",
]  # fmt: skip

EVENTS = decisions.EVENTS
LONGEST_DAYS = 800  # that a trend reaches back


# -- reading ----------------------------------------------------------------------------------------------------


def refresh(store: Store) -> int:
    """Put new results on the charts; see `reports.store.rollups.refresh`."""
    return rollups.refresh(store)


def read(
    store: Store,
    *,
    device_id: int | None = None,
    chart_id: int | None = None,
    day: date | None = None,
    since: date | None = None,
    until: date | None = None,
    rules: Rules | None = None,
) -> list[Trend]:
    """Return the trends of a device, or one, or those that have a value on a day; in order of device, phantom, metric, region.

    Parameters
    ----------
    device_id
        The device as people see it: of merged ones, that which stays.
    day
        Only charts with a value of this day, as they stood at its end: what came later is not looked at.
    until
        Last day.
    since
        First day; not given: `LONGEST_DAYS` before the last. Judging begins with the first point after a baseline that is read.
    rules
        Not given: those of the site.
    """
    last = day or until or date.max
    first = since or (day - timedelta(days=LONGEST_DAYS) if day else None)
    charts = frames.charts(store, device_id=device_id, chart_id=chart_id, day=day)
    ids = [one for row in charts["ids"] for one in row]
    points = frames.trend_points(store, ids, first, last)
    chosen, events = frames.baselines(store, ids), frames.service_events(store, sorted(set(charts["device_id"])))
    by_chart = dict(tuple(points.groupby("chart"))) if len(points) else {}
    trends = []
    for row in charts.itertuples(index=False):
        chart = Chart(*(getattr(row, name) for name in ("id", "device_id", "device", "klass", *_KEYS)), tuple(row.ids))
        if row.id in by_chart:
            own = [one for one in chosen if one["chart_id"] in row.ids]
            of_device = [one for one in events if one["device_id"] == row.device_id and one["day"] <= last]
            trends.append(assemble(chart, by_chart[row.id], own, of_device, rules or store.chart_rules))
    newest = frames.limits_of(store, [one.points["measurement_id"].iloc[-1] for one in trends])
    return [replace(one, limits=newest.get(one.points["measurement_id"].iloc[-1])) for one in trends]


_KEYS = ("metric", "region", "method", "coil", "protocol", "unit")


def version(store: Store) -> str:
    """Return what changes whenever a trend may have: whoever keeps trends for a while reads them anew then."""
    with store.reading() as connection:
        made = connection.execute(sa.select(sa.func.max(t.trend_day.c.made_at))).scalar()
        decided = connection.execute(sa.select(sa.func.max(t.audit.c.id))).scalar()
    return f"{made.isoformat() if made else ''} {decided or 0}"


# -- decisions of people ----------------------------------------------------------------------------------------


def set_baseline(
    store: Store, chart_id: int, first_day: date, last_day: date, who: str, why: str, *, transform: str = "none", robust: bool = False
) -> int:
    """Choose the baseline of a chart: its values of these days, but for those left out, replaced or measured in service.

    Values after `last_day` are judged by it, up to the next service event that restarts charts. Earlier verdicts stay.

    Returns
    -------
    int
        Number of the baseline.

    Raises
    ------
    ConfigurationError
        If nobody or no reason is named, there are too few values, or a service event lies among them.
    """
    (trend,) = read(store, chart_id=chart_id) or [None]
    if trend is None:
        raise ConfigurationError(f"there is no chart {chart_id} with values")
    inside = trend.points[(trend.points["day"] >= first_day) & (trend.points["day"] <= last_day)]
    chosen = inside[~inside["role"].isin(("left_out", *NOT_JUDGED))]
    if not len(chosen):
        raise ConfigurationError(f"there is no value from {first_day} to {last_day} that may stand in a baseline")
    edges = [(row.day, row.local_time or "") for row in (chosen.iloc[0], chosen.iloc[-1])]
    broken = [one for one in trend.events if one["restarts"] and edges[0] < moment(one) <= edges[1]]
    if broken:
        raise ConfigurationError(f"on {broken[0]['day']} the device was changed ({broken[0]['text']}): choose days before or after it")
    made = base.estimate(chosen["value"], transform, robust=robust)
    with store.writing() as connection:
        return decisions.baseline(connection, trend.chart.id, first_day, last_day, made.plain(), list(chosen["series_uid"]), who, why)


def leave_out(store: Store, chart_id: int, series_uid: str, who: str, why: str) -> int:
    """Leave a point out of baselines that are chosen from now on, with a reason. Return the number of the decision."""
    with store.writing() as connection:
        return decisions.leave_out(connection, chart_id, series_uid, who, why)


def replace_scan(store: Store, series_uid: str, by_series_uid: str, who: str, why: str) -> int:
    """Say that a scan was repeated, with a reason: its values count no more on any chart. Return the number of the decision."""
    with store.writing() as connection:
        return decisions.replace_scan(connection, series_uid, by_series_uid, who, why)


def add_service_event(
    store: Store, device_id: int, day: date, kind: str, text: str, who: str, *, local_time: str = "", restarts: bool | None = None
) -> int:
    """Note what was done to a device (`EVENTS`); most kinds make its charts begin anew. Return the number of the event."""
    with store.writing() as connection:
        return decisions.service_event(connection, device_id, day, local_time, kind, text, restarts, who)


def take_back(store: Store, what: str, number: int, who: str, why: str) -> None:
    """End a decision (``baseline``, ``left_out``, ``replaced_scan``, ``service_event``), with a reason; it stays to be read."""
    with store.writing() as connection:
        decisions.take_back(connection, what, number, who, why)
