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

    The body is the largest connected part above the threshold (smoothed over 3 x 3), its holes filled; air keeps `clearance_px` away.

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
    labels, count = ndimage.label(smooth > threshold)
    if count == 0:
        return None
    body = ndimage.binary_fill_holes(labels == int(np.argmax(np.bincount(labels.ravel())[1:])) + 1)
    down, across = (max(1, int(np.ceil(one))) for one in clearance_px)
    grown = ndimage.maximum_filter(body, (2 * down + 1, 2 * across + 1))
    inside = np.zeros(image.shape, bool)
    inside[border:-border, border:-border] = True
    air = inside & ~grown & (np.asarray(image) != 0)
    rows, columns = grown.any(axis=1), grown.any(axis=0)
    beside = [air & columns[None, :] & ~rows[:, None], air & rows[:, None] & ~columns[None, :]]
    # where the object is not convex its own bays are neither
    return Bands(body, beside[axis], beside[1 - axis], air)


def amplitude(image: Floats, parts: Bands, fewest: int = 150) -> float | None:
    """Return the amplitude of what stands in the air along the phase-encoding direction, over the signal of the body.

    sqrt(mean square of the phase band - mean square of the read band) / median of the body: noise is in both bands and cancels, as the
    mean square of a magnitude is the sum of that of signal and noise. With sign: negative where the read band holds more.

    Returns
    -------
    A share; None where a band has fewer than `fewest` pixels that are not zero. A ghost of 5 % displaced by half the field of view, over
    an object as wide as the field, gives 0.05; over one that fills half the band 0.035.
    """
    values = np.asarray(image, np.float64)
    if min(int(parts.phase.sum()), int(parts.read.sum())) < fewest:
        return None
    signal = float(np.median(values[parts.body]))
    if signal <= 0:
        return None
    excess = float(np.mean(values[parts.phase] ** 2) - np.mean(values[parts.read] ** 2))
    return float(np.sign(excess) * np.sqrt(abs(excess))) / signal


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
