"""Attributes that the standard wants, and the values it knows: at most three lines a series, by how grave it is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from qc.check import Applies, Example, check
from qc.conformance import TOLD_ELSEWHERE, Deviation, Severity, allowed, deviations
from qc.results import Finding, Result, Status
from qc.study import Instance, Series

CODES = {
    "header.standard_blocks": "Attributes are missing without which an image cannot be shown or measured by. Correct it at the source, or the images "
    "will be refused or shown wrongly somewhere.",
    "header.standard_breaks": "The header breaks rules of the standard that some software relies on (import, hanging protocols, registration). Tell the "
    "maker, or add the model to the allow-list (`allowed` of this check) once it is known to do no harm here.",
    "header.standard_cosmetic": "Small departures from the standard that software tolerates. Nothing to do; of interest when a new scanner is accepted.",
}
STATUS: dict[Severity, Status] = {"blocks": Status.WARN, "breaks": Status.INFO, "cosmetic": Status.INFO}
WORDS: dict[Severity, str] = {"blocks": "needed to use the images", "breaks": "may break other software", "cosmetic": "cosmetic"}
MOST_NAMED = 6


@dataclass(frozen=True)
class ConformanceParameters:
    """Parameters.

    Attributes
    ----------
    allowed
        TOML file with more entries of the allow-list (the built-in ones stand in ``qc/standard/allowed.toml``); empty: none.
    """

    allowed: str = ""

    def __post_init__(self) -> None:
        allowed(self.allowed)  # a wrong list refuses to start


@check(
    id="header.conformance",
    version=2,
    title="Headers conform to the standard",
    level="series",
    needs="headers",
    applies=Applies(not_classes=frozenset({"not_image"})),
    codes=CODES,
    params=ConformanceParameters,
    source="DICOM PS3.3 annexes A and C (types 1, 1C, 2; enumerated values), PS3.5 table 6.2-1 (form of values)",
    invariances=("file_order", "duplicate_input"),
    examples=(Example("ct_head"), Example("mr_brain")),
)
def conformance(series: Series, params: ConformanceParameters) -> Iterator[Result]:
    """Compare which attributes are there, empty or filled, with the modules of the object, and values with the enumerated ones.

    Never a failure: most files of most scanners break some rule, and few of those matter. What is grave has a check of its own. Grouped by
    severity; makers and models in the allow-list are not told again. Attributes inside sequences are not looked at.
    """
    lists = allowed(params.allowed)
    told = tuple({keyword for entry in lists for keyword, _ in entry.when} | {"Manufacturer", "ManufacturerModelName"})
    # instances that break the same rules are judged alike; the tuples are kept, so their ids stay theirs
    alike: dict[tuple[Any, ...], tuple[tuple[Deviation, ...], list[Instance]]] = {}
    for instance in series.instances:
        forms = tuple([problem for problem in instance.problems if problem.code == "header.value_form"])
        broken = deviations(instance)
        if broken or forms:
            key = (id(broken), tuple(map(id, forms)), *map(instance.tags.get, told))
            alike.setdefault(key, (broken, []))[1].append(instance)
    images: dict[Deviation, list[Instance]] = defaultdict(list)
    for broken, instances in alike.values():
        for deviation in (*broken, *_forms(instances[0])):
            if not any(entry.covers(deviation, instances[0].tags) for entry in lists):
                images[deviation] += instances
    for severity in STATUS:
        found = {deviation: where for deviation, where in images.items() if deviation.severity == severity}
        if found:
            yield _finding(series, severity, found)


def _forms(instance: Instance) -> Iterator[Deviation]:
    for problem in instance.problems:
        if problem.code == "header.value_form" and problem.keyword not in TOLD_ELSEWHERE:
            yield Deviation(problem.keyword, "form", "cosmetic", found=problem.text)


def _finding(series: Series, severity: Severity, found: dict[Deviation, list[Instance]]) -> Finding:
    texts = sorted({deviation.text for deviation in found})
    touched = {id(instance) for where in found.values() for instance in where}
    shown = ", ".join(texts[:MOST_NAMED]) + (f" and {len(texts) - MOST_NAMED} more" if len(texts) > MOST_NAMED else "")
    images = f"{len(touched)} of {len(series.instances)} images" if len(series.instances) > 1 else "the image"
    details = {
        "count": len(touched),
        "deviations": [
            {"keyword": one.keyword, "rule": one.rule, "type": one.kind, "found": one.found, "count": len(where)}
            for one, where in sorted(found.items(), key=lambda pair: pair[0].text)[:60]
        ],
    }
    text = f"{WORDS[severity]}: {shown} in {images}"
    return Finding(f"header.standard_{severity}", STATUS[severity], text, series.subject(), details)
