"""The outbox: messages that wait until everybody has them.

    put (in the transaction that keeps what is told) -> pending -> send -> sent | failed

The outbox is a table. A message is taken by one process at a time, tried again until it is delivered, and carries an id in its
text that is the same at every attempt: whoever is killed between sending and noting it makes a second copy, never a lost message.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from qc.errors import Transient
from reports import alert_words, words
from reports.store import schema as t
from reports.store.clean import Cleaner
from reports.store.connect import now

if TYPE_CHECKING:
    from reports.store import Store

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
    route
        Who gets it: a name of the routes that `deliver` is given.
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
    route: str = ""


# -- the outbox -------------------------------------------------------------------------------------------------


def put(connection: Connection, route: str, day: Mapping[str, Any], severity: str, due_at: datetime) -> int:
    """Put what is to be told of a day into the message of a route; return its number.

    A message is added to until somebody begins to send it: what several days of one run have to say is one message.

    Parameters
    ----------
    day
        ``{day, link, changes}`` as `reports.alert_words` reads it.
    severity
        The worst status in it.
    """
    at = now(connection)
    untouched = sa.and_(t.outbox.c.sent_at.is_(None), t.outbox.c.attempts == 0, t.outbox.c.kind == "changes", t.outbox.c.route == route)
    row = connection.execute(sa.select(t.outbox).where(untouched).order_by(t.outbox.c.id).limit(1).with_for_update()).first()
    if row is None:
        values = {"message_id": f"pacsqc-{secrets.token_hex(5)}", "kind": "changes", "route": route, "severity": severity}
        values |= {"content": [dict(day)], "reached": [], "created_at": at, "due_at": max(due_at, at)}
        return int(connection.execute(sa.insert(t.outbox).values(**values).returning(t.outbox.c.id)).scalar_one())
    same = [one for one in row.content if one["day"] == day["day"]]
    content = [one for one in row.content if one["day"] != day["day"]]
    content.append({**day, "changes": [*(change for one in same for change in one["changes"]), *day["changes"]]})
    worst = min((row.severity, severity), key=words.ORDER.__getitem__)
    values = {"content": sorted(content, key=lambda one: one["day"]), "severity": worst, "due_at": min(row.due_at, max(due_at, at))}
    connection.execute(sa.update(t.outbox).where(t.outbox.c.id == row.id).values(**values))
    return int(row.id)


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


def deliver(
    store: Store, urls: Sequence[str] | Mapping[str, Sequence[str]], notifier: Notifier | None = None, *, due_only: bool = True
) -> tuple[int, int]:
    """Send what waits; return how many messages were delivered, and how many were not.

    Parameters
    ----------
    urls
        Targets; with several routes those of each, by its name. What waits for a route that is no more goes to everybody.
    """
    routes = urls if isinstance(urls, Mapping) else {"": urls}
    everybody = list(dict.fromkeys(url for some in routes.values() for url in some))
    done = missed = 0
    for message in pending(store, due_only=due_only):
        try:
            send(message, routes.get(message.route, everybody), notifier)
        except Transient as error:
            failed(store, message.id, error)
            missed += 1
        else:
            sent(store, message.id)
            done += 1
    return done, missed


# -- words and sending ------------------------------------------------------------------------------------------


def _message(row: Row, attempts: int) -> Message:
    title, text = alert_words.text(row.kind, row.content, row.message_id)
    when = (row.created_at, row.due_at)
    return Message(
        row.id, row.message_id, title, text, row.severity, *when, attempts, row.sent_at, row.error, frozenset(row.reached), row.route
    )


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
