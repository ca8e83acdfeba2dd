"""The demonstration: a made-up day with planted faults, the daily pass on it, and what was found."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

from flows import daily, settings
from flows.daily import Tally
from flows.outcome import in_words
from flows.settings import Settings
from flows.terminal import table
from qc.errors import ConfigurationError

log = logging.getLogger(__name__)

MARK = ".pacsqc-demo"
OURS = ("inbox", "reports", "unpacked", "results.sqlite", "results.sqlite-shm", "results.sqlite-wal")
BAD = ("fail", "error")


@contextmanager
def chosen(own: Settings) -> Iterator[Settings]:
    """Give settings that work in the folder demo inside the data folder, on a database of its own."""
    folder = own.data.folder / "demo"
    database = f"sqlite:///{(folder / 'results.sqlite').absolute()}"
    with settings.overridden(data_folder=folder, inbox_folder=folder / "inbox", inbox_quiet_seconds=0, database_url=database) as values:
        yield values


def prepare(values: Settings, seed: int, day: date | None = None) -> dict[str, Any]:
    """Empty the demo folder and write the studies of a day (yesterday) into its inbox; return the answer key.

    Raises
    ------
    ConfigurationError
        If there is a folder of that name that no demo made.
    """
    from phantoms.synthetic.day import write_demo_day

    folder = values.data.folder
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise ConfigurationError(f"the folder {str(folder)!r} was not made by a demo and is left alone; name another one by --data")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).touch()
    for name in OURS:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    log.info("writing a made-up day of studies to %s", values.inbox_folder)
    key = write_demo_day(values.inbox_folder, seed, day or date.today() - timedelta(days=1))
    return key


def compare(values: Settings, key: dict[str, Any], done: Tally) -> tuple[str, bool]:
    """Hold what was found against the answer key; return the text, and whether all planted faults were found and nothing else failed."""
    found = _found(values, date.fromisoformat(key["date"]))
    rows = [("STUDY", "WHAT", "PLANTED", "FOUND", "")]
    good = True
    for study in key["studies"]:
        codes = found.get(study["study_uid"], {})
        planted = study["code"]
        bad = {code for code, statuses in codes.items() if statuses & set(BAD)}
        hit = planted in codes and study["status"] in codes[planted] if planted else not bad
        extra = sorted(bad - {planted}) if planted else []
        good = good and hit and study["study_uid"] in found
        what = f"{study['fault'].replace('_', ' ')} ({planted})" if planted else "-"
        words = planted if planted and hit else ", ".join(sorted(codes if planted else bad)) or "nothing wrong"
        verdict = ("found" if planted else "right") if hit else ("MISSED" if planted else "FALSE ALARM")
        rows.append(
            (study["folder"], study["recipe"].replace("_", " "), what, words, verdict + (f", also {', '.join(extra)}" if extra else ""))
        )
    planted_count = sum(1 for study in key["studies"] if study["code"])
    found_count = sum(1 for row in rows[1:] if row[4].startswith("found"))
    return f"{table(rows)}\n{found_count} of {planted_count} planted faults found.\n{in_words(done, values)}\n", good


def _found(values: Settings, day: date) -> dict[str, dict[str, set[str]]]:
    """Return study UID -> finding code -> statuses, for the studies of a day."""
    from reports import frames

    with daily.open_for(values) as store:
        codes: dict[str, dict[str, set[str]]] = {uid: {} for uid in store.day(day)}
        table_ = frames.findings(store, day)
        for uid, code, status in zip(table_["study_uid"], table_["code"], table_["status"], strict=True):
            codes.setdefault(uid, {}).setdefault(code, set()).add(status)
    return codes
