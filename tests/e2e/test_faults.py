"""What goes wrong between us and an archive: the pull is killed at any moment, the line is cut. Nothing is lost, doubled or half."""

from __future__ import annotations

import contextlib
import random
import socket
import subprocess
import sys
import threading
import time
from datetime import datetime
from pathlib import Path

import pytest
from orthanc_peer import PLUGIN, orthanc
from pacs_peers import body, kept, series, wait_for

from flows.dimse import Peer
from flows.sources.dicomweb import DicomwebSource
from flows.sources.dimse import DimseSource
from flows.sources.wanted import Wanted
from flows.spool import INCOMING, Spool
from flows.web import WebPeer
from qc.errors import Transient

pytestmark = pytest.mark.pacs

DAY = datetime(2026, 11, 20)
NOON = DAY.timestamp() + 40_000
KILLS = 10
STUDIES, IMAGES = 12, 6

PULL = """
import sys
from pathlib import Path
from flows.dimse import Peer
from flows.sources.dimse import DimseSource
from flows.spool import Spool
source = DimseSource(Peer("Orthanc", "127.0.0.1", int(sys.argv[1]), "ORTHANC"), Spool(Path(sys.argv[2])), clock=lambda: float(sys.argv[3]))
print("go", flush=True)
source.observe(None)
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    with orthanc(tmp_path_factory.mktemp("orthanc")) as one:
        one.have = [image for at in range(STUDIES) for image in series(f"1.2.3.{at}", IMAGES, size=128, value=at)]
        one.push(one.have)
        yield one


def test_a_pull_that_is_killed_again_and_again_loses_nothing_and_doubles_nothing(archive, tmp_path):
    draw = random.Random(6)
    spool, bodies = tmp_path / "spool", {body(one) for one in archive.have}
    killed, steps = 0, []
    for _ in range(KILLS):
        command = [sys.executable, "-c", PULL, str(archive.port), str(spool), str(NOON)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=Path(__file__).parents[2])
        assert child.stdout.readline() == b"go\n"
        more = (steps[-1] if steps else 0) + draw.randint(0, 6)
        wait_for(lambda enough=more, one=child: one.poll() is not None or len(kept(spool)) >= enough, 30)
        time.sleep(draw.uniform(0, 0.05))
        child.kill()
        killed += child.wait() == -9
        child.stdout.close()
        there = [path for path in kept(spool) if INCOMING not in path.parts]
        assert {body(path) for path in there} <= bodies  # what has a name is whole
        steps.append(len(there))
    assert steps == sorted(steps)  # nothing that was here is gone
    assert killed >= KILLS // 2
    source = DimseSource(Peer("Orthanc", "127.0.0.1", archive.port, "ORTHANC"), Spool(spool), clock=lambda: NOON)
    found, _ = source.observe(None)
    assert sorted(one.sop_uid for one in found.seen) == sorted(one.SOPInstanceUID for one in archive.have)
    assert sorted(body(path) for path in kept(spool)) == sorted(bodies)
    print(f"killed {killed} of {KILLS} times, instances here after each: {steps}; lost 0, twice 0, half 0")


class Line:
    """A line to a port that may be cut or fall silent after so many bytes of answer, or refuse."""

    def __init__(self, port: int) -> None:
        self.to, self.cut_after, self.refuse, self.stall = port, None, False, False
        self._held: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if self.refuse:
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", self.to))
                threading.Thread(target=self._carry, args=(near, far, None), daemon=True).start()
                threading.Thread(target=self._carry, args=(far, near, self.cut_after), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket, limit: int | None) -> None:
        with contextlib.suppress(OSError):
            while piece := one.recv(4096):
                other.sendall(piece if limit is None else piece[:limit])
                if limit is not None:
                    limit -= len(piece)
                    if limit <= 0 and self.stall:
                        self._held += [one, other]  # open, and silent
                        return
                    if limit <= 0:
                        break
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("fault", ["cut", "stall"])
@pytest.mark.parametrize("way", ["dicom", "web"])
def test_a_line_that_is_cut_or_falls_silent_is_said_and_the_next_look_completes(archive, tmp_path, way, fault):
    if way == "web" and not PLUGIN.exists():
        pytest.skip("the DICOMweb plug-in of Orthanc is not installed")
    line = Line(archive.port if way == "dicom" else archive.web)
    line.stall = fault == "stall"
    now = [NOON]
    wanted = Wanted(again_s=0)

    def source():
        if way == "dicom":
            peer = Peer("Orthanc", "127.0.0.1", line.port, "ORTHANC", connect_s=5, answer_s=3 if fault == "stall" else 20)
            return DimseSource(peer, Spool(tmp_path), wanted, clock=lambda: now[0])
        peer = WebPeer("Orthanc", f"http://127.0.0.1:{line.port}/dicom-web", connect_s=5, answer_s=3 if fault == "stall" else 20)
        return DicomwebSource(peer, Spool(tmp_path), wanted, clock=lambda: now[0])

    bodies = {body(one) for one in archive.have}
    line.cut_after = 90_000  # enough for the lists, and for two or three of the six images of a study
    found, cursor = None, None
    with contextlib.suppress(Transient):
        found, cursor = source().observe(None)
    assert {body(path) for path in kept(tmp_path)} <= bodies
    if found is not None:
        incomplete = [one for one in found.standings if one.state == "incomplete"]
        whole = {one.study_uid for one in found.seen}
        assert len(incomplete) + len(whole) == STUDIES  # each is complete, or said to be incomplete
        assert all("1.2.826." in one.message and one.missing for one in incomplete)  # with the missing instances by name
    line.refuse = True
    with pytest.raises(Transient):
        source().observe(cursor)
    line.refuse, line.cut_after = False, None
    now[0] += 100
    found, cursor = source().observe(None)
    line.close()
    assert {one.sop_uid for one in found.seen} == {one.SOPInstanceUID for one in archive.have}
    assert {one.state for one in found.standings} <= {"complete"}
    assert sorted(body(path) for path in kept(tmp_path)) == sorted(bodies)
