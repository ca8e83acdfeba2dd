"""Protocols: learned, written, compared, audited."""

import datetime as dt
import itertools
import random
import textwrap

import pytest
from header_made import check, dataset, image, save, series, study, told
from hypothesis import given
from hypothesis import strategies as st

from qc.checks.protocol import fit_together
from qc.errors import ConfigurationError
from qc.protocol import (
    PARAMETERS,
    Key,
    Protocol,
    ProtocolSet,
    Row,
    Tolerance,
    Vertical,
    cluster,
    compare,
    default_tolerances,
    learn,
    rows_of,
)
from qc.protocol_audit import Arrival, clock, findings, horizontal, software_changes, vertical
from qc.protocol_file import from_toml, to_toml

KEY = Key("site", "SN1", "Head / T1")
T1 = {
    "RepetitionTime": 500.0,
    "EchoTime": 12.0,
    "FlipAngle": 90.0,
    "ScanningSequence": "SE",
    "PixelSpacing": (0.9, 0.9),
    "SliceThickness": 5.0,
}


def row(number=0, key=KEY, images=24, software="V1", acquired="20250311120000", description="T1", **values):
    return Row(
        key,
        {name: value for name, value in {**T1, **values}.items() if value is not None},
        f"2.25.{number}",
        "2.25.1",
        acquired,
        software,
        images,
        description,
    )


# -- tolerances of metrology 6.5 --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected", "found", "outcome"),
    [
        ("RepetitionTime", 500.0, 499.99951171875, "ok"),  # as two makers write it
        ("RepetitionTime", 500.0, 505.0, "ok"),  # 1 %: equal to the limit is inside
        ("RepetitionTime", 500.0, 505.1, "deviates"),
        ("RepetitionTime", 20.0, 21.0, "ok"),  # 1 ms is more than 1 %
        ("RepetitionTime", 20.0, 21.1, "deviates"),
        ("EchoTime", 2.0, 2.1, "ok"),
        ("EchoTime", 2.0, 2.11, "deviates"),
        ("EchoTime", 100.0, 101.0, "ok"),
        ("FlipAngle", 90.0, 91.0, "ok"),
        ("FlipAngle", 90.0, 91.1, "deviates"),
        ("PixelSpacing", (0.5, 0.5), (0.5025, 0.5025), "ok"),
        ("PixelSpacing", (0.5, 0.5), (0.5, 0.503), "deviates"),
        ("SliceThickness", 5.0, 5.05, "ok"),
        ("SliceThickness", 5.0, 5.06, "deviates"),
        ("PixelBandwidth", 200.0, 204.0, "ok"),
        ("PixelBandwidth", 200.0, 204.1, "deviates"),
        ("KVP", 120.0, 120.0, "ok"),
        ("KVP", 120.0, 120.1, "deviates"),
        ("ConvolutionKernel", "B30f", "B30f", "ok"),
        ("ConvolutionKernel", "B30f", "B31f", "deviates"),
        ("CTDIvol", 10.0, 12.0, "ok"),
        ("CTDIvol", 10.0, 12.1, "deviates"),
        ("ScanOptions", ("FS", "PFP"), ("PFP", "FS"), "ok"),  # a set
        ("ScanOptions", ("FS", "PFP"), "FS", "deviates"),
        ("EchoTime", 0.0, 0.1, "ok"),  # a relative tolerance of zero is none
        ("EchoTime", 2.0, None, "unknown"),
        ("AcquisitionMatrix", (0, 256, 256, 0), (256, 0, 0, 256), "deviates"),
        ("SequenceName", "se", "fl3d", "deviates"),
    ],
)
def test_one_parameter(name, expected, found, outcome):
    (one,) = compare(Row(KEY, {} if found is None else {name: found}), Protocol(KEY, {name: expected}))
    assert (one.parameter, one.expected, one.found, one.outcome) == (name, expected, found, outcome)


def test_distance_is_in_tolerances():
    (one,) = compare(Row(KEY, {"RepetitionTime": 510.0}), Protocol(KEY, {"RepetitionTime": 500.0}))
    assert (one.tolerance, one.distance, one.unit) == (5.0, 2.0, "ms")


def test_a_finding_shows_expected_found_and_tolerance():
    known = ProtocolSet((Protocol(KEY, T1, images=24),))
    assert list(findings([row()], known)) == []
    assert list(findings([row(EchoTime=None)], known)) == []  # missing is unknown
    assert list(findings([row(key=KEY._replace(protocol="another"), EchoTime=99.0)], known)) == []
    (one,) = findings([row(EchoTime=14.0)], known)
    assert (one.code, one.status) == ("protocol.deviates", "warn")
    assert "EchoTime 14 ms, expected 12 ± 0.12 ms" in one.message
    (line,) = [entry for entry in one.details["table"] if entry["outcome"] == "deviates"]
    assert (line["parameter"], line["expected"], line["found"], line["tolerance"]) == ("EchoTime", 12.0, 14.0, 0.12)
    assert [found.code for found in findings([row(images=20)], known)] == ["protocol.images"]
    assert list(findings([row(images=30)], known)) == []


# -- learning ---------------------------------------------------------------------------------------------------------


def test_the_reference_is_a_whole_vector_that_somebody_ran():
    """Most frequent value of each parameter: TR 500 (3 of 5), TE 12 (3 of 5), angle 90 (3 of 5): run by nobody."""
    rows = [
        *(row(n, RepetitionTime=500.0, EchoTime=12.0, FlipAngle=70.0) for n in range(2)),
        row(2, RepetitionTime=500.0, EchoTime=20.0, FlipAngle=90.0),
        row(3, RepetitionTime=600.0, EchoTime=12.0, FlipAngle=90.0),
        row(4, RepetitionTime=600.0, EchoTime=20.0, FlipAngle=90.0),
    ]
    (protocol,) = learn(rows).protocols
    assert (protocol.expected["RepetitionTime"], protocol.expected["EchoTime"], protocol.expected["FlipAngle"]) == (500.0, 12.0, 70.0)
    assert (protocol.seen, protocol.of) == (2, 5)
    assert dict(protocol.expected) in [dict(one.values) for one in rows]


def test_jitter_is_one_way_of_scanning():
    rows = [row(n, RepetitionTime=500 + 0.3 * n) for n in range(6)] + [row(9, RepetitionTime=700.0)] * 4
    (protocol,) = learn(rows).protocols
    assert 500 <= protocol.expected["RepetitionTime"] < 502
    assert (protocol.seen, protocol.of) == (6, 10)


def test_too_few_and_ties_are_not_learned():
    known = learn([row(1), row(2)])
    assert (known.protocols, len(known.undecided)) == ((), 1)
    tie = learn([row(n, EchoTime=12.0 if n % 2 else 20.0) for n in range(6)])
    assert (tie.protocols, len(tie.undecided)) == ((), 1)


def test_what_is_set_for_each_patient_is_no_part_of_the_protocol():
    rows = [row(n, PixelSpacing=(0.5 + 0.02 * n,) * 2) for n in range(10)]
    (protocol,) = learn(rows).protocols
    assert "PixelSpacing" not in protocol.expected
    assert protocol.free == ("PixelSpacing",)
    assert (protocol.seen, protocol.of) == (10, 10)


def test_echoes_scanners_and_sites_are_learned_apart():
    keys = [KEY, KEY._replace(echo=2), KEY._replace(scanner="SN2"), KEY._replace(site="other")]
    known = learn([row(n, key, EchoTime=12.0 + 10 * at) for at, key in enumerate(keys) for n in range(3)])
    assert sorted(one.expected["EchoTime"] for one in known.protocols) == [12.0, 22.0, 32.0, 42.0]
    assert known.find(keys[1]).expected["EchoTime"] == 22.0


VECTORS = st.lists(
    st.tuples(st.sampled_from([500.0, 502.0, 506.0, 700.0]), st.sampled_from([12.0, 20.0]), st.booleans()), min_size=3, max_size=14
)


@given(VECTORS, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_never_matters(vectors, chance):
    rows = [row(n, RepetitionTime=tr, EchoTime=te, FlipAngle=None if bare else 90.0) for n, (tr, te, bare) in enumerate(vectors)]
    mixed = list(rows)
    chance.shuffle(mixed)
    assert learn(rows) == learn(mixed)
    assert sum(map(len, cluster(rows, default_tolerances()))) == len(rows)


def test_the_closest_reference_wins():
    known = ProtocolSet(tuple(Protocol(KEY._replace(scanner=scanner, site=site), {"EchoTime": float(at)}) for at, (scanner, site) in
                              enumerate([("", ""), ("", "site"), ("SN1", "")])))  # fmt: skip
    assert known.find(KEY).expected == {"EchoTime": 2.0}
    assert known.find(KEY._replace(scanner="SN9")).expected == {"EchoTime": 1.0}
    assert known.find(KEY._replace(scanner="SN9", site="x")).expected == {"EchoTime": 0.0}
    assert known.find(KEY._replace(protocol="HEAD / t1")) is not None
    assert known.find(KEY._replace(echo=2)) is None


# -- rows -------------------------------------------------------------------------------------------------------------


def test_rows_of_a_series_with_two_echoes():
    tags = {"Modality": "MR", "DeviceSerialNumber": "SN1", "ProtocolName": "Head", "SeriesDescription": "T2", "SoftwareVersions": ("A", "B"),
            "RepetitionTime": 3000.0, "AcquisitionDate": "20250311", "AcquisitionTime": "122131.5"}  # fmt: skip
    made = rows_of(series(*(image(**tags, EchoTime=te) for te in (80.0, 20.0) for _ in range(3))), "north")
    assert [(one.key, one.values["EchoTime"], one.images) for one in made] == [
        (Key("north", "SN1", "Head / T2", 1), 20.0, 3),
        (Key("north", "SN1", "Head / T2", 2), 80.0, 3),
    ]
    assert (made[0].acquired, made[0].software) == ("20250311122131", "A B")
    assert [Row.from_dict(one.as_dict()) for one in made] == made


def test_one_name_is_not_doubled():
    assert rows_of(series(image(ProtocolName="T1", SeriesDescription="T1")))[0].key.protocol == "T1"
    assert rows_of(series(image(SeriesDescription="T1")))[0].key.protocol == "T1"


# -- TOML -------------------------------------------------------------------------------------------------------------

TEXTS = st.text(max_size=12)
VALUES = st.one_of(st.text(max_size=8), st.integers(-9, 9999), st.floats(-1e6, 1e6), st.tuples(st.floats(0, 9), st.floats(0, 9)))


@given(TEXTS, TEXTS, st.text(min_size=1, max_size=12), st.integers(1, 9), st.dictionaries(st.sampled_from(PARAMETERS), VALUES, min_size=1, max_size=5),
       st.floats(0, 9))  # fmt: skip
def test_what_is_written_is_read_back(site, scanner, name, echo, expected, tolerance):
    protocol = Protocol(
        Key(site, scanner, name, echo), expected, {"EchoTime": Tolerance(tolerance, 0.01, "ms")}, 7, "V\\1", 3, 4, ("Rows",)
    )
    known = ProtocolSet(
        (protocol,), (Vertical("fit", ("a.*", "b"), ("Rows",)),), {**default_tolerances(), "KVP": Tolerance(1.0, 0.0, "kV")}
    )
    assert from_toml(to_toml(known)) == known


def test_the_documented_file_can_be_read():
    import qc.protocol_file

    text = qc.protocol_file.__doc__.partition("\n\n")[2]
    known = from_toml(textwrap.dedent(text))
    assert (len(known.protocols), len(known.vertical)) == (1, 1)
    assert known.tolerances["RepetitionTime"].absolute == 2.0
    assert known.protocols[0].tolerances["EchoTime"].absolute == 0.5


@pytest.mark.parametrize(
    ("text", "mistakes"),
    [
        ("schema = 1", 0),
        ("", 1),
        ("schema = 2", 1),
        ("schema = 1\nnonsense = 3", 1),
        ("schema = [", 1),
        ('schema = 1\n[[protocol]]\nprotocol = "a"', 1),  # nothing expected
        ('schema = 1\n[[protocol]]\nprotocol = ""\necho = 0\nimages = true\nexpected = { Nonsense = 1, EchoTime = true }\nwhat = 1', 6),
        ('schema = 1\n[tolerance.EchoTime]\nabsolute = -1\nrelative = "x"\npercent = 3', 3),
        ('schema = 1\n[tolerance.Nonsense]\nabsolute = 1', 1),
        ('schema = 1\n[[vertical]]\nname = "a"\nseries = ["("]\nparameters = ["Nonsense"]', 2),
        ('schema = 1\n' + '[[protocol]]\nprotocol = "a"\nexpected = { EchoTime = 1 }\n' * 2, 1),  # the same twice
        ('schema = 1\nprotocol = "a"', 1),
        ('schema = 1\n[[protocol]]\nprotocol = "a"\nexpected = { EchoTime = nan }', 1),
    ],
)  # fmt: skip
def test_every_mistake_at_once(text, mistakes):
    if not mistakes:
        from_toml(text)
        return
    with pytest.raises(ConfigurationError) as error:
        from_toml(text, "mine.toml")
    assert len(error.value.problems) == mistakes
    assert all("mine.toml" in problem for problem in error.value.problems)


# -- audits -----------------------------------------------------------------------------------------------------------


def test_across_patients():
    known = ProtocolSet((Protocol(KEY, T1),))
    rows = [row(n) for n in range(8)] + [row(8, EchoTime=20.0), row(9, EchoTime=20.0, FlipAngle=70.0)]
    (audit,) = horizontal(rows, known)
    assert (audit.series, audit.deviating, audit.parameters) == (10, 2, (("EchoTime", 2), ("FlipAngle", 1)))
    assert audit.deviating_series == ("2.25.8", "2.25.9")


def test_across_the_series_of_a_study():
    rule = Vertical("field map", ("gre_field", "ep2d"), ("PixelSpacing", "SliceThickness"))
    known = ProtocolSet((), (rule,))
    field_map = row(1, description="gre_field_map")
    assert (
        list(vertical([field_map, row(2, description="ep2d_bold", EchoTime=30.0), row(3, description="t1", SliceThickness=1.0)], known))
        == []
    )
    assert list(vertical([field_map, row(2, description="ep2d_bold", SliceThickness=None)], known)) == []
    (one,) = vertical([field_map, row(2, description="EP2D_bold", SliceThickness=3.0)], known)
    assert (one.code, one.details["series"]) == ("protocol.vertical", ["2.25.1", "2.25.2"])


def test_software():
    def at(day, software, scanner="SN1"):
        return row(day, KEY._replace(scanner=scanner), software=software, acquired=f"202503{day:02d}")

    rows = [at(1, "A"), at(2, "A"), at(3, "B"), at(4, ""), at(5, "B"), at(3, "C", "SN2")]
    random.Random(1).shuffle(rows)
    (one,) = software_changes(rows)
    assert (one.details["before"], one.details["after"], one.details["first"]) == ("A", "B", "20250303")


def arrivals(*offsets_min):
    """Ten series a day; the scanner's clock is late by the offset of the day, the way takes 2 to 11 minutes."""
    start = dt.datetime(2025, 3, 1, 8)
    for day, offset in enumerate(offsets_min):
        for number, way in enumerate(itertools.islice(itertools.cycle(range(2, 12)), 10)):
            made = start + dt.timedelta(days=day, minutes=10 * number)
            yield Arrival("SN1", made - dt.timedelta(minutes=offset), made + dt.timedelta(minutes=way))


@pytest.mark.parametrize(
    ("offsets", "expected"),
    [
        ((0, 0, 0, 0), []),
        ((0, 3, 0, -2), []),
        ((0, 60, 60, 60), ["protocol.clock_changed"]),  # set an hour back
        ((0, 60, 0, 0), []),  # one slow day is no clock
        ((0, -60, -60, -60), ["protocol.clock_ahead", "protocol.clock_changed"]),
        ((-60, -60, -60), ["protocol.clock_ahead"]),
    ],
)
def test_the_clock_of_the_scanner(offsets, expected):
    assert [one.code for one in clock(arrivals(*offsets))] == expected


# -- as a check -------------------------------------------------------------------------------------------------------


def test_from_a_file_of_protocols(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    save(images, *(dataset(n, "MR", ProtocolName="Head", SeriesDescription="T1", DeviceSerialNumber="SN1") for n in (1, 2, 3)))
    file = tmp_path / "protocols.toml"
    options = {"only": ("protocol",), "parameters": {"protocol": {"file": str(file)}}}
    for te, expected in ((20.0, []), (12.0, [("protocol.deviates", "warn")])):
        file.write_text(f'schema = 1\n[[protocol]]\nprotocol = "Head / T1"\nscanner = "SN1"\nexpected = {{ EchoTime = {te} }}\n')
        assert told(check(images, **options)) == expected
    file.write_text("schema = 9")
    with pytest.raises(ConfigurationError):
        check(images, **options)
    with pytest.raises(ConfigurationError):
        check(images, only=("protocol",), parameters={"protocol": {"file": "not there"}})
    assert told(check(images, only=("protocol",))) == []


def test_series_of_a_study_from_a_file(tmp_path):
    file = tmp_path / "p.toml"
    file.write_text('schema = 1\n[[vertical]]\nname = "fit"\nseries = ["a", "b"]\nparameters = ["SliceThickness"]\n')
    made = []
    for number, (name, thickness) in enumerate((("a map", 3.0), ("b run", 2.0)), 1):
        one = series(image(SeriesDescription=name, SliceThickness=thickness, SeriesNumber=number))
        one.uid = f"2.25.{number}"
        made.append(one)
    spec = fit_together.spec
    assert [one.code for one in spec.run(study(*made), spec.params(file=str(file)))] == ["protocol.vertical"]
