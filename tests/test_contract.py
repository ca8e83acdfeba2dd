"""The contract that every check of the registry keeps, ours and a hospital's. The examples come from the declarations."""

from __future__ import annotations

import copy
import hashlib
import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from phantoms.synthetic.catalogue import make
from phantoms.synthetic.encode import write
from phantoms.synthetic.faults import inject
from phantoms.synthetic.targets import edit_pixels
from qc.check import CheckSpec, Example, all_metrics, load_checks
from qc.dicom import Intake
from qc.pixels import FramePixels, PixelAccess
from qc.results import Status
from qc.runner import Options, Report, Runner
from qc.study import Series, Study

SPECS = load_checks()


# What is known to be wrong in the checks, by test id: take a line away when it is mended (strict: it fails then)
def case(*values, name):
    """A parameter set with its id."""
    return pytest.param(*values, id=name)


EXAMPLES = [
    case(spec, example, name="-".join(filter(None, [spec.id, example.recipe, example.fault, *map(str, example.options.values())])))
    for spec in SPECS
    for example in spec.examples
]
OURS = {"check.error", "check.not_evaluable", "limit.exceeded"}
each_check = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.id)
each_example = pytest.mark.parametrize(("spec", "example"), EXAMPLES)


# -- running one check ----------------------------------------------------------------------------------------------


MADE: dict[str, list] = {}


def files_of(example: Example, **overrides):
    """The data sets of an example; made once."""
    key = json.dumps([example.recipe, example.options, example.fault, overrides], default=str)
    if key not in MADE:
        made = make(example.recipe, **{**example.options, **overrides}).datasets
        MADE[key] = inject(example.fault, made, np.random.default_rng(1)) if example.fault else made
    return copy.deepcopy(MADE[key])


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory):
    """Give the folder of an example's files; written once."""
    known: dict[str, Path] = {}

    def folder(example: Example) -> Path:
        key = json.dumps([example.recipe, example.options, example.fault], default=str)
        if key not in known:
            files = files_of(example)
            known[key] = tmp_path_factory.mktemp("example")
            write(files, known[key])
        return known[key]

    return folder


class Watched(PixelAccess):
    """Pixel access that remembers a digest of every array it gave out."""

    def __init__(self, access: PixelAccess) -> None:
        super().__init__(access.decoder, access.limits, access.max_volume_mb)
        self.given: list[tuple[np.ndarray, str]] = []

    def _remember(self, array: np.ndarray) -> None:
        assert not array.flags.writeable
        self.given.append((array, hashlib.sha256(np.ascontiguousarray(array)).hexdigest()))

    def frames(self, series):
        for pixels in super().frames(series):
            if isinstance(pixels, FramePixels):
                self._remember(pixels.stored)
            yield pixels

    def volume(self, series):
        volume = super().volume(series)
        self._remember(volume.values)
        return volume


def run(spec: CheckSpec, paths, reorder=None, watch=False) -> Report:
    """Results of one check on everything below the paths; `reorder` shuffles the files as they were read."""
    read, before = Intake.instances, []

    def instances(self, paths):
        found = list(read(self, paths))
        if reorder:
            reorder(found)
        before.extend((one, copy.deepcopy(tags_of(one))) for one in found)
        yield from found

    with Runner(Options(hash_key=b"k")) as runner, pytest.MonkeyPatch.context() as patch:
        patch.setattr(Intake, "instances", instances)
        runner.specs = [spec]
        if watch:
            runner.pixels = Watched(runner.pixels)
        report = runner.paths(paths)
    assert before
    for one, tags in before:
        assert tags_of(one) == tags
    for array, digest in runner.pixels.given if watch else ():
        assert hashlib.sha256(np.ascontiguousarray(array)).hexdigest() == digest
    return report


def tags_of(instance):
    """All header values of an instance and of its frames."""
    return instance.tags, [frame.own for frame in instance.frames]


def findings(report: Report):
    return sorted((one.code, one.status.value, one.message, one.subject.instance_uid or "") for one in report.findings)


def values(report: Report):
    return sorted(
        (one.measurement.metric, one.measurement.region, one.measurement.value, one.measurement.reason) for one in report.measurements
    )


def same_values(one: Report, other: Report, relative: float) -> None:
    """Same metrics, regions and reasons; values within a relative tolerance."""
    assert [(m, r, v is None, why) for m, r, v, why in values(one)] == [(m, r, v is None, why) for m, r, v, why in values(other)]
    for (metric, region, mine, _), (_, _, theirs, _) in zip(values(one), values(other), strict=True):
        if mine is not None:
            # lengths and angles near zero: rounding to stored values moves them by a little that has no relation to their size
            least = 0.01 if relative > 1e-3 and all_metrics()[metric].unit in ("mm", "deg") else 1e-9
            assert mine == pytest.approx(theirs, rel=relative, abs=least), (metric, region)


# -- declarations ---------------------------------------------------------------------------------------------------


def test_the_registry_holds_the_six_first_checks_and_the_phantoms():
    families = {spec.id.split(".")[0] for spec in SPECS}
    assert {"files", "identity", "header", "slices", "noise", "pixels", "completeness", "acr_mri", "uniform"} <= families


@each_check
def test_declaration(spec):
    assert spec.doc
    assert spec.title
    assert spec.source
    assert spec.version >= 1
    assert spec.level in ("file", "series", "study", "patient")
    assert spec.needs in ("headers", "each_frame", "volume")
    assert spec.params() == spec.params()  # every parameter has a default
    for metric in spec.metrics:
        assert metric.unit
        assert metric.source
        assert metric.better in ("higher", "lower", "target", "none")
    for code, advice in spec.codes.items():
        assert code.count(".") == 1, code
        assert advice.endswith("."), code
    assert spec.codes or spec.metrics


def test_metrics_are_declared_once():
    assert all_metrics()


@pytest.mark.parametrize("spec", [case(spec, name=f"example-{spec.id}") for spec in SPECS])
def test_there_is_an_example(spec):
    assert spec.examples or spec.level == "file"


# -- examples -------------------------------------------------------------------------------------------------------


@each_example
def test_examples_come_true(spec, example, folder_of):
    report = run(spec, [folder_of(example)])
    assert {(one.code, one.status) for one in report.findings} == set(example.codes.items())
    found = {
        f"{one.metric}@{one.region}" if one.region else one.metric: one.value
        for one in (judged.measurement for judged in report.measurements)
    }
    for name, (value, tolerance) in example.values.items():
        assert found[name] == pytest.approx(value, abs=tolerance), name


@each_example
def test_only_what_is_declared(spec, example, folder_of):
    report = run(spec, [folder_of(example)])
    units = {metric.id: metric.unit for metric in spec.metrics}
    assert report.ran
    for one in report.findings:
        assert one.code in spec.codes.keys() | OURS
        assert (one.check, bool(one.message), bool(one.advice)) == (spec.id, True, True)
        json.dumps(dict(one.details))
    for judged in report.measurements:
        one = judged.measurement
        assert units[one.metric] == one.unit
        assert one.method == spec.method
        json.dumps(dict(one.details))


@each_example
def test_inputs_are_left_alone_and_the_answer_is_the_same_twice(spec, example, folder_of):
    first, second = (run(spec, [folder_of(example)], watch=True) for _ in range(2))
    assert findings(first) == findings(second)
    assert values(first) == values(second)


# -- invariances ----------------------------------------------------------------------------------------------------


def invariant(name):
    """Examples of the checks that declare an invariance."""
    return pytest.mark.parametrize(("spec", "example"), [one for one in EXAMPLES if name in one.values[0].invariances])


@invariant("file_order")
def test_order_of_the_files(spec, example, folder_of):
    plain = run(spec, [folder_of(example)])
    for reorder in (list.reverse, random.Random(3).shuffle):
        other = run(spec, [folder_of(example)], reorder)
        assert [(code, status) for code, status, *_ in findings(plain)] == [(code, status) for code, status, *_ in findings(other)]
        same_values(plain, other, 1e-9)


@invariant("duplicate_input")
def test_every_file_twice(spec, example, folder_of, tmp_path):
    shutil.copytree(folder_of(example), tmp_path / "again")
    plain, twice = run(spec, [folder_of(example)]), run(spec, [folder_of(example), tmp_path / "again"])
    assert findings(plain) == findings(twice)
    assert values(plain) == values(twice)


@invariant("intensity_scale")
def test_stored_values_three_times_as_large(spec, example, folder_of, tmp_path):
    """Relative measures do not change; three, so that nothing is rounded."""
    made = files_of(example)
    for one in made:
        edit_pixels(one, lambda stored: stored * 3)
    write(made, tmp_path)
    same_values(run(spec, [folder_of(example)]), run(spec, [tmp_path]), 1e-4)


@invariant("rescale")
def test_the_same_real_values_stored_otherwise(spec, example, folder_of, tmp_path):
    write(files_of(example, slope=0.25, intercept=-200.0), tmp_path)
    same_values(run(spec, [folder_of(example)]), run(spec, [tmp_path]), 5e-3)


def test_every_invariance_is_tried():
    tried = {"file_order", "duplicate_input", "intensity_scale", "rescale"}
    assert set().union(*(spec.invariances for spec in SPECS)) <= tried


# -- inputs that hold nothing ---------------------------------------------------------------------------------------


def hollow(kind, spec, tmp_path):
    """A study of the modality that a check wants, with nothing in it: constant images, no pixels, no header, images of one pixel."""
    modality = next(iter(sorted(spec.applies.modalities)), "MR")
    made = make("uniform_pair", matrix=(1, 1) if kind == "tiny" else (64, 64), spacing_mm=(4.0, 4.0)).datasets
    for one in made:
        one.Modality = modality
        if kind in ("constant", "header"):
            edit_pixels(one, lambda stored: stored * 0 + 7)
        if kind == "pixels":
            del one.PixelData
        if kind == "header":
            for element in list(one):
                if element.keyword not in ("SOPClassUID", "SOPInstanceUID", "Modality", "Rows", "Columns", "BitsAllocated", "PixelData"):
                    del one[element.tag]
    return write(made, tmp_path)


@pytest.mark.parametrize(
    ("spec", "kind"), [case(spec, kind, name=f"{kind}-{spec.id}") for spec in SPECS for kind in ("constant", "pixels", "header", "tiny")]
)
def test_an_input_that_holds_nothing_has_a_defined_outcome(spec, kind, tmp_path):
    hollow(kind, spec, tmp_path)
    with Runner(Options(hash_key=b"k")) as runner:
        runner.specs = [spec]
        classes = sorted(spec.applies.classes) or ["image"]
        runner.recognisers = (lambda series, pixels: classes[0],)  # the check gets it, whatever it looks like
        report = runner.paths([tmp_path])
    assert report.ran or spec.level == "file"
    assert [one.details["traceback"] for one in report.findings if one.status is Status.ERROR] == []


@each_check
def test_a_series_without_instances(spec):
    """It cannot come from files; a check must still not fall over it."""
    if spec.level == "file":
        pytest.skip("its subject is a file")
    series = Series("1.2", "1.2.3", [], next(iter(sorted(spec.applies.classes)), "image"))
    study = Study("1.2", [series])
    subject = {"study": study, "patient": (study,)}.get(spec.level, series)
    with Runner() as runner:
        report = Report()
        if spec.needs == "each_frame":
            runner._each_frame([spec], series, {}, report, None)
        else:
            pixels = () if spec.needs == "headers" else (runner.pixels,)
            runner._call(spec, series.subject(), {}, report, lambda: spec.run(subject, *pixels, spec.params()))
    assert [one.details["traceback"] for one in report.findings if one.status is Status.ERROR] == []


# -- a newcomer -----------------------------------------------------------------------------------------------------

NEWCOMER = '''
from qc.check import Applies, check
from qc.results import Finding, Status


@check(id="hospital.greeting", version=1, title="Greets", level="series", needs="headers", source="our ward",
       applies=Applies(modalities=frozenset({"CT"})), codes={"hospital.hello": "Say hello back."})
def greeting(series, params):
    """Say hello to every CT series."""
    yield Finding("hospital.hello", Status.INFO, f"hello, {len(series.instances)} images", series.subject())
'''


def test_a_check_of_another_package_is_one_file(tmp_path):
    """A distribution with one module and its metadata: listed, run, and in the output."""
    (tmp_path / "site" / "hospital_checks-1.0.dist-info").mkdir(parents=True)
    info = tmp_path / "site" / "hospital_checks-1.0.dist-info"
    (tmp_path / "site" / "hospital_checks.py").write_text(NEWCOMER)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hospital-checks\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[pacsqc.checks]\nhospital = hospital_checks\n")
    write(make("ct_head", slices=5).datasets, tmp_path / "study")
    code = (
        "import json, sys; from pathlib import Path\n"
        f"sys.path.insert(0, {str(tmp_path / 'site')!r})\n"
        "from qc.check import load_checks; from qc.output import to_json; from qc.runner import Runner\n"
        f"with Runner() as runner: report = to_json(runner.paths([Path({str(tmp_path / 'study')!r})]))\n"
        "json.dump({'checks': {spec.id: spec.doc for spec in load_checks()}, 'report': report}, sys.stdout)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    answer = json.loads(done.stdout)
    assert answer["checks"]["hospital.greeting"] == "Say hello to every CT series."
    assert "slices" in answer["checks"]
    (finding,) = [one for one in answer["report"]["findings"] if one["code"] == "hospital.hello"]
    assert (finding["message"], finding["check"], finding["status"]) == ("hello, 5 images", "hospital.greeting", "info")
