"""Protocols by the command line: learned from files or from the database, shown, and held against series, also by `pacsqc run`."""

from __future__ import annotations

import csv
import io
import json
import tomllib
from datetime import date, datetime, time, timedelta

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from flows import daily, settings
from flows.cli import app
from phantoms.synthetic.catalogue import make
from phantoms.synthetic.encode import write
from qc.protocol_file import from_toml
from reports.store import schema as t

DAY = date.today() - timedelta(days=3)


def call(*arguments, code=0):
    done = CliRunner().invoke(app, ["protocol", *map(str, arguments)])
    assert done.exit_code == code, done.output
    return done


def study(number, days=0, **tags):
    """One series of a head by one protocol; tags differ from it."""
    return named(make_at(datetime.combine(DAY + timedelta(days=days), time(8, 15))), number, **tags)


def make_at(start):
    return make("mr_brain", 1, slices=3, contrasts=("T1",), matrix=64, start=start).datasets


def named(made, number, **tags):
    for at, one in enumerate(made):
        one.StudyInstanceUID, one.SeriesInstanceUID = f"2.25.{number}", f"2.25.{number}.1"
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = f"2.25.{number}.1.{at}"
        one.PatientName, one.PatientID = f"ZZYZX{number}^QUILLA", f"ZZ{number}X"
        for keyword, value in tags.items():
            setattr(one, keyword, value)
    return made


USUAL = {"RepetitionTime": "500", "EchoTime": "12", "FlipAngle": "70"}
# The most frequent value of each parameter (TR 500, TE 12, angle 70) was never run as a whole: three ways, two of them as often
WAYS = [
    {"RepetitionTime": "500", "EchoTime": "12", "FlipAngle": "90"},
    {"RepetitionTime": "500", "EchoTime": "12", "FlipAngle": "90"},
    {"RepetitionTime": "500", "EchoTime": "15", "FlipAngle": "70"},
    {"RepetitionTime": "600", "EchoTime": "12", "FlipAngle": "70"},
    {"RepetitionTime": "700", "EchoTime": "20", "FlipAngle": "70"},
]


@pytest.fixture
def archive(tmp_path):
    for number, way in enumerate(WAYS, 1):
        write(study(number, **way), tmp_path / "archive" / str(number))
    return tmp_path / "archive"


def test_the_reference_is_a_way_that_somebody_ran(archive):
    done = call("learn", archive)
    (protocol,) = from_toml(done.stdout, "stdout").protocols
    expected = {name: float(protocol.expected[name]) for name in USUAL}
    assert expected == {"RepetitionTime": 500.0, "EchoTime": 12.0, "FlipAngle": 90.0}
    assert (protocol.seen, protocol.of, protocol.images) == (2, 5, 3)
    assert "1 protocol learned from 5 series" in done.stderr
    assert "ZZYZX" not in done.stdout


def test_learn_writes_a_file_once_and_keeps_what_people_wrote(archive, tmp_path):
    file = tmp_path / "protocols.toml"
    call("learn", archive, "-o", file)
    assert "is there already" in call("learn", archive, "-o", file, code=2).output
    rule = '\n[tolerance.EchoTime]\nabsolute = 4.0\n\n[[vertical]]\nname = "all"\nseries = ["T1"]\nparameters = ["Rows"]\n'
    file.write_text(file.read_text() + rule)
    call("learn", archive, "-o", file, "--replace", "--protocols", file)
    known = from_toml(file.read_text(), "file")
    assert [one.name for one in known.vertical] == ["all"]
    assert known.tolerances["EchoTime"].absolute == 4.0


def test_too_seldom_is_said(archive):
    done = call("learn", archive, "--fewest", 6)
    assert "seen 5 times, 6 are needed" in done.stdout
    assert tomllib.loads(done.stdout) == {"schema": 1}


@pytest.fixture
def written(tmp_path):
    """A file with one protocol, as a person writes it."""
    (name,) = {" / ".join(dict.fromkeys((one.ProtocolName, one.SeriesDescription))) for one in study(1)}
    file = tmp_path / "protocols.toml"
    text = f'schema = 1\n[[protocol]]\nprotocol = "{name}"\nimages = 3\nexpected = {{ RepetitionTime = 500.0, EchoTime = 12.0, FlipAngle = 70.0 }}\n'
    file.write_text(text)
    return file


def test_check_shows_expected_found_and_tolerance(written, tmp_path):
    write(study(1, **USUAL), tmp_path / "a")
    write(study(2, **USUAL | {"RepetitionTime": "499.9995"}), tmp_path / "b")
    write(study(3, **USUAL | {"EchoTime": "15"}), tmp_path / "c")
    write(study(4, **USUAL)[:2], tmp_path / "d")
    folders = [tmp_path / name for name in "abcd"]
    text = call("check", *folders, "--protocols", written).stdout
    assert "4 series (or echoes of series) compared, 1 deviate." in text
    (line,) = [line.split() for line in text.splitlines() if line.strip().startswith("EchoTime")]
    assert line == ["EchoTime", "12", "15", "±", "0.12", "ms", "25.0"]  # 1 % of 12 ms is more than 0.1 ms
    assert "2 images where the protocol gives 3" in text
    rows = list(csv.DictReader(io.StringIO(call("check", *folders, "--protocols", written, "--csv").stdout)))
    assert [(row["series_uid"], row["parameter"], row["expected"], row["found"]) for row in rows] == [
        ("2.25.3.1", "EchoTime", "12", "15"), ("2.25.4.1", "images", "3", "2"),
    ]  # fmt: skip
    plain = json.loads(call("check", *folders, "--protocols", written, "--json").stdout)
    (audit,) = plain["audits"]
    assert (audit["series"], audit["deviating"], audit["parameters"]) == (4, 1, {"EchoTime": 1})
    (one,) = plain["deviating"]
    assert {line["parameter"]: line["outcome"] for line in one["table"]} == {
        "RepetitionTime": "ok",
        "EchoTime": "deviates",
        "FlipAngle": "ok",
    }
    call("check", *folders, "--protocols", written, "--strict", code=1)
    call("check", tmp_path / "a", tmp_path / "b", "--protocols", written, "--strict")


def test_across_the_series_of_a_study(written, tmp_path):
    name = study(1)[0].SeriesDescription
    written.write_text(written.read_text() + f'[[vertical]]\nname = "pair"\nseries = ["{name}", "field"]\nparameters = ["PixelSpacing"]\n')
    pair = study(1, **USUAL)
    other = study(2, **USUAL, SeriesDescription="field map", PixelSpacing=["2", "2"], StudyInstanceUID="2.25.1", SeriesNumber=9)
    write([*pair, *other], tmp_path / "a")
    text = call("check", tmp_path / "a", "--protocols", written).stdout
    assert "does not fit" in text
    assert "PixelSpacing" in text
    assert "Not compared, because no reference names them" in text


def test_show(written):
    text = call("show", "--protocols", written).stdout
    assert ["EchoTime", "12", "ms", "±", "1", "%", "or", "0.1", "ms"] in [line.split() for line in text.splitlines()]
    rows = json.loads(call("show", "--protocols", written, "--json").stdout)
    assert {row["parameter"]: (row["expected"], row["tolerance"]) for row in rows}["EchoTime"] == ("12", pytest.approx(0.12))
    assert "no protocol has 'nothing'" in call("show", "nothing", "--protocols", written, code=2).output


@pytest.mark.parametrize("command", ["show", "check"])
def test_no_protocols_is_said(command):
    assert "pacsqc protocol learn" in call(command, code=2).output


def test_a_wrong_file_is_said_by_run_too(tmp_path):
    file = tmp_path / "protocols.toml"
    file.write_text('schema = 1\n[[protocol]]\nprotocol = "a"\nexpected = { EchoTyme = 1.0 }\n')
    (tmp_path / "inbox").mkdir()
    write(study(1), tmp_path / "inbox" / "a")
    with settings.overridden(data_folder=tmp_path / "data", inbox_folder=tmp_path / "inbox", inbox_quiet_seconds=0, checks_protocols=file):
        done = CliRunner().invoke(app, ["run", "--no-prefect", "--no-wait"])
    assert (done.exit_code, "EchoTyme" in done.output) == (2, True)


# -- with the database ----------------------------------------------------------------------------------------------


def test_run_learn_and_run_again(tmp_path):
    """Four days of a scanner are seen; what is learned from them finds the fifth, and the scanner's new software."""
    inbox = tmp_path / "inbox"
    values = {"data_folder": tmp_path / "data", "inbox_folder": inbox, "inbox_quiet_seconds": 0}
    for number in range(1, 5):
        write(study(number, **USUAL, SoftwareVersions="A1"), inbox / str(number))
    file = tmp_path / "protocols.toml"
    with settings.overridden(**values) as chosen:
        daily.run_pass(chosen)
        assert "4 series" in call("learn", "-o", file).stderr
    write(study(5, 1, **USUAL, SoftwareVersions="B2"), inbox / "5")
    write(study(6, 1, **USUAL | {"RepetitionTime": "650"}, SoftwareVersions="B2"), inbox / "6")
    with settings.overridden(**values, checks_protocols=file) as chosen:
        done = CliRunner().invoke(app, ["run", "--no-prefect", "--no-wait"])
        assert "1 warn" in done.output
        with daily.open_for(chosen) as store, store.reading() as connection:
            wanted = sa.select(t.study.c.study_uid, t.finding).join(t.study).where(t.finding.c.code.startswith("protocol."))
            found = {(row.study_uid, row.code): row for row in connection.execute(wanted)}
        (changed,) = [key for key in found if key[1] == "protocol.software_changed"]
        assert set(found) == {("2.25.6", "protocol.deviates"), changed}  # and the software once, by whichever came first
        table = {line["parameter"]: line for line in found["2.25.6", "protocol.deviates"].details["table"]}["RepetitionTime"]
        assert (table["expected"], table["found"], table["tolerance"]) == (500.0, 650.0, 5.0)
        assert "A1 to B2" in found[changed].message
        assert found["2.25.6", "protocol.deviates"].advice
        report = (chosen.reports_folder / f"daily-{DAY + timedelta(days=1)}.html").read_text()
        assert "Scanned differently from the protocol" in report
        text = call("check").stdout
        assert "RepetitionTime (1)" in text
        assert "software changed from A1 to B2" in text
        text = call("check", "--learn", "--days", 1).stdout  # nothing so young
        assert "0 series (or echoes of series) compared" in text


def test_a_scanner_whose_clock_is_ahead(tmp_path):
    inbox = tmp_path / "inbox"
    write(named(make_at(datetime.now() + timedelta(hours=2)), 1), inbox / "1")
    write(study(2), inbox / "2")  # days late: says nothing of the clock
    with settings.overridden(data_folder=tmp_path / "data", inbox_folder=inbox, inbox_quiet_seconds=0) as chosen:
        daily.run_pass(chosen)
        with daily.open_for(chosen) as store, store.reading() as connection:
            wanted = sa.select(t.study.c.study_uid, t.finding.c.message).join(t.study).where(t.finding.c.code.startswith("protocol.clock"))
            ((study_uid, message),) = connection.execute(wanted).all()
    assert study_uid == "2.25.1"
    minutes = int(message.split(" minutes")[0].split()[-1])
    assert 119 <= minutes <= 135  # the series begins some minutes into the study
