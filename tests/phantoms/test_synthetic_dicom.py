"""What is written can be read back: pixels, numbers, geometry, functional groups."""

import datetime as dt
import itertools

import numpy as np
import pydicom
import pytest
from pydicom.pixels import apply_rescale
from pydicom.pixels.encoders import JPEG2000LosslessEncoder, JPEGLSLosslessEncoder

from phantoms.synthetic import encode
from phantoms.synthetic.dicomize import ImageSpec, SeriesSpec, StudySpec, classic, place_stack
from phantoms.synthetic.multiframe import cine, enhanced, mosaic, tile
from phantoms.synthetic.scanners import SCANNERS, Patient

PATIENT = Patient("Quillfeather^Ivo", "SYN000042", dt.date(1961, 7, 4), "M", 71.0)
MISSING = {
    name
    for name, encoder, plugin in (("jpeg_ls", JPEGLSLosslessEncoder, "pyjpegls"), ("jpeg_2000", JPEG2000LosslessEncoder, "pylibjpeg"))
    if plugin not in encoder.available_plugins
}


def study(modality="CT", seed="test"):
    return StudySpec(seed, PATIENT, SCANNERS[modality], dt.datetime(2025, 3, 11, 23, 59, 30), "Test")


def syntaxes():
    for name in encode.TRANSFER_SYNTAXES:
        marks = pytest.mark.skip(reason=f"no encoder for {name}") if name in MISSING else ()
        yield pytest.param(name, marks=marks)


def read_back(dataset, tmp_path):
    (path,) = encode.write([dataset], tmp_path)
    return pydicom.dcmread(path)  # not forced: preamble and file meta must be there


@pytest.mark.parametrize("syntax", list(syntaxes()))
@pytest.mark.parametrize(("signed", "bits"), list(itertools.product([False, True], [8, 12, 16])))
def test_written_files_give_the_stored_values_back(syntax, signed, bits, tmp_path):
    """Odd rows and columns, the whole range of the number format, slope and intercept: real values to half a slope."""
    low, high = encode.stored_range(bits, signed)
    rng = np.random.default_rng(bits)
    stored = rng.integers(low, high + 1, (35, 33))  # JPEG 2000 needs 32 of each
    stored[0, :2] = low, high
    slope, intercept = 0.5, -300.0
    real = stored * slope + intercept
    series = SeriesSpec(study(), "CT", bits_stored=bits, signed=signed, slope=slope, intercept=intercept, transfer_syntax=syntax)
    read = read_back(classic(series, [ImageSpec(real, (0, 0, 0))])[0], tmp_path)
    assert read.file_meta.TransferSyntaxUID == encode.TRANSFER_SYNTAXES[syntax]
    assert (read.BitsStored, read.HighBit, read.PixelRepresentation) == (bits, bits - 1, int(signed))
    np.testing.assert_array_equal(read.pixel_array, stored)
    np.testing.assert_array_equal(apply_rescale(read.pixel_array, read), real)


def test_values_beyond_the_bits_are_limited_not_wrapped():
    stored = encode.to_stored(np.array([-5.0, 70000.0, 10.4, 10.6]), bits_stored=12)
    np.testing.assert_array_equal(stored, [0, 4095, 10, 11])
    assert encode.to_stored(np.array([-9e9, 9e9]), bits_stored=16, signed=True).tolist() == [-32768, 32767]


def test_slope_may_differ_from_slice_to_slice(tmp_path):
    values = np.linspace(0, 1000, 64).reshape(8, 8)
    series = SeriesSpec(study("PT"), "PT", signed=True, header={"NumberOfSlices": 2})
    images = [ImageSpec(values, (0, 0, z), slope=slope) for z, slope in ((0, 0.04), (5, 0.05))]
    for index, dataset in enumerate(classic(series, images)):
        read = read_back(dataset, tmp_path / str(index))
        assert float(read.RescaleSlope) == (0.04, 0.05)[index]
        np.testing.assert_allclose(apply_rescale(read.pixel_array, read), values, atol=0.026)


@pytest.mark.parametrize("orientation", ["axial", "sagittal", "coronal", (0.8, 0.6, 0.0, 0.0, 0.0, -1.0)])
def test_positions_run_along_the_normal_and_the_middle_is_where_it_was_put(orientation, tmp_path):
    series = SeriesSpec(study(), "CT", orientation=orientation, spacing_mm=(2.0, 1.5), thickness_mm=4.0)
    positions = place_stack(series, (21, 31), [-8.0, -4.0, 0.0], centre_mm=(10.0, 20.0, 30.0))
    images = [ImageSpec(np.zeros((21, 31)), position) for position in positions]
    read = [read_back(dataset, tmp_path / str(i)) for i, dataset in enumerate(classic(series, images))]
    row, column = np.array(read[2].ImageOrientationPatient, dtype=float).reshape(2, 3)
    middle = np.array(read[2].ImagePositionPatient, dtype=float) + row * 15 * 1.5 + column * 10 * 2.0
    np.testing.assert_allclose(middle, [10.0, 20.0, 30.0], atol=1e-6)
    depth = [np.array(dataset.ImagePositionPatient, dtype=float) @ np.cross(row, column) for dataset in read]
    np.testing.assert_allclose(np.diff(depth), 4.0, atol=1e-6)
    assert [dataset.InstanceNumber for dataset in read] == [1, 2, 3]
    assert [dataset.ImagesInAcquisition for dataset in read] == [3, 3, 3]


def test_header_is_that_of_a_scanner_and_agrees_with_the_file_meta(tmp_path):
    series = SeriesSpec(study("MR"), "MR", number=7, description="t2_tra", header={"EchoTime": 95.0, "SAR": None})
    read = read_back(classic(series, [ImageSpec(np.ones((16, 16)), (0, 0, 0), time_s=45.5)])[0], tmp_path)
    assert read.file_meta.MediaStorageSOPInstanceUID == read.SOPInstanceUID
    assert read.file_meta.MediaStorageSOPClassUID == read.SOPClassUID
    assert (str(read.PatientName), read.PatientAge, read.DeviceSerialNumber) == ("Quillfeather^Ivo", "063Y", "145901")
    assert (read.EchoTime, read.MagneticFieldStrength, read.SeriesNumber) == (95, 3, 7)
    assert "SAR" not in read
    # 60 s + 45.5 s after 23:59:30 is another day
    assert (read.StudyDate, read.AcquisitionDate, read.AcquisitionTime) == ("20250311", "20250312", "000115.500000")
    assert all(len(uid) <= 64 for uid in (read.SOPInstanceUID, read.SeriesInstanceUID, read.StudyInstanceUID))


def test_decimal_strings_fit_into_sixteen_characters(tmp_path):
    series = SeriesSpec(study(), "CT", spacing_mm=(1 / 3, 240 / 511))
    read = read_back(classic(series, [ImageSpec(np.zeros((8, 8)), (-119.53125000000001, 1e-17, 1 / 7))])[0], tmp_path)
    assert all(len(str(text)) <= 16 for text in [*read.PixelSpacing, *read.ImagePositionPatient])
    assert [float(value) for value in read.ImagePositionPatient] == pytest.approx([-119.53125, 0.0, 1 / 7])


@pytest.mark.parametrize("syntax", ["explicit", "big_endian", "rle"])
@pytest.mark.parametrize(("modality", "times", "echoes"), [("MR", 3, (20.0, 80.0)), ("MR", 1, (20.0,)), ("CT", 1, (20.0,))])
def test_enhanced_object_has_one_functional_group_a_frame(syntax, modality, times, echoes, tmp_path):
    slices = 4
    rng = np.random.default_rng(0)
    series = SeriesSpec(study(modality), modality, spacing_mm=(2.0, 2.0), thickness_mm=3.0, step_mm=3.0, transfer_syntax=syntax)
    positions = place_stack(series, (9, 11), np.arange(slices) * 3.0)
    images = [
        ImageSpec(rng.integers(0, 4000, (9, 11)) * 0.25, position, {"TemporalPositionIdentifier": t + 1, "EchoTime": te}, slope=0.25)
        for t in range(times)
        for te in echoes
        for position in positions
    ]
    read = read_back(enhanced(series, images), tmp_path)
    frames = slices * times * len(echoes)
    assert read.NumberOfFrames == frames == len(read.PerFrameFunctionalGroupsSequence)
    assert len(read.DimensionIndexSequence) == 2 + (times > 1) + (len(echoes) > 1)
    index = {tuple(group.FrameContentSequence[0].DimensionIndexValues) for group in read.PerFrameFunctionalGroupsSequence}
    assert len(index) == frames  # every combination once
    places = [group.FrameContentSequence[0].InStackPositionNumber for group in read.PerFrameFunctionalGroupsSequence]
    assert sorted(set(places)) == [1, 2, 3, 4]
    for number, image in enumerate(images):
        group = read.PerFrameFunctionalGroupsSequence[number]
        value = group.PixelValueTransformationSequence[0]
        np.testing.assert_array_equal(read.pixel_array[number] * float(value.RescaleSlope) + float(value.RescaleIntercept), image.values)
        place = np.array(group.PlanePositionSequence[0].ImagePositionPatient, dtype=float)
        np.testing.assert_allclose(place, image.position_mm)


def test_mosaic_tiles_row_by_row_and_its_corner_has_the_middle_of_a_slice(tmp_path):
    slices = np.arange(5 * 6 * 8).reshape(5, 6, 8)
    picture = tile(slices)
    assert picture.shape == (18, 24)
    np.testing.assert_array_equal(picture[6:12, 8:16], slices[4])
    assert picture[12:].sum() == 0
    series = SeriesSpec(study("MR"), "MR", spacing_mm=(3.0, 2.0))
    read = read_back(mosaic(series, [slices], np.array([-8.0, -9.0, 5.0]), [{}])[0], tmp_path)
    assert read.private_block(0x0019, "SIEMENS MR HEADER")[0x0A].value == 5
    assert "MOSAIC" in read.ImageType
    # half the extra columns and rows further out: (24 - 8) / 2 * 2 mm and (18 - 6) / 2 * 3 mm
    assert [float(value) for value in read.ImagePositionPatient] == [-24.0, -27.0, 5.0]


@pytest.mark.parametrize("photometric", ["RGB", "MONOCHROME2"])
@pytest.mark.parametrize("syntax", ["implicit", "big_endian", "rle"])
def test_cine_keeps_frames_and_colours(photometric, syntax, tmp_path):
    shape = (5, 7, 9, 3) if photometric == "RGB" else (5, 7, 9)
    frames = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    series = SeriesSpec(study("US"), "US", photometric=photometric, bits_stored=8, transfer_syntax=syntax)
    read = read_back(cine(series, frames, 40.0), tmp_path)
    assert (read.NumberOfFrames, read.CineRate) == (5, 25)
    np.testing.assert_array_equal(read.pixel_array, frames)


def test_write_takes_names_without_extension_and_bytes(tmp_path):
    dataset = classic(SeriesSpec(study(), "CT"), [ImageSpec(np.zeros((4, 4)), (0, 0, 0))])[0]
    paths = encode.write([dataset, b"", b"no image"], tmp_path / "new", ["IM1", "sub/IM2", "readme.txt"])
    assert [path.relative_to(tmp_path / "new").as_posix() for path in paths] == ["IM1", "sub/IM2", "readme.txt"]
    assert pydicom.dcmread(paths[0]).Rows == 4
    assert paths[1].read_bytes() == b""
    assert paths[2].read_bytes() == b"no image"
    with pytest.raises(ValueError, match="different names"):
        encode.write([dataset, dataset], tmp_path, ["same", "same"])


def test_uids_hang_on_their_parts_only():
    assert encode.make_uid("a", 1) == encode.make_uid("a", 1) != encode.make_uid("a", 2)
    assert pydicom.uid.UID(encode.make_uid("a")).is_valid
