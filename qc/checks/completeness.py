"""Did everything arrive? What the headers themselves say about how many images there should be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from qc import counts
from qc.check import Applies, Example, NoParameters, check
from qc.results import Finding, Result, Status
from qc.study import Series, Study

CODES = {
    "series.incomplete": "The headers announce more images than arrived. Compare with the scanner's own count and send the series again "
    "where it differs.",
    "stack.dimension_index": "The object does not number its frames without gaps or doubles, so software that sorts by these numbers shows "
    "them in a wrong order. Tell the vendor; the slice positions hold.",
    "series.numbers": "The image numbers leave room for more images, the slice positions do not show a gap. Many scanners number like this; "
    "compare with the scanner's count if the series looks short.",
}
STUDY_CODES = {
    "study.incomplete": "The headers announce more objects in the study than arrived. Fetch the study again from the archive it came from.",
}


@check(
    id="completeness",
    version=3,
    title="As many images as announced",
    level="series",
    needs="headers",
    applies=Applies(not_classes=frozenset({"not_image", "screenshot"})),
    codes=CODES,
    source="DICOM (0020,1002), (0020,0105), (0018,1090), (0054,0081), (0054,0101), (0020,9163), (0020,9228), (0020,9057); GE (0021,xx4F); "
    "Philips (2001,xx14/17/18/81)",
    invariances=("file_order", "duplicate_input"),
    examples=(Example("mr_brain"), Example("mr_4d")),
)
def completeness(series: Series, params: NoParameters) -> Iterator[Result]:
    """Compare images, positions and time points with every count that the header gives.

    Counts of the acquisition are ignored on derived objects. The first count that is not reached makes the finding, the others
    stand in its details. Numbers that start late or skip while the positions are regular are a remark.
    """
    counted = counts.counted(series)
    short = counts.counts(counted)
    if short:
        first = short[0]
        missing = f"; missing: {', '.join(map(str, first.missing[:8]))}{' ...' if len(first.missing) > 8 else ''}" if first.missing else ""
        text = f"{first.received} of {first.expected} {first.unit} arrived ({first.source}){missing}"
        details = {**asdict(first), "counts": [asdict(count) for count in short[1:]]}
        yield Finding("series.incomplete", Status.WARN, text, series.subject(), details)
    faulty = counts.faulty_index(series)
    if faulty is not None:
        yield Finding("stack.dimension_index", Status.WARN, faulty[0], series.subject(), faulty[1])
    if not short and series.klass in ("image", "stack_4d") and series.modality in ("CT", "MR", "PT"):
        loose = None if counts.irregular(counted) else counts.loose_numbers(series)
        if loose is not None:
            text, numbers = loose
            yield Finding("series.numbers", Status.INFO, text, series.subject(), {"numbers": list(numbers)})


@check(
    id="completeness.study",
    version=1,
    title="As many objects in the study as announced",
    level="study",
    needs="headers",
    codes=STUDY_CODES,
    source="DICOM (0020,1206), (0020,1208)",
    invariances=("file_order", "duplicate_input"),
    examples=(Example("mr_brain"),),
)
def completeness_study(study: Study, params: NoParameters) -> Iterator[Result]:
    """Compare series and objects with the counts that an archive wrote into the headers (query attributes, seldom in files)."""
    here = {
        "NumberOfStudyRelatedSeries": len(study.series),
        "NumberOfStudyRelatedInstances": sum(counts.objects(one) for one in study.series),
    }
    for (keyword, received), unit in zip(here.items(), ("series", "objects"), strict=True):
        told = [value for one in study.series for value in one.values(keyword) if isinstance(value, int)]
        if told and received < max(told):
            text = f"{received} of {max(told)} {unit} of the study arrived ({keyword})"
            details = {"expected": max(told), "received": received, "unit": unit, "source": keyword}
            yield Finding("study.incomplete", Status.WARN, text, study.subject(), details)
            return
