"""The tables of the review desk: who may use it, what people said and signed, and what they measured themselves.

`review` and `signature` are only ever added to; triggers refuse anything else.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Date, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint, text

from reports.store.columns import Id, Json, Utc, id_column, metadata, of

person = Table(
    "person",
    metadata,
    id_column(),
    Column("login", String, nullable=False, unique=True),  # in small letters
    Column("name", String, nullable=False),  # as signatures show it
    Column("role", String, nullable=False),  # viewer, technologist, physicist, administrator
    Column("password", String),  # argon2id; none: signs in through the reverse proxy only
    Column("active", Boolean, nullable=False),
    Column("created_at", Utc, nullable=False),
)

session = Table(
    "session",
    metadata,
    id_column(),
    of("person", index=True),
    Column("digest", String, nullable=False, unique=True),  # SHA-256 of what stands in the cookie; the cookie itself is kept nowhere
    Column("csrf", String, nullable=False),
    Column("started_at", Utc, nullable=False),
    Column("seen_at", Utc, nullable=False),
)

token = Table(
    "token",
    metadata,
    id_column(),
    of("person", index=True),
    Column("label", String, nullable=False),
    Column("digest", String, nullable=False, unique=True),
    Column("created_at", Utc, nullable=False),
    Column("ends_at", Utc),
    Column("revoked_at", Utc),
)

review = Table(
    "review",
    metadata,
    id_column(),
    Column("at", Utc, nullable=False),
    Column("who", String, nullable=False),
    Column("kind", String, nullable=False),  # confirm, dismiss, reopen, comment, assign
    Column("study_uid", String, nullable=False, index=True),
    Column("problem", String, nullable=False),  # code, or limit.exceeded/metric; empty: the study as a whole
    Column("digest", String, nullable=False),  # of what was said about the problem then: a verdict holds for that and nothing else
    Column("assignee", String),
    Column("text", Text, nullable=False),
)

signature = Table(
    "signature",
    metadata,
    id_column(),
    Column("at", Utc, nullable=False),
    Column("who", String, nullable=False),
    Column("name", String, nullable=False),
    Column("role", String, nullable=False),
    Column("kind", String, nullable=False),  # day, phantom, sheet
    Column("subject", String, nullable=False),  # 2026-11-25, or a StudyInstanceUID
    Column("meaning", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("digest", String, nullable=False),  # of what was signed: shows whether anything changed since
    Column("content", Json, nullable=False),
    Index("ix_signature_subject", "kind", "subject"),
)

sheet = Table(
    "sheet",
    metadata,
    id_column(),
    Column("name", String, nullable=False),
    Column("version", Integer, nullable=False),  # a changed sheet is a new version; old entries keep theirs
    Column("title", String, nullable=False),
    of("device", nullable=True),  # none: for any device
    Column("modality", String),  # none: for any modality
    Column("items", Json, nullable=False),
    Column("every_days", Integer),  # none: when somebody wants to
    Column("weekdays", String, nullable=False, server_default="0123456"),  # days on which it can be due, 0 is Monday
    Column("active", Boolean, nullable=False, server_default=text("true")),
    Column("created_at", Utc, nullable=False),
    Column("created_by", String, nullable=False),
    UniqueConstraint("name", "version"),
)

sheet_entry = Table(
    "sheet_entry",
    metadata,
    id_column(),
    of("sheet", index=True),
    of("device", nullable=True),
    of("study", index=True),  # its values stand there, as those of images do
    Column("day", Date, nullable=False, index=True),
    Column("at", Utc, nullable=False),
    Column("who", String, nullable=False),
    Column("note", Text, nullable=False),
    Column("origin", String, nullable=False),  # desk, or the name of the imported file
    Column("superseded_by", Id, ForeignKey("sheet_entry.id")),
    Column("superseded_why", Text),
)
