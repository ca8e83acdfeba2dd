"""What people do about a study: verdicts, comments, assignments, signatures, and asking whose code it is."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from qc.errors import ConfigurationError
from reports.store import access as known
from reports.store import audit, reviews
from reports.web import access
from reports.web.access import Asking
from reports.web.desk import desk_of
from reports.web.pages import study as page
from reports.web.pages.day import check_password

router = APIRouter(include_in_schema=False)
Me = Annotated[Asking, Depends(access.poster)]
Text = Annotated[str, Form()]

_ROLE = {"dismiss": "physicist"}  # everything else: technologist


@router.post("/study/{number}/say")
def say(
    request: Request, number: int, me: Me, kind: Text, problem: Text = "", digest: Text = "", text: Text = "", assignee: Text = ""
) -> Response:
    """Confirm, dismiss, open again, comment, assign."""
    access.need(me, _ROLE.get(kind, "technologist"), "That")
    desk = desk_of(request)
    try:
        with desk.store.writing() as connection:
            shown = page.read(desk, connection, number)
            entry = next((one for one in shown.entries if one.key == problem), None)
            if problem and entry is None:
                raise ConfigurationError("the study has no such problem any more; look again")
            if entry and kind in reviews.VERDICTS and entry.digest != digest:
                raise ConfigurationError("the study was checked again while you looked; look again and decide about what stands here now")
            if not problem and kind != "comment":
                raise ConfigurationError("about a study as a whole only comments are kept")
            if kind == "assign" and assignee and not known.known(connection, assignee).active:
                raise ConfigurationError(f"{assignee!r} no longer works here")
            to = assignee if kind == "assign" else None
            reviews.add(connection, me.login, kind, shown.study["study_uid"], problem, digest if entry else "", text, to)
    except ConfigurationError as error:
        return page.page(request, me, number, _sentence(error), 409)
    return RedirectResponse(f"/study/{number}#{entry.anchor if entry else 'words'}", 303)


@router.post("/study/{number}/sign")
def sign(request: Request, number: int, me: Me, comment: Text = "", password: Text = "", digest: Text = "") -> Response:
    """Sign a phantom run off: physicists and above."""
    access.need(me, "physicist", "Signing off a phantom run")
    desk = desk_of(request)
    try:
        check_password(desk, me, password)
        with desk.store.writing() as connection:
            shown = page.read(desk, connection, number)
            if not shown.phantom:
                raise ConfigurationError("this study is no phantom run")
            if shown.study["superseded_at"] is not None or shown.digest != digest:
                raise ConfigurationError("the run was measured again while you looked; look again and sign what stands here now")
            still_open = [one for one in shown.entries if one.state.word == "open"]
            if still_open and not comment.strip():
                raise ConfigurationError("problems are open; say in the comment why you sign all the same")
            content = {"status": shown.study["status"], "open": len(still_open), "revision": shown.study["revision"]}
            reviews.sign(connection, me.person, "phantom", shown.study["study_uid"], shown.digest, content, comment)
    except ConfigurationError as error:
        return page.page(request, me, number, _sentence(error), 409)
    return RedirectResponse(f"/study/{number}#signed", 303)


@router.get("/study/{number}/who")
def ask(request: Request, number: int) -> Response:
    """Ask why somebody wants to know a name."""
    me = access.reader(request)
    access.need(me, "physicist", "Asking for names")
    desk = desk_of(request)
    with desk.store.reading() as connection:
        study = page.one_study(connection, number)
    return desk.page(request, "who.html", me, study=study, found=None, problem="", can=desk.config.names is not None)


@router.post("/study/{number}/who")
def who(request: Request, number: int, me: Me, why: Text = "") -> Response:
    """Show the name behind a code; logged before it is shown."""
    access.need(me, "physicist", "Asking for names")
    desk, ask_images = desk_of(request), desk_of(request).config.names
    with desk.store.reading() as connection:
        study = page.one_study(connection, number)
    if ask_images is None or not study["patient"] or not why.strip():
        problem = (
            "Say in a few words why you need to know; it is kept." if ask_images and study["patient"] else "The images cannot be asked."
        )
        return desk.page(request, "who.html", me, 400, study=study, found=None, problem=problem, can=ask_images is not None)
    found = ask_images(study["patient"])
    with desk.store.writing() as connection:
        audit.log(connection, me.login, "patient.who", after={"hash": study["patient"], "found": bool(found)}, why=why)
    return desk.page(request, "who.html", me, study=study, found=found, problem="", can=True)


def _sentence(error: Exception) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."
