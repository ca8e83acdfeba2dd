"""Devices: what they are, how their charts stand, what was done to them; and one control chart with what people decide about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.engine import Connection
from starlette.exceptions import HTTPException

from qc.output import natural
from reports import chart_figure, trends, words
from reports.frames import LEVELS
from reports.problems import Row
from reports.store import by_hand, decisions, lookup
from reports.store import days as told
from reports.store import schema as t
from reports.trends import Trend
from reports.web import access
from reports.web.access import Asking
from reports.web.desk import Desk, desk_of

router = APIRouter(include_in_schema=False)
RECENT_DAYS = 30
TABLE = 30  # newest values listed below a chart
STATES = {
    "in_service": "● in service",
    "out_of_service": "✖ out of service",
    "serviced": "▲ serviced, not verified yet",
    "verified": "▲ verified, not returned yet",
}
CHART_STATES = {
    "alarm": ("fail", "✖ alarm: a signal repeats"),
    "signal": ("warn", "▲ signal"),
    "steady": ("pass", "✔ steady"),
    "provisional": ("info", "i steady, baseline of few points"),
    "no_baseline": ("not_evaluable", "○ no baseline"),
}
NOTHING = {name: 0 for name in ("studies", "series", "instances", "fail", "error", "warn")}
ROLES = {
    "baseline": "made the baseline",
    "judged": "judged by the baseline",
    "waiting": "waits for a baseline",
    "left_out": "left out of baselines",
    "replaced": "replaced by a repeated scan",
    "in_service": "measured while out of service",
}
SERVICED = ("service", "repair", "upgrade", "calibration", "moved", "phantom")


@dataclass(frozen=True)
class Line:
    """A chart on the page of its device: the last value, and how the chart stands."""

    chart: Any
    day: Any
    value: float
    status: str
    count: int
    state: str


@router.get("/devices")
def index(request: Request, every: str = "") -> Response:
    """List the devices."""
    desk, me = desk_of(request), access.reader(request)
    with desk.store.reading() as connection:
        found = [one for one in lookup.devices(connection, by_day=True) if every or one.merged_into is None]
        last = told.newest(connection) or desk.today()
        recent = _recent(connection, last)
        events = service_log(connection, None)
    states = {one.id: service_state([event for event in events if event["owner"] == one.id]) for one in found}
    return desk.page(
        request, "devices.html", me, devices=found, states=states, words_of=STATES, recent=recent, last=last, every=every, days=RECENT_DAYS,
        quiet=last - timedelta(days=RECENT_DAYS), nothing=NOTHING,
    )  # fmt: skip


@router.get("/device/{number}")
def show(request: Request, number: int) -> Response:
    """Show a device."""
    return page(request, access.reader(request), number)


@router.get("/device/{number}/chart/{chart}")
def chart(request: Request, number: int, chart: int) -> Response:
    """Show one control chart."""
    return chart_page(request, access.reader(request), number, chart)


def page(request: Request, me: Asking, number: int, problem: str = "", status: int = 200) -> Response:
    """Return the page of a device; `problem` says why something was not done."""
    desk = desk_of(request)
    with desk.store.reading() as connection:
        device = one_device(connection, number)
        events = service_log(connection, device.id)
        last = told.newest(connection) or desk.today()
        recent = _recent(connection, last).get(device.id, NOTHING)
        findings = _findings(connection, device.id, last)
        marks = _marks(connection, device.id)
        set_by_hand = [one for one in by_hand.settings(connection, device.id) if one.again and one.ended_at is None]
    lines = desk.kept(("charts", device.id), marks, lambda: _lines(desk, device.id))
    groups: dict[str, list[Line]] = {}
    for line in lines:
        groups.setdefault(line.chart.klass, []).append(line)
    return desk.page(
        request, "device.html", me, status, device=device, events=events, state=service_state(events), words_of=STATES, kinds=decisions.EVENTS,
        recent=recent, findings=findings, groups=groups, chart_states=CHART_STATES, problem=problem, today=desk.today(), days=RECENT_DAYS,
        titles=desk.titles, set_by_hand=set_by_hand,
    )  # fmt: skip


def chart_page(request: Request, me: Asking, number: int, chart: int, problem: str = "", status: int = 200) -> Response:
    """Return the page of one control chart."""
    desk = desk_of(request)
    with desk.store.reading() as connection:
        device = one_device(connection, number)
        marks = _marks(connection, device.id)
    trend, drawing, proposal = desk.kept(("chart", device.id, chart), marks, lambda: _drawn(desk, device.id, chart))
    with desk.store.reading() as connection:
        limits = _limits(connection, trend)
        history = _decided(connection, trend)
    levels = tuple(limits.get(level) for level in LEVELS)
    newest = list(trend.points.itertuples(index=False))[: -TABLE - 1 : -1]
    signals = [(one, trend.points["day"].iloc[one.start], trend.points["day"].iloc[one.end]) for s in trend.segments for one in s.signals]
    return desk.page(
        request, "chart.html", me, status, device=device, trend=trend, titles=desk.titles, problem=problem, newest=newest, history=history,
        drawing=drawing, limits={**dict.fromkeys(LEVELS), **limits}, levels=levels, signals=signals[::-1][:40],
        proposal=proposal, states=CHART_STATES, roles=ROLES, kinds=decisions.EVENTS,
    )  # fmt: skip


def one_device(connection: Connection, number: int) -> lookup.Device:
    """Return a device; one that was merged leads to the one it really is."""
    known = {one.id: one for one in lookup.devices(connection, by_day=True)}
    found = known.get(number)
    if found is None:
        raise HTTPException(404, "There is no such device.")
    return known[found.merged_into] if found.merged_into is not None else found


def service_state(events: Sequence[Any]) -> str:
    """Return whether a device is in service: told by its service log, in order of time.

    >>> service_state([{"kind": "out_of_service"}, {"kind": "repair"}])
    'serviced'
    """
    state = "in_service"
    for event in events:
        kind = event["kind"]
        if kind == "out_of_service":
            state = "out_of_service"
        elif kind == "returned":
            state = "in_service"
        elif state == "out_of_service" and kind in SERVICED:
            state = "serviced"
        elif state in ("out_of_service", "serviced") and kind == "verified":
            state = "verified"
    return state


# -- reading ----------------------------------------------------------------------------------------------------


def _link(row: Mapping[str, Any]) -> str:
    return f"/study/uid/{row['study_uid']}"


def _drawn(desk: Desk, device_id: int, chart: int) -> tuple[Trend, Any, Any]:
    """Return a chart, its drawing, and what a new baseline could be."""
    found = trends.read(desk.store, device_id=device_id, chart_id=chart)
    if not found:
        raise HTTPException(404, "This device has no such chart, or no value on it.")
    trend = found[0]
    title = desk.titles.metric(trend.chart.metric) + (f", {trend.chart.region}" if trend.chart.region else "")
    return trend, chart_figure.control_chart(trend, title, _link), trends.propose(trend)


def service_log(connection: Connection, device_id: int | None) -> list[Row]:
    """Return the service log of a device (None: of all), in order of time."""
    e = t.service_event
    chosen = sa.select(e, t.device.c.id.label("owner")).select_from(lookup.device_of(e, e.c.device_id)).where(e.c.ended_at.is_(None))
    if device_id is not None:
        chosen = chosen.where(t.device.c.id == device_id)
    return [dict(row._mapping) for row in connection.execute(chosen.order_by(e.c.day, e.c.local_time, e.c.id))]


def _recent(connection: Connection, last: Any) -> dict[int, Row]:
    """Return what devices did in the last days, by the roll-ups."""
    d = t.daily_device
    names = ("studies", "series", "instances", "fail", "error", "warn")
    chosen = sa.select(t.device.c.id.label("owner"), *(sa.func.sum(d.c[name]).label(name) for name in names))
    chosen = (
        chosen.select_from(lookup.device_of(d, d.c.device_id)).where(d.c.day > last - timedelta(days=RECENT_DAYS)).group_by(t.device.c.id)
    )
    return {row.owner: dict(row._mapping) for row in connection.execute(chosen) if row.owner is not None}


def _findings(connection: Connection, device_id: int, last: Any) -> list[Row]:
    """Return the most frequent problems of the last days, by the roll-ups."""
    f = t.daily_finding
    columns = (f.c.code, f.c.status, sa.func.sum(f.c.studies).label("studies"), sa.func.max(f.c.day).label("last"))
    within = sa.and_(t.device.c.id == device_id, f.c.day > last - timedelta(days=RECENT_DAYS), f.c.status.in_(words.BAD))
    chosen = sa.select(*columns).select_from(lookup.device_of(f, f.c.device_id)).where(within).group_by(f.c.code, f.c.status)
    rows = [dict(row._mapping) for row in connection.execute(chosen)]
    return sorted(rows, key=lambda row: (words.ORDER[row["status"]], -row["studies"]))[:12]


def _lines(desk: Desk, device_id: int) -> list[Line]:
    """Return the charts of a device with their last values and how they stand."""
    lines = []
    for one in trends.read(desk.store, device_id=device_id):
        last = one.points.iloc[-1]
        lines.append(Line(one.chart, last["day"], float(last["value"]), str(last["status"]), len(one.points), one.state))
    return sorted(lines, key=lambda line: (line.chart.klass, line.chart.metric, natural(line.chart.region)))


def _marks(connection: Connection, device_id: int) -> list[Any]:
    """Return what changes whenever a value comes to a chart of a device, or a person decides something about charts."""
    ids = sa.select(t.chart.c.id).select_from(lookup.device_of(t.chart, t.chart.c.device_id)).where(t.device.c.id == device_id)
    chosen = [sa.select(sa.func.max(t.trend_point.c.id), sa.func.count()).where(t.trend_point.c.chart_id.in_(ids))]
    chosen += [
        sa.select(sa.func.max(one.c.id), sa.func.count(one.c.ended_at))
        for one in (t.baseline, t.left_out, t.replaced_scan, t.service_event)
    ]
    return [tuple(connection.execute(one).one()) for one in chosen]


def _limits(connection: Connection, trend: Trend) -> dict[str, Any]:
    """Return the limits that the newest measured value was judged by."""
    numbers = [int(one) for one in trend.points["measurement_id"] if one is not None and one == one]
    if not numbers:
        return {}
    return connection.execute(sa.select(t.measurement.c.limits).where(t.measurement.c.id == numbers[-1])).scalar() or {}


def _decided(connection: Connection, trend: Trend) -> list[Row]:
    """Return baselines and points left out, those taken back too, newest first."""
    ids = list(trend.chart.ids)
    found = []
    for name, table in (("baseline", t.baseline), ("left_out", t.left_out)):
        for row in connection.execute(sa.select(table).where(table.c.chart_id.in_(ids))):
            found.append({**row._mapping, "what": name})
    return sorted(found, key=lambda row: row["made_at"], reverse=True)
