"""The baseline of a chart: what the values did while everything was known to be in order, frozen as a few numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qc.errors import ConfigurationError

Array = NDArray[np.float64]

ENOUGH = 20  # points of a baseline
LEAST = 10  # points of a provisional one
D2 = 1.128  # mean range of two values over their SD
MEDIAN_D2 = 0.954  # median range of two values over their SD
AUTOCORRELATED = 0.3  # above it the residuals of an AR(1) model are charted
TRANSFORMS = {"none": "as measured", "log": "logarithm", "logit": "logit of the percentage"}
_SKEWED = 1.0


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a chart compares with.

    Attributes
    ----------
    centre, sd
        Mean and standard deviation of the charted quantity (the transformed value; with `rho`, `sd` is that of the AR(1) residuals).
    n
        Number of points it was made of; None: mean and SD are known.
    transform
        ``none``, ``log`` or ``logit`` (of a percentage).
    rho
        Correlation of one point with the next that is taken out; 0: none.
    mean_range
        Mean moving range of the points, in the charted quantity.
    """

    centre: float
    sd: float
    n: int | None = None
    transform: str = "none"
    rho: float = 0.0
    mean_range: float | None = None

    @property
    def provisional(self) -> bool:
        """Tell whether it rests on too few points to raise an alarm."""
        return self.n is not None and self.n < ENOUGH

    def standardise(self, values: ArrayLike) -> Array:
        """Return values as distances from the centre in SD; of an autocorrelated series the AR(1) residuals.

        Parameters
        ----------
        values
            (..., points), in order of time.

        >>> Baseline(100.0, 2.0).standardise([100.0, 104.0]).tolist()
        [0.0, 2.0]
        """
        away = transformed(values, self.transform) - self.centre
        return _residuals(away, self.rho) / self.sd

    def limits(self, distance: float = 3.0) -> tuple[float, float]:
        """Return the values at this many SD below and above the centre, in the unit of measurement.

        Of an autocorrelated series the SD of the values themselves counts, which is larger than that of the residuals.

        >>> Baseline(100.0, 2.0).limits()
        (94.0, 106.0)
        """
        away = distance * self.sd / math.sqrt(1 - self.rho * self.rho)
        low, high = back([self.centre - away, self.centre + away], self.transform)
        return float(low), float(high)

    def plain(self) -> dict[str, Any]:
        """Return it as plain values, as it is stored."""
        return asdict(self)


def estimate(values: ArrayLike, transform: str = "none", *, robust: bool = False) -> Baseline:
    """Return the baseline of values that were in order, by their mean moving range: SD = MR / 1.128, so that limits are x ± 2.660 MR.

    The moving range hardly feels a slow drift inside the baseline, which would widen the limits of an ordinary SD. Where one value
    follows from the one before (correlation above 0.3, and more than chance gives for so few points), it is taken out first.

    Parameters
    ----------
    values
        In order of time, at least `LEAST`.
    robust
        Use the median of the moving ranges (SD = median MR / 0.954) and of the values: one wild point changes little.

    Raises
    ------
    ConfigurationError
        If there are too few values, they do not vary, or the transform cannot take them.

    Examples
    --------
    >>> made = estimate([99.0, 101.0] * 10)
    >>> made.centre, made.mean_range, [round(limit, 2) for limit in made.limits()]
    (100.0, 2.0, [94.68, 105.32])
    """
    x = transformed(values, transform)
    if x.size < LEAST:
        raise ConfigurationError(f"a baseline needs at least {LEAST} points, better {ENOUGH}; there are {x.size}")
    middle = np.median if robust else np.mean
    centre = float(middle(x))
    rho = correlation(x)
    e = _residuals(x - centre, rho)[1:] if rho else x - centre
    ranges = np.abs(np.diff(e))
    width = float(middle(ranges))
    sd = width / (MEDIAN_D2 if robust else D2)
    if not sd > 1e-12 * max(1.0, abs(centre)):
        raise ConfigurationError(
            "the values of the baseline do not vary (all the same, or rounded to a few steps): no chart can be made of them"
        )
    return Baseline(centre, sd, int(x.size), transform, rho, float(np.mean(np.abs(np.diff(x)))))


def correlation(values: Sequence[float] | Array) -> float:
    """Return the correlation of each value with the next, or 0 where it is not above 0.3 or could be chance.

    Chance gives up to 2 / sqrt(n) (Bartlett). A negative correlation is no lasting memory of the device but mostly chance or two alternating
    set-ups; it is not taken out.
    """
    x = np.asarray(values, float)
    away = x - x.mean()
    power = float(away @ away)
    if x.size < ENOUGH or not power:
        return 0.0
    rho = float(away[1:] @ away[:-1]) / power
    return rho if rho > max(AUTOCORRELATED, 2 / math.sqrt(x.size)) else 0.0


def suggest(values: ArrayLike, unit: str = "1") -> str:
    """Return the transform that makes values less skewed: log for a long upper tail, logit for percentages just under 100, else none."""
    x = np.asarray(values, float)
    if x.size < LEAST or x.std() == 0:
        return "none"
    wanted = ""
    if unit == "%" and x.min() > 80 and x.max() < 100 and skewness(x) < -_SKEWED:
        wanted = "logit"
    elif x.min() > 0 and skewness(x) > _SKEWED:
        wanted = "log"
    return wanted if wanted and abs(skewness(transformed(x, wanted))) < abs(skewness(x)) else "none"


def skewness(values: ArrayLike) -> float:
    """Return the third standardised moment."""
    x = np.asarray(values, float)
    away = (x - x.mean()) / x.std()
    return float((away**3).mean())


def transformed(values: ArrayLike, transform: str) -> Array:
    """Return the charted quantity of measured values.

    Raises
    ------
    ConfigurationError
        If there is no such transform, or it cannot take one of the values.
    """
    x = np.asarray(values, float)
    if transform == "none":
        return x
    if transform == "log":
        if not (x > 0).all():
            raise ConfigurationError("the logarithm needs values above 0")
        return np.log(x)
    if transform == "logit":
        if not ((x > 0) & (x < 100)).all():
            raise ConfigurationError("the logit needs percentages above 0 and below 100")
        return np.log(x / (100 - x))
    raise ConfigurationError(f"transform is {transform!r}; allowed are {', '.join(TRANSFORMS)}")


def takes(value: float, transform: str) -> bool:
    """Tell whether a transform can take a value."""
    return transform == "none" or (value > 0 and (transform == "log" or value < 100))


def back(values: ArrayLike, transform: str) -> Array:
    """Return measured values of a charted quantity."""
    x = np.asarray(values, float)
    if transform == "log":
        return np.exp(x)
    return 100 / (1 + np.exp(-x)) if transform == "logit" else x


def _residuals(away: Array, rho: float) -> Array:
    """Return what each value adds to what the one before leads to expect; the first stands for itself, in the scale of the others."""
    if not rho:
        return away
    out = away.copy()
    out[..., 1:] -= rho * away[..., :-1]
    out[..., :1] *= math.sqrt(1 - rho * rho)
    return out
