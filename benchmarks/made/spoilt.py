"""Artefacts of graded strength for `detection.py`: what is put in, how strong 1 is, which check must see it, and by what number.

The strengths were written down before anything was measured. `level` scales them: 1 is the strength of the table, 0.5 half of it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from pydicom.dataset import Dataset

from phantoms.synthetic import spoil
from phantoms.synthetic.targets import edit_pixels, limits
from qc.runner import Report

Studies = list[Dataset]
Change = Callable[[np.ndarray, Dataset, int, Generator], np.ndarray]


@dataclass(frozen=True)
class Artefact:
    """One artefact.

    Attributes
    ----------
    strength
        What level 1 means, in words.
    bases
        Names of clean series (`clean.BASES`) that it is put into.
    spoil
        (data sets, level, generator) -> data sets.
    score
        What the check says, larger is worse; None where it could not measure.
    relative
        True: the score is divided by the median of the clean ones of the same protocol, as a learned limit does.
    """

    name: str
    check: str
    code: str
    strength: str
    bases: tuple[str, ...]
    spoil: Callable[[Studies, float, Generator], Studies]
    score: Callable[[Report], float | None]
    relative: bool = False


def value(metric: str, sign: float = 1.0, detail: str = "", nothing: float | None = None) -> Callable[[Report], float | None]:
    """Score by a measurement, or by one of its details; `nothing` is the score where the check found nothing to measure."""

    def score(report: Report) -> float | None:
        for judged in report.measurements:
            one = judged.measurement
            if one.metric == metric and one.value is not None:
                return sign * float(one.details[detail] if detail else one.value)
        return nothing

    return score


def found(code: str) -> Callable[[Report], float]:
    """Score 1 where the finding is there."""
    return lambda report: float(any(one.code == code for one in report.findings))


def noise_of(image: np.ndarray) -> float:
    """Rough noise: robust SD of differences of neighbours where there is signal."""
    steps = np.abs(np.diff(image.astype(float), axis=1)).ravel()
    steps = steps[steps > 0]
    return float(np.median(steps)) / 0.6745 / np.sqrt(2) if steps.size else 1.0


def change(datasets: Studies, rng: Generator, do: Change, which: Sequence[int] | None = None) -> Studies:
    """Change the pixels of chosen images (default: all); rounded and kept inside what the bits hold."""
    broken = [copy.deepcopy(one) for one in datasets]
    for number in range(len(broken)) if which is None else which:
        dataset = broken[number]
        low, high = limits(dataset)

        def edit(stored: np.ndarray, dataset: Dataset = dataset, number: int = number, low: int = low, high: int = high) -> np.ndarray:
            frames = stored.reshape(len(stored), dataset.Rows, dataset.Columns).astype(float)
            return np.clip(np.rint(np.stack([do(one, dataset, number, rng) for one in frames])), low, high - 1).reshape(len(stored), -1)

        edit_pixels(dataset, edit)
    return broken


def middle(datasets: Studies) -> list[int]:
    """The one image in the middle: artefacts of a single image are put there."""
    return [len(datasets) // 2]


def zero(dataset: Dataset) -> float:
    """Stored value of no signal."""
    return -float(dataset.get("RescaleIntercept") or 0) / float(dataset.get("RescaleSlope") or 1)


def phase_axis(dataset: Dataset) -> int:
    """Axis along which ghosts are displaced."""
    return 1 if str(dataset.get("InPlanePhaseEncodingDirection", "COL")).startswith("ROW") else 0


# -- what is put in ---------------------------------------------------------------------------------------------------


def stripe(data: Studies, level: float, rng: Generator) -> Studies:
    period = float(rng.uniform(4, 11))
    return change(
        data, rng, lambda i, d, n, r: i + level * noise_of(i) * np.cos(2 * np.pi * np.arange(len(i)) / period)[:, None], middle(data)
    )


def herringbone(data: Studies, level: float, rng: Generator) -> Studies:
    cycles = (float(rng.uniform(0.1, 0.35)), float(rng.uniform(0.1, 0.35)))
    return change(data, rng, lambda i, d, n, r: spoil.herringbone(i, level * noise_of(i), cycles), middle(data))


def zipper(data: Studies, level: float, rng: Generator) -> Studies:
    return change(
        data,
        rng,
        lambda i, d, n, r: spoil.zipper(i, 0.3 * level * np.percentile(i, 98), int(r.integers(len(i) // 4, len(i) // 2)), 0, r),
        middle(data),
    )


def ghost(data: Studies, level: float, rng: Generator) -> Studies:
    shift = float(rng.uniform(0.45, 0.55))
    return change(data, rng, lambda i, d, n, r: spoil.motion_ghost(i, 0.05 * level, phase_axis(d), (shift,)))


def ring(data: Studies, level: float, rng: Generator) -> Studies:
    share = float(rng.uniform(0.07, 0.12))
    return change(
        data,
        rng,
        lambda i, d, n, r: spoil.ring(
            i, 3.0 * level / float(d.get("RescaleSlope") or 1), round(share * d.Columns), ((d.Rows - 1) / 2, (d.Columns - 1) / 2)
        ),
    )


def blur(data: Studies, level: float, rng: Generator) -> Studies:
    """The edge becomes 1 + level / 2 times as wide: a Gaussian of that much more variance, taking the pixel's own width for the edge."""
    own = 0.6  # pixels, sigma of the edge of these series
    extra = own * np.sqrt((1 + 0.5 * level) ** 2 - 1)
    return change(data, rng, lambda i, d, n, r: spoil.soften(i, extra))


def shading(data: Studies, level: float, rng: Generator) -> Studies:
    sign = 1 if rng.integers(2) else -1
    return change(data, rng, lambda i, d, n, r: spoil.side_shading(i, sign * _over_object(i, 0.2 * level)))


def _over_object(image: np.ndarray, share: float) -> float:
    """Share over the whole image that is `share` over the object."""
    lit = np.flatnonzero((image > 0.2 * np.percentile(image, 98)).mean(axis=0) > 0.1)
    return share * image.shape[1] / max(len(lit), 1)


def noise(data: Studies, level: float, rng: Generator) -> Studies:
    factor = 1 + 0.3 * level
    return change(data, rng, lambda i, d, n, r: i + r.normal(0, noise_of(i) * np.sqrt(factor**2 - 1), i.shape))


def few_levels(data: Studies, level: float, rng: Generator) -> Studies:
    return change(data, rng, lambda i, d, n, r: zero(d) + np.rint((i - zero(d)) / (np.ptp(i) / 32 * level)) * np.ptp(i) / 32 * level)


def swapped_bytes(data: Studies, level: float, rng: Generator) -> Studies:
    broken = [copy.deepcopy(one) for one in data]
    for one in broken if level >= 1 else broken[: len(broken) // 3]:
        edit_pixels(one, lambda stored: stored.byteswap())
    return broken


def _give(target: Dataset, source: Dataset) -> None:
    target.PixelData = source.PixelData
    target.file_meta.TransferSyntaxUID = source.file_meta.TransferSyntaxUID


def swapped_slices(data: Studies, level: float, rng: Generator) -> Studies:
    broken = [copy.deepcopy(one) for one in data]
    away = max(3, round(0.25 * level * len(broken)))
    one = int(rng.integers(1, max(2, len(broken) - away - 1)))
    other = min(len(broken) - 2, one + away)
    kept = copy.deepcopy(broken[one])
    _give(broken[one], broken[other])
    _give(broken[other], kept)
    return broken


def foreign(data: Studies, level: float, rng: Generator) -> Studies:
    return change(data, rng, lambda i, d, n, r: np.roll(i, round(0.15 * level * i.shape[1]), axis=1), middle(data))


def near_copy(data: Studies, level: float, rng: Generator) -> Studies:
    broken = [copy.deepcopy(one) for one in data]
    place = len(broken) // 2
    _give(broken[place], broken[place - 1])
    return change(broken, rng, lambda i, d, n, r: i + r.normal(0, 0.05 / level * noise_of(i) + 0.2, i.shape), [place])


def wrapped(data: Studies, level: float, rng: Generator) -> Studies:
    def fold(image: np.ndarray, dataset: Dataset, number: int, r: Generator) -> np.ndarray:
        axis = phase_axis(dataset)
        turned = image if axis == 0 else image.T
        lit = np.flatnonzero((turned > 0.2 * np.percentile(turned, 98)).mean(axis=1) > 0.02)
        size = len(turned)
        keep = max(16, round((lit[-1] - lit[0] + 1) * (1 - 0.1 * level)))
        start = (lit[0] + lit[-1]) // 2 - keep // 2
        small = np.zeros((keep, turned.shape[1]))
        for row in range(size):
            small[(row - start) % keep] = np.hypot(small[(row - start) % keep], turned[row])
        grown = small[np.minimum(np.arange(size) * keep // size, keep - 1)]
        return grown if axis == 0 else grown.T

    return change(data, rng, fold)


def truncated(data: Studies, level: float, rng: Generator) -> Studies:
    """The middle of the image, so small that a tenth of its border lies in the body, over the whole matrix."""

    def zoom(image: np.ndarray, dataset: Dataset, number: int, r: Generator) -> np.ndarray:
        air = zero(dataset) - 300 / float(dataset.get("RescaleSlope") or 1)
        body = image > air
        rows, columns = np.flatnonzero(body.mean(axis=1) > 0.15), np.flatnonzero(body.mean(axis=0) > 0.15)
        half_r, half_c = (rows[-1] - rows[0]) / 2, (columns[-1] - columns[0]) / 2
        half = max(half_r, half_c) * (1 - 0.045 * level)
        top, left = (rows[0] + rows[-1]) / 2 - half, (columns[0] + columns[-1]) / 2 - half
        index = [
            np.clip(np.rint(start + np.arange(n) * 2 * half / n), 0, n - 1).astype(int)
            for start, n in zip((top, left), image.shape, strict=True)
        ]
        return image[np.ix_(*index)]

    return change(data, rng, zoom)


def spiked(data: Studies, level: float, rng: Generator) -> Studies:
    return change(data, rng, lambda i, d, n, r: i * (1 + 0.05 * level), [int(rng.integers(len(data) // 4, 3 * len(data) // 4))])


def drifting(data: Studies, level: float, rng: Generator) -> Studies:
    order = {id(d): k for k, d in enumerate(sorted(data, key=lambda one: int(one.InstanceNumber)))}
    part = [order[id(d)] / len(data) for d in data]
    return change(data, rng, lambda i, d, n, r: i * (1 - 0.15 * level * part[n]))


def moved(data: Studies, level: float, rng: Generator) -> Studies:
    last = sorted(range(len(data)), key=lambda k: int(data[k].InstanceNumber))[-len(data) // 5 :]
    return change(data, rng, lambda i, d, n, r: np.roll(i, round(12 * level / float(d.PixelSpacing[0])), axis=0), last)


def dead_column(data: Studies, level: float, rng: Generator) -> Studies:
    return change(
        data,
        rng,
        lambda i, d, n, r: spoil.dead_line(i, int(r.integers(d.Columns // 4, 3 * d.Columns // 4)), 1, -3 * level * noise_of(i)),
        middle(data),
    )


def dead_elements(data: Studies, level: float, rng: Generator) -> Studies:
    return change(
        data, rng, lambda i, d, n, r: spoil.dead_elements(i, d.Columns // 2, max(1, round(0.02 * level * d.Columns)), 10 ** (-10 / 20))
    )


def clipped(data: Studies, level: float, rng: Generator) -> Studies:
    broken = [copy.deepcopy(one) for one in data]
    dataset = broken[len(broken) // 2]
    low, high = limits(dataset)

    def edit(stored: np.ndarray) -> np.ndarray:
        top = max(np.percentile(stored, 100 - level), stored.min() + 1)
        return np.clip(np.rint(low + (stored.astype(float) - stored.min()) * (high - low) / (top - stored.min())), low, high)

    edit_pixels(dataset, edit)
    return broken


def inverted(data: Studies, level: float, rng: Generator) -> Studies:
    broken = [copy.deepcopy(one) for one in data]
    for one in broken if level >= 1 else []:
        one.PhotometricInterpretation = "MONOCHROME1" if one.PhotometricInterpretation == "MONOCHROME2" else "MONOCHROME2"
    return broken


def displaced(data: Studies, level: float, rng: Generator) -> Studies:
    broken = [copy.deepcopy(one) for one in data]
    for one in broken:
        one.RescaleIntercept = float(one.RescaleIntercept) + 1000 * level
    return broken


def lost_counts(data: Studies, level: float, rng: Generator) -> Studies:
    return change(data, rng, lambda i, d, n, r: r.binomial(i.astype(int), 1 - min(0.9, 0.1 * level)).astype(float))


def wrong_index(data: Studies, level: float, rng: Generator) -> Studies:
    broken = [copy.deepcopy(one) for one in data]
    for one in broken:
        right = 10 * np.log10(float(one.ExposureIndex) / float(one.TargetExposureIndex))
        one.DeviationIndex = f"{right + 0.5 * level:.1f}"
    return broken


def mirrored(data: Studies, level: float, rng: Generator) -> Studies:
    return change(data, rng, lambda i, d, n, r: i[:, ::-1]) if level >= 1 else [copy.deepcopy(one) for one in data]


def wrong_dose(data: Studies, level: float, rng: Generator) -> Studies:
    """The dose is too small by so much that the images hold twice what was injected."""
    broken = [copy.deepcopy(one) for one in data]
    for one in broken:
        item: Any = one.RadiopharmaceuticalInformationSequence[0]
        item.RadionuclideTotalDose = float(item.RadionuclideTotalDose) / (1e6 if level >= 1 else 1)
    return broken


MR, CT = ("mr_brain", "real_head"), ("ct_head", "ct_chest")
ARTEFACTS = (
    Artefact("stripes", "pixels.stripes", "pixels.stripes", "1 SD of noise, one image", (*MR, *CT), stripe, value("pixels.stripes", nothing=0.0)),
    Artefact("herringbone", "pixels.herringbone", "pixels.herringbone", "1 SD of noise, one image", MR, herringbone, value("pixels.lone_wave")),
    Artefact("zipper", "pixels.stripes", "pixels.stripes", "a row at 30 % of the signal, one image", MR, zipper, found("pixels.stripes")),
    Artefact("ghost", "mr.ghosts", "mr.ghosts", "5 % of the signal", MR, ghost, value("mr.ghost", detail="signed")),
    Artefact("ring", "ct.rings", "ct.rings", "3 HU, 2 pixels wide", CT, ring, value("ct.patient_ring", detail="score")),
    Artefact("blur", "sharpness", "", "edge 1.5 times as wide", (*MR, *CT), blur, value("image.edge_width"), relative=True),
    Artefact("shading", "pixels.shading", "pixels.shading", "20 % from side to side", MR, shading, value("mr.side_shading"), relative=False),
    Artefact("noise, CT", "noise.level", "", "1.3 times", CT, noise, value("ct.noise_level"), relative=True),
    Artefact("noise, MR", "noise", "", "1.3 times", ("mr_brain",), noise, value("mr.noise_estimate"), relative=True),
    Artefact("few levels", "pixels.levels", "pixels.few_levels", "32 levels", (*MR, *CT), few_levels, value("pixels.used_bits", -1.0)),
    Artefact("swapped bytes", "pixels.levels", "pixels.byte_order", "all images", (*MR, *CT), swapped_bytes, found("pixels.byte_order")),
    Artefact("swapped slices", "pixels.neighbours", "slices.misordered", "two, a quarter of the stack apart", (*MR, *CT), swapped_slices, found("slices.misordered")),
    Artefact("displaced slice", "pixels.neighbours", "slices.jump", "by 15 % of the field", (*MR, *CT), foreign, found("slices.jump")),
    Artefact("near copy", "pixels.neighbours", "slices.near_duplicate", "changed by 0.05 SD of noise and rounding", (*MR, *CT), near_copy, found("slices.near_duplicate")),
    Artefact("wrap-around", "field_of_view", "mr.wrapped", "field 10 % smaller than the head", MR, wrapped, value("mr.both_ends")),
    Artefact("cut off", "field_of_view", "ct.truncated", "field 4.5 % narrower than the body", CT, truncated, value("ct.cut_off")),
    Artefact("spike in time", "stack.stability", "stack.spikes", "one image 5 % brighter", ("mr_4d", "real_epi"), spiked, found("stack.spikes")),
    Artefact("drift", "stack.stability", "stack.drift", "15 % over the run", ("mr_4d", "real_epi"), drifting, value("stack.drift", -1.0)),
    Artefact("motion", "stack.stability", "stack.motion", "12 mm in the last fifth", ("mr_4d", "real_epi"), moved, value("stack.likeness", -1.0)),
    Artefact("detector line", "radiograph.lines", "radiograph.lines", "3 SD of noise", ("dx_chest", "mg_breast", "real_cr"), dead_column, value("radiograph.line")),
    Artefact("clipped", "pixels", "pixels.clipped", "1 % of the pixels, one image", (*MR, *CT), clipped, value("pixels.clipped")),
    Artefact("inverted", "pixels.inverted", "pixels.inverted", "shown as its negative", ("dx_chest", "mg_breast"), inverted, found("pixels.inverted")),
    Artefact("CT numbers displaced", "pixels.rescale", "pixels.rescale", "by 1000 HU", CT, displaced, found("pixels.rescale")),
    Artefact("dead elements", "us.picture", "us.dark_columns", "2 % of the width, 10 dB", ("us_linear",), dead_elements, value("us.dark_columns")),
    Artefact("lost counts", "nm.counts", "nm.counts_differ", "10 %", ("nm_bone",), lost_counts, found("nm.counts_differ")),
    Artefact("deviation index", "dx.exposure", "dx.deviation_index", "0.5 off", ("dx_chest",), wrong_index, found("dx.deviation_index")),
    Artefact("mirrored mammogram", "mg.picture", "mg.orientation", "mirrored", ("mg_breast",), mirrored, found("mg.orientation")),
    Artefact("dose in MBq", "pet.suv", "pet.not_quantitative", "a million times too small", ("pt_brain",), wrong_dose, found("pet.not_quantitative")),
)  # fmt: skip
