"""First classify, then check: what kind of series this is decides which rules hold.

Classes: ``image`` (a stack of slices or plain images), ``localizer``, ``derived``, ``stack_4d`` (repeated positions),
``mosaic``, ``cine`` (multi-frame without positions), ``screenshot``, ``not_image`` (structured reports, RT objects,
segmentations ...), ``phantom:NAME`` (told from the pixels by a recogniser).
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points

from qc.errors import ConfigurationError, NotEvaluable
from qc.geometry import orthogonal_groups
from qc.pixels import PixelAccess
from qc.study import Frame, Instance, Series

GROUP = "pacsqc.recognisers"
CLASSES = ("image", "localizer", "derived", "stack_4d", "mosaic", "cine", "screenshot", "not_image")
NOT_IMAGES = frozenset({
    "SR", "PR", "KO", "RTSTRUCT", "RTPLAN", "RTRECORD", "RTDOSE", "SEG", "REG", "RWV", "DOC", "PLAN", "ECG", "HD", "AU", "FID", "SMR", "TEXTUREMAP",
})  # fmt: skip
SCREENSHOTS = "1.2.840.10008.5.1.4.1.1.7"
_LOCALIZER = re.compile(r"\b(loc|localizer|localiser|scout|survey|topogram|scanogram|surview|aahead_scout|3[- ]?plane)\b", re.IGNORECASE)

Recogniser = Callable[[Series, PixelAccess], str | None]


def kinds_of(item: Frame | Instance) -> tuple[str, ...]:
    """Return ImageType of one image as upper case parts."""
    value = item.get("ImageType", ())
    return tuple(str(part).upper() for part in (value if isinstance(value, tuple) else (value,)))


def is_localizer(series: Series) -> bool:
    """A localizer is one by ImageType, by name or protocol, or by three orthogonal orientation groups."""
    scouts = sum("LOCALIZER" in kinds_of(instance) for instance in series.instances)
    if 2 * scouts > len(series.instances):  # fewer are a scout that lies in the series of the slices
        return True
    names = " ".join(str(series.first(keyword, "")) for keyword in ("SeriesDescription", "ProtocolName"))
    if _LOCALIZER.search(names.replace("_", " ")):
        return True
    return orthogonal_groups(series.frames)


def classify(series: Series) -> str:
    """Return the class of a series from its headers."""
    if series.modality in NOT_IMAGES or not any(instance.get("Rows") and instance.get("Columns") for instance in series.instances):
        return "not_image"
    classes = series.values("SOPClassUID")
    if any(str(uid).startswith(SCREENSHOTS) for uid in classes) and not any("ImagePositionPatient" in one.tags for one in series.instances):
        return "screenshot"
    if is_localizer(series):
        return "localizer"
    if any(frame.tile is not None for frame in series.frames):
        return "mosaic"
    if len(series.frames) > 1 and any(len(one.frames) > 1 for one in series.instances) and series.frames[0].position is None:
        return "cine"
    if 2 * sum(kinds_of(instance)[:1] == ("DERIVED",) for instance in series.instances) >= len(series.instances):
        return "derived"
    positions = [frame.position for frame in series.frames if frame.position is not None]
    if len(set(positions)) * 2 <= len(positions) and len(set(positions)) > 1:
        return "stack_4d"
    return "image"


@cache
def load_recognisers() -> tuple[Recogniser, ...]:
    """Import the recognisers of phantoms: functions ``(series, pixels) -> class or None``, entry points ``module:function``."""
    found, problems = [], []
    for entry in sorted(entry_points(group=GROUP), key=lambda one: one.name):
        module, _, name = entry.value.partition(":")
        try:
            found.append(getattr(importlib.import_module(module), name))
        except (ImportError, AttributeError) as error:
            problems.append(f"recogniser {entry.name!r} ({entry.value}) cannot be imported: {error}")
    if problems:
        raise ConfigurationError(problems)
    return tuple(found)


def recognise(series: Series, recognisers: tuple[Recogniser, ...], pixels: PixelAccess) -> str | None:
    """Ask each recogniser in turn; the first that knows the series names its class."""
    for recogniser in recognisers:
        try:
            klass = recogniser(series, pixels)
        except NotEvaluable:
            continue  # the pixels cannot be had; the pixel checks say why
        if klass:
            return klass
    return None
