"""The report of `pacsqc check` as text for a terminal: compact, worst first, each value beside its limits."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import floor, log10
from typing import Any

from qc.output import natural
from qc.results import Finding, Judged, Status, Subject, severity
from qc.runner import Report, display_unit
from qc.study import Series, Study

COLOURS = {
    Status.FAIL: ("red", True),
    Status.ERROR: ("magenta", True),
    Status.WARN: ("yellow", True),
    Status.NOT_EVALUABLE: ("cyan", False),
    Status.INFO: ("blue", False),
    Status.PASS: ("green", False),
}
WORDS = {Status.NOT_EVALUABLE: "n/e"}
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
SHOWN_FILES = 3
SHOWN_ALIKE = 5
Place = tuple[str, str]  # UIDs of study and series
NO_SUBJECT = ("", "")


def safe(text: str) -> str:
    """Return a text from outside without control characters: headers and file names could steer the terminal."""
    return "".join(char if char.isprintable() else " " for char in text)


class Page:
    """Lines of text, wrapped to the terminal and coloured where that is wanted.

    Parameters
    ----------
    colour
        Use colours.
    width
        Wrap at this column; 0: never, one statement a line, as programs like it.
    """

    def __init__(self, *, colour: bool, width: int = 0) -> None:
        self.colour = colour
        self.width = width
        self.lines: list[str] = []

    def __str__(self) -> str:
        return "\n".join(self.lines) + "\n"

    def style(self, text: str, colour: str = "", *, bold: bool = False) -> str:
        """Return a text with colour, or as it is."""
        if not self.colour or not text:
            return text
        from typer import style

        return style(text, fg=colour or None, bold=bold or None, dim=None if colour or bold else True)

    def add(self, text: str = "", indent: int = 0, first: str = "", width_of_first: int | None = None) -> None:
        """Add a paragraph; `first` stands in front of it, further lines are indented as far as its text."""
        head = " " * indent + first
        hang = indent + (len(first) if width_of_first is None else width_of_first)
        if not self.width:
            self.lines.append((head + text).rstrip())
            return
        taken = len(ESCAPE.sub("", head))
        width = max(self.width, hang + 30, taken + 10)
        wrap = textwrap.TextWrapper(width, " " * taken, " " * hang, break_long_words=False, break_on_hyphens=False)
        lines = wrap.wrap(text) or [" " * taken]
        self.lines.append((head + lines[0][taken:]).rstrip())
        self.lines += lines[1:]

    def label(self, status: Status) -> str:
        """Return the word for a status, in its colour, always equally wide."""
        colour, bold = COLOURS[status]
        return self.style(f"{WORDS.get(status, status.value):<6}", colour, bold=bold)


def terminal_width() -> int:
    """Return the width to wrap at."""
    return min(shutil.get_terminal_size((100, 24)).columns, 120)


def render(report: Report, *, exit_code: int, strict: bool = False, verbose: bool = False, colour: bool = False, width: int = 0) -> str:
    """Return the report as text.

    Parameters
    ----------
    exit_code, strict
        Said in the last line, so that a script's author sees what to expect.
    verbose
        Also list the checks that passed, and UIDs of series.
    """
    page = Page(colour=colour, width=width)
    known = {(study.uid, series.uid) for study in report.studies for series in study.series} | {(study.uid, "") for study in report.studies}
    findings, measurements = _sorted(report, known)
    for study in report.studies:
        _study(page, study, report, findings, measurements, verbose)
    _findings(page, findings.get(NO_SUBJECT, []), 0, "Files", verbose=verbose)
    _skipped(page, report)
    _totals(page, report, exit_code, strict)
    return str(page)


def _sorted(report: Report, known: set[Place]) -> tuple[dict[Place, list[Finding]], dict[Place, list[Judged]]]:
    """Sort results under (study, series); a series of ("study", "") is the study itself."""

    def key(subject: Subject) -> Place:
        place = (subject.study_uid or "", subject.series_uid or "")
        return place if subject.level != "file" and place in known else NO_SUBJECT

    findings: dict[Place, list[Finding]] = defaultdict(list)
    measurements: dict[Place, list[Judged]] = defaultdict(list)
    for finding in report.findings:
        findings[key(finding.subject)].append(finding)
    for judged in report.measurements:
        measurements[key(judged.measurement.subject)].append(judged)
    return findings, measurements


def _study(page: Page, study: Study, report: Report, findings: Mapping[Any, Any], measurements: Mapping[Any, Any], verbose: bool) -> None:
    count = sum(len(series.instances) for series in study.series)
    facts = [_when(study), safe(str(study.series[0].first("StationName", ""))), f"{len(study.series)} series", _files(count)]
    heading = page.style(f"Study {safe(study.uid) or 'without UID'}", bold=True)
    page.add(", ".join(fact for fact in facts if fact), first=heading + "  ", width_of_first=2)
    if study.uid:  # a study without UID: its findings stand under its series or under Files
        _findings(page, findings.get((study.uid, ""), []), 2, verbose=verbose)
        _measurements(page, measurements.get((study.uid, ""), []), 2)
    for series in study.series:
        _series(page, series, findings[(study.uid, series.uid)], measurements[(study.uid, series.uid)], verbose)
        if verbose:
            _passed(page, report, series)
    page.add()


def _when(study: Study) -> str:
    date, time = (str(study.series[0].first(keyword, "")) for keyword in ("StudyDate", "StudyTime"))
    day = f"{date[:4]}-{date[4:6]}-{date[6:]}" if len(date) == 8 else date
    return f"{day} {time[:2]}:{time[2:4]}" if day and len(time) >= 4 and time[:4].isdigit() else day


def _files(count: int) -> str:
    return f"{count} file{'' if count == 1 else 's'}"


def _series(page: Page, series: Series, findings: list[Finding], measurements: list[Judged], verbose: bool) -> None:
    number = series.first("SeriesNumber")
    name = f"Series {number}" if number is not None else "Series"
    frames = f", {len(series.frames)} frames" if len(series.frames) != len(series.instances) else ""
    text = f'"{safe(series.description)}" ' if series.description else ""
    page.add(
        f"{text}{safe(series.modality) or 'no modality'}, class {series.klass}, {_files(len(series.instances))}{frames}",
        indent=2,
        first=page.style(name, bold=True) + "  ",
        width_of_first=2,
    )
    if not findings and not any(severity(one.verdict.status) < severity(Status.INFO) for one in measurements):
        page.add(page.style("nothing wrong", "green"), indent=4)
    _findings(page, findings, 4, verbose=verbose)
    _measurements(page, measurements, 4)


def _findings(page: Page, findings: Sequence[Finding], indent: int, heading: str = "", *, verbose: bool = False) -> None:
    """Findings, worst first; what is said alike of many is said a few times and counted."""
    if not findings:
        return
    if heading:
        page.add(page.style(heading, bold=True))
        indent += 2
    alike: dict[tuple[int, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        alike[(severity(finding.status), finding.code)].append(finding)
    for key in sorted(alike):
        group = alike[key]
        for finding in group if verbose else group[:SHOWN_ALIKE]:
            where = f" ({finding.subject.path})" if finding.subject.path and finding.subject.path not in finding.message else ""
            page.add(safe(finding.message + where), indent, f"{page.label(finding.status)} {finding.code}: ", 7)
            if verbose and "traceback" in finding.details:
                page.lines += [" " * (indent + 7) + safe(line) for line in str(finding.details["traceback"]).splitlines()]
        if len(group) > SHOWN_ALIKE and not verbose:
            page.add(page.style(f"... and {len(group) - SHOWN_ALIKE} more of this kind"), indent + 7)
        if group[0].advice:
            page.add(group[0].advice, indent + 7, page.style("-> "), 3)
    if heading:
        page.add()


def _measurements(page: Page, measurements: Sequence[Judged], indent: int) -> None:
    """One line a value: status, metric, region, value, limits. Columns are as wide as their widest entry."""
    if not measurements:
        return
    ordered = sorted(measurements, key=lambda one: (one.measurement.metric, natural(one.measurement.region)))
    cells = [(one, " ".join(filter(None, (one.measurement.metric, one.measurement.region))), value_words(one)) for one in ordered]
    names = min(max(len(name) for _, name, _ in cells), 44)
    values = max((len(value) for one, _, value in cells if one.measurement.value is not None), default=0)
    for one, name, value in cells:
        line = f"{name:<{names}}  {value:>{values}}  {page.style(limit_words(one))}".rstrip()
        page.lines.append(f"{' ' * indent}{page.label(one.verdict.status)} {line}")


def _passed(page: Page, report: Report, series: Series) -> None:
    ran = [one for one in report.ran if (one.subject.study_uid or "", one.subject.series_uid or "") == (series.study_uid, series.uid)]
    passed = [one.check for one in ran if one.status is Status.PASS]
    page.add(page.style(f"series UID {safe(series.uid)}"), indent=4)
    if passed:
        page.add(", ".join(passed), 4, page.label(Status.PASS) + " ", 7)


def _skipped(page: Page, report: Report) -> None:
    """Skipped files by reason, with the first few names."""
    if not report.skipped:
        return
    page.add(page.style(f"Skipped {_files(len(report.skipped))}", bold=True))
    reasons: dict[str, list[str]] = defaultdict(list)
    for one in report.skipped:
        reasons[one.reason].append(safe(one.shown))
    for reason, names in sorted(reasons.items()):
        more = f" and {len(names) - SHOWN_FILES} more" if len(names) > SHOWN_FILES else ""
        page.add(f"{len(names)}: {', '.join(names[:SHOWN_FILES])}{more}", 2, f"{reason.replace('_', ' ')}, ", 2)
    page.add()


def _totals(page: Page, report: Report, exit_code: int, strict: bool) -> None:
    counts = report.counts()
    parts = [f"{counts[status]} {status.value.replace('_', ' ')}" + " (n/e)" * (status in WORDS) for status in Status]
    meaning = {0: "nothing failed", 1: "something failed" + (" or warned (--strict)" if strict else ""), 2: "nothing to check"}[exit_code]
    worst_status = min(report_statuses(report), key=severity, default=Status.NOT_EVALUABLE)
    colour, bold = COLOURS[worst_status]
    ran = f"{len(report.ran)} check{'' if len(report.ran) == 1 else 's'} ran"
    page.add(f"{_files(report.given)}, {ran}: {', '.join(parts)}. " + page.style(f"Exit code {exit_code}: {meaning}.", colour, bold=bold))


def report_statuses(report: Report) -> Iterator[Status]:
    """Every status of a finding or measurement."""
    yield from (finding.status for finding in report.findings)
    yield from (judged.verdict.status for judged in report.measurements)


# -- numbers --------------------------------------------------------------------------------------------------------


def number_words(value: float, uncertainty: float | None = None) -> str:
    """Return a number as people write it: to two digits of its uncertainty, else four significant digits.

    >>> number_words(87.45678, 0.12), number_words(12345.678), number_words(0.00012345), number_words(5.0)
    ('87.46', '12346', '0.0001234', '5')
    """
    if value == 0:
        return "0"
    if uncertainty:
        places = max(0, 1 - floor(log10(uncertainty)))
        return f"{value:.{min(places, 6)}f}"
    if not 1e-4 <= abs(value) < 1e7:
        return f"{value:.4g}"
    text = f"{value:.{max(0, 3 - floor(log10(abs(value))))}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def value_words(judged: Judged) -> str:
    """Return value, uncertainty and unit, or why there is no value."""
    one = judged.measurement
    if one.value is None:
        return f"no value: {(one.reason or '').replace('_', ' ')}"
    unit = display_unit(one.unit)
    text = number_words(one.value, one.uncertainty)
    if one.uncertainty:
        text += f" ± {one.uncertainty:.2g}"
    return text if not unit else f"{text}{'' if unit == '°' else ' '}{unit}"


def limit_words(judged: Judged) -> str:
    """Return the limits in words: ``at least 87.5``, ``95 to 105 (warns outside 97 to 103)``."""
    limits = judged.verdict.limits
    if not limits:
        return ""
    action = _range(limits.get("action_low"), limits.get("action_high"))
    tolerance = _range(limits.get("tolerance_low"), limits.get("tolerance_high"))
    if action and tolerance:
        return f"limit {action}, warns unless {tolerance}"
    return f"limit {action}" if action else f"warns unless {tolerance}" if tolerance else ""


def _range(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    return f"at least {low:g}" if low is not None else f"at most {high:g}" if high is not None else ""


def table(rows: Iterable[Sequence[str]], *, gap: int = 2) -> str:
    """Return rows of texts in columns."""
    kept = [list(row) for row in rows]
    widths = Counter[int]()
    for row in kept:
        for column, cell in enumerate(row):
            widths[column] = max(widths[column], len(cell))
    return "".join((" " * gap).join(cell.ljust(widths[column]) for column, cell in enumerate(row)).rstrip() + "\n" for row in kept)
