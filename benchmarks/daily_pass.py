"""The daily pass under strain: killed at random moments, what Prefect costs, how fast the ledger is, ten days with known faults.

    python benchmarks/daily_pass.py [kill|ledger|prefect|days ...] [--kills 200] [--days 10] [--work 60]

Without names all four parts run (some 20 minutes); each prints its rows of the table for benchmarks/README.md. Exit code 1 where
a limit is not kept. The parts with times want the machine for themselves.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from flows import daily, demo, settings
from flows.settings import Settings
from phantoms.synthetic.catalogue import make
from phantoms.synthetic.encode import write
from phantoms.synthetic.faults import FAULTS, inject
from phantoms.synthetic.simulate import write_day
from reports.store import Seen, ledger, open_store
from reports.store import schema as t
from reports.store.connect import now

STUDIES = 30
LIMIT_SHARE, LIMIT_LEDGER = 0.05, 1000.0
KILLS_A_ROW = 3  # before a run is let to its end
Rows = list[tuple[str, str, bool]]  # what, value, kept


# -- killed at random moments ---------------------------------------------------------------------------------------


def write_inbox(folder: Path, studies: int = STUDIES) -> None:
    """Write small studies, every third with a fault, so that there is something to lose."""
    rng = np.random.default_rng(3)
    for number in range(studies):
        recipe, options = (("mr_brain", {"slices": 4, "contrasts": ("T1",), "matrix": 96}), ("ct_head", {"slices": 6, "matrix": 96}))[
            number % 2
        ]
        datasets = make(recipe, 100 + number, **options).datasets
        fault = ("lost_slice", "blank_slice", "wrong_patient")[number // 3 % 3]
        broken = number % 3 == 0 and FAULTS[fault].applies(datasets)
        write(inject(fault, datasets, rng) if broken else datasets, folder / f"study{number:02d}")


@contextmanager
def settings_for(data: Path, inbox: Path) -> Iterator[Settings]:
    """Give settings for a run, with the same site key every time: hashes are part of what is compared."""
    with settings.overridden(data_folder=data, inbox_folder=inbox, inbox_quiet_seconds=0, site_key="k" * 32) as chosen:
        yield chosen


def snapshot(chosen: Settings) -> dict[str, Any]:
    """Return everything the database holds as results, in an order of its own: equal for equal results, longer for what is there twice."""
    current = sa.and_(t.study.c.done_at.is_not(None), t.study.c.superseded_at.is_(None))
    names = {"findings": (t.finding, ("code", "status", "message", "series_uid", "instance_uid")),
             "measurements": (t.measurement, ("metric", "region", "value", "unit", "reason", "status", "series_uid")),
             "check runs": (t.checkrun, ("check", "status", "series_uid"))}  # fmt: skip
    with daily.open_for(chosen) as store, store.reading() as connection:
        rows = connection.execute(sa.select(t.study.c.study_uid, t.study.c.status, t.study.c.patient, t.study.c.files).where(current))
        found: dict[str, Any] = {"studies": sorted(map(tuple, rows))}
        found["revisions"] = connection.execute(sa.select(sa.func.count()).select_from(t.study)).scalar_one()
        found["completed"] = connection.execute(
            sa.select(sa.func.count()).select_from(t.attempt).where(t.attempt.c.outcome == "done")
        ).scalar_one()
        for name, (table, columns) in names.items():
            wanted = sa.select(t.study.c.study_uid, *(table.c[column] for column in columns)).join(t.study).where(current)
            found[name] = sorted((tuple(row) for row in connection.execute(wanted)), key=repr)
        found["reports"] = sorted(path.name for path in chosen.reports_folder.glob("daily-*.html"))
        found["states"] = {state: count for state, count in store.tally().items() if count}
    return found


def differences(found: dict[str, Any], wanted: dict[str, Any]) -> tuple[int, int]:
    """Return how many entries are lost, and how many are there too often."""
    lost = more = 0
    for name, value in wanted.items():
        if isinstance(value, list):
            have, want = Counter(map(repr, found[name])), Counter(map(repr, value))
        else:
            have, want = Counter({repr((name, found[name])): 1}), Counter({repr((name, value)): 1})
        lost += (want - have).total()
        more += (have - want).total()
    return lost, more


def kill_often(inbox: Path, folder: Path, kills: int, seed: int = 0, in_a_row: int = KILLS_A_ROW) -> dict[str, Any]:
    """Kill runs at random moments, some in a row, then let one run to its end and compare with a run that nobody disturbed."""
    rng = np.random.default_rng(seed)
    context = multiprocessing.get_context("forkserver")  # a server that has imported everything: a process begins with the work
    context.set_forkserver_preload(["flows.daily", "reports.daily", "openpyxl", "qc.checks", "phantoms.uniform", "scipy.ndimage"])

    def start(chosen: Settings) -> Any:
        process = context.Process(target=daily.run_pass, args=(chosen,), kwargs={"patient": False})
        process.start()
        return process

    def to_the_end(chosen: Settings) -> None:
        process = start(chosen)
        process.join()
        if process.exitcode:
            raise SystemExit(f"a run that nobody disturbed ended with {process.exitcode}")

    with settings_for(folder / "undisturbed", inbox) as chosen:
        begin = time.perf_counter()
        to_the_end(chosen)
        duration = time.perf_counter() - begin
        wanted = snapshot(chosen)
    killed = runs = lost = more = halfway = 0
    while killed < kills:
        runs += 1
        with settings_for(folder / f"run{runs}", inbox) as chosen:
            for _ in range(min(in_a_row, kills - killed)):
                process = start(chosen)
                process.join(rng.uniform(0, duration))
                if process.exitcode is not None:
                    duration *= 0.95  # it was through before its time had come: the machine has less to do than at first
                    break
                process.kill()
                process.join()
                killed += 1
            if (chosen.data.folder / "results.sqlite").exists():
                with daily.open_for(chosen) as store:
                    halfway += 0 < store.tally()["done"] < len(wanted["studies"])
            to_the_end(chosen)
            one_lost, one_more = differences(snapshot(chosen), wanted)
            lost, more = lost + one_lost, more + one_more
    return {"killed": killed, "runs": runs, "halfway": halfway, "lost": lost, "twice": more, "studies": len(wanted["studies"]),
            "findings": len(wanted["findings"]), "measurements": len(wanted["measurements"]), "seconds": duration}  # fmt: skip


def kill_part(options: argparse.Namespace, folder: Path) -> Rows:
    """Part: killed at random moments."""
    write_inbox(folder / "inbox")
    found = kill_often(folder / "inbox", folder, options.kills)
    size = f"{found['studies']} studies, {found['findings']} findings, {found['measurements']} measurements, {found['seconds']:.1f} s undisturbed"
    return [
        (f"SIGKILL at random moments of a run over {size}", f"{found['killed']}", found["killed"] >= options.kills),
        ("runs to the end afterwards; of these begun with part of the studies done", f"{found['runs']}; {found['halfway']}", True),
        ("results lost", f"{found['lost']}", not found["lost"]),
        ("results counted twice", f"{found['twice']}", not found["twice"]),
    ]


# -- the ledger -----------------------------------------------------------------------------------------------------


def ledger_part(options: argparse.Namespace, folder: Path, studies: int = 20_000, batch: int = 500) -> Rows:
    """Part: how many studies a second the ledger hands out and takes back, on SQLite, without results."""
    with open_store(f"sqlite:///{folder / 'ledger.sqlite'}") as store:
        files = [Seen(f"{number}.dcm", 1, 1, f"2.25.{number}", f"2.25.{number}.1", f"2.25.{number}.1.1") for number in range(studies)]
        times = {}
        with _timed(times, "observe"):
            store.observe("bench", files)
        with _timed(times, "settle"):
            store.settle(0.0)
        taken = []
        with _timed(times, "claim"):
            while got := store.claim("me", batch, 600.0):
                taken += got
        with _timed(times, "complete"):
            for at in range(0, len(taken), batch):
                with store.writing() as connection:
                    moment = now(connection)
                    ended = [ledger.finish(connection, work.id, "me", moment) for work in taken[at : at + batch]]
                assert all(ended)
        assert len(taken) == studies == store.tally()["done"]
    both = studies / (times["claim"] + times["complete"])
    rows: Rows = [(f"ledger, {what}, studies a second", f"{studies / times[what]:.0f}", True) for what in times]
    return [
        *rows,
        (
            f"ledger, claim and complete together, batches of {batch}, studies a second (limit {LIMIT_LEDGER:g})",
            f"{both:.0f}",
            both >= LIMIT_LEDGER,
        ),
    ]


@contextmanager
def _timed(times: dict[str, float], name: str) -> Iterator[None]:
    begin = time.perf_counter()
    yield
    times[name] = time.perf_counter() - begin


# -- days with known faults, and what Prefect costs -----------------------------------------------------------------


def days_part(options: argparse.Namespace, folder: Path) -> Rows:
    """Part: the daily pass on simulated days; each fault of the key found with its code and status, nothing else failed."""
    planted = found = wrong = studies = 0
    for seed in range(11, 11 + options.days):
        day = folder / f"day{seed}"
        key = write_day(day, seed)
        with settings_for(day / "results", day / "inbox") as chosen:
            daily.run_pass(chosen, patient=False)
            rows = demo.marks(chosen, key)
        studies += len(rows)
        planted += sum(bool(row.planted) for row in rows)
        found += sum(bool(row.planted) and row.verdict.startswith("found") for row in rows)
        for row in (row for row in rows if not row.good):
            wrong += 1
            print(
                f"seed {seed}, {row.folder} ({row.recipe}, planted {row.fault or 'nothing'}): {row.verdict}; found {row.found}",
                file=sys.stderr,
            )
    return [
        (f"faults found on {options.days} simulated days of {studies} studies", f"{found} of {planted}", found == planted),
        ("studies with a wrong answer (missed, or something else failed)", f"{wrong}", not wrong),
    ]


TIMED = """
import json, sys, time
import numpy as np
from flows import daily, run, settings
way, burn = sys.argv[1], int(sys.argv[2])
check, data = daily._check, np.random.default_rng(0).normal(size=(256, 256))
def slow(*arguments):  # a fixed amount of work more, whoever else wants the processor
    report = check(*arguments)
    for _ in range(burn):
        np.fft.fft2(data)
    return report
daily._check = slow
chosen = settings.load()
begin = time.perf_counter()
start = 0.0
if way == "prefect":
    run.prepare(chosen.data.folder)
    original = run._start_server
    def started():
        global start
        original()
        from flows import discover, process, publish  # imports are told apart
        start = time.perf_counter() - begin
    run._start_server = started
    run.daily.run_pass = None  # no falling back unseen
    done = run.run_pass(chosen, patient=False)
else:
    done = daily.run_pass(chosen, patient=False)
print(json.dumps({"all": time.perf_counter() - begin, "start": start, "checked": done.checked}))
"""


def prefect_part(options: argparse.Namespace, folder: Path) -> Rows:
    """Part: the same pass with and without Prefect, in turn; what is more is Prefect's share."""
    inbox, studies = folder / "inbox", 300
    write_inbox(inbox, studies)
    burn, step = 60, 100

    def run(way: str, number: int) -> dict[str, float]:
        with settings_for(folder / f"{way}{number}", inbox):
            command = [sys.executable, "-c", TIMED, way, str(burn)]
            done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": os.getcwd()})
        told = json.loads(done.stdout.splitlines()[-1])
        assert told["checked"] == studies, told
        return told

    run("plain", 0)  # what is compiled and cached the first time
    first = run("plain", 1)["all"]
    burn += step
    dearer = run("plain", 2)["all"]  # a step more work, to know what a step is in seconds
    burn += math.ceil(max(0.0, 1.1 * options.work - dearer) / max(dearer - first, 1.0) * step)
    pairs = [(run("plain", number)["all"], run("prefect", number)) for number in (3, 4, 5)]
    shares = [1 - plain / (told["all"] - told["start"]) for plain, told in pairs]
    work = statistics.median(plain for plain, _ in pairs)
    share, start = statistics.median(shares), statistics.median(told["start"] for _, told in pairs)
    return [
        (f"a pass over {studies} studies without Prefect (median of 3)", f"{work:.1f} s", work >= options.work),
        (f"Prefect's share of the same pass (limit {LIMIT_SHARE:.0%}; three: {', '.join(f'{one:.1%}' for one in shares)})",
         f"{share:.1%}", share < LIMIT_SHARE),
        ("start of the temporary server and imports, apart, once a run", f"{start:.1f} s", True),
    ]  # fmt: skip


PARTS = {"kill": kill_part, "ledger": ledger_part, "prefect": prefect_part, "days": days_part}


def main() -> int:
    """Run the parts and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="which parts; none: all")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--work", type=float, default=60.0, help="seconds of work of the run that Prefect's share is taken of")
    options = parser.parse_args()
    kept = True
    print(f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}, load before {os.getloadavg()[0]:.1f}\n")
    print("| what | value |\n|---|---|")
    for name in options.parts or PARTS:
        with tempfile.TemporaryDirectory() as folder:
            for what, value, good in PARTS[name](options, Path(folder)):
                print(f"| {what} | {value}{'' if good else ' **not kept**'} |", flush=True)
                kept = kept and good
    return int(not kept)


if __name__ == "__main__":
    raise SystemExit(main())
