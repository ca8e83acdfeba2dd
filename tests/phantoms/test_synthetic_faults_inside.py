"""Faults of pixels, headers, identity and files change what they say, where they say it."""

import io

import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_frames
from pydicom.pixels import apply_rescale

from phantoms.synthetic.catalogue import make
from phantoms.synthetic.encode import as_bytes
from phantoms.synthetic.faults import inject

CT = make("ct_head", slices=9, matrix=32).datasets


def rng():
    return np.random.default_rng(7)


def broken(name, datasets=CT):
    return inject(name, datasets, rng())


def changed(files, datasets=CT):
    """Indices of the files that are not the data sets they were."""
    return [index for index, (a, b) in enumerate(zip(files, datasets, strict=True)) if as_bytes(a) != as_bytes(b)]


def z_of(dataset):
    return float(dataset.ImagePositionPatient[2])


def test_copied_pixels_stand_at_two_places():
    files = broken("copied_pixels")
    (index,) = changed(files)
    source = [dataset for dataset in files if dataset.PixelData == files[index].PixelData]
    assert len(source) == 2
    assert z_of(source[0]) != z_of(source[1])


def test_copied_pixels_bring_their_slope_along():
    datasets = make("pt_brain", slices=7, matrix=32).datasets
    files = inject("copied_pixels", datasets, rng())
    (index,) = changed(files, datasets)
    source = next(i for i, d in enumerate(files) if i != index and d.PixelData == files[index].PixelData)
    assert files[source].RescaleSlope == files[index].RescaleSlope


@pytest.mark.parametrize(("name", "value"), [("blank_slice", 0), ("constant_image", 100)])
def test_flat_images(name, value):
    files = broken(name)
    (index,) = changed(files)
    assert np.unique(files[index].pixel_array).tolist() == [value]


def test_one_frame_of_a_clip_goes_blank():
    clip = make("us_cine", frames=4).datasets
    frames = inject("blank_slice", clip, rng())[0].pixel_array
    assert [bool(frame.any()) for frame in frames].count(False) == 1


def test_clipped_image_stands_at_the_end_of_its_format():
    files = broken("clipped")
    (index,) = changed(files)
    pixels = files[index].pixel_array
    assert pixels.max() == 4095
    assert (pixels == 4095).mean() > 0.02
    assert (CT[index].pixel_array == 4095).mean() == 0


def test_noisy_image_is_noisier():
    files = broken("noisy")
    (index,) = changed(files)

    def roughness(dataset):
        return np.diff(dataset.pixel_array.astype(float), axis=1).std()

    assert roughness(files[index]) > 1.5 * roughness(CT[index])


@pytest.mark.parametrize("options", [{}, {"signed": True, "bits_stored": 16}, {"slope": 0.5, "intercept": -100.0}])
def test_shading_leaves_the_dark_dark(options):
    brain = make("mr_brain", slices=5, matrix=64, snr=np.inf, **options).datasets
    files = inject("shading", brain, rng())
    assert changed(files, brain) == [0, 1, 2, 3, 4]
    before, after = (apply_rescale(d.pixel_array, d) for d in (brain[2], files[2]))
    air, white = np.abs(before) < 1, before > 300
    assert np.abs(after[air]).max() < 2
    ratio = np.where(white, after / np.where(white, before, 1), np.nan)
    left, right = np.nanmean(ratio[:, :32]), np.nanmean(ratio[:, 32:])
    assert abs(left - right) > 0.2
    assert np.nanmean(ratio) == pytest.approx(1.0, abs=0.05)


def test_stripes_have_their_height():
    files = broken("stripes")
    (index,) = changed(files)
    wave = files[index].pixel_array.astype(float) - CT[index].pixel_array
    spread = np.ptp(np.percentile(CT[index].pixel_array, [1, 99]))
    assert np.abs(wave).max() == pytest.approx(0.1 * spread, rel=0.02)


def test_scale_and_sense_of_values():
    files = broken("wrong_rescale")
    assert {(float(d.RescaleIntercept), d.PixelData == c.PixelData) for d, c in zip(files, CT, strict=True)} == {(0.0, True)}
    for mono, other in ((False, "MONOCHROME1"), (True, "MONOCHROME2")):
        chest = make("dx_chest", matrix=32, monochrome1=mono).datasets
        (file,) = inject("inverted", chest, rng())
        assert file.PhotometricInterpretation == other
        assert file.PixelData == chest[0].PixelData


def test_wrong_laterality_contradicts_the_description():
    files = inject("wrong_laterality", make("mg_breast", matrix=(32, 32), views=("RCC", "LCC")).datasets, rng())
    agree = [dataset.ImageLaterality == dataset.SeriesDescription[0] for dataset in files]
    assert sorted(agree) == [False, True]


@pytest.mark.parametrize("syntax", ["explicit", "implicit", "big_endian", "rle"])
def test_illegal_texts_stand_in_the_file_as_they_are(syntax):
    datasets = make("ct_head", slices=5, matrix=32, fov_mm=40.0, transfer_syntax=syntax).datasets
    for name, text in (
        ("decimal_comma", b"1,25\\1,25"),
        ("illegal_birth_date", b"00/00/0000"),
        ("bad_character_set", b"ISO 2022 IR 6, IS"),
    ):
        assert all(text in as_bytes(file) for file in inject(name, datasets, rng()))
    assert sum(b".007" in as_bytes(file) for file in inject("bad_uid", datasets, rng())) == 1


def test_missing_uid_is_missing_in_the_data_set_only():
    (index,) = (i for i, file in enumerate(broken("missing_uid")) if "SOPInstanceUID" not in file)
    read = pydicom.dcmread(io.BytesIO(as_bytes(broken("missing_uid")[index])))
    assert "SOPInstanceUID" not in read
    assert read.file_meta.MediaStorageSOPInstanceUID == CT[index].SOPInstanceUID


def test_identity_faults_change_a_part_of_the_study():
    two_series = make("mr_brain", slices=5, matrix=32, contrasts=("T1", "T2")).datasets

    def values(name, keyword):
        return [str(dataset.get(keyword)) for dataset in inject(name, two_series, rng())]

    births = values("demographics_corrected", "PatientBirthDate")
    assert len(set(births[:5])) == len(set(births[5:])) == 1
    assert births[0] == two_series[0].PatientBirthDate != births[5]
    assert len(set(values("demographics_corrected", "PatientID"))) == 1
    assert values("study_date_differs", "StudyDate") == ["20250311"] * 5 + ["20250310"] * 5
    assert values("series_number_repeated", "SeriesNumber") == ["2"] * 10


def test_patients_of_two_studies_are_exchanged():
    one, other = make("dx_chest", 1, matrix=32).datasets, make("ct_head", 2, slices=5, matrix=32).datasets
    files = inject("swapped_patient_between_studies", [*one, *other], rng())
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "PatientAge", "PatientWeight"):
        assert files[0].get(keyword) == other[0].get(keyword)
        assert {file.get(keyword) for file in files[1:]} == {one[0].get(keyword)}
    assert [file.StudyInstanceUID for file in files] == [file.StudyInstanceUID for file in (*one, *other)]


def test_labels_and_ends_of_files():
    (index,) = changed(broken("no_preamble"))
    assert broken("no_preamble")[index] == as_bytes(CT[index])[132:]
    (index,) = changed(broken("meta_mismatch"))
    read = pydicom.dcmread(io.BytesIO(broken("meta_mismatch")[index]))
    assert read.SOPInstanceUID == CT[index].SOPInstanceUID != read.file_meta.MediaStorageSOPInstanceUID
    (index,) = changed(broken("pixel_data_too_long"))
    assert len(broken("pixel_data_too_long")[index].PixelData) == 32 * 32 * 2 + 992
    (index,) = changed(broken("no_pixel_data"))
    assert "PixelData" not in broken("no_pixel_data")[index]


def test_compressed_files_lose_their_end_mark_or_a_frame():
    clip = make("us_cine", frames=4, transfer_syntax="rle").datasets
    (whole,), (cut,) = clip, inject("lost_delimiter", clip, rng())
    assert cut[:-8] == as_bytes(whole)[:-8]
    assert (as_bytes(whole)[-8:], cut[-8:]) == (b"\xfe\xff\xdd\xe0\0\0\0\0", b"\0" * 8)
    for syntax in ("rle", "explicit"):
        (fewer,) = inject("fewer_fragments", make("us_cine", frames=4, transfer_syntax=syntax).datasets, rng())
        assert (len(list(generate_frames(fewer.PixelData, number_of_frames=3))), fewer.NumberOfFrames) == (3, 4)


def test_copies_of_a_file():
    files = broken("byte_identical_copy")
    assert [as_bytes(file) for file in files].count(as_bytes(files[-1])) == 2
    files = broken("resent_with_new_header")
    (old,) = (file for file in files[:-1] if file.SOPInstanceUID == files[-1].SOPInstanceUID)
    assert old.PixelData == files[-1].PixelData
    assert as_bytes(old) != as_bytes(files[-1])


def test_uid_collision_is_one_more_object_with_other_pixels():
    files = broken("uid_collision")
    assert len(files) == len(CT) + 1
    same = [dataset for dataset in files if dataset.SOPInstanceUID == files[-1].SOPInstanceUID]
    assert len(same) == 2
    assert not np.array_equal(same[0].pixel_array, same[1].pixel_array)


def test_wrong_patient_takes_one_series_of_two_or_half_of_one():
    two_series = make("mr_brain", slices=6, matrix=32, contrasts=("T1", "T2")).datasets
    files = inject("wrong_patient", two_series, rng())
    who = {dataset.SeriesInstanceUID: set() for dataset in files}
    for dataset in files:
        who[dataset.SeriesInstanceUID].add((dataset.PatientID, str(dataset.PatientName), dataset.PatientBirthDate))
    assert [len(people) for people in who.values()] == [1, 1]
    assert len(set.union(*who.values())) == 2
    assert len({dataset.StudyInstanceUID for dataset in files}) == 1
    assert [dataset.PatientID for dataset in broken("wrong_patient")].count(CT[0].PatientID) == 4


def test_swapped_header_changes_one_value_of_one_image():
    files = broken("swapped_header")
    (index,) = changed(files)
    assert (files[index].KVP, CT[index].KVP) == (100, 120)
    files = inject("swapped_header", make("mr_brain", slices=5, matrix=32).datasets, rng())
    assert sorted(float(dataset.MagneticFieldStrength) for dataset in files) == [1.5, 3, 3, 3, 3]


def test_future_date_leaves_the_birth_date():
    files = broken("future_date")
    assert {dataset.StudyDate for dataset in files} == {"21250311"} == {dataset.ContentDate for dataset in files}
    assert files[0].PatientBirthDate == CT[0].PatientBirthDate


def test_truncated_file_keeps_its_header_and_loses_half_its_pixels():
    files = broken("truncated_file")
    (index,) = (i for i, file in enumerate(files) if isinstance(file, bytes))
    assert as_bytes(CT[index]).startswith(files[index])
    read = pydicom.dcmread(io.BytesIO(files[index]), stop_before_pixels=True)
    assert read.SOPInstanceUID == CT[index].SOPInstanceUID
    assert len(as_bytes(CT[index])) - len(files[index]) == len(CT[index].PixelData) // 2


def test_short_pixel_data_in_a_file_that_is_whole():
    files = broken("short_pixel_data")
    (index,) = changed(files)
    read = pydicom.dcmread(io.BytesIO(as_bytes(files[index])))
    assert len(read.PixelData) == 32 * 32 * 2 * 7 // 8


def test_empty_and_foreign_files_lie_beside_the_study():
    assert broken("empty_file")[-1] == b""
    foreign = broken("not_dicom")[-1]
    assert b"DICM" not in foreign
    assert len(foreign) > 132
