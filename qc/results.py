"""What a check gives: measurements and findings, and the picture that goes with them.

Measure, judge and report are three steps with three types. A check makes `Measurement` and `Finding`;
`qc.criteria` adds a `Verdict` to a measurement; `reports` draws `Evidence`. No class here knows a limit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray


class Status(StrEnum):
    """Outcome of a judgement. The order of definition is the order of severity, worst first."""

    FAIL = "fail"
    ERROR = "error"
    WARN = "warn"
    NOT_EVALUABLE = "not_evaluable"
    INFO = "info"
    PASS = "pass"


_RANK = {status: rank for rank, status in enumerate(Status)}

Level = Literal["file", "series", "study", "patient", "device"]


def worst(statuses: Iterable[Status]) -> Status:
    """Return the worst status; nothing at all is `Status.NOT_EVALUABLE`, never a pass."""
    return min(statuses, key=_RANK.__getitem__, default=Status.NOT_EVALUABLE)


def severity(status: Status) -> int:
    """Rank of a status, 0 is the worst; for sorting."""
    return _RANK[status]


@dataclass(frozen=True, slots=True)
class Subject:
    """What a result is about. Identifies objects of the PACS, never a patient.

    Attributes
    ----------
    frame
        Frame number, counted from 1 as DICOM does; None for single-frame objects and whole instances.
    path
        Path relative to what the user named.
    """

    level: Level
    study_uid: str | None = None
    series_uid: str | None = None
    instance_uid: str | None = None
    frame: int | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """One outline on an image, in pixel coordinates (row, col) of the evidence image.

    `kind` is ``circle`` (centre, then one point on it), ``polygon``, ``line`` or ``point``.
    `role` is ``measured``, ``excluded``, ``found`` or ``problem``; the report picks colour and dash by it.
    """

    kind: Literal["circle", "polygon", "line", "point"]
    points: tuple[tuple[float, float], ...]
    label: str = ""
    role: Literal["measured", "excluded", "found", "problem"] = "measured"


@dataclass(frozen=True, slots=True, eq=False)
class ImageEvidence:
    """A picture with its regions, as data.

    Attributes
    ----------
    image
        8-bit grey image (rows, columns), already windowed.
    aspect
        Height of a pixel over its width (row spacing / column spacing).
    window
        Values shown black and white, in `unit`.
    """

    title: str
    image: NDArray[np.uint8]
    shapes: tuple[Shape, ...] = ()
    aspect: float = 1.0
    window: tuple[float, float] = (0.0, 255.0)
    unit: str = "1"
    caption: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class CurveEvidence:
    """Curves over one axis, as data: {label: (x, y)}; `marks` are labelled x positions."""

    title: str
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]]
    x_label: str
    y_label: str
    marks: Mapping[str, float] = field(default_factory=dict)
    caption: str = ""


Evidence = ImageEvidence | CurveEvidence


@dataclass(frozen=True, slots=True)
class Finding:
    """A statement about the data, in words.

    Attributes
    ----------
    code
        Stable name, ``family.what``, e.g. ``slices.missing``.
    message
        What was found, with its values. Plain English for a technologist.
    advice
        What it means and what to do.
    check
        Id of the check; filled in by the runner.
    """

    code: str
    status: Status
    message: str
    subject: Subject
    details: Mapping[str, Any] = field(default_factory=dict)
    advice: str = ""
    check: str = ""
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Measurement:
    """A metric with a value, or with no value and a reason.

    Attributes
    ----------
    value
        Finite number in full precision, or None.
    uncertainty
        Standard uncertainty in the unit of the value; None where none is known.
    reason
        Reason code where `value` is None.
    method
        Method id with version (``acr_mri.piu/1``); series of different methods are never trended together.
    region
        Tells several values of one metric apart (``slice1.horizontal``).
    """

    metric: str
    value: float | None
    unit: str
    subject: Subject
    region: str = ""
    uncertainty: float | None = None
    reason: str | None = None
    method: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()

    def __post_init__(self) -> None:
        if (self.value is None) == (self.reason is None):
            raise ValueError(f"{self.metric}: a measurement has either a value or a reason, got {self.value!r} and {self.reason!r}")
        for name in ("value", "uncertainty"):
            number = getattr(self, name)
            if number is not None and not math.isfinite(number):
                raise ValueError(f"{self.metric}: {name} is {number}; give no value and a reason instead")


def plain_details(details: Mapping[str, Any]) -> dict[str, Any]:
    """Turn numpy scalars into Python numbers, so that details can be stored and printed."""
    return {name: value.item() if isinstance(value, np.generic) else value for name, value in details.items()}


@dataclass(frozen=True, slots=True)
class Metric:
    """A quantity that is measured, declared once.

    Attributes
    ----------
    unit
        UCUM code: ``mm``, ``%``, ``1``, ``[hnsf'U]`` (shown as HU), ``1/mm``, ``deg``.
    better
        Direction of goodness.
    source
        Document and section that defines it.
    """

    id: str
    unit: str
    title: str
    better: Literal["higher", "lower", "target", "none"]
    source: str

    def value(
        self,
        value: float,
        subject: Subject,
        region: str = "",
        *,
        uncertainty: float | None = None,
        evidence: Sequence[Evidence] = (),
        method: str = "",
        **details: Any,
    ) -> Measurement:
        """Return a measurement with a value."""
        return Measurement(
            self.id,
            float(value),
            self.unit,
            subject,
            region,
            None if uncertainty is None else float(uncertainty),
            None,
            method,
            plain_details(details),
            tuple(evidence),
        )

    def missing(self, reason: str, subject: Subject, region: str = "", *, method: str = "", **details: Any) -> Measurement:
        """Return a measurement without a value; `reason` is a reason code."""
        return Measurement(self.id, None, self.unit, subject, region, reason=reason, method=method, details=plain_details(details))


Result = Finding | Measurement


@dataclass(frozen=True, slots=True)
class Verdict:
    """A measurement as a judge saw it: status, and a snapshot of the criterion that gave it."""

    status: Status
    limits: Mapping[str, float | None] | None = None
    criteria: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """A measurement with its verdict."""

    measurement: Measurement
    verdict: Verdict


def with_method(result: Result, check: str, method: str) -> Result:
    """Return the result marked with the check that gave it (done by the runner, not by checks)."""
    if isinstance(result, Finding):
        return replace(result, check=check)
    return result if result.method else replace(result, method=method)
