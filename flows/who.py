"""Whose hash is it? The way back from the hash that stands for a patient to the person, for those who hold site key and images.

Nothing is stored: the images are asked again. Each question is written to the audit table, with the answer "found" or "not found".
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from flows import daily
from flows.settings import Settings, site_key
from flows.sources.several import Sources
from qc import dicom
from qc.errors import ConfigurationError
from qc.identity import SHORT, keyed_hash, patient_hash
from qc.study import Instance
from reports.store import Store
from reports.store import schema as t

MOST_STUDIES = 50  # of one patient: enough to see every spelling of the name
Tell = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Person:
    """What the header of an image says about a patient, and in which study it stands."""

    patient_id: str
    name: str
    study_uid: str


@dataclass(frozen=True)
class Answer:
    """Who it is (several entries where the header spells differently), and how many files could not be asked."""

    people: tuple[Person, ...]
    asked: int
    gone: int


def login() -> str:
    """Return the login name of whoever runs this process, and whose rights were borrowed."""
    try:
        import pwd

        name = pwd.getpwuid(os.getuid()).pw_name  # not $LOGNAME, which anybody can set
    except (ImportError, KeyError):
        import getpass

        name = getpass.getuser()
    by = os.environ.get("SUDO_USER", "")
    return f"{name} (sudo by {by})" if by else name


def wanted_hash(text: str) -> str:
    """Return a hash as it is stored.

    Raises
    ------
    ConfigurationError
        If it is none.
    """
    plain = text.strip().casefold()
    if not re.fullmatch(rf"[0-9a-f]{{{SHORT}}}", plain):
        raise ConfigurationError(f"{text!r} is no hash of a patient: those have {SHORT} digits 0 to 9 and a to f, as reports show them")
    return plain


def search(store: Store, settings: Settings, wanted: str, tell: Tell | None = None) -> Answer:
    """Look for the patient whose hash is `wanted` in the images that the database knows.

    First one image of each study that is listed under the hash; where there is none (a patient who stands only in a study of
    somebody else, or a study not checked yet), every image.
    """
    key, source = site_key(settings), daily.sources_for(settings)
    found, asked, gone = _ask(_listed(store, wanted), source, key, wanted, None)
    if not found:
        more, also_asked, also_gone = _ask(_all(store), source, key, wanted, tell)
        found, asked, gone = found | more, asked + also_asked, gone + also_gone
    return Answer(tuple(sorted(found, key=lambda one: (one.name, one.patient_id, one.study_uid))), asked, gone)


def _listed(store: Store, wanted: str) -> list[tuple[str, Path]]:
    first = (
        sa.select(sa.func.min(t.instance.c.id))
        .join(t.study, t.study.c.study_uid == t.instance.c.study_uid)
        .where(t.study.c.patient == wanted)
        .group_by(t.instance.c.study_uid)
        .limit(MOST_STUDIES)
    )
    return _places(store, t.instance.c.id.in_(first))


def _all(store: Store) -> list[tuple[str, Path]]:
    return _places(store, sa.true())


def _places(store: Store, condition: sa.ColumnElement[bool]) -> list[tuple[str, Path]]:
    rows = sa.select(t.source.c.name, t.instance.c.path).join_from(t.instance, t.source).where(condition)
    with store.reading() as connection:
        return [(row.name, Path(row.path)) for row in connection.execute(rows.order_by(t.instance.c.id.desc()))]


def _ask(paths: list[tuple[str, Path]], source: Sources, key: bytes, wanted: str, tell: Tell | None) -> tuple[set[Person], int, int]:
    people: set[Person] = set()
    gone = 0
    files = source.places(paths) if paths else []
    for number, instance in enumerate(_headers(files)):
        if tell and number % 50 == 0:
            tell(number, len(paths), "reading headers")
        if instance is None:
            gone += 1
        elif wanted in (patient_hash(instance, key), keyed_hash(key, instance.get("PatientName") or "")):
            texts = (str(instance.get(keyword, "")) for keyword in ("PatientID", "PatientName", "StudyInstanceUID"))
            people.add(Person(*texts))
    return people, len(paths) - gone, gone


def _headers(files: Iterable[Path]) -> Iterator[Instance | None]:
    with dicom.Intake() as intake:
        for path in files:
            yield intake.read(dicom.Source(path, path.name)) if path.is_file() else None
