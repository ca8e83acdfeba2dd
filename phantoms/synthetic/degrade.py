"""What spoils an image: blur, noise, shading, ghosts, stripes, clipping.

Functions take an image and give a new one. Whatever is random takes a NumPy generator, so the caller decides the seed. Noise in magnitude
MR images is made as the scanner makes it, two Gaussian channels and a magnitude, because the background and the low signals depend on it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from scipy import ndimage

from phantoms.synthetic.shapes import Grid, Image


def blur(image: Image, spacing_mm: tuple[float, float], sigma_mm: float | tuple[float, float]) -> Image:
    """Blur with a Gaussian point spread function whose width is given in mm.

    The kernel is sampled at the pixels, so it is a Gaussian only where sigma is about a pixel or more; `through_psf` draws finer where
    it is less.

    Parameters
    ----------
    image
        (..., rows, columns); the leading axes are not blurred.
    spacing_mm
        (row, column) pixel spacing in mm.
    sigma_mm
        Standard deviation of the point spread function in mm, one number or (along y, along x). Its MTF is exp(-2 pi² sigma² f²).
    """
    sigma_y, sigma_x = np.broadcast_to(sigma_mm, 2)
    sigmas = (0.0,) * (np.ndim(image) - 2) + (sigma_y / spacing_mm[0], sigma_x / spacing_mm[1])
    return ndimage.gaussian_filter(np.asarray(image, dtype=float), sigmas, mode="nearest", truncate=6.0)


def through_psf(grid: Grid, draw: Callable[[Grid], Image], sigma_mm: float, finest: int = 8) -> Image:
    """Draw an object, blur it, and let the pixels average over their area, in this order, as an imaging system does.

    Drawing and blurring are done on a finer grid where the point spread function is narrow against the pixels, so edges and MTF are right
    in mm at any pixel size: MTF(f) = exp(-2 pi² sigma² f²) |sinc(f p)| with the pixel p.

    Parameters
    ----------
    grid
        The pixels of the image.
    draw
        Gives the object on the grid that it is called with.
    sigma_mm
        Standard deviation of the point spread function in mm; 0 for none.
    finest
        Most subdivisions of a pixel.
    """
    if sigma_mm <= 0:
        return draw(grid)
    factor = int(np.clip(np.ceil(0.7 * max(grid.spacing_mm) / sigma_mm), 1, finest))
    fine = grid.finer(factor)
    blurred = blur(draw(fine), fine.spacing_mm, sigma_mm)
    return blurred.reshape(grid.rows, factor, grid.columns, factor).mean(axis=(1, 3))


def magnitude_noise(image: Image, sigma: float, rng: Generator, coils: int = 1) -> Image:
    """Noise of a magnitude MR image: the root sum of squares over coils of complex signal with complex Gaussian noise.

    Each coil sees the same share of the signal, image / sqrt(coils), so that without noise the result is the image. One coil gives
    sqrt((A + n1)² + n2²), the Rice distribution; where A = 0 that is the Rayleigh distribution with mean 1.2533 sigma and standard
    deviation 0.6551 sigma.

    Parameters
    ----------
    image
        Signal without noise, not negative.
    sigma
        Standard deviation of the noise in each of the two channels of each coil, in the unit of the image.
    coils
        How many uncorrelated receive channels are combined.
    """
    share = np.asarray(image, dtype=float) / np.sqrt(coils)
    squares = np.zeros_like(share)
    for _ in range(coils):
        squares += (share + rng.normal(0.0, sigma, share.shape)) ** 2 + rng.normal(0.0, sigma, share.shape) ** 2
    return np.sqrt(squares)


def gaussian_noise(image: Image, sigma: float, rng: Generator) -> Image:
    """Add white Gaussian noise of standard deviation `sigma`, in the unit of the image (CT, radiographs)."""
    return image + rng.normal(0.0, sigma, np.shape(image))


def poisson_noise(image: Image, rng: Generator) -> Image:
    """Replace expected counts by counts (nuclear medicine, photons on a detector)."""
    return rng.poisson(image).astype(float)


def shade(image: Image, grid: Grid, gradient_per_mm: tuple[float, float] = (0.0, 0.0), quadratic_per_mm2: float = 0.0) -> Image:
    """Multiply by ``1 + gx * x + gy * y + q * (x² + y²)``, 1 in the middle of the phantom.

    Parameters
    ----------
    gradient_per_mm
        (gx, gy): relative change of the signal per mm.
    quadratic_per_mm2
        q in 1/mm²: positive makes the rim bright (surface coil), negative the middle (dielectric effect at 3 T).
    """
    x, y = grid.coordinates()
    return image * (1.0 + gradient_per_mm[0] * x + gradient_per_mm[1] * y + quadratic_per_mm2 * (x**2 + y**2))


def ghost(image: Image, amplitude: float, axis: int, shift: float = 0.5, where: Image | None = None) -> Image:
    """Add a displaced copy of the image.

    Parameters
    ----------
    amplitude
        Height of the ghost as a part of the signal; 0.01 is 1 %.
    axis
        0: along the columns of the image (up and down); 1: along the rows (left and right). The phase encoding direction.
    shift
        Displacement as a part of the field of view; 0.5 is the N/2 ghost. The copy is wrapped around.
    where
        Weight from 0 to 1 a pixel; None adds the ghost everywhere. With 1 - coverage of the phantom the ghost stays in the air, and
        the signal that it is compared with stays what it was.
    """
    copy = np.roll(image, round(shift * image.shape[axis]), axis)
    return image + amplitude * copy * (1.0 if where is None else where)


def off_resonance(image: Image, grid: Grid, radius_mm: float, shift_mm: tuple[float, float, float]) -> Image:
    """Displace along the rows (the read direction) what an inhomogeneous field displaces; no signal is lost or gained.

    What lies at (x, y) from the middle of the phantom, r away, appears at x + d with d = l x / R + q (r / R)^2 + c (x / R) (r / R)^2. A circle
    of radius R about the middle becomes an ellipse exactly: its middle moves by q, its half axis along the rows becomes R + l + c.
    A shift of one pixel is the bandwidth of a pixel: 1 ppm at 1.5 T (64 Hz) and 128 Hz a pixel is half a pixel.

    Parameters
    ----------
    radius_mm
        R.
    shift_mm
        l, q, c: shifts at distance R in mm, of a linear, a quadratic and a cubic part of the field.
    """
    linear, quadratic, cubic = shift_mm
    if not any(shift_mm):
        return image
    middle = grid.to_pixels((0.0, 0.0))[0]
    y = (np.arange(grid.rows) - middle[0])[:, None] * grid.spacing_mm[0] / radius_mm
    edges = (np.arange(grid.columns + 1) - 0.5 - middle[1])[None, :] * grid.spacing_mm[1]
    x = np.broadcast_to(edges, (grid.rows, grid.columns + 1))
    for _ in range(60):  # where did it come from: the shifts are small against the radius, so this settles quickly
        u = x / radius_mm
        square = u**2 + y**2
        x = edges - (linear * u + quadratic * square + cubic * u * square)
    # what lies between two edges of a pixel: the running sum of the signal says it without loss
    total = np.concatenate([np.zeros((grid.rows, 1)), np.cumsum(image, axis=1)], axis=1)
    sums = np.stack([np.interp(from_, edges[0], run) for from_, run in zip(x, total, strict=True)])
    return np.diff(sums, axis=1)


def stripes(image: Image, amplitude: float, period_px: float, axis: int) -> Image:
    """Add a cosine wave that varies along `axis`; its power is amplitude² / 2.

    Parameters
    ----------
    amplitude
        In the unit of the image.
    period_px
        Length of one wave in pixels.
    """
    wave = amplitude * np.cos(2 * np.pi * np.arange(image.shape[axis]) / period_px)
    return image + (wave[:, None] if axis == 0 else wave[None, :])


def clip(image: Image, low: float | None = None, high: float | None = None) -> Image:
    """Limit the values, as a detector or a number format does that runs into its end."""
    return np.clip(image, low, high)
