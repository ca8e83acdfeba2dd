"""`pacsqc alert`: whether alerts arrive, what waits, what was sent."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

import typer

from flows.commands import Csv, DataFolder, Json, check_forms, group, parse_day, print_rows, refuse, store_of
from flows.voice import errors_in_words
from qc.errors import ConfigurationError

app = group(
    "Alerts: a message when a problem is new, gets worse or is over, with device, count and a link, never a patient. "
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


# -- the ledger of problems -----------------------------------------------------------------------------------------

Number = Annotated[int, typer.Argument(metavar="NUMBER", help="Number of the problem, as `pacsqc alert problems` shows it.")]
Why = Annotated[str, typer.Option("--reason", help="Why; kept in the log of changes.")]


@app.command(short_help="List the problems that stand, and since when.")
def problems(
    context: typer.Context,
    data: DataFolder = None,
    over: Annotated[int, typer.Option(min=0, help="Also so many of those that are over, the newest.")] = 0,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """List the problems that stand, worst first: number, device, what, since when, and who sees to it.

    \b
    Example:
      pacsqc alert problems --over 10
    """
    from reports import alerts

    with store_of(context, data) as store:
        refuse(check_forms(as_json, as_csv))
        rows = [_problem(row) for row in alerts.problems(store, resolved=over)]
    print_rows(rows, as_json, as_csv, _listing(rows))


def _problem(row: dict[str, Any]) -> dict[str, Any]:
    names = ("id", "status", "state", "where", "title", "count", "day_number", "first_day", "last_day", "until", "who", "why")
    return {name: row[name].isoformat() if isinstance(row[name], date) else row[name] for name in names}


def _listing(rows: list[dict[str, Any]]) -> str:
    from flows.terminal import safe, table
    from reports import words

    if not rows:
        return "No problems stand.\n"
    lines = [("NO", "STATUS", "WHERE", "WHAT", "DAY", "SINCE", "STATE")]
    for row in rows:
        state = row["state"] + (f" until {row['until']}" if row["until"] else "")
        by = f" by {safe(row['who'])}: {safe(row['why'])}" if row["state"] in ("acknowledged", "snoozed") else ""
        cells = (row["id"], words.STATUS[row["status"]].word, safe(row["where"]), safe(row["title"]), row["day_number"], row["first_day"])
        lines.append((*map(str, cells), state + by))
    return table(lines)


@app.command(short_help="Say that somebody sees to a problem.")
def ack(context: typer.Context, number: Number, reason: Why, data: DataFolder = None) -> None:
    """Acknowledge a problem: somebody sees to it. From now on it is told of only when it gets worse or is over.

    \b
    Example:
      pacsqc alert ack 12 --reason "service comes on Thursday"
    """
    from flows.who import login
    from reports import alerts

    with store_of(context, data) as store:
        alerts.acknowledge(store, number, login(), reason)
        typer.echo(f"Problem {number} is acknowledged.")


@app.command(short_help="Say nothing of a problem until a day.")
def snooze(
    context: typer.Context,
    number: Number,
    reason: Why,
    until: Annotated[str, typer.Option(metavar="DATE", help="YYYY-MM-DD; if it is still there then, it is told of again.")],
    data: DataFolder = None,
) -> None:
    """Say nothing of a problem before a day, whatever becomes of it; if it is still there then, it is told of again.

    \b
    Example:
      pacsqc alert snooze 12 --until 2026-12-07 --reason "part is ordered"
    """
    from flows.who import login
    from reports import alerts

    with store_of(context, data) as store:
        alerts.snooze(store, number, parse_day(until), login(), reason)
        typer.echo(f"Problem {number} is snoozed until {until}.")
