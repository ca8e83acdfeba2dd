"""Write the report of a run into the transaction that completes the work: all of it, or nothing."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from qc import protocol
from qc.history import PatientRecord, record
from qc.identity import patient_hash
from qc.results import CurveEvidence, Evidence, Finding, ImageEvidence, Shape, Status, Subject, worst
from qc.study import Study
from reports.store import acquisition, acquisitions, announced, intake, learned, patients
from reports.store import schema as t
from reports.store.clean import Cleaner, Places, file_name
from reports.store.devices import Devices, Equipment, equipment
from reports.store.local import FIRST_SEEN, Moment, moment, offset, parse_time

if TYPE_CHECKING:
    from qc.runner import Report
    from qc.study import Series

LARGEST = 1024  # pixels of a stored picture along its longer side
_LONGEST = 400  # characters of a description
_ONE_AFTER_THE_OTHER = 0x7061_6373_7163_02  # key of a lock in the database


@dataclass
class Prepared:
    """A report as rows, made before the transaction begins."""

    study: dict[str, Any]
    get: Callable[[str], Any]
    series: list[tuple[dict[str, Any], Equipment]] = field(default_factory=list)
    findings: list[dict[str, Any]] = field(default_factory=list)
    measurements: list[dict[str, Any]] = field(default_factory=list)
    evidence: list[dict[str, Any]] = field(default_factory=list)
    ran: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[dict[str, Any]] = field(default_factory=list)
    patients: list[PatientRecord] = field(default_factory=list)
    acquisitions: list[protocol.Row] = field(default_factory=list)

    def add(self, found: Sequence[Finding], cleaner: Cleaner) -> None:
        """Add findings that came after the report, and make the study as bad as they are."""
        self.findings += [_finding(one, [], cleaner) for one in found]
        self.study["status"] = str(worst([Status(self.study["status"]), *(one.status for one in found)]))


def prepare(report: Report, hash_key: bytes, places: Places) -> Prepared:
    """Turn the report of one study into rows. Nothing that names a patient goes further than this function."""
    images = [instance for study in report.studies for instance in study.instances()]
    shown = [image.shown for image in images] + [one.shown for one in report.skipped]
    cleaner = Cleaner([image.tags for image in images], shown)
    study = max(report.studies, key=lambda one: sum(len(some.instances) for some in one.series), default=None)
    series = [one for some in report.studies for one in some.series]
    instances = sum(len(one.instances) for one in series)
    values = {
        "files": report.given or instances + len(report.skipped),
        "status": str(report.status),
        "patient": _patient(study, hash_key),
        "description": cleaner.text(_first(study)("StudyDescription"))[:_LONGEST],
    }
    prepared = Prepared(values, _first(study))
    rows = _Evidence(cleaner)
    for finding in report.findings:
        prepared.findings.append(_finding(finding, rows.places(finding.evidence), cleaner))
    for judged in report.measurements:
        one, verdict = judged.measurement, judged.verdict
        prepared.measurements.append(
            {
                "metric": one.metric, "region": one.region, "value": one.value, "unit": one.unit, "uncertainty": one.uncertainty,
                "reason": one.reason, "method": one.method, "status": str(verdict.status), "details": cleaner.plain(one.details),
                "limits": cleaner.plain(verdict.limits), "criteria": cleaner.plain(verdict.criteria),
                "evidence": rows.places(one.evidence), **_subject(one.subject, cleaner),
            }
        )  # fmt: skip
    prepared.evidence = rows.rows
    prepared.series = [(_series(one, report, cleaner), equipment(one.first, cleaner)) for one in series]
    prepared.patients = [one for some in report.studies for one in record(Study(some.uid, some.series, hash_key))]
    prepared.acquisitions = acquisitions.prepare(series, cleaner)
    prepared.ran = [
        {
            "check": one.check, "version": one.version, "level": one.subject.level, "series_uid": one.subject.series_uid,
            "status": str(one.status), "seconds": one.seconds,
        }
        for one in report.ran
    ]  # fmt: skip
    prepared.skipped = [
        {
            "path": cleaner.text(file_name(one.shown)), "folder": places.folder(one.shown), "reason": one.reason,
            "message": cleaner.text(one.message),
        }
        for one in report.skipped
    ]  # fmt: skip
    return prepared


def _finding(finding: Finding, evidence: list[int], cleaner: Cleaner) -> dict[str, Any]:
    return {
        "code": finding.code, "status": str(finding.status), "message": cleaner.text(finding.message), "advice": finding.advice,
        "check": finding.check, "details": cleaner.plain(finding.details), "evidence": evidence, **_subject(finding.subject, cleaner),
    }  # fmt: skip


def only_here(connection: Connection, work: Row, prepared: Prepared, site: tzinfo | None) -> list[Finding]:
    """Return what no look at the study alone can find: against its source, earlier studies of the patient, other series of the scanner.

    On PostgreSQL one transaction after the other: of two studies of one patient, the second must see the first.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ONE_AFTER_THE_OTHER)))
    return [
        *announced.findings(connection, work.study_id, work.study_uid),
        *patients.findings(connection, work.study_uid, prepared.patients),
        *acquisitions.findings(connection, work.study_id, work.study_uid, prepared.acquisitions, offset(prepared.get) or site),
    ]


def write(connection: Connection, work: Row, prepared: Prepared, at: datetime, site: tzinfo | None, places: Places) -> None:
    """Write the rows for the revision of the work, and mark older results of the study as superseded."""
    when = _moment(connection, work, prepared.get, site)
    _close(connection, work, at, when, prepared.study)
    devices = Devices(connection)
    ids: dict[str | None, int] = {}
    for row, made_by in sorted(prepared.series, key=lambda one: one[0]["class"] == "not_image"):  # scanners before workstations
        device = devices.find(made_by, when.day)
        ids[row["series_uid"]] = _insert(connection, t.series, {**row, "study_id": work.study_id, "device_id": device})
    evidence = [_insert(connection, t.evidence, {**row, "study_id": work.study_id}) for row in prepared.evidence]
    for table, rows in ((t.finding, prepared.findings), (t.measurement, prepared.measurements)):
        full = [
            {**row, "study_id": work.study_id, "series_id": ids.get(row["series_uid"]), "evidence": [evidence[n] for n in row["evidence"]]}
            for row in rows
        ]
        _insert_many(connection, table, full)
    _insert_many(connection, t.checkrun, [{**row, "study_id": work.study_id} for row in prepared.ran])
    _insert_many(
        connection, t.skipped, [{**row, "study_id": work.study_id, "first_at": at, "report_day": when.day} for row in prepared.skipped]
    )
    patients.write(connection, work.study_id, prepared.patients)
    acquisitions.write(connection, work.study_id, prepared.acquisitions)
    _adopt(connection, work.study_id, when.day, places)
    learned.compare(connection, work.study_id)


def write_quarantined(connection: Connection, work: Row, message: str, at: datetime, site: tzinfo | None) -> None:
    """Write what is known of a study that could not be checked: its files, and an error that says so."""
    cleaner = Cleaner()
    _close(connection, work, at, _moment(connection, work, lambda _: None, site), {"status": str(Status.ERROR), "description": ""})
    files = t.instance.c.study_id == work.study_id
    counted = sa.select(t.instance.c.series_uid, sa.func.count().label("files")).where(files).group_by(t.instance.c.series_uid)
    for row in connection.execute(counted).all():
        values = {"class": "not_checked", "instances": row.files, "frames": 0, "status": str(Status.ERROR), "series_uid": row.series_uid}
        _insert(connection, t.series, {**values, "study_id": work.study_id, "description": ""})
    text = cleaner.text(message)
    finding = {
        "study_id": work.study_id, "code": "study.not_checked", "status": str(Status.ERROR), "level": "study", "check": "",
        "message": f"The study could not be checked; it was given up after {work.attempts} attempts. Last reason: {text}",
        "advice": "Not a fault of the images as far as is known. Look at the images yourself, and tell whoever maintains this software.",
        "details": {"attempts": work.attempts, "kind": work.error_kind}, "evidence": [],
    }  # fmt: skip
    _insert(connection, t.finding, finding)


_LOOSE = sa.select(t.skipped.c.id, t.skipped.c.source_id, t.skipped.c.folder).where(
    t.skipped.c.report_day.is_(None), t.skipped.c.study_id.is_(None), t.skipped.c.folder != ""
)


def _adopt(connection: Connection, study_id: int, day: date, places: Places) -> None:
    """Files that could not be read and lie in a folder with files of this study are told of in the report of its day."""
    loose = connection.execute(_LOOSE).all()
    if not loose:
        return
    ours = connection.execute(sa.select(t.instance.c.source_id, t.instance.c.path).where(t.instance.c.study_id == study_id))
    folders = {(source, places.folder(path)) for source, path in {(row.source_id, row.path.rpartition("/")[0] + "/") for row in ours}}
    beside = [row.id for row in loose if (row.source_id, row.folder) in folders]
    if beside:
        connection.execute(sa.update(t.skipped).where(t.skipped.c.id.in_(beside)).values(report_day=day))


_ID = sa.bindparam("b_id")
_CLOSE = sa.update(t.study).where(t.study.c.id == _ID).returning(t.study.c.revision)
_SUPERSEDE = sa.update(t.study).where(
    t.study.c.study_uid == sa.bindparam("uid"), t.study.c.id != _ID, t.study.c.superseded_at.is_(None), t.study.c.done_at.is_not(None)
)
_FIRST_SEEN = sa.select(t.arrival.c.first_at).where(t.arrival.c.study_uid == sa.bindparam("uid"))


def _close(connection: Connection, work: Row, at: datetime, when: Moment, values: Mapping[str, Any]) -> None:
    """Date the revision and make it the current one of its study."""
    dated = {"day": when.day, "day_from": when.day_from, "local_time": when.local_time, "zone": when.zone, "study_at": when.at}
    revision = connection.execute(_CLOSE, {"b_id": work.study_id, **values, **dated, "done_at": at}).scalar_one()
    if revision > 1:
        connection.execute(_SUPERSEDE, {"b_id": work.study_id, "uid": work.study_uid, "superseded_at": at})
    intake.checked(connection, work.study_uid, at)


def _moment(connection: Connection, work: Row, get: Callable[[str], Any], site: tzinfo | None) -> Moment:
    when = moment(get, work.created_at, site)
    if when.day_from == FIRST_SEEN:
        when = moment(get, connection.execute(_FIRST_SEEN, {"uid": work.study_uid}).scalar() or work.created_at, site)
    return when


_INSERT = {table.name: sa.insert(table).returning(table.c.id) for table in (t.series, t.evidence, t.finding)}


def _insert(connection: Connection, table: sa.Table, values: Mapping[str, Any]) -> int:
    return int(connection.execute(_INSERT[table.name], values).scalar_one())


def _insert_many(connection: Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        connection.execute(sa.insert(table), rows)


def _first(study: Study | None) -> Callable[[str], Any]:
    """Return a function that gives the first value of a header attribute in the study."""

    def get(keyword: str) -> Any:
        instances = study.instances() if study else ()
        return next((instance.tags[keyword] for instance in instances if keyword in instance.tags), None)

    return get


def _patient(study: Study | None, key: bytes) -> str | None:
    instances = study.instances() if study else ()
    named = next((one for one in instances if one.get("PatientID") or one.get("PatientName")), None)
    return patient_hash(named, key) if named else None


def _subject(subject: Subject, cleaner: Cleaner) -> dict[str, Any]:
    return {
        "level": subject.level,
        "series_uid": subject.series_uid,
        "instance_uid": subject.instance_uid,
        "frame": subject.frame,
        "path": cleaner.text(file_name(subject.path)) if subject.path else None,
    }


def _series(series: Series, report: Report, cleaner: Cleaner) -> dict[str, Any]:
    from qc.runner import facts_of

    statuses: list[Status] = [ran.status for ran in report.ran if ran.subject.series_uid == series.uid]
    statuses += [finding.status for finding in report.findings if finding.subject.series_uid == series.uid]
    statuses += [judged.verdict.status for judged in report.measurements if judged.measurement.subject.series_uid == series.uid]
    nothing_to_check = series.klass == "not_image" and not statuses
    number = series.first("SeriesNumber")
    clock = parse_time(series.first("AcquisitionTime") or series.first("SeriesTime") or series.first("StudyTime"))
    software = series.first("SoftwareVersions")
    return {
        "series_uid": series.uid,
        "number": number if isinstance(number, int) and abs(number) < 1 << 31 else None,
        "description": cleaner.text(series.description)[:_LONGEST],
        "class": series.klass,
        "coil": cleaner.text(acquisition.coil(series)),
        "protocol": cleaner.text(acquisition.words(series)),
        "facts": cleaner.plain(facts_of(series)),
        "modality": cleaner.optional(series.modality),
        "station": cleaner.optional(series.first("StationName")),
        "software": cleaner.optional(" ".join(map(str, software)) if isinstance(software, tuple) else software),
        "local_time": clock.isoformat() if clock else None,
        "instances": len(series.instances),
        "frames": len(series.frames),
        "status": str(Status.INFO if nothing_to_check else worst(statuses)),
        "protocol_name": cleaner.optional(series.first("ProtocolName") or series.description),
        "body_part": cleaner.optional(series.first("BodyPartExamined")),
    }


# -- evidence ---------------------------------------------------------------------------------------------------


class _Evidence:
    """Collects evidence rows; a picture that several results share is kept once."""

    def __init__(self, cleaner: Cleaner) -> None:
        self.rows: list[dict[str, Any]] = []
        self._cleaner = cleaner
        self._known: dict[int, int] = {}

    def places(self, some: Iterable[Evidence]) -> list[int]:
        """Return where the rows stand in `rows`."""
        return [self._known[id(one)] if id(one) in self._known else self._add(one) for one in some]

    def _add(self, one: Evidence) -> int:
        place = self._known[id(one)] = len(self.rows)
        row: dict[str, Any] = {"title": self._cleaner.text(one.title), "caption": self._cleaner.text(one.caption), "png": None}
        if isinstance(one, ImageEvidence):
            row |= {"kind": "image", **_image(one)}
        else:
            row |= {"kind": "curve", "data": {"curves": dict(one.curves), "x": one.x_label, "y": one.y_label, "marks": dict(one.marks)}}
        row["data"] = self._cleaner.plain(row["data"])
        self.rows.append(row)
        return place


def _image(one: ImageEvidence) -> dict[str, Any]:
    """Encode a picture, smaller where it is large; its shapes go with it."""
    import numpy as np
    from PIL import Image

    array = np.ascontiguousarray(one.image, dtype=np.uint8)
    step = -(-max(array.shape[:2]) // LARGEST)
    picture = Image.fromarray(array)
    if step > 1:
        picture = picture.reduce(step)
    file = io.BytesIO()
    picture.save(file, "PNG")
    shapes = [
        {"kind": s.kind, "points": [[(v + 0.5) / step - 0.5 for v in p] for p in s.points], "label": s.label, "role": s.role}
        for s in one.shapes
    ]
    data = {"shapes": shapes, "aspect": one.aspect, "window": one.window, "unit": one.unit, "reduced": step}
    return {"png": file.getvalue(), "data": data}


def read_evidence(row: Row) -> Evidence:
    """Return stored evidence as `qc.results` has it."""
    return evidence_of(row._mapping)


def evidence_of(row: Mapping[str, Any]) -> Evidence:
    """Return an evidence row, stored or only prepared, as `qc.results` has it."""
    import numpy as np
    from PIL import Image

    return _curve(row) if row["kind"] == "curve" else _picture(row, np.asarray(Image.open(io.BytesIO(row["png"]))))


def read_picture(row: Row) -> Evidence:
    """Return stored evidence of which the picture is not read: `row.png_head` holds its first 24 bytes, which tell the size."""
    import numpy as np

    if row.kind == "curve":
        return _curve(row._mapping)
    columns, rows = struct.unpack(">II", bytes(row.png_head)[16:24])
    return _picture(row._mapping, np.broadcast_to(np.uint8(0), (rows, columns)))


def _curve(row: Mapping[str, Any]) -> CurveEvidence:
    data = row["data"]
    curves = {label: (x, y) for label, (x, y) in data["curves"].items()}
    return CurveEvidence(row["title"], curves, data["x"], data["y"], data["marks"], row["caption"])


def _picture(row: Mapping[str, Any], image: Any) -> ImageEvidence:
    data = row["data"]
    shapes = tuple(Shape(s["kind"], tuple(tuple(p) for p in s["points"]), s["label"], s["role"]) for s in data["shapes"])
    return ImageEvidence(row["title"], image, shapes, data["aspect"], tuple(data["window"]), data["unit"], row["caption"])
