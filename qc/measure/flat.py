"""A detector under an even exposure: signal, noise and their evenness in squares; pixels and lines that are off."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qc.errors import Unmeasurable
from qc.measure.noise import median_absolute

Floats = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]

SIDE_MM = 10.0
BORDER_MM = 10.0
FEWEST_SQUARES = 3  # along each direction
MAD_TO_SD = 1.4826
WINDOW = 5  # pixels a side: what a pixel is compared with
LINE_REACH = 4  # lines on either side that a line is compared with


@dataclass(frozen=True)
class Squares:
    """Signal and noise in squares side by side.

    Attributes
    ----------
    signal, noise
        (rows, columns) of squares: mean and SD (n - 1) of the pixels.
    origin
        First pixel (row, column) of the first square.
    side
        Pixels of a square, (rows, columns).
    """

    signal: Floats
    noise: Floats
    origin: tuple[int, int]
    side: tuple[int, int]

    @property
    def snr(self) -> Floats:
        """Signal over noise of each square; infinite where a square has no noise."""
        with np.errstate(divide="ignore"):
            return self.signal / self.noise

    def center(self, row: int, column: int) -> tuple[float, float]:
        """Pixel (row, column) in the middle of a square."""
        return (
            self.origin[0] + (row + 0.5) * self.side[0] - 0.5,
            self.origin[1] + (column + 0.5) * self.side[1] - 0.5,
        )


def squares(image: NDArray[Any], spacing_mm: tuple[float, float], border_mm: float = BORDER_MM, side_mm: float = SIDE_MM) -> Squares:
    """Return signal and noise in squares of 10 mm, a border of 10 mm left out; what does not fill a square is shared by both sides.

    Raises
    ------
    Unmeasurable
        ``field_too_small`` where fewer than 3 x 3 squares fit.

    References
    ----------
    AAPM TG-150: regions of 10 mm x 10 mm after a border of 10 mm is taken off.
    """
    side = (max(2, round(side_mm / spacing_mm[0])), max(2, round(side_mm / spacing_mm[1])))
    free = [length - 2 * int(np.ceil(border_mm / spacing - 1e-6)) for length, spacing in zip(image.shape, spacing_mm, strict=True)]
    count = [max(0, room // pixels) for room, pixels in zip(free, side, strict=True)]
    if min(count) < FEWEST_SQUARES:
        raise Unmeasurable("field_too_small", f"{count[0]} x {count[1]} squares of 10 mm fit into the field; 3 x 3 are needed")
    top, left = ((length - number * pixels) // 2 for length, number, pixels in zip(image.shape, count, side, strict=True))
    part = image[top : top + count[0] * side[0], left : left + count[1] * side[1]]
    tiles = part.reshape(count[0], side[0], count[1], side[1])
    signal = tiles.mean(axis=(1, 3), dtype=np.float64)
    noise = tiles.std(axis=(1, 3), ddof=1, dtype=np.float64)
    return Squares(signal, noise, (top, left), side)


def global_percent(values: Floats) -> float:
    """Return the global non-uniformity 100 (max - min) / mean. A slope of 0.1 % a mm over squares 100 mm apart gives 10 %."""
    return 100 * float(values.max() - values.min()) / abs(float(values.mean()))


def local_percent(values: Floats) -> tuple[float, tuple[int, int]]:
    """Return the local non-uniformity, and the square (row, column) that has it.

    100 max |X - mean of its four neighbours| / mean of X; at the rim of those neighbours that are there. An even slope gives nothing inside;
    a corner, with both neighbours on one side, half of what it makes from square to square along each direction.
    """
    total, number = np.zeros_like(values), np.zeros_like(values)
    for axis in (0, 1):
        first, last = (slice(None),) * axis + (slice(1, None),), (slice(None),) * axis + (slice(None, -1),)
        for here, there in ((first, last), (last, first)):
            total[here] += values[there]
            number[here] += 1
    apart = np.abs(values - total / number)
    row, column = (int(one) for one in np.unravel_index(int(np.argmax(apart)), apart.shape))
    return 100 * float(apart[row, column]) / abs(float(values.mean())), (row, column)


@dataclass(frozen=True)
class Defects:
    """What is off on a detector.

    Attributes
    ----------
    rows, columns
        Lines that are off over their length, by index.
    pixels
        (n, 2) row and column of the pixels that are off and lie on none of the lines.
    clusters
        Pixels of each group that touch, corners too; largest first.
    places
        (n, 2) one pixel of each group, in the order of `clusters`.
    largest
        (n, 2) pixels of the largest group.
    """

    rows: list[int]
    columns: list[int]
    pixels: NDArray[np.int_]
    clusters: list[int]
    places: NDArray[np.int_]
    largest: NDArray[np.int_]


def defects(image: NDArray[Any], tile: tuple[int, int], ratio: float = 6.0, dead_share: float = 0.2) -> Defects:
    """Find the pixels and lines that do not do what those around them do.

    A pixel is off where it lies more than 6 x 1.4826 MAD from the median of its 5 x 5; the MAD is that of these differences in its tile
    and those around it, so that noise may change over the field. Noise alone does so once in some 30 million pixels. Inside a defect wider
    than some 3 pixels the 5 x 5 is dead itself: a pixel farther than 20 % of the signal (and than the noise reaches) from the median of its
    tile is off too. A line is off where the mean of its middle half lies more than 6 x 1.4826 MAD of all lines, and a grey value, from the
    median of the 8 lines around it.

    Parameters
    ----------
    image
        (rows, columns).
    tile
        Rows and columns of the pieces that are taken as even; some 10 mm.
    """
    from scipy import ndimage

    values = np.asarray(image, np.float32)
    difference = np.abs(values - ndimage.median_filter(values, WINDOW, mode="reflect"))
    rows, columns = (_pieces(length, side) for length, side in zip(values.shape, tile, strict=True))
    spread = np.array([[_spread(difference[down, across]) for across in columns] for down in rows])
    spread = ndimage.median_filter(spread, 3, mode="nearest")  # one tile knows it to 2 % only, and may be full of defects
    off = np.zeros(values.shape, bool)
    for i, down in enumerate(rows):
        for k, across in enumerate(columns):
            here, limit = values[down, across], ratio * float(spread[i, k])
            middle = float(np.median(here))
            off[down, across] = difference[down, across] > limit
            off[down, across] |= np.abs(here - middle) > max(limit, dead_share * abs(middle))
    bad_rows, bad_columns = (_lines(_middle_half(values, 1 - axis), ratio) for axis in (0, 1))
    off[bad_rows] = False
    off[:, bad_columns] = False
    labels, _ = ndimage.label(off, np.ones((3, 3)))
    pixels = np.argwhere(off)
    _, first, sizes = np.unique(labels[off], return_index=True, return_counts=True)
    order = np.argsort(-sizes, kind="stable")
    largest = pixels[labels[off] == order[0] + 1] if len(order) else pixels
    return Defects(bad_rows, bad_columns, pixels, sizes[order].tolist(), pixels[first[order]], largest)


def _spread(difference: Floats) -> float:
    """SD of noise by the median of absolute differences; where most are 0, by how many are: they lie within half a grey value."""
    median = median_absolute(difference.ravel())
    return MAD_TO_SD * (median if median > 0 else 0.25 / float(np.mean(difference == 0)))


def _pieces(length: int, size: int) -> list[slice]:
    """Slices of about `size` that cover a length."""
    marks = np.linspace(0, length, max(1, round(length / size)) + 1).astype(int)
    return [slice(int(first), int(last)) for first, last in pairwise(marks)]


def _middle_half(values: Floats, axis: int) -> Floats:
    """Mean of the middle half along an axis: as blind to single pixels as a median, but not bound to whole grey values."""
    count = values.shape[axis]
    first, last = count // 4, count - count // 4
    ordered = np.partition(values, (first, last - 1), axis=axis)
    return np.asarray(np.take(ordered, np.arange(first, last), axis=axis).mean(axis=axis, dtype=np.float64))


def _lines(profile: Floats, ratio: float) -> list[int]:

    longer = np.concatenate([_before(profile), profile, _before(profile[::-1])[::-1]])
    others = np.delete(np.lib.stride_tricks.sliding_window_view(longer, 2 * LINE_REACH + 1), LINE_REACH, axis=1)
    apart = np.abs(profile - np.median(others, axis=1))
    limit = max(ratio * MAD_TO_SD * float(np.median(apart)), 1.0)  # steps of rounding are no lines
    return [int(index) for index in np.flatnonzero(apart > limit)]


def _before(profile: Floats) -> Floats:
    """Values that go on before the first line with the slope there: a mirror would make a step of every slope, and hide the outermost line."""
    slope = float(np.median(profile[16:48] - profile[:32])) / 16
    level = float(np.median(profile[: 2 * LINE_REACH + 1]))
    return np.asarray(level + slope * (np.arange(-LINE_REACH, 0) - LINE_REACH))


def is_even(image: NDArray[Any], cell: tuple[int, int]) -> bool:
    """Tell whether an image is an even exposure: nothing in it but a slope.

    95 % of the cells lie within 30 % of their median, and hardly any (one in 200) lies more than 4 % off the line through its
    neighbours: an aluminium step, a phantom or a patient has an edge. Each cell is taken by its median, so dead lines and pixels do not matter.

    Parameters
    ----------
    image
        (rows, columns), inside the collimation; some 256 lines are enough.
    cell
        Rows and columns of a cell; some 5 mm.
    """
    count = [length // side for length, side in zip(image.shape, cell, strict=True)]
    if min(count) < 4:
        return False
    part = np.asarray(image[: count[0] * cell[0], : count[1] * cell[1]], np.float32)
    blocks = part.reshape(count[0], cell[0], count[1], cell[1])
    cells = np.median(blocks, axis=(1, 3))
    middle = float(np.median(cells))
    if middle <= 0 or part.max() <= part.min() or np.mean(np.abs(cells / middle - 1) < 0.3) < 0.95:
        return False
    noise = 1.25 * float(np.median(blocks.std(axis=(1, 3)))) / np.sqrt(cell[0] * cell[1])  # SD of a median
    limit = max(0.04 * middle, 4 * np.sqrt(1.5) * noise)
    # along each direction by itself: a slope cancels, an edge does not
    edges = sum(int(np.count_nonzero(np.abs(np.diff(cells, 2, axis=axis)) / 2 > limit)) for axis in (0, 1))
    return edges <= cells.size / 200
