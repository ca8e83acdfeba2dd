"""The database: what was seen, what is to be done, what was found.

>>> store = open_store("sqlite:///pacsqc-data/pacsqc.sqlite")  # doctest: +SKIP
>>> store.observe("folder", seen)  # doctest: +SKIP
>>> store.settle(quiet_s=60)  # doctest: +SKIP
>>> for work in store.claim("me", limit=25, lease_s=600):  # doctest: +SKIP
...     store.complete(work.id, "me", check(work.paths), hash_key)

Each method is one transaction. A database that is locked or out of reach raises `qc.errors.Transient`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, tzinfo
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from qc import protocol
from qc.expected import Announced
from qc.protocol_audit import Arrival
from qc.results import Evidence
from reports.store import acquisitions, announced, audit, days, ledger, lookup, people, results
from reports.store import schema as t
from reports.store.audit import Entry
from reports.store.by_hand import ByHand
from reports.store.by_hand_methods import SetByHand
from reports.store.clean import Cleaner, Places
from reports.store.connect import engine_for, migrate, now, transaction, writer
from reports.store.devices import Devices, equipment
from reports.store.intake import Ended, Standing
from reports.store.intake_methods import Intake
from reports.store.ledger import Observed, Seen, Work
from reports.store.local import parse_date, zone_of
from reports.store.lookup import Device

if TYPE_CHECKING:
    from qc.runner import Report
    from reports.charts.judge import Rules

__all__ = ["ByHand", "Device", "Ended", "Entry", "Observed", "Seen", "Standing", "Store", "Work", "open_store"]

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


class Store(Intake, SetByHand):
    """The database behind plain methods. Open one a process; threads may share it."""

    def __init__(self, engine: Engine, zone: tzinfo | None = None) -> None:
        self.engine = engine
        self._writer = writer(engine)
        self._held = threading.local()  # what each thread reads through
        self.zone = zone
        self.chart_rules: Rules | None = None  # of the site, by which trends are judged; None: the usual ones

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection for reading: one consistent view.

        Within another reading of the same thread it is the same connection: threads that hold one and wait for a second could
        wait for each other until none is served.
        """
        held = getattr(self._held, "connection", None)
        if held is not None:
            yield held
            return
        with transaction(self.engine) as connection:
            self._held.connection = connection
            try:
                yield connection
            finally:
                self._held.connection = None

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Give a connection that sees the database as it is now, however long it reads and whatever others write."""
        engine = self.engine if self.engine.dialect.name == "sqlite" else self.engine.execution_options(isolation_level="REPEATABLE READ")
        with transaction(engine) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection for writing: all of it, or nothing."""
        with transaction(self._writer) as connection:
            yield connection

    @cached_property
    def places(self) -> Places:
        """How folders are told apart without their names."""
        with self.reading() as connection:
            value = connection.execute(sa.select(t.salt.c.value).where(t.salt.c.name == "places")).scalar_one()
        return Places(bytes.fromhex(value))

    # -- intake -------------------------------------------------------------------------------------------------

    def observe(self, source: str, seen: Iterable[Seen]) -> Observed:
        """Note files of a source; files that are known already change nothing.

        Returns
        -------
        Observed
            How many were new, changed, unchanged.
        """
        total, places = Observed(), self.places
        for some in ledger.batches(seen, CHUNK):
            with self.writing() as connection:
                part = ledger.observe(connection, source, some, places)
            total = Observed(total.new + part.new, total.changed + part.changed, total.unchanged + part.unchanged)
        return total

    def known(self, source: str) -> dict[str, tuple[int, int | None]]:
        """Return (size, mtime_ns) of the known files of a source by path: what did not change need not be read again."""
        columns = sa.select(t.instance.c.path, t.instance.c.size, t.instance.c.mtime_ns).join(t.source)
        with self.reading() as connection:
            return {row.path: (row.size, row.mtime_ns) for row in connection.execute(columns.where(t.source.c.name == source))}

    def skip(self, source: str, path: str, reason: str, message: str) -> None:
        """Note a file that gave no instance, once; of `path` the name is kept, and a short keyed hash of the folder."""
        places = self.places
        with self.writing() as connection:
            ledger.skip(connection, source, path, reason, message, places)

    def cursor(self, source: str) -> str | None:
        """Return where the last look at a source ended."""
        return self._read(lambda connection: lookup.cursor(connection, source))

    def keep_cursor(self, source: str, cursor: str) -> None:
        """Note where a look at a source ended."""
        if self.cursor(source) == cursor:
            return
        with self.writing() as connection:
            known = ledger.source_id(connection, source)
            connection.execute(sa.update(t.source).where(t.source.c.id == known).values(watermark=cursor))

    def settle(self, quiet_s: float, *, parameters: str = "", checks: str = "", priority: int = 0, source: str | None = None) -> int:
        """Make work for studies with nothing new for `quiet_s` seconds whose files changed since they were last checked.

        Parameters
        ----------
        parameters, checks
            Hashes of the parameters and of the checks that will run; part of the identity of the work.
        source
            Only studies of which this source has something.

        Returns
        -------
        int
            Number of studies that got new work.
        """
        with self.writing() as connection:
            return ledger.settle(connection, quiet_s, parameters, checks, priority, source)

    # -- work ---------------------------------------------------------------------------------------------------

    def claim(self, owner: str, limit: int, lease_s: float, study_uid: str | None = None) -> list[Work]:
        """Lease up to `limit` studies (or `study_uid` alone): ready ones, and those whose lease ran out. Urgent first, then the newest.

        Work that was leased three times and never came back is set aside with an error finding.
        """
        with self.writing() as connection:
            for row in ledger.worn_out(connection):
                self._quarantine(connection, row.id, row.owner, "died", "whoever worked on it died or hung")
            return ledger.claim(connection, owner, limit, lease_s, study_uid)

    def claimable(self) -> int:
        """Return how many studies could be claimed now."""
        return self._read(ledger.claimable)

    def leases(self) -> list[tuple[int, str]]:
        """Return the work that is leased, and to whom: (work id, owner)."""
        return self._read(ledger.leases)

    def renew(self, work_id: int, owner: str, lease_s: float) -> bool:
        """Make a lease longer from now; False where it is no longer the owner's (then stop working on it)."""
        with self.writing() as connection:
            return ledger.renew(connection, work_id, owner, lease_s)

    def complete(self, work_id: int, owner: str, report: Report, hash_key: bytes) -> bool:
        """Write the results and end the work, in one transaction; False, and nothing written, where it is no longer the owner's.

        What only the database can find (against the source's count, earlier studies of the patient, other series of the scanner) is
        added to the findings of the report.
        """
        places = self.places
        prepared = results.prepare(report, hash_key, places)  # pictures are encoded before the database is held up
        with self.writing() as connection:
            at = now(connection)
            row = ledger.finish(connection, work_id, owner, at)
            if row is None:
                return False
            found = results.only_here(connection, row, prepared, self.zone)
            prepared.add(found, Cleaner())
            results.write(connection, row, prepared, at, self.zone, places)
        report.findings += found
        return True

    def announce(self, source: str, study_uid: str, told: Announced) -> bool:
        """Note how much a source says a study is; a study that is here already is checked again where that is news.

        Returns
        -------
        bool
            Whether it was news.
        """
        with self.writing() as connection:
            return announced.note(connection, source, study_uid, told)

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
            counted = sa.select(t.work.c.attempts - t.work.c.excused).where(t.work.c.id == work_id)
            attempts = connection.execute(counted).scalar()
            if attempts is None or attempts < ledger.MAX_ATTEMPTS:
                ledger.put_back(connection, work_id, owner, kind, text, delay_s)
            else:
                self._quarantine(connection, work_id, owner, kind, text)

    def free(self, work_id: int, owner: str, kind: str, message: str) -> bool:
        """Return work whose owner ended for a reason that is not the study's (the machine, a stop): the attempt does not count.

        Returns
        -------
        bool
            Whether it was still that owner's.
        """
        text = Cleaner().text(message)
        with self.writing() as connection:
            return ledger.put_back(connection, work_id, owner, kind, text, 0.0, excused=True) is not None

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

    def stale_days(self) -> list[date]:
        """Return the days whose report is missing or no longer tells all, also where files were only set aside since."""
        return self._read(lambda connection: days.stale(connection, self.zone))

    def acquisitions(self, site: str = "", since: date | None = None) -> list[protocol.Row]:
        """Return how series were acquired, oldest first: what protocols are learned from. `site` is put into their keys."""
        return self._read(lambda connection: acquisitions.rows(connection, site, since))

    def arrivals(self, since: date | None = None) -> list[Arrival]:
        """Return when series were acquired by their scanner's clock, and when they came by ours."""
        return self._read(lambda connection: acquisitions.arrivals(connection, self.zone, since))

    def written_days(self) -> list[date]:
        """Return the days that have a report, oldest first."""
        return self._read(days.written)

    def evidence(self, ids: Iterable[int]) -> dict[int, Evidence]:
        """Return pictures and curves by id, as `qc.results` has them."""
        return self._read(lambda connection: lookup.evidence(connection, ids))

    def report_written(self, day: date, name: str, at: datetime, then: Callable[[Connection], object] | None = None) -> None:
        """Note that the report of a day was written; what arrives for that day from now on is late.

        `then` is done in the same transaction: what it writes is there if the note is.
        """
        with self.writing() as connection:
            days.note_written(connection, day, name, at)
            if then is not None:
                then(connection)

    # -- devices and the audit log ------------------------------------------------------------------------------

    def devices(self) -> list[Device]:
        """Return the known devices, those merged into others too."""
        return self._read(lookup.devices)

    def device_key(self, tags: Mapping[str, Any]) -> tuple[int | None, tuple[str, ...]]:
        """Return which device made an image, and the criteria sets chosen for it: by serial number, then station name.

        Parameters
        ----------
        tags
            Header values by keyword (`qc.study.Instance.tags`).

        Returns
        -------
        tuple
            Device id, None where it was never seen before; names of criteria sets, empty for those of the site.
        """
        made_by = equipment(tags.get, Cleaner([tags]))
        day = parse_date(tags.get("StudyDate"))
        row = self._read(lambda connection: Devices(connection).known(made_by, day))
        return (None, ()) if row is None else (int(row.id), tuple(row.criteria))

    def rename_device(self, device_id: int, alias: str, who: str, why: str) -> None:
        """Give a device another name; it counts as confirmed then."""
        with self.writing() as connection:
            people.rename(connection, device_id, alias, who, why)

    def merge_devices(self, device_id: int, into: int | None, who: str, why: str) -> None:
        """Say that a device is really another one, for all its series, past and future; `into` None takes it back."""
        with self.writing() as connection:
            people.merge(connection, device_id, into, who, why)

    def set_device_criteria(self, device_id: int, names: Sequence[str], who: str, why: str) -> None:
        """Choose the criteria sets that a device is judged by from now on; none: those of the site."""
        with self.writing() as connection:
            people.set_criteria(connection, device_id, names, who, why)

    def review_device(self, device_id: int, who: str) -> None:
        """Confirm a new device."""
        with self.writing() as connection:
            people.review(connection, device_id, who)

    def device_for(self, tags: Mapping[str, Any]) -> int:
        """Return the device that made an image, made where it was never seen before."""
        made_by = equipment(tags.get, Cleaner([tags]))
        with self.writing() as connection:
            devices, day = Devices(connection), parse_date(tags.get("StudyDate"))
            number = devices.find(made_by, day)
            known = devices.known(made_by, day)
        return number if known is None else int(known.id)

    def log(self, who: str, what: str, before: Any = None, after: Any = None, why: str = "", subject: str = "") -> None:
        """Add a row to the audit log."""
        with self.writing() as connection:
            audit.log(connection, who, what, subject, before, after, why)

    def audit(self, limit: int = 100) -> list[Entry]:
        """Return the newest rows of the audit log, newest first."""
        return self._read(lambda connection: audit.entries(connection, limit))

    def audit_broken_at(self) -> int | None:
        """Return the id of the first row of the audit log that was changed behind its back; None where all are whole."""
        return self._read(audit.first_broken)

    def audit_digest(self, number: int | None = None) -> str:
        """Return the digest of a row of the audit log (None: of the newest), empty where there is none.

        Who notes it elsewhere can tell later that nothing up to it was cut off or written anew.
        """
        return self._read(lambda connection: audit.digest_of(connection, number))

    def paths(self, study_uid: str) -> list[tuple[str, str]]:
        """Return where the files of a study are: source, and where that finds them."""
        return self._read(lambda connection: lookup.paths(connection, study_uid))

    def first_paths(self, study_uid: str) -> list[str]:
        """Return where the source finds one file of each series of a study."""
        return self._read(lambda connection: lookup.first_paths(connection, study_uid))

    def _read(self, function: Callable[[Connection], T]) -> T:
        with self.reading() as connection:
            return function(connection)
