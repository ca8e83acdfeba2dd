"""What people change: devices, and the log of it."""

from __future__ import annotations

import sqlite3
from datetime import UTC, date, datetime

import pytest
from reports_made import SCANNERS, report, run, study, uid

from qc.errors import ConfigurationError
from reports import daily, frames
from reports.store import Store

DAY = date(2026, 11, 25)
MR = {**SCANNERS["MR1"], "StudyDate": "20261125"}


@pytest.fixture
def two(store: Store) -> Store:
    """A store that has seen an MR scanner, a CT, and the MR scanner under a new serial number and name."""
    run(store, report(study(uid(1))))
    run(store, report(study(uid(2), scanner="CT2")))
    run(store, report(study(uid(3), DeviceSerialNumber="50000", StationName="MRNEW")))
    return store


def ids(store: Store) -> dict[str, int]:
    return {device.alias: device.id for device in store.devices()}


def test_a_renamed_device_keeps_its_results_and_is_new_no_more(two: Store) -> None:
    two.rename_device(ids(two)["MR1"], "  MR  cellar ", "anna", "as people say")
    assert set(frames.series(two, DAY)["device"]) == {"MR cellar", "CT2", "MRNEW"}
    assert [device.alias for device in two.devices() if device.reviewed] == ["MR cellar"]
    (entry,) = two.audit()
    assert (entry.who, entry.what, entry.subject, entry.why) == (
        "anna",
        "device.rename",
        f"device:{ids(two)['MR cellar']}",
        "as people say",
    )
    assert (entry.before, entry.after) == ({"alias": "MR1", "reviewed": False}, {"alias": "MR cellar", "reviewed": True})
    assert abs((entry.at - datetime.now(UTC)).total_seconds()) < 60


@pytest.mark.parametrize(("name", "said"), [("", "characters"), ("x" * 81, "80"), ("a\x1bb", "printable"), ("ct2", "called 'ct2' already")])
def test_a_name_that_cannot_be(two: Store, name: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        two.rename_device(ids(two)["MR1"], name, "anna", "")
    assert two.audit() == []
    assert "MR1" in ids(two)


def test_merging_moves_past_and_future_and_can_be_taken_back(two: Store) -> None:
    known = ids(two)
    two.merge_devices(known["MRNEW"], known["MR1"], "anna", "console replaced")
    assert sorted(frames.series(two, DAY)["device"]) == ["CT2", "MR1", "MR1"]
    assert frames.series(two, DAY)["device_id"].nunique() == 2
    assert {one.device: one.studies for one in daily.gather(two, DAY).devices} == {"MR1": 2, "CT2": 1}
    run(two, report(study(uid(4), DeviceSerialNumber="50000", StationName="MRNEW")))
    assert sorted(frames.series(two, DAY)["device"]) == ["CT2", "MR1", "MR1", "MR1"]
    assert two.device_key({**MR, "DeviceSerialNumber": "50000"})[0] == known["MR1"]
    assert len(two.devices()) == 3
    two.merge_devices(known["MRNEW"], None, "anna", "was wrong")
    assert sorted(frames.series(two, DAY)["device"]) == ["CT2", "MR1", "MRNEW", "MRNEW"]
    assert [(entry.before, entry.after) for entry in two.audit()] == [
        ({"merged_into": known["MR1"]}, {"merged_into": None}),
        ({"merged_into": None}, {"merged_into": known["MR1"]}),
    ]


def test_chains_of_merges_stay_flat(two: Store) -> None:
    known = ids(two)
    two.merge_devices(known["MRNEW"], known["MR1"], "anna", "")
    two.merge_devices(known["MR1"], known["CT2"], "anna", "")
    assert {device.merged_into for device in two.devices()} == {None, known["CT2"]}
    for device, into, said in (
        (known["CT2"], known["CT2"], "itself"),
        (known["CT2"], known["MR1"], "is itself merged"),
        (99, 1, "no device 99"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            two.merge_devices(device, into, "anna", "")


def test_a_merged_device_is_not_called_silent(two: Store) -> None:
    known = ids(two)
    run(two, report(study(uid(5), scanner="CT2", StudyDate="20261126")))
    assert {one.alias for one in daily.gather(two, date(2026, 11, 26)).silent} == {"MR1", "MRNEW"}
    two.merge_devices(known["MRNEW"], known["CT2"], "anna", "")
    assert {one.alias for one in daily.gather(two, date(2026, 11, 26)).silent} == {"MR1"}


def test_criteria_of_a_device(two: Store) -> None:
    known = ids(two)
    assert two.device_key(MR) == (known["MR1"], ())
    two.set_device_criteria(known["MR1"], ["acr-mri-2018", "acr-mri-2022"], "anna", "accredited by the old edition")
    assert two.device_key(MR) == (known["MR1"], ("acr-mri-2018", "acr-mri-2022"))
    assert two.device_key({**MR, "DeviceSerialNumber": None}) == (known["MR1"], ("acr-mri-2018", "acr-mri-2022")), "then by station name"
    assert two.device_key({**MR, "DeviceSerialNumber": "1234567", "StationName": "MR9"}) == (None, ())
    assert two.device_key({}) == (None, ())
    two.merge_devices(known["MRNEW"], known["MR1"], "anna", "")
    assert two.device_key({**MR, "DeviceSerialNumber": "50000"})[1] == ("acr-mri-2018", "acr-mri-2022")
    with pytest.raises(ConfigurationError, match="no-such-set"):
        two.set_device_criteria(known["CT2"], ["no-such-set"], "anna", "")
    two.set_device_criteria(known["MR1"], (), "anna", "")
    assert two.device_key(MR)[1] == ()


def test_asking_for_a_device_makes_none(store: Store) -> None:
    assert store.device_key(MR) == (None, ())
    assert store.devices() == []


def test_a_reviewed_device_is_logged_once_and_no_longer_marked(two: Store) -> None:
    mark = '<span class="tag">new</span>'
    assert daily.render(daily.gather(two, DAY)).count(mark) == 3
    for alias in ("MR1", "CT2", "MRNEW"):
        two.review_device(ids(two)[alias], "anna")
    two.review_device(ids(two)["MR1"], "berta")
    assert mark not in daily.render(daily.gather(two, DAY))
    assert [entry.who for entry in two.audit()] == ["anna"] * 3


def test_two_new_devices_never_have_one_name(store: Store) -> None:
    for number, serial in ((1, "40712"), (2, "40713"), (3, "40714")):
        run(store, report(study(uid(number), DeviceSerialNumber=serial)))
    assert sorted(ids(store)) == ["MR1", "MR1 (2)", "MR1 (3)"]


def test_nothing_is_changed_without_a_name(two: Store) -> None:
    with pytest.raises(ConfigurationError, match="who"):
        two.review_device(ids(two)["MR1"], " ")
    assert not any(device.reviewed for device in two.devices())


# -- the log ----------------------------------------------------------------------------------------------------


def test_the_newest_stand_first_and_the_chain_is_whole(store: Store) -> None:
    for number in range(5):
        store.log("anna", "patient.who", before=None, after={"hash": f"{number:010x}", "found": True}, why="call the ward")
    assert [entry.after["hash"][-1] for entry in store.audit(3)] == ["4", "3", "2"]
    assert store.audit_broken_at() is None


@pytest.mark.usefixtures("sqlite_only")
@pytest.mark.parametrize(("tampered", "first"), [("UPDATE audit SET why = 'no' WHERE id = 3", 3), ("DELETE FROM audit WHERE id = 2", 3)])
def test_a_change_behind_the_back_of_the_database_shows(store: Store, url: str, tampered: str, first: int) -> None:
    for number in range(5):
        store.log("anna", "test", after={"number": number, "float": 0.1 * number})
    with sqlite3.connect(url.removeprefix("sqlite:///")) as plain:
        plain.execute("DROP TRIGGER audit_no_update")
        plain.execute("DROP TRIGGER audit_no_delete")
        plain.execute(tampered)
    assert store.audit_broken_at() == first
