"""What a check gives."""

import numpy as np
import pytest

from qc.results import Metric, Status, Subject, severity, worst

METRIC = Metric("m", "mm", "M", "lower", "here")
SERIES = Subject("series", "1", "2")


def test_worst_wins_in_the_order_of_the_design():
    order = ["fail", "error", "warn", "not_evaluable", "info", "pass"]
    assert [status.value for status in sorted(Status, key=severity)] == order
    for at, status in enumerate(order):
        assert worst(Status(one) for one in order[at:]) == status
    assert worst([]) == "not_evaluable"  # nothing ran: never a pass


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float32("nan")])
def test_a_value_is_finite_or_is_none(value):
    with pytest.raises(ValueError, match="give no value and a reason"):
        METRIC.value(value, SERIES)
    with pytest.raises(ValueError, match="uncertainty"):
        METRIC.value(1.0, SERIES, uncertainty=value)


def test_numbers_of_numpy_become_plain():
    one = METRIC.value(np.float32(2.5), SERIES, uncertainty=np.float64(0.1), count=np.int64(3))
    assert [type(part) for part in (one.value, one.uncertainty, one.details["count"])] == [float, float, int]


def test_a_missing_value_has_its_reason():
    one = METRIC.missing("too_dark", SERIES, "roi")
    assert (one.value, one.reason, one.unit, one.region) == (None, "too_dark", "mm", "roi")
    with pytest.raises(ValueError, match="either a value or a reason"):
        METRIC.missing(None, SERIES)
