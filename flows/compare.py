"""Compare two archives, or an archive and its backup: which studies, series and instances are on one side only.

Each side is a folder or a PACS. What a side could not tell (a PACS that lists no images) is said, and is not a difference.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from flows import inventory
from flows.inventory import Archive
from qc import dicom

Key = tuple[str, str, str]  # study, series, instance


@dataclass
class Contents:
    """What is in an archive.

    Attributes
    ----------
    instances
        Every instance, with a digest of its file where one was asked for, else empty.
    unlisted
        Series of which the archive does not list the instances: study and series, and the count it gives, or None.
    unread
        Files that gave no instance: path and reason.
    unsure
        Times in which there may be more than a PACS told.
    """

    name: str
    instances: dict[Key, str] = field(default_factory=dict)
    unlisted: dict[tuple[str, str], int | None] = field(default_factory=dict)
    unread: list[tuple[str, str]] = field(default_factory=list)
    unsure: list[tuple[datetime, datetime]] = field(default_factory=list)

    @property
    def studies(self) -> set[str]:
        """The studies it has."""
        return {key[0] for key in self.instances} | {key[0] for key in self.unlisted}

    @property
    def series(self) -> set[tuple[str, str]]:
        """The series it has."""
        return {key[:2] for key in self.instances} | set(self.unlisted)


@dataclass(frozen=True)
class Difference:
    """Something that one side lacks: a whole study, a whole series of a study that both have, or an instance; or that differs.

    `number` is how many instances it is, None where that is unknown.
    """

    level: Literal["study", "series", "instance"]
    lacks: str
    study_uid: str
    series_uid: str = ""
    sop_uid: str = ""
    number: int | None = None


@dataclass
class Comparison:
    """Both sides and what is different.

    Attributes
    ----------
    changed
        Instances that both have with other bytes; only where digests were asked for.
    not_compared
        Series of which one side lists no instances, so only their counts could be compared.
    certain
        False where something could not be listed or read: "no difference" then does not mean the same.
    """

    first: Contents
    second: Contents
    missing: list[Difference] = field(default_factory=list)
    changed: list[Key] = field(default_factory=list)
    not_compared: list[tuple[str, str]] = field(default_factory=list)

    @property
    def certain(self) -> bool:
        """Whether all of both sides was compared."""
        return not (self.not_compared or any(side.unread or side.unsure for side in (self.first, self.second)))

    @property
    def exit_code(self) -> int:
        """0: the same. 1: something is missing or other. 2: no difference found, but not all could be compared."""
        return 1 if self.missing or self.changed else 0 if self.certain else 2


def folder_contents(folder: Path, *, digests: bool = False, name: str = "") -> Contents:
    """Read what is in a folder and below."""
    contents = Contents(name or str(folder))
    with dicom.Intake(dicom.Limits()) as intake:
        for source in intake.sources([folder]):
            instance = intake.read(source)
            if instance is None:
                continue
            key = tuple(str(instance.get(keyword, "")) for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"))
            contents.instances[key] = _digest(source.path) if digests else ""  # type: ignore[index]
        contents.unread += [(one.shown, one.reason) for one in intake.rejected]
    return contents


def pacs_contents(pacs: Archive, start: datetime, end: datetime) -> Contents:
    """Ask a PACS what it has of a time. The conversation is open.

    Raises
    ------
    Transient
        If the PACS cannot be reached.
    """
    contents = Contents(pacs.peer.name)
    listed = inventory.studies(pacs, start, end)
    contents.unsure += listed.unsure
    for study in listed.found.values():
        expected = inventory.expected(pacs, study.uid, study.instances)
        if expected.images is not None:
            contents.instances.update(((study.uid, one.series_uid, one.uid), "") for one in expected.images)
        else:
            contents.unlisted.update(((study.uid, one.uid), one.instances) for one in expected.series)
            if not expected.series:
                contents.unlisted[study.uid, ""] = study.instances
    return contents


def compare(first: Contents, second: Contents) -> Comparison:
    """Compare both ways. A study that is missing is named once, not with each of its instances."""
    result = Comparison(first, second)
    for here, there in ((first, second), (second, first)):
        _lacking(here, there, result)
    common = first.instances.keys() & second.instances.keys()
    result.changed = sorted(
        key for key in common if first.instances[key] and second.instances[key] and first.instances[key] != second.instances[key]
    )
    return result


def _lacking(here: Contents, there: Contents, result: Comparison) -> None:
    """Note what `here` has and `there` lacks."""
    absent = here.studies - there.studies
    for uid in sorted(absent):
        result.missing.append(Difference("study", there.name, uid, number=_number(here, uid)))
    gone: set[tuple[str, str]] = set()
    whole = {uid for uid, series in there.unlisted if not series}  # studies of which not even the series are listed
    for study, series in sorted(here.series):
        if study in absent:
            continue
        if study in whole or not series:
            _note(result, (study, ""))
        elif (study, series) not in there.series:
            gone.add((study, series))
            result.missing.append(Difference("series", there.name, study, series, number=_number(here, study, series)))
        elif (study, series) in there.unlisted or (study, series) in here.unlisted:
            _counts(here, there, (study, series), result)
    for key in sorted(here.instances.keys() - there.instances.keys()):
        if key[0] not in absent and key[:2] not in gone and key[:2] not in there.unlisted and key[0] not in whole:
            result.missing.append(Difference("instance", there.name, *key, number=1))


def _counts(here: Contents, there: Contents, series: tuple[str, str], result: Comparison) -> None:
    """Compare a series of which one side gives a number only."""
    mine, other = _number(here, *series), _number(there, *series)
    _note(result, series)
    if mine is not None and other is not None and mine > other:
        result.missing.append(Difference("series", there.name, *series, number=mine - other))


def _note(result: Comparison, series: tuple[str, str]) -> None:
    if series not in result.not_compared:
        result.not_compared.append(series)


def _number(side: Contents, study: str, series: str = "") -> int | None:
    """How many instances a study or a series has on a side; None where that is unknown."""
    counts = [number for (in_study, in_series), number in side.unlisted.items() if in_study == study and series in ("", in_series)]
    if any(number is None for number in counts):
        return None
    listed = sum(1 for key in side.instances if key[0] == study and series in ("", key[1]))
    return listed + sum(number for number in counts if number is not None)


def _digest(path: Path) -> str:
    """Return a digest of the bytes of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
