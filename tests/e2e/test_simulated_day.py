"""`pacsqc simulate day` and `pacsqc run`: each fault of the key is found with its code, and nothing else failed."""

from __future__ import annotations

import json

from flows import demo, settings


def test_each_fault_is_found_with_its_code_and_nothing_else_failed(day):
    assert day.done.returncode == 0, day.done.stdout + day.done.stderr
    with settings.overridden(data_folder=day.data) as chosen:
        rows = demo.marks(chosen, day.key)
    assert len(rows) >= 28
    assert sum(bool(row.planted) for row in rows) == len(day.key["faults"]) >= 10
    wrong = [row for row in rows if not row.good]
    assert not wrong, "\n".join(map(str, wrong))


def test_a_missed_fault_and_a_false_alarm_are_seen(day):
    """The comparison itself can fail: hold the results against a key that says something else."""
    key = json.loads(json.dumps(day.key))
    broken = next(study for study in key["studies"] if study["code"] and study["status"] == "fail")
    fine = next(study for study in key["studies"] if not study["code"])
    broken["code"], broken["fault"], broken["status"] = None, None, None
    fine["code"], fine["fault"], fine["status"] = "slices.missing", "lost_slice", "fail"
    with settings.overridden(data_folder=day.data) as chosen:
        bad = {row.folder: row.verdict for row in demo.marks(chosen, key) if not row.good}
    assert bad == {broken["folder"]: "FALSE ALARM", fine["folder"]: "MISSED"}


def test_every_file_is_accounted_for(day):
    files = sum(1 for path in (day.folder / "day" / "inbox").rglob("*") if path.is_file())
    assert files == sum(study["files"] for study in day.key["studies"])
    told = day.done.stdout.splitlines()[0]
    came = int(told.split(":")[1].split()[0])
    aside = int(told.partition("Set aside: ")[2].split()[0]) if "Set aside" in told else 0
    assert came + aside == files


def test_every_study_has_its_line_in_the_report(day):
    text = "".join(path.read_text(encoding="utf-8") for path in (day.data / "reports").glob("daily-*.html"))
    for study in day.key["faults"]:
        assert study["study_uid"] in text, study["fault"]
