"""Slice thickness: the wire ramps of the CatPhan, the stepped wires of the ACR phantom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from phantoms.ct import acr_wires, ramps
from phantoms.ct.locate import Located, locate
from phantoms.ct.metrics import THICKNESS
from phantoms.ct.models import ALL_CLASSES
from phantoms.ct.regions import facts
from qc.check import Applies, Example, check
from qc.errors import Unmeasurable
from qc.picture import picture
from qc.pixels import PixelAccess
from qc.results import CurveEvidence, Result, Shape, Subject
from qc.study import Series


@dataclass(frozen=True)
class ThicknessParameters:
    """Parameters.

    Attributes
    ----------
    most_slices
        Slices whose wires are averaged.
    reach_mm
        Only wires whose middle is so near to the middle of the ramp are read: those at its ends are cut.
    """

    most_slices: int = 7
    reach_mm: float = 15.0


@check(
    id="ct_phantom.thickness",
    version=1,
    title="CT phantom: slice thickness",
    level="series",
    needs="volume",
    applies=Applies(modalities=frozenset({"CT"}), classes=ALL_CLASSES),
    metrics=(THICKNESS,),
    params=ThicknessParameters,
    source="CatPhan manuals (23 degree wire ramps); ACR CT QC manual (wires every 0.5 mm)",
    invariances=("file_order", "rescale"),
    examples=(
        Example("ct_catphan", {"thickness_mm": 2.5}, values={"ct.thickness@mean": (2.5, 0.1)}),
        Example("ct_acr464", {"thickness_mm": 5.0}, values={"ct.thickness@mean": (5.0, 0.15)}),
    ),
)
def thickness(series: Series, pixels: PixelAccess, params: ThicknessParameters) -> Iterator[Result]:
    """Full width at half maximum of the sensitivity along z.

    CatPhan: length of the picture of a wire that rises at 23 degrees, freed from the blur seen across the wire, times tan 23 degrees
    = 0.4245 (the manual rounds to 0.42); each of four sides is the median of the slices, ``mean`` the mean of the sides, which a tilt changes
    in second order only. ACR: half-maximum width of the row of wire signals, 0.5 mm a wire.
    """
    located = locate(series, pixels)
    if located.model.name == "phantom:acr_ct_464":
        yield from acr_wires.thickness(located, series.subject())
    elif located.model.name == "phantom:catphan700":
        raise Unmeasurable("no_such_module", "the CatPhan 700 shows its slice thickness by beads, which are not read")
    else:
        yield from _ramps(located, series.subject(), params)


def _ramps(located: Located, subject: Subject, params: ThicknessParameters) -> Iterator[Result]:
    stack, module = located.stack, located.module("inserts")
    reach = params.reach_mm * ramps.TAN
    near = stack.within(located.origin_mm - reach, located.origin_mm + reach) or module.indices
    if len(near) > params.most_slices:
        near = [near[int(at)] for at in np.linspace(0, len(near) - 1, params.most_slices).round()]
    wires: dict[str, list[tuple[int, ramps.Wire]]] = {side: [] for side in ramps.SIDES}
    for index in near:
        for side, found in wires.items():
            wire = ramps.read(stack.slice(index), module.pose, side, stack.spacing_mm)
            if wire is not None and abs(wire.along_mm) <= params.reach_mm:
                found.append((index, wire))
    common = facts(located, near)
    sides: dict[str, float] = {}
    spread: dict[str, float] = {}
    for side, found in wires.items():
        values = [ramps.thickness_mm(wire) for _, wire in found]
        if values:
            sides[side] = float(np.mean(values)) if len(values) < 4 else _trimmed(values)
            spread[side] = float(np.var(values, ddof=1) / len(values)) if len(values) > 1 else 0.0
    evidence = _pictures(located, wires)
    between = float(np.var(list(sides.values()), ddof=1)) if len(sides) > 1 else 0.0  # of single ramps: all there is with one wire each
    for side in ramps.SIDES:
        if side in sides:
            first = wires[side][0][1]
            alone = float(np.sqrt(max(spread[side], between))) or None
            yield THICKNESS.value(sides[side], subject, side, uncertainty=alone, blur_mm=first.width_mm, wires=len(wires[side]), **common)
        else:
            yield THICKNESS.missing("wire_not_found", subject, side, **common)
    if len(sides) >= 2:
        value = float(np.mean(list(sides.values())))
        uncertainty = float(np.sqrt(max(sum(spread.values()) / len(sides), between) / len(sides)))
        yield THICKNESS.value(value, subject, "mean", uncertainty=uncertainty, evidence=evidence, sides=len(sides), **common)
    else:
        yield THICKNESS.missing("wire_not_found", subject, "mean", evidence_sides=len(sides), **common)


def _trimmed(values: list[float]) -> float:
    """Mean without the lowest and the highest."""
    return float(np.mean(np.sort(values)[1:-1]))


def _pictures(located: Located, wires: dict[str, list[tuple[int, ramps.Wire]]]) -> tuple[object, ...]:
    stack = located.stack
    index = stack.nearest(located.origin_mm)
    chosen = {side: min(found, key=lambda one: abs(one[0] - index))[1] for side, found in wires.items() if found}
    if not chosen:
        return ()
    shapes = [Shape("line", wire.ends, f"{side} {ramps.thickness_mm(wire):.2f} mm") for side, wire in chosen.items()]
    shown = picture(stack.slice(index), f"{located.model.title}: wire ramps", shapes, stack.spacing_mm, stack.unit, window=(-100.0, 400.0))
    curves = {side: (wire.profile[0].tolist(), wire.profile[1].tolist()) for side, wire in chosen.items()}
    return shown, CurveEvidence("Profiles along the ramps", curves, "mm along the ramp", "HU over the background")
