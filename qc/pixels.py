"""Pixels in two forms: one frame after another, or a bounded volume.

`frames` decodes each frame once and hands it out read-only; nothing is kept, so memory does not grow with a series.
`Volume` is for phantoms and 4-D stacks: (z, y, x) with spacing in mm, within `max_volume_mb`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qc import dicom, header
from qc.decoder import DecodeError, Decoder, Request
from qc.errors import Unmeasurable
from qc.geometry import order_along_normal
from qc.study import Frame, Instance, Series

UNITS = {"HU": "[hnsf'U]", "BQML": "Bq/ml", "CNTS": "{counts}", "OD": "{OD}"}


@dataclass(frozen=True)
class Unreadable:
    """A frame without pixels, and why."""

    frame: Frame
    reason: str
    message: str


@dataclass
class FramePixels:
    """The pixels of one frame.

    Attributes
    ----------
    stored
        Stored values, read-only, (rows, columns) or (rows, columns, samples).
    high_bits
        True where bits above BitsStored were set (an old overlay) and have been masked away.
    """

    frame: Frame
    stored: NDArray[Any]
    high_bits: bool = False

    @cached_property
    def values(self) -> NDArray[np.float32]:
        """Values in the unit of the image, (rows, columns), after the modality rescale; colour as luminance."""
        if self.stored.ndim == 3:
            kind = str(self.frame.get("PhotometricInterpretation", "RGB"))
            grey = self.stored[..., 0] if kind.startswith("YBR") else self.stored[..., :3] @ np.array([0.299, 0.587, 0.114], np.float32)
            values: NDArray[np.float32] = grey.astype(np.float32)
        else:
            values = self.rescaled(self.stored)
        values.flags.writeable = False
        return values

    def rescaled(self, part: NDArray[Any]) -> NDArray[np.float32]:
        """Return a part of the stored values in the unit of the image; cheaper than `values` where a few rows are enough."""
        values = part.astype(np.float32)
        slope, intercept = rescale(self.frame)
        if slope != 1.0:
            values *= np.float32(slope)
        if intercept != 0.0:
            values += np.float32(intercept)
        return values

    @property
    def unit(self) -> str:
        """UCUM unit of `values`; ``1`` where the header names none."""
        return unit(self.frame)


def rescale(frame: Frame) -> tuple[float, float]:
    """Return RescaleSlope and RescaleIntercept, 1 and 0 where absent."""
    slope, intercept = frame.get("RescaleSlope", 1.0), frame.get("RescaleIntercept", 0.0)
    ok = isinstance(slope, (int, float)) and isinstance(intercept, (int, float)) and slope != 0
    return (float(slope), float(intercept)) if ok else (1.0, 0.0)


def unit(frame: Frame) -> str:
    """Return the UCUM unit of the rescaled values."""
    kind = str(frame.get("RescaleType") or frame.get("Units") or "")
    if not kind and frame.get("Modality") == "CT":
        kind = "HU"
    return UNITS.get(kind, "1")


def _sizes(instance: Instance) -> tuple[int, int, int, int] | None:
    """Return (rows, columns, samples, bits allocated) where all are usable."""
    get = instance.tags.get
    values = (get("Rows"), get("Columns"), get("SamplesPerPixel", 1), get("BitsAllocated"))
    if all(isinstance(value, int) and value > 0 for value in values):
        return values  # type: ignore[return-value]
    return None


def native_dtype(instance: Instance, bits: int) -> np.dtype[Any] | None:
    """Return the dtype of native pixel data, or None where it needs the decoder (1 bit, odd depths, YBR_FULL_422, swapped bytes)."""
    layout = instance.layout
    assert layout is not None
    order = "<" if layout.little_endian else ">"
    if layout.keyword != "PixelData":
        return np.dtype(order + {"FloatPixelData": "f4", "DoubleFloatPixelData": "f8"}[layout.keyword])
    if bits not in (8, 16, 32) or instance.get("PhotometricInterpretation") == "YBR_FULL_422":
        return None
    if bits == 8 and order == ">" and layout.vr == "OW":
        return None  # bytes stand in swapped pairs
    return np.dtype(f"{order}{'i' if instance.get('PixelRepresentation') == 1 else 'u'}{bits // 8}")


def to_stored_bits(array: NDArray[Any], instance: Instance) -> tuple[NDArray[Any], bool]:
    """Keep BitsStored bits below HighBit; extend the sign. Returns the array and whether anything had to be masked."""
    bits = array.dtype.itemsize * 8
    stored, high = instance.get("BitsStored", bits), instance.get("HighBit")
    if array.dtype.kind not in "iu" or not isinstance(stored, int) or not 0 < stored < bits:
        return array, False
    shift = high - stored + 1 if isinstance(high, int) and stored <= high + 1 <= bits else 0
    signed = array.dtype.kind == "i"
    low, top = (-(1 << (stored - 1)), (1 << (stored - 1)) - 1) if signed else (0, (1 << stored) - 1)
    if shift == 0 and int(array.max()) <= top and int(array.min()) >= low:
        return array, False
    lifted = np.left_shift(array, bits - stored - shift)
    return np.right_shift(lifted, bits - stored), True


def frames(instance: Instance, decoder: Decoder, limits: dicom.Limits) -> Iterator[FramePixels | Unreadable]:
    """Yield the frames of an instance in order: pixels, or the reason why there are none."""
    trouble = _trouble(instance, limits)
    if trouble:
        for frame in instance.frames:
            yield Unreadable(frame, *trouble)
        return
    sizes = _sizes(instance)
    assert sizes is not None and instance.layout is not None
    encapsulated = header.is_encapsulated(instance.transfer_syntax)
    dtype = None if encapsulated else native_dtype(instance, sizes[3])
    planes = _native(instance, sizes, dtype) if dtype is not None else _decoded(instance, encapsulated, decoder)
    tiled = bool(instance.frames and instance.frames[0].tile)
    rows_of_plane = [instance.frames] if tiled else [[frame] for frame in instance.frames]
    error = DecodeError("fewer_frames", "the pixel data hold fewer frames than the header announces")
    for rows in rows_of_plane:
        plane = next(planes, error)
        if isinstance(plane, DecodeError):
            error = plane
            for frame in rows:
                yield Unreadable(frame, plane.reason, str(plane))
            continue
        stored, masked = to_stored_bits(plane, instance)
        for frame in rows:
            part = stored if frame.tile is None else _tile(stored, frame)
            part.flags.writeable = False
            yield FramePixels(frame, part, masked)


def same_pixels(one: Instance, other: Instance, decoder: Decoder, limits: dicom.Limits) -> bool:
    """Tell whether two instances hold the same decoded pixels, whatever their transfer syntax."""
    if one.layout is None or other.layout is None:
        return one.layout is other.layout is None
    if len(one.frames) != len(other.frames):
        return False
    for first, second in zip(frames(one, decoder, limits), list(frames(other, decoder, limits)), strict=True):
        if isinstance(first, Unreadable) or isinstance(second, Unreadable) or not np.array_equal(first.stored, second.stored):
            return False
    return True


def _tile(plane: NDArray[Any], frame: Frame) -> NDArray[Any]:
    assert frame.tile is not None
    rows, columns = int(frame.get("Rows")), int(frame.get("Columns"))
    top, left = frame.tile[0] * rows, frame.tile[1] * columns
    return np.ascontiguousarray(plane[top : top + rows, left : left + columns])


def _trouble(instance: Instance, limits: dicom.Limits) -> tuple[str, str] | None:
    """Return (reason, message) where the pixels need not even be tried."""
    if instance.layout is None:
        return "no_pixel_data", "the file holds no pixel data"
    sizes = _sizes(instance)
    if sizes is None:
        return "pixel_module_incomplete", "Rows, Columns or BitsAllocated is missing or no positive number"
    rows, columns, samples, bits = sizes
    megabytes = rows * columns * samples * max(bits, 8) // 8 >> 20
    if megabytes > limits.max_frame_mb:
        return (
            "too_large",
            f"one frame of {rows} x {columns} x {samples} takes {megabytes} MB; at most {limits.max_frame_mb} MB are decoded",
        )
    return None


def _native(instance: Instance, sizes: tuple[int, int, int, int], dtype: np.dtype[Any]) -> Iterator[NDArray[Any] | DecodeError]:
    """Read uncompressed frames straight from their place in the file."""
    rows, columns, samples, _ = sizes
    count = rows * columns * samples
    size = count * dtype.itemsize
    length = instance.layout.length if instance.layout else 0
    index = 0
    while True:
        try:
            data = dicom.read_pixel_bytes(instance, index * size, size)
        except OSError as error:
            yield DecodeError("unreadable", f"the file cannot be read any more: {error.strerror or error}")
            return
        if len(data) < size or (length is not None and (index + 1) * size > length):
            present = min(len(data), max(0, (length or 0) - index * size))
            yield DecodeError("pixel_data_short", f"{present} of {size} bytes of this frame are there")
            return
        array = np.frombuffer(data, dtype)
        if not dtype.isnative:
            array = array.astype(dtype.newbyteorder("="))
        if samples == 1:
            yield array.reshape(rows, columns)
        elif instance.get("PlanarConfiguration") == 1:
            yield np.ascontiguousarray(np.moveaxis(array.reshape(samples, rows, columns), 0, -1))
        else:
            yield array.reshape(rows, columns, samples)
        index += 1


def _decoded(instance: Instance, encapsulated: bool, decoder: Decoder) -> Iterator[NDArray[Any] | DecodeError]:
    """Frames through the decoder process."""
    layout, get = instance.layout, instance.tags.get
    assert layout is not None
    if layout.deflated_at is not None:
        yield DecodeError("undecodable", "deflated data of this pixel format are not decoded")
        return
    options = {
        "rows": get("Rows"),
        "columns": get("Columns"),
        "samples_per_pixel": get("SamplesPerPixel", 1),
        "photometric_interpretation": get("PhotometricInterpretation", "MONOCHROME2"),
        "bits_allocated": get("BitsAllocated"),
        "bits_stored": get("BitsStored", get("BitsAllocated")),
        "pixel_representation": get("PixelRepresentation", 0),
        "number_of_frames": max(1, get("NumberOfFrames", 1) if isinstance(get("NumberOfFrames", 1), int) else 1),
        "planar_configuration": get("PlanarConfiguration", 0),
        "pixel_keyword": layout.keyword,
        "pixel_vr": layout.vr if layout.vr in ("OB", "OW") else "OW",
    }
    length = layout.available if encapsulated or layout.length is None else layout.length
    yield from decoder.frames(Request(str(instance.path), layout.offset, length, instance.transfer_syntax, encapsulated, options))


@dataclass(frozen=True)
class Volume:
    """A stack of frames.

    Attributes
    ----------
    values
        (z, y, x) float32, rescaled, read-only. z runs along the normal of the planes.
    spacing_mm
        (z, y, x); z is None for a single slice or where positions are unknown.
    unit
        UCUM unit of the values.
    frames
        The rows the slices came from, in order of z.
    """

    values: NDArray[np.float32]
    spacing_mm: tuple[float | None, float, float]
    unit: str
    frames: tuple[Frame, ...]


class PixelAccess:
    """Gives checks the pixels of a series; decodes once, keeps the last few small volumes."""

    def __init__(self, decoder: Decoder, limits: dicom.Limits, max_volume_mb: int = 1024) -> None:
        self.decoder, self.limits, self.max_volume_mb = decoder, limits, max_volume_mb
        self._kept: dict[int, tuple[Series, Volume]] = {}
        self._shared: dict[tuple[int, str], tuple[Series, Any]] = {}

    def frames(self, series: Series) -> Iterator[FramePixels | Unreadable]:
        """Yield every frame of the series, in the order of `Series.frames`."""
        done: set[int] = set()
        for frame in series.frames:
            if id(frame.instance) not in done:
                done.add(id(frame.instance))
                yield from frames(frame.instance, self.decoder, self.limits)

    def volume(self, series: Series) -> Volume:
        """Return the series as one volume, ordered along the normal of its planes.

        Raises
        ------
        Unmeasurable
            ``too_large``, ``pixels_unreadable``, ``mixed_frame_sizes``, ``no_pixel_spacing``.
        """
        kept = self._kept.get(id(series))
        if kept:
            return kept[1]
        volume = self._load(series)
        while self._kept and sum(v.values.nbytes for _, v in self._kept.values()) + volume.values.nbytes > self.max_volume_mb << 20:
            self._kept.pop(next(iter(self._kept)))
        self._kept[id(series)] = (series, volume)
        return volume

    def shared(self, series: Series, key: str, make: Callable[[], Any]) -> Any:
        """Return what several checks of a series need, made once; kept until `forget`.

        What `make` returns must not be changed by anyone. What it raises is not kept.
        """
        slot = (id(series), key)
        if slot not in self._shared:
            self._shared[slot] = (series, make())
        return self._shared[slot][1]

    def forget(self) -> None:
        """Drop kept volumes and what was made from them."""
        self._kept.clear()
        self._shared.clear()

    def _load(self, series: Series) -> Volume:
        rows = [frame for frame in series.frames if frame.instance.layout is not None]
        if not rows:
            raise Unmeasurable("no_pixel_data", "the series holds no pixel data")
        shapes = {(frame.get("Rows"), frame.get("Columns")) for frame in rows}
        if len(shapes) > 1:
            raise Unmeasurable("mixed_frame_sizes", f"frames of different sizes: {sorted(map(str, shapes))}")
        height, width = next(iter(shapes))
        if not isinstance(height, int) or not isinstance(width, int):
            raise Unmeasurable("pixel_module_incomplete", "Rows or Columns is missing")
        megabytes = len(rows) * height * width * 4 >> 20
        if megabytes > self.max_volume_mb:
            raise Unmeasurable("too_large", f"the volume takes {megabytes} MB; at most {self.max_volume_mb} MB are loaded (max_volume_mb)")
        spacing = rows[0].spacing_mm
        if spacing is None:
            raise Unmeasurable("no_pixel_spacing", "the header gives no pixel size")
        order, step = order_along_normal(rows)
        place = {id(rows[index]): slot for slot, index in enumerate(order)}
        values = np.empty((len(rows), height, width), np.float32)
        for pixels in self.frames(series):
            if isinstance(pixels, Unreadable):
                raise Unmeasurable("pixels_unreadable", f"{pixels.frame.label}: {pixels.message}")
            if id(pixels.frame) in place:
                values[place[id(pixels.frame)]] = pixels.values
        values.flags.writeable = False
        return Volume(values, (step, *spacing), unit(rows[0]), tuple(rows[index] for index in order))
