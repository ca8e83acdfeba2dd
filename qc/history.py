"""The same patient over many studies, without the patient: rows of keyed hashes, and what contradicts itself in them.

The store keeps one `PatientRecord` a study (`record` makes it while the headers are at hand) and asks `compare` with all rows of
one patient, `shared_identifiers` and `same_person` with rows of many. Nothing here reads a file or a clock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any

from qc import identity
from qc.moments import PLACEHOLDERS, day_of
from qc.results import Finding, Status, Subject
from qc.study import Instance, Study

CODES = {
    "identity.other_person": "Under one patient ID stand studies of people with different names and birth dates. An ID was given twice, or a study was filed "
    "under the wrong patient: stop using the study until the PACS administrator has compared it with the order.",
    "identity.history_differs": "Name, birth date or sex of this patient ID were different in an earlier study: a correction, a marriage, or a mix-up. "
    "Compare with the hospital's own record.",
    "identity.history_weight": "The weight changed more than a body does. Dose, SAR and SUV are computed from it; one of the two was "
    "mistyped, or it is another person. Compare with the order and correct the wrong one.",
    "identity.history_size": "The height of an adult changed. One of the two was mistyped, or it is another person. Compare with the order "
    "and correct the wrong one.",
    "identity.duplicate_person": "One name and birth date stand under two patient IDs: probably one person with a divided history. Ask for a merge.",
    "identity.uid_two_patients": "One identifier stands under two patients. Whatever is filed by it is mixed up: stop using both until it is settled.",
    "identity.uid_two_studies": "One series or object identifier stands in two studies of a patient: copied into another study, or given twice. Archives "
    "keep one of the two; find out which study it belongs to and correct the other at its source.",
}


@dataclass(frozen=True, slots=True)
class PatientRecord:
    """What is kept of a patient at one study; hashes are keyed with the site's key and empty where the value is unknown.

    Attributes
    ----------
    id_hash
        Of the patient ID with its issuer left out (the issuer is often missing in part of an archive).
    person_hash
        Of normalised name and birth date together.
    name_hash, birth_hash
        Of the normalised name, of the birth date. Stand-ins and impossible dates are unknown.
    sex
        M, F, O or empty.
    study_day
        ``YYYYMMDD`` or empty.
    weight_kg, size_m
        Or None.
    adult
        Whether the patient was 18 or older; None where unknown.
    """

    study_uid: str
    study_day: str
    id_hash: str
    person_hash: str = ""
    name_hash: str = ""
    birth_hash: str = ""
    sex: str = ""
    weight_kg: float | None = None
    size_m: float | None = None
    adult: bool | None = None

    def subject(self) -> Subject:
        """Return what a finding about this record is about."""
        return Subject("patient", self.study_uid or None)


@dataclass(frozen=True)
class HistoryParameters:
    """Parameters.

    Attributes
    ----------
    weight_percent_a_month
        Largest change of weight in 30 days, percent of the larger one; shorter and longer times count as at least one month.
    child_percent_a_month
        The same for those under 18: newborns gain a quarter of their weight in their first month.
    size_cm
        Largest change of an adult's height.
    """

    weight_percent_a_month: float = 20.0
    child_percent_a_month: float = 40.0
    size_cm: float = 3.0


_READ = (
    "PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate", "PatientSex", "PatientWeight", "PatientSize", "StudyDate",
    "StudyInstanceUID", "SpecificCharacterSet", "PatientIdentityRemoved",
)  # fmt: skip


def record(study: Study) -> list[PatientRecord]:
    """Return the records of a study: one, or one for each patient where it holds several.

    None where the identity was removed, and none of phantoms: they have no history, and their names and weights mean nothing.
    """
    found: dict[PatientRecord, None] = {}
    told: set[tuple[Any, ...]] = set()
    for series in study.series:
        for instance in () if series.klass.startswith("phantom:") else series.instances:
            values = (*[instance.get(keyword) for keyword in _READ], identity.name_is_readable(instance))
            if values not in told and instance.get("PatientIdentityRemoved") != "YES":  # of a thousand images most say the same
                found[_record(instance, study.hash_key)] = None
            told.add(values)
    return _without_poorer(list(found))


def _record(instance: Instance, key: bytes) -> PatientRecord:
    get = instance.get
    number, _ = identity.patient_key(instance)
    name = identity.normalise(get("PatientName")) if identity.name_is_readable(instance) else ""
    birth = str(get("PatientBirthDate", "")).replace(".", "")
    born = None if birth in PLACEHOLDERS else day_of(birth)
    day = day_of(get("StudyDate"))
    known_birth = birth if born is not None else ""
    weight, size = get("PatientWeight"), get("PatientSize")
    return PatientRecord(
        str(get("StudyInstanceUID", "")),
        str(get("StudyDate", "")).replace(".", "") if day is not None else "",
        identity.keyed_hash(key, number) if _somebody(number) else "",
        identity.keyed_hash(key, name, known_birth) if known_birth and _somebody(name) else "",
        identity.keyed_hash(key, name) if _somebody(name) else "",
        identity.keyed_hash(key, known_birth) if known_birth else "",
        str(get("PatientSex", "")) if get("PatientSex") in ("M", "F", "O") else "",
        float(weight) if isinstance(weight, (int, float)) and weight > 0 else None,
        float(size) if isinstance(size, (int, float)) and size > 0 else None,
        (day - born) / 365.25 >= 18 if born is not None and day is not None and born <= day else None,
    )


def _somebody(text: str) -> bool:
    return bool(text) and not identity.stands_in(text) and not identity.names_phantom(text)


def _without_poorer(records: list[PatientRecord]) -> list[PatientRecord]:
    """Drop a record that only says less than another of the same study and patient (weight in the PET series only)."""

    def poorer(one: PatientRecord, other: PatientRecord) -> bool:
        pairs = [(getattr(one, name), getattr(other, name)) for name in PatientRecord.__dataclass_fields__]
        return one is not other and all(a == b or a in ("", None) for a, b in pairs) and one != other

    return [one for one in records if not any(poorer(one, other) for other in records)]


# -- one patient ID over time ----------------------------------------------------------------------------------------


def compare(rows: Iterable[PatientRecord], params: HistoryParameters = HistoryParameters()) -> Iterator[Finding]:
    """Compare the studies of one patient ID with each other, in order of their dates; rows without an ID are left out.

    Each study is compared with the one before it, so one wrong study gives one finding on itself (and one where the history goes back).
    Rows of several patient IDs may be given together.
    """
    by_id: dict[str, list[PatientRecord]] = defaultdict(list)
    for row in dict.fromkeys(rows):
        if row.id_hash:
            by_id[row.id_hash].append(row)
    for found in by_id.values():
        found.sort(key=lambda row: (row.study_day, row.study_uid))
        yield from _persons(found)
        yield from _changes(found, "weight_kg", "identity.history_weight", params)
        yield from _changes([row for row in found if row.adult], "size_m", "identity.history_size", params)


def _persons(rows: list[PatientRecord]) -> Iterator[Finding]:
    """Name, birth date, sex against the last study that has them. What differs within one study is told by the check of that study."""
    last: dict[str, set[str]] = {}
    for _, group in groupby(rows, key=lambda row: (row.study_day, row.study_uid)):
        found = list(group)
        told = {
            "birth date": {row.birth_hash for row in found} - {""},
            "name": {row.name_hash for row in found} - {""},
            "sex": {row.sex for row in found} - {""},
        }
        differ = [what for what, values in told.items() if values and last.get(what) and not values & last[what]]
        if differ:
            row, both = found[0], {"birth date", "name"} <= set(differ)
            code, status = ("identity.other_person", Status.FAIL) if both else ("identity.history_differs", Status.WARN)
            text = f"{', '.join(differ)} of patient {row.id_hash} differ{'s' if len(differ) == 1 else ''} from the study before"
            yield Finding(code, status, text, row.subject(), {"patient": row.id_hash, "what": differ})
        last.update({what: values for what, values in told.items() if values})


def _changes(rows: list[PatientRecord], field: str, code: str, params: HistoryParameters) -> Iterator[Finding]:
    """Weight or height against the last study that has it."""
    known = [row for row in rows if getattr(row, field) is not None]
    for before, after in pairwise(known):
        old, new = getattr(before, field), getattr(after, field)
        days = abs((day_of(after.study_day) or 0) - (day_of(before.study_day) or 0)) if before.study_day and after.study_day else 0
        if field == "weight_kg":
            percent = 100 * abs(new - old) / max(new, old)
            most = params.child_percent_a_month if before.adult is False else params.weight_percent_a_month
            if percent <= most * max(1.0, days / 30):
                continue
            text = f"weight changed by {percent:.0f} % in {days} days"
        else:
            if 100 * abs(new - old) <= params.size_cm + 1e-9:
                continue
            text = f"height of an adult changed by {100 * abs(new - old):.0f} cm"
        yield Finding(code, Status.WARN, text, after.subject(), {"patient": after.id_hash, "days": days, "other_study": before.study_uid})


# -- many patients ---------------------------------------------------------------------------------------------------


def same_person(rows: Iterable[PatientRecord]) -> Iterator[Finding]:
    """Report one name and birth date under two patient IDs, once a person; two IDs of one study are told by the check of that study."""
    ids: dict[str, dict[str, PatientRecord]] = defaultdict(dict)
    studies: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.person_hash and row.id_hash:
            ids[row.person_hash].setdefault(row.id_hash, row)
            studies[row.person_hash].add(row.study_uid)
    for person, found in ids.items():
        if len(found) > 1 and len(studies[person]) > 1:
            marks = sorted(found)
            text = f"one name and birth date under {len(marks)} patient IDs: {', '.join(marks[:5])}"
            newest = max(found.values(), key=lambda row: (row.study_day, row.study_uid))
            yield Finding("identity.duplicate_person", Status.WARN, text, newest.subject(), {"person": person, "patients": marks})


def shared_identifiers(rows: Iterable[Mapping[str, Any]]) -> Iterator[Finding]:
    """Report identifiers that stand under two patients, or in two studies of one.

    Parameters
    ----------
    rows
        Mappings with ``id_hash``, ``level`` (``study``, ``series`` or ``instance``), ``uid``, and ``study_uid``. An empty hash is an unknown
        patient, who may be the same; empty UIDs are left out.

    Yields
    ------
    Finding
        One for each set of studies that share something, at the widest level only.
    """
    patients: dict[tuple[str, str], set[str]] = defaultdict(set)
    studies: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in rows:
        if row["uid"]:
            key = (str(row["level"]), str(row["uid"]))
            patients[key].update([str(row["id_hash"])] if row["id_hash"] else [])
            studies[key].add(str(row.get("study_uid", "")))
    for level in ("study", "series", "instance"):
        by_studies: dict[frozenset[str], list[str]] = defaultdict(list)
        for its_level, uid in sorted(studies):
            if its_level == level and (len(patients[its_level, uid]) > 1 or len(studies[its_level, uid]) > 1):
                by_studies[frozenset(studies[its_level, uid])].append(uid)
        for where, uids in by_studies.items():
            yield _shared(level, uids, sorted(where), sorted(set().union(*(patients[level, uid] for uid in uids))))
        for key in [key for key in studies if frozenset(studies[key]) in by_studies]:
            del studies[key]


def _shared(level: str, uids: list[str], where: list[str], patients: list[str]) -> Finding:
    what = f"one {level} UID stands" if len(uids) == 1 else f"{len(uids)} {level} UIDs stand"
    details = {"level": level, "uid": uids[0], "count": len(uids), "patients": patients, "studies": where[:20]}
    subject = Subject("patient", where[0] or None, uids[0] if level == "series" else None, uids[0] if level == "instance" else None)
    if len(patients) > 1:
        text = f"{what} under {len(patients)} patients: {', '.join(patients[:5])}"
        return Finding("identity.uid_two_patients", Status.FAIL, text, subject, details)
    return Finding("identity.uid_two_studies", Status.WARN, f"{what} in {len(where)} studies", subject, details)


def across(records: Iterable[PatientRecord], params: HistoryParameters = HistoryParameters()) -> list[Finding]:
    """Compare all records: one patient over time, then one person under several IDs."""
    rows = list(records)
    return [*compare(rows, params), *same_person(rows)]


def mark(found: Finding) -> tuple[Any, ...]:
    """Return what tells one contradiction from another, whatever its wording."""
    return (
        found.code,
        found.details.get("person") or found.subject.study_uid,
        *(str(found.details.get(name)) for name in ("what", "patients")),
    )


def news(after: Iterable[Finding], before: Iterable[Finding]) -> list[Finding]:
    """Return the findings of `after` that were not there in `before`: what one more study brought to light."""
    known = {mark(found) for found in before}
    return [found for found in after if mark(found) not in known]
