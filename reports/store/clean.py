"""What is written is clean: plain JSON values, no identifier of a patient, no absolute path.

Checks are not supposed to quote identifiers, and headers not to hide them in descriptions; both happen. So every text is
searched for the identifiers that stand in the headers of the very study it comes from.
"""

from __future__ import annotations

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
    """

    def __init__(self, headers: Iterable[Mapping[str, Any]] = ()) -> None:
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
            return self.text(value.name)
        if isinstance(value, (bytes, bytearray)):
            return f"{len(value)} bytes"
        if hasattr(value, "tolist"):  # numpy scalars and arrays
            return self.plain(value.tolist())
        return self.text(value)


def relative(path: str) -> str:
    """Return a path that may be shown: of an absolute one, the name alone."""
    pure = path.replace("\\", "/")
    return pure.rsplit("/", 1)[-1] if pure.startswith("/") or re.match(r"[A-Za-z]:", pure) else pure


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
            yield f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"
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
