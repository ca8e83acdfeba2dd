"""Compare what was just measured with what the same device gave before: findings `measure.unusual`, advisory by nature."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from statistics import median
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from qc.check import all_metrics
from qc.learned import LEARNED, Learned, learn
from qc.runner import display_unit
from reports.store import schema as t

CODE = "measure.unusual"
ADVICE = (
    "This value is unlike what this device gave with this protocol before. Compare the images with an earlier examination; if more of them follow, scan "
    "the phantom: a coil, a detector or a setting may have changed."
)
MOST = 400  # newest series that make a history

Name = tuple[str, str, str]  # metric, region, method


def compare(connection: Connection, study_id: int) -> int:
    """Write a finding for every unusual value of a study; return how many there are.

    The history of a value is that of its metric, region and method on the same device, with the same protocol (ProtocolName, else the
    description of the series), class and part of the body; the median of the series of each other study, newest revisions only. Nothing
    is said before there are 20 such studies. A study or series that passed becomes one with a warning.
    """
    s = t.series
    chosen = sa.select(s).where(s.c.study_id == study_id, s.c.device_id.is_not(None), s.c["class"].not_like("phantom:%"))
    written = 0
    for series in connection.execute(chosen).mappings().all():
        values = connection.execute(_values_of(series)).mappings().all()
        history = _history(connection, series, study_id) if values else {}
        found = 0
        for row in values:
            limits = learn(history.get((row["metric"], row["region"], row["method"]), []))
            if limits is not None and limits.unusual(row["value"], LEARNED[row["metric"]]):
                connection.execute(sa.insert(t.finding), _finding(row, limits))
                found += 1
        if found:
            _warn(connection, s, series["id"])
            written += found
    if written:
        _warn(connection, t.study, study_id)
    return written


def _values_of(series: Mapping[Any, Any]) -> sa.Select[Any]:
    m = t.measurement
    learned = m.c.metric.in_(sorted(LEARNED))
    return sa.select(m).where(m.c.series_id == series["id"], learned, m.c.value.is_not(None)).order_by(m.c.id)


def _history(connection: Connection, series: Mapping[Any, Any], study_id: int) -> dict[Name, list[float]]:
    """Values of like series of other studies by metric, region and method: one a study."""
    m, s, study = t.measurement, t.series, t.study
    own = sa.select(study.c.study_uid).where(study.c.id == study_id).scalar_subquery()
    like = (
        sa.select(s.c.id, s.c.study_id)
        .join(study, s.c.study_id == study.c.id)
        .where(
            study.c.done_at.is_not(None),
            study.c.superseded_at.is_(None),
            study.c.study_uid != own,
            s.c.device_id == series["device_id"],
            s.c["class"] == series["class"],
        )
        .where(_same(s.c.protocol_name, series["protocol_name"]), _same(s.c.body_part, series["body_part"]))
        .order_by(s.c.id.desc())
        .limit(MOST)
        .subquery()
    )
    rows = connection.execute(
        sa.select(m.c.metric, m.c.region, m.c.method, like.c.study_id, m.c.value)
        .join(like, m.c.series_id == like.c.id)
        .where(m.c.metric.in_(sorted(LEARNED)), m.c.value.is_not(None))
    ).all()
    studies: dict[Name, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for metric, region, method, number, value in rows:
        studies[metric, region, method][number].append(float(value))
    return {name: [median(values) for values in by_study.values()] for name, by_study in studies.items()}


def _same(column: sa.ColumnElement[Any], value: str | None) -> sa.ColumnElement[bool]:
    return column.is_(None) if value is None else column == value


def _warn(connection: Connection, table: sa.Table, row_id: int) -> None:
    better = table.c.status.in_(("pass", "info", "not_evaluable"))
    connection.execute(sa.update(table).where(table.c.id == row_id, better).values(status="warn"))


def _finding(row: Mapping[Any, Any], limits: Learned) -> dict[str, Any]:
    side, unit = ("high" if row["value"] > limits.high else "low"), display_unit(row["unit"])
    text = (
        f"unusually {side} for this device and protocol: {all_metrics()[row['metric']].title}: {row['value']:.4g} {unit}".rstrip()
        + f" (median of {limits.count} studies {limits.median:.4g}, usual {limits.low:.4g} to {limits.high:.4g})"
    )
    details = {"metric": row["metric"], "region": row["region"], "value": row["value"], "median": limits.median, "studies": limits.count}
    kept = ("study_id", "series_id", "level", "series_uid", "instance_uid", "frame", "path", "evidence")
    about = {name: row[name] for name in kept}
    return {**about, "code": CODE, "status": "warn", "message": text, "advice": ADVICE, "check": "learned", "details": details}
