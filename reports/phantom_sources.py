"""Where a phantom run comes from: the database, or a check that was just done without one. Both give the same rows."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from qc.output import software
from qc.results import Evidence
from qc.runner import Report
from reports import frames, phantom_history, problems
from reports import phantom_run as of
from reports.phantom_run import Run
from reports.problems import Row, Titles
from reports.store.clean import Places
from reports.store.devices import Equipment
from reports.store.local import moment, zone_of
from reports.store.results import evidence_of, prepare

if TYPE_CHECKING:
    import pandas as pd

    from reports.store import Device, Store

MOST_PICTURES = 250


def from_store(
    store: Store, day: date, tables: Mapping[str, pd.DataFrame] | None = None, *, device: str | None = None, site: str = ""
) -> list[Run]:
    """Return the phantom runs of a day.

    Parameters
    ----------
    tables
        Frames of that day by name, where somebody has them already.
    device
        Only runs of the device of this name.
    """
    told = {name: (tables or {}).get(name) for name in ("studies", "series", "findings", "measurements")}
    rows = {name: problems.rows(frame if frame is not None else getattr(frames, name)(store, day)) for name, frame in told.items()}
    devices = {one.id: one for one in store.devices()}
    settings = phantom_history.acquisition(store, day)
    found = []
    for study in rows["studies"]:
        series = [dict(row) for row in rows["series"] if row["study_uid"] == study["study_uid"]]
        if not of.is_run(series) or (device and device not in [row["device"] for row in series]):
            continue
        for row in series:
            row.update(settings[row["series_uid"]])
        ours = {name: [row for row in rows[name] if row["study_uid"] == study["study_uid"]] for name in ("findings", "measurements")}
        ours["measurements"].sort(key=lambda row: row["id"])  # as they were measured
        made_by = [devices[row["device_id"]] for row in series if row["device_id"] in devices and (row["class"] or "").startswith(of.CLASS)]
        run = _run(study, series, ours, [_known(one) for one in made_by], site, store.now().astimezone(store.zone))
        run.pictures = store.evidence(_wanted(run))
        run.has_store = True
        run.history = phantom_history.trends(store, study, run.parts)
        found.append(run)
    return found


def from_report(report: Report, *, timezone: str = "", site: str = "") -> list[Run]:
    """Return the phantom runs of a check that was just done: one a study. Nothing is stored, and there is no history."""
    zone, now = zone_of(timezone or None), datetime.now(UTC)
    found = []
    for study in report.studies:
        own = dataclasses.replace(
            report,
            studies=[study],
            findings=[one for one in report.findings if one.subject.study_uid == study.uid],
            measurements=[one for one in report.measurements if one.measurement.subject.study_uid == study.uid],
            skipped=[],
        )
        prepared = prepare(own, secrets.token_bytes(16), Places(secrets.token_bytes(16)))
        when = moment(prepared.get, now, zone)
        visit = {
            "study_uid": study.uid, "study_day": when.day, "study_time": when.local_time, "zone": when.zone,
            "study_description": prepared.study["description"],
        }  # fmt: skip
        series = [_series(row, made_by, visit) for row, made_by in prepared.series]
        if not of.is_run(series):
            continue
        by_uid = {row["series_uid"]: row for row in series}
        ours = {
            "findings": [{**visit, **row, **_place(row, by_uid)} for row in prepared.findings],
            "measurements": [
                {**row, **visit, **_place(row, by_uid), **frames.flat(row["limits"], row["criteria"])} for row in prepared.measurements
            ],
        }
        made_by = [_said(one) for row, one in prepared.series if row["class"].startswith(of.CLASS)]
        run = _run(visit, series, ours, made_by, site, now.astimezone(zone))
        run.pictures = {place: evidence_of(prepared.evidence[place]) for place in _wanted(run)}
        found.append(run)
    return found


def _series(row: Row, made_by: Equipment, visit: Row) -> Row:
    names = {"series_number": row["number"], "series_description": row["description"], "series_time": row["local_time"]}
    return {**visit, **row, **names, "device": f"{made_by.manufacturer} {made_by.model}".strip() or None, "device_id": None}


def _place(row: Row, by_uid: Mapping[str, Row]) -> Row:
    series = by_uid.get(row["series_uid"] or "", {})
    return {name: series.get(name) for name in ("class", "series_number", "series_description", "device", "station", "modality")}


def _run(study: Row, series: Sequence[Row], ours: Mapping[str, list[Row]], device: Sequence[Any], site: str, at: datetime) -> Run:
    titles, notes = Titles.load(), []  # type: tuple[Titles, list[tuple[str, str]]]
    found = of.parts(series, ours["measurements"], titles, notes)
    used = [row for row in series if row["class"].startswith(of.CLASS) or row["series_uid"] in {part.row["series_uid"] for part in found}]
    made = software()
    return Run(
        study=study,
        phantoms=list(dict.fromkeys(of.name_of_phantom(row["class"]) for row in used if row["class"].startswith(of.CLASS))),
        device=_device(device, used),
        parts=found,
        remarks=of.remarks(ours["findings"], frozenset(row["series_uid"] for row in used)),
        missing=of.missing(found),
        notes=notes,
        methods=sorted({line.row["method"] for part in found for line in part.lines}),
        pictures={},
        written_at=at,
        software=f"{made['name']} {made['version']}",
        site=site,
    )


def _device(made_by: Sequence[list[tuple[str, str]]], series: Sequence[Row]) -> list[tuple[str, str]]:
    """Join what is known of the device or devices of a run: (name of the fact, fact)."""
    facts: dict[str, dict[str, None]] = {}
    for pairs in made_by:
        for name, value in pairs:
            if value:
                facts.setdefault(name, {})[value] = None
    for row in series:
        for name, value in (("Station", row["station"]), ("Scanner software", row["software"])):
            if value:
                facts.setdefault(name, {})[str(value)] = None
    return [(name, ", ".join(values)) for name, values in facts.items()]


def _known(device: Device) -> list[tuple[str, str]]:
    make = f"{device.manufacturer or ''} {device.model or ''}".strip()
    name = device.alias + ("" if device.reviewed else " (not yet confirmed by a person)")
    return [("Device", name), ("Make", make), ("Serial number", device.serial_number or ""), ("Site", device.site or "")]


def _said(device: Equipment) -> list[tuple[str, str]]:
    return [("Device", f"{device.manufacturer} {device.model}".strip()), ("Serial number", device.serial if device.has_serial else "")]


def _wanted(run: Run) -> list[int]:
    wanted = dict.fromkeys(one for part in run.parts for some in part.evidence.values() for one in some)
    wanted |= dict.fromkeys(one for row in run.remarks for one in row["evidence"] or ())
    return list(wanted)[:MOST_PICTURES]


def pictures(run: Run, ids: Mapping[int, str]) -> list[tuple[Evidence, str]]:
    """Return the pictures of some ids that are there."""
    return [(run.pictures[one], extra) for one, extra in ids.items() if one in run.pictures]
