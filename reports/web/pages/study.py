"""A study: what is wrong in words, every value beside its limits, the pictures with their regions, and what people said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.engine import Connection
from starlette.exceptions import HTTPException

from qc.output import natural
from qc.results import Evidence, ImageEvidence
from reports import figures, problems, strips, words
from reports.problems import Row
from reports.store import by_hand, lookup, reviews, sheets
from reports.store import schema as t
from reports.store.results import read_picture
from reports.web import access, rows, worklist
from reports.web.desk import Desk, desk_of

if TYPE_CHECKING:
    from markupsafe import Markup

    from reports.web.access import Asking

router = APIRouter(include_in_schema=False)
VALUES = 600  # measurements on one page
PICTURES = 60


@dataclass
class Shown:
    """A study as its page shows it."""

    study: Row
    newest: int | None
    newer: Sequence[Any]  # what the revision after this one was set to, or waits for
    waits: bool
    by_hand: Sequence[Any]
    compared: Sequence[tuple[Row, Row | None]]
    series: list[Row]
    entries: list[worklist.Entry]
    unjudged: list[Any]
    notes: list[Row]
    groups: list[tuple[str, list[Row]]]
    values_left: int
    pictures: dict[int, Markup]
    skipped: list[Row]
    said: Sequence[Any]
    signatures: Sequence[Any]
    digest: str
    phantom: bool
    entry: Any  # of a test sheet; None: images
    counts: dict[str, int]
    settable: bool

    def of(self, entry: worklist.Entry) -> list[Markup]:
        """Pictures of a problem."""
        return [self.pictures[one] for one in entry.item.evidence if one in self.pictures]

    def strips(self, entry: worklist.Entry) -> list[Markup]:
        """Drawings of where something is missing."""
        drawn = (strips.strip(details, where) for where, details in entry.item.details)
        return [one for one in drawn if one is not None]


@router.get("/study/uid/{uid:path}")
def by_uid(request: Request, uid: str) -> Response:
    """Go to the newest results of a study."""
    access.reader(request)
    with desk_of(request).store.reading() as connection:
        number = newest(connection, uid)
    if number is None:
        raise HTTPException(404, "No study of that UID has results.")
    return RedirectResponse(f"/study/{number}", 303)


@router.get("/study/{number}")
def show(request: Request, number: int) -> Response:
    """Show a study."""
    return page(request, access.reader(request), number)


@router.get("/study/{number}/header")
def header(request: Request, number: int) -> Response:
    """Show what the headers say, without identifiers; the images are asked."""
    desk, me = desk_of(request), access.reader(request)
    with desk.store.reading() as connection:
        study = one_study(connection, number)
        series = series_of(connection, number)
    told = dict(desk.config.headers(study["study_uid"])) if desk.config.headers else {}
    return desk.page(request, "header.html", me, study=study, series=series, told=told, can=desk.config.headers is not None)


@router.get("/evidence/{number}.png")
def picture(request: Request, number: int) -> Response:
    """Return a stored picture; its content never changes, so the browser may keep it."""
    access.reader(request)
    with desk_of(request).store.reading() as connection:
        png = connection.execute(sa.select(t.evidence.c.png).where(t.evidence.c.id == number)).scalar()
    if png is None:
        raise HTTPException(404, "There is no such picture.")
    return Response(png, media_type="image/png", headers={"cache-control": "private, max-age=86400, immutable"})


def page(request: Request, me: Asking, number: int, problem: str = "", status: int = 200) -> Response:
    """Return the page of a study; `problem` says why something was not done."""
    desk = desk_of(request)
    with desk.store.reading() as connection:
        shown = read(desk, connection, number)
        assignees = _people(connection)
    return desk.page(request, "study.html", me, status, s=shown, study=shown.study, problem=problem, people=assignees, titles=desk.titles,
                     meaning=reviews.MEANINGS["phantom"])  # fmt: skip


def one_study(connection: Connection, number: int) -> Row:
    """Return a study by the number of its row; 404 where there is none."""
    found = rows.studies(connection, sa.and_(t.study.c.id == number, t.study.c.done_at.is_not(None)))
    if not found:
        raise HTTPException(404, "There is no such study, or it was not checked yet.")
    rows.with_devices(connection, found, t.study.c.id == number)
    return found[0]


def read(desk: Desk, connection: Connection, number: int) -> Shown:
    """Read everything about a study."""
    study = one_study(connection, number)
    ours = t.study.c.id == number
    findings = rows.findings(connection, ours)
    measurements = rows.measurements(connection, ours)
    late = frozenset[str]()
    entries = worklist.entries(connection, [study], problems.problems([study], findings, measurements, late, desk.titles))
    wanted = [one for entry in entries for one in entry.item.evidence]
    wanted += [one for row in (*findings, *measurements) for one in row["evidence"] or ()]
    series = series_of(connection, number)
    uid = study["study_uid"]
    following = _following(connection, study)
    return Shown(
        study=study,
        newest=newest(connection, uid) if study["superseded_at"] is not None else None,
        newer=by_hand.of_study(connection, following.id) if following else (),
        waits=following is not None and following.done_at is None,
        by_hand=by_hand.of_study(connection, number),
        compared=_compared(connection, study, measurements),
        series=series,
        entries=entries,
        unjudged=problems.unjudged(findings, measurements, desk.titles),
        notes=[row for row in findings if row["status"] == "info"],
        groups=_groups(measurements[:VALUES]),
        values_left=max(0, len(measurements) - VALUES),
        pictures={one: drawn(one, evidence) for one, evidence in evidence_of(connection, wanted).items()},
        skipped=_skipped(connection, number),
        said=reviews.of_studies(connection, [uid]).get((uid, ""), ()),
        signatures=reviews.signatures(connection, "phantom", [uid]).get(uid, []),
        digest=run_digest(study, measurements),
        phantom=any(one["class"].startswith("phantom:") for one in series),
        entry=sheets.entry_of(connection, number),
        counts={status: many for status in words.ORDER if (many := sum(row["status"] == status for row in measurements))},
        settable=desk.config.by_hand is not None and bool(desk.config.by_hand.tests({one["class"] for one in series})),
    )


def newest(connection: Connection, uid: str) -> int | None:
    """Return the newest results of a study."""
    return connection.execute(sa.select(t.study.c.id).where(lookup.CURRENT, t.study.c.study_uid == uid)).scalar()


def _compared(connection: Connection, study: Row, measurements: Iterable[Row]) -> list[tuple[Row, Row | None]]:
    """Return the values that were measured as set by hand, each with that of the revision before."""
    ours = [row for row in measurements if (row["details"] or {}).get("by_hand")]
    if not ours:
        return []
    before = sa.and_(t.study.c.study_uid == study["study_uid"], t.study.c.revision == study["revision"] - 1)
    known = {(row["series_uid"], row["metric"], row["region"]): row for row in rows.measurements(connection, before)}
    return [(row, known.get((row["series_uid"], row["metric"], row["region"]))) for row in ours]


def _following(connection: Connection, study: Row) -> Any:
    """Return the revision after this one, checked or not; None where there is none."""
    after = sa.select(t.study.c.id, t.study.c.done_at).where(
        t.study.c.study_uid == study["study_uid"], t.study.c.revision > study["revision"]
    )
    return connection.execute(after.order_by(t.study.c.revision).limit(1)).first()


def run_digest(study: Row, measurements: Iterable[Row]) -> str:
    """Return a digest of the results of a phantom run: what a signature is put under."""
    values = sorted((row["metric"], row["region"], row["method"], repr(row["value"]), row["status"]) for row in measurements)
    return reviews.digest_of([study["study_uid"], study["revision"], values])


def _groups(measurements: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """Group values by series; within it, values of one metric stand together, the worst first."""
    groups: dict[str, list[Row]] = {}
    for row in measurements:
        groups.setdefault(problems.series_words(row) if row["series_uid"] else "The study as a whole", []).append(row)
    worst: dict[tuple[str, str], int] = {}
    for name, some in groups.items():
        for row in some:
            rank = words.ORDER[row["status"]]
            worst[name, row["metric"]] = min(rank, worst.get((name, row["metric"]), rank))
        some.sort(key=lambda row, name=name: (worst[name, row["metric"]], row["metric"], natural(row["region"])))  # type: ignore[misc]
    return list(groups.items())


def evidence_of(connection: Connection, ids: Iterable[int]) -> dict[int, Evidence]:
    """Return evidence by id; of pictures only their size is read here, the browser fetches them one by one."""
    wanted = list(dict.fromkeys(ids))[:PICTURES]
    if not wanted:
        return {}
    columns = [column for column in t.evidence.c if column.name != "png"]
    head = sa.func.substr(t.evidence.c.png, 1, 24, type_=sa.LargeBinary).label("png_head")
    found = {row.id: row for row in connection.execute(sa.select(*columns, head).where(t.evidence.c.id.in_(wanted)))}
    return {number: read_picture(found[number]) for number in wanted if number in found}


def drawn(number: int, evidence: Evidence) -> Markup:
    """Draw evidence."""
    return figures.figure(evidence, f"/evidence/{number}.png" if isinstance(evidence, ImageEvidence) else "")


def series_of(connection: Connection, number: int) -> list[Row]:
    """Return the series of a study with their devices."""
    device = (t.device.c.id.label("device_number"), t.device.c.alias, t.device.c.manufacturer, t.device.c.model, t.device.c.serial_number)
    chosen = sa.select(t.series, *device).select_from(lookup.with_device(t.series)).where(t.series.c.study_id == number)
    return [dict(row._mapping) for row in connection.execute(chosen.order_by(t.series.c.number, t.series.c.id))]


def _skipped(connection: Connection, number: int) -> list[Row]:
    columns = (t.skipped.c.path, t.skipped.c.folder, t.skipped.c.reason, t.skipped.c.message)
    return [dict(row._mapping) for row in connection.execute(sa.select(*columns).where(t.skipped.c.study_id == number).limit(100))]


def _people(connection: Connection) -> list[Any]:
    from reports.store import access as known

    return [person for person in known.people(connection) if person.active and person.at_least("technologist")]


def day_of(row: Row) -> str:
    """Return the address of the day of a study."""
    return f"/day/{row['study_day']}" if row["study_day"] else "/"
