"""The tables, in SQLAlchemy Core: one schema for SQLite and PostgreSQL.

    source ── instance ─┐                     what was seen, and where it is
              arrival ──┤                     is a study still coming in?
              study (one row a revision) ── work ── attempt     what is to be done, and who does it
                ├── series ── device          what came in
                ├── finding, measurement ── evidence            what was found
                └── checkrun, skipped         what was looked at, what could not be
              report_written                  which day's report was written when

No table has a column for a patient's name, ID, birth date or an accession number; a keyed hash stands for the patient.
Results hang on a revision of a study: `study.done_at` says that they are there, `study.superseded_at` that newer ones are.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import JSON, TypeDecorator

HEAD = "0001"  # the newest migration; a test holds it against the folder


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


def _id() -> Column[int]:
    return Column("id", Id, primary_key=True)


def _of(table: str, *, nullable: bool = False, **options: Any) -> Column[int]:
    return Column(f"{table}_id", Id, ForeignKey(f"{table}.id"), nullable=nullable, **options)


def _subject() -> list[Column[Any]]:
    """What a result is about, as in `qc.results.Subject`; the study is that of the row."""
    return [
        Column("level", String, nullable=False),
        Column("series_uid", String),
        Column("instance_uid", String),
        Column("frame", Integer),
        Column("path", Text),
    ]


source = Table(
    "source",
    metadata,
    _id(),
    Column("name", String, nullable=False, unique=True),
    Column("kind", String, nullable=False, server_default=""),
    Column("watermark", Text),
    Column("seen_at", Utc),
    Column("failed_at", Utc),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("error", Text),
)

instance = Table(
    "instance",
    metadata,
    _id(),
    _of("source"),
    Column("path", Text, nullable=False),  # where the source finds it again; shown nowhere
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger),
    Column("digest", String),
    Column("study_uid", String, nullable=False),
    Column("series_uid", String, nullable=False),
    Column("sop_uid", String, nullable=False),
    _of("study", nullable=True, index=True),  # the newest revision that holds it
    Column("first_at", Utc, nullable=False),
    Column("changed_at", Utc, nullable=False),
    UniqueConstraint("source_id", "path"),
    Index(None, "study_uid"),
)

arrival = Table(
    "arrival",
    metadata,
    Column("study_uid", String, primary_key=True),
    Column("first_at", Utc, nullable=False),
    Column("changed_at", Utc, nullable=False),
    Column("open", Boolean, nullable=False),  # something came since the study was last settled
    Index("ix_arrival_open", "changed_at", sqlite_where=text("open"), postgresql_where=text("open")),
)

study = Table(
    "study",
    metadata,
    _id(),
    Column("study_uid", String, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("fingerprint", String, nullable=False),
    Column("files", Integer, nullable=False),  # files given
    Column("created_at", Utc, nullable=False),
    Column("done_at", Utc),
    Column("superseded_at", Utc),
    Column("status", String),
    Column("patient", String),  # keyed hash
    Column("day", Date),  # local acquisition day
    Column("day_from", String),  # the attribute that gave it, or why none could
    Column("local_time", String),  # HH:MM:SS as the scanner's clock showed it
    Column("zone", String),
    Column("study_at", Utc),
    Column("description", Text),
    UniqueConstraint("study_uid", "revision"),
    Index(None, "day"),
    Index(None, "done_at"),
)

work = Table(
    "work",
    metadata,
    _id(),
    _of("study", index=True),
    Column("study_uid", String, nullable=False),
    Column("fingerprint", String, nullable=False),
    Column("parameters_hash", String, nullable=False),
    Column("checks_hash", String, nullable=False),
    Column("state", String, nullable=False),  # ready, leased, done, superseded, quarantined
    Column("priority", Integer, nullable=False, server_default="0"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("owner", String),
    Column("lease_until", Utc),
    Column("error_kind", String),
    Column("error", Text),
    Column("created_at", Utc, nullable=False),
    Column("changed_at", Utc, nullable=False),
    UniqueConstraint("study_uid", "fingerprint", "parameters_hash", "checks_hash"),  # this line is the idempotency
    Index(
        "ix_work_open",
        "priority",
        "id",
        sqlite_where=text("state IN ('ready', 'leased')"),
        postgresql_where=text("state IN ('ready', 'leased')"),
    ),
)

attempt = Table(
    "attempt",
    metadata,
    _id(),
    _of("work", index=True),
    Column("number", Integer, nullable=False),
    Column("owner", String, nullable=False),
    Column("started_at", Utc, nullable=False),
    Column("ended_at", Utc),
    Column("outcome", String),  # done, given_back, quarantined; empty: running, or died
    Column("error_kind", String),
    Column("error", Text),
)

device = Table(
    "device",
    metadata,
    _id(),
    Column("identity", String, nullable=False, unique=True),  # how it was first told apart; keeps two writers from making it twice
    Column("alias", String, nullable=False),
    Column("site", String),
    Column("modality", String),
    Column("manufacturer", String),
    Column("model", String),
    Column("serial_number", String),
    Column("station_names", Json, nullable=False),
    Column("ae_titles", Json, nullable=False),
    Column("valid_from", Date),
    Column("valid_to", Date),
    Column("reviewed", Boolean, nullable=False),
    Column("created_at", Utc, nullable=False),
)

series = Table(
    "series",
    metadata,
    _id(),
    _of("study", index=True),
    _of("device", nullable=True, index=True),
    Column("series_uid", String, nullable=False),
    Column("number", Integer),
    Column("description", Text),
    Column("class", String, nullable=False),
    Column("modality", String),
    Column("station", String),
    Column("software", String),
    Column("local_time", String),
    Column("instances", Integer, nullable=False),
    Column("frames", Integer, nullable=False),
    Column("status", String, nullable=False),
)

finding = Table(
    "finding",
    metadata,
    _id(),
    _of("study", index=True),
    _of("series", nullable=True),
    Column("code", String, nullable=False, index=True),
    Column("status", String, nullable=False),
    Column("message", Text, nullable=False),
    Column("advice", Text, nullable=False),
    Column("check", String, nullable=False),
    *_subject(),
    Column("details", Json, nullable=False),
    Column("evidence", Json, nullable=False),  # ids in evidence; one picture may serve several results
)

measurement = Table(
    "measurement",
    metadata,
    _id(),
    _of("study", index=True),
    _of("series", nullable=True, index=True),
    Column("metric", String, nullable=False, index=True),
    Column("region", String, nullable=False),
    Column("value", Double),
    Column("unit", String, nullable=False),
    Column("uncertainty", Double),
    Column("reason", String),
    Column("method", String, nullable=False),
    Column("status", String, nullable=False),
    *_subject(),
    Column("limits", Json),  # snapshot of the criterion it was judged by
    Column("criteria", Json),
    Column("details", Json, nullable=False),
    Column("evidence", Json, nullable=False),
)

evidence = Table(
    "evidence",
    metadata,
    _id(),
    _of("study", index=True),
    Column("kind", String, nullable=False),  # image, curve
    Column("title", Text, nullable=False),
    Column("caption", Text, nullable=False),
    Column("png", LargeBinary),
    Column("data", Json, nullable=False),
)

checkrun = Table(
    "checkrun",
    metadata,
    _id(),
    _of("study", index=True),
    Column("check", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("level", String, nullable=False),
    Column("series_uid", String),
    Column("status", String, nullable=False),
    Column("seconds", Double, nullable=False),
)

skipped = Table(
    "skipped",
    metadata,
    _id(),
    _of("source", nullable=True),
    _of("study", nullable=True, index=True),  # set aside while this revision was checked; else at discovery
    Column("path", Text, nullable=False),  # relative
    Column("reason", String, nullable=False),
    Column("message", Text, nullable=False),
    Column("first_at", Utc, nullable=False),
    Column("report_day", Date),  # the report that told of it (files set aside at discovery belong to no day of their own)
    UniqueConstraint("source_id", "path"),
    Index(None, "report_day"),
)

report_written = Table(
    "report_written",
    metadata,
    _id(),
    Column("day", Date, nullable=False, index=True),
    Column("written_at", Utc, nullable=False),
    Column("name", String, nullable=False),
)
