"""Recipes of the uniform MR phantom: a disc of one signal, for SNR, uniformity and ghosting."""

from __future__ import annotations

from typing import Any

import numpy as np

from phantoms.synthetic.degrade import blur, ghost, magnitude_noise, shade, through_psf
from phantoms.synthetic.dicomize import ImageSpec, SeriesSpec, StudySpec, classic
from phantoms.synthetic.recipe import Job, Synthetic, recipe
from phantoms.synthetic.scanners import phantom_patient
from phantoms.synthetic.shapes import Grid, Image, disc


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
