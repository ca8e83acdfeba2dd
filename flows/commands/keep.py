"""What is looked after: `upkeep`, `reprocess`, `backup`, `restore`."""

from __future__ import annotations

import dataclasses
import json
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from flows.commands import DataFolder, Json, refuse
from flows.voice import errors_in_words


def upkeep(
    context: typer.Context,
    sweep: Annotated[bool, typer.Option("--sweep/--no-sweep", help="Count everything anew at the archives.")] = True,
    data: DataFolder = None,
    as_json: Json = False,
) -> None:
    """What is done every night: count anew at the archives, delete old fetched files (phantoms stay), look for what people must be told.

    Told of are silent scanners, overdue phantom tests, sources that do not answer, full disks; the daily report has it. With
    upkeep.backup_folder a backup is made.

    \b
    Examples:
      pacsqc upkeep
      pacsqc upkeep --no-sweep --json

    Exit codes: 0 done, 2 the call or a setting is wrong.
    """
    from flows import daily, nightly, outcome, settings

    with errors_in_words(), settings.overridden(context.obj, data_folder=data) as chosen:
        outcome.check_data_folder(chosen)
        done = nightly.run_upkeep(chosen, sweep=sweep)
        with daily.open_for(chosen) as store:
            told = store.notices()
    if as_json:
        rows = [{**one, "first_at": one["first_at"].isoformat(), "last_at": one["last_at"].isoformat()} for one in told]
        typer.echo(json.dumps({**dataclasses.asdict(done), "notices": rows}, indent=2, ensure_ascii=False))
        return
    typer.echo(
        f"New files found by the sweep: {done.swept}. Old files deleted: {done.deleted}. Work of dead processes freed: {done.freed}."
    )
    if done.backup:
        typer.echo(f"Backup: {done.backup}")
    for one in told:
        typer.echo(f"{one['status']}: {one['message']}")


def reprocess(
    context: typer.Context,
    first: Annotated[str, typer.Argument(help="First day, YYYY-MM-DD.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the audit log.")],
    last: Annotated[str | None, typer.Argument(metavar="[LAST]", help="Last day; not given: the first day.")] = None,
    code: Annotated[str, typer.Option(help="Only studies with a finding of this code.")] = "",
    modality: Annotated[str, typer.Option(help="Only studies with a series of this modality.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many they are.")] = False,
    data: DataFolder = None,
) -> None:
    """Check studies again that were checked before; the next `pacsqc run` does it. Their old results stay, marked as superseded.

    Files that were deleted to make room are fetched again from their archive.

    \b
    Examples:
      pacsqc reprocess 2026-11-01 2026-11-30 --modality CT --reason "new version of the noise check" --dry-run
      pacsqc reprocess 2026-11-25 --code slices.gap --reason "rules changed"

    Exit codes: 0 done, 2 the call or a setting is wrong.
    """
    from flows import again, daily, outcome, settings

    with errors_in_words(), settings.overridden(context.obj, data_folder=data) as chosen:
        days = [_day("first day", first), _day("last day", last or first)]
        refuse([one for one in days if isinstance(one, str)])
        outcome.check_data_folder(chosen)
        selection = again.Selection(days[0], days[1], code, modality)  # type: ignore[arg-type]
        with daily.open_for(chosen) as store:
            number = again.reprocess(store, selection, reason, dry_run=dry_run)
    typer.echo(f"{number} {'study' if number == 1 else 'studies'} {'would be' if dry_run else 'will be'} checked again.")


def backup(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Where to; not given: pacsqc-TIME.zip in the current folder.")
    ] = None,
    check: Annotated[Path | None, typer.Option("--verify", help="Make none, but verify this one.")] = None,
    data: DataFolder = None,
) -> None:
    """Everything in one verified file: results, ledger, evidence, audit log, settings, the key of the hashes. Images are not in it.

    The file is read again and every digest compared before it gets its name. Keep it safe: it holds the key of the hashes.

    \b
    Examples:
      pacsqc backup /backups/pacsqc-monday.zip
      pacsqc backup --verify /backups/pacsqc-monday.zip

    Exit codes: 0 done and verified, 2 it could not be made or is damaged.
    """
    from flows import archived, outcome, settings

    with errors_in_words(), settings.overridden(context.obj, data_folder=data) as chosen:
        if check is not None:
            typer.echo(f"{check}: whole; {archived.verify(check).in_words()}")
            return
        outcome.check_data_folder(chosen)
        target = file or Path(archived.default_name())
        config = context.obj or Path(settings.FILE)
        typer.echo(f"{target}: {archived.backup(chosen, target, config).in_words()}")


def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A file that `pacsqc backup` made.")],
    data: DataFolder = None,
) -> None:
    """Bring a backup back into an empty database and data folder, and compare every row with the backup.

    A backup made with SQLite can be restored into PostgreSQL (database.url) and the other way round. The settings of the backup are put
    beside, as restored-pacsqc.toml. Nothing is ever written over.

    \b
    Examples:
      pacsqc restore pacsqc-monday.zip --data /var/lib/pacsqc
      PACSQC_DATABASE_URL=postgresql://qc@db/qc pacsqc restore pacsqc-monday.zip

    Exit codes: 0 restored and compared, 2 the backup is damaged or something is there already.
    """
    from flows import archived, settings

    with errors_in_words(), settings.overridden(context.obj, data_folder=data) as chosen:
        typer.echo(f"restored and compared: {archived.restore(chosen, file).in_words()}")


def _day(what: str, text: str) -> date | str:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return f"the {what} is {text!r}; a date is written YYYY-MM-DD, e.g. 2026-11-25"
