"""The application: pages, actions, API, and what is answered when something goes wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from qc.errors import ConfigurationError, Transient
from reports.web import actions, api, decide, doors
from reports.web.access import NotAllowed, NotSignedIn
from reports.web.config import Config
from reports.web.desk import STATIC, Desk, desk_of
from reports.web.guard import Guard
from reports.web.pages import alerts, aside, audit, by_hand, day, device, phantoms, protocols, settings, sheets, study

if TYPE_CHECKING:
    from reports.store import Store

API = "/api/"
PAGES_AT_A_TIME = 4
_PARTS = [
    one.router
    for one in (doors, day, study, by_hand, actions, device, decide, phantoms, protocols, sheets, alerts, aside, audit, settings, api)
] + [api.watched]


def create_app(store: Store, config: Config | None = None) -> FastAPI:
    """Return the review desk of a database as an ASGI application.

    Parameters
    ----------
    store
        The open database; it stays open as long as the application is used.
    config
        How the desk is run; None: with the defaults, which are those of a desk on this machine alone.
    """
    chosen = config or Config()
    app = FastAPI(
        title="pacsqc review desk", version="1", lifespan=_few_threads, docs_url=None, redoc_url=None, openapi_url="/api/openapi.json"
    )
    app.state.desk = Desk(store, chosen)
    for router in _PARTS:
        app.include_router(router)
    app.add_api_route("/static/{digest}/{name}", _static, include_in_schema=False)
    for kind, answer in _ANSWERS.items():
        app.add_exception_handler(kind, answer)
    app.add_middleware(Guard, hosts=chosen.hosts, secure=chosen.secure)
    return app


@asynccontextmanager
async def _few_threads(_app: FastAPI) -> AsyncIterator[None]:
    """Work on a few pages at a time: more threads than this only take the interpreter from each other, and everybody waits longer."""
    from anyio.to_thread import current_default_thread_limiter

    current_default_thread_limiter().total_tokens = PAGES_AT_A_TIME
    yield


def _static(request: Request, digest: str, name: str) -> Response:
    desk = desk_of(request)
    if name not in STATIC:
        raise HTTPException(404)
    kept = "public, max-age=31536000, immutable" if digest in desk.asset(name) else "no-store"
    return Response(desk.files[name], media_type=STATIC[name], headers={"cache-control": kept})


# -- when something goes wrong ----------------------------------------------------------------------------------


def _message(request: Request, status: int, title: str, text: str) -> Response:
    if request.url.path.startswith(API):
        return JSONResponse({"detail": text or title}, status)
    return desk_of(request).page(request, "message.html", _me(request), status, title=title, text=text)


def _me(request: Request) -> Any:
    from reports.web.access import reader

    try:
        return reader(request)
    except (NotSignedIn, NotAllowed, Transient):
        return None


def _not_signed_in(request: Request, _error: Exception) -> Response:
    if request.url.path.startswith((API, "/metrics")):
        return JSONResponse({"detail": "give a token: Authorization: Bearer ..."}, 401, {"www-authenticate": "Bearer"})
    if request.headers.get("hx-request"):  # htmx would put the sign-in page into the middle of this one
        return Response(status_code=401, headers={"hx-redirect": "/login"})
    back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    target = f"/login?next={quote(back)}" if request.method == "GET" and back != "/" else "/login"
    return RedirectResponse(target, 303)


def _not_allowed(request: Request, error: Exception) -> Response:
    return _message(request, 403, "Not allowed", str(error))


def _wrong(request: Request, error: Exception) -> Response:
    text = str(error)
    return _message(request, 400, "That will not do", text[:1].upper() + text[1:])


def _invalid(request: Request, error: Exception) -> Response:
    fields = (
        "; ".join(f"{one['loc'][-1]}: {one['msg']}" for one in error.errors()) if isinstance(error, RequestValidationError) else str(error)
    )
    return _message(request, 422, "That will not do", fields)


def _http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    title = {404: "There is no such page", 405: "That cannot be done here"}.get(status, f"Error {status}")
    detail = str(getattr(error, "detail", ""))
    return _message(request, status, title, detail if detail not in ("Not Found", "Method Not Allowed") else "")


def _busy(request: Request, _error: Exception) -> Response:
    return _message(
        request, 503, "The database does not answer", "Nothing was changed. Try again in a minute; if it stays so, tell whoever runs this."
    )


_ANSWERS = {
    NotSignedIn: _not_signed_in,
    NotAllowed: _not_allowed,
    ConfigurationError: _wrong,
    RequestValidationError: _invalid,
    HTTPException: _http,
    Transient: _busy,
}
