"""The shadow of an inclined plate in a slice: a dark trapezoid on a smooth signal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qc.measure.fit import least_squares, linear
from qc.measure.profile import trapezoid
from qc.measure.roi import Floats


@dataclass(frozen=True)
class Shadow:
    """A dark stretch of a profile: length at half depth and its standard uncertainty, middle, slopes in mm; depth as a part of the signal."""

    length: float
    uncertainty: float
    center: float
    slope: float
    depth: float
    fitted: Floats


def shadow(x: Floats, signal: Floats, expected_mm: float, correlated: float = 1.0) -> Shadow | None:
    """Fit signal = (cubic in x) (1 - depth trapezoid).

    Parameters
    ----------
    x, signal
        (n,) mm, and the mean of some rows.
    expected_mm
        First guess of the length.
    correlated
        Samples that carry the information of one.

    Returns
    -------
    None where nothing is darker by at least 4 times the noise. A plate inclined by 11.3 degrees under a slice of 5 mm is 25 mm long.
    """
    reach = float(np.abs(x).max())
    basis = np.stack([(x / reach) ** power for power in range(4)], axis=1)
    outside = np.abs(x) > 0.9 * expected_mm
    if outside.sum() < 12:
        return None
    smooth = basis @ linear(basis[outside], signal[outside])
    if (smooth <= 0).any():
        return None
    dip = 1 - signal / smooth
    inner = np.abs(x) < 0.9 * expected_mm
    depth = float(np.percentile(dip[inner], 80))
    noise = float(np.std(dip[outside]))
    if depth < 4 * noise or depth < 0.03:
        return None
    center = float(np.average(x[inner], weights=np.clip(dip[inner], 0, None)))
    start = np.concatenate([[center, expected_mm, 0.3 * expected_mm, depth], linear(basis, smooth)])
    scale = np.concatenate([[1.0, 1.0, 1.0, depth], np.full(4, float(np.mean(smooth)))])

    def model(p: Floats) -> Floats:
        return np.asarray((basis @ p[4:]) * (1 - p[3] * trapezoid(x, p[0], abs(p[1]), abs(p[2]))))

    fit = least_squares(model, signal, start, scale, correlated)
    length, slope, deep = abs(float(fit.values[1])), abs(float(fit.values[2])), float(fit.values[3])
    if deep <= 0 or abs(fit.values[0]) > reach or not 0.1 * expected_mm < length < 2 * reach:
        return None
    return Shadow(length, float(fit.uncertainties[1]), float(fit.values[0]), slope, deep, model(fit.values))


def thickness_of_two(one: float, other: float, angle_deg: float) -> float:
    """Return the slice thickness from two plates inclined against each other, whatever the tilt of the phantom.

    ``angle_deg`` is that of each plate with the slice. The lengths are t cos(tilt') / sin(angle + tilt) and likewise with -tilt; the
    thickness follows from both without knowing the tilt. Worked numbers: 25.02 and 25.02 mm at 11.3 degrees give 5.00 mm.
    """
    between = np.deg2rad(180.0 - 2 * angle_deg)
    cosine = float(np.cos(between))
    root = float(np.sqrt(cosine**2 * (one - other) ** 2 + 4 * one * other))
    return (root + (one + other) * cosine) / (2 * float(np.sin(between)))
