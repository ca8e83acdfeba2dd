"""Recipes of the modalities with flat pictures: radiographs, mammograms, ultrasound, screenshots."""

from __future__ import annotations

import numpy as np

from phantoms.synthetic.degrade import blur, gaussian_noise
from phantoms.synthetic.dicomize import ImageSpec, classic
from phantoms.synthetic.multiframe import cine
from phantoms.synthetic.recipe import Job, Synthetic, recipe
from phantoms.synthetic.shapes import Grid, box, disc, ellipse, paint, paint_all, polygon, ramp


@recipe
def dx_chest(
    job: Job,
    *,
    matrix: int = 256,
    noise: float = 12.0,
    exposure_index: float = 260.0,
    target_exposure_index: float = 250.0,
    monochrome1: bool = False,
    collimated_mm: tuple[float, float, float, float] | None = None,
    masked: bool = False,
    told_mm: tuple[float, float, float, float] | None = None,
    told_by: str = "Collimator",
) -> Synthetic:
    """Chest radiograph, 12 bits, bright bones.

    Parameters
    ----------
    noise
        Standard deviation in grey values.
    exposure_index, target_exposure_index
        Written to the header with the deviation index 10 log10(EI / EI_T).
    monochrome1
        Store it inverted with MONOCHROME1.
    collimated_mm
        Width of the border behind the collimator at the left, top, right and bottom; the detector gets nothing there.
    masked
        The border is black in the image, as a workstation makes it.
    told_mm, told_by
        The same border as the header tells it, by the edges of ``Collimator`` or ``Shutter``.
    """
    study = job.study("DX", "Thorax PA")
    spacing = 360.0 / matrix
    grid = Grid(matrix, matrix, (spacing, spacing))
    layers = [
        (ellipse(grid, (0, 20), (165, 190)), 2400.0),
        (ellipse(grid, (0, -150), (60, 60)), 2600.0),
        (ellipse(grid, (-72, 0), (58, 115), 4), 900.0),
        (ellipse(grid, (72, 0), (58, 115), -4), 900.0),
        (ellipse(grid, (26, 45), (62, 58), 30), 2500.0),
        (box(grid, -14, -180, 14, 180), 2900.0),
        (polygon(grid, [(-150, 180), (-150, 130), (-70, 98), (0, 120), (70, 105), (150, 135), (150, 180)]), 2700.0),
    ]
    for rib in range(8):  # pale bands over the lungs
        for side in (-1, 1):
            band = ellipse(grid, (side * 75, -95 + 26 * rib), (80, 5), side * 18)
            layers.append((band * 0.35, 2500.0))
    picture = blur(paint_all(np.full(grid.shape, 250.0), layers), grid.spacing_mm, 0.8)
    inside = np.ones(grid.shape)
    if collimated_mm:
        left, top, right, bottom = collimated_mm
        inside = box(grid, left - 180, top - 180, 180 - right, 180 - bottom)
        picture = paint(np.full(grid.shape, 3600.0), blur(inside, grid.spacing_mm, 0.8), picture)
    picture = gaussian_noise(picture, noise, job.rng)
    if masked:
        picture = np.where(inside > 0.5, picture, 0.0)
    deviation = float(10 * np.log10(exposure_index / target_exposure_index))
    series = job.series(
        study,
        "DX",
        bits_stored=12,
        number=1,
        description="Thorax pa",
        body_part="CHEST",
        spacing_mm=grid.spacing_mm,
        counts=False,
        photometric="MONOCHROME1" if monochrome1 else "MONOCHROME2",
        header={
            "ExposureIndex": exposure_index,
            "TargetExposureIndex": target_exposure_index,
            "DeviationIndex": round(deviation, 2),
            "PresentationLUTShape": "INVERSE" if monochrome1 else "IDENTITY",
            **(_edges(told_mm, told_by, matrix, spacing) if told_mm else {}),
        },
    )
    truth = {"spacing_mm": grid.spacing_mm, "noise_sd": noise, "exposure_index": exposure_index, "deviation_index": deviation}
    if collimated_mm:
        truth["collimated_percent"] = 100 * (360 - left - right) * (360 - top - bottom) / 360**2
    return Synthetic(classic(series, [ImageSpec(4095.0 - picture if monochrome1 else picture)]), truth)


def _edges(border_mm: tuple[float, float, float, float], device: str, matrix: int, spacing_mm: float) -> dict[str, object]:
    """The edges of a rectangular field as the header gives them: the first columns and rows that are hidden, counted from 1."""
    left, top, right, bottom = (round(width / spacing_mm) for width in border_mm)
    return {
        f"{device}Shape": "RECTANGULAR",
        f"{device}LeftVerticalEdge": left,
        f"{device}RightVerticalEdge": matrix + 1 - right,
        f"{device}UpperHorizontalEdge": top,
        f"{device}LowerHorizontalEdge": matrix + 1 - bottom,
    }


@recipe
def mg_breast(
    job: Job, *, matrix: tuple[int, int] = (256, 192), noise: float = 10.0, views: tuple[str, ...] = ("LCC", "LMLO")
) -> Synthetic:
    """Mammograms for presentation, one series a view, the chest wall at the left edge (left breast) or the right edge.

    Parameters
    ----------
    noise
        Standard deviation in grey values.
    views
        Laterality and view, as ``RMLO``.
    """
    study = job.study("MG", "Mammography")
    rows, columns = matrix
    spacing = 240.0 / rows
    grid = Grid(rows, columns, (spacing, spacing), origin_mm=(spacing / 2, -(rows - 1) / 2 * spacing))  # x = 0 at the chest wall
    datasets = []
    codes = {"CC": ("399162004", "cranio-caudal"), "MLO": ("399368009", "medio-lateral oblique")}
    for number, view in enumerate(views, start=1):
        side, direction = view[0], view[1:]
        breast = ellipse(grid, (0, 0), (120, 88))
        picture = paint_all(
            np.full(grid.shape, 150.0),
            [
                (breast, 1500.0 + 4.0 * ramp(grid, (1.0, 0.0), 0.0)),
                (ellipse(grid, (35, 5), (45, 40), 20), 2300.0),
                (ellipse(grid, (60, -10), (20, 16)), 2600.0),
                (disc(grid, (50, 25), 4.0), 3100.0),
            ],
        )
        if direction == "MLO":
            picture = paint(picture, polygon(grid, [(-5, -121), (48, -121), (-5, 30)]), 2900.0)
        picture = gaussian_noise(blur(picture, grid.spacing_mm, 0.8), noise, job.rng)
        code, meaning = codes[direction]
        series = job.series(
            study,
            "MG",
            bits_stored=12,
            number=number,
            description=f"{side} {direction}",
            body_part="BREAST",
            spacing_mm=grid.spacing_mm,
            counts=False,
            start_s=60.0 * number,
            header={
                "ImageLaterality": side,
                "ViewPosition": direction,
                "PatientOrientation": ["P" if side == "R" else "A", {"R": "L", "L": "R"}[side] if direction == "CC" else "F"],
                "ViewCodeSequence": [
                    {"CodeValue": code, "CodingSchemeDesignator": "SCT", "CodeMeaning": meaning, "ViewModifierCodeSequence": []}
                ],
            },
        )
        datasets += classic(series, [ImageSpec(picture[:, ::-1] if side == "R" else picture)])
    return Synthetic(datasets, {"spacing_mm": grid.spacing_mm, "noise_sd": noise, "views": list(views)})


@recipe
def us_cine(
    job: Job,
    *,
    frames: int = 12,
    matrix: tuple[int, int] = (120, 160),
    rgb: bool = True,
    frame_time_ms: float = 33.3,
    dead_elements: float = 0.0,
) -> Synthetic:
    """Ultrasound clip of a beating chamber in a sector with speckle.

    Parameters
    ----------
    rgb
        Three colour samples (as most scanners send), else MONOCHROME2.
    dead_elements
        Part of the sector, from 0 to 0.5, that is dark at its right side (broken crystals or bad contact).
    """
    study = job.study("US", "Echocardiography")
    rows, columns = matrix
    spacing = 160.0 / rows
    grid = Grid(rows, columns, (spacing, spacing), origin_mm=(-(columns - 1) / 2 * spacing, -8.0))  # the probe is at (0, 0)
    left, right = (40.0 - 80.0 * dead_elements) * np.pi / 180, -40.0 * np.pi / 180
    sector_angles = np.linspace(right, left, 60)
    sector = polygon(grid, [(0.0, 0.0)] + [(145 * np.sin(-a), 145 * np.cos(a)) for a in -sector_angles])
    _, depth = grid.coordinates()
    clip_frames = []
    for index in range(frames):
        beat = 1.0 + 0.18 * np.sin(2 * np.pi * index / max(frames, 1))
        tissue = paint_all(
            np.full(grid.shape, 70.0),
            [
                (ellipse(grid, (0, 75), (42, 52)), 140.0),
                (ellipse(grid, (-4, 75), (24 * beat, 34 * beat)), 12.0),
                (ellipse(grid, (0, 128), (60, 4)), 200.0),
            ],
        )
        speckle = blur(job.rng.rayleigh(1.0, grid.shape), grid.spacing_mm, (0.6, 1.2))
        clip_frames.append(sector * tissue * speckle * np.exp(-np.maximum(depth, 0.0) / 400.0))
    grey = np.clip(np.rint(np.stack(clip_frames)), 0, 255).astype(np.uint8)
    series = job.series(
        study,
        "US",
        number=1,
        description="Apical 4 chamber",
        body_part="HEART",
        spacing_mm=grid.spacing_mm,
        counts=False,
        bits_stored=8,
        photometric="RGB" if rgb else "MONOCHROME2",
    )
    values = np.repeat(grey[..., None], 3, axis=-1) if rgb else grey
    if rgb:
        values[:, 4:10, 6:40] = (255, 180, 0)  # the coloured logo that makes it a colour image
    truth = {"frames": frames, "spacing_mm": grid.spacing_mm, "frame_time_ms": frame_time_ms, "dead_elements": dead_elements}
    return Synthetic([cine(series, values, frame_time_ms)], truth)


@recipe
def screenshot(job: Job, *, matrix: tuple[int, int] = (120, 160)) -> Synthetic:
    """Colour screenshot (secondary capture) with burned-in content: no image to be measured."""
    study = job.study("SC", "Dose report")
    picture = np.full((*matrix, 3), 20, dtype=np.uint8)
    picture[10:24, 10:120] = (0, 60, 160)
    for line in range(32, matrix[0] - 8, 8):
        picture[line : line + 3, 12 : 40 + int(job.rng.integers(20, matrix[1] - 50))] = 220
    series = job.series(study, "SC", bits_stored=8, number=99, description="Dose report", photometric="RGB", counts=False)
    return Synthetic(classic(series, [ImageSpec(picture)]), {"frames": 1})
