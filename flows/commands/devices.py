"""`pacsqc device`: the scanners behind the images, as the database knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.commands import Csv, DataFolder, Json, check_forms, group, print_rows, refuse, store_of
from qc.errors import ConfigurationError

if TYPE_CHECKING:
    from reports.store import ByHand, Device, Store

app = group(
    "Devices: told apart by serial number, then station name; made when their first images come. Changes are logged with your login name."
)

Which = Annotated[str, typer.Argument(metavar="DEVICE", help="Number or name of the device, as `pacsqc device list` shows them.")]
Why = Annotated[str, typer.Option("--reason", help="Why; kept in the log of changes.")]


def find(store: Store, which: str) -> Device:
    """Return the device that a number or a name means."""
    devices = store.devices()
    wanted = which.casefold().strip()
    found = [device for device in devices if str(device.id) == wanted] or [one for one in devices if one.alias.casefold() == wanted]
    if len(found) > 1:
        raise ConfigurationError(
            f"{len(found)} devices are called {which!r}: give the number, one of {', '.join(str(d.id) for d in found)}"
        )
    if not found:
        import difflib

        close = difflib.get_close_matches(wanted, [device.alias.casefold() for device in devices], n=1)
        names = [device.alias for device in devices if device.alias.casefold() in close]
        hint = f" (did you mean {names[0]!r}?)" if names else ""
        raise ConfigurationError(f"there is no device {which!r}{hint}; `pacsqc device list` shows them")
    return found[0]


@app.command("list", short_help="List the devices.")
def list_(
    context: typer.Context,
    data: DataFolder = None,
    as_json: Json = False,
    as_csv: Csv = False,
    every: Annotated[bool, typer.Option("--all", help="Also those merged into another one.")] = False,
) -> None:
    """List the devices: number, name, what the headers say, the limits they are judged by, last day with images.

    NEW stands with a device that nobody has looked at yet; `pacsqc device review` takes it away.

    \b
    Examples:
      pacsqc device list
      pacsqc device list --csv > devices.csv
    """
    with store_of(context, data) as store:
        refuse(check_forms(as_json, as_csv))
        rows = [_row(device) for device in store.devices() if every or device.merged_into is None]
    print_rows(rows, as_json, as_csv, _listing(rows))


def _row(device: Device) -> dict[str, Any]:
    return {
        "id": device.id,
        "alias": device.alias,
        "modality": device.modality or "",
        "manufacturer": device.manufacturer or "",
        "model": device.model or "",
        "serial_number": device.serial_number or "",
        "station_names": list(device.station_names),
        "criteria": list(device.criteria or ()),
        "reviewed": bool(device.reviewed),
        "last_day": device.last_day.isoformat() if device.last_day else "",
        "merged_into": device.merged_into,
    }


def _listing(rows: list[dict[str, Any]]) -> str:
    from flows.terminal import safe, table

    if not rows:
        return "No devices yet: they are made when their first images come (`pacsqc run`).\n"
    head = ("NO", "NAME", "KIND", "MODEL", "SERIAL", "STATIONS", "LIMITS", "LAST DAY", "")
    lines = [head]
    for row in rows:
        remark = f"merged into {row['merged_into']}" if row["merged_into"] is not None else "" if row["reviewed"] else "NEW"
        model = " ".join(part for part in (row["manufacturer"], row["model"]) if part)
        limits = ", ".join(row["criteria"]) or "site's"
        cells = (row["id"], row["alias"], row["modality"], model, row["serial_number"], ", ".join(row["station_names"]), limits)
        lines.append((*(safe(str(cell)) for cell in cells), row["last_day"], remark))
    return table(lines)


@app.command(short_help="Give a device the name that people use.")
def rename(
    context: typer.Context,
    device: Which,
    alias: Annotated[str, typer.Argument(metavar="NAME", help="The new name, as reports show it.")],
    reason: Why = "",
    data: DataFolder = None,
) -> None:
    """Give a device the name that people use. Its results stay with it.

    \b
    Examples:
      pacsqc device rename 3 "MR 1, cellar"
      pacsqc device rename CTAWP01 "CT emergency" --reason "moved to the new building"
    """
    from flows.who import login

    with store_of(context, data) as store:
        found = find(store, device)
        store.rename_device(found.id, alias, login(), reason)
        typer.echo(f"Device {found.id} is now called {' '.join(alias.split())} (was {found.alias}).")


@app.command(short_help="Two entries are one device: put their results together.")
def merge(
    context: typer.Context,
    device: Which,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the log of changes.")],
    into: Annotated[str | None, typer.Option(metavar="DEVICE", help="The device it really is; this one stays.")] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take an earlier merge back.")] = False,
    data: DataFolder = None,
) -> None:
    """Two entries are one device (new serial number after a repair, station renamed): put their results together.

    What comes from now on under either name goes to the one that stays. Nothing is rewritten, so it can be taken back.

    \b
    Examples:
      pacsqc device merge 7 --into 3 --reason "console replaced, new station name"
      pacsqc device merge 7 --undo --reason "two scanners after all"
    """
    from flows.who import login

    with store_of(context, data) as store:
        refuse(["name the device that stays (--into), or --undo"] if undo == bool(into) else [])
        one, other = find(store, device), find(store, into) if into else None
        store.merge_devices(one.id, other.id if other else None, login(), reason)
        where = f"part of {other.alias} ({other.id})" if other else "a device of its own"
        typer.echo(f"{one.alias} ({one.id}) is {where} from now on.")


@app.command(short_help="Choose the limits that a device is judged by.")
def criteria(
    context: typer.Context,
    device: Which,
    sets: Annotated[
        list[str] | None, typer.Argument(metavar="[SET_OR_FILE]...", help="Criteria sets, the first that knows a limit gives it.")
    ] = None,
    site: Annotated[bool, typer.Option("--site", help="Judge it by the sets of the site again (checks.criteria).")] = False,
    reason: Why = "",
    data: DataFolder = None,
) -> None:
    """Choose the limits that a device is judged by, in place of those of the site. Studies that come from now on are judged by them.

    \b
    Examples:
      pacsqc device criteria 3 acr-mri-2018
      pacsqc device criteria 3 /etc/pacsqc/mr1.toml acr-mri-2022
      pacsqc device criteria 3 --site
    """
    from pathlib import Path

    from flows.who import login

    with store_of(context, data) as store:
        refuse(["name criteria sets, or --site, not both"] if site == bool(sets) else [])
        # a file is looked for from wherever the next run is started: keep where it is
        names = tuple(str(Path(name).absolute()) if name.endswith(".toml") else name for name in sets or ())
        found = find(store, device)
        store.set_device_criteria(found.id, names, login(), reason)
        typer.echo(f"{found.alias} is judged by {', '.join(names) or 'the sets of the site'}.")


@app.command(short_help="Say that you have looked at new devices and they are right.")
def review(
    context: typer.Context,
    device: Annotated[list[str], typer.Argument(metavar="DEVICE...", help="Numbers or names.")],
    data: DataFolder = None,
) -> None:
    """Say that you have looked at new devices and they are right: they are no longer marked NEW.

    \b
    Example:
      pacsqc device review 4 5
    """
    from flows.who import login

    with store_of(context, data) as store:
        for found in [find(store, name) for name in device]:
            store.review_device(found.id, login())
            typer.echo(f"{found.alias} ({found.id}): reviewed.")


@app.command("by-hand", short_help="What people set by hand in phantom tests; end its use.")
def by_hand(
    context: typer.Context,
    device: Annotated[str | None, typer.Argument(metavar="[DEVICE]", help="Number or name; none: all.")] = None,
    forget: Annotated[str | None, typer.Option(metavar="TEST", help="Use what was set for this test no more in automatic runs.")] = None,
    reason: Why = "",
    data: DataFolder = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """List what people set by hand in phantom tests (`pacsqc phantom --set`), or end its use in the automatic runs of a device.

    \b
    Examples:
      pacsqc device by-hand
      pacsqc device by-hand 3 --forget acr_mri.piu --reason "bubble is gone"
    """
    from flows.who import login

    with store_of(context, data) as store:
        refuse([*check_forms(as_json, as_csv), *(["name the device whose runs are meant"] if forget and not device else [])])
        found = find(store, device) if device else None
        if forget and found:
            if not store.forget_by_hand(found.id, forget, login(), reason):
                names = sorted({one.check for one in store.by_hand(found.id) if one.again and one.ended_at is None})
                raise ConfigurationError(f"nothing set for {forget!r} is in use on {found.alias}; in use: {', '.join(names) or 'nothing'}")
            typer.echo(f"{found.alias} ({found.id}): {forget} is measured as usual from now on.")
            return
        names = {one.id: one.alias for one in store.devices()}
        rows = [_set_row(one, names) for one in store.by_hand(found.id if found else None)]
    print_rows(rows, as_json, as_csv, _set_listing(rows))


def _set_row(one: ByHand, names: dict[int, str]) -> dict[str, Any]:
    return {
        "device": names.get(one.device_id, "") if one.device_id is not None else "",
        "test": one.check,
        "set": ", ".join(f"{name}={value}" for name, value in one.parameters.items()),
        "who": one.who,
        "at": one.at.isoformat(timespec="seconds"),
        "reason": one.why,
        "in_use": one.again and one.ended_at is None,
    }


def _set_listing(rows: list[dict[str, Any]]) -> str:
    from flows.terminal import safe, table

    if not rows:
        return "Nothing was set by hand yet (`pacsqc phantom --set`).\n"
    lines = [("DEVICE", "TEST", "SET", "BY", "AT", "REASON", "")]
    for row in rows:
        cells = tuple(safe(str(row[name])) for name in ("device", "test", "set", "who", "at", "reason"))
        lines.append((*cells, "in automatic runs" if row["in_use"] else ""))
    return table(lines)
