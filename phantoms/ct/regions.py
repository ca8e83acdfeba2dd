"""Reading of regions: mean, noise, and how sure they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from phantoms.ct.stack import Stack
from qc.measure.roi import inside_disc

if TYPE_CHECKING:
    from phantoms.ct.locate import Located


@dataclass(frozen=True)
class Reading:
    """A disc in one or several slices.

    Attributes
    ----------
    mean
        Of all slices.
    sd
        Noise within one slice (root mean square over the slices).
    mean_uncertainty, sd_uncertainty
        Standard uncertainties from the noise, its correlation between pixels taken into account.
    """

    mean: float
    sd: float
    mean_uncertainty: float
    sd_uncertainty: float
    pixels: int


def read_disc(stack: Stack, indices: list[int], center: tuple[float, float], radius_mm: float) -> Reading | None:
    """Read a disc in some slices; None where it reaches beyond the image."""
    reach = [radius_mm / spacing for spacing in stack.spacing_mm]
    shape = stack.slice(indices[0]).shape
    if any(center[axis] - reach[axis] < 0 or center[axis] + reach[axis] > shape[axis] - 1 for axis in (0, 1)):
        return None
    row0, col0 = int(center[0] - reach[0]) - 1, int(center[1] - reach[1]) - 1
    rows, cols = slice(max(row0, 0), int(center[0] + reach[0]) + 3), slice(max(col0, 0), int(center[1] + reach[1]) + 3)
    local = center[0] - rows.start, center[1] - cols.start
    first = stack.slice(indices[0])[rows, cols]
    mask = inside_disc(first.shape, local, radius_mm, stack.spacing_mm)
    parts = [np.asarray(stack.slice(index)[rows, cols], float) for index in indices]
    values = np.array([part[mask] for part in parts])
    variances = values.var(axis=1, ddof=1)
    area = float(np.mean([_correlated_pixels(part, mask) for part in parts[:3]]))
    n = mask.sum()
    between = float(values.mean(axis=1).std(ddof=1)) / np.sqrt(len(values)) if len(values) > 2 else 0.0
    sd = float(np.sqrt(variances.mean()))
    independent = max(n * len(values) / area, 2.0)
    return Reading(float(values.mean()), sd, max(sd / np.sqrt(independent), between), sd / np.sqrt(2 * independent), int(n))


def _correlated_pixels(part: NDArray[Any], mask: NDArray[np.bool_]) -> float:
    """Return how many pixels one independent value takes, from the correlation of neighbours (at least 1)."""
    flat = np.where(mask, part - part[mask].mean(), 0.0)
    variance = float((flat**2).sum() / mask.sum())
    if variance <= 0:
        return 1.0
    along = []
    for axis in (0, 1):
        one, two = (flat[1:], flat[:-1]) if axis == 0 else (flat[:, 1:], flat[:, :-1])
        both = (mask[1:] & mask[:-1]) if axis == 0 else (mask[:, 1:] & mask[:, :-1])
        rho = float((one * two)[both].mean() / variance)
        along.append(float(np.clip(rho, 0.0, 0.9)))
    return float(np.prod([(1 + rho) / (1 - rho) for rho in along]))


def structure_hu(image: NDArray[Any], center: tuple[float, float], radius_mm: float, spacing_mm: tuple[float, float]) -> float:
    """Return the spread (1st to 99th percentile) inside a disc after a smoothing of 3 mm: what is left when a region is not uniform."""
    from scipy import ndimage

    step = [max(1, int(1.5 / spacing)) for spacing in spacing_mm]
    rows, columns = (side // by for side, by in zip(image.shape, step, strict=True))
    part = np.asarray(image[: rows * step[0], : columns * step[1]], np.float32)
    coarse = part.reshape(rows, step[0], columns, step[1]).mean(axis=(1, 3))
    pitch = step[0] * spacing_mm[0], step[1] * spacing_mm[1]
    middle = (center[0] + 0.5) / step[0] - 0.5, (center[1] + 0.5) / step[1] - 0.5
    smooth = ndimage.gaussian_filter(coarse, [3.0 / spacing for spacing in pitch])
    inside = smooth[inside_disc(coarse.shape, middle, radius_mm, pitch)]
    low, high = np.percentile(inside, [1, 99])
    return float(high - low)


def facts(located: Located, indices: list[int]) -> dict[str, Any]:
    """Return what every result of a CT phantom carries."""
    stack = located.stack
    return {
        "images": [stack.rows[index].label for index in indices],
        "origin_from": located.origin_from,
        "kernel": stack.rows[0].get("ConvolutionKernel"),
        "direction": located.direction,
    }
