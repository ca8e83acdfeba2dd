"""What header checks cost over reading headers, and how many lines they give on files that people have.

    python benchmarks/check_headers.py [--instances 1000] [--repeats 5] [FOLDER ...]

The cost is that of all checks of headers (slices and completeness too), against `pydicom.dcmread(file, stop_before_pixels=True)` of the same
files. With folders: a table of lines a series, before grouping (every rule broken in every image) and after.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

import pydicom
from check_throughput import write_series

from qc import conformance
from qc.runner import Options, Report, Runner

LIMIT = 1.0


def bare(files: list[Path]) -> float:
    start = time.perf_counter()
    for file in files:
        pydicom.dcmread(file, stop_before_pixels=True)
    return time.perf_counter() - start


def check(paths: list[Path]) -> tuple[float, Report]:
    with Runner(Options(pixels=False)) as runner:
        start = time.perf_counter()
        report = runner.paths(paths)
        return time.perf_counter() - start, report


def presence_bytes(report: Report) -> float:
    """Memory of the sets of attributes, shared between instances, bytes an instance."""
    instances = [one for study in report.studies for one in study.instances()]
    sets = {id(one.presence): one.presence for one in instances if one.presence}
    return sum(sys.getsizeof(one.filled) + sys.getsizeof(one.empty) for one in sets.values()) / max(1, len(instances))


def cost(instances: int, repeats: int) -> float:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_series(folder, instances, 64)
        files = sorted(folder.iterdir())
        bare(files)
        check([folder])
        rows = []
        for _ in range(repeats):
            read = bare(files)
            whole, report = check([folder])
            rows.append((read, whole, sum(ran.seconds for ran in report.ran)))
    read, whole, checks = (statistics.median(column) for column in zip(*rows, strict=True))
    ratio = statistics.median(row[2] / row[0] for row in rows)
    spent: Counter[str] = Counter()
    for ran in report.ran:
        spent[ran.check] += ran.seconds
    print("| what | value |\n|---|---|")
    print(f"| pydicom, headers of {instances} images once | {read:.3f} s |")
    print(f"| all header checks, reading apart | {checks:.3f} s |")
    print(f"| ratio (limit {LIMIT:g}) | {ratio:.2f} |")
    print(f"| reading and all header checks | {whole:.3f} s, ratio {whole / read:.2f} |")
    print(f"| which attributes are there, kept an image | {presence_bytes(report):.0f} bytes |")
    print("\n| check | ms an image |\n|---|---|")
    for name, seconds in spent.most_common(8):
        print(f"| {name} | {1000 * seconds / instances:.4f} |")
    return ratio


def lines(folders: list[Path]) -> None:
    _, report = check(folders)
    after = Counter(one.subject.series_uid for one in report.findings if one.code.startswith("header."))
    standard = Counter(one.subject.series_uid for one in report.findings if one.code.startswith("header.standard"))
    print(
        "\n| modality | maker | images | rules broken, all images | lines on the standard | lines on headers |\n|---|---|---|---|---|---|"
    )
    for study in report.studies:
        for series in study.series:
            broken = sum(
                len(conformance.deviations(one)) + sum(problem.code == "header.value_form" for problem in one.problems)
                for one in series.instances
            )
            if broken or after[series.uid]:
                maker = str(series.first("Manufacturer", ""))[:20]
                print(
                    f"| {series.modality} | {maker} | {len(series.instances)} | {broken} | {standard[series.uid]} | {after[series.uid]} |"
                )
    after.pop(None, None)  # series without a UID, all in one
    every = [series for study in report.studies for series in study.series]
    print(
        f"\n{len(every)} series, {sum(1 for one in every if not after[one.uid])} without a line, at most {max(after.values(), default=0)} lines a series"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--instances", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    warnings.filterwarnings("ignore", module="pydicom")
    ratio = cost(args.instances, args.repeats)
    if args.folders:
        lines(args.folders)
    return int(ratio > LIMIT)


if __name__ == "__main__":
    raise SystemExit(main())
