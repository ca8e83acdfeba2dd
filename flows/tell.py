"""Tell people what is new, worse or over: keep the ledger of problems, send the messages that wait. Failing to send fails nothing.

`reports.alerts` puts a message into the outbox in the transaction that keeps the ledger, so nothing is lost when the mail server is away or
the process dies: what could not be sent is tried again by later passes.
"""

from __future__ import annotations

import logging
import platform
from datetime import UTC, date, datetime
from typing import Any

from flows.settings import Settings
from flows.tally import Tally
from reports import alerts
from reports.quiet import parse
from reports.store import Store

log = logging.getLogger(__name__)


def link(settings: Settings, day: date) -> str:
    """Return where people open the report of a day; empty where the settings do not say."""
    base = settings.alerts.link.rstrip("/")
    return f"{base}/daily-{day.isoformat()}.html" if base else ""


def note_problems(store: Store, settings: Settings, more: alerts.More | None = None) -> int:
    """Bring the ledger of problems up to date, and put what is to be told into the outbox; return how many changes were told.

    Parameters
    ----------
    more
        Problems that were found elsewhere: silent scanners, overdue tests, full disks.
    """
    chosen = settings.alerts
    routes = [alerts.Route(name, frozenset({name} if name else ())) for name in settings.alert_routes]
    quiet = parse(chosen.quiet_hours, chosen.quiet_days, chosen.quiet_breaks)
    return alerts.catch_up(store, routes, minimum=chosen.minimum, link=lambda day: link(settings, day), quiet=quiet, more=more)


NOTICES = frozenset({"silent_device", "source_unreachable", "disk_low", "sender_refused"})  # kinds of what is noticed of the plant


def found_elsewhere(store: Store, settings: Settings) -> alerts.More:
    """Return the problems that stand in no result: tests that were not done, silent scanners, sources that do not answer, full disks."""
    return missing_tests(store, settings) | alerts.from_notices([one for one in store.notices() if one["kind"] in NOTICES], NOTICES)


def missing_tests(store: Store, settings: Settings) -> alerts.More:
    """Return the phantom tests that the settings expect, and the test sheets that are due, and that were not done."""
    from reports import due, due_sheets, trends

    trends.refresh(store)
    today = store.now().astimezone(store.zone).date()
    rules = [due.parse(text) for text in settings.phantoms.days]
    off = settings.phantoms.holidays
    return alerts.More(
        due.missing(store, rules, today, off) + due_sheets.overdue(store, today, off), frozenset({due.KIND, due_sheets.KIND})
    )


def send_waiting(store: Store, settings: Settings, *, due_only: bool = True) -> Tally:
    """Send what waits, if there is anybody to send it to."""
    if not settings.alert_urls:
        return Tally()
    try:
        done, missed = alerts.deliver(store, settings.alert_routes, due_only=due_only)
    except Exception as error:  # the senders are other people's code: whatever they raise, the pass is done and its reports are written
        log.warning("alerts could not be sent (%s); the next pass tries again", type(error).__name__)
        return Tally(unsent=1)
    if missed:
        log.warning("%d alerts could not be sent; they wait, and later passes try again (`pacsqc alert list` says why)", missed)
    return Tally(alerts=done, unsent=missed)


def send_test(settings: Settings) -> None:
    """Send a test message to everybody who gets alerts.

    Raises
    ------
    Transient
        If somebody did not take it; says who, by number and kind of address.
    """
    at = datetime.now(UTC)
    site = settings.site.name or platform.node()
    text = f"This is a test from {site}, sent by `pacsqc alert test`. If you can read it, alerts will reach you.\nMessage pacsqc-test"
    alerts.send(alerts.Message(0, "pacsqc-test", "Image quality: test of alerts", text, "warn", at, at), settings.alert_urls)


def rows(store: Store, limit: int) -> list[dict[str, Any]]:
    """Return the newest alerts as plain values, newest first."""
    return [
        {
            "at": one.created_at.astimezone().isoformat(timespec="minutes"),
            "state": "sent" if one.sent_at else "waiting",
            "severity": one.severity,
            "attempts": one.attempts,
            "error": "" if one.sent_at else one.error or "",
            "message_id": one.message_id,
            "title": one.title,
            "text": one.text,
        }
        for one in alerts.messages(store, limit)
    ]
