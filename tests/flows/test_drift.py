"""Case C08 through the store: the noise of the daily water phantom against the first runs of that scanner."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from flows import drift
from qc.results import Judged, Status, Subject
from qc.runner import Options, Ran, Report, Runner, facts_of
from qc.study import Frame, Instance, Series, Study
from reports.store import Seen, Store, open_store

KEY = b"a key of the tests"
START = date(2026, 3, 2)


@pytest.fixture
def store(tmp_path: Path):
    with open_store(f"sqlite:///{tmp_path}/x.sqlite", "Europe/Vienna") as opened:
        yield opened


@pytest.fixture(scope="module")
def runner():
    with Runner(Options()) as made:
        yield made


def visit(runner: Runner, day: int, noise: float, *, serial: str = "40711", kernel: str = "B30f", thickness: float = 5.0) -> Report:
    """What the check gives on a day: the noise, and a change without a value."""
    from phantoms.ct.metrics import CHANGE
    from phantoms.ct.metrics import NOISE as METRIC

    number = f"1.2.826.0.1.3680043.8.498.{day}{serial}"
    tags = {
        "StudyInstanceUID": number, "SeriesInstanceUID": f"{number}.1", "SOPInstanceUID": f"{number}.1.1", "Modality": "CT", "KVP": 120.0,
        "StudyDate": (START + timedelta(days=day)).strftime("%Y%m%d"), "StudyTime": "070000", "Manufacturer": "Maker", "SeriesNumber": 1,
        "ManufacturerModelName": "Spiral", "DeviceSerialNumber": serial, "StationName": f"CT{serial}", "SeriesDescription": f"Water {day}",
        "ConvolutionKernel": kernel, "SliceThickness": thickness,
        "Rows": 8, "Columns": 8,
    }  # fmt: skip
    instance = Instance(Path("IM1"), "IM1", "1.2.840.10008.1.2.1", tags)
    instance.frames = [Frame(instance)]
    series = Series(number, f"{number}.1", [instance])
    series.klass = drift.CLASS
    about, facts = Subject("series", number, series.uid), {"kernel": kernel}
    some = [
        METRIC.value(noise, about, "center", uncertainty=0.03, method="ct_water.daily/1", **facts),
        CHANGE.missing("no_baseline", about, "noise", method="ct_water.daily/1", **facts),
    ]
    report = Report([Study(number, [series])], given=1)
    report.measurements = [Judged(one, runner.criteria.judge(one, facts_of(series))) for one in some]
    report.ran = [Ran("ct_water.daily", 1, about, Status.NOT_EVALUABLE, 0.1)]
    return report


def keep(store: Store, report: Report) -> None:
    (study,) = report.studies
    (one,) = study.instances()
    store.observe("folder", [Seen(f"in/{one.uid}", 100, 1, study.uid, study.series[0].uid, one.uid, one.uid)])
    store.settle(0)
    (work,) = store.claim("tester", 1, 60)
    assert store.complete(work.id, "tester", report, KEY)


def today(store: Store, runner: Runner, noise: float, day: int = 40, **more) -> tuple[Report, Judged]:
    report = visit(runner, day, noise, **more)
    drift.add(store, runner, report)
    return report, next(one for one in report.measurements if one.measurement.metric == "ct.change")


@pytest.mark.parametrize(("noise", "status"), [(4.80, Status.PASS), (4.81, Status.FAIL), (3.20, Status.PASS), (3.19, Status.FAIL)])
def test_c08_the_noise_of_today_against_a_baseline_of_four(store, runner, noise, status):
    for day in range(6):
        keep(store, visit(runner, day, 4.0))
    report, change = today(store, runner, noise)
    assert change.verdict.status is status
    assert change.measurement.value == pytest.approx(100 * (noise / 4.0 - 1))
    assert change.measurement.details["baseline_hu"] == 4.0
    assert change.measurement.details["baseline_runs"] == 6
    assert [one.code for one in report.findings] == (["limit.exceeded"] if status is Status.FAIL else [])
    assert report.status is (Status.FAIL if status is Status.FAIL else Status.INFO), "the noise itself has no limit"


def test_c08_no_baseline_yet_is_said_and_not_judged(store, runner):
    for day in range(drift.FEWEST_RUNS - 1):
        keep(store, visit(runner, day, 4.0))
    report, change = today(store, runner, 9.0)
    assert change.measurement.reason == "no_baseline"
    assert change.verdict.status is Status.NOT_EVALUABLE
    assert report.findings == []


def test_other_scanners_kernels_and_series_do_not_count(store, runner):
    for day in range(6):
        keep(store, visit(runner, day, 4.0))
        keep(store, visit(runner, day, 8.0, serial="999"))
    assert today(store, runner, 4.0)[1].measurement.value == pytest.approx(0.0)
    for other in ({"kernel": "B70f"}, {"thickness": 1.0}, {"serial": "123"}):
        assert today(store, runner, 4.0, **other)[1].measurement.reason == "no_baseline", other


def test_the_baseline_stays_with_the_first_runs(store, runner):
    """A mean over all runs would follow the drift: 20 runs at 4.0, then 20 at 5.0 HU. Today's 5.0 HU is 25 % off, not 11 %."""
    for day in range(40):
        keep(store, visit(runner, day, 4.0 if day < 20 else 5.0))
    assert today(store, runner, 5.0, day=50)[1].measurement.value == pytest.approx(25.0)
