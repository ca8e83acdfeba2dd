"""Settings: defaults, file, environment, and mistakes that are told all at once."""

from __future__ import annotations

import json
import stat
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows import daily, settings
from flows.cli import app
from phantoms.synthetic.catalogue import make
from phantoms.synthetic.encode import write
from qc.errors import ConfigurationError
from qc.runner import Options


def problems(text: str | None = None) -> list[str]:
    if text is not None:
        Path("pacsqc.toml").write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        settings.load()
    return caught.value.problems


def test_everything_has_a_default():
    values = settings.load()
    assert not settings.given()
    assert values.inbox_folder == Path("pacsqc-data/inbox")
    assert values.reports_folder == Path("pacsqc-data/reports")
    assert values.database_url.startswith("sqlite:////")
    assert values.database_url.endswith("/pacsqc-data/results.sqlite")


def test_defaults_of_the_checks_are_those_of_the_runner():
    values = settings.load()
    assert values.checks.criteria == Options().criteria
    assert values.checks.max_volume_mb == Options().max_volume_mb


def test_every_key_has_unit_or_text_a_sentence_and_what_is_allowed():
    for row in settings.rows(settings.load()):
        assert row["sentence"].endswith((".", ")")), row["key"]
        assert row["allowed"]
        assert row["unit"] or isinstance(row["default"], str | list), f"{row['key']} has no unit"


def test_file_and_environment_which_wins(monkeypatch):
    Path("pacsqc.toml").write_text('[run]\nworkers = 3\nbatch_size = 4\n[site]\nname = "Here"\ntimezone = "Europe/Vienna"\n')
    monkeypatch.setenv("PACSQC_RUN_WORKERS", "5")
    monkeypatch.setenv("PACSQC_CHECKS_CRITERIA", "acr-mri-2018, my.toml")
    values = settings.load()
    assert (values.run.workers, values.run.batch_size) == (5, 4)
    assert values.site.timezone == "Europe/Vienna"
    assert values.checks.criteria == ("acr-mri-2018", "my.toml")


def test_paths_of_a_file_count_from_its_folder():
    Path("etc").mkdir()
    Path("etc/qc.toml").write_text('[data]\nfolder = "d"\n[inbox]\nfolder = "/in"\n[checks]\ncriteria = ["acr-mri-2022", "own.toml"]\n')
    values = settings.load(Path("etc/qc.toml"))
    assert values.data.folder == Path("etc/d")
    assert values.inbox_folder == Path("/in")
    assert values.checks.criteria == ("acr-mri-2022", "etc/own.toml")


def test_all_mistakes_at_once_each_with_file_key_value_and_what_is_allowed(monkeypatch):
    monkeypatch.setenv("PACSQC_RUN_LEASE_SECONDS", "soon")
    monkeypatch.setenv("PACSQC_INBOX_FOLDR", "/x")
    told = problems(
        '[run]\nworkers = 0\nbatch_size = "x"\nwrokers = 3\n[sit]\nname = "x"\n[site]\ntimezone = "Mars"\n'
        "[checks]\ncriteria = []\nmax_volume_mb = 1\n[inbox]\nquiet_seconds = nan\n"
    )
    for words in (
        ["pacsqc.toml", "run.workers", "0", "from 1 to 256"],
        ["pacsqc.toml", "run.batch_size", "'x'", "a whole number"],
        ["pacsqc.toml", "'wrokers'", "did you mean workers?", "batch_size"],
        ["pacsqc.toml", "[sit]", "did you mean site?", "inbox"],
        ["pacsqc.toml", "site.timezone", "'Mars'", "Europe/Berlin"],
        ["pacsqc.toml", "checks.criteria", "[]"],
        ["pacsqc.toml", "checks.max_volume_mb", "1", "16"],
        ["pacsqc.toml", "inbox.quiet_seconds", "nan", "from 0"],
        ["PACSQC_RUN_LEASE_SECONDS", "run.lease_seconds", "'soon'", "a number"],
        ["PACSQC_INBOX_FOLDR", "did you mean PACSQC_INBOX_FOLDER?"],
    ):
        assert any(all(word in problem for word in words) for problem in told), f"{words} in none of {told}"
    assert len(told) == 10


def test_not_toml():
    assert "not valid TOML" in problems("[run\n")[0]
    assert "must be a section" in problems("run = 3\n")[0]


def test_a_file_that_is_named_must_be_there(monkeypatch):
    monkeypatch.setenv("PACSQC_CONFIG", "nowhere.toml")
    assert "nowhere.toml" in problems()[0]


def test_secrets_never_in_the_file():
    told = problems('[site]\nkey = "do not show me, ever"\n[database]\nurl = "postgresql+psycopg://qc:pass123@host/qc"\n')
    assert any("PACSQC_SITE_KEY" in problem for problem in told)
    assert any("PACSQC_DATABASE_URL" in problem for problem in told)
    assert "show me" not in "".join(told)
    assert "pass123" not in "".join(told)


def test_a_bad_secret_is_not_shown(monkeypatch):
    monkeypatch.setenv("PACSQC_SITE_KEY", "tiny")
    told = problems()
    assert "at least 16" in told[0]
    assert "tiny" not in told[0]


def test_printed_settings_are_a_settings_file_with_secrets_masked(monkeypatch):
    monkeypatch.setenv("PACSQC_SITE_KEY", "very secret key 123")
    monkeypatch.setenv("PACSQC_DATABASE_URL", "postgresql+psycopg://qc:pass123@host/qc")
    monkeypatch.setenv("PACSQC_RUN_WORKERS", "7")
    done = CliRunner().invoke(app, ["settings"])
    assert done.exit_code == 0
    assert "very secret" not in done.stdout
    assert "pass123" not in done.stdout
    assert "PACSQC_SITE_KEY; now set" in done.stdout
    assert tomllib.loads(done.stdout)["run"]["workers"] == 7
    monkeypatch.delenv("PACSQC_RUN_WORKERS")
    Path("pacsqc.toml").write_text(done.stdout)
    assert settings.load().run.workers == 7
    rows = json.loads(CliRunner().invoke(app, ["settings", "--json"]).stdout)
    assert "very secret" not in json.dumps(rows)


def test_wrong_settings_end_the_command_line_with_2():
    Path("pacsqc.toml").write_text("[run]\nworkers = 0\nx = 1\n")
    done = CliRunner().invoke(app, ["settings"])
    assert done.exit_code == 2
    assert len(done.stderr.strip().splitlines()) == 2


def test_overridden_settings_go_back(monkeypatch):
    monkeypatch.setenv("PACSQC_DATA_FOLDER", "before")
    with settings.overridden(data_folder="now", inbox_folder=None) as values:
        assert values.data.folder == Path("now")
    assert settings.load().data.folder == Path("before")


# -- the site key ---------------------------------------------------------------------------------------------------


def test_site_key_is_made_once_and_private():
    key = settings.site_key(settings.load())
    path = Path("pacsqc-data/site.key")
    assert len(key) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert settings.site_key(settings.load()) == key
    assert [one.name for one in path.parent.iterdir()] == ["site.key"]


def test_site_key_of_the_environment_is_not_written(monkeypatch):
    monkeypatch.setenv("PACSQC_SITE_KEY", "0123456789abcdef")
    assert settings.site_key(settings.load()) == b"0123456789abcdef"
    assert not Path("pacsqc-data").exists()


def test_damaged_site_key_is_told():
    Path("pacsqc-data").mkdir()
    Path("pacsqc-data/site.key").write_text("not hexadecimal")
    with pytest.raises(ConfigurationError, match="damaged"):
        settings.site_key(settings.load())


def test_the_allow_list_of_the_settings_reaches_the_check(tmp_path):
    """By `pacsqc check` and by the daily pass; the paths of a settings file count from its folder."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "allowed.toml").write_text(
        '[[allow]]\nattributes = ["AccessionNumber"]\nrules = ["missing"]\nreason = "filled in by the archive"\n'
    )
    (tmp_path / "own" / "pacsqc.toml").write_text('[checks]\nallowed = "allowed.toml"\n')
    made = make("mr_brain", 1, slices=3, contrasts=("T1",), matrix=32).datasets
    for one in made:
        del one.AccessionNumber
    write(made, tmp_path / "study")
    arguments = ["check", str(tmp_path / "study"), "--only", "header.conformance", "--json"]
    codes = []
    for config in ([], ["--config", str(tmp_path / "own" / "pacsqc.toml")]):
        done = CliRunner().invoke(app, [*config, *arguments])
        codes.append([one["code"] for one in json.loads(done.stdout)["findings"]])
    assert codes == [["header.standard_cosmetic"], []]
    chosen = settings.load(tmp_path / "own" / "pacsqc.toml")
    assert daily.options_for(chosen).parameters["header.conformance"] == {"allowed": str(tmp_path / "own" / "allowed.toml")}
