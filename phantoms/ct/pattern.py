"""Recognise a phantom and its pose by the CT numbers on the circle of its inserts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phantoms.ct.models import MODELS, Model
from phantoms.ct.outline import Outline

STEP_DEG = 0.5
LEAST_CORRELATION = 0.97
DENSITY_LIKE = 0.45  # CT numbers above water of a reconstruction scaled to density, as a share of the usual ones
RADIUS_TOLERANCE_MM = 12.0

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Match:
    """How well one slice looks like the insert module of a model.

    Attributes
    ----------
    roll_deg
        Clockwise on the screen.
    mirrored
        The phantom is seen from its other end.
    correlation
        With the nominal CT numbers.
    gain
        Measured over nominal contrast; well below 1 where the slice is only partly in the module.
    """

    model: Model
    roll_deg: float
    mirrored: bool
    correlation: float
    gain: float


def ring(image: NDArray[Any], center: tuple[float, float], radius_mm: float, spacing_mm: tuple[float, float]) -> Floats:
    """Return the mean CT number on a circle, every half degree, each over a disc-like patch of 3 mm radius."""
    from scipy import ndimage

    angles = np.deg2rad(np.arange(0.0, 360.0, STEP_DEG))
    radii = radius_mm + np.array([-3.0, -1.5, 0.0, 1.5, 3.0])
    rows = center[0] + radii[:, None] * np.sin(angles) / spacing_mm[0]
    columns = center[1] + radii[:, None] * np.cos(angles) / spacing_mm[1]
    values = ndimage.map_coordinates(image, [rows, columns], np.float32, order=1, mode="nearest").mean(0)
    width = max(1, round(np.rad2deg(5.0 / radius_mm) / STEP_DEG))
    return np.asarray(ndimage.uniform_filter1d(values.astype(float), width, mode="wrap"))


@cache
def _points(model: Model) -> tuple[Floats, Floats]:
    """Angles on the ring and nominal CT numbers: the inserts, and the places half way between neighbours that are free."""
    on_ring = [insert for insert in model.inserts if insert.distance_mm == model.ring_mm]
    angles = np.sort(np.array([insert.angle_deg % 360 for insert in on_ring]))
    gaps = np.diff(np.append(angles, angles[0] + 360))
    free = (angles + gaps / 2)[gaps > 40] % 360
    nominal = [next(i.nominal_hu for i in on_ring if i.angle_deg % 360 == angle) for angle in angles]
    return np.concatenate([angles, free]), np.concatenate([nominal, np.full(len(free), model.base_hu)])


def match(image: NDArray[Any], found: Outline, spacing_mm: tuple[float, float], models: tuple[Model, ...] = MODELS) -> Match | None:
    """Return the best match of any model in any pose, None where none is convincing."""
    rings: dict[float, Floats] = {}
    best: Match | None = None
    for model in models:
        if abs(found.radius_mm - model.radius_mm) > RADIUS_TOLERANCE_MM:
            continue
        profile = rings.setdefault(model.ring_mm, ring(image, found.center, model.ring_mm, spacing_mm))
        if np.ptp(profile) < 300:
            continue
        for candidate in _candidates(profile, model):
            if best is None or candidate.correlation > best.correlation + 1e-6:
                best = candidate
    return best if best and best.correlation >= LEAST_CORRELATION and best.gain > 0.25 else None


def _middle_of_best(correlation: Floats, covariance: Floats) -> int:
    """Index of the best roll: wide inserts give a plateau, of which the middle is meant."""
    strength = np.where(correlation >= correlation.max() - 0.02, covariance, -np.inf)
    best = int(strength.argmax())
    good = strength >= 0.97 * strength[best]
    ahead = behind = 0
    while ahead < 60 and good[(best + ahead + 1) % len(good)]:
        ahead += 1
    while behind < 60 and good[best - behind - 1]:
        behind += 1
    return (best + (ahead - behind) // 2) % len(good)


def _candidates(profile: Floats, model: Model) -> list[Match]:
    angles, nominal = _points(model)
    rolls = np.arange(len(profile))
    found = []
    for mirrored in (False, True):
        places = (180.0 - angles if mirrored else angles) / STEP_DEG
        values = profile[(np.round(places).astype(int)[:, None] + rolls) % len(profile)]
        centred = values - values.mean(0)
        for scale in (1.0, DENSITY_LIKE):
            wanted = np.where(nominal > 0, nominal * scale, nominal)
            wanted = wanted - wanted.mean()
            top = wanted @ centred
            with np.errstate(divide="ignore", invalid="ignore"):
                correlation = np.nan_to_num(top / np.sqrt((wanted @ wanted) * (centred**2).sum(0)))
            # the flanks of the inserts correlate as well as their middles, but with less contrast
            at = _middle_of_best(correlation, top)
            roll = (at * STEP_DEG + 180) % 360 - 180
            found.append(Match(model, roll, mirrored, float(correlation[at]), float(top[at] / (wanted @ wanted))))
    return found
