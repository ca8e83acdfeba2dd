"""`pacsqc protocol`: how series should be acquired, learned from history or written down, and which were not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.commands import Csv, DataFolder, Json, check_forms, group, print_rows, refuse
from flows.voice import errors_in_words, progress
from qc.errors import ConfigurationError

if TYPE_CHECKING:
    from flows.settings import Settings
    from qc.protocol import ProtocolSet, Row
    from reports.store import Store

app = group("Protocols: how series should be acquired. Learn them from what was scanned so far, show them, hold series against them.")

Paths = Annotated[
    list[Path] | None, typer.Argument(metavar="[PATH]...", help="Folders or files with images; none: what the database has seen.")
]
Protocols = Annotated[
    Path | None, typer.Option("--protocols", metavar="FILE", help="File with protocols, in place of checks.protocols of the settings.")
]
Days = Annotated[int, typer.Option(min=1, help="How far back in the database to look, days.")]


@contextmanager
def _chosen(context: typer.Context, data: Path | None) -> Iterator[Settings]:
    from flows import settings

    with errors_in_words(), settings.overridden(context.obj, data_folder=data) as chosen:
        yield chosen


@contextmanager
def _opened(chosen: Settings) -> Iterator[Store]:
    from flows import daily, outcome

    outcome.check_data_folder(chosen)
    with daily.open_for(chosen) as store:
        yield store


def _known(chosen: Settings, file: Path | None, *, needed: bool) -> ProtocolSet:
    """Read the protocols that are named, by the call or by the settings."""
    from qc.checks.protocol import read
    from qc.protocol import ProtocolSet

    file = file or chosen.checks.protocols
    if file is None and needed:
        raise ConfigurationError(
            "no protocols are named; name a file by --protocols or checks.protocols of the settings (`pacsqc protocol learn` writes one)"
        )
    return read(str(file)) if file else ProtocolSet()


def _rows(chosen: Settings, paths: list[Path], store: Store | None, days: int) -> list[Row]:
    from flows import protocols

    if store is not None:
        return protocols.rows_of_store(store, chosen.site.name, days, date.today())
    refuse([f"there is no file or folder {str(path)!r}" for path in paths if not path.exists()])
    with progress("reading headers") as tell:
        rows, report = protocols.rows_of_files(paths, chosen.site.name, tell)
    if report.skipped:
        typer.echo(f"pacsqc: {len(report.skipped)} files gave no image and were left out", err=True)
    return rows


@app.command(short_help="Learn protocols from what was scanned.")
def learn(
    context: typer.Context,
    paths: Paths = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to this file, not to stdout.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Write over a file that is there.")] = False,
    fewest: Annotated[int, typer.Option(min=1, help="A protocol run less often is not learned.")] = 3,
    days: Days = 365,
    protocols: Protocols = None,
    data: DataFolder = None,
) -> None:
    """Learn protocols: for each scanner, protocol name and echo the most frequent way of scanning, as a whole, is the reference.

    What is seen too seldom, or is run in two ways equally often, is not learned and stands as a comment in the file. Tolerances and rules over
    series ([[vertical]]) of the protocols that are in use are taken over. Look through the file before you name it in checks.protocols.

    \b
    Examples:
      pacsqc protocol learn -o protocols.toml             from the database
      pacsqc protocol learn archive/2026/ -o new.toml     from files
      pacsqc protocol learn --days 90 --fewest 10
    """
    from flows import protocols as module
    from qc.protocol_file import to_toml

    with _chosen(context, data) as chosen:
        refuse([f"{str(output)!r} is there already; --replace writes over it"] if output and output.exists() and not replace else [])
        known = _known(chosen, protocols, needed=False)
        if paths:
            rows = _rows(chosen, paths, None, days)
        else:
            with _opened(chosen) as store:
                rows = _rows(chosen, [], store, days)
        found = module.learn_from(rows, fewest, known)
        text = to_toml(found)
        if output:
            try:
                output.write_text(text, encoding="utf-8")
            except OSError as error:
                raise ConfigurationError(f"{str(output)!r} cannot be written: {error.strerror or error}") from error
        else:
            typer.echo(text, nl=False)
    number = len(found.protocols)
    told = f"{number} protocol{'' if number == 1 else 's'} learned from {len(rows)} series or echoes, {len(found.undecided)} not (reasons at the end)"
    typer.echo(f"pacsqc: {told}", err=True)


@app.command(short_help="Show protocols with their tolerances.")
def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Only those whose name holds this text.")] = "",
    protocols: Protocols = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Show the protocols in use: expected value and tolerance of each parameter, and how often it was seen.

    \b
    Examples:
      pacsqc protocol show
      pacsqc protocol show "t1 sag" --protocols protocols.toml
      pacsqc protocol show --csv > protocols.csv
    """
    from flows import protocols as module

    with _chosen(context, None) as chosen:
        refuse(check_forms(as_json, as_csv))
        known = _known(chosen, protocols, needed=True)
        rows = module.references(known, name)
        if name and not rows:
            raise ConfigurationError(f"no protocol has {name!r} in its name; `pacsqc protocol show` lists them all")
        print_rows(rows, as_json, as_csv, module.references_in_words(known, name))


@app.command(short_help="Hold series against their protocols.")
def check(
    context: typer.Context,
    paths: Paths = None,
    protocols: Protocols = None,
    learned: Annotated[bool, typer.Option("--learn", help="Hold them against what most of them have: no file is needed.")] = False,
    days: Days = 30,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 where anything deviates.")] = False,
    as_json: Json = False,
    as_csv: Csv = False,
    data: DataFolder = None,
) -> None:
    """Hold series against their protocols: across patients, across the series of each study, and the scanners over time.

    Shows expected, found and tolerance of what deviates; with the database also when the software of a scanner changed, and whether its clock is
    ahead or was moved. `pacsqc run` does the same for each new study once checks.protocols names a file.

    \b
    Examples:
      pacsqc protocol check                                    the last 30 days of the database
      pacsqc protocol check study/ --protocols protocols.toml
      pacsqc protocol check --learn --days 365 --csv           against the most frequent way

    \b
    Exit codes:
      0  done (with --strict: nothing deviates)
      1  with --strict: something deviates
      2  the call or a setting is wrong
    """
    from flows import protocols as module

    with _chosen(context, data) as chosen:
        refuse(check_forms(as_json, as_csv))
        refuse(["--learn and --protocols exclude each other; choose one"] if learned and protocols else [])
        known = _known(chosen, protocols, needed=not learned)
        if paths:
            rows, arrivals = _rows(chosen, paths, None, days), []
        else:
            with _opened(chosen) as store:
                rows, arrivals = _rows(chosen, [], store, days), module.arrivals_of_store(store, days, date.today())
        result = module.check(rows, module.learn_from(rows, 3, known) if learned else known, arrivals)
        if as_json:
            typer.echo(json.dumps(module.as_json(result), indent=2, ensure_ascii=False))
        else:
            print_rows(module.as_rows(result), False, as_csv, module.in_words(result))
    raise typer.Exit(1 if strict and not result.clean else 0)
