"""Protocols as TOML: written by hand or learned, read strictly, all mistakes told at once.

schema = 1

[tolerance.RepetitionTime]        # optional: replaces the common tolerance
absolute = 2.0                    # in the unit of the parameter
relative = 0.01                   # of the expected value; the larger of both counts

[[protocol]]
protocol = "Knee / T1 sag"        # ProtocolName / SeriesDescription; one of them where both are equal or one is missing; any case
site = ""                         # empty: every site
scanner = "12345"                 # serial number, else station name; empty: every scanner
echo = 1                          # counted in order of echo time
images = 24                       # optional: frames of a complete series
expected = { RepetitionTime = 500.0, EchoTime = 12.0, ScanningSequence = "SE", PixelSpacing = [0.9, 0.9] }
tolerance = { EchoTime = { absolute = 0.5 } }     # optional: of this protocol alone

[[vertical]]                      # series of one study that must agree
name = "field map"
series = ["gre_field", "ep2d"]    # regular expressions, at the beginning of SeriesDescription
parameters = ["PixelSpacing", "SliceThickness"]
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from qc.errors import ConfigurationError
from qc.protocol import PARAMETERS, Key, Protocol, ProtocolSet, Tolerance, Value, Vertical, default_tolerances

SCHEMA = 1
_PROTOCOL = {"protocol", "site", "scanner", "echo", "images", "expected", "tolerance", "software", "seen", "of", "free"}
_VERTICAL = {"name", "series", "parameters"}


class _Reader:
    """Reads one file and collects what is wrong with it."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.problems: list[str] = []

    def wrong(self, at: str, text: str) -> None:
        self.problems.append(f"{self.where}: {at}: {text}" if at else f"{self.where}: {text}")

    def keys(self, at: str, entry: Mapping[str, Any], known: set[str]) -> None:
        for name in sorted(entry.keys() - known):
            self.wrong(at, f"unknown key {name!r}; known are {', '.join(sorted(known))}")

    def text(self, at: str, entry: Mapping[str, Any], name: str, default: str | None = "") -> str:
        value = entry.get(name, default)
        if not isinstance(value, str) or (default is None and not value):
            self.wrong(at, f"{name} must be a text, got {value!r}")
            return ""
        return value

    def count(self, at: str, entry: Mapping[str, Any], name: str, default: int | None) -> int | None:
        value = entry.get(name, default)
        if value is not default and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            self.wrong(at, f"{name} must be a whole number from 1, got {value!r}")
            return default
        return value

    def parameter(self, at: str, name: str) -> bool:
        if name not in PARAMETERS:
            self.wrong(at, f"unknown parameter {name!r}; known are {', '.join(PARAMETERS)}")
        return name in PARAMETERS

    def tolerances(self, at: str, table: Any) -> dict[str, Tolerance]:
        if not isinstance(table, dict):
            self.wrong(at, "tolerance must be a table of parameters")
            return {}
        found = {}
        for name, entry in table.items():
            here = f"{at}, tolerance of {name}" if at else f"tolerance of {name}"
            if not self.parameter(here, name):
                continue
            if not isinstance(entry, dict):
                self.wrong(here, "must be a table with absolute, relative or both")
                continue
            self.keys(here, entry, {"absolute", "relative"})
            numbers = {key: entry.get(key, 0.0) for key in ("absolute", "relative")}
            bad = [
                key
                for key, value in numbers.items()
                if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf
            ]
            for key in bad:
                self.wrong(here, f"{key} must be a number from 0, got {numbers[key]!r}")
            if not bad:
                unit = default_tolerances().get(name, Tolerance()).unit
                found[name] = Tolerance(float(numbers["absolute"]), float(numbers["relative"]), unit)
        return found

    def expected(self, at: str, table: Any) -> dict[str, Value]:
        if not isinstance(table, dict) or not table:
            self.wrong(at, "expected must be a table with at least one parameter")
            return {}
        found: dict[str, Value] = {}
        for name, value in table.items():
            if not self.parameter(at, name):
                continue
            parts = value if isinstance(value, list) else [value]
            if not parts or any(isinstance(part, bool) or not isinstance(part, (str, int, float)) for part in parts):
                self.wrong(at, f"{name} must be a text, a number or a list of them, got {value!r}")
            elif any(isinstance(part, float) and not math.isfinite(part) for part in parts):
                self.wrong(at, f"{name} must be finite")
            else:
                found[name] = tuple(parts) if isinstance(value, list) else value
        return found


def from_toml(text: str, where: str = "protocols.toml") -> ProtocolSet:
    """Read protocols.

    Raises
    ------
    ConfigurationError
        Every mistake with the file, the entry and what is allowed.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{where}: {error}") from None
    reader = _Reader(where)
    reader.keys("", data, {"schema", "tolerance", "protocol", "vertical"})
    if data.get("schema") != SCHEMA:
        reader.wrong("", f"schema must be {SCHEMA}, got {data.get('schema')!r}")
    own = reader.tolerances("", data.get("tolerance", {}))
    protocols = [_protocol(reader, number, entry) for number, entry in enumerate(_tables(reader, data, "protocol"), 1)]
    rules = [_vertical(reader, number, entry) for number, entry in enumerate(_tables(reader, data, "vertical"), 1)]
    seen: dict[Key, int] = {}
    for number, protocol in enumerate(protocols, 1):
        folded = protocol.key._replace(protocol=protocol.key.protocol.casefold())
        if folded in seen:
            reader.wrong(f"protocol {number}", f"the same site, scanner, protocol and echo as protocol {seen[folded]}")
        seen.setdefault(folded, number)
    if reader.problems:
        raise ConfigurationError(reader.problems)
    return ProtocolSet(tuple(protocols), tuple(rules), {**default_tolerances(), **own})


def _tables(reader: _Reader, data: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = data.get(name, [])
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        reader.wrong("", f"{name} must be written as [[{name}]]")
        return []
    return found


def _protocol(reader: _Reader, number: int, entry: Mapping[str, Any]) -> Protocol:
    at = f"protocol {number}"
    reader.keys(at, entry, _PROTOCOL)
    key = Key(
        reader.text(at, entry, "site"),
        reader.text(at, entry, "scanner"),
        reader.text(at, entry, "protocol", None),
        reader.count(at, entry, "echo", 1) or 1,
    )
    free = entry.get("free", [])
    if not isinstance(free, list) or not all(isinstance(name, str) and name in PARAMETERS for name in free):
        reader.wrong(at, "free must be a list of parameters")
        free = []
    return Protocol(
        key,
        reader.expected(at, entry.get("expected")),
        reader.tolerances(at, entry.get("tolerance", {})),
        reader.count(at, entry, "images", None),
        reader.text(at, entry, "software"),
        reader.count(at, entry, "seen", None),
        reader.count(at, entry, "of", None),
        tuple(free),
    )


def _vertical(reader: _Reader, number: int, entry: Mapping[str, Any]) -> Vertical:
    at = f"vertical {number}"
    reader.keys(at, entry, _VERTICAL)
    lists: dict[str, tuple[str, ...]] = {}
    for name in ("series", "parameters"):
        value = entry.get(name)
        if not isinstance(value, list) or not value or not all(isinstance(part, str) for part in value):
            reader.wrong(at, f"{name} must be a list of texts, got {value!r}")
            lists[name] = ()
        else:
            lists[name] = tuple(value)
    for pattern in lists["series"]:
        try:
            re.compile(pattern)
        except re.error as error:
            reader.wrong(at, f"series: {pattern!r} is no regular expression: {error}")
    for parameter in lists["parameters"]:
        reader.parameter(at, parameter)
    return Vertical(reader.text(at, entry, "name", None), lists["series"], lists["parameters"])


# -- writing ---------------------------------------------------------------------------------------------------------


def to_toml(protocols: ProtocolSet) -> str:
    """Write protocols so that `from_toml` gives the same set; what could not be learned stands in comments."""
    lines = [f"schema = {SCHEMA}", ""]
    common = default_tolerances()
    for name, tolerance in sorted(protocols.tolerances.items()):
        if common.get(name) != tolerance:
            lines += [f"[tolerance.{name}]", f"absolute = {tolerance.absolute!r}", f"relative = {tolerance.relative!r}", ""]
    for one in protocols.protocols:
        lines += _protocol_lines(one)
    for rule in protocols.vertical:
        lines += [
            "[[vertical]]",
            f"name = {_text(rule.name)}",
            f"series = {_list(rule.series)}",
            f"parameters = {_list(rule.parameters)}",
            "",
        ]
    for key, reason in protocols.undecided:
        lines.append(f"# not learned: {_text(key.protocol)}, echo {key.echo}, scanner {_text(key.scanner)}: {reason}")
    return "\n".join(lines) + "\n"


def _protocol_lines(one: Protocol) -> list[str]:
    key = one.key
    lines = [
        "[[protocol]]",
        f"protocol = {_text(key.protocol)}",
        f"site = {_text(key.site)}",
        f"scanner = {_text(key.scanner)}",
        f"echo = {key.echo}",
    ]
    lines += [f"{name} = {value}" for name, value in (("images", one.images), ("seen", one.seen), ("of", one.of)) if value is not None]
    lines += [f"software = {_text(one.software)}"] if one.software else []
    lines += [f"free = {_list(one.free)}"] if one.free else []
    if one.tolerances:
        parts = (f"{name} = {{ absolute = {t.absolute!r}, relative = {t.relative!r} }}" for name, t in sorted(one.tolerances.items()))
        lines.append(f"tolerance = {{ {', '.join(parts)} }}")
    lines.append("[protocol.expected]")
    lines += [f"{name} = {_value(value)}" for name, value in one.expected.items()]
    return [*lines, ""]


def _text(text: str) -> str:
    # JSON escapes are TOML escapes, but for DEL, which TOML wants escaped and JSON does not
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _list(texts: tuple[str, ...]) -> str:
    return "[" + ", ".join(map(_text, texts)) + "]"


def _value(value: Value) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_value(part) for part in value) + "]"
    return _text(value) if isinstance(value, str) else repr(value)
