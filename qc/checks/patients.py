"""The patients of all studies at hand: one ID over time, one person under two IDs, identifiers that stand under two patients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from qc.check import Example, check
from qc.history import CODES, HistoryParameters, PatientRecord, across, record, shared_identifiers
from qc.results import Result
from qc.study import Study

ID = "identity.history"


@check(
    id=ID,
    version=1,
    title="Patients agree from study to study",
    level="patient",
    needs="headers",
    codes=CODES,
    params=HistoryParameters,
    source="DICOM PS3.3 C.7.1.1, C.7.2.2; PS3.5 section 9 (a UID stands for one thing)",
    invariances=("file_order", "duplicate_input"),
    examples=(Example("mr_brain"),),
)
def patients(studies: tuple[Study, ...], params: HistoryParameters) -> Iterator[Result]:
    """Compare name, birth date, sex, weight and height of each patient ID from study to study, look for one person under two IDs, and
    for series and objects that stand in two studies.

    `pacsqc check` compares the studies that it is given; `pacsqc run` compares a study with all earlier ones in its database, which keeps
    keyed hashes in place of names, IDs and birth dates. Phantoms, and files whose identity was removed, are left out.
    """
    records = {study.uid: record(study) for study in studies}
    yield from across(one for found in records.values() for one in found)
    if len(studies) > 1:
        yield from shared_identifiers(_identifiers(studies, records))


def _identifiers(studies: tuple[Study, ...], records: dict[str, list[PatientRecord]]) -> Iterator[dict[str, Any]]:
    """Rows of series and objects; those of a study with several patients belong to nobody here (that study has its own finding)."""
    for study in studies:
        holders = {one.id_hash for one in records[study.uid]}
        row = {"id_hash": holders.pop() if len(holders) == 1 else "", "study_uid": study.uid}
        for series in study.series:
            yield {**row, "level": "series", "uid": series.uid}
            for instance in series.instances:
                yield {**row, "level": "instance", "uid": instance.uid}
