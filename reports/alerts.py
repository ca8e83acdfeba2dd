"""Alerts: one message a run, only when something is new, with counts and a link and nothing that names anybody.

    collect (in the transaction that notes a report as written) -> pending -> send -> sent | failed

The outbox is a table. A message is taken by one process at a time, tried again until it is delivered, and carries an id in its
text that is the same at every attempt: whoever is killed between sending and noting it makes a second copy, never a lost message.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from qc.errors import Transient
from reports import words
from reports.store import days
from reports.store import schema as t
from reports.store.clean import Cleaner
from reports.store.connect import insert, now
from reports.store.ledger import BATCH, batches

if TYPE_CHECKING:
    from reports.store import Store

LIMIT = "limit.exceeded"
TAKEN_S = 120.0  # for this long nobody else takes a message that is being sent
FIRST_PAUSE_S, LONGEST_PAUSE_S = 30.0, 3 * 3600.0

Notifier = Callable[[str, str, str, str], bool]  # (target URL, title, text, severity) -> taken


class NotSent(Transient):
    """Some targets did not take a message. Names no target: their URLs hold passwords.

    Parameters
    ----------
    reached
        Hashes of the targets that have it now.
    """

    def __init__(self, text: str, reached: Iterable[str]) -> None:
        super().__init__(text)
        self.reached = frozenset(reached)


@dataclass(frozen=True, slots=True)
class Message:
    """A message as people get it.

    Attributes
    ----------
    message_id
        Stands in `text`; the same at every attempt, so that a second copy is known as one.
    severity
        The worst status in it.
    reached
        Hashes of the targets that have it already.
    """

    id: int
    message_id: str
    title: str
    text: str
    severity: str
    created_at: datetime
    due_at: datetime
    attempts: int = 0
    sent_at: datetime | None = None
    error: str | None = None
    reached: frozenset[str] = frozenset()


# -- what is new ------------------------------------------------------------------------------------------------


def collect(store: Store, day: date, link: str = "", minimum: str = "error") -> int:
    """Put what is new in the report of a day into the outbox, in a transaction of its own; see `collect_in`."""
    with store.writing() as connection:
        return collect_in(connection, day, link, minimum)


def collect_in(connection: Connection, day: date, link: str = "", minimum: str = "error") -> int:
    """Put what is new in the report of a day into the outbox.

    New is a (study, code, status) that nobody was told of. What several days of one run have to say goes into one message, for a
    message is added to until somebody begins to send it.

    Parameters
    ----------
    link
        Where the report can be read; empty: the message has none.
    minimum
        The mildest status that is told of: ``fail``, ``error`` or ``warn``.

    Returns
    -------
    int
        How many things were new; 0 means that there is no message.
    """
    statuses = words.BAD[: words.BAD.index(minimum) + 1]
    bad = _bad(connection, day, statuses)
    if not bad:
        return 0
    at = now(connection)
    told = {"state": "open", "day": day, "first_at": at, "last_at": at}
    wanted = insert(connection, t.alert).on_conflict_do_nothing().returning(t.alert.c.id)
    new: list[int] = []
    for subject, code, status in sorted(bad):  # in one order, so that two at once cannot block each other
        new += connection.execute(wanted.values(subject=subject, code=code, status=status, **told)).scalars().all()
    if not new:
        return 0
    row = _open_message(connection, at)
    connection.execute(sa.update(t.alert).where(t.alert.c.id.in_(new)).values(outbox_id=row.id))
    links = {one["day"]: one["link"] for one in row.content} | {day.isoformat(): link}
    content = _content(connection, row.id, links)
    severity = min((status for one in content for status in one["statuses"]), key=words.ORDER.__getitem__)
    connection.execute(sa.update(t.outbox).where(t.outbox.c.id == row.id).values(content=content, severity=severity))
    return len(new)


def _bad(connection: Connection, day: date, statuses: Sequence[str]) -> set[tuple[str, str, str]]:
    """Return what is wrong on a day and was not told of: (subject, code, status)."""
    found = sa.select(t.study.c.study_uid, t.finding.c.code, t.finding.c.status, t.finding.c.details["metric"].as_string())
    found = found.join(t.study, t.study.c.id == t.finding.c.study_id).where(days.of_day(day), t.finding.c.status.in_(statuses)).distinct()
    measured = sa.select(t.study.c.study_uid, sa.literal(LIMIT), t.measurement.c.status, t.measurement.c.metric)
    measured = measured.join(t.study, t.study.c.id == t.measurement.c.study_id)
    measured = measured.where(days.of_day(day), t.measurement.c.status.in_(statuses)).distinct()
    rows = [tuple(row) for query in (found, measured) for row in connection.execute(query)]
    bad = {(f"study:{uid}", f"{code}/{metric}" if code == LIMIT and metric else code, status) for uid, code, status, metric in rows}
    told = sa.select(t.alert.c.subject, t.alert.c.code, t.alert.c.status)
    for subjects in batches(sorted({subject for subject, _, _ in bad}), BATCH):
        bad -= {tuple(row) for row in connection.execute(told.where(t.alert.c.subject.in_(subjects)))}
    return bad


def _open_message(connection: Connection, at: datetime) -> Row:
    """Return the message that nobody has begun to send, made if need be."""
    untouched = sa.and_(t.outbox.c.sent_at.is_(None), t.outbox.c.attempts == 0, t.outbox.c.kind == "news")
    row = connection.execute(sa.select(t.outbox).where(untouched).order_by(t.outbox.c.id).limit(1).with_for_update()).first()
    if row is not None:
        return row
    values = {"message_id": f"pacsqc-{secrets.token_hex(5)}", "kind": "news", "severity": "", "content": [], "reached": []}
    return connection.execute(sa.insert(t.outbox).values(**values, created_at=at, due_at=at).returning(t.outbox)).one()


def _content(connection: Connection, outbox_id: int, links: dict[str, str]) -> list[dict[str, Any]]:
    """Count what a message tells of, day by day: studies by status, and by problem."""
    rows = connection.execute(sa.select(t.alert).where(t.alert.c.outbox_id == outbox_id)).all()
    content = []
    for day in sorted({row.day for row in rows}):
        ours = [row for row in rows if row.day == day]
        statuses = Counter(status for status, _ in {(row.status, row.subject) for row in ours})
        problems = Counter((row.status, row.code) for row in ours)
        ranked = sorted(problems.items(), key=lambda one: (words.ORDER[one[0][0]], -one[1], one[0][1]))
        content.append(
            {
                "day": day.isoformat(),
                "link": links.get(day.isoformat(), ""),
                "statuses": {status: statuses[status] for status in words.BAD if statuses[status]},
                "problems": [{"status": status, "code": code, "studies": number} for (status, code), number in ranked],
            }
        )
    return content


# -- the outbox -------------------------------------------------------------------------------------------------


def pending(store: Store, *, due_only: bool = True, taken_s: float = TAKEN_S) -> list[Message]:
    """Take the messages that wait, oldest first: for `taken_s` seconds nobody else gets them, then they wait again.

    Whoever takes a message sends it and says `sent` or `failed`. To look only, use `messages`.

    Parameters
    ----------
    due_only
        Leave those alone whose next attempt is not due yet.
    """
    with store.writing() as connection:
        at = now(connection)
        free = sa.or_(t.outbox.c.taken_until.is_(None), t.outbox.c.taken_until <= at)
        waits = sa.and_(t.outbox.c.sent_at.is_(None), free)
        chosen = sa.select(t.outbox).where(waits, t.outbox.c.due_at <= at) if due_only else sa.select(t.outbox).where(waits)
        rows = connection.execute(chosen.order_by(t.outbox.c.id).with_for_update(skip_locked=True)).all()
        taken = {"taken_until": at + timedelta(seconds=taken_s), "attempts": t.outbox.c.attempts + 1}
        connection.execute(sa.update(t.outbox).where(t.outbox.c.id.in_([row.id for row in rows])).values(**taken))
    return [_message(row, row.attempts + 1) for row in rows]


def sent(store: Store, message_id: int) -> None:
    """Note that a message was delivered to everybody."""
    with store.writing() as connection:
        done = {"sent_at": now(connection), "taken_until": None, "error": None}
        connection.execute(sa.update(t.outbox).where(t.outbox.c.id == message_id, t.outbox.c.sent_at.is_(None)).values(**done))


def failed(store: Store, message_id: int, error: Exception | str) -> None:
    """Note that a message did not get through; it is tried again after 30 s, 1 min, 2 min ... 3 h, for ever."""
    with store.writing() as connection:
        row = connection.execute(sa.select(t.outbox).where(t.outbox.c.id == message_id).with_for_update()).one()
        if row.sent_at is not None:
            return
        pause = min(FIRST_PAUSE_S * 2 ** min(max(row.attempts - 1, 0), 30), LONGEST_PAUSE_S)
        reached = sorted({*row.reached, *getattr(error, "reached", ())})
        again = {"due_at": now(connection) + timedelta(seconds=pause), "taken_until": None, "reached": reached}
        connection.execute(sa.update(t.outbox).where(t.outbox.c.id == message_id).values(**again, error=Cleaner().text(error)[:500]))


def messages(store: Store, limit: int = 20) -> list[Message]:
    """Return the newest messages, sent and waiting, newest first; only to look at."""
    with store.reading() as connection:
        rows = connection.execute(sa.select(t.outbox).order_by(t.outbox.c.id.desc()).limit(limit)).all()
    return [_message(row, row.attempts) for row in rows]


def deliver(store: Store, urls: Sequence[str], notifier: Notifier | None = None, *, due_only: bool = True) -> tuple[int, int]:
    """Send what waits; return how many messages were delivered, and how many were not."""
    done = missed = 0
    for message in pending(store, due_only=due_only):
        try:
            send(message, urls, notifier)
        except Transient as error:
            failed(store, message.id, error)
            missed += 1
        else:
            sent(store, message.id)
            done += 1
    return done, missed


# -- words and sending ------------------------------------------------------------------------------------------


def _message(row: Row, attempts: int) -> Message:
    title, text = _text(row.content, row.message_id)
    when = (row.created_at, row.due_at)
    return Message(row.id, row.message_id, title, text, row.severity, *when, attempts, row.sent_at, row.error, frozenset(row.reached))


def _text(content: Sequence[dict[str, Any]], message_id: str) -> tuple[str, str]:
    """Return title and text: counts by severity and problem, day by day, a link each."""
    totals: Counter[str] = Counter()
    paragraphs = []
    for one in content:
        day = date.fromisoformat(one["day"])
        totals.update(one["statuses"])
        lines = [f"New in the report of {words.long_day(day)}:"]
        for status, number in one["statuses"].items():
            lines.append(f"{words.STATUS[status].symbol} {words.STATUS[status].word}: {words.studies(number)}")
            lines += [f"   {_title(p['code'])}: {p['studies']}" for p in one["problems"] if p["status"] == status]
        paragraphs.append("\n".join(lines + [one["link"]] * bool(one["link"])))
    counts = ", ".join(f"{totals[status]} {words.STATUS[status].word.lower()}" for status in words.BAD if totals[status])
    spans = [words.short_day(date.fromisoformat(content[place]["day"])) for place in (0, -1)] if content else []
    title = f"Image quality {' to '.join(dict.fromkeys(spans))}: {counts}"
    return title, "\n\n".join([*paragraphs, f"Message {message_id}"])


def _title(code: str) -> str:
    kind, _, metric = code.partition("/")
    return f"{_metric_title(metric)}: outside its limit" if metric else words.title(kind)


@cache
def _metric_title(metric: str) -> str:
    from reports.problems import Titles

    return Titles.load().metric(metric)


def send(message: Message, urls: Sequence[str], notifier: Notifier | None = None) -> None:
    """Send a message to all targets that do not have it yet.

    Parameters
    ----------
    urls
        Targets as apprise writes them (``mailtos://...``, ``ntfys://...``).
    notifier
        Does the sending; None: apprise.

    Raises
    ------
    NotSent
        If some did not take it, or there are none. Which of them did is kept by `failed`, and they do not get it again.
    """
    notify = notifier or _apprise
    reached, missed = set(message.reached), []
    for number, url in enumerate(urls, start=1):
        mark = hashlib.sha256(url.encode()).hexdigest()[:16]
        if mark in reached:
            continue
        try:
            why = "" if notify(url, message.title, message.text, message.severity) else "not taken"
        except (OSError, RuntimeError, TypeError, ValueError) as error:
            why = type(error).__name__  # its text may quote the URL
        if why:
            missed.append(f"target {number} ({url.partition(':')[0][:20]}): {why}")
        else:
            reached.add(mark)
    if missed or not urls:
        raise NotSent("; ".join(missed) or "nobody is named to send alerts to", reached)


def _apprise(url: str, title: str, text: str, severity: str) -> bool:
    import apprise  # takes a third of a second, and only who sends needs it

    target = apprise.Apprise(asset=apprise.AppriseAsset(app_id="pacsqc", app_desc="image quality", async_mode=False))
    if not target.add(url):
        return False
    kind = apprise.NotifyType.WARNING if severity == "warn" else apprise.NotifyType.FAILURE
    return bool(target.notify(body=text, title=title, notify_type=kind, body_format=apprise.NotifyFormat.TEXT))
