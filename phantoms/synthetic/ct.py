"""Recipes of computed tomography."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from phantoms.synthetic.anatomy import CHEST_CT_HU, HEAD_CT_HU, chest, head
from phantoms.synthetic.degrade import gaussian_noise, through_psf
from phantoms.synthetic.dicomize import ImageSpec, SeriesSpec, classic, place_stack
from phantoms.synthetic.multiframe import enhanced
from phantoms.synthetic.recipe import Job, Synthetic, recipe
from phantoms.synthetic.scanners import phantom_patient
from phantoms.synthetic.shapes import Grid, Image, box, disc, paint

CT_STORAGE = {"bits_stored": 12, "intercept": -1024.0}


def _stack(
    job: Job,
    series: SeriesSpec,
    draw: Callable[[Grid, float], Image],
    grid: Grid,
    offsets_mm: ArrayLike,
    noise_hu: float,
    psf_mm: float = 0.0,
    seconds: float = 0.5,
) -> list[ImageSpec]:
    """Draw one noisy image a position; `draw` gets the level, from -1 at the first position to 1 at the last."""
    offsets = np.asarray(offsets_mm, dtype=float)
    levels = np.interp(offsets, [offsets.min(), offsets.max()], [-1.0, 1.0]) if len(offsets) > 1 else np.zeros(1)
    positions = place_stack(series, grid.shape, offsets)
    return [
        ImageSpec(
            gaussian_noise(through_psf(grid, lambda g, level=level: draw(g, level), psf_mm), noise_hu, job.rng),
            position,
            time_s=seconds * index,
        )
        for index, (level, position) in enumerate(zip(levels, positions, strict=True))
    ]


def _truth(grid: Grid, series: SeriesSpec, noise_hu: float, **more: Any) -> dict[str, Any]:
    return {"spacing_mm": grid.spacing_mm, "noise_hu": noise_hu, "noise_sd_stored": noise_hu / series.slope, **more}


def _centred(slices: int, step_mm: float) -> np.ndarray:
    return (np.arange(slices) - (slices - 1) / 2) * step_mm


@recipe
def ct_head(
    job: Job,
    *,
    slices: int = 20,
    matrix: int = 128,
    fov_mm: float = 240.0,
    step_mm: float = 5.0,
    noise_hu: float = 4.0,
    scout: bool = False,
) -> Synthetic:
    """Head CT on its couch; air is -1000 HU.

    Parameters
    ----------
    slices, step_mm
        Contiguous slices of that thickness.
    noise_hu
        Standard deviation of the white noise.
    scout
        Put a projection localizer of its own series in front.
    """
    study = job.study("CT", "CT head")
    grid = Grid(matrix, matrix, (fov_mm / matrix, fov_mm / matrix))
    series = job.series(
        study,
        "CT",
        **CT_STORAGE,
        number=2,
        description="Head 5.0 H31s",
        body_part="HEAD",
        spacing_mm=grid.spacing_mm,
        thickness_mm=step_mm,
        step_mm=step_mm,
        header={"ReconstructionDiameter": fov_mm},
    )
    images = _stack(job, series, lambda g, level: head(g, level, HEAD_CT_HU, table=True), grid, _centred(slices, step_mm), noise_hu)
    datasets = _scout(job, study, slices * step_mm) if scout else []
    truth = _truth(grid, series, noise_hu, slices=slices, step_mm=step_mm, air_hu=-1000.0)
    return Synthetic(datasets + classic(series, images), truth)


def _scout(job: Job, study: Any, length_mm: float) -> list[Any]:
    grid = Grid(128, 128, (2.0, 2.0))
    series = job.series(
        study,
        "CT",
        **CT_STORAGE,
        number=1,
        description="Topogram",
        body_part="HEAD",
        orientation="sagittal",
        spacing_mm=grid.spacing_mm,
        thickness_mm=0.6,
        start_s=20.0,
        header={"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"], "ConvolutionKernel": "T80s"},
    )
    picture = gaussian_noise(paint(np.full(grid.shape, -900.0), disc(grid, (0, 0), 90), 100.0), 8.0, job.rng)
    return classic(series, [ImageSpec(picture, series.first_pixel((0, 0, 0), grid.shape))])


@recipe
def ct_chest(
    job: Job, *, slices: int = 16, matrix: int = 128, fov_mm: float = 440.0, step_mm: float = 5.0, noise_hu: float = 8.0
) -> Synthetic:
    """Chest CT whose tube current follows the body, as dose modulation makes it (a trap for constancy checks).

    Parameters
    ----------
    noise_hu
        Standard deviation of the white noise.
    """
    study = job.study("CT", "CT thorax")
    grid = Grid(matrix, matrix, (fov_mm / matrix, fov_mm / matrix))
    series = job.series(
        study,
        "CT",
        **CT_STORAGE,
        number=2,
        description="Thorax 5.0 B41f",
        body_part="CHEST",
        spacing_mm=grid.spacing_mm,
        thickness_mm=step_mm,
        step_mm=step_mm,
        header={"ReconstructionDiameter": fov_mm, "ConvolutionKernel": "B41f"},
    )
    images = _stack(job, series, lambda g, level: chest(g, level, CHEST_CT_HU), grid, _centred(slices, step_mm), noise_hu)
    currents = [180 + 10 * (index % 5) for index in range(slices)]
    images = [
        ImageSpec(image.values, image.position_mm, {"XRayTubeCurrent": current, "Exposure": current // 2}, time_s=image.time_s)
        for image, current in zip(images, currents, strict=True)
    ]
    return Synthetic(
        classic(series, images), _truth(grid, series, noise_hu, slices=slices, step_mm=step_mm, air_hu=-1000.0, tube_current_ma=currents)
    )


@recipe
def gantry_tilt_ct(
    job: Job,
    *,
    slices: int = 12,
    matrix: int = 96,
    fov_mm: float = 240.0,
    table_step_mm: float = 5.0,
    tilt_deg: float = 14.0,
    tilt_tag: bool = True,
) -> Synthetic:
    """Head CT with a tilted gantry: the planes are oblique, the table moves along z, so the stack is sheared but complete.

    Parameters
    ----------
    table_step_mm
        Table feed; the distance between planes is smaller by the cosine of the tilt.
    tilt_tag
        State GantryDetectorTilt; without, the tilt shows in the geometry only.
    """
    study = job.study("CT", "CT head")
    grid = Grid(matrix, matrix, (fov_mm / matrix, fov_mm / matrix))
    tilt = np.deg2rad(tilt_deg)
    orientation = (1.0, 0.0, 0.0, 0.0, float(np.cos(tilt)), float(-np.sin(tilt)))
    series = job.series(
        study,
        "CT",
        **CT_STORAGE,
        number=2,
        description="Head tilted H31s",
        body_part="HEAD",
        orientation=orientation,
        spacing_mm=grid.spacing_mm,
        thickness_mm=table_step_mm,
        header={"GantryDetectorTilt": tilt_deg if tilt_tag else None},
    )
    straight = _stack(job, series, lambda g, level: head(g, level, HEAD_CT_HU), grid, _centred(slices, table_step_mm), 4.0)
    first = series.first_pixel((0, 0, 0), grid.shape)
    images = [
        ImageSpec(image.values, first + np.array([0, 0, z]), time_s=image.time_s)
        for image, z in zip(straight, _centred(slices, table_step_mm), strict=True)
    ]
    truth = _truth(
        grid, series, 4.0, slices=slices, tilt_deg=tilt_deg, table_step_mm=table_step_mm, step_mm=table_step_mm * float(np.cos(tilt))
    )
    return Synthetic(classic(series, images), truth)


@recipe
def two_zone_ct(job: Job, *, thin: int = 10, thick: int = 8, thin_mm: float = 2.5, thick_mm: float = 7.5, matrix: int = 96) -> Synthetic:
    """Head CT with thin slices through the skull base and thick ones above, each with its own SliceThickness: legitimate, nothing missing.

    Parameters
    ----------
    thin, thick
        Number of slices of each zone.
    thin_mm, thick_mm
        Thickness and spacing of each zone; the slices touch.
    """
    study = job.study("CT", "CT head")
    grid = Grid(matrix, matrix, (240.0 / matrix, 240.0 / matrix))
    thickness = np.array([thin_mm] * thin + [thick_mm] * thick)
    offsets = np.cumsum(thickness) - thickness / 2
    series = job.series(study, "CT", **CT_STORAGE, number=2, description="Head 2.5/7.5 H31s", body_part="HEAD", spacing_mm=grid.spacing_mm)
    images = [
        ImageSpec(image.values, image.position_mm, {"SliceThickness": float(t)}, time_s=image.time_s)
        for image, t in zip(_stack(job, series, lambda g, level: head(g, level, HEAD_CT_HU), grid, offsets, 4.0), thickness, strict=True)
    ]
    truth = _truth(grid, series, 4.0, slices=thin + thick, zones_mm=[thin_mm, thick_mm], offsets_mm=offsets.tolist())
    return Synthetic(classic(series, images), truth)


@recipe
def ct_water(
    job: Job,
    *,
    slices: int = 3,
    matrix: int = 256,
    fov_mm: float = 250.0,
    diameter_mm: float = 200.0,
    water_hu: float = 0.0,
    noise_hu: float = 4.0,
    cupping_hu: float = 0.0,
    ring_hu: float = 0.0,
    ring_mm: float = 30.0,
    offset_mm: tuple[float, float] = (0.0, 0.0),
    table: bool = True,
) -> Synthetic:
    """Water cylinder of the daily test, with its plastic wall (120 HU, 5 mm) and the couch.

    Parameters
    ----------
    diameter_mm
        Of the water, inside the wall.
    water_hu, noise_hu
        Mean and standard deviation of the water.
    cupping_hu
        How much lower the middle is than the rim (quadratic).
    ring_hu, ring_mm
        Height and radius of a ring of three pixels about the middle of the image.
    offset_mm
        (x, y) of the cylinder from the middle of the image.
    """
    study = job.study("CT", "Daily QA", phantom_patient("WATER"))
    grid = Grid.shifted(matrix, matrix, (fov_mm / matrix, fov_mm / matrix), offset_mm)
    radius = diameter_mm / 2

    def draw(grid: Grid, level: float) -> Image:
        x, y = grid.coordinates()
        water = water_hu - cupping_hu * (1 - (x**2 + y**2) / radius**2)
        image = np.full(grid.shape, -1000.0)
        if table:
            image = paint(image, box(grid, -110, radius + 8, 110, radius + 20), -300.0)
        image = paint(image, disc(grid, (0, 0), radius + 5), 120.0)
        distance = np.hypot(x + offset_mm[0], y + offset_mm[1])  # rings lie about the middle of the scanner, not of the phantom
        water = water + ring_hu * (np.abs(distance - ring_mm) < 1.5 * fov_mm / matrix)
        return paint(image, disc(grid, (0, 0), radius), water)

    series = job.series(
        study,
        "CT",
        **CT_STORAGE,
        number=1,
        description="Water phantom",
        body_part="PHANTOM",
        protocol="DailyQA Water",
        spacing_mm=grid.spacing_mm,
        thickness_mm=5.0,
        step_mm=5.0,
        header={"ReconstructionDiameter": fov_mm},
    )
    images = _stack(job, series, draw, grid, _centred(slices, 5.0), noise_hu, psf_mm=0.5)
    truth = _truth(
        grid,
        series,
        noise_hu,
        slices=slices,
        water_hu=water_hu,
        air_hu=-1000.0,
        diameter_mm=diameter_mm,
        cupping_hu=cupping_hu,
        ring_hu=ring_hu,
        ring_mm=ring_mm,
        centre_px=grid.to_pixels((0, 0))[0].tolist(),
    )
    return Synthetic(classic(series, images), truth)


@recipe
def enhanced_ct(job: Job, *, slices: int = 10, matrix: int = 96, step_mm: float = 5.0, lost_frames: tuple[int, ...] = ()) -> Synthetic:
    """Head CT as one enhanced multi-frame object.

    Parameters
    ----------
    lost_frames
        Indices of positions that are left out.
    """
    study = job.study("CT", "CT head")
    grid = Grid(matrix, matrix, (240.0 / matrix, 240.0 / matrix))
    series = job.series(
        study,
        "CT",
        **CT_STORAGE,
        number=2,
        description="Head 5.0 H31s enhanced",
        body_part="HEAD",
        spacing_mm=grid.spacing_mm,
        thickness_mm=step_mm,
        step_mm=step_mm,
    )
    images = _stack(job, series, lambda g, level: head(g, level, HEAD_CT_HU), grid, _centred(slices, step_mm), 4.0)
    images = [image for index, image in enumerate(images) if index not in lost_frames]
    return Synthetic([enhanced(series, images)], _truth(grid, series, 4.0, slices=slices, frames=len(images), step_mm=step_mm))
