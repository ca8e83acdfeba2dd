"""Dead elements of a linear ultrasound probe: columns that stay dark from the skin down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Field:
    """Echo field of a linear probe, in pixels: rows `top` to `bottom`, columns `left` to `right` (ends not counted)."""

    top: int
    bottom: int
    left: int
    right: int


def linear_field(mean: Floats, least_fill: float = 0.9) -> Field | None:
    """Find the echo field of a linear probe in the mean over all frames.

    The largest connected part brighter than 2 % of the 99th percentile (gaps of 5 pixels closed) must fill nine tenths of its bounding box
    and a tenth of the image: sectors and curved arrays do not.

    Returns
    -------
    None where there is no such field.
    """
    from scipy import ndimage

    lit = mean > 0.02 * float(np.percentile(mean, 99))
    labels, count = ndimage.label(ndimage.binary_closing(lit, np.ones((5, 5))))
    if count == 0:
        return None
    sizes = np.bincount(labels.ravel())[1:]
    number = int(np.argmax(sizes)) + 1
    rows, columns = ndimage.find_objects((labels == number).astype(int))[0]
    field = Field(rows.start, rows.stop, columns.start, columns.stop)
    area = (field.bottom - field.top) * (field.right - field.left)
    if (
        sizes[number - 1] < least_fill * area
        or area < 0.1 * mean.size
        or field.right - field.left < 60
        or field.bottom - field.top < max(60, 0.3 * len(mean))
    ):
        return None
    inside = mean[field.top : field.bottom, field.left : field.right]
    if float(np.mean(inside == np.median(inside))) > 0.2:
        return None  # a grey background, not echoes
    return field


@dataclass(frozen=True)
class Dip:
    """Dark columns.

    Attributes
    ----------
    first, width
        First column in the image and number of columns.
    depth
        Share of the signal that is missing there, the smaller of the near and the middle field.
    """

    first: int
    width: int
    depth: float


def dark_columns(mean: Floats, field: Field, least_depth: float = 0.4) -> Dip | None:
    """Find the widest run of columns that are darker than their neighbourhood both near the skin and at mid depth.

    Column means of two bands (5 to 30 % and 30 to 60 % of the depth) over their running median (a fifth of the width): shadows of stones
    and air begin deeper, dead elements at the skin. Bad contact does the same.

    Returns
    -------
    None where no two neighbouring columns are `least_depth` darker in both bands.
    """
    from scipy import ndimage

    height = field.bottom - field.top
    reach = max(15, (field.right - field.left) // 5) | 1
    dips = []
    for start, stop in ((0.05, 0.3), (0.3, 0.6)):
        band = mean[field.top + int(start * height) : field.top + int(stop * height), field.left : field.right]
        profile = np.asarray(band, np.float64).mean(axis=0)
        usual = ndimage.median_filter(profile, reach, mode="nearest")
        dips.append(1 - profile / np.maximum(usual, 1e-6))
    depth = np.minimum(*dips)
    dark = depth > least_depth
    dark[:3], dark[-3:] = False, False
    labels, count = ndimage.label(dark)
    best: Dip | None = None
    for part in ndimage.find_objects(labels)[:count]:
        first, width = part[0].start, part[0].stop - part[0].start
        if width >= 2 and (best is None or width > best.width):
            best = Dip(field.left + first, width, float(np.median(depth[part[0]])))
    return best
