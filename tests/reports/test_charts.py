"""Control charts against published run lengths and worked examples; no number here comes from our own output.

ARL: mean number of points up to the first signal. Published (Montgomery, Introduction to Statistical Quality Control, tables 9.3 and 9.11 and
chapter 6; Champ and Woodall 1987 for the four rules together): see PUBLISHED.
"""

from __future__ import annotations

import numpy as np
import pytest

from qc.errors import ConfigurationError
from reports.charts import baseline as base
from reports.charts import statistics as s
from reports.charts.baseline import Baseline, estimate
from reports.charts.judge import Rules, alarms, episodes, evaluate

PUBLISHED = {  # shift of the mean in SD -> ARL
    "individuals": {0.0: 370.4, 0.5: 155.2, 1.0: 43.9, 2.0: 6.30},
    "ewma": {0.0: 492.0, 0.5: 39.5, 1.0: 9.4, 2.0: 2.9},
    "cusum": {0.0: 465.0, 0.5: 38.0, 1.0: 10.4, 2.0: 4.01},
    "western electric": {0.0: 91.75, 1.0: 9.2, 2.0: 3.1},
}
TOLERANCE = 0.10


def first_signal(flags: np.ndarray) -> float:
    """The mean place of the first flag, counted from 1; every row must have one."""
    assert flags.any(axis=1).mean() > 0.99
    return float(np.where(flags.any(axis=1), flags.argmax(axis=1) + 1, flags.shape[1]).mean())


def signals(name: str, z: np.ndarray) -> np.ndarray:
    if name == "individuals":
        return np.abs(z) > 3
    if name == "ewma":
        return np.abs(s.ewma(z)) > s.ewma_limits(z.shape[1])
    if name == "cusum":
        up, down = s.cusum(z)
        return (up > s.H) | (down > s.H)
    return np.logical_or.reduce([side for rule in (1, 2, 3, 4) for side in s.western_electric(z, rule)])


@pytest.mark.parametrize(("name", "shift"), [(name, shift) for name, row in PUBLISHED.items() for shift in row])
def test_run_lengths_are_the_published_ones(name: str, shift: float) -> None:
    published = PUBLISHED[name][shift]
    z = np.random.default_rng([7, int(shift * 10)]).standard_normal((1600, int(6 * published) + 20)) + shift
    assert first_signal(signals(name, z)) == pytest.approx(published, rel=TOLERANCE)


def test_individuals_by_hand() -> None:
    """The recipe of qicharts2 issue 34: mean 100, mean moving range 2.0 give 94.68, 105.32, and 6.53 for the range."""
    made = estimate([101.0, 99.0] * 10)
    assert made.limits() == (pytest.approx(94.68, abs=0.005), pytest.approx(105.32, abs=0.005))
    assert s.RANGE_LIMIT * made.mean_range == pytest.approx(6.53, abs=0.005)


@pytest.mark.parametrize(("rules", "author"), [(Rules(), "Western Electric"), (Rules(run=9), "Nelson")])
@pytest.mark.parametrize("points", [7, 8, 9, 12])
def test_a_run_signals_once_by_the_rule_that_is_chosen(rules: Rules, author: str, points: int) -> None:
    """Case O01."""
    judged = evaluate([101.0] * points, estimate([101.0, 99.0] * 10), rules)
    found = [(one.rule, one.side, one.start, one.end) for one in judged.signals]
    assert found == ([("run", "above", rules.run - 1, points - 1)] if points >= rules.run else []), "one signal an episode, however long"
    assert all(f"{rules.run} in a row above the baseline ({author}" in one.text for one in judged.signals)
    assert not judged.alarm.any(), "a shift of half an SD over a dozen points is shown, and nobody is called"


def test_the_values_of_the_recipe_by_every_chart() -> None:
    made = estimate([101.0, 99.0] * 10)
    judged = evaluate([100.0, 105.4, 100.0], made)
    assert {one.rule for one in judged.signals} == {"limits"}, "5.4 above: beyond 105.32, and no jump beyond 6.53"
    judged = evaluate([97.0, 104.0, 100.0], made)
    assert {one.rule for one in judged.signals} == {"range"}, "a jump of 7 beyond 6.53, and no value beyond its limit"


def test_an_alarm_is_a_signal_that_repeats() -> None:
    one_wild = np.zeros(60)
    one_wild[30] = 20.0
    judged = evaluate(one_wild, Baseline(0.0, 1.0, 20))
    assert not judged.alarm.any(), "one wild value is shown, and nobody is called"
    assert [one.start for one in judged.signals if one.rule == "limits"] == [30]
    stepped = np.where(np.arange(60) < 30, 0.0, 5.0)
    assert evaluate(stepped, Baseline(0.0, 1.0, 20)).alarm.argmax() == 31, "the second point beyond the limit"
    assert not evaluate(stepped, Baseline(0.0, 1.0, 15)).alarm.any(), "a provisional baseline calls nobody"
    back = np.where((np.arange(90) < 30) | (np.arange(90) >= 50), 0.0, 5.0)
    held = episodes(evaluate(back, Baseline(0.0, 1.0, 20)).alarm)
    assert len(held) == 1
    assert 59 <= held[0][1] <= 75, "it ends ten quiet points after the moving average came back"


def test_quiet_in_control() -> None:
    """300 daily charts, 365 days, each with a baseline of its own from 20 points: at most one message a week, new and resolved together."""
    rng = np.random.default_rng(11)
    messages = 0.0
    rounds = 4
    for _ in range(rounds):
        z = np.empty((300, 365))
        for chart in range(300):
            made = estimate(rng.normal(50.0, 2.0, 20))
            z[chart] = made.standardise(rng.normal(50.0, 2.0, 365))
        on = alarms(z, 20).astype(int)
        messages += np.abs(np.diff(np.pad(on, ((0, 0), (1, 0))), axis=1)).sum() / rounds
    assert messages <= 52
    assert messages > 0, "a test that cannot fail shows nothing"


@pytest.mark.parametrize(("shift", "within"), [(3.0, 8), (5.0, 4)])
def test_a_real_change_is_told_soon(shift: float, within: int) -> None:
    rng = np.random.default_rng(12)
    delays = []
    for _ in range(300):
        made = estimate(rng.standard_normal(20))
        on = alarms(made.standardise(rng.normal(shift, 1.0, 100))[None], 20)[0]
        delays.append(int(on.argmax()) + 1 if on.any() else 100)
    assert np.median(delays) <= within


# -- the baseline -----------------------------------------------------------------------------------------------


def ar1(rng: np.random.Generator, rho: float, shape: tuple[int, int]) -> np.ndarray:
    x = rng.standard_normal(shape)
    for place in range(1, shape[1]):
        x[:, place] = rho * x[:, place - 1] + np.sqrt(1 - rho**2) * x[:, place]
    return x


def test_an_autocorrelated_series_is_charted_by_its_residuals() -> None:
    """AR(1) with rho 0.7: with the plain moving range every few points signal, with residuals about as often as for independent values."""
    rng = np.random.default_rng(5)
    (known,) = ar1(rng, 0.7, (1, 4000))
    made = estimate(known)
    assert made.rho == pytest.approx(0.7, abs=0.04)
    assert made.sd == pytest.approx(np.sqrt(1 - 0.49), rel=0.05), "the SD of the innovations"
    z = made.standardise(ar1(rng, 0.7, (400, 1500)))
    assert first_signal(np.abs(z) > 3) == pytest.approx(370, rel=0.25)
    naive = Baseline(0.0, float(np.abs(np.diff(known)).mean()) / base.D2)
    assert first_signal(np.abs(naive.standardise(ar1(rng, 0.7, (400, 1500)))) > 3) < 120, "what the residuals avoid"
    assert estimate(rng.standard_normal(4000)).rho == 0.0
    few = [base.correlation(rng.standard_normal(20)) for _ in range(400)]
    assert np.mean(np.array(few) > 0) < 0.05, "twenty independent points hardly ever seem correlated"


def test_the_robust_baseline_forgives_a_wild_point() -> None:
    values = np.random.default_rng(2).normal(100, 1, 60)
    wild = values.copy()
    wild[17] = 160.0
    assert estimate(wild, robust=True).sd == pytest.approx(estimate(values, robust=True).sd, rel=0.1)
    assert estimate(wild).sd > 2 * estimate(values).sd


def test_transforms() -> None:
    rng = np.random.default_rng(9)
    skewed = np.exp(rng.normal(0, 1, 300))
    assert base.suggest(skewed) == "log"
    assert base.suggest(rng.normal(50, 1, 300)) == "none"
    near_hundred = 100 / (1 + np.exp(-rng.normal(4, 1.0, 300)))
    assert base.suggest(near_hundred[near_hundred > 81], "%") == "logit"
    made = estimate(skewed, "log")
    low, high = made.limits()
    assert 0 < low < 1 < high, "limits of a log chart stay above zero"
    assert made.standardise([1.0])[0] == pytest.approx(-made.centre / made.sd)
    with pytest.raises(ConfigurationError, match="above 0"):
        estimate([*skewed[:30], 0.0], "log")


@pytest.mark.parametrize(("values", "words"), [([1.0] * 30, "do not vary"), ([1.0, 2.0, 3.0], "at least 10 points")])
def test_what_makes_no_baseline(values: list[float], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        estimate(values)


def test_unknown_rules_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="two_of_three"):
        Rules(names=("seven_in_a_row",))


def test_further_rules_by_hand() -> None:
    assert np.flatnonzero(s.nelson([0, 1, 2, 3, 4, 5, 6, 0], "trend")).tolist() == [5, 6], "six rising points are five steps"
    assert np.flatnonzero(s.nelson([0.0, 1.0] * 7 + [1.5], "alternating")).tolist() == [13]
    assert np.flatnonzero(s.nelson([0.5] * 16, "narrow")).tolist() == [14, 15]
    assert np.flatnonzero(s.nelson([1.5, -1.5] * 4, "wide")).tolist() == [7]
