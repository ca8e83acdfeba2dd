"""A scan made in several parts that overlap: PET beds, CT of chest and abdomen."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from qc.study import Frame


def beds(frames: Sequence[Frame], along: Sequence[float]) -> list[list[int]] | None:
    """Split a scan that was made in several overlapping parts (PET beds, CT chest and abdomen), None where it was not.

    Parts are told by AcquisitionNumber or by time; each must cover its own range once, begin and end behind the part before it,
    and share less than half of its slices' range with it.
    """
    for keyword in ("AcquisitionNumber", "FrameReferenceTime", "AcquisitionTime"):
        parts: dict[Any, list[int]] = {}
        for index, frame in enumerate(frames):
            parts.setdefault(frame.get(keyword), []).append(index)
        if 2 <= len(parts) <= 20 and None not in parts and _overlapping(list(parts.values()), along):
            return sorted(parts.values(), key=lambda part: min(along[index] for index in part))
    return None


def _overlapping(parts: list[list[int]], along: Sequence[float]) -> bool:
    ranges = sorted((min(along[index] for index in part), max(along[index] for index in part)) for part in parts)
    for part in parts:
        places = sorted(along[index] for index in part)
        if len(part) < 4 or any(after - before < 1e-3 for before, after in pairwise(places)):
            return False
    overlaps = []
    for (start, stop), (start_next, stop_next) in pairwise(ranges):
        if not (start < start_next and stop < stop_next):
            return False
        overlaps.append((stop - start_next) / min(stop - start, stop_next - start_next))
    return min(overlaps) > 0 and max(overlaps) < 0.5
