"""Where the object leaves the field of view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Cut:
    """How much of the border of the reconstructed field lies in the body.

    Attributes
    ----------
    percent
        Of the border.
    round
        True where the field is a circle with padding outside, False where it fills the square.
    """

    percent: float
    round: bool


def cut_off(image: Floats, body: float, inside: int = 3, depth: int = 12, longest_run: float = 0.01) -> Cut:
    """Return how much of the border of the field of view lies in the body.

    The field is a circle where all four corners are one constant value, else the whole square. A pixel of the border belongs to the body
    where it and its neighbours along the border are above `body` over at least 1 % of the border, and so is the mean of what lies `depth` / 2
    to `depth` deeper: the walls of couches are thin, and so is the one that lies along the border.

    Parameters
    ----------
    body
        Level between air and body, e.g. -300 HU.
    inside
        The border is read so many pixels inside its edge.
    depth
        Pixels that the body is thick at least, e.g. 12 mm.

    Returns
    -------
    A disc whose edge is cut by a square field at two quarters of its border gives 50 %.
    """
    from scipy import ndimage

    height, width = image.shape
    corner = max(2, min(height, width) // 32)
    corners = np.concatenate([
        image[:corner, :corner].ravel(), image[:corner, -corner:].ravel(), image[-corner:, :corner].ravel(), image[-corner:, -corner:].ravel(),
    ])  # fmt: skip
    is_round = bool(corners.min() == corners.max())
    line = _circle if is_round else _square
    border = line(image, inside)
    deeper = np.mean([line(image, inside + step) for step in range(-(-depth // 2), depth + 1, 2)], axis=0)
    size = max(3, int(longest_run * len(border)) | 1)
    lit = ndimage.minimum_filter1d(((border > body) & (deeper > body)).astype(np.uint8), size, mode="wrap")
    lit = ndimage.maximum_filter1d(lit, size, mode="wrap")
    return Cut(100.0 * float(lit.mean()), is_round)


def _circle(image: Floats, inside: int) -> Floats:
    """Values along the circle that fits into the image, so many pixels inside it."""
    height, width = image.shape
    radius = min(height, width) / 2 - 0.5 - inside
    angles = np.arange(720) * (2 * np.pi / 720)
    rows = np.rint((height - 1) / 2 + radius * np.sin(angles)).astype(int)
    columns = np.rint((width - 1) / 2 + radius * np.cos(angles)).astype(int)
    values: Floats = image[rows, columns]
    return values


def _square(image: Floats, inside: int, at: int = 3) -> Floats:
    """Values along the four sides, so many pixels inside them, from `at` pixels from one corner to `at` from the next."""
    a, b, low, high = inside, -inside - 1, at, -at - 1
    return np.concatenate([image[a, low:high], image[low:high, b], image[b, high:low:-1], image[high:low:-1, a]])


def both_ends(image: Floats, level: float, axis: int, border: int = 2) -> float:
    """Return how much of the width of an object is lit at both ends of the field along an axis: wrapped round, or cut on both sides.

    The share of the lines along `axis` that hold the object and are above `level` in the mean of `border` pixels at both ends.
    """
    turned = image if axis == 0 else image.T
    first, last = turned[:border].mean(axis=0) > level, turned[-border:].mean(axis=0) > level
    holds = (turned > level).mean(axis=0) > 0.05
    return float((first & last & holds).sum() / holds.sum()) if holds.any() else 0.0
