"""What artefacts do to an image: herringbone, zipper, rings, motion ghosts, wrap-around, dead detector lines, dead elements.

Pure functions on images, like those of `degrade`, for what a scanner does wrong rather than what physics does always. Strengths are in
the unit of the image or a share of the signal, so a benchmark can grade them.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from scipy import ndimage

from phantoms.synthetic.shapes import Image


def herringbone(image: Image, amplitude: float, cycles: tuple[float, float]) -> Image:
    """Add the wave that one spike in k-space makes.

    Parameters
    ----------
    amplitude
        In the unit of the image.
    cycles
        (down, across): waves per pixel along the rows' direction and along the columns', up to 0.5.
    """
    rows, columns = np.indices(np.shape(image))
    return image + amplitude * np.cos(2 * np.pi * (cycles[0] * rows + cycles[1] * columns))


def zipper(image: Image, amplitude: float, place: int, axis: int, rng: Generator) -> Image:
    """Add a line of radio noise: a magnitude, so brighter everywhere, by Rayleigh noise of mean `amplitude`.

    Parameters
    ----------
    axis
        0: the line is a row, 1: a column.
    """
    spoilt = np.array(image, dtype=float)
    line = rng.rayleigh(amplitude / 1.2533, spoilt.shape[1 - axis])
    where = (place, slice(None)) if axis == 0 else (slice(None), place)
    spoilt[where] = np.hypot(spoilt[where], line)
    return spoilt


def ring(image: Image, height: float, radius_px: float, center: tuple[float, float], width_px: float = 2.0) -> Image:
    """Add a circle of constant height, drawn by area coverage; only where there is an object is it seen."""
    rows, columns = np.indices(np.shape(image))
    away = np.abs(np.hypot(rows - center[0], columns - center[1]) - radius_px)
    return image + height * np.clip(width_px / 2 + 0.5 - away, 0, 1)


def motion_ghost(image: Image, amplitude: float, axis: int, shifts: tuple[float, ...] = (0.5,)) -> Image:
    """Add displaced copies along the phase-encoding direction, as magnitudes add: root of the sum of squares.

    Parameters
    ----------
    amplitude
        Share of the signal that goes into each copy.
    shifts
        Displacements as shares of the field of view.
    """
    squares = np.square(np.asarray(image, dtype=float))
    for shift in shifts:
        squares = squares + np.square(amplitude * np.roll(image, round(shift * image.shape[axis]), axis))
    return np.sqrt(squares)


def wrap(image: Image, pixels: int, axis: int) -> Image:
    """Fold the object over: it is displaced by so many pixels, and what leaves the field comes in on the other side."""
    return np.roll(image, pixels, axis)


def dead_line(image: Image, place: int, axis: int, step: float) -> Image:
    """Set a row (axis 0) or column (1) off by a constant, as an uncorrected detector line."""
    spoilt = np.array(image, dtype=float)
    spoilt[(place, slice(None)) if axis == 0 else (slice(None), place)] += step
    return spoilt


def soften(image: Image, sigma_px: float) -> Image:
    """Blur by a Gaussian of so many pixels; noise is blurred too, as motion during a CT rotation or a soft kernel does."""
    return ndimage.gaussian_filter(np.asarray(image, dtype=float), sigma_px, mode="nearest")


def side_shading(image: Image, share: float, axis: int = 1) -> Image:
    """Multiply by a straight line from 1 - share / 2 to 1 + share / 2 across the image."""
    line = np.linspace(1 - share / 2, 1 + share / 2, image.shape[axis])
    return image * (line[:, None] if axis == 0 else line[None, :])


def dead_elements(image: Image, first: int, count: int, left: float = 0.1) -> Image:
    """Damp some columns of an ultrasound image over their whole depth, as broken elements of a linear probe do."""
    spoilt = np.array(image, dtype=float)
    spoilt[:, first : first + count] *= left
    return spoilt
