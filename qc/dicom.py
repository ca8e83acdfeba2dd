"""The only module that opens files: finds them, reads them within limits, and says why one could not be read.

Input is read-only and hostile. Sizes are checked before memory is taken; archives are unpacked under names of our own;
links to folders are not followed, devices and pipes not opened. A file is either an `Instance` or a `Rejected` with a reason, never lost.
"""

from __future__ import annotations

import logging
import os
import shutil
import stat
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from pydicom.uid import UID

from qc import encapsulated, enhanced, header, radiopharmaceutical
from qc.study import Instance, PixelLayout
from qc.values import Problem

logging.getLogger("pydicom").setLevel(logging.CRITICAL)  # it quotes header values, and a log must not hold a patient

HEAD = 128 * 1024
MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"
IGNORED = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})


@dataclass(frozen=True)
class Limits:
    """How much of a hostile input is looked at.

    Attributes
    ----------
    max_header_mb
        Headers longer than this are refused.
    max_frame_mb
        Decoded size of one frame.
    max_archive_mb
        Unpacked size of one archive.
    max_archive_members
        Files in one archive.
    """

    max_header_mb: int = 256
    max_frame_mb: int = 1024
    max_archive_mb: int = 16_384
    max_archive_members: int = 200_000
    max_archive_ratio: int = 500


@dataclass(frozen=True)
class Source:
    """A file to read: where it is, and how it is called in messages."""

    path: Path
    shown: str


@dataclass
class Rejected:
    """A file that gave no instance, and why.

    Attributes
    ----------
    reason
        Reason code: ``not_dicom``, ``empty``, ``truncated``, ``unreadable``, ``not_a_regular_file``, ``dicomdir``,
        ``too_large``, ``duplicate_file``, ``archive_damaged``, ``system_file``, ``incomplete_header``.
    message
        One sentence.
    """

    shown: str
    reason: str
    message: str
    path: Path | None = None
    facts: dict[str, Any] = field(default_factory=dict)


class Intake:
    """Finds and reads the files below what the user named. Use as a context manager: archives are unpacked to a temporary folder.

    Attributes
    ----------
    rejected
        Files that gave no instance. Grows while `instances` runs.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.rejected: list[Rejected] = []
        self.given = 0
        self._reader = header.HeaderReader()
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._seen: set[Path] = set()
        self._unpacked: dict[Path, dict[str, Path]] = {}

    def __enter__(self) -> Intake:
        self._quiet = warnings.catch_warnings()
        self._quiet.__enter__()
        warnings.filterwarnings("ignore", module="pydicom")  # what is wrong with a file becomes a problem of its instance
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._quiet.__exit__(kind, error, trace)
        if self._scratch:
            self._scratch.cleanup()

    def reject(self, source: Source, reason: str, message: str, **facts: Any) -> None:
        """Set a file aside."""
        self.rejected.append(Rejected(source.shown, reason, message, source.path, facts))

    # -- finding ------------------------------------------------------------------------------------------------

    def sources(self, paths: Iterable[Path | Source]) -> Iterator[Source]:
        """Yield every file below the paths once, in sorted order; archives are opened, a DICOMDIR stands for its files.

        A `Source` in place of a path is one file with the name by which it is to be called.
        """
        for top in paths:
            if isinstance(top, Source):
                yield from self._expand(top)
                continue
            if not top.exists() and not top.is_symlink():
                raise FileNotFoundError(f"{top}: no such file or folder")
            if top.is_dir():
                for source in _walk(top):
                    yield from self._expand(source)
            elif top.name.upper() == "DICOMDIR":
                yield from self._expand(Source(top, top.name))
                for path in self._referenced(top)[0]:
                    yield from self._expand(Source(path, path.relative_to(top.parent).as_posix()))
            else:
                yield from self._expand(Source(top, top.name))

    def _expand(self, source: Source) -> Iterator[Source]:
        """Yield the source itself, or the members of an archive."""
        try:
            real = source.path.resolve()
        except (OSError, RuntimeError):  # a link that leads to itself; reading says so
            real = source.path.absolute()
        if real in self._seen:
            return
        self._seen.add(real)
        if _is_zip(source.path):
            yield from self._unpack(source)
        else:
            self.given += 1
            yield source

    def _unpack(self, source: Source) -> Iterator[Source]:
        """Unpack an archive under running numbers, within limits."""
        self._scratch = self._scratch or tempfile.TemporaryDirectory(prefix="pacsqc-")
        folder = Path(tempfile.mkdtemp(dir=self._scratch.name))
        try:
            with zipfile.ZipFile(source.path) as archive:
                members = [member for member in archive.infolist() if not member.is_dir()]
                trouble = self._archive_trouble(members, source.path.stat().st_size)
                if trouble or not members:
                    self.given += 1
                    self.reject(source, "too_large" if trouble else "empty", trouble or "the archive holds no files")
                    return
                self._unpacked[folder] = {member.filename.lstrip("/"): folder / f"{at:06d}" for at, member in enumerate(members)}
                for number, member in enumerate(members):
                    target = folder / f"{number:06d}"
                    inner = Source(target, f"{source.shown}/{member.filename.lstrip('/')}")
                    self.given += 1
                    try:
                        with archive.open(member) as stream, target.open("wb") as out:
                            shutil.copyfileobj(stream, out)
                    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, OSError, ValueError) as error:
                        self.reject(inner, "archive_damaged", f"cannot be unpacked: {error}")
                        continue
                    yield inner
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            self.given += 1
            self.reject(source, "archive_damaged", f"the archive cannot be read: {error}")

    def _archive_trouble(self, members: list[zipfile.ZipInfo], packed: int) -> str:
        total = sum(member.file_size for member in members)
        limits = self.limits
        if len(members) > limits.max_archive_members:
            return f"the archive holds {len(members)} files; at most {limits.max_archive_members} are unpacked (max_archive_members)"
        if total > limits.max_archive_mb << 20:
            return f"the archive unpacks to {total >> 20} MB; at most {limits.max_archive_mb} MB are unpacked (max_archive_mb)"
        if total > (100 << 20) and total > packed * limits.max_archive_ratio:
            return f"the archive unpacks to {total // max(packed, 1)} times its size; at most {limits.max_archive_ratio} is believed"
        return ""

    def _referenced(self, dicomdir: Path) -> tuple[list[Path], list[str]]:
        """Return the files that a DICOMDIR names and that are there, and the names of those that are not."""
        root = dicomdir.parent.resolve()
        try:
            parsed = header.parse(dicomdir.read_bytes(), whole=True)
            records = header.sequence(parsed, 0x00041220)
        except (header.NotDicom, OSError):
            return [], []
        present = {name.casefold(): path for name, path in self._beside(dicomdir).items()}
        there, missing = [], []
        for record in records:
            try:
                name = record.get("ReferencedFileID")
            except header.PARSE_ERRORS:
                continue
            if not name:
                continue
            parts = [name] if isinstance(name, str) else [str(part) for part in name]
            shown = "/".join(parts)
            path = present.get(shown.casefold())
            if path is not None and path.resolve().is_relative_to(root):
                there.append(path)
            else:
                missing.append(shown)
        return there, missing

    def _beside(self, file: Path) -> dict[str, Path]:
        """Files below the folder of a file by their name there; in an unpacked archive by their name in it."""
        members = self._unpacked.get(file.parent)
        if members is None:
            return {source.shown: source.path for source in _walk(file.parent)}
        own = next(name for name, path in members.items() if path == file)
        base = own.rpartition("/")[0] + "/" if "/" in own else ""
        return {name.removeprefix(base): path for name, path in members.items() if name.startswith(base)}

    # -- reading ------------------------------------------------------------------------------------------------

    def instances(self, paths: Iterable[Path | Source]) -> Iterator[Instance]:
        """Read every file; yield the instances, collect the others in `rejected`."""
        for source in self.sources(paths):
            instance = self.read(source)
            if instance is not None:
                yield instance

    def read(self, source: Source) -> Instance | None:
        """Read the header of one file; None where the file was rejected."""
        try:
            mode = source.path.stat().st_mode
            if not stat.S_ISREG(mode):
                self.reject(source, "not_a_regular_file", "a link, device or pipe is not opened")
                return None
            with source.path.open("rb") as file:
                return self._read_open(source, file, os.fstat(file.fileno()).st_size)
        except OSError as error:
            self.reject(source, "unreadable", f"the file cannot be opened: {error.strerror or error}")
            return None

    def _read_open(self, source: Source, file: BinaryIO, size: int) -> Instance | None:
        if size == 0:
            self.reject(source, "empty", "the file has no bytes")
            return None
        if source.path.name in IGNORED:
            self.reject(source, "system_file", "written by the operating system, not an image")
            return None
        try:
            parsed = self._parse(file, size)
        except header.NotDicom as error:
            reason = str(error)
            self.reject(source, reason, "the file is not DICOM" if reason == "not_dicom" else "the header is larger than is read")
            return None
        if header.uid_text(parsed.meta.get(0x00020002)) == MEDIA_DIRECTORY:
            _, missing = self._referenced(source.path)
            self.reject(source, "dicomdir", "the directory of a medium, not an image", missing=missing)
            return None
        if not parsed.pixel and (not parsed.complete or not parsed.elements) and 0x0020000E not in parsed.elements:
            self.reject(source, "truncated", "the file ends before its header is complete", size=size)
            return None
        return self._instance(source, file, size, parsed)

    def _parse(self, file: BinaryIO, size: int) -> header.Parsed:
        """Parse the head of the file, and all of it only where that does not reach the pixel data."""
        data = file.read(HEAD)
        parsed = None
        if size > len(data):
            parsed = header.parse(data, whole=False)
            if parsed.pixel:
                return parsed
            limit = self.limits.max_header_mb << 20
            if parsed.transfer_syntax == header.DEFLATED and size > limit:
                raise header.NotDicom("too_large")
            data += file.read(min(size, limit) - len(data))
        parsed = header.parse(data, whole=True)
        if not parsed.pixel and size > len(data):
            raise header.NotDicom("too_large")
        return parsed

    def _instance(self, source: Source, file: BinaryIO, size: int, parsed: header.Parsed) -> Instance:
        tags, problems = self._reader.tags(parsed)
        tags.update(radiopharmaceutical.injected(parsed))
        instance = Instance(source.path, source.shown, parsed.transfer_syntax, tags, parsed.problems + problems)
        presence, forms = self._reader.presence(parsed)
        instance.problems += forms
        if parsed.complete:
            instance.presence = presence
        else:
            instance.problems.append(Problem("file.truncated", facts=(("where", "header"),)))
        for keyword, tag in (("SOPInstanceUID", 0x00020003), ("SOPClassUID", 0x00020002)):
            told = header.uid_text(parsed.meta.get(tag))
            if told and tags.get(keyword) and told != tags[keyword]:
                instance.problems.append(Problem("file.meta_mismatch", keyword, told))
        if parsed.pixel:
            instance.layout = _layout(parsed, size)
        if instance.layout:
            _check_length(instance, instance.layout, file, size)
        elif parsed.complete and (("Rows" in tags and "Columns" in tags) or _is_image_class(str(tags.get("SOPClassUID", "")))):
            instance.problems.append(Problem("pixels.absent"))
        instance.frames = enhanced.frames(instance, parsed)
        instance.problems += [problem for problem in parsed.problems if problem not in instance.problems]
        return instance


def _walk(top: Path) -> Iterator[Source]:
    """Every file below a folder, sorted, links to folders not followed."""
    for folder, folders, names in os.walk(top):
        folders.sort()
        for name in sorted(names):
            path = Path(folder) / name
            yield Source(path, path.relative_to(top).as_posix())


def _is_zip(path: Path) -> bool:
    """Tell an archive by its first bytes; DICOM files by the usual names are not opened for it."""
    if path.suffix.lower() in (".dcm", ".ima"):
        return False
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")
    except OSError:
        return False


@cache
def _is_image_class(uid: str) -> bool:
    """Tell whether a storage class holds pixels."""
    return UID(uid).name.endswith("Image Storage")


def _layout(parsed: header.Parsed, size: int) -> PixelLayout:
    assert parsed.pixel is not None
    keyword, vr, length, offset = parsed.pixel
    end, deflated_at = (size, None) if parsed.inflated is None else (parsed.inflated, parsed.deflated_at)
    return PixelLayout(keyword, offset, length, max(0, end - offset), parsed.little_endian, deflated_at, 0, vr or "OW")


def expected_length(instance: Instance) -> int | None:
    """Bytes that native pixel data must have, before even padding (PS3.5 section 8); None where the header does not say.

    >>> # 512 x 512, 16 bit, one frame: 524288
    """
    get = instance.tags.get
    numbers = [get("Rows"), get("Columns"), get("BitsAllocated"), get("NumberOfFrames", 1), get("SamplesPerPixel", 1)]
    sizes = [number for number in numbers if isinstance(number, int) and number > 0]
    if len(sizes) < len(numbers):
        return None
    rows, columns, bits, frames, samples = sizes
    pixels = rows * columns * samples * frames
    if get("PhotometricInterpretation") == "YBR_FULL_422":
        pixels = pixels * 2 // 3
    return (pixels * bits + 7) // 8


def _check_length(instance: Instance, layout: PixelLayout, file: BinaryIO, size: int) -> None:
    """Compare announced, expected and present bytes of the pixel data."""
    facts: tuple[tuple[str, Any], ...]
    if layout.length is None or header.is_encapsulated(instance.transfer_syntax):
        if layout.deflated_at is not None or layout.length is not None:
            instance.problems.append(Problem("file.not_encapsulated"))
            return
        found = encapsulated.walk(file, layout.offset, size)
        layout.fragments = found.count
        layout.available = found.end - layout.offset
        frames = instance.get("NumberOfFrames", 1)
        facts = (("fragments", found.count), ("frames", frames))
        if found.truncated:
            instance.problems.append(Problem("file.truncated", facts=(("where", "pixel data"), *facts)))
        elif not found.delimited:
            instance.problems.append(Problem("file.no_delimiter", facts=(("repairable", found.zeros and found.count > 0), *facts)))
        elif isinstance(frames, int) and found.count < frames:
            instance.problems.append(Problem("file.frame_count", facts=facts))
        return
    expected = expected_length(instance)
    facts = (("announced", layout.length), ("present", layout.available), ("expected", expected))
    if expected is None:
        instance.problems.append(Problem("header.pixel_module", facts=facts))
    elif layout.length > layout.available:
        instance.problems.append(Problem("file.truncated", facts=(("where", "pixel data"), *facts)))
    elif layout.length < expected or layout.length > expected + (expected & 1):
        stray = layout.available - layout.length
        instance.problems.append(Problem("file.pixel_length", facts=(*facts, ("stray", stray))))


def same_bytes(one: Path, other: Path) -> bool:
    """Tell whether two files are identical."""
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as first, other.open("rb") as second:
        while chunk := first.read(1 << 20):
            if chunk != second.read(1 << 20):
                return False
    return True


def read_pixel_bytes(instance: Instance, start: int, count: int) -> bytes:
    """Read `count` bytes of the pixel data from `start`; fewer where the file ends."""
    layout = instance.layout
    assert layout is not None
    with instance.path.open("rb") as file:
        if layout.deflated_at is not None:
            file.seek(layout.deflated_at)
            return header.inflate(file.read())[layout.offset + start : layout.offset + start + count]
        file.seek(layout.offset + start)
        return file.read(count)
