"""Air round a round object: regions for noise and ghosts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qc.measure.roi import Floats


def corner_air(
    shape: tuple[int, ...], center: tuple[float, float], radius_mm: float, spacing_mm: tuple[float, float], margin_mm: float = 10.0
) -> NDArray[np.bool_]:
    """Return the air in the four corners, clear of the object, of its ghosts beside and above it, and of the border of the image.

    A pixel is out where its row or its column crosses the object (there ghosts lie), and within 3 % of the border.
    """
    rows = np.abs(np.arange(shape[0]) - center[0]) * spacing_mm[0]
    columns = np.abs(np.arange(shape[1]) - center[1]) * spacing_mm[1]
    border = [max(2, int(0.03 * side)) for side in shape[:2]]
    reach = radius_mm + margin_mm
    aside = radius_mm + 2.0
    far = (np.hypot(rows[:, None], columns[None, :]) > reach) & (rows[:, None] > aside) & (columns[None, :] > aside)
    far[: border[0]], far[shape[0] - border[0] :] = False, False
    far[:, : border[1]], far[:, shape[1] - border[1] :] = False, False
    return np.asarray(far)


def mean_square(image: Floats, air: NDArray[np.bool_]) -> float | None:
    """Return the mean of the squared air signal, 2 N sigma^2 for noise of N channels; None where it is masked to zero or too small."""
    values = np.asarray(image[air], float)
    if len(values) < 200 or float(np.mean(values == 0)) > 0.5:
        return None
    return float(np.mean(values**2))
