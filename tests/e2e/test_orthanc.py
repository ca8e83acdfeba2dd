"""Pulling from a real archive: Orthanc on loopback, by C-GET, by C-MOVE to our receiver, and as a source that is looked at again."""

from __future__ import annotations

from datetime import datetime

import pydicom
import pytest
from orthanc_peer import orthanc
from pacs_peers import body, instance, kept, series, uids
from pydicom.uid import JPEG2000Lossless

from flows import inventory
from flows.dimse import Pacs, Peer
from flows.receiver import ReceiverOptions, serve
from flows.retrieve import retrieve
from flows.sources.dimse import DimseSource
from flows.sources.wanted import Rule, Wanted
from flows.spool import Spool

pytestmark = pytest.mark.pacs

STUDY, OTHER = "1.2.3.4", "1.2.3.5"
DAY = datetime(2026, 11, 20)


@pytest.fixture(scope="module")
def receiver(tmp_path_factory):
    options = ReceiverOptions(tmp_path_factory.mktemp("received"), host="127.0.0.1", port=0, least_free=0)
    with serve(options) as one:
        yield one


@pytest.fixture(scope="module")
def archive(tmp_path_factory, receiver):
    with orthanc(tmp_path_factory.mktemp("orthanc"), {"PACSQC": ("127.0.0.1", receiver.port)}) as one:
        one.have = [*series(STUDY, 5), *series(STUDY, 3, "b")]
        one.push(one.have)
        yield one


def peer(archive, **how) -> Peer:
    return Peer("Orthanc", "127.0.0.1", archive.port, "ORTHANC", **how)


def test_it_is_there_and_says_what_it_has(archive):
    with Pacs(peer(archive)) as pacs:
        assert pacs.echo() < 10
        listed = inventory.studies(pacs, DAY, DAY).found[STUDY]
        expected = inventory.expected(pacs, STUDY)
    assert (listed.series, listed.instances, listed.modalities) == (2, 8, ("CT",))
    assert (expected.total, expected.source) == (8, "images")
    assert {one.uid for one in expected.images} == {one.SOPInstanceUID for one in archive.have}


def test_get_keeps_the_bytes(archive, tmp_path):
    with Pacs(peer(archive)) as pacs:
        done = retrieve(pacs, Spool(tmp_path), STUDY)
    assert done.state == "complete"
    assert {body(path) for path in done.paths} == {body(one) for one in archive.have}
    assert (done.operations[0].status, done.operations[0].completed) == (0, 8)


def test_move_to_our_receiver(archive, receiver):
    with Pacs(peer(archive, retrieve="move", destination="PACSQC")) as pacs:
        done = retrieve(pacs, receiver.spool, STUDY)
        again = retrieve(pacs, receiver.spool, STUDY)
    assert done.state == again.state == "complete"
    assert again.operations == []
    assert {body(path) for path in done.paths} == {body(one) for one in archive.have}


def test_only_what_is_missing_is_asked_for(archive, tmp_path):
    spool = Spool(tmp_path)
    with Pacs(peer(archive)) as pacs:
        for path in retrieve(pacs, spool, STUDY).paths[:3]:
            path.unlink()
        done = retrieve(pacs, spool, STUDY)
    assert done.state == "complete"
    assert sum(one.completed for one in done.operations) == 3


def test_an_unknown_destination_is_said_after_one_request(archive, tmp_path):
    """Orthanc does not answer 0xA801 but with a failure that could mean anything: the text names the destination."""
    nowhere = peer(archive, retrieve="move", destination="NOWHERE")
    source = DimseSource(nowhere, Spool(tmp_path), clock=lambda: DAY.timestamp() + 40_000)
    with Pacs(nowhere) as pacs:
        done = retrieve(pacs, source.spool, STUDY)
    assert (done.state, done.lacking, len(done.operations)) == ("incomplete", 8, 1)
    assert done.operations[0].status not in (0, None)
    found, _ = source.observe(None)
    assert found.seen == []
    assert found.waiting == 8
    assert [(one.state, one.expected, one.here, len(one.missing)) for one in found.standings] == [("incomplete", 8, 0, 8)]
    assert "8 of 8 instances" in found.standings[0].message
    assert "'NOWHERE'" in found.standings[0].message


def test_a_compressed_instance_comes_as_it_is_stored(archive, tmp_path):
    one = instance("1.2.77", "1.2.77.1", StudyDate="20200101")
    one.file_meta.TransferSyntaxUID = JPEG2000Lossless
    one.PixelData = pydicom.encaps.encapsulate([b"\xff\x4f\xff\x51 no real code stream"])
    one["PixelData"].VR, one["PixelData"].is_undefined_length = "OB", True
    archive.push([one])
    with Pacs(peer(archive)) as pacs:
        done = retrieve(pacs, Spool(tmp_path), "1.2.77")
    assert done.state == "complete"
    (path,) = done.paths
    assert pydicom.dcmread(path).file_meta.TransferSyntaxUID == JPEG2000Lossless
    assert body(path) == body(one)


def test_as_a_source_each_instance_is_seen_once_and_late_ones_are_seen(tmp_path):
    with orthanc(tmp_path / "orthanc") as archive:
        first = series(STUDY, 4)
        archive.push(first[:3])
        archive.push([instance(OTHER, OTHER + ".1", Modality="US")])
        source = DimseSource(peer(archive), Spool(tmp_path / "spool"), Wanted(frozenset({"CT"})), clock=lambda: DAY.timestamp() + 40_000)
        found, cursor = source.observe(None)
        assert {one.sop_uid for one in found.seen} == {one.SOPInstanceUID for one in first[:3]}
        assert found.skipped == []
        stand = {one.study_uid: (one.state, one.reason) for one in found.standings}
        assert stand == {STUDY: ("complete", ""), OTHER: ("not_taken", "modality")}
        assert (found.waiting, found.more, source.expected(STUDY)) == (0, False, 3)
        assert all(path.exists() for path in source.fetch([one.path for one in found.seen]))
        found, cursor = source.observe(cursor)
        assert found.seen == []
        archive.push(first[3:])  # a late one
        found, cursor = source.observe(cursor)
        assert {one.sop_uid for one in found.seen} == {one.SOPInstanceUID for one in first}
        assert source.expected(STUDY) == 4
        assert uids(kept(tmp_path / "spool")) == {one.SOPInstanceUID for one in first}
        lost, again = source.observe(None)  # a lost cursor costs time, nothing else
        assert {one.path for one in lost.seen} == {one.path for one in found.seen}
        assert again == cursor


def test_headers_alone_by_a_query_of_the_images(archive, tmp_path):
    wanted = Wanted(rules=(Rule(take="headers"),))
    source = DimseSource(peer(archive), Spool(tmp_path), wanted, clock=lambda: DAY.timestamp() + 40_000)
    found, _ = source.observe(None)
    assert {one.sop_uid for one in found.seen} == {one.SOPInstanceUID for one in archive.have}
    (stands,) = (one for one in found.standings if one.study_uid == STUDY)
    assert (stands.state, stands.retrieves) == ("complete", ())  # not a single image was sent
    assert stands.sampled == "0 of 2 series taken whole; 2 with headers only"
    heads = [pydicom.dcmread(path) for path in kept(tmp_path)]
    assert {(one.StudyInstanceUID, one.Modality, one.Rows) for one in heads} == {(STUDY, "CT", 16)}
    assert not any("PixelData" in one for one in heads)
