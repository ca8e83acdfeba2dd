"""A simulated day: plausible, repeatable, and each of its faults found by the real checks; and the marks for who looks for them."""

import datetime as dt
import json
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import pydicom
import pytest

from phantoms.synthetic import day_plan, simulate
from phantoms.synthetic.day import write_demo_day
from phantoms.synthetic.faults import FAULTS
from phantoms.synthetic.marking import _trouble, means
from phantoms.synthetic.simulate import score, write_day
from qc.errors import ConfigurationError
from qc.runner import Runner

DATE = dt.date(2026, 2, 28)
pytestmark = pytest.mark.filterwarnings("ignore:Unknown encoding")  # one of the faults


@pytest.fixture(scope="module", params=[0, 1])
def whole_day(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("day")
    return folder, write_day(folder / "day", request.param, DATE, for_training=request.param == 1)


@pytest.fixture
def small_day(monkeypatch):
    """Make a day of few and small studies."""
    monkeypatch.setattr(day_plan, "MORNING", (("MR", dt.time(6, 5), "uniform_disc", {"matrix": (64, 64)}),))
    head = ("ct_head", {"slices": (6,), "matrix": (32,), "scout": (True,)})
    menu = {"CT": (head,) * 4, "DX": (("dx_chest", {"matrix": (32,)}),) * 4, "US": (("us_cine", {"frames": (2,)}),) * 2}
    monkeypatch.setattr(day_plan, "MENU", menu)
    monkeypatch.setattr(simulate, "SHARES", {"slices": 2, "files": 1, "headers": 1})


def files_of(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def headers_of(folder):
    """Study UID -> headers of what pydicom reads without help."""
    studies = defaultdict(list)
    for path in sorted(Path(folder).rglob("IM*")):
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True)
        except pydicom.errors.InvalidDicomError:
            continue
        studies[str(header.StudyInstanceUID)].append(header)
    return studies


# -- the day ----------------------------------------------------------------------------------------------------------


def test_every_fault_of_the_key_is_found_and_nothing_else_fails(whole_day):
    _, key = whole_day
    with Runner() as runner:
        report = runner.paths([Path(key["paths"]["inbox"])])
    found = Counter((finding.subject.study_uid, finding.code, str(finding.status)) for finding in report.findings)
    promised = {(fault["study_uid"], fault["code"], fault["status"]) for fault in key["faults"]}
    assert promised - set(found) == set()
    assert {one for one in found if one[2] in ("fail", "error")} <= promised
    allowed = {(fault["study_uid"], code) for fault in key["faults"] for code in (fault["code"], *FAULTS[fault["fault"]].also)}
    assert {one[:2] for one in found if one[2] == "warn"} <= allowed
    series = {(one.subject.study_uid, one.code): one.subject.series_uid for one in report.findings}
    for fault in key["faults"]:
        named = series[fault["study_uid"], fault["code"]]
        assert fault["series_uid"] in (None, named) or named is None
    assert {one.reason for one in report.skipped} == {"duplicate_file", "not_dicom"}


def test_a_day_is_what_a_department_does(whole_day):
    _, key = whole_day
    assert len(key["studies"]) == 30
    assert (
        len(key["faults"]) == len({fault["study_uid"] for fault in key["faults"]}) == len({fault["code"] for fault in key["faults"]}) == 12
    )
    assert {study["modality"] for study in key["studies"]} == {"MR", "CT", "DX", "US", "NM", "MG"}
    studies = headers_of(key["paths"]["inbox"])
    assert set(studies) == {study["study_uid"] for study in key["studies"]}
    devices = defaultdict(set)
    for study in key["studies"]:
        header = studies[study["study_uid"]][0]
        devices[study["modality"]].add(
            (header.Manufacturer, header.ManufacturerModelName, header.DeviceSerialNumber, header.SoftwareVersions)
        )
        assert all(64 <= size <= 512 for size in (header.Rows, header.Columns))
        if study["fault"] != "future_date":
            assert (header.StudyDate, header.StudyTime[:6]) == ("20260228", dt.datetime.fromisoformat(study["started"]).strftime("%H%M%S"))
    assert all(len(one) == 1 for one in devices.values())
    phantoms = [study for study in key["studies"] if study["recipe"] in ("acr_mri_large", "uniform_pair", "ct_water", "nm_flood")]
    assert len(phantoms) == 4
    assert (
        max(study["started"][11:16] for study in phantoms) < "07:00" < min(s["started"][11:16] for s in key["studies"] if s not in phantoms)
    )
    assert sum(path.stat().st_size for path in Path(key["paths"]["inbox"]).rglob("IM*")) < 120e6


def test_patients_are_people_who_sometimes_come_twice(whole_day):
    _, key = whole_day
    broken = {fault["study_uid"] for fault in key["faults"]}
    visits = defaultdict(list)
    for uid, headers in headers_of(key["paths"]["inbox"]).items():
        if uid not in broken:
            visits[str(headers[0].PatientID)].append((str(headers[0].PatientName), str(headers[0].PatientSex), headers[0].Modality))
    assert all(len({(name, sex) for name, sex, _ in one}) == 1 for one in visits.values())
    assert all(one[0][1] == "F" for one in visits.values() if one[0][2] == "MG")
    people = day_plan.plan(DATE, np.random.default_rng(5))
    names = Counter(examination.patient.patient_id for examination in people if examination.patient)
    assert sorted(names.values())[-5:] == [1, 2, 2, 2, 2]


@pytest.mark.parametrize("seed", range(20))
def test_no_device_examines_two_at_once_and_nobody_is_in_two_rooms(seed):
    plan = day_plan.plan(DATE, np.random.default_rng(seed))
    by_device, by_person = defaultdict(list), defaultdict(list)
    for one in plan:
        assert dt.time(6) <= one.start.time() <= dt.time(17, 30)
        by_device[one.device].append(one)
        if one.patient:
            by_person[one.patient.patient_id].append(one)
            assert one.device != "MG" or one.patient.sex == "F"
    for group in (*by_device.values(), *by_person.values()):
        ordered = sorted(group, key=lambda one: one.start)
        for before, after in pairwise(ordered):
            assert after.start - before.start >= dt.timedelta(minutes=day_plan.MINUTES[before.device] - 1)
    assert [one.end for one in plan] == sorted(one.end for one in plan)


def test_the_manifest_tells_what_the_source_has(whole_day):
    _, key = whole_day
    training = "-key" in key["paths"]["answers"]
    manifest = json.loads(Path(key["paths"]["manifest"]).read_text())
    assert len(manifest["devices"]) == 6
    assert all(all(device.values()) for device in manifest["devices"])
    by_uid = {study["study_uid"]: study for study in key["studies"]}
    for told in manifest["studies"]:
        study = by_uid[told["study_uid"]]
        names = [arrival["file"] for arrival in told["arrivals"]]
        moments = [arrival["at"] for arrival in told["arrivals"]]
        assert moments == sorted(moments)
        assert moments[0] > told["started"]
        assert sorted(names) == sorted(f"{told['folder']}/{path.name}" for path in (Path(key["paths"]["inbox"]) / told["folder"]).iterdir())
        assert told["instances"] == sum(series["instances"] for series in told["series"])
        if not training:
            assert told["instances"] >= study["files"] + study["missing"] - 1  # a copy, or a second object, is one file more
            assert all(len(series["instance_uids"]) == series["instances"] for series in told["series"])
        assert not {"fault", "code", "recipe", "missing", "files"} & set(told)
    if not training:
        (unseen,) = key["only_with_counts"]
        assert unseen["fault"] == "lost_series"
        told = next(one for one in manifest["studies"] if one["study_uid"] == unseen["study_uid"])
        assert told["instances"] == unseen["files"] + unseen["missing"]


def test_no_name_of_a_patient_in_key_or_manifest(whole_day):
    _, key = whole_day
    text = "".join(Path(key["paths"][what]).read_text() for what in ("manifest", "answers"))
    for headers in headers_of(key["paths"]["inbox"]).values():
        assert str(headers[0].PatientName) not in text
        assert str(headers[0].PatientID) not in text
        assert str(headers[0].AccessionNumber) not in text


def test_same_seed_same_files_other_seed_other_studies(small_day, tmp_path):
    first, again, other = (write_day(tmp_path / name, seed, DATE) for name, seed in (("a", 3), ("b", 3), ("c", 4)))
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b")
    assert first["studies"] == again["studies"]
    assert not {s["study_uid"] for s in first["studies"]} & {s["study_uid"] for s in other["studies"]}
    assert json.loads((tmp_path / "a" / "answers.json").read_text()) == {what: value for what, value in first.items() if what != "paths"}
    with pytest.raises(ConfigurationError, match="already"):
        write_day(tmp_path / "a", 3, DATE)
    assert write_day(tmp_path / "d")["date"] == (dt.date.today() - dt.timedelta(days=1)).isoformat()


def test_for_training_nothing_in_the_folder_gives_the_answers_away(small_day, tmp_path):
    key = write_day(tmp_path / "lesson", 3, DATE, for_training=True)
    assert key["paths"]["answers"] == str((tmp_path / "lesson-key" / "answers.json").resolve())
    assert sorted(path.name for path in (tmp_path / "lesson").iterdir()) == ["TASK.txt", "inbox", "manifest.json"]
    assert not key["only_with_counts"]
    names = [path.relative_to(tmp_path / "lesson").as_posix() for path in (tmp_path / "lesson").rglob("*")]
    shown = (tmp_path / "lesson" / "manifest.json").read_text() + " ".join(names)
    for fault in FAULTS.values():
        assert fault.name not in shown
        assert not fault.finding_code or fault.finding_code not in shown
    manifest = json.loads((tmp_path / "lesson" / "manifest.json").read_text())
    for told in manifest["studies"]:
        foreign = next((s for s in key["harmless"] if s["study_uid"] == told["study_uid"] and s["fault"] == "not_dicom"), None)
        assert told["instances"] == len(told["arrivals"]) - bool(foreign)  # lost images are not counted
        assert not any("instance_uids" in series for series in told["series"])


# -- marks ------------------------------------------------------------------------------------------------------------

KEY = {
    "date": "2026-02-28",
    "studies": [
        {
            "study": n,
            "study_uid": f"1.2.{n}",
            "folder": f"study{n:02d}",
            "modality": "CT",
            "started": "2026-02-28T09:05:00",
            "description": "CT",
        }
        for n in range(1, 7)
    ],
    "faults": [
        {"study_uid": f"1.2.{n}", "fault": fault, "code": FAULTS[fault].finding_code, "sentence": FAULTS[fault].meaning}
        for n, fault in ((1, "lost_slice"), (2, "wrong_patient"), (3, "truncated_file"))
    ],
    "only_with_counts": [{"study_uid": "1.2.4", "fault": "lost_series", "code": None, "sentence": "A whole series did not arrive."}],
    "harmless": [{"study_uid": "1.2.5", "fault": "not_dicom", "code": None, "sentence": "A text file lies among the others."}],
}


def test_marks():
    marked = score(
        [
            {"study": 1, "finding": "A slice is missing"},
            {"study": "1.2.2", "finding": "blank image"},
            {"study": "study04", "finding": "a series is missing"},
            {"study": "05", "finding": "not DICOM"},
            {"study": "6", "finding": "pixels.clipped"},
            {"study": "6", "finding": "nothing wrong"},
            {"study": "17", "finding": "missing slice"},
        ],
        KEY,
    )
    verdicts = {(row["study"], row["verdict"]) for row in marked["rows"]}
    assert verdicts == {(1, "found"), (2, "wrong kind"), (3, "missed"), (4, "bonus"), (5, "false alarm"), (6, "false alarm")}
    counts = {what: marked[what] for what in ("faults", "found", "wrong_kind", "missed", "false_alarms", "bonus")}
    assert counts == {"faults": 3, "found": 1, "wrong_kind": 1, "missed": 1, "false_alarms": 2, "bonus": 1}
    assert [one["line"] for one in marked["not_understood"]] == [7]
    assert "1 of 3 faults found" in marked["text"]
    assert "The transfer of one file broke off" in marked["text"]
    assert "A text file lies among the others." in marked["text"]
    assert marked["text"].count("study  ") == 6


def test_more_than_one_answer_for_a_study():
    marked = score([{"study": 1, "finding": ["missing slice", "missing slice", "wrong patient", "slices.missing"]}], KEY)
    assert (marked["found"], marked["false_alarms"], marked["missed"]) == (1, 1, 2)


@pytest.mark.parametrize(
    "text",
    [
        "study,finding\n1,missing slice\n3,file.truncated\n",
        "1;missing slice\n3;truncated\n",
        "\ufeffNumber\tRemark\tCode\n01\tsee image 7\tslices.missing\n\n3\t\tfile.truncated\n",
        "study_uid,code\n1.2.1,slices.missing\n1.2.3,truncated file\n",
    ],
)
def test_tables_as_people_write_them(text, tmp_path):
    (tmp_path / "answers.csv").write_text(text, encoding="utf-8")
    (tmp_path / "answers.json").write_text(json.dumps(KEY))
    marked = score(tmp_path / "answers.csv", tmp_path / "answers.json")
    assert (marked["found"], marked["missed"], marked["false_alarms"], marked["not_understood"]) == (2, 1, 0, [])


@pytest.mark.parametrize(
    "content", [[{"study": 1, "finding": "gap"}], {"answers": [{"study": 1, "code": "slices.missing"}]}, {"1": "lost slice"}]
)
def test_answers_as_json(content, tmp_path):
    (tmp_path / "answers.json").write_text(json.dumps(content))
    assert score(tmp_path / "answers.json", KEY)["found"] == 1


def test_what_cannot_be_read_is_said(tmp_path):
    with pytest.raises(ConfigurationError, match="nowhere"):
        score(tmp_path / "nowhere.csv", KEY)
    (tmp_path / "key.json").write_text("[]")
    with pytest.raises(ConfigurationError, match="no list of faults"):
        score([], tmp_path / "key.json")
    (tmp_path / "answers.json").write_text("{")
    with pytest.raises(ConfigurationError, match="JSON"):
        score(tmp_path / "answers.json", KEY)


def test_an_answer_that_names_everything_names_nothing():
    stuffed = "missing duplicate blank clipped wrong patient truncated date uid orientation"
    marked = score([{"study": 1, "finding": stuffed}], KEY)
    assert (marked["found"], marked["missed"]) == (0, 3)
    assert "too many" in marked["not_understood"][0]["why"]


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if fault.visible or name == "lost_series"])
def test_every_fault_can_be_named_by_code_name_and_words(name):
    fault = FAULTS[name]
    answers = [name.replace("_", " "), name, *([fault.finding_code] if fault.finding_code else []), *fault.words]
    assert all(means(answer, fault) for answer in answers)
    assert not means("the coffee machine", fault)
    for answer in answers:
        assert _trouble(answer) == "", answer


def test_words_that_people_use():
    said = {
        "Slices missing in the middle": "lost_slice",
        "image 12 is black": "blank_slice",
        "Two patients mixed up": "wrong_patient",
        "file was cut off": "truncated_file",
        "same image twice": "duplicate_slice",
        "pixel spacing has a comma": "decimal_comma",
        "study dated in the future": "future_date",
        "scan aborted": "aborted_last_volume",
        "coil shading": "shading_of_phantom",
        "one slice is turned": "mixed_orientation",
    }
    for text, name in said.items():
        assert means(text, FAULTS[name]), text


# -- the demonstration ------------------------------------------------------------------------------------------------


def test_demo_day(tmp_path):
    date = dt.date(2026, 2, 28)
    key = write_demo_day(tmp_path, seed=3, date=date)
    studies = key["studies"]
    assert key["date"] == "2026-02-28"
    assert [study["fault"] for study in studies].count(None) == 4
    of_files = {"slices.missing", "pixels.blank", "identity.two_patients", "file.truncated"}
    of_pixels = {"mr.ghosts", "ct.rings", "radiograph.lines", "pixels.stripes", "slices.misordered"}
    assert {study["code"] for study in studies} == {None, *of_files, *of_pixels}
    assert len({study["study_uid"] for study in studies}) == len(studies) == 13
    for study in studies:
        files = sorted((tmp_path / study["folder"]).iterdir())
        assert len(files) == study["files"]
        read = pydicom.dcmread(files[0], stop_before_pixels=True)
        assert (read.StudyInstanceUID, read.StudyDate) == (study["study_uid"], "20260228")


def test_demo_days_repeat_byte_for_byte_and_two_days_share_no_uid(tmp_path, monkeypatch):
    monkeypatch.setattr("phantoms.synthetic.day.PLAN", (("dx_chest", {"matrix": 32}, "truncated_file"), ("us_cine", {"frames": 1}, None)))
    first, again, other = (write_demo_day(tmp_path / name, date=dt.date(2026, 3, day)) for name, day in (("a", 1), ("b", 1), ("c", 2)))
    assert first == again
    for file in (tmp_path / "a").rglob("IM*"):
        assert file.read_bytes() == (tmp_path / "b" / file.relative_to(tmp_path / "a")).read_bytes()
    assert len({study["study_uid"] for day in (first, other) for study in day["studies"]}) == 4
