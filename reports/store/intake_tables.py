"""The tables of the intake: where each study of a source stands, how it was asked for, whether the source answers, what is to be noticed."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Date, Double, Index, Integer, String, Table, Text, UniqueConstraint, text

from reports.store.columns import Json, Utc, id_column, metadata, of

intake = Table(
    "intake",
    metadata,
    id_column(),
    of("source"),
    Column("study_uid", String, nullable=False),
    Column("state", String, nullable=False),  # reports.store.intake.STATES
    Column("verdict", String, nullable=False, server_default=""),  # of the count: complete, incomplete, not_known; empty: not counted
    Column("expected", Integer),  # instances that the source counts; empty: it does not
    Column("counted_by", String, nullable=False, server_default=""),  # images, series, study: what the number rests on
    Column("here", Integer),
    Column("missing", Json, nullable=False),  # UIDs of instances that did not come, the first hundred
    Column("reason", String, nullable=False, server_default=""),  # why it was not taken, or is held back
    Column("message", Text, nullable=False, server_default=""),
    Column("sampled", Text, nullable=False, server_default=""),  # what the settings left out of it
    Column("modalities", String, nullable=False, server_default=""),
    Column("day", Date),  # StudyDate as the source lists it
    Column("first_at", Utc, nullable=False),
    Column("changed_at", Utc, nullable=False),
    Column("checked_at", Utc),
    Column("reported_at", Utc),
    UniqueConstraint("source_id", "study_uid"),
    Index(None, "study_uid"),
    Index(None, "day"),
)

retrieval = Table(
    "retrieval",
    metadata,
    id_column(),
    of("intake", index=True),
    Column("at", Utc, nullable=False),
    Column("way", String, nullable=False),  # get, move, web, rest
    Column("status", Integer),  # of the final answer; empty: none came
    Column("completed", Integer),  # sub-operations as the source tells them; empty: it did not tell
    Column("failed", Integer),
    Column("warning", Integer),
    Column("remaining", Integer),
    Column("came", Integer, nullable=False),  # instances that arrived here
    Column("bytes", BigInteger, nullable=False),
    Column("seconds", Double, nullable=False),
)

reach = Table(
    "reach",
    metadata,
    id_column(),
    of("source"),
    Column("at", Utc, nullable=False),
    Column("answered", Boolean, nullable=False),
    Column("latency_s", Double),
    Column("message", Text, nullable=False, server_default=""),
    Index(None, "source_id", "at"),
)

notice = Table(
    "notice",
    metadata,
    id_column(),
    Column("kind", String, nullable=False),  # silent_device, source_unreachable, disk_low ...
    Column("subject", String, nullable=False),  # device:3, source:PACS ...
    Column("status", String, nullable=False),
    Column("message", Text, nullable=False),
    Column("first_at", Utc, nullable=False),
    Column("last_at", Utc, nullable=False),
    Column("cleared_at", Utc),
    Index(
        "uq_notice_open",
        "kind",
        "subject",
        unique=True,
        sqlite_where=text("cleared_at IS NULL"),
        postgresql_where=text("cleared_at IS NULL"),
    ),
)
