"""A folder as a source: whatever is put into it is checked. It is only read.

Files that are being written wait: a file counts when it is older than `quiet_s` by the clock of its file system, or has
size and time of change of the observation before. Files that senders name as unfinished (``.part``, ``.tmp``) wait longer.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from flows.sources import Observation, Skip
from flows.sources.wanted import Wanted, why_not
from qc import dicom
from qc.errors import Transient
from reports.store import Seen

UNFINISHED = (".part", ".partial", ".filepart", ".tmp", ".temp", ".crdownload")
ABANDONED_S = 3600.0
MOST_AT_ONCE = 10_000
MARK = 8  # bytes that stand for a file that was handed over


@dataclass(frozen=True)
class Entry:
    """A file as the folder shows it. `path` is relative, with slashes."""

    path: str
    size: int
    mtime_ns: int
    arrived_at: float

    @property
    def mark(self) -> bytes:
        """Short hash of the file in this state."""
        text = f"{self.path}\0{self.size}\0{self.mtime_ns}".encode("utf-8", "surrogateescape")
        return hashlib.blake2b(text, digest_size=MARK).digest()


@dataclass
class Cursor:
    """What was seen before: marks of files that were handed over, and the state of those that wait."""

    done: set[bytes]
    waiting: dict[str, tuple[int, int]]

    @classmethod
    def read(cls, text: str | None) -> Cursor:
        """Read a cursor; one that cannot be read is an empty one."""
        try:
            data = json.loads(text or "{}")
            packed = base64.b64decode(data.get("done", ""))
            waiting = {str(path): (int(size), int(mtime)) for path, (size, mtime) in data.get("waiting", {}).items()}
        except (ValueError, TypeError, AttributeError):
            return cls(set(), {})
        return cls({packed[at : at + MARK] for at in range(0, len(packed), MARK)}, waiting)

    def text(self) -> str:
        """Write it: always the same text for the same state."""
        return json.dumps({"done": base64.b64encode(b"".join(sorted(self.done))).decode(), "waiting": dict(sorted(self.waiting.items()))})


class FolderSource:
    """A folder and everything below it.

    Parameters
    ----------
    unpacked
        Where the members of archives are kept.
    not_below
        Folders that are not looked into (the data folder, where it lies inside the inbox).
    wanted
        What is taken; None: everything.
    """

    counts = False

    def __init__(
        self,
        root: Path,
        quiet_s: float,
        unpacked: Path,
        *,
        name: str = "inbox",
        not_below: Sequence[Path] = (),
        clock: Callable[[], float] = time.time,
        limits: dicom.Limits | None = None,
        wanted: Wanted | None = None,
    ) -> None:
        self.root = root
        self.quiet_s = quiet_s
        self.name = name
        self.unpacked = unpacked
        self.not_below = {folder.resolve() for folder in not_below}
        self.clock = clock
        self.limits = limits or dicom.Limits()
        self.wanted = wanted

    def observe(self, cursor: str | None) -> tuple[Observation, str]:
        """Look once. At most `MOST_AT_ONCE` files are read; `Observation.more` says that there are more."""
        before = Cursor.read(cursor)
        after = Cursor(set(), {})
        found = Observation()
        now = self.clock()
        fresh: list[Entry] = []
        for entry in self._entries():
            young = now - entry.arrived_at < self.quiet_s
            if entry.mark in before.done:
                after.done.add(entry.mark)
                found.young += young
            elif self._waits(entry, now, before):
                after.waiting[entry.path] = (entry.size, entry.mtime_ns)
                found.waiting += 1
            else:
                found.young += young
                fresh.append(entry)
        found.more = len(fresh) > MOST_AT_ONCE
        for entry in fresh[:MOST_AT_ONCE]:
            self._read(entry, found)
            after.done.add(entry.mark)
        for entry in fresh[MOST_AT_ONCE:]:
            after.waiting[entry.path] = (entry.size, entry.mtime_ns)
        return found, after.text()

    def expected(self, study_uid: str) -> int | None:
        """A folder does not count."""
        return None

    def fetch(self, paths: Sequence[Path], study_uid: str = "") -> list[Path]:
        """Return where the files are; nothing is copied."""
        if not self.root.is_dir():
            raise Transient("the inbox folder cannot be reached")
        return [self._locate(path) for path in paths]

    def _locate(self, path: Path) -> Path:
        kind, _, rest = path.as_posix().partition("/")
        return self.unpacked / rest if kind == "zip:" else self.root / path

    def _waits(self, entry: Entry, now: float, before: Cursor) -> bool:
        age = now - entry.arrived_at
        if entry.path.lower().endswith(UNFINISHED):
            return age < max(ABANDONED_S, self.quiet_s)
        return age < self.quiet_s and before.waiting.get(entry.path) != (entry.size, entry.mtime_ns)

    def _entries(self) -> Iterator[Entry]:
        """Every file below the root, sorted. Folders that are links are not followed."""
        if not self.root.is_dir():
            raise Transient(f"the inbox folder {str(self.root)!r} cannot be reached")
        for folder, folders, names in os.walk(self.root):
            folders[:] = sorted(name for name in folders if Path(folder, name).resolve() not in self.not_below)
            for name in sorted(names):
                path = Path(folder, name)
                try:
                    stat = path.lstat() if path.is_symlink() and not path.exists() else path.stat()
                except OSError:
                    continue  # gone since the folder was listed
                arrived = max(stat.st_mtime, stat.st_ctime)
                yield Entry(path.relative_to(self.root).as_posix(), stat.st_size, stat.st_mtime_ns, arrived)

    def _read(self, entry: Entry, found: Observation) -> None:
        """Read the header of one file, or of each member of an archive."""
        path = self.root / entry.path
        if not os.path.lexists(path):
            return  # renamed or taken away since
        if entry.path.lower().endswith(UNFINISHED):
            found.skipped.append(Skip(entry.path, "unfinished", "the sender never finished this file"))
            return
        with dicom.Intake(self.limits) as intake:
            for source in intake.sources([path]) if path.exists() else [dicom.Source(path, path.name)]:
                instance = intake.read(source)
                if instance is None:
                    continue
                place, size = entry.path, entry.size
                if source.path != path:
                    place, size = self._keep(entry, source.path)
                study, series, sop = (
                    str(instance.get(keyword, "")) for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
                )
                why = why_not(self.wanted, instance.get) if self.wanted is not None else None
                if why is None:
                    found.seen.append(Seen(place, size, entry.mtime_ns, study, series, sop))
                else:
                    found.skipped.append(Skip(place, "not_wanted", why[1]))
            folder = entry.path.rpartition("/")[0]
            for one in intake.rejected:
                found.skipped.append(Skip(f"{folder}/{one.shown}" if folder else one.shown, one.reason, one.message))

    def _keep(self, archive: Entry, member: Path) -> tuple[str, int]:
        """Keep an unpacked member, under a name of our own; return its path and size."""
        name = f"{archive.mark.hex()}/{member.name}"
        kept = self.unpacked / name
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(member, kept)
        return f"zip:/{name}", kept.stat().st_size
