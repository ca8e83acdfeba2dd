"""What is looked after every night, as plain functions: sweep, retention, silent scanners, sources, disk, backup.

sweep -> retention -> notices -> backup        all of it: `run_upkeep`
"""

from __future__ import annotations

import logging
import math
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

from flows import daily
from flows.settings import Settings
from flows.source_sections import ArchiveSection
from flows.sources.chosen import RECEIVED
from flows.sources.several import Sources
from qc.errors import Transient
from reports.store import Store, notices
from reports.store.connect import now

log = logging.getLogger(__name__)

HABIT_DAYS = 90  # how far back the habit of a device is looked for
HABIT_LEAST = 5  # days with studies below which a device has no habit
USUAL = 0.95
REACH_KEPT_DAYS = 400


@dataclass
class Upkeep:
    """What was done, in numbers."""

    swept: int = 0
    freed: int = 0
    deleted: int = 0
    notices: int = 0
    backup: str = ""


def run_upkeep(settings: Settings, *, sweep: bool = True, backup: bool = True) -> Upkeep:
    """Do all of it. What cannot be done now (a source that does not answer) does not keep the rest."""
    done = Upkeep()
    with daily.open_for(settings) as store:
        done.freed = daily.free_the_dead(store)
        sources = daily.sources_for(settings)
        if sweep:
            done.swept = sweep_all(sources, store)
        done.deleted = retention(store, settings)
        notice_all(store, settings)
        done.notices = len(store.notices())
    if backup and settings.upkeep.backup_folder is not None:
        from flows.archived import nightly_backup

        done.backup = nightly_backup(settings).name
    return done


# -- sweep ------------------------------------------------------------------------------------------------------


def sweep_all(sources: Sources, store: Store) -> int:
    """Count everything anew at every archive, as far back as its settings say; return how many files were new."""
    new = 0
    for source in sources:
        try:
            new += daily.discover_once(source, store, source.quiet_s, sweep=True).files
        except Transient as error:
            daily.unreachable(store, source, error)
    return new


# -- retention --------------------------------------------------------------------------------------------------


def retention(store: Store, settings: Settings) -> int:
    """Delete fetched and received files of studies that were checked long ago; phantoms stay. Return how many went.

    Only what is our own copy goes: the spool of archives, and the folder of the receiver. An inbox is never touched.
    """
    days = settings.upkeep.keep_days
    if not days:
        return 0
    roots = {one.name: settings.spool_folder / one.name for one in settings.sources if isinstance(one, ArchiveSection)}
    roots[RECEIVED] = settings.received_folder
    deleted = 0
    while True:
        with store.reading() as connection:
            some = notices.deletable(connection, now(connection), days, roots)
        for _, source, path in some:
            place = roots[source] / path
            if place.resolve().is_relative_to(roots[source].resolve()):
                with suppress(FileNotFoundError):
                    place.unlink()
                    deleted += 1
        with store.writing() as connection:
            notices.expire(connection, [key for key, _, _ in some], now(connection))
        if not some:
            return deleted


# -- notices ----------------------------------------------------------------------------------------------------


def notice_all(store: Store, settings: Settings) -> None:
    """Look for everything that people are to be told of the plant."""
    today = store.now().astimezone(store.zone).date()
    store.notices_now("silent_device", silent_devices(store, settings, today))
    store.notices_now("source_unreachable", unreached(store))
    store.notices_now("disk_low", low_disks(settings))
    with store.writing() as connection:
        notices.forget_reach(connection, now(connection) - timedelta(days=REACH_KEPT_DAYS))


def habit(days: Sequence[date]) -> int | None:
    """Return the pause between the days of a device that 95 % of its pauses do not exceed, in days; None where there are too few days.

    A scanner that works from Monday to Friday has pauses of 1, 1, 1, 1 and 3 days: its habit is 3.
    """
    if len(days) < HABIT_LEAST:
        return None
    pauses = sorted((after - before).days for before, after in pairwise(days))
    return pauses[math.ceil(USUAL * len(pauses)) - 1]


def silent_devices(store: Store, settings: Settings, today: date) -> dict[str, tuple[str, str]]:
    """Return the devices from which nothing came for longer than their habit."""
    with store.reading() as connection:
        days = notices.device_days(connection, today - timedelta(days=HABIT_DAYS), today)
    names = {one.id: one.alias for one in store.devices() if one.merged_into is None and not (one.valid_to and one.valid_to < today)}
    found = {}
    for key, some in days.items():
        usual = habit(some)
        if usual is None or key not in names:
            continue
        silent = (today - some[-1]).days
        if silent > max(settings.upkeep.silent_least_days, settings.upkeep.silent_factor * usual):
            text = f"{names[key]} is silent: no study for {silent} days, its last is of {some[-1]}; it is used to a pause of at most {usual} days"
            found[f"device:{key}"] = ("warn", text)
    return found


def unreached(store: Store) -> dict[str, tuple[str, str]]:
    """Return the sources that do not answer."""
    with store.reading() as connection:
        some = notices.unreached(connection)
    return {
        f"source:{one['source']}": (
            "warn",
            f"{one['source']} has not answered since {one['since'].astimezone(store.zone):%Y-%m-%d %H:%M} ({one['failures']} times): {one['error']}",
        )
        for one in some
    }


def low_disks(settings: Settings) -> dict[str, tuple[str, str]]:
    """Return the folders of ours whose disk is nearly full."""
    found = {}
    for name, folder in {"data": settings.data.folder, "received": settings.received_folder}.items():
        free = shutil.disk_usage(_there(folder)).free >> 20
        if free < settings.upkeep.least_free_mb:
            found[f"disk:{name}"] = (
                "fail",
                f"the disk of the {name} folder has {free} MB left; {settings.upkeep.least_free_mb} MB are wanted",
            )
    return found


def _there(folder: Path) -> Path:
    """Return a folder, or the nearest one above it that is there."""
    return next(one for one in (folder.absolute(), *folder.absolute().parents) if one.is_dir())
