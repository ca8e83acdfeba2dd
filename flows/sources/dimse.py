"""A PACS as a source, by C-FIND and C-GET or C-MOVE. Looking, counting and holding back are those of `flows.sources.archive`."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from flows.dimse import Pacs, Peer
from flows.receiver import Receiver, ReceiverOptions
from flows.sources.archive import ArchiveSource
from flows.sources.wanted import Wanted
from flows.spool import Kept, Spool


class DimseSource(ArchiveSource):
    """Studies of a PACS."""

    def __init__(
        self,
        peer: Peer,
        spool: Spool,
        wanted: Wanted | None = None,
        *,
        arrived: Callable[[], list[Kept]] | None = None,
        inlet: Callable[[], AbstractContextManager[Any]] = nullcontext,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(peer, spool, wanted, talk=lambda: Pacs(peer), arrived=arrived, inlet=inlet, clock=clock)


class Inlet:
    """Our receiver for what a PACS sends by C-MOVE: open while it is asked, and filling the spool of its source."""

    def __init__(self, options: ReceiverOptions, spool: Spool) -> None:
        self.options = options
        self.spool = spool
        self._receiver: Receiver | None = None
        self._came: list[Kept] = []

    def __call__(self) -> Inlet:
        return self

    def __enter__(self) -> Inlet:
        self._receiver = Receiver(self.options, self._keep, self.spool)
        return self

    def __exit__(self, *_: object) -> None:
        if self._receiver is not None:
            self._receiver.stop()
        self._receiver = None

    def _keep(self, _caller: str, kept: Kept) -> None:
        self._came.append(kept)

    def arrived(self) -> list[Kept]:
        """Return what came since it was called last."""
        came, self._came = self._came, []
        return came
