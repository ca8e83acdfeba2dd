"""The statistics that control charts plot, of standardised values (0: the centre, 1: one SD). All take (..., points)."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

LAMBDA, EWMA_LIMIT = 0.2, 2.962
K, H = 0.5, 5.0
RANGE_LIMIT = 3.267  # upper limit of the moving range over its mean


def moving_range(values: ArrayLike) -> Array:
    """Return the distance of each value from the one before; NaN for the first.

    >>> moving_range([1.0, 3.0, 2.0]).tolist()
    [nan, 2.0, 1.0]
    """
    x = np.asarray(values, float)
    out = np.full(x.shape, np.nan)
    out[..., 1:] = np.abs(np.diff(x, axis=-1))
    return out


def ewma(z: ArrayLike, smoothing: float = LAMBDA) -> Array:
    """Return the exponentially weighted moving average, begun at the centre: e = smoothing z + (1 - smoothing) e.

    >>> ewma([1.0, 1.0]).round(3).tolist()
    [0.2, 0.36]
    """
    from scipy.signal import lfilter

    out: Array = lfilter([smoothing], [1.0, smoothing - 1.0], np.asarray(z, float), axis=-1)
    return out


def ewma_limits(points: int, smoothing: float = LAMBDA, width: float = EWMA_LIMIT, baseline_n: int | None = None) -> Array:
    """Return how far the EWMA may lie from the centre at each point: narrow at first, since it begins at the centre.

    Parameters
    ----------
    baseline_n
        Points of the baseline; given: wider by what the centre itself is uncertain.

    >>> ewma_limits(100)[[0, -1]].round(4).tolist()
    [0.5924, 0.9873]
    """
    number = np.arange(1, points + 1)
    variance = smoothing / (2 - smoothing) * (1 - (1 - smoothing) ** (2 * number))
    return np.asarray(width * np.sqrt(variance + (1 / baseline_n if baseline_n else 0)))


def cusum(z: ArrayLike, k: float = K) -> tuple[Array, Array]:
    """Return the two tabular cumulative sums, upwards and downwards, each at least 0: C = max(0, C + z - k).

    >>> [one.tolist() for one in cusum([1.5, 1.5, -3.0])]
    [[1.0, 2.0, 0.0], [0.0, 0.0, 2.5]]
    """
    z = np.asarray(z, float)
    return _one_side(z, k), _one_side(-z, k)


def _one_side(z: Array, k: float) -> Array:
    total = np.cumsum(z - k, axis=-1)
    return np.asarray(total - np.minimum(np.minimum.accumulate(total, axis=-1), 0.0))


def of_last(flags: ArrayLike, number: int, window: int) -> Flags:
    """Tell at each point whether at least `number` of the last `window` points are flagged, this one among them."""
    flags = np.asarray(flags, bool)
    count = np.cumsum(flags, axis=-1)
    count[..., window:] = count[..., window:] - np.cumsum(flags, axis=-1)[..., :-window]
    return np.asarray(flags & (count >= number))


def western_electric(z: ArrayLike, rule: int, run: int = 8) -> tuple[Flags, Flags]:
    """Return where a Western Electric rule signals, above and below the centre.

    Parameters
    ----------
    rule
        1: one point beyond 3 SD. 2: two of three beyond 2 SD. 3: four of five beyond 1 SD. 4: `run` in a row on one side.
        All on the same side.
    run
        8 by Western Electric, 9 by Nelson.
    """
    z = np.asarray(z, float)
    number, window, limit = {1: (1, 1, 3.0), 2: (2, 3, 2.0), 3: (4, 5, 1.0), 4: (run, run, 0.0)}[rule]
    return of_last(z > limit, number, window), of_last(z < -limit, number, window)


def nelson(z: ArrayLike, rule: str) -> Flags:
    """Return where one of the further rules of Nelson signals: ``trend`` (6 in a row rising or falling), ``alternating`` (14),
    ``narrow`` (15 within 1 SD), ``wide`` (8 outside 1 SD, on either side).
    """
    z = np.asarray(z, float)
    step = np.zeros(z.shape)
    step[..., 1:] = np.sign(np.diff(z, axis=-1))
    if rule == "trend":
        return of_last(step > 0, 5, 5) | of_last(step < 0, 5, 5)
    if rule == "alternating":
        turns = np.zeros(z.shape, bool)
        turns[..., 1:] = step[..., 1:] * step[..., :-1] < 0
        return of_last(turns, 12, 12)
    if rule == "narrow":
        return of_last(np.abs(z) < 1, 15, 15)
    if rule == "wide":
        return of_last(np.abs(z) > 1, 8, 8)
    raise ValueError(f"there is no rule {rule!r}")


@cache
def student(baseline_n: int | None) -> float:
    """Return the factor by which limits widen because the SD comes from few points: Student's t in place of the normal distribution at 3 SD.

    The moving range of n points estimates an SD with some 0.62 (n - 1) degrees of freedom.

    >>> round(student(20), 2), student(None)
    (1.26, 1.0)
    """
    if baseline_n is None:
        return 1.0
    from scipy.stats import norm, t

    return float(t.ppf(norm.cdf(3.0), 0.62 * (baseline_n - 1))) / 3.0


def small_sample(baseline_n: int | None) -> float:
    """Return the factor by which limits of single points widen because SD and centre come from few points.

    >>> round(small_sample(20), 2), small_sample(None)
    (1.29, 1.0)
    """
    return student(baseline_n) * (math.sqrt(1 + 1 / baseline_n) if baseline_n else 1.0)
