"""A notifier of our own, and studies that fail."""

from __future__ import annotations

from typing import Any

from reports_made import finding, report, run, study, subject, uid

from qc.results import Status
from reports.store import Store


class Box:
    """A notifier that keeps what it is given, and refuses what it is told to."""

    def __init__(self, refuse: tuple[str, ...] = ()) -> None:
        self.got: list[tuple[str, str, str]] = []
        self.refuse = refuse

    def __call__(self, url: str, title: str, text: str, severity: str) -> bool:
        if url in self.refuse:
            return False
        self.got.append((url, title, text))
        return True


def fail(store: Store, number: int, code: str = "slices.missing", status: Status = Status.FAIL, **tags: Any) -> None:
    run(store, report(study(uid(number), **tags), (finding(subject(uid(number)), status, code),)))
