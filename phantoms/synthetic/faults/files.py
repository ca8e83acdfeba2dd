"""Faults of files: cut off, too short, too long, mislabelled, doubled, empty."""

from __future__ import annotations

import copy

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from pydicom.encaps import encapsulate, generate_frames

from phantoms.synthetic.encode import as_bytes
from phantoms.synthetic.faults.registry import Files, fault
from phantoms.synthetic.targets import (
    Anything,
    compress,
    compressible,
    edit_pixels,
    has_compressible,
    has_image,
    images_of,
    pick,
    pick_image,
    stack_of,
)

DELIMITER = b"\xfe\xff\xdd\xe0\0\0\0\0"  # sequence delimitation item, little endian


@fault(
    "file.truncated",
    "fail",
    has_image,
    words=("truncat", "cut off", "broke off", "half", "incomplete file", "damaged", "too short", "file short"),
)
def truncated_file(files: Files, rng: Generator) -> Files:
    """The transfer of one file broke off in the middle of its pixels."""
    index = pick_image(files, rng)
    data = as_bytes(files[index])
    files[index] = data[: max(len(data) - len(files[index].PixelData) // 2, len(data) // 2)]
    return files


@fault(
    "file.pixel_length",
    "fail",
    has_image,
    words=("pixel length", "length", "too short", "pixel short", "shifted", "damaged", "too few pixel"),
    also=("stack.last_volume_incomplete", "series.incomplete"),
)
def short_pixel_data(files: Files, rng: Generator) -> Files:
    """The file of one image is whole, but its pixel element holds an eighth less than rows times columns."""
    dataset = files[pick_image(files, rng)]
    edit_pixels(dataset, lambda stored: stored)
    dataset.PixelData = dataset.PixelData[: len(dataset.PixelData) * 7 // 8 // 2 * 2]
    return files


@fault("file.pixel_length", "warn", has_image, words=("pixel length", "length", "too long", "too much", "extra byte"))
def pixel_data_too_long(files: Files, rng: Generator) -> Files:
    """The pixel element of one image holds 992 bytes more than rows times columns; the picture is whole."""
    dataset = files[pick_image(files, rng)]
    edit_pixels(dataset, lambda stored: stored)
    dataset.PixelData = dataset.PixelData + b"\x2a" * 992
    return files


@fault(
    "pixels.absent",
    "fail",
    has_image,
    words=("no pixel", "no picture", "no image", "pixel absent", "miss pixel", "header only", "without pixel"),
)
def no_pixel_data(files: Files, rng: Generator) -> Files:
    """The file of one image holds its header only."""
    del files[pick_image(files, rng)].PixelData
    return files


@fault("file.no_delimiter", "fail", has_compressible, words=("delimiter", "end mark", "damaged", "not terminated"))
def lost_delimiter(files: Files, rng: Generator) -> Files:
    """One compressed file lacks the mark at its end; the picture is whole, but some programs refuse it."""
    allowed = compressible(files)
    index = pick([i for i in stack_of(files) if i in allowed] or allowed, rng)
    compress(files[index])
    data = as_bytes(files[index])
    at = data.rindex(DELIMITER)
    files[index] = data[:at] + b"\0" * len(DELIMITER) + data[at + len(DELIMITER) :]
    return files


def _clips(files: Anything) -> list[int]:
    return [index for index in compressible(files) if int(files[index].get("NumberOfFrames") or 1) > 1]


@fault(
    "file.frame_count",
    "fail",
    lambda files: bool(_clips(files)),
    words=("frame", "fragment", "too few image"),
    also=("stack.last_volume_incomplete", "series.incomplete"),
)
def fewer_fragments(files: Files, rng: Generator) -> Files:
    """A compressed object of many frames has one frame less than its header announces."""
    dataset = files[pick(_clips(files), rng)]
    compress(dataset)
    frames = list(generate_frames(dataset.PixelData, number_of_frames=int(dataset.NumberOfFrames)))
    del frames[int(rng.integers(len(frames)))]
    dataset.PixelData = encapsulate(frames)
    return files


@fault("file.meta_mismatch", "warn", has_image, words=("meta", "label", "mismatch", "uid"))
def meta_mismatch(files: Files, rng: Generator) -> Files:
    """The label in front of one file names another object than its content."""
    index = pick_image(files, rng)
    data, uid = as_bytes(files[index]), str(files[index].SOPInstanceUID)
    other = uid[:-1] + ("1" if uid[-1] != "1" else "2")
    files[index] = data.replace(uid.encode(), other.encode(), 1)
    return files


@fault("file.no_meta", "warn", has_image, words=("preamble", "meta", "label", "part 10"))
def no_preamble(files: Files, rng: Generator) -> Files:
    """One file begins without the preamble by which DICOM files are recognised."""
    index = pick_image(files, rng)
    files[index] = as_bytes(files[index])[132:]
    return files


@fault("file.uid_collision", "fail", has_image, words=("collision", "uid", "same identifier", "two object"))
def uid_collision(files: Files, rng: Generator) -> Files:
    """A second object with the same SOPInstanceUID and other pixels."""
    double = copy.deepcopy(files[pick_image(files, rng)])

    def displace(stored: NDArray[np.generic]) -> NDArray[np.generic]:
        moved = np.roll(stored, 3, axis=1)
        return moved if not np.array_equal(moved, stored) else stored ^ 1

    edit_pixels(double, displace)
    return [*files, double]


@fault(None, None, has_image, words=("duplicate", "double", "twice", "copy", "identical"), skipped="duplicate_file")
def byte_identical_copy(files: Files, rng: Generator) -> Files:
    """One file lies there twice, byte for byte; the copy is listed as skipped, and nothing is wrong."""
    return [*files, copy.deepcopy(files[pick(images_of(files), rng)])]


@fault("file.duplicate", "warn", has_image, words=("duplicate", "resent", "re-sent", "sent again", "twice", "same uid", "header differ"))
def resent_with_new_header(files: Files, rng: Generator) -> Files:
    """One image was sent again after its header had been corrected: same SOPInstanceUID, same pixels, another header."""
    again = copy.deepcopy(files[pick_image(files, rng)])
    again.ReferringPhysicianName = "Corrected^Referrer"
    return [*files, again]


def _always(files: Anything) -> bool:
    return True


@fault("file.empty", "fail", _always, words=("empty file", "no byte", "zero byte", "file empty", "0 byte"))
def empty_file(files: Files, rng: Generator) -> Files:
    """A file without a single byte lies among the others."""
    return [*files, b""]


@fault(None, None, _always, words=("text file", "not dicom", "no dicom", "foreign"), skipped="not_dicom")
def not_dicom(files: Files, rng: Generator) -> Files:
    """A text file lies among the others; it is listed as skipped."""
    return [*files, b"Please find the images of today in this folder.\r\n" * 20]
