"""The report of a phantom run: what it says, what it does not, its history, and that page and PDF tell the same."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
from datetime import date
from pathlib import Path

import pytest
from reports_made import CRITERIA, PLANTED, curve, finding, judged, picture, report, run, study, subject, uid
from test_daily import Page

from qc.results import Judged, Measurement, Status, Verdict
from reports import daily, phantom, phantom_sources
from reports.phantom_run import Run
from reports.store import Store

DAY = date(2026, 11, 25)


def visit(number: str, value: float | None = 86.02, status: Status = Status.FAIL, *, method: str = "acr_mri.piu/1", **tags):
    """One visit with a phantom: an image series and a localizer of the same study."""
    about = subject(number, 1)
    limited = judged(about, value, status, region="", reason=None if value else "region_does_not_fit", evidence=(picture(), curve()))
    limited = dataclasses.replace(limited, measurement=dataclasses.replace(limited.measurement, method=method))
    free = Judged(Measurement("acr_mri.mtf50", 0.4567, "1/mm", about, "rows", 0.012, None, "acr_mri.mtf/1"), Verdict(Status.INFO))
    none = Judged(Measurement("acr_mri.snr", None, "1", about, "smoothing", None, "noise_correlated", "acr_mri.snr/1"), Verdict(Status.NOT_EVALUABLE))  # fmt: skip
    patient = Judged(Measurement("image.noise", 3.25, "1", about, "", None, None, "noise/1"), Verdict(Status.INFO))
    made = study(number, ("ACR T1", "localizer"), images=11, **tags)
    made.series[0].klass = "phantom:acr_mri_large"
    made.series[1].klass = "localizer"
    remark = finding(about, Status.WARN, "acr_mri.air_bubble", "There is an air bubble", check="acr_mri.position", advice="Fill it up.")
    return report(made, (limited, free, none, patient, remark))


def stored(store: Store, *made) -> Run:
    for one in made:
        run(store, one)
    (found,) = phantom_sources.from_store(store, DAY, site="Example Hospital")
    return found


def text_of(path: Path) -> str:
    if not shutil.which("pdftotext"):
        pytest.skip("pdftotext is not here")
    out = subprocess.run(["pdftotext", "-layout", path, "-"], capture_output=True, check=True, text=True).stdout
    return " ".join(out.split())


def test_page_and_pdf_say_what_was_found_and_by_what_it_was_judged(store: Store, tmp_path: Path) -> None:
    written = phantom.write(stored(store, visit(uid(1))), tmp_path)
    page = Page(written.page.read_text()).text
    paper = text_of(written.pdf)
    said = (
        "Failed: 1 of 1 value with a limit is outside it", "ACR MRI phantom, large", "Maker A Field 1.5", "40712", "Wednesday 25 November 2026",
        "ACR T1", "86.02", "0.20", "at least 87.5", "✖ Failed", "acr-mri-2022 1, edition 2022-10", "table 4", "sources disagree",
        "0.457", "0.012", "lp/mm", "smoothing", "Neighbouring pixels depend on each other", "There is an air bubble. Fill it up.",
        "Performed by", "Reviewed by", "signature", "Slice 7, uniformity", "Edge across the ramp", "acr_mri.piu/1", "Example Hospital",
    )  # fmt: skip
    for one in said:
        assert one in page, one
        assert one in paper, one
    assert "3.25" not in page, "what is measured on patient images has no place here"
    assert "page 1 of" in paper


def test_no_identifier_of_a_patient(store: Store, tmp_path: Path) -> None:
    made = visit(uid(1), StudyDescription="for QUILLA ZZYZXNAME")
    runs = [*phantom_sources.from_report(made), stored(store, made)]
    assert len(runs) == 2
    for place, one in enumerate(runs):
        written = phantom.write(one, tmp_path / str(place))
        raw = written.page.read_text() + text_of(written.pdf) + written.page.name
        for planted in PLANTED:
            assert planted.lower() not in raw.lower(), planted


def test_with_and_without_the_database_it_is_the_same_run(store: Store) -> None:
    made = visit(uid(1))
    (direct,) = phantom_sources.from_report(made, timezone="Europe/Vienna")
    through = stored(store, made)
    assert direct.headline == through.headline
    assert direct.missing == through.missing
    assert direct.notes == through.notes

    def lines(one: Run) -> list[tuple[str, ...]]:
        return [(x.test, x.region, x.value, x.uncertainty, x.unit, x.limits, x.status) for part in one.parts for x in part.lines]

    assert lines(direct) == lines(through)
    assert len(direct.pictures) == len(through.pictures) == 2
    assert not direct.has_store


@pytest.mark.parametrize(
    ("value", "status", "overall", "headline"),
    [
        (93.0, Status.PASS, "warn", "The only value with a limit is inside it, with warnings"),
        (86.0, Status.FAIL, "fail", "Failed: 1 of 1 value with a limit is outside it"),
        (None, Status.NOT_EVALUABLE, "warn", "Not complete: 1 of 1 value with a limit could not be measured"),
    ],
)
def test_the_headline(value, status, overall, headline) -> None:
    (one,) = phantom_sources.from_report(visit(uid(1), value, status))
    assert (one.status, one.headline) == (overall, headline)


def test_a_pass_needs_a_value_and_a_limit() -> None:
    made = visit(uid(1), 93.0, Status.PASS)
    made.findings.clear()
    (one,) = phantom_sources.from_report(made)
    assert one.status == "pass"
    made.measurements = [each for each in made.measurements if each.verdict.criteria is None]
    (bare,) = phantom_sources.from_report(made)
    assert (bare.status, bare.headline) == ("info", "Measured; no limit is known for these values")


def test_history_is_of_the_same_scanner_series_and_method_and_ends_with_this_run(store: Store) -> None:
    earlier = [visit(uid(10 + n), 90.0 + n, Status.PASS, StudyDate=f"2026{n + 1:02d}10") for n in range(6)]
    other = [
        visit(uid(30), 70.0, Status.FAIL, StudyDate="20260301", method="acr_mri.piu/2"),
        visit(uid(31), 71.0, Status.FAIL, StudyDate="20260302", scanner="CT2"),
        visit(uid(32), 72.0, Status.FAIL, StudyDate="20261201"),  # later than this one
    ]
    odd = visit(uid(33), 73.0, Status.FAIL, StudyDate="20260303", RepetitionTime=2000.0)
    told = stored(store, *earlier, *other, odd, visit(uid(1)))
    (trend,) = [one for one in told.history if one.line.judged]
    assert [value for _, value in trend.points] == [90.0, 91.0, 92.0, 93.0, 94.0, 95.0, 86.02]
    assert trend.points[-1][0] == DAY
    # mean of 90..95 is 92.5, their standard deviation sqrt(3.5) = 1.87, 86.02 - 92.5 = -6.48
    assert trend.drift == "6 before: mean 92.5, SD 1.9; now -6.5"


def test_the_first_run_says_so(store: Store, tmp_path: Path) -> None:
    page = phantom.write(stored(store, visit(uid(1))), tmp_path).page.read_text()
    assert "This is the first run on record" in page


def test_the_report_of_the_day_links_to_it_and_a_patient_study_has_none(store: Store, tmp_path: Path) -> None:
    run(store, visit(uid(1)))
    run(store, report(study(uid(2))))
    page = daily.write(store, DAY, tmp_path).read_text()
    (document,) = tmp_path.glob("phantom-*.pdf")
    (own,) = tmp_path.glob("phantom-*.html")
    assert f'href="{document.name}"' in page
    assert f'href="{own.name}"' in page
    assert re.fullmatch(r"phantom-2026-11-25-mr1-acr-mri-phantom-large-[0-9a-f]{6}\.pdf", document.name)


def test_names_that_a_browser_could_take_for_markup(tmp_path: Path) -> None:
    made = visit(uid(1), StudyDescription="<script>x</script> & <b>", StationName="<i>MR</i>")
    (one,) = phantom_sources.from_report(made, site="A & B <Clinic>")
    written = phantom.write(one, tmp_path)
    assert "script" not in [name for name, _ in Page(written.page.read_text()).tags]
    assert "A & B <Clinic>" in text_of(written.pdf)


def test_each_criterion_is_noted_once_and_numbered() -> None:
    made = visit(uid(1))
    first = made.measurements[0]
    again = dataclasses.replace(first, measurement=dataclasses.replace(first.measurement, region="again"))
    other = dataclasses.replace(again, verdict=Verdict(Status.FAIL, again.verdict.limits, {**CRITERIA, "edition": "2018"}))
    made.measurements += [again, dataclasses.replace(other, measurement=dataclasses.replace(again.measurement, region="other"))]
    (one,) = phantom_sources.from_report(made)
    assert [(line.region, line.note) for line in one.parts[0].judged] == [("", 1), ("again", 1), ("other", 2)]
    assert [edition for edition, _ in one.notes] == ["acr-mri-2022 1, edition 2022-10", "acr-mri-2022 1, edition 2018"]
