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
    """Take a picture of the worklist of a day, and of a phantom run."""
    import uvicorn
    from playwright.sync_api import sync_playwright

    with open_store(f"sqlite:///{database}", "UTC") as store:
        with store.writing() as connection:
            if access.find(connection, "ada") is None:
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
            page.set_viewport_size({"width": 1180, "height": 620})
            page.goto(f"{address}/study/{_phantom(store)}#pictures")
            page.wait_for_load_state("networkidle")
            page.locator("#pictures").evaluate("one => one.scrollIntoView()")
            _keep(page.screenshot(), folder / "desk-study.png")
            chromium.close()
        server.should_exit = True
        thread.join(10)


def _phantom(store: Store) -> int:
    """Return the run of an MRI phantom."""
    import sqlalchemy as sa

    from reports.store import schema as t

    with store.reading() as connection:
        return int(connection.execute(sa.select(t.series.c.study_id).where(t.series.c["class"].like("phantom:acr%")).limit(1)).scalar_one())


def _keep(png: bytes, path: Path) -> None:
    """Store a picture with a palette: small, and the same wherever it is shown."""
    Image.open(io.BytesIO(png)).convert("RGB").quantize(96).save(path, "PNG", optimize=True)
