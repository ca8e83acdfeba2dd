"""The tables, in SQLAlchemy Core: one schema for SQLite and PostgreSQL.

    source ── instance ─┐                     what was seen, and where it is
      ├── intake ── retrieval                 where each study of a source stands, and how it was asked for (`intake_tables`)
      └── reach                               whether the source answers; and ``notice``: what people are to be told of the plant
              arrival ──┤                     is a study still coming in?
              study (one row a revision) ── work ── attempt     what is to be done, and who does it
                ├── series ── device          what came in
                ├── finding, measurement ── evidence            what was found
                ├── checkrun, skipped         what was looked at, what could not be
                └── patient_record, acquisition    hashes to compare with other studies; how each series was acquired
              announced                       how much a source says a study is
              report_written                  which day's report was written when
              by_hand                         what people set by hand in phantom tests
              outbox                          the messages that tell people of problems
              chart, problem, verdict ...     trends, problems, judging again: `reports.store.charting`
              audit                           what people changed, and who looked up whom
              person ── session, token        who may use the review desk (reports.store.desk_schema)
              review, signature, sheet ── sheet_entry    what people said, signed and measured themselves

No table has a column for a patient's name, ID, birth date or an accession number; a keyed hash stands for the patient.
Results hang on a revision of a study: `study.done_at` says that they are there, `study.superseded_at` that newer ones are.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    and_,
    text,
)

from reports.store.charting import (
    alert_day,
    baseline,
    chart,
    daily_device,
    daily_finding,
    daily_metric,
    judgement,
    left_out,
    problem,
    problem_day,
    replaced_scan,
    service_event,
    trend_day,
    trend_point,
    verdict,
)
from reports.store.columns import Id, Json, Utc, id_column, metadata, of, subject
from reports.store.intake_tables import intake as intake
from reports.store.intake_tables import notice as notice
from reports.store.intake_tables import reach as reach
from reports.store.intake_tables import retrieval as retrieval

HEAD = "0010"  # the newest migration; a test holds it against the folder

_BAD = "status IN ('fail', 'error', 'warn')"  # what a work list asks for

source = Table(
    "source",
    metadata,
    id_column(),
    Column("name", String, nullable=False, unique=True),
    Column("kind", String, nullable=False, server_default=""),
    Column("watermark", Text),
    Column("seen_at", Utc),
    Column("failed_at", Utc),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("error", Text),
    Column("owner", String),  # who is looking at it now: one at a time
    Column("lease_until", Utc),
)

instance = Table(
    "instance",
    metadata,
    id_column(),
    of("source"),
    Column("path", Text, nullable=False),  # where the source finds it again; shown nowhere
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger),
    Column("digest", String),
    Column("study_uid", String, nullable=False),
    Column("series_uid", String, nullable=False),
    Column("sop_uid", String, nullable=False),
    of("study", nullable=True, index=True),  # the newest revision that holds it
    Column("first_at", Utc, nullable=False),
    Column("changed_at", Utc, nullable=False),
    Column("expired_at", Utc),  # its file was deleted by the rules of retention
    UniqueConstraint("source_id", "path"),
    Index(None, "study_uid"),
    Index(None, "series_uid"),
    Index(None, "sop_uid"),
)

announced = Table(
    "announced",
    metadata,
    Column("study_uid", String, primary_key=True),
    Column("source_id", Id, ForeignKey("source.id"), primary_key=True),
    Column("content", Json, nullable=False),  # fields of qc.expected.Announced
    Column("digest", String, nullable=False),
    Column("at", Utc, nullable=False),
)

arrival = Table(
    "arrival",
    metadata,
    Column("study_uid", String, primary_key=True),
    Column("first_at", Utc, nullable=False),
    Column("changed_at", Utc, nullable=False),
    Column("open", Boolean, nullable=False),  # something came since the study was last settled
    Index("ix_arrival_open", "changed_at", sqlite_where=text("open"), postgresql_where=text("open")),
)

study = Table(
    "study",
    metadata,
    id_column(),
    Column("study_uid", String, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("fingerprint", String, nullable=False),
    Column("files", Integer, nullable=False),  # files given
    Column("created_at", Utc, nullable=False),
    Column("done_at", Utc),
    Column("superseded_at", Utc),
    Column("status", String),
    Column("patient", String),  # keyed hash
    Column("day", Date),  # local acquisition day
    Column("day_from", String),  # the attribute that gave it, or why none could
    Column("local_time", String),  # HH:MM:SS as the scanner's clock showed it
    Column("zone", String),
    Column("study_at", Utc),
    Column("description", Text),
    UniqueConstraint("study_uid", "revision"),
    Index(None, "day"),
    Index(None, "done_at"),
)

CURRENT = and_(study.c.done_at.is_not(None), study.c.superseded_at.is_(None))  # checked, and nothing newer is

work = Table(
    "work",
    metadata,
    id_column(),
    of("study", index=True),
    Column("study_uid", String, nullable=False),
    Column("fingerprint", String, nullable=False),
    Column("parameters_hash", String, nullable=False),
    Column("checks_hash", String, nullable=False),
    Column("state", String, nullable=False),  # ready, leased, done, superseded, quarantined
    Column("priority", Integer, nullable=False, server_default="0"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("excused", Integer, nullable=False, server_default="0"),  # attempts that ended for a reason that is not the study's
    Column("owner", String),
    Column("lease_until", Utc),
    Column("error_kind", String),
    Column("error", Text),
    Column("created_at", Utc, nullable=False),
    Column("changed_at", Utc, nullable=False),
    UniqueConstraint("study_uid", "fingerprint", "parameters_hash", "checks_hash"),  # this line is the idempotency
    Index(
        "ix_work_open",
        "priority",
        "id",
        sqlite_where=text("state IN ('ready', 'leased')"),
        postgresql_where=text("state IN ('ready', 'leased')"),
    ),
)

attempt = Table(
    "attempt",
    metadata,
    id_column(),
    of("work", index=True),
    Column("number", Integer, nullable=False),
    Column("owner", String, nullable=False),
    Column("started_at", Utc, nullable=False),
    Column("ended_at", Utc),
    Column("outcome", String),  # done, given_back, quarantined; empty: running, or died
    Column("error_kind", String),
    Column("error", Text),
)

device = Table(
    "device",
    metadata,
    id_column(),
    Column("identity", String, nullable=False, unique=True),  # how it was first told apart; keeps two writers from making it twice
    Column("alias", String, nullable=False),
    Column("site", String),
    Column("modality", String),
    Column("manufacturer", String),
    Column("model", String),
    Column("serial_number", String),
    Column("station_names", Json, nullable=False),
    Column("ae_titles", Json, nullable=False),
    Column("valid_from", Date),
    Column("valid_to", Date),
    Column("reviewed", Boolean, nullable=False),
    Column("criteria", Json, nullable=False, server_default=text("'[]'")),  # names of criteria sets; none: those of the site
    Column("merged_into", Id, ForeignKey("device.id")),  # the device this one really is; never one that is merged itself
    Column("created_at", Utc, nullable=False),
)

series = Table(
    "series",
    metadata,
    id_column(),
    of("study", index=True),
    of("device", nullable=True, index=True),
    Column("series_uid", String, nullable=False),
    Column("number", Integer),
    Column("description", Text),
    Column("class", String, nullable=False),
    Column("coil", String, nullable=False, server_default=""),
    Column("protocol", String, nullable=False, server_default=""),  # how it was acquired, in words: charts are kept apart by it
    Column("facts", Json, nullable=False, server_default=text("'{}'")),  # what limits may depend on, to judge again without the images
    Column("modality", String),
    Column("station", String),
    Column("software", String),
    Column("local_time", String),
    Column("instances", Integer, nullable=False),
    Column("frames", Integer, nullable=False),
    Column("status", String, nullable=False),
    Column("protocol_name", String),  # with body_part and device: whose history a value belongs to
    Column("body_part", String),
    # looked for by its beginning (phantom:), which an index of PostgreSQL serves in this way only
    Index("ix_series_class", "class", postgresql_ops={"class": "varchar_pattern_ops"}),
)

finding = Table(
    "finding",
    metadata,
    id_column(),
    of("study", index=True),
    of("series", nullable=True),
    Column("code", String, nullable=False, index=True),
    Column("status", String, nullable=False),
    Column("message", Text, nullable=False),
    Column("advice", Text, nullable=False),
    Column("check", String, nullable=False),
    *subject(),
    Column("details", Json, nullable=False),
    Column("evidence", Json, nullable=False),  # ids in evidence; one picture may serve several results
    Index("ix_finding_bad", "study_id", sqlite_where=text(_BAD), postgresql_where=text(_BAD)),
)

measurement = Table(
    "measurement",
    metadata,
    id_column(),
    of("study", index=True),
    of("series", nullable=True, index=True),
    Column("metric", String, nullable=False, index=True),
    Column("region", String, nullable=False),
    Column("value", Double),
    Column("unit", String, nullable=False),
    Column("uncertainty", Double),
    Column("reason", String),
    Column("method", String, nullable=False),
    Column("status", String, nullable=False),
    *subject(),
    Column("limits", Json),  # snapshot of the criterion it was judged by
    Column("criteria", Json),
    Column("details", Json, nullable=False),
    Column("evidence", Json, nullable=False),
    Index("ix_measurement_bad", "study_id", sqlite_where=text(_BAD), postgresql_where=text(_BAD)),
)

evidence = Table(
    "evidence",
    metadata,
    id_column(),
    of("study", index=True),
    Column("kind", String, nullable=False),  # image, curve
    Column("title", Text, nullable=False),
    Column("caption", Text, nullable=False),
    Column("png", LargeBinary),
    Column("data", Json, nullable=False),
)

checkrun = Table(
    "checkrun",
    metadata,
    id_column(),
    of("study", index=True),
    Column("check", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("level", String, nullable=False),
    Column("series_uid", String),
    Column("status", String, nullable=False),
    Column("seconds", Double, nullable=False),
)

patient_record = Table(
    "patient_record",
    metadata,
    id_column(),
    of("study", index=True),
    Column("study_uid", String, nullable=False, index=True),
    Column("study_day", String, nullable=False),  # YYYYMMDD as the header has it, or empty
    Column("id_hash", String, nullable=False, index=True),  # keyed hashes, empty where unknown (qc.history)
    Column("person_hash", String, nullable=False, index=True),
    Column("name_hash", String, nullable=False),
    Column("birth_hash", String, nullable=False),
    Column("sex", String, nullable=False),
    Column("weight_kg", Double),
    Column("size_m", Double),
    Column("adult", Boolean),
)

acquisition = Table(
    "acquisition",  # one echo of a series: qc.protocol.Row
    metadata,
    id_column(),
    of("study", index=True),
    Column("series_uid", String, nullable=False),
    Column("scanner", String, nullable=False),
    Column("protocol", String, nullable=False),
    Column("echo", Integer, nullable=False),
    Column("description", Text, nullable=False),
    Column("acquired", String, nullable=False),  # YYYYMMDDHHMMSS by the scanner's clock
    Column("received_at", Utc),
    Column("software", String, nullable=False),
    Column("images", Integer, nullable=False),
    Column("params", Json, nullable=False),  # keyword -> value
    Index(None, "scanner", "acquired"),
)

skipped = Table(
    "skipped",
    metadata,
    id_column(),
    of("source", nullable=True),
    of("study", nullable=True, index=True),  # set aside while this revision was checked; else at discovery
    Column("place", String),  # keyed hash of the whole path: tells files of a source apart
    Column("path", Text, nullable=False),  # the name alone: people call folders after patients
    Column("folder", String, nullable=False, server_default=""),  # short keyed hash of the folder
    Column("reason", String, nullable=False),
    Column("message", Text, nullable=False),
    Column("first_at", Utc, nullable=False),
    Column("report_day", Date),  # the report that told of it (files set aside at discovery belong to no day of their own)
    UniqueConstraint("source_id", "place"),
    Index(None, "report_day"),
)

report_written = Table(
    "report_written",
    metadata,
    id_column(),
    Column("day", Date, nullable=False, index=True),
    Column("written_at", Utc, nullable=False),
    Column("name", String, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    id_column(),
    Column("message_id", String, nullable=False, unique=True),  # stands in the text: the same for every attempt to send it
    Column("kind", String, nullable=False),  # changes; news: of older versions
    Column("route", String, nullable=False, server_default=""),  # who gets it
    Column("severity", String, nullable=False),  # the worst status in it
    Column("content", Json, nullable=False),  # as `reports.alert_words` reads it
    Column("created_at", Utc, nullable=False),
    Column("due_at", Utc, nullable=False),  # not to be tried before
    Column("taken_until", Utc),  # someone is sending it
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("reached", Json, nullable=False),  # hashes of the targets that have it already
    Column("sent_at", Utc),
    Column("error", Text),
    Index("ix_outbox_open", "due_at", sqlite_where=text("sent_at IS NULL"), postgresql_where=text("sent_at IS NULL")),
)

by_hand = Table(
    "by_hand",
    metadata,
    id_column(),
    of("device", nullable=True, index=True),
    Column("study_uid", String),  # on which it was set
    Column("check", String, nullable=False),
    Column("parameters", Json, nullable=False),
    Column("who", String, nullable=False),
    Column("at", Utc, nullable=False),
    Column("why", Text, nullable=False),
    Column("again", Boolean, nullable=False),  # the automatic runs of the device use it too
    Column("ended_at", Utc),  # from then on they do not; rows are never deleted
)

audit = Table(
    "audit",
    metadata,
    id_column(),
    Column("at", Utc, nullable=False),
    Column("who", String, nullable=False),
    Column("what", String, nullable=False),  # device.rename, patient.who ...
    Column("subject", String, nullable=False),  # device:3
    Column("before", Json),
    Column("after", Json),
    Column("why", Text, nullable=False),
    Column("digest", String, nullable=False),  # of this row and the digest before it; triggers refuse any change
)

salt = Table(
    "salt",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", String, nullable=False),  # random; makes the hashes of folder names useless elsewhere
)

from reports.store import desk_schema  # noqa: E402  (its tables belong to the same metadata)
