"""An archive as a source: asked what it has, made to hand it over, and believed when the count agrees and stays the same.

The cursor keeps until when it was asked, and how much of each study of the window is here. The window overlaps the one
before by days, because studies come late; what is known and has not grown costs one line of one answer. What is
incomplete is asked for again until it is whole or given up, however old it is, and only what is missing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from flows import headers, inventory, quick
from flows.dimse import HungUp
from flows.inventory import Archive, Studies, Study
from flows.retrieve import Retrieved, retrieve
from flows.sources import Observation, Skip
from flows.sources.cursor import Cursor, Known
from flows.sources.wanted import Share, Wanted, in_words
from flows.spool import Kept, Spool
from qc import dicom
from qc.errors import Transient
from reports.store import Seen, Standing
from reports.store.local import parse_date

log = logging.getLogger(__name__)

UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
NAMED = 10  # missing instances that a message names
LONGEST_PAUSE_S = 6 * 3600.0  # between two times that an incomplete study is asked for
RECOUNT_S = 3600.0  # between two counts of a study that the archive lists without a number
OLD_DAYS = 31  # what is whole is forgotten after so long


class ArchiveSource:
    """Studies of an archive.

    Parameters
    ----------
    peer
        Which archive, and how to reach it.
    spool
        Where the files are kept. With C-MOVE it is the folder of our receiver.
    talk
        Opens a conversation with the archive.
    arrived
        With C-MOVE: gives what our receiver was sent since it was called last.
    inlet
        With C-MOVE: opens our receiver for the time of a look.
    """

    counts = True  # what it hands over is whole by count, and needs no time of quiet

    def __init__(
        self,
        peer: Any,
        spool: Spool,
        wanted: Wanted | None = None,
        *,
        talk: Callable[[], Archive],
        arrived: Callable[[], list[Kept]] | None = None,
        inlet: Callable[[], AbstractContextManager[Any]] = nullcontext,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.peer = peer
        self.name = str(peer.name)
        self.spool = spool
        self.wanted = wanted or Wanted()
        self.quiet_s = self.wanted.quiet_s
        self.arrived = arrived
        self.inlet = inlet
        self.clock = clock
        self.talk = talk
        self._expected: dict[str, int | None] = {}

    # -- looking ----------------------------------------------------------------------------------------------------

    def observe(self, cursor: str | None, *, sweep: bool = False) -> tuple[Observation, str]:
        """Look once: list the window, bring what is new or has grown, at most `Wanted.at_once` studies.

        `sweep`: go back as far as `Wanted.sweep_days`, and count every study anew, those that were whole too.
        """
        before = Cursor.read(cursor)
        found, now = Observation(), self.clock()
        today = datetime.fromtimestamp(now).astimezone()  # an archive is asked in local time
        after = Cursor(before.until, feed=dict(before.feed), taken=before.taken)
        share = Share(after.taken)
        with self.inlet(), self.talk() as archive:
            listed = self._list(archive, before, after, today, sweep, found)
            for low, high in listed.unsure:
                text = f"the archive cuts its answers: there may be more studies between {low} and {high} than it lists"
                found.skipped.append(Skip(f"pacs:/window/{low:%Y%m%d%H%M}", "cut_list", text))
            studies = {**listed.found, **self._pending(before, listed)}
            look = _Look(self, archive, found, after, share, now, today)
            for study in studies.values():
                look.study(study, None if sweep and before.studies.get(study.uid, Known()).done else before.studies.get(study.uid))
        self.spool.flush_names()
        share.forget(f"{today - timedelta(days=OLD_DAYS):%Y%m%d}")
        after.taken = share.taken
        if not found.more:
            after.until = today.isoformat(timespec="seconds")
        return found, after.text()

    def expected(self, study_uid: str) -> int | None:
        """How many instances the archive counts; None where it does not, or was not asked in this process."""
        return self._expected.get(study_uid)

    def fetch(self, paths: Sequence[Path], study_uid: str = "") -> list[Path]:
        """Return where the files are. They are here already; those that were deleted to make room are fetched again."""
        if not self.spool.root.is_dir():
            raise Transient("the folder of received files cannot be reached")
        places = [self.spool.root / path for path in paths]
        if study_uid and not all(place.exists() for place in places):
            wanted = {path.stem.partition("+")[0] for path in places}
            with self.inlet(), self.talk() as archive:
                log.info("%s: files of a study that were deleted are fetched again", self.name)
                retrieve(archive, self.spool, study_uid, arrived=self.arrived, only=self._series_of(archive, study_uid, wanted))
            self.spool.flush_names()
        return places

    def _series_of(self, archive: Archive, study_uid: str, wanted: set[str]) -> inventory.Choice:
        """Return a choice of the series that hold some of the instances, where the archive lists images."""

        def choose(listed: tuple[inventory.Series, ...]) -> tuple[inventory.Series, ...]:
            if not archive.peer.quirks.image_level:
                return listed
            images = {one.uid: inventory.images(archive, study_uid, one.uid) for one in listed}
            return tuple(one for one in listed if images[one.uid] is None or any(image.uid in wanted for image in images[one.uid] or ()))

        return choose

    def _list(self, archive: Archive, before: Cursor, after: Cursor, today: datetime, sweep: bool, found: Observation) -> Studies:
        """List the studies of the window."""
        days = self.wanted.overlap_days if before.until else self.wanted.first_days
        if sweep:
            days = max(days, self.wanted.sweep_days)
        start = min(datetime.fromisoformat(before.until).astimezone() if before.until else today, today) - timedelta(days=days)
        return inventory.studies(archive, start, today + timedelta(days=1))  # its clock may be ahead of ours

    def _pending(self, before: Cursor, listed: Studies) -> dict[str, Study]:
        """Return the studies of which something is missing and that are not in the window any more."""
        return {
            uid: Study(uid, known.date, known.time, (), "", None, None)
            for uid, known in before.studies.items()
            if known.open and uid not in listed.found
        }

    def read(self, path: Path, found: Observation) -> None:
        """Note the instance that a file of the spool holds. Its three UIDs are all that is read; the checks read the rest."""
        place, size = path.relative_to(self.spool.root).as_posix(), path.stat().st_size
        uids = quick.uids(path) or self._slowly(path, place, found)
        if uids is not None:
            # A file of the spool is never written over: its name and size are its content.
            found.seen.append(Seen(place, size, None, *uids, digest=f"{path.name}:{size}"))

    @staticmethod
    def _slowly(path: Path, place: str, found: Observation) -> tuple[str, str, str] | None:
        """Read a file that is not as usual; note why where it holds no instance."""
        with dicom.Intake(dicom.Limits()) as intake:
            for source in intake.sources([path]):
                instance = intake.read(source)
                if instance is not None:
                    return tuple(str(instance.get(keyword, "")) for keyword in UIDS)  # type: ignore[return-value]
            found.skipped += [Skip(place, one.reason, one.message) for one in intake.rejected]
        return None

    def note_expected(self, study_uid: str, total: int | None) -> None:
        """Keep the count of a study for whoever asks."""
        self._expected[study_uid] = total


class _Look:
    """One look at an archive: what becomes of each of its studies."""

    def __init__(
        self, source: ArchiveSource, archive: Archive, found: Observation, after: Cursor, share: Share, now: float, today: datetime
    ) -> None:
        self.source, self.archive, self.found, self.after = source, archive, found, after
        self.share, self.now, self.today, self.wanted = share, now, today, source.wanted
        self.asked = self.hung_up = 0
        self.fetching = self.wanted.open_at(today)

    def study(self, study: Study, known: Known | None) -> None:
        """Decide on one study: leave it, wait, or bring it."""
        why = self.wanted.why_not(study) if known is None else None
        if why:
            self._stand(study, "not_taken", *why)
        elif known is not None and self._nothing_new(study, known):
            self.after.studies[study.uid] = known
        elif known is not None and known.open and self.now - known.asked_at < self._pause(known):
            self.found.waiting += 0 if known.done else 1
            self.after.studies[study.uid] = known
        elif not self.fetching:
            start, end = self.wanted.hours or (None, None)
            self._stand(study, "discovered", "off_peak", f"it is fetched between {start:%H:%M} and {end:%H:%M}")
            self.after.studies[study.uid] = known or Known(date=study.date, time=study.time)
        elif self.asked >= self.wanted.at_once:
            self.found.more = True
            self.after.studies[study.uid] = known or Known(date=study.date, time=study.time)
        else:
            self.asked += 1
            self._bring(study, known or Known())

    def _nothing_new(self, study: Study, known: Known) -> bool:
        """Tell whether a study was handed over and has not grown since, or was given up. Unknown numbers are counted again now and then."""
        if known.given_up:
            return study.instances is None or study.instances == known.listed
        if study.instances is None and self.now - known.asked_at >= RECOUNT_S:
            return False
        return known.done and known.missing_since is None and study.instances == known.listed

    def _pause(self, known: Known) -> float:
        if known.missing_since is None:
            return min(self.wanted.again_s, self.wanted.quiet_s)
        return min(self.wanted.again_s * 2 ** max(0, known.tries - 1), LONGEST_PAUSE_S)

    def _bring(self, study: Study, known: Known) -> None:
        """Bring what is missing of a study, count, and hand it over where it is whole and quiet."""
        dated = {"date": study.date or known.date, "time": study.time or known.time}
        known = self.after.studies[study.uid] = Known(**{**vars(known), **dated, "asked_at": self.now, "given_up": False})
        chosen: dict[str, Any] = {}

        def only(listed: tuple[inventory.Series, ...]) -> tuple[inventory.Series, ...]:
            chosen.update(self.share.choose(self.wanted, study, listed, self.source.name))
            return tuple(one for one in listed if chosen[one.uid][0] == "pixels")

        try:
            done = retrieve(self.archive, self.source.spool, study.uid, of_study=study.instances, arrived=self.source.arrived, only=only)
        except HungUp as error:
            self.hung_up += 1
            if self.hung_up > 1:
                raise  # not one study: the destination
            self._missing(known)
            self.found.waiting += 1
            self._stand(study, "incomplete", "no_answer", str(error))
            return
        heads = self._headers(study, [uid for uid, (take, _) in chosen.items() if take == "headers"])
        self._judge(study, known, done, heads, chosen)

    def _headers(self, study: Study, series: list[str]) -> list[Path]:
        """Bring the headers of series of which nothing more is wanted."""
        if not series:
            return []
        place = headers.spool_of(self.source.spool)
        return [kept.path for uid in series for kept in headers.keep(place, self.archive.headers(study.uid, uid))]

    def _judge(self, study: Study, known: Known, done: Retrieved, heads: list[Path], chosen: dict[str, Any]) -> None:
        """Say where a study stands by what was counted, and hand it over if it is time."""
        sampled = in_words(chosen)
        if known.total != done.expected.total or not known.same_since:
            known.same_since, known.done = self.now, False
        known.total, known.listed = done.expected.total, study.instances
        self.source.note_expected(study.uid, done.expected.total)
        if done.state == "incomplete":
            self._missing(known)
            given_up = known.given_up = self.now - (known.missing_since or 0.0) >= self.wanted.give_up_days * 86400
            hand_over = given_up or self.now - (known.missing_since or 0.0) >= self.wanted.patience_s
            text = self._lacking(done) + ("; it is not asked for any more" if given_up else "")
            self._stand(study, "given_up" if given_up else "incomplete", "missing", text, done, sampled)
            if not hand_over:
                self.found.waiting += done.lacking or 1
                return
        else:
            known.missing_since, known.tries = None, 0
            if not self.wanted.settled(study, self.today) and self.now - known.same_since < self.wanted.quiet_s:
                self.found.waiting += 1
                self._stand(study, "receiving", "not_quiet", "its count has not stayed the same for long enough yet", done, sampled)
                return
            text = "" if done.state == "complete" else "the archive does not count, so nobody can tell whether it is whole"
            self._stand(study, done.state, "" if done.state == "complete" else "no_count", text, done, sampled)
        known.done = True
        whole = {uid for uid, (take, _) in chosen.items() if take == "pixels"}
        self.found.announced[study.uid] = inventory.announced(study, done.expected, None if len(whole) == len(chosen) else whole)
        for path in [*done.paths, *heads]:
            self.source.read(path, self.found)

    def _missing(self, known: Known) -> None:
        known.missing_since = self.now if known.missing_since is None else known.missing_since
        known.tries += 1

    def _stand(
        self, study: Study, state: str, reason: str = "", message: str = "", done: Retrieved | None = None, sampled: str = ""
    ) -> None:
        """Note where a study stands."""
        counted: dict[str, Any] = {}
        if done is not None:
            counted = {
                "expected": done.expected.total, "counted_by": done.expected.source, "here": len(done.paths),
                "missing": tuple(one.uid for one in done.missing), "retrieves": tuple(done.operations),
            }  # fmt: skip
        day, modalities = parse_date(study.date), " ".join(study.modalities)
        self.found.standings.append(Standing(study.uid, state, reason, message, sampled=sampled, modalities=modalities, day=day, **counted))

    def _lacking(self, done: Retrieved) -> str:
        """Say how many of a study are missing, name some, and how the archive said the last retrieve ended."""
        text = f"{done.lacking} of {done.expected.total} instances that the archive counts did not come"
        if done.missing:
            names = ", ".join(one.uid for one in done.missing[:NAMED])
            text += f": {names}" + (f" and {len(done.missing) - NAMED} more" if len(done.missing) > NAMED else "")
        if done.operations:
            last = done.operations[-1]
            counters = {"completed": last.completed, "failed": last.failed, "warning": last.warning}
            told = ", ".join(f"{name} {'not told' if number is None else number}" for name, number in counters.items())
            text += f" (the archive ended with {'no answer' if last.status is None else f'0x{last.status:04X}'}; {told})"
            if self.source.peer.retrieve == "move" and not done.paths and last.status != 0:
                text += f"; does it know the move destination {self.source.peer.destination!r}?"
        return text
