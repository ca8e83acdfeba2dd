"""Write the pages that are made from the code: docs/checks.md, docs/commands.md and docs/settings.md.

python docs/build.py                  write them
python docs/build.py --check          exit 1 where a page is not what the code says
python docs/build.py --screenshots    make the pictures in docs/images too, from the simulated day (needs Chromium)
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click
from typer.main import get_command

from flows import explain, source_settings
from flows import settings as settings_module
from flows.cli import app
from qc.check import CheckSpec, load_checks
from qc.runner import display_unit

HERE = Path(__file__).parent


def _cell(text: object) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")


def _table(head: list[str], rows: list[list[object]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return [*lines, *("| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows), ""]


def _check(spec: CheckSpec) -> list[str]:
    facts = explain.as_json(spec)
    lines = [f"## {spec.id}", "", f"**{spec.title}.** {_cell(spec.doc.split(chr(10) * 2)[0])}", ""]
    lines += [_cell(part) + "\n" for part in spec.doc.split("\n\n")[1:]]
    lines += [
        f"- applies to: {_cell(explain.applies_words(spec.applies))}",
        f"- looks at: {explain.NEEDS[spec.needs]}; version {spec.version}; {'required' if spec.required else 'not required'}",
        f"- source: {_cell(spec.source)}",
        "",
    ]
    if spec.metrics:
        rows = [[f"`{m.id}`", display_unit(m.unit) or "1", m.title, explain.BETTER[m.better], m.source] for m in spec.metrics]
        lines += _table(["metric", "unit", "what", "good", "source"], rows)
    if spec.codes:
        lines += _table(["code", "what it means and what to do"], [[f"`{code}`", text] for code, text in sorted(spec.codes.items())])
    if facts["parameters"]:
        rows = [[f"`{one['name']}`", f"`{one['default']}`", one["meaning"]] for one in facts["parameters"]]
        lines += _table(["parameter", "default", "meaning"], rows)
    return lines


def checks_page() -> str:
    """Return docs/checks.md."""
    lines = [
        "# The checks",
        "",
        "Made from the code by `python docs/build.py`; `pacsqc checks NAME` says the same on the command line.",
        "",
        *_table(
            ["check", "level", "what"], [[f"[{spec.id}](#{spec.id.replace('.', '')})", spec.level, spec.title] for spec in load_checks()]
        ),
    ]
    for spec in load_checks():
        lines += _check(spec)
    lines += [
        "## Findings of pacsqc itself",
        "",
        "Given by what runs the checks and compares studies with each other, not by one of them.",
        "",
    ]
    lines += _table(["code", "what it means and what to do"], [[f"`{code}`", text] for code, text in sorted(explain.other_codes().items())])
    return "\n".join(lines).rstrip() + "\n"


def settings_page() -> str:
    """Return docs/settings.md."""
    rows = settings_module.rows(settings_module.Settings.model_construct())  # defaults: neither environment nor a settings file
    lines = ["# Settings", "", "One file, `pacsqc.toml`; everything has a default. Made from the code by `python docs/build.py`.", ""]
    lines += ["```toml", settings_module.as_toml(rows).rstrip(), "```", "", "## Sources", ""]
    lines += ["As many as you like, of any kinds, looked at one beside the other. Each `[[sources]]` is one; here is every key.", ""]
    lines += ["```toml", source_settings.explained().rstrip(), "```"]
    return "\n".join(lines) + "\n"


def commands(command: click.Command, name: str = "pacsqc") -> Iterator[tuple[str, click.Command]]:
    """Yield every command with its full name."""
    yield name, command
    for key, one in getattr(command, "commands", {}).items():
        yield from commands(one, f"{name} {key}")


def commands_page() -> str:
    """Return docs/commands.md."""
    lines = ["# The commands", "", "Made from the code by `python docs/build.py`; `pacsqc COMMAND --help` says the same.", ""]
    every = list(commands(get_command(app)))
    rows = [[f"[`{name}`](#{name.replace(' ', '-')})", one.get_short_help_str(120)] for name, one in every[1:]]
    lines += _table(["command", "what it does"], rows)
    for name, one in every:
        context = click.Context(one, info_name=name, terminal_width=110, max_content_width=110)
        lines += [f"## {name}", "", "```", one.get_help(context), "```", ""]
    return "\n".join(lines).rstrip() + "\n"


PAGES = {"checks.md": checks_page, "commands.md": commands_page, "settings.md": settings_page}


def main() -> int:
    """Write or compare the pages."""
    if "--screenshots" in sys.argv:
        from pictures import make

        make(HERE / "images")
    stale = []
    for name, page in PAGES.items():
        text = page()
        path = HERE / name
        if "--check" in sys.argv:
            stale += [name] if not path.exists() or path.read_text() != text else []
        else:
            path.write_text(text)
    if stale:
        print(f"not what the code says: {', '.join(stale)}; run python docs/build.py")
    return int(bool(stale))


if __name__ == "__main__":
    raise SystemExit(main())
