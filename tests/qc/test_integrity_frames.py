"""Where the frames of mosaics and of nuclear medicine objects lie, by the formulas of their documentation."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from qc.runner import Options, Runner


def write(path, **tags):
    """One file of zeros."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = tags.pop("SOPClassUID", "1.2.840.10008.5.1.4.1.1.4")
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = f"1.2.3.{abs(hash(str(path))) % 10**9}"
    data.StudyInstanceUID, data.SeriesInstanceUID, data.InstanceNumber = "1.2.3", "1.2.3.4", 1
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 0
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, 16, 15
    private = tags.pop("private", ())
    for keyword, value in tags.items():
        setattr(data, keyword, value)
    for group, creator, element, vr, value in private:
        data.private_block(group, creator, create=True).add_new(element, vr, value)
    data.PixelData = bytes(2 * data.Rows * data.Columns * int(data.get("NumberOfFrames", 1)))
    pydicom.dcmwrite(path, data, enforce_file_format=True)


def read(folder: Path):
    with Runner(Options(only=("slices", "completeness"), pixels=False)) as runner:
        report = runner.paths([folder])
    return report.studies[0].series[0], [(one.code, one.status.value) for one in report.findings]


@pytest.mark.parametrize(("tiles", "side"), [(9, 3), (10, 4), (16, 4), (35, 6)])
def test_tiles_of_a_mosaic(tmp_path, tiles, side):
    """Corner of the first tile: corner of the mosaic + (mosaic size - tile size) / 2 along row and column; the next along the normal."""
    write(
        tmp_path / "a.dcm", Modality="MR", ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"], Rows=8 * side, Columns=10 * side,
        PixelSpacing=[2.0, 3.0], SpacingBetweenSlices=4.0, ImagePositionPatient=[-10.0, 20.0, 5.0],
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0], private=[(0x0019, "SIEMENS MR HEADER", 0x0A, "US", tiles)],
    )  # fmt: skip
    series, found = read(tmp_path)
    assert (series.klass, len(series.frames), found) == ("mosaic", tiles, [])
    first, last = series.frames[0], series.frames[-1]
    corner = np.array([-10.0 + 3.0 * 10 * (side - 1) / 2, 20.0 + 2.0 * 8 * (side - 1) / 2, 5.0])
    assert first.position == pytest.approx(corner)
    assert last.position == pytest.approx(np.add(corner, [0, 0, 4.0 * (tiles - 1)]))
    assert last.tile == divmod(tiles - 1, side)


@pytest.mark.parametrize("step", [4.0, -4.0])
def test_slices_of_a_reconstructed_spect(tmp_path, step):
    """The sign of SpacingBetweenSlices is the direction along row x column (PS3.3 C.8.4.15)."""
    detector = Dataset()
    detector.ImagePositionPatient, detector.ImageOrientationPatient = [-100.0, -100.0, 50.0], [1, 0, 0, 0, 1, 0]
    write(
        tmp_path / "a.dcm", SOPClassUID="1.2.840.10008.5.1.4.1.1.20", Modality="NM", ImageType=["DERIVED", "PRIMARY", "RECON TOMO", "EMISSION"],
        Rows=8, Columns=8, NumberOfFrames=6, PixelSpacing=[4.0, 4.0], SliceThickness=4.0, SpacingBetweenSlices=step,
        FrameIncrementPointer=0x00540080, SliceVector=[1, 2, 3, 4, 5, 6], NumberOfSlices=6, DetectorInformationSequence=[detector],
    )  # fmt: skip
    series, found = read(tmp_path)
    assert [frame.position for frame in series.frames] == [(-100.0, -100.0, 50.0 + step * n) for n in range(6)]
    assert found == []


def test_planar_nuclear_images_have_no_position_and_need_none(tmp_path):
    write(
        tmp_path / "a.dcm", SOPClassUID="1.2.840.10008.5.1.4.1.1.20", Modality="NM", ImageType=["ORIGINAL", "PRIMARY", "STATIC", "EMISSION"],
        Rows=8, Columns=8, NumberOfFrames=4, EnergyWindowVector=[1, 1, 2, 2], DetectorVector=[1, 2, 1, 2], NumberOfEnergyWindows=2, NumberOfDetectors=2,
    )  # fmt: skip
    series, found = read(tmp_path)
    assert found == []
    assert [(frame.get("EnergyWindowVector"), frame.get("DetectorVector")) for frame in series.frames] == [(1, 1), (1, 2), (2, 1), (2, 2)]
