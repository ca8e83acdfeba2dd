"""From the archive or the sender to the report, by the command line alone: late instances, incomplete studies, pushed ones, deleted ones."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from command_line import CODE, run_pacsqc
from fake_pacs import FakePacs
from orthanc_peer import orthanc
from pacs_peers import free_port, kept, run, series, tool, wait_for, write

from reports.store import open_store
from reports.store import schema as t

pytestmark = pytest.mark.pacs

DAY = datetime.now() - timedelta(days=1)
DATED = {"StudyDate": f"{DAY:%Y%m%d}"}


def source(folder, port: int, title: str = "ORTHANC", more: str = "") -> None:
    text = f'[[sources]]\nname = "pacs"\nkind = "dimse"\nhost = "127.0.0.1"\nport = {port}\ntitle = "{title}"\n{more}'
    (folder / "pacsqc.toml").write_text(text)


def passed(folder, **environment) -> dict:
    done = run_pacsqc(folder, "run", "--no-prefect", "--no-wait", "--json", **environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def standing(folder) -> dict:
    (one,) = json.loads(run_pacsqc(folder, "intake", "--json").stdout)
    return one


def incomplete(folder) -> list[tuple[str, list[str]]]:
    """Return the findings on series that are incomplete, of the current results: status, and what is missing by name."""
    with open_store(f"sqlite:///{folder}/pacsqc-data/results.sqlite") as store, store.reading() as connection:
        current = t.study.c.superseded_at.is_(None)
        rows = sa.select(t.finding.c.status, t.finding.c.details).join(t.study).where(t.finding.c.code == "series.incomplete", current)
        return [(row.status, row.details["missing"]) for row in connection.execute(rows)]


def page(folder) -> str:
    return (folder / "pacsqc-data" / "reports" / f"daily-{DAY:%Y-%m-%d}.html").read_text()


def test_an_instance_that_comes_a_day_late_is_a_new_revision_and_the_report_says_so(tmp_path):
    have = series("1.2.3.4", 5, **DATED)
    with orthanc(tmp_path / "orthanc") as archive:
        archive.push(have[:4])
        source(tmp_path, archive.port)
        assert passed(tmp_path)["checked"] == 1
        assert "was checked again" not in page(tmp_path)
        archive.push(have[4:])
        assert passed(tmp_path)["checked"] == 1
        one = standing(tmp_path)
        assert (one["state"], one["expected"], one["here"]) == ("reported", 5, 5)
        assert "revision 2, 5 files now, 4 when it was checked before" in page(tmp_path)
        asked = json.loads(run_pacsqc(tmp_path, "intake", "1.2.3.4", "--json").stdout)
        assert [one["completed"] for one in asked] == [4, 1]  # only what was missing was asked for
        assert passed(tmp_path)["checked"] == 0


def test_files_that_were_deleted_to_make_room_are_fetched_again_where_they_are_wanted(tmp_path):
    with orthanc(tmp_path / "orthanc") as archive:
        archive.push(series("1.2.3.4", 3, **DATED))
        source(tmp_path, archive.port)
        assert passed(tmp_path)["checked"] == 1
        with open_store(f"sqlite:///{tmp_path}/pacsqc-data/results.sqlite") as store, store.writing() as connection:
            connection.execute(t.study.update().values(done_at=datetime.now().astimezone() - timedelta(days=40)))
        kept_up = json.loads(run_pacsqc(tmp_path, "upkeep", "--json").stdout)
        assert kept_up["deleted"] == 3
        assert kept(tmp_path / "pacsqc-data" / "spool") == []
        assert passed(tmp_path)["checked"] == 0  # nobody asks for them
        asked = run_pacsqc(tmp_path, "reprocess", f"{DAY:%Y-%m-%d}", "--reason", "a new check")
        assert "1 study will be checked again" in asked.stdout, asked.stderr
        assert passed(tmp_path)["checked"] == 1
        assert len(kept(tmp_path / "pacsqc-data" / "spool")) == 3
        assert "gone" not in page(tmp_path)


def test_a_study_that_stays_incomplete_is_checked_as_it_is_and_fails_with_the_missing_named(tmp_path):
    have = series("1.2.3.4", 5, **DATED)
    lost = [have[1].SOPInstanceUID]
    with FakePacs(have, lose=lambda asked, uids: lost) as fake:
        source(tmp_path, fake.port, "FAKE", "patience_minutes = 0\nagain_seconds = 0\n")
        tally = passed(tmp_path)
        assert (tally["checked"], tally["incomplete"], tally["statuses"]) == (1, 1, {"fail": 1})
        one = standing(tmp_path)
        assert (one["state"], one["verdict"], one["missing"]) == ("reported", "incomplete", lost)
        told = page(tmp_path)
        assert "4 of 5 instances; missing " + str(lost[0]) in told
        assert incomplete(tmp_path) == [("fail", [str(lost[0])])]
        fake.lose = None
        assert passed(tmp_path)["checked"] == 1  # the next run completes it
        assert standing(tmp_path)["verdict"] == "complete"
        assert incomplete(tmp_path) == []


def test_p07_one_uid_in_two_series_fails_for_the_collision_with_both_named(tmp_path):
    first, second = series("1.2.3.4", 2, **DATED), series("1.2.3.4", 2, "b", value=7, **DATED)
    second[0].SOPInstanceUID = second[0].file_meta.MediaStorageSOPInstanceUID = first[0].SOPInstanceUID
    with FakePacs([*first, *second]) as fake:
        source(tmp_path, fake.port, "FAKE")
        assert passed(tmp_path)["checked"] == 1
    with open_store(f"sqlite:///{tmp_path}/pacsqc-data/results.sqlite") as store, store.reading() as connection:
        codes = connection.execute(sa.select(t.finding.c.status, t.finding.c.details).where(t.finding.c.code == "file.uid_collision")).all()
        assert connection.execute(sa.select(sa.func.sum(t.series.c.instances))).scalar_one() == 4
    assert {row.status for row in codes} == {"fail"}


@pytest.fixture
def receiver(tmp_path):
    """`pacsqc receive` in a process of its own, for one caller."""
    port = free_port()
    known = {**os.environ, "PACSQC_RECEIVER_PORT": str(port), "PACSQC_RECEIVER_CALLERS": "SCANNER", "PACSQC_RECEIVER_QUIET_SECONDS": "0"}
    process = subprocess.Popen([sys.executable, "-c", CODE, "receive"], cwd=tmp_path, env=known, stderr=subprocess.PIPE, text=True)
    echo = [tool("echoscu"), "-aet", "SCANNER", "127.0.0.1", str(port)]
    assert wait_for(lambda: run(*echo).returncode == 0, 60)
    yield port
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 0
    assert "stopped; came: 3 new" in said


def test_what_is_pushed_is_checked_once_and_who_may_not_is_told_of(receiver, tmp_path):
    write(tmp_path / "out", series("1.2.3.4", 3, **DATED))
    push = [tool("storescu"), "+sd", "127.0.0.1", str(receiver), str(tmp_path / "out")]
    assert run(*push, "-aet", "SCANNER").returncode == 0
    assert run(*push, "-aet", "STRANGER").returncode != 0
    tally = passed(tmp_path, PACSQC_RECEIVER_QUIET_SECONDS="0")
    assert (tally["files"], tally["checked"]) == (3, 1)
    one = standing(tmp_path)
    assert (one["source"], one["state"], one["verdict"]) == ("received", "reported", "")  # a sender tells no count
    assert "an association of &#39;STRANGER&#39; was refused" in page(tmp_path)
