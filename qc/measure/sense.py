"""Whether a radiograph shows as its negative: unattenuated beam is dark on a display, bone is bright."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Corners:
    """What stands in the four corners of a radiograph.

    Attributes
    ----------
    dark, bright
        How many corners hold the darkest, the brightest values of the image (four fifths of their pixels).
    """

    dark: int
    bright: int

    @property
    def inverted(self) -> bool:
        """Two bright corners or more, and more than dark ones."""
        return self.bright >= 2 and self.bright > self.dark


def corners(shown: Floats, near: float = 0.12, size: float = 0.06) -> Corners | None:
    """Tell what stands in the corners of an image as it is displayed (white is high).

    The beam that passes beside the patient reaches the corners and makes one end of the range there: the dark end on a display.
    Collimation may be white, but it is cut along straight lines: rows and columns at the rim that hold a single level (90 % of them)
    are cut off first. Collimation that lies askew is not recognised: do not ask for extremities.

    Parameters
    ----------
    shown
        (rows, columns), a sample of some 128 x 128 is enough.
    near
        Share of the range from the 1st to the 99th percentile that counts as the end of it.
    size
        Side of a corner as a share of the image.

    Returns
    -------
    None for constant images, and where nothing is left inside the borders. A bright disc on black gives 4 dark corners, its negative
    4 bright ones.
    """
    low, high = (float(value) for value in np.percentile(shown, [1, 99]))
    if high <= low:
        return None
    level = (shown - low) / (high - low)
    ends = _cut(np.where(level < near, -1, np.where(level > 1 - near, 1, 0)))
    rows, columns = ends.shape
    if min(rows, columns) < 16:
        return None
    r, c = max(2, round(size * rows)), max(2, round(size * columns))
    squares = [ends[:r, :c], ends[:r, -c:], ends[-r:, :c], ends[-r:, -c:]]
    return Corners(*(sum(bool(np.mean(square == end) >= 0.8) for square in squares) for end in (-1, 1)))


def _cut(ends: NDArray[Any], whole: float = 0.9) -> NDArray[Any]:
    """Cut off rows and columns at the rim that lie at one end of the range."""
    for _ in range(4):
        before = ends.shape
        for turn in range(4):
            turned = np.rot90(ends, turn)
            full = (np.abs(turned.mean(axis=1)) >= whole) if turned.size else np.zeros(0, bool)
            count = int(np.argmin(full)) if not full.all() else len(full)
            ends = np.rot90(turned[count:], -turn)
        if ends.shape == before:
            break
    return ends
