"""The same patient over many studies, without the patient: rows of keyed hashes, and what contradicts itself in them.

The store keeps one `PatientRecord` a study (`record` makes it while the headers are at hand) and asks `compare` with all rows of
one patient, `shared_identifiers` and `same_person` with rows of many. Nothing here reads a file or a clock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from qc import identity
from qc.moments import PLACEHOLDERS, age_gap_years, day_of
from qc.results import Finding, Status, Subject
from qc.study import Instance, Study

CODES = {
    "identity.other_person": "Under one patient ID stand studies of people with different names and birth dates. An ID was given twice, or a study was filed "
    "under the wrong patient: stop using the study until the PACS administrator has compared it with the order.",
    "identity.history_differs": "Name, birth date or sex of this patient ID were different in an earlier study: a correction, a marriage, or a mix-up. "
    "Compare with the hospital's own record.",
    "identity.history_weight": "The weight changed more than a body does. Dose, SAR and SUV are computed from it; one of the two was mistyped, or it is another person.",
    "identity.history_size": "The height of an adult changed. One of the two was mistyped, or it is another person.",
    "identity.history_age": "The age in the header does not fit birth date and study date.",
    "identity.duplicate_person": "One name and birth date stand under two patient IDs: probably one person with a divided history. Ask for a merge.",
    "identity.uid_two_patients": "One identifier stands under two patients. Whatever is filed by it is mixed up: stop using both until it is settled.",
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
    weight_kg, size_m, age_gap_years
        Or None. The gap is PatientAge against birth date and study date.
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
    age_gap_years: float | None = None
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
    age_years
        How far PatientAge may lie from birth date and study date.
    """

    weight_percent_a_month: float = 20.0
    child_percent_a_month: float = 40.0
    size_cm: float = 3.0
    age_years: float = 1.0


def record(study: Study) -> list[PatientRecord]:
    """Return the records of a study: one, or one for each patient where it holds several. None where the identity was removed."""
    found: dict[PatientRecord, None] = {}
    for instance in study.instances():
        if instance.get("PatientIdentityRemoved") != "YES":
            found[_record(instance, study.hash_key)] = None
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
        identity.keyed_hash(key, number) if number and not identity.stands_in(number) else "",
        identity.keyed_hash(key, name, known_birth) if name and known_birth and not identity.stands_in(name) else "",
        identity.keyed_hash(key, name) if name and not identity.stands_in(name) else "",
        identity.keyed_hash(key, known_birth) if known_birth else "",
        str(get("PatientSex", "")) if get("PatientSex") in ("M", "F", "O") else "",
        float(weight) if isinstance(weight, (int, float)) and weight > 0 else None,
        float(size) if isinstance(size, (int, float)) and size > 0 else None,
        age_gap_years(get("PatientAge"), born, day) if born is not None and day is not None and born <= day else None,
        (day - born) / 365.25 >= 18 if born is not None and day is not None and born <= day else None,
    )


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
        for row in found:
            if row.age_gap_years is not None and abs(row.age_gap_years) > params.age_years:
                text = f"PatientAge is {abs(row.age_gap_years):.0f} years off birth date and study date"
                yield Finding("identity.history_age", Status.WARN, text, row.subject(), {"patient": row.id_hash})


def _persons(rows: list[PatientRecord]) -> Iterator[Finding]:
    """Name, birth date, sex against the last study that has them."""
    last: dict[str, str] = {}
    for row in rows:
        told = {"birth date": row.birth_hash, "name": row.name_hash, "sex": row.sex}
        differ = [what for what, value in told.items() if value and last.get(what, value) != value]
        if differ:
            both = {"birth date", "name"} <= set(differ)
            code, status = ("identity.other_person", Status.FAIL) if both else ("identity.history_differs", Status.WARN)
            text = f"{', '.join(differ)} of patient {row.id_hash} differ{'s' if len(differ) == 1 else ''} from the study before"
            yield Finding(code, status, text, row.subject(), {"patient": row.id_hash, "what": differ})
        last.update({what: value for what, value in told.items() if value})


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
    """Report one name and birth date under two patient IDs, once a person."""
    ids: dict[str, dict[str, PatientRecord]] = defaultdict(dict)
    for row in rows:
        if row.person_hash and row.id_hash:
            ids[row.person_hash].setdefault(row.id_hash, row)
    for person, found in ids.items():
        if len(found) > 1:
            marks = sorted(found)
            text = f"one name and birth date under {len(marks)} patient IDs: {', '.join(marks[:5])}"
            newest = max(found.values(), key=lambda row: (row.study_day, row.study_uid))
            yield Finding("identity.duplicate_person", Status.WARN, text, newest.subject(), {"person": person, "patients": marks})


def shared_identifiers(rows: Iterable[Mapping[str, Any]]) -> Iterator[Finding]:
    """Report identifiers that stand under two patients.

    Parameters
    ----------
    rows
        Mappings with ``id_hash``, ``level`` (``study``, ``series`` or ``instance``), ``uid``, and ``study_uid``. Empty hashes and UIDs are
        left out: unknown is not another patient.

    Yields
    ------
    Finding
        One a study where all that is shared lies within it, else one an identifier; the widest level only.
    """
    holders: dict[tuple[str, str], set[str]] = defaultdict(set)
    studies: dict[tuple[str, str], str] = {}
    for row in rows:
        if row["id_hash"] and row["uid"]:
            key = (str(row["level"]), str(row["uid"]))
            holders[key].add(str(row["id_hash"]))
            studies.setdefault(key, str(row.get("study_uid", "")))
    told: set[str] = set()
    for level in ("study", "series", "instance"):
        for (its_level, uid), patients in sorted(holders.items()):
            study = studies[(its_level, uid)]
            if its_level != level or len(patients) < 2 or study in told:
                continue
            told.add(study)
            text = f"one {level} UID stands under {len(patients)} patients: {', '.join(sorted(patients)[:5])}"
            subject = Subject("patient", study or None, uid if level == "series" else None, uid if level == "instance" else None)
            yield Finding(
                "identity.uid_two_patients", Status.FAIL, text, subject, {"level": level, "uid": uid, "patients": sorted(patients)}
            )
