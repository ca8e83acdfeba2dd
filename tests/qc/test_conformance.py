"""Types, emptiness and enumerated values from the tables of the standard."""

import warnings
from collections import Counter
from pathlib import Path

import pydicom
import pytest
from header_made import check, dataset, no_secret, save, told

from qc import conformance
from qc.errors import ConfigurationError
from qc.forms import trouble


@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_a_conforming_file_gives_nothing(tmp_path, modality):
    assert told(check(save(tmp_path, *(dataset(n, modality) for n in (1, 2, 3))))) == []


@pytest.mark.parametrize(
    ("modality", "tags", "severity"),
    [
        ("CT", {"PixelSpacing": None}, "blocks"),
        ("CT", {"PixelSpacing": ""}, "blocks"),
        ("CT", {"RescaleSlope": None, "RescaleIntercept": None}, "blocks"),
        ("MR", {"ImageOrientationPatient": None}, "blocks"),
        ("CT", {"ImageType": None}, "breaks"),
        ("CT", {"FrameOfReferenceUID": ""}, "breaks"),
        ("MR", {"ScanningSequence": None}, "breaks"),
        ("CT", {"PatientSex": "X"}, "breaks"),
        ("CT", {"BurnedInAnnotation": "MAYBE"}, "breaks"),
        ("CT", {"ImageType": ["COPIED", "PRIMARY", "AXIAL"]}, "breaks"),
        ("CT", {"Modality": "MR"}, "breaks"),
        ("CT", {"AccessionNumber": None}, "cosmetic"),
        ("CT", {"KVP": None}, "cosmetic"),
        ("CT", {"WindowCenter": 40}, "breaks"),  # WindowWidth is 1C with it
    ],
)
def test_what_is_missing_empty_or_no_legal_value(tmp_path, modality, tags, severity):
    report = check(save(tmp_path, *(dataset(n, modality, **tags) for n in (1, 2, 3))), only=("header.conformance",))
    assert told(report) == [(f"header.standard_{severity}", "warn" if severity == "blocks" else "info")]
    assert report.findings[0].details["count"] == 3
    no_secret(report.findings)


@pytest.mark.parametrize(
    "tags",
    [
        {"PatientSex": "O"},
        {"PatientAge": "001D", "PatientBirthDate": "20250310"},
        {"PatientSex": ""},  # type 2 may be empty
        {"AccessionNumber": ""},
        {"KVP": ""},
        {"WindowCenter": 40, "WindowWidth": 400},
        {"ImageLaterality": "U"},
        {"BurnedInAnnotation": "NO"},
        {"ContrastBolusAgent": ""},
    ],
)
def test_the_legal_neighbours(tmp_path, tags):
    assert told(check(save(tmp_path, *(dataset(n, **tags) for n in (1, 2, 3)))), "header") == []


def test_a_value_of_blanks_is_empty_and_a_binary_zero_is_not(tmp_path):
    made = dataset(ImageType="  ")
    report = check(save(tmp_path, made), only=("header.conformance",))
    assert [one["rule"] for one in report.findings[0].details["deviations"]] == ["empty"]
    (instance,) = report.studies[0].instances()
    assert int(pydicom.datadict.tag_for_keyword("PixelRepresentation")) in instance.presence.filled


def test_at_most_three_lines_and_every_deviation_in_the_details(tmp_path):
    bare = {name: None for name in ("PixelSpacing", "ImageType", "KVP", "StudyID", "FrameOfReferenceUID", "RescaleSlope", "AccessionNumber",
                                    "Manufacturer", "AcquisitionNumber", "StudyTime", "ReferringPhysicianName")}  # fmt: skip
    report = check(save(tmp_path, *(dataset(n, **bare) for n in range(1, 6))), only=("header.conformance",))
    assert len(report.findings) == 3
    assert {one["keyword"] for finding in report.findings for one in finding.details["deviations"]} == set(bare)


def test_same_attributes_share_one_record(tmp_path):
    report = check(save(tmp_path, *(dataset(n) for n in range(1, 6)), dataset(6, KVP="")))
    kinds = {id(one.presence) for one in report.studies[0].instances()}
    assert len(kinds) == 2


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"])
def test_every_native_encoding_shows_the_same_presence(tmp_path, syntax):
    made = dataset(KVP="")
    if syntax.endswith(".2.2"):
        made.PixelData = bytes(128)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = check(save(tmp_path, made, syntax=syntax))
    (instance,) = report.studies[0].instances()
    tags = {int(element.tag) for element in made if element.tag.group != 0x7FE0}
    assert instance.presence.filled | instance.presence.empty == tags
    assert int(pydicom.datadict.tag_for_keyword("KVP")) in instance.presence.empty


def test_a_header_that_is_cut_off_is_not_judged(tmp_path):
    save(tmp_path, dataset())
    path = tmp_path / "0000.dcm"
    path.write_bytes(path.read_bytes()[:800])
    assert told(check(tmp_path), "header.standard") == []


@pytest.mark.parametrize(
    ("vr", "raw", "text"),
    [
        ("DS", b"-123.45678901234567", "longer than 16 characters"),
        ("DS", b"-123.45678901234", None),  # sixteen
        ("DS", b"1\\2\\3.0000000000000001", "longer than 16 characters"),
        ("DS", b"0,5", "not a number"),
        ("DS", b" 5 ", None),
        ("IS", b"1234567890123", "longer than 12 characters"),
        ("IS", b"3.0", "not a whole number"),
        ("CS", b"Axial", "not upper case letters, digits, blank and underscore"),
        ("CS", b"AXIAL_1 2", None),
        ("CS", b"AAAAAAAAAAAAAAAAA", "longer than 16 characters"),
        ("SH", b"a" * 17, "longer than 16 characters"),
        ("SH", b"a" * 16, None),
        ("SH", "ä".encode() * 16, None),  # sixteen characters in 32 bytes
        ("LO", b"a" * 65, "longer than 64 characters"),
        ("LO", b"a" * 40 + b"\\" + b"b" * 40, None),  # two values
        ("LT", b"a" * 40 + b"\\" + b"b" * 40, None),
        ("PN", b"a" * 64 + b"=" + b"b" * 64, None),  # two component groups
        ("PN", b"a" * 65, "longer than 64 characters"),
        ("UI", b"1.2.840.10008.1\0", None),
        ("UI", b"1.2.840.010008.1", "not a UID"),
        ("DA", b"20250230", "not a date"),
        ("TM", b"12", None),
        ("TM", b"122131.5", None),
        ("TM", b"2561", "not a time"),
        ("AS", b"001D", None),
        ("AS", b"42", "not an age"),
        ("DT", b"20250311122131.5+0100", None),
        ("DT", b"2025031112213", "not a date and time"),
    ],
)
def test_form_of_values(vr, raw, text):
    assert trouble(vr, raw, ["utf8"], True) == text


def test_form_is_told_once_for_a_series_and_never_the_value(tmp_path):
    images = [dataset(n, PatientComments="Grault Plugh", InstitutionAddress="x") for n in (1, 2, 3)]
    for one in images:
        one.add_new("StationName", "SH", "Zorblatt's own scanner")  # 22 characters
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = check(save(tmp_path, *images), only=("header.conformance",))
    assert told(report) == [("header.standard_cosmetic", "info")]
    assert "StationName longer than 16 characters" in report.findings[0].message
    no_secret(report.findings)


# -- the allow-list ---------------------------------------------------------------------------------------------------


def test_makers_and_models_are_let_pass(tmp_path):
    images = [dataset(n, AccessionNumber=None, Manufacturer="ACME Medical", ManufacturerModelName="One") for n in (1, 2)]
    folder = save(tmp_path, *images)
    rules = tmp_path / "allowed.toml"
    rules.write_text(
        '[[allow]]\nmanufacturer = "acme"\nmodel = "one"\nattributes = ["AccessionNumber"]\nrules = ["missing"]\nreason = "known"\n'
    )
    only = {"only": ("header.conformance",)}
    assert told(check(folder, **only)) == [("header.standard_cosmetic", "info")]
    assert told(check(folder, parameters={"header.conformance": {"allowed": str(rules)}}, **only)) == []
    rules.write_text(rules.read_text().replace('"one"', '"two"'))
    conformance.allowed.cache_clear()
    assert told(check(folder, parameters={"header.conformance": {"allowed": str(rules)}}, **only)) == [("header.standard_cosmetic", "info")]


def test_identity_that_was_removed_on_purpose(tmp_path):
    gone = {"PatientName": None, "PatientID": None, "AccessionNumber": None}
    told_of = {}
    for removed in ("YES", "NO"):
        folder = tmp_path / removed
        folder.mkdir()
        told_of[removed] = told(check(save(folder, dataset(PatientIdentityRemoved=removed, **gone)), only=("header.conformance",)))
    assert told_of == {"YES": [], "NO": [("header.standard_cosmetic", "info")]}


def test_every_mistake_of_an_allow_list_at_once():
    with pytest.raises(ConfigurationError) as error:
        conformance.read_allowed('[[allow]]\nattributes = ["Nonsense"]\nrules = ["broken"]\nmaker = 1\n', "mine.toml")
    assert len(error.value.problems) == 4  # no such attribute, no such rule, unknown key, no reason


def test_the_built_in_data_hold_together():
    assert conformance.allowed()
    keywords = set()
    for uid in conformance.tables()["classes"]:
        rules = conformance.compiled(uid)
        assert rules.must_be
        keywords |= {keyword for keyword, _ in (*rules.must_be.values(), *rules.must_have_value.values())}
    for part in ("condition", "value"):
        assert all(pydicom.datadict.tag_for_keyword(rule["attribute"]) and rule["section"] for rule in conformance.rules()[part])
    names = {name for rule in (*conformance.rules()["condition"], *conformance.rules()["value"]) for name in rule.get("classes", ())}
    assert names <= set(conformance.tables()["objects"])
    assert set(conformance.rules()["severity"]["cosmetic"]) <= keywords | {"ResonantNucleus", "ApplicableSafetyStandardAgency"}


def test_types_are_those_of_published_modules():
    """Spot checks against PS3.3: C.8.2.1 (CT), C.8.3.1 (MR), C.8.9.1 (PT), C.7.2.1 (study)."""
    types = {uid: {k: t for k, t in conformance.compiled(uid).must_be.values()} for uid in (CT, MR, PT)}
    assert (types[CT]["RescaleSlope"], types[CT]["KVP"], types[CT]["AccessionNumber"]) == ("1", "2", "2")
    assert (types[MR]["ScanningSequence"], types[MR]["EchoTime"], types[MR]["ImagePositionPatient"]) == ("1", "2", "1")
    assert types[PT]["Units"] == "1"
    assert "RescaleSlope" not in types[MR]


def test_conditions_hold_where_the_tables_call_the_attribute_1_or_1c():
    """Of classic CT and MR the ratio of a lossy compression is optional (C.7.6.1, type 3), of enhanced MR it is 1C (C.8.13.1)."""
    tables = conformance.tables()
    used = set()
    for uid, name in tables["classes"].items():
        for rule in conformance.compiled(uid).conditions:
            kinds = {tables["modules"][module].get(rule["attribute"]) for module in tables["objects"][name]}
            assert kinds & {"1", "1C"}, (name, rule["attribute"])
            used.add(rule["attribute"])
    assert used == {rule["attribute"] for rule in conformance.rules()["condition"]}, "a rule that holds nowhere"
    ratio = {uid: any(rule["attribute"] == "LossyImageCompressionRatio" for rule in conformance.compiled(uid).conditions)
             for uid in (CT, MR, "1.2.840.10008.5.1.4.1.1.4.1")}  # fmt: skip
    assert list(ratio.values()) == [False, False, True]


def test_values_enumerated_for_some_objects_are_specified_again_in_modules_of_theirs():
    tables = conformance.tables()
    general = {"general-series", "general-image", "image-pixel"}
    for rule in conformance.rules()["value"]:
        for name in rule.get("classes", ()):
            own = [module for module in tables["objects"][name] if module not in general and rule["attribute"] in tables["modules"][module]]
            assert own or rule.get("own"), (name, rule["attribute"])
    assert not [rule for rule in conformance.rules()["value"] if rule["attribute"] == "DecayCorrection"]  # defined terms, C.8.9.1.1.5


CT, MR, PT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.128"


# -- real images ------------------------------------------------------------------------------------------------------


def real() -> Path:
    import os

    folder = Path(os.environ.get("PACSQC_REAL_DATA") or Path(__file__).parents[3] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip("no real images; name their folder in PACSQC_REAL_DATA")
    return folder


@pytest.mark.real
def test_real_scanner_files_do_not_drown_the_report():
    report = check(real(), only=("header.",))
    lines = Counter(one.subject.series_uid for one in report.findings)
    assert max(lines.values()) <= 4
    standard = Counter(one.subject.series_uid for one in report.findings if one.code.startswith("header.standard"))
    assert max(standard.values()) <= 2
    assert not [one for one in report.findings if one.code == "header.standard_blocks"]
    every = sum(len(conformance.deviations(one)) for study in report.studies for one in study.instances())
    assert every > 500  # so much for telling each by itself
