"""The JSON and CSV of a report: valid against the schema, in a stable order, in plain types only."""

from __future__ import annotations

import copy
import csv
import io
import json
from datetime import date
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from phantoms.synthetic.catalogue import make
from phantoms.synthetic.encode import write
from phantoms.synthetic.faults import inject
from qc import classify, output
from qc.dicom import Rejected
from qc.results import Finding, Judged, Measurement, Status, Subject, Verdict
from qc.runner import Options, Ran, Report, Runner


@pytest.fixture(scope="module")
def validator():
    schema = output.schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A phantom (measured against limits), a study with a lost slice, an ultrasound clip with frames, and two files that are none."""
    top = tmp_path_factory.mktemp("output")
    write(make("acr_mri_large", 1).datasets, top / "a")
    write(inject("lost_slice", make("ct_head", 2, slices=8).datasets, np.random.default_rng(1)), top / "b")
    write(make("us_cine", 3).datasets, top / "c")
    (top / "notes.txt").write_text("not an image")
    (top / "empty.dcm").touch()
    return top


@pytest.fixture(scope="module")
def report(folder) -> Report:
    with Runner(Options(hash_key=b"k" * 16)) as runner:
        return runner.paths([folder])


@pytest.fixture(scope="module")
def document(report) -> dict:
    return json.loads(json.dumps(output.to_json(report), allow_nan=False))


SERIES = Subject("series", "1.2", "1.2.3", "1.2.3.4", 2, "b/IM2")


def made_up() -> Report:
    """A report whose details hold everything that is no JSON."""
    details = {
        "numpy": np.float32(1.5), "integer": np.int16(3), "flag": np.bool_(True), "array": np.arange(3), "pair": (1, 2.5), "nan": float("nan"),
        "infinite": np.float64("inf"), "set": {"b", "a"}, "day": date(2026, 1, 2), "path": Path("/home/someone/secret/IM1"), "status": Status.WARN,
        "nested": {1: [np.nan]}, "raw": b"\x01", "bad_name": "caf\udce9",
    }  # fmt: skip
    limits = {"action_low": np.float64(1.0), "tolerance_low": None, "tolerance_high": None, "action_high": 2}
    origin = {"set": "s 1", "edition": "", "provenance": "", "confidence": "site"}
    return Report(
        findings=[
            Finding("b.two", Status.WARN, "=cmd()", SERIES, details, check="b"),
            Finding("a.one", Status.FAIL, "worse", SERIES, check="b"),
        ],
        measurements=[
            Judged(
                Measurement("m.x", np.float64(1.25), "mm", SERIES, "slice11", np.float64(0.1), method="m/1"),
                Verdict(Status.PASS, limits, origin),
            ),
            Judged(Measurement("m.x", -1.0, "mm", SERIES, "slice2"), Verdict(Status.PASS, limits, origin)),
            Judged(Measurement("m.x", None, "mm", SERIES, reason="too_dark", details=details), Verdict(Status.NOT_EVALUABLE)),
        ],
        skipped=[Rejected("caf\udce9.txt", "not_dicom", "the file is not DICOM", Path("/home/someone/x"))],
        ran=[Ran("b", 1, SERIES, Status.FAIL, 0.1)],
        given=1,
    )


# -- real output ----------------------------------------------------------------------------------------------------


def test_real_output_is_valid(document, validator):
    validator.validate(document)
    assert document["findings"]
    assert document["measurements"]
    assert any(one["limits"] for one in document["measurements"])


def test_every_file_is_counted_once(document, folder):
    given = sum(path.is_file() for path in folder.rglob("*"))
    instances = sum(series["instances"] for study in document["studies"] for series in study["series"])
    assert instances + len(document["skipped"]) == given
    assert {one["reason"] for one in document["skipped"]} == {"not_dicom", "empty"}


def test_no_path_of_the_machine_and_no_patient(document, folder, report):
    text = json.dumps(document)
    assert str(folder) not in text
    for study in report.studies:
        for instance in study.instances():
            for keyword in ("PatientName", "PatientID"):
                assert str(instance.get(keyword)) not in text


def test_frames_and_classes(document):
    classes = {series["class"]: series for study in document["studies"] for series in study["series"]}
    assert "phantom:acr_mri_large" in classes
    assert classes["cine"]["frames"] > classes["cine"]["instances"] == 1


def test_same_files_in_another_order_give_the_same_document(folder, document):
    with Runner(Options(hash_key=b"k" * 16)) as runner:
        again = output.to_json(runner.paths([folder]))
    assert json.dumps(again, allow_nan=False) == json.dumps(document, allow_nan=False)


def test_every_failed_measurement_has_its_finding(document):
    failed = [one for one in document["measurements"] if one["status"] == "fail"]
    assert len(failed) == sum(one["code"] == "limit.exceeded" for one in document["findings"])


def test_schema_knows_the_classes():
    allowed = output.schema()["$defs"]["series"]["properties"]["class"]["anyOf"][0]["enum"]
    assert set(allowed) == set(classify.CLASSES)
    assert output.schema()["$defs"]["status"]["enum"] == [status.value for status in Status]


def test_schema_explains_every_key():
    """Each property is described, by itself or by the definition it names."""

    def walk(node, path):
        for name, child in node.get("properties", {}).items():
            target = output.schema()["$defs"][child["$ref"].rpartition("/")[2]] if "$ref" in child else child
            assert child.get("description") or target.get("description"), f"{path}.{name} is not described"
            walk(child, f"{path}.{name}")
            walk(child.get("items", {}), f"{path}.{name}[]")

    walk(output.schema(), "")
    for name in ("series", "subject", "finding", "measurement"):
        walk(output.schema()["$defs"][name], name)


# -- plain types and order ------------------------------------------------------------------------------------------


def test_only_plain_types(validator):
    document = output.to_json(made_up())
    validator.validate(json.loads(json.dumps(document, allow_nan=False)))
    details = document["findings"][1]["details"]
    assert details == {
        "numpy": 1.5, "integer": 3, "flag": True, "array": [0, 1, 2], "pair": [1, 2.5], "nan": None, "infinite": None, "set": ["a", "b"],
        "day": "2026-01-02", "path": "IM1", "status": "warn", "nested": {"1": [None]}, "raw": "01", "bad_name": "caf?",
    }  # fmt: skip
    assert {type(value) for value in details.values()} <= {float, int, bool, list, str, dict, type(None)}
    assert type(document["measurements"][0]["value"]) is float or document["measurements"][0]["value"] is None
    json.dumps(document).encode("utf-8")


def test_worst_first_then_natural_order():
    document = output.to_json(made_up())
    assert [one["code"] for one in document["findings"]] == ["a.one", "b.two"]
    assert [one["region"] for one in document["measurements"]] == ["", "slice2", "slice11"]


# -- documents that must fail ---------------------------------------------------------------------------------------


def _wrong(change):
    document = json.loads(json.dumps(output.to_json(made_up())))
    document["studies"] = [
        {
            "study_uid": "1.2",
            "series": [{"series_uid": "1.2.3", "modality": "MR", "description": "", "class": "image", "instances": 1, "frames": 1}],
        }
    ]
    before = copy.deepcopy(document)
    change(document)
    assert document != before
    return before, document


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.pop("skipped"),
        lambda d: d.update(schema=2),
        lambda d: d.update(more=1),
        lambda d: d["software"].pop("version"),
        lambda d: d["findings"][0].update(status="bad"),
        lambda d: d["findings"][0].update(code="Not A Code"),
        lambda d: d["findings"][0].pop("message"),
        lambda d: d["findings"][0].update(extra=1),
        lambda d: d["findings"][0]["subject"].update(frame=0),
        lambda d: d["findings"][0]["subject"].update(patient="X"),
        lambda d: d["measurements"][1].update(value="1.2"),
        lambda d: d["measurements"][1].update(value=None),
        lambda d: d["measurements"][1].update(reason="why"),
        lambda d: d["measurements"][0].update(reason=None),
        lambda d: d["measurements"][0].update(value=3.0),
        lambda d: d["measurements"][1].update(unit=""),
        lambda d: d["measurements"][1].update(uncertainty=-1),
        lambda d: d["measurements"][1]["limits"].pop("action_low"),
        lambda d: d["measurements"][1].update(limits=None),
        lambda d: d["measurements"][1].update(criteria=None),
        lambda d: d["measurements"][1]["criteria"].update(confidence="sure"),
        lambda d: d["studies"][0]["series"][0].update({"class": "stack"}),
        lambda d: d["studies"][0]["series"][0].update(instances=0),
        lambda d: d["studies"][0].update(series=[]),
        lambda d: d["skipped"][0].pop("reason"),
        lambda d: d["checks"][0].update(version="1"),
    ],
)
def test_wrong_documents_fail(change, validator):
    right, wrong = _wrong(change)
    validator.validate(right)
    assert not validator.is_valid(wrong)


# -- CSV ------------------------------------------------------------------------------------------------------------


def test_csv_has_a_row_for_each_result(report, document):
    rows = list(csv.DictReader(io.StringIO(output.to_csv(report))))
    assert tuple(rows[0]) == output.COLUMNS
    kinds = {kind: [row for row in rows if row["kind"] == kind] for kind in ("finding", "measurement", "skipped")}
    assert [row["name"] for row in kinds["finding"]] == [one["code"] for one in document["findings"]]
    assert len(kinds["measurement"]) == len(document["measurements"])
    assert len(kinds["skipped"]) == len(document["skipped"])
    for row, one in zip(kinds["measurement"], document["measurements"], strict=True):
        assert (float(row["value"]) if row["value"] else None) == one["value"]  # full precision
        assert row["class"]
    judged = next(row for row in kinds["measurement"] if row["criteria_set"])
    assert judged["action_low"]


def test_csv_disarms_formulas_but_not_numbers():
    rows = list(csv.DictReader(io.StringIO(output.to_csv(made_up()))))
    assert rows[1]["message"] == "'=cmd()"
    assert rows[3]["value"] == "-1.0"
