"""`pacsqc alert`: whether alerts arrive, what waits, what was sent."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.commands import Csv, DataFolder, Json, check_forms, group, print_rows, refuse
from flows.voice import errors_in_words
from qc.errors import ConfigurationError

app = group(
    "Alerts: one message a run and only when something new is wrong, with counts and a link, never a name. "
    "PACSQC_ALERTS_URLS says where they go."
)

NOWHERE = (
    "nobody is named to send alerts to; set the environment variable PACSQC_ALERTS_URLS, e.g. "
    "PACSQC_ALERTS_URLS='mailtos://user:password@mail.example.org?to=qa@example.org' (several: separated by blanks)"
)


@app.command(short_help="Send a test message to everyone alerts go to.")
def test(context: typer.Context) -> None:
    """Send a test message, and say whether it was taken. Nothing is kept.

    \b
    Example:
      PACSQC_ALERTS_URLS="ntfys://ntfy.example.org/imaging-qa" pacsqc alert test
    """
    from flows import settings, tell

    with errors_in_words():
        chosen = settings.load(context.obj)
        if not chosen.alert_urls:
            raise ConfigurationError(NOWHERE)
        tell.send_test(chosen)
    typer.echo(f"Taken by {len(chosen.alert_urls)} of {len(chosen.alert_urls)} receivers. Look whether it arrived.")


@app.command(short_help="Send what waits now.")
def send(context: typer.Context, data: DataFolder = None) -> None:
    """Send the alerts that wait, also those whose next attempt is not due yet. The daily pass does it by itself.

    \b
    Example:
      pacsqc alert send
    """
    from flows import daily, outcome, settings, tell

    with errors_in_words(), settings.overridden(context.obj, data_folder=data) as chosen:
        if not chosen.alert_urls:
            raise ConfigurationError(NOWHERE)
        outcome.check_data_folder(chosen)
        with daily.open_for(chosen) as store:
            done = tell.send_waiting(store, chosen, due_only=False)
    typer.echo(f"Sent: {done.alerts}." + (f" Still waiting: {done.unsent}; see `pacsqc alert list`." if done.unsent else ""))
    raise typer.Exit(1 if done.unsent else 0)


@app.command("list", short_help="List alerts: waiting, sent.")
def list_(
    context: typer.Context,
    data: DataFolder = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 20,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """List the newest alerts: when they were made, whether they were sent, how often it was tried, what they say.

    \b
    Example:
      pacsqc alert list --limit 5
    """
    from flows import daily, outcome, settings, tell
    from flows.terminal import safe

    with errors_in_words(), settings.overridden(context.obj, data_folder=data) as chosen:
        refuse(check_forms(as_json, as_csv))
        outcome.check_data_folder(chosen)
        with daily.open_for(chosen) as store:
            rows = tell.rows(store, limit)
    lines = [] if rows else ["No alerts yet." if chosen.alert_urls else f"No alerts: {NOWHERE}"]
    for row in rows:
        lines += [f"{row['at']}  {row['state']}" + (f", tried {row['attempts']} times" if row["attempts"] > 1 else "")]
        lines += [f"    {safe(line)}" for line in (row["title"], *row["text"].splitlines())]
        lines += [f"    last error: {safe(str(row['error']))}"] if row["error"] and row["state"] != "sent" else []
    print_rows(rows, as_json, as_csv, "\n".join(lines) + "\n")
