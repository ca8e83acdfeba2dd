"""`pacsqc phantom --set`: what a person sets is recorded with the values, kept in the database, and used again where they said so."""

from __future__ import annotations

import getpass
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows import daily
from flows.cli import app
from phantoms.synthetic.catalogue import make
from phantoms.synthetic.encode import write

TEST = "acr_mri.piu"
SET = ("--set", f"{TEST}.slice_number=6", "--reason", "bubble in slice 7")


def call(*arguments: object):
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    top = tmp_path_factory.mktemp("acr")
    write(make("acr_mri_large", matrix=192, bubble_mm=8.0).datasets, top)
    return top


def uniformity(done) -> dict:
    assert done.exit_code in (0, 1), done.output
    return next(one for one in json.loads(done.stdout)["measurements"] if one["metric"] == TEST)


def test_value_tells_who_set_what_and_why(folder):
    usual, by_hand = uniformity(call("phantom", folder, "--json")), uniformity(call("phantom", folder, "--json", *SET))
    assert "by_hand" not in usual["details"]
    told = by_hand["details"]["by_hand"]
    assert (told["slice_number"], told["set_why"]) == (6, "bubble in slice 7")
    assert told["set_by"].split(" ")[0] == getpass.getuser()
    assert told["set_at"][:2] == "20"
    assert usual["value"] != by_hand["value"]  # two slices, two noise fields


def test_page_and_pdf_to_be_filed_tell_it_too(folder, tmp_path):
    done = call("phantom", folder, "--report", tmp_path, "--set", f"{TEST}.roll_deg=-0.7", *SET)
    assert done.exit_code in (0, 1), done.output
    page = next(tmp_path.glob("*.html")).read_text()
    said = page[page.index("Set by hand") :]
    said = said[: said.index("</td>")]
    assert "slice number 6, roll -0.7 degrees; by " in said
    assert said.endswith(": bubble in slice 7")
    if shutil.which("pdftotext"):
        printed = subprocess.run(
            ["pdftotext", "-layout", next(tmp_path.glob("*.pdf")), "-"], capture_output=True, check=True, text=True
        ).stdout
        assert "slice number 6, roll -0.7 degrees; by " in printed


def test_region_and_centre(folder):
    size = uniformity(call("phantom", folder, "--json", "--set", f"{TEST}.region_radius_mm=40", "--reason", "rim is shaded"))
    assert size["details"]["region_radius_mm"] == 40
    assert size["value"] > uniformity(call("phantom", folder, "--json"))["value"]  # less of the shading is inside
    outside = ["--set", f"{TEST}.center_row_px=5000", "--set", f"{TEST}.center_col_px=10"]
    lost = uniformity(call("phantom", folder, "--json", *outside, "--reason", "slip of the hand"))
    assert (lost["value"], lost["reason"]) == (None, "set_outside_image")
    assert "row 5000" in lost["details"]["message"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--set", f"{TEST}.slice_number=6"), "--reason"),
        (("--set", "nonsense", "--reason", "x"), "CHECK.PARAMETER=VALUE"),
        (("--set", f"{TEST}.slice=6", "--reason", "x"), "slice_number"),
        (("--set", "slices.slice_number=6", "--reason", "x"), TEST),
        (("--set", f"{TEST}.slice_number=14", "--reason", "x"), "1 to 11"),
        (("--set", f"{TEST}.slice_number=six", "--reason", "x"), "slice_number"),
        (("--set", f"{TEST}.center_row_px=6", "--reason", "x"), "together"),
        (("--reason", "x"), "--set"),
        ((*SET, "--again"), "--data"),
    ],
)
def test_what_is_wrong_is_told(folder, arguments, said):
    done = call("phantom", folder, *arguments)
    assert done.exit_code == 2, done.output
    assert said in done.stderr


def test_kept_with_its_audit_record_and_not_used_again_unless_said(folder, chosen):
    assert call("phantom", folder, *SET).exit_code in (0, 1)
    with daily.open_for(chosen) as store:
        (kept,) = store.by_hand()
        entry = store.audit(1)[0]
    assert (kept.check, kept.parameters, kept.why, kept.again) == (TEST, {"slice_number": 6}, "bubble in slice 7", False)
    assert (entry.what, entry.why, entry.after["slice_number"]) == ("by_hand.set", "bubble in slice 7", 6)
    assert measured(chosen, folder).get("by_hand") is None
    assert "slice_number=6" in call("device", "by-hand").stdout


def test_used_again_by_the_automatic_run_until_it_is_ended(folder, chosen):
    done = call("phantom", folder, *SET, "--again")
    assert "automatic runs" in done.stderr, done.output
    assert call("phantom", folder, "--set", f"{TEST}.slice_number=4", "--reason", "6 is worse", "--again").exit_code in (0, 1)
    details = measured(chosen, folder)
    assert (details["by_hand"]["slice_number"], details["by_hand"]["set_why"]) == (4, "6 is worse")  # the later one
    rows = json.loads(call("device", "by-hand", "--json").stdout)
    assert [row["in_use"] for row in rows] == [False, True]
    wrong = call("device", "by-hand", rows[0]["device"], "--forget", "acr_mri.psg", "--reason", "x")
    assert (wrong.exit_code, TEST in wrong.stderr) == (2, True)
    assert call("device", "by-hand", rows[0]["device"], "--forget", TEST, "--reason", "filled up").exit_code == 0
    with daily.open_for(chosen) as store:
        assert store.audit(1)[0].what == "by_hand.forget"
        assert [one.ended_at is None for one in store.by_hand()] == [False, False]


def measured(chosen, folder: Path) -> dict:
    """Details of the uniformity that the daily pass measured on the images."""
    import sqlalchemy as sa

    from reports.store import schema as t

    shutil.copytree(folder, chosen.inbox.folder, dirs_exist_ok=True)
    daily.run_pass(chosen)
    with daily.open_for(chosen) as store, store.reading() as connection:
        row = connection.execute(sa.select(t.measurement).where(t.measurement.c.metric == TEST)).first()
    assert row is not None
    return dict(row.details)
