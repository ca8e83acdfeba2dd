"""Trends with baselines and service events, days in numbers, judging again, the ledger of problems in place of alerts study by study."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table("alert_day",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("looked_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_alert_day"))
    )
    op.create_table("daily_device",
        sa.Column("id", ID, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("device_id", ID, nullable=True),
        sa.Column("modality", sa.String(), nullable=False),
        sa.Column("studies", sa.Integer(), nullable=False),
        sa.Column("series", sa.Integer(), nullable=False),
        sa.Column("instances", sa.Integer(), nullable=False),
        sa.Column("fail", sa.Integer(), nullable=False),
        sa.Column("error", sa.Integer(), nullable=False),
        sa.Column("warn", sa.Integer(), nullable=False),
        sa.Column("not_evaluable", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_daily_device"))
    )
    op.create_index(op.f("ix_daily_device_day"), "daily_device", ["day"], unique=False)
    op.create_index("ix_daily_device_device_id_day", "daily_device", ["device_id", "day"], unique=False)
    op.create_table("daily_finding",
        sa.Column("id", ID, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("device_id", ID, nullable=True),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("studies", sa.Integer(), nullable=False),
        sa.Column("findings", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_daily_finding"))
    )
    op.create_index(op.f("ix_daily_finding_day"), "daily_finding", ["day"], unique=False)
    op.create_index("ix_daily_finding_device_id_day", "daily_finding", ["device_id", "day"], unique=False)
    op.create_table("daily_metric",
        sa.Column("id", ID, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("device_id", ID, nullable=True),
        sa.Column("class", sa.String(), nullable=False),
        sa.Column("metric", sa.String(), nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("studies", sa.Integer(), nullable=False),
        sa.Column("bad_studies", sa.Integer(), nullable=False),
        sa.Column("mean", sa.Double(), nullable=True),
        sa.Column("low", sa.Double(), nullable=True),
        sa.Column("high", sa.Double(), nullable=True),
        sa.Column("fail", sa.Integer(), nullable=False),
        sa.Column("error", sa.Integer(), nullable=False),
        sa.Column("warn", sa.Integer(), nullable=False),
        sa.Column("not_evaluable", sa.Integer(), nullable=False),
        sa.Column("info", sa.Integer(), nullable=False),
        sa.Column("pass", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_daily_metric"))
    )
    op.create_index(op.f("ix_daily_metric_day"), "daily_metric", ["day"], unique=False)
    op.create_index("ix_daily_metric_device_id_day", "daily_metric", ["device_id", "day"], unique=False)
    op.create_table("judgement",
        sa.Column("id", ID, nullable=False),
        sa.Column("criteria", JSON, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("scope", JSON, nullable=False),
        sa.Column("counts", JSON, nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_judgement"))
    )
    op.create_table("problem",
        sa.Column("id", ID, nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("where", sa.Text(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("told", sa.String(), nullable=True),
        sa.Column("opened_at", TIME, nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.Column("resolved_day", sa.Date(), nullable=True),
        sa.Column("resolved_at", TIME, nullable=True),
        sa.Column("who", sa.String(), nullable=True),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("until", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_problem"))
    )
    op.create_index(op.f("ix_problem_last_day"), "problem", ["last_day"], unique=False)
    op.create_index("uq_problem_open", "problem", ["subject", "code"], unique=True, sqlite_where=sa.text("state <> 'resolved'"), postgresql_where=sa.text("state <> 'resolved'"))
    op.create_table("replaced_scan",
        sa.Column("id", ID, nullable=False),
        sa.Column("series_uid", sa.String(), nullable=False),
        sa.Column("by_series_uid", sa.String(), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_replaced_scan"))
    )
    op.create_index(op.f("ix_replaced_scan_series_uid"), "replaced_scan", ["series_uid"], unique=False)
    op.create_table("trend_day",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_trend_day"))
    )
    op.create_table("chart",
        sa.Column("id", ID, nullable=False),
        sa.Column("device_id", ID, nullable=False),
        sa.Column("class", sa.String(), nullable=False),
        sa.Column("metric", sa.String(), nullable=False),
        sa.Column("region", sa.String(), nullable=False),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("coil", sa.String(), nullable=False),
        sa.Column("protocol", sa.String(), nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name=op.f("fk_chart_device_id_device")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chart")),
        sa.UniqueConstraint("device_id", "class", "metric", "region", "method", "coil", "protocol", "unit", name="uq_chart_key")
    )
    op.create_table("problem_day",
        sa.Column("problem_id", ID, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["problem_id"], ["problem.id"], name=op.f("fk_problem_day_problem_id_problem")),
        sa.PrimaryKeyConstraint("problem_id", "day", name=op.f("pk_problem_day"))
    )
    op.create_table("service_event",
        sa.Column("id", ID, nullable=False),
        sa.Column("device_id", ID, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("local_time", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("restarts", sa.Boolean(), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name=op.f("fk_service_event_device_id_device")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_event"))
    )
    op.create_index(op.f("ix_service_event_device_id"), "service_event", ["device_id"], unique=False)
    op.create_table("verdict",
        sa.Column("id", ID, nullable=False),
        sa.Column("judgement_id", ID, nullable=False),
        sa.Column("measurement_id", ID, nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("limits", JSON, nullable=True),
        sa.Column("criteria", JSON, nullable=True),
        sa.ForeignKeyConstraint(["judgement_id"], ["judgement.id"], name=op.f("fk_verdict_judgement_id_judgement")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verdict"))
    )
    op.create_index(op.f("ix_verdict_judgement_id"), "verdict", ["judgement_id"], unique=False)
    op.create_table("baseline",
        sa.Column("id", ID, nullable=False),
        sa.Column("chart_id", ID, nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("numbers", JSON, nullable=False),
        sa.Column("points", JSON, nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(["chart_id"], ["chart.id"], name=op.f("fk_baseline_chart_id_chart")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_baseline"))
    )
    op.create_index(op.f("ix_baseline_chart_id"), "baseline", ["chart_id"], unique=False)
    op.create_table("left_out",
        sa.Column("id", ID, nullable=False),
        sa.Column("chart_id", ID, nullable=False),
        sa.Column("series_uid", sa.String(), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(["chart_id"], ["chart.id"], name=op.f("fk_left_out_chart_id_chart")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_left_out"))
    )
    op.create_index(op.f("ix_left_out_chart_id"), "left_out", ["chart_id"], unique=False)
    op.create_table("trend_point",
        sa.Column("id", ID, nullable=False),
        sa.Column("chart_id", ID, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("local_time", sa.String(), nullable=False),
        sa.Column("study_uid", sa.String(), nullable=False),
        sa.Column("series_uid", sa.String(), nullable=False),
        sa.Column("measurement_id", ID, nullable=True),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("uncertainty", sa.Double(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["chart_id"], ["chart.id"], name=op.f("fk_trend_point_chart_id_chart")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trend_point"))
    )
    op.create_index("ix_trend_point_chart_id_day", "trend_point", ["chart_id", "day"], unique=False)
    op.create_index(op.f("ix_trend_point_day"), "trend_point", ["day"], unique=False)
    op.add_column("outbox", sa.Column("route", sa.String(), server_default="", nullable=False))
    op.add_column("series", sa.Column("coil", sa.String(), server_default="", nullable=False))
    op.add_column("series", sa.Column("protocol", sa.String(), server_default="", nullable=False))
    op.add_column("series", sa.Column("facts", JSON, server_default=sa.text("'{}'"), nullable=False))
    op.drop_index(op.f("ix_alert_outbox_id"), table_name="alert")
    op.drop_table("alert")
    for statement in JUDGED_ONCE[op.get_bind().dialect.name]:
        op.execute(statement)
    # what the older version told of is not told again
    op.execute("INSERT INTO alert_day (day, looked_at) SELECT day, MAX(written_at) FROM report_written GROUP BY day")


# what a value was judged to be, and by which limits, is history
JUDGED_ONCE = {
    "sqlite": [
        "CREATE TRIGGER measurement_judged_once BEFORE UPDATE OF value, status, limits, criteria ON measurement "
        "BEGIN SELECT RAISE(ABORT, 'a value is judged once: judge again keeps its verdicts apart'); END",
        *(
            f"CREATE TRIGGER verdict_no_{verb} BEFORE {verb.upper()} ON verdict BEGIN SELECT RAISE(ABORT, 'a verdict is never changed'); END"
            for verb in ("update", "delete")
        ),
    ],
    "postgresql": [
        "CREATE FUNCTION judged_once() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'a value is judged once: judge again keeps its verdicts apart' "
        "USING ERRCODE = 'integrity_constraint_violation'; END $$",
        "CREATE TRIGGER measurement_judged_once BEFORE UPDATE OF value, status, limits, criteria ON measurement "
        "FOR EACH ROW EXECUTE FUNCTION judged_once()",
        "CREATE TRIGGER verdict_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON verdict EXECUTE FUNCTION judged_once()",
    ],
}


def downgrade() -> None:
    raise NotImplementedError("decisions of people would be lost; go back by restoring the backup that was made before")
