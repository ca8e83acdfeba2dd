"""Where instances that came over the network are kept: each exactly once, whole or not at all, with the bytes as they came.

A file appears under its name only after all of it is on the disk. What is being written has a name that ends in ``.part``;
a file of that kind that a killed process left is swept away by the next `Spool`.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
import shutil
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from io import BytesIO, FileIO
from pathlib import Path
from typing import Literal

from pydicom.dataset import FileMetaDataset
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID

from flows.network import IMPLEMENTATION_NAME, IMPLEMENTATION_UID
from flows.owner import is_dead, new_owner

INCOMING = ".incoming"
PIECE = 1 << 20
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


Flush = Literal["each", "names_later", "never"]


class DiskFull(Exception):
    """There is less room than the limit, or writing found none."""


@dataclass(frozen=True)
class Kept:
    """What became of an instance.

    Attributes
    ----------
    outcome
        ``new``; ``same``: it is there already, byte for byte; ``other``: one with this UID and other bytes was there, this
        one is kept beside it.
    """

    path: Path
    outcome: Literal["new", "same", "other"]
    digest: str
    size: int


class Spool:
    """A folder of received instances.

    Parameters
    ----------
    root
        Folder; it is made.
    least_free
        Bytes that stay free on its disk.
    flush
        ``each``: a file and its name are on the disk when `keep` returns. ``names_later``: the file is, its name when
        `flush_names` was called; for whoever asks again for what is not there. ``never``: as the system likes.
    throttle
        Told how many bytes came; waits where they came too fast.
    """

    def __init__(self, root: Path, least_free: int = 0, *, flush: Flush = "each", throttle: Callable[[int], None] | None = None) -> None:
        self.root = root
        self.least_free = least_free
        self.flush = flush
        self.throttle = throttle
        self._unflushed: set[Path] = set()
        self._incoming = root / INCOMING
        self._incoming.mkdir(parents=True, exist_ok=True)
        self._owner = new_owner().encode().hex()
        self._known: set[Path] = set()
        self._lock = threading.Lock()
        self.sweep()

    def sweep(self) -> int:
        """Take away what processes that are gone had begun to write."""
        swept = 0
        for path in self._incoming.glob("*.part"):
            with contextlib.suppress(ValueError, OSError):
                if is_dead(bytes.fromhex(path.name.split(".")[0]).decode()):
                    path.unlink()
                    swept += 1
        return swept

    def room(self) -> bool:
        """Tell whether the disk has more room than the limit."""
        return shutil.disk_usage(self.root).free > self.least_free

    def path_of(self, sop_uid: str) -> Path:
        """Return where an instance is kept if it is the first with its UID."""
        safe = re.sub(r"[^0-9A-Za-z._-]", "_", sop_uid)[:64].lstrip(".")
        digest = hashlib.sha256(sop_uid.encode("utf-8", "surrogateescape")).hexdigest()
        name = safe if safe == sop_uid and safe else f"{safe}-{digest[:16]}"
        return self.root / digest[:1] / f"{name}.dcm"  # few folders: each costs a flush

    def holds(self, sop_uid: str) -> bool:
        """Tell whether there is an instance with this UID."""
        return self.path_of(sop_uid).exists()

    def every(self, sop_uids: Iterable[str]) -> dict[str, list[Path]]:
        """Return for each UID its files that are here: the first, then those with other bytes. Each folder is read once."""
        firsts = {uid: self.path_of(uid) for uid in sop_uids}
        names = {folder: _names(folder) for folder in {path.parent for path in firsts.values()}}
        found: dict[str, list[Path]] = {}
        for uid, path in firsts.items():
            here, beside = names[path.parent]
            found[uid] = [path] if path.name in here else []
            found[uid] += [path.parent / name for name in beside.get(path.stem, ())]
        return found

    def keep(self, sop_uid: str, pieces: Iterable[bytes | memoryview]) -> Kept:
        """Write an instance: to a file aside, to the disk, then under its name.

        Raises
        ------
        DiskFull
            If there is no room. Nothing is left of it.
        OSError
            If it could not be written for another reason. Nothing is left of it.
        """
        if not self.room():
            raise DiskFull(f"less than {self.least_free} bytes would be free")
        part = self._incoming / f"{self._owner}.{secrets.token_hex(8)}.part"
        digest, size = hashlib.sha256(), 0
        try:
            with part.open("xb", buffering=0) as file:
                for piece in pieces:
                    digest.update(piece)
                    size += _write(file, piece)
                if self.flush != "never":
                    os.fsync(file.fileno())
            if self.throttle is not None:
                self.throttle(size)
            return self._place(part, sop_uid, digest.hexdigest(), size)
        except OSError as error:
            if error.errno in NO_ROOM:
                raise DiskFull(str(error)) from error
            raise
        finally:
            part.unlink(missing_ok=True)

    def _place(self, part: Path, sop_uid: str, digest: str, size: int) -> Kept:
        """Give a finished file its name. A file that has the name already is never written over."""
        path = self.path_of(sop_uid)
        self._make(path.parent)
        if self._name(part, path):
            return Kept(path, "new", digest, size)
        if _digest(path) == digest:
            return Kept(path, "same", digest, size)
        beside = path.with_name(f"{path.stem}+{digest[:16]}.dcm")
        return Kept(beside, "other" if self._name(part, beside) else "same", digest, size)

    def flush_names(self) -> None:
        """Have on the disk the names of what was kept since it was called last."""
        with self._lock:
            folders, self._unflushed = self._unflushed, set()
        for folder in sorted(folders):
            _flush_folder(folder)

    def _make(self, folder: Path) -> None:
        if folder not in self._known:
            folder.mkdir(exist_ok=True)
            self._named(self.root)
            self._known.add(folder)

    def _named(self, folder: Path) -> None:
        """A name was written into a folder."""
        if self.flush == "each":
            _flush_folder(folder)
        elif self.flush == "names_later":
            with self._lock:
                self._unflushed.add(folder)

    def _name(self, part: Path, path: Path) -> bool:
        """Name the file; False where the name is taken."""
        try:
            os.link(part, path)  # unlike a rename it fails where the name is taken, whoever took it
        except FileExistsError:
            return False
        except OSError:
            # A file system without hard links: within this process the lock does it.
            with self._lock:
                if path.exists():
                    return False
                part.rename(path)
        self._named(path.parent)
        return True


def _write(file: FileIO, piece: bytes | memoryview) -> int:
    """Write all of a piece: a bare file may take less at a time."""
    done = file.write(piece) or 0
    while done < len(piece):
        done += file.write(memoryview(piece)[done:]) or 0
    return done


def file_head(sop_class: str, sop_uid: str, transfer_syntax: str) -> bytes:
    """Return preamble and file meta information. The same for the same instance, whoever sent it and whenever."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(sop_class)
    meta.MediaStorageSOPInstanceUID = UID(sop_uid)
    meta.TransferSyntaxUID = UID(transfer_syntax)
    meta.ImplementationClassUID = IMPLEMENTATION_UID
    meta.ImplementationVersionName = IMPLEMENTATION_NAME
    head = BytesIO()
    head.write(b"\0" * 128 + b"DICM")
    write_file_meta_info(head, meta, enforce_standard=True)
    return head.getvalue()


def _names(folder: Path) -> tuple[set[str], dict[str, list[str]]]:
    """Return the names in a folder, and by UID those that are kept beside the first of their UID."""
    try:
        here = set(os.listdir(folder))
    except FileNotFoundError:
        return set(), {}
    beside: dict[str, list[str]] = {}
    for name in sorted(name for name in here if "+" in name):
        beside.setdefault(name.partition("+")[0], []).append(name)
    return here, beside


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()


def _flush_folder(folder: Path) -> None:
    """Have the names in a folder on the disk, where the system can do that."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
