"""How alike neighbouring slices are: odd ones, swapped ones, near copies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

SIDE = 20  # pixels a side of the small picture that is kept of a slice
SPOTS = 4  # rows and columns that are averaged for each of them
SUSPECTS = 40  # slices that are tried at all other places, the least fitting ones
TEXTURE = 256  # differences of neighbouring pixels that are kept of a slice


def thumbnail(image: NDArray[Any]) -> NDArray[np.float16]:
    """Return 20 x 20 means of 4 x 4 pixels spread evenly over each field, less their mean over their SD: 800 bytes that tell what a slice looks like.

    Means over the whole field, not of one spot in it, so that thin things (scalp, bone) do not appear and vanish from slice to slice.
    Zeros for a constant image.
    """
    rows, columns = (((np.arange(SIDE * SPOTS) + 0.5) * side / (SIDE * SPOTS)).astype(int).reshape(SIDE, SPOTS) for side in image.shape)
    # whole rows first, and sums of takes: three times as fast as np.ix_ or sums over an axis
    strip = sum((image.take(rows[:, k], 0).astype(np.float32) for k in range(1, SPOTS)), image.take(rows[:, 0], 0).astype(np.float32))
    total = sum((strip.take(columns[:, k], 1) for k in range(1, SPOTS)), strip.take(columns[:, 0], 1))
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
        The smaller of both over the farthest that the neighbours are from each other and from those beyond.
    """

    index: int
    distance: float
    ratio: float


def odd_slices(
    thumbnails: NDArray[np.floating[Any]], least_ratio: float = 2.5, least_distance: float = 0.02, of_series: float = 1.5
) -> list[Odd]:
    """Find slices less like their neighbours than those are like each other, and like the slices beyond them.

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
    one, two = _steps(pictures)
    usual = float(np.percentile(one, 25))  # of a short stack with two swapped slices, four steps of eleven are odd
    distance = (one[:-1] + one[1:]) / 2
    nearer = np.minimum(one[:-1], one[1:])
    beyond = np.maximum(np.append(0, one[:-2]), np.append(one[2:], 0))
    ratio = nearer / np.maximum(np.maximum(two, beyond), 1e-6)
    hits = (ratio > least_ratio) & (distance > least_distance) & (nearer > of_series * usual)
    found = [Odd(int(k) + 1, float(distance[k]), float(ratio[k])) for k in np.flatnonzero(hits)]
    found.sort(key=lambda odd: -odd.ratio)
    kept: list[Odd] = []
    for odd in found:
        if all(abs(odd.index - other.index) > 1 for other in kept):
            kept.append(odd)
    return kept


def _steps(pictures: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Distances (1 - correlation) of slices one apart, and two apart."""
    return 1 - np.mean(pictures[1:] * pictures[:-1], axis=1), 1 - np.mean(pictures[2:] * pictures[:-2], axis=1)


@dataclass(frozen=True)
class Exchange:
    """Two slices that stand at each other's place.

    Attributes
    ----------
    one, other
        Places in the stack.
    left
        Share of both slices' distances from their neighbours that is left when they change places.
    """

    one: int
    other: int
    left: float


def exchanges(thumbnails: NDArray[np.floating[Any]], most_left: float = 0.65, most_left_of_each: float = 0.85) -> list[Exchange]:
    """Find pairs of slices that fit far better where the other one is; those up to two apart are left out.

    One of the two at least must lie farther from its neighbours than they from each other, which no slice of a stack in order does. After
    the exchange the sum of their distances must be `most_left` of what it was, that at each place `most_left_of_each`, and both must fit
    as slices in order do. A foreign slice fits nowhere; in a body whose sides are alike, only pairs that fit badly where they are count.

    Parameters
    ----------
    thumbnails
        (slices, pixels), each with mean 0 and SD 1, in order of position.

    Returns
    -------
    Best first, each slice in one pair at most. The first and the last slice are not tried.
    """
    pictures = np.array(thumbnails, np.float32).reshape(len(thumbnails), -1)
    found: list[Exchange] = []
    while len(pictures) >= 7 and (pair := _best_exchange(pictures, most_left, most_left_of_each)):
        if {pair.one, pair.other} & {place for other in found for place in (other.one, other.other)}:
            break
        found.append(pair)
        pictures[[pair.one, pair.other]] = pictures[
            [pair.other, pair.one]
        ]  # in order again: what is beside them is judged beside the right ones
    return found


def _best_exchange(pictures: NDArray[Any], most_left: float, most_left_of_each: float) -> Exchange | None:
    """The pair of which the least is left, if any is left as little as demanded."""
    one, two = _steps(pictures)
    own = (one[:-1] + one[1:]) / 2
    suspects = np.argsort(-own / np.maximum(two, 1e-6), kind="stable")[:SUSPECTS]
    suspects = suspects[own[suspects] > two[suspects]]
    if not len(suspects):
        return None
    inner, around = pictures[1:-1], (pictures[:-2] + pictures[2:]) / (2 * pictures.shape[1])
    away = 1 - inner[suspects] @ around.T  # of a suspect at the other's place
    here = 1 - around[suspects] @ inner.T  # of the other at the suspect's place
    limit = np.minimum(most_left_of_each * own, two)
    fits = (away < limit) & (here < limit[suspects][:, None])
    fits &= np.abs(suspects[:, None] - np.arange(len(inner))) > 2
    left = np.where(fits, (away + here) / np.maximum(own[suspects][:, None] + own, 1e-6), np.inf)
    at, other = np.unravel_index(int(np.argmin(left)), left.shape)
    first, second = sorted((int(suspects[at]) + 1, int(other) + 1))
    return Exchange(first, second, float(left.min())) if left.min() < most_left else None


def near_copies(
    textures: NDArray[np.floating[Any]], least: float = 0.98, of_usual: float = 0.1, block: int = 512
) -> list[tuple[int, int, float]]:
    """Return pairs of slices whose fine structure is the same although they are not equal.

    What is left to a correlation of 1 must be `of_usual` of what it is between a slice and the one most like it (the median of the
    series): where slices share noise, being interpolated or thick and close, all are alike.

    Parameters
    ----------
    textures
        (slices, 256) of unit power; rows of zeros stand for slices without texture.

    Returns
    -------
    (one, other, correlation), the first before the second; equal rows (exact copies) are left out.
    """
    rows = np.asarray(textures, np.float32)
    pairs, nearest = [], []
    for start in range(0, len(rows), block):
        alike = rows[start : start + block] @ rows.T
        places = np.arange(len(alike))
        alike[places, start + places] = 0  # each with itself
        nearest.append(alike.max(axis=1))
        for one, other in np.argwhere(alike > least):
            one = int(one) + start
            if one < other and not np.array_equal(rows[one], rows[other]):
                pairs.append((one, int(other), float(alike[one - start, other])))
    usual = float(np.median(np.concatenate(nearest)))
    return [pair for pair in pairs if 1 - pair[2] < of_usual * (1 - usual)]
