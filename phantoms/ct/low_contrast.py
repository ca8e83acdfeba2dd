"""Low contrast: contrast-to-noise ratio of the discs, and the detectability of a disc by a model observer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from phantoms.ct.locate import Located, Module, locate
from phantoms.ct.metrics import CNR, DETECTABILITY
from phantoms.ct.models import ALL_CLASSES
from phantoms.ct.regions import Reading, facts, read_disc, structure_hu
from phantoms.ct.spectra import noise_spectrum, rod_edge
from qc.check import Applies, Example, check
from qc.errors import Unmeasurable
from qc.measure.detectability import detectability, disc_task
from qc.picture import circle, picture
from qc.pixels import PixelAccess
from qc.results import Result, Shape, Subject
from qc.study import Series

# diameter in mm and angle of the discs of the 1 % group of the CTP515, at 50 mm
SUPRA_SLICE = ((15, -87.4), (9, -69.1), (8, -52.7), (7, -38.5), (6, -25.1), (5, -12.9))
TURNED = ("phantom:catphan600", "phantom:catphan700")  # their CTP515 is turned by half a turn
WIDEST_STRUCTURE_HU = 90.0


@dataclass(frozen=True)
class LowContrastParameters:
    """Parameters.

    Attributes
    ----------
    task_diameter_mm, task_contrast_hu
        Disc that the model observer looks for.
    """

    task_diameter_mm: float = 5.0
    task_contrast_hu: float = 10.0


@dataclass(frozen=True)
class Disc:
    """A disc and its background regions: (angle, distance, radius) each."""

    region: str
    disc: tuple[float, float, float]
    around: tuple[tuple[float, float, float], ...]


def discs(model: str) -> tuple[Disc, ...]:
    """Return the discs that are measured. ACR: the 25 mm rod, background beside it."""
    if model == "phantom:acr_ct_464":
        return (Disc("disc25", (-90.0, 60.0, 6.0), ((-115.0, 60.0, 6.0),)),)
    turn = 180.0 if model in TURNED else 0.0
    found = []
    for diameter, angle in SUPRA_SLICE:
        radius = min(0.7 * diameter / 2, diameter / 2 - 0.8)
        around = ((angle + turn, 38.0, 3.5), (angle + turn, 62.0, 3.5))
        found.append(Disc(f"disc{diameter}", (angle + turn, 50.0, radius), around))
    return tuple(found)


@check(
    id="ct_phantom.low_contrast",
    version=1,
    title="CT phantom: low contrast",
    level="series",
    needs="volume",
    applies=Applies(modalities=frozenset({"CT"}), classes=ALL_CLASSES),
    metrics=(CNR, DETECTABILITY),
    params=LowContrastParameters,
    source="ACR CT QC manual (CNR = |A - B| / SD of B); CatPhan manuals (CTP515); AAPM TG-233 (d')",
    invariances=("file_order", "rescale"),
    examples=(
        Example("ct_catphan", {"noise_hu": 5.0}, values={"ct.cnr@disc15": (2.0, 0.35)}),
        Example("ct_acr464", {"noise_hu": 5.0}, values={"ct.cnr@disc25": (1.2, 0.3)}),
    ),
)
def low_contrast(series: Series, pixels: PixelAccess, params: LowContrastParameters) -> Iterator[Result]:
    """CNR of each disc of the 1 % group (ACR: the 25 mm rod): contrast over the SD of the background in one slice.

    Contrast and noise are means over the slices of the module, so the value is that of one slice and more slices make it surer.
    Worked number: 6 HU over 0 HU with noise 5 HU is 1.2. ``ct.detectability`` is d' of a non-prewhitening observer for the disc named
    in its region, from the noise power spectrum of the uniform module and the transfer function of a rod.
    """
    located = locate(series, pixels)
    subject = series.subject()
    try:
        yield from _contrasts(located, subject)
    except Unmeasurable as error:
        for one in discs(located.model.name):
            yield CNR.missing(error.reason, subject, one.region, message=error.message, **error.facts)
    yield from _observer(located, subject, params)


def _contrasts(located: Located, subject: Subject) -> Iterator[Result]:
    module, stack = located.module("low_contrast"), located.stack
    structure = structure_hu(module.image, module.pose.center, 65.0, stack.spacing_mm)
    if structure > WIDEST_STRUCTURE_HU:
        raise Unmeasurable("module_not_found", "the slices hold more structure than a low-contrast module", structure_hu=structure)
    shapes: list[Shape] = []
    results: list[tuple[Disc, Reading | None, list[Reading]]] = []
    for one in discs(located.model.name):
        found = _read(located, module, one.disc)
        around = [reading for place in one.around if (reading := _read(located, module, place)) is not None]
        results.append((one, found, around))
        for angle, distance, radius in (one.disc, *one.around):
            role = "measured" if (angle, distance, radius) == one.disc else "found"
            label = one.region if role == "measured" else ""
            shapes.append(circle(module.pose.polar(angle, distance, stack.spacing_mm), radius, stack.spacing_mm, label, role))
    base = float(
        np.median(
            module.image[int(module.pose.center[0]) - 20 :, :][:40, int(module.pose.center[1]) - 20 : int(module.pose.center[1]) + 20]
        )
    )
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(module.image, [1.0 / s for s in stack.spacing_mm])
    shown = picture(
        smooth,
        f"{located.model.title}: low contrast (smoothed by 1 mm)",
        shapes,
        stack.spacing_mm,
        stack.unit,
        window=(base - 25, base + 30),
    )
    common = facts(located, module.indices)
    for number, (one, found, around) in enumerate(results):
        if found is None or len(around) < len(one.around):
            yield CNR.missing("cut_by_field_of_view", subject, one.region, **common)
            continue
        noise = float(np.sqrt(np.mean([reading.sd**2 for reading in around])))
        if noise <= 0:
            yield CNR.missing("no_noise", subject, one.region, **common)
            continue
        background = float(np.mean([reading.mean for reading in around]))
        value = abs(found.mean - background) / noise
        around_u = float(np.sqrt(sum(r.mean_uncertainty**2 for r in around))) / len(around)
        noise_u = float(np.sqrt(sum(r.sd_uncertainty**2 for r in around))) / len(around)
        spread = float(np.sqrt(found.mean_uncertainty**2 + around_u**2 + (value * noise_u) ** 2) / noise)
        yield CNR.value(
            value,
            subject,
            one.region,
            uncertainty=spread,
            evidence=(shown,) if number == 0 else (),
            contrast_hu=found.mean - background,
            noise_hu=noise,
            **common,
        )


def _read(located: Located, module: Module, place: tuple[float, float, float]) -> Reading | None:
    angle, distance, radius = place
    return read_disc(located.stack, module.indices, module.pose.polar(angle, distance, located.stack.spacing_mm), radius)


def _observer(located: Located, subject: Subject, params: LowContrastParameters) -> Iterator[Result]:
    region = f"disc{params.task_diameter_mm:g}mm_{params.task_contrast_hu:g}hu"
    details: dict[str, Any] = {"task_diameter_mm": params.task_diameter_mm, "task_contrast_hu": params.task_contrast_hu}
    try:
        module = located.module("uniformity")
    except Unmeasurable as error:
        yield DETECTABILITY.missing(error.reason, subject, region, message=error.message, **details)
        return
    spectrum = noise_spectrum(located.stack, module.indices, module.pose.center, 65.0)
    names = ("acrylic", "polyethylene", "delrin", "teflon", "air")
    inserts = {insert.name: insert for insert in located.model.inserts if insert.measured}
    edge = next((found for name in names if name in inserts and (found := rod_edge(located, inserts[name], 25.0))), None)
    if spectrum is None or edge is None or spectrum.variance <= 0:
        yield DETECTABILITY.missing("no_spectrum" if edge else "rod_not_found", subject, region, **details)
        return
    f = spectrum.frequency
    ttf = np.clip(np.interp(f, edge.mtf.frequency, edge.mtf.value), 0.0, 1.2)
    axis = np.concatenate([[0.0], f])
    task = disc_task(axis, params.task_diameter_mm, params.task_contrast_hu)
    values = {
        name: detectability(task, np.concatenate([[1.0], ttf]), np.concatenate([spectrum.radial[:1], spectrum.radial]), axis, name)
        for name in ("npw", "pw")
    }
    value = values["npw"]
    if value is None:
        yield DETECTABILITY.missing("no_noise", subject, region, **details)
        return
    yield DETECTABILITY.value(
        value, subject, region, prewhitening=values["pw"], ttf_contrast_hu=edge.contrast_hu, **details, **facts(located, module.indices)
    )
