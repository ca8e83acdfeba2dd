"""What is written is clean: plain JSON values, no identifier of a patient, no path.

Checks are not supposed to quote identifiers, and headers not to hide them in descriptions; both happen. So every text is
searched for the identifiers that stand in the headers of the very study it comes from. People also call folders after
patients: of a path the name of the file is shown, and a short keyed hash of its folder.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from enum import Enum
from pathlib import PurePath
from typing import Any

REMOVED = "[removed]"
IDENTIFYING = frozenset({"PatientName", "PatientID", "PatientBirthDate", "AccessionNumber", "OtherPatientIDs", "OtherPatientNames"})
_EQUIPMENT = ("StationName", "Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "Modality")
_DATES = ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate", "InstanceCreationDate")
_SHORTEST = 4  # characters; a shorter ID or name part would take too many innocent words with it
_PHANTOM = re.compile(r"phantom|\b(acr|qa|qc|test|catphan|water|uniform|daily|service)\b", re.IGNORECASE)
_ABSOLUTE = re.compile(r"(?<![\w:/.~-])(?:[A-Za-z]:[\\/]|\\\\|/)(?:[^\s\\/:'\"<>|]+[\\/])+([^\s\\/:'\"<>|]+)")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class Cleaner:
    """Cleans the texts and values of one study.

    Parameters
    ----------
    headers
        The header values (`qc.study.Instance.tags`) of its instances.
    paths
        Paths of its files as they are shown; their folders are taken off where a text quotes them.
    """

    def __init__(self, headers: Iterable[Mapping[str, Any]] = (), paths: Iterable[str] = ()) -> None:
        self._folders = _prefixes(paths)
        words: set[str] = set()
        open_words: set[str] = set()  # name of the scanner, day of the study: no secret, also where a phantom is called so
        seen: set[tuple[Any, ...]] = set()
        keywords = (*sorted(IDENTIFYING), *_EQUIPMENT, *_DATES)
        for tags in headers:
            values = tuple(tags.get(keyword) for keyword in keywords)
            if values not in seen:  # of a series of a thousand images, most say the same
                seen.add(values)
                words.update(_identifiers(tags))
                open_words.update(text.casefold() for keyword in (*_EQUIPMENT, *_DATES) for text in _texts(tags.get(keyword)))
        words = {word for word in words if word.casefold() not in open_words}
        # the longest first, so that a whole name goes before its parts
        parts = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
        # a whole word only: not the digits within a UID or a number
        self._pattern = re.compile(rf"(?<![^\W_])(?<!\d\.)(?:{parts})(?![^\W_])(?!\.\d)", re.IGNORECASE) if parts else None

    def text(self, value: object) -> str:
        """Return a text without identifiers, absolute paths and control characters."""
        text = _CONTROL.sub("", str(value or ""))
        text = text.encode("utf-8", "replace").decode()
        if self._folders:
            text = self._folders.sub(r"\1", text)
        text = _ABSOLUTE.sub(r"\1", text)
        return self._pattern.sub(REMOVED, text) if self._pattern else text

    def optional(self, value: object) -> str | None:
        """Return a cleaned text, None where there is none."""
        return self.text(value) or None

    def plain(self, value: Any) -> Any:
        """Return a value as JSON can hold it, cleaned; what is not finite becomes null."""
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, Enum):
            return self.plain(value.value)
        if isinstance(value, int):
            return int(value)
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else None
        if isinstance(value, Mapping):
            return {self.text(key): REMOVED if key in IDENTIFYING else self.plain(one) for key, one in value.items()}
        if isinstance(value, (set, frozenset)):
            return sorted((self.plain(one) for one in value), key=str)
        if isinstance(value, (list, tuple)):
            return [self.plain(one) for one in value]
        if isinstance(value, (date, datetime)):
            return value.isoformat()
        if isinstance(value, PurePath):
            return self.text(file_name(value))
        if isinstance(value, (bytes, bytearray)):
            return f"{len(value)} bytes"
        if hasattr(value, "tolist"):  # numpy scalars and arrays
            return self.plain(value.tolist())
        return self.text(value)


class Places:
    """Says where a file lies without saying how the folder is called.

    Parameters
    ----------
    salt
        Key of the hashes, random and of this database alone: without it nobody can try names of patients.
    """

    def __init__(self, salt: bytes) -> None:
        self._salt = salt

    def name(self, path: str) -> str:
        """Return the name of the file alone."""
        return _CONTROL.sub("", file_name(path))

    def folder(self, path: str) -> str:
        """Return a short hash of the folder (eight digits), nothing where there is none."""
        folder = _slashes(path).rpartition("/")[0]
        return self._hash(folder)[:8] if folder else ""

    def key(self, path: str) -> str:
        """Return what tells the whole path from others."""
        return self._hash(_slashes(path))

    def without(self, text: str, path: str) -> str:
        """Return a text in which the path, where it is quoted, is its name alone."""
        pattern = _prefixes([path])
        return pattern.sub(r"\1", text) if pattern else text

    def _hash(self, text: str) -> str:
        return hmac.new(self._salt, text.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()[:32]


def file_name(path: object) -> str:
    """Return the name of a file alone, which may be shown."""
    return _slashes(str(path)).rpartition("/")[2].encode("utf-8", "replace").decode()


def _slashes(path: str) -> str:
    return path.replace("\\", "/")


def _prefixes(paths: Iterable[str]) -> re.Pattern[str] | None:
    """Return a pattern of the folders of the paths, with the slash behind; the longest first."""
    folders = sorted(filter(None, {path.rpartition("/")[0] for path in map(_slashes, paths)}), key=len, reverse=True)
    # what a very short name stands before must look like a file: "3/4" is no path
    parts = "|".join(re.escape(one) + ("/" if len(one) >= _SHORTEST else r"/(?=[^\s/]*[A-Za-z])") for one in folders)
    # addresses in the web are kept (group 1); of any other path whatever leads to the folder goes with it
    return re.compile(rf"([a-z][a-z0-9+.-]*://\S+)|(?<![\w/])(?:[^\s'\"(;,=]*/)?(?:{parts})", re.IGNORECASE) if parts else None


def _identifiers(tags: Mapping[str, Any]) -> Iterable[str]:
    """Yield the texts that would give the patient away."""
    for keyword in ("PatientID", "OtherPatientIDs", "AccessionNumber"):
        for text in _texts(tags.get(keyword)):
            least = _SHORTEST + 1 if text.isdigit() else _SHORTEST
            if len(text) >= least and not _PHANTOM.search(text):
                yield text
    for text in _texts(tags.get("PatientBirthDate")):
        digits = text.replace(".", "")
        yield text
        if len(digits) == 8:
            year, month, day = digits[:4], digits[4:6], digits[6:]
            yield f"{year}-{month}-{day}"
            yield from (mark.join(parts) for mark in "./-" for parts in ((day, month, year), (month, day, year)))
    for keyword in ("PatientName", "OtherPatientNames"):
        for text in _texts(tags.get(keyword)):
            if _PHANTOM.search(text.replace("_", " ")):
                continue  # a phantom has no secrets, and its name is that of its series
            yield text
            yield re.sub(r"[\^=\s]+", " ", text).strip()
            yield from (part for part in re.split(r"[\^=\s,]+", text) if len(part) >= _SHORTEST)


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, tuple) else (value,)
    return [str(one).strip() for one in values if one is not None and str(one).strip()]
