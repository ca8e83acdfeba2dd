"""Run every check that applies, and judge what was measured.

One broken check never takes another with it: this is one of the two places where any exception is caught. Its traceback is
kept in the result. Each frame is decoded once and shown to every check that wants it.
"""

from __future__ import annotations

import dataclasses
import secrets
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from qc import classify, criteria, dicom
from qc.check import CheckSpec, load_checks
from qc.decoder import Decoder
from qc.errors import ConfigurationError, NotEvaluable, UnusableInput
from qc.pixels import PixelAccess, Unreadable, same_pixels
from qc.results import Finding, Judged, Measurement, Result, Status, Subject, with_method, worst
from qc.study import Instance, Series, Study, group
from qc.values import Problem

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Options:
    """How to run.

    Attributes
    ----------
    criteria
        Names of built-in criteria sets or paths of TOML files, asked in order.
    hash_key
        Key of the hashes that stand for patients; random where not given, so hashes hold within one run only.
    only
        Run only checks whose id starts with one of these; empty: all.
    parameters
        Check id -> keyword arguments of its parameters.
    expect
        How many instances the user expects, or None.
    pixels
        False: headers only.
    as_class
        Class of every image series, whatever the recognisers say; localizers and what is no image keep theirs. Empty: recognise.
    """

    criteria: tuple[str, ...] = criteria.DEFAULT
    hash_key: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    only: tuple[str, ...] = ()
    parameters: dict[str, dict[str, Any]] = field(default_factory=dict)
    limits: dicom.Limits = field(default_factory=dicom.Limits)
    max_volume_mb: int = 1024
    pixels: bool = True
    expect: int | None = None
    as_class: str = ""


@dataclass(frozen=True)
class Ran:
    """One check on one subject: its worst status and how long it took."""

    check: str
    version: int
    subject: Subject
    status: Status
    seconds: float


@dataclass
class Report:
    """Everything one run gave."""

    studies: list[Study] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    measurements: list[Judged] = field(default_factory=list)
    skipped: list[dicom.Rejected] = field(default_factory=list)
    ran: list[Ran] = field(default_factory=list)
    given: int = 0

    def counts(self) -> dict[Status, int]:
        """Return how many findings and measurements have each status."""
        counts = dict.fromkeys(Status, 0)
        for status in self._statuses():
            counts[status] += 1
        return counts

    def _statuses(self) -> Iterable[Status]:
        yield from (finding.status for finding in self.findings)
        yield from (judged.verdict.status for judged in self.measurements)

    @property
    def status(self) -> Status:
        """Worst status of all; a run in which nothing ran is not evaluable."""
        return worst([ran.status for ran in self.ran] + list(self._statuses()))


def facts_of(series: Series) -> dict[str, Any]:
    """Return what limits may depend on."""
    return {
        "modality": series.modality,
        "class": series.klass,
        "field_strength_t": series.first("MagneticFieldStrength"),
        "kvp": series.first("KVP"),
        "manufacturer": series.first("Manufacturer"),
        "model": series.first("ManufacturerModelName"),
        "kernel": series.first("ConvolutionKernel"),
        "slice_thickness_mm": series.first("SliceThickness"),
        "protocol": series.first("ProtocolName"),
    }


class Runner:
    """Holds the checks, the limits and the decoder of one run. Use as a context manager.

    Raises
    ------
    ConfigurationError
        From the constructor: unknown check, parameter or criteria set; all problems at once.
    """

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or Options()
        problems: list[str] = []
        try:
            self.criteria = criteria.load(self.options.criteria)
        except ConfigurationError as error:
            problems = error.problems
        self.specs = [spec for spec in load_checks() if not self.options.only or spec.id.startswith(self.options.only)]
        self.recognisers = classify.load_recognisers()
        self.parameters = self._parameters(problems)
        self.decoder = Decoder()
        self.pixels = PixelAccess(self.decoder, self.options.limits, self.options.max_volume_mb)

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *exc: object) -> None:
        self.decoder.close()

    def _parameters(self, problems: list[str]) -> dict[str, Any]:
        """Make the parameters of each check; raise all problems of the configuration at once, those found before too."""
        known = {spec.id: spec for spec in load_checks()}
        problems += [f"unknown check {name!r} in parameters; see `pacsqc checks`" for name in self.options.parameters.keys() - known.keys()]
        problems += [
            f"there is no check {name!r} to run only; see `pacsqc checks`"
            for name in self.options.only
            if not any(known_id.startswith(name) for known_id in known)
        ]
        values = {}
        for spec in self.specs:
            given = self.options.parameters.get(spec.id, {})
            problems += _wrong_types(spec, given)
            try:
                values[spec.id] = spec.params(**given)
            except (TypeError, ValueError) as error:
                problems.append(f"parameters of check {spec.id!r}: {error}")
        if problems:
            raise ConfigurationError(problems)
        return values

    # -- running ------------------------------------------------------------------------------------------------

    def paths(self, paths: Sequence[Path | dicom.Source], progress: Progress | None = None) -> Report:
        """Check everything below the paths."""
        with dicom.Intake(self.options.limits) as intake:
            instances = []
            for instance in intake.instances(paths):
                if not self.options.pixels:  # nobody asked for them, so nobody misses them
                    instance.problems[:] = [one for one in instance.problems if one.code != "pixels.absent"]
                instances.append(instance)
                if progress and len(instances) % 50 == 0:
                    progress(len(instances), 0, "reading headers")
            report = Report(given=intake.given)
            kept = self._settle_duplicates(instances, intake)
            report.studies = group(kept, self.options.hash_key)
            report.skipped = sorted(intake.rejected, key=lambda one: one.shown)
            self._files(report)
            done, total = 0, sum(len(series.frames) for study in report.studies for series in study.series)
            for study in report.studies:
                self.study(study, report, partial(_told, progress, done, total) if progress else None)
                done += sum(len(series.frames) for series in study.series)
            self._patients(report)
            if self.options.expect is not None:
                report.findings += _expected(report, self.options.expect)
        return report

    def _settle_duplicates(self, instances: Sequence[Instance], intake: dicom.Intake) -> list[Instance]:
        """Count a byte-identical copy once (the copy is skipped); keep both of a UID collision and note it on each."""
        first: dict[str, Instance] = {}
        kept: list[Instance] = []
        for instance in instances:
            known = first.setdefault(instance.uid, instance) if instance.uid else instance
            if known is instance:
                kept.append(instance)
            elif dicom.same_bytes(known.path, instance.path):
                intake.rejected.append(
                    dicom.Rejected(
                        instance.shown,
                        "duplicate_file",
                        f"byte for byte the same file as {known.shown}",
                        instance.path,
                        {"first": known.shown},
                    )
                )
            else:
                kept.append(instance)
                equal = same_pixels(known, instance, self.decoder, self.options.limits)
                for one, other in ((known, instance), (instance, known)):
                    facts = (("other", other.shown), ("other_series", other.get("SeriesInstanceUID", "")), ("pixels_equal", equal))
                    one.problems.append(Problem("file.uid_collision", facts=facts))
        return kept

    def _files(self, report: Report) -> None:
        """Checks of files that gave no instance."""
        for spec in self.specs:
            if spec.level == "file":
                for rejected in report.skipped:
                    run = partial(spec.run, rejected, self.parameters[spec.id])
                    self._call(spec, Subject("file", path=rejected.shown), {}, report, run)

    def _patients(self, report: Report) -> None:
        """Checks of patients over all studies at hand."""
        for spec in self.specs:
            if spec.level == "patient" and report.studies:
                run = partial(spec.run, tuple(report.studies), self.parameters[spec.id])
                self._call(spec, Subject("patient"), {}, report, run)

    def study(self, study: Study, report: Report, progress: Callable[[str, int], None] | None = None) -> None:
        """Check one study: its series, then the study as a whole."""
        done = 0
        for series in study.series:
            self.series(series, report, partial(_counted, progress, series.description, done) if progress else None)
            done += len(series.frames)
        for spec in self.specs:
            if spec.level != "study" or (spec.needs != "headers" and not self.options.pixels):
                continue
            if spec.applies.modalities and not any(spec.applies.to(series.modality, series.klass) for series in study.series):
                continue
            facts = facts_of(study.series[0])
            pixels = () if spec.needs == "headers" else (self.pixels,)
            self._call(spec, study.subject(), facts, report, partial(spec.run, study, *pixels, self.parameters[spec.id]))
        self.pixels.forget()

    def series(self, series: Series, report: Report, progress: Callable[[int], None] | None = None) -> None:
        """Classify one series and run its checks."""
        series.klass = self._recognised(series, report) or classify.classify(series)
        facts = facts_of(series)
        specs = [spec for spec in self.specs if spec.level == "series" and spec.applies.to(series.modality, series.klass)]
        for spec in specs:
            if spec.needs == "headers":
                self._call(spec, series.subject(), facts, report, partial(spec.run, series, self.parameters[spec.id]))
            elif spec.needs == "volume" and self.options.pixels:
                self._call(spec, series.subject(), facts, report, partial(spec.run, series, self.pixels, self.parameters[spec.id]))
        if self.options.pixels:
            self._each_frame([spec for spec in specs if spec.needs == "each_frame"], series, facts, report, progress)

    def _recognised(self, series: Series, report: Report) -> str | None:
        """Ask the recognisers of phantoms; one that breaks costs the recognition, not the run."""
        if self.options.as_class:
            return None if classify.classify(series) in ("localizer", "screenshot", "not_image") else self.options.as_class
        if not self.options.pixels:
            return None
        try:
            return classify.recognise(series, self.recognisers, self.pixels)
        except Exception as error:
            report.findings.append(_broken("recogniser", series.subject(), error))
            return None

    def _each_frame(
        self, specs: list[CheckSpec], series: Series, facts: dict[str, Any], report: Report, progress: Callable[[int], None] | None
    ) -> None:
        """Show every frame to every check that wants it; a check that breaks is left out of the rest."""
        running: list[tuple[CheckSpec, Any, list[float]]] = []
        broken: dict[str, BaseException] = {}
        for spec in specs:
            try:
                running.append((spec, spec.run(series, self.parameters[spec.id]), [0.0]))
            except Exception as error:
                self._call(spec, series.subject(), facts, report, partial(_raise, error))
        if not running:
            return
        for number, pixels in enumerate(self.pixels.frames(series)):
            for spec, state, spent in running:
                if spec.id in broken:
                    continue
                start = time.perf_counter()
                try:
                    if isinstance(pixels, Unreadable):
                        if hasattr(state, "unreadable"):
                            state.unreadable(pixels.frame, pixels.reason, pixels.message)
                    else:
                        state.frame(pixels)
                except Exception as error:
                    broken[spec.id] = error
                spent[0] += time.perf_counter() - start
            if progress and number % 20 == 0:
                progress(number)
        for spec, state, spent in running:
            finish = partial(_raise, broken[spec.id]) if spec.id in broken else state.finish
            self._call(spec, series.subject(), facts, report, finish, spent[0])

    def _call(
        self, spec: CheckSpec, subject: Subject, facts: dict[str, Any], report: Report, run: Callable[[], Any], spent: float = 0.0
    ) -> None:
        """Run a check, turn what it raises into results, judge its measurements."""
        start = time.perf_counter()
        results: list[Result] = []
        try:
            for result in run() or ():
                results.append(result)
        except NotEvaluable as error:
            results += _not_evaluable(spec, subject, error, results)
        except UnusableInput as error:
            results.append(Finding(error.code, Status.FAIL, error.message, subject, error.facts))
        except Exception as error:
            results.append(_broken(spec.id, subject, error))
        statuses = []
        for result in results:
            marked = with_method(result, spec.id, spec.method)
            if isinstance(marked, Finding):
                report.findings.append(_advised(marked, spec))
                statuses.append(marked.status)
                continue
            verdict = self.criteria.judge(marked, facts)
            report.measurements.append(Judged(marked, verdict))
            statuses.append(verdict.status)
            if verdict.status is Status.FAIL:
                report.findings.append(exceeded(marked, verdict, spec))
        report.ran.append(Ran(spec.id, spec.version, subject, worst([*statuses, Status.PASS]), spent + time.perf_counter() - start))


def _wrong_types(spec: CheckSpec, given: dict[str, Any]) -> list[str]:
    """Compare given parameters with the type of their defaults; a whole number may stand for a decimal one."""
    defaults = {field.name: field.default for field in dataclasses.fields(spec.params)}
    problems = []
    for name, value in given.items():
        default = defaults.get(name)
        if default is None or default is dataclasses.MISSING:
            continue
        kinds = (int, float) if isinstance(default, float) else (list, tuple) if isinstance(default, tuple) else (type(default),)
        if not isinstance(value, kinds) or (isinstance(value, bool) and not isinstance(default, bool)):
            problems.append(f"parameters of check {spec.id!r}: {name} is {value!r}; it must be like its default {default!r}")
    return problems


def _raise(error: BaseException) -> Any:
    raise error


def _told(progress: Progress, done: int, total: int, text: str, step: int) -> None:
    progress(done + step, total, text)


def _counted(progress: Callable[[str, int], None], text: str, done: int, step: int) -> None:
    progress(text, done + step)


def _not_evaluable(spec: CheckSpec, subject: Subject, error: NotEvaluable, results: list[Result]) -> list[Result]:
    """A check that could not answer: one null measurement for each metric it owes, or a finding where it has none."""
    given = {result.metric for result in results if isinstance(result, Measurement)}
    owed = [metric for metric in spec.metrics if metric.id not in given]
    if owed:
        return [metric.missing(error.reason, subject, message=error.message, **error.facts) for metric in owed]
    details = {"reason": error.reason, **error.facts}
    text = f"{spec.title}: {error.message}"
    advice = (
        "Nothing was found wrong, and nothing was found right: this could not be judged. Look at what the message names, then check again."
    )
    return [Finding("check.not_evaluable", Status.NOT_EVALUABLE, text, subject, details, advice)]


def _broken(name: str, subject: Subject, error: BaseException) -> Finding:
    """Our own fault: say so, keep the traceback."""
    text = "".join(traceback.format_exception(error))
    return Finding(
        "check.error",
        Status.ERROR,
        f"the check {name!r} broke ({type(error).__name__}: {error}); the other checks went on",
        subject,
        {"traceback": text},
        "A fault of the software, not of the images. Pass the traceback on to whoever maintains the check.",
        name,
    )


def _advised(finding: Finding, spec: CheckSpec) -> Finding:
    advice = finding.advice or spec.codes.get(finding.code, "")
    return replace(finding, advice=advice)


def exceeded(measurement: Measurement, verdict: Any, spec: CheckSpec) -> Finding:
    """Return the finding that goes with a measurement outside its limit."""
    metric = next((one for one in spec.metrics if one.id == measurement.metric), None)
    title = metric.title if metric else measurement.metric
    limits = {name: value for name, value in (verdict.limits or {}).items() if value is not None}
    words = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in limits.items())
    where = f" ({measurement.region})" if measurement.region else ""
    if measurement.value is None:  # a measured "nothing" that the criterion calls a fail
        text = f"{title}{where}: {(measurement.reason or '').replace('_', ' ')}"
    else:
        text = f"{title}{where} is {measurement.value:.4g} {display_unit(measurement.unit)}, outside its limit ({words})"
    return Finding(
        "limit.exceeded",
        Status.FAIL,
        text,
        measurement.subject,
        {"metric": measurement.metric, "region": measurement.region, "value": measurement.value, "limits": limits},
        "Repeat the measurement once; if it stays outside, tell the physicist in charge.",
        spec.id,
        measurement.evidence,
    )


def _expected(report: Report, expect: int) -> list[Finding]:
    """Compare with the number of objects that the user expects (``--expect``)."""
    received = sum(len(series.instances) for study in report.studies for series in study.series)
    if received == expect:
        return []
    code, status = ("study.incomplete", Status.FAIL) if received < expect else ("study.more_than_expected", Status.WARN)
    study = report.studies[0].subject() if len(report.studies) == 1 else Subject("study")
    text = f"{received} of {expect} expected objects are here"
    advice = "Ask the sender for the missing objects." if received < expect else "Look whether objects of another study were mixed in."
    return [Finding(code, status, text, study, {"expected": expect, "received": received}, advice, "expect")]


def display_unit(ucum: str) -> str:
    """Return a UCUM unit as people write it: HU, lp/mm, nothing for 1."""
    return {"[hnsf'U]": "HU", "1": "", "1/mm": "lp/mm", "1/cm": "lp/cm", "deg": "°", "{counts}": "counts"}.get(ucum, ucum)
