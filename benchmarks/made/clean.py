"""Clean series for `detection.py`: synthetic ones by seed, and parts of real ones where they are at hand."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from phantoms.synthetic.catalogue import make

REAL = Path(os.environ.get("PACSQC_REAL_DATA", Path(__file__).resolve().parents[2].parent / "shared" / "data"))
COUNT = 6  # clean series of each base
ALARM_COUNT = {"": 30, "real_head": 12, "real_epi": 6, "real_cr": 8}  # the same for the false alarms: as many as the real ones give


def _made(recipe: str, **options: object) -> Callable[[int], list[Dataset]]:
    return lambda seed: make(recipe, 100 + seed, **options).datasets


def _series_of(datasets: list[Dataset], first: int) -> list[Dataset]:
    uid = datasets[0].SeriesInstanceUID
    return [one for one in datasets if one.SeriesInstanceUID == uid][first:]


@cache
def _structural() -> list[Dataset]:
    files = sorted((REAL / "series" / "structural_384").glob("*"))
    found = [pydicom.dcmread(file) for file in files if file.suffix == ".dcm"]
    found.sort(key=lambda one: int(one.InstanceNumber))
    return found[150:345]  # from the base of the skull to the vertex: below is the neck, above it was masked


def real_head(seed: int) -> list[Dataset]:
    """Every twelfth slice of the MPRAGE of `structural_384`, from another one on for each seed, as an original transverse series of a head."""
    part = [copy.deepcopy(one) for one in _structural()[seed::12]]
    for number, one in enumerate(part, start=1):
        one.ImageType, one.BodyPartExamined, one.InPlanePhaseEncodingDirection = ["ORIGINAL", "PRIMARY", "M"], "HEAD", "COL"
        one.SeriesInstanceUID, one.InstanceNumber = f"2.25.77.{seed + 1}", number
        one.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        one.ImagePositionPatient = [0, 0, 8.4 * number]
    return part


def real_epi(seed: int) -> list[Dataset]:
    """A still run made of one real EPI volume of `fmri_4d` and new noise: the run itself is one of deliberate motion."""
    files = [pydicom.dcmread(file) for file in sorted((REAL / "series" / "fmri_4d").glob("*.dcm"))]
    files.sort(key=lambda one: int(one.InstanceNumber))
    rng, run = np.random.default_rng(seed), []
    for number, one in enumerate(files):
        still = files[number % 15]
        one.PixelData = np.clip(still.pixel_array + rng.normal(0, 12, (still.Rows, still.Columns)), 0, 32767).astype(np.int16).tobytes()
        run.append(one)
    return run


def real_cr(seed: int) -> list[Dataset]:
    """A part of a real radiograph (`pydicom-data`, RG1), 512 x 512."""
    import data_store

    one = pydicom.dcmread(Path(data_store.__file__).parent / "data" / "RG1_UNCR.dcm")
    pixels = one.pixel_array
    pixels = pixels if pixels.ndim == 2 else pixels[0]
    row, column = 200 + (seed % 4) * 330, 250 + (seed // 4) * 700
    part = pixels[row : row + 512, column : column + 512]
    one.Rows, one.Columns, one.PixelData = *part.shape, np.ascontiguousarray(part).tobytes()
    one.NumberOfFrames = 1
    one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = f"2.25.78.{seed + 1}"
    return [one]


def us_linear(seed: int) -> list[Dataset]:
    """A linear probe over speckle."""
    data = make("us_cine", 100 + seed, rgb=False, frames=8, matrix=(240, 320)).datasets
    rng = np.random.default_rng(seed)
    depth = np.exp(-np.arange(240) / 300)[:, None]
    frames = np.clip(rng.rayleigh(50, (8, 240, 320)) * depth, 1, 255)
    frames[:, :10], frames[:, 232:] = 0, 0
    data[0].PixelData = frames.astype(np.uint8).tobytes()
    return data


BASES: dict[str, Callable[[int], list[Dataset]]] = {
    "mr_brain": lambda seed: _series_of(make("mr_brain", 100 + seed, slices=16, matrix=256, step_mm=5.0).datasets, 0),
    "ct_head": _made("ct_head", slices=16, matrix=256, noise_hu=8.0),
    "ct_chest": _made("ct_chest", slices=16, matrix=256),
    "mr_4d": _made("mr_4d", slices=6, times=12, matrix=64),
    "dx_chest": _made("dx_chest", matrix=512),
    "mg_breast": _made("mg_breast", matrix=(384, 288), views=("LCC",)),
    "nm_bone": _made("nm_bone", matrix=(256, 64)),
    "pt_brain": _made("pt_brain"),
    "us_linear": us_linear,
    "real_head": real_head,
    "real_epi": real_epi,
    "real_cr": real_cr,
}


def available(base: str) -> bool:
    """Tell whether a base can be made here."""
    return not base.startswith("real_") or base == "real_cr" or REAL.is_dir()
