"""Walk the fragments of encapsulated pixel data (PS3.5 A.4) without reading them."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

ITEM, DELIMITER = 0xFFFEE000, 0xFFFEE0DD
MAX_FRAGMENTS = 2_000_000


@dataclass(frozen=True, slots=True)
class Fragments:
    """What stands in the pixel data element.

    Attributes
    ----------
    count
        Fragments after the basic offset table.
    offsets
        Entries of the basic offset table (0 where it is empty, which is allowed).
    end
        Offset just after the last whole fragment.
    delimited
        Whether the sequence delimitation item was found.
    truncated
        Whether a fragment announces more bytes than the file has.
    zeros
        Whether everything after the last whole fragment is zero: the delimiter was lost, the images are whole.
    """

    count: int
    offsets: int
    end: int
    delimited: bool
    truncated: bool
    zeros: bool


def walk(file: BinaryIO, start: int, size: int) -> Fragments:
    """Follow the items from `start` (just behind the element header) to the delimiter or the end of the file."""
    position, items, offsets = start, 0, 0
    delimited = truncated = False
    while position + 8 <= size and items < MAX_FRAGMENTS:
        file.seek(position)
        group, element, length = struct.unpack("<HHL", file.read(8))
        tag = group << 16 | element
        if tag == DELIMITER:
            delimited = True
            position += 8
            break
        if tag != ITEM:
            break
        if length == 0xFFFFFFFF or position + 8 + length > size:
            truncated = True
            break
        if items == 0:
            offsets = length // 4
        items += 1
        position += 8 + length
    if position + 8 > size and not delimited:
        truncated = position != size
    zeros = False
    if not delimited and not truncated and size - position <= 64:
        file.seek(position)
        zeros = not file.read(64).strip(b"\0")
    return Fragments(max(0, items - 1), offsets, position, delimited, truncated, zeros)
