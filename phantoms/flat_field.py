"""Flat field of an X-ray detector: signal, noise and their evenness (AAPM TG-150), pixels and lines that are off."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from qc.check import Applies, Example, check
from qc.checks.collimation import white_is_high
from qc.errors import Unmeasurable
from qc.measure.collimation import field
from qc.measure.flat import BORDER_MM, Defects, Squares, defects, global_percent, is_even, local_percent, squares
from qc.picture import picture
from qc.pixels import FramePixels, PixelAccess, Unreadable
from qc.results import ImageEvidence, Metric, Result, Shape
from qc.study import Frame, Series

TG150 = "AAPM TG-150, squares of 10 mm"
SIGNAL = Metric("flat_field.signal", "1", "Characteristic signal of a flat field", "target", TG150)
NOISE = Metric("flat_field.noise", "1", "Characteristic noise of a flat field", "lower", TG150)
SNR = Metric("flat_field.snr", "1", "Characteristic signal-to-noise ratio of a flat field", "higher", TG150)
LOCAL = Metric("flat_field.local", "%", "Local non-uniformity of a flat field", "lower", TG150)
GLOBAL = Metric("flat_field.global", "%", "Global non-uniformity of a flat field", "lower", TG150)
PIXELS = Metric(
    "flat_field.pixels", "1", "Pixels of the detector that are off, those of whole lines left out", "lower", "6 robust SDs from the 5 x 5"
)
CLUSTER = Metric("flat_field.cluster", "1", "Pixels of the largest group that is off", "lower", "8-connectivity")
LINES = Metric("flat_field.lines", "1", "Rows and columns of the detector that are off", "lower", "6 robust SDs of all lines")
BY_SQUARES = (SIGNAL, NOISE, SNR)
BY_PIXEL = (PIXELS, CLUSTER, LINES)

CLASS = "phantom:flat_field"
MODALITIES = frozenset({"DX", "CR", "MG"})
MOST_FRAMES = 8
LOOKED_AT = 512  # lines of an image that is to be recognised
CELL_MM = 5.0
SMALLEST = 64  # rows and columns
TILE = 64  # pixels, where the header gives no pixel size
SHOWN = 40  # places marked in a picture and listed


def _spacing(frame: Frame) -> tuple[float, float] | None:
    """Pixel size at the detector: nothing lies between, so nothing is magnified."""
    told = frame.get("ImagerPixelSpacing")
    if isinstance(told, tuple) and len(told) == 2 and all(isinstance(one, (int, float)) and one > 0 for one in told):
        return float(told[0]), float(told[1])
    return frame.spacing_mm


def _window(pixels: FramePixels, spacing_mm: tuple[float, float] | None, margin_mm: float) -> tuple[slice, slice]:
    """Rows and columns inside the collimation, a margin on its sides left out; the whole image where there is none."""
    image, whole = pixels.stored, (slice(0, pixels.stored.shape[0]), slice(0, pixels.stored.shape[1]))
    few = image[::8, ::8]
    low, middle, high = (float(value) for value in np.percentile(few, [1, 50, 99]))
    if low > 0.5 * middle and high < 1.5 * middle:
        return whole
    insets = field(image, white_is_high(pixels.frame)).insets
    mm = spacing_mm or (0.02 * image.shape[0] / margin_mm if margin_mm else 1.0,) * 2
    cut = {side: int(np.ceil(inset + margin_mm / mm[side in ("left", "right")])) for side, inset in insets.items()}
    rows = slice(cut.get("top", 0), image.shape[0] - cut.get("bottom", 0))
    columns = slice(cut.get("left", 0), image.shape[1] - cut.get("right", 0))
    return rows, columns


def _is_flat(pixels: FramePixels) -> bool:
    """Tell whether a picture shows an even exposure, by a thinned image."""
    if pixels.stored.ndim != 2 or min(pixels.stored.shape) < SMALLEST:
        return False
    spacing = _spacing(pixels.frame)
    inside = pixels.stored[_window(pixels, spacing, BORDER_MM)]
    if min(inside.shape) < SMALLEST:
        return False
    step = max(1, min(pixels.stored.shape) // LOOKED_AT)
    thin = inside[::step, ::step]
    largest = min(thin.shape) // 8
    cell = (largest, largest) if spacing is None else tuple(min(largest, max(2, round(CELL_MM / one / step))) for one in spacing)
    return is_even(thin, (cell[0], cell[1]))


def recognise(series: Series, pixels: PixelAccess) -> str | None:
    """Recogniser of flat fields (entry point `pacsqc.recognisers`): by the header first, so that no image of a patient is opened for it."""
    if series.modality not in MODALITIES or not 1 <= len(series.frames) <= MOST_FRAMES:
        return None
    if any(frame.get("PresentationIntentType") != "FOR PROCESSING" or frame.instance.layout is None for frame in series.frames):
        return None
    for one in pixels.frames(series):
        if isinstance(one, Unreadable) or not _is_flat(one):
            return None
    return CLASS


@dataclass(frozen=True)
class FlatParameters:
    """Parameters.

    Attributes
    ----------
    ratio
        A pixel or line that lies so many robust SDs from those around it is off.
    """

    ratio: float = 6.0


@check(
    id="flat_field.detector",
    version=1,
    title="Flat field: signal, noise, evenness and dead pixels of a detector",
    level="series",
    needs="volume",
    applies=Applies(modalities=MODALITIES, classes=frozenset({CLASS})),
    metrics=(*BY_SQUARES, LOCAL, GLOBAL, *BY_PIXEL),
    params=FlatParameters,
    source="AAPM TG-150 (squares, characteristic values, non-uniformity); pixels and lines by robust SDs",
    invariances=("file_order", "duplicate_input"),
    examples=(
        Example(
            "flat_field",
            values={
                "flat_field.signal": (3000.0, 5.0),
                "flat_field.noise": (38.73, 0.6),
                "flat_field.snr": (77.5, 1.2),
                "flat_field.pixels": (0.0, 0.0),
            },
        ),
        Example(
            "flat_field",
            {"dead_pixels": 12, "dead_column": 321, "cluster": (4, 3)},
            values={"flat_field.pixels": (24.0, 0.0), "flat_field.cluster": (12.0, 0.0), "flat_field.lines": (1.0, 0.0)},
        ),
    ),
)
def flat_field(series: Series, pixels: PixelAccess, params: FlatParameters) -> Iterator[Result]:
    """Signal, noise and signal-to-noise ratio in squares of 10 mm, and the pixels and lines that are off.

    A border of 10 mm inside the image or the collimation is left out. Characteristic values are the means over the squares. ``local``: the
    largest difference of a square from the mean of its four neighbours; ``global``: largest minus smallest; both over the characteristic
    value, for signal, noise and signal-to-noise ratio. The heel effect counts in ``global``, hardly in ``local``. Dead pixels raise the
    noise of their square. Single SDs scatter: on a perfect detector with 2500 pixels a square, ``local`` of the noise is 3 to 5 %.

    Worked number: a signal of 3000 with variance 1500 gives noise 38.7 and a ratio of 77.5; a slope of 0.1 % a mm over squares 90 mm apart
    9 % global and 0.5 % local.
    """
    for number, one in enumerate(pixels.frames(series), start=1):
        which = "" if len(series.frames) == 1 else f"image{number}"
        if isinstance(one, Unreadable) or one.stored.ndim != 2:
            yield from _nothing("pixels_unreadable", one.frame, which)
        elif min(one.stored.shape) < SMALLEST:
            yield from _nothing("field_too_small", one.frame, which)
        else:
            yield from _by_squares(one, which)
            yield from _by_pixel(one, which, params.ratio)


def _region(*parts: str) -> str:
    return ".".join(part for part in parts if part)


def _nothing(reason: str, frame: Frame, which: str) -> Iterator[Result]:
    yield from _no_squares(reason, frame, which)
    for metric in BY_PIXEL:
        yield metric.missing(reason, frame.subject(), which)


def _no_squares(reason: str, frame: Frame, which: str) -> Iterator[Result]:
    for metric in BY_SQUARES:
        yield metric.missing(reason, frame.subject(), which)
    for metric in (LOCAL, GLOBAL):
        for quantity in ("signal", "noise", "snr"):
            yield metric.missing(reason, frame.subject(), _region(quantity, which))


def _by_squares(pixels: FramePixels, which: str) -> Iterator[Result]:
    """Characteristic values and non-uniformity, or the reason why not."""
    frame, spacing = pixels.frame, _spacing(pixels.frame)
    rows, columns = _window(pixels, spacing, 0.0)
    reason = ""
    if spacing is None:
        reason = "no_pixel_spacing"
    elif frame.get("PixelIntensityRelationship", "LIN") != "LIN" or frame.get("PixelIntensityRelationshipSign") == -1:
        reason = "signal_not_linear"
    else:
        try:
            found = squares(pixels.values[rows, columns], spacing)
        except Unmeasurable as error:
            reason = error.reason
        else:
            reason = "" if found.noise.min() > 0 and found.signal.min() > 0 else "no_noise_found"
    if reason or spacing is None:
        yield from _no_squares(reason, frame, which)
        return
    quantities = {"signal": found.signal, "noise": found.noise, "snr": found.snr}
    facts = {"squares": found.signal.size, "image": frame.label}
    for metric, values in zip(BY_SQUARES, quantities.values(), strict=True):
        scatter = float(values.std(ddof=1) / np.sqrt(values.size))
        yield metric.value(float(values.mean()), frame.subject(), which, uncertainty=scatter, **facts)
    for quantity, values in quantities.items():
        percent, square = local_percent(values)
        row, column = found.center(*square)
        place = (row + rows.start, column + columns.start)
        shown = _squares_shown(pixels, found, (rows.start, columns.start), square, f"{quantity}, {percent:.1f} % locally", spacing)
        where = {"row": place[0], "column": place[1]}
        yield LOCAL.value(percent, frame.subject(), _region(quantity, which), evidence=(shown,), **where, **facts)
        yield GLOBAL.value(global_percent(values), frame.subject(), _region(quantity, which), **facts)


def _squares_shown(
    pixels: FramePixels, found: Squares, start: tuple[int, int], square: tuple[int, int], title: str, spacing: tuple[float, float]
) -> ImageEvidence:
    """The image with the measured area and the square that differs most."""
    top, left = found.origin[0] + start[0], found.origin[1] + start[1]
    high, wide = found.side
    area = _box(top, left, found.signal.shape[0] * high, found.signal.shape[1] * wide, "measured", "measured")
    worst = _box(top + square[0] * high, left + square[1] * wide, high, wide, "differs most", "found")
    middle = float(found.signal.mean())
    return picture(pixels.values, f"Flat field: {title}", (area, worst), spacing, window=(0.85 * middle, 1.15 * middle))


def _box(top: float, left: float, rows: float, columns: float, label: str, role: Literal["measured", "found", "problem"]) -> Shape:
    """A rectangle around whole pixels."""
    top, left = top - 0.5, left - 0.5
    corners = ((top, left), (top, left + columns), (top + rows, left + columns), (top + rows, left), (top, left))
    return Shape("polygon", corners, label, role)


def _by_pixel(pixels: FramePixels, which: str, ratio: float) -> Iterator[Result]:
    """Pixels and lines that are off, counted and listed."""
    frame, spacing = pixels.frame, _spacing(pixels.frame)
    rows, columns = _window(pixels, spacing, BORDER_MM)
    inside = pixels.stored[rows, columns]
    if min(inside.shape) < SMALLEST:
        for metric in BY_PIXEL:
            yield metric.missing("field_too_small", frame.subject(), which)
        return
    tile = (TILE, TILE) if spacing is None else (max(16, round(10 / spacing[0])), max(16, round(10 / spacing[1])))
    found = defects(inside, tile, ratio)
    start = (rows.start, columns.start)
    subject, image = frame.subject(), frame.label
    listed = [[int(row) + start[0] + 1, int(column) + start[1] + 1] for row, column in found.places[:SHOWN]]
    shown = (_defects_shown(pixels, found, start, spacing),)
    yield PIXELS.value(len(found.pixels), subject, which, evidence=shown, places=listed, groups=len(found.clusters), image=image)
    yield CLUSTER.value(found.clusters[0] if found.clusters else 0, subject, which, image=image)
    lines = {
        "rows": [index + start[0] + 1 for index in found.rows[:SHOWN]],
        "columns": [index + start[1] + 1 for index in found.columns[:SHOWN]],
    }
    yield LINES.value(len(found.rows) + len(found.columns), subject, which, **lines, image=image)


def _defects_shown(pixels: FramePixels, found: Defects, start: tuple[int, int], spacing: tuple[float, float] | None) -> ImageEvidence:
    """The image with what is off."""
    high, wide = pixels.stored.shape
    shapes = [
        Shape("line", ((row + start[0], 0.0), (row + start[0], wide - 1.0)), f"row {row + start[0] + 1}", "problem")
        for row in found.rows[:SHOWN]
    ]
    shapes += [
        Shape("line", ((0.0, column + start[1]), (high - 1.0, column + start[1])), f"column {column + start[1] + 1}", "problem")
        for column in found.columns[:SHOWN]
    ]
    shapes += [Shape("point", ((float(row + start[0]), float(column + start[1])),), "", "problem") for row, column in found.places[:SHOWN]]
    if len(found.largest) > 1:
        low, high_end = found.largest.min(axis=0), found.largest.max(axis=0)
        size = high_end - low + 1
        shapes.append(_box(low[0] + start[0], low[1] + start[1], size[0], size[1], f"{len(found.largest)} pixels", "problem"))
    middle = float(np.median(pixels.stored[::8, ::8]))
    text = f"{len(found.pixels)} pixels, {len(found.rows) + len(found.columns)} lines off"
    window = (0.85 * middle, max(1.15 * middle, 0.85 * middle + 1))
    return picture(pixels.stored, f"Flat field: {text}", shapes, spacing, window=window)
