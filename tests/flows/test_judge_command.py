"""`pacsqc judge` and the reports of weeks and months on the command line."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from flows import daily
from flows.cli import app
from phantoms.synthetic.catalogue import make
from phantoms.synthetic.encode import write


def call(*arguments: object):
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_judge_again_and_reports(chosen, tmp_path):
    """One pass for all of it: it takes its seconds."""
    write(make("acr_mri_large", 3).datasets, chosen.inbox_folder / "acr")
    daily.run_pass(chosen)
    limits = tmp_path / "strict.toml"
    limits.write_text(
        'name = "strict"\nversion = "1"\ntitle = "x"\n[[criterion]]\nmetric = "acr_mri.piu"\naction_low = 99.9\n'
        'edition = "2026"\nprovenance = "physicist"\nconfidence = "site"\n'
    )
    looked = call("judge", "again", limits, "acr-mri-2022", "--dry-run")
    assert looked.exit_code == 0, looked.output
    assert "Passed -> Failed: 1" in looked.stdout
    assert "Nothing was kept" in looked.stdout
    assert "Nothing was judged again yet" in call("judge", "list").stdout
    without = call("judge", "again", limits)
    assert (without.exit_code, "--reason" in without.stderr) == (2, True)
    kept = call("judge", "again", limits, "acr-mri-2022", "--reason", "a stricter edition")
    assert "judgement 1" in kept.stdout
    assert "a stricter edition" in call("judge", "list").stdout
    (row,) = json.loads(call("judge", "show", 1, "--json").stdout)
    assert (row["metric"], row["status_before"], row["status_now"]) == ("acr_mri.piu", "pass", "fail")
    assert "at least 99.9" in call("judge", "show", 1).stdout
    month = row["study_day"][:7]
    done = call("report", "--month", month, "--parquet")
    assert done.exit_code == 0, done.output
    assert done.stdout.strip().endswith(f"monthly-{month}.html")
    assert (chosen.reports_folder / f"monthly-{month}-metrics.parquet").exists()
    for arguments in (("report", "--month", "soon"), ("report", "--week", "2026-W01", "--month", "2026-01"), ("report", "--parquet")):
        wrong = call(*arguments)
        assert wrong.exit_code == 2, arguments
