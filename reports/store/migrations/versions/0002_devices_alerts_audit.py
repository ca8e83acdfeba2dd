"""Devices with criteria and merging, the outbox of alerts, the audit log; folders of files that were set aside become hashes."""

import secrets

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from reports.store.clean import Places

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("work", sa.Column("excused", sa.Integer(), server_default="0", nullable=False))
    op.add_column("device", sa.Column("criteria", JSON, server_default=sa.text("'[]'"), nullable=False))
    _merged_into()
    op.create_table(
        "salt",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_salt")),
    )
    _skipped()
    op.create_table(
        "outbox",
        sa.Column("id", ID, nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("content", JSON, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        sa.Column("taken_until", TIME, nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reached", JSON, nullable=False),
        sa.Column("sent_at", TIME, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("message_id", name=op.f("uq_outbox_message_id")),
    )
    open_ones = sa.text("sent_at IS NULL")
    op.create_index("ix_outbox_open", "outbox", ["due_at"], unique=False, sqlite_where=open_ones, postgresql_where=open_ones)
    op.create_table(
        "alert",
        sa.Column("id", ID, nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("outbox_id", ID, nullable=True),
        sa.Column("first_at", TIME, nullable=False),
        sa.Column("last_at", TIME, nullable=False),
        sa.Column("resolved_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(["outbox_id"], ["outbox.id"], name=op.f("fk_alert_outbox_id_outbox")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert")),
        sa.UniqueConstraint("subject", "code", "status", name=op.f("uq_alert_subject_code_status")),
    )
    op.create_index(op.f("ix_alert_outbox_id"), "alert", ["outbox_id"], unique=False)
    op.create_table(
        "audit",
        sa.Column("id", ID, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("before", JSON, nullable=True),
        sa.Column("after", JSON, nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    for statement in APPEND_ONLY[op.get_bind().dialect.name]:
        op.execute(statement)


APPEND_ONLY = {
    "sqlite": [
        f"CREATE TRIGGER audit_no_{verb} BEFORE {verb.upper()} ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
        for verb in ("update", "delete")
    ],
    "postgresql": [
        "CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'integrity_constraint_violation'; END $$",
        "CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit EXECUTE FUNCTION audit_refuse()",
    ],
}


def _merged_into() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.add_column("device", sa.Column("merged_into", ID, nullable=True))
        op.create_foreign_key(op.f("fk_device_merged_into_device"), "device", "device", ["merged_into"], ["id"])
    else:  # SQLite adds a column with its key in one statement or not at all
        op.execute("ALTER TABLE device ADD COLUMN merged_into INTEGER CONSTRAINT fk_device_merged_into_device REFERENCES device (id)")


def _skipped() -> None:
    """Keep the name of each file; of its folder, which may be called after a patient, a keyed hash."""
    salt = secrets.token_hex(32)
    op.execute(sa.text("INSERT INTO salt (name, value) VALUES ('places', :value)").bindparams(value=salt))
    with op.batch_alter_table("skipped") as table:
        table.add_column(sa.Column("place", sa.String(), nullable=True))
        table.add_column(sa.Column("folder", sa.String(), server_default="", nullable=False))
        table.drop_constraint("uq_skipped_source_id_path", type_="unique")
        table.create_unique_constraint("uq_skipped_source_id_place", ["source_id", "place"])
    places = Places(bytes.fromhex(salt))
    connection = op.get_bind()
    change = sa.text("UPDATE skipped SET path = :path, folder = :folder, place = :place, message = :message WHERE id = :id")
    for row in connection.execute(sa.text("SELECT id, source_id, path, message FROM skipped")).all():
        place = None if row.source_id is None else places.key(row.path)
        values = {"id": row.id, "path": places.name(row.path), "folder": places.folder(row.path), "place": place}
        connection.execute(change, {**values, "message": places.without(row.message, row.path)})


def downgrade() -> None:
    raise NotImplementedError("the names of folders are gone; go back by restoring the backup that was made before")
