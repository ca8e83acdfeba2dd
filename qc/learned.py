"""Limits learned from what a device gave before: for measures of patient images, which have no limits of their own.

A device, a protocol and a part of the body make one history. Until it holds 20 studies nothing is said. After that a value is unusual
where it lies farther from the median than anything did before and than four robust standard deviations; it is a warning and never
more, because a rule of thumb is no measurement of harm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FEWEST = 20
REACH = 4.0  # robust SDs
MAD_TO_SD = 1.4826
# metric -> the direction in which a value is bad; those named here are compared with the device's own history
LEARNED = {
    "ct.noise_level": "both",
    "ct.noise_estimate": "both",
    "mr.noise_estimate": "both",
    "mr.snr_estimate": "low",
    "mr.snr_air": "low",
    "mr.efc": "high",
    "mr.fber": "low",
    "mr.cjv": "high",
    "mr.cnr": "low",
    "mr.ghost": "high",
    "mr.side_shading": "high",
    "image.edge_width": "both",
    "image.fine_structure": "both",
    "ct.air": "both",
    "ct.patient_ring": "high",
    "stack.tsnr": "low",
    "stack.dvars": "high",
    "dx.exposure_index": "both",
    "nm.counts": "low",
    "nm.count_density": "low",
    "pet.suv_object": "both",
    "mg.air_spread": "high",
}


@dataclass(frozen=True)
class Learned:
    """What a history says is usual.

    Attributes
    ----------
    count
        Studies in it.
    median
        Their median.
    p5, p95
        5th and 95th percentile.
    low, high
        Beyond these a value is unusual.
    """

    count: int
    median: float
    p5: float
    p95: float
    low: float
    high: float

    def unusual(self, value: float, bad: str = "both") -> bool:
        """Tell whether a value is unusual in the direction that is bad (``low``, ``high`` or ``both``). A value at a limit is inside."""
        return (value < self.low and bad in ("low", "both")) or (value > self.high and bad in ("high", "both"))


def learn(values: Sequence[float], fewest: int = FEWEST, reach: float = REACH) -> Learned | None:
    """Return the limits of a history, one value a study; None while it holds fewer than `fewest`.

    The limits are the median plus and minus `reach` robust SDs (1.4826 MAD), widened to the extremes of the middle 98 % and to 5 % of
    the median: a history of equal values would otherwise call the next rounding unusual. 100 normal values of mean 10 and SD 1 give
    about 6 and 14.
    """
    known = np.asarray([one for one in values if np.isfinite(one)], float)
    if len(known) < fewest:
        return None
    median = float(np.median(known))
    spread = MAD_TO_SD * float(np.median(np.abs(known - median)))
    p1, p5, p95, p99 = (float(one) for one in np.percentile(known, [1, 5, 95, 99]))
    away = max(reach * spread, 0.05 * abs(median))
    return Learned(len(known), median, p5, p95, min(median - away, p1), max(median + away, p99))
