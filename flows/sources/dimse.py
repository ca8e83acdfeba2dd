"""A PACS as a source: asked what it has, made to hand it over, and believed when the count agrees.

The cursor keeps until when the PACS was asked, and how much of each study of the window is here. The window overlaps the
one before by days, because studies come late; what is known and has not grown costs one line of one answer.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from flows import inventory
from flows.dimse import HungUp, Pacs, Peer
from flows.inventory import Archive, Study
from flows.retrieve import Retrieved, retrieve
from flows.sources import Observation, Skip
from flows.spool import Kept, Spool
from flows.web import WebPeer
from qc import dicom
from qc.errors import Transient
from reports.store import Seen

log = logging.getLogger(__name__)

STUDIES_AT_ONCE = 20
NAMED = 10  # missing instances that a message names


@dataclass(frozen=True)
class Wanted:
    """Which studies are taken.

    Attributes
    ----------
    modalities
        At least one of the study must be among them; none: all are taken. A study of which the PACS gives no modality is taken.
    first_days, overlap_days
        How far the first look goes back, and by how much a later one goes behind the one before.
    patience_s
        An incomplete study is handed over after so long all the same: the checks say what is missing.
    again_s
        An incomplete study is not asked for again sooner.
    """

    modalities: frozenset[str] = frozenset()
    first_days: int = 3
    overlap_days: int = 2
    patience_s: float = 5400.0
    again_s: float = 60.0


@dataclass
class Cursor:
    """Until when was asked; for each study how many instances were here at its last count, and since when some are missing."""

    until: str = ""
    counted: dict[str, int | None] = field(default_factory=dict)
    missing_since: dict[str, float] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str | None) -> Cursor:
        """Read a cursor; one that cannot be read is an empty one."""
        try:
            data = json.loads(text or "{}")
            counted = {str(uid): None if number is None else int(number) for uid, number in data.get("counted", {}).items()}
            since = {str(uid): float(at) for uid, at in data.get("missing_since", {}).items()}
            until = str(data.get("until", ""))
            if until:
                datetime.fromisoformat(until)
        except (ValueError, TypeError, AttributeError):
            return cls()
        return cls(until, counted, since)

    def text(self) -> str:
        """Write it: always the same text for the same state."""
        return json.dumps({"until": self.until, "counted": self.counted, "missing_since": self.missing_since}, sort_keys=True)


class DimseSource:
    """Studies of a PACS, by C-FIND and C-GET or C-MOVE.

    Parameters
    ----------
    spool
        Where the files are kept. With C-MOVE it is the folder of our receiver.
    arrived
        With C-MOVE and a receiver in this process: gives what came since it was called last.
    """

    def __init__(
        self,
        peer: Peer | WebPeer,
        spool: Spool,
        wanted: Wanted | None = None,
        *,
        arrived: Callable[[], list[Kept]] | None = None,
        clock: Callable[[], float] = time.time,
        talk: Callable[[], Archive] | None = None,
    ) -> None:
        self.peer = peer
        self.name = peer.name
        self.spool = spool
        self.wanted = wanted or Wanted()
        self.arrived = arrived
        self.clock = clock
        self._talk = talk or (lambda: Pacs(peer))  # type: ignore[arg-type]
        self._expected: dict[str, int | None] = {}
        self._asked_at: dict[str, float] = {}

    def observe(self, cursor: str | None) -> tuple[Observation, str]:
        """Look once: list the window, bring what is new or has grown, at most `STUDIES_AT_ONCE` studies."""
        before = Cursor.read(cursor)
        found, now = Observation(), self.clock()
        today = datetime.fromtimestamp(now).astimezone()  # a PACS is asked in local time
        days = self.wanted.overlap_days if before.until else self.wanted.first_days
        start = min(datetime.fromisoformat(before.until).astimezone() if before.until else today, today) - timedelta(days=days)
        after = Cursor(before.until)
        with self._talk() as pacs:
            listed = inventory.studies(pacs, start, today + timedelta(days=1))  # its clock may be ahead of ours
            for low, high in listed.unsure:
                text = f"the PACS cuts its answers: there may be more studies between {low} and {high} than it lists"
                found.skipped.append(Skip(f"pacs:/window/{low:%Y%m%d%H%M}", "cut_list", text))
            asked, hung_up = 0, 0
            for study in listed.found.values():
                if not self._takes(study):
                    listing = ", ".join(study.modalities)
                    found.skipped.append(
                        Skip(f"pacs:/{study.uid}", "not_wanted", f"its modalities are {listing}, which the settings leave out")
                    )
                elif self._known(study, before):
                    after.counted[study.uid] = before.counted[study.uid]
                elif study.uid in before.missing_since and now - self._asked_at.get(study.uid, 0.0) < self.wanted.again_s:
                    found.waiting += 1
                    self._carry(study.uid, before, after)
                elif asked >= STUDIES_AT_ONCE:
                    found.more = True
                    self._carry(study.uid, before, after)
                else:
                    asked += 1
                    self._asked_at[study.uid] = now
                    try:
                        done = retrieve(pacs, self.spool, study.uid, of_study=study.instances, arrived=self.arrived)
                    except HungUp as error:
                        hung_up += 1
                        if hung_up > 1:
                            raise  # not one study: the destination
                        after.missing_since[study.uid] = before.missing_since.get(study.uid, now)
                        found.skipped.append(Skip(f"pacs:/{study.uid}", "incomplete", str(error)))
                        continue
                    self._note(study, done, before, after, found, now)
        if not found.more:
            after.until = today.isoformat(timespec="seconds")
        return found, after.text()

    def expected(self, study_uid: str) -> int | None:
        """How many instances the PACS counts; None where it does not, or was not asked in this process."""
        return self._expected.get(study_uid)

    def fetch(self, paths: Sequence[Path]) -> list[Path]:
        """Return where the files are; they are here already."""
        if not self.spool.root.is_dir():
            raise Transient("the folder of received files cannot be reached")
        return [self.spool.root / path for path in paths]

    def _takes(self, study: Study) -> bool:
        wanted = self.wanted.modalities
        return not wanted or not study.modalities or bool(wanted.intersection(study.modalities))

    def _known(self, study: Study, before: Cursor) -> bool:
        """Tell whether all of a study is here by the number that the list of studies gives. Unknown numbers are counted again."""
        if study.uid in before.missing_since or study.instances is None:
            return False
        return before.counted.get(study.uid) == study.instances

    @staticmethod
    def _carry(uid: str, before: Cursor, after: Cursor) -> None:
        if uid in before.counted:
            after.counted[uid] = before.counted[uid]
        if uid in before.missing_since:
            after.missing_since[uid] = before.missing_since[uid]

    def _note(self, study: Study, done: Retrieved, before: Cursor, after: Cursor, found: Observation, now: float) -> None:
        """Hand a study over, or hold it back while some of it is missing."""
        self._expected[study.uid] = done.expected.total
        after.counted[study.uid] = done.expected.total
        found.announced[study.uid] = inventory.announced(study, done.expected)
        if done.state == "incomplete":
            since = after.missing_since[study.uid] = before.missing_since.get(study.uid, now)
            found.skipped.append(Skip(f"pacs:/{study.uid}", "incomplete", self._lacking(done)))
            if now - since < self.wanted.patience_s:
                found.waiting += done.lacking or 1
                return
        for path in done.paths:
            self._read(path, found)

    def _read(self, path: Path, found: Observation) -> None:
        place = path.relative_to(self.spool.root).as_posix()
        with dicom.Intake(dicom.Limits()) as intake:
            for source in intake.sources([path]):
                instance = intake.read(source)
                if instance is None:
                    continue
                stat = path.stat()
                uids = (str(instance.get(keyword, "")) for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"))
                found.seen.append(Seen(place, stat.st_size, stat.st_mtime_ns, *uids))
            found.skipped += [Skip(place, one.reason, one.message) for one in intake.rejected]

    def _lacking(self, done: Retrieved) -> str:
        """Say how many of a study are missing, name some, and how the PACS said the last retrieve ended."""
        text = f"{done.lacking} of {done.expected.total} instances that the PACS counts did not come"
        if done.missing:
            names = ", ".join(one.uid for one in done.missing[:NAMED])
            text += f": {names}" + (f" and {len(done.missing) - NAMED} more" if len(done.missing) > NAMED else "")
        if done.operations:
            last = done.operations[-1]
            counters = {"completed": last.completed, "failed": last.failed, "warning": last.warning}
            told = ", ".join(f"{name} {'not told' if number is None else number}" for name, number in counters.items())
            text += f" (the PACS ended with {'no answer' if last.status is None else f'0x{last.status:04X}'}; {told})"
            if self.peer.retrieve == "move" and not done.paths and last.status != 0:
                text += f"; does it know the move destination {self.peer.destination!r}?"
        return text
