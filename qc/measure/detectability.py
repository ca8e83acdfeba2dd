"""Detectability of a disc by a model observer, from task transfer function and noise power spectrum."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


def disc_task(frequency: Floats, diameter_mm: float, contrast: float) -> NDArray[np.float64]:
    """Return the spectrum of a disc, contrast x mm^2: c pi D^2 / 4 x 2 J1(pi D f) / (pi D f)."""
    from scipy.special import j1

    x = np.pi * diameter_mm * np.asarray(frequency, float)
    shape = np.where(x < 1e-6, 1.0, 2 * j1(np.where(x < 1e-6, 1.0, x)) / np.where(x < 1e-6, 1.0, x))
    return np.asarray(contrast * np.pi * diameter_mm**2 / 4 * shape)


def detectability(task: Floats, ttf: Floats, nps: Floats, frequency: Floats, observer: str = "npw") -> float | None:
    """Return d' of an observer for a round task; all curves radial on one frequency axis (1/mm).

    ``npw`` (non-prewhitening matched filter, TG-233): d'^2 = [int W^2 TTF^2]^2 / int W^2 TTF^2 NPS, integrals over the plane (2 pi f df).
    ``pw`` (prewhitening, ideal linear): d'^2 = int W^2 TTF^2 / NPS.
    White noise of SD s on pixels p without blur: both give contrast x sqrt(area) / (s p): 5 HU, diameter 10 mm, s = 10, p = 0.5 give 8.86.
    None where the noise is zero.
    """
    f = np.asarray(frequency, float)
    signal = (np.asarray(task) * np.asarray(ttf)) ** 2

    def plane(values: Floats) -> float:
        return float(np.trapezoid(values * 2 * np.pi * f, f))

    if observer == "pw":
        usable = np.asarray(nps) > 0
        return float(np.sqrt(plane(np.where(usable, signal / np.where(usable, nps, 1.0), 0.0)))) if usable.any() else None
    below = plane(signal * np.asarray(nps))
    return float(plane(signal) / np.sqrt(below)) if below > 0 else None
