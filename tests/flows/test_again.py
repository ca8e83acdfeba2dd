"""Checking again: a selection, a reason, new revisions that take the place of the old ones."""

from __future__ import annotations

from datetime import date

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from flows import again, daily
from flows.cli import app
from qc.errors import ConfigurationError
from reports.store import schema as t

EVER = (date(1900, 1, 1), date(2100, 1, 1))


@pytest.fixture
def done(chosen):
    daily.run_pass(chosen, patient=False)
    with daily.open_for(chosen) as store:
        yield store


def current(store):
    with store.reading() as connection:
        rows = sa.select(t.study.c.study_uid, t.study.c.revision).where(t.study.c.superseded_at.is_(None))
        return {row.study_uid: row.revision for row in connection.execute(rows)}


def test_all_are_checked_again_once_and_the_old_results_stand_aside(done, chosen):
    assert again.reprocess(done, again.Selection(*EVER), "why", dry_run=True) == 3
    assert daily.run_pass(chosen, patient=False).checked == 0
    assert again.reprocess(done, again.Selection(*EVER), "a new version of a check", dry_run=False) == 3
    assert daily.run_pass(chosen, patient=False).checked == 3
    assert set(current(done).values()) == {2}
    assert daily.run_pass(chosen, patient=False).checked == 0
    (entry, *_) = done.audit()
    assert (entry.what, entry.why) == ("work.again", "a new version of a check")


def test_a_selection_by_finding_and_by_modality(done):
    ct = again.reprocess(done, again.Selection(*EVER, modality="CT"), "x", dry_run=True)
    mr = again.reprocess(done, again.Selection(*EVER, modality="MR"), "x", dry_run=True)
    assert (ct, mr) == (2, 1)
    with done.reading() as connection:
        code = connection.execute(sa.select(t.finding.c.code).where(t.finding.c.status == "fail").limit(1)).scalar_one()
        studies = connection.execute(
            sa.select(sa.func.count(sa.distinct(t.finding.c.study_id))).where(t.finding.c.code == code)
        ).scalar_one()
    assert again.reprocess(done, again.Selection(*EVER, code=code), "x", dry_run=True) == studies
    assert again.reprocess(done, again.Selection(*EVER, code="no.such"), "x", dry_run=True) == 0


def test_a_reason_is_wanted_and_days_in_order(done):
    with pytest.raises(ConfigurationError) as caught:
        again.reprocess(done, again.Selection(EVER[1], EVER[0]), " ", dry_run=False)
    assert len(caught.value.problems) == 2


def test_on_the_command_line(done, chosen):
    told = CliRunner().invoke(app, ["reprocess", "1900-01-01", "2100-01-01", "--reason", "x", "--dry-run"])
    assert (told.exit_code, told.stdout) == (0, "3 studies would be checked again.\n")
    assert CliRunner().invoke(app, ["reprocess", "yesterday", "--reason", "x"]).exit_code == 2
