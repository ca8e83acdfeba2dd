"""Nobody is named: not in the database, not in a report, a table or a file name."""

from __future__ import annotations

import html
import zipfile
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage
from reports_made import ACCESSION, BIRTH, KEY, NAME, PATIENT_ID, PLANTED, finding, report, run, study, subject, uid, whole_day

from qc.results import Status
from qc.runner import Options, Runner
from reports import alerts, daily
from reports.store import Seen, Store, schema

DAY = date(2026, 11, 25)


def assert_nobody_is_named(folder: Path) -> None:
    """Look for what was planted in every byte below a folder, packed ones too."""
    written = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.suffix for path in written} >= {".html", ".csv", ".xlsx", ".sqlite"}
    for path in written:
        contents = [path.name.encode(), path.read_bytes()]
        if path.suffix == ".xlsx":
            with zipfile.ZipFile(path) as archive:
                contents += [archive.read(member) for member in archive.namelist()]
        for content in contents:
            plain = html.unescape(content.decode("utf-8", "replace")).casefold()
            for secret in PLANTED:
                assert secret.casefold() not in plain, f"{secret} in {path.name}"


FOLDER = f"{NAME.replace('^', '_')} {BIRTH}/order {ACCESSION}"
WRITTEN_OTHERWISE = ("17.03.1951", "17/03/1951")
# where the ledger finds a file again, and what a source remembers of those that wait; shown nowhere
PATHS = {("instance", "path"), ("source", "watermark")}


def inbox_of_planted_files(inbox: Path) -> list[Seen]:
    """Real files with identifiers wherever people and software leave them, folders included."""
    files = []
    (inbox / FOLDER).mkdir(parents=True)
    for number in (1, 2, 4, 5):
        made = Dataset()
        made.file_meta = FileMetaDataset()
        made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = MRImageStorage
        made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = uid(f"7.1.{number}")
        made.StudyInstanceUID, made.SeriesInstanceUID, made.InstanceNumber = uid(7), uid("7.1"), number
        made.PatientName, made.PatientBirthDate, made.AccessionNumber = NAME, BIRTH, ACCESSION
        made.PatientID = PATIENT_ID if number < 5 else f"{PATIENT_ID}X"  # two patients in one study: the check will speak of them
        made.OtherPatientIDs, made.PatientComments = f"{PATIENT_ID}OLD", f"mother of {NAME}"
        made.StudyDate, made.StudyTime, made.Modality, made.StationName = "20261125", "0815", "MR", "MR1"
        made.SeriesDescription = f"T1 {NAME} {WRITTEN_OTHERWISE[0]}"
        made.StudyDescription = f"Order {ACCESSION}, QUILLA born {WRITTEN_OTHERWISE[1]}"
        made.ProtocolName = f"head_{PATIENT_ID}_QUILLA"
        made.Rows = made.Columns = 8
        made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation, made.SamplesPerPixel = 16, 16, 15, 0, 1
        made.PhotometricInterpretation = "MONOCHROME2"
        made.ImagePositionPatient, made.ImageOrientationPatient, made.PixelSpacing = [0, 0, 5 * number], [1, 0, 0, 0, 1, 0], [1, 1]
        made.PixelData = bytes(128)
        path = inbox / FOLDER / f"{number}.dcm"
        made.save_as(path, enforce_file_format=True)
        files.append(Seen(f"{FOLDER}/{number}.dcm", 1, 1, uid(7), uid("7.1"), uid(f"7.1.{number}")))
    whole = (inbox / FOLDER / "1.dcm").read_bytes()
    (inbox / FOLDER / "6.dcm").write_bytes(whole[:200])  # cut off
    (inbox / FOLDER / "7.dcm").write_bytes(whole)  # a copy: the message names its twin
    (inbox / FOLDER / "letter.txt").write_text(f"Dear {NAME}")
    return files


def assert_tables_name_nobody(store: Store) -> None:
    with store.reading() as connection:
        for table in schema.metadata.sorted_tables:
            for row in connection.execute(sa.select(table)).mappings():
                for column, value in row.items():
                    if (table.name, column) not in PATHS:
                        plain = str(value).casefold()
                        found = [secret for secret in (*PLANTED, *WRITTEN_OTHERWISE) if secret.casefold() in plain]
                        assert not found, f"{found} in {table.name}.{column}: {value}"


def assert_files_name_nobody(folder: Path) -> None:
    for path in (path for path in folder.rglob("*") if path.is_file()):
        contents = [path.name.encode(), path.read_bytes()]
        if path.suffix == ".xlsx":
            with zipfile.ZipFile(path) as archive:
                contents += [archive.read(member) for member in archive.namelist()]
        for content in contents:
            plain = html.unescape(content.decode("utf-8", "replace")).casefold()
            found = [secret for secret in (*PLANTED, *WRITTEN_OTHERWISE) if secret.casefold() in plain]
            assert not found, f"{found} in {path.name}"


def test_no_identifier_gets_from_files_into_what_is_written(store: Store, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The whole way: files, checks, database, report, tables, alert, log."""
    inbox, out, sent = tmp_path_factory.mktemp("inbox"), tmp_path / "reports", []
    store.observe("inbox", inbox_of_planted_files(inbox))
    for name, reason in (("6.dcm", "truncated"), ("letter.txt", "not_dicom"), (f"export.zip/{NAME}/8.dcm", "archive_damaged")):
        store.skip("inbox", f"{FOLDER}/{name}", reason, f"{FOLDER}/{name}: no good; in /srv/in/{FOLDER}/{name} too")
    store.settle(0)
    (work,) = store.claim("a", 1, 60)
    with Runner(Options(hash_key=KEY)) as runner:
        made = runner.paths([inbox])
    codes = {finding.code for finding in made.findings}
    assert {"slices.missing", "identity.two_patients", "file.truncated"} <= codes, "else this shows little"
    assert NAME.split("^")[0] in str([one.shown for one in made.skipped]), "else folders are not tried"
    assert store.complete(work.id, "a", made, KEY)
    alerts.collect(store, DAY, "https://qc.example/")
    daily.write(store, DAY, out, site="Clinic")
    alerts.deliver(store, ["x://"], lambda url, title, text, severity: bool(sent.append(title + text)) or True)
    store.rename_device(store.devices()[0].id, "MR cellar", "anna", "as people say")
    page = " ".join((out / "daily-2026-11-25.html").read_text().replace("<b>", "").replace("</b>", "").split())
    assert "10 files given = 4 instances" in page
    assert sent
    (out / "sent.txt").write_text(sent[0])
    assert_tables_name_nobody(store)
    assert_files_name_nobody(out)


@pytest.mark.usefixtures("sqlite_only")
def test_no_identifier_gets_anywhere(store: Store, tmp_path: Path) -> None:
    """Planted in the headers, in descriptions and in what a careless check says; looked for in every byte that was written."""
    name, identifier, birth, accession = PLANTED[0], PLANTED[2], PLANTED[3], PLANTED[5]
    careless = f"The patient {name}^QUILLA ({identifier}, born {birth}, order {accession}) moved"
    made = study(uid(1), (f"Head {name}", f"T1_{identifier}"), StudyDescription=f"order {accession}")
    details = {"PatientName": f"{name}^QUILLA", "quoted": [careless], "birth": "1951-03-17"}
    results = (
        finding(subject(uid(1)), message=careless, details=details),
        finding(subject(uid(1)), Status.NOT_EVALUABLE, message=careless),
    )
    whole_day(store)
    run(store, report(made, results))
    folder = tmp_path / "reports"
    daily.write(store, DAY, folder)
    assert_nobody_is_named(tmp_path)
