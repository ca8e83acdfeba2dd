"""Recipes of plain MR phantoms: a disc of one signal, for SNR, uniformity and ghosting; one with plates, for slice thickness."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from phantoms.synthetic.degrade import blur, ghost, magnitude_noise, shade, through_psf
from phantoms.synthetic.dicomize import ImageSpec, SeriesSpec, StudySpec, classic
from phantoms.synthetic.recipe import Job, Synthetic, recipe
from phantoms.synthetic.scanners import phantom_patient
from phantoms.synthetic.shapes import Grid, Image, box, disc, paint


def _disc_image(
    grid: Grid,
    diameter_mm: float,
    amplitude: float,
    gradient_per_mm: tuple[float, float],
    quadratic_per_mm2: float = 0.0,
    ghost_amplitude: float = 0.0,
    ghost_axis: int = 0,
) -> Image:
    """Signal without noise. The ghost lies in the air only, so the signal of the phantom stays what it was."""
    coverage = disc(grid, (0, 0), diameter_mm / 2)
    image = shade(amplitude * coverage, grid, gradient_per_mm, quadratic_per_mm2)
    if ghost_amplitude:
        image = ghost(image, ghost_amplitude, ghost_axis, where=1.0 - disc(grid, (0, 0), diameter_mm / 2 + 2.0))
    return image


def _series(job: Job, study: StudySpec, grid: Grid, number: int, repeat: int) -> SeriesSpec:
    return job.series(
        study,
        "MR",
        bits_stored=16,
        number=number,
        description="SNR uniform",
        protocol="QA uniform phantom",
        body_part="PHANTOM",
        spacing_mm=grid.spacing_mm,
        thickness_mm=5.0,
        start_s=60.0 * (1 + repeat),
        header={"RepetitionTime": 1000.0, "EchoTime": 30.0, "ReceiveCoilName": "Head"},
    )


@recipe
def uniform_disc(
    job: Job,
    *,
    diameter_mm: float = 170.0,
    spacing_mm: tuple[float, float] = (1.0, 1.0),
    matrix: tuple[int, int] = (256, 256),
    amplitude: float = 1000.0,
    snr: float = 100.0,
    coils: int = 1,
    shading_per_mm: tuple[float, float] = (0.0, 0.0),
    quadratic_per_mm2: float = 0.0,
    offset_mm: tuple[float, float] = (0.0, 0.0),
    blur_mm: float = 0.0,
    ghost_amplitude: float = 0.0,
    ghost_axis: int = 0,
) -> Synthetic:
    """One slice of a uniform phantom.

    Parameters
    ----------
    spacing_mm, matrix
        (row, column) spacing in mm, (rows, columns).
    amplitude
        Signal in the middle.
    snr
        Amplitude over the standard deviation of the noise in one channel of one coil; ``inf`` for none.
    coils
        Channels combined by root sum of squares.
    shading_per_mm, quadratic_per_mm2
        Shading, see `degrade.shade`; along (x, y).
    blur_mm
        Standard deviation of the point spread function in mm; it smooths the signal, not the noise.
    ghost_amplitude, ghost_axis
        N/2 ghost in the air, as a part of the signal; axis 0 is up and down. The percent signal ghosting is 100 times the amplitude.
    """
    study = job.study("MR", "QA weekly", phantom_patient("UNIFORM"))
    grid = Grid.shifted(*matrix, spacing_mm, offset_mm)
    clean = through_psf(
        grid,
        lambda g: _disc_image(g, diameter_mm, amplitude, shading_per_mm, quadratic_per_mm2, ghost_amplitude, ghost_axis),
        blur_mm,
    )
    series = _series(job, study, grid, 2, 0)
    image = _noisy(clean, amplitude, snr, coils, job)
    datasets = classic(series, [ImageSpec(image, series.first_pixel((0, 0, 0), grid.shape))])
    return Synthetic(datasets, _truth(grid, series, diameter_mm, amplitude, snr, coils, shading_per_mm, ghost_amplitude))


@recipe
def uniform_pair(
    job: Job,
    *,
    diameter_mm: float = 170.0,
    spacing_mm: tuple[float, float] = (1.0, 1.0),
    matrix: tuple[int, int] = (256, 256),
    amplitude: float = 1000.0,
    snr: float = 100.0,
    coils: int = 1,
    shading_per_mm: tuple[float, float] = (0.0, 0.0),
    offset_mm: tuple[float, float] = (0.0, 0.0),
    two_series: bool = True,
    noise_blur_mm: float = 0.0,
) -> Synthetic:
    """Two identical scans of the uniform phantom a minute apart, with independent noise.

    Parameters
    ----------
    two_series
        One series each; else two acquisitions in one series.
    noise_blur_mm
        Smooth image and noise together, as an interpolated reconstruction does: the noise becomes correlated and smaller, and ``noise_sd``
        of the truth is no longer what the images have.
    """
    study = job.study("MR", "QA weekly", phantom_patient("UNIFORM"))
    grid = Grid.shifted(*matrix, spacing_mm, offset_mm)
    clean = _disc_image(grid, diameter_mm, amplitude, shading_per_mm)
    pictures = [_noisy(clean, amplitude, snr, coils, job) for _ in range(2)]
    if noise_blur_mm:
        pictures = [blur(picture, spacing_mm, noise_blur_mm) for picture in pictures]
    series = _series(job, study, grid, 2, 0)
    position = series.first_pixel((0, 0, 0), grid.shape)
    if two_series:
        datasets = [classic(_series(job, study, grid, 2 + i, i), [ImageSpec(picture, position)])[0] for i, picture in enumerate(pictures)]
    else:
        datasets = classic(
            series, [ImageSpec(picture, position, {"AcquisitionNumber": i + 1}, time_s=60.0 * i) for i, picture in enumerate(pictures)]
        )
    truth = _truth(grid, series, diameter_mm, amplitude, snr, coils, shading_per_mm, 0.0)
    return Synthetic(datasets, truth | {"noise_correlated": noise_blur_mm > 0})


@recipe
def mri_ramps(
    job: Job,
    *,
    thickness_mm: float = 5.0,
    tilt_deg: float = 0.0,
    spacing_mm: tuple[float, float] = (1.0, 1.0),
    matrix: tuple[int, int] = (256, 256),
    amplitude: float = 1000.0,
    snr: float = 100.0,
    depth: float = 0.25,
    shading_per_mm: tuple[float, float] = (0.0005, 0.0),
    offset_mm: tuple[float, float] = (0.0, 0.0),
    rotation_deg: float = 0.0,
    stretch: float = 1.0,
) -> Synthetic:
    """One slice of a round phantom (190 mm) with nine rods 60 mm apart and two plates that cross the slice at 11.3 degrees.

    Parameters
    ----------
    thickness_mm, tilt_deg
        Of the slice, and of the phantom about the axis that lies across the plates.
    depth
        Part of the signal that a plate takes away where the slice is all inside it.
    stretch
        The picture shows every length so many times longer.
    """
    study = job.study("MR", "QA slice width", phantom_patient("RAMPS"))
    grid = Grid.shifted(*matrix, (spacing_mm[0] / stretch, spacing_mm[1] / stretch), offset_mm, rotation_deg)
    angles = [np.deg2rad(11.3 + side * tilt_deg) for side in (1, -1)]
    lengths = [float(thickness_mm / np.tan(angle)) for angle in angles]

    def draw(fine: Grid) -> Image:
        x, _ = fine.coordinates()
        water = disc(fine, (0, 0), 95.0)
        for side, length in zip((-1, 1), lengths, strict=True):
            edge = length / thickness_mm  # of a plate of 1 mm
            profile = np.clip((length / 2 + edge / 2 - np.abs(x - 3.0 * side)) / edge, 0.0, 1.0)
            water = water * (1 - depth * profile * box(fine, -55.0, 30.0 * side - 15.0, 55.0, 30.0 * side + 15.0))
        for across in (-60.0, 0.0, 60.0):
            for down in (-60.0, 0.0, 60.0):
                water = paint(water, disc(fine, (across, down), 2.5), 0.0)
        return shade(amplitude * water, fine, shading_per_mm)

    series = _series(job, study, grid, 2, 0)
    series = dataclasses.replace(series, description="slice width", spacing_mm=spacing_mm, thickness_mm=thickness_mm)
    image = _noisy(through_psf(grid, draw, 0.4), amplitude, snr, 1, job)
    datasets = classic(series, [ImageSpec(image, series.first_pixel((0, 0, 0), grid.shape))])
    return Synthetic(datasets, {"thickness_mm": thickness_mm, "lengths_mm": lengths, "rods_apart_mm": 120.0 * stretch})


def _noisy(clean: Image, amplitude: float, snr: float, coils: int, job: Job) -> Image:
    return magnitude_noise(clean, amplitude / snr, job.rng, coils) if np.isfinite(snr) else clean


def _truth(
    grid: Grid,
    series: SeriesSpec,
    diameter_mm: float,
    amplitude: float,
    snr: float,
    coils: int,
    shading_per_mm: tuple[float, float],
    ghost_amplitude: float,
) -> dict[str, Any]:
    sigma = amplitude / snr
    return {
        "diameter_mm": diameter_mm,
        "spacing_mm": grid.spacing_mm,
        "centre_px": grid.to_pixels((0, 0))[0].tolist(),
        "amplitude": amplitude,
        "snr": snr,
        "noise_sd": sigma,
        "noise_sd_stored": sigma / series.slope,
        "coils": coils,
        "shading_per_mm": shading_per_mm,
        "psg_percent": 100.0 * ghost_amplitude,
    }
