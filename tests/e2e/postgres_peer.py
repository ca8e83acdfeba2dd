"""PostgreSQL from Debian's packages: a cluster of its own on loopback that ends with the test."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from pacs_peers import free_port, wait_for

from reports.store.connect import engine_for


def programs() -> Path:
    """Where the newest PostgreSQL is; the test is skipped where it is absent."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    if not found:
        pytest.skip("PostgreSQL is not installed")
    pytest.importorskip("psycopg")
    return found[-1].parent


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """Run it; give its address. It refuses to run as root, so then it runs as the user of its package."""
    folder, port, here = Path(tempfile.mkdtemp(prefix="pacsqc-postgres-")), free_port(), programs()
    owner: dict[str, object] = {}
    if os.getuid() == 0:
        entry = pwd.getpwnam("postgres")
        os.chown(folder, entry.pw_uid, entry.pw_gid)
        owner = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder, **owner}
    try:
        subprocess.run([here / "initdb", "-D", folder / "data", "-U", "qc", "-A", "trust", "--no-sync"], check=True, **quiet)
        settings = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": folder, "fsync": "off"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        server = subprocess.Popen([here / "postgres", "-D", folder / "data", *options], **quiet)
        try:
            ask = [here / "pg_isready", "-h", "127.0.0.1", "-p", str(port), "-U", "qc"]
            assert wait_for(lambda: subprocess.run(ask, **quiet).returncode == 0, 60), "PostgreSQL did not start"
            yield f"postgresql+psycopg://qc@127.0.0.1:{port}/postgres"
        finally:
            server.terminate()
            server.wait(30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def database(server: str) -> Iterator[str]:
    """Make a database; give its address."""
    name = f"pacsqc_{uuid.uuid4().hex}"
    admin = engine_for(server).execution_options(isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    try:
        yield server.rpartition("/")[0] + f"/{name}"
    finally:
        with admin.connect() as connection:
            connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
        admin.dispose()
