"""What people are told of: a problem when it is new, worse or over, once each; naming no patient and no study."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa
from alerts_made import Box, fail
from reports_made import NAME, PATIENT_ID, PLANTED, finding, judged, report, run, study, subject, uid, whole_day

from qc.errors import ConfigurationError
from qc.results import Status
from reports import alerts
from reports.quiet import parse
from reports.store import Store
from reports.store import schema as t

DAY = date(2026, 11, 25)
LINK = "https://qc.example/daily-2026-11-25.html"
LONG_AGO = date(2026, 3, 2)  # for what goes on for days: a date in the future is no believable one


def stamp(day: date) -> str:
    return f"{day:%Y%m%d}"


# -- what is new ------------------------------------------------------------------------------------------------


def test_a_message_tells_what_where_how_often_and_where_to_read(store: Store) -> None:
    whole_day(store)
    fail(store, 20)
    fail(store, 21, "check.error", Status.ERROR)
    assert alerts.collect(store, DAY, LINK) == 3
    (message,) = alerts.messages(store)
    assert message.title == "Image quality 25 Nov 2026: 3 new"
    assert message.text.splitlines() == [
        "Report of Wednesday 25 November 2026",
        "New:",
        "   ✖ Failed: MR1: Percent integral uniformity: outside its limit (1 study)",
        "   ✖ Failed: MR1: Slices are missing (2 studies)",
        "   ‼ Software error: MR1: Check broke (software error) (1 study)",
        LINK,
        "",
        f"Message {message.message_id}",
    ]
    assert (message.severity, message.attempts, message.sent_at) == ("fail", 0, None)


def test_one_message_a_problem_not_an_image_or_study(store: Store) -> None:
    fail(store, 1)
    assert [alerts.collect(store, DAY, LINK) for _ in range(3)] == [1, 0, 0]
    box = Box()
    assert alerts.deliver(store, ["a://"], box) == (1, 0)
    for number in range(2, 9):
        fail(store, number)
        assert alerts.collect(store, DAY, LINK) == 0, "the same problem of the same device"
    fail(store, 9, "header.unlikely")
    fail(store, 10, scanner="CT2")
    assert alerts.collect(store, DAY, LINK) == 2, "another problem, another device"
    assert alerts.deliver(store, ["a://"], box) == (1, 0)
    assert len({re.search(r"Message (\S+)", text)[1] for _, _, text in box.got}) == 2
    found = {(one["where"], one["code"]): one["count"] for one in alerts.problems(store)}
    assert found == {("MR1", "slices.missing"): 8, ("MR1", "header.unlikely"): 1, ("CT2", "slices.missing"): 1}


def test_nothing_bad_nothing_said(store: Store) -> None:
    run(store, report(study(uid(1))))
    fail(store, 2, "pixels.clipped", Status.WARN)
    fail(store, 3, "x.y", Status.NOT_EVALUABLE)
    assert alerts.collect(store, DAY, LINK) == 0
    assert alerts.messages(store) == []
    assert [one["code"] for one in alerts.problems(store)] == ["pixels.clipped"], "known, and not told of"


@pytest.mark.parametrize(("minimum", "count"), [("fail", 1), ("error", 2), ("warn", 4)])
def test_the_mildest_status_is_a_choice(store: Store, minimum: str, count: int) -> None:
    fail(store, 1)
    fail(store, 2, "check.error", Status.ERROR)
    fail(store, 3, "pixels.clipped", Status.WARN)
    run(store, report(study(uid(4)), (judged(subject(uid(4)), 88.0, Status.WARN),)))  # a value past its warning level gives no finding
    assert alerts.collect(store, DAY, LINK, minimum) == count


def test_who_asks_later_hears_of_what_still_stands(store: Store) -> None:
    fail(store, 1, "pixels.clipped", Status.WARN)
    assert alerts.collect(store, DAY, routes=()) == 0
    assert alerts.collect(store, DAY) == 0
    assert alerts.collect(store, DAY, minimum="warn") == 1


def test_what_got_worse_is_told_and_what_got_milder_is_not(store: Store) -> None:
    later = LONG_AGO + timedelta(days=2)
    yesterday = LONG_AGO + timedelta(days=1)
    run(store, report(study(uid(1), StudyDate=stamp(yesterday)), (finding(subject(uid(1)), Status.WARN),)))
    assert alerts.collect(store, yesterday, minimum="warn") == 1
    run(store, report(study(uid(2), StudyDate=stamp(later)), (finding(subject(uid(2))),)))
    assert alerts.collect(store, later, minimum="warn") == 1
    (message,) = alerts.messages(store)
    assert "Worse than told before:\n   ✖ Failed: MR1: Slices are missing (1 study, since 3 Mar 2026)" in message.text
    after = later + timedelta(days=1)
    run(store, report(study(uid(3), StudyDate=stamp(after)), (finding(subject(uid(3)), Status.WARN),)))
    assert alerts.collect(store, after, minimum="warn") == 0


def test_two_metrics_outside_their_limits_are_two_problems(store: Store) -> None:
    results = [
        judged(subject(uid(1)), 80.0, Status.FAIL, region="slice7"),
        judged(subject(uid(1)), 79.0, Status.FAIL, region="slice5"),
    ]
    other = judged(subject(uid(1)), 80.0, Status.FAIL)
    object.__setattr__(other.measurement, "metric", "ct.noise_estimate")
    run(store, report(study(uid(1)), (*results, other, finding(subject(uid(1)), code="limit.exceeded", details={"metric": "acr_mri.piu"}))))
    assert alerts.collect(store, DAY) == 2
    (message,) = alerts.messages(store)
    assert message.text.count("outside its limit (1 study)") == 2


def test_one_run_over_several_days_is_one_message(store: Store) -> None:
    for number, day, code in ((1, 23, "a.b"), (2, 24, "slices.missing"), (3, 25, "c.d"), (4, 25, "c.d")):
        fail(store, number, code, StudyDate=f"202611{day}")
    assert alerts.catch_up(store, link=lambda day: f"https://qc.example/{day}") == 5, "three new, two of them over by the next day"
    (message,) = alerts.messages(store)
    assert message.title == "Image quality 23 Nov 2026 to 25 Nov 2026: 3 new, 2 over"
    assert re.findall(r"https\S+", message.text) == [f"https://qc.example/2026-11-{day}" for day in (23, 24, 25)]
    assert message.text.count("Message ") == 1
    assert alerts.catch_up(store) == 0


def test_a_message_that_is_being_sent_is_not_added_to(store: Store) -> None:
    fail(store, 1)
    alerts.collect(store, DAY)
    (taken,) = alerts.pending(store)
    fail(store, 2, "header.unlikely")
    alerts.collect(store, DAY)
    (other,) = alerts.pending(store)
    assert taken.id != other.id
    assert [one.text for one in alerts.messages(store)][1] == taken.text, "the text that went out is the text that is kept"


def test_ledger_and_message_are_kept_together_or_not_at_all(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    fail(store, 1)
    with monkeypatch.context() as broken:
        broken.setattr(alerts.outbox, "put", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            alerts.catch_up(store)
    assert (alerts.problems(store), alerts.messages(store)) == ([], [])
    assert alerts.catch_up(store) == 1
    assert (len(alerts.problems(store)), len(alerts.messages(store))) == (1, 1)


# -- how long it goes on ----------------------------------------------------------------------------------------


def test_a_day_on_which_nothing_was_tested_ends_nothing(store: Store) -> None:
    """A phantom that failed is in order when it passes, not when it is not measured; images of patients on the days between say nothing."""
    number = 0

    def day(offset: int, value: float | None) -> int:
        nonlocal number
        number += 1
        when = LONG_AGO + timedelta(days=offset)
        status = Status.FAIL if value is not None and value < 87.5 else Status.PASS
        results = () if value is None else (judged(subject(uid(number)), value, status),)
        run(store, report(study(uid(number), StudyDate=stamp(when)), results))
        return alerts.collect(store, when)

    assert [day(offset, value) for offset, value in enumerate([80.0, None, None, 81.0, None, 92.0, 92.0])] == [1, 0, 0, 0, 0, 1, 0]
    text = alerts.messages(store)[0].text
    assert "Over:\n   ✔ Over: MR1: Percent integral uniformity: outside its limit (since 2 Mar 2026)" in text
    (one,) = alerts.problems(store, LONG_AGO + timedelta(days=3))
    assert (one["day_number"], one["state"], one["seen"]) == (4, "open", True)
    (one,) = alerts.problems(store, LONG_AGO + timedelta(days=2))
    assert (one["day_number"], one["seen"]) == (3, False)
    assert alerts.problems(store) == []
    assert [one["state"] for one in alerts.problems(store, resolved=5)] == ["resolved"]


def test_an_older_day_that_is_looked_at_again_tells_nothing_twice(store: Store) -> None:
    yesterday = DAY - timedelta(days=1)
    fail(store, 1, StudyDate=stamp(yesterday))
    run(store, report(study(uid(2))))
    assert alerts.catch_up(store) == 2, "new yesterday, over today"
    fail(store, 3, StudyDate=stamp(yesterday))  # arrives late, the same problem on the day it was told of
    assert alerts.catch_up(store) == 0
    fail(store, 4, "header.unlikely", StudyDate=stamp(yesterday))
    assert alerts.catch_up(store) == 2, "nobody was told of this one, and today it is over already"
    assert alerts.problems(store) == []


def test_results_that_were_corrected_on_the_same_day_end_the_problem(store: Store) -> None:
    fail(store, 1)
    assert alerts.catch_up(store) == 1
    run(store, report(study(uid(1), images=4), (finding(subject(uid(1)), Status.INFO, "some.note"),)))  # the missing object came
    assert alerts.catch_up(store) == 1
    (one,) = alerts.problems(store, resolved=1)
    assert (one["state"], one["resolved_day"]) == ("resolved", DAY)


def test_what_happened_long_ago_calls_nobody(store: Store) -> None:
    for number, day in ((1, "20240105"), (2, "20261125")):
        fail(store, number, StudyDate=day)
    assert alerts.catch_up(store) == 1
    assert "2024" not in alerts.messages(store)[0].text


# -- thirty days ------------------------------------------------------------------------------------------------

PLAN = {  # device, code -> days (from 0) on which it is there
    ("MR1", "slices.missing"): range(3, 7),
    ("MR1", "header.unlikely"): range(5, 30),
    ("CT2", "pixels.clipped"): [2, 4, 6],
    ("CT2", "slices.missing"): range(10, 13),
    ("CT2", "geometry.tilt"): [12],
    ("MR1", "series.too_few"): range(20, 22),
}
SILENT = range(15, 19)  # nothing comes from CT2


def thirty_days(store: Store, box: Box) -> list[int]:
    """One pass a day; return how many messages each sent. Every fault sits in two studies, and each pass is done twice."""
    first, number, sent = DAY - timedelta(days=29), 100, []
    for place in range(30):
        for scanner in ("MR1", "CT2"):
            here = [code for (device, code), days in PLAN.items() if device == scanner and place in days]
            for _ in range(0 if scanner == "CT2" and place in SILENT else 2):
                number += 1
                results = tuple(finding(subject(uid(number)), code=code) for code in here)
                run(store, report(study(uid(number), scanner=scanner, StudyDate=stamp(first + timedelta(days=place))), results))
        silent = (
            [alerts.Trouble("device:2", "silent_device", "warn", "sent nothing for days", "CT2", always=True)] if place in SILENT else []
        )
        before = len(box.got)
        for _ in range(2):
            alerts.catch_up(store, more=alerts.More(silent, frozenset({"silent_device"})))
            alerts.deliver(store, ["a://"], box)
        sent.append(len(box.got) - before)
    return sent


def test_thirty_days_with_faults_that_appear_persist_and_vanish(store: Store) -> None:
    """Days with a message: those on which something began or was over; none else, however many studies have it and however long."""
    box = Box()
    sent = thirty_days(store, box)
    begins = {min(PLAN[key]) for key in PLAN if key[1] != "pixels.clipped"} | {2, 4, 6} | {min(SILENT)}
    ends = {max(PLAN[key]) + 1 for key in PLAN if key[1] != "pixels.clipped"} | {3, 5, 7} | {max(SILENT) + 1}
    expected = [1 if place in (begins | ends) else 0 for place in range(30)]
    assert sent == expected
    assert sum(sent) == 13, "3 to 7 each, 10, 12, 13, 15, 19, 20, 22 and 2"
    text = "\n".join(text for _, _, text in box.got)
    lines = [line.strip() for line in text.splitlines() if line.startswith("   ")]
    assert len(lines) == 9 + 8, "nine beginnings (clipping three times), and all but one over"
    assert len([one for one in lines if "MR1: Slices are missing" in one]) == 2
    (open_one,) = alerts.problems(store)
    assert (open_one["code"], open_one["day_number"]) == ("header.unlikely", 25)


# -- people -----------------------------------------------------------------------------------------------------


def days_of_one_fault(store: Store, number: int, offset: int, status: Status = Status.FAIL, code: str = "slices.missing") -> int:
    when = LONG_AGO + timedelta(days=offset)
    run(store, report(study(uid(number), StudyDate=stamp(when)), (finding(subject(uid(number)), status, code),)))
    return alerts.collect(store, when, minimum="warn")


def test_acknowledged_says_only_that_it_is_worse_or_over(store: Store) -> None:
    assert days_of_one_fault(store, 1, 0, Status.WARN) == 1
    (one,) = alerts.problems(store)
    for who, why in (("", "x"), ("anna", " ")):
        with pytest.raises(ConfigurationError, match="name and a reason"):
            alerts.acknowledge(store, one["id"], who, why)
    alerts.acknowledge(store, one["id"], "anna", "service is called")
    assert days_of_one_fault(store, 2, 1, Status.WARN) == 0
    assert days_of_one_fault(store, 3, 2, Status.FAIL) == 1
    assert days_of_one_fault(store, 4, 3, Status.INFO, "fine.note") == 1
    (entry,) = store.audit(1)
    assert (entry.what, entry.who, entry.why, entry.subject) == ("problem.acknowledge", "anna", "service is called", f"problem:{one['id']}")
    with pytest.raises(ConfigurationError, match="over already"):
        alerts.acknowledge(store, one["id"], "anna", "again")
    with pytest.raises(ConfigurationError, match="no problem 99"):
        alerts.acknowledge(store, 99, "anna", "again")


def test_snoozed_says_nothing_until_its_day(store: Store) -> None:
    assert days_of_one_fault(store, 1, 0, Status.WARN) == 1
    (one,) = alerts.problems(store)
    with pytest.raises(ConfigurationError, match="must lie after 2026-03-02"):
        alerts.snooze(store, one["id"], LONG_AGO, "anna", "known")
    alerts.snooze(store, one["id"], LONG_AGO + timedelta(days=3), "anna", "part is ordered")
    assert days_of_one_fault(store, 2, 1, Status.FAIL) == 0, "not even that it is worse"
    assert days_of_one_fault(store, 3, 2) == 0
    assert days_of_one_fault(store, 4, 3) == 1
    assert "Still there, now that it is no longer snoozed" in alerts.messages(store)[0].text
    assert days_of_one_fault(store, 5, 4) == 0, "once"


def test_over_while_snoozed_is_not_told(store: Store) -> None:
    days_of_one_fault(store, 1, 0)
    alerts.snooze(store, alerts.problems(store)[0]["id"], LONG_AGO + timedelta(days=9), "anna", "part is ordered")
    assert days_of_one_fault(store, 2, 1, Status.INFO, "fine.note") == 0
    assert alerts.problems(store) == []


# -- routes and quiet hours -------------------------------------------------------------------------------------


def test_routes_by_severity(store: Store) -> None:
    fail(store, 1)
    fail(store, 2, "pixels.clipped", Status.WARN)
    routes = [alerts.Route(), alerts.Route("fail", frozenset({"fail"})), alerts.Route("error", frozenset({"error"}))]
    assert alerts.collect(store, DAY, minimum="warn", routes=routes) == 2
    box = Box()
    assert alerts.deliver(store, {"": ["all://"], "fail": ["sms://"], "error": ["us://"]}, box) == (2, 0)
    assert sorted((url, text.count("MR1:")) for url, _, text in box.got) == [("all://", 2), ("sms://", 1)]


def test_a_route_that_is_no_more_loses_nothing(store: Store) -> None:
    fail(store, 1)
    alerts.collect(store, DAY, routes=[alerts.Route("fail", frozenset({"fail"}))])
    box = Box()
    assert alerts.deliver(store, {"": ["all://"]}, box) == (1, 0)
    assert [url for url, _, _ in box.got] == ["all://"]


@pytest.mark.parametrize(
    ("at", "severity", "until"),
    [
        ("2026-11-25T12:00", "error", "2026-11-25T12:00"),
        ("2026-11-25T23:00", "error", "2026-11-26T06:30"),
        ("2026-11-26T03:00", "warn", "2026-11-26T06:30"),
        ("2026-11-26T03:00", "fail", "2026-11-26T03:00"),
        ("2026-11-26T06:30", "warn", "2026-11-26T06:30"),
        ("2026-11-27T23:00", "warn", "2026-11-30T06:30"),  # Friday night, then the weekend, then Sunday's night
        ("2026-11-28T12:00", "error", "2026-11-30T06:30"),
    ],
)
def test_quiet_hours(at: str, severity: str, until: str) -> None:
    quiet = parse("22:00-6:30", ("sat", "sun"), "fail")
    assert quiet.until(datetime.fromisoformat(at).replace(tzinfo=UTC), severity) == datetime.fromisoformat(until).replace(tzinfo=UTC)


@pytest.mark.parametrize(("hours", "days"), [("22-6-7", ()), ("22:00", ()), ("25:00-06:00", ()), ("", ("day",))])
def test_quiet_hours_that_are_none(hours: str, days: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError):
        parse(hours, days)


def test_a_message_waits_in_quiet_hours_and_a_grave_one_does_not(store: Store) -> None:
    always = parse("00:00-23:59", ("mon", "tue", "wed", "thu", "fri", "sat", "sun"), "fail")
    fail(store, 1, "check.error", Status.ERROR)
    alerts.collect(store, DAY, quiet=always)
    assert alerts.pending(store) == [], "waits"
    fail(store, 2)
    alerts.collect(store, DAY, quiet=always)
    (message,) = alerts.pending(store)
    assert message.text.count("MR1:") == 2, "and takes with it what waits"


# -- nobody -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("sqlite_only")
def test_nobody_is_named(store: Store) -> None:
    careless = f"The patient {NAME} ({PATIENT_ID}) moved"
    results = (finding(subject(uid(1)), message=careless, code="slices.missing"), finding(subject(uid(1)), Status.ERROR, message=careless))
    run(store, report(study(uid(1), (careless,), StudyDescription=careless), results))
    alerts.collect(store, DAY, LINK)
    box = Box()
    assert alerts.deliver(store, ["a://"], box) == (1, 0)
    ((_, title, text),) = box.got
    for secret in (*PLANTED, uid(1), "1.2.826", "Head", "t1_se"):
        assert secret.casefold() not in f"{title}\n{text}".casefold()
    tables = (t.outbox, t.problem, t.problem_day)
    with store.reading() as connection:
        kept = json.dumps([[str(cell) for cell in row] for table in tables for row in connection.execute(sa.select(table))])
    assert not [secret for secret in PLANTED if secret.casefold() in kept.casefold()]
