"""Make the sources that the settings name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from flows.settings import Settings
from flows.source_sections import ArchiveSection, DicomwebSection, DimseSection, FolderSection, OrthancSection, SourceSection
from flows.sources import Source
from flows.sources.folder import FolderSource
from flows.sources.several import Sources

INBOX, RECEIVED = "inbox", "received"


def all_sources(settings: Settings) -> Sources:
    """Return every source: those of the settings, the inbox, and what the receiver took.

    The inbox is left out where the settings name sources, and nobody named or made an inbox.
    """
    made: list[Source] = [source_for(one, settings) for one in settings.sources]
    if settings.received_folder.is_dir():
        made.append(_folder(settings, settings.received_folder, settings.receiver.quiet_seconds, RECEIVED))
    if not settings.sources or settings.inbox.folder is not None or settings.inbox_folder.is_dir():
        made.append(inbox(settings))
    return Sources(made)


def inbox(settings: Settings) -> FolderSource:
    """Return the inbox."""
    return _folder(settings, settings.inbox_folder, settings.inbox.quiet_seconds, INBOX)


def source_for(one: SourceSection, settings: Settings) -> Source:
    """Return the source of a section of the settings."""
    if isinstance(one, FolderSection):
        return _folder(settings, one.folder, one.quiet_seconds, one.name, one)
    assert isinstance(one, ArchiveSection)
    spool, wanted = _spool(one, settings), _wanted(one)
    if isinstance(one, DimseSection):
        return _dimse(one, spool, wanted)
    if isinstance(one, DicomwebSection):
        from flows.sources.dicomweb import DicomwebSource

        return DicomwebSource(peer_for(one), spool, wanted)
    from flows.sources.orthanc import OrthancSource

    return OrthancSource(peer_for(one), spool, wanted)


def peer_for(one: SourceSection) -> Any:
    """Return what a conversation with an archive of the settings is opened by."""
    from flows.dimse import Peer, Quirks
    from flows.network import Tls
    from flows.rest import RestPeer
    from flows.web import WebPeer

    assert isinstance(one, ArchiveSection)
    quirks = {name: getattr(one, name) for name in ("widest_days", "empty_when_wide", "time_ranges", "image_level")} | {
        "cap": one.cap or None
    }
    times = {"connect_s": one.connect_seconds, "answer_s": one.answer_seconds}
    files = {name: getattr(one, name) for name in ("certificate", "key", "trusted")}
    if isinstance(one, DimseSection):
        tls = Tls(**files) if one.tls else None
        about = {name: getattr(one, name) for name in ("host", "port", "title", "own_title", "retrieve")}
        quirks |= {"model": one.model, "uid_lists": one.uid_lists}
        return Peer(one.name, **about, destination=one.destination or one.own_title, tls=tls, **times, quirks=Quirks(**quirks))
    logins = {"user_variable": one.user_variable, "password_variable": one.password_variable}  # type: ignore[attr-defined]
    how = {"url": one.url, **logins, **files, **times, "quirks": Quirks(**quirks, uid_lists=False)}  # type: ignore[attr-defined]
    if isinstance(one, DicomwebSection):
        return WebPeer(one.name, token_variable=one.token_variable, **how)
    assert isinstance(one, OrthancSection)
    return RestPeer(one.name, **how)


def conversation(one: SourceSection) -> Callable[[], Any]:
    """Return what opens a conversation with an archive of the settings."""
    from flows.dimse import Pacs
    from flows.rest import Rest
    from flows.web import Web

    kinds: dict[type, Any] = {DimseSection: Pacs, DicomwebSection: Web, OrthancSection: Rest}
    return partial(kinds[type(one)], peer_for(one))


def _folder(settings: Settings, folder: Path, quiet_s: float, name: str, section: SourceSection | None = None) -> FolderSource:
    data = settings.data.folder
    own = [] if name == RECEIVED else [data]
    unpacked = data / "unpacked" if name == INBOX else data / "unpacked" / name
    modalities = settings.receiver.modalities if name == RECEIVED else section.modalities if section else ()
    filters = {name: getattr(section, name) for name in ("stations", "descriptions", "not_descriptions")} if section else {}
    wanted = _filter(modalities, **filters)
    return FolderSource(folder, quiet_s, unpacked, name=name, not_below=own, wanted=wanted)


def _filter(modalities: tuple[str, ...], **filters: tuple[str, ...]) -> Any:
    """Return the filter of a folder, None where everything is taken."""
    if not modalities and not any(filters.values()):
        return None
    from flows.sources.wanted import Wanted

    return Wanted(frozenset(modalities), **filters)


def _spool(one: ArchiveSection, settings: Settings) -> Any:
    from flows.spool import Spool
    from flows.throttle import Throttle

    throttle = Throttle(one.most_mb_per_second * 1e6) if one.most_mb_per_second else None
    return Spool(settings.spool_folder / one.name, settings.receiver.least_free_mb << 20, flush="names_later", throttle=throttle)


def _wanted(one: ArchiveSection) -> Any:
    from flows.sources.wanted import Rule, Wanted

    rules = tuple(Rule(frozenset(rule.modalities), rule.stations, rule.descriptions, rule.take, rule.series_a_day) for rule in one.rules)
    return Wanted(
        modalities=frozenset(one.modalities), stations=one.stations, descriptions=one.descriptions, not_descriptions=one.not_descriptions,
        first_days=one.first_days, overlap_days=one.overlap_days, sweep_days=one.sweep_days, quiet_s=one.quiet_seconds,
        settled_s=one.settled_hours * 3600, patience_s=one.patience_minutes * 60, again_s=one.again_seconds,
        give_up_days=one.give_up_days, at_once=one.studies_at_once, rules=rules, phantoms=one.phantoms, hours=one.between,
    )  # fmt: skip


def _dimse(one: DimseSection, spool: Any, wanted: Any) -> Source:
    from flows.network import Tls
    from flows.receiver import ReceiverOptions
    from flows.sources.dimse import DimseSource, Inlet

    peer = peer_for(one)
    if one.retrieve == "get":
        return DimseSource(peer, spool, wanted)
    tls = Tls(one.certificate, one.key, one.trusted) if one.tls else None
    inlet = Inlet(
        ReceiverOptions(spool.root, peer.destination, one.listen_host, one.listen_port, tls=tls, idle_s=one.answer_seconds), spool
    )
    return DimseSource(peer, spool, wanted, arrived=inlet.arrived, inlet=inlet)
