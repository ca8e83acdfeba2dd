"""The report of a week or a month on paper, device by device."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from reports import pdf, words
from reports.pdf import Block
from reports.problems import Row

if TYPE_CHECKING:
    from reports.period import OfDevice, Period

MOST_METRICS = 60  # of one device


def write(period: Period, devices: Sequence[OfDevice], path: Path, written_at: datetime, site: str, findings: int) -> None:
    """Write the report of a period; so many kinds of findings are shown of a device."""
    foot = "  ·  ".join(filter(None, (site, f"written {words.short_day(written_at.date())}, {written_at:%H:%M}")))
    days = f"{words.short_day(period.first)} to {words.short_day(period.last)}, by the days on which studies were acquired."
    blocks: list[Block] = [pdf.text(f"Image quality, {period.title}", pdf.TITLE), pdf.text(" ".join(filter(None, (site, days))), pdf.SMALL)]
    if devices:
        blocks += _overview(devices)
        for one in devices:
            blocks += _device(one, findings)
    else:
        blocks.append(pdf.text("No studies in this time."))
    rounded = "Values are rounded here; the CSV and XLSX files beside this one hold them in full."
    pdf.write(path, [*blocks, pdf.gap(3), pdf.text(rounded, pdf.SMALL)], f"Image quality, {period.title}", foot)


def _overview(devices: Sequence[OfDevice]) -> list[Block]:
    head = ("Device", "Modality", "Days", "Studies", "Images", "✖ Failed", "▲ Warning", "Problems", "Charts in alarm")
    rows = []
    for one in devices:
        total = one.totals
        counts = total["days"], total["studies"], total["instances"], total["fail"], total["warn"]
        rows.append((one.device, total["modality"], *counts, len(one.problems), one.charts.counts["alarm"]))
    return [*pdf.heading("Devices"), pdf.table(head, rows, (42, 18, 14, 17, 20, 18, 20, 20, 20), tuple(range(2, 9)))]


def _device(one: OfDevice, findings: int) -> list[Block]:
    total = one.totals
    outcome = f"{total['fail']} failed, {total['error']} with a software error, {total['warn']} with a warning."
    blocks = pdf.heading(one.device)
    blocks.append(pdf.text(f"{words.studies(total['studies'])} on {words.count(total['days'], 'day')}: {outcome}"))
    if one.problems:
        rows = [_problem(row) for row in one.problems]
        blocks += [*pdf.subheading("Problems"), pdf.table(("Status", "What", "From", "To", "State"), rows, (26, 60, 22, 22, 50))]
    if one.findings:
        rows = [(pdf.Badge(row["status"], 7.0), words.title(row["code"]), row["studies"], row["days"]) for row in one.findings[:findings]]
        blocks += [*pdf.subheading("What was found"), pdf.table(("Status", "What", "Studies", "Days"), rows, (27, 110, 20, 20), (2, 3))]
        if len(one.findings) > findings:
            blocks.append(pdf.text(f"and {len(one.findings) - findings} more kinds, see the findings file", pdf.SMALL))
    if one.phantoms:
        blocks += [*pdf.subheading("Phantom values"), *pdf.trends(one.charts), _metrics(one.phantoms)]
    if one.values:
        blocks += [*pdf.subheading("Values of patient images"), _metrics(one.values)]
    return blocks


def _problem(row: Row) -> tuple[object, ...]:
    state = "over" if row["state"] == "resolved" else str(row["state"])
    state += f": {row['why']} ({row['who']})" if row["why"] else ""
    end = words.short_day(row["resolved_day"]) if row["resolved_day"] else ""
    return pdf.Badge(row["status"], 7.0), row["title"], words.short_day(row["first_day"]), end, state


def _metrics(rows: Sequence[Row]) -> Block:
    head = ("Metric", "Values", "Mean", "Lowest", "Highest", "✖", "▲")
    shown = []
    for row in rows[:MOST_METRICS]:
        numbers = [words.value(row[name], row["unit"]) for name in ("mean", "low", "high")]
        shown.append((f"{row['title']} ({row['method']})", row["n"], *numbers, row["fail"], row["warn"]))
    return pdf.table(head, shown, (72, 16, 26, 26, 26, 9, 9), tuple(range(1, 7)))
