"""The patients of earlier studies, as keyed hashes: what one more study contradicts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qc.history import CODES, PatientRecord, across, mark, news, shared_identifiers
from qc.results import Finding, Status, Subject
from reports.store import schema as t

CHECK = "identity.history"  # the check that compares studies at hand; here it has the whole database
NEWEST = 500  # studies of one patient that are compared; more are those of a phantom or a test
OBJECTS = 1000  # shared objects that are looked at
_FIELDS = tuple(PatientRecord.__dataclass_fields__)
_COLUMNS = sa.select(*(t.patient_record.c[name] for name in _FIELDS)).join(t.study, t.study.c.id == t.patient_record.c.study_id)


def write(connection: Connection, study_id: int, records: Iterable[PatientRecord]) -> None:
    """Keep the records of a revision."""
    rows = [{**asdict(one), "study_id": study_id} for one in records]
    if rows:
        connection.execute(sa.insert(t.patient_record), rows)


def findings(connection: Connection, study_uid: str, records: Sequence[PatientRecord]) -> list[Finding]:
    """Return what the records of a study bring to light: against earlier and later studies of the patient, and identifiers it shares.

    What was known without this study was told with another one. A contradiction that shows in another study (because this one is
    older and came late) is told here, with the other study in the details: the report of that one has been read.
    """
    others = _others(connection, study_uid, records)
    everything = across([*others, *records]) if records else []
    found = news(everything, across(others)) if everything else []
    again = _told(connection, study_uid) if len(found) < len(everything) else set()
    found += [one for one in everything if mark(one) in again and one not in found]  # told when the study was checked before
    found += shared_identifiers(_identifiers(connection, study_uid, records))
    return [_of_this(one, study_uid) for one in found]


def _told(connection: Connection, study_uid: str) -> set[tuple[Any, ...]]:
    """Marks of what older revisions of the study told."""
    wanted = sa.select(t.finding.c.code, t.finding.c.details).join(t.study, t.study.c.id == t.finding.c.study_id)
    rows = connection.execute(wanted.where(t.study.c.study_uid == study_uid, t.finding.c.check == CHECK))
    return {mark(Finding(code, Status.INFO, "", Subject("patient", details.get("study", study_uid)), details)) for code, details in rows}


def _of_this(one: Finding, study_uid: str) -> Finding:
    details = dict(one.details)
    if one.subject.study_uid != study_uid:
        details["study"] = one.subject.study_uid
    return replace(one, subject=replace(one.subject, study_uid=study_uid), details=details, advice=CODES[one.code], check=CHECK)


def _others(connection: Connection, study_uid: str, records: Iterable[PatientRecord]) -> list[PatientRecord]:
    ids = {one.id_hash for one in records} - {""}
    persons = {one.person_hash for one in records} - {""}
    if not ids and not persons:
        return []
    same = sa.or_(t.patient_record.c.id_hash.in_(ids), t.patient_record.c.person_hash.in_(persons))
    wanted = _COLUMNS.where(t.CURRENT, t.study.c.study_uid != study_uid, same).order_by(t.patient_record.c.study_day.desc()).limit(NEWEST)
    return [PatientRecord(*row) for row in connection.execute(wanted)]


def _identifiers(connection: Connection, study_uid: str, records: Sequence[PatientRecord]) -> Iterator[dict[str, Any]]:
    """Yield series and objects that also stand in another study, with the patients of both; nothing where none does."""
    mine, other = t.instance.alias("mine"), t.instance.alias("other")
    shared: dict[tuple[str, str], set[str]] = defaultdict(set)
    for level, column in (("series", "series_uid"), ("instance", "sop_uid")):
        pairs = (
            sa.select(other.c.study_uid, other.c[column])
            .select_from(mine.join(other, other.c[column] == mine.c[column]))
            .where(mine.c.study_uid == study_uid, mine.c[column] != "", other.c.study_uid != study_uid)
            .distinct()
            .limit(OBJECTS)
        )
        for uid_of_study, uid in connection.execute(pairs):
            shared[level, uid].add(uid_of_study)
    if not shared:
        return
    studies = set().union(*shared.values())
    patients: dict[str, set[str]] = defaultdict(set)
    known = sa.select(t.patient_record.c.study_uid, t.patient_record.c.id_hash).join(t.study, t.study.c.id == t.patient_record.c.study_id)
    for uid, patient in connection.execute(known.where(t.CURRENT, t.patient_record.c.study_uid.in_(studies))):
        patients[uid].add(patient)
    patients[study_uid] = {one.id_hash for one in records}
    for (level, uid), where in shared.items():
        for study in {study_uid, *where}:
            holders = patients[study]  # a study of several patients has its own finding, and says nothing here
            yield {"id_hash": min(holders) if len(holders) == 1 else "", "level": level, "uid": uid, "study_uid": study}
