"""The tables of the first version."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "arrival",
        sa.Column("study_uid", sa.String(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("study_uid", name=op.f("pk_arrival")),
    )
    op.create_index(
        "ix_arrival_open", "arrival", ["changed_at"], unique=False, sqlite_where=sa.text("open"), postgresql_where=sa.text("open")
    )
    op.create_table(
        "device",
        sa.Column("id", ID, nullable=False),
        sa.Column("identity", sa.String(), nullable=False),
        sa.Column("alias", sa.String(), nullable=False),
        sa.Column("site", sa.String(), nullable=True),
        sa.Column("modality", sa.String(), nullable=True),
        sa.Column("manufacturer", sa.String(), nullable=True),
        sa.Column("model", sa.String(), nullable=True),
        sa.Column("serial_number", sa.String(), nullable=True),
        sa.Column("station_names", JSON, nullable=False),
        sa.Column("ae_titles", JSON, nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("reviewed", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device")),
        sa.UniqueConstraint("identity", name=op.f("uq_device_identity")),
    )
    op.create_table(
        "report_written",
        sa.Column("id", ID, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_written")),
    )
    op.create_index(op.f("ix_report_written_day"), "report_written", ["day"], unique=False)
    op.create_table(
        "source",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), server_default="", nullable=False),
        sa.Column("watermark", sa.Text(), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source")),
        sa.UniqueConstraint("name", name=op.f("uq_source_name")),
    )
    op.create_table(
        "study",
        sa.Column("id", ID, nullable=False),
        sa.Column("study_uid", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("files", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.String(), nullable=True),
        sa.Column("patient", sa.String(), nullable=True),
        sa.Column("day", sa.Date(), nullable=True),
        sa.Column("day_from", sa.String(), nullable=True),
        sa.Column("local_time", sa.String(), nullable=True),
        sa.Column("zone", sa.String(), nullable=True),
        sa.Column("study_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_study")),
        sa.UniqueConstraint("study_uid", "revision", name=op.f("uq_study_study_uid_revision")),
    )
    op.create_index(op.f("ix_study_day"), "study", ["day"], unique=False)
    op.create_index(op.f("ix_study_done_at"), "study", ["done_at"], unique=False)
    op.create_table(
        "checkrun",
        sa.Column("id", ID, nullable=False),
        sa.Column("study_id", ID, nullable=False),
        sa.Column("check", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("series_uid", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_checkrun_study_id_study")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checkrun")),
    )
    op.create_index(op.f("ix_checkrun_study_id"), "checkrun", ["study_id"], unique=False)
    op.create_table(
        "evidence",
        sa.Column("id", ID, nullable=False),
        sa.Column("study_id", ID, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("caption", sa.Text(), nullable=False),
        sa.Column("png", sa.LargeBinary(), nullable=True),
        sa.Column("data", JSON, nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_evidence_study_id_study")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence")),
    )
    op.create_index(op.f("ix_evidence_study_id"), "evidence", ["study_id"], unique=False)
    op.create_table(
        "instance",
        sa.Column("id", ID, nullable=False),
        sa.Column("source_id", ID, nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=True),
        sa.Column("digest", sa.String(), nullable=True),
        sa.Column("study_uid", sa.String(), nullable=False),
        sa.Column("series_uid", sa.String(), nullable=False),
        sa.Column("sop_uid", sa.String(), nullable=False),
        sa.Column("study_id", ID, nullable=True),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["source_id"], ["source.id"], name=op.f("fk_instance_source_id_source")),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_instance_study_id_study")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instance")),
        sa.UniqueConstraint("source_id", "path", name=op.f("uq_instance_source_id_path")),
    )
    op.create_index(op.f("ix_instance_study_id"), "instance", ["study_id"], unique=False)
    op.create_index(op.f("ix_instance_study_uid"), "instance", ["study_uid"], unique=False)
    op.create_table(
        "series",
        sa.Column("id", ID, nullable=False),
        sa.Column("study_id", ID, nullable=False),
        sa.Column("device_id", ID, nullable=True),
        sa.Column("series_uid", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("class", sa.String(), nullable=False),
        sa.Column("modality", sa.String(), nullable=True),
        sa.Column("station", sa.String(), nullable=True),
        sa.Column("software", sa.String(), nullable=True),
        sa.Column("local_time", sa.String(), nullable=True),
        sa.Column("instances", sa.Integer(), nullable=False),
        sa.Column("frames", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name=op.f("fk_series_device_id_device")),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_series_study_id_study")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_series")),
    )
    op.create_index(op.f("ix_series_device_id"), "series", ["device_id"], unique=False)
    op.create_index(op.f("ix_series_study_id"), "series", ["study_id"], unique=False)
    op.create_table(
        "skipped",
        sa.Column("id", ID, nullable=False),
        sa.Column("source_id", ID, nullable=True),
        sa.Column("study_id", ID, nullable=True),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("report_day", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["source_id"], ["source.id"], name=op.f("fk_skipped_source_id_source")),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_skipped_study_id_study")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_skipped")),
        sa.UniqueConstraint("source_id", "path", name=op.f("uq_skipped_source_id_path")),
    )
    op.create_index(op.f("ix_skipped_report_day"), "skipped", ["report_day"], unique=False)
    op.create_index(op.f("ix_skipped_study_id"), "skipped", ["study_id"], unique=False)
    op.create_table(
        "work",
        sa.Column("id", ID, nullable=False),
        sa.Column("study_id", ID, nullable=False),
        sa.Column("study_uid", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("parameters_hash", sa.String(), nullable=False),
        sa.Column("checks_hash", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("priority", sa.Integer(), server_default="0", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("owner", sa.String(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error_kind", sa.String(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_work_study_id_study")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_work")),
        sa.UniqueConstraint(
            "study_uid",
            "fingerprint",
            "parameters_hash",
            "checks_hash",
            name=op.f("uq_work_study_uid_fingerprint_parameters_hash_checks_hash"),
        ),
    )
    op.create_index(
        "ix_work_open",
        "work",
        ["priority", "id"],
        unique=False,
        sqlite_where=sa.text("state IN ('ready', 'leased')"),
        postgresql_where=sa.text("state IN ('ready', 'leased')"),
    )
    op.create_index(op.f("ix_work_study_id"), "work", ["study_id"], unique=False)
    op.create_table(
        "attempt",
        sa.Column("id", ID, nullable=False),
        sa.Column("work_id", ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("error_kind", sa.String(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["work_id"], ["work.id"], name=op.f("fk_attempt_work_id_work")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempt")),
    )
    op.create_index(op.f("ix_attempt_work_id"), "attempt", ["work_id"], unique=False)
    op.create_table(
        "finding",
        sa.Column("id", ID, nullable=False),
        sa.Column("study_id", ID, nullable=False),
        sa.Column("series_id", ID, nullable=True),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("advice", sa.Text(), nullable=False),
        sa.Column("check", sa.String(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("series_uid", sa.String(), nullable=True),
        sa.Column("instance_uid", sa.String(), nullable=True),
        sa.Column("frame", sa.Integer(), nullable=True),
        sa.Column("path", sa.Text(), nullable=True),
        sa.Column("details", JSON, nullable=False),
        sa.Column("evidence", JSON, nullable=False),
        sa.ForeignKeyConstraint(["series_id"], ["series.id"], name=op.f("fk_finding_series_id_series")),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_finding_study_id_study")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_finding")),
    )
    op.create_index(op.f("ix_finding_code"), "finding", ["code"], unique=False)
    op.create_index(op.f("ix_finding_study_id"), "finding", ["study_id"], unique=False)
    op.create_table(
        "measurement",
        sa.Column("id", ID, nullable=False),
        sa.Column("study_id", ID, nullable=False),
        sa.Column("series_id", ID, nullable=True),
        sa.Column("metric", sa.String(), nullable=False),
        sa.Column("region", sa.String(), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("uncertainty", sa.Double(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("series_uid", sa.String(), nullable=True),
        sa.Column("instance_uid", sa.String(), nullable=True),
        sa.Column("frame", sa.Integer(), nullable=True),
        sa.Column("path", sa.Text(), nullable=True),
        sa.Column("limits", JSON, nullable=True),
        sa.Column("criteria", JSON, nullable=True),
        sa.Column("details", JSON, nullable=False),
        sa.Column("evidence", JSON, nullable=False),
        sa.ForeignKeyConstraint(["series_id"], ["series.id"], name=op.f("fk_measurement_series_id_series")),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_measurement_study_id_study")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_measurement")),
    )
    op.create_index(op.f("ix_measurement_metric"), "measurement", ["metric"], unique=False)
    op.create_index(op.f("ix_measurement_series_id"), "measurement", ["series_id"], unique=False)
    op.create_index(op.f("ix_measurement_study_id"), "measurement", ["study_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_measurement_study_id"), table_name="measurement")
    op.drop_index(op.f("ix_measurement_series_id"), table_name="measurement")
    op.drop_index(op.f("ix_measurement_metric"), table_name="measurement")
    op.drop_table("measurement")
    op.drop_index(op.f("ix_finding_study_id"), table_name="finding")
    op.drop_index(op.f("ix_finding_code"), table_name="finding")
    op.drop_table("finding")
    op.drop_index(op.f("ix_attempt_work_id"), table_name="attempt")
    op.drop_table("attempt")
    op.drop_index(op.f("ix_work_study_id"), table_name="work")
    op.drop_index(
        "ix_work_open",
        table_name="work",
        sqlite_where=sa.text("state IN ('ready', 'leased')"),
        postgresql_where=sa.text("state IN ('ready', 'leased')"),
    )
    op.drop_table("work")
    op.drop_index(op.f("ix_skipped_study_id"), table_name="skipped")
    op.drop_index(op.f("ix_skipped_report_day"), table_name="skipped")
    op.drop_table("skipped")
    op.drop_index(op.f("ix_series_study_id"), table_name="series")
    op.drop_index(op.f("ix_series_device_id"), table_name="series")
    op.drop_table("series")
    op.drop_index(op.f("ix_instance_study_uid"), table_name="instance")
    op.drop_index(op.f("ix_instance_study_id"), table_name="instance")
    op.drop_table("instance")
    op.drop_index(op.f("ix_evidence_study_id"), table_name="evidence")
    op.drop_table("evidence")
    op.drop_index(op.f("ix_checkrun_study_id"), table_name="checkrun")
    op.drop_table("checkrun")
    op.drop_index(op.f("ix_study_done_at"), table_name="study")
    op.drop_index(op.f("ix_study_day"), table_name="study")
    op.drop_table("study")
    op.drop_table("source")
    op.drop_index(op.f("ix_report_written_day"), table_name="report_written")
    op.drop_table("report_written")
    op.drop_table("device")
    op.drop_index("ix_arrival_open", table_name="arrival", sqlite_where=sa.text("open"), postgresql_where=sa.text("open"))
    op.drop_table("arrival")
