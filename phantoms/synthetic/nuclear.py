"""Recipes of nuclear medicine: the flood of a gamma camera and a small PET scan."""

from __future__ import annotations

import numpy as np

from phantoms.synthetic.anatomy import HEAD_MR_T1, head
from phantoms.synthetic.degrade import blur, gaussian_noise, poisson_noise
from phantoms.synthetic.dicomize import ImageSpec, classic, place_stack
from phantoms.synthetic.recipe import Job, Synthetic, recipe
from phantoms.synthetic.scanners import phantom_patient
from phantoms.synthetic.shapes import Grid, disc, ellipse, paint_all, rectangle


@recipe
def nm_flood(
    job: Job,
    *,
    matrix: int = 64,
    mean_counts: float = 10000.0,
    field_mm: tuple[float, float] = (533.0, 387.0),
    gradient_per_mm: float = 0.0,
    cold_spot: float = 0.0,
    cold_spot_radius_mm: float = 20.0,
) -> Synthetic:
    """Intrinsic flood of a gamma camera: Poisson counts in the useful field of view.

    Parameters
    ----------
    mean_counts
        Expected counts a pixel in the middle.
    field_mm
        (width, height) of the useful field of view.
    gradient_per_mm
        Relative change of sensitivity along x.
    cold_spot, cold_spot_radius_mm
        Missing part of the counts (0 to 1) in a disc at (60, 40) mm: a photomultiplier out of tune.
    """
    study = job.study("NM", "Flood QC", phantom_patient("FLOOD"))
    spacing = 614.4 / matrix
    grid = Grid(matrix, matrix, (spacing, spacing))
    x, _ = grid.coordinates()
    expected = mean_counts * rectangle(grid, (0, 0), field_mm) * (1.0 + gradient_per_mm * x)
    expected = expected * (1.0 - cold_spot * disc(grid, (60.0, 40.0), cold_spot_radius_mm))
    counts = poisson_noise(expected, job.rng)
    series = job.series(
        study,
        "NM",
        number=1,
        description="Intrinsic flood Tc99m",
        body_part="PHANTOM",
        spacing_mm=grid.spacing_mm,
        counts=False,
        header={"CountsAccumulated": int(counts.sum())},
    )
    truth = {
        "spacing_mm": grid.spacing_mm,
        "mean_counts": mean_counts,
        "noise_percent": 100.0 / mean_counts**0.5,
        "total_counts": int(counts.sum()),
        "field_mm": field_mm,
        "gradient_per_mm": gradient_per_mm,
        "cold_spot": cold_spot,
    }
    return Synthetic(classic(series, [ImageSpec(counts)]), truth)


@recipe
def nm_bone(job: Job, *, matrix: tuple[int, int] = (512, 128), peak_counts: float = 60.0) -> Synthetic:
    """Planar bone scan of the whole body from the front and from the back, one series a view, Poisson counts.

    Parameters
    ----------
    peak_counts
        Expected counts a pixel in the spine.
    """
    study = job.study("NM", "Bone scan")
    spacing = 2000.0 / matrix[0]
    grid = Grid(*matrix, (spacing, spacing))
    datasets = []
    for number, view in enumerate(("anterior", "posterior"), start=1):
        side = 1.0 if view == "anterior" else -1.0
        soft, bone = 0.12 * peak_counts, 0.6 * peak_counts
        expected = paint_all(
            np.zeros(grid.shape),
            [
                (ellipse(grid, (0, -780), (75, 110)), bone),
                (ellipse(grid, (0, -430), (165, 270)), soft),
                (ellipse(grid, (0, -90), (160, 140)), bone),
                *((rectangle(grid, (x, 420), (90, 780)), soft) for x in (-85, 85)),
                *((rectangle(grid, (x, 380), (26, 760)), bone) for x in (-85, 85)),
                *((rectangle(grid, (x, -330), (40, 560)), soft) for x in (-205, 205)),
                (rectangle(grid, (0, -400), (44, 560)), peak_counts),
                (disc(grid, (side * 60, -230), 35), 0.8 * peak_counts),  # a kidney: shows a flip
            ],
        )
        counts = poisson_noise(blur(expected, grid.spacing_mm, 6.0), job.rng)
        series = job.series(
            study,
            "NM",
            number=number,
            description=f"WB {view} Tc99m MDP",
            body_part="WHOLEBODY",
            spacing_mm=grid.spacing_mm,
            counts=False,
            start_s=60.0,
            header={"CountsAccumulated": int(counts.sum()), "ImageType": ["ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION"]},
        )
        datasets += classic(series, [ImageSpec(counts)])
    return Synthetic(datasets, {"spacing_mm": grid.spacing_mm, "peak_counts": peak_counts, "views": 2})


@recipe
def pt_brain(job: Job, *, slices: int = 12, matrix: int = 64, step_mm: float = 6.0, noise_percent: float = 8.0) -> Synthetic:
    """FDG brain PET: activity in Bq/ml, and a rescale slope of its own for every slice, as PET cameras write it.

    Parameters
    ----------
    noise_percent
        Of the activity of grey matter.
    """
    study = job.study("PT", "FDG brain")
    grid = Grid(matrix, matrix, (256.0 / matrix, 256.0 / matrix))
    activity = {tissue: 15.0 * value if tissue in ("grey", "white") else 0.5 * value for tissue, value in HEAD_MR_T1.items()}
    sigma = noise_percent / 100.0 * activity["grey"]
    series = job.series(
        study,
        "PT",
        bits_stored=16,
        signed=True,
        number=3,
        description="PET AC",
        body_part="BRAIN",
        spacing_mm=grid.spacing_mm,
        thickness_mm=step_mm,
        header={"NumberOfSlices": slices},
    )
    positions = place_stack(series, grid.shape, (np.arange(slices) - (slices - 1) / 2) * step_mm)
    images, slopes = [], []
    for index, (level, position) in enumerate(zip(np.linspace(-0.9, 0.9, slices), positions, strict=True)):
        values = np.maximum(gaussian_noise(blur(head(grid, level, activity), grid.spacing_mm, 2.5), sigma, job.rng), 0.0)
        slope = round(float(values.max()) / 32767.0, 6)
        slopes.append(slope)
        images.append(ImageSpec(values, position, {"ImageIndex": index + 1}, slope=slope))
    truth = {"spacing_mm": grid.spacing_mm, "slices": slices, "step_mm": step_mm, "noise_sd": sigma, "slopes": slopes}
    return Synthetic(classic(series, images), truth)
