"""Read the sources of the settings file, and show them: every mistake named with source, key, value and what is allowed."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from flows.sections import Section
from flows.source_sections import KINDS, OWN_NAMES, ArchiveSection, FolderSection, RuleSection, SourceSection


def read(tables: Any, shown: str) -> tuple[tuple[SourceSection, ...], list[str]]:
    """Return the sources of a settings file, and what is wrong with them."""
    if not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
        return (), [f"{shown}: each source is a section of its own, written [[sources]]"]
    sources, problems, names = [], [], set(OWN_NAMES)
    for number, table in enumerate(tables, 1):
        where = f"{shown}: source {table.get('name') or number!r}"
        kind = table.get("kind")
        if kind not in KINDS:
            problems.append(f"{where}: kind is {kind!r}; allowed is {', '.join(KINDS)}")
            continue
        if "name" not in table:
            problems.append(f"{where}: it has no name; allowed is {_allowed(KINDS[kind], 'name')}")
            continue
        try:
            one = KINDS[kind](**table)
        except ValidationError as error:
            problems += [_in_words(some, KINDS[kind], where) for some in error.errors()]
            continue
        if one.name in names:
            problems.append(f"{where}: the name {one.name!r} is taken; each source has its own")
        names.add(one.name)
        sources.append(one)
    return tuple(sources), problems


def anchored(one: SourceSection, base: Path) -> SourceSection:
    """Relative paths count from the folder of the settings file."""
    names = ("certificate", "key", "trusted") if isinstance(one, ArchiveSection) else ("folder",) if isinstance(one, FolderSection) else ()
    return one.model_copy(update={name: base / getattr(one, name) for name in names if getattr(one, name) is not None})


def rows(one: SourceSection) -> list[dict[str, Any]]:
    """Return every key of a source with its value, unit, sentence and what is allowed."""
    found = []
    for key, field in type(one).model_fields.items():
        if key != "kind":
            found.append({"key": key, "value": getattr(one, key), **_about(field)})
    return found


def as_toml(sources: tuple[SourceSection, ...]) -> str:
    """Return the sources as sections of a settings file, without the keys that have their default."""
    lines: list[str] = []
    for one in sources:
        lines += ["", "[[sources]]", f'kind = "{one.kind}"']  # type: ignore[attr-defined]
        for key, field in type(one).model_fields.items():
            value = getattr(one, key)
            if key not in ("kind", "rules") and value != field.default:
                lines.append(f"{key} = {_toml(value)}")
        for rule in getattr(one, "rules", ()):
            lines.append("[[sources.rules]]")
            lines += [
                f"{key} = {_toml(getattr(rule, key))}"
                for key, field in RuleSection.model_fields.items()
                if getattr(rule, key) != field.default
            ]
    return "\n".join(lines) + ("\n" if lines else "")


def explained() -> str:
    """Return every key of every kind of source, as a commented part of a settings file."""
    lines = ["# Sources: as many as you like, each with a name of its own. Secrets stand in environment variables that are named here.", ""]
    told: set[str] = set()
    for kind, model in KINDS.items():
        lines += [f"# [[sources]]  {' '.join((model.__doc__ or '').split())}", f'# kind = "{kind}"']
        for key, field in model.model_fields.items():
            if key == "kind" or (key in told and key != "name"):
                continue
            told.add(key)
            lines += _commented(key, field)
        lines.append("")
    lines += [f"# [[sources.rules]]  {' '.join((RuleSection.__doc__ or '').split())}"]
    for key, field in RuleSection.model_fields.items():
        lines += _commented(key, field)
    return "\n".join(lines) + "\n"


def _commented(key: str, field: Any) -> list[str]:
    about = _about(field)
    unit = f" Unit: {about['unit']}." if about["unit"] else ""
    return [f"#   {key} = {_toml(field.default)}", f"#     {about['sentence']} Allowed: {about['allowed']}.{unit}"]


def _about(field: Any) -> dict[str, str]:
    extra = field.json_schema_extra or {}
    return {"sentence": field.description or "", "allowed": str(extra.get("allowed", "")), "unit": str(extra.get("unit", ""))}


def _toml(value: Any) -> str:
    import json

    if isinstance(value, Path):
        value = value.as_posix()
    if isinstance(value, tuple):
        value = list(value)
    return json.dumps("" if value is None else value, ensure_ascii=False, default=str)


def _allowed(model: type[Section], key: str) -> str:
    return _about(model.model_fields[key])["allowed"]


def _in_words(error: Any, model: type[Section], where: str) -> str:
    """Put an error of pydantic in a sentence that names source, key, value and what is allowed."""
    place = list(error["loc"])
    if not place:
        return f"{where}: {str(error['msg']).removeprefix('Value error, ')}"
    key = str(place[0])
    if key == "rules" and len(place) > 2:
        model, where, key = RuleSection, f"{where}: rule {int(place[1]) + 1}", str(place[2])
    if key not in model.model_fields:
        close = difflib.get_close_matches(key, model.model_fields, n=1, cutoff=0.7)
        meant = f" (did you mean {close[0]}?)" if close else ""
        return f"{where}: unknown key {key!r}{meant}; allowed are {', '.join(model.model_fields)}"
    return f"{where}: {key} is {error['input']!r}; allowed is {_allowed(model, key)}"
