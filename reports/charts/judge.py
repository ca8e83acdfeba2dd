"""Judge the points after a baseline: signals by the rules of the charts, and alarms, which are signals that repeat.

Why two steps: every rule has false signals (the four of Western Electric together one in some 90 points), and a limit from 20 points
is itself uncertain. Three hundred daily charts would call people every hour. So a signal is shown, and people are told when

- two of three points in a row lie beyond 3 SD on one side, or
- the EWMA lies beyond its limit on one side at four points in a row,

both with limits widened for the size of the baseline. In control, with baselines of 20 points, 300 daily charts then give some 0.5 messages
a week, those that an alarm is over among them (`benchmarks/run_lengths.py`). An alarm ends when ten points in a row lie inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qc.errors import ConfigurationError
from reports.charts import statistics as s
from reports.charts.baseline import D2, Baseline

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

WESTERN, NELSON = 8, 9  # points in a row on one side
QUIET_POINTS = 10  # in a row inside the limits, after which an alarm is over
REPEATS = 4  # points in a row with the EWMA beyond its limit
RULES = ("limits", "two_of_three", "run", "range", "ewma", "cusum")
ADVISORY = ("four_of_five", "trend", "alternating", "narrow", "wide")  # known, used where asked for


@dataclass(frozen=True, slots=True)
class Rules:
    """Which rules judge, and with what numbers.

    Attributes
    ----------
    names
        Of `RULES` and `ADVISORY`. Western Electric 1, 2 and 4 suit weekly tests; its rule 3 (``four_of_five``) doubles the false signals.
    run
        Points in a row on one side: 8 (Western Electric) or 9 (Nelson).
    """

    names: tuple[str, ...] = RULES
    run: int = WESTERN
    smoothing: float = s.LAMBDA
    ewma_limit: float = s.EWMA_LIMIT
    k: float = s.K
    h: float = s.H

    def __post_init__(self) -> None:
        unknown = [name for name in self.names if name not in RULES + ADVISORY]
        if unknown:
            raise ConfigurationError(f"there is no chart rule {unknown[0]!r}; allowed are {', '.join(RULES + ADVISORY)}")

    def text(self, rule: str, side: str = "") -> str:
        """Say what a rule found, naming the rule."""
        where = {"above": " above the baseline", "below": " below the baseline"}.get(side, "")
        author = {WESTERN: "Western Electric", NELSON: "Nelson"}.get(self.run, "site")
        return {
            "limits": f"beyond 3 SD{where} (Western Electric rule 1)",
            "two_of_three": f"two of three in a row beyond 2 SD{where} (Western Electric rule 2)",
            "four_of_five": f"four of five in a row beyond 1 SD{where} (Western Electric rule 3)",
            "run": f"{self.run} in a row{where} ({author}, rule of runs)",
            "range": f"jump of more than {s.RANGE_LIMIT} times the mean range (moving range chart)",
            "ewma": f"moving average{where} (EWMA, weight {self.smoothing:g}, limit {self.ewma_limit:g} SD)",
            "cusum": f"sum of deviations{where} (CUSUM, k = {self.k:g}, h = {self.h:g})",
            "trend": "six in a row rising or falling (Nelson)",
            "alternating": "fourteen in a row up and down by turns (Nelson)",
            "narrow": "fifteen in a row within 1 SD (Nelson): less scatter than the baseline had",
            "wide": "eight in a row outside 1 SD (Nelson): more scatter than the baseline had",
        }[rule]


@dataclass(frozen=True, slots=True)
class Signal:
    """One episode in which a rule signals without a break.

    Attributes
    ----------
    start, end
        First and last point of it; `end` is the newest point while it goes on.
    side
        ``above``, ``below`` or empty.
    """

    rule: str
    side: str
    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Judgement:
    """What the charts say about the points after a baseline.

    Attributes
    ----------
    z
        Distance of each point from the centre in SD.
    ewma, ewma_limit, cusum_up, cusum_down
        Statistics at each point, in SD.
    signals
        Episodes in order of their beginning.
    alarm
        At each point: whether signals repeat, so that people are told.
    """

    z: Array
    ewma: Array
    ewma_limit: Array
    cusum_up: Array
    cusum_down: Array
    signals: tuple[Signal, ...]
    alarm: Flags

    @property
    def now(self) -> tuple[Signal, ...]:
        """The signals that the newest point gives."""
        return tuple(one for one in self.signals if one.end == self.z.size - 1)

    @property
    def alarmed(self) -> bool:
        """Tell whether people are to be told now."""
        return bool(self.alarm.size and self.alarm[-1])


def evaluate(values: ArrayLike, baseline: Baseline, rules: Rules | None = None) -> Judgement:
    """Judge the points that came after a baseline.

    Parameters
    ----------
    values
        Measured values in order of time, those of the baseline not among them: (points,).
    """
    rules = rules or Rules()
    x = np.asarray(values, float)
    z = baseline.standardise(x)
    average, limit = s.ewma(z, rules.smoothing), s.ewma_limits(z.size, rules.smoothing, rules.ewma_limit)
    up, down = s.cusum(z, rules.k)
    flags = _flags(z, x, average, limit, up, down, baseline, rules)
    signals = [Signal(rule, side, a, b, rules.text(rule, side)) for (rule, side), where in flags.items() for a, b in episodes(where)]
    alarm = np.zeros(z.shape, bool) if baseline.provisional else alarms(z, baseline.n, rules)
    return Judgement(z, average, limit, up, down, tuple(sorted(signals, key=lambda one: (one.start, one.rule))), alarm)


def _flags(
    z: Array, x: Array, average: Array, limit: Array, up: Array, down: Array, baseline: Baseline, rules: Rules
) -> dict[tuple[str, str], Flags]:
    """Return where each rule signals, by rule and side."""
    pairs: dict[str, tuple[Flags, Flags]] = {
        "limits": s.western_electric(z, 1),
        "two_of_three": s.western_electric(z, 2),
        "four_of_five": s.western_electric(z, 3),
        "run": s.western_electric(z, 4, rules.run),
        "ewma": (average > limit, average < -limit),
        "cusum": (up > rules.h, down > rules.h),
    }
    flags = {(rule, side): where for rule, both in pairs.items() for side, where in zip(("above", "below"), both, strict=True)}
    flags["range", ""] = s.moving_range(z) > s.RANGE_LIMIT * D2
    flags |= {(rule, ""): s.nelson(z, rule) for rule in ADVISORY[1:] if rule in rules.names}
    return {key: where for key, where in flags.items() if key[0] in rules.names}


def alarms(z: ArrayLike, baseline_n: int | None, rules: Rules | None = None) -> Flags:
    """Return at which points signals repeat so that people are told: (..., points), as `z`."""
    rules = rules or Rules()
    z = np.asarray(z, float)
    wide = 3.0 * s.small_sample(baseline_n)
    average = s.ewma(np.clip(z, -wide, wide), rules.smoothing)  # one wild point must not look like several by the memory of the average
    width = rules.ewma_limit * s.student(baseline_n)
    limit = s.ewma_limits(z.shape[-1], rules.smoothing, width, baseline_n)
    raised = np.zeros(z.shape, bool)
    for side in (1, -1):
        raised |= s.of_last(side * z > wide, 2, 3) | s.of_last(side * average > limit, REPEATS, REPEATS)
    calm = (np.abs(z) <= wide) & (np.abs(average) <= limit)
    return _held(raised, s.of_last(calm, QUIET_POINTS, QUIET_POINTS))


def _held(raised: Flags, over: Flags) -> Flags:
    """Hold an alarm from where it is raised until it is over."""
    number = np.broadcast_to(np.arange(raised.shape[-1]), raised.shape)
    last_raised = np.maximum.accumulate(np.where(raised, number, -1), axis=-1)
    last_over = np.maximum.accumulate(np.where(over, number, -1), axis=-1)
    return np.asarray(last_raised > last_over)


def episodes(flags: Sequence[bool] | Flags) -> list[tuple[int, int]]:
    """Return first and last index of each unbroken run of flags.

    >>> episodes([False, True, True, False, True])
    [(1, 2), (4, 4)]
    """
    padded = np.concatenate(([0], np.asarray(flags, np.int8), [0]))
    edges = np.diff(padded)
    return list(zip(np.flatnonzero(edges == 1).tolist(), (np.flatnonzero(edges == -1) - 1).tolist(), strict=True))
