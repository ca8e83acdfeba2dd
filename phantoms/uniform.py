"""Uniform MR phantoms: signal-to-noise ratio and uniformity (NEMA MS 1 and MS 3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qc import geometry
from qc.check import Applies, Example, check
from qc.errors import Unmeasurable
from qc.measure import noise, uniformity
from qc.measure.roi import object_mask
from qc.picture import picture
from qc.pixels import PixelAccess, Volume
from qc.results import Metric, Result, Shape
from qc.study import Frame, Series, Study

SNR = Metric("mr.snr", "1", "Signal-to-noise ratio of a uniform object", "higher", "NEMA MS 1 (methods 1, 2, 4)")
UNIFORMITY = Metric("mr.uniformity", "%", "Uniformity of a uniform object", "higher", "NEMA MS 3")

CLASS = "phantom:uniform"
MOST_FRAMES = 8
ROI_SHARE = 0.75  # of the area of the phantom section (NEMA MS 1)


def object_region(image: NDArray[Any], spacing_mm: tuple[float, float], share: float = ROI_SHARE) -> NDArray[np.bool_]:
    """Return the measurement region: the phantom's section shrunk evenly (in mm) from its edge to a share of its area.

    Raises
    ------
    Unmeasurable
        ``phantom_not_found`` where there is no object of 8 cm2 that stands out from its surroundings.
    """
    from scipy import ndimage

    mask = object_mask(image)
    if image.max() <= image.min() or mask.sum() * spacing_mm[0] * spacing_mm[1] < 800 or mask.sum() < 100:
        raise Unmeasurable("phantom_not_found", "no object of 8 cm2 stands out in the image")
    depth = ndimage.distance_transform_edt(np.pad(mask, 1), sampling=spacing_mm)[1:-1, 1:-1]
    inside = np.sort(depth[mask])[::-1]
    return np.asarray(depth >= inside[int(share * (len(inside) - 1))])


def is_uniform(image: NDArray[Any], spacing_mm: tuple[float, float]) -> bool:
    """Tell whether a picture shows one compact object without structure.

    Compact: it fills 70 to 100 % of its bounding box (a disc 79 %). Without structure: inside, an image freed from
    everything smoother than 6 mm is noise of less than 5 % of the signal, and no place falls below 60 % of its surroundings.
    """
    from scipy import ndimage

    mask = object_mask(image)
    area_cm2 = mask.sum() * spacing_mm[0] * spacing_mm[1] / 100
    if area_cm2 < 8:
        return False
    rows, columns = np.nonzero(mask)
    box = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
    if mask.sum() < 0.7 * box or mask.sum() > 0.85 * image.size:
        return False
    low, high = (float(level) for level in np.percentile(image, (5, 99)))
    if ((image > low + 0.35 * (high - low)) & ~mask).sum() > 0.02 * mask.sum():
        return False  # it is not alone, or cut in pieces
    region = object_region(image, spacing_mm, 0.8)
    widths = [6.0 / spacing for spacing in spacing_mm]
    # within the object only: the air beside a small bottle is not its signal
    smooth = ndimage.gaussian_filter(np.where(mask, image, 0.0).astype(float), widths) / np.maximum(
        ndimage.gaussian_filter(mask.astype(float), widths), 1e-6
    )
    relative = np.asarray(image, float)[region] / np.maximum(smooth[region], 1e-6) - 1
    median = ndimage.median_filter(image, 3)[region] / np.maximum(smooth[region], 1e-6)
    return bool(np.std(relative) < 0.05 and np.percentile(median, 0.05) > 0.6 and smooth[region].min() > 0.25 * smooth[region].max())


def recognise(series: Series, pixels: PixelAccess) -> str | None:
    """Recogniser of uniform MR phantoms (entry point `pacsqc.recognisers`): few slices, each with one even object."""
    if series.modality != "MR" or not 1 <= len(series.frames) <= MOST_FRAMES or series.frames[0].tile is not None:
        return None
    if any(frame.spacing_mm is None or frame.instance.layout is None for frame in series.frames):
        return None
    volume = pixels.volume(series)
    spacing = (volume.spacing_mm[1], volume.spacing_mm[2])
    return CLASS if all(is_uniform(image, spacing) for image in volume.values) else None


@dataclass(frozen=True)
class UniformParameters:
    """Parameters.

    Attributes
    ----------
    longest_pause_min
        Two scans further apart than this are no pair (drift, re-adjustment).
    air_margin_mm
        Distance of the air region from the object.
    fewest_air_pixels
        Pixels of air needed.
    """

    longest_pause_min: float = 30.0
    air_margin_mm: float = 15.0
    fewest_air_pixels: int = 400


def _polygon(mask: NDArray[np.bool_], label: str) -> Shape:
    """Outline of a region as seen from its centre, every 5 degrees."""
    center = [float(axis.mean()) for axis in np.nonzero(mask)]
    points = []
    for angle in np.deg2rad(np.arange(0, 365, 5)):
        steps = np.arange(0.0, float(np.hypot(*mask.shape)))
        rows = np.round(center[0] + steps * np.sin(angle)).astype(int)
        columns = np.round(center[1] + steps * np.cos(angle)).astype(int)
        valid = (rows >= 0) & (rows < mask.shape[0]) & (columns >= 0) & (columns < mask.shape[1])
        inside = np.flatnonzero(mask[rows[valid], columns[valid]])
        reach = float(steps[inside[-1]]) if len(inside) else 0.0
        points.append((center[0] + reach * float(np.sin(angle)), center[1] + reach * float(np.cos(angle))))
    return Shape("polygon", tuple(points), label)


@check(
    id="uniform.uniformity",
    version=1,
    title="Uniform MR phantom: uniformity",
    level="series",
    needs="volume",
    applies=Applies(modalities=frozenset({"MR"}), classes=frozenset({CLASS})),
    metrics=(UNIFORMITY,),
    source="NEMA MS 3 (definitions from memory; limits are a matter of baseline)",
    params=UniformParameters,
    invariances=("file_order", "intensity_scale", "rescale"),
    examples=(
        Example(
            "uniform_disc",
            {"shading_per_mm": (0.001, 0.0), "diameter_mm": 170.0, "snr": 200.0},
            values={"mr.uniformity@nema_average": (96.88, 0.3)},
        ),
    ),
)
def uniform_uniformity(series: Series, pixels: PixelAccess, params: UniformParameters) -> Iterator[Result]:
    """Peak deviation and average deviation uniformity in 75 % of the section of the phantom.

    Worked number: a ramp of 0.1 % a mm over a disc of radius 73.6 mm gives 100 (1 - 4 x 0.001 x 73.6 / (3 pi)) = 96.9 % average
    deviation uniformity.
    """
    volume = pixels.volume(series)
    spacing = (volume.spacing_mm[1], volume.spacing_mm[2])
    for number, (image, frame) in enumerate(zip(volume.values, volume.frames, strict=True), start=1):
        which = "" if len(volume.frames) == 1 else f".image{number}"
        region = object_region(image, spacing)
        naad = uniformity.average_deviation(image, region.astype(float))
        shown = picture(image, f"Uniformity {naad:.1f} % ({frame.label})", (_polygon(region, "75 % of the section"),), spacing)
        yield UNIFORMITY.value(naad, frame.subject(), f"nema_average{which}", evidence=(shown,), image=frame.label)
        yield UNIFORMITY.value(uniformity.peak_deviation(image, region), frame.subject(), f"nema_peak{which}", image=frame.label)


def normalised(snr: float, frame: Frame) -> float | None:
    """Return the SNR for one mm3, 30 kHz and one second, or None where the header lacks a value (IPEM form).

    SNR / (0.001 dx dy dz) x sqrt(BW N_col / 2000 / 30) / sqrt(NSA N_row TR).
    """
    spacing = frame.spacing_mm
    names = ("SliceThickness", "PixelBandwidth", "Columns", "NumberOfAverages", "Rows", "RepetitionTime")
    values = [frame.get(name) for name in names]
    if spacing is None or not all(isinstance(value, (int, float)) and value > 0 for value in values):
        return None
    thickness, bandwidth, columns, averages, rows, repetition = (float(value) for value in values)
    voxel = 0.001 * spacing[0] * spacing[1] * thickness
    return float(snr / voxel * np.sqrt(bandwidth * columns / 2000 / 30) / np.sqrt(averages * rows * repetition / 1000))


@check(
    id="uniform.snr_background",
    version=1,
    title="Uniform MR phantom: SNR from one image and the air around it",
    level="series",
    needs="volume",
    applies=Applies(modalities=frozenset({"MR"}), classes=frozenset({CLASS})),
    metrics=(SNR,),
    source="NEMA MS 1 method 4; Rayleigh constants from the chi distribution",
    params=UniformParameters,
    invariances=("file_order", "intensity_scale"),
    examples=(Example("uniform_disc", {"snr": 100.0}, values={"mr.snr@nema4": (100.0, 5.0)}),),
)
def snr_background(series: Series, pixels: PixelAccess, params: UniformParameters) -> Iterator[Result]:
    """SNR = 0.655 x signal / SD of the air in the corners, where the air is Rayleigh noise.

    Not given where more than 1 % of the air is exactly zero or mean / SD is off 1.913 by more than 5 % (masked background, several
    coils, parallel imaging). Signal: mean of 75 % of the section, freed from the Rician bias.
    """
    volume = pixels.volume(series)
    spacing = (volume.spacing_mm[1], volume.spacing_mm[2])
    for number, (image, frame) in enumerate(zip(volume.values, volume.frames, strict=True), start=1):
        region_name = "nema4" if len(volume.frames) == 1 else f"nema4.image{number}"
        air = corner_air(image, spacing, params.air_margin_mm)
        if air.sum() < params.fewest_air_pixels:
            yield SNR.missing("too_little_air", frame.subject(), region_name, pixels=int(air.sum()))
            continue
        found = noise.background(np.asarray(image[air], float))
        facts = {"ratio": found.ratio, "zeros": found.zeros, "image": frame.label}
        if found.reason:
            yield SNR.missing(found.reason, frame.subject(), region_name, **facts)
            continue
        region = object_region(image, spacing)
        snr = noise.unbiased(float(image[region].mean()), found.sigma) / found.sigma
        uncertainty = snr * noise.relative_uncertainty(int(air.sum()))
        yield SNR.value(snr, frame.subject(), region_name, uncertainty=uncertainty, normalised=normalised(snr, frame), **facts)


def corner_air(image: NDArray[Any], spacing_mm: tuple[float, float], margin_mm: float) -> NDArray[np.bool_]:
    """Return air in the four corners: clear of the object, of the image border and of the ghosts beside the object.

    Unlike `qc.measure.air.corner_air` for objects of any outline; nothing where there is no object.
    """
    from scipy import ndimage

    mask = object_mask(image)
    if not mask.any():
        return mask
    clear = np.asarray(ndimage.distance_transform_edt(~mask, sampling=spacing_mm)) > margin_mm
    rows, columns = np.nonzero(mask)
    clear[rows.min() : rows.max() + 1, :] = False
    clear[:, columns.min() : columns.max() + 1] = False
    border = [max(2, int(0.03 * side)) for side in image.shape]
    clear[: border[0]], clear[-border[0] :] = False, False
    clear[:, : border[1]], clear[:, -border[1] :] = False, False
    return clear


# -- two scans ------------------------------------------------------------------------------------------------------


def _seconds(frame: Frame) -> float | None:
    """Acquisition time of day in seconds, None where it is not given."""
    text = str(frame.get("AcquisitionTime") or frame.get("ContentTime") or "")
    digits = text.replace(":", "")
    if len(digits) < 6:
        return None
    return int(digits[:2]) * 3600.0 + int(digits[2:4]) * 60.0 + float(digits[4:])


def _same_scan(one: Frame, other: Frame) -> bool:
    """Tell whether two images are the same scan repeated: place, size and all timing alike."""
    if one.instance.uid == other.instance.uid and one.index == other.index:
        return False
    names = ("Rows", "Columns", "RepetitionTime", "EchoTime", "FlipAngle", "InversionTime", "PixelBandwidth", "ImageType", "SliceThickness")
    if any(one.get(name) != other.get(name) for name in names):
        return False
    if one.position is None or other.position is None or one.orientation is None or other.orientation is None:
        return False
    if one.spacing_mm is None or one.spacing_mm != other.spacing_mm:
        return False
    apart = np.linalg.norm(np.subtract(one.position, other.position))
    turned = np.abs(np.subtract(one.orientation, other.orientation)).max()
    return bool(apart <= 0.1 and turned <= geometry.SAME_ORIENTATION)


def pairs(study: Study, params: UniformParameters) -> Iterator[tuple[Series, Frame, Series, Frame]]:
    """Yield repeated scans of uniform phantoms, each image used once, in order of series and number."""
    rows = [(series, frame) for series in study.series if series.klass == CLASS for frame in series.frames]
    used: set[int] = set()
    for at, (series, frame) in enumerate(rows):
        if id(frame) in used:
            continue
        for other_series, other in rows[at + 1 :]:
            if id(other) in used or not _same_scan(frame, other):
                continue
            first, second = _seconds(frame), _seconds(other)
            if first is not None and second is not None and abs(first - second) > params.longest_pause_min * 60:
                continue
            used |= {id(frame), id(other)}
            yield series, frame, other_series, other
            break


@check(
    id="uniform.snr_pair",
    version=1,
    title="Uniform MR phantom: SNR from two scans",
    level="study",
    needs="volume",
    applies=Applies(modalities=frozenset({"MR"}), classes=frozenset({CLASS})),
    metrics=(SNR,),
    source="NEMA MS 1 methods 1 and 2",
    params=UniformParameters,
    invariances=("file_order", "intensity_scale"),
    examples=(Example("uniform_pair", {"snr": 100.0}, values={"mr.snr@nema1": (100.0, 3.0), "mr.snr@nema2": (100.0, 3.0)}),),
)
def snr_pair(study: Study, pixels: PixelAccess, params: UniformParameters) -> Iterator[Result]:
    """SNR from the difference of two identical scans of a uniform phantom, wherever a study holds such a pair.

    nema1: noise = SD of the difference / sqrt 2. nema2: from neighbouring pixels of the difference; not given where its
    neighbours are correlated (it would read the noise too low). Not given at all where the difference has tails, that is where
    something moved between the scans. ``details`` hold the pair, the correlation and the SNR normalised to 1 mm3, 30 kHz, 1 s.

    Worked number: amplitude 1000 with noise 10 in each scan gives 100.
    """
    for series, frame, other_series, other in pairs(study, params):
        images = [_image(pixels.volume(one), row) for one, row in ((series, frame), (other_series, other))]
        spacing = frame.spacing_mm
        assert spacing is not None  # of a pair: see `_same_scan`
        region = object_region((images[0] + images[1]) / 2, spacing)
        found = noise.pair(images[0], images[1], region)
        facts = {"pair": [frame.instance.uid, other.instance.uid], "correlation": found.rho, "tail": found.tail, "sigma": found.sigma}
        subject = frame.subject()
        if found.sigma <= 0:
            for name in ("nema1", "nema2"):
                yield SNR.missing("images_identical", subject, name, **facts)
            continue
        if found.tail > 1.25:
            for name in ("nema1", "nema2"):
                yield SNR.missing("images_differ", subject, name, **facts)
            continue
        snr = found.signal / found.sigma
        uncertainty = snr * noise.relative_uncertainty(found.pixels, found.rho)
        shown = picture(
            images[0] - images[1], f"Difference of two scans, SNR {snr:.0f}", (_polygon(region, "75 % of the section"),), spacing
        )
        yield SNR.value(snr, subject, "nema1", uncertainty=uncertainty, evidence=(shown,), normalised=normalised(snr, frame), **facts)
        if found.correlated:
            yield SNR.missing("noise_correlated", subject, "nema2", **facts)
        else:
            adjacent = found.signal / found.sigma_adjacent
            yield SNR.value(adjacent, subject, "nema2", uncertainty=uncertainty, normalised=normalised(adjacent, frame), **facts)


def _image(volume: Volume, frame: Frame) -> NDArray[np.float32]:
    """The slice of a volume that a frame became."""
    at = next(index for index, row in enumerate(volume.frames) if row is frame)
    return volume.values[at]
