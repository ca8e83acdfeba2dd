"""Audits by protocol: one series, across patients, across the series of a study, and what happened to the scanner itself."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from qc.moments import DAY_S
from qc.protocol import Comparison, Protocol, ProtocolSet, Row, Value, compare
from qc.results import Finding, Status, Subject

CODES = {
    "protocol.deviates": "The series was not acquired as its protocol says. Measurements that depend on these parameters cannot be compared with "
    "earlier ones; ask why it was changed, or learn the protocol anew if it was on purpose.",
    "protocol.images": "Fewer images than this protocol gives. The scan was stopped, or images are still on the way: compare with the "
    "scanner's own count.",
    "protocol.vertical": "Series of one study that must fit together (a field map and the images it corrects) were acquired differently. Do "
    "not combine them before somebody has looked at the parameters in the table.",
    "protocol.software_changed": "The software of the scanner changed. Compare phantom measurements before and after; trends restart here.",
    "protocol.clock_ahead": "The scanner's clock is ahead: images arrived before they were made. Set the clock; until then times and uptake times are wrong.",
    "protocol.clock_changed": "The scanner's clock was moved, against the time of arrival. Days before and after do not compare to the minute.",
}


def shown(value: Value | None) -> str:
    """A parameter as text, several values joined as DICOM joins them."""
    if value is None:
        return "not told"
    return "\\".join(f"{part:g}" if isinstance(part, float) else str(part) for part in (value if isinstance(value, tuple) else (value,)))


def findings(rows: Iterable[Row], known: ProtocolSet) -> Iterator[Finding]:
    """Compare the rows of a series with their references; a row without one gives nothing.

    The details hold the whole table: expected, found, tolerance, unit, outcome and distance (in tolerances) of each parameter.
    """
    for row in rows:
        protocol = known.find(row.key)
        if protocol is not None:
            yield from _series(row, protocol, compare(row, protocol, known.tolerances))


def _series(row: Row, protocol: Protocol, table: list[Comparison]) -> Iterator[Finding]:
    subject = Subject("series", row.study_uid or None, row.series_uid or None)
    off = [one for one in table if one.outcome == "deviates"]
    details: dict[str, Any] = {
        "protocol": protocol.key.protocol,
        "echo": protocol.key.echo,
        "seen": protocol.seen,
        "of": protocol.of,
        "table": [one.as_dict() for one in table],
    }
    if off:
        told = "; ".join(_words(one) for one in off[:4]) + (f"; and {len(off) - 4} more" if len(off) > 4 else "")
        echo = f", echo {protocol.key.echo}" if protocol.key.echo > 1 else ""
        yield Finding("protocol.deviates", Status.WARN, f"protocol {protocol.key.protocol[:40]!r}{echo}: {told}", subject, details)
    if protocol.images is not None and row.images is not None and row.images < protocol.images:
        text = f"{row.images} images where protocol {protocol.key.protocol[:40]!r} gives {protocol.images}"
        yield Finding("protocol.images", Status.WARN, text, subject, {"expected": protocol.images, "received": row.images})


def _words(one: Comparison) -> str:
    unit = f" {one.unit}" if one.unit not in ("", "1") else ""
    allowed = f" ± {one.tolerance:g}" if one.tolerance else ""
    return f"{one.parameter} {shown(one.found)}{unit}, expected {shown(one.expected)}{allowed}{unit}"


@dataclass(frozen=True)
class Audit:
    """A reference over all series run by it: how many, and how many deviated in each parameter, worst first."""

    protocol: Protocol
    series: int
    deviating: int
    parameters: tuple[tuple[str, int], ...]
    deviating_series: tuple[str, ...]


def horizontal(rows: Iterable[Row], known: ProtocolSet) -> list[Audit]:
    """Audit across patients: every reference against all its series."""
    by_key: dict[Any, list[tuple[Row, list[Comparison]]]] = defaultdict(list)
    protocols: dict[Any, Protocol] = {}
    for row in rows:
        protocol = known.find(row.key)
        if protocol is not None:
            protocols[protocol.key] = protocol
            by_key[protocol.key].append((row, compare(row, protocol, known.tolerances)))
    audits = []
    for key in sorted(by_key):
        counts: dict[str, int] = defaultdict(int)
        off = []
        for row, table in by_key[key]:
            wrong = [one.parameter for one in table if one.outcome == "deviates"]
            for name in wrong:
                counts[name] += 1
            if wrong:
                off.append(row.series_uid)
        worst_first = tuple(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
        audits.append(Audit(protocols[key], len(by_key[key]), len(off), worst_first, tuple(off)))
    return audits


def vertical(rows: Iterable[Row], known: ProtocolSet) -> Iterator[Finding]:
    """Audit across the series of one study: those that a rule names agree in its parameters; one that lacks a parameter is not compared."""
    rows = list(rows)
    for rule in known.vertical:
        named = [row for row in rows if any(re.match(pattern, row.description, re.IGNORECASE) for pattern in rule.series)]
        first = next((row for row in named if row.key.echo == 1), None)
        for row in named:
            if first is None or row is first or row.series_uid == first.series_uid:
                continue
            reference = Protocol(first.key, {name: first.values[name] for name in rule.parameters if name in first.values})
            off = [one for one in compare(row, reference, known.tolerances) if one.outcome == "deviates"]
            if off:
                text = f"{row.description[:40]!r} does not fit {first.description[:40]!r} ({rule.name}): {'; '.join(_words(one) for one in off[:4])}"
                subject = Subject("study", row.study_uid or None)
                details = {"rule": rule.name, "series": [first.series_uid, row.series_uid], "table": [one.as_dict() for one in off]}
                yield Finding("protocol.vertical", Status.WARN, text, subject, details)


def software_changes(rows: Iterable[Row]) -> Iterator[Finding]:
    """Report when the software of a scanner changed, once a change; rows without software or time are left out."""
    by_scanner: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row.software and row.acquired and row.key.scanner:
            by_scanner[(row.key.site, row.key.scanner)].append(row)
    for found in by_scanner.values():
        found.sort(key=lambda row: (row.acquired, row.series_uid))
        for before, after in pairwise(found):
            if before.software != after.software:
                text = f"software changed from {before.software[:40]} to {after.software[:40]}"
                details = {"before": before.software, "after": after.software, "first": after.acquired, "scanner": after.key.scanner}
                yield Finding("protocol.software_changed", Status.INFO, text, Subject("device", after.study_uid or None), details)


@dataclass(frozen=True)
class Arrival:
    """A series by the scanner's clock and by ours (both local, naive or both aware)."""

    scanner: str
    acquired_at: datetime
    received_at: datetime
    study_uid: str = ""


def clock(arrivals: Iterable[Arrival], tolerance_s: float = 300.0, slowest_s: float = 7200.0) -> Iterator[Finding]:
    """Watch the scanner's clock against the time of arrival.

    What came later than `slowest_s` was fetched at some other time and says nothing about the clock; what was made more than a day ahead
    is a wrong date, which has a finding of its own (``header.date``).

    The shortest delay of a day is the clock's offset plus the fastest way here. A negative one is certain: the clock is ahead. One that
    changes from day to day by more than the tolerance, and stays for another day, is a clock that was moved: a single slow day is not.
    """
    days: dict[str, dict[Any, tuple[float, str]]] = defaultdict(dict)
    for one in arrivals:
        delay = (one.received_at - one.acquired_at).total_seconds()
        if not -DAY_S <= delay <= slowest_s:
            continue
        day = one.received_at.date()
        if day not in days[one.scanner] or delay < days[one.scanner][day][0]:
            days[one.scanner][day] = (delay, one.study_uid)
    for scanner, found in sorted(days.items()):
        order = sorted(found)
        ahead = [day for day in order if found[day][0] < -tolerance_s]
        if ahead:
            text = f"images arrived {-found[ahead[0]][0] / 60:.0f} minutes before they were made"
            details = {"scanner": scanner, "first": str(ahead[0]), "days": len(ahead), "offset_s": found[ahead[0]][0]}
            yield Finding("protocol.clock_ahead", Status.WARN, text, Subject("device", found[ahead[0]][1] or None), details)
        for at in range(1, len(order) - 1):
            before, after = order[at - 1], order[at]
            step = found[after][0] - found[before][0]
            calm = abs(found[order[at + 1]][0] - found[after][0]) <= tolerance_s
            calm = calm and (at < 2 or abs(found[before][0] - found[order[at - 2]][0]) <= tolerance_s)
            if abs(step) > tolerance_s and calm:
                text = f"the delay of the images changed by {step / 60:+.0f} minutes from one day to the next and stayed"
                details = {"scanner": scanner, "first": str(after), "step_s": step}
                yield Finding("protocol.clock_changed", Status.INFO, text, Subject("device", found[after][1] or None), details)
