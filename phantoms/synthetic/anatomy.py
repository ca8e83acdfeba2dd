"""Heads and chests made of ellipses: nothing is anatomically right, everything is where it would be looked for.

Each function takes the value of every tissue, so the same drawing serves CT (HU) and MR (signal).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from phantoms.synthetic.shapes import Grid, Image, box, ellipse, paint, paint_all

HEAD_SEMI_AXES_MM = (72.0, 92.0, 95.0)  # half width, half length, half height

HEAD_CT_HU: dict[str, float] = {
    "air": -1000, "scalp": 20, "bone": 900, "fluid": 8, "grey": 38, "white": 29, "lesion": 62, "table": -650, "table_skin": -150,
}  # fmt: skip
HEAD_MR_T1: dict[str, float] = {"air": 0, "scalp": 900, "bone": 60, "fluid": 180, "grey": 520, "white": 720, "lesion": 330}
HEAD_MR_T2: dict[str, float] = {"air": 0, "scalp": 450, "bone": 40, "fluid": 1000, "grey": 560, "white": 420, "lesion": 850}

CHEST_CT_HU: dict[str, float] = {
    "air": -1000, "fat": -95, "muscle": 50, "lung": -850, "heart": 42, "aorta": 45, "bone": 420, "vessel": 20, "nodule": 35,
    "table": -650, "table_skin": -150,
}  # fmt: skip


def head(grid: Grid, level: float, values: Mapping[str, float], table: bool = False) -> Image:
    """Axial section of a head.

    Parameters
    ----------
    grid
        The pixels; (0, 0) is the middle of the head, y to the back.
    level
        Height of the section from -1 (skull base) to 1 (vertex).
    values
        Tissue -> value, as `HEAD_CT_HU`.
    table
        Draw a couch below the head.

    Returns
    -------
    ndarray
        (rows, columns).
    """
    # the skull goes on below its base and ends at the vertex: it tapers less downwards
    size = np.sqrt(1.0 - ((0.8 if level > 0 else 0.65) * level) ** 2)
    a, b = HEAD_SEMI_AXES_MM[0] * size, HEAD_SEMI_AXES_MM[1] * size
    ventricle = max(0.0, 1 - abs(level - 0.1)) * size
    base = np.sqrt(max(0.0, -0.3 - level) / 0.7)  # how far into the base of the skull
    layers = [
        (ellipse(grid, (0, 0), (a, b)), values["scalp"]),
        (ellipse(grid, (0, 0), (a - 4, b - 4)), values["bone"]),
        (ellipse(grid, (0, 0), (a - 10, b - 10)), values["fluid"]),
        (ellipse(grid, (0, 0), (a - 13, b - 13)), values["grey"]),
        (ellipse(grid, (-0.45 * a, 0), (0.28 * a, (0.6 - 0.25 * base) * b), 4), values["white"]),
        (ellipse(grid, (0.45 * a, 0), (0.28 * a, (0.6 - 0.25 * base) * b), -4), values["white"]),
        (ellipse(grid, (-9, -4), (3 + 4 * ventricle, 8 + 18 * ventricle), 12), values["fluid"]),
        (ellipse(grid, (9, -4), (3 + 4 * ventricle, 8 + 18 * ventricle), -12), values["fluid"]),
        (ellipse(grid, (0.5 * a, 0.25 * b), (2 + 6 * ventricle, 2 + 5 * ventricle)), values["lesion"]),  # on the left only: shows a flip
    ]
    if base > 0:
        layers += [
            (ellipse(grid, (-0.48 * a, 0.12 * b), (0.36 * a * base, 0.09 * b), 35), values["bone"]),  # petrous bones
            (ellipse(grid, (0.48 * a, 0.12 * b), (0.36 * a * base, 0.09 * b), -35), values["bone"]),
            (ellipse(grid, (0, -0.4 * b), (0.16 * a * base, 0.13 * b * base)), values["air"]),  # sphenoid sinus
            (ellipse(grid, (-0.4 * a, -0.62 * b), (0.2 * a * base, 0.15 * b * base)), values["fluid"]),  # orbits
            (ellipse(grid, (0.4 * a, -0.62 * b), (0.2 * a * base, 0.15 * b * base)), values["fluid"]),
        ]
    image = np.full(grid.shape, float(values["air"]))
    if table:
        image = paint(image, box(grid, -110, 100, 110, 118), values["table_skin"])
        image = paint(image, box(grid, -107, 103, 107, 115), values["table"])
    return paint_all(image, layers)


def head_side(grid: Grid, values: Mapping[str, float], half_width_mm: float, half_height_mm: float) -> Image:
    """Section of a head from the side or the front, for localizers; half sizes in mm."""
    a, b = half_width_mm, half_height_mm
    layers = [
        (ellipse(grid, (0, 0), (a, b)), values["scalp"]),
        (ellipse(grid, (0, 0), (a - 4, b - 4)), values["bone"]),
        (ellipse(grid, (0, 0), (a - 10, b - 10)), values["grey"]),
        (ellipse(grid, (0, -0.1 * b), (0.6 * a, 0.45 * b)), values["white"]),
        (ellipse(grid, (0, 0), (12, 9)), values["fluid"]),
        (ellipse(grid, (0.35 * a, 0.5 * b), (18, 14)), values["grey"]),
    ]
    return paint_all(np.full(grid.shape, float(values["air"])), layers)


def chest(grid: Grid, level: float, values: Mapping[str, float]) -> Image:
    """Axial section of a chest on a couch; `level` from -1 (diaphragm) to 1 (apex), the rest as `head`."""
    lung = 0.55 + 0.45 * (1 - ((level + 0.2) / 1.3) ** 2)
    heart = max(0.0, 1 - ((level + 0.5) / 0.8) ** 2)
    layers = [
        (box(grid, -210, 118, 210, 140), values["table_skin"]),
        (box(grid, -206, 122, 206, 136), values["table"]),
        (ellipse(grid, (0, 0), (165, 112)), values["fat"]),
        (ellipse(grid, (0, 2), (152, 98)), values["muscle"]),
        (ellipse(grid, (-70, -2), (58 * lung, 78 * lung), 6), values["lung"]),
        (ellipse(grid, (70, -2), (58 * lung, 78 * lung), -6), values["lung"]),
        (ellipse(grid, (-62, 18), (5, 5)), values["vessel"]),
        (ellipse(grid, (80, 24 + 6 * level), (4, 4)), values["vessel"]),
        (ellipse(grid, (-84, -20 + 10 * level), (4.5, 4.5)), values["nodule"]),
        (ellipse(grid, (0, 76), (20, 17)), values["bone"]),
        (ellipse(grid, (0, 76), (7, 7)), values["muscle"]),
        (ellipse(grid, (0, -88), (16, 5)), values["bone"]),
        (ellipse(grid, (20, 48), (12, 12)), values["aorta"]),
    ]
    if heart > 0:
        layers.append((ellipse(grid, (22, -28), (52 * heart, 42 * heart), 25), values["heart"]))
    return paint_all(np.full(grid.shape, float(values["air"])), layers)
