"""Judge stored measurements again: by another criteria set, or a new edition of it, without the images.

Nothing that was judged before changes: each measurement keeps the verdict it got first, with the snapshot of its criterion. What would be
different is kept beside it as a judgement of its own, with name, time and reason, and shown as a table of differences. Limits may depend on
facts of the headers (field strength, kVp ...); those are kept with each series. Of results of older versions they are not known: a criterion
that asks for such a fact does not match then, and the table says how many values that concerns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from qc import criteria as limits
from qc.criteria import CriteriaSet
from qc.errors import ConfigurationError
from qc.results import Measurement, Subject, Verdict
from reports.store import audit, lookup
from reports.store import schema as t
from reports.store.clean import Cleaner
from reports.store.connect import now

if TYPE_CHECKING:
    import pandas as pd

    from reports.store import Store

BATCH = 2000


@dataclass(frozen=True, slots=True)
class Scope:
    """Which measurements are judged again: the current results of days, devices, metrics; None: all."""

    first: date | None = None
    last: date | None = None
    device_id: int | None = None
    metric: str | None = None

    def plain(self) -> dict[str, Any]:
        """Return it as it is stored."""
        days = {"first": self.first.isoformat() if self.first else None, "last": self.last.isoformat() if self.last else None}
        return {**days, "device_id": self.device_id, "metric": self.metric}


@dataclass
class Judgement:
    """What judging again gave.

    Attributes
    ----------
    id
        Number under which it is kept; None: it was only looked at.
    judged
        Measurements that were judged.
    changed
        Those whose status, limits or criterion are others than before.
    moves
        How many went from which status to which: (old, new) -> number; only where the status is another.
    without_facts
        Measurements of series whose facts are not known.
    """

    id: int | None
    name: str
    version: str
    judged: int = 0
    changed: int = 0
    moves: Counter[tuple[str, str]] = field(default_factory=Counter)
    without_facts: int = 0


def judge_again(store: Store, names: Sequence[str], who: str, why: str, scope: Scope = Scope(), *, keep: bool = True) -> Judgement:
    """Judge stored measurements by these criteria sets, and keep every verdict that is another one.

    Parameters
    ----------
    names
        Criteria sets or paths of .toml files; the first that knows a limit gives it.
    keep
        Keep the judgement; else only count.

    Raises
    ------
    ConfigurationError
        If a set is not there, or nobody or no reason is named.
    """
    chosen = limits.load(tuple(names))
    if keep and not (who.strip() and why.strip()):
        raise ConfigurationError("a name and a reason are needed; both are kept with the judgement")
    told = Judgement(None, chosen.name, chosen.version)
    if not keep:
        for _ in _judge(store, chosen, scope, told):
            pass
        return told
    clean = Cleaner().text
    values = {"criteria": list(names), "name": chosen.name, "version": chosen.version, "digest": chosen.digest, "scope": scope.plain()}
    with store.writing() as connection:  # counts come last: without them it was not finished
        values |= {"counts": {}, "who": clean(who).strip(), "why": clean(why).strip(), "made_at": now(connection)}
        told.id = int(connection.execute(sa.insert(t.judgement).values(**values).returning(t.judgement.c.id)).scalar_one())
    for changed in _judge(store, chosen, scope, told):
        with store.writing() as connection:  # a batch at a time: millions of values must not hold up those who check new studies
            connection.execute(sa.insert(t.verdict), [{"judgement_id": told.id, **row} for row in changed])
    counts = _counts(told)
    with store.writing() as connection:
        connection.execute(sa.update(t.judgement).where(t.judgement.c.id == told.id).values(counts=counts))
        after = {"criteria": list(names), "version": chosen.version, "digest": chosen.digest, **scope.plain(), **counts}
        audit.log(connection, who, "judge.again", f"judgement:{told.id}", None, after, why)
    return told


def _judge(store: Store, chosen: CriteriaSet, scope: Scope, told: Judgement) -> Iterator[list[dict[str, Any]]]:
    """Judge batch by batch, count into `told`, yield the verdicts that are others than before."""
    for rows in _batches(store, scope):
        changed = []
        for row in rows:
            verdict = chosen.judge(_measurement(row), _facts(row))
            told.judged += 1
            told.without_facts += not row.facts
            if _differs(row, verdict):
                told.changed += 1
                if row.status != str(verdict.status):
                    told.moves[row.status, str(verdict.status)] += 1
                changed.append({"measurement_id": row.id, "status": str(verdict.status), **_snapshot(verdict)})
        if changed:
            yield changed


def _counts(told: Judgement) -> dict[str, Any]:
    moves = [{"from": old, "to": new, "number": n} for (old, new), n in told.moves.most_common()]
    return {"judged": told.judged, "changed": told.changed, "without_facts": told.without_facts, "moves": moves}


def _batches(store: Store, scope: Scope) -> Iterator[Sequence[Any]]:
    """Yield the measurements in order of their number, never all at once."""
    m = t.measurement
    joined = lookup.with_device(m.join(t.study, t.study.c.id == m.c.study_id).outerjoin(t.series, t.series.c.id == m.c.series_id))
    names = (
        "id",
        "metric",
        "region",
        "value",
        "unit",
        "uncertainty",
        "reason",
        "method",
        "status",
        "limits",
        "criteria",
        "details",
        "level",
    )
    columns = (*(m.c[name] for name in names), t.series.c.modality, t.series.c["class"].label("klass"), t.series.c.facts)
    wanted = [lookup.CURRENT]
    wanted += [t.study.c.day >= scope.first] if scope.first else []
    wanted += [t.study.c.day <= scope.last] if scope.last else []
    wanted += [t.device.c.id == scope.device_id] if scope.device_id is not None else []
    wanted += [m.c.metric == scope.metric] if scope.metric else []
    rows = sa.select(*columns).select_from(joined).where(*wanted).order_by(m.c.id).limit(BATCH)
    last = 0
    while True:
        with store.reading() as connection:
            some = connection.execute(rows.where(m.c.id > last)).all()
        if not some:
            return
        yield some
        last = some[-1].id


def _measurement(row: Any) -> Measurement:
    value = (row.value, row.unit, Subject(row.level), row.region, row.uncertainty, row.reason, row.method)
    return Measurement(row.metric, *value, details=row.details or {})


def _facts(row: Any) -> dict[str, Any]:
    """Return what limits may depend on, as it was when the images were checked."""
    return {**(row.facts or {}), "modality": row.modality or "", "class": row.klass or ""}


def _snapshot(verdict: Verdict) -> dict[str, Any]:
    return {
        "limits": dict(verdict.limits) if verdict.limits else None,
        "criteria": dict(verdict.criteria) if verdict.criteria else None,
    }


def _differs(row: Any, verdict: Verdict) -> bool:
    new = _snapshot(verdict)
    return bool(row.status != str(verdict.status) or (row.limits or None) != new["limits"] or (row.criteria or None) != new["criteria"])


# -- reading ----------------------------------------------------------------------------------------------------


def judgements(store: Store, limit: int = 20) -> list[dict[str, Any]]:
    """Return the newest judgements, newest first: who, when, why, by what, and what it changed."""
    with store.reading() as connection:
        rows = connection.execute(sa.select(t.judgement).order_by(t.judgement.c.id.desc()).limit(limit))
        return [dict(row) for row in rows.mappings()]


def differences(store: Store, number: int, *, moved_only: bool = True, limit: int = 10_000) -> pd.DataFrame:
    """Return the difference table of a judgement: each value with its verdict then and now, the gravest moves first.

    Parameters
    ----------
    moved_only
        Leave those out whose status stayed and only the limits are others.
    """
    import pandas as pd

    m, v = t.measurement, t.verdict
    joined = v.join(m, m.c.id == v.c.measurement_id).join(t.study, t.study.c.id == m.c.study_id)
    joined = lookup.with_device(joined.outerjoin(t.series, t.series.c.id == m.c.series_id))
    columns = (
        t.study.c.day.label("study_day"), t.device.c.alias.label("device"), m.c.metric, m.c.region, m.c.value, m.c.unit,
        m.c.status.label("status_before"), v.c.status.label("status_now"), m.c.limits.label("limits_before"), v.c.limits.label("limits_now"),
        m.c.criteria.label("criteria_before"), v.c.criteria.label("criteria_now"), t.study.c.study_uid, t.series.c.series_uid,
    )  # fmt: skip
    rows = sa.select(*columns).select_from(joined).where(v.c.judgement_id == number).order_by(t.study.c.day, m.c.id).limit(limit)
    if moved_only:
        rows = rows.where(m.c.status != v.c.status)
    with store.reading() as connection:
        found = connection.execute(rows).all()
    frame = pd.DataFrame(found, columns=[column.name for column in columns], dtype=object)
    for when in ("before", "now"):
        frame[f"criteria_{when}"] = [(one or {}).get("set") for one in frame[f"criteria_{when}"]]
        frame[f"limits_{when}"] = [
            {key: value for key, value in (one or {}).items() if value is not None} for one in frame[f"limits_{when}"]
        ]
    rank = [_grave(row) for row in found]
    return frame.iloc[sorted(range(len(frame)), key=rank.__getitem__)].reset_index(drop=True)


def _grave(row: Any) -> int:
    from qc.results import Status

    return [str(status) for status in Status].index(row.status_now)
