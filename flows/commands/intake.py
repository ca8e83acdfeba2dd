"""The intake: `ping`, `intake`, `compare`."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.commands import Csv, DataFolder, Json, check_forms, print_rows, refuse
from flows.voice import errors_in_words

if TYPE_CHECKING:
    from flows.compare import Comparison, Contents
    from flows.settings import Settings


def ping(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="[SOURCE]", help="Only this source.")] = None,
    data: DataFolder = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Ask every source of the settings whether it is there, and how long the answer takes: C-ECHO, a small query, or a look at the folder.

    The answers are kept, so that the report can tell since when a source does not answer.

    \b
    Examples:
      pacsqc ping
      pacsqc ping main-pacs --json

    \b
    Exit codes:
      0  all answered
      1  one did not
      2  the call or a setting is wrong
    """
    from flows import daily, outcome, reach, settings

    with errors_in_words(), settings.overridden(context.obj, data_folder=data) as chosen:
        refuse(check_forms(as_json, as_csv))
        outcome.check_data_folder(chosen)
        with daily.open_for(chosen) as store:
            answers = reach.ping_all(chosen, store, name)
    rows = [one.plain() for one in answers]
    print_rows(rows, as_json, as_csv, "".join(f"{one.in_words()}\n" for one in answers))
    raise typer.Exit(0 if all(one.latency_s is not None for one in answers) else 1)


def intake(
    context: typer.Context,
    study: Annotated[str | None, typer.Argument(metavar="[STUDY]", help="A StudyInstanceUID: how each retrieve of it ended.")] = None,
    state: Annotated[
        str | None,
        typer.Option(
            help="Only studies in this state: discovered, receiving, quiet, complete, incomplete, given_up, not_taken, checked ..."
        ),
    ] = None,
    day: Annotated[str | None, typer.Option(help="Only studies of this day, YYYY-MM-DD.")] = None,
    data: DataFolder = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Where each study of the sources stands: taken or not and why, how many instances the source counts and how many are here.

    \b
    Examples:
      pacsqc intake --state not_taken
      pacsqc intake --state incomplete --json
      pacsqc intake 1.2.840.113619.2.1

    Exit code 0; 2: the call or a setting is wrong.
    """
    from flows import daily, outcome, settings
    from reports.store.intake import STATES

    with errors_in_words(), settings.overridden(context.obj, data_folder=data) as chosen:
        wrong = [] if state in (None, *STATES) else [f"there is no state {state!r}; allowed are {', '.join(STATES)}"]
        refuse(check_forms(as_json, as_csv) + wrong + _date_problems("--day", day))
        outcome.check_data_folder(chosen)
        with daily.open_for(chosen) as store:
            if study:
                rows = [{name: _plain(value) for name, value in one.items()} for one in store.retrieves(study)]
                text = "".join(f"{_retrieve_line(one)}\n" for one in rows) or "No retrieve of this study is known.\n"
            else:
                found = store.standings(state, date.fromisoformat(day) if day else None)
                rows = [{name: _plain(value) for name, value in one.items()} for one in found]
                text = "".join(f"{_standing_line(one)}\n" for one in rows) or "No study is in that state.\n"
    print_rows(rows, as_json, as_csv, text)


def compare(
    context: typer.Context,
    first: Annotated[str, typer.Argument(metavar="A", help="A source of the settings by its name, or a folder.")],
    second: Annotated[str, typer.Argument(metavar="B", help="The other one.")],
    since: Annotated[str | None, typer.Option("--from", help="First day, YYYY-MM-DD; for archives that are asked.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Last day, YYYY-MM-DD; not given: the first day.")] = None,
    pixels: Annotated[bool, typer.Option("--pixels", help="Compare the bytes of files too, where both sides are folders.")] = False,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Compare two archives, or an archive and its backup: which studies, series and instances are on one side only.

    \b
    Examples:
      pacsqc compare main-pacs backup-pacs --from 2026-11-01 --to 2026-11-07
      pacsqc compare /archive /backup --pixels

    \b
    Exit codes:
      0  the same
      1  something is missing on a side, or other
      2  the call is wrong, or no difference was found but not everything could be compared
    """
    from flows import settings

    with errors_in_words():
        refuse(check_forms(as_json, as_csv) + _date_problems("--from", since) + _date_problems("--to", until))
        chosen = settings.load(context.obj)
        days = (since, until or since)
        done = _compared(_contents(first, chosen, days, pixels), _contents(second, chosen, days, pixels))
    rows = _difference_rows(done)
    if as_json:
        typer.echo(json.dumps(_as_json(done, rows), indent=2))
    else:
        print_rows(rows, False, as_csv, _in_words(done, rows))
    raise typer.Exit(done.exit_code)


def _compared(one: Contents, other: Contents) -> Comparison:
    from flows.compare import compare as compare_contents

    return compare_contents(one, other)


def _contents(which: str, chosen: Settings, days: tuple[str | None, str | None], pixels: bool) -> Contents:
    """Return what is in a source of the settings, or in a folder."""
    from flows.compare import folder_contents, pacs_contents
    from flows.source_sections import FolderSection
    from flows.sources.chosen import conversation
    from qc.errors import ConfigurationError

    named = {one.name: one for one in chosen.sources}
    if which not in named or isinstance(named[which], FolderSection):
        folder = named[which].folder if which in named else Path(which)  # type: ignore[attr-defined]
        if not folder.is_dir():
            raise ConfigurationError(f"{which!r} is neither a source of the settings ({', '.join(named) or 'none are named'}) nor a folder")
        return folder_contents(folder, digests=pixels)
    if days[0] is None or days[1] is None:
        raise ConfigurationError(f"{which} is asked by days: give --from (and --to), as YYYY-MM-DD")
    start, end = (datetime.fromisoformat(one) for one in (days[0], days[1]))
    with conversation(named[which])() as archive:
        return pacs_contents(archive, start, end)


def _difference_rows(done: Comparison) -> list[dict[str, Any]]:
    rows = [
        {
            "missing_in": one.lacks, "level": one.level, "study": one.study_uid, "series": one.series_uid, "instance": one.sop_uid,
            "instances": "" if one.number is None else one.number,
        }
        for one in done.missing
    ]  # fmt: skip
    rows += [
        {"missing_in": "", "level": "changed", "study": study, "series": series, "instance": sop, "instances": 1}
        for study, series, sop in done.changed
    ]
    return rows


def _as_json(done: Comparison, rows: list[dict[str, Any]]) -> dict[str, Any]:
    sides = [
        {"name": side.name, "studies": len(side.studies), "series": len(side.series), "instances": len(side.instances)}
        for side in (done.first, done.second)
    ]
    return {"sides": sides, "differences": rows, "not_compared": [list(one) for one in done.not_compared], "certain": done.certain}


def _in_words(done: Comparison, rows: list[dict[str, Any]]) -> str:
    lines = [
        f"{side.name}: {len(side.studies)} studies, {len(side.series)} series, {len(side.instances)} instances"
        for side in (done.first, done.second)
    ]
    for one in rows:
        uid = one["instance"] or one["series"] or one["study"]
        what = f"{one['level']} {uid}" + (
            f" ({one['instances']} instances)" if one["level"] in ("study", "series") and one["instances"] else ""
        )
        lines.append(f"other bytes: instance {uid}" if one["level"] == "changed" else f"missing in {one['missing_in']}: {what}")
    lines += [f"only counts could be compared: study {study} series {series or '(all)'}" for study, series in done.not_compared]
    for side in (done.first, done.second):
        lines += [f"{side.name}: {path} could not be read ({reason})" for path, reason in side.unread]
        lines += [f"{side.name}: there may be more studies between {low} and {high} than it lists" for low, high in side.unsure]
    if not rows:
        lines.append("No difference." if done.certain else "No difference found, but not everything could be compared.")
    return "\n".join(lines) + "\n"


def _standing_line(one: dict[str, Any]) -> str:
    count = "" if one["here"] is None else f", {one['here']} of {'?' if one['expected'] is None else one['expected']} instances here"
    why = f": {one['message']}" if one["message"] else ""
    sampled = f" [{one['sampled']}]" if one["sampled"] else ""
    verdict = f" ({one['verdict']})" if one["verdict"] and one["verdict"] != one["state"] else ""
    return f"{one['state']}{verdict}  {one['source']}  {one['day'] or 'no date'}  {one['modalities'] or '-'}  {one['study_uid']}{count}{why}{sampled}"


def _retrieve_line(one: dict[str, Any]) -> str:
    counters = ", ".join(
        f"{name} {'not told' if one[name] is None else one[name]}" for name in ("completed", "failed", "warning", "remaining")
    )
    status = "no answer" if one["status"] is None else f"0x{one['status']:04X}"
    rate = f"{one['bytes'] / 1e6:.1f} MB in {one['seconds']:.1f} s"
    return f"{one['at']}  {one['source']}  {one['way']}  ended {status}; {counters}; {one['came']} came, {rate}"


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, (date, datetime)) else value


def _date_problems(option: str, text: str | None) -> list[str]:
    try:
        if text is not None:
            date.fromisoformat(text)
    except ValueError:
        return [f"{option} is {text!r}; a date is written YYYY-MM-DD, e.g. 2026-11-25"]
    return []
