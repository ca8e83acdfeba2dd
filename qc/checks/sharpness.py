"""Sharpness of CT and MR images of patients: how wide the border between air and skin is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qc.check import Applies, Example, FrameCheckBase, check
from qc.checks._sampling import Sample
from qc.measure.noise import immerkaer
from qc.measure.sharpness import REACHES, borders, edge_profiles, fine_structure, rise_px
from qc.measure.tissue import otsu
from qc.pixels import FramePixels
from qc.results import CurveEvidence, Metric, Result
from qc.study import Series

WIDTH = Metric("image.edge_width", "mm", "10-90 % rise of the border between air and skin, in the plane", "lower", "edge spread function")
FINE = Metric(
    "image.fine_structure",
    "1",
    "Root mean square of the Laplacian over the contrast, freed from white noise; compare within one protocol only",
    "none",
    "variance of the Laplacian less 20 sigma^2",
)


@dataclass(frozen=True)
class SharpnessParameters:
    """Parameters.

    Attributes
    ----------
    most_images
        Images looked at, evenly spread over the series.
    fewest_edges
        Places on the border that are needed.
    most_edges
        Crossings looked at in one image and direction.
    smallest
        Images with a shorter side (pixels) are left out.
    """

    most_images: int = 12
    fewest_edges: int = 60
    most_edges: int = 1500
    smallest: int = 64


@check(
    id="sharpness",
    version=2,
    title="Sharpness at the skin",
    level="series",
    needs="each_frame",
    applies=Applies(modalities=frozenset({"CT", "MR"}), not_classes=frozenset({"not_image", "screenshot", "localizer", "cine", "mosaic"})),
    metrics=(WIDTH, FINE),
    params=SharpnessParameters,
    source="10-90 % rise of the edge spread function at the border of the body; Laplacian energy less 20 sigma^2 of white noise",
    invariances=("file_order", "duplicate_input"),
    examples=(
        Example("ct_head", {"matrix": 256}),
        Example("uniform_disc", {"snr": 50.0}),
    ),
)
class Sharpness(FrameCheckBase):
    """Lay all steep borders between air and body over each other and take the width of the edge.

    Motion, a soft kernel, thick slices through slanting skin and interpolation widen it. The value says something against
    others of the same protocol; no limit is given before enough of them are known.
    """

    def __init__(self, series: Series, params: SharpnessParameters) -> None:
        super().__init__(series, params)
        self.sample = Sample(series, params.most_images)
        self.profiles: dict[tuple[int, float], list[NDArray[Any]]] = {}
        self.fine: list[float] = []

    def frame(self, frame: FramePixels) -> None:
        """See one frame: rows, and columns where the pixels are square."""
        stored, spacing = frame.stored, frame.frame.spacing_mm
        if not self.sample.take() or stored.ndim != 2 or min(stored.shape) < self.params.smallest or spacing is None:
            return
        values = frame.values
        levels = self._levels(values)
        if levels is None:
            return
        low, high = levels
        ways = [(values, spacing[1])]
        if abs(spacing[0] - spacing[1]) < 0.01 * spacing[1]:
            ways.append((values.T, spacing[0]))
        step = 1 + (max(stored.shape) > 384)
        for turned, pixel in ways:
            rows = turned[1:-1:step]
            places = borders(rows, turned[:-2:step], turned[2::step], low, high)
            thin = max(1, len(places[0]) // self.params.most_edges)
            places = places[0][::thin], places[1][::thin]
            for reach in REACHES:
                profiles = edge_profiles(rows, places, low, high, reach)
                if len(profiles):
                    self.profiles.setdefault((reach, round(pixel, 4)), []).append(profiles)
        down, across = (side // 4 for side in values.shape)
        inner = values[down:-down, across:-across]
        self.fine.append(fine_structure(inner, immerkaer(inner), high - low))

    def _levels(self, values: NDArray[Any]) -> tuple[float, float] | None:
        """Level of air and of the body: given for CT; in MR the medians on both sides of Otsu's threshold."""
        if self.series.modality == "CT":
            return -1000.0, 0.0
        few = values[::2, ::2]
        cut = otsu(few)
        if not np.isfinite(cut):
            return None
        air, body = few[few <= cut], few[few > cut]
        if len(air) < 50 or len(body) < 50:
            return None
        return float(np.median(air)), float(np.median(body))

    def finish(self) -> Iterator[Result]:
        """Give the width, by the narrowest reach that holds the edge, or the reason why not."""
        subject = self.series.subject()
        reason = "pixels_unreadable" if self.unreadable_frames and not self.fine else "too_few_edges" if self.fine else "no_usable_image"
        for reach in REACHES:
            found = {key: np.concatenate(parts) for key, parts in self.profiles.items() if key[0] == reach}
            if not found:
                continue
            (_, spacing), profiles = max(found.items(), key=lambda item: len(item[1]))
            if len(profiles) < self.params.fewest_edges:
                continue
            rise = rise_px(profiles)
            if rise is None or rise > 0.8 * reach:
                reason = "edges_too_wide"
                continue
            halves = [rise_px(profiles[start::2]) for start in (0, 1)]
            spread = abs(halves[0] - halves[1]) / 2 * spacing if halves[0] is not None and halves[1] is not None else None
            curve = np.median(profiles, axis=0)
            x = (np.arange(len(curve)) - reach + 0.5) * spacing
            picture = CurveEvidence("Border of the body", {"median edge": (x.tolist(), curve.tolist())}, "mm", "air 0, body 1")
            yield WIDTH.value(rise * spacing, subject, "skin", uncertainty=spread, edges=len(profiles), rise_px=rise, evidence=(picture,))
            break
        else:
            yield WIDTH.missing(reason, subject, "skin")
        if self.fine:
            yield FINE.value(float(np.median(self.fine)), subject, "middle", images=len(self.fine))
        else:
            yield FINE.missing(reason, subject, "middle")
