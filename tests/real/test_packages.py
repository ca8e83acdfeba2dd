"""All files that come with pydicom and pydicom-data, in one call: truncated, of bad VR, without meta, every codec."""

from pathlib import Path

import data_store  # of pydicom-data
import pydicom
import pytest

from qc.runner import Runner

PACKAGES = [Path(pydicom.__file__).parent, Path(data_store.__file__).parent]


@pytest.fixture(scope="module")
def report():
    with Runner() as runner:
        return runner.paths(PACKAGES)


def test_no_traceback(report):
    assert [one.details["traceback"] for one in report.findings if one.status == "error"] == []


def test_every_file_is_accounted_for(report):
    instances = [one for study in report.studies for one in study.instances()]
    files = [path for package in PACKAGES for path in package.rglob("*") if path.is_file()]
    assert report.given == len(files) == len(instances) + len(report.skipped)
    assert len({one.path for one in instances} | {one.path for one in report.skipped}) == len(files)


@pytest.mark.filterwarnings("ignore")
def test_what_pydicom_reads_is_not_called_no_dicom(report):
    """Without force pydicom asks for the preamble only."""
    for one in report.skipped:
        if one.reason == "not_dicom":
            with pytest.raises(pydicom.errors.InvalidDicomError):
                pydicom.dcmread(one.path)


def test_known_faults_of_known_files(report):
    told = {}
    for study in report.studies:
        for one in study.instances():
            told[one.path.name] = {problem.code for problem in one.problems}
    assert "file.truncated" in told["MR_truncated.dcm"]
    assert "file.truncated" in told["rtplan_truncated.dcm"]
    assert "file.pixel_length" in told["MR_small_padded.dcm"]
    assert "file.no_meta" in told["no_meta.dcm"] if "no_meta.dcm" in told else "file.no_meta" in told["ExplVR_LitEndNoMeta.dcm"]
    assert "file.no_delimiter" in told["emri_small_jpeg_2k_lossless_too_short.dcm"]
    assert told["CT_small.dcm"] == set()
