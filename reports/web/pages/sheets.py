"""Test sheets: which are due, filling them in, what was entered, making them, and earlier years from a file."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request, UploadFile
from fastapi.responses import PlainTextResponse, RedirectResponse, Response
from sqlalchemy.engine import Connection
from starlette.concurrency import run_in_threadpool

from qc.errors import ConfigurationError
from reports import due_sheets
from reports.store import lookup, sheet_import, sheets
from reports.store.local import zone_name
from reports.web import access
from reports.web.access import Asking
from reports.web.desk import Desk, desk_of

router = APIRouter(include_in_schema=False)
Me = Annotated[Asking, Depends(access.poster)]
Text = Annotated[str, Form()]
BACK_DAYS = 30
ROWS = 8  # lines for items on the form of a new sheet


@router.get("/sheets")
def index(request: Request) -> Response:
    """List what is due, and every sheet."""
    return _index(request, access.reader(request))


@router.get("/sheets/new")
def new(request: Request, like: int = 0) -> Response:
    """Show the form for a sheet, or a new version of one."""
    return _form(request, access.reader(request), like)


@router.post("/sheets/new")
async def make(request: Request, me: Me) -> Response:
    """Make a sheet or a new version: physicists."""
    access.need(me, "physicist", "Making test sheets")
    form = {key: str(value) for key, value in (await request.form()).items()}
    return await run_in_threadpool(_make, request, me, form)


@router.get("/sheets/{number}")
def show(request: Request, number: int, device: int = 0, repeats: int = 0) -> Response:
    """Show a sheet: the form to fill it in, and what was entered."""
    return _sheet(request, access.reader(request), number, device=device, repeats=repeats)


@router.post("/sheets/{number}")
async def fill(request: Request, number: int, me: Me) -> Response:
    """Store an entry: technologists."""
    access.need(me, "technologist", "Filling in test sheets")
    form = {key: str(value) for key, value in (await request.form()).items()}
    return await run_in_threadpool(_fill, request, me, number, form)


@router.get("/sheets/{number}/template.csv")
def template(request: Request, number: int) -> Response:
    """Give the first line of a file for `bring`."""
    access.reader(request)
    with desk_of(request).store.reading() as connection:
        return PlainTextResponse(sheet_import.template(sheets.one(connection, number)), media_type="text/csv")


@router.post("/sheets/{number}/import")
def bring(request: Request, number: int, me: Me, file: UploadFile, device: Annotated[int, Form()] = 0) -> Response:
    """Take over earlier entries from a CSV file: physicists."""
    access.need(me, "physicist", "Importing earlier years")
    desk = desk_of(request)
    try:
        try:
            text = file.file.read().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ConfigurationError("the file is not UTF-8 text; save it as CSV UTF-8") from error
        with desk.store.writing() as connection:
            sheet = sheets.one(connection, number)
            names = {one.alias.casefold(): one.id for one in lookup.devices(connection, by_day=True) if one.merged_into is None}
            given = device or sheet.device_id
            many = sheet_import.read(connection, sheet, text, file.filename or "", names, given, _zone(desk), me.login)
    except ConfigurationError as error:
        return _sheet(request, me, number, problem=str(error), status=400)
    return _sheet(request, me, number, said=f"{many} entries were taken over.")


@router.post("/sheets/{number}/retire")
def retire(request: Request, number: int, me: Me, why: Text = "") -> Response:
    """Ask for a sheet no more: physicists."""
    access.need(me, "physicist", "Retiring test sheets")
    try:
        with desk_of(request).store.writing() as connection:
            sheets.retire(connection, sheets.one(connection, number).name, me.login, why)
    except ConfigurationError as error:
        return _sheet(request, me, number, problem=str(error), status=400)
    return RedirectResponse("/sheets", 303)


# -- how --------------------------------------------------------------------------------------------------------


def _zone(desk: Desk) -> str:
    return zone_name(desk.store.now().astimezone(desk.store.zone))


def _index(request: Request, me: Asking) -> Response:
    desk = desk_of(request)
    today = desk.today()
    with desk.store.reading() as connection:
        due = due_sheets.on(connection, today, desk.config.holidays, back=BACK_DAYS)
    order = sorted(due, key=lambda one: (one.done or one.due is None, one.due or date.max, one.sheet.title, one.device))
    return desk.page(request, "sheets.html", me, due=order, today=today, back=BACK_DAYS)


def _sheet(
    request: Request, me: Asking, number: int, *, device: int = 0, repeats: int = 0, problem: str = "", said: str = "", status: int = 200,
    given: dict[str, str] | None = None,
) -> Response:  # fmt: skip
    desk = desk_of(request)
    with desk.store.reading() as connection:
        sheet = sheets.one(connection, number)
        entries = sheets.entries(connection, sheet.name)
        devices = _devices(connection, sheet)
    return desk.page(
        request, "sheet.html", me, status, sheet=sheet, items=sheet._mapping["items"], entries=entries, devices=devices, device=device, repeats=repeats,
        problem=problem, said=said, today=desk.today(), given=defaultdict(str, given or {}), days=_weekdays(sheet.weekdays),
    )  # fmt: skip


def _devices(connection: Connection, sheet: Any) -> list[lookup.Device]:
    known = [one for one in lookup.devices(connection, by_day=True) if one.merged_into is None]
    if sheet.device_id is not None:
        return [one for one in known if one.id == sheet.device_id]
    return [one for one in known if not sheet.modality or one.modality == sheet.modality]


def _fill(request: Request, me: Asking, number: int, form: dict[str, str]) -> Response:
    desk = desk_of(request)
    repeats = int(form.get("repeats") or 0) if (form.get("repeats") or "0").isdigit() else 0
    device = int(form["device"]) if form.get("device", "").isdigit() else 0
    try:
        try:
            day = date.fromisoformat(form.get("day", ""))
        except ValueError as error:
            raise ConfigurationError("choose the day on which it was measured") from error
        if day > desk.today():
            raise ConfigurationError("the day lies in the future")
        values = {key.removeprefix("v_"): value for key, value in form.items() if key.startswith("v_")}
        with desk.store.writing() as connection:
            sheet = sheets.one(connection, number)
            if not sheet.active:
                raise ConfigurationError("this version of the sheet is asked for no more; fill in the newest one")
            allowed = [one.id for one in _devices(connection, sheet)]
            if device not in allowed and (device or sheet.device_id or sheet.modality):
                raise ConfigurationError("choose the device")
            clock = f"{form['clock'][:5]}:00" if form.get("clock") else ""
            done = sheets.fill_in(
                connection, sheet, device or None, day, clock, _zone(desk), values, me.login, note=form.get("note", ""),
                supersedes=repeats or None, why=form.get("why", ""),
            )  # fmt: skip
    except ConfigurationError as error:
        return _sheet(request, me, number, device=device, repeats=repeats, problem=str(error), status=400, given=form)
    return RedirectResponse(f"/study/{done.study}", 303)


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def _weekdays(text: str) -> str:
    """Return days of the week in words: ``01234`` is Mon to Fri."""
    if text == "0123456":
        return "every day"
    if text == "01234":
        return "Mon to Fri"
    return ", ".join(_DAYS[int(one)] for one in text)


def _form(request: Request, me: Asking, like: int, problem: str = "", given: dict[str, str] | None = None) -> Response:
    access.need(me, "physicist", "Making test sheets")
    desk = desk_of(request)
    with desk.store.reading() as connection:
        sheet = sheets.one(connection, like) if like else None
        devices = [one for one in lookup.devices(connection, by_day=True) if one.merged_into is None]
    values = given if given is not None else _as_form(sheet)
    count = max(ROWS, len(sheet._mapping["items"]) + 2 if sheet is not None else 0)
    return desk.page(
        request, "sheet_new.html", me, 400 if problem else 200, sheet=sheet, devices=devices, values=defaultdict(str, values), rows=range(1, count + 1), problem=problem,
        kinds=sheets.KINDS, levels=sheets.LEVELS, weekdays=_DAYS, modalities=sorted({one.modality for one in devices if one.modality}),
    )  # fmt: skip


def _as_form(sheet: Any) -> dict[str, str]:
    """Return a sheet as the fields of its form."""
    if sheet is None:
        return {f"weekday_{n}": "yes" for n in range(7)}
    values = {"name": sheet.name, "title": sheet.title, "device": str(sheet.device_id or ""), "modality": sheet.modality or ""}
    values |= {"every_days": str(sheet.every_days or "")} | {f"weekday_{n}": "yes" for n in sheet.weekdays}
    for place, item in enumerate(sheet._mapping["items"], start=1):
        values |= {f"{place}_{key}": str(item[key]) for key in ("key", "title", "kind", "unit")}
        values |= {f"{place}_{level}": f"{item[level]:g}" for level in sheets.LEVELS if item[level] is not None}
        values |= {f"{place}_choices": "; ".join(f"{text} = {status}" for text, status in item["choices"])}
        values |= {f"{place}_required": "yes"} if item["required"] else {}
    return values


def _make(request: Request, me: Asking, form: dict[str, str]) -> Response:
    like = int(form.get("like") or 0) if (form.get("like") or "0").isdigit() else 0
    try:
        items = [_item(form, place) for place in range(1, sheets.MOST_ITEMS + 1) if form.get(f"{place}_key", "").strip()]
        every = form.get("every_days", "").strip()
        if every and not every.isdigit():
            raise ConfigurationError("how often: a whole number of days, or nothing")
        with desk_of(request).store.writing() as connection:
            number = sheets.define(
                connection, form.get("name", "").strip(), form.get("title", ""), items, me.login,
                device_id=int(form["device"]) if form.get("device", "").isdigit() else None, modality=form.get("modality") or None,
                every_days=int(every) if every else None, weekdays="".join(str(n) for n in range(7) if form.get(f"weekday_{n}")),
            )  # fmt: skip
    except ConfigurationError as error:
        return _form(request, me, like, str(error), form)
    return RedirectResponse(f"/sheets/{number}", 303)


def _item(form: dict[str, str], place: int) -> dict[str, Any]:
    item: dict[str, Any] = {key: form.get(f"{place}_{key}", "").strip() for key in ("key", "title", "kind", "unit")}
    item["required"] = bool(form.get(f"{place}_required"))
    for level in sheets.LEVELS:
        text = form.get(f"{place}_{level}", "").strip().replace(",", ".")
        try:
            item[level] = float(text) if text else None
        except ValueError as error:
            raise ConfigurationError(f"item {place}: the limit {text!r} is not a number") from error
    parts = [part for part in form.get(f"{place}_choices", "").split(";") if part.strip()]
    item["choices"] = [[part.partition("=")[0].strip(), part.partition("=")[2].strip() or "info"] for part in parts]
    return item
