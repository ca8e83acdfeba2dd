"""Stacks of header rows as DICOM files, to see that files and rows get the same answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from made.stacks import Made, Row
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from qc.enhanced import GROUPS
from qc.tags import PRIVATE

SIZE = 24


def _set(dataset: Dataset, keyword: str, value: Any) -> None:
    private = next((key for key, (name, _) in PRIVATE.items() if name == keyword), None)
    if private is not None:
        group, creator, element = private
        vr = PRIVATE[private][1]
        dataset.private_block(group, creator, create=True).add_new(element, vr, list(value) if isinstance(value, tuple) else value)
    elif tag_for_keyword(keyword) is not None:
        vr = dictionary_VR(keyword)
        text = [repr(part)[:16] for part in (value if isinstance(value, tuple) else (value,))] if vr == "DS" else value
        dataset.add_new(tag_for_keyword(keyword), vr, list(text) if isinstance(text, tuple) else text)


def _frame(row: Row) -> Dataset:
    """Functional groups of a frame."""
    item = Dataset()
    for group, names in GROUPS.items():
        inner = Dataset()
        for keyword, name in names.items():
            if name in row:
                _set(inner, keyword, row[name])
        if "DiffusionGradientOrientation" in row and group == "MRDiffusionSequence":
            direction = Dataset()
            direction.DiffusionGradientOrientation = list(row["DiffusionGradientOrientation"])
            inner.DiffusionGradientDirectionSequence = [direction]
        if len(inner):
            setattr(item, group, [inner])
    return item


def write_stack(folder: Path, made: Made) -> None:
    """Write one file an image, or an object."""
    folder.mkdir()
    rows = made.rows
    objects = [[row] for row in rows] if not made.objects else [rows[at : at + made.objects] for at in range(0, len(rows), made.objects)]
    for number, frames in enumerate(objects):
        first = frames[0]
        meta = FileMetaDataset()
        meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, first.get("SOPClassUID", "1.2.840.10008.5.1.4.1.1.4")
        meta.MediaStorageSOPInstanceUID = first["SOPInstanceUID"]
        data = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
        data.SOPClassUID = meta.MediaStorageSOPClassUID
        grouped = (
            {name for names in GROUPS.values() for name in names.values()} | {"DiffusionGradientOrientation"} if made.objects else set()
        )
        for keyword, value in first.items():
            if keyword not in grouped and keyword != "DimensionIndexPointers":
                _set(data, keyword, value)
        data.Rows = data.Columns = SIZE
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 0
        if made.objects:
            data.NumberOfFrames = len(frames)
            data.PerFrameFunctionalGroupsSequence = [_frame(row) for row in frames]
            data.DimensionIndexSequence = [_pointer(keyword) for keyword in first.get("DimensionIndexPointers", ())]
        data.PixelData = bytes(2 * SIZE * SIZE * len(frames))
        data.save_as(folder / f"IM{number:05d}.dcm", enforce_file_format=True)


def _pointer(keyword: str) -> Dataset:
    item = Dataset()
    item.DimensionIndexPointer = tag_for_keyword(keyword)
    return item
