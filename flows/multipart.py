"""Files out of an HTTP answer, one after another, without holding more than one of them, kept with the bytes as they came."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flows.spool import Kept, Spool, file_head

HEAD = 144  # preamble, DICM and the first element, which is the length of the rest of the head
LONG_VR = {b"OB", b"OW", b"OF", b"SQ", b"UT", b"UN", b"UC", b"UR", b"OD", b"OL", b"OV"}
SOP_CLASS, SOP_INSTANCE, TRANSFER_SYNTAX = b"\x02\x00\x02\x00", b"\x02\x00\x03\x00", b"\x02\x00\x10\x00"


class Truncated(Exception):
    """A multipart message ended before its end, or a part of it is no DICOM file."""


def parts(chunks: Iterable[bytes], content_type: str) -> Iterator[bytes | bytearray]:
    """Cut a multipart message into its parts, without holding more than one of them.

    Raises
    ------
    Truncated
        If the closing delimiter does not come: then the last part is not whole, and is not given.
    """
    kind, *parameters = (one.strip() for one in content_type.split(";"))
    if kind.lower() == "application/dicom":  # a server that sends a single instance bare
        yield b"".join(chunks)
        return
    named = dict(one.partition("=")[::2] for one in parameters)
    boundary = next((value.strip('"') for name, value in named.items() if name.strip().lower() == "boundary"), "")
    if kind.lower() != "multipart/related" or not boundary:
        raise Truncated(f"no multipart message but {kind or 'nothing'}")
    delimiter = f"\r\n--{boundary}".encode()
    buffer, searched, inside = bytearray(b"\r\n"), 0, False
    for chunk in chunks:
        buffer += chunk
        start = 0  # of the part within the buffer; what is behind is taken off once a chunk
        # Two bytes behind the delimiter tell whether it is the last.
        while (at := buffer.find(delimiter, searched)) >= 0 and len(buffer) >= at + len(delimiter) + 2:
            if inside:
                head = buffer.find(b"\r\n\r\n", start) + 4
                yield buffer[head:at]
            if buffer[at + len(delimiter) : at + len(delimiter) + 2] == b"--":
                return
            start = searched = at + len(delimiter)
            inside = True
        if start:
            del buffer[:start]
        searched = max(0, len(buffer) - len(delimiter) - 2)
    raise Truncated("the message ended before its closing delimiter")


def keep_file(spool: Spool, file: bytes | bytearray) -> Kept:
    """Keep a file that came. The data set stays as it is; the head becomes ours, so it is the same by whatever way it came.

    Raises
    ------
    Truncated
        If it is no DICOM file.
    """
    end, found = _head(file)
    try:
        sop_class, uid, syntax = (found[tag].rstrip(b"\0 ").decode("ascii") for tag in (SOP_CLASS, SOP_INSTANCE, TRANSFER_SYNTAX))
        head = file_head(sop_class, uid, syntax)
    except (KeyError, ValueError) as error:
        raise Truncated(f"a part is no DICOM file ({type(error).__name__})") from error
    return spool.keep(uid, (head, memoryview(file)[end:]))


def _head(file: bytes | bytearray) -> tuple[int, dict[bytes, bytes]]:
    """Return where the data set begins, and the elements of the head (PS3.10 7.1: always Explicit VR Little Endian)."""
    if len(file) < HEAD or file[128:132] != b"DICM" or file[132:140] != b"\x02\x00\x00\x00UL\x04\x00":
        raise Truncated("a part is no DICOM file (no head)")
    end = HEAD + int.from_bytes(file[140:144], "little")
    if end > len(file):
        raise Truncated("a part is no DICOM file (its head is cut)")
    at, found = HEAD, {}
    while at + 8 <= end:
        tag, vr = bytes(file[at : at + 4]), bytes(file[at + 4 : at + 6])
        if vr in LONG_VR:
            length, at = int.from_bytes(file[at + 8 : at + 12], "little"), at + 12
        else:
            length, at = int.from_bytes(file[at + 6 : at + 8], "little"), at + 8
        found[tag] = bytes(file[at : min(at + length, end)])
        at += length
    return end, found
