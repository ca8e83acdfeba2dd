"""The report of a phantom run: one HTML file that needs no network and no script, and a PDF to be filed.

runs = phantom_sources.from_store(store, day)       what is in the database, with history
runs = phantom_sources.from_report(report)          what was just measured, without a database
phantom.write(run, folder)                          both files
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from reports import figures, phantom_pdf, phantom_sources
from reports.page import environment, put
from reports.phantom_run import Run

if TYPE_CHECKING:
    import pandas as pd

    from reports.store import Store


@dataclass(frozen=True)
class Written:
    """The files of one run, and what they say in a line."""

    page: Path
    pdf: Path
    phantom: str
    device: str
    status: str
    headline: str


def write(run: Run, folder: Path) -> Written:
    """Write page and PDF of a run into a folder; a report of the same run is replaced."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    name = name_of(run)
    page, document = folder / f"{name}.html", folder / f"{name}.pdf"
    text = render(run, document.name)
    put(document, lambda path: phantom_pdf.write(run, path))
    put(page, lambda path: path.write_text(text, encoding="utf-8"))
    return Written(page, document, run.name, _device(run), run.status, run.headline)


def write_day(store: Store, day: date, folder: Path, *, tables: Mapping[str, pd.DataFrame] | None = None, device: str | None = None, site: str = "") -> list[Written]:  # fmt: skip
    """Write the reports of the phantom runs of a day; see `phantom_sources.from_store` for the parameters."""
    return [write(run, folder) for run in phantom_sources.from_store(store, day, tables, device=device, site=site)]


def render(run: Run, document: str = "") -> str:
    """Return the page of a run; `document` is the name of the PDF beside it."""
    template = environment().get_template("phantom.html")
    return template.render(
        r=run, document=document, figure=figures.figure, chart=phantom_pdf.chart, pictures=phantom_pdf.tests_of, signed=phantom_pdf.SIGNED
    )


def name_of(run: Run) -> str:
    """Return the name of the files: day, scanner, phantom, and a few digits that tell runs of one day apart."""
    apart = hashlib.sha256(run.study["study_uid"].encode()).hexdigest()[:6]
    parts = (run.study["study_day"].isoformat(), _device(run), run.name, apart)
    return "-".join(filter(None, ("phantom", *(re.sub(r"[^a-z0-9]+", "-", part.lower())[:40].strip("-") for part in parts))))


def _device(run: Run) -> str:
    return next((value.partition(" (not yet")[0] for name, value in run.device if name == "Device"), "")
