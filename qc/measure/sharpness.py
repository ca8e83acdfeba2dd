"""Sharpness of images without a test object: the width of the border between air and body, and the energy of fine structure."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

REACHES = (4, 6, 10, 18)  # pixels on each side of an edge that are looked at, the narrowest that holds the edge: a scalp is 4 to 8 mm thick
RISE_OF_SIGMA = 2.5631031310892007  # 10 % to 90 % of a Gaussian edge, in its sigma


def borders(rows: Floats, above: Floats, below: Floats, low: float, high: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return where rows cross the middle between air and body, three times as steep along the row as across it.

    Parameters
    ----------
    rows, above, below
        (n, columns): rows of the image and those before and after each.
    low, high
        Level of the air and of the body.

    Returns
    -------
    (row, column) of the last pixel before each crossing.
    """
    inside = rows > low + 0.5 * (high - low)
    r, c = np.nonzero(inside[:, 1:] != inside[:, :-1])
    across = below[r, c] + below[r, c + 1] - above[r, c] - above[r, c + 1]
    along = rows[r, c + 1] - rows[r, c]
    straight = np.abs(across) / 4 < np.abs(along) / 3
    return r[straight], c[straight]


def edge_profiles(rows: Floats, places: tuple[NDArray[np.intp], NDArray[np.intp]], low: float, high: float, reach: int) -> Floats:
    """Return the profiles of borders between air and body along rows, scaled to 0 in the air and 1 in the body.

    Of the crossings those are kept with air on one side (outermost quarter: flat within a fifth of the step) and something of at least
    half the step on the other (outermost quarter: flat within a quarter).

    Parameters
    ----------
    rows
        (n, columns).
    places
        From `borders`.
    low, high
        Level of the air and of the body.
    reach
        Pixels on each side.

    Returns
    -------
    (edges, 2 reach), every profile rising; the crossing of the middle lies between the two middle pixels.
    """
    step = high - low
    r, c = places
    fits = (c >= reach) & (c + reach < rows.shape[1])
    r, c = r[fits], c[fits]
    profiles = rows[r[:, None], c[:, None] + np.arange(-reach + 1, reach + 1)].astype(np.float32)
    falling = profiles[:, 0] > profiles[:, -1]
    profiles[falling] = profiles[falling][:, ::-1]
    flat = max(2, reach // 2)
    air, body = profiles[:, :flat], profiles[:, -flat:]
    base, top = air.mean(axis=1), body.mean(axis=1)
    contrast = np.maximum(top - base, 1e-6 * step)
    good = (np.abs(base - low) < 0.2 * step) & (np.ptp(air, axis=1) < 0.2 * step) & (contrast > 0.5 * step)
    good &= np.ptp(body, axis=1) < 0.25 * contrast
    scaled: Floats = ((profiles - base[:, None]) / contrast[:, None])[good]
    return scaled


def rise_px(profiles: Floats) -> float | None:
    """Return the 10-90 % rise of edges in pixels; None where they do not hold it.

    The profiles are laid over each other by the place where each crosses one half; their places within a pixel differ, so together they
    sample the edge finely. The rise is taken from the medians in bins of a quarter of a pixel. A Gaussian edge gives 2.563 sigma.
    """
    if len(profiles) < 8:
        return None
    reach = profiles.shape[1] // 2
    left, right = profiles[:, reach - 1], profiles[:, reach]
    steep = (left <= 0.5) & (right >= 0.5) & (right > left)
    profiles, left, right = profiles[steep], left[steep], right[steep]
    if len(profiles) < 8:
        return None
    crossing = (0.5 - left) / (right - left)
    x = np.arange(-reach + 1, reach + 1)[None, :] - crossing[:, None]
    place = np.rint(x * 4).astype(int).ravel() + 4 * reach
    order = np.argsort(place, kind="stable")
    bounds = np.searchsorted(place[order], np.arange(8 * reach + 2))
    values = profiles.ravel()[order]
    middles = [float(np.median(values[a:b])) if b - a >= 3 else np.nan for a, b in pairwise(bounds)]
    at, curve = (np.arange(8 * reach + 1) - 4 * reach) / 4, np.array(middles)
    known = np.isfinite(curve)
    at, curve = at[known], curve[known]
    low, high = _crossing(at, curve, 0.1), _crossing(at, curve, 0.9)
    return high - low if low is not None and high is not None else None


def _crossing(x: Floats, curve: Floats, level: float) -> float | None:
    """Return where a rising curve passes a level, the crossing nearest to its middle."""
    hits = np.flatnonzero((curve[:-1] < level) & (curve[1:] >= level))
    if not len(hits):
        return None
    places = x[hits] + (x[hits + 1] - x[hits]) * (level - curve[hits]) / (curve[hits + 1] - curve[hits])
    return float(places[int(np.argmin(np.abs(places)))])


def fine_structure(image: Floats, sigma: float, contrast: float) -> float:
    """Return the root mean square of the Laplacian over the contrast, without what white noise adds.

    The four-neighbour Laplacian of white noise has the variance 20 sigma^2, which is taken away (0 where nothing is left). Of use only
    against other images of the same protocol.

    Parameters
    ----------
    image
        (rows, columns).
    sigma
        SD of the noise.
    contrast
        What the result is divided by, e.g. the 98th percentile over the air.
    """
    values = np.asarray(image, np.float32)
    inner = values[1:-1, 1:-1]
    laplacian = values[:-2, 1:-1] + values[2:, 1:-1] + values[1:-1, :-2] + values[1:-1, 2:] - 4 * inner
    energy = float(np.mean(np.square(laplacian), dtype=np.float64))
    return float(np.sqrt(max(0.0, energy - 20 * sigma**2))) / contrast
