"""Run the receiver as the settings say."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flows.network import Tls
from flows.receiver import Receiver, ReceiverOptions, serve
from flows.settings import Settings
from qc.errors import ConfigurationError

log = logging.getLogger(__name__)


def options_for(settings: Settings) -> ReceiverOptions:
    """Return how the receiver of the settings listens.

    Raises
    ------
    ConfigurationError
        If an address for storage commitment cannot be read.
    """
    one = settings.receiver
    tls = Tls(one.certificate, one.key, one.trusted) if one.certificate is not None else None
    return ReceiverOptions(
        settings.received_folder, one.title, one.host, one.port, one.callers, one.strict_title, one.max_associations, one.max_pdu,
        one.least_free_mb << 20, one.idle_seconds, tls, _addresses(one.commitment), one.flush,
    )  # fmt: skip


@contextmanager
def running(settings: Settings) -> Iterator[Receiver]:
    """Have the receiver run; who is refused is noted for the report."""
    from flows import daily
    from flows.sources.chosen import RECEIVED

    with daily.open_for(settings) as store:

        def refused(title: str) -> None:
            text = f"an association of {title!r} was refused: it is not among receiver.callers, or too many were open"
            store.notice("sender_refused", f"caller:{title}", "warn", text)

        with serve(options_for(settings), on_refused=refused) as one:
            where = f"{settings.receiver.host}:{one.port}"
            log.info("listening at %s as %r; what comes is kept as source %r", where, settings.receiver.title, RECEIVED)
            yield one


def until_stopped(settings: Settings) -> str:
    """Run the receiver until the process is told to stop; return what came, in words."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with running(settings) as one:
        stop.wait()
    told = ", ".join(f"{count} {what}" for what, count in sorted(one.counts.items())) or "nothing"
    return f"stopped; came: {told}"


def _addresses(texts: tuple[str, ...]) -> dict[str, tuple[str, int]]:
    found, problems = {}, []
    for text in texts:
        title, _, address = text.partition("=")
        host, _, port = address.rpartition(":")
        if title and host and port.isdigit() and 0 < int(port) < 65536:
            found[title.strip()] = (host, int(port))
        else:
            problems.append(f"receiver.commitment is {text!r}; allowed are texts such as SCANNER=host:port")
    if problems:
        raise ConfigurationError(problems)
    return found
