"""The daily pass: `run`, `report`, `demo`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.commands import DataFolder, Json, Through, refuse
from flows.voice import errors_in_words, progress

if TYPE_CHECKING:
    from flows.daily import Tally
    from flows.settings import Settings


def run(
    context: typer.Context,
    prefect: Through = True,
    inbox: Annotated[Path | None, typer.Option(help="Folder with new images, in place of inbox.folder of the settings.")] = None,
    data: DataFolder = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for what is still arriving, or leave it to the next run.")] = True,
    as_json: Json = False,
) -> None:
    """One daily pass: find new studies in the inbox, check them, keep the results, write the report of the day, send alerts.

    Run it as often as you like: nothing is counted twice, and a run that was stopped is finished by the next one. Without
    PREFECT_API_URL a temporary Prefect server is started; nothing leaves this machine but the alerts you asked for.

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


def report(
    context: typer.Context,
    date: Annotated[str | None, typer.Argument(metavar="[DATE]", help="YYYY-MM-DD; not given: the newest day with studies.")] = None,
    data: DataFolder = None,
    phantom: Annotated[
        bool, typer.Option("--phantom", help="Only the reports of the phantom runs of that day, each a page and a PDF.")
    ] = False,
    device: Annotated[str | None, typer.Option(metavar="NAME", help="With --phantom: only of this device.")] = None,
    week: Annotated[str | None, typer.Option(metavar="WEEK", help="The report of a week by device, e.g. 2026-W47.")] = None,
    month: Annotated[str | None, typer.Option(metavar="MONTH", help="The report of a month by device, e.g. 2026-11.")] = None,
    parquet: Annotated[bool, typer.Option("--parquet", help="Also Parquet files of the same tables (with --week or --month).")] = False,
) -> None:
    """Write the report of a day, a week or a month from the stored results, and print where it is: HTML, with CSV and XLSX beside it.

    A phantom run has a report of its own: verdicts, pictures, the history of that scanner, lines to sign on. The daily pass
    writes it beside the report of the day; --phantom writes it again, e.g. after a device was renamed.

    \b
    Examples:
      pacsqc report
      pacsqc report 2026-11-25
      pacsqc report --phantom                          of the newest day with a phantom
      pacsqc report --phantom 2026-11-25 --device MR1
      pacsqc report --month 2026-11
      pacsqc report --week 2026-W47 --parquet
    """
    from flows import outcome, settings

    with errors_in_words(), settings.overridden(context.obj, data_folder=data) as chosen:
        refuse(["--device goes with --phantom only"] if device and not phantom else [])
        refuse(["name a date, a week or a month; one of them"] if sum(map(bool, (date, week, month))) > 1 else [])
        refuse(["--phantom takes a date, no week or month"] if phantom and (week or month) else [])
        refuse(["--parquet goes with --week or --month"] if parquet and not (week or month) else [])
        outcome.check_data_folder(chosen)
        if phantom:
            from flows.phantom_reports import write_reports

            typer.echo("\n".join(map(str, write_reports(chosen, date, device))))
        elif week or month:
            typer.echo(outcome.write_period(chosen, week, month, parquet=parquet))
        else:
            typer.echo(outcome.write_report(chosen, date))


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
