"""Sources named in the settings, several at once, from the command line: ping, run, intake, report, compare, against Orthanc."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta

import pytest
from command_line import run_pacsqc
from orthanc_peer import PLUGIN, orthanc
from pacs_peers import free_port, kept, series, tool

pytestmark = pytest.mark.pacs

TODAY = date.today()
STUDY_DAY = (datetime.now() - timedelta(days=1)).date()  # began more than the settling hours ago


@pytest.fixture(scope="module")
def move_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def archive(tmp_path_factory, move_port):
    tool("Orthanc")
    if not PLUGIN.exists():
        pytest.skip("the DICOMweb plug-in of Orthanc is not installed")
    with orthanc(tmp_path_factory.mktemp("orthanc"), {"MOVED": ("127.0.0.1", move_port)}) as one:
        day = {"StudyDate": f"{STUDY_DAY:%Y%m%d}"}
        one.have = [*series("1.2.3.4", 4, **day), *series("1.2.3.5", 3, Modality="US", **day), *series("1.2.3.6", 2, **day)]
        one.push(one.have)
        yield one


def settings_for(folder, archive, move_port, *kinds, more="") -> None:
    dicom = f'host = "127.0.0.1"\nport = {archive.port}\ntitle = "ORTHANC"\n'
    about = {
        "get": f'kind = "dimse"\n{dicom}',
        "move": f'kind = "dimse"\n{dicom}retrieve = "move"\ndestination = "MOVED"\nlisten_host = "127.0.0.1"\nlisten_port = {move_port}\n',
        "web": f'kind = "dicomweb"\nurl = "{archive.dicomweb}"\n',
        "feed": f'kind = "orthanc"\nurl = "http://127.0.0.1:{archive.web}"\n',
    }
    text = "".join(f'[[sources]]\nname = "{kind}"\nmodalities = ["CT"]\n{about[kind]}{more}\n' for kind in kinds)
    (folder / "pacsqc.toml").write_text(text)


@pytest.mark.parametrize("kind", ["get", "move", "web", "feed"])
def test_each_kind_brings_every_wanted_study_once_and_says_why_not_the_other(archive, tmp_path, move_port, kind):
    settings_for(tmp_path, archive, move_port, kind)
    done = run_pacsqc(tmp_path, "run", "--no-prefect", "--json")
    assert done.returncode == 0, done.stderr
    tally = json.loads(done.stdout)
    assert (tally["files"], tally["checked"], tally["not_taken"], tally["incomplete"]) == (6, 2, 1, 0)
    assert len(kept(tmp_path / "pacsqc-data" / "spool")) == 6
    rows = {one["study_uid"]: one for one in json.loads(run_pacsqc(tmp_path, "intake", "--json").stdout)}
    taken = rows["1.2.3.4"]
    assert (taken["state"], taken["verdict"], taken["expected"], taken["here"], taken["counted_by"]) == (
        "reported",
        "complete",
        4,
        4,
        "images",
    )
    assert (rows["1.2.3.5"]["state"], rows["1.2.3.5"]["reason"]) == ("not_taken", "modality")
    assert "US" in rows["1.2.3.5"]["message"]
    (ended,) = json.loads(run_pacsqc(tmp_path, "intake", "1.2.3.4", "--json").stdout)
    assert (ended["status"], ended["completed"], ended["failed"] or 0, ended["came"]) == (0, 4, 0, 4)
    again = json.loads(run_pacsqc(tmp_path, "run", "--no-prefect", "--json").stdout)
    assert (again["files"], again["checked"]) == (0, 0)
    page = (tmp_path / "pacsqc-data" / "reports" / f"daily-{STUDY_DAY}.html").read_text()
    assert "its modalities are US, which the settings leave out" in page


def test_four_at_once_count_each_study_once(archive, tmp_path, move_port):
    settings_for(tmp_path, archive, move_port, "get", "move", "web", "feed")
    pinged = run_pacsqc(tmp_path, "ping", "--json")
    assert pinged.returncode == 0, pinged.stdout
    assert [(one["source"], one["answered"]) for one in json.loads(pinged.stdout)] == [
        (kind, True) for kind in ("get", "move", "web", "feed")
    ]
    done = json.loads(run_pacsqc(tmp_path, "run", "--no-prefect", "--json").stdout)
    assert (done["files"], done["checked"]) == (24, 2)  # four copies of each instance here, two studies
    page = tmp_path / "pacsqc-data" / "reports" / f"daily-{STUDY_DAY}.csv"
    assert not page.exists() or page.read_text()
    same = run_pacsqc(tmp_path, "compare", "get", "web", "--from", f"{STUDY_DAY}")
    assert (same.returncode, same.stdout.splitlines()[-1]) == (0, "No difference.")
    folder = run_pacsqc(tmp_path, "compare", "get", "pacsqc-data/spool/get", "--from", f"{STUDY_DAY}", "--json")
    assert folder.returncode == 1
    assert [(one["level"], one["study"], one["instances"]) for one in json.loads(folder.stdout)["differences"]] == [("study", "1.2.3.5", 3)]


def test_one_that_does_not_answer_does_not_keep_the_others(archive, tmp_path, move_port):
    settings_for(tmp_path, archive, move_port, "get")
    with (tmp_path / "pacsqc.toml").open("a") as file:
        file.write(
            f'[[sources]]\nname = "gone"\nkind = "dimse"\nhost = "127.0.0.1"\nport = {free_port()}\ntitle = "GONE"\nconnect_seconds = 2\n'
        )
    done = run_pacsqc(tmp_path, "run", "--no-prefect", "--json")
    assert done.returncode == 0, done.stderr
    tally = json.loads(done.stdout)
    assert (tally["checked"], tally["unreachable"]) == (2, 1)
    assert "gone" in done.stderr
    pinged = run_pacsqc(tmp_path, "ping")
    assert pinged.returncode == 1
    assert "gone (dimse): no answer" in pinged.stdout
    kept_up = run_pacsqc(tmp_path, "upkeep", "--no-sweep")
    assert "gone has not answered since" in kept_up.stdout
    assert "(2 times)" in kept_up.stdout


def test_through_prefect_it_is_the_same(archive, tmp_path, move_port):
    settings_for(tmp_path, archive, move_port, "web")
    done = run_pacsqc(tmp_path, "run", "--json")
    assert done.returncode == 0, done.stderr
    tally = json.loads(done.stdout)
    assert (tally["files"], tally["checked"], tally["not_taken"]) == (6, 2, 1)


def test_headers_alone_a_share_a_day_and_phantoms_always(archive, tmp_path, move_port):
    rules = '[[sources.rules]]\nmodalities = ["CT"]\nseries_a_day = 1\n'
    settings_for(tmp_path, archive, move_port, "web", more=rules)
    done = json.loads(run_pacsqc(tmp_path, "run", "--no-prefect", "--json").stdout)
    assert done["checked"] == 1
    told = [one["sampled"] for one in json.loads(run_pacsqc(tmp_path, "intake", "--json").stdout)]
    assert sum("1 series of its device were taken that day" in one for one in told) == 1
    page = (tmp_path / "pacsqc-data" / "reports" / f"daily-{STUDY_DAY}.html").read_text()
    assert "0 of 1 series taken whole" in page

    other = tmp_path / "headers"
    other.mkdir()
    settings_for(other, archive, move_port, "web", more='[[sources.rules]]\ntake = "headers"\n')
    done = json.loads(run_pacsqc(other, "run", "--no-prefect", "--json").stdout)
    assert (done["checked"], done["files"]) == (2, 6)
    page = (other / "pacsqc-data" / "reports" / f"daily-{STUDY_DAY}.html").read_text()
    assert "headers only" in page
    assert "no pixel data" not in page
    assert max(path.stat().st_size for path in kept(other / "pacsqc-data" / "spool")) < 2000
