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
from reports.store import sheets
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
        self._kept: dict[Any, tuple[Any, Any]] = {}
        loader = jinja2.ChoiceLoader([jinja2.FileSystemLoader(HERE / "templates"), jinja2.FileSystemLoader(HERE.parent / "templates")])
        self.environment = jinja2.Environment(
            loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, auto_reload=False
        )
        self.environment.globals.update(
            words=words, said=words.STATUS, site=config.site, asset=self.asset, when=self.when, long_day=words.long_day, kind=kind_words
        )

    @property
    def titles(self) -> Any:
        """Titles of checks and metrics, those of test sheets too; read anew where a sheet was made."""
        with self.store.reading() as connection:
            mark = sheets.newest(connection)
            return self.kept("titles", mark, lambda: self._titles(sheets.titles(connection)))

    def _titles(self, more: dict[str, str]) -> Any:
        from reports.problems import Titles

        declared = Titles.load()
        return Titles(declared.checks, {**declared.metrics, **more})

    def kept(self, key: Any, marks: Any, make: Callable[[], Any]) -> Any:
        """Return what was worked out before, as long as `marks` are the same; a hundred results are kept."""
        known = self._kept.get(key)
        if known is None or known[0] != marks:
            if len(self._kept) > 100:
                self._kept.clear()
            self._kept[key] = known = (marks, make())
        return known[1]

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


def kind_words(klass: str) -> str:
    """Return the class of a phantom or sheet as people say it: ``phantom:acr_mri_large`` is "ACR MRI large".

    >>> kind_words("phantom:ct_water")
    'CT water'
    """
    parts = (klass.partition(":")[2] or klass).split("_")
    text = " ".join(part.upper() if part in ("acr", "mri", "ct", "qa", "qc") else part for part in parts)
    return text[:1].upper() + text[1:]


def _file(name: str) -> bytes:
    read: Callable[[Path], bytes] = Path.read_bytes
    own = read(HERE / "static" / name)
    return read(HERE.parent / "templates" / "daily.css") + own if name == "desk.css" else own
