"""Objects of many frames: enhanced MR and CT, Siemens mosaic, ultrasound cine."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from phantoms.synthetic.dicomize import ImageSpec, SeriesSpec, add_private, classic, common_header, date_text, field_strength, time_text
from phantoms.synthetic.encode import fill, make_uid, seal, set_pixels, to_stored
from phantoms.synthetic.functional_groups import shared_groups

ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4.1"
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
US_MULTIFRAME = "1.2.840.10008.5.1.4.1.1.3.1"

# A dimension of an enhanced object: the attribute that is the index, and the functional group that holds it
STACK = ("StackID", "FrameContentSequence")
POSITION = ("InStackPositionNumber", "FrameContentSequence")
TIME = ("TemporalPositionIndex", "FrameContentSequence")
ECHO = ("EffectiveEchoTime", "MREchoSequence")


def enhanced(series: SeriesSpec, images: Sequence[ImageSpec]) -> Dataset:
    """Make one enhanced MR or CT object.

    The dimensions are the stack, the position in it, and time points or echoes when there are several.

    Parameters
    ----------
    series
        Modality MR or CT.
    images
        One a frame, in the order of the frames. Of an image's header these count: ``TemporalPositionIdentifier`` and ``EchoTime``.
        Per-frame slope and intercept are taken from the image when given.
    """
    dataset = fill(Dataset(), common_header(series))
    dataset.SOPClassUID = ENHANCED_MR if series.modality == "MR" else ENHANCED_CT
    dataset.SOPInstanceUID = make_uid(series.study.seed, "series", series.number, "enhanced")
    fill(dataset, _enhanced_top(series, images))
    fill(dataset, shared_groups(series, images[0].values.shape))

    _, _, normal = series.directions
    depth = [round(float(np.asarray(image.position_mm) @ normal), 4) for image in images]
    place = {value: number for number, value in enumerate(sorted(set(depth)), start=1)}
    times = sorted({int(image.header.get("TemporalPositionIdentifier", 1)) for image in images})
    echoes = sorted({float(image.header.get("EchoTime", 20.0)) for image in images})
    dimensions = [STACK, POSITION] + ([TIME] if len(times) > 1 else []) + ([ECHO] if len(echoes) > 1 else [])
    fill(dataset, _dimension_module(series, dimensions))

    frames = []
    for image, z in zip(images, depth, strict=True):
        time, echo = int(image.header.get("TemporalPositionIdentifier", 1)), float(image.header.get("EchoTime", 20.0))
        index = [1, place[z]] + ([times.index(time) + 1] if len(times) > 1 else []) + ([echoes.index(echo) + 1] if len(echoes) > 1 else [])
        frames.append(_frame_groups(series, image, index, place[z], time if len(times) > 1 else None, echo))
    dataset.PerFrameFunctionalGroupsSequence = frames

    fill(dataset, series.header)
    add_private(dataset, series.private)
    stored = np.stack([to_stored(image.values, *_scaling(series, image), series.bits_stored, series.signed) for image in images])
    set_pixels(dataset, stored, series.bits_stored, frames=len(images), big_endian=series.transfer_syntax == "big_endian")
    return seal(dataset, series.transfer_syntax)


def _scaling(series: SeriesSpec, image: ImageSpec) -> tuple[float, float]:
    slope = series.slope if image.slope is None else image.slope
    return slope, series.intercept if image.intercept is None else image.intercept


def _enhanced_top(series: SeriesSpec, images: Sequence[ImageSpec]) -> dict[str, Any]:
    started = series.study.start + dt.timedelta(seconds=series.start_s)
    top: dict[str, Any] = {
        "ImageType": ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"],
        "InstanceNumber": 1,
        "AcquisitionNumber": 1,
        "ContentDate": date_text(started),
        "ContentTime": time_text(started),
        "AcquisitionDateTime": date_text(started) + time_text(started),
        "AcquisitionDuration": float(max(image.time_s for image in images)) + 1.0,
        "PixelPresentation": "MONOCHROME",
        "VolumetricProperties": "VOLUME",
        "VolumeBasedCalculationTechnique": "NONE",
        "ContentQualification": "PRODUCT",
        "BurnedInAnnotation": "NO",
        "LossyImageCompression": "00",
        "PresentationLUTShape": "IDENTITY",
        "AcquisitionContextSequence": [],
    }
    if series.modality == "MR":
        strength = field_strength(series.study.scanner)
        top |= {
            "MagneticFieldStrength": strength.get("MagneticFieldStrength"),
            "ResonantNucleus": "1H",
            "ComplexImageComponent": "MAGNITUDE",
            "AcquisitionContrast": "T1",
            "PulseSequenceName": "se2d1",
            "EchoPulseSequence": "SPIN",
            "MRAcquisitionType": "2D",
            "MultipleSpinEcho": "NO",
            "KSpaceFiltering": "NONE",
            "ApplicableSafetyStandardAgency": "IEC",
        }
    return top


def _frame_groups(series: SeriesSpec, image: ImageSpec, index: list[int], in_stack: int, time: int | None, echo_ms: float) -> Dataset:
    """Functional groups of one frame."""
    taken = series.study.start + dt.timedelta(seconds=series.start_s + image.time_s)
    slope, intercept = _scaling(series, image)
    stamp = date_text(taken) + time_text(taken)
    groups: dict[str, Any] = {
        "FrameContentSequence": [
            {
                "FrameAcquisitionNumber": 1,
                "FrameReferenceDateTime": stamp,
                "FrameAcquisitionDateTime": stamp,
                "FrameAcquisitionDuration": 1000.0,
                "StackID": "1",
                "InStackPositionNumber": in_stack,
                "TemporalPositionIndex": time,
                "DimensionIndexValues": index,
            }
        ],
        "PlanePositionSequence": [{"ImagePositionPatient": list(np.asarray(image.position_mm, dtype=float))}],
        "PixelValueTransformationSequence": [
            {"RescaleIntercept": intercept, "RescaleSlope": slope, "RescaleType": "HU" if series.modality == "CT" else "US"}
        ],
        "FrameVOILUTSequence": [_window(image.values)],
    }
    if series.modality == "MR":
        groups["MREchoSequence"] = [{"EffectiveEchoTime": echo_ms}]
    return fill(Dataset(), groups)


def _window(values: NDArray[Any]) -> dict[str, Any]:
    low, high = float(np.min(values)), float(np.max(values))
    return {"WindowCenter": round((low + high) / 2, 1), "WindowWidth": round(max(high - low, 1.0), 1)}


def _dimension_module(series: SeriesSpec, dimensions: Sequence[tuple[str, str]]) -> dict[str, Any]:
    organization = make_uid(series.study.seed, "series", series.number, "dimensions")
    return {
        "DimensionOrganizationSequence": [{"DimensionOrganizationUID": organization}],
        "DimensionIndexSequence": [
            {
                "DimensionOrganizationUID": organization,
                "DimensionIndexPointer": tag_for_keyword(attribute),
                "FunctionalGroupPointer": tag_for_keyword(group),
                "DimensionDescriptionLabel": attribute,
            }
            for attribute, group in dimensions
        ],
    }


def tile(slices: NDArray[Any]) -> NDArray[Any]:
    """Lay (n, rows, columns) slices into one square mosaic, row by row; the rest stays zero."""
    count, rows, columns = slices.shape
    side = math.ceil(math.sqrt(count))
    mosaic = np.zeros((side * rows, side * columns), dtype=slices.dtype)
    for index, one in enumerate(slices):
        r, c = divmod(index, side)
        mosaic[r * rows : (r + 1) * rows, c * columns : (c + 1) * columns] = one
    return mosaic


def mosaic(
    series: SeriesSpec, volumes: Sequence[NDArray[Any]], first_position_mm: NDArray[Any], headers: Sequence[Mapping[str, Any]]
) -> list[Dataset]:
    """Make Siemens mosaic images, one data set a volume.

    Parameters
    ----------
    series
        Modality MR; its spacing is that of a slice.
    volumes
        (n, rows, columns) each.
    first_position_mm
        ImagePositionPatient the first slice would have by itself. Siemens writes another one: the corner of an image as large as the mosaic
        with the same middle, which is what the objects get.
    headers
        Elements of each volume.
    """
    count, rows, columns = volumes[0].shape
    row, column, _ = series.directions
    side = math.ceil(math.sqrt(count))
    corner = (
        np.asarray(first_position_mm, dtype=float)
        - (side - 1) * columns / 2 * series.spacing_mm[1] * row
        - (side - 1) * rows / 2 * series.spacing_mm[0] * column
    )
    series = replace(
        series,
        private=[*series.private, (0x0019, "SIEMENS MR HEADER", 0x0A, "US", count)],
        header={"ImageType": ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"], **series.header},
    )
    return classic(
        series,
        [
            ImageSpec(tile(volume), corner, {"AcquisitionMatrix": [rows, 0, 0, columns], **header}, time_s=float(index))
            for index, (volume, header) in enumerate(zip(volumes, headers, strict=True))
        ],
    )


def cine(series: SeriesSpec, frames: NDArray[np.uint8], frame_time_ms: float) -> Dataset:
    """Make an ultrasound clip.

    Parameters
    ----------
    frames
        (n, rows, columns, 3) with photometric RGB, or (n, rows, columns) with MONOCHROME2.
    frame_time_ms
        Time from one frame to the next.
    """
    started = series.study.start + dt.timedelta(seconds=series.start_s)
    dataset = fill(Dataset(), common_header(series))
    dataset.SOPClassUID = US_MULTIFRAME
    dataset.SOPInstanceUID = make_uid(series.study.seed, "series", series.number, "cine")
    rows, columns = frames.shape[1:3]
    fill(
        dataset,
        {
            "ImageType": ["ORIGINAL", "PRIMARY", "", "0001"],
            "InstanceNumber": 1,
            "AcquisitionDateTime": date_text(started) + time_text(started),
            "AcquisitionDate": date_text(started),
            "AcquisitionTime": time_text(started),
            "ContentDate": date_text(started),
            "ContentTime": time_text(started),
            "PatientOrientation": "",
            "TransducerData": "S5-1",
            "ProcessingFunction": "ADULT ECHO",
            "BurnedInAnnotation": "NO",
            "LossyImageCompression": "00",
            "HeartRate": 68,
            "StartTrim": 1,
            "StopTrim": len(frames),
            "FrameTime": frame_time_ms,
            "CineRate": round(1000 / frame_time_ms),
            "RecommendedDisplayFrameRate": round(1000 / frame_time_ms),
            "EffectiveDuration": round(len(frames) * frame_time_ms / 1000, 4),
            "FrameIncrementPointer": 0x00181063,
            "SequenceOfUltrasoundRegions": [
                {
                    "RegionSpatialFormat": 1,
                    "RegionDataType": 1,
                    "RegionFlags": 0,
                    "RegionLocationMinX0": 0,
                    "RegionLocationMinY0": 0,
                    "RegionLocationMaxX1": columns - 1,
                    "RegionLocationMaxY1": rows - 1,
                    "PhysicalUnitsXDirection": 3,
                    "PhysicalUnitsYDirection": 3,
                    "PhysicalDeltaX": series.spacing_mm[1] / 10,
                    "PhysicalDeltaY": series.spacing_mm[0] / 10,
                }
            ],
        },
    )
    fill(dataset, series.header)
    set_pixels(dataset, frames, 8, series.photometric, frames=len(frames), big_endian=series.transfer_syntax == "big_endian")
    return seal(dataset, series.transfer_syntax)
