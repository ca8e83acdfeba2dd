"""A year of ten scanners, five million measurements: how long people wait, and how much memory it takes.

    python benchmarks/large_store.py [--measurements 5000000] [--url postgresql://USER@HOST/EMPTY_DATABASE] [--keep FOLDER]

Prints seconds and peak memory of what people ask for: the daily report with its files, the data of a device page, the report of a month, XLSX,
the ledger of problems; each in a process of its own. Without --url the store is a SQLite file. Exit code 1 where a limit is not kept.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import sqlalchemy as sa

from reports import trends
from reports.store import Store, decisions, open_store, rollups
from reports.store import schema as t
from reports.store.connect import now

DEVICES, DAYS, STUDIES, SERIES = 10, 365, 30, 3  # studies a device and day, the first of them of a phantom
PHANTOM_METRICS = 60
FIRST = date(2025, 1, 1)
LAST = FIRST + timedelta(days=DAYS - 1)
MOST_SECONDS, MOST_MB = 15.0, 600.0
LIMITS = '{"action_low": 40.0, "tolerance_low": null, "tolerance_high": null, "action_high": null}'
CRITERIA = '{"set": "site 1", "edition": "2025", "provenance": "made up", "confidence": "site"}'


# -- a store of that size ---------------------------------------------------------------------------------------


def fill(store: Store, measurements: int) -> None:
    """Write devices, studies, series, measurements and findings; what is many, by the database itself."""
    a_series = max(1, round((measurements / (DEVICES * DAYS) - PHANTOM_METRICS) / ((STUDIES - 1) * SERIES)))
    with store.writing() as connection:
        at = now(connection)
        for number in range(1, DEVICES + 1):
            kind = "MR" if number % 2 else "CT"
            made = {"identity": f"i{number}", "alias": f"{kind}{number}", "modality": kind, "station_names": [], "ae_titles": []}
            connection.execute(sa.insert(t.device).values(id=number, **made, reviewed=True, created_at=at))
        for place in range(DAYS):
            _day(connection, place, at)
        for klass, count, prefix in (("image", a_series, "clinical"), ("phantom:acr_mri_large", PHANTOM_METRICS, "phantom")):
            connection.execute(sa.text(_MEASUREMENTS), {"klass": klass, "count": count, "prefix": prefix})
        connection.execute(sa.text(_FINDINGS))
        if connection.dialect.name == "postgresql":  # ids were given by hand
            for table in ("device", "study", "series"):
                connection.exec_driver_sql(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT MAX(id) FROM {table}))")
        connection.exec_driver_sql("ANALYZE")


def _day(connection: sa.Connection, place: int, at: object) -> None:
    studies, series = [], []
    day = FIRST + timedelta(days=place)
    common = {"revision": 1, "fingerprint": "f", "files": 90, "created_at": at, "done_at": at, "patient": "abc", "day": day}
    common |= {"day_from": "StudyDate", "local_time": "08:00:00", "zone": "UTC"}
    for device in range(1, DEVICES + 1):
        for k in range(STUDIES):
            number = (place * DEVICES + device - 1) * STUDIES + k + 1
            status = "warn" if number % 23 == 0 else "pass"
            studies.append({"id": number, "study_uid": f"1.2.{number}", "status": status, "description": "Head" if k else "QA", **common})
            for n in range(SERIES if k else 1):
                one = {"id": number * SERIES + n, "study_id": number, "device_id": device, "series_uid": f"1.2.{number}.{n}", "number": n}
                one |= {"class": "image" if k else "phantom:acr_mri_large", "modality": "MR" if device % 2 else "CT", "status": status}
                series.append(
                    {**one, "description": "t1", "instances": 30, "frames": 30, "coil": "HEAD", "protocol": "TR 500", "facts": {}}
                )
    connection.execute(sa.insert(t.study), studies)
    connection.execute(sa.insert(t.series), series)


_MEASUREMENTS = f"""
    WITH RECURSIVE metrics(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM metrics WHERE k < :count)
    INSERT INTO measurement (study_id, series_id, metric, region, value, unit, method, status, level, series_uid, limits, criteria, details, evidence)
    SELECT s.study_id, s.id, CAST(:prefix AS VARCHAR) || '.m' || k, 'whole', 50.0 + ((s.id * 7919 + k * 104729) % 1009 + (s.id * 31 + k * 17) % 1013) / 250.0,
           '1', CAST(:prefix AS VARCHAR) || '.m/1', CASE WHEN (s.id + k) % 499 = 0 THEN 'warn' ELSE 'pass' END, 'series', s.series_uid,
           '{LIMITS}', '{CRITERIA}', '{{}}', '[]'
    FROM series s CROSS JOIN metrics WHERE s.class = :klass
"""
_FINDINGS = """
    INSERT INTO finding (study_id, series_id, code, status, message, advice, "check", level, series_uid, details, evidence)
    SELECT study_id, id, 'pixels.clipped', 'warn', 'clipped', '', 'pixels', 'series', series_uid, '{}', '[]' FROM series WHERE id % 37 = 0
"""


def choose_baselines(store: Store) -> None:
    """Choose the first thirty days as the baseline of every chart."""
    for device in range(1, DEVICES + 1):
        for trend in trends.read(store, device_id=device):
            first = trend.points.iloc[:30]
            made = trends.base.estimate(first["value"])
            with store.writing() as connection:
                days = first["day"].iloc[0], first["day"].iloc[-1]
                decisions.baseline(connection, trend.chart.id, *days, made.plain(), list(first["series_uid"]), "bench", "first month")


# -- what people ask for ----------------------------------------------------------------------------------------


def refresh_a_day(store: Store, _: Path) -> str:
    with store.writing() as connection:
        connection.execute(sa.delete(t.trend_day).where(t.trend_day.c.day == LAST))
    return f"{rollups.refresh(store)} day"


def daily_report(store: Store, folder: Path) -> str:
    from reports import daily

    page = daily.write(store, LAST, folder)
    files = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    return f"{page.stat().st_size / 1e6:.1f} MB page, {files:.1f} MB files"


def device_page(store: Store, _: Path) -> str:
    from reports import alerts, long_frames, trend_section
    from reports.problems import Titles

    found = trends.read(store, device_id=3)
    section = trend_section.of(found, Titles.load(), 12)
    days = long_frames.device_days(store, 3, FIRST, LAST)
    metrics = long_frames.metric_totals(store, LAST - timedelta(days=90), LAST, 3)
    alerts.problems(store)
    return f"{section.total} charts, {sum(len(one.points) for one in found)} values, {len(days)} days, {len(metrics)} metrics"


def one_chart(store: Store, _: Path) -> str:
    from reports.chart_figure import control_chart

    (trend,) = trends.read(store, chart_id=7)
    return f"{len(control_chart(trend, 'chart', href=lambda row: row['study_uid'])) / 1e3:.0f} kB"


def month_report(store: Store, folder: Path) -> str:
    from reports import period

    return f"{period.write(store, period.month('2025-11'), folder).stat().st_size / 1e6:.1f} MB page"


def xlsx_of_a_day(store: Store, folder: Path) -> str:
    from reports import export, frames

    table = frames.measurements(store, LAST)
    export.write_xlsx({"measurements": table}, folder / "day.xlsx")
    return f"{len(table)} rows"


def look_at_a_day(store: Store, _: Path) -> str:
    from reports import alerts

    with store.writing() as connection:
        connection.execute(sa.delete(t.alert_day).where(t.alert_day.c.day == LAST))
    alerts.collect(store, LAST, minimum="warn")
    return f"{len(alerts.problems(store))} problems"


def judge_a_month(store: Store, _: Path) -> str:
    from reports import rejudge

    scope = rejudge.Scope(date(2025, 11, 1), date(2025, 11, 30), metric="phantom.m1")
    return f"{rejudge.judge_again(store, ['acr-mri-2022'], '', '', scope, keep=False).judged} values of one metric"


STEPS: dict[str, Callable[[Store, Path], str]] = {
    "roll-ups of a day": refresh_a_day,
    "daily report, HTML, CSV, XLSX": daily_report,
    "data of a device page, a year": device_page,
    "one chart, a year": one_chart,
    "report of a month, HTML, CSV, XLSX": month_report,
    "XLSX of the measurements of a day": xlsx_of_a_day,
    "problems of a day": look_at_a_day,
    "judge again, a metric, a month": judge_a_month,
}


def step(name: str, url: str) -> None:
    """Do one thing and print what it took."""
    with open_store(url, "UTC") as store, tempfile.TemporaryDirectory() as folder:
        begun, worked = time.perf_counter(), time.process_time()
        told = STEPS[name](store, Path(folder))
        seconds, cpu = time.perf_counter() - begun, time.process_time() - worked
    print(json.dumps({"seconds": seconds, "cpu": cpu, "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "told": told}))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--measurements", type=int, default=5_000_000)
    parser.add_argument("--url", help="an empty database on a server; else a SQLite file is made")
    parser.add_argument("--keep", type=Path, help="folder for the SQLite file, which is kept and used again")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        step(given.step, given.url)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        url = given.url or f"sqlite:///{(given.keep or Path(folder)).absolute()}/large.sqlite"
        rows = [made for made in (prepare(url, given.measurements),) if made]
        rows += [measured(name, url) for name in STEPS]
    print(
        f"\n| {url.partition(':')[0]}, {given.measurements:,} measurements | s | of them at work | peak MB | what |\n|---|---|---|---|---|"
    )
    for name, seconds, cpu, mb, told in rows:
        print(f"| {name} | {seconds:.2f} | {cpu:.2f} | {mb:.0f} | {told} |")
    missed = [name for name, seconds, _, mb, _ in rows[-len(STEPS) :] if seconds > MOST_SECONDS or mb > MOST_MB]
    print(f"not within {MOST_SECONDS:.0f} s and {MOST_MB:.0f} MB: {', '.join(missed)}" if missed else "all within the limits")
    return 1 if missed else 0


def prepare(url: str, measurements: int) -> tuple[str, float, float, float, str] | None:
    """Fill the store, unless it was kept; return how long the roll-ups of the year took."""
    with open_store(url, "UTC") as store:
        if store.days():
            return None
        begun = time.perf_counter()
        fill(store, measurements)
        print(f"filled in {time.perf_counter() - begun:.0f} s", file=sys.stderr)
        begun, worked = time.perf_counter(), time.process_time()
        trends.refresh(store)
        seconds, cpu = time.perf_counter() - begun, time.process_time() - worked
        choose_baselines(store)
        with store.reading() as connection:
            count = connection.execute(sa.select(sa.func.count()).select_from(t.measurement)).scalar_one()
    return (
        "roll-ups of the year, once",
        seconds,
        cpu,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        f"of {count:,} measurements",
    )


def measured(name: str, url: str) -> tuple[str, float, float, float, str]:
    """Do one thing in a process of its own."""
    done = subprocess.run([sys.executable, __file__, "--step", name, "--url", url], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    return name, found["seconds"], found["cpu"], found["mb"], found["told"]


if __name__ == "__main__":
    sys.exit(main())
