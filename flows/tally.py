"""What a step of the daily pass did, in numbers."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field


@dataclass
class Tally:
    """What was done, in numbers. Adds up: a pass is the sum of its steps.

    Attributes
    ----------
    files, skipped
        Files that were new or changed; files that gave no instance.
    arriving
        Files that wait because they, or others of their study, came only now.
    studies
        Studies that got work.
    checked
        Studies whose results were kept; `statuses` says how they came out.
    lost
        Results thrown away because another worker had taken over.
    given_back
        Studies that could not be checked now.
    alerts, unsent
        Alerts that were sent; alerts that wait because they could not be.
    not_taken, incomplete
        Studies that the settings leave out; studies of which an archive counts more than came.
    unreachable
        Sources that did not answer.
    """

    files: int = 0
    skipped: int = 0
    arriving: int = 0
    studies: int = 0
    claimed: int = 0
    checked: int = 0
    lost: int = 0
    given_back: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    days: list[str] = field(default_factory=list)
    alerts: int = 0
    unsent: int = 0
    not_taken: int = 0
    incomplete: int = 0
    unreachable: int = 0

    def add(self, other: Tally) -> None:
        """Add what another step did. `arriving`, `unsent` and `unreachable` are not added: they are states, not deeds."""
        for name in ("files", "skipped", "studies", "claimed", "checked", "lost", "given_back", "alerts", "not_taken", "incomplete"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for status, count in other.statuses.items():
            self.statuses[status] = self.statuses.get(status, 0) + count
        self.days = sorted({*self.days, *other.days})
        self.unsent = max(self.unsent, other.unsent)
        self.unreachable = max(self.unreachable, other.unreachable)

    def plain(self) -> dict[str, object]:
        """Return it as a dictionary of plain values."""
        return dataclasses.asdict(self)
