"""The checks explained from their declarations: the one place that documents them."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import re
from collections.abc import Sequence
from typing import Any

from flows.terminal import Page, table
from qc.check import Applies, CheckSpec
from qc.errors import ConfigurationError
from qc.output import plain
from qc.runner import Report, display_unit
from qc.study import Study

NEEDS = {
    "headers": "headers only",
    "each_frame": "every image, one after another",
    "volume": "the whole stack at once",
}

BETTER = {"higher": "higher is better", "lower": "lower is better", "target": "should meet a target", "none": "for information"}

# Findings that no check declares: they are given by what runs the checks and what compares studies with each other
_OTHER_CODES = {
    "limit.exceeded": "A measurement is outside its limit. Repeat it once; if it stays outside, tell the physicist in charge.",
    "check.not_evaluable": "A check could not give an answer; its reason says why. Not a pass.",
    "check.error": "A check broke. A fault of the software, not of the images; the other checks went on. Pass the traceback on.",
    "study.incomplete": "Fewer objects than --expect are here. Ask the sender for the missing ones.",
    "study.more_than_expected": "More objects than --expect are here. Look whether objects of another study were mixed in.",
    "study.more_than_announced": "More objects came than the source itself counts. Look whether objects of another study were mixed in.",
    "study.not_checked": "A study was tried three times and could not be checked; its message says why. Check it by hand.",
    "file.gone": "Files left the inbox before their turn came. Something empties it too early; send the study again.",
}


def other_codes() -> dict[str, str]:
    """Return the findings that no check declares, with what they mean."""
    from qc import history, protocol_audit

    return _OTHER_CODES | history.CODES | protocol_audit.CODES


def choose(specs: Sequence[CheckSpec], name: str) -> list[CheckSpec]:
    """Return the checks that a name means: itself and those below it, or those that can give a finding of that code.

    Raises
    ------
    ConfigurationError
        If it means none.
    """
    found = [spec for spec in specs if spec.id == name or spec.id.startswith(name.rstrip(".") + ".")]
    found = found or [spec for spec in specs if name in spec.codes]
    if not found and name in (others := other_codes()):
        raise ConfigurationError(f"{name} is given by no check but by pacsqc itself: {others[name]}")
    if not found:
        close = difflib.get_close_matches(name, [spec.id for spec in specs], n=3, cutoff=0.5)
        hint = f" (did you mean {' or '.join(close)}?)" if close else ""
        raise ConfigurationError(f"there is no check {name!r}{hint}; `pacsqc checks` lists them all")
    return found


def applies_words(applies: Applies) -> str:
    """Say what a check applies to."""
    parts = []
    if applies.modalities:
        parts.append(", ".join(sorted(applies.modalities)))
    if applies.classes:
        parts.append("class " + ", ".join("any phantom" if name == "phantom:" else name for name in sorted(applies.classes)))
    text = "; ".join(parts) or "everything"
    if applies.not_classes:
        text += "; not " + ", ".join("phantoms" if name == "phantom:" else name for name in sorted(applies.not_classes))
    return text


def listing(specs: Sequence[CheckSpec]) -> str:
    """Return all checks, a line each."""
    if not specs:
        return "No checks are installed. Install pacsqc as a package: pip install -e .\n"
    rows = [("CHECK", "LEVEL", "APPLIES TO", "WHAT")] + [(spec.id, spec.level, applies_words(spec.applies), spec.title) for spec in specs]
    return table(rows) + "\npacsqc checks NAME explains one in full.\n"


def explain(spec: CheckSpec, *, colour: bool, width: int) -> str:
    """Return one check in full."""
    page = Page(colour=colour, width=width)
    page.add(spec.title, first=page.style(spec.id, bold=True) + "  ", width_of_first=2)
    page.add()
    for paragraph in re.split(r"\n\s*\n", spec.doc):
        page.add(" ".join(paragraph.split()), 2)
        page.add()
    for name, text in (
        ("applies to", applies_words(spec.applies)),
        ("level", spec.level),
        ("looks at", NEEDS[spec.needs]),
        ("required", "yes: without a verdict nothing passes" if spec.required else "no"),
        ("version", str(spec.version)),
        ("source", spec.source),
    ):
        page.add(text, 2, f"{name:<12}", 12)
    if spec.metrics:
        page.add()
        page.add(page.style("Measures", bold=True), 2)
        for metric in spec.metrics:
            unit = display_unit(metric.unit) or "a number"
            page.add(f"{metric.title} ({unit}; {BETTER[metric.better]}; {metric.source})", 4, f"{metric.id}: ", 4)
    if spec.codes:
        page.add()
        page.add(page.style("Finds", bold=True), 2)
        for code, meaning in spec.codes.items():
            page.add(meaning, 4, f"{code}: ", 4)
    fields = dataclasses.fields(spec.params)
    if fields:
        page.add()
        page.add(page.style("Parameters", bold=True), 2)
        meant = sentences(spec.params)
        for field in fields:
            page.add(meant.get(field.name, ""), 4, f"{field.name} = {default(field)!r}  ", 6)
    return str(page)


def default(field: dataclasses.Field[Any]) -> Any:
    """Return the default of a parameter."""
    return field.default_factory() if field.default is dataclasses.MISSING and callable(field.default_factory) else field.default


def sentences(params: type) -> dict[str, str]:
    """Read what the docstrings of a dataclass and its bases say on its attributes (numpydoc: a name, then indented lines)."""
    found: dict[str, str] = {}
    for one in reversed(params.__mro__[:-1]):
        own: dict[str, str] = {}
        names: list[str] = []
        for line in inspect.cleandoc(one.__doc__ or "").splitlines():
            if line and not line.startswith(" "):
                names = [name.strip() for name in line.partition(":")[0].split(",")]
            elif line.strip():
                for name in names:
                    own[name] = f"{own.get(name, '')} {line.strip()}".strip()
        found |= own
    return found


def as_json(spec: CheckSpec) -> dict[str, Any]:
    """Return one check in plain JSON types."""
    meant = sentences(spec.params)
    return {
        "id": spec.id,
        "version": spec.version,
        "title": spec.title,
        "doc": spec.doc,
        "level": spec.level,
        "needs": spec.needs,
        "applies": plain(spec.applies),
        "required": spec.required,
        "source": spec.source,
        "metrics": [plain(metric) for metric in spec.metrics],
        "codes": dict(spec.codes),
        "parameters": [
            {"name": field.name, "default": plain(default(field)), "meaning": meant.get(field.name, "")}
            for field in dataclasses.fields(spec.params)
        ],
    }


# -- phantoms -------------------------------------------------------------------------------------------------------


def is_phantom_test(spec: CheckSpec) -> bool:
    """Tell whether a check applies to phantoms only."""
    return bool(spec.applies.classes) and all(name.startswith("phantom:") for name in spec.applies.classes)


def phantom_names(tests: Sequence[CheckSpec]) -> list[str]:
    """Return the phantoms that there are tests for, without the ``phantom:`` of their class."""
    return sorted({name.partition(":")[2] for spec in tests for name in spec.applies.classes} - {""})


def phantoms_of(report: Report) -> tuple[list[Study], int]:
    """Return the studies of a report with the series of phantoms alone, and the number of other series."""
    studies, others = [], 0
    for study in report.studies:
        series = [one for one in study.series if one.klass.startswith("phantom:")]
        others += len(study.series) - len(series)
        studies += [dataclasses.replace(study, series=series)] if series else []
    return studies, others


def phantom_class(tests: Sequence[CheckSpec], name: str) -> str:
    """Return the class that the name of a phantom means.

    Raises
    ------
    ConfigurationError
        If there is none; lists those there are.
    """
    names = phantom_names(tests)
    plain = name.removeprefix("phantom:").lower()
    if plain not in names:
        close = difflib.get_close_matches(plain, names, n=1, cutoff=0.5)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise ConfigurationError(f"there is no test for a phantom {name!r}{hint}; there are tests for {', '.join(names)}")
    return f"phantom:{plain}"
