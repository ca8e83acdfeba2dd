"""`pacsqc audit-log`: who changed or looked up what, and whether the log is whole."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.commands import Csv, DataFolder, Json, check_forms, group, print_rows, refuse
from flows.voice import errors_in_words

app = group("The log of what people changed, signed and looked up. Rows are added and never changed.")


@app.command(short_help="Check that no row was changed or taken away.")
def verify(
    context: typer.Context,
    expect: Annotated[
        str | None,
        typer.Option(metavar="ROW:DIGEST", help="What an earlier call printed and you noted elsewhere: is that row still there?"),
    ] = None,
    data: DataFolder = None,
) -> None:
    """Check the log from its first row: each row carries a digest of itself and of the row before.

    That alone cannot show that the newest rows were cut off, or everything written anew by somebody with the database in hand. So
    note what is printed at the end somewhere else, and give it with --expect the next time.

    \b
    Examples:
      pacsqc audit-log verify
      pacsqc audit-log verify --expect 1204:9f86d081884c7d65...

    \b
    Exit codes:
      0  every row is as it was written    1  a row was changed, or one is missing    2  the call or a setting is wrong
    """
    from flows import daily, outcome, settings

    with errors_in_words(), settings.overridden(context.obj, data_folder=data) as chosen:
        row, _, digest = (expect or "").partition(":")
        refuse(
            [f"--expect {expect!r}: write the number of a row, a colon, and its digest"]
            if expect and not (row.isdigit() and digest)
            else []
        )
        outcome.check_data_folder(chosen)
        with daily.open_for(chosen) as store:
            broken, newest, last = store.audit_broken_at(), store.audit(1), store.audit_digest()
            kept = not expect or store.audit_digest(int(row)) == digest.strip()
    if broken is not None:
        typer.echo(f"Row {broken} is not what was written, or a row before it was taken away. Nothing from there on can be trusted.")
    if not kept:
        typer.echo(f"Row {row} is not the one you noted: rows were cut off, or the log was written anew.")
    if broken is not None or not kept:
        raise typer.Exit(1)
    typer.echo("Every row is as it was written." + (f" The newest: {newest[0].id}:{last}" if newest else ""))


@app.command("list", short_help="The newest rows.")
def list_(
    context: typer.Context,
    most: Annotated[int, typer.Option("--most", min=1, max=100000, help="How many rows.")] = 50,
    data: DataFolder = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Print the newest rows of the log, newest first.

    \b
    Examples:
      pacsqc audit-log list
      pacsqc audit-log list --most 1000 --csv > audit.csv
    """
    import json

    from flows import daily, outcome, settings
    from flows.terminal import safe, table

    with errors_in_words(), settings.overridden(context.obj, data_folder=data) as chosen:
        refuse(check_forms(as_json, as_csv))
        outcome.check_data_folder(chosen)
        with daily.open_for(chosen) as store:
            entries = store.audit(most)
    rows = [
        {
            "id": one.id, "at": one.at.isoformat(timespec="seconds"), "who": one.who, "what": one.what, "subject": one.subject,
            "before": json.dumps(one.before) if one.before is not None else "", "after": json.dumps(one.after) if one.after is not None else "",
            "why": one.why,
        }
        for one in entries
    ]  # fmt: skip
    lines = [(str(r["id"]), str(r["at"])[:16], *(safe(str(r[name])) for name in ("who", "what", "subject", "why"))) for r in rows]
    print_rows(rows, as_json, as_csv, table([("ROW", "WHEN", "WHO", "WHAT", "ABOUT", "WHY"), *lines]) if lines else "Nothing yet.\n")
