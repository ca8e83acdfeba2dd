"""Limits as data. Reads criteria sets and judges measurements; knows no number itself.

A criteria set is a TOML file: a name, a version, and criteria. Each criterion names its metric, what it holds for, up to
four levels, and where they come from. A value equal to a limit is inside it.
"""

from __future__ import annotations

import fnmatch
import hashlib
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from qc.errors import ConfigurationError
from qc.results import Measurement, Status, Verdict

# the sets that judge where nobody chose others; each holds for its own phantoms only
DEFAULT = ("acr-mri-2022", "acr-ct", "catphan", "tg-150")
LEVELS = ("action_low", "tolerance_low", "tolerance_high", "action_high")
_KEYS = {"metric", "region", "when", "edition", "provenance", "confidence", "max_age_days", "when_nothing", "note", *LEVELS}
_CONFIDENCE = {"verified", "second_hand", "from_memory", "conflicting", "site"}


@dataclass(frozen=True)
class Criterion:
    """One limit.

    Attributes
    ----------
    when
        What it holds for: name -> text (a pattern with ``*``), number, or ``{min, below, above, max}``. A fact that is
        not known does not match.
    action_low, tolerance_low, tolerance_high, action_high
        Outside action: fail. Outside tolerance: warn. None: no such level.
    confidence
        ``verified``, ``second_hand``, ``from_memory``, ``conflicting`` or ``site``.
    when_nothing
        Status of a measured "nothing" (a null value whose reason starts with ``nothing_``).
    """

    metric: str
    edition: str
    provenance: str
    confidence: str
    region: str = "*"
    when: tuple[tuple[str, Any], ...] = ()
    action_low: float | None = None
    tolerance_low: float | None = None
    tolerance_high: float | None = None
    action_high: float | None = None
    max_age_days: int | None = None
    when_nothing: Status | None = None
    note: str = ""

    def holds_for(self, measurement: Measurement, facts: Mapping[str, Any]) -> bool:
        """Tell whether this limit is meant for the measurement."""
        if self.metric != measurement.metric or not fnmatch.fnmatchcase(measurement.region, self.region):
            return False
        return all(_matches(wanted, facts.get(name)) for name, wanted in self.when)

    def status(self, value: float) -> Status:
        """Judge a value. A value equal to a limit is inside it."""
        if _outside(value, self.action_low, self.action_high):
            return Status.FAIL
        return Status.WARN if _outside(value, self.tolerance_low, self.tolerance_high) else Status.PASS

    def limits(self) -> dict[str, float | None]:
        """Return the four levels by name."""
        return {level: getattr(self, level) for level in LEVELS}


def _outside(value: float, low: float | None, high: float | None) -> bool:
    # a limit of 5 must hold 5.000000000000001, which is 5 after a chain of float operations
    slack = 1e-9 * max(1.0, abs(value))
    return (low is not None and value < low - slack) or (high is not None and value > high + slack)


def _matches(wanted: Any, fact: Any) -> bool:
    if fact is None:
        return False
    if isinstance(wanted, Mapping):
        if not isinstance(fact, (int, float)):
            return False
        return bool(
            fact >= wanted.get("min", -math.inf)
            and fact < wanted.get("below", math.inf)
            and fact > wanted.get("above", -math.inf)
            and fact <= wanted.get("max", math.inf)
        )
    if isinstance(wanted, str):
        return fnmatch.fnmatchcase(str(fact), wanted)
    if isinstance(wanted, list):
        return any(_matches(one, fact) for one in wanted)
    return bool(fact == wanted)


@dataclass(frozen=True)
class CriteriaSet:
    """A named, versioned file of criteria. The first criterion that holds for a measurement judges it."""

    name: str
    version: str
    title: str
    criteria: tuple[Criterion, ...]
    digest: str = ""

    def judge(self, measurement: Measurement, facts: Mapping[str, Any]) -> Verdict:
        """Return the verdict on one measurement.

        Parameters
        ----------
        facts
            What limits may depend on: ``modality``, ``class``, ``field_strength_t``, ``kvp``, ``manufacturer``, ``device`` ...
            Beside them the measurement's own ``details`` count (the phantom a localizer shows, the contrast of a series), so that
            stored measurements can be judged again.
        """
        facts = {**measurement.details, **facts}
        criterion = next((one for one in self.criteria if one.holds_for(measurement, facts)), None)
        if measurement.value is None:
            nothing = (measurement.reason or "").startswith("nothing_")
            status = criterion.when_nothing if criterion and nothing and criterion.when_nothing else Status.NOT_EVALUABLE
            return self._verdict(status, criterion)
        if criterion is None:
            return Verdict(Status.INFO)
        return self._verdict(criterion.status(measurement.value), criterion)

    def _verdict(self, status: Status, criterion: Criterion | None) -> Verdict:
        if criterion is None:
            return Verdict(status)
        origin = {
            "set": f"{self.name} {self.version}",
            "edition": criterion.edition,
            "provenance": criterion.provenance,
            "confidence": criterion.confidence,
        }
        return Verdict(status, criterion.limits(), origin)


def parse(text: str, where: str) -> CriteriaSet:
    """Read a criteria set from TOML.

    Raises
    ------
    ConfigurationError
        All problems at once, each naming file, criterion, key, value and what is allowed.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{where}: not valid TOML: {error}") from error
    problems = [
        f"{where}: unknown key {key!r}; allowed are name, version, title, criterion"
        for key in data.keys() - {"name", "version", "title", "criterion"}
    ]
    for key in ("name", "version", "title"):
        if not isinstance(data.get(key), str):
            problems.append(f"{where}: {key} must be a text")
    criteria = []
    entries = data.get("criterion", [])
    if not isinstance(entries, list):
        problems.append(f"{where}: criterion must be written as [[criterion]]")
        entries = []
    for number, entry in enumerate(entries, start=1):
        trouble = _entry_problems(entry)
        if trouble:
            name = entry.get("metric", "?") if isinstance(entry, Mapping) else "?"
            problems += [f"{where}: criterion {number} ({name}): {one}" for one in trouble]
        else:
            values = dict(entry)
            values["when"] = tuple(sorted(values.get("when", {}).items()))
            if "when_nothing" in values:
                values["when_nothing"] = Status(values["when_nothing"])
            criteria.append(Criterion(**values))
    if problems:
        raise ConfigurationError(problems)
    return CriteriaSet(data["name"], data["version"], data["title"], tuple(criteria), hashlib.sha256(text.encode()).hexdigest()[:12])


_RANGE = {"min", "below", "above", "max"}


def _condition_problems(when: Any) -> list[str]:
    """Check what a criterion holds for: a typing error must not widen a limit to everything."""
    if not isinstance(when, Mapping):
        return [f"when is {when!r}; it must be a table of conditions"]
    problems = []
    for name, wanted in when.items():
        if isinstance(wanted, Mapping):
            problems += [f"when.{name}: unknown {key!r}; allowed are {', '.join(sorted(_RANGE))}" for key in wanted.keys() - _RANGE]
            problems += [f"when.{name}.{key} must be a number" for key, value in wanted.items() if not _is_number(value)]
            if not wanted:
                problems.append(f"when.{name} is empty")
        elif not (isinstance(wanted, (str, list)) or _is_number(wanted)):
            problems.append(f"when.{name} is {wanted!r}; allowed are a text, a number, a list of them, or a range")
    return problems


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _entry_problems(entry: Any) -> list[str]:
    if not isinstance(entry, Mapping):
        return [f"{entry!r} is no table"]
    problems = _condition_problems(entry.get("when", {}))
    for key, kind in (("region", str), ("note", str), ("max_age_days", int)):
        if key in entry and not isinstance(entry[key], kind):
            problems.append(f"{key} is {entry[key]!r}; it must be a {'text' if kind is str else 'whole number'}")
    problems += [f"unknown key {key!r}; allowed are {', '.join(sorted(_KEYS))}" for key in entry.keys() - _KEYS]
    for key in ("metric", "edition", "provenance", "confidence"):
        if not isinstance(entry.get(key), str) or not entry[key]:
            problems.append(f"{key} must be a text")
    if not isinstance(entry.get("confidence"), str) or entry["confidence"] not in _CONFIDENCE:
        problems.append(f"confidence is {entry.get('confidence')!r}; allowed are {', '.join(sorted(_CONFIDENCE))}")
    levels = [entry[level] for level in LEVELS if level in entry]
    if not all(_is_number(level) for level in levels):
        problems.append("limits must be finite numbers")
    elif levels != sorted(levels):
        problems.append(f"limits must rise in the order {', '.join(LEVELS)}; got {levels}")
    elif not levels and "when_nothing" not in entry:
        problems.append(f"at least one of {', '.join(LEVELS)} is needed")
    if "when_nothing" in entry and entry["when_nothing"] not in [str(status) for status in Status]:
        problems.append(f"when_nothing is {entry['when_nothing']!r}; allowed are {', '.join(Status)}")
    return problems


def packaged(*names: str) -> str:
    """Return a data file that comes with the package: ``packaged("standard", "tables.json")``."""
    return resources.files("qc").joinpath(*names).read_text("utf-8")


def configured(file: str, what: str) -> str:
    """Return the text of a file of settings that the user named.

    Raises
    ------
    ConfigurationError
        If it is not there or cannot be read, with what it was wanted for.
    """
    try:
        return Path(file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{what} {file}: {getattr(error, 'strerror', None) or 'is not UTF-8 text'}") from None


def builtin_names() -> list[str]:
    """Return the names of the criteria sets that come with pacsqc."""
    return sorted(
        file.name.removesuffix(".toml") for file in resources.files("qc").joinpath("criteria").iterdir() if file.name.endswith(".toml")
    )


def load(names: list[str] | tuple[str, ...] = DEFAULT) -> CriteriaSet:
    """Read criteria sets, by name or as paths of TOML files, and join them; the first that has a criterion wins."""
    sets, problems = [], []
    for name in names:
        file = resources.files("qc").joinpath("criteria", f"{name}.toml")
        try:
            text = Path(name).read_text() if name.endswith(".toml") else file.read_text()
        except OSError:
            problems.append(
                f"criteria set {name!r} is not there; built in are {', '.join(builtin_names())}, or give the path of a .toml file"
            )
            continue
        try:
            sets.append(parse(text, name))
        except ConfigurationError as error:
            problems += error.problems
    if problems:
        raise ConfigurationError(problems)
    if len(sets) == 1:
        return sets[0]
    digest = hashlib.sha256("".join(one.digest for one in sets).encode()).hexdigest()[:12]
    return Criteria("+".join(one.name for one in sets), "+".join(one.version for one in sets), "", (), digest, tuple(sets))


@dataclass(frozen=True)
class Criteria(CriteriaSet):
    """Several sets asked in order; each verdict carries the name of the set it comes from."""

    sets: tuple[CriteriaSet, ...] = ()

    def judge(self, measurement: Measurement, facts: Mapping[str, Any]) -> Verdict:
        """Return the verdict of the first set that has a criterion for the measurement."""
        verdict = Verdict(Status.NOT_EVALUABLE if measurement.value is None else Status.INFO)
        for one in self.sets:
            verdict = one.judge(measurement, facts)
            if verdict.criteria is not None:
                return verdict
        return verdict
