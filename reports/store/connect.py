"""Open the database, bring its schema up to date, and give transactions.

SQLite runs in WAL mode: readers never wait, writers wait for each other (`BEGIN IMMEDIATE`, so that a transaction that
will write never has to be given up half-way). On PostgreSQL nothing of that is needed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError

from qc.errors import ConfigurationError, Transient
from reports.store.schema import HEAD

BUSY_S = 30.0
MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 7_226_351  # of the migration, among advisory locks of PostgreSQL


def engine_for(url: str) -> Engine:
    """Return an engine for a database URL; nothing is opened yet, but the folder of a SQLite file is made.

    Raises
    ------
    ConfigurationError
        If the URL cannot be used; says what is allowed.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigurationError(f"database.url is {url!r}: not a database URL; e.g. sqlite:///pacsqc-data/pacsqc.sqlite") from error
    kind = parsed.get_backend_name()
    if kind == "sqlite":
        return _sqlite(parsed)
    if kind != "postgresql":
        raise ConfigurationError(f"database.url names {kind!r}; allowed are sqlite and postgresql")
    try:
        return sa.create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    except ImportError as error:
        raise ConfigurationError("database.url names PostgreSQL, but its driver is not installed: install pacsqc[postgres]") from error


def _sqlite(url: URL) -> Engine:
    if not url.database or url.database == ":memory:":
        raise ConfigurationError("database.url names a SQLite database in memory; give a file: sqlite:///path/to/pacsqc.sqlite")
    if not url.database.startswith("file:"):
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(url, connect_args={"timeout": BUSY_S})
    sa.event.listen(engine, "connect", _prepare)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun by _begin, not behind our back
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON", f"busy_timeout = {int(BUSY_S * 1000)}"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")


def writer(engine: Engine) -> Engine:
    """Return the engine for transactions that will write."""
    return engine.execution_options(writes=True)


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """Give a connection inside a transaction: committed at the end, rolled back on any error.

    Raises
    ------
    Transient
        If the database is locked or cannot be reached: nothing was written, try again later.
    """
    try:
        with engine.begin() as connection:
            yield connection
    except DBAPIError as error:
        if isinstance(error, (OperationalError, InterfaceError)) or error.connection_invalidated:
            raise Transient(f"the database did not answer: {str(error.orig).strip()}") from error
        raise


def now(connection: Connection) -> datetime:
    """Return the time by the clock of the database, aware UTC: leases do not depend on the clocks of workers."""
    if connection.dialect.name == "sqlite":
        text = connection.exec_driver_sql("SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now')").scalar_one()
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    stamp: datetime = connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
    return stamp.astimezone(UTC)


def insert(connection: Connection, table: sa.Table) -> Any:
    """Return an INSERT that knows ``on_conflict_do_...`` in the dialect of the connection."""
    from sqlalchemy.dialects import postgresql, sqlite

    return (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)


# -- schema -----------------------------------------------------------------------------------------------------


def migrate(engine: Engine) -> None:
    """Create the tables, or bring those of an older version up to date. Several processes may call it at once.

    Raises
    ------
    ConfigurationError
        If the database was written by a newer version of pacsqc.
    """
    with transaction(engine) as connection:
        if _version(connection) == HEAD:
            return
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with transaction(writer(engine)) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        version = _version(connection)  # again: another process may have been faster
        if version == HEAD:
            return
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise ConfigurationError(
                f"the database has schema {version!r}, which this pacsqc (schema {HEAD}) does not know; install the newer version"
            ) from error


def _version(connection: Connection) -> str | None:
    """Return the migration the database stands at; None where it is empty."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
