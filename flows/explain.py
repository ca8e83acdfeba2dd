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
from qc.runner import display_unit

NEEDS = {
    "headers": "headers only",
    "each_frame": "every image, one after another",
    "volume": "the whole stack at once",
}

BETTER = {"higher": "higher is better", "lower": "lower is better", "target": "should meet a target", "none": "for information"}


def choose(specs: Sequence[CheckSpec], name: str) -> list[CheckSpec]:
    """Return the checks that a name means: itself, and those below it.

    Raises
    ------
    ConfigurationError
        If it means none.
    """
    found = [spec for spec in specs if spec.id == name or spec.id.startswith(name.rstrip(".") + ".")]
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
        sentences = _sentences(spec.params)
        for field in fields:
            page.add(sentences.get(field.name, ""), 4, f"{field.name} = {default(field)!r}  ", 6)
    return str(page)


def default(field: dataclasses.Field[Any]) -> Any:
    """Return the default of a parameter."""
    return field.default_factory() if field.default is dataclasses.MISSING and callable(field.default_factory) else field.default


def _sentences(params: type) -> dict[str, str]:
    """Read what the docstring of a dataclass says on its attributes (numpydoc: a name, then indented lines)."""
    found: dict[str, str] = {}
    names: list[str] = []
    for line in (inspect.getdoc(params) or "").splitlines():
        if line and not line.startswith(" "):
            names = [name.strip() for name in line.partition(":")[0].split(",")]
        elif line.strip():
            for name in names:
                found[name] = f"{found.get(name, '')} {line.strip()}".strip()
    return found


def as_json(spec: CheckSpec) -> dict[str, Any]:
    """Return one check in plain JSON types."""
    sentences = _sentences(spec.params)
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
            {"name": field.name, "default": plain(default(field)), "meaning": sentences.get(field.name, "")}
            for field in dataclasses.fields(spec.params)
        ],
    }
