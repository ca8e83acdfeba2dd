"""The study as plain rows: Study > Series > Instance > Frame.

There is one `Frame` for each image plane, whatever the file looks like: a classic single-frame image, a frame of an
enhanced multi-frame object, a tile of a Siemens mosaic. Checks see frames and never ask how they were stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from qc.results import Level, Subject
from qc.values import Problem


@dataclass(slots=True)
class PixelLayout:
    """Where the pixel data of an instance stand in its file.

    Attributes
    ----------
    keyword
        ``PixelData``, ``FloatPixelData`` or ``DoubleFloatPixelData``.
    offset
        First byte of the value (for deflated files: in the inflated stream).
    length
        Announced length in bytes; None for encapsulated (undefined length).
    available
        Bytes between `offset` and the end of the file.
    deflated_at
        Where the deflated data set begins in the file; None for files that are not deflated.
    fragments
        Number of fragments of encapsulated pixel data, without the offset table.
    """

    keyword: str
    offset: int
    length: int | None
    available: int
    little_endian: bool = True
    deflated_at: int | None = None
    fragments: int = 0
    vr: str = "OW"


@dataclass(frozen=True, slots=True)
class Presence:
    """Which standard attributes a data set has outside sequences; shared between instances that have the same ones.

    Attributes
    ----------
    filled
        Tags with a value.
    empty
        Tags that are there without one.
    """

    filled: frozenset[int] = frozenset()
    empty: frozenset[int] = frozenset()


@dataclass(slots=True)
class Instance:
    """One file of the series, headers as plain values.

    Attributes
    ----------
    path
        Where the file is.
    shown
        Path relative to what the user named; this one may be printed.
    tags
        Keyword -> str, int, float or tuple of them (`qc.tags`); absent and empty attributes are not in it.
    problems
        What reading found wrong.
    presence
        Which attributes are there, kept values or not; None where the header could not be read to its end.
    """

    path: Path
    shown: str
    transfer_syntax: str
    tags: dict[str, Any] = field(repr=False)  # holds the patient: never in a traceback or log
    problems: list[Problem] = field(default_factory=list)
    layout: PixelLayout | None = None
    frames: list[Frame] = field(default_factory=list, repr=False)
    presence: Presence | None = field(default=None, repr=False)

    def get(self, keyword: str, default: Any = None) -> Any:
        """Return a header value, or `default` where it is absent, empty or unusable."""
        return self.tags.get(keyword, default)

    @property
    def uid(self) -> str:
        """SOPInstanceUID; empty where it is missing."""
        return str(self.tags.get("SOPInstanceUID", ""))

    @property
    def number(self) -> int | None:
        """InstanceNumber."""
        value = self.tags.get("InstanceNumber")
        return value if isinstance(value, int) else None

    def has(self, code: str) -> bool:
        """Tell whether reading noted a problem of this code."""
        return any(problem.code == code for problem in self.problems)


@dataclass(slots=True, eq=False)
class Frame:
    """One image plane.

    Attributes
    ----------
    index
        Counted from 0 within the instance.
    own
        Header values of this frame alone (functional groups, mosaic tile), else None.
    tile
        (row, column) of a mosaic tile counted from 0, else None.
    """

    instance: Instance
    index: int = 0
    own: dict[str, Any] | None = field(default=None, repr=False)
    tile: tuple[int, int] | None = None

    def get(self, keyword: str, default: Any = None) -> Any:
        """Return the header value of this frame, else of its instance."""
        if self.own is not None and keyword in self.own:
            return self.own[keyword]
        return self.instance.tags.get(keyword, default)

    @property
    def number(self) -> int | None:
        """Frame number from 1; None for an instance of one frame."""
        return self.index + 1 if len(self.instance.frames) > 1 else None

    @property
    def position(self) -> tuple[float, float, float] | None:
        """Centre of the first voxel, (x, y, z) in mm (PS3.3 C.7.6.2.1.1)."""
        numbers = _numbers(self.get("ImagePositionPatient"), 3)
        return (numbers[0], numbers[1], numbers[2]) if numbers else None

    @property
    def orientation(self) -> tuple[float, ...] | None:
        """Direction cosines of row and column, six numbers."""
        return _numbers(self.get("ImageOrientationPatient"), 6)

    @property
    def spacing_mm(self) -> tuple[float, float] | None:
        """(row spacing, column spacing) in mm: the first is the distance of neighbouring rows."""
        spacing = _numbers(self.get("PixelSpacing"), 2) or _numbers(self.get("ImagerPixelSpacing"), 2)
        return (spacing[0], spacing[1]) if spacing and min(spacing) > 0 else None

    @property
    def label(self) -> str:
        """How a person finds this frame: ``image 12`` or ``image 3, frame 7``."""
        number = self.instance.number
        text = f"image {number}" if number is not None else f"file {self.instance.shown}"
        return text if self.number is None else f"{text}, frame {self.number}"

    def subject(self) -> Subject:
        """Return what a result about this frame is about."""
        tags = self.instance.tags
        study, series = tags.get("StudyInstanceUID"), tags.get("SeriesInstanceUID")
        return Subject("series", study, series, self.instance.uid or None, self.number, self.instance.shown)


def _numbers(value: Any, count: int) -> tuple[float, ...] | None:
    """Return a tuple of `count` floats, or None."""
    if not isinstance(value, tuple) or len(value) != count:
        return None
    for number in value:  # a loop: called for every frame, and three times as fast as all() of a generator
        if not isinstance(number, (float, int)):
            return None
    return value


@dataclass(eq=False)
class Series:
    """All instances that carry one SeriesInstanceUID within one study."""

    study_uid: str
    uid: str
    instances: list[Instance]
    klass: str = "image"

    @cached_property
    def ordered(self) -> list[Instance]:
        """The instances by InstanceNumber: no answer may hang on the order of the files."""
        return sorted(self.instances, key=lambda one: (one.number if one.number is not None else 1 << 60, one.uid, one.shown))

    @cached_property
    def frames(self) -> list[Frame]:
        """Every frame of every instance, by InstanceNumber, then frame number."""
        return [frame for instance in self.ordered for frame in instance.frames]

    def first(self, keyword: str, default: Any = None) -> Any:
        """Return the first value of a header attribute in the series, in order of the frames."""
        for instance in self.ordered:
            if keyword in instance.tags:
                return instance.tags[keyword]
        return default

    def values(self, keyword: str) -> set[Any]:
        """Return the distinct values of an attribute over the instances (absent ones are left out)."""
        return {instance.tags[keyword] for instance in self.instances if keyword in instance.tags}

    @property
    def modality(self) -> str:
        """Modality, or an empty text."""
        return str(self.first("Modality", ""))

    @property
    def description(self) -> str:
        """SeriesDescription, else ProtocolName."""
        return str(self.first("SeriesDescription") or self.first("ProtocolName") or "")

    def subject(self) -> Subject:
        """Return what a result about the series is about."""
        return Subject("series", self.study_uid or None, self.uid or None)


@dataclass(eq=False)
class Study:
    """All series that carry one StudyInstanceUID."""

    uid: str
    series: list[Series]
    hash_key: bytes = b""

    def instances(self) -> Iterator[Instance]:
        """Every instance of the study."""
        for series in self.series:
            yield from series.instances

    def subject(self, level: Level = "study") -> Subject:
        """Return what a result about the study is about."""
        return Subject(level, self.uid or None)


def group(instances: Iterable[Instance], hash_key: bytes = b"") -> list[Study]:
    """Sort instances into studies and series, each in order of first appearance."""
    studies: dict[str, dict[str, list[Instance]]] = {}
    for instance in instances:
        study = studies.setdefault(str(instance.tags.get("StudyInstanceUID", "")), {})
        # without a SeriesInstanceUID nothing says that two files belong together: each is a series of its own
        key = str(instance.tags.get("SeriesInstanceUID", "")) or f"?{instance.path}"
        study.setdefault(key, []).append(instance)
    return [
        Study(uid, [Series(uid, "" if key.startswith("?") else key, members) for key, members in series.items()], hash_key)
        for uid, series in studies.items()
    ]
