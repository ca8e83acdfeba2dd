"""From the desk to new values: a region is set by hand, the stored images are measured again, and the next run of the device goes on so."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from flows import daily, desk, settings
from flows.settings import Settings
from phantoms.synthetic.catalogue import make
from phantoms.synthetic.encode import write
from reports.store import Store, access
from reports.web.app import create_app

SLICE = "acr_mri.piu.slice_number"
PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    top = tmp_path_factory.mktemp("acr")
    write(make("acr_mri_large", matrix=192, bubble_mm=8.0).datasets, top)
    return top


@pytest.fixture
def measured(tmp_path, folder) -> Iterator[Settings]:
    """Settings of a site that has measured one phantom."""
    shutil.copytree(folder, tmp_path / "inbox" / "first")
    with settings.overridden(data_folder=tmp_path / "data", inbox_folder=tmp_path / "inbox", inbox_quiet_seconds=0) as values:
        daily.run_pass(values)
        yield values


def client_of(chosen: Settings, store: Store) -> TestClient:
    with store.writing() as connection:
        access.add_person(connection, "phil", "Phil Muster", "physicist", PASSWORD, "test")
    config = desk.config_for(chosen, store)
    client = TestClient(create_app(store, config), base_url="http://localhost", follow_redirects=False)
    form = re.search(r'name="csrf" value="([^"]+)"', client.get("/login").text)
    assert form
    assert client.post("/login", data={"login": "phil", "password": PASSWORD, "csrf": form[1], "next": "/"}).status_code == 303
    return client


def send(client: TestClient, **values: str):
    form = re.search(r'name="csrf" value="([^"]+)"', client.get("/study/1/by-hand").text)
    assert form
    number = values.pop("study", "1")
    return client.post(f"/study/{number}/by-hand", data={"csrf": form[1], "why": "bubble in slice 7"} | values)


def details(store: Store, number: int) -> dict:
    import sqlalchemy as sa

    from reports.store import schema as t

    chosen = sa.select(t.measurement.c.details).where(t.measurement.c.study_id == number, t.measurement.c.metric == "acr_mri.piu")
    with store.reading() as connection:
        return dict(connection.execute(chosen).scalar_one())


def test_measured_again_and_used_by_the_next_run(measured, tmp_path):
    with daily.open_for(measured) as store:
        client = client_of(measured, store)
        assert send(client, **{SLICE: "6"}, again="yes").headers["location"] == "/study/2#by-hand"
        told = details(store, 2)["by_hand"]
        assert (told["slice_number"], told["set_by"], told["set_why"]) == (6, "phil", "bubble in slice 7")
        assert "by_hand" not in details(store, 1), "the old results stay as they were"
        old, new = client.get("/study/1").text, client.get("/study/2").text
        assert "measured again: phil" in old
        assert "bubble in slice 7" in old
        assert "slice number 6" in new
        assert "set by hand" in new
        (entry,) = [entry for entry in store.audit() if entry.what == "by_hand.set"]
        assert (entry.who, entry.why, entry.after["slice_number"], entry.after["again"]) == ("phil", "bubble in slice 7", 6, True)
        assert store.audit_broken_at() is None
        write(make("acr_mri_large", 2, matrix=192).datasets, tmp_path / "inbox" / "second")
        daily.run_pass(measured)
        assert details(store, 3)["by_hand"]["slice_number"] == 6
        assert "Taken over from an earlier run of this device. phil" in client.get("/study/3").text
        assert send(client, study="2", as_found="yes", why="filled up", again="yes").headers["location"] == "/study/4#by-hand"
        assert "by_hand" not in details(store, 4)
        assert [one.ended_at is None for one in store.by_hand()] == [False]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({SLICE: "14"}, "1 to 11"),
        ({SLICE: "six"}, "slice_number"),
        ({"acr_mri.piu.center_row_px": "6"}, "together"),
        ({SLICE: "6", "why": " "}, "reason"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_kept(measured, values, said):
    with daily.open_for(measured) as store:
        answer = send(client_of(measured, store), **values)
        assert answer.status_code == 409
        assert said in answer.text
        assert store.by_hand() == []
        assert store.tally()["done"] == 1
        assert store.claimable() == 0


def test_images_that_are_gone_are_told_and_the_results_stay(measured):
    next(path for path in (measured.inbox.folder / "first").rglob("*") if path.is_file()).unlink()
    with daily.open_for(measured) as store:
        client = client_of(measured, store)
        for values in ({SLICE: "6"}, {"as_found": "yes"}):
            answer = send(client, **values)
            assert answer.status_code == 409
            assert "1 of the 11 images of this study are no longer here" in answer.text
        assert store.by_hand() == []
        assert store.claimable() == 0
        assert "superseded" not in client.get("/study/1").text
        shutil.rmtree(measured.inbox.folder)
        answer = send(client, **{SLICE: "6"})
        assert answer.status_code == 409
        assert "cannot be reached now" in answer.text


def test_another_run_that_has_the_work_measures_so_too(measured, monkeypatch):
    """The desk is stopped between keeping and measuring: the next run does it."""
    monkeypatch.setattr(daily, "process_study", lambda *_: False)
    with daily.open_for(measured) as store:
        client = client_of(measured, store)
        assert send(client, **{SLICE: "6"}).headers["location"] == "/study/1"
        assert "waits to be checked again" in client.get("/study/1").text
        daily.run_pass(measured)
        assert details(store, 2)["by_hand"]["slice_number"] == 6
