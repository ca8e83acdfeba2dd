"""Files as scanners write them: a handful of lines a series, however many images and however many rules they break."""

from collections import Counter

import pytest

from qc import conformance
from qc.runner import Options, Runner

pytestmark = pytest.mark.real

FOLDERS = ("acr_mri_large", "acr_mri_medium", "ct_catphan504", "ct_water", "mri_relaxometry", "mri_uniform", "nm", "series")
HANDFUL = 5


@pytest.fixture(scope="module")
def reports(real_data):
    with Runner(Options(pixels=False)) as runner:
        return {folder: runner.paths([real_data / folder]) for folder in FOLDERS}


@pytest.mark.parametrize("folder", FOLDERS)
def test_at_most_a_handful_of_lines_a_series(reports, folder):
    lines = Counter((one.subject.study_uid, one.subject.series_uid) for one in reports[folder].findings if one.subject.level == "series")
    assert max(lines.values(), default=0) <= HANDFUL
    standard = Counter(one.subject.series_uid for one in reports[folder].findings if one.code.startswith("header.standard"))
    assert max(standard.values(), default=0) <= 3


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_line_of_the_standard_or_of_values_fails_a_study(reports, folder):
    failed = {one.code for one in reports[folder].findings if one.status == "fail"}
    assert failed <= {"slices.missing", "header.pixel_spacing"}


def test_grouping_is_what_keeps_the_lines_few(reports):
    """The long series breaks rules in each of its 384 images; told image by image that would be hundreds of lines."""
    for report in reports.values():
        for study in report.studies:
            for series in study.series:
                if len(series.instances) == 384:
                    broken = sum(len(conformance.deviations(one)) for one in series.instances)
                    assert broken > 384
                    return
    pytest.fail("the long series is not there")
