"""The commands of `pacsqc`, a file a topic, and the options that several of them take.

A module here is imported with every call, so whatever takes its time to load is imported inside the commands.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qc.errors import ConfigurationError

if TYPE_CHECKING:
    from reports.store import Store

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print CSV.")]
DataFolder = Annotated[
    Path | None, typer.Option("--data", help="Folder for database and reports, in place of data.folder of the settings.")
]
Through = Annotated[bool, typer.Option("--prefect/--no-prefect", help="Go through Prefect, or do the same work without.")]


def group(help_text: str) -> typer.Typer:
    """Return a command that has commands of its own."""
    return typer.Typer(help=help_text, no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def check_forms(as_json: bool, as_csv: bool) -> list[str]:
    """Say what is wrong with the wanted form of output."""
    return ["--json and --csv exclude each other; choose one"] if as_json and as_csv else []


def print_rows(rows: Sequence[dict[str, Any]], as_json: bool, as_csv: bool, otherwise: str) -> None:
    """Print rows of plain values as JSON or CSV, else a text."""
    if as_json:
        typer.echo(json.dumps(list(rows), indent=2, ensure_ascii=False))
    elif as_csv:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(rows[0] if rows else ())
        writer.writerows([" ".join(map(str, cell)) if isinstance(cell, (list, tuple)) else cell for cell in row.values()] for row in rows)
        typer.echo(text.getvalue(), nl=False)
    else:
        typer.echo(otherwise, nl=False)


def refuse(problems: Sequence[str]) -> None:
    """End with all problems of a call, if there are any."""
    if problems:
        raise ConfigurationError(list(problems))


@contextmanager
def store_of(context: typer.Context, data: Path | None) -> Iterator[Store]:
    """Give the database of the settings; what is wrong is told in words."""
    from flows import daily, outcome, settings
    from flows.voice import errors_in_words

    with errors_in_words(), settings.overridden(context.obj, data_folder=data) as chosen:
        outcome.check_data_folder(chosen)
        with daily.open_for(chosen) as store:
            yield store


def parse_day(text: str) -> date:
    """Read a day.

    Raises
    ------
    ConfigurationError
        If it is none.
    """
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(f"{text!r} is no date; write it as YYYY-MM-DD, e.g. 2026-11-25") from error
