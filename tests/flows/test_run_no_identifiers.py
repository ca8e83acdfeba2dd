"""Nobody is named in anything that a run writes: unmistakable names are planted, and every byte is searched for them.

Planted in headers (in the usual places, in descriptions, in the text of an exception) and in the names of folders. The one place where
a folder may stand is where the ledger must find the file again. The name of a file itself is shown where it could not be read: whoever
looks after the inbox must find it.
"""

from __future__ import annotations

import html
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from flows import daily
from phantoms.synthetic.catalogue import make
from phantoms.synthetic.encode import as_bytes, write
from phantoms.synthetic.faults import inject
from reports.store import schema as t

pytestmark = pytest.mark.prefect

HEADERS = ("Zorblatt", "Quendoline", "Grimbold", "ZX-4711-QQ", "GB-0815-77", "19510317", "1951-03-17", "ACC-99-ZULU")
PATHS = ("Wimmelfurt", "Xanthippa")
# a check that breaks and quotes the patient
CODE = """
from qc import runner
series = runner.Runner.series
def careless(self, one, report, progress=None):
    series(self, one, report, progress)
    try:
        raise ValueError(f"{one.first('PatientName')} ({one.first('PatientID')}, born {one.first('PatientBirthDate')}) is no number")
    except ValueError as error:
        report.findings.append(runner._broken("careless", one.subject(), error))
runner.Runner.series = careless
from flows.cli import app
app()
"""


def plant(datasets, name="Zorblatt^Quendoline", patient_id="ZX-4711-QQ"):
    for dataset in datasets:
        dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate, dataset.AccessionNumber = (
            name,
            patient_id,
            "19510317",
            "ACC-99-ZULU",
        )
        dataset.SeriesDescription, dataset.StudyDescription = f"T1 {name}", "order ACC-99-ZULU"
    return datasets


@pytest.fixture
def inbox(chosen) -> Path:
    rng = np.random.default_rng(1)
    folder = chosen.inbox_folder / "Wimmelfurt_Xanthippa"
    lost = plant(make("ct_head", 1, slices=6, matrix=96).datasets)
    write(inject("lost_slice", lost, rng), folder / "ct", [f"{number}.dcm" for number in range(5)])
    two = plant(make("mr_brain", 2, slices=4, contrasts=("T1",), matrix=96).datasets)
    plant(two[2:], "Grimbold^Anna", "GB-0815-77")
    write(two, folder / "mr")
    cut = as_bytes(plant(make("dx_chest", 3, matrix=96).datasets)[0])
    (folder / "cut.dcm").write_bytes(cut[: len(cut) // 2])
    (folder / "letter.txt").write_text("Dear Mrs Zorblatt")
    (folder / "broken.zip").write_bytes(b"PK\x03\x04 no archive")
    return folder


def contents(path: Path) -> list[bytes]:
    """Return what a file holds, unpacked too."""
    found = [path.name.encode(), path.read_bytes()]
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            found += [archive.read(member) for member in archive.namelist()]
    return found


def hits(text: bytes | str, words) -> list[str]:
    plain = html.unescape(text.decode("utf-8", "replace") if isinstance(text, bytes) else text).casefold()
    return [word for word in words if word.casefold() in plain]


def test_nobody_is_named_in_anything_that_a_run_writes(engine, pacsqc, inbox, chosen, receiver, tmp_path):
    from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL

    home = tmp_path / "prefect"
    done = pacsqc("run", "--no-wait", code=CODE, PREFECT_API_URL=engine, PREFECT_HOME=str(home))
    assert done.returncode == 0, done.stderr
    assert "Checked: 6 studies" in done.stdout
    assert "without Prefect" not in done.stderr
    again = pacsqc("report", code=CODE)
    listed = pacsqc("alert", "list") if receiver.got else None
    assert listed
    words = (*HEADERS, *PATHS)
    for text in (done.stdout, done.stderr, again.stdout, again.stderr, listed.stdout, json.dumps(receiver.got)):
        assert not hits(text, words)

    written = [path for path in chosen.data.folder.rglob("*") if path.is_file()]
    assert {path.suffix for path in written} >= {".html", ".csv", ".xlsx", ".sqlite"}
    assert len(written) > 10
    for path in written:
        ledger = path.name.startswith("results.sqlite")
        for content in contents(path):
            assert not hits(content, HEADERS if ledger else words), path.name
    for path in chosen.data.folder.rglob("*"):
        assert not hits(path.name, words)

    database = Path(str(PREFECT_API_DATABASE_CONNECTION_URL.value()).partition("///")[2])
    assert database.is_file()
    for path in [*database.parent.glob(f"{database.name}*"), *(path for path in home.rglob("*") if path.is_file())]:
        for content in contents(path):
            assert not hits(content, words), path.name
    assert b"check a batch" in database.read_bytes() + b"".join(path.read_bytes() for path in database.parent.glob("*-wal"))


def test_paths_stand_where_the_ledger_needs_them_and_nowhere_else(inbox, chosen):
    daily.run_pass(chosen)
    found = set()
    with daily.open_for(chosen) as store, store.reading() as connection:
        for table in t.metadata.sorted_tables:
            for row in connection.execute(sa.select(table)).mappings():
                found |= {f"{table.name}.{column}" for column, value in row.items() if hits(str(value), PATHS)}
    assert found == {"instance.path"}


def test_the_search_finds_what_is_there(inbox):
    """Else the tests above show nothing."""
    files = [path for path in inbox.rglob("*") if path.is_file()]
    seen = {word for path in files for content in contents(path) for word in hits(content, HEADERS)} | set(hits(inbox.name, PATHS))
    assert seen == {*HEADERS, *PATHS} - {"1951-03-17"}  # the birth date as ISO writes it stands in no header
