"""A fresh store for each test: SQLite, or PostgreSQL where PACSQC_TEST_POSTGRES names a server whose databases may be made and dropped."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from reports.store import Store, open_store
from reports.store.connect import engine_for

SERVER = os.environ.get("PACSQC_TEST_POSTGRES", "")


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database as the migrations make it, to be copied: making one takes a tenth of a second."""
    path = tmp_path_factory.mktemp("empty") / "empty.sqlite"
    open_store(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    if not SERVER:
        yield f"sqlite:///{tmp_path}/store/pacsqc.sqlite"
        return
    name = f"pacsqc_{uuid.uuid4().hex}"
    admin = engine_for(SERVER).execution_options(isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    yield SERVER.rpartition("/")[0] + f"/{name}"
    with admin.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture
def store(url: str, empty: Path) -> Iterator[Store]:
    if not SERVER:
        path = Path(url.removeprefix("sqlite:///"))
        path.parent.mkdir()
        shutil.copy(empty, path)
    with open_store(url, "Europe/Vienna") as opened:
        yield opened


@pytest.fixture
def sqlite_only() -> None:
    if SERVER:
        pytest.skip("about the SQLite file")
