"""Small charts of one measure over time, as inline SVG: for pages and for paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from markupsafe import Markup

from reports.figures import element, tick_text, ticks

WIDTH, HEIGHT = 440, 164
_LEFT, _TOP, _RIGHT, _BOTTOM = 58, 24, 428, 122
_LEVELS = {"action_low": ("#8f1414", "none"), "action_high": ("#8f1414", "none"), "tolerance_low": ("#704400", "6 4"), "tolerance_high": ("#704400", "6 4")}  # fmt: skip


def over_time(title: str, points: Sequence[tuple[date, float]], limits: Mapping[str, Any] | None = None, note: str = "") -> Markup:
    """Return a chart of values by day. The last point is drawn as a ring: it is the one that the report is about.

    Limits that lie within the range of the values, or near it, are drawn: failing levels as a line, warning levels dashed.

    Parameters
    ----------
    points
        (day, value), oldest first; at least one.
    limits
        ``action_low`` and so on, None where there is none.
    note
        Stands between the dates, below.
    """
    values = [value for _, value in points]
    span = max(max(values) - min(values), abs(values[-1]) * 1e-6, 1e-12)
    shown = {key: float(level) for key, level in (limits or {}).items() if key in _LEVELS and level is not None}
    shown = {key: level for key, level in shown.items() if min(values) - 3 * span <= level <= max(values) + 3 * span}
    y_ticks = ticks([*values, *shown.values()], 3)
    first, last = points[0][0], points[-1][0]
    days = max((last - first).days, 1)

    def x(day: date) -> float:
        return _LEFT + 8 + (day - first).days / days * (_RIGHT - _LEFT - 16) if last > first else (_LEFT + _RIGHT) / 2

    def y(value: float) -> float:
        return _BOTTOM - (value - y_ticks[0]) / (y_ticks[-1] - y_ticks[0]) * (_BOTTOM - _TOP)

    parts = [
        element("rect", x=0, y=0, width=WIDTH, height=HEIGHT, fill="#fff"),
        element("rect", x=_LEFT, y=_TOP, width=_RIGHT - _LEFT, height=_BOTTOM - _TOP, fill="#fff", stroke="#666"),
        element("text", title, x=2, y=14, font_size=12, font_weight=600),
    ]
    for value in y_ticks:
        parts.append(element("line", x1=_LEFT, x2=_RIGHT, y1=y(value), y2=y(value), stroke="#ddd"))
        parts.append(element("text", tick_text(value, y_ticks), x=_LEFT - 5, y=y(value) + 4, font_size=11, text_anchor="end"))
    for key, level in shown.items():
        colour, dash = _LEVELS[key]
        line = {"stroke": colour, "stroke_width": 1.6, "stroke_dasharray": dash}
        parts.append(element("line", x1=_LEFT, x2=_RIGHT, y1=y(level), y2=y(level), **line))
    path = "M" + "L".join(f"{x(day):.1f} {y(value):.1f}" for day, value in points)
    if len(points) > 1:
        parts.append(element("path", d=path, fill="none", stroke="#0b5cad", stroke_width=1.4))
    parts += [element("circle", cx=x(day), cy=y(value), r=2.6, fill="#0b5cad") for day, value in points]
    parts.append(element("circle", cx=x(last), cy=y(values[-1]), r=6.0, fill="none", stroke="#0b5cad", stroke_width=1.6))
    parts.append(element("text", first.isoformat(), x=_LEFT, y=_BOTTOM + 16, font_size=11))
    if last > first:
        parts.append(element("text", last.isoformat(), x=_RIGHT, y=_BOTTOM + 16, font_size=11, text_anchor="end"))
    parts.append(element("text", note, x=_LEFT, y=HEIGHT - 10, font_size=11, fill="#4d5762"))
    return element("svg", *parts, class_="chart", viewBox=f"0 0 {WIDTH} {HEIGHT}", width=WIDTH, height=HEIGHT, role="img", aria_label=title)
