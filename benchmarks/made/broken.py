"""Faults for the stacks of `made.stacks`: each breaks one thing and says what must be found."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from made.stacks import Made, Row, indexed, number, numbered, plan, repeated, stack, tilted, two_zones
from numpy.random import Generator


def _without(rows: list[Row], places: list[int]) -> list[Row]:
    gone = set(places)
    return [row for place, row in enumerate(rows) if place not in gone]


def _renumber(rng: Generator, rows: list[Row]) -> list[Row]:
    """Half of the archives number again what is left."""
    return number(rows) if rng.random() < 0.5 else rows


def _interior(rng: Generator, count: int, most: int = 3) -> list[int]:
    """One to three places inside a stack, never so many that the median step is a gap."""
    lost = int(rng.integers(1, most, endpoint=True))
    return sorted(int(place) for place in rng.choice(np.arange(1, count - 1), lost, replace=False))


def lost_slices(rng: Generator) -> Made:
    """One to three slices lost inside a plain stack."""
    at, rows = stack(rng)
    lost = _interior(rng, len(rows))
    note = "below 0.2 mm with 2 decimals" if at.spacing < 0.2 and at.decimals == 2 else ""
    return Made(_renumber(rng, _without(rows, lost)), {"slices.missing": "fail"}, len(lost), note=note)


def lost_in_tilted(rng: Generator) -> Made:
    """Slices lost in a stack with a tilted gantry."""
    made = tilted(rng)
    lost = _interior(rng, len(made.rows))
    return Made(_renumber(rng, _without(made.rows, lost)), {"slices.missing": "fail"}, len(lost))


def lost_in_zone(rng: Generator) -> Made:
    """A slice lost inside one of two zones (never where the zones meet)."""
    made = two_zones(rng)
    thick = [row["SliceThickness"] for row in made.rows]
    inside = [place for place in range(2, len(thick) - 2) if len(set(thick[place - 2 : place + 3])) == 1]
    lost = int(rng.choice(inside))
    return Made(_renumber(rng, _without(made.rows, [lost])), {"slices.missing": "fail", "slices.multi_zone": "info"}, 1)


def lost_in_enhanced(rng: Generator) -> Made:
    """A frame lost inside an enhanced object of one volume."""
    at = plan(rng, (12, 120))
    rows = indexed([stack(rng, "MR", at)[1]])
    lost = _interior(rng, len(rows))
    rows = _without(rows, lost)
    return Made(rows, {"slices.missing": "fail"}, len(lost), objects=len(rows))


def fractional_gap(rng: Generator) -> Made:
    """The table moved by a part of a slice: every slice behind it is off by 0.3 to 0.7 of a spacing (more than 0.1 mm)."""
    at = plan(rng, spacing=(0.4, 10))
    made = stack(rng, at=at)[1]
    place, part = int(rng.integers(4, at.count - 4)), float(rng.uniform(0.35, 0.65))
    ordered = made if np.dot(np.subtract(made[-1]["ImagePositionPatient"], made[0]["ImagePositionPatient"]), at.axes[2]) > 0 else made[::-1]
    for index, row in enumerate(ordered):
        row["ImagePositionPatient"] = at.position((index + (part if index >= place else 0.0)) * at.spacing)
    return Made(made, {"slices.irregular": "fail"})


def doubled_slice(rng: Generator) -> Made:
    """An image sent twice under a new UID and number."""
    _, rows = stack(rng)
    rows.append(dict(rows[int(rng.integers(len(rows)))]))
    return Made(number(rows), {"slices.duplicate": "warn"})


def moved_sideways(rng: Generator) -> Made:
    """From one slice on the patient lies 1 to 20 mm to the side."""
    at, rows = stack(rng)
    place, aside = int(rng.integers(3, len(rows) - 3)), float(rng.uniform(1, 20)) * at.axes[0]
    for row in rows[place:]:
        row["ImagePositionPatient"] = tuple(np.round(np.add(row["ImagePositionPatient"], aside), at.decimals).tolist())
    return Made(rows, {"slices.not_aligned": "warn"})


def second_orientation(rng: Generator) -> Made:
    """A third of the slices or more are turned by 10 to 80 degrees."""
    at, rows = stack(rng, at=plan(rng, (12, 150)))
    angle = np.radians(rng.uniform(10, 80))
    turn = np.cos(angle) * at.axes[0] + np.sin(angle) * at.axes[2]
    for row in rows[2 * len(rows) // 3 :]:
        row["ImageOrientationPatient"] = tuple(np.round(np.concatenate([turn, at.axes[1]]), 6).tolist())
    other = len(rows) - 2 * len(rows) // 3
    expect = {"series.mixed_orientation": "warn"}
    return Made(rows, expect, note="others ignored" if other else "")


def embedded_scout(rng: Generator) -> Made:
    """One or two scouts in front of the slices."""
    at, rows = stack(rng, at=plan(rng, (12, 150)))
    across = tuple(np.round(np.concatenate([at.axes[0], at.axes[2]]), 6).tolist())
    scouts = [dict(rows[0], ImageOrientationPatient=across, ImagePositionPatient=at.position(0.0)) for _ in range(int(rng.integers(1, 3)))]
    for index, scout in enumerate(scouts):
        scout["ImagePositionPatient"] = at.position(0.0, (0.0, 7.0 * index))
        if rng.random() < 0.5:
            scout["ImageType"] = ("ORIGINAL", "PRIMARY", "LOCALIZER")
    return Made(number(scouts + rows), {"series.embedded_localizer": "warn"})


def tilt_contradicted(rng: Generator) -> Made:
    """GantryDetectorTilt is 0 or another angle than the shear of the positions."""
    made = tilted(rng)
    told = made.rows[0]["GantryDetectorTilt"]
    wrong = 0.0 if rng.random() < 0.5 and abs(told) > 1 else abs(told) + float(rng.uniform(1, 10))
    for row in made.rows:
        row["GantryDetectorTilt"] = round(wrong, 2)
    return Made(made.rows, {"geometry.tilt_differs": "warn"})


# -- counts -----------------------------------------------------------------------------------------------------------


def tail_counted(rng: Generator) -> Made:
    """The last slices did not arrive; ImagesInAcquisition, the GE or the Philips count says how many there were."""
    _, rows = stack(rng, "MR")
    keyword = str(rng.choice(["ImagesInAcquisition", "GELocationsInAcquisition", "PhilipsNumberOfSlices"]))
    for row in rows:
        row[keyword] = len(rows)
    lost = int(rng.integers(1, 6))
    return Made(rows[:-lost], {"series.incomplete": "warn"}, lost)


def pet_short(rng: Generator) -> Made:
    """The tail of a static PET series did not arrive, NumberOfSlices counts it."""
    _, rows = stack(rng, "PT")
    for place, row in enumerate(rows):
        row.update(NumberOfSlices=len(rows), ImageIndex=place + 1)
    lost = int(rng.integers(1, 6))
    return Made(rows[:-lost], {"series.incomplete": "warn"}, lost)


def decimated_counted(rng: Generator) -> Made:
    """Every second or third slice only; SpacingBetweenSlices still gives the planned distance."""
    at, rows = stack(rng, at=plan(rng, (30, 400)))
    for row in rows:
        row.update(SpacingBetweenSlices=round(at.spacing, 6), SliceThickness=round(0.8 * at.spacing, 6))
    return Made(_renumber(rng, rows[:: int(rng.integers(2, 4))]), {"series.incomplete": "warn"})


def lost_time_points(rng: Generator) -> Made:
    """Whole time points did not arrive, NumberOfTemporalPositions counts them."""
    _, _, volumes = repeated(rng, "time point", least=3)
    for row in (row for rows in volumes for row in rows):
        row["NumberOfTemporalPositions"] = len(volumes)
    rows = numbered(rng, volumes)
    lost = int(rng.integers(len(volumes))) + 1
    return Made([row for row in rows if row["TemporalPositionIdentifier"] != lost], {"series.incomplete": "warn"}, 1)


def lost_part(rng: Generator) -> Made:
    """One part of a concatenation did not arrive."""
    _, rows = stack(rng, "MR", plan(rng, (24, 120)))
    size = len(rows) // 4
    parts = -(-len(rows) // size)
    for place, row in enumerate(rows):
        part = place // size
        row.update(ConcatenationUID="1.2.9", InConcatenationNumber=part + 1, InConcatenationTotalNumber=parts)
        row.update(ConcatenationFrameOffsetNumber=part * size, SOPInstanceUID=f"1.2.3.4.{part + 1}", InstanceNumber=part + 1)
    lost = int(rng.integers(parts - 1))
    rest = rows[: lost * size] + rows[(lost + 1) * size :]
    expect = {"series.incomplete": "warn"} | ({"slices.missing": "fail"} if lost > 0 else {})
    return Made(rest, expect, size if lost > 0 else None, objects=size)


def lost_mosaic(rng: Generator) -> Made:
    """A volume of a mosaic series is missing."""
    count = int(rng.integers(20, 200))
    at = plan(rng, (1, 1))
    rows = []
    for volume in range(count):
        base = {
            "Modality": "MR",
            "ImageType": ("ORIGINAL", "PRIMARY", "M", "MOSAIC"),
            "SiemensMosaicImages": 9,
            "Rows": 192,
            "Columns": 192,
        }
        tags = dict(base, StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.3.4", SliceThickness=3.0, PixelSpacing=(3.0, 3.0))
        rows.append(dict(tags, ImageOrientationPatient=at.orientation, ImagePositionPatient=at.position(0.0), AcquisitionNumber=volume + 1))
    rows = number(rows)
    return Made(_without(rows, [int(rng.integers(1, count - 1))]), {"series.incomplete": "warn"}, 1, note="mosaic")


# -- repetitions --------------------------------------------------------------------------------------------------------


def _drop(volumes: list[list[Row]], cells: set[tuple[int, int]], rows: list[Row]) -> list[Row]:
    gone = {id(volumes[volume][place]) for volume, place in cells}
    return [row for row in rows if id(row) not in gone]


def lost_image(rng: Generator) -> Made:
    """One image of one volume, anywhere but in the last volume."""
    dimension, at, volumes = repeated(rng, least=3)
    rows = numbered(rng, volumes)
    cell = (int(rng.integers(len(volumes) - 1)), int(rng.integers(at.count)))
    expect = {"stack.incomplete": "fail"} | ({"series.incomplete": "warn"} if "PET" in dimension else {})
    return Made(_drop(volumes, {cell}, rows), expect, 1, note=dimension)


def lost_location(rng: Generator) -> Made:
    """One location in all volumes."""
    dimension, at, volumes = repeated(rng)
    rows = numbered(rng, volumes)
    place = int(rng.integers(2, at.count - 2))
    expect = {"slices.missing": "fail"} | ({"series.incomplete": "warn"} if "PET" in dimension else {})
    return Made(_drop(volumes, {(volume, place) for volume in range(len(volumes))}, rows), expect, 1, note=dimension)


def lost_both(rng: Generator) -> Made:
    """One location in all volumes, and an image of one volume."""
    dimension, at, volumes = repeated(rng, least=3)
    rows = numbered(rng, volumes)
    place = int(rng.integers(2, at.count - 2))
    other = int(rng.choice([one for one in range(at.count) if one != place]))
    cells = {(volume, place) for volume in range(len(volumes))} | {(int(rng.integers(len(volumes) - 1)), other)}
    expect = {"slices.missing": "fail", "stack.incomplete": "fail"} | ({"series.incomplete": "warn"} if "PET" in dimension else {})
    return Made(_drop(volumes, cells, rows), expect, 1, note=dimension)


def stopped(rng: Generator) -> Made:
    """The scan was stopped during its last volume."""
    dimension, at, volumes = repeated(
        rng, str(rng.choice(["time point", "volume time", "b-value x direction", "Siemens b-value", "image number"])), 3
    )
    rows = numbered(rng, volumes, by_slice=False)
    kept = int(rng.integers(1, at.count))
    cells = {(len(volumes) - 1, place) for place in range(kept, at.count)}
    return Made(_drop(volumes, cells, rows), {"stack.last_volume_incomplete": "warn"}, at.count - kept, note=dimension)


def doubled_in_volume(rng: Generator) -> Made:
    """An image of a 4-D series sent twice under a new UID and number."""
    dimension, _, volumes = repeated(rng, str(rng.choice(["time point", "volume time", "echo x type", "GE b-value", "kernel"])))
    rows = numbered(rng, volumes)
    rows.append(dict(rows[int(rng.integers(len(rows)))]))
    return Made(number(rows), {"slices.duplicate": "warn"}, note=dimension)


FAULTS: dict[str, Callable[[Generator], Made]] = {
    function.__name__: function
    for function in (
        lost_slices, lost_in_tilted, lost_in_zone, lost_in_enhanced, fractional_gap, doubled_slice, moved_sideways, second_orientation,
        embedded_scout, tilt_contradicted, tail_counted, pet_short, decimated_counted, lost_time_points, lost_part, lost_mosaic, lost_image,
        lost_location, lost_both, stopped, doubled_in_volume,
    )
}  # fmt: skip


def tail_uncounted(rng: Generator) -> Made:
    """The last slices are gone and nothing counts them."""
    return Made(stack(rng)[1][: -int(rng.integers(1, 6))])


def decimated_uncounted(rng: Generator) -> Made:
    """Every second slice is gone, what is left is numbered again, and no header tells the distance."""
    rows = stack(rng)[1][::2]
    for row in rows:
        row.pop("SliceThickness")
    return Made(number(rows))


INVISIBLE: dict[str, Callable[[Generator], Made]] = {"tail_uncounted": tail_uncounted, "decimated_uncounted": decimated_uncounted}
