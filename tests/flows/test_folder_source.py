"""The folder source: what is whole is handed over once, what is being written waits."""

from __future__ import annotations

import os
import shutil
import time
import zipfile
from pathlib import Path

import pytest

from flows.sources import Source
from flows.sources.folder import Cursor, FolderSource
from qc.errors import Transient

QUIET = 60.0


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def inbox(tmp_path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


@pytest.fixture
def source(inbox, clock, tmp_path) -> FolderSource:
    return FolderSource(inbox, QUIET, tmp_path / "unpacked", clock=clock)


@pytest.fixture
def image(studies) -> Path:
    return next(path for path in sorted((studies / "good").rglob("*")) if path.is_file())


def names(found) -> list[str]:
    return [one.path for one in found.seen]


def test_it_is_a_source(source):
    as_source: Source = source
    assert as_source.name == "inbox"
    assert source.expected("1.2.3") is None


def test_old_files_are_handed_over_once(source, inbox, studies, clock):
    shutil.copytree(studies / "good", inbox / "a" / "b")
    clock.now += 2 * QUIET
    found, cursor = source.observe(None)
    assert len(found.seen) == 3
    assert all(name.startswith("a/b/") for name in names(found))
    assert len({one.study_uid for one in found.seen}) == len({one.series_uid for one in found.seen}) == 1
    assert len({one.sop_uid for one in found.seen}) == 3
    assert (found.waiting, found.young, found.skipped) == (0, 0, [])
    again, same = source.observe(cursor)
    assert again.seen == []
    assert same == cursor


def test_a_half_written_file_waits(source, inbox, image, clock):
    data = image.read_bytes()
    path = inbox / "x.dcm"
    path.write_bytes(data[: len(data) // 2])
    found, cursor = source.observe(None)
    assert (found.seen, found.skipped, found.waiting) == ([], [], 1)
    path.write_bytes(data[: len(data) * 3 // 4])  # grew between two looks
    found, cursor = source.observe(cursor)
    assert (found.seen, found.waiting) == ([], 1)
    path.write_bytes(data)
    found, cursor = source.observe(cursor)
    assert (found.seen, found.waiting) == ([], 1)
    found, cursor = source.observe(cursor)  # the same in two looks: whole, although its study may not be complete
    assert (names(found), found.waiting, found.young) == (["x.dcm"], 0, 1)
    assert found.seen[0].size == len(data)
    clock.now += 2 * QUIET
    found, _ = source.observe(cursor)
    assert (found.seen, found.waiting, found.young) == ([], 0, 0)


def test_a_changed_file_is_handed_over_again(source, inbox, image, clock):
    shutil.copy(image, inbox / "x.dcm")
    clock.now += 2 * QUIET
    _, cursor = source.observe(None)
    with (inbox / "x.dcm").open("ab") as file:
        file.write(b"\0\0")
    clock.now += 2 * QUIET
    found, _ = source.observe(cursor)
    assert names(found) == ["x.dcm"]


@pytest.mark.parametrize("name", ["x.dcm.part", "x.TMP", "x.filepart"])
def test_names_of_unfinished_files_wait_longer(source, inbox, image, clock, name):
    shutil.copy(image, inbox / name)
    clock.now += 2 * QUIET
    found, cursor = source.observe(None)
    assert (found.seen, found.waiting) == ([], 1)
    os.rename(inbox / name, inbox / "x.dcm")
    clock.now = time.time() + 2 * QUIET
    found, cursor = source.observe(cursor)
    assert names(found) == ["x.dcm"]
    shutil.copy(image, inbox / name)
    clock.now += 2 * 3600
    found, _ = source.observe(cursor)
    assert [(one.path, one.reason) for one in found.skipped] == [(name, "unfinished")]
    assert found.waiting == 0


def test_what_is_no_image_is_told_once(source, inbox, clock):
    (inbox / "sub").mkdir()
    (inbox / "sub" / "note.txt").write_text("text")
    (inbox / "empty.dcm").touch()
    (inbox / "dangling").symlink_to("nowhere")
    clock.now += 2 * QUIET
    found, cursor = source.observe(None)
    assert {one.path: one.reason for one in found.skipped} == {"empty.dcm": "empty", "sub/note.txt": "not_dicom", "dangling": "unreadable"}
    assert source.observe(cursor)[0].skipped == []


def test_archives_are_unpacked_beside_the_results(source, inbox, studies, clock, tmp_path):
    with zipfile.ZipFile(inbox / "export.zip", "w") as archive:
        for number, path in enumerate(sorted(path for path in (studies / "good").rglob("*") if path.is_file())):
            archive.write(path, f"deep/../IM{number}")
        archive.writestr("readme.txt", "hello")
    clock.now += 2 * QUIET
    found, cursor = source.observe(None)
    assert len(found.seen) == 3
    assert [(one.path, one.reason) for one in found.skipped] == [("export.zip/readme.txt", "not_dicom")]
    files = source.fetch([Path(one.path) for one in found.seen])
    assert all(file.is_file() and file.is_relative_to(tmp_path / "unpacked") for file in files)
    assert [file.stat().st_size for file in files] == [one.size for one in found.seen]
    assert source.observe(cursor)[0].seen == []
    assert sorted(path.name for path in inbox.iterdir()) == ["export.zip"]


def test_the_data_folder_inside_the_inbox_is_left_out(inbox, image, clock, tmp_path):
    (inbox / "pacsqc-data").mkdir()
    shutil.copy(image, inbox / "pacsqc-data" / "x.dcm")
    shutil.copy(image, inbox / "y.dcm")
    clock.now += 2 * QUIET
    source = FolderSource(inbox, QUIET, tmp_path / "unpacked", clock=clock, not_below=[inbox / "pacsqc-data"])
    assert names(source.observe(None)[0]) == ["y.dcm"]


def test_many_files_come_in_portions(source, inbox, studies, clock, monkeypatch):
    shutil.copytree(studies / "lost", inbox / "a")
    monkeypatch.setattr("flows.sources.folder.MOST_AT_ONCE", 2)
    clock.now += 2 * QUIET
    seen, cursor, looks = [], None, 0
    while True:
        found, cursor = source.observe(cursor)
        seen += names(found)
        looks += 1
        if not found.more:
            break
    assert looks == 3
    assert len(seen) == len(set(seen)) == 5


@pytest.mark.parametrize("cursor", ["", "{", "[]", '{"done": 3}', '{"waiting": {"x": 1}}', "null"])
def test_a_cursor_that_cannot_be_read_costs_time_only(cursor):
    assert Cursor.read(cursor) == Cursor(set(), {})


def test_a_missing_folder_is_transient(tmp_path, inbox, source):
    inbox.rmdir()
    with pytest.raises(Transient, match="cannot be reached"):
        source.observe(None)
    with pytest.raises(Transient, match="cannot be reached"):
        source.fetch([Path("x")])


def test_nothing_is_written_to_the_inbox(source, inbox, studies, clock):
    shutil.copytree(studies, inbox / "a")
    before = {path: path.stat().st_mtime_ns for path in inbox.rglob("*")}
    clock.now += 2 * QUIET
    source.observe(None)
    assert {path: path.stat().st_mtime_ns for path in inbox.rglob("*")} == before
