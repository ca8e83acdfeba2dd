"""Header rows of stacks for the tests of integrity, and the verdict on them. Positions are plain arithmetic written here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qc import classify
from qc.checks.completeness import completeness
from qc.checks.slices import slices
from qc.results import Finding
from qc.study import Frame, Instance, Series

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
Row = dict[str, Any]


def rows(places: Iterable[float], modality: str = "CT", **tags: Any) -> list[Row]:
    """Axial images at these z, numbered from 1."""
    return [
        {
            "Modality": modality, "ImageType": ("ORIGINAL", "PRIMARY", "AXIAL"), "Rows": 64, "Columns": 64, "PixelSpacing": (1.0, 1.0),
            "ImageOrientationPatient": AXIAL, "ImagePositionPatient": (-100.0, -80.0, float(z)), **tags,
        }
        for z in places
    ]  # fmt: skip


def numbered(made: Iterable[Row], first: int = 1) -> list[Row]:
    """Give the rows numbers and UIDs in this order."""
    return [dict(row, InstanceNumber=first + n, SOPInstanceUID=f"1.2.3.{first + n}") for n, row in enumerate(made)]


def volumes(
    count: int, places: Sequence[float], keys: Sequence[Row], lost: Iterable[tuple[int, int]] = (), modality: str = "MR"
) -> list[Row]:
    """Repetitions of one stack, one with each of the keys; `lost` are (volume, place) counted from 0 and keep their numbers."""
    gone = set(lost)
    made = [dict(row, **keys[volume], cell=(volume, place)) for volume in range(count) for place, row in enumerate(rows(places, modality))]
    return [row for row in numbered(made) if row.pop("cell") not in gone]


def series(made: Iterable[Row], objects: bool = False) -> Series:
    """The rows as a series: one image each, or all frames of one enhanced object."""
    made = list(made)
    instances = []
    for row in made[:1] if objects else made:
        instance = Instance(Path("x"), str(row["SOPInstanceUID"]), "1.2.840.10008.1.2.1", row)
        instance.frames = [Frame(instance, n, own) for n, own in enumerate(made)] if objects else [Frame(instance)]
        instances.append(instance)
    return Series("1.2.3", "1.2.3.4", instances)


def findings(made: Iterable[Row] | Series, objects: bool = False) -> list[Finding]:
    """What the slice and completeness checks say."""
    one = made if isinstance(made, Series) else series(made, objects)
    one.klass = classify.classify(one)
    specs = [spec for spec in (slices.spec, completeness.spec) if spec.applies.to(one.modality, one.klass)]
    return [result for spec in specs for result in spec.run(one, spec.params()) if isinstance(result, Finding)]


def verdict(made: Iterable[Row] | Series, objects: bool = False) -> dict[str, tuple[str, Any]]:
    """Code -> (status, how many are missing or too many)."""
    return {
        one.code: (one.status.value, one.details.get("count", one.details.get("missing" if one.code.startswith("stack") else "received")))
        for one in findings(made, objects)
    }


def moved(
    made: Iterable[Row], shift: Sequence[float] = (0, 0, 0), turn: np.ndarray | None = None, decimals: int | None = None
) -> list[Row]:
    """The same stack elsewhere, turned, or with fewer decimals."""
    turn = np.eye(3) if turn is None else turn
    out = []
    for row in made:
        position = turn @ np.asarray(row["ImagePositionPatient"]) + np.asarray(shift, float)
        position = position if decimals is None else np.round(position, decimals)
        axes = np.asarray(row["ImageOrientationPatient"]).reshape(2, 3) @ turn.T
        out.append(dict(row, ImagePositionPatient=tuple(position.tolist()), ImageOrientationPatient=tuple(axes.ravel().tolist())))
    return out
