"""Results as tidy pandas frames: the one way in for every report, always with a filter.

One row a study, series, finding, measurement, set-aside file. Each row says by itself what it is about and how to find it, so a
frame can be written as CSV as it stands. Values are in full precision. `late=True` gives, in place of the studies of the day,
those of earlier days that arrived after their own report was written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from qc.results import Status
from reports.store import days, lookup
from reports.store import schema as t

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy.engine import Connection

    from reports.store import Store

LEVELS = ("action_low", "tolerance_low", "tolerance_high", "action_high")
ORIGIN = ("set", "edition", "provenance", "confidence")

# how a person finds the study, in front of every row
STUDY = (
    t.study.c.study_uid,
    t.study.c.day.label("study_day"),
    t.study.c.local_time.label("study_time"),
    t.study.c.zone,
    t.study.c.description.label("study_description"),
    t.study.c.patient,
)
SERIES = (
    t.device.c.alias.label("device"),
    t.series.c.station,
    t.series.c.modality,
    t.series.c.number.label("series_number"),
    t.series.c.description.label("series_description"),
    t.series.c["class"],
)


def studies(store: Store, day: date, *, late: bool = False) -> pd.DataFrame:
    """Return the studies of a day, one row each, with roll-ups of their series, results and files."""
    with store.reading() as connection:
        ours = _ours(connection, day, late)
        frame = tabulate(
            connection,
            (*STUDY, *(t.study.c[name] for name in ("id", "revision", "status", "day_from", "study_at", "done_at", "files"))),
            sa.select().select_from(t.study).where(ours).order_by(t.study.c.day, t.study.c.local_time, t.study.c.study_uid),
        )
        _join_counts(connection, frame, ours)
    return _first(
        frame.drop(columns="id"),
        "study_uid",
        "revision",
        "study_day",
        "study_time",
        "zone",
        "study_description",
        "patient",
        "status",
        "devices",
    )


def series(store: Store, day: date, *, late: bool = False) -> pd.DataFrame:
    """Return the series of the studies of a day."""
    with store.reading() as connection:
        names = ("series_uid", "software", "local_time", "instances", "frames", "status")
        device = (t.device.c.id.label("device_id"), t.device.c.reviewed.label("device_reviewed"))
        columns = (*STUDY, *SERIES, *(t.series.c[name] for name in names), *device)
        rows = (
            sa.select()
            .select_from(lookup.with_device(t.series.join(t.study)))
            .where(_ours(connection, day, late))
            .order_by(t.study.c.day, t.study.c.local_time, t.study.c.study_uid, t.series.c.number, t.series.c.id)
        )
        return tabulate(connection, columns, rows).rename(columns={"local_time": "series_time"})


def findings(store: Store, day: date, *, late: bool = False) -> pd.DataFrame:
    """Return the findings of the studies of a day, worst first."""
    names = (
        "status", "code", "message", "advice", "check", "level", "series_uid", "instance_uid", "frame", "path", "details", "evidence", "id",
    )  # fmt: skip
    with store.reading() as connection:
        frame = _results(connection, t.finding, names, _ours(connection, day, late))
    return _worst_first(frame)


def measurements(store: Store, day: date, *, late: bool = False) -> pd.DataFrame:
    """Return the measurements of the studies of a day, worst first, each with the snapshot of the limits that judged it."""
    names = (
        "status", "metric", "region", "value", "unit", "uncertainty", "reason", "method", "level", "series_uid", "instance_uid", "frame",
        "path", "limits", "criteria", "details", "evidence", "id",
    )  # fmt: skip
    with store.reading() as connection:
        frame = _results(connection, t.measurement, names, _ours(connection, day, late))
    snapshots = [flat(limits, criteria) for limits, criteria in zip(frame.pop("limits"), frame.pop("criteria"), strict=True)]
    for name in (*LEVELS, *(f"criteria_{key}" for key in ORIGIN)):
        frame[name] = [one[name] for one in snapshots]
    for name in ("value", "uncertainty", *LEVELS):
        frame[name] = frame[name].astype("float64")
    return _worst_first(_last(frame, "details", "evidence", "id"))


def flat(limits: Mapping[str, Any] | None, criteria: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the snapshot of a criterion as columns: the four levels, and ``criteria_set``, ``criteria_edition`` ..."""
    levels = {key: (limits or {}).get(key) for key in LEVELS}
    return levels | {f"criteria_{key}": (criteria or {}).get(key) for key in ORIGIN}


def checkruns(store: Store, day: date, *, late: bool = False) -> pd.DataFrame:
    """Return which checks ran on the studies of a day, how often, and how they ended: one row a check and status."""
    with store.reading() as connection:
        columns = (t.checkrun.c.check, t.checkrun.c.version, t.checkrun.c.status, sa.func.count().label("runs"))
        columns += (sa.func.sum(t.checkrun.c.seconds).label("seconds"),)
        rows = sa.select().select_from(t.checkrun.join(t.study)).where(_ours(connection, day, late))
        return tabulate(connection, columns, rows.group_by(*columns[:3]).order_by(t.checkrun.c.check, t.checkrun.c.status))


def skipped(store: Store, day: date) -> pd.DataFrame:
    """Return the files that were set aside: with studies of the day, or at discovery since the last report."""
    with store.reading() as connection:
        columns = (
            t.skipped.c.path,
            t.skipped.c.folder,
            t.skipped.c.reason,
            t.skipped.c.message,
            t.source.c.name.label("source"),
            t.study.c.study_uid,
        )
        rows = sa.select().select_from(t.skipped.outerjoin(t.source).outerjoin(t.study)).where(days.set_aside(connection, day))
        return tabulate(
            connection, (*columns, t.skipped.c.first_at), rows.order_by(t.skipped.c.reason, t.skipped.c.folder, t.skipped.c.path)
        )


def devices(store: Store) -> pd.DataFrame:
    """Return the known devices, with the last day that has a study of theirs."""
    import pandas as pd

    columns = [name for name in lookup.Device.__dataclass_fields__ if name != "id"]
    rows = [[getattr(one, name) for name in columns] for one in store.devices()]
    frame = pd.DataFrame(rows, columns=columns)
    for name in ("station_names", "ae_titles", "criteria"):
        frame[name] = ["; ".join(names) for names in frame[name]]
    return frame


# -- how --------------------------------------------------------------------------------------------------------


def _ours(connection: Connection, day: date, late: bool) -> sa.ColumnElement[bool]:
    return days.late(connection, day) if late else days.of_day(day)


def tabulate(connection: Connection, columns: Sequence[Any], rows: sa.Select) -> pd.DataFrame:
    """Return the selected columns as a frame; a column keeps its name where there are no rows, and None stays None."""
    import pandas as pd

    found = connection.execute(rows.add_columns(*columns)).all()
    names = [column.name for column in columns]
    data = {name: pd.Series(values, dtype=_dtype(column)) for name, column, values in _columns(names, columns, found)}
    return pd.DataFrame(data, columns=names)


def _columns(names: list[str], columns: Sequence[Any], rows: Sequence[Any]) -> list[tuple[str, Any, list[Any]]]:
    return [(name, column, [row[place] for row in rows]) for place, (name, column) in enumerate(zip(names, columns, strict=True))]


def _dtype(column: Any) -> str:
    kind = column.type
    if isinstance(kind, sa.Boolean):
        return "boolean"
    if isinstance(kind, sa.Float):
        return "float64"
    return "Int64" if isinstance(kind, sa.Integer) else "object"


def _results(connection: Connection, table: sa.Table, names: Sequence[str], ours: sa.ColumnElement[bool]) -> pd.DataFrame:
    joined = table.join(t.study, t.study.c.id == table.c.study_id)
    joined = lookup.with_device(joined.outerjoin(t.series, t.series.c.id == table.c.series_id))
    columns = (*STUDY, *SERIES, *(table.c[name] for name in names))
    return tabulate(connection, columns, sa.select().select_from(joined).where(ours).order_by(table.c.id))


def _join_counts(connection: Connection, frame: pd.DataFrame, ours: sa.ColumnElement[bool]) -> None:
    """Add what is counted a study; the counting is done by the database."""
    inside = t.series.join(t.study)
    counted = (
        sa.select(t.series.c.study_id, sa.func.count(), sa.func.sum(t.series.c.instances), sa.func.sum(t.series.c.frames))
        .select_from(inside)
        .where(ours)
        .group_by(t.series.c.study_id)
    )
    by_study = {row[0]: row[1:] for row in connection.execute(counted)}
    for place, name in enumerate(("series", "instances", "frames")):
        frame[name] = [int(by_study.get(one, (0, 0, 0))[place] or 0) for one in frame["id"]]
    aside = sa.select(t.skipped.c.study_id, sa.func.count()).select_from(t.skipped.join(t.study)).where(ours).group_by(t.skipped.c.study_id)
    counts = {row[0]: row[1] for row in connection.execute(aside)}
    frame["skipped"] = [int(counts.get(one, 0)) for one in frame["id"]]
    for status in Status:
        frame[f"n_{status}"] = 0
    for table in (t.finding, t.measurement):
        tally = sa.select(table.c.study_id, table.c.status, sa.func.count()).select_from(table.join(t.study)).where(ours)
        per_status = {row[:2]: row[2] for row in connection.execute(tally.group_by(table.c.study_id, table.c.status))}
        for status in Status:
            frame[f"n_{status}"] += [int(per_status.get((one, str(status)), 0)) for one in frame["id"]]
    named = sa.select(t.series.c.study_id, t.device.c.alias, t.series.c.modality).select_from(lookup.with_device(inside)).where(ours)
    names: dict[int, tuple[set[str], set[str]]] = {}
    for study_id, alias, modality in connection.execute(named.distinct()):
        both = names.setdefault(study_id, (set(), set()))
        both[0].update(filter(None, (alias,)))
        both[1].update(filter(None, (modality,)))
    for place, name in enumerate(("devices", "modalities")):
        frame[name] = ["; ".join(sorted(names.get(one, (set(), set()))[place])) for one in frame["id"]]


def _worst_first(frame: pd.DataFrame) -> pd.DataFrame:
    rank = {str(status): place for place, status in enumerate(Status)}
    return frame.iloc[frame["status"].map(rank).argsort(kind="stable")].reset_index(drop=True)


def _first(frame: pd.DataFrame, *names: str) -> pd.DataFrame:
    return frame[[*names, *(name for name in frame.columns if name not in names)]]


def _last(frame: pd.DataFrame, *names: str) -> pd.DataFrame:
    return frame[[*(name for name in frame.columns if name not in names), *names]]
