"""The noise of a daily water phantom against the first runs of the same scanner, which only the store knows.

The check gives ``ct.change`` without a value (``no_baseline``); here it gets one, as soon as there are five earlier runs that
were acquired in the same way. The baseline is the mean of the first twenty at most: a mean that moved along would hide a slow drift.
"""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from statistics import fmean, stdev

from qc.afterwards import supply
from qc.results import Measurement
from qc.runner import Report, Runner
from qc.study import Series
from reports.phantom_history import first_values
from reports.store import Store, acquisition
from reports.store.local import moment

CLASS = "phantom:ct_water"
CHANGE, NOISE = ("ct.change", "noise"), ("ct.noise", "center")
FEWEST_RUNS = 5


def add(store: Store, runner: Runner, report: Report) -> None:
    """Give the changes that a report lacks."""
    for study in report.studies:
        for series in study.series:
            if series.klass == CLASS:
                _add(store, runner, report, series)


def _add(store: Store, runner: Runner, report: Report, series: Series) -> None:
    ours = [one.measurement for one in report.measurements if one.measurement.subject.series_uid == series.uid]
    change = next((one for one in ours if (one.metric, one.region) == CHANGE and one.reason == "no_baseline"), None)
    noise = next((one for one in ours if (one.metric, one.region) == NOISE and one.value is not None), None)
    device = store.device_key(series.instances[0].tags)[0]
    if change is None or noise is None or device is None:
        return
    day = moment(series.first, datetime.now(UTC), store.zone).day
    before = first_values(store, device, series.klass, acquisition.words(series), noise, day)
    if len(before) >= FEWEST_RUNS:
        supply(runner, report, series, _change(change, noise, [value for _, value in before], f"{before[0][0]} to {before[-1][0]}"))


def _change(missing: Measurement, noise: Measurement, before: list[float], days: str) -> Measurement:
    """Return 100 (noise / baseline - 1) %. A baseline of 4.00 HU and a noise of 4.81 HU give 20.25 %."""
    baseline = fmean(before)
    ratio = (noise.value or 0.0) / baseline
    of_baseline = stdev(before) / len(before) ** 0.5 / baseline
    of_noise = (noise.uncertainty or 0.0) / baseline
    details = {**missing.details, "baseline_hu": baseline, "baseline_runs": len(before), "baseline_days": days}
    spread = 100 * (of_noise**2 + (ratio * of_baseline) ** 2) ** 0.5
    return dataclasses.replace(missing, value=100 * (ratio - 1), uncertainty=spread, reason=None, details=details)
