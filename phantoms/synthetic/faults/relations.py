"""Faults of header values that contradict each other, the pixels, the encoding or the standard."""

from __future__ import annotations

import datetime as dt

from numpy.random import Generator
from pydicom.uid import ExplicitVRLittleEndian, JPEGLSNearLossless

from phantoms.synthetic.faults.registry import Files, fault
from phantoms.synthetic.targets import Anything, drop, images_of, pick, series_of, set_text, stack_of


def _series_with(files: Anything, *keywords: str) -> list[int]:
    """Images of the largest series in which all have these attributes."""
    series = [
        members
        for members in series_of(files)
        if all(index in images_of(files) and all(files[index].get(keyword) not in (None, "") for keyword in keywords) for index in members)
    ]
    return max(series, key=len, default=[])


# -- time -------------------------------------------------------------------------------------------------------------


def _timed(files: Anything) -> list[int]:
    found = _series_with(files, "StudyDate", "StudyTime", "AcquisitionDate", "AcquisitionTime")
    original = all(str((files[index].get("ImageType") or ["ORIGINAL"])[0]) == "ORIGINAL" for index in found)
    early = any(str(files[index].AcquisitionTime) < "040000" for index in found)
    removed = any(files[index].get("PatientIdentityRemoved") == "YES" for index in found)
    return found if original and not early and not removed else []


@fault(
    "header.time_order",
    "warn",
    lambda files: bool(_timed(files)),
    words=("time order", "acquisition time", "wrong time", "before the study", "too early", "clock"),
)
def acquired_too_early(files: Files, rng: Generator) -> Files:
    """The images of a series are said to have been acquired three hours before the study began."""
    for index in _timed(files):
        dataset = files[index]
        when = dt.datetime.strptime(str(dataset.StudyDate) + str(dataset.StudyTime)[:6], "%Y%m%d%H%M%S") - dt.timedelta(hours=3)
        dataset.AcquisitionDate, dataset.AcquisitionTime = when.strftime("%Y%m%d"), when.strftime("%H%M%S")
        drop(dataset, "AcquisitionDateTime")
    return files


# -- pixels and their description ----------------------------------------------------------------------------------------


def _grey(files: Anything, bits: tuple[int, ...] = (8, 16)) -> list[int]:
    """Grey single-frame images whose pixels are not compressed."""
    return [
        index
        for index in images_of(files)
        if files[index].get("SamplesPerPixel") == 1
        and files[index].get("BitsAllocated") in bits
        and int(files[index].get("NumberOfFrames") or 1) == 1
        and files[index].file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
        and not files[index].get("PixelRepresentation")
    ]


@fault("header.lossy", "warn", lambda files: bool(_grey(files)), words=("lossy", "loss", "compress"))
def undeclared_loss(files: Files, rng: Generator) -> Files:
    """One image was compressed with loss, and its header says that it never was."""
    dataset = files[pick(_grey(files), rng)]
    dataset.compress(JPEGLSNearLossless, encoding_plugin="pyjpegls", jls_error=1, generate_instance_uid=False)
    dataset.LossyImageCompression = "00"
    drop(dataset, "LossyImageCompressionRatio", "LossyImageCompressionMethod")
    return files


@fault(
    "header.photometric",
    "warn",
    lambda files: bool(_grey(files)),
    words=("photometric", "colour", "color"),
    also=("header.not_constant",),
)
def colour_of_grey(files: Files, rng: Generator) -> Files:
    """A grey image calls itself coloured: one sample a pixel, and a colour model of three."""
    hit = files[pick(_grey(files), rng)].SeriesInstanceUID
    for index in _grey(files):
        if files[index].SeriesInstanceUID == hit:
            files[index].PhotometricInterpretation = "RGB"
    return files


@fault("header.pixel_module", "warn", lambda files: bool(_grey(files, (16,))), words=("high bit", "highbit", "pixel description"))
def wrong_high_bit(files: Files, rng: Generator) -> Files:
    """HighBit is not the highest of the bits that are stored."""
    hit = files[pick(_grey(files, (16,)), rng)].SeriesInstanceUID
    for index in _grey(files, (16,)):
        if files[index].SeriesInstanceUID == hit:
            files[index].HighBit = int(files[index].BitsStored) - 2
    return files


def _twelve_bits(files: Anything) -> list[int]:
    return [index for index in _grey(files, (16,)) if int(files[index].BitsStored) < 16]


@fault("header.pixel_range", "info", lambda files: bool(_twelve_bits(files)), words=("padding", "range", "impossible value"))
def impossible_padding(files: Files, rng: Generator) -> Files:
    """The value that marks the outside of the picture cannot occur in its bits."""
    hit = files[pick(_twelve_bits(files), rng)].SeriesInstanceUID
    for index in _twelve_bits(files):
        if files[index].SeriesInstanceUID == hit:
            files[index].add_new("PixelPaddingValue", "US", 63536)
    return files


# -- the standard -------------------------------------------------------------------------------------------------------


def _with_spacing(files: Anything) -> list[int]:
    """A series of CT or MR whose pixel size is given."""
    found = _series_with(files, "PixelSpacing")
    return found if found and files[found[0]].get("Modality") in ("CT", "MR") and stack_of(files) else []


@fault(
    "header.standard_blocks",
    "warn",
    lambda files: bool(_with_spacing(files)),
    words=("type 1", "standard", "miss attribute", "pixel spacing", "pixel size"),
    also=("check.not_evaluable",),
)
def missing_pixel_spacing(files: Files, rng: Generator) -> Files:
    """The pixel size, which every CT and MR image must have, is missing: nothing can be measured."""
    for index in _with_spacing(files):
        drop(files[index], "PixelSpacing")
    return files


@fault(
    "header.standard_breaks",
    "info",
    lambda files: bool(_series_with(files, "PatientSex", "ImageType")),
    words=("standard", "value", "image type", "illegal"),
)
def image_type_unknown(files: Files, rng: Generator) -> Files:
    """The first value of ImageType is none of those that the standard knows."""
    for index in _series_with(files, "PatientSex", "ImageType"):
        files[index].ImageType = ["COPIED", *list(files[index].ImageType)[1:]]
    return files


@fault(
    "header.standard_cosmetic",
    "info",
    lambda files: bool(_series_with(files, "StudyDate")) and any("AccessionNumber" in files[i] for i in _series_with(files, "StudyDate")),
    words=("standard", "miss attribute", "type 2", "accession"),
)
def missing_type_2(files: Files, rng: Generator) -> Files:
    """An attribute that must be there, if only empty, is missing."""
    for index in _series_with(files, "StudyDate"):
        drop(files[index], "AccessionNumber")
    return files


# -- identifiers --------------------------------------------------------------------------------------------------------


@fault(
    "header.uid_reused",
    "warn",
    lambda files: bool(_series_with(files, "StudyInstanceUID")),
    words=("reused", "two things", "series uid"),
)
def series_uid_is_study_uid(files: Files, rng: Generator) -> Files:
    """One identifier stands for the study and for a series of it."""
    for index in _series_with(files, "StudyInstanceUID"):
        files[index].SeriesInstanceUID = files[index].StudyInstanceUID
    return files


@fault(
    "header.uid_root",
    "info",
    lambda files: bool(_series_with(files, "SeriesInstanceUID")),
    words=("uid", "root", "example", "identifier", "made up"),
)
def example_uid(files: Files, rng: Generator) -> Files:
    """The identifier of a series was made up under the root of a textbook."""
    for index in _series_with(files, "SeriesInstanceUID"):
        files[index].SeriesInstanceUID = "1.2.3.4.5"
    return files


# -- side, view, text -----------------------------------------------------------------------------------------------------


def _breasts(files: Anything) -> list[int]:
    return [index for index in images_of(files, ("MG",)) if files[index].get("ImageLaterality") in ("L", "R")]


@fault("header.laterality", "warn", lambda files: bool(_breasts(files)), words=("side", "lateral", "miss side"))
def missing_side(files: Files, rng: Generator) -> Files:
    """The mammograms of a series do not say which breast they show."""
    hit = files[pick(_breasts(files), rng)].SeriesInstanceUID
    for index in _breasts(files):
        if files[index].SeriesInstanceUID == hit:
            drop(files[index], "ImageLaterality", "Laterality")
            files[index].SeriesDescription = "mammogram"
            drop(files[index], "ProtocolName")
    return files


def _viewed(files: Anything) -> list[int]:
    return [index for index in images_of(files, ("DX", "CR")) if files[index].get("ViewPosition") == "PA"]


@fault("header.view", "warn", lambda files: bool(_viewed(files)), words=("view", "projection"))
def wrong_view(files: Files, rng: Generator) -> Files:
    """The header names another view than the description of the series."""
    for index in _viewed(files):
        files[index].SeriesDescription, files[index].ViewPosition = "Chest PA", "LL"
        drop(files[index], "ProtocolName")
    return files


@fault(
    "header.value",
    "warn",
    lambda files: bool(_series_with(files, "SliceThickness")),
    words=("illegal value", "not a number", "thickness"),
    also=("check.not_evaluable",),
)
def thickness_in_words(files: Files, rng: Generator) -> Files:
    """The slice thickness is written with its unit, which no number may have."""
    for index in _series_with(files, "SliceThickness"):
        set_text(files[index], "SliceThickness", f"{float(files[index].SliceThickness):g} mm")
    return files
