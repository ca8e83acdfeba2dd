"""Header values: legal for their type, possible in the world, and enough to measure by."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from qc.check import Applies, Example, check
from qc.results import Finding, Result, Status
from qc.study import Instance, Series
from qc.values import Problem, is_date

CODES = {
    "header.value": "The value is not legal for its attribute and was treated as unknown; other software may guess. Correct it at the "
    "source, or tell the vendor.",
    "header.date": "A date that cannot be. The clock of the scanner may be wrong, or software wrote a placeholder; it is treated as "
    "unknown. Check the clock of the scanner, and correct the date where it was typed.",
    "header.pixel_spacing": "The pixel size cannot be read, so no length, area or volume in these images may be trusted. Correct it at the source.",
    "header.character_set": "The text encoding named in the header does not exist; names may be garbled. They are not compared. Tell the "
    "maker of the software that wrote it, and look how the name is shown in the PACS.",
    "header.uid": "An identifier is missing or illegal. Archives and viewers may lose or mix up the object. Ask the sender for it again; if "
    "it comes so from the scanner, tell the vendor.",
    "header.pixel_module": "The description of the pixels is incomplete or contradicts itself; viewers may show the image wrongly. Look at "
    "it in the PACS, and tell the maker of the software that wrote it.",
    "header.functional_groups": "The number of per-frame descriptions is not the number of frames; positions of some frames are unknown. Do "
    "not measure across them; ask for the object again, and tell the vendor if it stays so.",
    "pixels.absent": "The header describes an image but the file holds none. Ask for the file again.",
}
DATES = ("PatientBirthDate", "StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate", "InstanceCreationDate")
SPACING = ("PixelSpacing", "ImagerPixelSpacing")
GEOMETRY = ("ImagePositionPatient", "ImageOrientationPatient", "Rows", "Columns", "BitsAllocated")
_UID = re.compile(r"^(0|[1-9]\d*)(\.(0|[1-9]\d*))+$")
UNFIT = ("absent, although text is not ASCII", "does not fit the text: it cannot be decoded")
MOST_NAMED = 20


@dataclass(frozen=True)
class HeaderParameters:
    """Parameters.

    Attributes
    ----------
    future_days
        How far a date may lie ahead of now (clocks and time zones differ).
    earliest_year
        Dates of examinations before this year are taken for placeholders.
    now
        Date to compare with, ``YYYYMMDD``; empty: today.
    """

    future_days: int = 1
    earliest_year: int = 1975
    now: str = ""


@check(
    id="header.values",
    version=1,
    title="Header values legal and possible",
    level="series",
    needs="headers",
    applies=Applies(),
    codes=CODES,
    params=HeaderParameters,
    source="DICOM PS3.5 section 6.2 (value representations), 9.1 (UIDs); PS3.3 C.7.6.3 (image pixel)",
    invariances=("file_order", "duplicate_input"),
    examples=(Example("ct_head"), Example("mr_brain"), Example("ct_head", fault="future_date", codes={"header.date": Status.WARN})),
)
def values(series: Series, params: HeaderParameters) -> Iterator[Result]:
    """Report values that are no legal text of their type, dates that cannot be, missing identifiers, contradictory pixel modules.

    One finding a kind and attribute for the series; the value is quoted as it stands unless it may name a person. Nothing is guessed: a
    pixel spacing of ``0,143`` is neither 0.143 nor 143.
    """
    cases: dict[tuple[str, str], list[tuple[Instance, str]]] = defaultdict(list)
    for instance in series.instances:
        for problem in instance.problems:
            if problem.code in CODES:
                cases[(_code(problem), problem.keyword)].append((instance, problem.text or _facts(problem)))
        for code, keyword, text in _possible(instance, params):
            cases[(code, keyword)].append((instance, text))
    for (code, keyword), found in _merged(cases).items():
        yield _finding(series, code, keyword, found)


Cases = dict[tuple[str, str], list[tuple[Instance, str]]]


def _merged(cases: Cases) -> Cases:
    """Dates that are wrong in the same way in several attributes are one finding, not five."""
    merged: Cases = {}
    same: dict[tuple[str, ...], tuple[str, str]] = {}
    for (code, keyword), found in cases.items():
        key = (code, *dict.fromkeys(text for _, text in found))
        if code == "header.date" and key in same:
            old = same[key]
            new = (code, f"{old[1]}, {keyword}")
            merged[new] = merged.pop(old)
            same[key] = new
        else:
            merged[(code, keyword)] = found
            same[key] = (code, keyword)
    return merged


def _code(problem: Problem) -> str:
    """The finding that an unusable value becomes, by what it is needed for."""
    if problem.code != "header.value":
        return problem.code
    if problem.keyword in DATES:
        return "header.date"
    if problem.keyword in SPACING:
        return "header.pixel_spacing"
    if problem.keyword in GEOMETRY:
        return "header.pixel_module"
    return "header.value"


def _facts(problem: Problem) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in problem.facts)


def _possible(instance: Instance, params: HeaderParameters) -> Iterator[tuple[str, str, str]]:
    """Yield (code, keyword, text) of values that are legal but cannot be."""
    yield from _dates(instance, params)
    for keyword in ("SOPInstanceUID", "SOPClassUID", "StudyInstanceUID", "SeriesInstanceUID"):
        uid = instance.get(keyword)
        if uid is None:
            yield "header.uid", keyword, "missing"
        elif not isinstance(uid, str) or len(uid) > 64 or not _UID.match(uid):
            yield "header.uid", keyword, str(uid)[:70]
    for keyword in SPACING:
        spacing = instance.get(keyword)
        if spacing is not None and not _is_spacing(spacing):
            yield "header.pixel_spacing", keyword, str(spacing)
    if instance.layout is not None and instance.layout.keyword == "PixelData":
        yield from _pixel_module(tuple(instance.tags.get(keyword) for keyword in PIXEL_KEYS))


def _is_spacing(value: Any) -> bool:
    """Tell whether a value is two positive numbers."""
    return isinstance(value, tuple) and len(value) == 2 and all(isinstance(one, (int, float)) and one > 0 for one in value)


def _dates(instance: Instance, params: HeaderParameters) -> tuple[tuple[str, str, str], ...]:
    if instance.get("PatientIdentityRemoved") == "YES":
        return ()  # dates may have been shifted on purpose
    return _dates_of(tuple(instance.tags.get(keyword) for keyword in DATES), _latest(params), params.earliest_year)


def _latest(params: HeaderParameters) -> str:
    today = datetime.strptime(params.now, "%Y%m%d").replace(tzinfo=UTC) if params.now else datetime.now(UTC)
    return (today + timedelta(days=params.future_days)).strftime("%Y%m%d")


@lru_cache(maxsize=4096)
def _dates_of(dates: tuple[Any, ...], latest: str, earliest_year: int) -> tuple[tuple[str, str, str], ...]:
    """Dates that cannot be; most images of a series share all of theirs, so each set is looked at once."""
    out = []
    for keyword, date in zip(DATES, dates, strict=True):
        if not isinstance(date, str) or not is_date(date):
            continue
        plain = date.replace(".", "")
        if plain > latest:
            out.append(("header.date", keyword, f"{plain} lies in the future" if keyword != "PatientBirthDate" else "lies in the future"))
        elif keyword != "PatientBirthDate" and int(plain[:4]) < earliest_year:
            out.append(("header.date", keyword, f"{plain} lies before {earliest_year}"))
    return tuple(out)


PIXEL_KEYS = ("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "RescaleSlope")


@lru_cache(maxsize=4096)
def _pixel_module(values: tuple[Any, ...]) -> tuple[tuple[str, str, str], ...]:
    """Bits and signs of the image pixel module, each set of values once."""
    allocated, stored, high, sign, slope = values
    out = []
    if isinstance(allocated, int) and allocated != 1 and allocated % 8:
        out.append(("header.pixel_module", "BitsAllocated", f"{allocated}; allowed are 1 and multiples of 8"))
    if isinstance(allocated, int) and isinstance(stored, int) and not 1 <= stored <= allocated:
        out.append(("header.pixel_module", "BitsStored", f"{stored} of {allocated} allocated bits"))
    elif isinstance(stored, int) and isinstance(high, int) and high != stored - 1:
        out.append(("header.pixel_module", "HighBit", f"{high} with {stored} bits stored; the standard wants {stored - 1}"))
    if sign is not None and sign not in (0, 1):
        out.append(("header.pixel_module", "PixelRepresentation", f"{sign}; allowed are 0 and 1"))
    if slope == 0:
        out.append(("header.pixel_module", "RescaleSlope", "0: every pixel would have the same value"))
    return tuple(out)


def _status(code: str, series: Series) -> Status:
    if code in ("header.pixel_spacing", "pixels.absent", "header.functional_groups"):
        return Status.FAIL
    if code == "header.uid":
        return Status.FAIL if series.klass != "not_image" else Status.WARN
    return Status.WARN


def _finding(series: Series, code: str, keyword: str, found: list[tuple[Instance, str]]) -> Finding:
    texts: list[str] = list(dict.fromkeys(text for _, text in found))
    own = any(name in keyword for name in ("PatientBirthDate", "PatientName", "PatientID"))
    private = own and bool(set("".join(texts)) - set("0/.- ")) and "lies" not in texts[0]  # 00/00/0000 says nothing about anybody
    shown = "a value that is not shown, being the patient's" if private else repr(texts[0])
    images = f"{len(found)} of {len(series.instances)} images" if len(series.instances) > 1 else "the image"
    what = {
        "header.value": f"{keyword} is {shown}",
        "header.date": f"{keyword} is {shown}" if "lies" not in texts[0] else f"{keyword} {texts[0]}",
        "header.pixel_spacing": f"{keyword} is {shown}, no pair of positive numbers",
        "header.character_set": f"{keyword} is {shown}, no defined term" if texts[0] not in UNFIT else f"{keyword} {texts[0]}",
        "header.uid": f"{keyword} is {texts[0]}" if texts[0] == "missing" else f"{keyword} is {shown}, no legal UID",
        "header.functional_groups": f"per-frame functional groups: {texts[0]}",
        "pixels.absent": "Rows and Columns but no pixel data",
    }.get(code, f"{keyword or 'pixel description'}: {texts[0]}")
    details: dict[str, Any] = {"keyword": keyword, "count": len(found), "instances": [one.uid for one, _ in found[:MOST_NAMED]]}
    if not private:
        details["found"] = texts[:5]
    more = f" (and {len(texts) - 1} other values)" if len(texts) > 1 else ""
    return Finding(code, _status(code, series), f"{what}{more} in {images}", series.subject(), details)
