"""What sources say a study is: noted when they are asked, compared with what is here when the study is checked."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qc.expected import Announced, against_source
from qc.results import Finding
from reports.store import schema as t
from reports.store.connect import insert, now
from reports.store.ledger import source_id


def note(connection: Connection, source: str, study_uid: str, told: Announced) -> bool:
    """Keep what a source says of a study; True where it is news. A study that is here already is looked at again then."""
    content = _plain(told)
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]
    at, sid = now(connection), source_id(connection, source)
    where = (t.announced.c.study_uid == study_uid, t.announced.c.source_id == sid)
    if connection.execute(sa.select(t.announced.c.digest).where(*where)).scalar() == digest:
        return False
    row = insert(connection, t.announced).values(study_uid=study_uid, source_id=sid, content=content, digest=digest, at=at)
    row = row.on_conflict_do_update(
        index_elements=["study_uid", "source_id"], set_={name: row.excluded[name] for name in ("content", "digest", "at")}
    )
    connection.execute(row)
    connection.execute(sa.update(t.arrival).where(t.arrival.c.study_uid == study_uid).values(open=True, changed_at=at))
    return True


def findings(connection: Connection, study_id: int, study_uid: str) -> list[Finding]:
    """Compare the files of a revision with what its sources said; nothing where none said anything."""
    told = connection.execute(sa.select(t.announced.c.content).where(t.announced.c.study_uid == study_uid)).scalars().all()
    if not told:
        return []
    here: dict[str, set[str]] = defaultdict(set)
    held = sa.select(t.instance.c.series_uid, t.instance.c.sop_uid).where(t.instance.c.study_id == study_id)
    for series_uid, sop_uid in connection.execute(held):
        here[series_uid].add(sop_uid)
    found = [one for content in told for one in against_source(study_uid, _announced(content), here)]
    return [replace(one, check="completeness") for one in found]


def _plain(told: Announced) -> dict[str, Any]:
    series = {uid: sorted(one) if one is not None and not isinstance(one, int) else one for uid, one in told.series.items()}
    return {"series": series, "all_series": told.all_series, "instances": told.instances, "series_count": told.series_count}


def _announced(content: dict[str, Any]) -> Announced:
    return Announced(content["series"], content["all_series"], content["instances"], content["series_count"])
