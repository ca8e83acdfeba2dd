"""Protocols: what a series should have been acquired with, learned from history or written down, and how a series compares.

A reference holds for one site, scanner, protocol name and echo. It is a WHOLE set of values that somebody ran: the most frequent
parameter vector after those within tolerance of each other are taken as one. (A reference put together from the most frequent value
of each parameter may be one that nobody ever ran.) What is missing is unknown, never a deviation. Pure: no file, no clock, no database.
"""

from __future__ import annotations

import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal, NamedTuple

from qc.criteria import packaged
from qc.study import Series

Scalar = str | int | float
Value = Scalar | tuple[Scalar, ...]

# What a protocol fixes. Of each series the attributes that it has are taken; CTDIvol, where a row has it, is compared as well.
PARAMETERS = (
    "RepetitionTime", "EchoTime", "InversionTime", "FlipAngle", "PixelSpacing", "SliceThickness", "SpacingBetweenSlices", "PixelBandwidth",
    "Rows", "Columns", "MagneticFieldStrength", "ScanningSequence", "SequenceVariant", "SequenceName", "ScanOptions", "NumberOfAverages",
    "InPlanePhaseEncodingDirection", "PercentPhaseFieldOfView", "AcquisitionMatrix", "ReceiveCoilName", "KVP", "ConvolutionKernel", "FilterType",
    "CTDIvol",
)  # fmt: skip


class Key(NamedTuple):
    """What a reference holds for. `echo` counts from 1 in order of echo time."""

    site: str
    scanner: str
    protocol: str
    echo: int = 1


@dataclass(frozen=True)
class Tolerance:
    """How far a number may lie from the expected one: the larger of the two counts."""

    absolute: float = 0.0
    relative: float = 0.0
    unit: str = ""

    def of(self, expected: float) -> float:
        """Return the tolerance at an expected value.

        >>> Tolerance(absolute=1.0, relative=0.01).of(500.0)
        5.0
        """
        return max(self.absolute, self.relative * abs(expected))


@cache
def default_tolerances() -> dict[str, Tolerance]:
    """Return the common tolerances (`qc/standard/protocol.toml`)."""
    data = tomllib.loads(packaged("standard", "protocol.toml"))
    return {
        name: Tolerance(float(entry.get("absolute", 0)), float(entry.get("relative", 0)), entry.get("unit", ""))
        for name, entry in data.items()
    }


@dataclass(frozen=True)
class Row:
    """One echo of one series as the store keeps it.

    Attributes
    ----------
    values
        Keyword -> value, of `PARAMETERS`; what the series does not tell is left out.
    acquired
        ``YYYYMMDDHHMMSS`` local time, as far as known.
    """

    key: Key
    values: Mapping[str, Value]
    series_uid: str = ""
    study_uid: str = ""
    acquired: str = ""
    software: str = ""
    images: int | None = None
    description: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the row as plain values that JSON can hold."""
        values = {name: list(value) if isinstance(value, tuple) else value for name, value in self.values.items()}
        return {
            **{name: getattr(self, name) for name in self.__dataclass_fields__ if name != "key"},
            **self.key._asdict(),
            "values": values,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Row:
        """Return the row that `as_dict` wrote."""
        values = {name: tuple(value) if isinstance(value, list) else value for name, value in data["values"].items()}
        plain = {name: data[name] for name in cls.__dataclass_fields__ if name not in ("key", "values")}
        return cls(Key(data["site"], data["scanner"], data["protocol"], data["echo"]), values, **plain)


@dataclass(frozen=True)
class Protocol:
    """A reference.

    Attributes
    ----------
    tolerances
        Own tolerances of this protocol; else the common ones hold.
    images
        Frames of a complete series; None where unknown or varying.
    seen, of
        Learned: how many of how many series were run this way. Written by hand: None.
    free
        Learned: parameters that are set for each patient (field of view, ...) and so no part of the reference.
    """

    key: Key
    expected: Mapping[str, Value]
    tolerances: Mapping[str, Tolerance] = field(default_factory=dict)
    images: int | None = None
    software: str = ""
    seen: int | None = None
    of: int | None = None
    free: tuple[str, ...] = ()


@dataclass(frozen=True)
class Vertical:
    """A rule over the series of one study: those whose description begins with one of `series` agree in `parameters`."""

    name: str
    series: tuple[str, ...]
    parameters: tuple[str, ...]


@dataclass(frozen=True)
class ProtocolSet:
    """References, rules over series, common tolerances, and what could not be learned (key, reason)."""

    protocols: tuple[Protocol, ...] = ()
    vertical: tuple[Vertical, ...] = ()
    tolerances: Mapping[str, Tolerance] = field(default_factory=default_tolerances)
    undecided: tuple[tuple[Key, str], ...] = ()

    def find(self, key: Key) -> Protocol | None:
        """Return the reference for a key; one with an empty site or scanner holds for every site or scanner, the closest wins."""
        fitting = [
            one
            for one in self.protocols
            if one.key.echo == key.echo
            and one.key.protocol.casefold() == key.protocol.casefold()
            and one.key.site in ("", key.site)
            and one.key.scanner in ("", key.scanner)
        ]
        return max(fitting, key=lambda one: (one.key.scanner != "", one.key.site != ""), default=None)


# -- rows ------------------------------------------------------------------------------------------------------------


def rows_of(series: Series, site: str = "") -> list[Row]:
    """Return the rows of a series, one for each echo time.

    A parameter that varies between the images of one echo (thickness of a planned zone, angle of a series of flip angles) is kept as the
    sorted tuple of its values where they are few, else left out.
    """
    by_echo: dict[Any, list[Any]] = defaultdict(list)
    for frame in series.frames:
        by_echo[frame.get("EchoTime")].append(frame)
    first = series.first
    scanner = str(first("DeviceSerialNumber") or first("StationName") or "")
    # some makers name the whole examination in ProtocolName, others the series: both together name a way of scanning everywhere
    name = " / ".join(dict.fromkeys(str(first(keyword)) for keyword in ("ProtocolName", "SeriesDescription") if first(keyword)))
    when = str(first("AcquisitionDate") or first("SeriesDate") or first("StudyDate") or "")
    time = str(first("AcquisitionTime") or first("SeriesTime") or "").replace(":", "")[:6]
    software = first("SoftwareVersions", "")
    rows = []
    for echo, (_, frames) in enumerate(sorted(by_echo.items(), key=lambda pair: (pair[0] is None, str(type(pair[0])), pair[0] or 0)), 1):
        values: dict[str, Value] = {}
        for keyword in PARAMETERS:
            found = {frame.get(keyword) for frame in frames} - {None}
            if len(found) == 1:
                values[keyword] = next(iter(found))
            elif 1 < len(found) <= 4 and all(isinstance(one, (int, float)) for one in found):
                values[keyword] = tuple(sorted(found))
        rows.append(
            Row(
                Key(site, scanner, name, echo), values, series.uid, series.study_uid, when.replace(".", "") + time,
                " ".join(software) if isinstance(software, tuple) else str(software), len(frames), series.description,
            )
        )  # fmt: skip
    return rows


# -- compare ---------------------------------------------------------------------------------------------------------

Outcome = Literal["ok", "deviates", "unknown"]


@dataclass(frozen=True)
class Comparison:
    """One parameter of one series against its reference. `distance` is in tolerances (2.0: twice as far as allowed), None for text."""

    parameter: str
    expected: Value | None
    found: Value | None
    tolerance: float | None
    unit: str
    outcome: Outcome
    distance: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it as a row of a report."""
        return {name: getattr(self, name) for name in ("parameter", "expected", "found", "tolerance", "unit", "outcome", "distance")}


def compare(row: Row, protocol: Protocol, tolerances: Mapping[str, Tolerance] | None = None) -> list[Comparison]:
    """Return every parameter of the reference with expected, found, tolerance and outcome, in order of `PARAMETERS`."""
    common = default_tolerances() if tolerances is None else tolerances
    order = {name: number for number, name in enumerate(PARAMETERS)}
    out = []
    for name in sorted(protocol.expected, key=lambda one: (order.get(one, 999), one)):
        tolerance = protocol.tolerances.get(name) or common.get(name) or Tolerance()
        out.append(_compare(name, protocol.expected[name], row.values.get(name), tolerance))
    return out


def _numbers(value: Value) -> tuple[float, ...] | None:
    parts = value if isinstance(value, tuple) else (value,)
    return tuple(float(part) for part in parts if not isinstance(part, str)) if not any(isinstance(part, str) for part in parts) else None


def _compare(name: str, expected: Value, found: Value | None, tolerance: Tolerance) -> Comparison:
    if found is None:
        return Comparison(name, expected, None, None, tolerance.unit, "unknown")
    wanted, got = _numbers(expected), _numbers(found)
    if wanted is None or got is None:
        same = _as_set(expected) == _as_set(found)
        return Comparison(name, expected, found, None, "", "ok" if same else "deviates")
    if len(wanted) != len(got):
        return Comparison(name, expected, found, tolerance.of(max(map(abs, wanted), default=0)), tolerance.unit, "deviates")
    allowed = [tolerance.of(number) for number in wanted]
    gaps = [abs(a - b) for a, b in zip(wanted, got, strict=True)]
    # the binary form of decimal numbers must not decide: 0.1 over 0.1 is inside
    inside = all(gap <= most + 1e-9 * max(1.0, abs(number)) for gap, most, number in zip(gaps, allowed, wanted, strict=True))
    distance = max((gap / most for gap, most in zip(gaps, allowed, strict=True) if most > 0), default=None)
    return Comparison(name, expected, found, max(allowed, default=0.0), tolerance.unit, "ok" if inside else "deviates", distance)


def _as_set(value: Value) -> frozenset[str]:
    return frozenset(str(part).strip() for part in (value if isinstance(value, tuple) else (value,)))


# -- learn -----------------------------------------------------------------------------------------------------------


def learn(rows: Iterable[Row], fewest: int = 3, tolerances: Mapping[str, Tolerance] | None = None) -> ProtocolSet:
    """Learn the references from history.

    Parameters
    ----------
    rows
        One for each echo of each series; order does not matter.
    fewest
        A protocol run less often is not learned.

    Returns
    -------
    ProtocolSet
        References with how often each was run; under `undecided` those seen too seldom, and those where two ways were run equally often.
    """
    common = default_tolerances() if tolerances is None else tolerances
    by_key: dict[Key, list[Row]] = defaultdict(list)
    for row in rows:
        if row.key.protocol:
            by_key[row.key].append(row)
    protocols, undecided = [], []
    for key in sorted(by_key):
        found = by_key[key]
        if len(found) < fewest:
            undecided.append((key, f"seen {len(found)} times, {fewest} are needed"))
            continue
        free = free_parameters(found, common)
        groups = cluster([replace(row, values={k: v for k, v in row.values.items() if k not in free}) for row in found], common)
        if len(groups) > 1 and len(groups[0]) == len(groups[1]):
            undecided.append((key, f"two ways of {len(groups[0])} series each; write down which one is meant"))
            continue
        protocols.append(_reference(key, groups[0], len(found), free))
    return ProtocolSet(tuple(protocols), (), common, tuple(undecided))


def free_parameters(rows: Sequence[Row], tolerances: Mapping[str, Tolerance]) -> tuple[str, ...]:
    """Return the parameters of which no value, with all within its tolerance, stands in a third of the rows that have one."""
    free = []
    for name in PARAMETERS:
        counts = Counter(row.values[name] for row in rows if name in row.values)
        tolerance = tolerances.get(name, Tolerance())
        most = max(
            (sum(n for other, n in counts.items() if _compare(name, value, other, tolerance).outcome == "ok") for value in counts),
            default=0,
        )
        if most * 3 < sum(counts.values()):
            free.append(name)
    return tuple(free)


def cluster(rows: Sequence[Row], tolerances: Mapping[str, Tolerance]) -> list[list[Row]]:
    """Group rows whose whole vectors agree within tolerance, the largest group first; the first row of each is its most frequent vector.

    Rows that tell different parameters are different vectors. Centres are taken in order of their exact frequency, so the result does not
    depend on the order of the rows.
    """
    exact: dict[tuple[tuple[str, Value], ...], list[Row]] = defaultdict(list)
    for row in rows:
        exact[tuple(sorted(row.values.items()))].append(row)
    groups: list[list[Row]] = []
    for vector in sorted(exact, key=lambda one: (-len(exact[one]), repr(one))):
        for group in groups:
            centre = group[0]
            if centre.values.keys() == dict(vector).keys() and all(
                one.outcome == "ok" for one in compare(exact[vector][0], Protocol(centre.key, centre.values), tolerances)
            ):
                group += exact[vector]
                break
        else:
            groups.append(list(exact[vector]))
    return sorted(groups, key=lambda group: -len(group))


def _reference(key: Key, group: list[Row], total: int, free: tuple[str, ...]) -> Protocol:
    images = Counter(row.images for row in group if row.images is not None).most_common(1)
    steady = images and images[0][1] * 2 > len(group)
    newest = max(group, key=lambda row: (row.acquired, row.series_uid))
    return Protocol(key, dict(group[0].values), {}, images[0][0] if steady else None, newest.software, len(group), total, free)
