"""Each fault changes what it says and nothing that was given to it."""

import datetime as dt
import io

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from phantoms.synthetic.catalogue import make
from phantoms.synthetic.day import write_demo_day
from phantoms.synthetic.encode import as_bytes
from phantoms.synthetic.faults import FAULTS, inject

STUDIES = [
    ("ct_head", {"slices": 5, "matrix": 32}),
    ("ct_head", {"slices": 5, "matrix": 32, "transfer_syntax": "big_endian"}),
    ("ct_head", {"slices": 5, "matrix": 32, "transfer_syntax": "rle"}),
    ("mr_brain", {"slices": 5, "matrix": 32, "contrasts": ("T1", "T2")}),
    ("pt_brain", {"slices": 5, "matrix": 32}),
    ("us_cine", {"frames": 3, "transfer_syntax": "rle"}),
]
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


@pytest.mark.parametrize(("recipe", "options"), STUDIES)
def test_faults_never_change_what_they_are_given_but_always_what_they_give(recipe, options):
    datasets = make(recipe, **options).datasets
    before = [as_bytes(dataset) for dataset in datasets]
    for name, fault in FAULTS.items():
        if fault.applies(datasets):
            files = inject(name, datasets, rng())
            assert [as_bytes(file) for file in files] != before, name
            assert files == inject(name, datasets, rng()), name
    assert [as_bytes(dataset) for dataset in datasets] == before


def test_every_fault_is_described_and_applies_to_a_stack():
    assert len(FAULTS) >= 18
    for name, fault in FAULTS.items():
        assert fault.name == name
        assert fault.meaning.endswith(".")
        assert (fault.finding_code is None) == (fault.status is None)
        assert fault.status in (None, "warn", "fail")
        assert fault.applies(CT)


def test_a_fault_that_cannot_be_made_says_so():
    assert not FAULTS["lost_slice"].applies(make("two_zone_ct", thin=4, thick=4).datasets)  # no regular stack
    assert not FAULTS["lost_slice"].applies(make("mr_4d", slices=5, times=2).datasets)
    with pytest.raises(ValueError, match="lost_slice"):
        inject("lost_slice", make("dx_chest", matrix=32).datasets, rng())
    with pytest.raises(KeyError):
        inject("no_such_fault", CT, rng())


def test_lost_slices():
    inside = broken("lost_slice")
    steps = np.diff([z_of(dataset) for dataset in inside])
    assert len(inside) == len(CT) - 1
    assert sorted(steps.round(6)) == [5.0] * 6 + [10.0]
    for name in ("lost_slice_at_end", "lost_slice_at_end_counted"):
        files = broken(name)
        assert np.allclose(np.diff([z_of(dataset) for dataset in files]), 5.0)
        assert len(files) == len(CT) - 1
    assert not any("ImagesInAcquisition" in dataset for dataset in broken("lost_slice_at_end"))
    assert {dataset.ImagesInAcquisition for dataset in broken("lost_slice_at_end_counted")} == {len(CT)}


def test_irregular_gap_is_no_whole_number_of_slices():
    steps = np.diff([z_of(dataset) for dataset in broken("irregular_gap")]).round(6)
    assert sorted(steps) == [5.0] * 7 + [7.0]
    assert steps[0] == steps[-1] == 5.0


def test_duplicate_slice_has_a_uid_of_its_own_and_all_else_the_same():
    files = broken("duplicate_slice")
    assert len(files) == len(CT) + 1
    assert len({dataset.SOPInstanceUID for dataset in files}) == len(files)
    assert all(dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID for dataset in files)
    twice = [dataset for dataset in files if [z_of(d) for d in files].count(z_of(dataset)) == 2]
    assert len(twice) == 2
    assert twice[0].PixelData == twice[1].PixelData


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


def test_faults_can_be_added_up():
    files = inject("truncated_file", inject("lost_slice", broken("empty_file"), rng()), rng())
    assert len(files) == len(CT)
    assert sum(isinstance(file, Dataset) for file in files) == len(CT) - 2


def test_demo_day(tmp_path):
    date = dt.date(2026, 2, 28)
    key = write_demo_day(tmp_path, seed=3, date=date)
    studies = key["studies"]
    assert key["date"] == "2026-02-28"
    assert [study["fault"] for study in studies].count(None) == 4
    assert {study["code"] for study in studies} == {None, "slices.missing", "pixels.blank", "identity.two_patients", "file.truncated"}
    assert len({study["study_uid"] for study in studies}) == len(studies) == 8
    for study in studies:
        files = sorted((tmp_path / study["folder"]).iterdir())
        assert len(files) == study["files"]
        read = pydicom.dcmread(files[0], stop_before_pixels=True)
        assert (read.StudyInstanceUID, read.StudyDate) == (study["study_uid"], "20260228")


def test_demo_days_repeat_byte_for_byte_and_two_days_share_no_uid(tmp_path, monkeypatch):
    monkeypatch.setattr("phantoms.synthetic.day.PLAN", (("dx_chest", {"matrix": 32}, "truncated_file"), ("us_cine", {"frames": 1}, None)))
    first, again, other = (write_demo_day(tmp_path / name, date=dt.date(2026, 3, day)) for name, day in (("a", 1), ("b", 1), ("c", 2)))
    assert first == again
    for file in (tmp_path / "a").rglob("IM*"):
        assert file.read_bytes() == (tmp_path / "b" / file.relative_to(tmp_path / "a")).read_bytes()
    assert len({study["study_uid"] for day in (first, other) for study in day["studies"]}) == 4
