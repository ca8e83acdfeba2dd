"""The receiver: takes what a PACS or a scanner pushes, and answers success only when the instance is on the disk.

It decodes nothing. The data set goes to the file as it came; whoever reads it finds out what is wrong with it. It knows
neither Prefect nor the database: the folder it fills is looked at like any other (`flows.sources.folder`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.dataset import Dataset
from pynetdicom import ALL_TRANSFER_SYNTAXES, evt
from pynetdicom.sop_class import StorageCommitmentPushModel, Verification  # type: ignore[attr-defined]
from pynetdicom.transport import ThreadedAssociationServer

from flows.network import Tls, entity, hasten
from flows.spool import DiskFull, Flush, Kept, Spool, file_head
from qc.errors import ConfigurationError

log = logging.getLogger(__name__)

SUCCESS, OUT_OF_RESOURCES, CANNOT_UNDERSTAND = 0x0000, 0xA700, 0xC000
COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1.1"
NO_SUCH_INSTANCE = 0x0112
GRACE_S = 5.0


@dataclass(frozen=True)
class ReceiverOptions:
    """How the receiver listens.

    Attributes
    ----------
    port
        0 takes a free one.
    callers
        AE titles that may send; none: everybody may.
    strict_title
        Refuse associations that call us by another title.
    max_pdu
        Bytes; 0 is without limit, the fastest.
    least_free
        Bytes of disk below which nothing is taken.
    idle_s
        An association that is silent for so long is ended.
    commitment
        Where the results of storage commitment go, by AE title of who asked: host and port. Who is not named here is
        answered on the association that asked.
    flush
        When what came is on the disk (`flows.spool.Spool`).
    """

    folder: Path
    title: str = "PACSQC"
    host: str = "0.0.0.0"
    port: int = 11112
    callers: tuple[str, ...] = ()
    strict_title: bool = False
    max_associations: int = 20
    max_pdu: int = 0
    least_free: int = 1 << 30
    idle_s: float = 60.0
    tls: Tls | None = None
    commitment: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    flush: Flush = "each"


class Receiver:
    """A receiver that is listening. `counts` has what came: ``new``, ``same``, ``other``, ``no_room``, ``failed``, ``aborted``, ``refused``."""

    def __init__(
        self,
        options: ReceiverOptions,
        on_kept: Callable[[str, Kept], None] | None = None,
        spool: Spool | None = None,
        on_refused: Callable[[str], None] | None = None,
    ) -> None:
        self.options = options
        self.spool = spool or Spool(options.folder, options.least_free, flush=options.flush)
        self.on_kept = on_kept
        self.on_refused = on_refused
        self.counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._server = self._listen()

    @property
    def port(self) -> int:
        """The port it listens at."""
        return int(self._server.server_address[1])

    def stop(self) -> None:
        """Take no new association, give those that are open a moment to end, then end them."""
        self._server.shutdown()
        until = time.monotonic() + GRACE_S
        while self._ae.active_associations and time.monotonic() < until:
            time.sleep(0.05)
        self._ae.shutdown()

    def __enter__(self) -> Receiver:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _listen(self) -> ThreadedAssociationServer:
        options = self.options
        ae = self._ae = entity(options.title)
        ae.require_called_aet = options.strict_title
        ae.require_calling_aet = list(options.callers)
        ae.maximum_associations = options.max_associations
        ae.maximum_pdu_size = options.max_pdu
        ae.network_timeout = ae.dimse_timeout = options.idle_s
        ae.acse_timeout = min(30.0, options.idle_s)
        # Storage needs no list here: whatever class is asked for is taken, in whatever transfer syntax (flows.network.prepare).
        ae.add_supported_context(Verification, ALL_TRANSFER_SYNTAXES)
        ae.add_supported_context(StorageCommitmentPushModel, ALL_TRANSFER_SYNTAXES[:4])
        handlers: list = [
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_N_ACTION, self._commit),
            (evt.EVT_ABORTED, self._aborted),
            (evt.EVT_REJECTED, self._refused),
            (evt.EVT_ESTABLISHED, lambda event: hasten(event.assoc, waiting=False)),
        ]
        context = options.tls.context(server=True) if options.tls else None
        try:
            server = ae.start_server((options.host, options.port), block=False, ssl_context=context, evt_handlers=handlers)
        except OSError as error:
            raise ConfigurationError(f"the receiver cannot listen at {options.host}:{options.port} ({error.strerror or error})") from error
        assert server is not None
        return server

    def _count(self, what: str) -> None:
        with self._lock:
            self.counts[what] += 1

    def _aborted(self, event: evt.Event) -> None:
        self._count("aborted")

    def _refused(self, event: evt.Event) -> None:
        """Say whose association was not taken: a sender that nobody entered is found out here."""
        self._count("refused")
        title = str(event.assoc.requestor.ae_title).strip()
        log.warning("an association of %r was refused: it is not among the callers that the settings allow, or too many are open", title)
        if self.on_refused is not None:
            self.on_refused(title)

    def _store(self, event: evt.Event) -> int:
        """Keep one instance; the answer is given when it is on the disk."""
        request = event.request
        sop_uid = str(request.AffectedSOPInstanceUID or "")
        if not sop_uid or request.DataSet is None:
            self._count("failed")
            return CANNOT_UNDERSTAND
        head = file_head(str(request.AffectedSOPClassUID), sop_uid, str(event.context.transfer_syntax))
        try:
            with request.DataSet.getbuffer() as body:  # not copied
                kept = self.spool.keep(sop_uid, (head, body))
        except DiskFull:
            log.error("the disk of the receiver is full: instances are refused, the senders keep them")
            self._count("no_room")
            return OUT_OF_RESOURCES
        except OSError as error:
            log.error("the receiver cannot write: %s", error.strerror)
            self._count("failed")
            return OUT_OF_RESOURCES  # the sender keeps it and tries again
        self._count(kept.outcome)
        if self.on_kept is not None:
            self.on_kept(str(event.assoc.requestor.ae_title), kept)
        return SUCCESS

    # -- storage commitment -----------------------------------------------------------------------------------------

    def _commit(self, event: evt.Event) -> tuple[int, Dataset | None]:
        """Answer a request for storage commitment: now that it was heard, and after that what is kept and what is not."""
        if event.request.RequestedSOPInstanceUID != COMMITMENT_INSTANCE or event.action_type != 1:
            return NO_SUCH_INSTANCE, None
        answer = self._committed(event.action_information)
        threading.Thread(target=self._report, args=(event.assoc, answer), daemon=True).start()
        return SUCCESS, None

    def _committed(self, asked: Dataset) -> Dataset:
        """Sort the instances into those that are kept and those that are not (PS3.4 J.3.3)."""
        kept, missing = [], []
        for item in asked.get("ReferencedSOPSequence", []):
            one = Dataset()
            one.ReferencedSOPClassUID = item.ReferencedSOPClassUID
            one.ReferencedSOPInstanceUID = item.ReferencedSOPInstanceUID
            if self.spool.holds(str(item.ReferencedSOPInstanceUID)):
                kept.append(one)
            else:
                one.FailureReason = NO_SUCH_INSTANCE
                missing.append(one)
        answer = Dataset()
        answer.TransactionUID = asked.TransactionUID
        answer.ReferencedSOPSequence = kept
        if missing:
            answer.FailedSOPSequence = missing
        return answer

    def _report(self, association, answer: Dataset) -> None:
        """Send the result: to the address that is configured for who asked, else back on the association that asked."""
        kind = 2 if "FailedSOPSequence" in answer else 1
        known = self.options.commitment.get(association.requestor.ae_title.strip())
        try:
            if known is None:
                time.sleep(0.1)  # the answer to the request goes first
                association.send_n_event_report(answer, kind, StorageCommitmentPushModel, COMMITMENT_INSTANCE)
                return
            ae = entity(self.options.title)
            ae.add_requested_context(StorageCommitmentPushModel)
            back = ae.associate(*known, ae_title=association.requestor.ae_title)
            if back.is_established:
                back.send_n_event_report(answer, kind, StorageCommitmentPushModel, COMMITMENT_INSTANCE)
                back.release()
        except (RuntimeError, ValueError) as error:
            log.warning("the result of a storage commitment could not be delivered: %s", error)


def serve(
    options: ReceiverOptions, on_kept: Callable[[str, Kept], None] | None = None, on_refused: Callable[[str], None] | None = None
) -> Receiver:
    """Start a receiver and return it; it works in threads of its own.

    Parameters
    ----------
    on_kept
        Called after each instance, with the AE title of the sender. What it raises makes the sender keep the instance.
    on_refused
        Called with the AE title of who was not let in.
    """
    return Receiver(options, on_kept, on_refused=on_refused)
