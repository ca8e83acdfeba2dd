"""A report as JSON and as CSV: the stable, versioned form that other programs read.

The JSON is described by `schema.json` beside this module (`schema` gives it). The order is fixed: studies as they were
read, results worst first, then by subject and name. Only plain JSON types; a number that is not finite becomes null.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import platform
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from enum import Enum
from functools import cache
from importlib import metadata, resources
from pathlib import PurePath
from typing import Any

import numpy as np

from qc.criteria import LEVELS
from qc.results import Finding, Judged, Subject, severity
from qc.runner import Report
from qc.study import Series

SCHEMA = 1

COLUMNS = (
    "kind", "status", "name", "region", "value", "unit", "uncertainty", "reason", "message", "check", "method", *LEVELS,
    "criteria_set", "criteria_edition", "criteria_provenance", "criteria_confidence",
    "level", "study_uid", "series_uid", "instance_uid", "frame", "path", "modality", "series_description", "class", "details",
)  # fmt: skip
"""Columns of the CSV. `kind` is finding, measurement or skipped; `name` is the code, the metric, or nothing."""


@cache
def software() -> dict[str, str]:
    """Return name and version of what made a report."""
    return {
        "name": "pacsqc",
        "version": _version("pacsqc"),
        "python": platform.python_version(),
        "pydicom": _version("pydicom"),
        "numpy": np.__version__,
    }


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "unknown"


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of `to_json`."""
    text = resources.files("qc").joinpath("schema.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def plain(value: Any) -> Any:
    """Return a value in plain JSON types.

    NumPy scalars and arrays, tuples, sets, dates, enumerations and dataclasses are converted; numbers that are not
    finite become None; of a path only the name is kept, because paths of the machine belong in no output.
    """
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()  # names of files may hold bytes that are no text
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, (np.generic, np.ndarray)):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(one) for key, one in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted((plain(one) for one in value), key=str)
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, PurePath):
        return value.name
    if isinstance(value, bytes):
        return value.hex()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return str(value)


def to_json(report: Report) -> dict[str, Any]:
    """Return a report in the form of `schema.json`."""
    order = _Order(report)
    return {
        "schema": SCHEMA,
        "software": dict(software()),
        "studies": [{"study_uid": study.uid or None, "series": [_series(series) for series in study.series]} for study in report.studies],
        "findings": [_finding(finding) for finding in order.findings()],
        "measurements": [_measurement(judged) for judged in order.measurements()],
        "skipped": [{"path": plain(one.shown), "reason": one.reason} for one in report.skipped],
        "checks": [
            {"check": ran.check, "version": ran.version, "status": ran.status.value, "subject": _subject(ran.subject)}
            for ran in sorted(report.ran, key=lambda ran: (*order.place(ran.subject), ran.check))
        ],
    }


def to_csv(report: Report) -> str:
    """Return findings, measurements and skipped files as one table, a row each (`COLUMNS`).

    Texts that a spreadsheet would take for a formula get an apostrophe in front: they may come from a header.
    """
    order = _Order(report)
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for finding in order.findings():
        cells = {"kind": "finding", "name": finding.code, "check": finding.check, "message": finding.message}
        writer.writerow(_row(cells, finding.status, finding.subject, finding.details, order))
    for judged in order.measurements():
        one, verdict = judged.measurement, judged.verdict
        values: dict[str, Any] = {"kind": "measurement", "name": one.metric}
        values |= {key: getattr(one, key) for key in ("region", "value", "unit", "uncertainty", "reason", "method")}
        values |= verdict.limits or {}
        values |= {f"criteria_{key}": value for key, value in (verdict.criteria or {}).items()}
        writer.writerow(_row(values, verdict.status, one.subject, one.details, order))
    for file in report.skipped:
        cells = {"kind": "skipped", "reason": file.reason, "message": file.message, "level": "file", "path": file.shown}
        writer.writerow({key: _cell(plain(value)) for key, value in cells.items()})
    return out.getvalue()


def _row(cells: dict[str, Any], status: Any, subject: Subject, details: Mapping[str, Any], order: _Order) -> dict[str, Any]:
    series = order.series.get((subject.study_uid or "", subject.series_uid or ""))
    about = {"modality": series.modality, "series_description": series.description, "class": series.klass} if series else {}
    extra = {"details": json.dumps(plain(details), ensure_ascii=False, sort_keys=True)} if details else {}
    everything = {**cells, "status": status, **_subject(subject), **about, **extra}
    return {key: _cell(plain(value)) for key, value in everything.items()}


_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?$")


def _cell(value: Any) -> Any:
    """Return a CSV cell: numbers in full precision, dangerous texts disarmed."""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, str) and value[:1] in "=+-@\t\r" and value and not _NUMBER.match(value):
        return "'" + value
    return value


class _Order:
    """The stable order of results: worst first, then subject as it was read, then name."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.series: dict[tuple[str, str], Series] = {}
        self.studies: dict[str, int] = {}
        for study in report.studies:
            self.studies[study.uid] = len(self.studies)
            self.series |= {(study.uid, series.uid): series for series in study.series}
        self._position = {key: number for number, key in enumerate(self.series)}

    def place(self, subject: Subject) -> tuple[Any, ...]:
        """Return the sort key of a subject; a study comes before its series, files without a study come last."""
        study = self.studies.get(subject.study_uid or "", 1 << 60)
        series = self._position.get((subject.study_uid or "", subject.series_uid or ""), -1)
        return (study, series, subject.path or "", subject.frame or 0, subject.instance_uid or "", subject.level)

    def findings(self) -> list[Finding]:
        return sorted(self.report.findings, key=lambda one: (severity(one.status), *self.place(one.subject), one.code, one.message))

    def measurements(self) -> list[Judged]:
        return sorted(self.report.measurements, key=self._measurement_key)

    def _measurement_key(self, judged: Judged) -> tuple[Any, ...]:
        one = judged.measurement
        return (severity(judged.verdict.status), *self.place(one.subject), one.metric, natural(one.region), one.method)


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """Return a sort key by which ``slice2`` comes before ``slice11``."""
    return tuple((1, int(part), "") if part.isdigit() else (0, 0, part) for part in re.split(r"(\d+)", text) if part)


def _series(series: Series) -> dict[str, Any]:
    return {
        "series_uid": series.uid or None,
        "modality": series.modality,
        "description": plain(series.description),
        "class": series.klass,
        "instances": len(series.instances),
        "frames": len(series.frames),
    }


def _subject(subject: Subject) -> dict[str, Any]:
    return {field.name: plain(getattr(subject, field.name)) for field in dataclasses.fields(subject)}


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "status": finding.status.value,
        "message": plain(finding.message),
        "check": finding.check,
        "subject": _subject(finding.subject),
        "details": plain(finding.details),
    }


def _measurement(judged: Judged) -> dict[str, Any]:
    one, verdict = judged.measurement, judged.verdict
    return {
        "metric": one.metric,
        "region": one.region,
        "value": plain(one.value),
        "unit": one.unit,
        "uncertainty": plain(one.uncertainty),
        "status": verdict.status.value,
        "reason": one.reason,
        "method": one.method,
        "limits": None if verdict.limits is None else {level: plain(verdict.limits.get(level)) for level in LEVELS},
        "criteria": None if verdict.criteria is None else {key: str(value) for key, value in _origin(verdict.criteria)},
        "subject": _subject(one.subject),
        "details": plain(one.details),
    }


def _origin(criteria: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    return ((key, criteria.get(key, "")) for key in ("set", "edition", "provenance", "confidence"))
