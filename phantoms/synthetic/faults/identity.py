"""Faults of who and which: patients, dates and numbers that do not belong together."""

from __future__ import annotations

import datetime as dt

from numpy.random import Generator
from pydicom.dataset import Dataset

from phantoms.synthetic.dicomize import date_text
from phantoms.synthetic.faults.registry import Files, fault
from phantoms.synthetic.scanners import invent_patient
from phantoms.synthetic.targets import Anything, drop, has_series, part_of, series_of

PATIENT = ("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "PatientAge", "PatientWeight", "PatientSize")


def _identified(files: Anything) -> bool:
    """Tell whether there are two objects or more and all of them say whose they are."""
    known = [bool(file.get("PatientID")) for file in files if isinstance(file, Dataset)]
    return len(known) >= 2 and all(known)


@fault("identity.two_patients", "fail", _identified, words=("patient", "mix-up", "mixup", "mixed up", "wrong person", "two person"))
def wrong_patient(files: Files, rng: Generator) -> Files:
    """One series belongs to another patient; of a study with one series its second half does."""
    other = invent_patient(rng)
    for index in part_of(files):
        dataset = files[index]
        dataset.PatientName, dataset.PatientID, dataset.PatientSex = other.name, f"{other.patient_id}X", other.sex
        dataset.PatientBirthDate = date_text(other.birth_date) if other.birth_date else ""
        drop(dataset, "PatientAge", "PatientWeight")
    return files


def _has_birth_date(files: Anything) -> bool:
    dates = [file.get("PatientBirthDate") for file in files if isinstance(file, Dataset)]
    return len(dates) >= 2 and all(_day(date) for date in dates)


def _day(text: object) -> dt.date | None:
    try:
        return dt.datetime.strptime(str(text), "%Y%m%d").date()
    except ValueError:
        return None


@fault("identity.demographics_differ", "warn", _has_birth_date, words=("birth", "demographic", "patient data", "patient differ"))
def demographics_corrected(files: Files, rng: Generator) -> Files:
    """The birth date was corrected in a part of the study only; the patient ID is the same."""
    for index in part_of(files):
        day = _day(files[index].PatientBirthDate)
        if day:
            files[index].PatientBirthDate = date_text(day.replace(day=day.day % 28 + 1))
    return files


def _dated_series(files: Anything) -> bool:
    return has_series(files) and all(_day(file.get("StudyDate")) for file in files if isinstance(file, Dataset))


@fault("study.date_differs", "warn", _dated_series, words=("date differ", "two date", "study date", "different date", "wrong date"))
def study_date_differs(files: Files, rng: Generator) -> Files:
    """The study date of one series is the day before that of the others."""
    for index in part_of(files):
        day = _day(files[index].StudyDate)
        if day:
            files[index].StudyDate = date_text(day - dt.timedelta(days=1))
    return files


def _renumberable(files: Anything) -> list[list[int]]:
    """Series that could be taken for another of their study by their number: one modality, different descriptions."""
    series = series_of(files)
    for other in series[1:]:
        one, two = files[series[0][0]], files[other[0]]
        same_kind = one.get("Modality") == two.get("Modality") and one.get("SeriesNumber") is not None
        if same_kind and one.get("SeriesDescription") != two.get("SeriesDescription"):
            return [series[0], other]
    return []


@fault(
    "study.series_number_repeated",
    "info",
    lambda files: bool(_renumberable(files)),
    words=("series number", "same number", "number repeated"),
)
def series_number_repeated(files: Files, rng: Generator) -> Files:
    """Two series of one study carry the same series number."""
    first, second = _renumberable(files)
    for index in second:
        files[index].SeriesNumber = files[first[0]].SeriesNumber
    return files


def _studies(files: Anything) -> dict[str, list[int]]:
    studies: dict[str, list[int]] = {}
    for index, file in enumerate(files):
        if isinstance(file, Dataset):
            studies.setdefault(str(file.get("StudyInstanceUID")), []).append(index)
    return studies


def _two_patients(files: Anything) -> bool:
    people = {str(files[members[0]].get("PatientID")) for members in _studies(files).values()}
    return len(_studies(files)) >= 2 and len(people) >= 2


@fault(None, None, _two_patients, visible=False, words=("patient", "swapped", "mix-up", "mixup"))
def swapped_patient_between_studies(files: Files, rng: Generator) -> Files:
    """The wrong names were chosen from the worklist: two whole studies carry each other's patient, and only the orders can tell."""
    studies = list(_studies(files).values())
    one = studies[0]
    other = next(members for members in studies[1:] if files[members[0]].get("PatientID") != files[one[0]].get("PatientID"))
    people = [{keyword: files[members[0]].get(keyword) for keyword in PATIENT} for members in (one, other)]
    for members, person in zip((other, one), people, strict=True):
        for index in members:
            for keyword, value in person.items():
                drop(files[index], keyword)
                if value is not None:
                    setattr(files[index], keyword, value)
    return files


# -- one study ------------------------------------------------------------------------------------------------------------


def _people(files: Anything) -> list[int]:
    """Objects of patients (not of phantoms) whose birth date and study date are known."""
    found = [index for index, file in enumerate(files) if isinstance(file, Dataset)]
    known = all(_day(files[index].get("PatientBirthDate")) and _day(files[index].get("StudyDate")) for index in found)
    return found if known else []


@fault("identity.age", "warn", lambda files: bool(_people(files)), words=("age", "years"))
def wrong_age(files: Files, rng: Generator) -> Files:
    """The age of the patient is ten years off birth date and study date."""
    for index in _people(files):
        dataset = files[index]
        born, day = _day(dataset.PatientBirthDate), _day(dataset.StudyDate)
        if born and day:
            dataset.PatientAge = f"{int((day - born).days / 365.25) + 10:03d}Y"
    return files


@fault("identity.born_later", "warn", lambda files: bool(_people(files)), words=("born", "birth"))
def born_after_the_study(files: Files, rng: Generator) -> Files:
    """The patient was born on the day after the study."""
    for index in _people(files):
        day = _day(files[index].StudyDate)
        if day:
            files[index].PatientBirthDate = date_text(day + dt.timedelta(days=1))
            drop(files[index], "PatientAge")
    return files


@fault("identity.spelling", "warn", lambda files: len(_people(files)) > 1, words=("spelling", "spelt", "name differ"))
def name_spelt_differently(files: Files, rng: Generator) -> Files:
    """A letter of the family name is doubled in a part of the study."""
    for index in part_of(files):
        name = str(files[index].PatientName)
        files[index].PatientName = name[:2] + name[1:]
    return files


@fault("identity.issuer_differs", "info", _identified, words=("issuer", "patient id", "assigning"))
def issuer_in_a_part(files: Files, rng: Generator) -> Files:
    """The issuer of the patient ID is given in a part of the study only; the patient is the same."""
    part = part_of(files)
    for index, file in enumerate(files):
        if isinstance(file, Dataset):
            drop(file, "IssuerOfPatientID")
            if index in part:
                file.IssuerOfPatientID = "EXAMPLE"
    return files


@fault("identity.id_spelling", "info", _identified, words=("patient id", "spelling", "case", "blank"))
def id_in_small_letters(files: Files, rng: Generator) -> Files:
    """The patient ID is written in small letters in a part of the study."""
    for index in part_of(files):
        files[index].PatientID = str(files[index].PatientID).lower()
    return files


@fault(
    "identity.placeholder", "info", lambda files: bool(_people(files)), words=("placeholder", "anonymous", "test", "unknown", "stand-in")
)
def anonymous_in_the_archive(files: Files, rng: Generator) -> Files:
    """The study is filed under a name that stands for nobody."""
    for index in _people(files):
        files[index].PatientName = "ANONYMOUS"
    return files
