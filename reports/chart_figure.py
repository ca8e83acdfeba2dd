"""Draw a control chart as inline SVG, without script or library: values over time, baseline, limits, service events.

What a point is, is told by its shape and by a text that shows where the mouse rests, never by colour alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from qc.runner import display_unit
from reports import words
from reports.charts.baseline import back
from reports.figures import element, short, tick_text, ticks

if TYPE_CHECKING:
    from reports.trends import Segment, Trend

WIDTH, HEIGHT = 760, 246
_LEFT, _TOP, _RIGHT, _BOTTOM = 62, 14, 748, 222
_INK, _BAD, _CALM, _SOFT = "#1f2933", "#b3261e", "#0b5cad", "#6b7480"
_ROLES = {
    "judged": "judged",
    "baseline": "in the baseline",
    "waiting": "waits for a baseline",
    "left_out": "left out of the baseline",
    "replaced": "scan was repeated",
    "in_service": "device out of service",
}
Href = Callable[[Mapping[str, Any]], str]


def control_chart(trend: Trend, title: str, href: Href | None = None, days: int | None = None) -> Markup:
    """Return the chart as an HTML ``<figure>``; every text in it is escaped.

    Parameters
    ----------
    href
        Gives the address that a point links to, from its row (``study_uid, series_uid, day`` ...); None: no links.
    days
        Show only so many days up to the newest value.
    """
    points = trend.points
    rows = points.to_dict("records")  # a row of a frame at a time would take a millisecond each
    newest: date = points["day"].max()
    first = max(points["day"].min(), newest - timedelta(days=days)) if days else points["day"].min()
    shown = [place for place, day in enumerate(points["day"]) if day >= first]
    scale = _Scale(first, newest, _heights(trend, shown))
    alarmed = {place for one in trend.segments for place, on in zip(one.places, one.judgement.alarm, strict=True) if on}
    signalled = {place for one in trend.segments for signal in one.signals for place in range(signal.start, signal.end + 1)}
    parts = _axes(scale, trend, first, newest)
    parts += [part for one in trend.segments for part in _segment(one, trend, scale, first)]
    parts += _limits(trend, scale)
    parts += _events(trend, scale, first, newest)
    kept = [place for place in shown if rows[place]["role"] in ("judged", "baseline", "waiting", "left_out")]
    line = "M" + "L".join(scale.at(rows[place]["day"], rows[place]["value"]) for place in kept) if kept else ""
    parts += [element("path", d=line, fill="none", stroke=_INK, stroke_width=0.7, stroke_opacity=0.5)] * bool(line)
    for place in shown:
        kind = "alarm" if place in alarmed else "signal" if place in signalled else rows[place]["role"]
        parts.append(_point(rows[place], kind, trend, scale, href))
    label = f"{title}. {trend.why}"
    box = {"viewBox": f"0 0 {WIDTH} {HEIGHT}", "width": WIDTH, "height": HEIGHT}
    svg = element("svg", element("title", label), *parts, class_="chart control", **box, role="group" if href else "img", aria_label=label)
    kinds = {("alarm" if place in alarmed else "signal" if place in signalled else rows[place]["role"]) for place in shown}
    caption = [element("b", title), " ", trend.why, element("span", _legend(kinds, trend), class_="legend")]
    return element("figure", svg, element("figcaption", *caption), class_="curve control")


class _Scale:
    """Where a day and a value stand in the drawing."""

    def __init__(self, first: date, last: date, heights: list[float]) -> None:
        self.first, self.span = first, max((last - first).days, 1)
        self.ticks = ticks(heights)

    def x(self, day: date) -> float:
        return _LEFT + 8 + (day - self.first).days / self.span * (_RIGHT - _LEFT - 16)

    def y(self, value: float) -> float:
        low, high = self.ticks[0], self.ticks[-1]
        return _BOTTOM - (min(max(value, low), high) - low) / (high - low) * (_BOTTOM - _TOP)

    def at(self, day: date, value: float) -> str:
        return f"{short(self.x(day))} {short(self.y(value))}"


def _heights(trend: Trend, shown: list[int]) -> list[float]:
    """Return what must be inside the drawing. Limits of a document far away from all values would press the values flat: they are left out."""
    values = [float(trend.points["value"].iloc[place]) for place in shown]
    values += [limit for one in trend.segments for limit in one.baseline.limits() if set(one.places) & set(shown)]
    spread = max(max(values) - min(values), 1e-12)
    given = [limit for limit in (trend.limits or {}).values() if limit is not None]
    return values + [limit for limit in given if min(values) - spread <= limit <= max(values) + spread]


def _axes(scale: _Scale, trend: Trend, first: date, last: date) -> list[Markup]:
    parts = [element("rect", x=_LEFT, y=_TOP, width=_RIGHT - _LEFT, height=_BOTTOM - _TOP, fill="#fff", stroke="#666")]
    for value in scale.ticks:
        y = scale.y(value)
        parts.append(element("line", x1=_LEFT, x2=_RIGHT, y1=y, y2=y, stroke="#e3e6e8"))
        parts.append(element("text", tick_text(value, scale.ticks), x=_LEFT - 6, y=y + 4, font_size=11, text_anchor="end"))
    days = (last - first).days
    step = next(one for one in (1, 2, 7, 14, 28, 56, 91, 182, 364, max(days, 365)) if days / one <= 7)
    for back_by in range(0, days + 1, step):
        day = last - timedelta(days=back_by)
        x = scale.x(day)
        parts.append(element("line", x1=x, x2=x, y1=_BOTTOM, y2=_BOTTOM + 4, stroke="#666"))
        parts.append(
            element(
                "text",
                f"{day.day} {day:%b} {day:%y}",
                x=min(max(x, _LEFT + 12), _RIGHT - 22),
                y=_BOTTOM + 17,
                font_size=11,
                text_anchor="middle",
            )
        )
    unit = display_unit(trend.chart.unit)
    turned = f"translate(14 {(_TOP + _BOTTOM) // 2}) rotate(-90)"
    return [*parts, element("text", unit or "value", transform=turned, font_size=12, text_anchor="middle")]


def _segment(one: Segment, trend: Trend, scale: _Scale, first: date) -> list[Markup]:
    """Draw centre and 3 SD limits over the points a baseline judges and those it was made of, and the EWMA."""
    days = trend.points["day"]
    start, end = max(min(one.decision["first_day"], days.iloc[one.places[0]]), first), days.iloc[one.places[-1]]
    if end < first:
        return []
    low, high = one.baseline.limits()
    left, right = scale.x(start), scale.x(end)
    band = element(
        "rect", x=left, y=scale.y(high), width=max(right - left, 2), height=scale.y(low) - scale.y(high), fill=_CALM, fill_opacity=0.07
    )
    parts = [band]
    if one.decision["last_day"] >= first:
        made = scale.x(one.decision["last_day"])
        hatch = {"x": left, "y": _BOTTOM - 5, "width": max(made - left, 2), "height": 5, "fill": _CALM, "fill_opacity": 0.45}
        parts.append(element("rect", element("title", f"baseline, chosen by {one.decision['who']}: {one.decision['why']}"), **hatch))
    centre = float(back(one.baseline.centre, one.baseline.transform))
    for value, dash in ((centre, "none"), (low, "6 3"), (high, "6 3")):
        parts.append(element("line", x1=left, x2=right, y1=scale.y(value), y2=scale.y(value), stroke=_CALM, stroke_dasharray=dash))
    if not one.baseline.rho:
        smooth = back(one.baseline.centre + one.judgement.ewma * one.baseline.sd, one.baseline.transform)
        pairs = [scale.at(days.iloc[p], float(v)) for p, v in zip(one.places, smooth, strict=True) if days.iloc[p] >= first]
        parts.append(element("path", d="M" + "L".join(pairs), fill="none", stroke="#8a5a00", stroke_width=1.6))
    return parts


def _limits(trend: Trend, scale: _Scale) -> list[Markup]:
    """Draw the limits of the document that judged the newest value."""
    parts = []
    for level, value in (trend.limits or {}).items():
        if value is not None and scale.ticks[0] <= value <= scale.ticks[-1]:
            action = level.startswith("action")
            y = scale.y(value)
            parts.append(
                element(
                    "line",
                    x1=_LEFT,
                    x2=_RIGHT,
                    y1=y,
                    y2=y,
                    stroke=_BAD,
                    stroke_width=1.6 if action else 1,
                    stroke_dasharray="none" if action else "2 3",
                )
            )
            name = f"{'fails' if action else 'warns'} {'below' if level.endswith('low') else 'above'} {value:g}"
            parts.append(element("text", name, x=_LEFT + 4, y=y - 4, font_size=10, fill=_BAD, text_anchor="start"))
    return parts


def _events(trend: Trend, scale: _Scale, first: date, last: date) -> list[Markup]:
    parts = []
    for number, event in enumerate(one for one in trend.events if first <= one["day"] <= last):
        x = scale.x(event["day"])
        told = f"{words.short_day(event['day'])}: {event['text']} ({event['kind'].replace('_', ' ')}, noted by {event['who']})"
        parts.append(
            element(
                "line",
                element("title", told),
                x1=x,
                x2=x,
                y1=_TOP,
                y2=_BOTTOM,
                stroke="#6a1b9a",
                stroke_width=1.5,
                stroke_dasharray="10 3 2 3",
            )
        )
        said = event["text"] if len(event["text"]) <= 24 else event["text"][:22] + "…"
        side = {"x": x - 4, "text_anchor": "end"} if x > _RIGHT - 150 else {"x": x + 4, "text_anchor": "start"}
        parts.append(element("text", said, y=_TOP + 12 + 12 * (number % 3), font_size=10, fill="#6a1b9a", **side))
    return parts


def _point(row: Mapping[str, Any], kind: str, trend: Trend, scale: _Scale, href: Href | None) -> Markup:
    """Draw one value: a dot, a filled triangle where a signal repeats, an open one for a signal, other shapes for what does not count."""
    x, y = scale.x(row["day"]), scale.y(row["value"])
    told = f"{words.short_day(row['day'])} {words.clock(row['local_time'])}: {words.value(row['value'], trend.chart.unit)}"
    told += f", {_ROLES[row['role']]}" + (f": {row['why']}" if row["why"] else "")
    mark = _mark(kind, x, y, element("title", told))
    return element("a", mark, href=href(row), aria_label=told) if href else mark


def _mark(kind: str, x: float, y: float, *inside: Markup) -> Markup:
    triangle = f"M{short(x)} {short(y - 5)}L{short(x + 4.6)} {short(y + 3.4)}H{short(x - 4.6)}Z"
    cross = f"M{short(x - 3.5)} {short(y - 3.5)}l7 7m0 -7l-7 7"
    if kind == "alarm":
        return element("path", *inside, d=triangle, fill=_BAD, stroke=_BAD)
    if kind == "signal":
        return element("path", *inside, d=triangle, fill="#fff", stroke=_BAD, stroke_width=1.4)
    if kind in ("replaced", "in_service", "left_out"):
        return element("path", *inside, d=cross, fill="none", stroke=_SOFT, stroke_width=1.6)
    fill = {"baseline": "#fff", "waiting": "#c3c9cf"}.get(kind, _INK)
    return element("circle", *inside, cx=x, cy=y, r=2.6, fill=fill, stroke=_INK if kind != "waiting" else _SOFT)


def _legend(kinds: set[str], trend: Trend) -> Markup:
    """Say what the marks and lines in this chart mean, and only those."""
    said = {
        "judged": "judged",
        "baseline": "baseline",
        "waiting": "waits for a baseline",
        "signal": "signal: look at it",
        "alarm": "alarm: the signal repeats",
    }
    keys = [(kind, text) for kind, text in said.items() if kind in kinds]
    if kinds & {"replaced", "in_service", "left_out"}:
        keys.append(("left_out", "not counted, with a reason"))
    marks = [
        element("span", element("svg", _mark(kind, 7, 7), width=14, height=14, aria_hidden="true"), " ", text, class_="key")
        for kind, text in keys
    ]
    lines = []
    if trend.segments:
        lines = [("#0b5cad", "6 3", "baseline ± 3 SD"), ("#8a5a00", "none", "moving average (EWMA)")]
    for colour, dash, text in lines:
        line = element("line", x1=0, x2=24, y1=7, y2=7, stroke=colour, stroke_width=1.8, stroke_dasharray=dash)
        marks.append(element("span", element("svg", line, width=24, height=14, aria_hidden="true"), " ", text, class_="key"))
    return Markup("").join(marks)
