"""The command line: `pacsqc`.

Results go to stdout, everything else to stderr. Commands import what they need when they run: `pacsqc check` answers in
about a second because it never loads Prefect, pandas or the database.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.voice import errors_in_words, page_options, progress, set_up
from qc.errors import ConfigurationError

if TYPE_CHECKING:
    from flows.daily import Tally
    from flows.settings import Settings
    from qc.runner import Options, Report

HELP = """Image quality control for a PACS.

\b
  pacsqc check FOLDER        look at images now: no database, no server
  pacsqc run                 one daily pass: inbox -> checks -> report
  pacsqc demo                the same on a made-up day with planted faults

Exit codes: 0 nothing failed, 1 something failed, 2 the call or a setting is wrong.
"""

app = typer.Typer(
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def main(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option(help="Settings file, in place of pacsqc.toml in the current folder.")] = None,
) -> None:
    context.obj = config
    set_up()


def _print_schema(wanted: bool) -> None:
    if wanted:
        from qc.output import schema

        typer.echo(json.dumps(schema(), indent=2, ensure_ascii=False))
        raise typer.Exit()


# -- check ----------------------------------------------------------------------------------------------------------


@app.command(short_help="Check images now: no database, no server.")
def check(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Folders, files, zip archives or DICOMDIR media.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON (its schema: `pacsqc check --schema`).")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV: one row a finding, measurement or skipped file.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 on warnings too.")] = False,
    only: Annotated[
        list[str] | None, typer.Option(metavar="CHECK", help="Run only this check, and those below it. May be repeated.")
    ] = None,
    criteria: Annotated[
        list[str] | None,
        typer.Option(metavar="SET_OR_FILE", help="Judge by this set (name or .toml file). May be repeated: the first wins."),
    ] = None,
    pixels: Annotated[bool, typer.Option("--pixels/--no-pixels", help="Look at pixels, or at headers only (faster).")] = True,
    expect: Annotated[int | None, typer.Option(metavar="N", min=1, help="How many images there should be; fewer is a failure.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Also list what passed, UIDs of series, and tracebacks.")] = False,
    schema: Annotated[
        bool, typer.Option("--schema", is_eager=True, callback=_print_schema, help="Print the JSON Schema of --json.")
    ] = False,
) -> None:
    """Check images: every check that applies, phantom tests too where a phantom is recognised.

    \b
    Examples:
      pacsqc check study/                          a folder, with all below it
      pacsqc check export.zip                      an archive
      pacsqc check /media/cdrom/DICOMDIR           a medium
      pacsqc check study/ --no-pixels              headers only
      pacsqc check study/ --only slices            one check
      pacsqc check study/ --expect 192             fewer than 192 images is a failure
      pacsqc check study/ --json > result.json     for programs
      pacsqc check phantom/ --criteria my.toml --criteria acr-mri-2022

    \b
    Exit codes:
      0  nothing failed
      1  a finding or measurement is fail or error (with --strict also warn)
      2  the call or a setting is wrong, or there is no file to check
    """
    from qc.results import Status

    with errors_in_words():
        _check_call(paths, as_json and as_csv)
        options = _options(context.obj, only, criteria, pixels, expect)
        report = _run_checks(options, paths)
    counts = report.counts()
    failed = counts[Status.FAIL] + counts[Status.ERROR] + (counts[Status.WARN] if strict else 0)
    code = 2 if not report.given else 1 if failed else 0
    if as_json:
        from qc.output import to_json

        typer.echo(json.dumps(to_json(report), indent=2, ensure_ascii=False, allow_nan=False))
    elif as_csv:
        from qc.output import to_csv

        typer.echo(to_csv(report), nl=False)
    else:
        from flows.terminal import render

        typer.echo(render(report, exit_code=code, strict=strict, verbose=verbose, **page_options()), nl=False)
    if not report.given:
        typer.echo(f"pacsqc: there is no file in {', '.join(map(str, paths))}", err=True)
    raise typer.Exit(code)


def _check_call(paths: list[Path], both: bool) -> None:
    problems = []
    for path in paths:
        if not path.exists() and not path.is_symlink():
            near = next((parent for parent in path.parents if parent.exists()), Path())
            problems.append(f"there is no file or folder {str(path)!r}; {str(near)!r} is there: look what is in it, or check the spelling")
    if both:
        problems.append("--json and --csv exclude each other; choose one")
    if problems:
        raise ConfigurationError(problems)


def _options(config: Path | None, only: list[str] | None, criteria: list[str] | None, pixels: bool, expect: int | None) -> Options:
    """Put together how to run, from the settings (where there are any) and the command line."""
    from qc.check import load_checks
    from qc.runner import Options

    if not load_checks():
        raise ConfigurationError("no checks are installed; install pacsqc as a package: pip install -e .")
    values: dict[str, Any] = {"pixels": pixels, "expect": expect}
    if config or Path("pacsqc.toml").is_file() or any(name.upper().startswith("PACSQC_") for name in os.environ):
        from flows import settings  # not at the top: 0.3 s that most calls do not need

        if settings.given(config):
            checks = settings.load(config).checks
            values |= {"criteria": checks.criteria, "max_volume_mb": checks.max_volume_mb}
    if criteria:
        values["criteria"] = tuple(criteria)
    if only:
        from flows.explain import choose

        values["only"] = tuple(spec.id for name in only for spec in choose(load_checks(), name))
    return Options(**values)


def _run_checks(options: Options, paths: list[Path]) -> Report:
    from qc.runner import Runner

    with Runner(options) as runner, progress("checking") as tell:
        return runner.paths(paths, tell)


# -- checks, settings -----------------------------------------------------------------------------------------------


@app.command(short_help="List the checks, or explain one in full.")
def checks(
    name: Annotated[str | None, typer.Argument(help="Explain this check in full.")] = None,
    as_json: Json = False,
) -> None:
    """List the checks, or explain one: what it applies to, metrics with units, codes with meaning, parameters, source.

    \b
    Examples:
      pacsqc checks
      pacsqc checks slices
      pacsqc checks --json
    """
    from flows import explain
    from qc.check import load_checks

    with errors_in_words():
        specs = list(load_checks())
        chosen = explain.choose(specs, name) if name else specs
    if as_json:
        typer.echo(json.dumps([explain.as_json(spec) for spec in chosen], indent=2, ensure_ascii=False))
    elif name:
        typer.echo("\n".join(explain.explain(spec, **page_options()) for spec in chosen), nl=False)
    else:
        typer.echo(explain.listing(specs), nl=False)


@app.command(short_help="Print the settings in effect.")
def settings(context: typer.Context, as_json: Json = False) -> None:
    """Print the settings in effect, as a settings file with a sentence on each key; secrets are masked.

    \b
    Examples:
      pacsqc settings
      pacsqc settings > pacsqc.toml        a file to start from
      PACSQC_RUN_WORKERS=4 pacsqc settings
    """
    from flows import settings as module

    with errors_in_words():
        rows = module.rows(module.load(context.obj))
    typer.echo(json.dumps(rows, indent=2, ensure_ascii=False) if as_json else module.as_toml(rows), nl=as_json)


# -- the daily pass -------------------------------------------------------------------------------------------------

DataFolder = Annotated[
    Path | None, typer.Option("--data", help="Folder for database and reports, in place of data.folder of the settings.")
]
Through = Annotated[bool, typer.Option("--prefect/--no-prefect", help="Go through Prefect, or do the same work without.")]


@app.command(short_help="One daily pass: inbox, checks, report.")
def run(
    context: typer.Context,
    prefect: Through = True,
    inbox: Annotated[Path | None, typer.Option(help="Folder with new images, in place of inbox.folder of the settings.")] = None,
    data: DataFolder = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for what is still arriving, or leave it to the next run.")] = True,
    as_json: Json = False,
) -> None:
    """One daily pass: find new studies in the inbox, check them, keep the results, write the report of the day.

    Run it as often as you like: nothing is counted twice, and a run that was stopped is finished by the next one. Without
    PREFECT_API_URL a temporary Prefect server is started; nothing leaves this machine.

    \b
    Examples:
      pacsqc run
      pacsqc run --inbox /incoming --data /var/lib/pacsqc
      pacsqc run --no-prefect                      e.g. from cron, without any server

    \b
    Exit codes:
      0  the pass was done; what is wrong with images stands in the report
      1  studies are left that could not be checked now; run it again
      2  the call or a setting is wrong
    """
    from flows import outcome, settings

    with errors_in_words(), settings.overridden(context.obj, data_folder=data, inbox_folder=inbox) as chosen:
        outcome.check_data_folder(chosen)
        outcome.check_inbox(chosen)
        done = _pass(chosen, prefect, wait)
        typer.echo(json.dumps(done.plain(), indent=2) if as_json else outcome.in_words(done, chosen))
    raise typer.Exit(1 if done.given_back else 0)


def _pass(chosen: Settings, prefect: bool, wait: bool) -> Tally:
    """Do the pass; show progress on a terminal."""
    from flows import daily

    if prefect:
        from flows import run as way
    else:
        way = daily
    with progress("checking studies") as tell:
        if tell is None:
            return way.run_pass(chosen, patient=wait)
        from flows.bar import watch

        with daily.open_for(chosen) as store, watch(store.tally, tell):
            return way.run_pass(chosen, patient=wait)


@app.command(short_help="Write the report of a day again.")
def report(
    context: typer.Context,
    date: Annotated[str | None, typer.Argument(metavar="[DATE]", help="YYYY-MM-DD; not given: the newest day with studies.")] = None,
    data: DataFolder = None,
) -> None:
    """Write the report of a day again, from the stored results, and print where it is.

    \b
    Examples:
      pacsqc report
      pacsqc report 2026-11-25
    """
    from flows import outcome, settings

    with errors_in_words(), settings.overridden(context.obj, data_folder=data) as chosen:
        outcome.check_data_folder(chosen)
        typer.echo(outcome.write_report(chosen, date))


@app.command(short_help="The daily pass on a made-up day with planted faults.")
def demo(
    context: typer.Context,
    data: DataFolder = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another day.")] = 1,
    prefect: Through = True,
) -> None:
    """A made-up day: write a few synthetic studies with planted faults, do the daily pass on them, compare with the key.

    It works in the folder demo inside the data folder, and starts afresh each time. Exit code 0 if every planted fault
    was found and nothing else failed, else 1.

    \b
    Examples:
      pacsqc demo
      pacsqc demo --seed 7
    """
    from flows import demo as module
    from flows import outcome, settings

    with errors_in_words(), settings.overridden(context.obj, data_folder=data) as own, module.chosen(own) as chosen:
        outcome.check_data_folder(own)
        day = module.prepare(chosen, seed)
        done = _pass(chosen, prefect, wait=False)
        text, good = module.compare(chosen, day, done)
    typer.echo(text, nl=False)
    raise typer.Exit(0 if good else 1)
