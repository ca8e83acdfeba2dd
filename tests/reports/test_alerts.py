"""What people are alerted of: only what is new, one message a run, and naming nobody."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from alerts_made import Box, fail
from reports_made import NAME, PATIENT_ID, PLANTED, finding, judged, report, run, study, subject, uid, whole_day

from qc.results import Status
from reports import alerts, daily
from reports.store import Store
from reports.store import schema as t

DAY = date(2026, 11, 25)
LINK = "https://qc.example/daily-2026-11-25.html"
TELL = partial(alerts.collect_in, day=DAY, link=LINK)


# -- what is new ------------------------------------------------------------------------------------------------


def test_a_message_tells_counts_and_where_to_read(store: Store) -> None:
    whole_day(store)
    fail(store, 20)
    fail(store, 21, "check.error", Status.ERROR)
    assert alerts.collect(store, DAY, LINK) == 4
    (message,) = alerts.messages(store)
    assert message.title == "Image quality 25 Nov 2026: 3 failed, 1 software error"
    assert message.text.splitlines() == [
        "New in the report of Wednesday 25 November 2026:",
        "✖ Failed: 3 studies",
        "   Slices are missing: 2",
        "   Percent integral uniformity: outside its limit: 1",
        "‼ Software error: 1 study",
        "   Check broke (software error): 1",
        LINK,
        "",
        f"Message {message.message_id}",
    ]
    assert (message.severity, message.attempts, message.sent_at) == ("fail", 0, None)


def test_nobody_is_told_twice(store: Store) -> None:
    fail(store, 1)
    assert [alerts.collect(store, DAY, LINK) for _ in range(3)] == [1, 0, 0]
    box = Box()
    assert alerts.deliver(store, ["a://"], box) == (1, 0)
    assert alerts.deliver(store, ["a://"], box) == (0, 0)
    run(
        store, report(study(uid(1), images=4), (finding(subject(uid(1)), message="3 images are missing"),))
    )  # a late object, the same fault
    assert alerts.collect(store, DAY, LINK) == 0
    fail(store, 2)
    assert alerts.collect(store, DAY, LINK) == 1
    assert alerts.deliver(store, ["a://"], box) == (1, 0)
    assert [re.search(r"Failed: (\d+)", text)[1] for _, _, text in box.got] == ["1", "1"], "only the new one is counted"
    assert len({re.search(r"Message (\S+)", text)[1] for _, _, text in box.got}) == 2


def test_nothing_bad_nothing_said(store: Store) -> None:
    run(store, report(study(uid(1))))
    fail(store, 2, "pixels.clipped", Status.WARN)
    fail(store, 3, "x.y", Status.NOT_EVALUABLE)
    assert alerts.collect(store, DAY, LINK) == 0
    assert alerts.messages(store) == []
    assert alerts.collect(store, DAY, LINK, minimum="warn") == 1


@pytest.mark.parametrize(("minimum", "count"), [("fail", 1), ("error", 2), ("warn", 4)])
def test_the_mildest_status_is_a_choice(store: Store, minimum: str, count: int) -> None:
    fail(store, 1)
    fail(store, 2, "check.error", Status.ERROR)
    fail(store, 3, "pixels.clipped", Status.WARN)
    run(store, report(study(uid(4)), (judged(subject(uid(4)), 88.0, Status.WARN),)))  # a value past its warning level gives no finding
    assert alerts.collect(store, DAY, LINK, minimum) == count


def test_what_got_worse_is_new(store: Store) -> None:
    run(store, report(study(uid(1)), (finding(subject(uid(1)), Status.WARN),)))
    assert alerts.collect(store, DAY, minimum="warn") == 1
    run(store, report(study(uid(1), images=4), (finding(subject(uid(1))),)))
    assert alerts.collect(store, DAY, minimum="warn") == 1


def test_two_metrics_outside_their_limits_are_two_things(store: Store) -> None:
    results = [
        finding(subject(uid(1)), code="limit.exceeded", details={"metric": metric, "region": region})
        for metric, region in (("acr_mri.piu", "slice7"), ("acr_mri.piu", "slice5"), ("ct.noise_estimate", "water"))
    ]
    run(store, report(study(uid(1)), tuple(results)))
    assert alerts.collect(store, DAY) == 2
    (message,) = alerts.messages(store)
    assert "✖ Failed: 1 study\n" in message.text
    assert "Percent integral uniformity: outside its limit: 1" in message.text


def test_one_run_over_several_days_is_one_message(store: Store) -> None:
    for number, day in ((1, "20261123"), (2, "20261124"), (3, "20261125"), (4, "20261125")):
        fail(store, number, StudyDate=day)
    for day in (DAY - timedelta(days=2), DAY - timedelta(days=1), DAY):
        assert alerts.collect(store, day, f"https://qc.example/{day}") > 0
    (message,) = alerts.messages(store)
    assert message.title == "Image quality 23 Nov 2026 to 25 Nov 2026: 4 failed"
    assert re.findall(r"https\S+", message.text) == [f"https://qc.example/2026-11-{day}" for day in (23, 24, 25)]
    assert message.text.count("Message ") == 1


def test_a_message_that_is_being_sent_is_not_added_to(store: Store) -> None:
    fail(store, 1)
    alerts.collect(store, DAY)
    (taken,) = alerts.pending(store)
    fail(store, 2)
    alerts.collect(store, DAY)
    (other,) = alerts.pending(store)
    assert taken.id != other.id
    assert [one.text for one in alerts.messages(store)][1] == taken.text, "the text that went out is the text that is kept"


# -- together with the report -----------------------------------------------------------------------------------


def test_report_and_alert_are_noted_together_or_not_at_all(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fail(store, 1)
    with monkeypatch.context() as broken:
        broken.setattr(alerts, "_content", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            daily.write(store, DAY, tmp_path, then=TELL)
    assert store.stale_days() == [DAY]
    assert alerts.messages(store) == []
    daily.write(store, DAY, tmp_path, then=TELL)
    assert store.stale_days() == []
    assert len(alerts.messages(store)) == 1
    daily.write(store, DAY, tmp_path, then=TELL)
    assert len(alerts.messages(store)) == 1


def test_nobody_is_alerted_unasked_and_a_link_is_a_choice(store: Store, tmp_path: Path) -> None:
    fail(store, 1)
    daily.write(store, DAY, tmp_path)
    assert alerts.messages(store) == []
    daily.write(store, DAY, tmp_path, then=partial(alerts.collect_in, day=DAY))
    (message,) = alerts.messages(store)
    assert "http" not in message.text


@pytest.mark.usefixtures("sqlite_only")
def test_nobody_is_named(store: Store, tmp_path: Path) -> None:
    careless = f"The patient {NAME} ({PATIENT_ID}) moved"
    tags = {"StudyDescription": careless, "StationName": "MR1"}
    results = (finding(subject(uid(1)), message=careless, code="slices.missing"), finding(subject(uid(1)), Status.ERROR, message=careless))
    run(store, report(study(uid(1), (careless,), **tags), results))
    daily.write(store, DAY, tmp_path, then=TELL)
    box = Box()
    assert alerts.deliver(store, ["a://"], box) == (1, 0)
    ((_, title, text),) = box.got
    for secret in (*PLANTED, uid(1), "1.2.826", "MR1", "Head", "t1_se"):
        assert secret.casefold() not in f"{title}\n{text}".casefold()
    with store.reading() as connection:
        kept = json.dumps([[str(cell) for cell in row] for table in (t.outbox, t.alert) for row in connection.execute(sa.select(table))])
    assert not [secret for secret in PLANTED if secret.casefold() in kept.casefold()]
