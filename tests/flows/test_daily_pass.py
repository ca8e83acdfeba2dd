"""The daily pass without Prefect: nothing lost, nothing counted twice, one bad study stops nobody."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pydicom
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from flows import apart, daily, settings
from flows.cli import app
from flows.outcome import in_words
from flows.owner import is_dead, new_owner
from phantoms.synthetic.catalogue import make
from phantoms.synthetic.encode import write
from qc.errors import Transient
from qc.output import to_json
from qc.runner import Runner
from reports.store import schema as t

FINE = {"pass", "info", "not_evaluable"}  # which of them hangs on the limits there are


def call(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def counts(chosen) -> dict[str, int]:
    """How much the database holds."""
    current = sa.and_(t.study.c.done_at.is_not(None), t.study.c.superseded_at.is_(None))
    with daily.open_for(chosen) as store, store.reading() as connection:

        def count(table, *where):
            return connection.execute(sa.select(sa.func.count()).select_from(table).where(*where)).scalar_one()

        return {
            "studies": count(t.study, current),
            "revisions": count(t.study),
            "findings": count(t.finding),
            "measurements": count(t.measurement),
            "checkruns": count(t.checkrun),
            "done": count(t.attempt, t.attempt.c.outcome == "done"),
        }


def statuses(chosen) -> list[str]:
    with daily.open_for(chosen) as store, store.reading() as connection:
        current = sa.and_(t.study.c.done_at.is_not(None), t.study.c.superseded_at.is_(None))
        found = connection.execute(sa.select(t.study.c.status).where(current)).scalars()
        return sorted("fine" if status in FINE else status for status in found)


# -- the pass -------------------------------------------------------------------------------------------------------


def test_a_pass_checks_everything_and_writes_the_report(chosen):
    done = daily.run_pass(chosen)
    assert (done.files, done.studies, done.checked, done.arriving, done.given_back) == (13, 3, 3, 0, 0)
    assert (done.statuses["warn"], done.statuses["fail"], sum(done.statuses.values())) == (1, 1, 3)
    assert done.days
    for day in done.days:
        assert (chosen.reports_folder / f"daily-{day}.html").is_file()


def test_twice_counts_nothing_twice(chosen):
    daily.run_pass(chosen)
    before = counts(chosen)
    done = daily.run_pass(chosen)
    assert (done.files, done.studies, done.checked, done.days) == (0, 0, 0, [])
    assert counts(chosen) == before
    assert before["studies"] == before["done"] == 3


def test_a_lost_cursor_counts_nothing_twice(chosen):
    daily.run_pass(chosen)
    before = counts(chosen)
    with daily.open_for(chosen) as store:
        store.keep_cursor("inbox", "")
    done = daily.run_pass(chosen)
    assert (done.files, done.studies, done.checked) == (0, 0, 0)
    assert counts(chosen) == before


def test_a_late_image_opens_a_new_revision_and_the_study_counts_once(chosen, tmp_path):
    late = sorted((chosen.inbox_folder / "lost").rglob("*"))[-1]
    shutil.move(late, tmp_path / "late")
    daily.run_pass(chosen)
    shutil.move(tmp_path / "late", late)
    done = daily.run_pass(chosen)
    assert (done.files, done.studies, done.checked) == (1, 1, 1)
    assert len(done.days) == 1
    assert (counts(chosen)["studies"], counts(chosen)["revisions"]) == (3, 4)


def test_what_came_late_for_an_earlier_day_stands_in_the_next_report(chosen, tmp_path):
    for path in chosen.inbox_folder.iterdir():
        shutil.rmtree(path)

    def study(name: str, seed: int, day: str) -> str:
        datasets = make("mr_brain", seed, slices=3, contrasts=("T1",), matrix=96).datasets
        for dataset in datasets:
            dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = dataset.ContentDate = day
        write(datasets, chosen.inbox_folder / name)
        return str(datasets[0].StudyInstanceUID)

    study("first", 1, "20240108")
    assert daily.run_pass(chosen).days == ["2024-01-08"]
    late, new = study("late", 2, "20240108"), study("new", 3, "20240109")
    assert daily.run_pass(chosen).days == ["2024-01-08", "2024-01-09"]
    text = {name: (chosen.reports_folder / f"daily-2024-01-{name}.csv").read_text() for name in ("08-studies", "09-arrived_late")}
    assert late in text["08-studies"]
    assert late in text["09-arrived_late"]
    assert new not in text["09-arrived_late"]


def test_files_that_are_no_images_are_in_the_report(chosen):
    (chosen.inbox_folder / "note.txt").write_text("x")
    done = daily.run_pass(chosen)
    assert done.skipped == 1
    assert "note.txt" in (chosen.reports_folder / f"daily-{done.days[-1]}.html").read_text()


@pytest.mark.filterwarnings("ignore:Unknown encoding")  # from writing it
def test_headers_are_quoted_in_no_log(chosen, caplog):
    path = next(path for path in sorted((chosen.inbox_folder / "good").rglob("*")) if path.is_file())
    dataset = pydicom.dcmread(path)
    dataset.SpecificCharacterSet = ["ISO 2022 IR 6", "NONSENSE"]
    dataset.save_as(path)
    with caplog.at_level(0):
        assert daily.run_pass(chosen).checked == 3
    assert "NONSENSE" not in caplog.text


def test_files_that_vanish_are_said(chosen):
    source = daily.source_for(chosen)
    with daily.open_for(chosen) as store:
        daily.discover_once(source, store, 0)
        next(path for path in sorted((chosen.inbox_folder / "good").rglob("*")) if path.is_file()).unlink()
        done = daily.drain(store, source, chosen)
        assert done.checked == 3
        with store.reading() as connection:
            assert (
                connection.execute(sa.select(t.finding.c.message).where(t.finding.c.code == "file.gone")).scalar_one().startswith("1 of 3")
            )


# -- arriving -------------------------------------------------------------------------------------------------------


def test_what_is_arriving_waits(chosen):
    with settings.overridden(inbox_quiet_seconds=3600) as slow:
        done = daily.run_pass(slow, patient=False)
        assert (done.files, done.studies, done.arriving) == (0, 0, 13)
        done = daily.run_pass(slow, patient=False)  # whole files by now, but nobody knows whether that is all
        assert (done.files, done.studies, done.arriving) == (13, 0, 13)
    done = daily.run_pass(chosen, patient=False)
    assert (done.files, done.studies, done.checked, done.arriving) == (0, 3, 3, 0)


def test_patience_waits_until_it_is_quiet(chosen):
    for path in chosen.inbox_folder.rglob("*"):
        path.touch()
    with settings.overridden(inbox_quiet_seconds=1) as slow:
        done = daily.run_pass(slow, patient=True)
    assert (done.files, done.checked, done.arriving) == (13, 3, 0)


# -- trouble --------------------------------------------------------------------------------------------------------


def test_a_broken_study_stops_nobody_and_is_reported_without_its_secrets(chosen, monkeypatch):
    check = daily._check

    def breaking(store, runners, source, work, deadline_s):
        if any("lost" in path.as_posix() for path in work.paths):
            raise ValueError("patient MUSTERMANN^MAX is not a number")
        return check(store, runners, source, work, deadline_s)

    monkeypatch.setattr(daily, "_check", breaking)
    done = daily.run_pass(chosen)
    assert done.checked == 2
    assert statuses(chosen) == ["error", "fine", "warn"]
    with daily.open_for(chosen) as store:
        assert store.tally()["quarantined"] == 1
        with store.reading() as connection:
            everything = str(connection.execute(sa.select(t.finding)).all()) + str(connection.execute(sa.select(t.attempt)).all())
    assert "ValueError at test_daily_pass.py" in everything
    assert "MUSTERMANN" not in everything
    assert len(done.days) >= 1


def test_a_transient_error_is_tried_again_later(chosen, monkeypatch):
    check = daily._check

    def unlucky(store, runners, source, work, deadline_s):
        if any("lost" in path.as_posix() for path in work.paths):
            raise Transient("the archive does not answer")
        return check(store, runners, source, work, deadline_s)

    with monkeypatch.context() as patch:
        patch.setattr(daily, "_check", unlucky)
        done = daily.run_pass(chosen)
    assert (done.checked, done.given_back) == (2, 1)
    with daily.open_for(chosen) as store:
        assert store.claimable() == 0  # not at once: first it waits
        with store.writing() as connection:
            connection.execute(sa.update(t.work).values(lease_until=None))
    assert daily.run_pass(chosen).checked == 1
    assert counts(chosen)["studies"] == 3


def test_results_of_a_lost_lease_are_thrown_away(chosen, monkeypatch):
    check = daily._check
    stolen = []

    def stealing(store, runners, source, work, deadline_s):
        if not stolen:
            with daily.open_for(chosen) as store, store.writing() as connection:
                connection.execute(sa.update(t.work).where(t.work.c.id == work.id).values(owner="another"))
            stolen.append(work.id)
        return check(store, runners, source, work, deadline_s)

    monkeypatch.setattr(daily, "_check", stealing)
    done = daily.run_pass(chosen)
    assert (done.checked, done.lost) == (2, 1)
    assert counts(chosen)["studies"] == 2


def test_two_at_once_share_the_work(chosen):
    source = daily.source_for(chosen)
    tallies = []
    with daily.open_for(chosen) as store:
        daily.discover_once(source, store, 0)
        threads = [threading.Thread(target=lambda: tallies.append(daily.drain(store, source, chosen))) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sum(tally.checked for tally in tallies) == 3
    assert counts(chosen)["done"] == 3


KILLED = """
import time
from flows import daily, settings
check, calls = daily._check, []
def slow(*arguments):
    report = check(*arguments)
    calls.append(1)
    print(len(calls), flush=True)
    if len(calls) == 2:
        time.sleep(60)
    return report
daily._check = slow
daily.run_pass(settings.load())
"""


def test_kill_9_in_the_middle_and_run_again(chosen):
    with settings.overridden(run_workers=1) as one:
        process = subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True)
        assert process.stdout
        with process.stdout:
            while process.stdout.readline().strip() != "2":  # the first is kept, the second is checked but not kept
                assert process.poll() is None
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert counts(one)["done"] == 1
        done = daily.run_pass(one)  # at once: nobody waits for the lease of a dead process
        assert done.checked == 2
    assert statuses(chosen) == ["fail", "fine", "warn"]
    after = counts(chosen)
    assert (after["studies"], after["revisions"], after["done"]) == (3, 3, 3)
    assert len(done.days) >= 1


def test_whoever_is_killed_often_is_not_set_aside_for_it(chosen):
    source = daily.source_for(chosen)
    with daily.open_for(chosen) as store:
        daily.discover_once(source, store, 0)
        for _ in range(5):
            process = subprocess.Popen([sys.executable, "-c", "pass"])
            process.wait()
            machine, _, _ = new_owner().partition("|")
            assert len(store.claim(f"{machine}|{process.pid}|x", 1, 600)) == 1
            assert daily.free_the_dead(store) == 1
        assert daily.drain(store, source, chosen).checked == 3
    assert statuses(chosen) == ["fail", "fine", "warn"]


def test_a_study_that_crashes_its_own_process_is_set_aside_and_the_others_go_on(chosen, monkeypatch):
    monkeypatch.setattr(apart, "COMMAND", (sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"))
    source = daily.source_for(chosen)
    with daily.open_for(chosen) as store:
        daily.discover_once(source, store, 0)
        with store.writing() as connection:  # as if it had killed a worker already
            poison = connection.execute(sa.select(sa.func.min(t.work.c.id))).scalar_one()
            connection.execute(sa.update(t.work).where(t.work.c.id == poison).values(attempts=1))
        assert daily.drain(store, source, chosen).checked == 2
        assert store.tally()["quarantined"] == 1
        with store.reading() as connection:
            message = connection.execute(sa.select(t.finding.c.message).where(t.finding.c.code == "study.not_checked")).scalar_one()
    assert "ended with code -9" in message


def test_a_process_of_its_own_gives_the_same_report(chosen):
    paths = [chosen.inbox_folder / "lost"]
    options = daily.options_for(chosen)
    with Runner(options) as runner:
        here = to_json(runner.paths(paths))
    assert to_json(apart.check_apart(options, paths, 60)) == here
    with pytest.raises(apart.ApartError, match="longer than"):
        apart.check_apart(options, paths, 0.01)
    with pytest.raises(apart.ApartError, match=r"FileNotFoundError at dicom\.py"):
        apart.check_apart(options, [Path("nowhere")], 60)


def test_only_the_dead_of_this_machine_are_dead():
    assert not is_dead(new_owner())
    assert new_owner() != new_owner()
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    machine, _, rest = new_owner().partition("|")
    assert is_dead(f"{machine}|{process.pid}|{rest.rpartition('|')[2]}")
    assert not is_dead(f"elsewhere|{process.pid}|x")
    assert not is_dead("nonsense")
    assert not is_dead(f"{machine}|1|x" if os.getpid() != 1 else new_owner())


# -- the command line -----------------------------------------------------------------------------------------------


def test_run_says_what_was_done_and_where_the_report_is(chosen):
    done = call("run", "--no-prefect")
    assert done.exit_code == 0, done.output
    assert "Came in: 13 files, 3 studies to check." in done.stdout
    assert "Checked: 3 studies: 1 fail, 1 warn, 1 " in done.stdout
    path = Path(done.stdout.partition("Report: ")[2].splitlines()[0])
    assert path.is_file()
    again = call("run", "--no-prefect", "--json")
    assert json.loads(again.stdout)["checked"] == 0
    assert call("run", "--no-prefect").stdout == "Nothing new.\n"


def test_run_makes_the_inbox_and_says_that_it_is_empty(tmp_path):
    done = call("run", "--no-prefect")
    assert done.exit_code == 0
    assert "is empty" in done.stderr
    assert (tmp_path / "pacsqc-data" / "inbox").is_dir()


def test_an_inbox_that_is_named_must_be_there(tmp_path):
    done = call("run", "--no-prefect", "--inbox", "nowhere")
    assert done.exit_code == 2
    assert "nowhere" in done.stderr
    assert not (tmp_path / "nowhere").exists()
    (tmp_path / "file").touch()
    assert "is no folder" in call("run", "--no-prefect", "--inbox", "file").stderr


@pytest.mark.parametrize("command", [["run", "--no-prefect"], ["report"], ["demo", "--no-prefect"]])
def test_a_data_folder_that_cannot_be_written_is_told(tmp_path, command):
    (tmp_path / "file").touch()
    done = call(*command, "--data", "file/data")
    assert done.exit_code == 2
    assert "nothing can be written" in done.stderr
    assert "file/data" in done.stderr


def test_many_reports_are_summed_up(chosen):
    days = [f"2026-11-{day:02d}" for day in range(1, 10)]
    text = in_words(daily.Tally(days=days), chosen)
    assert "Reports: 9 days from 2026-11-01 to 2026-11-09" in text
    assert text.count("Report: ") == 1


def test_options_name_inbox_and_data(studies, tmp_path, monkeypatch):
    monkeypatch.setenv("PACSQC_INBOX_QUIET_SECONDS", "0")
    done = call("run", "--no-prefect", "--inbox", studies / "good", "--data", "elsewhere")
    assert done.exit_code == 0, done.output
    assert len(list((tmp_path / "elsewhere" / "reports").glob("daily-*.html"))) == 1
    assert not (tmp_path / "pacsqc-data").exists()
    assert [name for name in os.environ if name.startswith("PACSQC_")] == ["PACSQC_INBOX_QUIET_SECONDS"]


def test_wrong_criteria_refuse_to_start(chosen, monkeypatch):
    monkeypatch.setenv("PACSQC_CHECKS_CRITERIA", "nowhere")
    done = call("run", "--no-prefect")
    assert done.exit_code == 2
    assert "nowhere" in done.stderr


def test_report_writes_any_day_again(chosen):
    days = daily.run_pass(chosen).days
    for path in chosen.reports_folder.glob("*.html"):
        path.unlink()
    done = call("report", days[0])
    assert done.exit_code == 0, done.output
    assert Path(done.stdout.strip()).is_file()
    assert call("report").stdout.strip().endswith(f"daily-{days[-1]}.html")


@pytest.mark.parametrize(("day", "said"), [("yesterday", "YYYY-MM-DD"), ("1999-01-01", "no studies of 1999-01-01")])
def test_report_of_a_wrong_day(chosen, day, said):
    daily.run_pass(chosen)
    done = call("report", day)
    assert done.exit_code == 2
    assert said in done.stderr


def test_report_without_results():
    done = call("report")
    assert done.exit_code == 2
    assert "pacsqc run" in done.stderr
