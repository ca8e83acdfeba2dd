"""Protocols: the rows they are learned from and held against, and the audits as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from flows.terminal import safe, table
from qc.protocol import Comparison, Protocol, ProtocolSet, Row, Tolerance, compare, learn
from qc.protocol_audit import Arrival, Audit, clock, horizontal, shown, software_changes, vertical
from qc.results import Finding
from qc.runner import Options, Report, Runner
from reports.store import Store, acquisitions
from reports.store.clean import Cleaner

MOST_SHOWN = 20  # deviating series shown in full on a terminal


# -- where rows come from ------------------------------------------------------------------------------------------


def rows_of_files(paths: Sequence[Path], site: str, progress: Any = None) -> tuple[list[Row], Report]:
    """Return a row for each echo of each series below the paths (headers only), and what the reading gave."""
    with Runner(Options(only=("protocol",), pixels=False)) as runner:
        report = runner.paths(paths, progress)
    rows: list[Row] = []
    for study in report.studies:
        cleaner = Cleaner([instance.tags for instance in study.instances()])
        rows += acquisitions.prepare(study.series, cleaner)
    return [replace(row, key=row.key._replace(site=site)) for row in rows], report


def rows_of_store(store: Store, site: str, days: int, today: date) -> list[Row]:
    """Return the rows of the studies of so many days."""
    return store.acquisitions(site, today - timedelta(days=days))


def arrivals_of_store(store: Store, days: int, today: date) -> list[Arrival]:
    """Return the arrivals of so many days, by which the clocks of scanners are watched."""
    return store.arrivals(today - timedelta(days=days))


def learn_from(rows: Iterable[Row], fewest: int, known: ProtocolSet) -> ProtocolSet:
    """Learn references; tolerances and rules over series that people wrote are kept."""
    return replace(learn(rows, fewest, known.tolerances), vertical=known.vertical)


# -- show ----------------------------------------------------------------------------------------------------------


def references(known: ProtocolSet, name: str = "") -> list[dict[str, Any]]:
    """Return a row for each parameter of each reference whose protocol holds `name`."""
    found = []
    for one in known.protocols:
        if name.casefold() not in one.key.protocol.casefold():
            continue
        head = {**one.key._asdict(), "images": one.images, "seen": one.seen, "of": one.of, "software": one.software}
        for line in compare(Row(one.key, one.expected), one, known.tolerances):
            found.append(
                {**head, "parameter": line.parameter, "expected": shown(line.expected), "tolerance": line.tolerance, "unit": line.unit}
            )
    return found


def references_in_words(known: ProtocolSet, name: str = "") -> str:
    """Return the references as text."""
    chosen = [one for one in known.protocols if name.casefold() in one.key.protocol.casefold()]
    blocks = [_heading(one) + table([("  ", *cells) for cells in _reference(one, known)]) for one in chosen]
    for rule in known.vertical if not name else ():
        series = ", ".join(rule.series)
        blocks.append(f"Rule {safe(rule.name)!r}: series {safe(series)} of a study agree in {', '.join(rule.parameters)}\n")
    for key, reason in known.undecided if not name else ():
        blocks.append(f"Not learned: {safe(key.protocol)}, echo {key.echo}, scanner {safe(key.scanner)}: {reason}\n")
    return "\n".join(blocks)


def _heading(one: Protocol) -> str:
    where = ", ".join(
        [f"echo {one.key.echo}", f"scanner {one.key.scanner or 'any'}", *([f"site {one.key.site}"] if one.key.site else [])]
        + ([f"{one.images} images"] if one.images else [])
        + ([f"run in {one.seen} of {one.of} series"] if one.seen else [])
        + ([f"software {one.software}"] if one.software else [])
    )
    return f"{safe(one.key.protocol)} ({safe(where)})\n"


def _reference(one: Protocol, known: ProtocolSet) -> list[tuple[str, ...]]:
    lines = [("PARAMETER", "EXPECTED", "TOLERANCE")]
    for line in compare(Row(one.key, one.expected), one, known.tolerances):
        tolerance = one.tolerances.get(line.parameter) or known.tolerances.get(line.parameter) or Tolerance()
        lines.append((line.parameter, safe(_with_unit(shown(line.expected), line.unit)), _tolerance(line, tolerance)))
    return [*lines, *((name, "set for each patient", "not compared") for name in one.free)]


def _tolerance(line: Comparison, tolerance: Tolerance) -> str:
    if line.tolerance is None:
        return "the same"
    parts = [f"{100 * tolerance.relative:g} %"] if tolerance.relative else []
    parts += [_with_unit(f"{tolerance.absolute:g}", line.unit)] if tolerance.absolute else []
    return f"± {' or '.join(parts)}" if parts else "the same"


def _with_unit(text: str, unit: str) -> str:
    return f"{text} {unit}" if unit not in ("", "1") else text


# -- check ---------------------------------------------------------------------------------------------------------


@dataclass
class Checked:
    """Rows held against references.

    Attributes
    ----------
    deviating
        Each row that deviates, with the whole table of its parameters.
    short
        Rows with fewer images than their protocol gives.
    unknown
        Protocols without a reference, and how many rows have each.
    vertical, scanner
        What does not fit within a study; what happened to the scanners.
    """

    audits: list[Audit]
    deviating: list[tuple[Row, Protocol, list[Comparison]]] = field(default_factory=list)
    short: list[tuple[Row, Protocol]] = field(default_factory=list)
    unknown: Counter[str] = field(default_factory=Counter)
    vertical: list[Finding] = field(default_factory=list)
    scanner: list[Finding] = field(default_factory=list)
    compared: int = 0

    @property
    def clean(self) -> bool:
        """Tell whether nothing deviates."""
        return not (self.deviating or self.short or self.vertical)


def check(rows: Sequence[Row], known: ProtocolSet, arrivals: Iterable[Any] = ()) -> Checked:
    """Hold rows against references: each series, across patients, across the series of a study; and look at the scanners."""
    result = Checked(horizontal(rows, known))
    studies: dict[str, list[Row]] = {}
    for row in rows:
        studies.setdefault(row.study_uid, []).append(row)
        protocol = known.find(row.key)
        if protocol is None:
            result.unknown[row.key.protocol or "(without a name)"] += 1
            continue
        result.compared += 1
        lines = compare(row, protocol, known.tolerances)
        if any(line.outcome == "deviates" for line in lines):
            result.deviating.append((row, protocol, lines))
        if protocol.images is not None and row.images is not None and row.images < protocol.images:
            result.short.append((row, protocol))
    result.vertical = [one for study in studies.values() for one in vertical(study, known)]
    result.scanner = [*software_changes(rows), *clock(arrivals)]
    return result


def as_json(result: Checked) -> dict[str, Any]:
    """Return a check as plain values."""
    return {
        "schema": 1,
        "compared": result.compared,
        "without_reference": dict(sorted(result.unknown.items())),
        "audits": [
            {**one.protocol.key._asdict(), "series": one.series, "deviating": one.deviating, "parameters": dict(one.parameters)}
            for one in result.audits
        ],
        "deviating": [{**_place(row), "table": [line.as_dict() for line in lines]} for row, _, lines in result.deviating],
        "fewer_images": [{**_place(row), "expected": one.images, "found": row.images} for row, one in result.short],
        "vertical": [{"study_uid": one.subject.study_uid, "message": one.message, **one.details} for one in result.vertical],
        "scanners": [{"code": one.code, "status": str(one.status), "message": one.message, **one.details} for one in result.scanner],
    }


def as_rows(result: Checked) -> list[dict[str, Any]]:
    """Return a row for each parameter that deviates (and for each series with too few images)."""
    found = []
    for row, _, lines in result.deviating:
        for line in lines:
            if line.outcome == "deviates":
                plain = line.as_dict() | {"expected": shown(line.expected), "found": shown(line.found)}
                found.append({**_place(row), **{name: value for name, value in plain.items() if name != "outcome"}})
    for row, one in result.short:
        values = {"parameter": "images", "expected": one.images, "found": row.images, "tolerance": 0, "unit": "1", "distance": None}
        found.append({**_place(row), **values})
    return found


def _place(row: Row) -> dict[str, Any]:
    place = {"study_uid": row.study_uid, "series_uid": row.series_uid, "acquired": row.acquired, "description": row.description}
    return {**place, **row.key._asdict()}


def in_words(result: Checked) -> str:
    """Return a check as text."""
    blocks = []
    if result.audits:
        head = ("PROTOCOL", "ECHO", "SCANNER", "SERIES", "DEVIATE", "IN")
        lines = [
            (safe(one.protocol.key.protocol), str(one.protocol.key.echo), safe(one.protocol.key.scanner or "any"), str(one.series),
             str(one.deviating), ", ".join(f"{name} ({count})" for name, count in one.parameters))
            for one in result.audits
        ]  # fmt: skip
        blocks.append(table([head, *lines]))
    for row, _, table_ in result.deviating[:MOST_SHOWN]:
        head = ("  ", "PARAMETER", "EXPECTED", "FOUND", "TOLERANCE", "TOLERANCES OFF")
        lines = [("  ", *_line(line)) for line in table_ if line.outcome == "deviates"]
        blocks.append(f"{_where(row)}\n" + table([head, *lines]))
    if len(result.deviating) > MOST_SHOWN:
        blocks.append(f"... and {len(result.deviating) - MOST_SHOWN} more series that deviate (--csv lists them all)\n")
    blocks += [f"{_where(row)}\n  {row.images} images where the protocol gives {one.images}\n" for row, one in result.short[:MOST_SHOWN]]
    blocks += [f"Study {one.subject.study_uid}: {safe(one.message)}\n" for one in result.vertical]
    blocks += [
        f"Scanner {safe(str(one.details['scanner']))}, {_day(str(one.details['first']))}: {safe(one.message)}\n" for one in result.scanner
    ]
    if result.unknown:
        names = ", ".join(f"{safe(name)} ({count})" for name, count in result.unknown.most_common(10))
        more = f" and {len(result.unknown) - 10} more" if len(result.unknown) > 10 else ""
        blocks.append(f"Not compared, because no reference names them: {names}{more}\n")
    blocks.append(f"{result.compared} series (or echoes of series) compared, {len(result.deviating)} deviate.\n")
    return "\n".join(blocks)


def _line(line: Comparison) -> tuple[str, ...]:
    allowed = "the same" if not line.tolerance else _with_unit(f"± {line.tolerance:g}", line.unit)
    off = f"{line.distance:.1f}" if line.distance is not None else ""
    return (line.parameter, safe(shown(line.expected)), safe(shown(line.found)), allowed, off)


def _day(when: str) -> str:
    """Write ``YYYYMMDDHHMMSS`` as people do; what is written so already stays."""
    if not when[:8].isdigit():
        return when or "no date"
    return f"{when[:4]}-{when[4:6]}-{when[6:8]}" + (f" {when[8:10]}:{when[10:12]}" if len(when) >= 12 else "")


def _where(row: Row) -> str:
    key = row.key
    return safe(f"{_day(row.acquired)}  {key.protocol}, echo {key.echo}, scanner {key.scanner or 'unknown'}  series {row.series_uid}")
