"""Uniform MR phantoms of any outline, small bottles too: ghosting by the measure of the ACR, in the air that there is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phantoms.uniform import CLASS, object_region
from qc.check import Applies, Example, check
from qc.errors import Unmeasurable
from qc.measure.roi import object_mask
from qc.picture import picture
from qc.pixels import PixelAccess
from qc.results import Measurement, Metric, Result, Shape
from qc.study import Frame, Series

SOURCE = "Percent signal ghosting (ACR), air regions as in the small-bottle method of IPEM Report 112"
GHOSTING = Metric("mr.ghosting", "%", "Ghosting of a uniform object", "lower", SOURCE)

SIDES = ("top", "bottom", "left", "right")


@dataclass(frozen=True)
class GhostingParameters:
    """Parameters.

    Attributes
    ----------
    margin_mm
        Distance of the air regions from the object.
    narrowest_mm
        Air narrower than this, between object and border of the image, is not used.
    """

    margin_mm: float = 10.0
    narrowest_mm: float = 8.0


@dataclass(frozen=True)
class Strip:
    """A region of air: rows and columns of its corners, the second excluded."""

    rows: tuple[int, int]
    columns: tuple[int, int]

    def of(self, image: NDArray[Any]) -> NDArray[Any]:
        """Return the pixels of the region."""
        return image[slice(*self.rows), slice(*self.columns)]


def air_strips(mask: NDArray[np.bool_], spacing_mm: tuple[float, float], params: GhostingParameters) -> dict[str, Strip]:
    """Return the air straight above, below, left and right of an object, as wide as the inner 80 % of it; sides without air are left out."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    border = [max(2, int(0.03 * side)) for side in mask.shape]
    gap = [int(np.ceil(params.margin_mm / spacing)) for spacing in spacing_mm]
    inner = [(int(at[0] + 0.1 * len(at)), int(at[-1] + 1 - 0.1 * len(at))) for at in (rows, columns)]
    before = [(border[axis], int(at[0]) - gap[axis]) for axis, at in enumerate((rows, columns))]
    after = [(int(at[-1]) + 1 + gap[axis], mask.shape[axis] - border[axis]) for axis, at in enumerate((rows, columns))]
    found = {
        "top": Strip(before[0], inner[1]),
        "bottom": Strip(after[0], inner[1]),
        "left": Strip(inner[0], before[1]),
        "right": Strip(inner[0], after[1]),
    }
    deep = {"top": (before[0], 0), "bottom": (after[0], 0), "left": (before[1], 1), "right": (after[1], 1)}
    return {
        name: strip
        for name, strip in found.items()
        if (deep[name][0][1] - deep[name][0][0]) * spacing_mm[deep[name][1]] >= params.narrowest_mm
    }


@check(
    id="uniform.ghosting",
    version=1,
    title="Uniform MR phantom: ghosting",
    level="series",
    needs="volume",
    applies=Applies(modalities=frozenset({"MR"}), classes=frozenset({CLASS})),
    metrics=(GHOSTING,),
    params=GhostingParameters,
    source=SOURCE,
    invariances=("file_order", "intensity_scale"),
    examples=(
        Example(
            "uniform_disc",
            {"diameter_mm": 66.0, "offset_mm": (50.0, 60.0), "ghost_amplitude": 0.02, "snr": 300.0},
            values={"mr.ghosting": (0.38, 0.05)},
        ),
    ),
)
def ghosting(series: Series, pixels: PixelAccess, params: GhostingParameters) -> Iterator[Result]:
    """Difference between the mean air above and below and the mean air left and right of the object, over its signal.

    A ghost lies along one axis only, that of the phase encoding; so the other axis is what the noise alone gives. The regions reach from
    10 mm beside the object to the border of the image: of a bottle in a corner, two sides have air. ``details`` hold the ratio of each
    side, and what noise alone gives (``noise_bias``).

    Worked number: a bottle of 66 mm in 256 mm with a ghost of 2 %, half a field of view away, and 109 mm of air above it: the ghost covers
    some fifth of that strip, so the mean is about 0.4 %.
    """
    volume = pixels.volume(series)
    spacing = (volume.spacing_mm[1], volume.spacing_mm[2])
    for number, (image, frame) in enumerate(zip(volume.values, volume.frames, strict=True), start=1):
        region = "" if len(volume.frames) == 1 else f"image{number}"
        try:
            yield _one(image, frame, spacing, region, params)
        except Unmeasurable as error:
            yield GHOSTING.missing(error.reason, frame.subject(), region, message=error.message, image=frame.label, **error.facts)


def _one(image: NDArray[Any], frame: Frame, spacing: tuple[float, float], region: str, params: GhostingParameters) -> Measurement:
    signal = float(image[object_region(image, spacing)].mean())
    strips = air_strips(object_mask(image), spacing, params)
    pairs = {axis: [name for name in names if name in strips] for axis, names in (("upright", SIDES[:2]), ("across", SIDES[2:]))}
    short = [words for axis, words in (("upright", "above or below"), ("across", "left or right")) if not pairs[axis]]
    if short:
        raise Unmeasurable(
            "air_does_not_fit",
            f"there is no air of {params.narrowest_mm:g} mm {' and none '.join(short)} of the object; use a larger field of view",
            sides=sorted(strips),
        )
    air = {name: np.asarray(strip.of(image), float) for name, strip in strips.items()}
    zeros = float(np.mean(np.concatenate([part.ravel() for part in air.values()]) == 0))
    if zeros > 0.999:
        raise Unmeasurable("background_masked", "the air was set to zero by the scanner; ghosts cannot be seen", zeros=zeros)
    means = {axis: float(np.mean([air[name].mean() for name in names])) for axis, names in pairs.items()}
    variance = sum(float(air[name].var(ddof=1)) / air[name].size / len(names) ** 2 for names in pairs.values() for name in names)
    uncertainty = 100 * float(np.sqrt(variance)) / signal
    value = 100 * abs(means["upright"] - means["across"]) / signal
    shown = picture(
        image,
        f"Ghosting {value:.2f} % ({frame.label})",
        tuple(_shape(strip, f"{name} {100 * air[name].mean() / signal:.2f} %") for name, strip in strips.items()),
        spacing,
        caption="Window set on the air, so that ghosts can be seen.",
        window=(0.0, 0.06 * signal),
    )
    return GHOSTING.value(
        value,
        frame.subject(),
        region,
        uncertainty=uncertainty,
        evidence=(shown,),
        ratios={name: 100 * float(part.mean()) / signal for name, part in air.items()},
        noise_bias=float(np.sqrt(2 / np.pi)) * uncertainty,
        zeros=zeros,
        signal=signal,
        phase_encoding={"COL": "upright", "ROW": "across"}.get(str(frame.get("InPlanePhaseEncodingDirection") or ""), "unknown"),
        image=frame.label,
    )


def _shape(strip: Strip, label: str) -> Shape:
    (top, bottom), (left, right) = ((first - 0.5, last - 0.5) for first, last in (strip.rows, strip.columns))
    return Shape("polygon", ((top, left), (top, right), (bottom, right), (bottom, left), (top, left)), label)
