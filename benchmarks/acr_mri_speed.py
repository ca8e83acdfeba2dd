"""How fast is the ACR MRI suite: analysis of one series of 11 slices after import, best and median of several runs.

    python benchmarks/acr_mri_speed.py [FOLDER]

Without a folder a synthetic phantom of 11 slices of 256 x 256 is made. Decoding and drawing of evidence are included.
"""

from __future__ import annotations

import os
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices: threads only get into each other's way

import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from phantoms.synthetic import catalogue
from qc.runner import Options, Runner

RUNS = 7


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(temporary)
        if len(sys.argv) < 2:
            for number, dataset in enumerate(catalogue.make("acr_mri_large", rotation_deg=1.0).datasets):
                dataset.save_as(folder / f"{number}.dcm", enforce_file_format=True)
        wall, cpu, parts = [], [], defaultdict(list)
        for _ in range(RUNS):
            with Runner(Options(only=("acr_mri", "mr."))) as runner:
                start, used = time.perf_counter(), time.process_time()
                report = runner.paths([folder])
                wall.append(time.perf_counter() - start)
                cpu.append(time.process_time() - used)
                for ran in report.ran:
                    parts[ran.check].append(ran.seconds)
    print(
        f"whole suite: median {statistics.median(wall):.3f} s, best {min(wall):.3f} s; processor time median {statistics.median(cpu):.3f} s"
    )
    for check, seconds in sorted(parts.items(), key=lambda item: -statistics.median(item[1])):
        print(f"  {check:28} {1000 * statistics.median(seconds):7.1f} ms")


if __name__ == "__main__":
    main()
