"""A phantom measured day after day, written straight into the tables: hundreds of studies in a tenth of a second."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from reports import trends
from reports.store import Store
from reports.store import schema as t
from reports.store.connect import now

FIRST = date(2026, 1, 5)
KLASS = "phantom:acr_mri_large"
METRIC = "acr_mri.piu"


def device(store: Store, alias: str = "MR1", modality: str = "MR") -> int:
    values = {"identity": f"i-{alias}", "alias": alias, "modality": modality, "station_names": [alias], "ae_titles": [], "reviewed": True}
    with store.writing() as connection:
        known = connection.execute(sa.select(t.device.c.id).where(t.device.c.identity == values["identity"])).scalar()
        row = sa.insert(t.device).values(**values, created_at=now(connection)).returning(t.device.c.id)
        return int(known or connection.execute(row).scalar_one())


def scan(connection: Any, device_id: int, day: date, value: float | None, **more: Any) -> str:
    """Write one study of one phantom series with one measurement; return the series UID."""
    number = connection.execute(sa.select(sa.func.count()).select_from(t.study)).scalar_one() + 1
    at = now(connection)
    clock = more.pop("time", "07:00:00")
    klass = more.pop("klass", KLASS)
    uid = more.pop("uid", f"1.2.3.{number}")
    study = {
        "study_uid": uid,
        "revision": more.pop("revision", 1),
        "fingerprint": str(number),
        "files": 11,
        "created_at": at,
        "done_at": at,
    }
    study |= {"status": more.get("status", "pass"), "day": day, "local_time": clock, "zone": "UTC", "description": "QA"}
    study_id = connection.execute(sa.insert(t.study).values(**study).returning(t.study.c.id)).scalar_one()
    series = {"study_id": study_id, "device_id": device_id, "series_uid": f"{uid}.1", "number": 1, "description": "ACR", "class": klass}
    series |= {"modality": "MR", "instances": 11, "frames": 11, "status": "pass", "local_time": clock, "coil": more.pop("coil", "HEAD")}
    series |= {"protocol": more.pop("protocol", "TR 500, TE 20, 5 mm"), "facts": more.pop("facts", {})}
    series_id = connection.execute(sa.insert(t.series).values(**series).returning(t.series.c.id)).scalar_one()
    row = {
        "study_id": study_id,
        "series_id": series_id,
        "metric": METRIC,
        "region": "slice7",
        "value": value,
        "unit": "%",
        "status": "pass",
    }
    row |= {"reason": None if value is not None else "phantom_not_found", "method": "acr_mri.piu/1", "level": "series"}
    row |= {"series_uid": series["series_uid"], "details": {}, "evidence": [], **more}
    connection.execute(sa.insert(t.measurement).values(**row))
    return str(series["series_uid"])


def history(
    store: Store, values: Sequence[float | None], *, first: date = FIRST, step: int = 1, alias: str = "MR1", **more: Any
) -> list[str]:
    """Write one scan a day; None leaves the day out. Return the series UIDs."""
    number = device(store, alias)
    with store.writing() as connection:
        uids = [
            scan(connection, number, first + timedelta(days=step * place), value, **more)
            for place, value in enumerate(values)
            if value is not None
        ]
    trends.refresh(store)
    return uids


def day(place: int) -> date:
    return FIRST + timedelta(days=place)
