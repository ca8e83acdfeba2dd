"""The database: schema and migrations, devices, local days, and that nothing in it names a patient."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from reports_made import BIRTH, NAME, PATIENT_ID, curve, finding, picture, report, run, study, subject, uid

from qc.errors import ConfigurationError
from qc.results import ImageEvidence, Shape
from reports import frames
from reports.store import Store, open_store, schema
from reports.store.clean import Cleaner, Places
from reports.store.connect import MIGRATIONS
from reports.store.local import moment, parse_time

DAY = date(2026, 11, 25)
VIENNA = ZoneInfo("Europe/Vienna")


# -- schema -----------------------------------------------------------------------------------------------------


def test_migrations_make_exactly_the_schema(store: Store) -> None:
    with store.reading() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), schema.metadata)
    assert differences == []
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == schema.HEAD


def test_open_again_keeps_everything(store: Store, url: str) -> None:
    run(store, report(study(uid(1)), (finding(subject(uid(1))),)))
    store.close()
    with open_store(url) as again:
        assert again.day(DAY) == [uid(1)]
        assert again.tally()["done"] == 1


@pytest.mark.usefixtures("sqlite_only")
def test_sqlite_is_set_up(store: Store) -> None:
    with store.reading() as connection:
        pragmas = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "foreign_keys", "busy_timeout")}
    assert pragmas == {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 30000}
    with pytest.raises(sa.exc.IntegrityError), store.writing() as connection:
        connection.execute(
            sa.insert(schema.series).values(
                {"study_id": 77, "series_uid": "1", "class": "image", "instances": 1, "frames": 1, "status": "pass"}
            )
        )


def test_a_database_of_a_newer_version_is_refused(store: Store, url: str) -> None:
    with store.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ConfigurationError, match="9999"):
        open_store(url)


def test_times_are_aware(store: Store) -> None:
    assert store.now().tzinfo is UTC
    assert abs((store.now() - datetime.now(UTC)).total_seconds()) < 60
    with pytest.raises(sa.exc.StatementError, match="without zone"), store.writing() as connection:
        connection.execute(sa.insert(schema.report_written).values(day=DAY, written_at=datetime(2026, 11, 25), name="x"))


def test_importing_the_store_stays_light() -> None:
    heavy = ["pandas", "alembic", "prefect", "jinja2", "openpyxl", "matplotlib"]
    code = f"import sys, reports.store; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


# -- devices ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "devices"),
    [
        ({}, 1),
        ({"StationName": "MR1-NEW"}, 1),  # the serial number counts
        ({"DeviceSerialNumber": None}, 1),  # then the station name
        ({"DeviceSerialNumber": "0000"}, 1),  # that is none
        ({"DeviceSerialNumber": "40713"}, 2),  # another machine under the old name
        ({"DeviceSerialNumber": None, "StationName": "MR2"}, 2),
        ({"Manufacturer": "Maker B"}, 2),  # two makers may give the same number
    ],
)
def test_devices_are_told_apart(store: Store, changes: dict, devices: int) -> None:
    run(store, report(study(uid(1))))
    other = study(uid(2))
    for instance in other.instances():
        instance.tags.update(changes)
        instance.tags = {key: value for key, value in instance.tags.items() if value is not None}
    run(store, report(other))
    found = store.devices()
    assert len(found) == devices
    assert not any(one.reviewed for one in found)
    assert found[0].alias == "MR1"


def test_a_device_learns_its_serial_number_and_names(store: Store) -> None:
    plain = study(uid(1))
    for instance in plain.instances():
        del instance.tags["DeviceSerialNumber"]
    run(store, report(plain))
    run(store, report(study(uid(2))))
    run(store, report(study(uid(3), StationName="MR1-NEW")))
    (device,) = store.devices()
    assert (device.serial_number, device.station_names) == ("40712", ("MR1", "MR1-NEW"))
    assert (device.valid_from, device.last_day) == (DAY, DAY)


# -- local days -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"StudyDate": "20261125", "StudyTime": "002000"}, (DAY, "StudyDate", "00:20:00", "2026-11-24T23:20:00")),
        ({"StudyDate": "20261125", "StudyTime": "2350"}, (DAY, "StudyDate", "23:50:00", "2026-11-25T22:50:00")),
        ({"StudyDate": "20260601", "StudyTime": "12"}, (date(2026, 6, 1), "StudyDate", "12:00:00", "2026-06-01T10:00:00")),
        (
            {"StudyDate": "20261125", "StudyTime": "120000", "TimezoneOffsetFromUTC": "-0500"},
            (DAY, "StudyDate", "12:00:00", "2026-11-25T17:00:00"),
        ),
        ({"AcquisitionDate": "2026.11.25", "AcquisitionTime": "10:11:12.5"}, (DAY, "AcquisitionDate", "10:11:12", "2026-11-25T09:11:12")),
        ({"StudyDate": "20310101", "SeriesDate": "20261125"}, (DAY, "SeriesDate", None, None)),  # in the future
        ({"StudyDate": "00010101", "StudyTime": "000000"}, (date(2026, 11, 26), "first seen", None, None)),
        ({}, (date(2026, 11, 26), "first seen", None, None)),  # 23:30 UTC is the next day in Vienna
    ],
)
def test_the_day_is_the_local_day(headers: dict, expected: tuple) -> None:
    got = moment(headers.get, datetime(2026, 11, 25, 23, 30, tzinfo=UTC), VIENNA)
    assert (got.day, got.day_from, got.local_time, got.at and got.at.isoformat()[:19]) == expected
    assert got.at is None or got.at.utcoffset().total_seconds() == 0


@pytest.mark.parametrize("text", ["", "99", "12:61", "noon", None, 7.5])
def test_no_time(text: object) -> None:
    assert parse_time(text) is None


# -- evidence ---------------------------------------------------------------------------------------------------


def test_evidence_comes_back_as_it_went_in(store: Store) -> None:
    shared, line = picture(40, 60, 1.5), curve()
    run(store, report(study(uid(1)), (finding(subject(uid(1)), evidence=(shared, line)), finding(subject(uid(1)), evidence=(shared,)))))
    ids = frames.findings(store, DAY)["evidence"].tolist()
    assert ids == [[1, 2], [1]], "a picture that two results share is kept once"
    back = store.evidence([1, 2])
    assert np.array_equal(back[1].image, shared.image)
    assert (back[1].shapes, back[1].aspect, back[1].window, back[1].caption) == (shared.shapes, 1.5, (0.0, 1200.0), shared.caption)
    assert {label: tuple(map(list, pair)) for label, pair in line.curves.items()} == {
        k: (list(x), list(y)) for k, (x, y) in back[2].curves.items()
    }
    assert back[2].marks == line.marks


def test_a_large_picture_is_kept_smaller_with_its_shapes(store: Store) -> None:
    image = np.zeros((2000, 2600), np.uint8)
    image[900:1100, 1200:1400] = 255
    large = ImageEvidence("large", image, (Shape("point", ((999.5, 1299.5),)),))
    run(store, report(study(uid(1)), (finding(subject(uid(1)), evidence=(large,)),)))
    back = store.evidence([1])[1]
    assert max(back.image.shape) <= 1024
    (row, col) = back.shapes[0].points[0]
    rows, cols = np.nonzero(back.image > 127)
    assert (row, col) == pytest.approx((rows.mean(), cols.mean()), abs=0.5)


# -- cleanliness ------------------------------------------------------------------------------------------------

HEADERS = ({"PatientName": NAME, "PatientID": PATIENT_ID, "PatientBirthDate": BIRTH, "StationName": "MR1", "StudyDate": "20261125"},)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (f"head of {NAME.lower()} today", "head of [removed] today"),
        ("scan_Quilla_01", "scan_[removed]_01"),
        (f"ID {PATIENT_ID}.", "ID [removed]."),
        ("born 1951-03-17", "born [removed]"),
        (f"1.2.840.{BIRTH}.5", f"1.2.840.{BIRTH}.5"),  # part of a UID
        ("0.19510317 mm", "0.19510317 mm"),
        ("Tranquilla", "Tranquilla"),
        ("at /srv/in/Doe_Jane/im1.dcm: cut off", "at im1.dcm: cut off"),
        ("C:\\images\\doe\\im1.dcm", "im1.dcm"),
        ("5 mm/s and/or 3/4", "5 mm/s and/or 3/4"),
        ("see https://example.org/a/b", "see https://example.org/a/b"),
        ("a\x00b\x1b[31mc", "ab[31mc"),
    ],
)
def test_texts_are_cleaned(text: str, clean: str) -> None:
    assert Cleaner(HEADERS).text(text) == clean


def test_the_name_of_a_phantom_or_scanner_is_no_secret() -> None:
    phantom = Cleaner(({"PatientName": "ACR PHANTOM", "PatientID": "MR1-QA", "StationName": "MR1-QA"},))
    assert phantom.text("ACR PHANTOM T1 on MR1-QA") == "ACR PHANTOM T1 on MR1-QA"
    newborn = Cleaner(({"PatientBirthDate": "20261125", "StudyDate": "20261125"},))
    assert newborn.text("StudyDate 20261125") == "StudyDate 20261125"


def test_values_are_plain() -> None:
    given = {
        "a": np.float32(1.5),
        "b": (np.int64(2), float("nan")),
        "c": {"y", "x"},
        "PatientName": "Who",
        "d": np.arange(2),
        "e": b"xx",
        "f": DAY,
    }
    assert Cleaner().plain(given) == {
        "a": 1.5, "b": [2, None], "c": ["x", "y"], "PatientName": "[removed]", "d": [0, 1], "e": "2 bytes", "f": "2026-11-25",
    }  # fmt: skip


def test_of_a_path_only_the_name_is_shown() -> None:
    places, elsewhere = Places(b"one database"), Places(b"another")
    paths = ("doe/b.dcm", "/srv/doe/b.dcm", "C:\\doe\\b.dcm", "\\\\host\\doe\\b.dcm", "b.dcm")
    assert [places.name(path) for path in paths] == ["b.dcm"] * 5
    assert [len(places.folder(path)) for path in paths] == [8, 8, 8, 8, 0]
    assert places.folder("doe/b.dcm") == places.folder("doe/c.dcm") != places.folder("roe/b.dcm")
    assert places.folder("doe/b.dcm") != elsewhere.folder("doe/b.dcm"), "else names could be tried"
    assert places.key("doe/b.dcm") != places.key("roe/b.dcm")


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("the same file as DOE JANE/scan 1/IM1", "the same file as IM1"),
        ("DOE JANE/scan 1/IM1, DOE JANE/scan 1/IM2", "IM1, IM2"),
        ("4711/1 and 4711/2", "1 and 2"),
        ("3/4 of 12/IM3", "3/4 of IM3"),
        ("see https://my-x.org/4711/a", "see https://my-x.org/4711/a"),
        ("in /srv/in box/DOE JANE/scan 1/IM1", "in in IM1"),
        ("first=4711/1;then:DOE JANE/scan 1/IM1", "first=1;then:IM1"),
        ("file '4711/1', (4711/2)", "file '1', (2)"),
        ("C:\\in\\4711\\1 is cut off", "1 is cut off"),
    ],
)
def test_folders_are_taken_off(text: str, clean: str) -> None:
    assert Cleaner((), ["DOE JANE/scan 1/IM1", "4711/1", "3/1", "12/IM3", "top"]).text(text) == clean


@pytest.mark.usefixtures("sqlite_only")
def test_no_column_is_meant_for_an_identifier(store: Store, url: str) -> None:
    names = {column.name for table in schema.metadata.tables.values() for column in table.columns}
    assert not names & {"patient_name", "patient_id", "birth_date", "accession", "accession_number", "name_of_patient"}
    run(store, report(study(uid(1))))
    with sqlite3.connect(url.removeprefix("sqlite:///")) as plain:
        (patient,) = plain.execute("SELECT patient FROM study").fetchone()
    assert len(patient) == 10
    assert int(patient, 16) >= 0


def test_threads_that_read_within_a_reading_do_not_wait_for_each_other(tmp_path: Path) -> None:
    together = 15  # as many connections as there are
    barrier = threading.Barrier(together)

    def read(store: Store) -> int:
        with store.reading() as outer:
            barrier.wait(20)
            with store.reading() as inner:
                assert inner is outer
                return int(inner.execute(sa.select(sa.func.count()).select_from(schema.study)).scalar_one())

    with open_store(f"sqlite:///{tmp_path / 'store.sqlite'}") as store, ThreadPoolExecutor(together) as pool:
        assert [one.result() for one in [pool.submit(read, store) for _ in range(together)]] == [0] * together
