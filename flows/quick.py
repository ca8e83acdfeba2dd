"""The three UIDs of an instance from the first bytes of its file: what is needed of each of thousands of files that have just come.

A whole DICOM reader costs a millisecond a file for this. What is not as usual is left to it.
"""

from __future__ import annotations

import struct
from pathlib import Path

from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

HEAD = 8192  # bytes in which they are, as a rule
LONG = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
UNDEFINED = 0xFFFFFFFF
SYNTAX, SOP, STUDY, SERIES = 0x00020010, 0x00080018, 0x0020000D, 0x0020000E
UNUSUAL = {DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian}


def uids(path: Path) -> tuple[str, str, str] | None:
    """Return the UIDs of study, series and instance; None where the file is not as usual.

    Usual is: preamble and meta information, little endian, all three within the first 8192 bytes, no sequence of unknown length
    before them, each of the characters of a UID.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    if head[128:132] != b"DICM":
        return None
    meta: dict[int, str] = {}
    at = _walk(head, 132, 0x00030000, False, meta)
    syntax = meta.get(SYNTAX, "")
    if at is None or not syntax or syntax in UNUSUAL:
        return None
    found: dict[int, str] = {}
    if _walk(head, at, SERIES + 1, syntax == ImplicitVRLittleEndian, found) is None:
        return None
    three = tuple(found.get(tag, "") for tag in (STUDY, SERIES, SOP))
    return three if all(one and not one.strip("0123456789.") for one in three) else None  # type: ignore[return-value]


def _walk(head: bytes, at: int, until: int, implicit: bool, found: dict[int, str]) -> int | None:
    """Go from element to element up to a tag, and keep the UIDs on the way. Returns where the next begins; None where that cannot be told."""
    last = 0
    while at + 12 <= len(head):
        group, element = struct.unpack_from("<HH", head, at)
        tag = group << 16 | element
        if tag >= until:
            return at
        if tag <= last:
            return None  # out of order, or no DICOM
        last, vr = tag, head[at + 4 : at + 6]
        if implicit or vr in LONG:
            start = at + 8 if implicit else at + 12
            length = struct.unpack_from("<I", head, start - 4)[0]
        elif vr.isalpha() and vr.isupper():
            start, length = at + 8, struct.unpack_from("<H", head, at + 6)[0]
        else:
            return None
        if length == UNDEFINED or start + length > len(head):
            return None
        if tag in (SYNTAX, SOP, STUDY, SERIES):
            found[tag] = head[start : start + length].decode("ascii", "replace").strip("\0 ")
        at = start + length
    return None
