"""Draw a control chart as inline SVG: every point says its value when hovered or focused, and leads to its study when followed.

What a point is, is told by its shape and only then by colour: a diamond made the baseline, a dot is judged by it, an open circle waits
for a baseline, a cross does not count. A ring round it: a rule of the chart signals there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from qc.runner import display_unit
from reports import words
from reports.figures import tick_text, ticks

if TYPE_CHECKING:
    from reports.trends import Trend

WIDTH, HEIGHT, EWMA_HEIGHT = 1120, 340, 110
LEFT, RIGHT, TOP, BOTTOM = 74, 1104, 16, 300
ROLES = {
    "baseline": "made the baseline",
    "judged": "judged by the baseline",
    "waiting": "waits for a baseline",
    "left_out": "left out",
    "replaced": "replaced by a repeated scan",
    "in_service": "measured while out of service",
}
_COLOURS = {"fail": "#8f1414", "error": "#5f1a86", "warn": "#9a5b00"}  # by the verdict that the value got; else blue
_BLUE = "#0b4a8f"
Link = Callable[[Any], str]


@dataclass(frozen=True)
class Scale:
    """From a value to a place on the drawing."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Return the place of a value."""
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return round(self.start + share * (self.end - self.start), 1)


def figure(trend: Trend, link: Link, levels: Sequence[float | None] = ()) -> Markup:
    """Return the chart as an HTML ``<figure>``.

    Parameters
    ----------
    link
        Address of what a point (a row of `trend.points`) leads to; every text in it is escaped.
    levels
        Limits of the criterion, drawn beside those of the chart where they are near.
    """
    points = list(trend.points.itertuples(index=False))
    days = [row.day.toordinal() for row in points]
    x = Scale(min(days) - 0.5, max(days) + 0.5, LEFT, RIGHT)
    values = [float(row.value) for row in points]
    y = Scale(*_range(values, trend, levels), BOTTOM, TOP)
    ringed = {place for segment in trend.segments for signal in segment.signals for place in range(signal.start, signal.end + 1)}
    parts = [_frame(x, y, trend, days), *_limits(trend, days, x, y), *_criteria(levels, y), *_events(trend, x)]
    parts += [_point(row, place in ringed, x, y, link, trend.chart.unit) for place, row in enumerate(points)]
    height, lower = HEIGHT, ""
    if trend.segments:
        height, lower = HEIGHT + EWMA_HEIGHT, _ewma(trend, days, x)
    title = escape(f"Control chart of {len(points)} values, {points[0].day} to {points[-1].day}")
    drawing = f'<svg class="control" viewBox="0 0 {WIDTH} {height}" role="group" aria-label="{title}" font-size="12">{"".join(parts)}{lower}</svg>'
    return Markup("<figure>") + Markup(drawing) + _legend(trend, bool(ringed)) + Markup("</figure>")


def _range(values: Sequence[float], trend: Trend, levels: Sequence[float | None]) -> tuple[float, float]:
    """Return the ends of the value axis: all values, the limits of the chart, and those of the criterion where they are not far away."""
    wanted = list(values)
    for segment in trend.segments:
        wanted += [one for one in segment.baseline.limits() if math.isfinite(one)]
    low, high = min(wanted), max(wanted)
    span = (high - low) or abs(high) * 0.02 or 1.0
    for level in levels:
        if level is not None and low - span <= level <= high + span:
            low, high = min(low, level), max(high, level)
    room = 0.06 * ((high - low) or span)
    return low - room, high + room


def _frame(x: Scale, y: Scale, trend: Trend, days: Sequence[int]) -> str:
    """Axes, with days below and values at the left."""
    parts = [f'<rect x="{LEFT}" y="{TOP}" width="{RIGHT - LEFT}" height="{BOTTOM - TOP}" fill="#fff" stroke="#66727d"/>']
    round_ones = ticks([y.low, y.high])
    for value in (one for one in round_ones if y.low <= one <= y.high):
        at = y.at(value)
        parts.append(f'<path d="M{LEFT} {at}H{RIGHT}" stroke="#e3e7ea"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{at + 4}" text-anchor="end" fill="#1a1f24">{escape(tick_text(value, round_ones))}</text>')
    for day in _day_ticks(days):
        at = x.at(day)
        name = words.short_day(date.fromordinal(day))
        anchor = "end" if at > RIGHT - 40 else "middle"
        parts.append(
            f'<path d="M{at} {BOTTOM}v5" stroke="#66727d"/><text x="{at}" y="{BOTTOM + 19}" text-anchor="{anchor}" fill="#1a1f24">{name}</text>'
        )
    unit = escape(display_unit(trend.chart.unit) or "value")
    parts.append(
        f'<text x="16" y="{(TOP + BOTTOM) / 2}" text-anchor="middle" transform="rotate(-90 16 {(TOP + BOTTOM) / 2})" fill="#1a1f24">{unit}</text>'
    )
    return "".join(parts)


def _day_ticks(days: Sequence[int]) -> list[int]:
    first, last = min(days), max(days)
    steps = min(7, last - first) or 1
    return sorted({round(first + (last - first) * n / steps) for n in range(steps + 1)}) if last > first else [first]


def _limits(trend: Trend, days: Sequence[int], x: Scale, y: Scale) -> list[str]:
    """Centre and three SD of each baseline, over the points that it judges."""
    parts = []
    for segment in trend.segments:
        start, end = x.at(days[segment.places[0]] - 0.5), x.at(days[segment.places[-1]] + 0.5)
        low, high = segment.baseline.limits()
        centre = segment.baseline.limits(0.0)[0]
        for value, dash in ((centre, "none"), (low, "8 4"), (high, "8 4")):
            if math.isfinite(value):
                parts.append(f'<path d="M{start} {y.at(value)}H{end}" stroke="#17571b" stroke-width="1.6" stroke-dasharray="{dash}"/>')
    return parts


def _criteria(levels: Sequence[float | None], y: Scale) -> list[str]:
    parts = []
    for level in dict.fromkeys(one for one in levels if one is not None and y.low <= one <= y.high):
        at = y.at(level)
        parts.append(f'<path d="M{LEFT} {at}H{RIGHT}" stroke="#8f1414" stroke-width="1.4" stroke-dasharray="2 4"/>')
        parts.append(f'<text x="{RIGHT - 4}" y="{at - 4}" text-anchor="end" fill="#8f1414">limit {escape(words.value(level))}</text>')
    return parts


def _events(trend: Trend, x: Scale) -> list[str]:
    """Service events as lines with numbers; the list below the chart says what they were."""
    parts = []
    for number, event in enumerate(trend.events, start=1):
        day = event["day"].toordinal()
        if x.low <= day <= x.high:
            at = x.at(day)
            dash = "none" if event["restarts"] else "3 3"
            text = escape(f"{event['day']}: {event['text']}")
            parts.append(
                f'<g><title>{text}</title><path d="M{at} {TOP}V{BOTTOM}" stroke="#5f1a86" stroke-width="1.6" stroke-dasharray="{dash}"/>'
                f'<text x="{at + 3}" y="{TOP + 13}" fill="#5f1a86">S{number}</text></g>'
            )
    return parts


def _point(row: Any, ringed: bool, x: Scale, y: Scale, link: Link, unit: str) -> str:
    at, up = x.at(row.day.toordinal() + _share(row.local_time) - 0.5), y.at(float(row.value))
    colour = _COLOURS.get(row.status, _BLUE)
    said = f"{words.short_day(row.day)} {words.clock(row.local_time)}: {words.value(float(row.value), unit)}, {ROLES[row.role]}"
    if row.status in words.BAD:
        said += f"; {words.STATUS[row.status].word.lower()}"
    if row.why:
        said += f" ({row.why})"
    shape = {
        "baseline": f'<path d="M{at} {up - 5}l5 5-5 5-5-5z" fill="#fff" stroke="{colour}" stroke-width="1.8"/>',
        "judged": f'<circle cx="{at}" cy="{up}" r="3.6" fill="{colour}" stroke="{colour}"/>',
        "waiting": f'<circle cx="{at}" cy="{up}" r="3.6" fill="#fff" stroke="{colour}" stroke-width="1.8"/>',
    }.get(row.role, f'<path d="M{at - 4} {up - 4}l8 8m0-8l-8 8" fill="none" stroke="#4d5762" stroke-width="2"/>')
    ring = f'<circle cx="{at}" cy="{up}" r="8" fill="none" stroke="#8f1414" stroke-width="2"/>' if ringed else ""
    words_of = escape(said + ("; a rule signals here" if ringed else ""))
    return f'<a href="{escape(link(row))}" aria-label="{words_of}">{ring}{shape}<title>{words_of}</title></a>'


def _share(clock: str | None) -> float:
    """Return the time of day as a share of the day; noon where it is not known."""
    try:
        return (int(clock[:2]) * 60 + int(clock[3:5])) / 1440 if clock else 0.5
    except ValueError:
        return 0.5


def _ewma(trend: Trend, days: Sequence[int], x: Scale) -> str:
    """The moving average of the judged points in SD, with its limits: it sees small shifts that no single point shows."""
    top, bottom = HEIGHT + 8, HEIGHT + EWMA_HEIGHT - 12
    most = max(
        1.5, *(float(abs(s.judgement.ewma).max()) for s in trend.segments), *(float(s.judgement.ewma_limit.max()) for s in trend.segments)
    )
    y = Scale(-most * 1.1, most * 1.1, bottom, top)
    parts = [f'<rect x="{LEFT}" y="{top}" width="{RIGHT - LEFT}" height="{bottom - top}" fill="#fff" stroke="#66727d"/>']
    parts.append(f'<path d="M{LEFT} {y.at(0)}H{RIGHT}" stroke="#17571b"/>')
    middle = (top + bottom) / 2
    parts.append(f'<text x="16" y="{middle}" text-anchor="middle" transform="rotate(-90 16 {middle})" fill="#1a1f24">EWMA / SD</text>')
    for segment in trend.segments:
        at = [x.at(days[place]) for place in segment.places]
        for values, look in (
            (segment.judgement.ewma, f'stroke="{_BLUE}" stroke-width="1.8"'),
            (segment.judgement.ewma_limit, 'stroke="#17571b" stroke-width="1.4" stroke-dasharray="8 4"'),
            (-segment.judgement.ewma_limit, 'stroke="#17571b" stroke-width="1.4" stroke-dasharray="8 4"'),
        ):
            line = "L".join(f"{one} {y.at(float(value))}" for one, value in zip(at, values, strict=True))
            parts.append(f'<path d="M{line}" fill="none" {look}/>')
    for value in (-round(most, 1), round(most, 1)):
        parts.append(f'<text x="{LEFT - 8}" y="{y.at(value) + 4}" text-anchor="end" fill="#1a1f24">{value:g}</text>')
    return f'<g aria-hidden="true">{"".join(parts)}</g>'


def _legend(trend: Trend, ringed: bool) -> Markup:
    used = [role for role in ROLES if (trend.points["role"] == role).any()]
    shapes = {"baseline": "◇", "judged": "●", "waiting": "○"}
    said = [f"{shapes.get(role, '✕')} {ROLES[role]}" for role in used]
    said += ["ring: a rule signals"] if ringed else []
    said += ["green: centre and ± 3 SD of the baseline"] if trend.segments else []
    said += ["S1, S2 ...: service events; a full line begins the chart anew"] if trend.events else []
    return Markup("<figcaption>{}</figcaption>").format("; ".join(said) + ".")
