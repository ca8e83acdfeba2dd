"""How the phantom lies in the scanner, and whether the pictures allow the other tests: the first thing to look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from phantoms.acr_mri.locate import Located, locate
from phantoms.acr_mri.placement import slot, void_distance
from qc.check import Applies, Example, check
from qc.errors import Unmeasurable
from qc.measure.roi import inside_disc
from qc.picture import circle, picture
from qc.pixels import PixelAccess
from qc.results import Finding, Metric, Result, Status
from qc.study import Series

SOURCE = "ACR Large and Medium Phantom Test Guidance 10/19/2022, phantom positioning"
ROLL = Metric("acr_mri.roll", "deg", "Roll of the phantom, clockwise as seen", "target", SOURCE)
TILT = Metric("acr_mri.tilt", "deg", "Tilt of the phantom against the slices", "target", SOURCE)
OFFSET = Metric("acr_mri.offset", "mm", "Distance of the phantom from the middle of the field of view", "lower", SOURCE)

CODES = {
    "acr_mri.tilted": "Level the phantom with the spirit level, in its cradle, and line its marks up with the laser; then scan again.",
    "acr_mri.rolled": "Turn the phantom in its cradle until the bubble of the level is in the middle and the marks meet the laser.",
    "acr_mri.off_center": "Move the phantom to the isocentre and centre the field of view on it.",
    "acr_mri.air_bubble": "Top the phantom up with its solution, or turn it so that the bubble lies beside the fill plug; results near it are less sure.",
    "acr_mri.plug_not_visible": "Slice 7 may be blurred by motion, or slices may be displaced; look at the picture and scan again if it is not sharp.",
    "acr_mri.slice_order": "The results are right: the slices were put in order by what they show. Correct the slice direction in the protocol.",
    "acr_mri.mirrored": "The phantom lies the other way round (head and foot ends swapped) or the pictures were flipped. The results refer to the usual view.",
    "acr_mri.cut": "Use a field of view of 250 mm and put the phantom in its middle; tests of the missing part have no value.",
    "acr_mri.slice_missing": "Scan or send the missing slices again; the tests that need them have no value.",
    "acr_mri.blurred": "This slice is less sharp than the others of the series, as by motion. Look at it, fix the phantom and scan again.",
}


@dataclass(frozen=True)
class PlacementParameters:
    """From when on something is said. These are no limits of acceptance: the measurements are judged by the criteria set.

    Attributes
    ----------
    tilt_deg, roll_deg, offset_mm
        Size from which a finding tells staff what to do.
    bubble_cm2
        Area of a void beside the fill plug.
    edge_ratio
        How many times wider the edge of a slice may be than that of the others.
    """

    tilt_deg: float = 1.5
    roll_deg: float = 3.0
    offset_mm: float = 10.0
    bubble_cm2: float = 0.5
    edge_ratio: float = 2.0


@check(
    id="acr_mri.position",
    version=1,
    title="ACR MRI phantom: position of the phantom",
    level="series",
    needs="volume",
    applies=Applies(classes=frozenset({"phantom:acr_mri_large", "phantom:acr_mri_medium"})),
    metrics=(ROLL, TILT, OFFSET),
    codes=CODES,
    params=PlacementParameters,
    source=SOURCE,
    invariances=("file_order", "intensity_scale", "rescale"),
    examples=(
        Example(
            "acr_mri_large",
            {"rotation_deg": 4.0},
            codes={"acr_mri.rolled": Status.WARN},
            values={"acr_mri.roll": (4.0, 0.1)},
        ),
        Example("acr_mri_large", {"bubble_mm": 6.0}, codes={"acr_mri.air_bubble": Status.WARN}),
        Example("acr_mri_large", {"reverse": True}),
    ),
)
def position(series: Series, pixels: PixelAccess, params: PlacementParameters) -> Iterator[Result]:
    """Roll (from the slot in slice 1), tilt (from how the centre wanders through the slices), offset; and what staff should know.

    Tilt is the angle between the axis of the phantom and the normal of the slices. Worked number: a centre that wanders by 2 mm
    between slice 1 and slice 11, 100 mm apart, is a tilt of 1.15 degrees.
    """
    for located in locate(series, pixels):
        yield from _lying(series, located, params)
        yield from _pictures(series, located, params)


def _lying(series: Series, located: Located, params: PlacementParameters) -> Iterator[Result]:
    subject, region = series.subject(), located.region
    try:
        found = slot(located)
        yield ROLL.value(found.roll_deg, subject, region, uncertainty=found.rms_mm / 30.0, likeness=located.likeness)
        if abs(found.roll_deg) > params.roll_deg:
            side = "clockwise" if found.roll_deg > 0 else "anticlockwise"
            message = f"The phantom is rolled by {abs(found.roll_deg):.1f} degrees {side}."
            yield Finding("acr_mri.rolled", Status.WARN, message, subject, {"roll_deg": found.roll_deg})
    except Unmeasurable as error:
        yield ROLL.missing(error.reason, subject, region, message=error.message)
    centers = {}
    for number in range(1, 12):
        try:
            centers[number] = located.outline(number).center
        except Unmeasurable:
            continue
    if len(centers) < 3:
        for metric in (TILT, OFFSET):
            yield metric.missing("phantom_not_found", subject, region)
        return
    z = 10.0 * np.array(list(centers), float)
    places = np.array(list(centers.values())) * located.spacing_mm
    # two middle-most fits: a slice that is off (blurred, distorted) must not tilt the line
    keep = np.ones(len(z), bool)
    slopes = np.zeros(2)
    for _ in range(2):
        fits = [np.polyfit(z[keep], places[keep, axis], 1) for axis in (0, 1)]
        slopes = np.array([fit[0] for fit in fits])
        off = np.hypot(*(places[:, axis] - np.polyval(fits[axis], z) for axis in (0, 1)))
        keep = off <= max(0.3, 3 * float(np.median(off)))
    tilt = float(np.degrees(np.arctan(np.hypot(*slopes))))
    down, across = (float(np.degrees(np.arctan(slope))) for slope in slopes)
    yield TILT.value(tilt, subject, region, up_down_deg=down, left_right_deg=across)
    if tilt > params.tilt_deg:
        message = f"The phantom is tilted by {tilt:.1f} degrees against the slices ({abs(down):.1f} up/down, {abs(across):.1f} left/right)."
        yield Finding("acr_mri.tilted", Status.WARN, message, subject, {"tilt_deg": tilt, "up_down_deg": down, "left_right_deg": across})
    shape = next(image.shape for image in located.slices if image is not None)
    middle = np.median(places, axis=0) - (np.array(shape) - 1) / 2 * located.spacing_mm
    offset = float(np.hypot(*middle))
    yield OFFSET.value(offset, subject, region, down_mm=float(middle[0]), right_mm=float(middle[1]))
    if offset > params.offset_mm:
        message = (
            f"The phantom lies {offset:.0f} mm from the middle of the field of view ({middle[1]:+.0f} mm right, {middle[0]:+.0f} mm down)."
        )
        yield Finding("acr_mri.off_center", Status.WARN, message, subject, {"right_mm": float(middle[1]), "down_mm": float(middle[0])})


def _pictures(series: Series, located: Located, params: PlacementParameters) -> Iterator[Result]:
    subject = series.subject()
    missing = [number for number in range(1, 12) if located.slices[number - 1] is None]
    if missing:
        names = ", ".join(map(str, missing))
        yield Finding("acr_mri.slice_missing", Status.WARN, f"Slice {names} of the phantom is not there.", subject, {"slices": missing})
    if located.reversed_order:
        yield Finding(
            "acr_mri.slice_order",
            Status.INFO,
            "Slice 1 of the phantom lies at the far end of the stack.",
            subject,
            {"likeness": located.likeness},
        )
    if located.view.mirrored:
        yield Finding("acr_mri.mirrored", Status.INFO, "The pictures show the phantom mirrored.", subject)
    cut = {}
    for number in range(1, 12):
        try:
            edge = located.outline(number)
        except Unmeasurable:
            continue
        if edge.cut > 0.01:
            cut[number] = edge.cut
    if cut:
        message = f"The phantom is cut by the edge of the field of view in slice {', '.join(map(str, cut))}."
        yield Finding("acr_mri.cut", Status.WARN, message, subject, {"share": {str(number): share for number, share in cut.items()}})
    yield from _voids(series, located, params)
    yield from _blurred(series, located, params)


def _voids(series: Series, located: Located, params: PlacementParameters) -> Iterator[Result]:
    """Look for the fill plug and for air beside it in slice 7."""
    from scipy import ndimage

    try:
        image, edge, frame = located.slice(7), located.outline(7), located.frame(7)
    except Unmeasurable:
        return
    spacing = located.spacing_mm
    dark = void_distance(located, 7) <= 0.0
    x = (np.arange(image.shape[1]) - edge.center[1])[None, :] * spacing[1]
    y = (np.arange(image.shape[0]) - edge.center[0])[:, None] * spacing[0]
    # as slice 6 shows the plug in the same place, what it has and slice 7 has is plug; the rest is a bubble
    plug = (np.abs(x) <= 10.0) & (y <= -(edge.radius_mm - 24.0))
    pixel_cm2 = spacing[0] * spacing[1] / 100
    if float((dark & plug).sum()) * pixel_cm2 < 0.3:
        message = "The fill plug at the top of slice 7 is not visible."
        yield Finding("acr_mri.plug_not_visible", Status.WARN, message, series.subject(), {"image": frame.label})
    # the outermost ring holds the pockets beside the plug that every filled phantom has
    deep = inside_disc(image.shape, edge.center, edge.radius_mm - 5.0, spacing)
    labels, count = ndimage.label(dark & deep & ~((np.abs(x) <= 7.5) & (y <= -(edge.radius_mm - 20.0))))
    if count == 0:
        return
    areas = np.bincount(labels.ravel())[1:] * pixel_cm2
    biggest = float(areas.max())
    if biggest < params.bubble_cm2:
        return
    rows, columns = np.nonzero(labels == int(areas.argmax()) + 1)
    at = (float(rows.mean()), float(columns.mean()))
    right, down = (at[1] - edge.center[1]) * spacing[1], (at[0] - edge.center[0]) * spacing[0]
    message = f"An air bubble of {biggest:.1f} cm2 is in slice 7, {abs(down):.0f} mm {'above' if down < 0 else 'below'} the middle."
    shown = picture(image, message, (circle(at, 10.0 * float(np.sqrt(biggest / np.pi)), spacing, "bubble", "problem"),), spacing)
    details = {"area_cm2": biggest, "right_mm": right, "down_mm": down, "image": frame.label}
    yield Finding("acr_mri.air_bubble", Status.WARN, message, series.subject(), details, evidence=(shown,))


def edge_width(located: Located, number: int) -> float:
    """Return the mean 25 to 75 % width of the phantom's edge in a slice, in mm, over the lower half and the sides."""
    from qc.measure.outline import edge_profile

    distance, signal = edge_profile(located.slice(number), located.outline(number), np.arange(200.0, 341.0, 4.0))
    falling = np.interp([-0.75, -0.25], -np.maximum.accumulate(signal[::-1])[::-1], distance)
    return float(falling[1] - falling[0])


def blurred(located: Located, edge_ratio: float = 2.0) -> dict[int, tuple[float, float]]:
    """Return the slices whose edge is wider than usual, with its width and the usual one in mm; found once."""

    def make() -> dict[int, float]:
        widths = {}
        for number in range(1, 12):
            try:
                widths[number] = edge_width(located, number)
            except Unmeasurable:
                continue
        return widths

    widths: dict[int, float] = located.kept("edge_widths", make)
    if len(widths) < 5:
        return {}
    usual, pixel = float(np.median(list(widths.values()))), max(located.spacing_mm)
    return {number: (width, usual) for number, width in widths.items() if width > edge_ratio * usual and width - usual > 0.5 * pixel}


def _blurred(series: Series, located: Located, params: PlacementParameters) -> Iterator[Result]:
    """Compare the sharpness of the phantom's edge between the slices."""
    for number, (width, usual) in blurred(located, params.edge_ratio).items():
        message = f"Slice {number} is blurred: its edge is {width:.1f} mm wide, that of the other slices {usual:.1f} mm."
        shown = picture(located.slice(number), f"Slice {number} ({located.frame(number).label})", (), located.spacing_mm)
        details = {"slice": number, "width_mm": width, "usual_mm": usual, "image": located.frame(number).label}
        yield Finding("acr_mri.blurred", Status.WARN, message, series.subject(), details, evidence=(shown,))
