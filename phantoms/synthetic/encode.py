"""Plain values to DICOM: elements, UIDs, stored pixel values, transfer syntaxes, bytes and files.

Nothing here is random and nothing reads the clock: the same input gives the same bytes.
"""

from __future__ import annotations

import io
import uuid
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmwrite
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)
from pydicom.valuerep import format_number_as_ds

NAMESPACE = uuid.UUID("6f0d3c1e-8a57-5d02-9b44-70a1c5e0ac01")  # ours; any fixed one does

TRANSFER_SYNTAXES: dict[str, UID] = {
    "implicit": ImplicitVRLittleEndian,
    "explicit": ExplicitVRLittleEndian,
    "big_endian": ExplicitVRBigEndian,
    "deflated": DeflatedExplicitVRLittleEndian,
    "rle": RLELossless,
    "jpeg_ls": JPEGLSLossless,
    "jpeg_2000": JPEG2000Lossless,
}

# Which plug-in encodes: always the same one, so the bytes do not hang on what else is installed
ENCODERS = {"rle": "pydicom", "jpeg_ls": "pyjpegls", "jpeg_2000": "pylibjpeg"}


def make_uid(*parts: object) -> str:
    """Make a UID that depends on nothing but `parts` (PS3.5 B.2: 2.25 and a UUID as a number; at most 44 characters)."""
    return f"2.25.{uuid.uuid5(NAMESPACE, '/'.join(str(part) for part in parts)).int}"


def fill(dataset: Dataset, values: Mapping[str, Any]) -> Dataset:
    """Set many elements by keyword.

    Numbers of VR DS are written in at most 16 characters; a list of mappings becomes a sequence; None leaves the element out (and takes
    away one that was there), so that a later mapping can drop what an earlier one said.
    """
    for keyword, value in values.items():
        if value is None:
            if keyword in dataset:
                del dataset[keyword]
            continue
        vr = dictionary_VR(keyword)
        if vr == "SQ":
            value = [item if isinstance(item, Dataset) else fill(Dataset(), item) for item in value]
        elif vr == "DS":
            value = _decimal_string(value)
        setattr(dataset, keyword, value)
    return dataset


def _decimal_string(value: Any) -> Any:
    if isinstance(value, str):
        return value
    if isinstance(value, Iterable):
        return [_decimal_string(item) for item in value]
    rounded = round(float(value), 10) + 0.0  # no -0.0, no 9.9999999999999 for 10
    return str(int(rounded)) if rounded == int(rounded) and abs(rounded) < 1e15 else format_number_as_ds(rounded)


def stored_type(bits_stored: int, signed: bool) -> np.dtype[Any]:
    """Type that holds values of so many bits: 8 bits allocated up to 8 stored, else 16."""
    return np.dtype(f"{'i' if signed else 'u'}{1 if bits_stored <= 8 else 2}")


def stored_range(bits_stored: int, signed: bool) -> tuple[int, int]:
    """Smallest and largest value that fit into the bits."""
    return (-(2 ** (bits_stored - 1)), 2 ** (bits_stored - 1) - 1) if signed else (0, 2**bits_stored - 1)


def to_stored(
    values: NDArray[Any], slope: float = 1.0, intercept: float = 0.0, bits_stored: int = 16, signed: bool = False
) -> NDArray[Any]:
    """Turn real values (HU, counts, signal) into stored ones: round((value - intercept) / slope), limited to what the bits hold."""
    low, high = stored_range(bits_stored, signed)
    scaled = np.rint((np.asarray(values, dtype=float) - intercept) / slope)
    return np.clip(scaled, low, high).astype(stored_type(bits_stored, signed))


def set_pixels(
    dataset: Dataset,
    stored: NDArray[Any],
    bits_stored: int,
    photometric: str = "MONOCHROME2",
    frames: int | None = None,
    big_endian: bool = False,
) -> None:
    """Put stored values and their description into a data set, not compressed.

    Parameters
    ----------
    stored
        (rows, columns), (rows, columns, 3), or with the frames in front when `frames` is given.
    frames
        Value of NumberOfFrames; None for a single-frame object.
    big_endian
        Byte order of the samples.
    """
    colour = photometric in ("RGB", "YBR_FULL")
    rows, columns = stored.shape[-3:-1] if colour else stored.shape[-2:]
    fill(
        dataset,
        {
            "SamplesPerPixel": 3 if colour else 1,
            "PlanarConfiguration": 0 if colour else None,
            "PhotometricInterpretation": photometric,
            "NumberOfFrames": frames,
            "Rows": int(rows),
            "Columns": int(columns),
            "BitsAllocated": stored.dtype.itemsize * 8,
            "BitsStored": bits_stored,
            "HighBit": bits_stored - 1,
            "PixelRepresentation": 1 if stored.dtype.kind == "i" else 0,
        },
    )
    data = stored.astype(stored.dtype.newbyteorder(">" if big_endian else "<")).tobytes()
    dataset.add_new("PixelData", "OB" if stored.dtype.itemsize == 1 else "OW", data + b"\0" * (len(data) % 2))


def seal(dataset: Dataset, transfer_syntax: str = "explicit") -> Dataset:
    """Add the file meta information and compress if the transfer syntax asks for it.

    Parameters
    ----------
    transfer_syntax
        A key of `TRANSFER_SYNTAXES`. The pixels of ``big_endian`` must have been set as such.
    """
    target = TRANSFER_SYNTAXES[transfer_syntax]
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\0\1"
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian if target.is_compressed and not target.is_deflated else target
    meta.ImplementationClassUID = UID(make_uid("pacsqc", "synthetic"))
    meta.ImplementationVersionName = "PACSQC_SYN"
    dataset.file_meta = meta
    if meta.TransferSyntaxUID != target:
        dataset.compress(target, encoding_plugin=ENCODERS[transfer_syntax], generate_instance_uid=False)
        dataset["PixelData"].VR = "OB"
    return dataset


def as_bytes(dataset: Dataset | bytes) -> bytes:
    """Give the file as it would lie on the disk; bytes (a file broken on purpose) pass through."""
    if isinstance(dataset, bytes):
        return dataset
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pydicom")  # values may be broken on purpose
        dcmwrite(stream, dataset, enforce_file_format=True)
    return stream.getvalue()


def write(datasets: Sequence[Dataset | bytes], folder: str | Path, names: Sequence[str] | None = None) -> list[Path]:
    """Write one file a data set.

    Parameters
    ----------
    datasets
        Data sets, or the bytes of a file that is broken on purpose.
    folder
        Made if it is not there.
    names
        File names, with or without extension, one for each; default ``0001.dcm``, ``0002.dcm`` ...

    Returns
    -------
    list of Path
        The files, in the order of `datasets`.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{number:04d}.dcm" for number in range(1, len(datasets) + 1)] if names is None else list(names)
    if len(names) != len(datasets) or len(set(names)) != len(names):
        raise ValueError(f"{len(datasets)} files need as many different names, got {len(names)}")
    paths = [folder / name for name in names]
    for path, dataset in zip(paths, datasets, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(as_bytes(dataset))
    return paths
