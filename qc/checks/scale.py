"""Do the numbers mean what the header says: CT numbers on their scale, grey values the right way round?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from qc.check import Applies, Example, FrameCheckBase, check
from qc.checks._worst import Worst, share
from qc.measure.ct_air import scale
from qc.measure.sense import corners
from qc.pixels import FramePixels, rescale
from qc.results import Metric, Result, Status
from qc.study import Series

AIR = Metric(
    "ct.air",
    "[hnsf'U]",
    "CT number of air, mode of single images, median over the images",
    "target",
    "definition of the CT number: air is -1000 HU",
)
SMALLEST = 32  # pixels; smaller images are icons
RADIOGRAPHS = frozenset({"DX", "CR", "MG", "RF", "XA"})


@dataclass(frozen=True)
class RescaleParameters:
    """Parameters.

    Attributes
    ----------
    most_of_mass
        Share of an image between 700 and 1400 HU, with no air beside it, from which the scale counts as displaced.
    images_percent
        Share of the images of a series that must be displaced.
    most_images
        Images looked at, evenly spread over the series, and every one whose RescaleSlope or RescaleIntercept differs from the one before.
    """

    most_of_mass: float = 0.10
    images_percent: float = 50.0
    most_images: int = 64


@check(
    id="pixels.rescale",
    version=1,
    title="CT numbers on their scale",
    level="series",
    needs="each_frame",
    applies=Applies(modalities=frozenset({"CT"}), not_classes=frozenset({"not_image", "screenshot", "localizer", "derived"})),
    metrics=(AIR,),
    codes={
        "pixels.rescale": "The CT numbers are displaced as a whole: air is not near -1000 HU. RescaleIntercept or RescaleSlope is missing or was applied "
        "twice; do not measure densities or plan a treatment on these images. Ask for them again from the scanner."
    },
    params=RescaleParameters,
    source="definition of the CT number: air is -1000 HU, water 0 HU; shares of the histogram from anatomy",
    invariances=("file_order", "duplicate_input"),
    examples=(
        Example("ct_head", values={"ct.air": (-1000.0, 5.0)}),
        Example("ct_chest", values={"ct.air": (-1000.0, 10.0)}),
        Example("ct_head", fault="wrong_rescale", codes={"pixels.rescale": Status.WARN}),
    ),
)
class Rescale(FrameCheckBase):
    """Look where air, lung and the mass of the body lie on the CT number scale, image by image.

    A field of view inside the body has no air and is not told from air elsewhere: only its mass near +1000 HU is.
    """

    def __init__(self, series: Series, params: RescaleParameters) -> None:
        super().__init__(series, params)
        self.air: list[float] = []
        self.seen = self.count = 0
        self.every = max(1, -(-len(series.frames) // params.most_images))
        self.last = (1.0, 0.0)
        self.high, self.low = Worst(), Worst()

    def frame(self, frame: FramePixels) -> None:
        """See one frame: a sample of some 4 000 pixels."""
        stored = frame.stored
        kind, before = frame.frame.get("RescaleType"), self.last
        self.last = rescale(frame.frame)
        self.count += 1
        if (self.count - 1) % self.every and self.last == before:
            return
        if stored.ndim != 2 or min(stored.shape) < SMALLEST or kind not in (None, "HU"):
            return
        step = max(1, int((stored.size / 4096) ** 0.5))
        values = frame.rescaled(stored[::step, ::step])
        if float(values.max()) == float(values.min()):
            return
        self.seen += 1
        padding = frame.frame.get("PixelPaddingValue")
        slope, intercept = self.last
        found = scale(values, padding * slope + intercept if isinstance(padding, int) else None, self.params.most_of_mass)
        if found.displaced:
            group, word = (self.high, "high") if found.displaced > 0 else (self.low, "low")
            group.add(frame, 1.0, f"CT numbers too {word} by about 1000 HU")
        elif found.air is not None:
            self.air.append(found.air)

    def finish(self) -> Iterator[Result]:
        """Give the finding, and the CT number of air or the reason why not."""
        for group, word in ((self.high, "high"), (self.low, "low")):
            if self.seen and 100.0 * group.count >= self.params.images_percent * self.seen:
                slope, intercept = rescale(group.frames[0])
                text = (
                    f"the CT numbers of {group.count} of {self.seen} images looked at are about 1000 HU too {word} (RescaleSlope {slope:g}, "
                    f"RescaleIntercept {intercept:g})"
                )
                yield group.finding(self.series, "pixels.rescale", Status.WARN, text, slope=slope, intercept=intercept)
        if self.air:
            spread = float(np.std(self.air, ddof=1) / np.sqrt(len(self.air))) if len(self.air) > 1 else None
            yield AIR.value(float(np.median(self.air)), self.series.subject(), uncertainty=spread, images=len(self.air))
        else:
            yield AIR.missing("no_air_found" if self.seen else "no_ct_numbers", self.series.subject(), images=self.seen)


@dataclass(frozen=True)
class InvertedParameters:
    """Parameters.

    Attributes
    ----------
    sample
        Images are looked at with about this many pixels a side.
    body_parts
        Parts of the body (beginning of BodyPartExamined) where collimation lies straight and the corners can be trusted.
    """

    sample: int = 128
    body_parts: tuple[str, ...] = ("CHEST", "THORAX", "LUNG", "BREAST", "ABDOMEN", "PELVIS")


@check(
    id="pixels.inverted",
    version=2,
    title="Radiographs shown the right way round",
    level="series",
    needs="each_frame",
    applies=Applies(modalities=RADIOGRAPHS, not_classes=frozenset({"not_image", "screenshot", "localizer"})),
    codes={
        "pixels.inverted": "The radiograph would show as its negative: what passed beside the patient is white. PhotometricInterpretation and the "
        "pixels do not belong together. Look at the image; have it sent again if it is so."
    },
    params=InvertedParameters,
    source="DICOM PS3.3 C.7.6.3.1.2: MONOCHROME1 shows its smallest values white; the unattenuated beam is shown dark",
    invariances=("file_order", "duplicate_input"),
    examples=(
        Example("dx_chest"),
        Example("dx_chest", {"monochrome1": True}),
        Example("mg_breast"),
        Example("dx_chest", fault="inverted", codes={"pixels.inverted": Status.WARN}),
    ),
)
class Inverted(FrameCheckBase):
    """Look at the corners of chest, breast, abdomen and pelvis as they would be shown.

    Images for processing hold the signal of the detector, not a picture, and are left out, extremities too: their collimation may lie askew.
    """

    def __init__(self, series: Series, params: InvertedParameters) -> None:
        super().__init__(series, params)
        self.found = Worst()

    def frame(self, frame: FramePixels) -> None:
        """See one frame: a sample of it."""
        get = frame.frame.get
        kind, stored = get("PhotometricInterpretation"), frame.stored
        part = "BREAST" if get("Modality") == "MG" else str(get("BodyPartExamined", "")).upper()
        if stored.ndim != 2 or kind not in ("MONOCHROME1", "MONOCHROME2") or get("PresentationIntentType") == "FOR PROCESSING":
            return
        if not part.startswith(self.params.body_parts) or min(stored.shape) < SMALLEST:
            return
        step = max(1, min(stored.shape) // self.params.sample)
        values = frame.rescaled(stored[::step, ::step])
        told = corners(-values if kind == "MONOCHROME1" else values)
        if told is not None and told.inverted:
            self.found.add(frame, float(told.bright), f"stored values of {kind}", photometric=kind, bright_corners=told.bright)

    def finish(self) -> Iterator[Result]:
        """Give the finding."""
        if self.found.count:
            text = (
                f"{share(self.found.count, self.series)} would show as a negative: as {self.found.details['photometric']} the corners beside "
                "the patient are white"
            )
            yield self.found.finding(self.series, "pixels.inverted", Status.WARN, text)
