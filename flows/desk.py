"""Serve the review desk: from settings to a running server."""

from __future__ import annotations

import ipaddress
import secrets
import socket
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from flows import daily, measure_again, who
from flows.settings import Settings, rows
from qc import dicom
from qc.errors import ConfigurationError, Transient
from qc.protocol import PARAMETERS
from reports import due
from reports.store import access
from reports.store.clean import Cleaner
from reports.web.app import create_app
from reports.web.config import Config

if TYPE_CHECKING:
    from reports.store import Store

LOOPBACK = ("127.0.0.1", "localhost", "[::1]", "::1")
# technical attributes besides those of protocols; nothing here names a person or is free text
SHOWN = (
    "Modality", "ImageType", "Rows", "Columns", "PixelSpacing", "ImagerPixelSpacing", "SliceThickness", "SpacingBetweenSlices",
    "NumberOfFrames", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PhotometricInterpretation", "SamplesPerPixel",
    "RescaleSlope", "RescaleIntercept", "RescaleType", "LossyImageCompression", "PatientPosition", "ImageOrientationPatient",
    "MagneticFieldStrength", "ImagingFrequency", "KVP", "XRayTubeCurrent", "Exposure", "ExposureTime", "ConvolutionKernel",
    "GantryDetectorTilt", "SoftwareVersions",
)  # fmt: skip


def serve(settings: Settings) -> None:
    """Serve until stopped. The address stands on the terminal, with a link for the first person where there is none yet."""
    import uvicorn

    web = settings.web
    with daily.open_for(settings) as store:
        first = _first_secret(store)
        try:
            listening = socket.create_server((web.host, web.port), family=_family(web.host))
        except (OSError, OverflowError) as error:
            raise ConfigurationError(f"cannot listen on {web.host} port {web.port} ({error}); set web.host and web.port") from error
        port = listening.getsockname()[1]
        here = f"http://{f'[{web.host}]' if ':' in web.host else web.host}:{port}"
        typer.echo(f"The review desk is at {here} (stop it with Ctrl-C)", err=True)
        if first:
            typer.echo(f"Nobody has been added yet. The first person becomes administrator here, once: {here}/first/{first}", err=True)
        config = uvicorn.Config(
            create_app(store, config_for(settings, store, first)), log_level="warning", access_log=False, server_header=False,
            proxy_headers=False, timeout_keep_alive=30, limit_concurrency=200,
        )  # fmt: skip
        uvicorn.Server(config).run(sockets=[listening])


def config_for(settings: Settings, store: Store, first: str = "") -> Config:
    """Return how the desk of these settings is run."""
    web = settings.web
    return Config(
        site=settings.site.name,
        secure=web.https,
        idle=timedelta(minutes=web.idle_minutes),
        longest=timedelta(hours=web.longest_hours),
        hosts=web.hosts or (LOOPBACK if _is_loopback(web.host) else ()),
        proxy_header=web.proxy_header,
        proxies=web.proxies,
        proxy_role=web.proxy_role,
        open_metrics=web.open_metrics,
        first_secret=first,
        holidays=frozenset(settings.phantoms.holidays),
        rules=tuple(due.parse(one) for one in settings.phantoms.days),
        settings=rows(settings),
        names=_names(settings, store),
        headers=_headers(settings, store),
        by_hand=measure_again.door(settings, store),
    )


def _first_secret(store: Store) -> str:
    with store.reading() as connection:
        return "" if access.anybody(connection) else secrets.token_urlsafe(24)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _names(settings: Settings, store: Store) -> Callable[[str], list[tuple[str, str]]]:
    """Return what finds the names behind a hash, by asking the images."""

    def names(wanted: str) -> list[tuple[str, str]]:
        answer = who.search(store, settings, who.wanted_hash(wanted))
        return list(dict.fromkeys((one.name, one.patient_id) for one in answer.people))

    return names


def _headers(settings: Settings, store: Store) -> Callable[[str], list[tuple[str, list[tuple[str, str]]]]]:
    """Return what reads the technical attributes of the first image of each series of a study."""

    def headers(study_uid: str) -> list[tuple[str, list[tuple[str, str]]]]:
        firsts = store.first_paths(study_uid)
        source = daily.source_for(settings)
        found = []
        try:
            paths = source.fetch([Path(one) for one in firsts]) if firsts else []
        except Transient:  # the page says that the images are not there now
            paths = []
        with dicom.Intake() as intake:
            for path in paths:
                image = intake.read(dicom.Source(path, path.name)) if path.is_file() else None
                if image is not None:
                    clean = Cleaner([image.tags])
                    told = [
                        (name, clean.text(_text(image.tags[name]))) for name in dict.fromkeys((*SHOWN, *PARAMETERS)) if name in image.tags
                    ]
                    found.append((str(image.get("SeriesInstanceUID")), told))
        return found

    return headers


def _text(value: object) -> str:
    text = ", ".join(str(one) for one in value) if isinstance(value, (list, tuple)) else str(value)
    return text[:200]
