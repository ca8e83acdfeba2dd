"""Bring a study here: ask, count what came, ask again for what is missing and for nothing else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from flows import inventory
from flows.dimse import Moved
from flows.inventory import Archive, Expected, Image
from flows.spool import Kept, Spool
from flows.web import Web

TRIES = 3
AT_ONCE = 100  # UIDs in one request


@dataclass
class Retrieved:
    """What became of a study.

    Attributes
    ----------
    state
        ``complete``: all that the PACS counts is here. ``incomplete``: some of it is not. ``not_known``: the PACS does not
        count, so nobody can tell.
    missing
        The instances that are not here, by name; empty where the PACS gave only a number.
    operations
        How each C-GET or C-MOVE ended by the word of the PACS.
    """

    study_uid: str
    state: Literal["complete", "incomplete", "not_known"]
    expected: Expected
    paths: list[Path] = field(default_factory=list)
    missing: list[Image] = field(default_factory=list)
    operations: list[Moved] = field(default_factory=list)

    @property
    def lacking(self) -> int | None:
        """How many instances are not here; None where that is unknown."""
        if self.expected.total is None:
            return None
        return len(self.missing) if self.expected.images is not None else max(0, self.expected.total - len(self.paths))


def retrieve(
    pacs: Archive,
    spool: Spool,
    study_uid: str,
    *,
    of_study: int | None = None,
    arrived: Callable[[], list[Kept]] | None = None,
    tries: int = TRIES,
) -> Retrieved:
    """Bring a study into a spool.

    Parameters
    ----------
    of_study
        How many instances the list of studies gave.
    arrived
        For C-MOVE: gives what our receiver, which fills the same spool, was sent since it was called last.

    Raises
    ------
    Transient
        If the PACS cannot be reached. What came before is kept, and is not asked for again.
    DestinationUnknown
        If the PACS does not know where to send.
    """
    expected = inventory.expected(pacs, study_uid, of_study)
    came: dict[Path, None] = {}
    operations: list[Moved] = []
    for _ in range(tries):
        before = _here(spool, expected, came)
        missing = _missing(spool, expected)
        if _whole(expected, before, missing):
            break
        for keys in _requests(study_uid, expected, missing, pacs.peer.quirks.uid_lists):
            ended, kept = _ask(pacs, spool, keys, inventory.classes(missing), arrived)
            operations.append(ended)
            came.update((one.path, None) for one in kept)
        # No progress, or nothing to measure it by: asking once more would only be a load on the PACS.
        if expected.total is None or len(_here(spool, expected, came)) == len(before):
            break
    paths = _here(spool, expected, came)
    missing = _missing(spool, expected)
    if expected.total is None:
        state: Literal["complete", "incomplete", "not_known"] = "not_known"
    else:
        state = "complete" if _whole(expected, paths, missing) else "incomplete"
    return Retrieved(study_uid, state, expected, paths, missing, operations)


def _ask(
    pacs: Archive, spool: Spool, keys: dict[str, Any], classes: list[str], arrived: Callable[[], list[Kept]] | None
) -> tuple[Moved, list[Kept]]:
    if isinstance(pacs, Web) or pacs.peer.retrieve == "get":
        return pacs.get(keys, spool, classes)
    ended = pacs.move(keys)
    return ended, arrived() if arrived is not None else []


def _here(spool: Spool, expected: Expected, came: dict[Path, None]) -> list[Path]:
    """Return the files of the study that are here: those the PACS listed and those that came."""
    listed = dict.fromkeys(path for one in expected.images or () for path in spool.all_of(one.uid))
    return list({**listed, **came})


def _missing(spool: Spool, expected: Expected) -> list[Image]:
    """Return the listed instances that are not here. The same UID in two series is two instances, and two files with other bytes.

    Where one of two is here nobody knows which without reading it, so the last of them is named.
    """
    here: dict[str, int] = {}
    missing = []
    for one in expected.images or ():
        here[one.uid] = here.get(one.uid, len(spool.all_of(one.uid))) - 1
        if here[one.uid] < 0:
            missing.append(one)
    return missing


def _whole(expected: Expected, here: list[Path], missing: list[Image]) -> bool:
    """Tell whether all that the PACS counts is here: each by its name where it gives names, else by the number."""
    if expected.images is not None:
        return not missing
    return expected.total is not None and len(here) >= expected.total


def _requests(study_uid: str, expected: Expected, missing: list[Image], uid_lists: bool) -> list[dict[str, Any]]:
    """Return what to ask for: the study where nothing of it is here or nothing is known by name, else only what is missing."""
    study = {"StudyInstanceUID": study_uid}
    if expected.images is None or len(missing) == len(expected.images):
        return [study]
    by_series: dict[str, list[str]] = defaultdict(list)
    for one in missing:
        by_series[one.series_uid].append(one.uid)
    step = AT_ONCE if uid_lists else 1
    return [
        {**study, "SeriesInstanceUID": series, "SOPInstanceUID": uids[at : at + step] if uid_lists else uids[at]}
        for series, uids in by_series.items()
        for at in range(0, len(uids), step)
    ]
