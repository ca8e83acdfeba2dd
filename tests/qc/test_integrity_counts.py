"""Counts of the headers and of the source, gantry tilt against the tag, zones."""

import copy
import math
from typing import ClassVar

import numpy as np
import pytest
from integrity_made import findings, numbered, rows, series, verdict, volumes

from phantoms.synthetic.catalogue import make
from phantoms.synthetic.encode import write
from phantoms.synthetic.faults import inject
from qc.checks.completeness import completeness_study
from qc.expected import Announced, against_source
from qc.runner import Options, Runner
from qc.study import Study

PLACES = [3.0 * n for n in range(10)]


def told(made, **kwargs):
    """(expected, received, missing) of the count that was not reached."""
    found = [one for one in findings(made, **kwargs) if one.code == "series.incomplete"]
    assert [one.status.value for one in found] in ([], ["warn"])
    return (found[0].details["expected"], found[0].details["received"], found[0].details["missing"]) if found else None


@pytest.mark.parametrize(
    "keyword", ["ImagesInAcquisition", "GELocationsInAcquisition", "PhilipsNumberOfSlices", "NumberOfSeriesRelatedInstances"]
)
def test_counts_of_images_or_positions(keyword):
    assert told(numbered(rows(PLACES, "MR", **{keyword: 10}))) is None
    assert told(numbered(rows(PLACES[:8], "MR", **{keyword: 10}))) == (10, 8, ())


@pytest.mark.parametrize("keyword", ["ImagesInAcquisition", "GELocationsInAcquisition", "PhilipsNumberOfSlices"])
def test_counts_on_derived_objects_are_ignored(keyword):
    assert told(numbered(rows(PLACES[:8], "MR", ImageType=("DERIVED", "SECONDARY"), **{keyword: 10}))) is None


def test_images_in_acquisition_counts_positions_for_some_vendors():
    assert told(volumes(3, PLACES, [{"EchoTime": n, "ImagesInAcquisition": 10} for n in (1.0, 2.0, 3.0)])) is None


def test_one_acquisition_of_three_is_short():
    keys = [{"AcquisitionNumber": n, "ImagesInAcquisition": 10} for n in (1, 2, 3)]
    assert told(volumes(3, PLACES, keys, [(1, 9)])) == (30, 29, ("acquisition 2",))


@pytest.mark.parametrize("keyword", ["NumberOfTemporalPositions", "PhilipsNumberOfDynamics"])
def test_time_points_are_named(keyword):
    made = volumes(
        5, PLACES, [{"TemporalPositionIdentifier": n, keyword: 5} for n in (1, 2, 3, 4, 5)], [(v, n) for v in (1, 3) for n in range(10)]
    )
    assert told(made) == (5, 3, (2, 4))


def test_cardiac_phases():
    keys = [{"TriggerTime": 30.0 * n, "CardiacNumberOfImages": 6} for n in range(5)]
    assert told(volumes(5, PLACES, keys)) == (6, 5, ())


def test_pet_slices_and_frames():
    dynamic = [{"NumberOfSlices": 10, "NumberOfTimeSlices": 3}] * 3
    made = volumes(3, PLACES, dynamic, modality="PT")
    for n, row in enumerate(made, start=1):
        row["ImageIndex"] = n
    assert verdict(made) == {}
    assert told(made[:24] + made[25:]) == (30, 29, (25,))
    assert next(one for one in findings(made[:24] + made[25:]) if one.code == "stack.incomplete").details["dimension"] == [
        "time slice or gate"
    ]


def test_nuclear_vectors():
    made = rows(PLACES, "NM", NumberOfSlices=12)
    made = [dict(row, SliceVector=n, SOPInstanceUID="1.2", InstanceNumber=1) for n, row in enumerate(made, start=1)]
    assert told(made, objects=True) == (12, 10, ())
    assert told([dict(row, NumberOfSlices=10) for row in made], objects=True) is None


class TestConcatenation:
    def part(self, number, total=3, offset=True):
        own = {"ConcatenationUID": "1.9", "InConcatenationNumber": number}
        own |= {"InConcatenationTotalNumber": total} if total else {}
        own |= {"ConcatenationFrameOffsetNumber": number - 1} if offset else {}
        return rows([3.0 * number], "MR", **own)

    def test_complete(self):
        assert told(numbered(self.part(1) + self.part(2) + self.part(3))) is None

    def test_the_missing_part_is_named(self):
        assert told(numbered(self.part(1) + self.part(3))) == (3, 2, (2,))

    def test_without_a_total_the_last_part_tells(self):
        assert told(numbered(self.part(1, 0) + self.part(4, 0))) == (4, 2, (2, 3))


def test_mosaics_a_volume_lost_and_one_of_fewer_slices():
    from qc.study import Frame

    def made(lost, short=None):
        one = series(numbered(rows([0.0] * 12, "MR", ImageType=("ORIGINAL", "PRIMARY", "M", "MOSAIC"))))
        one.instances = [instance for instance in one.instances if instance.number != lost]
        for instance in one.instances:
            instance.frames = [Frame(instance, n, {}, divmod(n, 2)) for n in range(3 if instance.number == short else 4)]
        return one

    assert told(made(None)) is None
    assert told(made(7)) == (12, 11, (7,))
    assert told(made(None, short=5)) == (4, 3, (5,))


class TestDecimated:
    def test_against_spacing_between_slices(self):
        assert told(numbered(rows(PLACES, SpacingBetweenSlices=1.5, SliceThickness=2.0))) == (19, 10, ())

    def test_the_bare_gap_of_some_vendors_is_no_distance(self):
        """5 mm thick, 5 mm gap, 10 mm apart: SpacingBetweenSlices of 5 is the gap."""
        assert told(numbered(rows([10.0 * n for n in range(10)], "MR", SpacingBetweenSlices=5.0, SliceThickness=5.0))) is None

    def test_numbers_in_steps_of_two_and_slices_two_thicknesses_apart(self):
        made = [dict(row, InstanceNumber=2 * n + 1) for n, row in enumerate(numbered(rows(PLACES, SliceThickness=1.5)))]
        assert told(made) == (19, 10, ())

    def test_high_resolution_ct_with_planned_gaps(self):
        assert verdict(numbered(rows([10.0 * n for n in range(20)], SliceThickness=1.0))) == {}

    def test_most_slices_lost_unevenly(self):
        """Kept 0, 3, 6, 9, 10, 13 ... of a 1 mm stack: the header's 1 mm is the spacing, not the usual 3 mm."""
        kept = [0, 3, 6, 9, 10, 13, 16, 19]
        assert verdict(numbered(rows(map(float, kept), SliceThickness=1.0)))["slices.missing"] == ("fail", 12)


class TestNumbers:
    def test_start_late(self):
        assert verdict(numbered(rows(PLACES), first=4)) == {"series.numbers": ("info", None)}

    def test_skip_at_the_end(self):
        made = numbered(rows(PLACES))
        made[-1]["InstanceNumber"] = 12
        (found,) = findings(made)
        assert (found.code, found.details["numbers"]) == ("series.numbers", [10, 11])

    def test_from_zero(self):
        assert verdict(numbered(rows(PLACES), first=0)) == {}


class TestTilt:
    def made(self, tilt, **tags):
        shear = math.tan(math.radians(tilt))
        return [dict(row, ImagePositionPatient=(0.0, shear * z, z)) for z, row in zip(PLACES, numbered(rows(PLACES, **tags)), strict=True)]

    @pytest.mark.parametrize(("tag", "status"), [(14.0, None), (-14.0, None), (14.5, None), (14.6, "warn"), (0.0, "warn"), (20.0, "warn")])
    def test_against_the_tag(self, tag, status):
        told = verdict(self.made(14.0, GantryDetectorTilt=tag))
        assert told == ({"geometry.tilt_differs": (status, None)} if status else {})

    def test_without_a_tag_shear_is_valid(self):
        assert verdict(self.made(14.0)) == {}

    def test_sheared_and_a_slice_lost(self):
        made = self.made(14.0, GantryDetectorTilt=14.0)
        assert verdict(made[:5] + made[6:]) == {"slices.missing": ("fail", 1)}


class TestZones:
    def made(self, acquisitions):
        low = rows([2.5 * n for n in range(10)], SliceThickness=2.5)
        high = rows([22.5 + 7.5 * n for n in range(1, 11)], SliceThickness=7.5)
        return [dict(row, AcquisitionNumber=number) for number, row in zip(acquisitions, numbered(low + high), strict=True)]

    @pytest.mark.parametrize("acquisitions", [[1] * 20, [1] * 10 + [2] * 10, list(range(1, 21))], ids=["one", "two", "one a slice"])
    def test_planned(self, acquisitions):
        assert verdict(self.made(acquisitions)) == {"slices.multi_zone": ("info", None)}

    def test_a_slice_lost_in_the_thick_zone(self):
        made = self.made([1] * 20)
        assert verdict(made[:15] + made[16:]) == {"slices.multi_zone": ("info", None), "slices.missing": ("fail", 1)}

    def test_without_a_word_in_the_header_it_is_a_gap(self):
        made = [dict(row, SliceThickness=2.5) for row in self.made([1] * 20)]
        assert verdict(made)["slices.missing"][0] == "fail"


def test_confidence_by_the_numbers():
    made = numbered(rows(PLACES))
    (high,) = findings(made[:4] + made[5:])
    (low,) = findings(numbered(made[:4] + made[5:]))
    assert (high.details["confidence"], low.details["confidence"], high.status, low.status) == ("high", "low", "fail", "fail")


class TestSource:
    """What a PACS counts, with authority: fail."""

    here: ClassVar = {"1.1": ["a", "b", "c"], "1.2": ["d", "e"]}

    def codes(self, **announced):
        return [(one.code, one.status.value, one.details.get("missing")) for one in against_source("1", Announced(**announced), self.here)]

    def test_nothing_known_is_nothing_said(self):
        assert self.codes() == []
        assert self.codes(series={"1.1": None, "1.2": None}) == []

    def test_complete(self):
        assert self.codes(series={"1.1": ["a", "b", "c"], "1.2": 2}, all_series=True, instances=5, series_count=2) == []

    def test_the_missing_object_is_named(self):
        assert self.codes(series={"1.1": ["a", "b", "c", "x"]}) == [("series.incomplete", "fail", ["x"])]

    def test_as_many_but_not_the_same(self):
        assert self.codes(series={"1.2": ["d", "y"]}) == [("series.incomplete", "fail", ["y"])]

    def test_a_number_only(self):
        assert self.codes(series={"1.1": 5}) == [("series.incomplete", "fail", [])]

    def test_a_series_that_did_not_arrive(self):
        (found,) = against_source("1", Announced(series={"1.1": 3, "1.2": 2, "1.3": 7}, instances=12), self.here)
        assert (found.code, found.details["missing_series"], found.details["missing_objects"]) == ("study.incomplete", ["1.3"], 7)

    def test_a_total_that_no_series_explains(self):
        (found,) = against_source("1", Announced(instances=9), self.here)
        assert (found.code, found.status.value, found.details["expected"], found.details["received"]) == ("study.incomplete", "fail", 9, 5)

    def test_one_problem_is_told_once(self):
        found = against_source("1", Announced(series={"1.1": ["a", "b", "c", "x"], "1.2": 2}, instances=6, series_count=2), self.here)
        assert [one.code for one in found] == ["series.incomplete"]

    def test_more_than_announced_is_a_remark(self):
        assert [one[:2] for one in self.codes(instances=4)] == [("study.more_than_announced", "info")]

    def test_zero_with_images_is_not_known(self):
        """Some archives answer 0 for every count."""
        assert self.codes(series={"1.1": 0, "1.2": 0}, instances=0, series_count=0) == []


def test_counts_of_the_study_in_the_headers():
    one = series(numbered(rows(PLACES, NumberOfStudyRelatedInstances=12, NumberOfStudyRelatedSeries=1)))
    (found,) = completeness_study.spec.run(Study("1.2.3", [one]), None)
    assert (found.code, found.status.value, found.details["expected"], found.details["received"]) == ("study.incomplete", "warn", 12, 10)


@pytest.mark.parametrize(
    "tags",
    [
        {"InStackPositionNumber": 10**15},
        {"NumberOfTemporalPositions": 10**15, "TemporalPositionIdentifier": 3},
        {
            "ConcatenationUID": "1.9",
            "InConcatenationNumber": (1, 2),
            "InConcatenationTotalNumber": "x",
            "ConcatenationFrameOffsetNumber": None,
        },
        {"ConcatenationUID": "1.9", "InConcatenationNumber": 10**15},
        {"ImagePositionPatient": (0.0, 0.0, 1e300)},
        {"ImagePositionPatient": (0.0, None, 1.0)},
        {"DimensionIndexValues": "x", "SpacingBetweenSlices": (1.0, 2.0), "SliceThickness": 0.0},
    ],
)
def test_a_header_may_hold_anything(tags):
    """Neither an exception nor a list as long as a number in a header says."""
    for objects in (False, True):
        made = numbered(rows(PLACES, "MR"))
        made[-1]["InstanceNumber"] = 10**15
        for row in made[::2] if "ImagePositionPatient" in tags else made:
            row.update(tags)
        for one in findings(made, objects=objects):
            assert len(str(one.details)) < 5000


@pytest.mark.parametrize("fault", ["lost_slice_at_end_counted", "lost_pet_slices", "lost_mosaic", "lost_time_points"])
def test_an_object_that_was_sent_twice_does_not_stand_for_one_that_is_lost(fault, tmp_path):
    """As many files as announced, but one of them the same object with another header."""
    recipe, options = {
        "lost_slice_at_end_counted": ("ct_head", {"slices": 7, "matrix": 16}),
        "lost_pet_slices": ("pt_brain", {"slices": 8, "matrix": 16}),
        "lost_mosaic": ("mosaic_epi", {"slices": 4, "times": 5, "matrix": 16}),
        "lost_time_points": ("mr_4d", {"slices": 4, "times": 4, "matrix": 16}),
    }[fault]
    files = inject(fault, make(recipe, 1, **options).datasets, np.random.default_rng(1))
    again = copy.deepcopy(files[:2])
    for one in again:
        one.ReferringPhysicianName = "Corrected^Referrer"
    write([*files, *again], tmp_path)
    with Runner(Options(only=("completeness",), pixels=False)) as runner:
        found = runner.paths([tmp_path]).findings
    assert [(one.code, one.status) for one in found if one.status != "info"] == [("series.incomplete", "warn")]
