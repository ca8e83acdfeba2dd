"""A study and a series as an archive lists them, and where headers without pixels are kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HEADERS = "headers"  # folder within the spool of an archive


@dataclass(frozen=True)
class Study:
    """A study as a PACS lists it. Counts are None where the PACS does not know them (absent, empty, or 0)."""

    uid: str
    date: str
    time: str
    modalities: tuple[str, ...]
    description: str
    series: int | None
    instances: int | None
    station: str = ""


@dataclass(frozen=True)
class Series:
    """A series as a PACS lists it."""

    uid: str
    modality: str
    number: str
    description: str
    instances: int | None
    station: str = ""


def is_header(path: Path) -> bool:
    """Tell whether a path within the spool of an archive is that of a header that came without its pixels."""
    return path.parts[:1] == (HEADERS,)
