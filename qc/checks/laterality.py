"""Which side, which view: header values against each other and against what the description says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from qc.check import Applies, Example, NoParameters, check
from qc.checks._grouped import Cases
from qc.results import Result, Status
from qc.study import Instance, Series

CODES = {
    "header.laterality": "The side of the body is contradictory, or missing in a radiograph of a part that exists twice. Wrong-side reading and surgery "
    "start here: compare with the marker in the image and the order, then correct the header.",
    "header.view": "The view in the header is not the one in the description. Hanging protocols will show the image in the wrong place: "
    "look at the image and correct the header.",
}
PLAIN = frozenset({"CR", "DX", "MG", "RG", "IO", "PX"})
PAIRED = frozenset({
    "HAND", "WRIST", "FOREARM", "ELBOW", "HUMERUS", "ARM", "UPPERARM", "SHOULDER", "CLAVICLE", "SCAPULA", "FINGER", "THUMB", "FOOT", "TOE", "ANKLE",
    "CALCANEUS", "HEEL", "LEG", "LOWERLEG", "TIBIA", "FIBULA", "KNEE", "PATELLA", "FEMUR", "THIGH", "HIP", "BREAST", "EYE", "EAR", "ORBIT", "KIDNEY",
    "ACJOINT", "UPPERLIMB", "LOWERLIMB", "EXTREMITY",
})  # fmt: skip
SIDES = {"left": "L", "lt": "L", "links": "L", "gauche": "L", "izquierda": "L", "sinistra": "L",
         "right": "R", "rt": "R", "rechts": "R", "droite": "R", "droit": "R", "derecha": "R", "destra": "R"}  # fmt: skip
BOTH = frozenset({"bilateral", "bilat", "both", "beide", "bds", "bil"})
VIEWS = {"ap": "AP", "pa": "PA", "lat": "LAT", "lateral": "LAT", "cc": "CC", "mlo": "MLO"}
LATERAL = frozenset({"LL", "RL", "LLD", "RLD", "LAT", "ML", "LM", "LLO", "RLO"})
_TOKEN = re.compile(r"[a-z]+")
_BREAST = re.compile(r"^([lr])(cc|mlo|ml|lm|xccl)$")


@cache
def described_sides(text: str, single_letters: bool) -> frozenset[str]:
    """Return the sides that a description names: ``{"L"}``, ``{"R"}``, both or none.

    A lone L or R (and the German li, re) counts only where `single_letters`: "L SPINE" is lumbar, "T2 R" and "RE-SCAN" are repeats.

    >>> sorted(described_sides("Knee LT AP", False))
    ['L']
    >>> described_sides("L SPINE", False)
    frozenset()
    """
    tokens = _TOKEN.findall(text.casefold())
    if BOTH & set(tokens):
        return frozenset({"L", "R"})
    sides = {SIDES[token] for token in tokens if token in SIDES}
    if single_letters:
        sides |= {token[0].upper() for token in tokens if token in ("l", "r", "li")} | {"R" for token in tokens if token == "re"}
        sides |= {match.group(1).upper() for token in tokens if (match := _BREAST.match(token))}
    return frozenset(sides)


@cache
def described_views(text: str) -> frozenset[str]:
    """Return the views that a description names, of AP, PA, LAT, CC, MLO."""
    tokens = _TOKEN.findall(text.casefold())
    found = {VIEWS[token] for token in tokens if token in VIEWS}
    return frozenset(
        found | {match.group(2).upper() for token in tokens if (match := _BREAST.match(token)) and match.group(2) in ("cc", "mlo")}
    )


@check(
    id="header.laterality",
    version=1,
    title="Side and view agree",
    level="series",
    needs="headers",
    applies=Applies(not_classes=frozenset({"not_image", "screenshot", "phantom:"})),
    codes=CODES,
    source="DICOM PS3.3 C.7.3.1 (Laterality), C.8.11.5 and C.8.11.7 (Image Laterality), C.8.11.5 (View Position)",
    invariances=("file_order", "duplicate_input"),
    examples=(Example("ct_head"), Example("mr_brain")),
)
def laterality(series: Series, params: NoParameters) -> Iterator[Result]:
    """Compare Laterality with ImageLaterality, both with the sides named in the descriptions, and ViewPosition with the views named there.

    Descriptions that name both sides, or several views, contradict nothing. A side is asked for in radiographs of paired parts only; in CT and
    MR it is optional and mostly left out.
    """
    cases = Cases(series)
    plain = series.modality in PLAIN
    for instance in series.instances:
        sides = [str(instance.get(keyword)) for keyword in ("ImageLaterality", "Laterality") if instance.get(keyword) in ("L", "R")]
        told = _told(instance, plain)
        if len(set(sides)) > 1:
            cases.add("header.laterality", "ImageLaterality", f"ImageLaterality is {sides[0]} but Laterality is {sides[1]}", instance)
        elif sides and len(told) == 1 and sides[0] not in told:
            cases.add(
                "header.laterality", "description", f"the header says side {sides[0]}, the description says {next(iter(told))}", instance
            )
        elif plain and not sides and not told and _paired(instance) and not _both(instance):
            cases.add(
                "header.laterality", "Laterality", f"no side is given for {instance.get('BodyPartExamined') or 'the breast'}", instance
            )
    if plain:
        _views(series, cases)
    yield from cases.findings({"header.laterality": Status.WARN, "header.view": Status.WARN})


def _told(instance: Instance, plain: bool) -> frozenset[str]:
    """Sides that series description and protocol name; the study's names are for all its series."""
    part = _part(instance)
    single = plain and (part in PAIRED or instance.get("Modality") == "MG")
    found: frozenset[str] = frozenset()
    for keyword in ("SeriesDescription", "ProtocolName"):
        found |= described_sides(str(instance.get(keyword, "")), single)
    return found


def _part(instance: Instance) -> str:
    part: Any = instance.get("BodyPartExamined", "")
    return re.sub(r"[^A-Z]", "", str(part).upper())


def _paired(instance: Instance) -> bool:
    return _part(instance) in PAIRED or instance.get("Modality") == "MG"


def _both(instance: Instance) -> bool:
    return instance.get("ImageLaterality") in ("B", "U")


def _views(series: Series, cases: Cases) -> None:
    """A view that no image of the series has although the description names it alone."""
    described: frozenset[str] = frozenset()
    for keyword in ("SeriesDescription", "ProtocolName"):
        described |= described_views(str(series.first(keyword, "")))
    if len(described) != 1:
        return
    wanted = next(iter(described))
    known = {"AP", "PA", "CC", "MLO"} | LATERAL
    views = {id(one): str(one.get("ViewPosition", "")).upper() for one in series.instances}
    agree = any(view == wanted or (wanted == "LAT" and view in LATERAL) or view not in known for view in views.values())
    if not agree:
        for instance in series.instances:
            text = f"ViewPosition is {views[id(instance)]}, the description says {wanted}"
            cases.add("header.view", "ViewPosition", text, instance)
