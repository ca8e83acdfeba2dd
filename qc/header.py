"""The header of a file, from bytes to plain values. Hostile input: nothing is believed before it is checked."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.errors import BytesLengthException
from pydicom.filereader import data_element_generator
from pydicom.uid import UID

from qc import forms
from qc.study import Presence
from qc.tags import KEPT, PRIVATE, SIEMENS_PROTOCOL, SIEMENS_REFERENCE, TEXT_VRS
from qc.values import Problem, encodings, plain

IMPLICIT, DEFLATED, BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
EXPLICIT = "1.2.840.10008.1.2.1"
PIXEL_TAGS = {0x7FE00010: "PixelData", 0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData"}
MAX_INFLATED = 1 << 30
# What pydicom's element reader raises on bytes that are no DICOM (OSError: a sequence that ends early; it reads from
# memory here). RecursionError: sequences nested without end.
PARSE_ERRORS = (
    EOFError, struct.error, ValueError, KeyError, TypeError, AttributeError, IndexError, NotImplementedError, OverflowError, RecursionError,
    MemoryError, OSError, BytesLengthException,
)  # fmt: skip

MOST_FORMED = 20_000  # bytes; longer values are pixels of a kind, not text
BLANK = Problem("header.blank")  # nothing but padding
ENCODED = ("PatientName", "StudyDescription", "SeriesDescription", "ProtocolName", "InstitutionName")

Element = RawDataElement | DataElement


class NotDicom(Exception):
    """The bytes are no DICOM file; the text is a reason code."""


@dataclass(slots=True)
class Parsed:
    """A header, parsed but not yet interpreted.

    Attributes
    ----------
    pixel
        (keyword, VR, announced length or None, offset of the value) or None where the data set has no pixel data.
    complete
        False where the bytes ended, or stopped making sense, inside the data set.
    inflated
        Length of the inflated stream for deflated files, else None; offsets then count in that stream.
    deflated_at
        Where in the file that stream begins.
    """

    meta: dict[int, Element]
    elements: dict[int, Element]
    transfer_syntax: str
    little_endian: bool
    pixel: tuple[str, str | None, int | None, int] | None = None
    complete: bool = True
    inflated: int | None = None
    deflated_at: int = 0
    problems: list[Problem] = field(default_factory=list)


def _start_of_dataset(data: bytes) -> tuple[int, bool]:
    """Return the offset of the first element and whether the file has a preamble."""
    if data[128:132] == b"DICM":
        return 132, True
    if data[:4] == b"DICM":
        return 4, True
    if len(data) < 8:
        raise NotDicom("not_dicom")
    group, element = struct.unpack("<HH", data[:4])
    explicit = data[4:6].isalpha() and data[4:6].isupper()
    length = struct.unpack("<L", data[4:8])[0]
    if group in (2, 8) and element < 0x1100 and (explicit or length < 1024):
        return 0, False
    if (group, element >> 8) == (0x0800, 0x00) or (group == 0x0800 and explicit):
        return 0, False
    raise NotDicom("not_dicom")


def inflate(data: bytes, limit: int = MAX_INFLATED) -> bytes:
    """Inflate a raw deflate stream, at most `limit` bytes (a small file can claim to be terabytes)."""
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    out = stream.decompress(data, limit)
    if stream.unconsumed_tail:
        raise NotDicom("too_large")
    return out


def _read_meta(stream: BytesIO) -> dict[int, Element]:
    """File meta information: group 0002, always explicit little endian."""
    start = stream.tell()
    meta: dict[int, Element] = {}
    for element in data_element_generator(stream, False, True, stop_when=lambda tag, vr, length: tag >> 16 != 2):
        meta[int(element.tag)] = element
    if not meta:
        stream.seek(start)
    return meta


def uid_text(element: Element | None) -> str:
    """Return a UI value as text, empty where absent."""
    if element is None:
        return ""
    value = element.value
    return value.decode("latin-1").strip(" \0") if isinstance(value, bytes) else str(value or "")


def _guess_syntax(data: bytes) -> str:
    """Return the transfer syntax of a data set without file meta, from its first element."""
    if data[:2] == b"\x08\x00" or data[:2] == b"\x02\x00":
        return EXPLICIT if data[4:6].isalpha() else IMPLICIT
    return BIG_ENDIAN


def parse(data: bytes, whole: bool) -> Parsed:
    """Parse the beginning of a file up to its pixel data.

    Parameters
    ----------
    data
        The file, or its first part.
    whole
        Whether `data` is the whole file; if not and the pixel data are not reached, call again with more.

    Raises
    ------
    NotDicom
        With the reason code ``not_dicom`` or ``too_large``.
    """
    start, preamble = _start_of_dataset(data)
    stream = BytesIO(data)
    stream.seek(start)
    try:
        meta = _read_meta(stream)
    except PARSE_ERRORS as error:
        raise NotDicom("not_dicom") from error
    syntax = uid_text(meta.get(0x00020010))
    problems = [] if preamble and meta else [Problem("file.no_meta")]
    if meta and not syntax:
        problems.append(Problem("file.no_transfer_syntax"))
    inflated, deflated_at = None, stream.tell()
    if syntax == DEFLATED and whole:
        try:
            body = inflate(data[stream.tell() :])
        except zlib.error:
            body = b""
        inflated, stream = len(body), BytesIO(body)
    elif not syntax:
        syntax = _guess_syntax(data[stream.tell() : stream.tell() + 8])
    parsed = Parsed(meta, {}, syntax, syntax != BIG_ENDIAN, inflated=inflated, deflated_at=deflated_at, problems=problems)
    _read_elements(stream, parsed)
    if not preamble and whole and not _is_data_set(parsed.elements):
        raise NotDicom("not_dicom")
    return parsed


def _is_data_set(elements: dict[int, Element]) -> bool:
    """Without a preamble, believe it is DICOM only where something names an object or an image."""
    return any(tag in elements for tag in (0x00080016, 0x00080018, 0x0020000D, 0x00080060, 0x00280010))


def _read_elements(stream: BytesIO, parsed: Parsed) -> None:
    """Collect the elements before the pixel data; keep what was read when the bytes stop making sense."""

    def at_pixels(tag: Any, vr: str | None, length: int) -> bool:
        keyword = PIXEL_TAGS.get(int(tag))
        if keyword is None:
            return False
        parsed.pixel = (keyword, vr, None if length == 0xFFFFFFFF else length, 0)
        return True

    elements = data_element_generator(stream, parsed.transfer_syntax == IMPLICIT, parsed.little_endian, stop_when=at_pixels)
    end: int | None = None
    try:
        for element in elements:
            parsed.elements[int(element.tag)] = element
            end = None
            if isinstance(element, RawDataElement) and element.length != 0xFFFFFFFF:
                end = element.value_tell + element.length
                parsed.complete = parsed.complete and (element.value is None or len(element.value) >= element.length)
    except RecursionError:
        parsed.complete = False
        parsed.problems.append(Problem("file.nested_too_deep"))
    except PARSE_ERRORS:
        parsed.complete = False
    if not parsed.pixel and end is not None and 0 < stream.seek(0, 2) - end < 8:
        parsed.complete = False  # the beginning of one more element: pydicom stops there without a word
    if parsed.pixel:
        keyword, vr, length, _ = parsed.pixel
        header = 12 if parsed.transfer_syntax != IMPLICIT and vr in ("OB", "OW", "OF", "OD", "UN", "OL", "OV") else 8
        parsed.pixel = (keyword, vr, length, stream.tell() + header)


class HeaderReader:
    """Turns parsed headers into plain values; identical raw values are converted once and shared."""

    CACHE = 200_000

    def __init__(self) -> None:
        self._cache: dict[tuple[Any, ...], tuple[Any, str | None]] = {}
        self._forms: dict[tuple[int, str | None, bytes], Problem | None] = {}
        self._presence: dict[tuple[tuple[int, ...], tuple[int, ...]], Presence] = {}
        self._said: dict[tuple[int, str], Problem] = {}
        self._vrs: dict[int, str] = {}

    def tags(self, parsed: Parsed) -> tuple[dict[str, Any], list[Problem]]:
        """Return the kept attributes as plain values, and those whose value is unusable as problems."""
        problems: list[Problem] = []
        charset = parsed.elements.get(0x00080005)
        raw = charset.value if charset is not None and isinstance(charset.value, bytes) else None
        codecs, unknown = encodings(raw)
        text_bytes = False
        values: dict[str, Any] = {}
        for tag, element in parsed.elements.items():
            keyword = KEPT.get(tag)
            if keyword is None or not isinstance(element, RawDataElement) or not isinstance(element.value, bytes):
                continue
            vr = element.VR or ""
            if not vr or vr == "UN":
                vr = dictionary_VR(tag)
            if vr == "US or SS":
                vr = "US"  # signedness is applied where it matters (padding value)
            if vr in TEXT_VRS and not element.value.isascii():
                text_bytes = True
            value, bad = self._convert(tag, vr, element.value, parsed.little_endian, codecs)
            if value is not None:
                values[keyword] = value
            if bad is not None:
                problems.append(Problem("header.value", keyword, bad))
        self._private(parsed, values)
        if raw is None and text_bytes:
            problems.append(Problem("header.character_set", "SpecificCharacterSet", "absent, although text is not ASCII"))
        elif text_bytes and any("\ufffd" in str(values.get(keyword, "")) for keyword in ENCODED):
            problems.append(Problem("header.character_set", "SpecificCharacterSet", "does not fit the text: it cannot be decoded"))
        if unknown is not None:
            problems.append(Problem("header.character_set", "SpecificCharacterSet", unknown, (("text_affected", text_bytes),)))
        return values, problems

    def _convert(self, tag: int, vr: str, raw: bytes, little: bool, codecs: list[str]) -> tuple[Any, str | None]:
        key = (tag, vr, raw, little, codecs[0], len(codecs))
        known = self._cache.get(key)
        if known is None:
            if len(self._cache) > self.CACHE:
                self._cache.clear()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what is wrong is said by `plain`, once
                try:
                    known = plain(vr, raw, little, codecs)
                except (UnicodeError, LookupError, ValueError):
                    known = (None, repr(raw[:64]))
            if len(raw) < 512:
                self._cache[key] = known
        return known

    def presence(self, parsed: Parsed) -> tuple[Presence, list[Problem]]:
        """Return which standard attributes are there, and those whose value has an illegal form.

        Every distinct (tag, VR, raw value) is looked at once; instances with the same attributes share one `Presence`.
        """
        empty: list[int] = []
        there: list[int] = []
        problems: list[Problem] = []
        for tag, element in parsed.elements.items():
            if tag & 0x10000 or not tag & 0xFFFF:
                continue  # private, or the length of a group
            value = element.value
            if not value and value != 0:
                empty.append(tag)
                continue
            there.append(tag)
            if not isinstance(value, bytes) or len(value) > MOST_FORMED:
                continue
            key = (tag, element.VR, value)
            if key in self._forms:
                wrong = self._forms[key]
            else:
                wrong = self._form(parsed, tag, element.VR, value)
            if wrong is BLANK:
                there.pop()
                empty.append(tag)
            elif wrong is not None:
                problems.append(wrong)
        names = (tuple(there), tuple(empty))
        known = self._presence.get(names)
        if known is None:
            known = self._presence[names] = Presence(frozenset(there), frozenset(empty))
        return known, problems

    def _form(self, parsed: Parsed, tag: int, told: str | None, value: bytes) -> Problem | None:
        """What is wrong with the form of one value, remembered; `BLANK` where it is nothing but padding."""
        vr = told or self._vrs.get(tag)
        if vr is None:
            try:
                vr = dictionary_VR(tag)
            except KeyError:
                vr = "UN"
            self._vrs[tag] = vr
        wrong: Problem | None = None
        if vr in forms.LONGEST and not value.strip(b" \0"):
            wrong = BLANK
        else:
            charset = parsed.elements.get(0x00080005)
            raw = charset.value if charset is not None and isinstance(charset.value, bytes) else None
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                text = forms.trouble(vr, value, encodings(raw)[0] if not value.isascii() else ["iso8859"], tag not in KEPT)
            if text:
                keyword = keyword_for_tag(tag) or f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
                wrong = self._said.setdefault((tag, text), Problem("header.value_form", keyword, text))
        if len(self._forms) > self.CACHE:
            self._forms.clear()
        self._forms[(tag, told, value)] = wrong
        return wrong

    def _private(self, parsed: Parsed, values: dict[str, Any]) -> None:
        """Private attributes, through their creator."""
        for group, creator, byte in SIEMENS_PROTOCOL:
            for block in range(0x10, 0x20):
                owner = parsed.elements.get(group << 16 | block)
                if owner is None:
                    break
                element = parsed.elements.get(group << 16 | block << 8 | byte)
                if uid_text(owner) == creator and isinstance(element, RawDataElement) and isinstance(element.value, bytes):
                    reference = reference_amplitude(element.value)
                    if reference is not None:
                        values["SiemensReferenceAmplitude"] = reference
        for (group, creator, byte), (name, vr) in PRIVATE.items():
            for block in range(0x10, 0x20):
                owner = parsed.elements.get(group << 16 | block)
                if owner is None:
                    break
                if uid_text(owner) != creator:
                    continue
                element = parsed.elements.get(group << 16 | block << 8 | byte)
                if isinstance(element, RawDataElement) and isinstance(element.value, bytes):
                    known_vr = element.VR if element.VR and element.VR != "UN" else vr
                    value, _ = self._convert(-1, known_vr, element.value, parsed.little_endian, ["iso8859"])
                    if value is not None:
                        values[name] = value


def reference_amplitude(protocol: bytes) -> float | None:
    """Return the reference amplitude of the transmitter in V from the text of a Siemens protocol; None where it does not tell."""
    found = SIEMENS_REFERENCE.search(protocol)
    try:
        return float(found[1]) if found else None
    except ValueError:
        return None


def sequence(parsed: Parsed, tag: int) -> list[Any]:
    """Return the items of a sequence element as pydicom data sets; empty where absent or unreadable."""
    element = parsed.elements.get(tag)
    if element is None:
        return []
    try:
        if isinstance(element, RawDataElement):
            from pydicom.dataelem import convert_raw_data_element

            element = convert_raw_data_element(element, encoding=["iso8859"])
        value = element.value
        return list(value) if isinstance(value, Iterable) and not isinstance(value, (bytes, str)) else []
    except PARSE_ERRORS:
        parsed.problems.append(Problem("file.sequence_unreadable", facts=(("tag", f"({tag >> 16:04X},{tag & 0xFFFF:04X})"),)))
        return []


def is_encapsulated(transfer_syntax: str) -> bool:
    """Tell whether pixel data of this transfer syntax are compressed."""
    uid = UID(transfer_syntax)
    return uid.is_transfer_syntax and not uid.is_private and uid.is_compressed and transfer_syntax != DEFLATED
