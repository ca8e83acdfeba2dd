"""A model observer for faint discs of known size and place: matched filter, judged against blank places."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qc.measure.roi import Floats, fast_size


@lru_cache(maxsize=64)
def _kernels(diameter_mm: float, spacing_mm: tuple[float, float], shape: tuple[int, int]) -> tuple[Any, Any, float, float]:
    """Return the transforms of disc and ring centred on a pixel, and sum and sum of squares of the disc."""
    radius = diameter_mm / 2
    outer = max(radius + 2.0, 1.5 * radius)
    rows = np.fft.fftfreq(shape[0], 1 / shape[0])[:, None] * spacing_mm[0]
    columns = np.fft.fftfreq(shape[1], 1 / shape[1])[None, :] * spacing_mm[1]
    distance = np.hypot(rows, columns)
    width = float(np.hypot(*spacing_mm)) / 1.5
    disc = np.clip((radius - distance) / width + 0.5, 0.0, 1.0)
    ring = np.clip((outer - distance) / width + 0.5, 0.0, 1.0) * (distance > radius + 0.5 * width)
    # both are even, so correlation and convolution are the same
    return np.fft.rfft2(disc), np.fft.rfft2(ring), float(disc.sum()), float((disc**2).sum())


def disc_answers(flat: Floats, inside: NDArray[np.bool_], diameters_mm: tuple[float, ...], spacing_mm: tuple[float, float]) -> Floats:
    """Return what a matched filter answers for a disc centred on each pixel: an estimate of the disc's contrast.

    The filter is the disc itself less the mean of the ring round it (2 mm wide, or half a radius); places outside `inside`
    do not count.

    Parameters
    ----------
    flat
        (rows, columns) relative signal, 0 where there is nothing; outside `inside` it must be 0.

    Returns
    -------
    (n, rows, columns), one answer map a diameter. A disc of contrast 0.05 answers 0.05.
    """
    reach = int(np.ceil(max(diameters_mm) / min(spacing_mm))) + 4
    shape = (fast_size(flat.shape[0] + reach), fast_size(flat.shape[1] + reach))
    signal, mask = np.fft.rfft2(flat, shape), np.fft.rfft2(inside.astype(float), shape)
    answers = np.empty((len(diameters_mm), *flat.shape))
    for at, diameter in enumerate(diameters_mm):
        disc, ring, _, squares = _kernels(diameter, spacing_mm, shape)
        cut = (slice(0, flat.shape[0]), slice(0, flat.shape[1]))
        in_disc, disc_area = np.fft.irfft2(signal * disc, shape)[cut], np.fft.irfft2(mask * disc, shape)[cut]
        in_ring, ring_area = np.fft.irfft2(signal * ring, shape)[cut], np.fft.irfft2(mask * ring, shape)[cut]
        answers[at] = (in_disc - in_ring / np.maximum(ring_area, 1e-6) * disc_area) / squares
    return answers


def between_pixels(answers: Floats) -> Floats:
    """Return spline coefficients of answer maps, for `at_places`: made once, read at many places."""
    from scipy import ndimage

    return np.stack([ndimage.spline_filter(one, 3, mode="mirror") for one in answers])


def at_places(coefficients: Floats, rows: Floats, columns: Floats) -> Floats:
    """Return an answer map between its pixels (cubic), from its spline coefficients."""
    from scipy import ndimage

    return np.asarray(ndimage.map_coordinates(coefficients, [rows, columns], order=3, mode="mirror", prefilter=False))


def detectability(discs: Floats, blanks: Floats) -> Floats:
    """Return d' of answers at discs against answers at blank places.

    The SD of the blanks is robust: a flaw at one blank place must not hide a disc. 20 places give it within 16 %.
    """
    spread = 1.4826 * float(np.median(np.abs(blanks - np.median(blanks))))
    return np.asarray(discs / max(spread, 0.5 * float(np.std(blanks)), 1e-9))
