"""Can the files be read, whole and once? What reading noted, put into words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from qc.check import Applies, Example, NoParameters, check
from qc.dicom import Rejected
from qc.results import Finding, Result, Status, Subject
from qc.study import Instance, Series
from qc.values import Problem

REJECTED = {
    "empty": ("file.empty", Status.FAIL, "the file has no bytes"),
    "truncated": ("file.truncated", Status.FAIL, "the file ends before its header is complete"),
    "unreadable": ("file.unreadable", Status.FAIL, "the file cannot be opened"),
    "archive_damaged": ("file.archive_damaged", Status.FAIL, "the archive is damaged"),
    "too_large": ("file.too_large", Status.WARN, "the file is larger than is read"),
}
REJECTED_CODES = {
    "file.empty": "Nothing arrived. Ask the sender for the file again.",
    "file.truncated": "The transfer broke off. Ask the sender for the file again.",
    "file.unreadable": "Permissions or the disk. Tell the PACS administrator.",
    "file.archive_damaged": "The archive was damaged on the way. Get it again.",
    "file.too_large": "The file is larger than is read, so nothing was checked in it. Raise the limit named in the message if the file is "
    "genuine.",
    "file.referenced_missing": "The medium is incomplete: its directory lists files that are not on it. Get the medium again.",
}


@check(
    id="files.set_aside",
    version=1,
    title="Files that gave no image",
    level="file",
    needs="headers",
    codes=REJECTED_CODES,
    source="DICOM PS3.10 section 7",
    required=True,
)
def set_aside(rejected: Rejected, params: NoParameters) -> Iterator[Result]:
    """Word what kept a file from being read: empty, truncated, unreadable, a damaged archive.

    Files that are simply not DICOM, and byte-identical copies, are listed as skipped without a finding.
    """
    subject = Subject("file", path=rejected.shown)
    missing = rejected.facts.get("missing")
    if rejected.reason == "dicomdir" and missing:
        text = (
            f"the directory of the medium lists {len(missing)} file{'s' if len(missing) > 1 else ''} that are not there, first {missing[0]}"
        )
        yield Finding("file.referenced_missing", Status.FAIL, text, subject, {"count": len(missing), "missing": missing[:20]})
    elif rejected.reason in REJECTED:
        code, status, text = REJECTED[rejected.reason]
        yield Finding(code, status, f"{text}: {rejected.message}" if rejected.message != text else text, subject, dict(rejected.facts))


CODES = {
    "file.truncated": "Part of the image is lost. Ask the sender for these files again.",
    "file.pixel_length": "The pixel data are shorter or longer than the image needs; viewers may show it shifted or not at all. Ask for the file again.",
    "file.no_delimiter": "The end mark of the compressed pixel data is missing. The images inside are whole where the finding says "
    "repairable; re-writing the file mends it, so ask the archive to do that or send it again.",
    "file.frame_count": "Fewer images are in the file than its header announces. Ask for it again.",
    "file.not_encapsulated": "Transfer syntax and pixel data contradict each other; most viewers will not show it. Ask the sender for the "
    "file again, in another encoding.",
    "file.meta_mismatch": "The file's own label names another object than its content: often left by software that re-writes UIDs. Archives "
    "that trust the label will mix objects up: ask the sender to write the file anew.",
    "file.no_meta": "The file lacks the DICOM preamble or file meta information. It was read, but many programs refuse it: ask the sender "
    "for whole DICOM files (part 10).",
    "file.no_transfer_syntax": "The file does not say how it is encoded; the reading is a guess that worked. Look whether the image is "
    "right, and ask the sender for whole DICOM files.",
    "file.nested_too_deep": "Sequences are nested beyond what is read: a damaged or hostile file. Do not open it in other software before "
    "you know where it comes from.",
    "file.sequence_unreadable": "A sequence inside the header is damaged; what it said is lost. Ask for the file again.",
    "file.uid_collision": "Two different objects carry one SOPInstanceUID. An archive keeps only one of them: find out which is right before "
    "the other is lost.",
    "file.duplicate": "The same image stands twice with different headers under one UID. Find out which header is right.",
}
GRAVE = {
    "file.truncated": Status.FAIL,
    "file.pixel_length": Status.FAIL,
    "file.no_delimiter": Status.FAIL,
    "file.frame_count": Status.FAIL,
    "file.not_encapsulated": Status.FAIL,
    "file.nested_too_deep": Status.FAIL,
    "file.sequence_unreadable": Status.FAIL,
    "file.uid_collision": Status.FAIL,
}
MOST_NAMED = 20


@check(
    id="files",
    version=1,
    title="Files whole, consistent and unique",
    level="series",
    needs="headers",
    applies=Applies(),
    codes=CODES,
    source="DICOM PS3.5 sections 7, 8 and A.4; PS3.10 section 7",
    invariances=("file_order",),
    examples=(
        Example("ct_head"),
        Example("ct_head", fault="truncated_file", codes={"file.truncated": Status.FAIL}),
        Example("ct_head", fault="short_pixel_data", codes={"file.pixel_length": Status.FAIL}),
        Example("ct_head", fault="uid_collision", codes={"file.uid_collision": Status.FAIL}),
    ),
    required=True,
)
def files(series: Series, params: NoParameters) -> Iterator[Result]:
    """Word what reading found wrong with the files of a series, one finding a kind.

    Lengths are compared after even padding; YBR_FULL_422 and 1-bit data are counted as packed. Announced, expected and
    present bytes are quoted.
    """
    by_code: dict[str, list[tuple[Instance, Problem]]] = defaultdict(list)
    for instance in series.instances:
        for code in dict.fromkeys(problem.code for problem in instance.problems if problem.code.startswith("file.")):
            by_code[code].append((instance, next(problem for problem in instance.problems if problem.code == code)))
    for code, cases in by_code.items():
        if code == "file.uid_collision":
            yield from _collisions(series, cases)
        else:
            yield _finding(series, code, cases)


def _subject(series: Series, cases: Sequence[tuple[Instance, Problem]]) -> Subject:
    """The instance where there is one, else the series."""
    if len(cases) > 1:
        return series.subject()
    instance = cases[0][0]
    return Subject("series", series.study_uid or None, series.uid or None, instance.uid or None, None, instance.shown)


def _finding(series: Series, code: str, cases: list[tuple[Instance, Problem]]) -> Finding:
    instance, problem = cases[0]
    status = GRAVE.get(code, Status.WARN)
    if code == "file.pixel_length" and all((one.fact("announced") or 0) > (one.fact("expected") or 0) for _, one in cases):
        status = Status.WARN  # longer than needed: the image is whole
    share = f"{len(cases)} of {len(series.instances)} files:" if len(series.instances) > 1 else "the file"
    details = {
        "count": len(cases),
        "files": [one.shown for one, _ in cases[:MOST_NAMED]],
        "instances": [one.uid for one, _ in cases[:MOST_NAMED]],
        **dict(problem.facts),
    }
    if problem.text:
        details["found"] = problem.text
    return Finding(code, status, f"{share} {_words(code, problem)} ({instance.shown})", _subject(series, cases), details)


def _words(code: str, problem: Problem) -> str:
    """One sentence a kind, with its figures."""
    fact = problem.fact
    if code == "file.truncated":
        if fact("where") == "header":
            return "ends inside the header"
        if fact("announced") is None:
            return f"ends inside the compressed pixel data, after {fact('fragments')} whole fragments for {fact('frames')} frames"
        return f"ends inside the pixel data: {fact('present')} of {fact('announced')} announced bytes are there"
    if code == "file.pixel_length":
        stray = f", {fact('stray')} stray bytes after it" if fact("stray") else ""
        return f"announces {fact('announced')} bytes of pixel data where the image needs {fact('expected')}{stray}"
    if code == "file.no_delimiter":
        whole = (
            f"the {fact('fragments')} fragments for {fact('frames')} frames are whole: repairable"
            if fact("repairable")
            else "not repairable"
        )
        return f"compressed pixel data without the sequence delimiter; {whole}"
    if code == "file.frame_count":
        return f"{fact('fragments')} fragments for {fact('frames')} announced frames"
    if code == "file.meta_mismatch":
        return f"file meta information and data set differ in {problem.keyword}"
    if code == "file.sequence_unreadable":
        return f"sequence {fact('tag')} cannot be read"
    return {
        "file.no_meta": "no preamble or file meta information",
        "file.no_transfer_syntax": "no transfer syntax in the file meta information",
        "file.nested_too_deep": "sequences nested too deep to read",
        "file.not_encapsulated": "transfer syntax and form of the pixel data contradict each other",
    }.get(code, code)


def _collisions(series: Series, cases: list[tuple[Instance, Problem]]) -> Iterator[Finding]:
    """UID collisions (other pixels) and re-sent images with another header (same pixels)."""
    for equal, code, status, words in (
        (False, "file.uid_collision", Status.FAIL, "carry one SOPInstanceUID but different pixels"),
        (True, "file.duplicate", Status.WARN, "carry one SOPInstanceUID and the same pixels under different headers"),
    ):
        chosen = [case for case in cases if bool(case[1].fact("pixels_equal")) is equal]
        if not chosen:
            continue
        instance, problem = chosen[0]
        others = sorted({str(one.fact("other_series")) for _, one in chosen} - {series.uid})
        where = f"; the other stands in series {others[0]}" if others else ""
        text = f"{instance.shown} and {problem.fact('other')} {words}{where}"
        details = {
            "count": len(chosen),
            "files": [one.shown for one, _ in chosen[:MOST_NAMED]],
            "instances": sorted({one.uid for one, _ in chosen})[:MOST_NAMED],
            "other_series": others,
        }
        yield Finding(code, status, text, _subject(series, chosen), details)
