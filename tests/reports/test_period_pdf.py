"""The report of a month on paper, and the charts on paper."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from test_period import january
from trends_made import day

from reports import daily, period
from reports.store import Store


def text_of(document: Path) -> str:
    assert document.read_bytes().startswith(b"%PDF")
    if not shutil.which("pdftotext"):
        pytest.skip("pdftotext is not here")
    return " ".join(subprocess.run(["pdftotext", "-layout", document, "-"], capture_output=True, check=True, text=True).stdout.split())


def test_a_month_and_a_day_with_a_chart_in_alarm(store: Store, tmp_path: Path) -> None:
    january(store)
    page = period.write(store, period.month("2026-02"), tmp_path, site="Clinic")
    paper = text_of(page.with_suffix(".pdf"))
    for one in ("Image quality, February 2026", "Clinic", "MR1", "CT2", "1 in alarm", "drifts away from its", "CUSUM", "page 1 of"):
        assert one in paper, one
    paper = text_of(daily.write(store, day(44), tmp_path).with_suffix(".pdf"))
    for one in ("Trends of phantom values", "1 in alarm", "▲ Charts that drift away from their baseline: 1"):
        assert one in paper, one


def test_a_month_without_anything(store: Store, tmp_path: Path) -> None:
    page = period.write(store, period.month("2026-07"), tmp_path)
    assert "No studies in this time." in text_of(page.with_suffix(".pdf"))
