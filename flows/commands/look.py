"""Look at images now, without database and server: `check`, `phantom`; and what there is to check with: `checks`, `settings`."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.commands import DataFolder, Json, check_forms, refuse
from flows.voice import errors_in_words, page_options, progress
from qc.errors import ConfigurationError

if TYPE_CHECKING:
    from qc.check import CheckSpec
    from qc.runner import Options, Report

Paths = Annotated[list[Path], typer.Argument(metavar="PATH...", help="Folders, files, zip archives or DICOMDIR media.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON (its schema: `pacsqc check --schema`).")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV: one row a finding, measurement or skipped file.")]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with 1 on warnings too.")]
Criteria = Annotated[
    list[str] | None,
    typer.Option(metavar="SET_OR_FILE", help="Judge by this set (name or .toml file). May be repeated: the first wins."),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Also list what passed, UIDs of series, and tracebacks.")]


def _print_schema(wanted: bool) -> None:
    if wanted:
        from qc.output import schema

        typer.echo(json.dumps(schema(), indent=2, ensure_ascii=False))
        raise typer.Exit()


def check(
    context: typer.Context,
    paths: Paths,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    strict: Strict = False,
    only: Annotated[
        list[str] | None, typer.Option(metavar="CHECK", help="Run only this check, and those below it. May be repeated.")
    ] = None,
    criteria: Criteria = None,
    pixels: Annotated[bool, typer.Option("--pixels/--no-pixels", help="Look at pixels, or at headers only (faster).")] = True,
    expect: Annotated[int | None, typer.Option(metavar="N", min=1, help="How many images there should be; fewer is a failure.")] = None,
    verbose: Verbose = False,
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
    with errors_in_words():
        _check_call(paths, as_json, as_csv)
        values: dict[str, Any] = {"pixels": pixels, "expect": expect}
        if only:
            from flows.explain import choose
            from qc.check import load_checks

            values["only"] = tuple(spec.id for name in only for spec in choose(load_checks(), name))
        report = _run(_options(context.obj, criteria, values), paths)
    _show(report, paths, as_json=as_json, as_csv=as_csv, strict=strict, verbose=verbose)


def phantom(
    context: typer.Context,
    paths: Paths,
    as_name: Annotated[
        str | None, typer.Option("--as", metavar="NAME", help="Take every image series for this phantom, whatever it looks like.")
    ] = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    strict: Strict = False,
    criteria: Criteria = None,
    by_hand: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="TEST.WHAT=VALUE",
            help="Set a slice, centre, angle or region by hand, e.g. acr_mri.piu.slice_number=6. May be repeated; needs --reason.",
        ),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why it is set by hand; kept with the values.")] = "",
    again: Annotated[bool, typer.Option("--again", help="Automatic runs of this scanner use what is set here, too.")] = False,
    data: DataFolder = None,
    verbose: Verbose = False,
    report_folder: Annotated[
        Path | None, typer.Option("--report", metavar="FOLDER", help="Write a report of each visit there: a page, and a PDF to file.")
    ] = None,
) -> None:
    """Measure phantoms: only the phantom tests, each on the series in which its phantom is recognised.

    A phantom that is not recognised (off centre, odd size, much artefact) is named by --as; the names are those behind
    "phantom:" in `pacsqc checks`. Localizers are left out in any case. `pacsqc checks NAME` explains a test.

    What a test took wrong may be set by hand (--set): `pacsqc checks NAME` lists what it has, of which slice_number, center_row_px,
    center_col_px, roll_deg and region_radius_mm say where to measure. Each value then tells who set what, when and why.
    Where there are settings (pacsqc.toml, --data) it is kept in the database and in its audit log; `pacsqc device by-hand`
    lists it, and ends what --again began.

    \b
    Examples:
      pacsqc phantom acr/                          recognise and measure
      pacsqc phantom acr/ --as acr_mri_large       it is one, also if it does not look so
      pacsqc phantom acr/ --criteria acr-mri-2018  judge by other limits
      pacsqc phantom acr/ --csv >> results.csv     for a spreadsheet
      pacsqc phantom acr/ --report reports/        with a page and a PDF to be signed and filed
      pacsqc phantom acr/ --set acr_mri.thickness.roll_deg=1.2 --reason "slot read by eye"
      pacsqc phantom acr/ --set acr_mri.piu.slice_number=6 --reason "bubble in 7" --again

    \b
    Exit codes:
      0  every measurement is within its limits
      1  a finding or measurement is fail or error (with --strict also warn)
      2  the call or a setting is wrong, or there is no phantom to measure
    """
    from flows import explain
    from qc.check import load_checks

    with errors_in_words():
        _check_call(paths, as_json, as_csv)
        tests = [spec for spec in load_checks() if explain.is_phantom_test(spec)]
        values = {"only": tuple(spec.id for spec in tests), "as_class": explain.phantom_class(tests, as_name) if as_name else ""}
        if by_hand or again or reason:
            report = _run_by_hand(context, criteria, values, paths, _ByHand(by_hand or [], reason, again, data), tests)
        else:
            report = _run(_options(context.obj, criteria, values), paths)
    studies, others = explain.phantoms_of(report)
    names = ", ".join(explain.phantom_names(tests))
    if report_folder and studies:
        with errors_in_words():
            _write_reports(context.obj, report, report_folder)
    complaint = f"no phantom was recognised; if there is one, name it by --as: {names}" if report.given and not studies else ""
    if not (as_json or as_csv):  # what nobody looked at is not listed, lest it look as if nothing were wrong with it
        report = dataclasses.replace(report, studies=studies)
        if studies and others:
            typer.echo(f"pacsqc: {others} series without a recognised phantom were left out", err=True)
    _show(report, paths, as_json=as_json, as_csv=as_csv, strict=strict, verbose=verbose, complaint=complaint)


def _write_reports(config: Path | None, report: Report, folder: Path) -> None:
    """Write the reports of the visits and say where they are."""
    from flows import settings
    from reports import phantom as reports
    from reports import phantom_sources

    site = settings.load(config).site
    try:
        for run in phantom_sources.from_report(report, timezone=site.timezone, site=site.name):
            written = reports.write(run, folder)
            typer.echo(f"pacsqc: report: {written.page}, {written.pdf.name}", err=True)
    except OSError as error:
        raise ConfigurationError(f"nothing can be written to the report folder {str(folder)!r}: {error.strerror or error}") from error


@dataclasses.dataclass(frozen=True)
class _ByHand:
    """What a call sets by hand."""

    texts: list[str]
    reason: str
    again: bool
    data: Path | None


def _run_by_hand(
    context: typer.Context, criteria: list[str] | None, values: dict[str, Any], paths: list[Path], asked: _ByHand, tests: list[CheckSpec]
) -> Report:
    """Measure with what was set by hand, then keep it where there is a database."""
    from flows import by_hand, daily, outcome, settings
    from flows.who import login

    if not asked.texts:
        raise ConfigurationError("--reason and --again belong to --set TEST.WHAT=VALUE: what is set by hand?")
    chosen = by_hand.wanted(asked.texts, asked.reason, login(), tests)
    stored = asked.data is not None or settings.given(context.obj)
    if asked.again and not stored:
        raise ConfigurationError("--again needs the database of the automatic runs: call it where pacsqc.toml is, or give --data FOLDER")
    report = _run(_options(context.obj, criteria, values | {"parameters": by_hand.parameters(chosen)}), paths)
    if stored:
        with settings.overridden(context.obj, data_folder=asked.data) as all_of_them:
            outcome.check_data_folder(all_of_them)
            with daily.open_for(all_of_them) as store:
                name = by_hand.keep(store, chosen, report, asked.again)
        use = f"; the automatic runs of {name} use it from now on (`pacsqc device by-hand` ends that)" if asked.again else ""
        typer.echo(f"pacsqc: what was set by hand is kept in the database{use}", err=True)
    return report


def _check_call(paths: list[Path], as_json: bool, as_csv: bool) -> None:
    problems = []
    for path in paths:
        if not path.exists() and not path.is_symlink():
            near = next((parent for parent in path.parents if parent.exists()), Path())
            problems.append(f"there is no file or folder {str(path)!r}; {str(near)!r} is there: look what is in it, or check the spelling")
    refuse(problems + check_forms(as_json, as_csv))


def _options(config: Path | None, criteria: list[str] | None, values: dict[str, Any]) -> Options:
    """Put together how to run, from the settings (where there are any) and the command line."""
    from qc.check import load_checks
    from qc.runner import Options

    if not load_checks():
        raise ConfigurationError("no checks are installed; install pacsqc as a package: pip install -e .")
    if config or Path("pacsqc.toml").is_file() or any(name.upper().startswith("PACSQC_") for name in os.environ):
        from flows import settings  # not at the top: 0.3 s that most calls do not need

        if settings.given(config):
            chosen = settings.load(config)
            checks = chosen.checks
            values |= {"criteria": checks.criteria, "max_volume_mb": checks.max_volume_mb, "parameters": settings.parameters(chosen)}
    if criteria:
        values["criteria"] = tuple(criteria)
    return Options(**values)


def _run(options: Options, paths: list[Path]) -> Report:
    from qc.runner import Runner

    with Runner(options) as runner, progress("checking") as tell:
        return runner.paths(paths, tell)


def _show(report: Report, paths: list[Path], *, as_json: bool, as_csv: bool, strict: bool, verbose: bool, complaint: str = "") -> None:
    """Print a report and end with its exit code: 2 where there is a complaint on the call."""
    from qc.results import Status

    if not report.given:
        complaint = f"there is no file in {', '.join(map(str, paths))}"
    counts = report.counts()
    failed = counts[Status.FAIL] + counts[Status.ERROR] + (counts[Status.WARN] if strict else 0)
    code = 2 if complaint else 1 if failed else 0
    if as_json:
        from qc.output import to_json

        typer.echo(json.dumps(to_json(report), indent=2, ensure_ascii=False, allow_nan=False))
    elif as_csv:
        from qc.output import to_csv

        typer.echo(to_csv(report), nl=False)
    else:
        from flows.terminal import render

        typer.echo(render(report, exit_code=code, strict=strict, verbose=verbose, **page_options()), nl=False)
    if complaint:
        typer.echo(f"pacsqc: {complaint}", err=True)
    raise typer.Exit(code)


# -- checks, settings -----------------------------------------------------------------------------------------------


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
        chosen = module.load(context.obj)
    rows = module.rows(chosen)
    if as_json:
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    from flows import source_settings

    named = source_settings.as_toml(chosen.sources)
    typer.echo(module.as_toml(rows) + (named or "\n" + source_settings.explained()), nl=False)
