"""As many images as the header itself counts."""

import numpy as np
import pytest
from qc_made import instance, results, series, stack

from qc.checks.completeness import completeness

Z = np.arange(10.0)


def told(subject):
    """(expected, received) of the one finding, or None."""
    found = results(completeness, subject)
    assert len(found) <= 1
    if not found:
        return None
    assert (found[0].code, found[0].status) == ("series.incomplete", "warn")
    return found[0].details["expected"], found[0].details["received"]


@pytest.mark.parametrize(
    ("tags", "missing"),
    [
        ({}, None),
        ({"ImagesInAcquisition": 10}, None),
        ({"ImagesInAcquisition": 12}, (12, 10)),
        ({"ImagesInAcquisition": 5}, None),  # more than told: some vendors count otherwise
        ({"GELocationsInAcquisition": 10}, None),
        ({"GELocationsInAcquisition": 12}, (12, 10)),
        ({"PhilipsNumberOfSlices": 11}, (11, 10)),
        ({"NumberOfSlices": 12, "Modality": "PT"}, (12, 10)),
        ({"NumberOfSlices": 5, "NumberOfTimeSlices": 2, "Modality": "PT"}, None),
        ({"NumberOfSlices": 5, "NumberOfTimeSlices": 3, "Modality": "PT"}, (15, 10)),
        ({"NumberOfSlices": 12, "Modality": "CT"}, None),  # an attribute of PET and NM only
        ({"ImagesInAcquisition": "many"}, None),
    ],
)
def test_counts_of_the_header(tags, missing):
    assert told(stack(Z, **tags)) == missing


def test_case_s08_one_time_point_of_ten():
    subject = stack(np.arange(15) * 6.0, TemporalPositionIdentifier=3, NumberOfTemporalPositions=10, Modality="MR")
    assert told(subject) == (10, 1)
    assert "15 of 150 images" in results(completeness, subject)[0].message


@pytest.mark.parametrize(("volumes", "missing"), [(5, None), (4, (5, 4))])
def test_time_points(volumes, missing):
    rows = [instance((0, 0, z), None, TemporalPositionIdentifier=t, NumberOfTemporalPositions=5) for t in range(volumes) for z in Z]
    assert told(series(rows)) == missing


def test_an_identifier_that_is_not_used_is_no_loss():
    """fmri_4d: ImagesInAcquisition counts locations, all time points are there."""
    rows = [
        instance((0, 0, z), None, ImagesInAcquisition=10, NumberOfTemporalPositions=3, TemporalPositionIdentifier=1)
        for _ in range(3)
        for z in Z
    ]
    assert told(series(rows)) is None


def test_parts_of_a_concatenation():
    rows = [instance((0, 0, n), n, InConcatenationTotalNumber=3, InConcatenationNumber=n) for n in (1, 3)]
    assert told(series(rows)) == (3, 2)


@pytest.mark.parametrize(
    ("step", "tags", "missing"),
    [
        (2.0, {"SpacingBetweenSlices": 1.0, "SliceThickness": 0.8}, (19, 10)),  # every second is missing
        (3.0, {"SpacingBetweenSlices": 1.0, "SliceThickness": 0.8}, (28, 10)),
        (1.0, {"SpacingBetweenSlices": 1.0, "SliceThickness": 1.0}, None),
        (6.0, {"SpacingBetweenSlices": 3.0, "SliceThickness": 3.0}, None),  # some vendors write the bare gap: 3 + 3 = 6
        (10.0, {"SliceThickness": 5.0}, None),  # gaps are common in MR, and the numbers run 1, 2, 3
        (1.0, {"SpacingBetweenSlices": -1.0}, None),  # negative is legal in NM
    ],
)
def test_every_second_slice_missing(step, tags, missing):
    """Metrology 6.1 step 9: only the nominal distance can tell."""
    assert told(stack(Z * step, **tags)) == missing


@pytest.mark.parametrize(("step", "missing"), [(2, (19, 10)), (1, None)])
def test_every_second_slice_missing_by_its_numbers(step, missing):
    rows = [instance((0, 0, 2.0 * n), step * n + 1, SliceThickness=1.0) for n in range(10)]
    assert told(series(rows)) == missing
