"""What every DICOM conversation of ours has in common: what pynetdicom may log, TLS, who we are."""

from __future__ import annotations

import logging
import select
import ssl
from dataclasses import dataclass
from pathlib import Path

from pydicom.uid import UID
from pynetdicom import AE, _config
from pynetdicom.association import Association
from pynetdicom.transport import AssociationSocket

from qc.errors import ConfigurationError

IMPLEMENTATION_UID = UID("2.25.97404898244596080701091943270244474277")
IMPLEMENTATION_NAME = "PACSQC"

PIECE = 1 << 18
WAIT_S = 0.0003


def prepare() -> None:
    """Make pynetdicom keep identifiers of patients out of the log, and take every storage class there is, private ones too."""
    _config.LOG_HANDLER_LEVEL = "none"
    _config.LOG_REQUEST_IDENTIFIERS = False
    _config.LOG_RESPONSE_IDENTIFIERS = False
    _config.UNRESTRICTED_STORAGE_SERVICE = True
    # Its errors come with the response or as our own exceptions; what it writes besides may quote a peer's data set.
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Tls:
    """Certificates. `trusted` are those of the other side; None means that the other side shows none (server) or the system's (client)."""

    certificate: Path | None = None
    key: Path | None = None
    trusted: Path | None = None

    def context(self, *, server: bool) -> ssl.SSLContext:
        """Return what a socket is wrapped with.

        Raises
        ------
        ConfigurationError
            If a file cannot be read, or a server has no certificate.
        """
        if server and self.certificate is None:
            raise ConfigurationError("TLS: a receiver needs a certificate and its key")
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.key)
            if self.trusted is not None:
                context.load_verify_locations(self.trusted)
            elif not server:
                context.load_default_certs()
        except OSError as error:
            raise ConfigurationError(f"TLS: certificate or key cannot be used ({error})") from error
        if server and self.trusted is not None:
            context.verify_mode = ssl.CERT_REQUIRED
        return context


def entity(title: str) -> AE:
    """Return an application entity of ours.

    Raises
    ------
    ConfigurationError
        If the title is none: 1 to 16 characters of ASCII.
    """
    prepare()
    try:
        one = AE(title)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"AE title {title!r}: 1 to 16 characters of ASCII, not only blanks") from error
    one.implementation_class_uid = IMPLEMENTATION_UID
    one.implementation_version_name = IMPLEMENTATION_NAME
    return one


class _Patient(AssociationSocket):
    """A line that is read in large pieces."""

    def recv(self, nr_bytes: int) -> bytearray:
        """Read so many bytes; fewer where the other side hangs up, or falls silent in the middle of them."""
        read = bytearray()  # grows with what comes: the length that the other side announces is not believed
        while self.socket is not None and len(read) < nr_bytes:
            try:
                piece = self.socket.recv(min(nr_bytes - len(read), PIECE))
            except TimeoutError:  # what is incomplete ends the association
                break
            if not piece:
                break
            read += piece
        return read


class _Watchful(_Patient):
    """And that is waited for a little, where it is asked whether something is there."""

    @property
    def ready(self) -> bool:
        """Whether something can be read."""
        if self.socket is None or not self._is_connected:
            return False
        if isinstance(self.socket, ssl.SSLSocket) and self.socket.pending():
            return True
        try:
            return bool(select.select([self.socket], [], [], WAIT_S)[0])
        except (OSError, ValueError):
            self.event_queue.put("Evt17")  # the connection is closed
            return False


def hasten(association: Association, *, waiting: bool) -> None:
    """Have an association read in large pieces, and (`waiting`) wait for the line in place of sleeping between two looks at it.

    pynetdicom reads 4096 bytes at a time and sleeps a millisecond or more whenever nothing is there, some six times an instance: nearly
    half of the time of a C-GET. Waiting costs a little of the processor as long as the association lasts, so it is for those that
    we open to fetch something, not for those of senders that may be idle for long.
    """
    line = association.dul.socket
    if line is None:
        return
    line.__class__ = _Watchful if waiting else _Patient
    if line.socket is not None:  # pynetdicom's own time-outs are looked at between two PDUs only
        line.socket.settimeout(association.network_timeout)
    if waiting:
        association.dul._run_loop_delay = 0
