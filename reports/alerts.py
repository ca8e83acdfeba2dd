"""Alerts: people are told of a problem when it is new, gets worse or is over, once each, and of nothing else.

    refresh (roll-ups) -> look (what is wrong on a day) -> the ledger (`reports.store.standing`) -> messages in the outbox -> deliver

Looking at a day, the ledger and the messages are one transaction with the note that the day was looked at: whoever is killed tells neither
twice nor never. Problems come from anywhere: results of studies and charts are looked up here; whoever knows of others (a silent scanner, an
overdue test, a full disk) gives them as `More`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from reports import alert_words, outbox, trends, words
from reports.alert_words import LIMIT, TREND
from reports.outbox import Message, NotSent, deliver, failed, messages, pending, send, sent
from reports.quiet import ALWAYS, Quiet
from reports.store import schema as t
from reports.store import standing
from reports.store.connect import insert, now
from reports.store.standing import Change, Trouble

if TYPE_CHECKING:
    from reports.store import Store

__all__ = [
    "ALWAYS", "Change", "Message", "More", "NotSent", "Quiet", "Route", "Trouble", "acknowledge", "catch_up", "collect", "deliver", "failed", "from_notices",
    "look", "messages", "pending", "problems", "send", "sent", "snooze",
]  # fmt: skip

OLD_DAYS = 30  # what happened longer before the newest day calls nobody
CHARTS = ("chart", "charts")


@dataclass(frozen=True)
class Route:
    """Who is told of what.

    Attributes
    ----------
    name
        Kept with the message; `deliver` finds the targets by it.
    statuses
        Tell only of problems with one of these statuses; empty: of all.
    """

    name: str = ""
    statuses: frozenset[str] = frozenset()


@dataclass(frozen=True)
class More:
    """Problems that were found elsewhere.

    Attributes
    ----------
    troubles
        What is wrong now; each with a code of its own kind, e.g. ``silent_device``.
    kinds
        The kinds of code this look stands for: a problem of such a kind (the part before ``/``) that is not among `troubles` is over.
    """

    troubles: Sequence[Trouble] = ()
    kinds: frozenset[str] = frozenset()

    def __or__(self, other: More) -> More:
        """Return what both found."""
        return More((*self.troubles, *other.troubles), self.kinds | other.kinds)


@dataclass(frozen=True)
class Looked:
    """What a look at the results of a day gave."""

    troubles: list[Trouble] = field(default_factory=list)
    seen: Callable[[str, str], bool] = lambda _subject, _code: False


# -- looking ----------------------------------------------------------------------------------------------------


def look(store: Store, day: date) -> Looked:
    """Return what is wrong in the results of a day, a problem a device and code. The roll-ups must be up to date (`trends.refresh`)."""
    judged = trends.read(store, day=day)
    with store.reading() as connection:
        names = _devices(connection)
        found = _of_results(connection, day, names)
        studied = {names[row.device_id][0] for row in connection.execute(_of_day(t.daily_device, day)) if row.studies}
        measured = {(names[row.device_id][0], row.metric) for row in connection.execute(_of_day(t.daily_metric, day)) if row.n}
    charts: dict[tuple[int, str], list[trends.Trend]] = {}
    for one in judged:  # those without a baseline too: after a service what drifted before is over
        charts.setdefault((one.chart.device_id, one.chart.metric), []).append(one)
    for (device_id, metric), some in charts.items():
        number = sum(one.state == "alarm" for one in some)
        if number:
            code = f"{TREND}/{metric}"
            subject, where = f"device:{device_id}", some[0].chart.device
            found.append(Trouble(subject, code, "warn", alert_words.title_of(code), where, number, CHARTS, always=True))

    def seen(subject: str, code: str) -> bool:
        kind, _, metric = code.partition("/")
        if kind == TREND:
            return (int(subject.partition(":")[2]), metric) in charts
        return (subject, metric) in measured if kind == LIMIT and metric else subject in studied

    return Looked(found, seen)


def _of_day(table: sa.Table, day: date) -> sa.Select:
    return sa.select(table).where(table.c.day == day)


def _devices(connection: Connection) -> Mapping[int | None, tuple[str, str]]:
    """Return subject and name of each device as people see it, by the number that results carry."""
    rows = {row.id: row for row in connection.execute(sa.select(t.device.c.id, t.device.c.alias, t.device.c.merged_into))}
    owners = {number: rows[row.merged_into or number] for number, row in rows.items()}
    return {None: ("device:unknown", "device not known"), **{number: (f"device:{one.id}", one.alias) for number, one in owners.items()}}


def _of_results(connection: Connection, day: date, names: Mapping[int | None, tuple[str, str]]) -> list[Trouble]:
    """Return what findings and values outside their limits say; the worst status of one problem counts."""
    merged: dict[tuple[str, str], tuple[str, str, int]] = {}

    def add(device_id: int | None, code: str, status: str, studies: int) -> None:
        subject, where = names[device_id]
        before = merged.get((subject, code))
        if before is None or words.ORDER[status] < words.ORDER[before[1]]:
            merged[subject, code] = (where, status, studies)
        elif status == before[1]:
            merged[subject, code] = (where, status, before[2] + studies)

    for row in connection.execute(_of_day(t.daily_finding, day)):
        if row.status in words.BAD and row.code != LIMIT:  # the value itself says it
            add(row.device_id, row.code, row.status, row.studies)
    for row in connection.execute(_of_day(t.daily_metric, day)).mappings():
        worst = next((status for status in words.BAD if row[status]), None)
        if worst:
            add(row["device_id"], f"{LIMIT}/{row['metric']}", worst, row["bad_studies"])
    return [Trouble(subject, code, status, alert_words.title_of(code), where, n) for (subject, code), (where, status, n) in merged.items()]


# -- telling ----------------------------------------------------------------------------------------------------


def catch_up(
    store: Store,
    routes: Sequence[Route] = (Route(),),
    *,
    minimum: str = "error",
    link: Callable[[date], str] = lambda _day: "",
    quiet: Quiet = ALWAYS,
    more: More | None = None,
) -> int:
    """Look at every day whose results changed since it was looked at, oldest first; put what is to be told into the outbox.

    Parameters
    ----------
    routes
        Who is told; none: the ledger is kept, and nobody is told.
    minimum
        The mildest status of results that is told of: ``fail``, ``error`` or ``warn``. Chart alarms and `more` are told of always.
    link
        Gives the address of the report of a day; empty: the message has none.
    quiet
        Hours in which messages wait.
    more
        Problems found elsewhere, as they are now.

    Returns
    -------
    int
        How many changes there were to tell.
    """
    trends.refresh(store)
    with store.reading() as connection:
        today = now(connection).astimezone(store.zone).date()
        days = _stale(connection)
        newest_day = connection.execute(sa.select(sa.func.max(t.trend_day.c.day))).scalar()
    told = 0
    for day in days:
        old = (newest_day - day).days > OLD_DAYS
        told += _tell(store, day, Looked() if old else look(store, day), routes, minimum, link(day), quiet)
    if more is not None:
        other = Looked(list(more.troubles), lambda _subject, code: code.partition("/")[0] in more.kinds)
        told += _tell(store, today, other, routes, minimum, "", quiet, mark=False)
    return told


def collect(
    store: Store, day: date, link: str = "", minimum: str = "error", routes: Sequence[Route] = (Route(),), quiet: Quiet = ALWAYS
) -> int:
    """Look at one day now; return how many changes there were to tell."""
    trends.refresh(store)
    return _tell(store, day, look(store, day), routes, minimum, link, quiet)


def _stale(connection: Connection) -> list[date]:
    """Return the days whose roll-ups were made since they were looked at, oldest first, and all later ones: a problem that is known late
    may be over since.
    """
    looked = {row.day: row.looked_at for row in connection.execute(sa.select(t.alert_day))}
    made = connection.execute(sa.select(t.trend_day).order_by(t.trend_day.c.day)).all()
    newest = made[-1].day if made else date.max
    changed = [row.day for row in made if row.day not in looked or row.made_at > looked[row.day]]
    recent = [day for day in changed if (newest - day).days <= OLD_DAYS]
    return [row.day for row in made if row.day in changed or (recent and row.day > recent[0])]


def _tell(
    store: Store, day: date, looked: Looked, routes: Sequence[Route], minimum: str, link: str, quiet: Quiet, *, mark: bool = True
) -> int:
    wanted = words.BAD[: words.BAD.index(minimum) + 1]

    def tellable(trouble: Trouble) -> bool:
        return bool(routes) and (trouble.always or trouble.status in wanted)

    with store.writing() as connection:
        at = now(connection)
        changes = standing.note(connection, day, looked.troubles, looked.seen, tellable)
        for route in routes:
            ours = [one for one in changes if not route.statuses or one.trouble.status in route.statuses]
            if ours:
                severity = min((one.trouble.status for one in ours), key=words.ORDER.__getitem__)
                content = {"day": day.isoformat(), "link": link, "changes": [_plain(one) for one in ours]}
                outbox.put(connection, route.name, content, severity, quiet.until(at.astimezone(store.zone), severity))
        if mark:
            kept = insert(connection, t.alert_day).values(day=day, looked_at=at)
            connection.execute(kept.on_conflict_do_update(index_elements=["day"], set_={"looked_at": at}))
    return len(changes)


def _plain(change: Change) -> dict[str, Any]:
    one = change.trouble
    return {
        "kind": change.kind, "status": one.status, "title": one.title, "where": one.where, "count": one.count, "unit": list(one.unit),
        "since": change.since.isoformat() if change.since else None,
    }  # fmt: skip


# -- the ledger, for people -------------------------------------------------------------------------------------


def problems(store: Store, day: date | None = None, *, resolved: int = 0) -> list[dict[str, Any]]:
    """Return the problems that stand, worst and longest first; `day_number` counts from the day each was first seen.

    Parameters
    ----------
    day
        As of this day: what stood then, and what was over on it. Not given: now.
    resolved
        Also so many of those that are over, the newest; only without `day`.
    """
    p = t.problem
    with store.reading() as connection:
        if day is None:
            rows = connection.execute(sa.select(p).where(p.c.state != "resolved")).mappings().all()
            over = sa.select(p).where(p.c.state == "resolved").order_by(p.c.resolved_day.desc(), p.c.id.desc()).limit(resolved)
            rows = [*rows, *connection.execute(over).mappings()] if resolved else rows
        else:
            stood = sa.and_(p.c.first_day <= day, sa.or_(p.c.resolved_day.is_(None), p.c.resolved_day >= day))
            rows = connection.execute(sa.select(p).where(stood)).mappings().all()
        on_day = sa.select(t.problem_day).where(t.problem_day.c.day == day)
        seen = {row.problem_id: row for row in connection.execute(on_day)} if day else {}
    return sorted((_as_of(dict(row), day, seen.get(row["id"])) for row in rows), key=_rank)


def _as_of(row: dict[str, Any], day: date | None, seen: Any) -> dict[str, Any]:
    if day is not None:
        row["state"] = "resolved" if row["resolved_day"] == day else "open" if row["state"] == "resolved" else row["state"]
        row["seen"] = seen is not None
        row["status"], row["count"] = (seen.status, seen.count) if seen is not None else (row["status"], 0)
    until = row["resolved_day"] if row["state"] == "resolved" else day or row["last_day"]
    return {**row, "day_number": (until - row["first_day"]).days + 1}


def _rank(row: Mapping[str, Any]) -> tuple[bool, int, date, int]:
    return row["state"] == "resolved", words.ORDER[row["status"]], row["first_day"], row["id"]


def acknowledge(store: Store, number: int, who: str, why: str) -> None:
    """Note that somebody sees to a problem; people then hear only that it got worse or is over."""
    with store.writing() as connection:
        standing.acknowledge(connection, number, who, why)


def snooze(store: Store, number: int, until: date, who: str, why: str) -> None:
    """Say nothing of a problem before a day."""
    with store.writing() as connection:
        standing.snooze(connection, number, until, who, why)


def from_notices(notices: Iterable[Mapping[str, Any]], kinds: Iterable[str]) -> More:
    """Return notices of the plant (``kind, subject, status, message``) as problems; `kinds` are all there are, open or not."""
    found = [Trouble(one["subject"], one["kind"], one["status"], one["message"], "", always=True) for one in notices]
    return More(found, frozenset(kinds))
