"""The ledger: nothing is lost, nothing is done twice, whoever dies and whenever."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from dataclasses import replace
from datetime import date

import pytest
import sqlalchemy as sa
from reports_made import KEY, finding, report, run, seen, study, subject, uid
from reports_workers import claim_all, claim_and_hang

from qc.errors import ConfigurationError, Transient
from reports import frames
from reports.store import Observed, Store, open_store
from reports.store import schema as t

SPAWN = multiprocessing.get_context("spawn")


def rows(store: Store, table: sa.Table) -> int:
    with store.reading() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def fill(store: Store, count: int, images: int = 2) -> list[str]:
    numbers = [uid(n) for n in range(count)]
    for number in numbers:
        store.observe("folder", seen(number, images))
    assert store.settle(0) == count
    return numbers


def test_the_same_files_twice_make_work_once(store: Store) -> None:
    files = seen(uid(1), 4)
    assert store.observe("folder", files) == Observed(new=4)
    assert store.settle(0) == 1
    assert store.observe("folder", files) == Observed(unchanged=4)
    assert store.settle(0) == 0
    assert store.tally()["ready"] == 1
    assert store.known("folder")[files[0].path] == (files[0].size, 1)


def test_a_touched_file_is_the_same_where_its_digest_is(store: Store) -> None:
    files = seen(uid(1), 2)
    store.observe("folder", files)
    store.settle(0)
    assert store.observe("folder", [replace(one, mtime_ns=99) for one in files]) == Observed(changed=2)
    assert store.settle(0) == 0
    assert store.observe("folder", [replace(files[0], digest="other")]) == Observed(changed=1)
    assert store.settle(0) == 1


def test_a_study_is_not_settled_before_it_is_quiet(store: Store) -> None:
    store.observe("folder", seen(uid(1)))
    assert store.settle(quiet_s=60) == 0
    assert store.tally()["arriving"] == 1
    assert store.settle(quiet_s=0) == 1


def test_claim_gives_the_files_of_the_revision(store: Store) -> None:
    store.observe("folder", seen(uid(1), 3))
    store.settle(0)
    store.observe("folder", seen(uid(1), 1, start=9))  # came after, not settled yet
    (work,) = store.claim("a", 5, 60)
    assert (work.study_uid, work.revision, work.attempts) == (uid(1), 1, 1)
    assert [path.name for path in work.paths] == ["1.dcm", "2.dcm", "3.dcm"]
    assert store.claim("b", 5, 60) == []


def test_a_late_object_opens_a_revision_and_supersedes_the_old_results(store: Store) -> None:
    run(store, report(study(uid(1), images=3), (finding(subject(uid(1))),)))
    assert store.day(date(2026, 11, 25)) == [uid(1)]
    later = report(study(uid(1), images=4))
    run(store, later)
    frame = frames.studies(store, date(2026, 11, 25))
    assert frame["revision"].tolist() == [2]
    assert frame["instances"].tolist() == [4]
    assert len(frames.findings(store, date(2026, 11, 25))) == 0
    assert rows(store, t.finding) == 1, "kept, only not shown"


def test_a_late_object_takes_the_work_out_of_the_hands_of_who_has_it(store: Store) -> None:
    store.observe("folder", seen(uid(1), 3))
    store.settle(0)
    (old,) = store.claim("a", 1, 60)
    store.observe("folder", seen(uid(1), 1, start=9))
    assert store.settle(0) == 1
    assert not store.renew(old.id, "a", 60)
    assert not store.complete(old.id, "a", report(study(uid(1))), KEY)
    (new,) = store.claim("a", 1, 60)
    assert (new.revision, len(new.paths)) == (2, 4)


def test_files_that_are_back_as_they_were_are_checked_again(store: Store) -> None:
    first = seen(uid(1), 2)
    store.observe("folder", first)
    store.settle(0)
    store.complete(store.claim("a", 1, 60)[0].id, "a", report(study(uid(1))), KEY)
    for files, revision in ((seen(uid(1), 2, digest="x"), 2), (first, 3)):
        store.observe("folder", files)
        assert store.settle(0) == 1
        (work,) = store.claim("a", 1, 60)
        assert work.revision == revision
        assert store.complete(work.id, "a", report(study(uid(1))), KEY)
    assert len(frames.studies(store, date(2026, 11, 25))) == 1


def test_only_the_owner_completes(store: Store) -> None:
    fill(store, 1)
    (work,) = store.claim("owner", 1, 60)
    made = report(study(work.study_uid), (finding(subject(work.study_uid)),))
    assert not store.complete(work.id, "someone else", made, KEY)
    assert not store.complete(999, "owner", made, KEY)
    assert [rows(store, table) for table in (t.finding, t.series, t.device, t.checkrun)] == [0, 0, 0, 0]
    assert store.tally()["leased"] == 1
    assert store.complete(work.id, "owner", made, KEY)
    assert not store.complete(work.id, "owner", made, KEY), "a second time"
    assert rows(store, t.finding) == 1


def test_an_error_while_writing_leaves_nothing_behind(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(store, 1)
    (work,) = store.claim("a", 1, 60)
    made = report(study(work.study_uid), (finding(subject(work.study_uid)),))
    made.ran = [replace(made.ran[0], check=None)]  # type: ignore[arg-type]  # not null in the table
    with pytest.raises(sa.exc.IntegrityError):
        store.complete(work.id, "a", made, KEY)
    assert rows(store, t.finding) == rows(store, t.series) == 0
    assert store.renew(work.id, "a", 60)


def test_given_back_three_times_is_set_aside_with_an_error(store: Store) -> None:
    (number,) = fill(store, 1, images=5)
    for attempt in (1, 2, 3):
        (work,) = store.claim("a", 1, 60)
        assert work.attempts == attempt
        store.give_back(work.id, "a", "transient", "the archive did not answer: /mnt/archive/DOE_JANE/x.dcm")
    assert store.claim("a", 1, 60) == []
    assert store.tally()["quarantined"] == 1
    (day,) = store.days()
    found = frames.findings(store, day)
    assert found["code"].tolist() == ["study.not_checked"]
    assert "DOE_JANE" not in found["message"][0]
    assert frames.studies(store, day)[["study_uid", "status", "files", "instances"]].values.tolist() == [[number, "error", 5, 5]]


def test_given_back_with_a_delay_is_not_claimed_before(store: Store) -> None:
    fill(store, 1)
    (work,) = store.claim("a", 1, 60)
    store.give_back(work.id, "a", "transient", "not now", delay_s=0.3)
    assert store.claim("a", 1, 60) == []
    time.sleep(0.35)
    assert len(store.claim("a", 1, 60)) == 1


def test_processes_create_the_database_at_once_and_claim_apart(url: str) -> None:
    ready, go, out = SPAWN.Queue(), SPAWN.Event(), SPAWN.Queue()
    workers = [SPAWN.Process(target=claim_all, args=(url, f"w{n}", ready, go, out)) for n in range(3)]
    for worker in workers:
        worker.start()
    for _ in workers:
        ready.get(timeout=60)
    with open_store(url) as store:
        fill(store, 300, images=1)
    go.set()
    claimed = [out.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    together = [one for some in claimed for one in some]
    assert len(together) == len(set(together)) == 300
    assert sum(map(bool, claimed)) > 1, "more than one got some"


def test_killed_between_claim_and_complete(store: Store, url: str) -> None:
    (number,) = fill(store, 1)
    out = SPAWN.Queue()
    child = SPAWN.Process(target=claim_and_hang, args=(url, 0.5, out))
    child.start()
    work_id = out.get(timeout=60)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    assert rows(store, t.finding) == 0
    deadline = time.monotonic() + 10
    while not (again := store.claim("heir", 1, 60)):
        assert time.monotonic() < deadline, "the lease never ran out"
        time.sleep(0.05)
    assert (again[0].id, again[0].attempts) == (work_id, 2)
    made = report(study(number), (finding(subject(number)),))
    assert not store.complete(work_id, "doomed", made, KEY), "back from the dead"
    assert store.complete(work_id, "heir", made, KEY)
    assert rows(store, t.finding) == 1
    assert store.tally()["done"] == 1


def test_who_dies_three_times_is_set_aside(store: Store) -> None:
    fill(store, 2)
    for attempt in (1, 2, 3):
        works = store.claim(f"w{attempt}", 5, 0.02)
        assert {work.attempts for work in works} == {attempt}
        time.sleep(0.05)
    assert store.claim("next", 5, 60) == []
    assert store.tally()["quarantined"] == 2
    with store.reading() as connection:
        outcomes = connection.execute(sa.select(t.attempt.c.outcome)).scalars().all()
    assert outcomes.count("quarantined") == 2
    assert len(outcomes) == 6


def test_skipped_files_are_noted_once(store: Store) -> None:
    for _ in range(3):
        store.skip("folder", "a/notes.txt", "not_dicom", "the file is not DICOM")
    store.skip("folder", "/mnt/archive/DOE_JANE/half.dcm", "truncated", "cut off in /mnt/archive/DOE_JANE/half.dcm")
    store.skip("folder", "b/notes.txt", "not_dicom", "the file b/notes.txt is not DICOM")
    frame = frames.skipped(store, date(2026, 11, 25))
    assert sorted(frame["path"]) == ["half.dcm", "notes.txt", "notes.txt"]
    assert frame["folder"].str.fullmatch("[0-9a-f]{8}").all()
    assert frame["folder"].nunique() == 3
    assert "the file notes.txt is not DICOM" in frame["message"].tolist()
    assert not frame.astype(str).apply(lambda column: column.str.contains("DOE_JANE")).any().any()


def test_a_file_that_can_be_read_after_all_is_no_longer_skipped(store: Store) -> None:
    (one,) = seen(uid(1), 1)
    store.skip("folder", one.path, "truncated", "the file ends before its header is complete")
    store.observe("folder", [one])
    assert len(frames.skipped(store, date(2026, 11, 25))) == 0


@pytest.mark.usefixtures("sqlite_only")
def test_a_locked_database_is_transient(store: Store, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reports.store.connect.BUSY_S", 0.05)
    with open_store(url) as other, store.writing(), pytest.raises(Transient, match="locked"):
        other.skip("folder", "x", "empty", "no bytes")


@pytest.mark.parametrize("bad", ["mysql://host/db", "sqlite://", "nonsense", "sqlite:///:memory:"])
def test_urls_that_cannot_be_used(bad: str) -> None:
    with pytest.raises(ConfigurationError, match=r"database\.url"):
        open_store(bad)


def test_a_zone_that_is_none(url: str) -> None:
    with pytest.raises(ConfigurationError, match="Europe/Vienna"):
        open_store(url, "Middle/Earth")


# -- what the flows ask for -------------------------------------------------------------------------------------


def test_cursors_are_kept_by_source(store: Store) -> None:
    assert store.cursor("folder") is None
    store.keep_cursor("folder", "a")
    store.keep_cursor("archive", "b")
    store.keep_cursor("folder", "c")
    assert (store.cursor("folder"), store.cursor("archive")) == ("c", "b")


def test_leases_and_what_could_be_claimed(store: Store) -> None:
    assert (store.claimable(), store.leases()) == (0, [])
    fill(store, 3)
    assert store.claimable() == 3
    works = store.claim("a", 2, 60)
    assert store.claimable() == 1
    assert store.leases() == sorted((work.id, "a") for work in works)
    store.give_back(works[0].id, "a", "transient", "not now", delay_s=60)
    assert store.claimable() == 1, "not before its time"


def test_an_attempt_that_was_not_the_studys_fault_does_not_count(store: Store) -> None:
    fill(store, 1)
    for attempt in range(1, 8):
        (work,) = store.claim("a", 1, 60)
        assert work.attempts == attempt, "it is told all the same"
        assert not store.free(work.id, "someone else", "died", "")
        assert store.free(work.id, "a", "died", "the machine was switched off")
    for _ in range(2):
        (work,) = store.claim("a", 1, 60)
        store.give_back(work.id, "a", "transient", "not now")
    assert store.tally()["ready"] == 1
    (work,) = store.claim("a", 1, 60)
    store.give_back(work.id, "a", "transient", "not now")
    assert store.tally()["quarantined"] == 1, "three that did count"


# -- days whose report is stale ---------------------------------------------------------------------------------

DAY = date(2026, 11, 25)


def test_a_day_is_stale_until_its_report_tells_all(store: Store) -> None:
    assert store.stale_days() == []
    run(store, report(study(uid(1))))
    run(store, report(study(uid(2), StudyDate="20261120")))
    assert store.stale_days() == [date(2026, 11, 20), DAY]
    for day in store.stale_days():
        store.report_written(day, "x", store.now())
    assert store.stale_days() == []
    run(store, report(study(uid(3), StudyDate="20261120")))
    assert store.stale_days() == [date(2026, 11, 20)]


def test_files_set_aside_alone_make_the_newest_day_stale(store: Store) -> None:
    today = store.now().astimezone(store.zone).date()
    run(store, report(study(uid(1), StudyDate=f"{today:%Y%m%d}")))
    run(store, report(study(uid(2), StudyDate="20260301")))
    for day in store.stale_days():  # the older day is written first, and must not take what has no day
        store.skip("folder", "early", "truncated", "cut off") if day != today else None
        store.report_written(day, "x", store.now())
    assert frames.skipped(store, today)["path"].tolist() == ["early"]
    assert store.stale_days() == []
    store.skip("folder", "stray", "truncated", "cut off")
    assert store.stale_days() == [today]
    store.report_written(today, "x", store.now())
    assert store.stale_days() == []
    assert sorted(frames.skipped(store, today)["path"]) == ["early", "stray"]


def test_files_set_aside_long_after_the_last_study_have_a_report_of_their_own_day(store: Store) -> None:
    today = store.now().astimezone(store.zone).date()
    store.skip("folder", "stray", "truncated", "cut off")
    assert store.stale_days() == [today], "also where there never was a study"
    run(store, report(study(uid(1), StudyDate="20260301")))
    store.report_written(date(2026, 3, 1), "x", store.now())
    assert frames.skipped(store, date(2026, 3, 1))["path"].tolist() == ["stray"]
    store.skip("folder", "stray 2", "truncated", "cut off")
    assert store.stale_days() == [today]
    store.report_written(today, "x", store.now())
    assert store.stale_days() == []
    assert frames.skipped(store, today)["path"].tolist() == ["stray 2"]


def test_an_error_in_what_belongs_to_the_note_leaves_no_note(store: Store) -> None:
    run(store, report(study(uid(1))))
    with pytest.raises(ZeroDivisionError):
        store.report_written(DAY, "x", store.now(), lambda _: 1 / 0)
    assert store.stale_days() == [DAY]
