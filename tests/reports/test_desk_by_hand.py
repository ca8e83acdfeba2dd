"""Setting a region by hand from the desk: who may, what is refused, what is asked of whoever measures. (`tests/flows` measures in earnest.)"""

from __future__ import annotations

from typing import Any

import pytest
from desk_made import csrf_of, people, signed_in
from reports_made import judged, report, run, study, subject, uid
from starlette.testclient import TestClient

from qc.errors import ConfigurationError
from qc.results import Status
from reports.store import Store
from reports.web.config import Asked, ByHandDoor, ByHandTest

PIU = ByHandTest("acr_mri.piu", "Uniformity", (("slice_number", "Take this slice."), ("roll_deg", "Roll of the phantom.")))
FORM = {"acr_mri.piu.slice_number": "6", "acr_mri.piu.roll_deg": "", "why": "bubble in slice 7"}


class Fake:
    """Whoever measures: notes what was asked, and answers as told."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answer: Any = False

    def door(self) -> ByHandDoor:
        return ByHandDoor(lambda classes: [PIU] if "phantom:acr_mri_large" in classes else [], self.measure)

    def measure(self, asked: Asked) -> bool:
        self.asked.append(asked)
        if isinstance(self.answer, Exception):
            raise self.answer
        return bool(self.answer)


@pytest.fixture
def fake() -> Fake:
    return Fake()


@pytest.fixture
def phantom(store: Store) -> Store:
    """A phantom run (study 1) and an ordinary study (study 2)."""
    people(store)
    made = study(uid(2), ("ACR T1",), images=11, StudyDescription="Phantom")
    made.series[0].klass = "phantom:acr_mri_large"
    run(store, report(made, (judged(subject(uid(2), 1, 7), 86.02, Status.FAIL),)))
    run(store, report(study(uid(3))))
    return store


def send(client: TestClient, **more: str) -> Any:
    return client.post("/study/1/by-hand", data={**FORM, "csrf": csrf_of(client), **more})


@pytest.mark.parametrize(("login", "status"), [("vera", 403), ("berta", 403), ("phil", 303), ("anna", 303)])
def test_only_physicists_and_administrators_may(phantom, fake, login, status):
    client = signed_in(phantom, login, by_hand=fake.door())
    assert send(client).status_code == status
    assert len(fake.asked) == (status == 303)
    assert client.get("/study/1/by-hand").status_code == (200 if status == 303 else 403)
    assert ("/study/1/by-hand" in client.get("/study/1").text) is (status == 303)


def test_a_form_from_elsewhere_is_refused(phantom, fake):
    client = signed_in(phantom, by_hand=fake.door())
    assert client.post("/study/1/by-hand", data=FORM).status_code == 403
    assert fake.asked == []


def test_what_is_asked_names_study_device_person_and_reason(phantom, fake):
    client = signed_in(phantom, by_hand=fake.door())
    (device,) = {one.id for one in phantom.devices() if one.alias == "MR1"}
    assert send(client, **{"acr_mri.piu.roll_deg": "1,5", "slices.largest": "9", "again": "yes"}).status_code == 303
    texts = ("acr_mri.piu.slice_number=6", "acr_mri.piu.roll_deg=1.5")  # what is not offered is not passed on
    assert fake.asked == [Asked(uid(2), device, texts, "phil", "bubble in slice 7", True)]


def test_nothing_filled_in_is_refused(phantom, fake):
    answer = send(signed_in(phantom, by_hand=fake.door()), **{"acr_mri.piu.slice_number": " "})
    assert (answer.status_code, fake.asked) == (409, [])
    assert "Nothing is set" in answer.text


def test_what_will_not_do_is_said_beside_what_was_filled_in(phantom, fake):
    fake.answer = ConfigurationError(["slice_number is 6; allowed are 1 to 5", "it needs --reason: why?"])
    answer = send(signed_in(phantom, by_hand=fake.door()))
    assert answer.status_code == 409
    assert "Slice_number is 6; allowed are 1 to 5." in answer.text
    assert 'value="6"' in answer.text
    assert 'value="bubble in slice 7"' in answer.text


def test_as_found_asks_for_nothing_set(phantom, fake):
    send(signed_in(phantom, by_hand=fake.door()), as_found="yes", why="was right before")
    assert [(one.texts, one.why, one.again) for one in fake.asked] == [((), "was right before", False)]


def test_where_nothing_can_be_set_it_says_so(phantom, fake):
    assert "This desk cannot measure" in signed_in(phantom).get("/study/1/by-hand").text
    fake.door = lambda: ByHandDoor(lambda _: [], fake.measure)
    assert "nothing can be set by hand" in signed_in(phantom, by_hand=fake.door()).get("/study/1/by-hand").text
    assert signed_in(phantom, by_hand=fake.door()).get("/study/2/by-hand").status_code == 404


def test_what_waits_is_said_on_the_page(phantom, fake):
    phantom.measure_by_hand(uid(2), None, {"acr_mri.piu": {"slice_number": 6}}, "phil", "bubble", False, "new")
    text = signed_in(phantom, by_hand=fake.door()).get("/study/1").text
    assert "waits to be checked again, with what phil set by hand" in text


def test_settings_of_a_study_stay_with_its_work_until_somebody_sets_otherwise(phantom):
    """Whoever does the work measures so, also where later work has another cause; what stays the same keeps its author."""
    phantom.measure_by_hand(uid(2), None, {"acr_mri.piu": {"slice_number": 6}}, "phil", "bubble", False, "first")
    phantom.again([uid(2)], checks="another cause")
    (work,) = phantom.claim("me", 5, 60)
    (first,) = phantom.by_hand_numbered(work.by_hand)
    assert (first.parameters, first.who, first.study_uid) == ({"slice_number": 6}, "phil", uid(2))
    both = {"acr_mri.piu": {"slice_number": 6}, "acr_mri.thickness": {"roll_deg": 1.5}}
    phantom.measure_by_hand(uid(2), None, both, "anna", "slot", False, "second")
    (work,) = phantom.claim("me", 5, 60)
    assert [(one.check, one.who) for one in phantom.by_hand_numbered(work.by_hand)] == [
        ("acr_mri.piu", "phil"),
        ("acr_mri.thickness", "anna"),
    ]
    phantom.measure_as_found(uid(2), None, "phil", "was right before", "third")
    assert [one.by_hand for one in phantom.claim("me", 5, 60)] == [()]
    phantom.again([uid(2)], checks="another cause again")
    assert [one.by_hand for one in phantom.claim("me", 5, 60)] == [()]
    kept = [(entry.who, entry.what, entry.why) for entry in phantom.audit() if entry.what.startswith(("by_hand", "work"))][::-1]
    assert kept == [
        ("phil", "by_hand.set", "bubble"), ("phil", "work.again", "bubble"), ("anna", "by_hand.set", "slot"), ("anna", "work.again", "slot"),
        ("phil", "by_hand.forget", "was right before"),
    ]  # fmt: skip


def test_what_a_device_goes_on_with_is_shown_there_and_ended_by_a_physicist(phantom):
    (device,) = {one.id for one in phantom.devices() if one.alias == "MR1"}
    phantom.keep_by_hand(device, uid(2), "acr_mri.piu", {"slice_number": 6, "center_row_px": 96.5}, "anna", "bubble", True)
    client, technologist = signed_in(phantom), signed_in(phantom, "berta")
    for one in (client, technologist):
        assert "slice number 6, centre row 96.5 pixels. anna" in one.get(f"/device/{device}").text
    form = {"check": "acr_mri.piu", "why": "filled up"}
    assert technologist.post(f"/device/{device}/by-hand", data=form | {"csrf": csrf_of(technologist)}).status_code == 403
    form["csrf"] = csrf_of(client)
    assert client.post(f"/device/{device}/by-hand", data=form | {"why": " "}).status_code == 409
    assert [one.ended_at for one in phantom.by_hand()] == [None]
    assert client.post(f"/device/{device}/by-hand", data=form).status_code == 303
    assert "Set by hand for the automatic runs" not in client.get(f"/device/{device}").text
    assert client.post(f"/device/{device}/by-hand", data=form).status_code == 409
    assert [(entry.who, entry.why) for entry in phantom.audit() if entry.what == "by_hand.forget"] == [("phil", "filled up")]


def test_a_study_without_files_keeps_nothing(phantom):
    with pytest.raises(ConfigurationError, match="no image"):
        phantom.measure_by_hand(uid(99), None, {"acr_mri.piu": {"slice_number": 6}}, "phil", "bubble", False, "first")
    with pytest.raises(ConfigurationError, match="reason"):
        phantom.measure_as_found(uid(2), None, "phil", " ", "first")
    assert phantom.by_hand() == []
    assert not [entry for entry in phantom.audit() if entry.what.startswith(("by_hand", "work"))]
