"""Upkeep: silent devices, retention, sources that do not answer, disks; notices open and close."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows import daily, nightly, settings
from flows.cli import app
from flows.nightly import habit
from reports.store import Seen, Standing, notices, open_store
from reports.store import schema as t

MONDAY = date(2026, 11, 2)


def weekdays(weeks: int) -> list[date]:
    return [MONDAY + timedelta(days=7 * week + day) for week in range(weeks) for day in range(5)]


@pytest.mark.parametrize(
    ("days", "usual"),
    [
        (weekdays(4), 3),  # Monday to Friday: the weekend is the usual pause
        ([MONDAY + timedelta(days=day) for day in range(20)], 1),
        ([MONDAY + timedelta(days=7 * week) for week in range(8)], 7),
        ([MONDAY + timedelta(days=day) for day in (0, 1, 2, 3)], None),  # too few days for a habit
    ],
)
def test_the_habit_of_a_device_is_its_usual_longest_pause(days, usual):
    assert habit(days) == usual


def device(connection, key: int, alias: str) -> None:
    values = {"id": key, "identity": f"i{key}", "alias": alias, "station_names": [], "ae_titles": [], "reviewed": True}
    connection.execute(t.device.insert().values(**values, created_at=notices_now(connection)))


def notices_now(connection):
    from reports.store.connect import now

    return now(connection)


def study(connection, key: int, device_id: int, day: date, klass: str = "image", done_days_ago: int = 0) -> None:
    at = notices_now(connection)
    about = {
        "id": key,
        "study_uid": f"1.2.{key}",
        "revision": 1,
        "fingerprint": "f",
        "files": 1,
        "created_at": at,
        "status": "pass",
        "day": day,
    }
    connection.execute(t.study.insert().values(**about, done_at=at - timedelta(days=done_days_ago), description=""))
    row = {
        "study_id": key,
        "device_id": device_id,
        "series_uid": f"1.2.{key}.1",
        "class": klass,
        "instances": 1,
        "frames": 1,
        "status": "pass",
    }
    connection.execute(t.series.insert().values(**row, description=""))


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/results.sqlite") as one:
        yield one


def test_a_device_is_silent_after_longer_than_its_habit_and_not_before(store):
    with store.writing() as connection:
        device(connection, 1, "CT cellar")
        device(connection, 2, "MR1")
        for number, day in enumerate(weekdays(4)):
            study(connection, 10 + number, 1, day)
        study(connection, 90, 2, MONDAY)
    last = weekdays(4)[-1]  # a Friday
    chosen = settings.load()
    assert nightly.silent_devices(store, chosen, last + timedelta(days=3)) == {}  # Monday after the weekend
    assert nightly.silent_devices(store, chosen, last + timedelta(days=4)) == {}  # 4 is not more than 1.5 x 3
    found = nightly.silent_devices(store, chosen, last + timedelta(days=5))
    assert list(found) == ["device:1"]
    assert "CT cellar is silent: no study for 5 days" in found["device:1"][1]
    assert "pause of at most 3 days" in found["device:1"][1]


def test_a_notice_is_one_as_long_as_it_holds_and_new_when_it_comes_back(store):
    store.notices_now("disk_low", {"disk:data": ("fail", "10 MB left")})
    store.notices_now("disk_low", {"disk:data": ("fail", "9 MB left")})
    (one,) = store.notices()
    assert (one["message"], one["status"]) == ("9 MB left", "fail")
    assert one["first_at"] <= one["last_at"]
    store.notices_now("disk_low", {})
    assert store.notices() == []
    store.notices_now("disk_low", {"disk:data": ("fail", "8 MB left")})
    assert len(store.notices()) == 1


def test_since_when_a_source_does_not_answer(store):
    store.reached("pacs", 0.01)
    store.reached("pacs", None, "cannot be reached")
    store.reached("pacs", None, "still not")
    ((subject, (status, text)),) = nightly.unreached(store).items()
    assert (subject, status) == ("source:pacs", "warn")
    assert "2 times" in text
    assert "still not" in text
    store.reached("pacs", 0.02)
    assert nightly.unreached(store) == {}
    with store.reading() as connection:
        (history,) = notices.reach_history(connection, notices_now(connection) - timedelta(days=1))
    assert (history["source"], history["asked"], history["answered"]) == ("pacs", 4, 2)
    assert history["mean_s"] == pytest.approx(0.015)


def spooled(store, root: Path, key: int, klass: str, done_days_ago: int) -> Path:
    path = root / f"{key}.dcm"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    store.observe("pacs", [Seen(path.name, 1, None, f"1.2.{key}", "s", str(key), "d")])
    with store.writing() as connection:
        study(connection, key, 1, MONDAY, klass, done_days_ago)
        connection.execute(t.instance.update().where(t.instance.c.path == path.name).values(study_id=key))
        connection.execute(t.arrival.update().values(open=False))
    return path


def test_old_files_of_ours_go_and_phantoms_and_young_ones_stay(tmp_path, monkeypatch):
    Path("pacsqc.toml").write_text('[[sources]]\nname = "pacs"\nkind = "dimse"\n')
    chosen = settings.load()
    with daily.open_for(chosen) as store:
        with store.writing() as connection:
            device(connection, 1, "CT1")
        root = chosen.spool_folder / "pacs"
        old, young = spooled(store, root, 1, "image", 31), spooled(store, root, 2, "image", 29)
        phantom = spooled(store, root, 3, "phantom:acr_mri_large", 400)
        assert nightly.retention(store, chosen) == 1
        assert [path.exists() for path in (old, young, phantom)] == [False, True, True]
        assert nightly.retention(store, chosen) == 0
        with store.reading() as connection:
            gone = connection.execute(t.instance.select().where(t.instance.c.expired_at.is_not(None))).all()
        assert [row.path for row in gone] == ["1.dcm"]
        monkeypatch.setenv("PACSQC_UPKEEP_KEEP_DAYS", "0")
        assert nightly.retention(store, settings.load()) == 0


def test_a_full_disk_is_noticed(monkeypatch):
    monkeypatch.setenv("PACSQC_UPKEEP_LEAST_FREE_MB", "0")
    assert nightly.low_disks(settings.load()) == {}
    monkeypatch.setenv("PACSQC_UPKEEP_LEAST_FREE_MB", "100000000")
    found = nightly.low_disks(settings.load())
    assert set(found) == {"disk:data", "disk:received"}
    assert "100000000 MB are wanted" in found["disk:data"][1]


def test_upkeep_on_the_command_line_makes_the_backup_of_the_night_and_keeps_so_many(tmp_path, monkeypatch):
    monkeypatch.setenv("PACSQC_UPKEEP_BACKUP_FOLDER", str(tmp_path / "backups"))
    monkeypatch.setenv("PACSQC_UPKEEP_BACKUPS_KEPT", "2")
    for name in ("pacsqc-20200101T000000Z.zip", "pacsqc-20200102T000000Z.zip", "other.zip"):
        (tmp_path / "backups").mkdir(exist_ok=True)
        (tmp_path / "backups" / name).write_bytes(b"")
    (tmp_path / "pacsqc-data" / "inbox").mkdir(parents=True)
    done = CliRunner().invoke(app, ["upkeep", "--json"])
    assert done.exit_code == 0, done.output
    made = json.loads(done.stdout)["backup"]
    left = sorted(path.name for path in (tmp_path / "backups").iterdir())
    assert left == ["other.zip", "pacsqc-20200102T000000Z.zip", made]
    assert (tmp_path / "backups" / made).stat().st_mode & 0o077 == 0


# -- where studies stand ------------------------------------------------------------------------------------------


def test_a_study_that_was_checked_stays_so_until_its_count_changes(store):
    def look(**counted):
        store.look("pacs", [], [], [Standing("1.2.3", **counted)], "cursor")
        (row,) = store.standings()
        return row["state"], row["verdict"]

    assert look(state="incomplete", expected=3, here=2, missing=("9",)) == ("incomplete", "incomplete")
    with store.writing() as connection:
        from reports.store import intake

        intake.checked(connection, "1.2.3", notices_now(connection))
    assert look(state="incomplete", expected=3, here=2, missing=("9",)) == ("checked", "incomplete")
    assert look(state="complete", expected=3, here=3) == ("complete", "complete")
    assert store.cursor("pacs") == "cursor"


def test_one_run_at_a_time_looks_at_a_source(store):
    alive = lambda owner: False  # noqa: E731
    with store.looking("pacs", "a", 60, alive) as mine:
        assert mine
        with store.looking("pacs", "b", 60, alive) as also:
            assert not also
        with store.looking("pacs", "c", 60, lambda owner: owner == "a") as taken_over:
            assert taken_over  # of one that died nobody waits for the lease
    with store.looking("pacs", "d", 60, alive) as again:
        assert again
