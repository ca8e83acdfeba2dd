"""`pacsqc check` and `pacsqc checks`: what is printed where, exit codes, what is loaded."""

from __future__ import annotations

import csv
import io
import json
import re

import jsonschema
import pytest
from typer.testing import CliRunner

from flows.cli import app
from qc.output import schema
from qc.results import Finding, Status
from qc.runner import Runner


@pytest.fixture
def call():
    def run(*arguments):
        return CliRunner().invoke(app, list(map(str, arguments)))

    return run


# -- exit codes -----------------------------------------------------------------------------------------------------


def test_nothing_failed_is_0(call, studies):
    done = call("check", studies / "good")
    assert done.exit_code == 0, done.output
    assert "Exit code 0: nothing failed." in done.stdout


def test_a_failure_is_1(call, studies):
    done = call("check", studies / "lost")
    assert done.exit_code == 1
    assert "slices.missing" in done.stdout
    assert "Exit code 1: something failed." in done.stdout


def test_a_warning_is_0_and_with_strict_1(call, studies):
    assert call("check", studies / "blank").exit_code == 0
    assert call("check", studies / "blank", "--strict").exit_code == 1


def test_an_error_of_ours_is_1(call, studies, monkeypatch):
    def broken(self, series, report, progress=None):
        report.findings.append(Finding("check.error", Status.ERROR, "broke", series.subject(), {"traceback": "line one\nline two"}))

    monkeypatch.setattr(Runner, "series", broken)
    assert call("check", studies / "good").exit_code == 1
    assert "line two" in call("check", studies / "good", "--verbose").stdout


def test_paths_that_do_not_exist_are_all_named(call, studies):
    done = call("check", studies / "good" / "nothing", "no/where")
    assert done.exit_code == 2
    assert "nothing" in done.stderr
    assert "no/where" in done.stderr
    assert "check the spelling" in done.stderr
    assert done.stdout == ""


def test_an_empty_folder_is_2(call, tmp_path):
    (tmp_path / "empty").mkdir()
    done = call("check", tmp_path / "empty")
    assert done.exit_code == 2
    assert "no file" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "slicse"], "did you mean slices"),
        (["--criteria", "acr"], "acr-mri-2022"),
        (["--criteria", "missing.toml"], "missing.toml"),
        (["--json", "--csv"], "exclude each other"),
        (["--expect", "none"], "--expect"),
        (["--unknown"], "--unknown"),
    ],
)
def test_wrong_calls_are_2_and_say_what_is_allowed(call, studies, arguments, said):
    done = call("check", studies / "good", *arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert "Traceback" not in done.output


def test_expect_more_than_there_is_fails(call, studies):
    assert call("check", studies / "good", "--expect", 3).exit_code == 0
    done = call("check", studies / "good", "--expect", 4)
    assert done.exit_code == 1, done.output


# -- forms of output ------------------------------------------------------------------------------------------------


def test_json_is_valid_and_alone_on_stdout(call, studies):
    done = call("check", studies, "--json")
    document = json.loads(done.stdout)
    jsonschema.Draft202012Validator(schema()).validate(document)
    assert done.stderr == ""
    assert {one["code"] for one in document["findings"]} >= {"slices.missing", "pixels.blank"}


def test_schema_is_printed(call):
    assert json.loads(call("check", "--schema").stdout) == schema()


def test_csv_parses(call, studies):
    rows = list(csv.DictReader(io.StringIO(call("check", studies, "--csv").stdout)))
    assert {row["kind"] for row in rows} == {"finding", "measurement"}
    assert all(row["study_uid"] for row in rows)


def test_only_runs_only_that(call, studies):
    document = json.loads(call("check", studies / "lost", "--only", "slices", "--json").stdout)
    assert {one["check"] for one in document["checks"]} == {"slices"}


def test_no_pixels_looks_at_headers_only(call, studies):
    document = json.loads(call("check", studies / "blank", "--no-pixels", "--json").stdout)
    assert not any(one["code"].startswith("pixels.") for one in document["findings"])


def test_criteria_of_a_file_judge(call, studies, tmp_path):
    (tmp_path / "my.toml").write_text(
        'name = "my"\nversion = "1"\ntitle = "ours"\n[[criterion]]\nmetric = "geometry.spacing"\naction_high = 0.5\n'
        'edition = "1"\nprovenance = "us"\nconfidence = "site"\n'
    )
    done = call("check", studies / "good", "--criteria", "my.toml", "--criteria", "acr-mri-2022")
    assert done.exit_code == 1
    assert re.search(r"fail\s+geometry\.spacing\s+.* mm\s+limit at most 0\.5", done.stdout)
    assert "limit.exceeded" in done.stdout


def test_verbose_lists_what_passed(call, studies):
    assert re.search(r"pass\s+.*header", call("check", studies / "good", "-v").stdout)
    assert not re.search(r"pass\s+.*header", call("check", studies / "good").stdout)


def test_skipped_files_are_grouped_with_their_reasons(call, studies, tmp_path):
    folder = tmp_path / "mixed"
    folder.mkdir()
    for number in range(5):
        (folder / f"note{number}.txt").write_text("text")
    done = call("check", studies / "good", folder)
    assert "Skipped 5 files" in done.stdout
    assert re.search(r"not dicom, 5: note0.txt, note1.txt, note2.txt and 2 more", done.stdout)


def test_settings_file_is_used_and_its_mistakes_are_told(call, studies, tmp_path):
    (tmp_path / "pacsqc.toml").write_text('[checks]\ncriteria = ["nowhere"]\n')
    done = call("check", studies / "good")
    assert done.exit_code == 2
    assert "nowhere" in done.stderr
    assert call("check", studies / "good", "--criteria", "acr-mri-2022").exit_code == 0


# -- in a process of its own ----------------------------------------------------------------------------------------


def test_check_loads_no_heavy_package(pacsqc, studies):
    code = (
        "import sys\nfrom flows.cli import app\n"
        "try: app()\nfinally: print([n for n in ('prefect','pandas','sqlalchemy','matplotlib','pydantic_settings','rich','skimage') if n in sys.modules],"
        " file=sys.stderr)"
    )
    done = pacsqc("check", studies / "good", "--json", code=code)
    assert done.returncode == 0
    assert done.stderr.strip() == "[]"
    json.loads(done.stdout)


def test_no_traceback_and_nothing_on_stderr(pacsqc, studies):
    done = pacsqc("check", studies)
    assert (done.returncode, done.stderr) == (1, "")
    assert "\x1b" not in done.stdout  # colours belong to terminals
    missing = pacsqc("check", "nowhere")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert "nowhere" in missing.stderr
    assert "Traceback" not in missing.stderr


# -- checks ---------------------------------------------------------------------------------------------------------


def test_checks_are_listed(call):
    done = call("checks")
    assert done.exit_code == 0
    assert re.search(r"^slices\s+series\s+", done.stdout, re.MULTILINE)


def test_every_check_is_explained_in_full(call):
    for spec in json.loads(call("checks", "--json").stdout):
        text = " ".join(call("checks", spec["id"]).stdout.split())
        for word in [spec["title"], spec["source"], *(metric["id"] for metric in spec["metrics"]), *spec["codes"]]:
            assert " ".join(word.split()) in text
        for parameter in spec["parameters"]:
            assert f"{parameter['name']} = " in text
            assert parameter["meaning"], f"parameter {parameter['name']} of {spec['id']} is not described"


def test_unknown_check_is_2(call):
    done = call("checks", "slice")
    assert done.exit_code == 2
    assert "slices" in done.stderr


@pytest.mark.parametrize("command", ["", "check", "checks", "run", "report", "settings", "demo"])
def test_help_teaches(call, command):
    done = call(*[command] * bool(command), "--help")
    assert done.exit_code == 0
    assert f"pacsqc {command or 'check'}" in done.stdout
