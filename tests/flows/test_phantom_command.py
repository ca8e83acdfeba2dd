"""`pacsqc phantom`: phantom tests only, `--as` overrules the recognition, and what is no phantom is no pass."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import jsonschema
import pytest
from typer.testing import CliRunner

from flows import explain
from flows.cli import app
from phantoms.synthetic.catalogue import make
from phantoms.synthetic.encode import write
from qc.check import load_checks
from qc.output import schema


def call(*arguments: object):
    return CliRunner().invoke(app, ["phantom", *map(str, arguments)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A uniform phantom and a head: one is to be measured, the other left out."""
    top = tmp_path_factory.mktemp("phantoms")
    write(make("uniform_pair", 1, matrix=(128, 128), spacing_mm=(1.9, 1.9)).datasets, top / "uniform")
    write(make("mr_brain", 2, slices=11, contrasts=("T1",), matrix=96).datasets, top / "brain")
    return top


def test_only_phantoms_are_measured_and_listed(folder):
    done = call(folder)
    assert done.exit_code == 0, done.output
    assert "class phantom:uniform" in done.stdout
    assert "mr.uniformity" in done.stdout
    assert "class image" not in done.stdout  # nobody looked at the head, so nothing is said of it
    assert "1 series without a recognised phantom" in done.stderr


def test_only_phantom_tests_ran_and_every_file_is_counted(folder):
    report = json.loads(call(folder, "--json").stdout)
    jsonschema.validate(report, schema())
    assert sum(one["instances"] for study in report["studies"] for one in study["series"]) == 13
    tests = {metric.id for spec in load_checks() if explain.is_phantom_test(spec) for metric in spec.metrics}
    assert {one["metric"] for one in report["measurements"]} <= tests
    rows = list(csv.DictReader(io.StringIO(call(folder, "--csv").stdout)))
    assert {row["name"] for row in rows} <= tests


def test_no_phantom_is_no_pass(folder):
    done = call(folder / "brain")
    assert done.exit_code == 2
    assert "no phantom was recognised" in done.stderr
    assert "acr_mri_large" in done.stderr
    assert call(folder / "brain", "--json").exit_code == 2


@pytest.mark.parametrize("name", ["acr_mri_large", "phantom:acr_mri_large", "ACR_MRI_Large"])
def test_a_name_overrules_the_recognition(folder, name):
    report = json.loads(call(folder / "brain", "--as", name, "--json").stdout)
    assert {one["class"] for study in report["studies"] for one in study["series"]} == {"phantom:acr_mri_large"}
    (piu,) = [one for one in report["measurements"] if one["metric"] == "acr_mri.piu"]
    assert piu["value"] is None  # it is a head: the name makes it no phantom
    assert piu["reason"]


def test_a_name_also_overrules_a_recognition_that_was_made(folder):
    report = json.loads(call(folder / "uniform", "--as", "acr_mri_medium", "--json").stdout)
    assert {one["class"] for study in report["studies"] for one in study["series"]} == {"phantom:acr_mri_medium"}


def test_a_wrong_name_lists_the_right_ones(folder):
    done = call(folder, "--as", "acr_mri_larg")
    assert done.exit_code == 2
    assert "did you mean acr_mri_large?" in done.stderr
    assert "uniform" in done.stderr


def test_wrong_calls_are_told_in_words(folder, tmp_path):
    assert "no file or folder" in call(tmp_path / "nothing").stderr
    assert "choose one" in call(folder, "--json", "--csv").stderr
    assert "criteria set 'nowhere'" in call(folder, "--criteria", "nowhere").stderr


def test_limits_decide_the_exit_code(folder, tmp_path):
    (tmp_path / "hard.toml").write_text(
        'name = "hard"\nversion = "1"\ntitle = "hard"\n[[criterion]]\nmetric = "mr.uniformity"\naction_low = 99.99\n'
        'edition = "1"\nprovenance = "a test"\nconfidence = "site"\n'
    )
    assert call(folder / "uniform", "--criteria", tmp_path / "hard.toml").exit_code == 1
