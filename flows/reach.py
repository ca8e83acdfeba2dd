"""Whether the sources answer: asked now, and kept, so that it can be said since when one does not."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.settings import Settings
from flows.source_sections import FolderSection, SourceSection
from flows.sources.chosen import INBOX, conversation
from qc.errors import ConfigurationError, Transient
from reports.store import Store


@dataclass(frozen=True)
class Answer:
    """What a source said: how long it took, in seconds; None, and why, where it did not answer."""

    source: str
    kind: str
    latency_s: float | None
    message: str = ""

    def plain(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "source": self.source,
            "kind": self.kind,
            "answered": self.latency_s is not None,
            "latency_s": self.latency_s,
            "message": self.message,
        }

    def in_words(self) -> str:
        """Return it as a line."""
        if self.latency_s is None:
            return f"{self.source} ({self.kind}): no answer: {self.message}"
        return f"{self.source} ({self.kind}): there, {self.latency_s * 1000:.0f} ms"


def ping_all(settings: Settings, store: Store, name: str | None = None) -> list[Answer]:
    """Ask every source, or one, and keep the answers.

    Raises
    ------
    ConfigurationError
        If there is no source of that name.
    """
    sections: dict[str, SourceSection] = {one.name: one for one in settings.sources}
    if not sections or settings.inbox.folder is not None:
        sections[INBOX] = FolderSection(name=INBOX, folder=settings.inbox_folder)
    if name is not None and name not in sections:
        raise ConfigurationError(f"there is no source {name!r}; the settings name {', '.join(sections)}")
    answers = [ping(one) for one in sections.values() if name in (None, one.name)]
    for one in answers:
        store.reached(one.source, one.latency_s, one.message)
    return answers


def ping(one: SourceSection) -> Answer:
    """Ask one source. What is wrong with the way we call it is an answer too: the others are asked all the same."""
    kind = str(one.kind)  # type: ignore[attr-defined]
    try:
        if isinstance(one, FolderSection):
            return Answer(one.name, kind, _look(one.folder))
        with conversation(one)() as archive:
            return Answer(one.name, kind, archive.echo())
    except Transient as error:
        return Answer(one.name, kind, None, str(error))
    except ConfigurationError as error:
        return Answer(one.name, kind, None, "; ".join(error.problems))


def _look(folder: Path) -> float:
    start = time.perf_counter()
    try:
        with os.scandir(folder) as entries:
            next(entries, None)
    except OSError as error:
        raise Transient(f"the folder {folder.name!r} cannot be read ({error.strerror})") from error
    return time.perf_counter() - start
