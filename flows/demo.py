"""The demonstration: a made-up day with planted faults, the daily pass on it, and what was found."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
    rows = marks(values, key)
    lines = [("STUDY", "WHAT", "PLANTED", "FOUND", "")]
    for one in rows:
        what = f"{one.fault.replace('_', ' ')} ({one.planted})" if one.planted else "-"
        lines.append((one.folder, one.recipe.replace("_", " "), what, one.found, one.verdict))
    planted = [one for one in rows if one.planted]
    found = sum(one.verdict.startswith("found") for one in planted)
    text = f"{table(lines)}\n{found} of {len(planted)} planted faults found.\n{in_words(done, values)}\n"
    return text, all(one.good for one in rows)


@dataclass(frozen=True)
class Mark:
    """What was planted in one study, what was found in it, and how that is to be called."""

    folder: str
    recipe: str
    fault: str
    planted: str
    found: str
    verdict: str
    good: bool


def marks(values: Settings, key: dict[str, Any]) -> list[Mark]:
    """Compare study by study: the planted code must be there with its status, and nothing else may be fail or error."""
    from phantoms.synthetic.faults import FAULTS

    found = _found(values)
    rows = []
    for study in key["studies"]:
        known, codes = study["study_uid"] in found, found.get(study["study_uid"], {})
        planted = study["code"]
        hit = not planted or study["status"] in codes.get(planted, ())
        allowed = {planted, *(FAULTS[study["fault"]].also if planted else ())}
        extra = sorted(code for code, statuses in codes.items() if statuses & set(BAD) and code not in allowed)
        verdict = "NOT CHECKED" if not known else "MISSED" if not hit else "found" if planted else "right"
        if extra:
            verdict += f", FALSE ALARM: {', '.join(extra)}" if planted else ""
            verdict = verdict if planted else "FALSE ALARM"
        told = planted if planted and hit else ", ".join(sorted(codes) if planted else extra) or "nothing wrong"
        good = known and hit and not extra
        rows.append(Mark(study["folder"], study["recipe"], study["fault"] or "", planted or "", told, verdict, good))
    return rows


def _found(values: Settings) -> dict[str, dict[str, set[str]]]:
    """Return study UID -> finding code -> statuses. Of all days: a fault may be in the date itself."""
    from reports import frames

    codes: dict[str, dict[str, set[str]]] = {}
    with daily.open_for(values) as store:
        for day in store.days():
            codes |= {uid: {} for uid in store.day(day)}
            table_ = frames.findings(store, day)
            for uid, code, status in zip(table_["study_uid"], table_["code"], table_["status"], strict=True):
                codes.setdefault(uid, {}).setdefault(code, set()).add(status)
    return codes
