"""`pacsqc simulate`: a day on disk, the key apart for training, marks for a trainee. What is in a day is tested with its maker."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from flows.cli import app
from phantoms.synthetic import simulate


def call(*arguments: object):
    return CliRunner().invoke(app, ["simulate", *map(str, arguments)])


@pytest.fixture
def small(monkeypatch):
    """A day of two studies, told but not written: the maker takes seconds."""

    def write_day(folder, seed=0, date=None, for_training=False):
        folder = folder.absolute()
        key = folder.with_name(f"{folder.name}-key") if for_training else folder
        paths = {"inbox": folder / "inbox", "manifest": folder / "manifest.json", "answers": key / "answers.json"}
        studies = [{"files": 3, "code": "slices.missing"}, {"files": 4, "code": None}]
        day = {"date": str(date or "2026-11-24"), "seed": seed, "studies": studies, "faults": studies[:1]}
        return day | {"paths": {name: str(path) for name, path in paths.items()}}

    monkeypatch.setattr(simulate, "write_day", write_day)


def test_a_day_says_what_it_holds_and_what_to_do_next(small, tmp_path):
    done = call("day", "day", "--seed", 7, "--date", "2026-11-25")
    assert done.exit_code == 0, done.output
    assert "2 studies (7 files, 1 faults), 2026-11-25" in done.stdout
    assert f"pacsqc run --inbox {tmp_path / 'day' / 'inbox'}" in done.stdout


def test_for_training_nothing_of_the_key_is_told(small, tmp_path):
    done = call("day", "course", "--for-training")
    assert "course-key" in done.stdout
    assert "simulate score" in done.stdout
    told = json.loads(call("day", "course", "--for-training", "--json").stdout)
    assert "slices.missing" not in json.dumps(told)
    assert told["answers"] == str(tmp_path / "course-key" / "answers.json")


def test_wrong_calls_are_told_in_words(small, tmp_path):
    assert call("day", "day", "--date", "25.11.2026").exit_code == 2
    assert "YYYY-MM-DD" in call("day", "day", "--date", "25.11.2026").stderr
    (tmp_path / "file").touch()
    assert "is a file" in call("day", "file").stderr


def test_a_day_that_is_there_is_left_alone(tmp_path):
    (tmp_path / "day" / "inbox").mkdir(parents=True)
    done = call("day", "day")
    assert done.exit_code == 2
    assert "already" in done.stderr


@pytest.fixture
def key(tmp_path):
    studies = [
        {"study": 1, "study_uid": "2.25.1", "folder": "study01", "modality": "CT", "station": "CT1", "started": "2026-11-24T08:00:00",
         "description": "Head", "fault": "lost_slice", "code": "slices.missing", "status": "fail", "sentence": "A slice is lost."},
        {"study": 2, "study_uid": "2.25.2", "folder": "study02", "modality": "MR", "station": "MR1", "started": "2026-11-24T09:00:00",
         "description": "Brain", "fault": None, "code": None, "status": None, "sentence": None},
    ]  # fmt: skip
    path = tmp_path / "answers.json"
    path.write_text(json.dumps({"date": "2026-11-24", "seed": 1, "studies": studies, "faults": studies[:1]}))
    return path


def test_a_list_is_marked(key, tmp_path):
    (tmp_path / "mine.csv").write_text("study,finding\n1,missing slice\n2,wrong patient\n")
    done = call("score", "mine.csv", "--key", key)
    assert done.exit_code == 0, done.output
    assert "1 of 1 faults found" in done.stdout
    marked = json.loads(call("score", "mine.csv", "--key", key, "--json").stdout)
    assert (marked["found"], marked["missed"], marked["false_alarms"]) == (1, 0, 1)


def test_a_list_that_is_not_there_and_a_key_that_is_none(key, tmp_path):
    assert call("score", "nothing.csv", "--key", key).exit_code == 2
    (tmp_path / "mine.csv").write_text("1,missing slice\n")
    (tmp_path / "no.json").write_text("{}")
    done = call("score", "mine.csv", "--key", "no.json")
    assert done.exit_code == 2
    assert "key" in done.stderr
