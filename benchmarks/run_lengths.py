"""Run lengths of the control charts: how many points until the first signal, with known mean and SD, and with a baseline of few points.

    python benchmarks/run_lengths.py [--series 20000]

The first table is held against the published lengths (within 10 %, else exit code 1); the second shows what a baseline of 20, 30 or 50 points
makes of them, where nothing is published for our way of estimating the SD. The third counts messages: 300 charts in control, 365 days.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from numpy.typing import NDArray

from reports.charts import statistics as s
from reports.charts.baseline import D2
from reports.charts.judge import alarms

SHIFTS = (0.0, 0.5, 1.0, 2.0, 3.0)
# Montgomery, Introduction to Statistical Quality Control (individuals, EWMA, CUSUM); Champ and Woodall, Technometrics 29 (1987) 393
PUBLISHED = {
    "individuals, 3 SD": (370.4, 155.2, 43.9, 6.30, 2.00),
    "EWMA 0.2, 2.962": (492.0, 39.5, 9.4, 2.9, None),
    "CUSUM 0.5, 5": (465.0, 38.0, 10.4, 4.01, 2.57),
    "Western Electric 1-4": (91.75, None, 9.22, 3.13, None),
}
Array = NDArray[np.float64]
LONGEST = 4000


def signals(name: str, z: Array) -> NDArray[np.bool_]:
    if name.startswith("individuals"):
        return np.abs(z) > 3
    if name.startswith("EWMA"):
        return np.abs(s.ewma(z)) > s.ewma_limits(z.shape[1])
    if name.startswith("CUSUM"):
        up, down = s.cusum(z)
        return np.asarray((up > s.H) | (down > s.H))
    rules = (1, 2, 3, 4) if name.endswith("1-4") else (1, 2, 4)
    return np.logical_or.reduce([side for rule in rules for side in s.western_electric(z, rule)])


def run_length(name: str, shift: float, series: int, baseline_n: int | None, rng: np.random.Generator) -> tuple[float, float]:
    """Return mean and median of the run length; series that never signal count as the longest length looked at."""
    lengths = []
    longest = LONGEST if shift < 0.5 else 1500
    for begin in range(0, series, 1000):
        count = min(1000, series - begin)
        z = rng.standard_normal((count, longest)) + shift
        if baseline_n:
            known = rng.standard_normal((count, baseline_n))
            sd = np.abs(np.diff(known, axis=1)).mean(axis=1) / D2
            z = (z - known.mean(axis=1)[:, None]) / sd[:, None]
        flags = signals(name, z)
        lengths.append(np.where(flags.any(axis=1), flags.argmax(axis=1) + 1, longest))
    every = np.concatenate(lengths)
    return float(every.mean()), float(np.median(every))


def quiet(baseline_n: int | None, shift: float, rng: np.random.Generator) -> tuple[float, float, float]:
    """Return messages a week (new and over) of 300 daily charts, the part of charts that ever alarm, and the median delay in points."""
    z = rng.standard_normal((6000, 365)) + shift
    if baseline_n:
        known = rng.standard_normal((6000, baseline_n))
        z = (z - known.mean(axis=1)[:, None]) / (np.abs(np.diff(known, axis=1)).mean(axis=1) / D2)[:, None]
    on = alarms(z, baseline_n)
    changes = np.abs(np.diff(np.pad(on.astype(int), ((0, 0), (1, 0))), axis=1)).sum() / 6000 * 300 / (365 / 7)
    return float(changes), float(on.any(axis=1).mean()), float(np.median(np.where(on.any(axis=1), on.argmax(axis=1) + 1, 366)))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--series", type=int, default=20000)
    given = parser.parse_args()
    rng = np.random.default_rng(20261126)
    missed = []
    print(f"mean run length, mean and SD known, {given.series} series (published)\n")
    print(f"| chart | {' | '.join(f'{shift:g} SD' for shift in SHIFTS)} |\n|---|{'---|' * len(SHIFTS)}")
    for name, published in PUBLISHED.items():
        cells = []
        for shift, right in zip(SHIFTS, published, strict=True):
            mean, _ = run_length(name, shift, given.series if shift else min(given.series, 8000), None, rng)
            cells.append(f"{mean:.1f} ({right:g}, {100 * (mean / right - 1):+.1f} %)" if right else f"{mean:.1f}")
            missed += [f"{name} at {shift:g}"] if right and abs(mean / right - 1) > 0.10 else []
        print(f"| {name} | {' | '.join(cells)} |")
    print("\nmean (median) run length with a baseline of n points; those longer than 4000 count as 4000\n")
    print(f"| chart | n | {' | '.join(f'{shift:g} SD' for shift in SHIFTS)} |\n|---|---|{'---|' * len(SHIFTS)}")
    for name in (*PUBLISHED, "Western Electric 1, 2, 4"):
        for n in (20, 30, 50):
            found = [run_length(name, shift, min(given.series, 4000), n, rng) for shift in SHIFTS]
            print(f"| {name} | {n} | {' | '.join(f'{mean:.0f} ({median:.0f})' for mean, median in found)} |")
    print("\nalarms: messages a week of 300 daily charts (new and over); charts that alarm within a year; median delay in points\n")
    print(
        "| baseline | in control: messages a week | charts that alarm | 1 SD: charts, delay | 2 SD | 3 SD | 5 SD |\n|---|---|---|---|---|---|---|"
    )
    for n in (20, 30, 50, None):
        week, ever, _ = quiet(n, 0.0, rng)
        missed += [f"{week:.2f} messages a week with baselines of {n}"] if week > 1 else []
        shifted = [quiet(n, shift, rng)[1:] for shift in (1.0, 2.0, 3.0, 5.0)]
        cells = " | ".join(f"{100 * part:.0f} %, {delay:.0f}" for part, delay in shifted)
        print(f"| {n or 'known'} | {week:.2f} | {100 * ever:.1f} % | {cells} |")
    print(f"\noutside: {', '.join(missed)}" if missed else "\nall within 10 % of the published lengths, and at most one message a week")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
