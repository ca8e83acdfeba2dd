"""Mark a trainee's list against the key of a simulated day: found, missed, wrong kind, false alarm."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phantoms.synthetic.faults import FAULTS, Fault
from qc.errors import ConfigurationError

TASK = """\
One day of a department
=======================

The folder inbox holds the studies of one day, one folder each, numbered in order of arrival. The file manifest.json lists devices,
studies, series and arrivals. About a dozen studies have something wrong with them, each one thing; some look odd and are in order.

Look at headers and pictures with whatever you would use at work. Write down what you find, one line a finding, as a table
(CSV, for instance from a spreadsheet) with two columns:

    study,finding
    7,missing slice
    12,wrong patient

The study is its number (or its StudyInstanceUID), the finding a few plain words or a finding code such as slices.missing.
Then have it marked:

    pacsqc simulate score ANSWERS.csv --key FOLDER-key/answers.json
"""

NOTHING = frozenset(
    ("", "-", "ok", "okay", "none", "nothing", "no", "fine", "clean", "good", "nothing wrong", "in order", "no finding", "no fault")
)
STUDY_COLUMNS = ("study", "study_number", "number", "study_uid", "uid", "studyinstanceuid", "folder")
FINDING_COLUMNS = ("finding", "code", "fault", "answer", "what", "word", "words")
MOST_KINDS = 5  # plain words that could mean more kinds than this name none
MOST_CODES = 2
CODES = frozenset(fault.finding_code for fault in FAULTS.values() if fault.finding_code)
_NUMBER = re.compile(r"^(?:study)?[\s_#]*0*(\d{1,4})$")


@dataclass(frozen=True)
class Answer:
    """One line of a trainee's list."""

    line: int
    study: str
    finding: str


def score(answers: str | Path | Sequence[Mapping[str, Any]], key: str | Path | Mapping[str, Any]) -> dict[str, Any]:
    """Mark a list of answers.

    Parameters
    ----------
    answers
        A CSV file (columns ``study`` and ``finding``; comma, semicolon or tab; the header line may be missing), a JSON file (list of
        objects with these two, also under the name ``answers``), or such a list. The study is its number, folder or UID; the finding a
        code, the name of a fault, or plain words.
    key
        ``answers.json`` of `simulate.write_day`, or its content.

    Returns
    -------
    dict
        Counts ``faults``, ``found``, ``wrong_kind`` (the study, but another fault), ``missed``, ``false_alarms``, ``bonus`` (told by the
        manifest alone); ``rows`` with ``verdict``, ``study``, ``study_uid``, ``answer``, ``fault``, ``code``, ``sentence``;
        ``not_understood`` (lines); and ``text`` for people.

    Raises
    ------
    ConfigurationError
        If a file cannot be read.
    """
    truth = _load(key) if isinstance(key, (str, Path)) else key
    if not isinstance(truth, Mapping) or not isinstance(truth.get("faults"), list):
        raise ConfigurationError("the key is none: it has no list of faults; give the file answers.json of a simulated day")
    given = list(_read(Path(answers)) if isinstance(answers, (str, Path)) else _from_rows(answers))
    studies = {study["study"]: study for study in truth["studies"]}
    by_study: dict[int, list[Answer]] = {number: [] for number in studies}
    not_understood = []
    for answer in given:
        number = _study_number(answer.study, studies)
        why = "there is no such study" if number is None else _trouble(answer.finding)
        if why or number is None:
            not_understood.append({"line": answer.line, "study": answer.study, "finding": answer.finding, "why": why})
        elif _plain(answer.finding) not in NOTHING and answer.finding not in (one.finding for one in by_study[number]):
            by_study[number].append(answer)

    rows: list[dict[str, Any]] = []
    for number, study in studies.items():
        rows += _mark(study, by_study[number], truth)
    counts = {
        verdict: sum(row["verdict"] == verdict for row in rows) for verdict in ("found", "wrong kind", "missed", "false alarm", "bonus")
    }
    marked = {
        "faults": len(truth["faults"]),
        "found": counts["found"],
        "wrong_kind": counts["wrong kind"],
        "missed": counts["missed"],
        "false_alarms": counts["false alarm"],
        "bonus": counts["bonus"],
        "rows": rows,
        "not_understood": not_understood,
    }
    return marked | {"text": _text(marked, truth)}


def _mark(study: Mapping[str, Any], answers: list[Answer], truth: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Give the rows of one study."""
    fault = _of(study, truth["faults"])
    hidden = _of(study, truth.get("only_with_counts", []))
    harmless = _of(study, truth.get("harmless", []))
    actual = fault or hidden
    hits = [answer for answer in answers if actual and means(answer.finding, FAULTS[actual["fault"]])]
    wrong = [answer for answer in answers if answer not in hits]
    if actual and hits:
        yield _row("found" if fault else "bonus", study, hits[0].finding, actual)
    elif fault and wrong:
        yield _row("wrong kind", study, "; ".join(answer.finding for answer in wrong), fault)
        return
    elif fault:
        yield _row("missed", study, "", fault)
    for answer in wrong:
        yield _row("false alarm", study, answer.finding, harmless or {})


def _of(study: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    return next((entry for entry in entries if entry["study_uid"] == study["study_uid"]), None)


def _row(verdict: str, study: Mapping[str, Any], answer: str, actual: Mapping[str, Any]) -> dict[str, Any]:
    told = {what: study.get(what) for what in ("study", "study_uid", "modality", "station", "started", "description")}
    return {"verdict": verdict, **told, "answer": answer, **{what: actual.get(what) for what in ("fault", "code", "sentence")}}


# -- what an answer means ---------------------------------------------------------------------------------------------


def _plain(text: str) -> str:
    return re.sub(r"[^\w]+|_", " ", text.casefold()).strip() or text.strip()


def means(finding: str, fault: Fault) -> bool:
    """Tell whether an answer names a fault: by its code, by its name, or in plain words."""
    codes = _codes_in(finding)
    if codes:
        return fault.finding_code in codes or bool(codes & set(fault.also))
    words = _plain(finding).split()
    if " ".join(words) == fault.name.replace("_", " "):
        return True
    return any(all(any(word.startswith(stem) for word in words) for stem in _plain(phrase).split()) for phrase in fault.words)


def _codes_in(finding: str) -> set[str]:
    return {code for code in CODES if re.search(rf"(?<![\w.]){re.escape(code)}(?![\w.])", finding.casefold())}


def _in_a_day(fault: Fault) -> bool:
    """Tell whether a simulated day may hold the fault: remarks and what only two studies show are not planted."""
    return fault.status != "info" and fault.topic != "history"


def _trouble(finding: str) -> str:
    """Say why an answer names nothing; empty where it does."""
    if _plain(finding) in NOTHING:
        return ""
    codes = _codes_in(finding)
    kinds = {fault.finding_code or fault.name for fault in FAULTS.values() if _in_a_day(fault) and means(finding, fault)}
    too_many = len(codes) > MOST_CODES if codes else len(kinds) > MOST_KINDS
    return "it names too many kinds of fault at once" if too_many else ""


def _study_number(text: str, studies: Mapping[int, Mapping[str, Any]]) -> int | None:
    wanted = text.strip().casefold()
    for number, study in studies.items():
        if wanted in (study["study_uid"], study["folder"].casefold()):
            return number
    match = _NUMBER.match(wanted)
    return int(match[1]) if match and int(match[1]) in studies else None


# -- reading ----------------------------------------------------------------------------------------------------------


def _load(path: str | Path) -> Any:
    try:
        return json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigurationError(f"{Path(path).name} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise ConfigurationError(f"{Path(path).name} is no JSON: {error}") from error


def _read(path: Path) -> Iterator[Answer]:
    if path.suffix.lower() == ".json":
        content = _load(path)
        rows = content.get("answers", content) if isinstance(content, dict) else content
        if isinstance(rows, dict):  # study -> finding
            rows = [{"study": study, "finding": finding} for study, finding in rows.items()]
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ConfigurationError(f"{path.name}: expected a list of objects with study and finding")
        yield from _from_rows(rows)
        return
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"{path.name} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError:
        text = path.read_text(encoding="latin-1")
    yield from _from_csv(text)


def _from_rows(rows: Sequence[Mapping[str, Any]]) -> Iterator[Answer]:
    for line, row in enumerate(rows, start=1):
        study = next((row[name] for name in STUDY_COLUMNS if row.get(name) not in (None, "")), "")
        found = next((row[name] for name in FINDING_COLUMNS if row.get(name) not in (None, "")), "")
        for finding in found if isinstance(found, list) else [found]:
            yield Answer(line, str(study), str(finding))


def _from_csv(text: str) -> Iterator[Answer]:
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(",;\t", key=first.count)
    rows = [row for row in enumerate(csv.reader(io.StringIO(text), delimiter=delimiter), start=1) if any(cell.strip() for cell in row[1])]
    at = {"study": 0, "finding": 1}
    if rows:
        names = [cell.strip().casefold().replace(" ", "_") for cell in rows[0][1]]
        columns = {
            what: next((names.index(name) for name in known if name in names), None)
            for what, known in (("study", STUDY_COLUMNS), ("finding", FINDING_COLUMNS))
        }
        if None not in columns.values():
            at, rows = columns, rows[1:]  # type: ignore[assignment]
    for line, row in rows:
        cells = [row[place].strip() if place < len(row) else "" for place in (at["study"], at["finding"])]
        yield Answer(line, *cells)


# -- for people -------------------------------------------------------------------------------------------------------

_SAID = {
    "found": "Found",
    "wrong kind": "Right study, but something else is wrong with it",
    "missed": "Missed",
    "false alarm": "False alarms",
    "bonus": "Found by the manifest alone",
}


def _text(marked: Mapping[str, Any], truth: Mapping[str, Any]) -> str:
    """Write the marks as a page of text."""
    lines = [f"Simulated day {truth['date']}: {marked['found']} of {marked['faults']} faults found."]
    for verdict, title in _SAID.items():
        rows = [row for row in marked["rows"] if row["verdict"] == verdict]
        if rows:
            lines += ["", f"{title} ({len(rows)})", *(_line(row) for row in rows)]
    if marked["not_understood"]:
        lines += ["", f"Not understood ({len(marked['not_understood'])})"]
        lines += [f"  line {one['line']}: {one['study']!r}, {one['finding']!r}: {one['why']}" for one in marked["not_understood"]]
    return "\n".join(lines) + "\n"


def _line(row: Mapping[str, Any]) -> str:
    where = f"  study {row['study']:>2}  {str(row['started'])[11:16]}  {row['modality']:<2}  {row['description']}"
    said = f"\n             you wrote: {row['answer']}" if row["answer"] else ""
    what = f"\n             {row['sentence']}" if row["sentence"] else ""
    code = f" ({row['code']})" if row["code"] else ""
    return f"{where}{said}{what}{code}"
