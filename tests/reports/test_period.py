"""The report of a week and a month: sums of days, made by the database; and the section of trends in the daily report."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from openpyxl import load_workbook
from reports_made import finding, report, run, study, subject, uid
from trends_made import FIRST, METRIC, day, history

from qc.errors import ConfigurationError
from qc.results import Status
from reports import alerts, chart_figure, daily, export, period, trends
from reports.store import Store

LIMITS = {"action_low": 87.5, "tolerance_low": None, "tolerance_high": None, "action_high": None}


def january(store: Store) -> None:
    """A phantom a day that falls out of control in February, a few studies with findings, another device."""
    rng = np.random.default_rng(1)
    history(store, [*rng.normal(92, 0.5, 25), *rng.normal(88.5, 0.5, 20)], limits=LIMITS)
    trends.set_baseline(store, trends.read(store)[0].chart.id, FIRST, day(24), "anna", "acceptance")
    for number, when in ((1, day(3)), (2, day(4)), (3, day(40))):
        made = study(uid(number), images=5, StudyDate=f"{when:%Y%m%d}", scanner="CT2")
        run(store, report(made, (finding(subject(uid(number))), finding(subject(uid(number)), Status.INFO, "some.note"))))
    alerts.catch_up(store)


def test_a_month_adds_up(store: Store, tmp_path: Path) -> None:
    january(store)
    frames = period.tables(store, period.month("2026-01"))
    ct, mr = (row for row in frames["devices"].sort_values("device").to_dict("records"))
    assert (ct["device"], ct["studies"], ct["instances"], ct["fail"], ct["days"]) == ("CT2", 2, 10, 2, 2)
    assert (mr["device"], mr["studies"], mr["instances"]) == ("MR1", 27, 27 * 11), "from 5 to 31 January"
    (metric,) = frames["metrics"].to_dict("records")
    with store.reading():
        values = [float(v) for v in trends.read(store)[0].points["value"].iloc[:27]]
    assert (metric["metric"], metric["n"]) == (METRIC, 27)
    assert metric["mean"] == pytest.approx(np.mean(values))
    assert (metric["low"], metric["high"]) == (min(values), max(values))
    assert frames["findings"].to_dict("records")[0]["studies"] == 2
    page = period.write(store, period.month("2026-02"), tmp_path, site="Clinic", parquet=True)
    text = page.read_text()
    assert "Image quality, February 2026" in text
    assert "1 in alarm" in text
    assert "drifts away from its baseline" in text
    assert "<svg" in text
    assert "http" not in text.replace("http://www.w3.org", ""), "nothing is fetched"
    book = load_workbook(tmp_path / "monthly-2026-02.xlsx")
    assert book.sheetnames == ["devices", "findings", "metrics"]
    parquet = pd.read_parquet(tmp_path / "monthly-2026-02-metrics.parquet")
    assert parquet["mean"].tolist() == period.tables(store, period.month("2026-02"))["metrics"]["mean"].tolist(), "in full precision"


def test_a_week_without_anything_says_so(store: Store, tmp_path: Path) -> None:
    assert "No studies in this time" in period.write(store, period.week("2026-W30"), tmp_path).read_text()


@pytest.mark.parametrize("text", ["2026-47", "2026-W60", "W47", "now"])
def test_weeks_that_are_none(text: str) -> None:
    with pytest.raises(ConfigurationError, match="2026-W47"):
        period.week(text)


@pytest.mark.parametrize("text", ["2026-13", "2026-W02", "11"])
def test_months_that_are_none(text: str) -> None:
    with pytest.raises(ConfigurationError, match="2026-11"):
        period.month(text)


def test_merged_devices_count_together(store: Store) -> None:
    history(store, [92.0])
    history(store, [92.0], alias="MR1 old")
    one, other = sorted(store.devices(), key=lambda device: device.alias)
    store.merge_devices(other.id, one.id, "anna", "the same")
    (row,) = period.tables(store, period.month("2026-01"))["devices"].to_dict("records")
    assert (row["device"], row["studies"], row["days"]) == ("MR1", 2, 1)


def test_parquet_keeps_dates_and_gaps(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "day": [date(2026, 1, 1), None],
            "value": [0.1 + 0.2, None],
            "n": pd.array([1, None], "Int64"),
            "id": [1, 2],
            "x": [{"a": 1}, None],
        }
    )
    export.write_parquet(frame, tmp_path / "x.parquet")
    again = pd.read_parquet(tmp_path / "x.parquet")
    assert list(again.columns) == ["day", "value", "n", "x"]
    assert (again["day"][0], again["value"][0], again["x"][0]) == (date(2026, 1, 1), 0.1 + 0.2, '{"a": 1}')
    assert again.iloc[1].isna().all()


# -- in the daily report ----------------------------------------------------------------------------------------


def test_the_daily_report_shows_alarms_and_what_goes_on(store: Store) -> None:
    january(store)
    told = daily.gather(store, day(44))
    assert (told.status, told.headline) == ("warn", "1 chart drifts away from the baseline")
    text = daily.render(told)
    assert "1 in alarm" in text
    assert "day 1" in text
    assert "drifts away from its baseline" in text
    calm = daily.gather(store, day(24))
    assert (calm.trends.counts["steady"], calm.trends.alarms) == (1, [])
    before = daily.gather(store, day(26))
    assert before.trends.total == 1
    assert daily.gather(store, day(44) + timedelta(days=1)).trends.total == 0, "no value, no trend"


def test_a_signal_alone_is_advisory(store: Store) -> None:
    rng = np.random.default_rng(1)
    history(store, [*rng.normal(92, 0.5, 25), 92.1, 89.5])
    trends.set_baseline(store, trends.read(store)[0].chart.id, FIRST, day(24), "anna", "acceptance")
    assert alerts.catch_up(store) == 0
    told = daily.gather(store, day(26))
    assert (told.status, told.trends.counts["signal"]) == ("pass", 1)
    assert "advisory" in daily.render(told)


def test_a_chart_is_one_self_contained_picture(store: Store) -> None:
    january(store)
    trends.add_service_event(store, 1, day(30), "note", "<script>alert(1)</script> & cold head", "berta")
    (trend,) = trends.read(store)
    drawn = str(chart_figure.control_chart(trend, "MR1 <b>", href=lambda row: f"/series/{row['series_uid']}?a=1&b=2"))
    assert "<script" not in drawn
    assert "MR1 &lt;b&gt;" in drawn
    assert drawn.count("<a href=") == 45, "each value leads to its study"
    assert "fails below 87.5" in drawn
    assert "chosen by anna: acceptance" in drawn
    shapes = {role for role in trend.points["role"]}
    assert shapes == {"baseline", "judged"}
    assert "alarm: the signal repeats" in drawn
