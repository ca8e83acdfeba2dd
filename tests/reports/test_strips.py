"""Where along a stack something is missing: drawn where it is, said once, and never more than is known."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from datetime import date
from itertools import pairwise
from typing import Any

import pytest
from reports_made import finding, report, run, study, subject, uid

from reports import daily
from reports.store import Store
from reports.strips import WIDTH, strip

EVIL = "<script>&\"'"


def gap(location: float, step: float = 10.0, spacing: float = 5.0, between: Any = ("image 3", "image 4")) -> dict[str, Any]:
    return {"location_mm": location, "step_mm": step, "spacing_mm": spacing, "between": between, "missing": 1}


def drawn(details: Any, where: str = "") -> ET.Element:
    made = strip(details, where)
    assert made is not None
    return ET.fromstring(str(made))


def texts(root: ET.Element) -> list[str]:
    return ["".join(one.itertext()) for one in root.iter("text")]


def holes(root: ET.Element) -> list[tuple[float, float]]:
    """Left and right edge of each hole."""
    found = [one for one in root.iter("rect") if one.get("stroke-dasharray")]
    return [(float(one.get("x")), float(one.get("x")) + float(one.get("width"))) for one in found]


def millimetres(root: ET.Element) -> tuple[float, float]:
    """Origin and mm a pixel, read off the labels of the axis as a person would."""
    marks = [
        (float(one.text), float(one.get("x")))
        for one in root.iter("text")
        if re.fullmatch(r"-?[\d.]+", one.text or "") and one.get("fill") is None
    ]
    (first, x_first), (last, x_last) = marks[0], marks[-1]
    scale = (last - first) / (x_last - x_first)
    return first - x_first * scale, scale


@pytest.mark.parametrize("gaps", [[(-22.5, 15.0)], [(0.0, 10.0), (40.0, 20.0)], [(-603.5, 6.0), (-585.5, 6.0), (-540.0, 12.0)]])
def test_the_holes_lie_where_the_axis_says(gaps: list[tuple[float, float]]) -> None:
    root = drawn({"gaps": [gap(location, step) for location, step in reversed(gaps)]})
    origin, scale = millimetres(root)
    for (left, right), (location, step) in zip(holes(root), gaps, strict=True):
        assert origin + left * scale == pytest.approx(location, abs=0.01 * step + 2 * scale)
        assert origin + right * scale == pytest.approx(location + step, abs=0.01 * step + 2 * scale)


def test_nothing_is_drawn_that_is_not_known() -> None:
    root = drawn({"gaps": [gap(20.0)]})
    origin, scale = millimetres(root)
    (solid,) = [one for one in root.iter("rect") if not one.get("stroke-dasharray")]
    left = origin + float(solid.get("x")) * scale
    assert left == pytest.approx(15.0, abs=0.2), "the image beside the gap, one spacing wide"
    assert left + float(solid.get("width")) * scale == pytest.approx(35.0, abs=0.2)
    assert len(list(root.iter("line"))) >= 2, "beyond: dotted"


def test_both_images_are_named() -> None:
    assert "between image 3 and image 4" in texts(drawn({"gaps": [gap(0.0)]}))
    several = [gap(30.0 * n, between=(f"image {n}", f"image {n + 1}")) for n in range(4)]
    assert [text for text in texts(drawn({"gaps": several})) if "image" in text] == [f"image {n} & {n + 1}" for n in range(4)]


def test_labels_that_have_no_room_are_numbers_with_a_list() -> None:
    root = drawn(
        {"gaps": [gap(20.0 * n, between=("a rather long name of an image.dcm", "another one.dcm")) for n in range(8)], "places": 12}
    )
    caption = "".join(root.find("figcaption").itertext())
    assert "1: between a rather long name of an image.dcm and another one.dcm" in caption
    assert "and 3 more" in caption
    assert "4 more are not drawn" in caption
    assert {"1", "8"} <= set(texts(root))


@pytest.mark.parametrize("count", [1, 2, 7, 20])
def test_nothing_leaves_the_drawing_and_no_label_covers_another(count: int) -> None:
    root = drawn({"gaps": [gap(7.3 * n, 6.0, 3.0, (f"image {n}", f"image {n + 2}")) for n in range(count)]})
    labels = sorted((float(one.get("x")), len(one.text)) for one in root.iter("text") if one.get("font-weight"))
    assert labels
    for x, letters in labels:
        assert x - 3 * letters >= 0
        assert x + 3 * letters <= WIDTH
    for (x, letters), (other, more) in pairwise(labels):
        assert x + 3 * letters <= other - 3 * more
    for left, right in holes(root):
        assert 0 <= left < right <= WIDTH


@pytest.mark.parametrize(
    ("volumes", "lacking"), [(6, {6: 3}), (12, {2: 1, 3: 1}), (120, {7: 2, 90: 1, 91: 1}), (2, {1: 1}), (4000, {4000: 9})]
)
def test_repetitions(volumes: int, lacking: dict[int, int]) -> None:
    cells = [{"volume": number, "location_mm": 1.0} for number, count in lacking.items() for _ in range(count)]
    root = drawn({"volumes": volumes, "dimension": ["time point"], "missing": len(cells), "cells": cells})
    marked = holes(root)
    assert len(marked) == len(lacking)
    wide = min(WIDTH / volumes, 44.0)
    for (left, _), number in zip(marked, sorted(lacking), strict=True):
        assert left == pytest.approx((number - 1) * wide, abs=1.5)
        assert left <= WIDTH
    assert str(max(lacking)) in texts(root) or str(max(lacking) - 1) in texts(root)
    assert "repetition (time point)" in texts(root)
    assert root.find("figcaption") is None


def test_what_is_not_drawn_is_said() -> None:
    root = drawn({"volumes": 5, "missing": 30, "cells": [{"volume": 2}]}, "Series 3")
    assert "".join(root.find("figcaption").itertext()) == "Series 3Only 1 of the 30 missing images are drawn"


@pytest.mark.parametrize(
    "details",
    [
        None, {}, [], {"gaps": []}, {"gaps": None}, {"gaps": [{"location_mm": 1.0}]}, {"gaps": ["x"]}, {"gaps": [gap(float("nan"))]},
        {"gaps": [gap(0.0, 0.0)]}, {"gaps": [gap(0.0, 5.0, 0.0)]}, {"gaps": 3}, {"volumes": 3}, {"volumes": 1, "cells": [{"volume": 1}]},
        {"volumes": 10**9, "cells": [{"volume": 1}]}, {"volumes": 4, "cells": [{"location_mm": 2.0, "images": 3}]},
    ],
)  # fmt: skip
def test_details_that_say_nothing_are_not_drawn(details: Any) -> None:
    assert strip(details) is None


@pytest.mark.parametrize("between", [None, (), ("one",), (1, 2), (EVIL, EVIL)])
def test_names_may_lack_or_be_hostile(between: Any) -> None:
    made = strip({"gaps": [gap(0.0, between=between)], "places": "x"}, EVIL)
    assert "<script" not in str(made)
    ET.fromstring(str(made))


def test_it_stands_in_the_report(store: Store) -> None:
    results = [
        finding(
            subject(uid(1), series), details={"gaps": [gap(10.0 * series, between=(f"image {series}", f"image {series + 2}"))], "places": 1}
        )
        for series in (1, 2)
    ]
    run(store, report(study(uid(1), ("t1", "t2")), tuple(results)))
    page = daily.render(daily.gather(store, date(2026, 11, 25)))
    assert page.count('class="strip"') == 2
    assert "between image 1 and image 3" in page
    assert re.search(r'<figcaption><span class="legend">Series 2 t2</span></figcaption>', page)
