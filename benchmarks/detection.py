"""How well the checks of patient images see artefacts: detection against strength, false alarms on clean series, area under the ROC curve.

    python benchmarks/detection.py [--only NAME] [--pictures FOLDER] [--markdown]

Each artefact (`made/spoilt.py`, with the strengths written down there) is put into clean series, synthetic ones and parts of real ones
(`made/clean.py`), at half, once and twice its strength. The files are written and checked as `pacsqc check` does. The area under the ROC
curve compares the scores of the clean series with those of the spoilt ones at strength 1; scores that only make sense within a protocol
(sharpness, noise) are divided by the median of its clean series first, as a learned limit does. Alarms are findings of the named code.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from made.clean import BASES, COUNT, available
from made.spoilt import ARTEFACTS, Artefact
from pydicom.dataset import Dataset

from phantoms.synthetic.encode import write
from qc.runner import Options, Report, Runner

LEVELS = (0.5, 1.0, 2.0)
LIMIT_AUC, LIMIT_ALARMS = 0.95, 0.01


def run(datasets: list[Dataset], check: str) -> Report:
    """Write the files and check them."""
    with tempfile.TemporaryDirectory() as folder:
        write(datasets, Path(folder), [f"IM{number:05d}" for number in range(len(datasets))])
        return runner(check).paths([Path(folder)])


@cache
def runner(check: str) -> Runner:
    """One runner a check: it holds the process that decodes."""
    return Runner(Options(only=(check,) if check else (), hash_key=b"bench"))


@dataclass
class Row:
    """What one artefact gave."""

    clean: list[float] = field(default_factory=list)
    spoilt: dict[float, list[float]] = field(default_factory=lambda: {level: [] for level in LEVELS})
    told: dict[float, int] = field(default_factory=lambda: dict.fromkeys(LEVELS, 0))
    tried: dict[float, int] = field(default_factory=lambda: dict.fromkeys(LEVELS, 0))
    alarms: int = 0
    blind: int = 0


def area(clean: list[float], spoilt: list[float]) -> float:
    """Area under the ROC curve: the chance that a spoilt series scores higher than a clean one, equal scores for a half."""
    one, other = np.asarray(spoilt)[:, None], np.asarray(clean)[None, :]
    return float(np.mean((one > other) + 0.5 * (one == other)))


def measure(artefact: Artefact) -> Row:
    """Clean and spoilt series of every base."""
    row = Row()
    for base in artefact.bases:
        if not available(base):
            continue
        clean, spoilt = [], {level: [] for level in LEVELS}
        for seed in range(COUNT):
            datasets = BASES[base](seed)
            report = run(datasets, artefact.check)
            score = artefact.score(report)
            row.alarms += any(one.code == artefact.code for one in report.findings)
            if score is None:
                row.blind += 1
                continue
            clean.append(score)
            for number, level in enumerate(LEVELS):
                broken = artefact.spoil(datasets, level, np.random.default_rng([seed, number]))
                told = run(broken, artefact.check)
                score = artefact.score(told)
                row.tried[level] += 1
                row.told[level] += any(one.code == artefact.code for one in told.findings)
                if score is not None:
                    spoilt[level].append(score)
        usual = float(np.median(clean)) if artefact.relative and clean else 1.0
        row.clean += [one / usual for one in clean]
        for level in LEVELS:
            row.spoilt[level] += [one / usual for one in spoilt[level]]
    return row


def pictures(folder: Path) -> None:
    """Write a sheet a base and artefact: the clean image and the same at strength 1, synthetic bases only."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    for artefact in ARTEFACTS:
        base = next(name for name in artefact.bases if not name.startswith("real_"))
        clean = BASES[base](0)
        broken = artefact.spoil(clean, 1.0, np.random.default_rng([0, 1]))
        changed = [k for k in range(len(clean)) if clean[k].PixelData != broken[k].PixelData] or [len(clean) // 2]
        at = changed[len(changed) // 2]
        sheets = []
        for one in (clean[at], broken[at]):
            image = one.pixel_array.astype(float)
            image = image[0] if image.ndim == 3 and one.get("NumberOfFrames") else image
            sheets.append(-image if one.PhotometricInterpretation == "MONOCHROME1" else image)
        low, high = np.percentile(sheets[0], [1, 99.5])
        if base.startswith("ct_"):
            low, high = 1024 - 160, 1024 + 240
        if artefact.name in ("inverted", "swapped bytes", "CT numbers displaced"):
            grey = [(image - np.percentile(image, 1)) / max(np.ptp(np.percentile(image, [1, 99.5])), 1) for image in sheets]
        else:
            grey = [(image - low) / (high - low) for image in sheets]
        side = np.concatenate([np.clip(one, 0, 1) for one in grey], axis=1)
        name = artefact.name.replace(" ", "_").replace(",", "").lower()
        Image.fromarray((255 * side).astype(np.uint8)).save(folder / f"{name}.png")


def false_alarms() -> tuple[int, Counter[str], Counter[str]]:
    """Run every check over every clean series; count series with a warning, and with a fail, by code."""
    warned, failed, count = Counter(), Counter(), 0
    for base, make in BASES.items():
        if not available(base):
            continue
        for seed in range(COUNT):
            report = run(make(seed), "")
            count += 1
            checks = {artefact.check for artefact in ARTEFACTS}
            for finding in {(one.code, str(one.status)) for one in report.findings if one.check in checks}:
                (failed if finding[1] in ("fail", "error") else warned)[f"{finding[0]} in {base}"] += finding[1] in (
                    "warn",
                    "fail",
                    "error",
                )
    return count, +warned, +failed


def main() -> int:
    """Print the tables; exit 1 where a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="artefacts whose name begins with one of these, joined by commas; `alarms`: only the false alarms")
    parser.add_argument("--pictures", type=Path, help="write pictures of strength 1 here and stop")
    args = parser.parse_args()
    if args.pictures:
        pictures(args.pictures)
        return 0
    missed = 0
    print("| artefact | check | strength 1 | clean series | ROC area | told at 0.5 | at 1 | at 2 | alarms on clean | not measured |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for artefact in ARTEFACTS:
        if not artefact.name.startswith(tuple(args.only.split(","))):
            continue
        row = measure(artefact)
        auc = area(row.clean, row.spoilt[1.0]) if row.clean and row.spoilt[1.0] else float("nan")
        missed += not auc >= LIMIT_AUC
        told = [f"{100 * row.told[level] / max(row.tried[level], 1):.0f} %" if artefact.code else "-" for level in LEVELS]
        print(
            f"| {artefact.name} | {artefact.check} | {artefact.strength} | {len(row.clean)} | {auc:.3f} | {told[0]} | {told[1]} | {told[2]} | {row.alarms} | {row.blind} |",
            flush=True,
        )
    if args.only in ("", "alarms"):
        count, warned, failed = false_alarms()
        series = sum(warned.values())
        print(f"\nclean series, all checks: {count}; warnings {series} ({100 * series / count:.1f} %), fails {sum(failed.values())}")
        for name, number in sorted((warned + failed).items()):
            print(f"- {name}: {number}")
        missed += series > LIMIT_ALARMS * count or bool(failed)
    return int(missed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
