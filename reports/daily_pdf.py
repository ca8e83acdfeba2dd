"""The report of a day on paper, from the same day as the page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from reports import pdf, words
from reports.pdf import Block
from reports.problems import Item, Problem, Row

if TYPE_CHECKING:
    from reports.daily import Day

PROBLEMS_TOP = 6
MOST_BRIEF = 40  # studies that have a line each under one problem
MOST_SKIPPED = 40
MOST_LINES = 10  # statements and values of one study


def write(day: Day, path: Path) -> None:
    """Write the report of a day."""
    foot = "  ·  ".join(filter(None, (day.site, f"written {words.short_day(day.written_at.date())}, {day.written_at:%H:%M}")))
    blocks = [
        *_top(day),
        *_arrived(day),
        *_problems(day),
        *_standing(day),
        *_trends(day),
        *_phantoms(day),
        *_unjudged(day),
        *_skipped(day),
        *_late(day),
        *_fine(day),
    ]
    pdf.write(path, [*blocks, *_end(day)], f"Image quality, {words.short_day(day.day)}", foot)


def _top(day: Day) -> list[Block]:
    zones = f" Local times ({', '.join(day.zones)})." if day.zones else ""
    return [
        pdf.text(f"Image quality, {words.long_day(day.day)}", pdf.TITLE),
        pdf.text(f"{day.site + '. ' if day.site else ''}Studies acquired on this day.{zones}", pdf.SMALL),
        pdf.verdict(day.status, day.headline, _below(day)),
    ]


def _below(day: Day) -> list[str]:
    """What stands below the headline: the worst problems, and what else a busy person must not miss."""
    lines = []
    for problem in day.problems[:PROBLEMS_TOP]:
        devices = f" ({', '.join(problem.devices[:4])}{', …' if len(problem.devices) > 4 else ''})" if problem.devices else ""
        lines.append(f"{words.STATUS[problem.status].symbol} {problem.title}: {words.studies(len(problem.items))}{devices}")
    if len(day.problems) > PROBLEMS_TOP:
        lines.append(f"and {words.count(len(day.problems) - PROBLEMS_TOP, 'more problem')}, see below")
    if day.missing:
        done = len(day.expected) - len(day.missing)
        lines.append(f"▲ Phantom tests missing: {done} of {len(day.expected)} expected")
    if day.trends.alarms:
        lines.append(f"▲ Charts that drift away from their baseline: {len(day.trends.alarms)}")
    if day.unread:
        lines.append(f"▲ {words.count(len(day.unread), 'file')} could not be read")
    if day.statuses["not_evaluable"] and day.status != "not_evaluable":
        lines.append(f"? {words.studies(day.statuses['not_evaluable'])} could not be evaluated in full")
    if not day.adds_up:
        lines.append("▲ The counts do not add up")
    if day.waiting:
        lines.append(f"? This report is not complete: {words.studies(day.waiting)} still to be checked (of this or another day)")
    if day.late:
        lines.append(f"{words.studies(len(day.late))} of earlier days arrived late")
    return lines


def _arrived(day: Day) -> list[Block]:
    files = (
        f"{words.count(day.given, 'file')} given = {words.count(day.instances, 'instance')} in {words.count(day.series, 'series', 'series')} "
        f"of {words.studies(len(day.studies))} + {len(day.skipped)} set aside."
    )
    blocks: list[Block] = [*pdf.heading("What came in"), pdf.text(files)]
    if day.studies:
        blocks += [pdf.tiles([(status, day.statuses[status]) for status in words.STATUS]), pdf.gap(2)]
        rows = [
            (
                one.device + (" (new: not confirmed yet)" if one.new else ""), one.modality, one.studies, one.series, one.instances,
                ", ".join(f"{said.symbol} {one.statuses[key]} {said.word.lower()}" for key, said in words.STATUS.items() if one.statuses[key]),
            )
            for one in day.devices
        ]  # fmt: skip
        head = ("Device", "Modality", "Studies", "Series", "Instances", "Studies by status")
        blocks.append(pdf.table(head, rows, (48, 18, 16, 16, 20, 62), (2, 3, 4)))
    judges = ", ".join(f"{words.count(one.values, 'value')} judged by {one.name}{f' (edition {one.editions})' if one.editions else ''}" for one in day.judges)  # fmt: skip
    if day.studies or day.late:
        rest = f"; {words.count(day.unlimited, 'value')} without a limit" if day.unlimited and day.judges else ""
        blocks.append(pdf.text(f"Limits: {judges or 'no value of this day has a limit'}{rest}.", pdf.SMALL))
    if day.silent:
        silent = ", ".join(f"{one.alias} (last {words.short_day(one.last_day)})" for one in day.silent)
        blocks.append(pdf.text(f"Nothing on this day from: {silent}.", pdf.SMALL))
    return blocks


# -- problems ---------------------------------------------------------------------------------------------------


def _problems(day: Day) -> list[Block]:
    blocks: list[Block] = pdf.heading("What needs a look, worst first", 45) if day.problems else []
    for problem in day.problems:
        full = day.full(problem)
        count = words.studies(len(problem.items))
        blocks += [pdf.gap(2), *pdf.keep(pdf.verdict(problem.status, problem.title, [count, *problem.meanings], 9.5))]
        for item in problem.items[:full]:
            blocks += _item(item, day)
        if problem.items[full:]:
            blocks += _brief(problem, full)
    return blocks


def _item(item: Item, day: Day) -> list[Block]:
    study = item.study
    late = " (arrived late)" if item.late else ""
    when = f"{words.short_day(study['study_day'])} {words.clock(study['study_time'])}{late}"
    device = item.device or study.get("devices") or "device not known"
    head = pdf.spans([(when, True), (device, True), (study["study_description"] or "without description", False)])
    blocks: list[Block] = [pdf.gap(1.5), *pdf.keep(pdf.beside(pdf.Badge(item.status), head))]
    for line in item.lines[:MOST_LINES]:
        blocks.append(pdf.text(f"{f'{line.where}: ' if line.where else ''}{line.text}", pdf.CELL))
    if item.values:
        rows = [(value.name, value.value, value.limits, value.series, pdf.Badge(value.status, 7.0)) for value in item.values[:MOST_LINES]]
        blocks.append(pdf.table(("Measured", "Value", "Limits", "Series", "Verdict"), rows, (35, 35, 45, 40, 25)))
    more = max(len(item.lines) - MOST_LINES, 0) + max(len(item.values) - MOST_LINES, 0)
    if more:
        blocks.append(pdf.text(f"and {more} more, see the files", pdf.SMALL))
    blocks += [pdf.text(origin, pdf.SMALL) for origin in item.origins]
    blocks += [pdf.Drawing(strip, 0.62 * pdf.WIDTH) for strip in day.strips(item)]
    blocks += pdf.gallery([("", day.evidence[one], "") for one in item.evidence if one in day.evidence])
    station = f"station {', '.join(item.stations)}; " if item.stations else ""
    where = f"Find it: {station}study {study['study_uid']}; {'; '.join(item.series.values())}".rstrip("; ")
    return [*blocks, pdf.text(f"{where}; patient {study.get('patient') or 'without ID'}", pdf.SMALL)]


def _brief(problem: Problem, full: int) -> list[Block]:
    rest = problem.items[full:]
    rows = []
    for item in rest[:MOST_BRIEF]:
        study, said = item.study, ""
        if item.lines:
            said = item.lines[0].text
        elif item.values:
            said = f"{item.values[0].name}: {item.values[0].value}, {item.values[0].limits}"
        when = f"{words.short_day(study['study_day'])} {words.clock(study['study_time'])}"
        device = item.device or study.get("devices") or "not known"
        rows.append((when, device, study["study_description"] or study["study_uid"], said))
    blocks: list[Block] = [*pdf.subheading(f"{words.count(len(rest), 'more study', 'more studies')} with the same problem")]
    blocks.append(pdf.table(("When", "Device", "Study", "What"), rows, (30, 30, 45, 75)))
    return blocks + ([pdf.text(f"and {len(rest) - MOST_BRIEF} more, see the files", pdf.SMALL)] if len(rest) > MOST_BRIEF else [])


# -- the rest ---------------------------------------------------------------------------------------------------


def _standing(day: Day) -> list[Block]:
    blocks: list[Block] = []
    if day.expected:
        done = len(day.expected) - len(day.missing)
        blocks += [*pdf.heading("Phantom tests expected on this day"), pdf.text(f"{done} of {len(day.expected)} expected")]
        blocks += [pdf.text(f"▲ {one.device}: no test with {one.phantom.replace('_', ' ')}") for one in day.missing]
    rows: list[tuple[object, ...]] = []
    for one in day.goes_on:
        state = f"day {one['day_number']}" + ("" if one["seen"] else ", not looked at on this day")
        if one["state"] != "open":
            until = f" until {words.short_day(one['until'])}" if one["until"] else ""
            state += f"; {one['state']}{until} by {one['who']}: {one['why']}"
        rows.append((pdf.Badge(one["status"], 7.0), one["where"], one["title"], words.short_day(one["first_day"]), state))
    for one in day.over:
        rows.append(
            (
                "✔ Over",
                one["where"],
                one["title"],
                words.short_day(one["first_day"]),
                f"over after {words.count(one['day_number'] - 1, 'day')}",
            )
        )
    if rows:
        head = ("Status", "Where", "What", "Since", "State")
        blocks += [*pdf.heading("What goes on, and what is over"), pdf.table(head, rows, (26, 34, 56, 24, 40))]
    return blocks


def _trends(day: Day) -> list[Block]:
    return [*pdf.heading("Trends of phantom values", 60), *pdf.trends(day.trends)] if day.trends.total else []


def _phantoms(day: Day) -> list[Block]:
    if not day.phantoms:
        return []
    rows = [(one.phantom, one.device or "not known", pdf.Badge(one.status, 7.0), one.headline, one.pdf.name) for one in day.phantoms]
    return [*pdf.heading("Phantom runs"), pdf.table(("Phantom", "Device", "Verdict", "Outcome", "Report"), rows, (35, 25, 26, 44, 50))]


def _unjudged(day: Day) -> list[Block]:
    if not day.unjudged:
        return []
    rows = []
    for one in day.unjudged:
        where = "; ".join(one.where[:4]) + (f"; and {len(one.where) - 4} more" if len(one.where) > 4 else "")
        rows.append((one.what, " ".join(filter(None, (one.reason, one.message))), where))
    return [*pdf.heading("What could not be evaluated, and why"), pdf.table(("What", "Why", "Where"), rows, (45, 70, 65))]


def _skipped(day: Day) -> list[Block]:
    if not day.skipped:
        return []
    blocks: list[Block] = pdf.heading("Files set aside, and why")
    for (worrying, reason), rows in day.by_reason():
        title = f"{'▲ ' if worrying else ''}{words.aside(reason)}: {words.count(len(rows), 'file')}{'' if worrying else ' (harmless)'}"
        blocks += pdf.subheading(title, 14)
        if worrying:
            blocks += [pdf.text(f"{row['path']}{' in folder ' + row['folder'] if row['folder'] else ''}: {row['message']}", pdf.CELL) for row in rows[:MOST_SKIPPED]]  # fmt: skip
            if len(rows) > MOST_SKIPPED:
                blocks.append(pdf.text(f"and {len(rows) - MOST_SKIPPED} more, see the files", pdf.SMALL))
    return blocks


def _late(day: Day) -> list[Block]:
    if not day.late:
        return []
    text = "Studies of earlier days that came after the report of their own day was written. They are not in the counts above."
    rows = [(words.short_day(row["study_day"]), *_study(row)) for row in day.late]
    return [*pdf.heading("Arrived late"), pdf.text(text), pdf.table(("Day", *_STUDY), rows, (24, 18, 34, 62, 16, 30))]


_STUDY = ("Time", "Device", "Study", "Images", "Status")


def _study(row: Row) -> tuple[object, ...]:
    name = f"{row['study_description'] or 'without description'}; patient {row['patient'] or 'without ID'}"
    return words.clock(row["study_time"]), row["devices"] or "not known", name, row["instances"], pdf.Badge(row["status"], 7.0)


def _fine(day: Day) -> list[Block]:
    fine = [row for row in day.studies if row["status"] in words.FINE]
    if not fine:
        return []
    rows = [_study(row) for row in fine]
    return [
        *pdf.heading("In order"),
        pdf.text(f"{words.studies(len(fine))} in which nothing wrong was found"),
        pdf.table(_STUDY, rows, (18, 38, 76, 18, 30), (3,)),
    ]


def _end(day: Day) -> list[Block]:
    meanings = " ".join(f"{one.symbol} {one.word}: {one.meaning}." for one in words.STATUS.values())
    checks = {row["check"] for row in day.checks}
    ran = (
        f"{words.count(len(checks), 'check')} ran, {words.count(sum(row['runs'] for row in day.checks), 'time')} in all. " if checks else ""
    )
    hidden = "Patients appear as a code that only this site can turn back."
    rounded = "Values are rounded here; the CSV and XLSX files beside this one hold them in full."
    return [
        *pdf.heading("How to read this", 20),
        pdf.text(f"{meanings} The worst status of anything in a study is that of the study.", pdf.SMALL),
        pdf.text(f"{ran}{hidden} {rounded}", pdf.SMALL),
    ]
