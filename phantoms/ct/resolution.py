"""Spatial resolution: MTF of rod edges, of the bead and of the bars; finest bars resolved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from phantoms.ct import bars
from phantoms.ct.locate import Located, locate
from phantoms.ct.metrics import MTF10, MTF50, RESOLVED
from phantoms.ct.models import ALL_CLASSES
from phantoms.ct.regions import facts, read_disc
from phantoms.ct.spectra import bead_mtf, rod_edge
from qc.check import Applies, Example, check
from qc.errors import Unmeasurable
from qc.measure.mtf import Mtf
from qc.picture import picture
from qc.pixels import PixelAccess
from qc.results import CurveEvidence, Finding, Measurement, Metric, Result, Shape, Status, Subject
from qc.study import Series

RODS = ("air", "teflon", "bone")


@dataclass(frozen=True)
class ResolutionParameters:
    """Parameters.

    Attributes
    ----------
    least_modulation
        A group counts as resolved from this modulation on.
    most_apart
        Share by which the MTF50 of bars and rods may differ before it is told.
    """

    least_modulation: float = 0.1
    most_apart: float = 0.1


@check(
    id="ct_phantom.resolution",
    version=1,
    title="CT phantom: spatial resolution",
    level="series",
    needs="volume",
    applies=Applies(modalities=frozenset({"CT"}), classes=ALL_CLASSES),
    metrics=(MTF50, MTF10, RESOLVED),
    codes={
        "ct.mtf_methods": "The line pairs and the edges of the rods give different MTF. Neither is known to be the right one here (bars that are not as wide as their "
        "gaps, a kernel that treats strong contrast in another way): follow each over time by itself, and do not compare one with the other.",
    },
    params=ResolutionParameters,
    source="AAPM TG-233 (circular edge); ICRU 87; Droege and Morin 1982 (bars)",
    invariances=("file_order", "rescale"),
    examples=(
        Example("ct_catphan", {"psf_mm": 0.5}, values={"ct.mtf50@air": (0.357, 0.007)}),
        Example("ct_acr464", {"psf_mm": 0.5}, values={"ct.mtf50@air": (0.357, 0.007)}),
    ),
)
def resolution(series: Series, pixels: PixelAccess, params: ResolutionParameters) -> Iterator[Result]:
    """Region = what the function was measured on: a rod (``air``, ``teflon``, ``bone``: its circular edge, a task transfer function of the
    contrast in ``details``), ``bead``, ``bars``.

    Bars: amplitude of a group's own frequency over whole periods, relative to the whole contrast (CatPhan), or Droege and Morin (ACR).
    Never Michelson contrast of CT numbers, which depends on where zero is. The module is turned to its own groups first.
    """
    located = locate(series, pixels)
    subject = series.subject()
    made = [*_rods(located, subject), *_apart(_bars(located, subject, params), (MTF50, MTF10, RESOLVED), subject, "bars")]
    yield from made
    yield from methods_apart([one for one in made if isinstance(one, Measurement)], subject, params.most_apart)
    if "resolution" in located.model.modules and located.model.name != "phantom:acr_ct_464":
        yield from _apart(_bead(located, subject), (MTF50, MTF10), subject, "bead")


def _apart(results: Iterator[Result], metrics: Sequence[Metric], subject: Subject, region: str) -> Iterator[Result]:
    """Give the results; where they cannot be got, say so for each metric, so that one test takes no other with it."""
    try:
        yield from results
    except Unmeasurable as error:
        for metric in metrics:
            yield metric.missing(error.reason, subject, region, message=error.message, **error.facts)


def methods_apart(made: Sequence[Measurement], subject: Subject, most: float) -> Iterator[Finding]:
    """Tell where the bars and the rods differ in MTF50 by more than `most` and by more than three of their standard uncertainties."""
    found = {one.region: one for one in made if one.metric == MTF50.id and one.value is not None}
    edges = [one for name in RODS if (one := found.get(name))]
    bar = found.get("bars")
    if bar is None or bar.value is None or not edges:
        return
    edge = float(np.mean([one.value for one in edges if one.value is not None]))
    error = np.hypot(bar.uncertainty or 0.0, max(one.uncertainty or 0.0 for one in edges))
    if abs(bar.value - edge) > max(most * edge, 3 * error):
        text = f"MTF50 is {bar.value:.3f} lp/mm by the line pairs and {edge:.3f} by the edges of the rods: {abs(bar.value / edge - 1):.0%} apart"
        yield Finding("ct.mtf_methods", Status.INFO, text, subject, {"bars": bar.value, "rods": edge})


def _both(
    curve: Mtf,
    subject: Subject,
    region: str,
    evidence: tuple[Any, ...],
    details: dict[str, Any],
    others: Sequence[Mtf] = (),
    share: float = 1.0,
) -> Iterator[Result]:
    """Give both levels. The standard uncertainty is `share` of the standard deviation over other readings of the same, if there are three."""
    for metric, level, pictures in ((MTF50, 0.5, evidence), (MTF10, 0.1, ())):
        value = curve.at(level)
        if value is None:
            yield metric.missing("beyond_range", subject, region, **details)
        else:
            again = [place for other in others if (place := other.at(level)) is not None]
            spread = share * float(np.std(again, ddof=1)) if len(again) > 2 else None
            yield metric.value(value, subject, region, uncertainty=spread, evidence=pictures, **details)


def _curve(curve: Mtf, title: str) -> CurveEvidence:
    keep = curve.frequency <= 1.5
    marks = {name: value for name, value in (("50 %", curve.at(0.5)), ("10 %", curve.at(0.1))) if value is not None}
    return CurveEvidence(title, {"MTF": (curve.frequency[keep].tolist(), curve.value[keep].tolist())}, "1/mm", "MTF", marks)


def _rods(located: Located, subject: Subject) -> Iterator[Result]:
    inserts = {insert.name: insert for insert in located.model.inserts if insert.measured}
    for name in RODS:
        if name not in inserts:
            continue
        found = rod_edge(located, inserts[name])
        if found is None:
            for metric in (MTF50, MTF10):
                yield metric.missing("rod_not_found", subject, name)
            continue
        details = {"contrast_hu": found.contrast_hu, "noise_hu": found.noise_hu, **facts(located, located.module("inserts").indices)}
        edge = CurveEvidence(f"Edge of {name}", {"edge": (found.places_mm.tolist(), found.edge.tolist())}, "mm from the rim", "HU")
        shown = _curve(found.mtf, f"Transfer function of {name}"), edge
        yield from _both(found.mtf, subject, name, shown, details, found.parts, 1 / np.sqrt(max(len(found.parts), 1)))


def _bars(located: Located, subject: Subject, params: ResolutionParameters) -> Iterator[Result]:
    module, stack = located.module("resolution"), located.stack
    if located.model.name == "phantom:acr_ct_464":
        base = read_disc(stack, module.indices, module.pose.center, 15.0)
        found = (
            bars.read_acr(module.image, module.pose, stack.spacing_mm, base.sd / np.sqrt(len(module.indices)), base.mean) if base else None
        )
        used = module.indices
    else:
        used = _brightest(located)
        image = stack.mean(used)
        base = read_disc(stack, used, module.pose.center, 15.0)
        found = bars.read_catphan(image, module.pose, stack.spacing_mm, base.sd / np.sqrt(len(used)) if base else 0.0)
    if found is None:
        raise Unmeasurable("bars_not_found", "no line-pair groups where the module should show them")
    details = {
        "contrast_hu": found.contrast,
        "roll_deg": found.pose.roll_deg,
        "module_roll_deg": found.pose.roll_deg - located.pose.roll_deg,
        **facts(located, used),
    }
    curve = CurveEvidence(
        "Modulation of the line pairs",
        {"modulation": (found.frequency.tolist(), found.mtf.tolist())},
        "1/mm",
        "modulation",
        {name: value for name, level in (("50 %", 0.5), ("10 %", 0.1)) if (value := found.at(level)) is not None},
    )
    spots = (
        tuple(
            Shape("point", (found.pose.polar(angle, bars.BAR_RADIUS_MM - 6, stack.spacing_mm),), str(number), "found")
            for number, angle in enumerate(bars.BAR_ANGLES_DEG[:12], start=1)
        )
        if located.model.name != "phantom:acr_ct_464"
        else tuple(
            Shape("point", (found.pose.polar(angle, 70.0, stack.spacing_mm),), str(number), "found") for angle, number in bars.ACR_BARS
        )
    )
    shown = picture(stack.mean(used), f"{located.model.title}: line pairs per cm", spots, stack.spacing_mm, stack.unit)
    for metric, level in ((MTF50, 0.5), (MTF10, 0.1)):
        value = found.at(level)
        if value is None:
            yield metric.missing("beyond_range", subject, "bars", **details)
        else:
            spread = found.uncertainty(level)
            yield metric.value(value, subject, "bars", uncertainty=spread, evidence=(curve,) if level == 0.5 else (), **details)
    finest = found.resolved(params.least_modulation)
    if finest is None:
        yield RESOLVED.missing("nothing_resolved", subject, "bars", **details)
    else:
        yield RESOLVED.value(10 * finest, subject, "bars", evidence=(shown,), **details)


def _brightest(located: Located) -> list[int]:
    """Slices near the module that show the bars with at least 85 % of their strongest contrast, each of them whole.

    The bars are 2 mm long: beside the one slice that holds them, others show their tails, some groups more than others.
    """
    center, half = located.place_mm("resolution")
    stack, module = located.stack, located.module("resolution")
    near = stack.within(center - half - 3, center + half + 3) or module.indices
    near = near[:: max(1, len(near) // 10)]
    strength = []
    for index in near:
        _, score, contrast = bars.align(stack.slice(index), module.pose, stack.spacing_mm, step_deg=0.4)
        strength.append(contrast if score > bars.LEAST_MATCH else 0.0)
    if max(strength) <= 0:
        raise Unmeasurable("bars_not_found", "no line-pair groups where the module should show them")
    bright = [index for index, value in zip(near, strength, strict=True) if value >= 0.85 * max(strength)]
    whole, told = [], None
    for index in bright:
        try:
            if bars.read_catphan(stack.slice(index), module.pose, stack.spacing_mm, 0.0) is not None:
                whole.append(index)
        except Unmeasurable as error:
            told = error
    if not whole and told is not None:
        raise told
    return whole or bright


def _bead(located: Located, subject: Subject) -> Iterator[Result]:
    found = bead_mtf(located)
    if found is None:
        for metric in (MTF50, MTF10):
            yield metric.missing("bead_not_found", subject, "bead")
        return
    curve, place, index, height, others = found
    details = {"height_hu": height, **facts(located, [index])}
    yield from _both(
        curve, subject, "bead", (_curve(curve, "MTF of the bead"),), {**details, "row_px": place[0], "column_px": place[1]}, others
    )
