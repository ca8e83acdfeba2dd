"""Recipes of magnetic resonance: brains, time series, echoes, localizers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from phantoms.synthetic.anatomy import HEAD_MR_T1, HEAD_MR_T2, HEAD_SEMI_AXES_MM, head, head_side
from phantoms.synthetic.degrade import blur, magnitude_noise
from phantoms.synthetic.dicomize import ImageSpec, SeriesSpec, StudySpec, classic, place_stack
from phantoms.synthetic.multiframe import enhanced, mosaic
from phantoms.synthetic.recipe import Job, Synthetic, recipe
from phantoms.synthetic.shapes import Grid, Image

CONTRASTS: dict[str, tuple[dict[str, float], dict[str, Any]]] = {
    "T1": (HEAD_MR_T1, {"RepetitionTime": 500.0, "EchoTime": 9.5}),
    "T2": (HEAD_MR_T2, {"RepetitionTime": 4500.0, "EchoTime": 95.0, "EchoTrainLength": 15, "SequenceName": "tse2d1_15"}),
}


def _grid(matrix: int, fov_mm: float = 240.0) -> Grid:
    return Grid(matrix, matrix, (fov_mm / matrix, fov_mm / matrix))


def _offsets(slices: int, step_mm: float) -> np.ndarray:
    return (np.arange(slices) - (slices - 1) / 2) * step_mm


def _brain(grid: Grid, slices: int, values: Mapping[str, float]) -> list[Image]:
    """Give `slices` sections without noise."""
    return [blur(head(grid, level, values), grid.spacing_mm, 0.6) for level in np.linspace(-0.9, 0.9, slices)]


def _truth(grid: Grid, sigma: float, **more: Any) -> dict[str, Any]:
    return {"spacing_mm": grid.spacing_mm, "noise_sd": sigma, **more}


@recipe
def mr_brain(
    job: Job,
    *,
    slices: int = 16,
    matrix: int = 128,
    step_mm: float = 6.0,
    thickness_mm: float = 5.0,
    snr: float = 40.0,
    coils: int = 1,
    contrasts: tuple[str, ...] = ("T1",),
) -> Synthetic:
    """Brain in one or two contrasts, one series each.

    Parameters
    ----------
    snr
        Signal of white matter over the standard deviation of the noise in one channel.
    coils
        Receive channels, combined by root sum of squares.
    contrasts
        Of ``T1`` and ``T2``.
    """
    study = job.study("MR", "MR brain")
    grid = _grid(matrix)
    datasets = []
    sigmas = {}
    for number, contrast in enumerate(contrasts, start=2):
        values, header = CONTRASTS[contrast]
        sigmas[contrast] = values["white"] / snr
        series = job.series(
            study,
            "MR",
            bits_stored=12,
            number=number,
            description=f"{contrast.lower()}_tra",
            body_part="BRAIN",
            spacing_mm=grid.spacing_mm,
            thickness_mm=thickness_mm,
            step_mm=step_mm,
            header=header,
            start_s=60.0 + 240.0 * (number - 2),
        )
        positions = place_stack(series, grid.shape, _offsets(slices, step_mm))
        datasets += classic(
            series,
            [
                ImageSpec(magnitude_noise(image, sigmas[contrast], job.rng, coils), position, time_s=2.0 * index)
                for index, (image, position) in enumerate(zip(_brain(grid, slices, values), positions, strict=True))
            ],
        )
    truth = _truth(grid, sigmas[contrasts[0]], noise_sds=sigmas, snr=snr, coils=coils, slices=slices, step_mm=step_mm)
    return Synthetic(datasets, truth)


def _time_series(job: Job, grid: Grid, slices: int, times: int, tsnr: float, drift_percent: float) -> list[np.ndarray]:
    """Give (slices, rows, columns) volumes of a brain with noise and a linear drift from first to last."""
    still = np.stack(_brain(grid, slices, HEAD_MR_T2))
    sigma = HEAD_MR_T2["white"] / tsnr
    gains = 1 + drift_percent / 100 * np.linspace(0.0, 1.0, times)
    return [magnitude_noise(still * gain, sigma, job.rng) for gain in gains]


EPI_HEADER = {
    "ScanningSequence": "EP",
    "SequenceVariant": "SK",
    "SequenceName": "epfid2d1_64",
    "RepetitionTime": 2000.0,
    "EchoTime": 30.0,
    "FlipAngle": 77.0,
    "PixelBandwidth": 2230.0,
    "InPlanePhaseEncodingDirection": "COL",
}


@recipe
def mr_4d(
    job: Job,
    *,
    slices: int = 8,
    times: int = 6,
    matrix: int = 64,
    step_mm: float = 6.0,
    tsnr: float = 80.0,
    drift_percent: float = 1.0,
    lost: tuple[tuple[int, int], ...] = (),
) -> Synthetic:
    """EPI time series in classic objects: every position once a time point, TemporalPositionIdentifier says which.

    Parameters
    ----------
    tsnr
        Signal of white matter over the noise of one image; the temporal SNR without drift.
    drift_percent
        Rise of the signal from the first to the last time point.
    lost
        (time point, slice) pairs, counted from 0, that are left out.
    """
    study = job.study("MR", "MR brain fMRI")
    grid = _grid(matrix)
    series = job.series(
        study,
        "MR",
        bits_stored=12,
        number=4,
        description="ep2d_bold",
        body_part="BRAIN",
        spacing_mm=grid.spacing_mm,
        thickness_mm=5.0,
        step_mm=step_mm,
        header={**EPI_HEADER, "NumberOfTemporalPositions": times},
    )
    positions = place_stack(series, grid.shape, _offsets(slices, step_mm))
    images = []
    for time, volume in enumerate(_time_series(job, grid, slices, times, tsnr, drift_percent)):
        header = {"TemporalPositionIdentifier": time + 1}
        images += [
            ImageSpec(image, position, header, time_s=2.0 * time + 2.0 / slices * index, number=time * slices + index + 1)
            for index, (image, position) in enumerate(zip(volume, positions, strict=True))
        ]
    datasets = classic(series, images)
    gone = {time * slices + index for time, index in lost}
    sigma = HEAD_MR_T2["white"] / tsnr
    more = {"tsnr": tsnr, "drift_percent": drift_percent, "lost": list(lost)}
    truth = _truth(grid, sigma, slices=slices, times=times, step_mm=step_mm, **more)
    return Synthetic([dataset for index, dataset in enumerate(datasets) if index not in gone], truth)


@recipe
def mr_two_echoes(
    job: Job,
    *,
    slices: int = 10,
    matrix: int = 96,
    step_mm: float = 10.0,
    thickness_mm: float = 5.0,
    echo_times_ms: tuple[float, ...] = (20.0, 80.0),
    t2_ms: float = 100.0,
    snr: float = 40.0,
) -> Synthetic:
    """Two (or more) echoes at every position in one series; TR is written as 499.99951171875, as some scanners do.

    Parameters
    ----------
    t2_ms
        Every tissue decays with this T2, so the ratio of two echoes is exp(-(TE2 - TE1) / T2).
    snr
        Of white matter in an echo at TE 0.
    """
    study = job.study("MR15", "MR brain")
    grid = _grid(matrix)
    series = job.series(
        study,
        "MR",
        bits_stored=12,
        number=3,
        description="Ax PD/T2 SE",
        body_part="BRAIN",
        spacing_mm=grid.spacing_mm,
        thickness_mm=thickness_mm,
        step_mm=step_mm,
        header={"ImageType": ["ORIGINAL", "PRIMARY", "OTHER"], "RepetitionTime": "499.99951171875"},
    )
    positions = place_stack(series, grid.shape, _offsets(slices, step_mm))
    sigma = HEAD_MR_T1["white"] / snr
    images = []
    for index, (image, position) in enumerate(zip(_brain(grid, slices, HEAD_MR_T1), positions, strict=True)):
        for echo, te in enumerate(echo_times_ms):
            signal = magnitude_noise(image * np.exp(-te / t2_ms), sigma, job.rng)
            images.append(ImageSpec(signal, position, {"EchoTime": te, "EchoNumbers": echo + 1}, time_s=2.0 * index))
    truth = _truth(grid, sigma, slices=slices, step_mm=step_mm, echo_times_ms=list(echo_times_ms), t2_ms=t2_ms)
    return Synthetic(classic(series, images), truth)


@recipe
def enhanced_mr(
    job: Job,
    *,
    slices: int = 10,
    times: int = 1,
    echo_times_ms: tuple[float, ...] = (20.0,),
    matrix: int = 96,
    step_mm: float = 6.0,
    snr: float = 40.0,
    slope_per_frame: bool = False,
    lost_frames: tuple[int, ...] = (),
) -> Synthetic:
    """Brain as one enhanced multi-frame object, with time points and echoes if asked for.

    Parameters
    ----------
    slope_per_frame
        Give every frame another rescale slope; the real values stay what they are.
    lost_frames
        Indices of frames that are left out.
    """
    study = job.study("MR", "MR brain")
    grid = _grid(matrix)
    series = job.series(
        study,
        "MR",
        number=5,
        description="t1_tra enhanced",
        body_part="BRAIN",
        spacing_mm=grid.spacing_mm,
        thickness_mm=5.0,
        step_mm=step_mm,
    )
    positions = place_stack(series, grid.shape, _offsets(slices, step_mm))
    sigma = HEAD_MR_T1["white"] / snr
    brain = _brain(grid, slices, HEAD_MR_T1)
    frames = [
        ImageSpec(
            magnitude_noise(image * np.exp(-te / 100.0), sigma, job.rng),
            position,
            {"TemporalPositionIdentifier": time + 1, "EchoTime": te},
            slope=0.05 * (index + 1) if slope_per_frame else None,
            time_s=2.0 * time,
        )
        for time in range(times)
        for te in echo_times_ms
        for index, (image, position) in enumerate(zip(brain, positions, strict=True))
    ]
    frames = [frame for index, frame in enumerate(frames) if index not in lost_frames]
    truth = _truth(grid, sigma, slices=slices, times=times, echoes=len(echo_times_ms), frames=len(frames), step_mm=step_mm)
    return Synthetic([enhanced(series, frames)], truth)


@recipe
def mosaic_epi(job: Job, *, slices: int = 10, times: int = 4, matrix: int = 48, step_mm: float = 6.0, tsnr: float = 80.0) -> Synthetic:
    """EPI time series as Siemens mosaics: the slices of a time point are tiled in one image.

    Parameters
    ----------
    slices
        Told in the private element (0019,xx0A).
    """
    study = job.study("MR", "MR brain fMRI")
    grid = _grid(matrix)
    series = job.series(
        study,
        "MR",
        bits_stored=12,
        number=6,
        description="ep2d_bold_moco",
        body_part="BRAIN",
        spacing_mm=grid.spacing_mm,
        thickness_mm=5.0,
        step_mm=step_mm,
        header=EPI_HEADER,
    )
    first = place_stack(series, grid.shape, _offsets(slices, step_mm))[0]
    volumes = _time_series(job, grid, slices, times, tsnr, 0.0)
    headers = [{"AcquisitionNumber": time + 1} for time in range(times)]
    sigma = HEAD_MR_T2["white"] / tsnr
    more = {"tsnr": tsnr, "first_slice_mm": first.tolist(), "tiles": int(np.ceil(np.sqrt(slices)))}
    truth = _truth(grid, sigma, slices=slices, times=times, step_mm=step_mm, **more)
    return Synthetic(mosaic(series, volumes, first, headers), truth)


@recipe
def localizer_3plane(job: Job, *, per_plane: int = 3, matrix: int = 128, snr: float = 25.0) -> Synthetic:
    """Three-plane localizer: `per_plane` axial, sagittal and coronal images in one series."""
    study = job.study("MR", "MR brain")
    grid = _grid(matrix, 280.0)
    width, length, height = HEAD_SEMI_AXES_MM
    pictures = {
        "axial": head(grid, 0.0, HEAD_MR_T1),
        "sagittal": head_side(grid, HEAD_MR_T1, length, height),
        "coronal": head_side(grid, HEAD_MR_T1, width, height),
    }
    sigma = HEAD_MR_T1["white"] / snr
    images = []
    series = _localizer(job, study, grid, "axial")
    for name, picture in pictures.items():
        plane = _localizer(job, study, grid, name)
        for position in place_stack(plane, grid.shape, _offsets(per_plane, 20.0)):
            # one series, so all images go through one spec; the plane of each stands in its own header
            header = {"ImageOrientationPatient": plane.directions[:2].ravel(), "SliceLocation": float(position @ plane.directions[2])}
            images.append(ImageSpec(magnitude_noise(picture, sigma, job.rng), position, header))
    return Synthetic(classic(series, images), _truth(grid, sigma, slices=3 * per_plane, planes=3))


def _localizer(job: Job, study: StudySpec, grid: Grid, plane: str) -> SeriesSpec:
    return job.series(
        study,
        "MR",
        bits_stored=12,
        number=1,
        description="localizer",
        body_part="BRAIN",
        orientation=plane,
        spacing_mm=grid.spacing_mm,
        thickness_mm=8.0,
        header={
            "ScanningSequence": "GR",
            "RepetitionTime": 8.6,
            "EchoTime": 4.0,
            "FlipAngle": 20.0,
            "ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"],
        },
    )
