"""Check studies again that were checked before: after a change of the checks or their parameters, or because somebody asks."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import date

from flows.daily import checks_hash
from flows.who import login
from qc.errors import ConfigurationError
from reports.store import Store


@dataclass(frozen=True)
class Selection:
    """Which studies: those of some days; of them only those with a finding of some code, or a series of some modality."""

    first: date
    last: date
    code: str = ""
    modality: str = ""


def reprocess(store: Store, selection: Selection, reason: str, *, dry_run: bool) -> int:
    """Make work of the selected studies, for the next pass; return how many they are.

    Raises
    ------
    ConfigurationError
        If there is no reason, or the days are the wrong way round.
    """
    problems = [] if reason.strip() else ["a reason is wanted: it stands in the audit log"]
    if selection.last < selection.first:
        problems.append(f"the last day {selection.last} is before the first {selection.first}")
    if problems:
        raise ConfigurationError(problems)
    uids = store.selected(selection.first, selection.last, selection.code, selection.modality)
    if dry_run or not uids:
        return len(uids)
    made = store.again(uids, checks=f"{checks_hash()}+{secrets.token_hex(4)}")
    about = {
        "first": selection.first.isoformat(),
        "last": selection.last.isoformat(),
        "code": selection.code,
        "modality": selection.modality,
    }
    store.log(login(), "work.again", None, {**about, "studies": made}, reason)
    return made
