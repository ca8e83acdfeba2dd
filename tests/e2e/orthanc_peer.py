"""Orthanc from Debian's packages, on loopback, with a folder of its own that ends with the test."""

from __future__ import annotations

import contextlib
import json
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pacs_peers import free_port, tool, wait_for
from pynetdicom import AE
from pynetdicom.presentation import build_context

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


@dataclass
class Orthanc:
    port: int
    web: int

    @property
    def dicomweb(self) -> str:
        return f"http://127.0.0.1:{self.web}/dicom-web"

    def ask(self, path: str, data: bytes | None = None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.web}{path}", data=data)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    def delete(self, path: str) -> None:
        urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{self.web}{path}", method="DELETE"), timeout=30).close()

    def push(self, instances) -> None:
        """Send instances by C-STORE, each as it is encoded."""
        ae = AE("SCANNER")
        kinds = {(one.SOPClassUID, one.file_meta.TransferSyntaxUID) for one in instances}
        association = ae.associate("127.0.0.1", self.port, [build_context(*one) for one in kinds], ae_title="ORTHANC")
        assert association.is_established
        assert [association.send_c_store(one).Status for one in instances] == [0] * len(instances)
        association.release()


@contextlib.contextmanager
def orthanc(folder: Path, known: dict[str, tuple[str, int]] | None = None, **more) -> Iterator[Orthanc]:
    """Run it. `known`: AE titles it can send to."""
    program = tool("Orthanc")
    one = Orthanc(free_port(), free_port())
    settings = {
        "Name": "test",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "DicomAet": "ORTHANC",
        "DicomPort": one.port,
        "HttpPort": one.web,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomAlwaysAllowGet": True,
        "DicomAlwaysAllowFind": True,
        "DicomAlwaysAllowMove": True,
        "DicomAlwaysAllowStore": True,
        "DicomCheckCalledAet": False,
        "DicomModalities": {title: [title, *address] for title, address in (known or {}).items()},
        "Plugins": [str(PLUGIN)] if PLUGIN.exists() else [],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        "StorageCompression": False,
        "MaximumStorageSize": 0,
        **more,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([program, str(folder / "orthanc.json")], stdout=log, stderr=log, cwd=folder)
        try:

            def up() -> bool:
                with contextlib.suppress(OSError):
                    return bool(one.ask("/system"))
                return False

            if not wait_for(up, 40):
                pytest.fail(f"Orthanc did not start: {(folder / 'log').read_text()[-2000:]}")
            yield one
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
