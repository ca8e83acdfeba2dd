"""Recipe of the CatPhan phantoms: insert module with wire ramps and pins, line pairs and bead, low contrast, uniformity."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from phantoms.ct.models import BAR_ANGLES_DEG, BAR_COUNTS, BAR_RADIUS_MM, BY_NAME, Model
from phantoms.synthetic.ct_stack import AIR_HU, Part, Scan, study
from phantoms.synthetic.recipe import Job, Synthetic, recipe
from phantoms.synthetic.shapes import Grid, Image, disc, paint, polygon

INSERTS_HU = {
    "air": -1000.0, "lung": -860.0, "pmp": -190.0, "ldpe": -95.0, "polystyrene": -38.0, "acrylic": 120.0, "bone20": 240.0,
    "delrin": 365.0, "bone50": 720.0, "teflon": 990.0,
}  # fmt: skip
BASE_HU = 100.0
UNIFORM_HU = 12.0
LOW_BASE_HU = 50.0
BARS_HU = 1500.0
WIRE_HU, WIRE_MM = 9000.0, 0.28
BEAD_HU_MM2, BEAD_AT = 900.0, (0.0, 20.0)
TAN23 = float(np.tan(np.deg2rad(23.0)))
LOW_CONTRAST = ((15, -87.4), (9, -69.1), (8, -52.7), (7, -38.5), (6, -25.1), (5, -12.9))  # mm, deg
TURNED = ("600", "700")


def _at(angle_deg: float, distance_mm: float, side: int) -> tuple[float, float]:
    angle = np.deg2rad(angle_deg)
    return side * distance_mm * float(np.cos(angle)), distance_mm * float(np.sin(angle))


def _body(grid: Grid, model: Model, inner_hu: float) -> Image:
    image = paint(np.full(grid.shape, AIR_HU), disc(grid, (0, 0), model.radius_mm), BASE_HU)
    return paint(image, disc(grid, (0, 0), 75.0), inner_hu)


def _inserts(grid: Grid, model: Model, hu: Mapping[str, float], side: int, pins_mm: float) -> Image:
    image = _body(grid, model, BASE_HU)
    for insert in model.inserts:
        image = paint(image, disc(grid, _at(insert.angle_deg, insert.distance_mm, side), insert.radius_mm), hu[insert.name])
    for x, y, value in ((-1, -1, AIR_HU), (1, 1, AIR_HU), (-1, 1, AIR_HU), (1, -1, hu["teflon"])):
        image = paint(image, disc(grid, (side * x * pins_mm / 2, y * pins_mm / 2), 1.5), value)
    return image


def _wires(grid: Grid, z: float, thickness: float, side: int, tilt: tuple[float, float]) -> Image:
    """Wires that rise at 23 degrees, one on each side, clockwise with z: length thickness / tan 23 deg, strength inversely as the thickness."""
    total = np.zeros(grid.shape)
    length = thickness / TAN23
    if abs(z) > 21 * TAN23 + thickness:
        return total
    for angle in (-90.0, 0.0, 90.0, 180.0):
        x, y = _at(angle, 38.0, 1)
        # an axis that wanders to the right lies lower in the phantom on the left: height along the axis is z + x tan(tilt)
        here = z + np.tan(np.deg2rad(tilt[0])) * x + np.tan(np.deg2rad(tilt[1])) * y
        middle = np.clip(here / TAN23, -21, 21)
        low, high = np.clip([here / TAN23 - length / 2, here / TAN23 + length / 2], -21, 21)
        if high <= low:
            continue
        turn = np.deg2rad(angle)
        radial, tangent = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
        corners = [38.0 * radial + s * tangent + w * radial for s, w in ((low, -0.14), (high, -0.14), (high, 0.14), (low, 0.14))]
        coverage = polygon(grid, [(side * c[0], c[1]) for c in corners])
        total += coverage * WIRE_HU * min(1.0, WIRE_MM / np.cos(np.deg2rad(23)) / thickness)
        assert low - 1e-9 <= middle <= high + 1e-9
    return total


def _bars(grid: Grid, model: Model, side: int) -> Image:
    image = _body(grid, model, BASE_HU)
    for number, (center, count) in enumerate(zip(BAR_ANGLES_DEG, BAR_COUNTS, strict=True), start=1):
        width = 5.0 / number
        turn = np.deg2rad(center)
        radial, tangent = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
        for k in range(count):
            s = (2 * k - (count - 1)) * width
            corners = [
                (BAR_RADIUS_MM + r) * radial + (s + t) * tangent
                for r, t in ((-2.6, -width / 2), (2.6, -width / 2), (2.6, width / 2), (-2.6, width / 2))
            ]
            image = image + polygon(grid, [(side * c[0], c[1]) for c in corners]) * BARS_HU
    return image


def _low(grid: Grid, model: Model, contrast: float, side: int) -> Image:
    image = _body(grid, model, LOW_BASE_HU)
    turn = 180.0 if model.name[-3:] in TURNED else 0.0
    for group, share in ((0.0, 1.0), (120.0, 0.5), (240.0, 0.3)):
        for diameter, angle in LOW_CONTRAST:
            image = paint(image, disc(grid, _at(angle + turn + group, 50.0, side), diameter / 2), LOW_BASE_HU + share * contrast)
    return image


@recipe
def ct_catphan(
    job: Job,
    *,
    model: str = "504",
    matrix: int = 400,
    fov_mm: float = 220.0,
    thickness_mm: float = 2.5,
    step_mm: float = 2.5,
    start_mm: float | None = None,
    end_mm: float | None = None,
    noise_hu: float = 5.0,
    noise_peak: float = 0.0,
    psf_mm: float = 0.5,
    low_contrast_hu: float = 10.0,
    cupping_hu: float = 0.0,
    ring_hu: float = 0.0,
    ring_mm: float = 30.0,
    rotation_deg: float = 0.0,
    resolution_roll_deg: float = 0.0,
    tilt_deg: tuple[float, float] = (0.0, 0.0),
    offset_mm: tuple[float, float] = (0.0, 0.0),
    pins_mm: float = 50.0,
    flipped: bool = False,
    air_slices: int = 0,
    inserts_hu: dict[str, float] | None = None,
    kvp: float = 120.0,
    kernel: str = "B30f",
) -> Synthetic:
    """CatPhan 503, 504, 600, 604 or 700 (`model`), the centre of the insert module at z = 0.

    Parameters
    ----------
    thickness_mm, step_mm, start_mm, end_mm
        Slices with a box sensitivity along z; the scan goes from start to end (default: the whole phantom).
    noise_hu, noise_peak
        SD of the noise; frequency in 1/mm of its band, 0 for white.
    psf_mm
        SD of the Gaussian point spread.
    resolution_roll_deg
        Roll of the line-pair module against the others.
    tilt_deg
        Wander of the axis towards (right, down).
    flipped
        Phantom turned end for end.
    air_slices
        Slices of air added at each end.
    inserts_hu
        CT numbers that replace the defaults.
    """
    design = BY_NAME[f"phantom:catphan{model}"]
    hu = {**INSERTS_HU, **(inserts_hu or {})}
    side = -1 if flipped else 1
    parts = [
        Part("inserts", -12.5, 12.5, lambda g: _inserts(g, design, hu, side, pins_mm), lambda g, z, t: _wires(g, z, t, side, tilt_deg))
    ]
    if model == "700":
        parts = [Part("inserts", -12.5, 12.5, lambda g: _inserts(g, design, hu, side, pins_mm))]
    draw = {
        "uniformity": lambda g: _body(g, design, UNIFORM_HU),
        "resolution": lambda g: _bars(g, design, side),
        "low_contrast": lambda g: _low(g, design, low_contrast_hu, side),
    }
    taken = [(-12.5, 12.5)]
    for name, (offset, half) in design.modules.items():
        reach = 5.0 if name == "resolution" else half + 3.0
        taken.append((offset - reach, offset + reach))
        roll = side * resolution_roll_deg if name == "resolution" else 0.0
        bead = (
            (lambda z, t, o=offset: [(side * BEAD_AT[0], BEAD_AT[1], BEAD_HU_MM2)] if abs(z - o) < 4.0 else [])
            if name == "resolution"
            else None
        )
        parts.append(
            Part(name, offset - reach, offset + reach, draw[name], roll_deg=roll, points=bead, finer=2 if name == "resolution" else 1)
        )
    ends = min(low for low, _ in taken), max(high for _, high in taken)
    edge = ends[0]
    for low, high in sorted(taken):  # plain material between the modules
        if low > edge:
            parts.append(Part("between", edge, low, lambda g: _body(g, design, BASE_HU)))
        edge = max(edge, high)
    low, high = (-ends[1], -ends[0]) if flipped else ends
    scan = Scan(
        matrix, fov_mm, thickness_mm, step_mm, low + thickness_mm / 2 if start_mm is None else start_mm, high - thickness_mm / 2 if end_mm is None else end_mm,
        noise_hu, noise_peak, psf_mm, cupping_hu, ring_hu, ring_mm, rotation_deg, tilt_deg, offset_mm, flipped, air_slices, kvp, kernel,
    )  # fmt: skip
    truth = {
        "class": design.name,
        "inserts_hu": {insert.name: hu[insert.name] for insert in design.inserts},
        "pins_mm": pins_mm,
        "cnr": low_contrast_hu / noise_hu if noise_hu else None,
        "uniform_hu": UNIFORM_HU,
    }
    return study(job, f"catphan{model}", parts, scan, design.radius_mm, truth)
