"""`pacsqc judge`: stored measurements under other limits, without the images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.commands import Csv, DataFolder, Json, check_forms, group, parse_day, print_rows, refuse, store_of

if TYPE_CHECKING:
    from reports.rejudge import Judgement

app = group("Judge again: stored measurements under another criteria set or edition, without the images. Old verdicts stay.")


@app.command(short_help="Judge stored measurements by other limits.")
def again(
    context: typer.Context,
    sets: Annotated[list[str], typer.Argument(metavar="SET_OR_FILE...", help="Criteria sets, the first that knows a limit gives it.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; kept with the judgement.")] = "",
    first: Annotated[str | None, typer.Option("--from", metavar="DATE", help="First day, YYYY-MM-DD.")] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="DATE", help="Last day, YYYY-MM-DD.")] = None,
    device: Annotated[str | None, typer.Option(help="Only this device: number or name.")] = None,
    metric: Annotated[str | None, typer.Option(help="Only this metric, e.g. acr_mri.piu.")] = None,
    dry: Annotated[bool, typer.Option("--dry-run", help="Only count what would be different; keep nothing.")] = False,
    data: DataFolder = None,
) -> None:
    """Judge stored measurements by other limits. What is different is kept as a judgement of its own; verdicts of old stay as they are.

    \b
    Examples:
      pacsqc judge again acr-mri-2022-b --dry-run
      pacsqc judge again new.toml --from 2026-01-01 --reason "edition of 2026, from 1 January"
      pacsqc judge show 3 --csv > differences.csv
    """
    from flows.commands.devices import find
    from flows.who import login
    from reports import rejudge

    with store_of(context, data) as store:
        refuse(["give a reason (--reason), or only look (--dry-run)"] if not dry and not reason.strip() else [])
        found = find(store, device).id if device else None
        scope = rejudge.Scope(parse_day(first) if first else None, parse_day(last) if last else None, found, metric)
        typer.echo(_told(rejudge.judge_again(store, sets, login(), reason, scope, keep=not dry)), nl=False)


def _told(one: Judgement) -> str:
    from reports import words

    lines = [f"{one.judged} values judged by {one.name} {one.version}: {one.changed} with another verdict or other limits than before."]
    for (old, new), number in one.moves.most_common():
        lines.append(f"   {words.STATUS[old].word} -> {words.STATUS[new].word}: {number}")
    if not one.moves:
        lines.append("   No status changes.")
    if one.without_facts:
        lines.append(
            f"Of {one.without_facts} values the facts that limits may ask for (field strength, kVp ...) were not kept by the older version."
        )
    lines.append(f"Kept as judgement {one.id}: `pacsqc judge show {one.id}`." if one.id else "Nothing was kept.")
    return "\n".join(lines) + "\n"


@app.command("list", short_help="List the judgements that were kept.")
def list_(context: typer.Context, data: DataFolder = None, as_json: Json = False, as_csv: Csv = False) -> None:
    """List the judgements: when, who, why, by which limits, and how much was different.

    \b
    Example:
      pacsqc judge list
    """
    from flows.terminal import safe, table
    from reports import rejudge

    with store_of(context, data) as store:
        refuse(check_forms(as_json, as_csv))
        rows = [_row(one) for one in rejudge.judgements(store)]
    lines = [("NO", "WHEN", "WHO", "LIMITS", "VALUES", "DIFFERENT", "WHY")]
    for row in rows:
        lines.append(tuple(safe(str(row[name])) for name in ("id", "at", "who", "limits", "judged", "changed", "why")))
    print_rows(rows, as_json, as_csv, table(lines) if rows else "Nothing was judged again yet.\n")


def _row(one: dict[str, Any]) -> dict[str, Any]:
    at = one["made_at"].astimezone().isoformat(timespec="minutes")
    counts = {name: one["counts"].get(name, "not finished") for name in ("judged", "changed", "moves")}
    return {"id": one["id"], "at": at, "who": one["who"], "why": one["why"], "limits": f"{one['name']} {one['version']}", **counts}


@app.command(short_help="Show what a judgement changed.")
def show(
    context: typer.Context,
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="Of the judgement, as `pacsqc judge list` shows it.")],
    every: Annotated[bool, typer.Option("--all", help="Also where only the limits are others and the status stayed.")] = False,
    data: DataFolder = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Show the table of differences: each value with its verdict then and now.

    \b
    Example:
      pacsqc judge show 3
    """
    from flows.terminal import safe, table
    from reports import problems, rejudge, words

    with store_of(context, data) as store:
        refuse(check_forms(as_json, as_csv))
        rows = problems.rows(rejudge.differences(store, number, moved_only=not every))
    for row in rows:
        row["study_day"] = row["study_day"].isoformat()
    lines = [("DAY", "DEVICE", "METRIC", "REGION", "VALUE", "THEN", "MUST BE", "NOW", "MUST BE")]
    for row in rows:
        said = (words.limit_words(row[f"limits_{when}"], row["unit"]) for when in ("before", "now"))
        then, now = said
        value = words.value(row["value"], row["unit"]) if row["value"] is not None else "no value"
        cells = (row["study_day"], row["device"] or "", row["metric"], row["region"], value)
        states = (words.STATUS[row["status_before"]].word, then or "no limit", words.STATUS[row["status_now"]].word, now or "no limit")
        lines.append(tuple(safe(str(cell)) for cell in (*cells, *states)))
    print_rows(rows, as_json, as_csv, table(lines) if rows else "No status is another one.\n")
