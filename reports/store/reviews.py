"""What people say about problems and sign: rows that are added and never changed, each with its audit record.

A verdict (confirmed, dismissed) holds for a problem as it was then, told by a digest of what was said about it. When the study is
checked again and something else comes out, the problem is open again, and the old verdict stands beside it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from qc.errors import ConfigurationError
from reports.store import audit
from reports.store import desk_schema as d
from reports.store.access import Person
from reports.store.clean import Cleaner
from reports.store.connect import now
from reports.store.ledger import BATCH, batches

VERDICTS = {"confirm": "confirmed", "dismiss": "dismissed", "reopen": "open"}
KINDS = (*VERDICTS, "comment", "assign")
LONGEST = 2000  # characters of a comment


@dataclass(frozen=True, slots=True)
class State:
    """How far people are with a problem.

    Attributes
    ----------
    word
        ``open``, ``confirmed`` or ``dismissed``.
    outdated
        The last verdict was given on something else than stands there now; `word` is ``open`` then.
    rows
        What was said, oldest first.
    """

    word: str = "open"
    by: str = ""
    at: datetime | None = None
    text: str = ""
    assignee: str = ""
    outdated: bool = False
    rows: Sequence[Row] = field(default_factory=tuple)


def digest_of(parts: Any) -> str:
    """Return a digest of plain values."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str).encode()).hexdigest()[:32]


def add(
    connection: Connection, who: str, kind: str, study_uid: str, problem: str, digest: str, text: str, assignee: str | None = None
) -> None:
    """Add a verdict, a comment or an assignment.

    Raises
    ------
    ConfigurationError
        If the kind is unknown, or a reason or text is missing.
    """
    text = Cleaner().text(" ".join(text.split()) if kind != "comment" else text.strip())
    if kind not in KINDS:
        raise ConfigurationError(f"{kind!r} is nothing that can be said; allowed are {', '.join(KINDS)}")
    if kind in ("dismiss", "reopen", "comment") and not text:
        raise ConfigurationError("a comment needs a text" if kind == "comment" else f"say why you {kind} it")
    if len(text) > LONGEST:
        raise ConfigurationError(f"at most {LONGEST} characters; this text has {len(text)}")
    values = {"at": now(connection), "who": who, "kind": kind, "study_uid": study_uid, "problem": problem, "digest": digest}
    connection.execute(sa.insert(d.review).values(**values, assignee=assignee, text=text))
    after = {"problem": problem or "study", **({"assignee": assignee} if assignee is not None else {})}
    audit.log(connection, who, f"review.{kind}", f"study:{study_uid}", None, after, text)


def of_studies(connection: Connection, uids: Iterable[str]) -> dict[tuple[str, str], list[Row]]:
    """Return what was said about studies, by (study UID, problem), oldest first."""
    found: dict[tuple[str, str], list[Row]] = {}
    for some in batches(sorted(set(uids)), BATCH):
        for row in connection.execute(sa.select(d.review).where(d.review.c.study_uid.in_(some)).order_by(d.review.c.id)):
            found.setdefault((row.study_uid, row.problem), []).append(row)
    return found


def state(rows: Sequence[Row], digest: str) -> State:
    """Return how far people are with a problem that reads so now."""
    verdict = next((row for row in reversed(rows) if row.kind in VERDICTS), None)
    assigned = next((row for row in reversed(rows) if row.kind == "assign"), None)
    assignee = (assigned.assignee or "") if assigned else ""
    if verdict is None:
        return State(assignee=assignee, rows=rows)
    outdated = verdict.digest != digest and verdict.kind != "reopen"
    word = "open" if outdated else VERDICTS[verdict.kind]
    return State(word, verdict.who, verdict.at, verdict.text, assignee, outdated, rows)


# -- signatures -------------------------------------------------------------------------------------------------

MEANINGS = {
    "day": "I have looked at every problem of this day and decided what is to be done.",
    "phantom": "I have looked at this phantom run; its results are right and may be used for trends and acceptance.",
    "sheet": "I have looked at these entries; they are right.",
}


def sign(connection: Connection, person: Person, kind: str, subject: str, digest: str, content: Mapping[str, Any], comment: str) -> None:
    """Sign a day, a phantom run or a filled-in sheet, with the meaning of the signature in words."""
    comment = Cleaner().text(comment.strip())
    if len(comment) > LONGEST:
        raise ConfigurationError(f"at most {LONGEST} characters; this comment has {len(comment)}")
    who = {"who": person.login, "name": person.name, "role": person.role}
    values = {"kind": kind, "subject": subject, "meaning": MEANINGS[kind], "comment": comment, "digest": digest, "content": dict(content)}
    connection.execute(sa.insert(d.signature).values(**who, **values, at=now(connection)))
    audit.log(connection, person.login, f"sign.{kind}", f"{kind}:{subject}", None, {"digest": digest, **content}, comment)


def signatures(connection: Connection, kind: str, subjects: Sequence[str]) -> dict[str, list[Row]]:
    """Return the signatures under days, phantom runs or sheets, by subject, newest first."""
    found: dict[str, list[Row]] = {}
    for some in batches(list(subjects), BATCH):
        chosen = sa.select(d.signature).where(d.signature.c.kind == kind, d.signature.c.subject.in_(some))
        for row in connection.execute(chosen.order_by(d.signature.c.id.desc())):
            found.setdefault(row.subject, []).append(row)
    return found
