"""The review desk: people, sessions, tokens, reviews, signatures, test sheets."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    _access()
    _words()
    _sheets()
    bad = sa.text("status IN ('fail', 'error', 'warn')")
    for table in ("finding", "measurement"):
        op.create_index(f"ix_{table}_bad", table, ["study_id"], unique=False, sqlite_where=bad, postgresql_where=bad)
    op.create_index(op.f("ix_series_class"), "series", ["class"], unique=False)
    for statement in APPEND_ONLY[op.get_bind().dialect.name]:
        op.execute(statement)


def _access() -> None:
    op.create_table(
        "person",
        sa.Column("id", ID, nullable=False),
        sa.Column("login", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("password", sa.String(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person")),
        sa.UniqueConstraint("login", name=op.f("uq_person_login")),
    )
    op.create_table(
        "session",
        sa.Column("id", ID, nullable=False),
        sa.Column("person_id", ID, nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("csrf", sa.String(), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_session_person_id_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_session")),
        sa.UniqueConstraint("digest", name=op.f("uq_session_digest")),
    )
    op.create_index(op.f("ix_session_person_id"), "session", ["person_id"], unique=False)
    op.create_table(
        "token",
        sa.Column("id", ID, nullable=False),
        sa.Column("person_id", ID, nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("ends_at", TIME, nullable=True),
        sa.Column("revoked_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_token_person_id_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_token")),
        sa.UniqueConstraint("digest", name=op.f("uq_token_digest")),
    )
    op.create_index(op.f("ix_token_person_id"), "token", ["person_id"], unique=False)


def _words() -> None:
    op.create_table(
        "review",
        sa.Column("id", ID, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("study_uid", sa.String(), nullable=False),
        sa.Column("problem", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("assignee", sa.String(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review")),
    )
    op.create_index(op.f("ix_review_study_uid"), "review", ["study_uid"], unique=False)
    op.create_table(
        "signature",
        sa.Column("id", ID, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("meaning", sa.Text(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("content", JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signature")),
    )
    op.create_index("ix_signature_subject", "signature", ["kind", "subject"], unique=False)


def _sheets() -> None:
    op.create_table(
        "sheet",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("device_id", ID, nullable=True),
        sa.Column("modality", sa.String(), nullable=True),
        sa.Column("items", JSON, nullable=False),
        sa.Column("every_days", sa.Integer(), nullable=True),
        sa.Column("weekdays", sa.String(), server_default="0123456", nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name=op.f("fk_sheet_device_id_device")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sheet")),
        sa.UniqueConstraint("name", "version", name=op.f("uq_sheet_name_version")),
    )
    op.create_table(
        "sheet_entry",
        sa.Column("id", ID, nullable=False),
        sa.Column("sheet_id", ID, nullable=False),
        sa.Column("device_id", ID, nullable=True),
        sa.Column("study_id", ID, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("superseded_by", ID, nullable=True),
        sa.Column("superseded_why", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["sheet_id"], ["sheet.id"], name=op.f("fk_sheet_entry_sheet_id_sheet")),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name=op.f("fk_sheet_entry_device_id_device")),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_sheet_entry_study_id_study")),
        sa.ForeignKeyConstraint(["superseded_by"], ["sheet_entry.id"], name=op.f("fk_sheet_entry_superseded_by_sheet_entry")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sheet_entry")),
    )
    for column in ("day", "sheet_id", "study_id"):
        op.create_index(op.f(f"ix_sheet_entry_{column}"), "sheet_entry", [column], unique=False)


APPEND_ONLY = {
    "sqlite": [
        f"CREATE TRIGGER {table}_no_{verb} BEFORE {verb.upper()} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, 'the table {table} is append-only'); END"
        for table in ("review", "signature")
        for verb in ("update", "delete")
    ],
    "postgresql": [
        "CREATE FUNCTION words_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the table % is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation'; END $$",
        *(
            f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} EXECUTE FUNCTION words_refuse()"
            for table in ("review", "signature")
        ),
    ],
}


def downgrade() -> None:
    raise NotImplementedError("what people signed is not thrown away; go back by restoring the backup that was made before")
