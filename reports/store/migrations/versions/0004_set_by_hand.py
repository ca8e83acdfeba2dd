"""What people set by hand in phantom tests, and whether automatic runs of the device use it again."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "by_hand",
        sa.Column("id", ID, nullable=False),
        sa.Column("device_id", ID, nullable=True),
        sa.Column("study_uid", sa.String(), nullable=True),
        sa.Column("check", sa.String(), nullable=False),
        sa.Column("parameters", JSON, nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("again", sa.Boolean(), nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name=op.f("fk_by_hand_device_id_device")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_by_hand")),
    )
    op.create_index(op.f("ix_by_hand_device_id"), "by_hand", ["device_id"], unique=False)


def downgrade() -> None:
    op.drop_table("by_hand")
