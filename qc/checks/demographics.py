"""Who the header says the patient is: values that stand for "unknown", and an age that does not fit the birth date."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from qc.check import Example, check
from qc.identity import keyed_hash, normalise, stands_in
from qc.moments import PLACEHOLDERS, age_gap_years, day_of
from qc.results import Finding, Result, Status
from qc.study import Study

CODES = {
    "identity.placeholder": "Name, ID or birth date look like a stand-in (test, anonymous, unknown, zeros). In an archive of patients such a study belongs to "
    "nobody; if it is a phantom or a test, nothing is wrong.",
    "identity.age": "The age in the header does not fit birth date and study date: one of the three is wrong, or the study stands under "
    "another person. Compare with the order.",
    "identity.born_later": "The birth date lies after the study date. One of them is wrong, or the study stands under another person. "
    "Compare with the order.",
    "identity.id_spelling": "One patient ID is written in several ways (case, blanks) within the study; an archive may file it under two "
    "patients. Look whether it did, and ask for a merge.",
}


@dataclass(frozen=True)
class DemographicsParameters:
    """Parameters.

    Attributes
    ----------
    age_tolerance_years
        How far PatientAge may lie from the age by birth date and study date.
    """

    age_tolerance_years: float = 1.0


@check(
    id="identity.demographics",
    version=1,
    title="Patient's data make sense",
    level="study",
    needs="headers",
    codes=CODES,
    params=DemographicsParameters,
    source="DICOM PS3.3 C.7.1.1 (patient), C.7.2.2 (patient study); PS3.5 section 6.2 (AS)",
    invariances=("file_order", "duplicate_input"),
    examples=(Example("mr_brain"), Example("ct_head")),
)
def demographics(study: Study, params: DemographicsParameters) -> Iterator[Result]:
    """Look for stand-ins, compare the age with birth date and study date (within one year), and the spellings of the ID.

    Sex O and ages in days are legal. An impossible birth date, or one that stands for "unknown" (1 January 1900), is compared with nothing.
    Files whose identity was removed are left out. No value of the patient is told.
    """
    if all(series.klass.startswith("phantom:") for series in study.series):
        return
    kinds: dict[tuple[str, str], int] = defaultdict(int)
    spellings: dict[str, set[str]] = defaultdict(set)
    total = 0
    for instance in study.instances():
        total += 1
        if instance.get("PatientIdentityRemoved") == "YES":
            continue
        get = instance.get
        person = (get("PatientName"), get("PatientID"), get("PatientBirthDate"), get("StudyDate"), get("PatientAge"))
        for fact in _facts(*person, params.age_tolerance_years):
            kinds[fact] += 1
        if get("PatientID"):
            spellings[normalise(get("PatientID"))].add(str(get("PatientID")))
    stand_ins = [text for code, text in kinds if code == "identity.placeholder"]
    if stand_ins:
        text = f"{', '.join(stand_ins)} look like a stand-in" if len(stand_ins) > 1 else f"{stand_ins[0]} looks like a stand-in"
        yield Finding("identity.placeholder", Status.INFO, text, study.subject(), {"attributes": stand_ins})
    for (code, text), count in kinds.items():
        if code != "identity.placeholder":
            yield Finding(code, Status.WARN, f"{text} in {count} of {total} images", study.subject(), {"count": count})
    for normal, written in spellings.items():
        if len(written) > 1:
            mark = keyed_hash(study.hash_key, normal)
            text = f"the patient ID of {mark} is written in {len(written)} ways"
            yield Finding("identity.id_spelling", Status.INFO, text, study.subject(), {"patient": mark, "spellings": len(written)})


@lru_cache(maxsize=4096)
def _facts(name: Any, number: Any, birth: Any, date: Any, age: Any, tolerance: float) -> tuple[tuple[str, str], ...]:
    out = [
        ("identity.placeholder", keyword)
        for keyword, value in (("PatientName", name), ("PatientID", number))
        if value is not None and stands_in(str(value))
    ]
    if str(birth or "").replace(".", "") in PLACEHOLDERS:
        return (*out, ("identity.placeholder", "PatientBirthDate"))
    born, day = day_of(birth), day_of(date)
    if born is None or day is None:
        return tuple(out)
    if born > day:
        return (*out, ("identity.born_later", "PatientBirthDate lies after StudyDate"))
    gap = age_gap_years(age, born, day)
    if gap is not None and abs(gap) > tolerance:
        out.append(("identity.age", f"PatientAge is {abs(gap):.0f} years off birth date and study date"))
    return tuple(out)
