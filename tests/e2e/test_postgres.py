"""PostgreSQL behind everything: the tests of the store, several workers at once, Dask, a backup from one kind into the other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from command_line import CODE, run_pacsqc
from pacs_peers import series, write
from postgres_peer import database, postgres

from reports.store import open_store
from reports.store import schema as t

pytestmark = pytest.mark.pacs

ROOT = Path(__file__).parents[2]
STUDIES = 12
DAY = datetime.now() - timedelta(days=1)


@pytest.fixture(scope="module")
def server():
    with postgres() as address:
        yield address


@pytest.fixture
def url(server):
    with database(server) as address:
        yield address


@pytest.fixture(scope="module")
def inbox(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("inbox")
    for at in range(STUDIES):
        write(folder / str(at), series(f"1.2.3.{at}", 3, size=32, value=at, StudyDate=f"{DAY:%Y%m%d}"))
    return folder


def environment(inbox: Path, url: str, **more: str) -> dict[str, str]:
    return {"PACSQC_INBOX_FOLDER": str(inbox), "PACSQC_INBOX_QUIET_SECONDS": "0", "PACSQC_DATABASE_URL": url, **more}


def once(url: str) -> None:
    """Every study has one revision, with its results there once."""
    with open_store(url) as store, store.reading() as connection:
        assert sorted(connection.execute(sa.select(t.study.c.study_uid)).scalars()) == sorted(f"1.2.3.{at}" for at in range(STUDIES))
        assert connection.execute(sa.select(sa.func.count()).select_from(t.series)).scalar_one() == STUDIES
        done = sa.select(sa.func.count()).select_from(t.attempt).where(t.attempt.c.outcome == "done")
        assert connection.execute(done).scalar_one() == STUDIES


def test_the_tests_of_the_store_hold_there_too(server):
    """Ledger, migrations, devices and audit log: their own tests, with another database behind them."""
    some = [f"tests/reports/{name}.py" for name in ("test_ledger", "test_migrations", "test_people")]
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *some]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PACSQC_TEST_POSTGRES": server}, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout


def test_several_workers_on_one_database_do_each_study_once(inbox, url, tmp_path):
    known = {**os.environ, **environment(inbox, url, PACSQC_RUN_BATCH_SIZE="2")}
    places = [tmp_path / str(at) for at in range(2)]  # two machines, each with a data folder of its own
    workers = []
    for place in places:
        place.mkdir()
        command = [sys.executable, "-c", CODE, "run", "--no-prefect", "--no-wait", "--json"]
        workers.append(subprocess.Popen(command, cwd=place, env=known, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
    said = [one.communicate(timeout=240) for one in workers]
    assert [one.returncode for one in workers] == [0, 0], said
    assert sum(json.loads(out)["checked"] for out, _ in said) == STUDIES
    once(url)


@pytest.mark.parametrize("scale", ["dask", "processes"])
def test_batches_on_dask_or_in_processes_by_settings_alone(inbox, url, tmp_path, scale):
    if scale == "dask":
        pytest.importorskip("prefect_dask")
    more = environment(inbox, url, PACSQC_RUN_SCALE=scale, PACSQC_RUN_BATCH_SIZE="3", PACSQC_RUN_WORKERS="2")
    done = run_pacsqc(tmp_path, "run", "--no-wait", "--json", **more)
    assert done.returncode == 0, done.stderr
    assert "without Prefect" not in done.stderr
    assert json.loads(done.stdout)["checked"] == STUDIES
    once(url)


def test_a_backup_of_sqlite_goes_into_postgres_and_back(inbox, url, tmp_path):
    first = run_pacsqc(tmp_path, "run", "--no-prefect", "--no-wait", **environment(inbox, ""))
    assert first.returncode == 0, first.stderr
    made = run_pacsqc(tmp_path, "backup", "a.zip")
    assert made.returncode == 0, made.stderr
    assert f"{STUDIES} study" in made.stdout
    brought = run_pacsqc(tmp_path, "restore", "a.zip", "--data", "there", PACSQC_DATABASE_URL=url)
    assert brought.returncode == 0, brought.stderr
    once(url)
    again = run_pacsqc(tmp_path, "backup", "b.zip", "--data", "there", PACSQC_DATABASE_URL=url)
    assert again.returncode == 0, again.stderr
    back = run_pacsqc(tmp_path, "restore", "b.zip", "--data", "back")
    assert back.returncode == 0, back.stderr
    with (
        open_store(f"sqlite:///{tmp_path}/pacsqc-data/results.sqlite") as one,
        open_store(f"sqlite:///{tmp_path}/back/results.sqlite") as other,
    ):
        for name in ("study", "measurement", "finding", "evidence", "intake", "audit"):
            rows = sa.select(t.metadata.tables[name]).order_by(sa.text("id"))
            with one.reading() as here, other.reading() as there:
                assert here.execute(rows).all() == there.execute(rows).all(), name
    work_on = run_pacsqc(tmp_path, "run", "--no-prefect", "--no-wait", "--data", "there", "--json", **environment(inbox, url))
    assert work_on.returncode == 0, work_on.stderr
    assert json.loads(work_on.stdout)["checked"] == 0
