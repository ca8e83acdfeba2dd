"""Where studies come from. One protocol for folder, DICOM network and DICOMweb; no source knows Prefect or the database.

A source is observed again and again. It remembers nothing itself: what it must know of the last time is in the cursor,
a text that the caller keeps and hands back. A lost cursor costs time, nothing else, because everything seen is noted under
its path or UID and noting it twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from qc.expected import Announced
from reports.store import Seen, Standing


@dataclass(frozen=True)
class Skip:
    """A file that gave no instance: reason code and a sentence."""

    path: str
    reason: str
    message: str


@dataclass
class Observation:
    """What one look at a source gave.

    Attributes
    ----------
    seen
        Instances that are new or changed, and whole.
    skipped
        Files that gave no instance.
    waiting
        Files that are not handed over yet, because they are being written.
    standings
        Where the studies of the source stand, of those that it lists or counts.
    young
        Files that were handed over, now or before, but came so lately that their study may not be complete.
    announced
        StudyInstanceUID -> how much the source says the study is, for studies whose count is known now.
    more
        There is more; look again at once.
    """

    seen: list[Seen] = field(default_factory=list)
    skipped: list[Skip] = field(default_factory=list)
    standings: list[Standing] = field(default_factory=list)
    waiting: int = 0
    young: int = 0
    announced: dict[str, Announced] = field(default_factory=dict)
    more: bool = False


class Source(Protocol):
    """Where studies come from.

    Attributes
    ----------
    counts
        What it hands over is whole by the count of the source; else a study is whole when nothing of it came for `quiet_s`.
    """

    name: str
    counts: bool
    quiet_s: float

    def observe(self, cursor: str | None) -> tuple[Observation, str]:
        """Look once; give what is new since the cursor, and the next cursor.

        Raises
        ------
        Transient
            If the source cannot be reached now.
        """

    def expected(self, study_uid: str) -> int | None:
        """How many instances the source itself counts in a study; None where it does not know."""

    def fetch(self, paths: Sequence[Path], study_uid: str = "") -> list[Path]:
        """Return files on this machine for paths of `Seen`; of the study they are of, what is not here any more is fetched again.

        Raises
        ------
        Transient
            If the source cannot be reached now.
        """
