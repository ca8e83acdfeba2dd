"""A phantom run, sorted for reading: one visit with a phantom, its series, their values beside limits, what could not be measured.

Whatever the phantom: a test is what its check declares, and a new phantom needs nothing here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from statistics import fmean, stdev

from qc.output import natural
from qc.results import Evidence, Status, worst
from qc.runner import display_unit
from reports import words
from reports.problems import LEVELS, LIMIT, Row, Titles, series_words
from reports.sentences import PHANTOMS

CLASS = "phantom:"
MOST_CHARTS = 24
LEAST_BEFORE = 5  # runs, for a mean and a spread that mean something
MOST_SAID = 3  # values named under one picture
_APART = (("echo_time_ms", "TE {:g} ms"),)  # details that tell values of one name in one series apart


@dataclass
class Line:
    """One value as it stands in the table.

    Attributes
    ----------
    note
        Number of the criterion in `Run.notes`; 0 where there is none.
    """

    row: Row
    test: str
    region: str
    value: str
    uncertainty: str
    unit: str
    limits: str
    status: str
    note: int = 0

    @property
    def judged(self) -> bool:
        """Tell whether a criterion holds for it."""
        return bool(self.row["criteria_set"])

    @property
    def metric(self) -> str:
        """Its metric."""
        return str(self.row["metric"])


@dataclass
class Part:
    """One series of the run.

    Attributes
    ----------
    evidence
        Ids of pictures, grouped by test, each once, with what is to be said of it beside its own caption.
    """

    row: Row
    title: str
    lines: list[Line] = field(default_factory=list)
    evidence: dict[str, dict[int, str]] = field(default_factory=dict)

    @property
    def about(self) -> str:
        """How large the series is, and how it was acquired."""
        size = [words.count(self.row["instances"], "file"), words.count(self.row["frames"], "image")]
        return "; ".join([", ".join(dict.fromkeys(size)), *conditions(self.row)])

    @property
    def judged(self) -> list[Line]:
        """Values that a criterion holds for, also those that could not be measured."""
        return [line for line in self.lines if line.judged]

    @property
    def unlimited(self) -> list[Line]:
        """Values that no limit is known for."""
        return [line for line in self.lines if not line.judged and line.row["value"] is not None]


@dataclass
class Trend:
    """One measure of this device over the runs before and with this one, all by the same method.

    Attributes
    ----------
    points
        (day, value), the last is of this run.
    """

    line: Line
    series: str
    points: list[tuple[date, float]]

    @property
    def drift(self) -> str:
        """How this run differs from those before: their mean and standard deviation, and how far off this one is."""
        before = [value for _, value in self.points[:-1]]
        if len(before) < LEAST_BEFORE:
            return f"{words.count(len(before), 'run')} before"
        spread = stdev(before)
        change = self.points[-1][1] - fmean(before)
        text = f"{len(before)} before: mean {words.rounded(fmean(before), spread)[0]}"
        return f"{text}, SD {spread:.2g}; now {change:+.2g}" if spread > 0 else f"{text}; now {change:+.2g}"


@dataclass
class Run:
    """All that the report of one visit shows."""

    study: Row
    phantoms: list[str]
    device: list[tuple[str, str]]
    parts: list[Part]
    remarks: list[Row]
    missing: list[tuple[str, str, list[str]]]
    notes: list[tuple[str, str]]
    methods: list[str]
    pictures: dict[int, Evidence]
    written_at: datetime
    software: str
    site: str = ""
    history: list[Trend] = field(default_factory=list)
    has_store: bool = False

    @property
    def judged(self) -> list[Line]:
        """Values of all series that a criterion holds for."""
        return [line for part in self.parts for line in part.judged]

    @property
    def counts(self) -> Counter[str]:
        """How many values have each status."""
        return Counter(line.status for part in self.parts for line in part.lines)

    @property
    def status(self) -> str:
        """Worst of what was judged and of the remarks. What has no limit is listed, but gives no verdict."""
        some = [line.status for line in self.judged] + [row["status"] for row in self.remarks]
        return str(worst([Status(one) for one in some])) if some else "info"

    @property
    def headline(self) -> str:
        """The run in one sentence."""
        total, counts = len(self.judged), Counter(line.status for line in self.judged)
        if counts["fail"]:
            return f"Failed: {counts['fail']} of {words.count(total, 'value')} with a limit {'is' if counts['fail'] == 1 else 'are'} outside it"
        bad = next((one for one in ("fail", "error") if any(row["status"] == one for row in self.remarks)), "")
        if bad:
            return (
                "Failed: the images have a fault, see the remarks" if bad == "fail" else "A test ended by a software error, see the remarks"
            )
        if not total:
            return "Measured; no limit is known for these values"
        gone = counts["not_evaluable"]
        if gone:
            return f"Not complete: {gone} of {words.count(total, 'value')} with a limit could not be measured"
        inside = "The only value with a limit is inside it" if total == 1 else f"All {total} values with a limit are inside it"
        if self.status == "warn":
            return f"{inside}, with warnings"
        return f"{inside}, but not all tests could be done" if self.status == "not_evaluable" else inside

    @property
    def below(self) -> list[str]:
        """What is to be said beside the headline."""
        said = []
        for part in self.parts:
            for status in ("fail", "warn"):
                bad = list(dict.fromkeys(line.test for line in part.lines if line.status == status))
                if bad:
                    said.append(
                        f"{words.STATUS[status].symbol} {words.STATUS[status].word}, {part.title}: {'; '.join(map(words.lower, bad))}"
                    )
        if self.missing:
            what = words.count(sum(line.row["value"] is None for part in self.parts for line in part.lines), "value")
            said.append(f"? {what} could not be measured; the reasons stand under “Not measured”")
        return said

    @property
    def by_hand(self) -> list[str]:
        """What a person set for a test, and who, when and why; each once."""
        said: dict[str, dict[str, None]] = {}
        for line in (line for part in self.parts for line in part.lines):
            told = (line.row["details"] or {}).get("by_hand")
            if told:
                where = {name: value for name, value in told.items() if not name.startswith("set_")}
                text = f"{words.parameters(where)}; by {told['set_by']}, {told['set_at'][:16].replace('T', ' ')}: {told['set_why']}"
                said.setdefault(text, {})[line.test] = None
        return [f"{', '.join(tests)}: {text}" for text, tests in said.items()]

    @property
    def charts(self) -> list[Trend]:
        """What is drawn of the history: all, where that is not too much, else the values with a limit."""
        judged = [trend for trend in self.history if trend.line.judged]
        return self.history if len(self.history) <= MOST_CHARTS or not judged else judged

    @property
    def name(self) -> str:
        """Name of the phantom or phantoms."""
        return ", ".join(self.phantoms)


def is_run(series: Iterable[Row]) -> bool:
    """Tell whether a study is a phantom run."""
    return any((row["class"] or "").startswith(CLASS) for row in series)


def tests_of_phantoms() -> frozenset[str]:
    """Return the ids of the checks that measure phantoms."""
    from qc.check import load_checks
    from qc.errors import ConfigurationError

    try:
        return frozenset(spec.id for spec in load_checks() if any(name.startswith(CLASS) for name in spec.applies.classes))
    except ConfigurationError:  # a report of stored results needs no check; the class of the series will do
        return frozenset()


def check_of(row: Row) -> str:
    """Return the id of the check that measured a value."""
    return str(row["method"]).partition("/")[0]


def parts(series: Sequence[Row], measurements: Sequence[Row], titles: Titles, notes: list[tuple[str, str]]) -> list[Part]:
    """Return the series with their values, in the order in which they were measured; criteria are added to the notes."""
    tests = tests_of_phantoms()
    measured = {row["series_uid"] for row in measurements}
    series = [row for row in series if row["series_uid"] in measured]
    found: dict[str, Part] = {row["series_uid"]: Part(row, title) for row, title in zip(series, _titles(series), strict=True)}
    for row in measurements:
        part = found.get(row["series_uid"] or "")
        ours = check_of(row) in tests if tests else (row["class"] or "").startswith(CLASS)
        if part is None or not ours:
            continue
        line = _line(row, titles, notes)
        part.lines.append(line)
        test = titles.checks.get(check_of(row)) or line.test
        for one in row["evidence"] or ():
            part.evidence.setdefault(test, {})[one] = ""
    for part in found.values():
        _say_values(part)
        order = {name: place for place, name in enumerate(dict.fromkeys(line.metric for line in part.lines))}
        _tell_apart(part.lines)
        part.lines.sort(key=lambda line: (order[line.metric], natural(line.region)))
    return [part for part in found.values() if part.lines]


def _titles(series: Sequence[Row]) -> list[str]:
    """Name each series; two of one name by their times too."""
    names = Counter(map(series_words, series))
    clocks = [words.clock(row["series_time"]) if names[series_words(row)] > 1 else "" for row in series]
    return [f"{series_words(row)} {clock}".strip() for row, clock in zip(series, clocks, strict=True)]


def _line(row: Row, titles: Titles, notes: list[tuple[str, str]]) -> Line:
    levels = tuple(row[level] for level in LEVELS)
    value, spread = ("none", "") if row["value"] is None else words.rounded(row["value"], row["uncertainty"], levels)
    return Line(
        row, titles.metric(row["metric"]), words.region(row["region"]), value, spread, display_unit(row["unit"]),
        words.limit_words(row, ""), row["status"], _note(row, notes),
    )  # fmt: skip


def _note(row: Row, notes: list[tuple[str, str]]) -> int:
    """Return the number of the criterion's origin, which is noted once."""
    if not row["criteria_set"]:
        return 0
    sure = words.CONFIDENCE.get(row["criteria_confidence"], row["criteria_confidence"])
    edition = f"{row['criteria_set']}, edition {row['criteria_edition']}"
    one = edition, "; ".join(filter(None, (row["criteria_provenance"], sure)))
    if one not in notes:
        notes.append(one)
    return notes.index(one) + 1


def _tell_apart(lines: Sequence[Line]) -> None:
    """Add the echo time where two values have one name."""
    names = Counter((line.metric, line.row["region"]) for line in lines)
    for line in lines:
        for key, form in _APART:
            value = (line.row["details"] or {}).get(key)
            if names[line.metric, line.row["region"]] > 1 and isinstance(value, (int, float)):
                line.region = ", ".join(filter(None, (line.region, form.format(value))))


def _say_values(part: Part) -> None:
    """Write under each picture which values come from it, where there are few."""
    for pictures in part.evidence.values():
        for one in pictures:
            lines = [line for line in part.lines if one in (line.row["evidence"] or ())]
            if len(lines) <= MOST_SAID:
                said = (
                    " ".join(filter(None, (line.test, f"({line.region})" if line.region else "", line.value, line.unit))) for line in lines
                )
                pictures[one] = "; ".join(said)


def missing(some: Sequence[Part]) -> list[tuple[str, str, list[str]]]:
    """Return what has no value: (what, why, in which series), each once."""
    found: dict[tuple[str, str], dict[str, list[str]]] = {}
    for part in some:
        for line in part.lines:
            if line.row["value"] is None:
                why = words.reason(line.row["reason"])
                more = (line.row["details"] or {}).get("message", "")
                if more and any(map(str.isdigit, more)):
                    why = f"{why} ({more})"
                found.setdefault((line.test, why), {}).setdefault(part.title, []).append(line.region)
    told = []
    for (test, why), places in found.items():
        regions = list(dict.fromkeys(one for some in places.values() for one in some if one))
        told.append((f"{test}: {'; '.join(regions)}" if regions else test, why, list(places)))
    return told


def remarks(findings: Iterable[Row], own: frozenset[str]) -> list[Row]:
    """Return what else was found in the series of the phantom, worst first; limits that are exceeded stand in the table."""
    some = [row for row in findings if row["code"] != LIMIT and row["status"] in (*words.BAD, "not_evaluable")]
    some = [row for row in some if row["series_uid"] is None or row["series_uid"] in own]
    return sorted(some, key=lambda row: words.ORDER[row["status"]])


def conditions(row: Row) -> list[str]:
    """Return what values and limits depend on, in words: field strength, how the series was acquired, coil."""
    field_t = (row["facts"] or {}).get("field_strength_t")
    said = [f"{field_t:.4g} T"] if isinstance(field_t, (int, float)) else []
    return said + [one for one in (row["protocol"], f"coil {row['coil']}" if row["coil"] else "") if one]


def name_of_phantom(klass: str) -> str:
    """Return a class in words: ``phantom:acr_mri_large`` is "ACR MRI phantom, large"."""
    plain = klass.removeprefix(CLASS)
    return PHANTOMS.get(plain) or words.human(plain)
