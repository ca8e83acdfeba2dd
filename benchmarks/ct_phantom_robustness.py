"""CT phantoms disturbed: each set with slices gone at either end, every second slice, reversed, shifted, rolled, with air around it.

Every value must be that of the undisturbed set (within what the disturbance itself does, and three uncertainties), or be missing with a
reason. Prints how many are equal, missing, and wrong; ends with 1 where any is wrong.

    python benchmarks/ct_phantom_robustness.py [FOLDER OF REAL IMAGES]
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

from phantoms.synthetic import disturb
from phantoms.synthetic.catalogue import make
from qc.results import Measurement
from qc.runner import Options, Runner

# metric -> tolerance, absolute and as a share; what has an uncertainty gets three of them on top (both scans carry it)
TOLERANCES = {
    "ct.hu": (1.0, 0.002), "ct.hu_linearity": (0.001, 0.0), "ct.hu_uniformity": (1.0, 0.0), "ct.noise": (0.3, 0.05), "ct.cnr": (0.15, 0.05),
    "ct.detectability": (0.2, 0.08), "ct.thickness": (0.1, 0.03), "ct.distance": (0.1, 0.0), "ct.mtf50": (0.01, 0.02),
    "ct.mtf10": (0.015, 0.03), "ct.nps_peak": (0.05, 0.12), "ct.nps_mean": (0.02, 0.05), "ct.resolved": (1.0, 0.0), "ct.roll": (0.1, 0.0),
    "ct.tilt": (0.25, 0.0), "ct.origin": (0.0, 0.0), "ct.offset": (0.2, 0.0), "ct.ring": (1.0, 0.0),
}  # fmt: skip
TURN_DEG, SHIFT_MM = 10.0, 20.0
TURNED_BY_INTERPOLATION = {"ct.noise", "ct.nps_peak", "ct.nps_mean", "ct.cnr", "ct.detectability", "ct.mtf50", "ct.mtf10", "ct.ring", "ct.resolved"}  # fmt: skip


def variants(count: int) -> dict[str, Callable[[list[Dataset]], list[Dataset]]]:
    """Return what is done to a set of so many slices."""
    found: dict[str, Callable[[list[Dataset]], list[Dataset]]] = {
        "reversed": disturb.reversed_order,
        "20 mm right": lambda data: disturb.moved(data, right_mm=SHIFT_MM),
        "20 mm down": lambda data: disturb.moved(data, down_mm=SHIFT_MM),
        "20 mm along": lambda data: disturb.moved(data, along_mm=SHIFT_MM),
        "rolled 10 deg": lambda data: disturb.turned(data, TURN_DEG),
        "10 air slices": lambda data: disturb.with_air(data, 10),
    }
    if count > 3:
        found["every second"] = disturb.every_second
        found["every second, other half"] = lambda data: disturb.every_second(data, 1)
        for share in (0.1, 0.25, 0.4, 0.5, 0.6):
            cut = max(1, round(share * count))
            found[f"{cut} first gone"] = lambda data, cut=cut: disturb.without_first(data, cut)
            found[f"{cut} last gone"] = lambda data, cut=cut: disturb.without_last(data, cut)
    return found


def measure(images: list[Dataset]) -> tuple[str, dict[str, Measurement]]:
    """Return the class and the measurements by name."""
    with tempfile.TemporaryDirectory() as folder:
        for number, image in enumerate(images):
            image.save_as(Path(folder, f"{number:04d}.dcm"), enforce_file_format=True)
        with Runner(Options(only=("ct_phantom", "ct_water"))) as runner:
            report = runner.paths([Path(folder)])
    broken = [finding.message for finding in report.findings if finding.status == "error"]
    if broken:
        raise RuntimeError(broken[0])
    klass = next((series.klass for study in report.studies for series in study.series if series.klass.startswith("phantom:")), "image")
    return klass, {f"{one.measurement.metric}@{one.measurement.region}": one.measurement for one in report.measurements}


def expected(name: str, value: float, variant: str) -> float:
    """Return what a value should be after the disturbance."""
    if name == "ct.roll@" and variant.startswith("rolled"):
        return value + TURN_DEG
    moves = {"20 mm right": "ct.offset@right", "20 mm down": "ct.offset@down", "20 mm along": "ct.origin@"}
    return value + SHIFT_MM if moves.get(variant) == name else value


def wrong(name: str, base: Measurement, now: Measurement, variant: str, step_mm: float) -> bool:
    """Tell whether a value is not what it should be."""
    metric = name.partition("@")[0]
    absolute, share = TOLERANCES[metric]
    if metric == "ct.origin":
        absolute = step_mm / 2 * (2 if variant.startswith("every") else 1)
    if metric == "ct.offset" and variant.startswith("20"):
        absolute += 0.5  # whole pixels
    if variant.startswith("rolled") and metric in TURNED_BY_INTERPOLATION:
        absolute, share = absolute * 2, 0.3
    if variant.startswith("rolled") and metric in ("ct.hu_uniformity", "ct.offset"):
        return False  # other places of the image, and another centre
    spread = 3 * ((base.uncertainty or 0.0) ** 2 + (now.uncertainty or 0.0) ** 2) ** 0.5
    right = expected(name, base.value or 0.0, variant)
    return abs((now.value or 0.0) - right) > absolute + share * abs(right) + spread


def compare(title: str, images: list[Dataset]) -> int:
    """Print the table of one set; return how many values were wrong."""
    klass, base = measure(images)
    places = sorted(disturb.along(image) for image in images)
    step = (places[-1] - places[0]) / max(len(places) - 1, 1)
    print(f"\n{title}: {len(images)} slices, {klass}, {sum(one.value is not None for one in base.values())} values\n")
    print("| disturbed | class | right | missing, with reasons | wrong |\n|---|---|---|---|---|")
    total = 0
    for variant, change in variants(len(images)).items():
        now_class, now = measure(change(images))
        there = {name: one for name, one in now.items() if one.value is not None}
        both = [name for name in there if base.get(name) is not None and base[name].value is not None]
        bad = [name for name in both if name.partition("@")[0] in TOLERANCES and wrong(name, base[name], there[name], variant, step)]
        reasons = Counter(one.reason for name, one in now.items() if one.value is None and base.get(name, one).value is not None)
        said = ", ".join(f"{number} {reason}" for reason, number in reasons.most_common())
        details = "; ".join(f"{name} {there[name].value:.4g} (was {base[name].value:.4g})" for name in bad)
        told = now_class if now_class == klass else f"**{now_class}**"
        print(f"| {variant} | {told.removeprefix('phantom:')} | {len(both) - len(bad)} | {said or '0'} | {f'**{len(bad)}**: {details}' if bad else 0} |", flush=True)  # fmt: skip
        total += len(bad) + (now_class not in (klass, "image"))
    return total


def main() -> int:
    root = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("PACSQC_REAL_DATA") or Path(__file__).parents[2] / "shared" / "data")
    total = 0
    for folder in ("ct_catphan504", "ct_water"):
        groups: dict[str, list[Dataset]] = {}
        for path in sorted((root / folder).glob("*.dcm")):
            image = pydicom.dcmread(path)
            if image.get("Modality") == "CT":
                groups.setdefault(str(image.SeriesInstanceUID), []).append(image)
        for number, images in enumerate(groups.values(), start=1):
            if measure(images)[0] != "image":
                total += compare(f"Real {folder}, series {number}", images)
    for name, options in (
        ("ct_acr464", {"noise_hu": 5.0}),
        ("ct_catphan", {"model": "600", "noise_hu": 5.0}),
        ("ct_catphan", {"model": "604", "noise_hu": 5.0}),
        ("ct_water", {"slices": 5}),
    ):
        total += compare(f"Synthetic {name} {options.get('model', '')}".strip(), make(name, 1, **options).datasets)
    print(f"\nwrong values in all: {total}")
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
