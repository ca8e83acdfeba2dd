"""Limits learned from history."""

import numpy as np
import pytest

from qc.check import all_metrics
from qc.learned import LEARNED, learn


def test_nothing_is_said_before_twenty_studies():
    values = list(np.random.default_rng(0).normal(10, 1, 20))
    assert learn(values[:19]) is None
    assert learn([*values[:19], float("nan")]) is None
    assert learn(values).count == 20


def test_limits_of_normal_values():
    limits = learn(np.random.default_rng(1).normal(10, 1, 2000))
    assert (limits.median, limits.low, limits.high) == pytest.approx((10, 6, 14), abs=0.25)
    assert (limits.p5, limits.p95) == pytest.approx((8.355, 11.645), abs=0.15)
    assert not limits.unusual(limits.high)
    assert limits.unusual(limits.high + 1e-9)
    assert limits.unusual(5.0)
    assert not limits.unusual(5.0, "high")
    assert limits.unusual(5.0, "low")


def test_one_study_of_ten_thousand_normal_ones_is_unusual_at_most():
    rng = np.random.default_rng(2)
    alarms = sum(learn(rng.normal(10, 1, 60)).unusual(one) for one in rng.normal(10, 1, 2000))
    assert alarms <= 4  # two-sided 4 SD, with the scatter of the MAD of 60


def test_outliers_of_the_history_do_not_widen_it():
    assert learn([10.0] * 10 + [10.5] * 9 + [11.0] * 20 + [500.0]).high < 600
    values = [*np.random.default_rng(3).normal(10, 1, 300), 400.0]
    assert learn(values).high < 16


def test_equal_values_allow_for_rounding():
    limits = learn([100.0] * 30)
    assert not limits.unusual(104.0)
    assert limits.unusual(106.0)


def test_every_learned_metric_is_declared():
    assert set(LEARNED) <= set(all_metrics())
    assert set(LEARNED.values()) <= {"both", "low", "high"}
