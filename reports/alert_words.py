"""The words of alert messages: what is new, worse, over; counts, devices and a link, and nothing that names a patient or a study."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from typing import Any

from reports import words

LIMIT = "limit.exceeded"
TREND = "trend"
KINDS = {"new": "New", "worse": "Worse than told before", "still": "Still there, now that it is no longer snoozed", "resolved": "Over"}


def text(kind: str, content: Sequence[Mapping[str, Any]], message_id: str) -> tuple[str, str]:
    """Return title and text of a message.

    Parameters
    ----------
    kind
        ``changes``; ``news`` of messages that an older version left in the outbox.
    content
        A list of ``{day, link, changes}``; a change is ``{kind, status, title, where, count, since, unit}``.
    """
    if kind == "news":
        return _old(content, message_id)
    paragraphs = []
    totals: Counter[str] = Counter()
    for one in content:
        totals.update(change["kind"] for change in one["changes"])
        lines = [f"Report of {words.long_day(date.fromisoformat(one['day']))}"]
        for sort, title in KINDS.items():
            ours = [change for change in one["changes"] if change["kind"] == sort]
            ours.sort(key=lambda change: (words.ORDER[change["status"]], change["where"], change["title"]))
            lines += [f"{title}:", *(f"   {_line(change)}" for change in ours)] if ours else []
        paragraphs.append("\n".join(lines + [one["link"]] * bool(one["link"])))
    return _title(content, totals), "\n\n".join([*paragraphs, f"Message {message_id}"])


def _title(content: Sequence[Mapping[str, Any]], totals: Counter[str]) -> str:
    spans = [words.short_day(date.fromisoformat(content[place]["day"])) for place in (0, -1)] if content else []
    counts = [
        f"{totals[kind]} {said}"
        for kind, said in (("new", "new"), ("worse", "worse"), ("still", "still there"), ("resolved", "over"))
        if totals[kind]
    ]
    return f"Image quality {' to '.join(dict.fromkeys(spans))}: {', '.join(counts)}"


def _line(change: Mapping[str, Any]) -> str:
    said = words.STATUS["pass" if change["kind"] == "resolved" else change["status"]]
    where = f"{change['where']}: " if change["where"] else ""
    facts = [words.count(change["count"], *change["unit"])] if change["count"] and change["kind"] != "resolved" else []
    if change["since"]:
        facts.append(f"since {words.short_day(date.fromisoformat(change['since']))}")
    return f"{said.symbol} {said.word if change['kind'] != 'resolved' else 'Over'}: {where}{change['title']}" + (
        f" ({', '.join(facts)})" if facts else ""
    )


def title_of(code: str) -> str:
    """Return what a problem is called, from its code: ``slices.missing``, ``limit.exceeded/acr_mri.piu``, ``trend/acr_mri.piu``."""
    kind, _, metric = code.partition("/")
    if kind == TREND:
        return f"{_metric_title(metric)}: drifts away from its baseline"
    return f"{_metric_title(metric)}: outside its limit" if metric else words.title(kind)


@cache
def _metric_title(metric: str) -> str:
    from reports.problems import Titles

    return Titles.load().metric(metric)


def _old(content: Sequence[Mapping[str, Any]], message_id: str) -> tuple[str, str]:
    """Return a message as the version before wrote it."""
    totals: Counter[str] = Counter()
    paragraphs = []
    for one in content:
        totals.update(one["statuses"])
        lines = [f"New in the report of {words.long_day(date.fromisoformat(one['day']))}:"]
        for status, number in one["statuses"].items():
            lines.append(f"{words.STATUS[status].symbol} {words.STATUS[status].word}: {words.studies(number)}")
            lines += [f"   {title_of(p['code'])}: {p['studies']}" for p in one["problems"] if p["status"] == status]
        paragraphs.append("\n".join(lines + [one["link"]] * bool(one["link"])))
    counts = ", ".join(f"{totals[status]} {words.STATUS[status].word.lower()}" for status in words.BAD if totals[status])
    spans = [words.short_day(date.fromisoformat(content[place]["day"])) for place in (0, -1)] if content else []
    return f"Image quality {' to '.join(dict.fromkeys(spans))}: {counts}", "\n\n".join([*paragraphs, f"Message {message_id}"])
