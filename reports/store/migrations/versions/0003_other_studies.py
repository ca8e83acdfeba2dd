"""What a study is compared with: its source's counts, the earlier studies of its patient (hashes), the series of its scanner."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_index(op.f("ix_instance_series_uid"), "instance", ["series_uid"], unique=False)
    op.create_index(op.f("ix_instance_sop_uid"), "instance", ["sop_uid"], unique=False)
    op.create_table(
        "announced",
        sa.Column("study_uid", sa.String(), nullable=False),
        sa.Column("source_id", ID, nullable=False),
        sa.Column("content", JSON, nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["source_id"], ["source.id"], name=op.f("fk_announced_source_id_source")),
        sa.PrimaryKeyConstraint("study_uid", "source_id", name=op.f("pk_announced")),
    )
    op.create_table(
        "patient_record",
        sa.Column("id", ID, nullable=False),
        sa.Column("study_id", ID, nullable=False),
        sa.Column("study_uid", sa.String(), nullable=False),
        sa.Column("study_day", sa.String(), nullable=False),
        sa.Column("id_hash", sa.String(), nullable=False),
        sa.Column("person_hash", sa.String(), nullable=False),
        sa.Column("name_hash", sa.String(), nullable=False),
        sa.Column("birth_hash", sa.String(), nullable=False),
        sa.Column("sex", sa.String(), nullable=False),
        sa.Column("weight_kg", sa.Double(), nullable=True),
        sa.Column("size_m", sa.Double(), nullable=True),
        sa.Column("adult", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_patient_record_study_id_study")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patient_record")),
    )
    for column in ("study_id", "study_uid", "id_hash", "person_hash"):
        op.create_index(op.f(f"ix_patient_record_{column}"), "patient_record", [column], unique=False)
    op.create_table(
        "acquisition",
        sa.Column("id", ID, nullable=False),
        sa.Column("study_id", ID, nullable=False),
        sa.Column("series_uid", sa.String(), nullable=False),
        sa.Column("scanner", sa.String(), nullable=False),
        sa.Column("protocol", sa.String(), nullable=False),
        sa.Column("echo", sa.Integer(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("acquired", sa.String(), nullable=False),
        sa.Column("received_at", TIME, nullable=True),
        sa.Column("software", sa.String(), nullable=False),
        sa.Column("images", sa.Integer(), nullable=False),
        sa.Column("params", JSON, nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_acquisition_study_id_study")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_acquisition")),
    )
    op.create_index(op.f("ix_acquisition_study_id"), "acquisition", ["study_id"], unique=False)
    op.create_index(op.f("ix_acquisition_scanner_acquired"), "acquisition", ["scanner", "acquired"], unique=False)


def downgrade() -> None:
    op.drop_table("acquisition")
    op.drop_table("patient_record")
    op.drop_table("announced")
    op.drop_index(op.f("ix_instance_sop_uid"), "instance")
    op.drop_index(op.f("ix_instance_series_uid"), "instance")
