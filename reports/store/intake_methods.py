"""What the store can do for the intake: note looks at sources, tell where studies stand, keep notices. Part of `reports.store.Store`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qc.expected import Announced
from reports.store import announced, intake, ledger, lookup, notices
from reports.store import schema as t
from reports.store.clean import Places
from reports.store.connect import now
from reports.store.intake import Standing
from reports.store.ledger import Observed, Seen

Aside = tuple[str, str, str]  # path, reason, message of a file that gave no instance
CHUNK = 2000  # files of one transaction of `look`


class Intake:
    """The methods; each is one transaction."""

    places: Places

    @abstractmethod
    def reading(self) -> AbstractContextManager[Connection]:
        """Give a connection for reading."""

    @abstractmethod
    def writing(self) -> AbstractContextManager[Connection]:
        """Give a connection for writing."""

    def look(
        self, source: str, seen: Sequence[Seen], aside: Sequence[Aside], standings: Sequence[Standing], cursor: str,
        told: Mapping[str, Announced] | None = None,
    ) -> Observed:  # fmt: skip
        """Note what one look at a source gave: its instances, what was set aside, where its studies stand, and where to go on.

        `told`: how much the source says that studies are, which they are compared with when they are checked.

        One transaction, but for all but the last of very many instances: the cursor never tells of what was not noted.
        """
        chunks, places, total = list(ledger.batches(seen, CHUNK)) or [[]], self.places, Observed()
        for number, some in enumerate(chunks, 1):
            with self.writing() as connection:
                part = ledger.observe(connection, source, some, places)
                total = Observed(total.new + part.new, total.changed + part.changed, total.unchanged + part.unchanged)
                if number < len(chunks):
                    continue
                for path, reason, message in aside:
                    ledger.skip(connection, source, path, reason, message, places)
                for study_uid, one in (told or {}).items():
                    announced.note(connection, source, study_uid, one)
                known = ledger.source_id(connection, source)
                intake.note(connection, known, standings, now(connection))
                connection.execute(sa.update(t.source).where(t.source.c.id == known).values(watermark=cursor))
        return total

    @contextmanager
    def looking(self, source: str, owner: str, seconds: float, dead: Callable[[str], bool]) -> Iterator[bool]:
        """Have a source to oneself; gives False where another process that lives has it."""
        with self.writing() as connection:
            known = ledger.source_id(connection, source)
            other = intake.source_owner(connection, known)
            if other is not None and dead(other):
                intake.free_source(connection, known, other)
            taken = intake.lease_source(connection, known, owner, now(connection), seconds)
        try:
            yield taken
        finally:
            if taken:
                with self.writing() as connection:
                    intake.free_source(connection, known, owner)

    def reached(self, source: str, latency_s: float | None, message: str = "") -> None:
        """Note that a source answered, or (latency None) that it did not and why."""
        with self.writing() as connection:
            intake.reached(connection, ledger.source_id(connection, source), now(connection), latency_s, message)

    def standings(self, state: str | None = None, day: date | None = None, limit: int = 1000) -> list[dict[str, Any]]:
        """Return where the studies of the sources stand, the newest change first."""
        return self._told(lambda connection: intake.rows(connection, state, day, limit))

    def retrieves(self, study_uid: str) -> list[dict[str, Any]]:
        """Return how each retrieve of a study ended, by the word of its source."""
        return self._told(lambda connection: intake.retrieves(connection, study_uid))

    def selected(self, first: date, last: date, code: str = "", modality: str = "") -> list[str]:
        """Return the checked studies of some days, of them only those with a finding of a code, or a series of a modality."""
        return self._told(lambda connection: lookup.selected(connection, first, last, code, modality))

    def again(self, study_uids: Sequence[str], *, checks: str) -> int:
        """Make work of studies though their files did not change; return how many. `checks`: a new text, which tells it from older work."""
        with self.writing() as connection:
            return ledger.again(connection, study_uids, checks)

    def notice(self, kind: str, subject: str, status: str, message: str) -> None:
        """Open a notice, or note that it still holds."""
        with self.writing() as connection:
            notices.put(connection, kind, subject, status, message, now(connection))

    def notices_now(self, kind: str, found: Mapping[str, tuple[str, str]]) -> None:
        """Say all there is to notice of a kind (subject -> status, message); what was open and is not among them is over."""
        with self.writing() as connection:
            at = now(connection)
            for subject, (status, message) in found.items():
                notices.put(connection, kind, subject, status, message, at)
            notices.clear(connection, kind, found.keys(), at)

    def notices(self) -> list[dict[str, Any]]:
        """Return the open notices, the oldest first."""
        return self._told(notices.opened)

    def _told(self, function: Callable[[Connection], Any]) -> Any:
        with self.reading() as connection:
            return function(connection)
