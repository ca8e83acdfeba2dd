"""Sharpness: the modulation transfer function of the phantom's edge in slice 7."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from phantoms.acr_mri.byhand import SetByHand, attempted
from phantoms.acr_mri.locate import Located, locate
from qc.check import Applies, Example, check
from qc.errors import Unmeasurable
from qc.measure.outline import edge_profile
from qc.measure.resolution import edge_mtf
from qc.pixels import PixelAccess
from qc.results import CurveEvidence, Measurement, Metric, Result
from qc.study import Series

MTF50 = Metric(
    "acr_mri.mtf50",
    "1/mm",
    "Frequency at which the MTF falls to 50 %",
    "higher",
    "Edge method (ISO 12233) on the round edge of the phantom",
)

# directions of the edge normal, degrees: rows are read along x at the sides, columns along y at the bottom (the plug is at the top)
SECTORS = {"rows": ((0.0, 180.0), 24.0), "columns": ((270.0,), 30.0)}


@dataclass(frozen=True)
class MtfParameters(SetByHand):
    """Parameters.

    Attributes
    ----------
    reach_mm
        How far the edge is followed on both sides.
    step_mm
        Sampling of the edge; finer than the pixels, whose grid the round edge crosses at every phase.
    """

    reach_mm: float = 8.0
    step_mm: float = 0.2


@check(
    id="acr_mri.mtf",
    version=1,
    title="ACR MRI phantom: modulation transfer function",
    level="series",
    needs="volume",
    applies=Applies(classes=frozenset({"phantom:acr_mri_large", "phantom:acr_mri_medium"})),
    metrics=(MTF50,),
    params=MtfParameters,
    source="Edge method; ISO 12233",
    invariances=("file_order", "intensity_scale", "rescale"),
    examples=(Example("acr_mri_large", {"blur_mm": 0.8, "snr": 300.0, "matrix": 512}, values={"acr_mri.mtf50@rows": (0.228, 0.012)}),),
)
def mtf(series: Series, pixels: PixelAccess, params: MtfParameters) -> Iterator[Result]:
    """Profiles across the round edge, averaged over a sector on the fitted ellipse; derivative, window, Fourier transform.

    ``rows``: both sides, ``columns``: the bottom. ``details`` hold MTF10 and the pixel size; where the MTF does not fall to 10
    % within the samples, MTF10 is missing.

    Worked number: a Gaussian point spread of SD 0.8 mm gives MTF50 = 0.18739 / 0.8 = 0.234 1/mm, with pixels of 0.49 mm 0.228.
    """
    for located in locate(series, pixels):
        for name in SECTORS:
            region = located.named(name)

            def one(located: Located = located, name: str = name, region: str = region) -> Measurement:
                return _mtf(series, located, name, region, params)

            yield from attempted(MTF50, series.subject(), region, one, **params.recorded())


def _mtf(series: Series, located: Located, name: str, region: str, params: MtfParameters) -> Measurement:
    number = params.number(7)
    image, edge = located.slice(number), located.outline(number)
    directions, half = SECTORS[name]
    angles = np.concatenate([direction + np.arange(-half, half + 0.1, 0.75) for direction in directions])
    distance, signal = edge_profile(image, edge, angles, params.reach_mm, params.step_mm, 3)
    found = edge_mtf(distance, signal)
    if found.mtf50 is None:
        raise Unmeasurable("edge_not_found", "the edge of the phantom is too unsharp or not visible in this sector")
    nyquist = 0.5 / (located.spacing_mm[1] if name == "rows" else located.spacing_mm[0])
    if not 0.02 < found.mtf50 < 1.5 * nyquist:
        raise Unmeasurable("mtf_implausible", f"the MTF falls to 50 % at {found.mtf50:.2f} lp/mm", nyquist=nyquist)
    title = f"MTF of the edge, slice {number}, {name}: 50 % at {found.mtf50:.2f} lp/mm"
    curve = CurveEvidence(
        title,
        {"MTF": (found.frequencies.tolist(), found.values.tolist())},
        "1/mm",
        "MTF",
        {"50 %": found.mtf50, "Nyquist": nyquist},
    )
    return MTF50.value(
        found.mtf50,
        series.subject(),
        region,
        evidence=(curve,),
        mtf10=found.mtf10,
        nyquist=nyquist,
        image=located.frame(number).label,
        **params.recorded(),
    )
