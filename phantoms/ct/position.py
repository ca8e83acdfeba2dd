"""Where the phantom lies: origin, roll, tilt, offset from the middle of the field of view."""

from __future__ import annotations

from collections.abc import Iterator

from phantoms.ct.locate import locate
from phantoms.ct.metrics import OFFSET, ORIGIN, ROLL, TILT
from phantoms.ct.models import ALL_CLASSES
from phantoms.ct.outline import outline
from phantoms.ct.regions import facts
from qc.check import Applies, Example, NoParameters, check
from qc.picture import circle, picture
from qc.pixels import PixelAccess
from qc.results import Result, Shape
from qc.study import Series


@check(
    id="ct_phantom.position",
    version=1,
    title="CT phantom: position, roll and tilt",
    level="series",
    needs="volume",
    applies=Applies(modalities=frozenset({"CT"}), classes=ALL_CLASSES),
    metrics=(ORIGIN, ROLL, TILT, OFFSET),
    params=NoParameters,
    source="ACR CT QC manual, alignment; CatPhan manuals (slice geometry)",
    invariances=("file_order", "rescale"),
    examples=(
        Example("ct_catphan", {"rotation_deg": 2.0}, values={"ct.roll": (2.0, 0.1), "ct.origin": (0.0, 1.25)}),
        Example("ct_acr464", {"rotation_deg": -1.0}, values={"ct.roll": (-1.0, 0.1)}),
    ),
)
def position(series: Series, pixels: PixelAccess, params: NoParameters) -> Iterator[Result]:
    """Origin of the insert module along the normal, roll from the inserts, tilt, and distance of the axis from the middle of the image.

    The origin comes from the wire ramps (four wires cross the middle of their ramps where the slice is in the middle of the module), else
    from the ends of the inserts. The tilt needs ramps.
    """
    located = locate(series, pixels)
    stack, module = located.stack, located.module("inserts")
    subject, common = series.subject(), facts(located, module.indices)
    pose = located.pose
    edge = outline(stack.slice(stack.nearest(located.origin_mm)), stack.spacing_mm)
    shapes = [
        Shape("point", (pose.center,), "axis", "found"),
        Shape(
            "line", (pose.polar(-90, 90, stack.spacing_mm), pose.polar(90, 90, stack.spacing_mm)), f"roll {pose.roll_deg:.2f} deg", "found"
        ),
    ]
    if edge:
        shapes.append(circle(edge.center, edge.radius_mm, stack.spacing_mm, "outline", "found"))
    shown = picture(module.image, f"{located.model.title}: position", shapes, stack.spacing_mm, stack.unit, window=(-250.0, 450.0))
    step = stack.step_mm or 0.0
    if located.origin_from == "best_slice":
        yield ORIGIN.missing("module_ends_not_seen", subject, **common)
    else:
        spread = {"ramps": 0.1, "module_ends": 0.25}.get(located.origin_from, 0.5) * max(step, 0.5)
        yield ORIGIN.value(located.origin_mm, subject, uncertainty=spread, cut=module.cut, **common)
    yield ROLL.value(
        pose.roll_deg,
        subject,
        uncertainty=pose.roll_uncertainty_deg,
        evidence=(shown,),
        inserts_used=pose.used,
        mirrored=pose.mirrored,
        **common,
    )
    if located.origin_from == "ramps":
        for name, value in zip(("right", "down"), located.tilt_deg, strict=True):
            yield TILT.value(value, subject, name, **common)
    else:
        yield TILT.missing("no_ramps", subject, "right", **common)
        yield TILT.missing("no_ramps", subject, "down", **common)
    middle = [(side - 1) / 2 for side in module.image.shape]
    yield OFFSET.value((pose.center[1] - middle[1]) * stack.spacing_mm[1], subject, "right", **common)
    yield OFFSET.value((pose.center[0] - middle[0]) * stack.spacing_mm[0], subject, "down", **common)
