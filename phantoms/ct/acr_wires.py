"""Wires of ACR module 1: each stands 0.5 mm higher than its neighbour, so a slice shows as many as it is thick."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from phantoms.ct.metrics import THICKNESS
from phantoms.ct.pose import Pose
from phantoms.ct.regions import facts
from qc.measure.width import width_at_half
from qc.picture import picture
from qc.results import CurveEvidence, Result, Shape, Subject

if TYPE_CHECKING:
    from phantoms.ct.locate import Located

STEP_MM = 0.5  # along z, from wire to wire
PATCH_MM = (24.0, 18.0)  # half width and half height of the area that is searched
PLACE_MM = 70.0
FEWEST_WIRES = 3


@dataclass(frozen=True)
class Wires:
    """A row of wires.

    Attributes
    ----------
    places_mm, signal
        Place along the row and strength of each wire.
    pitch_mm
        Distance of neighbours along the row.
    width
        Half-maximum width of the envelope, in wires.
    count
        Wires over half of the strength of the strongest.
    """

    places_mm: NDArray[np.float64]
    signal: NDArray[np.float64]
    pitch_mm: float
    width: float
    count: int
    ends: tuple[tuple[float, float], tuple[float, float]]


def read(image: NDArray[Any], pose: Pose, angle_deg: float, spacing_mm: tuple[float, float]) -> Wires | None:
    """Read the row of wires at the top or the bottom of module 1; None where there is no regular row."""
    from scipy import ndimage

    step = 0.1
    u = np.arange(-PATCH_MM[0], PATCH_MM[0] + step / 2, step)
    v = np.arange(-PATCH_MM[1], PATCH_MM[1] + step / 2, 0.2)
    angle = np.deg2rad(angle_deg)
    radial, tangent = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    x = (PLACE_MM + v)[:, None] * radial[0] + u * tangent[0]
    y = (PLACE_MM + v)[:, None] * radial[1] + u * tangent[1]
    x = -x if pose.mirrored else x
    turn = np.deg2rad(pose.roll_deg)
    rows = pose.center[0] + (x * np.sin(turn) + y * np.cos(turn)) / spacing_mm[0]
    columns = pose.center[1] + (x * np.cos(turn) - y * np.sin(turn)) / spacing_mm[1]
    patch = ndimage.map_coordinates(np.asarray(image, float), [rows, columns], order=3, mode="nearest")
    patch = patch - np.median(patch)
    noise = 1.4826 * float(np.median(np.abs(patch)))
    best: Wires | None = None
    for axis, along, across in ((0, u, v), (1, v, u)):
        sheet = patch if axis == 0 else patch.T
        line = int(ndimage.gaussian_filter(np.maximum(sheet, 0), (3, 0)).sum(axis=1).argmax())
        band = max(2, round(1.0 / float(across[1] - across[0])))
        profile = sheet[max(0, line - band) : line + band + 1].mean(axis=0)
        found = _row(along, profile, noise)
        if found is None:
            continue
        places = np.array([found[0][0], found[0][-1]])
        ends = []
        for place in places:
            at = int(np.abs(along - place).argmin())
            where = (line, at) if axis == 0 else (at, line)
            ends.append((float(rows[where]), float(columns[where])))
        row = Wires(*found, (ends[0], ends[1]))
        if best is None or row.signal.max() > best.signal.max():
            best = row
    return best


def _row(
    along: NDArray[np.float64], profile: NDArray[np.float64], noise: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], float, float, int] | None:
    """Regular peaks of a profile: places, strengths, pitch, width of the envelope in wires, wires over half."""
    from scipy import ndimage
    from scipy.signal import find_peaks

    step = float(along[1] - along[0])
    smooth = ndimage.gaussian_filter1d(profile, 0.3 / step)
    top = float(smooth.max())
    if top < max(10.0, 2.5 * noise):
        return None
    peaks, _ = find_peaks(smooth, height=0.3 * top, prominence=0.15 * top)
    if len(peaks) < FEWEST_WIRES:
        return None
    gaps = np.diff(along[peaks])
    pitch = float(np.median(gaps))
    number = np.round((along[peaks] - along[peaks[0]]) / pitch)
    if np.abs(gaps / pitch - np.round(gaps / pitch)).max() > 0.25 or pitch < 0.8:
        return None
    slope, start = np.polyfit(number, along[peaks], 1)
    first = int(np.ceil((along[0] + slope / 2 - start) / slope))
    last = int(np.floor((along[-1] - slope / 2 - start) / slope))
    places = start + slope * np.arange(first, last + 1)
    background = np.median(profile[profile < 0.2 * top]) if (profile < 0.2 * top).sum() > 20 else 0.0
    signal = np.array([(profile[np.abs(along - place) <= slope / 2] - background).sum() * step for place in places])
    found = width_at_half(np.arange(len(signal), dtype=float), signal)
    if found is None:
        return None
    return places, signal, float(slope), found.width, int((signal > 0.5 * signal.max()).sum())


def thickness(located: Located, subject: Subject) -> Iterator[Result]:
    """Thickness from the wires at the top and the bottom of module 1, mean over the slices in the module."""
    stack, module = located.stack, located.module("inserts")
    near = stack.within(located.origin_mm - 6.0, located.origin_mm + 6.0)[:9] or module.indices[:1]
    common = facts(located, near)
    sides: dict[str, float] = {}
    spread: list[float] = []
    curves, shapes = {}, []
    for side, angle in (("top", -90.0), ("bottom", 90.0)):
        rows = [found for index in near if (found := read(stack.slice(index), module.pose, angle, stack.spacing_mm)) is not None]
        if not rows:
            yield THICKNESS.missing("wire_not_found", subject, side, **common)
            continue
        values = [STEP_MM * row.width for row in rows]
        sides[side] = float(np.mean(values))
        spread.append(float(np.var(values, ddof=1)) / len(values) if len(values) > 1 else 0.0)
        middle = rows[len(rows) // 2]
        curves[side] = (middle.places_mm.tolist(), middle.signal.tolist())
        shapes.append(Shape("line", middle.ends, f"{side} {sides[side]:.2f} mm"))
        yield THICKNESS.value(sides[side], subject, side, wires_visible=middle.count, pitch_mm=middle.pitch_mm, **common)
    if not sides:
        yield THICKNESS.missing("wire_not_found", subject, "mean", **common)
        return
    shown = picture(
        stack.slice(near[len(near) // 2]), f"{located.model.title}: wires", shapes, stack.spacing_mm, stack.unit, window=(-100.0, 200.0)
    )
    curve = CurveEvidence("Signal of each wire", curves, "mm along the row", "HU mm")
    uncertainty = float(np.sqrt(sum(spread)) / len(sides))
    yield THICKNESS.value(float(np.mean(list(sides.values()))), subject, "mean", uncertainty=uncertainty, evidence=(shown, curve), **common)
