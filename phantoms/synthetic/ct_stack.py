"""Slices of a CT phantom made of modules: partial volume along z, point spread, cupping, rings, coloured noise, tilt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from scipy.special import erf

from phantoms.synthetic.degrade import through_psf
from phantoms.synthetic.dicomize import ImageSpec, classic, place_stack
from phantoms.synthetic.recipe import Job, Synthetic
from phantoms.synthetic.scanners import phantom_patient
from phantoms.synthetic.shapes import Grid, Image

CT_STORAGE = {"bits_stored": 16, "signed": True, "intercept": 0.0, "slope": 0.25}
AIR_HU = -1000.0


@dataclass(frozen=True)
class Part:
    """A piece of a phantom between two places along its axis.

    Attributes
    ----------
    draw
        Picture of the piece where it is the same along the axis.
    thin
        What depends on z: (grid, middle of the slice, thickness of the slice) -> HU to add; or None.
    points
        (middle of the slice, thickness) -> beads smaller than a pixel: x, y in mm and HU mm2 each.
    finer
        Subdivisions of a pixel in which `draw` works, for detail near the size of a pixel.
    """

    name: str
    low_mm: float
    high_mm: float
    draw: Callable[[Grid], Image]
    thin: Callable[[Grid, float, float], Image] | None = None
    roll_deg: float = 0.0
    points: Callable[[float, float], Sequence[tuple[float, float, float]]] | None = None
    finer: int = 1


@dataclass(frozen=True)
class Scan:
    """How the phantom is scanned; see the recipes for the fields."""

    matrix: int = 400
    fov_mm: float = 220.0
    thickness_mm: float = 2.5
    step_mm: float = 2.5
    start_mm: float = -80.0
    end_mm: float = 50.0
    noise_hu: float = 5.0
    noise_peak: float = 0.0
    psf_mm: float = 0.5
    cupping_hu: float = 0.0
    ring_hu: float = 0.0
    ring_mm: float = 30.0
    rotation_deg: float = 0.0
    tilt_deg: tuple[float, float] = (0.0, 0.0)
    offset_mm: tuple[float, float] = (0.0, 0.0)
    flipped: bool = False
    air_slices: int = 0
    kvp: float = 120.0
    kernel: str = "B30f"


def coloured_noise(shape: tuple[int, int], spacing_mm: float, sigma: float, peak: float, rng: Generator) -> Image:
    """Noise of standard deviation sigma: white, or band-pass ``NPS ~ exp(-(f - peak)^2 / 2 w^2)`` with w = peak / 4.

    The spectrum is normalised by its own sum, so sigma is exact in the mean.
    """
    white = rng.normal(0.0, 1.0, shape)
    if peak <= 0:
        return sigma * white
    f = np.hypot(np.fft.fftfreq(shape[0], spacing_mm)[:, None], np.fft.fftfreq(shape[1], spacing_mm)[None, :])
    power = np.exp(-0.5 * ((f - peak) / (peak / 4)) ** 2)
    filtered = np.fft.ifft2(np.fft.fft2(white) * np.sqrt(power / power.mean())).real
    return sigma * filtered


def render(parts: Sequence[Part], scan: Scan, radius_mm: float, rng: Generator) -> tuple[list[Image], np.ndarray]:
    """Return the slices and their places along z (the phantom's origin at 0)."""
    places = np.arange(scan.start_mm, scan.end_mm + 1e-6, scan.step_mm)
    extra = scan.air_slices * scan.step_mm
    places = np.concatenate(
        [np.arange(-extra, 0, scan.step_mm) + places[0], places, places[-1] + np.arange(1, scan.air_slices + 1) * scan.step_mm]
    )
    inside = (places >= scan.start_mm - 1e-6) & (places <= scan.end_mm + 1e-6)
    kept: dict[tuple[str, Grid], Image] = {}
    slices = []
    for z, here in zip(places, inside, strict=True):
        grid = _grid(scan, z)
        image = _slice(parts, scan, grid, -z if scan.flipped else z, kept) if here else np.full(grid.shape, AIR_HU)
        if here and (scan.cupping_hu or scan.ring_hu):
            image = _spoiled(image, scan, grid, radius_mm)
        slices.append(image + coloured_noise(grid.shape, grid.spacing_mm[0], scan.noise_hu, scan.noise_peak, rng))
    return slices, places


def _grid(scan: Scan, z: float) -> Grid:
    """The pixels of a slice: a tilted axis wanders with z."""
    pixel = scan.fov_mm / scan.matrix
    wander = [z * float(np.tan(np.deg2rad(tilt))) for tilt in scan.tilt_deg]
    offset = scan.offset_mm[0] + wander[0], scan.offset_mm[1] + wander[1]
    return Grid.shifted(scan.matrix, scan.matrix, (pixel, pixel), offset, scan.rotation_deg)


def _slice(parts: Sequence[Part], scan: Scan, grid: Grid, z: float, kept: dict[tuple[str, Grid], Image]) -> Image:
    low, high = z - scan.thickness_mm / 2, z + scan.thickness_mm / 2
    image = np.zeros(grid.shape)
    filled = 0.0
    for part in parts:
        share = max(0.0, min(high, part.high_mm) - max(low, part.low_mm)) / scan.thickness_mm
        if share <= 0:
            continue
        filled += share
        turned = Grid(grid.rows, grid.columns, grid.spacing_mm, grid.origin_mm, grid.rotation_deg + part.roll_deg)
        if (part.name, turned) not in kept:
            if len(kept) > 12:
                kept.clear()
            kept[part.name, turned] = _through(turned, part.draw, scan.psf_mm, part.finer)
        image += share * kept[part.name, turned]
        if part.thin is not None:
            image += _through(turned, lambda g, thin=part.thin: thin(g, z, scan.thickness_mm), scan.psf_mm, 3)
        for x, y, weight in part.points(z, scan.thickness_mm) if part.points else ():
            image += weight * _point(turned, (x, y), scan.psf_mm)
    return image + max(0.0, 1 - filled) * AIR_HU


def _through(grid: Grid, draw: Callable[[Grid], Image], psf_mm: float, factor: int) -> Image:
    """`through_psf` on a grid that is finer by a factor, at least so fine that the point spread is sampled well."""
    factor = max(factor, int(np.ceil(1.2 * max(grid.spacing_mm) / psf_mm))) if psf_mm > 0 else factor
    if factor == 1:
        return through_psf(grid, draw, psf_mm)
    fine = through_psf(grid.finer(factor), draw, psf_mm)
    return fine.reshape(grid.rows, factor, grid.columns, factor).mean(axis=(1, 3))


def _point(grid: Grid, at_mm: tuple[float, float], psf_mm: float) -> Image:
    """Picture of a point of weight 1 HU mm2: the Gaussian point spread, exact mean over each pixel."""
    row, column = grid.to_pixels([at_mm])[0]
    edges = [
        (np.arange(size + 1) - 0.5 - at) * spacing / (psf_mm * np.sqrt(2))
        for size, at, spacing in ((grid.rows, row, grid.spacing_mm[0]), (grid.columns, column, grid.spacing_mm[1]))
    ]
    along = [np.diff(erf(edge)) / 2 for edge in edges]
    return np.outer(along[0], along[1]) / grid.pixel_area_mm2


def _spoiled(image: Image, scan: Scan, grid: Grid, radius_mm: float) -> Image:
    x, y = grid.coordinates()
    r = np.hypot(x, y)
    image = image - scan.cupping_hu * np.clip(1 - (r / radius_mm) ** 2, 0, None)
    if scan.ring_hu:
        pixel = grid.spacing_mm[0]
        middle = (grid.rows - 1) / 2
        rows, columns = np.mgrid[: grid.rows, : grid.columns] - middle
        distance = np.hypot(rows, columns) * pixel
        image = image + scan.ring_hu * (np.abs(distance - scan.ring_mm) < 1.5 * pixel)
    return image


def mtf_crossing(psf_mm: float, pixel_mm: float, level: float) -> float:
    """Frequency at which exp(-2 pi^2 s^2 f^2) |sinc(p f cos a) sinc(p f sin a)|, mean over all directions a, falls to `level`."""
    f = np.arange(0.0, 3.0, 1e-3)
    angle = np.linspace(0, np.pi / 4, 41)[:, None]
    value = np.exp(-2 * np.pi**2 * psf_mm**2 * f**2) * (np.sinc(pixel_mm * f * np.cos(angle)) * np.sinc(pixel_mm * f * np.sin(angle))).mean(
        0
    )
    at = int(np.argmax(value < level))
    return float(np.interp(level, [value[at], value[at - 1]], [f[at], f[at - 1]]))


def study(job: Job, name: str, parts: Sequence[Part], scan: Scan, radius_mm: float, truth: dict[str, Any]) -> Synthetic:
    """Make the DICOM study of a scan; the truth gets what the scan adds."""
    dicom_study = job.study("CT", "QA phantom", phantom_patient(name.upper()))
    pixel = scan.fov_mm / scan.matrix
    series = job.series(
        dicom_study,
        "CT",
        **CT_STORAGE,
        number=1,
        description=f"{name} {scan.thickness_mm:g} {scan.kernel}",
        body_part="PHANTOM",
        protocol="QA phantom",
        spacing_mm=(pixel, pixel),
        thickness_mm=scan.thickness_mm,
        step_mm=scan.step_mm,
        header={"ReconstructionDiameter": scan.fov_mm, "KVP": scan.kvp, "ConvolutionKernel": scan.kernel},
    )
    slices, places = render(parts, scan, radius_mm, job.rng)
    positions = place_stack(series, slices[0].shape, places)
    images = [ImageSpec(image, position, time_s=0.5 * at) for at, (image, position) in enumerate(zip(slices, positions, strict=True))]
    more = {
        "spacing_mm": (pixel, pixel),
        "slices": len(slices),
        "step_mm": scan.step_mm,
        "noise_hu": scan.noise_hu,
        "noise_variance_hu2": scan.noise_hu**2 + series.slope**2 / 12,
        "noise_peak": scan.noise_peak or None,
        "mtf50": mtf_crossing(scan.psf_mm, pixel, 0.5),
        "mtf10": mtf_crossing(scan.psf_mm, pixel, 0.1),
        "thickness_mm": scan.thickness_mm,
        "roll_deg": scan.rotation_deg,
        "origin_mm": 0.0,
        "tilt_deg": list(scan.tilt_deg),
        "offset_mm": list(scan.offset_mm),
        "ring_hu": scan.ring_hu,
    }
    return Synthetic(classic(series, images), {**more, **truth})
