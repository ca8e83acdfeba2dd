"""Nobody is named: not in the database, not in a report, a table or a file name."""

from __future__ import annotations

import html
import zipfile
from datetime import date
from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage
from reports_made import ACCESSION, BIRTH, KEY, NAME, PATIENT_ID, PLANTED, finding, report, run, study, subject, uid, whole_day

from qc.results import Status
from qc.runner import Options, Runner
from reports import daily
from reports.store import Seen, Store

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


@pytest.mark.usefixtures("sqlite_only")
def test_no_identifier_gets_from_files_into_reports(store: Store, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Real files, read and checked by the runner as it is."""
    inbox = tmp_path_factory.mktemp("inbox")
    for number in (1, 2, 4, 5):
        made = Dataset()
        made.file_meta = FileMetaDataset()
        made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = MRImageStorage
        made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = uid(f"7.1.{number}")
        made.StudyInstanceUID, made.SeriesInstanceUID, made.InstanceNumber = uid(7), uid("7.1"), number
        made.PatientName, made.PatientBirthDate, made.AccessionNumber = NAME, BIRTH, ACCESSION
        made.PatientID = PATIENT_ID if number < 5 else f"{PATIENT_ID}X"  # two patients in one study: the check will speak of them
        made.StudyDate, made.StudyTime, made.Modality, made.StationName = "20261125", "0815", "MR", "MR1"
        made.SeriesDescription, made.StudyDescription = f"T1 {NAME}", f"Order {ACCESSION}"
        made.Rows = made.Columns = 8
        made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation, made.SamplesPerPixel = 16, 16, 15, 0, 1
        made.PhotometricInterpretation = "MONOCHROME2"
        made.ImagePositionPatient, made.ImageOrientationPatient, made.PixelSpacing = [0, 0, 5 * number], [1, 0, 0, 0, 1, 0], [1, 1]
        made.PixelData = bytes(128)
        made.save_as(inbox / f"{number}.dcm", enforce_file_format=True)
    (inbox / "letter.dcm").write_text(f"Dear {NAME}")
    files = [Seen(f"{number}.dcm", 1, 1, uid(7), uid("7.1"), uid(f"7.1.{number}")) for number in (1, 2, 4, 5)]
    store.observe("folder", files)
    store.settle(0)
    (work,) = store.claim("a", 1, 60)
    with Runner(Options(hash_key=KEY, pixels=False)) as runner:
        made_report = runner.paths([inbox])
    assert made_report.findings, "else this shows little"
    assert store.complete(work.id, "a", made_report, KEY)
    page = daily.write(store, DAY, tmp_path / "reports")
    assert "5 files given = 4 instances" in " ".join(page.read_text().replace("<b>", "").replace("</b>", "").split())
    assert_nobody_is_named(tmp_path)


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
