"""Recognise the ACR MRI phantom, find its slices and turn them to the usual view: from the pictures, not from names or SliceLocation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phantoms.acr_mri.plan import LARGE, MEDIUM, SIZES, Size, plan_mask
from qc import geometry, stacks
from qc.errors import Unmeasurable
from qc.measure.outline import Outline, outline
from qc.measure.roi import inside_disc
from qc.pixels import PixelAccess, Volume
from qc.study import Frame, Series

SLICES = 11
FEWEST = 7  # with fewer positions nothing tells an ACR set from a coarse stack of something else
STEP_MM, STEP_TOLERANCE_MM = 10.0, 0.2
PLUG_DEG = (90.0, 20.0)  # 12 o'clock, half width
DIAMETER_TOLERANCE_MM = 7.0
MOST_SCATTER_MM = 2.0
COARSEST_MM = 1.5  # with larger pixels discs and bars are smaller than what they are made of
SURE = 0.65  # correlation of slice 1 with its drawing; real sets reach 0.75 to 0.95, other slices stay below 0.55


@dataclass(frozen=True)
class View:
    """How an image was turned to the usual view (plug up, small tube left): quarter turns anticlockwise, after a mirror."""

    quarter_turns: int = 0
    mirrored: bool = False

    def of(self, image: NDArray[Any]) -> NDArray[Any]:
        """Return the image in the usual view."""
        return np.rot90(image[:, ::-1] if self.mirrored else image, self.quarter_turns)

    def spacing(self, spacing_mm: tuple[float, float]) -> tuple[float, float]:
        """Return (row, column) spacing in the usual view."""
        return spacing_mm if self.quarter_turns % 2 == 0 else (spacing_mm[1], spacing_mm[0])


@dataclass(frozen=True, eq=False)
class Located:
    """The slices of one echo, in order 1 to 11 and in the usual view.

    Attributes
    ----------
    slices, frames
        None where a slice is missing.
    spacing_mm
        (row, column) in the usual view.
    echo
        Echo time where the series holds several, else None.
    likeness
        Correlation of slice 1 with its drawing; NaN where slice 1 is missing.
    reversed_order
        True where slice 1 lies at the far end along the normal.
    """

    size: Size
    slices: tuple[NDArray[np.float32] | None, ...]
    frames: tuple[Frame | None, ...]
    spacing_mm: tuple[float, float]
    echo: Any = None
    view: View = View()
    likeness: float = float("nan")
    reversed_order: bool = False
    _outlines: dict[int, Outline | None] = field(default_factory=dict, repr=False)
    _kept: dict[str, Any] = field(default_factory=dict, repr=False)

    def slice(self, number: int) -> NDArray[np.float32]:
        """Return slice `number`, counted from 1.

        Raises
        ------
        Unmeasurable
            ``slice_missing``.
        """
        image = self.slices[number - 1]
        if image is None:
            raise Unmeasurable("slice_missing", f"slice {number} of the phantom is not among the images")
        return image

    def frame(self, number: int) -> Frame:
        """Return the row of slice `number`."""
        self.slice(number)
        frame = self.frames[number - 1]
        assert frame is not None
        return frame

    def outline(self, number: int) -> Outline:
        """Return the edge of the phantom in a slice, the sector of the plug left out; found once.

        Raises
        ------
        Unmeasurable
            ``slice_missing``, ``phantom_not_found``, ``diameter_implausible``.
        """
        image = self.slice(number)
        if number not in self._outlines:
            self._outlines[number] = outline(image, self.spacing_mm, PLUG_DEG, 3 if number in (1, 5, 7) else 1)
        found = self._outlines[number]
        if found is None:
            raise Unmeasurable("phantom_not_found", f"the outline of the phantom was not found in slice {number}")
        if abs(2 * found.radius_mm - self.size.diameter_mm) > 10:
            raise Unmeasurable(
                "diameter_implausible",
                f"the outline in slice {number} has a diameter of {2 * found.radius_mm:.1f} mm; the phantom has {self.size.diameter_mm:g} mm",
                diameter_mm=2 * found.radius_mm,
            )
        return found

    @property
    def region(self) -> str:
        """What tells this echo apart in `Measurement.region`."""
        return "" if self.echo is None else f"te{self.echo:g}"

    def named(self, region: str) -> str:
        """Return a region name, with the echo where there are several."""
        return ".".join(part for part in (self.region, region) if part)

    def kept(self, name: str, make: Any) -> Any:
        """Return something that several checks need, made once."""
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]


def could_be(series: Series) -> bool:
    """Tell from the headers whether this may be an axial ACR set: up to 11 positions on a grid of 10 mm, repeated only by echo."""
    if series.modality != "MR" or series.klass not in ("image", "derived"):
        return False
    if not FEWEST <= len(series.frames) <= 4 * SLICES:
        return False
    _, positions, orientations = geometry.placed(series.frames)
    if len(positions) < FEWEST:
        return False
    stack = geometry.analyse(positions, orientations)
    places = (stack.locations_mm - stack.locations_mm[0]) / STEP_MM
    whole = np.round(places)
    if not len(whole) >= FEWEST or whole[-1] > SLICES - 1 or np.abs(np.diff(places) - np.diff(whole)).max() * STEP_MM > STEP_TOLERANCE_MM:
        return False
    return set(stacks.grid(series.frames, stack.members).names) <= {"echo"}


def _size_of(volume: Volume) -> Size | None:
    """Tell large and medium by the diameter of the middle slices."""
    spacing = (volume.spacing_mm[1], volume.spacing_mm[2])
    found = [outline(volume.values[len(volume.values) * at // SLICES], spacing, None, 1) for at in (3, 6, 8)]
    discs = [disc for disc in found if disc is not None and disc.rms_mm < MOST_SCATTER_MM]
    if len(discs) < 2:
        return None
    diameter = 2 * float(np.median([disc.radius_mm for disc in discs]))
    return next((size for size in SIZES if abs(diameter - size.diameter_mm) <= DIAMETER_TOLERANCE_MM), None)


def recognise(series: Series, pixels: PixelAccess) -> str | None:
    """Recogniser of the ACR phantom (entry point `pacsqc.recognisers`)."""
    if not could_be(series):
        return None
    size = _size_of(pixels.volume(series))
    return size.name if size else None


def likeness(image: NDArray[Any], size: Size, spacing_mm: tuple[float, float]) -> tuple[float, View]:
    """Return how much an image is like slice 1, as the correlation with its drawing, and in which of the eight views."""
    from scipy import ndimage

    found = outline(image, spacing_mm, None, 1)
    if found is None:
        return float("nan"), View()
    plan, inside, places = plan_mask(size)
    rows = found.center[0] + places / spacing_mm[0]
    columns = found.center[1] + places / spacing_mm[1]
    sampled = ndimage.map_coordinates(image, np.meshgrid(rows, columns, indexing="ij"), output=float, order=1, mode="nearest")
    scale = float(np.percentile(sampled[inside], 75))
    if scale <= 0:
        return float("nan"), View()
    values = np.clip(sampled / scale, 0.0, 1.0)
    best, view = -1.0, View()
    for mirrored in (False, True):
        for turns in range(4):
            trial = View(turns, mirrored)
            score = float(np.corrcoef(trial.of(values)[inside], plan[inside])[0, 1])
            if score > best:
                best, view = score, trial
    return best, view


def unevenness(image: NDArray[Any], disc: Outline, spacing_mm: tuple[float, float]) -> float:
    """Return the spread of local contrast inside the disc: high where there is a grid or an insert, low in a flood slice."""
    from scipy import ndimage

    inside = inside_disc(image.shape, disc.center, 0.7 * disc.radius_mm, spacing_mm)
    smooth = ndimage.gaussian_filter(np.asarray(image, float), [4.0 / spacing for spacing in spacing_mm])
    fine = np.abs(np.asarray(image, float) - smooth)[inside] / np.maximum(smooth[inside], 1e-6)
    return float(np.mean(fine))


def _oriented(images: dict[int, NDArray[np.float32]], size: Size, spacing: tuple[float, float]) -> tuple[bool, int, View, float]:
    """Return whether the order is reversed, the place of slice 1, the view and the likeness of slice 1."""
    ends = sorted(images)[:1] + sorted(images)[-1:]
    scores = [likeness(images[at], size, spacing) for at in ends]
    best = max((0, 1), key=lambda at: np.nan_to_num(scores[at][0], nan=-1.0))
    if scores[best][0] >= SURE:
        return bool(best), ends[best], scores[best][1], scores[best][0]
    # slice 1 is missing or cannot be told: slice 5 holds a grid and slice 7 nothing
    if ends[1] - ends[0] != SLICES - 1 or ends[0] + 4 not in images or ends[0] + 6 not in images:
        raise Unmeasurable("slice_order_unknown", "slice 1 was not recognised at either end of the stack and slices are missing")
    discs = [outline(images[ends[0] + at], spacing, None, 1) for at in (4, 6)]
    if discs[0] is None or discs[1] is None:
        raise Unmeasurable("phantom_not_found", "the outline of the phantom was not found in slices 5 and 7")
    uneven = [unevenness(images[ends[0] + at], disc, spacing) for at, disc in zip((4, 6), discs, strict=True) if disc is not None]
    flipped = uneven[0] < uneven[1]
    return flipped, ends[1] if flipped else ends[0], View(), float("nan")


def locate(series: Series, pixels: PixelAccess) -> list[Located]:
    """Return the slices in order and in the usual view, one set for each echo. The work is done once and shared by all checks.

    Slice 1 (ramps, resolution insert, bars) is recognised by its drawing, at either end and in any of the eight views;
    where that fails slice 5 against slice 7 tells the direction.

    Raises
    ------
    Unmeasurable
        ``phantom_not_found``, ``slice_order_unknown``, ``pixels_too_coarse``.
    """
    found: list[Located] = pixels.shared(series, "acr_mri.located", lambda: _locate(series, pixels))
    return found


def _locate(series: Series, pixels: PixelAccess) -> list[Located]:
    volume = pixels.volume(series)
    size = LARGE if series.klass == LARGE.name else MEDIUM
    spacing = (volume.spacing_mm[1], volume.spacing_mm[2])
    if max(spacing) > COARSEST_MM:
        raise Unmeasurable(
            "pixels_too_coarse", f"pixels of {max(spacing):.2f} mm; the tests need at most {COARSEST_MM:g} mm (protocol: 0.98 mm)"
        )
    _, positions, orientations = geometry.placed(volume.frames)
    stack = geometry.analyse(positions, orientations)
    place_of = {
        index: round((location - stack.locations_mm[0]) / STEP_MM)
        for location, members in zip(stack.locations_mm, stack.members, strict=True)
        for index in members
    }
    several = len(volume.frames) > len(stack.locations_mm)
    echoes = list(dict.fromkeys(frame.get("EchoTime") for frame in volume.frames)) if several else [None]
    return [
        _one_echo(
            volume, size, spacing, {place_of[at]: at for at in place_of if not several or volume.frames[at].get("EchoTime") == echo}, echo
        )
        for echo in echoes
    ]


def _one_echo(volume: Volume, size: Size, spacing: tuple[float, float], at_place: dict[int, int], echo: Any) -> Located:
    images = {place: volume.values[at] for place, at in at_place.items()}
    flipped, first, view, score = _oriented(images, size, spacing)
    step = -1 if flipped else 1
    numbered = [first + step * number for number in range(SLICES)]
    return Located(
        size,
        tuple(view.of(images[place]) if place in images else None for place in numbered),
        tuple(volume.frames[at_place[place]] if place in at_place else None for place in numbered),
        view.spacing(spacing),
        echo,
        view,
        score,
        flipped,
    )
