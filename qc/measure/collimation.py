"""Edges of the collimated field in a radiograph: straight from end to end, with little and even signal behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

SIDES = ("left", "top", "right", "bottom")
SAMPLES = 400  # lines looked at along the shorter side of an image
STRIPS = 32
STEEPEST = 0.06  # a collimator turned against the detector by 3.4 degrees
NARROWEST = 3  # samples between the border of the image and the edge
DEEPEST = 0.49  # of the image: a side beyond its middle is none
LEAST_STEP = 0.04  # of the range of the image, over two samples
DARK = 0.3  # signal behind the edge is below this part of the range: scatter reaches under the collimator
EVEN = 0.04  # SD along the edge of what lies behind it, in the range of the image
CONSTANT = 0.005  # of the range: what a lossy compression makes of one value
STRAIGHT = 0.6  # share of the strips with signal in which the step must be; thick parts of the patient hide it in the others


@dataclass(frozen=True)
class Field:
    """The collimated field as the picture shows it.

    Attributes
    ----------
    insets
        Side (``left``, ``top``, ``right``, ``bottom``) -> distance of its edge from that border of the image in pixels, at the middle of
        the edge. Sides without a visible edge are not in it.
    shape
        (rows, columns) of the image.
    """

    insets: dict[str, float]
    shape: tuple[int, int]

    @property
    def percent(self) -> float:
        """Area inside the edges over the area of the image."""
        rows, columns = self.shape
        height = rows - self.insets.get("top", 0.0) - self.insets.get("bottom", 0.0)
        width = columns - self.insets.get("left", 0.0) - self.insets.get("right", 0.0)
        return 100 * height * width / (rows * columns)


def field(image: NDArray[Any], white_is_high: bool = True) -> Field:
    """Find the edges of the collimated field.

    Behind the collimator the detector gets little, which a display shows white; or a workstation has made it all black. The beam beside
    the patient is black too, but holds noise.

    Parameters
    ----------
    image
        (rows, columns), any grey values; about 400 lines of it are looked at.
    white_is_high
        Whether high values are those of little signal (MONOCHROME2 for presentation).
    """
    shape = (image.shape[0], image.shape[1])
    step = max(1, min(shape) // SAMPLES)
    thin = image[::step, ::step].astype(np.float32)
    low, high = (float(value) for value in np.percentile(thin, [1, 99])) if min(thin.shape) >= 2 * STRIPS else (0.0, 0.0)
    if high <= low:
        return Field({}, shape)
    signal = np.clip((thin - low) / (high - low), 0.0, 1.0)
    signal = 1 - signal if white_is_high else signal
    black = thin - thin.min() if white_is_high else thin.max() - thin
    masked = np.where(black < CONSTANT * (high - low), 0.0, 1 - signal / 2)
    return Field(max((_sides(one, step) for one in (signal, masked)), key=len), shape)


def _sides(level: Floats, step: int) -> dict[str, float]:
    """Sides with an edge, where little signal is 0."""
    insets = {}
    for turn, side in enumerate(SIDES):
        # np.rot90 turns to the left: after one turn the top of the image is its left side
        at = _left_edge(np.rot90(level, turn))
        if at is not None:
            insets[side] = (at + 0.5) * step + 0.5
    return insets


def _left_edge(level: Floats) -> int | None:
    """Return the sample before the left edge at its middle, or None."""
    each, columns = level.shape[0] // STRIPS, level.shape[1]
    strips = level[: each * STRIPS].reshape(STRIPS, each, columns).mean(axis=1)
    bright = np.cumsum((strips > DARK).mean(axis=0)) / np.arange(1, columns + 1)
    dark = np.flatnonzero(bright <= 0.1)  # beyond this nothing can be all dark: most sides end here
    reach = min(int(DEEPEST * columns), int(dark[-1]) + 3 if len(dark) else 0)
    if reach <= NARROWEST:
        return None
    steps = np.zeros_like(strips)
    steps[:, 1:-2] = (strips[:, 2:-1] + strips[:, 3:] - strips[:, 1:-2] - strips[:, :-3]) / 2
    steps = np.maximum(
        steps, np.maximum(np.roll(steps, 1, axis=1), np.roll(steps, -1, axis=1))
    )  # the edge may lie one sample beside the line
    along = (np.arange(STRIPS) - (STRIPS - 1) / 2) * each
    best, found = 0.0, None
    for tilt in np.arange(-STEEPEST, STEEPEST + 1e-9, 1.0 / level.shape[0]):
        shifts = np.rint(tilt * along).astype(int)
        lines = np.arange(NARROWEST, reach)[None, :] + shifts[:, None]
        ok = (lines >= 1) & (lines < columns - 3)
        here = np.where(ok, np.take_along_axis(steps, np.clip(lines, 0, columns - 1), axis=1), 0.0)
        strength = here.mean(axis=0)
        for at in np.argsort(strength)[:-4:-1]:
            if strength[at] > best and _is_edge(strips, lines[:, at], here[:, at]):
                best, found = float(strength[at]), int(at) + NARROWEST
    return found


def _is_edge(strips: Floats, line: NDArray[np.int_], steps: Floats) -> bool:
    """Tell whether what lies left of a line is dark and even, and the step is there in most strips that hold signal."""
    columns = np.arange(strips.shape[1])
    outside = columns[None, :] <= line[:, None] - 2
    if outside.sum(axis=1).min() < 1:
        return False
    behind = np.where(outside, strips, np.nan)
    inside = np.where(columns[None, :] > line[:, None] + 2, strips, -np.inf).max(axis=1)
    lit = inside > DARK + LEAST_STEP
    if lit.sum() < STRIPS // 4 or np.nanpercentile(behind, 95) > DARK:
        return False
    # along the edge: the same distance from it in every strip
    near = strips[np.arange(STRIPS), np.maximum(line - 2, 0)]
    border = strips[lit, 0]
    uneven = max(float(np.std(near[lit])), float(np.std(border)))
    return uneven < EVEN and float(np.mean(steps[lit] > max(LEAST_STEP, 3 * uneven))) >= STRAIGHT
