"""`pacsqc trend`: charts of phantom values, and what people decide about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.commands import Csv, DataFolder, Json, check_forms, group, parse_day, print_rows, refuse, store_of
from flows.commands.devices import find

if TYPE_CHECKING:
    from reports.trends import Trend

app = group(
    "Trends of phantom values: control charts, their baselines, service events. Every decision wants a reason and is logged with your login name."
)

ChartNumber = Annotated[int, typer.Argument(metavar="CHART", help="Number of the chart, as `pacsqc trend list` shows it.")]
Why = Annotated[str, typer.Option("--reason", help="Why; kept in the log of changes.")]


@app.command("list", short_help="List the charts and how they stand.")
def list_(
    context: typer.Context,
    device: Annotated[str | None, typer.Option(help="Only this device: number or name.")] = None,
    data: DataFolder = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """List the charts: number, device, metric, how it was acquired, values, state, and why.

    \b
    Example:
      pacsqc trend list --device "MR 1, cellar"
    """
    from flows.terminal import safe, table
    from reports import trends

    with store_of(context, data) as store:
        refuse(check_forms(as_json, as_csv))
        trends.refresh(store)
        rows = [_row(one) for one in trends.read(store, device_id=find(store, device).id if device else None)]
    lines = [("CHART", "DEVICE", "METRIC", "REGION", "ACQUIRED", "VALUES", "STATE", "")]
    for row in rows:
        lines.append(tuple(safe(str(row[name])) for name in ("chart", "device", "metric", "region", "acquired", "values", "state", "why")))
    print_rows(rows, as_json, as_csv, table(lines) if rows else "No phantom values yet.\n")


def _row(one: Trend) -> dict[str, Any]:
    chart, last = one.chart, one.points.iloc[-1]
    acquired = ", ".join(filter(None, (chart.klass.partition(":")[2], chart.coil, chart.protocol)))
    told = {"chart": chart.id, "device": chart.device, "metric": chart.metric, "region": chart.region, "acquired": acquired}
    told |= {"method": chart.method, "values": len(one.points), "last_day": last["day"].isoformat(), "last_value": float(last["value"])}
    return {**told, "unit": chart.unit, "state": one.state, "why": one.why}


@app.command(short_help="Choose the baseline of a chart.")
def baseline(
    context: typer.Context,
    chart: ChartNumber,
    first: Annotated[str, typer.Option("--from", metavar="DATE", help="First day of its values, YYYY-MM-DD.")],
    last: Annotated[str, typer.Option("--to", metavar="DATE", help="Last day of its values; what comes after is judged by it.")],
    reason: Why,
    transform: Annotated[str, typer.Option(help="none, log (SD, ghosting) or logit (percentages just under 100).")] = "none",
    robust: Annotated[bool, typer.Option("--robust", help="By medians: one wild value changes little.")] = False,
    data: DataFolder = None,
) -> None:
    """Choose the baseline of a chart: its values of these days, at least 10, better 20. Values after them are judged by it.

    \b
    Example:
      pacsqc trend baseline 12 --from 2026-01-05 --to 2026-01-30 --reason "acceptance test"
    """
    from flows.who import login
    from reports import trends

    with store_of(context, data) as store:
        trends.refresh(store)
        options = {"transform": transform, "robust": robust}
        number = trends.set_baseline(store, chart, parse_day(first), parse_day(last), login(), reason, **options)
        (found,) = trends.read(store, chart_id=chart)
        typer.echo(f"Baseline {number} of chart {chart} is chosen. {found.why}")


@app.command(short_help="Note what was done to a device.")
def event(
    context: typer.Context,
    device: Annotated[str, typer.Argument(metavar="DEVICE", help="Number or name of the device.")],
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND", help="service, repair, upgrade, calibration, moved, phantom, note, out_of_service, verified, returned."
        ),
    ],
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What was done, in words.")],
    day: Annotated[str, typer.Option("--day", metavar="DATE", help="YYYY-MM-DD.")],
    time: Annotated[str, typer.Option("--time", metavar="HH:MM", help="Local time; values before it belong to the time before.")] = "",
    restart: Annotated[
        bool | None, typer.Option("--restart/--no-restart", help="Charts begin anew; not given: as usual for the kind.")
    ] = None,
    data: DataFolder = None,
) -> None:
    """Note what was done to a device. After a service, repair, upgrade ... its charts wait for a new baseline.

    \b
    Example:
      pacsqc trend event MR1 repair "head coil replaced" --day 2026-11-25 --time 13:30
    """
    import re

    from flows.who import login
    from reports import trends

    with store_of(context, data) as store:
        refuse([f"{time!r} is no time; write it as 13:30"] if time and not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", time) else [])
        found = find(store, device)
        clock = f"{time}:00" if time else ""
        number = trends.add_service_event(store, found.id, parse_day(day), kind, text, login(), local_time=clock, restarts=restart)
        typer.echo(f"Event {number} of {found.alias} is noted.")


@app.command("leave-out", short_help="Leave a value out of baselines.")
def leave_out(
    context: typer.Context,
    chart: ChartNumber,
    series: Annotated[str, typer.Argument(metavar="SERIES_UID", help="SeriesInstanceUID of the value.")],
    reason: Why,
    data: DataFolder = None,
) -> None:
    """Leave a value out of the baselines that are chosen from now on.

    \b
    Example:
      pacsqc trend leave-out 12 1.2.840.99.7.1 --reason "air bubble in the phantom"
    """
    from flows.who import login
    from reports import trends

    with store_of(context, data) as store:
        trends.leave_out(store, chart, series, login(), reason)
        typer.echo(f"The value stands in no baseline of chart {chart} that is chosen from now on.")


@app.command(short_help="A scan was repeated: the first counts no more.")
def replace(
    context: typer.Context,
    series: Annotated[str, typer.Argument(metavar="SERIES_UID", help="SeriesInstanceUID of the scan that counts no more.")],
    by: Annotated[str, typer.Option(metavar="SERIES_UID", help="SeriesInstanceUID of the scan that counts in its place.")],
    reason: Why,
    data: DataFolder = None,
) -> None:
    """A phantom scan was repeated: the values of the first count no more on any chart. Its results and verdicts stay as they are.

    \b
    Example:
      pacsqc trend replace 1.2.840.99.7.1 --by 1.2.840.99.8.1 --reason "phantom was not level"
    """
    from flows.who import login
    from reports import trends

    with store_of(context, data) as store:
        trends.replace_scan(store, series, by, login(), reason)
        typer.echo("The first scan counts no more on any chart.")


@app.command("take-back", short_help="Take a decision back; it stays to be read.")
def take_back(
    context: typer.Context,
    what: Annotated[str, typer.Argument(metavar="WHAT", help="baseline, left_out, replaced_scan or service_event.")],
    number: Annotated[
        int, typer.Argument(metavar="NUMBER", help="Its number, as it was printed when it was made; the log of changes has it.")
    ],
    reason: Why,
    data: DataFolder = None,
) -> None:
    """Take a decision back. It stays to be read, with name and reason.

    \b
    Example:
      pacsqc trend take-back service_event 3 --reason "that was MR2"
    """
    from flows.who import login
    from reports import trends

    with store_of(context, data) as store:
        trends.take_back(store, what, number, login(), reason)
        typer.echo(f"{what.replace('_', ' ')} {number} is taken back.")
