"""One patient a study, and no patient in any output."""

import json

import pytest
from qc_made import codes as codes_of
from qc_made import dataset, instance, results, save, series

from qc.checks.identity import one_patient
from qc.identity import keyed_hash, normalise, patient_hash
from qc.output import to_csv, to_json
from qc.results import Status
from qc.study import Study
from qc.values import Problem

ME = {"PatientID": "4711", "PatientName": "Quux^Zorblatt", "PatientBirthDate": "19510607", "PatientSex": "F"}


def study(*people, key=b"k"):
    """A study with one series a person."""
    rows = []
    for number, tags in enumerate(people, start=1):
        made = series([instance((0, 0, z), z, **{"SeriesNumber": number, **ME, **tags}) for z in range(3)])
        made.uid = f"1.2.{number}"
        rows.append(made)
    return Study("1.2.3.1", rows, key)


def found(*people):
    return [(one.code, one.status.value) for one in results(one_patient, study(*people))]


OTHER = {"PatientID": "4712", "PatientName": "Grault^Plugh", "PatientBirthDate": "19620101", "PatientSex": "M"}


@pytest.mark.parametrize(
    ("other", "code", "status"),
    [
        ({}, None, None),
        (OTHER, "identity.two_patients", "fail"),
        ({"PatientID": "4712"}, "identity.two_patients", "fail"),
        ({**OTHER, "PatientID": None}, "identity.two_patients", "fail"),  # two names and two birth dates
        ({"PatientID": " 4711 "}, None, None),
        ({"PatientName": "QUUX^ZORBLATT^^"}, None, None),
        ({"PatientName": "Quux, Zorblatt"}, None, None),
        ({"PatientName": "Quux^Zorblatt^^Dr=漢字"}, "identity.spelling", "warn"),
        ({"PatientName": "Qüux^Zorblatt"}, None, None),  # an accent
        ({"PatientName": "Quax^Zorblatt"}, "identity.spelling", "warn"),
        ({"PatientBirthDate": "19510706"}, "identity.demographics_differ", "warn"),
        ({"PatientSex": "M"}, "identity.demographics_differ", "warn"),
        ({"PatientSex": None}, None, None),
        ({"PatientBirthDate": None}, None, None),
        ({"IssuerOfPatientID": "HOSPITAL"}, "identity.issuer_differs", "info"),  # dcm4chee-arc-light 4508
    ],
)
def test_two_series_of_one_study(other, code, status):
    assert found({}, other) == ([(code, status)] if code else [])


def test_case_h06_says_which_series_belongs_to_whom_by_hash():
    (one,) = results(one_patient, study({}, OTHER, {}))
    me, them = keyed_hash(b"k", "4711"), keyed_hash(b"k", "4712")
    assert one.details["patients"] == {me: ["1", "3"], them: ["2"]}
    assert f"patient {me} in series 1, 3" in one.message


def test_case_h03_a_name_that_cannot_be_read_is_nobody_else():
    garbled = study({}, {"PatientName": "ÐŸÑ‘Ñ‚Ñ€"})
    for row in garbled.series[1].instances:
        row.problems.append(Problem("header.character_set", "SpecificCharacterSet", "ISO 2022 IR 6, IS"))
    assert results(one_patient, garbled) == []


def test_study_dates_and_series_numbers():
    two_days = study({"StudyDate": "20250311"}, {"StudyDate": "20250312"})
    assert codes_of(results(one_patient, two_days)) == {"study.date_differs": 1}
    twice = study({"SeriesDescription": "a", "SeriesNumber": 1}, {"SeriesDescription": "b", "SeriesNumber": 1})
    (one,) = results(one_patient, twice)
    assert (one.code, one.status) == ("study.series_number_repeated", Status.INFO)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Müller^Jörg", "MULLER^JORG", True),
        ("Quux^Zorblatt^^^", " quux  zorblatt ", True),
        ("Yamada^Tarou=山田^太郎", "Yamada^Tarou", True),
        ("Quux^Z", "Quux^Y", False),
        (None, "", True),
    ],
)
def test_names_that_mean_the_same(one, other, same):
    assert (normalise(one) == normalise(other)) is same


def test_hashes_are_keyed_short_and_do_not_join_parts():
    assert keyed_hash(b"k", "4711") == keyed_hash(b"k", " 4711")
    assert keyed_hash(b"k", "4711") != keyed_hash(b"j", "4711")
    assert keyed_hash(b"k", "47", "11") != keyed_hash(b"k", "4711")
    assert len(keyed_hash(b"k", "4711")) == 10
    row = instance(**ME)
    assert patient_hash(row, b"k") == keyed_hash(b"k", "4711")


def test_hashes_of_two_runs_differ_unless_a_key_is_given(tmp_path, check):
    save(dataset(1), tmp_path / "1.dcm")
    save(dataset(2, PatientID="OTHER"), tmp_path / "2.dcm")
    told = [check(tmp_path, **options).findings[-1].message for options in ({}, {}, {"hash_key": b"k"}, {"hash_key": b"k"})]
    assert told[0] != told[1]
    assert told[2] == told[3]


# -- privacy --------------------------------------------------------------------------------------------------------

SECRETS = ("Zorblatt", "Quux", "XYZZY", "19510607", "424242", "Grault", "PLUGH", "19620102", "535353", "1951-06-07", "Wibble")


@pytest.fixture
def planted(tmp_path):
    """A study with every fault that could tempt a message to quote the patient."""
    second = {"PatientName": "Grault^Wibble", "PatientID": "PLUGH-1", "PatientBirthDate": "19620102", "AccessionNumber": "535353"}
    save(dataset(1), tmp_path / "a" / "1.dcm")
    save(dataset(2, PatientBirthDate="20990607"), tmp_path / "a" / "2.dcm")  # in the future
    save(dataset(3, SpecificCharacterSet="ISO_IR 999"), tmp_path / "a" / "3.dcm")
    save(dataset(4, StudyDate="19500101", StudyID="XYZZY"), tmp_path / "a" / "4.dcm")
    save(dataset(5, SeriesInstanceUID="1.2.3.1.2", SeriesNumber=2, **second), tmp_path / "b" / "1.dcm")
    save(dataset(1, SOPInstanceUID="1.2.3.9.5", **second), tmp_path / "b" / "2.dcm")  # a collision
    save(dataset(6, PatientName="Zorblatt^Wibble"), tmp_path / "a" / "6.dcm")
    whole = save(dataset(7), tmp_path / "a" / "7.dcm")
    whole.write_bytes(whole.read_bytes()[:-100])
    (tmp_path / "a" / "8.dcm").write_bytes(whole.read_bytes()[:700])
    return tmp_path


def leaks(text):
    return [secret for secret in SECRETS if secret.casefold() in text.casefold()]


@pytest.mark.filterwarnings("ignore:Unknown encoding")
def test_no_patient_in_any_output(planted, check):
    report = check(planted)
    assert {"identity.two_patients", "file.uid_collision", "header.character_set", "file.truncated"} <= {
        one.code for one in report.findings
    }
    for part in (report.findings, report.measurements, report.studies, report.skipped, report.ran, report):
        assert leaks(repr(part)) == []
        assert leaks(str(part)) == []
    assert leaks(json.dumps(to_json(report), ensure_ascii=False)) == []
    assert leaks(to_csv(report)) == []
    for study_of in report.studies:
        for row in study_of.instances():
            assert leaks(repr(row) + str(row) + repr(row.frames) + row.frames[0].label) == []


@pytest.mark.parametrize("birth", ["1951-06-07", "07.06.1951", "7 June 1951"])
def test_a_birth_date_that_is_no_date_is_not_quoted(tmp_path, check, birth):
    save(dataset(1), tmp_path / "1.dcm")
    data = (
        (tmp_path / "1.dcm")
        .read_bytes()
        .replace(b"DA\x08\x0019510607", b"DA" + bytes([len(birth + " ") & ~1, 0]) + birth.encode().ljust(len(birth + " ") & ~1))
    )
    (tmp_path / "1.dcm").write_bytes(data)
    report = check(tmp_path)
    (finding,) = [one for one in report.findings if one.code == "header.date"]
    assert finding.details["keyword"] == "PatientBirthDate"
    assert "1951" not in json.dumps(to_json(report))


def test_a_birth_date_that_is_no_date_stands_in_no_repr(tmp_path, check):
    save(dataset(1), tmp_path / "1.dcm")
    (tmp_path / "1.dcm").write_bytes((tmp_path / "1.dcm").read_bytes().replace(b"19510607", b"1951/6/7"))
    assert "1951/6/7" not in repr(check(tmp_path))


def test_a_name_in_the_field_of_the_birth_date_is_not_quoted(tmp_path, check):
    save(dataset(1), tmp_path / "1.dcm")
    (tmp_path / "1.dcm").write_bytes((tmp_path / "1.dcm").read_bytes().replace(b"19510607", b"ZORBLATT"))
    assert leaks(json.dumps(to_json(check(tmp_path)))) == []
