"""The walk over fragments, on pixel data that pydicom encapsulated."""

import io
import struct

import pytest
from pydicom.encaps import encapsulate

from qc.encapsulated import walk

FRAMES = [b"a" * 10, b"b" * 333, b"c" * 4]
DELIMITER = b"\xfe\xff\xdd\xe0\0\0\0\0"


def found(data, before=0):
    return walk(io.BytesIO(b"\xaa" * before + data), before, before + len(data))


@pytest.mark.parametrize(("fragments", "table"), [(1, True), (1, False), (2, True)])
@pytest.mark.parametrize("before", [0, 1001])
def test_fragments_are_counted_and_the_offset_table_is_not(fragments, table, before):
    data = encapsulate(FRAMES[:2], fragments_per_frame=fragments, has_bot=table)
    result = found(data + DELIMITER, before)
    assert (result.count, result.offsets) == (2 * fragments, 2 if table else 0)
    assert (result.delimited, result.truncated) == (True, False)
    assert result.end == before + len(data) + len(DELIMITER)


@pytest.mark.parametrize("zeros", [8, 16])
def test_a_lost_delimiter_that_left_zeros(zeros):
    """Case F07: the last eight bytes are zero."""
    data = encapsulate(FRAMES)
    result = found(data + b"\0" * zeros)
    assert (result.count, result.delimited, result.truncated, result.zeros) == (3, False, False, True)
    assert result.end == len(data)


def test_a_lost_delimiter_with_nothing_after_it():
    result = found(encapsulate(FRAMES))
    assert (result.count, result.delimited, result.truncated, result.zeros) == (3, False, False, True)


def test_something_else_after_the_fragments_is_no_harmless_zeros():
    result = found(encapsulate(FRAMES) + b"garbage!")
    assert (result.count, result.delimited, result.truncated, result.zeros) == (3, False, False, False)


@pytest.mark.parametrize("cut", [1, 4, 11])
def test_a_fragment_that_announces_more_than_is_there(cut):
    result = found(encapsulate(FRAMES)[:-cut])
    assert (result.count, result.truncated, result.delimited) == (2, True, False)


def test_an_endless_item_is_not_followed():
    result = found(struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF) + b"x" * 100)
    assert (result.count, result.truncated) == (0, True)


@pytest.mark.parametrize("data", [b"", b"x", b"no items at all"])
def test_no_items(data):
    assert found(data).count == 0
