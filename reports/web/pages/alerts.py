"""Alerts: the problems that stand, one line each however many studies have them; who sees to them; the messages that were sent."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from qc.errors import ConfigurationError
from reports import alerts
from reports.web import access
from reports.web.access import Asking
from reports.web.desk import desk_of

router = APIRouter(include_in_schema=False)
Me = Annotated[Asking, Depends(access.poster)]
Text = Annotated[str, Form()]
RESOLVED, MESSAGES = 50, 30


@router.get("/alerts")
def show(request: Request) -> Response:
    """Show the problems that stand, the newest of those that are over, and the messages."""
    return _page(request, access.reader(request))


@router.post("/alerts/{number}/acknowledge")
def acknowledge(request: Request, number: int, me: Me, why: Text = "") -> Response:
    """Say that one sees to a problem: technologists."""
    access.need(me, "technologist", "Acknowledging alerts")
    try:
        alerts.acknowledge(desk_of(request).store, number, me.login, why)
    except ConfigurationError as error:
        return _page(request, me, str(error), 400)
    return RedirectResponse("/alerts", 303)


@router.post("/alerts/{number}/snooze")
def snooze(request: Request, number: int, me: Me, until: Text = "", why: Text = "") -> Response:
    """Hear nothing of a problem before a day: physicists."""
    access.need(me, "physicist", "Snoozing alerts")
    try:
        try:
            day = date.fromisoformat(until)
        except ValueError as error:
            raise ConfigurationError("choose the day until which nothing is to be heard of it") from error
        alerts.snooze(desk_of(request).store, number, day, me.login, why)
    except ConfigurationError as error:
        return _page(request, me, str(error), 400)
    return RedirectResponse("/alerts", 303)


def _page(request: Request, me: Asking, problem: str = "", status: int = 200) -> Response:
    desk = desk_of(request)
    found = alerts.problems(desk.store, resolved=RESOLVED)
    for row in found:
        kind, _, number = row["subject"].partition(":")
        row["href"] = f"/device/{number}" if kind == "device" and number.isdigit() else ""
    return desk.page(
        request, "alerts.html", me, status, standing=[row for row in found if row["state"] != "resolved"], today=desk.today(), problem=problem,
        over=[row for row in found if row["state"] == "resolved"], messages=alerts.messages(desk.store, MESSAGES),
    )  # fmt: skip
