"""From the first version of the database to the newest, with what was in it."""

from __future__ import annotations

from datetime import date

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from reports_made import report, seen, study, uid

from reports import frames
from reports.store import open_store, schema
from reports.store.connect import MIGRATIONS, engine_for, transaction, writer

DAY = date(2026, 11, 25)
AT = "2026-11-25 08:00:00"
FIRST = [
    "INSERT INTO source (id, name, kind, watermark, failures) VALUES (1, 'folder', '', 'so far', 0)",
    "INSERT INTO device (id, identity, alias, modality, serial_number, station_names, ae_titles, reviewed, created_at) "
    f"VALUES (1, 'i1', 'MR1', 'MR', '40712', '[\"MR1\"]', '[]', false, '{AT}'), (2, 'i2', 'CT2', 'CT', NULL, '[]', '[]', true, '{AT}')",
    "INSERT INTO study (id, study_uid, revision, fingerprint, files, created_at, done_at, status, patient, day, local_time, zone, description) "
    f"VALUES (1, '1.2.3', 1, 'f', 2, '{AT}', '{AT}', 'pass', 'abcdef0123', '2026-11-25', '08:00:00', 'UTC', 'Head')",
    "INSERT INTO series (id, study_id, device_id, series_uid, description, class, instances, frames, status) "
    "VALUES (1, 1, 1, '1.2.3.1', 't1', 'image', 2, 2, 'pass')",
    "INSERT INTO work (id, study_id, study_uid, fingerprint, parameters_hash, checks_hash, state, priority, attempts, created_at, changed_at) "
    f"VALUES (1, 1, '1.2.3', 'f', '', '', 'done', 0, 1, '{AT}', '{AT}')",
    "INSERT INTO skipped (id, source_id, study_id, path, reason, message, first_at, report_day) VALUES "
    f"(1, 1, NULL, 'ZZYZX QUILLA/IM1', 'truncated', 'ZZYZX QUILLA/IM1 is cut off', '{AT}', NULL), "
    f"(2, 1, NULL, 'notes.txt', 'not_dicom', 'no DICOM', '{AT}', '2026-11-25'), "
    f"(3, NULL, 1, 'ZZYZX QUILLA/IM2', 'duplicate_file', 'the same as ZZYZX QUILLA/IM3', '{AT}', '2026-11-25')",
    f"INSERT INTO report_written (id, day, written_at, name) VALUES (1, '2026-11-25', '{AT}', 'daily-2026-11-25.html')",
]


@pytest.fixture
def first(url: str) -> str:
    """A database of the first version with something in every table that the second changes."""
    engine = engine_for(url)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with transaction(writer(engine)) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for statement in FIRST:
            connection.exec_driver_sql(statement)
        if connection.dialect.name == "postgresql":  # ids were given by hand
            for table in ("source", "device", "study", "series", "work", "skipped", "report_written"):
                connection.exec_driver_sql(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), 100)")
    engine.dispose()
    return url


def test_nothing_is_lost_and_the_schema_is_the_newest(first: str) -> None:
    with open_store(first) as store:
        with store.reading() as connection:
            assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
        assert store.day(DAY) == ["1.2.3"]
        assert store.cursor("folder") == "so far"
        one, other = sorted(store.devices(), key=lambda device: device.id)
        assert (one.alias, one.serial_number, one.station_names, one.criteria, one.merged_into) == ("MR1", "40712", ("MR1",), (), None)
        assert (other.reviewed, one.last_day) == (True, DAY)
        assert frames.series(store, DAY)["device"].tolist() == ["MR1"]


def test_folders_become_hashes_and_are_found_again(first: str) -> None:
    with open_store(first) as store:
        frame = frames.skipped(store, DAY).sort_values("path").reset_index()
        assert frame["path"].tolist() == ["IM1", "IM2", "notes.txt"]
        assert frame["message"].tolist() == ["IM1 is cut off", "the same as IM3", "no DICOM"]
        assert [len(folder) for folder in frame["folder"]] == [8, 8, 0]
        assert frame["folder"][0] == frame["folder"][1]
        store.skip("folder", "notes.txt", "not_dicom", "no DICOM")
        assert len(frames.skipped(store, DAY)) == 3, "the same file as before"
        store.skip("folder", "other/notes.txt", "not_dicom", "no DICOM")
        assert len(frames.skipped(store, DAY)) == 4, "another of that name"
        store.observe("folder", seen(uid(1), 1))  # and one that can be read after all
        (one,) = seen(uid(2), 1)
        store.observe("folder", [type(one)("ZZYZX QUILLA/IM1", 1, 1, uid(2), "s", "i")])
        assert "truncated" not in frames.skipped(store, DAY)["reason"].tolist()


def test_it_works_on(first: str) -> None:
    with open_store(first) as store:
        store.observe("folder", seen(uid(1), 3))
        assert store.settle(0) == 1
        (work,) = store.claim("a", 1, 60)
        assert store.complete(work.id, "a", report(study(uid(1))), b"k")
        assert frames.series(store, DAY)["device"].tolist() == ["MR1", "MR1"], "the device of old is known"
        store.rename_device(1, "MR cellar", "anna", "as people say")
        assert [entry.what for entry in store.audit()] == ["device.rename"]


def test_each_database_has_its_own_salt(first: str, tmp_path) -> None:
    with open_store(first) as store, open_store(f"sqlite:///{tmp_path}/other.sqlite") as other:
        assert store.places.folder("a/b") != other.places.folder("a/b")
    with open_store(first) as again, open_store(first) as store:
        assert again.places.folder("a/b") == store.places.folder("a/b")


def test_the_audit_table_refuses_changes(first: str) -> None:
    with open_store(first) as store:
        store.log("anna", "test", why="to see")
        for statement in ("UPDATE audit SET who = 'berta'", "DELETE FROM audit"):
            with pytest.raises(sa.exc.DBAPIError, match="append-only"), store.writing() as connection:
                connection.exec_driver_sql(statement)
        assert [entry.who for entry in store.audit()] == ["anna"]
