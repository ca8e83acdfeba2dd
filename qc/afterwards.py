"""Give a value to a measurement that its check could not make alone, e.g. a change against earlier runs, which only a store knows."""

from __future__ import annotations

import dataclasses

from qc.check import load_checks
from qc.results import Finding, Judged, Measurement, Status, worst
from qc.runner import Report, Runner, exceeded, facts_of
from qc.study import Series


def supply(runner: Runner, report: Report, series: Series, measurement: Measurement) -> None:
    """Put a measurement in place of the one of the same metric, region, method and series, judged by the runner's limits.

    The outcome of its check, and the finding of a value outside its limit, follow.
    """
    verdict = runner.criteria.judge(measurement, facts_of(series))
    for place, judged in enumerate(report.measurements):
        if _name(judged.measurement) == _name(measurement):
            report.measurements[place] = Judged(measurement, verdict)
    check = measurement.method.partition("/")[0]
    spec = next((spec for spec in load_checks() if spec.id == check), None)
    if verdict.status is Status.FAIL and spec is not None:
        report.findings.append(exceeded(measurement, verdict, spec))
    for place, ran in enumerate(report.ran):
        if ran.check == check and ran.subject.series_uid == series.uid:
            statuses = [one.verdict.status for one in report.measurements if _of(one.measurement, check, series)]
            statuses += [one.status for one in report.findings if _of(one, check, series)]
            report.ran[place] = dataclasses.replace(ran, status=worst([*statuses, Status.PASS]))


def _name(one: Measurement) -> tuple[object, ...]:
    return one.metric, one.region, one.method, one.subject


def _of(one: Measurement | Finding, check: str, series: Series) -> bool:
    made_by = one.check if isinstance(one, Finding) else one.method.partition("/")[0]
    return made_by == check and one.subject.series_uid == series.uid
