"""What the header says of the pixels, against itself and against the encoding of the file."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from qc.check import Applies, Example, NoParameters, check
from qc.checks._grouped import Cases
from qc.results import Result, Status
from qc.study import Series

CODES = {
    "header.photometric": "Colour model and number of samples, or colour model and encoding, contradict each other: viewers may show false colours or "
    "nothing. Correct it at the source.",
    "header.pixel_range": "Smallest, largest or padding value cannot occur in pixels of this description. Viewers that take the window or "
    "the background from it show the image too bright, too dark or framed; set the window by hand, and tell the vendor.",
    "header.lossy": "The file is compressed with loss and its header does not say so (or denies it). Readers must know; correct LossyImageCompression.",
}
STATUS = {"header.photometric": Status.WARN, "header.pixel_range": Status.INFO, "header.lossy": Status.WARN}
ONE_SAMPLE = frozenset({"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"})
THREE_SAMPLES = frozenset({
    "RGB", "HSV", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420", "YBR_ICT", "YBR_RCT", "XYB",
})  # fmt: skip
# Transfer syntaxes that cannot be without loss (PS3.5 annex A.4): JPEG baseline and extended, JPEG-LS near-lossless, MPEG, HEVC
LOSSY = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 81, *range(100, 109)))
JPEG_2000 = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (90, 91, 92, 93, 201, 202, 203))
KEYS = (
    "PhotometricInterpretation", "SamplesPerPixel", "BitsStored", "PixelRepresentation", "SmallestImagePixelValue", "LargestImagePixelValue",
    "PixelPaddingValue", "LossyImageCompression", "BitsAllocated",
)  # fmt: skip


@check(
    id="header.pixel_description",
    version=1,
    title="Description of the pixels agrees with itself",
    level="series",
    needs="headers",
    applies=Applies(not_classes=frozenset({"not_image"})),
    codes=CODES,
    source="DICOM PS3.3 C.7.6.3.1.2 (photometric interpretation), C.7.6.3 (smallest, largest), C.7.5.1.1.2 (padding), C.7.6.1.1.5 (lossy); PS3.5 8.2",
    invariances=("file_order", "duplicate_input"),
    examples=(Example("ct_head"), Example("mr_brain")),
)
def pixel_description(series: Series, params: NoParameters) -> Iterator[Result]:
    """Compare colour model, samples, range values and lossy flags. Bits and lengths are looked at elsewhere.

    Values of ``US or SS`` attributes are read with the sign of the pixels: padding 63536 in signed pixels is -2000.
    """
    cases = Cases(series)
    for instance in series.instances:
        if instance.layout is not None and instance.layout.keyword == "PixelData":
            for code, keyword, text in _facts(instance.transfer_syntax, tuple(instance.get(key) for key in KEYS)):
                cases.add(code, keyword, text, instance)
    yield from cases.findings(STATUS)


@lru_cache(maxsize=4096)
def _facts(syntax: str, values: tuple[Any, ...]) -> tuple[tuple[str, str, str], ...]:
    get = dict(zip(KEYS, values, strict=True)).get
    return (*_colour(syntax, get("PhotometricInterpretation"), get("SamplesPerPixel")), *_range(get), *_lossy(syntax, get))


def _colour(syntax: str, colour: Any, samples: Any) -> Iterator[tuple[str, str, str]]:
    if not isinstance(colour, str) or not isinstance(samples, int):
        return
    wanted = 1 if colour in ONE_SAMPLE else 3 if colour in THREE_SAMPLES else None
    keyword = "PhotometricInterpretation"
    if wanted is not None and samples != wanted:
        yield "header.photometric", keyword, f"PhotometricInterpretation is {colour} with SamplesPerPixel {samples}"
    elif colour in ("YBR_ICT", "YBR_RCT") and not syntax.startswith(JPEG_2000):
        yield "header.photometric", keyword, f"PhotometricInterpretation is {colour}, which exists in JPEG 2000 only"


def _range(get: Any) -> Iterator[tuple[str, str, str]]:
    bits, sign = get("BitsStored"), get("PixelRepresentation")
    if not isinstance(bits, int) or sign not in (0, 1) or not 1 <= bits <= 32:
        return
    lowest, highest = (-(1 << bits - 1), (1 << bits - 1) - 1) if sign else (0, (1 << bits) - 1)

    def signed(keyword: str) -> int | None:
        value = get(keyword)
        if not isinstance(value, int):
            return None
        return value - 65536 if sign and 32768 <= value < 65536 else value

    smallest, largest = signed("SmallestImagePixelValue"), signed("LargestImagePixelValue")
    for keyword, value in (("SmallestImagePixelValue", smallest), ("LargestImagePixelValue", largest)):
        if value is not None and not lowest <= value <= highest:
            yield "header.pixel_range", keyword, f"{keyword} is {value}; {bits} stored bits hold {lowest} to {highest}"
    if smallest is not None and largest is not None and smallest > largest:
        yield (
            "header.pixel_range",
            "SmallestImagePixelValue",
            f"SmallestImagePixelValue {smallest} lies above LargestImagePixelValue {largest}",
        )
    padding, allocated = signed("PixelPaddingValue"), get("BitsAllocated")
    if padding is not None and isinstance(allocated, int) and not lowest <= padding <= highest:
        # padding outside the stored bits is seen (63536 in 12 bits); outside the allocated ones it cannot occur at all
        yield "header.pixel_range", "PixelPaddingValue", f"PixelPaddingValue is {padding}; {bits} stored bits hold {lowest} to {highest}"


def _lossy(syntax: str, get: Any) -> Iterator[tuple[str, str, str]]:
    if syntax in LOSSY and get("LossyImageCompression") != "01":
        told = get("LossyImageCompression")
        yield (
            "header.lossy",
            "LossyImageCompression",
            (f"LossyImageCompression is {told!r}" if told is not None else "LossyImageCompression is absent")
            + " although the encoding always has a loss",
        )
