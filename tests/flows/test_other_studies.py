"""What only the database can find: against earlier studies of the patient, against what the source counts. By `pacsqc run`, twice."""

from __future__ import annotations

import dataclasses
from datetime import date
from typing import ClassVar

import numpy as np
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from flows import daily, settings
from flows.cli import app
from flows.sources import chosen as sources
from flows.sources.folder import FolderSource
from phantoms.synthetic.catalogue import make
from phantoms.synthetic.encode import write
from phantoms.synthetic.faults import inject
from phantoms.synthetic.scanners import Patient
from qc.expected import Announced
from reports.store import schema as t

QUILLA = Patient("ZZYZX^QUILLA", "ZZ4711", date(1951, 3, 17), "F", 70.0)
SECRETS = ("ZZYZX", "QUILLA", "ZZ4711", "19510317", "1951-03-17")


@pytest.fixture
def chosen(tmp_path):
    (tmp_path / "inbox").mkdir()
    with settings.overridden(data_folder=tmp_path / "data", inbox_folder=tmp_path / "inbox", inbox_quiet_seconds=0) as values:
        yield values


def study(number, day="20240108", patient=QUILLA, **tags):
    """Three slices of a head on a day; tags are set in all images."""
    made = make("mr_brain", number, slices=3, contrasts=("T1",), matrix=96, patient=patient).datasets
    for one in made:
        one.StudyDate = one.SeriesDate = one.AcquisitionDate = one.ContentDate = day
        for keyword, value in {"PatientSize": "1.68", **tags}.items():
            setattr(one, keyword, value)
    return made


def put(chosen, *studies):
    """Put studies into the inbox."""
    for made in studies:
        write(made, chosen.inbox_folder / str(made[0].StudyInstanceUID)[-12:])


def run(chosen, *studies):
    """Put studies into the inbox and check them, as a pass does before it writes its report."""
    put(chosen, *studies)
    source = daily.source_for(chosen)
    with daily.open_for(chosen) as store:
        tally = daily.discover(source, store, 0)
        tally.add(daily.drain(store, source, chosen))
    return tally


FAMILY = ("identity.history", "identity.other", "identity.duplicate", "identity.uid", "study.incomplete", "series.incomplete", "study.more")


def found(chosen):
    """Study UID -> codes with status of what only the database knows; the study itself must be as bad as they are."""
    with daily.open_for(chosen) as store, store.reading() as connection:
        wanted = sa.select(t.study.c.study_uid, t.study.c.status.label("whole"), t.finding).join(t.study).where(t.CURRENT)
        rows = connection.execute(wanted).all()
        everything = str([tuple(row) for table in t.metadata.sorted_tables for row in connection.execute(sa.select(table))])
    assert not [secret for secret in SECRETS if secret in everything]
    told = {}
    for row in rows:
        if row.code.startswith(FAMILY):
            told.setdefault(row.study_uid, []).append((row.code, row.status))
            assert row.advice
            if row.status in ("warn", "fail"):
                assert row.whole in (row.status, "fail")
    return told


def uid(made):
    return str(made[0].StudyInstanceUID)


# -- the patient ----------------------------------------------------------------------------------------------------


SECOND = {
    "the same": ({}, None),
    "sex": ({"PatientSex": "M"}, ("identity.history_differs", "warn")),
    "person": ({"PatientName": "GRAULT^PLUGH", "PatientBirthDate": "19620101"}, ("identity.other_person", "fail")),
    "weight": ({"PatientWeight": "120"}, ("identity.history_weight", "warn")),
    "size": ({"PatientSize": "1.80"}, ("identity.history_size", "warn")),
    "number": ({"PatientID": "ANOTHER-1"}, ("identity.duplicate_person", "warn")),
}


def test_pacsqc_run_twice_holds_each_study_against_the_one_before(chosen):
    """Six patients, two studies each, a day between them; the second pass by the command line, with its report."""
    expected, first, second = {}, [], []
    for number, (tags, told) in enumerate(SECOND.values()):
        patient = dataclasses.replace(QUILLA, name=f"ZZYZX{number}^QUILLA", patient_id=f"ZZ4711{number}")
        first.append(study(2 * number, patient=patient))
        second.append(study(2 * number + 1, "20240110", patient=patient, **tags))
        expected |= {uid(second[-1]): [told]} if told else {}
    run(chosen, *first)
    assert found(chosen) == {}
    put(chosen, *second)
    done = CliRunner().invoke(app, ["run", "--no-prefect", "--no-wait"])
    assert done.exit_code == 0, done.output
    assert "1 fail, 4 warn" in done.output
    assert found(chosen) == expected
    report = (chosen.reports_folder / "daily-2024-01-10.html").read_text()
    assert "Another person under this patient ID" in report
    assert not [secret for secret in SECRETS if secret in report]


def test_once_told_is_enough_and_nothing_is_lost_when_checked_again(chosen):
    run(chosen, study(1))
    second = study(2, "20240110", PatientID="ANOTHER-1")
    run(chosen, second)
    run(chosen, study(3, "20240111", PatientID="ANOTHER-1"))
    told = {uid(second): [("identity.duplicate_person", "warn")]}
    assert found(chosen) == told
    more = study(2, "20240110", PatientID="ANOTHER-1", SeriesInstanceUID="2.25.778", SeriesNumber=9, SeriesDescription="more")
    for number, one in enumerate(more):
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = f"2.25.778.{number}"
    run(chosen, more)  # a late series: the study is checked again
    assert found(chosen) == told


def test_an_older_study_that_comes_late_tells_of_the_other(chosen):
    first = study(1, "20240110")
    run(chosen, first)
    late = study(2, "20240108", PatientSex="M")
    run(chosen, late)
    assert found(chosen) == {uid(late): [("identity.history_differs", "warn")]}
    with daily.open_for(chosen) as store, store.reading() as connection:
        details = connection.execute(sa.select(t.finding.c.details).where(t.finding.c.code == "identity.history_differs")).scalar_one()
    assert details["study"] == uid(first)


def test_both_in_one_pass(chosen):
    """Two batches at once, in whatever order: one of the two studies tells it."""
    run(chosen, study(1), study(2, "20240110", PatientSex="M"))
    ((codes),) = found(chosen).values()
    assert codes == [("identity.history_differs", "warn")]


def test_an_identifier_of_another_patient_s_study(chosen):
    files = inject(
        "reused_series_uid", [*study(1), *study(2, patient=Patient("GRAULT^A", "G1", date(1970, 1, 1), "M"))], np.random.default_rng(1)
    )
    one, other = (
        [file for file in files if file.StudyInstanceUID == uid_of] for uid_of in dict.fromkeys(file.StudyInstanceUID for file in files)
    )
    run(chosen, one)
    assert found(chosen) == {}
    run(chosen, other)
    assert found(chosen) == {uid(other): [("identity.uid_two_patients", "fail")]}


def test_a_study_copied_under_another_uid(chosen):
    first = study(1)
    copy = study(1)
    for one in copy:
        one.StudyInstanceUID = "2.25.4711"
    run(chosen, first)
    run(chosen, copy)
    assert found(chosen) == {"2.25.4711": [("identity.uid_two_studies", "warn")]}


# -- the source -----------------------------------------------------------------------------------------------------


class Counting(FolderSource):
    """A folder behind which stands somebody who counts."""

    told: ClassVar[dict[str, Announced]] = {}

    def observe(self, cursor):
        found, after = super().observe(cursor)
        found.announced.update(self.told)
        return found, after


@pytest.fixture
def source(chosen, monkeypatch):
    monkeypatch.setattr(sources, "FolderSource", Counting)
    monkeypatch.setattr(Counting, "told", {})
    return Counting


def listed(made, extra=()):
    """What a PACS lists that holds these images and more."""
    series = {}
    for one in made:
        series.setdefault(str(one.SeriesInstanceUID), []).append(str(one.SOPInstanceUID))
    for uid_of, names in dict(extra).items():
        series.setdefault(uid_of, []).extend(names)
    return Announced(series, True, sum(map(len, series.values())), len(series))


def test_what_the_source_counts_and_did_not_come(chosen, source):
    made = study(1)
    series = str(made[0].SeriesInstanceUID)
    source.told = {uid(made): listed(made, {series: ["2.25.1", "2.25.2"]})}
    run(chosen, made)
    assert found(chosen) == {uid(made): [("series.incomplete", "fail")]}
    with daily.open_for(chosen) as store, store.reading() as connection:
        details = connection.execute(sa.select(t.finding.c.details).where(t.finding.c.code == "series.incomplete")).scalar_one()
    assert (details["expected"], details["received"], details["missing"]) == (5, 3, ["2.25.1", "2.25.2"])


COUNTS = [
    (lambda made: listed(made), None),
    (lambda made: Announced(), None),  # not known is not zero
    (lambda made: Announced(instances=3), None),
    (lambda made: Announced(instances=4), ("study.incomplete", "fail")),
    (lambda made: Announced(series_count=2), ("study.incomplete", "fail")),
    (lambda made: listed(made, {"2.25.99": ["2.25.991"]}), ("study.incomplete", "fail")),  # lost_series: only the source can tell
    (lambda made: Announced({str(made[0].SeriesInstanceUID): 5}), ("series.incomplete", "fail")),
    (lambda made: Announced(instances=2), ("study.more_than_announced", "info")),
]


def test_counts_of_every_kind(chosen, source):
    studies = [study(number) for number in range(len(COUNTS))]
    source.told = {uid(made): told(made) for made, (told, _) in zip(studies, COUNTS, strict=True)}
    run(chosen, *studies)
    assert found(chosen) == {uid(made): [expected] for made, (_, expected) in zip(studies, COUNTS, strict=True) if expected}


def test_a_new_count_makes_a_new_look_and_the_same_count_none(chosen, source):
    made = study(1)
    source.told = {uid(made): listed(made)}
    run(chosen, made)
    assert found(chosen) == {}
    assert run(chosen).checked == 0
    source.told = {uid(made): listed(made, {"2.25.99": ["2.25.991"]})}
    assert run(chosen).statuses == {"fail": 1}
    assert found(chosen) == {uid(made): [("study.incomplete", "fail")]}
    source.told = {uid(made): listed(made)}  # taken back, or filed elsewhere
    run(chosen)
    assert found(chosen) == {}
