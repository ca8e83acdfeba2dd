"""The uniform module: uniformity, noise, noise power spectrum, rings. Also used for the water phantom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from phantoms.ct.locate import locate
from phantoms.ct.metrics import HU_UNIFORMITY, NOISE, NPS_MEAN, NPS_PEAK, RING
from phantoms.ct.models import ALL_CLASSES
from phantoms.ct.regions import Reading, facts, read_disc, structure_hu
from phantoms.ct.spectra import noise_spectrum
from phantoms.ct.stack import Stack
from qc.check import Applies, Example, check
from qc.measure.nps import Nps
from qc.measure.rings import Ring, streak_sd, strongest_ring
from qc.measure.roi import inside_disc
from qc.picture import circle, picture
from qc.pixels import PixelAccess
from qc.results import CurveEvidence, Evidence, Result, Shape, Subject
from qc.study import Series

EDGES = {"top": (-1, 0), "right": (0, 1), "bottom": (1, 0), "left": (0, -1)}
WIDEST_STRUCTURE_HU = 90.0
FARTHEST_PAIR = 3  # slices


@dataclass(frozen=True)
class Area:
    """A uniform disc in some slices of a stack.

    Attributes
    ----------
    edge_mm, roi_mm
        Distance of the edge regions from the middle, and radius of all five regions.
    radius_mm
        Of the disc that is uniform.
    """

    stack: Stack
    indices: list[int]
    center: tuple[float, float]
    edge_mm: float
    roi_mm: float
    radius_mm: float
    title: str
    roll_deg: float = 0.0


@check(
    id="ct_phantom.uniformity",
    version=1,
    title="CT phantom: uniformity, noise and rings",
    level="series",
    needs="volume",
    applies=Applies(modalities=frozenset({"CT"}), classes=ALL_CLASSES),
    metrics=(HU_UNIFORMITY, NOISE, NPS_PEAK, NPS_MEAN, RING),
    source="ACR CT QC manual; IEC 61223-3-5; ICRU 87; AAPM TG-233",
    invariances=("file_order", "rescale"),
    examples=(
        Example("ct_catphan", {"noise_hu": 6.0}, values={"ct.noise@center": (6.0, 0.3), "ct.hu_uniformity@worst": (0.0, 0.5)}),
        Example("ct_acr464", {"noise_hu": 6.0}, values={"ct.noise@center": (6.0, 0.3)}),
    ),
)
def uniformity(series: Series, pixels: PixelAccess, params: Any) -> Iterator[Result]:
    """Mean of a disc at 12, 3, 6 and 9 o'clock minus the one in the middle; ``worst`` is the largest in size.

    CatPhan: discs of 20 mm at 53 mm. ACR: 400 mm2 at 66 mm. Noise: SD (n - 1) of one slice in the middle, root mean square over the
    slices; ``difference`` from neighbouring slices, free of cupping and rings, where the slices do not overlap.
    Worked number: cupping of 10 (r / 100 mm)^2 HU gives 10 x (66^2 + 11.3^2 / 2 - 11.3^2 / 2) / 100^2 = 4.36 HU.
    """
    located = locate(series, pixels)
    module = located.module("uniformity")
    acr = located.model.name == "phantom:acr_ct_464"
    stack = located.stack
    area = Area(
        stack, module.indices, module.pose.center, 66.0 if acr else 53.0, 11.28 if acr else 10.0, 85.0 if acr else 65.0, located.model.title
    )
    common = facts(located, module.indices)
    yield from measure(area, series.subject(), common)


def measure(area: Area, subject: Subject, common: dict[str, Any]) -> Iterator[Result]:
    """Give every measurement of a uniform area."""
    image = area.stack.mean(area.indices)
    structure = structure_hu(image, area.center, 0.85 * area.radius_mm, area.stack.spacing_mm)
    if structure > WIDEST_STRUCTURE_HU:
        for metric, region in _owed():
            yield metric.missing("module_not_uniform", subject, region, structure_hu=structure, **common)
        return
    middle = read_disc(area.stack, area.indices, area.center, area.roi_mm)
    edges = {name: _edge(area, *side) for name, side in EDGES.items()}
    yield from _uniformity(area, image, middle, edges, subject, common)
    yield from _noise(area, middle, subject, common)
    yield from _spectrum(area, subject, common)
    yield from _ring(area, image, subject, common)


def _owed() -> list[tuple[Any, str]]:
    regions = [(HU_UNIFORMITY, name) for name in (*EDGES, "worst")]
    return [*regions, (NOISE, "center"), (NPS_PEAK, "center"), (NPS_MEAN, "center"), (RING, "")]


def _edge(area: Area, down: int, right: int) -> tuple[tuple[float, float], Reading | None]:
    dy, dx = area.stack.spacing_mm
    place = area.center[0] + down * area.edge_mm / dy, area.center[1] + right * area.edge_mm / dx
    return place, read_disc(area.stack, area.indices, place, area.roi_mm)


def _uniformity(
    area: Area,
    image: Any,
    middle: Reading | None,
    edges: dict[str, tuple[tuple[float, float], Reading | None]],
    subject: Subject,
    common: dict[str, Any],
) -> Iterator[Result]:
    if middle is None:
        for name in (*EDGES, "worst"):
            yield HU_UNIFORMITY.missing("cut_by_field_of_view", subject, name, **common)
        return
    spacing = area.stack.spacing_mm
    spreads = {
        name: float(np.hypot(found.mean_uncertainty, middle.mean_uncertainty)) for name, (_, found) in edges.items() if found is not None
    }
    differences = {name: found.mean - middle.mean for name, (_, found) in edges.items() if found is not None}
    shapes: list[Shape] = [circle(area.center, area.roi_mm, spacing, f"{middle.mean:.1f}")]
    for name, (place, found) in edges.items():
        text = f"{name} {differences[name]:+.1f}" if found is not None else f"{name} cut"
        shapes.append(circle(place, area.roi_mm, spacing, text, "measured" if found is not None else "problem"))
    window = (middle.mean - 60, middle.mean + 60)
    shown = picture(image, f"{area.title}: uniformity", shapes, spacing, area.stack.unit, window=window)
    for name, (_, found) in edges.items():
        if found is None:
            yield HU_UNIFORMITY.missing("cut_by_field_of_view", subject, name, **common)
        else:
            yield HU_UNIFORMITY.value(
                differences[name], subject, name, uncertainty=spreads[name], edge_hu=found.mean, center_hu=middle.mean, **common
            )
    if len(differences) < 4:
        yield HU_UNIFORMITY.missing("cut_by_field_of_view", subject, "worst", **common)
        return
    worst = max(differences, key=lambda name: abs(differences[name]))
    values = [middle.mean, *(found.mean for _, found in edges.values() if found is not None)]
    yield HU_UNIFORMITY.value(
        differences[worst],
        subject,
        "worst",
        uncertainty=spreads[worst],
        evidence=(shown,),
        where=worst,
        uniformity_index_percent=100 * differences[worst] / (middle.mean + 1000),
        integral_nonuniformity=(max(values) - min(values)) / (max(values) + min(values) + 2000),
        **common,
    )


def _noise(area: Area, middle: Reading | None, subject: Subject, common: dict[str, Any]) -> Iterator[Result]:
    wide = read_disc(area.stack, area.indices, area.center, 0.4 * area.radius_mm)
    if wide is None or middle is None:
        yield NOISE.missing("cut_by_field_of_view", subject, "center", **common)
        return
    yield NOISE.value(
        wide.sd, subject, "center", uncertainty=wide.sd_uncertainty, radius_mm=0.4 * area.radius_mm, small_sd_hu=middle.sd, **common
    )
    yield _difference(area, wide, subject, common)


def _difference(area: Area, wide: Reading, subject: Subject, common: dict[str, Any]) -> Result:
    """Noise from differences of slices that do not overlap, up to three places apart.

    The scanner may have smoothed along z: neighbours of a cone-beam scan share noise, and their difference has less of it.
    """
    stack = area.stack
    thickness = stack.rows[area.indices[0]].get("SliceThickness")
    lag = min(FARTHEST_PAIR, len(area.indices) - 1)
    pairs = list(zip(area.indices, area.indices[lag:], strict=False)) if lag > 0 else []
    apart = float(np.min([abs(stack.z_mm[two] - stack.z_mm[one]) for one, two in pairs])) if pairs else 0.0
    if not pairs or not isinstance(thickness, (int, float)) or apart < 0.99 * thickness:
        return NOISE.missing("no_independent_slices", subject, "difference", **common)
    mask = inside_disc(stack.slice(area.indices[0]).shape, area.center, 0.4 * area.radius_mm, stack.spacing_mm)
    variances = [float((stack.slice(one)[mask].astype(float) - stack.slice(two)[mask]).var(ddof=1)) / 2 for one, two in pairs]
    value = float(np.sqrt(np.mean(variances)))
    spread = wide.sd_uncertainty * np.sqrt(len(area.indices) / len(pairs))
    return NOISE.value(value, subject, "difference", uncertainty=float(spread), pairs=len(pairs), apart_mm=apart, **common)


def _spectrum(area: Area, subject: Subject, common: dict[str, Any]) -> Iterator[Result]:
    found = noise_spectrum(area.stack, area.indices, area.center, area.radius_mm)
    if found is None:
        yield NPS_PEAK.missing("too_few_regions", subject, "center", **common)
        yield NPS_MEAN.missing("too_few_regions", subject, "center", **common)
        return
    details = {"integral_hu2": found.variance, "regions": found.regions, **common}
    if found.variance <= 0:
        yield NPS_PEAK.missing("no_noise", subject, "center", **details)
        yield NPS_MEAN.missing("no_noise", subject, "center", **details)
        return
    curve = nps_curve(found)
    peak = found.peak_frequency
    if peak is None:
        yield NPS_PEAK.missing("no_peak", subject, "center", **details)
    else:
        yield NPS_PEAK.value(peak, subject, "center", **details)
    spread = found.mean_frequency / np.sqrt(max(found.regions, 1) * len(found.radial))
    yield NPS_MEAN.value(found.mean_frequency, subject, "center", uncertainty=float(spread), evidence=(curve,), **details)


def nps_curve(found: Nps) -> Evidence:
    """Return the radial spectrum as a picture."""
    marks = {"mean": found.mean_frequency}
    if found.peak_frequency is not None:
        marks["peak"] = found.peak_frequency
    curves = {"NPS": (found.frequency.tolist(), found.radial.tolist())}
    caption = f"{found.regions} regions; integral {found.variance:.2f} HU2, that is a noise of {found.variance**0.5:.2f} HU"
    return CurveEvidence("Noise power spectrum", curves, "1/mm", "HU2 mm2", marks, caption)


def _ring(area: Area, image: Any, subject: Subject, common: dict[str, Any]) -> Iterator[Result]:
    spacing = area.stack.spacing_mm
    middle = ((image.shape[0] - 1) / 2, (image.shape[1] - 1) / 2)
    off = float(np.hypot((middle[0] - area.center[0]) * spacing[0], (middle[1] - area.center[1]) * spacing[1]))
    outer = 0.92 * area.radius_mm - off
    found: Ring | None = strongest_ring(image, middle, 4.0, outer, spacing) if outer > 20 else None
    if found is None:
        yield RING.missing("phantom_off_center", subject, off_mm=off, **common)
        return
    curve = CurveEvidence(
        "Rings: mean over the angle minus running median",
        {"ring": (found.radii_mm.tolist(), found.profile.tolist())},
        "mm from the middle",
        "HU",
        {"strongest": found.radius_mm},
    )
    shown = picture(
        image,
        f"{area.title}: strongest ring",
        (circle(middle, found.radius_mm, spacing, f"{found.amplitude:+.1f} HU", "problem" if found.significant else "found"),),
        spacing,
        area.stack.unit,
    )
    yield RING.value(
        abs(found.amplitude),
        subject,
        uncertainty=found.uncertainty,
        evidence=(shown, curve),
        radius_mm=found.radius_mm,
        significant=found.significant,
        streak_hu=streak_sd(image, area.center, 0.3 * area.radius_mm, 0.9 * area.radius_mm, spacing),
        **common,
    )
