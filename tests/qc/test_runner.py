"""The runner: what a check raises becomes a result, and no check takes another with it."""

from pathlib import Path

import pytest
from qc_made import dataset, instances_of, save

from qc import check as declarations
from qc import classify
from qc import runner as module
from qc.check import FrameCheckBase, Registry, check
from qc.errors import ConfigurationError, NotApplicable, Unmeasurable, UnusableInput
from qc.results import Finding, Metric, Status, Subject
from qc.runner import Options, Report, Runner

LENGTH, WIDTH = Metric("t.length", "mm", "Length", "none", "here"), Metric("t.width", "mm", "Width", "none", "here")


@pytest.fixture(autouse=True)
def own_registry(monkeypatch):
    """What these tests declare is not there for others."""
    monkeypatch.setattr(declarations, "REGISTRY", Registry())


@pytest.fixture
def folder(tmp_path):
    for number in (1, 2, 3):
        save(dataset(number), tmp_path / f"{number}.dcm")
    return tmp_path


def declare(run, needs="headers", level="series", metrics=(LENGTH, WIDTH), name=None):
    """A declared check that does what `run` does."""
    run.__doc__ = "Try something."
    identity = name or run.__name__.lower()
    return check(
        id=identity, version=3, title="Title", level=level, needs=needs, source="here", metrics=metrics, codes={"t.code": "Advice."}
    )(run)


def run_with(folder, *functions, recognisers=(), **options) -> Report:
    """Run only these checks."""
    with Runner(Options(**options)) as runner:
        runner.specs = [function.spec for function in functions]
        runner.parameters = {spec.id: spec.params() for spec in runner.specs}
        runner.recognisers = recognisers
        return runner.paths([folder])


def good(series, *rest):
    yield LENGTH.value(7.0, series.subject())


def raising(error):
    """A headers check that measures one thing and then raises."""

    def broken(series, *rest):
        yield LENGTH.value(5.0, series.subject())
        raise error

    return broken


def outcome(report):
    return [
        (one.measurement.metric, one.measurement.value, one.measurement.reason, one.verdict.status.value) for one in report.measurements
    ]


# -- a check that breaks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("needs", ["headers", "volume"])
def test_a_broken_check_keeps_its_traceback_and_the_others_go_on(folder, needs):
    report = run_with(folder, declare(raising(ZeroDivisionError("by nothing")), needs), declare(good))
    (finding,) = report.findings
    assert (finding.code, finding.status, finding.check) == ("check.error", "error", "broken")
    assert "ZeroDivisionError: by nothing" in finding.details["traceback"]
    assert "in broken" in finding.details["traceback"]  # where it happened
    assert outcome(report) == [("t.length", 5.0, None, "info"), ("t.length", 7.0, None, "info")]
    assert {one.check: one.status.value for one in report.ran} == {"broken": "error", "good": "info"}
    assert report.status == "error"


class Counts(FrameCheckBase):
    """Counts frames."""

    seen = 0

    def frame(self, frame):
        self.seen += 1

    def finish(self):
        yield LENGTH.value(self.seen, self.series.subject(), unreadable=len(self.unreadable_frames))


class BreaksAtStart(Counts):
    """Breaks."""

    def __init__(self, *arguments):
        raise RuntimeError("at start")


class BreaksAtFrame(Counts):
    """Breaks."""

    def frame(self, frame):
        super().frame(frame)
        if self.seen == 2:
            raise RuntimeError("at frame")


class BreaksAtEnd(Counts):
    """Breaks."""

    def finish(self):
        yield LENGTH.value(self.seen, self.series.subject())
        raise RuntimeError("at end")


@pytest.mark.parametrize("breaks", [BreaksAtStart, BreaksAtFrame, BreaksAtEnd])
def test_a_frame_check_that_breaks_is_left_out_of_the_rest(folder, breaks):
    report = run_with(folder, declare(breaks, "each_frame", name="breaks"), declare(Counts, "each_frame", name="counts"))
    (finding,) = report.findings
    assert (finding.code, finding.check) == ("check.error", "breaks")
    assert "RuntimeError: at " in finding.details["traceback"]
    assert outcome(report)[-1] == ("t.length", 3.0, None, "info")


def test_frames_are_decoded_once_and_bad_ones_are_told(folder, monkeypatch):
    save(dataset(2, Rows=99), folder / "2.dcm")
    decoded = []
    frames = module.PixelAccess.frames
    monkeypatch.setattr(module.PixelAccess, "frames", lambda self, series: decoded.append(series) or frames(self, series))
    report = run_with(folder, *(declare(type(name, (Counts,), {}), "each_frame", name=name) for name in ("one", "two")))
    assert len(decoded) == 1
    assert [(one.measurement.value, one.measurement.details["unreadable"]) for one in report.measurements] == [(2.0, 1), (2.0, 1)]


def test_a_frame_check_of_the_documented_form_sees_unreadable_frames(folder):
    """Its documentation asks for __init__, frame and finish."""

    class Plain:
        def __init__(self, series, params):
            self.series = series

        def frame(self, frame):
            pass

        def finish(self):
            return ()

    save(dataset(2, Rows=99), folder / "2.dcm")
    assert run_with(folder, declare(Plain, "each_frame", name="plain")).findings == []


def test_a_broken_recogniser_costs_the_recognition_only(folder):
    def recogniser(series, pixels):
        raise LookupError("nothing like it")

    report = run_with(folder, declare(good), recognisers=(recogniser,))
    (finding,) = report.findings
    assert (finding.code, finding.check, finding.status) == ("check.error", "recogniser", "error")
    assert "in recogniser" in finding.details["traceback"]
    assert outcome(report) == [("t.length", 7.0, None, "info")]
    assert report.studies[0].series[0].klass == "image"


def test_a_recogniser_names_the_class(folder):
    assert run_with(folder, recognisers=(lambda series, pixels: "phantom:x",)).studies[0].series[0].klass == "phantom:x"
    asked = []
    run_with(folder, recognisers=(lambda series, pixels: asked.append(1),), pixels=False)
    assert asked == []


def test_a_plugin_recogniser_that_is_not_there_refuses_to_start(monkeypatch):
    class Entry:
        name, value = "hospital", "no_such_module:recognise"

    monkeypatch.setattr(classify, "entry_points", lambda group: [Entry()])
    with pytest.raises(ConfigurationError, match="no_such_module"):
        classify.load_recognisers.__wrapped__()


def test_ctrl_c_is_not_swallowed(folder):
    with pytest.raises(KeyboardInterrupt):
        run_with(folder, declare(raising(KeyboardInterrupt())))


# -- errors that mean something -------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [Unmeasurable, NotApplicable])
def test_what_cannot_be_measured_is_a_null_value_with_its_reason(folder, error):
    report = run_with(folder, declare(raising(error("too_dark", "The image is dark.", mean=3))))
    assert outcome(report) == [("t.length", 5.0, None, "info"), ("t.width", None, "too_dark", "not_evaluable")]
    assert report.measurements[1].measurement.details == {"message": "The image is dark.", "mean": 3}
    assert (report.findings, report.ran[0].status) == ([], "not_evaluable")


def test_a_check_without_metrics_says_it_in_a_finding(folder):
    def refuses(series, params):
        raise Unmeasurable("too_dark", "The image is dark.", mean=3)

    report = run_with(folder, declare(refuses, metrics=()))
    (finding,) = report.findings
    assert (finding.code, finding.status, finding.details) == ("check.not_evaluable", "not_evaluable", {"reason": "too_dark", "mean": 3})


def test_bad_data_are_a_failure(folder):
    report = run_with(folder, declare(raising(UnusableInput("t.code", "PixelSpacing is 'x'.", value="x"))))
    (finding,) = report.findings
    assert (finding.code, finding.status, finding.message, finding.details) == ("t.code", "fail", "PixelSpacing is 'x'.", {"value": "x"})
    assert finding.advice == "Advice."


def test_a_check_that_gives_none_passes(folder):
    def silent(series, params):
        return None

    report = run_with(folder, declare(silent, metrics=()))
    assert (report.findings, report.ran[0].status, report.status) == ([], "pass", "pass")


def test_nothing_at_all_is_never_a_pass(tmp_path):
    assert run_with(tmp_path).status == "not_evaluable"


# -- limits ---------------------------------------------------------------------------------------------------------


def limits(tmp_path, text):
    head = (
        'name = "x"\nversion = "1"\ntitle = "X"\n[[criterion]]\nmetric = "t.length"\nedition = "e"\nprovenance = "p"\nconfidence = "site"\n'
    )
    (tmp_path / "limits.toml").write_text(head + text)
    return (str(tmp_path / "limits.toml"),)


def test_a_value_outside_its_limit_is_also_a_finding(folder):
    report = run_with(folder, declare(good), criteria=limits(folder, "action_high = 6.5"))
    (finding,) = [one for one in report.findings if one.code == "limit.exceeded"]
    assert (finding.status, finding.check, finding.details["value"], finding.details["limits"]) == (
        "fail",
        "good",
        7.0,
        {"action_high": 6.5},
    )
    assert "7 mm" in finding.message
    assert "6.5" in finding.message
    assert outcome(report) == [("t.length", 7.0, None, "fail")]
    assert report.counts()[Status.FAIL] == 2


def test_a_measured_nothing_that_fails(folder):
    def blind(series, params):
        yield LENGTH.missing("nothing_resolved", series.subject())

    report = run_with(folder, declare(blind), criteria=limits(folder, 'action_high = 1.0\nwhen_nothing = "fail"'))
    assert outcome(report) == [("t.length", None, "nothing_resolved", "fail")]
    assert [one.code for one in report.findings] == ["limit.exceeded"]


# -- what it refuses ------------------------------------------------------------------------------------------------


def problems(**options):
    with pytest.raises(ConfigurationError) as raised:
        Runner(Options(**options))
    return " ".join(raised.value.problems)


def test_parameters_that_are_not_there_are_refused_all_at_once():
    told = problems(parameters={"slices": {"zone_slice": 3}, "noise": {"loud": True}, "nonsense": {}})
    for words in ("'slices'", "zone_slice", "'noise'", "loud", "unknown check 'nonsense'"):
        assert words in told


def test_criteria_that_are_not_there_are_refused():
    assert "'nothing'" in problems(criteria=("nothing",))


def test_a_check_that_is_not_there_is_refused():
    assert "'nonsense'" in problems(only=("nonsense",))


def test_wrong_criteria_and_wrong_parameters_are_told_together():
    told = problems(criteria=("nothing",), parameters={"slices": {"zone_slice": 3}})
    assert "zone_slice" in told


def test_a_parameter_of_the_wrong_type_is_refused():
    assert "zone_slices" in problems(parameters={"slices": {"zone_slices": "four"}})


# -- the rest of a run ----------------------------------------------------------------------------------------------


def test_without_pixels_only_headers_are_checked(folder):
    report = run_with(
        folder,
        declare(good),
        declare(Counts, "each_frame", name="counts"),
        declare(lambda series, pixels, params: [], "volume", name="volume"),
        pixels=False,
    )
    assert [one.check for one in report.ran] == ["good"]


@pytest.mark.parametrize(("expect", "found"), [(3, []), (4, [("study.incomplete", "fail")]), (2, [("study.more_than_expected", "warn")])])
def test_as_many_as_the_user_expects(folder, expect, found):
    report = run_with(folder, declare(good), expect=expect)
    assert [(one.code, one.status.value) for one in report.findings] == found


def test_a_study_check_sees_the_classes_of_its_series(folder):
    seen = []

    def whole(study, params):
        seen.extend(series.klass for series in study.series)

    run_with(folder, declare(whole, level="study"))
    assert seen == ["image"]


def test_a_file_check_sees_every_file_that_was_set_aside(folder):
    (folder / "empty").write_bytes(b"")
    (folder / "text").write_text("hello")

    def aside(rejected, params):
        yield Finding("t.code", Status.INFO, rejected.reason, Subject("file", path=rejected.shown))

    report = run_with(folder, declare(aside, level="file"))
    assert [(one.subject.path, one.message) for one in report.findings] == [("empty", "empty"), ("text", "not_dicom")]
    assert report.given == 5 == len(instances_of(report)) + len(report.skipped)


def test_progress_counts_up_to_all_frames(folder):
    told = []
    with Runner() as runner:
        runner.paths([Path(folder)], lambda done, total, text: told.append((done, total)))
    assert {total for _, total in told} == {3}
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert all(done <= total for done, total in told)
