"""DICOMweb: the cutting of messages, and Orthanc's plug-in as an archive and as a source."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pydicom
import pytest
from orthanc_peer import PLUGIN, orthanc
from pacs_peers import body, free_port, instance, kept, series
from pydicom.uid import JPEG2000Lossless

from flows import inventory
from flows.compare import compare, pacs_contents
from flows.dimse import Pacs, Peer
from flows.multipart import Truncated, parts
from flows.retrieve import retrieve
from flows.sources.dicomweb import DicomwebSource
from flows.spool import Spool
from flows.web import Web, WebPeer
from qc.errors import ConfigurationError, Transient

STUDY = "1.2.3.4"
DAY = datetime(2026, 11, 20)
KIND = 'multipart/related; type="application/dicom"; boundary="b1"'
MESSAGE = b"--b1\r\nContent-Type: application/dicom\r\n\r\none\r\n--b\r\n--b1\r\nA: b\r\n\r\n\r\n\r\ntwo\r\n--b1--\r\n"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_parts_are_cut_right_wherever_the_chunks_end(size):
    chunks = [MESSAGE[at : at + size] for at in range(0, len(MESSAGE), size)]
    assert list(parts(chunks, KIND)) == [b"one\r\n--b", b"\r\n\r\ntwo"]


def test_a_message_that_ends_early_gives_only_what_is_whole():
    for length in range(len(MESSAGE) - 4):
        got = []
        with pytest.raises(Truncated):
            got.extend(parts([MESSAGE[:length]], KIND))
        assert got in ([], [b"one\r\n--b"])


@pytest.mark.parametrize("kind", ["text/html", "multipart/related", ""])
def test_what_is_no_multipart_message_is_said(kind):
    with pytest.raises(Truncated):
        list(parts([b"<html>"], kind))


@contextmanager
def server(answer):
    """An HTTP server that answers each GET with (status, content type, body) of `answer(path, headers)`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, kind, content = answer(self.path, self.headers)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    one = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=one.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{one.server_address[1]}/dicom-web"
    one.shutdown()
    one.server_close()


def test_the_token_comes_from_the_environment(monkeypatch):
    def answer(path, headers):
        return (200 if headers.get("Authorization") == "Bearer secret" else 401), "application/dicom+json", b"[]"

    with server(answer) as url:
        peer = WebPeer("the archive", url, token_variable="PACSQC_TEST_TOKEN")
        with pytest.raises(ConfigurationError, match="PACSQC_TEST_TOKEN"):
            Web(peer)
        monkeypatch.setenv("PACSQC_TEST_TOKEN", "wrong")
        with pytest.raises(ConfigurationError, match="401"):
            Web(peer).echo()
        monkeypatch.setenv("PACSQC_TEST_TOKEN", "secret")
        assert Web(peer).echo() > 0


def test_user_and_password_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("PACSQC_TEST_USER", "u")
    monkeypatch.setenv("PACSQC_TEST_PASSWORD", "p")
    with server(lambda path, headers: (200 if headers.get("Authorization") == "Basic dTpw" else 401, "application/json", b"[]")) as url:
        assert Web(WebPeer("a", url, user_variable="PACSQC_TEST_USER", password_variable="PACSQC_TEST_PASSWORD")).echo() > 0


def test_nobody_there_is_transient():
    with pytest.raises(Transient):
        Web(WebPeer("the archive", f"http://127.0.0.1:{free_port()}/dicom-web")).echo()


def test_an_archive_that_knows_no_offset_is_not_asked_for_ever():
    asked = []

    def answer(path, headers):
        asked.append(path)
        return 200, "application/dicom+json", b'[{"0020000D": {"vr": "UI", "Value": ["1.2.3"]}}]'

    with server(answer) as url, Web(WebPeer("the archive", url)) as web:
        answers, status = web.find("STUDY", {"StudyInstanceUID": "", "StudyDate": "20261120"})
    assert (len(answers), status, len(asked)) == (1, 0, 2)


# -- Orthanc


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    if not PLUGIN.exists():
        pytest.skip("the DICOMweb plug-in of Orthanc is not installed")
    with orthanc(tmp_path_factory.mktemp("orthanc")) as one:
        one.have = [*series(STUDY, 5), *series(STUDY, 3, "b")]
        one.push(one.have)
        yield one


@pytest.mark.pacs
def test_it_says_what_it_has(archive):
    with Web(WebPeer("Orthanc", archive.dicomweb)) as web:
        assert web.echo() < 10
        listed = inventory.studies(web, DAY, DAY).found[STUDY]
        expected = inventory.expected(web, STUDY)
    assert (listed.series, listed.instances, listed.modalities) == (2, 8, ("CT",))
    assert {one.uid for one in expected.images} == {one.SOPInstanceUID for one in archive.have}


@pytest.mark.pacs
def test_a_study_comes_as_it_is_and_is_the_same_as_by_c_get(archive, tmp_path):
    spool = Spool(tmp_path)
    with Web(WebPeer("Orthanc", archive.dicomweb)) as web:
        done = retrieve(web, spool, STUDY)
        done.paths[0].unlink()
        again = retrieve(web, spool, STUDY)
    assert done.state == again.state == "complete"
    assert again.operations[0].completed == 1
    assert {body(path) for path in again.paths} == {body(one) for one in archive.have}
    with Pacs(Peer("Orthanc", "127.0.0.1", archive.port, "ORTHANC")) as pacs:
        _, came = pacs.get({"StudyInstanceUID": STUDY}, spool)
    assert {one.outcome for one in came} == {"same"}
    assert len(kept(tmp_path)) == 8


@pytest.mark.pacs
def test_a_compressed_instance_comes_as_it_is_stored(archive, tmp_path):
    one = instance("1.2.77", "1.2.77.1", StudyDate="20200101")
    one.file_meta.TransferSyntaxUID = JPEG2000Lossless
    one.PixelData = pydicom.encaps.encapsulate([b"\xff\x4f\xff\x51 no real code stream"])
    one["PixelData"].VR, one["PixelData"].is_undefined_length = "OB", True
    archive.push([one])
    with Web(WebPeer("Orthanc", archive.dicomweb)) as web:
        (path,) = retrieve(web, Spool(tmp_path), "1.2.77").paths
    assert body(path) == body(one)


@pytest.mark.pacs
def test_as_a_source(archive, tmp_path):
    source = DicomwebSource(WebPeer("Orthanc web", archive.dicomweb), Spool(tmp_path), clock=lambda: DAY.timestamp() + 40_000)
    found, cursor = source.observe(None)
    assert {one.sop_uid for one in found.seen} == {one.SOPInstanceUID for one in archive.have}
    assert source.expected(STUDY) == 8
    assert source.observe(cursor)[0].seen == []


@pytest.mark.pacs
def test_both_doors_of_one_archive_show_the_same(archive):
    with Pacs(Peer("DICOM", "127.0.0.1", archive.port, "ORTHANC")) as pacs, Web(WebPeer("web", archive.dicomweb)) as web:
        by_dicom, by_web = pacs_contents(pacs, DAY, DAY), pacs_contents(web, DAY, DAY)
    result = compare(by_dicom, by_web)
    assert (len(by_dicom.instances), result.exit_code) == (8, 0)
