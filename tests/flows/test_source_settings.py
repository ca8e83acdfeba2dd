"""Sources in the settings file, what of a study is taken, how fast; all mistakes at once."""

from __future__ import annotations

import tomllib
from datetime import datetime, time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows import settings, source_settings
from flows.cli import app
from flows.listed import Series, Study
from flows.sources import chosen
from flows.sources.dicomweb import DicomwebSource
from flows.sources.dimse import DimseSource
from flows.sources.folder import FolderSource
from flows.sources.orthanc import OrthancSource
from flows.sources.several import Sources
from flows.sources.wanted import Rule, Share, Wanted, in_words, why_not
from flows.throttle import Throttle
from qc.errors import ConfigurationError
from reports.store import Work

FOUR = """
[[sources]]
name = "main"
kind = "dimse"
host = "pacs"
port = 11112
title = "PACS"
retrieve = "move"
modalities = ["CT", "MR"]
hours = "19:00-06:30"
certificate = "tls/own.pem"
[[sources.rules]]
stations = ["CT9*"]
take = "headers"
[[sources]]
name = "web"
kind = "dicomweb"
url = "https://archive/dicom-web"
token_variable = "ARCHIVE_TOKEN"
[[sources]]
name = "feed"
kind = "orthanc"
[[sources]]
name = "drop"
kind = "folder"
folder = "drop"
"""


def test_several_of_all_kinds_become_sources(tmp_path):
    Path("etc").mkdir()
    Path("etc/pacsqc.toml").write_text(FOUR)
    made = settings.load(Path("etc/pacsqc.toml"))
    main = made.sources[0]
    assert (main.destination, main.between) == ("", (time(19), time(6, 30)))
    assert main.certificate == Path("etc/tls/own.pem")  # relative paths count from the file
    some = {one.name: one for one in chosen.all_sources(made)}
    assert {name: type(one) for name, one in some.items()} == {
        "main": DimseSource, "web": DicomwebSource, "feed": OrthancSource, "drop": FolderSource,
    }  # fmt: skip
    assert some["main"].peer.destination == "PACSQC"
    assert some["main"].wanted.rules[0].take == "headers"
    assert some["drop"].root == Path("etc/drop")


def test_without_any_it_is_the_inbox_and_what_was_received():
    made = settings.load()
    assert [one.name for one in chosen.all_sources(made)] == ["inbox"]
    made.received_folder.mkdir(parents=True)
    assert [one.name for one in chosen.all_sources(made)] == ["received", "inbox"]


def test_all_mistakes_at_once_each_with_its_source(monkeypatch):
    Path("pacsqc.toml").write_text(
        '[run]\nworkers = 0\n[[sources]]\nname = "a"\nkind = "telnet"\n[[sources]]\nkind = "dimse"\n[[sources]]\nname = "b"\nkind = "dimse"\n'
        'prt = 104\nhours = "at night"\nport = 0\n[[sources]]\nname = "b"\nkind = "folder"\n[[sources]]\nname = "b"\nkind = "folder"\n'
        '[[sources]]\nname = "inbox"\nkind = "folder"\n[[sources]]\nname = "o"\nkind = "orthanc"\n[[sources.rules]]\ntake = "headers"\n'
        '[[sources]]\nname = "r"\nkind = "dimse"\n[[sources.rules]]\ntake = "some"\n'
    )
    with pytest.raises(ConfigurationError) as caught:
        settings.load()
    told = caught.value.problems
    for words in (
        ["'a'", "'telnet'", "folder, dimse, dicomweb, orthanc"],
        ["source 2", "no name"],
        ["'b'", "'prt'", "did you mean port?"],
        ["'b'", "hours", "'at night'", "HH:MM-HH:MM"],
        ["'b'", "port is 0", "from 1 to 65535"],
        ["'b'", "is taken"],
        ["'inbox'", "is taken"],
        ["'o'", "no headers alone"],
        ["'r': rule 1", "take is 'some'", "pixels, headers or nothing"],
        ["run.workers"],
    ):
        assert any(all(word in one for word in words) for one in told), (words, told)


def test_the_printed_settings_are_a_settings_file_again():
    Path("pacsqc.toml").write_text(FOUR)
    first = settings.load()
    printed = CliRunner().invoke(app, ["settings"]).stdout
    Path("pacsqc.toml").write_text(printed)
    assert settings.load().sources == first.sources
    explained = source_settings.explained()
    assert tomllib.loads(explained) == {}  # all of it is commented out
    for key in ("token_variable", "listen_port", "series_a_day", "give_up_days"):
        assert f"{key} = " in explained


# -- what is taken ------------------------------------------------------------------------------------------------


def study(description: str = "Head", modalities=("CT",), station: str = "CT1", date: str = "20261120") -> Study:
    return Study("1.2.3", date, "083000", tuple(modalities), description, 2, 100, station)


def one_series(uid: str, description: str = "axial", modality: str = "CT", station: str = "CT1") -> Series:
    return Series(uid, modality, "1", description, 50, station)


@pytest.mark.parametrize(
    ("wanted", "of", "why"),
    [
        (Wanted(), study(), None),
        (Wanted(modalities=frozenset({"MR"})), study(), "modality"),
        (Wanted(modalities=frozenset({"MR"})), study(modalities=()), None),  # a PACS that does not tell: taken
        (Wanted(modalities=frozenset({"MR"})), study(modalities=("SR", "MR")), None),
        (Wanted(stations=("ct2*",)), study(), "station"),
        (Wanted(stations=("ct*",)), study(), None),
        (Wanted(stations=("ct2*",)), study(station=""), None),
        (Wanted(descriptions=("*spine*",)), study(), "description"),
        (Wanted(not_descriptions=("*head*",)), study(), "description"),
        (Wanted(modalities=frozenset({"MR"})), study("ACR Phantom weekly"), None),  # phantoms always
        (Wanted(descriptions=("*spine*",)), study("daily QA"), None),
    ],
)
def test_why_a_study_is_not_taken(wanted, of, why):
    told = wanted.why_not(of)
    assert (told and told[0]) == why
    assert told is None or "settings" in told[1]


def test_an_instance_is_judged_by_its_own_header():
    header = {"Modality": "US", "StudyDescription": "Liver", "StationName": "US1"}
    assert why_not(Wanted(frozenset({"CT"})), header.get)[0] == "modality"
    assert why_not(Wanted(frozenset({"CT"})), {**header, "SeriesDescription": "phantom"}.get) is None


def test_rules_decide_series_by_series_and_phantoms_are_always_whole():
    rules = (Rule(stations=("CT9",), take="nothing"), Rule(descriptions=("*thin*",), take="headers"), Rule(series_a_day=2))
    some = [
        one_series("1"), one_series("2", station="CT9"), one_series("3", "thin slices"), one_series("4"), one_series("5"),
        one_series("6", "ACR phantom", station="CT9"),
    ]  # fmt: skip
    share, wanted = Share(), Wanted(rules=rules)
    taken = {uid: take for uid, (take, _) in share.choose(wanted, study(), some, "pacs").items()}
    assert taken == {"1": "pixels", "2": "nothing", "3": "headers", "4": "pixels", "5": "nothing", "6": "pixels"}
    again = share.choose(wanted, study(), some, "pacs")
    assert {uid: take for uid, (take, _) in again.items()} == taken  # what is in stays in
    words = in_words(again)
    assert "3 of 6 series taken whole" in words
    assert "1 with headers only" in words
    assert "2 series of its device were taken that day" in words
    other_day = share.choose(wanted, study(date="20261121"), [one_series("7")], "pacs")
    assert other_day["7"][0] == "pixels"
    share.forget("20261121")
    assert list(share.taken) == ["20261121 CT1 CT"]
    assert in_words({"1": ("pixels", "")}) == ""


@pytest.mark.parametrize(
    ("hours", "clock", "is_open"),
    [("19:00-06:30", "20:00", True), ("19:00-06:30", "06:29", True), ("19:00-06:30", "06:30", False), ("19:00-06:30", "12:00", False),
     ("08:00-09:00", "08:00", True), ("08:00-09:00", "09:00", False)],
)  # fmt: skip
def test_hours_across_midnight_and_within_a_day(hours, clock, is_open):
    start, end = (time.fromisoformat(one) for one in hours.split("-"))
    assert Wanted(hours=(start, end)).open_at(datetime.fromisoformat(f"2026-11-20 {clock}")) is is_open


def test_a_throttle_holds_the_rate():
    now, slept = [0.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    throttle = Throttle(1e6, clock=lambda: now[0], sleep=sleep)
    for _ in range(20):
        throttle(500_000)
    assert now[0] == pytest.approx(10.0)  # 10 MB at 1 MB/s
    now[0] += 100  # an idle time does not save up more than a second
    for _ in range(20):
        throttle(500_000)
    assert now[0] == pytest.approx(10 + 100 + 9)


def test_a_folder_that_is_called_headers_is_a_folder_like_any_other():
    Path("in").mkdir()
    work = Work(1, "1.2.3", 1, (Path("headers/a/1.dcm"), Path("b/2.dcm")), "f", 1, ("inbox", "inbox"))
    paths, bare = Sources([FolderSource(Path("in"), 0, Path("unpacked"))]).fetch(work)
    assert [path.as_posix() for path in paths] == ["in/headers/a/1.dcm", "in/b/2.dcm"]
    assert bare == set()
