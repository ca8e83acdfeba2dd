"""How alike neighbouring slices are: odd ones, swapped ones, near copies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

SIDE = 20  # pixels a side of the small picture that is kept of a slice
TEXTURE = 256  # differences of neighbouring pixels that are kept of a slice


def thumbnail(image: NDArray[Any]) -> NDArray[np.float16]:
    """Return 20 x 20 means of 2 x 2 pixels, evenly spread, less their mean over their SD: 800 bytes that tell what a slice looks like.

    Zeros for a constant image.
    """
    rows = np.linspace(0, image.shape[0] - 2, SIDE).astype(int)
    columns = np.linspace(0, image.shape[1] - 2, SIDE).astype(int)
    strip = image.take(rows, 0).astype(np.float32) + image.take(rows + 1, 0)  # whole rows first: twice as fast as np.ix_
    total = strip.take(columns, 1) + strip.take(columns + 1, 1)
    spread = float(total.std())
    return ((total - total.mean()) / spread).astype(np.float16) if spread > 0 else np.zeros((SIDE, SIDE), np.float16)


def texture(image: NDArray[Any]) -> NDArray[np.float16] | None:
    """Return 256 differences of horizontally neighbouring pixels from the middle half of a slice, of unit power.

    Differences are clipped at three times their median, so that noise is most of them and not edges:
    two different slices give about 0 when multiplied, the same slice twice 1. None where fewer than a quarter
    of them differ from zero.
    """
    height, width = image.shape
    rows = np.linspace(height // 4, height - height // 4 - 1, 16).astype(int)
    columns = np.linspace(width // 4, width - width // 4 - 2, 16).astype(int)
    strip = image.take(rows, 0).astype(np.float32)
    flat = (strip.take(columns + 1, 1) - strip.take(columns, 1)).ravel()
    if np.count_nonzero(flat) < TEXTURE // 4:
        return None
    usual = float(np.median(np.abs(flat[flat != 0])))
    flat = np.clip(flat, -3 * usual, 3 * usual)
    power = float(np.sqrt(flat @ flat))
    kept: NDArray[np.float16] = (flat / power).astype(np.float16)
    return kept


@dataclass(frozen=True)
class Odd:
    """A slice that does not fit between its neighbours.

    Attributes
    ----------
    index
        Place in the stack.
    distance
        1 - correlation with its neighbours, the mean of both.
    ratio
        That over the distance of the neighbours from each other.
    """

    index: int
    distance: float
    ratio: float


def odd_slices(
    thumbnails: NDArray[np.floating[Any]], least_ratio: float = 4.0, least_distance: float = 0.02, of_series: float = 1.5
) -> list[Odd]:
    """Find slices less like their neighbours than those are like each other.

    In anatomy slice k lies between k - 1 and k + 1 in what it shows as in place, so it is nearer to each of them than they are to
    each other. Its distance over theirs is below 1, about 1 where noise is all; a foreign or damaged slice gives far more. It must
    also be `of_series` times the lower quartile of the distances of neighbours.

    Parameters
    ----------
    thumbnails
        (slices, pixels), each with mean 0 and SD 1, in order of position.

    Returns
    -------
    Worst first; of neighbours that are all odd (one bad slice raises both) only the worst.
    """
    count = len(thumbnails)
    if count < 5:
        return []
    pictures = np.asarray(thumbnails, np.float32).reshape(count, -1)
    one = 1 - np.mean(pictures[1:] * pictures[:-1], axis=1)
    two = 1 - np.mean(pictures[2:] * pictures[:-2], axis=1)
    usual = float(np.percentile(one, 25))  # of a short stack with two swapped slices, four steps of eleven are odd
    distance = (one[:-1] + one[1:]) / 2
    nearer = np.minimum(one[:-1], one[1:])
    ratio = nearer / np.maximum(two, 1e-6)
    hits = (ratio > least_ratio) & (distance > least_distance) & (nearer > of_series * usual)
    found = [Odd(int(k) + 1, float(distance[k]), float(ratio[k])) for k in np.flatnonzero(hits)]
    found.sort(key=lambda odd: -odd.ratio)
    kept: list[Odd] = []
    for odd in found:
        if all(abs(odd.index - other.index) > 1 for other in kept):
            kept.append(odd)
    return kept


@dataclass(frozen=True)
class Exchange:
    """The slice with which an odd one would best change places.

    Attributes
    ----------
    index
        The other slice.
    before, after
        Sum of both slices' distances (1 - correlation with their neighbours), as they stand and changed.
    fits
        Distance that the other one would have at the place of the odd one, over that of the odd one.
    """

    index: int
    before: float
    after: float
    fits: float


def best_exchange(thumbnails: NDArray[np.floating[Any]], index: int) -> Exchange | None:
    """Return with which slice an odd one fits best when both change places; neighbours up to two away are left out.

    Two slices that were swapped fit after the exchange as all others do; a foreign slice fits nowhere.
    """
    pictures = np.asarray(thumbnails, np.float32).reshape(len(thumbnails), -1)
    count = len(pictures)

    def distances(picture: NDArray[Any], place: int) -> float:
        around = [k for k in (place - 1, place + 1) if 0 <= k < count]
        return float(np.mean([1 - np.mean(picture * pictures[k]) for k in around]))

    here = distances(pictures[index], index)
    best: Exchange | None = None
    for other in range(count):
        if abs(other - index) <= 2:
            continue
        before = here + distances(pictures[other], other)
        there = distances(pictures[other], index)
        after = distances(pictures[index], other) + there
        if best is None or after - before < best.after - best.before:
            best = Exchange(other, before, after, there / here if here > 0 else 1.0)
    return best


def near_copies(textures: NDArray[np.floating[Any]], least: float = 0.998, block: int = 512) -> list[tuple[int, int, float]]:
    """Return pairs of slices whose fine structure is the same although they are not equal.

    Parameters
    ----------
    textures
        (slices, 256) of unit power; rows of zeros stand for slices without texture.

    Returns
    -------
    (one, other, correlation), the first before the second; equal rows (exact copies) are left out.
    """
    rows = np.asarray(textures, np.float32)
    pairs = []
    for start in range(0, len(rows), block):
        alike = rows[start : start + block] @ rows.T
        for one, other in np.argwhere(alike > least):
            one = int(one) + start
            if one < other and not np.array_equal(rows[one], rows[other]):
                pairs.append((one, int(other), float(alike[one - start, other])))
    return pairs
