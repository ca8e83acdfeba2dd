"""Ghosts and motion beside an object of any shape: signal in the air along the phase-encoding direction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qc.measure.noise import chi_constants

Floats = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Bands:
    """The air of one image in parts.

    Attributes
    ----------
    body
        The object with everything inside it.
    phase, read
        Air beside the object along the phase-encoding direction, and along the other one.
    air
        All air, the border of the image and what is exactly zero left out.
    """

    body: Mask
    phase: Mask
    read: Mask
    air: Mask


def bands(image: Floats, threshold: float, axis: int, clearance_px: tuple[float, float], border: int = 3) -> Bands | None:
    """Part an image into the body and the air beside it.

    The body is the largest connected part above the threshold (smoothed over 3 x 3; gaps up to four times `clearance_px` closed, as the
    skull is one), its holes filled; air keeps `clearance_px` away.

    Parameters
    ----------
    axis
        0: phase encoding from row to row (ghosts above and below), 1: from column to column.
    clearance_px
        (down, across).

    Returns
    -------
    None where nothing is above the threshold.
    """
    from scipy import ndimage

    smooth = ndimage.uniform_filter(np.asarray(image, np.float32), 3)
    down, across = (max(1, int(np.ceil(one))) for one in clearance_px)
    gap = (4 * down + 1, 4 * across + 1)
    labels, count = ndimage.label(ndimage.minimum_filter(ndimage.maximum_filter(smooth > threshold, gap), gap))
    if count == 0:
        return None
    body = ndimage.binary_fill_holes(labels == int(np.argmax(np.bincount(labels.ravel())[1:])) + 1)
    grown = ndimage.maximum_filter(body, (2 * down + 1, 2 * across + 1))
    inside = np.zeros(image.shape, bool)
    inside[border:-border, border:-border] = True
    air = inside & ~grown & (np.asarray(image) != 0)
    rows, columns = grown.any(axis=1), grown.any(axis=0)
    beside = [air & columns[None, :] & ~rows[:, None], air & rows[:, None] & ~columns[None, :]]
    # where the object is not convex its own bays are neither
    return Bands(body, beside[axis], beside[1 - axis], air)


def amplitude(image: Floats, parts: Bands, axis: int, fewest: int = 150, shifts: int = 24) -> float | None:
    """Return the amplitude of the strongest ghost in the air along the phase-encoding direction, over the signal of the body.

    The body is displaced along the phase-encoding direction by 24 parts of the field of view; where it comes to lie in the air of that
    direction, its squares are fitted (least squares) to those found there less the mean square of the air in the other direction: noise is in
    both and cancels, as the mean square of a magnitude is the sum of that of signal and noise. The
    displacement with most is the ghost. With sign: negative where the air of
    the other direction holds more.

    Parameters
    ----------
    axis
        As for `bands`.

    Returns
    -------
    A share; None where fewer than `fewest` pixels of air that are not zero are on either side. A ghost of 5 %, whatever its
    displacement, gives 0.05 within 0.01, of a head as of a disc.
    """
    values = np.asarray(image, np.float64)
    if min(int(parts.phase.sum()), int(parts.read.sum())) < fewest:
        return None
    size = int(parts.body.sum())
    squares = values**2
    noise = float(np.mean(squares[parts.read]))
    best: float | None = None
    for shift in range(1, shifts):
        pixels = round(shift * image.shape[axis] / shifts)
        overlap = np.roll(parts.body, pixels, axis) & parts.phase
        if int(overlap.sum()) >= max(fewest, 0.02 * size):
            copy = np.roll(squares * parts.body, pixels, axis)[parts.phase]
            share = float(copy @ (squares[parts.phase] - noise)) / float(copy @ copy)
            best = share if best is None else max(best, share)
    return None if best is None else float(np.sign(best) * np.sqrt(abs(best)))


def air_is_noise(values: Floats, most_zeros: float = 0.05, coils: tuple[int, ...] = (1, 2, 4, 8, 16, 32)) -> int | None:
    """Return for how many coils the air has the ratio of mean and SD that noise has (within 6 %), or None.

    Masked, filtered or ghosted air fits none. One coil: mean / SD = 1.913; four: 5.57.
    """
    if values.size < 200 or float(np.mean(values == 0)) > most_zeros:
        return None
    spread = float(np.std(values))
    if spread <= 0:
        return None
    ratio = float(np.mean(values)) / spread
    for number in coils:
        mean, sd = chi_constants(number)
        if abs(ratio / (mean / sd) - 1) < 0.06:
            return number
    return None
