"""Kinds of columns, and the names of constraints: what the tables of `reports.store.schema` are made of."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, Dialect, ForeignKey, Integer, MetaData, String, Text
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import JSON, TypeDecorator


class Utc(TypeDecorator[datetime]):
    """An aware time in UTC. SQLite keeps no zone, so it is taken off on the way in and put on again on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times: they mean something else on every machine."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without zone cannot be stored: {value}")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give an aware time."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# Ids count up and are never given again: 64 bits on PostgreSQL, where SQLite wants plain INTEGER for its row number.
Id = BigInteger().with_variant(Integer, "sqlite")
Json = JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def id_column() -> Column[int]:
    """Return the key of a table."""
    return Column("id", Id, primary_key=True)


def of(table: str, *, nullable: bool = False, **options: Any) -> Column[int]:
    """Return a column that points at a row of another table."""
    return Column(f"{table}_id", Id, ForeignKey(f"{table}.id"), nullable=nullable, **options)


def subject() -> list[Column[Any]]:
    """What a result is about, as in `qc.results.Subject`; the study is that of the row."""
    return [
        Column("level", String, nullable=False),
        Column("series_uid", String),
        Column("instance_uid", String),
        Column("frame", Integer),
        Column("path", Text),
    ]
