"""Both pixel forms against pydicom's own decoder and against arrays that were written."""

from pathlib import Path

import data_store  # of pydicom-data
import numpy as np
import pydicom
import pytest
from pydicom.pixels import pixel_array
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian
from qc_made import dataset, save

from phantoms.synthetic.catalogue import make
from phantoms.synthetic.encode import write
from qc.decoder import Decoder
from qc.dicom import Intake, Limits
from qc.errors import Unmeasurable
from qc.pixels import FramePixels, PixelAccess, Unreadable, frames
from qc.study import group

RNG = np.random.default_rng(5)


@pytest.fixture(scope="module")
def decoder():
    with Decoder() as made:
        yield made


def read(folder):
    with Intake() as intake:
        return list(intake.instances([folder]))


def stored(made, tmp_path, decoder, syntax=pydicom.uid.ExplicitVRLittleEndian):
    """(what we read, what pydicom reads) of one data set."""
    path = save(made, tmp_path / "f.dcm", syntax)
    found = list(frames(read(path)[0], decoder, Limits()))
    return found, pydicom.dcmread(path).pixel_array


# -- one frame after another ----------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")
def test_every_pixel_of_every_file_that_pydicom_can_decode(decoder):
    compared = 0
    packages = [Path(module.__file__).parent for module in (pydicom, data_store)]
    for path in sorted(path for package in packages for path in package.rglob("*.dcm")):
        try:
            truth = pixel_array(pydicom.dcmread(path, force=True), raw=True)
        except Exception:  # pydicom says in many ways that it cannot
            continue
        (instance,) = read(path)
        found = list(frames(instance, decoder, Limits()))
        if instance.has("file.truncated") or instance.has("file.pixel_length"):
            continue  # pydicom fills up or cuts off
        assert all(isinstance(one, FramePixels) for one in found), (path.name, [getattr(one, "message", "") for one in found])
        planes = truth[None] if len(found) == 1 else truth
        for one, plane in zip(found, planes, strict=True):
            above = plane.dtype.itemsize * 8 - instance.get("BitsStored", plane.dtype.itemsize * 8)  # bits that are none of the value's
            expected = (plane << above) >> above if plane.dtype.kind in "iu" else plane
            np.testing.assert_array_equal(one.stored, expected, err_msg=path.name)
        compared += 1
    assert compared > 100


@pytest.mark.parametrize("kind", ["<u1", "<i1", "<u2", "<i2", "<u4"])
@pytest.mark.parametrize("big_endian", [False, True])
def test_native_values_of_every_size_and_byte_order(tmp_path, decoder, kind, big_endian):
    info = np.iinfo(kind)
    values = RNG.integers(info.min, info.max, (15, 11), dtype=np.dtype(kind).newbyteorder("="), endpoint=True)
    made = dataset(pixels=values)
    if big_endian:
        made.PixelData = values.astype(values.dtype.newbyteorder(">")).tobytes() + b"\0" * (values.nbytes % 2)
        made["PixelData"].VR = "OB" if values.dtype.itemsize == 1 else "OW"
    (one,), _ = stored(made, tmp_path, decoder, ExplicitVRBigEndian if big_endian else pydicom.uid.ExplicitVRLittleEndian)
    np.testing.assert_array_equal(one.stored, values)


@pytest.mark.parametrize("frames_told", [1, 2, 3])
def test_one_bit_pixels(tmp_path, decoder, frames_told):
    bits = RNG.integers(0, 2, (frames_told, 5, 7), dtype=np.uint8)
    made = dataset(Rows=5, Columns=7, NumberOfFrames=frames_told, BitsAllocated=1, BitsStored=1, HighBit=0)
    packed = np.packbits(bits.ravel(), bitorder="little").tobytes()
    made.PixelData = packed + b"\0" * (len(packed) % 2)
    found, _ = stored(made, tmp_path, decoder)
    np.testing.assert_array_equal([one.stored for one in found], bits)


@pytest.mark.parametrize("overlay", [0x0000, 0x4000, 0xF000])
def test_signed_twelve_bits_with_something_above_them(tmp_path, decoder, overlay):
    """Bits 12 to 15 belong to an old overlay: they are masked, and the sign of bit 11 is spread."""
    values = np.array([[-2048, -1, 0], [1, 7, 2047]], np.int16)
    words = (values.view(np.uint16) & 0x0FFF) | overlay
    (one,), _ = stored(dataset(pixels=words, BitsStored=12, HighBit=11, PixelRepresentation=1), tmp_path, decoder)
    np.testing.assert_array_equal(one.stored, values)
    assert one.high_bits


def test_values_left_of_the_lowest_bit(tmp_path, decoder):
    """HighBit 15 with 12 bits stored: the value stands in bits 4 to 15."""
    values = np.array([[0, 1, 4095]], np.uint16)
    (one,), _ = stored(dataset(pixels=values << 4, BitsStored=12, HighBit=15), tmp_path, decoder)
    np.testing.assert_array_equal(one.stored, values)


def test_clean_values_are_not_called_masked(tmp_path, decoder):
    values = np.array([[-2048, 2047]], np.int16)
    (one,), _ = stored(dataset(pixels=values, BitsStored=12, HighBit=11), tmp_path, decoder)
    assert not one.high_bits


@pytest.mark.parametrize("planar", [0, 1])
def test_colour_by_pixel_and_by_plane(tmp_path, decoder, planar):
    values = RNG.integers(0, 256, (6, 5, 3), dtype=np.uint8)
    tags = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": planar}
    made = dataset(pixels=values, **tags)
    made.PixelData = (values if planar == 0 else np.moveaxis(values, -1, 0)).tobytes()
    (one,), truth = stored(made, tmp_path, decoder)
    np.testing.assert_array_equal(one.stored, values)
    np.testing.assert_array_equal(truth, values)
    np.testing.assert_allclose(one.values, values @ [0.299, 0.587, 0.114], rtol=1e-5)  # ITU-R BT.601 luminance


def test_float_pixels(tmp_path, decoder):
    values = RNG.normal(size=(4, 6)).astype(np.float32)
    made = dataset(pixels=np.zeros((4, 6), np.uint32))
    del made.PixelData
    made.FloatPixelData = values.tobytes()
    (one,), _ = stored(made, tmp_path, decoder)
    np.testing.assert_array_equal(one.stored, values)


def test_deflated_frames(tmp_path, decoder):
    values = RNG.integers(0, 4096, (3, 6, 5), dtype=np.uint16)
    made = dataset(pixels=values[0], NumberOfFrames=3)
    made.PixelData = values.tobytes()
    found, _ = stored(made, tmp_path, decoder, DeflatedExplicitVRLittleEndian)
    np.testing.assert_array_equal([one.stored for one in found], values)


def test_deflated_frames_of_a_file_without_group_length(tmp_path, check):
    path = save(dataset(), tmp_path / "f.dcm", DeflatedExplicitVRLittleEndian)
    data = path.read_bytes()
    path.write_bytes(data[:132] + data[144:])
    assert pydicom.dcmread(path).pixel_array.shape == (16, 12)
    assert not {"error", "fail"} & {one.status.value for one in check(tmp_path).findings}


@pytest.mark.parametrize(("slope", "intercept"), [(1, 0), (0.5, -1024), (-2, 3), (1e-3, 0)])
def test_rescaled_values(tmp_path, decoder, slope, intercept):
    values = RNG.integers(0, 4096, (4, 4), dtype=np.uint16)
    (one,), _ = stored(dataset(pixels=values, RescaleSlope=slope, RescaleIntercept=intercept), tmp_path, decoder)
    np.testing.assert_allclose(one.values, values.astype(float) * slope + intercept, rtol=1e-6, atol=1e-4)


def test_arrays_are_read_only(tmp_path, decoder):
    (one,), _ = stored(dataset(), tmp_path, decoder)
    for array in (one.stored, one.values):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"Rows": 30000, "Columns": 30000}, "too_large"),
        ({"BitsAllocated": None}, "pixel_module_incomplete"),
        ({"Rows": 0}, "pixel_module_incomplete"),
        ({"Rows": 17}, "pixel_data_short"),
        ({"PixelData": None, "Rows": 4}, "no_pixel_data"),
    ],
)
def test_a_frame_without_pixels_says_why(tmp_path, decoder, tags, reason):
    made = dataset()
    for keyword, value in tags.items():
        delattr(made, keyword) if value is None else setattr(made, keyword, value)
    path = save(made, tmp_path / "f.dcm")
    (one,) = frames(read(path)[0], decoder, Limits())
    assert isinstance(one, Unreadable)
    assert one.reason == reason


@pytest.mark.parametrize("syntax", ["explicit", "implicit", "big_endian", "deflated", "rle", "jpeg_ls", "jpeg_2000"])
def test_mosaic_tiles(tmp_path, decoder, syntax):
    """A tile is a block of the picture, counted by rows; the last blocks are empty and no frames."""
    study = make("mosaic_epi", slices=7, times=1, matrix=32, transfer_syntax=syntax)
    (path,) = write(study.datasets, tmp_path)
    picture = pydicom.dcmread(path).pixel_array
    found = list(frames(read(path)[0], decoder, Limits()))
    assert picture.shape == (96, 96)
    assert len(found) == 7
    for number, one in enumerate(found):
        row, column = divmod(number, 3)
        np.testing.assert_array_equal(one.stored, picture[32 * row : 32 * row + 32, 32 * column : 32 * column + 32])
    positions = np.array([one.frame.position for one in found])
    np.testing.assert_allclose(positions[0], study.truth["first_slice_mm"], atol=1e-3)
    np.testing.assert_allclose(np.diff(positions, axis=0), np.tile([0, 0, study.truth["step_mm"]], (6, 1)), atol=1e-6)


@pytest.mark.parametrize("syntax", ["explicit", "rle"])
def test_enhanced_frames_each_with_its_own_slope(tmp_path, decoder, syntax):
    """The same brain stored with slope 1 and with a slope of its own for every frame: the same real values."""
    plain, sloped = (
        make("enhanced_mr", slices=4, times=2, matrix=32, slope_per_frame=each, transfer_syntax=syntax).datasets[0]
        for each in (False, True)
    )
    (path,) = write([sloped], tmp_path)
    (instance,) = read(path)
    assert len(instance.frames) == 8
    for one, row, real in zip(frames(instance, decoder, Limits()), sloped.PerFrameFunctionalGroupsSequence, plain.pixel_array, strict=True):
        slope = float(row.PixelValueTransformationSequence[0].RescaleSlope)
        assert one.frame.get("RescaleSlope") == slope
        np.testing.assert_allclose(one.values, real, atol=(slope + 1) / 2 + 1e-3)
        assert one.frame.position == tuple(row.PlanePositionSequence[0].ImagePositionPatient)


# -- volumes --------------------------------------------------------------------------------------------------------


def volume(folder, decoder, **limits):
    ((series,),) = [study.series for study in group(read(folder))]
    return PixelAccess(decoder, Limits(), **limits).volume(series)


def test_a_volume_is_ordered_along_its_normal_whatever_the_numbers_say(tmp_path, decoder):
    z = [30, 10, 40, 20]
    values = [np.full((3, 4), number, np.uint16) for number in range(4)]
    for number, at in enumerate(z):
        made = dataset(
            number, values[number], ImagePositionPatient=[0, 0, at], PixelSpacing=[0.5, 0.25], RescaleSlope=2, RescaleIntercept=-1
        )
        save(made, tmp_path / f"{number}.dcm")
    found = volume(tmp_path, decoder)
    np.testing.assert_array_equal(found.values[:, 0, 0], [2 * number - 1 for number in np.argsort(z)])
    assert found.spacing_mm == (10.0, 0.5, 0.25)
    assert found.unit == "[hnsf'U]"
    assert [frame.position[2] for frame in found.frames] == sorted(z)
    assert not found.values.flags.writeable


@pytest.mark.parametrize(
    ("second", "limits", "reason"),
    [
        ({}, {"max_volume_mb": 0}, "too_large"),
        ({"Columns": 11}, {}, "mixed_frame_sizes"),
        ({"PixelData": b"\0" * 10}, {}, "pixels_unreadable"),
        ({"PixelSpacing": [0, 0]}, {}, "no_pixel_spacing"),
    ],
)
def test_a_volume_that_cannot_be_had_says_why(tmp_path, decoder, second, limits, reason):
    big = np.zeros((600, 600), np.uint16)
    save(dataset(1, big, **({"PixelSpacing": [0, 0]} if reason == "no_pixel_spacing" else {})), tmp_path / "1.dcm")
    save(dataset(2, big, **second), tmp_path / "2.dcm")
    with pytest.raises(Unmeasurable) as raised:
        volume(tmp_path, decoder, **limits)
    assert raised.value.reason == reason


def test_a_file_that_is_gone_when_its_pixels_are_wanted(tmp_path, decoder):
    path = save(dataset(), tmp_path / "f.dcm")
    (instance,) = read(path)
    path.unlink()
    (one,) = frames(instance, decoder, Limits())
    assert isinstance(one, Unreadable)
