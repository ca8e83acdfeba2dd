"""Noise power spectrum of uniform regions. Units: (unit of the image)^2 mm^2; frequencies in 1/mm."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Nps:
    """A noise power spectrum.

    Attributes
    ----------
    spectrum
        (n, n) two-dimensional, zero frequency first as `numpy.fft` orders it.
    spacing_mm
        (row, column) spacing of the pixels.
    regions
        Number of regions it is the mean of.
    frequency, radial
        (m,) radial mean up to the Nyquist frequency, without the bin at zero.
    """

    spectrum: NDArray[np.float64]
    spacing_mm: tuple[float, float]
    regions: int
    frequency: NDArray[np.float64]
    radial: NDArray[np.float64]

    @property
    def variance(self) -> float:
        """Integral over all frequencies: the variance of the noise."""
        size = self.spectrum.shape
        return float(self.spectrum.sum() / (size[0] * self.spacing_mm[0] * size[1] * self.spacing_mm[1]))

    @property
    def mean_frequency(self) -> float:
        """Mean of the frequency weighted by the radial spectrum (TG-233 f_av)."""
        return float((self.frequency * self.radial).sum() / self.radial.sum())

    @property
    def peak_frequency(self) -> float | None:
        """Frequency of the maximum from a parabola through its neighbourhood; None where the spectrum is flat.

        A maximum in the two lowest bins is structure (rings, cupping), not noise: the next summit counts.

        Flat: the maximum does not stand out from the median of the spectrum by more than a fifth (white noise).
        """
        return _peak(self.frequency, self.radial)


def _surfaces(size: int) -> NDArray[np.float64]:
    y, x = np.mgrid[:size, :size] / size - 0.5
    columns = np.stack([np.ones(size * size), x.ravel(), y.ravel(), (x * x).ravel(), (x * y).ravel(), (y * y).ravel()], axis=1)
    basis, _ = np.linalg.qr(columns)
    return np.asarray(basis)


def noise_power_spectrum(regions: Iterable[Floats], spacing_mm: tuple[float, float]) -> Nps | None:
    """Return the noise power spectrum of square regions of one size; None where there is no region.

    ``NPS(u, v) = dx dy / (Nx Ny) <|FFT2(region - trend)|^2>`` (ICRU 87, TG-233), the trend a quadratic surface of each region. The six
    degrees of freedom that it takes are given back, so the integral is the variance of the noise without bias.
    White noise of SD 10 on 0.5 mm pixels gives 25.0 at all frequencies, integral 100.
    """
    total, count, basis, size = None, 0, None, 0
    for region in regions:
        if basis is None:
            size = region.shape[0]
            basis = _surfaces(size)
            total = np.zeros((size, size))
        flat = np.asarray(region, float).ravel()
        rest = (flat - basis @ (basis.T @ flat)).reshape(size, size)
        total += np.abs(np.fft.fft2(rest)) ** 2
        count += 1
    if total is None or count == 0:
        return None
    given_back = size * size / (size * size - 6)
    spectrum = total / count * spacing_mm[0] * spacing_mm[1] / (size * size) * given_back
    frequency, radial = radial_mean(spectrum, spacing_mm)
    return Nps(spectrum, spacing_mm, count, frequency, radial)


def radial_mean(spectrum: Floats, spacing_mm: tuple[float, float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the radial mean of a two-dimensional spectrum up to the Nyquist frequency; frequency is the mean of each bin."""
    v = np.fft.fftfreq(spectrum.shape[0], spacing_mm[0])[:, None]
    u = np.fft.fftfreq(spectrum.shape[1], spacing_mm[1])[None, :]
    f = np.hypot(v, u)
    width = 1 / (max(spectrum.shape) * max(spacing_mm))
    nyquist = 0.5 / max(spacing_mm)
    index = np.round(f / width).astype(int)
    inside = (index >= 1) & (f <= nyquist)
    number = np.bincount(index[inside])
    have = number > 0
    mean_f = np.bincount(index[inside], f[inside])[have] / number[have]
    return mean_f, np.bincount(index[inside], np.asarray(spectrum)[inside])[have] / number[have]


def _peak(frequency: Floats, radial: Floats) -> float | None:
    from scipy import ndimage

    smooth = ndimage.gaussian_filter1d(np.asarray(radial, float), 1.0)
    at = int(smooth.argmax())
    if at < 2:  # rings and cupping pile up at the lowest frequencies; the peak of the noise is the next summit
        inner = np.arange(2, len(smooth) - 1)
        tops = inner[(smooth[inner] > smooth[inner - 1]) & (smooth[inner] >= smooth[inner + 1])]
        tops = [top for top in tops if smooth[top] > 1.1 * smooth[:top].min()]
        if len(tops) == 0:
            return None
        at = int(max(tops, key=lambda top: smooth[top]))
    if smooth[at] < 1.2 * float(np.median(smooth)):
        return None
    reach = 3
    low, high = max(0, at - reach), min(len(radial), at + reach + 1)
    near = np.arange(low, high)
    near = near[smooth[near] > 0.5 * smooth[at]]
    if len(near) < 3:
        return float(frequency[at])
    a, b, _ = np.polyfit(frequency[near] - frequency[at], np.asarray(radial)[near], 2)
    if a >= 0:
        return float(frequency[at])
    shift = float(np.clip(-b / (2 * a), frequency[near[0]] - frequency[at], frequency[near[-1]] - frequency[at]))
    return float(frequency[at] + shift)


def tiles(
    shape: tuple[int, int], center: tuple[float, float], radius_mm: float, spacing_mm: tuple[float, float], size: int
) -> list[tuple[int, int]]:
    """Return the first pixels of square regions, overlapping by half, that lie wholly inside a disc."""
    found = []
    half = size // 2
    reach = [int(radius_mm / spacing // half) + 1 for spacing in spacing_mm]
    for i in range(-reach[0], reach[0] + 1):
        for j in range(-reach[1], reach[1] + 1):
            row, col = round(center[0]) + i * half - half, round(center[1]) + j * half - half
            far_y = max(abs(row - center[0]), abs(row + size - 1 - center[0])) * spacing_mm[0]
            far_x = max(abs(col - center[1]), abs(col + size - 1 - center[1])) * spacing_mm[1]
            if row >= 0 and col >= 0 and row + size <= shape[0] and col + size <= shape[1] and np.hypot(far_y, far_x) <= radius_mm:
                found.append((row, col))
    return found
