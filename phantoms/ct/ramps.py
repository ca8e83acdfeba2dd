"""The four wire ramps of the CTP404 and CTP732 modules: where the slice lies, its tilt and its thickness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phantoms.ct.models import RAMP_ANGLE_DEG, RAMP_DISTANCE_MM
from phantoms.ct.pose import Pose
from phantoms.ct.stack import Stack
from qc.measure.width import width_at_half

TAN = float(np.tan(np.deg2rad(RAMP_ANGLE_DEG)))
REACH_MM = 21.0  # of a wire on either side of its middle
STEP_MM = 0.1
SIDES = {"top": -90.0, "right": 0.0, "bottom": 90.0, "left": 180.0}
LEAST_SIGNAL = 6.0  # of a wire over the noise of its profile

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Wire:
    """The picture of one wire in one image.

    Attributes
    ----------
    along_mm
        Place of its middle along the ramp, clockwise.
    length_mm
        Full width at half maximum along the ramp.
    width_mm
        Full width at half maximum across: wire and blur.
    profile
        (places in mm, HU) along the ramp, background removed.
    ends
        (row, col) of both ends of the profile.
    """

    side: str
    along_mm: float
    length_mm: float
    width_mm: float
    signal_to_noise: float
    profile: tuple[Floats, Floats]
    ends: tuple[tuple[float, float], tuple[float, float]]


def read(image: NDArray[Any], pose: Pose, side: str, spacing_mm: tuple[float, float]) -> Wire | None:
    """Measure the wire of one side of the phantom; None where none is seen."""
    from scipy import ndimage

    along = np.arange(-REACH_MM, REACH_MM + STEP_MM / 2, STEP_MM)
    across = np.arange(-4.0, 4.01, 0.25)
    angle = np.deg2rad(SIDES[side])
    radial, tangent = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    x = (RAMP_DISTANCE_MM + across)[:, None] * radial[0] + along * tangent[0]
    y = (RAMP_DISTANCE_MM + across)[:, None] * radial[1] + along * tangent[1]
    turn = np.deg2rad(pose.roll_deg)
    x = -x if pose.mirrored else x
    rows = pose.center[0] + (x * np.sin(turn) + y * np.cos(turn)) / spacing_mm[0]
    columns = pose.center[1] + (x * np.cos(turn) - y * np.sin(turn)) / spacing_mm[1]
    low = np.floor([rows.min() - 6, columns.min() - 6]).astype(int)
    high = np.ceil([rows.max() + 7, columns.max() + 7]).astype(int)
    if low.min() < 0 or high[0] > image.shape[0] or high[1] > image.shape[1]:
        return None
    part = np.asarray(image[low[0] : high[0], low[1] : high[1]], float)
    strip = ndimage.map_coordinates(part, [rows - low[0], columns - low[1]], order=3, mode="nearest")
    strip = strip - np.median(strip)
    line = int(ndimage.gaussian_filter1d(np.maximum(strip, 0), 2, axis=0).max(axis=1).argmax())
    if not 4 <= line < len(across) - 4:
        return None
    profile = strip[line - 3 : line + 4].mean(axis=0)
    rest = np.concatenate([strip[: max(line - 8, 0)], strip[line + 9 :]])
    quiet = ndimage.uniform_filter1d(rest, 7, axis=0)
    noise = 1.4826 * float(np.median(np.abs(quiet - np.median(quiet))))
    smooth = ndimage.gaussian_filter1d(profile, 4)
    peak = int(smooth.argmax())
    if smooth[peak] < LEAST_SIGNAL * noise or smooth[peak] < 15.0:
        return None
    outside = np.abs(along - along[peak]) > 12.0
    profile = profile - (float(np.median(profile[outside])) if outside.sum() > 50 else 0.0)
    found = width_at_half(along, ndimage.gaussian_filter1d(profile, 2), peak)
    window = np.abs(along - along[peak]) < 1.5
    cross = width_at_half(across, strip[:, window].mean(axis=1), line)
    if found is None or cross is None:
        return None
    ends = tuple((float(rows[line, at]), float(columns[line, at])) for at in (0, -1))
    ratio = float(smooth[peak] / noise) if noise > 0 else 1e6
    return Wire(side, found.center, found.width, cross.width, ratio, (along, profile), ends)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Origin:
    """Where the middle of the module lies, from its wires."""

    origin_mm: float
    tilt_deg: tuple[float, float]
    slope: float
    rms_mm: float


def origin(stack: Stack, pose: Pose, near_mm: float, half_mm: float) -> Origin | None:
    """Fit the place of the module and its tilt to the wires of the slices around.

    A wire stands at ``s = (z - z0) / tan 23 deg``, clockwise or anti-clockwise for all four; a tilt moves z0 with the place of
    the wire. None where fewer than six wires fit within 1.5 mm (along z 0.6 mm).
    """
    indices = stack.within(near_mm - half_mm + 2.5, near_mm + half_mm - 2.5)
    if len(indices) > 9:
        indices = [indices[int(at)] for at in np.linspace(0, len(indices) - 1, 9)]
    rows = []
    for index in indices:
        for side in SIDES:
            wire = read(stack.slice(index), pose, side, stack.spacing_mm)
            if wire is not None and abs(wire.along_mm) < REACH_MM - 2:
                angle = np.deg2rad(SIDES[side])
                rows.append((stack.z_mm[index], wire.along_mm, RAMP_DISTANCE_MM * np.cos(angle), RAMP_DISTANCE_MM * np.sin(angle)))
    if len(rows) < 6:
        return None
    z, s, x, y = np.array(rows).T
    best: Origin | None = None
    for sign in (1.0, -1.0):
        fitted = _fit(z - sign * TAN * s, x, y, pose)
        if fitted and (best is None or fitted.rms_mm < best.rms_mm):
            best = Origin(fitted.origin_mm, fitted.tilt_deg, sign / TAN, fitted.rms_mm)
    return best if best and best.rms_mm < 0.6 else None


def _fit(z0: Floats, x: Floats, y: Floats, pose: Pose) -> Origin | None:
    keep = np.ones(len(z0), bool)
    for _ in range(3):
        columns = [np.ones(keep.sum())]
        spread = [np.ptp(x[keep]) > 40, np.ptp(y[keep]) > 40]
        columns += [axis[keep] for axis, use in zip((x, y), spread, strict=True) if use]
        solution = np.linalg.lstsq(np.column_stack(columns), z0[keep], rcond=None)[0]
        full = [solution[0], 0.0, 0.0]
        for axis, value in zip([at for at in (1, 2) if spread[at - 1]], solution[1:], strict=True):
            full[axis] = value
        off = z0 - (full[0] + full[1] * x + full[2] * y)
        limit = max(0.4, 3 * 1.4826 * float(np.median(np.abs(off[keep]))))
        keep = np.abs(off) <= limit
        if keep.sum() < max(6, 0.6 * len(z0)):
            return None
    turn = np.deg2rad(pose.roll_deg)
    gx = -full[1] if pose.mirrored else full[1]
    right, down = gx * np.cos(turn) - full[2] * np.sin(turn), gx * np.sin(turn) + full[2] * np.cos(turn)
    tilt = (float(np.rad2deg(np.arctan(-right))), float(np.rad2deg(np.arctan(-down))))
    return Origin(float(full[0]), tilt, 0.0, float(np.sqrt(np.mean(off[keep] ** 2))))


def thickness_mm(wire: Wire) -> float:
    """Return the slice thickness that a wire shows: its length freed from the blur, times tan 23 degrees.

    The blur across the wire is the blur along it. A slice of rectangular sensitivity gives a box of length L blurred by it, whose
    width at half maximum stays L while L is over twice the blur and is inverted numerically below.
    Worked number: 2.5 mm slices show a wire of 5.89 mm; 5.89 x 0.4245 = 2.50 mm.
    """
    return TAN * unblurred(wire.length_mm, wire.width_mm)


def unblurred(length_mm: float, blur_mm: float) -> float:
    """Return the length of a box whose convolution with a Gaussian of that FWHM has the given FWHM."""
    from scipy.special import erf

    sigma = blur_mm / 2.3548
    if length_mm > 3.5 * blur_mm:
        return length_mm
    if length_mm <= 1.02 * blur_mm:
        return 0.0
    low, high = 0.0, length_mm
    for _ in range(50):
        box = 0.5 * (low + high)
        x = length_mm / 2
        k = sigma * np.sqrt(2)
        value = 0.5 * (erf((x + box / 2) / k) - erf((x - box / 2) / k))
        if value > 0.5 * erf(box / 2 / k):  # the blurred box of this length is wider than what was measured
            high = box
        else:
            low = box
    return 0.5 * (low + high)
