"""Make the picture that goes with a result: windowed to 8 bits, small enough to keep, with its regions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qc.results import ImageEvidence, Shape

LARGEST = 512


def picture(
    values: NDArray[Any],
    title: str,
    shapes: Sequence[Shape] = (),
    spacing_mm: tuple[float, float] | None = None,
    unit: str = "1",
    caption: str = "",
    window: tuple[float, float] | None = None,
) -> ImageEvidence:
    """Return an evidence picture of a 2-D image.

    Parameters
    ----------
    values
        (rows, columns).
    shapes
        In pixel coordinates (row, col) of `values`; they are scaled with the picture.
    window
        Values shown black and white; default: 1st to 99.5th percentile.
    """
    step = max(1, -(-max(values.shape) // LARGEST))
    rows, columns = values.shape[0] // step, values.shape[1] // step
    small = values[: rows * step, : columns * step].astype(np.float32)
    if step > 1:
        small = small.reshape(rows, step, columns, step).mean(axis=(1, 3))
    if window is None:
        few = max(1, small.size // 20000)  # a window needs no more
        low, high = (float(number) for number in np.percentile(small.ravel()[::few], [1.0, 99.5]))
        window = (low, high if high > low else low + 1.0)
    grey = np.clip((small - window[0]) / (window[1] - window[0]), 0, 1) * 255
    scaled = tuple(
        Shape(shape.kind, tuple(((r + 0.5) / step - 0.5, (c + 0.5) / step - 0.5) for r, c in shape.points), shape.label, shape.role)
        for shape in shapes
    )
    aspect = spacing_mm[0] / spacing_mm[1] if spacing_mm else 1.0
    return ImageEvidence(title, np.round(grey).astype(np.uint8), scaled, aspect, window, unit, caption)


def circle(
    center: tuple[float, float], radius_mm: float, spacing_mm: tuple[float, float], label: str = "", role: Any = "measured"
) -> Shape:
    """Return a circle in mm as a shape in pixels; a polygon where the pixels are not square."""
    if abs(spacing_mm[0] - spacing_mm[1]) < 1e-6 * spacing_mm[0]:
        return Shape("circle", (center, (center[0], center[1] + radius_mm / spacing_mm[1])), label, role)
    angles = np.linspace(0, 2 * np.pi, 73)
    points = tuple(
        (center[0] + radius_mm * float(np.sin(a)) / spacing_mm[0], center[1] + radius_mm * float(np.cos(a)) / spacing_mm[1]) for a in angles
    )
    return Shape("polygon", points, label, role)
