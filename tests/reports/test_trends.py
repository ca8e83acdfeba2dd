"""Trends out of the store: what is kept apart, what a person decides, what restarts, what stays as it was."""

from __future__ import annotations

import numpy as np
import pytest
import sqlalchemy as sa
from reports_made import CRITERIA, judged, report, run, study, subject, uid
from trends_made import FIRST, METRIC, day, device, history, scan

from qc.errors import ConfigurationError
from qc.results import Status
from reports import alerts, trends
from reports.store import Store, acquisition
from reports.store import schema as t
from reports.store.connect import now

CALM = [92.0 + (-1) ** n * 0.5 for n in range(20)]  # mean 92, mean range 1.0: limits 89.34 and 94.66


def one(store: Store, **which: object) -> trends.Trend:
    (found,) = trends.read(store, **which)  # type: ignore[arg-type]
    return found


def test_values_come_from_results_and_nobody_chooses_a_baseline_by_itself(store: Store) -> None:
    made = study(uid(1), ("ACR T1",), RepetitionTime=500.0, EchoTime=20.0, SliceThickness=5.0, ReceiveCoilName="HEAD")
    made.series[0].klass = "phantom:acr_mri_large"
    run(
        store,
        report(
            made, (judged(subject(uid(1)), 91.5, Status.PASS), judged(subject(uid(1)), None, Status.NOT_EVALUABLE, reason="x", region="b"))
        ),
    )
    assert trends.refresh(store) == 1
    trend = one(store)
    assert (trend.chart.coil, trend.chart.protocol, trend.chart.method) == ("HEAD", "TR 500, TE 20, 5 mm", "acr_mri.piu/1")
    assert trend.points["value"].tolist() == [91.5]
    assert (trend.state, trend.waiting, trend.signals) == ("no_baseline", 1, ())
    assert CRITERIA["set"]


@pytest.mark.parametrize(
    ("modality", "tags", "words"),
    [
        ("MR1", {"RepetitionTime": 2000.4, "EchoTime": 80.0, "SliceThickness": 5.0}, "TR 2000, TE 80, 5 mm"),
        ("MR1", {"RepetitionTime": 499.7, "EchoTime": 19.96, "InversionTime": 150.0, "SliceThickness": 5.0}, "TR 500, TE 20, TI 150, 5 mm"),
        ("CT2", {"KVP": 120.0, "ConvolutionKernel": ("Br40f", "3"), "SliceThickness": 0.625}, "120 kV, Br40f/3, 0.625 mm"),
        ("CT2", {}, ""),
    ],
)
def test_how_it_was_acquired_in_words(modality: str, tags: dict[str, object], words: str) -> None:
    (series,) = study(uid(1), scanner=modality, **tags).series
    assert acquisition.words(series) == words


def test_a_measured_again_series_stands_once(store: Store) -> None:
    history(store, [92.0])
    number = device(store)
    with store.writing() as connection:
        connection.execute(sa.update(t.study).values(superseded_at=now(connection)))
        scan(connection, number, FIRST, 91.0, uid="1.2.3.1", revision=2)
    trends.refresh(store)
    assert one(store).points["value"].tolist() == [91.0]


@pytest.mark.parametrize(
    "other", [{"method": "acr_mri.piu/2"}, {"coil": "BODY"}, {"protocol": "TR 2000, TE 80, 5 mm"}, {"region": "slice8"}, {"alias": "MR2"}]
)
def test_what_was_measured_otherwise_is_another_trend(store: Store, other: dict[str, str]) -> None:
    history(store, [92.0, 92.1])
    history(store, [80.0, 80.1], **other)
    assert sorted(trend.points["value"].tolist() for trend in trends.read(store)) == [[80.0, 80.1], [92.0, 92.1]]


def test_a_baseline_is_a_decision_with_name_time_and_reason(store: Store) -> None:
    history(store, [*CALM, 92.4, 88.0, 87.0])
    chart = one(store).chart.id
    for who, why, words in (("", "acceptance", "name"), ("anna", "  ", "reason")):
        with pytest.raises(ConfigurationError, match=words):
            trends.set_baseline(store, chart, FIRST, day(19), who, why)
    number = trends.set_baseline(store, chart, FIRST, day(19), "anna", "acceptance test of January")
    trend = one(store)
    assert trend.points["role"].tolist() == ["baseline"] * 20 + ["judged"] * 3
    (segment,) = trend.segments
    assert (segment.decision["id"], segment.decision["who"], segment.decision["why"]) == (number, "anna", "acceptance test of January")
    assert segment.decision["made_at"].tzinfo is not None
    assert segment.baseline.limits() == (pytest.approx(89.34, abs=0.005), pytest.approx(94.66, abs=0.005))
    assert [(one.rule, one.start) for one in trend.signals if one.rule == "limits"] == [("limits", 21)]
    assert trend.state == "alarm", "two of three in a row beyond the widened limit"
    assert trend.alarm_since == day(22)
    (entry, *_) = store.audit(1)
    assert (entry.what, entry.who, entry.why, entry.after["n"]) == ("baseline.set", "anna", "acceptance test of January", 20)


def test_a_service_event_restarts_and_a_new_baseline_begins_anew(store: Store) -> None:
    history(store, [*CALM, 92.1, *(value - 6 for value in CALM), 86.2])
    chart, number = one(store).chart.id, device(store)
    trends.set_baseline(store, chart, FIRST, day(19), "anna", "acceptance")
    assert one(store).state == "alarm", "the new coil looks like a fault"
    event = trends.add_service_event(store, number, day(21), "repair", "head coil replaced", "berta", local_time="06:00:00")
    trend = one(store)
    assert (trend.state, trend.waiting) == ("no_baseline", 21)
    assert trend.points["role"].tolist()[20:22] == ["judged", "waiting"]
    proposal = trends.propose(trend)
    assert (proposal["first_day"], proposal["last_day"], proposal["n"]) == (day(21), day(40), 20)
    with pytest.raises(ConfigurationError, match="head coil replaced"):
        trends.set_baseline(store, chart, day(10), day(35), "anna", "over the repair")
    trends.set_baseline(store, chart, day(21), day(40), "anna", "after the repair")
    trend = one(store)
    assert [len(segment.places) for segment in trend.segments] == [1, 1]
    assert (trend.state, trend.signals) == ("steady", ())
    trends.take_back(store, "service_event", event, "berta", "wrong scanner")
    assert not one(store).events
    assert [entry.what for entry in store.audit(2)] == ["service_event.take_back", "baseline.set"]


def test_a_note_restarts_nothing(store: Store) -> None:
    history(store, [*CALM, 92.1])
    trends.set_baseline(store, one(store).chart.id, FIRST, day(19), "anna", "acceptance")
    trends.add_service_event(store, device(store), day(20), "note", "helium filled", "berta")
    assert one(store).state == "steady"
    with pytest.raises(ConfigurationError, match="allowed are service, repair"):
        trends.add_service_event(store, device(store), day(20), "magic", "x", "berta")


def test_out_of_service_values_are_shown_and_not_judged(store: Store) -> None:
    history(store, [*CALM, 92.1, 40.0, 41.0, 92.2])
    trends.set_baseline(store, one(store).chart.id, FIRST, day(19), "anna", "acceptance")
    assert one(store).signals or one(store).state == "alarm"
    trends.add_service_event(store, device(store), day(21), "out_of_service", "gradient fault", "berta", local_time="05:00:00")
    trends.add_service_event(store, device(store), day(23), "returned", "tested, in order", "berta", local_time="05:00:00")
    trend = one(store)
    assert trend.points["role"].tolist()[20:] == ["judged", "in_service", "in_service", "judged"]
    assert trend.points["why"].tolist()[21] == "gradient fault"
    assert trend.state == "steady"


def test_a_point_is_left_out_of_a_baseline_with_a_reason(store: Store) -> None:
    values = [*CALM[:10], 70.0, *CALM[:10], 92.2]
    uids = history(store, values)
    trend = one(store)
    assert trends.propose(trend)["outliers"] == [10]
    with pytest.raises(ConfigurationError, match="reason"):
        trends.leave_out(store, trend.chart.id, uids[10], "anna", "")
    trends.leave_out(store, trend.chart.id, uids[10], "anna", "air bubble")
    with pytest.raises(ConfigurationError, match="already"):
        trends.leave_out(store, trend.chart.id, uids[10], "anna", "air bubble")
    trends.set_baseline(store, trend.chart.id, FIRST, day(20), "anna", "acceptance")
    trend = one(store)
    assert trend.points["role"].tolist() == ["baseline"] * 10 + ["left_out"] + ["baseline"] * 10 + ["judged"]
    assert trend.points["why"].tolist()[10] == "air bubble"
    assert trend.segments[0].baseline.centre == pytest.approx(92.0)
    assert [entry.what for entry in store.audit(2)] == ["baseline.set", "point.leave_out"]


def test_a_repeated_scan_takes_the_place_of_the_first(store: Store) -> None:
    uids = history(store, [*CALM, 70.0])
    number = device(store)
    with store.writing() as connection:
        again = scan(connection, number, day(20), 92.3, time="07:30:00")
    trends.refresh(store)
    trends.set_baseline(store, one(store).chart.id, FIRST, day(19), "anna", "acceptance")
    assert one(store).signals
    number = trends.replace_scan(store, uids[-1], again, "anna", "phantom was not level")
    trend = one(store)
    assert trend.points["role"].tolist()[20:] == ["replaced", "judged"]
    assert (trend.points["why"].tolist()[20], trend.signals) == ("phantom was not level", ())
    with pytest.raises(ConfigurationError, match="replaced already"):
        trends.replace_scan(store, uids[-1], again, "anna", "again")
    with pytest.raises(ConfigurationError, match="itself replaced"):
        trends.replace_scan(store, again, uids[-1], "anna", "in a ring")
    trends.take_back(store, "replaced_scan", number, "anna", "it was level after all")
    assert one(store).points["role"].tolist()[20:] == ["judged", "judged"]


def test_a_decision_of_today_changes_no_older_baseline(store: Store) -> None:
    uids = history(store, [*CALM, 92.1])
    chart = one(store).chart.id
    trends.set_baseline(store, chart, FIRST, day(19), "anna", "acceptance")
    before = one(store).segments[0].baseline
    number = device(store)
    with store.writing() as connection:  # the study is measured again, by the same method, and the series gives something else
        at = now(connection)
        connection.execute(sa.update(t.study).where(t.study.c.study_uid == uids[3].removesuffix(".1")).values(superseded_at=at))
        scan(connection, number, day(3), 50.0, uid=uids[3].removesuffix(".1"), revision=2)
    trends.refresh(store)
    assert 50.0 in one(store).points["value"].tolist()
    assert one(store).segments[0].baseline == before


def test_merged_devices_share_their_trends(store: Store) -> None:
    history(store, CALM)
    history(store, [92.1, 92.2], first=day(20), alias="MR1 new console")
    stays, goes = device(store, "MR1"), device(store, "MR1 new console")
    trends.set_baseline(store, trends.read(store, device_id=stays)[0].chart.id, FIRST, day(19), "anna", "acceptance")
    store.merge_devices(goes, stays, "anna", "console replaced")
    trend = one(store)
    assert (trend.chart.device, len(trend.chart.ids), len(trend.points), trend.state) == ("MR1", 2, 22, "steady")
    assert one(store, chart_id=min(trend.chart.ids)).chart == one(store, chart_id=max(trend.chart.ids)).chart
    assert trends.read(store, device_id=goes) == []


def test_a_day_is_looked_at_as_it_stood(store: Store) -> None:
    history(store, [*CALM, 92.1, 80.0, 80.0])
    trends.set_baseline(store, one(store).chart.id, FIRST, day(19), "anna", "acceptance")
    assert one(store, day=day(20)).state == "steady"
    assert one(store, day=day(22)).state == "alarm"
    assert trends.read(store, day=day(23)) == [], "no value on that day"


def test_roll_ups_are_made_once_and_again_when_results_change(store: Store) -> None:
    history(store, [92.0, 93.0])
    assert trends.refresh(store) == 0 or store.engine.dialect.name == "postgresql"
    with store.reading() as connection:
        rows = connection.execute(sa.select(t.daily_metric).order_by(t.daily_metric.c.day)).mappings().all()
    assert [(row["metric"], row["n"], row["mean"], row["pass"]) for row in rows] == [(METRIC, 1, 92.0, 1), (METRIC, 1, 93.0, 1)]
    number = device(store)
    with store.writing() as connection:
        scan(connection, number, FIRST, 94.0, klass="image", status="warn")
    assert trends.refresh(store) >= 1
    with store.reading() as connection:
        rows = connection.execute(sa.select(t.daily_metric).where(t.daily_metric.c.day == FIRST)).mappings().all()
        (counted,) = connection.execute(sa.select(t.daily_device).where(t.daily_device.c.day == FIRST)).mappings().all()
    assert sorted((row["class"], row["n"], row["warn"]) for row in rows) == [("image", 1, 1), ("phantom:acr_mri_large", 1, 0)]
    assert (counted["studies"], counted["series"], counted["instances"], counted["warn"]) == (2, 2, 22, 1)
    assert len(trends.read(store)) == 1, "patients' images have no chart"


def test_short_drift_of_a_real_chart_is_seen(store: Store) -> None:
    rng = np.random.default_rng(4)
    values = [*rng.normal(92, 0.5, 30), *(92 - 0.1 * n + rng.normal(0, 0.5) for n in range(40))]
    history(store, values)
    trends.set_baseline(store, one(store).chart.id, FIRST, day(29), "anna", "acceptance")
    trend = one(store)
    assert trend.state == "alarm"
    assert {"ewma", "cusum", "run"} <= {signal.rule for signal in trend.signals}
    assert day(35) < trend.alarm_since < day(60)
    assert "EWMA" in trend.why


def test_the_version_changes_with_results_and_decisions(store: Store) -> None:
    seen = {trends.version(store)}
    history(store, CALM)
    seen.add(trends.version(store))
    assert trends.version(store) in seen
    trends.set_baseline(store, one(store).chart.id, FIRST, day(19), "anna", "acceptance")
    seen.add(trends.version(store))
    trends.take_back(store, "baseline", 1, "anna", "wrong days")
    seen.add(trends.version(store))
    assert len(seen) == 4


def test_an_alarm_is_told_once_and_is_over_after_the_service(store: Store) -> None:
    """One message for all regions of a metric, however many days it lasts, and one when a service made the charts begin anew."""
    for region in ("slice5", "slice7"):
        history(store, [*CALM, 92.1], region=region)
    for trend in trends.read(store):
        trends.set_baseline(store, trend.chart.id, FIRST, day(19), "anna", "acceptance")
    assert alerts.catch_up(store) == 0
    for place in range(21, 25):
        for region in ("slice5", "slice7"):
            history(store, [86.0], first=day(place), region=region)
        told = alerts.catch_up(store)
        assert told == (1 if place == 22 else 0), "with the second value, once"
    (message,) = alerts.messages(store)
    assert "▲ Warning: MR1: Percent integral uniformity: drifts away from its baseline (2 charts)" in message.text
    trends.add_service_event(store, device(store), day(25), "repair", "head coil replaced", "berta", local_time="05:00:00")
    history(store, [92.4], first=day(25), region="slice7")
    assert alerts.catch_up(store) == 1
    assert "Over:" in alerts.messages(store)[0].text
    assert alerts.problems(store) == []


def test_problems_from_anywhere(store: Store) -> None:
    """What looks after the plant gives what it knows now; what is no more among it is over."""
    kinds = ("silent_device", "disk_low")
    row = {"kind": "silent_device", "subject": "device:2", "status": "warn", "message": "CT2 is silent: no study for 3 days"}
    disk = {"kind": "disk_low", "subject": "disk:data", "status": "fail", "message": "the disk of the data folder has 512 MB left"}
    tests = alerts.More(kinds=frozenset({"phantom_missing"}))
    told = [alerts.catch_up(store, more=alerts.from_notices(some, kinds) | tests) for some in ([row], [row], [row, disk], [disk], [], [])]
    assert told == [1, 0, 1, 1, 1, 0]
    text = "".join(one.text for one in alerts.messages(store))
    assert "CT2 is silent" in text
    assert "512 MB left" in text
