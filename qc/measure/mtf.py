"""Modulation transfer function from edges, lines, points and bars. Frequencies in 1/mm (line pairs per mm)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Mtf:
    """A modulation transfer function.

    Attributes
    ----------
    frequency
        (n,) in 1/mm, rising from 0.
    value
        (n,), 1 at 0.
    """

    frequency: NDArray[np.float64]
    value: NDArray[np.float64]

    def at(self, level: float) -> float | None:
        """Return the first frequency at which the function falls to `level`; None where it does not."""
        return crossing(self.frequency, self.value, level)


def crossing(frequency: Floats, value: Floats, level: float) -> float | None:
    """Return where a falling curve first passes a level, by linear interpolation; None where it does not."""
    below = np.flatnonzero(np.asarray(value) < level)
    if len(below) == 0 or below[0] == 0:
        return None
    at = int(below[0])
    drop = value[at - 1] - value[at]
    return float(frequency[at - 1] + (value[at - 1] - level) / drop * (frequency[at] - frequency[at - 1]))


def edge_spread(distance_mm: Floats, values: Floats, bin_mm: float, reach_mm: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the over-sampled edge spread function: means of bins over the distance from the edge.

    Parameters
    ----------
    distance_mm, values
        Same shape: signed distance of each pixel from the edge, and its value.

    Returns
    -------
    (n,) middles of the bins in mm and (n,) values; empty bins are filled by interpolation.
    """
    count = 2 * round(reach_mm / bin_mm)
    index = np.floor((np.ravel(distance_mm) + reach_mm) / bin_mm).astype(int)
    inside = (index >= 0) & (index < count)
    index, flat = index[inside], np.ravel(values)[inside].astype(float)
    number = np.bincount(index, minlength=count)
    total = np.bincount(index, flat, minlength=count)
    places = np.asarray((np.arange(count) + 0.5) * bin_mm - reach_mm, np.float64)
    have = number > 0
    return places, np.asarray(np.interp(places, places[have], total[have] / number[have]), np.float64)


def from_edge_spread(places_mm: Floats, values: Floats, highest: float = 2.0, taper: float = 0.5) -> Mtf:
    """Return the MTF of an over-sampled edge spread function.

    Differentiate, taper both ends (Tukey window centred on the edge), transform; the responses of the bins and of the
    difference are divided out. An edge blurred by a Gaussian of SD s gives exp(-2 pi^2 s^2 f^2): 50 % at 0.18739 / s.

    Parameters
    ----------
    highest
        Last frequency in 1/mm.
    taper
        Share of the window that is tapered.
    """
    step = float(places_mm[1] - places_mm[0])
    lines = np.diff(np.asarray(values, float))
    places = 0.5 * (np.asarray(places_mm)[1:] + np.asarray(places_mm)[:-1])
    return _from_lines(places, lines, step, highest, taper, np.sinc)


def from_line_spread(places_mm: Floats, values: Floats, highest: float = 2.0, taper: float = 0.5) -> Mtf:
    """Return the MTF of an over-sampled line spread function whose background has been taken away."""
    step = float(places_mm[1] - places_mm[0])
    return _from_lines(np.asarray(places_mm), np.asarray(values, float), step, highest, taper, lambda x: np.ones_like(x))


def _from_lines(places: Floats, lines: Floats, step: float, highest: float, taper: float, difference: Any) -> Mtf:
    half = 0.5 * (places[-1] - places[0]) + step
    middle = _middle(places, lines)
    u = np.clip(np.abs(places - middle) / half, 0, 1)
    edge = 1 - taper
    window = np.where(u <= edge, 1.0, 0.5 * (1 + np.cos(np.pi * (u - edge) / taper)))
    frequency = np.arange(0.0, highest + 1e-9, 0.005)
    phase = np.exp(-2j * np.pi * frequency[:, None] * (places - middle))
    spectrum = np.abs(phase @ (lines * window))
    # each value is a mean over a bin, and the derivative a difference over a step
    response = np.sinc(frequency * step) * difference(frequency * step)
    value = spectrum / spectrum[0] / np.where(response > 0.1, response, 0.1)
    return Mtf(frequency, value)


def _middle(places: Floats, lines: Floats) -> float:
    """Centre of the main lobe: centroid of what is over a third of the highest smoothed value."""
    from scipy import ndimage

    smooth = ndimage.gaussian_filter1d(np.abs(lines), 3)
    at = int(smooth.argmax())
    near = np.abs(np.arange(len(lines)) - at) <= max(5, len(lines) // 8)
    weight = np.where(near & (smooth > smooth[at] / 3), smooth, 0.0)
    return float((weight * places).sum() / weight.sum())


def disc_edge(
    image: Floats,
    center: tuple[float, float],
    radius_mm: float,
    spacing_mm: tuple[float, float],
    reach_mm: float,
    bin_mm: float | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the over-sampled edge spread function of the rim of a disc: radial distance minus radius, all directions together.

    Parameters
    ----------
    center
        (row, col) in pixels, sub-pixel.
    reach_mm
        How far from the rim; less than the radius.
    bin_mm
        Default: a tenth of a pixel.
    """
    half = [int(np.ceil((radius_mm + reach_mm) / spacing)) + 2 for spacing in spacing_mm]
    row0, col0 = max(0, round(center[0]) - half[0]), max(0, round(center[1]) - half[1])
    part = np.asarray(image[row0 : round(center[0]) + half[0] + 1, col0 : round(center[1]) + half[1] + 1], float)
    y = (np.arange(row0, row0 + part.shape[0]) - center[0])[:, None] * spacing_mm[0]
    x = (np.arange(col0, col0 + part.shape[1]) - center[1])[None, :] * spacing_mm[1]
    return edge_spread(np.hypot(y, x) - radius_mm, part, bin_mm or 0.1 * max(spacing_mm), reach_mm)


def from_point(
    image: Floats, center: tuple[float, float], reach_mm: float, spacing_mm: tuple[float, float], highest: float = 2.0
) -> Mtf | None:
    """Return the MTF from the picture of a point (bead, or a wire along the axis), mean over eight directions.

    Background: mean of the ring between `reach_mm` and 1.5 times that. The transform is taken at the centroid of the point. None
    where the point lies too near the border.
    """
    half = [int(np.ceil(1.5 * reach_mm / spacing)) + 1 for spacing in spacing_mm]
    row0, col0 = round(center[0]) - half[0], round(center[1]) - half[1]
    row1, col1 = row0 + 2 * half[0] + 1, col0 + 2 * half[1] + 1
    if row0 < 0 or col0 < 0 or row1 > image.shape[0] or col1 > image.shape[1]:
        return None
    part = np.asarray(image[row0:row1, col0:col1], float)
    y = (np.arange(row0, row1) - center[0]) * spacing_mm[0]
    x = (np.arange(col0, col1) - center[1]) * spacing_mm[1]
    distance = np.hypot(y[:, None], x[None, :])
    ring = (distance > reach_mm) & (distance < 1.5 * reach_mm)
    window = np.clip((reach_mm - distance) / (0.3 * reach_mm), 0, 1)
    point = (part - part[ring].mean()) * window
    frequency = np.arange(0.0, highest + 1e-9, 0.01)
    total = np.zeros(len(frequency))
    for angle in np.arange(8) * np.pi / 8:
        # the wave along a direction is a product of one along the rows and one along the columns
        down = np.exp(-2j * np.pi * np.sin(angle) * frequency[:, None] * y)
        across = np.exp(-2j * np.pi * np.cos(angle) * frequency[:, None] * x)
        total += np.abs(((down @ point) * across).sum(axis=1))
    return Mtf(frequency, total / total[0])


def bar_amplitude(places_mm: Floats, values: Floats, frequency: float, from_mm: float, to_mm: float) -> float:
    """Return the amplitude of one frequency in a piece of a profile, a whole number of periods long.

    Over whole periods the amount does not depend on where the piece begins. Bars of contrast c (square wave) imaged with an
    MTF m at their frequency give 2 c m / pi: c = 1000 HU and m = 0.5 give 318.3.
    """
    inside = (np.asarray(places_mm) >= from_mm) & (np.asarray(places_mm) < to_mm)
    piece = np.asarray(values, float)[inside]
    wave = np.exp(-2j * np.pi * frequency * np.asarray(places_mm, float)[inside])
    return float(2 * abs(((piece - piece.mean()) * wave).mean()))


def droege_morin(sd: float, noise_sd: float, contrast: float) -> float:
    """Return the MTF at the frequency of a bar pattern from the standard deviation inside it.

    ``MTF = pi sqrt 2 / 4 x sqrt(sd^2 - noise^2) / (|contrast| / 2)`` with the difference of bar and gap. Valid from a third of the
    cut-off frequency on, where the image of the bars is a sine (Droege and Morin, Med. Phys. 9:758, 1982). A sine of amplitude
    318.3 (2 c m / pi with c = 1000, m = 0.5) has SD 225.1 and gives 0.5.
    """
    variance = max(0.0, sd * sd - noise_sd * noise_sd)
    return float(np.pi * np.sqrt(2.0) / 4.0 * np.sqrt(variance) / (abs(contrast) / 2.0))
