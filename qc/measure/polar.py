"""Rings in CT images of patients: circles about the axis of rotation that cross different tissues."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

SECTORS, EACH = 12, 30  # sectors of the circle, and samples in each
INNER = 8  # pixels; smaller circles hold too few samples


@lru_cache(maxsize=8)
def _places(height: int, width: int, row: float, column: float) -> tuple[NDArray[np.intp], int]:
    """Flat index of the nearest pixel for each radius and angle, (radii, 360)."""
    outer = int(min(row, column, height - 1 - row, width - 1 - column))
    angles = np.arange(SECTORS * EACH) * (2 * np.pi / (SECTORS * EACH))
    radii = np.arange(INNER, outer)[:, None]
    rows = np.rint(row + radii * np.sin(angles)).astype(np.intp)
    columns = np.rint(column + radii * np.cos(angles)).astype(np.intp)
    return rows * width + columns, len(radii)


@dataclass(frozen=True)
class Ring:
    """The strongest ring.

    Attributes
    ----------
    radius_px
        Its radius in pixels.
    height
        Over its neighbourhood, with sign; the mean over the sectors.
    score
        Height over its standard uncertainty from the scatter of the sectors.
    agreement
        Share of the sectors with the sign of the height.
    """

    radius_px: int
    height: float
    score: float
    agreement: float


@dataclass
class Rings:
    """Sums over images, (radii, sectors), from which the strongest ring follows."""

    total: Floats
    count: NDArray[np.int64]

    def strongest(self, fewest_sectors: int = 9) -> Ring | None:
        """Return the ring with the highest score; None where no radius has so many sectors in smooth tissue."""
        from scipy import ndimage

        known = self.count > 0
        enough = known.sum(axis=1) >= fewest_sectors
        if enough.sum() < 10:
            return None
        means = np.where(known, self.total / np.maximum(self.count, 1), np.nan)[enough]
        middle = np.nanmean(means, axis=1)
        spread = np.nanstd(means, axis=1, ddof=1)
        number = known[enough].sum(axis=1)
        # noise changes slowly with the radius: the scatter of 12 sectors alone would be too uncertain a judge
        error = np.maximum(ndimage.median_filter(spread, 31, mode="nearest"), 0.7 * spread) / np.sqrt(number)
        error = np.maximum(error, 1e-9)
        agreement = np.nansum(np.sign(means) == np.sign(middle)[:, None], axis=1) / number
        score = np.where(agreement >= 0.8, np.abs(middle) / error, 0.0)
        at = int(np.argmax(score))
        return Ring(int(np.flatnonzero(enough)[at]) + INNER, float(middle[at]), float(score[at]), float(agreement[at]))


def ring_sums(
    image: Floats, center: tuple[float, float], low: float, high: float, most_step: float, before: Rings | None = None
) -> Rings | None:
    """Add one image to the search for rings.

    The image is read along 360 rays; the second difference along each ray over 2 pixels, -1/2 0 1 0 -1/2, takes away smooth tissue and
    keeps a ring of 1 to 3 pixels. In each of 12 sectors the mean is taken of samples in tissue (`low` to `high` within 6 pixels either
    way, so that the rims of round bodies are no rings) whose neighbours 2 pixels on either side differ by less than `most_step` (no edges).
    A ring is the same in all sectors: their scatter says how sure it is. Sums of several images make a standing ring surer.

    Parameters
    ----------
    center
        (row, column) of the axis of rotation.

    Returns
    -------
    The sums, added to `before`; None where the centre lies outside. A ring of 3 HU, 2 pixels wide, on noise of 12 HU in a water disc is
    found within 1 HU.
    """
    from scipy import ndimage

    height, width = image.shape
    if min(center) < 2 * INNER or center[0] > height - 2 * INNER or center[1] > width - 2 * INNER:
        return before
    places, radii = _places(height, width, round(center[0] * 2) / 2, round(center[1] * 2) / 2)
    if radii < 20:
        return before
    rays = np.asarray(image, np.float32).ravel()[places]
    tissue = ndimage.minimum_filter1d(((rays > low) & (rays < high)).astype(np.uint8), 13, axis=0, mode="nearest")[2:-2]
    inner, middle, outer = rays[:-4], rays[2:-2], rays[4:]
    bend = middle - (inner + outer) / 2
    fits = (tissue > 0) & (np.abs(outer - inner) < most_step) & (np.abs(bend) < most_step)
    number = fits.reshape(radii - 4, SECTORS, EACH).sum(axis=2)
    enough = number >= EACH // 3
    means = np.where(enough, np.where(fits, bend, 0).reshape(radii - 4, SECTORS, EACH).sum(axis=2) / np.maximum(number, 1), 0.0)
    total, count = np.zeros((radii, SECTORS)), np.zeros((radii, SECTORS), np.int64)
    total[2:-2], count[2:-2] = means, enough
    if before is None or len(before.total) != radii:
        return Rings(total, count)
    return Rings(before.total + total, before.count + count)
