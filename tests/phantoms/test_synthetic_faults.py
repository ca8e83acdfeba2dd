"""Each fault changes what it says and nothing that was given to it."""

import copy

import numpy as np
import pytest
from pydicom.dataset import Dataset

from phantoms.synthetic.catalogue import make
from phantoms.synthetic.dicomize import add_private
from phantoms.synthetic.encode import as_bytes
from phantoms.synthetic.faults import FAULTS, inject

STUDIES = [
    ("ct_head", {"slices": 5, "matrix": 32}),
    ("ct_head", {"slices": 5, "matrix": 32, "transfer_syntax": "big_endian"}),
    ("ct_head", {"slices": 5, "matrix": 32, "transfer_syntax": "rle"}),
    ("mr_brain", {"slices": 5, "matrix": 32, "contrasts": ("T1", "T2")}),
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
            given, again = ([as_bytes(file) for file in inject(name, datasets, rng())] for _ in range(2))
            assert given != before, name
            assert given == again, name
    assert [as_bytes(dataset) for dataset in datasets] == before


def test_every_fault_is_described():
    assert len(FAULTS) >= 45
    for name, fault in FAULTS.items():
        assert fault.name == name
        assert fault.topic in ("slices", "stacks", "pixels", "headers", "relations", "identity", "history", "files", "artefacts")
        assert fault.meaning.endswith(".")
        assert (fault.finding_code is None) == (fault.status is None)
        assert fault.status in (None, "info", "warn", "fail")
        assert fault.visible == bool(fault.finding_code or fault.skipped)
        assert fault.words or not fault.visible
        assert fault.implemented or fault.status == "warn"  # no heuristic alone may fail a study


def test_faults_know_where_they_cannot_be_made():
    def fitting(recipe, **options):
        datasets = make(recipe, **options).datasets
        return {name for name, fault in FAULTS.items() if fault.applies(datasets)}

    two_brains = fitting("mr_brain", slices=5, matrix=32, contrasts=("T1", "T2"))
    head, chest, clip = fitting("ct_head", slices=5, matrix=32), fitting("dx_chest", matrix=32), fitting("us_cine", frames=2)
    epi, echoes = fitting("mr_4d", slices=4, times=3, matrix=32), fitting("mr_two_echoes", slices=4, matrix=32)
    assert {"lost_slice", "wrong_rescale", "clipped", "truncated_file", "mixed_orientation"} <= head
    assert not {"lost_time_point_image", "lost_series", "inverted", "shading", "fewer_fragments", "study_date_differs"} & head
    assert {"lost_series", "study_date_differs", "series_number_repeated", "shading"} <= two_brains
    assert {"inverted", "truncated_file", "decimal_comma"} <= chest
    assert not {"clipped", "wrong_patient", "lost_slice", "swapped_header"} & chest  # radiographs are saturated beside the patient
    assert {"fewer_fragments", "lost_delimiter", "blank_slice"} <= clip
    assert not {"clipped", "stripes", "decimal_comma"} & clip  # 8 bits
    assert {"lost_time_point_image", "aborted_last_volume"} <= epi
    assert "lost_time_point_image" in echoes
    assert not {"aborted_last_volume", "lost_slice"} & echoes
    assert "wrong_laterality" in fitting("mg_breast", matrix=(32, 32))
    assert "shading_of_phantom" in fitting("acr_mri_large", matrix=64, blur_mm=0.0)


def test_no_fault_is_made_of_what_is_no_dicom_or_has_no_patient():
    for name, fault in FAULTS.items():
        assert fault.applies([b"", b"text"]) == (name in ("empty_file", "not_dicom"))
    nobody = copy.deepcopy(CT)
    for dataset in nobody:
        dataset.PatientID, dataset.PatientIdentityRemoved = "", "YES"
    assert not FAULTS["wrong_patient"].applies(nobody)
    assert not FAULTS["future_date"].applies(nobody)


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


def test_every_second_slice():
    for name in ("lost_every_second", "lost_every_second_uncounted"):
        files = broken(name)
        assert np.allclose(np.diff([z_of(dataset) for dataset in files]), 10.0)
        assert len(files) == 5
    assert [dataset.InstanceNumber for dataset in files] == [1, 2, 3, 4, 5]
    assert not any("SpacingBetweenSlices" in dataset or "ImagesInAcquisition" in dataset for dataset in files)


def test_private_counts_go_too():
    counted = make("ct_head", slices=5, matrix=32).datasets
    for dataset in counted:
        add_private(dataset, [(0x0021, "GEMS_RELA_01", 0x4F, "SS", 5)])
    files = inject("lost_slice_at_end", counted, rng())
    assert all((0x0021, 0x104F) in dataset for dataset in counted)
    assert not any((0x0021, 0x104F) in dataset for dataset in files)


def test_lost_series_takes_one_whole():
    datasets = make("mr_brain", slices=5, matrix=32, contrasts=("T1", "T2")).datasets
    files = inject("lost_series", datasets, rng())
    assert len(files) == 5
    assert len({dataset.SeriesInstanceUID for dataset in files}) == 1


@pytest.mark.parametrize("seed", range(6))
def test_repetitions_lose_images(seed):
    datasets = make("mr_4d", slices=4, times=3, matrix=32).datasets
    inside = inject("lost_time_point_image", datasets, np.random.default_rng(seed))
    (lost,) = {d.InstanceNumber for d in datasets} - {d.InstanceNumber for d in inside}
    assert lost <= 8  # not of the last
    aborted = inject("aborted_last_volume", datasets, np.random.default_rng(seed))
    assert [d.InstanceNumber for d in aborted] == list(range(1, len(aborted) + 1))
    assert 8 < len(aborted) < 12


def test_turned_image_keeps_its_middle():
    files = broken("mixed_orientation")
    (index,) = changed(files)
    assert index in (0, len(CT) - 1)

    def middle(dataset):
        row, column = np.array(dataset.ImageOrientationPatient, dtype=float).reshape(2, 3)
        half = np.array(dataset.PixelSpacing, dtype=float) * (31 / 2)
        return np.array(dataset.ImagePositionPatient, dtype=float) + half[1] * row + half[0] * column

    assert middle(files[index]) == pytest.approx(middle(CT[index]), abs=1e-4)
    row, column = np.array(files[index].ImageOrientationPatient, dtype=float).reshape(2, 3)
    assert (row @ row, column @ column, row @ column) == pytest.approx((1, 1, 0), abs=1e-5)
    assert column[1] == pytest.approx(np.cos(np.deg2rad(20)), abs=1e-5)


def test_moved_bed_keeps_the_distances_along_the_normal():
    files = broken("moved_bed")
    assert np.allclose(np.diff([z_of(dataset) for dataset in files]), 5.0)
    assert len({float(dataset.ImagePositionPatient[0]) for dataset in files}) == 2


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


def test_faults_can_be_added_up():
    files = inject("truncated_file", inject("lost_slice", broken("empty_file"), rng()), rng())
    assert len(files) == len(CT)
    assert sum(isinstance(file, Dataset) for file in files) == len(CT) - 2
