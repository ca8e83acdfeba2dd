"""Every kind of evidence is drawn, right, and with everything escaped."""

from __future__ import annotations

import base64
import io
import re
import xml.etree.ElementTree as ET
from typing import get_args

import numpy as np
import pytest
from PIL import Image
from reports_made import curve, picture

from qc.results import CurveEvidence, Evidence, ImageEvidence, Shape
from reports.figures import ROLES, figure, tick_text, ticks

EVIL = '<script>alert("x")</script>&\''
ONE_OF_EACH = {ImageEvidence: picture(), CurveEvidence: curve()}


def parsed(evidence: Evidence) -> ET.Element:
    """The figure as XML: what is not well-formed does not get through."""
    return ET.fromstring(str(figure(evidence)))


@pytest.mark.parametrize("kind", get_args(Evidence), ids=lambda kind: kind.__name__)
def test_every_kind_is_drawn(kind: type) -> None:
    root = parsed(ONE_OF_EACH[kind])
    assert root.tag == "figure"
    assert root.find("svg") is not None
    assert root.find("figcaption/b").text == ONE_OF_EACH[kind].title
    assert root.find(".//script") is None


def test_a_picture_is_in_the_page_and_keeps_its_pixels() -> None:
    evidence = picture(50, 70)
    href = parsed(evidence).find(".//image").get("href")
    assert href.startswith("data:image/png;base64,")
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(href.partition(",")[2])))), evidence.image)


@pytest.mark.parametrize("aspect", [1.0, 2.5, 0.4])
def test_the_aspect_ratio_is_kept_and_shapes_follow(aspect: float) -> None:
    evidence = ImageEvidence(
        "x", np.zeros((40, 100), np.uint8), (Shape("point", ((9.0, 19.0),)), Shape("circle", ((20, 30), (20, 40)))), aspect
    )
    svg = parsed(evidence).find("svg")
    _, _, width, height = (float(part) for part in svg.get("viewBox").split())
    assert (width, height) == (100, pytest.approx(40 * aspect))
    assert float(svg.get("width")) / float(svg.get("height")) == pytest.approx(100 / (40 * aspect), rel=0.01)
    cross = svg.find("path").get("d")
    x, y = (float(part) for part in re.search(r"M([\d.]+) ([\d.]+)V", cross).groups())
    assert x == pytest.approx(19.5)
    assert y < 9.5 * aspect < float(re.search(r"V([\d.]+)$", cross)[1])
    circle = svg.find("circle")
    assert (float(circle.get("cx")), float(circle.get("cy")), float(circle.get("r"))) == pytest.approx((30.5, 20.5 * aspect, 10), abs=0.01)


def test_a_role_is_told_by_more_than_its_colour() -> None:
    looks = list(ROLES.values())
    assert len({look[0] for look in looks}) == len({look[1] for look in looks}) == len({look[2] for look in looks}) == 4
    text = "".join(parsed(picture()).itertext())
    for _, _, letter, words in looks:
        assert f"{letter} = {words}" in text


def test_labels_do_not_cover_each_other() -> None:
    shapes = tuple(Shape("circle", ((50, 50), (50, 60 + n)), f"region {n}") for n in range(5))
    texts = parsed(ImageEvidence("x", np.zeros((100, 100), np.uint8), shapes)).findall(".//text")
    heights = sorted(float(text.get("y")) for text in texts)
    assert min(np.diff(heights)) >= 100 / 24 * 0.99


def test_curves_have_axes_ticks_labels_and_marks() -> None:
    svg = parsed(curve()).find("svg")
    words = [text.text for text in svg.iter("text")]
    for expected in ("position (mm)", "signal", "half <1>", "0", "15", "100"):
        assert expected in words
    lines = [path for path in svg.iter("path")]
    assert len({line.get("stroke") for line in lines}) == len({line.get("stroke-dasharray") for line in lines}) == 2
    first = [tuple(map(float, pair.split())) for pair in lines[0].get("d")[1:].split("L")]
    assert first[0][0] < first[-1][0]
    assert first[0][1] > first[-1][1], "a larger value stands higher"


def test_a_gap_in_a_curve_stays_a_gap() -> None:
    nan = float("nan")
    made = CurveEvidence("x", {"": ([0, 1, 2, 3, 4], [1.0, 2.0, nan, None, 3.0])}, "x", "y")
    assert len(list(parsed(made).find("svg").iter("path"))) == 2


@pytest.mark.parametrize(
    "made",
    [
        CurveEvidence("x", {}, "x", "y"),
        CurveEvidence("x", {"a": ([], [])}, "x", "y"),
        CurveEvidence("x", {"a": ([1.0], [5.0])}, "x", "y"),
        CurveEvidence("x", {"a": ([1.0, 2.0], [0.0, 0.0])}, "x", "y", {"m": 1e9}),
        ImageEvidence("x", np.zeros((1, 1), np.uint8), (Shape("circle", ((0, 0),)), Shape("polygon", ()))),
        ImageEvidence("x", np.zeros((3, 900), np.uint8), aspect=float("nan")),
    ],
)
def test_degenerate_evidence_is_drawn(made: Evidence) -> None:
    assert parsed(made).find("svg") is not None
    assert "nan" not in str(figure(made)).lower()


def test_everything_is_escaped() -> None:
    image = ImageEvidence(EVIL, np.zeros((9, 9), np.uint8), (Shape("point", ((1, 1),), EVIL),), 1.0, (0, 1), EVIL, EVIL)
    line = CurveEvidence(EVIL, {EVIL: ([0, 1], [0, 1]), "b": ([0, 1], [1, 0])}, EVIL, EVIL, {EVIL: 0.5}, EVIL)
    for made in (image, line):
        assert "<script" not in str(figure(made))
        assert EVIL in "".join(parsed(made).itertext())


@pytest.mark.parametrize("values", [[0.0003, 0.0011], [-5, 5], [1e6, 3e6], [7, 7], [0, 0], [], [99.99, 100.01], [-3e-9, 0]])
def test_ticks_span_the_values_and_differ(values: list[float]) -> None:
    made = ticks(values)
    assert 2 <= len(made) <= 12
    if values:
        assert made[0] <= min(values) + 1e-12
        assert made[-1] >= max(values) - 1e-12
    assert len({tick_text(one, made) for one in made}) == len(made)
