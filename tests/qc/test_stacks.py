"""Which header value tells images at one position apart."""

from itertools import product

import pytest
from qc_made import instance

from qc import stacks


def grid_of(locations, keys, shuffle=False):
    """Grid of `locations` positions, each with one image a key (a dict of tags)."""
    rows = [(location, instance((0, 0, location), None, **tags)) for tags, location in product(keys, range(locations))]
    for number, (_, row) in enumerate(rows, start=1):
        row.tags["InstanceNumber"] = number
    if shuffle:
        rows = rows[::-1]
    members = [[index for index, (at, _) in enumerate(rows) if at == location] for location in range(locations)]
    return stacks.grid([row.frames[0] for _, row in rows], members), members


ECHO = [{"EchoTime": te} for te in (20.0, 80.0)]
TIME = [{"TemporalPositionIdentifier": t} for t in range(1, 6)]
B = [{"SiemensBValue": b} for b in (0, 500, 1000)]


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        ([{}], ()),
        (ECHO, ("echo",)),
        (TIME, ("time point",)),
        (B, ("b-value",)),
        ([{"ImageType": ("ORIGINAL", "PRIMARY", kind)} for kind in "MP"], ("image type",)),
        ([{"TriggerTime": 50.0 * t} for t in range(4)], ("trigger time",)),
        ([{"InversionTime": t} for t in (100.0, 400.0)], ("inversion time",)),
        ([{"AcquisitionNumber": n} for n in (1, 2, 3)], ("acquisition",)),
        ([{**echo, **time} for echo, time in product(ECHO, TIME)], ("echo", "time point")),
        # three echoes in two phases each (metrology 6.4, synthetic tests)
        ([{"EchoTime": te, "TriggerTime": t} for te, t in product((5.0, 10.0, 15.0), (0.0, 40.0))], ("echo", "trigger time")),
    ],
)
@pytest.mark.parametrize("shuffle", [False, True])
def test_the_dimension_is_named(keys, names, shuffle):
    found, members = grid_of(6, keys, shuffle)
    assert (found.names, len(found.keys), found.explained) == (names, len(keys), True)
    assert stacks.empty_cells(found, members) == []


def test_keys_stand_in_the_order_of_the_image_numbers():
    found, _ = grid_of(4, [{"EchoTime": te} for te in (80.0, 20.0, 50.0)])
    assert found.keys == ((80.0,), (20.0,), (50.0,))


def test_a_time_that_differs_in_every_image_is_no_dimension():
    """AcquisitionTime of every image differs: three repetitions are told by their numbers, not by 18 times."""
    found, _ = grid_of(6, [{}, {}, {}])
    times = [instance((0, 0, index % 6), index + 1, AcquisitionTime=f"1200{index:02d}") for index in range(18)]
    members = [[index for index in range(18) if index % 6 == location] for location in range(6)]
    same = stacks.grid([row.frames[0] for row in times], members)
    for grid in (found, same):
        assert (grid.names, len(grid.keys), grid.explained) == (("image number",), 3, True)


def test_repeats_that_nothing_explains():
    rows = [instance((0, 0, location), None) for location in (0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3)]
    found = stacks.grid([row.frames[0] for row in rows], [[0, 4, 8], [1, 5, 9], [2, 6, 10], [3, 7, 11]])
    assert not found.explained


def test_an_empty_cell_is_named_by_key_and_position():
    rows = [instance((0, 0, z), 4 * t + z + 1, EchoTime=te) for t, te in enumerate((20.0, 80.0)) for z in range(4) if (t, z) != (1, 2)]
    members = [[index for index, row in enumerate(rows) if row.tags["ImagePositionPatient"][2] == z] for z in range(4)]
    found = stacks.grid([row.frames[0] for row in rows], members)
    assert stacks.empty_cells(found, members) == [((80.0,), 2)]


def test_a_plain_stack_with_one_doubled_image_has_no_dimension():
    rows = [instance((0, 0, z), z, AcquisitionNumber=z) for z in range(8)] + [instance((0, 0, 3), 9, AcquisitionNumber=9)]
    members = [[z] if z != 3 else [3, 8] for z in range(8)]
    found = stacks.grid([row.frames[0] for row in rows], members)
    assert (found.names, found.explained) == ((), False)
