"""One patient a study, one value a series: what must not change within a series or a study."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from qc import identity
from qc.check import Applies, Example, NoParameters, check
from qc.geometry import order_along_normal
from qc.results import Finding, Result, Status
from qc.study import Instance, Series, Study

# Must agree within a series. What may vary (exposure, tube current, windows, times, rescale, trigger time) is not in it.
CONSTANT = (
    "Modality", "SOPClassUID", "FrameOfReferenceUID", "SeriesNumber", "SeriesDescription", "Manufacturer", "ManufacturerModelName",
    "DeviceSerialNumber", "StationName", "SoftwareVersions", "BodyPartExamined", "PatientPosition", "Rows", "Columns", "PixelSpacing",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "SamplesPerPixel", "PhotometricInterpretation", "KVP", "ConvolutionKernel",
    "SliceThickness", "ReconstructionDiameter", "MagneticFieldStrength", "ScanningSequence", "SequenceVariant", "ProtocolName", "StudyDate",
)  # fmt: skip
# Must agree within a series for each echo (and whatever else tells repetitions apart)
CONSTANT_PER_ECHO = ("RepetitionTime", "FlipAngle")
CLOSE = {"PixelSpacing": 1e-4, "SliceThickness": 1e-3, "MagneticFieldStrength": 1e-3, "KVP": 0.0, "ReconstructionDiameter": 1e-3,
         "RepetitionTime": 0.01, "FlipAngle": 0.01}  # fmt: skip

# Where some images have these, all of them must: without them an image means something else than its neighbours
NEVER_ABSENT = frozenset({"Modality", "BitsStored", "PixelRepresentation", "PhotometricInterpretation"})

CODES_SERIES = {
    "header.not_constant": "A value that the scanner sets once for a series differs between its images: images of different scans were "
    "mixed, or a header was changed afterwards. Look at the named images and find out where they come from.",
}


def differ(one: Any, other: Any, relative: float) -> bool:
    """Tell whether two header values differ by more than a relative tolerance (numbers), or at all (everything else)."""
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) != len(other) or any(differ(a, b, relative) for a, b in zip(one, other, strict=True))
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return abs(one - other) > relative * max(abs(one), abs(other))
    return bool(one != other)


@check(
    id="header.constant",
    version=1,
    title="Headers constant within a series",
    level="series",
    needs="headers",
    applies=Applies(not_classes=frozenset({"not_image"})),
    codes=CODES_SERIES,
    source="DICOM PS3.3 C.7.3.1, C.7.5.1, C.7.6.3",
    invariances=("file_order", "duplicate_input"),
    examples=(
        Example("ct_head"),
        Example("mr_brain"),
        Example("ct_head", fault="swapped_header", codes={"header.not_constant": Status.WARN}),
    ),
)
def constant(series: Series, params: NoParameters) -> Iterator[Result]:
    """Compare attributes that are the same for every image of a series; those that legally vary are left alone.

    Images that lack an attribute which others have are counted as differing only for the pixel description and the modality.
    """
    if len(series.instances) < 2:
        return
    localizer = series.klass in ("localizer", "screenshot")
    found: list[_Odd] = []
    for keyword in CONSTANT:
        if localizer and keyword in ("FrameOfReferenceUID", "Rows", "Columns", "PixelSpacing", "SliceThickness", "SOPClassUID"):
            continue
        values = Counter(instance.tags[keyword] for instance in series.instances if keyword in instance.tags)
        if keyword == "SliceThickness" and len(values) > 1 and _by_zones(series, keyword):
            continue
        found += _compare(series, keyword, values)
        if keyword in NEVER_ABSENT and 0 < sum(values.values()) < len(series.instances):
            found.append(_absent(series, keyword, values))
    for keyword in CONSTANT_PER_ECHO:
        by_echo: dict[Any, Counter[Any]] = defaultdict(Counter)
        for instance in series.instances:
            if keyword in instance.tags:
                by_echo[(instance.get("EchoTime"), instance.get("InversionTime"))][instance.tags[keyword]] += 1
        for values in by_echo.values():
            found += _compare(series, keyword, values)
    yield from _merged(series, found)


@dataclass(frozen=True)
class _Odd:
    """Images whose value of one attribute is not the usual one."""

    keyword: str
    usual: str
    others: tuple[str, ...]
    count: int
    images: tuple[Instance, ...]


def _merged(series: Series, found: list[_Odd]) -> Iterator[Finding]:
    """Attributes that differ in the same images are one problem and one finding."""
    groups: dict[frozenset[int], list[_Odd]] = defaultdict(list)
    for odd in found:
        groups[frozenset(id(image) for image in odd.images)].append(odd)
    for group in groups.values():
        first = group[0]
        images = first.images
        label = images[0].frames[0].label if images[0].frames else images[0].shown
        told = "; ".join(f"{odd.keyword} is {odd.usual} in {odd.count} images but {', '.join(odd.others[:3])}" for odd in group[:3])
        more = f"; {', '.join(odd.keyword for odd in group[3:])} differ too" if len(group) > 3 else ""
        details = {
            "keyword": first.keyword,
            "keywords": [odd.keyword for odd in group],
            "usual": first.usual,
            "other": list(first.others),
            "count": len(images),
            "instances": [image.uid for image in images[:20]],
        }
        text = f"{told} in {len(images)}, first in {label}{more}"
        yield Finding("header.not_constant", Status.WARN, text, series.subject(), details)


def _absent(series: Series, keyword: str, values: Counter[Any]) -> _Odd:
    images = tuple(instance for instance in series.instances if keyword not in instance.tags)
    return _Odd(keyword, _shown(keyword, values.most_common(1)[0][0]), ("absent",), sum(values.values()), images)


def _by_zones(series: Series, keyword: str, fewest: int = 4) -> bool:
    """Tell whether a value changes from zone to zone of the stack (planned), each zone of at least four slices."""
    order, step = order_along_normal(series.frames)
    values = [series.frames[index].get(keyword) for index in order]
    runs = [len(list(run)) for _, run in groupby(values)]
    return step is not None and min(runs) >= fewest


def _compare(series: Series, keyword: str, values: Counter[Any]) -> Iterator[_Odd]:
    if len(values) < 2:
        return
    usual, count = values.most_common(1)[0]
    odd = [value for value in values if differ(value, usual, CLOSE.get(keyword, 1e-6))]
    if odd:
        images = tuple(instance for instance in series.instances if instance.get(keyword) in odd)
        yield _Odd(keyword, _shown(keyword, usual), tuple(_shown(keyword, value) for value in odd[:10]), count, images)


def _shown(keyword: str, value: Any) -> str:
    """A header value as text; free text may hold a name, so only its length is told."""
    if keyword in ("SeriesDescription", "ProtocolName", "StationName"):
        return f"{str(value)[:40]!r}"
    return "\\".join(f"{part:g}" if isinstance(part, float) else str(part) for part in (value if isinstance(value, tuple) else (value,)))


CODES_STUDY = {
    "identity.two_patients": "Images of different people stand under one study. The gravest mix-up there is: stop using the study, tell the PACS "
    "administrator, find out which series belongs to whom.",
    "identity.issuer_differs": "The same patient ID is given with and without its issuer. Not a mix-up; the archive should know the issuer: "
    "ask the PACS administrator to set it for this sender.",
    "identity.demographics_differ": "Same patient ID, but name, birth date or sex differ between images of one study. A correction that reached only "
    "part of the study, or a mix-up: compare with the order.",
    "identity.spelling": "The patient's name is spelt in different ways within one study: a typing mistake, a correction that reached only "
    "a part, or a mix-up. Compare with the order.",
    "study.date_differs": "The study date differs between series of one study: it went past midnight, a series was added later, or belongs "
    "to another visit. Look which, and correct the wrong date.",
    "study.series_number_repeated": "Two series of the study carry the same number; people will confuse them. Check by description which "
    "one is meant; tell the vendor if the scanner numbers so.",
}


@dataclass(frozen=True)
class _Person:
    """What identifies a patient, normalised; empty where unknown or unreadable."""

    id: str
    issuer: str
    name: str
    birth: str
    sex: str


def _person(instance: Instance) -> _Person:
    number, issuer = identity.patient_key(instance)
    name = identity.normalise(instance.get("PatientName")) if identity.name_is_readable(instance) else ""
    return _Person(number, issuer, name, str(instance.get("PatientBirthDate", "")), str(instance.get("PatientSex", "")))


@check(
    id="identity",
    version=1,
    title="One patient a study",
    level="study",
    needs="headers",
    codes=CODES_STUDY,
    source="DICOM PS3.3 C.7.1.1, C.7.2.1",
    invariances=("file_order", "duplicate_input"),
    examples=(Example("mr_brain"), Example("ct_head", fault="wrong_patient", codes={"identity.two_patients": Status.FAIL})),
    required=True,
)
def one_patient(study: Study, params: NoParameters) -> Iterator[Result]:
    """Compare patient ID, name, birth date and sex over all images of a study. Findings carry keyed hashes, never names.

    A name in an unknown character set is not compared; an illegal birth date counts as unknown; an issuer that stands in
    part of the images only is a remark.
    """
    if not study.uid:
        return
    people: dict[_Person, list[Instance]] = defaultdict(list)
    for instance in study.instances():
        people[_person(instance)].append(instance)
    if len(people) > 1:
        yield from _compare_people(study, people)
    dates = Counter(instance.get("StudyDate") for instance in study.instances() if instance.get("StudyDate"))
    if len(dates) > 1:
        text = f"study date is {', '.join(sorted(map(str, dates)))}"
        yield Finding("study.date_differs", Status.WARN, text, study.subject(), {"dates": sorted(map(str, dates))})
    yield from _numbers(study)


def _compare_people(study: Study, people: dict[_Person, list[Instance]]) -> Iterator[Finding]:
    ids = {person.id for person in people if person.id}
    key = study.hash_key
    if len(ids) > 1 or _different_people(people):
        holders: dict[str, set[str]] = defaultdict(set)
        for person, instances in people.items():
            mark = identity.keyed_hash(key, person.id or person.name)
            holders[mark] |= {str(one.get("SeriesNumber") or one.get("SeriesInstanceUID") or "?") for one in instances}
        told = "; ".join(f"patient {mark} in series {', '.join(sorted(numbers)[:5])}" for mark, numbers in sorted(holders.items()))
        details = {"patients": {mark: sorted(numbers) for mark, numbers in sorted(holders.items())}, "count": len(holders)}
        yield Finding("identity.two_patients", Status.FAIL, f"{len(holders)} patients in one study: {told}", study.subject(), details)
        return
    issuers = {person.issuer for person in people}
    if len(issuers) > 1:
        text = "the patient ID stands with and without an issuer" if "" in issuers else "the patient ID stands with different issuers"
        yield Finding("identity.issuer_differs", Status.INFO, text, study.subject(), {"issuers": len(issuers)})
    for field, code, words in (
        ("birth", "identity.demographics_differ", "birth date"),
        ("sex", "identity.demographics_differ", "sex"),
        ("name", "identity.spelling", "spelling of the name"),
    ):
        values = {getattr(person, field) for person in people} - {""}
        if len(values) > 1:
            hashes = sorted(identity.keyed_hash(key, value) for value in values)
            yield Finding(code, Status.WARN, f"{words} differs within the study", study.subject(), {"what": words, "hashes": hashes})


def _different_people(people: dict[_Person, list[Instance]]) -> bool:
    """Without a second patient ID: two names AND two birth dates are two people."""
    names = {person.name for person in people if person.name}
    births = {person.birth for person in people if person.birth}
    return len(names) > 1 and len(births) > 1


def _numbers(study: Study) -> Iterator[Finding]:
    seen: dict[tuple[str, Any], list[Series]] = defaultdict(list)
    for series in study.series:
        number = series.first("SeriesNumber")
        if number is not None and series.klass != "not_image":
            seen[(series.modality, number)].append(series)
    for (_, number), group in seen.items():
        descriptions = {series.description for series in group}
        if len(group) > 1 and len(descriptions) > 1:
            text = f"series number {number} stands for {len(group)} series"
            yield Finding(
                "study.series_number_repeated", Status.INFO, text, study.subject(), {"number": number, "series": [one.uid for one in group]}
            )
