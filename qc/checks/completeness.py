"""Did everything arrive? What the headers themselves say about how many images there should be."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from qc import geometry
from qc.check import Applies, Example, NoParameters, check
from qc.results import Finding, Result, Status
from qc.study import Series

CODES = {
    "series.incomplete": "The headers announce more images than arrived. Compare with the scanner's own count and send the series again "
    "where it differs.",
}


def locations(series: Series) -> int:
    """Number of distinct slice positions; 0 where they are unknown."""
    _, positions, orientations = geometry.placed(series.frames)
    if len(positions) == 0:
        return 0
    axis = geometry.normals(orientations).mean(0)
    found, _ = geometry.cluster(positions @ axis)
    return len(found)


@check(
    id="completeness",
    version=1,
    title="As many images as announced",
    level="series",
    needs="headers",
    applies=Applies(not_classes=frozenset({"not_image", "screenshot", "derived"})),
    codes=CODES,
    source="DICOM (0020,1002), (0020,0105), (0054,0081), (0054,0101), (0020,9163); GE (0021,xx4F); Philips (2001,xx18)",
    invariances=("file_order", "duplicate_input"),
    examples=(Example("mr_brain"), Example("mr_4d")),
)
def completeness(series: Series, params: NoParameters) -> Iterator[Result]:
    """Compare images, positions and time points with every count that the header gives. Counts on derived objects are ignored.

    ImagesInAcquisition counts images for some vendors and positions for others, so a series that has as many of either is complete.
    """
    frames = len(series.frames)
    places = locations(series)
    counts = [
        _time_points(series, frames, places),
        _images_in_acquisition(series, frames),
        _positions(series, places),
        _tomographic(series, frames),
        _concatenation(series),
        _decimated(series),
    ]
    told = next((count for count in counts if count is not None), None)
    if told is None:
        return
    source, expected, received, unit = told
    text = f"{received} of {expected} {unit} arrived ({source})"
    yield Finding(
        "series.incomplete",
        Status.WARN,
        text,
        series.subject(),
        {"expected": expected, "received": received, "unit": unit, "source": source},
    )


Told = tuple[str, int, int, str] | None


def _time_points(series: Series, frames: int, places: int) -> Told:
    """NumberOfTemporalPositions against the distinct identifiers."""
    told = series.first("NumberOfTemporalPositions")
    seen = {frame.get("TemporalPositionIdentifier") for frame in series.frames} - {None}
    if not isinstance(told, int) or told < 2 or not seen or len(seen) >= told:
        return None
    if len(seen) == 1 and max(len(seen), frames // max(places, 1)) >= told:
        return None  # the identifier is not used, the images are there
    images = f"time points ({frames} of {told * places} images)" if places else "time points"
    return f"NumberOfTemporalPositions {told}", told, len(seen), images


def _images_in_acquisition(series: Series, frames: int) -> Told:
    told = series.first("ImagesInAcquisition")
    if not isinstance(told, int) or frames >= told:
        return None
    return f"ImagesInAcquisition {told}", told, frames, "images"


def _positions(series: Series, places: int) -> Told:
    """Vendor counts of positions."""
    for keyword, name in (
        ("GELocationsInAcquisition", "GE locations in acquisition"),
        ("PhilipsNumberOfSlices", "Philips number of slices"),
    ):
        told = series.first(keyword)
        if isinstance(told, int) and 0 < places < told:
            return f"{name} {told}", told, places, "slice positions"
    return None


def _tomographic(series: Series, frames: int) -> Told:
    slices, times = series.first("NumberOfSlices"), series.first("NumberOfTimeSlices", 1)
    if not isinstance(slices, int) or not isinstance(times, int) or series.modality not in ("PT", "NM") or frames >= slices * times:
        return None
    return f"NumberOfSlices {slices} x NumberOfTimeSlices {times}", slices * times, frames, "slices"


def _concatenation(series: Series) -> Told:
    told = series.first("InConcatenationTotalNumber")
    parts = {instance.get("InConcatenationNumber") for instance in series.instances} - {None}
    if not isinstance(told, int) or len(parts) >= told:
        return None
    return f"InConcatenationTotalNumber {told}", told, len(parts), "parts of the concatenation"


def _decimated(series: Series) -> Told:
    """Slices a whole number of nominal spacings apart: every second (third ...) one may be missing.

    SpacingBetweenSlices is believed only where it cannot be the bare gap that some vendors write; without it, image numbers that
    run in equal steps together with slices as many thicknesses apart are as good a sign.
    """
    _, positions, orientations = geometry.placed(series.frames)
    if len(positions) < 4:
        return None
    stack = geometry.analyse(positions, orientations)
    spacing, thickness = stack.spacing_mm, series.first("SliceThickness")
    if spacing is None or len(stack.locations_mm) < 4 or stack.gaps:
        return None
    told = series.first("SpacingBetweenSlices")
    nominal = None
    if isinstance(told, float) and told > 0 and not (isinstance(thickness, float) and abs(told + thickness - spacing) <= 0.02 * spacing):
        nominal = told
    elif isinstance(thickness, float) and thickness > 0 and _number_step(series) == round(spacing / thickness):
        nominal = thickness
    if nominal is None or round(spacing / nominal) < 2 or abs(spacing / nominal - round(spacing / nominal)) > 0.02:
        return None
    every, count = round(spacing / nominal), len(stack.locations_mm)
    return f"slices {spacing:.3g} mm apart where {nominal:.3g} mm are nominal", (count - 1) * every + 1, count, "slice positions"


def _number_step(series: Series) -> int | None:
    """The step in which all image numbers run, None where they do not run evenly."""
    numbers = sorted({instance.number for instance in series.instances if instance.number is not None})
    steps = {after - before for before, after in pairwise(numbers)}
    return steps.pop() if len(steps) == 1 and len(numbers) == len(series.instances) else None
