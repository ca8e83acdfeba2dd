"""A PACS that counts more than it sends: the daily pass says which series lacks how many, and by name which; once they come, nothing."""

from __future__ import annotations

from datetime import datetime

import pytest
import sqlalchemy as sa
from fake_pacs import FakePacs
from pacs_peers import series

from flows import daily, settings
from flows.dimse import Peer
from flows.sources.dimse import DimseSource, Wanted
from flows.spool import Spool
from reports.store import schema as t

pytestmark = pytest.mark.pacs
STUDY = "1.2.826.0.1.3680043.8.498.77.1"


class Clock:
    now = datetime(2026, 11, 20, 12).timestamp()

    def __call__(self) -> float:
        return self.now


def counts_of(chosen) -> list[tuple]:
    wanted = sa.select(t.finding.c.code, t.finding.c.status, t.finding.c.series_uid, t.finding.c.details)
    with daily.open_for(chosen) as store, store.reading() as connection:
        rows = connection.execute(wanted.join(t.study).where(t.CURRENT, t.finding.c.check == "completeness")).all()
    return [tuple(row) for row in rows if row.details.get("source") == "source"]


@pytest.mark.parametrize("image_level", [True, False])
def test_what_the_pacs_counts_and_does_not_send(tmp_path, image_level):
    first, second = series(STUDY, 6, "a"), series(STUDY, 3, "b")
    lost = [str(first[2].SOPInstanceUID), *(str(one.SOPInstanceUID) for one in second)]
    clock = Clock()
    with (
        FakePacs([*first, *second], lose=lambda asked, uids: lost, image_level=image_level) as fake,
        settings.overridden(data_folder=tmp_path / "data") as chosen,
        daily.open_for(chosen) as store,
    ):
        peer = Peer("the PACS", "127.0.0.1", fake.port, "FAKE", connect_s=5, answer_s=10)
        source = DimseSource(peer, Spool(tmp_path / "spool"), Wanted(patience_s=600), clock=clock)

        def one_pass():
            daily.discover_once(source, store, 0)
            return daily.drain(store, source, chosen)

        assert one_pass().checked == 0  # held back: the rest may come
        clock.now += 601
        assert one_pass().statuses == {"fail": 1}
        found = {code: (status, details) for code, status, _, details in counts_of(chosen)}
        assert set(found) == {"series.incomplete", "study.incomplete"}
        assert {status for status, _ in found.values()} == {"fail"}
        short, absent = found["series.incomplete"][1], found["study.incomplete"][1]
        assert (short["expected"], short["received"], short["missing_count"]) == (6, 5, 1)
        assert short["missing"] == (lost[:1] if image_level else [])
        assert (absent["missing_series"], absent["missing_objects"]) == ([str(second[0].SeriesInstanceUID)], 3)
        fake.lose = None
        clock.now += 241  # the pause doubles with each try that brought nothing
        one_pass()
        assert counts_of(chosen) == []
