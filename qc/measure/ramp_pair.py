"""Two crossed ramps seen by the same slice: one fit for both, because the slice has only one profile.

A thickness test on noisy images stands and falls with how few numbers describe the ramps. Their profiles differ in place, length and
height, but not in shape: how much of the length is slope is the same for both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qc.measure.fit import least_squares
from qc.measure.profile import Plateau, trapezoid
from qc.measure.roi import Floats

FLOOR = 0.5  # of the height: how far below the top of a ramp a sample still loses weight


@dataclass(frozen=True)
class RampPair:
    """Both ramps at half of their height, from one fit.

    Attributes
    ----------
    lengths, centers, heights
        (2,) mm, mm, signal above the ground freed from noise.
    slope_share
        Length of one slope over the length of its ramp, the same for both.
    covariance
        (2, 2) of the lengths, mm2.
    """

    lengths: Floats
    centers: Floats
    heights: Floats
    slope_share: float
    covariance: Floats


def ramp_pair(
    x: Floats, squared: tuple[Floats, Floats], ground: float, starts: tuple[Plateau, Plateau], correlated: float = 1.0
) -> RampPair:
    """Fit two trapezoids of one shape to the squared signal along two ramps.

    Parameters
    ----------
    x
        (n,) mm.
    squared
        Twice (n,): mean of M^2 over the rows of the ramp, the mean of its own dark ground taken away.
    ground
        Signal of the dark ground beyond noise.
    starts
        What each ramp alone gives.
    correlated
        Samples that carry the information of one.

    Returns
    -------
    A slice of 5 mm on two ramps of 1:10 gives lengths of 50 mm.
    """
    data = np.concatenate(squared)
    share = float(np.mean([start.edge / max(start.fitted, 1e-6) for start in starts]))

    def signals(p: Floats) -> list[Floats]:
        return [p[4 + at] * trapezoid(x, p[at], abs(p[2 + at]), abs(p[6] * p[2 + at])) for at in (0, 1)]

    def model(p: Floats) -> Floats:
        return np.concatenate([(ground + signal) ** 2 - ground**2 for signal in signals(p)])

    heights = [max(start.height - start.ground, 1e-6) for start in starts]
    start = np.array([*(s.center for s in starts), *(s.fitted for s in starts), *heights, min(share, 0.9)])
    scale = np.array([1.0, 1.0, 1.0, 1.0, *heights, 0.1])
    # the noise of a squared signal grows with the signal; the weights must not depend on the noise, or the result would
    weight = np.concatenate([1 / np.hypot(ground + signal, FLOOR * height) for signal, height in zip(signals(start), heights, strict=True)])
    fit = least_squares(lambda p: weight * model(p), weight * data, start, scale, correlated)
    return RampPair(np.abs(fit.values[2:4]), fit.values[:2], fit.values[4:6], abs(float(fit.values[6])), fit.covariance[2:4, 2:4])
