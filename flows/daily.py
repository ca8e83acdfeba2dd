"""The daily pass as plain functions: look at the inbox, check what came, write the reports.

    discover_once -> process_batch (again and again, `drain`) -> publish_once        all of it: `run_pass`

Nothing here knows Prefect; the flows call these functions, and `pacsqc run --no-prefect` does too. Every function may be
stopped at any point and called again: the database says what is done, and a study is counted once.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import random
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import date, timedelta
from functools import partial
from pathlib import Path

from flows import drift
from flows.apart import ApartError, check_apart, where
from flows.judges import Runners
from flows.owner import is_dead, new_owner
from flows.parts import added
from flows.settings import Settings, parameters, site_key
from flows.sources import Source, chosen
from flows.sources.folder import FolderSource
from flows.sources.several import Sources
from flows.tally import Tally
from qc.check import load_checks
from qc.dicom import Rejected
from qc.errors import Transient
from qc.results import Finding, Status, Subject
from qc.runner import Options, Report, Runner
from reports.store import Store, Work, open_store

log = logging.getLogger(__name__)

PAUSE_S = 2.0  # between two looks at an inbox that is still filling
LOOK_S = 3600.0  # a look at a source that takes longer than this may meet another one, which does no harm
TRY_AGAIN_S = 60.0  # before a study that could not be checked for a reason outside is tried again


def open_for(settings: Settings) -> Store:
    """Open the database of the settings; trends are judged by their rules."""
    store = open_store(settings.database_url, settings.site.timezone or None)
    if settings.trends != type(settings.trends)():
        from reports.charts.judge import Rules  # NumPy takes its time, and the usual rules need nothing

        store.chart_rules = Rules(settings.trends.rules, int(settings.trends.run))
    return store


def source_for(settings: Settings) -> FolderSource:
    """Return the inbox of the settings."""
    return chosen.inbox(settings)


def sources_for(settings: Settings) -> Sources:
    """Return every source of the settings."""
    return chosen.all_sources(settings)


def options_for(settings: Settings) -> Options:
    """Return how checks are run."""
    checks = settings.checks
    return Options(checks.criteria, site_key(settings), parameters=parameters(settings), max_volume_mb=checks.max_volume_mb)


# -- discover -------------------------------------------------------------------------------------------------------


def discover_once(source: Source, store: Store, quiet_s: float, *, sweep: bool = False) -> Tally:
    """Look at a source until there is nothing more, note what is there, and make work of the studies that are complete.

    A study of a source that counts is complete when it is handed over. Else it is when nothing of it came for `quiet_s`:
    where no file of the whole source is younger, the clock of the file system has said so already; else the database
    counts from when it first saw the files. `sweep`: count everything anew, as far back as the source's settings say.
    """
    tally, more, start = Tally(), True, time.monotonic()
    how = {"sweep": True} if sweep and source.counts else {}
    with store.looking(source.name, new_owner(), LOOK_S, is_dead) as mine:
        if not mine:
            log.info("%s is being looked at by another run", source.name)
            return tally
        while more:
            found, cursor = source.observe(store.cursor(source.name), **how)
            aside = [(one.path, one.reason, one.message) for one in found.skipped]
            noted = store.look(source.name, found.seen, aside, found.standings, cursor, found.announced)
            not_taken = sum(one.state == "not_taken" for one in found.standings)
            incomplete = sum(one.state in ("incomplete", "given_up") for one in found.standings)
            tally.add(Tally(files=noted.new + noted.changed, skipped=len(aside), not_taken=not_taken, incomplete=incomplete))
            more = found.more
    if source.counts:
        store.reached(source.name, time.monotonic() - start)
    quiet = source.counts or not (found.waiting or found.young)
    tally.studies = store.settle(0.0 if quiet else quiet_s, checks=checks_hash(), source=source.name)
    open_studies = not quiet and store.tally()["arriving"]
    tally.arriving = found.waiting + (found.young if open_studies else 0)
    return tally


def discover(source: Source, store: Store, quiet_s: float, *, patient: bool = False, sweep: bool = False) -> Tally:
    """Look once; where files are still arriving and `patient`, look again until they are quiet, for as long as that may take."""
    tally = discover_once(source, store, quiet_s, sweep=sweep)
    if not (patient and tally.arriving):
        return tally
    log.info("%d files came just now; waiting until nothing has come for %g s (--no-wait: leave them for now)", tally.arriving, quiet_s)
    last_news, pause = time.monotonic(), min(PAUSE_S, max(quiet_s / 4, 0.1))
    while tally.arriving and time.monotonic() - last_news < quiet_s + 2 * pause:
        time.sleep(pause)
        again = discover_once(source, store, quiet_s)
        if again.files or again.skipped:
            last_news = time.monotonic()
        tally.add(again)
        tally.arriving = again.arriving
    return tally


def discover_all(sources: Sources, store: Store, *, patient: bool = False) -> Tally:
    """Look at every source. One that cannot be reached now does not keep the others; it is told of, and its turn comes again.

    Raises
    ------
    Transient
        If none of them could be reached.
    """
    total, failed = Tally(), []
    for source in sources:
        try:
            one = discover(source, store, source.quiet_s, patient=patient)
        except Transient as error:
            unreachable(store, source, error)
            failed.append(error)
            continue
        arriving = total.arriving + one.arriving
        total.add(one)
        total.arriving = arriving
    total.unreachable = len(failed)
    if failed and len(failed) == len(sources):
        raise failed[0]
    return total


def unreachable(store: Store, source: Source, error: Transient) -> None:
    """Note that a source did not answer."""
    log.warning("%s: %s; it is asked again in the next run", source.name, error)
    store.reached(source.name, None, str(error))


def checks_hash() -> str:
    """Return what tells one set of checks from another: ids and versions."""
    text = ",".join(f"{spec.id}/{spec.version}" for spec in load_checks())
    return hashlib.sha256(text.encode()).hexdigest()[:16]


# -- process --------------------------------------------------------------------------------------------------------


def free_the_dead(store: Store) -> int:
    """Give back what dead processes of this machine held, without waiting for their leases to run out.

    Whoever was killed may have been killed for any reason, so the study is not set aside for it, however often it happens. But
    from now on it is checked in a process of its own, and if that dies too, it was the study.
    """
    dead = [(work_id, owner) for work_id, owner in store.leases() if is_dead(owner)]
    for work_id, owner in dead:
        store.free(work_id, owner, "died", "the process that worked on it ended")
    return len(dead)


def process_batch(store: Store, sources: Sources | Source, settings: Settings, owner: str) -> Tally:
    """Claim studies one after another, check each, keep its results; stop after `batch_size` or when there is none.

    A study is claimed when its turn comes, not with the batch: whoever dies takes one study with it, and only that one
    has an attempt less. What goes wrong with a study is that study's own: the others go on.
    """
    tally = Tally()
    with Runners(store, options_for(settings)) as runners:
        for _ in range(settings.run.batch_size):
            work = next(iter(store.claim(owner, 1, settings.run.lease_seconds)), None)
            if work is None:
                break
            _process(store, runners, sources, settings, owner, work, tally)
    return tally


def process_study(store: Store, sources: Sources | Source, settings: Settings, study_uid: str) -> bool:
    """Check one study for which work waits, now and in a process of its own; False where it was not done (another run has it)."""
    owner, tally = new_owner(), Tally()
    with Runners(store, options_for(settings)) as runners:
        for work in store.claim(owner, 1, settings.run.lease_seconds, study_uid):
            _process(store, runners, sources, settings, owner, work, tally, apart=True)
    return tally.checked == 1


def _process(
    store: Store, runners: Runners, sources: Sources | Source, settings: Settings, owner: str, work: Work, tally: Tally, *, apart: bool = False
) -> None:  # fmt: skip
    """Check a claimed study and keep its results, or give it back; count what became of it."""
    tally.claimed += 1
    check = partial(_check, apart=True) if apart else _check
    try:
        report = check(store, runners, sources, work, settings.run.lease_seconds)
        kept = store.complete(work.id, owner, report, site_key(settings))
    except Transient as error:
        store.give_back(work.id, owner, "transient", str(error), TRY_AGAIN_S * work.attempts * random.uniform(0.5, 1.5))
        tally.given_back += 1
        return
    except Exception as error:
        # The border of a batch: whatever it was, it stays with its study. Three times, and the study is set aside.
        store.give_back(work.id, owner, type(error).__name__, str(error) if isinstance(error, ApartError) else where(error))
        return
    if kept:
        tally.checked += 1
        tally.statuses[report.status.value] = tally.statuses.get(report.status.value, 0) + 1
    else:
        tally.lost += 1


def _check(store: Store, runners: Runners, sources: Sources | Source, work: Work, deadline_s: float, *, apart: bool = False) -> Report:
    """Run the checks on the files of one study; in a process of its own where asked, or where an earlier attempt came to nothing."""
    paths, bare = as_sources(sources).fetch(work)
    present = [path for path in paths if path.exists()]
    heads = [path for path in present if path in bare]
    whole = [path for path in present if path not in bare]
    runner = runners.for_study(present, work.by_hand)
    parts = [(runner.options, whole)] if whole or not heads else []
    parts += [(dataclasses.replace(runner.options, pixels=False), heads)] if heads else []
    report = Report()
    for options, some in parts:
        if apart or work.attempts > 1:
            one = check_apart(options, some, deadline_s)
        elif options.pixels:
            one = runner.paths(some)
        else:
            with Runner(options) as other:
                one = other.paths(some)
        report = one if not report.given else added(report, one)
    drift.add(store, runner, report)
    gone = [path.name for path in paths if not path.exists()]
    if gone:
        report.given += len(gone)
        report.skipped += [Rejected(name, "gone", "the file was no longer there when its turn came") for name in gone]
        text = f"{len(gone)} of {len(paths)} files were gone from the inbox before they could be checked, first {gone[0]}"
        subject = Subject("study", work.study_uid or None)
        advice = "Something empties the inbox too early, or they were deleted after upkeep.keep_days. Send the study again."
        report.findings.append(Finding("file.gone", Status.NOT_EVALUABLE, text, subject, {"count": len(gone)}, advice, "files"))
    return report


def as_sources(some: Sources | Source) -> Sources:
    """Return one source as several."""
    return some if isinstance(some, Sources) else Sources([some])


def drain(store: Store, sources: Sources | Source, settings: Settings) -> Tally:
    """Work on batches, as many at a time as the settings say, until nothing is left to do."""
    tally = Tally()
    free_the_dead(store)
    with ThreadPoolExecutor(settings.run.workers) as pool:
        running: set[Future[Tally]] = set()
        while True:
            for _ in range(batches_wanted(store, settings) - len(running)):
                running.add(pool.submit(process_batch, store, sources, settings, new_owner()))
            if not running:
                return tally
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for one in done:
                tally.add(one.result())


def batches_wanted(store: Store, settings: Settings) -> int:
    """Return how many batches should be at work: at most `workers`, and none that would find nothing."""
    return min(settings.run.workers, -(-store.claimable() // settings.run.batch_size))


# -- publish --------------------------------------------------------------------------------------------------------


def publish_once(store: Store, settings: Settings) -> Tally:
    """Bring trends and the ledger of problems up to date, write the report of every day that has news, tell those who want to be told.

    The newest day first: its report tells what arrived late for an earlier day, which it could not know any more were that
    day's own report written before.
    """
    from flows import tell

    tell.note_problems(store, settings, tell.found_elsewhere(store, settings))
    days = sorted({*store.stale_days(), *_without_a_test(store, settings)})
    for day in reversed(days):
        write_report(store, settings, day)
    tally = Tally(days=[day.isoformat() for day in days])
    if settings.alert_urls:
        tally.add(tell.send_waiting(store, settings))
    return tally


def _without_a_test(store: Store, settings: Settings) -> list[date]:
    """Return the last days before today on which tests were expected and nothing came at all, and that have no report yet."""
    if not settings.phantoms.days:
        return []
    from reports import due

    rules = [due.parse(text) for text in settings.phantoms.days]
    known, written = set(store.days()), set(store.written_days())
    today = store.now().astimezone(store.zone).date()
    days = [today - timedelta(days=back) for back in range(1, due.LOOK_BACK + 1)]
    return [
        day
        for day in days
        if known and min(known) <= day and day not in known | written and due.of_day(store, rules, day, settings.phantoms.holidays)
    ]


def write_report(store: Store, settings: Settings, day: date) -> Path:
    """Write the report of a day; return where it is."""
    from reports import daily as report  # takes its time, and a pass without news does not need it
    from reports import due

    rules = [due.parse(text) for text in settings.phantoms.days]
    expected = {"rules": rules, "holidays": settings.phantoms.holidays}
    return report.write(store, day, settings.reports_folder, site=settings.site.name, **expected)


# -- all of it ------------------------------------------------------------------------------------------------------


def run_pass(settings: Settings, *, patient: bool = True) -> Tally:
    """Discover, process, publish."""
    sources = sources_for(settings)
    with open_for(settings) as store:
        tally = discover_all(sources, store, patient=patient)
        tally.add(drain(store, sources, settings))
        tally.add(publish_once(store, settings))
    return tally
