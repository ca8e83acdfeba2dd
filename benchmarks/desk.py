"""How long people wait for the pages of the review desk, on a year of ten scanners: p50 and p95 at 4 and 20 requests at a time.

    python benchmarks/desk.py [--measurements 5000000] [--url postgresql://USER@HOST/EMPTY_DATABASE] [--keep FOLDER] [--seconds 10]

The store is that of `large_store.py`. The desk runs in a process of its own, as `pacsqc web` runs it; the load comes from another one, on the same
machine. Each worker asks for one page after another and waits for the answer, whole. Pages that keep what they worked out are asked for once
before, and that first answer is given too. The time at work of the desk (CPU) says what a page costs where other programs share the machine.
Exit code 1 where p95 is above 200 ms at 4 or 1 s at 20.
"""

from __future__ import annotations

import argparse
import http.client
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import large_store
import sqlalchemy as sa

from reports import trends
from reports.store import access, open_store
from reports.store import schema as t

LIMITS_MS = {4: 200.0, 20: 1000.0}
LOGIN, PASSWORD = "bench", "a password of the benchmark"


@dataclass
class Client:
    """A browser of the poor: one connection, one cookie."""

    address: str
    cookie: str = ""
    connection: http.client.HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        self.connection = http.client.HTTPConnection(urlsplit(self.address).netloc, timeout=60)

    def ask(self, path: str, form: dict[str, str] | None = None) -> tuple[int, bytes, str]:
        """Return status, body and cookie of the answer."""
        headers = {"cookie": self.cookie, "content-type": "application/x-www-form-urlencoded"}
        self.connection.request("POST" if form else "GET", path, urlencode(form) if form else None, headers)
        answer = self.connection.getresponse()
        return answer.status, answer.read(), (answer.headers.get("set-cookie") or "").partition(";")[0]


def sign_in(address: str) -> str:
    client = Client(address)
    _, page, client.cookie = client.ask("/login")
    csrf = re.search(rb'name="csrf" value="([^"]+)"', page)
    assert csrf
    status, _, cookie = client.ask("/login", {"login": LOGIN, "password": PASSWORD, "csrf": csrf[1].decode(), "next": "/"})
    assert status == 303, status
    return cookie


def pages(url: str) -> dict[str, str]:
    """Return the pages that are asked for: name -> path."""
    last = large_store.LAST
    with open_store(url, "UTC") as store, store.reading() as connection:
        phantom = sa.select(t.series.c.study_id).join(t.study).where(t.study.c.day == last, t.series.c["class"].like("phantom:%"))
        bad = sa.select(t.study.c.id).where(t.study.c.day == last, t.study.c.status == "warn")
        study, failing = connection.execute(phantom.limit(1)).scalar_one(), connection.execute(bad.limit(1)).scalar_one()
        picture = connection.execute(sa.select(sa.func.max(t.evidence.c.id))).scalar_one()
        chart = connection.execute(sa.select(t.chart.c.id).where(t.chart.c.device_id == 3).limit(1)).scalar_one()
    return {
        "day, 300 studies": f"/day/{last}",
        "all studies of a day": f"/day/{last}/studies",
        "study with a problem": f"/study/{failing}",
        "phantom run": f"/study/{study}",
        "devices": "/devices",
        "device, 60 charts": "/device/3",
        "control chart, a year": f"/device/3/chart/{chart}",
        "phantom runs, a month": "/phantoms",
        "test sheets": "/sheets",
        "protocols, a week": "/protocols",
        "set aside": "/aside",
        "alerts": "/alerts",
        "audit log": "/audit",
        "settings": "/settings",
        "a stored picture": f"/evidence/{picture}.png",
    }


def load(address: str, cookie: str, path: str, at_a_time: int, seconds: float) -> list[float]:
    """Ask for a page from so many workers for so long; return the times in ms."""
    times: list[float] = []
    until = time.perf_counter() + seconds

    def work() -> None:
        client = Client(address, cookie)
        while (begun := time.perf_counter()) < until:
            status, body, _ = client.ask(path)
            times.append((time.perf_counter() - begun) * 1000)
            assert status == 200, (path, status)
            assert len(body) > 500

    workers = [threading.Thread(target=work) for _ in range(at_a_time)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    return times


def p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1] if len(times) > 1 else times[0]


def serve(url: str, port: int) -> None:
    """What the process of the desk does."""
    import uvicorn

    from reports.web.app import create_app

    with open_store(url, "UTC") as store:
        uvicorn.run(create_app(store), port=port, log_level="error", access_log=False)


def started(url: str) -> tuple[subprocess.Popen[bytes], str]:
    """Start the desk; return its process and address once it answers."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, __file__, "--serve", url, "--port", str(port)])
    address = f"http://127.0.0.1:{port}"
    for _ in range(600):
        try:
            if Client(address).ask("/healthz")[0] == 200:
                return process, address
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the desk did not start")


def prepare(url: str, measurements: int) -> None:
    """Fill the store, unless it was kept, and add somebody who may look."""
    with open_store(url, "UTC") as store:
        if not store.days():
            large_store.fill(store, measurements)
            trends.refresh(store)
            large_store.choose_baselines(store)
        with store.writing() as connection:
            if access.find(connection, LOGIN) is None:
                access.add_person(connection, LOGIN, "Benchmark", "physicist", PASSWORD, "benchmark")
                connection.execute(
                    sa.insert(t.evidence).values(study_id=1, kind="image", title="", caption="", png=_picture(), data={"shapes": []})
                )


def _picture() -> bytes:
    """Return a picture as results keep them: 512 x 512, as noisy as images are."""
    import io

    import numpy as np
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(1).normal(120, 6, (512, 512)).clip(0, 255).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--measurements", type=int, default=5_000_000)
    parser.add_argument("--url", help="an empty database on a server; else a SQLite file is made")
    parser.add_argument("--keep", type=Path, help="folder for the SQLite file, which is kept and used again")
    parser.add_argument("--seconds", type=float, default=8.0, help="how long each page is asked for at each load")
    parser.add_argument("--only", default="", help="only pages with this in their name")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve, given.port)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        url = given.url or f"sqlite:///{(given.keep or Path(folder)).absolute()}/large.sqlite"
        prepare(url, given.measurements)
        process, address = started(url)
        try:
            return measure(address, url, process.pid, given.seconds, given.only)
        finally:
            process.terminate()
            process.wait()


def at_work(process: int) -> float:
    """Return the seconds that a process was at work (Linux)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(address: str, url: str, process: int, seconds: float, only: str) -> int:
    """Print a table; return 1 where a page is too slow."""
    cookie, missed = sign_in(address), []
    heads = "".join(f" p50 at {n}, ms | p95 at {n}, ms | CPU at {n}, ms |" for n in LIMITS_MS)
    print(f"| page | kB | first, ms |{heads}\n|---|---|---|{'---|---|---|' * len(LIMITS_MS)}", flush=True)
    for name, path in pages(url).items():
        if only not in name:
            continue
        begun = time.perf_counter()
        status, body, _ = Client(address, cookie).ask(path)
        first = (time.perf_counter() - begun) * 1000
        assert status == 200, (path, status)
        cells = []
        for at_a_time, limit in LIMITS_MS.items():
            worked = at_work(process)
            times = load(address, cookie, path, at_a_time, seconds)
            cpu = (at_work(process) - worked) * 1000 / len(times)
            cells.append(f" {statistics.median(times):.0f} | {p95(times):.0f} | {cpu:.0f} |")
            missed += [f"{name} at {at_a_time}: {p95(times):.0f} ms"] if p95(times) > limit else []
        print(f"| {name} | {len(body) / 1000:.0f} | {first:.0f} |{''.join(cells)}", flush=True)
    print(f"too slow: {'; '.join(missed)}" if missed else "p95 of every page within 200 ms at 4 and 1 s at 20 requests at a time")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
