"""The `check` declaration, the registry, and plug-ins.

A check is one file: a function (or, for checks that look at one frame after another, a small class) under the
decorator `check`, which says everything else: what it applies to, what it needs, which metrics and finding codes
it can give, its parameters, its source, its worked examples. Modules are found through the entry-point group
``pacsqc.checks``, so another package adds checks without touching this one.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

from qc.errors import ConfigurationError
from qc.results import Level, Metric, Result, Status

if TYPE_CHECKING:
    from qc.pixels import FramePixels
    from qc.study import Frame, Series

GROUP = "pacsqc.checks"

Needs = Literal["headers", "each_frame", "volume"]


@dataclass(frozen=True)
class NoParameters:
    """Parameters of a check that has none."""


@dataclass(frozen=True)
class Applies:
    """What a check applies to; an empty field means "any".

    Attributes
    ----------
    modalities
        Values of Modality (0008,0060).
    classes
        Classes of `qc.classify`; ``phantom:`` (with the colon) means every phantom.
    not_classes
        Classes it never applies to.
    """

    modalities: frozenset[str] = frozenset()
    classes: frozenset[str] = frozenset()
    not_classes: frozenset[str] = frozenset()

    def to(self, modality: str, klass: str) -> bool:
        """Tell whether a series of this modality and class is meant."""

        def hit(names: frozenset[str]) -> bool:
            return any(klass == name or (name.endswith(":") and klass.startswith(name)) for name in names)

        if self.modalities and modality not in self.modalities:
            return False
        if self.classes and not hit(self.classes):
            return False
        return not hit(self.not_classes)


@dataclass(frozen=True)
class Example:
    """A worked example: a recipe of the synthetic catalogue, and what the check must answer.

    Attributes
    ----------
    recipe
        Name in `phantoms.synthetic.catalogue`; `qc` names it as a string only.
    options
        Keyword arguments of the recipe.
    codes
        Finding codes with the status they must have; codes of this check that are not named must not appear.
    values
        ``metric`` or ``metric@region`` -> (value, tolerance).
    """

    recipe: str
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    codes: dict[str, Status] = dataclasses.field(default_factory=dict)
    values: dict[str, tuple[float, float]] = dataclasses.field(default_factory=dict)
    fault: str | None = None


class FrameCheck(Protocol):
    """A check of the form ``each_frame``: made for a series, fed one frame after another, then finished."""

    def frame(self, frame: FramePixels) -> None:
        """See one frame. The arrays are read-only and are gone after the call."""

    def finish(self) -> Iterable[Result]:
        """Give the results."""


class FrameCheckBase:
    """Base of frame checks: remembers the series and which frames could not be read."""

    def __init__(self, series: Series, params: Any) -> None:
        self.series = series
        self.params = params
        self.unreadable_frames: list[tuple[Frame, str, str]] = []

    def unreadable(self, frame: Frame, reason: str, message: str) -> None:
        """Note a frame whose pixels could not be had, with its reason code and a sentence."""
        self.unreadable_frames.append((frame, reason, message))


@dataclass(frozen=True)
class CheckSpec:
    """A declared check."""

    id: str
    version: int
    title: str
    level: Level
    needs: Needs
    applies: Applies
    metrics: tuple[Metric, ...]
    codes: dict[str, str]
    params: type
    source: str
    invariances: frozenset[str]
    examples: tuple[Example, ...]
    required: bool
    run: Callable[..., Any]

    @property
    def method(self) -> str:
        """Method id with version."""
        return f"{self.id}/{self.version}"

    @property
    def doc(self) -> str:
        """The docstring, cleaned."""
        return inspect.getdoc(self.run) or ""


class Registry:
    """The checks of one run, by id."""

    def __init__(self) -> None:
        self.specs: dict[str, CheckSpec] = {}

    def add(self, spec: CheckSpec) -> None:
        """Register a declaration; a second one with the same id is refused unless it is the same function."""
        known = self.specs.get(spec.id)
        if known and (known.run.__module__, known.run.__qualname__) != (spec.run.__module__, spec.run.__qualname__):
            raise ConfigurationError(f"check id {spec.id!r} is declared twice: in {known.run.__module__} and in {spec.run.__module__}")
        self.specs[spec.id] = spec


REGISTRY = Registry()

_ID = re.compile(r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$")
INVARIANCES = frozenset({"file_order", "duplicate_input", "intensity_scale", "rescale", "translation"})


def check(
    *,
    id: str,
    version: int,
    title: str,
    level: Level,
    needs: Needs,
    source: str,
    applies: Applies = Applies(),
    metrics: Iterable[Metric] = (),
    codes: dict[str, str] | None = None,
    params: type = NoParameters,
    invariances: Iterable[str] = (),
    examples: Iterable[Example] = (),
    required: bool = False,
) -> Callable[[Any], Any]:
    """Declare a check.

    Parameters
    ----------
    id
        Stable name, ``topic`` or ``topic.what``.
    version
        Raised whenever the same pixels could give another number.
    level
        ``file`` (a file that could not become an instance), ``series``, ``study``, or ``patient`` (headers only: its subject is
        a tuple of all studies at hand).
    needs
        ``headers``: ``run(subject, params)``. ``each_frame``: a class with ``__init__(series, params)``, ``frame`` and
        ``finish``. ``volume``: ``run(subject, pixels, params)`` where ``pixels.volume(series)`` gives a `qc.pixels.Volume`.
    codes
        Finding code -> one sentence that says what it means and what to do (shown in reports as advice).
    params
        A frozen dataclass; every field with a default, units in the names.
    invariances
        Of `INVARIANCES`; the contract test applies each to the examples.
    required
        A required check that gives no verdict keeps its subject from passing.

    Raises
    ------
    ConfigurationError
        If the declaration is wrong: said at import, with the reason.
    """

    def declare(function: Any) -> Any:
        problems = []
        if not _ID.match(id):
            problems.append(f"check id {id!r} must be lower case words joined by dots")
        if not (inspect.getdoc(function) or "").strip():
            problems.append(f"check {id!r} has no docstring")
        if not (dataclasses.is_dataclass(params) and params.__dataclass_params__.frozen):  # type: ignore[attr-defined]
            problems.append(f"check {id!r}: params must be a frozen dataclass, got {params!r}")
        for word, allowed in ((level, get_args(Level)), (needs, get_args(Needs))):
            if word not in allowed:
                problems.append(f"check {id!r}: {word!r} is none of {', '.join(allowed)}")
        unknown = set(invariances) - INVARIANCES
        if unknown:
            problems.append(f"check {id!r}: unknown invariances {sorted(unknown)}; known are {sorted(INVARIANCES)}")
        if needs == "each_frame" and not (inspect.isclass(function) and hasattr(function, "frame") and hasattr(function, "finish")):
            problems.append(f"check {id!r} needs each_frame: it must be a class with frame() and finish()")
        if problems:
            raise ConfigurationError(problems)
        spec = CheckSpec(
            id, version, title, level, needs, applies, tuple(metrics), dict(codes or {}), params, source,
            frozenset(invariances), tuple(examples), required, function,
        )  # fmt: skip
        REGISTRY.add(spec)
        function.spec = spec
        return function

    return declare


def _import_plugin(name: str) -> None:
    """Import a module; of a package, every module directly in it, so that one new file is enough for a new check."""
    module = importlib.import_module(name)
    for info in pkgutil.iter_modules(getattr(module, "__path__", ())):
        if not info.name.startswith("_"):
            importlib.import_module(f"{name}.{info.name}")


@cache
def load_checks() -> tuple[CheckSpec, ...]:
    """Import every module of the entry-point group and return all declared checks, by id.

    A plug-in that cannot be imported is a configuration error: a check that silently is not there looks like a pass.
    """
    problems = []
    for entry in entry_points(group=GROUP):
        try:
            _import_plugin(entry.value.partition(":")[0])
        except (ImportError, SyntaxError) as error:
            problems.append(f"check plug-in {entry.name!r} ({entry.value}) cannot be imported: {error}")
    if problems:
        raise ConfigurationError(problems)
    return tuple(sorted(REGISTRY.specs.values(), key=lambda spec: spec.id))


def all_metrics() -> dict[str, Metric]:
    """Every declared metric by id; two different declarations of one id are refused."""
    metrics: dict[str, Metric] = {}
    for spec in load_checks():
        for metric in spec.metrics:
            if metrics.setdefault(metric.id, metric) != metric:
                raise ConfigurationError(f"metric {metric.id!r} is declared in two ways; import the one declaration")
    return metrics
