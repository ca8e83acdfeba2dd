"""Words for steps along the normal that are no single spacing: zones planned on purpose, missing slices, irregular steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import median
from typing import Any

from qc import geometry
from qc.results import Finding, Result, Status
from qc.study import Frame, Series

MOST_NAMED = 20  # gaps spelt out in the details of one finding
Step = tuple[geometry.Gap, float]  # a gap and the spacing around it


def nominal_mm(frames: Sequence[Frame]) -> float | None:
    """Slice distance by the header: SpacingBetweenSlices, else SliceThickness."""
    for keyword in ("SpacingBetweenSlices", "SliceThickness"):
        value = frames[0].get(keyword)
        if isinstance(value, (int, float)) and value:
            return abs(float(value))
    return None


def gaps(series: Series, frames: Sequence[Frame], stack: geometry.Stack, zone_slices: int) -> Iterator[Result]:
    """Missing and irregular steps, zone by zone."""
    zones = _zones(frames, stack, zone_slices)
    found: list[Step] = []
    spacings: list[float] = []
    for zone in zones:
        nominal = nominal_mm([frames[stack.members[zone.start][0]]])
        spacing, inside = geometry.find_gaps(stack.locations_mm[zone.start : zone.stop], nominal, stack.rounding_mm)
        spacings.append(spacing or 0.0)
        found += [(replace(gap, lower=gap.lower + zone.start, upper=gap.upper + zone.start), spacing or 0.0) for gap in inside]
    for number, zone in enumerate(zones[1:], start=1):
        found += _junction(stack, zone.start, max(spacings[number - 1 : number + 1]))
    if len(zones) > 1:
        text = ", then ".join(f"{len(zone)} slices {spacing:.3f} mm apart" for zone, spacing in zip(zones, spacings, strict=True))
        details = {"zones": [{"slices": len(zone), "spacing_mm": spacing} for zone, spacing in zip(zones, spacings, strict=True)]}
        yield Finding("slices.multi_zone", Status.INFO, f"slice distance changes on purpose: {text}", series.subject(), details)
    missing = [step for step in found if step[0].missing]
    irregular = [step for step in found if not step[0].missing]
    if missing:
        yield _missing(series, frames, stack, missing)
    if irregular:
        yield _irregular(series, frames, stack, irregular)


def _zones(frames: Sequence[Frame], stack: geometry.Stack, zone_slices: int) -> list[range]:
    """Split the locations where the header says that the plan changes for good; one range where it does not.

    The plan is thickness and nominal distance, else the acquisition. The distance must change with it: two acquisitions with
    the same distance are one zone, and a distance that changes by itself is no plan. A value that is no number ("2.5 mm") still
    tells where it changes.
    """
    for keywords in (("SliceThickness", "SpacingBetweenSlices"), ("AcquisitionNumber",)):
        signs = [tuple(_sign(frames[members[0]], name) for name in keywords) for members in stack.members]
        starts = [0] + [at for at in range(1, len(signs)) if signs[at] != signs[at - 1]]
        zones = [range(start, stop) for start, stop in zip(starts, [*starts[1:], len(signs)], strict=True)]
        if len(zones) < 2 or any(len(zone) < zone_slices for zone in zones):
            continue
        spacings = [geometry.find_gaps(stack.locations_mm[zone.start : zone.stop])[0] or 0.0 for zone in zones]
        if max(spacings) - min(spacings) > float(geometry.tolerance_mm(1.0, min(spacings), stack.rounding_mm)):
            return zones
    return [range(len(stack.locations_mm))]


def _sign(frame: Frame, keyword: str) -> Any:
    """A header value, else the text that could not be read as one."""
    value = frame.get(keyword)
    if value is not None:
        return value
    return next((problem.text for problem in frame.instance.problems if problem.keyword == keyword), None)


def _junction(stack: geometry.Stack, upper: int, spacing: float) -> list[Step]:
    """The step from one zone to the next may be anything up to the larger spacing."""
    step = float(stack.locations_mm[upper] - stack.locations_mm[upper - 1])
    if step <= spacing + float(geometry.tolerance_mm(1.0, spacing, stack.rounding_mm)):
        return []
    count = round(step / spacing)
    whole = abs(step - count * spacing) <= float(geometry.tolerance_mm(float(count), spacing, stack.rounding_mm))
    return [(geometry.Gap(upper - 1, upper, step, step / spacing, count - 1 if whole else 0), spacing)]


# -- image numbers as a second witness --------------------------------------------------------------------------------


def _neighbours(frames: Sequence[Frame], stack: geometry.Stack, gap: geometry.Gap) -> tuple[Frame, Frame]:
    """The images on either side of a gap, in order of their numbers."""
    pair = (frames[stack.members[gap.lower][0]], frames[stack.members[gap.upper][0]])
    numbers = [frame.instance.number if frame.number is None else frame.number for frame in pair]
    return (pair[1], pair[0]) if None not in numbers and numbers[0] > numbers[1] else pair  # type: ignore[operator]


def number_step(one: Frame, other: Frame) -> int | None:
    """How far the numbers of two images are apart: in-stack position, else frame number, else InstanceNumber."""
    if one.instance is other.instance:
        places = one.get("InStackPositionNumber"), other.get("InStackPositionNumber")
        if isinstance(places[0], int) and isinstance(places[1], int):
            return abs(places[0] - places[1])
        return abs(one.index - other.index)
    first, second = one.instance.number, other.instance.number
    return None if first is None or second is None else abs(first - second)


def _stride(frames: Sequence[Frame], stack: geometry.Stack) -> int:
    """By how much the numbers of neighbouring positions usually differ: 1, or the count of images at each."""
    firsts = [frames[members[0]] for members in stack.members]
    steps = [number_step(one, other) for one, other in pairwise(firsts)]
    known = [step for step in steps if step]
    return round(median(known)) if known else 1


def _missing(series: Series, frames: Sequence[Frame], stack: geometry.Stack, steps: list[Step]) -> Finding:
    count = sum(gap.missing for gap, _ in steps)
    stride = _stride(frames, stack)
    described: list[dict[str, Any]] = []
    high = True
    for gap, spacing in steps:
        lower, upper = _neighbours(frames, stack, gap)
        high = high and number_step(lower, upper) == (gap.missing + 1) * stride
        described.append({
            "between": [lower.label, upper.label],
            "instances": [lower.instance.uid, upper.instance.uid],
            "missing": gap.missing,
            "step_mm": gap.step_mm,
            "spacing_mm": spacing,
            "location_mm": float(stack.locations_mm[gap.lower]),
        })  # fmt: skip
    places = "; ".join(
        f"{one['missing']} between {one['between'][0]} and {one['between'][1]} ({one['step_mm']:.2f} mm instead of {one['spacing_mm']:.2f} mm)"
        for one in described[:3]
    )
    more = f"; and in {len(described) - 3} more places" if len(described) > 3 else ""
    repeated = f" at each of {len(stack.members[0])} repetitions" if len(stack.members[0]) > 1 else ""
    text = f"{count} slice{'s' if count > 1 else ''} missing{repeated}: {places}{more}"
    details = {"count": count, "gaps": described[:MOST_NAMED], "places": len(described), "confidence": "high" if high else "low"}
    return Finding("slices.missing", Status.FAIL, text, series.subject(), details)


def _irregular(series: Series, frames: Sequence[Frame], stack: geometry.Stack, steps: list[Step]) -> Finding:
    described: list[dict[str, Any]] = []
    for gap, spacing in steps:
        lower, upper = _neighbours(frames, stack, gap)
        described.append({
            "between": [lower.label, upper.label],
            "step_mm": gap.step_mm,
            "steps": gap.steps,
            "spacing_mm": spacing,
            "uncovered_mm": max(0.0, gap.step_mm - spacing),
            "location_mm": float(stack.locations_mm[gap.lower]),
        })  # fmt: skip
    first = described[0]
    text = (
        f"{len(steps)} irregular step{'s' if len(steps) > 1 else ''}: between {first['between'][0]} and {first['between'][1]} "
        f"{first['step_mm']:.3f} mm, that is {first['steps']:.2f} spacings of {first['spacing_mm']:.3f} mm"
    )
    if first["uncovered_mm"] > 0:
        text += f"; {first['uncovered_mm']:.2f} mm are not covered"
    return Finding("slices.irregular", Status.FAIL, text, series.subject(), {"count": len(steps), "gaps": described[:MOST_NAMED]})
