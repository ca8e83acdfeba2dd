"""Cases O02 and O03: the day of a study, and days without a test."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from reports_made import judged, report, run, study, subject, uid
from trends_made import device, history, scan

from qc.errors import ConfigurationError
from qc.results import Status
from reports import alerts, daily, due, trends
from reports.store import Store

MONDAY = date(2026, 3, 2)
RULES = [due.parse("MR1=acr_mri_large:mon-fri")]
HOLIDAY = date(2026, 3, 9)  # a Monday


def three_weeks(store: Store) -> None:
    """Measured from Monday to Friday; missing on the second Wednesday and on the Monday of a holiday; once on a Saturday; twice on one day."""
    number = device(store)
    left_out = {date(2026, 3, 11), HOLIDAY}
    days = [MONDAY + timedelta(days=n) for n in range(21)]
    with store.writing() as connection:
        for day in days:
            if (day.weekday() < 5 and day not in left_out) or day == date(2026, 3, 14):
                scan(connection, number, day, 92.0)
        scan(connection, number, date(2026, 3, 3), 92.0, time="17:00:00")
        scan(connection, number, date(2026, 3, 11), 50.0, klass="image")  # patients are examined on the day without a test
    trends.refresh(store)


def test_exactly_one_day_is_missing(store: Store) -> None:
    three_weeks(store)
    told = {day: due.of_day(store, RULES, day, [HOLIDAY]) for day in (MONDAY + timedelta(days=n) for n in range(21))}
    assert [day for day, some in told.items() if any(not one.done for one in some)] == [date(2026, 3, 11)]
    assert sum(len(some) for some in told.values()) == 14, "fifteen working days, one of them a holiday"
    without_calendar = [one.done for one in due.of_day(store, RULES, HOLIDAY)]
    assert without_calendar == [False]


def test_missing_is_known_the_morning_after_and_over_with_the_next_test(store: Store) -> None:
    number = device(store)
    with store.writing() as connection:
        for day in (MONDAY, date(2026, 3, 6), date(2026, 3, 10)):
            scan(connection, number, day, 92.0)
    trends.refresh(store)

    def missing(day: int, holidays: tuple[date, ...] = (HOLIDAY,)) -> list[str]:
        return [one.title for one in due.missing(store, RULES, date(2026, 3, day), holidays)]

    assert missing(3) == []
    assert missing(10) == [], "the holiday, and done today"
    assert missing(9) == [], "the weekend"
    assert missing(11) == [], "today is not over"
    assert missing(12) == ["no test with acr_mri_large on Wednesday 2026-03-11: 0 of 1 expected"]
    with store.writing() as connection:
        scan(connection, number, date(2026, 3, 12), 92.0)
    trends.refresh(store)
    assert missing(12) == []


def test_it_goes_through_the_stream_of_alerts(store: Store) -> None:
    number = device(store)
    with store.writing() as connection:
        scan(connection, number, MONDAY, 92.0)
    trends.refresh(store)
    wednesday = MONDAY + timedelta(days=2)
    kinds = frozenset({due.KIND})
    told = [alerts.catch_up(store, more=alerts.More(due.missing(store, RULES, wednesday), kinds)) for _ in range(3)]
    assert told == [1, 0, 0]
    assert "0 of 1 expected" in alerts.messages(store)[0].text
    with store.writing() as connection:
        scan(connection, number, wednesday, 92.0)
    trends.refresh(store)
    assert alerts.catch_up(store, more=alerts.More(due.missing(store, RULES, wednesday), kinds)) == 1
    assert alerts.problems(store) == []


def test_a_report_without_its_test_is_not_green(store: Store, tmp_path) -> None:
    history(store, [92.0], first=MONDAY)
    empty = daily.gather(store, MONDAY + timedelta(days=1), rules=RULES)
    assert (empty.status, empty.headline) == ("warn", "Phantom tests: 0 of 1 expected")
    assert "0 of 1 expected" in daily.render(empty)
    done = daily.gather(store, MONDAY, rules=RULES)
    assert (done.status, len(done.missing)) == ("pass", 0)
    assert daily.gather(store, MONDAY + timedelta(days=5), rules=RULES).expected == [], "a Saturday"


def test_one_bad_test_does_not_end_the_rest(store: Store) -> None:
    """MRIQC 1318: what cannot be measured is told, the others stand."""
    for number, value in ((1, None), (2, 91.0)):
        made = study(uid(number), StudyDate="20260302", StudyTime=f"0{number}0000")
        made.series[0].klass = "phantom:acr_mri_large"
        status, reason = (Status.PASS, None) if value else (Status.NOT_EVALUABLE, "phantom_not_found")
        run(store, report(made, (judged(subject(uid(number)), value, status, reason=reason),)))
    told = daily.gather(store, MONDAY, rules=RULES)
    assert (told.trends.total, len(told.unjudged), len(told.missing)) == (1, 1, 0)


@pytest.mark.parametrize(
    ("text", "days"),
    [("MR1=acr_mri_large:mon-fri", {0, 1, 2, 3, 4}), ("*=ct_water:daily", set(range(7))), ("a b=x:sat-mon, wed", {5, 6, 0, 2})],
)
def test_rules_are_read(text: str, days: set[int]) -> None:
    assert due.parse(text).weekdays == days


@pytest.mark.parametrize("text", ["MR1", "MR1=acr", "MR1=acr:someday", "MR1=acr:7"])
def test_rules_that_are_none(text: str) -> None:
    with pytest.raises(ConfigurationError):
        due.parse(text)


@pytest.mark.parametrize(
    ("stamp", "clock", "day"),
    [
        ("20261125", "002000", date(2026, 11, 25)),
        ("20261125", "120000", date(2026, 11, 25)),
        ("20261125", "235000", date(2026, 11, 25)),
        ("20260329", "003000", date(2026, 3, 29)),  # 23 hours
        ("20261025", "235900", date(2026, 10, 25)),  # 25 hours
    ],
)
def test_each_study_stands_on_its_local_day_once(store: Store, stamp: str, clock: str, day: date) -> None:
    """The site is at UTC+1 (or +2 in summer), the server at UTC."""
    made = study(uid(1), StudyDate=stamp, StudyTime=clock)
    run(store, report(made, (judged(subject(uid(1)), 92.0, Status.PASS),)))
    trends.refresh(store)
    counts = {one: len(daily.gather(store, one).studies) for one in (day - timedelta(days=1), day, day + timedelta(days=1))}
    assert counts == {day - timedelta(days=1): 0, day: 1, day + timedelta(days=1): 0}
    assert "Europe/Vienna" in daily.render(daily.gather(store, day)), "the zone is printed"


def test_a_study_across_midnight_stands_on_the_day_it_began(store: Store) -> None:
    made = study(uid(1), ("before", "after"), StudyDate="20261124", StudyTime="235000")
    for image in made.series[1].instances:
        image.tags |= {"AcquisitionDate": "20261125", "AcquisitionTime": "001500", "SeriesDate": "20261125", "SeriesTime": "001500"}
    run(store, report(made))
    assert [len(daily.gather(store, date(2026, 11, day)).studies) for day in (24, 25)] == [1, 0]
