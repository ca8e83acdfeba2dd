"""Shading of anatomy: does the signal fall from one side to the other?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


def side_to_side(image: Floats, least: float = 0.2, fewest_columns: int = 12) -> float | None:
    """Return the difference of the signal between the last and the first column of an object, over their mean.

    The object is what is brighter than a fifth of the 98th percentile. The logarithm of the median of each column (at least a
    tenth of the rows in the object) is fitted by a straight line, weighted by the pixels in it, so a few bright structures do not count and
    anything symmetric about the middle (a coil bright at the rim, dark ventricles) gives 0.

    Parameters
    ----------
    image
        (rows, columns), non-negative; a sample of 64 x 64 is enough.

    Returns
    -------
    2 tanh(s / 2) for a rise s of the logarithm over the object: -2 to 2, positive where the last column is brighter; None where
    the object has fewer than 12 columns. A disc under a field that rises linearly from 0.8 to 1.2 over it gives
    0.37 to 0.40: columns at its rim with few pixels are left out, and wide ones weigh more.
    """
    ordered = np.sort(image, axis=None)
    inside = image > least * float(ordered[int(0.98 * (len(ordered) - 1))])
    count = inside.sum(axis=0)
    use = np.flatnonzero(count >= max(4, 0.1 * image.shape[0]))
    if len(use) < fewest_columns:
        return None
    columns = np.sort(np.where(inside, image, np.inf)[:, use], axis=0)
    number = count[use]
    places = np.arange(len(use))
    medians = (columns[(number - 1) // 2, places] + columns[number // 2, places]) / 2
    along = (use - use[0]) / (use[-1] - use[0])
    slope = float(np.polyfit(along, np.log(medians), 1, w=np.sqrt(number))[0])
    return float(2 * np.tanh(slope / 2))
