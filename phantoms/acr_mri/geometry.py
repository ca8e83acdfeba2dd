"""Geometric accuracy: diameters in slices 1 and 5."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from phantoms.acr_mri.byhand import SetByHand, attempted
from phantoms.acr_mri.locate import Located, locate
from qc.check import Applies, Example, check
from qc.errors import Unmeasurable
from qc.measure.outline import Outline
from qc.picture import picture
from qc.pixels import PixelAccess
from qc.results import Evidence, Measurement, Metric, Result, Shape
from qc.study import Series

SOURCE = "ACR Large and Medium Phantom Test Guidance 10/19/2022, geometric accuracy"
DIAMETER = Metric("acr_mri.diameter", "mm", "Diameter (geometric accuracy)", "target", SOURCE)

# direction of the line in degrees: 0 to the right, 90 up
DIRECTIONS = {
    1: {"horizontal": 0.0, "vertical": 90.0},
    5: {"horizontal": 0.0, "vertical": 90.0, "diagonal_sw": 45.0, "diagonal_se": 135.0},
}
PIXEL_SHARE = 0.02  # of a pixel: what is left of the pixel grid in a diameter (noise-free discs of many places and pixel sizes)


@dataclass(frozen=True)
class GeometryParameters(SetByHand):
    """Parameters.

    Attributes
    ----------
    window_deg
        Edge points this far on both sides of a direction are averaged.
    largest_disagreement_mm
        Points and fitted ellipse further apart than this: one of them saw something else, no value is given.
    """

    window_deg: float = 10.0
    largest_disagreement_mm: float = 1.5


@check(
    id="acr_mri.diameter",
    version=1,
    title="ACR MRI phantom: geometric accuracy",
    level="series",
    needs="volume",
    applies=Applies(classes=frozenset({"phantom:acr_mri_large", "phantom:acr_mri_medium"})),
    metrics=(DIAMETER,),
    params=GeometryParameters,
    source=SOURCE,
    invariances=("file_order", "intensity_scale", "rescale"),
    examples=(
        Example(
            "acr_mri_large",
            {"stretch": (1.01, 1.0)},
            values={
                "acr_mri.diameter@slice1.horizontal": (191.9, 0.1),
                "acr_mri.diameter@slice5.vertical": (190.0, 0.1),
                "acr_mri.diameter@slice5.diagonal_sw": (190.95, 0.1),
            },
        ),
        Example("acr_mri_medium", {}, values={"acr_mri.diameter@slice1.vertical": (165.0, 0.1)}),
    ),
    required=True,
)
def diameter(series: Series, pixels: PixelAccess, params: GeometryParameters) -> Iterator[Result]:
    """Inner diameters in slice 1 (horizontal, vertical) and slice 5 (and two diagonals).

    The edge is where the signal falls to half of what it is just inside, searched from outside inwards, sub-pixel, every 2
    degrees. A diameter is the mean of the edge points within 10 degrees of its two ends, so many that the edge
    crosses the pixel grid at every phase; the end at 12 o'clock, where the fill plug blocks the
    view, follows the ellipse fitted to all other points. ``details.fitted`` is the diameter of that ellipse alone, the second
    estimate.

    ``diagonal_sw`` runs from the upper right to the lower left, ``diagonal_se`` from the upper left to the lower right.

    Worked number: a picture stretched by 1 % in x shows 191.90 mm horizontally, 190.95 mm along the diagonals.
    """
    for located in locate(series, pixels):
        for usual, directions in DIRECTIONS.items():
            number = params.number(usual)
            drawn: tuple[Evidence, ...] | None = None
            for name, angle in directions.items():
                region = located.named(f"slice{usual}.{name}")

                def one(located: Located = located, number: int = number, angle: float = angle, region: str = region) -> Measurement:
                    return _diameter(series, located, number, angle, region, params)

                for measured in attempted(DIAMETER, series.subject(), region, one, **params.recorded()):
                    if drawn is None and measured.value is not None:
                        drawn = (_shown(located, number, usual),)
                        yield DIAMETER.value(
                            measured.value, measured.subject, region, uncertainty=measured.uncertainty, evidence=drawn, **measured.details
                        )
                    else:
                        yield measured


def _diameter(series: Series, located: Located, number: int, angle: float, region: str, params: GeometryParameters) -> Measurement:
    edge = located.outline(number)
    found = edge.diameter(angle, params.window_deg)
    if min(found.points) < 2 and not (angle == 90.0 and found.points[1] >= 2):
        if edge.cut > 0:
            raise Unmeasurable(
                "cut_by_field_of_view", "the phantom is cut by the field of view here; enlarge it or move the phantom to the middle"
            )
        raise Unmeasurable(
            "edge_not_found", f"the edge of the phantom was not found at both ends ({found.points[0]} and {found.points[1]} points)"
        )
    if abs(found.value - found.fitted) > params.largest_disagreement_mm:
        raise Unmeasurable(
            "estimators_disagree",
            f"edge points give {found.value:.2f} mm and the fitted ellipse {found.fitted:.2f} mm",
            points_mm=found.value,
            fitted=found.fitted,
        )
    return DIAMETER.value(
        found.value,
        series.subject(),
        region,
        uncertainty=float(np.hypot(found.uncertainty, PIXEL_SHARE * max(located.spacing_mm))),
        fitted=found.fitted,
        error=found.value - located.size.diameter_mm,
        nominal=located.size.diameter_mm,
        points=list(found.points),
        scatter=edge.rms_mm,
        center_px=list(edge.center),
        image=located.frame(number).label,
        **params.recorded(),
    )


def _shown(located: Located, number: int, usual: int) -> Evidence:
    edge = located.outline(number)
    shapes = [Shape("polygon", _points(edge), "edge found", "found")]
    for name, angle in DIRECTIONS[usual].items():
        ends = tuple(_at(edge, angle + turn, float(edge.radius_at(angle))) for turn in (0.0, 180.0))
        shapes.append(Shape("line", ends, f"{name.replace('_', ' ')} {edge.diameter(angle).value:.1f} mm"))
    return picture(located.slice(number), f"Slice {number} ({located.frame(number).label}), diameters", tuple(shapes), located.spacing_mm)


def _at(edge: Outline, angle_deg: float, radius_mm: float) -> tuple[float, float]:
    angle = np.deg2rad(angle_deg)
    return (
        edge.center[0] - radius_mm * float(np.sin(angle)) / edge.spacing_mm[0],
        edge.center[1] + radius_mm * float(np.cos(angle)) / edge.spacing_mm[1],
    )


def _points(edge: Outline) -> tuple[tuple[float, float], ...]:
    return tuple(_at(edge, float(angle), float(edge.radius_at(angle))) for angle in np.arange(0.0, 361.0, 5.0))
