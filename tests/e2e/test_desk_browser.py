"""The review desk in a real browser: a morning's work, what a viewer cannot do, what leaves the host, what axe-core says."""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from reports.store import Store, access, open_store, sheets
from reports.web.app import create_app
from reports.web.config import Config

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")]
PASSWORD = "correct horse battery"
DAY = "2026-11-25"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A day with one of everything, a phantom followed for two months, a test sheet, four people."""
    from tests_of_reports import reports_made, trends_made

    with open_store(f"sqlite:///{tmp_path_factory.mktemp('desk')}/desk.sqlite", "Europe/Vienna") as opened:
        reports_made.whole_day(opened)
        trends_made.history(opened, [92.0 + (n % 7) / 10 for n in range(60)], alias="MR 3")
        with opened.writing() as connection:
            for login, role in (("anna", "administrator"), ("phil", "physicist"), ("berta", "technologist"), ("vera", "viewer")):
                access.add_person(connection, login, f"{login.title()} Muster", role, PASSWORD, "test")
            items = [{"key": "table", "title": "Table position", "kind": "number", "unit": "mm", "action_low": -2, "action_high": 2}]
            sheets.define(connection, "table", "Table position", items, "phil", every_days=7)
        yield opened


@pytest.fixture(scope="module")
def address(store: Store) -> Iterator[str]:
    with served(store, Config(site="Test Hospital")) as found:
        yield found


@contextmanager
def served(store: Store, config: Config) -> Iterator[str]:
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(create_app(store, config), port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


class Visit:
    """A page with what it asked for and complained of."""

    def __init__(self, browser: Any, address: str, **options: Any) -> None:
        self.context = browser.new_context(viewport={"width": 1280, "height": 900}, **options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        self.address, self.asked, self.complaints = address, [], []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def go(self, path: str) -> Any:
        self.page.goto(self.address + path)
        return self.page

    def sign_in(self, login: str) -> Any:
        self.go("/login")
        self.page.fill("#login", login)
        self.page.fill("#password", PASSWORD)
        self.page.click("main button")
        self.page.wait_for_url(re.compile("/day/"))
        return self.page


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Visit]:
    made = Visit(browser, address)
    yield made
    made.context.close()
    assert not [url for url in made.asked if not url.startswith((address, "data:"))], "a request left the host"
    assert made.complaints == []


def test_a_mornings_work(visit: Visit) -> None:
    """Sign in, work through the list by keyboard, see the picture, comment, confirm, sign the day, find it all in the audit log."""
    from playwright.sync_api import expect

    page = visit.sign_in("phil")
    visit.go(f"/day/{DAY}")
    assert page.locator("table.work tbody tr").count() == 3
    page.select_option("select[name=status]", "warn")  # the list alone is fetched
    expect(page.locator("table.work tbody tr")).to_have_count(1)
    assert "status=warn" in page.url
    page.select_option("select[name=status]", "")
    expect(page.locator("table.work tbody tr")).to_have_count(3)

    page.keyboard.press("Escape")
    page.locator("h1").click()
    page.keyboard.press("j")
    page.keyboard.press("Enter")  # the phantom: the first that failed
    page.wait_for_url(re.compile(r"/study/\d+"))
    assert page.get_by_text("86.02 ± 0.20 %").first.is_visible()
    picture = page.locator("svg.picture image").first
    picture.scroll_into_view_if_needed()
    address = picture.get_attribute("href")
    size = page.evaluate(
        "async (url) => { const i = new Image(); i.src = url; await i.decode(); return [i.naturalWidth, i.naturalHeight]; }", address
    )
    assert size == [96, 96]
    assert page.locator("svg.picture circle").first.is_visible(), "the region is drawn"

    page.fill("#text-1", "phantom was cold, measured again at noon")
    page.locator("#review-1 button", has_text="Comment").click()
    page.get_by_text("phantom was cold, measured again at noon").wait_for()
    assert page.locator("#review-1 .state").inner_text() == "● open"
    page.locator("#review-1 button", has_text="Confirm").click()
    page.locator("#review-1 .state.done").wait_for()

    page.keyboard.press("n")
    page.wait_for_url(re.compile(r"#p-slices-missing"))
    page.fill("#text-1", "gap is part of the protocol")
    page.locator("#review-1 button", has_text="Dismiss").click()
    page.locator("#review-1 .state.done").wait_for()

    visit.go(f"/day/{DAY}")
    assert "1 problem is open" in page.locator(".verdict").inner_text()
    page.locator("summary", has_text="Sign off this day").click()
    page.fill("#sign-comment", "the clipped chest is for the vendor")
    page.fill("#sign-password", PASSWORD)
    page.locator("form.sign button").click()
    signed = page.locator(".signed")
    signed.wait_for()
    assert "Phil Muster" in signed.inner_text()
    assert "I have looked at every problem of this day" in signed.inner_text()

    visit.go("/audit")
    log = page.locator("table tbody").inner_text()
    for what in ("review.comment", "review.confirm", "review.dismiss", "sign.day", "gap is part of the protocol"):
        assert what in log
    page.get_by_role("button", name="Check that nothing was changed").click()
    page.get_by_text("rows are as they were written").wait_for()


def test_a_viewer_sees_everything_and_cannot_sign(visit: Visit) -> None:
    page = visit.sign_in("vera")
    visit.go(f"/day/{DAY}?state=all")
    assert page.get_by_text("may not sign").is_visible()
    assert page.locator("form.sign").count() == 0
    page.locator("a.go").first.click()
    assert page.locator("form[action$='/say']").count() == 0
    status = page.evaluate(
        """async () => { const form = new URLSearchParams({csrf: document.querySelector('[name=csrf]').value, digest: 'x', comment: 'x'});
        return (await fetch('/day/2026-11-25/sign', {method: 'POST', body: form})).status; }"""
    )
    visit.complaints.clear()  # the browser notes the refused request
    assert status == 403


def test_a_value_on_a_chart_is_read_and_followed(visit: Visit) -> None:
    page = visit.sign_in("vera")
    visit.go("/devices")
    page.get_by_role("link", name="MR 3").click()
    page.locator("h2#charts ~ .wide a.go").first.click()
    point = page.locator("svg.control a").nth(5)
    assert "92.5 %" in point.get_attribute("aria-label")
    point.focus()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/study/\d+$"))


def test_a_sheet_is_filled_in(visit: Visit) -> None:
    page = visit.sign_in("berta")
    visit.go("/sheets")
    page.get_by_role("link", name="Table position").first.click()
    page.fill("#v_table", "2,5")
    page.locator("form.sheet button").click()
    page.wait_for_url(re.compile(r"/study/\d+$"))
    assert "outside its limit" in page.locator("main").inner_text()
    page.emulate_media(media="print")
    assert page.get_by_role("region", name=re.compile("^Values of Series")).is_visible()
    assert "by berta" in page.locator("dl.facts").inner_text()
    assert page.get_by_text("Test Hospital · pacsqc").is_visible(), "paper says whose it is"
    for hidden in ("header.bar", ".actions", "form", "nav"):
        assert not [one for one in page.locator(hidden).all() if one.is_visible()], hidden


def test_pages_read_without_javascript(browser: Any, address: str) -> None:
    made = Visit(browser, address, java_script_enabled=False)
    page = made.sign_in("vera")
    made.go(f"/day/{DAY}?state=all")
    assert page.locator("table.work tbody tr").count() == 3
    page.select_option("select[name=status]", "warn")
    page.locator("form.filters button").click()
    assert page.locator("table.work tbody tr").count() == 1
    page.locator("a.go").first.click()
    assert page.locator("figure").count() > 0
    made.context.close()


@pytest.mark.parametrize("scripts", [True, False])
def test_a_slice_is_set_by_hand_and_measured_again(browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scripts: bool) -> None:
    """From stored images, all the way: the click into the picture, the new values beside the old, the audit record; also without JavaScript."""
    from axe_playwright_python.sync_playwright import Axe

    from flows import daily, desk, settings
    from phantoms.synthetic.catalogue import make
    from phantoms.synthetic.encode import write

    monkeypatch.chdir(tmp_path)
    write(make("acr_mri_large", matrix=192, bubble_mm=8.0).datasets, tmp_path / "inbox")
    with settings.overridden(data_folder=tmp_path / "data", inbox_folder=tmp_path / "inbox", inbox_quiet_seconds=0) as chosen:
        daily.run_pass(chosen)
        with daily.open_for(chosen) as store, served(store, desk.config_for(chosen, store)) as address:
            with store.writing() as connection:
                access.add_person(connection, "phil", "Phil Muster", "physicist", PASSWORD, "test")
            made = Visit(browser, address, java_script_enabled=scripts)
            page = made.sign_in("phil")
            made.go("/study/1")
            page.get_by_role("link", name="by hand and measure again").click()
            page.locator("summary", has_text="acr_mri.piu").click()
            page.fill("[name='acr_mri.piu.slice_number']", "6")
            if scripts:
                assert [one["id"] for one in Axe().run(page).response["violations"] if one["impact"] in ("serious", "critical")] == []
                page.locator("[data-pick='acr_mri.piu'] svg.picture").click()  # in its middle: between the pixels 95 and 96 of 192
                for axis in ("row", "col"):
                    assert abs(float(page.locator(f"[name='acr_mri.piu.center_{axis}_px']").input_value()) - 95.5) <= 0.5
            page.fill("#why", "bubble in slice 7")
            page.get_by_role("button", name="Measure again", exact=True).click()
            page.wait_for_url(re.compile(r"/study/2#by-hand$"))
            assert "slice number 6" in page.locator("h2#by-hand ~ ul").first.inner_text()
            assert page.get_by_role("region", name="Values measured as set by hand").locator("tbody tr").count() == 1
            made.go("/audit")
            assert "by_hand.set" in page.locator("table tbody").inner_text()
            made.context.close()


PATHS = (f"/day/{DAY}?state=all", f"/day/{DAY}/studies", "/study/2", "/study/3", "/study/2/header", "/study/1/who", "/devices", "/device/1", "/phantoms",
         "/sheets", "/sheets/1", "/sheets/new", "/protocols", f"/aside?day={DAY}", "/alerts", "/audit", "/settings")  # fmt: skip


def chart_of(page: Any, visit: Visit) -> str:
    visit.go("/devices")
    page.get_by_role("link", name="MR 3").click()
    return str(page.locator("h2#charts ~ .wide a.go").first.get_attribute("href"))


def test_axe_finds_nothing_serious(visit: Visit) -> None:
    """Contrast, names, roles, order of headings and the rest of WCAG 2.2 A and AA that a program can see."""
    from axe_playwright_python.sync_playwright import Axe

    axe, found = Axe(), []
    options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    visit.go("/login")
    found += [("/login", one) for one in axe.run(visit.page, options=options).response["violations"]]
    page = visit.sign_in("anna")
    for path in (*PATHS, chart_of(page, visit)):
        visit.go(path)
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        found += [(path, one) for one in axe.run(page, options=options).response["violations"]]
    worse = [
        (path, one["id"], one["impact"], [n["target"] for n in one["nodes"]][:3])
        for path, one in found
        if one["impact"] in ("serious", "critical")
    ]
    assert worse == []


@pytest.mark.parametrize("width", [640, 320])
def test_at_200_and_400_percent_nothing_runs_out_of_the_page(browser: Any, address: str, width: int) -> None:
    """WCAG 1.4.10: a window of 1280 px at 200 % has 640 px, at 400 % 320; tables and charts may scroll by themselves, the page may not."""
    made = Visit(browser, address)
    page = made.sign_in("anna")
    page.set_viewport_size({"width": width, "height": 800})
    for path in (*PATHS, chart_of(page, made)):
        made.go(path)
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0, path
    made.context.close()


def test_a_page_prints_without_bars_and_forms(visit: Visit, tmp_path: Path) -> None:
    page = visit.sign_in("anna")
    visit.go("/study/2")
    page.emulate_media(media="print")
    assert not page.locator("header.bar").is_visible()
    assert not page.locator(".actions").first.is_visible()
    assert page.locator(".problem").first.is_visible()
    page.pdf(path=str(tmp_path / "study.pdf"), format="A4")
    assert (tmp_path / "study.pdf").read_bytes()[:5] == b"%PDF-"
