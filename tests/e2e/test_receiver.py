"""The receiver against senders that behave and senders that do not."""

from __future__ import annotations

import datetime
import ipaddress
import logging
import os
import socket
import threading
from pathlib import Path
from types import SimpleNamespace

import pydicom
import pytest
from pacs_peers import body, free_port, instance, kept, run, series, tool, uids, wait_for, write
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, JPEG2000Lossless, generate_uid
from pynetdicom import AE, evt
from pynetdicom.sop_class import StorageCommitmentPushModel, Verification

from flows import spool as spool_module
from flows.network import Tls
from flows.receiver import COMMITMENT_INSTANCE, ReceiverOptions, serve
from flows.sources.folder import FolderSource
from flows.spool import Spool
from qc.errors import ConfigurationError

pytestmark = pytest.mark.pacs

STUDY = "1.2.3.4"


@pytest.fixture
def receive(tmp_path):
    """Start receivers with options; they are stopped at the end."""
    started = []

    def start(on_kept=None, **options):
        one = serve(ReceiverOptions(tmp_path / "spool", host="127.0.0.1", port=0, **{"least_free": 0, **options}), on_kept)
        started.append(one)
        return one

    yield start
    for one in started:
        one.stop()


def connect(receiver, title: str = "SCANNER", syntaxes=(ExplicitVRLittleEndian,), classes=(CTImageStorage,), called="PACSQC", **more):
    ae = AE(title)
    for uid in classes:
        ae.add_requested_context(uid, list(syntaxes))
    return ae.associate("127.0.0.1", receiver.port, ae_title=called, **more)


def send(receiver, instances, **how) -> list[int]:
    association = connect(receiver, **how)
    assert association.is_established
    answers = [association.send_c_store(one) for one in instances]
    association.release()
    return [answer.get("Status", -1) for answer in answers]


def test_what_is_sent_is_kept_with_the_bytes_as_they_came(receive, tmp_path):
    receiver = receive()
    sent = series(STUDY, 3)
    assert send(receiver, sent) == [0, 0, 0]
    found = kept(tmp_path / "spool")
    assert {body(path) for path in found} == {body(one) for one in sent}
    first = pydicom.dcmread(found[0])
    assert first.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert first.file_meta.MediaStorageSOPInstanceUID == first.SOPInstanceUID
    assert receiver.counts == {"new": 3}


def test_a_compressed_instance_is_not_touched(receive, tmp_path):
    one = instance(STUDY, "1.2.3.4.5")
    one.file_meta.TransferSyntaxUID = JPEG2000Lossless
    one.PixelData = pydicom.encaps.encapsulate([b"\xff\x4f\xff\x51 no real code stream"])
    one["PixelData"].VR, one["PixelData"].is_undefined_length = "OB", True
    assert send(receive(), [one], syntaxes=(JPEG2000Lossless,)) == [0]
    (path,) = kept(tmp_path / "spool")
    assert body(path) == body(one)
    assert pydicom.dcmread(path).file_meta.TransferSyntaxUID == JPEG2000Lossless


def test_classes_nobody_has_heard_of_are_taken(receive, tmp_path):
    private = generate_uid()
    one = instance(STUDY, "1.2.3.4.5", SOPClassUID=private)
    one.file_meta.MediaStorageSOPClassUID = private
    assert send(receive(), [one], classes=(private,)) == [0]
    assert len(kept(tmp_path / "spool")) == 1


def test_the_same_instance_twice_is_kept_once_and_is_a_success(receive, tmp_path):
    receiver = receive()
    one = instance(STUDY, "1.2.3.4.5")
    assert send(receiver, [one, one]) == [0, 0]
    assert send(receiver, [one], title="OTHER") == [0]
    assert len(kept(tmp_path / "spool")) == 1
    assert receiver.counts == {"new": 1, "same": 2}


def test_p07_the_same_uid_with_other_bytes_is_kept_beside_it(receive, tmp_path):
    told = []
    receiver = receive(on_kept=lambda title, one: told.append((title, one.outcome)))
    first, second = instance(STUDY, "1.2.3.4.5", uid="1.2.3.9"), instance(STUDY, "1.2.3.4.6", uid="1.2.3.9", value=7)
    assert send(receiver, [first, second, second, first]) == [0, 0, 0, 0]
    assert {body(path) for path in kept(tmp_path / "spool")} == {body(first), body(second)}
    assert told == [("SCANNER", "new"), ("SCANNER", "other"), ("SCANNER", "same"), ("SCANNER", "same")]
    assert len(receiver.spool.every(["1.2.3.9"])["1.2.3.9"]) == 2


def test_many_senders_of_the_same_at_once(receive, tmp_path):
    receiver = receive()
    sent = series(STUDY, 20)
    threads = [threading.Thread(target=send, args=(receiver, sent)) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert {body(path) for path in kept(tmp_path / "spool")} == {body(one) for one in sent}
    assert receiver.counts == {"new": 20, "same": 60}


def test_a_full_disk_is_answered_and_leaves_nothing(receive, tmp_path, monkeypatch):
    receiver = receive(least_free=1000)
    free = {"now": 999}
    monkeypatch.setattr(spool_module.shutil, "disk_usage", lambda _: SimpleNamespace(free=free["now"]))
    one = instance(STUDY, "1.2.3.4.5")
    assert send(receiver, [one]) == [0xA700]
    assert kept(tmp_path / "spool") == []
    free["now"] = 5000
    assert send(receiver, [one]) == [0]
    assert receiver.counts == {"no_room": 1, "new": 1}


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
def test_a_disk_that_fills_while_writing(receive, tmp_path, monkeypatch):
    receiver = receive()
    real = os.fsync

    def full(handle):
        with open("/dev/full", "wb", buffering=0) as file:
            file.write(b"x")  # raises what the system raises: ENOSPC

    monkeypatch.setattr(spool_module.os, "fsync", full)
    one = instance(STUDY, "1.2.3.4.5")
    assert send(receiver, [one]) == [0xA700]
    assert kept(tmp_path / "spool") == []
    monkeypatch.setattr(spool_module.os, "fsync", real)
    assert send(receiver, [one]) == [0]


def test_an_abort_in_the_middle_of_an_instance_leaves_nothing_of_it(receive, tmp_path):
    receiver = receive(max_pdu=4096)
    whole, cut = instance(STUDY, "1.2.3.4.5", 1), instance(STUDY, "1.2.3.4.5", 2, size=512)
    association = connect(receiver)
    assert association.send_c_store(whole).Status == 0
    seen = []

    def hang_up(event):
        seen.append(1)
        if len(seen) > 4:  # some fragments of the data set are out
            association.dul.socket.socket.shutdown(socket.SHUT_RDWR)

    association.bind(evt.EVT_DATA_SENT, hang_up)
    answer = association.send_c_store(cut)
    assert len(seen) > 4
    assert "Status" not in answer
    assert wait_for(lambda: not receiver._ae.active_associations)
    assert {body(path) for path in kept(tmp_path / "spool")} == {body(whole)}
    assert send(receiver, [cut]) == [0]


def test_only_callers_on_the_list_may_send(receive):
    receiver = receive(callers=("SCANNER", "PACS"), strict_title=True)
    assert send(receiver, [instance(STUDY, "1.2.3.4.5")], title="PACS") == [0]
    assert connect(receiver, title="STRANGER").is_rejected
    assert connect(receiver, called="ANOTHER").is_rejected


def test_more_associations_than_allowed_are_rejected_for_now(receive):
    receiver = receive(max_associations=2)
    open_ones = [connect(receiver) for _ in range(2)]
    third = connect(receiver)
    assert third.is_rejected
    assert third.acceptor.primitive.result == 0x02  # transient: try again
    for one in open_ones:
        one.release()
    assert wait_for(lambda: not receiver._ae.active_associations)
    assert send(receiver, [instance(STUDY, "1.2.3.4.5")]) == [0]


def test_the_length_of_pdus_is_ours_to_say(receive):
    association = connect(receive(max_pdu=16000))
    assert association.acceptor.maximum_length == 16000
    association.release()


@pytest.mark.parametrize("uid", ["../../../etc/x", ".hidden", "1.2/3", "1.2 3", "9" * 64])
def test_no_uid_leads_out_of_the_folder(tmp_path, uid):
    spool = Spool(tmp_path / "spool")
    path = spool.path_of(uid)
    assert path.resolve().is_relative_to((tmp_path / "spool").resolve())
    assert path.parent.parent == tmp_path / "spool"
    assert not path.name.startswith(".")
    assert path != spool.path_of(uid.replace("/", "_").replace(" ", "_").lstrip(".") + "0")
    assert spool.keep(uid, [b"x"]).outcome == "new"


def test_different_uids_never_share_a_file(tmp_path):
    spool = Spool(tmp_path / "spool")
    assert len({spool.path_of(uid) for uid in ("1.2/3", "1.2_3", "1.2 3", "1.2\\3")}) == 4


def test_what_a_killed_process_left_is_swept_and_what_a_living_one_writes_is_not(tmp_path):
    done = run("python3", "-c", "import os; print(os.getpid())")
    dead = int(done.stdout)
    spool = Spool(tmp_path / "spool")
    mine = spool._incoming / f"{spool._owner}.1.part"
    mine.write_bytes(b"half")
    owner = bytes.fromhex(spool._owner).decode().split("|")
    left = spool._incoming / ("|".join([owner[0], str(dead), owner[2]]).encode().hex() + ".1.part")
    left.write_bytes(b"half")
    Spool(tmp_path / "spool")
    assert mine.exists()
    assert not left.exists()


def test_without_hard_links_it_still_never_writes_over(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "no links here")

    monkeypatch.setattr(spool_module.os, "link", refuse)
    spool = Spool(tmp_path / "spool")
    assert [spool.keep("1.2", [data]).outcome for data in (b"a", b"a", b"b", b"b", b"a")] == ["new", "same", "other", "same", "same"]
    assert len(kept(tmp_path / "spool")) == 2


def test_identifiers_do_not_reach_the_log(receive, caplog):
    caplog.set_level(logging.DEBUG)
    receiver = receive()
    one = instance(STUDY, "1.2.3.4.5")
    assert send(receiver, [one]) == [0]
    assert "SECRET" not in caplog.text
    assert str(one.SOPInstanceUID) not in caplog.text


def test_an_error_of_the_listener_of_ours_makes_the_sender_keep_it(receive):
    def broken(title, one):
        raise RuntimeError("the ledger is away")

    assert send(receive(on_kept=broken), [instance(STUDY, "1.2.3.4.5")])[0] >= 0xC000


def test_a_port_that_is_taken_is_said_plainly(receive, tmp_path):
    first = receive()
    with pytest.raises(ConfigurationError, match=f"cannot listen at 127.0.0.1:{first.port}"):
        serve(ReceiverOptions(tmp_path / "spool", host="127.0.0.1", port=first.port))


def test_a_title_that_is_none_is_said_plainly(tmp_path):
    with pytest.raises(ConfigurationError, match="AE title"):
        serve(ReceiverOptions(tmp_path / "spool", host="127.0.0.1", port=0, title="much too long a title"))


def test_the_folder_source_takes_what_was_received_and_no_part_of_it_half(receive, tmp_path):
    receiver = receive()
    sent = series(STUDY, 2)
    send(receiver, sent)
    (receiver.spool._incoming / "zz.part").write_bytes(b"half")
    source = FolderSource(tmp_path / "spool", 0.0, tmp_path / "unpacked")
    found, _ = source.observe(None)
    assert {one.sop_uid for one in found.seen} == {str(one.SOPInstanceUID) for one in sent}
    assert found.waiting == 1
    assert found.skipped == []


# -- storage commitment ---------------------------------------------------------------------------------------------


def ask_commitment(receiver, uids_asked, handlers):
    ae = AE("SCANNER")
    ae.add_requested_context(StorageCommitmentPushModel)
    association = ae.associate("127.0.0.1", receiver.port, ae_title="PACSQC", evt_handlers=handlers)
    asked = Dataset()
    asked.TransactionUID = generate_uid()
    asked.ReferencedSOPSequence = []
    for uid in uids_asked:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CTImageStorage, uid
        asked.ReferencedSOPSequence.append(item)
    status, _ = association.send_n_action(asked, 1, StorageCommitmentPushModel, COMMITMENT_INSTANCE)
    return association, status, asked.TransactionUID


def listener(heard):
    def take(event):
        heard.append((event.event_type, event.event_information))
        return 0x0000, None

    return [(evt.EVT_N_EVENT_REPORT, take)]


@pytest.mark.parametrize("configured", [False, True])
def test_storage_commitment_says_what_is_kept_and_what_is_not(receive, configured):
    heard, port = [], free_port()
    receiver = receive(commitment={"SCANNER": ("127.0.0.1", port)} if configured else {})
    one = instance(STUDY, "1.2.3.4.5")
    send(receiver, [one])
    server = None
    if configured:
        ae = AE("SCANNER")
        ae.add_supported_context(StorageCommitmentPushModel)
        server = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=listener(heard))
    association, status, transaction = ask_commitment(receiver, [one.SOPInstanceUID, "1.2.9.9"], [] if configured else listener(heard))
    assert status.Status == 0
    assert wait_for(lambda: heard)
    association.release()
    if server:
        server.shutdown()
    kind, answer = heard[0]
    assert kind == 2
    assert answer.TransactionUID == transaction
    assert [item.ReferencedSOPInstanceUID for item in answer.ReferencedSOPSequence] == [one.SOPInstanceUID]
    assert [(item.ReferencedSOPInstanceUID, item.FailureReason) for item in answer.FailedSOPSequence] == [("1.2.9.9", 0x0112)]


# -- TLS ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path) -> tuple[Path, Path]:
    pytest.importorskip("cryptography")
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = serialization.Encoding.PEM
    (tmp_path / "cert.pem").write_bytes(made.public_bytes(form))
    private = key.private_bytes(form, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "key.pem").write_bytes(private)
    return tmp_path / "cert.pem", tmp_path / "key.pem"


def test_tls_with_certificates_on_both_sides(receive, certificate):
    receiver = receive(tls=Tls(*certificate, trusted=certificate[0]))
    good = Tls(*certificate, trusted=certificate[0]).context(server=False)
    assert send(receiver, [instance(STUDY, "1.2.3.4.5")], tls_args=(good, "127.0.0.1")) == [0]
    assert not connect(receiver).is_established  # without TLS
    nameless = Tls(trusted=certificate[0]).context(server=False)
    association = connect(receiver, tls_args=(nameless, "127.0.0.1"))
    assert not association.is_established


def test_a_certificate_that_is_not_there_is_said_plainly(tmp_path):
    with pytest.raises(ConfigurationError, match="TLS"):
        Tls(tmp_path / "no.pem", tmp_path / "no.key").context(server=True)


# -- dcmtk ----------------------------------------------------------------------------------------------------------


@pytest.mark.pacs
def test_dcmtk_pushes_and_pings(receive, tmp_path):
    storescu, echoscu = tool("storescu"), tool("echoscu")
    receiver = receive()
    sent = series(STUDY, 25)
    write(tmp_path / "out", sent)
    assert run(echoscu, "-aec", "PACSQC", "127.0.0.1", str(receiver.port)).returncode == 0
    done = run(storescu, "-aec", "PACSQC", "-R", "+sd", "127.0.0.1", str(receiver.port), str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert uids(kept(tmp_path / "spool")) == {str(one.SOPInstanceUID) for one in sent}
    assert receiver.counts["new"] == 25


def test_echo_is_answered(receive):
    association = connect(receive(), classes=(Verification,))
    assert association.send_c_echo().Status == 0
    association.release()
