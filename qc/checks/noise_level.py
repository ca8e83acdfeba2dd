"""Global noise level of CT: the noise where patients are uniform, correlated or not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qc.check import Applies, Example, FrameCheckBase, check
from qc.measure.noise import most_frequent, tile_deviations
from qc.pixels import FramePixels
from qc.results import Metric, Result
from qc.study import Series

LEVEL = Metric(
    "ct.noise_level", "[hnsf'U]", "Global noise level of CT images in soft tissue", "lower", "Christianson et al., AJR 205:W82 (2015)"
)


@dataclass(frozen=True)
class LevelParameters:
    """Parameters.

    Attributes
    ----------
    tile_mm
        Side of the squares in which the SD is taken.
    soft_tissue_hu
        Squares with a mean in this range count.
    most_images
        Images looked at, evenly spread over the series.
    fewest_tiles
        Squares in soft tissue that are needed.
    largest_pixel_mm
        Squares of 5 x 5 larger pixels hold more anatomy than noise.
    """

    tile_mm: float = 6.0
    soft_tissue_hu: tuple[float, float] = (-300.0, 100.0)
    most_images: int = 64
    fewest_tiles: int = 150
    largest_pixel_mm: float = 2.5


@check(
    id="noise.level",
    version=1,
    title="Global noise level of CT",
    level="series",
    needs="each_frame",
    applies=Applies(modalities=frozenset({"CT"}), not_classes=frozenset({"not_image", "screenshot", "localizer", "derived"})),
    metrics=(LEVEL,),
    params=LevelParameters,
    source="Christianson et al., AJR 205:W82 (2015); mode of log SD, which has no bias for white noise",
    invariances=("file_order", "duplicate_input"),
    examples=(
        Example("ct_head", {"matrix": 256}, values={"ct.noise_level@soft_tissue": (4.0, 0.25)}),
        Example("ct_chest"),
    ),
)
class NoiseLevel(FrameCheckBase):
    """Take the SD in squares of 6 mm in soft tissue and give the most frequent one.

    Other than the noise estimate of `noise` it holds for filtered and iteratively reconstructed images too. Noise coarser than a
    square is read low.
    """

    def __init__(self, series: Series, params: LevelParameters) -> None:
        super().__init__(series, params)
        self.found: dict[int, list[NDArray[Any]]] = {}
        self.every = max(1, -(-len(series.frames) // params.most_images))
        self.count = 0
        self.trouble = ""

    def frame(self, frame: FramePixels) -> None:
        """See one frame: of a large image every fourth band of squares."""
        self.count += 1
        stored, spacing = frame.stored, frame.frame.spacing_mm
        if (self.count - 1) % self.every or stored.ndim != 2:
            return
        if spacing is None or max(spacing) > self.params.largest_pixel_mm:
            self.trouble = "no_pixel_spacing" if spacing is None else "pixels_too_large"
            return
        tile = min(15, max(5, round(self.params.tile_mm / spacing[1]) | 1))
        bands = len(stored) // tile
        if bands == 0 or stored.shape[1] < tile:
            return
        step = max(1, min(4, bands // 12))
        whole = stored[: bands * tile].reshape(bands, tile, -1)[::step]
        low, high = self.params.soft_tissue_hu
        deviations = tile_deviations(frame.rescaled(whole.reshape(-1, stored.shape[1])), tile, low, high)
        if len(deviations):
            self.found.setdefault(tile, []).append(deviations)

    def finish(self) -> Iterator[Result]:
        """Give the noise level, or the reason why not."""
        subject = self.series.subject()
        tiles = {tile: np.concatenate(parts) for tile, parts in self.found.items()}
        tile = max(tiles, key=lambda one: len(tiles[one]), default=0)
        number = len(tiles[tile]) if tiles else 0
        if number < self.params.fewest_tiles:
            if self.unreadable_frames and len(self.unreadable_frames) == len(self.series.frames):
                yield LEVEL.missing("pixels_unreadable", subject, "soft_tissue")
            else:
                yield LEVEL.missing(self.trouble or "too_little_soft_tissue", subject, "soft_tissue", tiles=number)
            return
        yield LEVEL.value(most_frequent(tiles[tile], tile), subject, "soft_tissue", tile_px=tile, tiles=number)
