"""Set by hand where a phantom is measured, and have it measured again. The desk itself measures nothing: `reports.web.config.ByHandDoor`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.engine import Connection
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from qc.errors import ConfigurationError
from qc.results import ImageEvidence
from reports.problems import Row
from reports.store import ByHand, by_hand
from reports.store import schema as t
from reports.web import access
from reports.web.access import Asking
from reports.web.config import Asked, ByHandDoor, ByHandTest
from reports.web.desk import Desk, desk_of
from reports.web.pages import study as page

if TYPE_CHECKING:
    from markupsafe import Markup

router = APIRouter(include_in_schema=False)
WHAT = "Setting a region by hand"


@dataclass
class Offered:
    """What somebody may set in a study.

    Attributes
    ----------
    devices
        Numbers and names of the devices that made the images of the phantom.
    kept
        What is set now, a later setting of a test over the earlier.
    pictures
        Test -> the picture it measured in, with its size in rows and columns.
    """

    study: Row
    door: ByHandDoor | None
    tests: list[ByHandTest]
    devices: dict[int, str]
    kept: Sequence[ByHand]
    pictures: dict[str, tuple[Markup, int, int]]


@router.get("/study/{number}/by-hand")
def ask(request: Request, number: int) -> Response:
    """Show what may be set."""
    me = access.reader(request)
    access.need(me, "physicist", WHAT)
    return _page(request, me, number)


@router.post("/study/{number}/by-hand")
async def measure(request: Request, number: int, me: Annotated[Asking, Depends(access.poster)]) -> Response:
    """Keep what was set and have the study measured: physicists."""
    access.need(me, "physicist", WHAT)
    form = {key: str(value).strip() for key, value in (await request.form()).items()}
    return await run_in_threadpool(_measure, request, me, number, form)


# -- how --------------------------------------------------------------------------------------------------------


def _measure(request: Request, me: Asking, number: int, form: Mapping[str, str]) -> Response:
    desk = desk_of(request)
    with desk.store.reading() as connection:
        offered = _offered(desk, connection, number)
    study, again = offered.study, bool(form.get("again"))
    names = [f"{test.check}.{name}" for test in offered.tests for name, _ in test.settable]
    texts = tuple(f"{name}={form[name].replace(',', '.')}" for name in names if form.get(name))
    try:
        if offered.door is None:
            raise ConfigurationError("this desk cannot measure; use pacsqc phantom --set")
        if study["superseded_at"] is not None:
            raise ConfigurationError("these results are superseded; set it by hand on the newest ones")
        if not texts and not form.get("as_found"):
            raise ConfigurationError("nothing is set: fill in a slice, a centre, an angle or a size")
        if again and len(offered.devices) != 1:
            raise ConfigurationError("the images are not of one known device; leave the tick away")
        device = next(iter(offered.devices)) if len(offered.devices) == 1 else None
        done = offered.door.measure(
            Asked(study["study_uid"], device, () if form.get("as_found") else texts, me.login, form.get("why", ""), again)
        )
    except ConfigurationError as error:
        said = [f"{one[:1].upper()}{one[1:]}." for one in error.problems]
        return _page(request, me, number, form, said, 409)
    with desk.store.reading() as connection:
        newest = page.newest(connection, study["study_uid"]) if done else None
    return RedirectResponse(f"/study/{newest}#by-hand" if newest else f"/study/{number}", 303)


def _page(
    request: Request, me: Asking, number: int, form: Mapping[str, str] | None = None, problems: Sequence[str] = (), status: int = 200
) -> Response:
    desk = desk_of(request)
    with desk.store.reading() as connection:
        offered = _offered(desk, connection, number)
    now = {one.check: one.parameters for one in offered.kept}
    given = form or {f"{check}.{name}": str(value) for check, values in now.items() for name, value in values.items()}
    filled = {name.rpartition(".")[0] for name, value in given.items() if value}
    told = {"now": now, "given": given, "filled": filled, "problems": problems}
    return desk.page(request, "by_hand.html", me, status, o=offered, study=offered.study, **told)


def _offered(desk: Desk, connection: Connection, number: int) -> Offered:
    study = page.one_study(connection, number)
    phantoms = [one for one in page.series_of(connection, number) if one["class"].startswith("phantom:")]
    if not phantoms:
        raise HTTPException(404, "This study is no phantom run.")
    devices = {one["device_number"]: one["alias"] for one in phantoms if one["device_number"]}
    door = desk.config.by_hand
    tests = door.tests({one["class"] for one in phantoms}) if door else []
    kept = [one for device in devices for one in by_hand.settings(connection, device) if one.again and one.ended_at is None]
    kept += by_hand.of_study(connection, number)
    return Offered(study, door, tests, devices, kept, _pictures(connection, number, tests))


def _pictures(connection: Connection, number: int, tests: Sequence[ByHandTest]) -> dict[str, tuple[Markup, int, int]]:
    """Return the first picture of each test."""
    wanted: dict[int, str] = {}
    m = t.measurement.c
    for method, evidence in connection.execute(sa.select(m.method, m.evidence).where(m.study_id == number).order_by(m.id)):
        check = method.rpartition("/")[0]
        if evidence and check not in wanted.values() and any(one.check == check for one in tests):
            wanted[evidence[0]] = check
    found = page.evidence_of(connection, wanted)
    return {wanted[n]: (page.drawn(n, one), *one.image.shape[:2]) for n, one in found.items() if isinstance(one, ImageEvidence)}
