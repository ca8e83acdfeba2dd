"""The desk itself: the store, how it is run, and how its pages are laid out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import HTMLResponse

from reports import words
from reports.web.config import Config
from reports.web.limiter import Limiter

if TYPE_CHECKING:
    from reports.store import Store
    from reports.web.access import Asking

HERE = Path(__file__).parent
STATIC = {
    "desk.css": "text/css; charset=utf-8",
    "desk.js": "text/javascript; charset=utf-8",
    "htmx.min.js": "text/javascript; charset=utf-8",
}


class Desk:
    """What every page needs.

    Parameters
    ----------
    store
        The database.
    config
        How the desk is run.
    """

    def __init__(self, store: Store, config: Config) -> None:
        import jinja2

        self.store, self.config = store, config
        self.by_login, self.by_address = Limiter(5, 900), Limiter(30, 900)
        self.files = {name: _file(name) for name in STATIC}
        self._titles: Any = None
        loader = jinja2.ChoiceLoader([jinja2.FileSystemLoader(HERE / "templates"), jinja2.FileSystemLoader(HERE.parent / "templates")])
        self.environment = jinja2.Environment(
            loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, auto_reload=False
        )
        self.environment.globals.update(
            words=words, said=words.STATUS, site=config.site, asset=self.asset, when=self.when, long_day=words.long_day
        )

    @property
    def titles(self) -> Any:
        """Titles of checks and metrics; read once."""
        if self._titles is None:
            from reports.problems import Titles

            self._titles = Titles.load()
        return self._titles

    def asset(self, name: str) -> str:
        """Return the address of a file of the desk; another content has another address, so browsers may keep it."""
        return f"/static/{hashlib.sha256(self.files[name]).hexdigest()[:12]}/{name}"

    def when(self, at: datetime | None) -> str:
        """Return a moment in the zone of the site: 25 Nov 2026, 08:15."""
        if at is None:
            return ""
        local = at.astimezone(self.store.zone)
        return f"{words.short_day(local.date())}, {local:%H:%M}"

    def today(self) -> date:
        """Return the day it is at the site, by the clock of the database."""
        return self.store.now().astimezone(self.store.zone).date()

    def page(self, request: Request, template: str, me: Asking | None, status: int = 200, **context: Any) -> HTMLResponse:
        """Lay out a page."""
        text = self.environment.get_template(template).render(me=me, path=request.url.path, **context)
        return HTMLResponse(text, status)


def desk_of(request: Request) -> Desk:
    """Return the desk that a request came to."""
    desk: Desk = request.app.state.desk
    return desk


def _file(name: str) -> bytes:
    read: Callable[[Path], bytes] = Path.read_bytes
    own = read(HERE / "static" / name)
    return read(HERE.parent / "templates" / "daily.css") + own if name == "desk.css" else own
