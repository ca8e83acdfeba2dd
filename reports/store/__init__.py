"""The database: what was seen, what is to be done, what was found.

>>> store = open_store("sqlite:///pacsqc-data/pacsqc.sqlite")  # doctest: +SKIP
>>> store.observe("folder", seen)  # doctest: +SKIP
>>> store.settle(quiet_s=60)  # doctest: +SKIP
>>> for work in store.claim("me", limit=25, lease_s=600):  # doctest: +SKIP
...     store.complete(work.id, "me", check(work.paths), hash_key)

Each method is one transaction. A database that is locked or out of reach raises `qc.errors.Transient`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, tzinfo
from typing import TYPE_CHECKING, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from qc.results import Evidence
from reports.store import ledger, lookup, results
from reports.store import schema as t
from reports.store.clean import Cleaner, relative
from reports.store.connect import engine_for, migrate, now, transaction, writer
from reports.store.ledger import Observed, Seen, Work
from reports.store.local import zone_of
from reports.store.lookup import Device

if TYPE_CHECKING:
    from qc.runner import Report

__all__ = ["Device", "Observed", "Seen", "Store", "Work", "open_store"]

T = TypeVar("T")

CHUNK = 2000  # files of one transaction of `observe`


def open_store(url: str, timezone: str | None = None) -> Store:
    """Open the database, creating it or bringing it up to date where needed.

    Parameters
    ----------
    url
        ``sqlite:///path/to/file`` or ``postgresql://user@host/name``.
    timezone
        Zone of the site (``Europe/Vienna``), for studies that name none; None: that of the machine.

    Raises
    ------
    ConfigurationError
        If URL or zone cannot be used, or the database belongs to a newer version.
    """
    zone = zone_of(timezone)
    engine = engine_for(url)
    migrate(engine)
    return Store(engine, zone)


class Store:
    """The database behind plain methods. Open one a process; threads may share it."""

    def __init__(self, engine: Engine, zone: tzinfo | None = None) -> None:
        self.engine = engine
        self._writer = writer(engine)
        self.zone = zone

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection for reading: one consistent view."""
        with transaction(self.engine) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection for writing: all of it, or nothing."""
        with transaction(self._writer) as connection:
            yield connection

    # -- intake -------------------------------------------------------------------------------------------------

    def observe(self, source: str, seen: Iterable[Seen]) -> Observed:
        """Note files of a source; files that are known already change nothing.

        Returns
        -------
        Observed
            How many were new, changed, unchanged.
        """
        total = Observed()
        for some in ledger.batches(seen, CHUNK):
            with self.writing() as connection:
                part = ledger.observe(connection, source, some)
            total = Observed(total.new + part.new, total.changed + part.changed, total.unchanged + part.unchanged)
        return total

    def known(self, source: str) -> dict[str, tuple[int, int | None]]:
        """Return (size, mtime_ns) of the known files of a source by path: what did not change need not be read again."""
        columns = sa.select(t.instance.c.path, t.instance.c.size, t.instance.c.mtime_ns).join(t.source)
        with self.reading() as connection:
            return {row.path: (row.size, row.mtime_ns) for row in connection.execute(columns.where(t.source.c.name == source))}

    def skip(self, source: str, path: str, reason: str, message: str) -> None:
        """Note a file that gave no instance, once; `path` relative to the source (of an absolute one, the name is kept)."""
        with self.writing() as connection:
            ledger.skip(connection, source, relative(path), reason, Cleaner().text(message))

    def settle(self, quiet_s: float, *, parameters: str = "", checks: str = "", priority: int = 0) -> int:
        """Make work for studies with nothing new for `quiet_s` seconds whose files changed since they were last checked.

        Parameters
        ----------
        parameters, checks
            Hashes of the parameters and of the checks that will run; part of the identity of the work.

        Returns
        -------
        int
            Number of studies that got new work.
        """
        with self.writing() as connection:
            return ledger.settle(connection, quiet_s, parameters, checks, priority)

    # -- work ---------------------------------------------------------------------------------------------------

    def claim(self, owner: str, limit: int, lease_s: float) -> list[Work]:
        """Lease up to `limit` studies: ready ones, and those whose lease ran out. Urgent first, then the newest.

        Work that was leased three times and never came back is set aside with an error finding.
        """
        with self.writing() as connection:
            for row in ledger.worn_out(connection):
                self._quarantine(connection, row.id, row.owner, "died", "whoever worked on it died or hung")
            return ledger.claim(connection, owner, limit, lease_s)

    def renew(self, work_id: int, owner: str, lease_s: float) -> bool:
        """Make a lease longer from now; False where it is no longer the owner's (then stop working on it)."""
        with self.writing() as connection:
            return ledger.renew(connection, work_id, owner, lease_s)

    def complete(self, work_id: int, owner: str, report: Report, hash_key: bytes) -> bool:
        """Write the results and end the work, in one transaction; False, and nothing written, where it is no longer the owner's."""
        prepared = results.prepare(report, hash_key)  # pictures are encoded before the database is held up
        with self.writing() as connection:
            at = now(connection)
            row = ledger.finish(connection, work_id, owner, at)
            if row is None:
                return False
            results.write(connection, row, prepared, at, self.zone)
        return True

    def give_back(self, work_id: int, owner: str, kind: str, message: str, delay_s: float = 0.0) -> None:
        """Return work that could not be done for the moment; after three attempts it is set aside with an error finding.

        Parameters
        ----------
        kind
            Sort of error, e.g. ``transient``.
        delay_s
            Not to be claimed again before this time has passed.
        """
        text = Cleaner().text(message)
        with self.writing() as connection:
            attempts = connection.execute(sa.select(t.work.c.attempts).where(t.work.c.id == work_id)).scalar()
            if attempts is None or attempts < ledger.MAX_ATTEMPTS:
                ledger.put_back(connection, work_id, owner, kind, text, delay_s)
            else:
                self._quarantine(connection, work_id, owner, kind, text)

    def _quarantine(self, connection: Connection, work_id: int, owner: str, kind: str, message: str) -> None:
        at = now(connection)
        ended = ledger.finish(connection, work_id, owner, at, "quarantined", kind, message)
        if ended is not None:
            results.write_quarantined(connection, ended, message, at, self.zone)

    # -- reading ------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """Return the time by the clock of the database."""
        with self.reading() as connection:
            return now(connection)

    def tally(self) -> dict[str, int]:
        """Return the number of studies in each state: ready, leased, done, superseded, quarantined; and ``arriving``."""
        return self._read(lookup.tally)

    def days(self) -> list[date]:
        """Return the days that have results, oldest first."""
        return self._read(lookup.days)

    def day(self, day: date) -> list[str]:
        """Return the UIDs of the studies of a day."""
        return self._read(lambda connection: lookup.day_uids(connection, day))

    def devices(self) -> list[Device]:
        """Return the known devices."""
        return self._read(lookup.devices)

    def evidence(self, ids: Iterable[int]) -> dict[int, Evidence]:
        """Return pictures and curves by id, as `qc.results` has them."""
        return self._read(lambda connection: lookup.evidence(connection, ids))

    def report_written(self, day: date, name: str, at: datetime) -> None:
        """Note that the report of a day was written; what arrives for that day from now on is late."""
        with self.writing() as connection:
            lookup.note_written(connection, day, name, at)

    def _read(self, function: Callable[[Connection], T]) -> T:
        with self.reading() as connection:
            return function(connection)
