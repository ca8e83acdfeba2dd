"""What runs on and on: `receive`, `schedule`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.commands import DataFolder
from flows.voice import errors_in_words


def receive(
    context: typer.Context,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port, in place of receiver.port of the settings.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen at, in place of receiver.host; 0.0.0.0: every one.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Where what came is kept, in place of receiver.folder.")] = None,
    data: DataFolder = None,
) -> None:
    """Take what scanners and PACS push: a DICOM storage listener for every storage class and transfer syntax.

    Success is answered when an instance is on the disk; when the disk is nearly full the senders are told to keep what they have.
    What came is checked by the next `pacsqc run` or by `pacsqc schedule`. It runs until it is stopped (Ctrl-C, SIGTERM).

    \b
    Examples:
      pacsqc receive
      pacsqc receive --host 0.0.0.0 --port 11112

    Exit codes: 0 it was stopped, 2 the call or a setting is wrong (e.g. the port is taken).
    """
    from flows import listen, outcome, settings

    overrides = {"data_folder": data, "receiver_port": port, "receiver_host": host, "receiver_folder": folder}
    with errors_in_words(), settings.overridden(context.obj, **overrides) as chosen:
        outcome.check_data_folder(chosen)
        typer.echo(listen.until_stopped(chosen), err=True)


def schedule(
    context: typer.Context,
    data: DataFolder = None,
    receiver: Annotated[bool, typer.Option("--receive/--no-receive", help="Run the receiver too, in this process.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Print what would be run when, and end.")] = False,
) -> None:
    """Do everything by the clock: look at the sources, check, write reports, send alerts, and the upkeep of the night.

    It serves the five Prefect flows with the schedules of prefect.yaml, on the server of PREFECT_API_URL; without one it starts a
    server on this machine (its pages at http://127.0.0.1:4200). First of all it reconciles: what a killed run left is taken up.

    \b
    Examples:
      pacsqc schedule
      pacsqc schedule --receive
      pacsqc schedule --show

    Exit codes: 0 it was stopped, 2 the call or a setting is wrong.
    """
    from flows import outcome, scheduled, settings

    with errors_in_words(), settings.overridden(context.obj, data_folder=data) as chosen:
        if show:
            typer.echo(scheduled.in_words(), nl=False)
            return
        outcome.check_data_folder(chosen)
        outcome.check_inbox(chosen)
        scheduled.serve_all(chosen, receiver)
