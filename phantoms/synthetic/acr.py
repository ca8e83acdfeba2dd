"""Recipes of the ACR MRI phantoms: eleven slices as an accreditation visit takes them, with everything that is measured in the truth."""

from __future__ import annotations

from typing import Any

import numpy as np

from phantoms.synthetic import acr_drawing as drawing
from phantoms.synthetic.acr_drawing import LARGE, MEDIUM, Phantom
from phantoms.synthetic.degrade import ghost, magnitude_noise, off_resonance, shade, through_psf
from phantoms.synthetic.dicomize import ImageSpec, SeriesSpec, StudySpec, classic, place_stack
from phantoms.synthetic.multiframe import enhanced
from phantoms.synthetic.recipe import Job, Synthetic, recipe
from phantoms.synthetic.scanners import phantom_patient
from phantoms.synthetic.shapes import Grid, Image, box, disc

SMALL_ROI_RADIUS_MM = 5.642  # 1 cm²
STEP_MM = 10.0


@recipe
def acr_mri_large(job: Job, **options: Any) -> Synthetic:
    """Large ACR MRI phantom, diameter 190 mm; parameters as `acr_mri`."""
    return acr_mri(job, LARGE, **options)


@recipe
def acr_mri_medium(job: Job, **options: Any) -> Synthetic:
    """Medium ACR MRI phantom, diameter 165 mm; parameters as `acr_mri`."""
    return acr_mri(job, MEDIUM, **options)


def acr_mri(
    job: Job,
    phantom: Phantom,
    *,
    matrix: int | tuple[int, int] = 256,
    fov_mm: float | tuple[float, float] = 250.0,
    amplitude: float = 1500.0,
    snr: float = 300.0,
    coils: int = 1,
    field_strength_t: float = 1.5,
    shading_per_mm: float = 0.0005,
    blur_mm: float = 0.35,
    thickness_mm: float = 5.0,
    tilt_deg: float = 0.0,
    displacement_mm: tuple[float, float] = (0.0, 0.0),
    ghost_amplitude: float = 0.0,
    ghost_axis: int = 0,
    bubble_mm: float = 0.0,
    grid_style: str = "lattice",
    stretch: tuple[float, float] = (1.0, 1.0),
    offset_mm: tuple[float, float] = (0.0, 0.0),
    rotation_deg: float = 0.0,
    only_slices: tuple[int, ...] = tuple(range(1, 12)),
    multiframe: bool = False,
    echo_times_ms: tuple[float, ...] = (20.0,),
    slice_location: str = "position",
    reverse: bool = False,
    localizer: bool = False,
    b0_shift_mm: tuple[float, float, float] = (0.0, 0.0, 0.0),
    lcd_contrast: float = 1.0,
    transmit: float | None = None,
    vendor: str = "GE MEDICAL SYSTEMS",
) -> Synthetic:
    """Eleven slices, 10 mm apart.

    Parameters
    ----------
    matrix, fov_mm
        One number or (rows, columns); (along the columns, along the rows) in mm.
    amplitude, snr, coils
        Signal of the water, over the standard deviation of the noise in one channel of one coil; ``inf`` for no noise.
    field_strength_t
        1.5 or 3: which scanner the header names.
    shading_per_mm
        g: signal = amplitude * (1 + g * x).
    blur_mm
        Standard deviation of the point spread function.
    thickness_mm, tilt_deg
        Slice thickness that ramps and bars show, and tilt of all slices about the vertical axis: the ramps get unequal, every
        section is an ellipse, 1 / cos(tilt) longer in x, and its middle wanders in x from slice to slice.
    displacement_mm
        Of slice 1 and of slice 11; the right bar is then longer than the left by twice that.
    ghost_amplitude, ghost_axis
        N/2 ghost in the air of slice 7, as a part of the signal; axis 0 is up and down.
    bubble_mm
        Radius of an air bubble below the plug in slice 7.
    grid_style
        ``lattice`` or ``block`` in slice 5.
    stretch
        Geometric distortion, factors in (x, y): every length is so much longer than it is.
    offset_mm, rotation_deg
        Place of the phantom in the image.
    only_slices
        Slices that are there; the others were lost.
    multiframe
        One enhanced multi-frame object in place of eleven images.
    echo_times_ms
        One image an echo at every position, all in one series.
    slice_location
        SliceLocation as ``position``, ``reversed`` (100 down to 0), ``zero`` or ``absent``. The positions are right in any case.
    reverse
        Acquire from slice 11 to slice 1: InstanceNumber 1 is slice 11.
    localizer
        Put a sagittal localizer in a series of its own in front; it shows the end-to-end length.
    b0_shift_mm
        Distortion by an inhomogeneous field, along the rows of the axial images: see `degrade.off_resonance`.
    lcd_contrast
        How many times the true contrast the low-contrast discs have; 0 for none.
    transmit, vendor
        Setting of the transmitter in the private header of GE (steps of 0.1 dB) or SIEMENS (V); None: not there.
    """
    study = job.study("MR15" if field_strength_t < 2 else "MR", "ACR MRI phantom", phantom_patient("ACR"))
    rows, columns = matrix if isinstance(matrix, tuple) else (matrix, matrix)
    field = fov_mm if isinstance(fov_mm, tuple) else (fov_mm, fov_mm)
    spacing = (field[0] / rows, field[1] / columns)
    longer = 1.0 / np.cos(np.deg2rad(tilt_deg))
    stretched = (stretch[0] * longer, stretch[1])
    grid = _grid((rows, columns), spacing, stretched, offset_mm, rotation_deg)
    series = job.series(
        study,
        "MR",
        number=2,
        description="ACR Axial T1",
        protocol="ACR T1",
        body_part="PHANTOM",
        spacing_mm=spacing,
        thickness_mm=5.0,
        step_mm=STEP_MM,
        header={"ReceiveCoilName": "HEAD", "ReconstructionDiameter": max(field)},
    )
    positions = place_stack(series, (rows, columns), (np.arange(11) - 5) * STEP_MM)

    def signal(grid: Grid, number: int, **where: float) -> Image:
        water = drawing.draw(
            phantom,
            grid,
            number,
            thickness=thickness_mm,
            tilt_deg=tilt_deg,
            bubble=bubble_mm,
            grid_style=grid_style,
            contrast=lcd_contrast,
            **where,
        )
        shaded = shade(amplitude * water, grid, (shading_per_mm, 0.0))
        if number == 7 and ghost_amplitude:
            shaded = off_resonance(shaded, grid, phantom.radius, b0_shift_mm)
            return ghost(shaded, ghost_amplitude, ghost_axis, where=1.0 - disc(grid, (0, 0), phantom.radius + 2.0))
        return off_resonance(shaded, grid, phantom.radius, b0_shift_mm)

    images = []
    for index in reversed(range(11)) if reverse else range(11):
        number = index + 1
        if number not in only_slices:
            continue
        displacement = {1: displacement_mm[0], 11: displacement_mm[1]}.get(number, 0.0)
        wander = STEP_MM * (number - 6) * float(np.tan(np.deg2rad(tilt_deg)))  # of the middle of the section
        here = _grid((rows, columns), spacing, stretched, (offset_mm[0] + wander, offset_mm[1]), rotation_deg)
        clean = through_psf(here, lambda g, n=number, d=displacement: signal(g, n, displacement=d), blur_mm)
        for echo, te in enumerate(echo_times_ms):
            noisy = _noisy(job, clean * np.exp(-(te - echo_times_ms[0]) / 100.0), amplitude / snr, coils)
            header = {"EchoTime": te, "EchoNumbers": echo + 1} | _slice_location(slice_location, index)
            images.append(ImageSpec(noisy, positions[index], header, time_s=4.0 * len(images)))
    datasets = [enhanced(series, images)] if multiframe else classic(series, images)
    for dataset in datasets:
        _transmitter(dataset, transmit, vendor)
    if localizer:
        datasets = _localizer(job, study, phantom, max(field), amplitude, snr, stretch) + datasets

    upper, lower = drawing.ramp_lengths(thickness_mm, tilt_deg)
    x_factor, y_factor = stretch
    truth = {
        "spacing_mm": spacing,
        "diameter_mm": phantom.diameter,
        "diameter_x_mm": (phantom.diameter + 2 * (b0_shift_mm[0] + b0_shift_mm[2])) * x_factor * longer,
        "diameter_y_mm": phantom.diameter * y_factor,
        "length_mm": phantom.length * y_factor,
        "centre_px": grid.to_pixels((0, 0))[0].tolist(),
        "snr": snr,
        "amplitude": amplitude,
        "noise_sd": amplitude / snr,
        "noise_sd_stored": amplitude / snr / series.slope,
        "piu_percent": 100.0 * (1.0 - abs(shading_per_mm) * (phantom.large_roi_radius - SMALL_ROI_RADIUS_MM)),
        "psg_percent": 100.0 * ghost_amplitude,
        "thickness_mm": thickness_mm,
        "ramp_lengths_mm": (upper, lower),
        "bar_difference_mm": {"slice1": 2.0 * displacement_mm[0], "slice11": 2.0 * displacement_mm[1]},
        "hole_diameters_mm": [diameter for diameter, _ in phantom.hole_arrays],
        "lcd_contrasts": {f"slice{number}": lcd_contrast * contrast for number, contrast in drawing.LCD_CONTRASTS.items()},
        "slices": 11,
        "echoes": len(echo_times_ms),
        "step_mm": STEP_MM,
    }
    return Synthetic(datasets, truth)


def _grid(
    shape: tuple[int, int], spacing: tuple[float, float], stretch: tuple[float, float], offset_mm: tuple[float, float], rotation_deg: float
) -> Grid:
    """Grid of the phantom: a stretched image is one whose pixels are smaller than the header says."""
    return Grid.shifted(*shape, (spacing[0] / stretch[1], spacing[1] / stretch[0]), offset_mm, rotation_deg)


def _noisy(job: Job, image: Image, sigma: float, coils: int) -> Image:
    return magnitude_noise(image, sigma, job.rng, coils) if sigma > 0 else image


def _transmitter(dataset: Any, setting: float | None, vendor: str) -> None:
    """Write the setting of the transmitter where the vendor keeps it."""
    if setting is None:
        return
    dataset.Manufacturer = vendor
    if vendor.startswith("GE"):
        dataset.private_block(0x0019, "GEMS_ACQU_01", create=True).add_new(0x94, "SS", round(setting))
    else:
        text = f"### ASCCONV BEGIN ###\nsTXSPEC.asNucleusInfo[0].flReferenceAmplitude\t = \t{setting}\n### ASCCONV END ###"
        dataset.private_block(0x0029, "SIEMENS CSA HEADER", create=True).add_new(0x20, "OB", text.encode())


def _slice_location(kind: str, index: int) -> dict[str, Any]:
    if kind == "position":
        return {}
    return {"SliceLocation": {"reversed": 100.0 - STEP_MM * index, "zero": 0.0, "absent": None}[kind]}


def _localizer(
    job: Job, study: StudySpec, phantom: Phantom, fov_mm: float, amplitude: float, snr: float, stretch: tuple[float, float]
) -> list[Any]:
    """Sagittal image: length from head to foot, diameter from front to back."""
    matrix = 256
    grid = _grid((matrix, matrix), (fov_mm / matrix, fov_mm / matrix), stretch, (0.0, 0.0), 0.0)
    series: SeriesSpec = job.series(
        study,
        "MR",
        number=1,
        description="ACR Sagittal Localizer",
        protocol="ACR LOC",
        body_part="PHANTOM",
        orientation="sagittal",
        spacing_mm=(fov_mm / matrix, fov_mm / matrix),
        thickness_mm=20.0,
        start_s=10.0,
        header={"RepetitionTime": 200.0, "ReceiveCoilName": "HEAD"},
    )
    half_length, radius = phantom.length / 2, phantom.radius
    image = through_psf(grid, lambda g: amplitude * box(g, -radius, -half_length, radius, half_length), 0.35)
    return classic(series, [ImageSpec(_noisy(job, image, amplitude / snr, 1), series.first_pixel((0, 0, 0), (matrix, matrix)))])
