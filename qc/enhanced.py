"""One row a frame: functional groups of enhanced objects and the tiles of Siemens mosaics, flattened."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from pydicom.datadict import keyword_for_tag

from qc.header import PARSE_ERRORS, Parsed, reference_amplitude, sequence
from qc.study import Frame, Instance
from qc.tags import NM_VECTORS, SIEMENS_PROTOCOL
from qc.values import Problem

MAX_FRAMES = 200_000

# functional group -> {keyword in its item: keyword of the row}
GROUPS: dict[str, dict[str, str]] = {
    "PlanePositionSequence": {"ImagePositionPatient": "ImagePositionPatient"},
    "PlaneOrientationSequence": {"ImageOrientationPatient": "ImageOrientationPatient"},
    "PixelMeasuresSequence": {
        "PixelSpacing": "PixelSpacing",
        "SliceThickness": "SliceThickness",
        "SpacingBetweenSlices": "SpacingBetweenSlices",
    },
    "FrameContentSequence": {
        "TemporalPositionIndex": "TemporalPositionIdentifier",
        "StackID": "StackID",
        "InStackPositionNumber": "InStackPositionNumber",
        "DimensionIndexValues": "DimensionIndexValues",
        "FrameAcquisitionNumber": "AcquisitionNumber",
        "FrameAcquisitionDateTime": "AcquisitionDateTime",
    },
    "MREchoSequence": {"EffectiveEchoTime": "EchoTime"},
    "MRDiffusionSequence": {"DiffusionBValue": "DiffusionBValue"},
    "MRModifierSequence": {"InversionTimes": "InversionTime"},
    "MRReceiveCoilSequence": {"ReceiveCoilName": "ReceiveCoilName"},
    "CardiacSynchronizationSequence": {
        "NominalCardiacTriggerDelayTime": "TriggerTime",
        "NominalPercentageOfCardiacPhase": "NominalPercentageOfCardiacPhase",
    },
    "RespiratorySynchronizationSequence": {"RespiratoryCyclePosition": "RespiratoryCyclePosition"},
    "MRArterialSpinLabelingSequence": {"ASLContext": "ASLContext"},
    "ContrastBolusUsageSequence": {"ContrastBolusAgentPhase": "ContrastBolusAgentPhase"},
    "TemporalPositionSequence": {"TemporalPositionTimeOffset": "TemporalPositionTimeOffset"},
    "MRTimingAndRelatedParametersSequence": {"RepetitionTime": "RepetitionTime", "FlipAngle": "FlipAngle"},
    "MRImagingModifierSequence": {"TransmitterFrequency": "ImagingFrequency", "PixelBandwidth": "PixelBandwidth"},
    "MRImageFrameTypeSequence": {"FrameType": "ImageType", "ComplexImageComponent": "ComplexImageComponent"},
    "CTImageFrameTypeSequence": {"FrameType": "ImageType"},
    "CTReconstructionSequence": {"ConvolutionKernel": "ConvolutionKernel", "ReconstructionDiameter": "ReconstructionDiameter"},
    "CTXRayDetailsSequence": {"KVP": "KVP"},
    "PETFrameTypeSequence": {"FrameType": "ImageType"},
    "PixelValueTransformationSequence": {
        "RescaleSlope": "RescaleSlope",
        "RescaleIntercept": "RescaleIntercept",
        "RescaleType": "RescaleType",
    },
}  # fmt: skip


def _plain(value: Any) -> Any:
    """A pydicom value as str, int, float or tuple of them; None where empty."""
    if value is None or (isinstance(value, str) and not value):
        return None
    if isinstance(value, (str, int)) and not isinstance(value, bool) and type(value) in (str, int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, int):
        return int(value)
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        parts = tuple(_plain(part) for part in value)
        return parts or None
    return str(value) or None


def _flatten(item: Any) -> dict[str, Any]:
    """Return the kept values of one functional groups item."""
    row: dict[str, Any] = {}
    for group, names in GROUPS.items():
        try:
            inner = item.get(group)
            content = inner[0] if inner else None
        except PARSE_ERRORS:
            continue
        if content is None:
            continue
        for keyword, name in names.items():
            try:
                value = _plain(content.get(keyword))
            except PARSE_ERRORS:
                continue
            if value is not None:
                row[name] = value
        if group == "MRDiffusionSequence":
            direction = _gradient(content)
            if direction is not None:
                row["DiffusionGradientOrientation"] = direction
    return row


def _gradient(diffusion: Any) -> Any:
    """The direction of the diffusion gradient stands one sequence deeper than the b-value."""
    try:
        inner = diffusion.get("DiffusionGradientDirectionSequence")
        return _plain(inner[0].get("DiffusionGradientOrientation")) if inner else None
    except PARSE_ERRORS:
        return None


def frame_count(instance: Instance) -> int:
    """Return how many frames the pixel data can hold: what is announced, but never more than the bytes allow."""
    told = instance.get("NumberOfFrames", 1)
    told = told if isinstance(told, int) and told > 0 else 1
    layout = instance.layout
    if layout is None or told == 1:
        return 1
    if layout.fragments or layout.length is None:
        possible = max(1, layout.fragments)
    else:
        get = instance.tags.get
        bits = [get(name, 1) for name in ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated")]
        size = math.prod(bits) if all(isinstance(number, int) and number > 0 for number in bits) else 8
        if get("PhotometricInterpretation") == "YBR_FULL_422":
            size = size * 2 // 3
        possible = max(1, -(-layout.available * 8 // size))
    return min(told, possible, MAX_FRAMES)


def frames(instance: Instance, parsed: Parsed) -> list[Frame]:
    """Return the rows of an instance: enhanced frames, mosaic tiles, or a plain frame for each plane."""
    count = frame_count(instance)
    per_frame = sequence(parsed, 0x52009230)
    if per_frame:
        return _functional_groups(instance, parsed, per_frame, count)
    tiles = mosaic_tiles(instance)
    if tiles:
        return _mosaic(instance, tiles)
    if count > 1 and any(vector in instance.tags for vector in NM_VECTORS):
        return _nuclear(instance, parsed, count)
    return [Frame(instance, index) for index in range(count)]


def _nuclear(instance: Instance, parsed: Parsed, count: int) -> list[Frame]:
    """Rows of a nuclear medicine object: the vectors give each frame its numbers, a reconstructed slice its position.

    Only the first slice has a position (DetectorInformationSequence); the others follow along the normal by SpacingBetweenSlices, which
    may be negative here and only here (PS3.3 C.8.4.15: a positive one runs along the normal of row and column).
    """
    rows: list[dict[str, Any]] = [{} for _ in range(count)]
    for vector in NM_VECTORS:
        numbers = instance.get(vector)
        if isinstance(numbers, tuple) and len(numbers) == count:
            for row, number in zip(rows, numbers, strict=True):
                row[vector] = number
    for row, place in zip(rows, _nuclear_positions(instance, parsed, rows), strict=True):
        if place is not None:
            row["ImagePositionPatient"] = place
    return [Frame(instance, index, row) for index, row in enumerate(rows)]


def _nuclear_positions(instance: Instance, parsed: Parsed, rows: list[dict[str, Any]]) -> list[tuple[float, ...] | None]:
    nowhere: list[tuple[float, ...] | None] = [None] * len(rows)
    kinds = instance.get("ImageType", ())
    step = instance.get("SpacingBetweenSlices")
    detectors = sequence(parsed, 0x00540022)
    if not any("RECON" in str(kind) for kind in kinds) or not isinstance(step, (int, float)) or not step or len(detectors) != 1:
        return nowhere
    try:
        first, orientation = _plain(detectors[0].get("ImagePositionPatient")), _plain(detectors[0].get("ImageOrientationPatient"))
    except PARSE_ERRORS:
        return nowhere
    if not isinstance(first, tuple) or not isinstance(orientation, tuple) or len(first) != 3 or len(orientation) != 6:
        return nowhere
    if None in first or None in orientation:
        return nowhere
    instance.tags.setdefault("ImageOrientationPatient", orientation)
    normal = np.cross(orientation[:3], orientation[3:]) * step
    corner = np.array(first, float)
    return [
        tuple(float(number) for number in corner + normal * (row["SliceVector"] - 1)) if isinstance(row.get("SliceVector"), int) else None
        for row in rows
    ]


def _functional_groups(instance: Instance, parsed: Parsed, per_frame: list[Any], count: int) -> list[Frame]:
    shared_items = sequence(parsed, 0x52009229)
    shared = _flatten(shared_items[0]) if shared_items else {}
    told = instance.get("NumberOfFrames", 1)
    if len(per_frame) != told:
        instance.problems.append(Problem("header.functional_groups", facts=(("items", len(per_frame)), ("frames", told))))
    reference = _siemens_reference(shared_items[0]) if shared_items else None
    if reference is not None:
        instance.tags["SiemensReferenceAmplitude"] = reference
    for keyword, value in shared.items():
        instance.tags.setdefault(keyword, value)
    pointers = _dimension_pointers(parsed)
    if pointers:
        instance.tags["DimensionIndexPointers"] = pointers
    rows = []
    for index in range(count):
        own = dict(shared)
        if index < len(per_frame):
            own.update(_flatten(per_frame[index]))
        rows.append(Frame(instance, index, own))
    return rows


def _siemens_reference(shared: Any) -> float | None:
    """Look for the protocol text that newer Siemens scanners keep in a private sequence of the shared functional groups."""
    group, creator, byte = SIEMENS_PROTOCOL[1]
    try:
        inner = shared.private_block(group, creator)[0xFE].value[0]
        protocol = inner.private_block(group, creator)[byte].value
    except (*PARSE_ERRORS, KeyError, IndexError, TypeError):
        return None
    return reference_amplitude(protocol) if isinstance(protocol, bytes) else None


def _dimension_pointers(parsed: Parsed) -> tuple[str, ...]:
    """Keywords (for private ones the tag) of the dimensions by which the object numbers its frames."""
    names = []
    for item in sequence(parsed, 0x00209222):
        try:
            tag = int(item.get("DimensionIndexPointer"))
        except PARSE_ERRORS:
            return ()
        names.append(keyword_for_tag(tag) or f"({tag >> 16:04X},{tag & 0xFFFF:04X})")
    return tuple(names)


def mosaic_tiles(instance: Instance) -> int:
    """Return the number of slices in a Siemens mosaic, or 0: (0019,xx0A) of SIEMENS MR HEADER, ImageType MOSAIC."""
    kinds = instance.get("ImageType", ())
    told = instance.get("SiemensMosaicImages")
    if "MOSAIC" not in (kinds if isinstance(kinds, tuple) else (kinds,)) or not isinstance(told, int) or told < 1:
        return 0
    side = math.isqrt(told - 1) + 1
    rows, columns = instance.get("Rows", 0), instance.get("Columns", 0)
    if not isinstance(rows, int) or not isinstance(columns, int) or side > 64 or rows < side or columns < side:
        return 0
    return 0 if rows % side or columns % side else told


def _mosaic(instance: Instance, tiles: int) -> list[Frame]:
    """Rows of the tiles, left to right, top to bottom. The stored position is the corner of the whole mosaic (as if it
    were one big slice round the same centre), so the first tile's corner lies half the difference inwards.
    """
    side = math.isqrt(tiles - 1) + 1
    rows, columns = instance.tags["Rows"] // side, instance.tags["Columns"] // side
    whole = Frame(instance)
    position, orientation, spacing = whole.position, whole.orientation, whole.spacing_mm
    step = instance.get("SpacingBetweenSlices") or instance.get("SliceThickness")
    corner = normal = None
    if position and orientation and spacing and isinstance(step, (int, float)):
        along, down = np.array(orientation[:3]), np.array(orientation[3:])
        normal = np.cross(along, down) * step
        corner = np.array(position)
        corner = corner + along * spacing[1] * (instance.tags["Columns"] - columns) / 2
        corner = corner + down * spacing[0] * (instance.tags["Rows"] - rows) / 2
    frames_of_tiles = []
    for index in range(tiles):
        own: dict[str, Any] = {"Rows": rows, "Columns": columns, "InStackPositionNumber": index + 1}
        if corner is not None and normal is not None:
            own["ImagePositionPatient"] = tuple(float(number) for number in corner + normal * index)
        frames_of_tiles.append(Frame(instance, index, own, divmod(index, side)))
    return frames_of_tiles
