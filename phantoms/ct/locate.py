"""Recognise CT phantoms and find their modules: from the pictures, not from names or slice numbers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from phantoms.ct import ramps
from phantoms.ct.models import BY_NAME, CATPHAN503, CATPHAN504, MODELS, Insert, Model
from phantoms.ct.outline import Outline, outline
from phantoms.ct.pattern import Match, match, ring
from phantoms.ct.pose import Pose, fit_inserts
from phantoms.ct.stack import Stack
from qc.classify import is_localizer
from qc.errors import Unmeasurable
from qc.pixels import PixelAccess
from qc.study import Frame, Series

COARSE_STEP_MM = 8.0
FINE_STEP_MM = 1.2
MOST_COARSE = 160
ROUND_RMS_MM = 1.0
LEAST_SHARE = 0.35

Image = NDArray[np.float64]


@dataclass
class Module:
    """One module of a located phantom.

    Attributes
    ----------
    image
        (rows, columns) mean of the slices that lie wholly in it.
    indices
        Those slices (into the stack).
    pose
        Where the phantom's axes lie in that image.
    """

    name: str
    image: Image
    indices: list[int]
    pose: Pose
    frame: Frame
    cut: bool


@dataclass
class Located:
    """A CT phantom found in a series.

    Attributes
    ----------
    origin_mm
        Place of the centre of the insert module along the normal.
    direction
        +1 where the modules' distances count along the normal, -1 against it.
    tilt_deg
        Angle of the axis with the normal towards (right, down).
    """

    stack: Stack
    model: Model
    pose: Pose
    origin_mm: float
    direction: int
    tilt_deg: tuple[float, float]
    origin_from: str
    match: Match
    modules: dict[str, Module] = field(default_factory=dict)

    def place_mm(self, name: str) -> tuple[float, float]:
        """Return centre and usable half length of a module along the normal."""
        offset, half = (0.0, self.model.insert_module_half_mm - 2.5) if name == "inserts" else self.model.modules[name]
        return self.origin_mm + self.direction * offset, half

    def module(self, name: str) -> Module:
        """Return a module.

        Raises
        ------
        Unmeasurable
            ``no_such_module``, ``module_not_scanned``, ``module_not_found``.
        """
        if name not in self.modules:
            self.modules[name] = self._module(name)
        return self.modules[name]

    def _module(self, name: str) -> Module:
        if name != "inserts" and name not in self.model.modules:
            raise Unmeasurable("no_such_module", f"the {self.model.title} has no module for this test")
        if name != "inserts" and self.origin_from == "best_slice":
            raise Unmeasurable("origin_uncertain", "neither an end of the insert module nor its ramps tell where the other modules lie")
        center, half = self.place_mm(name)
        stack = self.stack
        thickness = stack.rows[0].get("SliceThickness")
        thickness = float(thickness) if isinstance(thickness, (int, float)) and 0 < thickness < 20 else (stack.step_mm or 0.0)
        reach = max(half - thickness / 2, 0.0)
        indices = stack.within(center - reach, center + reach)
        if not indices:
            nearest = stack.nearest(center)
            if abs(stack.z_mm[nearest] - center) > half / 2:
                first, last = float(stack.z_mm[0]), float(stack.z_mm[-1])
                raise Unmeasurable(
                    "module_not_scanned",
                    f"the module lies at {center:.0f} mm; the slices lie from {first:.0f} to {last:.0f} mm and none within {half / 2:.0f} mm of it",
                    module=name,
                )
            indices = [nearest]
        indices = _thinned(indices, 9)
        frame_at = indices[len(indices) // 2]
        edge = outline(stack.slice(frame_at), stack.spacing_mm)
        if edge is None or abs(edge.radius_mm - self.model.radius_mm) > 6.0:
            raise Unmeasurable("module_not_found", f"no outline of the phantom at {center:.0f} mm", module=name)
        pose = self.pose if name == "inserts" else replace(self.pose, center=edge.center)
        return Module(name, stack.mean(indices), indices, pose, stack.rows[frame_at], edge.cut)


def _thinned(indices: list[int], most: int) -> list[int]:
    """Keep at most so many, evenly."""
    if len(indices) <= most:
        return indices
    return [indices[int(at)] for at in np.unique(np.round(np.linspace(0, len(indices) - 1, most)).astype(int))]


def could_be(series: Series) -> bool:
    """Tell from the headers whether this may be a CT phantom: CT slices, no localizer."""
    return series.modality == "CT" and bool(series.frames) and not is_localizer(series) and series.frames[0].tile is None


def is_round(edge: Outline | None) -> bool:
    """Tell whether an outline is a good circle."""
    return edge is not None and edge.rms_mm < ROUND_RMS_MM and edge.share >= LEAST_SHARE and 40 < edge.radius_mm < 210


def probe(stack: Stack) -> Outline | None:
    """Look at the middle slice, and at others only while those are empty; the circle that is there, or None."""
    count = len(stack)
    for at in dict.fromkeys(int(count * share) for share in (0.5, 0.25, 0.75, 0.375, 0.625, 0.125, 0.875)):
        image = stack.slice(at)
        edge = outline(image, stack.spacing_mm)
        if edge is not None:
            return edge if is_round(edge) else None
        if float((image[::8, ::8] > -500).mean()) > 0.02:
            return None
    return None


_FOUND: WeakKeyDictionary[Series, Located] = WeakKeyDictionary()


def search(stack: Stack, models: tuple[Model, ...] = MODELS) -> tuple[Match, int, Outline] | None:
    """Look through the series in steps of some 8 mm for the insert module; the best slice with its match and outline."""
    step = stack.step_mm or 1.0
    stride = max(1, int(COARSE_STEP_MM / step), -(-len(stack) // MOST_COARSE))
    best: tuple[Match, int, Outline] | None = None
    for at in range(min(stride // 2, (len(stack) - 1) // 2), len(stack), stride):
        edge = outline(stack.slice(at), stack.spacing_mm)
        if edge is None or not is_round(edge):
            continue
        found = match(stack.slice(at), edge, stack.spacing_mm, models)
        if found and (best is None or found.gain * found.correlation > best[0].gain * best[0].correlation):
            best = found, at, edge
        elif best and not found and best[0].correlation > 0.985 and abs(stack.z_mm[at] - stack.z_mm[best[1]]) > 25:
            break
    return best


def find(stack: Stack, models: tuple[Model, ...] = MODELS) -> Located | None:
    """Locate a phantom with inserts in a stack; None where there is none."""
    best = search(stack, models)
    if best is None:
        return None
    found, at, edge = best
    half = found.model.insert_module_half_mm
    for _ in range(2):  # the second time from the slice in the middle, so the result does not hang on where the search began
        low, high, plateau = _extent(stack, found, at, edge)
        middle = (low + high) / 2 if low is not None and high is not None else None
        if middle is None or abs((high or 0) - (low or 0) - 2 * half) > half:
            middle = None
            break
        again = stack.nearest(middle)
        renewed = outline(stack.slice(again), stack.spacing_mm)
        rematch = match(stack.slice(again), renewed, stack.spacing_mm, (found.model,)) if renewed else None
        if renewed is None or rematch is None:
            break
        at, edge, found = again, renewed, rematch
    origin_from = "module_ends"
    if middle is None:
        origin_from = "one_end" if (low is None) != (high is None) else "best_slice"
        middle = high - half if high is not None else (low + half if low is not None else float(stack.z_mm[at]))
    inner = [k for k in plateau if abs(stack.z_mm[k] - middle) <= half - 5.0] or [at]
    image = stack.mean(_thinned(inner, 7))
    inner_edge = outline(stack.slice(inner[len(inner) // 2]), stack.spacing_mm) or edge
    pose = fit_inserts(image, found, inner_edge, stack.spacing_mm)
    tilt = (0.0, 0.0)
    if pose.used < 3:
        raise Unmeasurable("pose_not_found", "the inserts were seen, but not three of them stand where they should")
    if found.model in MODELS[:4]:
        wires = ramps.origin(stack, pose, middle, half)
        if wires is not None:
            middle, tilt, origin_from = wires.origin_mm, wires.tilt_deg, "ramps"
    located = Located(stack, found.model, pose, float(middle), -1 if found.mirrored else 1, tilt, origin_from, found)
    return replace(located, model=_which_504(located)) if found.model in (CATPHAN503, CATPHAN504) else _with_direction(located)


def _extent(stack: Stack, found: Match, at: int, edge: Outline) -> tuple[float | None, float | None, list[int]]:
    """Ends of the insert module along z (half of the contrast of the inserts), and the slices of full contrast."""
    reach = 2.2 * found.model.insert_module_half_mm + (stack.step_mm or 1.0)
    near = stack.within(stack.z_mm[at] - reach, stack.z_mm[at] + reach)
    stride = max(1, int(FINE_STEP_MM / (stack.step_mm or 1.0)))
    near = near[(near.index(at) % stride) :: stride]
    strength = np.array([_contrast(stack.slice(k), found, edge, stack.spacing_mm) for k in near])
    here = near.index(at)
    full = float(np.median(strength[strength > 0.7 * strength.max()]))
    above = strength >= 0.5 * full
    first, last = here, here
    while first > 0 and above[first - 1]:
        first -= 1
    while last < len(near) - 1 and above[last + 1]:
        last += 1
    z = stack.z_mm[near]

    def crossing(inside: int, outside: int) -> float:
        share = (strength[inside] - 0.5 * full) / (strength[inside] - strength[outside])
        return float(z[inside] + share * (z[outside] - z[inside]))

    low = crossing(first, first - 1) if first > 0 else None
    high = crossing(last, last + 1) if last < len(near) - 1 else None
    plateau = [near[k] for k in range(first, last + 1) if strength[k] > 0.9 * full]
    return low, high, plateau


def _contrast(image: NDArray[Any], found: Match, edge: Outline, spacing_mm: tuple[float, float]) -> float:
    """Contrast of the strongest inserts against what lies between them, in units of their nominal contrast."""
    model = found.model
    profile = ring(image, edge.center, model.ring_mm, spacing_mm)
    strong = [i for i in model.inserts if abs(i.nominal_hu - model.base_hu) > 500 and i.distance_mm == model.ring_mm]
    values = []
    for insert in strong:
        angle = (180 - insert.angle_deg if found.mirrored else insert.angle_deg) + found.roll_deg
        here = profile[round(angle / 0.5) % len(profile)]
        aside = 0.5 * (profile[round((angle + 15) / 0.5) % len(profile)] + profile[round((angle - 15) / 0.5) % len(profile)])
        values.append((here - aside) / (insert.nominal_hu - model.base_hu))
    return float(np.median(values))


def _which_504(located: Located) -> Model:
    """Tell CatPhan 503 and 504, whose insert modules are alike: by the side of the line pairs, else by the diameter."""
    from phantoms.ct.bars import has_groups

    for model in (CATPHAN504, CATPHAN503):
        trial = replace(located, model=model, modules={})
        try:
            module = trial.module("resolution")
        except Unmeasurable:
            continue
        if has_groups(module.image, module.pose, located.stack.spacing_mm):
            return model
    edge = outline(located.stack.slice(located.stack.nearest(located.origin_mm)), located.stack.spacing_mm)
    return CATPHAN503 if edge is not None and edge.radius_mm < 99.0 else CATPHAN504


def _with_direction(located: Located) -> Located:
    """ACR phantom: the other modules lie on the side on which the phantom goes on beyond its first module."""
    if located.model.name != "phantom:acr_ct_464":
        return located
    stack, reach = located.stack, {}
    for direction in (1, -1):
        places = [located.origin_mm + direction * offset for offset in (40.0, 80.0, 115.0)]
        reach[direction] = sum(
            abs(stack.z_mm[stack.nearest(z)] - z) < 6 and is_round(outline(stack.slice(stack.nearest(z)), stack.spacing_mm)) for z in places
        )
    if reach[1] == reach[-1]:
        return located
    return replace(located, direction=1 if reach[1] > reach[-1] else -1)


def recognise(series: Series, pixels: PixelAccess) -> str | None:
    """Recogniser of CT phantoms with inserts (entry point `pacsqc.recognisers`). Clinical series cost one slice."""
    if not could_be(series):
        return None
    stack = Stack(series, pixels)
    edge = probe(stack)
    if edge is None or not any(abs(edge.radius_mm - model.radius_mm) < 15 for model in MODELS):
        return None
    located = find(stack)
    if located is None:
        return None
    _FOUND[series] = located
    return located.model.name


def locate(series: Series, pixels: PixelAccess) -> Located:
    """Return the located phantom of a recognised series.

    Raises
    ------
    Unmeasurable
        ``phantom_not_found``.
    """
    known = _FOUND.get(series)
    if known is not None and known.model.name == series.klass and known.stack.pixels is pixels:
        return known
    model = BY_NAME.get(series.klass)
    stack = Stack(series, pixels)
    located = find(stack, (model,) if model else MODELS)
    if located is None:
        raise Unmeasurable("phantom_not_found", "no slice shows the inserts of this phantom")
    if model:  # a person may have named the model
        located = replace(located, model=model)
    _FOUND[series] = located
    return located


def insert_center(pose: Pose, insert: Insert, spacing_mm: tuple[float, float]) -> tuple[float, float]:
    """Return the place of an insert, (row, col) in pixels."""
    return pose.to_pixels(insert.xy_mm, spacing_mm)
