"""Exposure of radiographs: exposure index, its target, and the deviation index that must follow from both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from qc.check import Applies, Example, check
from qc.measure.exposure import deviation_index
from qc.results import Finding, Metric, Result, Status
from qc.study import Instance, Series

DI = Metric(
    "dx.deviation_index", "1", "Deviation index, recomputed from exposure index and target", "target", "IEC 62494-1: 10 log10(EI / EI_T)"
)
EI = Metric("dx.exposure_index", "1", "Exposure index of the header", "target", "IEC 62494-1; DICOM (0018,1411)")


@dataclass(frozen=True)
class ExposureParameters:
    """Parameters.

    Attributes
    ----------
    rounding
        How far the deviation index of the header may lie from the recomputed one.
    excessive, low
        Deviation index beyond which an image is told (AAPM TG 116: above 3 excessive, below -3 to be looked at for noise).
    """

    rounding: float = 0.1
    excessive: float = 3.0
    low: float = -3.0


def _number(instance: Instance, keyword: str) -> float | None:
    value = instance.get(keyword)
    return float(value) if isinstance(value, (int, float)) else None


@check(
    id="dx.exposure",
    version=1,
    title="Exposure index and deviation index",
    level="series",
    needs="headers",
    applies=Applies(modalities=frozenset({"DX", "CR", "MG"}), not_classes=frozenset({"not_image", "screenshot", "localizer"})),
    metrics=(DI, EI),
    codes={
        "dx.deviation_index": "The deviation index does not follow from exposure index and target index. Dose surveys from these numbers are wrong; ask the vendor to "
        "mend the conversion or the target table.",
        "dx.exposure_target": "The target exposure index is zero or negative, so no deviation index can be made. Enter targets for each view.",
        "dx.overexposed": "The detector got more than twice the dose that was meant (deviation index over 3). Look at collimation, positioning and the automatic exposure "
        "control; if it comes back, the dose is too high for every patient.",
        "dx.underexposed": "The detector got less than half the dose that was meant (deviation index under -3). Look whether noise hides what has to be seen before repeating.",
    },
    params=ExposureParameters,
    source="IEC 62494-1:2008; AAPM TG 116 (2009); DICOM PS3.3 C.8.3.1, (0018,1411), (0018,1412), (0018,1413)",
    invariances=("file_order", "duplicate_input"),
    examples=(
        Example("dx_chest", values={"dx.deviation_index": (0.1703, 0.001)}),
        Example("dx_chest", {"exposure_index": 250.0, "target_exposure_index": 125.0}, codes={"dx.overexposed": Status.WARN}),
        Example("dx_chest", fault="wrong_deviation_index", codes={"dx.deviation_index": Status.WARN}),
    ),
)
def exposure(series: Series, params: ExposureParameters) -> Iterator[Result]:
    """Recompute the deviation index of every image and compare. Vendor's own indices (S, lgM, REX) stand elsewhere and are not asked."""
    subject = series.subject()
    indices, deviations = [], []
    wrong: list[tuple[Instance, float, float]] = []
    no_target: list[Instance] = []
    for instance in series.ordered:
        index, target, told = (_number(instance, name) for name in ("ExposureIndex", "TargetExposureIndex", "DeviationIndex"))
        if index is not None and index > 0:
            indices.append(index)
        if target is not None and target <= 0 and index:
            no_target.append(instance)
        if index is None or target is None or index <= 0 or target <= 0:
            continue
        right = deviation_index(index, target)
        deviations.append((right, instance))
        if told is not None and abs(told - right) > params.rounding + 1e-9:
            wrong.append((instance, told, right))
    if wrong:
        one, told, right = max(wrong, key=lambda case: abs(case[1] - case[2]))
        text = f"the deviation index says {told:+.1f}, exposure index and target give {right:+.1f} ({one.frames[0].label if one.frames else one.shown})"
        yield Finding("dx.deviation_index", Status.WARN, text, subject, {"count": len(wrong), "told": told, "right": right})
    if no_target:
        text = f"the target exposure index is {no_target[0].get('TargetExposureIndex')}: no deviation index follows"
        yield Finding("dx.exposure_target", Status.INFO, text, subject, {"count": len(no_target)})
    for code, beyond, word in (
        ("dx.overexposed", [d for d in deviations if d[0] > params.excessive], "more"),
        ("dx.underexposed", [d for d in deviations if d[0] < params.low], "less"),
    ):
        if beyond:
            worst, instance = max(beyond, key=lambda case: abs(case[0]))
            text = (
                f"deviation index {worst:+.1f}: {10 ** (abs(worst) / 10):.1f} times {word} dose at the detector than meant "
                f"({instance.frames[0].label if instance.frames else instance.shown})"
            )
            yield Finding(code, Status.WARN, text, subject, {"count": len(beyond), "deviation_index": worst})
    reason = "no_exposure_index" if not indices else "no_target"
    yield EI.value(float(np.median(indices)), subject, images=len(indices)) if indices else EI.missing("no_exposure_index", subject)
    if deviations:
        yield DI.value(float(np.median([one for one, _ in deviations])), subject, images=len(deviations))
    else:
        yield DI.missing(reason, subject)
