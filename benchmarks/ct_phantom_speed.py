"""Whole CatPhan analysis against pylinac, on the same series in one run; values compared.

    python benchmarks/ct_phantom_speed.py FOLDER [--repeats 5]

FOLDER holds one CatPhan 504 series. pylinac needs an older pydicom, so the script makes an environment of its own for it (kept with
`--keep DIR`); where it cannot be installed the comparison is skipped with the reason. Both times are of the analysis with reading the
files, imports left out, the first run left out.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import Any

from qc.runner import Options, Runner

LIMIT = 5.0
THEIRS = """
import json, sys, time, warnings
warnings.filterwarnings("ignore")
from pylinac import CatPhan504
times = []
for _ in range(int(sys.argv[2]) + 1):
    start = time.perf_counter()
    phantom = CatPhan504(sys.argv[1])
    phantom.analyze()
    data = phantom.results_data()
    times.append(time.perf_counter() - start)
values = {f"ct.hu@{name.lower().replace('poly', 'polystyrene')}": roi["value"] for name, roi in data.model_dump()["ctp404"]["hu_rois"].items()}
values |= {"ct.roll": data.catphan_roll_deg, "ct.thickness@mean": data.ctp404.measured_slice_thickness_mm, "ct.distance@mean": data.ctp404.avg_line_distance_mm,
           "ct.mtf50@bars": {str(k): v for k, v in data.ctp528.mtf_lp_mm.items()}.get('50') if isinstance(data.ctp528.mtf_lp_mm, dict) else None}
print("RESULT" + json.dumps({"times": times[1:], "values": values}, default=float))
"""


def theirs(folder: Path, repeats: int, where: Path) -> dict[str, Any] | str:
    """Run pylinac in its own environment; its result, or the reason why there is none."""
    python = where / "bin" / "python"
    if not python.exists():
        venv.create(where, with_pip=True)
        done = subprocess.run([python, "-m", "pip", "install", "-q", "pylinac==3.35", "pydicom<3"], capture_output=True, text=True)
        if done.returncode:
            return f"pylinac cannot be installed: {(done.stderr.strip() or 'no reason given').splitlines()[-1]}"
    done = subprocess.run([python, "-c", THEIRS, str(folder), str(repeats)], capture_output=True, text=True)
    line = next((line for line in done.stdout.splitlines() if line.startswith("RESULT")), None)
    if line is None:
        return f"pylinac gave no result: {(done.stderr.strip() or 'no message').splitlines()[-1]}"
    return dict(json.loads(line.removeprefix("RESULT")))


def ours(folder: Path, repeats: int) -> tuple[list[float], dict[str, float | None]]:
    """Run the CT phantom checks; times and values."""
    times: list[float] = []
    values: dict[str, float | None] = {}
    for _ in range(repeats + 1):
        with Runner(Options(only=("ct_phantom",))) as runner:
            start = time.perf_counter()
            report = runner.paths([folder])
            times.append(time.perf_counter() - start)
        values = {
            j.measurement.metric + (f"@{j.measurement.region}" if j.measurement.region else ""): j.measurement.value
            for j in report.measurements
        }
    return times[1:], values


def main() -> int:
    """Print both tables; exit 1 where the ratio is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--keep", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        images = Path(scratch, "images")  # pylinac takes no folder with other objects in it
        images.mkdir()
        for file in args.folder.glob("CT*"):
            (images / file.name).write_bytes(file.read_bytes())
        times, values = ours(images, args.repeats)
        other = theirs(images, args.repeats, args.keep or Path(scratch, "pylinac"))
    own = statistics.median(times)
    print(f"| what | s |\n|---|---|\n| pacsqc, {len(times)} runs, median | {own:.3f} |")
    if isinstance(other, str):
        print(f"| pylinac | skipped: {other} |")
        return 0
    peer = statistics.median(other["times"])
    print(f"| pylinac 3.35, {len(other['times'])} runs, median | {peer:.3f} |\n| ratio (limit {LIMIT:g}) | {peer / own:.1f} |")
    print("\n| value | pacsqc | pylinac |\n|---|---|---|")
    for name, value in other["values"].items():
        mine = values.get(name)
        print(f"| {name} | {'-' if mine is None else f'{mine:.3f}'} | {'-' if value is None else f'{float(value):.3f}'} |")
    return 0 if peer / own >= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
