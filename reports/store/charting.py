"""Tables of trends, of judging again and of the ledger of problems. Part of `reports.store.schema`, which draws the whole.

chart ── trend_point              every value of a phantom test, on the chart of its kind
  ├── baseline, left_out          what a person decided about it
device ── service_event           when charts begin anew
daily_device, daily_finding, daily_metric    a day in numbers, made by the database; pages and reports of long times read these
trend_day                         when those of a day were made
judgement ── verdict              stored measurements judged by other limits; the verdict a measurement got first stays with it
problem ── problem_day            what is wrong, since when, and on which days it was seen
alert_day                         when the problems of a day were last looked for
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Date, Double, Index, Integer, String, Table, Text, UniqueConstraint, text

from reports.store.columns import Id, Json, Utc, id_column, metadata, of

chart = Table(
    "chart",
    metadata,
    id_column(),
    of("device"),
    Column("class", String, nullable=False),  # phantom:acr_mri_large
    Column("metric", String, nullable=False),
    Column("region", String, nullable=False),
    Column("method", String, nullable=False),  # with its version: values of different methods never share a chart
    Column("coil", String, nullable=False),
    Column("protocol", String, nullable=False),  # how it was acquired, in words
    Column("unit", String, nullable=False),
    UniqueConstraint("device_id", "class", "metric", "region", "method", "coil", "protocol", "unit", name="uq_chart_key"),
)

trend_point = Table(
    "trend_point",
    metadata,
    id_column(),
    of("chart"),
    Column("day", Date, nullable=False),
    Column("local_time", String, nullable=False),
    Column("study_uid", String, nullable=False),
    Column(
        "series_uid", String, nullable=False
    ),  # what decisions about a point hang on: it stays the same when the series is measured again
    Column("measurement_id", Id),  # none: typed in by a person, or imported
    Column("value", Double, nullable=False),
    Column("uncertainty", Double),
    Column("status", String, nullable=False),
    Index("ix_trend_point_chart_id_day", "chart_id", "day"),
    Index(None, "day"),
)

baseline = Table(
    "baseline",
    metadata,
    id_column(),
    of("chart", index=True),
    Column("first_day", Date, nullable=False),
    Column("last_day", Date, nullable=False),
    Column("numbers", Json, nullable=False),  # `reports.charts.baseline.Baseline`, frozen
    Column("points", Json, nullable=False),  # SeriesInstanceUIDs it was made of
    Column("who", String, nullable=False),
    Column("why", Text, nullable=False),
    Column("made_at", Utc, nullable=False),
    Column("ended_at", Utc),  # taken back
)

left_out = Table(
    "left_out",
    metadata,
    id_column(),
    of("chart"),
    Column("series_uid", String, nullable=False),
    Column("who", String, nullable=False),
    Column("why", Text, nullable=False),
    Column("made_at", Utc, nullable=False),
    Column("ended_at", Utc),
    Index(None, "chart_id"),
)

replaced_scan = Table(
    "replaced_scan",
    metadata,
    id_column(),
    Column("series_uid", String, nullable=False, index=True),
    Column("by_series_uid", String, nullable=False),
    Column("who", String, nullable=False),
    Column("why", Text, nullable=False),
    Column("made_at", Utc, nullable=False),
    Column("ended_at", Utc),
)

service_event = Table(
    "service_event",
    metadata,
    id_column(),
    of("device", index=True),
    Column("day", Date, nullable=False),
    Column("local_time", String, nullable=False),  # HH:MM:SS as the scanner's clock shows it
    Column("kind", String, nullable=False),
    Column("text", Text, nullable=False),
    Column("restarts", Boolean, nullable=False),  # charts begin anew here
    Column("who", String, nullable=False),
    Column("made_at", Utc, nullable=False),
    Column("ended_at", Utc),
)


def _day() -> tuple[Column, Column]:
    """Which day of which device; no foreign key, and empty for series that could not be checked: nobody knows what made them."""
    return Column("day", Date, nullable=False), Column("device_id", Id)


daily_device = Table(
    "daily_device",
    metadata,
    id_column(),
    *_day(),
    Column("modality", String, nullable=False),
    *(Column(name, Integer, nullable=False) for name in ("studies", "series", "instances", "fail", "error", "warn", "not_evaluable")),
    Index(None, "day"),
    Index("ix_daily_device_device_id_day", "device_id", "day"),
)

daily_finding = Table(
    "daily_finding",
    metadata,
    id_column(),
    *_day(),
    Column("code", String, nullable=False),
    Column("status", String, nullable=False),
    Column("studies", Integer, nullable=False),
    Column("findings", Integer, nullable=False),
    Index(None, "day"),
    Index("ix_daily_finding_device_id_day", "device_id", "day"),
)

daily_metric = Table(
    "daily_metric",
    metadata,
    id_column(),
    *_day(),
    Column("class", String, nullable=False),
    Column("metric", String, nullable=False),
    Column("unit", String, nullable=False),
    Column("method", String, nullable=False),
    *(Column(name, Integer, nullable=False) for name in ("n", "studies", "bad_studies")),
    *(Column(name, Double) for name in ("mean", "low", "high")),
    *(Column(name, Integer, nullable=False) for name in ("fail", "error", "warn", "not_evaluable", "info", "pass")),
    Index(None, "day"),
    Index("ix_daily_metric_device_id_day", "device_id", "day"),
)

trend_day = Table(
    "trend_day",
    metadata,
    Column("day", Date, primary_key=True),
    Column("made_at", Utc, nullable=False),
)

judgement = Table(
    "judgement",
    metadata,
    id_column(),
    Column("criteria", Json, nullable=False),  # names of the sets
    Column("name", String, nullable=False),
    Column("version", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("scope", Json, nullable=False),
    Column("counts", Json, nullable=False),
    Column("who", String, nullable=False),
    Column("why", Text, nullable=False),
    Column("made_at", Utc, nullable=False),
)

verdict = Table(
    "verdict",
    metadata,
    id_column(),
    of("judgement", index=True),
    Column("measurement_id", Id, nullable=False),
    Column("status", String, nullable=False),
    Column("limits", Json),
    Column("criteria", Json),
)

problem = Table(
    "problem",
    metadata,
    id_column(),
    Column("subject", String, nullable=False),  # device:3, source:pacs ...
    Column("code", String, nullable=False),
    Column("status", String, nullable=False),
    Column("title", Text, nullable=False),
    Column("where", Text, nullable=False),  # name of the device or source
    Column("state", String, nullable=False),  # open, acknowledged, snoozed, resolved
    Column("first_day", Date, nullable=False),
    Column("last_day", Date, nullable=False),  # seen last
    Column("count", Integer, nullable=False),  # studies that had it then
    Column("told", String),  # the worst status that people were told of
    Column("opened_at", Utc, nullable=False),
    Column("changed_at", Utc, nullable=False),
    Column("resolved_day", Date),
    Column("resolved_at", Utc),
    Column("who", String),  # acknowledged or snoozed it
    Column("why", Text),
    Column("until", Date),  # snoozed before this day
    Index(
        "uq_problem_open",
        "subject",
        "code",
        unique=True,
        sqlite_where=text("state <> 'resolved'"),
        postgresql_where=text("state <> 'resolved'"),
    ),
    Index(None, "last_day"),
)

problem_day = Table(
    "problem_day",
    metadata,
    of("problem", primary_key=True),
    Column("day", Date, primary_key=True),
    Column("status", String, nullable=False),
    Column("count", Integer, nullable=False),
)

alert_day = Table(
    "alert_day",
    metadata,
    Column("day", Date, primary_key=True),
    Column("looked_at", Utc, nullable=False),
)
