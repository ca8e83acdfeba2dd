"""CT numbers of the inserts and their linearity."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from phantoms.ct.locate import Module, locate
from phantoms.ct.metrics import CNR, CT_NUMBER, LINEARITY
from phantoms.ct.models import ALL_CLASSES, Insert
from phantoms.ct.pose import centroid
from phantoms.ct.regions import Reading, facts, read_disc
from qc.check import Applies, Example, check
from qc.picture import circle, picture
from qc.pixels import PixelAccess
from qc.results import Finding, Result, Shape, Status
from qc.study import Series


@dataclass(frozen=True)
class MaterialParameters:
    """Parameters.

    Attributes
    ----------
    share_of_radius
        Radius of the measured disc over that of the insert; clear of the blurred rim.
    widest_sd_hu
        An insert whose disc varies by more than this is not read (cut, bubble, wrong place).
    """

    share_of_radius: float = 0.62
    widest_sd_hu: float = 250.0


def insert_place(module: Module, insert: Insert, spacing_mm: tuple[float, float]) -> tuple[float, float]:
    """Return the centre of an insert: its own centroid where it stands out, else its place by the pose."""
    nominal = module.pose.to_pixels(insert.xy_mm, spacing_mm)
    found = centroid(module.image, nominal, insert.radius_mm, spacing_mm)
    if found is None or np.hypot((found[0] - nominal[0]) * spacing_mm[0], (found[1] - nominal[1]) * spacing_mm[1]) > 1.5:
        return nominal
    return found


@check(
    id="ct_phantom.materials",
    version=1,
    title="CT phantom: CT numbers of the inserts",
    level="series",
    needs="volume",
    applies=Applies(modalities=frozenset({"CT"}), classes=ALL_CLASSES),
    metrics=(CT_NUMBER, LINEARITY, CNR),
    codes={
        "ct_phantom.density_like": "The kernel scales CT numbers above water, so the usual ranges do not hold. Compare with the baseline of this kernel."
    },
    params=MaterialParameters,
    source="ACR CT QC manual (CT number accuracy); CatPhan manuals (sensitometry)",
    invariances=("file_order", "rescale"),
    examples=(
        Example("ct_catphan", values={"ct.hu@teflon": (990.0, 1.0), "ct.hu@air": (-1000.0, 1.0), "ct.hu@delrin": (365.0, 1.0)}),
        Example("ct_acr464", values={"ct.hu@bone": (900.0, 1.0), "ct.hu@acrylic": (120.0, 1.0)}),
    ),
    required=True,
)
def materials(series: Series, pixels: PixelAccess, params: MaterialParameters) -> Iterator[Result]:
    """Mean of a disc in each insert over the slices that lie wholly in the module; correlation with the nominal values.

    CT numbers depend on the tube voltage and the kernel: both stand in ``details``, and limits ask for them. For LDPE and polystyrene the
    contrast 2 |A - B| / (SD_A + SD_B) is given as ``ct.cnr`` (low-contrast visibility).
    """
    located = locate(series, pixels)
    stack, module = located.stack, located.module("inserts")
    subject = series.subject()
    shapes: list[Shape] = []
    read: dict[str, Reading] = {}
    missing: list[tuple[Insert, str]] = []
    for insert in located.model.inserts:
        if not insert.measured:
            continue
        place = insert_place(module, insert, stack.spacing_mm)
        radius = params.share_of_radius * insert.radius_mm
        found = read_disc(stack, module.indices, place, radius)
        if found is None:
            missing.append((insert, "cut_by_field_of_view"))
        elif found.sd > params.widest_sd_hu:
            missing.append((insert, "insert_not_homogeneous"))
        else:
            read[insert.name] = found
            shapes.append(circle(place, radius, stack.spacing_mm, f"{insert.name} {found.mean:.0f}"))
    common = facts(located, module.indices)
    shown = picture(
        module.image,
        f"{located.model.title}: CT numbers",
        (*shapes, Shape("point", (module.pose.center,), "axis", "found")),
        stack.spacing_mm,
        stack.unit,
        window=(-250.0, 450.0),
    )
    nominal = {insert.name: insert.nominal_hu for insert in located.model.inserts}
    linear = _line(read, nominal)
    for name, found in read.items():
        yield CT_NUMBER.value(
            found.mean,
            subject,
            name,
            uncertainty=found.mean_uncertainty,
            evidence=(shown,) if name == next(iter(read)) else (),
            sd_hu=found.sd,
            nominal_hu=nominal[name],
            slope=linear[1] if linear else None,
            **common,
        )
    for insert, reason in missing:
        yield CT_NUMBER.missing(reason, subject, insert.name, **common)
    if linear:
        yield LINEARITY.value(linear[0], subject, "inserts", slope=linear[1], intercept_hu=linear[2], residual_hu=linear[3], **common)
    else:
        yield LINEARITY.missing("too_few_inserts", subject, "inserts", **common)
    compressed = _compression(read, nominal)
    if compressed is not None:
        kernel = str(common["kernel"])
        text = f"CT numbers above water are about {100 * compressed:.0f} % of the usual ones, those below are as usual: kernel {kernel} explains it"
        yield Finding("ct_phantom.density_like", Status.INFO, text, subject, {"share": compressed, "kernel": kernel})
    if "ldpe" in read and "polystyrene" in read:
        one, two = read["ldpe"], read["polystyrene"]
        value = 2 * abs(one.mean - two.mean) / (one.sd + two.sd) if one.sd + two.sd > 0 else None
        if value is not None:
            spread = float(
                np.hypot(np.hypot(one.mean_uncertainty, two.mean_uncertainty) * 2 / (one.sd + two.sd), value * one.sd_uncertainty / one.sd)
            )
            yield CNR.value(value, subject, "ldpe_polystyrene", uncertainty=spread, **common)


def _compression(read: dict[str, Reading], nominal: dict[str, float]) -> float | None:
    """Return the slope above water where it is well below 1 while the slope below water is not: a density-like reconstruction."""
    pairs = np.array([(nominal[name], found.mean) for name, found in read.items()])
    above, below = pairs[pairs[:, 0] > 100], pairs[pairs[:, 0] < -80]
    if len(above) < 2 or len(below) < 1:
        return None
    slopes = [float((x * y).sum() / (x * x).sum()) for x, y in (above.T, below.T)]
    return slopes[0] if slopes[0] < 0.75 and abs(slopes[1] - 1) < 0.15 else None


def _line(read: dict[str, Reading], nominal: dict[str, float]) -> tuple[float, float, float, float] | None:
    """Correlation, slope, intercept and largest residual of measured against nominal CT numbers."""
    if len(read) < 3:
        return None
    x = np.array([nominal[name] for name in read])
    y = np.array([found.mean for found in read.values()])
    slope, intercept = np.polyfit(x, y, 1)
    return float(np.corrcoef(x, y)[0, 1]), float(slope), float(intercept), float(np.abs(y - slope * x - intercept).max())
