"""The daily report: what it says, that its counts add up, and that it names nobody."""

from __future__ import annotations

import csv
import re
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path

import openpyxl
import pytest
from reports_made import (
    finding,
    judged,
    report,
    run,
    seen,
    study,
    subject,
    uid,
    whole_day,
)

from qc.results import Status
from reports import daily, frames, words
from reports.store import Store

DAY = date(2026, 11, 25)


class Page(HTMLParser):
    """The page as a browser takes it: its words, its elements, and what it would fetch."""

    VOID = frozenset({"meta", "br", "img", "link", "hr", "input"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        assert self.stack == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "title"} & set(self.stack):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def page_of(store: Store, day: date = DAY) -> Page:
    return Page(daily.render(daily.gather(store, day)))


def tiles(page: Page) -> dict[str, int]:
    return {word: int(re.search(rf"(\d+) {word}", page.text)[1]) for word in (one.word for one in words.STATUS.values())}


def test_the_counts_add_up(store: Store) -> None:
    whole_day(store)
    told = daily.gather(store, DAY)
    page = page_of(store)
    given, instances, series, studies, aside = (
        int(number)
        for number in re.search(
            r"(\d+) files given = (\d+) instances in (\d+) series of (\d+) studies \+ (\d+) set aside", page.text
        ).groups()
    )
    assert given == instances + aside
    assert (studies, series, aside) == (len(store.day(DAY)), len(frames.series(store, DAY)), 3)
    assert instances == frames.series(store, DAY)["instances"].sum() == frames.studies(store, DAY)["instances"].sum()
    assert sum(tiles(page).values()) == studies
    assert sum(one.instances for one in told.devices) == instances
    assert sum(one.series for one in told.devices) == series
    assert sum(len(rows) for _, rows in told.by_reason()) == aside
    assert told.adds_up


def test_counts_that_do_not_add_up_are_said(store: Store) -> None:
    made = report(study(uid(1), images=3))
    made.given = 5
    run(store, made)
    told = daily.gather(store, DAY)
    assert (told.adds_up, told.status) == (False, "warn")
    assert "do not add up" in page_of(store).text


def test_what_a_reader_needs_is_there(store: Store) -> None:
    whole_day(store)
    text = page_of(store).text
    for expected in (
        "Image quality, Wednesday 25 November 2026",
        "✖ 2 of 11 studies failed",
        "Slices are missing",
        "Send the series again from the scanner.",
        "Series 2 t1_se_tra: 2 images are missing between image 3 and image 4",
        "25 Nov 2026, 08:15",
        uid(1),
        "Station MR1",
        "86.02 ± 0.20 %",
        "at least 87.5 %",
        "edition 2022-10",
        "ACR Test Guidance 10/19/2022, table 4",
        "sources disagree",
        "acr_mri.piu/1",
        "The air around the object does not hold plain noise",
        "judged by acr-mri-2022 1 (edition 2022-10)",
        "Cut off before the end of its header",
        "7 studies are in order",
    ):
        assert expected in text


def test_the_worst_stands_first(store: Store) -> None:
    whole_day(store)
    found = daily.gather(store, DAY).problems
    assert [problem.status for problem in found] == ["fail", "fail", "warn"]
    (limit,) = [problem for problem in found if problem.key[0] == "limit.exceeded"]
    (item,) = limit.items
    assert (len(item.values), len(item.evidence)) == (1, 1), "the finding of an exceeded limit and its measurement are one"


def test_the_page_needs_nothing_but_itself(store: Store) -> None:
    whole_day(store)
    page = page_of(store)
    fetched = [
        (tag, key, value) for tag, attrs in page.tags for key, value in attrs.items() if key in ("src", "href", "srcset", "data") and value
    ]
    assert [one for one in fetched if not one[2].startswith(("#", "data:image/png", "daily-"))] == []
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    ids = [attrs["id"] for _, attrs in page.tags if attrs.get("id")]
    assert len(ids) == len(set(ids))
    assert {value[1:] for tag, _, value in fetched if tag == "a" and value.startswith("#")} <= set(ids)
    assert "@import" not in daily.render(daily.gather(store, DAY))


def test_markup_is_escaped(store: Store) -> None:
    evil = '<script>alert(1)</script><img src=x onerror="x">'
    made = study(uid(1), (evil,), StudyDescription=evil, StationName=evil)
    run(
        store,
        report(
            made,
            (
                finding(subject(uid(1)), message=evil, advice=evil),
                finding(subject(uid(1)), Status.NOT_EVALUABLE, evil, details={"reason": evil}),
            ),
        ),
    )
    store.skip("folder", f"{evil}.dcm", "not_dicom", evil)
    page = page_of(store)
    assert not {"script", "img"} & {tag for tag, _ in page.tags}
    assert not any(key.startswith("on") for _, attrs in page.tags for key in attrs)
    assert page.text.count("<script>alert(1)</script>") >= 6


def test_an_empty_day_says_so_and_is_not_green(store: Store, tmp_path: Path) -> None:
    told = daily.gather(store, DAY)
    assert told.status == "nothing"
    page = Page(daily.write(store, DAY, tmp_path).read_text())
    assert "No studies. Nothing was checked on this day." in page.text
    assert not any("pass" in (attrs.get("class") or "").split() for _, attrs in page.tags)


def test_a_good_day_is_green_and_a_day_that_waits_is_not(store: Store) -> None:
    run(store, report(study(uid(1))))
    assert daily.gather(store, DAY).status == "pass"
    assert "✔ The only study is in order" in page_of(store).text
    store.observe("folder", seen(uid(2)))
    assert daily.gather(store, DAY).status == "not_evaluable"
    assert "? Not complete: 1 study still to be checked" in page_of(store).text


@pytest.mark.parametrize(("path", "status"), [("a/IM7", "warn"), ("a/IM7.dcm", "warn"), ("a/README.TXT", "pass"), ("a/viewer.exe", "pass")])
def test_a_lost_image_is_not_green_but_a_letter_is(store: Store, path: str, status: str) -> None:
    run(store, report(study(uid(1))))
    store.skip("folder", path, "not_dicom", "the file is not DICOM")
    assert daily.gather(store, DAY).status == status


def test_software_errors_and_warnings_alone(store: Store) -> None:
    run(store, report(study(uid(1)), (finding(subject(uid(1)), Status.ERROR, "check.error"),)))
    assert "‼ The only study could not be checked (software error)" in page_of(store).text
    run(store, report(study(uid(2)), (judged(subject(uid(2)), 88.0, Status.WARN),)))
    assert "1 of 2 studies could not be checked" in page_of(store).text
    assert "Past the warning level" in page_of(store).text


def test_all_of_several_is_said_as_all(store: Store) -> None:
    for number in (1, 2):
        run(store, report(study(uid(number)), (finding(subject(uid(number)), Status.WARN, "header.date"),)))
    assert "▲ All 2 studies need a look" in page_of(store).text


def test_which_limits_judged_the_day(store: Store) -> None:
    run(store, report(study(uid(1)), (judged(subject(uid(1)), 93.0, Status.PASS), judged(subject(uid(1)), 50.0, Status.INFO))))
    text = page_of(store).text
    assert "judged by acr-mri-2022 1 (edition 2022-10)" in text
    assert "1 value without a limit" in text
    run(store, report(study(uid(2), StudyDate="20261124")))
    assert "Limits: no value of this day has a limit." in page_of(store, DAY - timedelta(days=1)).text


def test_the_site_stands_in_the_footer_if_it_is_told(store: Store, tmp_path: Path) -> None:
    evil = "Clinic <b>& Co</b>"
    page = Page(daily.write(store, DAY, tmp_path, site=evil).read_text())
    assert evil in page.text
    assert evil not in page_of(store).text


def test_a_problem_of_a_whole_study_names_its_device_at_the_top(store: Store) -> None:
    run(store, report(study(uid(1)), (finding(subject(uid(1), None), code="identity.two_patients"),)))
    assert "Two patients in one study : 1 study (MR1)" in page_of(store).text


def test_a_value_that_is_missing_says_why_in_words(store: Store) -> None:
    run(store, report(study(uid(1)), (judged(subject(uid(1)), None, Status.FAIL, reason="nothing_resolved"),)))
    assert "no value: no group of holes is resolved" in page_of(store).text


def test_files_set_aside_without_any_study_are_reported(store: Store, tmp_path: Path) -> None:
    store.skip("folder", "JANE/IM1", "truncated", "the file JANE/IM1 ends before its header is complete")
    (day,) = store.stale_days()
    page = Page(daily.write(store, day, tmp_path).read_text())
    assert "▲ 1 file could not be read" in page.text
    assert re.search(r"IM1 in folder [0-9a-f]{8} : the file IM1 ends", page.text)
    assert "JANE" not in page.text
    assert store.stale_days() == []


# -- days -------------------------------------------------------------------------------------------------------


def test_what_arrives_late_stands_in_the_next_report_once(store: Store, tmp_path: Path) -> None:
    before = (DAY - timedelta(days=1)).strftime("%Y%m%d")
    run(store, report(study(uid(1), StudyDate=before)))
    daily.write(store, DAY - timedelta(days=1), tmp_path)
    run(store, report(study(uid(2), StudyDate=before), (finding(subject(uid(2))),)))
    run(store, report(study(uid(3))))
    told = daily.gather(store, DAY)
    assert [row["study_uid"] for row in told.late] == [uid(2)]
    assert [row["study_uid"] for row in told.studies] == [uid(3)]
    assert told.headline == "1 study that arrived late failed"
    assert "arrived late" in page_of(store).text
    assert told.instances == 3, "not in the counts of this day"
    daily.write(store, DAY, tmp_path)
    assert [row["study_uid"] for row in daily.gather(store, DAY).late] == [uid(2)], "written again, it says the same"
    assert daily.gather(store, DAY + timedelta(days=1)).late == [], "and the one after says nothing of it"
    again = daily.gather(store, DAY - timedelta(days=1))
    assert [row["study_uid"] for row in again.studies] == [uid(1), uid(2)], "the old day can be written again"
    assert again.late == []


def test_files_set_aside_are_told_of_once(store: Store, tmp_path: Path) -> None:
    store.skip("folder", "stray", "not_dicom", "the file is not DICOM")
    daily.write(store, DAY, tmp_path)
    assert len(frames.skipped(store, DAY)) == 1
    assert len(frames.skipped(store, DAY + timedelta(days=1))) == 0
    store.skip("folder", "stray 2", "empty", "the file has no bytes")
    assert len(frames.skipped(store, DAY)) == 2
    assert len(frames.skipped(store, DAY - timedelta(days=9))) == 0, "an old day does not take what is new"


def test_a_file_beside_a_study_belongs_to_its_day(store: Store) -> None:
    store.skip("folder", f"in/{uid(1)}/1/half.dcm", "truncated", "cut off")
    store.observe("folder", seen(uid(1), 3))
    store.settle(0)
    (work,) = store.claim("a", 1, 60)
    store.complete(work.id, "a", report(study(uid(1), StudyDate="20260301")), b"k")
    assert frames.skipped(store, date(2026, 3, 1))["path"].tolist() == ["half.dcm"]
    assert len(frames.skipped(store, DAY)) == 0


def test_a_silent_device_is_named(store: Store) -> None:
    run(store, report(study(uid(1), scanner="CT2", StudyDate="20261123")))
    run(store, report(study(uid(2))))
    assert "Nothing on this day from: CT2 (last 23 Nov 2026)" in page_of(store).text


# -- files ------------------------------------------------------------------------------------------------------


def test_tables_hold_the_same_frames_in_full_precision(store: Store, tmp_path: Path) -> None:
    value = 86.02345678901234
    run(store, report(study(uid(1), ("=cmd|' /C calc'!A0",)), (judged(subject(uid(1)), value, Status.FAIL),)))
    daily.write(store, DAY, tmp_path)
    rows = list(csv.DictReader((tmp_path / "daily-2026-11-25-measurements.csv").open(encoding="utf-8")))
    assert float(rows[0]["value"]) == value
    assert rows[0]["series_description"] == "'=cmd|' /C calc'!A0"
    assert (rows[0]["action_low"], rows[0]["criteria_edition"], rows[0]["action_high"]) == ("87.5", "2022-10", "")
    book = openpyxl.load_workbook(tmp_path / "daily-2026-11-25.xlsx")
    sheet = book["measurements"]
    header = [cell.value for cell in sheet[1]]
    assert sheet.cell(2, header.index("value") + 1).value == value
    formula = sheet.cell(2, header.index("series_description") + 1)
    assert (formula.data_type, formula.value) == ("s", "=cmd|' /C calc'!A0")
    for name in ("studies", "series", "findings", "measurements", "skipped", "checks"):
        file = tmp_path / f"daily-2026-11-25-{name}.csv"
        assert len(list(csv.reader(file.open(encoding="utf-8")))) == book[name].max_row


def test_nothing_is_left_half_written(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "out"
    page = daily.write(store, DAY, folder)
    old = page.read_text()
    whole_day(store)
    monkeypatch.setattr(daily, "render", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        daily.write(store, DAY, folder)
    assert page.read_text() == old
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def test_a_problem_of_many_studies_stays_short_but_names_all(store: Store) -> None:
    numbers = [uid(100 + n) for n in range(12)]
    for number in numbers:
        run(store, report(study(number), (finding(subject(number), Status.WARN, "header.date", "StudyDate lies before 1975"),)))
    page = page_of(store)
    assert "10 more studies with the same problem" in page.text
    assert all(number in page.text for number in numbers)
    assert sum(tag == "article" for tag, _ in page.tags) == 2
