"""Headers that came without their pixels, kept as files beside the whole ones, so that the checks of headers can read them."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO

from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import ExplicitVRLittleEndian

from flows.listed import HEADERS
from flows.spool import Kept, Spool, file_head


def spool_of(spool: Spool) -> Spool:
    """Return where the headers of a source are kept: in a folder of their own, so that none is taken for the whole instance."""
    return Spool(spool.root / HEADERS, spool.least_free)


def keep(spool: Spool, found: Iterable[Dataset]) -> list[Kept]:
    """Keep headers; what names no instance is left out."""
    kept = []
    for one in found:
        uid, kind = str(one.get("SOPInstanceUID", "")), str(one.get("SOPClassUID", ""))
        if not uid:
            continue
        for element in [element.tag for element in one if element.tag.group == 2 or element.tag == 0x7FE00010]:
            del one[element]
        body = BytesIO()
        dcmwrite(body, one, implicit_vr=False, little_endian=True, enforce_file_format=False)
        kept.append(spool.keep(uid, (file_head(kind or "1.2.840.10008.5.1.4.1.1.7", uid, ExplicitVRLittleEndian), body.getvalue())))
    return kept
