"""What an archive source must know of its last look: a text that the caller keeps."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass
class Known:
    """What is known of a study.

    Attributes
    ----------
    total
        Instances that the archive counted at the last look; None: it does not.
    same_since
        Since when the count is that.
    missing_since
        Since when some are missing; None: none are.
    asked_at, tries
        When it was asked for last, and how often while some were missing.
    listed
        Instances that the list of studies gave at the last count, to see that it has grown.
    done
        It was handed over as it is now: all of it, or what there was after the patience ended.
    given_up
        It is not asked for any more.
    date, time
        Of the study, as the archive listed them.
    """

    total: int | None = None
    same_since: float = 0.0
    missing_since: float | None = None
    asked_at: float = 0.0
    tries: int = 0
    listed: int | None = None
    done: bool = False
    given_up: bool = False
    date: str = ""
    time: str = ""

    @property
    def open(self) -> bool:
        """Whether it has to be asked for again, whether it is listed or not."""
        return not self.given_up and (self.missing_since is not None or not self.done)


@dataclass
class Cursor:
    """Until when was asked; what is known of each study of the window, and of each older one of which something is missing.

    `feed` is a place in a change feed, `taken` the series taken a device and day where the settings limit them.
    """

    until: str = ""
    studies: dict[str, Known] = field(default_factory=dict)
    feed: dict[str, Any] = field(default_factory=dict)
    taken: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str | None) -> Cursor:
        """Read a cursor; one that cannot be read is an empty one: a lost cursor costs time, nothing else."""
        try:
            data = json.loads(text or "{}")
            studies = {str(uid): Known(**one) for uid, one in data.get("studies", {}).items()}
            until = str(data.get("until", ""))
            if until:
                datetime.fromisoformat(until)
            return cls(until, studies, dict(data.get("feed", {})), {str(key): list(uids) for key, uids in data.get("taken", {}).items()})
        except (ValueError, TypeError, AttributeError):
            return cls()

    def text(self) -> str:
        """Write it: always the same text for the same state."""
        plain = Known()
        studies = {
            uid: {one.name: value for one in dataclasses.fields(known) if (value := getattr(known, one.name)) != getattr(plain, one.name)}
            for uid, known in self.studies.items()
        }
        return json.dumps({"until": self.until, "studies": studies, "feed": self.feed, "taken": self.taken}, sort_keys=True)
