"""Test sheets: what people enter goes where results of images go."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from desk_made import csrf_of, people, signed_in
from starlette.testclient import TestClient
from trends_made import device

from qc.errors import ConfigurationError
from reports import due_sheets, trends
from reports.store import Store, sheet_import, sheets

DAY = date(2026, 11, 25)
ITEMS: list[dict[str, Any]] = [
    {"key": "table", "title": "Table position", "kind": "number", "unit": "mm", "action_low": -2, "tolerance_low": -1, "tolerance_high": 1,
     "action_high": 2},
    {"key": "artefacts", "title": "Visual artefacts", "kind": "choice", "choices": [["none", "pass"], ["faint", "warn"], ["strong", "fail"]]},
    {"key": "door", "title": "Door contact", "kind": "pass_fail"},
    {"key": "remark", "title": "Remark", "kind": "text", "required": False},
]  # fmt: skip
GOOD = {"table": "0.4", "artefacts": "none", "door": "pass"}


@pytest.fixture
def made(store: Store) -> tuple[Store, int, int]:
    """A store with a daily sheet for one device: (store, sheet, device)."""
    people(store)
    number = device(store, "MR1")
    with store.writing() as connection:
        sheet = sheets.define(connection, "daily", "Daily MR check", ITEMS, "phil", device_id=number, every_days=1, weekdays="01234")
    return store, sheet, number


def enter(store: Store, sheet: int, values: dict[str, str], day: date = DAY, **more: Any) -> sheets.Filled:
    with store.writing() as connection:
        row = sheets.one(connection, sheet)
        return sheets.fill_in(connection, row, row.device_id, day, more.pop("clock", "07:10:00"), "UTC", values, "berta", **more)


@pytest.mark.parametrize(("value", "status"), [
    ("0", "pass"), ("1", "pass"), ("1,0001", "warn"), ("-1.5", "warn"), ("2", "warn"), ("2.01", "fail"), ("-2.0000001", "fail"), ("1e0", "pass"),
])  # fmt: skip
def test_numbers_are_held_against_their_limits(made, value, status):
    """A value equal to a limit is inside it."""
    store, sheet, _ = made
    assert str(enter(store, sheet, GOOD | {"table": value}).status) == status


def test_answers_in_words_are_judged_and_the_worst_counts(made):
    store, sheet, _ = made
    assert str(enter(store, sheet, GOOD | {"artefacts": "faint"}).status) == "warn"
    assert str(enter(store, sheet, GOOD | {"artefacts": "faint", "door": "fail"}).status) == "fail"


def test_all_that_is_wrong_is_said_at_once(made):
    store, sheet, _ = made
    with pytest.raises(ConfigurationError) as error:
        enter(store, sheet, {"table": "about 2", "artefacts": "some"})
    assert error.value.problems == [
        "Table position: 'about 2' is not a number; write 12.5 or 12,5",
        "Visual artefacts: 'some' is no answer; allowed are none, faint, strong",
        "Door contact: nothing was entered",
    ]
    assert store.day(DAY) == []


def test_an_entry_stands_in_the_day_the_study_page_the_api_and_on_a_chart(made):
    store, sheet, number = made
    first = DAY - timedelta(days=3)
    for place in range(3):
        enter(store, sheet, GOOD | {"table": f"0.{place}"}, first + timedelta(days=place))
    enter(store, sheet, GOOD | {"table": "2.5"})
    client = signed_in(store, "vera")
    day = client.get(f"/day/{DAY}").text
    assert "1 problem is open" in day
    assert "Daily MR check" in day
    study = client.get("/study/4").text
    assert "Table position" in study
    assert "-2 to 2 mm (warning below -1 or above 1 mm)" in study
    assert "sheet daily" in study
    (trend,) = trends.read(store, device_id=number)
    assert (trend.chart.klass, trend.chart.metric, trend.chart.unit) == ("sheet:daily", "sheet.daily.table", "mm")
    assert trend.points["value"].tolist() == [0.0, 0.1, 0.2, 2.5]
    trends.refresh(store)
    assert len(trends.read(store, device_id=number)[0].points) == 4, "roll-ups leave what people typed alone"
    assert ">Table position</a>" in client.get(f"/device/{number}").text
    rows = client.get(f"/api/v1/devices/{number}/measurements?metric=sheet.daily.table").json()["rows"]
    assert [row["value"] for row in rows] == [0.0, 0.1, 0.2, 2.5]


def test_the_page_of_an_entry_tells_who_entered_what_and_nothing_of_images(made):
    store, sheet, _ = made
    done = enter(store, sheet, GOOD | {"artefacts": "faint", "door": "fail", "remark": "coil is loose"}, note="vendor called")
    text = signed_in(store, "vera").get(f"/study/{done.study}").text
    for said in ("by berta, ", "vendor called", "Daily MR check</a>, version 1", "Door contact: not as it should be", "</span> fail</td>",
                 "Visual artefacts: not as it should be", "</span> faint</td>", "an answer that passes", "coil is loose",
                 "Values: 1 failed, 1 with a warning, 1 without a limit, 1 passed"):  # fmt: skip
        assert said in text, said
    for word in ("no patient ID", "What the headers say", "0 files", "Station", "answered in words, not by a number"):
        assert word not in text, word


def test_a_repeated_entry_supersedes_with_a_reason_and_both_stay(made):
    store, sheet, number = made
    old = enter(store, sheet, GOOD | {"table": "25"})
    with pytest.raises(ConfigurationError, match="why the entry is repeated"):
        enter(store, sheet, GOOD, supersedes=old.entry)
    new = enter(store, sheet, GOOD | {"table": "0.25"}, supersedes=old.entry, why="decimal point forgotten", clock="07:30:00")
    (trend,) = trends.read(store, device_id=number)
    assert trend.points[["value", "role"]].to_numpy().tolist() == [[25.0, "replaced"], [0.25, "waiting"]]
    client = signed_in(store, "vera")
    assert "✔" in client.get(f"/day/{DAY}").text
    assert "0 problems" in client.get(f"/day/{DAY}").text
    assert "superseded" in client.get(f"/study/{old.study}").text
    text = client.get(f"/sheets/{sheet}").text
    assert "repeated: decimal point forgotten" in text
    done = [entry.what for entry in store.audit() if not entry.what.startswith(("session", "person", "sheet.define"))]
    assert done == [
        "sheet.enter",
        "sheet.supersede",
        "scan.replace",
        "sheet.enter",
    ]
    with pytest.raises(ConfigurationError, match="no entry"):
        enter(store, sheet, GOOD, supersedes=old.entry, why="again")
    assert new.entry != old.entry


def test_a_new_version_leaves_the_old_entries_as_they_were_judged(made):
    store, sheet, number = made
    old = enter(store, sheet, GOOD | {"table": "1.5"}, DAY - timedelta(days=1))
    wider = [ITEMS[0] | {"tolerance_low": -2, "tolerance_high": 2}, *ITEMS[1:]]
    with store.writing() as connection:
        second = sheets.define(connection, "daily", "Daily MR check", wider, "phil", device_id=number, every_days=1)
    assert str(enter(store, second, GOOD | {"table": "1.5"}).status) == "pass"
    assert str(old.status) == "warn"
    client = signed_in(store, "vera")
    assert "warning below -1 or above 1 mm" in client.get(f"/study/{old.study}").text
    (trend,) = trends.read(store, device_id=number)
    assert len(trend.points) == 2, "what is measured stayed the same, so does its chart"
    metres = [ITEMS[0] | {"unit": "m"}, *ITEMS[1:]]
    with store.writing() as connection:
        third = sheets.define(connection, "daily", "Daily MR check", metres, "phil", device_id=number, every_days=1)
    enter(store, third, GOOD | {"table": "0.001"}, clock="09:00:00")
    assert sorted(len(one.points) for one in trends.read(store, device_id=number)) == [1, 2], "another unit, another chart"


@pytest.mark.parametrize(("change", "said"), [
    ({"key": "Table!"}, "short name"), ({"title": ""}, "needs a title"), ({"kind": "colour"}, "kind out of"),
    ({"action_high": -5}, "must rise"), ({"kind": "choice"}, "at least two answers"), ({"kind": "text"}, "limits belong to numbers"),
])  # fmt: skip
def test_sheets_that_will_not_do(store, change, said):
    with store.writing() as connection, pytest.raises(ConfigurationError, match=said):
        sheets.define(connection, "daily", "Daily", [ITEMS[0] | change], "phil")


# -- due --------------------------------------------------------------------------------------------------------


def test_zero_of_one_expected_is_not_green(made):
    """Case O03: a report of a day without the expected test says "0 of 1" and is not green; extra tests are no alarm."""
    store, sheet, _ = made
    with store.writing() as connection:  # the sheet is asked for since long
        connection.exec_driver_sql(f"UPDATE sheet SET created_at = '{DAY - timedelta(days=60)} 00:00:00'")
    client = signed_in(store, "vera")
    text = client.get(f"/day/{DAY}").text
    assert "Test sheets: 0 of 1 expected" in text
    assert "1 expected test is missing" in text
    assert 'class="verdict warn"' in text
    enter(store, sheet, GOOD)
    text = client.get(f"/day/{DAY}").text
    assert "Test sheets: 1 of 1 expected" in text
    assert 'class="verdict pass"' in text
    enter(store, sheet, GOOD, DAY + timedelta(days=3))
    assert (DAY + timedelta(days=3)).weekday() == 5
    assert 'class="verdict pass"' in client.get(f"/day/{DAY + timedelta(days=3)}").text, "more than was asked for is no alarm"


def test_holidays_and_weekends_are_not_missing(made):
    store, sheet, _ = made
    monday = date(2026, 11, 2)
    with store.writing() as connection:
        connection.exec_driver_sql(f"UPDATE sheet SET created_at = '{monday} 00:00:00'")
    holiday, wednesday = monday + timedelta(days=14), monday + timedelta(days=9)
    for n in range(26):
        day = monday + timedelta(days=n)
        if (day.weekday() < 5 and day not in (holiday, wednesday)) or n == 5:
            enter(store, sheet, GOOD, day)
    with store.reading() as connection:
        (one,) = due_sheets.on(connection, monday + timedelta(days=26), {holiday}, back=26)
        assert one.missing == (wednesday,)
        (one,) = due_sheets.on(connection, monday + timedelta(days=26), (), back=26)
        assert one.missing == (wednesday, holiday)


# -- earlier years ----------------------------------------------------------------------------------------------

CSV = "day;time;table;artefacts;door;note\n25.11.2024;07:05;0,4;none;pass;\n2024-11-26;;1,5;faint;pass;after the service\n"


def bring(store: Store, sheet: int, text: str) -> int:
    with store.writing() as connection:
        return sheet_import.read(connection, sheets.one(connection, sheet), text, "C:\\old\\mr1.csv", {"mr1": 1}, 1, "UTC", "phil")


def test_earlier_years_come_from_csv(made):
    store, sheet, number = made
    assert bring(store, sheet, CSV) == 2
    (trend,) = trends.read(store, device_id=number)
    assert list(zip(trend.points["day"], trend.points["value"], strict=True)) == [(date(2024, 11, 25), 0.4), (date(2024, 11, 26), 1.5)]
    assert "mr1.csv, line 3" in signed_in(store, "vera").get(f"/sheets/{sheet}").text
    (entry,) = [entry for entry in store.audit() if entry.what == "sheet.import"]
    assert entry.after == {"file": "mr1.csv", "entries": 2}


@pytest.mark.parametrize(("text", "said"), [
    ("day,table\n2024-11-25,1\n", "line 2: Visual artefacts: nothing was entered"),
    ("day,colour\n", "unknown column 'colour'"),
    ("table\n1\n", "the column day is missing"),
    ("day,table,artefacts,door\n11/25/2024,1,none,pass\n", "line 2: '11/25/2024' is not a day"),
    ("day,device,table,artefacts,door\n2024-11-25,CT9,1,none,pass\n", "line 2: there is no device 'CT9'"),
    (CSV + "2024-11-27;25:00;1;none;pass;\n", "line 4: '25:00' is not a time of day"),
    ("day,table,artefacts,door\n", "no rows"),
])  # fmt: skip
def test_a_file_with_a_mistake_is_not_taken_at_all(made, text, said):
    store, sheet, _ = made
    with pytest.raises(ConfigurationError) as error:
        bring(store, sheet, text)
    assert said in str(error.value)
    assert store.days() == []


# -- in the desk ------------------------------------------------------------------------------------------------


def form(client: TestClient, **more: str) -> dict[str, str]:
    return {"csrf": csrf_of(client), **more}


def test_sheets_are_made_filled_in_imported_and_retired_in_the_desk(store):
    people(store)
    number = device(store, "MR1")
    client, technologist = signed_in(store, "phil"), signed_in(store, "berta")
    sheet = form(client, name="table", title="Table position", device=str(number), every_days="7", weekday_0="yes", weekday_1="yes")
    sheet |= {"1_key": "z", "1_title": "Deviation", "1_kind": "number", "1_unit": "mm", "1_action_low": "-2", "1_action_high": "2,5"}
    sheet |= {"2_key": "look", "2_title": "Look", "2_kind": "choice", "2_choices": "clean = pass; dirty = warn", "2_required": "yes"}
    assert technologist.post("/sheets/new", data=sheet | {"csrf": csrf_of(technologist)}).status_code == 403
    assert "must rise" in client.post("/sheets/new", data=sheet | {"1_action_low": "9"}).text
    answer = client.post("/sheets/new", data=sheet)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sheets/1")
    assert "Deviation" in client.get("/sheets/new?like=1").text
    page = technologist.get("/sheets/1").text
    assert "Must be -2 to 2.5 mm" in page
    entry = form(technologist, device=str(number), day="2024-11-25", v_z="0,5", v_look="dirty", note="seen by two")
    assert "is not a number" in technologist.post("/sheets/1", data=entry | {"v_z": "half"}).text
    assert "lies in the future" in technologist.post("/sheets/1", data=entry | {"day": "2999-01-01"}).text
    assert signed_in(store, "vera").post("/sheets/1", data=entry).status_code == 403
    answer = technologist.post("/sheets/1", data=entry)
    assert "dirty" in technologist.get(answer.headers["location"]).text
    assert "▲ Warning" in technologist.get("/sheets/1").text
    repeat = entry | {"repeats": "1", "why": "cleaned", "v_look": "clean"}
    assert technologist.post("/sheets/1", data=repeat).status_code == 303
    assert client.get("/sheets/1/template.csv").text == "day,time,device,note,z,look\n"
    file = {"file": ("old.csv", b"day,z,look\n2023-01-02,1.5,clean\n", "text/csv")}
    assert "1 entries were taken over" in client.post("/sheets/1/import", data=form(client, device=str(number)), files=file).text
    bad = {"file": ("old.csv", b"\xff\xfe", "text/csv")}
    assert client.post("/sheets/1/import", data=form(client, device=str(number)), files=bad).status_code == 400
    assert client.post("/sheets/1/retire", data=form(client)).status_code == 400
    assert client.post("/sheets/1/retire", data=form(client, why="done by the vendor now")).status_code == 303
    assert "No sheet yet" in client.get("/sheets").text
    assert store.audit_broken_at() is None
