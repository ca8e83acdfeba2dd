"""Series integrity against known answers: false alarms, found faults, counts, the 13 published cases, and what the checks cost.

    python benchmarks/series_integrity.py [--clean 20000] [--each 2000] [--files 300] [--workers 1]

Stacks are header rows (`made.stacks`, `made.broken`), judged by the checks `slices` and `completeness`; some hundreds are also written
as files and read back. Bounds are Clopper-Pearson, two-sided 95 %. Exit 1 where fewer than 99.9 % of a fault kind that can be seen are
found, more than 0.1 % of the clean stacks raise an alarm, or the checks cost more than reading.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pydicom
from check_throughput import write_series
from made.broken import FAULTS, INVISIBLE
from made.files import write_stack
from made.matrix import CASES, PUBLISHED
from made.stacks import CLEAN, Made
from scipy.stats import beta

from qc import classify
from qc.check import load_checks
from qc.results import Finding
from qc.runner import Options, Runner
from qc.study import Series, Study

FOUND_LIMIT, ALARM_LIMIT, COST_LIMIT = 0.999, 0.001, 1.0
COUNTS = {"slices.missing": "count", "stack.incomplete": "missing", "stack.last_volume_incomplete": "missing"}
CHECKS = ("slices", "completeness")


@dataclass
class Tally:
    """What became of the stacks of one kind."""

    stacks: int = 0
    found: int = 0
    alarms: int = 0  # stacks with a warn or fail that nothing calls for
    wrong: list[str] = field(default_factory=list)
    odd: Counter[str] = field(default_factory=Counter)

    def add(self, other: Tally) -> None:
        self.stacks += other.stacks
        self.found += other.found
        self.alarms += other.alarms
        self.wrong += other.wrong
        self.odd += other.odd


def findings_of(series: Series) -> list[Finding]:
    """What the slice and completeness checks say."""
    series.klass = classify.classify(series)
    specs = [spec for spec in load_checks() if spec.id in CHECKS and spec.applies.to(series.modality, series.klass)]
    return [result for spec in specs for result in spec.run(series, spec.params()) if isinstance(result, Finding)]


def judge(made: Made, findings: Iterable[Finding], tally: Tally, label: str) -> None:
    """Count one stack."""
    got = {finding.code: finding for finding in findings}
    alarms = {code for code, finding in got.items() if finding.status in ("warn", "fail")}
    found = all(code in got and got[code].status == status for code, status in made.expect.items())
    tally.stacks += 1
    tally.found += found
    tally.alarms += bool(alarms - set(made.expect))
    if not found or alarms - set(made.expect):
        tally.odd[f"{made.note or '-'}: {', '.join(sorted(f'{code} {finding.status}' for code, finding in got.items())) or 'nothing'}"] += 1
    for code, name in COUNTS.items():
        if code in got and made.missing is not None and got[code].details[name] != made.missing:
            tally.wrong.append(f"{label}: {code} counts {got[code].details[name]}, {made.missing} lost {made.note}")


KINDS: dict[str, Callable[[np.random.Generator], Made]] = {**CLEAN, **FAULTS, **INVISIBLE}


def run(kind: str, span: tuple[int, int]) -> Tally:
    """Make and judge stacks `span` of one kind; the seed is the kind and the number."""
    tally = Tally()
    for index in range(*span):
        made = KINDS[kind](np.random.default_rng([zlib.crc32(kind.encode()), index]))
        judge(made, findings_of(made.series()), tally, f"{kind} #{index}")
    return tally


def tallies(counts: dict[str, int], workers: int) -> dict[str, Tally]:
    """All kinds, in blocks of 200 stacks."""
    jobs = [(kind, (start, min(start + 200, count))) for kind, count in counts.items() for start in range(0, count, 200)]
    found = {kind: Tally() for kind in counts}
    if workers == 1:
        done: Iterable[Tally] = (run(*job) for job in jobs)
        for (kind, _), tally in zip(jobs, done, strict=True):
            found[kind].add(tally)
        return found
    with ProcessPoolExecutor(workers) as pool:
        for (kind, _), tally in zip(jobs, pool.map(run, *zip(*jobs, strict=True)), strict=True):
            found[kind].add(tally)
    return found


def bounds(hits: int, trials: int) -> tuple[float, float]:
    """Clopper-Pearson, 95 %, both sides."""
    low = 0.0 if hits == 0 else float(beta.ppf(0.025, hits, trials - hits + 1))
    high = 1.0 if hits == trials else float(beta.ppf(0.975, hits + 1, trials - hits))
    return low, high


def percent(hits: int, trials: int) -> str:
    low, high = bounds(hits, trials)
    return f"{100 * hits / trials:.2f} % ({100 * low:.2f} to {100 * high:.2f})"


def table(found: dict[str, Tally]) -> bool:
    """Print what was found; tell whether the limits hold."""
    good = True
    print("\n| clean stacks | stacks | false alarms | right remark |\n|---|---|---|---|")
    for kind in CLEAN:
        tally = found[kind]
        print(f"| {kind} | {tally.stacks} | {tally.alarms}: {percent(tally.alarms, tally.stacks)} | {tally.found} |")
        good = good and tally.alarms <= ALARM_LIMIT * tally.stacks and tally.found >= FOUND_LIMIT * tally.stacks
    alarms, stacks = sum(found[kind].alarms for kind in CLEAN), sum(found[kind].stacks for kind in CLEAN)
    print(f"| all | {stacks} | {alarms}: {percent(alarms, stacks)} | |")
    print("\n| fault | stacks | found | false alarms beside it | wrong counts |\n|---|---|---|---|---|")
    for kind in FAULTS:
        tally = found[kind]
        print(f"| {kind} | {tally.stacks} | {percent(tally.found, tally.stacks)} | {tally.alarms} | {len(tally.wrong)} |")
        good = good and tally.found >= FOUND_LIMIT * tally.stacks
    hits, stacks = sum(found[kind].found for kind in FAULTS), sum(found[kind].stacks for kind in FAULTS)
    print(f"| all | {stacks} | {percent(hits, stacks)} | {sum(found[kind].alarms for kind in FAULTS)} | |")
    print("\n| invisible without counts | stacks | an alarm was raised |\n|---|---|---|")
    for kind in INVISIBLE:
        print(f"| {kind} | {found[kind].stacks} | {found[kind].alarms} |")
    for kind, tally in found.items():
        for text, count in tally.odd.most_common(3):
            print(f"\nodd: {kind}, {count} times, {text}")
        for text in tally.wrong[:20]:
            print(f"\nwrong count: {text}")
    return good


def matrix() -> None:
    """The 13 cases of the metrology page, with our column beside the published ones."""
    print("\n| case | " + " | ".join(PUBLISHED) + " | this program |\n|" + "---|" * (len(PUBLISHED) + 2))
    for name, (others, made) in CASES.items():
        findings = findings_of(made().series())
        ours = (
            "; ".join(f"{one.status.upper() if one.status == 'fail' else one.status} {one.code}{_count(one)}" for one in findings) or "ok"
        )
        print(f"| {name} | " + " | ".join(others) + f" | {ours} |")


def _count(finding: Finding) -> str:
    count = finding.details.get("count", finding.details.get("missing"))
    return f" ({count})" if isinstance(count, int) else ""


def as_files(stacks: int) -> tuple[int, int]:
    """Write stacks as files, read them back; (stacks, stacks whose findings differ from those of the rows)."""
    differ = 0
    kinds = list(KINDS)
    with tempfile.TemporaryDirectory() as scratch:
        for index in range(stacks):
            kind = kinds[index % len(kinds)]
            made = KINDS[kind](np.random.default_rng([zlib.crc32(kind.encode()), 1_000_000 + index]))
            expected = sorted((one.code, one.status, one.message) for one in findings_of(made.series()))
            folder = Path(scratch, str(index))
            write_stack(folder, made)
            with Runner(Options(only=CHECKS, pixels=False)) as runner:
                report = runner.paths([folder])
            got = sorted((one.code, one.status, one.message) for one in report.findings if one.check in CHECKS)
            if got != expected:
                differ += 1
                print(f"\nfiles differ: {kind} #{index}: {got[:3]} instead of {expected[:3]}")
    return stacks, differ


def cost(images: int = 1000, repeats: int = 5) -> float:
    """Seconds of all header and slice checks of a series over the seconds of one pydicom pass over its headers; the ratio."""
    with tempfile.TemporaryDirectory() as scratch:
        write_series(Path(scratch), images, 32)
        files = sorted(Path(scratch).iterdir())
        reading, checking, whole = [], [], []
        for repeat in range(repeats + 1):
            start = time.perf_counter()
            for file in files:
                pydicom.dcmread(file, stop_before_pixels=True)
            middle = time.perf_counter()
            with Runner(Options(pixels=False)) as runner:
                begin = time.perf_counter()
                report = runner.paths([Path(scratch)])
                end = time.perf_counter()
                studies = [Study(one.uid, [Series(s.study_uid, s.uid, s.instances) for s in one.series], b"k") for one in report.studies]
                again = time.perf_counter()
                for study in studies:
                    runner.study(study, report)
                stop = time.perf_counter()
            if repeat:  # the first pass warms up
                reading.append(middle - start)
                whole.append(end - begin)
                checking.append(stop - again)
        read_s, check_s, all_s = (float(np.median(times)) for times in (reading, checking, whole))
        specs = [spec.id for spec in load_checks() if spec.needs == "headers"]
        print(f"\n| cost, one series of {images} images | seconds |\n|---|---|")
        print(f"| pydicom, headers once (`stop_before_pixels`) | {read_s:.3f} |")
        print(f"| all header and slice checks ({', '.join(specs)}) | {check_s:.3f} |")
        print(f"| ratio (limit {COST_LIMIT:g}) | {check_s / read_s:.3f} |")
        print(f"| our reading and checks together | {all_s:.3f} |")
        print(f"| ratio | {all_s / read_s:.3f} |")
    return check_s / read_s


def main() -> int:
    """Print the tables; exit 1 where a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clean", type=int, default=20_000, help="plain clean stacks")
    parser.add_argument("--each", type=int, default=2_000, help="stacks of every other kind")
    parser.add_argument("--files", type=int, default=300, help="stacks that are also written as files")
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_args()
    start = time.perf_counter()
    counts = {kind: args.clean if kind == "plain stack" else args.each for kind in KINDS}
    good = table(tallies(counts, args.workers))
    print(f"\n{sum(counts.values())} stacks made and judged in {math.ceil(time.perf_counter() - start)} s with {args.workers} process(es)")
    matrix()
    stacks, differ = as_files(args.files)
    print(f"\n{stacks} stacks written as files and read back: {differ} with other findings than their rows")
    return int(not (good and differ == 0 and cost() < COST_LIMIT))


if __name__ == "__main__":
    raise SystemExit(main())
