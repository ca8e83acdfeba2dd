"""What somebody has to look at: one entry a study and problem, with how far people are with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from reports import problems, words
from reports.problems import Item, Problem, Titles
from reports.store import days, reviews
from reports.store import schema as t
from reports.store.reviews import State
from reports.web import rows


@dataclass
class Entry:
    """One problem of one study."""

    problem: Problem
    item: Item
    state: State
    digest: str

    @property
    def key(self) -> str:
        """How reviews name the problem."""
        return key_of(self.problem)

    @property
    def anchor(self) -> str:
        """Where on the page of the study it stands."""
        return self.problem.anchor

    @property
    def brief(self) -> str:
        """The first thing that is said about it."""
        if self.item.lines:
            line = self.item.lines[0]
            text = f"{line.where}: {line.text}" if line.where else line.text
        else:
            value = self.item.values[0]
            text = f"{value.name}: {value.value}" + (f"; must be {value.limits}" if value.limits else "")
        rest = len(self.item.lines) + len(self.item.values) - 1
        return f"{text} (and {rest} more)" if rest else text

    @property
    def device(self) -> str:
        """Name of the device."""
        return self.item.device or self.item.study.get("devices") or "not known"

    @property
    def modality(self) -> str:
        """Modality of the study."""
        return str(self.item.study.get("modalities") or "")

    def order(self) -> tuple[Any, ...]:
        """Open ones first, the worst first, then by time."""
        study = self.item.study
        return (
            self.state.word != "open", words.ORDER[self.item.status], self.item.late, study["study_time"] or "", study["study_uid"],
            self.problem.title,
        )  # fmt: skip


def key_of(problem: Problem) -> str:
    """Return how reviews name a problem: its code, and the metric of a limit."""
    return "/".join(filter(None, problem.key))


def digest_of(problem: Problem, item: Item) -> str:
    """Return a digest of what is said about a problem of a study."""
    lines = sorted((line.where, line.text, line.status) for line in item.lines)
    values = sorted((value.series, value.name, value.value, value.limits, value.status) for value in item.values)
    return reviews.digest_of([key_of(problem), lines, values])


def entries(connection: Connection, studies: Sequence[Any], found: Sequence[Problem]) -> list[Entry]:
    """Return the problems of studies one by one, with their states."""
    said = reviews.of_studies(connection, (row["study_uid"] for row in studies))
    made = []
    for problem in found:
        for item in problem.items:
            digest = digest_of(problem, item)
            made.append(Entry(problem, item, reviews.state(said.get((item.study["study_uid"], key_of(problem)), ()), digest), digest))
    return made


@dataclass
class Day:
    """A day as the desk shows it: every study is counted, those with problems are listed."""

    day: date
    studies: list[Any]
    late: list[Any]
    entries: list[Entry]

    @property
    def statuses(self) -> Counter[str]:
        """Studies of the day by status."""
        return Counter(row["status"] for row in self.studies)

    @property
    def states(self) -> Counter[str]:
        """Problems by how far people are with them."""
        return Counter(one.state.word for one in self.entries)

    def content(self) -> dict[str, Any]:
        """What a signature under the day says it was about."""
        return {
            "studies": len(self.studies), "late": len(self.late), "statuses": dict(self.statuses), "problems": dict(self.states)
        }  # fmt: skip

    def digest(self) -> str:
        """Digest of what a signature is put under: every study of the day with its revision and status."""
        return reviews.digest_of(sorted((row["study_uid"], row["revision"], row["status"]) for row in self.studies))


def read(connection: Connection, day: date, titles: Titles) -> Day:
    """Read a day: its studies, those of earlier days that arrived late, and the problems of both."""
    own_condition, late_condition = days.of_day(day), days.late(connection, day)
    own, late = rows.studies(connection, own_condition), rows.studies(connection, late_condition)
    rows.with_devices(connection, own, own_condition)
    rows.with_devices(connection, late, late_condition)
    findings, measurements = [], []
    wanted = own_condition if not late else sa.or_(own_condition, late_condition)
    bad_ones = [row["id"] for row in own + late if row["status"] in words.BAD]
    if bad_ones:
        findings = rows.findings(connection, sa.and_(wanted, rows.bad(t.finding)))
        measurements = rows.measurements(connection, sa.and_(wanted, rows.bad(t.measurement)))
    found = problems.problems(own + late, findings, measurements, frozenset(row["study_uid"] for row in late), titles)
    return Day(day, own, late, sorted(entries(connection, own + late, found), key=Entry.order))
