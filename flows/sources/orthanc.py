"""Orthanc as a source: its change feed tells what came. Counting and holding back are those of `flows.sources.archive`."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from flows import inventory
from flows.inventory import Archive, Studies
from flows.rest import Rest, RestPeer
from flows.sources import Observation
from flows.sources.archive import OLD_DAYS, ArchiveSource
from flows.sources.cursor import Cursor
from flows.sources.wanted import Wanted
from flows.spool import Spool


class OrthancSource(ArchiveSource):
    """Studies of an Orthanc."""

    def __init__(self, peer: RestPeer, spool: Spool, wanted: Wanted | None = None, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__(peer, spool, wanted, talk=lambda: Rest(peer), clock=clock)

    def _list(self, archive: Archive, before: Cursor, after: Cursor, today: datetime, sweep: bool, found: Observation) -> Studies:
        """Read the feed from where it was left; on a sweep list the window too, for what a feed that was deleted did not tell."""
        assert isinstance(archive, Rest)
        identity = archive.identity()
        place = int(before.feed.get("last", 0)) if before.feed.get("identity", identity) == identity else 0
        changed, last, all_read = archive.changed(place)
        after.feed = {"last": last, "identity": identity}
        listed = Studies({one.uid: one for one in map(inventory.study_of, changed) if one is not None})
        for uid, known in before.studies.items():  # what did not change is not in the feed: it is still known
            if uid not in listed.found and not known.open and self.clock() - known.asked_at < OLD_DAYS * 86400:
                after.studies[uid] = known
        found.more = not all_read
        if sweep:
            window = super()._list(archive, before, after, today, sweep, found)
            listed.found.update(window.found)
        return listed
