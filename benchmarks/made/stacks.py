"""Random stacks as header rows, clean and broken, each with the answer that it must get. No pixels, no files.

A stack is a list of rows (keyword -> value), one an image, in order of acquisition; `Made.series` turns them into what the checks see.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator

from qc.study import Frame, Instance, Series

Row = dict[str, Any]
CLASSES = {"CT": "1.2.840.10008.5.1.4.1.1.2", "MR": "1.2.840.10008.5.1.4.1.1.4", "PT": "1.2.840.10008.5.1.4.1.1.128"}


@dataclass
class Made:
    """A stack and what must be said about it.

    Attributes
    ----------
    expect
        Finding code -> status; warn and fail of any other code is a false alarm.
    missing
        Slices or images that must be counted as missing.
    objects
        0: one object an image; else images an object (enhanced; the rest in the last).
    """

    rows: list[Row]
    expect: dict[str, str] = field(default_factory=dict)
    missing: int | None = None
    objects: int = 0
    note: str = ""

    def series(self) -> Series:
        """The rows as a series."""
        if not self.objects:
            instances = [self._instance(row) for row in self.rows]
            for instance in instances:
                tiles = range(9 if "SiemensMosaicImages" in instance.tags else 0)
                instance.frames = [Frame(instance, tile, {}, divmod(tile, 3)) for tile in tiles] or [Frame(instance)]
        else:
            instances = []
            for start in range(0, len(self.rows), self.objects):
                part = self.rows[start : start + self.objects]
                instance = self._instance(part[0])
                instance.frames = [Frame(instance, index, row) for index, row in enumerate(part)]
                instances.append(instance)
        return Series("1.2.3", "1.2.3.4", instances)

    @staticmethod
    def _instance(row: Row) -> Instance:
        return Instance(Path("x"), str(row["SOPInstanceUID"]), "1.2.840.10008.1.2.1", row)


def rotation(rng: Generator) -> np.ndarray:
    """A random rotation, evenly over all of them."""
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else q[:, [1, 0, 2]]


@dataclass
class Plan:
    """Where and how the slices of a stack lie."""

    rng: Generator
    spacing: float
    count: int
    decimals: int
    axes: np.ndarray
    origin: np.ndarray
    shear: np.ndarray

    def position(self, along: float, aside: tuple[float, float] = (0.0, 0.0)) -> tuple[float, ...]:
        """First voxel at a distance along the normal (and beside the line), jittered by at most a micrometre, written with some decimals."""
        point = self.origin + along * (self.axes[2] + self.shear) + aside[0] * self.axes[0] + aside[1] * self.axes[1]
        jitter = [min(1e-3, max(-1e-3, number)) for number in self.rng.normal(0, 4e-4, 3).tolist()]
        return tuple(round(number + shake, self.decimals) for number, shake in zip(point.tolist(), jitter, strict=True))

    @property
    def orientation(self) -> tuple[float, ...]:
        """Direction cosines with six decimals, as scanners write them."""
        return tuple(float(number) for number in np.round(np.concatenate(self.axes[:2]), 6))


def plan(rng: Generator, count: tuple[int, int] = (12, 400), tilt_deg: float = 0.0, spacing: tuple[float, float] = (0.1, 10.0)) -> Plan:
    """Spacing log-uniform, decimals 2 to 6, six of ten axial, the others turned at random."""
    low, high = np.log(spacing)
    axes = np.eye(3) if rng.random() < 0.6 else rotation(rng)
    shear = np.tan(np.radians(tilt_deg)) * axes[1]
    step = float(np.exp(rng.uniform(low, high)))
    return Plan(
        rng, step, int(rng.integers(*count, endpoint=True)), int(rng.integers(2, 7)), axes, rng.uniform(-300, 300, 3).round(3), shear
    )


def header(rng: Generator, plan: Plan, modality: str) -> Row:
    """What all images of a series share."""
    return {
        "SOPClassUID": CLASSES[modality],
        "StudyInstanceUID": "1.2.3",
        "SeriesInstanceUID": "1.2.3.4",
        "Modality": modality,
        "SeriesDescription": "Abdomen 3.0",
        "ImageType": ("ORIGINAL", "PRIMARY", "AXIAL"),
        "Rows": 512,
        "Columns": 512,
        "PixelSpacing": (0.7, 0.7),
        "SliceThickness": round(plan.spacing * float(rng.choice([0.5, 0.8, 1.0])), 3),
        "ImageOrientationPatient": plan.orientation,
    }


def clock(seconds: float) -> str:
    """A DICOM time."""
    return f"{int(seconds // 3600):02d}{int(seconds // 60 % 60):02d}{seconds % 60:09.6f}"


def number(rows: list[Row], first: int = 1) -> list[Row]:
    """Number images in order and give them their UIDs."""
    for place, row in enumerate(rows):
        row["InstanceNumber"] = first + place
        row["SOPInstanceUID"] = f"1.2.3.4.{place + 1}"
    return rows


def stack(rng: Generator, modality: str = "", at: Plan | None = None) -> tuple[Plan, list[Row]]:
    """A plain stack, acquired in either direction."""
    at = at or plan(rng)
    modality = modality or str(rng.choice(["CT", "MR"]))
    shared = header(rng, at, modality)
    start = float(rng.uniform(30000, 60000))
    rows = [dict(shared, ImagePositionPatient=at.position(index * at.spacing)) for index in range(at.count)]
    if rng.random() < 0.5:
        rows.reverse()
    for place, row in enumerate(rows):
        row["AcquisitionTime"] = row["ContentTime"] = clock(start + 0.13 * place)
        row["XRayTubeCurrent"] = 200 + place % 7
    return at, number(rows)


# -- clean ----------------------------------------------------------------------------------------------------------


def clean(rng: Generator) -> Made:
    """A plain stack as in the evidence paragraph of the metrology page."""
    return Made(stack(rng)[1])


def tilted(rng: Generator) -> Made:
    """A CT stack with a tilted gantry, the header says so."""
    tilt = float(rng.uniform(1, 30))
    rows = stack(rng, "CT", plan(rng, (12, 150), tilt, (0.5, 10)))[1]
    for row in rows:
        row["GantryDetectorTilt"] = round(tilt * float(rng.choice([-1, 1])) + float(rng.uniform(-0.2, 0.2)), 1)
    return Made(rows)


def two_zones(rng: Generator) -> Made:
    """A head CT with thin slices below and thick ones above, as planned."""
    at, rows = stack(rng, "CT", plan(rng, (16, 80), spacing=(0.5, 5)))
    cut, factor = int(rng.integers(6, len(rows) - 6)), float(rng.choice([1.5, 2.0, 3.0]))
    shared = header(rng, at, "CT")
    rows = []
    for index in range(at.count):
        along = at.spacing * (min(index, cut) + factor * max(0, index - cut))
        row = dict(shared, ImagePositionPatient=at.position(along), SliceThickness=at.spacing * (factor if index > cut else 1))
        rows.append(dict(row, AcquisitionNumber=index + 1 if rng.random() < 0.5 else 1))
    return Made(number(rows), {"slices.multi_zone": "info"})


Keyed = Callable[[Generator, int, int, int], Row]


def _time_point(rng: Generator, volume: int, place: int, volumes: int) -> Row:
    return {"TemporalPositionIdentifier": volume + 1}


def _volume_time(rng: Generator, volume: int, place: int, volumes: int) -> Row:
    return {"AcquisitionTime": clock(40000 + 2.0 * volume), "ContentTime": clock(40100 + 2.0 * volume + 0.01 * place)}


def _echo_and_type(rng: Generator, volume: int, place: int, volumes: int) -> Row:
    kind = "MPRI"[volume % 2]
    return {"EchoTime": 5.0 + 5 * (volume // 2), "EchoNumbers": volume // 2 + 1, "ImageType": ("ORIGINAL", "PRIMARY", kind, "ND")}


def _diffusion(rng: Generator, volume: int, place: int, volumes: int) -> Row:
    angle = 0.7 * volume
    direction = (round(float(np.cos(angle)), 6), round(float(np.sin(angle)), 6), 0.0)
    return {"DiffusionBValue": 0.0} if volume == 0 else {"DiffusionBValue": 1000.0, "DiffusionGradientOrientation": direction}


def _siemens(rng: Generator, volume: int, place: int, volumes: int) -> Row:
    row = _diffusion(rng, volume, place, volumes)
    return {
        "SiemensBValue": int(row["DiffusionBValue"]),
        "SiemensGradientDirection": row.get("DiffusionGradientOrientation", (0.0, 0.0, 0.0)),
    }


def _ge(rng: Generator, volume: int, place: int, volumes: int) -> Row:
    x, y, z = _diffusion(rng, volume, place, volumes).get("DiffusionGradientOrientation", (0.0, 0.0, 0.0))
    return {"GEBValue": (0 if volume == 0 else 1000, 8, 0, 0), "GEGradientX": x, "GEGradientY": y, "GEGradientZ": z}


def _trigger(rng: Generator, volume: int, place: int, volumes: int) -> Row:
    return {"TriggerTime": round(volume * (40.0 + 0.3 * (place % 5)), 1)}


def _numbers_only(rng: Generator, volume: int, place: int, volumes: int) -> Row:
    return {}


def _kernel(rng: Generator, volume: int, place: int, volumes: int) -> Row:
    return {"ConvolutionKernel": f"B{30 + volume}f"}


DIMENSIONS: dict[str, tuple[str, Keyed]] = {
    "time point": ("MR", _time_point),
    "volume time": ("CT", _volume_time),
    "echo x type": ("MR", _echo_and_type),
    "b-value x direction": ("MR", _diffusion),
    "Siemens b-value": ("MR", _siemens),
    "GE b-value": ("MR", _ge),
    "trigger time": ("MR", _trigger),
    "image number": ("MR", _numbers_only),
    "kernel": ("CT", _kernel),
    "PET image index": ("PT", _numbers_only),
}


def repeated(rng: Generator, dimension: str = "", least: int = 2) -> tuple[str, Plan, list[list[Row]]]:
    """Volumes of one stack, told apart by one of many dimensions; a list of rows a volume, not yet numbered."""
    dimension = dimension or str(rng.choice(list(DIMENSIONS)))
    modality, keyed = DIMENSIONS[dimension]
    at = plan(rng, (6, 24), spacing=(0.5, 10))
    volumes = int(rng.integers(max(least, 4 if "echo" in dimension else 2), 12))
    volumes += volumes % 2 if "echo" in dimension else 0
    shared = header(rng, at, modality)
    made = []
    for volume in range(volumes):
        rows = []
        for place in range(at.count):
            row = dict(shared, ImagePositionPatient=at.position(place * at.spacing), **keyed(rng, volume, place, volumes))
            if modality == "MR":
                row["AcquisitionTime"] = clock(40000 + 3.0 * volume + 2.9 * ((place * 7) % at.count) / at.count)
            if modality == "PT":
                row.update(NumberOfSlices=at.count, NumberOfTimeSlices=volumes, ImageIndex=volume * at.count + place + 1)
            rows.append(row)
        made.append(rows)
    return dimension, at, made


def numbered(rng: Generator, volumes: list[list[Row]], by_slice: bool | None = None) -> list[Row]:
    """Number volume after volume, or slice after slice as some scanners do."""
    by_slice = bool(rng.random() < 0.3) if by_slice is None else by_slice
    order = [row for rows in zip(*volumes, strict=True) for row in rows] if by_slice else [row for rows in volumes for row in rows]
    return number(order)


def four_d(rng: Generator) -> Made:
    """A complete 4-D series."""
    dimension, _, volumes = repeated(rng)
    return Made(numbered(rng, volumes), note=dimension)


def enhanced(rng: Generator) -> Made:
    """One enhanced object, plain or with repetitions, with its dimension index."""
    if rng.random() < 0.5:
        rows = indexed([stack(rng, "MR", plan(rng, (12, 120)))[1]])
    else:
        rows = indexed(repeated(rng, str(rng.choice(["time point", "b-value x direction", "trigger time"])))[2])
    return Made(rows, objects=len(rows))


def indexed(volumes: list[list[Row]]) -> list[Row]:
    """Rows of one enhanced object, with the numbers that it gives its frames."""
    rows = []
    for volume, images in enumerate(volumes):
        for place, row in enumerate(images):
            index = {"StackID": "1", "InStackPositionNumber": place + 1, "DimensionIndexValues": (1, place + 1, volume + 1)}
            rows.append(dict(row, **index, DimensionIndexPointers=("StackID", "InStackPositionNumber", "TemporalPositionIndex")))
    for row in rows:
        row.update(SOPInstanceUID="1.2.3.4.1", InstanceNumber=1)
    return rows


def beds(rng: Generator) -> Made:
    """PET in two or three beds that overlap by some slices, not merged by the scanner."""
    at = plan(rng, (20, 40), spacing=(2, 5))
    shared, rows = header(rng, at, "PT"), []
    overlap, offset = int(rng.integers(3, 8)), float(rng.choice([0.0, 0.5]))
    for bed in range(int(rng.integers(2, 4))):
        start = bed * (at.count - overlap + offset)
        for place in range(at.count):
            row = dict(shared, ImagePositionPatient=at.position((start + place) * at.spacing), FrameReferenceTime=bed * 120000.0)
            rows.append(dict(row, AcquisitionTime=clock(40000 + 120 * bed)))
    return Made(number(rows), {"series.overlapping_beds": "info"})


CLEAN: dict[str, Callable[[Generator], Made]] = {
    "plain stack": clean, "4-D": four_d, "tilted gantry": tilted, "enhanced": enhanced, "two zones": two_zones, "overlapping PET beds": beds,
}  # fmt: skip
