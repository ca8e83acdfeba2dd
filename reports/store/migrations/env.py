"""Alembic environment. The connection comes from `reports.store.connect.migrate`, or for developers from ``-x url=...``."""

from __future__ import annotations

from alembic import context

from reports.store.connect import engine_for, transaction, writer
from reports.store.schema import metadata


def _run(connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=connection.dialect.name == "sqlite")
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    _run(given)
else:
    with transaction(writer(engine_for(context.get_x_argument(as_dictionary=True)["url"]))) as opened:
        _run(opened)
