"""The collimated field of radiographs against borders that were drawn, in the picture and in the header."""

import numpy as np
import pytest

from phantoms.synthetic.catalogue import make
from phantoms.synthetic.encode import write
from phantoms.synthetic.shapes import Grid, box, ellipse, polygon
from qc.measure.collimation import field
from qc.results import Status

BORDER = (30.0, 20.0, 45.0, 25.0)  # left, top, right, bottom
OPEN = dict.fromkeys(("left", "top", "right", "bottom"), 0.0)


def values(report):
    return {one.measurement.region: one.measurement for one in report.measurements}


@pytest.fixture
def looked(tmp_path, check):
    """The report of the check on a chest made with these options."""

    def look(**options):
        study = make("dx_chest", **options)
        write(study.datasets, tmp_path / "study")
        return study.truth, check(tmp_path / "study", only=("dx.collimation",))

    return look


@pytest.mark.parametrize("matrix", [256, 512, 1000])
@pytest.mark.parametrize("kind", [{}, {"monochrome1": True}, {"masked": True}, {"masked": True, "monochrome1": True}, {"noise": 60.0}])
@pytest.mark.parametrize("border", [BORDER, (30.0, 0.0, 45.0, 0.0), (90.0, 8.0, 90.0, 110.0), (0.0, 0.0, 0.0, 40.0)])
def test_the_border_that_was_drawn(matrix, kind, border):
    study = make("dx_chest", matrix=matrix, collimated_mm=border, **kind)
    found = field(study.datasets[0].pixel_array, white_is_high="monochrome1" not in kind)
    in_mm = {side: inset * 360 / matrix for side, inset in found.insets.items()}
    assert in_mm == pytest.approx({side: width for side, width in zip(OPEN, border, strict=True) if width}, abs=2.0)
    assert found.percent == pytest.approx(study.truth["collimated_percent"], abs=1.0)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("matrix", [256, 700])
@pytest.mark.parametrize("monochrome1", [False, True])
def test_an_open_chest_has_no_edges(seed, matrix, monochrome1):
    image = make("dx_chest", seed=seed, matrix=matrix, monochrome1=monochrome1).datasets[0].pixel_array
    assert field(image, white_is_high=not monochrome1).insets == {}


@pytest.mark.parametrize("degrees", [-3.0, -1.0, 2.0])
def test_a_collimator_that_is_turned(degrees):
    """The area of a turned field is that of the field; the edges are told at their middle."""
    grid = Grid.shifted(600, 500, (0.6, 0.6), (0, 0), degrees)
    inside = box(grid, -90, -120, 90, 120)
    image = 3800 - inside * (1500 + 1200 * ellipse(grid, (0, 0), (60, 100))) + np.random.default_rng(1).normal(0, 20, grid.shape)
    found = field(image)
    assert {side: inset * 0.6 for side, inset in found.insets.items()} == pytest.approx(
        {"left": 60, "right": 60, "top": 60, "bottom": 60}, abs=2.5
    )
    assert found.percent == pytest.approx(100 * 180 * 240 / (300 * 360), abs=1.5)


def test_a_straight_limb_beside_the_beam_is_no_collimation():
    """A bar from top to bottom in the open beam: straight edges, but what is dark beside it is beam and holds noise."""
    grid = Grid(600, 500, (0.6, 0.6))
    image = 250 + 2200 * box(grid, -50, -200, 50, 200) + np.random.default_rng(2).normal(0, 30, grid.shape)
    assert field(image).insets == {}


def test_a_bent_edge_is_no_collimation():
    grid = Grid(600, 500, (0.6, 0.6))
    bent = polygon(grid, [(-100, -180), (-120, 0), (-100, 180), (150, 180), (150, -180)])
    image = 3800 - 2500 * bent + np.random.default_rng(3).normal(0, 20, grid.shape)
    assert "left" not in field(image).insets


@pytest.mark.parametrize("image", [np.zeros((300, 300)), np.ones((8, 300)), np.random.default_rng(4).normal(0, 1, (300, 300))])
def test_where_there_is_nothing(image):
    assert field(image).insets == {}


def test_nothing_is_told_without_edge_and_entry(looked):
    _, report = looked()
    assert [run.check for run in report.ran if run.check == "dx.collimation"]
    assert not report.measurements
    assert not report.findings


@pytest.mark.parametrize("told_by", ["Collimator", "Shutter"])
def test_header_and_picture_agree(looked, told_by):
    truth, report = looked(collimated_mm=BORDER, told_mm=BORDER, told_by=told_by)
    assert {region: one.value for region, one in values(report).items()} == pytest.approx(
        {"picture": truth["collimated_percent"], "header": truth["collimated_percent"]}, abs=1.0
    )
    assert not report.findings


def test_the_header_alone(looked):
    """The detector was cut to the field: no edge is left to see, the entry still stands."""
    _, report = looked(told_mm=(36.0, 0.0, 36.0, 0.0))
    assert {region: one.value for region, one in values(report).items()} == {"header": pytest.approx(80.0, abs=0.5)}
    assert not report.findings


@pytest.mark.parametrize(("off_mm", "warns"), [(6.0, False), (16.0, True), (-16.0, True)])
def test_an_edge_elsewhere_than_the_header_says(looked, off_mm, warns):
    _, report = looked(collimated_mm=BORDER, told_mm=(30.0, 20.0 + off_mm, 45.0, 25.0))
    assert [(one.code, one.status) for one in report.findings] == ([("dx.collimation_tag", Status.WARN)] if warns else [])
    if warns:
        assert f"top edge of the collimated field {20 + off_mm:.0f} mm" in report.findings[0].message
        assert report.findings[0].details["apart_mm"] == pytest.approx(16.0, abs=2.0)
        assert report.findings[0].evidence


@pytest.mark.parametrize(
    "header", [{"CollimatorShape": "CIRCULAR"}, {"CollimatorLeftVerticalEdge": None}, {"CollimatorRightVerticalEdge": 3}]
)
def test_an_entry_that_is_no_rectangle_is_not_used(looked, header):
    _, report = looked(told_mm=BORDER, header=header)
    assert not report.measurements


def test_a_field_of_almost_nothing_is_not_believed(looked):
    """350 of 360 mm told away on either side of the width: nobody images a strip of 10 mm."""
    _, report = looked(told_mm=(175.0, 0.0, 175.0, 0.0))
    found = [one for one in report.measurements if one.measurement.metric == "dx.collimated"]
    assert [(one.measurement.value, one.measurement.reason) for one in found] == [(None, "header_implausible")]


def test_raw_images_go_by_the_sign_of_the_header(looked):
    """Much signal is high and shown white, as raw images may be: behind the collimator it is dark and noisy."""
    raw = {"PresentationIntentType": "FOR PROCESSING", "PixelIntensityRelationshipSign": 1, "PhotometricInterpretation": "MONOCHROME2"}
    truth, report = looked(collimated_mm=BORDER, monochrome1=True, header=raw)
    assert values(report)["picture"].value == pytest.approx(truth["collimated_percent"], abs=1.0)
