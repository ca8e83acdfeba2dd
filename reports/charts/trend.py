"""A trend: the values of one chart in order of time, what baseline judges them, where charts begin anew. Pure: frames in, `Trend` out.

A trend falls into *eras*: a service event that restarts charts ends one. Within an era the baseline made of the latest points before a value
judges it; without one it waits: no baseline is ever chosen by the software.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from qc.errors import ConfigurationError
from reports import words
from reports.charts import baseline as base
from reports.charts.baseline import ENOUGH, LEAST, Baseline
from reports.charts.judge import Judgement, Rules, Signal, evaluate

if TYPE_CHECKING:
    import pandas as pd

MOST_SAID = 3  # signals of one chart in its sentence
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
    limits
        The limits that judged the newest value (action and tolerance, from a document), where there are some.
    """

    chart: Chart
    points: pd.DataFrame
    segments: tuple[Segment, ...]
    events: tuple[Mapping[str, Any], ...]
    waiting: int
    rules: Rules = field(default_factory=Rules)
    limits: Mapping[str, float | None] | None = None

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
            return "steady" if self.points["role"].iloc[-1] == "baseline" else "no_baseline"
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
        if segment is None and self.state == "steady":
            return "The newest values are those of the baseline."
        if segment is None:
            enough = "enough to choose a baseline" if self.waiting >= ENOUGH else f"a baseline wants {ENOUGH} (at least {LEAST})"
            return f"No baseline: {self.waiting} values wait, {enough}."
        if not self.signals:
            return "In alarm until ten values in a row lie inside." if self.state == "alarm" else "In control."
        said = [f"{one.text}, since {words.short_day(self.points['day'].iloc[one.start])}" for one in self.signals]
        text = "; ".join(said[:MOST_SAID]) + (f"; and {len(said) - MOST_SAID} more" if len(said) > MOST_SAID else "")
        return f"{text[:1].upper()}{text[1:]}."


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
    ordered = sorted(events, key=moment)
    days, values = points["day"].tolist(), points["value"].to_numpy(float)
    moments = list(zip(days, (text or "" for text in points["local_time"].tolist()), strict=True))
    roles, reasons = _first_roles(points["left_out"].tolist(), points["replaced"].tolist(), moments, ordered)
    restarts = [_ordinal(moment(one)) for one in ordered if one["restarts"]]
    eras = np.searchsorted(restarts, [_ordinal(one) for one in moments], side="right").tolist() if restarts else [0] * len(days)
    segments = []
    for row, places in _judges(days, points["series_uid"].tolist(), roles, eras, baselines):
        made = Baseline(**row["numbers"])
        taken = tuple(place for place in places if base.takes(values[place], made.transform))
        if not taken:
            continue
        for place in taken:
            roles[place] = "judged"
        judgement = evaluate(values[list(taken)], made, rules)
        moved = tuple(Signal(s.rule, s.side, taken[s.start], taken[s.end], s.text) for s in judgement.signals)
        segments.append(Segment(made, row, taken, judgement, moved))
    points["role"], points["why"] = np.array(roles, object), np.array(reasons, object)  # objects: None stays None
    last_judged = max((one.places[-1] for one in segments), default=-1)
    waiting = roles[last_judged + 1 :].count("waiting")
    return Trend(chart, points, tuple(sorted(segments, key=lambda one: one.places[-1])), tuple(ordered), waiting, rules)


def moment(event: Mapping[str, Any]) -> tuple[date, str]:
    """Return when a service event was, for comparing with the moments of points."""
    return event["day"], event["local_time"] or ""


def _ordinal(moment: tuple[date, str]) -> float:
    """Return a moment as a number of days, for sorting."""
    clock = moment[1]
    seconds = int(clock[:2]) * 3600 + int(clock[3:5]) * 60 + int(clock[6:8] or 0) if len(clock) >= 5 else 0
    return moment[0].toordinal() + seconds / 86400


def _first_roles(
    left_out: Sequence[str | None],
    replaced: Sequence[str | None],
    times: Sequence[tuple[date, str]],
    events: Sequence[Mapping[str, Any]],
) -> tuple[list[str], list[str | None]]:
    """Tell which points count at all, and for those that do not, why."""
    kinds = ("out_of_service", "returned")
    switches = [(moment(one), one["kind"] == "out_of_service", one["text"]) for one in reversed(events) if one["kind"] in kinds]
    roles: list[str] = []
    reasons: list[str | None] = []
    for out, gone, time in zip(left_out, replaced, times, strict=True):
        last = next((one for one in switches if one[0] <= time), None) if switches else None
        if gone:
            role, why = "replaced", gone
        elif last is not None and last[1]:
            role, why = "in_service", last[2]
        else:
            role, why = ("left_out", out) if out else ("waiting", None)
        roles.append(role)
        reasons.append(why)
    return roles, reasons


def _judges(
    days: Sequence[date], uids: Sequence[str], roles: list[str], eras: Sequence[int], baselines: Sequence[Mapping[str, Any]]
) -> list[tuple[Mapping[str, Any], list[int]]]:
    """Return which baseline judges which points, and mark in `roles` the points that baselines were made of."""
    place_of = {uid: place for place, uid in enumerate(uids)} if baselines else {}
    found: list[tuple[int, int, int]] = []  # last place, number, era of each baseline
    ordered = sorted(baselines, key=lambda one: one["id"])
    for number, row in enumerate(ordered):
        made_of = sorted(place_of[uid] for uid in row["points"] if uid in place_of)
        for place in made_of:
            roles[place] = "baseline" if roles[place] == "waiting" else roles[place]
        if made_of:
            found.append((made_of[-1], number, eras[made_of[-1]]))
        else:  # older than what was read
            last = sum(day <= row["last_day"] for day in days) - 1
            same = last + 1 < len(days) and (last < 0 or eras[last] == eras[last + 1])
            found.append((last, number, eras[last + 1] if same else -1))
    found.sort(reverse=True)  # the one made of the latest points judges; of two, the later decision
    groups: dict[int, list[int]] = {}
    for place, role in enumerate(roles) if found else ():
        inside = role == "left_out" and any(row["first_day"] <= days[place] <= row["last_day"] for row in baselines)
        if role in ("waiting", "left_out") and not inside:
            number = next((number for last, number, era in found if last < place and era == eras[place]), None)
            if number is not None:
                groups.setdefault(number, []).append(place)
    return [(ordered[number], places) for number, places in groups.items()]


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
