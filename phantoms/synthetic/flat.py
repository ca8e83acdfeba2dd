"""Recipe of a detector under an even exposure."""

from __future__ import annotations

import numpy as np

from phantoms.synthetic.dicomize import ImageSpec, classic
from phantoms.synthetic.recipe import Job, Synthetic, recipe
from phantoms.synthetic.scanners import phantom_patient
from phantoms.synthetic.shapes import Grid


@recipe
def flat_field(
    job: Job,
    *,
    matrix: tuple[int, int] = (600, 500),
    spacing_mm: float = 0.2,
    signal: float = 3000.0,
    quantum: float = 0.5,
    slope_per_mm: tuple[float, float] = (0.0, 0.0),
    heel: float = 0.0,
    dead_pixels: int = 0,
    dead_column: int | None = None,
    dead_row: int | None = None,
    cluster: tuple[int, int] | None = None,
    collimated_mm: float = 0.0,
    images: int = 1,
) -> Synthetic:
    """Raw radiograph without an object, 14 bits; signal grows with exposure.

    Parameters
    ----------
    quantum
        Grey values of one photon: the variance of the noise is this times the signal.
    slope_per_mm
        Change of the gain along (x, y) as a part of the signal in the middle.
    heel
        Part of the signal that is lost at the anode's end (top), with the square of the way from the other end.
    dead_pixels
        Single pixels without signal; none touches another defect.
    dead_column, dead_row, cluster
        Index of a line without signal; (rows, columns) of a block without signal.
    collimated_mm
        Border behind the collimator on every side.
    """
    study = job.study("DX", "QA detector", phantom_patient("FLATFIELD"))
    grid = Grid(*matrix, (spacing_mm, spacing_mm))
    x, y = np.broadcast_arrays(*grid.coordinates())
    way = (matrix[0] / 2 * spacing_mm - y) / (matrix[0] * spacing_mm)  # 0 at the bottom, 1 at the top
    clean = signal * (1 + slope_per_mm[0] * x + slope_per_mm[1] * y) * (1 - heel * way**2)
    edge = round(collimated_mm / spacing_mm)
    if edge:
        inside = np.zeros(matrix, bool)
        inside[edge:-edge, edge:-edge] = True
        clean = np.where(inside, clean, 0.02 * signal)
    block, points = _defects(job, matrix, edge, dead_pixels, dead_column, dead_row, cluster)
    pictures = []
    for _ in range(images):
        picture = np.rint(job.rng.poisson(clean / quantum) * quantum)
        picture[block] = 0
        picture[:, [] if dead_column is None else [dead_column]] = 0
        picture[[] if dead_row is None else [dead_row]] = 0
        pictures.append(picture)
    series = job.series(
        study,
        "DX",
        bits_stored=14,
        number=1,
        description="Flat field",
        body_part="PHANTOM",
        spacing_mm=grid.spacing_mm,
        counts=False,
        header={
            "PresentationIntentType": "FOR PROCESSING",
            "SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.1.1",
            "PixelIntensityRelationshipSign": 1,
            "Grid": "NONE",
            "ViewPosition": None,
            "ImageLaterality": "U",
        },
    )
    truth = {
        "signal": signal,
        "noise_sd": float(np.sqrt(quantum * signal)),
        "single_pixels": len(points),
        "cluster_pixels": cluster[0] * cluster[1] if cluster else min(1, dead_pixels),
        "dead_pixels": int(block.sum()),
    }
    return Synthetic(classic(series, [ImageSpec(picture) for picture in pictures]), truth)


def _defects(
    job: Job, matrix: tuple[int, int], edge: int, count: int, column: int | None, row: int | None, cluster: tuple[int, int] | None
) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Place dead pixels, each with some room around it, and the block in the middle of the upper left quarter."""
    block, taken = np.zeros(matrix, bool), np.zeros(matrix, bool)
    if column is not None:
        taken[:, max(0, column - 5) : column + 6] = True
    if row is not None:
        taken[max(0, row - 5) : row + 6] = True
    if cluster:
        top, left = matrix[0] // 4, matrix[1] // 4
        block[top : top + cluster[0], left : left + cluster[1]] = True
        taken[top - 5 : top + cluster[0] + 5, left - 5 : left + cluster[1] + 5] = True
    points: list[tuple[int, int]] = []
    while len(points) < count:
        at = tuple(int(job.rng.integers(edge + 1, length - edge - 1)) for length in matrix)
        if not taken[at]:
            points.append((at[0], at[1]))
            block[at] = True
            taken[max(0, at[0] - 5) : at[0] + 6, max(0, at[1] - 5) : at[1] + 6] = True
    return block, points
