"""Two archives with known differences: each is named once, at its level; what cannot be known is no difference."""

from __future__ import annotations

from datetime import datetime

import pytest
from fake_pacs import FakePacs
from pacs_peers import instance, series, write

from flows.compare import Contents, compare, folder_contents, pacs_contents
from flows.dimse import Pacs, Peer

DAY = datetime(2026, 11, 20)
ONE, TWO, THREE = "1.2.1", "1.2.2", "1.2.3"


def differences(result):
    return sorted((one.level, one.lacks, one.study_uid, one.number) for one in result.missing)


def test_a_folder_and_its_copy_are_the_same(tmp_path):
    have = [*series(ONE, 3), *series(TWO, 2)]
    write(tmp_path / "a", have)
    write(tmp_path / "b/deep", list(reversed(have)))
    result = compare(*(folder_contents(tmp_path / name, digests=True) for name in "ab"))
    assert (result.missing, result.changed, result.certain, result.exit_code) == ([], [], True, 0)


def test_each_thing_that_is_missing_is_named_once_at_its_level(tmp_path):
    one, two, three = series(ONE, 3), series(TWO, 4), series(THREE, 2)
    extra = series(TWO, 5, "b")
    write(tmp_path / "a", [*one, *two, *extra])
    write(tmp_path / "b", [*two[:3], *three])
    result = compare(folder_contents(tmp_path / "a", name="A"), folder_contents(tmp_path / "b", name="B"))
    assert differences(result) == [("instance", "B", TWO, 1), ("series", "B", TWO, 5), ("study", "A", THREE, 2), ("study", "B", ONE, 3)]
    (lost,) = (found.sop_uid for found in result.missing if found.level == "instance")
    assert lost == two[3].SOPInstanceUID
    assert result.exit_code == 1


def test_other_bytes_are_found_where_digests_are_asked_for(tmp_path):
    write(tmp_path / "a", [instance(ONE, "1.2.1.1", uid="1.2.9")])
    write(tmp_path / "b", [instance(ONE, "1.2.1.1", uid="1.2.9", value=1)])
    plain = compare(*(folder_contents(tmp_path / name) for name in "ab"))
    exact = compare(*(folder_contents(tmp_path / name, digests=True) for name in "ab"))
    assert (plain.exit_code, plain.changed) == (0, [])
    assert (exact.exit_code, exact.changed) == (1, [(ONE, "1.2.1.1", "1.2.9")])


def test_a_file_that_cannot_be_read_makes_it_uncertain(tmp_path):
    for name in "ab":
        write(tmp_path / name, series(ONE, 1))
    (tmp_path / "b/x.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 40)
    result = compare(*(folder_contents(tmp_path / name) for name in "ab"))
    assert len(result.second.unread) == 1
    assert (result.missing, result.certain, result.exit_code) == ([], False, 2)


@pytest.mark.parametrize("lost", [0, 1])
@pytest.mark.parametrize(("image_level", "counts"), [(True, "right"), (False, "right"), (False, "absent")])
def test_a_pacs_and_a_folder(tmp_path, lost, image_level, counts):
    have = [*series(ONE, 3), *series(TWO, 2)]
    write(tmp_path / "a", have)
    with FakePacs(have[lost:], image_level=image_level, counts=counts) as fake, Pacs(Peer("PACS", "127.0.0.1", fake.port, "FAKE")) as pacs:
        theirs = pacs_contents(pacs, DAY, DAY)
    result = compare(folder_contents(tmp_path / "a", name="A"), theirs)
    if image_level:
        assert differences(result) == ([("instance", "PACS", ONE, 1)] if lost else [])
        assert result.certain
    elif counts == "right":  # only numbers to compare
        assert differences(result) == ([("series", "PACS", ONE, 1)] if lost else [])
        assert len(result.not_compared) == 2
    else:  # nothing to compare: no difference, and no peace of mind
        assert (result.missing, result.exit_code) == ([], 2)


def test_nothing_and_nothing_are_the_same():
    assert compare(Contents("A"), Contents("B")).exit_code == 0
