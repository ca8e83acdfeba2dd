"""What a PACS says it has: studies of a time, their series, their images; and how sure that is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from flows.dimse import Pacs
from flows.listed import Series as Series
from flows.listed import Study as Study
from flows.rest import Rest
from flows.web import Web
from qc.errors import Transient
from qc.expected import Announced

Archive = Pacs | Web | Rest  # they answer the same calls

# Lengths of lists at which PACS are known to cut. A list of such a length is asked for again in halves.
SUSPECT = {50, 100, 128, 200, 250, 256, 300, 400, 500, 512, 1000, 1024, 2000, 2048, 5000, 10000}
SUCCESS = 0x0000
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
STUDY_KEYS = ("StudyInstanceUID", "StudyDate", "StudyTime", "ModalitiesInStudy", "StudyDescription")
STATION = "StationName"  # not promised by any PACS at this level; some give it
STUDY_COUNTS = ("NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances")


@dataclass(frozen=True)
class Image:
    """An instance as a PACS lists it. `sop_class` may be empty."""

    series_uid: str
    uid: str
    sop_class: str


@dataclass
class Studies:
    """The studies of a window, each once; and the times in which there may be more than the PACS would tell."""

    found: dict[str, Study] = field(default_factory=dict)
    unsure: list[tuple[datetime, datetime]] = field(default_factory=list)
    queries: int = 0


@dataclass(frozen=True)
class Expected:
    """How much a study is, as far as the PACS knows.

    Attributes
    ----------
    images
        Every instance that is wanted; None where the PACS lists none.
    total
        Number of instances; None is unknown, which is not 0.
    source
        What the number rests on: ``images``, ``series``, ``study``, or empty.
    """

    images: tuple[Image, ...] | None
    total: int | None
    source: str
    series: tuple[Series, ...] = ()


Choice = Callable[[tuple[Series, ...]], tuple[Series, ...]]


def count(value: object) -> int | None:
    """Return a number of related instances; absent, empty, 0 and what is no number are unknown.

    A study without a single instance is not listed by a PACS, so 0 only says that it does not count.
    """
    try:
        number = int(str(value))
    except ValueError:
        return None
    return number if number > 0 else None


def studies(pacs: Archive, start: datetime, end: datetime) -> Studies:
    """List the studies from `start` to `end` (days inclusive), in slices as narrow as the PACS needs them.

    Raises
    ------
    Transient
        If the PACS cannot be reached or refuses even the narrowest slice.
    """
    result = Studies()
    first = start.replace(hour=0, minute=0, second=0, microsecond=0)
    last = end.replace(hour=0, minute=0, second=0, microsecond=0) + DAY
    while first < last:
        until = min(first + DAY * pacs.peer.quirks.widest_days, last)
        _slice(pacs, first, until, result)
        first = until
    low, high = f"{start:%Y%m%d}", f"{end:%Y%m%d}"
    # Some PACS ignore the dates that were asked for. A study without a date cannot be judged by it and stays.
    result.found = {uid: one for uid, one in result.found.items() if not one.date or low <= one.date <= high}
    return result


def series(pacs: Archive, study_uid: str) -> tuple[Series, ...] | None:
    """List the series of a study, each once; None where the PACS does not answer."""
    keys = ("SeriesInstanceUID", "Modality", "SeriesNumber", "SeriesDescription", "NumberOfSeriesRelatedInstances", STATION)
    answers, status = pacs.find("SERIES", {"StudyInstanceUID": study_uid, **dict.fromkeys(keys, "")})
    if status != SUCCESS:
        return None
    found: dict[str, Series] = {}
    for one in answers:
        uid = _text(one, "SeriesInstanceUID")
        if uid:
            texts = (_text(one, name) for name in ("Modality", "SeriesNumber", "SeriesDescription"))
            found[uid] = Series(uid, *texts, count(one.get("NumberOfSeriesRelatedInstances")), _text(one, STATION))
    return tuple(found.values())


def images(pacs: Archive, study_uid: str, series_uid: str) -> tuple[Image, ...] | None:
    """List the images of a series, each once; None where the PACS does not answer, or answers with images without UID."""
    keys = {"SOPInstanceUID": "", "SOPClassUID": "", "InstanceNumber": ""}
    answers, status = pacs.find("IMAGE", {"StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid, **keys})
    if status != SUCCESS or not all(_text(one, "SOPInstanceUID") for one in answers):
        return None
    found = (Image(series_uid, _text(one, "SOPInstanceUID"), _text(one, "SOPClassUID")) for one in answers)
    return tuple({one.uid: one for one in found}.values())


def expected(pacs: Archive, study_uid: str, of_study: int | None = None, only: Choice | None = None) -> Expected:
    """Find out how much a study is: from its images, else from the counts of its series, else from `of_study`, else unknown.

    A list of images that is shorter than the count of its series, or exactly as long as the cap, is not taken for whole.
    `only`: given the series, returns those that count.
    """
    every_series = series(pacs, study_uid) or ()
    listed = only(every_series) if only and every_series else every_series
    if len(listed) < len(every_series):
        of_study = None  # it counts what is left out, too
        if not listed:
            return Expected((), 0, "series", every_series)
    counts = [one.instances for one in listed]
    known = [one for one in counts if one is not None]
    by_series = sum(known) if listed and len(known) == len(counts) else None
    every: list[Image] | None = [] if listed and pacs.peer.quirks.image_level else None
    for one in listed if every is not None else ():
        got = images(pacs, study_uid, one.uid)
        cut = got is not None and (len(got) < (one.instances or 0) or len(got) == pacs.peer.quirks.cap or not got)
        if got is None or cut:
            every = None
            break
        every.extend(got)
    if every is not None:
        return Expected(tuple(every), len(every), "images", every_series)
    if by_series is not None:
        return Expected(None, by_series, "series", every_series)
    return Expected(None, of_study, "study" if of_study is not None else "", every_series)


def announced(study: Study, told: Expected, only: Collection[str] | None = None) -> Announced:
    """Return what a PACS said of a study, to be compared with what is here. A number it did not give stays unknown, never 0.

    `only`: the series that were to come; of a study that was taken in part nothing is said but of these.
    """
    listed_series = [one for one in told.series if only is None or one.uid in only]
    series: dict[str, list[str] | int | None] = {one.uid: one.instances for one in listed_series}
    if told.images is not None:
        series = {one.uid: [] for one in listed_series}
        for image in told.images:
            listed = series.setdefault(image.series_uid, [])
            if isinstance(listed, list):
                listed.append(image.uid)
    if only is not None:
        return Announced(series)
    total = told.total if told.total is not None else study.instances
    return Announced(series, bool(told.series), total, study.series)


def _slice(pacs: Archive, start: datetime, end: datetime, result: Studies) -> None:
    """Ask for one slice, `end` excluded; in halves where the answer was refused, or may have been cut."""
    quirks = pacs.peer.quirks
    answers, status = pacs.find("STUDY", _window(start, end))
    result.queries += 1
    found = [one for one in map(study_of, answers) if one is not None]
    result.found.update((one.uid, one) for one in found)
    refused = status != SUCCESS
    cut = quirks.cap is not None and len(answers) >= quirks.cap
    doubtful = refused or cut or len(answers) in SUSPECT or (quirks.empty_when_wide and not answers and end - start > DAY)
    if not doubtful:
        return
    middle = _middle(start, end, quirks.time_ranges)
    # What is refused for its width is not refused at one hour; going on down to minutes would only be a storm.
    if middle is None or (refused and end - start <= timedelta(hours=1)):
        if refused:
            raise Transient(f"{pacs.peer.name} refuses even a query from {start} to {end} (status 0x{status:04X})")
        if cut:
            result.unsure.append((start, end))
        return
    _slice(pacs, start, middle, result)
    _slice(pacs, middle, end, result)


def _middle(start: datetime, end: datetime, time_ranges: bool) -> datetime | None:
    """Return where a slice is cut in two: between days, within a day between minutes; None where it is the narrowest."""
    days = (end - start) // DAY
    if days > 1:
        return start + DAY * (days // 2)
    minutes = (end - start) // MINUTE
    return start + MINUTE * (minutes // 2) if time_ranges and minutes > 1 else None


def _window(start: datetime, end: datetime) -> dict[str, str]:
    """Return the keys of a query from `start` to before `end`: whole days, or a part of one day."""
    keys = dict.fromkeys((*STUDY_KEYS, *STUDY_COUNTS, STATION), "")
    last = end - timedelta(seconds=1)
    one_day = start.date() == last.date()
    keys["StudyDate"] = f"{start:%Y%m%d}" if one_day else f"{start:%Y%m%d}-{last:%Y%m%d}"
    if one_day and end - start < DAY:
        keys["StudyTime"] = f"{start:%H%M%S}-{last:%H%M%S}"
    return keys


def study_of(answer: Any) -> Study | None:
    uid = _text(answer, "StudyInstanceUID")
    if not uid:
        return None
    modalities = answer.get("ModalitiesInStudy") or ()
    listed = (modalities,) if isinstance(modalities, str) else tuple(str(one) for one in modalities)
    counts = (count(answer.get(name)) for name in STUDY_COUNTS)
    texts = (_text(answer, name) for name in ("StudyDate", "StudyTime"))
    return Study(uid, *texts, listed, _text(answer, "StudyDescription"), *counts, _text(answer, STATION))


def _text(answer: Any, keyword: str) -> str:
    value = answer.get(keyword)
    return "" if value is None else str(value).strip("\0 ")


def classes(listed: Iterable[Image]) -> list[str]:
    """Return the storage classes of images, each once."""
    return sorted({one.sop_class for one in listed if one.sop_class})
