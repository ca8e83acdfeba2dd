"""Identifiers that are legal and still not unique in the world."""

from __future__ import annotations

import re
from collections.abc import Iterator

from qc.check import Applies, Example, NoParameters, check
from qc.checks._grouped import Cases
from qc.results import Result, Status
from qc.study import Series

CODES = {
    "header.uid_root": "An identifier was made up under an example root or the root of the standard itself: nothing makes it unique in the world. Ask the "
    "maker of the software for identifiers under a root of its own.",
    "header.uid_reused": "One identifier stands for two things (study, series, image); archives may mix them up. Tell the maker of the software.",
}
IDENTIFIERS = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
# example roots of textbooks, and the root of DICOM itself, under which no object may be named (PS3.5 annex A lists what is). The root that
# pydicom lends to its users, 1.2.826.0.1.3680043.8.498, is a registered one.
_EXAMPLE = re.compile(r"^(1\.2\.3(\.|$)|1\.2\.840\.10008\.(?!1\.4\.[12]\.)|1\.1(\.1)*$|0(\.0)*$|9\.|[3-9]\d*\.)")


@check(
    id="header.uids",
    version=1,
    title="Identifiers unique in the world",
    level="series",
    needs="headers",
    applies=Applies(),
    codes=CODES,
    source="DICOM PS3.5 section 9 and annex B (creating a UID)",
    invariances=("file_order", "duplicate_input"),
    examples=(Example("ct_head"), Example("mr_brain")),
)
def uids(series: Series, params: NoParameters) -> Iterator[Result]:
    """Look for identifiers under example roots, and for one identifier that stands for study, series or image at once.

    A frame of reference with the UID of its study or series is common and harmless.
    """
    cases = Cases(series)
    for instance in series.instances:
        values = [instance.tags.get(keyword) for keyword in IDENTIFIERS]
        examples = [keyword for keyword, uid in zip(IDENTIFIERS, values, strict=True) if isinstance(uid, str) and _EXAMPLE.match(uid)]
        if examples:
            text = f"{', '.join(examples)} under an example root or the root of the standard"
            cases.add("header.uid_root", "", text, instance)
        own = [uid for uid in values[:3] if uid]
        if len(set(own)) < len(own):
            names = [keyword for keyword, uid in zip(IDENTIFIERS, values[:3], strict=False) if uid and own.count(uid) > 1]
            cases.add("header.uid_reused", "", f"{' and '.join(names)} are one identifier", instance)
    yield from cases.findings({"header.uid_root": Status.INFO, "header.uid_reused": Status.WARN})
