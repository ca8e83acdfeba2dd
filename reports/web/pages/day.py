"""A day: what needs a look, how far people are with it, and the signature under it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Annotated, Any
from urllib.parse import urlencode

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.engine import Connection

from qc.errors import ConfigurationError
from reports import due, due_sheets, words
from reports.store import access as people
from reports.store import days, lookup, reviews
from reports.store import schema as t
from reports.web import access, rows, worklist
from reports.web.access import Asking
from reports.web.desk import Desk, desk_of
from reports.web.worklist import Day, Entry

router = APIRouter(include_in_schema=False)
PAGE = 100  # entries on one page


@dataclass
class Filters:
    """Which entries are shown. Empty: all."""

    state: str = "open"
    status: str = ""
    device: str = ""
    modality: str = ""
    assignee: str = ""
    q: str = ""

    def fits(self, one: Entry) -> bool:
        """Tell whether an entry is shown."""
        if self.q:
            study = one.item.study
            text = " ".join(filter(None, (one.problem.title, one.brief, one.device, study["study_description"], study["study_uid"])))
            if self.q.casefold() not in text.casefold():
                return False
        wanted = (
            (self.state if self.state != "all" else "", one.state.word),
            (self.status, one.item.status),
            (self.device, one.device),
            (self.assignee, one.state.assignee),
        )
        return all(not want or want == has for want, has in wanted) and (not self.modality or self.modality in one.modality.split("; "))


@dataclass(frozen=True)
class Remark:
    """A line under the verdict of a day, with where it leads."""

    text: str
    href: str = ""


@dataclass(frozen=True)
class Verdict:
    """The day in one line. Only ``pass`` is green."""

    status: str
    text: str
    lines: Sequence[Remark] = ()

    @property
    def symbol(self) -> str:
        """Symbol of the status."""
        return words.STATUS[self.status].symbol if self.status in words.STATUS else "○"


@router.get("/")
@router.get("/day")
def newest(request: Request, day: str = "") -> Response:
    """Go to the day that was asked for, else to the newest one that has anything."""
    desk = desk_of(request)
    access.reader(request)
    if day:
        return RedirectResponse(f"/day/{_day(day)}", 303)
    with desk.store.reading() as connection:
        last = days.newest(connection)
    return RedirectResponse(f"/day/{last or desk.today()}", 303)


@router.get("/day/{day}")
def show(
    request: Request,
    day: str,
    state: str = "open",
    status: str = "",
    device: str = "",
    modality: str = "",
    assignee: str = "",
    q: str = "",
    page: int = 1,
) -> Response:
    """Show a day."""
    chosen = Filters(state, status, device, modality, assignee, q.strip()[:80])
    return _page(request, access.reader(request), _day(day), chosen, page)


@router.get("/day/{day}/studies")
def studies(request: Request, day: str, page: int = 1) -> Response:
    """Show every study of a day, also those in order."""
    desk, me, which = desk_of(request), access.reader(request), _day(day)
    condition = days.of_day(which)
    with desk.store.reading() as connection:
        total = connection.execute(sa.select(sa.func.count()).select_from(t.study).where(condition)).scalar_one()
        found = rows.studies(connection, condition)
        shown, page, pages = paged(found, page)
        rows.with_devices(connection, shown, t.study.c.id.in_([row["id"] for row in shown]))
    return desk.page(request, "studies.html", me, day=which, shown=shown, page=page, pages=pages, total=total)


@router.post("/day/{day}/sign")
def sign(
    request: Request,
    day: str,
    me: Annotated[Asking, Depends(access.poster)],
    comment: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    digest: Annotated[str, Form()] = "",
) -> Response:
    """Sign a day off: technologists and above."""
    access.need(me, "technologist", "Signing off a day")
    desk, which = desk_of(request), _day(day)
    try:
        check_password(desk, me, password)
        with desk.store.writing() as connection:
            found = worklist.read(connection, which, desk.titles)
            if found.digest() != digest:
                raise ConfigurationError("results of this day came in while you looked; look again and sign what stands here now")
            if found.states["open"] and not comment.strip():
                raise ConfigurationError("problems are open; say in the comment why you sign all the same")
            reviews.sign(connection, me.person, "day", which.isoformat(), digest, found.content(), comment)
    except ConfigurationError as error:
        return _page(request, me, which, Filters(), 1, str(error), 409)
    return RedirectResponse(f"/day/{which}#signed", 303)


def check_password(desk: Desk, me: Asking, password: str) -> None:
    """Make sure that who signs is who signed in: computers in a control room are left open."""
    if not me.person.has_password or me.how != "session":
        return
    if desk.by_login.wait(me.login):
        raise ConfigurationError("too many wrong passwords; wait some minutes")
    with desk.store.reading() as connection:
        person = people.right_password(connection, me.login, password)
    if person is None:
        desk.by_login.failed(me.login)
        raise ConfigurationError("the password is wrong; nothing was signed")


def paged(found: Sequence[Any], page: int, size: int = PAGE) -> tuple[list[Any], int, int]:
    """Return the entries of a page, its number (within what there is), and how many pages there are."""
    pages = max(1, -(-len(found) // size))
    page = min(max(page, 1), pages)
    return list(found[(page - 1) * size : page * size]), page, pages


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(f"{text!r} is not a day; days are written 2026-11-25") from error


def _page(request: Request, me: Asking, day: date, chosen: Filters, page: int, problem: str = "", status: int = 200) -> Response:
    desk = desk_of(request)
    with desk.store.reading() as connection:
        found = worklist.read(connection, day, desk.titles)
        before, after = _neighbours(connection, day)
        signatures = reviews.signatures(connection, "day", [day.isoformat()]).get(day.isoformat(), [])
        tests = due_sheets.asked(due_sheets.on(connection, day, desk.config.holidays), day)
        phantoms = due.of_day(desk.store, desk.config.rules, day, desk.config.holidays)
        verdict = _verdict(connection, found, tests, phantoms)
    fitting = [one for one in found.entries if chosen.fits(one)]
    shown, page, pages = paged(fitting, page)
    query = urlencode({key: value for key, value in asdict(chosen).items() if value})
    return desk.page(
        request, "day.html", me, status, d=found, f=chosen, shown=shown, found=len(fitting), page=page, pages=pages, verdict=verdict,
        query=f"{query}&" if query else "", before=before, after=after, signatures=signatures, digest=found.digest(),
        devices=sorted({one.device for one in found.entries}),
        modalities=sorted({kind for one in found.entries for kind in one.modality.split("; ") if kind}),
        assignees=sorted({one.state.assignee for one in found.entries if one.state.assignee}),
        zones=sorted({row["zone"] for row in found.studies if row["zone"]}), meaning=reviews.MEANINGS["day"], problem=problem, tests=tests,
    )  # fmt: skip


def _neighbours(connection: Connection, day: date) -> tuple[date | None, date | None]:
    """Return the days before and after that have studies."""
    before = sa.select(sa.func.max(t.study.c.day)).where(lookup.CURRENT, t.study.c.day < day)
    after = sa.select(sa.func.min(t.study.c.day)).where(lookup.CURRENT, t.study.c.day > day)
    return connection.execute(before).scalar(), connection.execute(after).scalar()


def _verdict(connection: Connection, found: Day, tests: Sequence[due_sheets.Expected], phantoms: Sequence[due.Expected]) -> Verdict:
    """Say how the day is, by what is still open; green only where everything was done and checked."""
    open_ones = [one for one in found.entries if one.state.word == "open"]
    tally, aside = lookup.tally(connection), _unread(connection, found.day)
    waiting = tally["ready"] + tally["leased"] + tally["arriving"]
    missing = [one for one in (*tests, *phantoms) if not one.done]
    unjudged = found.statuses["not_evaluable"]
    lines = []
    for some, what, href in ((phantoms, "Phantom tests", "/phantoms"), (tests, "Test sheets", "/sheets")):
        if some:
            done = sum(one.done for one in some)
            where = ", ".join(one.device or "any device" for one in some if not one.done)
            lines.append(
                Remark(
                    f"{'✔' if done == len(some) else '▲'} {what}: {done} of {len(some)} expected{f' (not on {where})' if where else ''}",
                    href,
                )
            )
    if waiting:
        lines.append(Remark(f"? {words.studies(waiting)} still to be checked (of this or another day)", "/aside#waiting"))
    if aside:
        lines.append(Remark(f"▲ {words.count(aside, 'file')} could not be read", f"/aside?day={found.day}"))
    if found.late:
        lines.append(Remark(f"{words.studies(len(found.late))} of earlier days arrived late; their problems stand in the list"))
    if unjudged:
        lines.append(Remark(f"? {words.studies(unjudged)} could not be evaluated in full", f"/aside?day={found.day}#unjudged"))
    if open_ones:
        worst = min((one.item.status for one in open_ones), key=words.ORDER.__getitem__)
        return Verdict(worst, f"{words.count(len(open_ones), 'problem is', 'problems are')} open", lines)
    if missing or aside:
        text = f"{words.count(len(missing), 'expected test is', 'expected tests are')} missing" if missing else "Files could not be read"
        return Verdict("warn", text, lines)
    if not found.studies and not found.late:
        return Verdict("nothing", "No studies. Nothing was checked on this day.", lines)
    if waiting or unjudged:
        return Verdict("not_evaluable", "No problem is open, but not everything could be checked", lines)
    if found.entries:
        many = len(found.entries)
        return Verdict(
            "info",
            f"{'The only problem' if many == 1 else f'All {many} problems'} of this day {'was' if many == 1 else 'were'} looked at",
            lines,
        )
    return Verdict("pass", f"{words.studies(len(found.studies))}, all in order", lines)


def _unread(connection: Connection, day: date) -> int:
    """Count the files set aside with this day that should have been readable."""
    chosen = sa.select(t.skipped.c.reason, t.skipped.c.path).where(days.set_aside(connection, day)).limit(2000)
    return sum(words.worrying(row.reason, row.path) for row in connection.execute(chosen))
