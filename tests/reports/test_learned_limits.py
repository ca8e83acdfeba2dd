"""The history of a device through the store: unusual values are told, and not before twenty studies."""

from __future__ import annotations

import numpy as np
import pytest
import sqlalchemy as sa
from reports_made import report, run, study, uid

from qc.results import Judged, Measurement, Status, Verdict
from reports.store import open_store
from reports.store import schema as t


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/one.sqlite") as one:
        yield one


def level(number, value, scanner="CT2", metric="ct.noise_level", **tags):
    made = study(uid(number), ("thorax",), scanner=scanner, ProtocolName="Thorax", BodyPartExamined="CHEST", **tags)
    one = Measurement(metric, value, "[hnsf'U]", made.series[0].subject(), "soft_tissue", None, None, "noise.level/1")
    return report(made, (Judged(one, Verdict(Status.INFO)),))


def unusual(store, number=None):
    with store.reading() as connection:
        chosen = sa.select(t.finding.c.message, t.finding.c.status, t.study.c.study_uid, t.study.c.status.label("of_study"))
        rows = connection.execute(chosen.join(t.study).where(t.finding.c.code == "measure.unusual")).all()
    return [row for row in rows if number is None or row.study_uid == uid(number)]


def fill(store, count, **tags):
    for number, value in enumerate(np.random.default_rng(0).normal(12.0, 0.5, count)):
        assert run(store, level(1000 + number, float(value), **tags))


def test_a_failing_detector_is_told_from_patient_images(store):
    fill(store, 20)
    assert unusual(store) == []
    run(store, level(1, 12.6))
    run(store, level(2, 18.0))
    (row,) = unusual(store)
    assert row.study_uid == uid(2)
    assert (row.status, row.of_study) == ("warn", "warn")
    assert "unusually high for this device and protocol" in row.message
    assert "18" in row.message
    assert "21 studies" in row.message


def test_nothing_is_told_before_twenty_studies(store):
    fill(store, 19)
    run(store, level(1, 40.0))
    assert unusual(store) == []


@pytest.mark.parametrize("other", [{"BodyPartExamined": "HEAD"}, {"ProtocolName": "Thorax low dose"}, {"scanner": "MR1"}])
def test_another_protocol_body_part_or_device_is_another_history(store, other):
    fill(store, 25)
    made = study(uid(3), ("thorax",), **{"scanner": "CT2", "ProtocolName": "Thorax", "BodyPartExamined": "CHEST", **other})
    one = Measurement("ct.noise_level", 30.0, "[hnsf'U]", made.series[0].subject(), "soft_tissue", None, None, "noise.level/1")
    run(store, report(made, (Judged(one, Verdict(Status.INFO)),)))
    assert unusual(store, 3) == []


def test_other_metrics_have_no_learned_limits(store):
    fill(store, 25)
    run(store, level(4, 99.0, metric="acr_mri.piu"))
    assert unusual(store) == []
