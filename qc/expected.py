"""What the source of a study says there should be: a PACS, a scanner, a storage commitment. The only count with authority."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from qc.results import Finding, Status, Subject

MOST_NAMED = 50  # missing UIDs spelt out in the details of one finding


@dataclass(frozen=True)
class Announced:
    """What a source (PACS, scanner, storage commitment) says of one study. None everywhere means "not known", never zero.

    Attributes
    ----------
    series
        SeriesInstanceUID -> its SOPInstanceUIDs, or only their number, or None where the source did not say.
    all_series
        Whether `series` names every series of the study.
    instances, series_count
        Numbers for the whole study.
    """

    series: Mapping[str, Collection[str] | int | None] = field(default_factory=dict)
    all_series: bool = False
    instances: int | None = None
    series_count: int | None = None


def against_source(study_uid: str, announced: Announced, received: Mapping[str, Collection[str]]) -> list[Finding]:
    """Compare what arrived with the source's own counts.

    Parameters
    ----------
    received
        SeriesInstanceUID -> SOPInstanceUIDs that are here, readable or not.

    Returns
    -------
    list of Finding
        ``series.incomplete`` for each series of which objects are missing, ``study.incomplete`` for whole series and for a total that
        no series explains: both fail, the source counts with authority. ``study.more_than_announced`` (info) where objects came that the
        source does not know. Empty where nothing is missing or nothing is known.
    """
    findings: list[Finding] = []
    explained = 0
    absent: dict[str, int | None] = {}
    for uid, told in announced.series.items():
        here = set(received.get(uid, ()))
        expected = told if isinstance(told, int) else None if told is None else len(set(told))
        lost = sorted(set(told) - here) if told is not None and not isinstance(told, int) else []
        short = max(len(lost), (expected or 0) - len(here))
        if not here and (expected or told is None):
            absent[uid] = expected
        elif short > 0:
            findings.append(_series_short(study_uid, uid, expected or 0, len(here), short, lost))
            explained += short
    total = sum(len(set(uids)) for uids in received.values())
    missing = explained + sum(number or 0 for number in absent.values())
    unexplained = max(0, (announced.instances or 0) - total - missing)
    too_few_series = max(0, (announced.series_count or 0) - len(received) - len(absent))
    if absent or unexplained or too_few_series:
        findings.append(_study_short(study_uid, announced, absent, total, len(received), unexplained, too_few_series))
    more = [uid for uid in received if uid not in announced.series] if announced.all_series else []
    if more or (announced.instances is not None and 0 < announced.instances < total):
        known = announced.instances or sum(one if isinstance(one, int) else len(one or ()) for one in announced.series.values())
        text = f"{total} objects are here, the source announced {known}" + (f"; {len(more)} series are unknown to it" if more else "")
        details = {"expected": known, "received": total, "series": more[:MOST_NAMED]}
        findings.append(Finding("study.more_than_announced", Status.INFO, text, Subject("study", study_uid), details, _ADVICE_MORE))
    return findings


_ADVICE = "The archive holds more than was fetched. Fetch what is missing; until then the study must not be judged as complete."
_ADVICE_MORE = "Objects were added, or the source counts late. Ask it again."


def _series_short(study_uid: str, uid: str, expected: int, received: int, short: int, lost: list[str]) -> Finding:
    text = f"{expected - short} of {expected} objects of the series arrived (count of the source)"
    details = {"expected": expected, "received": received, "missing": lost[:MOST_NAMED], "missing_count": short, "source": "source"}
    return Finding("series.incomplete", Status.FAIL, text, Subject("series", study_uid, uid), details, _ADVICE)


def _study_short(
    study_uid: str, announced: Announced, absent: dict[str, int | None], total: int, series: int, unexplained: int, too_few_series: int
) -> Finding:
    parts = []
    if absent:
        sizes = ", ".join("unknown size" if number is None else f"{number} objects" for number in list(absent.values())[:5])
        parts.append(f"{len(absent)} series did not arrive at all ({sizes})")
    if too_few_series:
        parts.append(f"{series} of {announced.series_count} series are here")
    if unexplained or announced.instances:
        parts.append(f"{total} of {announced.instances} objects are here" if announced.instances else f"{total} objects are here")
    details = {
        "expected": announced.instances,
        "received": total,
        "expected_series": announced.series_count,
        "received_series": series,
        "missing_series": list(absent)[:MOST_NAMED],
        "missing_objects": None if None in absent.values() else sum(number or 0 for number in absent.values()) + unexplained,
        "source": "source",
    }
    return Finding("study.incomplete", Status.FAIL, "; ".join(parts), Subject("study", study_uid), details, _ADVICE)
