"""`pacsqc simulate`: a made-up day of a department, to try the daily run on and to train people with."""

from __future__ import annotations

import json
from datetime import date as date_type
from pathlib import Path
from typing import Annotated

import typer

from flows.commands import Json, group
from flows.voice import errors_in_words
from qc.errors import ConfigurationError

app = group("Simulate a day of a department: six devices, some thirty studies, a dozen faults; and mark what a trainee found.")


@app.command(short_help="Write the studies of a made-up day.")
def day(
    folder: Annotated[Path, typer.Argument(help="Where to write it; a folder without a simulated day in it.")],
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another day; same seed and date, same files.")] = 1,
    date: Annotated[str | None, typer.Option(metavar="DATE", help="Day of the examinations, YYYY-MM-DD; not given: yesterday.")] = None,
    for_training: Annotated[
        bool, typer.Option("--for-training", help="Keep the answer key apart, in FOLDER-key, and add the task for the trainee.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write a made-up day: studies of six devices in FOLDER/inbox, about a dozen of them with one fault each.

    The manifest says what the source sent, the answer key what is wrong. All of it is computed: no image of a patient.

    \b
    Examples:
      pacsqc simulate day day/
      pacsqc simulate day day/ --seed 7 --date 2026-11-25
      pacsqc simulate day course/ --for-training        key in course-key/, task in course/TASK.txt
      pacsqc run --inbox day/inbox --data day/results   what pacsqc finds in it
    """
    from phantoms.synthetic.simulate import write_day

    with errors_in_words():
        try:
            when = date_type.fromisoformat(date) if date else None
        except ValueError as error:
            raise ConfigurationError(f"{date!r} is no date; write it as YYYY-MM-DD, e.g. 2026-11-25") from error
        if folder.exists() and not folder.is_dir():
            raise ConfigurationError(f"{str(folder)!r} is a file; name a folder")
        try:
            key = write_day(folder, seed, when, for_training)
        except OSError as error:
            raise ConfigurationError(f"nothing can be written to {str(folder)!r}: {error.strerror or error}") from error
    told = {"date": key["date"], "seed": key["seed"], "studies": len(key["studies"])}
    told |= {"files": sum(study["files"] for study in key["studies"]), "faults": len(key["faults"]), **key["paths"]}
    if as_json:
        typer.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    lines = [
        f"A day of {told['studies']} studies ({told['files']} files, {told['faults']} faults), {told['date']}.",
        f"Studies:  {told['inbox']}",
        f"Manifest: {told['manifest']}",
        f"Answers:  {told['answers']}",
    ]
    if for_training:
        lines += ["", f"Give {folder} to the trainee (TASK.txt says what to do) and keep the answers. Then:"]
        lines += [f"  pacsqc simulate score ANSWERS.csv --key {told['answers']}"]
    else:
        lines += ["", "See what pacsqc finds:", f"  pacsqc run --inbox {told['inbox']} --data {folder / 'results'}"]
    typer.echo("\n".join(lines))


@app.command(short_help="Mark a trainee's list against the answer key.")
def score(
    answers: Annotated[Path, typer.Argument(metavar="ANSWERS", help="CSV or JSON with study and finding, one line a finding.")],
    key: Annotated[Path, typer.Option(help="answers.json of the simulated day.")],
    as_json: Json = False,
) -> None:
    """Mark a trainee's list: what was found, missed, called by another name, and the false alarms.

    \b
    The list is CSV (a spreadsheet writes it) or JSON; the finding is plain words or a code of `pacsqc checks`:
      study,finding
      7,missing slice
      12,identity.two_patients

    \b
    Example:
      pacsqc simulate score answers.csv --key course-key/answers.json
    """
    from phantoms.synthetic.simulate import score as mark

    with errors_in_words():
        marked = mark(answers, key)
    typer.echo(json.dumps(marked, indent=2, ensure_ascii=False) if as_json else marked["text"], nl=as_json)
