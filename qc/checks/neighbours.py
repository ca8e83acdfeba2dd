"""Slices against their neighbours: one that does not belong there, two that were swapped, one that was sent twice and changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qc.check import Applies, Example, FrameCheckBase, check
from qc.checks._worst import share
from qc.measure.likeness import SIDE, TEXTURE, Exchange, Odd, exchanges, near_copies, odd_slices, texture, thumbnail
from qc.picture import picture
from qc.pixels import FramePixels
from qc.results import Finding, ImageEvidence, Result, Status
from qc.study import Frame, Series


@dataclass(frozen=True)
class NeighbourParameters:
    """Parameters.

    Attributes
    ----------
    odd_ratio
        How much farther a slice must be from each neighbour than they are from each other and from the slices beyond.
    odd_distance
        1 - correlation with its neighbours that it must have at least.
    odd_of_series
        The same in lower quartiles of all neighbours of the series.
    swapped_left
        Two slices count as swapped where changing them back leaves less than this share of their distances.
    swapped_left_of_each
        The same at each of both places.
    copy_correlation
        Correlation of the fine structure from which two slices can be one.
    copy_of_usual
        What is left to a correlation of 1, over what is usually left between a slice and the one most like it.
    fewest_slices
        Slices that are needed.
    most_odd_percent
        Where more of the slices are odd, the stack is not anatomy seen slice by slice, and nothing is told.
    """

    odd_ratio: float = 2.5
    odd_distance: float = 0.02
    odd_of_series: float = 1.5
    swapped_left: float = 0.65
    swapped_left_of_each: float = 0.85
    copy_correlation: float = 0.98
    copy_of_usual: float = 0.1
    fewest_slices: int = 7
    most_odd_percent: float = 20.0


@check(
    id="pixels.neighbours",
    version=2,
    title="Slices that do not fit between their neighbours",
    level="series",
    needs="each_frame",
    applies=Applies(modalities=frozenset({"CT", "MR", "PT"}), classes=frozenset({"image", "derived"})),
    codes={
        "slices.misordered": "Slices stand at each other's place: each fits where the other one is. Distances, volumes and treatment plans from this series are "
        "wrong. Send it again from the scanner, and look whether the order there is right.",
        "slices.jump": "A slice does not fit between its neighbours: it was damaged, belongs to another place or patient, or the patient moved just then. "
        "Compare it with the one on the scanner.",
        "slices.near_duplicate": "Two slices of different places are the same image but for small changes (compression, rounding): one is a copy in the wrong place. "
        "Compare with the scanner and send the series again.",
    },
    params=NeighbourParameters,
    source="anatomy goes on from slice to slice: 1 - correlation of small pictures; correlation of fine structure, which noise makes unique",
    invariances=("file_order",),
    examples=(
        Example("ct_head"),
        Example("mr_brain"),
        Example("ct_head", fault="swapped_slices", codes={"slices.misordered": Status.WARN}),
        Example("ct_head", fault="near_copy", codes={"slices.near_duplicate": Status.WARN}),
        Example("ct_head", fault="foreign_slice", codes={"slices.jump": Status.WARN}),
    ),
)
class Neighbours(FrameCheckBase):
    """Keep 1.3 kB of every slice and compare in order of position. Stacks with repeated positions or several planes are left out."""

    def __init__(self, series: Series, params: NeighbourParameters) -> None:
        super().__init__(series, params)
        self.kept: list[tuple[float, Frame, NDArray[Any], NDArray[Any] | None]] = []
        self.normal: NDArray[Any] | None = None
        self.usable = True

    def frame(self, frame: FramePixels) -> None:
        """See one frame."""
        stored, row = frame.stored, frame.frame
        if not self.usable or stored.ndim != 2 or min(stored.shape) < 2 * SIDE:
            return
        position, orientation = row.position, row.orientation
        if position is None or orientation is None:
            self.usable = False
            return
        normal = np.cross(orientation[:3], orientation[3:])
        if self.normal is None:
            self.normal = normal
        if float(normal @ self.normal) < 0.999:
            self.usable = False
            return
        self.kept.append((float(self.normal @ np.asarray(position)), row, thumbnail(stored).ravel(), texture(stored)))

    def finish(self) -> Iterator[Result]:
        """Give the findings."""
        self.kept.sort(key=lambda one: one[0])
        depths = np.array([one[0] for one in self.kept])
        if not self.usable or len(depths) < self.params.fewest_slices or float(np.diff(depths).min()) < 1e-3:
            return
        yield from self._copies()
        # blank slices are told by the pixel checks; a hole in their place makes no neighbour odd
        rows = [one for one in self.kept if one[2].any()]
        if len(rows) < self.params.fewest_slices:
            return
        pictures = np.stack([one[2] for one in rows])
        frames = [one[1] for one in rows]
        params, most = self.params, self.params.most_odd_percent * len(rows) / 100
        pairs = exchanges(pictures, params.swapped_left, params.swapped_left_of_each)
        if pairs and 2 * len(pairs) <= max(2, most):
            yield self._swapped(pairs, pictures, frames)
        swapped = {place for pair in pairs for place in (pair.one, pair.other)}
        odd = [one for one in odd_slices(pictures, params.odd_ratio, params.odd_distance, params.odd_of_series) if one.index not in swapped]
        if odd and len(odd) <= most:
            yield self._odd(odd, pictures, frames)

    def _swapped(self, pairs: list[Exchange], pictures: NDArray[Any], frames: list[Frame]) -> Finding:
        best = pairs[0]
        named = sorted(place for pair in pairs for place in (pair.one, pair.other))
        text = (
            f"{share(len(named), self.series)} stand at the place of another: {frames[best.one].label} and {frames[best.other].label} "
            "both fit where the other one is"
        )
        details = {"count": len(named), "images": [frames[i].label for i in named][:20], "left": best.left}
        evidence = self._strip(pictures, best.one, frames) + self._strip(pictures, best.other, frames)
        return Finding("slices.misordered", Status.WARN, text, self.series.subject(), details, evidence=evidence)

    def _odd(self, odd: list[Odd], pictures: NDArray[Any], frames: list[Frame]) -> Finding:
        worst = odd[0]
        text = (
            f"{share(len(odd), self.series)} unlike both neighbours, the most {frames[worst.index].label} "
            f"({worst.ratio:.0f} times as far from each as they are from each other)"
        )
        details = {"count": len(odd), "images": [frames[one.index].label for one in odd][:20], "ratio": worst.ratio}
        subject = frames[worst.index].subject() if len(odd) == 1 else self.series.subject()
        return Finding("slices.jump", Status.WARN, text, subject, details, evidence=self._strip(pictures, worst.index, frames))

    def _strip(self, pictures: NDArray[Any], index: int, frames: list[Frame]) -> tuple[ImageEvidence, ...]:
        """The small pictures of the slice and its two neighbours on either side, side by side."""
        places = range(max(0, index - 2), min(len(pictures), index + 3))
        strip = np.concatenate([np.kron(pictures[k].reshape(SIDE, SIDE).astype(np.float32), np.ones((5, 5))) for k in places], axis=1)
        names = ", ".join(frames[k].label for k in places)
        return (picture(strip, f"{frames[index].label} among its neighbours", caption=f"small pictures of {names}"),)

    def _copies(self) -> Iterator[Result]:
        rows = [(one[1], one[3]) for one in self.kept if one[3] is not None]
        if len(rows) < 2:
            return
        textures = np.zeros((len(rows), TEXTURE), np.float32)
        for at, (_, values) in enumerate(rows):
            textures[at] = values
        pairs = near_copies(textures, self.params.copy_correlation, self.params.copy_of_usual)
        if not pairs or len(pairs) > len(rows) // 4:  # a stack without noise: interpolated or drawn
            return
        one, other, alike = max(pairs, key=lambda pair: pair[2])
        text = f"{rows[other][0].label} is {rows[one][0].label} again with small changes (fine structure alike to {100 * alike:.2f} %)"
        details = {"count": len(pairs), "pairs": [[rows[a][0].label, rows[b][0].label] for a, b, _ in pairs[:20]]}
        yield Finding("slices.near_duplicate", Status.WARN, text, rows[other][0].subject(), details)
