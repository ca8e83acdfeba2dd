"""Load on the receiver: four `storescu` at once, many small and some large instances, against dcmtk's own `storescp` in one run.

python benchmarks/receiver_load.py [--small 20000] [--large 1000]

Both write to the same disk and neither flushes (storescp cannot; ours is told not to by receiver.flush = "never"). Each is sent the same
files by the same four processes. Counted: what of it is on the disk afterwards, byte for byte. Memory is that of the receiver's
process after a tenth and at the end.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "e2e"))

from pacs_peers import body, free_port, instance, kept, tool, wait_for

SENDERS = 4
LIMIT = 0.7
FLAT = 1.25
RECEIVE = [sys.executable, "-c", "from flows.cli import app; app()", "receive"]


def write_files(folder: Path, size: int, count: int, start: int) -> None:
    """Write instances that differ in their UID, spread over a folder for each sender."""
    uid = f"1.2.826.0.1.3680043.10.1.{10**9}"
    one = BytesIO()
    instance("1.2.3", "1.2.3.4", uid=uid, size=size).save_as(one, enforce_file_format=True)
    template, mark = one.getvalue(), str(10**9).encode()
    assert template.count(mark) == 2
    for number in range(start, start + count):
        place = folder / str(number % SENDERS)
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}.dcm").write_bytes(template.replace(mark, str(10**9 + number).encode()))


def digest(path: Path) -> bytes:
    return hashlib.sha256(body(path)).digest()


def rss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


@contextmanager
def ours(folder: Path, port: int) -> Iterator[int]:
    environment = {
        **os.environ, "PACSQC_RECEIVER_PORT": str(port), "PACSQC_RECEIVER_HOST": "127.0.0.1", "PACSQC_RECEIVER_FOLDER": str(folder),
        "PACSQC_RECEIVER_FLUSH": "never", "PACSQC_DATA_FOLDER": str(folder.parent / "data"), "PACSQC_RECEIVER_LEAST_FREE_MB": "0",
    }  # fmt: skip
    process = subprocess.Popen(RECEIVE, env=environment, stderr=subprocess.DEVNULL, cwd=Path(__file__).parents[1])
    with stopped(process):
        yield process.pid


@contextmanager
def storescp(folder: Path, port: int) -> Iterator[int]:
    folder.mkdir()
    with stopped(subprocess.Popen([tool("storescp"), "--fork", "-od", str(folder), str(port)], stderr=subprocess.DEVNULL)) as pid:
        yield pid


@contextmanager
def stopped(process: subprocess.Popen) -> Iterator[int]:
    try:
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def send(files: Path, port: int, pid: int) -> tuple[float, list[float]]:
    """Send everything from four processes; return the seconds and the memory of the receiver, measured every half second."""
    assert wait_for(lambda: subprocess.run([tool("echoscu"), "127.0.0.1", str(port)], stderr=subprocess.DEVNULL).returncode == 0, 60)
    start, memory = time.perf_counter(), []
    command = [tool("storescu"), "+sd", "127.0.0.1", str(port)]
    senders = [
        subprocess.Popen([*command, str(place)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for place in sorted(files.iterdir())
    ]
    while any(one.poll() is None for one in senders):
        memory.append(rss_mb(pid))
        time.sleep(0.1)
    assert [one.returncode for one in senders] == [0] * SENDERS
    return time.perf_counter() - start, memory


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", type=int, default=20_000)
    parser.add_argument("--large", type=int, default=1_000)
    wanted = parser.parse_args()
    good = True
    print(
        "| instances | storescp, /s | ours, /s | ratio (limit 0.7) | lost | other bytes | memory after a tenth / at the end, MB |\n|"
        + "---|" * 7
    )
    for size, count in ((64, wanted.small), (512, wanted.large)):
        with tempfile.TemporaryDirectory() as place:
            top = Path(place)
            files = top / "files"
            write_files(files, size, count, 0)
            rates: dict[str, float] = {}
            memory: list[float] = []
            for name, make in (("storescp", storescp), ("ours", ours)):
                port = free_port()
                with make(top / name, port) as pid:
                    seconds, measured = send(files, port, pid)
                rates[name] = count / seconds
                memory = measured
                if name == "storescp":
                    shutil.rmtree(top / name)
            sent = {digest(path) for path in files.rglob("*.dcm")}
            came = {digest(path) for path in kept(top / "ours") if path.suffix == ".dcm"}
            early, late = memory[len(memory) // 10], memory[-2]
            ratio = rates["ours"] / rates["storescp"]
            lost, other = len(sent - came), len(came - sent)
            print(
                f"| {count} of {size} x {size} | {rates['storescp']:.0f} | {rates['ours']:.0f} | {ratio:.2f} "
                f"| {lost} | {other} | {early:.0f} / {late:.0f} |"
            )
            good &= ratio >= LIMIT and not lost and not other and late <= FLAT * early
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
