"""Noise power spectrum of a uniform module and transfer functions of rods, beads: what several tests need."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phantoms.ct.locate import Located
from phantoms.ct.models import Insert
from phantoms.ct.pose import centroid
from phantoms.ct.stack import Stack
from qc.measure import mtf, nps
from qc.measure.mtf import Mtf

REGION_MM = 30.0
FEWEST_REGIONS = 4
BEAD_REACH_MM = 4.0
BEAD_WITHIN_MM = 33.0  # of the middle
HIGHEST = 1.3  # 1/mm, of the curves that only serve for the uncertainty


def noise_spectrum(stack: Stack, indices: list[int], center: tuple[float, float], radius_mm: float) -> nps.Nps | None:
    """Return the noise power spectrum of a disc in some slices: regions of 64 or 32 pixels, overlapping by half."""
    size = 64
    while size > 16 and size * max(stack.spacing_mm) > 0.8 * radius_mm:
        size //= 2
    shape = stack.slice(indices[0]).shape
    places = nps.tiles((shape[0], shape[1]), center, radius_mm, stack.spacing_mm, size)
    if len(places) < FEWEST_REGIONS:
        return None
    regions = [stack.slice(k)[r : r + size, c : c + size] for k in indices for r, c in places]
    return nps.noise_power_spectrum(_plain(regions), stack.spacing_mm)


def _plain(regions: list[np.ndarray]) -> list[np.ndarray]:
    """Leave out regions with a bead or a mark: a value over seven usual SDs from the region's mean."""
    usual = float(np.median([region.std() for region in regions]))
    return [region for region in regions if float(np.abs(region - region.mean()).max()) <= 7 * usual] if usual > 0 else regions


@dataclass(frozen=True)
class RodEdge:
    """Transfer function from the rim of a rod, with the contrast and noise that it holds for; `parts` are of single slices."""

    mtf: Mtf
    places_mm: np.ndarray
    edge: np.ndarray
    contrast_hu: float
    noise_hu: float
    parts: tuple[Mtf, ...] = ()


def rod_edge(located: Located, insert: Insert, least_ratio: float = 12.0) -> RodEdge | None:
    """Return the task transfer function of a rod; None where it stands out of the noise too little.

    Each slice has its own centroid, so a tilted phantom does not blur the mean edge.
    """
    module, stack = located.module("inserts"), located.stack
    nominal = module.pose.to_pixels(insert.xy_mm, stack.spacing_mm)
    reach = 0.75 * insert.radius_mm
    bin_mm = 0.1 * max(stack.spacing_mm)
    total, noise, places, parts = None, [], None, []
    for index in module.indices:
        image = stack.slice(index)
        center = centroid(image, nominal, insert.radius_mm, stack.spacing_mm)
        if center is None:
            continue
        places, values = mtf.disc_edge(image, center, insert.radius_mm, stack.spacing_mm, reach, bin_mm)
        total = values if total is None else total + values
        parts.append(mtf.from_edge_spread(places, values, HIGHEST))
        rough = values[places < -0.6 * reach]
        noise.append(float(rough.std()))
    if total is None or places is None:
        return None
    edge = total / len(parts)
    inside, outside = float(np.median(edge[places < -0.5 * reach])), float(np.median(edge[places > 0.5 * reach]))
    scatter = float(np.mean(noise)) / np.sqrt(len(parts))
    if scatter > 0 and abs(inside - outside) < least_ratio * scatter:
        return None
    return RodEdge(mtf.from_edge_spread(places, edge), places, edge, inside - outside, float(np.mean(noise)), tuple(parts))


def bead_mtf(located: Located) -> tuple[Mtf, tuple[float, float], int, float, list[Mtf]] | None:
    """Return the MTF of the bead near the axis of the resolution module of a CatPhan; None without a bead.

    Returns
    -------
    (MTF, place, slice, height, MTFs of the same bead with the noise of other places added: their scatter is its uncertainty)
    """
    from scipy import ndimage

    from qc.measure.roi import inside_disc

    stack = located.stack
    module = located.module("resolution")
    center, _ = located.place_mm("resolution")
    best = None
    middle = module.pose.center
    reach = [int(np.ceil(BEAD_WITHIN_MM / spacing)) + 8 for spacing in stack.spacing_mm]  # 8: the filter is 15 pixels wide
    row0, column0 = (max(0, int(middle[axis]) - reach[axis]) for axis in (0, 1))
    for index in stack.within(center - 8, center + 12 if located.direction > 0 else center + 8):
        part = np.asarray(stack.slice(index)[row0 : int(middle[0]) + reach[0] + 2, column0 : int(middle[1]) + reach[1] + 2], float)
        inside = inside_disc(part.shape, (middle[0] - row0, middle[1] - column0), BEAD_WITHIN_MM, stack.spacing_mm)
        fine = part - ndimage.uniform_filter(part, 15)
        fine[~inside] = 0
        noise = float(np.std(fine[inside]))
        at = np.unravel_index(int(fine.argmax()), fine.shape)
        height = float(fine[at])
        if height > max(12 * noise, 40.0) and (best is None or height > best[3]):
            best = np.asarray(stack.slice(index), float), (float(at[0] + row0), float(at[1] + column0)), index, height
    if best is None:
        return None
    image, at, index, height = best
    place = centroid(image, at, 1.2, stack.spacing_mm, least_hu=0.1 * height) or at
    found = mtf.from_point(image, place, BEAD_REACH_MM, stack.spacing_mm)
    return (found, place, index, height, _with_other_noise(image, place, module.pose.center, stack.spacing_mm)) if found else None


def _with_other_noise(
    image: np.ndarray, place: tuple[float, float], middle: tuple[float, float], spacing_mm: tuple[float, float]
) -> list[Mtf]:
    """Move the noise of eight other places, as far from the middle as the bead but clear of it, under the bead."""
    from scipy import ndimage

    half = [int(np.ceil(1.5 * BEAD_REACH_MM / spacing)) + 2 for spacing in spacing_mm]
    row, column = round(place[0]), round(place[1])

    def piece(r: int, c: int) -> np.ndarray:
        return image[r - half[0] : r + half[0] + 1, c - half[1] : c + half[1] + 1]

    bead = piece(row, column)
    local = place[0] - row + half[0], place[1] - column + half[1]
    found = []
    away = max(np.hypot((row - middle[0]) * spacing_mm[0], (column - middle[1]) * spacing_mm[1]), 14.0)
    start = float(np.arctan2(row - middle[0], column - middle[1]))
    for turn in np.deg2rad(np.arange(60.0, 301.0, 34.0)):
        r, c = (
            round(middle[0] + away * np.sin(start + turn) / spacing_mm[0]),
            round(middle[1] + away * np.cos(start + turn) / spacing_mm[1]),
        )
        other = piece(r, c)
        if other.shape != bead.shape or np.hypot((r - row) * spacing_mm[0], (c - column) * spacing_mm[1]) < 2 * BEAD_REACH_MM:
            continue
        rough = other - ndimage.uniform_filter(other, 2 * half[0] // 2)
        again = mtf.from_point(bead + rough, local, BEAD_REACH_MM, spacing_mm)
        found += [again] if again else []
    return found
