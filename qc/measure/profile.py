"""Profiles across blurred edges and ramps in magnitude images, where noise lifts the dark end.

All fits are made on the squared signal M^2 - b: for noise of N channels M^2 has the expectation S^2 + 2 N sigma^2, so the squared signal
is free of the bias that magnitude has; b is read where there is no signal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qc.measure.fit import least_squares, linear
from qc.measure.roi import Floats


@dataclass(frozen=True)
class Placement:
    """Where a plan in mm lies on an image: centre (row, col) in pixels, spacing (row, column) in mm, roll clockwise in degrees."""

    center: tuple[float, float]
    spacing_mm: tuple[float, float]
    roll_deg: float = 0.0

    def pixels(self, x: Any, y: Any) -> tuple[Floats, Floats]:
        """Convert plan coordinates (x right, y down, mm) to (rows, columns)."""
        angle = np.deg2rad(self.roll_deg)
        across, down = np.asarray(x, float), np.asarray(y, float)
        right, below = across * np.cos(angle) - down * np.sin(angle), across * np.sin(angle) + down * np.cos(angle)
        return self.center[0] + below / self.spacing_mm[0], self.center[1] + right / self.spacing_mm[1]

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Return one point as (row, col)."""
        rows, columns = self.pixels(x, y)
        return float(rows), float(columns)

    def coordinates(self, shape: tuple[int, int]) -> tuple[Floats, Floats]:
        """Return x and y in mm of every pixel centre, each (rows, columns)."""
        right = ((np.arange(shape[1]) - self.center[1]) * self.spacing_mm[1])[None, :]
        below = ((np.arange(shape[0]) - self.center[0]) * self.spacing_mm[0])[:, None]
        angle = np.deg2rad(self.roll_deg)
        return right * np.cos(angle) + below * np.sin(angle), -right * np.sin(angle) + below * np.cos(angle)

    def sample(self, image: NDArray[Any], x: Floats, y: Floats, order: int = 1) -> Floats:
        """Return image values at all (y, x) of two axes in mm, (len(y), len(x)); NaN outside the image."""
        from scipy import ndimage

        rows, columns = self.pixels(x[None, :], y[:, None])
        top, left = max(0, int(rows.min()) - 8), max(0, int(columns.min()) - 8)
        part = np.asarray(image[top : int(rows.max()) + 9, left : int(columns.max()) + 9], float)
        if part.size == 0:
            return np.full(rows.shape, np.nan)
        return np.asarray(ndimage.map_coordinates(part, [rows - top, columns - left], order=order, mode="constant", cval=np.nan))


def trapezoid(x: Floats, center: float, length: float, edge: float) -> Floats:
    """Return a trapezoid of height 1 with `length` at half height and slopes of length `edge`."""
    return np.asarray(
        np.clip((length / 2 + edge / 2 - np.abs(x - center)) / max(edge, 1e-6), 0.0, min(1.0, length / max(edge, 1e-6) / 2 + 0.5))
    )


@dataclass(frozen=True)
class Plateau:
    """A bright stretch of a profile.

    Attributes
    ----------
    length, uncertainty, center
        At half of the central signal, mm.
    fitted
        Half-level length of the trapezoid that fits best, the second estimate, mm.
    edge
        Length of its slopes, mm.
    height, ground
        Signal of the middle, and of the dark ground, both freed from noise.
    """

    length: float
    uncertainty: float
    center: float
    fitted: float
    edge: float
    height: float
    ground: float


def ground_signal(excess: float, error: float) -> float:
    """Return the signal of a dark ground from how far its mean square lies above that of noise, and the standard error of that.

    Shrunk by what the noise leaves unsure, x^2 / (x^2 + s^2): a threshold would let the result jump when noise is added.
    """
    return float(np.sqrt(excess**3 / (excess**2 + error**2))) if excess > 0 else 0.0


def plateau(
    x: Floats, squared: Floats, dark: NDArray[np.bool_], expected_mm: float, correlated: float = 1.0, noise2: float | None = None
) -> Plateau | None:
    """Measure a bright stretch with sloping ends (a thickness ramp) on a dark ground.

    A trapezoid is fitted first. Its ends say where to look: there a parabola through the squared signal, exact for a
    straight slope, gives the place where the signal is half of that of the middle of the stretch. The shape of the whole profile does not
    enter.

    Parameters
    ----------
    x
        (n,) mm, even steps.
    squared
        (n,) mean of M^2 over the rows of the stretch.
    dark
        Where nothing but the dark ground can be: gives b.
    expected_mm
        First guess of the length.
    correlated
        Samples that carry the information of one.
    noise2
        Mean square of the noise where it is known (from air): what the dark ground has beyond it is signal (`ground_signal`), and half level
        lies halfway between it and the bright signal. None: the ground is all noise.

    Returns
    -------
    None where no stretch of some 5 mm rises out of the noise. A slice of 5 mm on a 1:10 ramp gives 50 mm.
    """
    step = float(x[1] - x[0])
    baseline = float(squared[dark].mean())
    signal = squared - baseline
    width = max(1, round(5.0 / step) | 1)
    smooth = np.convolve(signal, np.ones(width) / width, mode="same")
    peak = float(np.percentile(smooth, 95))
    noise = float(smooth[dark].std())
    if peak <= 4 * noise or peak <= 0:
        return None
    above = np.flatnonzero(smooth > 0.25 * peak)
    middle = float(np.average(x, weights=np.clip(signal, 0, None) * (smooth > 0.25 * peak)))
    guess = np.array([middle, min(max(float(x[above[-1]] - x[above[0]]), 3.0), 2 * expected_mm), 10.0, np.sqrt(peak)])

    error = float(squared[dark].std()) / np.sqrt(dark.sum() / correlated)
    ground = ground_signal(baseline - noise2, error) if noise2 is not None else 0.0
    excess = ground**2

    def model(p: Floats) -> Floats:
        return np.asarray((ground + p[3] * trapezoid(x, p[0], abs(p[1]), abs(p[2]))) ** 2 - excess)

    guess[3] = np.sqrt(peak + excess) - ground
    fit = least_squares(model, signal, guess, np.array([1.0, 1.0, 1.0, guess[3]]), correlated)
    center, fitted, edge = float(fit.values[0]), abs(float(fit.values[1])), abs(float(fit.values[2]))
    inner = np.abs(x - center) <= max(0.25 * (fitted - edge), 3.0)
    if inner.sum() < 3:
        return None
    height2 = float(signal[inner].mean())
    if height2 <= 0:
        return None
    bright = float(np.sqrt(height2 + excess))
    level = ((bright + ground) / 2) ** 2 - excess  # in the squared signal less the whole ground
    reach = float(np.clip(0.4 * edge, 3.0, 8.0))
    level_error = float(signal[inner].std()) / np.sqrt(inner.sum() / correlated)
    ends = [_half_level(x, signal, center + side * fitted / 2, reach, side, level, level_error, correlated) for side in (-1, 1)]
    if ends[0] is None or ends[1] is None:
        return None
    (start, start_error), (stop, stop_error) = ends[0], ends[1]
    return Plateau(stop - start, float(np.hypot(start_error, stop_error)), (start + stop) / 2, fitted, edge, bright, ground)


def _half_level(
    x: Floats, signal: Floats, near: float, reach: float, side: int, level: float, level_error: float, correlated: float
) -> tuple[float, float] | None:
    """Return where a parabola through the squared signal meets a level, and the standard uncertainty of that place."""
    use = np.abs(x - near) <= reach
    if use.sum() < 5:
        return None
    basis = np.stack([np.ones(use.sum()), x[use] - near, (x[use] - near) ** 2], axis=1)
    solution = linear(basis, signal[use])
    off = signal[use] - basis @ solution
    variance = float(off @ off) / max(1, use.sum() - 3) * correlated
    a, b, c = solution[2], solution[1], solution[0] - level
    root = b * b - 4 * a * c
    if root < 0:
        return None
    slope = -side * np.sqrt(root)  # the signal falls outwards
    at = (-b + slope) / (2 * a) if abs(a) > 1e-12 * abs(b) else -c / b
    if not abs(at) <= 1.5 * reach or slope == 0:
        return None
    powers = np.array([1.0, at, at * at])
    spread = float(powers @ np.linalg.inv(basis.T @ basis) @ powers) * variance
    return near + float(at), float(np.sqrt(spread + (0.25 * level_error) ** 2) / abs(slope))


@dataclass(frozen=True)
class Edges:
    """Two rises from dark to bright of one shape.

    Attributes
    ----------
    at, uncertainties
        Places of half signal and their standard uncertainties, mm.
    fitted
        The same places in the fit of both whole rises, the second estimate; where the half signal lies beyond what is seen it is the only one.
    widths
        Lengths of the rises, mm.
    """

    at: tuple[float, float]
    uncertainties: tuple[float, float]
    fitted: tuple[float, float]
    widths: tuple[float, float]


HOLD = 0.15  # how strongly equal widths and a height of 1 hold the fit of two rises, against the data


def blurred_rise(x: Floats, at: float, width: float, blur_mm: float) -> Floats:
    """Return a linear rise from 0 to 1, half at `at`, averaged over `blur_mm`."""

    def area(u: Floats) -> Floats:  # below the rise, from its middle
        inside = np.clip(u, -width / 2, width / 2)
        return np.asarray((inside + width / 2) ** 2 / (2 * width) + np.maximum(u - width / 2, 0.0))

    half = max(blur_mm, 1e-3) / 2
    return (area(x - at + half) - area(x - at - half)) / (2 * half)


def rising_edges(
    x: Floats, squared: tuple[Floats, Floats], starts: tuple[float, float], blur_mm: float, correlated: float = 1.0
) -> Edges | None:
    """Measure where two profiles rise from 0 to 1 (both ends known), from the squared signal.

    One slice cuts both wedges, so both rises should be alike: where one is seen only in part, the width of the other and the height
    of 1 hold its fit; where it is seen, what it shows counts. What pixels and interpolation average over (`blur_mm`) is in the
    model: squared, it would move the foot of the rise. The place itself is where a parabola through the squared signal near the half
    level, exact for a straight rise, meets that level: the shape of the rest, which real slices have their own, does not enter.

    Returns
    -------
    None where a rise does not lie within what is seen, or 2 mm beyond.
    """
    data = np.concatenate(squared)
    hold = HOLD * np.sqrt(len(data))

    def model(p: Floats) -> Floats:
        curves = [(p[4 + at] * blurred_rise(x, p[at], max(abs(p[2 + at]), 0.2), blur_mm)) ** 2 for at in (0, 1)]
        return np.concatenate([*curves, hold * np.array([p[4], p[5], (p[2] - p[3]) / 5.0])])

    wanted = np.concatenate([data, hold * np.array([1.0, 1.0, 0.0])])
    fit = least_squares(model, wanted, np.array([*starts, 5.0, 5.0, 1.0, 1.0]), np.ones(6), correlated)
    at = (float(fit.values[0]), float(fit.values[1]))
    if not all(x[0] < one < x[-1] + 2.0 for one in at) or min(fit.values[4:]) <= 0:
        return None
    widths = (abs(float(fit.values[2])), abs(float(fit.values[3])))
    found = []
    for one, near, width, height, error in zip(squared, at, widths, fit.values[4:], fit.uncertainties[4:], strict=True):
        reach = float(np.clip(0.4 * width, 1.0, 3.0))
        half = None
        if near + 0.5 * reach < x[-1]:
            half = _half_level(x, one, near, reach, -1, 0.25 * float(height) ** 2, 2 * float(height) * float(error), correlated)
        found.append(half)
    plain = [(float(fit.values[k]), float(fit.uncertainties[k])) for k in (0, 1)]
    (first, first_error), (last, last_error) = (half or fitted for half, fitted in zip(found, plain, strict=True))
    return Edges((first, last), (first_error, last_error), at, widths)
