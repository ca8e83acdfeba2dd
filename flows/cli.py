"""The command line: `pacsqc`.

Results go to stdout, everything else to stderr. Commands import what they need when they run: `pacsqc check` answers in
about a second because it never loads Prefect, pandas or the database.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from flows.commands import (
    alerts,
    audit_log,
    devices,
    intake,
    judge,
    keep,
    look,
    passes,
    protocols,
    serve,
    simulated,
    trend,
    web,
    who,
)  # fmt: skip
from flows.voice import set_up

# set before numpy is loaded: our matrices are small, and threads that wait for each other cost a busy machine seconds
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

HELP = """Image quality control for a PACS.

\b
  pacsqc check FOLDER        look at images now: no database, no server
  pacsqc phantom FOLDER      measure phantoms now
  pacsqc run                 one daily pass: inbox -> checks -> report -> alerts
  pacsqc receive             take what scanners and PACS push
  pacsqc schedule            do all of it by the clock
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


@app.callback()
def main(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option(help="Settings file, in place of pacsqc.toml in the current folder.")] = None,
) -> None:
    context.obj = config
    set_up()


app.command(short_help="Check images now: no database, no server.")(look.check)
app.command(short_help="Measure phantoms now: phantom tests only.")(look.phantom)
app.command(short_help="List the checks, or explain one in full.")(look.checks)
app.command(short_help="One daily pass: inbox, checks, report, alerts.")(passes.run)
app.command(short_help="Write the report of a day again.")(passes.report)
app.command(short_help="Take what is pushed to us over DICOM.")(serve.receive)
app.command(short_help="Do the passes and the upkeep by the clock.")(serve.schedule)
app.command(short_help="Ask every source whether it is there.")(intake.ping)
app.command(short_help="Where each study of the sources stands, and why.")(intake.intake)
app.command(short_help="Compare two archives: what is missing on either side.")(intake.compare)
app.command(short_help="Check studies again that were checked before.")(keep.reprocess)
app.command(short_help="What is done every night: sweep, retention, notices.")(keep.upkeep)
app.command(short_help="Everything in one verified file.")(keep.backup)
app.command(short_help="Bring a backup back.")(keep.restore)
app.add_typer(devices.app, name="device", short_help="Devices: list, rename, merge, choose their limits.")
app.add_typer(protocols.app, name="protocol", short_help="Protocols: learn them, show them, hold series against them.")
app.add_typer(alerts.app, name="alert", short_help="Alerts: try them, send what waits, list.")
app.add_typer(trend.app, name="trend", short_help="Trends: charts, baselines, service events.")
app.add_typer(judge.app, name="judge", short_help="Judge again: stored values under other limits.")
app.add_typer(web.app, name="web", short_help="The review desk: pages for every morning, in the browser.")
app.add_typer(audit_log.app, name="audit-log", short_help="The log of changes: check that it is whole, list.")
app.command(short_help="Show whose hash it is; each use is logged.")(who.who)
app.command(short_help="Print the settings in effect.")(look.settings)
app.add_typer(simulated.app, name="simulate", short_help="A made-up day with planted faults: write it, mark answers.")
app.command(short_help="The daily pass on a made-up day with planted faults.")(passes.demo)
