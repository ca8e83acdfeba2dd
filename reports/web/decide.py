"""What people decide about devices and charts: service, baselines, points left out, scans that were repeated."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from qc.errors import ConfigurationError
from reports import trends
from reports.store import Store
from reports.web import access
from reports.web.access import Asking
from reports.web.desk import desk_of
from reports.web.pages import device as page

router = APIRouter(include_in_schema=False)
Me = Annotated[Asking, Depends(access.poster)]
Text = Annotated[str, Form()]
# who may put which kind of event into the service log; everything else: technologist
_ROLE = {"returned": "physicist", "verified": "physicist"}
# what a device must be before it can become something else
_AFTER = {"verified": ("out_of_service", "serviced"), "returned": ("out_of_service", "serviced", "verified")}


@router.post("/device/{number}/service")
def service(
    request: Request, number: int, me: Me, kind: Text, text: Text = "", day: Text = "", clock: Text = "", restarts: Text = "usual"
) -> Response:
    """Add a line to the service log: technologists; verifying and returning to service: physicists."""
    access.need(me, _ROLE.get(kind, "technologist"), "That")
    anew = {"yes": True, "no": False}.get(restarts)

    def add(store: Store) -> None:
        if kind in _AFTER:
            with store.reading() as connection:
                device = page.one_device(connection, number)
                state = page.service_state(page.service_log(connection, device.id))
            if state not in _AFTER[kind]:
                raise ConfigurationError(f"the device is {page.STATES[state][2:]}; it can be {kind} only after it was taken out of service")
            if kind == "returned" and state != "verified":
                raise ConfigurationError("verify the device before it returns to service: a test after the service that is in order")
        trends.add_service_event(store, number, _day(day), kind, text, me.login, local_time=_clock(clock), restarts=anew)

    return _done(request, me, number, None, add, f"/device/{number}#service")


@router.post("/device/{number}/name")
def name(request: Request, number: int, me: Me, alias: Text, why: Text = "") -> Response:
    """Give a device the name that people use: physicists."""
    access.need(me, "physicist", "Renaming devices")

    def change(store: Store) -> None:
        store.rename_device(number, alias, me.login, why)

    return _done(request, me, number, None, change, f"/device/{number}")


@router.post("/device/{number}/review")
def review(request: Request, number: int, me: Me) -> Response:
    """Confirm a new device: technologists."""
    access.need(me, "technologist", "Confirming devices")
    return _done(request, me, number, None, lambda store: store.review_device(number, me.login), f"/device/{number}")


@router.post("/device/{number}/by-hand")
def by_hand(request: Request, number: int, me: Me, check: Text, why: Text = "") -> Response:
    """Use what was set by hand in a test no more in the automatic runs of a device: physicists."""
    access.need(me, "physicist", "Ending what was set by hand")

    def end(store: Store) -> None:
        if not why.strip():
            raise ConfigurationError("say why it is not used any more; it is kept")
        if not store.forget_by_hand(number, check, me.login, why):
            raise ConfigurationError(f"nothing set by hand for {check} is in use on this device any more")

    return _done(request, me, number, None, end, f"/device/{number}#by-hand")


@router.post("/device/{number}/chart/{chart}/baseline")
def baseline(
    request: Request, number: int, chart: int, me: Me, first: Text, last: Text, why: Text = "", transform: Text = "none"
) -> Response:
    """Choose a baseline: physicists."""
    access.need(me, "physicist", "Choosing baselines")

    def choose(store: Store) -> None:
        trends.set_baseline(store, chart, _day(first), _day(last), me.login, why, transform=transform)

    return _done(request, me, number, chart, choose, f"/device/{number}/chart/{chart}")


@router.post("/device/{number}/chart/{chart}/leave-out")
def leave_out(request: Request, number: int, chart: int, me: Me, series_uid: Text, why: Text = "") -> Response:
    """Leave a point out of baselines: physicists."""
    access.need(me, "physicist", "Leaving points out")
    return _done(
        request,
        me,
        number,
        chart,
        lambda store: trends.leave_out(store, chart, series_uid, me.login, why),
        f"/device/{number}/chart/{chart}",
    )


@router.post("/device/{number}/chart/{chart}/replace")
def replace(request: Request, number: int, chart: int, me: Me, series_uid: Text, by: Text = "", why: Text = "") -> Response:
    """Say that a scan was repeated and the repeat counts: physicists."""
    access.need(me, "physicist", "Replacing scans")
    return _done(
        request,
        me,
        number,
        chart,
        lambda store: trends.replace_scan(store, series_uid, by.strip(), me.login, why),
        f"/device/{number}/chart/{chart}",
    )


@router.post("/device/{number}/chart/{chart}/take-back")
def take_back(request: Request, number: int, chart: int, me: Me, what: Text, decision: Annotated[int, Form()], why: Text = "") -> Response:
    """End a decision, with a reason: physicists."""
    access.need(me, "physicist", "Taking decisions back")
    return _done(
        request, me, number, chart, lambda store: trends.take_back(store, what, decision, me.login, why), f"/device/{number}/chart/{chart}"
    )


def _done(request: Request, me: Asking, number: int, chart: int | None, act: Callable[[Store], object], target: str) -> Response:
    """Do it and go on to `target`; what will not do is said on the page that it was asked on."""
    try:
        act(desk_of(request).store)
    except ConfigurationError as error:
        text = str(error)
        said = f"{text[:1].upper()}{text[1:]}."
        if chart is None:
            return page.page(request, me, number, said, 409)
        return page.chart_page(request, me, number, chart, said, 409)
    return RedirectResponse(target, 303)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(f"{text!r} is not a day; days are written 2026-11-25") from error


def _clock(text: str) -> str:
    if not text:
        return ""
    parts = text.split(":")
    if len(parts) not in (2, 3) or not all(part.isdigit() for part in parts) or int(parts[0]) > 23 or int(parts[1]) > 59:
        raise ConfigurationError(f"{text!r} is not a time of day; write 14:30")
    return f"{int(parts[0]):02d}:{int(parts[1]):02d}:00"
