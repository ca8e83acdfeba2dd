"""What the store can do for what people set by hand in phantom tests. Part of `reports.store.Store`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy.engine import Connection

from qc.errors import ConfigurationError
from reports.store import audit, by_hand, ledger
from reports.store.by_hand import ByHand

URGENT = 100  # priority of work that somebody waits for at the desk


class SetByHand:
    """The methods; each is one transaction."""

    @abstractmethod
    def reading(self) -> AbstractContextManager[Connection]:
        """Give a connection for reading."""

    @abstractmethod
    def writing(self) -> AbstractContextManager[Connection]:
        """Give a connection for writing."""

    def keep_by_hand(
        self, device_id: int | None, study_uid: str | None, check: str, parameters: Mapping[str, Any], who: str, why: str, again: bool
    ) -> int:
        """Keep what a person set in a phantom test; `again`: the automatic runs of the device use it from now on."""
        with self.writing() as connection:
            return by_hand.keep(connection, device_id, study_uid, check, parameters, who, why, again)

    def forget_by_hand(self, device_id: int, check: str, who: str, why: str) -> int:
        """End the use of what was set for a check in automatic runs of a device; return how many settings that ended."""
        with self.writing() as connection:
            return by_hand.forget(connection, device_id, check, who, why)

    def by_hand(self, device_id: int | None = None) -> list[ByHand]:
        """Return what people set by hand, oldest first: of one device, or all."""
        with self.reading() as connection:
            return by_hand.settings(connection, device_id)

    def by_hand_numbered(self, numbers: Iterable[int]) -> list[ByHand]:
        """Return what people set by hand, by its numbers, oldest first."""
        with self.reading() as connection:
            return by_hand.some(connection, numbers)

    def measure_by_hand(
        self, study_uid: str, device_id: int | None, values: Mapping[str, Mapping[str, Any]], who: str, why: str, again: bool, checks: str
    ) -> None:
        """Keep what a person set for the tests of a study (check -> values), and make urgent work of it that is measured so.

        `values` is all that holds for the study from now on; what was set so before stays with whoever set it.
        `checks`: a new text, which tells this work from older.

        Raises
        ------
        ConfigurationError
            As `by_hand.keep`; or if no file of the study is known. Nothing was kept then.
        """
        with self.writing() as connection:
            before = {(one.check, *sorted(one.parameters.items())): one for one in by_hand.of_newest(connection, study_uid)}
            numbers = []
            for check, some in values.items():
                same = before.get((check, *sorted(some.items())))
                stays = same is not None and same.again >= again
                numbers.append(same.id if same and stays else by_hand.keep(connection, device_id, study_uid, check, some, who, why, again))
            self._again(connection, study_uid, numbers, checks)
            audit.log(connection, who, "work.again", f"study:{study_uid}", None, {"by_hand": numbers}, why)

    def measure_as_found(self, study_uid: str, device_id: int | None, who: str, why: str, checks: str) -> None:
        """Make urgent work of a study that is measured without what was set by hand for it; with `device_id` that ends for the device too.

        Raises
        ------
        ConfigurationError
            If no reason is named, or no file of the study is known. Nothing was changed then.
        """
        with self.writing() as connection:
            by_hand.forget_study(connection, study_uid, device_id, who, why)
            self._again(connection, study_uid, (), checks)

    def _again(self, connection: Connection, study_uid: str, numbers: Iterable[int], checks: str) -> None:
        if not ledger.again(connection, [study_uid], checks, by_hand.named(numbers), priority=URGENT):
            raise ConfigurationError("no image of this study is known here, so it cannot be measured again")
