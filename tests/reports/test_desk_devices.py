"""Devices in the desk: control charts, baselines, service log, order of states; each decision with name and reason."""

from __future__ import annotations

import re
from datetime import timedelta

import numpy as np
import pytest
from desk_made import csrf_of, people, signed_in
from trends_made import FIRST, device, history

from reports import trends
from reports.web.pages.device import service_state

VALUES = (92 + np.random.default_rng(3).normal(0, 0.4, 45)).tolist()


@pytest.fixture
def made(store):
    people(store)
    history(store, VALUES, limits={"action_low": 87.5, "tolerance_low": 90.0, "tolerance_high": None, "action_high": None})
    return store


def form(client, **more):
    return {"csrf": csrf_of(client), **more}


def test_a_chart_waits_for_a_baseline_that_a_physicist_chooses(made):
    client = signed_in(made, "phil")
    page = client.get("/device/1").text
    path = re.search(r'href="(/device/1/chart/\d+)"', page)
    assert path
    assert "○ no baseline" in page
    text = client.get(path[1]).text
    assert text.partition("</figure>")[0].count('<a href="/study/uid/1.2.3.') == 45, "every point leads to its study"
    assert f"The first 20 values that wait: {FIRST.day} Jan 2026 to 24 Jan 2026" in text
    choice = form(client, first=str(FIRST), last=str(FIRST + timedelta(days=19)), transform="none")
    assert client.post(f"{path[1]}/baseline", data=choice).status_code == 409, "a reason is wanted"
    other = signed_in(made, "berta")
    assert other.post(f"{path[1]}/baseline", data=choice | {"csrf": csrf_of(other), "why": "x"}).status_code == 403
    assert client.post(f"{path[1]}/baseline", data=choice | {"why": "after acceptance"}).status_code == 303
    text = client.get(path[1]).text
    assert "Baseline of 20 values" in text
    assert "after acceptance" in text
    assert "✔ steady" in client.get("/device/1").text, "what was worked out before the decision is not shown any more"
    entry = made.audit(1)[0]
    assert (entry.who, entry.what, entry.why) == ("phil", "baseline.set", "after acceptance")


def test_points_are_left_out_and_decisions_taken_back_with_reasons(made):
    client = signed_in(made, "phil")
    path = f"/device/1/chart/{trends.read(made)[0].chart.id}"
    uid = trends.read(made)[0].points["series_uid"].iloc[3]
    assert client.post(f"{path}/leave-out", data=form(client, series_uid=uid)).status_code == 409
    assert client.post(f"{path}/leave-out", data=form(client, series_uid=uid, why="phantom cold")).status_code == 303
    assert trends.read(made)[0].points["role"].iloc[3] == "left_out"
    assert client.post(f"{path}/take-back", data=form(client, what="left_out", decision="1", why="was warm after all")).status_code == 303
    assert trends.read(made)[0].points["role"].iloc[3] == "waiting"
    newer = trends.read(made)[0].points["series_uid"].iloc[4]
    assert client.post(f"{path}/replace", data=form(client, series_uid=uid, by=newer, why="repeated")).status_code == 303
    assert trends.read(made)[0].points["role"].iloc[3] == "replaced"
    assert [entry.what for entry in made.audit(3)] == ["scan.replace", "left_out.take_back", "point.leave_out"]


def test_out_of_service_serviced_verified_returned_in_this_order(made):
    technologist, client = signed_in(made, "berta"), signed_in(made, "phil")

    def note(who, kind, status=303, **more):
        answer = who.post("/device/1/service", data=form(who, kind=kind, text=f"{kind} because", day="2026-03-01", **more))
        assert answer.status_code == status, (kind, answer.status_code)
        return answer.text

    assert "● in service" in client.get("/device/1").text
    note(client, "returned", 409)
    note(technologist, "out_of_service", clock="08:00")
    assert "✖ out of service" in technologist.get("/devices").text
    note(technologist, "repair", clock="09:00")
    assert "▲ serviced, not verified yet" in client.get("/device/1").text
    note(technologist, "verified", 403)
    assert "verify the device before" in note(client, "returned", 409).casefold()
    note(client, "verified", clock="10:00")
    assert "▲ verified, not returned yet" in client.get("/device/1").text
    note(client, "returned", clock="11:00")
    assert "● in service" in client.get("/device/1").text
    note(technologist, "note", 409, clock="25:00")
    note(signed_in(made, "vera"), "note", 403)
    done = [entry.what for entry in made.audit() if entry.what == "service.add"]
    assert len(done) == 4


@pytest.mark.parametrize(("kinds", "state"), [
    ([], "in_service"), (["repair", "note"], "in_service"), (["out_of_service"], "out_of_service"), (["out_of_service", "note"], "out_of_service"),
    (["out_of_service", "calibration"], "serviced"), (["out_of_service", "service", "verified"], "verified"),
    (["out_of_service", "service", "verified", "returned"], "in_service"), (["verified"], "in_service"),
])  # fmt: skip
def test_the_state_follows_from_the_service_log(kinds, state):
    assert service_state([{"kind": kind} for kind in kinds]) == state


def test_devices_are_renamed_and_confirmed_with_a_record(made):
    client = signed_in(made, "phil")
    assert client.post("/device/1/name", data=form(client, alias="MR cellar", why="as people say")).status_code == 303
    assert "MR cellar" in client.get("/devices").text
    assert made.audit(1)[0].what == "device.rename"
    assert client.post("/device/1/name", data=form(client, alias="")).status_code in (409, 422)


def test_a_merged_device_leads_to_the_one_it_is(made):
    other = device(made, "MR1 old")
    made.merge_devices(other, 1, "anna", "console replaced")
    client = signed_in(made, "vera")
    assert "<h1>MR1" in client.get(f"/device/{other}").text
    assert "MR1 old" not in client.get("/devices").text
    assert "MR1 old" in client.get("/devices?every=yes").text


def test_alerts_are_acknowledged_and_snoozed_with_a_reason(store):
    from datetime import date

    from reports import alerts

    people(store)
    history(store, [92.0] * 3, status="fail")
    assert alerts.collect(store, FIRST + timedelta(days=2), minimum="warn") == 1
    technologist, client = signed_in(store, "berta"), signed_in(store, "phil")
    page = client.get("/alerts").text
    assert "1 problem stands" in page
    assert "MR1" in page
    assert technologist.post("/alerts/1/acknowledge", data=form(technologist)).status_code == 400
    assert technologist.post("/alerts/1/acknowledge", data=form(technologist, why="coil is sent in")).status_code == 303
    assert "✔ berta sees to it" in client.get("/alerts").text
    until = str(date.today() + timedelta(days=9))
    assert technologist.post("/alerts/1/snooze", data=form(technologist, why="x", until=until)).status_code == 403
    assert client.post("/alerts/1/snooze", data=form(client, why="spare part comes", until="soon")).status_code == 400
    assert client.post("/alerts/1/snooze", data=form(client, why="spare part comes", until=until)).status_code == 303
    assert "spare part comes" in client.get("/alerts").text
    assert signed_in(store, "vera").get("/alerts").status_code == 200
