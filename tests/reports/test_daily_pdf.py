"""The report of a day on paper: it says what the page says."""

from __future__ import annotations

import shutil
import subprocess
from datetime import date
from pathlib import Path

import pytest
from reports_made import PLANTED, finding, report, run, study, subject, uid, whole_day

from reports import daily
from reports.store import Store

DAY = date(2026, 11, 25)


def paper(store: Store, folder: Path) -> str:
    page = daily.write(store, DAY, folder, site="Example Hospital")
    document = page.with_suffix(".pdf")
    assert document.read_bytes().startswith(b"%PDF")
    if not shutil.which("pdftotext"):
        pytest.skip("pdftotext is not here")
    out = subprocess.run(["pdftotext", "-layout", document, "-"], capture_output=True, check=True, text=True).stdout
    return " ".join(out.split())


def test_it_says_what_the_page_says(store: Store, tmp_path: Path) -> None:
    whole_day(store)
    told = daily.gather(store, DAY)
    text = paper(store, tmp_path)
    assert told.headline in text
    for problem in told.problems:
        assert problem.title in text
        for item in problem.items:
            assert item.study["study_uid"] in text
    for one in (*(row["path"] for row in told.unread), "86.02 ± 0.20 %", "at least 87.5 %", "patient d2f56a185b", "Example Hospital"):
        assert one in text
    numbers = f"{told.given} files given = {told.instances} instances in {told.series} series of {len(told.studies)} studies + {len(told.skipped)} set aside"  # fmt: skip
    assert numbers in text


def test_no_identifier_of_a_patient(store: Store, tmp_path: Path) -> None:
    whole_day(store)
    text = paper(store, tmp_path).lower()
    assert not [planted for planted in PLANTED if planted.lower() in text]


def test_a_day_of_which_nothing_is_known(store: Store, tmp_path: Path) -> None:
    assert "No studies. Nothing was checked on this day." in paper(store, tmp_path)


def test_gaps_are_drawn(store: Store, tmp_path: Path) -> None:
    gap = {"location_mm": 20.0, "step_mm": 15.0, "spacing_mm": 5.0, "between": ["image 4", "image 5"]}
    run(store, report(study(uid(1)), (finding(subject(uid(1)), details={"gaps": [gap]}),)))
    assert "between image 4 and image 5" in paper(store, tmp_path)


def test_many_problems_make_many_pages(store: Store, tmp_path: Path) -> None:
    for number in range(1, 30):
        some = tuple(finding(subject(uid(number)), code=f"made.up{code}", message=f"message {code} " * 12) for code in range(4))
        run(store, report(study(uid(number)), some))
    text = paper(store, tmp_path)
    assert "24 more studies with the same problem" in text
    assert "page 4 of" in text
