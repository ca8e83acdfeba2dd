"""The standard's rules for the attributes of an image, as data: which must be there, which must have a value, which values exist.

Tables and rules stand in `qc/standard`. They are compiled once a kind of object; instances that hold the same attributes are
judged once, so a series costs little more than its first image.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal

from pydicom.datadict import tag_for_keyword

from qc.criteria import configured, packaged
from qc.errors import ConfigurationError
from qc.study import Instance

Severity = Literal["blocks", "breaks", "cosmetic"]
Rule = Literal["missing", "empty", "value", "form"]
# Missing or wrong, these have a finding of their own (`header.uid`, `header.character_set`); one problem is told once
TOLD_ELSEWHERE = frozenset({"SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "SpecificCharacterSet", "PixelData"})
RULES: tuple[Rule, ...] = ("missing", "empty", "value", "form")


@dataclass(frozen=True, slots=True)
class Deviation:
    """One rule of the standard that an instance breaks.

    Attributes
    ----------
    keyword
        Attribute.
    rule
        ``missing``, ``empty``, ``value`` or ``form``.
    kind
        Type of the attribute (1, 1C, 2), or the section of the rule.
    found
        The value where it is no enumerated one; else empty.
    """

    keyword: str
    rule: Rule
    severity: Severity
    kind: str = ""
    found: str = ""

    @property
    def text(self) -> str:
        """In words: ``FrameOfReferenceUID missing``."""
        return {
            "missing": f"{self.keyword} missing",
            "empty": f"{self.keyword} empty",
            "value": f"{self.keyword} {self.found!r}",
            "form": f"{self.keyword} {self.found}",
        }[self.rule]


@dataclass(frozen=True, slots=True)
class Compiled:
    """Rules of one kind of object: tag -> (keyword, type); `asked` are the keywords whose values the rules look at."""

    name: str
    must_be: dict[int, tuple[str, str]]  # types 1 and 2 of mandatory modules
    must_have_value: dict[int, tuple[str, str]]  # types 1 and 1C of any module: not empty where present
    conditions: tuple[dict[str, Any], ...]
    values: tuple[dict[str, Any], ...]
    asked: tuple[str, ...]


@cache
def tables() -> dict[str, Any]:
    """Return the tables of modules (`qc/standard/tables.json`)."""
    found: dict[str, Any] = json.loads(packaged("standard", "tables.json"))
    return found


@cache
def rules() -> dict[str, Any]:
    """Return severities, conditions and enumerated values (`qc/standard/rules.toml`)."""
    return tomllib.loads(packaged("standard", "rules.toml"))


@cache
def compiled(sop_class: str) -> Compiled | None:
    """Return the rules for objects of a SOP class; None where the tables do not hold it."""
    name = tables()["classes"].get(sop_class)
    if name is None:
        return None
    must_be: dict[int, tuple[str, str]] = {}
    must_have_value: dict[int, tuple[str, str]] = {}
    for module, usage in tables()["objects"][name].items():
        for keyword, kind in tables()["modules"][module].items():
            if keyword in TOLD_ELSEWHERE:
                continue
            tag = int(tag_for_keyword(keyword) or 0)
            if kind in ("1", "1C") and (usage == "M" or tag not in must_have_value):
                must_have_value[tag] = (keyword, kind)
            if usage == "M" and kind in ("1", "2") and must_be.get(tag, ("", "2"))[1] == "2":
                must_be[tag] = (keyword, kind)
    # an attribute that one mandatory module wants at least empty (2) may be empty although a module of another usage calls it type 1
    for tag, (_, kind) in must_be.items():
        if kind == "2":
            must_have_value.pop(tag, None)
    wanted = {
        keyword for module in tables()["objects"][name] for keyword, kind in tables()["modules"][module].items() if kind in ("1", "1C")
    }
    conditions = tuple(rule for rule in _of(name, rules()["condition"]) if rule["attribute"] in wanted)
    values = _of(name, rules()["value"])
    asked = dict.fromkeys([rule["attribute"] for rule in values] + [keyword for rule in conditions for keyword in rule.get("when", ())])
    return Compiled(name, must_be, must_have_value, conditions, values, tuple(asked))


def _of(name: str, found: list[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    return tuple(rule for rule in found if name in rule.get("classes", (name,)))


def severity(keyword: str, kind: str, rule: Rule) -> Severity:
    """Return how grave it is that a rule on an attribute is broken."""
    told = rules()["severity"]
    if rule == "form" or kind == "2" or keyword in told["cosmetic"]:
        return "cosmetic"
    return "blocks" if keyword in told["blocks"] and rule != "value" else "breaks"


def deviations(instance: Instance) -> tuple[Deviation, ...]:
    """Return the rules that an instance breaks; nothing where its class is not in the tables or its header is cut off.

    Equal headers give the very same tuple.
    """
    found = compiled(str(instance.get("SOPClassUID", "")))
    if found is None or instance.presence is None:
        return ()
    get = instance.tags.get
    told = tuple([get(keyword) for keyword in found.asked])
    return _deviations(found.name, instance.presence.filled, instance.presence.empty, told)


@lru_cache(maxsize=4096)
def _deviations(name: str, filled: frozenset[int], empty: frozenset[int], told: tuple[Any, ...]) -> tuple[Deviation, ...]:
    rules_ = _by_name(name)
    values = dict(zip(rules_.asked, told, strict=True))
    return (*_presence(rules_, filled, empty, values), *_values(rules_, values))


def _presence(rules_: Compiled, filled: frozenset[int], empty: frozenset[int], values: Mapping[str, Any]) -> list[Deviation]:
    """Presence and emptiness."""
    out = []
    for tag, (keyword, kind) in rules_.must_be.items():
        if tag not in filled and tag not in empty:
            out.append(Deviation(keyword, "missing", severity(keyword, kind, "missing"), kind))
    for tag in empty & rules_.must_have_value.keys():
        keyword, kind = rules_.must_have_value[tag]
        out.append(Deviation(keyword, "empty", severity(keyword, kind, "empty"), kind))
    for rule in rules_.conditions:
        if _holds(rule, values, filled) and int(tag_for_keyword(rule["attribute"]) or 0) not in filled | empty:
            out.append(Deviation(rule["attribute"], "missing", severity(rule["attribute"], "1C", "missing"), "1C"))
    return out


def _by_name(name: str) -> Compiled:
    return next(found for uid in tables()["classes"] if tables()["classes"][uid] == name and (found := compiled(uid)))


def _holds(rule: Mapping[str, Any], values: Mapping[str, Any], filled: frozenset[int]) -> bool:
    """Tell whether the condition of an attribute of type 1C is met."""
    for keyword, wanted in rule.get("when", {}).items():
        value = values.get(keyword)
        if isinstance(wanted, str):
            if not isinstance(value, (int, float)) or value <= float(wanted[1:]):
                return False
        elif value not in wanted:
            return False
    if not all(int(tag_for_keyword(keyword) or 0) in filled for keyword in rule.get("with", ())):
        return False
    return not any(int(tag_for_keyword(keyword) or 0) in filled for keyword in rule.get("unless", ()))


def _values(rules_: Compiled, values: Mapping[str, Any]) -> list[Deviation]:
    """Enumerated values."""
    out = []
    for rule in rules_.values:
        keyword, value = rule["attribute"], values[rule["attribute"]]
        part = rule.get("part")
        if part is not None:
            parts = value if isinstance(value, tuple) else (value,)
            value = parts[part - 1] if len(parts) >= part else None
        if value is not None and value != "" and value not in rule["allowed"]:
            shown = str(value)[:32] if keyword not in ("PatientSex",) else "not shown"
            out.append(Deviation(keyword, "value", severity(keyword, "1", "value"), rule["section"], shown))
    return out


# -- what is let pass ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Allowed:
    """One line of the allow-list."""

    attributes: frozenset[str]
    rules: frozenset[str]
    reason: str
    manufacturer: str = ""
    model: str = ""
    when: tuple[tuple[str, str], ...] = ()

    def covers(self, deviation: Deviation, tags: Mapping[str, Any]) -> bool:
        """Tell whether a deviation of an image of this maker and model is let pass."""
        return (
            deviation.rule in self.rules
            and ("*" in self.attributes or deviation.keyword in self.attributes)
            and str(tags.get("Manufacturer", "")).casefold().startswith(self.manufacturer)
            and str(tags.get("ManufacturerModelName", "")).casefold().startswith(self.model)
            and all(str(tags.get(keyword, "")) == value for keyword, value in self.when)
        )


_KEYS = {"manufacturer": str, "model": str, "when": dict, "attributes": list, "rules": list, "reason": str}


def read_allowed(text: str, where: str) -> tuple[Allowed, ...]:
    """Read an allow-list.

    Raises
    ------
    ConfigurationError
        All problems at once, each with the file and the number of the entry.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{where}: {error}") from None
    problems = [f"{where}: unknown key {name!r}; known is [[allow]]" for name in data.keys() - {"allow"}]
    found = []
    for number, entry in enumerate(data.get("allow", []), 1):
        at = f"{where}: entry {number}"
        problems += [f"{at}: unknown key {name!r}; known are {', '.join(_KEYS)}" for name in entry.keys() - _KEYS.keys()]
        problems += [
            f"{at}: {name} must be a {kind.__name__}" for name, kind in _KEYS.items() if name in entry and not isinstance(entry[name], kind)
        ]
        problems += [f"{at}: {name} is missing" for name in ("attributes", "rules", "reason") if name not in entry]
        if isinstance(entry.get("rules"), list):
            problems += [f"{at}: unknown rule {rule!r}; known are {', '.join(RULES)}" for rule in entry["rules"] if rule not in RULES]
        if isinstance(entry.get("attributes"), list):
            names = [name for name in entry["attributes"] if name != "*" and not tag_for_keyword(str(name))]
            problems += [f"{at}: no attribute is called {name!r}" for name in names]
        if not problems:
            found.append(
                Allowed(
                    frozenset(entry["attributes"]),
                    frozenset(entry["rules"]),
                    entry["reason"],
                    entry.get("manufacturer", "").casefold(),
                    entry.get("model", "").casefold(),
                    tuple(sorted((name, str(value)) for name, value in entry.get("when", {}).items())),
                )
            )
    if problems:
        raise ConfigurationError(problems)
    return tuple(found)


@cache
def allowed(file: str = "") -> tuple[Allowed, ...]:
    """Return the allow-list: the entries of a file (where one is named), then the built-in ones."""
    built_in = read_allowed(packaged("standard", "allowed.toml"), "allowed.toml")
    if not file:
        return built_in
    return read_allowed(configured(file, "allow-list"), Path(file).name) + built_in
