"""Which class a series is of."""

import pytest
from qc_made import AXIAL, SAGITTAL, instance, series

from phantoms.synthetic.catalogue import make
from phantoms.synthetic.encode import write
from qc.classify import classify
from qc.study import Frame

CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)


def of(*instances, **tags):
    for one in instances:
        one.tags.update(tags)
    return classify(series(instances))


def slices(count=5, **tags):
    return [instance((0, 0, z), z + 1, **tags) for z in range(count)]


@pytest.mark.parametrize(
    ("tags", "klass"),
    [
        ({}, "image"),
        ({"ImageType": ("ORIGINAL", "PRIMARY", "LOCALIZER")}, "localizer"),
        ({"SeriesDescription": "3-plane LOC"}, "localizer"),
        ({"SeriesDescription": "t1_localizer_tra"}, "localizer"),
        ({"ProtocolName": "Topogram 0.6"}, "localizer"),
        ({"SeriesDescription": "lumbar local coil"}, "image"),  # a word, not its beginning
        ({"SeriesDescription": "Block A"}, "image"),
        ({"ImageType": ("DERIVED", "SECONDARY", "MPR")}, "derived"),
        ({"ImageType": ("ORIGINAL", "SECONDARY")}, "image"),
        ({"Modality": "SR"}, "not_image"),
        ({"Modality": "RTSTRUCT"}, "not_image"),
    ],
)
def test_by_the_header(tags, klass):
    assert of(*slices(**tags)) == klass


def test_an_object_without_rows_and_columns_is_no_image():
    one = instance()
    del one.tags["Rows"], one.tags["Columns"]
    assert of(one) == "not_image"


def test_secondary_capture_is_a_screenshot_and_a_placed_one_is_not():
    capture = "1.2.840.10008.5.1.4.1.1.7"
    assert of(instance(None, SOPClassUID=capture)) == "screenshot"
    assert of(*slices(SOPClassUID=capture)) == "image"


def test_three_planes_are_a_localizer_and_two_are_not():
    planes = [instance((0, 0, n), n, plane) for n, plane in enumerate((AXIAL, SAGITTAL, CORONAL) * 2)]
    assert of(*planes) == "localizer"
    assert of(*(one for one in planes if one.tags["ImageOrientationPatient"] != CORONAL)) == "image"


def test_repeated_positions_are_a_4d_stack():
    assert of(*slices(), *slices()) == "stack_4d"
    assert of(*(instance((0, 0, 7), n) for n in range(4))) == "image"  # one position: no stack


def test_frames_without_positions_are_a_cine():
    one = instance(None)
    one.frames = [Frame(one, index) for index in range(9)]
    assert of(one) == "cine"


@pytest.mark.parametrize(
    ("recipe", "klass"),
    [
        ("uniform_disc", "phantom:uniform"),
        ("ct_head", "image"),
        ("mr_brain", "image"),
        ("mr_4d", "stack_4d"),
        ("enhanced_mr", "image"),
        ("mosaic_epi", "mosaic"),
        ("us_cine", "cine"),
        ("screenshot", "screenshot"),
        ("localizer_3plane", "localizer"),
        ("dx_chest", "image"),
    ],
)
def test_recipes_of_the_catalogue(tmp_path, check, recipe, klass):
    write(make(recipe).datasets, tmp_path)
    assert {series.klass for study in check(tmp_path, only=("completeness",)).studies for series in study.series} == {klass}


def test_the_class_does_not_hang_on_the_order_of_the_files():
    """Philips sends magnitude (ORIGINAL) and trace maps (DERIVED) in one series."""
    mixed = [*slices(6, ImageType=("ORIGINAL", "PRIMARY")), *slices(3, ImageType=("DERIVED", "PRIMARY", "TRACE"))]
    assert of(*mixed) == of(*mixed[::-1])
