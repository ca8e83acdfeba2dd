"""All rows of the database as text, and back: the same for SQLite and PostgreSQL, so a backup of one can be restored into the other."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from qc.errors import ConfigurationError
from reports.store.columns import metadata
from reports.store.connect import MIGRATIONS, transaction, writer
from reports.store.schema import HEAD

BATCH = 500


def tables() -> list[str]:
    """Return the tables in an order in which they can be filled."""
    return [table.name for table in metadata.sorted_tables]


def lines(connection: Connection, name: str) -> Iterator[str]:
    """Yield the rows of a table, one JSON text each, in the order of its key."""
    table = metadata.tables[name]
    for row in connection.execute(sa.select(table).order_by(*table.primary_key.columns)).yield_per(BATCH):
        yield json.dumps({key: _plain(value) for key, value in row._mapping.items()}, sort_keys=True, ensure_ascii=False)


def digest(texts: Iterable[str]) -> tuple[int, str]:
    """Return the number of lines, and a digest of all."""
    count, whole = 0, hashlib.sha256()
    for text in texts:
        count += 1
        whole.update(text.encode() + b"\n")
    return count, whole.hexdigest()


def is_empty(engine: Engine) -> bool:
    """Tell whether a database has no study and no audit row: nothing that a restore would overwrite."""
    with transaction(engine) as connection:
        if not sa.inspect(connection).has_table("study"):
            return True
        names = ("study", "audit", "instance")
        return not any(connection.execute(sa.text(f"SELECT 1 FROM {name} LIMIT 1")).first() for name in names)


def fill(engine: Engine, version: str, texts: dict[str, Iterable[str]], *, newest: bool = True) -> None:
    """Bring an empty database to the schema of a backup, put its rows in, and bring it to the `newest` schema; all or nothing.

    Raises
    ------
    ConfigurationError
        If the backup was made by a newer version.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    if version not in {one.revision for one in ScriptDirectory.from_config(config).walk_revisions()}:
        raise ConfigurationError(
            f"the backup has schema {version!r}, which this pacsqc (schema {HEAD}) does not know; install the newer version"
        )
    with transaction(writer(engine)) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, version)
        known = sa.MetaData()
        known.reflect(connection)
        connection.execute(sa.delete(known.tables["salt"]))
        for name, some in texts.items():
            _fill(connection, known.tables[name], some)
        if newest and version != HEAD:
            command.upgrade(config, "head")


def _fill(connection: Connection, table: sa.Table, texts: Iterable[str]) -> None:
    own = [column.name for column in table.c if any(key.column.table is table for key in column.foreign_keys)]
    later: list[dict[str, Any]] = []
    batch: list[dict[str, Any]] = []
    for text in texts:
        row = {key: _back(value, connection) for key, value in json.loads(text).items()}
        if any(row[name] is not None for name in own):  # points at a row of the same table, which may come later
            later.append({"b_id": row["id"], **{name: row[name] for name in own}})
            row |= dict.fromkeys(own)
        batch.append(row)
        if len(batch) >= BATCH:
            connection.execute(sa.insert(table), batch)
            batch = []
    if batch:
        connection.execute(sa.insert(table), batch)
    if later:
        connection.execute(sa.update(table).where(table.c.id == sa.bindparam("b_id")), later)
    if connection.dialect.name == "postgresql" and "id" in table.c:
        top = f"(SELECT coalesce(max(id), 0) + 1 FROM {table.name})"
        connection.execute(sa.text(f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), {top}, false)"))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return {"$time": value.isoformat()}
    if isinstance(value, date):
        return {"$date": value.isoformat()}
    if isinstance(value, (bytes, memoryview)):
        return {"$bytes": base64.b64encode(value).decode()}
    return value


def _back(value: Any, connection: Connection) -> Any:
    if not isinstance(value, dict) or len(value) != 1:
        return value
    ((kind, text),) = value.items()
    if kind == "$time":
        at = datetime.fromisoformat(text).astimezone(UTC)
        return at.replace(tzinfo=None) if connection.dialect.name == "sqlite" else at
    if kind == "$date":
        return date.fromisoformat(text)
    if kind == "$bytes":
        return base64.b64decode(text)
    return value
