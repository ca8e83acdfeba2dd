"""`pacsqc who`: the one command that shows a name, and the log of its use."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from flows.commands import DataFolder
from flows.voice import errors_in_words, progress
from qc.errors import ConfigurationError


def who(
    context: typer.Context,
    hash_: Annotated[str, typer.Argument(metavar="HASH", help="The ten digits that stand for the patient in reports.")],
    reason: Annotated[str, typer.Option(help="Why you need to know; kept in the log.")],
    data: DataFolder = None,
) -> None:
    """Show patient ID and name of a hash. Each use is logged: your login name, when, the hash, the reason, found or not.

    The images are asked, for nothing of a patient is stored; they must still be in the inbox. The answer goes to a terminal
    only, never into a file. To find a study in the PACS you need no name: reports show its UID, station, date and time.

    \b
    Example:
      pacsqc who 3f9a0c12de --reason "two patients in one study, call the ward"

    \b
    Exit codes:
      0  found    1  not found    2  the call or a setting is wrong
    """
    from flows import daily, outcome, settings
    from flows import who as module
    from flows.terminal import safe

    with errors_in_words(), settings.overridden(context.obj, data_folder=data) as chosen:
        wanted = module.wanted_hash(hash_)
        if not reason.strip():
            raise ConfigurationError("--reason is empty; say in a few words why you need to know")
        if not sys.stdout.isatty():
            raise ConfigurationError("a name is shown on a terminal only, not written to a file or a pipe")
        outcome.check_data_folder(chosen)
        with daily.open_for(chosen) as store, progress("looking for the patient") as tell:
            answer = module.search(store, chosen, wanted, tell)
            # before anything is shown: who stops the program now has not seen it
            store.log(module.login(), "patient.who", after={"hash": wanted, "found": bool(answer.people)}, why=reason)
    if not answer.people:
        typer.echo(f"Nobody of that hash in {answer.asked} images ({answer.gone} are no longer there).")
        raise typer.Exit(1)
    for name, patient_id in dict.fromkeys((one.name, one.patient_id) for one in answer.people):
        studies = sorted({one.study_uid for one in answer.people if (one.name, one.patient_id) == (name, patient_id)})
        typer.echo(f"{safe(name) or 'no name'}  patient ID {safe(patient_id) or 'none'}  in {', '.join(map(safe, studies))}")
