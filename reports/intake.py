"""What the daily report tells of the intake: what the archives had and what of it was taken, what is missing, what came again, the plant."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from reports.store import days
from reports.store import schema as t

if TYPE_CHECKING:
    from reports.store import Store

Row = dict[str, Any]
COUNTS = ("complete", "incomplete", "given_up", "not_known", "not_taken", "waiting")
NAMED = 5


@dataclass
class FromSource:
    """How many studies of the day a source lists, by what became of them."""

    source: str
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def listed(self) -> int:
        """All of them."""
        return sum(self.counts.values())


@dataclass
class Intake:
    """The part of the report on the intake.

    Attributes
    ----------
    sources
        Sources that list studies of the day.
    not_taken
        Why studies were left out, with their number.
    missing
        Studies of which an archive counts more than came.
    sampled
        What the settings left out of studies that were taken, with the number of studies.
    again
        Studies of which something came after they had been checked, and which were checked again.
    notices
        What is to be told of the plant.
    """

    sources: list[FromSource] = field(default_factory=list)
    not_taken: list[tuple[str, int]] = field(default_factory=list)
    missing: list[Row] = field(default_factory=list)
    sampled: list[tuple[str, int]] = field(default_factory=list)
    again: list[Row] = field(default_factory=list)
    notices: list[Row] = field(default_factory=list)


def of_day(store: Store, day: date) -> Intake:
    """Read what became of the studies of a day; the notices stand in the newest report alone."""
    rows = [
        row
        for row in store.standings(day=day, limit=1_000_000)
        if row["verdict"] or row["state"] in ("not_taken", "discovered", "receiving")
    ]
    listed: dict[str, FromSource] = {}
    for row in rows:
        what = row["verdict"] or ("not_taken" if row["state"] == "not_taken" else "waiting")
        listed.setdefault(row["source"], FromSource(row["source"])).counts[what] += 1
    with store.reading() as connection:
        newest = days.is_newest(connection, day)
        again = _again(connection, day)
    return Intake(
        sorted(listed.values(), key=lambda one: one.source),
        Counter(row["message"] for row in rows if row["state"] == "not_taken").most_common(),
        [_short(row) for row in rows if row["verdict"] in ("incomplete", "given_up")],
        Counter(row["sampled"] for row in rows if row["sampled"]).most_common(),
        again,
        store.notices() if newest else [],
    )


def _short(row: Row) -> Row:
    missing = row["missing"]
    more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
    return {**row, "named": ", ".join(missing[:NAMED]) + more}


def _again(connection: sa.Connection, day: date) -> list[Row]:
    """Return the studies of the day, or told of as late on it, that were checked before with another number of files."""
    old, some = t.study.alias("old"), t.study.alias("some")
    ours_before = (some.c.study_uid == t.study.c.study_uid, some.c.revision < t.study.c.revision, some.c.done_at.is_not(None))
    last = sa.select(sa.func.max(some.c.revision)).where(*ours_before).correlate(t.study)
    columns = (t.study.c.study_uid, t.study.c.day, t.study.c.local_time, t.study.c.revision, t.study.c.files, t.study.c.done_at)
    joined = t.study.join(old, sa.and_(old.c.study_uid == t.study.c.study_uid, old.c.revision == last.scalar_subquery()))
    ours = sa.or_(days.of_day(day), days.late(connection, day))
    rows = sa.select(*columns, old.c.files.label("before")).select_from(joined).where(ours, old.c.files != t.study.c.files)
    return [dict(row._mapping) for row in connection.execute(rows.order_by(t.study.c.day, t.study.c.local_time, t.study.c.study_uid))]
