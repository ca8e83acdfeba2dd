"""Draw where along a stack something is missing: a strip for gaps between slices, a row of boxes for repetitions.

Only what a finding knows is drawn: the gaps, the images beside them, and what lies between. How far the stack goes on beyond is not
known here, and dotted.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from reports.figures import element, tick_text, ticks

WIDTH, BAR = 560, 24  # of the drawing; height of the bar
LETTER = 6.6  # width of a letter of a label
MOST = 5  # gaps said in words
MOST_VOLUMES = 5000  # repetitions that can be drawn
_HOLE = {"fill": "#fff", "stroke": "#8f1414", "stroke_width": 1.5, "stroke_dasharray": "4 2"}
_LABEL = {"font_size": 12, "font_weight": 600, "text_anchor": "middle", "fill": "#8f1414"}
_SMALL = {"font_size": 11, "text_anchor": "middle"}
_THERE = "#9fb0bf"


def strip(details: Any, where: str = "") -> Markup | None:
    """Return a figure of the gaps or incomplete repetitions that the details of a finding tell of; None where they tell of none.

    Parameters
    ----------
    details
        ``gaps``: a list of {location_mm, step_mm, spacing_mm, between}; or ``volumes`` with ``cells``: {volume}.
    where
        Series, for the caption; empty where that is said already.
    """
    if not isinstance(details, Mapping):
        return None
    gaps = [gap for gap in _dicts(details.get("gaps")) if all(_real(gap.get(name)) for name in ("location_mm", "step_mm", "spacing_mm"))]
    gaps = sorted((gap for gap in gaps if gap["step_mm"] > 0 and gap["spacing_mm"] > 0), key=lambda gap: gap["location_mm"])
    if gaps:
        places = details.get("places")
        drawing, lines = _gaps(gaps)
        more = max(places if isinstance(places, int) else 0, len(gaps)) - len(gaps)
        return _figure(drawing, lines + ([f"{more} more are not drawn"] if more else []), where)
    volumes, cells = details.get("volumes"), [cell for cell in _dicts(details.get("cells")) if isinstance(cell.get("volume"), int)]
    if isinstance(volumes, int) and 1 < volumes <= MOST_VOLUMES and cells:
        lacking = Counter(cell["volume"] for cell in cells)
        kind = " x ".join(str(one) for one in details.get("dimension") or ())
        missing = details.get("missing")
        some = isinstance(missing, int) and missing > sum(lacking.values())
        lines = [f"Only {sum(lacking.values())} of the {missing} missing images are drawn"] if some else []
        return _figure(_boxes(volumes, lacking, kind), lines, where)
    return None


def _figure(drawing: Markup, lines: Sequence[str], where: str) -> Markup:
    words = Markup("").join(element("span", line, class_="legend") for line in ([where] if where else []) + list(lines))
    return element("figure", drawing, *([element("figcaption", words)] if words else []), class_="strip")


def _svg(height: int, label: str, parts: Sequence[Markup]) -> Markup:
    box = f"0 0 {WIDTH} {height}"
    return element("svg", *parts, class_="chart", viewBox=box, width=WIDTH, height=height, role="img", aria_label=label)


# -- gaps -------------------------------------------------------------------------------------------------------


def _gaps(gaps: Sequence[Mapping[str, Any]]) -> tuple[Markup, list[str]]:
    """Draw the stack as a bar with holes where slices are not one spacing apart; return it with the words that had no room in it."""
    low, high = gaps[0]["location_mm"], max(gap["location_mm"] + gap["step_mm"] for gap in gaps)
    beside = max(gap["spacing_mm"] for gap in gaps)
    margin = max(0.25 * (high - low), 3 * beside)
    start, scale = low - margin, WIDTH / (high - low + 2 * margin)
    top = 20

    def place(mm: float) -> float:
        return (mm - start) * scale

    dots = {
        "y1": top + BAR / 2,
        "y2": top + BAR / 2,
        "stroke": "#6b7885",
        "stroke_width": 3,
        "stroke_linecap": "round",
        "stroke_dasharray": "0.1 9",
    }
    left, right = place(low - beside), place(high + beside)
    parts = [
        element("line", x1=4, x2=left - 6, **dots),
        element("rect", x=left, y=top, width=right - left, height=BAR, fill=_THERE),
        element("line", x1=right + 9, x2=WIDTH - 4, **dots),
    ]
    for gap in gaps:
        x, wide = place(gap["location_mm"]), max(gap["step_mm"] * scale, 4.0)
        parts.append(element("rect", x=x, y=top, width=wide, height=BAR, **_HOLE))
    labels, lines = _labels([place(gap["location_mm"] + gap["step_mm"] / 2) for gap in gaps], [_pair(gap) for gap in gaps])
    parts += [element("text", text, x=x, y=top - 7, **_LABEL) for x, text in labels]
    axis = ticks([start, start + WIDTH / scale], 6)
    for value in axis:
        if 14 <= place(value) <= WIDTH - 14:
            parts.append(element("line", x1=place(value), x2=place(value), y1=top + BAR, y2=top + BAR + 5, stroke="#444"))
            parts.append(element("text", tick_text(value, axis), x=place(value), y=top + BAR + 17, **_SMALL))
    parts.append(element("text", "position along the stack (mm)", x=WIDTH / 2, y=top + BAR + 31, fill="#4d5762", **_SMALL))
    return _svg(top + BAR + 36, "Where along the stack the gaps are", parts), lines


def _labels(middles: Sequence[float], pairs: Sequence[tuple[str, str] | None]) -> tuple[list[tuple[float, str]], list[str]]:
    """Return what stands above the holes: between which images each lies, or, where that has no room, numbers explained in lines."""
    long = [f"between {pair[0]} and {pair[1]}" if pair else "" for pair in pairs]
    for texts in (long, [_short(pair) for pair in pairs]):
        halves = [LETTER * len(text) / 2 for text in texts]
        at = [min(max(x, half), WIDTH - half) for x, half in zip(middles, halves, strict=True)]
        if max(halves) * 2 <= WIDTH and all(at[n] + halves[n] + 8 <= at[n + 1] - halves[n + 1] for n in range(len(at) - 1)):
            return [(x, text) for x, text in zip(at, texts, strict=True) if text], []
    labels: list[tuple[float, str]] = []
    for number, x in enumerate(middles, start=1):
        if not labels or x - labels[-1][0] >= 16:
            labels.append((x, str(number)))
    lines = [f"{number}: {text}" for number, text in enumerate(long[:MOST], start=1) if text]
    return labels, lines + ([f"and {len(long) - MOST} more"] if len(long) > MOST else [])


def _pair(gap: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the names of the images on either side of a gap; which is on which side is not known here."""
    names = gap.get("between")
    return (str(names[0]), str(names[1])) if isinstance(names, (list, tuple)) and len(names) == 2 else None


def _short(pair: tuple[str, str] | None) -> str:
    """Return two names in short: "image 6 & 8"."""
    if pair is None:
        return ""
    (one, _, number), (other, _, second) = (name.rpartition(" ") for name in pair)
    return f"{one} {number} & {second}" if one and one == other else " & ".join(pair)


# -- repetitions ------------------------------------------------------------------------------------------------


def _boxes(volumes: int, lacking: Mapping[int, int], kind: str) -> Markup:
    """Draw the repetitions in a row; those that lack images are hollow and say how many."""
    wide = min(WIDTH / volumes, 44.0)
    apart = wide >= 20  # else too many to stand apart: one bar with marks
    parts = [] if apart else [element("rect", x=0.0, y=4, width=WIDTH, height=BAR, fill=_THERE)]
    last = -99.0
    for number in range(1, volumes + 1):
        x, hollow = (number - 1) * wide, number in lacking
        if apart or hollow:
            box = {"x": x + 1, "width": wide - 2} if apart else {"x": x, "width": max(wide, 3.0)}
            parts.append(element("rect", y=4, height=BAR, **box, **(_HOLE if hollow else {"fill": _THERE})))
        if apart and hollow:
            parts.append(element("text", f"-{lacking[number]}", x=x + wide / 2, y=4 + BAR / 2 + 5, **_LABEL))
        at = min(max(x + wide / 2, 10.0), WIDTH - 10.0)
        wanted = apart or hollow or number in (1, volumes)
        if wanted and at - last >= 20 and (apart or number == volumes or at <= WIDTH - 30):
            last = at
            parts.append(element("text", str(number), x=at, y=BAR + 18, **_SMALL))
    text = f"repetition ({kind})" if kind else "repetition"
    parts.append(element("text", text, x=1, y=BAR + 33, font_size=11, fill="#4d5762"))
    return _svg(BAR + 38, "Which repetitions are incomplete", parts)


def _dicts(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, (list, tuple)) else []


def _real(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
