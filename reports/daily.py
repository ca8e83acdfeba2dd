"""The daily report: one HTML file that needs no network and no script, with PDF, CSV and XLSX beside it.

`gather` reads the store, `render` makes the page, `write` puts the files down and notes that the day was told of.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qc.results import Evidence
from reports import alerts, daily_pdf, due, export, figures, frames, phantom, problems, strips, trend_section, trends, words
from reports.intake import Intake
from reports.intake import of_day as intake_of_day
from reports.page import environment, put
from reports.problems import Item, Problem, Row, Titles, Unjudged

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy.engine import Connection

    from reports.store import Store

PICTURES_ITEM = 2  # pictures shown of one study under one problem
PICTURES_PAGE = 60
STRIPS_ITEM = 3  # drawings of gaps of one study under one problem
PROBLEMS_TOP = 6  # problems named in the headline
FULL = {"fail": 5, "error": 3, "warn": 2}  # studies of one problem shown at length; the others have a line each
SILENT_DAYS = 30  # a device that sent nothing for longer is not asked for any more


@dataclass
class Arrived:
    """What came in from one device."""

    device: str
    modality: str
    new: bool
    studies: int = 0
    series: int = 0
    instances: int = 0
    statuses: Counter[str] = field(default_factory=Counter)


@dataclass
class Judge:
    """A criteria set that judged values of the day."""

    name: str
    editions: str
    values: int


@dataclass
class Day:
    """All that the page shows, ready to be laid out."""

    day: date
    written_at: datetime
    zones: list[str]
    studies: list[Row]
    late: list[Row]
    series: int
    given: int
    instances: int
    skipped: list[Row]
    statuses: Counter[str]
    late_statuses: Counter[str]
    waiting: int
    devices: list[Arrived]
    silent: list[Any]
    problems: list[Problem]
    unjudged: list[Unjudged]
    checks: list[Row]
    judges: list[Judge]
    unlimited: int
    notes: Counter[str]
    evidence: dict[int, Evidence]
    frames: dict[str, pd.DataFrame]
    trends: trend_section.Trends
    standing: list[Row]  # problems of the ledger: what goes on, and what was over on the day
    expected: list[due.Expected]  # phantom tests
    site: str = ""
    intake: Intake = field(default_factory=Intake)
    phantoms: list[phantom.Written] = field(default_factory=list)

    @property
    def unread(self) -> list[Row]:
        """Files that should have been readable."""
        return [row for row in self.skipped if words.worrying(row["reason"], row["path"])]

    @property
    def missing(self) -> list[due.Expected]:
        """Phantom tests that were expected on the day and not done."""
        return [one for one in self.expected if not one.done]

    @property
    def goes_on(self) -> list[Row]:
        """Problems that were there before, and those that somebody took up."""
        return [one for one in self.standing if one["state"] != "resolved" and (one["day_number"] > 1 or one["state"] != "open")]

    @property
    def over(self) -> list[Row]:
        """Problems that were over on the day."""
        return [one for one in self.standing if one["state"] == "resolved"]

    @property
    def adds_up(self) -> bool:
        """Tell whether every file given is an instance or was set aside."""
        return self.given == self.instances + len(self.skipped)

    @property
    def status(self) -> str:
        """How the day is, in one word; only ``pass`` is green, and a day of which nothing is known is ``nothing``."""
        both = self.statuses + self.late_statuses
        for status in words.BAD:
            if both[status]:
                return status
        if self.unread or not self.adds_up or self.missing or self.trends.alarms:
            return "warn"
        if not both:
            return "nothing"
        return "not_evaluable" if both["not_evaluable"] or self.waiting else "pass"

    @property
    def headline(self) -> str:
        """The day in one sentence. Its numbers are those of the counts below it; what arrived late is said apart."""
        status, total = self.status, len(self.studies)
        own, late = self.statuses[status], self.late_statuses[status]
        if status in (*words.BAD, "not_evaluable") and own + late:
            said = {"fail": "failed", "error": "could not be checked (software error)", "not_evaluable": "could not be evaluated in full"}
            what = said.get(status) or ("needs a look" if (own or late) == 1 else "need a look")
            if not own:
                return f"{words.studies(late)} that arrived late {what}"
            some = f"{own} of {words.studies(total)}"
            if own == total:
                some = "The only study" if total == 1 else f"All {words.studies(total)}"
            return f"{some} {what}" + (f", and {late} that arrived late" if late else "")
        if status == "warn":
            return self._warning
        if status == "nothing":
            return "No studies. Nothing was checked on this day."
        if status == "not_evaluable":
            return f"Not complete: {words.studies(self.waiting)} still to be checked"
        if not total:
            return "No studies of this day; those that arrived late are in order"
        return "The only study is in order" if total == 1 else f"All {words.studies(total)} are in order"

    @property
    def _warning(self) -> str:
        """What is to be looked at where no study is bad."""
        if self.unread:
            return f"{words.count(len(self.unread), 'file')} could not be read"
        if not self.adds_up:
            return "The counts do not add up"
        if self.missing:
            return f"Phantom tests: {len(self.expected) - len(self.missing)} of {len(self.expected)} expected"
        return f"{words.count(len(self.trends.alarms), 'chart drifts', 'charts drift')} away from the baseline"

    def full(self, problem: Problem) -> int:
        """Return how many studies of a problem are shown at length: all, where hardly any would be left."""
        most = FULL[problem.status]
        return most if len(problem.items) > most + 1 else len(problem.items)

    def shown(self, item: Item) -> list[Any]:
        """Return the pictures of an item that are on the page."""
        return [figures.figure(self.evidence[one]) for one in item.evidence if one in self.evidence]

    def strips(self, item: Item) -> list[Any]:
        """Return drawings of where something is missing along a stack."""
        some = [(where, details) for where, details in item.details if strips.strip(details) is not None][:STRIPS_ITEM]
        return [strips.strip(details, where if len(some) > 1 else "") for where, details in some]

    def by_reason(self) -> list[tuple[tuple[bool, str], list[Row]]]:
        """Return what was skipped, grouped by whether that is worrying and by reason, the harmless last."""
        groups: dict[tuple[bool, str], list[Row]] = {}
        for row in self.skipped:
            groups.setdefault((words.worrying(row["reason"], row["path"]), row["reason"]), []).append(row)
        return sorted(groups.items(), key=lambda one: (not one[0][0], -len(one[1]), one[0][1]))


def gather(store: Store, day: date, site: str = "", rules: Sequence[due.Rule] = (), holidays: Sequence[date] = ()) -> Day:
    """Read everything the report of a day tells of.

    Parameters
    ----------
    site
        Stands in the footer.
    rules, holidays
        Which phantom tests are expected.
    """
    trends.refresh(store)
    at = store.now()  # first: what is done from here on may be told of twice, but never not at all
    tables = {
        "studies": frames.studies(store, day),
        "series": frames.series(store, day),
        "findings": frames.findings(store, day),
        "measurements": frames.measurements(store, day),
        "skipped": frames.skipped(store, day),
        "checks": frames.checkruns(store, day),
    }
    late = {name: getattr(frames, name)(store, day, late=True) for name in ("studies", "series", "findings", "measurements")}
    own, old = problems.rows(tables["studies"]), problems.rows(late["studies"])
    tables["arrived_late"] = late["studies"]
    skipped = problems.rows(tables["skipped"])
    findings = problems.rows(tables["findings"]) + problems.rows(late["findings"])
    measurements = problems.rows(tables["measurements"]) + problems.rows(late["measurements"])
    titles = Titles.load()
    found = problems.problems(own + old, findings, measurements, frozenset(row["study_uid"] for row in old), titles)
    tally = store.tally()
    series = problems.rows(tables["series"])
    return Day(
        day=day,
        written_at=at.astimezone(store.zone),
        zones=sorted({row["zone"] for row in own + old if row["zone"]}),
        studies=own,
        late=old,
        series=len(series),
        given=sum(row["files"] for row in own) + sum(row["study_uid"] is None for row in skipped),
        instances=sum(row["instances"] for row in own),
        skipped=skipped,
        statuses=Counter(row["status"] for row in own),
        late_statuses=Counter(row["status"] for row in old),
        waiting=tally["ready"] + tally["leased"] + tally["arriving"],
        devices=_arrived(own, series),
        silent=_silent(store, day, series),
        problems=found,
        unjudged=problems.unjudged(findings, measurements, titles),
        checks=[{**row, "title": titles.checks.get(row["check"], row["check"])} for row in problems.rows(tables["checks"])],
        judges=_judges(measurements),
        unlimited=sum(row["status"] == "info" for row in measurements),
        notes=Counter(row["code"] for row in findings if row["status"] == "info"),
        evidence=_evidence(store, found),
        frames=tables,
        trends=trend_section.of_day(store, day, titles),
        standing=alerts.problems(store, day),
        expected=due.of_day(store, rules, day, holidays),
        site=site,
        intake=intake_of_day(store, day),
    )


def _judges(measurements: list[Row]) -> list[Judge]:
    """Return which criteria sets judged the values, by the snapshot that each value keeps; the one that judged most first."""
    counts = Counter(row["criteria_set"] for row in measurements if row["criteria_set"])
    editions = {name: {row["criteria_edition"] for row in measurements if row["criteria_set"] == name} for name in counts}
    return [Judge(name, ", ".join(sorted(filter(None, editions[name]))), number) for name, number in counts.most_common()]


def _arrived(studies: list[Row], series: list[Row]) -> list[Arrived]:
    """Count what came in per device; a study of two devices stands at both."""
    found: dict[str, Arrived] = {}
    members: dict[str, set[str]] = {}
    statuses = {row["study_uid"]: row["status"] for row in studies}
    for row in series:
        name = row["device"] or "not known (not checked)"
        one = found.setdefault(name, Arrived(name, row["modality"] or "", row["device_reviewed"] is False))
        one.series += 1
        one.instances += row["instances"]
        members.setdefault(name, set()).add(row["study_uid"])
    for name, uids in members.items():
        found[name].studies = len(uids)
        found[name].statuses = Counter(statuses[uid] for uid in uids)
    return sorted(found.values(), key=lambda one: one.device.casefold())


def _silent(store: Store, day: date, series: list[Row]) -> list[Any]:
    """Return devices that sent something within the last days before, and nothing on this day."""
    here = {row["device"] for row in series}
    since = day - timedelta(days=SILENT_DAYS)
    return [
        one for one in store.devices() if one.merged_into is None and one.alias not in here and one.last_day and since <= one.last_day < day
    ]


def _evidence(store: Store, found: list[Problem]) -> dict[int, Evidence]:
    """Read the pictures that stand on the page, those of the worst problems first."""
    wanted = dict.fromkeys(
        one for problem in found for item in problem.items[: FULL[problem.status] + 1] for one in item.evidence[:PICTURES_ITEM]
    )
    return store.evidence(list(wanted)[:PICTURES_PAGE])


# -- the page ---------------------------------------------------------------------------------------------------


def render(day: Day) -> str:
    """Return the page of a day."""
    return environment().get_template("daily.html").render(d=day, name=name_of(day.day), top=PROBLEMS_TOP)


def name_of(day: date) -> str:
    """Return the name that the files of a day begin with."""
    return f"daily-{day.isoformat()}"


def write(
    store: Store,
    day: date,
    folder: Path,
    *,
    site: str = "",
    rules: Sequence[due.Rule] = (),
    holidays: Sequence[date] = (),
    then: Callable[[Connection], object] | None = None,
) -> Path:
    """Write the report of a day: page, PDF, and CSV and XLSX of the same frames; and a report of each phantom run of that day.

    Any day may be written again. What arrives for it from now on stands under "arrived late" in the next report.

    Parameters
    ----------
    site
        Name of the site, for the footer.
    rules, holidays
        Which phantom tests are expected.
    then
        Done in the transaction that notes the report as written: together or not at all.

    Returns
    -------
    Path
        Of the HTML file.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    told = gather(store, day, site, rules, holidays)
    name = name_of(day)
    for table, frame in told.frames.items():
        put(folder / f"{name}-{table}.csv", lambda path, frame=frame: export.write_csv(frame, path))
    put(folder / f"{name}.xlsx", lambda path: export.write_xlsx(told.frames, path))
    told.phantoms = phantom.write_day(store, day, folder, tables=told.frames, site=site)
    page = folder / f"{name}.html"
    text = render(told)
    put(folder / f"{name}.pdf", lambda path: daily_pdf.write(told, path))
    put(page, lambda path: path.write_text(text, encoding="utf-8"))
    store.report_written(day, page.name, told.written_at, then)
    return page
