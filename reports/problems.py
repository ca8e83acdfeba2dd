"""Sort results for reading: what failed, grouped by problem and study, worst first; what could not be evaluated, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from reports import words

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]
LEVELS = ("action_low", "tolerance_low", "tolerance_high", "action_high")
LIMIT = "limit.exceeded"
ANSWERED = "entered_as_text"  # reason of a value of a test sheet that is no number
_WATCH = "Past the warning level, not yet past the failing level. Nothing has to stop; compare with the last days and tell the physicist."


@dataclass
class Line:
    """One statement about a study: where (series, image) and what."""

    where: str
    text: str
    status: str


@dataclass
class Value:
    """A measured value beside its limits."""

    name: str
    value: str
    limits: str
    status: str
    series: str


@dataclass
class Item:
    """One study under one problem, with everything that is needed to find and judge it."""

    study: Row
    late: bool
    status: str = "pass"
    device: str = ""
    stations: list[str] = field(default_factory=list)
    series: dict[str, str] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)
    origins: list[str] = field(default_factory=list)
    evidence: list[int] = field(default_factory=list)
    details: list[tuple[str, Any]] = field(default_factory=list)  # (series, details of a finding that has no picture)


@dataclass
class Problem:
    """What is wrong, what it means and what to do, with the studies that have it."""

    key: tuple[str, str]
    title: str
    check: str = ""
    status: str = "pass"
    meanings: list[str] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)

    @property
    def anchor(self) -> str:
        """Name of the place in the page."""
        return "p-" + "-".join(part.replace(".", "-").replace("_", "-") for part in self.key if part)

    @property
    def devices(self) -> list[str]:
        """Names of the devices that have it, each once."""
        names = (item.device or item.study.get("devices") or "" for item in self.items)
        return list(dict.fromkeys(filter(None, names)))


@dataclass
class Unjudged:
    """Something that could not be evaluated, for one reason, in one or more series.

    Attributes
    ----------
    reason
        A sentence; `message` adds the facts of one case, where there are any.
    """

    what: str
    reason: str
    message: str
    where: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Titles:
    """Titles of checks and metrics, by id."""

    checks: Mapping[str, str]
    metrics: Mapping[str, str]

    @classmethod
    def load(cls) -> Titles:
        """Read them from the declarations of the checks that are installed."""
        from qc.check import all_metrics, load_checks
        from qc.errors import ConfigurationError

        try:
            checks = {spec.id: spec.title for spec in load_checks()}
            return cls(checks, {name: metric.title for name, metric in all_metrics().items()})
        except ConfigurationError:  # a report of stored results needs no check; ids will do
            return cls({}, {})

    def check(self, name: str) -> str:
        """Return the title of a check, else its id in words."""
        return self.checks.get(name) or words.human(name)

    def metric(self, name: str) -> str:
        """Return the title of a metric, else its id in words."""
        return self.metrics.get(name) or words.human(name)


def rows(frame: pd.DataFrame) -> list[Row]:
    """Return a frame as dictionaries; what is missing is None."""
    plain = frame.astype(object).where(frame.notna(), None) if len(frame) else frame
    return [dict(zip(plain.columns, values, strict=True)) for values in plain.itertuples(index=False, name=None)]


def problems(
    studies: Iterable[Row], findings: Iterable[Row], measurements: Iterable[Row], late: frozenset[str], titles: Titles
) -> list[Problem]:
    """Return what failed and warned, worst first.

    Parameters
    ----------
    late
        StudyInstanceUIDs of the studies that arrived late.
    """
    by_uid = {row["study_uid"]: row for row in studies}
    found: dict[tuple[str, str], Problem] = {}
    items: dict[tuple[tuple[str, str], str], Item] = {}

    def item_of(key: tuple[str, str], title: str, row: Row, check: str, meaning: str) -> Item:
        problem = found.setdefault(key, Problem(key, title, check))
        problem.status = _worse(problem.status, row["status"])
        if meaning and meaning not in problem.meanings:
            problem.meanings.append(meaning)
        uid = row["study_uid"]
        if (key, uid) not in items:
            items[key, uid] = Item(by_uid.get(uid, row), uid in late)
            problem.items.append(items[key, uid])
        item = items[key, uid]
        item.status = _worse(item.status, row["status"])
        _place(item, row)
        return item

    for row in findings:
        if row["status"] in words.BAD:
            metric = (row["details"] or {}).get("metric", "") if row["code"] == LIMIT else ""
            title = f"{titles.metric(metric)}: outside its limit" if metric else words.title(row["code"])
            item = item_of((row["code"], metric), title, row, titles.checks.get(row["check"], row["check"] or ""), row["advice"])
            if not metric:  # else the value itself says it, below
                item.lines.append(Line(_where(row), row["message"], row["status"]))
                item.evidence += [one for one in row["evidence"] or () if one not in item.evidence]
                if row["details"] and not row["evidence"]:
                    item.details.append((_where(row), row["details"]))
    for row in measurements:
        if row["status"] in words.BAD:
            answered = row["reason"] == ANSWERED
            title = f"{titles.metric(row['metric'])}: {'not as it should be' if answered else 'outside its limit'}"
            meaning = _WATCH if row["status"] == "warn" else ""
            item = item_of((LIMIT, row["metric"]), title, row, "", meaning)
            item.values.append(_value(row, titles))
            item.evidence += [one for one in row["evidence"] or () if one not in item.evidence]
            item.origins += [text for text in (origin(row),) if text and text not in item.origins]
    for problem in found.values():
        problem.items.sort(key=lambda item: (words.ORDER[item.status], item.late, *_time(item.study)))
    return sorted(found.values(), key=lambda one: (words.ORDER[one.status], -len(one.items), one.title))


def unjudged(findings: Iterable[Row], measurements: Iterable[Row], titles: Titles) -> list[Unjudged]:
    """Return what could not be evaluated, grouped by what and why, the most frequent first."""
    found: dict[tuple[str, str], Unjudged] = {}

    def note(what: str, reason: str | None, message: str, row: Row) -> None:
        why = words.reason(reason) if reason else message[:1].upper() + message[1:]
        facts = message if reason and (reason not in words.REASONS or any(map(str.isdigit, message))) else ""
        group = found.setdefault((what, reason or message), Unjudged(what, why, facts))
        place = f"{_study_words(row)}{', ' + where if (where := _where(row)) else ''}"
        if place not in group.where:
            group.where.append(place)

    for row in findings:
        if row["status"] == "not_evaluable":
            what = titles.checks.get(row["check"]) or words.title(row["code"])
            note(what, (row["details"] or {}).get("reason"), row["message"], row)
    for row in measurements:
        if row["status"] == "not_evaluable":
            note(titles.metric(row["metric"]), row["reason"], (row["details"] or {}).get("message", ""), row)
    joined: dict[tuple[str, str, tuple[str, ...]], Unjudged] = {}
    for one in found.values():  # two values of one measurement, missing for one reason in the same places, are one line
        same = joined.setdefault((one.reason, one.message, tuple(one.where)), one)
        if same is not one:
            same.what += f"; {words.lower(one.what)}"
    return sorted(joined.values(), key=lambda one: (-len(one.where), one.what))


def origin(row: Row) -> str:
    """Say where the limits of a measurement come from: set, edition, document, how sure that is, and the method that measured."""
    if not row["criteria_set"]:
        return ""
    parts = [f"Limits: {row['criteria_set']}, edition {row['criteria_edition']}", row["criteria_provenance"]]
    parts.append(words.CONFIDENCE.get(row["criteria_confidence"], row["criteria_confidence"]))
    return "; ".join(part for part in parts if part) + (f". Method: {row['method']}" if row["method"] else "")


def _value(row: Row, titles: Titles) -> Value:
    levels = tuple(row[level] for level in LEVELS)
    shown = words.value(row["value"], row["unit"], row["uncertainty"], levels)
    limits = words.limit_words(row, row["unit"])
    if row["reason"] == ANSWERED:
        shown, limits = (row["details"] or {}).get("entered", ""), "an answer that passes"
    elif row["value"] is None:
        shown = f"no value: {words.brief(row['reason'])}"
    name = row["region"].replace("_", " ").replace(".", ", ") or titles.metric(row["metric"])
    return Value(name, shown, limits, row["status"], _where(row))


def _place(item: Item, row: Row) -> None:
    """Note which series, device and station a row is about."""
    if row["series_uid"]:
        item.series.setdefault(row["series_uid"], series_words(row))
    item.device = item.device or row["device"] or ""
    if row["station"] and row["station"] not in item.stations:
        item.stations.append(row["station"])


def series_words(row: Row) -> str:
    """Name a series by its number and description."""
    number = f"Series {row['series_number']}" if row["series_number"] is not None else "Series without number"
    return f"{number} {row['series_description'] or ''}".strip()


def _where(row: Row) -> str:
    """Say which series, and which image of it."""
    parts = [series_words(row)] if row["series_uid"] else []
    if row["frame"] is not None:
        parts.append(f"frame {row['frame']}")
    if row["path"] and (row["instance_uid"] or row["level"] == "file"):
        parts.append(row["path"])
    return ", ".join(parts)


def _study_words(row: Row) -> str:
    device = row["device"] or "unknown device"
    return f"{device} {words.clock(row['study_time'])} {row['study_description'] or ''}".strip()


def _time(study: Row) -> tuple[date, str, str]:
    return study["study_day"] or date.max, study["study_time"] or "", study["study_uid"]


def _worse(one: str, other: str) -> str:
    return min(one, other, key=words.ORDER.__getitem__)
