"""Reports of made-up studies, put together by hand: what a runner would have given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from qc.dicom import Rejected
from qc.results import (
    CurveEvidence,
    Finding,
    ImageEvidence,
    Judged,
    Measurement,
    Shape,
    Status,
    Subject,
    Verdict,
)
from qc.runner import Ran, Report
from qc.study import Frame, Instance, Series, Study
from reports.store import Seen, Store

KEY = b"a key of the tests"
NAME = "ZZYZXNAME^QUILLA"
PATIENT_ID = "ZZYZXID4711"
BIRTH = "19510317"
ACCESSION = "ZZYZXACC0815"
PLANTED = ("ZZYZXNAME", "QUILLA", PATIENT_ID, BIRTH, "1951-03-17", ACCESSION)

SCANNERS = {
    "MR1": {
        "Modality": "MR",
        "Manufacturer": "Maker A",
        "ManufacturerModelName": "Field 1.5",
        "DeviceSerialNumber": "40712",
        "StationName": "MR1",
    },
    "CT2": {
        "Modality": "CT",
        "Manufacturer": "Maker B",
        "ManufacturerModelName": "Spiral",
        "DeviceSerialNumber": "C-77-19",
        "StationName": "CT2",
    },
}
CRITERIA = {
    "set": "acr-mri-2022 1",
    "edition": "2022-10",
    "provenance": "ACR Test Guidance 10/19/2022, table 4",
    "confidence": "conflicting",
}


def uid(number: int | str) -> str:
    return f"1.2.826.0.1.3680043.8.498.{number}"


def seen(study: str, count: int = 3, *, series: int = 1, start: int = 1, digest: str = "d") -> list[Seen]:
    """Files of one series of a study, as a source reports them."""
    numbers = range(start, start + count)
    return [
        Seen(f"in/{study}/{series}/{n}.dcm", 1000 + n, 1, study, f"{study}.{series}", f"{study}.{series}.{n}", f"{digest}{n}")
        for n in numbers
    ]


def subject(study: str, series: int | None = 1, instance: int | None = None) -> Subject:
    if series is None:
        return Subject("study", study)
    name = f"IM{instance:04d}" if instance else None
    return Subject("series", study, f"{study}.{series}", f"{study}.{series}.{instance}" if instance else None, None, name)


def study(number: str, descriptions: tuple[str, ...] = ("t1_se_tra",), *, images: int = 3, scanner: str = "MR1", **tags: Any) -> Study:
    """A study of plain header values."""
    made = []
    common = {
        "StudyInstanceUID": number, "StudyDate": "20261125", "StudyTime": "081500", "StudyDescription": "Head", "PatientID": PATIENT_ID,
        "PatientName": NAME, "PatientBirthDate": BIRTH, "AccessionNumber": ACCESSION, "Rows": 8, "Columns": 8, **SCANNERS[scanner], **tags,
    }  # fmt: skip
    for place, description in enumerate(descriptions, start=1):
        instances = []
        for n in range(1, images + 1):
            own = {"SeriesInstanceUID": f"{number}.{place}", "SOPInstanceUID": f"{number}.{place}.{n}", "InstanceNumber": n}
            instance = Instance(Path(f"IM{n:04d}"), f"IM{n:04d}", "1.2.840.10008.1.2.1", {**common, "SeriesNumber": place, **own})
            instance.tags["SeriesDescription"] = description
            instance.frames = [Frame(instance)]
            instances.append(instance)
        made.append(Series(number, f"{number}.{place}", instances))
    return Study(number, made)


def report(made: Study, results: tuple[Finding | Judged, ...] = (), skipped: tuple[Rejected, ...] = ()) -> Report:
    """A report with one check run a series, as bad as its results."""
    out = Report(
        [made], [one for one in results if isinstance(one, Finding)], [one for one in results if isinstance(one, Judged)], list(skipped)
    )
    out.given = sum(len(series.instances) for series in made.series) + len(skipped)
    out.ran = [Ran("slices", 1, series.subject(), Status.PASS, 0.01) for series in made.series]
    return out


def finding(
    about: Subject, status: Status = Status.FAIL, code: str = "slices.missing", message: str = "2 images are missing", **more: Any
) -> Finding:
    advice = more.pop("advice", "Images are missing inside the stack. Send the series again from the scanner.")
    return Finding(
        code, status, message, about, more.pop("details", {}), advice, more.pop("check", "slices"), tuple(more.pop("evidence", ()))
    )


def judged(
    about: Subject,
    value: float | None,
    status: Status,
    *,
    region: str = "slice7",
    reason: str | None = None,
    evidence: tuple = (),
    low: float = 87.5,
) -> Judged:
    measurement = Measurement("acr_mri.piu", value, "%", about, region, 0.2 if value else None, reason, "acr_mri.piu/1", {}, evidence)
    limits = {"action_low": low, "tolerance_low": None, "tolerance_high": None, "action_high": None}
    return Judged(measurement, Verdict(status, limits, CRITERIA))


def picture(rows: int = 96, columns: int = 96, aspect: float = 1.0) -> ImageEvidence:
    y, x = np.mgrid[:rows, :columns]
    inside = ((y - rows / 2) / rows) ** 2 + ((x - columns / 2) / columns) ** 2 < 0.18
    image = np.where(inside, 150 + 60 * x / columns, 8).astype(np.uint8)
    middle = (rows / 2, columns / 2)
    shapes = (
        Shape("circle", (middle, (rows / 2, columns * 0.85)), "mean 181", "measured"),
        Shape("polygon", ((rows * 0.3, columns * 0.2), (rows * 0.3, columns * 0.35), (rows * 0.42, columns * 0.2)), "", "excluded"),
        Shape("line", ((rows * 0.75, columns * 0.25), (rows * 0.75, columns * 0.75)), "profile", "found"),
        Shape("point", ((rows * 0.6, columns * 0.3),), "darkest", "problem"),
    )
    return ImageEvidence("Slice 7, uniformity", image, shapes, aspect, (0.0, 1200.0), "1", "The mean of the large circle is 181.")


def curve() -> CurveEvidence:
    x = [n / 4 for n in range(60)]
    y = [100 / (1 + np.exp(-(one - 7) * 2)) for one in x]
    return CurveEvidence(
        "Edge across the ramp",
        {"measured": (x, y), "fit <b>": (x, [one * 0.97 for one in y])},
        "position (mm)",
        "signal",
        {"half <1>": 7.0},
    )


def run(store: Store, made: Report, *, owner: str = "tester") -> bool:
    """Take one study through the ledger, from observation to results."""
    number = made.studies[0].uid
    files = [
        Seen(f"in/{one.uid}", 100, 1, number, str(one.get("SeriesInstanceUID")), one.uid, f"{one.uid}-{made.given}")
        for one in made.studies[0].instances()
    ]
    store.observe("folder", files)
    store.settle(0)
    (work,) = store.claim(owner, 1, 60)
    assert work.study_uid == number
    return store.complete(work.id, owner, made, KEY)


def whole_day(store: Store) -> None:
    """A day with one of everything: two failures, a warning, something that could not be evaluated, files set aside, the rest in order."""
    for made in (_gaps(), _phantom(), _clipped(), _untidy(), *(_in_order(number) for number in range(5, 12))):
        run(store, made)
    store.skip("folder", "letter.pdf", "not_dicom", "the file is not DICOM")


def _gaps() -> Report:
    number = uid(1)
    results = (
        finding(subject(number, 2), message="2 images are missing between image 3 and image 4 (gap of 15.0 mm at a spacing of 5.0 mm)"),
        finding(subject(number, 3), message="1 image is missing between image 1 and image 2 (gap of 10.0 mm at a spacing of 5.0 mm)"),
    )
    return report(study(number, ("localizer", "t1_se_tra", "t2_tse_tra"), images=5), results)


def _phantom() -> Report:
    number = uid(2)
    shared = picture()
    exceeded = {
        "code": "limit.exceeded",
        "message": "Uniformity is 86.02 %, outside its limit",
        "advice": "Repeat the measurement once; if it stays outside, tell the physicist in charge.",
        "details": {"metric": "acr_mri.piu", "region": "slice7"},
    }
    about = subject(number, 1, 7)
    results = (judged(about, 86.02, Status.FAIL, evidence=(shared,)), finding(about, **exceeded, check="acr_mri.piu", evidence=(shared,)))
    return report(study(number, ("ACR T1",), images=11, StudyTime="070312", StudyDescription="Phantom, daily"), results)


def _clipped() -> Report:
    number = uid(3)
    clipped = {
        "code": "pixels.clipped",
        "message": "0.8 % of the pixels of image 4 stand at the highest code",
        "advice": "Bright structures are cut off. Harmless in metal; else check the window of the reconstruction.",
        "evidence": (picture(60, 96, 1.4), curve()),
    }
    noise = {
        "code": "check.not_evaluable",
        "message": "Noise: too few slices of air",
        "details": {"reason": "no_background"},
        "check": "noise",
    }
    results = (finding(subject(number, 1, 4), Status.WARN, **clipped), finding(subject(number), Status.NOT_EVALUABLE, **noise))
    made = study(number, ("Thorax 5.0 Br40", "Topogram"), images=20, scanner="CT2", StudyTime="101007", StudyDescription="CT chest")
    return report(made, results)


def _untidy() -> Report:
    number = uid(4)
    made = study(number, ("Abdomen <script>alert(1)</script> & more",), scanner="CT2", StudyTime="115959", StudyDescription="CT abdomen")
    aside = (
        Rejected("IM0099", "duplicate_file", "byte for byte the same file as IM0001"),
        Rejected("IM0100", "truncated", "the file ends before its header is complete"),
    )
    return report(made, (judged(subject(number), None, Status.NOT_EVALUABLE, reason="background_not_rayleigh"),), aside)


def _in_order(n: int) -> Report:
    number = uid(n)
    result = judged(subject(number), 93.4, Status.PASS) if n % 2 else judged(subject(number), 50.0, Status.INFO)
    return report(study(number, ("t1_se_tra", "t2_tse_tra"), images=n, StudyTime=f"{n + 7:02d}2200"), (result,))
