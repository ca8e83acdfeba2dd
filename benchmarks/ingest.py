"""Ingest of one CT series by C-GET and by DICOMweb against bare loops over the same archive that also flush to disk, in one run.

python benchmarks/ingest.py [--instances 400] [--size 512] [--rounds 3]

An Orthanc on loopback holds one CT series. Ours is the whole way of a source: list, count, fetch, keep each exactly once. Bare
loops do nothing but fetch and write each instance to a file of its own, flushed (fsync of each file and of the folder at the end):
WADO-RS a series in one request, WADO-RS an instance a request, and C-GET by pynetdicom a series in one request. The best of some
rounds counts, taken in turn.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path

import numpy as np
import requests
from pydicom import dcmread
from pydicom.dataset import FileDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE, build_context, build_role, evt
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelGet as Get

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "e2e"))

from orthanc_peer import Orthanc, orthanc
from pacs_peers import series

from flows.dimse import Peer
from flows.sources import Source
from flows.sources.dicomweb import DicomwebSource
from flows.sources.dimse import DimseSource
from flows.spool import Spool
from flows.web import WebPeer

STUDY = "1.2.3.4.5"
LIMIT = 1.3
ANY = 'multipart/related; type="application/dicom"; transfer-syntax=*'


def flushed(path: Path, pieces: list[bytes]) -> None:
    with path.open("wb", buffering=0) as file:
        for piece in pieces:
            file.write(piece)
        os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


def bare_series(archive: Orthanc, folder: Path) -> int:
    """WADO-RS of the series in one request, the answer taken whole and cut apart."""
    answer = requests.get(f"{archive.dicomweb}/studies/{STUDY}", headers={"Accept": ANY}, timeout=600)
    boundary = re.search(r"boundary=\"?([^;\"]+)", answer.headers["Content-Type"])
    assert boundary
    count = 0
    for part in answer.content.split(b"--" + boundary[1].encode())[1:-1]:
        flushed(folder / f"{count}.dcm", [part[part.index(b"\r\n\r\n") + 4 : -2]])
        count += 1
    flush_folder(folder)
    return count


def bare_instances(archive: Orthanc, folder: Path) -> int:
    """WADO-RS of each instance in a request of its own, after a list of them."""
    with requests.Session() as session:
        listed = session.get(
            f"{archive.dicomweb}/studies/{STUDY}/instances", headers={"Accept": "application/dicom+json"}, timeout=600
        ).json()
        for number, one in enumerate(listed):
            sop, of_series = one["00080018"]["Value"][0], one["0020000E"]["Value"][0]
            url = f"{archive.dicomweb}/studies/{STUDY}/series/{of_series}/instances/{sop}"
            content = session.get(url, headers={"Accept": ANY}, timeout=600).content
            flushed(folder / f"{number}.dcm", [content[content.index(b"\r\n\r\n") + 4 : content.rindex(b"\r\n--")]])
    flush_folder(folder)
    return len(listed)


def bare_get(archive: Orthanc, folder: Path) -> int:
    """C-GET of the study as the documentation of pynetdicom writes it, bytes kept as received."""
    count = 0

    def store(event: evt.Event) -> int:
        nonlocal count
        flushed(folder / f"{count}.dcm", [event.encoded_dataset()])
        count += 1
        return 0

    ae = AE()
    contexts = [build_context(Get), build_context(CTImageStorage, ExplicitVRLittleEndian)]
    role = build_role(CTImageStorage, scp_role=True)
    association = ae.associate("127.0.0.1", archive.port, contexts, ext_neg=[role], evt_handlers=[(evt.EVT_C_STORE, store)], max_pdu=0)
    query = FileDataset("", {})
    query.QueryRetrieveLevel, query.StudyInstanceUID = "STUDY", STUDY
    for _ in association.send_c_get(query, Get):
        pass
    association.release()
    flush_folder(folder)
    return count


def ours(make: Callable[[Path], Source]) -> Callable[[Orthanc, Path], int]:
    """The whole way: list, count, fetch, keep, read headers, hand over."""

    def take(_: Orthanc, folder: Path) -> int:
        found, _cursor = make(folder).observe(None)
        return len(found.seen)

    return take


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, default=400)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    day = datetime.now() - timedelta(days=1)
    with tempfile.TemporaryDirectory() as place:
        top = Path(place)
        with orthanc(top / "orthanc") as archive:
            draw = np.random.default_rng(1)
            for number, one in enumerate(series(STUDY, wanted.instances, size=wanted.size, StudyDate=f"{day:%Y%m%d}")):
                one.PixelData = draw.integers(0, 4096, wanted.size**2, dtype="<u2").tobytes()  # no two alike
                archive.push([fresh(one)])
                if number % 100 == 0:
                    print(f"{number} instances are in", file=sys.stderr)
            ways: dict[str, Callable[[Orthanc, Path], int]] = {
                "bare WADO-RS, series in one request": bare_series,
                "bare WADO-RS, a request an instance": bare_instances,
                "bare C-GET (pynetdicom)": bare_get,
                "ours, C-GET": ours(lambda folder: DimseSource(Peer("o", "127.0.0.1", archive.port, "ORTHANC"), spool(folder))),
                "ours, DICOMweb": ours(lambda folder: DicomwebSource(WebPeer("o", archive.dicomweb), spool(folder))),
            }
            best = measure(ways, archive, top, wanted)
    bare = {
        "ours, DICOMweb": min(best[name] for name in ways if name.startswith("bare WADO")),
        "ours, C-GET": best["bare C-GET (pynetdicom)"],
    }
    print(f"\n{wanted.instances} instances of {wanted.size} x {wanted.size}, best of {wanted.rounds}\n")
    print(f"| way | s | to the faster bare loop of its kind (limit {LIMIT}) |\n|---|---|---|")
    ratios = {name: best[name] / seconds for name, seconds in bare.items()}
    for name, seconds in best.items():
        print(f"| {name} | {seconds:.2f} | {f'{ratios[name]:.2f}' if name in ratios else ''} |")
    return 0 if max(ratios.values()) <= LIMIT else 1


def fresh(one: FileDataset) -> FileDataset:
    buffer = BytesIO()
    one.save_as(buffer, enforce_file_format=True)
    buffer.seek(0)
    return dcmread(buffer)


def spool(folder: Path) -> Spool:
    return Spool(folder, flush="names_later")


def measure(ways: dict[str, Callable[[Orthanc, Path], int]], archive: Orthanc, top: Path, wanted: argparse.Namespace) -> dict[str, float]:
    best = dict.fromkeys(ways, float("inf"))
    for turn in range(wanted.rounds):
        for name, way in ways.items():
            folder = top / "out"
            folder.mkdir()
            start = time.perf_counter()
            count = way(archive, folder)
            seconds = time.perf_counter() - start
            assert count == wanted.instances, f"{name}: {count} of {wanted.instances} came"
            best[name] = min(best[name], seconds)
            print(f"round {turn + 1}: {name}: {seconds:.2f} s", file=sys.stderr)
            shutil.rmtree(folder)
    return best


if __name__ == "__main__":
    sys.exit(main())
