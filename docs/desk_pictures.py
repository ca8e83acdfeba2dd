"""Pictures of the review desk for the pages: the simulated day, in a browser, signed in."""

from __future__ import annotations

import io
import threading
import time
from pathlib import Path

from PIL import Image

from reports.store import Store, access, open_store
from reports.web.app import create_app
from reports.web.config import Config

PASSWORD = "only for the pictures"


def make(browser: str, database: Path, day: str, folder: Path) -> None:
    """Take a picture of the worklist of a day, and of a study whose phantom failed."""
    import uvicorn
    from playwright.sync_api import sync_playwright

    with open_store(f"sqlite:///{database}", "UTC") as store:
        with store.writing() as connection:
            access.add_person(connection, "ada", "Ada Beispiel", "physicist", PASSWORD, "pictures")
        server = uvicorn.Server(uvicorn.Config(create_app(store, Config(site="Example Hospital")), port=0, log_level="error"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.05)
        address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
            page = chromium.new_page(viewport={"width": 1180, "height": 860})
            page.goto(f"{address}/login")
            page.fill("#login", "ada")
            page.fill("#password", PASSWORD)
            page.click("main button")
            page.goto(f"{address}/day/{day}")
            _keep(page.screenshot(), folder / "desk-day.png")
            page.goto(f"{address}/study/{_with_picture(store, day)}")
            page.locator(".problem:has(svg.picture)").first.scroll_into_view_if_needed()
            _keep(page.locator(".problem:has(svg.picture)").first.screenshot(), folder / "desk-study.png")
            chromium.close()
        server.should_exit = True
        thread.join(10)


def _with_picture(store: Store, day: str) -> int:
    """Return a study of the day with a finding that has a picture."""
    from datetime import date

    from reports.problems import Titles
    from reports.web import worklist

    with store.reading() as connection:
        found = worklist.read(connection, date.fromisoformat(day), Titles.load())
    return next(int(one.item.study["id"]) for one in found.entries if one.item.evidence)


def _keep(png: bytes, path: Path) -> None:
    """Store a picture with a palette: small, and the same wherever it is shown."""
    Image.open(io.BytesIO(png)).convert("RGB").quantize(96).save(path, "PNG", optimize=True)
