"""The intake: states of the studies of a source, retrieves with their counts, answers of the sources, notices."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
TIME = sa.DateTime(timezone=True)


def _source(table: str) -> list:
    return [
        sa.Column("source_id", ID, nullable=False),
        sa.ForeignKeyConstraint(["source_id"], ["source.id"], name=op.f(f"fk_{table}_source_id_source")),
    ]


def _text(name: str, kind: sa.types.TypeEngine) -> sa.Column:
    return sa.Column(name, kind, nullable=False, server_default="")


def upgrade() -> None:
    op.add_column("source", sa.Column("owner", sa.String(), nullable=True))
    op.add_column("source", sa.Column("lease_until", TIME, nullable=True))
    op.add_column("instance", sa.Column("expired_at", TIME, nullable=True))
    op.create_table(
        "intake",
        sa.Column("id", ID, nullable=False),
        *_source("intake"),
        sa.Column("study_uid", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        _text("verdict", sa.String()),
        sa.Column("expected", sa.Integer(), nullable=True),
        _text("counted_by", sa.String()),
        sa.Column("here", sa.Integer(), nullable=True),
        sa.Column("missing", JSON, nullable=False),
        _text("reason", sa.String()),
        _text("message", sa.Text()),
        _text("sampled", sa.Text()),
        _text("modalities", sa.String()),
        sa.Column("day", sa.Date(), nullable=True),
        sa.Column("first_at", TIME, nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.Column("checked_at", TIME, nullable=True),
        sa.Column("reported_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_intake")),
        sa.UniqueConstraint("source_id", "study_uid", name=op.f("uq_intake_source_id_study_uid")),
    )
    op.create_index(op.f("ix_intake_study_uid"), "intake", ["study_uid"], unique=False)
    op.create_index(op.f("ix_intake_day"), "intake", ["day"], unique=False)
    op.create_table(
        "retrieval",
        sa.Column("id", ID, nullable=False),
        sa.Column("intake_id", ID, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("way", sa.String(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=True) for name in ("status", "completed", "failed", "warning", "remaining")),
        sa.Column("came", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["intake_id"], ["intake.id"], name=op.f("fk_retrieval_intake_id_intake")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retrieval")),
    )
    op.create_index(op.f("ix_retrieval_intake_id"), "retrieval", ["intake_id"], unique=False)
    op.create_table(
        "reach",
        sa.Column("id", ID, nullable=False),
        *_source("reach"),
        sa.Column("at", TIME, nullable=False),
        sa.Column("answered", sa.Boolean(), nullable=False),
        sa.Column("latency_s", sa.Double(), nullable=True),
        _text("message", sa.Text()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reach")),
    )
    op.create_index(op.f("ix_reach_source_id_at"), "reach", ["source_id", "at"], unique=False)
    op.create_table(
        "notice",
        sa.Column("id", ID, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("first_at", TIME, nullable=False),
        sa.Column("last_at", TIME, nullable=False),
        sa.Column("cleared_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
    )
    op_open = sa.text("cleared_at IS NULL")
    op.create_index("uq_notice_open", "notice", ["kind", "subject"], unique=True, sqlite_where=op_open, postgresql_where=op_open)


def downgrade() -> None:
    for name in ("notice", "reach", "retrieval", "intake"):
        op.drop_table(name)
    op.drop_column("instance", "expired_at")
    op.drop_column("source", "lease_until")
    op.drop_column("source", "owner")
