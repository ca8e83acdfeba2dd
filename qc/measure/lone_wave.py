"""Waves at any angle across an image: herringbone (a spike in k-space), moire, the lines of an anti-scatter grid."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Wave:
    """The wave that stands out most.

    Attributes
    ----------
    ratio
        Power of its 3 x 3 cells of the spectrum over that of as many cells around.
    amplitude
        In the unit of the image.
    period_px
        From crest to crest.
    cycles
        (per row, per column).
    """

    ratio: float
    amplitude: float
    period_px: float
    cycles: tuple[float, float]


@lru_cache(maxsize=8)
def _plan(height: int, width: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Window, and which cells of the half spectrum are looked at: no long waves, no axes (edges and stripes lie there)."""
    window = np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1]).astype(np.float32)
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :]
    radius = np.hypot(rows, columns)
    open_cells = (radius > 0.08) & (radius <= 0.5) & (np.abs(rows) * height > 4) & (columns * width > 4) & (columns < 0.5 - 3 / width)
    return window, open_cells & (np.abs(rows) < 0.5 - 3 / height)


def lone_wave(image: NDArray[Any]) -> Wave | None:
    """Find the strongest lonely peak of the spectrum, off its axes.

    A wave through the whole image fills 3 x 3 cells under a Hann window; noise and anatomy are smooth on that scale, with the scatter
    of their own speckle (a ratio up to 5). The 3 x 3 power is compared with the mean of the cells 3 and 4 away.

    Parameters
    ----------
    image
        (rows, columns), at least 64 of each. Its middle is used, up to 256 x 256.

    Returns
    -------
    None for small and constant images. White noise of SD 10 with a wave of amplitude 5 on 256 x 256 gives a ratio over 100, amplitude 5.
    """
    from scipy import fft, ndimage

    if min(image.shape) < 64:
        return None
    height, width = (min(256, side // 2 * 2) for side in image.shape)
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    part = image[top : top + height, left : left + width].astype(np.float32)
    part = part - part.mean()
    if not part.any():
        return None
    window, open_cells = _plan(height, width)
    # second differences whiten the spectrum of anatomy, so that leakage of its strong long waves does not hide or make peaks
    spectrum = fft.rfft2(part * window)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    near = 9 * ndimage.uniform_filter(power, 3, mode="wrap")
    wide, gap = ndimage.uniform_filter(power, 9, mode="wrap"), ndimage.uniform_filter(power, 5, mode="wrap")
    around = (81 * wide - 25 * gap) / 56 * 9
    ratio = np.where(open_cells & (around > 0), near / np.maximum(around, 1e-20), 0.0)
    at = int(np.argmax(ratio))
    row, column = divmod(at, ratio.shape[1])
    down, across = float(np.fft.fftfreq(height)[row]), column / width
    # a wave a cos(...) has the power (a sum(w) / 2)^2 in its cells together when the window is normalised by sum(w^2)
    energy = float(near[row, column]) / float(np.sum(np.square(window), dtype=np.float64)) / (height * width)
    return Wave(float(ratio[row, column]), 2 * float(np.sqrt(energy)), 1 / float(np.hypot(down, across)), (down, across))
