"""Faults of header values: not constant, not legal, not possible, contradictory."""

from __future__ import annotations

import datetime as dt
import re

from numpy.random import Generator
from pydicom.dataset import Dataset

from phantoms.synthetic.encode import make_uid
from phantoms.synthetic.faults.registry import Files, fault
from phantoms.synthetic.targets import Anything, drop, has_image, images_of, pick, pick_image, series_of, set_text

SPACING = ("PixelSpacing", "ImagerPixelSpacing")
OTHER_SIDE = {"L": "R", "R": "L"}
_SIDE = re.compile(r"\b(L|R|LT|RT|LEFT|RIGHT)\b", re.IGNORECASE)


def _any_dataset(files: Anything) -> bool:
    return any(isinstance(file, Dataset) for file in files)


def _dated(files: Anything) -> bool:
    """Tell whether the dates mean something: where the identity was removed they may have been shifted on purpose."""
    datasets = [file for file in files if isinstance(file, Dataset)]
    return any(file.get("StudyDate") for file in datasets) and all(file.get("PatientIdentityRemoved") != "YES" for file in datasets)


OTHER_VALUE = {"KVP": (100, 120), "MagneticFieldStrength": (3, 1.5), "StationName": ("OTHERSTATION",), "SeriesDescription": ("other scan",)}


def _swappable(files: Anything) -> tuple[list[int], str]:
    """Give the largest series, and what the scanner sets once for it; an empty text where that cannot be told."""
    series = max(series_of(files), key=len, default=[])
    said = [keyword for keyword in OTHER_VALUE if all(files[index].get(keyword) for index in series)]
    return series, said[0] if said and len(series) >= 3 else ""


@fault(
    "header.not_constant",
    "warn",
    lambda files: bool(_swappable(files)[1]),
    words=("not constant", "differ", "header", "kvp", "voltage", "field strength", "station", "inconsistent"),
)
def swapped_header(files: Files, rng: Generator) -> Files:
    """One image of a series has another tube voltage, field strength or station than the others."""
    series, keyword = _swappable(files)
    dataset = files[pick(series, rng)]
    setattr(dataset, keyword, next(value for value in OTHER_VALUE[keyword] if value != dataset.get(keyword)))
    return files


@fault(
    "header.date",
    "warn",
    _dated,
    words=("future", "wrong date", "study date", "clock", "date wrong", "wrong year", "impossible date", "header date"),
)
def future_date(files: Files, rng: Generator) -> Files:
    """The clock of the scanner is a hundred years ahead."""
    for dataset in files:
        if not isinstance(dataset, Dataset):
            continue
        for element in list(dataset):
            if element.VR == "DA" and element.value and element.keyword != "PatientBirthDate":
                day = dt.datetime.strptime(str(element.value), "%Y%m%d").date()
                element.value = f"{day.year + 100:04d}{day.month:02d}{min(day.day, 28):02d}"
        drop(dataset, "PatientAge")  # would contradict the birth date
    return files


@fault("header.date", "warn", _any_dataset, words=("birth", "wrong date", "illegal date", "date illegal", "header date", "impossible date"))
def illegal_birth_date(files: Files, rng: Generator) -> Files:
    """The birth date is 00/00/0000, what some systems write for unknown."""
    for dataset in files:
        if isinstance(dataset, Dataset):
            set_text(dataset, "PatientBirthDate", "00/00/0000")
    return files


@fault(
    "header.pixel_spacing",
    "fail",
    lambda files: any(isinstance(file, Dataset) and any(file.get(keyword) for keyword in SPACING) for file in files),
    words=("comma", "spacing", "pixel size", "pixelspacing"),
    also=("check.not_evaluable",),
)
def decimal_comma(files: Files, rng: Generator) -> Files:
    """The pixel size of a series is written with a decimal comma: nobody may guess what it is."""
    whole = [members for members in series_of(files) if any(files[members[0]].get(keyword) for keyword in SPACING)]
    for index in max(whole, key=len):
        for keyword in SPACING:
            if files[index].get(keyword):
                values = [str(value) for value in files[index].get(keyword)]
                text = "\\".join(value.replace(".", ",") if "." in value else f"{value},0" for value in values)
                set_text(files[index], keyword, text)
    return files


@fault("header.character_set", "warn", _any_dataset, words=("character set", "charset", "encoding", "garbled", "character"))
def bad_character_set(files: Files, rng: Generator) -> Files:
    """The header names a text encoding that does not exist."""
    for dataset in files:
        if isinstance(dataset, Dataset):
            set_text(dataset, "SpecificCharacterSet", "ISO 2022 IR 6, IS")
    return files


@fault("header.uid", "fail", has_image, words=("uid miss", "miss uid", "no uid", "uid", "identifier"))
def missing_uid(files: Files, rng: Generator) -> Files:
    """One image has no SOPInstanceUID."""
    drop(files[pick_image(files, rng)], "SOPInstanceUID")
    return files


@fault("header.uid", "fail", has_image, words=("bad uid", "illegal uid", "wrong uid", "invalid uid", "uid", "identifier"))
def bad_uid(files: Files, rng: Generator) -> Files:
    """The SOPInstanceUID of one image is illegal: a component begins with 0."""
    dataset = files[pick_image(files, rng)]
    uid = f"{make_uid(dataset.SOPInstanceUID, 'bad')}.007"
    set_text(dataset, "SOPInstanceUID", uid)
    set_text(dataset.file_meta, "MediaStorageSOPInstanceUID", uid)
    return files


def _sided(files: Anything) -> list[int]:
    """Images whose header names a side, and their description the same."""
    found = []
    for index in images_of(files):
        side = str(files[index].get("ImageLaterality") or files[index].get("Laterality") or "")
        told = _SIDE.search(str(files[index].get("SeriesDescription", "")))
        if side in OTHER_SIDE and told and told.group(1)[0].upper() == side:
            found.append(index)
    return found


@fault(
    "header.laterality",
    "warn",
    lambda files: bool(_sided(files)),
    words=("lateral", "side", "left right", "left", "right"),
)
def wrong_laterality(files: Files, rng: Generator) -> Files:
    """The header names the other side than the description of the series."""
    hit = files[pick(_sided(files), rng)].SeriesInstanceUID
    for index in _sided(files):
        if files[index].SeriesInstanceUID == hit:
            for keyword in ("ImageLaterality", "Laterality"):
                if files[index].get(keyword) in OTHER_SIDE:
                    setattr(files[index], keyword, OTHER_SIDE[files[index].get(keyword)])
    return files
