"""`pacsqc device`, and that the limits chosen for a device judge its studies in the daily pass."""

from __future__ import annotations

import csv
import getpass
import io
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows import daily
from flows.cli import app
from phantoms.synthetic.catalogue import make
from phantoms.synthetic.encode import write
from reports import frames


def call(*arguments: object):
    return CliRunner().invoke(app, ["device", *map(str, arguments)])


def listed(*arguments: object) -> dict[str, dict]:
    return {row["alias"]: row for row in json.loads(call("list", "--json", *arguments).stdout)}


@pytest.fixture
def known(chosen) -> dict[str, dict]:
    """The devices of the three studies."""
    daily.run_pass(chosen)
    devices = listed()
    assert len(devices) >= 2
    return devices


def test_nothing_yet():
    assert "No devices yet" in call("list").stdout
    assert json.loads(call("list", "--json").stdout) == []


def test_new_devices_are_listed_until_somebody_has_looked(known):
    text = call("list").stdout
    assert text.count("NEW") == len(known)
    first, *_ = known.values()
    done = call("review", first["id"])
    assert done.exit_code == 0, done.output
    assert call("list").stdout.count("NEW") == len(known) - 1
    rows = list(csv.DictReader(io.StringIO(call("list", "--csv").stdout)))
    assert [row["alias"] for row in rows] == list(known)


def test_rename_is_logged_with_login_and_reason(known, chosen):
    first, second, *_ = known.values()
    done = call("rename", first["alias"], "MR 1, cellar", "--reason", "new building")
    assert done.exit_code == 0, done.output
    assert "MR 1, cellar" in listed()
    with daily.open_for(chosen) as store:
        entry = store.audit(1)[0]
    assert (entry.what, entry.why) == ("device.rename", "new building")
    assert entry.who.split(" ")[0] == getpass.getuser()
    again = call("rename", second["id"], "mr 1, CELLAR")
    assert again.exit_code == 2
    assert "already" in again.stderr


def test_merge_and_back(known):
    first, second, *_ = known.values()
    assert call("merge", first["id"], "--into", second["id"], "--reason", "one scanner").exit_code == 0
    assert first["alias"] not in listed()
    assert listed("--all")[first["alias"]]["merged_into"] == second["id"]
    assert call("merge", first["id"], "--undo", "--reason", "two after all").exit_code == 0
    assert listed()[first["alias"]]["merged_into"] is None
    assert call("merge", first["id"], "--into", first["id"], "--reason", "x").exit_code == 2
    assert call("merge", first["id"], "--reason", "x").exit_code == 2


def test_wrong_names_are_told_in_words(known):
    first, *_ = known.values()
    done = call("review", "nowhere")
    assert done.exit_code == 2
    assert "there is no device 'nowhere'" in done.stderr
    assert "did you mean" in call("review", first["alias"][:-1] + "#").stderr
    assert "criteria set 'nowhere'" in call("criteria", first["id"], "nowhere").stderr
    assert "--site" in call("criteria", first["id"]).stderr


HARD = """name = "hard"\nversion = "1"\ntitle = "hard"
[[criterion]]\nmetric = "mr.uniformity"\naction_low = 99.99\nedition = "1"\nprovenance = "a test"\nconfidence = "site"\n"""


def test_a_device_is_judged_by_its_own_limits_and_the_others_by_those_of_the_site(chosen, tmp_path):
    for path in chosen.inbox_folder.iterdir():
        shutil.rmtree(path)
    inbox, (one, other) = chosen.inbox_folder, ("mr_one", "mr_other")
    made = {name: make("uniform_pair", seed, matrix=(128, 128), spacing_mm=(1.9, 1.9)).datasets for name, seed in ((one, 1), (other, 2))}
    for name, datasets in made.items():
        for dataset in datasets:
            dataset.StationName = dataset.DeviceSerialNumber = f"{name}77"
        write(datasets, inbox / name)
    daily.run_pass(chosen)
    assert worst(chosen) == {one: {"info"}, other: {"info"}}

    devices = listed()
    mine = next(row for row in devices.values() if row["serial_number"].startswith(one))
    (tmp_path / "hard.toml").write_text(HARD)
    assert call("criteria", mine["id"], tmp_path / "hard.toml").exit_code == 0
    for seed, (name, datasets) in enumerate(made.items(), start=11):  # two more studies, one from each
        for number, dataset in enumerate(datasets):
            dataset.StudyInstanceUID = f"2.25.{seed}"
            dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"2.25.{seed}.{number + 1}"
            dataset.SeriesInstanceUID = f"2.25.{seed}.9.{number + 1}"
        write(datasets, inbox / f"{name}-again")
    assert daily.run_pass(chosen).checked == 2
    assert worst(chosen) == {one: {"info", "fail"}, other: {"info"}}  # and what was judged before stays as it was


def worst(chosen) -> dict[str, set[str]]:
    """The statuses of the uniformity by station."""
    found: dict[str, set[str]] = {}
    with daily.open_for(chosen) as store:
        for day in store.days():
            stations = dict(frames.series(store, day)[["series_uid", "station"]].itertuples(index=False))
            table = frames.measurements(store, day)
            for row in table[table["metric"] == "mr.uniformity"].itertuples():
                found.setdefault(stations[row.series_uid][:-2], set()).add(row.status)
    return found


def test_limits_of_a_device_that_are_gone_refuse_the_run(known, tmp_path, chosen):
    first, *_ = known.values()
    Path("own.toml").write_text(HARD)
    assert call("criteria", first["id"], "own.toml").exit_code == 0
    Path("own.toml").unlink()
    for path in sorted((chosen.inbox_folder / "good").rglob("*"))[-1:]:
        path.unlink()
    write(make("mr_brain", 9, slices=3, contrasts=("T1",), matrix=96).datasets, chosen.inbox_folder / "more")
    done = CliRunner().invoke(app, ["run", "--no-prefect"])
    assert done.exit_code == 2
    assert f"limits of device {first['alias']}" in done.stderr
