"""Faults that only who sees two studies can find: the patient of earlier studies, identifiers of other studies.

`inject` takes the data sets of two studies of different patients; the faults tell which later study contradicts which earlier one.
"""

from __future__ import annotations

from numpy.random import Generator
from pydicom.dataset import Dataset

from phantoms.synthetic.faults.registry import Files, fault
from phantoms.synthetic.targets import Anything, drop

PERSON = ("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "PatientWeight", "PatientSize")


def _studies(files: Anything) -> list[list[int]]:
    studies: dict[str, list[int]] = {}
    for index, file in enumerate(files):
        if isinstance(file, Dataset):
            studies.setdefault(str(file.get("StudyInstanceUID")), []).append(index)
    return list(studies.values())


def _two(files: Anything) -> bool:
    """Tell whether there are two studies of two patients of whom name, birth date and sex are known."""
    studies = _studies(files)
    if len(studies) < 2:
        return False
    one, other = (files[members[0]] for members in studies[:2])
    known = all(file.get(keyword) for file in (one, other) for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex"))
    return bool(known) and one.PatientID != other.PatientID


def _same_person(files: Files) -> list[Dataset]:
    """Make the second study one of the first patient; give its data sets."""
    first, second = _studies(files)[:2]
    person = files[first[0]]
    for index in second:
        drop(files[index], "PatientAge")
        for keyword in PERSON:
            drop(files[index], keyword)
            if person.get(keyword) is not None:
                setattr(files[index], keyword, person.get(keyword))
    return [files[index] for index in second]


@fault("identity.other_person", "fail", _two, words=("patient", "wrong patient", "same id", "mix-up"))
def id_of_another_person(files: Files, rng: Generator) -> Files:
    """The study of one person was filed under the patient ID of another."""
    first, second = _studies(files)[:2]
    for index in second:
        files[index].PatientID = files[first[0]].PatientID
        drop(files[index], "PatientAge")
    return files


@fault("identity.history_differs", "warn", _two, words=("sex", "differ", "earlier study", "history"))
def other_sex_than_before(files: Files, rng: Generator) -> Files:
    """The patient has another sex than in the study before."""
    for dataset in _same_person(files):
        dataset.PatientSex = "F" if dataset.PatientSex == "M" else "M"
    return files


@fault("identity.history_weight", "warn", _two, words=("weight", "kg", "earlier study"))
def mistyped_weight(files: Files, rng: Generator) -> Files:
    """The weight of the patient has doubled since the study before."""
    for index in _studies(files)[0]:
        files[index].PatientWeight = "70"
    for dataset in _same_person(files):
        dataset.PatientWeight = "140"
    return files


@fault("identity.history_size", "warn", _two, words=("height", "size", "earlier study"))
def mistyped_height(files: Files, rng: Generator) -> Files:
    """The grown-up patient has become 20 cm taller since the study before."""
    for index in _studies(files)[0]:
        files[index].PatientSize = "1.65"
    for dataset in _same_person(files):
        dataset.PatientSize = "1.85"
    return files


@fault("identity.duplicate_person", "warn", _two, words=("two id", "patient id", "duplicate", "merge"))
def person_with_two_ids(files: Files, rng: Generator) -> Files:
    """One person has a second patient ID."""
    for dataset in _same_person(files):
        dataset.PatientID = f"{dataset.PatientID}B"
    return files


@fault("identity.uid_two_patients", "fail", _two, words=("uid", "identifier", "same series", "two patient"))
def reused_series_uid(files: Files, rng: Generator) -> Files:
    """A series of one patient carries the identifier of a series of another."""
    first, second = _studies(files)[:2]
    old, new = files[second[0]].SeriesInstanceUID, files[first[0]].SeriesInstanceUID
    for index in second:
        if files[index].SeriesInstanceUID == old:
            files[index].SeriesInstanceUID = new
    return files


@fault("identity.uid_two_studies", "warn", _two, words=("uid", "identifier", "copied", "two stud"))
def series_in_two_studies(files: Files, rng: Generator) -> Files:
    """The series of a study carries the identifier of a series of an earlier study of the same patient."""
    _same_person(files)
    return reused_series_uid(files, rng)
