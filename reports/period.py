"""The report of a week or a month, device by device: what came in, what was found, how the phantom values went, which problems stood.

Everything comes from the roll-ups of days, so a month of millions of measurements takes no longer than a month of few.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from qc.errors import ConfigurationError
from reports import export, long_frames, period_pdf, problems, trend_section, trends, words
from reports.page import environment, put
from reports.problems import Row, Titles
from reports.store import schema as t

if TYPE_CHECKING:
    import pandas as pd

    from reports.store import Store

FINDINGS = 12  # kinds of findings shown of a device
CHARTS = 6  # charts drawn of a device
_WEEK = re.compile(r"(\d{4})-?W(\d{2})")
_MONTH = re.compile(r"(\d{4})-(\d{2})")


@dataclass(frozen=True)
class Period:
    """A week or a month."""

    first: date
    last: date
    name: str
    title: str


@dataclass
class OfDevice:
    """What the report says of one device."""

    device: str
    totals: Row
    findings: list[Row] = field(default_factory=list)
    phantoms: list[Row] = field(default_factory=list)
    values: list[Row] = field(default_factory=list)
    charts: trend_section.Trends = field(default_factory=trend_section.Trends)
    problems: list[Row] = field(default_factory=list)


def week(text: str) -> Period:
    """Return a week, written 2026-W47: Monday to Sunday (ISO 8601).

    >>> week("2026-W47").first.isoformat()
    '2026-11-16'
    """
    match = _WEEK.fullmatch(text.strip())
    try:
        first = date.fromisocalendar(int(match[1]), int(match[2]), 1) if match else None
    except ValueError:
        first = None
    if first is None or match is None:
        raise ConfigurationError(f"{text!r} is no week; write it as 2026-W47")
    last = first + timedelta(days=6)
    title = f"Week {int(match[2])} of {match[1]}, {words.short_day(first)} to {words.short_day(last)}"
    return Period(first, last, f"weekly-{match[1]}-W{match[2]}", title)


def month(text: str) -> Period:
    """Return a month, written 2026-11.

    >>> month("2026-12").last.isoformat()
    '2026-12-31'
    """
    match = _MONTH.fullmatch(text.strip())
    if not match or not 1 <= int(match[2]) <= 12:
        raise ConfigurationError(f"{text!r} is no month; write it as 2026-11")
    first = date(int(match[1]), int(match[2]), 1)
    last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    return Period(first, last, f"monthly-{match[1]}-{match[2]}", f"{first:%B} {first.year}")


def tables(store: Store, period: Period) -> dict[str, pd.DataFrame]:
    """Return the frames of a period: devices, findings, metrics."""
    trends.refresh(store)
    span = (period.first, period.last)
    return {
        "devices": long_frames.device_totals(store, *span),
        "findings": long_frames.finding_totals(store, *span),
        "metrics": long_frames.metric_totals(store, *span),
    }


def gather(store: Store, period: Period, frames: dict[str, pd.DataFrame]) -> list[OfDevice]:
    """Return what there is to say of each device, in order of name."""
    titles = Titles.load()
    found: dict[Any, OfDevice] = {}
    for row in problems.rows(frames["devices"]):
        found[row["device_id"]] = OfDevice(row["device"] or "device not known", row)
    for row in problems.rows(frames["findings"]):
        if row["status"] in words.BAD and row["device_id"] in found:
            found[row["device_id"]].findings.append(row)
    for row in problems.rows(frames["metrics"]):
        if row["device_id"] in found:
            one = found[row["device_id"]]
            (one.phantoms if row["class"].startswith("phantom:") else one.values).append({**row, "title": titles.metric(row["metric"])})
    for number, one in found.items():
        if number is not None and one.phantoms:
            shown = trends.read(store, device_id=number, until=period.last, since=period.last - timedelta(days=trends.LONGEST_DAYS))
            one.charts = trend_section.of([one for one in shown if one.points["day"].iloc[-1] >= period.first], titles, CHARTS)
        one.problems = _problems(store, f"device:{number}", period) if number is not None else []
    return sorted(found.values(), key=lambda one: one.device.casefold())


def _problems(store: Store, subject: str, period: Period) -> list[Row]:
    """Return the problems of a device that stood at some time of the period."""
    p = t.problem
    stood = sa.and_(p.c.first_day <= period.last, sa.or_(p.c.resolved_day.is_(None), p.c.resolved_day >= period.first))
    with store.reading() as connection:
        rows = connection.execute(sa.select(p).where(p.c.subject == subject, stood).order_by(p.c.first_day)).mappings()
        return [dict(row) for row in rows]


def write(store: Store, period: Period, folder: Path, *, site: str = "", parquet: bool = False) -> Path:
    """Write the report of a period: page, PDF, CSV and XLSX (and Parquet, where wanted) of the same frames; return the HTML file."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    frames = tables(store, period)
    for table, frame in frames.items():
        put(folder / f"{period.name}-{table}.csv", lambda path, frame=frame: export.write_csv(frame, path))
        if parquet:
            put(folder / f"{period.name}-{table}.parquet", lambda path, frame=frame: export.write_parquet(frame, path))
    put(folder / f"{period.name}.xlsx", lambda path: export.write_xlsx(frames, path))
    page = folder / f"{period.name}.html"
    at = store.now().astimezone(store.zone)
    devices = gather(store, period, frames)
    put(folder / f"{period.name}.pdf", lambda path: period_pdf.write(period, devices, path, at, site, FINDINGS))
    shown = {"p": period, "devices": devices, "frames": frames, "written_at": at, "site": site, "findings": FINDINGS}
    text = environment().get_template("period.html").render(**shown)
    put(page, lambda path: path.write_text(text, encoding="utf-8"))
    return page
