"""What the charts say on a day, for the daily report: alarms with their picture, signals to look at, what waits for a baseline."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from reports import trends
from reports.chart_figure import control_chart
from reports.charts.baseline import ENOUGH
from reports.problems import Titles

if TYPE_CHECKING:
    from reports.charts.trend import Chart, Trend
    from reports.store import Store

PICTURES = 8  # charts drawn in a report
SHOWN_DAYS = 180


@dataclass(frozen=True)
class Shown:
    """A chart that has something to say."""

    trend: Trend
    title: str
    figure: Any  # None where there are too many


@dataclass(frozen=True)
class Trends:
    """The charts that have a value on the day.

    Attributes
    ----------
    counts
        Charts by state.
    ready
        Names of devices with the number of their charts that have enough values for a baseline and none.
    """

    alarms: list[Shown] = field(default_factory=list)
    signals: list[Shown] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    ready: list[tuple[str, int]] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How many charts have a value on the day."""
        return sum(self.counts.values())


def of_day(store: Store, day: date, titles: Titles) -> Trends:
    """Read and draw what the charts say of the values of a day."""
    return of(trends.read(store, day=day), titles)


def of(found: list[Trend], titles: Titles, pictures: int = PICTURES) -> Trends:
    """Sort trends by what they say; so many are drawn, alarms first."""
    alarms = [one for one in found if one.state == "alarm"]
    signals = [one for one in found if one.state == "signal"]
    drawn = {id(one) for one in [*alarms, *signals][:pictures]}
    shown = {
        id(one): Shown(
            one, title(one.chart, titles), control_chart(one, title(one.chart, titles), days=SHOWN_DAYS) if id(one) in drawn else None
        )
        for one in [*alarms, *signals]
    }
    ready = Counter(one.chart.device for one in found if one.state == "no_baseline" and one.waiting >= ENOUGH)
    states = Counter(one.state for one in found)
    return Trends([shown[id(one)] for one in alarms], [shown[id(one)] for one in signals], states, sorted(ready.items()))


def title(chart: Chart, titles: Titles) -> str:
    """Return what a chart is called: device, metric, region, coil."""
    region = chart.region.replace("_", " ").replace(".", ", ")
    return ", ".join(filter(None, (f"{chart.device}: {titles.metric(chart.metric)}", region, chart.coil)))
