"""The report of a phantom run as a PDF that can be filed: results first, then signatures, history, pictures."""

from __future__ import annotations

from pathlib import Path

from qc.results import Evidence
from reports import history_chart, pdf, words
from reports.pdf import Block
from reports.phantom_run import Line, Part, Run, Trend
from reports.phantom_sources import pictures

SIGNED = ("Performed by", "Reviewed by")


def write(run: Run, path: Path) -> None:
    """Write the report of a run."""
    day = words.short_day(run.study["study_day"])
    foot = "  ·  ".join(filter(None, (run.site, f"written {words.short_day(run.written_at.date())} by {run.software}")))
    blocks = [*_top(run), *_results(run), *_missing(run), *_signatures(), *_history(run), *_pictures(run), *_limits(run)]
    pdf.write(path, blocks, f"Phantom test, {run.name}, {day}", foot)


def _top(run: Run) -> list[Block]:
    study = run.study
    when = f"{words.long_day(study['study_day'])}, {words.clock(study['study_time'])} ({study['zone']})"
    series = [f"{part.title}: {part.about}" for part in run.parts]
    facts: list[tuple[str, object]] = [
        ("Phantom", run.name),
        *run.device,
        ("Acquired", when),
        ("Series", [pdf.text(one, pdf.CELL) for one in series]),
        ("Study", f"{study['study_description'] or 'without description'}  {study['study_uid']}"),
        ("Limits", "; ".join(dict.fromkeys(edition for edition, _ in run.notes)) or "none that holds for this phantom"),
        *([("Set by hand", [pdf.text(one, pdf.CELL) for one in run.by_hand])] if run.by_hand else []),
        ("Written", f"{words.short_day(run.written_at.date())}, {run.written_at:%H:%M}, by {run.software}"),
    ]
    return [
        pdf.text("Phantom test report", pdf.TITLE),
        pdf.text(run.site or "Site not named (site.name of the settings)", pdf.SMALL),
        pdf.verdict(run.status, run.headline, run.below),
        pdf.gap(2.5),
        pdf.facts(facts),
    ]


def _results(run: Run) -> list[Block]:
    blocks: list[Block] = pdf.heading("Results")
    for part in run.parts:
        blocks += pdf.subheading(part.title)
        if part.judged:
            head = ("Test", "Region", "Value", "u", "Unit", "Limits", "Source", "Verdict")
            blocks.append(pdf.table(head, [_judged(line) for line in part.judged], (38, 29, 17, 13, 11, 35, 12, 25), (2, 3)))
        if part.unlimited:
            blocks += pdf.subheading("Also measured; no limit is set", 16)
            blocks.append(pdf.table(("Test", "Region", "Value", "u", "Unit", "Method"), [_plain(line) for line in part.unlimited], (58, 42, 18, 15, 14, 33), (2, 3)))  # fmt: skip
    blocks += [pdf.gap(1), pdf.text("u: standard uncertainty (68 %), where one is known. Source: number of the limit's origin in the list at the end.", pdf.SMALL)]  # fmt: skip
    if run.remarks:
        blocks += pdf.heading("Remarks on the images")
        rows = [(pdf.Badge(row["status"]), words.title(row["code"]), words.sentences(row["message"], row["advice"])) for row in run.remarks]
        blocks.append(pdf.table(("Verdict", "What", "In words"), rows, (27, 45, 108)))
    return blocks


def _judged(line: Line) -> tuple[object, ...]:
    return (
        line.test, line.region, line.value if line.row["value"] is not None else "no value", line.uncertainty, line.unit, line.limits,
        f"[{line.note}]", pdf.Badge(line.status, 7.0),
    )  # fmt: skip


def _plain(line: Line) -> tuple[object, ...]:
    return line.test, line.region, line.value, line.uncertainty, line.unit, line.row["method"]


def _missing(run: Run) -> list[Block]:
    if not run.missing:
        return []
    rows = [(what, why, [pdf.text(one, pdf.CELL) for one in where]) for what, why, where in run.missing]
    return [*pdf.heading("Not measured, and why"), pdf.table(("What", "Why", "Series"), rows, (55, 80, 45))]


def _signatures() -> list[Block]:
    return [*pdf.heading("Signatures"), pdf.signatures(SIGNED)]


def _history(run: Run) -> list[Block]:
    if not run.has_store:
        return [*pdf.heading("History of this scanner"), pdf.text("None: these images were measured without the database.")]
    shown = run.charts
    if not shown:
        text = "This is the first run on record of this scanner with this phantom, acquired and measured in this way."
        return [*pdf.heading("History of this scanner"), pdf.text(text)]
    blocks = [*pdf.heading("History of this scanner")]
    told = "Same device, phantom, method and way of acquisition only. The ring is this run; lines are failing levels, dashed lines warning levels."
    blocks.append(pdf.text(told, pdf.SMALL))
    for part in run.parts:
        own = [trend for trend in shown if trend.series == part.title]
        if own:
            blocks += pdf.subheading(part.title, 45)
            blocks += pdf.charts([chart(trend) for trend in own])
    return blocks


def chart(trend: Trend) -> str:
    """Draw the history of one value."""
    line = trend.line
    title = " ".join(filter(None, (line.test, f"({line.region})" if line.region else "", f"[{line.unit}]" if line.unit else "")))
    return history_chart.over_time(title, trend.points, line.row, trend.drift)


def _pictures(run: Run) -> list[Block]:
    blocks: list[Block] = []
    for part in run.parts:
        some = [(test, evidence, extra) for test, found in tests_of(run, part) for evidence, extra in found]
        if some:
            blocks += [*pdf.heading(f"Pictures: {part.title}", 90), *pdf.gallery(some)]
    return blocks


def tests_of(run: Run, part: Part) -> list[tuple[str, list[tuple[Evidence, str]]]]:
    """Return the pictures of a series by test, each with what else is to be said of it; those of the remarks last."""
    found = [(test, pictures(run, ids)) for test, ids in part.evidence.items()]
    own = {one: row["message"] for row in run.remarks if row["series_uid"] == part.row["series_uid"] for one in row["evidence"] or ()}
    if own:
        found.append(("Remarks", pictures(run, own)))
    return [(test, some) for test, some in found if some]


def _limits(run: Run) -> list[Block]:
    blocks: list[Block] = []
    if run.notes:
        rows = [(f"[{number}]", edition, origin) for number, (edition, origin) in enumerate(run.notes, start=1)]
        blocks += [
            *pdf.heading("Where the limits come from"),
            pdf.table(("", "Criteria set", "Origin, and how sure it is"), rows, (8, 52, 120)),
        ]
    methods = ", ".join(run.methods)
    return [*blocks, *pdf.heading("How it was measured"), pdf.text(f"Methods with their versions: {methods}. “pacsqc checks NAME” explains each.", pdf.SMALL)]  # fmt: skip
