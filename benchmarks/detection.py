"""How well the checks of patient images see artefacts: detection against strength, false alarms on clean series, area under the ROC curve.

    python benchmarks/detection.py [--only NAME] [--pictures FOLDER]

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
from made.clean import ALARM_COUNT, BASES, COUNT, available
from made.spoilt import ARTEFACTS, Artefact
from pydicom.dataset import Dataset

from phantoms.synthetic.encode import write
from qc.check import load_checks
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
    """Write a sheet of all artefacts that can be seen, `detection.png`: the clean image and the same at strength 1, synthetic series only."""
    from PIL import Image, ImageDraw

    folder.mkdir(parents=True, exist_ok=True)
    tiles = []
    for artefact in ARTEFACTS:
        base = next(name for name in artefact.bases if not name.startswith("real_"))
        clean = BASES[base](0)
        broken = artefact.spoil(clean, 1.0, np.random.default_rng([0, 1]))
        changed = [k for k in range(len(clean)) if _shown(clean[k]) != _shown(broken[k])]
        if changed:
            at = changed[len(changed) // 2]
            tiles.append((artefact.name, _side_by_side(clean[at], broken[at], base, own_window=artefact.name in OWN_WINDOW)))
    wide, high, line, columns = 352, 176, 14, 4
    sheet = Image.new("L", (columns * (wide + 8) - 8, -(-len(tiles) // columns) * (high + line + 4)), 255)
    for number, (name, picture) in enumerate(tiles):
        x, y = number % columns * (wide + 8), number // columns * (high + line + 4)
        ImageDraw.Draw(sheet).text((x + 2, y + 1), f"{name}: clean, strength 1", fill=0)
        sheet.paste(Image.fromarray(picture).resize((wide, high), Image.Resampling.BILINEAR), (x, y + line))
    sheet.save(folder / "detection.png")


OWN_WINDOW = ("inverted", "swapped bytes")  # shown black to white by their own values


def _shown(dataset: Dataset) -> tuple[bytes, str]:
    """What decides how an image looks, the window apart."""
    return dataset.PixelData, str(dataset.PhotometricInterpretation)


def _side_by_side(clean: Dataset, broken: Dataset, base: str, own_window: bool) -> np.ndarray:
    """Both images in grey, windowed by the clean one; soft tissue in CT."""
    shown = []
    for one in (clean, broken):
        image = one.pixel_array.astype(float)
        image = image[0] if image.ndim == 3 and one.get("NumberOfFrames") else image
        shown.append(-image if one.PhotometricInterpretation == "MONOCHROME1" else image)
    window = (1024 - 160, 1024 + 240) if base.startswith("ct_") and not own_window else np.percentile(shown[0], [1, 99.5])
    grey = []
    for image in shown:
        low, high = np.percentile(image, [1, 99.5]) if own_window else window
        grey.append(np.clip((image - low) / max(high - low, 1e-9), 0, 1))
    return (255 * np.concatenate(grey, axis=1)).astype(np.uint8)


def false_alarms() -> tuple[int, int, Counter[str]]:
    """Run every check over clean series; return their number, that of series with a warning or worse, and the findings by code and base.

    Checks that see pixels count: the headers of the real series were rewritten to make parts of them, and have a benchmark of their own.
    """
    looking = {spec.id for spec in load_checks() if spec.needs != "headers"}
    series, alarmed, codes = 0, 0, Counter()
    for base, make in BASES.items():
        if not available(base):
            continue
        for seed in range(ALARM_COUNT.get(base, ALARM_COUNT[""])):
            bad = {
                f"{one.status} {one.code} in {base}"
                for one in run(make(seed), "").findings
                if one.check in looking and str(one.status) in ("warn", "fail", "error")
            }
            series, alarmed = series + 1, alarmed + bool(bad)
            codes.update(bad)
    return series, alarmed, codes


def main() -> int:
    """Print the tables; exit 1 where a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--only", default="", help="artefacts whose name begins with one of these, joined by commas; `alarms`: only the false alarms"
    )
    parser.add_argument("--pictures", type=Path, help="write the sheet of pictures of strength 1 into this folder and stop")
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
        series, alarmed, codes = false_alarms()
        fails = sum(number for name, number in codes.items() if not name.startswith("warn"))
        print(
            f"\nclean series, all checks that see pixels: {series}; with a warning {alarmed} ({100 * alarmed / series:.1f} %), fails {fails}"
        )
        for name, number in sorted(codes.items()):
            print(f"- {name}: {number}")
        missed += alarmed > LIMIT_ALARMS * series or fails > 0
    return int(missed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
