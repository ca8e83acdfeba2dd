"""Repeated positions: every dimension by its name, lost images by cell, and what nothing explains. The grids are written down here."""

from typing import ClassVar

import pytest
from integrity_made import CORONAL, findings, numbered, rows, series, verdict, volumes

from qc import geometry, stacks
from qc.checks._gaps import number_step

PLACES = [3.0 * n for n in range(10)]


def directions(names):
    return [dict(zip(names, ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))[n], strict=True)) for n in range(3)]


DIMENSIONS = {
    "echo": [{"EchoTime": 5.0 * n, "EchoNumbers": n} for n in (1, 2, 3)],
    "image type": [{"ImageType": ("ORIGINAL", "PRIMARY", kind)} for kind in "MPR"],
    "image type, complex component": [{"ComplexImageComponent": kind} for kind in ("MAGNITUDE", "PHASE", "REAL")],
    "image type, GE": [{"GEComplexComponent": n} for n in (0, 1, 2)],
    "image type, Philips": [{"PhilipsImageType": kind} for kind in ("M_FFE", "P_B0", "R_IR")],
    "b-value": [{"DiffusionBValue": 500.0 * n} for n in range(3)],
    "b-value, Siemens": [{"SiemensBValue": 500 * n} for n in range(3)],
    "b-value, GE": [{"GEBValue": (500 * n, 8, 0, 0)} for n in range(3)],
    "b-value, Philips": [{"PhilipsBValue": 500.0 * n} for n in range(3)],
    "gradient direction": [{"DiffusionGradientOrientation": axis} for axis in ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))],
    "gradient direction, Siemens": [{"SiemensGradientDirection": axis} for axis in ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))],
    "gradient direction, GE": directions(("GEGradientX", "GEGradientY", "GEGradientZ")),
    "gradient direction, Philips": directions(("PhilipsGradientX", "PhilipsGradientY", "PhilipsGradientZ")),
    "time point": [{"TemporalPositionIdentifier": n} for n in (1, 2, 3)],
    "label or control": [{"ASLContext": kind} for kind in ("LABEL", "CONTROL", "M_ZERO_SCAN")],
    "cardiac phase": [{"NominalPercentageOfCardiacPhase": 10.0 * n} for n in (1, 2, 3)],
    "cardiac phase, Philips": [{"PhilipsPhaseNumber": n} for n in (1, 2, 3)],
    "trigger time": [{"TriggerTime": 40.0 * n} for n in range(3)],
    "inversion time": [{"InversionTime": 100.0 * n} for n in (1, 2, 3)],
    "flip angle": [{"FlipAngle": 5.0 * n} for n in (1, 2, 3)],
    "energy window": [{"EnergyWindowVector": n} for n in (1, 2, 3)],
    "gate": [{"TimeSlotVector": n} for n in (1, 2, 3)],
    "tube voltage": [{"KVP": 80.0 + 20 * n} for n in range(3)],
    "kernel": [{"ConvolutionKernel": f"B{n}0f"} for n in (2, 3, 4)],
    "contrast": [{"ContrastBolusAgent": agent} for agent in ("none", "arterial", "venous")],
    "coil": [{"ReceiveCoilName": f"HEA{n}"} for n in (1, 2, 3)],
    "coil, Siemens": [{"SiemensCoil": f"HEA;HEP{n}"} for n in (1, 2, 3)],
    "acquisition": [{"AcquisitionNumber": n} for n in (1, 2, 3)],
    "acquisition time": [{"AcquisitionTime": f"12000{n}.000000"} for n in (1, 2, 3)],
    "image number": [{}, {}, {}],
}


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_a_lost_image_is_told_with_its_dimension(dimension):
    """Image of the second repetition at 12 mm."""
    keys = DIMENSIONS[dimension]
    assert verdict(volumes(3, PLACES, keys)) == {}
    lost = [one for one in findings(volumes(3, PLACES, keys, [(1, 4)])) if one.status != "info"]
    assert [(one.code, one.status.value) for one in lost] == [("stack.incomplete", "fail")]
    details = lost[0].details
    assert (details["dimension"], details["missing"]) == ([dimension.split(",")[0]], 1)
    assert (details["cells"][0]["location_mm"], details["cells"][0]["volume"]) == (12.0, 2)


def test_two_dimensions_and_a_location_lost_in_all_and_one_image():
    keys = [{"EchoTime": echo, "ImageType": ("ORIGINAL", "PRIMARY", kind)} for echo in (5.0, 10.0) for kind in "MP"]
    made = volumes(4, PLACES, keys, [(v, 6) for v in range(4)] + [(2, 3)])
    assert verdict(made) == {"slices.missing": ("fail", 1), "stack.incomplete": ("fail", 1)}
    incomplete = next(one for one in findings(made) if one.code == "stack.incomplete")
    assert incomplete.details["dimension"] == ["echo", "image type"]
    assert incomplete.details["cells"][0]["location_mm"] == 9.0


def test_b_values_and_directions_are_one_list_and_no_full_grid():
    """b0 has no direction: 1 + 2 shells of 2 directions are five volumes, not 3 x 3."""
    keys = [{"DiffusionBValue": 0.0}] + [
        {"DiffusionBValue": b, "DiffusionGradientOrientation": axis} for b in (700.0, 1400.0) for axis in ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    ]
    assert verdict(volumes(5, PLACES, keys)) == {}


def test_b0_repeated_is_told_apart_by_the_acquisition():
    keys = [{"DiffusionBValue": b, "AcquisitionNumber": n} for n, b in enumerate((0.0, 0.0, 1000.0, 0.0), start=1)]
    assert verdict(volumes(4, PLACES, keys)) == {}


def test_trigger_times_that_differ_a_little_from_slice_to_slice():
    made = volumes(5, PLACES, [{"TriggerTime": 40.0 * n} for n in range(5)], [(2, 4)])
    for row in made:
        row["TriggerTime"] += 0.5 * (round(row["ImagePositionPatient"][2]) % 4)
        row["InstanceNumber"] = 100 - row["InstanceNumber"] * 7 % 97  # numbers that tell nothing
    incomplete = [one for one in findings(made) if one.code == "stack.incomplete"]
    assert [(one.details["dimension"], one.details["cells"][0]["volume"]) for one in incomplete] == [(["trigger time"], 3)]


class TestStopped:
    keys: ClassVar = [{"TemporalPositionIdentifier": n} for n in (1, 2, 3, 4)]

    def test_the_tail_of_the_last_volume(self):
        made = volumes(4, PLACES, self.keys, [(3, n) for n in (7, 8, 9)])
        assert {code: one for code, one in verdict(made).items() if one[0] != "info"} == {"stack.last_volume_incomplete": ("warn", 3)}

    def test_interleaved_acquisition(self):
        """Numbers run 0 2 4 6 8 1 3 5 7 9: a scan stopped after seven images lacks 5, 7 and 9."""
        order = [0, 2, 4, 6, 8, 1, 3, 5, 7, 9]
        made = numbered(dict(row, TemporalPositionIdentifier=v) for v in (1, 2, 3) for row in rows([PLACES[n] for n in order], "MR"))
        (found,) = [one for one in findings(made[:-3]) if one.status != "info"]
        assert (found.code, {cell["location_mm"] for cell in found.details["cells"]}) == (
            "stack.last_volume_incomplete",
            {15.0, 21.0, 27.0},
        )

    def test_an_image_lost_inside_the_last_volume_is_no_stopped_scan(self):
        assert verdict(volumes(4, PLACES, self.keys, [(3, 4)]))["stack.incomplete"] == ("fail", 1)

    def test_an_echo_is_not_acquired_after_the_other(self):
        made = volumes(2, PLACES, [{"EchoTime": 5.0}, {"EchoTime": 10.0}], [(1, 9), (1, 8)])
        assert verdict(made)["stack.incomplete"] == ("fail", 2)

    def test_lost_images_beside_a_stopped_scan(self):
        told = verdict(volumes(4, PLACES, self.keys, [(1, 4), *((3, n) for n in (7, 8, 9))]))
        assert told["stack.incomplete"] == ("fail", 1)
        assert told["stack.last_volume_incomplete"] == ("warn", 3)


class TestUnexplained:
    def test_a_doubled_image_in_a_plain_stack(self):
        made = rows(PLACES)
        assert verdict(numbered([*made, made[4]])) == {"slices.duplicate": ("warn", 1)}

    def test_a_doubled_image_with_a_time_of_its_own(self):
        made = [dict(row, ContentTime=f"1200{n:02d}") for n, row in enumerate(rows(PLACES))]
        assert verdict(numbered([*made, dict(made[4], ContentTime="130000")])) == {"slices.duplicate": ("warn", 1)}

    def test_a_doubled_image_in_a_repeated_stack(self):
        made = volumes(3, PLACES, [{"TemporalPositionIdentifier": n} for n in (1, 2, 3)])
        assert verdict(numbered([*made, dict(made[14])])) == {"slices.duplicate": ("warn", 1)}

    def test_repetitions_that_nothing_tells_apart(self):
        """Three images at each place, numbers as good as random: said once, and the place with two as well."""
        made = volumes(3, PLACES, [{}, {}, {}], [(1, 4)])
        for row in made:
            row["InstanceNumber"] = 1
        told = verdict(made)
        assert told["slices.duplicate"] == ("warn", 19)
        assert told["stack.incomplete"] == ("fail", 1)

    def test_an_image_of_another_kind_is_no_double(self):
        made = rows(PLACES)
        assert verdict(numbered([*made, dict(made[4], ImageType=("DERIVED", "SECONDARY", "MPR"))])) == {"series.mixed_content": ("info", 1)}


class TestEnhanced:
    def frames(self, lost=(), volumes=2):
        made = []
        for volume in range(volumes):
            for place, row in enumerate(rows(PLACES, "MR")):
                own = {"StackID": "1", "InStackPositionNumber": place + 1, "DimensionIndexValues": (1, place + 1, volume + 1)}
                pointers = ("StackID", "InStackPositionNumber", "TemporalPositionIndex")
                if (volume, place) not in lost:
                    made.append(dict(row, **own, DimensionIndexPointers=pointers, SOPInstanceUID="1.2", InstanceNumber=1))
        return made

    def test_complete(self):
        assert verdict(self.frames(), objects=True) == {}

    def test_a_frame_that_the_dimension_index_lacks(self):
        (found,) = findings(self.frames([(0, 5)]), objects=True)
        assert (found.code, found.details["dimension"], found.details["cells"][0]["location_mm"]) == (
            "stack.incomplete",
            ["time point"],
            15.0,
        )

    def test_in_stack_numbers_give_a_gap_its_confidence(self):
        (found,) = findings(self.frames([(0, 5), (1, 5)]), objects=True)
        assert (found.code, found.details["count"], found.details["confidence"]) == ("slices.missing", 1, "high")

    def test_in_stack_numbers_that_start_late(self):
        """Invisible to the positions: the first two places are gone."""
        made = self.frames([(v, n) for v in (0, 1) for n in (0, 1)])
        (found,) = findings(made, objects=True)
        assert (found.code, found.details["missing"]) == ("series.incomplete", (1, 2))

    def test_two_frames_with_one_index(self):
        made = self.frames()
        made[3]["DimensionIndexValues"] = made[4]["DimensionIndexValues"]
        made[9].pop("DimensionIndexValues")
        made[10]["DimensionIndexValues"] = (1, 2)
        (found,) = [one for one in findings(made, objects=True) if one.code == "stack.dimension_index"]
        assert (found.status.value, dict(found.details)) == ("warn", {"absent": 2, "repeated": 1})


class TestBeds:
    def bed(self, number, start, **tags):
        return [dict(row, FrameReferenceTime=1000.0 * number) for row in rows([start + 3.0 * n for n in range(20)], "PT", **tags)]

    @pytest.mark.parametrize("offset", [0.0, 1.5])
    def test_overlapping_beds_are_no_fault(self, offset):
        made = numbered(self.bed(1, 0.0) + self.bed(2, 3.0 * 15 + offset))
        assert verdict(made) == {"series.overlapping_beds": ("info", None)}

    def test_a_slice_lost_in_a_bed(self):
        made = numbered(self.bed(1, 0.0) + self.bed(2, 3.0 * 15))
        told = verdict([row for n, row in enumerate(made) if n != 8])
        assert told == {"series.overlapping_beds": ("info", None), "slices.missing": ("fail", 1)}


def test_the_order_of_keys_does_not_hang_on_the_first_image():
    """Numbered slice after slice, the first image of the first time point lost: it is still the first time point."""
    made = numbered(dict(row, TemporalPositionIdentifier=t) for row in rows(PLACES, "MR") for t in (1, 2, 3))[1:]
    one = series(made)
    _, positions, orientations = geometry.placed(one.frames)
    grid = stacks.grid(one.frames, geometry.analyse(positions, orientations).members)
    assert grid.keys == ((1,), (2,), (3,))


def test_number_step_of_frames_and_of_images():
    one, other = series(numbered(rows([0.0, 3.0]), first=7)).frames
    assert number_step(one, other) == 1


class TestOrientations:
    def test_two_scouts_in_a_ct(self):
        scouts = rows([0.0, 1.0], ImageOrientationPatient=CORONAL)
        assert verdict(numbered(scouts + rows(PLACES + [30.0 + 3 * n for n in range(10)]))) == {"series.embedded_localizer": ("warn", 2)}

    def test_a_scout_that_says_so_in_a_short_series(self):
        scout = rows([0.0], ImageOrientationPatient=CORONAL, ImageType=("ORIGINAL", "PRIMARY", "LOCALIZER"))
        assert verdict(numbered(scout + rows(PLACES[:4]))) == {"series.embedded_localizer": ("warn", 1)}

    def test_a_gap_behind_a_scout(self):
        scout = rows([0.0], ImageOrientationPatient=CORONAL)
        told = verdict(numbered(scout + rows([z for z in PLACES if z != 12.0])))
        assert told == {"series.embedded_localizer": ("warn", 1), "slices.missing": ("fail", 1)}

    def test_two_stacks_in_one_series(self):
        coronal = [
            dict(row, ImagePositionPatient=(0.0, row["ImagePositionPatient"][2], 0.0), ImageOrientationPatient=CORONAL)
            for row in rows(PLACES)
        ]
        assert verdict(numbered(rows(PLACES) + coronal)) == {"series.mixed_orientation": ("warn", None)}
