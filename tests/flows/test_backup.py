"""Backup and restore: everything is there again, and nothing that is damaged or in the way is taken."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from flows import archived, daily, settings
from flows.cli import app
from flows.settings import site_key
from qc.errors import ConfigurationError
from reports.store import dump, open_store
from reports.store.columns import metadata
from reports.store.connect import engine_for


@pytest.fixture
def full(chosen, tmp_path) -> Path:
    """A backup of a data folder with three checked studies, pictures, an audit row and settings."""
    Path("pacsqc.toml").write_text('[site]\nname = "Here"\n')
    daily.run_pass(chosen, patient=False)
    with daily.open_for(chosen) as store:
        store.log("anna", "test", {"a": 1}, None, "to have one")
    file = tmp_path / "all.zip"
    archived.backup(chosen, file, Path("pacsqc.toml"))
    return file


def elsewhere(tmp_path: Path, monkeypatch) -> settings.Settings:
    monkeypatch.setenv("PACSQC_DATA_FOLDER", str(tmp_path / "other"))
    return settings.load()


def test_a_restore_has_every_row_the_key_and_the_settings(full, chosen, tmp_path, monkeypatch):
    key = site_key(chosen)
    before = chosen.database_url
    other = elsewhere(tmp_path, monkeypatch)
    contents = archived.restore(other, full)
    assert contents.rows["study"] == 3
    assert contents.rows["evidence"] > 0
    with open_store(before) as one, open_store(other.database_url) as two:
        for table in metadata.sorted_tables:
            rows = sa.select(table).order_by(*table.primary_key.columns)
            with one.reading() as here, two.reading() as there:
                assert here.execute(rows).all() == there.execute(rows).all(), table.name
        assert two.audit_broken_at() is None
    assert site_key(other) == key
    assert (tmp_path / "other" / "restored-pacsqc.toml").read_text() == '[site]\nname = "Here"\n'
    assert daily.run_pass(other, patient=False).checked == 0  # it goes on where it was


def test_it_is_for_its_owner_alone_and_never_written_over(full, chosen):
    assert full.stat().st_mode & 0o077 == 0
    with pytest.raises(ConfigurationError, match="there already"):
        archived.backup(chosen, full)


@pytest.mark.parametrize("what", ["cut", "changed", "other"])
def test_what_is_damaged_is_not_taken(full, tmp_path, monkeypatch, what):
    damaged = tmp_path / "damaged.zip"
    if what == "cut":
        damaged.write_bytes(full.read_bytes()[:-2000])
    elif what == "other":
        damaged.write_bytes(b"nothing like it")
    else:
        with zipfile.ZipFile(full) as old, zipfile.ZipFile(damaged, "w") as new:
            for name in old.namelist():
                data = old.read(name)
                new.writestr(name, data.replace(b'"fail"', b'"pass"') if name == "rows/finding.jsonl" else data)
    other = elsewhere(tmp_path, monkeypatch)
    with pytest.raises(ConfigurationError, match=r"damaged|no whole backup"):
        archived.restore(other, damaged)
    assert not (tmp_path / "other").exists()


def test_nothing_that_is_there_is_overwritten(full, chosen, tmp_path, monkeypatch):
    with pytest.raises(ConfigurationError, match="has results already"):
        archived.restore(chosen, full)
    other = elsewhere(tmp_path, monkeypatch)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "site.key").write_text("00" * 32)
    with pytest.raises(ConfigurationError, match=r"another site\.key"):
        archived.restore(other, full)


def columns_of(version: str, tmp_path: Path) -> dict[str, set[str]]:
    """The tables of a schema with their columns; a table that a newer one fills anew is left out, as it would be empty."""
    engine = engine_for(f"sqlite:///{tmp_path}/{version}.sqlite")
    dump.fill(engine, version, {}, newest=False)
    known = sa.MetaData()
    known.reflect(engine)
    return {name: {column.name for column in table.c} for name, table in known.tables.items() if name not in ("alert", "outbox")}


def test_a_backup_of_an_older_schema_is_brought_to_the_newest(full, tmp_path, monkeypatch):
    older, first = tmp_path / "older.zip", columns_of("0002", tmp_path)
    with zipfile.ZipFile(full) as old, zipfile.ZipFile(older, "w") as new:
        about = json.loads(old.read("manifest.json")) | {"schema": "0002"}
        for name in [name for name in about["members"] if name.startswith("rows/")]:
            table = name.removeprefix("rows/").removesuffix(".jsonl")
            if table not in first:
                del about["members"][name], about["rows"][table]
                continue
            rows = [json.loads(line) for line in old.read(name).decode().splitlines()]
            lines = [json.dumps({key: value for key, value in row.items() if key in first[table]}) for row in rows]
            about["members"][name] = dump.digest(lines)[1]
            new.writestr(name, "".join(f"{line}\n" for line in lines))
        for name in about["members"]:
            if not name.startswith("rows/"):
                new.writestr(name, old.read(name))
        new.writestr("manifest.json", json.dumps(about))
    other = elsewhere(tmp_path, monkeypatch)
    assert archived.restore(other, older).rows["study"] == 3
    with daily.open_for(other) as store:
        assert len(store.days()) >= 1


def test_a_backup_of_a_newer_version_is_not_taken(full, tmp_path, monkeypatch):
    newer = tmp_path / "newer.zip"
    with zipfile.ZipFile(full) as old, zipfile.ZipFile(newer, "w") as new:
        about = json.loads(old.read("manifest.json")) | {"schema": "9999"}
        for name in old.namelist():
            new.writestr(name, json.dumps(about) if name == "manifest.json" else old.read(name))
    with pytest.raises(ConfigurationError, match="install the newer version"):
        archived.restore(elsewhere(tmp_path, monkeypatch), newer)


def test_on_the_command_line(full):
    done = CliRunner().invoke(app, ["backup", "--verify", str(full)])
    assert done.exit_code == 0, done.output
    assert "3 study" in done.stdout
    wrong = CliRunner().invoke(app, ["restore", "nowhere.zip"])
    assert wrong.exit_code == 2
