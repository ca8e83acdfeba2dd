"""Trends: phantom values in order of time, judged against baselines that people chose, begun anew at service events.

`read` takes what charts need from the database as frames; `assemble` is pure: frames in, `Trend` out. One trend is one device, phantom, coil,
way of acquisition, method version, metric and region; values of different methods never meet. To decide something, see the functions at the end.

A trend falls into *eras*: a service event that restarts charts ends one. Within an era the baseline made of the latest points before a value
judges it; without one it waits: no baseline is ever chosen by the software.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from qc.errors import ConfigurationError
from reports import frames
from reports.charts import baseline as base
from reports.charts.baseline import ENOUGH, LEAST, Baseline
from reports.charts.judge import Judgement, Rules, Signal, evaluate
from reports.store import decisions, rollups

if TYPE_CHECKING:
    import pandas as pd

    from reports.store import Store

__all__ = [
    "EVENTS", "Chart", "Segment", "Trend", "add_service_event", "assemble", "leave_out", "propose", "read", "refresh", "replace_scan",
    "set_baseline", "take_back",
]  # fmt: skip

EVENTS = decisions.EVENTS
LONGEST_DAYS = 800  # that a trend reaches back
NOT_JUDGED = ("replaced", "in_service")


@dataclass(frozen=True, slots=True)
class Chart:
    """What makes a series of values one trend.

    Attributes
    ----------
    id
        Number of the chart; that of the device which stays, where devices were merged.
    ids
        All charts whose points it holds.
    klass
        Class of the phantom: ``phantom:acr_mri_large``.
    protocol
        How it was acquired, in words.
    """

    id: int
    device_id: int
    device: str
    klass: str
    metric: str
    region: str
    method: str
    coil: str
    protocol: str
    unit: str
    ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class Segment:
    """Points in a row that one baseline judges.

    Attributes
    ----------
    places
        Places of these points among the points of the trend.
    signals
        As `judgement.signals`, with places among the points of the trend.
    """

    baseline: Baseline
    decision: Mapping[str, Any]
    places: tuple[int, ...]
    judgement: Judgement
    signals: tuple[Signal, ...]


@dataclass(frozen=True)
class Trend:
    """A chart with everything that is known of it.

    Attributes
    ----------
    points
        One row a value, in order of time: ``day, local_time, study_uid, series_uid, measurement_id, value, uncertainty, status``, and
        ``role``: ``baseline`` (made a baseline), ``judged``, ``waiting`` (no baseline judges it), ``left_out``, ``replaced`` (the scan was
        repeated), ``in_service`` (measured while the device was out of service); ``why`` for the last three.
    segments
        What was judged, by which baseline.
    events
        Service events of the device, in order of time.
    waiting
        Points since the last baseline or service event that nothing judges, 0 where the newest point is judged.
    """

    chart: Chart
    points: pd.DataFrame
    segments: tuple[Segment, ...]
    events: tuple[Mapping[str, Any], ...]
    waiting: int
    rules: Rules = field(default_factory=Rules)

    @property
    def last(self) -> Segment | None:
        """The segment that judges the newest point; None where nothing does."""
        return self.segments[-1] if self.segments and not self.waiting else None

    @property
    def signals(self) -> tuple[Signal, ...]:
        """What the charts say of the newest point: look at it."""
        segment = self.last
        if segment is None:
            return ()
        return tuple(one for one in segment.signals if one.end == segment.places[-1])

    @property
    def state(self) -> str:
        """``alarm`` (a signal repeats), ``signal``, ``steady``, ``provisional`` (baseline of few points) or ``no_baseline``."""
        segment = self.last
        if segment is None:
            return "no_baseline"
        if segment.judgement.alarmed:
            return "alarm"
        if self.signals:
            return "signal"
        return "provisional" if segment.baseline.provisional else "steady"

    @property
    def alarm_since(self) -> date | None:
        """The day on which the alarm that holds now was raised."""
        segment = self.last
        if segment is None or not segment.judgement.alarmed:
            return None
        calm = np.flatnonzero(~segment.judgement.alarm)
        first = int(calm[-1]) + 1 if calm.size else 0
        return self.points["day"].iloc[segment.places[first]]

    @property
    def why(self) -> str:
        """The state in a sentence."""
        segment = self.last
        if segment is None:
            enough = "enough to choose a baseline" if self.waiting >= ENOUGH else f"a baseline wants {ENOUGH} (at least {LEAST})"
            return f"No baseline: {self.waiting} values wait, {enough}."
        if not self.signals:
            return "In alarm until ten values in a row lie inside." if self.state == "alarm" else "In control."
        return (
            "; ".join(dict.fromkeys(f"{one.text[:1].upper()}{one.text[1:]}, since {_day(self, one.start)}" for one in self.signals)) + "."
        )


def _day(trend: Trend, place: int) -> str:
    return str(trend.points["day"].iloc[place])


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
    rules: Rules | None = None,
) -> list[Trend]:
    """Return the trends of a device, or one, or those that have a value on a day; in order of device, phantom, metric, region.

    Parameters
    ----------
    device_id
        The device as people see it: of merged ones, that which stays.
    day
        Only charts with a value of this day, as they stood at its end: what came later is not looked at.
    since
        First day; not given: `LONGEST_DAYS` before the last. Judging begins with the first point after a baseline that is read.
    """
    last = day or date.max
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
            trends.append(assemble(chart, by_chart[row.id], own, of_device, rules))
    return trends


_KEYS = ("metric", "region", "method", "coil", "protocol", "unit")


# -- pure -------------------------------------------------------------------------------------------------------


def assemble(
    chart: Chart,
    points: pd.DataFrame,
    baselines: Sequence[Mapping[str, Any]],
    events: Iterable[Mapping[str, Any]],
    rules: Rules | None = None,
) -> Trend:
    """Give every point its role, and judge those that a baseline judges.

    Parameters
    ----------
    points
        In order of time: ``day, local_time, series_uid, value`` ..., and ``left_out``, ``replaced`` (a reason, or None).
    baselines
        ``id, numbers, points`` (SeriesInstanceUIDs), ``first_day, last_day`` and who, when, why.
    events
        ``day, local_time, kind, restarts`` ..., in order of time.
    """
    rules = rules or Rules()
    points = points.reset_index(drop=True)
    ordered = sorted(events, key=_moment)
    moments = [(row.day, row.local_time or "") for row in points.itertuples(index=False)]
    points["role"], reasons = _first_roles(points, moments, ordered)
    points["why"] = np.array(reasons, object)  # None stays None
    restarts = [_moment(one) for one in ordered if one["restarts"]]
    eras = np.searchsorted([_ordinal(one) for one in restarts], [_ordinal(one) for one in moments], side="right") if restarts else None
    era_of = np.zeros(len(points), int) if eras is None else eras
    judges = _judges(points, era_of, baselines)
    segments = []
    for row, places in judges:
        made = Baseline(**row["numbers"])
        taken = tuple(place for place in places if base.takes(points["value"].iloc[place], made.transform))
        points.loc[list(taken), "role"] = "judged"
        judgement = evaluate(points["value"].iloc[list(taken)], made, rules)
        moved = tuple(Signal(s.rule, s.side, taken[s.start], taken[s.end], s.text) for s in judgement.signals)
        segments.append(Segment(made, row, taken, judgement, moved))
    segments = [one for one in segments if one.places]
    counted = points.index[~points["role"].isin(NOT_JUDGED)]
    last_judged = max((one.places[-1] for one in segments), default=-1)
    waiting = int((points["role"].iloc[[p for p in counted if p > last_judged]] == "waiting").sum())
    return Trend(chart, points, tuple(sorted(segments, key=lambda one: one.places[-1])), tuple(ordered), waiting, rules)


def _moment(event: Mapping[str, Any]) -> tuple[date, str]:
    return event["day"], event["local_time"] or ""


def _ordinal(moment: tuple[date, str]) -> float:
    """Return a moment as a number of days, for sorting."""
    hours = [int(part) for part in moment[1].split(":")[:3] if part.isdigit()] + [0, 0, 0]
    return moment[0].toordinal() + (hours[0] * 3600 + hours[1] * 60 + hours[2]) / 86400


def _first_roles(
    points: pd.DataFrame, moments: Sequence[tuple[date, str]], events: Sequence[Mapping[str, Any]]
) -> tuple[list[str], list[str | None]]:
    """Tell which points count at all."""
    switches = [
        (_moment(one), one["kind"] == "out_of_service", one["text"]) for one in events if one["kind"] in ("out_of_service", "returned")
    ]
    roles, reasons = [], []
    for row, moment in zip(points.itertuples(index=False), moments, strict=True):
        last = next((one for one in reversed(switches) if one[0] <= moment), None)
        if row.replaced:
            role, why = "replaced", row.replaced
        elif last is not None and last[1]:
            role, why = "in_service", last[2]
        else:
            role, why = ("left_out", row.left_out) if row.left_out else ("waiting", None)
        roles.append(role)
        reasons.append(why)
    return roles, reasons


def _judges(points: pd.DataFrame, era_of: Any, baselines: Sequence[Mapping[str, Any]]) -> list[tuple[Mapping[str, Any], list[int]]]:
    """Return which baseline judges which points, and mark the points that baselines were made of."""
    place_of = {uid: place for place, uid in enumerate(points["series_uid"])}
    found: list[tuple[int, int, Mapping[str, Any]]] = []  # last place, era, baseline
    for row in sorted(baselines, key=lambda one: one["id"]):
        made_of = sorted(place_of[uid] for uid in row["points"] if uid in place_of)
        if made_of:
            points.loc[[place for place in made_of if points["role"].iloc[place] == "waiting"], "role"] = "baseline"
            found.append((made_of[-1], int(era_of[made_of[-1]]), row))
        else:  # older than what was read
            before = [place for place, day in enumerate(points["day"]) if day <= row["last_day"]]
            last = before[-1] if before else -1
            era = int(era_of[last + 1]) if last + 1 < len(points) and (not before or era_of[last] == era_of[last + 1]) else -1
            found.append((last, era, row))
    groups: dict[int, list[int]] = {}
    for place, role in enumerate(points["role"]):
        if role in ("waiting", "left_out"):
            fitting = [(last, number) for number, (last, era, _) in enumerate(found) if last < place and era == era_of[place]]
            if fitting and not (role == "left_out" and _inside(points, place, baselines)):
                groups.setdefault(max(fitting)[1], []).append(place)
    return [(found[number][2], places) for number, places in groups.items()]


def _inside(points: pd.DataFrame, place: int, baselines: Sequence[Mapping[str, Any]]) -> bool:
    day = points["day"].iloc[place]
    return any(row["first_day"] <= day <= row["last_day"] for row in baselines)


def propose(trend: Trend, points: int = ENOUGH) -> dict[str, Any] | None:
    """Return what a baseline of the first points that wait would be, for a person to look at: nothing is chosen by itself.

    Returns
    -------
    dict or None
        ``first_day, last_day, n, transform, baseline`` and ``outliers``: places among the points of the trend that lie beyond 3 SD of the
        others. None where fewer than `LEAST` points wait.
    """
    waiting = [place for place, role in enumerate(trend.points["role"]) if role == "waiting"]
    after = trend.segments[-1].places[-1] if trend.segments else -1
    chosen = [place for place in waiting if place > after][:points]
    if len(chosen) < LEAST:
        return None
    values = trend.points["value"].iloc[chosen].to_numpy(float)
    transform = base.suggest(values, trend.chart.unit)
    days = trend.points["day"].iloc[chosen]
    try:
        made, robust = base.estimate(values, transform), base.estimate(values, transform, robust=True)
    except ConfigurationError:
        return None
    outliers = [place for place, z in zip(chosen, robust.standardise(values), strict=True) if abs(z) > 3]
    told = {"first_day": days.iloc[0], "last_day": days.iloc[-1], "n": len(chosen), "transform": transform}
    return {**told, "baseline": made, "outliers": outliers}


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
    broken = [one for one in trend.events if one["restarts"] and edges[0] < _moment(one) <= edges[1]]
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
