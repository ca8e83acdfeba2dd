"""An archive with DICOMweb as a source. Looking, counting and holding back are those of `flows.sources.archive`."""

from __future__ import annotations

import time
from collections.abc import Callable

from flows.sources.archive import ArchiveSource
from flows.sources.wanted import Wanted
from flows.spool import Spool
from flows.web import Web, WebPeer


class DicomwebSource(ArchiveSource):
    """Studies of an archive, by QIDO-RS and WADO-RS."""

    def __init__(self, peer: WebPeer, spool: Spool, wanted: Wanted | None = None, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__(peer, spool, wanted, talk=lambda: Web(peer), clock=clock)
