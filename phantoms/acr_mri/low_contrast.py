"""Low-contrast object detectability: spokes in slices 8 to 11, scored by a model observer."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from phantoms.acr_mri.byhand import SetByHand, attempted
from phantoms.acr_mri.closeup import Closeup
from phantoms.acr_mri.locate import Located, locate
from phantoms.acr_mri.placement import placement
from phantoms.acr_mri.plan import RING_MM, SPOKE_DIAMETERS_MM, SPOKE_RADII_MM, SPOKE_TURN_DEG
from qc.check import Applies, Example, check
from qc.errors import Unmeasurable
from qc.measure.fit import linear
from qc.measure.observer import at_places, between_pixels, detectability, disc_answers
from qc.measure.profile import Placement
from qc.measure.roi import Floats
from qc.pixels import PixelAccess
from qc.results import Evidence, Measurement, Metric, Result
from qc.study import Series

SOURCE = "ACR Large and Medium Phantom Test Guidance 10/19/2022, low-contrast object detectability"
SPOKES = Metric("acr_mri.spokes", "1", "Complete low-contrast spokes", "higher", SOURCE)

SLICES = (8, 9, 10, 11)
ANGLES = 36.0 * np.arange(10)  # clockwise from 12 o'clock in slice 8
MARGIN_MM = 2.5  # kept clear of the wall of the insert


@dataclass(frozen=True)
class SpokesParameters(SetByHand):
    """Parameters.

    Attributes
    ----------
    threshold
        Detectability index d' from which a disc counts as seen. 2.5: a blank place is called a disc once in 160 times, a blank
        spoke once in four million times.
    turn_deg
        How far the insert may be turned against the plan.
    """

    threshold: float = 2.5
    turn_deg: float = 5.0


@check(
    id="acr_mri.spokes",
    version=2,
    title="ACR MRI phantom: low-contrast detectability",
    level="series",
    needs="volume",
    applies=Applies(classes=frozenset({"phantom:acr_mri_large", "phantom:acr_mri_medium"})),
    metrics=(SPOKES,),
    params=SpokesParameters,
    source=SOURCE + "; matched-filter observer, threshold ours",
    invariances=("file_order", "intensity_scale", "rescale"),
    examples=(Example("acr_mri_large", {"snr": 3000.0}, values={"acr_mri.spokes@total": (40.0, 0.0)}),),
    required=True,
)
def spokes(series: Series, pixels: PixelAccess, params: SpokesParameters) -> Iterator[Result]:
    """Complete spokes of slices 8 to 11, counted clockwise from the largest until the first that is not complete.

    Model observer: after a smooth surface and the ringing of the round wall are taken away, each disc is weighed by the template of the disc (its area against the ring round
    it); d' is the answer over the SD of the answers of the same template at blank places between the spokes. A disc is seen
    from d' = 2.5 (``threshold``), a spoke is complete when all three discs are seen. The score is not that of a human reader; trend it against
    itself and check the threshold against local readers.

    Worked number: contrast 5.1 %, SNR 100, disc of 7 mm on 1 mm pixels: about 0.051 x 100 x sqrt(38) = 31.
    """
    for located in locate(series, pixels):
        total, whole, turn = 0, True, _turn(located, params)
        scored: list[Measurement] = []
        for number in SLICES:
            region = located.named(f"slice{number}")

            def one(located: Located = located, number: int = number, region: str = region, turn: float = turn) -> Measurement:
                return _slice(series, located, number, region, turn, params)

            for measured in attempted(SPOKES, series.subject(), region, one, **params.recorded()):
                whole &= measured.value is not None
                total += int(measured.value or 0)
                scored.append(measured)
                yield measured
        region = located.named("total")
        if whole:
            facts = {"threshold": params.threshold, "turn_deg": turn, "contrast": contrast(located)}
            fewest = sorted(scored, key=lambda one: one.value or 0)[:2]  # where the total was lost is what a reader wants to see
            drawn = tuple(shown for one in fewest for shown in one.evidence)
            yield SPOKES.value(total, series.subject(), region, evidence=drawn, **facts, **params.recorded())
        else:
            yield SPOKES.missing("slice_missing", series.subject(), region, message="not all of slices 8 to 11 could be scored")


def contrast(located: Located) -> str | None:
    """Return ``T1``, ``T2`` or ``PD`` from echo and repetition time, as the limits ask for it; None where the header does not tell."""
    frame = next(frame for frame in located.frames if frame is not None)
    echo, repetition = frame.get("EchoTime") or frame.get("EffectiveEchoTime"), frame.get("RepetitionTime")
    if not isinstance(repetition, (int, float)):
        return None
    if repetition <= 1000:
        return "T1"
    if not isinstance(echo, (int, float)):
        return None
    return "T2" if echo >= 60 else "PD"


@dataclass(frozen=True, eq=False)
class Insert:
    """The flattened inside of the low-contrast insert of a slice.

    Attributes
    ----------
    flat
        (rows, columns) signal over its smooth surface, less 1; 0 outside.
    answers
        (10, rows, columns) what the observer answers for each diameter, as spline coefficients.
    local, place
        Where the insert lies in `flat`, and in the whole image.
    """

    flat: Floats
    answers: Floats
    local: Placement
    place: Placement


def _insert(located: Located, number: int, params: SpokesParameters) -> Insert:
    found: Insert = located.kept(f"insert{number}{params.recorded()}", lambda: _find_insert(located, number, params))
    return found


def _find_insert(located: Located, number: int, params: SpokesParameters) -> Insert:
    image = located.slice(number)
    place = placement(located, number, params.roll_deg, params.center_px)
    start = place.point(*located.size.ring)
    middle = Placement(_ring_center(image, start, located.spacing_mm), located.spacing_mm, place.roll_deg)
    reach = [int(RING_MM[0] / spacing) + 2 for spacing in located.spacing_mm]
    top, left = max(0, int(middle.center[0]) - reach[0]), max(0, int(middle.center[1]) - reach[1])
    part = np.asarray(image[top : top + 2 * reach[0] + 1, left : left + 2 * reach[1] + 1], float)
    local = Placement((middle.center[0] - top, middle.center[1] - left), located.spacing_mm, place.roll_deg)
    x, y = local.coordinates(part.shape)
    inside = np.hypot(x, y) <= RING_MM[0] - MARGIN_MM
    u, v = x[inside] / RING_MM[0], y[inside] / RING_MM[0]
    powers_u, powers_v = [np.ones(len(u))], [np.ones(len(v))]
    for _ in range(4):
        powers_u.append(powers_u[-1] * u)
        powers_v.append(powers_v[-1] * v)
    surface = np.stack([powers_u[i] * powers_v[j] for i in range(5) for j in range(5 - i)], axis=1)
    values = part[inside]
    few = max(1, len(values) // 1500)  # a smooth surface needs no more points
    some, points = surface[::few], values[::few]
    use = np.ones(len(points), bool)
    solution = np.zeros(surface.shape[1])
    for _ in range(3):  # the discs are few and bright; they must not lift the surface
        solution = linear(some[use], points[use])
        off = points - some @ solution
        use = off <= 2 * 1.4826 * float(np.median(np.abs(off)))
    fitted = surface @ solution
    flat = np.zeros(part.shape)
    relative = values / np.maximum(fitted, 1e-6) - 1
    flat[inside] = relative - _rings(np.hypot(x, y)[inside], relative, max(located.spacing_mm))
    answers = disc_answers(flat, inside, SPOKE_DIAMETERS_MM, located.spacing_mm)
    return Insert(flat, between_pixels(answers), local, middle)


def _rings(radius: Floats, relative: Floats, step_mm: float) -> Floats:
    """Return what goes round the middle of the insert (ringing of its wall): the median at each distance, which the few discs do not move."""
    order = np.argsort(radius)
    bounds = np.searchsorted(radius[order], np.arange(0.0, radius.max() + step_mm, step_mm))
    places, medians = [], []
    for start, stop in itertools.pairwise(bounds):
        if stop - start >= 20:
            part = order[start:stop]
            places.append(float(np.mean(radius[part])))
            medians.append(float(np.median(relative[part])))
    return np.interp(radius, places, medians) if places else np.zeros(len(radius))


def _ring_center(image: Floats, start: tuple[float, float], spacing: tuple[float, float]) -> tuple[float, float]:
    """Return the middle of the dark wall round the insert: edge points from the inside, and a circle through them."""
    from scipy import ndimage

    center = start
    for _ in range(2):
        angles = np.deg2rad(np.arange(0.0, 360.0, 5.0))[:, None]
        steps = np.arange(RING_MM[0] - 8.0, RING_MM[1] + 2.0, 0.25)
        rows, columns = center[0] - np.sin(angles) * steps / spacing[0], center[1] + np.cos(angles) * steps / spacing[1]
        rays = ndimage.map_coordinates(image, [rows, columns], output=float, order=1, mode="nearest")
        level = 0.5 * rays[:, :12].mean(axis=1)
        below = rays < level[:, None]
        at = np.argmax(below, axis=1)
        good = below.any(axis=1) & (at > 0)
        if good.sum() < 30:
            raise Unmeasurable("insert_not_found", "the dark ring round the low-contrast insert was not found")
        radius = steps[at]
        theta = angles[:, 0]
        matrix = np.stack([np.ones(len(theta)), np.cos(theta), np.sin(theta)], axis=1)
        solution = linear(matrix[good], radius[good])
        for _ in range(2):
            good &= np.abs(radius - matrix @ solution) < 1.5
            if good.sum() < 30:
                raise Unmeasurable("insert_not_found", "the dark ring round the low-contrast insert is not round")
            solution = linear(matrix[good], radius[good])
        center = (center[0] - float(solution[2]) / spacing[0], center[1] + float(solution[1]) / spacing[1])
    return center


def _answers(insert: Insert, diameter_at: int, angles_deg: Floats, distances: Floats) -> Floats:
    """Answers for one diameter at places (angle clockwise from 12 o'clock, distance from the middle)."""
    angle = np.deg2rad(angles_deg)
    rows, columns = insert.local.pixels(distances * np.sin(angle), -distances * np.cos(angle))
    return at_places(insert.answers[diameter_at], rows, columns)


def _turn(located: Located, params: SpokesParameters) -> float:
    """Return how far the insert is turned against the plan, clockwise: where the large discs of slices 10 and 11 answer most."""
    turns = np.arange(-params.turn_deg, params.turn_deg + 0.1, 1.0)
    sums = np.zeros(len(turns))
    for number in (10, 11):
        try:
            insert = _insert(located, number, params)
        except Unmeasurable:
            continue
        for spoke in range(4):
            angles = ANGLES[spoke] + SPOKE_TURN_DEG * (number - 8) + turns
            for distance in SPOKE_RADII_MM[1:]:
                sums += _answers(insert, spoke, angles, np.full(len(turns), distance))
    best = int(np.argmax(sums))
    if 0 < best < len(turns) - 1:
        low, high = sums[best - 1], sums[best + 1]
        bend = low - 2 * sums[best] + high
        return float(turns[best] + (0.5 * (low - high) / bend if bend < 0 else 0.0))
    return 0.0 if sums.max() <= 0 else float(turns[best])


def observed(insert: Insert, number: int, turn: float) -> Floats:
    """Return d' of every disc, (10 spokes, 3 radii)."""
    scores = np.zeros((10, 3))
    radii = np.asarray(SPOKE_RADII_MM)
    start = SPOKE_TURN_DEG * (number - 8) + turn
    between, out = np.meshgrid(ANGLES + start + 18.0, radii[1:])
    for spoke in range(10):
        discs = _answers(insert, spoke, np.full(3, ANGLES[spoke] + start), radii)
        scores[spoke] = detectability(discs, _answers(insert, spoke, between.ravel(), out.ravel()))
    return scores


def _slice(series: Series, located: Located, number: int, region: str, turn: float, params: SpokesParameters) -> Measurement:
    insert = _insert(located, number, params)
    scores = observed(insert, number, turn)
    complete = (scores >= params.threshold).all(axis=1)
    count = int(np.argmin(complete)) if not complete.all() else 10
    return SPOKES.value(
        count,
        series.subject(),
        region,
        evidence=(_shown(located, number, insert, turn, scores, count, params),),
        threshold=params.threshold,
        detectability=np.round(scores, 2).tolist(),
        turn_deg=turn,
        image=located.frame(number).label,
        **params.recorded(),
    )


def _shown(located: Located, number: int, insert: Insert, turn: float, scores: Floats, count: int, params: SpokesParameters) -> Evidence:
    reach = RING_MM[0] + 3.0
    axis = np.arange(-reach, reach, 0.25)
    detail = Closeup(100 * np.nan_to_num(insert.local.sample(insert.flat, axis, axis)), -reach, -reach, 0.25)
    shapes = []
    for spoke, diameter in enumerate(SPOKE_DIAMETERS_MM):
        angle = np.deg2rad(float(ANGLES[spoke]) + SPOKE_TURN_DEG * (number - 8) + turn)
        for at, distance in enumerate(SPOKE_RADII_MM):
            center = (distance * float(np.sin(angle)), -distance * float(np.cos(angle)))
            role = "found" if scores[spoke, at] >= params.threshold else "problem"
            shapes.append(detail.circle(center, diameter / 2 + 1.0, str(spoke + 1) if at == 2 else "", role))
    inside = insert.flat[insert.flat != 0]
    spread = 100 * float(np.percentile(np.abs(inside), 98.0)) if len(inside) else 1.0
    title = f"Slice {number} ({located.frame(number).label}): {count} complete spokes"
    caption = (
        f"Green: seen (d' at least {params.threshold:g}). The count stops at the first spoke that is not complete. "
        "Shading is taken out of the picture; grey values in percent of the signal."
    )
    return detail.shown(title, shapes, (-1.5 * spread, 1.5 * spread), caption)
