"""Everything in one verified file, and back: results, ledger, evidence, audit log, settings, the key of the hashes.

The file is a zip: ``manifest.json`` says what is in it, with the digest of each member; ``rows/TABLE.jsonl`` has the database,
one row a line, so that a backup made with SQLite can be restored into PostgreSQL and the other way round. Images are not in
it. It holds the site key: who has the file can turn hashes back into patient IDs, so it is readable by its owner alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flows import daily
from flows.settings import FILE, Settings
from qc.errors import ConfigurationError
from reports.store import dump
from reports.store.connect import engine_for
from reports.store.schema import HEAD

FORMAT = 1
PIECE = 1 << 20
SITE_KEY = "site.key"


@dataclass(frozen=True)
class Contents:
    """What a backup says of itself, after its digests were found to be right."""

    made_at: str
    schema: str
    rows: dict[str, int]
    files: tuple[str, ...]

    def in_words(self) -> str:
        """Return it as a sentence."""
        told = ", ".join(f"{self.rows.get(name, 0)} {name}" for name in ("study", "series", "measurement", "finding", "evidence", "audit"))
        return f"made {self.made_at}, schema {self.schema}; rows: {told}; files: {', '.join(self.files) or 'none'}"


def backup(settings: Settings, file: Path, config: Path | None = None) -> Contents:
    """Write a backup and read it again; it has its name only when it was found to be whole.

    Raises
    ------
    ConfigurationError
        If the file is there already, or cannot be written.
    """
    if file.exists():
        raise ConfigurationError(f"{file} is there already; a backup is never written over")
    part = file.with_name(f".{file.name}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as raw:
            with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as bundle:
                _write(bundle, settings, config)
            raw.flush()
            os.fsync(raw.fileno())
        contents = verify(part)
        part.rename(file)
    except OSError as error:
        raise ConfigurationError(f"the backup {file} cannot be written ({error.strerror or error})") from error
    finally:
        part.unlink(missing_ok=True)
    return contents


def verify(file: Path) -> Contents:
    """Read a backup and compare every digest.

    Raises
    ------
    ConfigurationError
        If it is no backup, is damaged, or is of a newer format.
    """
    try:
        with zipfile.ZipFile(file) as bundle:
            manifest = json.loads(bundle.read("manifest.json"))
            if manifest["format"] != FORMAT:
                raise ConfigurationError(f"{file.name} has format {manifest['format']}; this pacsqc knows {FORMAT}")
            wrong = [name for name, wanted in manifest["members"].items() if _digest(bundle, name) != wanted]
            missing = set(bundle.namelist()) - set(manifest["members"]) - {"manifest.json"}
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, EOFError) as error:
        raise ConfigurationError(f"{file.name} is no whole backup of pacsqc ({type(error).__name__}: {error})") from error
    if wrong or missing:
        raise ConfigurationError(f"{file.name} is damaged: {', '.join([*wrong, *sorted(missing)])}")
    files = tuple(name for name in manifest["members"] if not name.startswith("rows/"))
    return Contents(manifest["made_at"], manifest["schema"], manifest["rows"], files)


def restore(settings: Settings, file: Path) -> Contents:
    """Bring a backup back into an empty database and data folder, and compare every row with the backup.

    Raises
    ------
    ConfigurationError
        If the backup is not whole, or something is there that would be overwritten.
    """
    contents = verify(file)
    key = settings.data.folder / SITE_KEY
    engine = engine_for(settings.database_url)
    try:
        if not dump.is_empty(engine):
            raise ConfigurationError(
                "the database has results already; a backup is restored into an empty one only (another data.folder or database.url)"
            )
        with zipfile.ZipFile(file) as bundle:
            if SITE_KEY in contents.files and key.exists() and key.read_bytes() != bundle.read(SITE_KEY):
                raise ConfigurationError(
                    f"there is another {SITE_KEY} in the data folder; with it the hashes of the backup would mean nobody"
                )
            dump.fill(
                engine, contents.schema, {name: _lines(bundle, name) for name in dump.tables() if f"rows/{name}.jsonl" in bundle.namelist()}
            )
            settings.data.folder.mkdir(parents=True, exist_ok=True)
            if SITE_KEY in contents.files and not key.exists():
                with open(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
                    out.write(bundle.read(SITE_KEY))
            if FILE in contents.files:
                (settings.data.folder / f"restored-{FILE}").write_bytes(bundle.read(FILE))
            _compare(settings, bundle, contents)
    finally:
        engine.dispose()
    return contents


def nightly_backup(settings: Settings) -> Path:
    """Write the backup of a night and delete those that are too many; return where it is."""
    folder = settings.upkeep.backup_folder
    assert folder is not None
    file = folder / f"pacsqc-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.zip"
    named = os.environ.get("PACSQC_CONFIG")
    backup(settings, file, Path(named) if named else Path(FILE))
    for old in sorted(folder.glob("pacsqc-*Z.zip"))[: -settings.upkeep.backups_kept]:
        old.unlink()
    return file


def _write(bundle: zipfile.ZipFile, settings: Settings, config: Path | None) -> None:
    members: dict[str, str] = {}
    rows: dict[str, int] = {}
    with daily.open_for(settings) as store, store.snapshot() as connection:
        for name in dump.tables():
            whole, count = hashlib.sha256(), 0
            with bundle.open(f"rows/{name}.jsonl", "w", force_zip64=True) as member:
                for line in dump.lines(connection, name):
                    data = line.encode() + b"\n"
                    whole.update(data)
                    member.write(data)
                    count += 1
            rows[name], members[f"rows/{name}.jsonl"] = count, whole.hexdigest()
    for name, path in {FILE: config, SITE_KEY: settings.data.folder / SITE_KEY}.items():
        if path is not None and path.is_file():
            data = path.read_bytes()
            bundle.writestr(name, data)
            members[name] = hashlib.sha256(data).hexdigest()
    about = {"format": FORMAT, "made_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", "schema": HEAD, "rows": rows, "members": members}
    bundle.writestr("manifest.json", json.dumps(about, indent=1))


def _compare(settings: Settings, bundle: zipfile.ZipFile, contents: Contents) -> None:
    """Read the restored database and compare each table with the backup, row by row; after a migration their numbers alone."""
    problems = []
    with daily.open_for(settings) as store, store.snapshot() as connection:
        for name, wanted in contents.rows.items():
            count, found = dump.digest(dump.lines(connection, name))
            same = found == _digest(bundle, f"rows/{name}.jsonl") if contents.schema == HEAD else count == wanted
            if not same:
                problems.append(f"after restoring, table {name} has {count} rows that are not those of the backup ({wanted})")
    if problems:
        raise ConfigurationError(problems)


def _lines(bundle: zipfile.ZipFile, name: str) -> Iterator[str]:
    with bundle.open(f"rows/{name}.jsonl") as member:
        for line in member:
            yield line.decode()


def _digest(bundle: zipfile.ZipFile, name: str) -> str:
    whole = hashlib.sha256()
    with bundle.open(name) as member:
        while piece := member.read(PIECE):
            whole.update(piece)
    return whole.hexdigest()


def default_name(now: Any = None) -> str:
    """Return the name of a backup made now."""
    return f"pacsqc-{now or datetime.now(UTC):%Y%m%dT%H%M%SZ}.zip"
