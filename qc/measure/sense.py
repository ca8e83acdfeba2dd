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
        How many corners hold the darkest, the brightest values of the image (four fifths of their pixels); bright ones only where they are flat.
    """

    dark: int
    bright: int

    @property
    def inverted(self) -> bool:
        """Two bright corners or more, and more than dark ones."""
        return self.bright >= 2 and self.bright > self.dark


def corners(shown: Floats, near: float = 0.12, size: float = 0.06, flat: float = 0.03) -> Corners | None:
    """Tell what stands in the corners of an image as it is displayed (white is high).

    The beam that passes beside the patient reaches the corners and makes one end of the range there: the dark end on a display. It is
    flat. Where the field is cut so narrow that the corners lie in the abdomen or the shoulders, they may be as bright, but not flat.
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
    flat
        Share of the range within which nine tenths of a bright corner lie.

    Returns
    -------
    None for constant images, and where nothing is left inside the borders. A bright disc on black gives 4 dark corners, its negative
    4 bright ones.
    """
    low, high = (float(value) for value in np.percentile(shown, [1, 99]))
    if high <= low:
        return None
    level = _cut((shown - low) / (high - low), near)
    rows, columns = level.shape
    if min(rows, columns) < 16:
        return None
    r, c = max(2, round(size * rows)), max(2, round(size * columns))
    squares = [level[:r, :c], level[:r, -c:], level[-r:, :c], level[-r:, -c:]]
    dark = sum(bool(np.mean(square < near) >= 0.8) for square in squares)
    bright = sum(bool(np.mean(square > 1 - near) >= 0.8 and np.ptp(np.percentile(square, [5, 95])) < flat) for square in squares)
    return Corners(dark, bright)


def _cut(level: Floats, near: float, whole: float = 0.9) -> Floats:
    """Cut off rows and columns at the rim that lie at one end of the range."""
    for _ in range(4):
        before = level.shape
        for turn in range(4):
            turned = np.rot90(level, turn)
            full = np.maximum((turned < near).mean(axis=1), (turned > 1 - near).mean(axis=1)) >= whole if turned.size else np.zeros(0, bool)
            count = int(np.argmin(full)) if not full.all() else len(full)
            level = np.rot90(turned[count:], -turn)
        if level.shape == before:
            break
    return level
