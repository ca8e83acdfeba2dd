"""Bring a study here: ask, count what came, ask again for what is missing and for nothing else."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from flows import inventory
from flows.dimse import Moved, Pacs
from flows.inventory import Archive, Expected, Image, Series
from flows.spool import Kept, Spool
from reports.store import Ended

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
    operations: list[Ended] = field(default_factory=list)

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
    only: inventory.Choice | None = None,
) -> Retrieved:
    """Bring a study into a spool.

    Parameters
    ----------
    of_study
        How many instances the list of studies gave.
    arrived
        For C-MOVE: gives what our receiver, which fills the same spool, was sent since it was called last.
    only
        Given the series of the study, returns those that are to come; the others are not asked for.

    Raises
    ------
    Transient
        If the PACS cannot be reached. What came before is kept, and is not asked for again.
    DestinationUnknown
        If the PACS does not know where to send.
    """
    part: tuple[str, ...] | None = None

    def chosen(listed: tuple[Series, ...]) -> tuple[Series, ...]:
        nonlocal part
        some = only(listed) if only else listed
        part = tuple(one.uid for one in some) if len(some) < len(listed) else None
        return some

    expected = inventory.expected(pacs, study_uid, of_study, chosen)
    came: dict[Path, None] = {}
    operations: list[Ended] = []
    for _ in range(tries):
        before, missing = _here(spool, expected, came)
        if _whole(expected, before, missing):
            break
        for keys in _requests(study_uid, expected, missing, pacs.peer.quirks.uid_lists, part):
            ended, kept = _timed(pacs, spool, keys, inventory.classes(missing), arrived)
            operations.append(ended)
            came.update((one.path, None) for one in kept)
        # No progress, or nothing to measure it by: asking once more would only be a load on the PACS.
        if expected.total is None or len(_here(spool, expected, came)[0]) == len(before):
            break
    paths, missing = _here(spool, expected, came)
    if expected.total is None:
        state: Literal["complete", "incomplete", "not_known"] = "not_known"
    else:
        state = "complete" if _whole(expected, paths, missing) else "incomplete"
    return Retrieved(study_uid, state, expected, paths, missing, operations)


def _timed(
    pacs: Archive, spool: Spool, keys: dict[str, Any], classes: list[str], arrived: Callable[[], list[Kept]] | None
) -> tuple[Ended, list[Kept]]:
    """Ask, and note how it ended, how much came and how long it took."""
    start = time.monotonic()
    told, kept = _ask(pacs, spool, keys, classes, arrived)
    size, seconds = sum(one.size for one in kept), time.monotonic() - start
    counters = (told.completed, told.failed, told.warning, told.remaining)
    return Ended(pacs.peer.retrieve, told.status, *counters, len(kept), size, seconds), kept


def _ask(
    pacs: Archive, spool: Spool, keys: dict[str, Any], classes: list[str], arrived: Callable[[], list[Kept]] | None
) -> tuple[Moved, list[Kept]]:
    if not isinstance(pacs, Pacs) or pacs.peer.retrieve == "get":
        return pacs.get(keys, spool, classes)
    ended = pacs.move(keys)
    return ended, arrived() if arrived is not None else []


def _here(spool: Spool, expected: Expected, came: dict[Path, None]) -> tuple[list[Path], list[Image]]:
    """Return the files of the study that are here, those the PACS listed and those that came; and the listed instances that are not.

    The same UID in two series is two instances, and two files with other bytes. Where one of two is here nobody knows which without
    reading it, so the last of them is named.
    """
    files = spool.every({one.uid: None for one in expected.images or ()})
    left = {uid: len(paths) for uid, paths in files.items()}
    missing = []
    for one in expected.images or ():
        left[one.uid] -= 1
        if left[one.uid] < 0:
            missing.append(one)
    listed = dict.fromkeys(path for paths in files.values() for path in paths)
    return list({**listed, **came}), missing


def _whole(expected: Expected, here: list[Path], missing: list[Image]) -> bool:
    """Tell whether all that the PACS counts is here: each by its name where it gives names, else by the number."""
    if expected.images is not None:
        return not missing
    return expected.total is not None and len(here) >= expected.total


def _requests(
    study_uid: str, expected: Expected, missing: list[Image], uid_lists: bool, part: tuple[str, ...] | None
) -> list[dict[str, Any]]:
    """Return what to ask for: the study where nothing of it is here or nothing is known by name, else only what is missing.

    `part`: the series that are wanted, where that is not the whole study.
    """
    study = {"StudyInstanceUID": study_uid}
    if expected.images is None:
        return [study] if part is None else [{**study, "SeriesInstanceUID": uid} for uid in part]
    if part is None and len(missing) == len(expected.images):
        return [study]
    of_series = Counter(one.series_uid for one in expected.images)
    by_series: dict[str, list[str]] = defaultdict(list)
    for one in missing:
        by_series[one.series_uid].append(one.uid)
    step = AT_ONCE if uid_lists else 1
    requests: list[dict[str, Any]] = []
    for series, uids in by_series.items():
        keys = {**study, "SeriesInstanceUID": series}
        if len(uids) == of_series[series]:
            requests.append(keys)
            continue
        requests += [{**keys, "SOPInstanceUID": uids[at : at + step] if uid_lists else uids[at]} for at in range(0, len(uids), step)]
    return requests
