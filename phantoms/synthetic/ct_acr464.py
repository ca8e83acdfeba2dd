"""Recipe of the ACR CT phantom (Gammex 464): four modules of 40 mm."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from phantoms.ct.models import ACR464, ACR_BARS
from phantoms.synthetic.ct_stack import AIR_HU, Part, Scan, study
from phantoms.synthetic.recipe import Job, Synthetic, recipe
from phantoms.synthetic.shapes import Grid, Image, disc, paint, rectangle

INSERTS_HU = {"air": -985.0, "polyethylene": -95.0, "acrylic": 120.0, "bone": 900.0, "water": 0.0}
LOW_BASE_HU = 90.0
BARS_HU = 1000.0
WIRE_PITCH_MM, WIRE_STEP_MM, WIRE_MM, WIRE_HU = 2.0, 0.5, 0.25, 6000.0
BEAD_HU_MM2 = 900.0


def _at(angle_deg: float, distance_mm: float, side: int) -> tuple[float, float]:
    angle = np.deg2rad(angle_deg)
    return side * distance_mm * float(np.cos(angle)), distance_mm * float(np.sin(angle))


def _body(grid: Grid, hu: float) -> Image:
    return paint(np.full(grid.shape, AIR_HU), disc(grid, (0, 0), 100.0), hu)


def _materials(grid: Grid, hu: Mapping[str, float], side: int) -> Image:
    image = _body(grid, 0.0)
    for insert in ACR464.inserts:
        image = paint(image, disc(grid, _at(insert.angle_deg, 63.0, side), 12.5), hu[insert.name])
    return image


def _wires(grid: Grid, z: float, thickness: float, side: int) -> Image:
    """Rows of wires at the top and the bottom; wire k lies at z = 0.5 k mm and counts by the part of the slice that it fills."""
    total = np.zeros(grid.shape)
    for k in range(-11, 12):
        low, high = k * WIRE_STEP_MM - WIRE_MM / 2, k * WIRE_STEP_MM + WIRE_MM / 2
        share = max(0.0, min(high, z + thickness / 2) - max(low, z - thickness / 2)) / thickness
        if share > 0:
            for y in (-78.0, 78.0):
                total += rectangle(grid, (side * k * WIRE_PITCH_MM, y), (WIRE_MM, 6.0)) * share * WIRE_HU
    return total


def _low(grid: Grid, contrast: float, side: int) -> Image:
    image = _body(grid, LOW_BASE_HU)
    image = paint(image, disc(grid, _at(-90.0, 60.0, side), 12.5), LOW_BASE_HU + contrast)
    for angle, diameter in ((-35.0, 6.0), (10.0, 5.0), (55.0, 4.0), (100.0, 3.0), (145.0, 2.0)):
        for k in range(4):
            place = _at(angle + k * 2.0 * diameter / 60.0 * 57.3, 60.0, side)
            image = paint(image, disc(grid, place, diameter / 2), LOW_BASE_HU + contrast)
    return image


def _beads(z: float, thickness: float, apart_mm: float) -> list[tuple[float, float, float]]:
    seen = abs(z - 80.0) <= thickness / 2
    return [(x, 0.0, BEAD_HU_MM2 * min(1.0, 2.5 / thickness)) for x in (-apart_mm / 2, apart_mm / 2)] if seen else []


def _bars(grid: Grid, side: int) -> Image:
    image = _body(grid, 0.0)
    for angle, per_cm in ACR_BARS:
        place = _at(angle, 70.0, side)
        width = 5.0 / per_cm
        count = int(15.0 / (2 * width))
        for k in range(count):
            shift = (2 * k - (count - 1)) * width
            image = image + rectangle(grid, (place[0] + shift, place[1]), (width, 15.0)) * BARS_HU
    return image


@recipe
def ct_acr464(
    job: Job,
    *,
    matrix: int = 400,
    fov_mm: float = 220.0,
    thickness_mm: float = 5.0,
    step_mm: float = 5.0,
    start_mm: float | None = None,
    end_mm: float | None = None,
    noise_hu: float = 5.0,
    noise_peak: float = 0.0,
    psf_mm: float = 0.5,
    low_contrast_hu: float = 6.0,
    cupping_hu: float = 0.0,
    ring_hu: float = 0.0,
    ring_mm: float = 30.0,
    rotation_deg: float = 0.0,
    tilt_deg: tuple[float, float] = (0.0, 0.0),
    offset_mm: tuple[float, float] = (0.0, 0.0),
    beads_mm: float = 100.0,
    flipped: bool = False,
    air_slices: int = 0,
    inserts_hu: dict[str, float] | None = None,
    kvp: float = 120.0,
    kernel: str = "B30f",
) -> Synthetic:
    """ACR CT phantom, the centre of module 1 at z = 0; parameters as `ct_catphan`.

    The rows of wires are drawn 2 mm apart, each 0.5 mm higher than its neighbour; their layout in the real phantom may differ.
    """
    hu = {**INSERTS_HU, **(inserts_hu or {})}
    side = -1 if flipped else 1
    parts = [
        Part("inserts", -20, 20, lambda g: _materials(g, hu, side), lambda g, z, t: _wires(g, z, t, side)),
        Part("low_contrast", 20, 60, lambda g: _low(g, low_contrast_hu, side)),
        Part("uniformity", 60, 100, lambda g: _body(g, 0.0), points=lambda z, t: _beads(z, t, beads_mm)),
        Part("resolution", 100, 140, lambda g: _bars(g, side), finer=2),
    ]
    low, high = (-140.0, 20.0) if flipped else (-20.0, 140.0)
    scan = Scan(
        matrix, fov_mm, thickness_mm, step_mm, low + thickness_mm / 2 if start_mm is None else start_mm, high - thickness_mm / 2 if end_mm is None else end_mm,
        noise_hu, noise_peak, psf_mm, cupping_hu, ring_hu, ring_mm, rotation_deg, tilt_deg, offset_mm, flipped, air_slices, kvp, kernel,
    )  # fmt: skip
    truth = {
        "class": "phantom:acr_ct_464",
        "inserts_hu": hu,
        "beads_mm": beads_mm,
        "cnr": low_contrast_hu / noise_hu if noise_hu else None,
    }
    return study(job, "acr464", parts, scan, 100.0, truth)
