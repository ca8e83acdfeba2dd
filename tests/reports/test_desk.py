"""The pages of the review desk, and what people do there: every change leaves its audit record."""

from __future__ import annotations

import re
from typing import Any

import pytest
from desk_made import PASSWORD, csrf_of, people, signed_in
from reports_made import PLANTED, finding, judged, picture, report, run, study, subject, uid, whole_day
from starlette.testclient import TestClient

from qc.results import Status
from reports.store import Store
from reports.web.app import create_app

DAY = "/day/2026-11-25"


@pytest.fixture
def full(store: Store) -> Store:
    whole_day(store)
    people(store)
    return store


def study_of(client: TestClient, title: str) -> str:
    """The address of the study that has a problem."""
    found = re.search(rf'href="(/study/\d+)#[^"]*">{re.escape(title)}<', client.get(f"{DAY}?state=all").text)
    assert found, title
    return found[1]


def form_of(client: TestClient, path: str, problem: str) -> dict[str, str]:
    """The hidden fields of the form about a problem, as the browser would send them."""
    text = client.get(path).text
    found = re.search(rf'name="csrf" value="([^"]+)">\s*<input type="hidden" name="problem" value="{re.escape(problem)}">'
                      rf'<input type="hidden" name="digest" value="([^"]*)">', text)  # fmt: skip
    assert found, problem
    return {"csrf": found[1], "problem": problem, "digest": found[2]}


def test_every_page_answers_every_role_and_names_no_patient(full):
    for login in ("vera", "anna"):
        client = signed_in(full, login)
        paths = ["/devices", "/device/1", "/phantoms", "/sheets", "/protocols", "/aside", "/audit", "/settings", DAY, f"{DAY}/studies"]
        paths += [f"/study/{number}" for number in range(1, 12)] + ["/study/2/header"]
        for path in paths:
            answer = client.get(path)
            assert answer.status_code == 200, path
            assert not [word for word in PLANTED if word in answer.text], path
            assert "<script>" not in answer.text
            assert " style=" not in answer.text
            assert not re.search(r'(src|href)="(https?:)?//', answer.text), path


def test_the_worklist_is_worst_first_and_filters(full):
    client = signed_in(full, "vera")
    text = client.get(DAY).text
    order = [client_title(client), "Slices are missing", "Bright parts are cut off"]  # failed at 07:03, failed at 08:15, a warning
    places = [text.index(f">{title}<") for title in order]
    assert places == sorted(places)
    assert "3 problems are open" in text
    only = client.get(f"{DAY}?status=warn&state=open").text
    assert "Bright parts are cut off" in only
    assert "Slices are missing" not in only
    assert "Nothing matches" in client.get(f"{DAY}?q=nonsense").text
    assert "Slices are missing" in client.get(f"{DAY}?device=MR1&modality=MR&q=slices").text


def test_nothing_of_markup_in_a_header_gets_into_the_page(full):
    client = signed_in(full, "vera")
    text = client.get("/study/4").text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "<script>alert" not in text


def test_a_study_shows_values_limits_pictures_and_where_they_come_from(full):
    client = signed_in(full, "vera")
    path = study_of(client, client_title(client))
    text = client.get(path).text
    assert "86.02 ± 0.20 %" in text
    assert "at least 87.5 %" in text
    assert "acr-mri-2022 1" in text
    assert "acr_mri.piu/1" in text
    address = re.search(r'href="(/evidence/\d+\.png)"', text)
    assert address
    answer = client.get(address[1])
    assert (answer.headers["content-type"], answer.content[:8]) == ("image/png", b"\x89PNG\r\n\x1a\n")
    assert "immutable" in answer.headers["cache-control"]
    assert client.get("/evidence/999.png").status_code == 404


def client_title(client: TestClient) -> str:
    found = re.search(r">([^<>]*: outside its limit)<", client.get(DAY).text)
    assert found
    return found[1]


def test_confirm_dismiss_reopen_comment_assign_each_with_its_record(full):
    client = signed_in(full, "phil")
    path = study_of(client, "Slices are missing")
    say = f"{path}/say"

    def send(kind: str, **more: str) -> Any:
        return client.post(say, data=form_of(client, path, "slices.missing") | {"kind": kind, **more})

    assert send("confirm", text="seen on the console").status_code == 303
    assert "✔ confirmed" in client.get(path).text
    assert "2 problems are open" in client.get(DAY).text
    assert send("dismiss").status_code == 409, "a reason is wanted"
    assert send("reopen", text="was the wrong study").status_code == 303
    assert send("dismiss", text="gap by protocol").status_code == 303
    assert "– dismissed" in client.get(path).text
    assert send("comment", text="told the vendor\nby phone").status_code == 303
    assert send("assign", assignee="berta").status_code == 303
    assert "→ berta" in client.get(f"{DAY}?state=all").text
    assert "Slices are missing" in client.get(f"{DAY}?state=all&assignee=berta").text
    assert send("assign", assignee="nobody.known").status_code == 409
    done = [(entry.who, entry.what, entry.why) for entry in full.audit() if entry.what.startswith("review.")]
    assert done[::-1] == [
        ("phil", "review.confirm", "seen on the console"),
        ("phil", "review.reopen", "was the wrong study"),
        ("phil", "review.dismiss", "gap by protocol"),
        ("phil", "review.comment", "told the vendor\nby phone"),
        ("phil", "review.assign", ""),
    ]
    assert full.audit_broken_at() is None


@pytest.mark.parametrize(("login", "kind", "allowed"), [
    ("vera", "comment", False), ("vera", "confirm", False), ("berta", "confirm", True), ("berta", "comment", True),
    ("berta", "dismiss", False), ("phil", "dismiss", True), ("anna", "dismiss", True),
])  # fmt: skip
def test_who_may_say_what(full, login, kind, allowed):
    digest = form_of(signed_in(full, "phil"), "/study/1", "slices.missing")["digest"]
    client = signed_in(full, login)
    form = {"csrf": csrf_of(client), "problem": "slices.missing", "digest": digest, "kind": kind, "text": "because"}
    assert client.post("/study/1/say", data=form).status_code == (303 if allowed else 403)
    assert bool([entry for entry in full.audit() if entry.what.startswith("review.")]) is allowed


def test_a_verdict_holds_for_what_was_seen_and_no_more(full):
    """The study is checked again and something else comes out: open again, the old verdict beside it."""
    client = signed_in(full, "phil")
    path = study_of(client, "Slices are missing")
    form = form_of(client, path, "slices.missing")
    client.post(f"{path}/say", data=form | {"kind": "confirm"})
    made = study(uid(1), ("localizer", "t1_se_tra"), images=6)
    run(full, report(made, (finding(subject(uid(1), 2), message="1 image is missing"),)))
    new = study_of(client, "Slices are missing")
    assert new != path
    text = client.get(new).text
    assert "● open" in text
    assert "changed since phil looked" in text
    assert "superseded" in client.get(path).text
    assert client.post(f"{new}/say", data=form | {"kind": "confirm"}).status_code == 409, "decided about what stood there before"
    assert client.get(f"/study/uid/{uid(1)}").headers["location"] == new
    run(full, report(study(uid(1), ("localizer", "t1_se_tra"), images=7), (finding(subject(uid(1), 2), message="1 image is missing"),)))
    assert "● open" in client.get(study_of(client, "Slices are missing")).text


def test_a_day_is_signed_with_name_time_meaning_and_shows_when_it_changed(full):
    client = signed_in(full, "berta")
    digest = re.search(r'name="digest" value="([^"]+)"', client.get(DAY).text)
    assert digest
    form = {"csrf": csrf_of(client), "digest": digest[1], "comment": "", "password": PASSWORD}
    assert client.post(f"{DAY}/sign", data=form | {"password": "wrong wrong wrong"}).status_code == 409
    assert "say in the comment why" in client.post(f"{DAY}/sign", data=form).text
    assert not [entry for entry in full.audit() if entry.what == "sign.day"]
    assert client.post(f"{DAY}/sign", data=form | {"comment": "the vendor comes tomorrow"}).status_code == 303
    text = client.get(DAY).text
    assert "<b>Berta Muster</b> (technologist)" in text
    assert "I have looked at every problem of this day" in text
    assert "the vendor comes tomorrow" in text
    assert "Something changed since" not in text
    (entry,) = [entry for entry in full.audit() if entry.what == "sign.day"]
    assert (entry.who, entry.subject) == ("berta", "day:2026-11-25")
    assert entry.after["problems"] == {"open": 3}
    run(full, report(study(uid(77))))
    assert "Something changed since" in client.get(DAY).text
    assert client.post(f"{DAY}/sign", data=form | {"comment": "again"}).status_code == 409, "signed is what was looked at"


def test_a_viewer_cannot_sign(full):
    client = signed_in(full, "vera")
    assert "may not sign" in client.get(DAY).text
    assert "/sign" not in client.get(DAY).text
    form = {"csrf": csrf_of(client), "digest": "x", "comment": "x", "password": PASSWORD}
    assert client.post(f"{DAY}/sign", data=form).status_code == 403
    assert client.post("/study/2/sign", data=form).status_code == 403


def test_a_phantom_run_is_signed_by_a_physicist(store):
    people(store)
    made = study(uid(2), ("ACR T1",), images=11, StudyDescription="Phantom")
    made.series[0].klass = "phantom:acr_mri_large"
    run(store, report(made, (judged(subject(uid(2), 1, 7), 93.4, Status.PASS, evidence=(picture(),)),)))
    technologist, client = signed_in(store, "berta"), signed_in(store, "phil")
    assert "– not yet" in client.get("/phantoms").text
    assert "ACR MRI large" in client.get("/phantoms").text
    assert "Values: 1 passed" in client.get("/phantoms").text
    digest = re.search(r'/study/1/sign".*?name="digest" value="([^"]+)"', client.get("/study/1").text, re.DOTALL)
    assert digest
    form = {"digest": digest[1], "password": PASSWORD, "comment": ""}
    assert technologist.post("/study/1/sign", data=form | {"csrf": csrf_of(technologist)}).status_code == 403
    assert client.post("/study/1/sign", data=form | {"csrf": csrf_of(client)}).status_code == 303
    assert "✍ Phil Muster" in client.get("/phantoms").text
    assert "✍ Phil Muster" not in client.get("/phantoms?signed=no").text
    assert "its results are right" in client.get("/study/1").text
    assert [entry.what for entry in store.audit() if entry.what.startswith("sign")] == ["sign.phantom"]


def test_the_name_behind_a_code_is_for_physicists_and_each_use_is_kept(full):
    asked = []

    def names(code: str) -> list[tuple[str, str]]:
        asked.append(code)
        return [("ZZYZXNAME^QUILLA", "ZZYZXID4711")]

    assert signed_in(full, "berta", names=names).get("/study/1/who").status_code == 403
    client = signed_in(full, "phil", names=names)
    assert "ZZYZX" not in client.get("/study/1/who").text
    form = {"csrf": csrf_of(client)}
    assert client.post("/study/1/who", data=form | {"why": " "}).status_code == 400
    assert asked == []
    answer = client.post("/study/1/who", data=form | {"why": "call the ward"})
    assert "ZZYZXNAME^QUILLA" in answer.text
    assert answer.headers["cache-control"] == "no-store"
    (entry,) = [entry for entry in full.audit() if entry.what == "patient.who"]
    assert (entry.who, entry.why, entry.after["found"]) == ("phil", "call the ward", True)
    assert "ZZYZX" not in str(entry)


def test_files_set_aside_and_incomplete_studies_with_their_reasons(full):
    text = signed_in(full, "vera").get("/aside?day=2026-11-25").text
    assert "IM0100" in text
    assert "Cut off before the end of its header" in text
    assert "Slices are missing" in text
    assert "2 images are missing between image 3 and image 4" in text


def test_the_audit_page_shows_a_broken_chain(full, sqlite_only):
    client = signed_in(full, "vera")
    form = {"csrf": csrf_of(client)}
    assert "rows are as they were written" in client.post("/audit/verify", data=form).text
    with full.writing() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_no_update")
        connection.exec_driver_sql("UPDATE audit SET who = 'somebody' WHERE id = 2")
    assert "Row 2 is not what was written" in client.post("/audit/verify", data=form).text


def test_every_kind_of_audit_record_is_told_in_words(full):
    """Those that the source writes, found by reading it."""
    from pathlib import Path

    from reports.store import reviews
    from reports.web.pages.audit import SAID

    root = Path(__file__).resolve().parents[2]
    written = {
        kind
        for room in ("reports", "flows")
        for path in (root / room).rglob("*.py")
        for call in re.findall(r"(?:\blog|_keep|_change|_add|_take)\(([^()]*(?:\([^()]*\)[^()]*)*)\)", path.read_text())
        for kind in re.findall(r'(?<!f)"([a-z_]+\.[a-z_]+)"', call)
    }
    assert {"by_hand.set", "service.add", "device.rename", "person.add", "work.again", "problem.snooze"} <= written
    written |= {f"{what}.take_back" for what in ("baseline", "left_out", "replaced_scan", "service_event")}
    assert written | {f"review.{kind}" for kind in reviews.KINDS} | {"sign.day", "sign.phantom"} <= set(SAID)
    client = signed_in(full, "phil")
    form = form_of(client, "/study/1", "slices.missing")
    client.post("/study/1/say", data=form | {"kind": "dismiss", "text": "gap by protocol"})
    text = client.get("/audit").text
    assert "dismissed<br>" in text
    assert "{&#34;" not in text, "no bare JSON"


def test_series_that_nothing_is_compared_with_are_not_called_conforming(full):
    rows = [{"section": "checks", "key": "protocols", "value": "", "default": "", "unit": "path", "sentence": "", "allowed": ""}]
    text = signed_in(full, "vera", settings=rows).get("/protocols").text
    assert "No protocols are set" in text
    assert "not compared" in text
    assert "0.0 %" not in text
    rows[0]["value"] = "protocols.toml"
    text = signed_in(full, "vera", settings=rows).get("/protocols").text
    assert "No protocols are set" not in text
    assert "0.0 %" in text


def test_reviews_and_signatures_cannot_be_changed(full):
    import sqlalchemy as sa

    client = signed_in(full, "phil")
    client.post("/study/1/say", data=form_of(client, "/study/1", "slices.missing") | {"kind": "confirm"})
    for statement in ("UPDATE review SET who = 'x'", "DELETE FROM review"):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), full.writing() as connection:
            connection.exec_driver_sql(statement)


def test_an_empty_day_is_not_green(store):
    people(store)
    text = signed_in(store, "vera").get("/day/2026-11-24").text
    assert "Nothing was checked on this day" in text
    assert 'class="verdict nothing"' in text


@pytest.mark.parametrize(
    ("path", "status"), [("/day/yesterday", 400), ("/study/999", 404), ("/device/999", 404), ("/nowhere", 404), ("/study/x", 422)]
)
def test_what_is_not_there_is_said_in_words(full, path, status):
    answer = signed_in(full, "vera").get(path)
    assert answer.status_code == status
    assert "<h1>" in answer.text
    assert "Traceback" not in answer.text


def test_the_api_gives_the_same_data(full):
    client = signed_in(full, "phil")
    assert client.get("/api/v1/days").json() == ["2026-11-25"]
    day = client.get("/api/v1/days/2026-11-25").json()
    assert (day["studies"], day["statuses"]["fail"], len(day["worklist"])) == (11, 2, 3)
    assert [one["status"] for one in day["worklist"]] == ["fail", "fail", "warn"]
    found = client.get(f"/api/v1/studies/{day['worklist'][0]['study']}").json()
    assert {row["code"] for row in found["findings"]} == {"limit.exceeded"}
    assert [(row["value"], row["action_low"]) for row in found["measurements"]] == [(86.02, 87.5)]
    (device,) = [one for one in client.get("/api/v1/devices").json() if one["alias"] == "MR1"]
    first = client.get(f"/api/v1/devices/{device['id']}/measurements?metric=acr_mri.piu&limit=2").json()
    rest = client.get(f"/api/v1/devices/{device['id']}/measurements?metric=acr_mri.piu&after={first['next']}").json()
    ids = [row["id"] for row in first["rows"] + rest["rows"]]
    assert ids == sorted(set(ids))
    assert len(ids) == 8
    assert rest["next"] is None
    assert client.get("/api/v1/skipped").json()["rows"]
    assert client.get("/api/v1/audit").json()["rows"][0]["what"] == "person.add"
    schema = client.get("/api/openapi.json").json()
    assert "/api/v1/days/{day}" in schema["paths"]
    assert not [path for path in schema["paths"] if not path.startswith("/api/v1/")]
    for path in ("days/2026-11-25", f"studies/{day['worklist'][0]['study']}", "skipped", "devices"):
        assert not [word for word in PLANTED if word in client.get(f"/api/v1/{path}").text]


def test_prometheus_can_read_the_metrics(full):
    """Read by the parser of Prometheus' own client library."""
    from prometheus_client.parser import text_string_to_metric_families

    answer = signed_in(full, "vera", open_metrics=True).get("/metrics")
    samples = {(s.name, *s.labels.values()): s.value for family in text_string_to_metric_families(answer.text) for s in family.samples}
    assert samples["pacsqc_newest_day_studies", "fail"] == 2
    assert samples["pacsqc_studies", "done"] == 11
    assert samples["pacsqc_messages_waiting",] == 0


def test_pages_do_not_grow_with_the_store(full):
    """A hundred entries a page, whatever the day holds."""
    for number in range(100, 240):
        made = study(uid(number), images=2, StudyTime=f"{number % 24:02d}1500")
        run(full, report(made, (finding(subject(uid(number)), Status.WARN, "slices.irregular", "uneven"),)))
    client = signed_in(full, "vera")
    text = client.get(DAY).text
    assert text.count('class="go"') == 100
    assert "page 1 of 2" in text
    assert client.get(f"{DAY}?page=2").text.count('class="go"') == 43
    assert client.get(f"{DAY}?page=99").text.count('class="go"') == 43


def test_importing_the_desk_leaves_prefect_out():
    import subprocess
    import sys

    code = "import sys, reports.web.app; print('prefect' in sys.modules, 'pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split() == ["False", "False"]
    assert create_app.__doc__


def test_each_study_stands_on_its_local_day_once(store):
    """Case O02: site at UTC+1, server at UTC; 00:20, 12:00, 23:50, across midnight, and the two days of the change of clocks."""
    people(store)
    times = {
        "20261125": ("002000", "120000", "235000"),  # in UTC the first lies on the 24th
        "20260329": ("013000", "033000"),  # 23 hours
        "20261025": ("023000", "233000"),  # 25 hours
    }
    number = 0
    for day, clocks in times.items():
        for clock in clocks:
            number += 1
            run(store, report(study(uid(number), StudyDate=day, StudyTime=clock)))
    series = study(uid(90), StudyDate="20261125", StudyTime="235500")
    for place, image in enumerate(series.series[0].instances):  # goes on after midnight
        image.tags |= {"AcquisitionDate": "20261125" if place == 0 else "20261126", "AcquisitionTime": "235500" if place == 0 else "000500"}
    run(store, report(series))
    client = signed_in(store, "vera")
    seen = {day: re.findall(r"local times \(([^)]*)\).*?All (\d+) stud", client.get(f"/day/{day}").text, re.DOTALL) for day in
            ("2026-11-24", "2026-11-25", "2026-11-26", "2026-03-28", "2026-03-29", "2026-10-25", "2026-10-26")}  # fmt: skip
    assert seen == {
        "2026-11-24": [], "2026-11-25": [("Europe/Vienna", "4")], "2026-11-26": [], "2026-03-28": [], "2026-03-29": [("Europe/Vienna", "2")],
        "2026-10-25": [("Europe/Vienna", "2")], "2026-10-26": [],
    }  # fmt: skip
    assert re.findall(r"(\d\d:\d\d)</td>", client.get("/day/2026-11-25/studies").text) == ["00:20", "12:00", "23:50", "23:55"]
