"""When tests are due, and which were missed."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qc.errors import ConfigurationError
from reports.schedule import Schedule

MONDAY = date(2026, 11, 2)
WORKDAYS = frozenset(range(5))


def days(*numbers: int) -> list[date]:
    return [MONDAY + timedelta(days=number) for number in numbers]


def test_exactly_one_missing_day():
    """Case O03: daily from Monday to Friday, one Wednesday missed, a holiday on a Monday, one Saturday worked."""
    holiday = days(14)[0]
    done = [day for day in days(*range(26)) if day.weekday() < 5 and day != holiday and day != days(9)[0]] + days(5)
    schedule = Schedule(1, WORKDAYS, frozenset({holiday}))
    assert schedule.missing(done, MONDAY, days(25)[0]) == days(9)
    assert days(9)[0].weekday() == 2


def test_without_the_calendar_the_holiday_is_missing_too():
    done = [day for day in days(*range(12)) if day.weekday() < 5 and day != days(7)[0]]
    assert Schedule(1, WORKDAYS).missing(done, MONDAY, days(11)[0]) == days(7)
    assert Schedule(1, WORKDAYS, frozenset(days(7))).missing(done, MONDAY, days(11)[0]) == []


def test_nothing_was_done():
    assert Schedule(1, WORKDAYS).missing([], MONDAY, days(6)[0]) == days(0, 1, 2, 3, 4)


@pytest.mark.parametrize(("done", "missed"), [
    ([0, 7, 14, 21], []),
    ([0, 10, 17], [7]),  # three days late, and the week counts from then on
    ([0, 3, 10, 17], []),  # more often than asked for
    ([0], [7]),  # missed once is one, not fourteen
    ([], [0]),
])  # fmt: skip
def test_a_weekly_test(done, missed):
    assert Schedule(7).missing(days(*done), MONDAY, days(20)[0]) == days(*missed)


def test_a_weekly_test_due_on_a_holiday_is_due_the_day_after():
    schedule = Schedule(7, WORKDAYS, frozenset(days(7)))
    assert schedule.due(MONDAY, MONDAY) == days(8)[0]
    assert schedule.missing(days(0, 8), MONDAY, days(13)[0]) == []


def test_the_day_after_a_friday_is_a_monday():
    assert Schedule(1, WORKDAYS).due(days(4)[0], MONDAY) == days(7)[0]
    assert Schedule(1, WORKDAYS).due(None, days(5)[0]) == days(7)[0]


@given(st.sets(st.integers(0, 60)), st.integers(1, 20), st.sets(st.integers(0, 6), min_size=1))
def test_what_was_done_is_never_missing(done, every, weekdays):
    schedule = Schedule(every, frozenset(weekdays))
    missed = schedule.missing(days(*done), MONDAY, days(60)[0])
    assert not set(missed) & set(days(*done))
    assert missed == sorted(set(missed))
    assert all(day.weekday() in weekdays for day in missed)
    if every == 1:  # then it can be counted by hand
        assert missed == [day for day in days(*range(61)) if day.weekday() in weekdays and day not in days(*done)]


@pytest.mark.parametrize(("every", "weekdays"), [(0, {1}), (1, set()), (1, {7})])
def test_schedules_that_cannot_be(every, weekdays):
    with pytest.raises(ConfigurationError):
        Schedule(every, frozenset(weekdays))
